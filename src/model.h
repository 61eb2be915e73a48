/* model.h: what a model is to whoever fits it and predicts with it: one constant (Model), listed in
 * models.c. */
#ifndef INFILL_MODEL_H
#define INFILL_MODEL_H
#include "core.h"

/* ---- parameters: one table per model says name, kind, place and range; R asks for it ---- */
/* P_REAL_NA: or NA, which the struct gets as NaN */
typedef enum { P_REAL, P_REAL_NA, P_INT, P_FLAG, P_CHOICE, P_END } Kind;
typedef struct {
    const char *name;         /* the slot of the R class */
    Kind kind;
    size_t offset;            /* in the model's parameter struct: double, double, int, int, int */
    double lo, hi;            /* inclusive range of P_REAL and P_INT */
    const char *words;        /* P_CHOICE: the words, separated by '|'; the struct gets the index */
} Field;

/* ---- models ---- */
enum { CURVES = 5 };
typedef enum { STOPPED_MAX, STOPPED_VALID, STOPPED_PAPER, STOPPED_WINDOW, STOPPED_PAUSE,
               STOPPED_CLOSED, STOPPED_SETTLED, STOPPED_DIVERGED } Stopped;
/* One training curve. A model of several networks that are trained apart has one for each. */
typedef struct {
    /* one value per iteration, room for max_iter; the first `done` are given */
    double *train, *valid, *penalty;
    double *part;  /* CURVES per iteration: the parts of the loss, of a model that names them */
    int done;  /* iterations already there; > 0 resumes, unless `stopped` says it has ended */
    int n_iter, best_iter;
    Stopped stopped;
    double pearson, mse;  /* of the held-out values at the end; NaN where a model does not say */
} History;

typedef struct {
    /* given */
    /* prepared genes x cells, at least one of each; a stored zero would count as observed */
    Sparse x;
    /* what was decided before the fit, in the model's own encoding; NULL for most */
    const int *plan;
    const double *given;      /* numbers that go with the plan */
    uint64_t seed;
    int threads;
    Tick tick;
    int pause_at;             /* stop at this iteration with the state kept, 0: never */
    int want_state;           /* fill `state` (NULL otherwise) */
    /* given and filled */
    double *weights;          /* n_weights, the model's natural layout */
    double *state;            /* n_state: what a resumed fit needs beyond weights and history */
    /* one, or as many as the model has parts; histories that are done resume from `state` and
     * `weights` of a fit that stopped at STOPPED_PAUSE or STOPPED_MAX */
    History *h;
} Fit;

typedef struct {
    Sparse x;
    const int *plan;
    const double *weights;
    /* per gene of x: is its prediction asked for? NULL: all. Others may be left as they are */
    const int *wanted;
    int threads;
    Tick tick;
    /* genes x cells of x, column-major, on the scale of the prepared matrix; NaN: no prediction */
    double *out;
} Predict;

typedef struct { const char *name; int nrow, ncol; } Shape;      /* column-major as R has it */

typedef struct {
    const char *name;
    const Field *fields;      /* ends with P_END */
    size_t params_size;
    /* k-th matrix of weights; 0: no more */
    int (*shape)(const void *params, int n_genes, const int *plan, int k, Shape *s);
    int (*parts)(const int *plan);                               /* training curves; NULL: one */
    int (*max_iter)(const void *params, const int *plan);        /* NULL: closed form, no history */
    size_t state_per_weight;  /* n_state = this * n_weights, without `state` */
    Status (*fit)(Arena *, const void *params, Fit *);
    Status (*predict)(Arena *, const void *params, const Predict *);
    int needs_plan;           /* `plan` must not be NULL */
    const char *curves;  /* names of up to CURVES parts of the loss, separated by '|'; NULL: none */
    size_t (*given)(const int *plan);  /* how many numbers must be given with it; NULL: none */
    /* n_state; NULL: by weights */
    size_t (*state)(const void *params, int n_genes, const int *plan);
} Model;
const Model *model_find(const char *name);      /* NULL when there is none */
const Model *model_at(int k);                   /* k-th model, NULL behind the last */
size_t model_weights(const Model *m, const void *params, int n_genes, const int *plan);
size_t model_state(const Model *m, const void *params, int n_genes, const int *plan);
enum { PARAMS_MAX = 256 };                      /* bytes of the largest parameter struct */

/* ---- cells known again (core_cells.c) ---- */
/* What a cell looks like, as two whole numbers of 52 bits, in single precision. */
void cell_key(const Sparse *x, int cell, double key[2]);
/* known[c] = 1 + the fitted cell that looks like cell c of x, the first of several; 0: none. keys:
 * 2 numbers for each. */
Status cells_known(Arena *a, const Sparse *x, const double *keys, int n_keys, int *known);

#endif
