/* AutoImpute: a block of cells through the autoencoder, there and back. */
#include <string.h>
#include "autoimpute.h"

/* Above this share of non-zeros gemm() is faster than the kernels on the non-zeros
 * (bench/README.md). */
static const double DENSE_ABOVE = 0.5;
/* Bytes of scratch a block of cells may take. */
static const double BLOCK_BYTES = 48e6;

static double density(const Sparse *x)
{
    return x->nrow && x->ncol ? x->p[x->ncol] / ((double) x->nrow * x->ncol) : 0;
}

/* How many cells of x go through at once, and whether by gemm(). */
static void plan_block(const AiParams *p, const Sparse *x, Block *b)
{
    int longest = 1;
    for (int c = 0; c < x->ncol; c++)
        if (x->p[c + 1] - x->p[c] > longest) longest = x->p[c + 1] - x->p[c];
    b->dense = p->arithmetic == ARITHMETIC_DENSE
               || (p->arithmetic == ARITHMETIC_AUTO && density(x) > DENSE_ABOVE);
    double each = 2.0 * sizeof(real) * (double) (b->l.panels * PANEL) + 44.0 * longest
                + (b->dense ? 2.0 * sizeof(real) * (double) b->l.genes : 0);
    double cells = p->block_cells ? p->block_cells : BLOCK_BYTES / each;
    if (!p->block_cells && cells < 32) cells = 32;
    b->cap = cells < x->ncol ? (int) cells : x->ncol;
    if (b->cap < 1) b->cap = 1;
}

void ai_take_block(Arena *a, const AiParams *p, const Sparse *x, int threads, int learn, Block *b)
{
    b->x = x;
    b->threads = threads;
    plan_block(p, x, b);
    size_t cap = (size_t) b->cap, width = b->l.panels * PANEL, most = 0;
    for (int c = 0; c < x->ncol; c++) {
        size_t here = (size_t) (x->p[c + 1] - x->p[c]);
        if (here > most) most = here;
    }
    size_t entries = cap * most < (size_t) x->p[x->ncol] ? cap * most : (size_t) x->p[x->ncol];
    rows_take(a, &b->seen, cap, entries);
    b->h = ARENA(a, real, cap * width);
    if (b->dense || !learn) {
        b->xd = ARENA(a, real, b->dense ? cap * b->l.genes : 0);
        b->yd = ARENA(a, real, cap * b->l.genes);
        b->scratch = ARENA(a, real, (size_t) threads * GEMM_SCRATCH);
    }
    if (!learn) return;
    rows_take(a, &b->held, cap, entries);
    b->y = ARENA(a, real, entries);
    b->y_held = ARENA(a, real, entries);
    b->sse = ARENA(a, double, cap);
    b->sse_held = ARENA(a, double, cap);
    b->dp = ARENA(a, real, cap * width);
}

void ai_load_block(Block *b, const int *cells, int n)
{
    size_t s = 0, h = 0;
    b->n = b->seen.n = b->held.n = n;
    for (int r = 0; r < n; r++) {
        int c = cells ? cells[r] : r;
        for (int k = b->x->p[c]; k < b->x->p[c + 1]; k++)
            if (ai_is_held(b, (size_t) k)) {
                b->held.i[h] = b->x->i[k];
                b->held.x[h++] = (real) b->x->x[k];
            } else {
                b->seen.i[s] = b->x->i[k];
                b->seen.x[s++] = (real) b->x->x[k];
            }
        b->seen.p[r + 1] = s;
        if (b->held.p) b->held.p[r + 1] = h;
    }
    if (!b->dense) return;
    memset(b->xd, 0, (size_t) n * b->l.genes * sizeof(real));
    for (int r = 0; r < n; r++)
        for (size_t k = b->seen.p[r]; k < b->seen.p[r + 1]; k++)
            b->xd[(size_t) r * b->l.genes + (size_t) b->seen.i[k]] = b->seen.x[k];
}

/* Hidden units of cells r0..r1-1 in panel q. */
void ai_encode(Block *b, const real *w, size_t q, int r0, int r1, real *scratch)
{
    const Layout *l = &b->l;
    const real *slab = w + l->e + q * l->genes * PANEL, *bias = w + l->be + q * PANEL;
    real *h = b->h + q * (size_t) b->cap * PANEL + (size_t) r0 * PANEL;
    size_t n = (size_t) (r1 - r0), used = ai_used(l, q);
    if (b->dense) {
        for (size_t r = 0; r < n; r++) memcpy(h + r * PANEL, bias, PANEL * sizeof(real));
        gemm(0, 0, n, PANEL, l->genes, b->xd + (size_t) r0 * l->genes, l->genes, slab, PANEL, 1, h,
             PANEL, scratch);
    } else
        layer_sparse_in(&b->seen, NULL, r0, r1, slab, bias, h - (size_t) r0 * PANEL);
    act_sigmoid(h, n * PANEL);
    if (used < PANEL)         /* units that do not exist stay 0, and so do their weights */
        for (size_t r = 0; r < n; r++)
            memset(h + r * PANEL + used, 0, (PANEL - used) * sizeof(real));
}

/* All genes of cells r0..r1-1 into yd, without b_d. */
void ai_decode_all(Block *b, const real *w, size_t q, int r0, int r1, real *scratch)
{
    const Layout *l = &b->l;
    size_t used = ai_used(l, q);
    gemm(0, 1, (size_t) (r1 - r0), l->genes, used,
         b->h + q * (size_t) b->cap * PANEL + (size_t) r0 * PANEL, PANEL,
         w + l->d + q * l->genes * PANEL, PANEL, q > 0, b->yd + (size_t) r0 * l->genes, l->genes,
         scratch);
}

/* Losses of cells r0..r1-1 from the products in y; y becomes dL/dY at the seen entries. */
static void losses(Block *b, const real *bd, int r0, int r1)
{
    const Rows *lists[2] = { &b->seen, &b->held };
    real *outs[2] = { b->y, b->y_held };
    double *sums[2] = { b->sse, b->sse_held };
    for (int s = 0; s < 2; s++)
        for (int r = r0; r < r1; r++) {
            const Rows *at = lists[s];
            size_t from = at->p[r], n = at->p[r + 1] - from;
            real *y = outs[s] + from;
            const real *row = b->dense ? b->yd + (size_t) r * b->l.genes : NULL;
            for (size_t k = 0; k < n; k++)
                y[k] = (row ? row[at->i[from + k]] : y[k]) + bd[at->i[from + k]];
            sums[s][r] = loss_squared(y, at->x + from, n, s ? NULL : y);
        }
}

/* dL/dY as a dense matrix. */
static void spread(Block *b, int r0, int r1)
{
    for (int r = r0; r < r1; r++) {
        real *row = b->yd + (size_t) r * b->l.genes;
        memset(row, 0, b->l.genes * sizeof(real));
        for (size_t k = b->seen.p[r]; k < b->seen.p[r + 1]; k++) row[b->seen.i[k]] = b->y[k];
    }
}

static void forward_cells(Block *b, const real *w, int r0, int r1, real *scratch)
{
    const Layout *l = &b->l;
    const Rows *lists[2] = { &b->seen, &b->held };
    real *outs[2] = { b->y, b->y_held };
    for (int s = 0; s < 2; s++)
        memset(outs[s] + lists[s]->p[r0], 0, (lists[s]->p[r1] - lists[s]->p[r0]) * sizeof(real));
    for (size_t q = 0; q < l->panels; q++) {
        ai_encode(b, w, q, r0, r1, scratch);
        if (b->dense) ai_decode_all(b, w, q, r0, r1, scratch);
        else
            for (int s = 0; s < 2; s++)
                layer_sampled_out(lists[s], r0, r1, w + l->d + q * l->genes * PANEL,
                                  b->h + q * (size_t) b->cap * PANEL, outs[s]);
    }
    losses(b, w + l->bd, r0, r1);
    if (b->dense) spread(b, r0, r1);
}

void ai_forward_block(Block *b, const real *w)
{
    PARALLEL_FOR(b->threads)
    for (int t = 0; t < b->threads; t++) {
        size_t r0, r1;
        share((size_t) b->n, t, b->threads, &r0, &r1);
        if (r0 < r1)
            forward_cells(b, w, (int) r0, (int) r1,
                          b->dense ? b->scratch + (size_t) t * GEMM_SCRATCH : NULL);
    }
}

/* dL/dP of the block. */
void ai_backward_block(Block *b, const real *w)
{
    const Layout *l = &b->l;
    PARALLEL_FOR(b->threads)
    for (int t = 0; t < b->threads; t++) {
        size_t r0, r1;
        share((size_t) b->n, t, b->threads, &r0, &r1);
        for (size_t q = 0; q < l->panels && r0 < r1; q++) {
            const real *slab = w + l->d + q * l->genes * PANEL;
            real *h = b->h + q * (size_t) b->cap * PANEL, *dp = b->dp + q * (size_t) b->cap * PANEL;
            if (b->dense)
                gemm(0, 0, r1 - r0, PANEL, l->genes, b->yd + r0 * l->genes, l->genes, slab, PANEL,
                     0, dp + r0 * PANEL, PANEL, b->scratch + (size_t) t * GEMM_SCRATCH);
            else
                layer_sparse_in(&b->seen, b->y, (int) r0, (int) r1, slab, NULL, dp);
            act_sigmoid_back(h + r0 * PANEL, dp + r0 * PANEL, (r1 - r0) * PANEL);
        }
    }
}
