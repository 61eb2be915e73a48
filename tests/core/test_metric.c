/* Metrics against their literal definitions. */
#include "check.h"

static void recovery(void)
{
    enum { N = 500, GROUPS = 5 };                        /* group 3: one entry, 4: none */
    double *t = NEW(double, N), *e = NEW(double, N);
    int *group = NEW(int, N);
    for (int grouped = 0; grouped < 2; grouped++)
        for (double far = 0; far < 2e6; far += 1e6) {    /* far from 0 sums of squares would cancel */
            int groups = grouped ? GROUPS : 1;
            double *sums = NEW(double, RECOVERY_SUMS * groups);
            Recovery out[GROUPS];
            for (int k = 0; k < N; k++) {
                t[k] = far + between(0, 5);
                e[k] = t[k] + between(-1, 1.5);
                group[k] = k == 77 ? 3 : below(3);
            }
            recovery_by_group(t, e, grouped ? group : NULL, N, groups, sums, out);
            for (int g = 0; g < groups; g++) {
                double dd = 0, ad = 0, tt = 0, mt = 0, me = 0, vt = 0, ve = 0, c = 0;
                int n = 0;
                for (int k = 0; k < N; k++) if (!grouped || group[k] == g) { n++; mt += t[k]; me += e[k]; }
                mt /= n; me /= n;
                for (int k = 0; k < N; k++)
                    if (!grouped || group[k] == g) {
                        dd += (t[k] - e[k]) * (t[k] - e[k]); ad += fabs(t[k] - e[k]); tt += t[k] * t[k];
                        vt += (t[k] - mt) * (t[k] - mt); ve += (e[k] - me) * (e[k] - me);
                        c += (t[k] - mt) * (e[k] - me);
                    }
                CHECK(out[g].n == (size_t) n);
                if (!n) {
                    CHECK(isnan(out[g].rmse) && isnan(out[g].mae) && isnan(out[g].nmse) && isnan(out[g].pearson));
                    continue;
                }
                NEAR(out[g].rmse, sqrt(dd / n), 1e-12);
                NEAR(out[g].mae, ad / n, 1e-12);
                NEAR(out[g].nmse / sqrt(dd / tt), 1, 1e-12);
                if (n > 1) NEAR(out[g].pearson, c / sqrt(vt * ve), 1e-9); else CHECK(isnan(out[g].pearson));
            }
        }
    double one[3] = { 2, 2, 2 }, other[3] = { 1, 2, 3 }, sums[RECOVERY_SUMS] = { 0 };
    Recovery r;
    recovery_by_group(one, other, NULL, 3, 1, sums, &r);
    CHECK(isnan(r.pearson));
    NEAR(r.rmse, sqrt(2 / 3.0), 1e-15);
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
    NEAR(got.ari, top == expected ? 1 : (both - expected) / (top - expected), 1e-12);
    double *table = NEW(double, n_a * n_b), *pa = NEW(double, n_a), *pb = NEW(double, n_b), ha = 0, hb = 0, hj = 0,
        mutual = 0;
    for (int k = 0; k < n; k++) { table[a[k] * n_b + b[k]] += 1.0 / n; pa[a[k]] += 1.0 / n; pb[b[k]] += 1.0 / n; }
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
}

static void partitions(void)
{
    enum { N = 120 };
    int a[N], b[N], same[N], own[N];
    for (int round = 0; round < 30; round++) {
        int n = 2 + below(N - 1), n_a = 1 + below(9), n_b = 1 + below(14);
        for (int k = 0; k < n; k++) { a[k] = below(n_a); b[k] = u01() < 0.5 ? a[k] % n_b : below(n_b); }
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
    double *x = NEW(double, n * d), *want = NEW(double, n), *got = NEW(double, n), *first = NEW(double, n);
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
                for (int k = 0; k < d; k++) q += (x[i * d + k] - x[j * d + k]) * (x[i * d + k] - x[j * d + k]);
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
    double same[6] = { 1, 1, 1, 1, 1, 1 }, width[3];     /* all in one place: neither near nor far */
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
            for (int c = 0; c < M; c++) if (group[c] == l) q += (x[c * G + g] - m) * (x[c * G + g] - m);
            NEAR(mean[l * G + g], m, 1e-12);
            if (g == 3 || size[l] == 1) CHECK(isnan(cv[l * G + g]));
            else NEAR(cv[l * G + g], sqrt(q / (size[l] - 1)) / m, 1e-12);
        }
    CHECK(size[2] == 1 && size[0] > 5 && size[1] > 5);
}

int main(void)
{
    RUN(recovery);
    RUN(partitions);
    RUN(silhouettes);
    RUN(variation);
    return report("metric");
}
