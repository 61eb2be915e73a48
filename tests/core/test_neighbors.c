/* The mean of the nearest cells beside the plain loops. */
#include "fitting.h"

enum { G = 9, M = 14, D = 2 };
static const double USUAL = 3;

static Setup neighbors(int k, Sparse x, const double *rotation, const double *scores,
                       const double *totals)
{
    Setup s = { .m = model_find("neighbors") };
    set(&s, "k", k);
    plan_int(&s, "cells", M);
    plan_int(&s, "dims", D);
    plan_real(&s, "usual", USUAL);
    plan_reals(&s, "rotation", rotation ? G * D : 0, rotation);
    plan_reals(&s, "scores", M * D, scores);
    plan_reals(&s, "totals", M, totals);
    plan_ints(&s, "p", M + 1, x.p);
    plan_ints(&s, "i", x.p[M], x.i);
    plan_reals(&s, "x", x.p[M], x.x);
    return s;
}

static double total_of(const double *x, int c)
{
    double t = 0;
    for (int g = 0; g < G; g++) t += x[c * G + g];
    return t;
}

/* Pooled over the k nearest of the cells with counts, `self` left out, into want. */
static void plain(const double *x, const double *scores, const double *totals, const double *at,
                  int self, int k, double own, double *want)
{
    int taken[M] = { 0 };
    double total = 0, pool[G] = { 0 };
    for (int n = 0; n < k; n++) {
        int best = -1;
        double least = INFINITY;
        for (int j = 0; j < M; j++) {
            double far = 0;
            for (int d = 0; d < D; d++)
                far += (at[d] - scores[j * D + d]) * (at[d] - scores[j * D + d]);
            if (j != self && !taken[j] && totals[j] > 0 && far < least) { least = far; best = j; }
        }
        if (best < 0) break;
        taken[best] = 1;
        total += totals[best];
        for (int g = 0; g < G; g++) pool[g] += x[best * G + g];
    }
    for (int g = 0; g < G; g++) want[g] = total > 0 ? own * pool[g] / total : NAN;
}

static void pooled(void)
{
    const double *x = random_matrix(G, M, 0.6), *other = random_matrix(G, M, 0.6);
    const double *scores = random_matrix(D, M, 1), *rotation = random_matrix(G, D, 1);
    double totals[M], want[G], at[D];
    for (int c = 0; c < M; c++) totals[c] = c == 5 ? 0 : 1 + c % 4;
    for (int k = 1; k < 20; k += 3) {
        Setup s = neighbors(k, sparse_of(x, G, M), k % 2 ? rotation : NULL, scores, totals);
        Fit f = fitted(&s, sparse_of(x, G, M));
        CHECK(f.h->stopped == STOPPED_CLOSED && !weights_of(&s, G));
        const double *one = predicted(&s, sparse_of(x, G, M), f, 1);
        const double *two = predicted(&s, sparse_of(x, G, M), f, 2);
        for (int c = 0; c < M; c++) {
            plain(x, scores, totals, scores + c * D, c, k < M ? k : M, total_of(x, c), want);
            for (int g = 0; g < G; g++) {
                NEAR(one[c * G + g], want[g], 1e-12);
                CHECK(one[c * G + g] == two[c * G + g]);
            }
        }
        const double *new_ = predicted(&s, sparse_of(other, G, M), f, 1);
        for (int c = 0; c < M; c++) {
            for (int d = 0; d < D; d++) {
                at[d] = 0;
                for (int g = 0; g < G; g++)
                    at[d] += rotation[d * G + g]
                             * log1p(other[c * G + g] * USUAL / total_of(other, c));
            }
            plain(x, scores, totals, at, -1, k < M ? k : M, total_of(other, c), want);
            for (int g = 0; g < G; g++) {
                if (k % 2) NEAR(new_[c * G + g], want[g], 1e-12);
                else CHECK(isnan(new_[c * G + g]));
            }
        }
        clear();
        x = random_matrix(G, M, 0.6); other = random_matrix(G, M, 0.6);
        scores = random_matrix(D, M, 1); rotation = random_matrix(G, D, 1);
    }
}

/* What does not go together is found at the door. */
static void damage(void)
{
    Sparse x = sparse_of(random_matrix(G, M, 0.6), G, M);
    const double *scores = random_matrix(D, M, 1), *rotation = random_matrix(G, D, 1);
    double totals[M];
    for (int c = 0; c < M; c++) totals[c] = 1;
    Setup s = neighbors(3, x, rotation, scores, totals);
    CHECK(!model_damage(s.m, s.params, s.plan, G));
    CHECK(model_damage(s.m, s.params, s.plan, G - 1) != NULL);
    plan_int(&s, "cells", M + 1);
    CHECK(model_damage(s.m, s.params, s.plan, G) != NULL);
    s = neighbors(3, x, rotation, scores, totals);
    plan_reals(&s, "scores", M * D - 1, scores);
    CHECK(!strcmp(model_damage(s.m, s.params, s.plan, G)->name, "scores"));
    s = neighbors(3, x, rotation, scores, totals);
    plan_ints(&s, "i", x.p[M] - 1, x.i);
    CHECK(model_damage(s.m, s.params, s.plan, G) != NULL);
}

int main(void)
{
    RUN(pooled);
    RUN(damage);
    return report("neighbors");
}
