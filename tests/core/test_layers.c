/* Layers, activations and losses: naive sums, and gradients against central differences (double
 * build). */
#include "check.h"

typedef struct { size_t n, in, out; } Size;
static size_t panel_size(size_t rows, size_t cols) { return rows * panels_of((int) cols) * PANEL; }

/* a panel matrix with zeros beyond its columns */
static real *random_panels(size_t rows, size_t cols)
{
    real *m = NEW(real, panel_size(rows, cols));
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++) m[panel_at(rows, r, c)] = (real) between(-1, 1);
    return m;
}

static int zero_beyond(const real *m, size_t rows, size_t cols)
{
    for (size_t c = cols; c < panels_of((int) cols) * PANEL; c++)
        for (size_t r = 0; r < rows; r++) if (m[panel_at(rows, r, c)] != 0) return 0;
    return 1;
}

static void dense_sums(void)
{
    static const Size sizes[] = { { 1, 1, 1 }, { 5, 70, 67 }, { 100, 64, 130 }, { 3, 200, 64 } };
    for (int k = 0; k < 4; k++) {
        size_t n = sizes[k].n, in = sizes[k].in, out = sizes[k].out;
        real *x = random_panels(n, in), *w = random_panels(in, out), *b = random_panels(1, out),
            *dy = random_panels(n, out);
        real *y = NEW(real, panel_size(n, out)), *dx = NEW(real, panel_size(n, in)),
             *scratch = NEW(real, GEMM_SCRATCH);
        real *dw = random_panels(in, out), *db = random_panels(1, out);
        fill(y, panel_size(n, out)); fill(dx, panel_size(n, in));
        double *Y = NEW(double, panel_size(n, out)), *DX = NEW(double, panel_size(n, in)),
            *DW = NEW(double, panel_size(in, out));
        double *DB = NEW(double, panel_size(1, out));
        for (size_t i = 0; i < in; i++)
            for (size_t j = 0; j < out; j++)
                DW[panel_at(in, i, j)] = (double) dw[panel_at(in, i, j)];
        for (size_t j = 0; j < out; j++) DB[j] = (double) db[j];
        for (size_t r = 0; r < n; r++)
            for (size_t j = 0; j < out; j++) {
                double d = (double) dy[panel_at(n, r, j)];
                Y[panel_at(n, r, j)] = (double) b[j];
                DB[j] += d;
                for (size_t i = 0; i < in; i++) {
                    double v = (double) x[panel_at(n, r, i)], wij = (double) w[panel_at(in, i, j)];
                    Y[panel_at(n, r, j)] += v * wij;
                    DX[panel_at(n, r, i)] += d * wij;
                    DW[panel_at(in, i, j)] += v * d;
                }
            }
        dense_forward(n, in, out, x, w, b, y, scratch);
        WITHIN(apart_real(y, Y, panel_size(n, out)), TOL(1e-12, 2e-6));
        CHECK(zero_beyond(y, n, out));
        dense_backward(n, in, out, dy, w, dx, scratch);
        WITHIN(apart_real(dx, DX, panel_size(n, in)), TOL(1e-12, 2e-6));
        CHECK(zero_beyond(dx, n, in));
        dense_gradient(n, in, out, x, dy, dw, db, scratch);
        WITHIN(apart_real(dw, DW, panel_size(in, out)), TOL(1e-12, 2e-6));
        WITHIN(apart_real(db, DB, panel_size(1, out)), TOL(1e-12, 2e-6));
        for (size_t r = 0; r < n; r++)
            for (size_t j = 0; j < out; j++) Y[panel_at(n, r, j)] -= (double) b[j];
        dense_forward(n, in, out, x, w, NULL, y, scratch);
        WITHIN(apart_real(y, Y, panel_size(n, out)), TOL(1e-12, 2e-6));
    }
}

static void sigmoid_values(void)
{
    double worst = 0;
    for (int k = -80000; k <= 80000; k++) {
        real y = (real) (k * 1e-3);
        double z = (double) y, e = exp(-fabs(z)), want = z < 0 ? e / (1 + e) : 1 / (1 + e);
        act_sigmoid(&y, 1);
        double d = fabs((double) y - want) / want;
        if (!(d <= worst)) worst = d;
    }
    WITHIN(worst, TOL(1e-15, 3e-7));
    real y[5] = { 0, (real) -1e30, (real) 1e30, (real) -INFINITY, (real) INFINITY };
    act_sigmoid(y, 5);
    CHECK(y[0] == (real) 0.5 && y[1] == 0 && y[2] == 1 && y[3] == 0 && y[4] == 1);
}

/* many at once are the same as one by one, whatever the vectoriser did with the end */
static void lengths(void)
{
    void (*acts[])(real *, size_t) = { act_sigmoid, act_relu, act_softplus };
    for (int a = 0; a < 3; a++)
        for (size_t n = 0; n < 40; n++) {
            real *y = NEW(real, n + 1), *one = NEW(real, n + 1);
            for (size_t k = 0; k <= n; k++) one[k] = y[k] = (real) between(-20, 20);
            acts[a](y, n);
            for (size_t k = 0; k < n; k++) acts[a](one + k, 1);
            SAME_BITS(y, one, n + 1);
        }
}

static void other_values(void)
{
    real r[4] = { (real) -1.5, 0, (real) 2.5, (real) -0.0 }, dy[4] = { 1, 1, 1, 1 };
    act_relu(r, 4);
    CHECK(r[0] == 0 && r[1] == 0 && r[2] == (real) 2.5 && r[3] == 0);
    act_relu_back(r, dy, 4);
    CHECK(dy[0] == 0 && dy[1] == 0 && dy[2] == 1);
    for (int k = -1000; k <= 1000; k++) {
        real y = (real) (k * 0.1);
        double z = (double) y;
        act_softplus(&y, 1);
        NEAR(y, fmax(z, 0) + log1p(exp(-fabs(z))), TOL(1e-15, 1e-7));
    }
}

/* softplus, and its derivative logistic(z) from the output, relative to libm's */
static void softplus_values(void)
{
    double worst = 0, worst_back = 0, worst_small = 0;
    for (int k = -80000; k <= 80000; k++) {
        real y = (real) (k * 1e-3), dy = 1;
        double z = (double) y, e = exp(-fabs(z)), want = fmax(z, 0) + log1p(e),
               slope = z < 0 ? e / (1 + e) : 1 / (1 + e);
        act_softplus(&y, 1);
        act_softplus_back(&y, &dy, 1);
        double d = fabs((double) y - want) / want, b = fabs((double) dy - slope) / slope;
        if (!(d <= worst)) worst = d;
        if (!(b <= worst_back)) worst_back = b;
    }
    /* at an output, where 1 - exp(-y) would cancel, and on both branches */
    for (int k = 0; k <= 400000; k++) {
        real y = (real) (k < 200000 ? k * 1e-5 : exp(-(k - 200000) * 4e-4)), dy = 1;
        double slope = -expm1(-(double) y);
        act_softplus_back(&y, &dy, 1);
        double b = slope > 0 ? fabs((double) dy - slope) / slope : (double) dy;
        if (!(b <= worst_small)) worst_small = b;
    }
    WITHIN(worst, TOL(1e-15, 1e-6));
    WITHIN(worst_back, TOL(1e-14, 2e-6));  /* the series ends too early by 1.5e-6 just below 0.25 */
    WITHIN(worst_small, TOL(1e-15, 2e-6));
    real y[4] = { (real) -1e30, (real) 1e30, (real) -INFINITY, (real) INFINITY },
         dy[4] = { 2, 2, 2, 2 };
    act_softplus(y, 4);
    CHECK(y[0] == 0 && y[1] == (real) 1e30 && y[2] == 0 && y[3] == (real) INFINITY);
    act_softplus_back(y, dy, 4);
    CHECK(dy[0] == 0 && dy[1] == 2 && dy[2] == 0 && dy[3] == 2);
    y[0] = (real) NAN;
    act_softplus(y, 1);
    CHECK(isnan(y[0]));
    for (size_t n = 0; n < 40; n++) {
        real *a = NEW(real, n + 1), *many = NEW(real, n + 1), *one = NEW(real, n + 1);
        for (size_t k = 0; k <= n; k++) {
            a[k] = (real) between(0, 3);
            many[k] = one[k] = (real) between(-1, 1);
        }
        act_softplus_back(a, many, n);
        for (size_t k = 0; k < n; k++) act_softplus_back(a + k, one + k, 1);
        SAME_BITS(many, one, n + 1);
    }
}

static void loss_values(void)
{
    enum { N = 9 };
    real y[N], t[N], w[N], dy[N];
    double sum = 0, weighted = 0;
    fill(y, N); fill(t, N); fill(w, N);
    for (int k = 0; k < N; k++) {
        double d = (double) y[k] - (double) t[k];
        sum += d * d;
        weighted += (double) w[k] * d * d;
    }
    NEAR(loss_squared(y, t, N, NULL), sum, TOL(1e-15, 1e-6));
    NEAR(loss_squared(y, t, N, dy), sum, TOL(1e-15, 1e-6));
    for (int k = 0; k < N; k++) NEAR(dy[k], 2 * ((double) y[k] - (double) t[k]), TOL(1e-15, 1e-6));
    NEAR(loss_weighted(y, t, w, N, NULL), weighted, TOL(1e-15, 1e-6));
    NEAR(loss_weighted(y, t, w, N, dy), weighted, TOL(1e-15, 1e-6));
    for (int k = 0; k < N; k++)
        NEAR(dy[k], 2 * (double) w[k] * ((double) y[k] - (double) t[k]), TOL(1e-15, 1e-6));
    CHECK(loss_squared(y, t, 0, NULL) == 0 && loss_weighted(y, t, w, 0, NULL) == 0);
    memcpy(dy, y, sizeof y);                             /* the derivative may replace the output */
    loss_squared(dy, t, N, dy);
    NEAR(dy[3], 2 * ((double) y[3] - (double) t[3]), TOL(1e-15, 1e-6));
}

#ifdef INFILL_DOUBLE
/* a dense layer, an activation and a loss: the whole chain */
typedef struct {
    Size s;
    real *x, *w, *b, *target, *weight, *y, *scratch;
    void (*act)(real *, size_t), (*back)(const real *, real *, size_t);
    int weighted;
} Chain;

static double chain_loss(const Chain *c, real *dy)
{
    size_t n = panel_size(c->s.n, c->s.out);
    dense_forward(c->s.n, c->s.in, c->s.out, c->x, c->w, c->b, c->y, c->scratch);
    if (c->act) c->act(c->y, n);
    /* padding: sigmoid and softplus make it non-zero, its target is the same, so that it has no
     * loss */
    for (size_t j = c->s.out; j < panels_of((int) c->s.out) * PANEL; j++)
        for (size_t r = 0; r < c->s.n; r++)
            c->target[panel_at(c->s.n, r, j)] = c->y[panel_at(c->s.n, r, j)];
    return c->weighted ? loss_weighted(c->y, c->target, c->weight, n, dy)
                       : loss_squared(c->y, c->target, n, dy);
}

static double difference(const Chain *c, real *at)
{
    const double step = 1e-6;
    real was = *at;
    *at = was + step;
    double up = chain_loss(c, NULL);
    *at = was - step;
    double down = chain_loss(c, NULL);
    *at = was;
    return (up - down) / (2 * step);
}

static void compare(const Chain *c, real *at, const real *gradient, size_t rows, size_t cols)
{
    double worst = 0, scale = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < cols; j++) {
            size_t k = panel_at(rows, r, j);
            double d = fabs(difference(c, at + k) - gradient[k]);
            if (!(d <= worst)) worst = d;
            scale = fmax(scale, fabs(gradient[k]));
        }
    CHECK(scale > 0.01);
    WITHIN(worst / scale, 1e-8);
}

static void gradients(void)
{
    static const Size sizes[] = { { 3, 5, 4 }, { 2, 3, 66 }, { 2, 66, 3 } };
    void (*act[])(real *, size_t) = { NULL, act_sigmoid, act_relu, act_softplus };
    void (*back[])(const real *, real *, size_t) = { NULL, act_sigmoid_back, act_relu_back,
                                                     act_softplus_back };
    for (int s = 0; s < 3; s++)
        for (int a = 0; a < 4; a++)
            for (int weighted = 0; weighted < 2; weighted++) {
                size_t n = sizes[s].n, in = sizes[s].in, out = sizes[s].out,
                       ny = panel_size(n, out);
                Chain c = { sizes[s],
                            random_panels(n, in),
                            random_panels(in, out),
                            random_panels(1, out),
                            NEW(real, ny),
                            NEW(real, ny),
                            NEW(real, ny),
                            NEW(real, GEMM_SCRATCH),
                            act[a],
                            back[a],
                            weighted };
                for (size_t k = 0; k < ny; k++) c.weight[k] = between(0.1, 1);
                /* targets near the outputs: a small loss has small rounding */
                chain_loss(&c, NULL);
                for (size_t k = 0; k < ny; k++) c.target[k] = c.y[k] + between(-0.5, 0.5);
                real *dy = NEW(real, ny), *dx = NEW(real, panel_size(n, in)),
                     *dw = NEW(real, panel_size(in, out));
                real *db = NEW(real, panel_size(1, out));
                chain_loss(&c, dy);
                if (c.back) c.back(c.y, dy, ny);
                dense_backward(n, in, out, dy, c.w, dx, c.scratch);
                dense_gradient(n, in, out, c.x, dy, dw, db, c.scratch);
                compare(&c, c.w, dw, in, out);
                compare(&c, c.b, db, 1, out);
                compare(&c, c.x, dx, n, in);
            }
}
#endif

int main(void)
{
    RUN(dense_sums);
    RUN(sigmoid_values);
    RUN(lengths);
    RUN(other_values);
    RUN(softplus_values);
    RUN(loss_values);
#ifdef INFILL_DOUBLE
    RUN(gradients);
#endif
    return report("layers");
}
