/* The simulator: draws against their distributions, and what a simulated matrix promises. */
#include "check.h"
#include "sim.h"

static Draws luck_of(uint32_t item) { return draws_of(7, RNG_SIMULATE, 99, item); }

static void substreams(void)
{
    double u[2], v[2];
    rng_pair(5, RNG_MASK, 0, 3, u);
    CHECK(u[0] == rng_unif(5, RNG_MASK, 3));
    rng_pair(5, RNG_MASK, 1, 3, v);
    CHECK(u[0] != v[0] && u[1] != v[1] && u[0] != u[1]);
    Draws a = draws_of(5, RNG_SIMULATE, 2, 3), b = draws_of(5, RNG_SIMULATE, 2, 4),
          c = draws_of(5, RNG_SIMULATE, 3, 3);
    double first = draw_unif(&a);
    CHECK(first != draw_unif(&b) && first != draw_unif(&c) && first != draw_unif(&a));
    a = draws_of(5, RNG_SIMULATE, 2, 3);
    CHECK(first == draw_unif(&a));
    const int n = 100000;                                /* one substream is as good as many */
    double m = 0, q = 0, lag = 0, last = 0;
    for (int k = 0; k < n; k++) {
        double z = draw_normal(&a);
        m += z;
        q += z * z;
        lag += z * last;
        last = z;
    }
    WITHIN(fabs(m / n), 5 / sqrt(n));
    WITHIN(fabs(q / n - 1), 5 * sqrt(2.0 / n));
    WITHIN(fabs(lag / n), 5 / sqrt(n));
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* distribution functions of gamma with shape k or k + 1/2, k = 0, 1, ... */
static double p_gamma(double x, double shape)
{
    int half = fmod(shape, 1) > 0;
    double s = half ? 0.5 : 1, p = half ? erf(sqrt(x)) : 1 - exp(-x);
    /* x^s e^-x / Gamma(s + 1) */
    double term = half ? 2 * sqrt(x / acos(-1)) * exp(-x) : x * exp(-x);
    for (; s < shape; s++, term *= x / s) p -= term;
    return p;
}

static void gamma_draws(void)
{
    static const double shapes[] = { 0.05, 0.5, 0.6, 1, 1.5, 2, 3.3, 30, 1e6, 1e13 };
    enum { N = 40000 };
    double *x = NEW(double, N);
    for (int j = 0; j < 10; j++) {
        double k = shapes[j], m = 0, q = 0, most = 0;
        for (uint32_t i = 0; i < N; i++) {
            Draws d = luck_of(i);
            x[i] = draw_gamma(&d, k);
            m += (x[i] - k) / N;
            q += (x[i] - k) * (x[i] - k) / N;
        }
        WITHIN(fabs(m), 5 * sqrt(k / N));
        WITHIN(fabs(q - k), 5 * sqrt((2 * k * k + 6 * k) / N));
        if (fmod(2 * k, 1) != 0 || k > 30) continue;
        qsort(x, N, sizeof *x, rising);
        for (int i = 0; i < N; i++) most = fmax(most, fabs(p_gamma(x[i], k) - (i + 0.5) / N));
        WITHIN(most * sqrt(N), 1.95);                    /* Kolmogorov and Smirnov, p = 0.001 */
    }
    static const double edges[] = { 0, 1e-310, 1e-12, 1e30, 1e150 };
    for (int j = 0; j < 5; j++) {
        int wrong = 0;
        for (uint32_t i = 0; i < 1000; i++) {
            Draws d = luck_of(i);
            double g = draw_gamma(&d, edges[j]);
            wrong += !(j < 3 ? g >= 0 && g < 1 : fabs(g / edges[j] - 1) < 1e-13);
        }
        CHECK(!wrong);
    }
}

static void poisson_draws(void)
{
    static const double means[] = { 0.01, 0.7, 4, 9.999, 10, 12.5, 60, 3000 };
    enum { N = 40000, K = 8192 };
    int *seen = NEW(int, K);
    for (int j = 0; j < 8; j++) {
        memset(seen, 0, K * sizeof *seen);
        double expected = 0, got = 0, chi = 0, all = 0;
        int df = -1, wrong = 0;
        for (uint32_t i = 0; i < N; i++) {
            Draws d = luck_of(i);
            double k = draw_poisson(&d, means[j]);
            if (k >= 0 && k < K && k == floor(k)) seen[(int) k]++; else wrong++;
        }
        CHECK(!wrong);
        /* neighbours together until 20 are expected, the rest last */
        for (int k = 0; k < K; k++) {
            expected += N * exp(k * log(means[j]) - means[j] - lgamma(k + 1.0));
            got += seen[k];
            if (expected < 20 || N - all - expected < 20) continue;
            chi += (got - expected) * (got - expected) / expected;
            all += expected;
            expected = got = 0;
            df++;
        }
        expected = N - all;
        chi += (got - expected) * (got - expected) / expected;
        df++;
        WITHIN(chi, df + 3.1 * sqrt(2.0 * df) + 6);
        if (df > 5) CHECK(chi > df - 3.5 * sqrt(2.0 * df));
    }
    static const double large[] = { 1e7, 1e12, 1e15 };
    for (int j = 0; j < 3; j++) {
        double m = 0, q = 0, third = 0;
        for (uint32_t i = 0; i < N; i++) {
            Draws d = luck_of(i);
            double z = (draw_poisson(&d, large[j]) - large[j]) / sqrt(large[j]);
            m += z / N; q += z * z / N; third += z * z * z / N;
        }
        WITHIN(fabs(m), 5 / sqrt(N));
        WITHIN(fabs(q - 1), 5 * sqrt(2.0 / N));
        WITHIN(fabs(third), 5 * sqrt(15.0 / N));
    }
    static const double huge[] = { 1e18, 1e40, 1e200 };
    for (int j = 0; j < 3; j++) {
        double most = 0;
        for (uint32_t i = 0; i < 1000; i++) {
            Draws d = luck_of(i);
            most = fmax(most, fabs(draw_poisson(&d, huge[j]) / huge[j] - 1));
        }
        WITHIN(most, 1e-8);
    }
    Draws d = luck_of(0);
    CHECK(draw_poisson(&d, 0) == 0 && draw_poisson(&d, 1e-300) == 0);
}

static const double halves[] = { 0.25, 0, 0.75, 0 };
static const Splat usual = { 0.6, 0.3, 0.05, 4, 0.5, 8, 0.2, 0.1, 0.1, 0.4, 0.1, 60, -1, 0 };

static Simulated room_for(int genes, int cells, int threads)
{
    size_t G = (size_t) genes, M = (size_t) cells;
    return (Simulated) { .genes = genes,
                        .cells = cells,
                        .groups = 4,
                        .group_prob = halves,
                        .seed = 11,
                        .threads = threads,
                        .mean = NEW(double, G),
                        .outlier = NEW(double, G),
                        .de = NEW(double, 4 * G),
                        .group = NEW(int, M),
                        .size = NEW(double, M),
                        .rate = NEW(double, G *M),
                        .true_p = NEW(int, M + 1),
                        .count_p = NEW(int, M + 1) };
}

static Sparse taken(const Simulated *s, int after)
{
    const int *p = after ? s->count_p : s->true_p;
    int *i = NEW(int, p[s->cells]);
    double *x = NEW(double, p[s->cells]);
    splat_take(s, after, i, x);
    return (Sparse) { s->genes, s->cells, p, i, x };
}

static void one_matrix(void)
{
    enum { G = 3000, M = 200 };                          /* several blocks of cells */
    Simulated s = room_for(G, M, 1);
    Arena a = new_arena();
    n_ticks = 0;
    CHECK(splat_draw(&a, &usual, &s, any_tick()) == ST_OK);
    CHECK(s.blocks > 2 && n_ticks == s.blocks);
    Sparse true_ = taken(&s, 0), kept = taken(&s, 1);
    CHECK(sparse_check(&true_, (size_t) s.true_p[M]) == ST_OK
          && sparse_check(&kept, (size_t) s.count_p[M]) == ST_OK);
    CHECK(s.count_p[M] < s.true_p[M] && s.count_p[M] > 0);
    int wrong = 0;
    for (int c = 0, k = 0; c < M; c++) {
        /* what is kept is as it was, in its order */
        for (int j = true_.p[c]; j < true_.p[c + 1]; j++) {
            wrong += !(true_.x[j] >= 1 && true_.x[j] == floor(true_.x[j])
                       && s.rate[c * G + true_.i[j]] > 0);
            if (k < kept.p[c + 1] && kept.i[k] == true_.i[j]) {
                wrong += kept.x[k] != true_.x[j];
                k++;
            }
        }
        wrong += k != kept.p[c + 1] || (s.group[c] != 0 && s.group[c] != 2);
    }
    CHECK(!wrong);
    for (int threads = 2; threads < 4; threads++) {
        Simulated t = room_for(G, M, threads);
        CHECK(splat_draw(&a, &usual, &t, any_tick()) == ST_OK);
        Sparse again = taken(&t, 1);
        SAME_BITS(again.x, kept.x, kept.p[M]);
        SAME_BITS(again.i, kept.i, kept.p[M]);
        SAME_BITS(t.count_p, s.count_p, M + 1);
        SAME_BITS(t.true_p, s.true_p, M + 1);
        SAME_BITS(t.rate, s.rate, G * M);
        SAME_BITS(t.de, s.de, 4 * G);
        SAME_BITS(t.size, s.size, M);
    }
    Splat no_dropout = usual;
    no_dropout.dropout_shape = NAN;
    /* the first cells are the same, and so are the true counts */
    Simulated fewer = room_for(G, 30, 1);
    CHECK(splat_draw(&a, &no_dropout, &fewer, any_tick()) == ST_OK);
    SAME_BITS(fewer.true_p, s.true_p, 31);
    SAME_BITS(fewer.count_p, s.true_p, 31);
    SAME_BITS(taken(&fewer, 1).x, true_.x, s.true_p[30]);
}

static void edges(void)
{
    Arena a = new_arena();
    Splat extreme = usual;
    for (int k = 0; k < 4; k++) {
        extreme.lib_location = k & 1 ? 50 : -50;
        extreme.bcv_common = k & 2 ? 100 : 0;
        extreme.lib_scale = extreme.outlier_scale = extreme.de_scale = 10;
        extreme.outlier_prob = extreme.de_prob = 0.5;
        extreme.mean_shape = 0.01;
        extreme.bcv_df = 1;
        Simulated s = room_for(50, 40, 1);
        CHECK(splat_draw(&a, &extreme, &s, any_tick()) == ST_OK);
        CHECK(all_finite(s.rate, 2000) && all_finite(s.de, 200) && all_finite(s.mean, 50));
        Sparse x = taken(&s, 0);
        CHECK(sparse_check(&x, (size_t) s.true_p[40]) == ST_OK);
    }
    Simulated one = room_for(1, 1, 3);
    CHECK(splat_draw(&a, &usual, &one, any_tick()) == ST_OK && one.true_p[1] <= 1);
}

static Status small(Arena *a)
{
    Simulated s = room_for(20, 10, 1);
    return splat_draw(a, &usual, &s, any_tick());
}
static void memory(void) { CHECK(each_fails(small) == 7); }

int main(void)
{
    RUN(substreams);
    RUN(gamma_draws);
    RUN(poisson_draws);
    RUN(one_matrix);
    RUN(edges);
    RUN(memory);
    return report("simulate");
}
