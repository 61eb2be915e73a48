/* The training loop with a network whose losses are written down: when it stops, what it keeps, which cells it
 * shows. */
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

static Event *note(Script *s, char what, int flag)
{
    if (s->n_log == MAX_EVENTS) exit(2);
    Event *e = s->log + s->n_log++;
    *e = (Event) { .what = what, .flag = flag };
    return e;
}

/* An iteration's losses are spread over its cells: the sums come out right only if every cell is shown once. Without
 * cells held out, the loss of the pass after the steps is told from that of the steps by 100. */
static Status forward(void *self, const int *cells, int n, int learn, Losses *sum)
{
    Script *s = self;
    Event *e = note(s, 'f', learn);
    e->n = n;
    for (int k = 0; k < n && k < 64; k++) e->cells[k] = cells[k];
    if (learn && !s->seen) s->it++;
    int it = s->it - 1, all = !s->held ? s->n_cells : learn ? s->n_cells - s->held : s->held;
    double share = (double) n / all;
    sum->train += (s->train ? s->train[it] : 1) * share;
    if (!learn || !s->held) sum->valid += (s->valid ? s->valid[it] : 1) * share + (learn || s->held ? 0 : 100 * share);
    sum->penalty += (s->penalty ? s->penalty[it] : 1) * share;
    int *count = learn ? &s->seen : &s->after;
    *count = (*count + n) % all;
    return s->fails;
}
static void update(void *self, int keep) { note(self, 'u', keep); }
static void keep_it(void *self) { note(self, 'k', 0); }

static Progress last_progress;
static int n_progress;
static void on_tick(void *ctx, const Progress *now) { (void) ctx; last_progress = *now; n_progress++; }

static Fit new_history(void)
{
    Fit f = { .seed = 5, .threads = 1, .tick = { on_tick, NULL }, .h = NEW(History, 1) };
    *f.h = (History) { .train = NEW(double, MAX_ITER), .valid = NEW(double, MAX_ITER), .penalty = NEW(double, MAX_ITER) };
    return f;
}
static Script *new_script(int n_cells)
{
    Script *s = NEW(Script, 1);
    s->n_cells = n_cells;
    s->log = NEW(Event, MAX_EVENTS);
    return s;
}
static Status train_it(const Train *t, Script *s, Fit *f)
{
    Arena a = new_arena();
    Network net = { s, forward, update, keep_it, NULL };
    Crew crew = { .nets = &net, .n_nets = 1, .n_cells = s->n_cells, .keep_best = 1 };
    n_progress = 0;
    return nn_train(&a, t, &crew, f);
}
/* the events without their cells, as a word: f F (learn), u U (keep), k */
static const char *story(const Script *s)
{
    char *out = NEW(char, s->n_log + 1);
    for (int k = 0; k < s->n_log; k++) out[k] = (char) (s->log[k].flag ? s->log[k].what - 32 : s->log[k].what);
    return out;
}
#define TELLS(script, word) check_(!strcmp(story(script), word), __FILE__, __LINE__, story(script))

static const double ups[] = { 5, 4, 3, 3.5, 3.2, 3.0, 2, 1, 0.5, 0.25 };

static void validation(void)
{
    Train t = { .max_iter = 10, .patience = 3, .stop = STOP_VALIDATION };
    Script *s = new_script(7);
    Fit f = new_history();
    s->valid = ups;
    s->train = (const double[]) { 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 };
    s->penalty = (const double[]) { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };
    CHECK(train_it(&t, s, &f) == ST_OK);
    /* an equal loss is no improvement; the iteration that ends it makes no step */
    CHECK(f.h->n_iter == 6 && f.h->best_iter == 3 && f.h->stopped == STOPPED_VALID);
    TELLS(s, "FUFUFUFuFuF");
    SAME_BITS(f.h->valid, ups, 6);
    SAME_BITS(f.h->train, s->train, 6);
    SAME_BITS(f.h->penalty, s->penalty, 6);
    CHECK(n_progress == 6 && last_progress.iteration == 6 && last_progress.max_iter == 10 && last_progress.best == 3);
    CHECK(last_progress.train == 4 && last_progress.valid == 3);
    for (int k = 0; k < 7; k++) CHECK(s->log[0].cells[k] == k);

    Script *p = new_script(7);
    t.patience = 4;                                      /* one more, and the new best is found */
    p->valid = ups;
    CHECK(train_it(&t, p, &f) == ST_OK);
    CHECK(f.h->n_iter == 10 && f.h->best_iter == 10 && f.h->stopped == STOPPED_MAX);
    TELLS(p, "FUFUFUFuFuFuFUFUFUFU");

    Script *q = new_script(7);
    t.patience = 1;
    q->valid = ups;
    CHECK(train_it(&t, q, &f) == ST_OK && f.h->n_iter == 4 && f.h->best_iter == 3 && f.h->stopped == STOPPED_VALID);
    TELLS(q, "FUFUFUF");

    Script *r = new_script(7);
    t.patience = 3; t.max_iter = 5;
    r->valid = ups;
    CHECK(train_it(&t, r, &f) == ST_OK && f.h->n_iter == 5 && f.h->best_iter == 3 && f.h->stopped == STOPPED_MAX);
}

static void paper(void)
{
    Train t = { .max_iter = 10, .patience = 1, .stop = STOP_PAPER, .threshold = 0.5 };
    Script *s = new_script(10);
    Fit f = new_history();
    /* rising by the threshold is a stop too */
    s->train = (const double[]) { 100, 50, 44, 49, 49, 49, 49, 49, 49, 49 };
    s->valid = ups;
    CHECK(train_it(&t, s, &f) == ST_OK);
    CHECK(f.h->n_iter == 4 && f.h->best_iter == 4 && f.h->stopped == STOPPED_PAPER);
    TELLS(s, "FuFuFuFu");                                /* the last step is made, nothing is kept */
    Script *first = new_script(10);
    first->train = (const double[]) { 5 };               /* the loss before the first is 0 */
    CHECK(train_it(&t, first, &f) == ST_OK && f.h->n_iter == 1 && f.h->stopped == STOPPED_PAPER);
    TELLS(first, "Fu");
    Script *above = new_script(10);
    above->train = (const double[]) { 5.001, 5.001 };
    CHECK(train_it(&t, above, &f) == ST_OK && f.h->n_iter == 2 && f.h->stopped == STOPPED_PAPER);
}

static void window(void)
{
    double falls[MAX_ITER], flat[MAX_ITER], late[MAX_ITER];
    for (int k = 0; k < MAX_ITER; k++) {
        falls[k] = 100 * pow(0.99, k);
        flat[k] = 7;
        late[k] = k < 45 ? falls[k] : falls[44];
    }
    Train t = { .max_iter = 60, .patience = 1, .stop = STOP_WINDOW, .threshold = 0.1 };
    Fit f = new_history();
    Script *s = new_script(10), *r = new_script(10), *q = new_script(10), *l = new_script(10);
    s->train = flat;
    CHECK(train_it(&t, s, &f) == ST_OK && f.h->n_iter == 40 && f.h->best_iter == 40 && f.h->stopped == STOPPED_WINDOW);
    CHECK(s->n_log == 80 && s->log[79].what == 'u' && !s->log[79].flag);
    r->train = falls;                                    /* 20 iterations take off 1 - 0.99^20 = 0.182 */
    CHECK(train_it(&t, r, &f) == ST_OK && f.h->n_iter == 60 && f.h->stopped == STOPPED_MAX);
    q->train = falls;
    t.threshold = 0.2;
    CHECK(train_it(&t, q, &f) == ST_OK && f.h->n_iter == 40 && f.h->stopped == STOPPED_WINDOW);
    l->train = late;
    t.threshold = 0.15;
    CHECK(train_it(&t, l, &f) == ST_OK && f.h->stopped == STOPPED_WINDOW);
    int want = 40;                                       /* the rule, literally */
    for (; want < 60; want++) {
        double now = 0, before = 0;
        for (int k = 0; k < 20; k++) { now += late[want - 1 - k] / 20; before += late[want - 21 - k] / 20; }
        if ((before - now) / before < 0.15) break;
    }
    CHECK(f.h->n_iter == want && want > 40 && want < 60);
}

static void pause(void)
{
    Train t = { .max_iter = 10, .patience = 3, .stop = STOP_VALIDATION };
    Script *s = new_script(7);
    Fit f = new_history();
    s->valid = ups;
    f.pause_at = 4;
    CHECK(train_it(&t, s, &f) == ST_OK && f.h->n_iter == 4 && f.h->best_iter == 3 && f.h->stopped == STOPPED_PAUSE);
    TELLS(s, "FUFUFUFu");
    f.h->done = 4;                                          /* and on: iteration 5 is the next, the best is remembered */
    f.pause_at = 0;
    s->n_log = 0;
    CHECK(train_it(&t, s, &f) == ST_OK && f.h->n_iter == 6 && f.h->best_iter == 3 && f.h->stopped == STOPPED_VALID);
    TELLS(s, "FuF");
    CHECK(f.h->valid[3] == 3.5 && f.h->valid[4] == 3.2);
    Script *r = new_script(7);
    r->valid = ups;
    f.h->done = 0;
    f.pause_at = 6;                                      /* the rule comes first */
    CHECK(train_it(&t, r, &f) == ST_OK && f.h->n_iter == 6 && f.h->stopped == STOPPED_VALID);
}

static void batches(int stop)
{
    Train t = { .max_iter = 3, .batch_size = 4, .patience = 5, .stop = stop, .threshold = 0 };
    Script *s = new_script(10);
    Fit f = new_history();
    s->train = (const double[]) { 30, 20, 10 };
    s->valid = (const double[]) { 3, 4, 2 };
    s->penalty = (const double[]) { 1, 2, 3 };
    CHECK(train_it(&t, s, &f) == ST_OK && f.h->n_iter == 3);
    TELLS(s, stop == STOP_VALIDATION ? "FuFuFufffkFuFuFufffFuFuFufffk" : "FuFuFuFuFuFuFuFuFu");
    CHECK(f.h->best_iter == 3);
    for (int k = 0; k < 3; k++) {
        NEAR(f.h->train[k], s->train[k], 1e-15);
        NEAR(f.h->penalty[k], s->penalty[k], 1e-15);
        /* of the pass after the steps */
        NEAR(f.h->valid[k], s->valid[k] + (stop == STOP_VALIDATION ? 100 : 0), 1e-14);
    }
    int count[10], orders[6][10], n_orders = 0, at = 0;
    for (int k = 0; k < s->n_log; k++) {
        const Event *e = s->log + k;
        if (e->what != 'f') continue;
        if (!at) memset(count, 0, sizeof count);
        CHECK(e->n == (at < 8 ? 4 : 2));
        for (int j = 0; j < e->n; j++) { orders[n_orders][at + j] = e->cells[j]; count[e->cells[j]]++; }
        at += e->n;
        if (at < 10) continue;
        for (int c = 0; c < 10; c++) CHECK(count[c] == 1);
        n_orders++;
        at = 0;
    }
    CHECK(n_orders == (stop == STOP_VALIDATION ? 6 : 3) && at == 0);
    int per = n_orders / 3;
    CHECK(memcmp(orders[0], orders[per], sizeof *orders) && memcmp(orders[per], orders[2 * per], sizeof *orders));
    int want[10];
    rng_permute(f.seed, RNG_ORDER, 2, want, 10);         /* a function of the iteration: a resumed fit meets the same */
    SAME_BITS(orders[per], want, 10);
}
static void batches_validation(void) { batches(STOP_VALIDATION); }
static void batches_paper(void) { batches(STOP_PAPER); }

static void whole_batches(void)
{
    for (int size = 0; size < 30; size += 10) {          /* 0, as many as there are, more */
        Train t = { .max_iter = 2, .batch_size = size, .patience = 5, .stop = STOP_VALIDATION };
        Script *s = new_script(10);
        Fit f = new_history();
        CHECK(train_it(&t, s, &f) == ST_OK);
        TELLS(s, "FUFu");
        for (int k = 0; k < 10; k++) CHECK(s->log[0].cells[k] == k);
    }
}

static void trouble(void)
{
    const double bad[] = { NAN, INFINITY, -INFINITY }, falls[] = { 9, 7, 5, 3, 1 };
    for (int stop = 0; stop < 3; stop++)
        for (int which = 0; which < 3; which++)
            for (int b = 0; b < 3; b++) {
                Train t = { .max_iter = 5, .patience = 5, .stop = stop, .threshold = 0 };
                double history[5] = { 9, 8, bad[b], 6, 5 };
                Script *s = new_script(10);
                Fit f = new_history();
                s->train = falls;
                *(which == 0 ? &s->train : which == 1 ? &s->valid : &s->penalty) = history;
                CHECK(train_it(&t, s, &f) == ST_DIVERGED && f.h->n_iter == 2);
                CHECK(s->log[s->n_log - 1].what == 'f');     /* no step on such a loss */
            }
    Train t = { .max_iter = 5, .patience = 5, .stop = STOP_VALIDATION };
    Script *s = new_script(10);
    Fit f = new_history();
    s->fails = ST_NOMEM;
    CHECK(train_it(&t, s, &f) == ST_NOMEM && s->n_log == 1);
    t.batch_size = 3;
    s->n_log = 0;
    CHECK(train_it(&t, s, &f) == ST_NOMEM && s->n_log == 1);
    Grabs none = { 0, 1 };
    Arena a = failing_arena(&none);
    Network net = { s, forward, update, keep_it, NULL };
    Crew crew = { .nets = &net, .n_nets = 1, .n_cells = 10, .keep_best = 1 };
    CHECK(nn_train(&a, &t, &crew, &f) == ST_NOMEM);
}

/* ---- several networks, cells held out ---- */
static void team(void *self, int thread, int n) { note(self, 't', thread)->n = n; }

static Fit new_histories(int n)
{
    Fit f = new_history();
    f.h = NEW(History, n);
    for (int k = 0; k < n; k++) f.h[k] = *new_history().h;
    return f;
}
static Script *new_held(int n_cells, int held, const double *valid)
{
    Script *s = new_script(n_cells);
    s->held = held;
    s->valid = valid;
    return s;
}
static Status train_crew(const Train *t, Script **s, int n, int joint, int best, int teams, Fit *f)
{
    Arena a = new_arena();
    Network nets[4];
    for (int k = 0; k < n; k++) nets[k] = (Network) { s[k], forward, update, keep_it, teams ? team : NULL };
    Crew crew = { .nets = nets, .n_nets = n, .n_cells = s[0]->n_cells, .held_cells = s[0]->held, .joint = joint, .keep_best = best };
    n_progress = 0;
    return nn_train(&a, t, &crew, f);
}

static void held_cells(void)
{
    Train t = { .valid_fraction = 0.05 };
    static const int cells[] = { 0, 1, 2, 19, 20, 39, 40, 68, 1000 }, want[] = { 0, 0, 1, 1, 1, 1, 2, 3, 50 };
    for (int k = 0; k < 9; k++) CHECK(nn_held_cells(&t, cells[k]) == want[k]);
    t.valid_fraction = 0.5;
    CHECK(nn_held_cells(&t, 3) == 1 && nn_held_cells(&t, 9) == 4);

    static const double valid[] = { 5, 4, 4, 4, 4, 4, 4, 1, 1, 1 };
    for (int best = 0; best < 2; best++) {
        Train v = { .max_iter = 10, .batch_size = best ? 0 : 200, .patience = 5, .stop = STOP_VALIDATION };
        Script *s = new_held(68, 3, valid);
        Fit f = new_histories(1);
        CHECK(train_crew(&v, &s, 1, 0, best, 0, &f) == ST_OK);
        CHECK(f.h->n_iter == 7 && f.h->best_iter == (best ? 2 : 7) && f.h->stopped == STOPPED_VALID);
        TELLS(s, best ? "FufkFufkFufFufFufFufFuf" : "FufFufFufFufFufFufFuf");       /* the last step is made */
        SAME_BITS(f.h->valid, valid, 7);
        CHECK(last_progress.iteration == 7 && last_progress.best == 2 && last_progress.valid == 4);
    }
    Train b = { .max_iter = 3, .batch_size = 64, .patience = 5, .stop = STOP_VALIDATION };
    Script *s = new_held(68, 3, NULL);
    Fit f = new_histories(1);
    CHECK(train_crew(&b, &s, 1, 0, 0, 0, &f) == ST_OK);
    TELLS(s, "FuFufFuFufFuFuf");
    int is_held[68], orders[3][65];
    uint64_t left = 3;
    for (int c = 0; c < 68; c++) is_held[c] = rng_choose(f.seed, RNG_HOLD_OUT, (uint64_t) c, 68, &left);
    for (int it = 0; it < 3; it++) {
        const Event *e = s->log + 5 * it, *one = e + 2, *after = e + 4;
        int count[68] = { 0 };
        CHECK(e->n == 64 && one->n == 1 && after->n == 3);
        memcpy(orders[it], e->cells, 64 * sizeof(int));
        orders[it][64] = one->cells[0];
        for (int k = 0; k < 65; k++) count[orders[it][k]]++;
        for (int c = 0; c < 68; c++) CHECK(count[c] == !is_held[c]);
        for (int k = 0; k < 3; k++) CHECK(is_held[after->cells[k]] && (!k || after->cells[k] > after->cells[k - 1]));
        CHECK(!it || memcmp(orders[it], orders[it - 1], sizeof *orders));
        NEAR(f.h->train[it], 1, 1e-15);
        NEAR(f.h->valid[it], 1, 1e-15);
    }
}

/* Each ends by its own loss, or all by the sum; a pause in between changes nothing. */
static void several(void)
{
    static const double va[] = { 9, 8, 7, 6, 6, 6, 6, 6, 6, 6, 6, 6 }, vb[] = { 5, 4, 6, 6.5, 7, 7, 3, 7, 7, 7, 7, 7 },
        vc[] = { 3, 3, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3 };
    static const int n_iter[] = { 7, 5, 6 }, best_iter[] = { 4, 2, 3 };
    Train t = { .max_iter = 12, .batch_size = 4, .patience = 3, .stop = STOP_VALIDATION };
    for (int pause_at = 0; pause_at < 9; pause_at++)
        for (int joint = 0; joint < 2; joint++)
            for (int best = 0; best < 2; best++) {
                Script *s[3] = { new_held(12, 2, va), new_held(12, 2, vb), new_held(12, 2, vc) };
                Fit f = new_histories(3);
                f.pause_at = pause_at;
                CHECK(train_crew(&t, s, 3, joint, best, 0, &f) == ST_OK);
                if (pause_at) {
                    for (int k = 0; k < 3; k++) {
                        /* sums 17, 15, 15, 15.5, 16, 16, 12 (never: patience 3) */
                        int end = joint ? 5 : n_iter[k];
                        CHECK(f.h[k].n_iter == (end < pause_at ? end : pause_at));
                        CHECK(f.h[k].stopped == (end <= pause_at ? STOPPED_VALID : STOPPED_PAUSE));
                        f.h[k].done = f.h[k].n_iter;
                    }
                    f.pause_at = 0;
                    CHECK(train_crew(&t, s, 3, joint, best, 0, &f) == ST_OK);
                }
                for (int k = 0; k < 3; k++) {
                    int end = joint ? 5 : n_iter[k], top = joint ? 2 : best_iter[k], steps = 0, keeps = 0, passes = 0;
                    for (int j = 0; j < s[k]->n_log; j++) {
                        const Event *e = s[k]->log + j;
                        steps += e->what == 'u'; keeps += e->what == 'k'; passes += e->what == 'f' && !e->flag;
                    }
                    CHECK(f.h[k].n_iter == end && f.h[k].best_iter == (best ? top : end) && f.h[k].stopped == STOPPED_VALID);
                    CHECK(steps == 3 * end && passes == end && keeps == (!best ? 0 : joint ? 2 : k == 2 ? 2 : top));
                    SAME_BITS(f.h[k].valid, s[k]->valid, end);
                }
            }
    /* the sum falls although no single loss does for long */
    static const double up[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 },
        down[] = { 30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8 };
    Script *s[2] = { new_held(12, 2, up), new_held(12, 2, down) };
    Fit f = new_histories(2);
    CHECK(train_crew(&t, s, 2, 1, 1, 0, &f) == ST_OK);
    for (int k = 0; k < 2; k++) CHECK(f.h[k].n_iter == 12 && f.h[k].best_iter == 12 && f.h[k].stopped == STOPPED_MAX);
    CHECK(last_progress.iteration == 12 && last_progress.best == 12 && last_progress.valid == 10 && last_progress.train == 1);
}

/* Networks go to one thread each while there are enough of them, the rest to all threads; all see the same cells. */
static void teams(void)
{
    static const double ends[] = { 1, 2, 2, 2 };
    Train t = { .max_iter = 4, .batch_size = 3, .patience = 2, .stop = STOP_VALIDATION };
    for (int threads = 1; threads <= 3; threads++) {
        Script *s[3] = { new_held(12, 2, ups), new_held(12, 2, ends), new_held(12, 2, ups) };
        Fit f = new_histories(3);
        f.threads = threads;
        CHECK(train_crew(&t, s, 3, 0, 0, 1, &f) == ST_OK);
        CHECK(f.h[0].n_iter == 4 && f.h[1].n_iter == 3 && f.h[2].n_iter == 4);
        for (int k = 0; k < 3; k++) {
            int it = 0;
            for (int j = 0; j < s[k]->n_log; j++) {
                const Event *e = s[k]->log + j;
                if (e->what == 'f' && e->flag && e[-1].what == 't') it++;
                if (e->what == 'f' && e->flag && k != 1) SAME_BITS(e->cells, s[2 - k]->log[j].cells, e->n);
                if (e->what == 'f' && e->flag && k == 1) SAME_BITS(e->cells, s[0]->log[j].cells, e->n);
                if (e->what != 't') continue;
                int now = s[k]->log[j + 1].flag ? it + 1 : it, going = now > 3 ? 2 : 3;
                int place = going == 2 ? k / 2 : k, alone = threads > 1 ? going / threads * threads : 0;
                CHECK(e->n == (place < alone ? 1 : threads) && e->flag == (place < alone ? place % threads : 0));
            }
        }
    }
}

static void crew_trouble(void)
{
    Train t = { .max_iter = 3, .batch_size = 3, .patience = 5, .stop = STOP_VALIDATION };
    static const double bad[] = { 1, NAN, 1 };
    for (int threads = 1; threads <= 2; threads++)
        for (int k = 0; k < 3; k++) {
            Script *s[3] = { new_held(12, 2, NULL), new_held(12, 2, NULL), new_held(12, 2, NULL) };
            Fit f = new_histories(3);
            f.threads = threads;
            s[k]->valid = bad;
            CHECK(train_crew(&t, s, 3, 0, 0, 0, &f) == ST_DIVERGED && f.h[0].n_iter == 1 && f.h[k].n_iter == 1);
            s[k]->valid = NULL;
            s[k]->fails = ST_NOMEM;
            CHECK(train_crew(&t, s, 3, 0, 0, 0, &f) == ST_NOMEM);
        }
    Script *s[3] = { new_held(12, 2, NULL), new_held(12, 2, NULL), new_held(12, 2, NULL) };
    Network nets[3];
    for (int k = 0; k < 3; k++) nets[k] = (Network) { s[k], forward, update, keep_it, team };
    Crew crew = { .nets = nets, .n_nets = 3, .n_cells = 12, .held_cells = 2, .keep_best = 1 };
    for (int k = 1; k < 8; k++) {
        Grabs g = { 0, k };
        Arena a = failing_arena(&g);
        Fit f = new_histories(3);
        CHECK(nn_train(&a, &t, &crew, &f) == ST_NOMEM);
    }
}

int main(void)
{
    RUN(held_cells);
    RUN(several);
    RUN(teams);
    RUN(crew_trouble);
    RUN(validation);
    RUN(paper);
    RUN(window);
    RUN(pause);
    RUN(batches_validation);
    RUN(batches_paper);
    RUN(whole_batches);
    RUN(trouble);
    return report("train");
}
