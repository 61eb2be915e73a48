/* Kernels of GraphSCI: see graphsci.h. Sums over columns go into 8 partial sums in double, in an
 * order that does not depend on the width of vectors. */
#include <math.h>
#include <string.h>
#include "graphsci.h"

KERNEL_FILE
#include "nn_math.h"

/* restrict: with as many places as these the compiler gives up on telling them apart, and does not
 * vectorise. */
LOCAL_FOR_CPUS(row_costs, (const TileCost *c, size_t n, const real *restrict label,
               const real *restrict w, const real *restrict eps, real *restrict mu,
               const real *restrict s, real *restrict cost, real *restrict kl),
               (c, n, label, w, eps, mu, s, cost, kl), {
    real q = c->q;
    for (size_t j = 0; j < n; j++) {
        real es = exponential(s[j]);
        real z = mu[j] + eps[j] * es;
        kl[j] = (real) 0.5 * (mu[j] * mu[j] + es * es - 1 - 2 * s[j]);
        cost[j] = (1 - label[j]) * z + (1 + (q - 1) * label[j]) * softplus(-z);
        mu[j] = w[j] * z;
    }
})

LOCAL_FOR_CPUS(row_back, (const TileCost *c, size_t n, const real *restrict label,
               const real *restrict w, const real *restrict eps, real *restrict mu,
               real *restrict s, real *restrict dv), (c, n, label, w, eps, mu, s, dv), {
    real q = c->q;
    real edge = c->edge;
    real k = c->kl;
    for (size_t j = 0; j < n; j++) {
        real es = exponential(s[j]);
        real noise = eps[j] * es;
        real z = mu[j] + noise;
        real g = edge * ((1 - label[j]) - (1 + (q - 1) * label[j]) * logistic(-z)) + dv[j] * w[j];
        dv[j] *= z;
        mu[j] = g + k * mu[j];
        s[j] = g * noise + k * (es * es - 1);
    }
})

LOCAL_FOR_CPUS(inner_costs, (const TileCost *c, size_t n, const real *restrict label,
               const real *restrict w, real *restrict z, real *restrict cost),
               (c, n, label, w, z, cost), {
    real q = c->q;
    for (size_t j = 0; j < n; j++) {
        cost[j] = (1 - label[j]) * z[j] + (1 + (q - 1) * label[j]) * softplus(-z[j]);
        z[j] *= w[j];
    }
})

LOCAL_FOR_CPUS(inner_back, (const TileCost *c, size_t n, const real *restrict label,
               const real *restrict w, real *restrict z, real *restrict dv),
               (c, n, label, w, z, dv), {
    real q = c->q;
    real edge = c->edge;
    for (size_t j = 0; j < n; j++) {
        real g = edge * ((1 - label[j]) - (1 + (q - 1) * label[j]) * logistic(-z[j]))
               + dv[j] * w[j];
        dv[j] *= z[j];
        z[j] = g;
    }
})

static double sum_of(const real *x, size_t n)
{
    double s[8] = { 0 };
    size_t k = 0;
    for (; k + 8 <= n; k += 8) for (size_t j = 0; j < 8; j++) s[j] += (double) x[k + j];
    for (; k < n; k++) s[k % 8] += (double) x[k];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static const real nothing[TILE];

void tile_row(const TileCost *c, size_t n, const real *label, const real *w, const real *eps,
              real *mu, const real *s, double sums[2])
{
    real cost[TILE], kl[TILE];
    row_costs(c, n, label, w, eps ? eps : nothing, mu, s, cost, kl);
    sums[0] += sum_of(cost, n);
    sums[1] += sum_of(kl, n);
}

void tile_row_back(const TileCost *c, size_t n, const real *label, const real *w, const real *eps,
                   real *mu, real *s, real *dv)
{
    row_back(c, n, label, w, eps ? eps : nothing, mu, s, dv);
}

void tile_inner(const TileCost *c, size_t n, const real *label, const real *w, real *z, double *sum)
{
    real cost[TILE];
    inner_costs(c, n, label, w, z, cost);
    *sum += sum_of(cost, n);
}

void tile_inner_back(const TileCost *c, size_t n, const real *label, const real *w, real *z,
                     real *dv)
{
    inner_back(c, n, label, w, z, dv);
}

#define TILE_SUMS(suffix, attr, W) \
attr static void sums##suffix(real *restrict out, const real *start, \
                              const real *restrict from, const size_t *p, const int *idx, \
                              const real *val, size_t rows) \
{ \
    for (size_t r = 0; r < rows; r++) \
        for (size_t q = 0; q < TILE; q += PANEL) { \
            Lanes##W a[PANEL / W]; \
            for (int j = 0; j < PANEL / W; j++) \
                a[j] = start ? CONST_LANES(Lanes##W, start + q + j * W) : (Lanes##W) { 0 }; \
            for (size_t k = p[r]; k < p[r + 1]; k++) { \
                const real *row = from + (size_t) idx[k] * TILE + q; \
                for (int j = 0; j < PANEL / W; j++) \
                    a[j] += val[k] * CONST_LANES(Lanes##W, row + j * W); \
            } \
            for (int j = 0; j < PANEL / W; j++) \
                LANES(Lanes##W, out + r * TILE + q + j * W) = a[j]; \
        } \
}
BY_LANES(TILE_SUMS)

void tile_sums(real *out, const real *start, const real *from, const size_t *p, const int *idx,
               const real *val, size_t rows)
{
    CALL_LANES(sums, out, start, from, p, idx, val, rows);
}

/* ---- batch norm: columns in runs of up to 64 ---- */
enum { RUN = 64 };

LOCAL_FOR_CPUS(add_rows, (size_t rows, size_t cols, size_t ld, const real *x, double *sum),
               (rows, cols, ld, x, sum), {
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++) sum[j] += (double) x[r * ld + j];
})
LOCAL_FOR_CPUS(add_squares, (size_t rows, size_t cols, size_t ld, const real *x, const double *mean,
               double *sum), (rows, cols, ld, x, mean, sum), {
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++) {
            double d = (double) x[r * ld + j] - mean[j];
            sum[j] += d * d;
        }
})
LOCAL_FOR_CPUS(standardise, (size_t rows, size_t cols, size_t ld, const real *mean, const real *inv,
               real *x), (rows, cols, ld, mean, inv, x), {
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++) x[r * ld + j] = (x[r * ld + j] - mean[j]) * inv[j];
})
LOCAL_FOR_CPUS(scale_rows, (size_t rows, size_t cols, size_t ld, const real *x, const real *gamma,
               const real *beta, real *y), (rows, cols, ld, x, gamma, beta, y), {
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++) y[r * ld + j] = gamma[j] * x[r * ld + j] + beta[j];
})
LOCAL_FOR_CPUS(back_sums, (size_t rows, size_t cols, size_t ld, const real *x, const real *g,
               double *sum, double *with), (rows, cols, ld, x, g, sum, with), {
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++) {
            sum[j] += (double) g[r * ld + j];
            with[j] += (double) g[r * ld + j] * (double) x[r * ld + j];
        }
})
LOCAL_FOR_CPUS(back_rows, (size_t rows, size_t cols, size_t ld, const real *x, const real *by,
               const real *mean, const real *with, real *g), (rows, cols, ld, x, by, mean, with, g),
               {
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++)
            g[r * ld + j] = by[j] * (g[r * ld + j] - mean[j] - x[r * ld + j] * with[j]);
})

void norm_columns(size_t rows, size_t cols, size_t ld, real *x, real *inv)
{
    for (size_t from = 0; from < cols; from += RUN) {
        size_t n = cols - from < RUN ? cols - from : RUN;
        double mean[RUN] = { 0 }, var[RUN] = { 0 };
        real m[RUN];
        add_rows(rows, n, ld, x + from, mean);
        for (size_t j = 0; j < n; j++) mean[j] /= (double) rows;
        add_squares(rows, n, ld, x + from, mean, var);
        for (size_t j = 0; j < n; j++) {
            m[j] = (real) mean[j];
            inv[from + j] = (real) (1 / sqrt(var[j] / (double) rows + 1e-3));
        }
        standardise(rows, n, ld, m, inv + from, x + from);
    }
}

void norm_scale(size_t rows, size_t cols, size_t ld, const real *x, const real *gamma,
                const real *beta, real *y)
{
    scale_rows(rows, cols, ld, x, gamma, beta, y);
}

void norm_back(size_t rows, size_t cols, size_t ld, const real *x, const real *gamma,
               const real *inv, real *g, real *dgamma, real *dbeta)
{
    for (size_t from = 0; from < cols; from += RUN) {
        size_t n = cols - from < RUN ? cols - from : RUN;
        double sum[RUN] = { 0 }, with[RUN] = { 0 };
        real by[RUN], m[RUN], w[RUN];
        back_sums(rows, n, ld, x + from, g + from, sum, with);
        for (size_t j = 0; j < n; j++) {
            dbeta[from + j] = (real) sum[j];
            dgamma[from + j] = (real) with[j];
            by[j] = gamma[from + j] * inv[from + j];
            m[j] = (real) (sum[j] / (double) rows);
            w[j] = (real) (with[j] / (double) rows);
        }
        back_rows(rows, n, ld, x + from, by, m, w, g + from);
    }
}

/* ---- graph ---- */

LOCAL_FOR_CPUS(add_scaled, (size_t n, real by, const real *x, real *y), (n, by, x, y), {
    for (size_t k = 0; k < n; k++) y[k] += by * x[k];
})

void graph_mix(const Neighbours *g, size_t cols, size_t r0, size_t r1, const real *in, real *out)
{
    for (size_t r = r0; r < r1; r++) {
        real *to = out + r * cols;
        memset(to, 0, cols * sizeof(real));
        add_scaled(cols, g->over[r] * g->over[r], in + r * cols, to);
        for (int k = g->p[r]; k < g->p[r + 1]; k++)
            add_scaled(cols, g->over[r] * g->over[g->i[k]], in + (size_t) g->i[k] * cols, to);
    }
}

int graph_from(const Neighbours *g, int row, int first)
{
    return (int) first_from(g->i, (size_t) g->p[row], (size_t) g->p[row + 1], first);
}

void graph_labels(const Neighbours *g, int row, int first, size_t n, real *label)
{
    memset(label, 0, n * sizeof(real));
    if (row >= first && row < first + (int) n) label[row - first] = 1;
    for (int k = graph_from(g, row, first); k < g->p[row + 1] && g->i[k] < first + (int) n; k++)
        label[g->i[k] - first] = 1;
}
