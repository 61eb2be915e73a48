/* Leading left singular vectors of a sparse matrix, to what a prediction can use of them: one block
 * Krylov space of A A' (Musco and Musco 2015), r + 96 vectors wide or a little more, without
 * restarts. Products in `real`, everything else in double. The last of the wanted vectors are those
 * of the noise, of nearly equal values: which of them comes out matters to nobody. mf_svd() is for
 * who wants them to 1e-6.
 */
#include <math.h>
#include <string.h>
#include "mf.h"

KERNEL_FILE

enum { B = 16, EXACT = 350, MORE = 96 };

/* acc += x (x' block) of one cell, rows of B */
#define IMAGE(suffix, attr, W) \
attr static void image##suffix(const int *i, const double *x, size_t n, const real *block, \
                               real *acc) \
{ \
    Lanes##W t[B / W]; \
    for (int q = 0; q < B / W; q++) t[q] = (Lanes##W) { 0 }; \
    for (size_t k = 0; k < n; k++) { \
        real v = (real) x[k]; \
        const real *row = block + (size_t) i[k] * B; \
        for (int q = 0; q < B / W; q++) t[q] += v * CONST_LANES(Lanes##W, row + q * W); \
    } \
    for (size_t k = 0; k < n; k++) { \
        real v = (real) x[k], *row = acc + (size_t) i[k] * B; \
        for (int q = 0; q < B / W; q++) LANES(Lanes##W, row + q * W) += v * t[q]; \
    } \
}
BY_LANES(IMAGE)

typedef struct {
    const Sparse *y;
    const real *block;                   /* genes x B by rows */
    real *acc;                           /* of each thread: genes x B */
} Cells;

static void image_of(const void *self, int thread, int from, int to, double *part)
{
    const Cells *c = self;
    size_t len = (size_t) c->y->nrow * B;
    real *acc = c->acc + (size_t) thread * len;
    memset(acc, 0, len * sizeof *acc);
    for (int j = from; j < to; j++) {
        size_t at = (size_t) c->y->p[j];
        CALL_LANES(image, c->y->i + at, c->y->x + at, (size_t) c->y->p[j + 1] - at, c->block, acc);
    }
    for (size_t k = 0; k < len; k++) part[k] += acc[k];
}

/* by[j][.] += sum over the genes of q[g][j] w[g][.]; q: rows of ld, n in use; w, by: rows of B */
LOCAL_FOR_CPUS(products, (size_t g, size_t n, const double *restrict q, size_t ld,
               const double *restrict w, double *restrict by), (g, n, q, ld, w, by), {
    for (size_t i = 0; i < g; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t b = 0; b < B; b++) by[j * B + b] += q[i * ld + j] * w[i * B + b];
})
/* w[g][.] -= sum over j of q[g][j] by[j][.] */
LOCAL_FOR_CPUS(without, (size_t g, size_t n, const double *restrict q, size_t ld,
               const double *restrict by, double *restrict w), (g, n, q, ld, by, w), {
    for (size_t i = 0; i < g; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t b = 0; b < B; b++) w[i * B + b] -= q[i * ld + j] * by[j * B + b];
})

/* The columns of w orthonormal among themselves, twice Gram and Schmidt; one of which nothing is
 * left becomes 0. */
static void orthonormal(size_t g, double *w)
{
    for (size_t b = 0; b < B; b++) {
        double before = 0, after = 0;
        for (size_t i = 0; i < g; i++) before += w[i * B + b] * w[i * B + b];
        for (int twice = 0; twice < 2; twice++)
            for (size_t d = 0; d < b; d++) {
                double s = 0;
                for (size_t i = 0; i < g; i++) s += w[i * B + d] * w[i * B + b];
                for (size_t i = 0; i < g; i++) w[i * B + b] -= s * w[i * B + d];
            }
        for (size_t i = 0; i < g; i++) after += w[i * B + b] * w[i * B + b];
        double by = after > 1e-20 * before && after > 0 ? 1 / sqrt(after) : 0;
        for (size_t i = 0; i < g; i++) w[i * B + b] *= by;
    }
}

typedef struct { size_t g, n, size; double *q, *H, *w, *by; } Space;

/* The block in w, made orthonormal to what is there, behind it. */
static void grow(Space *s)
{
    /* for itself first: what cancels against the others is then small */
    for (int twice = 0; twice < 2; twice++) {
        orthonormal(s->g, s->w);
        memset(s->by, 0, s->n * B * sizeof *s->by);
        products(s->g, s->n, s->q, s->size, s->w, s->by);
        without(s->g, s->n, s->q, s->size, s->by, s->w);
    }
    orthonormal(s->g, s->w);
    for (size_t i = 0; i < s->g; i++)
        for (size_t b = 0; b < B; b++) s->q[i * s->size + s->n + b] = s->w[i * B + b];
    s->n += B;
}

/* w becomes the image of the last block, and its products with all of them a border of H. */
static void image_into(Space *s, const Chunks *chunks, Cells *cells, real *block)
{
    size_t from = s->n - B;
    for (size_t k = 0; k < s->g * B; k++) block[k] = (real) s->w[k];
    chunks_run(chunks, image_of, cells, s->g * B, s->w);
    memset(s->by, 0, s->n * B * sizeof *s->by);
    products(s->g, s->n, s->q, s->size, s->w, s->by);
    for (size_t j = 0; j < s->n; j++)
        for (size_t b = 0; b < B; b++)
            s->H[j * s->size + from + b] = s->H[(from + b) * s->size + j] = s->by[j * B + b];
}

Status mf_leading(Arena *a, const SvdTask *task, double *u, double *s)
{
    const Sparse *y = task->y;
    int side = y->nrow < y->ncol ? y->nrow : y->ncol, r = task->r, passes = 0;
    int wide = task->basis ? task->basis : r + MORE;
    if (side <= EXACT || side < wide + B) return mf_svd(a, task, u, s, &passes);
    size_t g = (size_t) y->nrow, size = ((size_t) wide + B - 1) / B * B;
    Chunks chunks;
    chunks_take(a, &chunks, y, g * B, task->threads, task->tick);
    LaWork la = la_take(a, (int) size, task->tick);
    Space sp = { g, 0, size, ARENA(a, double, g * size), ARENA(a, double, size * size),
                 ARENA(a, double, g * B), ARENA(a, double, size * B) };
    real *block = ARENA(a, real, g * B);
    Cells cells = { y, block, ARENA(a, real, (size_t) task->threads * g * B) };
    double *ritz = ARENA(a, double, size * (size_t) r);
    if (a->failed) return ST_NOMEM;
    for (size_t k = 0; k < g * B; k++) sp.w[k] = rng_normal(task->seed, RNG_INIT_4, k);
    while (sp.n < size) {
        grow(&sp);
        image_into(&sp, &chunks, &cells, block);
        tick_idle(task->tick);
    }
    if (la_eigen(&la, (int) size, r, sp.H, s, ritz)) return ST_DIVERGED;
    memset(u, 0, g * (size_t) r * sizeof *u);
    for (size_t i = 0; i < g; i++)
        for (size_t k = 0; k < (size_t) r; k++) {
            double sum = 0;
            for (size_t j = 0; j < size; j++) sum += sp.q[i * size + j] * ritz[k * size + j];
            u[i * (size_t) r + k] = sum;
        }
    for (size_t k = 0; k < (size_t) r; k++) {
        s[k] = s[k] > 0 ? sqrt(s[k]) : 0;
        mf_upright(u + k, g, (size_t) r);
    }
    return ST_OK;
}
