/* linalg.h through R's LAPACK. */
#define USE_FC_LEN_T
#include <math.h>
#include <string.h>
#include "r_glue.h"
#include "linalg.h"
#include <R_ext/Lapack.h>
#ifndef FCONE
#define FCONE
#endif

Status la_eigen(LaWork *w, int n, int top, double *a, double *values, double *v)
{
    int lo = n - top + 1, found = 0, info = 0, n_int = 10 * n, n_work = w->n_work,
        *pairs = w->ints + n_int;
    double zero = 0;
    if (n < 1 || top < 1) return ST_OK;
    if (n > w->n) return ST_SHAPE;
    /* LAPACK may not come back from these */
    for (int k = 0; k < n * n; k++) if (!isfinite(a[k])) return ST_DIVERGED;
    F77_CALL(dsyevr)
    ("V", top == n ? "A" : "I", "L", &n, a, &n, &zero, &zero, &lo, &n, &zero, &found, w->values,
     w->vectors, &n, pairs, w->work, &n_work, w->ints, &n_int, &info FCONE FCONE FCONE);
    if (info || found != top) return ST_DIVERGED;
    for (int k = 0; k < top; k++) {
        const double *from = w->vectors + (size_t) (top - 1 - k) * (size_t) n;
        double *to = v + (size_t) k * (size_t) n, largest = 0;
        for (int j = 0; j < n; j++) if (fabs(from[j]) > fabs(largest)) largest = from[j];
        values[k] = w->values[top - 1 - k];
        for (int j = 0; j < n; j++) to[j] = largest < 0 ? -from[j] : from[j];
    }
    return ST_OK;
}
