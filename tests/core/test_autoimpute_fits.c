/* AutoImpute: what must not change a bit (threads, blocks, a pause), thin matrices, and what a fit
 * does with its options. */
#include "autoimpute_plain.h"

static void same_fit(const Fit *a, const Fit *b, size_t n)
{
    CHECK(a->h->n_iter == b->h->n_iter && a->h->best_iter == b->h->best_iter
          && a->h->stopped == b->h->stopped);
    SAME_BITS(a->h->train, b->h->train, a->h->n_iter);
    SAME_BITS(a->h->valid, b->h->valid, a->h->n_iter);
    SAME_BITS(a->h->penalty, b->h->penalty, a->h->n_iter);
    SAME_BITS(a->weights, b->weights, n);
    SAME_BITS(a->state, b->state, 2 * n);
}

static void bits_with(Setup s, Sparse x, int iterations)
{
    static const int blocks_of[] = { 1, 7, 0, 40, 1000 }, threads[] = { 1, 2, 4 };
    size_t n = model_weights(s.m, s.params, x.nrow, NULL), all = (size_t) x.nrow * (size_t) x.ncol;
    set(&s, "max.iter", iterations);
    Fit first = fitted(&s, x);
    double *out = predicted(&s, x, first, 1);
    for (int b = 0; b < 5; b++)
        for (int t = 0; t < 3; t++) {
            set(&s, "block.cells", blocks_of[b]);
            Fit f = new_fit(&s, x);
            f.threads = threads[t];
            CHECK(go(&s, &f) == ST_OK);
            same_fit(&f, &first, n);
            double *p = predicted(&s, x, f, threads[t]);
            SAME_BITS(p, out, all);
        }
}

static void threads_and_blocks(void)
{
    static const char *const stops[] = { "validation", "paper" }, *const ways[] = { "sparse",
                                                                                    "dense" };
    Sparse x = sparse_of(random_matrix(50, 40, 0.3), 50, 40),
           few = sparse_of(random_matrix(3, 40, 0.5), 3, 40);
    for (int st = 0; st < 2; st++)
        for (int batch = 0; batch < 10; batch += 9)
            for (int way = 0; way < 2; way++) {
                Setup s = autoimpute(130, 4);
                set_word(&s, "stop", stops[st]);
                set_word(&s, "arithmetic", ways[way]);
                set(&s, "batch.size", batch);
                bits_with(s, x, 4);
                set(&s, "hidden", 5);
                bits_with(s, few, 3);
                clear();
                x = sparse_of(random_matrix(50, 40, 0.3), 50, 40);
                few = sparse_of(random_matrix(3, 40, 0.5), 3, 40);
            }
}

/* cells one at a time are predicted with the bits of all at once */
static void cell_by_cell(void)
{
    Sparse x = sparse_of(random_matrix(30, 12, 0.4), 30, 12);
    Setup s = autoimpute(70, 3);
    Fit f = fitted(&s, x);
    double *all = predicted(&s, x, f, 1);
    for (int c = 0; c < 12; c++) {
        int p[2] = { 0, x.p[c + 1] - x.p[c] };
        Sparse one = { 30, 1, p, x.i + x.p[c], x.x + x.p[c] };
        double *y = predicted(&s, one, f, 2);
        SAME_BITS(y, all + 30 * c, 30);
    }
}

static void shuffle(int *order, int n)
{
    for (int k = 0; k < n; k++) order[k] = k;
    for (int k = n - 1; k > 0; k--) {
        int j = below(k + 1), t = order[k];
        order[k] = order[j];
        order[j] = t;
    }
}

static void permuted_cells(void)
{
    enum { G = 20, M = 15 };
    double *x = random_matrix(G, M, 0.4), *y = NEW(double, G * M), *back = NEW(double, G * M);
    int order[M];
    shuffle(order, M);
    for (int c = 0; c < M; c++) memcpy(y + c * G, x + order[c] * G, G * sizeof *y);
    Setup s = autoimpute(11, 10);
    set_word(&s, "stop", "paper");
    Sparse a = sparse_of(x, G, M), b = sparse_of(y, G, M);
    Fit f = fitted(&s, a), g = fitted(&s, b);
    WITHIN(apart(g.h->train, f.h->train, 10), TOL(1e-10, 1e-4));
    WITHIN(apart(g.h->penalty, f.h->penalty, 10), TOL(1e-10, 1e-4));
    double *p = predicted(&s, a, f, 1), *q = predicted(&s, b, g, 1);
    for (int c = 0; c < M; c++) memcpy(back + order[c] * G, q + c * G, G * sizeof *y);
    WITHIN(apart(back, p, G * M), TOL(1e-10, 1e-4));
}

/* genes with their rows of E, columns of D and b_d; hidden units with theirs: several steps from
 * given weights */
static void permuted_weights(void)
{
    enum { G = 20, M = 15, H = 70, N = 2 * G * H + H + G };
    double *x = random_matrix(G, M, 0.4), *y = NEW(double, G *M), *w = random_weights(G, H),
           *v = NEW(double, N);
    int gene[G], unit[H], same_units[H];
    for (int k = 0; k < H; k++) same_units[k] = k;
    shuffle(gene, G);
    shuffle(unit, H);
    for (int c = 0; c < M; c++) for (int g = 0; g < G; g++) y[c * G + g] = x[c * G + gene[g]];
    for (int which = 0; which < 2; which++) {            /* genes, then genes and units */
        const int *u = which ? unit : same_units;
        for (int k = 0; k < H; k++) {
            for (int g = 0; g < G; g++) {
                v[g + k * G] = w[gene[g] + u[k] * G];
                v[G * H + k + g * H] = w[G * H + u[k] + gene[g] * H];
            }
            v[2 * G * H + k] = w[2 * G * H + u[k]];
        }
        for (int g = 0; g < G; g++) v[2 * G * H + H + g] = w[2 * G * H + H + gene[g]];
        Setup s = autoimpute(H, 2);
        Sparse a = sparse_of(x, G, M), b = sparse_of(y, G, M);
        Step f = step_from(s, a, w, NULL), g = step_from(s, b, v, NULL);
        for (int it = 0; it < 4; it++) {
            NEAR(g.train, f.train, TOL(1e-10, 1e-4));
            NEAR(g.loss, f.loss, TOL(1e-10, 1e-4));
            f = step_from(s, a, f.w, f.s);
            g = step_from(s, b, g.w, g.s);
        }
        double *p = predicted(&s, a, known(f.w, NULL), 1),
               *q = predicted(&s, b, known(g.w, NULL), 1),
               *back = NEW(double, G *M);
        for (int c = 0; c < M; c++)
            for (int k = 0; k < G; k++) back[c * G + gene[k]] = q[c * G + k];
        WITHIN(apart(back, p, G * M), TOL(1e-10, 1e-4));
    }
}

static void fits_what_it_is_given(void)
{
    enum { G = 20, M = 6, ITERATIONS = 4000 };
    Setup s = autoimpute(4 * M, ITERATIONS);
    set(&s, "lambda", 0);
    set(&s, "learning.rate", 1e-3);
    set_word(&s, "stop", "paper");
    Fit f = fitted(&s, sparse_of(random_matrix(G, M, 1), G, M));
    WITHIN(f.h->train[f.h->n_iter - 1] / f.h->train[0], 0.01);
}

static void nothing_to_fit(void)
{
    enum { G = 6, M = 5 };
    static const char *const stops[] = { "validation", "paper", "window" }, *const ways[] = {
        "sparse", "dense"
    };
    double *x = NEW(double, G * M);
    for (int st = 0; st < 3; st++)
        for (int way = 0; way < 2; way++)
            for (int decay = 0; decay < 2; decay++) {
                Setup s = autoimpute(4, 6);
                size_t n = model_weights(s.m, s.params, G, NULL);
                set_word(&s, "stop", stops[st]);
                set_word(&s, "arithmetic", ways[way]);
                set(&s, "lambda", decay);
                Fit f = fitted(&s, sparse_of(x, G, M));
                CHECK(f.h->n_iter == (st == 1 ? 1 : 6) && f.h->train[0] == 0 && f.h->valid[0] == 0);
                CHECK(decay ? f.h->penalty[0] > 0 : f.h->penalty[0] == 0);
                if (decay && f.h->n_iter > 1) CHECK(f.h->penalty[5] < f.h->penalty[0]);
                CHECK(all_finite(f.weights, n) && all_finite(f.state, 2 * n));
                CHECK(all_finite(predicted(&s, f.x, f, 2), G * M));
            }
}

/* A gene without entries: its decoder only decays, its intercept stays. A cell without entries; one
 * cell; one gene. */
static void thin_matrices(void)
{
    enum { G = 8, M = 6, H = 5 };
    static const char *const ways[] = { "sparse", "dense" };
    for (int way = 0; way < 2; way++) {
        double *x = random_matrix(G, M, 0.7), *w = random_weights(G, H);
        for (int c = 0; c < M; c++) x[c * G + 3] = 0;
        for (int g = 0; g < G; g++) x[2 * G + g] = 0;
        Setup s = autoimpute(H, 10);
        set_word(&s, "arithmetic", ways[way]);
        Sparse m = sparse_of(x, G, M);
        Step one = step_from(s, m, w, NULL);
        CHECK(one.w[2 * G * H + H + 3] == w[2 * G * H + H + 3]);
        for (int k = 0; k < H; k++) {
            double d = w[G * H + k + 3 * H], e = w[3 + k * G];
            NEAR(one.w[G * H + k + 3 * H],
                 d - 0.01 * 0.4 * d / sqrt(0.9 + 0.1 * 0.16 * d * d + 1e-10), TOL(1e-14, 1e-6));
            NEAR(one.w[3 + k * G], e - 0.01 * 0.4 * e / sqrt(0.9 + 0.1 * 0.16 * e * e + 1e-10),
                 TOL(1e-14, 1e-6));
        }
        Fit f = fitted(&s, m);
        CHECK(all_finite(f.weights, model_weights(s.m, s.params, G, NULL))
              && all_finite(f.h->train, 10));
        CHECK(all_finite(predicted(&s, m, f, 1), G * M));
        for (int cells = 1; cells < 4; cells += 2) {
            int genes = cells == 1 ? G : 1;
            Fit g = fitted(&s, sparse_of(random_matrix(genes, cells, 1), genes, cells));
            CHECK(all_finite(g.weights, model_weights(s.m, s.params, genes, NULL))
                  && all_finite(g.h->train, 10) && g.h->train[9] < g.h->train[0]);
            CHECK(all_finite(predicted(&s, g.x, g, 4), (size_t) (genes * cells)));
        }
    }
}

static void resumed(void)
{
    static const char *const stops[] = { "validation", "paper" };
    Sparse x = sparse_of(random_matrix(30, 25, 0.4), 30, 25);
    for (int st = 0; st < 2; st++)
        for (int batch = 0; batch < 10; batch += 9)
            /* the best iteration before the pause, or behind it */
            for (int overfit = 0; overfit < 2; overfit++) {
                Setup s = autoimpute(70, 15);
                set_word(&s, "stop", stops[st]);
                set(&s, "batch.size", batch);
                set(&s, "learning.rate", overfit ? 0.2 : 0.01);
                set(&s, "lambda", overfit ? 0 : 0.4);
                size_t n = model_weights(s.m, s.params, 30, NULL);
                Fit straight = fitted(&s, x), f = new_fit(&s, x);
                f.pause_at = 7;
                CHECK(go(&s, &f) == ST_OK && f.h->n_iter == 7 && f.h->stopped == STOPPED_PAUSE);
                SAME_BITS(f.h->train, straight.h->train, 7);
                f.h->done = 7;
                f.pause_at = 0;
                f.threads = 2;
                CHECK(go(&s, &f) == ST_OK);
                same_fit(&f, &straight, n);
                double *a = predicted(&s, x, f, 1),
                       *b = predicted(&s, x, straight, 1);
                SAME_BITS(a, b, 750);
            }
}

/* The weights that are kept are those whose held-out loss was the smallest. */
static void best_kept(void)
{
    Sparse x = sparse_of(random_matrix(30, 25, 0.5), 30, 25);
    for (int batch = 0; batch < 10; batch += 9) {
        Setup s = autoimpute(40, 400);
        set(&s, "learning.rate", 0.03);
        set(&s, "lambda", 0);
        set(&s, "patience", 5);
        set(&s, "batch.size", batch);
        size_t n = model_weights(s.m, s.params, 30, NULL);
        Fit f = fitted(&s, x);
        CHECK(f.h->stopped == STOPPED_VALID && f.h->n_iter == f.h->best_iter + 5
              && f.h->best_iter > 1);
        for (int k = 0; k < f.h->n_iter; k++)
            CHECK(k + 1 < f.h->best_iter ? f.h->valid[k] > f.h->valid[f.h->best_iter - 1]
                                         : f.h->valid[k] >= f.h->valid[f.h->best_iter - 1]);
        set(&s, "max.iter", f.h->best_iter);
        Fit g = fitted(&s, x);
        SAME_BITS(f.weights, g.weights, n);
        CHECK(memcmp(f.weights, f.state, n * sizeof *f.state));
    }
}

static void biases(void)
{
    enum { G = 15, M = 12, H = 6 };
    static const char *const inits[] = { "scaled", "reference" };
    double *x = random_matrix(G, M, 0.5);
    for (int c = 0; c < M; c++) x[c * G + 4] = 0;
    Sparse m = sparse_of(x, G, M);
    size_t at = 2 * G * H;
    for (int k = 0; k < 4; k++) {
        Setup s = autoimpute(H, 8);
        set(&s, "bias", 0);
        set_word(&s, "init", inits[k & 1]);
        set_word(&s, "init.bias", k & 2 ? "mean" : "zero");
        set(&s, "batch.size", k & 2 ? 5 : 0);
        set(&s, "block.cells", k & 1 ? 2 : 0);
        Fit f = fitted(&s, m);
        for (size_t j = at; j < at + H + G; j++) CHECK(f.weights[j] == 0 && f.state[j] == 0);
    }
    for (int k = 0; k < 2; k++) {
        /* the first iteration is the best, its weights are the start */
        Setup s = autoimpute(H, 1);
        set_word(&s, "init", inits[k]);
        set_word(&s, "init.bias", "mean");
        set(&s, "valid.fraction", 0.2);
        Fit f = fitted(&s, m);
        uint64_t n = (uint64_t) m.p[M], left = (uint64_t) (0.2 * (double) n), held = left;
        double sum[G] = { 0 };
        int count[G] = { 0 };
        for (uint64_t e = 0; e < n; e++)
            if (!rng_choose(f.seed, RNG_HOLD_OUT, e, n, &left)) {
                sum[m.i[e]] += m.x[e];
                count[m.i[e]]++;
            }
        CHECK(held > 5);
        for (int g = 0; g < G; g++) {
            double start = k ? (double) (real) rng_normal(f.seed, RNG_INIT_4, (uint64_t) g) : 0;
            NEAR(f.weights[at + H + (size_t) g], count[g] ? sum[g] / count[g] : start,
                 TOL(1e-15, 1e-7));
        }
        for (size_t j = at; j < at + H; j++) CHECK(k ? f.weights[j] != 0 : f.weights[j] == 0);
    }
}

static void seeds(void)
{
    Sparse x = sparse_of(random_matrix(12, 9, 0.5), 12, 9);
    Setup s = autoimpute(5, 3);
    size_t n = model_weights(s.m, s.params, 12, NULL);
    Fit a = fitted(&s, x), b = fitted(&s, x), c = new_fit(&s, x), d = new_fit(&s, x);
    same_fit(&a, &b, n);
    c.seed = 18;
    d.seed = 17 + (1ull << 32);
    CHECK(go(&s, &c) == ST_OK && go(&s, &d) == ST_OK);
    CHECK(memcmp(a.weights, c.weights, n * sizeof *a.weights)
          && memcmp(a.weights, d.weights, n * sizeof *a.weights));
}

static void diverges(void)
{
    static const char *const ways[] = { "sparse", "dense" };
    for (int way = 0; way < 2; way++) {
        double *x = random_matrix(6, 5, 0.8);
        x[0] = 1e200;
        Setup s = autoimpute(4, 5);
        set_word(&s, "arithmetic", ways[way]);
        set_word(&s, "stop", "paper");
        Fit f = new_fit(&s, sparse_of(x, 6, 5));
        CHECK(go(&s, &f) == ST_DIVERGED && f.h->n_iter == 0);
    }
}

/* the tick is called for every block and every iteration */
static void ticks(void)
{
    Sparse x = sparse_of(random_matrix(6, 10, 0.8), 6, 10);
    Setup s = autoimpute(4, 5);
    set(&s, "block.cells", 3);
    n_ticks = 0;
    Fit f = fitted(&s, x);
    CHECK(n_ticks == 5 * (4 + 1));
    n_ticks = 0;
    predicted(&s, x, f, 1);
    CHECK(n_ticks == 4);
}

int main(void)
{
    RUN(threads_and_blocks);
    RUN(cell_by_cell);
    RUN(permuted_cells);
    RUN(permuted_weights);
    RUN(fits_what_it_is_given);
    RUN(nothing_to_fit);
    RUN(thin_matrices);
    RUN(resumed);
    RUN(best_kept);
    RUN(biases);
    RUN(seeds);
    RUN(diverges);
    RUN(ticks);
    return report("autoimpute_fits");
}
