/* Gene filter of scINN's module one: H = x W1 + b1, O = H W2 + b2, mean (O - x)^2, AdamW, W1 <-
 * max(W1, 0) after each step.
 *   dO = 2 (O - x)/(B G), dW2 = H'dO, dH = dO W2', dW1 = x'dH
 * Both weight matrices are kept gene by gene, 32 numbers each. Genes go in blocks: outputs, their
 * gradient and AdamW of a block's W2 in one go; then, dH being complete, its W1. The bits depend on
 * no number of threads: blocks are fixed, their shares of dH are added in order.
 */
#include <math.h>
#include <string.h>
#include "scinn.h"

KERNEL_FILE

/* out[r][.] = start[.] + sum over entries k of row r of val[k] * from[idx[k]][.], FILTER_UNITS
 * wide */
LOCAL_FOR_CPUS(sums32, (real *restrict out, const real *start, const real *restrict from,
               const size_t *p, const int *idx, const real *val, size_t rows),
               (out, start, from, p, idx, val, rows), {
    for (size_t r = 0; r < rows; r++, out += FILTER_UNITS) {
        real sum[FILTER_UNITS];
        for (int j = 0; j < FILTER_UNITS; j++) sum[j] = start ? start[j] : 0;
        for (size_t k = p[r]; k < p[r + 1]; k++) {
            const real *w = from + (size_t) idx[k] * FILTER_UNITS;
            for (int j = 0; j < FILTER_UNITS; j++) sum[j] += val[k] * w[j];
        }
        memcpy(out, sum, sizeof sum);
    }
})

LOCAL_FOR_CPUS(floor_at_0, (real *w, size_t n), (w, n), {
    for (size_t k = 0; k < n; k++) w[k] = w[k] > 0 ? w[k] : 0;
})

typedef struct {
    const Learn *job;
    int G, B, T;
    Trained W1, W2, b1, b2;
    Rows rows, genes;
    size_t *from;
    real *H, *dH, *parts;
    double *loss;
    Room *room;
    Optim opt;
} Filter;

static void filter_take(Arena *a, Filter *f, const Learn *job)
{
    *f = (Filter) { .job = job, .G = job->x->nrow, .B = job->batch, .T = job->threads,
                    .opt = { OPT_ADAMW, job->learning_rate, 0, job->decay, 0, 0, 0 } };
    size_t G = (size_t) f->G, B = (size_t) f->B, most = (size_t) sparse_longest(job->x) * B;
    f->W1 = trained_take(a, G * FILTER_UNITS);
    f->W2 = trained_take(a, G * FILTER_UNITS);
    f->b1 = trained_take(a, FILTER_UNITS);
    f->b2 = trained_take(a, G);
    rows_take(a, &f->rows, B, most);
    rows_take(a, &f->genes, G, most);
    f->from = ARENA(a, size_t, most + 1);
    f->H = ARENA(a, real, B * FILTER_UNITS);
    f->dH = ARENA(a, real, B * FILTER_UNITS);
    f->parts = ARENA(a, real, (size_t) gene_blocks(f->G) * B * FILTER_UNITS);
    f->loss = ARENA(a, double, gene_blocks(f->G));
    f->room = scinn_rooms(a, f->T, B, FILTER_UNITS, 0);
}

static void filter_start(Filter *f)
{
    int part = f->job->part;
    scinn_glorot(f->job->seed, RNG_INIT_1, part, (size_t) f->G, FILTER_UNITS, 1, FILTER_UNITS,
                 f->W1.w);
    scinn_glorot(f->job->seed, RNG_INIT_2, part, (size_t) f->G, FILTER_UNITS, 1, FILTER_UNITS,
                 f->W2.w);
}

/* Outputs of a block of genes against x; their share of dH; AdamW on the block's W2 and b2. */
static void outputs(Filter *f, int block, const Room *m)
{
    size_t n = block_width(f->G, block), g = (size_t) block * GENE_BLOCK, B = (size_t) f->rows.n;
    real scale = (real) (2 / ((double) B * f->G)), *W2 = f->W2.w + g * FILTER_UNITS;
    double sum = 0;
    scinn_against(&f->rows, (int) g, n, f->b2.w + g, m->out);
    gemm(0, 1, B, n, FILTER_UNITS, f->H, FILTER_UNITS, W2, FILTER_UNITS, 1, m->out, n, m->scratch);
    for (size_t r = 0; r < B; r++) sum += residual_square(m->out + r * n, n, scale);
    f->loss[block] = sum;
    memset(m->bias, 0, n * sizeof(real));
    scinn_collect(m->bias, m->out, B, n);
    gemm(0, 0, B, FILTER_UNITS, n, m->out, n, W2, FILTER_UNITS, 0,
         f->parts + (size_t) block * B * FILTER_UNITS, FILTER_UNITS, m->scratch);
    gemm(1, 0, n, FILTER_UNITS, B, m->out, n, f->H, FILTER_UNITS, 0, m->grad, FILTER_UNITS,
         m->scratch);
    trained_step(&f->opt, &f->W2, g * FILTER_UNITS, m->grad, n * FILTER_UNITS);
    trained_step(&f->opt, &f->b2, g, m->bias, n);
}

static void inputs(Filter *f, int block, const Room *m)
{
    size_t n = block_width(f->G, block), g = (size_t) block * GENE_BLOCK;
    sums32(m->grad, NULL, f->dH, f->genes.p + g, f->genes.i, f->genes.x, n);
    trained_step(&f->opt, &f->W1, g * FILTER_UNITS, m->grad, n * FILTER_UNITS);
    floor_at_0(f->W1.w + g * FILTER_UNITS, n * FILTER_UNITS);
}

/* One step; the mean squared error before it. */
static double filter_batch(Filter *f, const int *cells)
{
    int blocks = gene_blocks(f->G);
    size_t B = (size_t) f->B;
    double sum = 0;
    optim_next(&f->opt);
    rows_load(&f->rows, f->job->x, cells, f->B);
    rows_transpose(&f->rows, f->G, &f->genes, f->from);
    sums32(f->H, f->b1.w, f->W1.w, f->rows.p, f->rows.i, f->rows.x, B);
    PARALLEL_FOR(f->T)
    for (int t = 0; t < f->T; t++) {
        size_t b0, b1;
        share((size_t) blocks, t, f->T, &b0, &b1);
        for (size_t b = b0; b < b1; b++) outputs(f, (int) b, f->room + t);
    }
    memset(f->dH, 0, B * FILTER_UNITS * sizeof(real));
    scinn_collect(f->dH, f->parts, (size_t) blocks, B * FILTER_UNITS);
    PARALLEL_FOR(f->T)
    for (int t = 0; t < f->T; t++) {
        size_t b0, b1;
        share((size_t) blocks, t, f->T, &b0, &b1);
        for (size_t b = b0; b < b1; b++) inputs(f, (int) b, f->room + t);
    }
    real db1[FILTER_UNITS] = { 0 };
    scinn_collect(db1, f->dH, B, FILTER_UNITS);
    trained_step(&f->opt, &f->b1, 0, db1, FILTER_UNITS);
    for (int b = 0; b < blocks; b++) sum += f->loss[b];
    return sum / ((double) B * f->G);
}

Status scinn_filter(Arena *a, const Learn *job, double *spread, double *loss)
{
    Filter f;
    int batches = job->n / job->batch, *order = ARENA(a, int, job->n);
    filter_take(a, &f, job);
    if (a->failed) return ST_NOMEM;
    filter_start(&f);
    for (int e = 0; e < FILTER_EPOCHS; e++) {
        rng_permute(job->seed, RNG_ORDER, (uint64_t) job->part << 20 | (uint64_t) e, order, job->n);
        for (int k = 0; k < job->n; k++) order[k] = job->cells[order[k]];
        loss[e] = 0;
        for (int b = 0; b < batches; b++) {
            loss[e] += filter_batch(&f, order + b * job->batch) / batches;
            if (b % 8 == 0) tick_idle(job->tick);
        }
        if (!isfinite(loss[e])) return ST_DIVERGED;
    }
    for (int g = 0; g < f.G; g++) {
        const real *w = f.W1.w + (size_t) g * FILTER_UNITS;
        double mean = 0, ss = 0;
        for (int j = 0; j < FILTER_UNITS; j++) mean += (double) w[j] / FILTER_UNITS;
        for (int j = 0; j < FILTER_UNITS; j++)
            ss += ((double) w[j] - mean) * ((double) w[j] - mean);
        spread[g] = sqrt(ss / (FILTER_UNITS - 1));
    }
    return ST_OK;
}
