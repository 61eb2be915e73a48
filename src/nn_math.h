/* nn_math.h: exp() and log() of `real` for kernels: plain sums and products, so that they vectorise
 * and give the same bits on every instruction set; the double build of the tests uses libm. */
#ifndef INFILL_NN_MATH_H
#define INFILL_NN_MATH_H
#include <math.h>
#include <string.h>
#include "core.h"

#ifdef INFILL_DOUBLE
KERNEL_INLINE real exp_negative(real x) { return exp(x); }
#else
/* exp(x) for x <= 0, relative error below 2e-7; 0 below -87. x = n ln 2 + r, |r| <= ln(2)/2, Taylor
 * to r^7. */
KERNEL_INLINE real exp_negative(real x)
{
    float ok = x < -87.0f ? 0.0f : 1.0f;          /* NaN stays NaN */
    x = x < -87.0f ? -87.0f : x;
    /* 1.5 2^23: rounds to a whole number in the low bits */
    float shifted = x * 1.44269504088896f + 12582912.0f;
    float n = shifted - 12582912.0f;
    float r = (x - n * 0.693145751953125f) - n * 1.42860677e-6f;   /* ln 2 in two parts */
    float p = 1.0f
              + r
                    * (1.0f
                       + r
                             * (0.5f
                                + r
                                      * (0.166666667f
                                         + r
                                               * (0.0416666667f
                                                  + r
                                                        * (0.00833333333f
                                                           + r
                                                                 * (0.00138888889f
                                                                    + r * 0.000198412698f))))));
    uint32_t bits;
    memcpy(&bits, &shifted, 4);
    bits = (bits << 23) + 0x3F800000u;                              /* 2^n */
    float scale;
    memcpy(&scale, &bits, 4);
    return p * scale * ok;
}
#endif

#ifdef INFILL_DOUBLE
KERNEL_INLINE real log1p_of_part(real e) { return log1p(e); }
KERNEL_INLINE real one_minus_exp(real y) { return -expm1(-y); }
#else
/* log(1 + e) for 0 <= e <= 1: 2 artanh(e / (2 + e)), whose argument is at most 1/3 */
KERNEL_INLINE real log1p_of_part(real e)
{
    float s = e / (2.0f + e), q = s * s;
    return 2.0f * s
           * (1.0f
              + q
                    * (0.333333333f
                       + q
                             * (0.2f
                                + q
                                      * (0.142857143f
                                         + q
                                               * (0.111111111f
                                                  + q * (0.0909090909f + q * 0.0769230769f))))));
}
/* 1 - exp(-y) for y >= 0, by its series where the difference would cancel */
KERNEL_INLINE real one_minus_exp(real y)
{
    float small =
        y
        * (1.0f
           - y
                 * (0.5f
                    - y
                          * (0.166666667f
                             - y * (0.0416666667f - y * (0.00833333333f - y * 0.00138888889f)))));
    return y < 0.25f ? small : 1.0f - exp_negative(-y);
}
#endif

/* log(1 + exp(z)), 1/(1 + exp(-z)) and exp(z), z of any sign */
KERNEL_INLINE real softplus(real z)
{
    return (z > 0 ? z : 0) + log1p_of_part(exp_negative(z < 0 ? z : -z));
}
KERNEL_INLINE real logistic(real z)
{
    real e = exp_negative(z < 0 ? z : -z);
    return (z < 0 ? e : (real) 1) / (1 + e);
}
KERNEL_INLINE real exponential(real z)
{
    real e = exp_negative(z < 0 ? z : -z);
    return z < 0 ? e : 1 / e;
}
#endif
