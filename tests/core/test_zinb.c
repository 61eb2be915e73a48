/* The likelihood of counts: worked numbers, sums to one, libm's lgamma, differences, limits. */
#include "check.h"

/* NLL of x at mean R (log_size 0), theta, l; gradients with respect to log R, theta (not the head)
 * and l */
static double nll(int inflated, double x, double R, double theta, double l, double d[3])
{
    Zinb z = { inflated, 1, 0 };
    double m = log(R), t = theta > 30 ? theta : log(expm1(theta)), li = l, n, miss, size = 0,
           slope = 1 / (1 + exp(-t));
    zinb_counts(&z, 1, &x, &size, &m, &t, &li, &n, &miss);
    NEAR(miss, (R - x) * (R - x), TOL(1e-9, 1e-5));
    if (d) { d[0] = m; d[1] = t / slope; d[2] = li; }
    return n;
}
static double nll0(int inflated, double R, double theta, double l, double d[3])
{
    Zinb z = { inflated, 1, 0 };
    double n, miss, t = theta > 30 ? theta : log(expm1(theta));
    real m = (real) log(R), tt = (real) t, li = (real) l;
    double slope = 1 / (1 + exp(-t));
    zinb_zeros(&z, 1, 0, &m, &tt, &li, &n, &miss);
    if (d) { d[0] = (double) m; d[1] = (double) tt / slope; d[2] = (double) li; }
    return n;
}
static double either(int inflated, double x, double R, double theta, double l, double d[3])
{
    return x > 0 ? nll(inflated, x, R, theta, l, d) : nll0(inflated, R, theta, l, d);
}

static void worked(void)
{
    static const double Y[] = { 0, 3, 1, 0 }, R[] = { 1, 2, 0.5, 4 }, theta[] = { 2, 1.5, 1, 0.5 },
                        pi[] = { 0.5, 0.2, 0.1, 0.3 };
    static const double want[] = { 0.325422400435, 2.390178366452, 1.609437912434, 0.628608659422 };
    static const double dr[] = { 0.205128205128, -0.428571428571, -0.333333333333, 0.194444444444 };
    static const double dt[] = { 0.0221943922384, -0.219368806279, -0.2612015585585,
                                 0.572396863696 };
    static const double dl[] = { -0.192307692308, 0.2, 0.1, -0.2625 },
                        nb[] = { 0.810930216216, 2.16703481514, 1.504077396776, 1.09861228867 };
    /* dt[2]: the page has ...561559; psi(2) - psi(1) = 1 makes it -(1 - log(1.5) - 1/3) */
    double tol = TOL(1e-11, 1e-6), d[3];
    for (int k = 0; k < 4; k++) {
        double l = log(pi[k] / (1 - pi[k]));
        NEAR(either(1, Y[k], R[k], theta[k], l, d), want[k], tol);
        NEAR(d[0], dr[k], tol);
        NEAR(d[1], dt[k], tol);
        NEAR(d[2], dl[k], tol);
        NEAR(either(0, Y[k], R[k], theta[k], l, NULL), nb[k], tol);
        NEAR(either(1, Y[k], R[k], theta[k], -50, NULL), nb[k], tol);
    }
}

static void whole(void)
{
    static const double cases[][3] = {
        { 3, 2, -1 }, { 0.5, 0.1, 0 }, { 50, 1e4, -5 }, { 0.001, 1e-4, 2 }
    };
    for (int k = 0; k < 4; k++) {
        double sum = exp(-nll0(1, cases[k][0], cases[k][1], cases[k][2], NULL)), mean = 0;
        for (int x = 1; x <= 20000; x++) {
            double p = exp(-nll(1, x, cases[k][0], cases[k][1], cases[k][2], NULL));
            sum += p;
            mean += x * p;
        }
        NEAR(sum, 1, TOL(1e-9, 1e-5));
        NEAR(mean, cases[k][0] / (1 + exp(cases[k][2])), TOL(1e-9, 1e-5));
    }
    for (double theta = 1e-4; theta <= 1e4; theta *= 7)           /* libm's lgamma */
        for (double x = 1; x <= 1e6; x = 3 * x + 1) {
            double R = 2.5, want = -(lgamma(x + theta) - lgamma(theta) - lgamma(x + 1)
                                     - theta * log1p(R / theta)
                                     + x * (log(R) - log(theta) - log1p(R / theta)));
            NEAR(nll(0, x, R, theta, 0, NULL), want, 1e-10 + 1e-15 * x / want);
        }
    for (double x = 0; x < 20; x++)                               /* towards Poisson */
        NEAR(either(0, x, 3, 1e4, 0, NULL), 3 - x * log(3) + lgamma(x + 1), 1e-2);
}

static void slopes(void)
{
    double h = 1e-5;
    for (int k = 0; k < 300 && IS_DOUBLE; k++) {
        double x = k % 3 ? below(k % 2 ? 10 : 5000) : 0, R = exp(between(-4, 6)),
               theta = exp(between(-4, 5)), l = between(-8, 8), d[3];
        int inflated = k % 5 > 0;
        either(inflated, x, R, theta, l, d);
        double want[3] = { (either(inflated, x, R * exp(h), theta, l, NULL)
                            - either(inflated, x, R * exp(-h), theta, l, NULL))
                               / (2 * h),
                           (either(inflated, x, R, theta * (1 + h), l, NULL)
                            - either(inflated, x, R, theta * (1 - h), l, NULL))
                               / (2 * h * theta),
                           (either(inflated, x, R, theta, l + h, NULL)
                            - either(inflated, x, R, theta, l - h, NULL))
                               / (2 * h) };
        for (int j = 0; j < (inflated ? 3 : 2); j++)
            WITHIN(fabs(d[j] - want[j]) / (1 + fabs(want[j])), 2e-5);
    }
    /* no NaN anywhere, and no gradient where a head is clipped */
    static const double means[] = { -800, -11.6, -5, 0, 13, 14, 1e6 },
                        thetas[] = { -800, -9, 0, 9999, 2e4 }, ls[] = { -700, 0, 700 };
    for (int a = 0; a < 7; a++)
        for (int b = 0; b < 5; b++)
            for (int c = 0; c < 3; c++)
                for (int e = 0; e < 4; e++) {
                    Zinb z = { 1, 1, 0.01 };
                    double x = e == 0   ? 1
                               : e == 1 ? 30
                                        : 1e6,
                           size = 0, m = means[a], t = thetas[b], l = ls[c], n, miss;
                    real mr = (real) m, tr = (real) t, lr = (real) l;
                    if (e < 3) zinb_counts(&z, 1, &x, &size, &m, &t, &l, &n, &miss);
                    else zinb_zeros(&z, 1, 0, &mr, &tr, &lr, &n, &miss);
                    if (e == 3) {
                        m = (double) mr;
                        t = (double) tr;
                        l = (double) lr;
                    }
                    CHECK(isfinite(n) && isfinite(m) && isfinite(t) && isfinite(l));
                    CHECK((means[a] > -11.51 && means[a] < 13.8) || m == 0);
                    CHECK((thetas[b] > -9.2 && thetas[b] < 1e4) || t == 0);
                }
    /* scale and pull */
    Zinb one = { 1, 1, 0 }, two = { 1, 3, 0.5 };
    double x = 4, size = 0.3, m = 0.7, t = 0.2, l = -1, m2 = m, t2 = t, l2 = l, n, n2, miss,
           R = exp(1.0);
    zinb_counts(&one, 1, &x, &size, &m, &t, &l, &n, &miss);
    zinb_counts(&two, 1, &x, &size, &m2, &t2, &l2, &n2, &miss);
    NEAR(n2, n, 1e-12);
    NEAR(t2, 3 * t, 1e-12);
    NEAR(l2, 3 * l, 1e-12);
    NEAR(m2, 3 * (m + 0.5 * (R - 4) * R), 1e-12);
}

/* a run of many is the same as one by one: lanes do not matter */
static void lanes(void)
{
    enum { N = 37 };
    Zinb z = { 1, 1, 0 };
    double x[N], s[N], m[N], t[N], l[N], n[N], miss[N];
    real mr[N], tr[N], lr[N];
    for (int k = 0; k < N; k++) {
        x[k] = 1 + below(9);
        s[k] = between(-1, 1);
        mr[k] = (real) (m[k] = between(-2, 3));
        tr[k] = (real) (t[k] = between(-2, 3));
        lr[k] = (real) (l[k] = between(-2, 3));
    }
    double m1[N], t1[N], l1[N], n1[N], nz[N], nz1[N];
    real mz[N], tz[N], lz[N];
    memcpy(m1, m, sizeof m); memcpy(t1, t, sizeof t); memcpy(l1, l, sizeof l);
    memcpy(mz, mr, sizeof mr); memcpy(tz, tr, sizeof tr); memcpy(lz, lr, sizeof lr);
    zinb_counts(&z, N, x, s, m, t, l, n, miss);
    zinb_zeros(&z, N, 0.3, mr, tr, lr, nz, miss);
    for (int k = 0; k < N; k++) {
        zinb_counts(&z, 1, x + k, s + k, m1 + k, t1 + k, l1 + k, n1 + k, miss);
        zinb_zeros(&z, 1, 0.3, mz + k, tz + k, lz + k, nz1 + k, miss);
    }
    SAME_BITS(m, m1, N); SAME_BITS(t, t1, N); SAME_BITS(l, l1, N); SAME_BITS(n, n1, N);
    SAME_BITS(mr, mz, N); SAME_BITS(tr, tz, N); SAME_BITS(lr, lz, N); SAME_BITS(nz, nz1, N);
}

int main(void)
{
    RUN(worked);
    RUN(whole);
    RUN(slopes);
    RUN(lanes);
    return report("zinb");
}
