/* The quick priors: logarithms, nearest cells beside all distances, leading vectors beside the
 * exact ones, and what the posterior is told beside each model's own prediction. */
#include "fitting.h"
#include "core_log.h"
#include "mf.h"
#include "prior.h"
#include "stack.h"

static void logarithms(void)
{
    double worst = 0, worst_log = 0;
    for (int k = 0; k < 20000; k++) {
        double v = between(-600, 600), e = exp(v);
        worst = fmax(worst, fabs(exp_of(v) / e - 1));
        worst_log = fmax(worst_log, fabs(log_of(e) - v) / fmax(1e-3, fabs(v)));
        v = between(0.5, 2);
        WITHIN(fabs(log_of(v) - log(v)), 3e-16);
    }
    WITHIN(worst, 6e-16);
    WITHIN(worst_log, 1e-13);
    CHECK(exp_of(0) == 1 && log_of(1) == 0);
    CHECK(isnan(log_of(0)) && isnan(log_of(-1)) && isnan(log_of(INFINITY)) && isnan(log_of(NAN)));
    CHECK(isnan(exp_of(NAN)) && exp_of(-1e9) > 0 && isfinite(exp_of(1e9)));
}

/* All distances, the least first. */
static void nearest(const Places *p, const double *q, int self, int k, int *want)
{
    char *taken = NEW(char, p->cells);
    for (int n = 0; n < k; n++) {
        double least = INFINITY;
        want[n] = -1;
        for (int j = 0; j < p->cells; j++) {
            double far = 0;
            for (int d = 0; d < p->dims; d++)
                far += (q[d] - p->scores[j * p->dims + d]) * (q[d] - p->scores[j * p->dims + d]);
            if (j + 1 == self || taken[j] || !(p->totals[j] > 0) || !(far < least)) continue;
            least = far;
            want[n] = j;
        }
        if (want[n] < 0) continue;
        taken[want[n]] = 1;
    }
}

static void neighbours(void)
{
    /* coordinates of all kinds: any; few values, so that many are equally far; far from 0 */
    for (int kind = 0; kind < 3; kind++)
        for (int cells = 3; cells < 700; cells = cells * 6 + 1) {
            enum { N = 60, DIMS = 5 };
            double *scores = NEW(double, cells *DIMS), *q = NEW(double, N *DIMS),
                   *totals = NEW(double, cells);
            int *self = NEW(int, N), *want = NEW(int, 40), *one = NEW(int, N * 40),
                *two = NEW(int, N * 40);
            for (int k = 0; k < cells * DIMS; k++)
                scores[k] = kind == 1 ? below(2) : between(-1, 1) + (kind == 2 ? 1e4 : 0);
            for (int j = 0; j < cells; j++) totals[j] = j % 11 != 10;
            for (int c = 0; c < N; c++) {
                self[c] = c % 2 ? 1 + below(cells) : 0;
                for (int d = 0; d < DIMS; d++)
                    q[c * DIMS + d] = self[c] ? scores[(self[c] - 1) * DIMS + d]
                                      : kind == 1 ? below(2)
                                                  : between(-1, 1) + (kind == 2 ? 1e4 : 0);
            }
            Places p = { cells, DIMS, scores, totals };
            Arena a = new_arena();
            for (int k = 1; k <= 40; k += 13) {
                CHECK(near_find(&a, &p, q, self, N, k, 1, any_tick(), one) == ST_OK);
                CHECK(near_find(&a, &p, q, self, N, k, 2, any_tick(), two) == ST_OK);
                SAME_BITS(one, two, N * k);
                for (int c = 0; c < N; c++) {
                    nearest(&p, q + c * DIMS, self[c], k, want);
                    SAME_BITS(one + c * k, want, k);
                }
            }
            q[0] = NAN;                                  /* nowhere */
            self[0] = 0;
            CHECK(near_find(&a, &p, q, self, N, 2, 1, any_tick(), one) == ST_OK);
            CHECK(one[0] == -1 && one[1] == -1);
            clear();
        }
}

/* How much of the matrix the vectors hold beside the exact ones. */
static void leading(void)
{
    enum { G = 330, M = 260, R = 12 };
    const double *x = random_matrix(G, M, 0.4);
    Sparse y = sparse_of(x, G, M);
    double *u = NEW(double, G *R), *v = NEW(double, G *R), s[R], t[R];
    Arena a = new_arena();
    int passes;
    SvdTask task = { .y = &y, .r = R, .seed = 3, .threads = 1, .tick = any_tick() };
    CHECK(mf_svd(&a, &task, v, t, &passes) == ST_OK);
    CHECK(mf_leading(&a, &task, u, s) == ST_OK);
    for (int k = 0; k < R; k++) {
        NEAR(s[k] / t[k], 1, 1e-3);
        for (int j = 0; j <= k; j++) {
            double dot = 0;
            for (int g = 0; g < G; g++) dot += u[g * R + j] * u[g * R + k];
            NEAR(dot, j == k, 1e-6);
        }
    }
    for (int g = 0; g < G; g++) {                            /* the others are those of noise */
        NEAR(u[g * R], v[g * R], 1e-6);
        NEAR(u[g * R + 1], v[g * R + 1], 1e-3);
    }
    double *again = NEW(double, G *R);
    task.threads = 2;
    CHECK(mf_leading(&a, &task, again, t) == ST_OK);
    SAME_BITS(u, again, G * R);
    /* fewer columns than vectors are looked among: exact */
    Sparse few = y;
    few.ncol = 100;
    task.y = &few;
    CHECK(mf_leading(&a, &task, u, s) == ST_OK);
    CHECK(mf_svd(&a, &task, v, t, &passes) == ST_OK);
    SAME_BITS(u, v, G * R);
    clear();
}

/* ---- what the posterior is told ---- */

enum { GENES = 40, CELLS = 30, FITTED = 25, DIMS = 7 };

typedef struct {
    const double *x, *fitted, *turn, *mean;
    double usual, totals[FITTED];
    int near[CELLS * 9];
} World;

static double total_of(const double *x, int c)
{
    double t = 0;
    for (int g = 0; g < GENES; g++) t += x[c * GENES + g];
    return t;
}

/* The expectation of prior k of the five of told() for gene g of cell c. */
static double expected(const World *w, int k, int g, int c)
{
    double own = total_of(w->x, c), size = own / w->usual, v = 0, pool = 0, total = 0;
    int n = k == 1 ? 3 : k == 2 ? 7 : k == 3 ? 4 : 9;
    if (k == 0) return size * w->mean[g];
    if (k < 3) {
        for (int d = 0; d < n; d++) {
            double z = 0;
            for (int h = 0; h < GENES; h++)
                z += w->turn[d * GENES + h] * log1p(w->x[c * GENES + h] / size);
            v += z * w->turn[d * GENES + g];
        }
        return v > 0 ? size * expm1(v) : 0;
    }
    for (int j = 0; j < n && w->near[c * 9 + j] >= 0; j++) {
        pool += w->fitted[w->near[c * 9 + j] * GENES + g];
        total += w->totals[w->near[c * 9 + j]];
    }
    return total > 0 ? own * pool / total : 0;
}

static Pool pool_of(World *w, int small)
{
    static uint32_t words[FITTED * GENES];
    static Packed packed[FITTED * GENES];
    static int p[FITTED + 1];
    int n = 0;
    for (int c = 0; c < FITTED; c++) {
        for (int g = 0; g < GENES; g++) {
            double v = w->fitted[c * GENES + g];
            if (!(v > 0)) continue;
            words[n] = (uint32_t) g << SMALL_BITS | (uint32_t) v;
            packed[n++] = (Packed) { g, (float) v };
        }
        p[c + 1] = n;
        w->totals[c] = total_of(w->fitted, c);
    }
    return (Pool) { GENES, FITTED, p, small ? words : NULL, packed, w->totals };
}

static double *whole_counts(int cells)
{
    double *x = random_matrix(GENES, cells, 0.5);
    for (int k = 0; k < GENES * cells; k++) x[k] = x[k] > 0 ? 1 + floor(4 * x[k]) : 0;
    return x;
}

static void told(void)
{
    World w = { whole_counts(CELLS), whole_counts(FITTED), NULL, NULL, 50, { 0 }, { 0 } };
    double *turn = NEW(double, GENES *DIMS), *mean = NEW(double, GENES);
    for (int k = 0; k < GENES * DIMS; k++) turn[k] = between(-0.4, 0.6);
    for (int g = 0; g < GENES; g++) mean[g] = between(0, 3);
    for (int k = 0; k < CELLS * 9; k++) w.near[k] = k % 9 > 5 && k < 90 ? -1 : below(FITTED);
    w.turn = turn;
    w.mean = mean;
    Sparse s = sparse_of(w.x, GENES, CELLS);
    double *by_row = NEW(double, GENES *DIMS), *scores = NEW(double, DIMS *CELLS);
    by_rows(turn, GENES, DIMS, by_row);
    cell_scores(&s, 0, CELLS, w.usual, by_row, DIMS, 2, scores);
    const Prior prior[] = { { PRIOR_MEAN, mean, 0 }, { PRIOR_SVD, NULL, 3 }, { PRIOR_SVD, NULL, 7 },
                            { PRIOR_NEAR, NULL, 4 }, { PRIOR_NEAR, NULL, 9 } };
    for (int small = 0; small < 2; small++) {
        Pool pool = pool_of(&w, small);
        Priors p = { 5, prior, &s, NULL, GENES, w.usual, DIMS, 9, turn, scores, w.near, &pool,
                     NULL };
        double *scratch = NEW(double, priors_scratch(&p) + 1), *all = NEW(double, 5 * GENES),
               *at = NEW(double, 5 * 3);
        const int genes[] = { 2, 17, 39 };
        for (int c = 0; c < CELLS; c++) {
            priors_of_cell(&p, c, 1.1, scratch, all);
            for (int k = 0; k < 5; k++)
                for (int g = 0; g < GENES; g++)
                    NEAR(all[k * GENES + g], log(expected(&w, k, g, c) / 1.1 + 1e-3), 1e-11);
            priors_at(&p, c, genes, 3, by_row, scratch, at, 3);
            for (int k = 0; k < 5; k++)
                for (int j = 0; j < 3; j++)
                    NEAR(at[k * 3 + j], log(expected(&w, k, genes[j], c) + 1e-3), 1e-11);
        }
        /* some of the genes: the same bits */
        double some_turn[3 * DIMS], some_mean[3], *some = NEW(double, 5 * 3);
        for (int j = 0; j < 3; j++) {
            some_mean[j] = mean[genes[j]];
            for (int d = 0; d < DIMS; d++) some_turn[d * 3 + j] = turn[d * GENES + genes[j]];
        }
        Prior few[5];
        memcpy(few, prior, sizeof few);
        few[0].values = some_mean;
        Priors q = { 5, few, &s, genes, 3, w.usual, DIMS, 9, some_turn, scores, w.near, &pool,
                     genes };
        priors_of_cell(&p, 4, 1, scratch, all);
        priors_of_cell(&q, 4, 1, scratch, some);
        for (int k = 0; k < 5; k++)
            for (int j = 0; j < 3; j++) CHECK(some[k * 3 + j] == all[k * GENES + genes[j]]);
    }
    clear();
}

int main(void)
{
    RUN(logarithms);
    RUN(neighbours);
    RUN(leading);
    RUN(told);
    return report("prior");
}
