/* What native.c and native_net.py both know: the network and one pass over it. All whole numbers are 64 bits wide.
 *
 * A weight matrix is packed into panels of 32 rows (outputs), filled up with zeros: for each pair of columns the
 * two numbers of row 0, of row 1, … of row 31. bf16 numbers are uint16_t here. */
#ifndef LLMOS_NATIVE_H
#define LLMOS_NATIVE_H
#include <stdint.h>

#define PANEL 32 /* rows of a panel */
#define BLOCK 64 /* keys that are attended at once: where blocks begin depends on positions alone */
#define WIDEST 256 /* head_dim at most */

typedef struct {
    const uint16_t *weight;
    const float *bias; /* or NULL */
    int64_t rows, columns;
} Matrix;

/* gate_up holds 16 gates, their 16 ups, and so on. The norms before qkv and gate_up are folded into them. */
typedef struct {
    Matrix qkv, out, gate_up, down;
    const float *q_norm, *k_norm; /* head_dim, or NULL */
} Layer;

/* hidden is a multiple of 32, inner and head_dim of 16. */
typedef struct {
    int64_t vocabulary, hidden, inner, layers, heads, kv_heads, head_dim, window;
    double eps;
    const uint16_t *embed; /* vocabulary * hidden, not packed */
    const float *norm, *frequency; /* hidden; head_dim / 2 */
    const Layer *layer;
    Matrix head;
} Net;

/* Tokens that continue branches. Piece p: tokens first[p] to first[p + 1], put behind the past[p] tokens of row[p],
 * which is behind the runs path[p] to path[p + 1]: each (layers, 2, kv heads, length, head_dim). Layer n's rows lie at
 * rows[n]: (2, row_count, kv heads, room, head_dim). Pieces with like beginnings of their paths stand together. */
typedef struct {
    int64_t tokens, pieces, wanted, row_count, room, threads, products; /* products: nothing but those, to time them */
    const int64_t *ids, *first, *row, *past, *path, *length, *want;
    const uint16_t *const *run;
    uint16_t *const *rows;
    float *logits; /* wanted * vocabulary */
} Pass;

enum { FINE, NO_MEMORY, BAD_ID, BAD_POSITION };

#endif
