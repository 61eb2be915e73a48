/* The bare kernels of scINN's steps, for bench-scinn.R: products of the same shapes, sparse sums over the same entries, one pass
 * of AdamW, one thread, batch after batch of different cells. */
#include <stdlib.h>
#include <time.h>
#include "scinn.h"

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static real *take(size_t n)
{
    real *x = malloc((n + 16) * sizeof *x);
    for (size_t k = 0; k < n + 16; k++) x[k] = (real) (1e-3 * (double) (k % 1013));
    return x;
}

static size_t *wide(const int *from, size_t n)
{
    size_t *to = malloc(n * sizeof *to);
    for (size_t k = 0; k < n; k++) to[k] = (size_t) from[k];
    return to;
}

/* One layer from B x h to a block of genes and back: outputs, what goes back to h, the gradient of the weights */
static void there_and_back(size_t B, size_t w, size_t h, real *H, real *W, real *out, real *back, real *grad, real *scratch)
{
    gemm(0, 1, B, w, h, H, PANEL, W, PANEL, 1, out, w, scratch);
    gemm(0, 0, B, h, w, out, w, W, PANEL, 0, back, PANEL, scratch);
    gemm(1, 0, w, h, B, out, w, H, PANEL, 0, grad, PANEL, scratch);
}

/* p, i: entries by cell, all batches; tp, ti: by gene, batch after batch, G + 1 offsets each. layers: 2 decoders of 64 units (the
 * encoder), or W2 of `hidden` units and W3 of 64 (module two). seconds: of one step, the smallest mean over the batches. */
void floor_scinn(int *p_, int *i, int *tp_, int *ti, int *n_cells, int *n_batches, int *n_genes, int *hidden, int *repeats, double *seconds)
{
    size_t B = (size_t) *n_cells, N = (size_t) *n_batches, G = (size_t) *n_genes, *p = wide(p_, B * N + 1), *tp = wide(tp_, N * (G + 1));
    real *W[3], *m[3], *v[3], *val = take(p[B * N]), *h = take(B * PANEL), *back = take(B * PANEL), *out = take(B * GENE_BLOCK),
         *grad = take(G * PANEL), *scratch = take(GEMM_SCRATCH);
    Optim o = { OPT_ADAMW, 1e-9, 1, 0, 1e-9, 1, 0 };
    for (int k = 0; k < 3; k++) { W[k] = take(G * PANEL); m[k] = take(G * PANEL); v[k] = take(G * PANEL); }
    for (int r = 0; r < *repeats; r++) {
        double t0 = now();
        for (size_t b = 0; b < N; b++) {
            panel_sums(h, NULL, W[0], p + b * B, i, val, B);
            for (size_t g = 0; g < G; g += GENE_BLOCK) {
                size_t w = G - g < GENE_BLOCK ? G - g : GENE_BLOCK;
                there_and_back(B, w, (size_t) *hidden, h, W[1] + g * PANEL, out, back, grad, scratch);
                optim_step(&o, W[1] + g * PANEL, grad, m[1] + g * PANEL, v[1] + g * PANEL, W[1] + g * PANEL, w * PANEL);
                there_and_back(B, w, 64, h, W[2] + g * PANEL, out, back, grad, scratch);
                optim_step(&o, W[2] + g * PANEL, grad, m[2] + g * PANEL, v[2] + g * PANEL, W[2] + g * PANEL, w * PANEL);
            }
            panel_sums(grad, NULL, h, tp + b * (G + 1), ti, val, G);
            optim_step(&o, W[0], grad, m[0], v[0], W[0], G * PANEL);
        }
        double t = (now() - t0) / (double) N;
        if (!r || t < *seconds) *seconds = t;
    }
}
