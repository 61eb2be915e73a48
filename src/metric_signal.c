/* Is there signal that was not in the counts? Genes shuffled over the cells, ranks, tests of
 * genes. */
#include <math.h>
#include "metric.h"

enum { SORTED = 500000 };                       /* values between two ticks */

Status gene_ranks(Arena *a, const double *x, int genes, int cells, Tick tick, double *rank,
                  double *ties)
{
    size_t G = (size_t) genes, N = (size_t) cells;
    size_t *order = ARENA(a, size_t, 2 * N);
    double *v = ARENA(a, double, N), *r = ARENA(a, double, N);
    size_t done = 0;
    if (a->failed) return ST_NOMEM;
    for (size_t g = 0; g < G; g++) {
        for (size_t c = 0; c < N; c++) v[c] = x[c * G + g];
        ties[g] = midranks(v, N, 0, order, r);
        for (size_t c = 0; c < N; c++) rank[c * G + g] = r[c];
        if (done++ * N > SORTED) { tick_idle(tick); done = 0; }
    }
    return ST_OK;
}

/* sum += v, what rounding takes going to low: few different values, added a million times, would
 * round one way */
static void add(double *sum, double *low, double v)
{
    double next = *sum + v, part = next - *sum;
    *low += (*sum - (next - part)) + (v - part);
    *sum = next;
}

void gene_welch(const double *x, int genes, int cells, const int *second, double *t, double *df,
                double *mean1, double *mean2)
{
    size_t G = (size_t) genes, N = (size_t) cells;
    for (size_t g = 0; g < G; g++) {
        double n[2] = { 0 }, mean[2] = { 0 }, off[2] = { 0 }, var[2] = { 0 }, low[2] = { 0 };
        for (size_t c = 0; c < N; c++) {
            n[second[c] != 0]++;
            mean[second[c] != 0] += x[c * G + g];
        }
        for (int k = 0; k < 2; k++) mean[k] /= n[k];
        for (size_t c = 0; c < N; c++) {
            int k = second[c] != 0;
            add(&off[k], &low[k], x[c * G + g] - mean[k]);
        }
        /* what rounding left */
        for (int k = 0; k < 2; k++) { mean[k] += (off[k] + low[k]) / n[k]; low[k] = 0; }
        for (size_t c = 0; c < N; c++) {
            int k = second[c] != 0;
            double d = x[c * G + g] - mean[k];
            add(&var[k], &low[k], d * d);
        }
        for (int k = 0; k < 2; k++) var[k] += low[k];
        for (int k = 0; k < 2; k++) var[k] /= (n[k] - 1) * n[k];         /* of the mean */
        double sum = var[0] + var[1];
        mean1[g] = mean[0];
        mean2[g] = mean[1];
        int varies = n[0] > 1 && n[1] > 1
                     && sqrt(sum) >= 10 * 0x1p-52 * fmax(fabs(mean[0]), fabs(mean[1])) && sum > 0;
        t[g] = varies ? (mean[0] - mean[1]) / sqrt(sum) : NAN;
        df[g] = varies ? sum * sum / (var[0] * var[0] / (n[0] - 1) + var[1] * var[1] / (n[1] - 1))
                       : NAN;
    }
}

/* Pearson's of two vectors of ranks: mean (n + 1)/2 each */
static double rank_correlation(const double *a, const double *b, size_t n)
{
    double middle = ((double) n + 1) / 2, aa = 0, bb = 0, ab = 0;
    for (size_t k = 0; k < n; k++) {
        double x = a[k] - middle, y = b[k] - middle;
        aa += x * x; bb += y * y; ab += x * y;
    }
    return aa > 0 ? (bb > 0 ? ab / sqrt(aa * bb) : 0) : NAN;
}

Status rank_agreement(Arena *a, const Sparse *by_gene, const double *after, const int *group,
                      int n_groups, int least, double *rho, int *n)
{
    size_t G = (size_t) by_gene->ncol, most = (size_t) sparse_longest(by_gene);
    size_t *order = ARENA(a, size_t, 2 * most);
    double *u = ARENA(a, double, most), *v = ARENA(a, double, most), *r = ARENA(a, double, most),
           *q = ARENA(a, double, most);
    size_t *end = ARENA(a, size_t, n_groups + 1);
    if (a->failed) return ST_NOMEM;
    for (size_t g = 0; g < G; g++) {
        int from = by_gene->p[g], to = by_gene->p[g + 1];
        for (int l = 0; l <= n_groups; l++) end[l] = 0;
        for (int k = from; k < to; k++)
            if (group[by_gene->i[k]] >= 0) end[group[by_gene->i[k]] + 1]++;
        for (int l = 0; l < n_groups; l++) end[l + 1] += end[l];
        for (int k = from; k < to; k++) {
            int l = group[by_gene->i[k]];
            if (l < 0) continue;
            u[end[l]] = by_gene->x[k];
            v[end[l]++] = after[k];
        }
        for (int l = 0; l < n_groups; l++) {
            size_t first = l ? end[l - 1] : 0, m = end[l] - first, at = (size_t) l * G + g;
            n[at] = (int) m;
            rho[at] = NAN;
            if (m < (size_t) least || m < 2) continue;
            /* values that went through single precision tie */
            midranks(u + first, m, 1e-6, order, r);
            midranks(v + first, m, 1e-6, order, q);
            rho[at] = rank_correlation(r, q, m);
        }
    }
    return ST_OK;
}

/* The first steps of a shuffle of all cells, one per entry; then undone, so that the next gene
 * starts from the same order. */
Status shuffle_genes(Arena *a, const Sparse *by_gene, uint64_t seed, int *i)
{
    int n = by_gene->nrow;
    int *order = ARENA(a, int, n), *with = ARENA(a, int, sparse_longest(by_gene));
    if (a->failed) return ST_NOMEM;
    for (int c = 0; c < n; c++) order[c] = c;
    for (int g = 0; g < by_gene->ncol; g++) {
        int from = by_gene->p[g], m = by_gene->p[g + 1] - from;
        for (int k = 0; k < m; k++) {
            int j = k
                    + (int) (rng_unif(seed, RNG_SHUFFLE, (uint64_t) g << 32 | (uint64_t) k)
                             * (n - k));
            with[k] = j;
            i[from + k] = order[j];
            order[j] = order[k];
            order[k] = i[from + k];
        }
        for (int k = m - 1; k >= 0; k--) {
            int t = order[with[k]];
            order[with[k]] = order[k];
            order[k] = t;
        }
    }
    return ST_OK;
}
