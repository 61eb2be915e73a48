/* DeepImpute: small networks that predict groups of genes from the genes that correlate with them.
 * Arisdakessian, Poirion, Yunits, Zhu, Garmire, "DeepImpute: an accurate, fast, and scalable deep neural network method
 * to impute single-cell RNA-seq data", Genome Biology 20:211 (2019).
 *
 *   X, Y: log(1 + count) of the predictors and the targets of a network, predictors x cells and targets x cells
 *   A = W1'X + b1,  H = max(A, 0),  dropout in training: H o mask / (1 - rho)
 *   Z = W2'H + b2,  Yhat = softplus(Z)
 *   (further hidden layers, each with dropout, stand between H and Z when they are asked for)
 *   l = 1/(cells targets) sum w (Y - Yhat)^2, w = Y;  batches of 64 cells, Adam (Keras), stop by the loss of held-out cells
 *   dZ = 2/(cells targets) w (Yhat - Y) logistic(Z);  dW2 = H dZ';  dA = W2 dZ o [H > 0]/(1 - rho);  dW1 = X dA'
 *
 * Deviations, and why (paper versus reference code: the model's help page, section Details):
 *   stop             each network by itself, as the paper says; the code's one joint model is joint = TRUE
 *   order of cells   one permutation per epoch for all networks; dropout streams are the network's own
 *   guard            a prediction above twice the largest training value is no prediction (NaN), instead of 0
 *   gene choice, predictors: model-deepimpute.R and prep_correlation.c
 *
 * Arithmetic: targets that are 0 have no weight, so Z, dZ and what follows from it are computed at the non-zero targets
 * only, and the first layer on the non-zero predictors: exact. Each row of weights meets its gradient and Adam in one go.
 * A batch's entries are picked out of the one matrix that all networks share.
 */
#include <math.h>
#include <string.h>
#include "nn.h"

KERNEL_FILE

typedef struct {
    Train train;
    double dropout, zero_weight;
    int output, weights, joint, best;
} Params;
enum { OUTPUT_SOFTPLUS, OUTPUT_RELU, OUTPUT_LINEAR };
enum { WEIGHTS_VALUE, WEIGHTS_BINARY };

static const Field fields[] = {
    TRAIN_FIELDS(Params, train),
    { "dropout",     P_REAL,   offsetof(Params, dropout),     0, 0.99, NULL },
    { "zero.weight", P_REAL,   offsetof(Params, zero_weight), 0, 1e6, NULL },
    { "output",      P_CHOICE, offsetof(Params, output),      0, 0, "softplus|relu|linear" },
    { "loss.weights", P_CHOICE, offsetof(Params, weights),    0, 0, "value|binary" },
    { "joint",       P_FLAG,   offsetof(Params, joint),       0, 1, NULL },
    { "best",        P_FLAG,   offsetof(Params, best),        0, 1, NULL },
    { NULL, P_END, 0, 0, 0, NULL }
};

/* The plan: number of networks, of hidden layers, and the units of each of these; then per network its id (for the random
 * streams), number of predictors and of targets, and their rows in x. Predictors rise. */
enum { PLAN_HEAD = 2, NET_HEAD = 3, MAX_LAYERS = 8 };

static const int *plan_net(const int *plan, int k)
{
    const int *p = plan + PLAN_HEAD + plan[1];
    for (; k > 0; k--) p += NET_HEAD + p[1] + p[2];
    return p;
}

/* ---- shared by all networks ---- */

/* Scratch of one thread: a batch of cells. */
typedef struct {
    Rows x, y, xt, yt;                   /* predictors and targets, by cell and by gene */
    size_t *x_from, *y_from;
    real *z, *dz, *w, *dz_by_gene;       /* at the entries of y: outputs, dl/dZ, weights */
    real *h[MAX_LAYERS], *dh[MAX_LAYERS];     /* of each hidden layer: panels, one row per cell */
    Rows mid[MAX_LAYERS - 1], mid_t;     /* hidden units as the entries that the next layer reads, all of them */
    size_t *mid_from;
    real *mid_dh[MAX_LAYERS - 1];        /* one for each: the threads of a team are not in step */
    double *loss;                        /* per cell */
    uint32_t *bits;                      /* a row per cell, wide enough for every layer: threads must not meet */
    size_t bits_row;
    int *each;                           /* 0, 1, 2, ... and 1, 1, 1, ...: the sum over all cells as a product */
    real *one;
    int *all_i;                          /* one cell's targets, when zeros have a weight */
    real *all_x;
    int n;
} Work;

typedef struct {
    const Params *p;
    const Sparse *x;
    uint64_t seed;
    int layers, batch, n_learn, n_held;
    const int *units;                    /* of each hidden layer */
    double limit;
    Work *work;
} Shared;

typedef struct {
    const Shared *s;
    Work *work;                          /* of the thread it runs on now */
    int team, id, n_in, n_out;
    const int *in, *out;
    size_t w[MAX_LAYERS + 1], b[MAX_LAYERS + 1], n;   /* where each parameter starts; panels; n a multiple of PANEL */
    int *map;                            /* per gene: 1 + row of W1, -(1 + row of W2), or 0 */
    Rows own_x, own_y;                   /* the entries of all cells, picked once; p NULL: picked batch by batch */
    real *cur, *kept, *m, *v, *gb2;
    Optim opt;
} Net;

/* Layer 0 reads the predictors, layer `layers` gives the targets. */
static size_t inputs(const Net *net, int layer)
{
    return (size_t) (layer ? net->s->units[layer - 1] : net->n_in);
}

static size_t last_units(const Shared *s) { return (size_t) s->units[s->layers - 1]; }

static void net_open(Net *net, const Shared *s, const int *plan)
{
    size_t at = 0;
    net->s = s;
    net->id = plan[0]; net->n_in = plan[1]; net->n_out = plan[2];
    net->in = plan + NET_HEAD; net->out = net->in + net->n_in;
    for (int l = 0; l < s->layers; l++) {
        net->w[l] = at;
        at += inputs(net, l) * panels_of(s->units[l]) * PANEL;
    }
    net->w[s->layers] = at;
    at += (size_t) net->n_out * panels_of((int) last_units(s)) * PANEL;
    for (int l = 0; l <= s->layers; l++) {
        net->b[l] = at;
        at += panels_of(l < s->layers ? s->units[l] : net->n_out) * PANEL;
    }
    net->n = at;
    net->team = 1;
}

static void net_map(Net *net)
{
    for (int g = 0; g < net->s->x->nrow; g++) net->map[g] = 0;
    for (int k = 0; k < net->n_in; k++) net->map[net->in[k]] = 1 + k;
    for (int k = 0; k < net->n_out; k++) net->map[net->out[k]] = -1 - k;
}

static size_t net_naturals(const Net *net)
{
    size_t n = (last_units(net->s) + 1) * (size_t) net->n_out;
    for (int l = 0; l < net->s->layers; l++) n += (inputs(net, l) + 1) * (size_t) net->s->units[l];
    return n;
}

/* W1 (predictors x hidden), b1, ..., the last W (hidden x targets) and b, as R stores them */
static double *to_natural(const Net *net, const real *w, double *out)
{
    size_t L = (size_t) net->s->layers, H = last_units(net->s), S = (size_t) net->n_out;
    for (size_t l = 0; l < L; l++) {
        size_t n_in = inputs(net, (int) l), n = (size_t) net->s->units[l];
        for (size_t j = 0; j < n; j++) for (size_t p = 0; p < n_in; p++) *out++ = w[net->w[l] + panel_at(n_in, p, j)];
        for (size_t j = 0; j < n; j++) *out++ = w[net->b[l] + j];
    }
    for (size_t k = 0; k < S; k++) for (size_t j = 0; j < H; j++) *out++ = w[net->w[L] + panel_at(S, k, j)];
    for (size_t k = 0; k < S; k++) *out++ = w[net->b[L] + k];
    return out;
}

static const double *from_natural(const Net *net, const double *in, real *w)
{
    size_t L = (size_t) net->s->layers, H = last_units(net->s), S = (size_t) net->n_out;
    for (size_t l = 0; l < L; l++) {
        size_t n_in = inputs(net, (int) l), n = (size_t) net->s->units[l];
        for (size_t j = 0; j < n; j++) for (size_t p = 0; p < n_in; p++) w[net->w[l] + panel_at(n_in, p, j)] = (real) *in++;
        for (size_t j = 0; j < n; j++) w[net->b[l] + j] = (real) *in++;
    }
    for (size_t k = 0; k < S; k++) for (size_t j = 0; j < H; j++) w[net->w[L] + panel_at(S, k, j)] = (real) *in++;
    for (size_t k = 0; k < S; k++) w[net->b[L] + k] = (real) *in++;
    return in;
}

/* Scratch for batches of `cells`; learn: with what the gradients need. most_in, most_out: predictors and targets of a net. */
static void work_take(Arena *a, Work *w, const Shared *s, size_t cells, size_t most_in, size_t most_out, int longest, int learn)
{
    size_t dense = s->p->zero_weight > 0, widest = 0, inner = 0;
    size_t in = cells * (most_in < (size_t) longest ? most_in : (size_t) longest);
    size_t out = cells * (most_out < (size_t) longest || dense ? most_out : (size_t) longest);
    rows_take(a, &w->x, cells, in);
    rows_take(a, &w->y, cells, out);
    w->all_i = ARENA(a, int, most_out + 1);
    w->all_x = ARENA(a, real, most_out + 1);
    for (int l = 0; l < s->layers; l++) {
        size_t n = (size_t) s->units[l];
        w->h[l] = ARENA(a, real, cells * panels_of(s->units[l]) * PANEL);
        if (n > widest) widest = n;
        if (l + 1 == s->layers) break;
        rows_take(a, w->mid + l, cells, cells * n);
        if (a->failed) return;
        for (size_t r = 0; r <= cells; r++) w->mid[l].p[r] = r * n;
        for (size_t k = 0; k < cells * n; k++) w->mid[l].i[k] = (int) (k % n);
        if (n > inner) inner = n;
    }
    if (!learn) return;
    for (int l = 0; l < s->layers; l++) w->dh[l] = ARENA(a, real, cells * panels_of(s->units[l]) * PANEL);
    if (inner) {
        rows_take(a, &w->mid_t, inner, cells * inner);
        w->mid_from = ARENA(a, size_t, cells * inner);
        for (int l = 0; l + 1 < s->layers; l++) w->mid_dh[l] = ARENA(a, real, cells * (size_t) s->units[l]);
    }
    rows_take(a, &w->xt, most_in, in);
    rows_take(a, &w->yt, most_out, out);
    w->x_from = ARENA(a, size_t, in);
    w->y_from = ARENA(a, size_t, out);
    w->z = ARENA(a, real, out);
    w->dz = ARENA(a, real, out);
    w->w = ARENA(a, real, out);
    w->dz_by_gene = ARENA(a, real, out);
    w->loss = ARENA(a, double, cells);
    w->each = ARENA(a, int, cells);
    w->one = ARENA(a, real, cells);
    w->bits_row = (widest + 3) / 4 * 4;
    w->bits = ARENA(a, uint32_t, cells * w->bits_row);
    if (a->failed) return;
    for (size_t r = 0; r < cells; r++) { w->each[r] = (int) r; w->one[r] = 1; }
}

/* ---- one batch ---- */

/* The entries of one cell that the net reads and those that it predicts, with their rows. No branch: what an entry is
 * cannot be foreseen, so each is written to both lists and counted in one of them, or in none (lists have room for that). */
static void pick(const Sparse *x, int cell, const int *map, int *in, real *in_x, size_t *n_in, int *out, real *out_x,
                 size_t *n_out)
{
    size_t a = 0, b = 0;
    for (int k = x->p[cell]; k < x->p[cell + 1]; k++) {
        int at = map[x->i[k]];
        real v = (real) x->x[k];
        in[a] = at - 1; in_x[a] = v;
        out[b] = -at - 1; out_x[b] = v;
        a += at > 0;
        b += at < 0;
    }
    *n_in = a;
    *n_out = b;
}

/* Bytes that the networks' own copies of their entries may take together. */
static const double OWN_BYTES = 256e6;

/* Entries that the net has in all cells: predictors and targets. */
static void count_own(const Net *net, size_t *n_in, size_t *n_out)
{
    const Sparse *x = net->s->x;
    *n_in = *n_out = 0;
    for (int k = 0; k < x->p[x->ncol]; k++) {
        int at = net->map[x->i[k]];
        *n_in += at > 0;
        *n_out += at < 0;
    }
}

static void pick_own(Net *net)
{
    const Sparse *x = net->s->x;
    Rows *in = &net->own_x, *out = &net->own_y;
    for (int c = 0; c < x->ncol; c++) {
        size_t taken, seen;
        pick(x, c, net->map, in->i + in->p[c], in->x + in->p[c], &taken, out->i + out->p[c], out->x + out->p[c], &seen);
        in->p[c + 1] = in->p[c] + taken;
        out->p[c + 1] = out->p[c] + seen;
    }
}

static void copy_rows(const Rows *own, const int *cells, int n, Rows *to)
{
    for (int r = 0; r < n; r++) {
        size_t from = own->p[cells[r]], count = own->p[cells[r] + 1] - from, at = to->p[r];
        memcpy(to->i + at, own->i + from, count * sizeof *to->i);
        memcpy(to->x + at, own->x + from, count * sizeof *to->x);
        to->p[r + 1] = at + count;
    }
}

/* The entries of these cells; targets that are 0 among them when they have a weight. */
static void load(Net *net, const int *cells, int n)
{
    Work *w = net->work;
    Rows *in = &w->x, *out = &w->y;
    int all = net->s->p->zero_weight > 0;
    w->n = in->n = out->n = n;
    in->p[0] = out->p[0] = 0;
    if (net->own_x.p) {
        copy_rows(&net->own_x, cells, n, in);
        copy_rows(&net->own_y, cells, n, out);
        return;
    }
    for (int r = 0; r < n; r++) {
        int *i = out->i + out->p[r];
        real *v = out->x + out->p[r];
        size_t seen, taken;
        pick(net->s->x, cells[r], net->map, in->i + in->p[r], in->x + in->p[r], &taken, all ? w->all_i : i,
             all ? w->all_x : v, &seen);
        if (all) {
            for (int k = 0; k < net->n_out; k++) { i[k] = k; v[k] = 0; }
            for (size_t k = 0; k < seen; k++) v[w->all_i[k]] = w->all_x[k];
            seen = (size_t) net->n_out;
        }
        in->p[r + 1] = in->p[r] + taken;
        out->p[r + 1] = out->p[r] + seen;
    }
}

/* Panel q of hidden layer l of cells r0..r1-1, without dropout. */
static void hidden(const Net *net, int l, size_t q, int r0, int r1)
{
    const Work *w = net->work;
    real *h = w->h[l] + q * (size_t) w->n * PANEL;
    layer_sparse_in(l ? w->mid + l - 1 : &w->x, NULL, r0, r1, net->cur + net->w[l] + q * inputs(net, l) * PANEL,
                    net->cur + net->b[l] + q * PANEL, h);
    act_relu(h + (size_t) r0 * PANEL, (size_t) (r1 - r0) * PANEL);
}

static void drop(const Net *net, int l, int r0, int r1)
{
    const Work *w = net->work;
    size_t H = (size_t) net->s->units[l], blocks = (H + 3) / 4;
    double rho = net->s->p->dropout;
    uint32_t below = (uint32_t) (rho * 0x1p32), part = (uint32_t) net->id | (uint32_t) l << 28;
    real scale = (real) (1 / (1 - rho));
    for (int r = r0; r < r1; r++) {
        uint32_t *bits = w->bits + (size_t) r * w->bits_row;
        rng_words(net->s->seed, RNG_DROPOUT, part, (uint64_t) net->opt.t << 32 | (uint64_t) r * blocks, bits, H);
        for (size_t q = 0; q * PANEL < H; q++) {
            real *h = w->h[l] + (q * (size_t) w->n + (size_t) r) * PANEL;
            size_t here = H - q * PANEL < PANEL ? H - q * PANEL : PANEL;
            act_drop(h, bits + q * PANEL, below, scale, here);
        }
    }
}

/* Between panels of hidden layer l and a plain list of its units, cell by cell. */
static void listed(const Net *net, int l, int r0, int r1)
{
    const Work *w = net->work;
    size_t H = (size_t) net->s->units[l];
    for (size_t r = (size_t) r0; r < (size_t) r1; r++)
        for (size_t j = 0; j < H; j++) w->mid[l].x[r * H + j] = w->h[l][panel_at((size_t) w->n, r, j)];
}

static void unlisted(const Net *net, int l, int r0, int r1)
{
    const Work *w = net->work;
    size_t H = (size_t) net->s->units[l];
    for (size_t r = (size_t) r0; r < (size_t) r1; r++)
        for (size_t j = 0; j < H; j++) w->dh[l][panel_at((size_t) w->n, r, j)] = w->mid_dh[l][r * H + j];
}

/* Hidden layers of cells r0..r1-1. */
static void hidden_layers(const Net *net, int r0, int r1, int learn)
{
    const Shared *s = net->s;
    for (int l = 0; l < s->layers; l++) {
        for (size_t q = 0; q < panels_of(s->units[l]); q++) hidden(net, l, q, r0, r1);
        if (learn && s->p->dropout > 0) drop(net, l, r0, r1);
        if (l + 1 < s->layers) listed(net, l, r0, r1);
    }
}

/* dl/dA of the hidden layers, from dl/dZ. */
static void hidden_back(const Net *net, int r0, int r1)
{
    const Work *w = net->work;
    size_t n = (size_t) w->n, S = (size_t) net->n_out;
    real keep = (real) (1 / (1 - net->s->p->dropout));
    for (int l = net->s->layers - 1; l >= 0; l--) {
        size_t panels = panels_of(net->s->units[l]);
        if (l + 1 == net->s->layers) {
            for (size_t q = 0; q < panels; q++)
                layer_sparse_in(&w->y, w->dz, r0, r1, net->cur + net->w[l + 1] + q * S * PANEL, NULL, w->dh[l] + q * n * PANEL);
        } else {
            size_t H = (size_t) net->s->units[l];
            memset(w->mid_dh[l] + (size_t) r0 * H, 0, (size_t) (r1 - r0) * H * sizeof(real));
            for (size_t q = 0; q < panels_of(net->s->units[l + 1]); q++)
                layer_sampled_out(w->mid + l, r0, r1, net->cur + net->w[l + 1] + q * H * PANEL, w->dh[l + 1] + q * n * PANEL,
                                  w->mid_dh[l]);
            unlisted(net, l, r0, r1);
        }
        for (size_t q = 0; q < panels; q++) {
            real *dh = w->dh[l] + q * n * PANEL, *h = w->h[l] + q * n * PANEL;
            for (size_t k = (size_t) r0 * PANEL; k < (size_t) r1 * PANEL; k++) dh[k] = h[k] > 0 ? dh[k] * keep : 0;
        }
    }
}

static void output(int kind, real *z, size_t n)
{
    if (kind == OUTPUT_SOFTPLUS) act_softplus(z, n);
    else if (kind == OUTPUT_RELU) act_relu(z, n);
}

static void forward_cells(Net *net, int r0, int r1, int learn)
{
    const Params *p = net->s->p;
    Work *w = net->work;
    int L = net->s->layers;
    size_t panels = panels_of((int) last_units(net->s)), S = (size_t) net->n_out, from = w->y.p[r0], n = w->y.p[r1] - from;
    const real *b2 = net->cur + net->b[L];
    hidden_layers(net, r0, r1, learn);
    real *z = w->z + from;
    memset(z, 0, n * sizeof *z);
    for (size_t q = 0; q < panels; q++)
        layer_sampled_out(&w->y, r0, r1, net->cur + net->w[L] + q * S * PANEL, w->h[L - 1] + q * (size_t) w->n * PANEL, w->z);
    for (size_t k = 0; k < n; k++) z[k] += b2[w->y.i[from + k]];
    output(p->output, z, n);
    for (size_t k = 0; k < n; k++) {
        real t = w->y.x[from + k];
        w->w[from + k] = (real) p->zero_weight + (p->weights == WEIGHTS_VALUE ? t : t > 0);
    }
    for (int r = r0; r < r1; r++) {
        size_t at = w->y.p[r];
        w->loss[r] = loss_weighted(w->z + at, w->y.x + at, w->w + at, w->y.p[r + 1] - at, learn ? w->dz + at : NULL);
    }
    if (!learn) return;
    real scale = (real) (1.0 / ((double) w->n * net->n_out));
    for (size_t k = 0; k < n; k++) w->dz[from + k] *= scale;
    if (p->output == OUTPUT_SOFTPLUS) act_softplus_back(z, w->dz + from, n);
    else if (p->output == OUTPUT_RELU) act_relu_back(z, w->dz + from, n);
    hidden_back(net, r0, r1);
}

static Status forward(void *self, const int *cells, int n, int learn, Losses *sum)
{
    Net *net = self;
    load(net, cells, n);
    if (learn) optim_next(&net->opt);
    PARALLEL_FOR(net->team)
    for (int t = 0; t < net->team; t++) {
        size_t r0, r1;
        share((size_t) n, t, net->team, &r0, &r1);
        if (r0 < r1) forward_cells(net, (int) r0, (int) r1, learn);
    }
    double s = 0;
    for (int r = 0; r < n; r++) s += net->work->loss[r];
    s /= net->n_out;
    if (learn) sum->train += s / net->s->n_learn; else sum->valid += s / net->s->n_held;
    return ST_OK;
}

/* Gradient of rows k0..k1-1 of a layer's weights, and Adam on them, ABREAST rows at once while their sums are in the
 * cache. by_gene: the entries that meet each row. */
enum { ABREAST = 16 };
static void step_rows(Net *net, const Rows *by_gene, const real *val, const real *side, size_t panels, size_t start,
                      size_t rows, int thread)
{
    size_t n = (size_t) net->work->n, k0, k1;
    real sums[ABREAST * PANEL];
    share(rows, thread, net->team, &k0, &k1);
    for (size_t q = 0; q < panels; q++)
        for (size_t k = k0, rows_now; k < k1; k += rows_now) {
            size_t at = start + (q * rows + k) * PANEL;
            rows_now = k1 - k < ABREAST ? k1 - k : ABREAST;
            panel_sums(sums, NULL, side + q * n * PANEL, by_gene->p + k, by_gene->i, val, rows_now);
            optim_step(&net->opt, net->cur + at, sums, net->m + at, net->v + at, net->cur + at, rows_now * PANEL);
        }
}

static void step_biases(Net *net)
{
    const Work *w = net->work;
    const Shared *s = net->s;
    size_t n = (size_t) w->n, at;
    for (int l = 0; l < s->layers; l++)
        for (size_t q = 0; q < panels_of(s->units[l]); q++) {
            const size_t all[2] = { 0, n };
            real sum[PANEL];
            panel_sums(sum, NULL, w->dh[l] + q * n * PANEL, all, w->each, w->one, 1);
            at = net->b[l] + q * PANEL;
            optim_step(&net->opt, net->cur + at, sum, net->m + at, net->v + at, net->cur + at, PANEL);
        }
    memset(net->gb2, 0, (size_t) net->n_out * sizeof *net->gb2);
    for (size_t k = 0; k < w->y.p[n]; k++) net->gb2[w->y.i[k]] += w->dz[k];
    at = net->b[s->layers];
    optim_step(&net->opt, net->cur + at, net->gb2, net->m + at, net->v + at, net->cur + at, net->n - at);
}

/* The weights into hidden layer l; its inputs as entries by input. */
static void step_layer(Net *net, int l, const Rows *by_input)
{
    PARALLEL_FOR(net->team)
    for (int t = 0; t < net->team; t++)
        step_rows(net, by_input, by_input->x, net->work->dh[l], panels_of(net->s->units[l]), net->w[l], inputs(net, l), t);
}

static void update(void *self, int keep)
{
    Net *net = self;
    Work *w = net->work;
    const Shared *s = net->s;
    size_t last = panels_of((int) last_units(s));
    (void) keep;
    rows_transpose(&w->x, net->n_in, &w->xt, w->x_from);
    rows_transpose(&w->y, net->n_out, &w->yt, w->y_from);
    for (size_t k = 0; k < w->yt.p[net->n_out]; k++) w->dz_by_gene[k] = w->dz[w->y_from[k]];
    step_layer(net, 0, &w->xt);
    for (int l = 1; l < s->layers; l++) {
        w->mid[l - 1].n = w->n;
        rows_transpose(w->mid + l - 1, s->units[l - 1], &w->mid_t, w->mid_from);
        step_layer(net, l, &w->mid_t);
    }
    PARALLEL_FOR(net->team)
    for (int t = 0; t < net->team; t++)
        step_rows(net, &w->yt, w->dz_by_gene, w->h[s->layers - 1], last, net->w[s->layers], (size_t) net->n_out, t);
    step_biases(net);
}

static void keep(void *self)
{
    Net *net = self;
    memcpy(net->kept, net->cur, net->n * sizeof(real));
}

static void team(void *self, int thread, int n)
{
    Net *net = self;
    net->work = net->s->work + thread;
    net->team = n;
}

/* ---- fit ---- */

/* A layer's weights, uniform between -r and r, r^2 = 6/(inputs + outputs). */
static void glorot(const Net *net, Stream stream, uint64_t part, size_t rows, size_t cols, real *w)
{
    double r = sqrt(6.0 / (double) (rows + cols));
    for (size_t p = 0; p < rows; p++)
        for (size_t j = 0; j < cols; j++)
            w[panel_at(rows, p, j)] = (real) (r * (2 * rng_unif(net->s->seed, stream, part | (p * cols + j)) - 1));
}

static void initialise(Net *net)
{
    const Shared *s = net->s;
    uint64_t part = (uint64_t) net->id << 36;
    glorot(net, RNG_INIT_1, part, (size_t) net->n_in, (size_t) s->units[0], net->cur);
    for (int l = 1; l < s->layers; l++)
        glorot(net, RNG_INIT_3, part | (uint64_t) l << 60, inputs(net, l), (size_t) s->units[l], net->cur + net->w[l]);
    glorot(net, RNG_INIT_2, part, (size_t) net->n_out, last_units(s), net->cur + net->w[s->layers]);
}

/* Copies of the networks' entries, if they all fit and zeros have no weight. */
static void take_own(Arena *a, Net *nets, int n_nets)
{
    const Shared *s = nets->s;
    size_t cells = (size_t) s->x->ncol, in, out;
    double bytes = 0;
    for (int k = 0; k < n_nets; k++) {
        count_own(nets + k, &in, &out);
        bytes += (double) (in + out) * (sizeof(int) + sizeof(real)) + 16.0 * (double) cells;
    }
    if (bytes > OWN_BYTES || s->p->zero_weight > 0) return;
    for (int k = 0; k < n_nets; k++) {
        count_own(nets + k, &in, &out);
        rows_take(a, &nets[k].own_x, cells, in);
        rows_take(a, &nets[k].own_y, cells, out);
        if (a->failed) return;
        pick_own(nets + k);
    }
}

/* Pearson's r and the error of the held-out values above 0, at the weights that the fit gives (they are left in `cur`). */
static void report(Net *net, const Fit *f, const int *held, History *h)
{
    const Rows *out = &net->s->work->y;
    double n = 0, y = 0, z = 0, yy = 0, zz = 0, yz = 0, miss = 0;
    Losses sum = { 0 };
    if (net->kept) memcpy(net->cur, net->kept, net->n * sizeof(real));
    team(net, 0, f->threads);
    for (int c = 0, batch = net->s->batch; c < net->s->n_held; c += batch) {
        forward(net, held + c, c + batch < net->s->n_held ? batch : net->s->n_held - c, 0, &sum);
        for (size_t k = 0; k < out->p[out->n]; k++) {
            double t = (double) out->x[k], v = (double) net->work->z[k];
            if (t <= 0) continue;
            n++; y += t; z += v; yy += t * t; zz += v * v; yz += t * v; miss += (t - v) * (t - v);
        }
    }
    if (n < 1) return;
    double vy = yy - y * y / n, vz = zz - z * z / n;
    h->mse = miss / n;
    if (vy > 0 && vz > 0) h->pearson = (yz - y * z / n) / sqrt(vy * vz);
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    static const Progress idle = { 0, 0, 0, 0, 0 };
    const Params *p = params;
    Shared s = { .p = p, .x = &f->x, .seed = f->seed, .layers = f->plan[1], .units = f->plan + PLAN_HEAD,
                 .n_held = nn_held_cells(&p->train, f->x.ncol) };
    int n_nets = f->plan[0], longest = sparse_longest(&f->x);
    size_t most_in = 0, most_out = 0;
    s.n_learn = f->x.ncol - s.n_held;
    s.batch = p->train.batch_size && p->train.batch_size < s.n_learn ? p->train.batch_size : s.n_learn;
    for (int k = 0; k < f->x.p[f->x.ncol]; k++) if (f->x.x[k] > s.limit) s.limit = f->x.x[k];
    Net *nets = ARENA(a, Net, n_nets);
    Network *hooks = ARENA(a, Network, n_nets);
    s.work = ARENA(a, Work, f->threads);
    int *held = ARENA(a, int, s.n_held);
    if (a->failed) return ST_NOMEM;
    for (int k = 0; k < n_nets; k++) {
        Net *net = nets + k;
        net_open(net, &s, plan_net(f->plan, k));
        if ((size_t) net->n_in > most_in) most_in = (size_t) net->n_in;
        if ((size_t) net->n_out > most_out) most_out = (size_t) net->n_out;
        net->map = ARENA(a, int, f->x.nrow);
        net->cur = ARENA(a, real, net->n);
        net->m = ARENA(a, real, net->n);
        net->v = ARENA(a, real, net->n);
        net->gb2 = ARENA(a, real, panels_of(net->n_out) * PANEL);
        net->kept = p->best ? ARENA(a, real, net->n) : NULL;
        hooks[k] = (Network) { net, forward, update, keep, team };
    }
    for (int t = 0; t < f->threads; t++) work_take(a, s.work + t, &s, (size_t) s.batch, most_in, most_out, longest, 1);
    if (a->failed) return ST_NOMEM;
    for (int k = 0; k < n_nets; k++) net_map(nets + k);
    take_own(a, nets, n_nets);
    if (a->failed) return ST_NOMEM;

    size_t total = model_weights(model_find("deepimpute"), p, f->x.nrow, f->plan);
    const double *from = f->state;
    for (int k = 0; k < n_nets; k++) {
        Net *net = nets + k;
        net->opt = (Optim) { OPT_ADAM, p->train.learning_rate, 0, 0, 0, 0, 0 };
        if (f->h[k].done) {
            net->opt.t = f->h[k].done * ((s.n_learn + s.batch - 1) / s.batch);
            from_natural(net, from, net->cur);
            from_natural(net, from + total, net->m);
            from_natural(net, from + 2 * total, net->v);
            if (net->kept) from_natural(net, f->weights + (from - f->state), net->kept);
            from += net_naturals(net);
        } else initialise(net);
    }
    Crew crew = { .nets = hooks, .n_nets = n_nets, .n_cells = f->x.ncol, .held_cells = s.n_held, .joint = p->joint,
                  .keep_best = p->best };
    Status st = nn_train(a, &p->train, &crew, f);
    if (st) return st;
    double *to = f->weights;
    for (int k = 0; k < n_nets; k++) to = to_natural(nets + k, nets[k].kept ? nets[k].kept : nets[k].cur, to);
    *to = 2 * s.limit;
    for (int part = 0; f->want_state && part < 3; part++) {
        to = f->state + (size_t) part * total;
        for (int k = 0; k < n_nets; k++)
            to = to_natural(nets + k, part == 0 ? nets[k].cur : part == 1 ? nets[k].m : nets[k].v, to);
        *to = 0;
    }
    uint64_t left = (uint64_t) s.n_held;
    for (int c = 0, n = 0; c < f->x.ncol; c++)
        if (rng_choose(f->seed, RNG_HOLD_OUT, (uint64_t) c, (uint64_t) f->x.ncol, &left)) held[n++] = c;
    for (int k = 0; k < n_nets; k++) {
        report(nets + k, f, held, f->h + k);
        f->tick.call(f->tick.ctx, &idle);
    }
    return ST_OK;
}

/* ---- prediction ---- */

enum { AT_ONCE = 256 };                  /* cells of one thread at a time */

/* Targets of the net in the cells from..from+n-1, into `out`, genes x these cells. */
static void predict_cells(Net *net, const int *cells, int n, double limit, real *z, real *scratch, double *out)
{
    Work *w = net->work;
    int L = net->s->layers;
    size_t S = (size_t) net->n_out, H = last_units(net->s), G = (size_t) net->s->x->nrow;
    load(net, cells, n);
    for (int r = 0; r < n; r++) memcpy(z + (size_t) r * S, net->cur + net->b[L], S * sizeof(real));
    hidden_layers(net, 0, n, 0);
    for (size_t q = 0; q * PANEL < H; q++)
        gemm(0, 1, (size_t) n, S, H - q * PANEL < PANEL ? H - q * PANEL : PANEL, w->h[L - 1] + q * (size_t) n * PANEL, PANEL,
             net->cur + net->w[L] + q * S * PANEL, PANEL, 1, z, S, scratch);
    output(net->s->p->output, z, (size_t) n * S);
    for (size_t r = 0; r < (size_t) n; r++)
        for (size_t k = 0; k < S; k++) {
            double v = (double) z[r * S + k];
            if (isfinite(v) && v <= limit) out[r * G + (size_t) net->out[k]] = v;
        }
}

static Status predict(Arena *a, const void *params, const Predict *job)
{
    static const Progress idle = { 0, 0, 0, 0, 0 };
    const Params *p = params;
    Shared s = { .p = p, .x = &job->x, .layers = job->plan[1], .units = job->plan + PLAN_HEAD };
    int n_nets = job->plan[0], longest = sparse_longest(&job->x), threads = job->threads;
    size_t most_in = 0, most_out = 0, G = (size_t) job->x.nrow;
    /* every thread has nets of its own, which point into the same weights */
    Net *nets = ARENA(a, Net, (size_t) n_nets * (size_t) threads);
    s.work = ARENA(a, Work, threads);
    real **z = ARENA(a, real *, threads), **scratch = ARENA(a, real *, threads);
    int *cells = ARENA(a, int, s.x->ncol);
    if (a->failed) return ST_NOMEM;
    for (int k = 0; k < n_nets; k++) {
        Net *net = nets + k;
        net_open(net, &s, plan_net(job->plan, k));
        if ((size_t) net->n_in > most_in) most_in = (size_t) net->n_in;
        if ((size_t) net->n_out > most_out) most_out = (size_t) net->n_out;
        net->map = ARENA(a, int, G);
        net->cur = ARENA(a, real, net->n);
    }
    for (int t = 0; t < threads; t++) {
        work_take(a, s.work + t, &s, AT_ONCE, most_in, most_out, longest, 0);
        z[t] = ARENA(a, real, AT_ONCE * most_out);
        scratch[t] = ARENA(a, real, GEMM_SCRATCH);
    }
    if (a->failed) return ST_NOMEM;
    const double *from = job->weights;
    for (int k = 0; k < n_nets; k++) {
        net_map(nets + k);
        from = from_natural(nets + k, from, nets[k].cur);
        nets[k].work = NULL;
        if (!job->wanted) continue;
        int wanted = 0;
        for (int g = 0; g < nets[k].n_out; g++) wanted |= job->wanted[nets[k].out[g]];
        if (!wanted) nets[k].team = 0;         /* none of its targets is asked for */
    }
    double limit = *from;
    for (int t = 1; t < threads; t++) memcpy(nets + (size_t) t * (size_t) n_nets, nets, (size_t) n_nets * sizeof *nets);
    for (int c = 0; c < s.x->ncol; c++) cells[c] = c;
    for (size_t k = 0; k < G * (size_t) s.x->ncol; k++) job->out[k] = NAN;
    for (int c = 0; c < s.x->ncol; c += AT_ONCE * threads) {
        PARALLEL_FOR(threads)
        for (int t = 0; t < threads; t++) {
            int c0 = c + t * AT_ONCE, n = s.x->ncol - c0 < AT_ONCE ? s.x->ncol - c0 : AT_ONCE;
            for (int k = 0; k < n_nets && n > 0; k++) {
                Net *net = nets + (size_t) t * (size_t) n_nets + k;
                net->work = s.work + t;
                if (net->team) predict_cells(net, cells + c0, n, limit, z[t], scratch[t], job->out + (size_t) c0 * G);
            }
        }
        job->tick.call(job->tick.ctx, &idle);
    }
    return ST_OK;
}

static int shape(const void *params, int n_genes, const int *plan, int k, Shape *s)
{
    static const char *const names[] = { "W1", "b1", "W2", "b2", "W3", "b3", "W4", "b4", "W5", "b5", "W6", "b6", "W7", "b7",
                                         "W8", "b8", "W9", "b9" };
    (void) params; (void) n_genes;
    int layers = plan[1], per_net = 2 * (layers + 1), l = k % per_net / 2;
    if (k > per_net * plan[0]) return 0;
    *s = (Shape) { "limit", 1, 1 };
    if (k == per_net * plan[0]) return 1;
    const int *net = plan_net(plan, k / per_net), *units = plan + PLAN_HEAD;
    int n_in = l ? units[l - 1] : net[1], n_out = l < layers ? units[l] : net[2];
    *s = k % 2 ? (Shape) { names[2 * l + 1], n_out, 1 } : (Shape) { names[2 * l], n_in, n_out };
    return 1;
}

static int parts(const int *plan) { return plan[0]; }
static int max_iter(const void *params, const int *plan) { (void) plan; return ((const Params *) params)->train.max_iter; }

const Model model_deepimpute = { .name = "deepimpute", .fields = fields, .params_size = sizeof(Params), .shape = shape,
                                 .parts = parts, .max_iter = max_iter, .state_per_weight = 3, .fit = fit, .predict = predict,
                                 .needs_plan = 1 };
