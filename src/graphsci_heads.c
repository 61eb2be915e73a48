/* GraphSCI: the three heads, their likelihood and its gradient; and what a fit keeps of them. */
#include <math.h>
#include <string.h>
#include "graphsci_net.h"

KERNEL_FILE

/* ---- heads: likelihood, its gradient, and the way back to E2, block of genes by block ---- */

static void flush(const Zinb *z, Room *r, int *waiting, double sums[2])
{
    zinb_counts(z, (size_t) *waiting, r->x, r->size, r->mean, r->theta, r->l, r->nll, r->miss);
    for (int k = 0; k < *waiting; k++) {
        r->y[0][r->where[k]] = (real) r->mean[k];
        r->y[1][r->where[k]] = (real) r->theta[k];
        if (z->inflated) r->y[2][r->where[k]] = (real) r->l[k];
        sums[0] += r->nll[k];
        sums[1] += r->miss[k];
    }
    *waiting = 0;
}

/* Gradients of what is no zero of the likelihood become 0 (those of counts are put in later), the
 * others' costs are added: 8 parts of nll, 8 of miss. */
LOCAL_FOR_CPUS(keep_zeros, (size_t n, const real *restrict keep, real *restrict mean,
               real *restrict theta, real *restrict l, const double *restrict nll,
               const double *restrict miss, double *restrict parts),
               (n, keep, mean, theta, l, nll, miss, parts), {
    for (size_t j = 0; j < n; j++) {
        mean[j] = keep[j] > 0 ? mean[j] : 0;
        theta[j] = keep[j] > 0 ? theta[j] : 0;
        l[j] = keep[j] > 0 ? l[j] : 0;
    }
    size_t j = 0;
    for (; j + 8 <= n; j += 8)
        for (size_t q = 0; q < 8; q++) {
            parts[q] += keep[j + q] > 0 ? nll[j + q] : 0;
            parts[8 + q] += keep[j + q] > 0 ? miss[j + q] : 0;
        }
    for (; j < n; j++) {
        parts[j % 8] += keep[j] > 0 ? nll[j] : 0;
        parts[8 + j % 8] += keep[j] > 0 ? miss[j] : 0;
    }
})

/* A cell's zeros of the block turn into gradients; its counts wait until there are many. */
static void head_cell(Net *n, size_t block, size_t c, const Zinb *z, Room *r, int *waiting,
                      double sums[2], double parts[16])
{
    size_t w = genes_here(n, block), j0 = block * GENES;
    int end = n->y->p[c + 1],
        k = (int) first_from(n->y->i, (size_t) n->y->p[c], (size_t) end, (int) j0);
    uint32_t bits[GENES], below = gs_held_below(n);
    int some_held = gs_is_held(n, block, c, bits);
    double nll[GENES], miss[GENES], log_size = log(n->size[c]);
    real keep[GENES];                                    /* 1: a zero of the likelihood */
    for (size_t j = 0; j < w; j++) keep[j] = some_held && bits[j] < below ? 0 : 1;
    for (; k < end && n->y->i[k] < (int) (j0 + w); k++) {
        size_t j = (size_t) n->y->i[k] - j0, at = c * GENES + j;
        int held = keep[j] == 0;
        keep[j] = 0;
        if (held) continue;
        r->x[*waiting] = n->y->x[k];
        r->size[*waiting] = log_size;
        r->mean[*waiting] = (double) r->y[0][at];
        r->theta[*waiting] = (double) r->y[1][at];
        r->l[*waiting] = n->inflated ? (double) r->y[2][at] : 0;
        r->where[(*waiting)++] = (int) at;
    }
    real *l = n->inflated ? r->y[2] + c * GENES : r->grad;
    zinb_zeros(z, w, log_size, r->y[0] + c * GENES, r->y[1] + c * GENES, l, nll, miss);
    keep_zeros(w, keep, r->y[0] + c * GENES, r->y[1] + c * GENES, l, nll, miss, parts);
    if (*waiting > SOME - GENES) flush(z, r, waiting, sums);
}

static void head_block(Net *n, size_t block, real *part, Room *r)
{
    size_t M = (size_t) n->M, w = genes_here(n, block), j0 = block * GENES,
           heads = n->inflated ? 3 : 2;
    size_t tile = j0 / TILE * H2 * TILE + j0 % TILE;
    real inv[3][GENES];
    Zinb z = { n->inflated, 1 / n->n_in, n->p->mse_weight / n->M };
    double *sums = n->sums + 3 * (size_t) n->tiles + 2 * block;
    int waiting = 0;
    double parts[16] = { 0 };
    sums[0] = sums[1] = 0;
    for (size_t h = 0; h < heads; h++) {
        gemm(0, 0, M, w, H2, n->E2, H2, n->w + n->at.at[gs_head_u[h]] + tile, TILE, 0, r->o[h],
             GENES, r->scratch);
        norm_columns(M, w, GENES, r->o[h], inv[h]);
        norm_scale(M, w, GENES, r->o[h], n->w + n->at.at[gs_head_g[h]] + j0,
                   n->w + n->at.at[gs_head_b[h]] + j0, r->y[h]);
    }
    for (size_t c = 0; c < M; c++) head_cell(n, block, c, &z, r, &waiting, sums, parts);
    flush(&z, r, &waiting, sums);
    for (int l = 0; l < 16; l++) sums[l / 8] += parts[l];
    for (size_t h = 0; h < heads; h++) {
        real *du = grad_at(n, n->at.at[gs_head_u[h]] + tile);
        norm_back(M, w, GENES, r->o[h], n->w + n->at.at[gs_head_g[h]] + j0, inv[h], r->y[h],
                  grad_of(n, gs_head_g[h]) + j0, grad_of(n, gs_head_b[h]) + j0);
        gemm(1, 0, H2, w, M, n->E2, H2, r->y[h], GENES, 0, du, TILE, r->scratch);
        gemm(0, 1, M, H2, w, r->y[h], GENES, n->w + n->at.at[gs_head_u[h]] + tile, TILE, 1, part,
             H2, r->scratch);
    }
}

static void chunks_heads(Net *n, size_t from, size_t to, Room *r)
{
    size_t M = (size_t) n->M;
    for (size_t k = from; k < to; k++) {
        real *part = n->parts_cells + k * M * H2;
        CHUNK(k, head_blocks(n), a, b);
        memset(part, 0, M * H2 * sizeof(real));
        for (size_t block = a; block < b; block++) head_block(n, block, part, r);
    }
}

void gs_heads(Net *n) { gs_each(n, CHUNKS, chunks_heads); }

/* ---- what a fit keeps: batch norm of all cells folded into the heads ---- */

Result gs_result(double *w, double *extras, size_t N, size_t M, const GsParams *p)
{
    Result r = { .draws = gs_draws(p) };
    size_t K = (size_t) r.draws;
    r.E2 = w; w += M * H2 * K;
    for (int h = 2; h >= 0; h--) { r.U[h] = w; w += H2 * K * N; r.bias[h] = w; w += N * K; }
    r.Qa = w; w += N * H2;
    r.Wm = w;
    r.size = extras;
    r.keys = extras + M;
    return r;
}

static void fold_heads(Net *n, const Result *to, size_t draw)
{
    size_t M = (size_t) n->M, N = (size_t) n->N, K = (size_t) to->draws;
    double mean[H2] = { 0 }, cov[H2][H2] = { { 0 } };
    for (size_t c = 0; c < M; c++)
        for (size_t l = 0; l < H2; l++) mean[l] += (double) n->E2[c * H2 + l] / (double) M;
    for (size_t c = 0; c < M; c++)
        for (size_t l = 0; l < H2; l++) {
            double d = (double) n->E2[c * H2 + l] - mean[l];
            for (size_t k = 0; k < H2; k++)
                cov[l][k] += d * ((double) n->E2[c * H2 + k] - mean[k]) / (double) M;
        }
    for (int h = 0; h < 3; h++)
        for (size_t g = 0; g < N; g++) {
            const real *u = n->w + n->at.at[gs_head_u[h]] + g / TILE * H2 * TILE + g % TILE;
            double m = 0, var = 0, *U = to->U[h] + (g * K + draw) * H2;
            for (size_t l = 0; l < H2; l++) {
                double row = 0;
                for (size_t k = 0; k < H2; k++) row += cov[l][k] * (double) u[k * TILE];
                m += mean[l] * (double) u[l * TILE];
                var += row * (double) u[l * TILE];
            }
            double by = (double) n->w[n->at.at[gs_head_g[h]] + g]
                        / sqrt((var > 0 ? var : 0) + 1e-3);
            for (size_t l = 0; l < H2; l++) U[l] = by * (double) u[l * TILE];
            to->bias[h][draw * N + g] = (double) n->w[n->at.at[gs_head_b[h]] + g] - by * m;
        }
}

/* Latent coordinates column by column, as R has them; they are the same for all draws, but for
 * dropout. */
void gs_keep(Net *n, const Result *to, int draw)
{
    size_t M = (size_t) n->M, N = (size_t) n->N, d = (size_t) draw;
    for (size_t c = 0; c < M; c++)
        for (size_t l = 0; l < H2; l++) to->E2[(d * H2 + l) * M + c] = (double) n->E2[c * H2 + l];
    fold_heads(n, to, d);
    const real *q = n->inner ? n->mu : n->Qa;
    for (size_t g = 0; g < N; g++)
        for (size_t l = 0; l < H2; l++) to->Qa[l * N + g] = (double) q[g * H2 + l];
    for (size_t g = 0; !n->inner && g < N; g++)
        for (size_t l = 0; l < H2; l++)
            to->Wm[g * H2 + l] = (double) n
                                     ->w[n->at.at[WM] + g / TILE * H2 * TILE + l * TILE + g % TILE];
}

/* Negative log-likelihoods of the held-out entries, by cell, at the result n->now; the mean over
 * its draws. */
static void held_cells(Net *n, size_t from, size_t to, Room *r)
{
    const Result *now = n->now;
    Zinb z = { n->inflated, 1, 0 };
    for (size_t c = from; c < to; c++) {
        double sum = 0, log_size = log(n->size[c]), nll[GENES], miss[GENES];
        int k = n->y->p[c], end = n->y->p[c + 1];
        for (size_t b = 0; b < head_blocks(n); b++) {
            uint32_t bits[GENES], below = gs_held_below(n);
            double x[GENES];
            size_t gene[GENES], some = 0;
            gs_is_held(n, b, c, bits);
            for (size_t j = 0; j < genes_here(n, b); j++) {
                if (bits[j] >= below) continue;
                gene[some] = b * GENES + j;
                while (k < end && n->y->i[k] < (int) gene[some]) k++;
                x[some] = k < end && n->y->i[k] == (int) gene[some] ? n->y->x[k] : 0;
                some++;
            }
            for (int d = 0; d < now->draws; d++) {
                real zero[3][GENES];
                size_t zeros = 0, seen = 0;
                for (size_t j = 0; j < some; j++) {
                    double o[3];
                    for (int h = 0; h < 3; h++)
                        o[h] = gs_head(now, h, d, (size_t) n->N, (size_t) n->M, c, gene[j]);
                    if (x[j] > 0) {
                        r->x[seen] = x[j];
                        r->size[seen] = log_size;
                        r->mean[seen] = o[0]; r->theta[seen] = o[1]; r->l[seen++] = o[2];
                    } else {
                        for (int h = 0; h < 3; h++) zero[h][zeros] = (real) o[h];
                        zeros++;
                    }
                }
                zinb_zeros(&z, zeros, log_size, zero[0], zero[1], zero[2], nll, miss);
                for (size_t q = 0; q < zeros; q++) sum += nll[q];
                zinb_counts(&z, seen, r->x, r->size, r->mean, r->theta, r->l, r->nll, r->miss);
                for (size_t q = 0; q < seen; q++) sum += r->nll[q];
            }
        }
        n->held[c] = sum / now->draws;
    }
}

double gs_held(Net *n, const Result *now)
{
    double sum = 0;
    n->now = now;
    gs_each(n, (size_t) n->M, held_cells);
    for (int c = 0; c < n->M; c++) sum += n->held[c];
    return sum / n->n_held;
}
