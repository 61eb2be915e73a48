/* The trivial baselines, as models: what every other model has to beat.
 *   none      0 everywhere: with observed entries kept, the matrix as it came
 *   genemean  one number per gene: the mean over all cells (zeros counted), or over the cells in which it was detected
 */
#include "core.h"

typedef struct { int over; } Params;
enum { OVER_ALL, OVER_DETECTED };

static const Field none_fields[] = { { NULL, P_END, 0, 0, 0, NULL } };
static const Field mean_fields[] = {
    { "over", P_CHOICE, offsetof(Params, over), 0, 0, "all|detected" },
    { NULL, P_END, 0, 0, 0, NULL }
};

static void no_shapes(const void *params, int n_genes, Shape s[MAX_SHAPES])
{
    (void) params; (void) n_genes;
    s[0].name = NULL;
}

static void mean_shapes(const void *params, int n_genes, Shape s[MAX_SHAPES])
{
    (void) params;
    s[0] = (Shape) { "mean", n_genes, 1 };
    s[1].name = NULL;
}

static Status no_fit(Arena *a, const void *params, Fit *f)
{
    (void) a; (void) params;
    f->stopped = STOPPED_CLOSED;
    return ST_OK;
}

static Status mean_fit(Arena *a, const void *params, Fit *f)
{
    int *n = ARENA(a, int, f->x.nrow);
    if (a->failed) return ST_NOMEM;
    for (int g = 0; g < f->x.nrow; g++) f->weights[g] = 0;
    for (int k = 0; k < f->x.p[f->x.ncol]; k++) { f->weights[f->x.i[k]] += f->x.x[k]; n[f->x.i[k]]++; }
    for (int g = 0; g < f->x.nrow; g++) {
        int by = ((const Params *) params)->over == OVER_DETECTED ? n[g] : f->x.ncol;
        if (by) f->weights[g] /= by;
    }
    f->stopped = STOPPED_CLOSED;
    return ST_OK;
}

static Status no_predict(Arena *a, const void *params, const Sparse *x, const double *weights, int threads, Tick tick,
                      double *out)
{
    (void) a; (void) params; (void) weights; (void) threads; (void) tick;
    for (size_t k = 0; k < (size_t) x->nrow * (size_t) x->ncol; k++) out[k] = 0;
    return ST_OK;
}

static Status mean_predict(Arena *a, const void *params, const Sparse *x, const double *weights, int threads, Tick tick,
                      double *out)
{
    (void) a; (void) params; (void) threads; (void) tick;
    for (int c = 0; c < x->ncol; c++)
        for (int g = 0; g < x->nrow; g++) out[(size_t) c * (size_t) x->nrow + (size_t) g] = weights[g];
    return ST_OK;
}

const Model model_none = { "none", none_fields, sizeof(Params), no_shapes, NULL, 0, no_fit, no_predict };
const Model model_genemean = { "genemean", mean_fields, sizeof(Params), mean_shapes, NULL, 0, mean_fit, mean_predict };
