/* What the priors of a posterior expect of a cell, as log(mu_k / depth + 1e-3): the quick ones from
 * parts that they share. Projections on the first 5, 10, ... vectors are sums on the way to the
 * last; so are pools of the first 10, 30, ... neighbours. */
#include <math.h>
#include "core_log.h"
#include "prior.h"
#include "stack.h"

KERNEL_FILE

LOCAL_FOR_CPUS(add_vector, (size_t n, double by, const double *restrict v, double *restrict sum),
               (n, by, v, sum), {
    for (size_t j = 0; j < n; j++) sum[j] += by * v[j];
})
/* projected logarithms v: log(size expm1(v) / depth + 1e-3) */
LOCAL_FOR_CPUS(log_projected, (size_t n, double by, const double *restrict v, double *restrict to),
               (n, by, v, to), {
    for (size_t j = 0; j < n; j++) {
        double at = v[j] > 0 ? v[j] : 0;
        to[j] = log_of(by * (exp_of(at) - 1) + STACK_FLOOR);
    }
})
LOCAL_FOR_CPUS(log_scaled, (size_t n, double by, const double *restrict v, double *restrict to),
               (n, by, v, to), {
    for (size_t j = 0; j < n; j++) to[j] = log_of(by * v[j] + STACK_FLOOR);
})

LOCAL_FOR_CPUS(log_here, (size_t n, double *v), (n, v), {
    for (size_t j = 0; j < n; j++) v[j] = log_of(v[j] + STACK_FLOOR);
})

size_t priors_scratch(const Priors *p)
{
    return p->n_rows + (p->neighbours ? (size_t) p->pool->rows + p->n_rows : 0);
}

static int kind_of(const Priors *p, PriorKind kind)
{
    for (int k = 0; k < p->K; k++) if (p->prior[k].kind == kind) return 1;
    return 0;
}

/* The next prior of this kind that wants at least one more than `done`: they are met in rising
 * order of what they want. */
static int next_of(const Priors *p, PriorKind kind, int done)
{
    int next = 0;
    for (int k = 0; k < p->K; k++) {
        int wants = p->prior[k].kind == kind ? p->prior[k].first : 0;
        if (wants > done && (!next || wants < next)) next = wants;
    }
    return next;
}

/* Sums of neighbours, of one of the two kinds. */
typedef struct { double *of, total; uint32_t *small; } Sums;

static Sums no_sums(const Priors *p, double *scratch)
{
    Sums s = { scratch, 0, p->pool->small ? (uint32_t *) (void *) scratch : NULL };
    for (int g = 0; g < p->pool->rows; g++) if (s.small) s.small[g] = 0; else s.of[g] = 0;
    return s;
}

/* Neighbours from..to of a cell. */
static void pool_more(const Priors *p, int cell, int from, int to, Sums *s)
{
    const int *near = p->near + (size_t) cell * (size_t) p->neighbours;
    const Pool *of = p->pool;
    for (int j = from; j < to && near[j] >= 0; j++) {
        int e = of->p[near[j]], end = of->p[near[j] + 1];
        s->total += of->totals[near[j]];
        if (s->small)
            for (; e < end; e++)
                s->small[of->small[e] >> SMALL_BITS] += of->small[e] & (SMALL_COUNT - 1);
        else for (; e < end; e++) s->of[of->at[e].gene] += (double) of->at[e].count;
    }
}

static double pooled(const Sums *s, size_t row) { return s->small ? s->small[row] : s->of[row]; }

static void near_of_cell(const Priors *p, int cell, double own, double *scratch, double *to)
{
    double *v = scratch + p->pool->rows;
    Sums s = no_sums(p, scratch);
    for (int done = 0, next; (next = next_of(p, PRIOR_NEAR, done)); done = next) {
        pool_more(p, cell, done, next, &s);
        if (p->pool_row)
            for (size_t j = 0; j < p->n_rows; j++) v[j] = pooled(&s, (size_t) p->pool_row[j]);
        else if (s.small) for (size_t j = 0; j < p->n_rows; j++) v[j] = s.small[j];
        else for (size_t j = 0; j < p->n_rows; j++) v[j] = s.of[j];
        for (int k = 0; k < p->K; k++)
            if (p->prior[k].kind == PRIOR_NEAR && p->prior[k].first == next)
                log_scaled(p->n_rows, s.total > 0 ? own / s.total : 0, v,
                           to + (size_t) k * p->n_rows);
    }
}

static void svd_of_cell(const Priors *p, int cell, double size, double *v, double *to)
{
    const double *z = p->scores + (size_t) cell * (size_t) p->dims;
    for (size_t j = 0; j < p->n_rows; j++) v[j] = 0;
    for (int done = 0, next; (next = next_of(p, PRIOR_SVD, done)); done = next) {
        for (int d = done; d < next; d++)
            add_vector(p->n_rows, z[d], p->turn + (size_t) d * p->n_rows, v);
        for (int k = 0; k < p->K; k++)
            if (p->prior[k].kind == PRIOR_SVD && p->prior[k].first == next)
                log_projected(p->n_rows, size, v, to + (size_t) k * p->n_rows);
    }
}

void priors_of_cell(const Priors *p, int cell, double depth, double *scratch, double *to)
{
    double own = cell_total(p->counts, cell), size = own / p->usual / depth;
    for (int k = 0; k < p->K; k++) {
        double *z = to + (size_t) k * p->n_rows;
        if (p->prior[k].kind == PRIOR_DENSE)
            log_scaled(p->n_rows, 1 / depth, p->prior[k].values + (size_t) cell * p->n_rows, z);
        if (p->prior[k].kind == PRIOR_MEAN) log_scaled(p->n_rows, size, p->prior[k].values, z);
    }
    if (kind_of(p, PRIOR_SVD)) svd_of_cell(p, cell, size, scratch, to);
    if (kind_of(p, PRIOR_NEAR)) near_of_cell(p, cell, own / depth, scratch + p->n_rows, to);
}

/* Nested sums u's of one gene, an expectation at each rank that is wanted. */
static void svd_at(const Priors *p, const double *s, const double *u, double size, double *to,
                   size_t ld)
{
    double v = 0;
    for (int done = 0, next; (next = next_of(p, PRIOR_SVD, done)); done = next) {
        for (int d = done; d < next; d++) v += s[d] * u[d];
        for (int k = 0; k < p->K; k++)
            if (p->prior[k].kind == PRIOR_SVD && p->prior[k].first == next)
                to[(size_t) k * ld] = v > 0 ? size * (exp_of(v) - 1) : 0;
    }
}

static void near_at(const Priors *p, int cell, double own, const int *genes, size_t n,
                    double *scratch, double *to, size_t ld)
{
    Sums sums = no_sums(p, scratch);
    for (int done = 0, next; (next = next_of(p, PRIOR_NEAR, done)); done = next) {
        pool_more(p, cell, done, next, &sums);
        double by = sums.total > 0 ? own / sums.total : 0;
        for (int k = 0; k < p->K; k++)
            if (p->prior[k].kind == PRIOR_NEAR && p->prior[k].first == next)
                for (size_t j = 0; j < n; j++)
                    to[(size_t) k * ld + j] = by * pooled(&sums, (size_t) genes[j]);
    }
}

void priors_at(const Priors *p, int cell, const int *genes, size_t n, const double *turn_rows,
               double *scratch, double *to, size_t ld)
{
    double own = cell_total(p->counts, cell), size = own / p->usual;
    size_t d = (size_t) p->dims, first = (size_t) cell * (size_t) p->counts->nrow;
    for (int k = 0; k < p->K; k++) {
        const double *v = p->prior[k].values;
        double *z = to + (size_t) k * ld;
        PriorKind kind = p->prior[k].kind;
        for (size_t j = 0; kind == PRIOR_DENSE && j < n; j++) z[j] = v[first + (size_t) genes[j]];
        for (size_t j = 0; kind == PRIOR_MEAN && j < n; j++) z[j] = size * v[genes[j]];
    }
    for (size_t j = 0; kind_of(p, PRIOR_SVD) && j < n; j++)
        svd_at(p, p->scores + (size_t) cell * d, turn_rows + (size_t) genes[j] * d, size, to + j,
               ld);
    if (kind_of(p, PRIOR_NEAR)) near_at(p, cell, own, genes, n, scratch, to, ld);
    for (int k = 0; k < p->K; k++) log_here(n, to + (size_t) k * ld);
}
