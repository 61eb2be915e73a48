/* Optimisers, one pass over weights, gradient and moments.
 *   SGD      w -= lr g
 *   RMSProp  s = 0.9 s + 0.1 g^2, w -= lr g / sqrt(s + 1e-10), s starts at 1: TensorFlow 1's
 *            RMSPropOptimizer
 *   Adam     m = 0.9 m + 0.1 g, v = 0.999 v + 0.001 g^2,
 *            w -= lr sqrt(1 - 0.999^t)/(1 - 0.9^t) m/(sqrt(v) + 1e-7): Keras
 *   AdamW    the same moments,
 *            w = (1 - lr decay) w - lr/(1 - 0.9^t) m/(sqrt(v)/sqrt(1 - 0.999^t) + 1e-7):
 *            Loshchilov and Hutter 2019, eps outside the correction
 */
#include <math.h>
#include <string.h>
#include "nn.h"

KERNEL_FILE

void optim_start(Rule rule, real *s, size_t n)
{
    for (size_t k = 0; k < n; k++) s[k] = rule == OPT_RMSPROP;
}

/* to may be w: each run of W is read before it is written */
#define RMSPROP(suffix, attr, W) \
attr static void rmsprop##suffix(real lr, real decay, const real *w, const real *g, real *s, \
                                 real *to, size_t n) \
{ \
    for (size_t k = 0; k < n; k += W) { \
        Lanes##W wk = CONST_LANES(Lanes##W, w + k); \
        Lanes##W gk = CONST_LANES(Lanes##W, g + k) + decay * wk; \
        Lanes##W v = (real) 0.9 * LANES(Lanes##W, s + k) + (real) 0.1 * (gk * gk); \
        LANES(Lanes##W, s + k) = v; \
        LANES(Lanes##W, to + k) = wk - lr * gk / SQRT_LANES_##W(v + (real) 1e-10); \
    } \
}
BY_LANES(RMSPROP)

#define ADAM(suffix, attr, W) \
attr static void adam##suffix(real step, real decay, real eps, const real *w, const real *g, \
                              real *s, real *v, real *to, size_t n) \
{ \
    for (size_t k = 0; k < n; k += W) { \
        Lanes##W wk = CONST_LANES(Lanes##W, w + k); \
        Lanes##W gk = CONST_LANES(Lanes##W, g + k) + decay * wk; \
        Lanes##W m = (real) 0.9 * LANES(Lanes##W, s + k) + (real) 0.1 * gk; \
        Lanes##W u = (real) 0.999 * LANES(Lanes##W, v + k) + (real) 0.001 * (gk * gk); \
        LANES(Lanes##W, s + k) = m; \
        LANES(Lanes##W, v + k) = u; \
        LANES(Lanes##W, to + k) = wk - step * m / (SQRT_LANES_##W(u) + eps); \
    } \
}
BY_LANES(ADAM)

#define ADAMW(suffix, attr, W) \
attr static void adamw##suffix(real step, real root, real shrink, const real *w, const real *g, \
                               real *s, real *v, real *to, size_t n) \
{ \
    for (size_t k = 0; k < n; k += W) { \
        Lanes##W gk = CONST_LANES(Lanes##W, g + k); \
        Lanes##W m = (real) 0.9 * LANES(Lanes##W, s + k) + (real) 0.1 * gk; \
        Lanes##W u = (real) 0.999 * LANES(Lanes##W, v + k) + (real) 0.001 * (gk * gk); \
        LANES(Lanes##W, s + k) = m; \
        LANES(Lanes##W, v + k) = u; \
        LANES(Lanes##W, to + k) = shrink * CONST_LANES(Lanes##W, w + k) \
                                - step * m / (root * SQRT_LANES_##W(u) + (real) 1e-7); \
    } \
}
BY_LANES(ADAMW)

static double rate_of(const Optim *o)
{
    double first = 1 - pow(0.9, o->t);
    return o->rule == OPT_ADAM ? o->learning_rate * sqrt(1 - pow(0.999, o->t)) / first :
           o->rule == OPT_ADAMW ? o->learning_rate / first : o->learning_rate;
}

static double root_of(const Optim *o) { return 1 / sqrt(1 - pow(0.999, o->t)); }

void optim_next(Optim *o)
{
    o->t++;
    o->rate = rate_of(o);
    o->root = root_of(o);
}

/* n a multiple of 16, or less than 16: a short rest is stepped in a padded copy */
static void step(const Optim *o, const real *w, const real *g, real *s, real *v, real *to, size_t n)
{
    if (o->rule == OPT_RMSPROP) {
        CALL_LANES(rmsprop, (real) o->learning_rate, (real) o->decay, w, g, s, to, n);
        return;
    }
    double rate = o->rate > 0 ? o->rate : rate_of(o);
    double eps = o->epsilon > 0 ? o->epsilon : 1e-7;
    if (o->rule == OPT_ADAM)
        CALL_LANES(adam, (real) rate, (real) o->decay, (real) eps, w, g, s, v, to, n);
    else
        CALL_LANES(adamw, (real) rate, (real) (o->rate > 0 ? o->root : root_of(o)),
                   (real) (1 - o->learning_rate * o->decay), w, g, s, v, to, n);
}

void optim_step(const Optim *o, const real *w, const real *g, real *s, real *v, real *to, size_t n)
{
    size_t whole = n / 16 * 16, rest = n - whole;
    if (o->rule == OPT_SGD) {
        for (size_t k = 0; k < n; k++)
            to[k] = w[k] - (real) o->learning_rate * (g[k] + (real) o->decay * w[k]);
        return;
    }
    if (whole) step(o, w, g, s, v, to, whole);
    if (!rest) return;
    real pad[4][16] = { { 0 } };
    const real *from[4] = { w, g, s, v };
    for (int a = 0; a < 4; a++) if (from[a]) memcpy(pad[a], from[a] + whole, rest * sizeof(real));
    step(o, pad[0], pad[1], pad[2], pad[3], pad[0], 16);
    memcpy(to + whole, pad[0], rest * sizeof(real));
    memcpy(s + whole, pad[2], rest * sizeof(real));
    if (v) memcpy(v + whole, pad[3], rest * sizeof(real));
}
