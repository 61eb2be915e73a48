/* The list of models. A new one is one name here and one file. */
#include <math.h>
#include <string.h>
#include "model.h"

#define MODELS(X) X(model_none) X(model_genemean) X(model_autoimpute) X(model_deepimpute) \
    X(model_deepmc) X(model_scinn) X(model_graphsci) X(model_neighbors) X(model_svd)

#define DECLARE(m) extern const Model m;
MODELS(DECLARE)
#define ADDRESS(m) &m,
static const Model *const models[] = { MODELS(ADDRESS) NULL };

const Model *model_at(int k) { return models[k]; }

const Model *model_find(const char *name)
{
    for (int k = 0; models[k]; k++)
        if (!strcmp(models[k]->name, name)) return models[k];
    return NULL;
}

static int length_holds(const Field *f, size_t n)
{
    return (double) n >= f->least && (double) n <= f->most;
}

static int ints_hold(const Field *f, const Ints *x)
{
    int falling = f->words != NULL;
    if (f->kind == P_INTS_NA && !x->n) return 1;
    for (size_t k = 0; k < x->n; k++)
        if (x->at[k] < f->lo || x->at[k] > f->hi || (falling && k && x->at[k] > x->at[k - 1]))
            return 0;
    return length_holds(f, x->n);
}

static int reals_hold(const Field *f, const Reals *x)
{
    for (size_t k = 0; k < x->n; k++) if (!(x->at[k] >= f->lo && x->at[k] <= f->hi)) return 0;
    return length_holds(f, x->n);
}

int field_holds(const Field *f, const void *of)
{
    const void *at = (const char *) of + f->offset;
    double v = 0;
    switch (f->kind) {
    case P_INTS: case P_INTS_NA: return ints_hold(f, at);
    case P_REALS: return reals_hold(f, at);
    case P_REAL: case P_REAL_NA: v = *(const double *) at; break;
    default: v = *(const int *) at;
    }
    return f->kind == P_CHOICE || (f->kind == P_REAL_NA && isnan(v)) || (v >= f->lo && v <= f->hi);
}

const Field *model_damage(const Model *m, const void *params, const void *plan, int n_genes)
{
    for (const Field *f = m->plan_fields; f && f->kind != P_END; f++)
        if (!field_holds(f, plan)) return f;
    return m->odd ? m->odd(params, plan, n_genes) : NULL;
}

static size_t values_of(int (*shape)(const void *, int, const void *, int, Shape *),
                        const void *params, int n_genes, const void *plan)
{
    Shape s;
    size_t n = 0;
    for (int k = 0; shape && shape(params, n_genes, plan, k, &s); k++)
        n += (size_t) s.nrow * (size_t) s.ncol;
    return n;
}

size_t model_weights(const Model *m, const void *params, int n_genes, const void *plan)
{
    return values_of(m->shape, params, n_genes, plan);
}

size_t model_extras(const Model *m, const void *params, int n_genes, const void *plan)
{
    return values_of(m->extras, params, n_genes, plan);
}

size_t model_state(const Model *m, const void *params, int n_genes, const void *plan)
{
    return m->state ? m->state(params, n_genes, plan)
                    : m->state_per_weight * model_weights(m, params, n_genes, plan);
}
