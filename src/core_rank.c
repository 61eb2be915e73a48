/* Order and ranks of values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core.h"

/* merges of runs, which keep the order of ties */
void sort_places(const double *v, size_t *order, size_t *other, size_t n)
{
    size_t *from = order, *to = other;
    for (size_t run = 1; run < n; run *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * run) {
            size_t mid = lo + run < n ? lo + run : n, hi = lo + 2 * run < n ? lo + 2 * run : n,
                   i = lo, j = mid;
            for (size_t k = lo; k < hi; k++)
                to[k] = j == hi || (i < mid && v[from[i]] <= v[from[j]]) ? from[i++] : from[j++];
        }
        size_t *t = from; from = to; to = t;
    }
    if (from != order) memcpy(order, from, n * sizeof *order);
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

void sort_values(double *v, size_t n) { qsort(v, n, sizeof *v, rising); }

/* Ranks of the values v[order[k]], k < n, from 1, into rank[order[k]]. */
static double rank_places(const double *v, size_t n, double tol, size_t *order, size_t *other,
                          double *rank)
{
    double ties = 0;
    sort_places(v, order, other, n);
    for (size_t k = 0, end; k < n; k = end) {
        double first = v[order[k]], top = tol > 0 ? first + tol * fabs(first) : first;
        for (end = k + 1; end < n && v[order[end]] <= top; end++) { }
        double t = (double) (end - k);
        for (size_t j = k; j < end; j++) rank[order[j]] = (double) k + (t + 1) / 2;
        ties += t * t * t - t;
    }
    return ties;
}

double midranks(const double *v, size_t n, double tol, size_t *order, double *rank)
{
    for (size_t k = 0; k < n; k++) order[k] = k;
    return rank_places(v, n, tol, order, order + n, rank);
}

Status midranks_by_group(Arena *a, const double *v, const int *group, size_t n, int n_groups,
                         double *rank)
{
    size_t *order = ARENA(a, size_t, n), *other = ARENA(a, size_t, n);
    size_t *start = ARENA(a, size_t, n_groups + 1);
    if (a->failed) return ST_NOMEM;
    for (size_t k = 0; k < n; k++) start[group ? group[k] + 1 : 1]++;
    for (int g = 0; g < n_groups; g++) start[g + 1] += start[g];
    for (size_t k = 0; k < n; k++) order[start[group ? group[k] : 0]++] = k;
    for (int g = n_groups; g > 0; g--) start[g] = start[g - 1];
    start[0] = 0;
    for (int g = 0; g < n_groups; g++)
        rank_places(v, start[g + 1] - start[g], 0, order + start[g], other, rank);
    return ST_OK;
}
