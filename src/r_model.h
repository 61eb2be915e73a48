/* r_model.h: parameters and plans on their way from R to a model, for r_fields.c and r_fit.c. */
#ifndef INFILL_R_MODEL_H
#define INFILL_R_MODEL_H
#include "r_glue.h"
#include "model.h"

/* A parameter object and the plan that goes with it. The structs are checked; vectors in them are
 * R's or live until the end of the .Call. plan: NULL where the model has none. */
typedef struct {
    const Model *m;
    double params[PARAMS_MAX / sizeof(double)], plan_room[PARAMS_MAX / sizeof(double)];
    const void *plan;
} Opened;
/* whose: what is said to be damaged where the plan is not as it must be */
void r_open(Opened *o, SEXP param, SEXP plan, int n_genes, const char *whose);
/* An error of class infill_error: "<whose> is damaged: <part> <why>". Does not return. */
void r_damaged(const char *whose, const char *part, const char *why);
/* The element of this name, or R's NULL. */
SEXP r_element(SEXP list, const char *name);
/* A vector of `n` numbers of a fit. */
const double *r_numbers(SEXP x, size_t n, const char *whose, const char *part);
#endif
