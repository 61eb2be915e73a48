/* Compressed matrices: the check at the door, and the two kernels that spend arithmetic on
 * non-zeros only. */
#include <math.h>
#include "kernels.h"

KERNEL_FILE

Status sparse_check(const Sparse *s, size_t n_entries)
{
    if (s->nrow < 0 || s->ncol < 0 || s->p[0] != 0) return ST_BADDATA;
    for (int c = 0; c < s->ncol; c++)
        if (s->p[c + 1] < s->p[c]) return ST_BADDATA;
    if ((size_t) s->p[s->ncol] != n_entries) return ST_BADDATA;
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c], last = -1; k < s->p[c + 1]; k++) {
            if (s->i[k] <= last || s->i[k] >= s->nrow || !isfinite(s->x[k])) return ST_BADDATA;
            last = s->i[k];
        }
    return ST_OK;
}

int sparse_longest(const Sparse *s)
{
    int most = 0;
    for (int c = 0; c < s->ncol; c++)
        if (s->p[c + 1] - s->p[c] > most) most = s->p[c + 1] - s->p[c];
    return most;
}

#define GATHER(suffix, attr, W) \
attr static void gather##suffix(real *restrict acc, const real *restrict slab, \
                                const int *idx, const real *val, size_t n) \
{ \
    Lanes##W a[PANEL / W]; \
    for (int j = 0; j < PANEL / W; j++) a[j] = CONST_LANES(Lanes##W, acc + j * W); \
    for (size_t k = 0; k < n; k++) { \
        const real *row = slab + (size_t) idx[k] * PANEL; \
        for (int j = 0; j < PANEL / W; j++) a[j] += val[k] * CONST_LANES(Lanes##W, row + j * W); \
    } \
    for (int j = 0; j < PANEL / W; j++) LANES(Lanes##W, acc + j * W) = a[j]; \
}
BY_LANES(GATHER)

void panel_gather(real *acc, const real *slab, const int *idx, const real *val, size_t n)
{
    CALL_LANES(gather, acc, slab, idx, val, n);
}

#define SUMS(suffix, attr, W) \
attr static void sums##suffix(real *restrict out, const real *start, \
                              const real *restrict slab, const size_t *p, \
                              const int *idx, const real *val, size_t rows) \
{ \
    for (size_t r = 0; r < rows; r++, out += PANEL) { \
        Lanes##W a[PANEL / W]; \
        for (int j = 0; j < PANEL / W; j++) \
            a[j] = start ? CONST_LANES(Lanes##W, start + j * W) : (Lanes##W) { 0 }; \
        for (size_t k = p[r]; k < p[r + 1]; k++) { \
            const real *row = slab + (size_t) idx[k] * PANEL; \
            for (int j = 0; j < PANEL / W; j++) \
                a[j] += val[k] * CONST_LANES(Lanes##W, row + j * W); \
        } \
        for (int j = 0; j < PANEL / W; j++) LANES(Lanes##W, out + j * W) = a[j]; \
    } \
}
BY_LANES(SUMS)

void panel_sums(real *out, const real *start, const real *slab, const size_t *p, const int *idx,
                const real *val, size_t rows)
{
    CALL_LANES(sums, out, start, slab, p, idx, val, rows);
}

/* 16 partial sums, each over 4 products as (0 + 1) + (2 + 3), then halves onto each other: the same
 * tree for every W */
#define DOTS(suffix, attr, W) \
attr static void dots##suffix(real *restrict y, const real *restrict slab, \
                              const int *idx, size_t n, const real *h) \
{ \
    for (size_t k = 0; k < n; k++) { \
        const real *row = slab + (size_t) idx[k] * PANEL; \
        union { Lanes##W w[16 / W]; Lanes4 q[4]; } s; \
        for (int j = 0; j < 16 / W; j++) \
            s.w[j] = (CONST_LANES(Lanes##W, h + j * W) * CONST_LANES(Lanes##W, row + j * W) \
                      + CONST_LANES(Lanes##W, h + 16 + j * W) \
                         * CONST_LANES(Lanes##W, row + 16 + j * W)) \
                   + (CONST_LANES(Lanes##W, h + 32 + j * W) \
                       * CONST_LANES(Lanes##W, row + 32 + j * W) \
                      + CONST_LANES(Lanes##W, h + 48 + j * W) \
                         * CONST_LANES(Lanes##W, row + 48 + j * W)); \
        Lanes4 q = (s.q[0] + s.q[2]) + (s.q[1] + s.q[3]); \
        y[k] += (q[0] + q[2]) + (q[1] + q[3]); \
    } \
}
BY_LANES(DOTS)

void panel_dots(real *y, const real *slab, const int *idx, size_t n, const real *h)
{
    CALL_LANES(dots, y, slab, idx, n, h);
}
