/* The lean forward pass on a CPU, for native.py: a whole pass of a network of Llama's kind in one call, in bf16 with
 * sums in fp32. Which instructions it uses is decided when it runs; where they are missing it says so. */
#include "native_plan.h"

#include <stdlib.h>

#define API __attribute__((visibility("default")))

#if defined(__x86_64__)

/* Cuts pieces from one block of memory; without one it only counts. */
typedef struct { char *at; size_t used; } Arena;

static void *cut(Arena *a, int64_t count, size_t size) {
    void *made = a->at ? a->at + a->used : NULL;
    a->used += ((size_t)count * size + 63) / 64 * 64;
    return made;
}

#define CUT(arena, to, count) ((to) = cut(arena, count, sizeof *(to)))

#define FEW 8

/* Parts of few tokens, and tasks of few parts: small enough for all workers to have some. */
static void share_attention(State *s) {
    const Pass *p = s->pass;
    int64_t fold = s->net->heads / s->net->kv_heads, wanted = (3 * s->workers + s->net->kv_heads - 1) / s->net->kv_heads;
    int64_t most = (p->tokens + wanted - 1) / wanted;
    if (most < FEW) most = FEW; /* to lay out the same keys twice takes longer */
    if (most > QUERIES / fold) most = QUERIES / fold;
    if (most < 1) most = 1;
    int64_t held = 0;
    s->parts = s->tasks = 0;
    for (int64_t piece = 0; piece < p->pieces; piece++) {
        int64_t past = p->past[piece], before = past;
        for (int64_t i = p->path[piece]; i < p->path[piece + 1]; i++) before += p->length[i];
        for (int64_t t = p->first[piece], some; t < p->first[piece + 1]; t += some) {
            int64_t done = t - p->first[piece], left = p->first[piece + 1] - t;
            some = left < most ? left : most;
            if (!s->parts || held + some > most) s->task[s->tasks++] = s->parts, held = 0;
            held += some;
            s->part[s->parts++] = (Part){piece, t, some, before + done, past + done, p->row[piece]};
        }
    }
    s->task[s->tasks] = s->parts;
}

static void cut_desk(Arena *a, const Net *net, int64_t padded, Desk *d) {
    int64_t fold = net->heads / net->kv_heads, queries = fold > QUERIES ? fold : QUERIES;
    CUT(a, d->out, queries * padded);
    CUT(a, d->score, queries * BLOCK);
    CUT(a, d->top, queries);
    CUT(a, d->total, queries);
    CUT(a, d->q, queries * net->head_dim);
    CUT(a, d->weight, queries * BLOCK);
    CUT(a, d->key, BLOCK * net->head_dim);
    CUT(a, d->value, BLOCK * padded);
    CUT(a, d->position, queries);
    /* Columns that only fill up are multiplied as well. */
    if (a->at) memset(d->value, 0, (size_t)(BLOCK * padded) * sizeof *d->value);
}

static void cut_state(Arena *a, State *s) {
    const Net *net = s->net;
    int64_t tokens = s->pass->tokens, heads = net->heads * net->head_dim, wide = heads > net->hidden ? heads : net->hidden;
    CUT(a, s->x, tokens * net->hidden);
    CUT(a, s->qkv, tokens * net->layer->qkv.rows);
    CUT(a, s->turns, tokens * net->head_dim);
    CUT(a, s->y, (tokens > s->pass->wanted ? tokens : s->pass->wanted) * wide);
    CUT(a, s->inner, tokens * net->layer->down.columns);
    CUT(a, s->q, tokens * heads);
    CUT(a, s->part, tokens);
    CUT(a, s->task, tokens + 1);
    CUT(a, s->sums, (int64_t)s->workers * UNIT_SUMS * UNIT_ROWS);
    CUT(a, s->desk, s->workers);
    for (int n = 0; n < s->workers; n++) {
        Desk counted;
        cut_desk(a, net, s->padded, a->at ? &s->desk[n] : &counted);
    }
}

/* 2: AVX-512 with bf16, 1: AVX2 with FMA, 0: neither. */
API int llmos_level(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        return 2;
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* Numbers that a matrix takes once it is packed. */
API int64_t llmos_packed(int64_t rows, int64_t columns) {
    return (rows + PANEL - 1) / PANEL * PANEL * columns;
}

API void llmos_pack(int level, const uint16_t *from, int64_t rows, int64_t columns, uint16_t *to) {
    memset(to + rows / PANEL * PANEL * columns, 0, (size_t)((llmos_packed(rows, columns) - rows / PANEL * PANEL * columns)) * sizeof *to);
    (level == 2 ? pack_avx512 : pack_avx2)(from, rows, columns, to);
}

static int check(const Net *net, const Pass *p) {
    for (int64_t t = 0; t < p->tokens; t++)
        if (p->ids[t] < 0 || p->ids[t] >= net->vocabulary) return BAD_ID;
    for (int64_t n = 0; n < p->pieces; n++) {
        int64_t end = p->past[n] + p->first[n + 1] - p->first[n];
        if (p->row[n] < 0 || p->row[n] >= p->row_count || end > p->room) return BAD_POSITION;
        for (int64_t i = p->path[n]; i < p->path[n + 1]; i++) end += p->length[i];
        if (end > net->window) return BAD_POSITION;
    }
    for (int64_t n = 0; n < p->wanted; n++)
        if (p->want[n] < 0 || p->want[n] >= p->tokens) return BAD_POSITION;
    return FINE;
}

API int llmos_run(int level, const Net *net, const Pass *pass) {
    int problem = check(net, pass);
    if (problem) return problem;
    State s = {.net = net, .pass = pass, .padded = (net->head_dim + PANEL - 1) / PANEL * PANEL};
    s.workers = take_pool((int)pass->threads);
    Arena count = {0};
    cut_state(&count, &s);
    Arena arena = {.at = aligned_alloc(64, count.used)};
    if (!arena.at) problem = NO_MEMORY;
    else {
        if (pass->products) memset(arena.at, 0, arena.used);
        cut_state(&arena, &s);
        share_attention(&s);
        (level == 2 ? compute_avx512 : compute_avx2)(&s);
        free(arena.at);
    }
    if (s.workers > 1) give_pool();
    return problem;
}

#else

API int llmos_level(void) { return 0; }
API int64_t llmos_packed(int64_t rows, int64_t columns) { return rows * columns; }
API void llmos_pack(int level, const uint16_t *from, int64_t rows, int64_t columns, uint16_t *to) {
    (void)level, (void)from, (void)rows, (void)columns, (void)to;
}
API int llmos_run(int level, const Net *net, const Pass *pass) {
    (void)level, (void)net, (void)pass;
    return NO_MEMORY;
}

#endif
