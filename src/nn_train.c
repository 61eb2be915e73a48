/* The one training loop: cells held out, order of cells, batches, history, stop rules, best weights kept, and which
 * thread trains which network. What is trained is the model's business (Network in nn.h).
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
static int ends(const Train *t, const History *h, int it, int n_cells, Stopped *why)
{
    if (t->stop == STOP_VALIDATION && it - h->best_iter >= t->patience) *why = STOPPED_VALID;
    else if (t->stop == STOP_PAPER && fabs(h->train[it - 1] - (it > 1 ? h->train[it - 2] : 0)) / n_cells <= t->threshold)
        *why = STOPPED_PAPER;
    else if (t->stop == STOP_WINDOW && it >= 2 * WINDOW) {
        double now = mean_of(h->train + it - WINDOW, WINDOW), before = mean_of(h->train + it - 2 * WINDOW, WINDOW);
        if (before - now >= t->threshold * before) return 0;
        *why = STOPPED_WINDOW;
    } else return 0;
    return 1;
}

int nn_held_cells(const Train *t, int n_cells)
{
    int n = (int) (t->valid_fraction * n_cells);
    return n_cells < 2 ? 0 : n ? n : 1;
}

/* The networks still in training, and the sums of each over one pass. */
typedef struct { const Crew *crew; int *who, n, threads; Losses *sum; Status *st; } Active;

/* One network over these cells in batches, on `team` threads from `thread` on. */
static void pass_one(const Active *a, int k, int thread, int team, const int *cells, int n, int batch, int learn, int update)
{
    const Network *net = a->crew->nets + a->who[k];
    if (net->team) net->team(net->self, thread, team);
    Status st = ST_OK;
    for (int c = 0; c < n && !st; c += batch) {
        st = net->forward(net->self, cells + c, c + batch < n ? batch : n - c, learn, a->sum + a->who[k]);
        if (!st && update) net->update(net->self, 0);
    }
    a->st[a->who[k]] = st;
}

/* All of them: one for each thread at a time; the last few, too few for all threads, by all threads together. */
static Status pass(const Active *a, const int *cells, int n, int batch, int learn, int update)
{
    int alone = a->threads > 1 ? a->n / a->threads * a->threads : 0;
    if (alone) {
        PARALLEL_FOR(a->threads)
        for (int t = 0; t < a->threads; t++)
            for (int k = t; k < alone; k += a->threads) pass_one(a, k, t, 1, cells, n, batch, learn, update);
    }
    for (int k = alone; k < a->n; k++) pass_one(a, k, 0, a->threads, cells, n, batch, learn, update);
    for (int k = 0; k < a->n; k++) if (a->st[a->who[k]]) return a->st[a->who[k]];
    return ST_OK;
}

/* The held-out loss of iteration `it` that network k goes by: its own, or the sum over all. */
static double judged(const Crew *crew, const History *h, int k, int it)
{
    double sum = 0;
    if (!crew->joint) return h[k].valid[it - 1];
    for (int j = 0; j < crew->n_nets; j++) sum += h[j].valid[it - 1];
    return sum;
}

static int better(const Crew *crew, const History *h, int k, int it)
{
    return !h[k].best_iter || judged(crew, h, k, it) < judged(crew, h, k, h[k].best_iter);
}

/* The losses of iteration `it` into the histories; best[k]: is it the best so far? */
static void record(const Train *t, const Active *a, History *h, int it, int *best)
{
    for (int k = 0; k < a->n; k++) {
        History *p = h + a->who[k];
        const Losses *s = a->sum + a->who[k];
        p->train[it - 1] = s->train; p->valid[it - 1] = s->valid; p->penalty[it - 1] = s->penalty;
        for (int c = 0; c < CURVES && p->part; c++) p->part[(it - 1) * CURVES + c] = s->part[c];
        p->n_iter = it;
    }
    for (int k = 0; k < a->n; k++) {
        best[k] = t->stop == STOP_VALIDATION && better(a->crew, h, a->who[k], it);
        if (best[k] || t->stop != STOP_VALIDATION) h[a->who[k]].best_iter = it;
    }
}

/* Where the networks stand: the best iteration of any, the mean of their last losses. */
static Progress standing(const Train *t, const History *h, int n_nets, int it)
{
    Progress p = { it, t->max_iter, 0, 0, 0 };
    for (int k = 0; k < n_nets; k++, h++) {
        if (h->best_iter > p.best) p.best = h->best_iter;
        p.train += h->train[h->n_iter - 1] / n_nets;
        p.valid += h->valid[h->n_iter - 1] / n_nets;
    }
    return p;
}

Status nn_train(Arena *a, const Train *t, const Crew *crew, Fit *f)
{
    int n_nets = crew->n_nets, n_held = crew->held_cells, n = crew->n_cells - n_held;
    int *order = ARENA(a, int, n), *cells = ARENA(a, int, crew->n_cells), *best = ARENA(a, int, n_nets);
    Losses *after = ARENA(a, Losses, n_nets);
    Active now = { crew, ARENA(a, int, n_nets), 0, f->threads, ARENA(a, Losses, n_nets), ARENA(a, Status, n_nets) };
    if (a->failed) return ST_NOMEM;
    int batch = t->batch_size && t->batch_size < n ? t->batch_size : n, whole = batch == n && !n_held && !crew->full_batches;
    size_t learn = crew->full_batches ? (size_t) (n / batch) * (size_t) batch : (size_t) n;
    const int *held = cells + n;               /* cells: those to learn from, then those held out */
    uint64_t left = (uint64_t) n_held;
    for (int c = 0, l = 0, v = n; c < crew->n_cells; c++)
        cells[rng_choose(f->seed, RNG_HOLD_OUT, (uint64_t) c, (uint64_t) crew->n_cells, &left) ? v++ : l++] = c;
    int done = 0;
    for (int k = 0; k < n_nets; k++) {
        History *h = f->h + k;
        h->best_iter = 0;
        for (int i = 1; i <= h->done; i++) if (better(crew, f->h, k, i)) h->best_iter = i;
        h->n_iter = h->done;
        if (h->done && h->stopped != STOPPED_PAUSE && h->stopped != STOPPED_MAX) continue;
        h->stopped = STOPPED_MAX;
        now.who[now.n++] = k;
        done = h->done;                        /* those not yet ended have all gone equally far */
    }
    int chunk = crew->between_ticks ? crew->between_ticks : 1 + 127 / n_nets;
    for (int it = done + 1; it <= t->max_iter && now.n; it++) {
        Status st = ST_OK;
        for (int k = 0; k < n_nets; k++) now.sum[k] = (Losses) { 0 };
        for (int c = 0; c < n; c++) order[c] = c;
        if (!whole) rng_permute(f->seed, RNG_ORDER, (uint64_t) it, order, n);
        for (int c = 0; c < n; c++) order[c] = cells[order[c]];
        for (size_t c = 0, step = (size_t) batch * (size_t) chunk; c < learn && !st; c += step) {
            st = pass(&now, order + c, (int) (c + step < learn ? step : learn - c), batch, 1, !whole);
            if (c + step < learn) tick_idle(f->tick);
        }
        if (!st && !whole && t->stop == STOP_VALIDATION) {     /* the held-out loss of one set of weights, not of many */
            Active check = now;
            check.sum = after;
            for (int k = 0; k < n_nets; k++) after[k] = (Losses) { 0 };
            st = pass(&check, n_held ? held : order, n_held ? n_held : n, batch, 0, 0);
            for (int k = 0; k < n_nets; k++) now.sum[k].valid = after[k].valid;
        }
        if (st) return st;
        for (int k = 0; k < now.n; k++) {
            const Losses *s = now.sum + now.who[k];
            if (!isfinite(s->train + s->penalty) || !isfinite(s->valid)) return ST_DIVERGED;
        }
        record(t, &now, f->h, it, best);
        Progress say = standing(t, f->h, n_nets, it);
        int going = 0;
        for (int k = 0; k < now.n; k++) {
            const Network *net = crew->nets + now.who[k];
            History *h = f->h + now.who[k];
            int end = ends(t, h, it, n, &h->stopped);
            if (whole && !(end && t->stop == STOP_VALIDATION)) net->update(net->self, best[k]);
            else if (!whole && best[k] && crew->keep_best) net->keep(net->self);
            if (!end) now.who[going++] = now.who[k];
        }
        now.n = going;
        f->tick.call(f->tick.ctx, &say);
        if (now.n && f->pause_at && it >= f->pause_at) {
            for (int k = 0; k < now.n; k++) f->h[now.who[k]].stopped = STOPPED_PAUSE;
            break;
        }
    }
    if (!crew->keep_best) for (int k = 0; k < n_nets; k++) f->h[k].best_iter = f->h[k].n_iter;
    return ST_OK;
}
