/* One pass of the network, in terms of the sixteen lanes of native_avx512.c and native_avx2.c, which include it.
 *
 * What comes out for a token is the same whatever else is in the pass, and however its past is kept: sums of products
 * run along the columns in their order, and keys are attended in blocks that begin at the same positions. */

/* e to the power of x, within two units in the last place; 0 below -87.3, and what is no number stays none. */
INLINE V power(V x) {
    V least = v_all(-87.33654f), kept = v_max(least, v_min(v_all(88.37626f), x));
    V n = v_round(v_mul(kept, v_all(1.44269504f)));
    V r = v_fma(n, v_all(2.12194440e-4f), v_fma(n, v_all(-0.693359375f), kept));
    V sum = v_fma(v_all(1.9875691500e-4f), r, v_all(1.3981999507e-3f));
    sum = v_fma(sum, r, v_all(8.3334519073e-3f));
    sum = v_fma(sum, r, v_all(4.1665795894e-2f));
    sum = v_fma(sum, r, v_all(1.6666665459e-1f));
    sum = v_fma(sum, r, v_all(5.0000001201e-1f));
    sum = v_add(v_fma(v_mul(r, r), sum, r), v_all(1.0f));
    return v_unless_less(v_scale(sum, n), x, least);
}

INLINE void tile(const int tokens, const int panels, const Tile *t) {
    V sum[TALL][4];
    const uint16_t *in = t->in, *weight = t->weight;
    const int64_t stride = t->stride, apart = t->apart;
#pragma GCC unroll 12
    for (int m = 0; m < tokens; m++)
#pragma GCC unroll 4
        for (int n = 0; n < 2 * panels; n++) sum[m][n] = v_load(t->start + m * t->start_stride + n * 16);
    for (int64_t k = 0; k < t->pairs; k++, weight += 2 * PANEL, in += 2) {
        Pairs w[4];
#pragma GCC unroll 4
        for (int n = 0; n < 2 * panels; n++) w[n] = p_load(weight + n / 2 * apart + n % 2 * PANEL);
#pragma GCC unroll 12
        for (int m = 0; m < tokens; m++) {
            Pairs x = p_all(in + m * stride);
#pragma GCC unroll 4
            for (int n = 0; n < 2 * panels; n++) sum[m][n] = p_dot(sum[m][n], w[n], x);
        }
    }
#pragma GCC unroll 12
    for (int m = 0; m < tokens; m++)
#pragma GCC unroll 4
        for (int n = 0; n < 2 * panels; n++) v_store(t->sums + m * t->sums_stride + n * 16, sum[m][n]);
}

TARGET static void tile_of(int tokens, int panels, const Tile *t) {
    switch (tokens * 2 + panels) {
    case 4: tile(1, 2, t); break;
    case 3: tile(1, 1, t); break;
    case 5: tile(2, 1, t); break;
#if TALL > 2
    case 6: tile(2, 2, t); break;
    case 7: tile(3, 1, t); break;
    case 9: tile(4, 1, t); break;
    case 11: tile(5, 1, t); break;
    case 13: tile(6, 1, t); break;
    case 15: tile(7, 1, t); break;
    case 17: tile(8, 1, t); break;
    case 19: tile(9, 1, t); break;
    case 21: tile(10, 1, t); break;
    case 23: tile(11, 1, t); break;
    case 25: tile(12, 1, t); break;
#endif
    default: __builtin_unreachable();
    }
}

/* Few tokens take two panels at once, since one sum has to wait for the one before. */
#define TWO_PANELS (TALL > 2 ? 2 : 1)

/* sums[token][row] = start[token][row] + in[token] * weight[row], for one panel of rows or two. */
TARGET static void multiply(int64_t tokens, int panels, Tile t) {
    if (panels == 2 && tokens > TWO_PANELS) {
        multiply(tokens, 1, t);
        t.weight += t.apart, t.start += PANEL, t.sums += PANEL;
        panels = 1;
    }
    int64_t most = panels == 2 ? TWO_PANELS : TALL, blocks = (tokens + most - 1) / most;
    for (int64_t block = 0, token = 0; block < blocks; block++) {
        int64_t some = (tokens - token + blocks - block - 1) / (blocks - block);
        tile_of((int)some, panels, &t);
        t.in += some * t.stride, t.start += some * t.start_stride, t.sums += some * t.sums_stride;
        token += some;
    }
}

static const float zeros[UNIT_ROWS];

/* SwiGLU: of gates and ups, sixteen each in turn, to the MLP's inner numbers. */
TARGET static void gate(int64_t tokens, int64_t count, const float *sums, uint16_t *to, int64_t stride) {
    for (int64_t t = 0; t < tokens; t++, sums += UNIT_ROWS, to += stride)
        for (int64_t n = 0; n < count; n += PANEL) {
            V shut = v_load(sums + n), up = v_load(sums + n + 16);
            V open = v_div(shut, v_add(v_all(1.0f), power(v_sub(v_zero(), shut))));
            v_narrow(to + n / 2, v_mul(open, up));
        }
}

/* A unit of a product: up to 64 rows for all tokens. */
TARGET static void product_unit(void *about, int64_t unit, int worker) {
    const State *s = about;
    const Matrix *m = s->matrix;
    int64_t row = unit * UNIT_ROWS, count = m->rows - row < UNIT_ROWS ? m->rows - row : UNIT_ROWS;
    int64_t tokens = s->kind == LOGITS ? s->pass->wanted : s->pass->tokens, width = m->columns;
    int straight = s->kind != GATED && count % PANEL == 0;
    float *sums = s->sums + worker * UNIT_SUMS * UNIT_ROWS, bias[UNIT_ROWS] = {0};
    if (m->bias) memcpy(bias, m->bias + row, (size_t)count * sizeof *bias);
    for (int64_t first = 0; first < tokens; first += UNIT_SUMS) {
        int64_t some = tokens - first < UNIT_SUMS ? tokens - first : UNIT_SUMS;
        float *to = (s->kind == ADDED ? s->x : s->kind == QKV ? s->qkv : s->pass->logits) + first * m->rows + row;
        Tile t = {.in = s->in + first * width, .weight = m->weight + row * width, .stride = width, .pairs = width / 2,
                  .apart = PANEL * width, .start = bias, .sums = sums, .sums_stride = UNIT_ROWS};
        if (straight) t.sums = to, t.sums_stride = m->rows;
        if (s->kind == ADDED) {
            for (int64_t n = 0; m->bias && n < some * count; n++) to[n / count * m->rows + n % count] += bias[n % count];
            t.start = to, t.start_stride = m->rows;
        }
        multiply(some, count > PANEL ? 2 : 1, t);
        if (s->kind == GATED) gate(some, count, sums, s->inner + first * m->rows / 2 + row / 2, m->rows / 2);
        else if (!straight)
            for (int64_t n = 0; n < some; n++)
                memcpy(to + n * m->rows, sums + n * UNIT_ROWS, (size_t)count * sizeof *to);
    }
}

static void product(State *s, const Matrix *matrix, const uint16_t *in, int kind) {
    s->matrix = matrix, s->in = in, s->kind = kind;
    share_out(s->workers, (matrix->rows + UNIT_ROWS - 1) / UNIT_ROWS, product_unit, s);
}

/* The inverse of a row's root mean square. */
TARGET static float level(const float *x, int64_t size, double eps) {
    V sum = v_zero();
    for (int64_t n = 0; n < size; n += 16) sum = v_fma(v_load(x + n), v_load(x + n), sum);
    return 1.0f / sqrtf(v_sum(sum) / (float)size + (float)eps);
}

/* RMSNorm of some tokens (of the wanted ones, with a weight, at the end). */
TARGET static void norm_unit(void *about, int64_t unit, int worker) {
    State *s = about;
    const Pass *p = s->pass;
    int64_t size = s->net->hidden, count = s->norm ? p->wanted : p->tokens, end = (unit + 1) * UNIT_TOKENS;
    (void)worker;
    for (int64_t t = unit * UNIT_TOKENS; t < end && t < count; t++) {
        const float *x = s->x + (s->norm ? p->want[t] : t) * size;
        V scale = v_all(level(x, size, s->net->eps));
        for (int64_t n = 0; n < size; n += 16) {
            V normed = v_mul(v_load(x + n), scale);
            v_narrow(s->y + t * size + n, s->norm ? v_mul(normed, v_load(s->norm + n)) : normed);
        }
    }
}

static void norm(State *s, const float *weight) {
    s->norm = weight;
    int64_t count = weight ? s->pass->wanted : s->pass->tokens;
    share_out(s->workers, (count + UNIT_TOKENS - 1) / UNIT_TOKENS, norm_unit, s);
}

/* A head's queries or keys, normed and turned to their position, in bf16. */
TARGET static void turn(const State *s, float *x, const float *weight, const float *turns, uint16_t *to) {
    int64_t size = s->net->head_dim, half = size / 2;
    const float *cosine = turns, *sine = turns + half;
    float made[WIDEST] = {0};
    if (weight) {
        float scale = level(x, size, s->net->eps);
        for (int64_t n = 0; n < size; n++) x[n] = x[n] * scale * weight[n];
    }
    for (int64_t n = 0; n < half; n++) {
        made[n] = x[n] * cosine[n] - x[n + half] * sine[n];
        made[n + half] = x[n + half] * cosine[n] + x[n] * sine[n];
    }
    for (int64_t n = 0; n < size; n += 16) v_narrow(to + n, v_load(made + n));
}

/* Where a token's keys of a group are kept. */
static uint16_t *place_of(const State *s, const Part *part, int64_t token, int64_t group) {
    int64_t row = part->row * s->net->kv_heads + group;
    return s->pass->rows[s->index] + (row * s->pass->room + part->at + token - part->first) * s->net->head_dim;
}

/* Queries, keys and values of some tokens: to where they are attended. */
TARGET static void turn_unit(void *about, int64_t unit, int worker) {
    State *s = about;
    const Net *net = s->net;
    const Pass *p = s->pass;
    int64_t size = net->head_dim, heads = net->heads, groups = net->kv_heads, end = (unit + 1) * UNIT_TOKENS;
    (void)worker;
    for (int64_t n = 0; n < s->parts; n++) {
        const Part *part = &s->part[n];
        int64_t from = part->first > end - UNIT_TOKENS ? part->first : end - UNIT_TOKENS;
        for (int64_t t = from; t < end && t < part->first + part->tokens; t++)
            for (int64_t g = 0; g < groups; g++) {
                const uint16_t *k = place_of(s, part, t, g), *v = k + p->row_count * groups * p->room * size;
                for (int64_t m = 0; m < size; m += LINE) __builtin_prefetch(k + m, 1), __builtin_prefetch(v + m, 1);
            }
    }
    for (int64_t n = 0; n < s->parts; n++) {
        const Part *part = &s->part[n];
        int64_t from = part->first > end - UNIT_TOKENS ? part->first : end - UNIT_TOKENS;
        for (int64_t t = from; t < end && t < part->first + part->tokens; t++) {
            float *x = s->qkv + t * (heads + 2 * groups) * size;
            const float *turns = s->turns + t * size;
            for (int64_t h = 0; h < heads; h++)
                turn(s, x + h * size, s->layer->q_norm, turns, s->q + (t * heads + h) * size);
            for (int64_t g = 0; g < groups; g++) {
                uint16_t *k = place_of(s, part, t, g);
                uint16_t *v = k + p->row_count * groups * p->room * size;
                turn(s, x + (heads + g) * size, s->layer->k_norm, turns, k);
                for (int64_t m = 0; m < size; m += 16) v_narrow(v + m, v_load(x + (heads + groups + g) * size + m));
            }
        }
    }
}

/* Lay out a block's keys and values for the products. */
TARGET static void lay_out(const Desk *d, const Block *b, int64_t size) {
    int64_t pairs = size / 2;
    for (int64_t r = 0; r < b->count; r += 16)
        for (int64_t from = 0; from < pairs; from += 16)
            p_turn(b->key + r, from, pairs - from < 16 ? pairs - from : 16,
                   d->key + r / PANEL * PANEL * size + from * 2 * PANEL + r % PANEL * 2);
    for (int64_t r = 0; r < b->count; r += 2)
        for (int64_t n = 0; n < size; n += 16)
            p_zip(b->value[r] + n, b->value[r + 1] ? b->value[r + 1] + n : NULL,
                  d->value + n / PANEL * PANEL * BLOCK + r * PANEL + n % PANEL * 2);
}

/* Some queries over a block that is laid out, which begins at position `start`. */
TARGET static void attend_block(const Desk *d, int64_t first, int64_t queries, int64_t start, int64_t count, int64_t size, int64_t padded) {
    float *score = d->score + first * BLOCK;
    uint16_t *weight = d->weight + first * BLOCK;
    Tile scores = {.in = d->q + first * size, .weight = d->key, .stride = size, .pairs = size / 2,
                         .apart = PANEL * size, .start = zeros, .sums = score, .sums_stride = BLOCK};
    multiply(queries, count > PANEL ? 2 : 1, scores);
    V scale = v_all(1.0f / sqrtf((float)size)), none = v_all(-INFINITY);
    for (int64_t q = 0; q < queries; q++) {
        int64_t seen = d->position[first + q] - start + 1;
        if (seen > count) seen = count;
        V s[BLOCK / 16], top = none, sum = v_zero();
        for (int n = 0; n < BLOCK / 16; n++) {
            s[n] = v_first(v_mul(v_load(score + q * BLOCK + n * 16), scale), seen - n * 16, none);
            top = v_max(top, s[n]);
        }
        float old = d->top[first + q], most = v_most(top);
        most = most > old ? most : old;
        float fade = most == old ? 1.0f : v_one(power(v_all(old - most)));
        for (int n = 0; n < BLOCK / 16; n++) {
            V share = power(v_sub(s[n], v_all(most)));
            sum = v_add(sum, share);
            v_narrow(weight + q * BLOCK + n * 16, share);
        }
        d->top[first + q] = most;
        d->total[first + q] = d->total[first + q] * fade + v_sum(sum);
        float *out = d->out + (first + q) * padded;
        if (fade != 1.0f)
            for (int64_t n = 0; n < padded; n += 16) v_store(out + n, v_mul(v_load(out + n), v_all(fade)));
    }
    for (int64_t n = 0; n < padded; n += 2 * PANEL) {
        Tile values = {.in = weight, .weight = d->value + n * BLOCK, .stride = BLOCK, .pairs = (count + 1) / 2,
                             .apart = PANEL * BLOCK, .start = d->out + first * padded + n, .start_stride = padded,
                       .sums = d->out + first * padded + n, .sums_stride = padded};
        multiply(queries, padded - n > PANEL ? 2 : 1, values);
    }
}

/* Attend parts `low` to `high`, which have the same past up to where block `block` begins, over their blocks from
 * there on. Those that they share are laid out once. `first`: the query of the first part. */
TARGET static void attend_parts(State *s, const Desk *d, int64_t group, int64_t low, int64_t high,
                                      int64_t first, int64_t block) {
    const Net *net = s->net;
    const Part *one = &s->part[low];
    int64_t size = net->head_dim, fold = net->heads / net->kv_heads, queries = one->tokens * fold, end = one->start + one->tokens;
    for (int64_t n = low + 1; n < high; n++) {
        int64_t both = alike(s->pass, one, &s->part[n]) / BLOCK * BLOCK;
        end = both < end ? both : end;
        queries += s->part[n].tokens * fold;
    }
    Block b[2];
    if (block * BLOCK < end) fetch(s, group, one, block * BLOCK, end, &b[block % 2]);
    for (; block * BLOCK < end; block++) {
        const Block *now = &b[block % 2];
        if ((block + 1) * BLOCK < end) soon(s, group, one, (block + 1) * BLOCK, end, &b[1 - block % 2]);
        lay_out(d, now, size);
        attend_block(d, first, queries, block * BLOCK, now->count, size, s->padded);
    }
    if (high - low == 1) return;
    for (int64_t next; low < high; low = next) {
        /* Those that go on alike with the first of what is left. */
        queries = s->part[low].tokens * fold;
        for (next = low + 1; next < high && alike(s->pass, &s->part[low], &s->part[next]) >= (block + 1) * BLOCK; next++)
            queries += s->part[next].tokens * fold;
        if (next < high) soon(s, group, &s->part[next], block * BLOCK, s->part[next].start + s->part[next].tokens, &b[0]);
        attend_parts(s, d, group, low, next, first, block);
        first += queries;
    }
}

/* A unit of attention: some parts, over the keys and values of one head. */
TARGET static void attend_unit(void *about, int64_t unit, int worker) {
    State *s = about;
    const Net *net = s->net;
    int64_t group = unit % net->kv_heads, task = unit / net->kv_heads, size = net->head_dim;
    int64_t low = s->task[task], high = s->task[task + 1], fold = net->heads / net->kv_heads, queries = 0;
    Desk d = s->desk[worker];
    for (int64_t n = low; n < high; n++) {
        const Part *part = &s->part[n];
        for (int64_t t = 0; t < part->tokens; t++)
            for (int64_t f = 0; f < fold; f++, queries++) {
                int64_t at = (part->first + t) * net->heads + group * fold + f;
                memcpy(d.q + queries * size, s->q + at * size, (size_t)size * sizeof *d.q);
                d.position[queries] = part->start + t;
                d.top[queries] = -INFINITY, d.total[queries] = 0.0f;
            }
    }
    memset(d.out, 0, (size_t)(queries * s->padded) * sizeof *d.out);
    attend_parts(s, &d, group, low, high, 0, 0);
    queries = 0;
    for (int64_t n = low; n < high; n++) {
        const Part *part = &s->part[n];
        for (int64_t t = 0; t < part->tokens; t++)
            for (int64_t f = 0; f < fold; f++, queries++) {
                int64_t at = (part->first + t) * net->heads + group * fold + f;
                V scale = v_all(1.0f / d.total[queries]);
                for (int64_t m = 0; m < size; m += 16)
                    v_narrow(s->y + at * size + m, v_mul(v_load(d.out + queries * s->padded + m), scale));
            }
    }
}

/* A token as it enters, and how far its position turns it. */
TARGET static void enter_unit(void *about, int64_t unit, int worker) {
    State *s = about;
    const Net *net = s->net;
    int64_t size = net->hidden, half = net->head_dim / 2, end = (unit + 1) * UNIT_TOKENS;
    (void)worker;
    for (int64_t n = 0; n < s->parts; n++) {
        const Part *part = &s->part[n];
        int64_t from = part->first > end - UNIT_TOKENS ? part->first : end - UNIT_TOKENS;
        for (int64_t t = from; t < end && t < part->first + part->tokens; t++) {
            const uint16_t *word = net->embed + s->pass->ids[t] * size;
            float position = (float)(part->start + t - part->first), *turns = s->turns + t * net->head_dim;
            for (int64_t m = 0; m < size; m += 16) v_store(s->x + t * size + m, v_widen(word + m));
            for (int64_t m = 0; m < half; m++) {
                turns[m] = cosf(position * net->frequency[m]);
                turns[half + m] = sinf(position * net->frequency[m]);
            }
        }
    }
}

void NAME(compute)(State *s) {
    const Net *net = s->net;
    int64_t units = (s->pass->tokens + UNIT_TOKENS - 1) / UNIT_TOKENS;
    int whole = !s->pass->products;
    if (whole) share_out(s->workers, units, enter_unit, s);
    for (s->index = 0; s->index < net->layers; s->index++) {
        s->layer = &net->layer[s->index];
        if (whole) norm(s, NULL);
        product(s, &s->layer->qkv, s->y, QKV);
        if (whole) {
            share_out(s->workers, units, turn_unit, s);
            share_out(s->workers, s->tasks * net->kv_heads, attend_unit, s);
        }
        product(s, &s->layer->out, s->y, ADDED);
        if (whole) norm(s, NULL);
        product(s, &s->layer->gate_up, s->y, GATED);
        product(s, &s->layer->down, s->inner, ADDED);
    }
    if (whole) norm(s, net->norm);
    product(s, &net->head, s->y, LOGITS);
}

/* Panels of a matrix (rows, columns). */
TARGET void NAME(pack)(const uint16_t *from, int64_t rows, int64_t columns, uint16_t *to) {
    for (int64_t row = 0; row < rows; row += 16) {
        const uint16_t *line[16];
        for (int n = 0; n < 16; n++) line[n] = row + n < rows ? from + (row + n) * columns : NULL;
        for (int64_t pair = 0; pair < columns / 2; pair += 16)
            p_turn(line, pair, columns / 2 - pair < 16 ? columns / 2 - pair : 16,
                   to + row / PANEL * PANEL * columns + pair * 2 * PANEL + row % PANEL * 2);
    }
}
