/* Losses at a list of entries: whoever calls has chosen which entries count. */
#include "nn.h"

double loss_squared(const real *y, const real *target, size_t n, real *dy)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        real r = y[k] - target[k];
        sum += (double) r * r;
        if (dy) dy[k] = 2 * r;
    }
    return sum;
}

double loss_weighted(const real *y, const real *target, const real *weight, size_t n, real *dy)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        real r = y[k] - target[k], wr = weight[k] * r;
        sum += (double) wr * r;
        if (dy) dy[k] = 2 * wr;
    }
    return sum;
}
