/* Activations. Exponentials and logarithms: nn_math.h. */
#include "nn.h"

KERNEL_FILE
#include "nn_math.h"

/* 1/(1 + exp(-z)), as exp(z)/(1 + exp(z)) for z < 0 */
FOR_CPUS(act_sigmoid, (real *y, size_t n), (y, n), {
    for (size_t k = 0; k < n; k++) {
        y[k] = logistic(y[k]);
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

/* max(z, 0) + log(1 + exp(-|z|)) */
FOR_CPUS(act_softplus, (real *y, size_t n), (y, n), {
    for (size_t k = 0; k < n; k++) {
        y[k] = softplus(y[k]);
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

FOR_CPUS(act_drop, (real *y, const uint32_t *bits, uint32_t below, real scale, size_t n),
         (y, bits, below, scale, n), {
    for (size_t k = 0; k < n; k++) y[k] *= bits[k] < below ? 0 : scale;
})
