/* One blocked product of dense matrices in `real`: packed strips of 6 rows and 16 columns, one
 * thread, every element summed over k in rising order from what C holds, so that block sizes never
 * change a bit. R's BLAS has no portable single-precision product, and a threaded one does not give
 * the same bits twice. */
#include <string.h>
#include "kernels.h"

KERNEL_FILE

enum { MR = 6, NR = 16, KC = 192, MC = 96, NC = 256 };     /* GEMM_SCRATCH = KC * (MC + NC) */

/* c (MR x NR, ldc) += strip a (kc x MR) times strip b (kc x NR) */
#define MICRO(suffix, attr, W) \
attr static void micro##suffix(size_t kc, const real *a, const real *b, real *c, size_t ldc) \
{ \
    Lanes##W r[MR][NR / W]; \
    for (int i = 0; i < MR; i++) \
        for (int j = 0; j < NR / W; j++) \
            r[i][j] = CONST_LANES(Lanes##W, c + (size_t) i * ldc + j * W); \
    for (size_t k = 0; k < kc; k++, a += MR, b += NR) \
        for (int j = 0; j < NR / W; j++) { \
            Lanes##W row = CONST_LANES(Lanes##W, b + j * W); \
            for (int i = 0; i < MR; i++) r[i][j] += a[i] * row; \
        } \
    for (int i = 0; i < MR; i++) \
        for (int j = 0; j < NR / W; j++) LANES(Lanes##W, c + (size_t) i * ldc + j * W) = r[i][j]; \
}
BY_LANES(MICRO)

/* the same where only mr x nr of the strip are wanted */
static void tile(size_t kc, const real *a, const real *b, real *c, size_t ldc, size_t mr, size_t nr)
{
    if (mr == MR && nr == NR) {
        CALL_LANES(micro, kc, a, b, c, ldc);
        return;
    }
    real edge[MR * NR] = { 0 };
    for (size_t i = 0; i < mr; i++) memcpy(edge + i * NR, c + i * ldc, nr * sizeof(real));
    CALL_LANES(micro, kc, a, b, edge, NR);
    for (size_t i = 0; i < mr; i++) memcpy(c + i * ldc, edge + i * NR, nr * sizeof(real));
}

/* rows x kc of m, element (r, k) at m[r * rs + k * ks], into strips of `width` rows, the last
 * filled up with zeros */
static void pack(real *to, const real *m, size_t rows, size_t kc, size_t rs, size_t ks,
                 size_t width)
{
    for (size_t r0 = 0; r0 < rows; r0 += width, to += width * kc) {
        size_t w = rows - r0 < width ? rows - r0 : width;
        if (w < width) memset(to, 0, width * kc * sizeof(real));
        if (ks == 1)
            for (size_t r = 0; r < w; r++)
                for (size_t k = 0; k < kc; k++) to[k * width + r] = m[(r0 + r) * rs + k];
        else
            for (size_t k = 0; k < kc; k++)
                for (size_t r = 0; r < w; r++) to[k * width + r] = m[(r0 + r) * rs + k * ks];
    }
}

void gemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, const real *a, size_t lda,
          const real *b, size_t ldb, int beta, real *c, size_t ldc, real *scratch)
{
    size_t a_row = trans_a ? 1 : lda, a_k = trans_a ? lda : 1, b_col = trans_b ? ldb : 1,
           b_k = trans_b ? 1 : ldb;
    real *pa = scratch, *pb = scratch + KC * MC;
    if (!beta) for (size_t i = 0; i < m; i++) memset(c + i * ldc, 0, n * sizeof(real));
    for (size_t j0 = 0; j0 < n; j0 += NC) {
        size_t nc = n - j0 < NC ? n - j0 : NC;
        for (size_t k0 = 0; k0 < k; k0 += KC) {
            size_t kc = k - k0 < KC ? k - k0 : KC;
            pack(pb, b + j0 * b_col + k0 * b_k, nc, kc, b_col, b_k, NR);
            for (size_t i0 = 0; i0 < m; i0 += MC) {
                size_t mc = m - i0 < MC ? m - i0 : MC;
                pack(pa, a + i0 * a_row + k0 * a_k, mc, kc, a_row, a_k, MR);
                for (size_t j = 0; j < nc; j += NR)
                    for (size_t i = 0; i < mc; i += MR)
                        tile(kc, pa + i * kc, pb + j * kc, c + (i0 + i) * ldc + j0 + j, ldc,
                             mc - i < MR ? mc - i : MR, nc - j < NR ? nc - j : NR);
            }
        }
    }
}
