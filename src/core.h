/* core.h: the contract between the numerical core and whoever calls it (the R glue, tests/core).
 *
 * Memory   The core never allocates or frees. It asks the Arena it is handed, all at once, outside parallel regions,
 *          and then looks at `failed`.
 * Data     Sparse is a borrowed, read-only view of a compressed column matrix, one column per cell.
 *          sparse_check() is called once at the door; nothing behind it checks again.
 * Status   Every entry point that can fail returns one. No strings, no prints, no exits.
 * Tick     Called from the calling thread only, never inside a parallel region, at least every few tenths of a second
 *          of work. It may not return (the user's interrupt), which is harmless: the core owns nothing.
 * Random   A draw is a function of (seed, stream, position). There is no state.
 * Bits     The same seed gives the same bits for any number of threads and any size of block.
 * Shapes   genes x cells as in R; in C one cell after the other. Sizes are int, products are size_t.
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
typedef enum { RNG_INIT_1 = 1, RNG_INIT_2, RNG_INIT_3, RNG_INIT_4, RNG_HOLD_OUT, RNG_ORDER, RNG_MASK, RNG_DROPOUT,
               RNG_CLUSTER, RNG_NOISE, RNG_SIMULATE, RNG_SIMULATE_ENTRY, RNG_PAIRS, RNG_THIN, RNG_SHUFFLE } Stream;
void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
double rng_unif(uint64_t seed, Stream stream, uint64_t position);     /* in (0, 1) */
double rng_normal(uint64_t seed, Stream stream, uint64_t position);   /* mean 0, sd 1 */
void rng_pair(uint64_t seed, Stream stream, uint32_t part, uint64_t position, double u[2]);      /* two in (0, 1) */
/* n draws at once, of 32 bits each, from position on (4 draws a position); `part` tells the draws of several networks apart. */
void rng_words(uint64_t seed, Stream stream, uint32_t part, uint64_t position, uint32_t *out, size_t n);
/* 64 normal numbers, mean 0, sd 1, all at once; `part` and `index` tell runs apart. */
void rng_normals64(uint64_t seed, Stream stream, uint32_t part, uint64_t index, real *out);
/* order[0..n) becomes a permutation of 0..n-1; `round` tells the permutations of one seed apart. */
void rng_permute(uint64_t seed, Stream stream, uint64_t round, int *order, int n);
/* Picks exactly k of n, uniformly, in rising order, in one pass: call for i = 0..n-1 with *left starting at k. */
int rng_choose(uint64_t seed, Stream stream, uint64_t i, uint64_t n, uint64_t *left);

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

/* Panels: a matrix of n rows and h columns is kept as panels_of(h) slabs of n x PANEL, zero beyond column h, so that
 * PANEL columns of one row are one short contiguous run and a slab of some thousand rows stays in the cache. */
enum { PANEL = 64 };
static inline size_t panels_of(int h) { return ((size_t) h + (size_t) PANEL - 1) / (size_t) PANEL; }
/* element (row, column) of a panel matrix of n rows */
static inline size_t panel_at(size_t n, size_t row, size_t col)
{
    return (col / PANEL) * n * PANEL + row * PANEL + col % PANEL;
}
/* acc[.] += sum_k val[k] * slab[idx[k]][.], k rising; acc: PANEL */
void panel_gather(real *acc, const real *slab, const int *idx, const real *val, size_t n);
/* out[r][.] = start[.] (NULL: 0) + sum over k = p[r]..p[r + 1]-1 of val[k] * slab[idx[k]][.], for r < rows; out: rows x PANEL */
void panel_sums(real *out, const real *start, const real *slab, const size_t *p, const int *idx, const real *val, size_t rows);
/* y[k] += sum_j slab[idx[k]][j] * h[j], in a fixed order of j */
void panel_dots(real *y, const real *slab, const int *idx, size_t n, const real *h);

/* ---- dense products ---- */
enum { GEMM_SCRATCH = 192 * (96 + 256) };      /* reals of scratch one call of gemm() needs */
/* Row-major C (m x n) = beta C + op(A) op(B), beta 0 or 1, op transposes when its flag is set. Every element is summed
 * over k in rising order, so zeros in A or B change no bit against panel_gather(). One thread. */
void gemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, const real *a, size_t lda, const real *b, size_t ldb,
          int beta, real *c, size_t ldc, real *scratch);

/* ---- parameters: one table per model says name, kind, place and range; R asks for it ---- */
typedef enum { P_REAL, P_REAL_NA, P_INT, P_FLAG, P_CHOICE, P_END } Kind;     /* P_REAL_NA: or NA, which the struct gets as NaN */
typedef struct {
    const char *name;         /* the slot of the R class */
    Kind kind;
    size_t offset;            /* in the model's parameter struct: double, double, int, int, int */
    double lo, hi;            /* inclusive range of P_REAL and P_INT */
    const char *words;        /* P_CHOICE: the words, separated by '|'; the struct gets the index */
} Field;

/* ---- progress ---- */
typedef struct { int iteration, max_iter, best; double train, valid; } Progress;   /* iteration 0: not training */
typedef struct { void (*call)(void *ctx, const Progress *now); void *ctx; } Tick;

/* ---- models ---- */
enum { CURVES = 5 };
typedef enum { STOPPED_MAX, STOPPED_VALID, STOPPED_PAPER, STOPPED_WINDOW, STOPPED_PAUSE, STOPPED_CLOSED,
               STOPPED_SETTLED, STOPPED_DIVERGED } Stopped;
/* One training curve. A model of several networks that are trained apart has one for each. */
typedef struct {
    double *train, *valid, *penalty;     /* one value per iteration, room for max_iter; the first `done` are given */
    double *part;                        /* CURVES per iteration: the parts of the loss, of a model that names them */
    int done;                            /* iterations already there; > 0 resumes, unless `stopped` says it has ended */
    int n_iter, best_iter;
    Stopped stopped;
    double pearson, mse;                 /* of the held-out values at the end; NaN where a model does not say */
} History;

typedef struct {
    /* given */
    Sparse x;                 /* prepared genes x cells, at least one of each; a stored zero would count as observed */
    const int *plan;          /* what was decided before the fit, in the model's own encoding; NULL for most */
    const double *given;      /* numbers that go with the plan */
    uint64_t seed;
    int threads;
    Tick tick;
    int pause_at;             /* stop at this iteration with the state kept, 0: never */
    int want_state;           /* fill `state` (NULL otherwise) */
    /* given and filled */
    double *weights;          /* n_weights, the model's natural layout */
    double *state;            /* n_state: what a resumed fit needs beyond weights and history */
    History *h;               /* one, or as many as the model has parts; histories that are done resume from
                                 `state` and `weights` of a fit that stopped at STOPPED_PAUSE or STOPPED_MAX */
} Fit;

typedef struct {
    Sparse x;
    const int *plan;
    const double *weights;
    const int *wanted;        /* per gene of x: is its prediction asked for? NULL: all. Others may be left as they are */
    int threads;
    Tick tick;
    double *out;              /* genes x cells of x, column-major, on the scale of the prepared matrix; NaN: no prediction */
} Predict;

typedef struct { const char *name; int nrow, ncol; } Shape;      /* column-major as R has it */

typedef struct {
    const char *name;
    const Field *fields;      /* ends with P_END */
    size_t params_size;
    int (*shape)(const void *params, int n_genes, const int *plan, int k, Shape *s);   /* k-th matrix of weights; 0: no more */
    int (*parts)(const int *plan);                               /* training curves; NULL: one */
    int (*max_iter)(const void *params, const int *plan);        /* NULL: closed form, no history */
    size_t state_per_weight;                                     /* n_state = this * n_weights, without `state` */
    Status (*fit)(Arena *, const void *params, Fit *);
    Status (*predict)(Arena *, const void *params, const Predict *);
    int needs_plan;           /* `plan` must not be NULL */
    const char *curves;       /* names of up to CURVES parts of the loss, separated by '|'; NULL: none */
    size_t (*given)(const int *plan);                            /* how many numbers must be given with it; NULL: none */
    size_t (*state)(const void *params, int n_genes, const int *plan);      /* n_state; NULL: by weights */
} Model;
const Model *model_find(const char *name);      /* NULL when there is none */
const Model *model_at(int k);                   /* k-th model, NULL behind the last */
size_t model_weights(const Model *m, const void *params, int n_genes, const int *plan);
size_t model_state(const Model *m, const void *params, int n_genes, const int *plan);
enum { PARAMS_MAX = 256 };                      /* bytes of the largest parameter struct */

/* ---- preprocessing (prep_counts.c) ---- */
typedef enum { LOG_NONE, LOG_2, LOG_1P } Log;
typedef enum { KEEP_NONE, KEEP_OBSERVED, KEEP_MAX } Keep;
typedef enum { CELLS_OK, CELLS_MISSING, CELLS_INFINITE, CELLS_NEGATIVE } BadValue;
/* The first entry that is no finite, non-negative number (row and col filled), and whether all entries are whole. */
BadValue prep_scan(const Sparse *s, int *row, int *col, int *whole, double *largest);
/* at_least[g]: cells in which gene g has at least `min_count`. */
void prep_detected(const Sparse *s, double min_count, int *at_least);
/* total[c]: sum over the genes with keep[g] != 0. */
void prep_totals(const Sparse *s, const int *keep, double *total);
/* Mean and variance (denominator cells - 1) of x / total * target over all cells; a cell of total 0 counts as zeros.
 * target <= 0: of x itself. nonzero[g]: entries. */
void prep_moments(const Sparse *s, const double *total, double target, double *mean, double *var, int *nonzero);
/* Genes by new row (row[g] = 0..n_rows-1, or -1: left out), scaled as in prep_moments() and logged. The first call
 * fills out_p (ncol + 1), the second out_i and out_x (out_p[ncol] each). */
void prep_count_entries(const Sparse *s, const int *row, int *out_p);
Status prep_take(Arena *a, const Sparse *s, const int *row, int n_rows, const double *total, double target, Log log,
                 const int *out_p, int *out_i, double *out_x);
/* Predictions on the prepared scale, back to the scale asked for, merged with what was seen.
 * pred: n_pred x n, the cells first..first+n-1 of counts; row[g]: row of pred for gene g of counts, -1: pass it through.
 * model_size[c]: what the model's values were divided by (0: a cell without counts, it stays as it came);
 * stretch[c] (NULL: 1): what the model's logarithms were divided by. Predictions below how.least, on the log scale, are 0.
 * out_size[c] > 0: what the result is divided by. how.to: the logarithm of the result. Undone values are floored at 0;
 * predictions that need no undoing are as the model gave them unless nonneg is set. NaN: no prediction, the entry stays
 * as it came. out: nrow x n, column-major. */
typedef struct { Log from, to; Keep keep; int nonneg; double least; } Restore;
void prep_restore(const Sparse *counts, int first, int n, const double *pred, int n_pred, const int *row,
                  const double *model_size, const double *stretch, const double *out_size, Restore how, double *out);
/* out[c]: the largest value of column c, 0 where it has none. */
void prep_largest(const Sparse *s, double *out);

/* ---- correlation of genes (prep_correlation.c) ---- */
typedef struct {
    const double *mean, *sd;  /* per gene: sd with denominator cells - 1 */
    const int *candidate;     /* per gene: may it be chosen? */
    const int *set;           /* per gene: genes of one set are not chosen for each other; < 0 for genes in none, all apart */
    int top;
} Nearest;
/* For each target the n->top candidates outside its set with the largest |Pearson r|, sorted down, ties by lower index;
 * -1 and NaN where there are too few. by_gene: x transposed. gene, r: top x n_targets. Work: entries of the targets
 * times entries per cell. */
Status prep_nearest(Arena *, const Sparse *x, const Sparse *by_gene, const Nearest *n, const int *targets, int n_targets,
                    int threads, Tick, int *gene, double *r);

/* ---- graph of genes (prep_graph.c) ---- */
/* Bit j % 64 of word j / 64 of row i: |Pearson r| of genes i and j, over all cells, above `threshold`, i != j. A gene that
 * does not vary has no edge. bits: nrow x (nrow + 63)/64 zeroed words. */
Status prep_graph(Arena *a, const Sparse *by_gene, double threshold, int threads, Tick tick, uint64_t *bits);

/* ---- cells known again (core_cells.c) ---- */
/* What a cell looks like, as two whole numbers of 52 bits, in single precision. */
void cell_key(const Sparse *x, int cell, double key[2]);
/* known[c] = 1 + the fitted cell that looks like cell c of x, the first of several; 0: none. keys: 2 numbers for each. */
Status cells_known(Arena *a, const Sparse *x, const double *keys, int n_keys, int *known);

/* ---- the posterior (stack.c) ---- */
static const double STACK_ETA_LEAST = -8, STACK_ETA_MOST = 12;
/* n entries: z, K columns of log(mu_k + 1e-3); x the counts that were seen, y those held out, rho their expected ratio. */
typedef struct { size_t n; int K; const double *z, *x, *y; double rho; } StackData;
double stack_theta(double eta);              /* exp(eta), eta kept in its bounds */
/* out[0]: the mean loss at par = (eta, b_0, ..., b_K); out[1..]: its gradient. parts: stack_parts(K) doubles of scratch. */
void stack_loss(const StackData *d, const double *par, int threads, double *parts, double *out);
size_t stack_parts(int K);
/* Posterior mean, standard deviation and prior mean (each may be NULL), genes x n, of cells first.. of counts. prior: K
 * predictions, genes x n, at the depth of counts, which is `depth` times that of the fit. */
typedef struct { int K; const double *const *prior; const double *par; double depth; double *mean, *sd, *prior_mean; } StackUse;
void stack_apply(const StackUse *u, const Sparse *counts, int first, int n, int threads);

/* ---- metrics (metric_*.c) ---- */
typedef struct { double rmse, mse, mae, nmse, pearson, spearman; size_t n; } Recovery;
/* Errors of estimate against truth per group (group[k] in 0..n_groups-1; NULL: all in group 0). nmse is the root form
 * |t - e| / |t|; pearson and spearman (of midranks) are NaN where a side is constant but for rounding; all where a group is
 * empty. Memory O(n + n_groups), work O(n log n). */
Status recovery_by_group(Arena *, const double *truth, const double *estimate, const int *group, size_t n, int n_groups,
                         Recovery *out);
/* Predictions of cells first..first+n-1 (dense, genes x n, times `scale`: on the depth of the held-out molecules) against
 * those. Adds to sums: of p - y log(p + eps) and of y - y log(y + eps), of squared differences of log1p of 10,000-normalised
 * columns, and of entries; to gene (5 x genes) what split_pearson() needs. cell[c]: Pearson r of the two logarithms over the
 * genes of a cell; NaN where one is constant. */
void split_add(const Sparse *test, int first, int n, const double *pred, double scale, double eps, double *gene, double *cell,
               double sums[4]);
/* out: Pearson r of each gene over n cells; NaN where one side is constant */
void split_pearson(const double *gene, int n_genes, double n, double *out);
/* Labels 0..n_a-1 and 0..n_b-1. Sums over the occupied cells of the table only: memory O(n + n_a + n_b). both, in_a, in_b:
 * pairs in one class of both, of a, of b. hits: sum over the classes of a of the largest overlap with one of b. */
typedef struct { double ari, mutual, entropy_a, entropy_b, joint, both, in_a, in_b, hits; } Agreement;
Status agreement(Arena *, const int *a, int n_a, const int *b, int n_b, size_t n, Agreement *out);
/* Mean mutual information of partitions with classes of these sizes (at least 1 each, sums alike) under random labels. Work:
 * distinct sizes of a times distinct sizes of b, times the width of their hypergeometric distribution. */
Status expected_mutual(Arena *, const int *size_a, int n_a, const int *size_b, int n_b, Tick, double *out);
/* Items that agree under the best one-to-one map of classes. Memory O(n_a n_b), work O(least^2 most) of the two. */
Status best_matching(Arena *, const int *a, int n_a, const int *b, int n_b, size_t n, Tick, double *matched);
/* points: n x d row-major; width: n. Memory O(n d); work O(n^2 d). Singletons 0 (Rousseeuw 1987). */
Status silhouette(Arena *, const double *points, int n, int d, const int *label, int n_labels, int threads, Tick, double *width);
/* sd / mean of each gene over the cells of each group (sd: denominator cells - 1). group[c] -1: not used; size: cells per
 * group; mean, cv: nrow x n_groups, cv NaN where the mean is 0 or the group has one cell. */
void gene_cv(const Sparse *s, const int *group, int n_groups, const int *size, double *mean, double *cv);
/* Per cell: mean over the genes, and the root of the sum of squares about it; 0 for a cell that does not vary. */
void cell_norms(const Sparse *x, double *mean, double *norm);
/* A list of pairs: cell[j] with each of cell[lo[j]..hi[j]-1], j rising below n. out: Pearson correlations over the genes of
 * all pairs, when m is their number, or else of one random pair of each of m even stretches of the list. norm of the cells of
 * pairs > 0. Memory: threads * genes. */
typedef struct { const int *cell, *lo, *hi; int n; } Pairs;
Status pair_correlations(Arena *, const Sparse *x, const double *mean, const double *norm, const Pairs *p, uint64_t seed,
                         int threads, Tick, double *out, size_t m);
/* rank[k]: from 1 within its group, ties get their mean rank. group as in recovery_by_group(). */
Status midranks(Arena *, const double *v, const int *group, size_t n, int n_groups, double *rank);
/* Area under the ROC curve: P(score of a positive > that of a negative) + P(equal)/2; at least one of each. */
Status roc_auc(Arena *, const double *score, const int *positive, size_t n, double *out);
/* Largest difference of two empirical distribution functions; n_x, n_y > 0. */
Status ks_statistic(Arena *, const double *x, size_t n_x, const double *y, size_t n_y, double *out);
/* Gini coefficient of each gene of by_gene (cells x genes, not negative), with `floor` > 0 added to all values. */
Status gini(Arena *, const Sparse *by_gene, double floor, double *out);
/* Mean loss of non-negative counts under their means, both nrow x ncol, expected dense: 2 (log-likelihood of y under y - under
 * the mean), Poisson or negative binomial of size theta[k % n_theta]; or mean - y log(mean + eps), whose second part zeros
 * have none of. */
typedef enum { COUNT_POISSON, COUNT_NB, COUNT_LOSS } CountLoss;
double half_deviance(double y, double mean, double d);   /* y log(y/mean) - d, where d = y - mean; nothing cancels */
double count_loss(const Sparse *observed, const double *expected, CountLoss kind, const double *theta, size_t n_theta,
                  double eps, Tick);


/* ---- false signal (metric_signal.c) ---- */
/* Ranks 1..n of v, ties averaged; v within `tol` of the first of a run, relative to it, tie with it. Returns the sum of
 * t^3 - t over the runs of t. room: n. */
typedef struct { double v; size_t at; } Ranked;
double mid_ranks(const double *v, size_t n, double tol, Ranked *room, double *rank);
/* x: genes x cells, dense, column-major; rank: the same shape, within each gene; ties: mid_ranks() of each. */
Status gene_ranks(Arena *a, const double *x, int genes, int cells, double *rank, double *ties);
/* Welch's t of each gene, cells with second[c] == 0 against the others: t, degrees of freedom, the two means. NaN where a
 * side has fewer than two cells or neither varies beyond rounding. x as in gene_ranks(). */
void gene_welch(const double *x, int genes, int cells, const int *second, double *t, double *df, double *mean1, double *mean2);
/* Spearman's correlation of the non-zeros of each gene with after[k] of the same entries, among the cells of each group
 * (group[c] -1: not used). rho: genes x groups, NaN where fewer than `least` entries or a constant gene, 0 where only
 * `after` is constant; n: entries. by_gene: cells x genes. */
Status rank_agreement(Arena *a, const Sparse *by_gene, const double *after, const int *group, int n_groups, int least,
                      double *rho, int *n);
/* Every gene's entries go to other cells, any set of cells as likely as another: i[k] is the cell of entry k, not sorted. */
Status shuffle_genes(Arena *a, const Sparse *by_gene, uint64_t seed, int *i);

/* ---- simulation (sim_splat.c) ---- */
/* Draw after draw of the substream (seed, stream, part, item): rejection may take as many as it needs. */
typedef struct { uint64_t seed; Stream stream; uint32_t part; uint64_t position; double u[2]; int left; } Draws;
Draws draws_of(uint64_t seed, Stream stream, uint32_t part, uint32_t item);
double draw_unif(Draws *d);                      /* in (0, 1) */
double draw_normal(Draws *d);                    /* mean 0, sd 1 */
double draw_gamma(Draws *d, double shape);       /* scale 1, shape >= 0; exact for every shape */
double draw_poisson(Draws *d, double mean);      /* a whole number; exact for every finite mean >= 0 */

/* Splat (Zappia, Phipson and Oshlack 2017). LN(a, b): exp of a normal number of mean a and sd b. */
typedef struct {
    double mean_shape, mean_rate;                          /* gamma of the genes' means */
    double outlier_prob, outlier_location, outlier_scale;  /* LN that multiplies the median */
    double lib_location, lib_scale;                        /* LN of the library sizes */
    double de_prob, de_location, de_scale;                 /* LN of the factors of a group, up or down */
    double bcv_common, bcv_df;                             /* infinite df: every gene's dispersion follows the trend */
    double dropout_shape, dropout_mid;                     /* logistic in log(rate); NaN: none */
} Splat;
typedef struct { size_t n; int *i; double *x; } Entries;   /* of some cells; x < 0: what dropout takes away */
typedef struct {
    /* given */
    int genes, cells, groups;
    const double *group_prob;      /* sums to 1 */
    uint64_t seed;
    int threads;
    /* filled */
    double *mean, *outlier;        /* per gene: mean with its outlier factor; that factor, 1 for most */
    double *de;                    /* genes x groups: 1 for most */
    int *group;                    /* per cell, from 0 */
    double *size;                  /* per cell: expected library size */
    double *rate;                  /* genes x cells, or NULL: what the counts are Poisson around */
    int *true_p, *count_p;         /* cells + 1 offsets of the counts before and after dropout */
    /* for splat_take() */
    Entries *block;
    int blocks;
} Simulated;
/* ST_SHAPE: more non-zeros than an offset can say. Cell c is the same whatever the number of cells, the true counts
 * whatever the dropout. */
Status splat_draw(Arena *a, const Splat *p, Simulated *s, Tick tick);
/* The non-zero counts after (1) or before dropout (0), cell after cell. */
void splat_take(const Simulated *s, int after, int *i, double *x);

/* ---- masks (prep_mask.c): what an entry draws depends on the seed, its gene and its cell only ---- */
double draw_binomial(Draws *d, double n, double p);      /* exact for every whole n >= 0 and p in [0, 1] */
/* Of each gene (by_gene) or cell take[.] entries, without replacement, each draw with chances proportional to
 * exp(log_weight); all where there are fewer. chosen: per entry, zeroed. */
Status mask_weighted(Arena *a, const Sparse *s, const double *log_weight, int by_gene, const int *take, uint64_t seed,
                     int *chosen);
/* test[k]: how many of the x[k] molecules leave, each with probability `fraction`. Counts are whole. */
void mask_thin(const Sparse *s, double fraction, uint64_t seed, double *test);

#endif
