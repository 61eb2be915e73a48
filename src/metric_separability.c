/* Correlations of pairs of cells, for medians within and between cell types. The cells x cells
 * matrix is never formed: pairs are told by their place in a list. One cell at a time is spread
 * out, centred and of norm 1; then r is its product with the entries of the other over that one's
 * norm, as the centre of the other meets a sum of 0. */
#include <math.h>
#include "metric.h"

void cell_norms(const Sparse *x, double *mean, double *norm)
{
    double G = x->nrow;
    for (int c = 0; c < x->ncol; c++) {
        double sum = 0, squares = 0, raw = 0;
        for (int k = x->p[c]; k < x->p[c + 1]; k++) sum += x->x[k];
        mean[c] = sum / G;
        for (int k = x->p[c]; k < x->p[c + 1]; k++) {
            squares += (x->x[k] - mean[c]) * (x->x[k] - mean[c]);
            raw += x->x[k] * x->x[k];
        }
        squares += (G - (x->p[c + 1] - x->p[c])) * mean[c] * mean[c];
        /* below that it is rounding of the mean */
        norm[c] = squares > 1e-24 * raw ? sqrt(squares) : 0;
    }
}

static void spread(const Sparse *x, int cell, double mean, double norm, double *z)
{
    for (int g = 0; g < x->nrow; g++) z[g] = -mean / norm;
    for (int k = x->p[cell]; k < x->p[cell + 1]; k++) z[x->i[k]] = (x->x[k] - mean) / norm;
}

static double product(const Sparse *x, int cell, const double *z)
{
    double sum[4] = { 0 };  /* four chains of sums: one would wait for itself */
    int k = x->p[cell], end = x->p[cell + 1];
    for (; k + 4 <= end; k += 4) for (int l = 0; l < 4; l++) sum[l] += z[x->i[k + l]] * x->x[k + l];
    for (; k < end; k++) sum[0] += z[x->i[k]] * x->x[k];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

typedef struct {
    const Sparse *x;
    const double *mean, *norm;
    const Pairs *p;
    const uint64_t *first;    /* number of pairs before those of cell[j]; n + 1 */
    uint64_t seed;
    size_t m;
} Job;

/* the pair in the list that out[k] is about */
static uint64_t place(const Job *w, size_t k)
{
    uint64_t total = w->first[w->p->n];
    if (w->m == total) return k;
    double at = ((double) k + rng_unif(w->seed, RNG_PAIRS, k)) * ((double) total / (double) w->m);
    return at < (double) total ? (uint64_t) at : total - 1;
}

static void correlate(const Job *w, size_t from, size_t to, double *z, double *out)
{
    const Pairs *p = w->p;
    int j = 0, spread_out = -1;
    uint64_t start = place(w, from);
    for (int lo = 0, hi = p->n; lo < hi; ) {             /* the last j with first[j] <= start */
        int mid = lo + (hi - lo) / 2;
        if (w->first[mid] <= start) { j = mid; lo = mid + 1; } else hi = mid;
    }
    for (size_t k = from; k < to; k++) {
        uint64_t at = place(w, k);
        while (at >= w->first[j + 1]) j++;
        int one = p->cell[j], other = p->cell[p->lo[j] + (int) (at - w->first[j])];
        if (spread_out != j) spread(w->x, one, w->mean[one], w->norm[one], z);
        spread_out = j;
        double r = product(w->x, other, z) / w->norm[other];
        out[k] = r > 1 ? 1 : r < -1 ? -1 : r;
    }
}

enum { CHUNK = 1024 };        /* pairs that one thread takes at once */

Status pair_correlations(Arena *a, const Sparse *x, const double *mean, const double *norm,
                         const Pairs *p, uint64_t seed, int threads, Tick tick, double *out,
                         size_t m)
{
    uint64_t *first = ARENA(a, uint64_t, p->n + 1);
    double *z = ARENA(a, double, (size_t) threads * (size_t) x->nrow);
    if (a->failed) return ST_NOMEM;
    for (int j = 0; j < p->n; j++) first[j + 1] = first[j] + (uint64_t) (p->hi[j] - p->lo[j]);
    Job w = { x, mean, norm, p, first, seed, m };
    size_t step = (size_t) threads * CHUNK;
    for (size_t from = 0; from < m; from += step) {
        PARALLEL_FOR(threads)
        for (int t = 0; t < threads; t++) {
            size_t lo = from + (size_t) t * CHUNK, hi = lo + CHUNK < m ? lo + CHUNK : m;
            if (lo < hi) correlate(&w, lo, hi, z + (size_t) t * (size_t) x->nrow, out);
        }
        tick_idle(tick);
    }
    return ST_OK;
}
