/* deepimpute.h: the networks of DeepImpute, for model_deepimpute.c and deepimpute_*.c. What is
 * computed: model_deepimpute.c.
 */
#ifndef INFILL_DEEPIMPUTE_H
#define INFILL_DEEPIMPUTE_H
#include "nn.h"

typedef struct {
    Train train;
    Ints hidden;                         /* as asked for; the plan has them as they are used */
    double dropout, zero_weight;
    int output, weights, joint, best;
} DiParams;
enum { OUTPUT_SOFTPLUS, OUTPUT_RELU, OUTPUT_LINEAR };
enum { WEIGHTS_VALUE, WEIGHTS_BINARY };

enum { MAX_LAYERS = 8, MAX_PARTS = 2 * (MAX_LAYERS + 1) };

/* What was decided before the fit: units of each hidden layer; of each network its id (for the
 * random streams), and how many predictors and targets it has; the rows in x of all predictors
 * (rising within a network) and targets, network after network. */
typedef struct { Ints hidden, network, n_predictors, n_targets, predictors, targets; } DiPlan;

/* Scratch of one thread: a batch of cells. */
typedef struct {
    Rows x, y, xt, yt;                   /* predictors and targets, by cell and by gene */
    size_t *x_from, *y_from;
    real *z, *dz, *w, *dz_by_gene;       /* at the entries of y: outputs, dl/dZ, weights */
    real *h[MAX_LAYERS], *dh[MAX_LAYERS];     /* of each hidden layer: panels, one row per cell */
    /* hidden units as the entries that the next layer reads, all of them */
    Rows mid[MAX_LAYERS - 1], mid_t;
    size_t *mid_from;
    real *mid_dh[MAX_LAYERS - 1];        /* one for each: the threads of a team are not in step */
    double *loss;                        /* per cell */
    uint32_t *bits;  /* a row per cell, wide enough for every layer: threads must not meet */
    size_t bits_row;
    int *each;  /* 0, 1, 2, ... and 1, 1, 1, ...: the sum over all cells as a product */
    real *one;
    int *all_i;                          /* one cell's targets, when zeros have a weight */
    real *all_x;
    int n;
} Work;

/* What all networks share. */
typedef struct {
    const DiParams *p;
    const DiPlan *plan;
    const Sparse *x;
    uint64_t seed;
    int layers, batch, n_learn, n_held;
    const int *units;                    /* of each hidden layer */
    double limit;
    size_t most_in, most_out;            /* predictors and targets of a network */
    Work *work;                          /* of each thread */
} Shared;

typedef struct {
    const Shared *s;
    Work *work;                          /* of the thread it runs on now */
    int team, id, n_in, n_out;
    const int *in, *out;
    Part part[MAX_PARTS];                /* W1, b1, ..., the last W and b */
    size_t n;                            /* places of all; a multiple of PANEL */
    int *map;                            /* per gene: 1 + row of W1, -(1 + row of W2), or 0 */
    Rows own_x, own_y;  /* the entries of all cells, picked once; p NULL: picked batch by batch */
    real *cur, *kept, *m, *v, *gb2;
    Optim opt;
} Net;

/* Layer 0 reads the predictors, layer `layers` gives the targets. */
static inline size_t inputs(const Net *net, int layer)
{
    return (size_t) (layer ? net->s->units[layer - 1] : net->n_in);
}
static inline size_t last_units(const Shared *s) { return (size_t) s->units[s->layers - 1]; }
static inline int n_parts(const Shared *s) { return 2 * (s->layers + 1); }
static inline size_t weight_at(const Net *net, int layer) { return net->part[2 * layer].at; }
static inline size_t bias_at(const Net *net, int layer) { return net->part[2 * layer + 1].at; }

/* deepimpute_net.c */
/* The parts of a network's weights; returns how many places they take. */
size_t di_parts(Part part[MAX_PARTS], int layers, const int *units, int n_in, int n_out);
/* The first n networks of the plan. */
void di_open(Net *nets, int n, Shared *s);
void di_map(Net *net);
double *di_out(const Net *net, const real *w, double *out);
const double *di_in(const Net *net, const double *in, real *w);
/* Scratch for batches of `cells`; learn: with what the gradients need. */
void di_work(Arena *a, Work *w, const Shared *s, size_t cells, int longest, int learn);
/* Copies of the networks' entries, if they all fit and zeros have no weight. */
void di_take_own(Arena *a, Net *nets, int n_nets);
void di_initialise(Net *net);

/* deepimpute_batch.c */
/* The entries of one cell that the net reads and those that it predicts, with their rows. */
void di_pick(const Sparse *x, int cell, const int *map, int *in, real *in_x, size_t *n_in, int *out,
             real *out_x, size_t *n_out);
/* The entries of these cells; targets that are 0 among them when they have a weight. */
void di_load(Net *net, const int *cells, int n);
/* Hidden layers of cells r0..r1-1. */
void di_hidden_layers(const Net *net, int r0, int r1, int learn);
void di_output(int kind, real *z, size_t n);
/* Hooks of nn_train(), on a Net. */
Status di_forward(void *self, const int *cells, int n, int learn, Losses *sum);
void di_update(void *self, int keep);
void di_keep(void *self);
void di_team(void *self, int thread, int n);
#endif
