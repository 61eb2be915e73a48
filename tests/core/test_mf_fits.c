/* Singular vectors, and whole fits of deepMc: what must not change a bit. */
#include "mf_task.h"

/* ---- singular vectors ---- */
static void singular(void)
{
    enum { M = 60, N = 80, R = 4 };
    for (int kind = 0; kind < 8; kind++) {
        int m = kind & 1 ? N : M, n = kind & 1 ? M : N, filled = kind >> 1 & 1, passes;
        double *y = random_matrix(m, n, 0.3), *full = NEW(double, M *N), *mean = NEW(double, N),
               s[R], t[R];
        Sparse x = sparse_of(y, m, n);
        for (int i = 0; i < m; i++) {
            int count = 0;
            for (int c = 0; c < n; c++) { mean[i] += y[c * m + i]; count += y[c * m + i] != 0; }
            mean[i] = count ? mean[i] / count : 0;
        }
        for (int c = 0; c < n; c++)
            for (int i = 0; i < m; i++)
                full[c * m + i] = filled && y[c * m + i] == 0 ? mean[i] : y[c * m + i];
        double *u = NEW(double, N * R), *v = NEW(double, N * R);
        SvdTask task = { &x, filled ? mean : NULL, R, 1, 1 + kind / 4, any_tick(), 0, 0 };
        Arena a = new_arena();
        CHECK(mf_svd(&a, &task, u, s, &passes) == ST_OK && passes == 0);
        task.whole = 1;
        task.basis = 37;
        CHECK(mf_svd(&a, &task, v, t, &passes) == ST_OK);
        CHECK(passes > 5 && passes < 200);
        for (int k = 0; k < R; k++) {
            NEAR(t[k], s[k], 1e-8);
            double largest = 0, *back = NEW(double, N), length = 0, wrong = 0;
            for (int i = 0; i < m; i++)
                if (fabs(u[i * R + k]) > fabs(largest)) largest = u[i * R + k];
            CHECK(largest > 0);
            for (int c = 0; c < n; c++)
                for (int i = 0; i < m; i++) back[c] += full[c * m + i] * u[i * R + k];
            for (int i = 0; i < m; i++) {                       /* A A'u = s^2 u */
                double z = 0;
                for (int c = 0; c < n; c++) z += full[c * m + i] * back[c];
                wrong = fmax(wrong, fabs(z - s[k] * s[k] * u[i * R + k]));
                length += u[i * R + k] * u[i * R + k];
            }
            NEAR(length, 1, 1e-9);
            WITHIN(wrong / (s[k] * s[k]), 1e-9);
            for (int i = 0; i < m; i++) WITHIN(fabs(u[i * R + k] - v[i * R + k]), 1e-5);
        }
    }
}

/* ---- whole fits ---- */
static Setup deepmc(int N, int cells, int sweeps)
{
    Setup s = { .m = model_find("deepmc") };
    if (!s.m) exit(2);
    plan_int(&s, "cells", cells);
    plan_int(&s, "iterations", sweeps);
    set_ints(&s, "ranks", (size_t) N, ranks_of[N - 1]);
    set_word(&s, "step", "mm");
    set(&s, "lambda.scale", 0.25);
    set_word(&s, "init", "svd");
    return s;
}

/* threads, and what a fit knows again: its own cells, in any order; others get their least
 * squares */
static void fits(void)
{
    static const char *const steps[] = { "mm", "exact", "exact.block" }, *const starts[] = {
        "svd", "mean", "random"
    };
    for (int kind = 0; kind < 27; kind++) {
        int N = 1 + kind % 3, cells = 70;
        double *y = random_matrix(GENES, cells, 0.6);
        for (int k = 0; k < GENES * cells; k++) y[k] = fabs(y[k]);
        for (int g = 0; g < GENES; g++) y[7 * GENES + g] = 0;
        Setup s = deepmc(N, cells, 8);
        set_word(&s, "step", steps[kind / 3 % 3]);
        set_word(&s, "init", starts[kind / 9]);
        set(&s, "accelerate", kind % 2);
        set(&s, "nonneg", kind % 7 == 6);
        set(&s, "zero.weight", kind % 4 * 0.2);
        set(&s, "lambda", kind % 5 ? kind % 5 * 0.3 : (double) NAN);
        Sparse x = sparse_of(y, GENES, cells);
        Fit one = fitted(&s, x);
        size_t n = weights_of(&s, GENES);
        CHECK(one.h->n_iter == 8 && one.h->stopped == STOPPED_MAX);
        double *out = predicted(&s, x, one, 1);
        for (int t = 2; t <= 3; t++) {
            Fit f = new_fit(&s, x);
            f.threads = t;
            CHECK(go(&s, &f) == ST_OK);
            CHECK(!memcmp(f.weights, one.weights, n * sizeof(double)));
            SAME_BITS(f.h->train, one.h->train, 8);
            double *p = predicted(&s, x, f, t);
            SAME_BITS(p, out, GENES * cells);
        }
        double miss = 0;
        for (int k = 0; k < GENES * cells; k++)
            if (y[k] != 0) miss += (y[k] - out[k]) * (y[k] - out[k]);
        if (kind % 4 == 0) NEAR(miss, one.h->train[7], 1e-9);
        for (int g = 0; g < GENES; g++) CHECK(out[7 * GENES + g] == 0);
        Sparse part = sparse_of(y + 20 * GENES, GENES, 30);
        double *some = predicted(&s, part, one, 1);
        SAME_BITS(some, out + 20 * GENES, GENES * 30);
        clear();
    }
}

static Setup failing;
static Fit failing_fit;
static double *failing_weights, *failing_out;
static Status fit_call(Arena *a) { return failing.m->fit(a, failing.params, &failing_fit); }
static Status predict_call(Arena *a)
{
    Predict p = to_predict(&failing, failing_fit.x, known(failing_weights, failing_fit.extras), 2,
                           failing_out);
    return failing.m->predict(a, failing.params, &p);
}
static Status svd_call(Arena *a)
{
    double *u = NEW(double, 80 * 3), s[3];
    int passes;
    SvdTask task = { &failing_fit.x, NULL, 3, 1, 2, any_tick(), 1, 37 };
    return mf_svd(a, &task, u, s, &passes);
}

static void no_memory(void)
{
    for (int kind = 0; kind < 4; kind++) {
        failing = deepmc(2, CELLS, 3);
        set(&failing, "accelerate", kind % 2);
        set(&failing, "lambda", (double) NAN);
        if (kind / 2) set_word(&failing, "step", "exact.block");
        if (kind / 2) set_word(&failing, "init", kind % 2 ? "mean" : "random");
        failing_fit = new_fit(&failing, sparse_of(random_matrix(GENES, CELLS, 0.5), GENES, CELLS));
        failing_fit.threads = 2;
        failing_weights = NEW(double, weights_of(&failing, GENES));
        failing_out = NEW(double, GENES * CELLS);
        CHECK(each_fails(fit_call) > 30);
        CHECK(each_fails(predict_call) > 20);
        clear();
    }
    failing_fit.x = sparse_of(random_matrix(60, 70, 0.3), 60, 70);
    CHECK(each_fails(svd_call) > 10);
}

static void nothing(void)
{
    static double none[GENES * CELLS];
    Setup s = deepmc(2, CELLS, 4);
    Fit f = fitted(&s, sparse_of(none, GENES, CELLS));
    CHECK(f.h->n_iter == 0 && f.h->stopped == STOPPED_SETTLED);
    double *out = predicted(&s, f.x, f, 1);
    SAME_BITS(out, none, GENES * CELLS);
}

int main(void)
{
    RUN(singular);
    RUN(fits);
    RUN(no_memory);
    RUN(nothing);
    return report("mf_fits");
}
