/* scINN's imputation network: a batch of cells, from the counts to the losses. */
#include <math.h>
#include <string.h>
#include "scinn_net.h"

KERNEL_FILE

/* Entries of the rows from..to-1 into `in`; learning, some are dropped. */
static void load_rows(Net *n, size_t from, size_t to, const Room *room)
{
    const Sparse *x = n->x;
    double scale = n->learns ? 1 / (1 - n->p->drop) : 1;
    uint32_t below = (uint32_t) (n->p->drop * 4294967296.0),
             *bits = n->bits + (size_t) (room - n->room) * (n->longest + 4);
    uint64_t positions = (n->longest + 3) / 4, first = (uint64_t) n->opt.t * (uint64_t) n->B;
    int drops = n->learns && n->p->drop > 0;
    for (size_t r = from; r < to; r++) {
        int c = n->cells[r];
        size_t entries = (size_t) (x->p[c + 1] - x->p[c]), at = n->in.p[r];
        if (drops) rng_words(n->seed, RNG_DROPOUT, 0, (first + r) * positions, bits, entries);
        for (size_t k = 0; k < entries; k++, at++) {
            size_t e = (size_t) x->p[c] + k;
            int held = n->role && n->role[e] == HELD, dropped = drops && bits[k] < below;
            n->in.i[at] = x->i[e];
            n->xs[at] = (real) x->x[e];
            n->what[at] = held ? HELD : dropped ? DROPPED : SEEN;
            n->in.x[at] = held || dropped ? 0 : (real) (x->x[e] * scale);
        }
    }
}

static void load(Net *n, const int *cells, int B, int learn)
{
    size_t at = 0;
    n->in.n = B;
    n->cells = cells;
    n->learns = learn;
    for (int r = 0; r < B; r++) {
        n->in.p[r] = at;
        at += (size_t) (n->x->p[cells[r] + 1] - n->x->p[cells[r]]);
    }
    n->in.p[B] = at;
    sn_each(n, (size_t) B, load_rows);
    n->n_seen = (double) at;
    for (size_t k = 0; n->role && k < at; k++) n->n_seen -= n->what[k] == HELD;
    n->n_zero = (double) B * n->G - (double) at;
}

/* H1 of rows from..to-1 */
void sn_hidden(Net *n, size_t from, size_t to, const Room *room)
{
    size_t B = (size_t) n->in.n;
    (void) room;
    for (size_t q = 0; q < n->panels; q++) {
        real *h = n->h1 + q * B * PANEL;
        layer_sparse_in(&n->in, NULL, (int) from, (int) to,
                        n->w + n->part[W1].at + q * (size_t) n->G * PANEL,
                        n->w + n->part[B1].at + q * PANEL, h);
        act_selu(h + from * PANEL, (to - from) * PANEL);
    }
}

static void bias_rows(real *y, size_t rows, size_t ld, const real *bias, size_t n)
{
    for (size_t r = 0; r < rows; r++) memcpy(y + r * ld, bias, n * sizeof(real));
}

/* R of a block of genes */
void sn_block_outputs(const Net *n, size_t B, size_t block, real *out, real *scratch)
{
    size_t w = block_width(n->G, (int) block), g = block * GENE_BLOCK, G = (size_t) n->G;
    bias_rows(out, B, w, n->w + n->part[B2].at + g, w);
    for (size_t q = 0; q < n->panels; q++)
        gemm(0, 1, B, w, panel_width(n, q), n->h1 + q * B * PANEL, PANEL,
             n->w + n->part[W2].at + (q * G + g) * PANEL, PANEL, 1, out, w, scratch);
    act_relu(out, B * w);
}

/* XI of these blocks of genes, their share of A3, and the sums of squares. */
static void blocks_forward(Net *n, size_t from, size_t to, const Room *room)
{
    size_t B = (size_t) n->in.n;
    for (size_t b = from; b < to; b++) {
        size_t w = block_width(n->G, (int) b), g = b * GENE_BLOCK;
        real *xi = n->xi + g * B;
        double all = 0, seen = 0, filled = 0;
        sn_block_outputs(n, B, b, xi, room->scratch);
        for (size_t r = 0; r < B; r++) {
            real *row = xi + r * w;
            all += residual_square(row, w, 1);
            for (size_t k = rows_from(&n->in, (int) r, (int) g);
                 k < n->in.p[r + 1] && (size_t) n->in.i[k] < g + w; k++) {
                size_t j = (size_t) n->in.i[k] - g;
                double miss = (double) row[j] - (double) n->xs[k];
                n->r[k] = row[j];
                filled += (double) row[j] * (double) row[j];
                if (n->what[k] != HELD) seen += miss * miss;
                if (n->what[k] == SEEN) row[j] = n->xs[k];
            }
        }
        n->loss[2 * b] = seen;
        n->loss[2 * b + 1] = all - filled;
        real *part = n->parts + b * B * PANEL;
        memset(part, 0, B * PANEL * sizeof(real));
        gemm(0, 0, B, (size_t) n->judge, w, xi, w, n->w + n->part[W3].at + g * PANEL, PANEL, 1,
             part, PANEL, room->scratch);
    }
}

/* ---- the heads ---- */

static void similarity_rows(Net *n, size_t from, size_t to, const Room *room)
{
    similar_rows(&n->similar, from, to, n->p->w_similarity, room->row, n->dz);
}

/* Lc, and n->da: its gradient times its weight. row: room for K. */
static double clusters(Net *n, const int *cells, double *row)
{
    double loss = 0, share_of = (double) n->in.n * (n->p->cluster_loss == CATEGORICAL ? 1 : n->K);
    for (int r = 0; r < n->in.n; r++) {
        const real *a = n->logits + (size_t) r * (size_t) n->K;
        int c = n->plan->labels.at[cells[r]];
        loss += scinn_cell_loss((ClusterLoss) n->p->cluster_loss, a, n->K, c, row);
        real *da = n->da + (size_t) r * (size_t) n->K;
        for (int k = 0; k < n->K; k++) da[k] = (real) (n->p->w_cluster * row[k] / share_of);
    }
    return loss / share_of;
}

/* f_P from A3 (in h3) to Z and the logits */
static void judge_forward(Net *n, real *scratch)
{
    size_t B = (size_t) n->in.n, K = (size_t) n->K;
    const real *w = n->w;
    if (n->judge == Z)
        for (size_t r = 0; r < B; r++) memcpy(n->z + r * Z, n->h3 + r * PANEL, Z * sizeof(real));
    else {
        act_selu(n->h3, B * PANEL);
        bias_rows(n->z, B, Z, w + n->part[B4].at, Z);
        gemm(0, 0, B, Z, JUDGE, n->h3, PANEL, w + n->part[W4].at, Z, 1, n->z, Z, scratch);
    }
    bias_rows(n->logits, B, K, w + n->part[B5].at, K);
    gemm(0, 0, B, K, Z, n->z, Z, w + n->part[W5].at, K, 1, n->logits, K, scratch);
}

/* ---- held-out entries ---- */

static double held_out(const Net *n)
{
    double sum = 0;
    size_t B = (size_t) n->in.n;
    for (size_t r = 0; r < B; r++)
        for (size_t k = n->in.p[r]; k < n->in.p[r + 1]; k++) {
            if (n->what[k] != HELD) continue;
            int g = n->in.i[k];
            real y = n->w[n->part[B2].at + (size_t) g];
            for (size_t q = 0; q < n->panels; q++)
                panel_dots(&y, n->w + n->part[W2].at + q * (size_t) n->G * PANEL, &g, 1,
                           n->h1 + (q * B + r) * PANEL);
            y = y > 0 ? y : 0;
            sum += ((double) y - (double) n->xs[k]) * ((double) y - (double) n->xs[k]);
        }
    return sum;
}

Status sn_forward(void *self, const int *cells, int B, int learn, Losses *sum)
{
    Net *n = self;
    const SnParams *p = n->p;
    size_t blocks = (size_t) gene_blocks(n->G);
    double part[CURVES] = { 0 },
           weight[CURVES] = { p->w_cluster, p->w_similarity, p->w_reconstruction, p->w_zero };
    if (learn) {
        optim_next(&n->opt);
        n->bias_opt.t = n->opt.t; n->bias_opt.rate = n->opt.rate; n->bias_opt.root = n->opt.root;
    }
    load(n, cells, B, learn);
    sn_each(n, (size_t) B, sn_hidden);
    if (!learn) {
        if (n->n_held) sum->valid += held_out(n) / (double) n->n_held;
        return ST_OK;
    }
    sn_each(n, blocks, blocks_forward);
    for (size_t b = 0; b < blocks; b++) {
        part[2] += n->n_seen > 0 ? n->loss[2 * b] / (n->variance * n->n_seen) : 0;
        part[3] += n->n_zero > 0 ? n->loss[2 * b + 1] / (n->variance * n->n_zero) : 0;
    }
    bias_rows(n->h3, (size_t) B, PANEL, n->w + n->part[B3].at, PANEL);
    scinn_collect(n->h3, n->parts, blocks, (size_t) B * PANEL);
    judge_forward(n, n->room->scratch);
    similar_load(&n->similar, n->z, n->plan->units.at, cells, (size_t) B);
    sn_each(n, (size_t) B, similarity_rows);
    part[1] = similar_loss(&n->similar);
    memset(n->da, 0, (size_t) B * (size_t) n->K * sizeof(real));
    if (n->K > 1) part[0] = clusters(n, cells, n->room->row);
    for (int k = 0; k < CURVES; k++) {
        sum->part[k] += part[k] / n->batches;
        sum->train += weight[k] * part[k] / n->batches;
    }
    return ST_OK;
}
