/* Agreement of two partitions of the same n items: the adjusted Rand index (Hubert and Arabie 1985, eq. 5) and mutual
 * information. The table of counts is never formed: items are dealt out by label of a, then counted by label of b. */
#include <math.h>
#include "core.h"

static double pairs(double n) { return n * (n - 1) / 2; }
static double plogp(double count, double n) { return count > 0 ? -count / n * log(count / n) : 0; }

Status agreement(Arena *a_, const int *a, int n_a, const int *b, int n_b, size_t n, Agreement *out)
{
    size_t *start = ARENA(a_, size_t, n_a + 1), *count = ARENA(a_, size_t, n_b), *size_b = ARENA(a_, size_t, n_b);
    int *by_a = ARENA(a_, int, n), *touched = ARENA(a_, int, n_b);
    if (a_->failed) return ST_NOMEM;
    for (size_t k = 0; k < n; k++) { start[a[k] + 1]++; size_b[b[k]]++; }
    for (int i = 0; i < n_a; i++) start[i + 1] += start[i];
    for (size_t k = 0; k < n; k++) by_a[start[a[k]]++] = b[k];
    for (int i = n_a; i > 0; i--) start[i] = start[i - 1];
    start[0] = 0;
    double both = 0, in_a = 0, in_b = 0, N = (double) n;
    *out = (Agreement) { 0 };
    for (int i = 0; i < n_a; i++) {
        int n_touched = 0;
        for (size_t k = start[i]; k < start[i + 1]; k++) if (!count[by_a[k]]++) touched[n_touched++] = by_a[k];
        double row = (double) (start[i + 1] - start[i]);
        in_a += pairs(row);
        out->entropy_a += plogp(row, N);
        for (int t = 0; t < n_touched; t++) {
            double c = (double) count[touched[t]];
            both += pairs(c);
            out->joint += plogp(c, N);
            out->mutual += c / N * log(c * N / (row * (double) size_b[touched[t]]));
            count[touched[t]] = 0;
        }
    }
    for (int j = 0; j < n_b; j++) { in_b += pairs((double) size_b[j]); out->entropy_b += plogp((double) size_b[j], N); }
    double expected = n > 1 ? in_a * in_b / pairs(N) : 0, top = (in_a + in_b) / 2;
    out->ari = top == expected ? 1 : (both - expected) / (top - expected);     /* two trivial partitions agree */
    if (out->mutual < 0) out->mutual = 0;
    return ST_OK;
}
