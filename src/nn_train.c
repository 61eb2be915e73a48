/* The one training loop: order of cells, batches, history, stop rules, best weights kept. What is trained is the
 * model's business (Network in nn.h).
 *
 *   validation  stop when the held-out loss has not improved for `patience` iterations; the best weights are kept
 *   paper       stop when |SSE_k - SSE_(k-1)| / cells <= threshold, with SSE_0 = 0; the last step is kept
 *   window      stop when the mean SSE of the last 20 iterations is less than `threshold` (relative) below that of the 20 before
 */
#include <math.h>
#include "nn.h"

enum { WINDOW = 20 };

static double mean_of(const double *x, int n)
{
    double s = 0;
    for (int k = 0; k < n; k++) s += x[k];
    return s / n;
}

/* Does the rule want the training to end with iteration `it` (counted from 1), its loss being in the history? */
static int ends(const Train *t, const Fit *f, int it, int n_cells, Stopped *why)
{
    if (t->stop == STOP_VALIDATION && it - f->best_iter >= t->patience) *why = STOPPED_VALID;
    else if (t->stop == STOP_PAPER && fabs(f->train[it - 1] - (it > 1 ? f->train[it - 2] : 0)) / n_cells <= t->threshold)
        *why = STOPPED_PAPER;
    else if (t->stop == STOP_WINDOW && it >= 2 * WINDOW) {
        double now = mean_of(f->train + it - WINDOW, WINDOW), before = mean_of(f->train + it - 2 * WINDOW, WINDOW);
        if (before - now >= t->threshold * before) return 0;
        *why = STOPPED_WINDOW;
    } else return 0;
    return 1;
}

Status nn_train(Arena *a, const Train *t, const Network *net, int n_cells, Fit *f)
{
    int *order = ARENA(a, int, n_cells);
    if (a->failed) return ST_NOMEM;
    int batch = t->batch_size && t->batch_size < n_cells ? t->batch_size : n_cells, whole = batch == n_cells;
    for (int c = 0; c < n_cells; c++) order[c] = c;
    f->best_iter = 0;
    for (int k = 0; k < f->done; k++)
        if (!f->best_iter || f->valid[k] < f->valid[f->best_iter - 1]) f->best_iter = k + 1;
    f->n_iter = f->done;
    f->stopped = STOPPED_MAX;
    for (int it = f->done + 1; it <= t->max_iter; it++) {
        Losses sum = { 0, 0, 0 };
        Status st = ST_OK;
        if (!whole) rng_permute(f->seed, RNG_ORDER, (uint64_t) it, order, n_cells);
        for (int c = 0; c < n_cells && !st; c += batch) {
            st = net->forward(net->self, order + c, c + batch < n_cells ? batch : n_cells - c, 1, &sum);
            if (!st && !whole) net->update(net->self, 0);
        }
        if (!st && !whole && t->stop == STOP_VALIDATION) {     /* the held-out loss of one set of weights, not of many */
            Losses after = { 0, 0, 0 };
            for (int c = 0; c < n_cells && !st; c += batch)
                st = net->forward(net->self, order + c, c + batch < n_cells ? batch : n_cells - c, 0, &after);
            sum.valid = after.valid;
        }
        if (st) return st;
        if (!isfinite(sum.train + sum.penalty) || !isfinite(sum.valid)) return ST_DIVERGED;
        f->train[it - 1] = sum.train; f->valid[it - 1] = sum.valid; f->penalty[it - 1] = sum.penalty;
        f->n_iter = it;
        int best = t->stop == STOP_VALIDATION && (!f->best_iter || sum.valid < f->valid[f->best_iter - 1]);
        if (best || t->stop != STOP_VALIDATION) f->best_iter = it;
        int end = ends(t, f, it, n_cells, &f->stopped);
        if (whole && !(end && t->stop == STOP_VALIDATION)) net->update(net->self, best);
        else if (!whole && best) net->keep(net->self);
        Progress now = { it, t->max_iter, f->best_iter, sum.train, sum.valid };
        f->tick.call(f->tick.ctx, &now);
        if (end) break;
        if (f->pause_at && it >= f->pause_at) { f->stopped = STOPPED_PAUSE; break; }
    }
    return ST_OK;
}
