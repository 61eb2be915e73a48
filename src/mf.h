/* mf.h: the toolkit of matrix factorisation. A sparse Y (genes x cells) is approximated by X = D1
 * D2 ... DN Z'; nothing of the size genes x cells is ever formed. All in double.
 *
 *   F[k]   D(k+1), r[k] x r[k+1] by rows, r[0] genes, k = 0..N-1
 *   Z      cells x R: one row per cell; r[N] columns in use, R the next multiple of 4, the rest 0
 *   L      D1 ... DN, genes x R
 *   T      S Z, genes x R, S = Y - (1 - w0) X at the entries of Y
 * Objective: sum over the entries of Y of (y - x)^2 + w0 sum over all others of x^2 + lambda sum
 * |F[k]|^2 + lambda |Z|^2.
 */
#ifndef INFILL_MF_H
#define INFILL_MF_H
#include "linalg.h"

/* ---- passes over the cells, by chunks that do not depend on the number of threads (mf_pass.c)
 * ---- */
enum { CHUNKS = 32 };
typedef struct {
    /* chunks of about equal entries: columns cut[c]..cut[c + 1]-1 */
    int threads, n, cut[CHUNKS + 1];
    int wave;                            /* chunks worked on in one parallel region */
    size_t room;                         /* values of one part */
    double *part;                        /* one per chunk of a wave */
    Tick tick;
} Chunks;
void chunks_take(Arena *a, Chunks *c, const Sparse *y, size_t room, int threads, Tick tick);
/* sum[0..len) becomes the sum, in order of the chunks, of what f adds to its part (given as
 * zeros). */
void chunks_run(const Chunks *c,
                void (*f)(const void *self, int thread, int from, int to, double *part),
                const void *self, size_t len, double *sum);

/* ---- kernels on one cell's entries i[k], y[k], k < n; L, Q, T: rows of R (mf_pass.c) ---- */
/* x = <L_i, z>; sum[0] += (y - x)^2, sum[1] += x^2; T_i += (y - keep x) z unless T is NULL */
void mf_residual(int R, const double *L, const double *z, const int *i, const double *y, size_t n,
                 double keep, double *T, double *sum);
/* q = <Q_i, z>; b_i += (y - x) q + w0 x q, a_i += q^2, T_i += q z */
void mf_search(int R, const double *L, const double *Q, const double *z, const int *i,
               const double *y, size_t n, double w0, double *b, double *a, double *T);
/* x[k] = <L_i, z>; g += (y - keep x) L_i */
void mf_gather(int R, const double *L, const double *z, const int *i, const double *y, size_t n,
               double keep, double *x, double *g);
/* q[k] = <L_i, d>; sum[0] += (y - x) q + w0 x q, sum[1] += q^2 */
void mf_along(int R, const double *L, const double *d, const int *i, const double *y,
              const double *x, size_t n, double w0, double *q, double *sum);
/* x + t q for x: sum[0] += (y - x)^2, sum[1] += x^2, T_i += (y - keep x) z */
void mf_finish(int R, const double *z, const int *i, const double *y, const double *x,
               const double *q, size_t n, double t, double keep, double *T, double *sum);

/* zz += z z'; out = A z, A symmetric: R x R */
void mf_square(int R, const double *z, double *zz);
void mf_apply(int R, const double *A, const double *z, double *out);

/* ---- small dense matrices by rows: c (m x n) = or += a op b (mf_small.c) ---- */
/* a b */
void mf_mul(int m, int k, int n, const double *a, int lda, const double *b, int ldb, double *c,
            int ldc);
/* a b' */
void mf_mul_t(int m, int k, int n, const double *a, int lda, const double *b, int ldb, double *c,
              int ldc);
/* a' b; a: k x m */
void mf_t_mul(int m, int k, int n, const double *a, int lda, const double *b, int ldb, double *c,
              int ldc);
double mf_dot(const double *a, const double *b, size_t n);  /* 8 partial sums, in a fixed order */

/* ---- leading singular vectors (mf_svd.c) ---- */
/* u: nrow x r by rows, left singular vectors; s: singular values, falling; of Y, or with `mean`
 * (one value per row) of Y where its empty entries hold the row's mean. The entry of largest size
 * of each vector is positive. passes: over Y; 0: by a whole Gram matrix. */
typedef struct {
    const Sparse *y;
    const double *mean;
    int r;
    uint64_t seed;
    int threads;
    Tick tick;
    /* shorter side up to which the Gram matrix is formed, vectors kept before a restart; 0:
     * chosen */
    int whole, basis;
} SvdTask;
Status mf_svd(Arena *a, const SvdTask *task, double *u, double *s, int *passes);
/* The same to what a prediction can use, in a fraction of the time; without `mean`. `basis`: how
 * many vectors are looked among (mf_krylov.c). */
Status mf_leading(Arena *a, const SvdTask *task, double *u, double *s);
/* Turned so that the entry of largest size is positive. */
void mf_upright(double *column, size_t m, size_t ld);

/* ---- the factorisation (mf_block.c) ---- */
/* What a step along delta needs beside sums over the entries: <X, dX>, |dX|^2, <F, delta>,
 * |delta|^2. */
typedef struct { double xd, dx, fd, dd; } Along;
enum { MF_LAYERS = 8 };
typedef enum { MF_PLAIN, MF_EXACT, MF_EXACT_BLOCK } MfStep;
typedef struct {
    /* given */
    const Sparse *y;
    int N, r[MF_LAYERS + 1];
    double w0, lambda;
    MfStep step;
    int nonneg, threads;
    Tick tick;
    /* taken by mf_take(); F and Z are to be filled by the caller */
    double *F[MF_LAYERS], *Z;
    int R;
    double *L, *T, *Q, *wide[3];         /* wide: genes x r[1] */
    double *small[14], *eigen[2];  /* matrices and vectors of up to the larger of r[1] and R */
    double *ZZ, *LL;                     /* Z'Z and L'L, R x R */
    double *sum;                         /* what a pass gives */
    double *x, *q, *cell, *deltas;  /* scratch: entries of a cell and 6 R, per thread; cells x R */
    Along *along;                        /* per gene */
    double norm2, step_of_all;
    int longest;
    Chunks chunks;
    LaWork la;
    /* results */
    double on, on_x;                     /* sums over the entries of Y: (y - x)^2, x^2 */
    /* |dX|^2 of the blocks since it was set to 0; last step of each block */
    double moved, t[MF_LAYERS + 1];
} Mf;
void mf_take(Arena *a, Mf *d);
void mf_take_left(Arena *a, Mf *d);      /* F, Z, L, L'L only: what predicting needs */
void mf_left(Mf *d);                     /* L and L'L at the current factors */
/* L, L'L, Z'Z, T and the sums at the current factors: one pass. */
void mf_measure(Mf *d);
double mf_norm2(const Mf *d);            /* |X|^2 */
double mf_data(const Mf *d);             /* the objective without the ridge */
double mf_ridge(const Mf *d);
/* One block: k = 0..N-1: F[k]; k = N: Z; in this order. Before the first block T must be that of
 * the current factors; the last one leaves T and the sums as they are then. In between, after a
 * plain block N-1, T is not kept, and the sums are so after mf_measure() only. */
Status mf_block(Mf *d, int k);
void mf_rebalance(Mf *d);
size_t mf_state(const Mf *d);            /* values of all factors */
void mf_save(const Mf *d, double *to);
void mf_load(Mf *d, const double *from);
/* z (R values) of a cell with these entries, L fixed: the minimiser, of least norm; where factors
 * must not be negative, 200 rounds of coordinate descent from there. normal: R x R scratch */
Status mf_new_cell(Mf *d, const int *i, const double *y, size_t n, double *normal, double *z);
#endif
