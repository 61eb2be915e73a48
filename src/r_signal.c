/* Held-out entries and molecules. */
#include "r_glue.h"

/* per entry: is it hidden? log_weight: per entry; take: how many of each gene (by_gene) or cell */
SEXP C_mask_weighted(SEXP x, SEXP log_weight, SEXP by_gene, SEXP take, SEXP seed)
{
    Sparse s = r_sparse(x);
    int n = s.p[s.ncol], genes = Rf_asLogical(by_gene);
    if (LENGTH(log_weight) != n || LENGTH(take) != (genes ? s.nrow : s.ncol)) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(LGLSXP, n));
    for (int k = 0; k < n; k++) LOGICAL(out)[k] = 0;
    Arena a = r_arena();
    r_status(mask_weighted(&a, &s, REAL(log_weight), genes, INTEGER(take), (uint64_t) Rf_asReal(seed), LOGICAL(out)));
    UNPROTECT(1);
    return out;
}

/* per entry: molecules that leave */
SEXP C_thin(SEXP x, SEXP fraction, SEXP seed)
{
    Sparse s = r_sparse(x);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, s.p[s.ncol]));
    mask_thin(&s, Rf_asReal(fraction), (uint64_t) Rf_asReal(seed), REAL(out));
    UNPROTECT(1);
    return out;
}
