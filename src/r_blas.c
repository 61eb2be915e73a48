/* linalg.h through R's LAPACK. */
#define USE_FC_LEN_T
#include <math.h>
#include <string.h>
#include "r_glue.h"
#include "linalg.h"
#include <R_ext/BLAS.h>
#include <R_ext/Lapack.h>
#ifndef FCONE
#define FCONE
#endif

/* ---- some eigenvectors of a large matrix: dsyevr() in pieces, with ticks between them ---- */

enum { LARGE = 400, STRIP = 32, COLUMNS = 32 };        /* dsyevr() of less needs no tick */

/* dsytrd(): the lower triangle of a becomes a tridiagonal matrix, d and e, and reflectors. */
static void tridiagonal(const LaWork *w, int n, double *a, double *d, double *e, double *tau,
                        double *work)
{
    const double minus = -1, one = 1;
    int nb = STRIP, i = 0, info;
    for (; i < n - STRIP; i += STRIP) {
        int left = n - i, rest = left - STRIP;
        size_t at = (size_t) i * (size_t) n + (size_t) i, next = at + STRIP * ((size_t) n + 1);
        F77_CALL(dlatrd)("L", &left, &nb, a + at, &n, e + i, tau + i, work, &n FCONE);
        F77_CALL(dsyr2k)("L", "N", &rest, &nb, &minus, a + at + STRIP, &n, work + STRIP, &n, &one,
                         a + next, &n FCONE FCONE);
        for (int j = i; j < i + STRIP; j++) {
            size_t diagonal = (size_t) j * ((size_t) n + 1);
            a[diagonal + 1] = e[j];
            d[j] = a[diagonal];
        }
        tick_idle(w->tick);
    }
    int left = n - i;
    F77_CALL(dsytd2)("L", &left, a + (size_t) i * ((size_t) n + 1), &n, d + i, e + i, tau + i,
                     &info FCONE);
}

/* The vectors of the tridiagonal matrix become those of a; rising values. */
static Status turn_back(const LaWork *w, int n, int top, const double *a, const double *tau,
                        double *work, int n_work)
{
    int info = 0;
    for (int from = 0; from < top && !info; from += COLUMNS) {
        int some = top - from < COLUMNS ? top - from : COLUMNS;
        F77_CALL(dormtr)("L", "L", "N", &n, &some, a, &n, tau,
                         w->vectors + (size_t) from * (size_t) n, &n, work, &n_work,
                         &info FCONE FCONE FCONE);
        tick_idle(w->tick);
    }
    for (int j = 0; j < top - 1; j++) {
        int least = j;
        double *x = w->vectors + (size_t) j * (size_t) n;
        for (int k = j + 1; k < top; k++) if (w->values[k] < w->values[least]) least = k;
        if (least == j) continue;
        double *y = w->vectors + (size_t) least * (size_t) n, value = w->values[j];
        w->values[j] = w->values[least];
        w->values[least] = value;
        for (int k = 0; k < n; k++) { double t = x[k]; x[k] = y[k]; y[k] = t; }
    }
    return info ? ST_DIVERGED : ST_OK;
}

static Status some_of_large(LaWork *w, int n, int top, double *a)
{
    size_t N = (size_t) n;
    double zero = 0, *tau = w->work, *d = tau + N, *e = d + N, *work = e + 3 * N;
    int lo = n - top + 1, found = 0, splits, info = 0, n_work = w->n_work - 5 * n;
    int *block = w->ints, *split = block + n, *failed = split + n, *ints = failed + n;
    tridiagonal(w, n, a, d, e, tau, work);
    F77_CALL(dstebz)("I", "B", &n, &zero, &zero, &lo, &n, &zero, d, e, &found, &splits, w->values,
                     block, split, work, ints, &info FCONE FCONE);
    tick_idle(w->tick);
    if (info || found != top) return ST_DIVERGED;
    F77_CALL(dstein)(&n, d, e, &found, w->values, block, split, w->vectors, &n, work, ints, failed,
                     &info);
    tick_idle(w->tick);
    return info ? ST_DIVERGED : turn_back(w, n, top, a, tau, work, n_work);
}

/* dsyevr() scales such matrices first. */
static int is_extreme(const double *a, size_t n)
{
    double largest = 0;
    for (size_t k = 0; k < n; k++) if (fabs(a[k]) > largest) largest = fabs(a[k]);
    return largest < 1e-140 || largest > 1e70;
}

Status la_eigen(LaWork *w, int n, int top, double *a, double *values, double *v)
{
    int lo = n - top + 1, found = 0, info = 0, n_int = 10 * n, n_work = w->n_work,
        *pairs = w->ints + n_int;
    double zero = 0;
    if (n < 1 || top < 1) return ST_OK;
    if (n > w->n) return ST_SHAPE;
    /* LAPACK may not come back from these */
    for (int k = 0; k < n * n; k++) if (!isfinite(a[k])) return ST_DIVERGED;
    if (n > LARGE && top < n && !is_extreme(a, (size_t) n * (size_t) n)) {
        Status st = some_of_large(w, n, top, a);
        if (st) return st;
    } else {
        F77_CALL(dsyevr)
        ("V", top == n ? "A" : "I", "L", &n, a, &n, &zero, &zero, &lo, &n, &zero, &found, w->values,
         w->vectors, &n, pairs, w->work, &n_work, w->ints, &n_int, &info FCONE FCONE FCONE);
        if (info || found != top) return ST_DIVERGED;
    }
    for (int k = 0; k < top; k++) {
        const double *from = w->vectors + (size_t) (top - 1 - k) * (size_t) n;
        double *to = v + (size_t) k * (size_t) n, largest = 0;
        for (int j = 0; j < n; j++) if (fabs(from[j]) > fabs(largest)) largest = from[j];
        values[k] = w->values[top - 1 - k];
        for (int j = 0; j < n; j++) to[j] = largest < 0 ? -from[j] : from[j];
    }
    return ST_OK;
}
