/* Losses at a list of entries: whoever calls has chosen which entries count. */
#include <string.h>
#include "nn.h"

KERNEL_FILE

/* SUMS partial sums, the k-th term into sum k % SUMS, added up as a tree: the compiler may use
 * vectors, and the order is the same whatever their width. */
enum { SUMS = 8 };

static double tree(const double *s)
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* weight NULL: 1; dy may be y */
KERNEL_INLINE void squares(const real *y, const real *target, const real *weight, size_t n,
                           real *dy, double *sums)
{
    double s[SUMS] = { 0 };
    for (size_t k = 0; k < n; k += SUMS) {
        size_t here = n - k < SUMS ? n - k : SUMS;
        real r[SUMS] = { 0 }, wr[SUMS] = { 0 };
        for (size_t j = 0; j < here; j++) {
            r[j] = y[k + j] - target[k + j];
            wr[j] = weight ? weight[k + j] * r[j] : r[j];
        }
        for (size_t j = 0; j < SUMS; j++) s[j] += (double) wr[j] * r[j];
        if (dy) for (size_t j = 0; j < here; j++) dy[k + j] = 2 * wr[j];
    }
    memcpy(sums, s, sizeof s);
}

LOCAL_FOR_CPUS(loss_squared_sums, (const real *y, const real *target, size_t n, real *dy,
               double *sums), (y, target, n, dy, sums), {
    squares(y, target, NULL, n, dy, sums);
})
LOCAL_FOR_CPUS(loss_weighted_sums, (const real *y, const real *target, const real *weight, size_t n,
               real *dy, double *sums), (y, target, weight, n, dy, sums), {
    squares(y, target, weight, n, dy, sums);
})

double loss_squared(const real *y, const real *target, size_t n, real *dy)
{
    double sums[SUMS];
    loss_squared_sums(y, target, n, dy, sums);
    return tree(sums);
}

double loss_weighted(const real *y, const real *target, const real *weight, size_t n, real *dy)
{
    double sums[SUMS];
    loss_weighted_sums(y, target, weight, n, dy, sums);
    return tree(sums);
}

/* the same sums of differences that are there already: y turns into its own gradient */
LOCAL_FOR_CPUS(residual_square_sums, (real *y, size_t n, real each, double *sums),
               (y, n, each, sums), {
    double s[SUMS] = { 0 };
    for (size_t k = 0; k < n; k += SUMS) {
        size_t here = n - k < SUMS ? n - k : SUMS;
        real r[SUMS] = { 0 };
        for (size_t j = 0; j < here; j++) r[j] = y[k + j];
        for (size_t j = 0; j < SUMS; j++) s[j] += (double) r[j] * r[j];
        for (size_t j = 0; j < here; j++) y[k + j] = each * r[j];
    }
    memcpy(sums, s, sizeof s);
})
LOCAL_FOR_CPUS(residual_absolute_sums, (real *y, size_t n, real each, double *sums),
               (y, n, each, sums), {
    double s[SUMS] = { 0 };
    for (size_t k = 0; k < n; k += SUMS) {
        size_t here = n - k < SUMS ? n - k : SUMS;
        real r[SUMS] = { 0 };
        for (size_t j = 0; j < here; j++) r[j] = y[k + j];
        for (size_t j = 0; j < SUMS; j++) s[j] += (double) (r[j] < 0 ? -r[j] : r[j]);
        for (size_t j = 0; j < here; j++) y[k + j] = r[j] > 0 ? each : r[j] < 0 ? -each : 0 * r[j];
    }
    memcpy(sums, s, sizeof s);
})

double residual_square(real *y, size_t n, real each)
{
    double sums[SUMS];
    residual_square_sums(y, n, each, sums);
    return tree(sums);
}

double residual_absolute(real *y, size_t n, real each)
{
    double sums[SUMS];
    residual_absolute_sums(y, n, each, sums);
    return tree(sums);
}
