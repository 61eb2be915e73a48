/* The trivial baselines, as models: what every other model has to beat.
 *   none      0 everywhere: with observed entries kept, the matrix as it came
 *   genemean  one number per gene: the mean over all cells (zeros counted), or over the cells in
 *             which it was detected
 */
#include "model.h"

typedef struct { int over; } Params;
enum { OVER_ALL, OVER_DETECTED };

static const Field none_fields[] = { F_END };
static const Field mean_fields[] = {
    F_CHOICE(Params, "over", over, "all|detected"),
    F_END
};

static int no_shape(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    (void) params; (void) n_genes; (void) plan; (void) k; (void) s;
    return 0;
}

static int mean_shape(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    (void) params; (void) plan;
    *s = (Shape) { "mean", n_genes, 1 };
    return k < 1;
}

static Status no_fit(Arena *a, const void *params, Fit *f)
{
    (void) a; (void) params;
    f->h->stopped = STOPPED_CLOSED;
    return ST_OK;
}

static Status mean_fit(Arena *a, const void *params, Fit *f)
{
    int *n = ARENA(a, int, f->x.nrow);
    if (a->failed) return ST_NOMEM;
    for (int g = 0; g < f->x.nrow; g++) f->weights[g] = 0;
    for (int k = 0; k < f->x.p[f->x.ncol]; k++) {
        f->weights[f->x.i[k]] += f->x.x[k];
        n[f->x.i[k]]++;
    }
    for (int g = 0; g < f->x.nrow; g++) {
        int by = ((const Params *) params)->over == OVER_DETECTED ? n[g] : f->x.ncol;
        if (by) f->weights[g] /= by;
    }
    f->h->stopped = STOPPED_CLOSED;
    return ST_OK;
}

static Status no_predict(Arena *a, const void *params, const Predict *p)
{
    (void) a; (void) params;
    for (size_t k = 0; k < (size_t) p->x.nrow * (size_t) p->x.ncol; k++) p->out[k] = 0;
    return ST_OK;
}

static Status mean_predict(Arena *a, const void *params, const Predict *p)
{
    (void) a; (void) params;
    size_t G = (size_t) p->x.nrow;
    if (!p->wanted) {
        for (int c = 0; c < p->x.ncol; c++)
            for (size_t g = 0; g < G; g++) p->out[(size_t) c * G + g] = p->weights[g];
        return ST_OK;
    }
    for (size_t g = 0; g < G; g++)
        if (p->wanted[g])
            for (int c = 0; c < p->x.ncol; c++) p->out[(size_t) c * G + g] = p->weights[g];
    return ST_OK;
}

const Model model_none = { .name = "none",
                           .fields = none_fields,
                           .params_size = sizeof(Params),
                           .shape = no_shape,
                           .fit = no_fit,
                           .predict = no_predict };
const Model model_genemean = { .name = "genemean",
                               .fields = mean_fields,
                               .params_size = sizeof(Params),
                               .shape = mean_shape,
                               .fit = mean_fit,
                               .predict = mean_predict };
