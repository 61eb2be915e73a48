/* stack.h: the posterior of a count given what models expect of it (stack.c, stack_priors.c). */
#ifndef INFILL_STACK_H
#define INFILL_STACK_H
#include "core.h"

static const double STACK_ETA_LEAST = -8, STACK_ETA_MOST = 12, STACK_FLOOR = 1e-3;
/* n entries: z, K columns of log(mu_k + 1e-3); x the counts that were seen, y those held out, rho
 * their expected ratio. */
typedef struct {
    size_t n;
    int K;
    const double *const *z, *x, *y;
    double rho;
} StackData;
double stack_theta(double eta);              /* exp(eta), eta kept in its bounds */
/* out[0]: the mean loss at par = (eta, b_0, ..., b_K); out[1..K + 2]: its gradient; then, where
 * `curved`, the information, (K + 2)^2: mean of m d d', d the derivatives of log m, which is what
 * the second derivatives are expected to be. parts: stack_parts(K) doubles of scratch. */
void stack_loss(const StackData *d, const double *par, int curved, int threads, double *parts,
                double *out);
size_t stack_parts(int K);
/* Mean losses of the columns of z as they are: of rho (exp(z_k) - 1e-3), K of them. */
void stack_alone(const StackData *d, int threads, double *out);

/* What K priors expect of some cells, and how. The quick ones are computed where they are wanted:
 * gene means, projections on nested sets of singular vectors, pools of nested sets of neighbours.
 * Others come as dense matrices. Genes are those of the counts, or `rows` of them; everything of
 * the size of genes has one value for each of those. */
typedef enum { PRIOR_DENSE, PRIOR_MEAN, PRIOR_SVD, PRIOR_NEAR } PriorKind;
typedef struct {
    PriorKind kind;
    const double *values;      /* dense: genes x cells; mean: one for each gene, at size 1 */
    int first;                 /* SVD: how many vectors; near: how many neighbours */
} Prior;
/* Counts of the cells that neighbours are among, packed, because they are read a hundred times
 * each: gene and count in one word where all fit (SMALL_ROWS, SMALL_COUNT), or apart. */
enum { SMALL_BITS = 12, SMALL_ROWS = 1 << 20, SMALL_COUNT = 1 << SMALL_BITS };
typedef struct { int gene; float count; } Packed;
typedef struct {
    int rows, cells;           /* rows: all genes, or those that are asked for */
    const int *p;
    const uint32_t *small;     /* gene << SMALL_BITS | count; or NULL, and then `at` */
    const Packed *at;
    const double *totals;      /* over all genes */
} Pool;
typedef struct {
    int K;
    const Prior *prior;
    const Sparse *counts;      /* of the cells, all genes */
    const int *rows;           /* NULL: all */
    size_t n_rows;
    double usual;              /* size = total / usual */
    int dims, neighbours;      /* the most of any prior; 0: none */
    const double *turn;        /* n_rows x dims by columns */
    const double *scores;      /* dims x cells */
    const int *near;           /* neighbours x cells, the nearest first */
    const Pool *pool;
    const int *pool_row;       /* row of the pool for each of n_rows; NULL: the same ones */
} Priors;
/* Scratch of one thread, in doubles. */
size_t priors_scratch(const Priors *p);

/* log(mu_k / depth + 1e-3) of all genes for each k: K columns of n_rows, for one cell. */
void priors_of_cell(const Priors *p, int cell, double depth, double *scratch, double *to);
/* The same at some of the genes (rising, from 0); column k at to + k * ld. turn_rows: genes x dims
 * by rows. */
void priors_at(const Priors *p, int cell, const int *genes, size_t n, const double *turn_rows,
               double *scratch, double *to, size_t ld);

/* Posterior mean, standard deviation and prior mean (each may be NULL), n_rows x cells. The counts
 * are at `depth` times the depth of the fit. unseen (or NULL): genes that had no molecule in the
 * fit, which stay as they are; so do cells without any. */
typedef struct {
    const Priors *priors;
    const double *par;
    double depth;
    const int *unseen;
    double *mean, *sd, *prior_mean;
} StackUse;
Status stack_fill(Arena *, const StackUse *u, int threads, Tick);

#endif
