/* DeepImpute: whole fits against a plain implementation, and what must not change a bit: threads,
 * a pause, the other networks. */
#include "deepimpute_plain.h"

/* ---- whole fits ---- */
typedef struct {
    const char *output, *weights;
    int hidden, nets, batch, joint, best;
    double zero, rho, lr;
    int patience;
} Case;

static Setup setup_of(const Case *c, const int *plan, int epochs)
{
    Setup s = deepimpute(plan, epochs);
    set_word(&s, "output", c->output);
    set_word(&s, "loss.weights", c->weights);
    set(&s, "batch.size", c->batch);
    set(&s, "joint", c->joint);
    set(&s, "best", c->best);
    set(&s, "zero.weight", c->zero);
    set(&s, "dropout", c->rho);
    set(&s, "learning.rate", c->lr);
    set(&s, "patience", c->patience);
    set(&s, "valid.fraction", 0.2);
    return s;
}

static void against_loops(const Case *c, int epochs)
{
    const double tol = TOL(1e-9, 1e-4);
    const int *plan = random_plan(c->nets, c->hidden, GENES, 7, 6);
    double *x = random_matrix(GENES, CELLS, 0.4), largest = 0, before = 0;
    Setup s = setup_of(c, plan, epochs);
    Fit f = new_fit(&s, sparse_of(x, GENES, CELLS));
    int learn[CELLS], held[CELLS], order[CELLS], n = 0, n_held = 0, n_nets = c->nets,
                                                 going = n_nets;
    for (int k = 0; k < CELLS; k++)
        if (held_out(f.seed, k, CELLS, CELLS / 5)) held[n_held++] = k;
        else learn[n++] = k;
    for (int k = 0; k < GENES * CELLS; k++) largest = fmax(largest, x[k]);
    CHECK(n_held == 8);
    Plain *net = NEW(Plain, n_nets);
    History *h = NEW(History, n_nets);
    double **best = NEW(double *, n_nets);
    for (int k = 0; k < n_nets; k++) {
        net[k] = plain_of(plan, k, x, GENES);
        net[k].output = c->output;
        net[k].value = *c->weights == 'v';
        net[k].rho = c->rho;
        net[k].zero = c->zero;
        plain_start(net + k);
        best[k] = NEW(double, net[k].n);
        h[k] = (History) { .train = NEW(double, epochs),
                          .valid = NEW(double, epochs),
                          .stopped = STOPPED_MAX };
    }
    int size = c->batch ? c->batch : n, batches = (n + size - 1) / size;
    for (int it = 1; it <= epochs && going; it++) {
        double sum = 0;
        rng_permute(f.seed, RNG_ORDER, (uint64_t) it, order, n);
        for (int k = 0; k < n; k++) order[k] = learn[order[k]];
        for (int k = 0; k < n_nets; k++) {
            if (h[k].stopped != STOPPED_MAX) continue;
            h[k].n_iter = it;
            for (int b = 0; b < batches; b++)
                h[k].train[it - 1] += plain_batch(net + k, order + b * size,
                                                  n - b * size < size ? n - b * size : size,
                                                  (it - 1) * batches + b + 1, c->lr)
                                      / n;
            sum += h[k].valid[it - 1] = plain_batch(net + k, held, n_held, 0, 0) / n_held;
        }
        for (int k = 0; k < n_nets; k++) {
            if (h[k].stopped != STOPPED_MAX) continue;
            int at = h[k].best_iter;
            if (!at || (c->joint ? sum < before : h[k].valid[it - 1] < h[k].valid[at - 1])) {
                h[k].best_iter = it;
                memcpy(best[k], net[k].w, net[k].n * sizeof *best[k]);
            }
            if (it - h[k].best_iter >= c->patience) { h[k].stopped = STOPPED_VALID; going--; }
        }
        if (it == 1 || sum < before) before = sum;
    }
    CHECK(go(&s, &f) == ST_OK);
    size_t total = weights_of(&s, GENES), at = 0;
    int ended = 0;
    for (int k = 0; k < n_nets; k++) {
        const Plain *o = net + k;
        CHECK(f.h[k].n_iter == h[k].n_iter && f.h[k].stopped == h[k].stopped);
        CHECK(f.h[k].best_iter == (c->best ? h[k].best_iter : h[k].n_iter));
        WITHIN(apart(f.h[k].train, h[k].train, (size_t) h[k].n_iter), tol);
        WITHIN(apart(f.h[k].valid, h[k].valid, (size_t) h[k].n_iter), tol);
        for (int i = 0; i < h[k].n_iter; i++) CHECK(f.h[k].penalty[i] == 0);
        WITHIN(apart(f.state + at, o->w, o->n), tol);
        WITHIN(apart(f.state + total + at, o->m, o->n), tol);
        WITHIN(apart(f.state + 2 * total + at, o->v, o->n), tol);
        const double *w = c->best ? best[k] : o->w;
        WITHIN(apart(f.weights + at, w, o->n), tol);
        ended += h[k].stopped == STOPPED_VALID;
        /* Pearson's r and the squared error of the held-out values above 0 */
        double *y = NEW(double, o->S *CELLS), *e = NEW(double, o->S *CELLS), *z = NEW(double, o->S);
        size_t m = 0;
        for (int j = 0; j < n_held; j++) {
            plain_cell(o, w, (size_t) held[j], 0, 1, 0, z, NULL);
            for (size_t g = 0; g < o->S; g++) {
                y[m] = x[held[j] * GENES + o->out[g]];
                e[m] = z[g];
                m += y[m] > 0;
            }
        }
        Recovery r;
        Arena room = new_arena();
        CHECK(recovery_by_group(&room, y, e, NULL, m, 1, &r) == ST_OK);
        NEAR(f.h[k].mse, r.rmse * r.rmse, tol);
        NEAR(f.h[k].pearson, r.pearson, tol);
        at += o->n;
    }
    CHECK(at == total && *f.extras == 2 * largest);
    CHECK(c->patience < epochs ? ended == n_nets : !ended);
    CHECK(c->patience > epochs || c->joint == (h[0].n_iter == h[1].n_iter));
}

static void loops(void)
{
    static const Case cases[] = {
        { "softplus", "value", 5, 1, 0, 0, 0, 0, 0, 1e-2, 50 },
        { "softplus", "value", 66, 3, 10, 0, 0, 0, 0.2, 1e-3, 50 },
        { "relu", "binary", 7, 2, 16, 0, 1, 0, 0.5, 1e-2, 50 },
        { "linear", "value", 9, 3, 9, 0, 0, 0.3, 0.2, 1e-2, 50 },
        { "linear", "binary", 128, 2, 0, 1, 1, 0.1, 0, 1e-3, 50 },
        { "softplus", "binary", 6, 3, 31, 1, 0, 1, 0.3, 1e-2, 50 },
        { "softplus", "value", 9005, 2, 10, 0, 0, 0, 0.2, 1e-2, 50 },
        { "relu", "binary", 70003066, 2, 0, 0, 1, 0.2, 0.3, 1e-3, 50 },
    };
    for (int k = 0; k < 8; k++) { against_loops(cases + k, 5); clear(); }
}

static void early_ends(void)
{
    static const Case cases[] = {
        { "softplus", "value", 20, 3, 8, 0, 0, 0, 0.2, 0.02, 3 },
        { "softplus", "binary", 20, 4, 8, 0, 1, 0, 0, 0.01, 4 },
        { "linear", "value", 20, 3, 8, 1, 1, 0.2, 0.2, 0.02, 2 },
        { "softplus", "value", 20, 2, 0, 1, 0, 0, 0, 0.1, 3 },
        { "softplus", "value", 8020, 3, 8, 0, 0, 0, 0.2, 0.02, 3 },
    };
    for (int k = 0; k < 5; k++) { against_loops(cases + k, MAX_EPOCHS); clear(); }
}

static void same_history(const History *a, const History *b)
{
    CHECK(a->n_iter == b->n_iter && a->best_iter == b->best_iter && a->stopped == b->stopped);
    SAME_BITS(a->train, b->train, a->n_iter);
    SAME_BITS(a->valid, b->valid, a->n_iter);
    SAME_BITS(&a->pearson, &b->pearson, 1);
    SAME_BITS(&a->mse, &b->mse, 1);
}
static void same_fit(const Setup *s, const Fit *a, const Fit *b)
{
    size_t n = weights_of(s, a->x.nrow);
    for (int k = 0; k < parts_of(s); k++) same_history(a->h + k, b->h + k);
    SAME_BITS(a->weights, b->weights, n);
    SAME_BITS(a->state, b->state, 3 * n);
}

static void threads(void)
{
    static const int nets[] = { 1, 2, 3, 5 };
    for (int k = 0; k < 8; k++) {
        Case c = { "softplus",
                   "value",
                   k == 6   ? 66070
                   : k == 4 ? 90030090
                            : 70,
                   nets[k % 4],
                   8,
                   0,
                   k % 2,
                   k / 4 * 0.2,
                   0.2,
                   0.02,
                   2 };
        Sparse x = sparse_of(random_matrix(GENES, CELLS, 0.4), GENES, CELLS);
        Setup s = setup_of(&c, random_plan(c.nets, c.hidden, GENES, 7, 6), 8);
        Fit first = fitted(&s, x);
        double *out = predicted(&s, x, first, 1);
        for (int t = 2; t <= 4; t++) {
            Fit f = new_fit(&s, x);
            f.threads = t;
            CHECK(go(&s, &f) == ST_OK);
            same_fit(&s, &f, &first);
            double *p = predicted(&s, x, f, t);
            SAME_BITS(p, out, GENES * CELLS);
        }
        clear();
    }
}

static Fit resumed(const Setup *s, Sparse x, int pause_at, int threads)
{
    Fit f = new_fit(s, x);
    f.pause_at = pause_at;
    f.threads = threads;
    CHECK(go(s, &f) == ST_OK);
    for (int k = 0; k < parts_of(s); k++) {
        f.h[k].done = f.h[k].n_iter;
        CHECK(f.h[k].stopped == STOPPED_PAUSE ? f.h[k].done == pause_at : f.h[k].done <= pause_at);
    }
    f.pause_at = 0;
    f.threads = 3 - threads;
    CHECK(go(s, &f) == ST_OK);
    return f;
}

static void pauses(void)
{
    int some_ended = 0;
    for (int k = 0; k < 8; k++) {
        Case c = { "softplus", "value", k == 5 ? 9020 : 20, 3, k & 2 ? 8 : 9, k / 4, k % 2, 0, 0.2,
                   0.03,       3 };
        Sparse x = sparse_of(random_matrix(GENES, CELLS, 0.4), GENES, CELLS);
        Setup s = setup_of(&c, random_plan(3, c.hidden, GENES, 7, 6), MAX_EPOCHS);
        Fit f = fitted(&s, x);
        for (int at = 1; at < MAX_EPOCHS; at += 3) {
            Fit g = resumed(&s, x, at, 1 + at % 2);
            same_fit(&s, &g, &f);
            int ended = 0, on = 0;
            for (int j = 0; j < 3; j++) { ended += f.h[j].n_iter <= at; on += f.h[j].n_iter > at; }
            some_ended += ended && on;
        }
        /* no more epochs than before, then more */
        Setup less = s;
        set(&less, "max.iter", 4);
        Fit g = fitted(&less, x), room = new_fit(&s, x);
        for (int j = 0; j < 3; j++) {
            room.h[j].done = g.h[j].n_iter;
            room.h[j].stopped = g.h[j].stopped;
            memcpy(room.h[j].train, g.h[j].train, 4 * sizeof(double));
            memcpy(room.h[j].valid, g.h[j].valid, 4 * sizeof(double));
        }
        room.weights = g.weights;
        room.state = g.state;
        CHECK(go(&s, &room) == ST_OK);
        same_fit(&s, &room, &f);
        clear();
    }
    CHECK(some_ended > 2);
}

/* the plan with the networks whose bit is set, in this order */
static int *some_of(const int *plan, unsigned bits)
{
    int *out = NEW(int, 2000), *to = out + 2 + plan[1];
    memcpy(out + 1, plan + 1, (size_t) (1 + plan[1]) * sizeof *out);
    for (int k = 0; k < plan[0]; k++) {
        const int *p = net_of(plan, k);
        if (!(bits >> k & 1)) continue;
        memcpy(to, p, (size_t) (3 + p[1] + p[2]) * sizeof *to);
        to += 3 + p[1] + p[2];
        out[0]++;
    }
    return out;
}

/* A network is what it is whatever the others are; and genes that no network uses change nothing
 * but the guard. */
static void by_themselves(void)
{
    Case c = { "softplus", "value", 20, 4, 8, 0, 0, 0, 0.2, 0.03, 3 };
    double *x = random_matrix(GENES, CELLS, 0.4), *wide = random_matrix(2 * GENES, CELLS, 0.4);
    int *plan = random_plan(4, 20, GENES, 7, 6), *spread = NEW(int, 200);
    Sparse m = sparse_of(x, GENES, CELLS);
    Setup s = setup_of(&c, plan, 12);
    Fit f = fitted(&s, m);
    for (unsigned bits = 1; bits < 16; bits += 3) {
        Setup part = s;
        plan_networks(&part, some_of(plan, bits));
        Fit g = fitted(&part, m);
        size_t at = 0, mine = 0, n = weights_of(&s, GENES), few = weights_of(&part, GENES);
        for (int k = 0, j = 0; k < 4; k++) {
            size_t size = plain_of(plan, k, x, GENES).n;
            if (bits >> k & 1) {
                same_history(g.h + j++, f.h + k);
                for (size_t i = 0; i < 3; i++)
                    SAME_BITS(g.state + i * few + mine, f.state + i * n + at, size);
                SAME_BITS(g.weights + mine, f.weights + at, size);
                mine += size;
            }
            at += size;
        }
        CHECK(mine == few);
    }
    for (int k = 0; k < GENES * CELLS; k++) wide[2 * k + 1] = x[k];
    memcpy(spread, plan, 3 * sizeof *plan);
    for (int k = 0, at = 3; k < 4; k++) {
        const int *p = net_of(plan, k);
        for (int j = 0; j < 3 + p[1] + p[2]; j++, at++) spread[at] = j < 3 ? p[j] : 2 * p[j] + 1;
    }
    plan_networks(&s, spread);
    Fit g = fitted(&s, sparse_of(wide, 2 * GENES, CELLS));
    SAME_BITS(g.weights, f.weights, weights_of(&s, GENES));
    for (int k = 0; k < 4; k++) same_history(g.h + k, f.h + k);
}

/* Cells in another order, with the split and the order of the batches permuted alike: the same
 * weights. The two fits have seeds of their own; cell k of one is put where the other holds it out,
 * or comes to it, at the same moment. */
static void permuted_cells(void)
{
    enum { LEARN = CELLS - 8, WEIGHTS = 7 * 20 + 20 + 20 * 6 + 6 };
    Case c = { "softplus", "value", 20, 1, 9, 0, 0, 0, 0, 0.02, 3 };
    const int *plan = random_plan(1, 20, GENES, 7, 6);
    double *x = random_matrix(GENES, CELLS, 0.4), *y = NEW(double, GENES *CELLS),
           *w = NEW(double, WEIGHTS);
    int at[2][CELLS], moved = 0;
    for (int k = 0; k < WEIGHTS; k++) w[k] = (double) (real) between(-0.5, 0.5);
    for (int s = 0; s < 2; s++) {  /* when each cell is met: the batches, then those held out */
        int order[LEARN], learn[LEARN], n = 0, held = LEARN;
        for (int k = 0; k < CELLS; k++)
            if (held_out((uint64_t) s + 5, k, CELLS, 8)) at[s][held++] = k;
            else learn[n++] = k;
        rng_permute((uint64_t) s + 5, RNG_ORDER, 2, order, n);
        for (int k = 0; k < n; k++) at[s][k] = learn[order[k]];
    }
    for (int k = 0; k < CELLS; k++) {
        memcpy(y + at[1][k] * GENES, x + at[0][k] * GENES, GENES * sizeof *y);
        moved += at[0][k] != at[1][k];
    }
    CHECK(moved > CELLS / 2);
    Setup s = setup_of(&c, plan, 2);
    Step one = step_from(s, sparse_of(x, GENES, CELLS), w, NULL, NULL, 5);
    Step two = step_from(s, sparse_of(y, GENES, CELLS), w, NULL, NULL, 6);
    SAME_BITS(one.w, two.w, WEIGHTS);
    SAME_BITS(one.m, two.m, WEIGHTS);
    CHECK(one.loss == two.loss);
    CHECK(step_from(s, sparse_of(x, GENES, CELLS), w, NULL, NULL, 6).loss != one.loss);
}

static void seeds(void)
{
    Sparse x = sparse_of(random_matrix(GENES, CELLS, 0.5), GENES, CELLS);
    int *plan = random_plan(1, 6, GENES, 5, 4), *other = some_of(plan, 1);
    Setup s = deepimpute(plan, 2);
    size_t n = weights_of(&s, GENES);
    Fit a = fitted(&s, x);
    for (int k = 0; k < 3; k++) {
        Setup t = s;
        if (k == 2) { other[2]++; plan_networks(&t, other); }      /* the id */
        Fit b = new_fit(&t, x);
        if (k < 2) b.seed = k ? 17 + (1ull << 32) : 18;
        CHECK(go(&t, &b) == ST_OK);
        for (size_t j = 0; j < n; j++)
            if (a.weights[j] == b.weights[j]) {
                CHECK(a.weights[j] == 0);
                break;
            }
    }
}

int main(void)
{
    RUN(loops);
    RUN(early_ends);
    RUN(threads);
    RUN(pauses);
    RUN(by_themselves);
    RUN(permuted_cells);
    RUN(seeds);
    return report("deepimpute_fits");
}
