/* Predictions against held-out molecules, and how disputed cells are among partitions: against
 * their definitions in loops. */
#include "check.h"
#include "metric.h"
#include "scinn.h"

enum { GENES = 23, CELLS = 11 };

/* of two vectors, `step` apart; NaN where one is constant */
static double pearson(const double *x, const double *y, int n, int step)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int k = 0; k < n; k++) { mx += x[k * step] / n; my += y[k * step] / n; }
    for (int k = 0; k < n; k++) {
        double a = x[k * step] - mx, b = y[k * step] - my;
        xx += a * a;
        yy += b * b;
        xy += a * b;
    }
    return xx > 1e-10 && yy > 1e-10 ? xy / sqrt(xx * yy) : NAN;
}

static void near_or_nan(double got, double want)
{
    if (isnan(want)) CHECK(isnan(got));
    else NEAR(got, want, 1e-9);
}

/* log1p of columns that are scaled to 10,000 */
static void normalised(const double *x, double *out)
{
    for (int c = 0; c < CELLS; c++) {
        double all = 0;
        for (int g = 0; g < GENES; g++) all += x[c * GENES + g];
        for (int g = 0; g < GENES; g++)
            out[c * GENES + g] = all > 0 ? log1p(x[c * GENES + g] * 1e4 / all) : 0;
    }
}

static void against_molecules(void)
{
    enum { ALL = GENES * CELLS };
    const double scale = 0.25, eps = 1e-3;
    double *y = NEW(double, ALL), *p = NEW(double, ALL);
    double *ly = NEW(double, ALL), *lp = NEW(double, ALL);
    for (int k = 0; k < ALL; k++) {
        y[k] = u01() < 0.5 ? 1 + below(6) : 0;
        p[k] = between(0, 8);
    }
    for (int g = 0; g < GENES; g++) {
        y[4 * GENES + g] = 0;                              /* a cell without held-out molecules */
        p[6 * GENES + g] = 0;                              /* one of which nothing is expected */
        p[7 * GENES + g] = 3;                              /* one where all genes are the same */
    }
    for (int c = 0; c < CELLS; c++) y[c * GENES + 9] = 0;  /* a gene without */
    Sparse test = sparse_of(y, GENES, CELLS);
    normalised(y, ly);
    normalised(p, lp);
    double want[4] = { 0 };
    for (int k = 0; k < ALL; k++) {
        want[0] += p[k] * scale - y[k] * log(p[k] * scale + eps);
        want[1] += y[k] - y[k] * log(y[k] + eps);
        want[2] += (lp[k] - ly[k]) * (lp[k] - ly[k]);
        want[3]++;
    }
    static const int sizes[] = { CELLS, 4, 1 };            /* blocks add up to the whole */
    for (int b = 0; b < 3; b++) {
        double gene[5 * GENES] = { 0 }, cell[CELLS], sums[4] = { 0 }, r[GENES];
        for (int from = 0; from < CELLS; from += sizes[b]) {
            int n = CELLS - from < sizes[b] ? CELLS - from : sizes[b];
            split_add(&test, from, n, p + from * GENES, scale, eps, gene, cell + from, sums);
        }
        for (int k = 0; k < 4; k++) NEAR(sums[k], want[k], 1e-10);
        for (int c = 0; c < CELLS; c++)
            near_or_nan(cell[c], pearson(lp + c * GENES, ly + c * GENES, GENES, 1));
        CHECK(isnan(cell[4]) && isnan(cell[6]) && isnan(cell[7]) && !isnan(cell[5]));
        split_pearson(gene, GENES, CELLS, r);
        for (int g = 0; g < GENES; g++) near_or_nan(r[g], pearson(lp + g, ly + g, CELLS, GENES));
        CHECK(isnan(r[9]) && !isnan(r[8]));
        split_pearson(gene, GENES, 1, r);                  /* of one cell nothing can be said */
        CHECK(isnan(r[8]));
    }
}

/* 4 p (1 - p) of the pairs of a pattern, weighted by how often there are others, towards 0.01 */
static void disputed(void)
{
    enum { M = 7, P = 5 };
    int label[M * P];
    double times[M], n = 0, w[M], again[M];
    for (int k = 0; k < M * P; k++) label[k] = 1 + below(3);
    for (int p = 0; p < P; p++) label[p * M + 1] = label[p * M];    /* nobody parts these two */
    for (int a = 0; a < M; a++) { times[a] = 1 + below(9); n += times[a]; }
    scinn_disputed(label, times, M, P, 1, w);
    for (int a = 0; a < M; a++) {
        double sum = 0;
        for (int b = 0; b < M; b++) {
            double share = 0;
            for (int p = 0; p < P; p++) share += label[p * M + a] == label[p * M + b];
            share /= P;
            sum += times[b] / n * 4 * share * (1 - share);
        }
        NEAR(w[a], (sum + 0.01) / 1.01, 1e-12);
    }
    scinn_disputed(label, times, M, P, 3, again);
    SAME_BITS(again, w, M);
    for (int k = 0; k < M * P; k++) label[k] = 1 + k / M;           /* all partitions agree */
    scinn_disputed(label, times, M, P, 1, w);
    for (int a = 0; a < M; a++) NEAR(w[a], 0.01 / 1.01, 1e-12);
}

int main(void)
{
    RUN(against_molecules);
    RUN(disputed);
    return report("split");
}
