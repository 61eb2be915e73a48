/* The posterior: loss and gradient at sampled entries, and its use block by block. */
#include "r_glue.h"
#include "stack.h"

/* z: entries x K. c(loss, gradient) */
SEXP C_stack_loss(SEXP z, SEXP x, SEXP y, SEXP rho, SEXP par, SEXP threads)
{
    StackData d = { (size_t) Rf_nrows(z), Rf_ncols(z), REAL(z), REAL(x), REAL(y), Rf_asReal(rho) };
    if ((size_t) Rf_xlength(x) != d.n || (size_t) Rf_xlength(y) != d.n || LENGTH(par) != d.K + 2
        || !d.n)
        r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, d.K + 3));
    Arena a = r_arena();
    stack_loss(&d, REAL(par), r_threads(threads), ARENA(&a, double, stack_parts(d.K)), REAL(out));
    R_CheckUserInterrupt();
    UNPROTECT(1);
    return out;
}

/* priors: list of K matrices, genes x n, cells first.. of counts; wanted: c(mean, sd, prior mean).
 * List of three matrices or NULL. */
SEXP C_stack_apply(SEXP priors, SEXP counts, SEXP first, SEXP par, SEXP depth, SEXP wanted,
                   SEXP threads)
{
    Sparse s = r_sparse(counts);
    int K = LENGTH(priors), n = K ? Rf_ncols(VECTOR_ELT(priors, 0)) : 0, from = Rf_asInteger(first);
    if (!K || LENGTH(par) != K + 2 || from < 0 || from > s.ncol - n) r_status(ST_SHAPE);
    Arena a = r_arena();
    const double **prior = ARENA(&a, const double *, K);
    for (int k = 0; k < K; k++) {
        SEXP m = VECTOR_ELT(priors, k);
        if (TYPEOF(m) != REALSXP || Rf_nrows(m) != s.nrow || Rf_ncols(m) != n) r_status(ST_SHAPE);
        prior[k] = REAL(m);
    }
    SEXP out = PROTECT(Rf_allocVector(VECSXP, 3));
    double *to[3] = { NULL, NULL, NULL };
    for (int k = 0; k < 3; k++)
        if (LOGICAL(wanted)[k]) {
            SET_VECTOR_ELT(out, k, Rf_allocMatrix(REALSXP, s.nrow, n));
            to[k] = REAL(VECTOR_ELT(out, k));
        }
    StackUse u = { K, prior, REAL(par), Rf_asReal(depth), to[0], to[1], to[2] };
    stack_apply(&u, &s, from, n, r_threads(threads));
    UNPROTECT(1);
    return out;
}
