/* How well hidden entries were recovered, and the variation of genes within groups. */
#include <math.h>
#include "metric.h"

/* count, sums of truth and estimate, and of their products, about `at_t` and `at_e`; |d|, d^2;
 * squares as they are */
typedef struct { double n, at_t, at_e, t, e, tt, ee, te, ad, dd, raw_tt, raw_ee; } Sums;

/* A variance is none below rounding, of the sums and of the values: the truth is in double, an
 * estimate may be in single precision. */
static const double OF_TRUTH = 1e-28, OF_ESTIMATE = 1e-14;
static int varies(double c, double about, double raw, double n, double of)
{
    return c > fmax(1e-14, 2.3e-16 * n) * about && c > of * raw;
}

static void finish(const Sums *s, Recovery *out)
{
    double n = s->n, ct = s->tt - s->t * s->t / n, ce = s->ee - s->e * s->e / n,
           cte = s->te - s->t * s->e / n;
    out->n = (size_t) n;
    out->mse = s->dd / n;
    out->rmse = sqrt(out->mse);
    out->mae = s->ad / n;
    out->nmse = sqrt(s->dd / s->raw_tt);
    int both = n > 1 && varies(ct, s->tt, s->raw_tt, n, OF_TRUTH)
               && varies(ce, s->ee, s->raw_ee, n, OF_ESTIMATE);
    out->pearson = both ? cte / sqrt(ct * ce) : NAN;
}

static void add(Sums *s, double t, double e)
{
    double a = t - s->at_t, b = e - s->at_e, d = e - t;
    s->t += a; s->e += b; s->tt += a * a; s->ee += b * b; s->te += a * b;
    s->ad += fabs(d); s->dd += d * d; s->raw_tt += t * t; s->raw_ee += e * e;
}

/* Each group about its own means, so that squares do not cancel. */
static void sum_up(const double *t, const double *e, const int *group, size_t n, int n_groups,
                   Sums *s, Recovery *out)
{
    for (size_t k = 0; k < n; k++) {
        Sums *of = s + (group ? group[k] : 0);
        of->n++;
        of->at_t += t[k];
        of->at_e += e[k];
    }
    for (int g = 0; g < n_groups; g++) { s[g].at_t /= s[g].n; s[g].at_e /= s[g].n; }
    for (size_t k = 0; k < n; k++) add(s + (group ? group[k] : 0), t[k], e[k]);
    for (int g = 0; g < n_groups; g++) finish(s + g, out + g);
}

Status recovery_by_group(Arena *a, const double *truth, const double *estimate, const int *group,
                         size_t n, int n_groups, Recovery *out)
{
    Sums *s = ARENA(a, Sums, n_groups), *of_ranks = ARENA(a, Sums, n_groups);
    Recovery *ranked = ARENA(a, Recovery, n_groups);
    double *rank_t = ARENA(a, double, n), *rank_e = ARENA(a, double, n);
    if (a->failed || midranks_by_group(a, truth, group, n, n_groups, rank_t) != ST_OK
        || midranks_by_group(a, estimate, group, n, n_groups, rank_e) != ST_OK) return ST_NOMEM;
    sum_up(truth, estimate, group, n, n_groups, s, out);
    sum_up(rank_t, rank_e, group, n, n_groups, of_ranks, ranked);
    /* where values differ by rounding only, their ranks mean nothing */
    for (int g = 0; g < n_groups; g++)
        out[g].spearman = isnan(out[g].pearson) ? NAN : ranked[g].pearson;
    return ST_OK;
}

void gene_cv(const Sparse *s, const int *group, int n_groups, const int *size, double *mean,
             double *cv)
{
    size_t G = (size_t) s->nrow, all = G * (size_t) n_groups;
    double *zeros = cv;  /* first the number of non-zeros, then the squares, then the CV */
    for (size_t k = 0; k < all; k++) mean[k] = cv[k] = 0;
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++)
            if (group[c] >= 0) {
                size_t at = G * (size_t) group[c] + (size_t) s->i[k];
                mean[at] += s->x[k];
                zeros[at]++;
            }
    for (size_t k = 0; k < all; k++) {
        int n = size[k / G];
        mean[k] /= n;
        cv[k] = (n - zeros[k]) * mean[k] * mean[k];
    }
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++)
            if (group[c] >= 0) {
                size_t at = G * (size_t) group[c] + (size_t) s->i[k];
                cv[at] += (s->x[k] - mean[at]) * (s->x[k] - mean[at]);
            }
    for (size_t k = 0; k < all; k++) cv[k] = sqrt(cv[k] / (size[k / G] - 1)) / mean[k];
}
