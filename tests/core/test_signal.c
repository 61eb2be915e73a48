/* Ranks, their agreement within groups, and shuffled genes, against their literal definitions. */
#include "check.h"
#include "metric.h"

static void literal_ranks(const double *v, size_t n, double *rank, double *ties)
{
    *ties = 0;
    for (size_t k = 0; k < n; k++) {
        double less = 0, same = 0;
        for (size_t j = 0; j < n; j++) { less += v[j] < v[k]; same += v[j] == v[k]; }
        rank[k] = less + (same + 1) / 2;
        *ties += same * same - 1;                        /* t members of t^2 - 1 each */
    }
}

static void ranks(void)
{
    enum { G = 7, M = 60 };
    double x[G * M], got[G * M], ties[G], v[M], want[M], t;
    size_t room[2 * M];
    for (int k = 0; k < G * M; k++) x[k] = floor(between(0, 1 + 3 * (k % G)));
    Arena a = new_arena();
    CHECK(gene_ranks(&a, x, G, M, any_tick(), got, ties) == ST_OK);
    for (int g = 0; g < G; g++) {
        for (int c = 0; c < M; c++) v[c] = x[c * G + g];
        literal_ranks(v, M, want, &t);
        NEAR(ties[g], t, 0);
        for (int c = 0; c < M; c++) NEAR(got[c * G + g], want[c], 0);
    }
    double near[5] = { 1, 1 + 1e-9, -1, 1 + 2e-3, -1 - 1e-9 }, r[5];
    NEAR(midranks(near, 5, 1e-6, room, r), 12, 0);
    CHECK(r[0] == 3.5 && r[1] == 3.5 && r[2] == 1.5 && r[4] == 1.5 && r[3] == 5);
    CHECK(midranks(near, 5, 0, room, r) == 0 && r[4] == 1 && r[2] == 2);
    Arena b = failing_arena(&(Grabs) { 0, 1 });
    CHECK(gene_ranks(&b, x, G, M, any_tick(), got, ties) == ST_NOMEM);
}

static void agreement_of_ranks(void)
{
    enum { G = 9, M = 80, GROUPS = 3, LEAST = 5 };
    double *x = random_matrix(M, G, 0.6), after[G * M], rho[G * GROUPS];
    int group[M], n[G * GROUPS];
    for (int c = 0; c < M; c++) group[c] = c % 4 - 1;
    for (int c = 0; c < M; c++)
        for (int g = 0; g < G; g++)
            x[g * M + c] = floor(fabs(x[g * M + c]) * 4 + (x[g * M + c] != 0));
    for (int c = 0; c < M; c++) { x[3 * M + c] = 2; x[4 * M + c] = c < 6 ? 1 : 0; }
    Sparse s = sparse_of(x, M, G);
    for (int k = 0; k < s.p[G]; k++) after[k] = floor(s.x[k] + between(0, 3));
    for (int k = s.p[5]; k < s.p[6]; k++) after[k] = 1;
    Arena a = new_arena();
    CHECK(rank_agreement(&a, &s, after, group, GROUPS, LEAST, rho, n) == ST_OK);
    for (int g = 0; g < G; g++)
        for (int l = 0; l < GROUPS; l++) {
            double u[M], v[M], r[M], q[M], t, uu = 0, vv = 0, uv = 0;
            size_t m = 0;
            for (int k = s.p[g]; k < s.p[g + 1]; k++)
                if (group[s.i[k]] == l) { u[m] = s.x[k]; v[m++] = after[k]; }
            literal_ranks(u, m, r, &t);
            literal_ranks(v, m, q, &t);
            for (size_t k = 0; k < m; k++) {
                double d = r[k] - ((double) m + 1) / 2, e = q[k] - ((double) m + 1) / 2;
                uu += d * d; vv += e * e; uv += d * e;
            }
            CHECK(n[l * G + g] == (int) m);
            if (m < LEAST || uu == 0) CHECK(isnan(rho[l * G + g]));
            else NEAR(rho[l * G + g], vv > 0 ? uv / sqrt(uu * vv) : 0, 1e-12);
        }
    CHECK(isnan(rho[3]) && isnan(rho[4]) && rho[5] == 0);
    Arena b = failing_arena(&(Grabs) { 0, 1 });
    CHECK(rank_agreement(&b, &s, after, group, GROUPS, LEAST, rho, n) == ST_NOMEM);
}

static void shuffles(void)
{
    enum { G = 3, M = 6, TIMES = 12000 };
    double x[G * M] = { 1, 2, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0,  1, 2, 3, 4, 5, 6 };
    Sparse s = sparse_of(x, M, G);
    int i[8], first[8], seen[M * M] = { 0 }, bad = 0, moved = 0;
    for (uint64_t seed = 1; seed <= TIMES; seed++) {
        Arena a = new_arena();
        bad += shuffle_genes(&a, &s, seed, i) != ST_OK || i[0] == i[1];
        int all = 0;
        for (int k = 2; k < 8; k++) all |= 1 << i[k];
        bad += all != (1 << M) - 1;
        for (int k = 0; k < 8; k++) bad += i[k] < 0 || i[k] >= M;
        seen[i[0] * M + i[1]]++;
        moved += seed > 1 && memcmp(i, first, sizeof i);
        if (seed == 1) memcpy(first, i, sizeof i);
    }
    CHECK(bad == 0);
    CHECK(moved > TIMES / 2);
    double chi = 0, want = TIMES / (double) (M * (M - 1));
    for (int k = 0; k < M * M; k++)
        if (k / M != k % M) chi += (seen[k] - want) * (seen[k] - want) / want;
    WITHIN(chi, 29 + 5 * sqrt(2.0 * 29));
    Arena b = failing_arena(&(Grabs) { 0, 1 });
    CHECK(shuffle_genes(&b, &s, 1, i) == ST_NOMEM);
}

static void welch(void)
{
    enum { G = 5, M = 30 };
    double x[G * M], t[G], df[G], m1[G], m2[G];
    int second[M];
    for (int c = 0; c < M; c++) {
        second[c] = c % 3 == 0;
        for (int g = 0; g < G; g++)
            x[c * G + g] = (g == 1 ? 1e6 : 0) + between(-1, 2) * (1 + second[c]);
        x[c * G + 3] = 0.1;
        x[c * G + 4] = second[c];
    }
    gene_welch(x, G, M, second, t, df, m1, m2);
    for (int g = 0; g < 3; g++) {
        long double m[2] = { 0 }, v[2] = { 0 }, n[2] = { 20, 10 };
        for (int c = 0; c < M; c++) m[second[c]] += x[c * G + g] / n[second[c]];
        for (int c = 0; c < M; c++)
            v[second[c]] += (x[c * G + g] - m[second[c]]) * (x[c * G + g] - m[second[c]]);
        for (int k = 0; k < 2; k++) v[k] /= n[k] * (n[k] - 1);
        long double sum = v[0] + v[1];
        NEAR(m1[g], m[0], 1e-15);
        NEAR(m2[g], m[1], 1e-15);
        NEAR(t[g], (m[0] - m[1]) / sqrtl(sum), 1e-9);
        NEAR(df[g], sum * sum / (v[0] * v[0] / 19 + v[1] * v[1] / 9), 1e-9);
    }
    CHECK(isnan(t[3]) && isnan(df[3]) && isnan(t[4]) && m2[4] == 1);
    gene_welch(x, G, 4, second, t, df, m1, m2);          /* cells 0 and 3 against 1 and 2 */
    CHECK(isfinite(t[0]));
    gene_welch(x, G, 3, second, t, df, m1, m2);          /* one cell on a side */
    CHECK(isnan(t[0]) && isnan(df[0]) && isfinite(m2[0]));
}

int main(void)
{
    RUN(ranks);
    RUN(agreement_of_ranks);
    RUN(shuffles);
    RUN(welch);
    return report("signal");
}
