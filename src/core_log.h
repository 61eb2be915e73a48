/* core_log.h: exp() and log() of double for loops over many numbers: plain sums and products, so
 * that they vectorise and give the same bits on every instruction set. Relative error below
 * 5e-16. */
#ifndef INFILL_CORE_LOG_H
#define INFILL_CORE_LOG_H
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "core.h"

/* exp(x) for -700 <= x <= 700; beyond it is that of the limit, NaN stays NaN. x = n ln 2 + r, |r|
 * <= ln(2)/2, Taylor to r^13. */
KERNEL_INLINE double exp_of(double x)
{
    x = x < -700 ? -700 : x;
    x = x > 700 ? 700 : x;
    /* 1.5 2^52: rounds to a whole number in the low bits */
    double shifted = x * 1.4426950408889634 + 6755399441055744.0, n = shifted - 6755399441055744.0;
    double r = (x - n * 0.693147180369123816) - n * 1.90821492927058770e-10;
    double r2 = r * r, r4 = r2 * r2;
    /* by pairs: many short chains */
    double p01 = 1 + r, p23 = 0.5 + r * 1.6666666666666666e-01;
    double p45 = 4.1666666666666664e-02 + r * 8.3333333333333332e-03;
    double p67 = 1.3888888888888889e-03 + r * 1.9841269841269841e-04;
    double p89 = 2.4801587301587302e-05 + r * 2.7557319223985893e-06;
    double p1011 = 2.7557319223985888e-07 + r * 2.5052108385441720e-08;
    double p1213 = 2.0876756987868100e-09 + r * 1.6059043836821613e-10;
    double low = (p01 + r2 * p23) + r4 * (p45 + r2 * p67);
    double high = (p89 + r2 * p1011) + r4 * p1213;
    double p = low + (r4 * r4) * high;
    uint64_t bits;
    memcpy(&bits, &shifted, 8);
    bits = (bits << 52) + 0x3FF0000000000000u;                      /* 2^n */
    double scale;
    memcpy(&scale, &bits, 8);
    return p * scale;
}

/* log(x) for normal x > 0; NaN for all that is not finite or not above 0. x = 2^e m, m from
 * sqrt(1/2) to sqrt(2), log m = 2 artanh((m - 1)/(m + 1)). */
KERNEL_INLINE double log_of(double x)
{
    uint64_t bits, up;
    memcpy(&bits, &x, 8);
    /* as many as make m run from sqrt(1/2) */
    up = bits + (0x3FF0000000000000u - 0x3FE6A09E667F3BCDu);
    uint64_t e_bits = (up >> 52) | 0x4330000000000000u;              /* 2^52 + e + 1023 */
    bits = (up & 0x000FFFFFFFFFFFFFu) + 0x3FE6A09E667F3BCDu;
    double e, m;
    memcpy(&e, &e_bits, 8);
    memcpy(&m, &bits, 8);
    e -= 4503599627370496.0 + 1023.0;
    double f = (m - 1) / (m + 1), s = f * f, s2 = s * s, s4 = s2 * s2;
    double q01 = 1.0 / 3 + s * (1.0 / 5), q23 = 1.0 / 7 + s * (1.0 / 9);
    double q45 = 1.0 / 11 + s * (1.0 / 13), q67 = 1.0 / 15 + s * (1.0 / 17);
    double q89 = 1.0 / 19 + s * (1.0 / 21);
    double p = ((q01 + s2 * q23) + s4 * (q45 + s2 * q67)) + (s4 * s4) * q89;
    double log_m = 2 * f + 2 * f * s * p;
    double log_x = e * 0.693147180369123816 + (log_m + e * 1.90821492927058770e-10);
    log_x = x > 0 ? log_x : NAN;
    return log_x + (x - x);
}
#endif
