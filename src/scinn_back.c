/* scINN's imputation network: the way back, with AdamW's steps on the way. */
#include <string.h>
#include "scinn_net.h"

KERNEL_FILE

static void step(const Net *n, const Optim *o, size_t at, const real *g, size_t len)
{
    optim_step(o, n->w + at, g, n->m + at, n->v + at, n->w + at, len);
}

/* dO of the zeros, from dXI */
LOCAL_FOR_CPUS(zero_sweep, (real *d, const real *xi, real zero, size_t n), (d, xi, zero, n), {
    for (size_t k = 0; k < n; k++) d[k] = xi[k] > 0 ? d[k] + zero * xi[k] : 0;
})

static void blocks_back(Net *n, size_t from, size_t to, const Room *room)
{
    size_t B = (size_t) n->in.n, G = (size_t) n->G, J = (size_t) n->judge;
    real seen = (real) (n->n_seen > 0 ? 2 * n->p->w_reconstruction / (n->variance * n->n_seen) : 0);
    real zero = (real) (n->n_zero > 0 ? 2 * n->p->w_zero / (n->variance * n->n_zero) : 0);
    for (size_t b = from; b < to; b++) {
        size_t w = block_width(n->G, (int) b), g = b * GENE_BLOCK, w3 = n->part[W3].at + g * PANEL;
        const real *xi = n->xi + g * B;
        real *d = room->out;
        gemm(0, 1, B, w, J, n->dh3, PANEL, n->w + w3, PANEL, 0, d, w, room->scratch);
        memset(room->grad, 0, w * PANEL * sizeof(real));
        gemm(1, 0, w, J, B, xi, w, n->dh3, PANEL, 0, room->grad, PANEL, room->scratch);
        step(n, &n->opt, w3, room->grad, w * PANEL);
        for (size_t r = 0; r < B; r++) {
            real *row = d + r * w;
            for (size_t k = rows_from(&n->in, (int) r, (int) g);
                 k < n->in.p[r + 1] && (size_t) n->in.i[k] < g + w; k++) {
                /* what the sweep below does not do to an entry is undone */
                size_t j = (size_t) n->in.i[k] - g;
                real at_entry = n->what[k] == SEEN ? 0 : row[j];
                if (n->what[k] != HELD) at_entry += seen * (n->r[k] - n->xs[k]);
                n->back[k] = n->r[k] > 0 ? at_entry : 0;
            }
        }
        zero_sweep(d, xi, zero, B * w);
        for (size_t r = 0; r < B; r++)
            for (size_t k = rows_from(&n->in, (int) r, (int) g);
                 k < n->in.p[r + 1] && (size_t) n->in.i[k] < g + w; k++)
                d[r * w + (size_t) n->in.i[k] - g] = n->back[k];
        memset(room->bias, 0, w * sizeof(real));
        scinn_collect(room->bias, d, B, w);
        step(n, &n->bias_opt, n->part[B2].at + g, room->bias, w);
        for (size_t q = 0; q < n->panels; q++) {
            size_t w2 = n->part[W2].at + (q * G + g) * PANEL, wide = panel_width(n, q);
            real *part = n->parts + (b * n->panels + q) * B * PANEL;
            memset(part, 0, B * PANEL * sizeof(real));
            gemm(0, 0, B, wide, w, d, w, n->w + w2, PANEL, 1, part, PANEL, room->scratch);
            memset(room->grad, 0, w * PANEL * sizeof(real));
            gemm(1, 0, w, wide, B, d, w, n->h1 + q * B * PANEL, PANEL, 0, room->grad, PANEL,
                 room->scratch);
            step(n, &n->opt, w2, room->grad, w * PANEL);
        }
    }
}

/* AdamW on W1 of genes from..to-1, in runs that stay in the cache */
static void first_back(Net *n, size_t from, size_t to, const Room *room)
{
    size_t B = (size_t) n->in.n, G = (size_t) n->G;
    for (size_t b = from; b < to; b++) {
        size_t w = block_width(n->G, (int) b), g = b * GENE_BLOCK;
        for (size_t q = 0; q < n->panels; q++) {
            panel_sums(room->grad, NULL, n->dh1 + q * B * PANEL, n->in_t.p + g, n->in_t.i,
                       n->in_t.x, w);
            step(n, &n->opt, n->part[W1].at + (q * G + g) * PANEL, room->grad, w * PANEL);
        }
    }
}

static void column_sums(real *sum, const real *x, size_t rows, size_t cols)
{
    memset(sum, 0, cols * sizeof *sum);
    scinn_collect(sum, x, rows, cols);
}

/* From da and dz of the similarity to dA3, with AdamW on W4, b4, W5, b5 and b3. */
static void judge_back(Net *n, const Room *room)
{
    size_t B = (size_t) n->in.n, K = (size_t) n->K, w4 = n->part[W4].at, w5 = n->part[W5].at;
    real *g = room->grad, *bias = room->bias;
    gemm(0, 1, B, Z, K, n->da, K, n->w + w5, K, 1, n->dz, Z, room->scratch);
    gemm(1, 0, Z, K, B, n->z, Z, n->da, K, 0, n->parts, K, room->scratch);
    step(n, &n->opt, w5, n->parts, Z * K);
    column_sums(n->parts, n->da, B, K);
    step(n, &n->bias_opt, n->part[B5].at, n->parts, K);
    memset(n->dh3, 0, B * PANEL * sizeof(real));
    if (n->judge == Z)
        for (size_t r = 0; r < B; r++) memcpy(n->dh3 + r * PANEL, n->dz + r * Z, Z * sizeof(real));
    else {
        gemm(0, 1, B, JUDGE, Z, n->dz, Z, n->w + w4, Z, 0, n->dh3, PANEL, room->scratch);
        act_selu_back(n->h3, n->dh3, B * PANEL);
        gemm(1, 0, JUDGE, Z, B, n->h3, PANEL, n->dz, Z, 0, g, Z, room->scratch);
        step(n, &n->opt, w4, g, JUDGE * Z);
        column_sums(bias, n->dz, B, Z);
        step(n, &n->bias_opt, n->part[B4].at, bias, Z);
    }
    column_sums(bias, n->dh3, B, PANEL);
    step(n, &n->bias_opt, n->part[B3].at, bias, PANEL);
}

void sn_update(void *self, int keep)
{
    Net *n = self;
    size_t B = (size_t) n->in.n, blocks = (size_t) gene_blocks(n->G);
    (void) keep;
    judge_back(n, n->room);
    sn_each(n, blocks, blocks_back);
    memset(n->dh1, 0, n->panels * B * PANEL * sizeof(real));
    scinn_collect(n->dh1, n->parts, blocks, n->panels * B * PANEL);
    act_selu_back(n->h1, n->dh1, n->panels * B * PANEL);
    rows_transpose(&n->in, n->G, &n->in_t, n->from);
    sn_each(n, blocks, first_back);
    for (size_t q = 0; q < n->panels; q++) {
        column_sums(n->room->bias, n->dh1 + q * B * PANEL, B, PANEL);
        step(n, &n->bias_opt, n->part[B1].at + q * PANEL, n->room->bias, PANEL);
    }
}
