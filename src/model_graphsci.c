/* GraphSCI: a graph network over genes whose latent gene x gene matrix is the first layer of an
 * autoencoder over cells. Rao, Zhou, Lu, Zhao, Yang, "Imputing single-cell RNA-seq data by
 * combining graph convolution and autoencoder neural networks", iScience 24:102393 (2021); shapes,
 * constants and cost are those of the authors' code.
 *
 *   X: log(1 + count/size), per gene centred and of sd 1;  Ah = D^-1/2 (A + I) D^-1/2
 *   T1 = Ah (F W0), H1 = tanh(T1);  T2 = Ah (H1 W1), H2 = relu(T2);  Qa, Qb = Ah H2 (own dropouts)
 *   mu = Qa Wm, s = Qb Ws;  Z = mu + eps exp(s);  V = W o Z
 *   E0 = relu(X V + b);  E1 = relu(BN(E0 U1));  E2 = relu(BN(E1 U2))
 *   heads BN(E2 Up), BN(E2 Ut), BN(E2 Um): zero inflation, theta, log mean (nn_zinb.c)
 *   J = edges against Z + likelihood + divergence of Z + wd/(2M) mean (R - Y)^2
 *       + l2/2 of W and the Us
 *   latent = inner: mu, s, Z have 32 columns, the logits are Z Z', V = W o (Z Z')
 *   inner = edges: W is there where A + I is, and nowhere else
 *
 * Deviations from the code: labels are A + I, never above 1; L2 is in the cost; heads start at the
 * data; a share of the entries is left out of the likelihood, and tells when to stop; prediction
 * has no noise and batch norm of all cells. All are parameters. Pairs of genes that are held out
 * leave the graph and its labels, in both directions; they and as many other pairs tell how well
 * edges are found again.
 *
 * Memory: W and its moments, E0 (cells x genes), X where it is dense; mu, s, eps, Z, V, labels are
 * made tile by tile, noise again from the counter on the way back. X is a sparse matrix minus a
 * rank-one one where the counts are sparse. Sums over tiles go into CHUNKS fixed shares, added in
 * order: the bits depend on no number of threads.
 */
#include <math.h>
#include <string.h>
#include "graphsci_net.h"

static const Field fields[] = {
    F_REAL(GsParams, "learning.rate", learning_rate, 1e-8, 10),
    F_REAL(GsParams, "dropout", dropout, 0, 0.95),
    F_REAL(GsParams, "cell.dropout", cell_dropout, 0, 0.95),
    F_REAL(GsParams, "l2", l2, 0, 1e3),
    F_REAL(GsParams, "mse.weight", mse_weight, 0, 1e6),
    F_REAL(GsParams, "valid.fraction", valid_fraction, 0, 0.5),
    F_CHOICE(GsParams, "dist", dist, "zinb|nb"),
    F_CHOICE(GsParams, "latent", latent, "code|inner"),
    F_CHOICE(GsParams, "inner", inner, "full|edges"),
    F_CHOICE(GsParams, "init", init, "data|reference"),
    F_CHOICE(GsParams, "stop", stop, "validation|cost|none"),
    F_INT(GsParams, "patience", patience, 1, 1e6),
    F_CHOICE(GsParams, "eval", eval, "batch|reference"),
    F_INT(GsParams, "n.draws", n_draws, 0, 1000),
    F_FLAG(GsParams, "scale", scale),
    F_END
};

/* ---- an epoch ---- */

enum { DRAWS = 1 << 30 };                     /* epochs of the noise at prediction */
/* the last is no part of the cost */
enum { J_EDGES, J_LIKELIHOOD, J_DIVERGENCE, J_ERROR, EDGE_AUC, J_PARTS = EDGE_AUC };

static void forward(Net *n)
{
    gs_graph_forward(n);
    gs_layers_forward(n);
}

/* The parts of the cost at the weights before the step, and the step. */
static void epoch(Net *n, double part[CURVES], double *penalty)
{
    static const int shrinks[N_BLOCKS] = {
        [W] = 1, [U1] = 1, [U2] = 1, [UP] = 1, [UT] = 1, [UM] = 1
    };
    size_t N = (size_t) n->N;
    double squared = 0;
    memset(part, 0, CURVES * sizeof *part);
    forward(n);
    gs_heads(n);
    gs_layers_back(n);
    for (int k = n->on_edges ? W : U1; k < N_BLOCKS; k++)
        if (shrinks[k] && (n->inflated || k != UP))
            squared += gs_squares(part_of(n, k), n->at.at[k + 1] - n->at.at[k]);
    gs_tiles_back(n);
    gs_graph_back(n);
    for (int t = 0; t < n->tiles; t++) {
        part[J_EDGES] += (double) n->cost.edge * n->sums[3 * t];
        part[J_DIVERGENCE] += n->sums[3 * t + 1] / ((double) N * (double) N);
        squared += n->sums[3 * t + 2];
    }
    for (size_t k = 0; n->inner && k < N * H2; k++) {
        double m = (double) n->mu[k], s = (double) n->s[k];
        part[J_DIVERGENCE] += 0.5 * (m * m + exp(2 * s) - 1 - 2 * s) / ((double) N * (double) N);
    }
    for (size_t b = 0; b < head_blocks(n); b++) {
        const double *sums = n->sums + 3 * (size_t) n->tiles + 2 * b;
        part[J_LIKELIHOOD] += sums[0] / n->n_in;
        part[J_ERROR] += n->p->mse_weight / (2 * n->M) * sums[1] / n->n_in;
    }
    *penalty = n->p->l2 / 2 * squared;
    for (int k = n->on_edges ? W : W0; k < N_BLOCKS; k++) {
        Optim o = n->opt;
        if (!n->inflated && (k == UP || k == GP || k == BP)) continue;
        o.decay = shrinks[k] ? n->p->l2 : 0;
        gs_step(n, &o, n->at.at[k], grad_of(n, k), n->at.at[k + 1] - n->at.at[k]);
    }
}

/* ---- a look at the result so far ---- */

/* The weights as they are at prediction, into the result: the mean of Z, or draws of it. */
static void take(Net *n, const Result *now)
{
    int epoch = n->epoch, as_reference = n->p->eval == EVAL_REFERENCE;
    n->noise = as_reference || n->p->n_draws > 0;
    n->drop = n->reference = as_reference;
    for (int d = 0; d < now->draws; d++) {
        n->epoch = DRAWS + d;
        forward(n);
        gs_keep(n, now, d);
    }
    n->epoch = epoch;
    n->noise = n->drop = 1;
    n->reference = 0;
}

/* Probability of a pair, the mean over both directions. */
static double pair_score(const Result *r, size_t N, int inner, int i, int j)
{
    double a = 0, b = 0;
    for (size_t l = 0; l < H2; l++) {
        double qi = r->Qa[l * N + (size_t) i], qj = r->Qa[l * N + (size_t) j];
        a += qi * (inner ? qj : r->Wm[(size_t) j * H2 + l]);
        b += qj * (inner ? qi : r->Wm[(size_t) i * H2 + l]);
    }
    return (1 / (1 + exp(-a)) + 1 / (1 + exp(-b))) / 2;
}

/* Area under the ROC curve: the share of (held-out edge, other pair) in which the edge is more
 * probable; ties are halves. */
static double edge_auc(const Net *n, const Result *r, double *scores)
{
    size_t held = gs_pairs(n->plan);
    const int *pair = n->plan->pairs.at;
    double more = 0;
    for (size_t k = 0; k < 2 * held; k++)
        scores[k] = pair_score(r, (size_t) n->N, n->inner, pair[2 * k], pair[2 * k + 1]);
    sort_values(scores + held, held);
    sort_values(scores, held);
    for (size_t k = 0, below = 0, up_to = 0; k < held; k++) {
        while (below < held && scores[held + below] < scores[k]) below++;
        while (up_to < held && scores[held + up_to] <= scores[k]) up_to++;
        more += (double) (below + up_to) / 2;
    }
    return held ? more / ((double) held * (double) held) : NAN;
}

/* ---- fit ---- */

enum { EVERY = 10 };

static size_t n_state(const void *params, int n_genes, const void *plan)
{
    const GsParams *p = params;
    Fit f = { .x = { .nrow = n_genes, .ncol = ((const GsPlan *) plan)->cells }, .plan = plan };
    return 3 * gs_net(p, &f).at.at[N_BLOCKS];
}

/* Weights and moments, to and from the state that R keeps. */
static void state_of(Net *n, double *state, int back)
{
    size_t len = n->at.at[N_BLOCKS];
    real *const of[] = { n->w, n->m, n->v };
    for (int k = 0; k < 3; k++)
        for (size_t j = 0; j < len; j++)
            if (back) of[k][j] = (real) state[(size_t) k * len + j];
            else state[(size_t) k * len + j] = (double) of[k][j];
}

/* The mean cost of the last 10 epochs is not below that of the 10 before by a ten-thousandth. */
static int settled(const double *train, int e)
{
    double last = 0, before = 0;
    if (e < 2 * EVERY || e % EVERY) return 0;
    for (int k = 1; k <= EVERY; k++) { last += train[e - k]; before += train[e - k - EVERY]; }
    return before - last < 1e-4 * fabs(before);
}

typedef struct {
    Net n;
    Fit *f;
    double *now, *scores, best;  /* a result as it would be now; its held-out loss at the best */
    size_t all;
    Result result;
    int epochs, stops;               /* stops: by the held-out entries */
} Run;

/* What a fit to go on from has behind it. */
static void pick_up(Run *r)
{
    History *h = r->f->h;
    h->n_iter = h->done;
    for (int e = 1; e <= h->done; e++) {
        /* a look at the last epoch of a fit that was to end there is none of the longer fit */
        if (e % EVERY) h->valid[e - 1] = h->part[(size_t) (e - 1) * CURVES + EDGE_AUC] = NAN;
        else if (r->stops && h->valid[e - 1] < r->best) {
            r->best = h->valid[e - 1];
            h->best_iter = e;
        }
    }
    if (h->done) { state_of(&r->n, r->f->state, 1); r->n.opt.t = h->done; }
    h->stopped = STOPPED_MAX;
}

/* One epoch, into the history. Is its cost finite? */
static int go_on(Run *r, int e)
{
    History *h = r->f->h;
    Net *n = &r->n;
    double *part = h->part + (size_t) (e - 1) * CURVES;
    n->epoch = e;
    n->opt.learning_rate = n->p->learning_rate * pow(0.9, (e - 1) / 50.0);
    optim_next(&n->opt);
    epoch(n, part, h->penalty + e - 1);
    h->train[e - 1] = h->penalty[e - 1];
    for (int k = 0; k < J_PARTS; k++) h->train[e - 1] += part[k];
    h->valid[e - 1] = part[EDGE_AUC] = NAN;
    h->n_iter = e;
    return isfinite(h->train[e - 1]) != 0;
}

/* Is the result of epoch e to be looked at? */
static int looks(const Run *r, int e, int last, int pause)
{
    int every = e % EVERY == 0 && (r->n.n_held > 0 || gs_pairs(r->n.plan));
    return every || (last && !pause && (!r->stops || !r->f->h->best_iter));
}

/* The result as it is now: its held-out loss and edges, kept when it is the best. Is the loss
 * finite? */
static int look(Run *r, int e)
{
    History *h = r->f->h;
    take(&r->n, &r->result);
    double held = r->n.n_held > 0 ? gs_held(&r->n, &r->result) : NAN;
    h->valid[e - 1] = held;
    h->part[(size_t) (e - 1) * CURVES + EDGE_AUC] = edge_auc(&r->n, &r->result, r->scores);
    if (r->n.n_held > 0 && !isfinite(held)) return 0;
    if (!r->stops || held < r->best) {
        r->best = held;
        h->best_iter = e;
        memcpy(r->f->weights, r->now, r->all * sizeof *r->now);
    }
    return 1;
}

/* Epoch e; *last: none follows. */
static Status one_epoch(Run *r, int e, int *last)
{
    History *h = r->f->h;
    int good = go_on(r, e), pause = e == r->f->pause_at;
    *last = e == r->epochs || pause || !good;
    if (!*last && r->n.p->stop == UNTIL_COST && settled(h->train, e)) {
        h->stopped = STOPPED_WINDOW;
        *last = 1;
    }
    if (good && looks(r, e, *last, pause)) {
        good = look(r, e);
        if (r->stops && !*last && e - h->best_iter >= r->n.p->patience) {
            h->stopped = STOPPED_VALID;
            *last = 1;
        }
    }
    if (!good) {                                     /* what was good is kept */
        *last = 1;
        h->stopped = STOPPED_DIVERGED;
        return h->best_iter ? ST_OK : ST_DIVERGED;
    }
    Progress say = { e, r->epochs, h->best_iter ? h->best_iter : e, h->train[e - 1], r->best };
    r->f->tick.call(r->f->tick.ctx, &say);
    if (pause) h->stopped = STOPPED_PAUSE;
    return ST_OK;
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    const GsParams *p = params;
    const GsPlan *plan = f->plan;
    Run r = { .n = gs_net(p, f), .f = f, .best = INFINITY, .epochs = plan->iterations,
              .stops = p->stop == UNTIL_VALIDATION && p->valid_fraction > 0 };
    Net *n = &r.n;
    int last = 0;
    if (plan->cells != n->M) return ST_SHAPE;
    gs_take(a, n);
    r.all = model_weights(model_find("graphsci"), p, n->N, f->plan);
    r.now = ARENA(a, double, r.all);
    r.scores = ARENA(a, double, 2 * gs_pairs(plan) + 1);
    if (a->failed) return ST_NOMEM;
    r.result = gs_result(r.now, f->extras, (size_t) n->N, (size_t) n->M, p);
    gs_ready(n);
    for (int c = 0; c < n->M; c++) {
        r.result.size[c] = n->size[c];
        cell_key(n->y, c, r.result.keys + 2 * (size_t) c);
    }
    pick_up(&r);
    for (int e = f->h->done + 1; e <= r.epochs && !last; e++) {
        Status st = one_epoch(&r, e, &last);
        if (st) return st;
    }
    if (f->want_state) state_of(n, f->state, 0);
    return ST_OK;
}

/* ---- prediction: mean times size, of cells of the fit ---- */

static Status predict(Arena *a, const void *params, const Predict *job)
{
    const GsParams *p = params;
    size_t N = (size_t) job->x.nrow, M = (size_t) ((const GsPlan *) job->plan)->cells;
    int n = job->x.ncol, *known = ARENA(a, int, n);
    if (a->failed) return ST_NOMEM;
    Result r = gs_result((double *) (uintptr_t) job->weights,
                         (double *) (uintptr_t) job->extras, N, M, p);
    Status st = cells_known(a, &job->x, r.keys, (int) M, known);
    if (st) return st;
    PARALLEL_FOR(job->threads)
    for (int c = 0; c < n; c++)
        for (size_t g = 0; g < N; g++) {
            double *out = job->out + (size_t) c * N + g;
            *out = known[c] ? 0 : NAN;
            if (!known[c] || (job->wanted && !job->wanted[g])) continue;
            for (int d = 0; d < r.draws; d++) {
                double o = gs_head(&r, 0, d, N, M, (size_t) known[c] - 1, g);
                *out += exp(fmin(fmax(o, log(1e-5)), log(1e6)));
            }
            *out *= r.size[known[c] - 1] / r.draws;
        }
    tick_idle(job->tick);
    return ST_OK;
}

static int shape(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    const GsParams *p = params;
    int M = ((const GsPlan *) plan)->cells, K = gs_draws(p), inner = p->latent == LATENT_INNER;
    const Shape all[] = { { "E2", M, H2 * K }, { "P", H2 * K, n_genes }, { "p0", n_genes, K },
                          { "T", H2 * K, n_genes }, { "t0", n_genes, K }, { "D", H2 * K, n_genes },
                          { "d0", n_genes, K }, { inner ? "Z" : "Qa", n_genes, H2 },
                          { "Wm", H2, inner ? 0 : n_genes } };
    if (k >= 9) return 0;
    *s = all[k];
    return 1;
}

/* Size and fingerprint of each cell. */
static int extras(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    int M = ((const GsPlan *) plan)->cells;
    const Shape all[] = { { "sf", M, 1 }, { "cells", 2, M } };
    (void) params; (void) n_genes;
    if (k >= 2) return 0;
    *s = all[k];
    return 1;
}

static int max_iter(const void *params, const void *plan)
{
    (void) params;
    return ((const GsPlan *) plan)->iterations;
}

const Model model_graphsci = { .name = "graphsci", .fields = fields,
                               .params_size = sizeof(GsParams), .plan_fields = gs_plan_fields,
                               .plan_size = sizeof(GsPlan), .odd = gs_odd, .shape = shape,
                               .extras = extras, .max_iter = max_iter, .state = n_state,
                               .curves = "adjacency|expression|divergence|error|edge.auc",
                               .fit = fit, .predict = predict };
