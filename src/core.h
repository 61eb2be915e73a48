/* core.h: the contract between the numerical core and whoever calls it (the R glue, tests/core).
 *
 * Memory   The core never allocates or frees. It asks the Arena it is handed, all at once, outside
 *          parallel regions, and then looks at `failed`.
 * Data     Sparse is a borrowed, read-only view of a compressed column matrix, one column per cell.
 *          sparse_check() is called once at the door; nothing behind it checks again.
 * Status   Every entry point that can fail returns one. No strings, no prints, no exits.
 * Tick     Called from the calling thread only, never inside a parallel region, at least every few
 *          tenths of a second of work. It may not return (the user's interrupt), which is harmless:
 *          the core owns nothing.
 * Random   A draw is a function of (seed, stream, position). There is no state.
 * Bits     The same seed gives the same bits for any number of threads and any size of block.
 * Shapes   genes x cells as in R; in C one cell after the other. Sizes are int, products are
 *          size_t.
 */
#ifndef INFILL_CORE_H
#define INFILL_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef INFILL_DOUBLE          /* tests/core only: worked numbers and finite differences want 1e-9 */
typedef double real;
#else
typedef float real;
#endif
#include "threads.h"
/* What thread t of `of` does of n things: from..to-1. */
static inline void share(size_t n, int t, int of, size_t *from, size_t *to)
{
    *from = n * (size_t) t / (size_t) of;
    *to = n * (size_t) (t + 1) / (size_t) of;
}

typedef enum { ST_OK, ST_NOMEM, ST_DIVERGED, ST_BADDATA, ST_SHAPE } Status;

/* ---- memory ---- */
typedef struct {
    void *(*grab)(void *ctx, size_t bytes);   /* NULL or a jump when there is no more */
    void *ctx;
    int failed;
} Arena;
/* n * size zeroed bytes on a 64-byte boundary; NULL sets a->failed. n = 0 gives a valid pointer. */
void *arena_get(Arena *a, size_t n, size_t size);
#define ARENA(a, type, n) ((type *) arena_get((a), (size_t) (n), sizeof(type)))

/* ---- randomness: Philox4x32-10 (Salmon et al. 2011) ---- */
typedef enum { RNG_INIT_1 = 1, RNG_INIT_2, RNG_INIT_3, RNG_INIT_4, RNG_HOLD_OUT, RNG_ORDER,
               RNG_MASK, RNG_DROPOUT, RNG_CLUSTER, RNG_NOISE, RNG_SIMULATE, RNG_SIMULATE_ENTRY,
               RNG_PAIRS, RNG_THIN, RNG_SHUFFLE } Stream;
void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
double rng_unif(uint64_t seed, Stream stream, uint64_t position);     /* in (0, 1) */
double rng_normal(uint64_t seed, Stream stream, uint64_t position);   /* mean 0, sd 1 */
/* two in (0, 1) */
void rng_pair(uint64_t seed, Stream stream, uint32_t part, uint64_t position, double u[2]);
/* n draws at once, of 32 bits each, from position on (4 draws a position); `part` tells the draws
 * of several networks apart. */
void rng_words(uint64_t seed, Stream stream, uint32_t part, uint64_t position, uint32_t *out,
               size_t n);
/* 64 normal numbers, mean 0, sd 1, all at once; `part` and `index` tell runs apart. */
void rng_normals64(uint64_t seed, Stream stream, uint32_t part, uint64_t index, real *out);
/* order[0..n) becomes a permutation of 0..n-1; `round` tells the permutations of one seed apart. */
void rng_permute(uint64_t seed, Stream stream, uint64_t round, int *order, int n);
/* Picks exactly k of n, uniformly, in rising order, in one pass: call for i = 0..n-1 with *left
 * starting at k. */
int rng_choose(uint64_t seed, Stream stream, uint64_t i, uint64_t n, uint64_t *left);

/* ---- draws of distributions (core_draw.c) ---- */
/* Draw after draw of the substream (seed, stream, part, item): rejection may take as many as it
 * needs. */
typedef struct {
    uint64_t seed;
    Stream stream;
    uint32_t part;
    uint64_t position;
    double u[2];
    int left;
} Draws;
Draws draws_of(uint64_t seed, Stream stream, uint32_t part, uint32_t item);
double draw_unif(Draws *d);                      /* in (0, 1) */
double draw_normal(Draws *d);                    /* mean 0, sd 1 */
double draw_gamma(Draws *d, double shape);       /* scale 1, shape >= 0; exact for every shape */
double draw_poisson(Draws *d, double mean);  /* a whole number; exact for every finite mean >= 0 */
/* exact for every whole n >= 0 and p in [0, 1] */
double draw_binomial(Draws *d, double n, double p);

/* ---- ranks (core_rank.c) ---- */
/* order[0..n), places in v, is put in rising order of v, ties as they were. other: n of scratch. */
void sort_places(const double *v, size_t *order, size_t *other, size_t n);
/* The values in rising order. */
void sort_values(double *v, size_t n);
/* Ranks 1..n of v, ties averaged; v within `tol` of the first of a run, relative to it, tie with
 * it. Returns the sum of t^3 - t over the runs of t. order: 2 n of scratch. */
double midranks(const double *v, size_t n, double tol, size_t *order, double *rank);
/* The same within each group; group as in recovery_by_group(). */
Status midranks_by_group(Arena *, const double *v, const int *group, size_t n, int n_groups,
                         double *rank);

/* ---- progress ---- */
/* iteration 0: not training */
typedef struct { int iteration, max_iter, best; double train, valid; } Progress;
typedef struct { void (*call)(void *ctx, const Progress *now); void *ctx; } Tick;
static inline void tick_idle(Tick tick)
{
    static const Progress idle = { 0, 0, 0, 0, 0 };
    tick.call(tick.ctx, &idle);
}

/* ---- sparse matrices ---- */
typedef struct {
    int nrow, ncol;
    const int *p, *i;      /* p: ncol + 1 offsets; i: row of each entry, rising within a column */
    const double *x;
} Sparse;
/* p rises from 0 to n_entries, rows in range and rising, values finite. O(entries). */
Status sparse_check(const Sparse *s, size_t n_entries);
/* The first k in lo..hi-1 with i[k] >= least, or hi; i rises. */
static inline size_t first_from(const int *i, size_t lo, size_t hi, int least)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (i[mid] < least) lo = mid + 1; else hi = mid;
    }
    return lo;
}
int sparse_longest(const Sparse *s);         /* entries of the longest column */

#endif
