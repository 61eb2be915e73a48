/* Activations. The package's own exp() and log1p-free forms are plain sums and products, so that they vectorise and give
 * the same bits on every instruction set; the double build of the tests uses libm. */
#include <math.h>
#include <string.h>
#include "nn.h"

KERNEL_FILE

#ifdef INFILL_DOUBLE
KERNEL_INLINE real exp_negative(real x) { return exp(x); }
#else
/* exp(x) for x <= 0, relative error below 2e-7; 0 below -87. x = n ln 2 + r, |r| <= ln(2)/2, Taylor to r^7. */
KERNEL_INLINE real exp_negative(real x)
{
    float ok = x < -87.0f ? 0.0f : 1.0f;          /* NaN stays NaN */
    x = x < -87.0f ? -87.0f : x;
    float shifted = x * 1.44269504088896f + 12582912.0f;          /* 1.5 2^23: rounds to a whole number in the low bits */
    float n = shifted - 12582912.0f;
    float r = (x - n * 0.693145751953125f) - n * 1.42860677e-6f;   /* ln 2 in two parts */
    float p = 1.0f + r * (1.0f + r * (0.5f + r * (0.166666667f + r * (0.0416666667f + r * (0.00833333333f
              + r * (0.00138888889f + r * 0.000198412698f))))));
    uint32_t bits;
    memcpy(&bits, &shifted, 4);
    bits = (bits << 23) + 0x3F800000u;                              /* 2^n */
    float scale;
    memcpy(&scale, &bits, 4);
    return p * scale * ok;
}
#endif

/* 1/(1 + exp(-z)), as exp(z)/(1 + exp(z)) for z < 0 */
FOR_CPUS(act_sigmoid, (real *y, size_t n), (y, n), {
    for (size_t k = 0; k < n; k++) {
        real z = y[k], e = exp_negative(z < 0 ? z : -z);
        y[k] = (z < 0 ? e : (real) 1) / (1 + e);
    }
})

FOR_CPUS(act_sigmoid_back, (const real *y, real *dy, size_t n), (y, dy, n), {
    for (size_t k = 0; k < n; k++) dy[k] *= y[k] * (1 - y[k]);
})

FOR_CPUS(act_relu, (real *y, size_t n), (y, n), {
    for (size_t k = 0; k < n; k++) y[k] = y[k] > 0 ? y[k] : 0;
})

FOR_CPUS(act_relu_back, (const real *y, real *dy, size_t n), (y, dy, n), {
    for (size_t k = 0; k < n; k++) dy[k] = y[k] > 0 ? dy[k] : 0;
})

#ifdef INFILL_DOUBLE
KERNEL_INLINE real log1p_of_part(real e) { return log1p(e); }
KERNEL_INLINE real one_minus_exp(real y) { return -expm1(-y); }
#else
/* log(1 + e) for 0 <= e <= 1: 2 artanh(e / (2 + e)), whose argument is at most 1/3 */
KERNEL_INLINE real log1p_of_part(real e)
{
    float s = e / (2.0f + e), q = s * s;
    return 2.0f * s * (1.0f + q * (0.333333333f + q * (0.2f + q * (0.142857143f + q * (0.111111111f + q * (0.0909090909f
           + q * 0.0769230769f))))));
}
/* 1 - exp(-y) for y >= 0, by its series where the difference would cancel */
KERNEL_INLINE real one_minus_exp(real y)
{
    float small = y * (1.0f - y * (0.5f - y * (0.166666667f - y * (0.0416666667f - y * (0.00833333333f - y * 0.00138888889f)))));
    return y < 0.25f ? small : 1.0f - exp_negative(-y);
}
#endif

/* max(z, 0) + log(1 + exp(-|z|)) */
FOR_CPUS(act_softplus, (real *y, size_t n), (y, n), {
    for (size_t k = 0; k < n; k++) {
        real z = y[k], part = log1p_of_part(exp_negative(z < 0 ? z : -z));
        y[k] = (z > 0 ? z : 0) + part;
    }
})

/* derivative logistic(z) = 1 - exp(-softplus(z)) */
FOR_CPUS(act_softplus_back, (const real *y, real *dy, size_t n), (y, dy, n), {
    for (size_t k = 0; k < n; k++) dy[k] *= one_minus_exp(y[k]);
})

/* scale z, or scale alpha (exp(z) - 1) for z < 0 (Klambauer et al. 2017) */
#define SELU_SCALE ((real) 1.0507009873554805)
#define SELU_LOW ((real) (1.0507009873554805 * 1.6732632423543772))
FOR_CPUS(act_selu, (real *y, size_t n), (y, n), {
    for (size_t k = 0; k < n; k++) {
        real z = y[k], low = SELU_LOW * one_minus_exp(z < 0 ? -z : 0);
        y[k] = z > 0 ? SELU_SCALE * z : -low;
    }
})

/* scale, or scale alpha exp(z) = y + scale alpha */
FOR_CPUS(act_selu_back, (const real *y, real *dy, size_t n), (y, dy, n), {
    for (size_t k = 0; k < n; k++) dy[k] *= y[k] > 0 ? SELU_SCALE : y[k] + SELU_LOW;
})

FOR_CPUS(act_drop, (real *y, const uint32_t *bits, uint32_t below, real scale, size_t n), (y, bits, below, scale, n), {
    for (size_t k = 0; k < n; k++) y[k] *= bits[k] < below ? 0 : scale;
})
