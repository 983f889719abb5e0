/* What the files of the library share: how a pass is cut up, and the threads that work on it. */
#ifndef LLMOS_NATIVE_PLAN_H
#define LLMOS_NATIVE_PLAN_H
#include <string.h>

#include "native.h"

#define QUERIES 64 /* attended together, at most (but never less than a token's) */
#define UNIT_ROWS (2 * PANEL) /* of a weight matrix */
#define UNIT_TOKENS 8 /* of what is done for each token by itself */
#define LINE 32 /* numbers of a cache line */
#define UNIT_SUMS 48 /* tokens whose sums are kept beside each other */

/* Some tokens of a piece. They stand at position `start` of their branch, and at place `at` of their row. */
typedef struct { int64_t piece, first, tokens, start, at, row; } Part;

/* What becomes of a product. */
enum { QKV = 1, ADDED, GATED, LOGITS };

/* A product's tile: some tokens, a row of `stride` numbers each, by one panel, or two of which the second begins
 * `apart` numbers behind the first. Where the sums start from may be where they go. */
typedef struct {
    const uint16_t *in, *weight;
    int64_t stride, pairs, apart;
    const float *start;
    float *sums;
    int64_t start_stride, sums_stride;
} Tile;

/* Where the keys and values of a block lie; NULL behind the last. */
typedef struct { const uint16_t *key[BLOCK], *value[BLOCK]; int64_t count; } Block;

/* What a worker attends with. Of each query (a token's of one head of a group): its numbers, the largest score so far,
 * the sum of weights and the weighted sum of values; and a block's keys, values, scores and weights. */
typedef struct {
    float *out, *score, *top, *total;
    uint16_t *q, *weight, *key, *value;
    int64_t *position;
} Desk;

/* Of each token: x is what flows through the layers, y a product's input, inner the MLP's, q the queries in place, and
 * turns cosine and sine of its position. Task n attends the parts task[n] to task[n + 1]. */
typedef struct {
    const Net *net;
    const Pass *pass;
    float *x, *qkv, *turns, *sums;
    uint16_t *y, *inner, *q;
    Part *part;
    Desk *desk; /* a worker's own, as are UNIT_SUMS * UNIT_ROWS of the sums */
    int64_t *task;
    int64_t parts, tasks, padded; /* head_dim filled up to panels */
    int workers;
    /* What is being done. */
    int64_t index; /* of the layer */
    const Layer *layer;
    const Matrix *matrix;
    const uint16_t *in;
    const float *norm;
    int kind;
} State;

/* How many tokens of their past two parts have in common, those that they add themselves included. */
static inline int64_t alike(const Pass *p, const Part *a, const Part *b) {
    if (a->piece == b->piece) {
        int64_t ends[] = {a->start + a->tokens, b->start + b->tokens};
        return ends[ends[1] < ends[0]];
    }
    int64_t same = 0, i = p->path[a->piece], j = p->path[b->piece];
    for (; i < p->path[a->piece + 1] && j < p->path[b->piece + 1] && p->run[i] == p->run[j]; i++, j++) same += p->length[i];
    return same;
}

/* The block that begins at position `start`, of at most BLOCK keys before `end`, as a part sees it. */
static inline void fetch(const State *s, int64_t group, const Part *part, int64_t start, int64_t end, Block *b) {
    const Pass *p = s->pass;
    int64_t size = s->net->head_dim, groups = s->net->kv_heads, at = start, from = 0;
    if (end > start + BLOCK) end = start + BLOCK;
    b->count = end - start;
    for (int64_t i = p->path[part->piece]; at < end; i++) {
        int row = i == p->path[part->piece + 1];
        int64_t length = row ? p->room : p->length[i], apart = (row ? p->row_count : 1) * groups * length * size;
        const uint16_t *keys = row ? p->rows[s->index] + part->row * groups * length * size : p->run[i] + s->index * 2 * apart;
        keys += group * length * size;
        for (; at < end && at < from + length; at++) {
            b->key[at - start] = keys + (at - from) * size;
            b->value[at - start] = b->key[at - start] + apart;
        }
        from += length;
    }
    for (int64_t n = b->count; n < BLOCK; n++) b->key[n] = b->value[n] = NULL;
}

/* As fetch, and have it in the cache when its time comes. */
static inline void soon(const State *s, int64_t group, const Part *part, int64_t start, int64_t end, Block *b) {
    fetch(s, group, part, start, end, b);
    for (int64_t n = 0; n < b->count; n++)
        for (int64_t m = 0; m < s->net->head_dim; m += LINE) {
            __builtin_prefetch(b->key[n] + m, 0, 2);
            __builtin_prefetch(b->value[n] + m, 0, 2);
        }
}

/* native_pool.c: take the pool, with `wanted` threads in it where they can be had; how many work now, 1 without it. */
int take_pool(int wanted);
void give_pool(void);
typedef void (*Job)(void *about, int64_t unit, int worker);
/* Do the units 0, 1, … of a job, on as many threads as take_pool said. */
void share_out(int workers, int64_t units, Job job, void *about);

void compute_avx512(State *s);
void compute_avx2(State *s);
void pack_avx512(const uint16_t *from, int64_t rows, int64_t columns, uint16_t *to);
void pack_avx2(const uint16_t *from, int64_t rows, int64_t columns, uint16_t *to);

#endif
