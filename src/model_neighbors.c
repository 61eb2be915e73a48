/* The mean of the nearest cells: what the k most similar other cells hold, pooled.
 *
 *   scores       of a cell: s = R' log(1 + count / size), R genes x dims, the leading left singular
 *                vectors of the fitted cells' logarithms (made in R), or the user's own coordinates
 *                of the fitted cells; size = total / usual
 *   neighbours   the k fitted cells with counts of least |s - s_j|, the cell itself left out where
 *                it is one of them; equal distances: the earlier cell
 *   prediction   total of the cell times pooled counts over pooled totals: t sum_j x_gj / sum_j t_j
 *
 * Nothing is learnt: what a fit holds is the fitted cells (their counts are in its plan, sparse),
 * and their fingerprints, by which they are known again. Without R other cells have no scores and
 * get NaN. Work: cells x fitted cells x dims.
 */
#include <limits.h>
#include <math.h>
#include "nn.h"
#include "prior.h"

typedef struct { int k; } Params;
typedef struct {
    int cells, dims;
    double usual;
    Reals rotation, scores, totals;      /* R (empty: none), dims x cells, cells */
    Ints p, i;                           /* the fitted cells' counts, a Sparse */
    Reals x;
} Plan;

static const Field fields[] = { F_INT(Params, "k", k, 1, 1e6), F_END };
static const Field plan_fields[] = {
    F_INT(Plan, "cells", cells, 1, INT_MAX), F_INT(Plan, "dims", dims, 1, 1e4),
    F_REAL(Plan, "usual", usual, 1e-300, 1e300),
    F_REALS(Plan, "rotation", rotation, -1e300, 1e300, 0, ANY_LENGTH),
    F_REALS(Plan, "scores", scores, -1e300, 1e300, 1, ANY_LENGTH),
    F_REALS(Plan, "totals", totals, 0, 1e300, 1, ANY_LENGTH),
    F_INTS(Plan, "p", p, 0, INT_MAX, 2, ANY_LENGTH),
    F_INTS(Plan, "i", i, 0, INT_MAX, 0, ANY_LENGTH),
    F_REALS(Plan, "x", x, 0, 1e300, 0, ANY_LENGTH),
    F_END
};
enum { ROTATION = 3, SCORES, TOTALS, AT_P, AT_I, AT_X };

static Sparse fitted(const Plan *plan, int n_genes)
{
    return (Sparse) { n_genes, plan->cells, plan->p.at, plan->i.at, plan->x.at };
}

static const Field *odd(const void *params, const void *of, int n_genes)
{
    (void) params;
    const Plan *plan = of;
    size_t n = (size_t) plan->cells, d = (size_t) plan->dims;
    if (plan->rotation.n && plan->rotation.n != (size_t) n_genes * d) return plan_fields + ROTATION;
    if (plan->scores.n != n * d) return plan_fields + SCORES;
    if (plan->totals.n != n) return plan_fields + TOTALS;
    if (plan->p.n != n + 1) return plan_fields + AT_P;
    if (plan->x.n != plan->i.n) return plan_fields + AT_X;
    Sparse s = fitted(plan, n_genes);
    return sparse_check(&s, plan->i.n) == ST_OK ? NULL : plan_fields + AT_I;
}

static int no_weights(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    (void) params; (void) n_genes; (void) plan; (void) k; (void) s;
    return 0;
}

static int fingerprints(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    (void) params; (void) n_genes;
    *s = (Shape) { "cells", 2, ((const Plan *) plan)->cells };
    return k < 1;
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    (void) a; (void) params;
    for (int c = 0; c < f->x.ncol; c++) cell_key(&f->x, c, f->extras + 2 * (size_t) c);
    f->h->stopped = STOPPED_CLOSED;
    return ST_OK;
}

/* ---- prediction ---- */

typedef struct {
    const Predict *p;
    Sparse of;                           /* the fitted cells */
    const double *totals;
    int k;
    const int *near;
} Pooling;

static void work(void *self, int thread, int first, int n)
{
    const Pooling *w = self;
    size_t G = (size_t) w->of.nrow;
    (void) thread;
    for (int c = first; c < first + n; c++) {
        double *out = w->p->out + (size_t) c * G, total = 0, own = cell_total(&w->p->x, c);
        const int *near = w->near + (size_t) c * (size_t) w->k;
        for (size_t g = 0; g < G; g++) out[g] = 0;
        for (int j = 0; j < w->k && near[j] >= 0; j++) {
            total += w->totals[near[j]];
            for (int e = w->of.p[near[j]]; e < w->of.p[near[j] + 1]; e++)
                out[w->of.i[e]] += w->of.x[e];
        }
        for (size_t g = 0; g < G; g++) out[g] = total > 0 ? own * (out[g] / total) : NAN;
    }
}

/* Scores: of known cells their own, of others their logarithms turned, or none (NaN). */
static void place(const Plan *plan, const Predict *p, const int *known, const double *turn,
                  double *scores)
{
    size_t d = (size_t) plan->dims;
    for (int c = 0; c < p->x.ncol; c++) {
        double *to = scores + (size_t) c * d;
        const double *own = plan->scores.at + (size_t) (known[c] ? known[c] - 1 : 0) * d;
        if (!known[c] && turn) cell_scores(&p->x, c, 1, plan->usual, turn, plan->dims, 1, to);
        else for (size_t k = 0; k < d; k++) to[k] = known[c] ? own[k] : NAN;
    }
}

static Status predict(Arena *a, const void *params, const Predict *p)
{
    const Plan *plan = p->plan;
    int n = p->x.ncol, k = ((const Params *) params)->k, *known = ARENA(a, int, n);
    if (k > plan->cells) k = plan->cells;
    size_t d = (size_t) plan->dims;
    double *scores = ARENA(a, double, d * (size_t) n),
           *turn = plan->rotation.n ? ARENA(a, double, plan->rotation.n) : NULL;
    int *near = ARENA(a, int, (size_t) k * (size_t) n);
    if (a->failed) return ST_NOMEM;
    Status st = cells_known(a, &p->x, p->extras, plan->cells, known);
    if (st) return st;
    if (turn) by_rows(plan->rotation.at, (size_t) p->x.nrow, d, turn);
    place(plan, p, known, turn, scores);
    Places places = { plan->cells, plan->dims, plan->scores.at, plan->totals.at };
    st = near_find(a, &places, scores, known, n, k, p->threads, p->tick, near);
    if (st) return st;
    Pooling w = { p, fitted(plan, p->x.nrow), plan->totals.at, k, near };
    predict_blocks(n, 64, p->threads, p->tick, work, &w);
    return ST_OK;
}

const Model model_neighbors = { .name = "neighbors",
                                .fields = fields,
                                .params_size = sizeof(Params),
                                .plan_fields = plan_fields,
                                .plan_size = sizeof(Plan),
                                .odd = odd,
                                .shape = no_weights,
                                .extras = fingerprints,
                                .fit = fit,
                                .predict = predict };
