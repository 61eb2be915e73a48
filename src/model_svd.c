/* A truncated singular value decomposition of log(1 + count / size), not centred: a cell's
 * logarithms are replaced by their projection on the leading left singular vectors U of the fitted
 * cells,
 *   mu = size expm1(max(0, U U' log(1 + x / size))),  size = total / usual
 * (`usual` from the plan). Counts come and go as they are. Work of a fit: mf_leading().
 */
#include <math.h>
#include "mf.h"
#include "nn.h"
#include "prior.h"

typedef struct { int rank; } Params;
typedef struct { double usual; int rank; } Plan;

static const Field fields[] = { F_INT(Params, "rank", rank, 1, 1000), F_END };
static const Field plan_fields[] = {
    F_REAL(Plan, "usual", usual, 1e-300, 1e300), F_INT(Plan, "rank", rank, 1, 1000),
    F_END
};

static int shape(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    (void) params;
    *s = (Shape) { "vectors", n_genes, ((const Plan *) plan)->rank };
    return k < 1;
}

static int extras(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    (void) params; (void) n_genes;
    *s = (Shape) { "values", ((const Plan *) plan)->rank, 1 };
    return k < 1;
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    (void) params;
    const Plan *plan = f->plan;
    size_t genes = (size_t) f->x.nrow, r = (size_t) plan->rank;
    double *logs = ARENA(a, double, f->x.p[f->x.ncol] + 1), *u = ARENA(a, double, genes * r);
    if (a->failed) return ST_NOMEM;
    for (int c = 0; c < f->x.ncol; c++) cell_logs(&f->x, c, plan->usual, logs + f->x.p[c]);
    Sparse y = f->x;
    y.x = logs;
    SvdTask task = { .y = &y, .r = plan->rank, .seed = f->seed, .threads = f->threads,
                     .tick = f->tick };
    Status st = mf_leading(a, &task, u, f->extras);
    if (st) return st;
    for (size_t k = 0; k < r; k++)
        for (size_t g = 0; g < genes; g++) f->weights[k * genes + g] = u[g * r + k];
    f->h->stopped = STOPPED_CLOSED;
    return ST_OK;
}

typedef struct { const Predict *p; size_t r; const double *turn, *scores; double usual; } Filling;

static void fill(void *self, int thread, int first, int n)
{
    const Filling *w = self;
    size_t genes = (size_t) w->p->x.nrow;
    (void) thread;
    for (int c = first; c < first + n; c++) {
        double *out = w->p->out + (size_t) c * genes, size = cell_total(&w->p->x, c) / w->usual;
        const double *z = w->scores + (size_t) c * w->r;
        for (size_t g = 0; g < genes; g++) {
            if (w->p->wanted && !w->p->wanted[g]) continue;
            double v = 0;
            for (size_t k = 0; k < w->r; k++) v += z[k] * w->turn[g * w->r + k];
            out[g] = v > 0 ? size * expm1(v) : 0;
        }
    }
}

static Status predict(Arena *a, const void *params, const Predict *p)
{
    (void) params;
    const Plan *plan = p->plan;
    size_t genes = (size_t) p->x.nrow, r = (size_t) plan->rank;
    double *turn = ARENA(a, double, genes * r), *scores = ARENA(a, double, r *(size_t) p->x.ncol);
    if (a->failed) return ST_NOMEM;
    by_rows(p->weights, genes, r, turn);
    cell_scores(&p->x, 0, p->x.ncol, plan->usual, turn, plan->rank, p->threads, scores);
    Filling w = { p, r, turn, scores, plan->usual };
    predict_blocks(p->x.ncol, 64, p->threads, p->tick, fill, &w);
    return ST_OK;
}

const Model model_svd = { .name = "svd",
                          .fields = fields,
                          .params_size = sizeof(Params),
                          .plan_fields = plan_fields,
                          .plan_size = sizeof(Plan),
                          .shape = shape,
                          .extras = extras,
                          .fit = fit,
                          .predict = predict };
