/* Silhouette widths, Rousseeuw 1987: s = (b - a)/max(a, b), a the mean Euclidean distance to the
 * other members of the own cluster, b the smallest mean distance to another cluster; 0 for a
 * singleton. Distances are made a point against thirty-two at a time and summed on the spot: no n x
 * n matrix. */
#include <math.h>
#include "metric.h"

KERNEL_FILE

enum { LANE = 32 };

/* the doubles that fit where W floats do */
typedef double Doubles16 __attribute__((vector_size(64), aligned(8), may_alias));
typedef double Doubles8 __attribute__((vector_size(32), aligned(8), may_alias));
typedef double Doubles4 __attribute__((vector_size(16), aligned(8), may_alias));

/* Sum of distances from x to the n points of one cluster, which lie in groups of LANE, dimension by
 * dimension: group[d * LANE + lane]. Lanes are summed one by one at the end: the same order for
 * every W. */
#define DISTANCES(suffix, attr, W) \
attr static double distances##suffix(const double *x, const double *groups, int n, int d) \
{ \
    double sum[LANE] = { 0 }; \
    for (int j0 = 0; j0 < n; j0 += LANE, groups += (size_t) d * LANE) { \
        union { Doubles##W w[2 * LANE / W]; double l[LANE]; } s; \
        for (int v = 0; v < 2 * LANE / W; v++) s.w[v] = (Doubles##W) { 0 }; \
        for (int k = 0; k < d; k++) \
            for (int v = 0; v < 2 * LANE / W; v++) { \
                Doubles##W e = x[k] - LANES(const Doubles##W, groups + k * LANE + v * (W / 2)); \
                s.w[v] += e * e; \
            } \
        int left = n - j0 < LANE ? n - j0 : LANE; \
        for (int l = 0; l < left; l++) sum[l] += sqrt(s.l[l]); \
    } \
    double total = 0; \
    for (int l = 0; l < LANE; l++) total += sum[l]; \
    return total; \
}
BY_LANES(DISTANCES)

Status silhouette(Arena *a, const double *points, int n, int d, const int *label, int n_labels,
                  int threads, Tick tick, double *width)
{
    int *size = ARENA(a, int, n_labels), *place = ARENA(a, int, n_labels);
    size_t *start = ARENA(a, size_t, n_labels + 1);
    double *packed = ARENA(a, double, ((size_t) n + (size_t) n_labels * LANE) * (size_t) d);
    if (a->failed) return ST_NOMEM;
    for (int i = 0; i < n; i++) size[label[i]]++;
    for (int c = 0; c < n_labels; c++)
        start[c + 1] = start[c] + (size_t) (size[c] + LANE - 1) / LANE * LANE * (size_t) d;
    for (int i = 0; i < n; i++) {
        int at = place[label[i]]++;
        double *group = packed + start[label[i]] + (size_t) (at / LANE) * LANE * (size_t) d;
        for (int k = 0; k < d; k++)
            group[k * LANE + at % LANE] = points[(size_t) i * (size_t) d + (size_t) k];
    }
    int block = 64 * threads;
    for (int i0 = 0; i0 < n; i0 += block) {
        int i1 = n - i0 < block ? n : i0 + block;
        PARALLEL_FOR(threads)
        for (int i = i0; i < i1; i++) {
            const double *x = points + (size_t) i * (size_t) d;
            double own = 0, other = INFINITY;
            width[i] = 0;
            if (size[label[i]] < 2) continue;
            for (int c = 0; c < n_labels; c++) {
                if (!size[c]) continue;
                double sum;
                CALL_LANES(sum = distances, x, packed + start[c], size[c], d);
                if (c == label[i]) own = sum / (size[c] - 1);
                else if (sum / size[c] < other) other = sum / size[c];
            }
            double most = own > other ? own : other;
            if (isfinite(other) && most > 0) width[i] = (other - own) / most;
        }
        tick_idle(tick);
    }
    return ST_OK;
}
