/* AutoImpute: an over-complete autoencoder with one hidden layer, fitted to the non-zeros of the
 * log matrix. Talwar, Mongia, Sengupta, Majumdar, "AutoImpute: autoencoder based imputation of
 * single-cell RNA-seq data", Scientific Reports 8:16329 (2018), eq. 8 and 9.
 *
 *   X, Y: genes x cells, E: genes x hidden, D: hidden x genes
 *   P = E'X + b_e,  H = logistic(P),  Y = D'H + b_d
 *   L = sum over Omega (Y - X)^2 + lambda/2 (|E|^2 + |D|^2)          Omega: the non-zeros of X
 *   dY = 2 (Y - X) on Omega;  dD = H dY' + lambda D;  dP = (D dY) H (1 - H);  dE = X dP' + lambda E
 *   db = row sums
 *   RMSProp with TensorFlow 1's constants, one step on all cells per iteration.
 *
 * Deviations, and why (paper versus reference code: the model's help page, section Details):
 *   biases           the paper's equations have none, its code has both: on; without b_d the
 *                    decoder has no intercept
 *   initialisation   "random normal" with no width in the paper, 1 in its code: 1/sqrt(genes) and
 *                    1/sqrt(hidden), biases 0; width 1 saturates 97 % of the units and leaves its
 *                    noise at every unobserved entry (init = "reference")
 *   stop             the change of the loss in the paper: a held-out 5 % of the non-zeros, best
 *                    weights kept, because the paper's rule overfits or fires by chance
 *                    (stop = "paper")
 *   batches          all cells, as in both; batch.size is an extension, its penalty scaled by
 *                    batch/cells
 *
 * Arithmetic: everything that the loss asks for is spent on the non-zeros (10 n hidden operations
 * an iteration instead of 10 genes cells hidden); cells go through in blocks, so memory does not
 * grow with them. Where the matrix is dense the same sums run through gemm(); only Y's are then
 * added in another order.
 */
#include <math.h>
#include <string.h>
#include "autoimpute.h"

static const Field fields[] = {
    TRAIN_FIELDS(AiParams, train),
    F_INT(AiParams, "hidden", hidden, 1, 1e6),
    F_REAL(AiParams, "lambda", lambda, 0, 1e9),
    F_CHOICE(AiParams, "init", init, "scaled|reference"),
    F_CHOICE(AiParams, "init.bias", init_bias, "zero|mean"),
    F_FLAG(AiParams, "bias", bias),
    F_CHOICE(AiParams, "arithmetic", arithmetic, "auto|sparse|dense"),
    F_INT(AiParams, "block.cells", block_cells, 0, 1e9),
    F_END
};

/* ---- start ---- */

static void hold_out(const AiParams *p, const Fit *f, uint8_t *bit)
{
    uint64_t n = (uint64_t) f->x.p[f->x.ncol],
             left = (uint64_t) (p->train.valid_fraction * (double) n);
    if (!left && n > 1) left = 1;
    for (uint64_t k = 0; k < n && left; k++)
        if (rng_choose(f->seed, RNG_HOLD_OUT, k, n, &left))
            bit[k >> 3] |= (uint8_t) (1u << (k & 7));
}

/* Biases that start at the genes' means, of what is not held out. */
static void mean_biases(const Fit *f, const Block *b, real *bd, double *sums, int *counts)
{
    for (int k = 0; k < f->x.p[f->x.ncol]; k++)
        if (!ai_is_held(b, (size_t) k)) { sums[f->x.i[k]] += f->x.x[k]; counts[f->x.i[k]]++; }
    for (size_t g = 0; g < b->l.genes; g++)
        if (counts[g]) bd[g] = (real) (sums[g] / counts[g]);
}

/* sums, counts: genes each */
static void initialise(const AiParams *p, const Fit *f, const Block *b, real *w, double *sums,
                       int *counts)
{
    const Layout *l = &b->l;
    int scaled = p->init == INIT_SCALED;
    double sd_e = scaled ? 1 / sqrt((double) l->genes) : 1,
           sd_d = scaled ? 1 / sqrt((double) l->hidden) : 1;
    PARALLEL_FOR(f->threads)
    for (size_t g = 0; g < l->genes; g++)
        for (size_t k = 0; k < l->hidden; k++) {
            uint64_t at = (uint64_t) g * l->hidden + k;
            w[l->e + panel_at(l->genes, g, k)] = (real) (sd_e
                                                         * rng_normal(f->seed, RNG_INIT_1, at));
            w[l->d + panel_at(l->genes, g, k)] = (real) (sd_d
                                                         * rng_normal(f->seed, RNG_INIT_2, at));
        }
    if (!p->bias) return;
    if (!scaled) {
        for (size_t k = 0; k < l->hidden; k++)
            w[l->be + k] = (real) rng_normal(f->seed, RNG_INIT_3, k);
        for (size_t g = 0; g < l->genes; g++)
            w[l->bd + g] = (real) rng_normal(f->seed, RNG_INIT_4, g);
    }
    if (p->init_bias) mean_biases(f, b, w + l->bd, sums, counts);
}

/* ---- fit ---- */

static void take(Arena *a, Auto *m)
{
    const AiParams *p = m->p;
    const Sparse *x = &m->f->x;
    const Layout *l = &m->b.l;
    int threads = m->f->threads, validates = p->train.stop == STOP_VALIDATION;
    ai_take_block(a, p, x, threads, 1, &m->b);
    size_t entries = (size_t) x->p[x->ncol],
           in_block = (size_t) m->b.cap * (size_t) sparse_longest(x);
    int one_block = m->b.cap >= x->ncol || (p->train.batch_size && p->train.batch_size <= m->b.cap);
    if (in_block > entries) in_block = entries;
    m->cur = ARENA(a, real, l->n);
    m->spare = validates ? ARENA(a, real, l->n) : NULL;
    m->s = ARENA(a, real, l->n);
    m->grad = one_block ? NULL : ARENA(a, real, l->n);
    m->held_bit = validates ? ARENA(a, uint8_t, entries / 8 + 1) : NULL;
    rows_take(a, &m->by_gene, l->genes, in_block);
    m->entry = ARENA(a, size_t, in_block);
    m->dy_by_gene = ARENA(a, real, in_block);
    m->slabs = m->b.dense ? ARENA(a, real, (size_t) threads * 2 * l->genes * PANEL) : NULL;
    m->squares = ARENA(a, double, l->genes * l->panels);
}

/* Weights and RMSProp's sums: those of the fit to go on from, or the first. sums, counts: genes
 * each */
static void start(Auto *m, double *sums, int *counts)
{
    const Layout *l = &m->b.l;
    real *const of[] = { m->cur, m->s };
    optim_start(OPT_RMSPROP, m->s, l->n);
    if (m->f->h->done) {
        state_in(l->part, AI_PARTS, m->f->state, of, 2);
        if (m->spare) weights_in(l->part, AI_PARTS, m->f->weights, m->spare);
    } else initialise(m->p, m->f, &m->b, m->cur, sums, counts);
    for (size_t k = 0; m->p->lambda > 0 && k < l->genes * l->panels; k++)
        m->squares[k] = ai_square(m->cur + l->e + k * PANEL) + ai_square(m->cur + l->d + k * PANEL);
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    const AiParams *p = params;
    Auto m = { .p = p, .f = f, .opt = { OPT_RMSPROP, p->train.learning_rate, 0, 0, 0, 0, 0 } };
    m.b.l = ai_layout(f->x.nrow, p->hidden);
    take(a, &m);
    double *sums = ARENA(a, double, f->x.nrow);
    int *counts = ARENA(a, int, f->x.nrow);
    if (a->failed) return ST_NOMEM;
    if (m.held_bit) hold_out(p, f, m.held_bit);
    m.b.held_bit = m.held_bit;
    start(&m, sums, counts);
    Network net = { &m, ai_forward, ai_update, ai_keep, NULL };
    Crew crew = { .nets = &net, .n_nets = 1, .n_cells = f->x.ncol, .keep_best = 1 };
    Status st = nn_train(a, &p->train, &crew, f);
    if (st) return st;
    real *const of[] = { m.cur, m.s };
    weights_out(m.b.l.part, AI_PARTS, m.spare ? m.spare : m.cur, f->weights);
    if (f->want_state) state_out(m.b.l.part, AI_PARTS, of, 2, f->state);
    return ST_OK;
}

/* ---- prediction ---- */

/* The cells of the block, from `first` on, into out: genes x cells. */
static void predict_block(Block *b, const real *w, int first, double *out)
{
    const Layout *l = &b->l;
    PARALLEL_FOR(b->threads)
    for (int t = 0; t < b->threads; t++) {
        size_t r0, r1;
        share((size_t) b->n, t, b->threads, &r0, &r1);
        real *scratch = b->scratch + (size_t) t * GEMM_SCRATCH;
        for (size_t q = 0; q < l->panels && r0 < r1; q++) {
            ai_encode(b, w, q, (int) r0, (int) r1, scratch);
            ai_decode_all(b, w, q, (int) r0, (int) r1, scratch);
        }
        for (size_t r = r0; r < r1; r++)
            for (size_t g = 0; g < l->genes; g++)
                out[((size_t) first + r) * l->genes + g] = (double) (b->yd[r * l->genes + g]
                                                                     + w[l->bd + g]);
    }
}

static Status predict(Arena *a, const void *params, const Predict *job)
{
    const AiParams *p = params;
    const Sparse *x = &job->x;
    Block b = { .l = ai_layout(x->nrow, p->hidden) };
    real *w = ARENA(a, real, b.l.n);
    ai_take_block(a, p, x, job->threads, 0, &b);
    int *cells = ARENA(a, int, b.cap);
    if (a->failed) return ST_NOMEM;
    weights_in(b.l.part, AI_PARTS, job->weights, w);
    for (int c = 0; c < x->ncol; c += b.cap) {
        int n = c + b.cap < x->ncol ? b.cap : x->ncol - c;
        for (int r = 0; r < n; r++) cells[r] = c + r;
        ai_load_block(&b, cells, n);
        predict_block(&b, w, c, job->out);
        tick_idle(job->tick);
    }
    return ST_OK;
}

static int shape(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    Layout l = ai_layout(n_genes, ((const AiParams *) params)->hidden);
    (void) plan;
    return weights_shape(l.part, AI_PARTS, k, s);
}

static int max_iter(const void *params, const void *plan)
{
    (void) plan;
    return ((const AiParams *) params)->train.max_iter;
}

const Model model_autoimpute = { .name = "autoimpute",
                                 .fields = fields,
                                 .params_size = sizeof(AiParams),
                                 .shape = shape,
                                 .max_iter = max_iter,
                                 .state_per_weight = 2,
                                 .fit = fit,
                                 .predict = predict };
