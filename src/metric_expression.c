/* Metrics of values: ranks (Spearman; area under the ROC curve, Hanley and McNeil 1982),
 * distributions (Kolmogorov and Smirnov; Gini) and losses of counts (McCullagh and Nelder 1989,
 * 2.3). */
#include <math.h>
#include "metric.h"

/* ---- ranks ---- */

Status roc_auc(Arena *a, const double *score, const int *positive, size_t n, double *out)
{
    double *rank = ARENA(a, double, n), sum = 0, n_positive = 0;
    if (a->failed || midranks_by_group(a, score, NULL, n, 1, rank) != ST_OK) return ST_NOMEM;
    for (size_t k = 0; k < n; k++) if (positive[k]) { sum += rank[k]; n_positive++; }
    *out = (sum - n_positive * (n_positive + 1) / 2) / (n_positive * ((double) n - n_positive));
    return ST_OK;
}

/* ---- distributions ---- */

static double *sorted(Arena *a, const double *v, size_t n)
{
    size_t *order = ARENA(a, size_t, n), *other = ARENA(a, size_t, n);
    double *out = ARENA(a, double, n);
    if (a->failed) return NULL;
    for (size_t k = 0; k < n; k++) order[k] = k;
    sort_places(v, order, other, n);
    for (size_t k = 0; k < n; k++) out[k] = v[order[k]];
    return out;
}

Status ks_statistic(Arena *a, const double *x, size_t n_x, const double *y, size_t n_y, double *out)
{
    const double *sx = sorted(a, x, n_x), *sy = sorted(a, y, n_y);
    if (a->failed) return ST_NOMEM;
    *out = 0;
    /* behind the last of either the difference only shrinks */
    for (size_t i = 0, j = 0; i < n_x && j < n_y; ) {
        double at = sx[i] < sy[j] ? sx[i] : sy[j];
        while (i < n_x && sx[i] == at) i++;
        while (j < n_y && sy[j] == at) j++;
        double apart = fabs((double) i / (double) n_x - (double) j / (double) n_y);
        if (apart > *out) *out = apart;
    }
    return ST_OK;
}

Status gini(Arena *a, const Sparse *by_gene, double floor, double *out)
{
    double n = by_gene->nrow;
    size_t longest = (size_t) sparse_longest(by_gene);
    size_t *order = ARENA(a, size_t, longest), *other = ARENA(a, size_t, longest);
    if (a->failed) return ST_NOMEM;
    for (int g = 0; g < by_gene->ncol; g++) {
        const double *x = by_gene->x + by_gene->p[g];
        size_t m = (size_t) (by_gene->p[g + 1] - by_gene->p[g]);
        for (size_t k = 0; k < m; k++) order[k] = k;
        sort_places(x, order, other, m);
        /* zeros come first */
        double zeros = n - (double) m, top = floor * zeros * (zeros - n), sum = floor * n;
        for (size_t k = 0; k < m; k++) {
            top += (2 * (zeros + (double) k + 1) - n - 1) * (x[order[k]] + floor);
            sum += x[order[k]];
        }
        out[g] = top / (n * sum);
    }
    return ST_OK;
}

/* ---- losses of counts ---- */

/* Near the mean log(y/mean) = 2 atanh(v), v = d/(y + mean), as a series: its first term and d make
 * v d. */
double half_deviance(double y, double mean, double d)
{
    if (y == 0) return mean;
    double v = d / (y + mean);
    if (!(fabs(v) < 0.1)) return y * log(y / mean) - d;
    double square = v * v, power = 2 * v * y, sum = v * d, before = NAN;
    for (int k = 3; sum != before && k < 40; k += 2) {
        power *= square;
        before = sum;
        sum += power / k;
    }
    return sum;
}

/* y log(y/m) - (y + theta) log((y + theta)/(m + theta)): a difference of two half deviances, for
 * any theta up to infinity; far from the mean, where small theta would let it cancel, by logarithms
 * of what is near 1 when theta is large. */
static double half_nb(double y, double m, double theta)
{
    double d = y - m;
    if (isinf(theta) || d == 0) return half_deviance(y, m, d);
    if (y == 0) return theta * log1p(m / theta);
    if (m == 0) return INFINITY;
    if (fabs(d) < 0.1 * (y + m))
        return half_deviance(y, m, d) - half_deviance(y + theta, m + theta, d);
    if (d > 0) return y * log1p(theta / (y + theta) * (d / m)) - theta * log1p(d / (m + theta));
    return theta * log1p(-d / (y + theta)) - y * log1p(theta / (m + theta) * (-d / y));
}

double count_loss(const Sparse *observed, const double *expected, CountLoss kind,
                  const double *theta, size_t n_theta, double eps, Tick tick)
{
    size_t G = (size_t) observed->nrow;
    double total = 0;
    for (int c = 0; c < observed->ncol; c++) {
        int k = observed->p[c], end = observed->p[c + 1];
        double sum = 0;
        for (size_t g = 0; g < G; g++) {
            size_t at = (size_t) c * G + g;
            double m = expected[at],
                   y = k < end && (size_t) observed->i[k] == g ? observed->x[k++] : 0;
            if (kind == COUNT_LOSS) sum += y > 0 ? m - y * log(m + eps) : m;
            else
                sum += 2
                       * (kind == COUNT_NB ? half_nb(y, m, theta[at % n_theta])
                                           : half_deviance(y, m, y - m));
        }
        total += sum;
        tick_idle(tick);
    }
    return total / ((double) G * observed->ncol);
}
