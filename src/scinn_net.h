/* scinn_net.h: the imputation network of scINN, for model_scinn.c, scinn_impute.c and scinn_back.c.
 * What is computed: model_scinn.c.
 */
#ifndef INFILL_SCINN_NET_H
#define INFILL_SCINN_NET_H
#include "scinn.h"

typedef struct {
    double learning_rate, decay, w_cluster, w_similarity, w_reconstruction, w_zero, drop,
        valid_fraction;
    int predictor, cluster_loss, patience;
} SnParams;
enum { PREDICTOR_MLP, PREDICTOR_LINEAR };

/* What was decided before the fit. */
typedef struct {
    int cells;                 /* 0: nothing to do */
    int clusters, latent;      /* how many clusters, and latent coordinates */
    int hidden, batch;         /* units of H1, cells of a batch */
    int iterations;            /* epochs */
    Ints labels;               /* the cluster of each cell, from 0 */
    Reals units;               /* latent coordinates of each cell, centred, of length 1 or 0 */
} SnPlan;
enum { JUDGE = 64, Z = SCINN_Z };                   /* units of H3 and of Z */

/* Weights as R sees them. */
enum { W1, B1, W2, B2, W3, B3, W4, B4, W5, B5, N_PARTS };

enum { SEEN, DROPPED, HELD };                       /* roles of an entry; HELD: for validation */

typedef struct {
    const SnParams *p;
    const Sparse *x;
    const SnPlan *plan;
    uint64_t seed;
    int G, n, hidden, K, L, B, judge, batches, team;
    size_t panels, longest;
    Part part[N_PARTS];
    size_t places;                                  /* of all weights */
    real *w, *m, *v, *kept;
    char *role;                                     /* of each entry of x; NULL: none is held out */
    size_t n_held;
    double variance;
    Rows in, in_t;  /* what f_I sees: a dropped entry is there with value 0 */
    size_t *from;
    real *xs, *r, *back;                            /* at the entries: the value, R, dO */
    char *what;                                     /* at the entries: the role in this batch */
    real *h1, *dh1, *h3, *dh3, *z, *dz, *logits, *da;
    real *xi, *parts;                               /* XI, block by block; shares of A3 or dH1 */
    double *loss;                                   /* per block: (R - xs)^2, R^2 */
    Similar similar;
    uint32_t *bits;
    Room *room;
    const int *cells;                               /* of the batch */
    int learns;
    double n_seen, n_zero;                          /* nw, n0 of the batch */
    Optim opt, bias_opt;
} Net;

static inline size_t panel_width(const Net *n, size_t q)
{
    size_t left = (size_t) n->hidden - q * PANEL;
    return left < PANEL ? left : PANEL;
}
/* work(n, from, to, room) on shares of the things, one for each thread */
static inline void sn_each(Net *n, size_t things,
                           void (*work)(Net *, size_t from, size_t to, const Room *))
{
    PARALLEL_FOR(n->team)
    for (int t = 0; t < n->team; t++) {
        size_t from, to;
        share(things, t, n->team, &from, &to);
        if (from < to) work(n, from, to, n->room + t);
    }
}

/* scinn_impute.c */
/* H1 of rows from..to-1 of n->in */
void sn_hidden(Net *n, size_t from, size_t to, const Room *room);
/* R of a block of genes, B cells */
void sn_block_outputs(const Net *n, size_t B, size_t block, real *out, real *scratch);
/* hooks of nn_train() */
Status sn_forward(void *self, const int *cells, int B, int learn, Losses *sum);
/* scinn_back.c */
void sn_update(void *self, int keep);
#endif
