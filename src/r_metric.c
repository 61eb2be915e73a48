/* Metrics. Labels come as integers from 0; R has checked lengths and missing values. */
#include "r_glue.h"

SEXP C_recovery(SEXP truth, SEXP estimate, SEXP group, SEXP n_groups)
{
    const char *names[] = { "n", "rmse", "mae", "nmse", "pearson", "" };
    int n = Rf_asInteger(n_groups);
    if (Rf_xlength(truth) != Rf_xlength(estimate) || (group != R_NilValue && Rf_xlength(group) != Rf_xlength(truth)))
        r_status(ST_SHAPE);
    Arena a = r_arena();
    Recovery *r = ARENA(&a, Recovery, n);
    recovery_by_group(REAL(truth), REAL(estimate), group == R_NilValue ? NULL : INTEGER(group), (size_t) Rf_xlength(truth), n,
                      ARENA(&a, double, RECOVERY_SUMS * (size_t) n), r);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int k = 0; k < 5; k++) SET_VECTOR_ELT(out, k, Rf_allocVector(REALSXP, n));
    for (int g = 0; g < n; g++) {
        double v[5] = { (double) r[g].n, r[g].rmse, r[g].mae, r[g].nmse, r[g].pearson };
        for (int k = 0; k < 5; k++) REAL(VECTOR_ELT(out, k))[g] = v[k];
    }
    UNPROTECT(1);
    return out;
}

/* c(ari, mutual information, entropy of a, of b, of both) */
SEXP C_agreement(SEXP a, SEXP n_a, SEXP b, SEXP n_b)
{
    if (Rf_xlength(a) != Rf_xlength(b)) r_status(ST_SHAPE);
    Arena arena = r_arena();
    Agreement g;
    r_status(agreement(&arena, INTEGER(a), Rf_asInteger(n_a), INTEGER(b), Rf_asInteger(n_b), (size_t) Rf_xlength(a), &g));
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 5));
    double v[5] = { g.ari, g.mutual, g.entropy_a, g.entropy_b, g.joint };
    for (int k = 0; k < 5; k++) REAL(out)[k] = v[k];
    UNPROTECT(1);
    return out;
}

/* points: dimensions x n, so that a point is contiguous */
SEXP C_silhouette(SEXP points, SEXP label, SEXP n_labels, SEXP threads)
{
    int n = Rf_ncols(points), d = Rf_nrows(points);
    if (LENGTH(label) != n) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
    Arena a = r_arena();
    r_status(silhouette(&a, REAL(points), n, d, INTEGER(label), Rf_asInteger(n_labels), r_threads(threads), r_tick(NULL),
                        REAL(out)));
    UNPROTECT(1);
    return out;
}

/* group: from 0, -1 for cells left out; size: cells per group */
SEXP C_gene_cv(SEXP x, SEXP group, SEXP size)
{
    Sparse s = r_sparse(x);
    if (LENGTH(group) != s.ncol) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, s.nrow, LENGTH(size)));
    Arena a = r_arena();
    gene_cv(&s, INTEGER(group), LENGTH(size), INTEGER(size), ARENA(&a, double, (size_t) s.nrow * (size_t) LENGTH(size)),
            REAL(out));
    UNPROTECT(1);
    return out;
}

/* Value: list(gene, sums, cell): the first two with the cells of pred added to what was given. */
SEXP C_split_add(SEXP test, SEXP first, SEXP pred, SEXP scale, SEXP eps, SEXP gene, SEXP sums)
{
    Sparse s = r_sparse(test);
    int n = Rf_ncols(pred), from = Rf_asInteger(first);
    if (Rf_nrows(pred) != s.nrow || from < 0 || from > s.ncol - n || Rf_xlength(gene) != 5 * (R_xlen_t) s.nrow || LENGTH(sums) != 4)
        r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(VECSXP, 3));
    SET_VECTOR_ELT(out, 0, Rf_duplicate(gene));
    SET_VECTOR_ELT(out, 1, Rf_duplicate(sums));
    SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, n));
    split_add(&s, from, n, REAL(pred), Rf_asReal(scale), Rf_asReal(eps), REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 2)),
              REAL(VECTOR_ELT(out, 1)));
    UNPROTECT(1);
    return out;
}

SEXP C_split_pearson(SEXP gene, SEXP n)
{
    int genes = (int) (Rf_xlength(gene) / 5);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, genes));
    split_pearson(REAL(gene), genes, Rf_asReal(n), REAL(out));
    UNPROTECT(1);
    return out;
}
