/* Agreement of two partitions of the same n items: the adjusted Rand index (Hubert and Arabie 1985,
 * eq. 5), pairs and mutual information. The table of counts is never formed: items are dealt out by
 * label of a, then counted by label of b. */
#include <math.h>
#include "metric.h"

static double pairs(double n) { return n * (n - 1) / 2; }
static double plogp(double count, double n) { return count > 0 ? -count / n * log(count / n) : 0; }

Status agreement(Arena *a_, const int *a, int n_a, const int *b, int n_b, size_t n, Agreement *out)
{
    size_t *start = ARENA(a_, size_t, n_a + 1), *count = ARENA(a_, size_t, n_b),
           *size_b = ARENA(a_, size_t, n_b);
    int *by_a = ARENA(a_, int, n), *touched = ARENA(a_, int, n_b);
    if (a_->failed) return ST_NOMEM;
    for (size_t k = 0; k < n; k++) { start[a[k] + 1]++; size_b[b[k]]++; }
    for (int i = 0; i < n_a; i++) start[i + 1] += start[i];
    for (size_t k = 0; k < n; k++) by_a[start[a[k]]++] = b[k];
    for (int i = n_a; i > 0; i--) start[i] = start[i - 1];
    start[0] = 0;
    double both = 0, in_a = 0, in_b = 0, hits = 0, N = (double) n;
    *out = (Agreement) { 0 };
    for (int i = 0; i < n_a; i++) {
        int n_touched = 0;
        for (size_t k = start[i]; k < start[i + 1]; k++)
            if (!count[by_a[k]]++) touched[n_touched++] = by_a[k];
        double row = (double) (start[i + 1] - start[i]), most = 0;
        in_a += pairs(row);
        out->entropy_a += plogp(row, N);
        for (int t = 0; t < n_touched; t++) {
            double c = (double) count[touched[t]];
            both += pairs(c);
            if (c > most) most = c;
            out->joint += plogp(c, N);
            out->mutual += c / N * log(c * N / (row * (double) size_b[touched[t]]));
            count[touched[t]] = 0;
        }
        hits += most;
    }
    for (int j = 0; j < n_b; j++) {
        in_b += pairs((double) size_b[j]);
        out->entropy_b += plogp((double) size_b[j], N);
    }
    double expected = n > 1 ? in_a * in_b / pairs(N) : 0, top = (in_a + in_b) / 2;
    /* two trivial partitions agree */
    out->ari = top == expected ? 1 : (both - expected) / (top - expected);
    if (out->mutual < 0) out->mutual = 0;
    out->both = both; out->in_a = in_a; out->in_b = in_b; out->hits = hits;
    return ST_OK;
}

/* ---- mutual information that chance gives (Vinh, Epps and Bailey 2010, eq. 24a) ----
 * The overlap of classes of sizes s and t is hypergeometric. Its weights come from their ratios,
 * outwards from the mode (weight 1) until they no longer count, and are divided by their sum: no
 * factorials. As the mean overlap is m = s t/N, the mean of k log(k/m) is that of k log(k/m) - (k -
 * m), which has no negative terms: nothing cancels. */
static double overlap(double s, double t, double N)
{
    double least = s + t > N ? s + t - N : 0, most = s < t ? s : t, m = s * t / N;
    double mode = floor((s + 1) * (t + 1) / (N + 2));
    mode = mode < least ? least : mode > most ? most : mode;
    double weight = 1, weights = 1, sum = half_deviance(mode, m, mode - m);
    for (double k = mode; k < most && weight > 1e-22; k++) {
        weight *= (s - k) * (t - k) / ((k + 1) * (N - s - t + k + 1));
        weights += weight;
        sum += weight * half_deviance(k + 1, m, k + 1 - m);
    }
    weight = 1;
    for (double k = mode; k > least && weight > 1e-22; k--) {
        weight *= k * (N - s - t + k) / ((s - k + 1) * (t - k + 1));
        weights += weight;
        sum += weight * half_deviance(k - 1, m, k - 1 - m);
    }
    return sum / weights;
}

/* The distinct ones of n sizes and how often each is there. times: room for the largest size + 1,
 * zeros; returns how many. */
static int distinct(const int *size, int n, int *times, int *value)
{
    int found = 0;
    for (int k = 0; k < n; k++) if (!times[size[k]]++) value[found++] = size[k];
    return found;
}

static int largest(const int *size, int n)
{
    int most = 0;
    for (int k = 0; k < n; k++) if (size[k] > most) most = size[k];
    return most;
}

Status expected_mutual(Arena *a, const int *size_a, int n_a, const int *size_b, int n_b, Tick tick,
                       double *out)
{
    int *times_a = ARENA(a, int, largest(size_a, n_a) + 1),
        *times_b = ARENA(a, int, largest(size_b, n_b) + 1);
    int *value_a = ARENA(a, int, n_a), *value_b = ARENA(a, int, n_b);
    if (a->failed) return ST_NOMEM;
    double N = 0;
    for (int k = 0; k < n_a; k++) N += size_a[k];
    int d_a = distinct(size_a, n_a, times_a, value_a),
        d_b = distinct(size_b, n_b, times_b, value_b);
    *out = 0;
    for (int i = 0; i < d_a; i++) {
        double row = 0;
        for (int j = 0; j < d_b; j++)
            row += times_b[value_b[j]] * overlap(value_a[i], value_b[j], N);
        *out += times_a[value_a[i]] * row / N;
        tick_idle(tick);
    }
    return ST_OK;
}

/* ---- the best one-to-one map of classes: Kuhn 1955, Munkres 1957, by shortest augmenting paths
 * ---- Rows are matched one after the other; costs are minus the counts. Whole numbers throughout,
 * so it is exact. */
typedef struct { double *count, *u, *v, *dist; int rows, cols, *owner, *from, *done; } Matching;

static void match_row(Matching *m, int row)
{
    for (int j = 0; j < m->cols; j++) { m->dist[j] = INFINITY; m->from[j] = -1; m->done[j] = 0; }
    double reach = 0;
    int i = row, via = -1, last;
    for (;;) {  /* Dijkstra on reduced costs, to a column that nobody owns */
        const double *count = m->count + (size_t) i * (size_t) m->cols;
        last = -1;
        for (int j = 0; j < m->cols; j++) {
            if (m->done[j]) continue;
            double d = reach - count[j] - m->u[i] - m->v[j];
            if (d < m->dist[j]) { m->dist[j] = d; m->from[j] = via; }
            if (last < 0 || m->dist[j] < m->dist[last]) last = j;
        }
        reach = m->dist[last];
        if (m->owner[last] < 0) break;
        m->done[via = last] = 1;
        i = m->owner[via];
    }
    m->u[row] += reach;
    for (int j = 0; j < m->cols; j++)
        if (m->done[j]) { m->u[m->owner[j]] += reach - m->dist[j]; m->v[j] -= reach - m->dist[j]; }
    for (int j = last; j >= 0; j = m->from[j])
        m->owner[j] = m->from[j] < 0 ? row : m->owner[m->from[j]];
}

Status best_matching(Arena *a_, const int *a, int n_a, const int *b, int n_b, size_t n, Tick tick,
                     double *matched)
{
    if (n_a > n_b) return best_matching(a_, b, n_b, a, n_a, n, tick, matched);
    size_t cols = (size_t) n_b;
    Matching m = { ARENA(a_, double, (size_t) n_a *cols),
                   ARENA(a_, double, n_a),
                   ARENA(a_, double, n_b),
                   ARENA(a_, double, n_b),
                   n_a,
                   n_b,
                   ARENA(a_, int, n_b),
                   ARENA(a_, int, n_b),
                   ARENA(a_, int, n_b) };
    if (a_->failed) return ST_NOMEM;
    for (size_t k = 0; k < n; k++) m.count[(size_t) a[k] * cols + (size_t) b[k]]++;
    for (int j = 0; j < n_b; j++) m.owner[j] = -1;
    for (int i = 0; i < n_a; i++) { match_row(&m, i); tick_idle(tick); }
    *matched = 0;
    for (size_t j = 0; j < cols; j++)
        if (m.owner[j] >= 0) *matched += m.count[(size_t) m.owner[j] * cols + j];
    return ST_OK;
}
