/* Predictions against held-out molecules. Everything is a sum over cells or entries, so a matrix
 * can come block by block; nothing is of genes x cells. */
#include <math.h>
#include "metric.h"

static double pearson_of(const double s[5], double n)
{
    double vp = s[2] - s[0] * s[0] / n, vy = s[3] - s[1] * s[1] / n;
    return n > 1 && vp > 1e-12 * s[2] && vy > 1e-12 * s[3]
               ? (s[4] - s[0] * s[1] / n) / sqrt(vp * vy)
               : NAN;
}

static void add_pair(double s[5], double p, double y)
{
    s[0] += p; s[1] += y; s[2] += p * p; s[3] += y * y; s[4] += p * y;
}

void split_add(const Sparse *test, int first, int n, const double *pred, double scale, double eps,
               double *gene, double *cell, double sums[4])
{
    size_t G = (size_t) test->nrow;
    for (int c = 0; c < n; c++) {
        const double *p = pred + (size_t) c * G;
        double all_p = 0, all_y = 0, s[5] = { 0 };
        int k = test->p[first + c], end = test->p[first + c + 1];
        for (size_t g = 0; g < G; g++) all_p += p[g] * scale;
        for (int e = k; e < end; e++) all_y += test->x[e];
        double by_p = all_p > 0 ? 1e4 / all_p * scale : 0, by_y = all_y > 0 ? 1e4 / all_y : 0;
        for (size_t g = 0; g < G; g++) {
            double mine = p[g] * scale, y = k < end && test->i[k] == (int) g ? test->x[k++] : 0;
            double lp = log1p(p[g] * by_p), ly = y > 0 ? log1p(y * by_y) : 0;
            sums[0] += mine - (y > 0 ? y * log(mine + eps) : 0);
            sums[1] += y - (y > 0 ? y * log(y + eps) : 0);
            sums[2] += (lp - ly) * (lp - ly);
            add_pair(s, lp, ly);
            add_pair(gene + 5 * g, lp, ly);
        }
        sums[3] += (double) G;
        cell[c] = pearson_of(s, (double) G);
    }
}

void split_pearson(const double *gene, int n_genes, double n, double *out)
{
    for (int g = 0; g < n_genes; g++) out[g] = pearson_of(gene + 5 * (size_t) g, n);
}
