/* The training loop with several networks, and cells held out. */
#include "train_script.h"

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
    for (int k = 0; k < n; k++)
        nets[k] = (Network) { s[k], forward, update, keep_it, teams ? team : NULL };
    Crew crew = { .nets = nets,
                  .n_nets = n,
                  .n_cells = s[0]->n_cells,
                  .held_cells = s[0]->held,
                  .joint = joint,
                  .keep_best = best };
    n_progress = 0;
    return nn_train(&a, t, &crew, f);
}

static void held_cells(void)
{
    Train t = { .valid_fraction = 0.05 };
    static const int cells[] = { 0, 1, 2, 19, 20, 39, 40, 68, 1000 },
                     want[] = { 0, 0, 1, 1, 1, 1, 2, 3, 50 };
    for (int k = 0; k < 9; k++) CHECK(nn_held_cells(&t, cells[k]) == want[k]);
    t.valid_fraction = 0.5;
    CHECK(nn_held_cells(&t, 3) == 1 && nn_held_cells(&t, 9) == 4);

    static const double valid[] = { 5, 4, 4, 4, 4, 4, 4, 1, 1, 1 };
    for (int best = 0; best < 2; best++) {
        Train v = {
            .max_iter = 10, .batch_size = best ? 0 : 200, .patience = 5, .stop = STOP_VALIDATION
        };
        Script *s = new_held(68, 3, valid);
        Fit f = new_histories(1);
        CHECK(train_crew(&v, &s, 1, 0, best, 0, &f) == ST_OK);
        CHECK(f.h->n_iter == 7 && f.h->best_iter == (best ? 2 : 7)
              && f.h->stopped == STOPPED_VALID);
        /* the last step is made */
        TELLS(s, best ? "FufkFufkFufFufFufFufFuf" : "FufFufFufFufFufFufFuf");
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
    for (int c = 0; c < 68; c++)
        is_held[c] = rng_choose(f.seed, RNG_HOLD_OUT, (uint64_t) c, 68, &left);
    for (int it = 0; it < 3; it++) {
        const Event *e = s->log + 5 * it, *one = e + 2, *after = e + 4;
        int count[68] = { 0 };
        CHECK(e->n == 64 && one->n == 1 && after->n == 3);
        memcpy(orders[it], e->cells, 64 * sizeof(int));
        orders[it][64] = one->cells[0];
        for (int k = 0; k < 65; k++) count[orders[it][k]]++;
        for (int c = 0; c < 68; c++) CHECK(count[c] == !is_held[c]);
        for (int k = 0; k < 3; k++)
            CHECK(is_held[after->cells[k]] && (!k || after->cells[k] > after->cells[k - 1]));
        CHECK(!it || memcmp(orders[it], orders[it - 1], sizeof *orders));
        NEAR(f.h->train[it], 1, 1e-15);
        NEAR(f.h->valid[it], 1, 1e-15);
    }
}

/* Each ends by its own loss, or all by the sum; a pause in between changes nothing. */
static void several(void)
{
    static const double va[] = { 9, 8, 7, 6, 6, 6, 6, 6, 6, 6, 6, 6 },
                        vb[] = { 5, 4, 6, 6.5, 7, 7, 3, 7, 7, 7, 7, 7 },
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
                    int end = joint ? 5 : n_iter[k], top = joint ? 2 : best_iter[k], steps = 0,
                        keeps = 0, passes = 0;
                    for (int j = 0; j < s[k]->n_log; j++) {
                        const Event *e = s[k]->log + j;
                        steps += e->what == 'u';
                        keeps += e->what == 'k';
                        passes += e->what == 'f' && !e->flag;
                    }
                    CHECK(f.h[k].n_iter == end && f.h[k].best_iter == (best ? top : end)
                          && f.h[k].stopped == STOPPED_VALID);
                    CHECK(steps == 3 * end && passes == end
                          && keeps
                                 == (!best    ? 0
                                     : joint  ? 2
                                     : k == 2 ? 2
                                              : top));
                    SAME_BITS(f.h[k].valid, s[k]->valid, end);
                }
            }
    /* the sum falls although no single loss does for long */
    static const double up[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 },
        down[] = { 30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8 };
    Script *s[2] = { new_held(12, 2, up), new_held(12, 2, down) };
    Fit f = new_histories(2);
    CHECK(train_crew(&t, s, 2, 1, 1, 0, &f) == ST_OK);
    for (int k = 0; k < 2; k++)
        CHECK(f.h[k].n_iter == 12 && f.h[k].best_iter == 12 && f.h[k].stopped == STOPPED_MAX);
    CHECK(last_progress.iteration == 12 && last_progress.best == 12 && last_progress.valid == 10
          && last_progress.train == 1);
}

/* Networks go to one thread each while there are enough of them, the rest to all threads; all see
 * the same cells. */
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
                if (e->what == 'f' && e->flag && k != 1)
                    SAME_BITS(e->cells, s[2 - k]->log[j].cells, e->n);
                if (e->what == 'f' && e->flag && k == 1)
                    SAME_BITS(e->cells, s[0]->log[j].cells, e->n);
                if (e->what != 't') continue;
                int now = s[k]->log[j + 1].flag ? it + 1 : it, going = now > 3 ? 2 : 3;
                int place = going == 2 ? k / 2 : k,
                    alone = threads > 1 ? going / threads * threads : 0;
                CHECK(e->n == (place < alone ? 1 : threads)
                      && e->flag == (place < alone ? place % threads : 0));
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
            CHECK(train_crew(&t, s, 3, 0, 0, 0, &f) == ST_DIVERGED && f.h[0].n_iter == 1
                  && f.h[k].n_iter == 1);
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
    return report("train_crew");
}
