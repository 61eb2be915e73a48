/* Metrics of values against their literal definitions. */
#include "metric_plain.h"

static void ranks_and_distributions(void)
{
    enum { N = 217 };
    double x[N], y[N], rank[N], got;
    int truth[N], group[N];
    for (int round = 0; round < 6; round++) {
        for (int k = 0; k < N; k++) {
            x[k] = round % 2 ? below(9) : between(0, 1);
            y[k] = round % 2 ? below(12) : between(0.1, 1.1);
            truth[k] = k < 2 ? k : u01() < 0.3;
            group[k] = below(4);
        }
        Arena a = new_arena();
        CHECK(midranks_by_group(&a, x, group, N, 5, rank) == ST_OK);          /* group 4 is empty */
        for (int k = 0; k < N; k++) CHECK(rank[k] == rank_of(x, group, group[k], N, k));
        CHECK(midranks_by_group(&a, x, NULL, N, 1, rank) == ST_OK);
        for (int k = 0; k < N; k++) CHECK(rank[k] == rank_of(x, NULL, 0, N, k));
        double won = 0, pairs = 0, most = 0;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                if (truth[i] && !truth[j]) {
                    pairs++;
                    won += x[i] > x[j] ? 1 : x[i] == x[j] ? 0.5 : 0;
                }
        CHECK(roc_auc(&a, x, truth, N, &got) == ST_OK);
        NEAR(got, won / pairs, 1e-14);
        int n_y = round < 2 ? N : 1 + below(N);
        for (int k = 0; k < N + n_y; k++) {
            double at = k < N ? x[k] : y[k - N], fx = 0, fy = 0;
            for (int i = 0; i < N; i++) fx += x[i] <= at;
            for (int i = 0; i < n_y; i++) fy += y[i] <= at;
            most = fmax(most, fabs(fx / N - fy / n_y));
        }
        CHECK(ks_statistic(&a, x, N, y, (size_t) n_y, &got) == ST_OK);
        NEAR(got, most, 1e-14);
    }
}

static void inequality(void)
{
    enum { G = 9, M = 50 };
    double *x = random_matrix(M, G, 0.5), got[G];
    for (int c = 0; c < M; c++) { x[3 * M + c] = 0; x[4 * M + c] = 7; }
    Sparse by_gene = sparse_of(x, M, G);
    Arena a = new_arena();
    CHECK(gini(&a, &by_gene, 1e-8, got) == ST_OK);
    for (int g = 0; g < G; g++) {                        /* mean difference over twice the mean */
        double apart = 0, sum = 0;
        for (int i = 0; i < M; i++) {
            sum += x[g * M + i] + 1e-8;
            for (int j = 0; j < M; j++) apart += fabs(x[g * M + i] - x[g * M + j]);
        }
        NEAR(got[g], apart / (2 * M * sum), 1e-12);
    }
    CHECK(got[3] == 0);
}

static void losses(void)
{
    enum { G = 14, M = 30 };
    double *y = random_matrix(G, M, 0.5), *m = random_matrix(G, M, 1), theta[G];
    for (int g = 0; g < G; g++) theta[g] = between(0.05, 4);
    for (int k = 0; k < G * M; k++) if (y[k] > 0) y[k] = ceil(3 * y[k]);
    Sparse s = sparse_of(y, G, M);
    double poisson = 0, nb = 0, loss = 0;
    for (int k = 0; k < G * M; k++) {
        double log_y = y[k] > 0 ? y[k] * log(y[k] / m[k]) : 0, th = theta[k % G];
        poisson += 2 * (log_y - (y[k] - m[k])) / (G * M);
        nb += 2 * (log_y - (y[k] + th) * log((y[k] + th) / (m[k] + th))) / (G * M);
        loss += (m[k] - y[k] * log(m[k] + 1e-6)) / (G * M);
    }
    NEAR(count_loss(&s, m, COUNT_POISSON, NULL, 0, 0, any_tick()), poisson, 1e-12);
    NEAR(count_loss(&s, m, COUNT_NB, theta, G, 0, any_tick()), nb, 1e-12);
    NEAR(count_loss(&s, m, COUNT_LOSS, NULL, 0, 1e-6, any_tick()), loss, 1e-12);
    double huge = INFINITY;
    NEAR(count_loss(&s, m, COUNT_NB, &huge, 1, 0, any_tick()), poisson, 1e-12);
    huge = 1e20;
    NEAR(count_loss(&s, m, COUNT_NB, &huge, 1, 0, any_tick()), poisson, 1e-12);
    /* on both sides of where the series ends: (y - m)^2 / 2m (1 - ...) */
    for (double d = 1e-9; d < 0.3; d *= 4) {
        double want = d * d / 2
                      * (1 - d / 3 + d * d / 6 - d * d * d / 10 + d * d * d * d / 15
                         - d * d * d * d * d / 21);
        NEAR(half_deviance(1 + d, 1, d) / want, 1, d < 0.1 ? 1e-6 : 1e-3);
    }
    CHECK(half_deviance(0, 2, -2) == 2 && half_deviance(0, 0, 0) == 0
          && isinf(half_deviance(1, 0, 1)));
    CHECK(isfinite(half_deviance(1e308, 1e308, 0)));
}

int main(void)
{
    RUN(ranks_and_distributions);
    RUN(inequality);
    RUN(losses);
    return report("metric_values");
}
