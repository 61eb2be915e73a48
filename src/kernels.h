/* kernels.h: products of matrices in `real`: sparse with panels, and dense. */
#ifndef INFILL_KERNELS_H
#define INFILL_KERNELS_H
#include "core.h"

/* Panels: a matrix of n rows and h columns is kept as panels_of(h) slabs of n x PANEL, zero beyond
 * column h, so that PANEL columns of one row are one short contiguous run and a slab of some
 * thousand rows stays in the cache. */
enum { PANEL = 64 };
static inline size_t panels_of(int h) { return ((size_t) h + (size_t) PANEL - 1) / (size_t) PANEL; }
/* element (row, column) of a panel matrix of n rows */
static inline size_t panel_at(size_t n, size_t row, size_t col)
{
    return (col / PANEL) * n * PANEL + row * PANEL + col % PANEL;
}
/* acc[.] += sum_k val[k] * slab[idx[k]][.], k rising; acc: PANEL */
void panel_gather(real *acc, const real *slab, const int *idx, const real *val, size_t n);
/* out[r][.] = start[.] (NULL: 0) + sum over k = p[r]..p[r + 1]-1 of val[k] * slab[idx[k]][.], for r
 * < rows; out: rows x PANEL */
void panel_sums(real *out, const real *start, const real *slab, const size_t *p, const int *idx,
                const real *val, size_t rows);
/* y[k] += sum_j slab[idx[k]][j] * h[j], in a fixed order of j */
void panel_dots(real *y, const real *slab, const int *idx, size_t n, const real *h);

/* ---- dense products ---- */
enum { GEMM_SCRATCH = 192 * (96 + 256) };      /* reals of scratch one call of gemm() needs */
/* Row-major C (m x n) = beta C + op(A) op(B), beta 0 or 1, op transposes when its flag is set.
 * Every element is summed over k in rising order, so zeros in A or B change no bit against
 * panel_gather(). One thread. */
void gemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, const real *a, size_t lda,
          const real *b, size_t ldb, int beta, real *c, size_t ldc, real *scratch);

#endif
