/* check.h: what the test programs of the core share: counted checks, an arena that can fail, and a
 * random matrix. A program ends with `return report("name")`, which prints `name: N passed, N
 * failed`. */
#ifndef INFILL_CHECK_H
#define INFILL_CHECK_H
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nn.h"

#ifdef INFILL_DOUBLE
enum { IS_DOUBLE = 1 };
#else
enum { IS_DOUBLE = 0 };
#endif
#define TOL(in_double, in_float) (IS_DOUBLE ? (in_double) : (in_float))

/* ---- checks ---- */
static int n_passed, n_failed;

static inline int check_(int ok, const char *file, int line, const char *what)
{
    if (ok) { n_passed++; return 1; }
    if (n_failed++ < 50) printf("%s:%d: %s\n", file, line, what);
    return 0;
}
/* |got - want| <= tol, relative where want is above 1 */
static inline int near_(double got, double want, double tol, const char *file, int line,
                        const char *what)
{
    int ok = fabs(got - want) <= tol * fmax(1, fabs(want));
    if (!ok && n_failed < 50)
        printf("%s:%d: %s is %.15g, not %.15g\n", file, line, what, got, want);
    return check_(ok, file, line, what);
}
/* got <= bound: for the largest difference of many */
static inline int within_(double got, double bound, const char *file, int line, const char *what)
{
    if (!(got <= bound) && n_failed < 50)
        printf("%s:%d: %s is %.3g, allowed %.3g\n", file, line, what, got, bound);
    return check_(got <= bound, file, line, what);
}
#define CHECK(x) check_(!!(x), __FILE__, __LINE__, #x)
#define NEAR(got, want, tol) near_((double) (got), (double) (want), tol, __FILE__, __LINE__, #got)
#define WITHIN(got, bound) within_((double) (got), bound, __FILE__, __LINE__, #got)
#define SAME_BITS(a, b, n) \
    check_(!memcmp((a), (b), (size_t) (n) * sizeof *(a)), __FILE__, __LINE__, \
           #a " = " #b " to the bit")

static inline int report(const char *name)
{
    printf("%s: %d passed, %d failed\n", name, n_passed, n_failed);
    return n_failed > 0;
}

/* Largest difference of two vectors by the largest of `want`; infinite when anything is not a
 * number. */
static inline double apart(const double *got, const double *want, size_t n)
{
    double most = 0, scale = 0;
    for (size_t k = 0; k < n; k++) {
        if (!isfinite(got[k]) || !isfinite(want[k])) return INFINITY;
        most = fmax(most, fabs(got[k] - want[k]));
        scale = fmax(scale, fabs(want[k]));
    }
    return most > 0 ? most / (scale > 0 ? scale : 1) : 0;
}
static inline double apart_real(const real *got, const double *want, size_t n)
{
    double most = 0, scale = 0;
    for (size_t k = 0; k < n; k++) {
        double g = (double) got[k];
        if (!isfinite(g) || !isfinite(want[k])) return INFINITY;
        most = fmax(most, fabs(g - want[k]));
        scale = fmax(scale, fabs(want[k]));
    }
    return most > 0 ? most / (scale > 0 ? scale : 1) : 0;
}
static inline int all_finite(const double *x, size_t n)
{
    for (size_t k = 0; k < n; k++) if (!isfinite(x[k])) return 0;
    return 1;
}

/* ---- memory: everything of a test is given back by clear(), which RUN() calls ---- */
static void **blocks;
static size_t n_blocks, max_blocks;

/* On a 64-byte boundary, where the arena's own rounding adds exactly 64: one byte too far is then
 * the sanitizer's. */
static inline void *grab_bytes(size_t bytes)
{
    void *p = NULL;
    if (n_blocks == max_blocks) {
        max_blocks = 2 * max_blocks + 64;
        blocks = realloc(blocks, max_blocks * sizeof *blocks);
        if (!blocks) exit(2);
    }
    if (posix_memalign(&p, 64, bytes ? bytes : 1)) exit(2);
    memset(p, 0xA5, bytes);
    return blocks[n_blocks++] = p;
}
static inline void *new_bytes(size_t bytes) { return memset(grab_bytes(bytes), 0, bytes); }
#define NEW(type, n) ((type *) new_bytes((size_t) (n) * sizeof(type)))

static inline void clear(void)
{
    while (n_blocks) free(blocks[--n_blocks]);
    free(blocks);
    blocks = NULL;
    max_blocks = 0;
}
#define RUN(test) do { test(); clear(); } while (0)

/* An arena whose fail_at-th request (from 1; 0: none) finds no memory. */
typedef struct { int asked, fail_at; } Grabs;
static inline void *grab(void *ctx, size_t bytes)
{
    Grabs *g = ctx;
    return ++g->asked == g->fail_at ? NULL : grab_bytes(bytes);
}
static Grabs plenty;
static inline Arena new_arena(void) { return (Arena) { grab, &plenty, 0 }; }
static inline Arena failing_arena(Grabs *g) { return (Arena) { grab, g, 0 }; }

/* call(arena) is run with every request failing once, then with none; returns how many requests
 * there are */
static inline int each_fails(Status (*call)(Arena *))
{
    for (int k = 1; k < 1000; k++) {
        Grabs g = { 0, k };
        Arena a = failing_arena(&g);
        Status st = call(&a);
        if (g.asked < k) { CHECK(st == ST_OK); return k - 1; }
        /* after a failure nothing more is asked for */
        CHECK(st == ST_NOMEM && a.failed && g.asked == k);
    }
    return check_(0, __FILE__, __LINE__, "a call that ends") - 1;
}

/* ---- ticks ---- */
static int n_ticks;
static inline void count_tick(void *ctx, const Progress *now) { (void) ctx; (void) now; n_ticks++; }
static inline Tick any_tick(void) { return (Tick) { count_tick, NULL }; }

/* ---- numbers that are not those of the generator under test (xorshift64*) ---- */
static uint64_t luck = 88172645463325252u;
static inline uint64_t bits64(void)
{
    luck ^= luck >> 12; luck ^= luck << 25; luck ^= luck >> 27;
    return luck * 2685821657736338717u;
}
static inline double u01(void) { return ((double) (bits64() >> 11) + 0.5) * 0x1p-53; }
static inline double between(double lo, double hi) { return lo + (hi - lo) * u01(); }
static inline int below(int n) { return (int) (u01() * n); }
static inline void fill(real *x, size_t n)
{
    for (size_t k = 0; k < n; k++) x[k] = (real) between(-1, 1);
}

/* ---- matrices ---- */
/* genes x cells, column-major; zeros are not stored */
static inline Sparse sparse_of(const double *dense, int genes, int cells)
{
    size_t G = (size_t) genes, M = (size_t) cells;
    int *p = NEW(int, M + 1), *i = NEW(int, G * M), n = 0;
    double *x = NEW(double, G * M);
    for (size_t c = 0; c < M; c++) {
        for (size_t g = 0; g < G; g++)
            if (dense[c * G + g] != 0) { i[n] = (int) g; x[n++] = dense[c * G + g]; }
        p[c + 1] = n;
    }
    return (Sparse) { genes, cells, p, i, x };
}
/* about `density` of the entries are not 0, of rank 2 plus noise, between 0.1 and 4 */
static inline double *random_matrix(int genes, int cells, double density)
{
    size_t G = (size_t) genes, M = (size_t) cells;
    double *x = NEW(double, G * M), *a = NEW(double, 2 * G), *b = NEW(double, 2 * M);
    for (size_t k = 0; k < 2 * G; k++) a[k] = u01();
    for (size_t k = 0; k < 2 * M; k++) b[k] = u01();
    for (size_t c = 0; c < M; c++)
        for (size_t g = 0; g < G; g++) {
            double v = 0.1 + a[2 * g] * b[2 * c] + a[2 * g + 1] * b[2 * c + 1] + between(0, 0.5);
            x[c * G + g] = u01() < density ? v : 0;
        }
    return x;
}
#endif
