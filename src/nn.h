/* nn.h: the toolkit of the network models.
 *
 * Activations and weights are panel matrices (core.h): an activation has one row per cell of the
 * block, a weight matrix one row per gene, or per unit on its dense side. Functions work on the
 * rows or panels they are given and start no threads of their own; the model decides what runs in
 * parallel. Gradients are added to what is there.
 */
#ifndef INFILL_NN_H
#define INFILL_NN_H
#include "kernels.h"
#include "model.h"

/* ---- sparse rows: a block of cells (or, transposed, of genes) as lists of entries in `real`
 * ---- */
typedef struct {
    int n;                     /* rows */
    size_t *p;                 /* n + 1 offsets */
    int *i;                    /* column of each entry, rising within a row */
    real *x;                   /* its value */
} Rows;
/* Room for so many rows and entries, and one entry more. */
void rows_take(Arena *a, Rows *r, size_t rows, size_t entries);
/* The entries of these cells of x. */
void rows_load(Rows *r, const Sparse *x, const int *cells, int n);
/* The first entry of row r whose column is at least `col`. */
size_t rows_from(const Rows *rows, int r, int col);
/* to (of n_cols rows) becomes the transpose of `from`; from_entry[k]: where the k-th entry of `to`
 * stands in `from`. to->p has n_cols + 1 places. */
void rows_transpose(const Rows *from, int n_cols, Rows *to, size_t *from_entry);

/* ---- layers (nn_dense.c). A layer of n_in inputs and n_out outputs: w: n_in rows, n_out columns,
 * in panels ---- */
/* y[r] = bias + sum over the entries of row r of x * w[i], for panel `q` of the outputs and rows r0
 * <= r < r1. bias: PANEL values of this panel, or NULL; val: the values to use, or NULL for x->x;
 * y_slab: ld rows x PANEL. */
void layer_sparse_in(const Rows *x, const real *val, int r0, int r1, const real *w_slab,
                     const real *bias, real *y_slab);
/* y[k] += <h[row of k], w[column of k]> at the entries of rows r0..r1-1 only: the sampled output
 * layer. */
void layer_sampled_out(const Rows *at, int r0, int r1, const real *w_slab, const real *h_slab,
                       real *y);
/* Dense input: y (n x n_out) = x (n x n_in) w + bias; dx = dy w'; dw += x' dy, db += column sums of
 * dy. All in panels. */
void dense_forward(size_t n, size_t n_in, size_t n_out, const real *x, const real *w,
                   const real *bias, real *y, real *scratch);
void dense_backward(size_t n, size_t n_in, size_t n_out, const real *dy, const real *w, real *dx,
                    real *scratch);
void dense_gradient(size_t n, size_t n_in, size_t n_out, const real *x, const real *dy, real *dw,
                    real *db, real *scratch);

/* ---- activations (nn_act.c), in place on n values; the backward form multiplies dy by the
 * derivative at the OUTPUT y ---- */
void act_sigmoid(real *y, size_t n);
void act_sigmoid_back(const real *y, real *dy, size_t n);
void act_relu(real *y, size_t n);
void act_relu_back(const real *y, real *dy, size_t n);
void act_softplus(real *y, size_t n);
void act_softplus_back(const real *y, real *dy, size_t n);
void act_selu(real *y, size_t n);
void act_selu_back(const real *y, real *dy, size_t n);
/* dropout: y[k] becomes 0 where bits[k] < below, scale times what it was elsewhere */
void act_drop(real *y, const uint32_t *bits, uint32_t below, real scale, size_t n);

/* ---- losses (nn_loss.c): the sum over n entries; dy (may be NULL) gets the derivative with
 * respect to y ---- */
double loss_squared(const real *y, const real *target, size_t n, real *dy);  /* (y - t)^2 */
/* w (y - t)^2 */
double loss_weighted(const real *y, const real *target, const real *weight, size_t n, real *dy);

/* y: n differences. The sum of their squares or sizes; y becomes each * y, or each * the sign of
 * y. */
double residual_square(real *y, size_t n, real each);
double residual_absolute(real *y, size_t n, real each);

/* ---- counts (nn_zinb.c): negative log-likelihood, and the outputs of the heads for log mean,
 * theta and zero inflation turned into their gradients, times `scale`. pull: weight of (R - x)^2/2
 * beside the likelihood. l is not used unless inflated. ---- */
typedef struct { int inflated; double scale, pull; } Zinb;
/* n zeros of one cell */
void zinb_zeros(const Zinb *z, size_t n, double log_size, real *mean, real *theta, real *l,
                double *nll, double *miss);
/* n counts x > 0, or any. miss: (R - x)^2 */
void zinb_counts(const Zinb *z, size_t n, const double *x, const double *log_size, double *mean,
                 double *theta, double *l, double *nll, double *miss);

/* ---- optimisers (nn_optim.c) ---- */
typedef enum { OPT_SGD, OPT_RMSPROP, OPT_ADAM, OPT_ADAMW } Rule;
typedef struct {
    Rule rule;
    double learning_rate;
    int t;                     /* steps done, this one included: Adam's bias correction */
    /* added to every gradient: decay times the weight; AdamW: the weight shrinks by rate and
     * decay */
    double decay;
    /* what depends on t, set by optim_next(); rate 0: worked out at every call */
    double rate, root;
    double epsilon;            /* Adam's, beside the root; 0: Keras' 1e-7 */
} Optim;
void optim_next(Optim *o);     /* to the next step: t, rate, root */
static inline size_t optim_states(Rule rule)
{
    return rule >= OPT_ADAM ? 2 : rule == OPT_RMSPROP ? 1 : 0;
}
/* The state before the first step: RMSProp starts at 1 (TensorFlow 1), Adam at 0. */
void optim_start(Rule rule, real *s, size_t n);
/* One step on n weights: to = w - step(g). to may be w. s: the first moment's place of RMSProp, or
 * Adam's m; v: Adam's v. */
void optim_step(const Optim *o, const real *w, const real *g, real *s, real *v, real *to, size_t n);

/* ---- weights (nn_weights.c): one vector in the network's own layout, matrices as R has them
 * ---- */
/* In panels of the matrix or of its transpose, or its rows one after the other. */
typedef enum { BY_ROW, BY_COLUMN, PLAIN } Kept;
typedef struct { const char *name; int nrow, ncol; Kept kept; size_t at; } Part;
static inline size_t part_at(const Part *m, size_t r, size_t c)
{
    if (m->kept == PLAIN) return m->at + r * (size_t) m->ncol + c;
    return m->at + (m->kept == BY_ROW ? panel_at((size_t) m->nrow, r, c)
                                      : panel_at((size_t) m->ncol, c, r));
}
/* Where each part starts; returns the places of all, each part's a multiple of 16. */
size_t weights_place(Part *part, int n);
/* All parts in their order, column-major; returns what follows in R's vector. */
double *weights_out(const Part *part, int n, const real *w, double *out);
const double *weights_in(const Part *part, int n, const double *in, real *w);
/* The same with several vectors, such as weights and moments, one after the other. */
void state_out(const Part *part, int n, real *const *of, int vectors, double *state);
void state_in(const Part *part, int n, const double *state, real *const *of, int vectors);
int weights_shape(const Part *part, int n, int k, Shape *s);       /* Model.shape */

/* Weights with the moments of each. */
typedef struct { real *w, *m, *v; } Trained;
static inline Trained trained_take(Arena *a, size_t n)
{
    return (Trained) { ARENA(a, real, n), ARENA(a, real, n), ARENA(a, real, n) };
}
static inline void trained_step(const Optim *o, const Trained *t, size_t at, const real *g,
                                size_t n)
{
    optim_step(o, t->w + at, g, t->m + at, t->v + at, t->w + at, n);
}

/* ---- prediction (nn_predict.c) ---- */
/* Cells first..first+n-1, on this thread. */
typedef void (*BlockWork)(void *self, int thread, int first, int n);
/* All cells, `at_once` of them for each thread at a time, with a tick in between. */
void predict_blocks(int cells, int at_once, int threads, Tick tick, BlockWork work, void *self);

/* ---- training (nn_train.c) ---- */
typedef enum { STOP_VALIDATION, STOP_WINDOW, STOP_PAPER, STOP_NEVER } StopRule;
typedef struct {
    double learning_rate, threshold, valid_fraction;
    int max_iter, batch_size, patience, stop;      /* batch_size 0: all cells at once */
} Train;
#define TRAIN_FIELDS(type, member) \
    F_REAL(type, "learning.rate", member.learning_rate, 1e-8, 10), \
    F_INT(type, "max.iter", member.max_iter, 1, 1e6), \
    F_INT(type, "batch.size", member.batch_size, 0, 1e9), \
    F_CHOICE(type, "stop", member.stop, "validation|window|paper"), \
    F_INT(type, "patience", member.patience, 1, 1e6), \
    F_REAL(type, "valid.fraction", member.valid_fraction, 0.001, 0.5), \
    F_REAL(type, "threshold", member.threshold, 0, 1e6)

typedef struct { double train, valid, penalty, part[CURVES]; } Losses;
/* What a model gives to nn_train. forward() adds the losses of these cells at the current weights;
 * with learn set it also keeps what update() needs. update() makes one step; with keep set the
 * weights before it stay behind as the best so far. keep() does the same without a step. One batch
 * is one forward() and one update(). */
typedef struct {
    void *self;
    Status (*forward)(void *self, const int *cells, int n, int learn, Losses *sum);
    void (*update)(void *self, int keep);
    void (*keep)(void *self);
    /* what follows is called on this thread and may use n; NULL: unasked */
    void (*team)(void *self, int thread, int n);
} Network;
typedef struct {
    const Network *nets;
    int n_nets, n_cells;
    /* cells kept from learning: forward() without learn on them gives the held-out loss. 0: the
     * networks hold out entries themselves and report them in Losses.valid */
    int held_cells;
    int joint;             /* all networks stop together, by the sum of their held-out losses */
    int keep_best;         /* keep() the best weights; otherwise those of the last iteration stay */
    /* a batch that would be incomplete is left out, and one batch of all cells is a batch like
     * others */
    int full_batches;
    int between_ticks;     /* batches; 0: 128 shared by the networks */
} Crew;
/* max(1, valid_fraction of the cells), 0 of a single cell. */
int nn_held_cells(const Train *t, int n_cells);
/* Runs iterations done + 1, ... of every network until the rule of t says stop; fills f->h[k] of
 * network k. An iteration is one pass over the cells, in the same order for all networks. Several
 * networks are trained at once, by one thread each; forward(), update() and keep() of one network
 * then run on any thread, and must not call the tick. */
Status nn_train(Arena *a, const Train *t, const Crew *crew, Fit *f);

#endif
