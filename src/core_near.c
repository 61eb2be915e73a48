/* Scores of cells, and the nearest of them. Distances to all places are first taken in `real`, by
 * one dense product: |q|^2 + |s|^2 - 2 q's. Who may be among the k nearest, and some more, is then
 * looked at in double. Where an error of rounding could have left one out (many equally far ones),
 * all are. */
#include <math.h>
#include "core_log.h"
#include "kernels.h"
#include "prior.h"

KERNEL_FILE

enum { QUERIES = 48, AT_ONCE = 256, SPARE = 8 };

double cell_total(const Sparse *x, int cell)
{
    double t = 0;
    for (int e = x->p[cell]; e < x->p[cell + 1]; e++) t += x->x[e];
    return t;
}

void cell_logs(const Sparse *x, int cell, double usual, double *to)
{
    double by = usual / cell_total(x, cell);
    for (int e = x->p[cell]; e < x->p[cell + 1]; e++) *to++ = log_of(1 + x->x[e] * by);
}

void cell_scores(const Sparse *x, int first, int n, double usual, const double *turn, int dims,
                 int threads, double *to)
{
    size_t d = (size_t) dims;
    PARALLEL_FOR(threads)
    for (int c = 0; c < n; c++) {
        double *s = to + (size_t) c * d, by = usual / cell_total(x, first + c);
        for (size_t k = 0; k < d; k++) s[k] = 0;
        for (int e = x->p[first + c]; e < x->p[first + c + 1]; e++) {
            const double *row = turn + (size_t) x->i[e] * d;
            double v = log_of(1 + x->x[e] * by);
            for (size_t k = 0; k < d; k++) s[k] += v * row[k];
        }
    }
}

void by_rows(const double *columns, size_t genes, size_t dims, double *rows)
{
    for (size_t k = 0; k < dims; k++)
        for (size_t g = 0; g < genes; g++) rows[g * dims + k] = columns[k * genes + g];
}

/* ---- the k least of many, the farthest first (a heap) ---- */

typedef struct { double far; int cell; } Found;

/* Is b farther than a? Of equal ones the later cell is. */
static int farther(Found a, Found b)
{
    return b.far > a.far || (b.far == a.far && b.cell > a.cell);
}

static void sink(Found *heap, int n, int at, Found f)
{
    for (int child = 2 * at + 1; child < n; at = child, child = 2 * at + 1) {
        if (child + 1 < n && farther(heap[child], heap[child + 1])) child++;
        if (!farther(f, heap[child])) break;
        heap[at] = heap[child];
    }
    heap[at] = f;
}

static void rise(Found *heap, int at, Found f)
{
    for (int up; at; at = up) {
        up = (at - 1) / 2;
        if (!farther(heap[up], f)) break;
        heap[at] = heap[up];
    }
    heap[at] = f;
}

static int keep(Found *heap, int n, int k, Found f)
{
    if (n < k) { rise(heap, n, f); return n + 1; }
    if (farther(f, heap[0])) sink(heap, n, 0, f);
    return n;
}

/* Nearest first. */
static void in_order(Found *heap, int n)
{
    for (int last = n - 1; last > 0; last--) {
        Found far = heap[0];
        sink(heap, last, 0, heap[last]);
        heap[last] = far;
    }
}

/* ---- the search ---- */

typedef struct {
    const Places *p;
    const double *scores;
    const int *self;
    int n, k, wide, blocks, *near;
    const double *centre;
    const real *place, *square;          /* cells x dims, centred; their squares */
    double reach;                        /* the largest square */
    real *query, *tile, *scratch;        /* of each thread */
    Found *heap, *best;                  /* of each thread: QUERIES x wide; k */
} Search;

static double apart(const Places *p, const double *q, int cell)
{
    const double *s = p->scores + (size_t) cell * (size_t) p->dims;
    double far = 0;
    for (int k = 0; k < p->dims; k++) far += (q[k] - s[k]) * (q[k] - s[k]);
    return far;
}

static int stands(const Search *s, int c, int cell)
{
    return cell + 1 != s->self[c] && s->p->totals[cell] > 0;
}

/* All places in double. */
static int every(const Search *s, int c, Found *best)
{
    const double *q = s->scores + (size_t) c * (size_t) s->p->dims;
    int n = 0;
    for (int j = 0; j < s->p->cells; j++)
        if (stands(s, c, j)) n = keep(best, n, s->k, (Found) { apart(s->p, q, j), j });
    return n;
}

/* The nearest of those in the heap; all of them where that cannot be known. */
static int nearest(const Search *s, int c, double square, const Found *heap, int held, Found *best)
{
    const double *q = s->scores + (size_t) c * (size_t) s->p->dims;
    int n = 0;
    for (int j = 0; j < held; j++)
        n = keep(best, n, s->k, (Found) { apart(s->p, q, heap[j].cell), heap[j].cell });
    double error = (s->p->dims + 8) * 1.2e-7 * (square + s->reach);
    if (held == s->wide && !(best[0].far < heap[0].far - error)) n = every(s, c, best);
    in_order(best, n);
    return n;
}

static void block_of(const Search *s, int thread, int block)
{
    size_t d = (size_t) s->p->dims, t = (size_t) thread;
    int first = block * QUERIES, n = s->n - first < QUERIES ? s->n - first : QUERIES;
    real *query = s->query + t * QUERIES * d, *tile = s->tile + t * QUERIES * AT_ONCE;
    Found *heap = s->heap + t * QUERIES * (size_t) s->wide, *best = s->best + t * (size_t) s->k;
    int held[QUERIES] = { 0 };
    double square[QUERIES] = { 0 };
    for (int c = 0; c < n; c++)
        for (size_t k = 0; k < d; k++) {
            double v = s->scores[(size_t) (first + c) * d + k] - s->centre[k];
            query[(size_t) c * d + k] = (real) v;
            square[c] += v * v;
        }
    for (int j0 = 0; j0 < s->p->cells; j0 += AT_ONCE) {
        int m = s->p->cells - j0 < AT_ONCE ? s->p->cells - j0 : AT_ONCE;
        gemm(0, 1, (size_t) n, (size_t) m, d, query, d, s->place + (size_t) j0 * d, d, 0, tile,
             AT_ONCE, s->scratch + t * GEMM_SCRATCH);
        for (int c = 0; c < n; c++) {
            Found *own = heap + (size_t) c * (size_t) s->wide;
            const real *row = tile + (size_t) c * AT_ONCE, *sq = s->square + j0;
            double most = held[c] < s->wide ? INFINITY : own[0].far - square[c];
            for (int j = 0; j < m; j++) {
                double far = (double) sq[j] - 2 * (double) row[j];
                if (!(far <= most) || !stands(s, first + c, j0 + j)) continue;   /* NaN: nowhere */
                held[c] = keep(own, held[c], s->wide, (Found) { far + square[c], j0 + j });
                if (held[c] == s->wide) most = own[0].far - square[c];
            }
        }
    }
    for (int c = 0; c < n; c++) {
        int found = nearest(s, first + c, square[c], heap + (size_t) c * (size_t) s->wide, held[c],
                            best);
        for (int j = 0; j < s->k; j++)
            s->near[(size_t) (first + c) * (size_t) s->k + (size_t) j] =
                j < found ? best[j].cell : -1;
    }
}

Status near_find(Arena *a, const Places *p, const double *scores, const int *self, int n, int k,
                 int threads, Tick tick, int *near)
{
    size_t d = (size_t) p->dims, cells = (size_t) p->cells, T = (size_t) threads;
    double *centre = ARENA(a, double, d);
    real *place = ARENA(a, real, cells * d), *square = ARENA(a, real, cells);
    Search s = { p, scores, self, n, k, k + SPARE, (n + QUERIES - 1) / QUERIES, near, centre, place,
                 square, 0, ARENA(a, real, T * QUERIES * d), ARENA(a, real, T * QUERIES * AT_ONCE),
                 ARENA(a, real, T * GEMM_SCRATCH),
                 ARENA(a, Found, T * QUERIES * (size_t) (k + SPARE)),
                 ARENA(a, Found, T * (size_t) k) };
    if (a->failed) return ST_NOMEM;
    for (size_t j = 0; j < cells; j++)
        for (size_t i = 0; i < d; i++) centre[i] += p->scores[j * d + i] / (double) cells;
    for (size_t j = 0; j < cells; j++) {
        double sum = 0;
        for (size_t i = 0; i < d; i++) {
            double v = p->scores[j * d + i] - centre[i];
            place[j * d + i] = (real) v;
            sum += v * v;
        }
        square[j] = (real) sum;
        if (sum > s.reach) s.reach = sum;
    }
    /* some ten million distances between two ticks */
    int wave = 1 + (int) (1e7 / ((double) cells * QUERIES));
    if (wave < threads) wave = threads;
    for (int b0 = 0; b0 < s.blocks; b0 += wave) {
        int some = s.blocks - b0 < wave ? s.blocks - b0 : wave;
        PARALLEL_FOR(threads)
        for (int t = 0; t < threads; t++)
            for (int b = b0 + t; b < b0 + some; b += threads) block_of(&s, t, b);
        tick_idle(tick);
    }
    return ST_OK;
}
