/* deepmc.h: the parts of deepMc, for model_deepmc.c and deepmc_*.c. What is computed:
 * model_deepmc.c.
 */
#ifndef INFILL_DEEPMC_H
#define INFILL_DEEPMC_H
#include "mf.h"
#include "model.h"

typedef struct {
    Ints ranks;                            /* as asked for; mc_ranks() has them as they are used */
    double zero_weight, lambda, lambda_scale, tol;
    int step, init, nonneg, accelerate;
} McParams;
enum { INIT_SVD, INIT_MEAN, INIT_RANDOM };

typedef struct { int cells, iterations; } McPlan;        /* cells of the fit, sweeps */

/* What a fit keeps beside the factors: a fingerprint of each cell, the mean step of each block in
 * each sweep, and the summary: objective and ridge at the start, lambda, w0, share of non-zeros,
 * passes of the start, sigma */
enum { START_DATA, START_RIDGE, LAMBDA, W0, SHARE, START_PASSES, SIGMA, SUMMARY };

/* deepmc_start.c */
/* Standard deviation of what an additive model of genes and cells leaves of the entries. */
Status mc_residual_sd(Arena *a, const Sparse *y, Tick tick, double *sd);
/* The first factors, measured. passes: over the matrix, for the singular vectors */
Status mc_start_singular(Arena *a, Mf *d, const McParams *p, uint64_t seed, int *passes);
void mc_start_random(Mf *d, uint64_t seed);

/* ---- Anderson's acceleration (deepmc_anderson.c) ---- */
enum { PAIRS = 6 };
typedef struct {
    size_t n;
    double *f, *g, *r, *last_g, *last_r, *dg[PAIRS], *dr[PAIRS];
    int pairs, started;
    LaWork la;
} Anderson;
void mc_take_anderson(Arena *a, Anderson *w, size_t n);
/* From w->f before and the factors after a sweep to a candidate, kept when its objective is not
 * above `now`. */
Status mc_accelerate(Anderson *w, Mf *d, double now);
#endif
