/* Masks: which entries, or which molecules, are held out. */
#include <math.h>
#include <stdlib.h>
#include "prep.h"

typedef struct { double key; int entry; } Keyed;

static int by_key(const void *a, const void *b)
{
    const Keyed *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key ? 1 : -1)
                            : (x->entry > y->entry) - (x->entry < y->entry);
}

/* Exponential waiting times of rate w: the first to come are a draw without replacement (Efraimidis
 * and Spirakis 2006). */
Status mask_weighted(Arena *a, const Sparse *s, const double *log_weight, int by_gene,
                     const int *take, uint64_t seed, int *chosen)
{
    int groups = by_gene ? s->nrow : s->ncol;
    size_t *end = ARENA(a, size_t, groups + 1);
    Keyed *item = ARENA(a, Keyed, s->p[s->ncol]);
    if (a->failed) return ST_NOMEM;
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++) end[(by_gene ? s->i[k] : c) + 1]++;
    for (int g = 0; g < groups; g++) end[g + 1] += end[g];
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++) {
            double u[2];
            rng_pair(seed, RNG_MASK, (uint32_t) c + 1, (uint64_t) s->i[k], u);
            item[end[by_gene ? s->i[k] : c]++] = (Keyed) { log(-log(u[0])) - log_weight[k], k };
        }
    for (int g = 0; g < groups; g++) {
        size_t from = g ? end[g - 1] : 0, n = end[g] - from;
        if (!take[g]) continue;
        qsort(item + from, n, sizeof *item, by_key);
        for (size_t k = 0; k < n && k < (size_t) take[g]; k++) chosen[item[from + k].entry] = 1;
    }
    return ST_OK;
}

void mask_thin(const Sparse *s, double fraction, uint64_t seed, double *test)
{
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++) {
            Draws d = draws_of(seed, RNG_THIN, (uint32_t) c, (uint32_t) s->i[k]);
            test[k] = draw_binomial(&d, s->x[k], fraction);
        }
}
