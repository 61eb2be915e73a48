/* mf_task.h: a factorisation with given values. */
#ifndef INFILL_MF_TASK_H
#define INFILL_MF_TASK_H
#include "fitting.h"
#include "mf.h"

/* A task of N factors with these values (D1, ..., DN by rows, then Z by cells), on the entries of y
 * that are not 0. */
static inline Mf mf_of(const double *y, int genes, int cells, int N, const int *ranks,
                       const double *values, double w0, double lambda, MfStep step)
{
    Sparse *s = NEW(Sparse, 1);
    *s = sparse_of(y, genes, cells);
    Mf d = {
        .y = s, .N = N, .w0 = w0, .lambda = lambda, .step = step, .threads = 1, .tick = any_tick()
    };
    Arena a = new_arena();
    d.r[0] = genes;
    for (int k = 0; k < N; k++) d.r[k + 1] = ranks[k];
    mf_take(&a, &d);
    for (int k = 0; k < N; k++) for (int j = 0; j < d.r[k] * d.r[k + 1]; j++) d.F[k][j] = *values++;
    for (int c = 0; c < cells; c++) for (int q = 0; q < d.r[N]; q++) d.Z[c * d.R + q] = *values++;
    mf_measure(&d);
    return d;
}

static inline double objective(const Mf *d) { return mf_data(d) + mf_ridge(d); }

enum { GENES = 12, CELLS = 15 };

static const int ranks_of[3][3] = { { 4, 0, 0 }, { 5, 3, 0 }, { 6, 4, 2 } };
#endif
