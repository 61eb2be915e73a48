/* Products of the factors, one pass over the cells for what they are together, and what both kinds
 * of block need: eigenvectors, inverses, steps.
 */
#include <math.h>
#include <string.h>
#include "mf_parts.h"

KERNEL_FILE

#ifndef MF_TALL
#define MF_TALL 1e6                      /* products for which a parallel region is worth it */
#endif

void mf_product_from(const Mf *d, int k, double *to, int ld)
{
    int r = rank_of(d);
    double *turn[2] = { d->small[12], d->small[13] };
    const double *from = d->F[d->N - 1];
    if (k == d->N - 1) {
        for (size_t i = 0; i < rows_of(d, k); i++)
            memcpy(to + i * (size_t) ld, from + i * (size_t) r, (size_t) r * sizeof *to);
        return;
    }
    for (int l = d->N - 2; l >= k; l--) {
        double *out = l == k ? to : turn[l % 2];
        mf_mul(d->r[l], d->r[l + 1], r, d->F[l], d->r[l + 1], from, r, out, l == k ? ld : r);
        from = out;
    }
}

void mf_tall(const Mf *d, int m, int k, int n, const double *a, int lda, const double *b, int ldb,
             double *c, int ldc)
{
    int threads = (double) m * k * n > MF_TALL ? d->threads : 1;
    PARALLEL_FOR(threads)
    for (int t = 0; t < threads; t++) {
        size_t of = (size_t) threads, from = (size_t) m * (size_t) t / of,
               to = (size_t) m * (size_t) (t + 1) / of;
        mf_mul((int) (to - from), k, n, a + from * (size_t) lda, lda, b, ldb,
               c + from * (size_t) ldc, ldc);
    }
}

void mf_left(Mf *d)
{
    int r1 = d->r[1], rN = rank_of(d);
    if (d->N > 1) mf_product_from(d, 1, d->small[11], rN);
    if (d->N > 1) mf_tall(d, d->r[0], r1, rN, d->F[0], r1, d->small[11], rN, d->L, d->R);
    else mf_product_from(d, 0, d->L, d->R);
    mf_t_mul(d->R, d->r[0], d->R, d->L, d->R, d->L, d->R, d->LL, d->R);
}

static void measure_cells(const void *self, int thread, int from, int to, double *part)
{
    const Mf *d = self;
    const Sparse *y = d->y;
    (void) thread;
    for (int c = from; c < to; c++) {
        const double *z = d->Z + (size_t) c * (size_t) d->R;
        size_t at = (size_t) y->p[c];
        mf_residual(d->R, d->L, z, y->i + at, y->x + at, (size_t) y->p[c + 1] - at, 1 - d->w0, part,
                    numbers_of(d, part));
        mf_square(d->R, z, zz_of(d, part));
    }
}

void mf_take_sums(Mf *d)
{
    size_t R = (size_t) d->R;
    const double *numbers = numbers_of(d, d->sum);
    memcpy(d->T, d->sum, rows_of(d, 0) * R * sizeof *d->T);
    memcpy(d->ZZ, zz_of(d, d->sum), R * R * sizeof *d->ZZ);
    d->on = numbers[0];
    d->on_x = numbers[1];
}

void mf_measure(Mf *d)
{
    mf_left(d);
    chunks_run(&d->chunks, measure_cells, d, sums_of(d), d->sum);
    mf_take_sums(d);
}

double mf_norm2(const Mf *d) { return mf_dot(d->LL, d->ZZ, (size_t) d->R * (size_t) d->R); }
double mf_data(const Mf *d)
{
    return d->on + (d->w0 > 0 ? d->w0 * larger(mf_norm2(d) - d->on_x, 0) : 0);
}

double mf_factor_norm2(const Mf *d, int k)
{
    if (k == d->N) return mf_dot(d->Z, d->Z, (size_t) d->y->ncol * (size_t) d->R);
    return mf_dot(d->F[k], d->F[k], rows_of(d, k) * rows_of(d, k + 1));
}

double mf_ridge(const Mf *d)
{
    double s = 0;
    for (int k = 0; k <= d->N && d->lambda > 0; k++) s += mf_factor_norm2(d, k);
    return d->lambda * s;
}

/* ---- what both kinds of block need ---- */

Status mf_eigen_of(Mf *d, const double *a, int n, int ld, int which, double *v)
{
    double *copy = d->small[12];
    for (int i = 0; i < n; i++)
        memcpy(copy + (size_t) i * (size_t) n, a + (size_t) i * (size_t) ld,
               (size_t) n * sizeof *copy);
    Status st = la_eigen(&d->la, n, n, copy, d->eigen[which], v);
    for (int k = 0; k < n; k++) d->eigen[which][k] = larger(d->eigen[which][k], 0);
    return st;
}

void mf_inverse(const Mf *d, int n, const double *value, const double *v, int none, double *W,
                int ld)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double w = 0;
            for (int k = 0; k < n; k++)
                if (is_seen(value[k], value[0]) != none)
                    w += v[k * n + i] * v[k * n + j] / (none ? 1 : value[k] + d->lambda);
            W[i * ld + j] = w;
        }
}

void mf_solve(const Mf *d, int rows, int cols, const double *P, const double *Q, int none,
              const double *R, double *h1, double *h2, double *out)
{
    const double *a = d->eigen[0], *c = d->eigen[1];
    mf_mul(rows, rows, cols, P, rows, R, cols, h1, cols);
    mf_mul_t(rows, cols, cols, h1, cols, Q, cols, h2, cols);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < cols; j++) {
            double *h = h2 + (size_t) i * (size_t) cols + j;
            if (is_seen(a[i] * c[j], a[0] * c[0]) == none) *h = 0;
            else if (!none) *h /= a[i] * c[j] + d->lambda;
        }
    mf_mul(rows, cols, cols, h2, cols, Q, cols, h1, cols);
    mf_t_mul(rows, rows, cols, P, rows, h1, cols, out, cols);
}

double mf_step_along(const Mf *d, double b, double a2, const double *f, const double *delta,
                     size_t n)
{
    double t = d->step == MF_PLAIN || !(a2 > 0) ? 1 : b / a2, most = HUGE_VAL;
    if (!d->nonneg || d->step == MF_PLAIN) return t;
    for (size_t k = 0; k < n; k++)
        if (delta[k] < 0 && f[k] < -delta[k] * most) most = f[k] / -delta[k];
    return t < 0 ? 0 : t > most ? most : t;
}

void mf_project(int rows, int cols, const double *F, const double *g0, const double *left,
                const double *right, int ldr, double lambda, double lip, double *delta, double *v,
                double *u, double *h)
{
    size_t n = (size_t) rows * (size_t) cols;
    double s = 1;
    memset(delta, 0, n * sizeof *delta);
    if (!(lip > 0)) return;
    memcpy(v, F, n * sizeof *v);
    memcpy(delta, F, n * sizeof *delta);                      /* the current point, for now */
    for (int it = 0; it < 5; it++) {
        double next = (1 + sqrt(1 + 4 * s * s)) / 2, *move = u;
        for (size_t k = 0; k < n; k++) u[k] = v[k] - F[k];
        if (left) { mf_mul(rows, rows, cols, left, rows, u, cols, h, cols); move = h; }
        if (right) {
            double *to = move == u ? h : u;
            mf_mul(rows, cols, cols, move, cols, right, ldr, to, cols);
            move = to;
        }
        for (size_t k = 0; k < n; k++) {
            double g = larger(0, v[k] + (g0[k] - move[k] - lambda * v[k]) / lip);
            v[k] = g + (s - 1) / next * (g - delta[k]);
            delta[k] = g;
        }
        s = next;
    }
    for (size_t k = 0; k < n; k++) delta[k] -= F[k];
}
