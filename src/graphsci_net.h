/* graphsci_net.h: GraphSCI as a whole, for the files graphsci_*.c and model_graphsci.c. What is
 * computed: model_graphsci.c. */
#ifndef INFILL_GRAPHSCI_NET_H
#define INFILL_GRAPHSCI_NET_H
#include "graphsci.h"

typedef struct {
    double learning_rate, dropout, cell_dropout, l2, mse_weight, valid_fraction;
    int dist, latent, inner, init, stop, patience, scale, eval, n_draws;
} GsParams;
enum { DIST_ZINB, DIST_NB };
enum { LATENT_CODE, LATENT_INNER };
enum { INNER_FULL, INNER_EDGES };
enum { INIT_DATA, INIT_REFERENCE };
enum { UNTIL_VALIDATION, UNTIL_COST, UNTIL_NONE };
enum { EVAL_BATCH, EVAL_REFERENCE };

/* What was decided before the fit. */
typedef struct {
    int cells, iterations;     /* iterations: epochs */
    Ints first, neighbours;    /* the graph, in both directions: genes + 1 offsets, neighbours */
    Ints pairs;                /* pairs held out, two genes each, and as many that are no edges */
    Reals size;                /* of each cell */
} GsPlan;
static inline size_t gs_pairs(const GsPlan *p) { return p->pairs.n / 4; }      /* held out */
/* graphsci_plan.c */
extern const Field gs_plan_fields[];
const Field *gs_odd(const void *params, const void *plan, int n_genes);
enum { H1 = 16, H2 = 32, CHUNKS = 16, GENES = 64 };  /* GENES: of a block of the heads */

/* ---- parameters: one vector, and the same for gradients (but W's) and moments ---- */
enum { W, W0, W1, WM, WS, B, U1, G1, B1, U2, G2, B2, UP, GP, BP, UT, GT, BT, UM, GM, BM, N_BLOCKS };
typedef struct { size_t at[N_BLOCKS + 1]; } Places;
/* blocks of the heads: mean, theta, inflation */
extern const int gs_head_u[3], gs_head_g[3], gs_head_b[3];

/* What the fit gives, for predictions: E2, the heads (mean, theta, inflation) with batch norm
 * folded in, of each draw; mu in factors. E2: cells x 32 draws; U: 32 draws x genes; bias: genes x
 * draws. */
typedef struct { int draws; double *E2, *U[3], *bias[3], *Qa, *Wm, *size, *keys; } Result;
Result gs_result(double *weights, double *extras, size_t N, size_t M, const GsParams *p);
static inline int gs_draws(const GsParams *p) { return p->n_draws > 0 ? p->n_draws : 1; }
/* The three numbers of a cell and a gene behind the heads, of one draw. */
static inline double gs_head(const Result *r, int h, int draw, size_t N, size_t M, size_t cell,
                             size_t gene)
{
    double o = r->bias[h][(size_t) draw * N + gene];
    const double *u = r->U[h] + (gene * (size_t) r->draws + (size_t) draw) * H2,
                 *e = r->E2 + (size_t) draw * M * H2 + cell;
    for (size_t l = 0; l < H2; l++) o += e[l * M] * u[l];
    return o;
}

enum { SOME = 2048 };                      /* non-zeros at once */
typedef struct {                           /* of a thread */
    real *mu, *s, *dv;                     /* tiles; for the heads: rows of 64 genes */
    real *o[3], *y[3], *grad, *column, *scratch;
    double *x, *size, *mean, *theta, *l, *nll, *miss;
    int *where;
} Room;

typedef struct {
    const GsParams *p;
    const Sparse *y;                       /* counts, genes x cells */
    const double *size;
    const GsPlan *plan;
    uint64_t seed;
    int N, M, tiles, T, inner, on_edges, inflated, epoch;
    /* Z drawn; dropout; batch norm of the hidden layers with mean 0 and variance 1 */
    int noise, drop, reference;
    size_t pad;
    Places at;
    real *w, *g, *m, *v;                   /* g: without W */
    Neighbours graph;
    TileCost cost;
    Rows cells, genes;                     /* log(1 + count/size), by cell and by gene */
    real *mean, *over, *X;                 /* of a gene's logarithms: mean, 1/sd; X NULL: sparse */
    /* genes x 16 or 32 */
    real *P0, *T1, *H1d, *P1, *T2, *HA, *HB, *Qa, *Qb, *mask1, *mask_a, *mask_b, *mixed;
    real *mu, *s, *z, *dz;                 /* genes x 32, latent = "inner" */
    real *E0, *A1, *E1, *A2, *E2, *dE2, *dE1, inv1[H1], inv2[H2];
    real *parts_cells, *parts_a, *parts_b;
    /* per tile: edge cost, divergence, squares of W; per block of heads: nll, miss */
    double *sums;
    double *held, n_in, n_held;            /* entries in the likelihood, and left out */
    Tick tick;                             /* behind each pass of an epoch */
    uint32_t held_below;                   /* draws below this are left out */
    const Result *now;
    size_t *entry;
    real *ones;
    Room *room;
    Optim opt;
} Net;

/* ---- graphsci_net.c ---- */
/* bits[j] < gs_held_below(): entry of cell and gene j of the block is left out; 0: none is */
int gs_is_held(const Net *n, size_t block, size_t cell, uint32_t bits[GENES]);
uint32_t gs_held_below(const Net *n);
/* work(n, from, to, room) on shares of the things, one for each thread */
void gs_each(Net *n, size_t things, void (*work)(Net *, size_t from, size_t to, Room *));
/* CHUNKS fixed shares of sums over tiles, added in order; chunk k of `things` is a..b-1 */
#define CHUNK(k, things, a, b) size_t a, b; share((size_t) (things), (int) (k), CHUNKS, &a, &b)
void gs_add_parts(real *sum, const real *parts, size_t stride, size_t len);
double gs_squares(const real *x, size_t n);
void gs_step(const Net *n, const Optim *o, size_t at, const real *g, size_t len);

static inline real *part_of(Net *n, int block) { return n->w + n->at.at[block]; }
/* a W in tiles has none: it meets its gradient tile by tile */
static inline real *grad_at(Net *n, size_t at)
{
    return n->g + (at - n->at.at[n->on_edges ? W : W0]);
}
static inline real *grad_of(Net *n, int block) { return grad_at(n, n->at.at[block]); }
static inline size_t head_blocks(const Net *n) { return ((size_t) n->N + GENES - 1) / GENES; }
static inline size_t genes_here(const Net *n, size_t block)
{
    size_t left = (size_t) n->N - block * GENES;
    return left < GENES ? left : GENES;
}

/* graphsci_setup.c */
Net gs_net(const GsParams *p, const Fit *f);
void gs_take(Arena *a, Net *n);
void gs_ready(Net *n);                     /* what does not change, and the first weights */
/* graphsci_graph.c: to Qa, Qb (Z) and back from dQa, dQb (dZ), which are in parts_a and parts_b
 * (and dz) */
/* X of up to 64 genes, cells x 64; dropped entries 0 */
void gs_x_block(const Net *n, int first, size_t width, real *out);
void gs_graph_forward(Net *n);
void gs_graph_back(Net *n);
/* graphsci_layers.c: to E2; back from dE2 (in parts_cells) to the gradients of all cell layers, W
 * with its step */
void gs_layers_forward(Net *n);
void gs_layers_back(Net *n);
void gs_tiles_back(Net *n);
/* graphsci_heads.c */
/* likelihood and error into sums; dE2 in parts_cells; the heads' gradients */
void gs_heads(Net *n);
/* the net as it stands, as draw `draw` of the result */
void gs_keep(Net *n, const Result *to, int draw);
/* mean negative log-likelihood of the held-out entries */
double gs_held(Net *n, const Result *now);
#endif
