/* AutoImpute: the worked numbers of its page, finite differences, a plain implementation with loops over everything,
 * and what must not change a bit: threads, blocks, a pause. */
#include "fitting.h"

/* ---- the model once more, in loops, in double, in the natural layout: E, D, b_e, b_d ---- */
typedef struct {
    size_t G, M, h;
    const double *x;                     /* genes x cells */
    char *role;                          /* of each entry: 0 not there, 1 seen, 2 held out */
    double lr, lambda;
    double *w, *s;                       /* weights, RMSProp's state */
} Plain;

static size_t n_weights(const Plain *p) { return 2 * p->G * p->h + p->h + p->G; }

static void plain_cell(const Plain *p, const double *w, size_t c, double *hidden, double *y)
{
    size_t G = p->G, h = p->h;
    for (size_t k = 0; k < h; k++) {
        double z = w[2 * G * h + k];
        for (size_t g = 0; g < G; g++) if (p->role[c * G + g] == 1) z += w[g + k * G] * p->x[c * G + g];
        hidden[k] = 1 / (1 + exp(-z));
    }
    for (size_t g = 0; g < G; g++) {
        y[g] = w[2 * G * h + h + g];
        for (size_t k = 0; k < h; k++) y[g] += w[G * h + k + g * h] * hidden[k];
    }
}

static double plain_loss(const Plain *p, const double *w, const int *cells, int n, char role)
{
    double *hidden = NEW(double, p->h), *y = NEW(double, p->G), sum = 0;
    for (int k = 0; k < n; k++) {
        size_t c = (size_t) cells[k];
        plain_cell(p, w, c, hidden, y);
        for (size_t g = 0; g < p->G; g++)
            if (p->role[c * p->G + g] == role) sum += (y[g] - p->x[c * p->G + g]) * (y[g] - p->x[c * p->G + g]);
    }
    return sum;
}

static double plain_penalty(const Plain *p, const double *w)
{
    double sum = 0;
    for (size_t k = 0; k < 2 * p->G * p->h; k++) sum += w[k] * w[k];
    return p->lambda / 2 * sum;
}

static void plain_gradient(const Plain *p, const int *cells, int n, double *grad)
{
    size_t G = p->G, h = p->h;
    double *hidden = NEW(double, h), *y = NEW(double, G);
    memset(grad, 0, n_weights(p) * sizeof *grad);
    for (int k = 0; k < n; k++) {
        size_t c = (size_t) cells[k];
        plain_cell(p, p->w, c, hidden, y);
        for (size_t g = 0; g < G; g++) y[g] = p->role[c * G + g] == 1 ? 2 * (y[g] - p->x[c * G + g]) : 0;
        for (size_t j = 0; j < h; j++) {
            double dp = 0;
            for (size_t g = 0; g < G; g++) {
                grad[G * h + j + g * h] += hidden[j] * y[g];
                dp += p->w[G * h + j + g * h] * y[g];
            }
            dp *= hidden[j] * (1 - hidden[j]);
            for (size_t g = 0; g < G; g++) if (p->role[c * G + g] == 1) grad[g + j * G] += p->x[c * G + g] * dp;
            grad[2 * G * h + j] += dp;
        }
        for (size_t g = 0; g < G; g++) grad[2 * G * h + h + g] += y[g];
    }
    for (size_t k = 0; k < 2 * G * h; k++) grad[k] += p->lambda * n / (double) p->M * p->w[k];
}

static void plain_step(Plain *p, const int *cells, int n)
{
    double *g = NEW(double, n_weights(p));
    plain_gradient(p, cells, n, g);
    for (size_t k = 0; k < n_weights(p); k++) {
        p->s[k] = 0.9 * p->s[k] + 0.1 * g[k] * g[k];
        p->w[k] -= p->lr * g[k] / sqrt(p->s[k] + 1e-10);
    }
}

/* ---- a fit from given weights: one iteration behind a history of one ---- */
typedef struct { double loss, train, *w, *s; } Step;

static Step step_from(Setup s, Sparse x, const double *w, const double *state)
{
    size_t n = model_weights(s.m, s.params, x.nrow, NULL);
    set(&s, "max.iter", 2);
    set_word(&s, "stop", "paper");
    Fit f = new_fit(&s, x);
    f.h->done = 1;
    f.h->train[0] = -1;
    memcpy(f.weights, w, n * sizeof *w);
    memcpy(f.state, w, n * sizeof *w);
    for (size_t k = 0; k < n; k++) f.state[n + k] = state ? state[k] : 1;
    CHECK(go(&s, &f) == ST_OK && f.h->n_iter == 2);
    SAME_BITS(f.weights, f.state, n);
    return (Step) { f.h->train[1] + f.h->penalty[1], f.h->train[1], f.state, f.state + n };
}

static double *random_weights(int genes, int hidden)
{
    size_t n = 2 * (size_t) genes * (size_t) hidden + (size_t) hidden + (size_t) genes;
    double *w = NEW(double, n);
    for (size_t k = 0; k < n; k++) w[k] = (double) (real) between(-0.5, 0.5);
    return w;
}

static void golden(void)
{
    static const double x[] = { 1, 0, 2, 3 }, start[] = { 0.5, -0.25, 1, -0.5, 0.1, 0.2, 0.3 };
    static const double want[3][7] = {
        { 0.404148053270, 0.312156294153, -1.22288887474, -3.71185511005, 0.0667626218856, -2.73545222971,
            -5.98661757892 },
        { 0.457780440891, -0.282727471940, 1.11936755904, -0.254056994402, 0.0929643437308, 0.413066402097,
            0.582716203347 },
        { 0.479843481993, -0.199073112040, 1.16589452174, -0.0851575148428, 0.110712025283, 0.541934868415,
            0.780896849218 } };
    static const char *const ways[] = { "sparse", "dense" };
    const double tol = TOL(1e-9, 1e-5);
    for (int a = 0; a < 2; a++) {
        Setup s = autoimpute(1, 2);
        Sparse m = sparse_of(x, 2, 2);
        set_word(&s, "arithmetic", ways[a]);
        set(&s, "learning.rate", 0.1);
        Step one = step_from(s, m, start, NULL);
        NEAR(one.train, 10.4560163847, tol);
        NEAR(one.loss - one.train, 0.3125, tol);
        NEAR(one.loss, 10.7685163847, tol);
        Step two = step_from(s, m, one.w, one.s);
        NEAR(two.train, 7.50574896426, tol);
        NEAR(two.loss, 7.82715425308, tol);
        Step three = step_from(s, m, two.w, two.s);
        NEAR(three.train, 5.79258605019, tol);
        NEAR(three.loss, 6.11987439205, tol);
        for (int k = 0; k < 7; k++) {
            NEAR(one.s[k], 0.9 + 0.1 * want[0][k] * want[0][k], tol);
            NEAR((start[k] - one.w[k]) * sqrt(one.s[k]) / 0.1, want[0][k], TOL(1e-9, 1e-4));
            NEAR(one.w[k], want[1][k], tol);
            NEAR(two.w[k], want[2][k], tol);
        }
        set_word(&s, "stop", "paper");
        static const double y[] = { 0.845656306226, -0.022828153113, 0.786617578917, 0.006691210541 };
        double *out = predicted(&s, m, start, 1);
        for (int k = 0; k < 4; k++) NEAR(out[k], y[k], tol);
    }
}

#ifdef INFILL_DOUBLE
/* central differences of train + penalty; the gradient is read off the step. every: one parameter out of so many */
static void differences(int genes, int cells, int hidden, double lambda, const char *arithmetic, size_t every)
{
    Setup s = autoimpute(hidden, 2);
    Sparse x = sparse_of(random_matrix(genes, cells, 0.6), genes, cells);
    double *w = random_weights(genes, hidden), worst = 0, scale = 0, worst_s = 0;
    size_t n = model_weights(s.m, s.params, genes, NULL), G = (size_t) genes, h = (size_t) hidden;
    for (size_t k = 0; k < n; k++) w[k] *= 2.0 / sqrt(hidden);
    set(&s, "lambda", lambda);
    set(&s, "learning.rate", 1);
    set_word(&s, "arithmetic", arithmetic);
    Step one = step_from(s, x, w, NULL);
    for (size_t k = 0; k < n; k++) {
        double g = (w[k] - one.w[k]) * sqrt(one.s[k] + 1e-10);
        scale = fmax(scale, fabs(g));
        worst_s = fmax(worst_s, fabs(one.s[k] - 0.9 - 0.1 * g * g));
        if (k < 2 * G * h && k % every) continue;
        double was = w[k];
        w[k] = was + 1e-6;
        double up = step_from(s, x, w, NULL).loss;
        w[k] = was - 1e-6;
        double down = step_from(s, x, w, NULL).loss;
        w[k] = was;
        double d = fabs((up - down) / 2e-6 - g);
        if (!(d <= worst)) worst = d;
    }
    CHECK(scale > 0.1);
    WITHIN(worst / scale, 1e-8);
    WITHIN(worst_s / (scale * scale), 1e-12);
}

static void gradients(void)
{
    for (int dense = 0; dense < 2; dense++) {
        differences(5, 4, 3, 0, dense ? "dense" : "sparse", 1);
        differences(5, 4, 3, 0.4, dense ? "dense" : "sparse", 1);
        differences(5, 4, 67, 0.4, dense ? "dense" : "sparse", 7);
    }
}
#endif

/* Several iterations from the seed against the loops: start, hold-out, batches, steps, best weights. */
static void against_loops(const char *stop, int batch, const char *arithmetic, int hidden, const char *init)
{
    enum { GENES = 23, CELLS = 20, ITERATIONS = 6 };
    const int validation = !strcmp(stop, "validation");
    Setup s = autoimpute(hidden, ITERATIONS);
    set_word(&s, "stop", stop);
    set_word(&s, "arithmetic", arithmetic);
    set_word(&s, "init", init);
    set(&s, "batch.size", batch);
    set(&s, "valid.fraction", 0.1);
    set(&s, "learning.rate", 0.05);
    double *x = random_matrix(GENES, CELLS, 0.4);
    Sparse m = sparse_of(x, GENES, CELLS);
    Plain p = { GENES, CELLS, (size_t) hidden, x, NEW(char, GENES * CELLS), 0.05, 0.4, NULL, NULL };
    size_t G = p.G, h = p.h, n = n_weights(&p);
    const int scaled = !strcmp(init, "scaled");
    double sd_e = scaled ? 1 / sqrt(GENES) : 1, sd_d = scaled ? 1 / sqrt(hidden) : 1;
    Fit f = new_fit(&s, m);
    p.w = NEW(double, n);
    p.s = NEW(double, n);
    for (size_t k = 0; k < n; k++) p.s[k] = 1;
    for (size_t g = 0; g < G; g++)
        for (size_t k = 0; k < h; k++) {
            p.w[g + k * G] = (double) (real) (sd_e * rng_normal(f.seed, RNG_INIT_1, g * h + k));
            p.w[G * h + k + g * h] = (double) (real) (sd_d * rng_normal(f.seed, RNG_INIT_2, g * h + k));
        }
    for (size_t k = 0; k < h && !scaled; k++) p.w[2 * G * h + k] = (double) (real) rng_normal(f.seed, RNG_INIT_3, k);
    for (size_t g = 0; g < G && !scaled; g++)
        p.w[2 * G * h + h + g] = (double) (real) rng_normal(f.seed, RNG_INIT_4, g);
    uint64_t left = validation ? (uint64_t) (0.1 * m.p[CELLS]) : 0, held = left, entry = 0;
    for (size_t c = 0; c < CELLS; c++)
        for (size_t g = 0; g < G; g++)
            if (x[c * G + g] != 0)
                p.role[c * G + g] = rng_choose(f.seed, RNG_HOLD_OUT, entry++, (uint64_t) m.p[CELLS], &left) ? 2 : 1;
    CHECK(left == 0 && (held > 0) == validation);

    double train[ITERATIONS], valid[ITERATIONS], penalty[ITERATIONS], *best = NEW(double, n);
    int order[CELLS], best_iter = 0, size = batch ? batch : CELLS;
    for (int it = 1; it <= ITERATIONS; it++) {
        for (int c = 0; c < CELLS; c++) order[c] = c;
        if (batch) rng_permute(f.seed, RNG_ORDER, (uint64_t) it, order, CELLS);
        double *before = NEW(double, n);
        memcpy(before, p.w, n * sizeof *before);
        train[it - 1] = penalty[it - 1] = 0;
        for (int c = 0; c < CELLS; c += size) {
            int here = CELLS - c < size ? CELLS - c : size;
            train[it - 1] += plain_loss(&p, p.w, order + c, here, 1);
            penalty[it - 1] += plain_penalty(&p, p.w) * here / CELLS;
            plain_step(&p, order + c, here);
        }
        const double *judged = batch ? p.w : before;
        valid[it - 1] = plain_loss(&p, judged, order, CELLS, 2);
        if (!best_iter || valid[it - 1] < valid[best_iter - 1]) {
            best_iter = it;
            memcpy(best, judged, n * sizeof *best);
        }
    }
    CHECK(go(&s, &f) == ST_OK && f.h->n_iter == ITERATIONS);
    const double tol = TOL(1e-10, 2e-4);
    WITHIN(apart(f.h->train, train, ITERATIONS), tol);
    WITHIN(apart(f.h->penalty, penalty, ITERATIONS), tol);
    if (validation) WITHIN(apart(f.h->valid, valid, ITERATIONS), tol);
    CHECK(f.h->best_iter == (validation ? best_iter : ITERATIONS));
    WITHIN(apart(f.state, p.w, n), tol);
    WITHIN(apart(f.state + n, p.s, n), tol);
    WITHIN(apart(f.weights, validation ? best : p.w, n), tol);

    memset(p.role, 1, G * CELLS);                        /* predicting holds nothing out; a zero in x adds nothing */
    double *out = predicted(&s, m, f.weights, 1), *want = NEW(double, G * CELLS), *units = NEW(double, h);
    for (size_t c = 0; c < CELLS; c++) plain_cell(&p, f.weights, c, units, want + c * G);
    WITHIN(apart(out, want, G * CELLS), TOL(1e-12, 5e-6));
}

static void loops(void)
{
    static const char *const stops[] = { "validation", "paper", "window" }, *const ways[] = { "sparse", "dense" };
    for (int st = 0; st < 3; st++)
        for (int batch = 0; batch < 10; batch += 9)
            for (int way = 0; way < 2; way++) {
                against_loops(stops[st], batch, ways[way], 5, "scaled");
                against_loops(stops[st], batch, ways[way], 130, "scaled");
            }
    against_loops("paper", 0, "auto", 64, "reference");
    against_loops("validation", 7, "auto", 3, "reference");
}

static void two_arithmetics(void)
{
    Sparse x = sparse_of(random_matrix(50, 40, 0.3), 50, 40);
    for (int batch = 0; batch < 10; batch += 9) {
        Setup s = autoimpute(130, 5), d = s;
        set_word(&s, "arithmetic", "sparse");
        set_word(&d, "arithmetic", "dense");
        set(&s, "batch.size", batch);
        set(&d, "batch.size", batch);
        Fit a = fitted(&s, x), b = fitted(&d, x);
        size_t n = model_weights(s.m, s.params, 50, NULL);
        WITHIN(apart(a.h->train, b.h->train, 5), TOL(1e-10, 1e-4));
        WITHIN(apart(a.h->valid, b.h->valid, 5), TOL(1e-10, 1e-4));
        WITHIN(apart(a.state, b.state, n), TOL(1e-10, 1e-4));
        WITHIN(apart(a.weights, b.weights, n), TOL(1e-10, 1e-4));
        WITHIN(apart(predicted(&s, x, a.weights, 1), predicted(&d, x, b.weights, 1), 2000), TOL(1e-10, 1e-4));
        double *p = predicted(&s, x, a.weights, 1), *q = predicted(&d, x, a.weights, 1);
        /* so that a part of the cells may be denser than all of them */
        SAME_BITS(p, q, 2000);
    }
}

/* "auto" takes one of the two by the share of non-zeros */
static void automatic(void)
{
    for (int dense = 0; dense < 2; dense++) {
        Sparse x = sparse_of(random_matrix(30, 20, dense ? 0.95 : 0.1), 30, 20);
        Setup a = autoimpute(70, 3), b = a;
        set_word(&b, "arithmetic", dense ? "dense" : "sparse");
        Fit f = fitted(&a, x), g = fitted(&b, x);
        SAME_BITS(f.h->train, g.h->train, 3);
        SAME_BITS(f.weights, g.weights, model_weights(a.m, a.params, 30, NULL));
    }
}

static void same_fit(const Fit *a, const Fit *b, size_t n)
{
    CHECK(a->h->n_iter == b->h->n_iter && a->h->best_iter == b->h->best_iter && a->h->stopped == b->h->stopped);
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
    double *out = predicted(&s, x, first.weights, 1);
    for (int b = 0; b < 5; b++)
        for (int t = 0; t < 3; t++) {
            set(&s, "block.cells", blocks_of[b]);
            Fit f = new_fit(&s, x);
            f.threads = threads[t];
            CHECK(go(&s, &f) == ST_OK);
            same_fit(&f, &first, n);
            double *p = predicted(&s, x, f.weights, threads[t]);
            SAME_BITS(p, out, all);
        }
}

static void threads_and_blocks(void)
{
    static const char *const stops[] = { "validation", "paper" }, *const ways[] = { "sparse", "dense" };
    Sparse x = sparse_of(random_matrix(50, 40, 0.3), 50, 40), few = sparse_of(random_matrix(3, 40, 0.5), 3, 40);
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
    double *all = predicted(&s, x, f.weights, 1);
    for (int c = 0; c < 12; c++) {
        int p[2] = { 0, x.p[c + 1] - x.p[c] };
        Sparse one = { 30, 1, p, x.i + x.p[c], x.x + x.p[c] };
        double *y = predicted(&s, one, f.weights, 2);
        SAME_BITS(y, all + 30 * c, 30);
    }
}

static void shuffle(int *order, int n)
{
    for (int k = 0; k < n; k++) order[k] = k;
    for (int k = n - 1; k > 0; k--) { int j = below(k + 1), t = order[k]; order[k] = order[j]; order[j] = t; }
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
    double *p = predicted(&s, a, f.weights, 1), *q = predicted(&s, b, g.weights, 1);
    for (int c = 0; c < M; c++) memcpy(back + order[c] * G, q + c * G, G * sizeof *y);
    WITHIN(apart(back, p, G * M), TOL(1e-10, 1e-4));
}

/* genes with their rows of E, columns of D and b_d; hidden units with theirs: several steps from given weights */
static void permuted_weights(void)
{
    enum { G = 20, M = 15, H = 70, N = 2 * G * H + H + G };
    double *x = random_matrix(G, M, 0.4), *y = NEW(double, G * M), *w = random_weights(G, H), *v = NEW(double, N);
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
        double *p = predicted(&s, a, f.w, 1), *q = predicted(&s, b, g.w, 1), *back = NEW(double, G * M);
        for (int c = 0; c < M; c++) for (int k = 0; k < G; k++) back[c * G + gene[k]] = q[c * G + k];
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
    static const char *const stops[] = { "validation", "paper", "window" }, *const ways[] = { "sparse", "dense" };
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
                CHECK(all_finite(predicted(&s, f.x, f.weights, 2), G * M));
            }
}

/* A gene without entries: its decoder only decays, its intercept stays. A cell without entries; one cell; one gene. */
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
            NEAR(one.w[G * H + k + 3 * H], d - 0.01 * 0.4 * d / sqrt(0.9 + 0.1 * 0.16 * d * d + 1e-10),
                TOL(1e-14, 1e-6));
            NEAR(one.w[3 + k * G], e - 0.01 * 0.4 * e / sqrt(0.9 + 0.1 * 0.16 * e * e + 1e-10), TOL(1e-14, 1e-6));
        }
        Fit f = fitted(&s, m);
        CHECK(all_finite(f.weights, model_weights(s.m, s.params, G, NULL)) && all_finite(f.h->train, 10));
        CHECK(all_finite(predicted(&s, m, f.weights, 1), G * M));
        for (int cells = 1; cells < 4; cells += 2) {
            int genes = cells == 1 ? G : 1;
            Fit g = fitted(&s, sparse_of(random_matrix(genes, cells, 1), genes, cells));
            CHECK(all_finite(g.weights, model_weights(s.m, s.params, genes, NULL)) && all_finite(g.h->train, 10)
                && g.h->train[9] < g.h->train[0]);
            CHECK(all_finite(predicted(&s, g.x, g.weights, 4), (size_t) (genes * cells)));
        }
    }
}

static void resumed(void)
{
    static const char *const stops[] = { "validation", "paper" };
    Sparse x = sparse_of(random_matrix(30, 25, 0.4), 30, 25);
    for (int st = 0; st < 2; st++)
        for (int batch = 0; batch < 10; batch += 9)
            for (int overfit = 0; overfit < 2; overfit++) {      /* the best iteration before the pause, or behind it */
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
                double *a = predicted(&s, x, f.weights, 1), *b = predicted(&s, x, straight.weights, 1);
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
        CHECK(f.h->stopped == STOPPED_VALID && f.h->n_iter == f.h->best_iter + 5 && f.h->best_iter > 1);
        for (int k = 0; k < f.h->n_iter; k++)
            CHECK(k + 1 < f.h->best_iter ? f.h->valid[k] > f.h->valid[f.h->best_iter - 1] : f.h->valid[k] >= f.h->valid[f.h->best_iter - 1]);
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
            if (!rng_choose(f.seed, RNG_HOLD_OUT, e, n, &left)) { sum[m.i[e]] += m.x[e]; count[m.i[e]]++; }
        CHECK(held > 5);
        for (int g = 0; g < G; g++) {
            double start = k ? (double) (real) rng_normal(f.seed, RNG_INIT_4, (uint64_t) g) : 0;
            NEAR(f.weights[at + H + (size_t) g], count[g] ? sum[g] / count[g] : start, TOL(1e-15, 1e-7));
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
    CHECK(memcmp(a.weights, c.weights, n * sizeof *a.weights) && memcmp(a.weights, d.weights, n * sizeof *a.weights));
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
    predicted(&s, x, f.weights, 1);
    CHECK(n_ticks == 4);
}

int main(void)
{
    RUN(golden);
#ifdef INFILL_DOUBLE
    RUN(gradients);
#endif
    RUN(loops);
    RUN(two_arithmetics);
    RUN(automatic);
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
    return report("autoimpute");
}
