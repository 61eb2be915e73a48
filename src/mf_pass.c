/* Passes over the entries of a sparse matrix: chunks of cells, and the kernels on one cell. The
 * factors' rows are padded to multiples of 4; the kernels are compiled for the usual widths, so
 * that their inner loops are unrolled. */
#include <string.h>
#include "mf.h"

KERNEL_FILE

/* Bytes of the parts of a wave, and its entries (between two ticks); entries below which a parallel
 * region costs more than it saves, and waits where cores are busy. The tests have small ones. */
#ifndef MF_WORTH
enum { MF_WORTH = 50000, MF_WAVE_BYTES = 1 << 22, MF_WAVE_ENTRIES = 10000000 };
#endif

void chunks_take(Arena *a, Chunks *c, const Sparse *y, size_t room, int threads, Tick tick)
{
    size_t entries = (size_t) y->p[y->ncol];
    c->threads = threads; c->room = room; c->tick = tick;
    c->n = y->ncol < CHUNKS ? (y->ncol ? y->ncol : 1) : CHUNKS;
    size_t by_bytes = MF_WAVE_BYTES / (8 * room),
           by_entries = CHUNKS * (size_t) MF_WAVE_ENTRIES / (entries + 1);
    if (by_bytes > CHUNKS) by_bytes = CHUNKS;
    c->wave = (int) (by_entries < by_bytes ? by_entries : by_bytes);
    if (c->wave < threads) c->wave = threads;
    if (c->wave > c->n) c->wave = c->n;
    if (entries < MF_WORTH) c->threads = 1;
    c->part = ARENA(a, double, room * (size_t) c->wave);
    c->cut[0] = 0;
    for (int k = 1, col = 0; k <= c->n; k++) {
        size_t upto = entries * (size_t) k / (size_t) c->n;
        while (col < y->ncol && (size_t) y->p[col] < upto) col++;
        c->cut[k] = k == c->n ? y->ncol : col;
    }
}

static void add_parts(const Chunks *c, int parts, size_t from, size_t to, double *sum)
{
    for (int t = 0; t < parts; t++) {
        const double *part = c->part + (size_t) t * c->room;
        for (size_t k = from; k < to; k++) sum[k] += part[k];
    }
}

void chunks_run(const Chunks *c,
                void (*f)(const void *self, int thread, int from, int to, double *part),
                const void *self, size_t len, double *sum)
{
    memset(sum, 0, len * sizeof *sum);
    for (int c0 = 0; c0 < c->n; c0 += c->wave) {
        int parts = c->n - c0 < c->wave ? c->n - c0 : c->wave,
            T = c->threads < parts ? c->threads : parts;
        PARALLEL_FOR(T)
        for (int t = 0; t < T; t++)
            for (int k = t; k < parts; k += T) {
                double *part = c->part + (size_t) k * c->room;
                memset(part, 0, len * sizeof *part);
                f(self, t, c->cut[c0 + k], c->cut[c0 + k + 1], part);
            }
        PARALLEL_FOR(T)
        for (int t = 0; t < T; t++)
            add_parts(c, parts, len * (size_t) t / (size_t) T, len * (size_t) (t + 1) / (size_t) T,
                      sum);
        tick_idle(c->tick);
    }
}

/* ---- kernels ---- */

typedef double Four __attribute__((vector_size(32), aligned(8), may_alias));
#define FOUR(p) (*(Four *) (p))
#define CONST_FOUR(p) (*(const Four *) (p))

KERNEL_INLINE double dot(const double *a, const double *b, int R)
{
    Four s = CONST_FOUR(a) * CONST_FOUR(b);
    for (int q = 4; q < R; q += 4) s += CONST_FOUR(a + q) * CONST_FOUR(b + q);
    return (s[0] + s[2]) + (s[1] + s[3]);
}

KERNEL_INLINE void add(double *to, double v, const double *from, int R)
{
    for (int q = 0; q < R; q += 4) FOUR(to + q) += v * CONST_FOUR(from + q);
}

#define BY_RANK(f, ...) \
    switch (R) { \
    case 4: f(4, __VA_ARGS__); break; \
    case 8: f(8, __VA_ARGS__); break; \
    case 12: f(12, __VA_ARGS__); break; \
    case 16: f(16, __VA_ARGS__); break; \
    case 20: f(20, __VA_ARGS__); break; \
    default: f(R, __VA_ARGS__); }

KERNEL_INLINE void residual(int R, const double *L, const double *z, const int *i, const double *y,
                            size_t n, double keep, double *T, double *sum)
{
    double on = 0, on_x = 0;
    for (size_t k = 0; k < n; k++) {
        size_t at = (size_t) i[k] * (size_t) R;
        double x = dot(L + at, z, R), r = y[k] - x;
        on += r * r;
        on_x += x * x;
        if (T) add(T + at, y[k] - keep * x, z, R);
    }
    sum[0] += on;
    sum[1] += on_x;
}
FOR_CPUS(mf_residual, (int R, const double *L, const double *z, const int *i, const double *y,
         size_t n, double keep, double *T, double *sum), (R, L, z, i, y, n, keep, T, sum), {
    BY_RANK(residual, L, z, i, y, n, keep, T, sum)
})

KERNEL_INLINE void search(int R, const double *L, const double *Q, const double *z, const int *i,
                          const double *y, size_t n, double w0, double *b, double *a, double *T)
{
    for (size_t k = 0; k < n; k++) {
        size_t at = (size_t) i[k] * (size_t) R;
        double x = dot(L + at, z, R), q = dot(Q + at, z, R);
        b[i[k]] += (y[k] - x) * q + w0 * x * q;
        a[i[k]] += q * q;
        add(T + at, q, z, R);
    }
}
FOR_CPUS(mf_search, (int R, const double *L, const double *Q, const double *z, const int *i,
         const double *y, size_t n, double w0, double *b, double *a, double *T),
         (R, L, Q, z, i, y, n, w0, b, a, T), {
    BY_RANK(search, L, Q, z, i, y, n, w0, b, a, T)
})

KERNEL_INLINE void gather(int R, const double *L, const double *z, const int *i, const double *y,
                          size_t n, double keep, double *x, double *g)
{
    for (size_t k = 0; k < n; k++) {
        const double *row = L + (size_t) i[k] * (size_t) R;
        x[k] = dot(row, z, R);
        add(g, y[k] - keep * x[k], row, R);
    }
}
FOR_CPUS(mf_gather, (int R, const double *L, const double *z, const int *i, const double *y,
         size_t n, double keep, double *x, double *g), (R, L, z, i, y, n, keep, x, g), {
    BY_RANK(gather, L, z, i, y, n, keep, x, g)
})

KERNEL_INLINE void along(int R, const double *L, const double *d, const int *i, const double *y,
                         const double *x, size_t n, double w0, double *q, double *sum)
{
    double b = 0, a = 0;
    for (size_t k = 0; k < n; k++) {
        q[k] = dot(L + (size_t) i[k] * (size_t) R, d, R);
        b += (y[k] - x[k]) * q[k] + w0 * x[k] * q[k];
        a += q[k] * q[k];
    }
    sum[0] += b;
    sum[1] += a;
}
FOR_CPUS(mf_along, (int R, const double *L, const double *d, const int *i, const double *y,
         const double *x, size_t n, double w0, double *q, double *sum),
         (R, L, d, i, y, x, n, w0, q, sum), {
    BY_RANK(along, L, d, i, y, x, n, w0, q, sum)
})

KERNEL_INLINE void finish(int R, const double *z, const int *i, const double *y, const double *x,
                          const double *q, size_t n, double t, double keep, double *T, double *sum)
{
    double on = 0, on_x = 0;
    for (size_t k = 0; k < n; k++) {
        double v = x[k] + t * q[k], r = y[k] - v;
        on += r * r;
        on_x += v * v;
        add(T + (size_t) i[k] * (size_t) R, y[k] - keep * v, z, R);
    }
    sum[0] += on;
    sum[1] += on_x;
}
FOR_CPUS(mf_finish, (int R, const double *z, const int *i, const double *y, const double *x,
         const double *q, size_t n, double t, double keep, double *T, double *sum),
         (R, z, i, y, x, q, n, t, keep, T, sum), {
    BY_RANK(finish, z, i, y, x, q, n, t, keep, T, sum)
})

KERNEL_INLINE void square(int R, const double *z, double *zz)
{
    for (int i = 0; i < R; i++) add(zz + i * R, z[i], z, R);
}
FOR_CPUS(mf_square, (int R, const double *z, double *zz), (R, z, zz), { BY_RANK(square, z, zz) })

KERNEL_INLINE void apply(int R, const double *A, const double *z, double *out)
{
    memset(out, 0, (size_t) R * sizeof *out);
    for (int i = 0; i < R; i++) add(out, z[i], A + i * R, R);
}
FOR_CPUS(mf_apply, (int R, const double *A, const double *z, double *out), (R, A, z, out), {
    BY_RANK(apply, A, z, out)
})
