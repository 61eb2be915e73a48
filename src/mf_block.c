/* Block updates of X = D1 ... DN Z': majorise, solve for the increment, search along it.
 *
 * For factor k with A = F1...F(k-1), C = F(k+1)...: minimise |E - A Delta C|^2 + lambda |F + Delta|^2, E = W o (Y - X), by
 *   (A'A) Delta (CC') + lambda Delta = A'EC' - lambda F,   Delta = P [(P'RQ)/(a c + lambda)] Q'   (eigen of A'A and CC')
 * Increments, not the factor itself: with narrowing ranks CC' of the first block is always singular, and the least-norm
 * factor would lose what it cannot see now but needs later. What has a c = 0 (the null part) does not change X: with
 * lambda > 0 it is removed from the factor in full before the search. E = S - w0 X with S on the entries of Y only, so every
 * pass costs the entries times r[N]. The step along Delta is 1 (MF_PLAIN), or the exact minimum, one per gene in the first
 * and per cell in the last block (MF_EXACT), or one per block (MF_EXACT_BLOCK); it is never below 1, but for factors that
 * must not be negative: there it is what keeps them so.
 * Majorisation: Wen, Yin, Zhang, Math. Prog. Comp. 4:333 (2012); the model: Mongia, Sengupta, Majumdar (2020).
 */
#include <math.h>
#include <string.h>
#include "mf.h"

KERNEL_FILE

#ifndef MF_TALL
#define MF_TALL 1e6                      /* products for which a parallel region is worth it */
#endif
static const double NULL_SHARE = 1e-10, STILL = 1e-24, STIR = 1e-15;      /* STIR: less is rounding, and has no step */

static double larger(double a, double b) { return a > b ? a : b; }
static size_t rows_of(const Mf *d, int k) { return (size_t) d->r[k]; }
static int rank_of(const Mf *d) { return d->r[d->N]; }
static size_t wide_of(const Mf *d) { return (size_t) d->r[1]; }

void mf_take_left(Arena *a, Mf *d)
{
    d->R = (rank_of(d) + 3) / 4 * 4;
    size_t w = wide_of(d), R = (size_t) d->R, side = w > R ? w : R;
    for (int k = 0; k < d->N; k++) d->F[k] = ARENA(a, double, rows_of(d, k) * rows_of(d, k + 1));
    d->Z = ARENA(a, double, (size_t) d->y->ncol * R);
    d->L = ARENA(a, double, rows_of(d, 0) * R);
    d->LL = ARENA(a, double, R * R);
    for (int k = 0; k < 14; k++) d->small[k] = ARENA(a, double, side * side);
    for (int k = 0; k < 2; k++) d->eigen[k] = ARENA(a, double, side);
    d->la = la_take(a, (int) side);
}

void mf_take(Arena *a, Mf *d)
{
    mf_take_left(a, d);
    size_t m = rows_of(d, 0), n = (size_t) d->y->ncol, w = wide_of(d), R = (size_t) d->R;
    d->T = ARENA(a, double, m * R);
    d->Q = ARENA(a, double, m * R);
    for (int k = 0; k < 3; k++) d->wide[k] = ARENA(a, double, m * w);
    d->ZZ = ARENA(a, double, R * R);
    d->along = ARENA(a, Along, m);
    d->cell = ARENA(a, double, 6 * R * (size_t) d->threads);
    d->longest = sparse_longest(d->y);
    d->x = ARENA(a, double, ((size_t) d->longest + 1) * (size_t) d->threads);
    d->q = ARENA(a, double, ((size_t) d->longest + 1) * (size_t) d->threads);
    d->deltas = d->step == MF_EXACT_BLOCK ? ARENA(a, double, n * R) : NULL;
    size_t room = m * R + R * R + 2 * m + 8;
    d->sum = ARENA(a, double, room);
    chunks_take(a, &d->chunks, d->y, room, d->threads, d->tick);
}

/* ---- what the factors are together ---- */

/* to (r[k] x r[N], rows of ld) = F[k] ... F[N-1]; k = N: the identity is not formed. scratch: small matrices */
static void product_from(const Mf *d, int k, double *to, int ld)
{
    int r = rank_of(d);
    double *turn[2] = { d->small[12], d->small[13] };
    const double *from = d->F[d->N - 1];
    if (k == d->N - 1) {
        for (size_t i = 0; i < rows_of(d, k); i++) memcpy(to + i * (size_t) ld, from + i * (size_t) r, (size_t) r * sizeof *to);
        return;
    }
    for (int l = d->N - 2; l >= k; l--) {
        double *out = l == k ? to : turn[l % 2];
        mf_mul(d->r[l], d->r[l + 1], r, d->F[l], d->r[l + 1], from, r, out, l == k ? ld : r);
        from = out;
    }
}

/* mf_mul() with many rows, dealt out to the threads */
static void tall(const Mf *d, int m, int k, int n, const double *a, int lda, const double *b, int ldb, double *c, int ldc)
{
    int threads = (double) m * k * n > MF_TALL ? d->threads : 1;
    PARALLEL_FOR(threads)
    for (int t = 0; t < threads; t++) {
        size_t of = (size_t) threads, from = (size_t) m * (size_t) t / of, to = (size_t) m * (size_t) (t + 1) / of;
        mf_mul((int) (to - from), k, n, a + from * (size_t) lda, lda, b, ldb, c + from * (size_t) ldc, ldc);
    }
}

void mf_left(Mf *d)
{
    int r1 = d->r[1], rN = rank_of(d);
    if (d->N > 1) product_from(d, 1, d->small[11], rN);
    if (d->N > 1) tall(d, d->r[0], r1, rN, d->F[0], r1, d->small[11], rN, d->L, d->R);
    else product_from(d, 0, d->L, d->R);
    mf_t_mul(d->R, d->r[0], d->R, d->L, d->R, d->L, d->R, d->LL, d->R);
}

/* A pass's sums: T, then Z'Z, then some numbers. */
static double *zz_of(const Mf *d, double *part) { return part + rows_of(d, 0) * (size_t) d->R; }
static double *numbers_of(const Mf *d, double *part) { return zz_of(d, part) + (size_t) d->R * (size_t) d->R; }
static size_t sums_of(const Mf *d) { return (rows_of(d, 0) + (size_t) d->R) * (size_t) d->R + 6; }

static void measure_cells(const void *self, int thread, int from, int to, double *part)
{
    const Mf *d = self;
    const Sparse *y = d->y;
    (void) thread;
    for (int c = from; c < to; c++) {
        const double *z = d->Z + (size_t) c * (size_t) d->R;
        size_t at = (size_t) y->p[c];
        mf_residual(d->R, d->L, z, y->i + at, y->x + at, (size_t) y->p[c + 1] - at, 1 - d->w0, part, numbers_of(d, part));
        mf_square(d->R, z, zz_of(d, part));
    }
}

static void take_sums(Mf *d)
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
    take_sums(d);
}

double mf_norm2(const Mf *d) { return mf_dot(d->LL, d->ZZ, (size_t) d->R * (size_t) d->R); }
double mf_data(const Mf *d) { return d->on + (d->w0 > 0 ? d->w0 * larger(mf_norm2(d) - d->on_x, 0) : 0); }

static double factor_norm2(const Mf *d, int k)
{
    if (k == d->N) return mf_dot(d->Z, d->Z, (size_t) d->y->ncol * (size_t) d->R);
    return mf_dot(d->F[k], d->F[k], rows_of(d, k) * rows_of(d, k + 1));
}

double mf_ridge(const Mf *d)
{
    double s = 0;
    for (int k = 0; k <= d->N && d->lambda > 0; k++) s += factor_norm2(d, k);
    return d->lambda * s;
}

void mf_rebalance(Mf *d)
{
    double norm[MF_LAYERS + 1], mean = 0;
    for (int k = 0; k <= d->N; k++) {
        norm[k] = sqrt(factor_norm2(d, k));
        if (!(norm[k] > 0)) return;
        mean += log(norm[k]) / (d->N + 1);
    }
    for (int k = 0; k < d->N; k++) {
        double s = exp(mean) / norm[k];
        for (size_t j = 0; j < rows_of(d, k) * rows_of(d, k + 1); j++) d->F[k][j] *= s;
    }
    double s = exp(mean) / norm[d->N];
    for (size_t j = 0; j < (size_t) d->y->ncol * (size_t) d->R; j++) d->Z[j] *= s;
    for (size_t j = 0; j < rows_of(d, 0) * (size_t) d->R; j++) d->T[j] *= s;
    for (int j = 0; j < d->R * d->R; j++) d->ZZ[j] *= s * s;
    mf_left(d);
}

/* ---- what both kinds of block need ---- */

/* Eigenvalues of a (n x n, rows of ld) in d->eigen[which], negative ones as 0, and vectors as the rows of v. */
static Status eigen_of(Mf *d, const double *a, int n, int ld, int which, double *v)
{
    double *copy = d->small[12];
    for (int i = 0; i < n; i++) memcpy(copy + (size_t) i * (size_t) n, a + (size_t) i * (size_t) ld, (size_t) n * sizeof *copy);
    Status st = la_eigen(&d->la, n, n, copy, d->eigen[which], v);
    for (int k = 0; k < n; k++) d->eigen[which][k] = larger(d->eigen[which][k], 0);
    return st;
}

static int is_seen(double value, double largest) { return value > NULL_SHARE * largest; }

/* W (n x n, rows of ld) = V diag(1/(value + lambda)) V' over the eigenvectors (rows of v) that are seen; none: V V' over the
 * others. */
static void inverse(const Mf *d, int n, const double *value, const double *v, int none, double *W, int ld)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double w = 0;
            for (int k = 0; k < n; k++)
                if (is_seen(value[k], value[0]) != none) w += v[k * n + i] * v[k * n + j] / (none ? 1 : value[k] + d->lambda);
            W[i * ld + j] = w;
        }
}

/* out = P [(P'RQ)/(a c + lambda)] Q' where a c is seen, 0 elsewhere; none: instead, P [P'RQ] Q' where it is not. P, Q: vectors
 * as rows. h1, h2: scratch like R. */
static void solve(const Mf *d, int rows, int cols, const double *P, const double *Q, int none, const double *R, double *h1,
                  double *h2, double *out)
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

/* The exact step: b/a2, or 1 where there is none; within what keeps the factor non-negative. */
static double step_along(const Mf *d, double b, double a2, const double *f, const double *delta, size_t n)
{
    double t = d->step == MF_PLAIN || !(a2 > 0) ? 1 : b / a2, most = HUGE_VAL;
    if (!d->nonneg || d->step == MF_PLAIN) return t;
    for (size_t k = 0; k < n; k++) if (delta[k] < 0 && f[k] < -delta[k] * most) most = f[k] / -delta[k];
    return t < 0 ? 0 : t > most ? most : t;
}

/* Five steps of accelerated projected gradient (Beck, Teboulle 2009) towards the non-negative minimiser of the surrogate.
 * g0: A'EC' at F; left (rows x rows) A'A or NULL; right (cols x cols, rows of ldr) CC' or NULL. delta: the change of F.
 * v, u, h: scratch like F. */
static void project(int rows, int cols, const double *F, const double *g0, const double *left, const double *right, int ldr,
                    double lambda, double lip, double *delta, double *v, double *u, double *h)
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

/* ---- D1 ... DN ---- */

static void search_cells(const void *self, int thread, int from, int to, double *part)
{
    const Mf *d = self;
    const Sparse *y = d->y;
    double *b = part + rows_of(d, 0) * (size_t) d->R, *a = b + rows_of(d, 0);
    (void) thread;
    for (int c = from; c < to; c++) {
        size_t at = (size_t) y->p[c];
        const double *z = d->Z + (size_t) c * (size_t) d->R;
        mf_search(d->R, d->L, d->Q, z, y->i + at, y->x + at, (size_t) y->p[c + 1] - at, d->w0, b, a, part);
    }
}

/* The step of each row of F (one = 0) or one for all, in t; d->Q must be the effect of delta. T is left as after the step. */
static void search(Mf *d, int one, int rows, int cols, const double *F, const double *delta, const Along *along, double *t)
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
        t[g] = step_along(d, b[g] - d->w0 * w.xd - d->lambda * w.fd, (1 - d->w0) * a[g] + d->w0 * w.dx + d->lambda * w.dd,
                          F + (size_t) g * per, delta + (size_t) g * per, per);
    }
    for (size_t i = 0; i < m; i++)
        for (size_t q = 0; q < R; q++) d->T[i * R + q] -= (1 - d->w0) * t[one ? 0 : i] * d->sum[i * R + q];
}

/* What a block of genes works with: F is rows x cols, C = M Z', A = D1 ... D(k) (the identity of the first block). */
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
    *b = (Block) { k, d->r[k], d->r[k + 1], d->F[k], k ? s[6] : d->wide[0], k ? s[7] : d->wide[1], s[0], s[1], NULL, NULL, s[4],
                   s[9], k ? s[10] : d->wide[2], NULL, d->along };
    for (int i = 0; i < b->cols && last; i++) for (int j = 0; j < rN; j++) b->M[i * rN + j] = i == j;
    if (!last) product_from(d, k + 1, b->M, rN);
    mf_mul(b->cols, rN, rN, b->M, rN, d->ZZ, R, half, rN);
    mf_mul_t(b->cols, rN, b->cols, half, rN, b->M, rN, b->CC, b->cols);
    if (!k) {
        double *turned = s[3];
        for (int i = 0; i < b->cols; i++) for (int j = 0; j < rN; j++) turned[j * b->cols + i] = b->M[i * rN + j];
        tall(d, m, rN, b->cols, d->T, R, turned, b->cols, b->g, b->cols);
        return eigen_of(d, b->CC, b->cols, b->cols, 1, b->Q);
    }
    b->A = d->F[0];
    for (int l = 1; l < k; l++) {
        tall(d, m, d->r[l], d->r[l + 1], b->A, d->r[l], d->F[l], d->r[l + 1], d->wide[l % 2], d->r[l + 1]);
        b->A = d->wide[l % 2];
    }
    b->AA = s[3];
    b->P = s[5];
    mf_t_mul(b->rows, m, b->rows, b->A, b->rows, b->A, b->rows, b->AA, b->rows);
    mf_t_mul(b->rows, m, rN, b->A, b->rows, d->T, R, half, rN);
    mf_mul_t(b->rows, rN, b->cols, half, rN, b->M, rN, b->g, b->cols);
    Status st = eigen_of(d, b->AA, b->rows, b->rows, 0, b->P);
    return st ? st : eigen_of(d, b->CC, b->cols, b->cols, 1, b->Q);
}

/* to = A'A what CC' */
static void curvature(const Mf *d, const Block *b, const double *what, double *to)
{
    tall(d, b->rows, b->cols, b->cols, what, b->cols, b->CC, b->cols, to, b->cols);
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
        solve(d, b->rows, n, b->P, b->Q, none, what, b->h1, b->h2, to);
        return;
    }
    inverse(d, n, d->eigen[1], b->Q, none, W, n);
    tall(d, b->rows, n, n, what, n, W, n, to, n);
}

/* delta, and what the steps need of it */
static void increment(Mf *d, Block *b)
{
    size_t n = (size_t) b->rows * (size_t) b->cols, cols = (size_t) b->cols;
    double lambda = d->lambda, *fc = b->h2;
    if (lambda > 0 && !d->nonneg) {               /* what X does not depend on */
        solve_block(d, b, 1, b->F, b->delta);
        for (size_t j = 0; j < n; j++) b->F[j] -= b->delta[j];
    }
    if (d->nonneg) {
        if (d->w0 > 0) {
            curvature(d, b, b->F, fc);
            for (size_t j = 0; j < n; j++) b->g[j] -= d->w0 * fc[j];
        }
        double lip = (b->k ? d->eigen[0][0] : 1) * d->eigen[1][0] + lambda, **s = d->small;
        for (int i = 0, step = b->k ? b->rows : 1; i < b->rows; i += step) {   /* the first block by rows: scratch is small */
            size_t at = (size_t) i * cols;
            project(step, b->cols, b->F + at, b->g + at, b->AA, b->CC, b->cols, lambda, lip, b->delta + at, s[9], s[10], s[11]);
        }
        curvature(d, b, b->delta, fc);            /* fc: of delta here */
        for (int i = 0; i < b->rows; i++) {
            size_t at = (size_t) i * cols;
            b->along[i] = (Along) { mf_dot(b->F + at, fc + at, cols), mf_dot(b->delta + at, fc + at, cols),
                                    mf_dot(b->F + at, b->delta + at, cols), mf_dot(b->delta + at, b->delta + at, cols) };
        }
        return;
    }
    for (size_t j = 0; j < n; j++) b->g[j] -= lambda * b->F[j];
    if (d->w0 > 0) {                              /* A'EC' = A'SC' - w0 A'A F CC' */
        curvature(d, b, b->F, fc);
        for (size_t j = 0; j < n; j++) b->g[j] -= d->w0 * fc[j];
    }
    /* A'A delta CC' = g - lambda delta where it is not null, so <delta, that> needs no product; nor does <F, that> */
    if (d->w0 > 0 && b->k) fc = memcpy(d->small[8], fc, n * sizeof *fc);      /* solve() needs h2 */
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

static Status block_gene(Mf *d, int k)
{
    Block b;
    int rN = rank_of(d), m = d->r[0], one = k || d->step != MF_EXACT;
    Status st = open_block(d, k, &b);
    double dx = 0, sum = 0, *t = b.g;             /* g has done its work when t is needed */
    int moving = 0;
    if (st) return st;
    d->t[k] = 1;
    if (!(d->eigen[1][0] > 0) || (k && !(d->eigen[0][0] > 0))) return ST_OK;
    increment(d, &b);
    for (int i = 0; i < b.rows; i++) dx += b.along[i].dx;
    if (dx > STILL * larger(mf_norm2(d), 1)) {
        if (d->step == MF_PLAIN) for (int i = 0; i < b.rows; i++) t[i] = 1;
        else {                                    /* the effect of delta: Q Z' */
            if (k) {
                mf_mul(b.rows, b.cols, rN, b.delta, b.cols, b.M, rN, d->small[2], rN);
                tall(d, m, b.rows, rN, b.A, b.rows, d->small[2], rN, d->Q, d->R);
            } else tall(d, m, b.cols, rN, b.delta, b.cols, b.M, rN, d->Q, d->R);
            search(d, one, b.rows, b.cols, b.F, b.delta, b.along, t);
            for (int i = 1; i < b.rows && one; i++) t[i] = t[0];
        }
        for (int i = 0; i < b.rows; i++) {
            d->moved += t[i] * t[i] * b.along[i].dx;      /* a row's share is its own in the first block only */
            if (k || b.along[i].dx > STIR * dx) { sum += t[i]; moving++; }
            double *f = b.F + (size_t) i * (size_t) b.cols, *de = b.delta + (size_t) i * (size_t) b.cols;
            for (int j = 0; j < b.cols; j++) f[j] = d->nonneg ? larger(0, f[j] + t[i] * de[j]) : f[j] + t[i] * de[j];
        }
        if (moving) d->t[k] = sum / moving;
    }
    if (d->step == MF_PLAIN && k < d->N - 1) mf_measure(d); else mf_left(d);
    return ST_OK;
}

/* ---- Z ---- */

/* What the cells need beside the factors: none and W are R x R. */
static double *inverse_of(const Mf *d) { return d->small[0]; }
static double *none_of(const Mf *d) { return d->small[1]; }

/* The increment of cell c: x, g and delta. Removes the null part of z. along: see there. */
static void cell_delta(const Mf *d, int c, double *x, double *g, double *delta, Along *along)
{
    const Sparse *y = d->y;
    int R = d->R;
    size_t at = (size_t) y->p[c], n = (size_t) y->p[c + 1] - at, wide = (size_t) R;
    double *z = d->Z + (size_t) c * wide, *h = delta + wide;            /* scratch behind delta: 4 R */
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
        project(1, R, z, g, NULL, d->LL, R, d->lambda, d->eigen[0][0] + d->lambda, delta, h, h + wide, h + 2 * wide);
        mf_apply(R, d->LL, delta, h);
        *along = (Along) { mf_dot(z, h, wide), mf_dot(delta, h, wide), mf_dot(z, delta, wide), mf_dot(delta, delta, wide) };
        return;
    }
    for (int q = 0; q < R && d->lambda > 0; q++) g[q] -= d->lambda * z[q];
    mf_apply(R, inverse_of(d), g, delta);
    along->dd = mf_dot(delta, delta, wide);
    along->dx = mf_dot(delta, g, wide) - d->lambda * along->dd;        /* L'L delta = g - lambda delta, as for the genes */
    along->fd = d->lambda > 0 ? mf_dot(z, delta, wide) : 0;
    along->xd = d->w0 > 0 ? mf_dot(delta, h, wide) : 0;
}

/* b and a2 of a cell's step from the sums over its entries */
static double b_of(const Mf *d, const double *sum, const Along *w) { return sum[0] - d->w0 * w->xd - d->lambda * w->fd; }
static double a2_of(const Mf *d, const double *sum, const Along *w)
{
    return (1 - d->w0) * sum[1] + d->w0 * w->dx + d->lambda * w->dd;
}

static void take_step(const Mf *d, int c, double t, double dx, const double *x, const double *q, const double *delta,
                      double *part)
{
    const Sparse *y = d->y;
    size_t at = (size_t) y->p[c], n = (size_t) y->p[c + 1] - at;
    double *z = d->Z + (size_t) c * (size_t) d->R, *numbers = numbers_of(d, part);
    for (int k = 0; k < d->R; k++) z[k] = d->nonneg ? larger(0, z[k] + t * delta[k]) : z[k] + t * delta[k];
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
    double *delta = d->cell + 6 * R * (size_t) thread, *g = delta + 5 * R, still = STILL * larger(d->norm2, 1);
    for (int c = from; c < to; c++) {
        size_t at = (size_t) y->p[c], n = (size_t) y->p[c + 1] - at;
        const double *z = d->Z + (size_t) c * R;
        double sum[2] = { 0, 0 };
        Along w;
        cell_delta(d, c, x, g, delta, &w);
        if (!(w.dx > still)) { memset(delta, 0, R * sizeof *delta); w = (Along) { 0, 0, 0, 0 }; }
        mf_along(d->R, d->L, delta, y->i + at, y->x + at, x, n, d->w0, q, sum);
        take_step(d, c, step_along(d, b_of(d, sum, &w), a2_of(d, sum, &w), z, delta, R), w.dx, x, q, delta, part);
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

static Status block_cell(Mf *d)
{
    int rN = rank_of(d), R = d->R;
    double *W = inverse_of(d), *none = none_of(d), *v = d->small[2];
    const double *a = d->eigen[0];
    Status st = eigen_of(d, d->LL, rN, R, 0, v);
    if (st) return st;
    memset(W, 0, (size_t) (R * R) * sizeof *W);
    memset(none, 0, (size_t) (R * R) * sizeof *none);
    inverse(d, rN, a, v, 0, W, R);
    inverse(d, rN, a, v, 1, none, R);
    d->norm2 = mf_norm2(d);
    d->t[d->N] = 1;
    if (!(a[0] > 0)) return ST_OK;
    if (d->step != MF_EXACT_BLOCK) chunks_run(&d->chunks, cells_alone, d, sums_of(d), d->sum);
    else {
        chunks_run(&d->chunks, cells_search, d, 3, d->sum);
        double dx = d->sum[2];
        size_t all = (size_t) d->y->ncol * (size_t) R;
        d->step_of_all = dx > STILL * larger(d->norm2, 1) ? step_along(d, d->sum[0], d->sum[1], d->Z, d->deltas, all) : 0;
        chunks_run(&d->chunks, cells_together, d, sums_of(d), d->sum);
        double *numbers = numbers_of(d, d->sum);
        numbers[2] = d->step_of_all * d->step_of_all * dx;
        numbers[3] = d->step_of_all;
        numbers[4] = d->step_of_all > 0;
    }
    take_sums(d);
    const double *numbers = numbers_of(d, d->sum);
    d->moved += numbers[2];
    if (numbers[4] > 0) d->t[d->N] = numbers[3] / numbers[4];
    return ST_OK;
}

Status mf_block(Mf *d, int k) { return k < d->N ? block_gene(d, k) : block_cell(d); }

/* ---- all factors as one vector ---- */

size_t mf_state(const Mf *d)
{
    size_t n = (size_t) d->y->ncol * (size_t) d->R;
    for (int k = 0; k < d->N; k++) n += rows_of(d, k) * rows_of(d, k + 1);
    return n;
}

void mf_save(const Mf *d, double *to)
{
    for (int k = 0; k < d->N; k++) {
        size_t n = rows_of(d, k) * rows_of(d, k + 1);
        memcpy(to, d->F[k], n * sizeof *to);
        to += n;
    }
    memcpy(to, d->Z, (size_t) d->y->ncol * (size_t) d->R * sizeof *to);
}

void mf_load(Mf *d, const double *from)
{
    for (int k = 0; k < d->N; k++) {
        size_t n = rows_of(d, k) * rows_of(d, k + 1);
        memcpy(d->F[k], from, n * sizeof *from);
        from += n;
    }
    memcpy(d->Z, from, (size_t) d->y->ncol * (size_t) d->R * sizeof *from);
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
    Status st = eigen_of(d, normal, rN, R, 0, v);
    if (st) return st;
    memset(z, 0, (size_t) R * sizeof *z);
    for (int k = 0; k < rN; k++) {
        if (!is_seen(d->eigen[0][k], d->eigen[0][0])) break;
        double h = mf_dot(v + k * rN, right, (size_t) rN) / d->eigen[0][k];
        for (int a = 0; a < rN; a++) z[a] += h * v[k * rN + a];
    }
    for (int a = 0; a < rN && d->nonneg; a++) z[a] = larger(z[a], 0);
    for (int it = 0; it < 200 && d->nonneg; it++)                 /* coordinate descent from there */
        for (int a = 0; a < rN; a++)
            if (normal[a * R + a] > 0) {
                double gap = right[a] - mf_dot(normal + a * R, z, (size_t) rN);
                z[a] = larger(0, z[a] + gap / normal[a * R + a]);
            }
    return ST_OK;
}
