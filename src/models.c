/* The list of models. A new one is one name here and one file. */
#include <string.h>
#include "model.h"

#define MODELS(X) X(model_none) X(model_genemean) X(model_autoimpute) X(model_deepimpute) \
    X(model_deepmc) X(model_scinn) X(model_graphsci)

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

size_t model_weights(const Model *m, const void *params, int n_genes, const int *plan)
{
    Shape s;
    size_t n = 0;
    for (int k = 0; m->shape(params, n_genes, plan, k, &s); k++)
        n += (size_t) s.nrow * (size_t) s.ncol;
    return n;
}

size_t model_state(const Model *m, const void *params, int n_genes, const int *plan)
{
    return m->state ? m->state(params, n_genes, plan)
                    : m->state_per_weight * model_weights(m, params, n_genes, plan);
}
