/* Optimisers, one pass over weights, gradient and moments.
 *   SGD      w -= lr g
 *   RMSProp  s = 0.9 s + 0.1 g^2, w -= lr g / sqrt(s + 1e-10), s starts at 1: TensorFlow 1's RMSPropOptimizer
 *   Adam     m = 0.9 m + 0.1 g, v = 0.999 v + 0.001 g^2, w -= lr sqrt(1 - 0.999^t)/(1 - 0.9^t) m/(sqrt(v) + 1e-7): Keras
 */
#include <math.h>
#include "nn.h"

KERNEL_FILE

#ifdef INFILL_DOUBLE
#define SQRT sqrt
#else
#define SQRT sqrtf
#endif

void optim_start(Rule rule, real *s, size_t n)
{
    for (size_t k = 0; k < n; k++) s[k] = rule == OPT_RMSPROP;
}

#define RMSPROP(suffix, attr, W) \
attr static void rmsprop##suffix(real lr, const real *w, const real *g, real *s, real *to, size_t n) \
{ \
    for (size_t k = 0; k < n; k++) { \
        real m = (real) 0.9 * s[k] + (real) 0.1 * (g[k] * g[k]); \
        s[k] = m; \
        to[k] = w[k] - lr * g[k] / SQRT(m + (real) 1e-10); \
    } \
}
BY_LANES(RMSPROP)

#define ADAM(suffix, attr, W) \
attr static void adam##suffix(real step, const real *w, const real *g, real *s, real *v, real *to, size_t n) \
{ \
    for (size_t k = 0; k < n; k++) { \
        s[k] = (real) 0.9 * s[k] + (real) 0.1 * g[k]; \
        v[k] = (real) 0.999 * v[k] + (real) 0.001 * (g[k] * g[k]); \
        to[k] = w[k] - step * s[k] / (SQRT(v[k]) + (real) 1e-7); \
    } \
}
BY_LANES(ADAM)

void optim_step(const Optim *o, const real *w, const real *g, real *s, real *v, real *to, size_t n)
{
    if (o->rule == OPT_RMSPROP)
        CALL_LANES(rmsprop, (real) o->learning_rate, w, g, s, to, n);
    else if (o->rule == OPT_ADAM)
        CALL_LANES(adam, (real) (o->learning_rate * sqrt(1 - pow(0.999, o->t)) / (1 - pow(0.9, o->t))), w, g, s, v, to, n);
    else
        for (size_t k = 0; k < n; k++) to[k] = w[k] - (real) o->learning_rate * g[k];
}
