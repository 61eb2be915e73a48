/* Stacked Bayesian autoencoder of scINN's module one.
 *   a = x W + b;  h = SELU(a), or batch norm of a without activation
 *   mu = h A + a0;  var = softmax(h V + v0)
 *   e = 1, 2:  z = mu + 0.25 sqrt(var) o eps, one eps for all cells of the batch
 *              d = SELU(z P + p);  xh = d Q + q
 *   warm-up: mean |xh - x|;  then: beta mean (xh - x)^2 + KL, for both decoders,
 *   KL = -1/2 mean_l (1 + log var - mu^2 - var)
 * W and the Qs are kept gene by gene, 64 numbers each; genes go in blocks (scinn_filter.c). AdamW
 * starts anew after the warm-up; the encoders of the last epochs are the result.
 */
#include <math.h>
#include <string.h>
#include "scinn.h"

KERNEL_FILE

enum { H = ENCODER_UNITS };                /* one panel */

/* Where the small parameters stand in one vector. */
typedef struct { size_t b, gamma, delta, A, a0, V, v0, P[2], p[2], n; } Places;

typedef struct {
    const Learn *job;
    const Encoder *e;
    int G, B, T, L, warm;
    Places at;
    Trained W, Q[2], q[2], small;
    real *dsmall, mean[H], var[H];         /* running mean and variance */
    real inv[H];                           /* 1/sqrt(variance of the batch + eps) */
    Rows rows, genes;
    size_t *from;
    real *a, *h, *mu, *lv, *sd, *eps, *z[2], *d[2], *dd, *dz, *dmu, *ds, *dh, *parts, *scratch;
    double *loss;
    Room *room;
    Optim opt;
    uint64_t draws;                        /* batches drawn for */
} Net;

static Places places(int latent)
{
    Places p;
    size_t L = (size_t) latent, at = 0;
    p.b = at; at += H;
    p.gamma = at; at += H;
    p.delta = at; at += H;
    p.A = at; at += H * L;
    p.a0 = at; at += L;
    p.V = at; at += H * L;
    p.v0 = at; at += L;
    for (int e = 0; e < 2; e++) { p.P[e] = at; at += L * H; p.p[e] = at; at += H; }
    p.n = at;
    return p;
}

static void net_take(Arena *a, Net *n, const Learn *job, const Encoder *e)
{
    *n = (Net) { .job = job, .e = e, .G = job->x->nrow, .B = job->batch, .T = job->threads,
                 .L = e->latent };
    size_t G = (size_t) n->G, B = (size_t) n->B, L = (size_t) n->L,
           most = (size_t) sparse_longest(job->x) * B;
    n->at = places(n->L);
    n->W = trained_take(a, G * H);
    for (int d = 0; d < 2; d++) { n->Q[d] = trained_take(a, G * H); n->q[d] = trained_take(a, G); }
    n->small = trained_take(a, n->at.n);
    n->dsmall = ARENA(a, real, n->at.n);
    rows_take(a, &n->rows, B, most);
    rows_take(a, &n->genes, G, most);
    n->from = ARENA(a, size_t, most + 1);
    real **wide[] = { &n->a, &n->h, &n->d[0], &n->d[1], &n->dd, &n->dh },
         **narrow[] = { &n->mu, &n->lv, &n->sd, &n->z[0], &n->z[1], &n->dz, &n->dmu, &n->ds };
    for (int k = 0; k < 6; k++) *wide[k] = ARENA(a, real, B * H);
    for (int k = 0; k < 8; k++) *narrow[k] = ARENA(a, real, B * L);
    n->eps = ARENA(a, real, 2 * L);
    n->parts = ARENA(a, real, 2 * (size_t) gene_blocks(n->G) * B * H);
    n->loss = ARENA(a, double, 2 * (size_t) gene_blocks(n->G));
    n->scratch = ARENA(a, real, GEMM_SCRATCH);
    n->room = scinn_rooms(a, n->T, B, H, 0);
}

static void optim_anew(Net *n)
{
    size_t G = (size_t) n->G;
    Trained *w[] = { &n->W, &n->Q[0], &n->Q[1], &n->q[0], &n->q[1], &n->small };
    size_t len[] = { G * H, G * H, G * H, G, G, n->at.n };
    for (int k = 0; k < 6; k++) {
        memset(w[k]->m, 0, len[k] * sizeof(real));
        memset(w[k]->v, 0, len[k] * sizeof(real));
    }
    n->opt = (Optim) { OPT_ADAMW, n->job->learning_rate, 0, n->job->decay, 0, 0, 0 };
}

static void net_start(Net *n)
{
    uint64_t seed = n->job->seed;
    size_t L = (size_t) n->L, G = (size_t) n->G;
    int part = 1000 + 8 * n->job->part;
    real *s = n->small.w;
    scinn_glorot(seed, RNG_INIT_1, part, G, H, 1, H, n->W.w);
    scinn_glorot(seed, RNG_INIT_1, part + 1, H, L, 1, L, s + n->at.A);
    scinn_glorot(seed, RNG_INIT_1, part + 2, H, L, 1, L, s + n->at.V);
    for (int d = 0; d < 2; d++) {
        scinn_glorot(seed, RNG_INIT_1, part + 3 + d, L, H, 1, H, s + n->at.P[d]);
        scinn_glorot(seed, RNG_INIT_1, part + 5 + d, G, H, 1, H, n->Q[d].w);
    }
    for (int j = 0; j < H; j++) s[n->at.gamma + (size_t) j] = n->var[j] = 1;
    optim_anew(n);
}

/* ---- batch norm over the rows of a, into h ---- */
static void norm_forward(Net *n)
{
    size_t B = (size_t) n->B;
    const real *gamma = n->small.w + n->at.gamma, *delta = n->small.w + n->at.delta;
    for (size_t j = 0; j < H; j++) {
        double mean = 0, var = 0;
        for (size_t r = 0; r < B; r++) mean += (double) n->a[r * H + j];
        mean /= (double) B;
        for (size_t r = 0; r < B; r++)
            var += ((double) n->a[r * H + j] - mean) * ((double) n->a[r * H + j] - mean);
        var /= (double) B;
        n->inv[j] = (real) (1 / sqrt(var + 1e-3));
        n->mean[j] = (real) (0.99 * (double) n->mean[j] + 0.01 * mean);
        n->var[j] = (real) (0.99 * (double) n->var[j]
                            + 0.01 * var * (double) B / (double) (B > 1 ? B - 1 : 1));
        for (size_t r = 0; r < B; r++) {
            /* kept for the way back */
            n->a[r * H + j] = (real) (((double) n->a[r * H + j] - mean)) * n->inv[j];
            n->h[r * H + j] = gamma[j] * n->a[r * H + j] + delta[j];
        }
    }
}

static void norm_back(Net *n)
{
    size_t B = (size_t) n->B;
    for (size_t j = 0; j < H; j++) {
        double sum = 0, with = 0;
        for (size_t r = 0; r < B; r++) {
            sum += (double) n->dh[r * H + j];
            with += (double) n->dh[r * H + j] * (double) n->a[r * H + j];
        }
        n->dsmall[n->at.delta + j] = (real) sum;
        n->dsmall[n->at.gamma + j] = (real) with;
        real by = n->small.w[n->at.gamma + j] * n->inv[j], mean = (real) (sum / (double) B);
        real mean_with = (real) (with / (double) B);
        for (size_t r = 0; r < B; r++)
            n->dh[r * H + j] = by * (n->dh[r * H + j] - mean - n->a[r * H + j] * mean_with);
    }
}

/* ---- one batch ---- */

/* y = x w + bias, all plain row-major: n x in, in x out */
static void layer(const Net *n, size_t in, size_t out, const real *x, const real *w,
                  const real *bias, real *y)
{
    size_t B = (size_t) n->B;
    for (size_t r = 0; r < B; r++) memcpy(y + r * out, bias, out * sizeof(real));
    gemm(0, 0, B, out, in, x, in, w, out, 1, y, out, n->scratch);
}

/* dw = x' dy, db = column sums of dy, both into places that are 0; dx (may be NULL) += dy w' */
static void layer_back(const Net *n, size_t in, size_t out, const real *x, const real *dy,
                       const real *w, real *dw, real *db, real *dx)
{
    size_t B = (size_t) n->B;
    gemm(1, 0, in, out, B, x, in, dy, out, 0, dw, out, n->scratch);
    scinn_collect(db, dy, B, out);
    if (dx) gemm(0, 1, B, in, out, dy, out, w, out, 1, dx, in, n->scratch);
}

/* mu, log var, sd and KL of every cell: the sum of the KLs */
static double latent(Net *n)
{
    size_t L = (size_t) n->L;
    const real *s = n->small.w;
    double kl = 0;
    layer(n, H, L, n->h, s + n->at.A, s + n->at.a0, n->mu);
    layer(n, H, L, n->h, s + n->at.V, s + n->at.v0, n->lv);
    for (size_t r = 0; r < (size_t) n->B; r++) {
        real *lv = n->lv + r * L;
        double most = -INFINITY, sum = 0;
        for (size_t l = 0; l < L; l++) most = fmax(most, (double) lv[l]);
        for (size_t l = 0; l < L; l++) sum += exp((double) lv[l] - most);
        for (size_t l = 0; l < L; l++) {
            double v = (double) lv[l] - most - log(sum), m = (double) n->mu[r * L + l];
            lv[l] = (real) v;
            n->sd[r * L + l] = (real) exp(v / 2);
            kl -= 0.5 * (1 + v - m * m - exp(v)) / (double) L;
        }
    }
    return kl;
}

/* One decoder's outputs for a block of genes; their share of dD; AdamW on the block's Q and q. */
static void outputs(Net *n, int d, int block, const Room *m)
{
    size_t w = block_width(n->G, block), g = (size_t) block * GENE_BLOCK, B = (size_t) n->B;
    size_t part = (size_t) d * (size_t) gene_blocks(n->G) + (size_t) block;
    real each = (real) ((n->warm ? 1 : 2 * n->e->beta) / ((double) B * n->G)),
         *Q = n->Q[d].w + g * H, *q = n->q[d].w + g;
    double sum = 0;
    scinn_against(&n->rows, (int) g, w, q, m->out);
    gemm(0, 1, B, w, H, n->d[d], H, Q, H, 1, m->out, w, m->scratch);
    for (size_t r = 0; r < B; r++)
        sum += n->warm ? residual_absolute(m->out + r * w, w, each)
                       : residual_square(m->out + r * w, w, each);
    n->loss[part] = sum;
    memset(m->bias, 0, w * sizeof(real));
    scinn_collect(m->bias, m->out, B, w);
    gemm(0, 0, B, H, w, m->out, w, Q, H, 0, n->parts + part * B * H, H, m->scratch);
    gemm(1, 0, w, H, B, m->out, w, n->d[d], H, 0, m->grad, H, m->scratch);
    trained_step(&n->opt, n->Q + d, g * H, m->grad, w * H);
    trained_step(&n->opt, n->q + d, g, m->bias, w);
}

/* From both decoders to dmu and ds (a gradient of the logits of var). */
static void decoders_back(Net *n)
{
    size_t B = (size_t) n->B, L = (size_t) n->L, blocks = (size_t) gene_blocks(n->G);
    const real *s = n->small.w;
    memset(n->dmu, 0, B * L * sizeof(real));
    memset(n->ds, 0, B * L * sizeof(real));
    for (int d = 0; d < 2; d++) {
        memset(n->dd, 0, B * H * sizeof(real));
        scinn_collect(n->dd, n->parts + (size_t) d * blocks * B * H, blocks, B * H);
        act_selu_back(n->d[d], n->dd, B * H);
        memset(n->dz, 0, B * L * sizeof(real));
        layer_back(n, L, H, n->z[d], n->dd, s + n->at.P[d], n->dsmall + n->at.P[d],
                   n->dsmall + n->at.p[d], n->dz);
        for (size_t r = 0; r < B; r++) {
            real T[LATENT_MAX], sum = 0;
            for (size_t l = 0; l < L; l++) {
                T[l] = (real) 0.125 * n->dz[r * L + l] * n->eps[(size_t) d * L + l]
                       * n->sd[r * L + l];
                sum += T[l];
            }
            for (size_t l = 0; l < L; l++) {
                n->dmu[r * L + l] += n->dz[r * L + l];
                n->ds[r * L + l] += T[l] - n->sd[r * L + l] * n->sd[r * L + l] * sum;
            }
        }
    }
    for (size_t k = 0; k < B * L && !n->warm; k++) {
        n->dmu[k] += 2 * n->mu[k] / (real) (L * B);
        n->ds[k] += (n->sd[k] * n->sd[k] - 1 / (real) L) / (real) B;
    }
}

static void each_block(Net *n, int decoders, void (*work)(Net *, int, int, const Room *))
{
    int blocks = gene_blocks(n->G);
    PARALLEL_FOR(n->T)
    for (int t = 0; t < n->T; t++) {
        size_t from, to;
        share((size_t) (decoders * blocks), t, n->T, &from, &to);
        for (size_t k = from; k < to; k++) work(n, (int) k / blocks, (int) k % blocks, n->room + t);
    }
}

/* AdamW on a block of W; what precedes the layer is x. */
static void inputs(Net *n, int d, int block, const Room *m)
{
    size_t w = block_width(n->G, block), g = (size_t) block * GENE_BLOCK;
    (void) d;
    panel_sums(m->grad, NULL, n->dh, n->genes.p + g, n->genes.i, n->genes.x, w);
    trained_step(&n->opt, &n->W, g * H, m->grad, w * H);
}

/* One step on these cells; the loss before it. */
static double batch(Net *n, const int *cells)
{
    size_t B = (size_t) n->B, L = (size_t) n->L;
    real *s = n->small.w;
    double loss = 0, kl;
    optim_next(&n->opt);
    rows_load(&n->rows, n->job->x, cells, n->B);
    rows_transpose(&n->rows, n->G, &n->genes, n->from);
    PARALLEL_FOR(n->T)
    for (int t = 0; t < n->T; t++) {
        size_t r0, r1;
        share(B, t, n->T, &r0, &r1);
        layer_sparse_in(&n->rows, NULL, (int) r0, (int) r1, n->W.w, s + n->at.b, n->a);
    }
    if (n->e->norm) norm_forward(n);
    else {
        memcpy(n->h, n->a, B * H * sizeof(real));
        act_selu(n->h, B * H);
    }
    kl = latent(n);
    for (size_t k = 0; k < 2 * L; k++)
        n->eps[k] = (real) rng_normal(n->job->seed, RNG_NOISE,
                                      (uint64_t) n->job->part << 44
                                          | (n->draws * 2 * LATENT_MAX + k));
    n->draws++;
    for (int d = 0; d < 2; d++) {
        for (size_t r = 0; r < B; r++)
            for (size_t l = 0; l < L; l++)
                n->z[d][r * L + l] = n->mu[r * L + l]
                                     + (real) 0.25 * n->sd[r * L + l] * n->eps[(size_t) d * L + l];
        layer(n, L, H, n->z[d], s + n->at.P[d], s + n->at.p[d], n->d[d]);
        act_selu(n->d[d], B * H);
    }
    each_block(n, 2, outputs);
    for (int k = 0; k < 2 * gene_blocks(n->G); k++) loss += n->loss[k];
    loss = n->warm ? loss / ((double) B * n->G)
                   : n->e->beta * loss / ((double) B * n->G) + 2 * kl / (double) B;

    memset(n->dsmall, 0, n->at.n * sizeof(real));
    decoders_back(n);
    memset(n->dh, 0, B * H * sizeof(real));
    layer_back(n, H, L, n->h, n->dmu, s + n->at.A, n->dsmall + n->at.A, n->dsmall + n->at.a0,
               n->dh);
    layer_back(n, H, L, n->h, n->ds, s + n->at.V, n->dsmall + n->at.V, n->dsmall + n->at.v0, n->dh);
    if (n->e->norm) norm_back(n); else act_selu_back(n->h, n->dh, B * H);
    scinn_collect(n->dsmall + n->at.b, n->dh, B, H);
    each_block(n, 1, inputs);
    trained_step(&n->opt, &n->small, 0, n->dsmall, n->at.n);
    return loss;
}

/* The encoder as it is now, batch norm with its running values folded in. */
static void store(const Net *n, double *to)
{
    size_t G = (size_t) n->G, L = (size_t) n->L;
    const real *s = n->small.w;
    for (size_t j = 0; j < H; j++) {
        double by = 1, add = 0;
        if (n->e->norm) {
            by = (double) s[n->at.gamma + j] / sqrt((double) n->var[j] + 1e-3);
            add = (double) s[n->at.delta + j] - by * (double) n->mean[j];
        }
        for (size_t g = 0; g < G; g++) to[j * G + g] = by * (double) n->W.w[g * H + j];
        to[G * H + j] = by * (double) s[n->at.b + j] + add;
    }
    to += (G + 1) * H;
    for (size_t l = 0; l < L; l++)
        for (size_t j = 0; j < H; j++) *to++ = (double) s[n->at.A + j * L + l];
    for (size_t l = 0; l < L; l++) *to++ = (double) s[n->at.a0 + l];
}

Status scinn_encoder(Arena *a, const Learn *job, const Encoder *e, double *stored, double *loss)
{
    Net n;
    int batches = job->n / job->batch, trained = ENCODER_WARM + ENCODER_EPOCHS,
        *order = ARENA(a, int, job->n);
    net_take(a, &n, job, e);
    if (a->failed) return ST_NOMEM;
    net_start(&n);
    for (int epoch = 0; epoch < trained + e->snapshots; epoch++) {
        n.warm = epoch < ENCODER_WARM;
        if (epoch == ENCODER_WARM) optim_anew(&n);
        rng_permute(job->seed, RNG_ORDER, (uint64_t) (1000 + job->part) << 20 | (uint64_t) epoch,
                    order, job->n);
        for (int k = 0; k < job->n; k++) order[k] = job->cells[order[k]];
        loss[epoch] = 0;
        for (int b = 0; b < batches; b++) {
            loss[epoch] += batch(&n, order + b * job->batch) / batches;
            if (b % 8 == 0) tick_idle(job->tick);
        }
        if (!isfinite(loss[epoch])) return ST_DIVERGED;
        if (epoch >= trained)
            store(&n, stored + (size_t) (epoch - trained) * encoder_size(n.G, n.L));
    }
    return ST_OK;
}
