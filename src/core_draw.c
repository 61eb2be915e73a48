/* Draws of distributions, each from a substream of its own, by rejection where that is exact. */
#include <math.h>
#include "core.h"

KERNEL_FILE

Draws draws_of(uint64_t seed, Stream stream, uint32_t part, uint32_t item)
{
    return (Draws) { seed, stream, part, (uint64_t) item << 32, { 0, 0 }, 0 };
}

double draw_unif(Draws *d)
{
    if (!d->left) {
        rng_pair(d->seed, d->stream, d->part, d->position++, d->u);
        d->left = 2;
    }
    return d->u[--d->left];
}

double draw_normal(Draws *d)
{
    double u = draw_unif(d);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * draw_unif(d));
}

/* Marsaglia and Tsang 2000: a (1 + cz)^3, accepted against the normal z. log((1 + cz)^3) and what
 * is taken from it are written as small differences, or they would drown in rounding where the
 * shape is huge. */
double draw_gamma(Draws *d, double shape)
{
    double boost = shape < 1 ? exp(log(draw_unif(d)) / shape) : 1;
    double a = (shape < 1 ? shape + 1 : shape) - 1 / 3.0, c = 1 / sqrt(9 * a);
    for (;;) {
        double z = draw_normal(d), t = c * z, u;
        if (t <= -1) continue;
        u = draw_unif(d);
        if (u < 1 - 0.0331 * z * z * z * z  /* their squeeze: mostly no logarithm */
            || log(u) < 0.5 * z * z + a * (3 * (log1p(t) - t) - t * t * (3 + t)))
            return boost * a * (1 + t) * (1 + t) * (1 + t);
    }
}

/* log of the Poisson probability of k = 0, 1, ... by Stirling's series; what is near k log(k) is
 * never formed */
static double log_poisson(double k, double mean)
{
    if (k < 8) {
        double f = 1;
        for (int j = 2; j <= (int) k; j++) f *= j;
        return k * log(mean) - mean - log(f);
    }
    double e = (mean - k) / k, r = 1 / (k * k);
    double series = (1 - r * (1 / 30.0 - r * (1 / 105.0 - r * (1 / 140.0 - r / 99)))) / (12 * k);
    return k * (log1p(e) - e) - 0.5 * log(6.283185307179586 * k) - series;
}

/* By inversion below 10, else by transformed rejection with squeeze (PTRS, Hormann 1993). */
double draw_poisson(Draws *d, double mean)
{
    if (mean < 10) {
        double u = draw_unif(d), p = exp(-mean);
        int k = 0;
        while (u > p && k < 100) { u -= p; p *= mean / ++k; }  /* a hundred has probability 1e-61 */
        return k;
    }
    double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b,
           over = 1.1239 + 1.1328 / (b - 3.4);
    for (;;) {
        double u = draw_unif(d) - 0.5, v = draw_unif(d), s = 0.5 - fabs(u);
        double k = floor((2 * a / s + b) * u + mean + 0.43);
        if (s >= 0.07 && v <= 0.9277 - 3.6224 / (b - 2)) return k;
        if (k < 0 || (s < 0.013 && v > s)) continue;
        if (log(v * over / (a / (s * s) + b)) <= log_poisson(k, mean)) return k;
    }
}

/* A middle one of n uniform numbers, in order, is beta: those below p are it and all before it, or
 * some before it. Which halves n; a few are drawn one by one. */
double draw_binomial(Draws *d, double n, double p)
{
    double k = 0;
    while (n > 32) {
        double at = floor((n + 1) / 2), below = draw_gamma(d, at),
               y = below / (below + draw_gamma(d, n + 1 - at));
        if (y <= p) {
            k += at;
            n -= at;
            p = y < 1 ? (p - y) / (1 - y) : 0;
        } else {
            n = at - 1;
            p /= y;
        }
    }
    for (; n > 0; n--) k += draw_unif(d) < p;
    return k;
}
