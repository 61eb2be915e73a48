/* Leading singular vectors of a sparse matrix, or of one whose empty entries hold the mean of their
 * row.
 *
 * With u the rank-one part (A = u c' + S over the shorter side g, "lists" being the columns of the
 * longer side):
 *   g <= WHOLE   the Gram matrix A A' whole, and LAPACK
 *   else         block Lanczos on A A' with full orthogonalisation and thick restarts (Wu and Simon
 *                2000; block Krylov: Musco and Musco 2015), until the projector on the wanted
 *                vectors moves by less than 1e-6, at most 200 passes
 */
#include <math.h>
#include <string.h>
#include "mf.h"

KERNEL_FILE

enum { WHOLE = 1500, BLOCK = 8, PASSES = 200 };
static const double TOLERANCE = 1e-6;

/* Lists of the longer side: columns of y, or of its transpose. */
typedef struct {
    Sparse y;
    /* rank-one part: u over the rows, c over the lists; NULL: none (u), all 1 (c) */
    const double *u, *c;
    const double *block;                 /* nrow x BLOCK */
    double *whole;
    int threads;
} Lists;

static void transpose(Arena *a, const Sparse *y, Sparse *to)
{
    size_t entries = (size_t) y->p[y->ncol];
    int *p = ARENA(a, int, y->nrow + 2), *i = ARENA(a, int, entries + 1);
    double *x = ARENA(a, double, entries + 1);
    *to = (Sparse) { y->ncol, y->nrow, p, i, x };
    if (a->failed) return;
    for (size_t k = 0; k < entries; k++) p[y->i[k] + 2]++;
    for (int r = 0; r < y->nrow; r++) p[r + 2] += p[r + 1];
    for (int c = 0; c < y->ncol; c++)
        for (int k = y->p[c]; k < y->p[c + 1]; k++) {
            int at = p[y->i[k] + 1]++;
            i[at] = c;
            x[at] = y->x[k];
        }
}

/* ---- the whole Gram matrix ---- */

FOR_CPUS(mf_gram_list, (const int *i, const double *x, size_t n, int from, int to, double *gram,
         size_t side), (i, x, n, from, to, gram, side), {
    for (size_t a = 0; a < n; a++) {
        if (i[a] < from || i[a] >= to) continue;
        double *row = gram + (size_t) i[a] * side;
        double v = x[a];
        for (size_t b = 0; b <= a; b++) row[i[b]] += v * x[b];
    }
})

/* Lower triangle; a thread has rows of its own, of about equal work, so that no sum depends on
 * it. */
static void gram(const Lists *l, Tick tick)
{
    int g = l->y.nrow, T = l->threads;
    for (int c0 = 0, c1; c0 < l->y.ncol; c0 = c1) {
        double work = 0;                              /* between two ticks */
        for (c1 = c0; c1 < l->y.ncol && work < 2e8; c1++)
            work += pow(l->y.p[c1 + 1] - l->y.p[c1], 2) / 2 + 100;
        PARALLEL_FOR(T)
        for (int t = 0; t < T; t++) {
            int from = (int) (g * sqrt((double) t / T)),
                to = t + 1 == T ? g : (int) (g * sqrt((double) (t + 1) / T));
            for (int c = c0; c < c1; c++) {
                size_t at = (size_t) l->y.p[c];
                mf_gram_list(l->y.i + at, l->y.x + at, (size_t) l->y.p[c + 1] - at, from, to,
                             l->whole, (size_t) g);
            }
        }
        tick_idle(tick);
    }
}

/* + |c|^2 u u' + u (S c)' + (S c) u' */
static void gram_rank_one(const Lists *l, double *sc)
{
    size_t g = (size_t) l->y.nrow;
    double cc = l->c ? mf_dot(l->c, l->c, (size_t) l->y.ncol) : l->y.ncol;
    for (int c = 0; c < l->y.ncol; c++)
        for (int k = l->y.p[c]; k < l->y.p[c + 1]; k++)
            sc[l->y.i[k]] += l->y.x[k] * (l->c ? l->c[c] : 1);
    for (size_t i = 0; i < g; i++)
        for (size_t j = 0; j <= i; j++)
            l->whole[i * g + j] += cc * l->u[i] * l->u[j] + l->u[i] * sc[j] + sc[i] * l->u[j];
}

/* ---- block Lanczos ---- */

/* part: nrow x BLOCK of S t, then BLOCK of sum c t */
static void apply_lists(const void *self, int thread, int from, int to, double *part)
{
    const Lists *l = self;
    double *ct = part + (size_t) l->y.nrow * BLOCK, ub[BLOCK] = { 0 };
    (void) thread;
    if (l->u)
        for (int i = 0; i < l->y.nrow; i++)
            for (int q = 0; q < BLOCK; q++) ub[q] += l->u[i] * l->block[i * BLOCK + q];
    for (int c = from; c < to; c++) {
        double t[BLOCK] = { 0 }, weight = l->c ? l->c[c] : 1;
        for (int q = 0; q < BLOCK && l->u; q++) t[q] = weight * ub[q];
        for (int k = l->y.p[c]; k < l->y.p[c + 1]; k++)
            for (int q = 0; q < BLOCK; q++)
                t[q] += l->y.x[k] * l->block[(size_t) l->y.i[k] * BLOCK + (size_t) q];
        for (int k = l->y.p[c]; k < l->y.p[c + 1]; k++)
            for (int q = 0; q < BLOCK; q++)
                part[(size_t) l->y.i[k] * BLOCK + (size_t) q] += l->y.x[k] * t[q];
        for (int q = 0; q < BLOCK; q++) ct[q] += weight * t[q];
    }
}

/* Vector k orthonormal against those before it; random again when nothing is left of it. */
static void orthogonal(double *basis, size_t g, int k, uint64_t seed, uint64_t *draws)
{
    double *v = basis + (size_t) k * g;
    for (int trial = 0; trial < 3; trial++) {
        double before = sqrt(mf_dot(v, v, g));
        for (int twice = 0; twice < 2; twice++)
            for (int j = 0; j < k; j++) {
                const double *b = basis + (size_t) j * g;
                double s = mf_dot(b, v, g);
                for (size_t i = 0; i < g; i++) v[i] -= s * b[i];
            }
        double norm = sqrt(mf_dot(v, v, g));
        if (norm > 1e-10 * before && norm > 0) {
            for (size_t i = 0; i < g; i++) v[i] /= norm;
            return;
        }
        for (size_t i = 0; i < g; i++) v[i] = rng_normal(seed, RNG_INIT_4, (*draws)++);
    }
    memset(v, 0, g * sizeof *v);
}

typedef struct {
    int size;
    double *basis, *H, *copy, *values, *ritz, *old, *block, *image, *spare;
} Lanczos;

/* How far the projector on the first r Ritz vectors has moved: |ritz - old old' ritz|, coefficients
 * of `from` before. */
static double moved(const Lanczos *z, int n, int from, int r)
{
    double worst = 0;
    for (int k = 0; k < r; k++) {
        const double *v = z->ritz + (size_t) k * (size_t) n;
        double seen = 0;
        for (int j = 0; j < r; j++) {
            double s = mf_dot(z->old + (size_t) j * (size_t) from, v, (size_t) from);
            seen += s * s;
        }
        worst += 1 - seen > 0 ? 1 - seen : 0;
    }
    return sqrt(worst);
}

/* The first `count` Ritz vectors, of n vectors of the basis. */
static void ritz_vectors(const Lanczos *z, size_t g, int n, int count, Tick tick, double *to)
{
    memset(to, 0, g * (size_t) count * sizeof *to);
    for (int k = 0; k < count; k++, to += g) {
        for (int j = 0; j < n; j++) {
            double s = z->ritz[(size_t) k * (size_t) n + (size_t) j];
            for (size_t i = 0; i < g; i++) to[i] += s * z->basis[(size_t) j * g + i];
        }
        tick_idle(tick);
    }
}

/* The basis becomes its `top` best vectors, and the block that was to come next. */
static void restart(Lanczos *z, size_t g, int n, int top, int size, Tick tick)
{
    ritz_vectors(z, g, n, top, tick, z->spare);
    memmove(z->basis + (size_t) top * g, z->basis + (size_t) n * g, BLOCK * g * sizeof *z->basis);
    memcpy(z->basis, z->spare, (size_t) top * g * sizeof *z->basis);
    memset(z->H, 0, (size_t) size * (size_t) size * sizeof *z->H);
    memset(z->old, 0, (size_t) size * (size_t) size * sizeof *z->old);
    for (int k = 0; k < top; k++) { z->H[k * size + k] = z->values[k]; z->old[k * top + k] = 1; }
}

static void take_lanczos(Arena *a, Lanczos *z, size_t g, int r, int size)
{
    size_t square = (size_t) size * (size_t) size;
    z->size = size;
    z->basis = ARENA(a, double, g * (size_t) (size + BLOCK));
    z->H = ARENA(a, double, square);
    z->copy = ARENA(a, double, square);
    z->values = ARENA(a, double, size);
    z->ritz = ARENA(a, double, square);
    z->old = ARENA(a, double, square);
    z->block = ARENA(a, double, g * BLOCK);
    z->image = ARENA(a, double, g * BLOCK + BLOCK);
    z->spare = ARENA(a, double, g * (size_t) (r + BLOCK));
}

/* The image of the block behind the n vectors of the basis. */
static void next_image(Lanczos *z, Lists *l, const Chunks *chunks, int n)
{
    size_t g = (size_t) l->y.nrow;
    const double *next = z->basis + (size_t) n * g;
    for (size_t i = 0; i < g; i++)
        for (size_t q = 0; q < BLOCK; q++) z->block[i * BLOCK + q] = next[q * g + i];
    l->block = z->block;
    chunks_run(chunks, apply_lists, l, g * BLOCK + BLOCK, z->image);
    for (size_t i = 0; i < g && l->u; i++)
        for (size_t q = 0; q < BLOCK; q++)
            z->image[i * BLOCK + q] += l->u[i] * z->image[g * BLOCK + q];
}

/* That image behind the n vectors, the block among them, and its products with all of them in H. */
static void project_image(Lanczos *z, size_t g, int n)
{
    int from = n - BLOCK, size = z->size;
    for (int q = 0; q < BLOCK; q++) {
        double *w = z->basis + (size_t) (n + q) * g;
        for (size_t i = 0; i < g; i++) w[i] = z->image[i * BLOCK + (size_t) q];
        for (int j = 0; j < n; j++)
            z->H[j * size + from + q] = z->H[(from + q) * size + j] =
                mf_dot(z->basis + (size_t) j * g, w, g);
    }
    for (int j = 0; j < n; j++)
        memcpy(z->copy + (size_t) j * (size_t) n, z->H + (size_t) j * (size_t) size,
               (size_t) n * sizeof *z->H);
}

static Status lanczos(Arena *a, const SvdTask *task, Lists *l, double *v, double *values,
                      int *passes)
{
    int r = task->r, least = 3 * (r + BLOCK), size = task->basis ? task->basis : 240, n = 0,
        kept = 0;
    if (size < least) size = least;
    size_t g = (size_t) l->y.nrow;
    uint64_t draws = 0;
    Chunks chunks;
    Lanczos z;
    take_lanczos(a, &z, g, r, size);
    chunks_take(a, &chunks, &l->y, g * BLOCK + BLOCK, l->threads, task->tick);
    LaWork la = la_take(a, size, task->tick);
    if (a->failed) return ST_NOMEM;
    for (int k = 0; k < BLOCK; k++) {
        for (size_t i = 0; i < g; i++)
            z.basis[(size_t) k * g + i] = rng_normal(task->seed, RNG_INIT_4, draws++);
        orthogonal(z.basis, g, k, task->seed, &draws);
    }
    /* basis: n vectors whose images are in H, and a new block behind them */
    for (*passes = 1; ; ++*passes) {
        int from = n;
        next_image(&z, l, &chunks, n);
        n += BLOCK;
        project_image(&z, g, n);
        int top = r + BLOCK < n ? r + BLOCK : n;
        if (la_eigen(&la, n, top, z.copy, z.values, z.ritz)) return ST_DIVERGED;
        int settled = from >= r && kept >= r && moved(&z, n, from, r) < TOLERANCE;
        if (settled || *passes >= PASSES || (size_t) n >= g) break;
        for (int q = 0; q < BLOCK; q++) orthogonal(z.basis, g, n + q, task->seed, &draws);
        tick_idle(task->tick);
        kept = top;
        if (n + 2 * BLOCK > size) { restart(&z, g, n, top, size, task->tick); n = top; }
        else memcpy(z.old, z.ritz, (size_t) top * (size_t) n * sizeof *z.old);
    }
    ritz_vectors(&z, g, n, r, task->tick, v);
    memcpy(values, z.values, (size_t) r * sizeof *values);
    return ST_OK;
}

/* ---- both sides ---- */

/* The Gram matrix whole, and its eigenvectors. sc: scratch, as long as the shorter side */
static Status whole_gram(Arena *a, const SvdTask *task, Lists *l, double *sc, double *v,
                         double *values)
{
    int side = l->y.nrow;
    size_t g = (size_t) side;
    LaWork la = la_take(a, side, task->tick);
    l->whole = ARENA(a, double, g * g);
    if (a->failed) return ST_NOMEM;
    gram(l, task->tick);
    if (l->u) gram_rank_one(l, sc);
    for (size_t i = 0; i < g; i++)
        for (size_t j = 0; j < i; j++) l->whole[j * g + i] = l->whole[i * g + j];
    return la_eigen(&la, side, task->r, l->whole, values, v);
}

/* u = A v / s into a column of `to` (rows of ld), from a right singular vector; shifted: y -
 * mean. */
static void left_vector(const SvdTask *task, const Sparse *shifted, const double *v, double s,
                        double *to, size_t ld)
{
    double sum = 0;
    for (int c = 0; c < shifted->ncol; c++) {
        sum += v[c];
        for (int e = shifted->p[c]; e < shifted->p[c + 1]; e++)
            to[(size_t) shifted->i[e] * ld] += shifted->x[e] * v[c];
    }
    for (size_t i = 0; i < (size_t) shifted->nrow; i++)
        to[i * ld] = (to[i * ld] + (task->mean ? task->mean[i] * sum : 0)) / s;
}

void mf_upright(double *column, size_t m, size_t ld)
{
    double largest = 0;
    for (size_t i = 0; i < m; i++)
        if (fabs(column[i * ld]) > fabs(largest)) largest = column[i * ld];
    for (size_t i = 0; i < m && largest < 0; i++) column[i * ld] *= -1;
}

/* From eigenvectors of the shorter side and their values: u and s. shifted: y - mean where the
 * shorter side is that of the cells; NULL: v is u. */
static void left_vectors(const SvdTask *task, const Sparse *shifted, const double *v, double *u,
                         double *s)
{
    size_t m = (size_t) task->y->nrow, ld = (size_t) task->r,
           g = shifted ? (size_t) task->y->ncol : m;
    for (size_t k = 0; k < ld; k++) s[k] = s[k] > 0 ? sqrt(s[k]) : 0;
    memset(u, 0, m * ld * sizeof *u);
    for (size_t k = 0; k < ld; k++) {
        const double *vk = v + k * g;
        for (size_t i = 0; i < m && !shifted; i++) u[i * ld + k] = vk[i];
        if (shifted && s[k] > 1e-7 * s[0]) left_vector(task, shifted, vk, s[k], u + k, ld);
        tick_idle(task->tick);
        mf_upright(u + k, m, ld);
    }
}

/* y - mean on the entries, into x; mean 1' is kept apart. */
static void shift(const Sparse *y, const double *mean, double *x)
{
    for (int k = 0; k < y->p[y->ncol]; k++) x[k] = y->x[k] - mean[y->i[k]];
}

Status mf_svd(Arena *a, const SvdTask *task, double *u, double *s, int *passes)
{
    const Sparse *y = task->y;
    int r = task->r, genes = y->nrow <= y->ncol, side = genes ? y->nrow : y->ncol;
    size_t g = (size_t) side;
    Sparse shifted = *y, turned = *y;
    double *x = task->mean ? ARENA(a, double, (size_t) y->p[y->ncol] + 1) : NULL;
    if (a->failed) return ST_NOMEM;
    if (x) { shift(y, task->mean, x); shifted.x = x; }
    if (!genes) transpose(a, &shifted, &turned);
    Lists l = { .y = genes ? shifted : turned, .threads = task->threads };
    double *ones = ARENA(a, double, g), *v = ARENA(a, double, g *(size_t) r),
           *sc = ARENA(a, double, g);
    if (a->failed) return ST_NOMEM;
    for (size_t i = 0; i < g; i++) ones[i] = 1;
    if (task->mean) { l.u = genes ? task->mean : ones; l.c = genes ? NULL : task->mean; }
    *passes = 0;
    int whole = side <= (task->whole ? task->whole : WHOLE) || side < 3 * (r + BLOCK);
    Status st = whole ? whole_gram(a, task, &l, sc, v, s) : lanczos(a, task, &l, v, s, passes);
    if (st) return st;
    left_vectors(task, genes ? NULL : &shifted, v, u, s);
    return ST_OK;
}
