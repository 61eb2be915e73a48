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
    Optim o = { rule, 0.02, 0, 0, 0, 0, 0 };
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
        for (size_t k = 0; k < n; k++)
            by_hand(rule, t, 0.02, (double) g[k], ww + k, ss + k, vv + k);
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
    CHECK(optim_states(OPT_SGD) == 0 && optim_states(OPT_RMSPROP) == 1
          && optim_states(OPT_ADAM) == 2 && optim_states(OPT_ADAMW) == 2);
}

/* decay is a gradient with decay * w added, and the rate worked out before is the rate worked out
 * inside: to the bit */
static void decay_and_rate(void)
{
    static const size_t sizes[] = { 1, 15, 16, 31, 64, 100 };
    for (int r = 0; r < 3; r++)
        for (int k = 0; k < 6; k++)
            for (int t = 1; t < 2000; t = 3 * t + 1) {
                size_t n = sizes[k];
                real *w = NEW(real, n), *g = NEW(real, n), *more = NEW(real, n), *to = NEW(real, n),
                     *to2 = NEW(real, n);
                real *s = NEW(real, n), *s2 = NEW(real, n), *v = NEW(real, n), *v2 = NEW(real, n);
                Optim o = { (Rule) r, 0.02, t, 0.3, 0, 0, 0 },
                      plain = { (Rule) r, 0.02, t, 0, 0, 0, 0 };
                fill(w, n); fill(g, n);
                for (size_t j = 0; j < n; j++) {
                    /* a product by itself, not fused with the sum */
                    volatile real part = (real) 0.3 * w[j];
                    more[j] = g[j] + part;
                    s[j] = s2[j] = (real) u01();
                    v[j] = v2[j] = (real) u01();
                }
                optim_step(&plain, w, more, s2, v2, to2, n);
                if (t % 2) { o.t--; optim_next(&o); }
                optim_step(&o, w, g, s, v, to, n);
                SAME_BITS(to, to2, n);
                SAME_BITS(s, s2, n);
                SAME_BITS(v, v2, n);
                CHECK(memcmp(to, w, n * sizeof *w));
            }
    Optim o = { OPT_ADAM, 0.02, 2, 0, 0, 0, 0 };
    optim_next(&o);
    CHECK(o.t == 3);
    NEAR(o.rate, 0.02 * sqrt(1 - 0.997002999) / (1 - 0.729), 1e-14);
    o = (Optim) { OPT_ADAMW, 0.02, 2, 0, 0, 0, 0 };
    optim_next(&o);
    NEAR(o.rate, 0.02 / (1 - 0.729), 1e-14);
    NEAR(o.root, 1 / sqrt(1 - 0.997002999), 1e-14);
    o.rule = OPT_RMSPROP;
    optim_next(&o);
    CHECK(o.rate == 0.02);
    /* Adam goes by the rate it is given */
    real w[2] = { 1, 1 }, g = 1, m[2] = { 0 }, v[2] = { 0 };
    o = (Optim) { OPT_ADAM, 0.02, 2, 0, 0, 0, 0 };
    optim_next(&o);
    optim_step(&o, w, &g, m, v, w, 1);
    o.rate *= 2;
    optim_step(&o, w + 1, &g, m + 1, v + 1, w + 1, 1);
    NEAR(1 - (double) w[1], 2 * (1 - (double) w[0]), TOL(1e-14, 1e-6));
}

int main(void)
{
    RUN(rules);
    RUN(decay_and_rate);
    return report("optim");
}
