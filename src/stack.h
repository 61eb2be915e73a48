/* stack.h: the posterior of a count given what models expect of it (stack.c). */
#ifndef INFILL_STACK_H
#define INFILL_STACK_H
#include "core.h"

static const double STACK_ETA_LEAST = -8, STACK_ETA_MOST = 12;
/* n entries: z, K columns of log(mu_k + 1e-3); x the counts that were seen, y those held out, rho
 * their expected ratio. */
typedef struct { size_t n; int K; const double *z, *x, *y; double rho; } StackData;
double stack_theta(double eta);              /* exp(eta), eta kept in its bounds */
/* out[0]: the mean loss at par = (eta, b_0, ..., b_K); out[1..]: its gradient. parts:
 * stack_parts(K) doubles of scratch. */
void stack_loss(const StackData *d, const double *par, int threads, double *parts, double *out);
size_t stack_parts(int K);
/* Posterior mean, standard deviation and prior mean (each may be NULL), genes x n, of cells first..
 * of counts. prior: K predictions, genes x n, at the depth of counts, which is `depth` times that
 * of the fit. */
typedef struct {
    int K;
    const double *const *prior;
    const double *par;
    double depth;
    double *mean, *sd, *prior_mean;
} StackUse;
void stack_apply(const StackUse *u, const Sparse *counts, int first, int n, int threads);

#endif
