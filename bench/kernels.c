/* The floor of one AutoImpute iteration: the five bare kernels on the same non-zeros, panel by panel, and one pass of the
 * optimiser over the parameters; nothing else. Called from bench-autoimpute.R with .C(), linked against the core. */
#include <stdlib.h>
#include <time.h>
#include "nn.h"

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static real *take(size_t n)
{
    real *p = aligned_alloc(64, (n * sizeof(real) + 63) / 64 * 64);
    for (size_t k = 0; k < n; k++) p[k] = (real) 0.01 * (real) (k % 7);
    return p;
}

/* p, i, n_cells: columns of the cells; tp, ti: the same entries by gene. seconds: 3 values, kernels by cell, by gene, pass. */
void floor_autoimpute(int *p, int *i, int *tp, int *ti, int *n_cells, int *n_genes, int *hidden, int *repeats, int *threads,
                      double *seconds)
{
    size_t G = (size_t) *n_genes, M = (size_t) *n_cells, panels = panels_of(*hidden), nnz = (size_t) p[M];
    size_t n = 2 * G * panels * PANEL;
    real *w = take(n), *s = take(n), *g = take(PANEL * 1024), *h = take(M * panels * PANEL), *dp = take(M * panels * PANEL);
    real *val = take(nnz), *y = take(nnz);
    Optim o = { OPT_RMSPROP, 1e-9, 1, 0, 0, 0, 0 };
    int T = *threads;
    for (int r = 0; r < *repeats; r++) {
        double t0 = now();
        PARALLEL_FOR(T)
        for (int t = 0; t < T; t++)
            for (size_t q = 0; q < panels; q++)
                for (size_t c = M * (size_t) t / (size_t) T; c < M * (size_t) (t + 1) / (size_t) T; c++) {
                    size_t from = (size_t) p[c], k = (size_t) p[c + 1] - from;
                    real *hc = h + (q * M + c) * PANEL;
                    panel_gather(hc, w + q * G * PANEL, i + from, val + from, k);
                    panel_dots(y + from, w + n / 2 + q * G * PANEL, i + from, k, hc);
                    panel_gather(dp + (q * M + c) * PANEL, w + n / 2 + q * G * PANEL, i + from, val + from, k);
                }
        double t1 = now();
        PARALLEL_FOR(T)
        for (int t = 0; t < T; t++)
            for (size_t q = panels * (size_t) t / (size_t) T; q < panels * (size_t) (t + 1) / (size_t) T; q++)
                for (size_t a = 0; a < G; a++) {
                    size_t from = (size_t) tp[a], k = (size_t) tp[a + 1] - from;
                    real acc[PANEL] = { 0 }, acc2[PANEL] = { 0 };
                    panel_gather(acc, h + q * M * PANEL, ti + from, val + from, k);
                    panel_gather(acc2, dp + q * M * PANEL, ti + from, val + from, k);
                    y[0] += acc[0] + acc2[0];
                }
        double t2 = now();
        PARALLEL_FOR(T)
        for (int t = 0; t < T; t++)
            for (size_t k = n / PANEL * (size_t) t / (size_t) T; k < n / PANEL * (size_t) (t + 1) / (size_t) T; k++)
                optim_step(&o, w + k * PANEL, g + k % 1024 * PANEL, s + k * PANEL, NULL, w + k * PANEL, PANEL);
        double t3 = now();
        double d[3] = { t1 - t0, t2 - t1, t3 - t2 };
        for (int k = 0; k < 3; k++) if (!r || d[k] < seconds[k]) seconds[k] = d[k];
    }
    free(w); free(s); free(g); free(h); free(dp); free(val); free(y);
}

static size_t *wide(const int *from, size_t n)
{
    size_t *to = malloc(n * sizeof *to);
    for (size_t k = 0; k < n; k++) to[k] = (size_t) from[k];
    return to;
}

/* The floor of one step of one DeepImpute network: the five bare kernels on a batch's entries and one Adam pass, batch after
 * batch of different cells as in training. xp, xi: predictors by cell, all batches; xtp, xti: by gene, batch after batch,
 * n_in + 1 offsets each, which go on from one batch to the next; yp, ...: targets. seconds: of one step, the mean of a pass
 * over all batches, the smallest of the passes. */
void floor_deepimpute(int *xp_, int *xi, int *xtp_, int *xti, int *yp_, int *yi, int *ytp_, int *yti, int *n_cells,
                      int *n_batches, int *n_in, int *n_out, int *hidden, int *repeats, double *seconds)
{
    size_t M = (size_t) *n_cells, B = (size_t) *n_batches, P = (size_t) *n_in, S = (size_t) *n_out, panels = panels_of(*hidden);
    size_t n = (P + S) * panels * PANEL, *xp = wide(xp_, M * B + 1), *xtp = wide(xtp_, B * (P + 1)), *yp = wide(yp_, M * B + 1),
           *ytp = wide(ytp_, B * (S + 1));
    real *w = take(n), *s = take(n), *v = take(n), *g = take((P > S ? P : S) * PANEL), *h = take(M * PANEL), *dh = take(M * PANEL);
    real *val = take(xp[M * B] + yp[M * B]), *y = take(yp[M * B]);
    Optim o = { OPT_ADAM, 1e-9, 1, 0, 1e-9, 1, 0 };
    for (int r = 0; r < *repeats; r++) {
        double t0 = now();
        for (size_t b = 0; b < B; b++) {
            const size_t *yb = yp + b * M, *xg = xtp + b * (P + 1), *yg = ytp + b * (S + 1);
            for (size_t q = 0; q < panels; q++) {
                real *w1 = w + q * P * PANEL, *w2 = w + panels * P * PANEL + q * S * PANEL;
                panel_sums(h, NULL, w1, xp + b * M, xi, val, M);
                for (size_t c = 0; c < M; c++)
                    panel_dots(y + yb[c], w2, yi + yb[c], yb[c + 1] - yb[c], h + c * PANEL);
                panel_sums(dh, NULL, w2, yb, yi, val, M);
                panel_sums(g, NULL, dh, xg, xti, val, P);
                panel_sums(g, NULL, h, yg, yti, val, S);
            }
            for (size_t k = 0; k < n; k += PANEL) optim_step(&o, w + k, g, s + k, v + k, w + k, PANEL);
        }
        double t = (now() - t0) / (double) B;
        if (!r || t < *seconds) *seconds = t;
    }
    free(w); free(s); free(v); free(g); free(h); free(dh); free(val); free(y); free(xp); free(xtp); free(yp); free(ytp);
}
