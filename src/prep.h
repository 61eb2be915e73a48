/* prep.h: from counts to what a model sees, and back; genes that go together; what is held out. */
#ifndef INFILL_PREP_H
#define INFILL_PREP_H
#include "core.h"

/* ---- preprocessing (prep_counts.c) ---- */
typedef enum { LOG_NONE, LOG_2, LOG_1P } Log;
typedef enum { KEEP_NONE, KEEP_OBSERVED, KEEP_MAX } Keep;
typedef enum { CELLS_OK, CELLS_MISSING, CELLS_INFINITE, CELLS_NEGATIVE, CELLS_HUGE } BadValue;
/* How near whole numbers the entries are: all are (WHOLE), but for a millionth (NEARLY), not. */
typedef enum { BROKEN, WHOLE, NEARLY } Wholeness;
/* The first entry that is no number from 0 to 2^53 (row and col filled), or how whole all are. */
BadValue prep_scan(const Sparse *s, int *row, int *col, Wholeness *whole, double *largest);
/* at_least[g]: cells in which gene g has at least `min_count`. */
void prep_detected(const Sparse *s, double min_count, int *at_least);
/* total[c]: sum over the genes with keep[g] != 0. */
void prep_totals(const Sparse *s, const int *keep, double *total);
/* total[c]: sum of column c; of each gene its sum, its share of each cell's total and the cells
 * that have it are added to what was there: blocks of cells in their order give the bits of the
 * whole. Values are above 0. */
void prep_shares(const Sparse *s, double *total, double *sum, double *share, double *cells);
/* Mean and variance (denominator cells - 1) of x / total * target over all cells; a cell of total 0
 * counts as zeros. target <= 0: of x itself. nonzero[g]: entries. */
void prep_moments(const Sparse *s, const double *total, double target, double *mean, double *var,
                  int *nonzero);
/* Genes by new row (row[g] = 0..n_rows-1, or -1: left out), scaled as in prep_moments() and logged.
 * The first call fills out_p (ncol + 1), the second out_i and out_x (out_p[ncol] each). */
void prep_count_entries(const Sparse *s, const int *row, int *out_p);
Status prep_take(Arena *a, const Sparse *s, const int *row, int n_rows, const double *total,
                 double target, Log log, const int *out_p, int *out_i, double *out_x);
/* Predictions on the prepared scale, back to the scale asked for, merged with what was seen.
 * pred: n_pred x n, the cells first..first+n-1 of counts; row[g]: row of pred for gene g of counts,
 * -1: pass it through. model_size[c]: what the model's values were divided by (0: a cell without
 * counts, it stays as it came); stretch[c] (NULL: 1): what the model's logarithms were divided by.
 * Predictions below how.least, on the log scale, are 0. out_size[c] > 0: what the result is divided
 * by. how.to: the logarithm of the result. Undone values are floored at 0; predictions that need no
 * undoing are as the model gave them unless nonneg is set. NaN: no prediction, the entry stays as
 * it came. out: nrow x n, column-major. */
typedef struct { Log from, to; Keep keep; int nonneg; double least; } Restore;
void prep_restore(const Sparse *counts, int first, int n, const double *pred, int n_pred,
                  const int *row, const double *model_size, const double *stretch,
                  const double *out_size, Restore how, double *out);
/* out[c]: the largest value of column c, 0 where it has none. */
void prep_largest(const Sparse *s, double *out);

/* ---- correlation of genes (prep_correlation.c) ---- */
typedef struct {
    const double *mean, *sd;  /* per gene: sd with denominator cells - 1 */
    const int *candidate;     /* per gene: may it be chosen? */
    /* per gene: genes of one set are not chosen for each other; < 0 for genes in none, all apart */
    const int *set;
    int top;
} Nearest;
/* For each target the n->top candidates outside its set with the largest |Pearson r|, sorted down,
 * ties by lower index; -1 and NaN where there are too few. by_gene: x transposed. gene, r: top x
 * n_targets. Work: entries of the targets times entries per cell. */
Status prep_nearest(Arena *, const Sparse *x, const Sparse *by_gene, const Nearest *n,
                    const int *targets, int n_targets, int threads, Tick, int *gene, double *r);

/* ---- graph of genes (prep_graph.c) ---- */
/* Bit j % 64 of word j / 64 of row i: |Pearson r| of genes i and j, over all cells, above
 * `threshold`, i != j. A gene that does not vary has no edge. bits: nrow x (nrow + 63)/64 zeroed
 * words. */
Status prep_graph(Arena *a, const Sparse *by_gene, double threshold, int threads, Tick tick,
                  uint64_t *bits);

/* ---- masks (prep_mask.c): what an entry draws depends on the seed, its gene and its cell only
 * ---- */
/* Of each gene (by_gene) or cell take[.] entries, without replacement, each draw with chances
 * proportional to exp(log_weight); all where there are fewer. chosen: per entry, zeroed. */
Status mask_weighted(Arena *a, const Sparse *s, const double *log_weight, int by_gene,
                     const int *take, uint64_t seed, int *chosen);
/* test[k]: how many of the x[k] molecules leave, each with probability `fraction`. Counts are
 * whole. */
void mask_thin(const Sparse *s, double fraction, uint64_t seed, double *test);

#endif
