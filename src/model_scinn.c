/* scINN, module two: an imputation network under a network that judges what it made.
 * Tran, Tran, Nguyen, Nguyen, "Single-cell RNA sequencing data imputation using similarity preserving network", KSE 2021.
 * Clusters and latent coordinates come from module one (scinn.h, R/similarity.R) or from the user.
 *
 *   xs: log values of a cell over their largest; xin: xs with each non-zero dropped with probability rho in training
 *   f_I:  H1 = SELU(xin W1/(1 - rho) + b1),  O = H1 W2 + b2,  R = max(O, 0),  XI = xin + [xin = 0] R
 *   f_P:  H3 = SELU(XI W3 + b3),  Z = H3 W4 + b4,  logits = Z W5 + b5      (linear: Z = XI W3 + b3)
 *   Lc = binary cross-entropy of softmax(logits) against the clusters       Lr = sum over xs > 0 of (R - xs)^2 / (v nw)
 *   Ls = 1/B^2 sum over i != j of (corr(Z_i, Z_j) - S_ij)^2                 L0 = sum over xs = 0 of R^2 / (v n0)
 *   L = lc Lc + ls Ls + lr Lr + l0 L0;  S: correlation of the latents;  v: variance of the non-zeros about the genes' means
 *   dXI = dA3 W3';  dO = [O > 0] o ([xin = 0] o dXI + 2 lr/(v nw) [xs > 0] o (R - xs) + 2 l0/(v n0) [xs = 0] o R)
 *
 * Deviations, and why: the paper gives the roles, Lc and Ls and nothing else. Lr and L0 are ours: without them no term sees
 * the size of a filled-in value (paper = TRUE). Shapes, optimiser, schedule: the same group's scDHA where it says something.
 *
 * Arithmetic: the first layer on the non-zeros. Genes go in blocks: XI and what it adds to A3 on the way in, gradients of W3 and
 * W2 and AdamW on the way back; XI alone is kept between. S is never formed: B x B of it, row by row.
 */
#include <math.h>
#include <string.h>
#include "scinn.h"

KERNEL_FILE

typedef struct {
    double learning_rate, decay, w_cluster, w_similarity, w_reconstruction, w_zero, drop, valid_fraction;
    int predictor, cluster_loss, patience;
} Params;
enum { PREDICTOR_MLP, PREDICTOR_LINEAR };

static const Field fields[] = {
    { "learning.rate",         P_REAL,   offsetof(Params, learning_rate),    1e-8, 10, NULL },
    { "weight.decay",          P_REAL,   offsetof(Params, decay),            0, 100, NULL },
    { "cluster.weight",        P_REAL,   offsetof(Params, w_cluster),        0, 1e6, NULL },
    { "similarity.weight",     P_REAL,   offsetof(Params, w_similarity),     0, 1e6, NULL },
    { "reconstruction.weight", P_REAL,   offsetof(Params, w_reconstruction), 0, 1e6, NULL },
    { "zero.weight",           P_REAL,   offsetof(Params, w_zero),           0, 1e6, NULL },
    { "drop",                  P_REAL,   offsetof(Params, drop),             0, 0.95, NULL },
    { "valid.fraction",        P_REAL,   offsetof(Params, valid_fraction),   0, 0.5, NULL },
    { "predictor",             P_CHOICE, offsetof(Params, predictor),        0, 0, "mlp|linear" },
    { "cluster.loss",          P_CHOICE, offsetof(Params, cluster_loss),     0, 0, "softmax.bce|sigmoid.bce|categorical" },
    { "patience",              P_INT,    offsetof(Params, patience),         1, 1e6, NULL },
    { NULL, P_END, 0, 0, 0, NULL }
};

/* The plan: cells (0: nothing to do), clusters, latent coordinates, units of H1, cells of a batch, epochs; then the cluster of
 * each cell, from 0. Fit.given: the latent coordinates, one cell after the other, each cell centred and of length 1 or 0. */
enum { PLAN_CELLS, PLAN_CLUSTERS, PLAN_LATENT, PLAN_HIDDEN, PLAN_BATCH, PLAN_EPOCHS, PLAN_LABELS };
enum { JUDGE = 64, Z = SCINN_Z };                   /* units of H3 and of Z */

/* ---- where each matrix stands ---- */

typedef enum { BY_ROW, BY_COLUMN, PLAIN } Kept;     /* panels of the matrix or of its transpose; rows one after the other */
typedef struct { const char *name; int nrow, ncol; Kept kept; size_t at; } Part;
enum { W1, W2, W3, W4, W5, B1, B2, B3, B4, B5, N_PARTS };
/* as R sees them */
static const int shown[N_PARTS] = { W1, B1, W2, B2, W3, B3, W4, B4, W5, B5 };

typedef struct { Part part[N_PARTS]; size_t n; } Places;

static Places places(int G, int hidden, int clusters, int linear)
{
    int judge = linear ? Z : JUDGE, deep = linear ? 0 : JUDGE;
    Places p = { { { "W1", G, hidden, BY_ROW, 0 }, { "W2", hidden, G, BY_COLUMN, 0 }, { "W3", G, judge, BY_ROW, 0 },
                   { "W4", deep, Z, PLAIN, 0 }, { "W5", Z, clusters, PLAIN, 0 }, { "b1", hidden, 1, BY_COLUMN, 0 },
                   { "b2", G, 1, PLAIN, 0 }, { "b3", judge, 1, BY_COLUMN, 0 }, { "b4", linear ? 0 : Z, 1, PLAIN, 0 },
                   { "b5", clusters, 1, PLAIN, 0 } }, 0 };
    for (int k = 0; k < N_PARTS; k++) {
        Part *m = p.part + k;
        size_t rows = (size_t) (m->kept == BY_COLUMN ? m->ncol : m->nrow);
        int cols = m->kept == BY_COLUMN ? m->nrow : m->ncol;
        m->at = p.n;
        p.n += m->kept == PLAIN ? (rows * (size_t) cols + 15) / 16 * 16 : rows * panels_of(cols) * PANEL;
    }
    return p;
}

static size_t place(const Part *m, size_t r, size_t c)
{
    if (m->kept == PLAIN) return m->at + r * (size_t) m->ncol + c;
    return m->at + (m->kept == BY_ROW ? panel_at((size_t) m->nrow, r, c) : panel_at((size_t) m->ncol, c, r));
}

static void to_natural(const Places *p, const real *w, double *out)
{
    for (int k = 0; k < N_PARTS; k++) {
        const Part *m = p->part + shown[k];
        size_t rows = (size_t) m->nrow, cols = (size_t) m->ncol;
        for (size_t c = 0; c < cols; c++) for (size_t r = 0; r < rows; r++) *out++ = (double) w[place(m, r, c)];
    }
}

static void from_natural(const Places *p, const double *in, real *w)
{
    for (int k = 0; k < N_PARTS; k++) {
        const Part *m = p->part + shown[k];
        size_t rows = (size_t) m->nrow, cols = (size_t) m->ncol;
        for (size_t c = 0; c < cols; c++) for (size_t r = 0; r < rows; r++) w[place(m, r, c)] = (real) *in++;
    }
}

/* ---- a batch ---- */

enum { SEEN, DROPPED, HELD };                       /* roles of an entry; HELD: for validation */

typedef struct {
    const Params *p;
    const Sparse *x;
    const int *plan;
    const double *given;
    uint64_t seed;
    int G, n, hidden, K, L, B, judge, batches, team;
    size_t panels, longest;
    Places at;
    real *w, *m, *v, *kept;
    char *role;                                     /* of each entry of x; NULL: none is held out */
    size_t n_held;
    double variance;
    Rows in, in_t;                                  /* what f_I sees: a dropped entry is there with value 0 */
    size_t *from;
    real *xs, *r, *back;                            /* at the entries: the value, R, dO */
    char *what;                                     /* at the entries: the role in this batch */
    real *h1, *dh1, *h3, *dh3, *z, *dz, *logits, *da;
    real *xi, *parts;                               /* XI, block by block; shares of A3 or dH1 */
    double *loss;                                   /* per block: (R - xs)^2, R^2 */
    Similar similar;
    uint32_t *bits;
    Room *room;
    const int *cells;                               /* of the batch */
    int learns;
    double n_seen, n_zero;                          /* nw, n0 of the batch */
    Optim opt, bias_opt;
} Net;

static void each(Net *n, size_t things, void (*work)(Net *, size_t from, size_t to, const Room *))
{
    PARALLEL_FOR(n->team)
    for (int t = 0; t < n->team; t++) {
        size_t from, to;
        share(things, t, n->team, &from, &to);
        if (from < to) work(n, from, to, n->room + t);
    }
}

/* Entries of the rows from..to-1 into `in`; learning, some are dropped. */
static void load_rows(Net *n, size_t from, size_t to, const Room *room)
{
    const Sparse *x = n->x;
    double scale = n->learns ? 1 / (1 - n->p->drop) : 1;
    uint32_t below = (uint32_t) (n->p->drop * 4294967296.0), *bits = n->bits + (size_t) (room - n->room) * (n->longest + 4);
    uint64_t positions = (n->longest + 3) / 4, first = (uint64_t) n->opt.t * (uint64_t) n->B;
    int drops = n->learns && n->p->drop > 0;
    for (size_t r = from; r < to; r++) {
        int c = n->cells[r];
        size_t entries = (size_t) (x->p[c + 1] - x->p[c]), at = n->in.p[r];
        if (drops) rng_words(n->seed, RNG_DROPOUT, 0, (first + r) * positions, bits, entries);
        for (size_t k = 0; k < entries; k++, at++) {
            size_t e = (size_t) x->p[c] + k;
            int held = n->role && n->role[e] == HELD, dropped = drops && bits[k] < below;
            n->in.i[at] = x->i[e];
            n->xs[at] = (real) x->x[e];
            n->what[at] = held ? HELD : dropped ? DROPPED : SEEN;
            n->in.x[at] = held || dropped ? 0 : (real) (x->x[e] * scale);
        }
    }
}

static void load(Net *n, const int *cells, int B, int learn)
{
    size_t at = 0;
    n->in.n = B;
    n->cells = cells;
    n->learns = learn;
    for (int r = 0; r < B; r++) {
        n->in.p[r] = at;
        at += (size_t) (n->x->p[cells[r] + 1] - n->x->p[cells[r]]);
    }
    n->in.p[B] = at;
    each(n, (size_t) B, load_rows);
    n->n_seen = (double) at;
    for (size_t k = 0; n->role && k < at; k++) n->n_seen -= n->what[k] == HELD;
    n->n_zero = (double) B * n->G - (double) at;
}

/* H1 of rows from..to-1 */
static void into_hidden(Net *n, size_t from, size_t to, const Room *room)
{
    size_t B = (size_t) n->in.n;
    (void) room;
    for (size_t q = 0; q < n->panels; q++) {
        real *h = n->h1 + q * B * PANEL;
        layer_sparse_in(&n->in, NULL, (int) from, (int) to, n->w + n->at.part[W1].at + q * (size_t) n->G * PANEL,
                        n->w + n->at.part[B1].at + q * PANEL, h);
        act_selu(h + from * PANEL, (to - from) * PANEL);
    }
}

static size_t panel_width(const Net *n, size_t q)
{
    size_t left = (size_t) n->hidden - q * PANEL;
    return left < PANEL ? left : PANEL;
}

static void bias_rows(real *y, size_t rows, size_t ld, const real *bias, size_t n)
{
    for (size_t r = 0; r < rows; r++) memcpy(y + r * ld, bias, n * sizeof(real));
}

/* R of a block of genes */
static void block_outputs(const Net *n, size_t B, size_t block, real *out, real *scratch)
{
    size_t w = block_width(n->G, (int) block), g = block * GENE_BLOCK, G = (size_t) n->G;
    bias_rows(out, B, w, n->w + n->at.part[B2].at + g, w);
    for (size_t q = 0; q < n->panels; q++)
        gemm(0, 1, B, w, panel_width(n, q), n->h1 + q * B * PANEL, PANEL, n->w + n->at.part[W2].at + (q * G + g) * PANEL, PANEL,
             1, out, w, scratch);
    act_relu(out, B * w);
}

/* XI of these blocks of genes, their share of A3, and the sums of squares. */
static void blocks_forward(Net *n, size_t from, size_t to, const Room *room)
{
    size_t B = (size_t) n->in.n;
    for (size_t b = from; b < to; b++) {
        size_t w = block_width(n->G, (int) b), g = b * GENE_BLOCK;
        real *xi = n->xi + g * B;
        double all = 0, seen = 0, filled = 0;
        block_outputs(n, B, b, xi, room->scratch);
        for (size_t r = 0; r < B; r++) {
            real *row = xi + r * w;
            all += residual_square(row, w, 1);
            for (size_t k = rows_from(&n->in, (int) r, (int) g); k < n->in.p[r + 1] && (size_t) n->in.i[k] < g + w; k++) {
                size_t j = (size_t) n->in.i[k] - g;
                double miss = (double) row[j] - (double) n->xs[k];
                n->r[k] = row[j];
                filled += (double) row[j] * (double) row[j];
                if (n->what[k] != HELD) seen += miss * miss;
                if (n->what[k] == SEEN) row[j] = n->xs[k];
            }
        }
        n->loss[2 * b] = seen;
        n->loss[2 * b + 1] = all - filled;
        real *part = n->parts + b * B * PANEL;
        memset(part, 0, B * PANEL * sizeof(real));
        gemm(0, 0, B, (size_t) n->judge, w, xi, w, n->w + n->at.part[W3].at + g * PANEL, PANEL, 1, part, PANEL, room->scratch);
    }
}

/* ---- the heads ---- */

static void similarity_rows(Net *n, size_t from, size_t to, const Room *room)
{
    similar_rows(&n->similar, from, to, n->p->w_similarity, room->row, n->dz);
}

/* Lc, and n->da: its gradient times its weight. row: room for K. */
static double clusters(Net *n, const int *cells, double *row)
{
    double loss = 0, share_of = (double) n->in.n * (n->p->cluster_loss == CATEGORICAL ? 1 : n->K);
    for (int r = 0; r < n->in.n; r++) {
        const real *a = n->logits + (size_t) r * (size_t) n->K;
        int c = n->plan[PLAN_LABELS + cells[r]];
        loss += scinn_cell_loss((ClusterLoss) n->p->cluster_loss, a, n->K, c, row);
        real *da = n->da + (size_t) r * (size_t) n->K;
        for (int k = 0; k < n->K; k++) da[k] = (real) (n->p->w_cluster * row[k] / share_of);
    }
    return loss / share_of;
}

/* f_P from A3 (in h3) to Z and the logits */
static void judge_forward(Net *n, real *scratch)
{
    size_t B = (size_t) n->in.n, K = (size_t) n->K;
    const real *w = n->w;
    if (n->judge == Z) for (size_t r = 0; r < B; r++) memcpy(n->z + r * Z, n->h3 + r * PANEL, Z * sizeof(real));
    else {
        act_selu(n->h3, B * PANEL);
        bias_rows(n->z, B, Z, w + n->at.part[B4].at, Z);
        gemm(0, 0, B, Z, JUDGE, n->h3, PANEL, w + n->at.part[W4].at, Z, 1, n->z, Z, scratch);
    }
    bias_rows(n->logits, B, K, w + n->at.part[B5].at, K);
    gemm(0, 0, B, K, Z, n->z, Z, w + n->at.part[W5].at, K, 1, n->logits, K, scratch);
}

/* ---- held-out entries ---- */

static double held_out(const Net *n)
{
    double sum = 0;
    size_t B = (size_t) n->in.n;
    for (size_t r = 0; r < B; r++)
        for (size_t k = n->in.p[r]; k < n->in.p[r + 1]; k++) {
            if (n->what[k] != HELD) continue;
            int g = n->in.i[k];
            real y = n->w[n->at.part[B2].at + (size_t) g];
            for (size_t q = 0; q < n->panels; q++)
                panel_dots(&y, n->w + n->at.part[W2].at + q * (size_t) n->G * PANEL, &g, 1, n->h1 + (q * B + r) * PANEL);
            y = y > 0 ? y : 0;
            sum += ((double) y - (double) n->xs[k]) * ((double) y - (double) n->xs[k]);
        }
    return sum;
}

static Status forward(void *self, const int *cells, int B, int learn, Losses *sum)
{
    Net *n = self;
    const Params *p = n->p;
    size_t blocks = (size_t) gene_blocks(n->G);
    double part[CURVES] = { 0 }, weight[CURVES] = { p->w_cluster, p->w_similarity, p->w_reconstruction, p->w_zero };
    if (learn) {
        optim_next(&n->opt);
        n->bias_opt.t = n->opt.t; n->bias_opt.rate = n->opt.rate; n->bias_opt.root = n->opt.root;
    }
    load(n, cells, B, learn);
    each(n, (size_t) B, into_hidden);
    if (!learn) {
        if (n->n_held) sum->valid += held_out(n) / (double) n->n_held;
        return ST_OK;
    }
    each(n, blocks, blocks_forward);
    for (size_t b = 0; b < blocks; b++) {
        part[2] += n->n_seen > 0 ? n->loss[2 * b] / (n->variance * n->n_seen) : 0;
        part[3] += n->n_zero > 0 ? n->loss[2 * b + 1] / (n->variance * n->n_zero) : 0;
    }
    bias_rows(n->h3, (size_t) B, PANEL, n->w + n->at.part[B3].at, PANEL);
    scinn_collect(n->h3, n->parts, blocks, (size_t) B * PANEL);
    judge_forward(n, n->room->scratch);
    similar_load(&n->similar, n->z, n->given, cells, (size_t) B);
    each(n, (size_t) B, similarity_rows);
    part[1] = similar_loss(&n->similar);
    memset(n->da, 0, (size_t) B * (size_t) n->K * sizeof(real));
    if (n->K > 1) part[0] = clusters(n, cells, n->room->row);
    for (int k = 0; k < CURVES; k++) {
        sum->part[k] += part[k] / n->batches;
        sum->train += weight[k] * part[k] / n->batches;
    }
    return ST_OK;
}

/* ---- the way back ---- */

static void step(const Net *n, const Optim *o, size_t at, const real *g, size_t len)
{
    optim_step(o, n->w + at, g, n->m + at, n->v + at, n->w + at, len);
}

/* dO of the zeros, from dXI */
LOCAL_FOR_CPUS(zero_sweep, (real *d, const real *xi, real zero, size_t n), (d, xi, zero, n), {
    for (size_t k = 0; k < n; k++) d[k] = xi[k] > 0 ? d[k] + zero * xi[k] : 0;
})

static void blocks_back(Net *n, size_t from, size_t to, const Room *room)
{
    size_t B = (size_t) n->in.n, G = (size_t) n->G, J = (size_t) n->judge;
    real seen = (real) (n->n_seen > 0 ? 2 * n->p->w_reconstruction / (n->variance * n->n_seen) : 0);
    real zero = (real) (n->n_zero > 0 ? 2 * n->p->w_zero / (n->variance * n->n_zero) : 0);
    for (size_t b = from; b < to; b++) {
        size_t w = block_width(n->G, (int) b), g = b * GENE_BLOCK, w3 = n->at.part[W3].at + g * PANEL;
        const real *xi = n->xi + g * B;
        real *d = room->out;
        gemm(0, 1, B, w, J, n->dh3, PANEL, n->w + w3, PANEL, 0, d, w, room->scratch);
        memset(room->grad, 0, w * PANEL * sizeof(real));
        gemm(1, 0, w, J, B, xi, w, n->dh3, PANEL, 0, room->grad, PANEL, room->scratch);
        step(n, &n->opt, w3, room->grad, w * PANEL);
        for (size_t r = 0; r < B; r++) {
            real *row = d + r * w;
            for (size_t k = rows_from(&n->in, (int) r, (int) g); k < n->in.p[r + 1] && (size_t) n->in.i[k] < g + w; k++) {
                size_t j = (size_t) n->in.i[k] - g;           /* what the sweep below does not do to an entry is undone */
                real at_entry = n->what[k] == SEEN ? 0 : row[j];
                if (n->what[k] != HELD) at_entry += seen * (n->r[k] - n->xs[k]);
                n->back[k] = n->r[k] > 0 ? at_entry : 0;
            }
        }
        zero_sweep(d, xi, zero, B * w);
        for (size_t r = 0; r < B; r++)
            for (size_t k = rows_from(&n->in, (int) r, (int) g); k < n->in.p[r + 1] && (size_t) n->in.i[k] < g + w; k++)
                d[r * w + (size_t) n->in.i[k] - g] = n->back[k];
        memset(room->bias, 0, w * sizeof(real));
        scinn_collect(room->bias, d, B, w);
        step(n, &n->bias_opt, n->at.part[B2].at + g, room->bias, w);
        for (size_t q = 0; q < n->panels; q++) {
            size_t w2 = n->at.part[W2].at + (q * G + g) * PANEL, wide = panel_width(n, q);
            real *part = n->parts + (b * n->panels + q) * B * PANEL;
            memset(part, 0, B * PANEL * sizeof(real));
            gemm(0, 0, B, wide, w, d, w, n->w + w2, PANEL, 1, part, PANEL, room->scratch);
            memset(room->grad, 0, w * PANEL * sizeof(real));
            gemm(1, 0, w, wide, B, d, w, n->h1 + q * B * PANEL, PANEL, 0, room->grad, PANEL, room->scratch);
            step(n, &n->opt, w2, room->grad, w * PANEL);
        }
    }
}

/* AdamW on W1 of genes from..to-1, in runs that stay in the cache */
static void first_back(Net *n, size_t from, size_t to, const Room *room)
{
    size_t B = (size_t) n->in.n, G = (size_t) n->G;
    for (size_t b = from; b < to; b++) {
        size_t w = block_width(n->G, (int) b), g = b * GENE_BLOCK;
        for (size_t q = 0; q < n->panels; q++) {
            panel_sums(room->grad, NULL, n->dh1 + q * B * PANEL, n->in_t.p + g, n->in_t.i, n->in_t.x, w);
            step(n, &n->opt, n->at.part[W1].at + (q * G + g) * PANEL, room->grad, w * PANEL);
        }
    }
}

static void column_sums(real *sum, const real *x, size_t rows, size_t cols)
{
    memset(sum, 0, cols * sizeof *sum);
    scinn_collect(sum, x, rows, cols);
}

/* From da and dz of the similarity to dA3, with AdamW on W4, b4, W5, b5 and b3. */
static void judge_back(Net *n, const Room *room)
{
    size_t B = (size_t) n->in.n, K = (size_t) n->K, w4 = n->at.part[W4].at, w5 = n->at.part[W5].at;
    real *g = room->grad, *bias = room->bias;
    gemm(0, 1, B, Z, K, n->da, K, n->w + w5, K, 1, n->dz, Z, room->scratch);
    gemm(1, 0, Z, K, B, n->z, Z, n->da, K, 0, n->parts, K, room->scratch);
    step(n, &n->opt, w5, n->parts, Z * K);
    column_sums(n->parts, n->da, B, K);
    step(n, &n->bias_opt, n->at.part[B5].at, n->parts, K);
    memset(n->dh3, 0, B * PANEL * sizeof(real));
    if (n->judge == Z) for (size_t r = 0; r < B; r++) memcpy(n->dh3 + r * PANEL, n->dz + r * Z, Z * sizeof(real));
    else {
        gemm(0, 1, B, JUDGE, Z, n->dz, Z, n->w + w4, Z, 0, n->dh3, PANEL, room->scratch);
        act_selu_back(n->h3, n->dh3, B * PANEL);
        gemm(1, 0, JUDGE, Z, B, n->h3, PANEL, n->dz, Z, 0, g, Z, room->scratch);
        step(n, &n->opt, w4, g, JUDGE * Z);
        column_sums(bias, n->dz, B, Z);
        step(n, &n->bias_opt, n->at.part[B4].at, bias, Z);
    }
    column_sums(bias, n->dh3, B, PANEL);
    step(n, &n->bias_opt, n->at.part[B3].at, bias, PANEL);
}

static void update(void *self, int keep)
{
    Net *n = self;
    size_t B = (size_t) n->in.n, blocks = (size_t) gene_blocks(n->G);
    (void) keep;
    judge_back(n, n->room);
    each(n, blocks, blocks_back);
    memset(n->dh1, 0, n->panels * B * PANEL * sizeof(real));
    scinn_collect(n->dh1, n->parts, blocks, n->panels * B * PANEL);
    act_selu_back(n->h1, n->dh1, n->panels * B * PANEL);
    rows_transpose(&n->in, n->G, &n->in_t, n->from);
    each(n, blocks, first_back);
    for (size_t q = 0; q < n->panels; q++) {
        column_sums(n->room->bias, n->dh1 + q * B * PANEL, B, PANEL);
        step(n, &n->bias_opt, n->at.part[B1].at + q * PANEL, n->room->bias, PANEL);
    }
}

static void keep(void *self)
{
    Net *n = self;
    memcpy(n->kept, n->w, n->at.n * sizeof(real));
}

static void team(void *self, int thread, int size)
{
    (void) thread;
    ((Net *) self)->team = size;
}

/* ---- fit ---- */

static void net_open(Net *n, const Params *p, const Sparse *x, const int *plan)
{
    *n = (Net) { .p = p, .x = x, .plan = plan, .G = x->nrow, .n = plan[PLAN_CELLS], .hidden = plan[PLAN_HIDDEN],
                 .K = plan[PLAN_CLUSTERS], .L = plan[PLAN_LATENT], .B = plan[PLAN_BATCH],
                 .judge = p->predictor == PREDICTOR_LINEAR ? Z : JUDGE, .panels = panels_of(plan[PLAN_HIDDEN]), .team = 1,
                 .longest = (size_t) sparse_longest(x) };
    n->at = places(n->G, n->hidden, n->K, p->predictor == PREDICTOR_LINEAR);
}

static void net_take(Arena *a, Net *n, int threads)
{
    size_t B = (size_t) n->B, K = (size_t) n->K, L = (size_t) n->L, most = n->longest * B, blocks = (size_t) gene_blocks(n->G);
    size_t parts = blocks * n->panels * B * PANEL;
    n->w = ARENA(a, real, n->at.n);
    n->m = ARENA(a, real, n->at.n);
    n->v = ARENA(a, real, n->at.n);
    n->kept = n->p->valid_fraction > 0 ? ARENA(a, real, n->at.n) : NULL;
    n->role = n->p->valid_fraction > 0 ? ARENA(a, char, n->x->p[n->x->ncol]) : NULL;
    rows_take(a, &n->in, B, most);
    rows_take(a, &n->in_t, (size_t) n->G, most);
    n->from = ARENA(a, size_t, most + 1);
    n->xs = ARENA(a, real, most + 1);
    n->r = ARENA(a, real, most + 1);
    n->back = ARENA(a, real, most + 1);
    n->what = ARENA(a, char, most + 1);
    n->bits = ARENA(a, uint32_t, (size_t) threads * (n->longest + 4));
    n->h1 = ARENA(a, real, n->panels * B * PANEL);
    n->dh1 = ARENA(a, real, n->panels * B * PANEL);
    n->h3 = ARENA(a, real, B * PANEL);
    n->dh3 = ARENA(a, real, B * PANEL);
    n->z = ARENA(a, real, B * Z);
    n->dz = ARENA(a, real, B * Z);
    n->logits = ARENA(a, real, B * K);
    n->da = ARENA(a, real, B * K);
    n->xi = ARENA(a, real, B * (size_t) n->G);
    n->parts = ARENA(a, real, parts > Z * K ? parts : Z * K);
    n->loss = ARENA(a, double, 2 * blocks);
    similar_take(a, &n->similar, B, L);
    n->room = scinn_rooms(a, threads, B, PANEL, B > K ? B : K);
}

/* Which entries are held out; the genes' means of the others into b2; v. mean, count: one per gene, 0. */
static void look_at(Net *n, double *mean, double *count)
{
    const Sparse *x = n->x;
    size_t entries = (size_t) x->p[x->ncol];
    uint64_t left = (uint64_t) (n->p->valid_fraction * (double) entries);
    double ss = 0, seen = 0;
    if (n->role)
        for (size_t k = 0; k < entries; k++)
            if (rng_choose(n->seed, RNG_HOLD_OUT, k, entries, &left)) { n->role[k] = HELD; n->n_held++; }
    for (size_t k = 0; k < entries; k++) {
        if (n->role && n->role[k]) continue;
        mean[x->i[k]] += x->x[k];
        count[x->i[k]]++;
    }
    for (int g = 0; g < n->G; g++) mean[g] /= count[g] > 0 ? count[g] : 1;
    for (size_t k = 0; k < entries; k++) {
        double d = x->x[k] - mean[x->i[k]];
        if (n->role && n->role[k]) continue;
        ss += d * d;
        seen++;
    }
    n->variance = ss > 0 ? ss / seen : 1;
}

static void initialise(Net *n, const double *mean)
{
    size_t G = (size_t) n->G, hidden = (size_t) n->hidden, J = (size_t) n->judge, K = (size_t) n->K;
    const Part *m = n->at.part;
    struct { int part; size_t n_in, n_out; double times; } of[] = { { W1, G, hidden, 1 }, { W2, hidden, G, 0.1 }, { W3, G, J, 1 },
        { W4, JUDGE, Z, 1 }, { W5, Z, K, 1 } };
    for (int k = 0; k < 5; k++) {
        double r = of[k].times * sqrt(6.0 / (double) (of[k].n_in + of[k].n_out));
        for (size_t i = 0; i < (size_t) m[of[k].part].nrow; i++)
            for (size_t j = 0; j < of[k].n_out; j++)
                n->w[place(m + of[k].part, i, j)] = (real) (r * (2 * rng_unif(n->seed, RNG_INIT_1,
                    (uint64_t) (k + 1) << 40 | (i * of[k].n_out + j)) - 1));
    }
    for (size_t g = 0; g < G; g++) n->w[m[B2].at + g] = (real) mean[g];
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    const Params *p = params;
    Net n;
    if (!f->plan[PLAN_CELLS]) {                    /* nothing to do */
        f->h->stopped = STOPPED_CLOSED;
        return ST_OK;
    }
    if (f->plan[PLAN_CELLS] != f->x.ncol) return ST_SHAPE;
    net_open(&n, p, &f->x, f->plan);
    n.given = f->given;
    n.seed = f->seed;
    net_take(a, &n, f->threads);
    double *mean = ARENA(a, double, n.G), *count = ARENA(a, double, n.G);
    if (a->failed) return ST_NOMEM;
    n.batches = n.n / n.B;
    look_at(&n, mean, count);
    size_t total = model_weights(model_find("scinn"), p, n.G, f->plan);
    n.opt = (Optim) { OPT_ADAMW, p->learning_rate, 0, p->decay, 0, 0, 0 };
    n.bias_opt = (Optim) { OPT_ADAMW, p->learning_rate, 0, 0, 0, 0, 0 };
    if (f->h->done) {
        n.opt.t = f->h->done * n.batches;
        from_natural(&n.at, f->state, n.w);
        from_natural(&n.at, f->state + total, n.m);
        from_natural(&n.at, f->state + 2 * total, n.v);
        if (n.kept) from_natural(&n.at, f->weights, n.kept);
    } else initialise(&n, mean);
    Train train = { .learning_rate = p->learning_rate, .valid_fraction = p->valid_fraction, .max_iter = f->plan[PLAN_EPOCHS],
                    .batch_size = n.B, .patience = p->patience, .stop = n.n_held ? STOP_VALIDATION : STOP_NEVER };
    Network hooks = { &n, forward, update, keep, team };
    Crew crew = { .nets = &hooks, .n_nets = 1, .n_cells = n.n, .keep_best = n.n_held > 0, .full_batches = 1, .between_ticks = 4 };
    Status st = nn_train(a, &train, &crew, f);
    if (st) return st;
    to_natural(&n.at, n.n_held ? n.kept : n.w, f->weights);
    if (f->want_state) {
        to_natural(&n.at, n.w, f->state);
        to_natural(&n.at, n.m, f->state + total);
        to_natural(&n.at, n.v, f->state + 2 * total);
    }
    if (n.n_held) f->h->mse = f->h->valid[f->h->best_iter - 1];
    return ST_OK;
}

/* ---- prediction: R ---- */

enum { AT_ONCE = 256 };

static Status predict(Arena *a, const void *params, const Predict *job)
{
    static const Progress idle = { 0, 0, 0, 0, 0 };
    const Params *p = params;
    int threads = job->threads, blocks = gene_blocks(job->x.nrow);
    size_t G = (size_t) job->x.nrow;
    Net all, *nets = ARENA(a, Net, threads);
    int *cells = ARENA(a, int, job->x.ncol);
    char *want = ARENA(a, char, blocks);
    net_open(&all, p, &job->x, job->plan);
    all.w = ARENA(a, real, all.at.n);
    for (int t = 0; t < threads && !a->failed; t++) {
        nets[t] = all;
        rows_take(a, &nets[t].in, AT_ONCE, all.longest * AT_ONCE);
        nets[t].h1 = ARENA(a, real, all.panels * AT_ONCE * PANEL);
        nets[t].xi = ARENA(a, real, AT_ONCE * GENE_BLOCK);
        nets[t].room = ARENA(a, Room, 1);
        if (!a->failed) nets[t].room->scratch = ARENA(a, real, GEMM_SCRATCH);
    }
    if (a->failed) return ST_NOMEM;
    from_natural(&all.at, job->weights, all.w);
    for (size_t g = 0; g < G; g++) if (!job->wanted || job->wanted[g]) want[g / GENE_BLOCK] = 1;
    for (int c = 0; c < job->x.ncol; c++) cells[c] = c;
    for (int first = 0; first < job->x.ncol; first += AT_ONCE * threads) {
        PARALLEL_FOR(threads)
        for (int t = 0; t < threads; t++) {
            Net *n = nets + t;
            int c0 = first + t * AT_ONCE, cols = job->x.ncol - c0 < AT_ONCE ? job->x.ncol - c0 : AT_ONCE;
            if (cols <= 0) continue;
            rows_load(&n->in, n->x, cells + c0, cols);
            into_hidden(n, 0, (size_t) cols, n->room);
            for (int b = 0; b < blocks; b++) {
                size_t w = block_width(n->G, b), g = (size_t) b * GENE_BLOCK, B = (size_t) cols;
                if (!want[b]) continue;
                block_outputs(n, B, (size_t) b, n->xi, n->room->scratch);
                for (size_t r = 0; r < B; r++)
                    for (size_t j = 0; j < w; j++) job->out[((size_t) c0 + r) * G + g + j] = (double) n->xi[r * w + j];
            }
        }
        job->tick.call(job->tick.ctx, &idle);
    }
    return ST_OK;
}

static int shape(const void *params, int n_genes, const int *plan, int k, Shape *s)
{
    const Params *p = params;
    Places at = places(n_genes, plan[PLAN_HIDDEN], plan[PLAN_CLUSTERS], p->predictor == PREDICTOR_LINEAR);
    int shift = k >= 6 && p->predictor == PREDICTOR_LINEAR ? 2 : 0;             /* no W4, b4 */
    if (k + shift >= N_PARTS) return 0;
    const Part *m = at.part + shown[k + shift];
    *s = (Shape) { m->name, m->nrow, m->ncol };
    return 1;
}

static size_t given(const int *plan) { return (size_t) plan[PLAN_CELLS] * (size_t) plan[PLAN_LATENT]; }
static int max_iter(const void *params, const int *plan) { (void) params; return plan[PLAN_EPOCHS]; }

const Model model_scinn = { .name = "scinn", .fields = fields, .params_size = sizeof(Params), .shape = shape,
                            .max_iter = max_iter, .curves = "cluster|similarity|reconstruction|zero", .state_per_weight = 3,
                            .fit = fit, .predict = predict, .needs_plan = 1, .given = given };
