/* GraphSCI: the graph network, there and back: from X and the graph to Qa and Qb (latent = "inner":
 * to Z), and from their gradients to those of its weights. */
#include <math.h>
#include <string.h>
#include "graphsci_net.h"

KERNEL_FILE

/* ---- X ---- */

void gs_x_block(const Net *n, int first, size_t width, real *out)
{
    size_t M = (size_t) n->M;
    if (n->X)
        for (size_t c = 0; c < M; c++)
            memcpy(out + c * GENES, n->X + c * (size_t) n->N + first, width * sizeof(real));
    else {
        real zero[GENES];
        for (size_t j = 0; j < width; j++)
            zero[j] = -n->mean[(size_t) first + j] * n->over[(size_t) first + j];
        for (size_t c = 0; c < M; c++) memcpy(out + c * GENES, zero, width * sizeof(real));
        for (size_t j = 0; j < width; j++) {
            size_t g = (size_t) first + j;
            for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++)
                out[(size_t) n->genes.i[k] * GENES + j] = (n->genes.x[k] - n->mean[g]) * n->over[g];
        }
    }
    if (!n->drop || n->p->dropout <= 0) return;
    for (size_t c = 0; c < M; c++) {
        uint32_t bits[GENES];
        rng_words(n->seed, RNG_DROPOUT, (uint32_t) n->epoch,
                  ((size_t) first / GENES * M + c) * (GENES / 4), bits, GENES);
        act_drop(out + c * GENES, bits, (uint32_t) (n->p->dropout * 4294967296.0),
                 (real) (1 / (1 - n->p->dropout)), width);
    }
}

/* ---- graph network ---- */

static void into_graph(Net *n, size_t from, size_t to, Room *r)      /* P0 = F W0 */
{
    for (size_t b = from; b < to; b++) {
        size_t w = genes_here(n, b);
        gs_x_block(n, (int) (b * GENES), w, r->mu);
        gemm(1, 0, w, H1, (size_t) n->M, r->mu, GENES, part_of(n, W0), H1, 0,
             n->P0 + b * GENES * H1, H1, r->scratch);
    }
}

static void mix_first(Net *n, size_t from, size_t to, Room *r)
{
    (void) r;
    graph_mix(&n->graph, H1, from, to, n->P0, n->T1);
}
static void mix_second(Net *n, size_t from, size_t to, Room *r)
{
    (void) r;
    graph_mix(&n->graph, H2, from, to, n->P1, n->T2);
}
static void mix_heads(Net *n, size_t from, size_t to, Room *r)
{
    (void) r;
    graph_mix(&n->graph, H2, from, to, n->HA, n->Qa);
    graph_mix(&n->graph, H2, from, to, n->HB, n->Qb);
}

/* mask[k]: 0 or 1/(1 - rho); which: 0, 1, 2 */
static void draw_mask(const Net *n, int which, size_t len, real *mask)
{
    uint32_t bits[64];
    double rho = n->drop ? n->p->dropout : 0;
    for (size_t k = 0; k < len; k += 64) {
        size_t now = len - k < 64 ? len - k : 64;
        rng_words(n->seed, RNG_MASK, (uint32_t) n->epoch, (uint64_t) (which + 1) << 40 | k / 4,
                  bits, 64);
        for (size_t j = 0; j < now; j++)
            mask[k + j] = rho > 0 && bits[j] < (uint32_t) (rho * 4294967296.0)
                              ? 0
                              : (real) (1 / (1 - rho));
    }
}

void gs_graph_forward(Net *n)
{
    size_t N = (size_t) n->N;
    draw_mask(n, 0, N * H1, n->mask1);
    draw_mask(n, 1, N * H2, n->mask_a);
    draw_mask(n, 2, N * H2, n->mask_b);
    gs_each(n, (N + GENES - 1) / GENES, into_graph);
    gs_each(n, N, mix_first);
    for (size_t k = 0; k < N * H1; k++) {
        n->T1[k] = (real) tanh((double) n->T1[k]);
        n->H1d[k] = n->T1[k] * n->mask1[k];
    }
    gemm(0, 0, N, H2, H1, n->H1d, H1, part_of(n, W1), H2, 0, n->P1, H2, n->room->scratch);
    gs_each(n, N, mix_second);
    act_relu(n->T2, N * H2);
    for (size_t k = 0; k < N * H2; k++) {
        n->HA[k] = n->T2[k] * n->mask_a[k];
        n->HB[k] = n->T2[k] * n->mask_b[k];
    }
    gs_each(n, N, mix_heads);
    if (!n->inner) return;
    gemm(0, 0, N, H2, H2, n->Qa, H2, part_of(n, WM), H2, 0, n->mu, H2, n->room->scratch);
    gemm(0, 0, N, H2, H2, n->Qb, H2, part_of(n, WS), H2, 0, n->s, H2, n->room->scratch);
    for (size_t i = 0; i < N; i++) {
        real eps[64];
        if (n->noise) rng_normals64(n->seed, RNG_NOISE, (uint32_t) n->epoch, i, eps);
        for (size_t l = 0; l < H2; l++)
            n->z[i * H2 + l] = n->mu[i * H2 + l]
                               + (n->noise ? eps[l] * (real) exp((double) n->s[i * H2 + l]) : 0);
    }
}

/* ---- the way back ---- */

static void mix_back_a(Net *n, size_t from, size_t to, Room *r)
{
    (void) r;
    graph_mix(&n->graph, H2, from, to, n->Qa, n->mixed);
}
static void mix_back_b(Net *n, size_t from, size_t to, Room *r)
{
    (void) r;
    graph_mix(&n->graph, H2, from, to, n->Qb, n->P1);
}
static void mix_back_2(Net *n, size_t from, size_t to, Room *r)
{
    (void) r;
    graph_mix(&n->graph, H2, from, to, n->mixed, n->P1);
}
static void mix_back_1(Net *n, size_t from, size_t to, Room *r)
{
    (void) r;
    graph_mix(&n->graph, H1, from, to, n->H1d, n->P0);
}

static void graph_gradient(Net *n, size_t from, size_t to, Room *r)       /* dW0 = F'K1, shares */
{
    size_t M = (size_t) n->M;
    for (size_t k = from; k < to; k++) {
        real *part = n->parts_cells + k * M * H2;
        CHUNK(k, head_blocks(n), a, b);
        memset(part, 0, M * H1 * sizeof(real));
        for (size_t block = a; block < b; block++) {
            size_t w = genes_here(n, block);
            gs_x_block(n, (int) (block * GENES), w, r->mu);
            gemm(0, 0, M, H1, w, r->mu, GENES, n->P0 + block * GENES * H1, H1, 1, part, H1,
                 r->scratch);
        }
    }
}

static void inner_back(Net *n)                        /* from dZ to dQa and dQb */
{
    size_t N = (size_t) n->N;
    real *dmu = n->parts_a, *ds = n->parts_b, *scratch = n->room->scratch, *sum = n->mixed;
    gs_add_parts(sum, n->parts_a, N * H2, N * H2);
    for (size_t i = 0; i < N; i++) {
        real eps[64];
        if (n->noise) rng_normals64(n->seed, RNG_NOISE, (uint32_t) n->epoch, i, eps);
        for (size_t l = 0; l < H2; l++) {
            size_t k = i * H2 + l;
            real g = sum[k] + n->dz[k], es = (real) exp((double) n->s[k]);
            dmu[k] = g + n->cost.kl * n->mu[k];
            ds[k] = (n->noise ? g * eps[l] * es : 0) + n->cost.kl * (es * es - 1);
        }
    }
    gemm(1, 0, H2, H2, N, n->Qa, H2, dmu, H2, 0, grad_of(n, WM), H2, scratch);
    gemm(1, 0, H2, H2, N, n->Qb, H2, ds, H2, 0, grad_of(n, WS), H2, scratch);
    gemm(0, 1, N, H2, H2, dmu, H2, part_of(n, WM), H2, 0, n->Qa, H2, scratch);
    gemm(0, 1, N, H2, H2, ds, H2, part_of(n, WS), H2, 0, n->Qb, H2, scratch);
}

void gs_graph_back(Net *n)
{
    size_t N = (size_t) n->N, M = (size_t) n->M;
    real *scratch = n->room->scratch;
    if (n->inner) inner_back(n);
    else {
        gs_add_parts(n->Qa, n->parts_a, N * H2, N * H2);            /* from here on: dQa, dQb */
        gs_add_parts(n->Qb, n->parts_b, N * H2, N * H2);
    }
    gs_each(n, N, mix_back_a);
    gs_each(n, N, mix_back_b);
    for (size_t k = 0; k < N * H2; k++)
        n->mixed[k] = n->T2[k] > 0 ? n->mixed[k] * n->mask_a[k] + n->P1[k] * n->mask_b[k] : 0;
    gs_each(n, N, mix_back_2);                                      /* K2, in P1 */
    gemm(1, 0, H1, H2, N, n->H1d, H1, n->P1, H2, 0, grad_of(n, W1), H2, scratch);
    gemm(0, 1, N, H1, H2, n->P1, H2, part_of(n, W1), H2, 0, n->H1d, H1, scratch);
    for (size_t k = 0; k < N * H1; k++) n->H1d[k] *= n->mask1[k] * (1 - n->T1[k] * n->T1[k]);
    gs_each(n, N, mix_back_1);                                      /* K1, in P0 */
    gs_each(n, CHUNKS, graph_gradient);
    gs_add_parts(grad_of(n, W0), n->parts_cells, M * H2, M * H1);
}
