/* The posterior: its page's worked numbers, the gradient by differences, limits, and the same bits
 * for any number of threads. */
#include "check.h"
#include "stack.h"

static double loss_of(const StackData *d, const double *par, double *grad)
{
    Arena a = new_arena();
    double *out = NEW(double, d->K + 3);
    stack_loss(d, par, 0, 1, ARENA(&a, double, stack_parts(d->K)), out);
    for (int k = 0; grad && k < d->K + 2; k++) grad[k] = out[k + 1];
    return out[0];
}

/* Dense priors alone. */
static void apply(int K, const double *const *dense, const Sparse *counts, const double *par,
                  double depth, int threads, double *mean, double *sd, double *prior_mean)
{
    Prior prior[4];
    for (int k = 0; k < K; k++) prior[k] = (Prior) { PRIOR_DENSE, dense[k], 0 };
    Priors p = { .K = K, .prior = prior, .counts = counts, .n_rows = (size_t) counts->nrow,
                 .usual = 1 };
    StackUse u = { &p, par, depth, NULL, mean, sd, prior_mean };
    Arena a = new_arena();
    CHECK(stack_fill(&a, &u, threads, any_tick()) == ST_OK);
}

static const double x[] = { 0, 3, 1, 0, 12, 2 }, y[] = { 0, 1, 0, 0, 1, 0 };
static const double mu1[] = { 0.5, 2, 0.2, 0.05, 9, 1.5 }, mu2[] = { 1, 1, 1, 0.4, 6, 0.8 };

static void worked(void)
{
    const double par[] = { log(2), 0.1, 0.6, 0.3 }, rho = 0.1 / 0.9;
    static const double slope[] = { 0.0134275722664, -0.0246258693484, -0.0472143472415,
                                    0.00792844519032 };
    static const double mu[] = { 0.730234432022, 1.67613086954, 0.422160218439,
                                 0.140901256386, 7.0708397259,  1.31931232114 };
    static const double mean[] = { 0.53492434456,  2.27974863929, 0.52287237057,
                                   0.131627982342, 10.9131854551, 1.58986222868 };
    static const double var[] = { 0.143072027201,   1.03945077167, 0.0911318386352,
                                  0.00866296286769, 8.50697262702, 0.631915476545 };
    static const double full[] = { 0.577206936069, 2.8930974105,  0.569932196971,
                                   0.145191576256, 11.9563197133, 1.69179894197 };
    double z[12], grad[4], all[6], deep1[6], deep2[6], m[6], s[6], p[6];
    for (int k = 0; k < 6; k++) {
        z[k] = log(mu1[k] + 1e-3);
        z[6 + k] = log(mu2[k] + 1e-3);
        all[k] = x[k] + y[k];
        deep1[k] = mu1[k] / 0.9;
        deep2[k] = mu2[k] / 0.9;
    }
    const double *columns[] = { z, z + 6 };
    StackData d = { 6, 2, columns, x, y, rho };
    NEAR(loss_of(&d, par, grad), 0.49251644713, 1e-11);
    for (int k = 0; k < 4; k++) NEAR(grad[k], slope[k], 1e-11);
    Sparse seen = sparse_of(x, 6, 1), more = sparse_of(all, 6, 1);
    const double *priors[] = { mu1, mu2 }, *deep[] = { deep1, deep2 };
    apply(2, priors, &seen, par, 1, 1, m, s, p);
    for (int k = 0; k < 6; k++) {
        NEAR(p[k], mu[k], 1e-11);
        NEAR(m[k], mean[k], 1e-10);
        NEAR(s[k] * s[k], var[k], 1e-10);
    }
    apply(2, deep, &more, par, 1 / 0.9, 1, m, NULL, NULL);
    for (int k = 0; k < 6; k++) NEAR(m[k], full[k], 1e-10);
    /* K = 1, b = (0, 1): free of the depth step (but for the 0.001 in the logarithm) */
    const double plain[] = { log(2), 0, 1 };
    double one[6];
    apply(1, deep, &more, plain, 1 / 0.9, 1, m, NULL, NULL);
    apply(1, deep, &more, plain, 1, 1, one, NULL, NULL);
    for (int k = 0; k < 6; k++) NEAR(one[k], m[k], 2e-3);
    /* limits */
    double ends[] = { 12, 0, 1 };
    apply(1, deep, &more, ends, 1, 1, one, NULL, NULL);
    for (int k = 0; k < 6; k++) NEAR(one[k] / (deep1[k] + 1e-3), 1, 1e-3);
    ends[0] = -8;
    apply(1, deep, &more, ends, 1, 1, one, NULL, NULL);
    for (int k = 0; k < 6; k++) if (all[k] > 0) NEAR(one[k] / all[k], 1, 4e-3);
    clear();
}

/* Mean of m d d', d the derivatives of log m by differences of the loss where nothing was held
 * out. */
static void information(const StackData *d, const double *par, const double *out)
{
    int N = d->K + 2;
    double sum[36] = { 0 }, zero = 0;
    if (par[1] > 10) return;                             /* at the bounds */
    for (size_t j = 0; j < d->n; j++) {
        const double *at[4];
        for (int k = 0; k < d->K; k++) at[k] = d->z[k] + j;
        StackData one = { 1, d->K, at, d->x + j, &zero, d->rho };
        double g[7], m = loss_of(&one, par, g);
        for (int r = 0; r < N; r++)
            for (int c = 0; c < N; c++) sum[r * N + c] += g[r] * g[c] / m / (double) d->n;
    }
    for (int k = 0; k < N * N; k++) NEAR(out[1 + N + k], sum[k], 1e-9);
}

static void gradients(void)
{
    for (int K = 1; K <= 4; K++)
        for (int far = 0; far < 2; far++) {
            size_t n = far ? 700 : 40;
            double *z = NEW(double, n *(size_t) K), *a = NEW(double, n), *b = NEW(double, n),
                   par[6], grad[6];
            for (size_t k = 0; k < n * (size_t) K; k++) z[k] = between(-6, 3);
            for (size_t k = 0; k < n; k++) { a[k] = below(6); b[k] = below(3); }
            par[0] = between(-2, 3);
            for (int k = 1; k < K + 2; k++) par[k] = between(-0.3, 0.6);
            if (far) par[1] = 13.5;  /* many above the clip, some at the lower one */
            if (far) z[3] = -60;
            const double *columns[4];
            for (int k = 0; k < K; k++) columns[k] = z + (size_t) k * n;
            StackData d = { n, K, columns, a, b, 1.0 / 9 };
            loss_of(&d, par, grad);
            for (int k = 0; k < K + 2; k++) {
                double h = 1e-6, was = par[k];
                par[k] = was + h;
                double up = loss_of(&d, par, NULL);
                par[k] = was - h;
                double down = loss_of(&d, par, NULL);
                par[k] = was;
                WITHIN(fabs(grad[k] - (up - down) / (2 * h)),
                       1e-6 * fmax(1, fabs(grad[k])) + (far ? 1e-9 * fabs(up) / h : 0));
            }
            Arena m = new_arena();
            double one[7 + 36], two[7 + 36], *parts = ARENA(&m, double, stack_parts(K));
            stack_loss(&d, par, 1, 1, parts, one);
            stack_loss(&d, par, 1, 2, parts, two);
            SAME_BITS(one, two, K + 3 + (K + 2) * (K + 2));
            information(&d, par, one);
            par[0] = 40;                                         /* kept at its bound: no slope */
            loss_of(&d, par, grad);
            CHECK(grad[0] == 0);
            clear();
        }
}

static void extremes(void)
{
    double prior[] = { 0, 1e6, 1e-12, 5, 1e300, 0 }, counts[] = { 0, 1e6, 0, 0, 3, 4 }, m[6], s[6],
           p[6];
    Sparse c = sparse_of(counts, 6, 1);
    const double *priors[] = { prior };
    for (int k = 0; k < 3; k++) {
        const double par[] = { k ? k == 1 ? -8 : 12 : 0, 0, 1 };
        apply(1, priors, &c, par, 1, 1, m, s, p);
        for (int j = 0; j < 6; j++)
            CHECK(isfinite(m[j]) && m[j] >= 0 && isfinite(s[j]) && s[j] >= 0 && p[j] > 0);
        /* counts alone: what the prior says of it does not matter */
        if (k == 1) CHECK(m[5] > 2.9);
    }
    NEAR(stack_theta(-9), exp(-8), 1e-12);
    NEAR(stack_theta(13), exp(12), 1e-6);
    /* threads, blocks */
    double *wide = NEW(double, 300 * 7), *dense = random_matrix(300, 7, 0.3),
           *a = NEW(double, 2100), *b = NEW(double, 2100);
    for (int k = 0; k < 2100; k++) {
        wide[k] = between(0, 4);
        dense[k] = floor(3 * dense[k]) > 0 ? floor(3 * dense[k]) : 0;
    }
    Sparse w = sparse_of(dense, 300, 7), last = w;
    last.p += 3;
    last.ncol = 4;
    const double *all[] = { wide }, *some[] = { wide + 3 * 300 }, par[] = { 1, 0.1, 0.9 };
    apply(1, all, &w, par, 1.1, 2, a, NULL, NULL);
    apply(1, some, &last, par, 1.1, 1, b, NULL, NULL);
    SAME_BITS(a + 900, b, 1200);
    clear();
}

int main(void)
{
    RUN(worked);
    RUN(gradients);
    RUN(extremes);
    return report("stack");
}
