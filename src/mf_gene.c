/* A factor of genes, D1 ... DN: the increment, and the step along it. See mf_block.c. */
#include <string.h>
#include "mf_parts.h"

KERNEL_FILE

static const double STIR = 1e-15;         /* of a step's share: less is rounding, and is none */

static void search_cells(const void *self, int thread, int from, int to, double *part)
{
    const Mf *d = self;
    const Sparse *y = d->y;
    double *b = part + rows_of(d, 0) * (size_t) d->R, *a = b + rows_of(d, 0);
    (void) thread;
    for (int c = from; c < to; c++) {
        size_t at = (size_t) y->p[c];
        const double *z = d->Z + (size_t) c * (size_t) d->R;
        mf_search(d->R, d->L, d->Q, z, y->i + at, y->x + at, (size_t) y->p[c + 1] - at, d->w0, b, a,
                  part);
    }
}

/* The step of each row of F (one = 0) or one for all, in t; d->Q must be the effect of delta. T is
 * left as after the step. */
static void search(Mf *d, int one, int rows, int cols, const double *F, const double *delta,
                   const Along *along, double *t)
{
    size_t m = rows_of(d, 0), R = (size_t) d->R, per = (size_t) cols * (size_t) (one ? rows : 1);
    double *b = d->sum + m * R, *a = b + m;
    chunks_run(&d->chunks, search_cells, d, m * R + 2 * m, d->sum);
    for (size_t i = 1; i < m && one; i++) { b[0] += b[i]; a[0] += a[i]; }
    for (int g = 0; g < (one ? 1 : rows); g++) {
        Along w = along[g];
        for (int i = 1; i < rows && one; i++) {
            w.xd += along[i].xd; w.dx += along[i].dx; w.fd += along[i].fd; w.dd += along[i].dd;
        }
        t[g] = mf_step_along(d, b[g] - d->w0 * w.xd - d->lambda * w.fd,
                             (1 - d->w0) * a[g] + d->w0 * w.dx + d->lambda * w.dd,
                             F + (size_t) g * per, delta + (size_t) g * per, per);
    }
    for (size_t i = 0; i < m; i++)
        for (size_t q = 0; q < R; q++)
            d->T[i * R + q] -= (1 - d->w0) * t[one ? 0 : i] * d->sum[i * R + q];
}

/* What a block of genes works with: F is rows x cols, C = M Z', A = D1 ... D(k) (the identity of
 * the first block). */
typedef struct {
    int k, rows, cols;
    double *F, *g, *delta, *M, *CC, *AA, *P, *Q, *h1, *h2;
    const double *A;
    Along *along;
} Block;

/* A'SC' in g, CC' and A'A with their eigenvectors. */
static Status open_block(Mf *d, int k, Block *b)
{
    int rN = rank_of(d), m = d->r[0], R = d->R, last = k == d->N - 1;
    double **s = d->small, *half = s[2];
    *b = (Block) { .k = k, .rows = d->r[k], .cols = d->r[k + 1], .F = d->F[k], .along = d->along,
                   .g = k ? s[6] : d->wide[0], .delta = k ? s[7] : d->wide[1], .M = s[0],
                   .CC = s[1], .Q = s[4], .h1 = s[9], .h2 = k ? s[10] : d->wide[2] };
    for (int i = 0; i < b->cols && last; i++)
        for (int j = 0; j < rN; j++) b->M[i * rN + j] = i == j;
    if (!last) mf_product_from(d, k + 1, b->M, rN);
    mf_mul(b->cols, rN, rN, b->M, rN, d->ZZ, R, half, rN);
    mf_mul_t(b->cols, rN, b->cols, half, rN, b->M, rN, b->CC, b->cols);
    if (!k) {
        double *turned = s[3];
        for (int i = 0; i < b->cols; i++)
            for (int j = 0; j < rN; j++) turned[j * b->cols + i] = b->M[i * rN + j];
        mf_tall(d, m, rN, b->cols, d->T, R, turned, b->cols, b->g, b->cols);
        return mf_eigen_of(d, b->CC, b->cols, b->cols, 1, b->Q);
    }
    b->A = d->F[0];
    for (int l = 1; l < k; l++) {
        mf_tall(d, m, d->r[l], d->r[l + 1], b->A, d->r[l], d->F[l], d->r[l + 1], d->wide[l % 2],
                d->r[l + 1]);
        b->A = d->wide[l % 2];
    }
    b->AA = s[3];
    b->P = s[5];
    mf_t_mul(b->rows, m, b->rows, b->A, b->rows, b->A, b->rows, b->AA, b->rows);
    mf_t_mul(b->rows, m, rN, b->A, b->rows, d->T, R, half, rN);
    mf_mul_t(b->rows, rN, b->cols, half, rN, b->M, rN, b->g, b->cols);
    Status st = mf_eigen_of(d, b->AA, b->rows, b->rows, 0, b->P);
    return st ? st : mf_eigen_of(d, b->CC, b->cols, b->cols, 1, b->Q);
}

/* to = A'A what CC' */
static void curvature(const Mf *d, const Block *b, const double *what, double *to)
{
    mf_tall(d, b->rows, b->cols, b->cols, what, b->cols, b->CC, b->cols, to, b->cols);
    if (!b->k) return;
    mf_mul(b->rows, b->rows, b->cols, b->AA, b->rows, to, b->cols, b->h1, b->cols);
    memcpy(to, b->h1, (size_t) b->rows * (size_t) b->cols * sizeof *to);
}

/* (A'A)^-1 what (CC')^-1 with the ridge, or what is left of `what` where neither sees it. */
static void solve_block(const Mf *d, const Block *b, int none, const double *what, double *to)
{
    int n = b->cols;
    double *W = d->small[3];                      /* of the first block: one matrix for all genes */
    if (b->k) {
        mf_solve(d, b->rows, n, b->P, b->Q, none, what, b->h1, b->h2, to);
        return;
    }
    mf_inverse(d, n, d->eigen[1], b->Q, none, W, n);
    mf_tall(d, b->rows, n, n, what, n, W, n, to, n);
}

/* delta, and what the steps need of it */
static void increment(Mf *d, Block *b)
{
    size_t n = (size_t) b->rows * (size_t) b->cols, cols = (size_t) b->cols;
    double lambda = d->lambda, *fc = b->h2;
    if (lambda > 0) {               /* what X does not depend on */
        solve_block(d, b, 1, b->F, b->delta);
        for (size_t j = 0; j < n; j++) b->F[j] -= b->delta[j];
    }
    for (size_t j = 0; j < n; j++) b->g[j] -= lambda * b->F[j];
    if (d->w0 > 0) {                              /* A'EC' = A'SC' - w0 A'A F CC' */
        curvature(d, b, b->F, fc);
        for (size_t j = 0; j < n; j++) b->g[j] -= d->w0 * fc[j];
    }
    /* A'A delta CC' = g - lambda delta where it is not null, so <delta, that> needs no product; nor
     * does <F, that> */
    if (d->w0 > 0 && b->k) fc = memcpy(d->small[8], fc, n * sizeof *fc);  /* mf_solve() needs h2 */
    solve_block(d, b, 0, b->g, b->delta);
    for (int i = 0; i < b->rows; i++) {
        size_t at = (size_t) i * cols;
        Along *w = b->along + i;
        w->dd = mf_dot(b->delta + at, b->delta + at, cols);
        w->fd = lambda > 0 ? mf_dot(b->F + at, b->delta + at, cols) : 0;
        w->dx = mf_dot(b->delta + at, b->g + at, cols) - lambda * w->dd;
        w->xd = d->w0 > 0 ? mf_dot(b->delta + at, fc + at, cols) : 0;
    }
}

/* The same for factors that must not be negative. */
static void increment_nonneg(Mf *d, Block *b)
{
    size_t n = (size_t) b->rows * (size_t) b->cols, cols = (size_t) b->cols;
    double lambda = d->lambda, *fc = b->h2;
    if (d->w0 > 0) {
        curvature(d, b, b->F, fc);
        for (size_t j = 0; j < n; j++) b->g[j] -= d->w0 * fc[j];
    }
    double lip = (b->k ? d->eigen[0][0] : 1) * d->eigen[1][0] + lambda, **s = d->small;
    /* the first block by rows: scratch is small */
    for (int i = 0, step = b->k ? b->rows : 1; i < b->rows; i += step) {
        size_t at = (size_t) i * cols;
        mf_project(step, b->cols, b->F + at, b->g + at, b->AA, b->CC, b->cols, lambda, lip,
                   b->delta + at, s[9], s[10], s[11]);
    }
    curvature(d, b, b->delta, fc);            /* fc: of delta here */
    for (int i = 0; i < b->rows; i++) {
        size_t at = (size_t) i * cols;
        b->along[i] = (Along) { mf_dot(b->F + at, fc + at, cols),
                               mf_dot(b->delta + at, fc + at, cols),
                               mf_dot(b->F + at, b->delta + at, cols),
                               mf_dot(b->delta + at, b->delta + at, cols) };
    }
}

/* X moves by t times delta, gene by gene; F follows. */
static void move(Mf *d, const Block *b, const double *t, double all_dx)
{
    double sum = 0;
    int moving = 0;
    for (int i = 0; i < b->rows; i++) {
        /* a row's share is its own in the first block only */
        d->moved += t[i] * t[i] * b->along[i].dx;
        if (b->k || b->along[i].dx > STIR * all_dx) { sum += t[i]; moving++; }
        double *f = b->F + (size_t) i * (size_t) b->cols,
               *de = b->delta + (size_t) i * (size_t) b->cols;
        for (int j = 0; j < b->cols; j++)
            f[j] = d->nonneg ? larger(0, f[j] + t[i] * de[j]) : f[j] + t[i] * de[j];
    }
    if (moving) d->t[b->k] = sum / moving;
}

/* The steps along delta, one for each row of F or one for all, in t. */
static void steps(Mf *d, const Block *b, double *t)
{
    int rN = rank_of(d), m = d->r[0], one = b->k || d->step != MF_EXACT;
    if (d->step == MF_PLAIN) {
        for (int i = 0; i < b->rows; i++) t[i] = 1;
        return;
    }
    if (b->k) {                                       /* the effect of delta: Q Z' */
        mf_mul(b->rows, b->cols, rN, b->delta, b->cols, b->M, rN, d->small[2], rN);
        mf_tall(d, m, b->rows, rN, b->A, b->rows, d->small[2], rN, d->Q, d->R);
    } else mf_tall(d, m, b->cols, rN, b->delta, b->cols, b->M, rN, d->Q, d->R);
    search(d, one, b->rows, b->cols, b->F, b->delta, b->along, t);
    for (int i = 1; i < b->rows && one; i++) t[i] = t[0];
}

Status mf_block_gene(Mf *d, int k)
{
    Block b;
    Status st = open_block(d, k, &b);
    double dx = 0, *t = b.g;                      /* g has done its work when t is needed */
    if (st) return st;
    d->t[k] = 1;
    if (!(d->eigen[1][0] > 0) || (k && !(d->eigen[0][0] > 0))) return ST_OK;
    if (d->nonneg) increment_nonneg(d, &b); else increment(d, &b);
    for (int i = 0; i < b.rows; i++) dx += b.along[i].dx;
    if (dx > MF_STILL * larger(mf_norm2(d), 1)) {
        steps(d, &b, t);
        move(d, &b, t, dx);
    }
    if (d->step == MF_PLAIN && k < d->N - 1) mf_measure(d); else mf_left(d);
    return ST_OK;
}
