/* prior.h: what the quick models of counts share (SVD, nearest cells): cells of raw counts on the
 * scale log(1 + count / size), size = total / usual, their scores, and who is near to whom. */
#ifndef INFILL_PRIOR_H
#define INFILL_PRIOR_H
#include "core.h"

double cell_total(const Sparse *x, int cell);
/* log(1 + count / size) of a cell's entries. */
void cell_logs(const Sparse *x, int cell, double usual, double *to);
/* Scores of n cells from `first` on, dims x n: turn' of their logarithms; turn: genes x dims by
 * rows. */
void cell_scores(const Sparse *x, int first, int n, double usual, const double *turn, int dims,
                 int threads, double *to);
/* genes x dims by columns, as R has it, by rows. */
void by_rows(const double *columns, size_t genes, size_t dims, double *rows);

/* ---- nearest cells (core_near.c) ---- */
typedef struct {
    int cells, dims;
    const double *scores;                /* dims x cells */
    const double *totals;                /* cells without counts are nobody's neighbour */
} Places;
/* near: k for each of n cells with these scores (dims x n), the nearest first and of equally far
 * ones the earlier; -1 where there are not so many. self[c]: 1 + the place that cell c is itself,
 * which is not its neighbour, or 0. Euclidean distance, exact in double. */
Status near_find(Arena *, const Places *, const double *scores, const int *self, int n, int k,
                 int threads, Tick, int *near);
#endif
