/* metric.h: measures of what was filled in (metric_*.c). */
#ifndef INFILL_METRIC_H
#define INFILL_METRIC_H
#include "core.h"

/* ---- metrics (metric_*.c) ---- */
typedef struct { double rmse, mse, mae, nmse, pearson, spearman; size_t n; } Recovery;
/* Errors of estimate against truth per group (group[k] in 0..n_groups-1; NULL: all in group 0).
 * nmse is the root form |t - e| / |t|; pearson and spearman (of midranks) are NaN where a side is
 * constant but for rounding; all where a group is empty. Memory O(n + n_groups), work O(n log
 * n). */
Status recovery_by_group(Arena *, const double *truth, const double *estimate, const int *group,
                         size_t n, int n_groups, Recovery *out);
/* Predictions of cells first..first+n-1 (dense, genes x n, times `scale`: on the depth of the
 * held-out molecules) against those. Adds to sums: of p - y log(p + eps) and of y - y log(y + eps),
 * of squared differences of log1p of 10,000-normalised columns, and of entries; to gene (5 x genes)
 * what split_pearson() needs. cell[c]: Pearson r of the two logarithms over the genes of a cell;
 * NaN where one is constant. */
void split_add(const Sparse *test, int first, int n, const double *pred, double scale, double eps,
               double *gene, double *cell, double sums[4]);
/* out: Pearson r of each gene over n cells; NaN where one side is constant */
void split_pearson(const double *gene, int n_genes, double n, double *out);
/* Labels 0..n_a-1 and 0..n_b-1. Sums over the occupied cells of the table only: memory O(n + n_a +
 * n_b). both, in_a, in_b: pairs in one class of both, of a, of b. hits: sum over the classes of a
 * of the largest overlap with one of b. */
typedef struct {
    double ari, mutual, entropy_a, entropy_b, joint, both, in_a, in_b, hits;
} Agreement;
Status agreement(Arena *, const int *a, int n_a, const int *b, int n_b, size_t n, Agreement *out);
/* Mean mutual information of partitions with classes of these sizes (at least 1 each, sums alike)
 * under random labels. Work: distinct sizes of a times distinct sizes of b, times the width of
 * their hypergeometric distribution. */
Status expected_mutual(Arena *, const int *size_a, int n_a, const int *size_b, int n_b, Tick,
                       double *out);
/* Items that agree under the best one-to-one map of classes. Memory O(n_a n_b), work O(least^2
 * most) of the two. */
Status best_matching(Arena *, const int *a, int n_a, const int *b, int n_b, size_t n, Tick,
                     double *matched);
/* points: n x d row-major; width: n. Memory O(n d); work O(n^2 d). Singletons 0 (Rousseeuw
 * 1987). */
Status silhouette(Arena *, const double *points, int n, int d, const int *label, int n_labels,
                  int threads, Tick, double *width);
/* sd / mean of each gene over the cells of each group (sd: denominator cells - 1). group[c] -1: not
 * used; size: cells per group; mean, cv: nrow x n_groups, cv NaN where the mean is 0 or the group
 * has one cell. */
void gene_cv(const Sparse *s, const int *group, int n_groups, const int *size, double *mean,
             double *cv);
/* Per cell: mean over the genes, and the root of the sum of squares about it; 0 for a cell that
 * does not vary. */
void cell_norms(const Sparse *x, double *mean, double *norm);
/* A list of pairs: cell[j] with each of cell[lo[j]..hi[j]-1], j rising below n. out: Pearson
 * correlations over the genes of all pairs, when m is their number, or else of one random pair of
 * each of m even stretches of the list. norm of the cells of pairs > 0. Memory: threads * genes. */
typedef struct { const int *cell, *lo, *hi; int n; } Pairs;
Status pair_correlations(Arena *, const Sparse *x, const double *mean, const double *norm,
                         const Pairs *p, uint64_t seed, int threads, Tick, double *out, size_t m);
/* Area under the ROC curve: P(score of a positive > that of a negative) + P(equal)/2; at least one
 * of each. */
Status roc_auc(Arena *, const double *score, const int *positive, size_t n, double *out);
/* Largest difference of two empirical distribution functions; n_x, n_y > 0. */
Status ks_statistic(Arena *, const double *x, size_t n_x, const double *y, size_t n_y, double *out);
/* Gini coefficient of each gene of by_gene (cells x genes, not negative), with `floor` > 0 added to
 * all values. */
Status gini(Arena *, const Sparse *by_gene, double floor, double *out);
/* Mean loss of non-negative counts under their means, both nrow x ncol, expected dense: 2
 * (log-likelihood of y under y - under the mean), Poisson or negative binomial of size theta[k %
 * n_theta]; or mean - y log(mean + eps), whose second part zeros have none of. */
typedef enum { COUNT_POISSON, COUNT_NB, COUNT_LOSS } CountLoss;
/* y log(y/mean) - d, where d = y - mean; nothing cancels */
double half_deviance(double y, double mean, double d);
double count_loss(const Sparse *observed, const double *expected, CountLoss kind,
                  const double *theta, size_t n_theta, double eps, Tick);

/* ---- false signal (metric_signal.c) ---- */
/* x: genes x cells, dense, column-major; rank: the same shape, within each gene; ties: midranks()
 * of each. */
Status gene_ranks(Arena *a, const double *x, int genes, int cells, Tick tick, double *rank,
                  double *ties);
/* Welch's t of each gene, cells with second[c] == 0 against the others: t, degrees of freedom, the
 * two means. NaN where a side has fewer than two cells or neither varies beyond rounding. x as in
 * gene_ranks(). */
void gene_welch(const double *x, int genes, int cells, const int *second, double *t, double *df,
                double *mean1, double *mean2);
/* Spearman's correlation of the non-zeros of each gene with after[k] of the same entries, among the
 * cells of each group (group[c] -1: not used). rho: genes x groups, NaN where fewer than `least`
 * entries or a constant gene, 0 where only `after` is constant; n: entries. by_gene: cells x
 * genes. */
Status rank_agreement(Arena *a, const Sparse *by_gene, const double *after, const int *group,
                      int n_groups, int least, double *rho, int *n);
/* Every gene's entries go to other cells, any set of cells as likely as another: i[k] is the cell
 * of entry k, not sorted. */
Status shuffle_genes(Arena *a, const Sparse *by_gene, uint64_t seed, int *i);

#endif
