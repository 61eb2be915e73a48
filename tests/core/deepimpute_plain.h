/* deepimpute_plain.h: DeepImpute in loops. */
#ifndef INFILL_DEEPIMPUTE_PLAIN_H
#define INFILL_DEEPIMPUTE_PLAIN_H
#include "fitting.h"
#include "metric.h"

/* ---- the model once more, in loops, in double, in the natural layout: W1, b1, W2, b2, ... ---- */
enum { MOST = 9 };
typedef struct {
    size_t size[MOST + 1], S, G, n;      /* size: predictors, hidden units, targets; n: weights */
    size_t w_at[MOST], b_at[MOST];             /* where the weights and biases of a layer start */
    int layers, id, value;  /* layers: hidden ones; as many as that and one more have weights */
    const int *in, *out;
    const char *output;
    const double *x;                     /* genes x cells */
    uint64_t seed;
    double rho, zero;
    double *w, *m, *v;
} Plain;

static inline const int *net_of(const int *plan, int k)
{
    const int *p = plan + 2 + plan[1];
    for (; k > 0; k--) p += 3 + p[1] + p[2];
    return p;
}

static inline Plain plain_of(const int *plan, int k, const double *x, int genes)
{
    const int *p = net_of(plan, k);
    Plain o = { .S = (size_t) p[2], .G = (size_t) genes, .id = p[0], .value = 1, .layers = plan[1],
                .in = p + 3, .out = p + 3 + p[1], .output = "softplus", .x = x, .seed = 17 };
    o.size[0] = (size_t) p[1];
    for (int l = 0; l <= o.layers; l++) {
        o.size[l + 1] = l < o.layers ? (size_t) plan[2 + l] : o.S;
        o.w_at[l] = o.n;
        o.b_at[l] = o.n + o.size[l] * o.size[l + 1];
        o.n = o.b_at[l] + o.size[l + 1];
    }
    o.w = NEW(double, o.n); o.m = NEW(double, o.n); o.v = NEW(double, o.n);
    return o;
}

/* what a mask draws for unit j of hidden layer l (from 1) of the r-th cell of a batch: a word of
 * the generator, itself, below rho of its range? */
static inline int dropped(const Plain *o, uint64_t t, size_t r, int l, size_t j)
{
    uint64_t at = t << 32 | (uint64_t) (r * ((o->size[l] + 3) / 4) + j / 4);
    uint32_t counter[4] = { (uint32_t) at, (uint32_t) (at >> 32), RNG_DROPOUT,
                            (uint32_t) o->id + ((uint32_t) (l - 1) << 28) },
             out[4];
    uint32_t key[2] = { (uint32_t) o->seed, (uint32_t) (o->seed >> 32) };
    philox(counter, key, out);
    return out[j % 4] < (uint32_t) (o->rho * 4294967296.0);
}

/* The r-th of the B cells of step t (0: no dropout): its loss over the targets, z; with grad set
 * the gradient of the batch's loss is added. */
static inline double plain_cell(const Plain *o, const double *w, size_t c, size_t r, double B,
                                uint64_t t, double *yhat, double *grad)
{
    /* units, derivative before and share kept of each layer */
    double *h[MOST + 1], *d[MOST + 1], *keep[MOST + 1], loss = 0;
    for (int l = 0; l <= o->layers + 1; l++) {
        h[l] = NEW(double, o->size[l]);
        d[l] = NEW(double, o->size[l]);
        keep[l] = NEW(double, o->size[l]);
    }
    for (size_t p = 0; p < o->size[0]; p++) h[0][p] = o->x[c * o->G + (size_t) o->in[p]];
    for (int l = 1; l <= o->layers + 1; l++)
        for (size_t j = 0; j < o->size[l]; j++) {
            double a = w[o->b_at[l - 1] + j];
            for (size_t p = 0; p < o->size[l - 1]; p++)
                a += w[o->w_at[l - 1] + p + j * o->size[l - 1]] * h[l - 1][p];
            keep[l][j] = a > 0 ? !t || o->rho == 0        ? 1
                                 : dropped(o, t, r, l, j) ? 0
                                                          : 1 / (1 - o->rho)
                               : 0;
            h[l][j] = l > o->layers ? a : keep[l][j] * a;
        }
    for (size_t k = 0; k < o->S; k++) {
        double z = h[o->layers + 1][k], y = o->x[c * o->G + (size_t) o->out[k]],
               weight = o->zero + (o->value ? y : y > 0);
        double slope = *o->output == 's' ? 1 / (1 + exp(-z)) : *o->output == 'r' ? z > 0 : 1;
        yhat[k] = *o->output == 's'   ? log1p(exp(-fabs(z))) + fmax(z, 0)
                  : *o->output == 'r' ? fmax(z, 0)
                                      : z;
        loss += weight * (y - yhat[k]) * (y - yhat[k]) / (double) o->S;
        d[o->layers + 1][k] = 2 / (B * (double) o->S) * weight * (yhat[k] - y) * slope;
    }
    for (int l = o->layers + 1; l > 0 && grad; l--)
        for (size_t j = 0; j < o->size[l]; j++) {
            double dz = d[l][j] * (l > o->layers ? 1 : keep[l][j]);
            grad[o->b_at[l - 1] + j] += dz;
            for (size_t p = 0; p < o->size[l - 1]; p++) {
                size_t at = o->w_at[l - 1] + p + j * o->size[l - 1];
                grad[at] += h[l - 1][p] * dz;
                d[l - 1][p] += w[at] * dz;
            }
        }
    return loss;
}

/* the losses of these cells, summed, and one step of Adam (t 0: none) */
static inline double plain_batch(Plain *o, const int *cells, int n, int t, double lr)
{
    double *grad = NEW(double, o->n), *yhat = NEW(double, o->S), loss = 0;
    for (int r = 0; r < n; r++)
        loss += plain_cell(o, o->w, (size_t) cells[r], (size_t) r, n, (uint64_t) t, yhat,
                           t ? grad : NULL);
    for (size_t k = 0; k < o->n && t; k++) {
        o->m[k] = 0.9 * o->m[k] + 0.1 * grad[k];
        o->v[k] = 0.999 * o->v[k] + 0.001 * grad[k] * grad[k];
        o->w[k] -= lr * sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t)) * o->m[k]
                   / (sqrt(o->v[k]) + 1e-7);
    }
    return loss;
}

static inline void plain_start(Plain *o)
{
    uint64_t part = (uint64_t) o->id << 36;
    for (int l = 0; l <= o->layers; l++) {
        size_t P = o->size[l], H = o->size[l + 1];
        double r = sqrt(6 / (double) (P + H));
        for (size_t j = 0; j < H; j++)
            for (size_t p = 0; p < P; p++) {
                double u = !l ? rng_unif(o->seed, RNG_INIT_1, part | (p * H + j))
                    : l == o->layers ? rng_unif(o->seed, RNG_INIT_2, part | (j * P + p))
                    : rng_unif(o->seed, RNG_INIT_3, part | (uint64_t) l << 60 | (p * H + j));
                o->w[o->w_at[l] + p + j * P] = (double) (real) (r * (2 * u - 1));
            }
    }
}

/* ---- a fit from given weights of one network: one step, of t = 2, behind a history of one
 * iteration ---- */
typedef struct { double loss, *w, *m, *v; } Step;

static inline Step step_from(Setup s, Sparse x, const double *w, const double *m, const double *v,
                             uint64_t seed)
{
    size_t n = weights_of(&s, x.nrow);
    set(&s, "max.iter", 2);
    Fit f = new_fit(&s, x);
    f.seed = seed;
    f.h->done = 1;
    f.h->valid[0] = 1;
    memcpy(f.state, w, n * sizeof *w);
    if (m) memcpy(f.state + n, m, n * sizeof *m);
    if (v) memcpy(f.state + 2 * n, v, n * sizeof *v);
    CHECK(go(&s, &f) == ST_OK && f.h->n_iter == 2 && f.h->best_iter == 2
          && f.h->stopped == STOPPED_MAX);
    SAME_BITS(f.weights, f.state, n);
    return (Step) { f.h->train[1], f.state, f.state + n, f.state + 2 * n };
}

static inline int held_out(uint64_t seed, int cell, int n, int k)
{
    uint64_t left = (uint64_t) k;
    int yes = 0;
    for (int c = 0; c <= cell; c++)
        yes = rng_choose(seed, RNG_HOLD_OUT, (uint64_t) c, (uint64_t) n, &left);
    return yes;
}

enum { GENES = 30, CELLS = 40, MAX_EPOCHS = 30 };
#endif
