/* mf_parts.h: what the blocks of the factorisation share; for mf_block.c, mf_product.c, mf_gene.c
 * and mf_cell.c only. What is computed: mf_block.c.
 */
#ifndef INFILL_MF_PARTS_H
#define INFILL_MF_PARTS_H
#include <math.h>
#include "mf.h"

/* Shares of the largest eigenvalue below which one is none; of |X|^2 below which nothing moved. */
static const double MF_NULL_SHARE = 1e-10, MF_STILL = 1e-24;

static inline double larger(double a, double b) { return a > b ? a : b; }
static inline size_t rows_of(const Mf *d, int k) { return (size_t) d->r[k]; }
static inline int rank_of(const Mf *d) { return d->r[d->N]; }
static inline size_t wide_of(const Mf *d) { return (size_t) d->r[1]; }
static inline int is_seen(double value, double largest) { return value > MF_NULL_SHARE * largest; }

/* A pass's sums: T, then Z'Z, then some numbers. */
static inline double *zz_of(const Mf *d, double *part)
{
    return part + rows_of(d, 0) * (size_t) d->R;
}
static inline double *numbers_of(const Mf *d, double *part)
{
    return zz_of(d, part) + (size_t) d->R * (size_t) d->R;
}
static inline size_t sums_of(const Mf *d)
{
    return (rows_of(d, 0) + (size_t) d->R) * (size_t) d->R + 6;
}

/* mf_product.c */
/* to (r[k] x r[N], rows of ld) = F[k] ... F[N-1]; k = N: the identity is not formed. scratch: small
 * matrices */
void mf_product_from(const Mf *d, int k, double *to, int ld);
/* mf_mul() with many rows, dealt out to the threads */
void mf_tall(const Mf *d, int m, int k, int n, const double *a, int lda, const double *b, int ldb,
             double *c, int ldc);
void mf_take_sums(Mf *d);
double mf_factor_norm2(const Mf *d, int k);
/* Eigenvalues of a (n x n, rows of ld) in d->eigen[which], negative ones as 0, and vectors as the
 * rows of v. */
Status mf_eigen_of(Mf *d, const double *a, int n, int ld, int which, double *v);
/* W (n x n, rows of ld) = V diag(1/(value + lambda)) V' over the eigenvectors (rows of v) that are
 * seen; none: V V' over the others. */
void mf_inverse(const Mf *d, int n, const double *value, const double *v, int none, double *W,
                int ld);
/* out = P [(P'RQ)/(a c + lambda)] Q' where a c is seen, 0 elsewhere; none: instead, P [P'RQ] Q'
 * where it is not. P, Q: vectors as rows. h1, h2: scratch like R. */
void mf_solve(const Mf *d, int rows, int cols, const double *P, const double *Q, int none,
              const double *R, double *h1, double *h2, double *out);
/* The exact step: b/a2, or 1 where there is none; within what keeps the factor non-negative. */
double mf_step_along(const Mf *d, double b, double a2, const double *f, const double *delta,
                     size_t n);
/* Five steps of accelerated projected gradient (Beck, Teboulle 2009) towards the non-negative
 * minimiser of the surrogate. g0: A'EC' at F; left (rows x rows) A'A or NULL; right (cols x cols,
 * rows of ldr) CC' or NULL. delta: the change of F. v, u, h: scratch like F. */
void mf_project(int rows, int cols, const double *F, const double *g0, const double *left,
                const double *right, int ldr, double lambda, double lip, double *delta, double *v,
                double *u, double *h);

/* mf_gene.c, mf_cell.c: F[k], and Z */
Status mf_block_gene(Mf *d, int k);
Status mf_block_cell(Mf *d);
#endif
