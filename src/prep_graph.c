/* Which genes go together: |Pearson r| above a threshold, all pairs, tile by tile: the standardised
 * genes of two blocks as dense matrices over the cells, and their product. Memory: a bit for each
 * pair, and tiles. */
#include <math.h>
#include <string.h>
#include "kernels.h"
#include "prep.h"

enum { BLOCK = 128 };
#ifndef GRAPH_TICK
#define GRAPH_TICK 5e8                   /* products of a thread between two ticks; tests: few */
#endif

typedef struct {
    const Sparse *by_gene;
    double threshold;
    int N, M;
    uint64_t *bits;
    const double *mean, *over;
} Graph;

/* genes x cells, each gene centred and of length 1; zeros where it does not vary */
static size_t standardised(const Graph *g, int block, real *out)
{
    int from = block * BLOCK, n = g->N - from < BLOCK ? g->N - from : BLOCK;
    for (int r = 0; r < n; r++) {
        real *row = out + (size_t) r * (size_t) g->M,
             none = (real) (-g->mean[from + r] * g->over[from + r]);
        for (int c = 0; c < g->M; c++) row[c] = none;
        for (int k = g->by_gene->p[from + r]; k < g->by_gene->p[from + r + 1]; k++)
            row[g->by_gene->i[k]] = (real) ((g->by_gene->x[k] - g->mean[from + r])
                                            * g->over[from + r]);
    }
    return (size_t) n;
}

/* The pairs of block b with the blocks from..to-1 up to it; bits of rows of block b only, so that
 * threads do not meet. mine: stays between calls */
static void one_block(const Graph *g, int b, int from, int to, real *mine, real *other, real *r,
                      real *scratch)
{
    size_t M = (size_t) g->M, words = ((size_t) g->N + 63) / 64;
    size_t n = b * BLOCK + BLOCK < g->N ? BLOCK : (size_t) (g->N - b * BLOCK);
    if (!from) standardised(g, b, mine);
    for (int o = from; o < to && o <= b; o++) {
        size_t m = o == b ? n : standardised(g, o, other);
        gemm(0, 1, n, m, M, mine, M, o == b ? mine : other, M, 0, r, m, scratch);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < m; j++) {
                size_t row = (size_t) b * BLOCK + i, col = (size_t) o * BLOCK + j;
                if (col < row && fabs((double) r[i * m + j]) > g->threshold)
                    g->bits[row * words + col / 64] |= (uint64_t) 1 << col % 64;
            }
    }
}

Status prep_graph(Arena *a, const Sparse *by_gene, double threshold, int threads, Tick tick,
                  uint64_t *bits)
{
    int N = by_gene->ncol, M = by_gene->nrow, blocks = (N + BLOCK - 1) / BLOCK;
    size_t tile = BLOCK * (size_t) M, words = ((size_t) N + 63) / 64;
    double *mean = ARENA(a, double, N), *over = ARENA(a, double, N);
    real *room = ARENA(a, real, (size_t) threads * (2 * tile + BLOCK * BLOCK + GEMM_SCRATCH));
    Graph g = { by_gene, threshold, N, M, bits, mean, over };
    if (a->failed) return ST_NOMEM;
    for (int j = 0; j < N; j++) {
        double ss = 0;
        int from = by_gene->p[j], to = by_gene->p[j + 1];
        for (int k = from; k < to; k++) mean[j] += by_gene->x[k];
        mean[j] /= M;
        for (int k = from; k < to; k++) ss += (by_gene->x[k] - mean[j]) * (by_gene->x[k] - mean[j]);
        ss += (M - (to - from)) * mean[j] * mean[j];
        over[j] = ss > 1e-20 * M * mean[j] * mean[j] ? 1 / sqrt(ss) : 0;
    }
    int at_once = 1 + (int) (GRAPH_TICK / ((double) BLOCK * BLOCK * M));
    for (int first = 0; first < blocks; first += threads)
        for (int o = 0; o < first + threads && o < blocks; o += at_once) {
            PARALLEL_FOR(threads)
            for (int t = 0; t < threads; t++) {
                real *mine = room + (size_t) t * (2 * tile + BLOCK * BLOCK + GEMM_SCRATCH);
                if (first + t < blocks)
                    one_block(&g, first + t, o, o + at_once, mine, mine + tile, mine + 2 * tile,
                              mine + 2 * tile + BLOCK * BLOCK);
            }
            tick_idle(tick);
        }
    for (size_t i = 0; i < (size_t) N; i++)                    /* the other half */
        for (size_t j = 0; j < i; j++)
            if (bits[i * words + j / 64] >> j % 64 & 1)
                bits[j * words + i / 64] |= (uint64_t) 1 << i % 64;
    return ST_OK;
}
