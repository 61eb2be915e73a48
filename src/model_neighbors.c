/* The mean of the nearest cells: what the k most similar other cells hold, pooled.
 *
 *   scores       of a cell with normalised counts x: s = R' log(1 + x), R genes x dims, the leading
 *                left singular vectors of the fitted cells' logarithms (made in R), or the user's
 *                own coordinates of the fitted cells
 *   neighbours   the k fitted cells with counts of least |s - s_j|, the cell itself left out where
 *                it is one of them; equal distances: the earlier cell
 *   prediction   pooled counts over pooled totals: sum_j t_j x_gj / sum_j t_j, t the totals, on the
 *                scale of x
 *
 * Nothing is learnt: what a fit holds is the fitted cells (their counts are in its plan, sparse),
 * and their fingerprints, by which they are known again. Without R other cells have no scores and
 * get NaN. Work: cells x fitted cells x dims.
 */
#include <limits.h>
#include <math.h>
#include "nn.h"

typedef struct { int k; } Params;
typedef struct {
    int cells, dims;
    Reals rotation, scores, totals;      /* R (empty: none), dims x cells, cells */
    Ints p, i;                           /* the fitted cells' normalised counts, a Sparse */
    Reals x;
} Plan;

static const Field fields[] = { F_INT(Params, "k", k, 1, 1e6), F_END };
static const Field plan_fields[] = {
    F_INT(Plan, "cells", cells, 1, INT_MAX), F_INT(Plan, "dims", dims, 1, 1e4),
    F_REALS(Plan, "rotation", rotation, -1e300, 1e300, 0, ANY_LENGTH),
    F_REALS(Plan, "scores", scores, -1e300, 1e300, 1, ANY_LENGTH),
    F_REALS(Plan, "totals", totals, 0, 1e300, 1, ANY_LENGTH),
    F_INTS(Plan, "p", p, 0, INT_MAX, 2, ANY_LENGTH),
    F_INTS(Plan, "i", i, 0, INT_MAX, 0, ANY_LENGTH),
    F_REALS(Plan, "x", x, 0, 1e300, 0, ANY_LENGTH),
    F_END
};
enum { ROTATION = 2, SCORES, TOTALS, AT_P, AT_I, AT_X };

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
    const Plan *plan;
    Sparse of;                           /* the fitted cells */
    const int *known;                    /* of each new cell: 1 + the fitted one it is, or 0 */
    int k;                               /* neighbours wanted, no more than there are cells */
    double *score, *far;                 /* of each thread: dims, k distances */
    int *near;                           /* of each thread: k cells, the farthest first (a heap) */
} Search;

/* Is neighbour b farther than a? Of equal ones the later cell is. */
static int farther(double far_a, int a, double far_b, int b)
{
    return far_b > far_a || (far_b == far_a && b > a);
}

/* Cell j at this distance into the heap of n, in the place `at` or below it. */
static void sink(double *far, int *near, int n, int at, double distance, int j)
{
    for (int child = 2 * at + 1; child < n; at = child, child = 2 * at + 1) {
        if (child + 1 < n && farther(far[child], near[child], far[child + 1], near[child + 1]))
            child++;
        if (!farther(distance, j, far[child], near[child])) break;
        far[at] = far[child];
        near[at] = near[child];
    }
    far[at] = distance;
    near[at] = j;
}

static void rise(double *far, int *near, int at, double distance, int j)
{
    while (at) {
        int up = (at - 1) / 2;
        if (!farther(far[up], near[up], distance, j)) break;
        far[at] = far[up];
        near[at] = near[up];
        at = up;
    }
    far[at] = distance;
    near[at] = j;
}

/* Scores of a cell: its own where it is known, or its logarithms turned. 0: there are none. */
static int scored(const Search *s, int c, double *to)
{
    size_t d = (size_t) s->plan->dims, n = (size_t) s->of.nrow;
    const Sparse *x = &s->p->x;
    const double *turn = s->plan->rotation.at;
    if (s->known[c]) {
        const double *own = s->plan->scores.at + (size_t) (s->known[c] - 1) * d;
        for (size_t k = 0; k < d; k++) to[k] = own[k];
        return 1;
    }
    if (!s->plan->rotation.n) return 0;
    for (size_t k = 0; k < d; k++) to[k] = 0;
    for (int e = x->p[c]; e < x->p[c + 1]; e++) {
        double log = log1p(x->x[e]);
        for (size_t k = 0; k < d; k++) to[k] += turn[k * n + (size_t) x->i[e]] * log;
    }
    return 1;
}

/* The neighbours of a cell with these scores, into the heap; how many. */
static int neighbours(const Search *s, int self, const double *score, double *far, int *near)
{
    size_t d = (size_t) s->plan->dims;
    int n = 0;
    for (int j = 0; j < s->of.ncol; j++) {
        if (j + 1 == self || !(s->plan->totals.at[j] > 0)) continue;
        const double *other = s->plan->scores.at + (size_t) j * d;
        double distance = 0;
        for (size_t k = 0; k < d; k++) distance += (score[k] - other[k]) * (score[k] - other[k]);
        if (n < s->k) rise(far, near, n++, distance, j);
        else if (farther(distance, j, far[0], near[0])) sink(far, near, n, 0, distance, j);
    }
    return n;
}

/* Their pooled counts over their pooled totals, cells in rising order, so that the sum does not
 * depend on the search. Few cells: sorted by insertion. */
static void pooled(const Search *s, int *near, int n, double *out)
{
    double total = 0;
    for (int a = 1; a < n; a++)
        for (int b = a; b && near[b - 1] > near[b]; b--) {
            int swap = near[b];
            near[b] = near[b - 1];
            near[b - 1] = swap;
        }
    for (int g = 0; g < s->of.nrow; g++) out[g] = 0;
    for (int a = 0; a < n; a++) {
        double t = s->plan->totals.at[near[a]];
        total += t;
        for (int e = s->of.p[near[a]]; e < s->of.p[near[a] + 1]; e++)
            out[s->of.i[e]] += t * s->of.x[e];
    }
    for (int g = 0; g < s->of.nrow; g++) out[g] = total > 0 ? out[g] / total : NAN;
}

static void work(void *self, int thread, int first, int n)
{
    const Search *s = self;
    double *score = s->score + (size_t) thread * (size_t) s->plan->dims;
    double *far = s->far + (size_t) thread * (size_t) s->k;
    int *near = s->near + (size_t) thread * (size_t) s->k;
    for (int c = first; c < first + n; c++) {
        double *out = s->p->out + (size_t) c * (size_t) s->of.nrow;
        int found = scored(s, c, score) ? neighbours(s, s->known[c], score, far, near) : 0;
        pooled(s, near, found, out);
    }
}

static Status predict(Arena *a, const void *params, const Predict *p)
{
    const Plan *plan = p->plan;
    int k = ((const Params *) params)->k, *known = ARENA(a, int, p->x.ncol);
    if (k > plan->cells) k = plan->cells;
    size_t threads = (size_t) p->threads;
    Search s = { .p = p, .plan = plan, .of = fitted(plan, p->x.nrow), .known = known, .k = k,
                 .score = ARENA(a, double, threads * (size_t) plan->dims),
                 .far = ARENA(a, double, threads * (size_t) k),
                 .near = ARENA(a, int, threads * (size_t) k) };
    if (a->failed) return ST_NOMEM;
    Status st = cells_known(a, &p->x, p->extras, plan->cells, known);
    if (st) return st;
    predict_blocks(p->x.ncol, 64, p->threads, p->tick, work, &s);
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
