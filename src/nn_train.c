/* The one training loop: cells held out, order of cells, batches, history, stop rules, best weights
 * kept, and which thread trains which network. What is trained is the model's business (Network in
 * nn.h).
 *
 *   validation  stop when the held-out loss has not improved for `patience` iterations; the best
 *               weights are kept
 *   paper       stop when |SSE_k - SSE_(k-1)| / cells <= threshold, with SSE_0 = 0; the last step
 *               is kept
 *   window      stop when the mean SSE of the last 20 iterations is less than `threshold`
 *               (relative) below that of the 20 before
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

/* Does the rule want the training to end with iteration `it` (counted from 1), its loss being in
 * the history? */
static int ends(const Train *t, const History *h, int it, int n_cells, Stopped *why)
{
    if (t->stop == STOP_VALIDATION && it - h->best_iter >= t->patience) *why = STOPPED_VALID;
    else if (t->stop == STOP_PAPER
             && fabs(h->train[it - 1] - (it > 1 ? h->train[it - 2] : 0)) / n_cells <= t->threshold)
        *why = STOPPED_PAPER;
    else if (t->stop == STOP_WINDOW && it >= 2 * WINDOW) {
        double now = mean_of(h->train + it - WINDOW, WINDOW),
               before = mean_of(h->train + it - 2 * WINDOW, WINDOW);
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
static void pass_one(const Active *a, int k, int thread, int team, const int *cells, int n,
                     int batch, int learn, int update)
{
    const Network *net = a->crew->nets + a->who[k];
    if (net->team) net->team(net->self, thread, team);
    Status st = ST_OK;
    for (int c = 0; c < n && !st; c += batch) {
        st = net->forward(net->self, cells + c, c + batch < n ? batch : n - c, learn,
                          a->sum + a->who[k]);
        if (!st && update) net->update(net->self, 0);
    }
    a->st[a->who[k]] = st;
}

/* All of them: one for each thread at a time; the last few, too few for all threads, by all threads
 * together. */
static Status pass(const Active *a, const int *cells, int n, int batch, int learn, int update)
{
    int alone = a->threads > 1 ? a->n / a->threads * a->threads : 0;
    if (alone) {
        PARALLEL_FOR(a->threads)
        for (int t = 0; t < a->threads; t++)
            for (int k = t; k < alone; k += a->threads)
                pass_one(a, k, t, 1, cells, n, batch, learn, update);
    }
    for (int k = alone; k < a->n; k++)
        pass_one(a, k, 0, a->threads, cells, n, batch, learn, update);
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

/* ---- the loop ---- */

typedef struct {
    const Train *t;
    const Crew *crew;
    Fit *f;
    Active now;
    int *cells, *order, *best;      /* cells: n to learn from, then those held out */
    Losses *after;
    /* whole: one batch of all cells, and its step comes after the losses */
    int n, batch, whole, chunk;
} Run;

static Run run_of(Arena *a, const Train *t, const Crew *crew, Fit *f)
{
    int nets = crew->n_nets, n = crew->n_cells - crew->held_cells;
    Run r = { .t = t, .crew = crew, .f = f, .n = n };
    r.order = ARENA(a, int, n);
    r.cells = ARENA(a, int, crew->n_cells);
    r.best = ARENA(a, int, nets);
    r.after = ARENA(a, Losses, nets);
    r.now = (Active) { crew,       ARENA(a, int, nets),    0,
                      f->threads, ARENA(a, Losses, nets), ARENA(a, Status, nets) };
    r.batch = t->batch_size && t->batch_size < n ? t->batch_size : n;
    r.whole = r.batch == n && !crew->held_cells && !crew->full_batches;
    r.chunk = crew->between_ticks ? crew->between_ticks : 1 + 127 / nets;
    return r;
}

static void hold_out(Run *r)
{
    int all = r->crew->n_cells;
    uint64_t left = (uint64_t) r->crew->held_cells;
    for (int c = 0, l = 0, v = r->n; c < all; c++)
        r->cells[rng_choose(r->f->seed, RNG_HOLD_OUT, (uint64_t) c, (uint64_t) all, &left)
                     ? v++
                     : l++] = c;
}

/* Where each network stands; those that have not ended go on. Returns how many iterations they have
 * behind them: all equally many. */
static int pick_up(Run *r)
{
    int done = 0;
    for (int k = 0; k < r->crew->n_nets; k++) {
        History *h = r->f->h + k;
        h->best_iter = 0;
        for (int i = 1; i <= h->done; i++) if (better(r->crew, r->f->h, k, i)) h->best_iter = i;
        h->n_iter = h->done;
        if (h->done && h->stopped != STOPPED_PAUSE && h->stopped != STOPPED_MAX) continue;
        h->stopped = STOPPED_MAX;
        r->now.who[r->now.n++] = k;
        done = h->done;
    }
    return done;
}

/* One pass over the cells, with a step behind each batch (but for `whole`). */
static Status learn(Run *r, int it)
{
    int n = r->n;
    size_t all = r->crew->full_batches ? (size_t) (n / r->batch) * (size_t) r->batch : (size_t) n;
    size_t step = (size_t) r->batch * (size_t) r->chunk;
    Status st = ST_OK;
    for (int k = 0; k < r->crew->n_nets; k++) r->now.sum[k] = (Losses) { 0 };
    for (int c = 0; c < n; c++) r->order[c] = c;
    if (!r->whole) rng_permute(r->f->seed, RNG_ORDER, (uint64_t) it, r->order, n);
    for (int c = 0; c < n; c++) r->order[c] = r->cells[r->order[c]];
    for (size_t c = 0; c < all && !st; c += step) {
        st = pass(&r->now, r->order + c, (int) (c + step < all ? step : all - c), r->batch, 1,
                  !r->whole);
        if (c + step < all) tick_idle(r->f->tick);
    }
    return st;
}

/* The held-out loss of one set of weights, where that of the batches was one of many. */
static Status validate(Run *r)
{
    int held = r->crew->held_cells;
    Active check = r->now;
    if (r->whole || r->t->stop != STOP_VALIDATION) return ST_OK;
    check.sum = r->after;
    for (int k = 0; k < r->crew->n_nets; k++) r->after[k] = (Losses) { 0 };
    Status st = pass(&check, held ? r->cells + r->n : r->order, held ? held : r->n, r->batch, 0, 0);
    for (int k = 0; k < r->crew->n_nets; k++) r->now.sum[k].valid = r->after[k].valid;
    return st;
}

static int all_finite(const Active *a)
{
    for (int k = 0; k < a->n; k++) {
        const Losses *s = a->sum + a->who[k];
        if (!isfinite(s->train + s->penalty) || !isfinite(s->valid)) return 0;
    }
    return 1;
}

/* The step that `whole` has left to be made, best weights kept, and who goes on. */
static void advance(Run *r, int it)
{
    int going = 0, validates = r->t->stop == STOP_VALIDATION;
    for (int k = 0; k < r->now.n; k++) {
        const Network *net = r->crew->nets + r->now.who[k];
        History *h = r->f->h + r->now.who[k];
        int end = ends(r->t, h, it, r->n, &h->stopped);
        if (r->whole && !(end && validates)) net->update(net->self, r->best[k]);
        else if (!r->whole && r->best[k] && r->crew->keep_best) net->keep(net->self);
        if (!end) r->now.who[going++] = r->now.who[k];
    }
    r->now.n = going;
}

static int pauses(const Run *r, int it)
{
    int now = r->now.n && r->f->pause_at && it >= r->f->pause_at;
    for (int k = 0; k < r->now.n && now; k++) r->f->h[r->now.who[k]].stopped = STOPPED_PAUSE;
    return now;
}

Status nn_train(Arena *a, const Train *t, const Crew *crew, Fit *f)
{
    Run r = run_of(a, t, crew, f);
    if (a->failed) return ST_NOMEM;
    hold_out(&r);
    for (int it = pick_up(&r) + 1; it <= t->max_iter && r.now.n; it++) {
        Status st = learn(&r, it);
        if (!st) st = validate(&r);
        if (!st && !all_finite(&r.now)) st = ST_DIVERGED;
        if (st) return st;
        record(t, &r.now, f->h, it, r.best);
        Progress say = standing(t, f->h, crew->n_nets, it);
        advance(&r, it);
        f->tick.call(f->tick.ctx, &say);
        if (pauses(&r, it)) break;
    }
    for (int k = 0; k < crew->n_nets && !crew->keep_best; k++) f->h[k].best_iter = f->h[k].n_iter;
    return ST_OK;
}
