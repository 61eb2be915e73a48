/* AutoImpute: the worked numbers of its page, finite differences, and a plain implementation with
 * loops over everything. */
#include "autoimpute_plain.h"

static void golden(void)
{
    static const double x[] = { 1, 0, 2, 3 }, start[] = { 0.5, -0.25, 1, -0.5, 0.1, 0.2, 0.3 };
    static const double want[3][7] = {
        { 0.404148053270, 0.312156294153, -1.22288887474, -3.71185511005, 0.0667626218856,
          -2.73545222971, -5.98661757892 },
        { 0.457780440891, -0.282727471940, 1.11936755904, -0.254056994402, 0.0929643437308,
          0.413066402097, 0.582716203347 },
        { 0.479843481993, -0.199073112040, 1.16589452174, -0.0851575148428, 0.110712025283,
          0.541934868415, 0.780896849218 }
    };
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
        static const double y[] = { 0.845656306226, -0.022828153113, 0.786617578917,
                                    0.006691210541 };
        double *out = predicted(&s, m, known(start, NULL), 1);
        for (int k = 0; k < 4; k++) NEAR(out[k], y[k], tol);
    }
}

#ifdef INFILL_DOUBLE
/* central differences of train + penalty; the gradient is read off the step. every: one parameter
 * out of so many */
static void differences(int genes, int cells, int hidden, double lambda, const char *arithmetic,
                        size_t every)
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

/* Several iterations from the seed against the loops: start, hold-out, batches, steps, best
 * weights. */
static void against_loops(const char *stop, int batch, const char *arithmetic, int hidden,
                          const char *init)
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
            p.w[G * h + k + g * h] = (double) (real) (sd_d
                                                      * rng_normal(f.seed, RNG_INIT_2, g * h + k));
        }
    for (size_t k = 0; k < h && !scaled; k++)
        p.w[2 * G * h + k] = (double) (real) rng_normal(f.seed, RNG_INIT_3, k);
    for (size_t g = 0; g < G && !scaled; g++)
        p.w[2 * G * h + h + g] = (double) (real) rng_normal(f.seed, RNG_INIT_4, g);
    uint64_t left = validation ? (uint64_t) (0.1 * m.p[CELLS]) : 0, held = left, entry = 0;
    for (size_t c = 0; c < CELLS; c++)
        for (size_t g = 0; g < G; g++)
            if (x[c * G + g] != 0)
                p.role[c * G + g] = rng_choose(f.seed, RNG_HOLD_OUT, entry++, (uint64_t) m.p[CELLS],
                                               &left)
                                        ? 2
                                        : 1;
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

    memset(p.role, 1, G * CELLS);  /* predicting holds nothing out; a zero in x adds nothing */
    double *out = predicted(&s, m, f, 1), *want = NEW(double, G *CELLS),
           *units = NEW(double, h);
    for (size_t c = 0; c < CELLS; c++) plain_cell(&p, f.weights, c, units, want + c * G);
    WITHIN(apart(out, want, G * CELLS), TOL(1e-12, 5e-6));
}

static void loops(void)
{
    static const char *const stops[] = { "validation", "paper", "window" }, *const ways[] = {
        "sparse", "dense"
    };
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
        WITHIN(apart(predicted(&s, x, a, 1), predicted(&d, x, b, 1), 2000),
               TOL(1e-10, 1e-4));
        double *p = predicted(&s, x, a, 1), *q = predicted(&d, x, a, 1);
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

int main(void)
{
    RUN(golden);
#ifdef INFILL_DOUBLE
    RUN(gradients);
#endif
    RUN(loops);
    RUN(two_arithmetics);
    RUN(automatic);
    return report("autoimpute");
}
