/* AutoImpute: an over-complete autoencoder with one hidden layer, fitted to the non-zeros of the log matrix.
 * Talwar, Mongia, Sengupta, Majumdar, "AutoImpute: autoencoder based imputation of single-cell RNA-seq data",
 * Scientific Reports 8:16329 (2018), eq. 8 and 9.
 *
 *   P = E'X + b_e,  H = logistic(P),  Y = D'H + b_d                  X, Y: genes x cells, E: genes x hidden, D: hidden x genes
 *   L = sum over Omega (Y - X)^2 + lambda/2 (|E|^2 + |D|^2)          Omega: the non-zeros of X
 *   dY = 2 (Y - X) on Omega;  dD = H dY' + lambda D;  dP = (D dY) H (1 - H);  dE = X dP' + lambda E;  db = row sums
 *   RMSProp with TensorFlow 1's constants, one step on all cells per iteration.
 *
 * Deviations, and why (paper versus reference code: the model's help page, section Details):
 *   biases           the paper's equations have none, its code has both: on; without b_d the decoder has no intercept
 *   initialisation   "random normal" with no width in the paper, 1 in its code: 1/sqrt(genes) and 1/sqrt(hidden), biases 0;
 *                    width 1 saturates 97 % of the units and leaves its noise at every unobserved entry (init = "reference")
 *   stop             the change of the loss in the paper: a held-out 5 % of the non-zeros, best weights kept, because the
 *                    paper's rule overfits or fires by chance (stop = "paper")
 *   batches          all cells, as in both; batch.size is an extension, its penalty scaled by batch/cells
 *
 * Arithmetic: everything that the loss asks for is spent on the non-zeros (10 n hidden operations an iteration instead of
 * 10 genes cells hidden); cells go through in blocks, so memory does not grow with them. Where the matrix is dense the
 * same sums run through gemm(); only Y's are then added in another order.
 */
#include <math.h>
#include <string.h>
#include "nn.h"

typedef struct {
    Train train;
    double lambda;
    int hidden, init, init_bias, bias, arithmetic, block_cells;
} Params;

enum { INIT_SCALED, INIT_REFERENCE };
enum { ARITHMETIC_AUTO, ARITHMETIC_SPARSE, ARITHMETIC_DENSE };

static const Field fields[] = {
    TRAIN_FIELDS(Params, train),
    { "hidden",      P_INT,    offsetof(Params, hidden),      1, 1e6, NULL },
    { "lambda",      P_REAL,   offsetof(Params, lambda),      0, 1e9, NULL },
    { "init",        P_CHOICE, offsetof(Params, init),        0, 0, "scaled|reference" },
    { "init.bias",   P_CHOICE, offsetof(Params, init_bias),   0, 0, "zero|mean" },
    { "bias",        P_FLAG,   offsetof(Params, bias),        0, 1, NULL },
    { "arithmetic",  P_CHOICE, offsetof(Params, arithmetic),  0, 0, "auto|sparse|dense" },
    { "block.cells", P_INT,    offsetof(Params, block_cells), 0, 1e9, NULL },
    { NULL, P_END, 0, 0, 0, NULL }
};

/* Above this share of non-zeros gemm() is faster than the kernels on the non-zeros (bench/README.md). */
static const double DENSE_ABOVE = 0.5;
/* Bytes of scratch a block of cells may take. */
static const double BLOCK_BYTES = 48e6;

typedef struct {
    size_t genes, hidden, panels;
    size_t e, d, be, bd, n;              /* where each parameter starts in a weight vector of n: E and D in panels */
} Layout;

static Layout layout_of(int genes, int hidden)
{
    Layout l = { (size_t) genes, (size_t) hidden, panels_of(hidden), 0, 0, 0, 0, 0 };
    l.d = l.genes * l.panels * PANEL;
    l.be = 2 * l.d;
    l.bd = l.be + l.panels * PANEL;
    l.n = l.bd + l.genes;
    return l;
}

/* natural layout of the fit: E (genes x hidden), D (hidden x genes), b_e, b_d, as R stores them */
static void to_natural(const Layout *l, const real *w, double *out)
{
    size_t G = l->genes, h = l->hidden;
    for (size_t k = 0; k < h; k++)
        for (size_t g = 0; g < G; g++) {
            out[g + k * G] = w[l->e + panel_at(G, g, k)];
            out[G * h + k + g * h] = w[l->d + panel_at(G, g, k)];
        }
    for (size_t k = 0; k < h; k++) out[2 * G * h + k] = w[l->be + k];
    for (size_t g = 0; g < G; g++) out[2 * G * h + h + g] = w[l->bd + g];
}

static void from_natural(const Layout *l, const double *in, real *w)
{
    size_t G = l->genes, h = l->hidden;
    for (size_t k = 0; k < h; k++)
        for (size_t g = 0; g < G; g++) {
            w[l->e + panel_at(G, g, k)] = (real) in[g + k * G];
            w[l->d + panel_at(G, g, k)] = (real) in[G * h + k + g * h];
        }
    for (size_t k = 0; k < h; k++) w[l->be + k] = (real) in[2 * G * h + k];
    for (size_t g = 0; g < G; g++) w[l->bd + g] = (real) in[2 * G * h + h + g];
}

/* ---- a block of cells ---- */

typedef struct {
    const Sparse *x;
    Layout l;
    int threads, dense, cap;             /* cap: cells a block may have */
    const uint8_t *held_bit;             /* entries held out, one bit each; NULL: none */
    int n;                               /* cells in the block now */
    Rows seen, held;                     /* their entries */
    real *y, *y_held;                    /* outputs at those entries; y becomes dL/dy */
    double *sse, *sse_held;              /* per cell */
    real *h, *dp;                        /* panels: hidden units and their gradient, one row per cell */
    real *xd, *yd;                       /* dense: cap x genes */
    real *scratch;                       /* dense: GEMM_SCRATCH for every thread */
} Block;

static int is_held(const Block *b, size_t k) { return b->held_bit && b->held_bit[k >> 3] >> (k & 7) & 1; }

static double density(const Sparse *x)
{
    return x->nrow && x->ncol ? x->p[x->ncol] / ((double) x->nrow * x->ncol) : 0;
}

/* How many cells of x go through at once, and whether by gemm(). */
static void plan_block(const Params *p, const Sparse *x, Block *b)
{
    int longest = 1;
    for (int c = 0; c < x->ncol; c++)
        if (x->p[c + 1] - x->p[c] > longest) longest = x->p[c + 1] - x->p[c];
    b->dense = p->arithmetic == ARITHMETIC_DENSE || (p->arithmetic == ARITHMETIC_AUTO && density(x) > DENSE_ABOVE);
    double each = 2.0 * sizeof(real) * (double) (b->l.panels * PANEL) + 44.0 * longest
                + (b->dense ? 2.0 * sizeof(real) * (double) b->l.genes : 0);
    double cells = p->block_cells ? p->block_cells : BLOCK_BYTES / each;
    if (!p->block_cells && cells < 32) cells = 32;
    b->cap = cells < x->ncol ? (int) cells : x->ncol;
    if (b->cap < 1) b->cap = 1;
}

static void take_block(Arena *a, const Params *p, const Sparse *x, int threads, int learn, Block *b)
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

static void load_block(Block *b, const int *cells, int n)
{
    size_t s = 0, h = 0;
    b->n = b->seen.n = b->held.n = n;
    for (int r = 0; r < n; r++) {
        int c = cells ? cells[r] : r;
        for (int k = b->x->p[c]; k < b->x->p[c + 1]; k++)
            if (is_held(b, (size_t) k)) { b->held.i[h] = b->x->i[k]; b->held.x[h++] = (real) b->x->x[k]; }
            else { b->seen.i[s] = b->x->i[k]; b->seen.x[s++] = (real) b->x->x[k]; }
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
static void encode(Block *b, const real *w, size_t q, int r0, int r1, real *scratch)
{
    const Layout *l = &b->l;
    const real *slab = w + l->e + q * l->genes * PANEL, *bias = w + l->be + q * PANEL;
    real *h = b->h + q * (size_t) b->cap * PANEL + (size_t) r0 * PANEL;
    size_t n = (size_t) (r1 - r0), used = l->hidden - q * PANEL < PANEL ? l->hidden - q * PANEL : PANEL;
    if (b->dense) {
        for (size_t r = 0; r < n; r++) memcpy(h + r * PANEL, bias, PANEL * sizeof(real));
        gemm(0, 0, n, PANEL, l->genes, b->xd + (size_t) r0 * l->genes, l->genes, slab, PANEL, 1, h, PANEL, scratch);
    } else
        layer_sparse_in(&b->seen, NULL, r0, r1, slab, bias, h - (size_t) r0 * PANEL);
    act_sigmoid(h, n * PANEL);
    if (used < PANEL)         /* units that do not exist stay 0, and so do their weights */
        for (size_t r = 0; r < n; r++) memset(h + r * PANEL + used, 0, (PANEL - used) * sizeof(real));
}

/* All genes of cells r0..r1-1 into yd, without b_d. */
static void decode_all(Block *b, const real *w, size_t q, int r0, int r1, real *scratch)
{
    const Layout *l = &b->l;
    size_t used = l->hidden - q * PANEL < PANEL ? l->hidden - q * PANEL : PANEL;
    gemm(0, 1, (size_t) (r1 - r0), l->genes, used, b->h + q * (size_t) b->cap * PANEL + (size_t) r0 * PANEL, PANEL,
         w + l->d + q * l->genes * PANEL, PANEL, q > 0, b->yd + (size_t) r0 * l->genes, l->genes, scratch);
}

/* The block's losses at weights w; afterwards y holds dL/dY at the seen entries. */
static void forward_block(Block *b, const real *w)
{
    const Layout *l = &b->l;
    const real *bd = w + l->bd;
    PARALLEL_FOR(b->threads)
    for (int t = 0; t < b->threads; t++) {
        size_t f0, f1;
        share((size_t) b->n, t, b->threads, &f0, &f1);
        int r0 = (int) f0, r1 = (int) f1;
        real *scratch = b->dense ? b->scratch + (size_t) t * GEMM_SCRATCH : NULL;
        Rows *lists[2] = { &b->seen, &b->held };
        real *outs[2] = { b->y, b->y_held };
        double *sums[2] = { b->sse, b->sse_held };
        if (r0 == r1) continue;
        for (int s = 0; s < 2; s++)
            memset(outs[s] + lists[s]->p[r0], 0, (lists[s]->p[r1] - lists[s]->p[r0]) * sizeof(real));
        for (size_t q = 0; q < l->panels; q++) {
            encode(b, w, q, r0, r1, scratch);
            if (b->dense) decode_all(b, w, q, r0, r1, scratch);
            else
                for (int s = 0; s < 2; s++)
                    layer_sampled_out(lists[s], r0, r1, w + l->d + q * l->genes * PANEL,
                                      b->h + q * (size_t) b->cap * PANEL, outs[s]);
        }
        for (int s = 0; s < 2; s++)
            for (int r = r0; r < r1; r++) {
                const Rows *at = lists[s];
                size_t from = at->p[r], n = at->p[r + 1] - from;
                real *y = outs[s] + from;
                for (size_t k = 0; k < n; k++)
                    y[k] = (b->dense ? b->yd[(size_t) r * l->genes + (size_t) at->i[from + k]] : y[k]) + bd[at->i[from + k]];
                sums[s][r] = loss_squared(y, at->x + from, n, s ? NULL : y);
            }
        if (b->dense)
            for (int r = r0; r < r1; r++) {
                real *row = b->yd + (size_t) r * l->genes;
                memset(row, 0, l->genes * sizeof(real));
                for (size_t k = b->seen.p[r]; k < b->seen.p[r + 1]; k++) row[b->seen.i[k]] = b->y[k];
            }
    }
}

/* dL/dP of the block. */
static void backward_block(Block *b, const real *w)
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
                gemm(0, 0, r1 - r0, PANEL, l->genes, b->yd + r0 * l->genes, l->genes, slab, PANEL, 0, dp + r0 * PANEL, PANEL,
                     b->scratch + (size_t) t * GEMM_SCRATCH);
            else
                layer_sparse_in(&b->seen, b->y, (int) r0, (int) r1, slab, NULL, dp);
            act_sigmoid_back(h + r0 * PANEL, dp + r0 * PANEL, (r1 - r0) * PANEL);
        }
    }
}

/* ---- training ---- */

typedef struct {
    const Params *p;
    const Fit *f;
    Block b;
    Optim opt;
    real *cur, *spare, *s, *grad;        /* grad: NULL while one block holds all cells, gradients are then never stored */
    Rows by_gene;                        /* the block's entries gene by gene */
    size_t *entry;
    real *dy_by_gene, *slabs;            /* slabs: dense only, 2 genes x PANEL for every thread */
    double *squares;                     /* |E|^2 + |D|^2 by panel and gene, for the penalty */
    int first, n_batch;                  /* is this the first block of its batch; cells in the batch */
} Auto;

/* Add gradient row acc (PANEL values, already summed over this block) to the store, or make the step. */
static void finish_row(Auto *m, size_t at, const real *acc, double decay, int last, real *to)
{
    if (!last) { memcpy(m->grad + at, acc, PANEL * sizeof(real)); return; }
    Optim o = m->opt;
    o.decay = decay;
    optim_step(&o, m->cur + at, acc, m->s + at, NULL, to + at, PANEL);
}

static void start_row(const Auto *m, size_t at, real *acc)
{
    if (m->first) memset(acc, 0, PANEL * sizeof(real)); else memcpy(acc, m->grad + at, PANEL * sizeof(real));
}

static double square_of(const real *row)
{
    int zero = 0;
    real y = 0;
    panel_dots(&y, row, &zero, 1, row);
    return (double) y;
}

/* Gradients of panel q for genes g0..g1-1, and with last set the step into `to`. */
static void panel_gradient(Auto *m, size_t q, size_t g0, size_t g1, real *slab, real *scratch, int last, real *to)
{
    const Layout *l = &m->b.l;
    const real *h = m->b.h + q * (size_t) m->b.cap * PANEL, *dp = m->b.dp + q * (size_t) m->b.cap * PANEL;
    size_t G = l->genes, n = (size_t) m->b.n;
    double decay = m->p->lambda * m->n_batch / m->b.x->ncol;
    if (m->b.dense)
        for (int side = 0; side < 2; side++) {
            real *rows = slab + (size_t) side * G * PANEL;
            for (size_t g = g0; g < g1; g++) start_row(m, (side ? l->d : l->e) + q * G * PANEL + g * PANEL, rows + g * PANEL);
            gemm(1, 0, g1 - g0, PANEL, n, (side ? m->b.yd : m->b.xd) + g0, G, side ? h : dp, PANEL, 1, rows + g0 * PANEL,
                 PANEL, scratch);
        }
    for (size_t g = g0; g < g1; g++) {
        size_t from = m->by_gene.p[g], count = m->by_gene.p[g + 1] - from;
        for (int side = 0; side < 2; side++) {
            size_t at = (side ? l->d : l->e) + q * G * PANEL + g * PANEL;
            real local[PANEL], *acc = local;
            if (m->b.dense) acc = slab + ((size_t) side * G + g) * PANEL;
            else {
                start_row(m, at, acc);
                panel_gather(acc, side ? h : dp, m->by_gene.i + from, (side ? m->dy_by_gene : m->by_gene.x) + from, count);
            }
            finish_row(m, at, acc, decay, last, to);
        }
        if (last && m->p->lambda > 0)
            m->squares[q * G + g] = square_of(to + l->e + (q * G + g) * PANEL) + square_of(to + l->d + (q * G + g) * PANEL);
    }
    if (g0 > 0) return;
    real acc[PANEL];
    size_t at = l->be + q * PANEL;
    start_row(m, at, acc);
    for (size_t r = 0; r < n; r++)
        for (int j = 0; j < PANEL; j++) acc[j] += dp[r * PANEL + (size_t) j];
    if (!m->p->bias) memset(acc, 0, sizeof acc);
    finish_row(m, at, acc, 0, last, to);
}

/* Everything behind forward_block(): gradients of this block, and the step when it is the last of its batch. */
static void learn_block(Auto *m, int last, real *to)
{
    const Layout *l = &m->b.l;
    backward_block(&m->b, m->cur);
    rows_transpose(&m->b.seen, (int) l->genes, &m->by_gene, m->entry);
    for (size_t k = 0; k < m->by_gene.p[l->genes]; k++) m->dy_by_gene[k] = m->b.y[m->entry[k]];
    /* few panels are cut by genes as well, so that every thread has work; the sums do not know */
    size_t parts = l->panels < 8 * (size_t) m->b.threads ? 8 : 1, tasks = l->panels * parts;
    PARALLEL_FOR(m->b.threads)
    for (int t = 0; t < m->b.threads; t++) {
        size_t k0, k1;
        share(tasks, t, m->b.threads, &k0, &k1);
        for (size_t k = k0; k < k1; k++) {
            size_t g0 = l->genes * (k % parts) / parts, g1 = l->genes * (k % parts + 1) / parts;
            if (g0 < g1)
                panel_gradient(m, k / parts, g0, g1, m->b.dense ? m->slabs + (size_t) t * 2 * l->genes * PANEL : NULL,
                               m->b.dense ? m->b.scratch + (size_t) t * GEMM_SCRATCH : NULL, last, to);
        }
    }
    for (size_t g = 0; g < l->genes; g++) {
        real acc = m->first ? 0 : m->grad[l->bd + g];
        for (size_t k = m->by_gene.p[g]; k < m->by_gene.p[g + 1]; k++) acc += m->dy_by_gene[k];
        if (!m->p->bias) acc = 0;
        size_t at = l->bd + g;
        if (last) optim_step(&m->opt, m->cur + at, &acc, m->s + at, NULL, to + at, 1);
        else m->grad[at] = acc;
    }
    m->first = 0;
}

static Status forward(void *self, const int *cells, int n, int learn, Losses *sum)
{
    Auto *m = self;
    m->first = 1;
    m->n_batch = n;
    for (int c = 0; c < n; c += m->b.cap) {
        int last = c + m->b.cap >= n;
        load_block(&m->b, cells + c, last ? n - c : m->b.cap);
        forward_block(&m->b, m->cur);
        for (int r = 0; r < m->b.n; r++) { sum->train += m->b.sse[r]; sum->valid += m->b.sse_held[r]; }
        if (learn && !last) learn_block(m, 0, NULL);
        tick_idle(m->f->tick);
    }
    double squares = 0;
    for (size_t k = 0; k < m->b.l.genes * m->b.l.panels; k++) squares += m->squares[k];
    sum->penalty += 0.5 * m->p->lambda * squares * n / m->b.x->ncol;
    return ST_OK;
}

static void update(void *self, int keep)
{
    Auto *m = self;
    real *to = keep ? m->spare : m->cur;       /* the best weights stay where they are, the step goes beside them */
    learn_block(m, 1, to);
    if (keep) { m->spare = m->cur; m->cur = to; }
}

static void keep_best(void *self)
{
    Auto *m = self;
    memcpy(m->spare, m->cur, m->b.l.n * sizeof(real));
}

/* ---- start ---- */

static void hold_out(const Params *p, const Fit *f, uint8_t *bit)
{
    uint64_t n = (uint64_t) f->x.p[f->x.ncol], left = (uint64_t) (p->train.valid_fraction * (double) n);
    if (!left && n > 1) left = 1;
    for (uint64_t k = 0; k < n && left; k++)
        if (rng_choose(f->seed, RNG_HOLD_OUT, k, n, &left)) bit[k >> 3] |= (uint8_t) (1u << (k & 7));
}

/* sums, counts: genes each */
static void initialise(const Params *p, const Fit *f, const Block *b, real *w, double *sums, int *counts)
{
    const Layout *l = &b->l;
    int scaled = p->init == INIT_SCALED;
    double sd_e = scaled ? 1 / sqrt((double) l->genes) : 1, sd_d = scaled ? 1 / sqrt((double) l->hidden) : 1;
    PARALLEL_FOR(f->threads)
    for (size_t g = 0; g < l->genes; g++)
        for (size_t k = 0; k < l->hidden; k++) {
            uint64_t at = (uint64_t) g * l->hidden + k;
            w[l->e + panel_at(l->genes, g, k)] = (real) (sd_e * rng_normal(f->seed, RNG_INIT_1, at));
            w[l->d + panel_at(l->genes, g, k)] = (real) (sd_d * rng_normal(f->seed, RNG_INIT_2, at));
        }
    if (!p->bias) return;
    if (!scaled) {
        for (size_t k = 0; k < l->hidden; k++) w[l->be + k] = (real) rng_normal(f->seed, RNG_INIT_3, k);
        for (size_t g = 0; g < l->genes; g++) w[l->bd + g] = (real) rng_normal(f->seed, RNG_INIT_4, g);
    }
    if (!p->init_bias) return;
    for (int k = 0; k < f->x.p[f->x.ncol]; k++)
        if (!is_held(b, (size_t) k)) { sums[f->x.i[k]] += f->x.x[k]; counts[f->x.i[k]]++; }
    for (size_t g = 0; g < l->genes; g++)
        if (counts[g]) w[l->bd + g] = (real) (sums[g] / counts[g]);
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    const Params *p = params;
    Auto m = { .p = p, .f = f, .opt = { OPT_RMSPROP, p->train.learning_rate, 0, 0, 0, 0, 0 } };
    Layout *l = &m.b.l;
    *l = layout_of(f->x.nrow, p->hidden);
    take_block(a, p, &f->x, f->threads, 1, &m.b);
    size_t entries = (size_t) f->x.p[f->x.ncol], in_block = (size_t) m.b.cap;
    int one_block = m.b.cap >= f->x.ncol || (p->train.batch_size && p->train.batch_size <= m.b.cap);
    m.cur = ARENA(a, real, l->n);
    m.spare = p->train.stop == STOP_VALIDATION ? ARENA(a, real, l->n) : NULL;
    m.s = ARENA(a, real, l->n);
    m.grad = one_block ? NULL : ARENA(a, real, l->n);
    uint8_t *bit = p->train.stop == STOP_VALIDATION ? ARENA(a, uint8_t, entries / 8 + 1) : NULL;
    int longest = sparse_longest(&f->x);
    in_block = in_block * (size_t) longest < entries ? in_block * (size_t) longest : entries;
    rows_take(a, &m.by_gene, l->genes, in_block);
    m.entry = ARENA(a, size_t, in_block);
    m.dy_by_gene = ARENA(a, real, in_block);
    m.slabs = m.b.dense ? ARENA(a, real, (size_t) f->threads * 2 * l->genes * PANEL) : NULL;
    m.squares = ARENA(a, double, l->genes * l->panels);
    double *sums = ARENA(a, double, l->genes);
    int *counts = ARENA(a, int, l->genes);
    if (a->failed) return ST_NOMEM;

    if (bit) { hold_out(p, f, bit); m.b.held_bit = bit; }
    if (f->h->done) {
        size_t natural = (size_t) 2 * l->genes * l->hidden + l->hidden + l->genes;
        from_natural(l, f->state, m.cur);
        optim_start(OPT_RMSPROP, m.s, l->n);
        from_natural(l, f->state + natural, m.s);
        if (m.spare) from_natural(l, f->weights, m.spare);
    } else {
        initialise(p, f, &m.b, m.cur, sums, counts);
        optim_start(OPT_RMSPROP, m.s, l->n);
    }
    if (p->lambda > 0)
        for (size_t k = 0; k < l->genes * l->panels; k++)
            m.squares[k] = square_of(m.cur + l->e + k * PANEL) + square_of(m.cur + l->d + k * PANEL);

    Network net = { &m, forward, update, keep_best, NULL };
    Crew crew = { .nets = &net, .n_nets = 1, .n_cells = f->x.ncol, .keep_best = 1 };
    Status st = nn_train(a, &p->train, &crew, f);
    if (st) return st;
    to_natural(l, m.spare ? m.spare : m.cur, f->weights);
    if (f->want_state) {
        size_t natural = (size_t) 2 * l->genes * l->hidden + l->hidden + l->genes;
        to_natural(l, m.cur, f->state);
        to_natural(l, m.s, f->state + natural);
    }
    return ST_OK;
}

static Status predict(Arena *a, const void *params, const Predict *job)
{
    const Params *p = params;
    const Sparse *x = &job->x;
    int threads = job->threads;
    Block b = { .l = layout_of(x->nrow, p->hidden) };
    const Layout *l = &b.l;
    real *w = ARENA(a, real, l->n);
    take_block(a, p, x, threads, 0, &b);
    int *cells = ARENA(a, int, b.cap);
    if (a->failed) return ST_NOMEM;
    from_natural(l, job->weights, w);
    for (int c = 0; c < x->ncol; c += b.cap) {
        int n = c + b.cap < x->ncol ? b.cap : x->ncol - c;
        for (int r = 0; r < n; r++) cells[r] = c + r;
        load_block(&b, cells, n);
        PARALLEL_FOR(threads)
        for (int t = 0; t < threads; t++) {
            size_t r0, r1;
            share((size_t) n, t, threads, &r0, &r1);
            real *scratch = b.scratch + (size_t) t * GEMM_SCRATCH;
            for (size_t q = 0; q < l->panels && r0 < r1; q++) {
                encode(&b, w, q, (int) r0, (int) r1, scratch);
                decode_all(&b, w, q, (int) r0, (int) r1, scratch);
            }
            for (size_t r = r0; r < r1; r++)
                for (size_t g = 0; g < l->genes; g++)
                    job->out[((size_t) c + r) * l->genes + g] = (double) (b.yd[r * l->genes + g] + w[l->bd + g]);
        }
        tick_idle(job->tick);
    }
    return ST_OK;
}

static int shape(const void *params, int n_genes, const int *plan, int k, Shape *s)
{
    int h = ((const Params *) params)->hidden;
    const Shape all[] = { { "E", n_genes, h }, { "D", h, n_genes }, { "b_e", h, 1 }, { "b_d", n_genes, 1 } };
    (void) plan;
    if (k >= 4) return 0;
    *s = all[k];
    return 1;
}

static int max_iter(const void *params, const int *plan) { (void) plan; return ((const Params *) params)->train.max_iter; }

const Model model_autoimpute = { .name = "autoimpute", .fields = fields, .params_size = sizeof(Params), .shape = shape,
                                 .max_iter = max_iter, .state_per_weight = 2, .fit = fit, .predict = predict };
