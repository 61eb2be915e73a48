/* threads.h: the only file with a pragma. Loops over threads, and how kernels are compiled.
 *
 * PARALLEL_FOR(n) before a for loop runs its iterations on n threads (or on one, without OpenMP).
 * Every iteration must write its own outputs: no sums across iterations, no call of the arena or of
 * the tick. So the bits never depend on n. After a fork (parallel::mclapply and the like)
 * threads_usable() is 1, because gcc's OpenMP runtime hangs in a child whose parent has used it.
 */
#ifndef INFILL_THREADS_H
#define INFILL_THREADS_H

#ifdef _OPENMP
#define DO_PRAGMA(x) _Pragma(#x)
#define PARALLEL_FOR(n) DO_PRAGMA(omp parallel for num_threads(n) schedule(static))
#else
#define PARALLEL_FOR(n) (void) (n);
#endif

/* How many threads a region may have when `wanted` were asked for: at least 1; 1 without OpenMP or
 * in a forked child. */
int threads_usable(int wanted);
/* Called once when the package is loaded. */
void threads_guard_fork(void);

/* At the top of a file of kernels: loops are vectorised whatever flags R was built with, and a
 * product is never fused with a sum, so that the SSE2, AVX2 and AVX-512 variants of a kernel give
 * the same bits. */
#if defined(__GNUC__) && !defined(__clang__)
#define KERNEL_FILE \
    _Pragma("GCC optimize (\"O3\", \"fp-contract=off\", \"no-math-errno\", \"no-trapping-math\")")
#elif defined(__clang__)
#define KERNEL_FILE _Pragma("STDC FP_CONTRACT OFF")
#else
#define KERNEL_FILE
#endif

/* A helper of kernels: inlined always, or the loop that calls it is not vectorised. */
#ifdef __GNUC__
#define KERNEL_INLINE static inline __attribute__((always_inline))
#else
#define KERNEL_INLINE static inline
#endif

/* A kernel is written once, for lanes of W numbers, and compiled for 4, 8 and 16 of them (SSE2,
 * AVX2, AVX-512); the processor's best is chosen at the call. BY_LANES(DEFINE) defines the
 * variants, CALL_LANES(name, arguments) calls one. FOR_CPUS(name, (parameters), (arguments), { body
 * }) does so with a function that returns nothing and whose loop the compiler vectorises by itself;
 * LOCAL_FOR_CPUS() with one that no other file calls. (gcc's target_clones would need one body for
 * all widths: its lowering of 16 lanes to AVX2 was 15 times slower.) */
typedef real Lanes4
    __attribute__((vector_size(4 * sizeof(real)), aligned(sizeof(real)), may_alias));
typedef real Lanes8
    __attribute__((vector_size(8 * sizeof(real)), aligned(sizeof(real)), may_alias));
typedef real Lanes16
    __attribute__((vector_size(16 * sizeof(real)), aligned(sizeof(real)), may_alias));
#define LANES(type, p) (*(type *) (p))
#define CONST_LANES(type, p) (*(const type *) (p))

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__) \
    && !defined(INFILL_DOUBLE)
#include <immintrin.h>
/* exact roots of 4, 8 or 16 numbers; gcc vectorises no sqrtf() while errno counts, and R's flags
 * leave it counting */
#define SQRT_LANES_16(v) ((Lanes16) _mm512_sqrt_ps((__m512) (v)))
#define SQRT_LANES_8(v) ((Lanes8) _mm256_sqrt_ps((__m256) (v)))
#define SQRT_LANES_4(v) ((Lanes4) _mm_sqrt_ps((__m128) (v)))
#define BY_LANES(DEFINE) \
    DEFINE(_16, __attribute__((target("avx512f"))), 16) \
    DEFINE(_8, __attribute__((target("avx2"))), 8) \
    DEFINE(_4, , 4)
#define CALL_LANES(name, ...) do { \
    if (__builtin_cpu_supports("avx512f")) name##_16(__VA_ARGS__); \
    else if (__builtin_cpu_supports("avx2")) name##_8(__VA_ARGS__); \
    else name##_4(__VA_ARGS__); } while (0)
#define FOR_CPUS_AS(linkage, name, params, args, ...) \
    __attribute__((target("avx512f"))) static void name##_16 params __VA_ARGS__ \
    __attribute__((target("avx2"))) static void name##_8 params __VA_ARGS__ \
    static void name##_4 params __VA_ARGS__ \
    linkage void name params { if (__builtin_cpu_supports("avx512f")) name##_16 args; \
        else if (__builtin_cpu_supports("avx2")) name##_8 args; else name##_4 args; }
#else
#include <math.h>
#define SQRT_LANES_4(v) \
    ((Lanes4) { (real) sqrt((v)[0]), (real) sqrt((v)[1]), \
                (real) sqrt((v)[2]), (real) sqrt((v)[3]) })
#define BY_LANES(DEFINE) DEFINE(_4, , 4)
#define CALL_LANES(name, ...) name##_4(__VA_ARGS__)
#define FOR_CPUS_AS(linkage, name, params, args, ...) linkage void name params __VA_ARGS__
#endif
#define FOR_CPUS(...) FOR_CPUS_AS(, __VA_ARGS__)
#define LOCAL_FOR_CPUS(...) FOR_CPUS_AS(static, __VA_ARGS__)

#endif
