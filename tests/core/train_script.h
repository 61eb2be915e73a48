/* train_script.h: a network whose losses are written down. */
#ifndef INFILL_TRAIN_SCRIPT_H
#define INFILL_TRAIN_SCRIPT_H
#include "check.h"

enum { MAX_ITER = 64, MAX_EVENTS = 4000 };
/* 'f'orward (flag: learn), 'u'pdate (flag: keep), 'k'eep, 't'eam (flag: thread) */
typedef struct { char what; int n, flag, cells[64]; } Event;
typedef struct {
    const double *train, *valid, *penalty;                          /* by iteration; NULL: 1 */
    int n_cells, held, it, seen, after;                             /* cells shown in this pass */
    Event *log;
    int n_log;
    Status fails;
} Script;

static inline Event *note(Script *s, char what, int flag)
{
    if (s->n_log == MAX_EVENTS) exit(2);
    Event *e = s->log + s->n_log++;
    *e = (Event) { .what = what, .flag = flag };
    return e;
}

/* An iteration's losses are spread over its cells: the sums come out right only if every cell is
 * shown once. Without cells held out, the loss of the pass after the steps is told from that of the
 * steps by 100. */
static inline Status forward(void *self, const int *cells, int n, int learn, Losses *sum)
{
    Script *s = self;
    Event *e = note(s, 'f', learn);
    e->n = n;
    for (int k = 0; k < n && k < 64; k++) e->cells[k] = cells[k];
    if (learn && !s->seen) s->it++;
    int it = s->it - 1, all = !s->held ? s->n_cells : learn ? s->n_cells - s->held : s->held;
    double share = (double) n / all;
    sum->train += (s->train ? s->train[it] : 1) * share;
    if (!learn || !s->held)
        sum->valid += (s->valid ? s->valid[it] : 1) * share + (learn || s->held ? 0 : 100 * share);
    sum->penalty += (s->penalty ? s->penalty[it] : 1) * share;
    int *count = learn ? &s->seen : &s->after;
    *count = (*count + n) % all;
    return s->fails;
}
static inline void update(void *self, int keep) { note(self, 'u', keep); }
static inline void keep_it(void *self) { note(self, 'k', 0); }

static Progress last_progress;
static int n_progress;
static inline void on_tick(void *ctx, const Progress *now)
{
    (void) ctx;
    last_progress = *now;
    n_progress++;
}

static inline Fit new_history(void)
{
    Fit f = { .seed = 5, .threads = 1, .tick = { on_tick, NULL }, .h = NEW(History, 1) };
    *f.h = (History) { .train = NEW(double, MAX_ITER), .valid = NEW(double, MAX_ITER),
                       .penalty = NEW(double, MAX_ITER) };
    return f;
}
static inline Script *new_script(int n_cells)
{
    Script *s = NEW(Script, 1);
    s->n_cells = n_cells;
    s->log = NEW(Event, MAX_EVENTS);
    return s;
}
static inline Status train_it(const Train *t, Script *s, Fit *f)
{
    Arena a = new_arena();
    Network net = { s, forward, update, keep_it, NULL };
    Crew crew = { .nets = &net, .n_nets = 1, .n_cells = s->n_cells, .keep_best = 1 };
    n_progress = 0;
    return nn_train(&a, t, &crew, f);
}
/* the events without their cells, as a word: f F (learn), u U (keep), k */
static inline const char *story(const Script *s)
{
    char *out = NEW(char, s->n_log + 1);
    for (int k = 0; k < s->n_log; k++)
        out[k] = (char) (s->log[k].flag ? s->log[k].what - 32 : s->log[k].what);
    return out;
}
#define TELLS(script, word) check_(!strcmp(story(script), word), __FILE__, __LINE__, story(script))

static const double ups[] = { 5, 4, 3, 3.5, 3.2, 3.0, 2, 1, 0.5, 0.25 };
#endif
