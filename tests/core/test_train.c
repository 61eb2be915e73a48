/* The training loop with a network whose losses are written down: when it stops, what it keeps,
 * which cells it shows. */
#include "train_script.h"

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
    CHECK(n_progress == 6 && last_progress.iteration == 6 && last_progress.max_iter == 10
          && last_progress.best == 3);
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
    CHECK(train_it(&t, q, &f) == ST_OK && f.h->n_iter == 4 && f.h->best_iter == 3
          && f.h->stopped == STOPPED_VALID);
    TELLS(q, "FUFUFUF");

    Script *r = new_script(7);
    t.patience = 3; t.max_iter = 5;
    r->valid = ups;
    CHECK(train_it(&t, r, &f) == ST_OK && f.h->n_iter == 5 && f.h->best_iter == 3
          && f.h->stopped == STOPPED_MAX);
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
    TELLS(s, "FuFuFuFu");  /* the last step is made, nothing is kept */
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
    CHECK(train_it(&t, s, &f) == ST_OK && f.h->n_iter == 40 && f.h->best_iter == 40
          && f.h->stopped == STOPPED_WINDOW);
    CHECK(s->n_log == 80 && s->log[79].what == 'u' && !s->log[79].flag);
    r->train = falls;  /* 20 iterations take off 1 - 0.99^20 = 0.182 */
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
        for (int k = 0; k < 20; k++) {
            now += late[want - 1 - k] / 20;
            before += late[want - 21 - k] / 20;
        }
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
    CHECK(train_it(&t, s, &f) == ST_OK && f.h->n_iter == 4 && f.h->best_iter == 3
          && f.h->stopped == STOPPED_PAUSE);
    TELLS(s, "FUFUFUFu");
    f.h->done = 4;  /* and on: iteration 5 is the next, the best is remembered */
    f.pause_at = 0;
    s->n_log = 0;
    CHECK(train_it(&t, s, &f) == ST_OK && f.h->n_iter == 6 && f.h->best_iter == 3
          && f.h->stopped == STOPPED_VALID);
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
        for (int j = 0; j < e->n; j++) {
            orders[n_orders][at + j] = e->cells[j];
            count[e->cells[j]]++;
        }
        at += e->n;
        if (at < 10) continue;
        for (int c = 0; c < 10; c++) CHECK(count[c] == 1);
        n_orders++;
        at = 0;
    }
    CHECK(n_orders == (stop == STOP_VALIDATION ? 6 : 3) && at == 0);
    int per = n_orders / 3;
    CHECK(memcmp(orders[0], orders[per], sizeof *orders)
          && memcmp(orders[per], orders[2 * per], sizeof *orders));
    int want[10];
    /* a function of the iteration: a resumed fit meets the same */
    rng_permute(f.seed, RNG_ORDER, 2, want, 10);
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

int main(void)
{
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
