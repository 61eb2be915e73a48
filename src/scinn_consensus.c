/* How disputed each cell is among several partitions: the weights of the meta-clustering of module
 * one of scINN. */
#include "scinn.h"

KERNEL_FILE

typedef struct {
    size_t m;
    int P;
    const int *label;
    const double *times;
    double n, *w;
} Disputed;

static void one_pattern(const Disputed *d, size_t a)
{
    double sum = 0;
    for (size_t b = 0; b < d->m; b++) {
        int same = 0;
        for (int p = 0; p < d->P; p++)
            same += d->label[(size_t) p * d->m + a] == d->label[(size_t) p * d->m + b];
        sum += d->times[b] * same * (d->P - same);
    }
    d->w[a] = (4 * sum / ((double) d->P * d->P * d->n) + 0.01) / 1.01;
}

void scinn_disputed(const int *label, const double *times, size_t m, int n_partitions, int threads,
                    double *w)
{
    Disputed d = { m, n_partitions, label, times, 0, w };
    for (size_t a = 0; a < m; a++) d.n += times[a];
    PARALLEL_FOR(threads)
    for (size_t a = 0; a < m; a++) one_pattern(&d, a);
}
