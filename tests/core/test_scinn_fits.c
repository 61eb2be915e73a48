/* scINN's module two: whole fits, and what must not change a bit. */
#include "scinn_plain.h"

/* ---- what must not change a bit ---- */
static void bits(void)
{
    for (int k = 0; k < 8; k++) {
        int G = k % 2 ? 300 : 40, n = 23;
        double *x = random_matrix(G, n, 0.4);
        for (int c = 0; c < n; c++) x[c * G] = 1;
        Setup s = scinn(n, 3, 4, k & 2 ? 70 : 16, 6, 6);
        set(&s, "valid.fraction", k & 4 ? 0.1 : 0);
        set(&s, "patience", 2);
        Sparse sx = sparse_of(x, G, n);
        size_t all = weights_of(&s, G);
        Fit one = fitted(&s, sx);
        CHECK(one.h->stopped == (one.h->n_iter < 6 ? STOPPED_VALID : STOPPED_MAX));
        CHECK(k & 4 ? one.h->mse == one.h->valid[one.h->best_iter - 1] : one.h->n_iter == 6);
        Fit two = new_fit(&s, sx);
        two.threads = 2;
        CHECK(go(&s, &two) == ST_OK);
        SAME_BITS(one.weights, two.weights, all);
        SAME_BITS(one.state, two.state, 3 * all);
        SAME_BITS(one.h->train, two.h->train, one.h->n_iter);
        SAME_BITS(one.h->part, two.h->part, CURVES * one.h->n_iter);
        Fit half = new_fit(&s, sx);
        half.pause_at = 2;
        CHECK(go(&s, &half) == ST_OK && half.h->n_iter == 2 && half.h->stopped == STOPPED_PAUSE);
        half.h->done = 2;
        half.pause_at = 0;
        CHECK(go(&s, &half) == ST_OK);
        SAME_BITS(one.weights, half.weights, all);
        SAME_BITS(one.state, half.state, 3 * all);
        SAME_BITS(one.h->part, half.h->part, CURVES * one.h->n_iter);
        double *at_1 = predicted(&s, sx, one, 1), *at_2 = predicted(&s, sx, one, 2),
               part[4];
        SAME_BITS(at_1, at_2, G * n);
        Plain p = {
            (size_t) G,      (size_t) n,      hidden_of(&s), 3, 4, 0, 0, x, units_of(&s),
            labels_of(&s), NEW(char, G *n), NEW(char, G *n),         1, 1, 1, 1, 0
        };
        memset(p.keep, 1, (size_t) (G * n));
        double *R = NEW(double, G * n);
        plain(&p, one.weights, part, R);
        WITHIN(apart(at_1, R, (size_t) (G * n)), TOL(1e-12, 1e-5));
        clear();
    }
    /* nothing to do */
    Setup s = scinn(0, 1, 1, 16, 1, 0);
    double x[] = { 1, 2, 3, 4 };
    Fit f = fitted(&s, sparse_of(x, 1, 4));
    CHECK(f.h->n_iter == 0 && f.h->stopped == STOPPED_CLOSED);
    CHECK(predicted(&s, f.x, f, 1)[3] == 0);
    /* the plan is for other cells */
    s = scinn(5, 2, 3, 16, 5, 1);
    f = new_fit(&s, sparse_of(x, 1, 4));
    CHECK(go(&s, &f) == ST_SHAPE);
}

/* Everything that can be learnt is: losses fall, R comes to where x is. */
static void learns(void)
{
    int G = 60, n = 40;
    double *x = random_matrix(G, n, 0.6);
    Setup s = scinn(n, 2, 4, 16, 10, 60);
    set(&s, "learning.rate", 1e-2);
    set(&s, "similarity.weight", 0);
    for (int c = 0; c < n; c++) {
        int k = labels_of(&s)[c];
        for (int g = 0; g < G; g++) if (x[c * G + g] != 0) x[c * G + g] += k ? g % 2 : (g + 1) % 2;
    }
    Fit f = fitted(&s, sparse_of(x, G, n));
    const double *part = f.h->part, *end = part + CURVES * (f.h->n_iter - 1);
    CHECK(end[0] < 0.3 * part[0] && end[2] < 0.6 * part[2]);
}

/* A learning rate that breaks it is said, not returned. */
static void diverges(void)
{
    Setup s = scinn(9, 3, 4, 16, 3, 50);
    set(&s, "learning.rate", 10);
    set(&s, "weight.decay", 100);
    Fit f = new_fit(&s, sparse_of(random_matrix(20, 9, 0.5), 20, 9));
    CHECK(go(&s, &f) == ST_DIVERGED);
}

int main(void)
{
    RUN(bits);
    RUN(learns);
    RUN(diverges);
    return report("scinn_fits");
}
