/* The posterior of a count given what models expect of it: lambda ~ Gamma(shape theta, mean mu), x
 * ~ Poisson(lambda), with log mu = b_0 + sum_k b_k log(mu_k + 1e-3) for K models. Parameters (eta =
 * log theta, b_0, ..., b_K) are learnt from held-out molecules y of the same entries: mh = rho
 * E(lambda | x) is what they are expected to be. */
#include <math.h>
#include "stack.h"

KERNEL_FILE

/* sums go into fixed parts: the bits depend on no number of threads */
enum { PARTS = 64, AT_ONCE = 256 };
static const double LEAST = -20, MOST = 15, FLOOR = 1e-3, EPS = 1e-6;

double stack_theta(double eta)
{
    return exp(eta < STACK_ETA_LEAST  ? STACK_ETA_LEAST
               : eta > STACK_ETA_MOST ? STACK_ETA_MOST
                                      : eta);
}

/* log mu of n entries, before the clip; z: K columns, ld apart */
LOCAL_FOR_CPUS(log_mean, (const double *b, int K, const double *z, size_t ld, size_t n,
               double *restrict lm), (b, K, z, ld, n, lm), {
    for (size_t j = 0; j < n; j++) lm[j] = b[0];
    for (int k = 0; k < K; k++) {
        const double *restrict zk = z + (size_t) k * ld;
        double by = b[k + 1];
        for (size_t j = 0; j < n; j++) lm[j] += by * zk[j];
    }
})

/* mh, q (but for the molecules held out), theta/(mu + theta) and the derivative of eta's factor */
LOCAL_FOR_CPUS(expected, (size_t n, double rho, double theta, const double *restrict mu,
               const double *restrict x, double *restrict mh, double *restrict share_,
               double *restrict by_eta), (n, rho, theta, mu, x, mh, share_, by_eta), {
    for (size_t j = 0; j < n; j++) {
        double over = 1 / (mu[j] + theta);
        mh[j] = rho * mu[j] * (x[j] + theta) * over;
        share_[j] = theta * over;
        by_eta[j] = 1 / (x[j] + theta) - over;
    }
})

/* sums in eight parts, a fixed order */
LOCAL_FOR_CPUS(dot_parts, (size_t n, const double *restrict a, const double *restrict b,
               double *restrict s), (n, a, b, s), {
    for (size_t j = 0; j + 8 <= n; j += 8)
        for (size_t l = 0; l < 8; l++) s[l] += a[j + l] * b[j + l];
})
static double dot(size_t n, const double *a, const double *b)
{
    double s[8] = { 0 };
    dot_parts(n, a, b, s);
    for (size_t j = n / 8 * 8; j < n; j++) s[j % 8] += a[j] * b[j];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* sums: loss, d/deta, d/db_0, ... */
static void add_entries(const StackData *d, double theta, int bounded, const double *b, size_t from,
                        size_t n, double *sums)
{
    double lm[AT_ONCE], mu[AT_ONCE] = { 0 }, mh[AT_ONCE], q[AT_ONCE] = { 0 }, part[AT_ONCE],
                        by_eta[AT_ONCE] = { 0 }, loss = 0;
    const double *y = d->y + from;
    log_mean(b, d->K, d->z + from, d->n, n, lm);
    for (size_t j = 0; j < n; j++) mu[j] = exp(lm[j] < LEAST ? LEAST : lm[j] > MOST ? MOST : lm[j]);
    expected(n, d->rho, theta, mu, d->x + from, mh, part, by_eta);
    for (size_t j = 0; j < n; j++) {
        loss += mh[j];
        q[j] = mh[j];
        if (y[j] > 0) {
            loss -= y[j] * log(mh[j] + EPS);
            q[j] -= y[j] * mh[j] / (mh[j] + EPS);
        }
    }
    sums[0] += loss;
    if (!bounded) sums[1] += theta * dot(n, q, by_eta);
    for (size_t j = 0; j < n; j++) q[j] = lm[j] > LEAST && lm[j] < MOST ? q[j] * part[j] : 0;
    for (size_t j = 0; j < n; j++) sums[2] += q[j];
    for (int k = 0; k < d->K; k++) sums[3 + k] += dot(n, q, d->z + (size_t) k * d->n + from);
}

void stack_loss(const StackData *d, const double *par, int threads, double *parts, double *out)
{
    int len = d->K + 3, bounded = par[0] <= STACK_ETA_LEAST || par[0] >= STACK_ETA_MOST;
    double theta = stack_theta(par[0]);
    PARALLEL_FOR(threads)
    for (int p = 0; p < PARTS; p++) {
        size_t from, to;
        double *sums = parts + (size_t) p * (size_t) len;
        share(d->n, p, PARTS, &from, &to);
        for (int k = 0; k < len; k++) sums[k] = 0;
        for (size_t j = from; j < to; j += AT_ONCE)
            add_entries(d, theta, bounded, par + 1, j, to - j < AT_ONCE ? to - j : AT_ONCE, sums);
    }
    for (int k = 0; k < len; k++) {
        out[k] = 0;
        for (int p = 0; p < PARTS; p++) out[k] += parts[(size_t) p * (size_t) len + (size_t) k];
        out[k] /= (double) d->n;
    }
}

size_t stack_parts(int K) { return PARTS * ((size_t) K + 3); }

void stack_apply(const StackUse *u, const Sparse *counts, int first, int n, int threads)
{
    size_t G = (size_t) counts->nrow;
    double theta = stack_theta(u->par[0]);
    PARALLEL_FOR(threads)
    for (int c = 0; c < n; c++) {
        int k = counts->p[first + c], end = counts->p[first + c + 1];
        for (size_t g0 = 0; g0 < G; g0 += AT_ONCE) {
            size_t some = G - g0 < AT_ONCE ? G - g0 : AT_ONCE, at = (size_t) c * G + g0;
            double lm[AT_ONCE];
            for (size_t j = 0; j < some; j++) lm[j] = u->par[1];
            for (int p = 0; p < u->K; p++) {
                const double *m = u->prior[p] + at;
                double b = u->par[p + 2];
                if (b == 0) continue;
                for (size_t j = 0; j < some; j++) lm[j] += b * log(m[j] / u->depth + FLOOR);
            }
            for (size_t j = 0; j < some; j++) {
                /* Inf - Inf: LEAST */
                double mu = u->depth * exp(lm[j] > LEAST ? lm[j] > MOST ? MOST : lm[j] : LEAST),
                       x = 0;
                if (k < end && counts->i[k] == (int) (g0 + j)) x = counts->x[k++];
                double over = 1 / (mu + theta), m = mu * ((x + theta) * over);
                if (u->mean) u->mean[at + j] = m;
                if (u->sd) u->sd[at + j] = sqrt(m * (mu * over));
                if (u->prior_mean) u->prior_mean[at + j] = mu;
            }
        }
    }
}
