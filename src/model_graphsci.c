/* GraphSCI: a graph network over genes whose latent gene x gene matrix is the first layer of an autoencoder over cells.
 * Rao, Zhou, Lu, Zhao, Yang, "Imputing single-cell RNA-seq data by combining graph convolution and autoencoder neural
 * networks", iScience 24:102393 (2021); shapes, constants and cost are those of the authors' code.
 *
 *   X: log(1 + count/size), per gene centred and of sd 1;  Ah = D^-1/2 (A + I) D^-1/2
 *   T1 = Ah (F W0), H1 = tanh(T1);  T2 = Ah (H1 W1), H2 = relu(T2);  Qa, Qb = Ah H2 (own dropouts);  mu = Qa Wm, s = Qb Ws
 *   Z = mu + eps exp(s);  V = W o Z;  E0 = relu(X V + b);  E1 = relu(BN(E0 U1));  E2 = relu(BN(E1 U2))
 *   heads BN(E2 Up), BN(E2 Ut), BN(E2 Um): zero inflation, theta, log mean (nn_zinb.c)
 *   J = edges against Z + likelihood + divergence of Z + wd/(2M) mean (R - Y)^2 + l2/2 of W and the Us
 *   latent = inner: mu, s, Z have 32 columns, the logits are Z Z', V = W o (Z Z')
 *   inner = edges: W is there where A + I is, and nowhere else
 *
 * Deviations from the code: labels are A + I, never above 1; L2 is in the cost; heads start at the data; a share of the entries
 * is left out of the likelihood, and tells when to stop; prediction has no noise and batch norm of all cells. All are parameters.
 *
 * Memory: W and its moments, E0 (cells x genes), X where it is dense; mu, s, eps, Z, V, labels are made tile by tile, noise
 * again from the counter on the way back. X is a sparse matrix minus a rank-one one where the counts are sparse. Sums over tiles
 * go into CHUNKS fixed shares, added in order: the bits depend on no number of threads.
 */
#include <math.h>
#include <string.h>
#include "graphsci.h"

KERNEL_FILE

typedef struct {
    double learning_rate, dropout, l2, mse_weight, valid_fraction;
    int dist, latent, inner, init, stop, patience, scale;
} Params;
enum { DIST_ZINB, DIST_NB };
enum { LATENT_CODE, LATENT_INNER };
enum { INNER_FULL, INNER_EDGES };
enum { INIT_DATA, INIT_REFERENCE };
enum { UNTIL_VALIDATION, UNTIL_NONE };

static const Field fields[] = {
    { "learning.rate",  P_REAL,   offsetof(Params, learning_rate),  1e-8, 10, NULL },
    { "dropout",        P_REAL,   offsetof(Params, dropout),        0, 0.95, NULL },
    { "l2",             P_REAL,   offsetof(Params, l2),             0, 1e3, NULL },
    { "mse.weight",     P_REAL,   offsetof(Params, mse_weight),     0, 1e6, NULL },
    { "valid.fraction", P_REAL,   offsetof(Params, valid_fraction), 0, 0.5, NULL },
    { "dist",           P_CHOICE, offsetof(Params, dist),           0, 0, "zinb|nb" },
    { "latent",         P_CHOICE, offsetof(Params, latent),         0, 0, "code|inner" },
    { "inner",          P_CHOICE, offsetof(Params, inner),          0, 0, "full|edges" },
    { "init",           P_CHOICE, offsetof(Params, init),           0, 0, "data|reference" },
    { "stop",           P_CHOICE, offsetof(Params, stop),           0, 0, "validation|none" },
    { "patience",       P_INT,    offsetof(Params, patience),       1, 1e6, NULL },
    { "scale",          P_FLAG,   offsetof(Params, scale),          0, 1, NULL },
    { NULL, P_END, 0, 0, 0, NULL }
};

/* The plan: cells, epochs, edges (both directions); then the graph: genes + 1 offsets, and the neighbours. given: sizes. */
enum { PLAN_CELLS, PLAN_EPOCHS, PLAN_EDGES, PLAN_GRAPH };
enum { H1 = 16, H2 = 32, CHUNKS = 16, EVERY = 10, GENES = 64 };      /* GENES: of a block of the heads */
static const double DENSE = 0.25;                                    /* share of non-zeros from which X is a dense matrix */

/* ---- parameters: one vector, and the same for gradients (but W's) and moments ---- */
enum { W, W0, W1, WM, WS, B, U1, G1, B1, U2, G2, B2, UP, GP, BP, UT, GT, BT, UM, GM, BM, N_BLOCKS };
typedef struct { size_t at[N_BLOCKS + 1]; } Places;

/* on_edges: number of W's weights, where it is kept as the graph's edges; 0: tiles */
static Places places(size_t N, size_t M, int inner, size_t on_edges)
{
    size_t pad = (size_t) tiles_of((int) N) * TILE, latent = inner ? H2 * H2 : H2 * pad;
    size_t size[N_BLOCKS] = { on_edges ? on_edges : N * pad, M * H1, H1 * H2, latent, latent, pad, pad * H1, H1, H1, H1 * H2,
                              H2, H2, H2 * pad, pad, pad, H2 * pad, pad, pad, H2 * pad, pad, pad };
    Places p = { { 0 } };
    for (int k = 0; k < N_BLOCKS; k++) p.at[k + 1] = p.at[k] + (size[k] + 15) / 16 * 16;
    return p;
}

/* What the fit gives, for predictions: E2, the heads (mean, theta, inflation) with batch norm folded in, mu in factors. */
typedef struct { double *E2, *U[3], *bias[3], *Qa, *Wm, *size, *keys; } Result;

typedef struct {                           /* of a thread */
    real *mu, *s, *dv;                     /* tiles; for the heads: rows of 64 genes */
    real *o[3], *y[3], *grad, *column, *scratch;
    double *x, *size, *mean, *theta, *l, *nll, *miss;
    int *where;
} Room;
enum { SOME = 2048 };                      /* non-zeros at once */

typedef struct {
    const Params *p;
    const Sparse *y;                       /* counts, genes x cells */
    const double *size;
    const int *plan;
    uint64_t seed;
    int N, M, tiles, T, inner, on_edges, inflated, epoch, noise;
    size_t pad;
    Places at;
    real *w, *g, *m, *v;                   /* g: without W */
    Neighbours graph;
    TileCost cost;
    Rows cells, genes;                     /* log(1 + count/size), by cell and by gene */
    real *mean, *over, *X;                 /* of a gene's logarithms: mean, 1/sd; X NULL: sparse */
    real *P0, *T1, *H1d, *P1, *T2, *HA, *HB, *Qa, *Qb, *mask1, *mask_a, *mask_b, *mixed;    /* genes x 16 or 32 */
    real *mu, *s, *z, *dz;                 /* genes x 32, latent = "inner" */
    real *E0, *A1, *E1, *A2, *E2, *dE2, *dE1, inv1[H1], inv2[H2];
    real *parts_cells, *parts_a, *parts_b;
    double *sums;                          /* per tile: edge cost, divergence, squares of W; per block of heads: nll, miss */
    double *held, n_in, n_held;            /* entries in the likelihood, and left out */
    const Result *now;
    size_t *entry;
    real *ones;
    Room *room;
    Optim opt;
} Net;

static void each(Net *n, size_t things, void (*work)(Net *, size_t from, size_t to, Room *))
{
    PARALLEL_FOR(n->T)
    for (int t = 0; t < n->T; t++) {
        size_t from, to;
        share(things, t, n->T, &from, &to);
        if (from < to) work(n, from, to, n->room + t);
    }
}

/* chunks from..to-1 of `things` as a range of things each */
#define CHUNK(k, things, a, b) size_t a, b; share((size_t) (things), (int) (k), CHUNKS, &a, &b)

static real *part_of(Net *n, int block) { return n->w + n->at.at[block]; }
/* a W in tiles has none: it meets its gradient tile by tile */
static real *grad_at(Net *n, size_t at) { return n->g + (at - n->at.at[n->on_edges ? W : W0]); }
static real *grad_of(Net *n, int block) { return grad_at(n, n->at.at[block]); }

/* ---- X ---- */

/* X of 64 genes from `first` on, cells x 64, dropped entries 0 */
static void x_block(const Net *n, int first, size_t width, real *out)
{
    size_t M = (size_t) n->M;
    if (n->X) for (size_t c = 0; c < M; c++) memcpy(out + c * GENES, n->X + c * (size_t) n->N + first, width * sizeof(real));
    else {
        real zero[GENES];
        for (size_t j = 0; j < width; j++) zero[j] = -n->mean[(size_t) first + j] * n->over[(size_t) first + j];
        for (size_t c = 0; c < M; c++) memcpy(out + c * GENES, zero, width * sizeof(real));
        for (size_t j = 0; j < width; j++) {
            size_t g = (size_t) first + j;
            for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++)
                out[(size_t) n->genes.i[k] * GENES + j] = (n->genes.x[k] - n->mean[g]) * n->over[g];
        }
    }
    if (!n->noise || n->p->dropout <= 0) return;
    for (size_t c = 0; c < M; c++) {
        uint32_t bits[GENES];
        rng_words(n->seed, RNG_DROPOUT, (uint32_t) n->epoch, ((size_t) first / GENES * M + c) * (GENES / 4), bits, GENES);
        act_drop(out + c * GENES, bits, (uint32_t) (n->p->dropout * 4294967296.0), (real) (1 / (1 - n->p->dropout)), width);
    }
}

static size_t genes_here(const Net *n, size_t block)
{
    size_t left = (size_t) n->N - block * GENES;
    return left < GENES ? left : GENES;
}

/* ---- graph network ---- */

static void into_graph(Net *n, size_t from, size_t to, Room *r)      /* P0 = F W0 */
{
    for (size_t b = from; b < to; b++) {
        size_t w = genes_here(n, b);
        x_block(n, (int) (b * GENES), w, r->mu);
        gemm(1, 0, w, H1, (size_t) n->M, r->mu, GENES, part_of(n, W0), H1, 0, n->P0 + b * GENES * H1, H1, r->scratch);
    }
}

static void mix_first(Net *n, size_t from, size_t to, Room *r) { (void) r; graph_mix(&n->graph, H1, from, to, n->P0, n->T1); }
static void mix_second(Net *n, size_t from, size_t to, Room *r) { (void) r; graph_mix(&n->graph, H2, from, to, n->P1, n->T2); }
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
    double rho = n->noise ? n->p->dropout : 0;
    for (size_t k = 0; k < len; k += 64) {
        size_t now = len - k < 64 ? len - k : 64;
        rng_words(n->seed, RNG_MASK, (uint32_t) n->epoch, (uint64_t) (which + 1) << 40 | k / 4, bits, 64);
        for (size_t j = 0; j < now; j++)
            mask[k + j] = rho > 0 && bits[j] < (uint32_t) (rho * 4294967296.0) ? 0 : (real) (1 / (1 - rho));
    }
}

static void graph_forward(Net *n)
{
    size_t N = (size_t) n->N;
    draw_mask(n, 0, N * H1, n->mask1);
    draw_mask(n, 1, N * H2, n->mask_a);
    draw_mask(n, 2, N * H2, n->mask_b);
    each(n, (N + GENES - 1) / GENES, into_graph);
    each(n, N, mix_first);
    for (size_t k = 0; k < N * H1; k++) {
        n->T1[k] = (real) tanh((double) n->T1[k]);
        n->H1d[k] = n->T1[k] * n->mask1[k];
    }
    gemm(0, 0, N, H2, H1, n->H1d, H1, part_of(n, W1), H2, 0, n->P1, H2, n->room->scratch);
    each(n, N, mix_second);
    act_relu(n->T2, N * H2);
    for (size_t k = 0; k < N * H2; k++) { n->HA[k] = n->T2[k] * n->mask_a[k]; n->HB[k] = n->T2[k] * n->mask_b[k]; }
    each(n, N, mix_heads);
    if (!n->inner) return;
    gemm(0, 0, N, H2, H2, n->Qa, H2, part_of(n, WM), H2, 0, n->mu, H2, n->room->scratch);
    gemm(0, 0, N, H2, H2, n->Qb, H2, part_of(n, WS), H2, 0, n->s, H2, n->room->scratch);
    for (size_t i = 0; i < N; i++) {
        real eps[64];
        if (n->noise) rng_normals64(n->seed, RNG_NOISE, (uint32_t) n->epoch, i, eps);
        for (size_t l = 0; l < H2; l++)
            n->z[i * H2 + l] = n->mu[i * H2 + l] + (n->noise ? eps[l] * (real) exp((double) n->s[i * H2 + l]) : 0);
    }
}

/* ---- tiles of the first layer ---- */

static void noise_row(const Net *n, size_t row, size_t tile, real *eps)
{
    for (size_t q = 0; q < TILE / 64; q++)
        rng_normals64(n->seed, RNG_NOISE, (uint32_t) n->epoch, row * (n->pad / 64) + tile * (TILE / 64) + q, eps + q * 64);
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
    if (with_s) gemm(0, 0, N, w, H2, n->Qb, H2, all + n->at.at[WS] + t * H2 * TILE, TILE, 1, s, TILE, scratch);
}

/* Where the weights of row i of a W on edges begin: that of the gene itself, then its neighbours'. */
static size_t edge_at(const Net *n, size_t row) { return n->at.at[W] + (size_t) n->graph.p[row] + row; }

/* Row i of tile t of W: in place, or put together in `row`. */
static const real *weights_row(const Net *n, size_t i, size_t t, real row[TILE])
{
    if (!n->on_edges) return n->w + n->at.at[W] + t * (size_t) n->N * TILE + i * TILE;
    const real *from = n->w + edge_at(n, i);
    int first = (int) (t * TILE);
    memset(row, 0, TILE * sizeof(real));
    if ((int) i >= first && (int) i < first + TILE) row[(int) i - first] = from[0];
    for (int k = graph_from(&n->graph, (int) i, first); k < n->graph.p[i + 1] && n->graph.i[k] < first + TILE; k++)
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
            tile_row(&n->cost, w, label, Wi, n->noise ? eps : NULL, r->mu + i * TILE, r->s + i * TILE, sums);
        }
    }
}

/* The same product where V has the edges only: gene j of the tile from its neighbours' entries. column: room for the cells. */
static void edges_forward(const Net *n, size_t t, const real *V, real *column, real *e0)
{
    size_t M = (size_t) n->M;
    for (size_t jj = 0; jj < tile_width(n->N, (int) t); jj++) {
        size_t j = t * TILE + jj;
        double shift = (double) n->w[n->at.at[B] + j];
        memset(column, 0, M * sizeof(real));
        for (int k = n->graph.p[j] - 1; k < n->graph.p[j + 1]; k++) {            /* the gene itself first */
            size_t i = k < n->graph.p[j] ? j : (size_t) n->graph.i[k];
            real v = V[i * TILE + jj] * n->over[i];
            for (size_t e = n->genes.p[i]; e < n->genes.p[i + 1]; e++) column[n->genes.i[e]] += v * n->genes.x[e];
            shift -= (double) (n->mean[i] * v);
        }
        for (size_t c = 0; c < M; c++) e0[c * TILE + jj] = column[c] + (real) shift;
    }
}

/* dV at the edges, from dA0 (in e0); elsewhere 0 */
static void edges_back(const Net *n, size_t t, const real *e0, const real *db, real *column, real *dv)
{
    size_t M = (size_t) n->M;
    memset(dv, 0, (size_t) n->N * TILE * sizeof(real));
    for (size_t jj = 0; jj < tile_width(n->N, (int) t); jj++) {
        size_t j = t * TILE + jj;
        for (size_t c = 0; c < M; c++) column[c] = e0[c * TILE + jj];
        for (int k = n->graph.p[j] - 1; k < n->graph.p[j + 1]; k++) {
            size_t i = k < n->graph.p[j] ? j : (size_t) n->graph.i[k];
            real s = 0;
            for (size_t e = n->genes.p[i]; e < n->genes.p[i + 1]; e++) s += n->genes.x[e] * column[n->genes.i[e]];
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
    for (int k = graph_from(&n->graph, (int) i, first); k < n->graph.p[i + 1] && n->graph.i[k] < first + TILE; k++)
        to[1 + k - n->graph.p[i]] = dw[n->graph.i[k] - first];
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
            gemm(0, 0, M, H1, w, e0, TILE, n->w + n->at.at[U1] + t * TILE * H1, H1, 1, part, H1, r->scratch);
        }
    }
}

static void add_parts(real *sum, const real *parts, size_t stride, size_t len)
{
    memset(sum, 0, len * sizeof(real));
    for (size_t k = 0; k < CHUNKS; k++) for (size_t j = 0; j < len; j++) sum[j] += parts[k * stride + j];
}

/* From E0 to E2; A1 and A2 stay as batch norm left them. */
static void cells_forward(Net *n)
{
    size_t M = (size_t) n->M;
    add_parts(n->A1, n->parts_cells, M * H2, M * H1);
    norm_columns(M, H1, H1, n->A1, n->inv1);
    norm_scale(M, H1, H1, n->A1, part_of(n, G1), part_of(n, B1), n->E1);
    act_relu(n->E1, M * H1);
    gemm(0, 0, M, H2, H1, n->E1, H1, part_of(n, U2), H2, 0, n->A2, H2, n->room->scratch);
    norm_columns(M, H2, H2, n->A2, n->inv2);
    norm_scale(M, H2, H2, n->A2, part_of(n, G2), part_of(n, B2), n->E2);
    act_relu(n->E2, M * H2);
}

/* ---- heads: likelihood, its gradient, and the way back to E2, block of genes by block ---- */

static const int head_u[3] = { UM, UT, UP }, head_g[3] = { GM, GT, GP }, head_b[3] = { BM, BT, BP };

static int is_held(const Net *n, size_t block, size_t cell, uint32_t bits[GENES])
{
    if (n->p->valid_fraction <= 0) return 0;
    rng_words(n->seed, RNG_HOLD_OUT, 0, (block * (size_t) n->M + cell) * (GENES / 4), bits, GENES);
    return 1;
}
static uint32_t held_below(const Net *n) { return (uint32_t) (n->p->valid_fraction * 4294967296.0); }

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

static void head_block(Net *n, size_t block, real *part, Room *r)
{
    size_t M = (size_t) n->M, w = genes_here(n, block), j0 = block * GENES, heads = n->inflated ? 3 : 2;
    size_t tile = j0 / TILE * H2 * TILE + j0 % TILE;
    real inv[3][GENES];
    Zinb z = { n->inflated, 1 / n->n_in, n->p->mse_weight / n->M };
    double *sums = n->sums + 3 * (size_t) n->tiles + 2 * block;
    int waiting = 0;
    sums[0] = sums[1] = 0;
    for (size_t h = 0; h < heads; h++) {
        gemm(0, 0, M, w, H2, n->E2, H2, n->w + n->at.at[head_u[h]] + tile, TILE, 0, r->o[h], GENES, r->scratch);
        norm_columns(M, w, GENES, r->o[h], inv[h]);
        norm_scale(M, w, GENES, r->o[h], n->w + n->at.at[head_g[h]] + j0, n->w + n->at.at[head_b[h]] + j0, r->y[h]);
    }
    for (size_t c = 0; c < M; c++) {
        int end = n->y->p[c + 1], k = (int) first_from(n->y->i, (size_t) n->y->p[c], (size_t) end, (int) j0);
        uint32_t bits[GENES], below = held_below(n);
        int some_held = is_held(n, block, c, bits);
        double nll[GENES], miss[GENES], log_size = log(n->size[c]);
        char out[GENES] = { 0 };                             /* not a zero of the likelihood */
        for (; k < end && n->y->i[k] < (int) (j0 + w); k++) {
            size_t j = (size_t) n->y->i[k] - j0, at = c * GENES + j;
            out[j] = 1;
            if (some_held && bits[j] < below) continue;
            r->x[waiting] = n->y->x[k];
            r->size[waiting] = log_size;
            r->mean[waiting] = (double) r->y[0][at];
            r->theta[waiting] = (double) r->y[1][at];
            r->l[waiting] = n->inflated ? (double) r->y[2][at] : 0;
            r->where[waiting++] = (int) at;
        }
        real *l = n->inflated ? r->y[2] + c * GENES : r->grad;
        zinb_zeros(&z, w, log_size, r->y[0] + c * GENES, r->y[1] + c * GENES, l, nll, miss);
        for (size_t j = 0; j < w; j++) {
            int held = some_held && bits[j] < below;
            if (held) for (size_t h = 0; h < heads; h++) r->y[h][c * GENES + j] = 0;
            if (held || out[j]) continue;
            sums[0] += nll[j];
            sums[1] += miss[j];
        }
        if (waiting > SOME - GENES) flush(&z, r, &waiting, sums);
    }
    flush(&z, r, &waiting, sums);
    for (size_t h = 0; h < heads; h++) {
        real *du = grad_at(n, n->at.at[head_u[h]] + tile);
        norm_back(M, w, GENES, r->o[h], n->w + n->at.at[head_g[h]] + j0, inv[h], r->y[h],
                  grad_of(n, head_g[h]) + j0, grad_of(n, head_b[h]) + j0);
        gemm(1, 0, H2, w, M, n->E2, H2, r->y[h], GENES, 0, du, TILE, r->scratch);
        gemm(0, 1, M, H2, w, r->y[h], GENES, n->w + n->at.at[head_u[h]] + tile, TILE, 1, part, H2, r->scratch);
    }
}

static size_t head_blocks(const Net *n) { return ((size_t) n->N + GENES - 1) / GENES; }

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

/* ---- the way back through the cells ---- */

/* relu, then batch norm: d (rows x cols), the gradient of E, becomes that of what was normed */
static void layer_back(Net *n, size_t cols, const real *e, const real *a, const real *inv, int gamma, int beta, real *d)
{
    size_t M = (size_t) n->M;
    act_relu_back(e, d, M * cols);
    norm_back(M, cols, cols, a, part_of(n, gamma), inv, d, grad_of(n, gamma), grad_of(n, beta));
}

static void cells_back(Net *n)
{
    size_t M = (size_t) n->M;
    real *scratch = n->room->scratch;
    add_parts(n->dE2, n->parts_cells, M * H2, M * H2);
    layer_back(n, H2, n->E2, n->A2, n->inv2, G2, B2, n->dE2);
    gemm(1, 0, H1, H2, M, n->E1, H1, n->dE2, H2, 0, grad_of(n, U2), H2, scratch);
    gemm(0, 1, M, H1, H2, n->dE2, H2, part_of(n, U2), H2, 0, n->dE1, H1, scratch);
    layer_back(n, H1, n->E1, n->A1, n->inv1, G1, B1, n->dE1);
}

static double squares(const real *x, size_t n)
{
    double s[8] = { 0 };
    for (size_t k = 0; k + 8 <= n; k += 8) for (size_t j = 0; j < 8; j++) s[j] += (double) x[k + j] * (double) x[k + j];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static void step(const Net *n, const Optim *o, size_t at, const real *g, size_t len)
{
    optim_step(o, n->w + at, g, n->m + at, n->v + at, n->w + at, len);
}

/* Gradients of a tile: U1, b, W (with its step), Wm, Ws; shares of dQa and dQb (inner: of dZ). */
static void tile_back(Net *n, size_t t, real *part_a, real *part_b, Room *r)
{
    size_t N = (size_t) n->N, M = (size_t) n->M, w = tile_width(n->N, (int) t), at_w = n->at.at[W] + t * N * TILE;
    real *e0 = n->E0 + t * M * TILE, *db = grad_of(n, B) + t * TILE;
    Optim with_l2 = n->opt;
    gemm(1, 0, w, H1, M, e0, TILE, n->dE1, H1, 0, grad_of(n, U1) + t * TILE * H1, H1, r->scratch);
    double column[TILE] = { 0 };
    /* dA0, in the place of E0, 64 cells at a time */
    for (size_t c = 0; c < M; c += 64) {
        size_t rows = M - c < 64 ? M - c : 64;
        real *back = r->dv;
        memset(back, 0, rows * TILE * sizeof(real));
        gemm(0, 1, rows, w, H1, n->dE1 + c * H1, H1, n->w + n->at.at[U1] + t * TILE * H1, H1, 1, back, TILE, r->scratch);
        act_relu_back(e0 + c * TILE, back, rows * TILE);
        memcpy(e0 + c * TILE, back, rows * TILE * sizeof(real));
        for (size_t k = 0; k < rows; k++) for (size_t j = 0; j < TILE; j++) column[j] += (double) back[k * TILE + j];
    }
    for (size_t j = 0; j < TILE; j++) db[j] = (real) column[j];
    if (n->on_edges) edges_back(n, t, e0, db, r->column, r->dv);
    else if (n->X) gemm(1, 0, N, w, M, n->X, N, e0, TILE, 0, r->dv, TILE, r->scratch);
    else {
        tile_sums(r->dv, NULL, e0, n->genes.p, n->genes.i, n->genes.x, N);
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < w; j++) r->dv[i * TILE + j] = (r->dv[i * TILE + j] - n->mean[i] * db[j]) * n->over[i];
    }
    tile_latent(n, t, 1, r->mu, r->s, r->scratch);
    for (size_t i = 0; i < N; i++) {
        real label[TILE], eps[TILE], row[TILE], *dv = r->dv + i * TILE;
        const real *Wi = weights_row(n, i, t, row);
        graph_labels(&n->graph, (int) i, (int) (t * TILE), w, label);
        if (n->inner) tile_inner_back(&n->cost, w, label, Wi, r->mu + i * TILE, dv);
        else {
            if (n->noise) noise_row(n, i, t, eps);
            tile_row_back(&n->cost, w, label, Wi, n->noise ? eps : NULL, r->mu + i * TILE, r->s + i * TILE, dv);
        }
        for (size_t j = w; j < TILE; j++) dv[j] = 0;
        if (n->on_edges) edges_gradient(n, i, t, dv);
    }
    n->sums[3 * t + 2] = 0;
    if (!n->on_edges) {
        n->sums[3 * t + 2] = squares(n->w + at_w, N * TILE);
        with_l2.decay = n->p->l2;
        step(n, &with_l2, at_w, r->dv, N * TILE);
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

/* ---- the way back through the graph ---- */

static void mix_back_a(Net *n, size_t from, size_t to, Room *r) { (void) r; graph_mix(&n->graph, H2, from, to, n->Qa, n->mixed); }
static void mix_back_b(Net *n, size_t from, size_t to, Room *r) { (void) r; graph_mix(&n->graph, H2, from, to, n->Qb, n->P1); }
static void mix_back_2(Net *n, size_t from, size_t to, Room *r) { (void) r; graph_mix(&n->graph, H2, from, to, n->mixed, n->P1); }
static void mix_back_1(Net *n, size_t from, size_t to, Room *r) { (void) r; graph_mix(&n->graph, H1, from, to, n->H1d, n->P0); }

static void graph_gradient(Net *n, size_t from, size_t to, Room *r)       /* dW0 = F'K1, shares */
{
    size_t M = (size_t) n->M;
    for (size_t k = from; k < to; k++) {
        real *part = n->parts_cells + k * M * H2;
        CHUNK(k, head_blocks(n), a, b);
        memset(part, 0, M * H1 * sizeof(real));
        for (size_t block = a; block < b; block++) {
            size_t w = genes_here(n, block);
            x_block(n, (int) (block * GENES), w, r->mu);
            gemm(0, 0, M, H1, w, r->mu, GENES, n->P0 + block * GENES * H1, H1, 1, part, H1, r->scratch);
        }
    }
}

static void inner_back(Net *n)                        /* from dZ to dQa and dQb */
{
    size_t N = (size_t) n->N;
    real *dmu = n->parts_a, *ds = n->parts_b, *scratch = n->room->scratch, *sum = n->mixed;
    add_parts(sum, n->parts_a, N * H2, N * H2);
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

static void graph_back(Net *n)
{
    size_t N = (size_t) n->N, M = (size_t) n->M;
    real *scratch = n->room->scratch;
    if (n->inner) inner_back(n);
    else {
        add_parts(n->Qa, n->parts_a, N * H2, N * H2);            /* from here on: dQa, dQb */
        add_parts(n->Qb, n->parts_b, N * H2, N * H2);
    }
    each(n, N, mix_back_a);
    each(n, N, mix_back_b);
    for (size_t k = 0; k < N * H2; k++)
        n->mixed[k] = n->T2[k] > 0 ? n->mixed[k] * n->mask_a[k] + n->P1[k] * n->mask_b[k] : 0;
    each(n, N, mix_back_2);                                      /* K2, in P1 */
    gemm(1, 0, H1, H2, N, n->H1d, H1, n->P1, H2, 0, grad_of(n, W1), H2, scratch);
    gemm(0, 1, N, H1, H2, n->P1, H2, part_of(n, W1), H2, 0, n->H1d, H1, scratch);
    for (size_t k = 0; k < N * H1; k++) n->H1d[k] *= n->mask1[k] * (1 - n->T1[k] * n->T1[k]);
    each(n, N, mix_back_1);                                      /* K1, in P0 */
    each(n, CHUNKS, graph_gradient);
    add_parts(grad_of(n, W0), n->parts_cells, M * H2, M * H1);
}

/* ---- an epoch ---- */

enum { J_EDGES, J_LIKELIHOOD, J_DIVERGENCE, J_ERROR };

static void forward(Net *n)
{
    graph_forward(n);
    each(n, CHUNKS, chunks_forward);
    cells_forward(n);
}

/* The parts of the cost at the weights before the step, and the step. */
static void epoch(Net *n, double part[CURVES], double *penalty)
{
    static const int shrinks[N_BLOCKS] = { [W] = 1, [U1] = 1, [U2] = 1, [UP] = 1, [UT] = 1, [UM] = 1 };
    size_t N = (size_t) n->N;
    double squared = 0;
    memset(part, 0, CURVES * sizeof *part);
    forward(n);
    each(n, CHUNKS, chunks_heads);
    cells_back(n);
    for (int k = n->on_edges ? W : U1; k < N_BLOCKS; k++)
        if (shrinks[k] && (n->inflated || k != UP)) squared += squares(part_of(n, k), n->at.at[k + 1] - n->at.at[k]);
    each(n, CHUNKS, chunks_back);
    graph_back(n);
    for (int t = 0; t < n->tiles; t++) {
        part[J_EDGES] += (double) n->cost.edge * n->sums[3 * t];
        part[J_DIVERGENCE] += n->sums[3 * t + 1] / ((double) N * (double) N);
        squared += n->sums[3 * t + 2];
    }
    for (size_t k = 0; n->inner && k < N * H2; k++) {
        double m = (double) n->mu[k], s = (double) n->s[k];
        part[J_DIVERGENCE] += 0.5 * (m * m + exp(2 * s) - 1 - 2 * s) / ((double) N * (double) N);
    }
    for (size_t b = 0; b < head_blocks(n); b++) {
        const double *sums = n->sums + 3 * (size_t) n->tiles + 2 * b;
        part[J_LIKELIHOOD] += sums[0] / n->n_in;
        part[J_ERROR] += n->p->mse_weight / (2 * n->M) * sums[1] / n->n_in;
    }
    *penalty = n->p->l2 / 2 * squared;
    for (int k = n->on_edges ? W : W0; k < N_BLOCKS; k++) {
        Optim o = n->opt;
        if (!n->inflated && (k == UP || k == GP || k == BP)) continue;
        o.decay = shrinks[k] ? n->p->l2 : 0;
        step(n, &o, n->at.at[k], grad_of(n, k), n->at.at[k + 1] - n->at.at[k]);
    }
}

/* ---- as at prediction: no noise, batch norm of all cells, folded into the heads ---- */

static Result result_of(double *w, size_t N, size_t M, int inner)
{
    Result r;
    r.E2 = w; w += M * H2;
    for (int h = 2; h >= 0; h--) { r.U[h] = w; w += H2 * N; r.bias[h] = w; w += N; }
    r.Qa = w; w += N * H2;
    r.Wm = w; w += inner ? 0 : H2 * N;
    r.size = w; w += M;
    r.keys = w;
    return r;
}

static void fold_heads(Net *n, const Result *to)
{
    size_t M = (size_t) n->M, N = (size_t) n->N;
    double mean[H2] = { 0 }, cov[H2][H2] = { { 0 } };
    for (size_t c = 0; c < M; c++) for (size_t l = 0; l < H2; l++) mean[l] += (double) n->E2[c * H2 + l] / (double) M;
    for (size_t c = 0; c < M; c++)
        for (size_t l = 0; l < H2; l++) {
            double d = (double) n->E2[c * H2 + l] - mean[l];
            for (size_t k = 0; k < H2; k++) cov[l][k] += d * ((double) n->E2[c * H2 + k] - mean[k]) / (double) M;
        }
    for (int h = 0; h < 3; h++)
        for (size_t g = 0; g < N; g++) {
            const real *u = n->w + n->at.at[head_u[h]] + g / TILE * H2 * TILE + g % TILE;
            double m = 0, var = 0;
            for (size_t l = 0; l < H2; l++) {
                double row = 0;
                for (size_t k = 0; k < H2; k++) row += cov[l][k] * (double) u[k * TILE];
                m += mean[l] * (double) u[l * TILE];
                var += row * (double) u[l * TILE];
            }
            double by = (double) n->w[n->at.at[head_g[h]] + g] / sqrt((var > 0 ? var : 0) + 1e-3);
            for (size_t l = 0; l < H2; l++) to->U[h][g * H2 + l] = by * (double) u[l * TILE];
            to->bias[h][g] = (double) n->w[n->at.at[head_b[h]] + g] - by * m;
        }
}

/* What the fit gives, as it stands now; latent coordinates column by column, as R has them. */
static void take_result(Net *n, const Result *to)
{
    size_t M = (size_t) n->M, N = (size_t) n->N;
    for (size_t c = 0; c < M; c++) for (size_t l = 0; l < H2; l++) to->E2[l * M + c] = (double) n->E2[c * H2 + l];
    fold_heads(n, to);
    const real *q = n->inner ? n->mu : n->Qa;
    for (size_t g = 0; g < N; g++) for (size_t l = 0; l < H2; l++) to->Qa[l * N + g] = (double) q[g * H2 + l];
    for (size_t g = 0; !n->inner && g < N; g++)
        for (size_t l = 0; l < H2; l++)
            to->Wm[g * H2 + l] = (double) n->w[n->at.at[WM] + g / TILE * H2 * TILE + l * TILE + g % TILE];
}

/* Negative log-likelihoods of the held-out entries, by cell, at the result n->now. */
static void held_cells(Net *n, size_t from, size_t to, Room *r)
{
    const Result *now = n->now;
    Zinb z = { n->inflated, 1, 0 };
    for (size_t c = from; c < to; c++) {
        double sum = 0, e[H2], log_size = log(n->size[c]), nll[GENES], miss[GENES];
        int k = n->y->p[c], end = n->y->p[c + 1];
        for (size_t l = 0; l < H2; l++) e[l] = (double) n->E2[c * H2 + l];
        for (size_t b = 0; b < head_blocks(n); b++) {
            uint32_t bits[GENES], below = held_below(n);
            real zero[3][GENES];
            size_t zeros = 0, seen = 0;
            is_held(n, b, c, bits);
            for (size_t j = 0; j < genes_here(n, b); j++) {
                size_t g = b * GENES + j;
                double o[3];
                if (bits[j] >= below) continue;
                for (int h = 0; h < 3; h++) {
                    o[h] = now->bias[h][g];
                    for (size_t l = 0; l < H2; l++) o[h] += e[l] * now->U[h][g * H2 + l];
                }
                while (k < end && n->y->i[k] < (int) g) k++;
                if (k < end && n->y->i[k] == (int) g) {
                    r->x[seen] = n->y->x[k];
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
        n->held[c] = sum;
    }
}

/* The result at these weights, into n->now; the mean held-out likelihood. */
static double evaluate(Net *n)
{
    double sum = 0;
    n->noise = 0;
    forward(n);
    n->noise = 1;
    take_result(n, n->now);
    if (n->n_held < 1) return NAN;
    each(n, (size_t) n->M, held_cells);
    for (int c = 0; c < n->M; c++) sum += n->held[c];
    return sum / n->n_held;
}

/* ---- fit ---- */

static void net_take(Arena *a, Net *n)
{
    size_t N = (size_t) n->N, M = (size_t) n->M, nnz = (size_t) n->y->p[n->M], big = n->at.at[N_BLOCKS];
    size_t tile = N * TILE > M * GENES ? N * TILE : M * GENES;
    if (tile < 64 * TILE) tile = 64 * TILE;
    n->w = ARENA(a, real, big);
    n->g = ARENA(a, real, big - n->at.at[n->on_edges ? W : W0]);
    n->m = ARENA(a, real, big);
    n->v = ARENA(a, real, big);
    n->mean = ARENA(a, real, N);
    n->over = ARENA(a, real, N);
    rows_take(a, &n->cells, M, nnz);
    rows_take(a, &n->genes, N, nnz);
    size_t *from = ARENA(a, size_t, nnz + 1);
    n->entry = from;
    n->X = (double) nnz > DENSE * (double) N * (double) M && !n->on_edges ? ARENA(a, real, N * M) : NULL;
    real **narrow[] = { &n->P0, &n->T1, &n->H1d, &n->mask1 };
    real **wide[] = { &n->P1, &n->T2, &n->HA, &n->HB, &n->Qa, &n->Qb, &n->mask_a, &n->mask_b, &n->mixed,
                      &n->mu, &n->s, &n->z, &n->dz };
    for (int k = 0; k < 4; k++) *narrow[k] = ARENA(a, real, N * H1);
    for (int k = 0; k < (n->inner ? 13 : 9); k++) *wide[k] = ARENA(a, real, n->pad * H2);
    n->E0 = ARENA(a, real, (size_t) n->tiles * M * TILE);
    real **cells[] = { &n->A1, &n->E1, &n->dE1, &n->A2, &n->E2, &n->dE2 };
    for (int k = 0; k < 6; k++) *cells[k] = ARENA(a, real, M * (k < 3 ? H1 : H2));
    n->parts_cells = ARENA(a, real, CHUNKS * M * H2);
    n->parts_a = ARENA(a, real, CHUNKS * N * H2);
    n->parts_b = ARENA(a, real, CHUNKS * N * H2);
    n->sums = ARENA(a, double, 3 * (size_t) n->tiles + 2 * head_blocks(n));
    n->held = ARENA(a, double, M);
    n->ones = ARENA(a, real, N);
    n->room = ARENA(a, Room, n->T);
    for (int t = 0; t < n->T && !a->failed; t++) {
        Room *r = n->room + t;
        r->mu = ARENA(a, real, tile);
        r->s = ARENA(a, real, tile);
        r->dv = ARENA(a, real, tile);
        for (int h = 0; h < 3; h++) { r->o[h] = ARENA(a, real, M * GENES); r->y[h] = ARENA(a, real, M * GENES); }
        r->grad = ARENA(a, real, GENES);
        r->column = ARENA(a, real, M);
        r->scratch = ARENA(a, real, GEMM_SCRATCH);
        double **some[] = { &r->x, &r->size, &r->mean, &r->theta, &r->l, &r->nll, &r->miss };
        for (int k = 0; k < 7; k++) *some[k] = ARENA(a, double, SOME);
        r->where = ARENA(a, int, SOME);
    }
}

/* Logarithms by cell and by gene, their moments, X where it is dense; what the graph's nodes weigh. */
static void look_at(Net *n)
{
    size_t N = (size_t) n->N, M = (size_t) n->M;
    const Sparse *y = n->y;
    n->cells.n = n->M;
    for (size_t c = 0; c < M; c++) {
        n->cells.p[c] = (size_t) y->p[c];
        for (int k = y->p[c]; k < y->p[c + 1]; k++) {
            n->cells.i[k] = y->i[k];
            n->cells.x[k] = (real) log1p(y->x[k] / n->size[c]);
        }
    }
    n->cells.p[M] = (size_t) y->p[M];
    rows_transpose(&n->cells, n->N, &n->genes, n->entry);
    for (size_t g = 0; g < N; g++) {
        double mean = 0, ss = 0, here = (double) (n->genes.p[g + 1] - n->genes.p[g]);
        for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++) mean += (double) n->genes.x[k];
        mean /= (double) M;
        for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++) {
            double d = (double) n->genes.x[k] - mean;
            ss += d * d;
        }
        ss += ((double) M - here) * mean * mean;
        double sd = M > 1 ? sqrt(ss / ((double) M - 1)) : 0;
        n->mean[g] = (real) (n->p->scale ? mean : 0);
        n->over[g] = n->p->scale ? (sd > 1e-10 * mean ? (real) (1 / sd) : 0) : 1;
        n->ones[g] = (real) (1 / sqrt(1.0 + n->plan[PLAN_GRAPH + g + 1] - n->plan[PLAN_GRAPH + g]));
    }
    n->graph = (Neighbours) { n->N, n->plan + PLAN_GRAPH, n->plan + PLAN_GRAPH + N + 1, n->ones };
    for (size_t c = 0; n->X && c < M; c++) {
        real *row = n->X + c * N;
        for (size_t g = 0; g < N; g++) row[g] = -n->mean[g] * n->over[g];
        for (size_t k = n->cells.p[c]; k < n->cells.p[c + 1]; k++) {
            size_t g = (size_t) n->cells.i[k];
            row[g] = (n->cells.x[k] - n->mean[g]) * n->over[g];
        }
    }
    double edges = n->plan[PLAN_EDGES] ? n->plan[PLAN_EDGES] : n->N, NN = (double) N * (double) N;
    n->cost = (TileCost) { (real) ((NN - edges) / edges), (real) (1 / (2 * (NN - edges))), (real) (1 / NN) };
    if (NN <= edges) n->cost = (TileCost) { 0, 0, (real) (1 / NN) };            /* a single gene */
    for (size_t b = 0; b < head_blocks(n); b++)
        for (size_t c = 0; c < M; c++) {
            uint32_t bits[GENES], below = held_below(n);
            if (is_held(n, b, c, bits)) for (size_t j = 0; j < genes_here(n, b); j++) n->n_held += bits[j] < below;
        }
    n->n_in = (double) N * (double) M - n->n_held;
}

static void glorot(Net *n, int block, size_t rows, size_t cols, size_t ld, size_t tile_rows)
{
    double r = sqrt(6.0 / (double) (rows + cols));
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            /* a matrix in tiles of tile_rows x TILE, or rows of ld */
            size_t at = tile_rows ? j / TILE * tile_rows * TILE + i * TILE + j % TILE : i * ld + j;
            double u = rng_unif(n->seed, RNG_INIT_1, (uint64_t) (block + 1) << 44 | (i * cols + j));
            n->w[n->at.at[block] + at] = (real) (r * (2 * u - 1));
        }
}

static void initialise(Net *n)
{
    size_t N = (size_t) n->N, M = (size_t) n->M;
    if (!n->on_edges) glorot(n, W, N, N, 0, N);
    for (size_t k = n->at.at[W]; n->on_edges && k < n->at.at[W] + (size_t) n->plan[PLAN_EDGES] + N; k++)
        n->w[k] = (real) (sqrt(3.0 / (double) N) * (2 * rng_unif(n->seed, RNG_INIT_2, k) - 1));
    glorot(n, W0, M, H1, H1, 0);
    glorot(n, W1, H1, H2, H2, 0);
    glorot(n, WM, H2, n->inner ? H2 : N, H2, n->inner ? 0 : H2);
    glorot(n, WS, H2, n->inner ? H2 : N, H2, n->inner ? 0 : H2);
    glorot(n, U1, N, H1, H1, 0);
    glorot(n, U2, H1, H2, H2, 0);
    for (int h = 0; h < 3; h++) glorot(n, head_u[h], H2, N, 0, H2);
    for (size_t j = 0; j < H1; j++) part_of(n, G1)[j] = 1;
    for (size_t j = 0; j < H2; j++) part_of(n, G2)[j] = 1;
    for (size_t g = 0; g < N; g++) {
        double mean = 0, var = 0, here = 0;
        for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++) { mean += expm1((double) n->genes.x[k]); here++; }
        mean /= (double) M;
        for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++) var += pow(expm1((double) n->genes.x[k]) - mean, 2);
        var = M > 1 ? (var + ((double) M - here) * mean * mean) / ((double) M - 1) : 0;
        double theta = mean * mean / fmax(var - mean, 1e-8);
        theta = theta < 0.1 ? 0.1 : theta > 30 ? 30 : theta;
        int data = n->p->init == INIT_DATA;
        part_of(n, GM)[g] = data ? (real) 0.3 : 1;
        part_of(n, GT)[g] = part_of(n, GP)[g] = data ? (real) 0.1 : 1;
        part_of(n, BM)[g] = data ? (real) log(fmax(mean, 1e-5)) : 0;
        part_of(n, BT)[g] = data ? (real) log(expm1(theta)) : 0;
        part_of(n, BP)[g] = data ? -2 : 0;
    }
}

static Net net_of(const Params *p, const Fit *f)
{
    Net n = { .p = p, .y = &f->x, .size = f->given, .plan = f->plan, .seed = f->seed, .N = f->x.nrow, .M = f->x.ncol,
              .tiles = tiles_of(f->x.nrow), .T = f->threads, .inner = p->latent == LATENT_INNER,
              .on_edges = p->inner == INNER_EDGES, .inflated = p->dist == DIST_ZINB,
              .noise = 1 };
    n.pad = (size_t) n.tiles * TILE;
    n.at = places((size_t) n.N, (size_t) n.M, n.inner, n.on_edges ? (size_t) f->plan[PLAN_EDGES] + (size_t) n.N : 0);
    return n;
}

static void net_ready(Net *n)
{
    look_at(n);
    initialise(n);
    n->opt = (Optim) { .rule = OPT_ADAM, .learning_rate = n->p->learning_rate, .epsilon = 1e-8 };
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    const Params *p = params;
    Net n = net_of(p, f);
    int epochs = f->plan[PLAN_EPOCHS], stops = p->stop == UNTIL_VALIDATION && p->valid_fraction > 0;
    if (f->plan[PLAN_CELLS] != n.M) return ST_SHAPE;
    net_take(a, &n);
    size_t all = model_weights(model_find("graphsci"), p, n.N, f->plan);
    double *now = ARENA(a, double, all), best = INFINITY;
    if (a->failed) return ST_NOMEM;
    Result result = result_of(now, (size_t) n.N, (size_t) n.M, n.inner);
    n.now = &result;
    net_ready(&n);
    for (int c = 0; c < n.M; c++) {
        result.size[c] = n.size[c];
        cell_key(n.y, c, result.keys + 2 * (size_t) c);
    }
    f->h->stopped = STOPPED_MAX;
    for (int e = 1; e <= epochs; e++) {
        n.epoch = e;
        n.opt.learning_rate = p->learning_rate * pow(0.9, (e - 1) / 50.0);
        optim_next(&n.opt);
        double *part = f->h->part + (size_t) (e - 1) * CURVES;
        epoch(&n, part, f->h->penalty + e - 1);
        f->h->train[e - 1] = f->h->penalty[e - 1];
        for (int k = 0; k < CURVES; k++) f->h->train[e - 1] += part[k];
        f->h->valid[e - 1] = NAN;
        f->h->n_iter = e;
        if (!isfinite(f->h->train[e - 1])) return ST_DIVERGED;
        int last = e == epochs;
        if ((stops && e % EVERY == 0) || last) {
            double held = evaluate(&n);
            f->h->valid[e - 1] = held;
            if (stops && !isfinite(held)) return ST_DIVERGED;
            if (!stops || held < best) {
                best = held;
                f->h->best_iter = e;
                memcpy(f->weights, now, all * sizeof *now);
            }
            if (stops && !last && e - f->h->best_iter >= p->patience) { f->h->stopped = STOPPED_VALID; last = 1; }
        }
        Progress say = { e, epochs, f->h->best_iter ? f->h->best_iter : e, f->h->train[e - 1], best };
        f->tick.call(f->tick.ctx, &say);
        if (last) break;
    }
    return ST_OK;
}

/* ---- prediction: mean times size, of cells of the fit ---- */

static Status predict(Arena *a, const void *params, const Predict *job)
{
    static const Progress idle = { 0, 0, 0, 0, 0 };
    const Params *p = params;
    size_t N = (size_t) job->x.nrow, M = (size_t) job->plan[PLAN_CELLS];
    int n = job->x.ncol, *known = ARENA(a, int, n);
    if (a->failed) return ST_NOMEM;
    Result r = result_of((double *) (uintptr_t) job->weights, N, M, p->latent == LATENT_INNER);
    Status st = cells_known(a, &job->x, r.keys, (int) M, known);
    if (st) return st;
    PARALLEL_FOR(job->threads)
    for (int c = 0; c < n; c++) {
        double *out = job->out + (size_t) c * N, e[H2];
        for (size_t l = 0; l < H2 && known[c]; l++) e[l] = r.E2[l * M + (size_t) known[c] - 1];
        for (size_t g = 0; g < N; g++) {
            if (!known[c]) { out[g] = NAN; continue; }
            if (job->wanted && !job->wanted[g]) { out[g] = 0; continue; }
            double o = r.bias[0][g];
            for (size_t l = 0; l < H2; l++) o += e[l] * r.U[0][g * H2 + l];
            out[g] = exp(fmin(fmax(o, log(1e-5)), log(1e6))) * r.size[known[c] - 1];
        }
    }
    job->tick.call(job->tick.ctx, &idle);
    return ST_OK;
}

static int shape(const void *params, int n_genes, const int *plan, int k, Shape *s)
{
    const Params *p = params;
    int M = plan[PLAN_CELLS], inner = p->latent == LATENT_INNER;
    const Shape all[] = { { "E2", M, H2 }, { "P", H2, n_genes }, { "p0", n_genes, 1 }, { "T", H2, n_genes }, { "t0", n_genes, 1 },
        { "D", H2, n_genes }, { "d0", n_genes, 1 }, { inner ? "Z" : "Qa", n_genes, H2 }, { "Wm", H2, inner ? 0 : n_genes },
        { "sf", M, 1 }, { "cells", 2, M } };
    if (k >= 11) return 0;
    *s = all[k];
    return 1;
}

static int max_iter(const void *params, const int *plan) { (void) params; return plan[PLAN_EPOCHS]; }
static size_t given(const int *plan) { return (size_t) plan[PLAN_CELLS]; }

const Model model_graphsci = { .name = "graphsci", .fields = fields, .params_size = sizeof(Params), .shape = shape,
                               .max_iter = max_iter, .curves = "adjacency|expression|divergence|error", .fit = fit,
                               .predict = predict, .needs_plan = 1, .given = given };
