/* Metrics of recovery and of clusterings against their literal definitions. */
#include "metric_plain.h"

static double pearson(const double *x, const double *y, int n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int k = 0; k < n; k++) { mx += x[k] / n; my += y[k] / n; }
    for (int k = 0; k < n; k++) {
        xx += (x[k] - mx) * (x[k] - mx);
        yy += (y[k] - my) * (y[k] - my);
        xy += (x[k] - mx) * (y[k] - my);
    }
    return xy / sqrt(xx * yy);
}

static void recovery(void)
{
    enum { N = 500, GROUPS = 5 };                        /* group 3: one entry, 4: none */
    double *t = NEW(double, N), *e = NEW(double, N), *one = NEW(double, N), *other = NEW(double, N),
           *rank_1 = NEW(double, N), *rank_2 = NEW(double, N);
    int *group = NEW(int, N);
    for (int grouped = 0; grouped < 2; grouped++)
        for (double far = 0; far < 2e6; far += 1e6) {  /* far from 0 sums of squares would cancel */
            int groups = grouped ? GROUPS : 1;
            Recovery out[GROUPS];
            for (int k = 0; k < N; k++) {
                t[k] = far + (k % 3 ? between(0, 5) : below(5));
                e[k] = t[k] + between(-1, 1.5);
                if (k % 7 == 0) e[k] = far;
                group[k] = k == 77 ? 3 : below(3);
            }
            Arena a = new_arena();
            const int *by = grouped ? group : NULL;
            CHECK(recovery_by_group(&a, t, e, by, N, groups, out) == ST_OK);
            for (int g = 0; g < groups; g++) {
                double dd = 0, ad = 0, tt = 0;
                int n = 0;
                for (int k = 0; k < N; k++)
                    if (!grouped || group[k] == g) {
                        dd += (t[k] - e[k]) * (t[k] - e[k]);
                        ad += fabs(t[k] - e[k]);
                        tt += t[k] * t[k];
                        one[n] = t[k]; other[n] = e[k];
                        rank_1[n] = rank_of(t, by, g, N, k); rank_2[n++] = rank_of(e, by, g, N, k);
                    }
                CHECK(out[g].n == (size_t) n);
                if (!n) {
                    CHECK(isnan(out[g].rmse) && isnan(out[g].mse) && isnan(out[g].mae)
                          && isnan(out[g].nmse));
                    CHECK(isnan(out[g].pearson) && isnan(out[g].spearman));
                    continue;
                }
                NEAR(out[g].rmse, sqrt(dd / n), 1e-12);
                NEAR(out[g].mse, dd / n, 1e-12);
                NEAR(out[g].mae, ad / n, 1e-12);
                NEAR(out[g].nmse / sqrt(dd / tt), 1, 1e-12);
                if (n > 1) {
                    NEAR(out[g].pearson, pearson(one, other, n), 1e-9 * (far > 0) + 1e-12);
                    NEAR(out[g].spearman, pearson(rank_1, rank_2, n), 1e-12);
                } else CHECK(isnan(out[g].pearson) && isnan(out[g].spearman));
            }
        }
    double flat[3] = { 2, 2, 2 }, rising[3] = { 1, 2, 3 };
    Recovery r;
    Arena a = new_arena();
    CHECK(recovery_by_group(&a, flat, rising, NULL, 3, 1, &r) == ST_OK);
    CHECK(isnan(r.pearson) && isnan(r.spearman));
    NEAR(r.rmse, sqrt(2 / 3.0), 1e-15);
}

/* E I by factorials; by_size[.]: items of each class */
static double chance(const int *size_a, int n_a, const int *size_b, int n_b, int n)
{
    double sum = 0;
    for (int i = 0; i < n_a; i++)
        for (int j = 0; j < n_b; j++)
            for (int k = 1; k <= size_a[i] && k <= size_b[j]; k++) {
                double s = size_a[i], t = size_b[j], N = n;
                if (s + t - k > N) continue;
                sum += k / N * log(N * k / (s * t))
                    * exp(lgamma(s + 1) + lgamma(t + 1) + lgamma(N - s + 1) + lgamma(N - t + 1)
                          - lgamma(N + 1) - lgamma(k + 1.0) - lgamma(s - k + 1) - lgamma(t - k + 1)
                          - lgamma(N - s - t + k + 1));
            }
    return sum;
}

/* every map of row i.. to columns not taken (or to none) */
static double best_of(const double *table, int rows, int cols, int i, int taken)
{
    if (i == rows) return 0;
    double best = best_of(table, rows, cols, i + 1, taken);
    for (int j = 0; j < cols; j++)
        if (!(taken >> j & 1))
            best = fmax(best,
                        table[i * cols + j] + best_of(table, rows, cols, i + 1, taken | 1 << j));
    return best;
}

static void compare_partitions(const int *a, int n_a, const int *b, int n_b, int n)
{
    Agreement got;
    Arena m = new_arena();
    CHECK(agreement(&m, a, n_a, b, n_b, (size_t) n, &got) == ST_OK);
    double both = 0, in_a = 0, in_b = 0, all = n * (n - 1) / 2.0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) {
            both += a[i] == a[j] && b[i] == b[j];
            in_a += a[i] == a[j];
            in_b += b[i] == b[j];
        }
    double expected = in_a * in_b / all, top = (in_a + in_b) / 2;
    CHECK(got.both == both && got.in_a == in_a && got.in_b == in_b);
    NEAR(got.ari, top == expected ? 1 : (both - expected) / (top - expected), 1e-12);
    double *table = NEW(double, n_a *n_b), *pa = NEW(double, n_a), *pb = NEW(double, n_b), ha = 0,
           hb = 0, hj = 0, mutual = 0;
    for (int k = 0; k < n; k++) {
        table[a[k] * n_b + b[k]] += 1.0 / n;
        pa[a[k]] += 1.0 / n;
        pb[b[k]] += 1.0 / n;
    }
    for (int i = 0; i < n_a; i++) if (pa[i] > 0) ha -= pa[i] * log(pa[i]);
    for (int j = 0; j < n_b; j++) if (pb[j] > 0) hb -= pb[j] * log(pb[j]);
    for (int i = 0; i < n_a; i++)
        for (int j = 0; j < n_b; j++) {
            double v = table[i * n_b + j];
            if (v > 0) { hj -= v * log(v); mutual += v * log(v / (pa[i] * pb[j])); }
        }
    NEAR(got.entropy_a, ha, 1e-12);
    NEAR(got.entropy_b, hb, 1e-12);
    NEAR(got.joint, hj, 1e-12);
    NEAR(got.mutual, mutual, 1e-12);
    CHECK(got.mutual >= 0);
    int *size_a = NEW(int, n_a), *size_b = NEW(int, n_b), used_a = 0, used_b = 0;
    double hits = 0, by_chance, matched;
    for (int i = 0; i < n_a; i++) {
        double most = 0;
        for (int j = 0; j < n_b; j++) {
            most = fmax(most, table[i * n_b + j]);
            table[i * n_b + j] *= n;
        }
        hits += most * n;
        if (pa[i] > 0) size_a[used_a++] = (int) lround(pa[i] * n);
    }
    for (int j = 0; j < n_b; j++) if (pb[j] > 0) size_b[used_b++] = (int) lround(pb[j] * n);
    NEAR(got.hits, hits, 1e-12);
    CHECK(expected_mutual(&m, size_a, used_a, size_b, used_b, any_tick(), &by_chance) == ST_OK);
    NEAR(by_chance, chance(size_a, used_a, size_b, used_b, n), 1e-11);
    CHECK(best_matching(&m, a, n_a, b, n_b, (size_t) n, any_tick(), &matched) == ST_OK);
    if ((n_a < n_b ? n_a : n_b) <= 5 && n_a + n_b < 14)
        NEAR(matched, best_of(table, n_a, n_b, 0, 0), 1e-12);
    CHECK(matched <= got.hits && matched > 0);
    if (a == b) CHECK(matched == n);
}

static void partitions(void)
{
    enum { N = 120 };
    int a[N], b[N], same[N], own[N];
    for (int round = 0; round < 30; round++) {
        int n = 2 + below(N - 1), n_a = 1 + below(9), n_b = 1 + below(14);
        for (int k = 0; k < n; k++) {
            a[k] = below(n_a);
            b[k] = u01() < 0.5 ? a[k] % n_b : below(n_b);
        }
        compare_partitions(a, n_a, b, n_b, n);
        compare_partitions(b, n_b, a, n_a, n);
        compare_partitions(a, n_a, a, n_a, n);
    }
    for (int k = 0; k < N; k++) { same[k] = 0; own[k] = k; a[k] = below(9); }
    compare_partitions(same, 1, same, 1, N);
    compare_partitions(own, N, own, N, N);
    compare_partitions(same, 1, own, N, N);
    compare_partitions(a, 9, same, 1, N);
}

/* n items of d dimensions; label 5 is empty, label 4 has one member */
static void compare_silhouette(int n, int d, int n_labels)
{
    double *x = NEW(double, n *d), *want = NEW(double, n), *got = NEW(double, n),
           *first = NEW(double, n);
    int *label = NEW(int, n);
    for (int i = 0; i < n; i++) {
        label[i] = n_labels > 4 ? (i == 0 ? 4 : below(4)) : below(n_labels);
        for (int k = 0; k < d; k++) x[i * d + k] = between(0, 3) + (k == 0 ? label[i] : 0);
    }
    if (n > 3) memcpy(x + d, x + 2 * d, (size_t) d * sizeof *x);
    for (int i = 0; i < n; i++) {
        double own = 0, other = INFINITY;
        int size = 0;
        for (int l = 0; l < n_labels; l++) {
            double sum = 0;
            int m = 0;
            for (int j = 0; j < n; j++) {
                if (label[j] != l) continue;
                double q = 0;
                for (int k = 0; k < d; k++)
                    q += (x[i * d + k] - x[j * d + k]) * (x[i * d + k] - x[j * d + k]);
                sum += sqrt(q);
                m++;
            }
            if (l == label[i]) { size = m; own = sum / (m - 1); }
            else if (m && sum / m < other) other = sum / m;
        }
        want[i] = size < 2 || isinf(other) ? 0 : (other - own) / fmax(other, own);
    }
    for (int threads = 1; threads <= 4; threads *= 2) {
        Arena a = new_arena();
        CHECK(silhouette(&a, x, n, d, label, n_labels, threads, any_tick(), got) == ST_OK);
        WITHIN(apart(got, want, (size_t) n), 1e-12);
        if (threads == 1) memcpy(first, got, (size_t) n * sizeof *got);
        SAME_BITS(got, first, n);
    }
}

static void silhouettes(void)
{
    compare_silhouette(300, 5, 6);
    compare_silhouette(150, 1, 3);
    compare_silhouette(16, 33, 2);
    compare_silhouette(40, 2, 1);
    compare_silhouette(2, 3, 5);
    double same[6] = { 1, 1, 1, 1, 1, 1 }, width[3];  /* all in one place: neither near nor far */
    int label[3] = { 0, 0, 1 };
    Arena a = new_arena();
    CHECK(silhouette(&a, same, 3, 2, label, 2, 1, any_tick(), width) == ST_OK);
    CHECK(width[0] == 0 && width[1] == 0 && width[2] == 0);
}

static void variation(void)
{
    enum { G = 12, M = 40, GROUPS = 3 };
    double *x = random_matrix(G, M, 0.5), mean[G * GROUPS], cv[G * GROUPS];
    int group[M], size[GROUPS] = { 0 };
    for (int c = 0; c < M; c++) {
        group[c] = c == 5 ? 2 : c % 3 - 1;
        if (group[c] >= 0) size[group[c]]++;
    }
    for (int c = 0; c < M; c++) x[c * G + 3] = 0;        /* a gene nobody has */
    for (int c = 0; c < M; c++) x[c * G + 4] = 2;        /* and one all have alike */
    Sparse s = sparse_of(x, G, M);
    gene_cv(&s, group, GROUPS, size, mean, cv);
    for (int l = 0; l < GROUPS; l++)
        for (int g = 0; g < G; g++) {
            double m = 0, q = 0;
            for (int c = 0; c < M; c++) if (group[c] == l) m += x[c * G + g] / size[l];
            for (int c = 0; c < M; c++)
                if (group[c] == l) q += (x[c * G + g] - m) * (x[c * G + g] - m);
            NEAR(mean[l * G + g], m, 1e-12);
            if (g == 3 || size[l] == 1) CHECK(isnan(cv[l * G + g]));
            else NEAR(cv[l * G + g], sqrt(q / (size[l] - 1)) / m, 1e-12);
        }
    CHECK(size[2] == 1 && size[0] > 5 && size[1] > 5);
}

/* correlations of listed pairs, and of one out of each stretch of them */
static void correlations(void)
{
    enum { G = 37, M = 80 };
    double *x = random_matrix(G, M, 0.6), mean[M], norm[M];
    for (int g = 0; g < G; g++) {
        x[5 * G + g] = 0;
        x[6 * G + g] = 0.1;
        x[7 * G + g] = 3 - 2 * x[8 * G + g];
    }
    Sparse s = sparse_of(x, G, M);
    cell_norms(&s, mean, norm);
    CHECK(norm[5] == 0 && norm[6] == 0);
    int cell[M], lo[M], hi[M], n = 0, total = 0;
    for (int c = M - 1; c >= 0; c--)
        if (norm[c] > 0) {
            cell[n] = c;
            lo[n] = n % 3 ? 0 : n / 2;
            hi[n] = n;
            total += hi[n] - lo[n];
            n++;
        }
    CHECK(n == M - 2 && total > 1500);
    double *want = NEW(double, total), *got = NEW(double, total);
    for (int j = 0, k = 0; j < n; j++)
        for (int i = lo[j]; i < hi[j]; i++)
            want[k++] = pearson(x + cell[j] * G, x + cell[i] * G, G);
    Pairs p = { cell, lo, hi, n };
    for (int threads = 1; threads < 4; threads++) {
        Arena a = new_arena();
        CHECK(pair_correlations(&a, &s, mean, norm, &p, 9, threads, any_tick(), got, (size_t) total)
              == ST_OK);
        WITHIN(apart(got, want, (size_t) total), 1e-12);
        /* a stretch is longer than a pair: all come from their own stretch */
        int m = 1400, at = 0;
        CHECK(pair_correlations(&a, &s, mean, norm, &p, 9, threads, any_tick(), got, (size_t) m)
              == ST_OK);
        for (int k = 0; k < m; k++) {
            int end = (int) ((double) (k + 1) * total / m);
            for (at = (int) ((double) k * total / m); at < end && fabs(got[k] - want[at]) > 1e-12;
                 at++) {}
            CHECK(at <= end && at < total && fabs(got[k] - want[at]) < 1e-12);
        }
    }
}

int main(void)
{
    RUN(recovery);
    RUN(partitions);
    RUN(silhouettes);
    RUN(variation);
    RUN(correlations);
    return report("metric");
}
