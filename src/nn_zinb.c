/* Zero-inflated negative binomial of counts, stable forms, with derivatives with respect to the
 * outputs of three heads: log mean (clipped to log 1e-5 .. log 1e6), softplus for theta (clipped to
 * 1e-4 .. 1e4), logit of the zero inflation.
 *
 *   log R = mean + log size;  n0 = -theta log(1 + R/theta)
 *   log NB(x) = lgamma(x + theta) - lgamma(theta) - lgamma(x + 1) + n0
 *               + x (log R - log theta - log(1 + R/theta))
 *   x > 0: softplus(l) - log NB(x)
 *   x = 0: softplus(l) - log(exp(l) + exp(n0)) = softplus(l) - n0 - softplus(l - n0)
 *
 * In double whatever `real` is: differences of lgamma are lost in single precision from theta = 1e4
 * on. log() and exp() are sums and products, so that the loops vectorise and the bits are those of
 * every instruction set. lgamma and its derivative: 8 steps up by the recurrence, then Stirling's
 * series; below 2e-13.
 */
#include <math.h>
#include <string.h>
#include "nn.h"

KERNEL_FILE

/* x normal and above 0, relative error below 1e-15 */
KERNEL_INLINE double log_of(double x)
{
    uint64_t bits, top;
    double m, e;
    memcpy(&bits, &x, 8);
    /* exponent, so that the rest is from sqrt(1/2) to sqrt(2) */
    top = (bits - 0x3FE6A09E667F3BCDu) >> 52;
    bits -= top << 52;
    memcpy(&m, &bits, 8);
    /* a small whole number as a double, without a conversion */
    top = ((top + 2048) & 4095) | 0x4330000000000000u;
    memcpy(&e, &top, 8);
    e -= 4503599627370496.0 + 2048;
    double s = (m - 1) / (m + 1), q = s * s;
    double p = 1.0 / 21;
    p = p * q + 1.0 / 19;
    p = p * q + 1.0 / 17;
    p = p * q + 1.0 / 15;
    p = p * q + 1.0 / 13;
    p = p * q + 1.0 / 11;
    p = p * q + 1.0 / 9; p = p * q + 1.0 / 7; p = p * q + 1.0 / 5; p = p * q + 1.0 / 3;
    return e * 0.6931471803691238 + (e * 1.9082149292705877e-10 + 2 * s * (1 + q * p));
}

/* exp(x), x from -700 to 700 (beyond: as there) */
KERNEL_INLINE double exp_of(double x)
{
    x = x < -700 ? -700 : x > 700 ? 700 : x;
    double shifted = x * 1.4426950408889634 + 6755399441055744.0;      /* 1.5 2^52: rounds */
    double n = shifted - 6755399441055744.0,
           r = (x - n * 0.6931471803691238) - n * 1.9082149292705877e-10;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6; p = p * r + 0.5; p = p * r + 1; p = p * r + 1;
    uint64_t bits;
    memcpy(&bits, &shifted, 8);
    bits = (bits << 52) + 0x3FF0000000000000u;
    double scale;
    memcpy(&scale, &bits, 8);
    return p * scale;
}

/* log(1 + v), v >= 0: what rounding took from 1 + v is put back */
KERNEL_INLINE double log1p_of(double v)
{
    double u = 1 + v, lost = v - (u - 1);
    lost = v > 1 ? 1 - (u - v) : lost;
    return log_of(u) + lost / u;
}

KERNEL_INLINE double softplus_of(double z)
{
    return (z > 0 ? z : 0) + log1p_of(exp_of(z > 0 ? -z : z));
}

KERNEL_INLINE double logistic_of(double z)
{
    double e = exp_of(z > 0 ? -z : z);
    return (z > 0 ? 1 : e) / (1 + e);
}

/* lgamma(z) and its derivative, z > 0 */
LOCAL_FOR_CPUS(gammas, (size_t n, const double *restrict z, double *restrict value,
               double *restrict slope), (n, z, value, slope), {
    for (size_t k = 0; k < n; k++) {
        double x = z[k];
        double p = x;
        double d = 1;
        d = d * (x + 1) + p; p *= x + 1; d = d * (x + 2) + p; p *= x + 2;
        d = d * (x + 3) + p; p *= x + 3; d = d * (x + 4) + p; p *= x + 4;
        d = d * (x + 5) + p; p *= x + 5; d = d * (x + 6) + p; p *= x + 6;
        d = d * (x + 7) + p; p *= x + 7;
        double y = x + 8;
        double i = 1 / y;
        double i2 = i * i;
        double l = log_of(y);
        double s = 1.0 / 1260 - i2 * (1.0 / 1680 - i2 * (1.0 / 1188 - i2 * (691.0 / 360360)));
        s = i * (1.0 / 12 - i2 * (1.0 / 360 - i2 * s));
        double t = 1.0 / 252 - i2 * (1.0 / 240 - i2 * (1.0 / 132 - i2 * (691.0 / 32760)));
        t = i2 * (1.0 / 12 - i2 * (1.0 / 120 - i2 * t));
        value[k] = (y - 0.5) * l - y + 0.91893853320467274 + s - log_of(p);
        slope[k] = l - 0.5 * i - t - d / p;
    }
})

#define LOG_LEAST (-11.512925464970229)                /* log 1e-5 */
#define LOG_MOST 13.815510557964274                    /* log 1e6 */

KERNEL_INLINE double mean_of(double mean)
{
    return mean < LOG_LEAST ? LOG_LEAST : mean > LOG_MOST ? LOG_MOST : mean;
}
KERNEL_INLINE double theta_of(double t) { return t < 1e-4 ? 1e-4 : t > 1e4 ? 1e4 : t; }

LOCAL_FOR_CPUS(zeros, (double inflated, double scale, double pull, size_t n, double log_size,
               real *restrict mean, real *restrict theta, real *restrict l, double *restrict nll,
               double *restrict miss),
               (inflated, scale, pull, n, log_size, mean, theta, l, nll, miss), {
    for (size_t k = 0; k < n; k++) {
        double om = (double) mean[k];
        double ot = (double) theta[k];
        /* not inflated: w, s(l) and both softplus vanish */
        double ol = inflated > 0 ? (double) l[k] : -700;
        double m = mean_of(om);
        double raw = softplus_of(ot);
        double th = theta_of(raw);
        double R = exp_of(m + log_size);
        double lp = log1p_of(R / th);
        double n0 = -th * lp;
        double away = R / (th + R);
        double w = inflated * logistic_of(ol - n0);
        nll[k] = inflated * (softplus_of(ol) - softplus_of(ol - n0)) - n0;
        double d_mean = scale * ((1 - w) * th * away + pull * R * R);
        double d_theta = scale * (1 - w) * (lp - away) * logistic_of(ot);
        miss[k] = R * R;
        mean[k] = (real) (m == om ? d_mean : 0);
        theta[k] = (real) (th == raw ? d_theta : 0);
        l[k] = (real) (scale * inflated * (logistic_of(ol) - w));
    }
})

LOCAL_FOR_CPUS(counts, (double inflated, double scale, double pull, size_t n,
               const double *restrict x, const double *restrict log_size,
               const double *restrict th_, const double *restrict lg, const double *restrict dg,
               double *restrict mean, double *restrict theta, double *restrict l,
               double *restrict nll, double *restrict miss),
               (inflated, scale, pull, n, x, log_size, th_, lg, dg, mean, theta, l, nll, miss), {
    for (size_t k = 0; k < n; k++) {
        double om = mean[k];
        double ot = theta[k];
        double ol = inflated > 0 ? l[k] : -700;
        double m = mean_of(om);
        double th = th_[k];
        double log_r = m + log_size[k];
        double R = exp_of(log_r);
        double lp = log1p_of(R / th);
        double log_nb = lg[k] - th * lp + x[k] * (log_r - log_of(th) - lp);
        double beyond = (R - x[k]) / (th + R);
        double d_theta = -scale * (dg[k] - lp + beyond) * logistic_of(ot);
        double d_mean = scale * (th * beyond + pull * (R - x[k]) * R);
        nll[k] = inflated * softplus_of(ol) - log_nb;
        miss[k] = (R - x[k]) * (R - x[k]);
        mean[k] = m == om ? d_mean : 0;
        theta[k] = th > 1e-4 && th < 1e4 ? d_theta : 0;
        l[k] = scale * inflated * logistic_of(ol);
    }
})

LOCAL_FOR_CPUS(thetas, (size_t n, const double *restrict head, const double *restrict x,
               double *restrict theta, double *restrict above, double *restrict next),
               (n, head, x, theta, above, next), {
    for (size_t k = 0; k < n; k++) {
        double t = theta_of(softplus_of(head[k]));
        theta[k] = t;
        above[k] = t + x[k];
        next[k] = x[k] + 1;
    }
})

void zinb_zeros(const Zinb *z, size_t n, double log_size, real *mean, real *theta, real *l,
                double *nll, double *miss)
{
    zeros(z->inflated, z->scale, z->pull, n, log_size, mean, theta, l, nll, miss);
}

void zinb_counts(const Zinb *z, size_t n, const double *x, const double *log_size, double *mean,
                 double *theta, double *l, double *nll, double *miss)
{
    enum { SOME = 128 };
    double th[SOME], above[SOME], next[SOME], a[SOME], da[SOME], b[SOME], db[SOME], c[SOME],
        dc[SOME];
    for (size_t from = 0, now; from < n; from += now) {
        now = n - from < SOME ? n - from : SOME;
        thetas(now, theta + from, x + from, th, above, next);
        gammas(now, above, a, da);
        gammas(now, th, b, db);
        gammas(now, next, c, dc);
        for (size_t k = 0; k < now; k++) { a[k] = a[k] - b[k] - c[k]; da[k] -= db[k]; }
        counts(z->inflated, z->scale, z->pull, now, x + from, log_size + from, th, a, da,
               mean + from, theta + from, l + from, nll + from, miss + from);
    }
}
