/* From counts to the model's matrix and back: the toy of the AutoImpute page, and literal
 * definitions. */
#include "check.h"
#include "prep.h"

/* g1..g4 of five cells */
static const double toy[20] = { 3, 3, 0, 1, 0, 3, 8, 1, 5, 3, 6, 1, 4, 0, 7, 1, 9, 1, 3, 1 };

static void toy_numbers(void)
{
    static const int detected[4] = { 4, 3, 4, 0 }, row[4] = { 1, 2, 0, -1 },
                     keep[4] = { 1, 1, 1, 0 };
    static const double totals[5] = { 6, 11, 14, 11, 13 };
    static const double logs[3][5] = { { 2.700440, 0, 2.301170, 2.321928, 3.106915 },
        { 2.700440, 2, 1.747234, 0, 0.884523 },
                                       { 0, 3.169925, 2.514573, 3, 1.823122 } };
    Sparse s = sparse_of(toy, 4, 5);
    int at_least[4], p[6], nonzero[4], i[15];
    double total[5], mean[4], var[4], x[15];
    prep_detected(&s, 3, at_least);
    SAME_BITS(at_least, detected, 4);
    prep_totals(&s, keep, total);
    SAME_BITS(total, totals, 5);
    prep_moments(&s, total, 11, mean, var, nonzero);
    for (int g = 0; g < 4; g++) {
        double v[5], m = 0, q = 0;
        int n = 0;
        for (int c = 0; c < 5; c++) {
            v[c] = toy[4 * c + g] / totals[c] * 11;
            m += v[c] / 5;
            n += v[c] != 0;
        }
        for (int c = 0; c < 5; c++) q += (v[c] - m) * (v[c] - m) / 4;
        NEAR(mean[g], m, 1e-12);
        NEAR(var[g], q, 1e-12);
        CHECK(nonzero[g] == n);
    }
    /* the new rows are not in the order of the old */
    prep_count_entries(&s, row, p);
    CHECK(p[0] == 0 && p[1] == 2 && p[2] == 4 && p[3] == 7 && p[4] == 9 && p[5] == 12);
    Arena a = new_arena();
    CHECK(prep_take(&a, &s, row, 3, total, 11, LOG_2, p, i, x) == ST_OK);
    Sparse out = { 3, 5, p, i, x };
    CHECK(sparse_check(&out, 12) == ST_OK);
    double dense[15] = { 0 };
    for (int c = 0; c < 5; c++) for (int k = p[c]; k < p[c + 1]; k++) dense[3 * c + i[k]] = x[k];
    for (int g = 0; g < 3; g++)
        for (int c = 0; c < 5; c++) {
            NEAR(dense[3 * c + row[g]], logs[g][c], 1e-6);
            NEAR(dense[3 * c + row[g]], log2(toy[4 * c + g] / totals[c] * 11 + 1), 1e-12);
        }
}

/* random counts with stored zeros, an empty gene and an empty cell, in a random order of some of
 * the rows */
static void take_literally(void)
{
    enum { G = 30, M = 20, N = 22 };
    for (int how = 0; how < 6; how++) {
        double *x = NEW(double, G * M), total[M], mean[G], var[G], want[N * M];
        int row[G], keep[G], gene[G], p[M + 1], nonzero[G], at_least[G];
        for (int k = 0; k < G * M; k++) x[k] = u01() < 0.3 ? 1 + below(50) : 0;
        for (int c = 0; c < M; c++) x[c * G + 7] = 0;
        for (int g = 0; g < G; g++) x[4 * G + g] = 0;
        Sparse s = sparse_of(x, G, M);
        double *values = NEW(double, s.p[M]);
        memcpy(values, s.x, (size_t) s.p[M] * sizeof *values);
        s.x = values;
        for (int k = 3; k < s.p[M]; k += 11) {           /* zeros that are stored count as zeros */
            int c = 0;
            while (s.p[c + 1] <= k) c++;
            values[k] = 0;
            x[c * G + s.i[k]] = 0;
        }
        for (int g = 0; g < G; g++) { gene[g] = g; row[g] = -1; }
        for (int g = G - 1; g > 0; g--) {
            int j = below(g + 1), t = gene[g];
            gene[g] = gene[j];
            gene[j] = t;
        }
        for (int r = 0; r < N; r++) row[gene[r]] = r;
        for (int g = 0; g < G; g++) keep[g] = row[g] >= 0;
        Log log_ = (Log) (how % 3);
        double target = how < 3 ? 40 : 0;
        prep_totals(&s, keep, total);
        prep_detected(&s, 5, at_least);
        prep_moments(&s, total, target, mean, var, nonzero);
        for (int g = 0; g < G; g++) {
            double m = 0, q = 0, v[M];
            int seen = 0, n = 0;
            for (int c = 0; c < M; c++) {
                double t = 0;
                for (int k = 0; k < G; k++) if (keep[k]) t += x[c * G + k];
                if (g == 0) CHECK(total[c] == t);
                v[c] = target > 0 ? (t > 0 ? x[c * G + g] / t * target : 0) : x[c * G + g];
                if (row[g] >= 0)
                    want[c * N + row[g]] = log_ == LOG_2    ? log2(v[c] + 1)
                                           : log_ == LOG_1P ? log(v[c] + 1)
                                                            : v[c];
                m += v[c] / M; seen += x[c * G + g] >= 5; n += v[c] != 0;
            }
            for (int c = 0; c < M; c++) q += (v[c] - m) * (v[c] - m) / (M - 1);
            NEAR(mean[g], m, 1e-12);
            NEAR(var[g], q, 1e-12);
            CHECK(at_least[g] == seen && nonzero[g] == n);
        }
        prep_count_entries(&s, row, p);
        int *i = NEW(int, p[M]);
        double *y = NEW(double, p[M]), *dense = NEW(double, N * M);
        Arena a = new_arena();
        CHECK(prep_take(&a, &s, row, N, total, target, log_, p, i, y) == ST_OK);
        Sparse out = { N, M, p, i, y };
        CHECK(sparse_check(&out, (size_t) p[M]) == ST_OK);
        for (int c = 0; c < M; c++)
            for (int k = p[c]; k < p[c + 1]; k++) { dense[c * N + i[k]] = y[k]; CHECK(y[k] != 0); }
        WITHIN(apart(dense, want, N * M), 1e-12);
    }
}

static void round_trip(void)
{
    static const int row[4] = { 1, 2, 0, -1 }, keep[4] = { 1, 1, 1, 0 };
    Sparse s = sparse_of(toy, 4, 5);
    double total[5], size[5], ones[5] = { 1, 1, 1, 1, 1 }, pred[15], out[20];
    prep_totals(&s, keep, total);
    for (int c = 0; c < 5; c++) size[c] = total[c] / 11;
    for (int from = 0; from < 3; from++)
        for (int k = 0; k < 3; k++) {
            for (int c = 0; c < 5; c++)
                for (int g = 0; g < 3; g++) {
                    double v = toy[4 * c + g] / size[c];
                    pred[3 * c + row[g]] = from == LOG_2    ? log2(v + 1)
                                           : from == LOG_1P ? log1p(v)
                                                            : v;
                }
            prep_restore(&s, 0, 5, pred, 3, row, size, NULL, ones,
                         (Restore) { (Log) from, LOG_NONE, (Keep) k, 0, 0 }, out);
            WITHIN(apart(out, toy, 20), 1e-12);
            prep_restore(&s, 2, 2, pred + 6, 3, row, size + 2, NULL, ones,
                         (Restore) { (Log) from, LOG_NONE, (Keep) k, 0, 0 }, out);
            WITHIN(apart(out, toy + 8, 8), 1e-12);       /* some of the cells */
        }
}

/* one entry by the words of core.h */
static double restored(double count, double pred, int modelled, double in, double over, Restore how)
{
    if (how.least > 0 && pred < how.least) pred = 0;
    double seen = count / over, v = 0;
    if (how.to == LOG_2) seen = log2(seen + 1);
    if (how.to == LOG_1P) seen = log1p(seen);
    if (!modelled) return seen;
    if (in > 0) {
        if (how.to == how.from && how.to != LOG_NONE && in == over) v = pred;
        else {
            v = how.from == LOG_2 ? pow(2, pred) - 1 : how.from == LOG_1P ? exp(pred) - 1 : pred;
            v = (v > 0 ? v : 0) * in / over;
            v = how.to == LOG_2 ? log2(v + 1) : how.to == LOG_1P ? log(v + 1) : v;
        }
    }
    if (how.nonneg && v < 0) v = 0;
    if (count > 0 && (how.keep == KEEP_OBSERVED || (how.keep == KEEP_MAX && seen > v))) return seen;
    return v;
}

static void every_way_back(void)
{
    enum { G = 9, M = 6, N = 7 };
    int row[G], below_zero = 0;
    double x[G * M], pred[N * M], in[M], over[M], by[M], out[G * M], want[G * M];
    for (int g = 0; g < G; g++)
        row[g] = g == 2 || g == 5 ? -1 : g < 2 ? 6 - g : g < 5 ? g - 3 : g - 4;
    for (int k = 0; k < 54; k++) {
        Restore how = { (Log) (k % 3), (Log) (k / 3 % 3), (Keep) (k / 9 % 3), k / 27,
                        k % 2 ? 0.5 : 0 };
        for (int same = 0; same < 2; same++) {
            for (int j = 0; j < G * M; j++) x[j] = u01() < 0.5 ? below(20) : 0;
            for (int j = 0; j < N * M; j++) pred[j] = between(-1, 4);
            for (int c = 0; c < M; c++) {
                in[c] = between(0.5, 2);
                over[c] = same ? in[c] : between(0.5, 2);
                by[c] = k % 4 ? between(0.5, 2) : 1;
            }
            in[3] = 0;  /* a cell without counts of the modelled genes */
            for (int g = 0; g < G; g++) if (row[g] >= 0) x[3 * G + g] = 0;
            for (int c = 0; c < M; c++)
                for (int g = 0; g < G; g++)
                    want[c * G + g] = restored(x[c * G + g],
                                               row[g] < 0 ? 0 : by[c] * pred[c * N + row[g]],
                                               row[g] >= 0, in[c], over[c], how);
            Sparse s = sparse_of(x, G, M);
            memset(out, 0xFF, sizeof out);
            prep_restore(&s, 0, M, pred, N, row, in, k % 4 ? by : NULL, over, how, out);
            double most[M], largest[M] = { 0 };
            prep_largest(&s, most);
            for (int j = 0; j < G * M; j++) largest[j / G] = fmax(largest[j / G], x[j]);
            CHECK(!memcmp(most, largest, sizeof most));
            WITHIN(apart(out, want, G * M), 1e-12);
            for (int j = 0; j < G * M; j++) {
                if (how.nonneg) CHECK(out[j] >= 0);
                below_zero += out[j] < 0;
            }
        }
    }
    CHECK(below_zero > 10);                              /* a model's own log values may be */
}

/* ---- nearest genes ---- */

/* cor(), its mean and sd those of the definition */
static double cor(const double *x, int G, int M, int a, int b)
{
    double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
    for (int c = 0; c < M; c++) { ma += x[c * G + a] / M; mb += x[c * G + b] / M; }
    for (int c = 0; c < M; c++) {
        double u = x[c * G + a] - ma, v = x[c * G + b] - mb;
        aa += u * u; bb += v * v; ab += u * v;
    }
    return ab / sqrt(aa * bb);
}

typedef struct { Sparse x, by_gene; double *mean, *sd; int *candidate, *set; } Genes;
static Genes genes_of(const double *x, int G, int M)
{
    double *t = NEW(double, G * M);
    for (int c = 0; c < M; c++) for (int g = 0; g < G; g++) t[g * M + c] = x[c * G + g];
    Genes n = { sparse_of(x, G, M), sparse_of(t, M, G), NEW(double, G),
                NEW(double, G),     NEW(int, G),        NEW(int, G) };
    int *nonzero = NEW(int, G);
    prep_moments(&n.x, NULL, 0, n.mean, n.sd, nonzero);
    for (int g = 0; g < G; g++) { n.sd[g] = sqrt(n.sd[g]); n.candidate[g] = 1; n.set[g] = -1; }
    return n;
}
static void nearest(const Genes *n, int top, const int *targets, int n_targets, int threads,
                    int *gene, double *r)
{
    Arena a = new_arena();
    Nearest how = { n->mean, n->sd, n->candidate, n->set, top };
    CHECK(
        prep_nearest(&a, &n->x, &n->by_gene, &how, targets, n_targets, threads, any_tick(), gene, r)
        == ST_OK);
}

/* g1..g4 of the DeepImpute page */
static void nearest_of_the_page(void)
{
    static const double x[16] = { 1, 2, 4, 0, 2, 4, 3, 1, 3, 6, 2, 0, 4, 9, 1, 1 };
    static const int targets[4] = { 1, 0, 2, 3 }, first[4] = { 0, 2, 0, 1 },
                     second[4] = { 2, 1, 1, 0 };
    static const double r1[4] = { 0.994376712684, 1, 1, 0.483368244523 },
                        r2[4] = { 0.994376712684, 0.994376712684, 0.994376712684, 0.4472135955 };
    Genes n = genes_of(x, 4, 4);
    int gene[12];
    double r[12];
    nearest(&n, 3, targets, 4, 1, gene, r);
    for (int k = 0; k < 4; k++) {
        /* g1 and g3 are opposite: for g2 (first) and g4 (last place) they tie but for rounding */
        if (k == 0) CHECK(gene[0] + gene[1] == 2 && gene[0] != gene[1]);
        else CHECK(gene[3 * k] == first[k] && (k == 3 || gene[3 * k + 1] == second[k]));
        NEAR(fabs(r[3 * k]), r1[k], 1e-9);
        NEAR(fabs(r[3 * k + 1]), r2[k], 1e-9);
    }
    CHECK(r[3] < 0 && r[6] < 0);
    n.set[0] = n.set[1] = 0;  /* the targets g2, g1: what is left is g3, then g4 */
    nearest(&n, 2, targets, 2, 1, gene, r);
    CHECK(gene[0] == 2 && gene[1] == 3 && gene[2] == 2 && gene[3] == 3);
    nearest(&n, 3, targets, 1, 1, gene, r);
    CHECK(gene[0] == 2 && gene[1] == 3 && gene[2] == -1 && isnan(r[2]));
}

static void nearest_literally(void)
{
    enum { G = 40, M = 30, TOP = 5 };
    for (int kind = 0; kind < 4; kind++) {
        double *x = NEW(double, G * M), most = 0;
        int targets[G], n_targets = 0, ties = 0, short_of = 0, constants = 0;
        for (int k = 0; k < G * M; k++) x[k] = u01() < 0.4 ? 1 + below(kind == 1 ? 2 : 30) : 0;
        for (int c = 0; c < M; c++) {
            x[c * G + 3] = x[c * G + 8] = x[c * G + 30];             /* copies: ties to the bit */
            x[c * G + 21] = x[c * G + 12];
            x[c * G + 5] = 2; x[c * G + 6] = 0;                      /* constant */
        }
        Genes n = genes_of(x, G, M);
        for (int g = 0; g < G; g++) {
            n.set[g] = kind == 2 ? g % 3 - 1 : kind == 3 ? g % 2 : -1;
            if (kind == 2) n.candidate[g] = g % 5 != 0;
            if (kind == 3) n.candidate[g] = g < 8;
            if (g % 3 != 2 || g < 9) targets[n_targets++] = g;
        }
        int *gene = NEW(int, TOP * n_targets), *again = NEW(int, TOP * n_targets);
        double *r = NEW(double, TOP * n_targets), *r2 = NEW(double, TOP * n_targets);
        n_ticks = 0;
        nearest(&n, TOP, targets, n_targets, 1, gene, r);
        CHECK(n_ticks > 1);
        for (int k = 0; k < n_targets; k++) {
            int g = targets[k], used[G] = { 0 };
            for (int j = 0; j < TOP; j++) {
                int at = gene[k * TOP + j], left = 0;
                double best = -1;
                for (int b = 0; b < G; b++) {
                    if (used[b] || !n.candidate[b] || b == g
                        || (n.set[b] >= 0 && n.set[b] == n.set[g]))
                        continue;
                    double v = fabs(cor(x, G, M, g, b));
                    best = fmax(best, isnan(v) ? 0 : v);
                    left++;
                }
                if (!left) { CHECK(at == -1 && isnan(r[k * TOP + j])); short_of++; continue; }
                CHECK(at >= 0 && at < G && at != g && n.candidate[at] && !used[at]
                      && !(n.set[g] >= 0 && n.set[at] == n.set[g]));
                if (at < 0) continue;
                double v = cor(x, G, M, g, at);
                constants += isnan(v);
                most = fmax(most, fmax(fabs(r[k * TOP + j] - (isnan(v) ? 0 : v)),
                                       fabs(fabs(r[k * TOP + j]) - best)));
                used[at] = 1;
                /* a copy with a lower index would have been taken */
                for (int b = 0; b < at; b++) {
                    int copy = !memcmp(&n.sd[b], &n.sd[at], sizeof *n.sd);
                    for (int c = 0; c < M && copy; c++) copy = x[c * G + b] == x[c * G + at];
                    if (!copy || b == g || !n.candidate[b]
                        || (n.set[b] >= 0 && n.set[b] == n.set[g]))
                        continue;
                    CHECK(used[b]);
                    ties++;
                }
            }
        }
        WITHIN(most, 1e-12);
        CHECK(kind == 3 ? short_of > 0 : short_of == 0 && ties > 0);
        /* only of constant targets, or where nothing else is left */
        CHECK(constants > 0);
        for (int threads = 2; threads <= 4; threads += 2) {
            nearest(&n, TOP, targets, n_targets, threads, again, r2);
            SAME_BITS(again, gene, TOP * n_targets);
            SAME_BITS(r2, r, TOP * n_targets);
        }
        /* r is 0 where one of the two does not vary; the first candidates then */
        for (int k = 0; k < n_targets; k++)
            for (int j = 0; j < TOP; j++) {
                int at = gene[k * TOP + j];
                if (at < 0) continue;
                int still = n.sd[at] == 0 || n.sd[targets[k]] == 0;
                CHECK(still ? r[k * TOP + j] == 0 : r[k * TOP + j] != 0);
                if (j && n.sd[targets[k]] == 0) CHECK(at > gene[k * TOP + j - 1]);
            }
    }
    enum { MANY = 300 };                                 /* long enough for threads to meet */
    int *all = NEW(int, MANY), *gene1 = NEW(int, 2 * MANY), *gene4 = NEW(int, 2 * MANY);
    double *r1 = NEW(double, 2 * MANY), *r4 = NEW(double, 2 * MANY);
    Genes big = genes_of(random_matrix(MANY, 100, 0.4), MANY, 100);
    for (int g = 0; g < MANY; g++) all[g] = g;
    nearest(&big, 2, all, MANY, 1, gene1, r1);
    for (int threads = 2; threads <= 4; threads += 2) {
        nearest(&big, 2, all, MANY, threads, gene4, r4);
        SAME_BITS(gene4, gene1, 2 * MANY);
        SAME_BITS(r4, r1, 2 * MANY);
    }
    Arena a = failing_arena(&(Grabs) { 0, 1 });
    double x[4] = { 1, 2, 3, 5 }, r[1];
    Genes n = genes_of(x, 2, 2);
    int gene[1], target = 0;
    Nearest how = { n.mean, n.sd, n.candidate, n.set, 1 };
    CHECK(prep_nearest(&a, &n.x, &n.by_gene, &how, &target, 1, 1, any_tick(), gene, r) == ST_NOMEM);
}

int main(void)
{
    RUN(nearest_of_the_page);
    RUN(nearest_literally);
    RUN(toy_numbers);
    RUN(take_literally);
    RUN(round_trip);
    RUN(every_way_back);
    return report("prep");
}
