/* run.c: a language model in one file, with the C library and nothing else. `llmos export --bare DIR` writes it.
 *     cc -O2 run.c -lm -o run
 *     ./run weights.bin "what is 15% of 2480?"
 * It says the likeliest token at each step.
 *     --tokens    print the ids of what it says, with the one that ends it, instead of the text
 *     --ids       the request is the whole prompt as token ids: "8184 1289 201"
 *     --encode    print the ids of the request's text, and run nothing
 *     -n N        at most so many tokens (256)
 *     -           in place of the request: read it from standard input
 *
 * weights.bin: "LLMOSB01" and the numbers of struct Sizes; then, each filled up to a multiple of 4 bytes, all
 * little-endian, the arrays of struct Model in its order, the text of all tokens, and the weights: embedding; head,
 * unless it is the embedding; final norm; and of each layer its parts, in the order of the enum. Matrices are float or
 * bfloat16, a row for each output; norms and biases are float.
 * The architecture is that of Llama and Qwen: RMSNorm, rotary positions, grouped-query attention, SwiGLU. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define fail(...) (fputs("run: ", stderr), fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))
#define need(fine, what) ((fine) ? (void)0 : fail("not a file of weights for this program: %s", what))

typedef uint32_t Token;

/* The numbers at the head of the file, in its order. `digits`: of a number that stand together at most. */
typedef struct {
    uint32_t bf16, vocabulary, hidden, inner, layers, heads, kv_heads, head_dim, window, flags, digits;
    uint32_t ranges, merges, before, after, stops, text;
    float eps;
} Sizes;

enum { QK_NORM = 1, TIED = 2, WHOLE_WORDS = 4, COMPOSED = 8 };                   /* flags */
enum { LETTER = 1, NUMBER = 2, SPACE = 4, UNSEEN = 8, JOINS = 16, VARIES = 32 }; /* kinds of characters */

typedef struct { const char *at; uint64_t left; } Cursor;
typedef struct { uint32_t first, last, kind; } Range; /* kind: its bits, then from bit 8 the combining class */
typedef struct { Token left, right; uint32_t rank; Token made; } Merge;

/* Of a layer. Rows of QKV: the queries of all heads, their keys, their values. Q_ and K_SCALE come with QK_NORM. */
enum { NORM, QKV, QKV_BIAS, Q_SCALE, K_SCALE, OUT, OUT_BIAS, INNER_NORM, GATE, UP, DOWN, PARTS };
typedef struct { const void *part[PARTS]; } Layer;

typedef struct {
    Sizes s;
    const float *frequency;             /* head_dim / 2, of the rotary positions */
    const Token *byte_token;            /* 256: the token of each byte */
    const uint32_t *offset;             /* vocabulary + 1: where each token's bytes begin in the text */
    const Range *range;                 /* in order */
    const Merge *merge;                 /* sorted by left and right */
    const Token *before, *after, *stop; /* the prompt around the request, and what ends a turn */
    const char *text;
    const void *embedding, *head, *norm;
    Layer *layer; uint32_t longest; /* bytes of the longest token */
} Model;

static void *room(size_t count, size_t size) {
    void *made = calloc(count ? count : 1, size);
    if (!made) fail("not enough memory");
    return made;
}

/* A whole file; *size gets its bytes, behind which stands a zero. */
static char *slurp(FILE *file, size_t most, size_t *size) {
    size_t held = 1 << 16, used = 0, got;
    char *data = room(held, 1);
    while ((got = fread(data + used, 1, held - used - 1, file)) > 0) {
        used += got;
        if (used > most) fail("more than %zu bytes", most);
        if (held - used < 2 && !(data = realloc(data, held *= 2))) fail("not enough memory");
    }
    data[*size = used] = 0;
    return data;
}

/* The next part of the file: `count` things of `size` bytes, filled up to a multiple of 4. */
static const void *take(Cursor *c, uint64_t count, uint64_t size) {
    const uint64_t bytes = (count * size + 3) / 4 * 4;
    const void *part = c->at;
    if (bytes > c->left) fail("the file of weights is cut off");
    c->at += bytes, c->left -= bytes;
    return part;
}

static void check_sizes(const Sizes *s) {
    const uint32_t large[] = {s->vocabulary, s->hidden, s->inner}, small[] = {s->layers, s->heads, s->kv_heads};
    for (int i = 0; i < 3; i++) need(large[i] > 0 && large[i] <= 1 << 20, "a size is out of range");
    for (int i = 0; i < 3; i++) need(small[i] > 0 && small[i] <= 1 << 12, "a count is out of range");
    need(s->head_dim && s->head_dim <= 1 << 12 && !(s->head_dim % 2 || s->heads % s->kv_heads), "the heads do not fit");
    need(s->bf16 <= 1 && s->flags < 16 && s->digits > 0 && s->digits < 10, "an unknown form");
    need(s->window > 1 && s->window <= 1 << 24 && s->eps >= 0 && s->eps < 1, "the window or eps is out of range");
}

static void check_tokens(const Model *m, const Token *ids, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) need(ids[i] < m->s.vocabulary, "a token is out of range");
}

static void check_tables(Model *m) {
    check_tokens(m, m->byte_token, 256);
    check_tokens(m, m->before, m->s.before);
    check_tokens(m, m->after, m->s.after);
    for (uint32_t i = 0; i < m->s.merges; i++) check_tokens(m, &m->merge[i].made, 1);
    for (uint32_t i = 0; i < m->s.vocabulary; i++) {
        need(m->offset[i] <= m->offset[i + 1], "the tokens' text is out of order");
        if (m->offset[i + 1] - m->offset[i] > m->longest) m->longest = m->offset[i + 1] - m->offset[i];
    }
    need(m->offset[m->s.vocabulary] <= m->s.text && m->longest > 0, "the tokens' text does not fit");
}

static void take_layer(const Sizes *s, Cursor *c, Layer *layer) {
    const uint64_t q = (uint64_t)s->heads * s->head_dim, qkv = q + 2 * (uint64_t)s->kv_heads * s->head_dim;
    const uint64_t hidden = s->hidden, each = hidden * s->inner, scale = s->flags & QK_NORM ? s->head_dim : 0;
    const uint64_t counts[] = {hidden, qkv * hidden, qkv, scale, scale, hidden * q, hidden, hidden, each, each, each};
    for (int i = 0; i < PARTS; i++)
        layer->part[i] = take(c, counts[i], s->bf16 && (i == QKV || i == OUT || i >= GATE) ? 2 : 4);
}

static Model load(const char *path) {
    Model m = {0};
    size_t size;
    FILE *file = fopen(path, "rb");
    if (!file) fail("cannot open %s", path);
    const char *data = slurp(file, SIZE_MAX / 4, &size);
    if (ferror(file)) fail("cannot read %s", path);
    fclose(file);
    need(size >= 8 && !memcmp(data, "LLMOSB01", 8), path);
    Cursor c = {data + 8, size - 8};
    memcpy(&m.s, take(&c, 1, sizeof m.s), sizeof m.s);
    const Sizes *s = &m.s;
    check_sizes(s);
    m.frequency = take(&c, s->head_dim / 2, 4);
    m.byte_token = take(&c, 256, 4);
    m.offset = take(&c, (uint64_t)s->vocabulary + 1, 4);
    m.range = take(&c, s->ranges, sizeof(Range));
    m.merge = take(&c, s->merges, sizeof(Merge));
    m.before = take(&c, s->before, 4);
    m.after = take(&c, s->after, 4);
    m.stop = take(&c, s->stops, 4);
    m.text = take(&c, s->text, 1);
    check_tables(&m);
    const uint64_t table = (uint64_t)s->vocabulary * s->hidden, width = s->bf16 ? 2 : 4;
    m.embedding = take(&c, table, width);
    m.head = s->flags & TIED ? m.embedding : take(&c, table, width);
    m.norm = take(&c, s->hidden, 4);
    m.layer = room(s->layers, sizeof(Layer));
    for (uint32_t i = 0; i < s->layers; i++) take_layer(s, &c, &m.layer[i]);
    need(c.left == 0, "there is more in it than there should be");
    return m;
}

/* Characters, what they are, and where each begins in `bytes` (the last one's end too). */
typedef struct { uint32_t *point, *start; uint8_t *kind; unsigned char *bytes; size_t count; } Text;
typedef struct { Token *id; size_t count; } Tokens;

/* What a character is: its bits and its combining class. */
static uint32_t kind_of(const Model *m, uint32_t point) {
    uint32_t low = 0, high = m->s.ranges;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (point > m->range[middle].last) low = middle + 1;
        else if (point < m->range[middle].first) high = middle;
        else return m->range[middle].kind;
    }
    return 0;
}

/* The next character of UTF-8; a byte that belongs to none is U+FFFD. */
static uint32_t next_point(const unsigned char *bytes, size_t size, size_t *at) {
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char lead = bytes[(*at)++];
    const size_t more = lead < 0x80 ? 0 : lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 9;
    if (more > 3 || lead > 0xF4 || *at + more > size) return 0xFFFD;
    uint32_t point = more ? lead & (0x3Fu >> more) : lead;
    for (size_t i = 0; i < more; i++) {
        if ((bytes[*at + i] & 0xC0) != 0x80) return 0xFFFD;
        point = point << 6 | (bytes[*at + i] & 0x3Fu);
    }
    if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) return 0xFFFD;
    *at += more;
    return point;
}

/* The characters of a text without those that nobody sees; line ends become \n. */
static Text read_text(const Model *m, const unsigned char *bytes, size_t size) {
    Text t = {room(size, 4), room(size + 1, 4), room(size, 1), room(size + 1, 3), 0};
    uint32_t before = 0, last_class = 0, used = 0; /* before: the kind of the character before */
    for (size_t at = 0, from = 0; at < size; from = at) {
        uint32_t point = next_point(bytes, size, &at), kind = kind_of(m, point);
        const int joiner = point == 0x200C || point == 0x200D;
        const int varies = (point >= 0xFE00 && point <= 0xFE0F) || (point >= 0xE0100 && point <= 0xE01EF);
        const int drop = (kind & UNSEEN) || (joiner && !(before & JOINS)) || (varies && !(before & VARIES));
        before = kind;
        if (point == '\r' ? at < size && bytes[at] == '\n' : drop) continue;
        if (point == '\r') kind = kind_of(m, point = '\n');
        if ((m->s.flags & COMPOSED) && (kind >> 8 == 255 || (kind >> 8 && kind >> 8 < last_class)))
            fail("the text has letters in parts; this tokenizer wants them composed (Unicode NFC)");
        last_class = kind >> 8;
        t.point[t.count] = point;
        t.kind[t.count] = (uint8_t)(kind & (LETTER | NUMBER | SPACE));
        t.start[t.count++] = used;
        if (point == 0xFFFD) used += (uint32_t)sprintf((char *)t.bytes + used, "\xEF\xBF\xBD");
        else if (point == '\n') t.bytes[used++] = '\n';
        else while (from < at) t.bytes[used++] = bytes[from++];
    }
    t.start[t.count] = used;
    return t;
}

static uint32_t point_at(const Text *t, size_t at) { return at < t->count ? t->point[at] : 0; }
static int newline_at(const Text *t, size_t at) { return point_at(t, at) == '\n' || point_at(t, at) == '\r'; }

/* Whether the character there is of these kinds; 0 asks for one that is neither letter, number nor space. */
static int is(const Text *t, size_t at, int kinds) {
    return at < t->count && (kinds ? (t->kind[at] & kinds) != 0 : t->kind[at] == 0);
}
static size_t run_of(const Text *t, size_t at, int kinds) {
    while (is(t, at, kinds)) at++;
    return at;
}

/* Where the piece that begins at `at` ends, by the pattern of Qwen 2 and Llama 3:
 *     (?i:'s|'t|'re|'ve|'m|'ll|'d) | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,digits}
 *     | ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+ */
static size_t piece_end(const Model *m, const Text *t, size_t at) {
    const uint32_t a = point_at(t, at + 1) | 32, b = point_at(t, at + 2) | 32; /* in lower case */
    size_t end = at, past = at + (point_at(t, at) == ' ');
    if (point_at(t, at) == '\'') {
        if (a == 's' || a == 0x17F || a == 't' || a == 'm' || a == 'd') return at + 2;
        if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return at + 3;
    }
    if (is(t, at, LETTER)) return run_of(t, at, LETTER);
    if (!newline_at(t, at) && !is(t, at, NUMBER) && is(t, at + 1, LETTER)) return run_of(t, at + 1, LETTER);
    while (end < at + m->s.digits && is(t, end, NUMBER)) end++;
    if (end > at) return end;
    if (is(t, past, 0)) {
        for (end = run_of(t, past, 0); newline_at(t, end);) end++;
        return end;
    }
    end = run_of(t, at, SPACE);
    for (size_t i = end; i > at; i--)
        if (newline_at(t, i - 1)) return i;
    return end < t->count && end - at > 1 ? end - 1 : end; /* the last space goes with the word behind it */
}

/* What two tokens side by side become; of the rank UINT32_MAX where they stay two. */
static const Merge *merge_of(const Model *m, Token left, Token right) {
    static const Merge none = {0, 0, UINT32_MAX, 0};
    uint32_t low = 0, high = m->s.merges;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const Merge *one = &m->merge[middle];
        if (one->left == left && one->right == right) return one;
        if (one->left < left || (one->left == left && one->right < right)) low = middle + 1;
        else high = middle;
    }
    return &none;
}

/* Merge the tokens of a piece: always the pair of the lowest rank, of several the leftmost. How many are left. */
static size_t merge_all(const Model *m, Token *id, size_t count) {
    for (uint32_t lowest;;) {
        lowest = UINT32_MAX;
        for (size_t i = 0; i + 1 < count; i++) {
            const uint32_t rank = merge_of(m, id[i], id[i + 1])->rank;
            if (rank < lowest) lowest = rank;
        }
        if (lowest == UINT32_MAX) return count;
        size_t used = 0;
        int on = 1; /* until a merge makes a pair that goes before its like further on */
        for (size_t i = 0; i < count; i++, used++) {
            const Merge *found = on && i + 1 < count ? merge_of(m, id[i], id[i + 1]) : NULL;
            id[used] = id[i];
            if (!found || found->rank != lowest) continue;
            id[used] = found->made;
            i++;
            on = (used == 0 || merge_of(m, id[used - 1], id[used])->rank > lowest) &&
                 (i + 1 >= count || merge_of(m, id[used], id[i + 1])->rank > lowest);
        }
        count = used;
    }
}

/* The tokens of a piece of text into `out`; how many they are. */
static size_t encode_piece(const Model *m, const unsigned char *bytes, size_t size, Token *out) {
    for (Token id = 0; (m->s.flags & WHOLE_WORDS) && id < m->s.vocabulary; id++)
        if (m->offset[id + 1] - m->offset[id] == size && !memcmp(m->text + m->offset[id], bytes, size))
            return *out = id, 1;
    for (size_t i = 0; i < size; i++) out[i] = m->byte_token[bytes[i]];
    return merge_all(m, out, size);
}

/* The tokens of a text; with `whole`, of the prompt around it. */
static Tokens encode(const Model *m, const char *bytes, size_t size, int whole) {
    const Text t = read_text(m, (const unsigned char *)bytes, size);
    if (t.count == 0) fail("the request is empty");
    const size_t before = whole ? m->s.before : 0, after = whole ? m->s.after : 0;
    Tokens out = {room(before + t.start[t.count] + after, sizeof(Token)), before};
    memcpy(out.id, m->before, before * sizeof(Token));
    for (size_t at = 0, end; at < t.count; at = end) {
        end = piece_end(m, &t, at);
        out.count += encode_piece(m, t.bytes + t.start[at], t.start[end] - t.start[at], out.id + out.count);
    }
    memcpy(out.id + out.count, m->after, after * sizeof(Token));
    out.count += after;
    return out;
}

/* Token ids as they are written: numbers with spaces, commas or brackets between them. */
static Tokens parse_ids(const Model *m, const char *text, size_t size) {
    Tokens all = {room(size, sizeof(Token)), 0};
    for (char *end; *(text += strspn(text, " ,\t\r\n[]")); text = end) {
        const unsigned long id = strtoul(text, &end, 10);
        if (end == text || *text == '-' || id >= m->s.vocabulary) fail("--ids takes numbers below %u", m->s.vocabulary);
        all.id[all.count++] = (Token)id;
    }
    if (all.count == 0) fail("the request is empty");
    return all;
}

enum { BLOCK = 16, LANES = 16 }; /* tokens of a prompt that go through a matrix together; sums side by side */

typedef struct {
    size_t positions;
    float *x, *y, *qkv, *gate, *up; /* of BLOCK tokens */
    float *scores, *line, *logits;  /* (positions), a row of a matrix, (vocabulary) */
    float *keys, *values;           /* (layers, positions, kv_heads * head_dim) */
} State;

static State make_state(const Sizes *s, size_t positions) {
    const size_t q = (size_t)s->heads * s->head_dim, kv = (size_t)s->kv_heads * s->head_dim;
    const size_t wide = q > s->hidden ? q : s->hidden, line = wide > s->inner ? wide : s->inner;
    const size_t inner = BLOCK * (size_t)s->inner, past = s->layers * positions;
    return (State){positions, room(BLOCK * wide, 4), room(BLOCK * wide, 4), room(BLOCK * (q + 2 * kv), 4),
                   room(inner, 4), room(inner, 4), room(positions, 4), room(line, 4), room(s->vocabulary, 4),
                   room(past, kv * 4), room(past, kv * 4)};
}

/* A row of a matrix as floats: where it lies, or opened into `line`. */
static const float *row_of(const Sizes *s, const void *w, size_t row, size_t size, float *line) {
    if (!s->bf16) return (const float *)w + row * size;
    const uint16_t *half = (const uint16_t *)w + row * size;
    for (size_t i = 0; i < size; i++) {
        const uint32_t bits = (uint32_t)half[i] << 16;
        memcpy(line + i, &bits, sizeof bits);
    }
    return line;
}

static float dot(const float *a, const float *b, size_t size) {
    float lanes[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= size; i += LANES)
        for (size_t j = 0; j < LANES; j++) lanes[j] += a[i + j] * b[i + j];
    for (; i < size; i++) sum += a[i] * b[i];
    for (size_t j = 0; j < LANES; j++) sum += lanes[j];
    return sum;
}

/* out (tokens, rows) = x (tokens, size) by the matrix w (rows, size), plus a bias; or added to what is there. */
static void multiply(const Sizes *s, State *st, float *out, const float *x, const void *w, const float *bias,
                     size_t rows, size_t size, size_t tokens, int add) {
    for (size_t r = 0; r < rows; r++) {
        const float *line = row_of(s, w, r, size, st->line);
        for (size_t t = 0; t < tokens; t++)
            out[t * rows + r] = (add ? out[t * rows + r] : 0) + dot(line, x + t * size, size) + (bias ? bias[r] : 0);
    }
}

/* RMSNorm of each row: divide by the root of the mean of squares, then scale. */
static void norm(float *out, const float *x, const float *weight, size_t size, size_t rows, float eps) {
    for (size_t r = 0; r < rows; r++, x += size, out += size) {
        const float scale = 1.0f / sqrtf(dot(x, x, size) / (float)size + eps);
        for (size_t i = 0; i < size; i++) out[i] = x[i] * scale * weight[i];
    }
}

/* Turn each head's halves by the angles of a position; norm them before where the model does. */
static void place(const Model *m, float *heads, size_t count, const float *weight, size_t position) {
    const size_t size = m->s.head_dim, half = size / 2;
    if (m->s.flags & QK_NORM) norm(heads, heads, weight, size, count, m->s.eps);
    for (size_t i = 0; i < half; i++) {
        const float angle = (float)position * m->frequency[i], c = cosf(angle), s = sinf(angle);
        for (float *head = heads; head < heads + count * size; head += size) {
            const float a = head[i], b = head[i + half];
            head[i] = a * c - b * s;
            head[i + half] = b * c + a * s;
        }
    }
}

/* One head's query over the keys and values of `count` positions, `step` floats apart. */
static void attend(float *out, const float *q, const float *keys, const float *values, size_t count, size_t step,
                   size_t size, float *scores) {
    float most = -INFINITY, total = 0;
    for (size_t p = 0; p < count; p++) {
        scores[p] = dot(q, keys + p * step, size) / sqrtf((float)size);
        if (scores[p] > most) most = scores[p];
    }
    for (size_t p = 0; p < count; p++) total += scores[p] = expf(scores[p] - most);
    memset(out, 0, size * sizeof *out);
    for (size_t p = 0; p < count; p++)
        for (size_t i = 0; i < size; i++) out[i] += scores[p] / total * values[p * step + i];
}

/* The attention of layer n: from st->y, into it. */
static void attend_all(const Model *m, State *st, size_t n, size_t tokens, size_t start) {
    const Sizes *s = &m->s;
    const void *const *l = m->layer[n].part;
    const size_t size = s->head_dim, q = s->heads * size, kv = s->kv_heads * size, share = s->heads / s->kv_heads;
    float *keys = st->keys + n * st->positions * kv, *values = st->values + n * st->positions * kv;
    multiply(s, st, st->qkv, st->y, l[QKV], l[QKV_BIAS], q + 2 * kv, s->hidden, tokens, 0);
    for (size_t t = 0; t < tokens; t++) {
        float *row = st->qkv + t * (q + 2 * kv);
        place(m, row, s->heads, l[Q_SCALE], start + t);
        place(m, row + q, s->kv_heads, l[K_SCALE], start + t);
        memcpy(keys + (start + t) * kv, row + q, kv * sizeof *keys);
        memcpy(values + (start + t) * kv, row + q + kv, kv * sizeof *values);
        for (size_t h = 0; h < s->heads; h++)
            attend(st->y + t * q + h * size, row + h * size, keys + h / share * size, values + h / share * size,
                   start + t + 1, kv, size, st->scores);
    }
}

/* Read at most BLOCK tokens that stand from `start` on; st->x gets their features. */
static void read_tokens(const Model *m, State *st, const Token *ids, size_t tokens, size_t start) {
    const Sizes *s = &m->s;
    const size_t hidden = s->hidden, inner = s->inner, q = (size_t)s->heads * s->head_dim;
    for (size_t t = 0; t < tokens; t++)
        memcpy(st->x + t * hidden, row_of(s, m->embedding, ids[t], hidden, st->line), hidden * sizeof *st->x);
    for (size_t n = 0; n < s->layers; n++) {
        const void *const *l = m->layer[n].part;
        norm(st->y, st->x, l[NORM], hidden, tokens, s->eps);
        attend_all(m, st, n, tokens, start);
        multiply(s, st, st->x, st->y, l[OUT], l[OUT_BIAS], hidden, q, tokens, 1);
        norm(st->y, st->x, l[INNER_NORM], hidden, tokens, s->eps);
        multiply(s, st, st->gate, st->y, l[GATE], NULL, inner, hidden, tokens, 0);
        multiply(s, st, st->up, st->y, l[UP], NULL, inner, hidden, tokens, 0);
        for (size_t i = 0; i < tokens * inner; i++) st->gate[i] *= st->up[i] / (1.0f + expf(-st->gate[i]));
        multiply(s, st, st->x, st->gate, l[DOWN], NULL, hidden, inner, tokens, 1);
    }
}

/* The likeliest token after the one whose features these are. */
static Token likeliest(const Model *m, State *st, const float *x) {
    norm(st->y, x, m->norm, m->s.hidden, 1, m->s.eps);
    multiply(&m->s, st, st->logits, st->y, m->head, NULL, m->s.vocabulary, m->s.hidden, 1, 0);
    Token top = 0;
    for (Token i = 1; i < m->s.vocabulary; i++)
        if (st->logits[i] > st->logits[top]) top = i;
    return top;
}

static void answer(const Model *m, Tokens prompt, unsigned long most, int as_ids) {
    if (prompt.count >= m->s.window)
        fail("the prompt has %zu tokens, the window holds %u: shorten it", prompt.count, (unsigned)m->s.window);
    const size_t left = m->s.window - prompt.count, end = prompt.count + (most < left ? most : left);
    size_t here = 0;
    State st = make_state(&m->s, end);
    for (size_t at = 0; at < prompt.count; at += here) {
        here = prompt.count - at < BLOCK ? prompt.count - at : BLOCK;
        read_tokens(m, &st, prompt.id + at, here, at);
    }
    const float *x = st.x + (here - 1) * m->s.hidden;
    for (size_t at = prompt.count; at < end; at++, x = st.x) {
        const Token id = likeliest(m, &st, x);
        int stop = 0;
        for (uint32_t i = 0; i < m->s.stops; i++) stop |= m->stop[i] == id;
        if (as_ids) printf("%u\n", (unsigned)id);
        else if (!stop) fwrite(m->text + m->offset[id], 1, m->offset[id + 1] - m->offset[id], stdout);
        fflush(stdout);
        if (stop) break;
        if (at + 1 < end) read_tokens(m, &st, &id, 1, at);
    }
    if (!as_ids) putchar('\n');
}

int main(int count, char **given) {
    const char *path = NULL, *request = NULL;
    int as_ids = 0, ids = 0, only_encode = 0, odd = 0;
    unsigned long most = 256;
    for (int i = 1; i < count; i++) {
        if (!strcmp(given[i], "--tokens")) as_ids = 1;
        else if (!strcmp(given[i], "--ids")) ids = 1;
        else if (!strcmp(given[i], "--encode")) only_encode = 1;
        else if (!strcmp(given[i], "-n") && i + 1 < count) most = strtoul(given[++i], NULL, 10);
        else if (!path) path = given[i];
        else if (!request) request = given[i];
        else odd = 1;
    }
    if (odd || !path || !request || !most) fail("usage: run weights.bin [--tokens] [--ids | --encode] [-n N] REQUEST");
    const Model m = load(path);
    size_t size = strlen(request);
    if (!strcmp(request, "-")) request = slurp(stdin, 1 << 26, &size);
    if (!only_encode && !ids && size / m.longest >= m.s.window)
        fail("the request has %zu bytes, more than a window of %u tokens holds", size, (unsigned)m.s.window);
    const Tokens said = ids ? parse_ids(&m, request, size) : encode(&m, request, size, !only_encode);
    if (!only_encode) answer(&m, said, most, as_ids);
    for (size_t i = 0; only_encode && i < said.count; i++) printf("%u\n", (unsigned)said.id[i]);
    return 0;
}
