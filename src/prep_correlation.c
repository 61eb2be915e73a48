/* The genes that go with a gene: largest |Pearson r|, from sparse sums of products, one gene
 * against all others at a time. Memory O(genes) for each thread, never genes x genes. r = (sum c_i
 * c_j - M m_i m_j) / ((M - 1) s_i s_j). */
#include <math.h>
#include <string.h>
#include "prep.h"

/* acc[j] = sum over the cells of gene g of its count times that of gene j */
static void products_with(const Sparse *x, const Sparse *by_gene, int g, double *acc)
{
    memset(acc, 0, (size_t) x->nrow * sizeof *acc);
    for (int k = by_gene->p[g]; k < by_gene->p[g + 1]; k++) {
        double v = by_gene->x[k];
        for (int e = x->p[by_gene->i[k]]; e < x->p[by_gene->i[k] + 1]; e++)
            acc[x->i[e]] += v * x->x[e];
    }
}

/* The `top` largest of |r| among the candidates, sorted down; ties keep the lower gene. */
static void pick(const Sparse *x, const double *acc, int g, const Nearest *n, int *gene, double *r)
{
    double M = x->ncol;
    int set = n->set[g], found = 0;
    for (int j = 0; j < x->nrow; j++) {
        if (!n->candidate[j] || j == g || (set >= 0 && n->set[j] == set)) continue;
        double s = n->sd[g] * n->sd[j],
               v = s > 0 ? (acc[j] - M * n->mean[g] * n->mean[j]) / ((M - 1) * s) : 0;
        double size = isnan(v) ? 0 : fabs(v);
        if (found == n->top && !(size > fabs(r[found - 1]))) continue;
        int at = found < n->top ? found++ : found - 1;
        for (; at > 0 && size > fabs(r[at - 1]); at--) {
            gene[at] = gene[at - 1];
            r[at] = r[at - 1];
        }
        gene[at] = j;
        r[at] = isnan(v) ? 0 : v;
    }
    for (; found < n->top; found++) { gene[found] = -1; r[found] = NAN; }
}

Status prep_nearest(Arena *a, const Sparse *x, const Sparse *by_gene, const Nearest *n,
                    const int *targets, int n_targets, int threads, Tick tick, int *gene, double *r)
{
    double *acc = ARENA(a, double, (size_t) threads * (size_t) x->nrow);
    if (a->failed) return ST_NOMEM;
    int each = 8 * threads;
    for (int from = 0; from < n_targets; from += each) {
        int to = from + each < n_targets ? from + each : n_targets;
        PARALLEL_FOR(threads)
        for (int t = 0; t < threads; t++)
            for (int k = from + t; k < to; k += threads) {
                double *mine = acc + (size_t) t * (size_t) x->nrow;
                products_with(x, by_gene, targets[k], mine);
                pick(x, mine, targets[k], n, gene + (size_t) k * (size_t) n->top,
                     r + (size_t) k * (size_t) n->top);
            }
        tick_idle(tick);
    }
    return ST_OK;
}
