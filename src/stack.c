/* The posterior of a count given what models expect of it: lambda ~ Gamma(shape theta, mean mu), x
 * ~ Poisson(lambda), with log mu = b_0 + sum_k b_k log(mu_k + 1e-3) for K models. Parameters (eta =
 * log theta, b_0, ..., b_K) are learnt from held-out molecules y of the same entries: mh = rho
 * E(lambda | x) is what they are expected to be. */
#include <math.h>
#include "core_log.h"
#include "stack.h"

KERNEL_FILE

/* sums go into fixed parts: the bits depend on no number of threads */
enum { PARTS = 64, AT_ONCE = 256 };
static const double LEAST = -20, MOST = 15, EPS = 1e-6;

double stack_theta(double eta)
{
    return exp(eta < STACK_ETA_LEAST  ? STACK_ETA_LEAST
               : eta > STACK_ETA_MOST ? STACK_ETA_MOST
                                      : eta);
}

/* One column more of log mu, before the clip. */
LOCAL_FOR_CPUS(add_column, (size_t n, double by, const double *restrict z, double *restrict lm),
               (n, by, z, lm), {
    for (size_t j = 0; j < n; j++) lm[j] += by * z[j];
})

/* mu, mh, theta/(mu + theta) (0 where log mu is at a bound) and the derivative of eta's factor */
LOCAL_FOR_CPUS(expected, (size_t n, double rho, double theta, const double *restrict lm,
               const double *restrict x, double *restrict mh, double *restrict share_,
               double *restrict by_eta), (n, rho, theta, lm, x, mh, share_, by_eta), {
    for (size_t j = 0; j < n; j++) {
        double l = lm[j];
        l = l < LEAST ? LEAST : l;
        l = l > MOST ? MOST : l;
        double mu = exp_of(l), over = 1 / (mu + theta);
        mh[j] = rho * mu * (x[j] + theta) * over;
        share_[j] = l == lm[j] ? theta * over : 0;
        by_eta[j] = theta * (1 / (x[j] + theta) - over);
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

LOCAL_FOR_CPUS(times, (size_t n, const double *restrict a, const double *restrict b,
               double *restrict to), (n, a, b, to), {
    for (size_t j = 0; j < n; j++) to[j] = a[j] * b[j];
})

/* Rows of the information so far come first in memory: eta's, b_0's, ... */
static void add_information(const StackData *d, int bounded, size_t from, size_t n,
                            const double *mh, const double *part, const double *by_eta,
                            double *sums)
{
    double of[AT_ONCE], by_b[AT_ONCE], by_both[AT_ONCE];
    int N = d->K + 2;
    times(n, mh, part, by_b);
    for (int r = bounded ? 1 : 0; r < N; r++) {
        const double *row = r > 1 ? d->z[r - 2] + from : NULL;
        if (r == 0) times(n, mh, by_eta, of);
        else if (r == 1) for (size_t j = 0; j < n; j++) of[j] = by_b[j];
        else times(n, by_b, row, of);
        if (r == 0) sums[0] += dot(n, of, by_eta);
        times(n, of, part, by_both);
        for (int c = r ? r : 1; c < N; c++) {
            if (c == 1) for (size_t j = 0; j < n; j++) sums[r * N + 1] += by_both[j];
            else sums[r * N + c] += dot(n, by_both, d->z[c - 2] + from);
        }
    }
}

/* sums: loss, d/deta, d/db_0, ..., information */
static void add_entries(const StackData *d, double theta, int bounded, int curved, const double *b,
                        size_t from, size_t n, double *sums)
{
    double lm[AT_ONCE], mh[AT_ONCE], q[AT_ONCE], part[AT_ONCE], by_eta[AT_ONCE], loss = 0;
    const double *y = d->y + from;
    for (size_t j = 0; j < n; j++) lm[j] = b[0];
    for (int k = 0; k < d->K; k++) add_column(n, b[k + 1], d->z[k] + from, lm);
    expected(n, d->rho, theta, lm, d->x + from, mh, part, by_eta);
    for (size_t j = 0; j < n; j++) {
        loss += mh[j];
        q[j] = mh[j];
        if (y[j] > 0) {
            loss -= y[j] * log(mh[j] + EPS);
            q[j] -= y[j] * mh[j] / (mh[j] + EPS);
        }
    }
    sums[0] += loss;
    if (!bounded) sums[1] += dot(n, q, by_eta);
    for (size_t j = 0; j < n; j++) q[j] *= part[j];
    for (size_t j = 0; j < n; j++) sums[2] += q[j];
    for (int k = 0; k < d->K; k++) sums[3 + k] += dot(n, q, d->z[k] + from);
    if (curved) add_information(d, bounded, from, n, mh, part, by_eta, sums + d->K + 3);
}

void stack_loss(const StackData *d, const double *par, int curved, int threads, double *parts,
                double *out)
{
    int N = d->K + 2, len = 1 + N + (curved ? N * N : 0),
        bounded = par[0] <= STACK_ETA_LEAST || par[0] >= STACK_ETA_MOST;
    double theta = stack_theta(par[0]);
    PARALLEL_FOR(threads)
    for (int p = 0; p < PARTS; p++) {
        size_t from, to;
        double *sums = parts + (size_t) p * (size_t) len;
        share(d->n, p, PARTS, &from, &to);
        for (int k = 0; k < len; k++) sums[k] = 0;
        for (size_t j = from; j < to; j += AT_ONCE)
            add_entries(d, theta, bounded, curved, par + 1, j,
                        to - j < AT_ONCE ? to - j : AT_ONCE, sums);
    }
    for (int k = 0; k < len; k++) {
        out[k] = 0;
        for (int p = 0; p < PARTS; p++) out[k] += parts[(size_t) p * (size_t) len + (size_t) k];
        out[k] /= (double) d->n;
    }
    for (int r = 0; curved && r < N; r++)
        for (int c = 0; c < r; c++) out[1 + N + r * N + c] = out[1 + N + c * N + r];
}

size_t stack_parts(int K) { return PARTS * (((size_t) K + 3) * ((size_t) K + 3)); }

void stack_alone(const StackData *d, int threads, double *out)
{
    PARALLEL_FOR(threads)
    for (int k = 0; k < d->K; k++) {
        const double *z = d->z[k];
        double sum = 0;
        for (size_t j = 0; j < d->n; j++) {
            double m = exp_of(z[j]) - STACK_FLOOR;
            m = m > 0 ? d->rho * m : 0;
            sum += m;
            if (d->y[j] > 0) sum -= d->y[j] * log(m + EPS);
        }
        out[k] = sum / (double) d->n;
    }
}

/* ---- use ---- */

/* lm: the priors' logarithms weighed -> mean, sd, mu */
LOCAL_FOR_CPUS(posterior, (size_t n, double depth, double theta, const double *restrict lm,
               const double *restrict x, double *restrict mu, double *restrict mean,
               double *restrict over_), (n, depth, theta, lm, x, mu, mean, over_), {
    for (size_t j = 0; j < n; j++) {
        double l = lm[j];
        l = l > LEAST ? l : LEAST;                /* Inf - Inf: LEAST */
        l = l > MOST ? MOST : l;
        double m = depth * exp_of(l), over = 1 / (m + theta);
        mu[j] = m;
        mean[j] = m * ((x[j] + theta) * over);
        over_[j] = m * over;
    }
})

static void put(const StackUse *u, size_t n, const double *from, double *to)
{
    for (size_t j = 0; j < n; j++) to[j] = u->unseen && u->unseen[j] ? 0 : from[j];
}

/* The counts of a cell, at the genes asked for; seen: scratch of all genes. */
static void counts_of(const Priors *p, int cell, double *seen, double *x)
{
    const Sparse *s = p->counts;
    double *to = p->rows ? seen : x;
    for (int g = 0; g < s->nrow; g++) to[g] = 0;
    for (int e = s->p[cell]; e < s->p[cell + 1]; e++) to[s->i[e]] = s->x[e];
    for (size_t j = 0; p->rows && j < p->n_rows; j++) x[j] = seen[p->rows[j]];
}

static void fill_cell(const StackUse *u, int cell, double theta, double *scratch)
{
    const Priors *p = u->priors;
    size_t n = p->n_rows, at = (size_t) cell * n;
    double *out[] = { u->mean, u->sd, u->prior_mean };
    double *z = scratch, *lm = z + (size_t) p->K * n, *x = lm + n, *mean = x + n, *over = mean + n,
           *seen = over + n, *mu = z;    /* z is no longer needed then */
    if (p->counts->p[cell] == p->counts->p[cell + 1]) {
        for (int k = 0; k < 3; k++)
            for (size_t j = 0; out[k] && j < n; j++) out[k][at + j] = 0;
        return;
    }
    counts_of(p, cell, seen, x);
    priors_of_cell(p, cell, u->depth, seen + p->counts->nrow, z);
    for (size_t j = 0; j < n; j++) lm[j] = u->par[1];
    for (int k = 0; k < p->K; k++) add_column(n, u->par[k + 2], z + (size_t) k * n, lm);
    posterior(n, u->depth, theta, lm, x, mu, mean, over);
    if (u->prior_mean) put(u, n, mu, u->prior_mean + at);
    for (size_t j = 0; u->sd && j < n; j++) over[j] = sqrt(mean[j] * over[j]);
    if (u->sd) put(u, n, over, u->sd + at);
    for (size_t j = 0; u->mean && j < n; j++)
        u->mean[at + j] = u->unseen && u->unseen[j] ? x[j] : mean[j];
}

Status stack_fill(Arena *a, const StackUse *u, int threads, Tick tick)
{
    const Priors *p = u->priors;
    size_t room = (size_t) (p->K + 4) * p->n_rows + (size_t) p->counts->nrow + priors_scratch(p);
    double *scratch = ARENA(a, double, room * (size_t) threads), theta = stack_theta(u->par[0]);
    if (a->failed) return ST_NOMEM;
    int wave = 1 + (int) (1e7 / (double) (p->n_rows + 1));
    if (wave < threads) wave = threads;
    for (int c0 = 0; c0 < p->counts->ncol; c0 += wave) {
        int n = p->counts->ncol - c0 < wave ? p->counts->ncol - c0 : wave;
        PARALLEL_FOR(threads)
        for (int t = 0; t < threads; t++) {
            size_t from, to;
            share((size_t) n, t, threads, &from, &to);
            for (size_t c = from; c < to; c++)
                fill_cell(u, c0 + (int) c, theta, scratch + (size_t) t * room);
        }
        tick_idle(tick);
    }
    return ST_OK;
}
