/* linalg.h: the double-precision linear algebra that the core asks for. The package takes it from
 * R's LAPACK (r_blas.c), tests/core brings its own. Never called inside a parallel region. */
#ifndef INFILL_LINALG_H
#define INFILL_LINALG_H
#include "core.h"

typedef struct {
    int n, n_work;
    double *work, *values, *vectors;
    int *ints;
    Tick tick;
} LaWork;
/* Scratch for matrices of up to n rows. */
static inline LaWork la_take(Arena *a, int n, Tick tick)
{
    LaWork w = { n, 40 * (n > 0 ? n : 1), NULL, NULL, NULL, NULL, tick };
    w.work = ARENA(a, double, w.n_work);
    w.values = ARENA(a, double, n + 1);
    w.vectors = ARENA(a, double, (size_t) n * (size_t) n + 1);
    w.ints = ARENA(a, int, 12 * (size_t) (n > 0 ? n : 1));
    return w;
}
/* The `top` largest eigenvalues of the symmetric matrix a (n x n, destroyed), falling, and their
 * vectors, one after the other in v (n values each), of length 1, with the entry of largest size
 * positive. ST_DIVERGED: not found. */
Status la_eigen(LaWork *w, int n, int top, double *a, double *values, double *v);
#endif
