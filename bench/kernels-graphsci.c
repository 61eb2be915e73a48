/* The floor of an epoch of GraphSCI: X V and X' dA, cells x genes times genes x genes and back, tile by tile, one thread. */
#include <stdlib.h>
#include <time.h>
#include "graphsci.h"

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static real *take(size_t n)
{
    real *x = malloc(n * sizeof *x);
    for (size_t k = 0; k < n; k++) x[k] = (real) (1e-3 * (double) (k % 1013));
    return x;
}

void floor_graphsci(int *genes, int *cells, int *repeats, double *seconds)
{
    size_t N = (size_t) *genes, M = (size_t) *cells;
    real *X = take(N * M), *V = take(N * TILE), *A = take(M * TILE), *scratch = take(GEMM_SCRATCH);
    for (int r = 0; r < *repeats; r++) {
        double t0 = now();
        for (int t = 0; t < tiles_of((int) N); t++) {
            gemm(0, 0, M, tile_width((int) N, t), N, X, N, V, TILE, 0, A, TILE, scratch);
            gemm(1, 0, N, tile_width((int) N, t), M, X, N, A, TILE, 0, V, TILE, scratch);
        }
        double d = now() - t0;
        if (!r || d < *seconds) *seconds = d;
    }
    free(X); free(V); free(A); free(scratch);
}
