/* The floor of one sweep of deepMc with two layers: the bare products with the non-zeros, nothing else. Counted as in the
 * model's page: plain 4 N + 8, exact 6 N + 10 times non-zeros times rank, N = 2; as sampled products (a dot per non-zero) and
 * sparse ones (a row added per non-zero). Called from bench-deepmc.R with .C(), linked against the core. */
#include <stdlib.h>
#include <time.h>
#include "mf.h"

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static double *take(size_t n)
{
    double *p = aligned_alloc(64, (n * sizeof *p + 63) / 64 * 64);
    for (size_t k = 0; k < n; k++) p[k] = 0.01 * (double) (k % 7);
    return p;
}

void floor_deepmc(int *p, int *i, double *x, int *genes, int *cells, int *rank, int *repeats, double *plain, double *exact)
{
    int R = (*rank + 3) / 4 * 4;
    size_t m = (size_t) *genes, n = (size_t) *cells;
    double *L = take(m * (size_t) R), *Q = take(m * (size_t) R), *T = take(m * (size_t) R), *z = take((size_t) R), *b = take(m),
           *a = take(m), *one = take(m), *two = take(m), g[64], sum[2];
    *plain = *exact = 1e9;
    for (int r = 0; r < *repeats; r++) {
        double pass = 0, search = 0, cell = 0, t0 = now(), t1;
        for (size_t c = 0; c < n; c++) mf_residual(R, L, z, i + p[c], x + p[c], (size_t) (p[c + 1] - p[c]), 1, T, sum);
        pass = (t1 = now()) - t0;
        for (size_t c = 0; c < n; c++) mf_search(R, L, Q, z, i + p[c], x + p[c], (size_t) (p[c + 1] - p[c]), 0, b, a, T);
        search = now() - t1;
        t0 = now();
        for (size_t c = 0; c < n; c++) {
            size_t k = (size_t) (p[c + 1] - p[c]);
            mf_gather(R, L, z, i + p[c], x + p[c], k, 1, one, g);
            mf_along(R, L, z, i + p[c], x + p[c], one, k, 0, two, sum);
            mf_finish(R, z, i + p[c], x + p[c], one, two, k, 1, 1, T, sum);
        }
        cell = now() - t0;
        if (pass + cell < *plain) *plain = pass + cell;
        if (2 * search + cell < *exact) *exact = 2 * search + cell;
    }
    free(L); free(Q); free(T); free(z); free(b); free(a); free(one); free(two);
}
