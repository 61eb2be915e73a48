/* model.h: what a model is to whoever fits it and predicts with it: one constant (Model), listed in
 * models.c. */
#ifndef INFILL_MODEL_H
#define INFILL_MODEL_H
#include "core.h"

/* ---- parameters and plans: a table says name, kind, place and range of each member ---- */
typedef struct { size_t n; const int *at; } Ints;
typedef struct { size_t n; const double *at; } Reals;
/* P_REAL_NA: or NA, which the struct gets as NaN; P_INTS_NA: or NA, an empty vector */
typedef enum { P_REAL, P_REAL_NA, P_INT, P_FLAG, P_CHOICE, P_INTS, P_INTS_NA, P_REALS,
               P_END } Kind;
typedef struct {
    const char *name;         /* the slot of the R class, or the element of the plan */
    Kind kind;
    size_t offset;            /* in the struct: double, double, int, int, int, Ints, Ints, Reals */
    double lo, hi;            /* inclusive range of numbers */
    /* P_CHOICE: the words, separated by '|', of which the struct gets the index; P_INTS: "falling"
     * where none may be larger than the one before */
    const char *words;
    double least, most;       /* length of a vector */
} Field;
#define F_REAL(type, name, member, lo, hi) \
    { name, P_REAL, offsetof(type, member), lo, hi, NULL, 1, 1 }
#define F_REAL_NA(type, name, member, lo, hi) \
    { name, P_REAL_NA, offsetof(type, member), lo, hi, NULL, 1, 1 }
#define F_INT(type, name, member, lo, hi) \
    { name, P_INT, offsetof(type, member), lo, hi, NULL, 1, 1 }
#define F_FLAG(type, name, member) { name, P_FLAG, offsetof(type, member), 0, 1, NULL, 1, 1 }
#define F_CHOICE(type, name, member, words) \
    { name, P_CHOICE, offsetof(type, member), 0, 0, words, 1, 1 }
#define F_INTS(type, name, member, lo, hi, least, most) \
    { name, P_INTS, offsetof(type, member), lo, hi, NULL, least, most }
#define F_INTS_FALLING(type, name, member, lo, hi, least, most) \
    { name, P_INTS, offsetof(type, member), lo, hi, "falling", least, most }
#define F_INTS_NA(type, name, member, lo, hi, least, most) \
    { name, P_INTS_NA, offsetof(type, member), lo, hi, NULL, least, most }
#define F_REALS(type, name, member, lo, hi, least, most) \
    { name, P_REALS, offsetof(type, member), lo, hi, NULL, least, most }
#define F_END { NULL, P_END, 0, 0, 0, NULL, 0, 0 }
/* Is this member of the struct within the range and length of its field? */
int field_holds(const Field *f, const void *of);
/* The longest a vector of a plan can be. */
#define ANY_LENGTH 2147483647.0

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
    const void *plan;         /* what was decided before the fit, the model's struct; or NULL */
    uint64_t seed;
    int threads;
    Tick tick;
    int pause_at;             /* stop at this iteration with the state kept, 0: never */
    int want_state;           /* fill `state` (NULL otherwise) */
    /* given and filled */
    double *weights;          /* n_weights, the model's natural layout */
    double *extras;           /* n_extras: what else predictions need, or the user may want */
    double *state;            /* n_state: what a resumed fit needs beyond weights and history */
    /* one, or as many as the model has parts; histories that are done resume from `state` and
     * `weights` of a fit that stopped at STOPPED_PAUSE or STOPPED_MAX */
    History *h;
} Fit;

typedef struct {
    Sparse x;
    const void *plan;
    const double *weights, *extras;
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
    const Field *fields;      /* ends with F_END */
    size_t params_size;
    const Field *plan_fields; /* NULL: no plan */
    size_t plan_size;
    /* The member of the plan that does not go with the others, the parameters or so many genes;
     * NULL: there is none. Ranges have been looked at. */
    const Field *(*odd)(const void *params, const void *plan, int n_genes);
    /* k-th matrix of weights, and of what else the fit keeps; 0: no more. extras NULL: nothing */
    int (*shape)(const void *params, int n_genes, const void *plan, int k, Shape *s);
    int (*extras)(const void *params, int n_genes, const void *plan, int k, Shape *s);
    int (*parts)(const void *plan);                              /* training curves; NULL: one */
    int (*max_iter)(const void *params, const void *plan);       /* NULL: closed form, no history */
    size_t state_per_weight;  /* n_state = this * n_weights, without `state` */
    /* n_state; NULL: by weights */
    size_t (*state)(const void *params, int n_genes, const void *plan);
    Status (*fit)(Arena *, const void *params, Fit *);
    Status (*predict)(Arena *, const void *params, const Predict *);
    const char *curves;  /* names of up to CURVES parts of the loss, separated by '|'; NULL: none */
} Model;
const Model *model_find(const char *name);      /* NULL when there is none */
const Model *model_at(int k);                   /* k-th model, NULL behind the last */
/* What of a plan is not as it must be: out of its range, or odd; NULL: nothing. Behind it nothing
 * checks again. */
const Field *model_damage(const Model *m, const void *params, const void *plan, int n_genes);
size_t model_weights(const Model *m, const void *params, int n_genes, const void *plan);
size_t model_extras(const Model *m, const void *params, int n_genes, const void *plan);
size_t model_state(const Model *m, const void *params, int n_genes, const void *plan);
enum { PARAMS_MAX = 256 };  /* bytes of the largest struct of parameters or plan */

/* ---- cells known again (core_cells.c) ---- */
/* What a cell looks like, as two whole numbers of 52 bits, in single precision. */
void cell_key(const Sparse *x, int cell, double key[2]);
/* known[c] = 1 + the fitted cell that looks like cell c of x, the first of several; 0: none. keys:
 * 2 numbers for each. */
Status cells_known(Arena *a, const Sparse *x, const double *keys, int n_keys, int *known);

#endif
