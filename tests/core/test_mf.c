/* Matrix factorisation: the worked numbers of deepMc's page, and the blocks against loops over
 * dense matrices. */
#include "mf_task.h"

/* genes x cells; the page has them by rows: [2 ?; 4 8] */
static const double page_y[] = { 2, 4, 0, 8 };
static const int one_rank[] = { 1 }, two_ranks[] = { 2, 1 };
static const double page_one[] = { 1, 2, 2, 3 }, page_two[] = { 1, 0, 0, 1, 1, 2, 2, 3 };

static void page(void)
{
    const double tol = 1e-9;
    /* 1: the Z block, plain and exact */
    Mf d = mf_of(page_y, 2, 2, 1, one_rank, page_one, 0, 0, MF_PLAIN);
    NEAR(objective(&d), 4, tol);
    CHECK(mf_block(&d, 1) == ST_OK);
    NEAR(d.Z[0], 2, tol); NEAR(d.Z[d.R], 3.8, tol); NEAR(objective(&d), 0.16, tol);
    d = mf_of(page_y, 2, 2, 1, one_rank, page_one, 0, 0, MF_EXACT);
    mf_block(&d, 1);
    NEAR(d.Z[d.R], 4, tol);
    NEAR(objective(&d), 0, tol);
    NEAR(d.t[1], 1.25, tol);
    NEAR(d.L[0] * d.Z[d.R], 4, tol);
    d = mf_of(page_y, 2, 2, 1, one_rank, page_one, 0, 0, MF_EXACT_BLOCK);
    mf_block(&d, 1);
    NEAR(d.Z[d.R], 4, tol); NEAR(d.t[1], 1.25, tol);
    /* 2: zero weight */
    d = mf_of(page_y, 2, 2, 1, one_rank, page_one, 0.5, 0, MF_PLAIN);
    mf_block(&d, 1);
    NEAR(d.Z[0], 2, tol); NEAR(d.Z[d.R], 3.5, tol); NEAR(d.moved, 1.25, tol);
    d = mf_of(page_y, 2, 2, 1, one_rank, page_one, 0.5, 0, MF_EXACT);
    mf_block(&d, 1);
    NEAR(d.t[1], 10.0 / 9, tol); NEAR(d.Z[d.R], 3 + 5.0 / 9, tol);
    /* 3: ridge */
    d = mf_of(page_y, 2, 2, 1, one_rank, page_one, 0, 1, MF_PLAIN);
    mf_block(&d, 1);
    NEAR(d.Z[0], 2 - 1.0 / 3, tol); NEAR(d.Z[d.R], 3 + 1.0 / 6, tol);
    /* 4: rank-deficient D1 block; |dX|^2 of row 2: (12/13)^2 + (18/13)^2 */
    d = mf_of(page_y, 2, 2, 2, two_ranks, page_two, 0, 0, MF_PLAIN);
    mf_block(&d, 0);
    NEAR(d.F[0][0], 1, tol);
    NEAR(d.F[0][1], 0, tol);
    NEAR(d.F[0][2], 6.0 / 65, tol);
    NEAR(d.F[0][3], 1 + 12.0 / 65, tol);
    NEAR(d.moved, (144.0 + 324) / 169, tol);
    NEAR(d.F[0][2], 0.0923077, 1e-7); NEAR(d.F[0][3], 1.1846154, 1e-7);
    CHECK(fabs(d.F[0][0] * d.F[0][3] - d.F[0][1] * d.F[0][2]) > 0.5);
    /* 6: null part; t = 1, then one step per gene */
    d = mf_of(page_y, 2, 2, 2, two_ranks, page_two, 0, 1, MF_PLAIN);
    NEAR(objective(&d), 24, tol);
    mf_block(&d, 0);
    NEAR(d.F[0][0], 13.0 / 66, tol);
    NEAR(d.F[0][1], 13.0 / 33, tol);
    NEAR(d.F[0][2], 16.0 / 33, tol);
    NEAR(d.F[0][3], 32.0 / 33, tol);
    mf_measure(&d);
    NEAR(objective(&d), 20.6191460, 1e-8);
    d = mf_of(page_y, 2, 2, 2, two_ranks, page_two, 0, 1, MF_EXACT);
    mf_block(&d, 0);
    NEAR(d.F[0][0], 4.0 / 21, tol);
    NEAR(d.F[0][1], 8.0 / 21, tol);
    NEAR(d.F[0][2], 16.0 / 33, tol);
    NEAR(d.F[0][3], 32.0 / 33, tol);
    mf_measure(&d);
    NEAR(objective(&d), 18 + 4.0 / 21 + 80.0 / 33, tol);
    NEAR(d.t[0], (22.0 / 7 + 1) / 2, tol);
}

/* ---- X and the objective, dense ---- */
typedef struct { int m, n; double *x, *y; } Dense;

static Dense dense_of(const Mf *d, const double *y)
{
    Dense o = { d->r[0], d->y->ncol, NEW(double, d->r[0] * d->y->ncol), NULL };
    double *left = NEW(double, o.m * 40), *next = NEW(double, o.m * 40);
    memcpy(left, d->F[0], (size_t) (o.m * d->r[1]) * sizeof *left);
    for (int k = 1; k < d->N; k++) {
        for (int i = 0; i < o.m; i++)
            for (int j = 0; j < d->r[k + 1]; j++) {
                next[i * d->r[k + 1] + j] = 0;
                for (int l = 0; l < d->r[k]; l++)
                    next[i * d->r[k + 1] + j] += left[i * d->r[k] + l]
                                                 * d->F[k][l * d->r[k + 1] + j];
            }
        double *t = left; left = next; next = t;
    }
    for (int c = 0; c < o.n; c++)
        for (int i = 0; i < o.m; i++)
            for (int q = 0; q < d->r[d->N]; q++)
                o.x[c * o.m + i] += left[i * d->r[d->N] + q] * d->Z[c * d->R + q];
    o.y = (double *) y;
    return o;
}

static double plain_objective(const Mf *d, const double *y)
{
    Dense o = dense_of(d, y);
    double s = 0, f = 0;
    for (int k = 0; k < o.m * o.n; k++)
        s += y[k] != 0 ? (y[k] - o.x[k]) * (y[k] - o.x[k]) : d->w0 * o.x[k] * o.x[k];
    for (int k = 0; k < d->N; k++)
        for (int j = 0; j < d->r[k] * d->r[k + 1]; j++) f += d->F[k][j] * d->F[k][j];
    for (int j = 0; j < o.n * d->R; j++) f += d->Z[j] * d->Z[j];
    return s + d->lambda * f;
}

/* The derivative of E - A Delta C + ridge at the increment must vanish: A'(E - dX)C' = lambda (F +
 * Delta), by loops. The gradient is taken by differences of the surrogate, whose minimum the plain
 * step reaches. */
static double surrogate(const Mf *d, const double *y, const double *x_before)
{
    Dense o = dense_of(d, y);
    double s = plain_objective(d, y);
    for (int k = 0; k < o.m * o.n; k++) {
        double W = y[k] != 0 ? 1 : d->w0, move = o.x[k] - x_before[k];
        s += (1 - W) * move * move;
    }
    return s;
}

static double *random_factors(int positive)
{
    double *v = NEW(double, 2000);
    for (int k = 0; k < 2000; k++) v[k] = between(positive ? 0 : -1, 1);
    return v;
}

/* every block, step and penalty: the objective falls, plain steps are at the minimum of the
 * surrogate, exact ones at that along their line; T, the sums and the norms are those of dense
 * matrices */
static void blocks_of_all_kinds(void)
{
    static const double zero[] = { 0, 0.2, 1 }, ridge[] = { 0, 0.5, 3 };
    for (int kind = 0; kind < 81; kind++) {
        int N = 1 + kind % 3, step = kind / 27;
        double *y = random_matrix(GENES, CELLS, 0.6), before, w0 = zero[kind / 3 % 3],
               lambda = ridge[kind / 9 % 3];
        Mf d = mf_of(y, GENES, CELLS, N, ranks_of[N - 1], random_factors(0), w0, lambda,
                     (MfStep) step);
        for (int k = 0; k <= N; k++) {
            mf_measure(&d);
            before = objective(&d);
            NEAR(before, plain_objective(&d, y), 1e-10);
            Dense was = dense_of(&d, y);
            int cols = k < N ? d.r[k + 1] : d.R, size = k < N ? d.r[k] * cols : CELLS * cols;
            double *f = k < N ? d.F[k] : d.Z, *old = NEW(double, size), *kept = NEW(double, size);
            memcpy(old, f, (size_t) size * sizeof *old);
            d.moved = 0;
            CHECK(mf_block(&d, k) == ST_OK);
            CHECK(d.t[k] >= 1 - 1e-9 && (step != MF_PLAIN || d.t[k] == 1));
            double after = plain_objective(&d, y), moved = 0;
            CHECK(after <= before * (1 + 1e-12) + 1e-12);
            Dense now = dense_of(&d, y);
            for (int j = 0; j < GENES * CELLS; j++)
                moved += (now.x[j] - was.x[j]) * (now.x[j] - was.x[j]);
            NEAR(d.moved, moved, 1e-9);
            double low = surrogate(&d, y, was.x), scale = fmax(1, low);
            if (step != MF_PLAIN) {  /* a little less or more of the step is worse */
                for (int part = 0; part < 2; part++) {
                    for (int j = 0; j < size; j++) {
                        double v = f[j];
                        f[j] = old[j] + (part ? 1.01 : 0.99) * (v - old[j]);
                        kept[j] = v;
                    }
                    if (d.t[k] != 1 || moved > 1e-12) CHECK(plain_objective(&d, y) > after);
                    for (int j = 0; j < size; j++) f[j] = kept[j];
                }
                continue;
            }
            /* a quadratic: equal on both sides of its minimum */
            for (int j = 0; j < size; j += 1 + size / 15) {
                if (k == N && j % cols >= d.r[N]) continue;
                double v = f[j], up, down;
                f[j] = v + 0.1; up = surrogate(&d, y, was.x);
                f[j] = v - 0.1; down = surrogate(&d, y, was.x);
                f[j] = v;
                WITHIN(fabs(up - down) / scale, 1e-9);
            }
        }
        mf_measure(&d);
        before = objective(&d);
        double *T = NEW(double, GENES * d.R);
        Dense was = dense_of(&d, y);
        mf_rebalance(&d);
        Dense now = dense_of(&d, y);
        WITHIN(apart(now.x, was.x, GENES * CELLS), 1e-11);
        CHECK(objective(&d) <= before * (1 + 1e-12));
        memcpy(T, d.T, (size_t) (GENES * d.R) * sizeof *T);
        mf_measure(&d);
        WITHIN(apart(d.T, T, (size_t) (GENES * d.R)), 1e-10);
        for (int i = 0; i < GENES; i++)
            for (int q = 0; q < d.r[N]; q++) {
                double want = 0;
                for (int c = 0; c < CELLS; c++)
                    if (y[c * GENES + i] != 0)
                        want += (y[c * GENES + i] - (1 - w0) * now.x[c * GENES + i])
                                * d.Z[c * d.R + q];
                NEAR(d.T[i * d.R + q], want, 1e-9);
            }
        clear();
    }
}

/* T after a block with a step is what a new pass gives */
static void kept_products(void)
{
    for (int kind = 0; kind < 18; kind++) {
        int N = 1 + kind % 3;
        double *y = random_matrix(GENES, CELLS, 0.5);
        Mf d = mf_of(y, GENES, CELLS, N, ranks_of[N - 1], random_factors(0), kind / 3 % 3 * 0.3,
                     kind / 9, MF_EXACT);
        for (int k = 0; k <= N; k++) {
            mf_block(&d, k);
            double *T = NEW(double, GENES * d.R), sum = d.on;
            memcpy(T, d.T, (size_t) (GENES * d.R) * sizeof *T);
            mf_measure(&d);
            WITHIN(apart(T, d.T, (size_t) (GENES * d.R)), 1e-9);
            if (k == N) NEAR(sum, d.on, 1e-10);
        }
    }
}

static void not_negative(void)
{
    for (int kind = 0; kind < 27; kind++) {
        int N = 1 + kind % 3;
        double *y = random_matrix(GENES, CELLS, 0.6);
        Mf d = mf_of(y, GENES, CELLS, N, ranks_of[N - 1], random_factors(1), kind / 9 * 0.4,
                     kind / 3 % 3, (MfStep) (kind % 3));
        d.nonneg = 1;
        for (int sweep = 0; sweep < 3; sweep++)
            for (int k = 0; k <= N; k++) {
                mf_measure(&d);
                double before = objective(&d), least = 0;
                mf_block(&d, k);
                CHECK(plain_objective(&d, y) <= before * (1 + 1e-12) + 1e-12);
                for (int l = 0; l < N; l++)
                    for (int j = 0; j < d.r[l] * d.r[l + 1]; j++) least = fmin(least, d.F[l][j]);
                for (int j = 0; j < CELLS * d.R; j++) least = fmin(least, d.Z[j]);
                CHECK(least == 0);
            }
        clear();
    }
}

int main(void)
{
    RUN(page);
    RUN(blocks_of_all_kinds);
    RUN(kept_products);
    RUN(not_negative);
    return report("mf");
}
