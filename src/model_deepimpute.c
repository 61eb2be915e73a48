/* DeepImpute: small networks that predict groups of genes from the genes that correlate with them.
 * Arisdakessian, Poirion, Yunits, Zhu, Garmire, "DeepImpute: an accurate, fast, and scalable deep
 * neural network method to impute single-cell RNA-seq data", Genome Biology 20:211 (2019).
 *
 *   X, Y: log(1 + count) of the predictors and the targets of a network, predictors x cells and
 *         targets x cells
 *   A = W1'X + b1,  H = max(A, 0),  dropout in training: H o mask / (1 - rho)
 *   Z = W2'H + b2,  Yhat = softplus(Z)
 *   (further hidden layers, each with dropout, stand between H and Z when they are asked for)
 *   l = 1/(cells targets) sum w (Y - Yhat)^2, w = Y
 *   dZ = 2/(cells targets) w (Yhat - Y) logistic(Z);  dW2 = H dZ'
 *   dA = W2 dZ o [H > 0]/(1 - rho);  dW1 = X dA'
 *   batches of 64 cells, Adam (Keras), stop by the loss of held-out cells
 *
 * Deviations, and why (paper versus reference code: the model's help page, section Details):
 *   stop             each network by itself, as the paper says; the code's one joint model is
 *                    joint = TRUE
 *   order of cells   one permutation per epoch for all networks; dropout streams are the network's
 *                    own
 *   guard            a prediction above twice the largest training value is no prediction (NaN),
 *                    instead of 0
 *   gene choice, predictors: model-deepimpute.R and prep_correlation.c
 *
 * Arithmetic: targets that are 0 have no weight, so Z, dZ and what follows from it are computed at
 * the non-zero targets only, and the first layer on the non-zero predictors: exact. Each row of
 * weights meets its gradient and Adam in one go. A batch's entries are picked out of the one matrix
 * that all networks share.
 */
#include <limits.h>
#include <math.h>
#include <string.h>
#include "deepimpute.h"

static const Field fields[] = {
    TRAIN_FIELDS(DiParams, train),
    F_REAL(DiParams, "dropout", dropout, 0, 0.99),
    F_REAL(DiParams, "zero.weight", zero_weight, 0, 1e6),
    F_CHOICE(DiParams, "output", output, "softplus|relu|linear"),
    F_CHOICE(DiParams, "loss.weights", weights, "value|binary"),
    F_FLAG(DiParams, "joint", joint),
    F_FLAG(DiParams, "best", best),
    F_INTS_NA(DiParams, "hidden", hidden, 1, 1e6, 1, MAX_LAYERS),
    F_END
};
static const Field plan_fields[] = {
    F_INTS(DiPlan, "hidden", hidden, 1, 1e6, 1, MAX_LAYERS),
    F_INTS(DiPlan, "network", network, 0, 1 << 28, 1, ANY_LENGTH),
    F_INTS(DiPlan, "n.predictors", n_predictors, 0, INT_MAX, 1, ANY_LENGTH),
    F_INTS(DiPlan, "n.targets", n_targets, 1, INT_MAX, 1, ANY_LENGTH),
    F_INTS(DiPlan, "predictors", predictors, 0, INT_MAX, 0, ANY_LENGTH),
    F_INTS(DiPlan, "targets", targets, 0, INT_MAX, 1, ANY_LENGTH),
    F_END
};

static int parts(const void *plan) { return (int) ((const DiPlan *) plan)->network.n; }


/* ---- fit ---- */

static Shared shared(const DiParams *p, const Sparse *x, const DiPlan *plan)
{
    return (Shared) { .p = p, .plan = plan, .x = x, .layers = (int) plan->hidden.n,
                      .units = plan->hidden.at };
}

/* The networks of the plan with what they learn with; NULL: no memory. */
static Net *take_nets(Arena *a, Shared *s, const Fit *f)
{
    int n_nets = parts(f->plan), longest = sparse_longest(&f->x);
    Net *nets = ARENA(a, Net, n_nets);
    s->work = ARENA(a, Work, f->threads);
    if (a->failed) return NULL;
    di_open(nets, n_nets, s);
    for (int k = 0; k < n_nets; k++) {
        Net *net = nets + k;
        net->map = ARENA(a, int, f->x.nrow);
        net->cur = ARENA(a, real, net->n);
        net->m = ARENA(a, real, net->n);
        net->v = ARENA(a, real, net->n);
        net->gb2 = ARENA(a, real, panels_of(net->n_out) * PANEL);
        net->kept = s->p->best ? ARENA(a, real, net->n) : NULL;
    }
    for (int t = 0; t < f->threads; t++) di_work(a, s->work + t, s, (size_t) s->batch, longest, 1);
    if (a->failed) return NULL;
    for (int k = 0; k < n_nets; k++) di_map(nets + k);
    di_take_own(a, nets, n_nets);
    return a->failed ? NULL : nets;
}

static size_t n_weights(const DiParams *p, const Fit *f)
{
    return model_weights(model_find("deepimpute"), p, f->x.nrow, f->plan);
}

/* First weights, or those of the fit to go on from. */
static void start(Net *nets, int n_nets, const Fit *f)
{
    const Shared *s = nets->s;
    size_t total = n_weights(s->p, f);
    const double *from = f->state;
    for (int k = 0; k < n_nets; k++) {
        Net *net = nets + k;
        net->opt = (Optim) { OPT_ADAM, s->p->train.learning_rate, 0, 0, 0, 0, 0 };
        if (!f->h[k].done) { di_initialise(net); continue; }
        net->opt.t = f->h[k].done * ((s->n_learn + s->batch - 1) / s->batch);
        di_in(net, from + total, net->m);
        di_in(net, from + 2 * total, net->v);
        if (net->kept) di_in(net, f->weights + (from - f->state), net->kept);
        from = di_in(net, from, net->cur);
    }
}

/* Weights and state, as R has them. */
static void give(const Net *nets, int n_nets, Fit *f)
{
    size_t total = n_weights(nets->s->p, f);
    double *to = f->weights;
    for (int k = 0; k < n_nets; k++)
        to = di_out(nets + k, nets[k].kept ? nets[k].kept : nets[k].cur, to);
    *f->extras = 2 * nets->s->limit;
    for (int part = 0; f->want_state && part < 3; part++) {
        to = f->state + (size_t) part * total;
        for (int k = 0; k < n_nets; k++)
            to = di_out(nets + k, part == 0 ? nets[k].cur : part == 1 ? nets[k].m : nets[k].v, to);
    }
}

/* Pearson's r and the error of the held-out values above 0, at the weights that the fit gives (they
 * are left in `cur`). */
static void report(Net *net, const Fit *f, const int *held, History *h)
{
    const Rows *out = &net->s->work->y;
    double n = 0, y = 0, z = 0, yy = 0, zz = 0, yz = 0, miss = 0;
    Losses sum = { 0 };
    if (net->kept) memcpy(net->cur, net->kept, net->n * sizeof(real));
    di_team(net, 0, f->threads);
    for (int c = 0, batch = net->s->batch; c < net->s->n_held; c += batch) {
        di_forward(net, held + c, c + batch < net->s->n_held ? batch : net->s->n_held - c, 0, &sum);
        for (size_t k = 0; k < out->p[out->n]; k++) {
            double t = (double) out->x[k], v = (double) net->work->z[k];
            if (t <= 0) continue;
            n++; y += t; z += v; yy += t * t; zz += v * v; yz += t * v; miss += (t - v) * (t - v);
        }
    }
    if (n < 1) return;
    double vy = yy - y * y / n, vz = zz - z * z / n;
    h->mse = miss / n;
    if (vy > 0 && vz > 0) h->pearson = (yz - y * z / n) / sqrt(vy * vz);
}

static void report_all(Net *nets, int n_nets, const Fit *f, int *held)
{
    uint64_t left = (uint64_t) nets->s->n_held;
    for (int c = 0, n = 0; c < f->x.ncol; c++)
        if (rng_choose(f->seed, RNG_HOLD_OUT, (uint64_t) c, (uint64_t) f->x.ncol, &left))
            held[n++] = c;
    for (int k = 0; k < n_nets; k++) {
        report(nets + k, f, held, f->h + k);
        tick_idle(f->tick);
    }
}

static Status fit(Arena *a, const void *params, Fit *f)
{
    const DiParams *p = params;
    int n_nets = parts(f->plan);
    Shared s = shared(p, &f->x, f->plan);
    s.seed = f->seed;
    s.n_held = nn_held_cells(&p->train, f->x.ncol);
    s.n_learn = f->x.ncol - s.n_held;
    s.batch = p->train.batch_size && p->train.batch_size < s.n_learn ? p->train.batch_size
                                                                     : s.n_learn;
    for (int k = 0; k < f->x.p[f->x.ncol]; k++) if (f->x.x[k] > s.limit) s.limit = f->x.x[k];
    Network *hooks = ARENA(a, Network, n_nets);
    int *held = ARENA(a, int, s.n_held);
    Net *nets = a->failed ? NULL : take_nets(a, &s, f);
    if (!nets) return ST_NOMEM;
    start(nets, n_nets, f);
    for (int k = 0; k < n_nets; k++)
        hooks[k] = (Network) { nets + k, di_forward, di_update, di_keep, di_team };
    Crew crew = { .nets = hooks, .n_nets = n_nets, .n_cells = f->x.ncol, .held_cells = s.n_held,
                  .joint = p->joint, .keep_best = p->best };
    Status st = nn_train(a, &p->train, &crew, f);
    if (st) return st;
    give(nets, n_nets, f);
    report_all(nets, n_nets, f, held);
    return ST_OK;
}

/* ---- prediction ---- */

enum { AT_ONCE = 256 };                  /* cells of one thread at a time */
/* Every thread has nets of its own, which point into the same weights. */
typedef struct {
    Shared s;
    Net *nets;
    int n_nets;
    real **z, **scratch;
    int *cells;
    double limit, *out;
} Job;

/* Targets of the net in the cells from..from+n-1, into `out`, genes x these cells. */
static void predict_cells(Net *net, const int *cells, int n, double limit, real *z, real *scratch,
                          double *out)
{
    Work *w = net->work;
    int L = net->s->layers;
    size_t S = (size_t) net->n_out, H = last_units(net->s), G = (size_t) net->s->x->nrow;
    di_load(net, cells, n);
    for (int r = 0; r < n; r++)
        memcpy(z + (size_t) r * S, net->cur + bias_at(net, L), S * sizeof(real));
    di_hidden_layers(net, 0, n, 0);
    for (size_t q = 0; q * PANEL < H; q++)
        gemm(0, 1, (size_t) n, S, H - q * PANEL < PANEL ? H - q * PANEL : PANEL,
             w->h[L - 1] + q * (size_t) n * PANEL, PANEL,
             net->cur + weight_at(net, L) + q * S * PANEL, PANEL, 1, z, S, scratch);
    di_output(net->s->p->output, z, (size_t) n * S);
    for (size_t r = 0; r < (size_t) n; r++)
        for (size_t k = 0; k < S; k++) {
            double v = (double) z[r * S + k];
            if (isfinite(v) && v <= limit) out[r * G + (size_t) net->out[k]] = v;
        }
}

/* Cells first..first+n-1 through all networks that have a target that is asked for. */
static void predict_block(void *self, int thread, int first, int n)
{
    Job *job = self;
    for (int k = 0; k < job->n_nets; k++) {
        Net *net = job->nets + (size_t) thread * (size_t) job->n_nets + k;
        net->work = job->s.work + thread;
        if (net->team)
            predict_cells(net, job->cells + first, n, job->limit, job->z[thread],
                          job->scratch[thread],
                          job->out + (size_t) first * (size_t) job->s.x->nrow);
    }
}

static void take_job(Arena *a, Job *job, const Predict *p)
{
    int threads = p->threads, longest = sparse_longest(&p->x);
    job->nets = ARENA(a, Net, (size_t) job->n_nets * (size_t) threads);
    job->s.work = ARENA(a, Work, threads);
    job->z = ARENA(a, real *, threads);
    job->scratch = ARENA(a, real *, threads);
    job->cells = ARENA(a, int, p->x.ncol);
    if (a->failed) return;
    di_open(job->nets, job->n_nets, &job->s);
    for (int k = 0; k < job->n_nets; k++) {
        Net *net = job->nets + k;
        net->map = ARENA(a, int, p->x.nrow);
        net->cur = ARENA(a, real, net->n);
    }
    for (int t = 0; t < threads && !a->failed; t++) {
        di_work(a, job->s.work + t, &job->s, AT_ONCE, longest, 0);
        job->z[t] = ARENA(a, real, AT_ONCE * job->s.most_out);
        job->scratch[t] = ARENA(a, real, GEMM_SCRATCH);
    }
}

static int is_wanted(const Net *net, const int *wanted)
{
    int any = !wanted;
    for (int g = 0; g < net->n_out && !any; g++) any = wanted[net->out[g]];
    return any;
}

static Status predict(Arena *a, const void *params, const Predict *p)
{
    Job job = { .s = shared(params, &p->x, p->plan), .n_nets = parts(p->plan), .limit = *p->extras,
                .out = p->out };
    take_job(a, &job, p);
    if (a->failed) return ST_NOMEM;
    const double *from = p->weights;
    for (int k = 0; k < job.n_nets; k++) {
        di_map(job.nets + k);
        from = di_in(job.nets + k, from, job.nets[k].cur);
        job.nets[k].team = is_wanted(job.nets + k, p->wanted);
    }
    for (int t = 1; t < p->threads; t++)
        memcpy(job.nets + (size_t) t * (size_t) job.n_nets, job.nets,
               (size_t) job.n_nets * sizeof *job.nets);
    for (int c = 0; c < p->x.ncol; c++) job.cells[c] = c;
    for (size_t k = 0; k < (size_t) p->x.nrow * (size_t) p->x.ncol; k++) p->out[k] = NAN;
    predict_blocks(p->x.ncol, AT_ONCE, p->threads, p->tick, predict_block, &job);
    return ST_OK;
}

static int shape(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    const DiPlan *p = plan;
    int layers = (int) p->hidden.n, per_net = 2 * (layers + 1), net = k / per_net;
    Part part[MAX_PARTS];
    (void) params; (void) n_genes;
    if (net >= parts(plan)) return 0;
    di_parts(part, layers, p->hidden.at, p->n_predictors.at[net], p->n_targets.at[net]);
    return weights_shape(part, per_net, k % per_net, s);
}

/* Above this a prediction is none. */
static int extras(const void *params, int n_genes, const void *plan, int k, Shape *s)
{
    (void) params; (void) n_genes; (void) plan;
    *s = (Shape) { "limit", 1, 1 };
    return k < 1;
}

static int in_all(const Ints *each, const Ints *all)
{
    size_t sum = 0;
    for (size_t k = 0; k < each->n; k++) sum += (size_t) each->at[k];
    return sum == all->n;
}

static int all_below(const Ints *x, int n)
{
    for (size_t k = 0; k < x->n; k++) if (x->at[k] >= n) return 0;
    return 1;
}

static const Field *odd(const void *params, const void *plan, int n_genes)
{
    const DiPlan *p = plan;
    enum { HIDDEN, NETWORK, N_PREDICTORS, N_TARGETS, PREDICTORS, TARGETS };
    (void) params;
    if (p->n_predictors.n != p->network.n || !in_all(&p->n_predictors, &p->predictors))
        return plan_fields + N_PREDICTORS;
    if (p->n_targets.n != p->network.n || !in_all(&p->n_targets, &p->targets))
        return plan_fields + N_TARGETS;
    if (!all_below(&p->predictors, n_genes)) return plan_fields + PREDICTORS;
    return all_below(&p->targets, n_genes) ? NULL : plan_fields + TARGETS;
}

static int max_iter(const void *params, const void *plan)
{
    (void) plan;
    return ((const DiParams *) params)->train.max_iter;
}

const Model model_deepimpute = { .name = "deepimpute", .fields = fields,
                                 .params_size = sizeof(DiParams), .plan_fields = plan_fields,
                                 .plan_size = sizeof(DiPlan), .odd = odd, .shape = shape,
                                 .extras = extras, .parts = parts, .max_iter = max_iter,
                                 .state_per_weight = 3, .fit = fit, .predict = predict };
