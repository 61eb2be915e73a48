/* How well hidden entries were recovered, and the variation of genes within groups. */
#include <math.h>
#include "core.h"

/* RECOVERY_SUMS doubles: count, truth, estimate and their products about a common shift; |d|, d^2; truth^2 as it is */
typedef struct { double n, t, e, tt, ee, te, ad, dd, raw_tt; } Sums;

static void finish(const Sums *s, Recovery *out)
{
    double n = s->n, ct = s->tt - s->t * s->t / n, ce = s->ee - s->e * s->e / n, cte = s->te - s->t * s->e / n;
    out->n = (size_t) n;
    out->rmse = sqrt(s->dd / n);
    out->mae = s->ad / n;
    out->nmse = sqrt(s->dd / s->raw_tt);
    /* below rounding of the sums a variance is none: correlation with a constant is not defined */
    out->pearson = n > 1 && ct > 1e-14 * s->tt && ce > 1e-14 * s->ee ? cte / sqrt(ct * ce) : NAN;
}

static void add(Sums *s, double t, double e, double shift)
{
    double a = t - shift, b = e - shift, d = e - t;
    s->n++; s->t += a; s->e += b; s->tt += a * a; s->ee += b * b; s->te += a * b;
    s->ad += fabs(d); s->dd += d * d; s->raw_tt += t * t;
}

void recovery_by_group(const double *truth, const double *estimate, const int *group, size_t n, int n_groups,
                       double *sums, Recovery *out)
{
    Sums *s = (Sums *) sums;
    double shift = 0;
    for (size_t k = 0; k < n; k++) shift += truth[k] / (double) n;       /* near the mean, so that squares do not cancel */
    for (size_t k = 0; k < n; k++) add(s + (group ? group[k] : 0), truth[k], estimate[k], shift);
    for (int g = 0; g < n_groups; g++) finish(s + g, out + g);
}

void gene_cv(const Sparse *s, const int *group, int n_groups, const int *size, double *mean, double *cv)
{
    size_t G = (size_t) s->nrow, all = G * (size_t) n_groups;
    double *zeros = cv;                                  /* first the number of non-zeros, then the squares, then the CV */
    for (size_t k = 0; k < all; k++) mean[k] = cv[k] = 0;
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++)
            if (group[c] >= 0) { size_t at = G * (size_t) group[c] + (size_t) s->i[k]; mean[at] += s->x[k]; zeros[at]++; }
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
