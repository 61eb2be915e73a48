/* From counts to the model's matrix and back: the toy of the AutoImpute page, and literal definitions. */
#include "check.h"

/* g1..g4 of five cells */
static const double toy[20] = { 3, 3, 0, 1, 0, 3, 8, 1, 5, 3, 6, 1, 4, 0, 7, 1, 9, 1, 3, 1 };

static void toy_numbers(void)
{
    static const int detected[4] = { 4, 3, 4, 0 }, row[4] = { 1, 2, 0, -1 }, keep[4] = { 1, 1, 1, 0 };
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
        for (int c = 0; c < 5; c++) { v[c] = toy[4 * c + g] / totals[c] * 11; m += v[c] / 5; n += v[c] != 0; }
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

/* random counts with stored zeros, an empty gene and an empty cell, in a random order of some of the rows */
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
        for (int g = G - 1; g > 0; g--) { int j = below(g + 1), t = gene[g]; gene[g] = gene[j]; gene[j] = t; }
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
                if (row[g] >= 0) want[c * N + row[g]] = log_ == LOG_2 ? log2(v[c] + 1) : log_ == LOG_1P
                    ? log(v[c] + 1) : v[c];
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
                    pred[3 * c + row[g]] = from == LOG_2 ? log2(v + 1) : from == LOG_1P ? log1p(v) : v;
                }
            prep_restore(&s, 0, 5, pred, 3, row, size, ones, (Restore) { (Log) from, LOG_NONE, (Keep) k, 0 }, out);
            WITHIN(apart(out, toy, 20), 1e-12);
            prep_restore(&s, 2, 2, pred + 6, 3, row, size + 2, ones, (Restore) { (Log) from, LOG_NONE, (Keep) k, 0 },
                out);
            WITHIN(apart(out, toy + 8, 8), 1e-12);       /* some of the cells */
        }
}

/* one entry by the words of core.h */
static double restored(double count, double pred, int modelled, double in, double over, Restore how)
{
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
    double x[G * M], pred[N * M], in[M], over[M], out[G * M], want[G * M];
    for (int g = 0; g < G; g++) row[g] = g == 2 || g == 5 ? -1 : g < 2 ? 6 - g : g < 5 ? g - 3 : g - 4;
    for (int k = 0; k < 54; k++) {
        Restore how = { (Log) (k % 3), (Log) (k / 3 % 3), (Keep) (k / 9 % 3), k / 27 };
        for (int same = 0; same < 2; same++) {
            for (int j = 0; j < G * M; j++) x[j] = u01() < 0.5 ? below(20) : 0;
            for (int j = 0; j < N * M; j++) pred[j] = between(-1, 4);
            for (int c = 0; c < M; c++) { in[c] = between(0.5, 2); over[c] = same ? in[c] : between(0.5, 2); }
            in[3] = 0;                                   /* a cell without counts of the modelled genes */
            for (int g = 0; g < G; g++) if (row[g] >= 0) x[3 * G + g] = 0;
            for (int c = 0; c < M; c++)
                for (int g = 0; g < G; g++)
                    want[c * G + g] = restored(x[c * G + g], row[g] < 0 ? 0 : pred[c * N + row[g]], row[g] >= 0,
                        in[c], over[c], how);
            Sparse s = sparse_of(x, G, M);
            memset(out, 0xFF, sizeof out);
            prep_restore(&s, 0, M, pred, N, row, in, over, how, out);
            WITHIN(apart(out, want, G * M), 1e-12);
            for (int j = 0; j < G * M; j++) {
                if (how.nonneg) CHECK(out[j] >= 0);
                below_zero += out[j] < 0;
            }
        }
    }
    CHECK(below_zero > 10);                              /* a model's own log values may be */
}

static void scan(void)
{
    double x[6] = { 1, 2, 3, 4, 5, 6 }, largest;
    const int p[4] = { 0, 2, 2, 6 }, i[6] = { 0, 3, 0, 1, 2, 3 };
    Sparse s = { 4, 3, p, i, x };
    int row, col, whole;
    CHECK(prep_scan(&s, &row, &col, &whole, &largest) == CELLS_OK && whole && largest == 6);
    x[3] = 4.5;
    CHECK(prep_scan(&s, &row, &col, &whole, &largest) == CELLS_OK && !whole && largest == 6);
    x[5] = NAN;
    CHECK(prep_scan(&s, &row, &col, &whole, &largest) == CELLS_MISSING && row == 3 && col == 2);
    x[4] = -INFINITY;
    CHECK(prep_scan(&s, &row, &col, &whole, &largest) == CELLS_INFINITE && row == 2 && col == 2);
    x[2] = INFINITY;
    CHECK(prep_scan(&s, &row, &col, &whole, &largest) == CELLS_INFINITE && row == 0 && col == 2);
    x[1] = -1;
    CHECK(prep_scan(&s, &row, &col, &whole, &largest) == CELLS_NEGATIVE && row == 3 && col == 0);
    Sparse empty = { 4, 0, p, i, x };
    CHECK(prep_scan(&empty, &row, &col, &whole, &largest) == CELLS_OK && whole && largest == 0);
}

int main(void)
{
    RUN(toy_numbers);
    RUN(take_literally);
    RUN(round_trip);
    RUN(every_way_back);
    RUN(scan);
    return report("prep");
}
