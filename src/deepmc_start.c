/* deepMc: the first factors, and the spread of what a simple model leaves. */
#include <math.h>
#include <string.h>
#include "deepmc.h"

Status mc_residual_sd(Arena *a, const Sparse *y, Tick tick, double *sd)
{
    size_t n = (size_t) y->p[y->ncol];
    double *gene = ARENA(a, double, y->nrow), *cell = ARENA(a, double, y->ncol),
           *sum = ARENA(a, double, y->nrow), mean = 0;
    int *count = ARENA(a, int, y->nrow);
    *sd = 0;
    if (a->failed) return ST_NOMEM;
    if (n < 2) return ST_OK;
    for (size_t k = 0; k < n; k++) { mean += y->x[k]; count[y->i[k]]++; }
    mean /= (double) n;
    for (int pass = 0; pass < 10; pass++) {
        memset(sum, 0, (size_t) y->nrow * sizeof *sum);
        for (int c = 0; c < y->ncol; c++)
            for (int k = y->p[c]; k < y->p[c + 1]; k++) sum[y->i[k]] += y->x[k] - mean - cell[c];
        for (int g = 0; g < y->nrow; g++) gene[g] = sum[g] / (count[g] + 1);
        for (int c = 0; c < y->ncol; c++) {
            double s = 0;
            for (int k = y->p[c]; k < y->p[c + 1]; k++) s += y->x[k] - mean - gene[y->i[k]];
            cell[c] = s / (y->p[c + 1] - y->p[c] + 1);
        }
        tick_idle(tick);
    }
    double s = 0, ss = 0;
    for (int c = 0; c < y->ncol; c++)
        for (int k = y->p[c]; k < y->p[c + 1]; k++) {
            double e = y->x[k] - mean - gene[y->i[k]] - cell[c];
            s += e;
            ss += e * e;
        }
    double var = (ss - s * s / (double) n) / (double) (n - 1);
    *sd = var > 0 ? sqrt(var) : 0;
    return ST_OK;
}

/* Means of the genes over their entries. */
static void gene_means(const Sparse *y, double *mean, int *count)
{
    for (int k = 0; k < y->p[y->ncol]; k++) { mean[y->i[k]] += y->x[k]; count[y->i[k]]++; }
    for (int g = 0; g < y->nrow; g++) mean[g] = count[g] ? mean[g] / count[g] : 0;
}

/* Z = U'Y, where U is in D1; mean NULL: empty entries are 0, else the gene's mean. zero: of a cell
 * of means */
static void project_cells(Mf *d, const double *mean, const double *zero)
{
    const Sparse *y = d->y;
    int r1 = d->r[1], rN = d->r[d->N];
    for (int c = 0; c < y->ncol; c++) {
        double *z = d->Z + (size_t) c * (size_t) d->R;
        if (y->p[c] == y->p[c + 1]) continue;
        for (int q = 0; q < rN; q++) z[q] = zero[q];
        for (int k = y->p[c]; k < y->p[c + 1]; k++) {
            const double *u = d->F[0] + (size_t) y->i[k] * (size_t) r1;
            double v = mean ? y->x[k] - mean[y->i[k]] : y->x[k];
            for (int q = 0; q < rN; q++) z[q] += v * u[q];
        }
    }
}

Status mc_start_singular(Arena *a, Mf *d, const McParams *p, uint64_t seed, int *passes)
{
    const Sparse *y = d->y;
    int m = y->nrow, r1 = d->r[1], rN = d->r[d->N], filled = p->init == INIT_MEAN;
    double *s = ARENA(a, double, r1), *mean = ARENA(a, double, m), *zero = ARENA(a, double, rN);
    int *count = ARENA(a, int, m);
    if (a->failed) return ST_NOMEM;
    gene_means(y, mean, count);
    SvdTask task = { y, filled ? mean : NULL, r1, seed, d->threads, d->tick, 0, 0 };
    Status st = mf_svd(a, &task, d->F[0], s, passes);
    if (st) return st;
    for (int g = 0; g < m; g++)
        if (!count[g]) memset(d->F[0] + (size_t) g * (size_t) r1, 0, (size_t) r1 * sizeof(double));
    for (int g = 0; g < m && filled; g++)
        for (int q = 0; q < rN; q++)
            zero[q] += mean[g] * d->F[0][(size_t) g * (size_t) r1 + (size_t) q];
    for (int k = 1; k < d->N; k++)
        for (int i = 0; i < d->r[k]; i++)
            for (int j = 0; j < d->r[k + 1]; j++) d->F[k][i * d->r[k + 1] + j] = i == j;
    project_cells(d, filled ? mean : NULL, zero);
    mf_measure(d);
    mf_rebalance(d);
    return ST_OK;
}

void mc_start_random(Mf *d, uint64_t seed)
{
    const Sparse *y = d->y;
    char *seen = (char *) d->sum;             /* genes with an entry: the others stay at 0 */
    memset(seen, 0, (size_t) y->nrow);
    for (int k = 0; k < y->p[y->ncol]; k++) seen[y->i[k]] = 1;
    for (int k = 0; k < d->N; k++) {
        size_t rows = (size_t) d->r[k], cols = (size_t) d->r[k + 1];
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < cols; j++) {
                double g = rng_normal(seed, RNG_INIT_1, (uint64_t) k << 48 | (i * cols + j))
                           / sqrt((double) rows);
                if (d->nonneg) g = k ? 0.1 * fabs(g) + (i == j) : fabs(g);
                d->F[k][i * cols + j] = k || seen[i] ? g : 0;
            }
    }
    for (int c = 0; c < y->ncol; c++) {
        double key[2];                            /* equal cells start equal */
        cell_key(y, c, key);
        for (int q = 0; q < d->r[d->N] && y->p[c] < y->p[c + 1]; q++) {
            double g = rng_normal(seed, RNG_INIT_2, (uint64_t) key[0] << 12 ^ (uint64_t) q)
                       / sqrt(d->r[d->N]);
            d->Z[(size_t) c * (size_t) d->R + (size_t) q] = d->nonneg ? fabs(g) : g;
        }
    }
    mf_measure(d);
    double yy = mf_dot(y->x, y->x, (size_t) y->p[y->ncol]);
    /* on = |y|^2 - 2 <x, y> + |x|^2 */
    double scale = d->on_x > 0
                       ? d->nonneg ? (yy + d->on_x - d->on) / 2 / d->on_x : sqrt(yy / d->on_x)
                       : 1;
    if (!(scale > 0)) scale = 1;
    for (size_t k = 0; k < (size_t) y->ncol * (size_t) d->R; k++) d->Z[k] *= scale;
    mf_measure(d);
    mf_rebalance(d);
}
