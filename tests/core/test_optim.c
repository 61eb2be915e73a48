/* Optimisers: three steps against the formulas, number by number in double. */
#include "check.h"

static void by_hand(Rule rule, int t, double lr, double g, double *w, double *a, double *b)
{
    if (rule == OPT_SGD) *w -= lr * g;
    else if (rule == OPT_RMSPROP) {
        *a = 0.9 * *a + 0.1 * g * g;
        *w -= lr * g / sqrt(*a + 1e-10);
    } else {
        double p1 = 1, p2 = 1;
        for (int k = 0; k < t; k++) { p1 *= 0.9; p2 *= 0.999; }
        *a = 0.9 * *a + 0.1 * g;
        *b = 0.999 * *b + 0.001 * g * g;
        *w -= lr * sqrt(1 - p2) / (1 - p1) * *a / (sqrt(*b) + 1e-7);
    }
}

static void three_steps(Rule rule, size_t n)
{
    real *w = NEW(real, n), *g = NEW(real, n), *s = NEW(real, n), *v = NEW(real, n);
    real *w2 = NEW(real, n), *s2 = NEW(real, n), *v2 = NEW(real, n), *to = NEW(real, n + 1);
    double *ww = NEW(double, n), *ss = NEW(double, n), *vv = NEW(double, n);
    Optim o = { rule, 0.02, 0, 0, 0 };
    fill(w, n);
    optim_start(rule, s, n);
    optim_start(rule, v, n);
    for (size_t k = 0; k < n; k++) {
        ww[k] = (double) w[k];
        CHECK(s[k] == (rule == OPT_RMSPROP));
        ss[k] = rule == OPT_RMSPROP;
        v[k] = rule == OPT_ADAM ? 0 : (real) 7;              /* nobody's place but Adam's */
        vv[k] = (double) v[k];
    }
    for (int t = 1; t <= 3; t++) {
        o.t = t;
        fill(g, n);
        if (n > 1) g[1] = 0;
        for (size_t k = 0; k < n; k++) by_hand(rule, t, 0.02, (double) g[k], ww + k, ss + k, vv + k);
        memcpy(w2, w, n * sizeof *w); memcpy(s2, s, n * sizeof *s); memcpy(v2, v, n * sizeof *v);
        to[n] = (real) 5;
        optim_step(&o, w2, g, s2, v2, to, n);
        SAME_BITS(w2, w, n);                                 /* the weights it came from stay */
        optim_step(&o, w, g, s, v, w, n);
        SAME_BITS(to, w, n);
        SAME_BITS(s2, s, n);
        SAME_BITS(v2, v, n);
        CHECK(to[n] == (real) 5);
        WITHIN(apart_real(w, ww, n), TOL(1e-14, 1e-6));
        WITHIN(apart_real(s, ss, n), TOL(1e-14, 1e-6));
        WITHIN(apart_real(v, vv, n), TOL(1e-14, 1e-6));
    }
}

static void rules(void)
{
    static const size_t sizes[] = { 0, 1, 7, 16, 33, 64, 100 };
    for (int r = 0; r < 3; r++)
        for (int k = 0; k < 7; k++) three_steps((Rule) r, sizes[k]);
    CHECK(optim_states(OPT_SGD) == 0 && optim_states(OPT_RMSPROP) == 1 && optim_states(OPT_ADAM) == 2);
}

int main(void)
{
    RUN(rules);
    return report("optim");
}
