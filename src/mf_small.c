/* Products of small or thin matrices by rows, in fixed orders. */
#include <string.h>
#include "mf.h"

KERNEL_FILE

KERNEL_INLINE double dot8(const double *a, const double *b, size_t n)
{
    double s[8] = { 0 };
    size_t k = 0;
    for (; k + 8 <= n; k += 8) for (size_t j = 0; j < 8; j++) s[j] += a[k + j] * b[k + j];
    for (size_t j = 0; k + j < n; j++) s[j] += a[k + j] * b[k + j];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

FOR_CPUS(mf_dot_to, (const double *a, const double *b, size_t n, double *out), (a, b, n, out), {
    *out = dot8(a, b, n);
})

double mf_dot(const double *a, const double *b, size_t n)
{
    double out;
    mf_dot_to(a, b, n, &out);
    return out;
}

FOR_CPUS(mf_mul, (int m, int k, int n, const double *a, int lda, const double *b, int ldb,
         double *c, int ldc), (m, k, n, a, lda, b, ldb, c, ldc), {
    for (int i = 0; i < m; i++) {
        double *ci = c + (size_t) i * (size_t) ldc;
        for (int j = 0; j < n; j++) ci[j] = 0;
        for (int l = 0; l < k; l++) {
            double v = a[(size_t) i * (size_t) lda + (size_t) l];
            const double *bl = b + (size_t) l * (size_t) ldb;
            for (int j = 0; j < n; j++) ci[j] += v * bl[j];
        }
    }
})

FOR_CPUS(mf_mul_t, (int m, int k, int n, const double *a, int lda, const double *b, int ldb,
         double *c, int ldc), (m, k, n, a, lda, b, ldb, c, ldc), {
    for (int i = 0; i < m; i++) {
        const double *ai = a + (size_t) i * (size_t) lda;
        double *ci = c + (size_t) i * (size_t) ldc;
        for (int j = 0; j < n; j++) ci[j] = dot8(ai, b + (size_t) j * (size_t) ldb, (size_t) k);
    }
})

FOR_CPUS(mf_t_mul, (int m, int k, int n, const double *a, int lda, const double *b, int ldb,
         double *c, int ldc), (m, k, n, a, lda, b, ldb, c, ldc), {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) c[(size_t) i * (size_t) ldc + (size_t) j] = 0;
    for (int l = 0; l < k; l++)
        for (int i = 0; i < m; i++) {
            double v = a[(size_t) l * (size_t) lda + (size_t) i];
            const double *bl = b + (size_t) l * (size_t) ldb;
            double *ci = c + (size_t) i * (size_t) ldc;
            for (int j = 0; j < n; j++) ci[j] += v * bl[j];
        }
})
