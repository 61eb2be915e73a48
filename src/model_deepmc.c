/* deepMc: matrix completion with a product of several factors.
 * Mongia, Sengupta, Majumdar, "deepMc: deep matrix completion for imputation of single-cell RNA-seq
 * data", Journal of Computational Biology 27 (2020), preprint bioRxiv 387621 (2018).
 *
 *   minimise  sum over the non-zeros of (y - x)^2,  X = D1 D2 ... DN Z   (eq. 3, 7)
 *   Y = log2(1 + normalised count)
 *
 * by majorisation, block by block in the order D1, ..., DN, Z (mf_block.c). The paper leaves ranks,
 * start, step, order and end to its supplement; what is used, and options beyond the paper:
 *   start        singular vectors of the zero-filled Y: D1 = U, D2 ... = I, Z = S V'
 *   end          after ceil(10/(p K)) sweeps, p the share of non-zeros, K = N + 1, at least 5, at
 *                most 100: without a penalty the number of sweeps is what regularises
 *   balance      factors are scaled to equal norms after each sweep, X unchanged; the authors' code
 *                for another problem normalises columns, which lets the objective rise
 *   zero.weight  weight of all zeros over that of all non-zeros; the paper: 0
 *   lambda       ridge on all factors; the paper: 0. NA: tau^(2 - 2/K),
 *                tau = scale sigma sqrt(p) (sqrt(m) + sqrt(n)), sigma the residual standard
 *                deviation of an additive gene and cell model
 *   accelerate   Anderson's mixing of six sweeps, taken when the objective is no larger
 *   nonneg       factors without negative entries, from a random start
 *   new cells    the minimiser over z with D1 ... DN fixed; cells of the fit are known by a
 *                fingerprint and keep their z
 */
#include <limits.h>
#include <math.h>
#include <string.h>
#include "deepmc.h"

static const Field fields[] = {
    F_CHOICE(McParams, "step", step, "mm|exact|exact.block"),
    F_REAL(McParams, "zero.weight", zero_weight, 0, 1e6),
    F_REAL_NA(McParams, "lambda", lambda, 0, 1e12),
    F_REAL(McParams, "lambda.scale", lambda_scale, 0, 1e6),
    F_REAL(McParams, "tol", tol, 0, 1),
    F_CHOICE(McParams, "init", init, "svd|mean|random"),
    F_FLAG(McParams, "nonneg", nonneg),
    F_FLAG(McParams, "accelerate", accelerate),
    F_INTS_FALLING(McParams, "ranks", ranks, 1, 1e4, 1, MF_LAYERS),
    F_END
};
static const Field plan_fields[] = {
    F_INT(McPlan, "cells", cells, 1, INT_MAX),
    F_INT(McPlan, "iterations", iterations, 1, 1e4),
    F_END
};

/* r[0] = genes, then the ranks, none above the shorter side of the matrix; returns how many. */
static int ranks_of(const McParams *p, const McPlan *plan, int n_genes, int r[MF_LAYERS + 1])
{
    int most = n_genes < plan->cells ? n_genes : plan->cells;
    r[0] = n_genes;
    for (size_t k = 0; k < p->ranks.n; k++)
        r[k + 1] = p->ranks.at[k] < most ? p->ranks.at[k] : most;
    return (int) p->ranks.n;
}

static Mf opened(const McParams *p, const Sparse *x, const McPlan *plan, int threads, Tick tick)
{
    Mf d = { .y = x, .step = (MfStep) p->step, .nonneg = p->nonneg, .threads = threads,
             .tick = tick };
    d.N = ranks_of(p, plan, x->nrow, d.r);
    return d;
}

/* ---- the natural layout: D1, ..., DN, Z; column-major ---- */

static void to_natural(const Mf *d, double *to)
{
    for (int k = 0; k < d->N; k++)
        for (int j = 0; j < d->r[k + 1]; j++)
            for (int i = 0; i < d->r[k]; i++)
                *to++ = d->F[k][(size_t) i * (size_t) d->r[k + 1] + (size_t) j];
    for (int c = 0; c < d->y->ncol; c++, to += d->r[d->N])
        memcpy(to, d->Z + (size_t) c * (size_t) d->R, (size_t) d->r[d->N] * sizeof *to);
}

/* D1 ... DN; what follows is returned */
static const double *from_natural(Mf *d, const double *from)
{
    for (int k = 0; k < d->N; k++)
        for (int j = 0; j < d->r[k + 1]; j++)
            for (int i = 0; i < d->r[k]; i++)
                d->F[k][(size_t) i * (size_t) d->r[k + 1] + (size_t) j] = *from++;
    return from;
}

/* ---- fit ---- */

static Status summarise(Arena *a, Mf *d, const McParams *p, double *summary)
{
    const Sparse *y = d->y;
    double m = y->nrow, n = y->ncol, share = y->p[y->ncol] / (m * n), K = d->N + 1;
    d->w0 = p->zero_weight > 0 ? share < 1 ? fmin(1, p->zero_weight * share / (1 - share)) : 1 : 0;
    Status st = isnan(p->lambda) ? mc_residual_sd(a, y, d->tick, summary + SIGMA) : ST_OK;
    double tau = p->lambda_scale * summary[SIGMA] * sqrt(share) * (sqrt(m) + sqrt(n));
    d->lambda = isnan(p->lambda) ? pow(tau, 2 - 2 / K) : p->lambda;
    summary[LAMBDA] = d->lambda;
    summary[W0] = d->w0;
    summary[SHARE] = share;
    return st;
}

/* What a sweep of all blocks does to the history. */
static Status sweep(Mf *d, History *h, int it, double *steps)
{
    d->moved = 0;
    for (int k = 0; k <= d->N; k++) {
        Status st = mf_block(d, k);
        if (st) return st;
        steps[(size_t) (it - 1) * (size_t) (d->N + 1) + (size_t) k] = d->t[k];
    }
    mf_rebalance(d);
    h->train[it - 1] = mf_data(d);
    h->penalty[it - 1] = mf_ridge(d);
    h->n_iter = h->best_iter = it;
    return isfinite(h->train[it - 1] + h->penalty[it - 1]) ? ST_OK : ST_DIVERGED;
}

/* The first factors, and what they are worth. */
static Status start(Arena *a, Mf *d, const McParams *p, uint64_t seed, double *summary)
{
    int passes = 0;
    Status st = ST_OK;
    if (p->init != INIT_RANDOM && !p->nonneg) st = mc_start_singular(a, d, p, seed, &passes);
    else mc_start_random(d, seed);
    if (st) return st;
    summary[START_PASSES] = passes;
    summary[START_DATA] = mf_data(d);
    summary[START_RIDGE] = mf_ridge(d);
    return ST_OK;
}

static Status sweeps_of(Mf *d, const McParams *p, Anderson *w, Fit *f, double *steps)
{
    History *h = f->h;
    int sweeps = ((const McPlan *) f->plan)->iterations;
    for (int it = 1; it <= sweeps && h->stopped == STOPPED_MAX; it++) {
        if (p->accelerate) mf_save(d, w->f);
        Status st = sweep(d, h, it, steps);
        if (st) return st;
        if (p->tol > 0 && sqrt(d->moved) <= p->tol * sqrt(mf_norm2(d)))
            h->stopped = STOPPED_SETTLED;
        else if (p->accelerate && it < sweeps)
            st = mc_accelerate(w, d, h->train[it - 1] + h->penalty[it - 1]);
        if (st) return st;
        Progress say = { it, sweeps, it, h->train[it - 1], 0 };
        f->tick.call(f->tick.ctx, &say);
    }
    return ST_OK;
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    const McParams *p = params;
    const McPlan *plan = f->plan;
    if (plan->cells != f->x.ncol) return ST_SHAPE;
    Mf d = opened(p, &f->x, plan, f->threads, f->tick);
    Anderson w = { .n = 0 };
    size_t n_keys = 2 * (size_t) plan->cells;
    size_t n_steps = (size_t) plan->iterations * (size_t) (d.N + 1);
    double *steps = f->extras + n_keys, *summary = steps + n_steps;
    mf_take(a, &d);
    if (p->accelerate && !a->failed) mc_take_anderson(a, &w, mf_state(&d));
    if (a->failed) return ST_NOMEM;
    for (int c = 0; c < f->x.ncol; c++) cell_key(&f->x, c, f->extras + 2 * (size_t) c);
    for (size_t k = 0; k < n_steps; k++) steps[k] = NAN;
    for (int k = 0; k < SUMMARY; k++) summary[k] = 0;
    Status st = summarise(a, &d, p, summary);
    if (st) return st;
    f->h->stopped = STOPPED_SETTLED;
    if (f->x.p[f->x.ncol]) {
        f->h->stopped = STOPPED_MAX;
        st = start(a, &d, p, f->seed, summary);
        if (!st) st = sweeps_of(&d, p, &w, f, steps);
        if (st) return st;
    }
    to_natural(&d, f->weights);
    return ST_OK;
}

/* ---- prediction ---- */

static Status predict(Arena *a, const void *params, const Predict *job)
{
    const McPlan *plan = job->plan;
    Mf d = opened(params, &job->x, plan, job->threads, job->tick);
    int n = job->x.ncol, T = job->threads, rN = d.r[d.N];
    mf_take_left(a, &d);
    double *normal = ARENA(a, double, (size_t) d.R * (size_t) d.R);
    int *known = ARENA(a, int, n), *want = ARENA(a, int, d.r[0]);
    if (a->failed) return ST_NOMEM;
    const double *Z = from_natural(&d, job->weights);
    const double *summary = job->extras + 2 * (size_t) plan->cells
                            + (size_t) plan->iterations * (size_t) (d.N + 1);
    d.lambda = summary[LAMBDA];
    d.w0 = summary[W0];
    mf_left(&d);
    Status found = cells_known(a, &job->x, job->extras, plan->cells, known);
    if (found) return found;
    for (int c = 0; c < n; c++) {
        size_t from = (size_t) job->x.p[c], entries = (size_t) job->x.p[c + 1] - from;
        double *z = d.Z + (size_t) c * (size_t) d.R;
        if (known[c]) memcpy(z, Z + (size_t) (known[c] - 1) * (size_t) rN, (size_t) rN * sizeof *z);
        else if (entries) {
            Status st = mf_new_cell(&d, job->x.i + from, job->x.x + from, entries, normal, z);
            if (st) return st;
            if (c % 64 == 0) tick_idle(job->tick);
        }
    }
    tick_idle(job->tick);
    int genes = 0;
    for (int g = 0; g < d.r[0]; g++) if (!job->wanted || job->wanted[g]) want[genes++] = g;
    PARALLEL_FOR(T)
    for (int c = 0; c < n; c++) {
        double *out = job->out + (size_t) c * (size_t) d.r[0];
        const double *z = d.Z + (size_t) c * (size_t) d.R;
        for (int k = 0; k < genes; k++)
            out[want[k]] = mf_dot(d.L + (size_t) want[k] * (size_t) d.R, z, (size_t) d.R);
    }
    return ST_OK;
}

static int shape(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    static const char *const names[] = { "D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8" };
    int r[MF_LAYERS + 1], N = ranks_of(params, plan, n_genes, r);
    if (k < N) *s = (Shape) { names[k], r[k], r[k + 1] };
    else *s = (Shape) { "Z", r[N], ((const McPlan *) plan)->cells };
    return k <= N;
}

static int extras(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    const McPlan *p = plan;
    int N = (int) ((const McParams *) params)->ranks.n;
    const Shape all[] = { { "cells", 2, p->cells }, { "steps", N + 1, p->iterations },
                          { "summary", SUMMARY, 1 } };
    (void) n_genes;
    if (k >= 3) return 0;
    *s = all[k];
    return 1;
}

static int max_iter(const void *params, const void *plan)
{
    (void) params;
    return ((const McPlan *) plan)->iterations;
}

const Model model_deepmc = { .name = "deepmc", .fields = fields, .params_size = sizeof(McParams),
                             .plan_fields = plan_fields, .plan_size = sizeof(McPlan),
                             .shape = shape, .extras = extras, .max_iter = max_iter, .fit = fit,
                             .predict = predict };
