/* The factor of cells, Z, and z of a cell that was not there. See mf_block.c. */
#include <string.h>
#include "mf_parts.h"

KERNEL_FILE

/* What the cells need beside the factors: none and W are R x R. */
static double *inverse_of(const Mf *d) { return d->small[0]; }
static double *none_of(const Mf *d) { return d->small[1]; }

/* The increment of cell c: x, g and delta. Removes the null part of z. along: see there. */
static void cell_delta(const Mf *d, int c, double *x, double *g, double *delta, Along *along)
{
    const Sparse *y = d->y;
    int R = d->R;
    size_t at = (size_t) y->p[c], n = (size_t) y->p[c + 1] - at, wide = (size_t) R;
    double *z = d->Z + (size_t) c * wide, *h = delta + wide;  /* scratch behind delta: 4 R */
    if (d->lambda > 0 && !d->nonneg) {
        mf_apply(R, none_of(d), z, h);
        for (int q = 0; q < R; q++) z[q] -= h[q];
    }
    memset(g, 0, wide * sizeof *g);
    mf_gather(R, d->L, z, y->i + at, y->x + at, n, 1 - d->w0, x, g);
    if (d->w0 > 0) {
        mf_apply(R, d->LL, z, h);
        for (int q = 0; q < R; q++) g[q] -= d->w0 * h[q];
    }
    if (d->nonneg) {
        mf_project(1, R, z, g, NULL, d->LL, R, d->lambda, d->eigen[0][0] + d->lambda, delta, h,
                   h + wide, h + 2 * wide);
        mf_apply(R, d->LL, delta, h);
        *along = (Along) { mf_dot(z, h, wide), mf_dot(delta, h, wide), mf_dot(z, delta, wide),
                           mf_dot(delta, delta, wide) };
        return;
    }
    for (int q = 0; q < R && d->lambda > 0; q++) g[q] -= d->lambda * z[q];
    mf_apply(R, inverse_of(d), g, delta);
    along->dd = mf_dot(delta, delta, wide);
    /* L'L delta = g - lambda delta, as for the genes */
    along->dx = mf_dot(delta, g, wide) - d->lambda * along->dd;
    along->fd = d->lambda > 0 ? mf_dot(z, delta, wide) : 0;
    along->xd = d->w0 > 0 ? mf_dot(delta, h, wide) : 0;
}

/* b and a2 of a cell's step from the sums over its entries */
static double b_of(const Mf *d, const double *sum, const Along *w)
{
    return sum[0] - d->w0 * w->xd - d->lambda * w->fd;
}
static double a2_of(const Mf *d, const double *sum, const Along *w)
{
    return (1 - d->w0) * sum[1] + d->w0 * w->dx + d->lambda * w->dd;
}

static void take_step(const Mf *d, int c, double t, double dx, const double *x, const double *q,
                      const double *delta, double *part)
{
    const Sparse *y = d->y;
    size_t at = (size_t) y->p[c], n = (size_t) y->p[c + 1] - at;
    double *z = d->Z + (size_t) c * (size_t) d->R, *numbers = numbers_of(d, part);
    for (int k = 0; k < d->R; k++)
        z[k] = d->nonneg ? larger(0, z[k] + t * delta[k]) : z[k] + t * delta[k];
    mf_finish(d->R, z, y->i + at, y->x + at, x, q, n, t, 1 - d->w0, part, numbers);
    mf_square(d->R, z, zz_of(d, part));
    numbers[2] += t * t * dx;
    if (dx > 0) { numbers[3] += t; numbers[4]++; }
}

static void cells_alone(const void *self, int thread, int from, int to, double *part)
{
    const Mf *d = self;
    const Sparse *y = d->y;
    size_t room = (size_t) d->longest + 1, R = (size_t) d->R;
    double *x = d->x + room * (size_t) thread, *q = d->q + room * (size_t) thread;
    double *delta = d->cell + 6 * R * (size_t) thread, *g = delta + 5 * R,
           still = MF_STILL * larger(d->norm2, 1);
    for (int c = from; c < to; c++) {
        size_t at = (size_t) y->p[c], n = (size_t) y->p[c + 1] - at;
        const double *z = d->Z + (size_t) c * R;
        double sum[2] = { 0, 0 };
        Along w;
        cell_delta(d, c, x, g, delta, &w);
        if (!(w.dx > still)) { memset(delta, 0, R * sizeof *delta); w = (Along) { 0, 0, 0, 0 }; }
        mf_along(d->R, d->L, delta, y->i + at, y->x + at, x, n, d->w0, q, sum);
        take_step(d, c, mf_step_along(d, b_of(d, sum, &w), a2_of(d, sum, &w), z, delta, R), w.dx, x,
                  q, delta, part);
    }
}

static void cells_search(const void *self, int thread, int from, int to, double *part)
{
    const Mf *d = self;
    const Sparse *y = d->y;
    size_t room = (size_t) d->longest + 1, R = (size_t) d->R;
    double *x = d->x + room * (size_t) thread, *q = d->q + room * (size_t) thread;
    double *delta = d->cell + 6 * R * (size_t) thread, *g = delta + 5 * R;
    for (int c = from; c < to; c++) {
        size_t at = (size_t) y->p[c], n = (size_t) y->p[c + 1] - at;
        double sum[2] = { 0, 0 };
        Along w;
        cell_delta(d, c, x, g, delta, &w);
        mf_along(d->R, d->L, delta, y->i + at, y->x + at, x, n, d->w0, q, sum);
        part[0] += b_of(d, sum, &w);
        part[1] += a2_of(d, sum, &w);
        part[2] += w.dx;
        memcpy(d->deltas + (size_t) c * R, delta, R * sizeof *delta);
    }
}

static void cells_together(const void *self, int thread, int from, int to, double *part)
{
    const Mf *d = self;
    const Sparse *y = d->y;
    size_t room = (size_t) d->longest + 1, R = (size_t) d->R;
    double *x = d->x + room * (size_t) thread, *q = d->q + room * (size_t) thread, none[2];
    double *g = d->cell + 6 * R * (size_t) thread;
    for (int c = from; c < to; c++) {
        size_t at = (size_t) y->p[c], n = (size_t) y->p[c + 1] - at;
        const double *delta = d->deltas + (size_t) c * R;
        memset(g, 0, R * sizeof *g);
        mf_gather(d->R, d->L, d->Z + (size_t) c * R, y->i + at, y->x + at, n, 1 - d->w0, x, g);
        mf_along(d->R, d->L, delta, y->i + at, y->x + at, x, n, d->w0, q, none);
        take_step(d, c, d->step_of_all, 0, x, q, delta, part);
    }
}

Status mf_block_cell(Mf *d)
{
    int rN = rank_of(d), R = d->R;
    double *W = inverse_of(d), *none = none_of(d), *v = d->small[2];
    const double *a = d->eigen[0];
    Status st = mf_eigen_of(d, d->LL, rN, R, 0, v);
    if (st) return st;
    memset(W, 0, (size_t) (R * R) * sizeof *W);
    memset(none, 0, (size_t) (R * R) * sizeof *none);
    mf_inverse(d, rN, a, v, 0, W, R);
    mf_inverse(d, rN, a, v, 1, none, R);
    d->norm2 = mf_norm2(d);
    d->t[d->N] = 1;
    if (!(a[0] > 0)) return ST_OK;
    if (d->step != MF_EXACT_BLOCK) chunks_run(&d->chunks, cells_alone, d, sums_of(d), d->sum);
    else {
        chunks_run(&d->chunks, cells_search, d, 3, d->sum);
        double dx = d->sum[2];
        size_t all = (size_t) d->y->ncol * (size_t) R;
        d->step_of_all = dx > MF_STILL * larger(d->norm2, 1)
                             ? mf_step_along(d, d->sum[0], d->sum[1], d->Z, d->deltas, all)
                             : 0;
        chunks_run(&d->chunks, cells_together, d, sums_of(d), d->sum);
        double *numbers = numbers_of(d, d->sum);
        numbers[2] = d->step_of_all * d->step_of_all * dx;
        numbers[3] = d->step_of_all;
        numbers[4] = d->step_of_all > 0;
    }
    mf_take_sums(d);
    const double *numbers = numbers_of(d, d->sum);
    d->moved += numbers[2];
    if (numbers[4] > 0) d->t[d->N] = numbers[3] / numbers[4];
    return ST_OK;
}

/* ---- cells that were not there ---- */

Status mf_new_cell(Mf *d, const int *i, const double *y, size_t n, double *normal, double *z)
{
    int rN = rank_of(d), R = d->R;
    double *v = d->small[2], *right = d->small[4];
    for (int k = 0; k < R * R; k++) normal[k] = d->w0 * d->LL[k];
    memset(right, 0, (size_t) R * sizeof *right);
    for (size_t k = 0; k < n; k++) {
        const double *row = d->L + (size_t) i[k] * (size_t) R;
        for (int a = 0; a < rN; a++) {
            right[a] += y[k] * row[a];
            for (int b = 0; b < rN; b++) normal[a * R + b] += (1 - d->w0) * row[a] * row[b];
        }
    }
    for (int a = 0; a < rN; a++) normal[a * R + a] += d->lambda;
    Status st = mf_eigen_of(d, normal, rN, R, 0, v);
    if (st) return st;
    memset(z, 0, (size_t) R * sizeof *z);
    for (int k = 0; k < rN; k++) {
        if (!is_seen(d->eigen[0][k], d->eigen[0][0])) break;
        double h = mf_dot(v + k * rN, right, (size_t) rN) / d->eigen[0][k];
        for (int a = 0; a < rN; a++) z[a] += h * v[k * rN + a];
    }
    for (int a = 0; a < rN && d->nonneg; a++) z[a] = larger(z[a], 0);
    for (int it = 0; it < 200 && d->nonneg; it++)  /* coordinate descent from there */
        for (int a = 0; a < rN; a++)
            if (normal[a * R + a] > 0) {
                double gap = right[a] - mf_dot(normal + a * R, z, (size_t) rN);
                z[a] = larger(0, z[a] + gap / normal[a * R + a]);
            }
    return ST_OK;
}
