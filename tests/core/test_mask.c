/* Masks: binomial draws, weighted choices, thinning. */
#include "check.h"
#include "prep.h"

/* Pearson's chi-square of `draws` numbers against the binomial distribution, cells of less than 5
 * expected pooled */
static void binomial(double n, double p)
{
    enum { DRAWS = 20000 };
    int *seen = NEW(int, (size_t) n + 1), low = 0;
    for (uint32_t k = 0; k < DRAWS; k++) {
        Draws d = draws_of(7, RNG_THIN, (uint32_t) n, k);
        double v = draw_binomial(&d, n, p);
        if (!(v >= 0 && v <= n && v == floor(v))) { low++; continue; }
        seen[(int) v]++;
    }
    CHECK(low == 0);
    double chi = 0, rest_seen = 0, rest = 0;
    int cells = 0;
    for (int k = 0; k <= (int) n; k++) {
        double log_p = lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p)
                       + (n - k) * log1p(-p);
        double expected = DRAWS * exp(log_p);
        if (expected < 5) { rest += expected; rest_seen += seen[k]; continue; }
        chi += (seen[k] - expected) * (seen[k] - expected) / expected;
        cells++;
    }
    if (rest > 1) { chi += (rest_seen - rest) * (rest_seen - rest) / rest; cells++; }
    WITHIN(chi, cells - 1 + 5 * sqrt(2.0 * cells) + 5);
}

static void binomials(void)
{
    static const double p[] = { 0.01, 0.3, 0.5, 0.9 };
    for (int k = 0; k < 4; k++) {
        binomial(1, p[k]);
        binomial(6, p[k]);
        binomial(32, p[k]);
        binomial(33, p[k]);
        binomial(70, p[k]);
        binomial(1000, p[k]);
    }
    /* the ends, and numbers that could not be drawn one by one */
    for (double n = 0; n < 2e15; n = n > 0 ? n * 7 : 1) {
        Draws d = draws_of(1, RNG_THIN, 0, 5);
        CHECK(draw_binomial(&d, n, 0) == 0);
        CHECK(draw_binomial(&d, n, 1) == n);
        double v = draw_binomial(&d, n, 0.25);
        CHECK(v >= 0 && v <= n && v == floor(v));
        WITHIN(fabs(v - n / 4), 6 * sqrt(n * 3 / 16) + 1);
    }
    Draws a = draws_of(1, RNG_THIN, 2, 3), b = a;
    CHECK(draw_binomial(&a, 500, 0.4) == draw_binomial(&b, 500, 0.4));
}

/* two of three, weights 1, 2, 5: the chance of each pair, by hand */
static void weights(void)
{
    enum { GENES = 30000 };
    double *x = NEW(double, 3 * GENES), *w = NEW(double, 3 * GENES);
    int *take = NEW(int, GENES), *chosen = NEW(int, 3 * GENES);
    for (int k = 0; k < 3 * GENES; k++) {
        x[k] = 1;
        w[k] = log(k / GENES == 0 ? 1 : k / GENES == 1 ? 2 : 5) - 700;
    }
    for (int g = 0; g < GENES; g++) take[g] = g % 3 ? 2 : 7 * (g % 2);
    Sparse s = sparse_of(x, GENES, 3);
    Arena a = new_arena();
    CHECK(mask_weighted(&a, &s, w, 1, take, 11, chosen) == ST_OK);
    double times[3] = { 0 }, n = 0,
           want[3] = { 5 / 8.0 * 2 / 3 + 2 / 8.0 * 5 / 6, 1 / 8.0 * 5 / 7 + 5 / 8.0 / 3,
                       1 / 8.0 * 2 / 7 + 2 / 8.0 / 6 };
    int wrong = 0;
    for (int g = 0; g < GENES; g++) {
        int sum = chosen[g] + chosen[GENES + g] + chosen[2 * GENES + g];
        wrong += sum != (take[g] > 3 ? 3 : take[g]);
        if (take[g] != 2) continue;
        n++;
        for (int c = 0; c < 3; c++) times[c] += !chosen[c * GENES + g];
    }
    CHECK(wrong == 0);
    for (int c = 0; c < 3; c++)
        WITHIN(fabs(times[c] / n - want[c]), 5 * sqrt(want[c] * (1 - want[c]) / n));
    Arena b = failing_arena(&(Grabs) { 0, 1 });
    CHECK(mask_weighted(&b, &s, w, 1, take, 11, chosen) == ST_NOMEM);
}

/* by cell, and: what an entry draws does not depend on the others */
static void alone(void)
{
    enum { G = 40, M = 12 };
    double *x = random_matrix(G, M, 0.5), whole[G * M], test[G * M], first[G * M], w[G * M] = { 0 };
    int take[M], chosen[G * M] = { 0 }, fewer[G * M] = { 0 };
    for (int k = 0; k < G * M; k++) x[k] = floor(fabs(x[k]) * 20);
    for (int c = 0; c < M; c++) take[c] = 4;
    memcpy(whole, x, sizeof whole);
    Sparse s = sparse_of(x, G, M);
    mask_thin(&s, 0.3, 5, test);
    Arena a = new_arena(), b = new_arena();
    CHECK(mask_weighted(&a, &s, w, 0, take, 5, chosen) == ST_OK);
    int n = 0, bad = 0;
    for (int c = 0; c < M; c++) {
        int k0 = s.p[c], sum = 0;
        for (int k = k0; k < s.p[c + 1]; k++, n++) {
            sum += chosen[k];
            bad += !(test[k] >= 0 && test[k] <= s.x[k]);
        }
        CHECK(sum == (s.p[c + 1] - k0 < 4 ? s.p[c + 1] - k0 : 4));
    }
    CHECK(bad == 0);
    Sparse half = s;
    half.ncol = M / 2;
    mask_thin(&half, 0.3, 5, first);
    SAME_BITS(first, test, half.p[M / 2]);
    CHECK(mask_weighted(&b, &half, w, 0, take, 5, fewer) == ST_OK);
    SAME_BITS(fewer, chosen, half.p[M / 2]);
    for (int k = 0; k < G * M; k++) if ((k % G) % 2) whole[k] = 0;  /* every second gene is gone */
    Sparse some = sparse_of(whole, G, M);
    mask_thin(&some, 0.3, 5, first);
    int differ = 0;
    for (int c = 0; c < M; c++)
        for (int k = some.p[c]; k < some.p[c + 1]; k++)
            for (int j = s.p[c]; j < s.p[c + 1]; j++)
                differ += s.i[j] == some.i[k] && test[j] != first[k];
    CHECK(differ == 0);
}

int main(void)
{
    RUN(binomials);
    RUN(weights);
    RUN(alone);
    return report("mask");
}
