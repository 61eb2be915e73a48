/* GraphSCI: the autoencoder's layers over cells, there and back. The first, of genes x genes
 * weights, goes tile by tile. */
#include <math.h>
#include <string.h>
#include "graphsci_net.h"

KERNEL_FILE

/* ---- tiles of the first layer ---- */

static void noise_row(const Net *n, size_t row, size_t tile, real *eps)
{
    for (size_t q = 0; q < TILE / 64; q++)
        rng_normals64(n->seed, RNG_NOISE, (uint32_t) n->epoch,
                      row * (n->pad / 64) + tile * (TILE / 64) + q, eps + q * 64);
}

/* mu and s of a tile, or the logits (into mu) */
static void tile_latent(const Net *n, size_t t, int with_s, real *mu, real *s, real *scratch)
{
    size_t N = (size_t) n->N, w = tile_width(n->N, (int) t);
    const real *all = n->w;
    memset(mu, 0, N * TILE * sizeof(real));
    if (n->inner) {
        gemm(0, 1, N, w, H2, n->z, H2, n->z + t * TILE * H2, H2, 1, mu, TILE, scratch);
        return;
    }
    gemm(0, 0, N, w, H2, n->Qa, H2, all + n->at.at[WM] + t * H2 * TILE, TILE, 1, mu, TILE, scratch);
    memset(s, 0, N * TILE * sizeof(real));
    if (with_s)
        gemm(0, 0, N, w, H2, n->Qb, H2, all + n->at.at[WS] + t * H2 * TILE, TILE, 1, s, TILE,
             scratch);
}

/* Where the weights of row i of a W on edges begin: that of the gene itself, then its
 * neighbours'. */
static size_t edge_at(const Net *n, size_t row)
{
    return n->at.at[W] + (size_t) n->graph.p[row] + row;
}

/* Row i of tile t of W: in place, or put together in `row`. */
static const real *weights_row(const Net *n, size_t i, size_t t, real row[TILE])
{
    if (!n->on_edges) return n->w + n->at.at[W] + t * (size_t) n->N * TILE + i * TILE;
    const real *from = n->w + edge_at(n, i);
    int first = (int) (t * TILE);
    memset(row, 0, TILE * sizeof(real));
    if ((int) i >= first && (int) i < first + TILE) row[(int) i - first] = from[0];
    for (int k = graph_from(&n->graph, (int) i, first);
         k < n->graph.p[i + 1] && n->graph.i[k] < first + TILE; k++)
        row[n->graph.i[k] - first] = from[1 + k - n->graph.p[i]];
    return row;
}

/* V of tile t in r->mu; edge cost and divergence into sums */
static void tile_weights(Net *n, size_t t, Room *r, double sums[2])
{
    size_t N = (size_t) n->N, w = tile_width(n->N, (int) t);
    tile_latent(n, t, n->noise, r->mu, r->s, r->scratch);
    for (size_t i = 0; i < N; i++) {
        real label[TILE], eps[TILE], row[TILE];
        const real *Wi = weights_row(n, i, t, row);
        graph_labels(&n->graph, (int) i, (int) (t * TILE), w, label);
        if (n->inner) tile_inner(&n->cost, w, label, Wi, r->mu + i * TILE, sums);
        else {
            if (n->noise) noise_row(n, i, t, eps);
            tile_row(&n->cost, w, label, Wi, n->noise ? eps : NULL, r->mu + i * TILE,
                     r->s + i * TILE, sums);
        }
    }
}

/* The same product where V has the edges only: gene j of the tile from its neighbours' entries.
 * column: room for the cells. */
static void edges_forward(const Net *n, size_t t, const real *V, real *column, real *e0)
{
    size_t M = (size_t) n->M;
    for (size_t jj = 0; jj < tile_width(n->N, (int) t); jj++) {
        size_t j = t * TILE + jj;
        double shift = (double) n->w[n->at.at[B] + j];
        memset(column, 0, M * sizeof(real));
        for (int k = n->graph.p[j] - 1; k < n->graph.p[j + 1]; k++) {  /* the gene itself first */
            size_t i = k < n->graph.p[j] ? j : (size_t) n->graph.i[k];
            real v = V[i * TILE + jj] * n->over[i];
            for (size_t e = n->genes.p[i]; e < n->genes.p[i + 1]; e++)
                column[n->genes.i[e]] += v * n->genes.x[e];
            shift -= (double) (n->mean[i] * v);
        }
        for (size_t c = 0; c < M; c++) e0[c * TILE + jj] = column[c] + (real) shift;
    }
}

/* dV at the edges, from dA0 (in e0); elsewhere 0 */
static void edges_back(const Net *n, size_t t, const real *e0, const real *db, real *column,
                       real *dv)
{
    size_t M = (size_t) n->M;
    memset(dv, 0, (size_t) n->N * TILE * sizeof(real));
    for (size_t jj = 0; jj < tile_width(n->N, (int) t); jj++) {
        size_t j = t * TILE + jj;
        for (size_t c = 0; c < M; c++) column[c] = e0[c * TILE + jj];
        for (int k = n->graph.p[j] - 1; k < n->graph.p[j + 1]; k++) {
            size_t i = k < n->graph.p[j] ? j : (size_t) n->graph.i[k];
            real s = 0;
            for (size_t e = n->genes.p[i]; e < n->genes.p[i + 1]; e++)
                s += n->genes.x[e] * column[n->genes.i[e]];
            dv[i * TILE + jj] = (s - n->mean[i] * db[jj]) * n->over[i];
        }
    }
}

/* dW of row i of tile t, in its place among the edges */
static void edges_gradient(Net *n, size_t i, size_t t, const real *dw)
{
    real *to = grad_at(n, edge_at(n, i));
    int first = (int) (t * TILE);
    if ((int) i >= first && (int) i < first + TILE) to[0] = dw[(int) i - first];
    for (int k = graph_from(&n->graph, (int) i, first);
         k < n->graph.p[i + 1] && n->graph.i[k] < first + TILE; k++)
        to[1 + k - n->graph.p[i]] = dw[n->graph.i[k] - first];
}

/* A share of what comes out of a layer is dropped; where = 0 for E0, 1 and 2 for the layers behind
 * it. What was dropped is 0 as if relu had made it so: the way back needs no mask, only the
 * factor. */
static void drop_cells(const Net *n, uint64_t where, uint64_t at, size_t len, real *e)
{
    uint32_t bits[TILE];
    if (!n->drop || n->p->cell_dropout <= 0) return;
    for (size_t k = 0; k < len; k += TILE) {
        size_t some = len - k < TILE ? len - k : TILE;
        rng_words(n->seed, RNG_DROPOUT, (uint32_t) n->epoch, (where + 1) << 40 | (at + k) / 4, bits,
                  TILE);
        act_drop(e + k, bits, (uint32_t) (n->p->cell_dropout * 4294967296.0),
                 (real) (1 / (1 - n->p->cell_dropout)), some);
    }
}
static void undrop(const Net *n, size_t len, real *d)
{
    real by = (real) (1 / (1 - n->p->cell_dropout));
    if (n->p->cell_dropout > 0) for (size_t k = 0; k < len; k++) d[k] *= by;
}

/* E0 of a tile, and its share of A1 */
static void chunks_forward(Net *n, size_t from, size_t to, Room *r)
{
    size_t N = (size_t) n->N, M = (size_t) n->M;
    for (size_t k = from; k < to; k++) {
        real *part = n->parts_cells + k * M * H2;
        CHUNK(k, n->tiles, a, b);
        memset(part, 0, M * H1 * sizeof(real));
        for (size_t t = a; t < b; t++) {
            size_t w = tile_width(n->N, (int) t);
            real *e0 = n->E0 + t * M * TILE, start[TILE];
            const real *bias = n->w + n->at.at[B] + t * TILE;
            double shift[TILE] = { 0 };
            n->sums[3 * t] = n->sums[3 * t + 1] = 0;
            tile_weights(n, t, r, n->sums + 3 * t);
            if (n->on_edges) {
                memset(e0, 0, M * TILE * sizeof(real));
                edges_forward(n, t, r->mu, r->column, e0);
            } else if (n->X) {
                for (size_t c = 0; c < M; c++) memcpy(e0 + c * TILE, bias, TILE * sizeof(real));
                gemm(0, 0, M, w, N, n->X, N, r->mu, TILE, 1, e0, TILE, r->scratch);
            } else {
                for (size_t i = 0; i < N; i++)
                    for (size_t j = 0; j < w; j++) {
                        real v = r->mu[i * TILE + j] *= n->over[i];
                        shift[j] += (double) (n->mean[i] * v);
                    }
                for (size_t j = 0; j < TILE; j++) start[j] = bias[j] - (real) shift[j];
                tile_sums(e0, start, r->mu, n->cells.p, n->cells.i, n->cells.x, M);
            }
            act_relu(e0, M * TILE);
            drop_cells(n, 0, (uint64_t) t * M * TILE, M * TILE, e0);
            gemm(0, 0, M, H1, w, e0, TILE, n->w + n->at.at[U1] + t * TILE * H1, H1, 1, part, H1,
                 r->scratch);
        }
    }
}

/* Batch norm of a layer, relu, dropout: from a, which stays as normed. As the reference evaluates:
 * mean 0, variance 1. */
static void layer_forward(Net *n, uint64_t where, size_t cols, int gamma, int beta, real *a,
                          real *inv, real *e)
{
    size_t M = (size_t) n->M;
    if (!n->reference) norm_columns(M, cols, cols, a, inv);
    else for (size_t k = 0; k < M * cols; k++) a[k] *= (real) (1 / sqrt(1 + 1e-3));
    norm_scale(M, cols, cols, a, part_of(n, gamma), part_of(n, beta), e);
    act_relu(e, M * cols);
    drop_cells(n, where, 0, M * cols, e);
}

void gs_layers_forward(Net *n)
{
    size_t M = (size_t) n->M;
    gs_each(n, CHUNKS, chunks_forward);
    gs_add_parts(n->A1, n->parts_cells, M * H2, M * H1);
    layer_forward(n, 1, H1, G1, B1, n->A1, n->inv1, n->E1);
    gemm(0, 0, M, H2, H1, n->E1, H1, part_of(n, U2), H2, 0, n->A2, H2, n->room->scratch);
    layer_forward(n, 2, H2, G2, B2, n->A2, n->inv2, n->E2);
}

/* ---- the way back through the cells ---- */

/* relu, then batch norm: d (rows x cols), the gradient of E, becomes that of what was normed */
static void layer_back(Net *n, size_t cols, const real *e, const real *a, const real *inv,
                       int gamma, int beta, real *d)
{
    size_t M = (size_t) n->M;
    act_relu_back(e, d, M * cols);
    undrop(n, M * cols, d);
    norm_back(M, cols, cols, a, part_of(n, gamma), inv, d, grad_of(n, gamma), grad_of(n, beta));
}

void gs_layers_back(Net *n)
{
    size_t M = (size_t) n->M;
    real *scratch = n->room->scratch;
    gs_add_parts(n->dE2, n->parts_cells, M * H2, M * H2);
    layer_back(n, H2, n->E2, n->A2, n->inv2, G2, B2, n->dE2);
    gemm(1, 0, H1, H2, M, n->E1, H1, n->dE2, H2, 0, grad_of(n, U2), H2, scratch);
    gemm(0, 1, M, H1, H2, n->dE2, H2, part_of(n, U2), H2, 0, n->dE1, H1, scratch);
    layer_back(n, H1, n->E1, n->A1, n->inv1, G1, B1, n->dE1);
}
/* dA0, in the place of E0; gradients of U1 and b. */
static void tile_cells_back(Net *n, size_t t, Room *r)
{
    size_t M = (size_t) n->M, w = tile_width(n->N, (int) t);
    real *e0 = n->E0 + t * M * TILE, *db = grad_of(n, B) + t * TILE;
    gemm(1, 0, w, H1, M, e0, TILE, n->dE1, H1, 0, grad_of(n, U1) + t * TILE * H1, H1, r->scratch);
    double column[TILE] = { 0 };
    /* 64 cells at a time */
    for (size_t c = 0; c < M; c += 64) {
        size_t rows = M - c < 64 ? M - c : 64;
        real *back = r->dv;
        memset(back, 0, rows * TILE * sizeof(real));
        gemm(0, 1, rows, w, H1, n->dE1 + c * H1, H1, n->w + n->at.at[U1] + t * TILE * H1, H1, 1,
             back, TILE, r->scratch);
        act_relu_back(e0 + c * TILE, back, rows * TILE);
        undrop(n, rows * TILE, back);
        memcpy(e0 + c * TILE, back, rows * TILE * sizeof(real));
        for (size_t k = 0; k < rows; k++)
            for (size_t j = 0; j < TILE; j++) column[j] += (double) back[k * TILE + j];
    }
    for (size_t j = 0; j < TILE; j++) db[j] = (real) column[j];
}

/* dV, from dA0 */
static void tile_inputs_back(Net *n, size_t t, Room *r)
{
    size_t N = (size_t) n->N, M = (size_t) n->M, w = tile_width(n->N, (int) t);
    const real *e0 = n->E0 + t * M * TILE, *db = grad_of(n, B) + t * TILE;
    if (n->on_edges) edges_back(n, t, e0, db, r->column, r->dv);
    else if (n->X) gemm(1, 0, N, w, M, n->X, N, e0, TILE, 0, r->dv, TILE, r->scratch);
    else {
        tile_sums(r->dv, NULL, e0, n->genes.p, n->genes.i, n->genes.x, N);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < w; j++)
                r->dv[i * TILE + j] = (r->dv[i * TILE + j] - n->mean[i] * db[j]) * n->over[i];
    }
}

/* dW in the place of dV; gradients of mu and s, or of the logits, in theirs. */
static void tile_latent_back(Net *n, size_t t, Room *r)
{
    size_t w = tile_width(n->N, (int) t);
    tile_latent(n, t, 1, r->mu, r->s, r->scratch);
    for (size_t i = 0; i < (size_t) n->N; i++) {
        real label[TILE], eps[TILE], row[TILE], *dv = r->dv + i * TILE;
        const real *Wi = weights_row(n, i, t, row);
        graph_labels(&n->graph, (int) i, (int) (t * TILE), w, label);
        if (n->inner) tile_inner_back(&n->cost, w, label, Wi, r->mu + i * TILE, dv);
        else {
            if (n->noise) noise_row(n, i, t, eps);
            tile_row_back(&n->cost, w, label, Wi, n->noise ? eps : NULL, r->mu + i * TILE,
                          r->s + i * TILE, dv);
        }
        for (size_t j = w; j < TILE; j++) dv[j] = 0;
        if (n->on_edges) edges_gradient(n, i, t, dv);
    }
}

/* Gradients of a tile: U1, b, W (with its step), Wm, Ws; shares of dQa and dQb (inner: of dZ). */
static void tile_back(Net *n, size_t t, real *part_a, real *part_b, Room *r)
{
    size_t N = (size_t) n->N, w = tile_width(n->N, (int) t), at_w = n->at.at[W] + t * N * TILE;
    Optim with_l2 = n->opt;
    tile_cells_back(n, t, r);
    tile_inputs_back(n, t, r);
    tile_latent_back(n, t, r);
    n->sums[3 * t + 2] = 0;
    if (!n->on_edges) {
        n->sums[3 * t + 2] = gs_squares(n->w + at_w, N * TILE);
        with_l2.decay = n->p->l2;
        gs_step(n, &with_l2, at_w, r->dv, N * TILE);
    }
    if (n->inner) {                        /* dZ = (dS + dS') Z */
        gemm(0, 0, N, H2, w, r->mu, TILE, n->z + t * TILE * H2, H2, 1, part_a, H2, r->scratch);
        gemm(1, 0, w, H2, N, r->mu, TILE, n->z, H2, 0, n->dz + t * TILE * H2, H2, r->scratch);
        return;
    }
    size_t at_m = n->at.at[WM] + t * H2 * TILE, at_s = n->at.at[WS] + t * H2 * TILE;
    gemm(1, 0, H2, w, N, n->Qa, H2, r->mu, TILE, 0, grad_at(n, at_m), TILE, r->scratch);
    gemm(1, 0, H2, w, N, n->Qb, H2, r->s, TILE, 0, grad_at(n, at_s), TILE, r->scratch);
    gemm(0, 1, N, H2, w, r->mu, TILE, n->w + at_m, TILE, 1, part_a, H2, r->scratch);
    gemm(0, 1, N, H2, w, r->s, TILE, n->w + at_s, TILE, 1, part_b, H2, r->scratch);
}

static void chunks_back(Net *n, size_t from, size_t to, Room *r)
{
    size_t N = (size_t) n->N;
    for (size_t k = from; k < to; k++) {
        real *a = n->parts_a + k * N * H2, *b = n->parts_b + k * N * H2;
        CHUNK(k, n->tiles, first, end);
        memset(a, 0, N * H2 * sizeof(real));
        memset(b, 0, N * H2 * sizeof(real));
        for (size_t t = first; t < end; t++) tile_back(n, t, a, b, r);
    }
}

void gs_tiles_back(Net *n) { gs_each(n, CHUNKS, chunks_back); }
