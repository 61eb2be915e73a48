/* metric_plain.h: ranks by counting. */
#ifndef INFILL_METRIC_PLAIN_H
#define INFILL_METRIC_PLAIN_H
#include "check.h"
#include "metric.h"

/* rank by counting: those below, and half of those alike */
static inline double rank_of(const double *v, const int *group, int g, int n, int k)
{
    double rank = 0.5;
    for (int j = 0; j < n; j++)
        if (!group || group[j] == g) rank += v[j] < v[k] ? 1 : v[j] == v[k] ? 0.5 : 0;
    return rank;
}
#endif
