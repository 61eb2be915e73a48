/* scINN, module two: an imputation network under a network that judges what it made.
 * Tran, Tran, Nguyen, Nguyen, "Single-cell RNA sequencing data imputation using similarity
 * preserving network", KSE 2021. Clusters and latent coordinates come from module one (scinn.h,
 * R/similarity.R) or from the user.
 *
 *   xs: log values of a cell over their largest
 *   xin: xs with each non-zero dropped with probability rho in training
 *   f_I:  H1 = SELU(xin W1/(1 - rho) + b1),  O = H1 W2 + b2,  R = max(O, 0)
 *         XI = xin + [xin = 0] R
 *   f_P:  H3 = SELU(XI W3 + b3),  Z = H3 W4 + b4,  logits = Z W5 + b5      (linear: Z = XI W3 + b3)
 *   Lc = binary cross-entropy of softmax(logits) against the clusters
 *   Ls = 1/B^2 sum over i != j of (corr(Z_i, Z_j) - S_ij)^2,  S: correlation of the latents
 *   Lr = sum over xs > 0 of (R - xs)^2 / (v nw)
 *   v: variance of the non-zeros about the genes' means
 *   L0 = sum over xs = 0 of R^2 / (v n0)
 *   L = lc Lc + ls Ls + lr Lr + l0 L0
 *   dXI = dA3 W3'
 *   dO = [O > 0] o ([xin = 0] o dXI + 2 lr/(v nw) [xs > 0] o (R - xs) + 2 l0/(v n0) [xs = 0] o R)
 *
 * Deviations, and why: the paper gives the roles, Lc and Ls and nothing else. Lr and L0 are ours:
 * without them no term sees the size of a filled-in value (paper = TRUE). Shapes, optimiser,
 * schedule: the same group's scDHA where it says something.
 *
 * Arithmetic: the first layer on the non-zeros. Genes go in blocks: XI and what it adds to A3 on
 * the way in, gradients of W3 and W2 and AdamW on the way back; XI alone is kept between. S is
 * never formed: B x B of it, row by row.
 */
#include <limits.h>
#include <math.h>
#include <string.h>
#include "scinn_net.h"

KERNEL_FILE

static const Field fields[] = {
    F_REAL(SnParams, "learning.rate", learning_rate, 1e-8, 10),
    F_REAL(SnParams, "weight.decay", decay, 0, 100),
    F_REAL(SnParams, "cluster.weight", w_cluster, 0, 1e6),
    F_REAL(SnParams, "similarity.weight", w_similarity, 0, 1e6),
    F_REAL(SnParams, "reconstruction.weight", w_reconstruction, 0, 1e6),
    F_REAL(SnParams, "zero.weight", w_zero, 0, 1e6),
    F_REAL(SnParams, "drop", drop, 0, 0.95),
    F_REAL(SnParams, "valid.fraction", valid_fraction, 0, 0.5),
    F_CHOICE(SnParams, "predictor", predictor, "mlp|linear"),
    F_CHOICE(SnParams, "cluster.loss", cluster_loss, "softmax.bce|sigmoid.bce|categorical"),
    F_INT(SnParams, "patience", patience, 1, 1e6),
    F_END
};
static const Field plan_fields[] = {
    F_INT(SnPlan, "cells", cells, 0, INT_MAX),
    F_INT(SnPlan, "clusters", clusters, 1, 1e6),
    F_INT(SnPlan, "latent", latent, 1, 1e6),
    F_INT(SnPlan, "hidden", hidden, 1, 1e6),
    F_INT(SnPlan, "batch", batch, 1, 1e9),
    F_INT(SnPlan, "iterations", iterations, 0, 1e6),
    F_INTS(SnPlan, "labels", labels, 0, 1e6, 0, ANY_LENGTH),
    F_REALS(SnPlan, "units", units, -2, 2, 0, ANY_LENGTH),
    F_END
};

/* ---- where each matrix stands ---- */

static size_t parts_of(Part part[N_PARTS], int G, int hidden, int clusters, int linear)
{
    int judge = linear ? Z : JUDGE, deep = linear ? 0 : JUDGE;
    const Part all[N_PARTS] = {
        { "W1", G, hidden, BY_ROW, 0 }, { "b1", hidden, 1, BY_COLUMN, 0 },
        { "W2", hidden, G, BY_COLUMN, 0 }, { "b2", G, 1, PLAIN, 0 },
        { "W3", G, judge, BY_ROW, 0 }, { "b3", judge, 1, BY_COLUMN, 0 },
        { "W4", deep, Z, PLAIN, 0 }, { "b4", linear ? 0 : Z, 1, PLAIN, 0 },
        { "W5", Z, clusters, PLAIN, 0 }, { "b5", clusters, 1, PLAIN, 0 },
    };
    memcpy(part, all, sizeof all);
    return weights_place(part, N_PARTS);
}

static void keep(void *self)
{
    Net *n = self;
    memcpy(n->kept, n->w, n->places * sizeof(real));
}

static void team(void *self, int thread, int size)
{
    (void) thread;
    ((Net *) self)->team = size;
}

/* ---- fit ---- */

static void net_open(Net *n, const SnParams *p, const Sparse *x, const SnPlan *plan)
{
    int linear = p->predictor == PREDICTOR_LINEAR;
    *n = (Net) { .p = p, .x = x, .plan = plan, .G = x->nrow, .n = plan->cells,
                 .hidden = plan->hidden, .K = plan->clusters, .L = plan->latent, .B = plan->batch,
                 .judge = linear ? Z : JUDGE, .panels = panels_of(plan->hidden), .team = 1,
                 .longest = (size_t) sparse_longest(x) };
    n->places = parts_of(n->part, n->G, n->hidden, n->K, linear);
}

static void net_take(Arena *a, Net *n, int threads)
{
    size_t B = (size_t) n->B, K = (size_t) n->K, L = (size_t) n->L, most = n->longest * B,
           blocks = (size_t) gene_blocks(n->G);
    size_t parts = blocks * n->panels * B * PANEL;
    n->w = ARENA(a, real, n->places);
    n->m = ARENA(a, real, n->places);
    n->v = ARENA(a, real, n->places);
    n->kept = n->p->valid_fraction > 0 ? ARENA(a, real, n->places) : NULL;
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

/* Which entries are held out; the genes' means of the others into b2; v. mean, count: one per gene,
 * 0. */
static void look_at(Net *n, double *mean, double *count)
{
    const Sparse *x = n->x;
    size_t entries = (size_t) x->p[x->ncol];
    uint64_t left = (uint64_t) (n->p->valid_fraction * (double) entries);
    if (!left && entries > 1) left = 1;
    double ss = 0, seen = 0;
    if (n->role)
        for (size_t k = 0; k < entries; k++)
            if (rng_choose(n->seed, RNG_HOLD_OUT, k, entries, &left)) {
                n->role[k] = HELD;
                n->n_held++;
            }
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
    const Part *m = n->part;
    struct {
        int part;
        size_t n_in, n_out;
        double times;
    } of[] = { { W1, G, hidden, 1 },
               { W2, hidden, G, 0.1 },
               { W3, G, J, 1 },
               { W4, JUDGE, Z, 1 },
               { W5, Z, K, 1 } };
    for (int k = 0; k < 5; k++) {
        double r = of[k].times * sqrt(6.0 / (double) (of[k].n_in + of[k].n_out));
        for (size_t i = 0; i < (size_t) m[of[k].part].nrow; i++)
            for (size_t j = 0; j < of[k].n_out; j++)
                n->w[part_at(m + of[k].part, i, j)] = (real) (r * (2 * rng_unif(n->seed, RNG_INIT_1,
                    (uint64_t) (k + 1) << 40 | (i * of[k].n_out + j)) - 1));
    }
    for (size_t g = 0; g < G; g++) n->w[m[B2].at + g] = (real) mean[g];
}

/* Weights and moments: those of the fit to go on from, or the first. */
static void start(Net *n, const Fit *f, const double *mean)
{
    real *const of[] = { n->w, n->m, n->v };
    n->opt = (Optim) { OPT_ADAMW, n->p->learning_rate, 0, n->p->decay, 0, 0, 0 };
    n->bias_opt = (Optim) { OPT_ADAMW, n->p->learning_rate, 0, 0, 0, 0, 0 };
    if (!f->h->done) { initialise(n, mean); return; }
    n->opt.t = f->h->done * n->batches;
    state_in(n->part, N_PARTS, f->state, of, 3);
    if (n->kept) weights_in(n->part, N_PARTS, f->weights, n->kept);
}

static void give(const Net *n, Fit *f)
{
    real *const of[] = { n->w, n->m, n->v };
    int looked = n->n_held && f->h->best_iter;                  /* a plan of no iterations: never */
    weights_out(n->part, N_PARTS, looked ? n->kept : n->w, f->weights);
    if (f->want_state) state_out(n->part, N_PARTS, of, 3, f->state);
    if (looked) f->h->mse = f->h->valid[f->h->best_iter - 1];
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    const SnParams *p = params;
    const SnPlan *plan = f->plan;
    Net n;
    if (!plan->cells) {                            /* nothing to do */
        f->h->stopped = STOPPED_CLOSED;
        return ST_OK;
    }
    if (plan->cells != f->x.ncol) return ST_SHAPE;
    net_open(&n, p, &f->x, plan);
    n.seed = f->seed;
    net_take(a, &n, f->threads);
    double *mean = ARENA(a, double, n.G), *count = ARENA(a, double, n.G);
    if (a->failed) return ST_NOMEM;
    n.batches = n.n / n.B;
    look_at(&n, mean, count);
    start(&n, f, mean);
    Train train = { .learning_rate = p->learning_rate,
                    .valid_fraction = p->valid_fraction,
                    .max_iter = plan->iterations,
                    .batch_size = n.B,
                    .patience = p->patience,
                    .stop = n.n_held ? STOP_VALIDATION : STOP_NEVER };
    Network hooks = { &n, sn_forward, sn_update, keep, team };
    Crew crew = { .nets = &hooks,
                  .n_nets = 1,
                  .n_cells = n.n,
                  .keep_best = n.n_held > 0,
                  .full_batches = 1,
                  .between_ticks = 4 };
    Status st = nn_train(a, &train, &crew, f);
    if (st) return st;
    give(&n, f);
    return ST_OK;
}

/* ---- prediction: R ---- */

enum { AT_ONCE = 256 };
typedef struct { Net *nets; int *cells; char *want; double *out; } Job;

/* Cells first..first+cells-1, the blocks of genes that are asked for. */
static void predict_block(void *self, int thread, int first, int cells)
{
    Job *job = self;
    Net *n = job->nets + thread;
    size_t G = (size_t) n->G, B = (size_t) cells;
    rows_load(&n->in, n->x, job->cells + first, cells);
    sn_hidden(n, 0, B, n->room);
    for (int b = 0; b < gene_blocks(n->G); b++) {
        size_t w = block_width(n->G, b), g = (size_t) b * GENE_BLOCK;
        if (!job->want[b]) continue;
        sn_block_outputs(n, B, (size_t) b, n->xi, n->room->scratch);
        for (size_t r = 0; r < B; r++)
            for (size_t j = 0; j < w; j++)
                job->out[((size_t) first + r) * G + g + j] = (double) n->xi[r * w + j];
    }
}

static Status predict(Arena *a, const void *params, const Predict *p)
{
    int threads = p->threads, blocks = gene_blocks(p->x.nrow);
    size_t G = (size_t) p->x.nrow;
    Net all;
    Job job = { ARENA(a, Net, threads), ARENA(a, int, p->x.ncol), ARENA(a, char, blocks), p->out };
    net_open(&all, params, &p->x, p->plan);
    all.w = ARENA(a, real, all.places);
    for (int t = 0; t < threads && !a->failed; t++) {
        Net *n = job.nets + t;
        *n = all;
        rows_take(a, &n->in, AT_ONCE, all.longest * AT_ONCE);
        n->h1 = ARENA(a, real, all.panels * AT_ONCE * PANEL);
        n->xi = ARENA(a, real, AT_ONCE * GENE_BLOCK);
        n->room = ARENA(a, Room, 1);
        if (!a->failed) n->room->scratch = ARENA(a, real, GEMM_SCRATCH);
    }
    if (a->failed) return ST_NOMEM;
    weights_in(all.part, N_PARTS, p->weights, all.w);
    for (size_t g = 0; g < G; g++) if (!p->wanted || p->wanted[g]) job.want[g / GENE_BLOCK] = 1;
    for (int c = 0; c < p->x.ncol; c++) job.cells[c] = c;
    predict_blocks(p->x.ncol, AT_ONCE, threads, p->tick, predict_block, &job);
    return ST_OK;
}

static int shape(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    int linear = ((const SnParams *) params)->predictor == PREDICTOR_LINEAR;
    const SnPlan *p = plan;
    Part part[N_PARTS];
    parts_of(part, n_genes, p->hidden, p->clusters, linear);
    return weights_shape(part, N_PARTS, k + (k >= W4 && linear ? 2 : 0), s);     /* no W4, b4 */
}

static const Field *odd(const void *params, const void *plan, int n_genes)
{
    const SnPlan *p = plan;
    enum { CELLS, CLUSTERS, LATENT, HIDDEN, BATCH, ITERATIONS, LABELS, UNITS };
    (void) params; (void) n_genes;
    if (p->labels.n != (size_t) p->cells) return plan_fields + LABELS;
    for (size_t k = 0; k < p->labels.n; k++)
        if (p->labels.at[k] >= p->clusters) return plan_fields + LABELS;
    if (p->units.n != (size_t) p->cells * (size_t) p->latent) return plan_fields + UNITS;
    return p->cells && p->batch > p->cells ? plan_fields + BATCH : NULL;
}

static int max_iter(const void *params, const void *plan)
{
    (void) params;
    return ((const SnPlan *) plan)->iterations;
}

const Model model_scinn = { .name = "scinn", .fields = fields, .params_size = sizeof(SnParams),
                            .plan_fields = plan_fields, .plan_size = sizeof(SnPlan), .odd = odd,
                            .shape = shape, .max_iter = max_iter, .state_per_weight = 3,
                            .curves = "cluster|similarity|reconstruction|zero", .fit = fit,
                            .predict = predict };
