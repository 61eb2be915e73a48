/* DeepImpute: the worked numbers of its page, finite differences, a plain implementation with loops over everything,
 * and what must not change a bit: threads, blocks, a pause, the other networks. */
#include "fitting.h"
#include "metric.h"

/* ---- the model once more, in loops, in double, in the natural layout: W1, b1, W2, b2, ... ---- */
enum { MOST = 9 };
typedef struct {
    size_t size[MOST + 1], S, G, n;      /* size: predictors, hidden units, targets; n: weights */
    size_t w_at[MOST], b_at[MOST];             /* where the weights and biases of a layer start */
    int layers, id, value;               /* layers: hidden ones; as many as that and one more have weights */
    const int *in, *out;
    const char *output;
    const double *x;                     /* genes x cells */
    uint64_t seed;
    double rho, zero;
    double *w, *m, *v;
} Plain;

static const int *net_of(const int *plan, int k)
{
    const int *p = plan + 2 + plan[1];
    for (; k > 0; k--) p += 3 + p[1] + p[2];
    return p;
}

static Plain plain_of(const int *plan, int k, const double *x, int genes)
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

/* what a mask draws for unit j of hidden layer l (from 1) of the r-th cell of a batch: a word of the generator, itself, below
 * rho of its range? */
static int dropped(const Plain *o, uint64_t t, size_t r, int l, size_t j)
{
    uint64_t at = t << 32 | (uint64_t) (r * ((o->size[l] + 3) / 4) + j / 4);
    uint32_t counter[4] = { (uint32_t) at, (uint32_t) (at >> 32), RNG_DROPOUT, (uint32_t) o->id + ((uint32_t) (l - 1) << 28) }, out[4];
    uint32_t key[2] = { (uint32_t) o->seed, (uint32_t) (o->seed >> 32) };
    philox(counter, key, out);
    return out[j % 4] < (uint32_t) (o->rho * 4294967296.0);
}

/* The r-th of the B cells of step t (0: no dropout): its loss over the targets, z; with grad set the gradient of the
 * batch's loss is added. */
static double plain_cell(const Plain *o, const double *w, size_t c, size_t r, double B, uint64_t t, double *yhat, double *grad)
{
    double *h[MOST + 1], *d[MOST + 1], *keep[MOST + 1], loss = 0;     /* units, derivative before and share kept of each layer */
    for (int l = 0; l <= o->layers + 1; l++) {
        h[l] = NEW(double, o->size[l]); d[l] = NEW(double, o->size[l]); keep[l] = NEW(double, o->size[l]);
    }
    for (size_t p = 0; p < o->size[0]; p++) h[0][p] = o->x[c * o->G + (size_t) o->in[p]];
    for (int l = 1; l <= o->layers + 1; l++)
        for (size_t j = 0; j < o->size[l]; j++) {
            double a = w[o->b_at[l - 1] + j];
            for (size_t p = 0; p < o->size[l - 1]; p++) a += w[o->w_at[l - 1] + p + j * o->size[l - 1]] * h[l - 1][p];
            keep[l][j] = a > 0 ? !t || o->rho == 0 ? 1 : dropped(o, t, r, l, j) ? 0 : 1 / (1 - o->rho) : 0;
            h[l][j] = l > o->layers ? a : keep[l][j] * a;
        }
    for (size_t k = 0; k < o->S; k++) {
        double z = h[o->layers + 1][k], y = o->x[c * o->G + (size_t) o->out[k]], weight = o->zero + (o->value ? y : y > 0);
        double slope = *o->output == 's' ? 1 / (1 + exp(-z)) : *o->output == 'r' ? z > 0 : 1;
        yhat[k] = *o->output == 's' ? log1p(exp(-fabs(z))) + fmax(z, 0) : *o->output == 'r' ? fmax(z, 0) : z;
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
static double plain_batch(Plain *o, const int *cells, int n, int t, double lr)
{
    double *grad = NEW(double, o->n), *yhat = NEW(double, o->S), loss = 0;
    for (int r = 0; r < n; r++)
        loss += plain_cell(o, o->w, (size_t) cells[r], (size_t) r, n, (uint64_t) t, yhat, t ? grad : NULL);
    for (size_t k = 0; k < o->n && t; k++) {
        o->m[k] = 0.9 * o->m[k] + 0.1 * grad[k];
        o->v[k] = 0.999 * o->v[k] + 0.001 * grad[k] * grad[k];
        o->w[k] -= lr * sqrt(1 - pow(0.999, t)) / (1 - pow(0.9, t)) * o->m[k] / (sqrt(o->v[k]) + 1e-7);
    }
    return loss;
}

static void plain_start(Plain *o)
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

/* ---- a fit from given weights of one network: one step, of t = 2, behind a history of one iteration ---- */
typedef struct { double loss, *w, *m, *v; } Step;

static Step step_from(Setup s, Sparse x, const double *w, const double *m, const double *v, uint64_t seed)
{
    size_t n = weights_of(&s, x.nrow);
    set(&s, "max.iter", 2);
    Fit f = new_fit(&s, x);
    f.seed = seed;
    f.h->done = 1;
    f.h->valid[0] = 1;
    memcpy(f.state, w, (n - 1) * sizeof *w);
    if (m) memcpy(f.state + n, m, (n - 1) * sizeof *m);
    if (v) memcpy(f.state + 2 * n, v, (n - 1) * sizeof *v);
    CHECK(go(&s, &f) == ST_OK && f.h->n_iter == 2 && f.h->best_iter == 2 && f.h->stopped == STOPPED_MAX);
    SAME_BITS(f.weights, f.state, n - 1);
    return (Step) { f.h->train[1], f.state, f.state + n, f.state + 2 * n };
}

static int held_out(uint64_t seed, int cell, int n, int k)
{
    uint64_t left = (uint64_t) k;
    int yes = 0;
    for (int c = 0; c <= cell; c++) yes = rng_choose(seed, RNG_HOLD_OUT, (uint64_t) c, (uint64_t) n, &left);
    return yes;
}

static const double golden_w[] = { 0.5, 0.25, -0.5, 0.6, 0.1, 0.2, 1, 0.5, -0.5, 0.75, 0, 0.1 };
static const int golden_plan[] = { 1, 1, 2, 4, 2, 2, 0, 1, 2, 3 };

/* predictors, then targets; the third cell is there to be held out */
static Sparse golden_cells(void)
{
    static const double counts[12] = { 1, 0, 0, 4, 3, 2, 2, 1, 1, 1, 1, 1 };
    double x[12];
    for (int k = 0; k < 12; k++) x[k] = log1p(counts[k]);
    return sparse_of(x, 4, 3);
}

static void golden(void)
{
    static const double grad[12] = { 0.331454803337, 0.161451269782, 0.0728298407326, 0.0577162832473, 0.331228922109,
        0.0525356250268, 0.145741143238, 0.0226596431443, -0.186943936173, -0.00347712931289, 0.136487271722, -0.389483300774 };
    static const double after[12] = { 0.490000095405, 0.240000195862, -0.509999565818, 0.590000547870, 0.0900000954702,
        0.190000601894, 0.990000216974, 0.490001395360, -0.490000169154, 0.759990913757, -0.00999976831507, 0.109999918809 };
    static const double yhat[4] = { 0.941158041822, 0.633402535164, 1.425696112097, 0.550372155833 };
    const double tol = TOL(1e-9, 1e-5);
    Sparse x = golden_cells();
    Setup s = deepimpute(golden_plan, 2);
    uint64_t seed = 1;
    while (!held_out(seed, 2, 3, 1)) seed++;
    /* the page's first step has t = 1, a resumed one t = 2: the same with a rate that makes up for it */
    double one_lr = 0.01 * (sqrt(1 - 0.999) / (1 - 0.9)) / (sqrt(1 - 0.999 * 0.999) / (1 - 0.9 * 0.9));
    set(&s, "learning.rate", one_lr);
    Step one = step_from(s, x, golden_w, NULL, NULL, seed);
    NEAR(one.loss, 0.416221605805, tol);
    for (int k = 0; k < 12; k++) {
        NEAR(10 * one.m[k], grad[k], tol);
        NEAR(1000 * one.v[k], grad[k] * grad[k], tol);
        NEAR(one.w[k], after[k], tol);
    }
    set(&s, "learning.rate", 0.01);
    Step two = step_from(s, x, one.w, one.m, one.v, seed);
    NEAR(two.loss, 0.398415100445, tol);
    NEAR(step_from(s, x, two.w, two.m, two.v, seed).loss, 0.382786242235, tol);

    /* a seed that drops the first cell's second unit and no other */
    Plain o = plain_of(golden_plan, 0, x.x, 4);
    o.rho = 0.2;
    for (o.seed = 1; ; o.seed++) {
        int order[2], drops = 0;
        rng_permute(o.seed, RNG_ORDER, 2, order, 2);
        for (size_t r = 0; r < 2; r++) for (size_t j = 0; j < 2; j++) drops += dropped(&o, 2, r, 1, j);
        if (held_out(o.seed, 2, 3, 1) && drops == 1 && dropped(&o, 2, order[0] == 0 ? 0 : 1, 1, 1)) break;
    }
    int drops = 0;
    for (uint64_t t = 1; t <= 1000; t++) for (size_t j = 0; j < 20; j++) drops += dropped(&o, t, j / 2, 1, j % 2);
    WITHIN(fabs(drops / 20000.0 - 0.2), 5 * sqrt(0.16 / 20000));
    set(&s, "dropout", 0.2);
    NEAR(step_from(s, x, golden_w, NULL, NULL, o.seed).loss, 0.49369682236, tol);

    double w[13];
    memcpy(w, golden_w, sizeof golden_w);
    w[12] = 100;
    double *out = predicted(&s, x, w, 1);                /* with dropout set, which predicting ignores */
    for (int k = 0; k < 4; k++) NEAR(out[4 * (k / 2) + 2 + k % 2], yhat[k], tol);
    for (int c = 0; c < 3; c++) CHECK(isnan(out[4 * c]) && isnan(out[4 * c + 1]));
    /* A itself: the units twice, once turned round, and their difference */
    static const int twice[] = { 1, 1, 4, 4, 2, 2, 0, 1, 2, 3 };
    static const double a[] = { 0.446573590280, -0.146573590280, 1.067800252733, 0.166020192641 };
    static const double units[] = { 0.5, 0.25, -0.5, 0.6, -0.5, -0.25, 0.5, -0.6, 0.1, 0.2, -0.1, -0.2,
                                    1, 0, -1, 0, 0, 1, 0, -1, 0, 0, 100 };
    Setup l = deepimpute(twice, 2);
    set_word(&l, "output", "linear");
    out = predicted(&l, x, units, 1);
    for (int k = 0; k < 4; k++) NEAR(out[4 * (k / 2) + 2 + k % 2], a[k], tol);
}

#ifdef INFILL_DOUBLE
static double *random_weights(const Plain *o)
{
    double *w = NEW(double, o->n);
    for (size_t k = 0; k < o->n; k++) w[k] = (double) (real) between(-0.5, 0.5);
    return w;
}

/* central differences of the training loss; the gradient is read off the moments. every: one parameter out of so many */
static void differences(const char *output, double rho, double zero, int hidden, size_t every)
{
    enum { GENES = 9, CELLS = 8 };
    const int *plan = random_plan(1, hidden, GENES, 4, 3);
    double *x = random_matrix(GENES, CELLS, 0.6), worst = 0, scale = 0;
    Sparse s = sparse_of(x, GENES, CELLS);
    Plain o = plain_of(plan, 0, x, GENES);
    Setup d = deepimpute(plan, 2);
    set_word(&d, "output", output);
    set_word(&d, "loss.weights", hidden % 2 ? "value" : "binary");
    set(&d, "dropout", rho);
    set(&d, "zero.weight", zero);
    double *w = random_weights(&o);
    Step one = step_from(d, s, w, NULL, NULL, 3);
    for (size_t k = 0; k < o.n; k++) {
        double g = 10 * one.m[k], was = w[k];
        scale = fmax(scale, fabs(g));
        if (k % every) continue;
        w[k] = was + 1e-6;
        double up = step_from(d, s, w, NULL, NULL, 3).loss;
        w[k] = was - 1e-6;
        double down = step_from(d, s, w, NULL, NULL, 3).loss;
        w[k] = was;
        double e = fabs((up - down) / 2e-6 - g);
        if (!(e <= worst)) worst = e;
    }
    CHECK(scale > 0.02);
    WITHIN(worst / scale, 1e-8);
}

static void gradients(void)
{
    static const char *const outputs[] = { "softplus", "relu", "linear" };
    for (int k = 0; k < 12; k++)
        differences(outputs[k % 3], k / 3 % 2 ? 0.3 : 0, k / 6 ? 0.4 : 0, 3 + k % 2, 1);
    differences("softplus", 0.3, 0, 66, 7);
    differences("softplus", 0.3, 0, 4003, 1);
    differences("relu", 0.2, 0.3, 3067004, 7);
}
#endif

/* ---- whole fits ---- */
enum { GENES = 30, CELLS = 40, MAX_EPOCHS = 30 };
typedef struct { const char *output, *weights; int hidden, nets, batch, joint, best; double zero, rho, lr; int patience; } Case;

static Setup setup_of(const Case *c, const int *plan, int epochs)
{
    Setup s = deepimpute(plan, epochs);
    set_word(&s, "output", c->output);
    set_word(&s, "loss.weights", c->weights);
    set(&s, "batch.size", c->batch);
    set(&s, "joint", c->joint);
    set(&s, "best", c->best);
    set(&s, "zero.weight", c->zero);
    set(&s, "dropout", c->rho);
    set(&s, "learning.rate", c->lr);
    set(&s, "patience", c->patience);
    set(&s, "valid.fraction", 0.2);
    return s;
}

static void against_loops(const Case *c, int epochs)
{
    const double tol = TOL(1e-9, 1e-4);
    const int *plan = random_plan(c->nets, c->hidden, GENES, 7, 6);
    double *x = random_matrix(GENES, CELLS, 0.4), largest = 0, before = 0;
    Setup s = setup_of(c, plan, epochs);
    Fit f = new_fit(&s, sparse_of(x, GENES, CELLS));
    int learn[CELLS], held[CELLS], order[CELLS], n = 0, n_held = 0, n_nets = c->nets, going = n_nets;
    for (int k = 0; k < CELLS; k++) if (held_out(f.seed, k, CELLS, CELLS / 5)) held[n_held++] = k; else learn[n++] = k;
    for (int k = 0; k < GENES * CELLS; k++) largest = fmax(largest, x[k]);
    CHECK(n_held == 8);
    Plain *net = NEW(Plain, n_nets);
    History *h = NEW(History, n_nets);
    double **best = NEW(double *, n_nets);
    for (int k = 0; k < n_nets; k++) {
        net[k] = plain_of(plan, k, x, GENES);
        net[k].output = c->output; net[k].value = *c->weights == 'v'; net[k].rho = c->rho; net[k].zero = c->zero;
        plain_start(net + k);
        best[k] = NEW(double, net[k].n);
        h[k] = (History) { .train = NEW(double, epochs), .valid = NEW(double, epochs), .stopped = STOPPED_MAX };
    }
    int size = c->batch ? c->batch : n, batches = (n + size - 1) / size;
    for (int it = 1; it <= epochs && going; it++) {
        double sum = 0;
        rng_permute(f.seed, RNG_ORDER, (uint64_t) it, order, n);
        for (int k = 0; k < n; k++) order[k] = learn[order[k]];
        for (int k = 0; k < n_nets; k++) {
            if (h[k].stopped != STOPPED_MAX) continue;
            h[k].n_iter = it;
            for (int b = 0; b < batches; b++)
                h[k].train[it - 1] += plain_batch(net + k, order + b * size, n - b * size < size ? n - b * size : size,
                    (it - 1) * batches + b + 1, c->lr) / n;
            sum += h[k].valid[it - 1] = plain_batch(net + k, held, n_held, 0, 0) / n_held;
        }
        for (int k = 0; k < n_nets; k++) {
            if (h[k].stopped != STOPPED_MAX) continue;
            int at = h[k].best_iter;
            if (!at || (c->joint ? sum < before : h[k].valid[it - 1] < h[k].valid[at - 1])) {
                h[k].best_iter = it;
                memcpy(best[k], net[k].w, net[k].n * sizeof *best[k]);
            }
            if (it - h[k].best_iter >= c->patience) { h[k].stopped = STOPPED_VALID; going--; }
        }
        if (it == 1 || sum < before) before = sum;
    }
    CHECK(go(&s, &f) == ST_OK);
    size_t total = weights_of(&s, GENES), at = 0;
    int ended = 0;
    for (int k = 0; k < n_nets; k++) {
        const Plain *o = net + k;
        CHECK(f.h[k].n_iter == h[k].n_iter && f.h[k].stopped == h[k].stopped);
        CHECK(f.h[k].best_iter == (c->best ? h[k].best_iter : h[k].n_iter));
        WITHIN(apart(f.h[k].train, h[k].train, (size_t) h[k].n_iter), tol);
        WITHIN(apart(f.h[k].valid, h[k].valid, (size_t) h[k].n_iter), tol);
        for (int i = 0; i < h[k].n_iter; i++) CHECK(f.h[k].penalty[i] == 0);
        WITHIN(apart(f.state + at, o->w, o->n), tol);
        WITHIN(apart(f.state + total + at, o->m, o->n), tol);
        WITHIN(apart(f.state + 2 * total + at, o->v, o->n), tol);
        const double *w = c->best ? best[k] : o->w;
        WITHIN(apart(f.weights + at, w, o->n), tol);
        ended += h[k].stopped == STOPPED_VALID;
        /* Pearson's r and the squared error of the held-out values above 0 */
        double *y = NEW(double, o->S * CELLS), *e = NEW(double, o->S * CELLS), *z = NEW(double, o->S);
        size_t m = 0;
        for (int j = 0; j < n_held; j++) {
            plain_cell(o, w, (size_t) held[j], 0, 1, 0, z, NULL);
            for (size_t g = 0; g < o->S; g++) {
                y[m] = x[held[j] * GENES + o->out[g]];
                e[m] = z[g];
                m += y[m] > 0;
            }
        }
        Recovery r;
        Arena room = new_arena();
        CHECK(recovery_by_group(&room, y, e, NULL, m, 1, &r) == ST_OK);
        NEAR(f.h[k].mse, r.rmse * r.rmse, tol);
        NEAR(f.h[k].pearson, r.pearson, tol);
        at += o->n;
    }
    CHECK(at == total - 1 && f.weights[at] == 2 * largest);
    CHECK(c->patience < epochs ? ended == n_nets : !ended);
    CHECK(c->patience > epochs || c->joint == (h[0].n_iter == h[1].n_iter));
}

static void loops(void)
{
    static const Case cases[] = {
        { "softplus", "value", 5, 1, 0, 0, 0, 0, 0, 1e-2, 50 },
        { "softplus", "value", 66, 3, 10, 0, 0, 0, 0.2, 1e-3, 50 },
        { "relu", "binary", 7, 2, 16, 0, 1, 0, 0.5, 1e-2, 50 },
        { "linear", "value", 9, 3, 9, 0, 0, 0.3, 0.2, 1e-2, 50 },
        { "linear", "binary", 128, 2, 0, 1, 1, 0.1, 0, 1e-3, 50 },
        { "softplus", "binary", 6, 3, 31, 1, 0, 1, 0.3, 1e-2, 50 },
        { "softplus", "value", 9005, 2, 10, 0, 0, 0, 0.2, 1e-2, 50 },
        { "relu", "binary", 70003066, 2, 0, 0, 1, 0.2, 0.3, 1e-3, 50 },
    };
    for (int k = 0; k < 8; k++) { against_loops(cases + k, 5); clear(); }
}

static void early_ends(void)
{
    static const Case cases[] = {
        { "softplus", "value", 20, 3, 8, 0, 0, 0, 0.2, 0.02, 3 },
        { "softplus", "binary", 20, 4, 8, 0, 1, 0, 0, 0.01, 4 },
        { "linear", "value", 20, 3, 8, 1, 1, 0.2, 0.2, 0.02, 2 },
        { "softplus", "value", 20, 2, 0, 1, 0, 0, 0, 0.1, 3 },
        { "softplus", "value", 8020, 3, 8, 0, 0, 0, 0.2, 0.02, 3 },
    };
    for (int k = 0; k < 5; k++) { against_loops(cases + k, MAX_EPOCHS); clear(); }
}

static void same_history(const History *a, const History *b)
{
    CHECK(a->n_iter == b->n_iter && a->best_iter == b->best_iter && a->stopped == b->stopped);
    SAME_BITS(a->train, b->train, a->n_iter);
    SAME_BITS(a->valid, b->valid, a->n_iter);
    SAME_BITS(&a->pearson, &b->pearson, 1);
    SAME_BITS(&a->mse, &b->mse, 1);
}
static void same_fit(const Setup *s, const Fit *a, const Fit *b)
{
    size_t n = weights_of(s, a->x.nrow);
    for (int k = 0; k < parts_of(s); k++) same_history(a->h + k, b->h + k);
    SAME_BITS(a->weights, b->weights, n);
    SAME_BITS(a->state, b->state, 3 * n);
}

static void threads(void)
{
    static const int nets[] = { 1, 2, 3, 5 };
    for (int k = 0; k < 8; k++) {
        Case c = { "softplus", "value", k == 6 ? 66070 : k == 4 ? 90030090 : 70, nets[k % 4], 8, 0, k % 2, k / 4 * 0.2, 0.2, 0.02, 2 };
        Sparse x = sparse_of(random_matrix(GENES, CELLS, 0.4), GENES, CELLS);
        Setup s = setup_of(&c, random_plan(c.nets, c.hidden, GENES, 7, 6), 8);
        Fit first = fitted(&s, x);
        double *out = predicted(&s, x, first.weights, 1);
        for (int t = 2; t <= 4; t++) {
            Fit f = new_fit(&s, x);
            f.threads = t;
            CHECK(go(&s, &f) == ST_OK);
            same_fit(&s, &f, &first);
            double *p = predicted(&s, x, f.weights, t);
            SAME_BITS(p, out, GENES * CELLS);
        }
        clear();
    }
}

static Fit resumed(const Setup *s, Sparse x, int pause_at, int threads)
{
    Fit f = new_fit(s, x);
    f.pause_at = pause_at;
    f.threads = threads;
    CHECK(go(s, &f) == ST_OK);
    for (int k = 0; k < parts_of(s); k++) {
        f.h[k].done = f.h[k].n_iter;
        CHECK(f.h[k].stopped == STOPPED_PAUSE ? f.h[k].done == pause_at : f.h[k].done <= pause_at);
    }
    f.pause_at = 0;
    f.threads = 3 - threads;
    CHECK(go(s, &f) == ST_OK);
    return f;
}

static void pauses(void)
{
    int some_ended = 0;
    for (int k = 0; k < 8; k++) {
        Case c = { "softplus", "value", k == 5 ? 9020 : 20, 3, k & 2 ? 8 : 9, k / 4, k % 2, 0, 0.2, 0.03, 3 };
        Sparse x = sparse_of(random_matrix(GENES, CELLS, 0.4), GENES, CELLS);
        Setup s = setup_of(&c, random_plan(3, c.hidden, GENES, 7, 6), MAX_EPOCHS);
        Fit f = fitted(&s, x);
        for (int at = 1; at < MAX_EPOCHS; at += 3) {
            Fit g = resumed(&s, x, at, 1 + at % 2);
            same_fit(&s, &g, &f);
            int ended = 0, on = 0;
            for (int j = 0; j < 3; j++) { ended += f.h[j].n_iter <= at; on += f.h[j].n_iter > at; }
            some_ended += ended && on;
        }
        /* no more epochs than before, then more */
        Setup less = s;
        set(&less, "max.iter", 4);
        Fit g = fitted(&less, x), room = new_fit(&s, x);
        for (int j = 0; j < 3; j++) {
            room.h[j].done = g.h[j].n_iter;
            room.h[j].stopped = g.h[j].stopped;
            memcpy(room.h[j].train, g.h[j].train, 4 * sizeof(double));
            memcpy(room.h[j].valid, g.h[j].valid, 4 * sizeof(double));
        }
        room.weights = g.weights;
        room.state = g.state;
        CHECK(go(&s, &room) == ST_OK);
        same_fit(&s, &room, &f);
        clear();
    }
    CHECK(some_ended > 2);
}

/* the plan with the networks whose bit is set, in this order */
static int *some_of(const int *plan, unsigned bits)
{
    int *out = NEW(int, 2000), *to = out + 2 + plan[1];
    memcpy(out + 1, plan + 1, (size_t) (1 + plan[1]) * sizeof *out);
    for (int k = 0; k < plan[0]; k++) {
        const int *p = net_of(plan, k);
        if (!(bits >> k & 1)) continue;
        memcpy(to, p, (size_t) (3 + p[1] + p[2]) * sizeof *to);
        to += 3 + p[1] + p[2];
        out[0]++;
    }
    return out;
}

/* A network is what it is whatever the others are; and genes that no network uses change nothing but the guard. */
static void by_themselves(void)
{
    Case c = { "softplus", "value", 20, 4, 8, 0, 0, 0, 0.2, 0.03, 3 };
    double *x = random_matrix(GENES, CELLS, 0.4), *wide = random_matrix(2 * GENES, CELLS, 0.4);
    int *plan = random_plan(4, 20, GENES, 7, 6), *spread = NEW(int, 200);
    Sparse m = sparse_of(x, GENES, CELLS);
    Setup s = setup_of(&c, plan, 12);
    Fit f = fitted(&s, m);
    for (unsigned bits = 1; bits < 16; bits += 3) {
        Setup part = s;
        part.plan = some_of(plan, bits);
        Fit g = fitted(&part, m);
        size_t at = 0, mine = 0, n = weights_of(&s, GENES), few = weights_of(&part, GENES);
        for (int k = 0, j = 0; k < 4; k++) {
            size_t size = plain_of(plan, k, x, GENES).n;
            if (bits >> k & 1) {
                same_history(g.h + j++, f.h + k);
                for (size_t i = 0; i < 3; i++) SAME_BITS(g.state + i * few + mine, f.state + i * n + at, size);
                SAME_BITS(g.weights + mine, f.weights + at, size);
                mine += size;
            }
            at += size;
        }
        CHECK(mine == few - 1);
    }
    for (int k = 0; k < GENES * CELLS; k++) wide[2 * k + 1] = x[k];
    memcpy(spread, plan, 3 * sizeof *plan);
    for (int k = 0, at = 3; k < 4; k++) {
        const int *p = net_of(plan, k);
        for (int j = 0; j < 3 + p[1] + p[2]; j++, at++) spread[at] = j < 3 ? p[j] : 2 * p[j] + 1;
    }
    s.plan = spread;
    Fit g = fitted(&s, sparse_of(wide, 2 * GENES, CELLS));
    SAME_BITS(g.weights, f.weights, weights_of(&s, GENES) - 1);
    for (int k = 0; k < 4; k++) same_history(g.h + k, f.h + k);
}

/* Cells in another order, with the split and the order of the batches permuted alike: the same weights. The two fits have
 * seeds of their own; cell k of one is put where the other holds it out, or comes to it, at the same moment. */
static void permuted_cells(void)
{
    enum { LEARN = CELLS - 8, WEIGHTS = 7 * 20 + 20 + 20 * 6 + 6 };
    Case c = { "softplus", "value", 20, 1, 9, 0, 0, 0, 0, 0.02, 3 };
    const int *plan = random_plan(1, 20, GENES, 7, 6);
    double *x = random_matrix(GENES, CELLS, 0.4), *y = NEW(double, GENES * CELLS), *w = NEW(double, WEIGHTS);
    int at[2][CELLS], moved = 0;
    for (int k = 0; k < WEIGHTS; k++) w[k] = (double) (real) between(-0.5, 0.5);
    for (int s = 0; s < 2; s++) {                        /* when each cell is met: the batches, then those held out */
        int order[LEARN], learn[LEARN], n = 0, held = LEARN;
        for (int k = 0; k < CELLS; k++) if (held_out((uint64_t) s + 5, k, CELLS, 8)) at[s][held++] = k; else learn[n++] = k;
        rng_permute((uint64_t) s + 5, RNG_ORDER, 2, order, n);
        for (int k = 0; k < n; k++) at[s][k] = learn[order[k]];
    }
    for (int k = 0; k < CELLS; k++) {
        memcpy(y + at[1][k] * GENES, x + at[0][k] * GENES, GENES * sizeof *y);
        moved += at[0][k] != at[1][k];
    }
    CHECK(moved > CELLS / 2);
    Setup s = setup_of(&c, plan, 2);
    Step one = step_from(s, sparse_of(x, GENES, CELLS), w, NULL, NULL, 5);
    Step two = step_from(s, sparse_of(y, GENES, CELLS), w, NULL, NULL, 6);
    SAME_BITS(one.w, two.w, WEIGHTS);
    SAME_BITS(one.m, two.m, WEIGHTS);
    CHECK(one.loss == two.loss);
    CHECK(step_from(s, sparse_of(x, GENES, CELLS), w, NULL, NULL, 6).loss != one.loss);
}

static void seeds(void)
{
    Sparse x = sparse_of(random_matrix(GENES, CELLS, 0.5), GENES, CELLS);
    int *plan = random_plan(1, 6, GENES, 5, 4), *other = some_of(plan, 1);
    Setup s = deepimpute(plan, 2);
    size_t n = weights_of(&s, GENES);
    Fit a = fitted(&s, x);
    for (int k = 0; k < 3; k++) {
        Setup t = s;
        if (k == 2) { other[2]++; t.plan = other; }      /* the id */
        Fit b = new_fit(&t, x);
        if (k < 2) b.seed = k ? 17 + (1ull << 32) : 18;
        CHECK(go(&t, &b) == ST_OK);
        for (size_t j = 0; j < n - 1; j++) if (a.weights[j] == b.weights[j]) { CHECK(a.weights[j] == 0); break; }
    }
}

/* ---- predicting ---- */
static double *plain_predict(const int *plan, const char *output, const double *x, int cells, const double *w)
{
    double *y = NEW(double, GENES * cells);
    for (int k = 0; k < GENES * cells; k++) y[k] = NAN;
    for (int k = 0; k < plan[0]; k++) {
        Plain o = plain_of(plan, k, x, GENES);
        double *z = NEW(double, o.S);
        o.output = output;
        for (int c = 0; c < cells; c++) {
            plain_cell(&o, w, (size_t) c, 0, 1, 0, z, NULL);
            for (size_t g = 0; g < o.S; g++) y[c * GENES + o.out[g]] = z[g];
        }
        w += o.n;
    }
    return y;
}

static void predictions(void)
{
    enum { M = 600 };                                    /* more than a thread does at once */
    static const char *const outputs[] = { "softplus", "relu", "linear" };
    const int *plan = random_plan(3, 70, GENES, 7, 6);
    double *x = random_matrix(GENES, M, 0.4);
    Sparse m = sparse_of(x, GENES, M);
    for (int a = 0; a < 3; a++) {
        Setup s = deepimpute(plan, 1);
        set_word(&s, "output", outputs[a]);
        set(&s, "dropout", 0.5);
        set(&s, "zero.weight", a);
        size_t n = weights_of(&s, GENES);
        double *w = NEW(double, n), most = 0;
        for (size_t k = 0; k < n; k++) w[k] = (double) (real) between(-0.3, 0.4);
        double *want = plain_predict(plan, outputs[a], x, M, w);
        for (int k = 0; k < GENES * M; k++) if (want[k] > most) most = want[k];
        w[n - 1] = 0.7 * most;
        double *out = predicted(&s, m, w, 1);
        int wrong = 0, guarded = 0, below_zero = 0;
        for (int k = 0; k < GENES * M; k++) {
            if (fabs(want[k] - w[n - 1]) < 1e-4) continue;
            int none = !(want[k] <= w[n - 1]);
            guarded += none && !isnan(want[k]);
            below_zero += want[k] < 0;
            wrong += none ? !isnan(out[k]) : !(fabs(out[k] - want[k]) <= TOL(1e-12, 1e-5) * most);
        }
        CHECK(wrong == 0 && guarded > 0 && guarded < 9 * M && (below_zero > 0) == (a == 2));
        for (int t = 2; t <= 4; t++) {
            double *p = predicted(&s, m, w, t);
            SAME_BITS(p, out, GENES * M);
        }
        for (int from = 0, size; from < M; from += size) {       /* parts of the cells */
            size = from % 3 == 0 ? 1 : 1 + below(M - from);
            int *p = NEW(int, size + 1), first = m.p[from];
            for (int c = 0; c <= size; c++) p[c] = m.p[from + c] - first;
            double *y = predicted(&s, (Sparse) { GENES, size, p, m.i + first, m.x + first }, w, 2);
            SAME_BITS(y, out + GENES * from, GENES * size);
        }
        for (int k = 0; k < 3; k++) {                    /* one gene is wanted: that its network is asked is enough */
            int wanted[GENES] = { 0 };
            const int *p = net_of(plan, k), *targets = p + 3 + p[1];
            wanted[targets[2]] = 1;
            wanted[p[3]] = 0;
            double *y = NEW(double, GENES * M);
            Arena arena = new_arena();
            Predict job = { .x = m, .plan = plan, .weights = w, .wanted = wanted, .threads = 2, .tick = any_tick(), .out = y };
            CHECK(s.m->predict(&arena, s.params, &job) == ST_OK);
            for (int c = 0; c < M; c++) {
                SAME_BITS(y + c * GENES + targets[2], out + c * GENES + targets[2], 1);
                for (int j = 0; j < 3; j++) {            /* the others are not looked at */
                    const int *q = net_of(plan, j);
                    if (j != k) CHECK(isnan(y[c * GENES + q[3 + q[1]]]));
                }
            }
        }
    }
}

/* what is no number, or overflows, is no prediction */
static void no_numbers(void)
{
    static const int plan[] = { 1, 1, 1, 0, 1, 4, 0, 1, 2, 3, 4 };
    const double big = TOL(1e307, 1e38), x[10] = { 10, 1, 1, 1, 1, 100, 0, 0, 0, 0 };
    const double w[] = { 10, 0, big, -big, 1e-3, NAN, 0, 0, 0, 0, 1 };
    Setup s = deepimpute(plan, 1);
    set_word(&s, "output", "linear");
    double *y = predicted(&s, sparse_of(x, 5, 2), w, 1);
    NEAR(y[3], 0.1, 1e-6);
    NEAR(y[8], 1, 1e-6);
    for (int k = 0; k < 10; k++) CHECK(k % 5 == 3 || isnan(y[k]));
}

/* ---- small and empty ---- */

/* Predictors that are all zero: only the intercepts learn, and they go to sum y^2 / sum y = 2.5. */
static void intercepts(void)
{
    static const int plan[] = { 1, 1, 3, 0, 1, 1, 0, 1 };
    static const double y[4] = { 0, 1, 3, 2 };
    uint64_t seed = 1;
    while (!held_out(seed, 3, 4, 1)) seed++;
    double x[8] = { 0 };
    for (int c = 0; c < 4; c++) x[2 * c + 1] = y[c];
    Setup s = deepimpute(plan, 1500);
    set(&s, "patience", 1500);
    set(&s, "dropout", 0.2);
    Fit f = new_fit(&s, sparse_of(x, 2, 4));
    f.seed = seed;
    CHECK(go(&s, &f) == ST_OK);
    NEAR(f.h->train[f.h->n_iter - 1], 1, 1e-5);
    NEAR(predicted(&s, f.x, f.weights, 1)[1], 2.5, 1e-3);
    NEAR(f.h->mse, 0.25, 1e-3);
    CHECK(isnan(f.h->pearson));                          /* of one value there is none */
}

static void degenerate(void)
{
    static const int hidden[] = { 1, 65 };
    for (int k = 0; k < 16; k++) {
        int genes = k & 1 ? 2 : 12, cells = k & 2 ? 2 : 9, nets = k & 1 ? 1 : 3;
        int *plan = random_plan(nets, hidden[k / 4 % 2], genes, k & 1 ? 1 : 5, k & 1 ? 1 : 4);
        double *x = random_matrix(genes, cells, 0.8);
        const int *p = net_of(plan, 0);
        for (int c = 0; c < cells; c++)                  /* the first network's targets all zero */
            for (int j = 0; j < p[2]; j++) x[c * genes + p[3 + p[1] + j]] = 0;
        for (int g = 0; g < genes; g++) x[g] = 0;        /* an empty cell */
        Setup s = deepimpute(plan, 6);
        set(&s, "batch.size", k & 2 ? 64 : 3);
        set(&s, "zero.weight", k / 8);
        set(&s, "dropout", 0.2);
        set(&s, "best", k / 4 % 2);
        Sparse m = sparse_of(x, genes, cells);
        Fit f = fitted(&s, m);
        size_t n = weights_of(&s, genes);
        CHECK(all_finite(f.weights, n) && all_finite(f.state, 3 * n) && f.h->n_iter == 6);
        if (!(k / 8)) {                                  /* nothing to learn: no loss, no step */
            Plain o = plain_of(plan, 0, x, genes);
            plain_start(&o);
            CHECK(f.h->train[5] == 0 && f.h->valid[5] == 0 && isnan(f.h->mse) && isnan(f.h->pearson));
            for (size_t j = 0; j < o.n; j++) CHECK(f.weights[j] == o.w[j]);
        } else CHECK(f.h->train[5] > 0);
        double *y = predicted(&s, m, f.weights, 2);
        int *target = NEW(int, genes);
        for (int j = 0; j < nets; j++) for (int i = 0; i < net_of(plan, j)[2]; i++)
            target[net_of(plan, j)[3 + net_of(plan, j)[1] + i]] = 1;
        for (int c = 0; c < cells; c++)
            for (int g = 0; g < genes; g++) CHECK(isnan(y[c * genes + g]) || (target[g] && y[c * genes + g] >= 0));
        clear();
    }
}

static void diverges(void)
{
    for (int k = 0; k < 2; k++) {
        double *x = random_matrix(GENES, CELLS, 0.8);
        const int *plan = random_plan(3, 5, GENES, 7, 6);
        x[3 * GENES + net_of(plan, 2)[10]] = 1e200;      /* a target of the last */
        Setup s = deepimpute(plan, 5);
        Fit f = new_fit(&s, sparse_of(x, GENES, CELLS));
        f.threads = 1 + k;
        CHECK(go(&s, &f) == ST_DIVERGED && f.h->n_iter == 0);
    }
}

int main(void)
{
    RUN(golden);
#ifdef INFILL_DOUBLE
    RUN(gradients);
#endif
    RUN(loops);
    RUN(early_ends);
    RUN(threads);
    RUN(pauses);
    RUN(by_themselves);
    RUN(permuted_cells);
    RUN(seeds);
    RUN(predictions);
    RUN(no_numbers);
    RUN(intercepts);
    RUN(degenerate);
    RUN(diverges);
    return report("deepimpute");
}
