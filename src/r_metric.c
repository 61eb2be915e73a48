/* Metrics. Labels come as integers from 0; R has checked lengths and missing values. */
#include "r_glue.h"
#include "metric.h"

SEXP C_recovery(SEXP truth, SEXP estimate, SEXP group, SEXP n_groups)
{
    const char *names[] = { "n", "rmse", "mse", "mae", "nmse", "pearson", "spearman", "" };
    int n = Rf_asInteger(n_groups);
    if (Rf_xlength(truth) != Rf_xlength(estimate)
        || (group != R_NilValue && Rf_xlength(group) != Rf_xlength(truth)))
        r_status(ST_SHAPE);
    Arena a = r_arena();
    Recovery *r = ARENA(&a, Recovery, n);
    r_status(recovery_by_group(&a, REAL(truth), REAL(estimate),
                               group == R_NilValue ? NULL : INTEGER(group),
                               (size_t) Rf_xlength(truth), n, r));
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int k = 0; k < 7; k++) SET_VECTOR_ELT(out, k, Rf_allocVector(REALSXP, n));
    for (int g = 0; g < n; g++) {
        double v[7] = { (double) r[g].n, r[g].rmse,    r[g].mse,     r[g].mae,
                        r[g].nmse,       r[g].pearson, r[g].spearman };
        for (int k = 0; k < 7; k++) REAL(VECTOR_ELT(out, k))[g] = v[k];
    }
    UNPROTECT(1);
    return out;
}

SEXP C_agreement(SEXP a, SEXP n_a, SEXP b, SEXP n_b)
{
    const char *names[] = { "ari",  "mutual", "entropy_a", "entropy_b", "joint",
                            "both", "in_a",   "in_b",      "hits",      "" };
    if (Rf_xlength(a) != Rf_xlength(b)) r_status(ST_SHAPE);
    Arena arena = r_arena();
    /* an error does not come back from r_status(), but a compiler cannot know */
    Agreement g = { 0 };
    r_status(agreement(&arena, INTEGER(a), Rf_asInteger(n_a), INTEGER(b), Rf_asInteger(n_b),
                       (size_t) Rf_xlength(a), &g));
    SEXP out = PROTECT(Rf_mkNamed(REALSXP, names));
    double v[9] = { g.ari,  g.mutual, g.entropy_a, g.entropy_b, g.joint,
                    g.both, g.in_a,   g.in_b,      g.hits };
    for (int k = 0; k < 9; k++) REAL(out)[k] = v[k];
    UNPROTECT(1);
    return out;
}

/* sizes of the classes, all at least 1 */
SEXP C_expected_mutual(SEXP size_a, SEXP size_b)
{
    Arena a = r_arena();
    double out = NA_REAL;
    r_status(expected_mutual(&a, INTEGER(size_a), LENGTH(size_a), INTEGER(size_b), LENGTH(size_b),
                             r_tick(NULL), &out));
    return Rf_ScalarReal(out);
}

SEXP C_best_matching(SEXP a, SEXP n_a, SEXP b, SEXP n_b)
{
    if (Rf_xlength(a) != Rf_xlength(b)) r_status(ST_SHAPE);
    Arena arena = r_arena();
    double out = NA_REAL;
    r_status(best_matching(&arena, INTEGER(a), Rf_asInteger(n_a), INTEGER(b), Rf_asInteger(n_b),
                           (size_t) Rf_xlength(a), r_tick(NULL), &out));
    return Rf_ScalarReal(out);
}

/* list(mean, norm) of each cell */
SEXP C_cell_norms(SEXP x)
{
    const char *names[] = { "mean", "norm", "" };
    Sparse s = r_sparse(x);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int k = 0; k < 2; k++) SET_VECTOR_ELT(out, k, Rf_allocVector(REALSXP, s.ncol));
    cell_norms(&s, REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)));
    UNPROTECT(1);
    return out;
}

/* cell, lo, hi: from 0, as in Pairs; n: how many of them */
SEXP C_pair_correlations(SEXP x, SEXP mean, SEXP norm, SEXP cell, SEXP lo, SEXP hi, SEXP n,
                         SEXP seed, SEXP threads)
{
    Sparse s = r_sparse(x);
    int cells = LENGTH(cell);
    if (LENGTH(mean) != s.ncol || LENGTH(norm) != s.ncol || LENGTH(lo) != cells
        || LENGTH(hi) != cells)
        r_status(ST_SHAPE);
    Pairs p = { INTEGER(cell), INTEGER(lo), INTEGER(hi), cells };
    double total = 0;
    for (int j = 0; j < cells; j++) {
        if (p.cell[j] < 0 || p.cell[j] >= s.ncol || p.lo[j] < 0 || p.hi[j] < p.lo[j]
            || p.hi[j] > cells)
            r_status(ST_SHAPE);
        total += p.hi[j] - p.lo[j];
    }
    if (!(Rf_asReal(n) >= 0 && Rf_asReal(n) <= total)) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t) Rf_asReal(n)));
    Arena a = r_arena();
    r_status(pair_correlations(&a, &s, REAL(mean), REAL(norm), &p, (uint64_t) Rf_asReal(seed),
                               r_threads(threads), r_tick(NULL), REAL(out),
                               (size_t) Rf_xlength(out)));
    UNPROTECT(1);
    return out;
}

SEXP C_roc_auc(SEXP score, SEXP positive)
{
    if (Rf_xlength(score) != Rf_xlength(positive)) r_status(ST_SHAPE);
    Arena a = r_arena();
    double out = NA_REAL;
    r_status(roc_auc(&a, REAL(score), LOGICAL(positive), (size_t) Rf_xlength(score), &out));
    return Rf_ScalarReal(out);
}

SEXP C_ks_statistic(SEXP x, SEXP y)
{
    Arena a = r_arena();
    double out = NA_REAL;
    r_status(
        ks_statistic(&a, REAL(x), (size_t) Rf_xlength(x), REAL(y), (size_t) Rf_xlength(y), &out));
    return Rf_ScalarReal(out);
}

/* by_gene: cells x genes */
SEXP C_gini(SEXP by_gene, SEXP floor)
{
    Sparse s = r_sparse(by_gene);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, s.ncol));
    Arena a = r_arena();
    r_status(gini(&a, &s, Rf_asReal(floor), REAL(out)));
    UNPROTECT(1);
    return out;
}

/* expected: as many numbers as observed has entries, zeros included; kind: a CountLoss; theta: at
 * least one number */
SEXP C_count_loss(SEXP observed, SEXP expected, SEXP kind, SEXP theta, SEXP eps)
{
    Sparse s = r_sparse(observed);
    if (Rf_xlength(expected) != (R_xlen_t) s.nrow * s.ncol || !Rf_xlength(theta))
        r_status(ST_SHAPE);
    return Rf_ScalarReal(count_loss(&s, REAL(expected), (CountLoss) Rf_asInteger(kind), REAL(theta),
                                    (size_t) Rf_xlength(theta), Rf_asReal(eps), r_tick(NULL)));
}

/* points: dimensions x n, so that a point is contiguous */
SEXP C_silhouette(SEXP points, SEXP label, SEXP n_labels, SEXP threads)
{
    int n = Rf_ncols(points), d = Rf_nrows(points);
    if (LENGTH(label) != n) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
    Arena a = r_arena();
    r_status(silhouette(&a, REAL(points), n, d, INTEGER(label), Rf_asInteger(n_labels),
                        r_threads(threads), r_tick(NULL), REAL(out)));
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
    gene_cv(&s, INTEGER(group), LENGTH(size), INTEGER(size),
            ARENA(&a, double, (size_t) s.nrow *(size_t) LENGTH(size)), REAL(out));
    UNPROTECT(1);
    return out;
}

/* Value: list(gene, sums, cell): the first two with the cells of pred added to what was given. */
SEXP C_split_add(SEXP test, SEXP first, SEXP pred, SEXP scale, SEXP eps, SEXP gene, SEXP sums)
{
    Sparse s = r_sparse(test);
    int n = Rf_ncols(pred), from = Rf_asInteger(first);
    if (Rf_nrows(pred) != s.nrow || from < 0 || from > s.ncol - n
        || Rf_xlength(gene) != 5 * (R_xlen_t) s.nrow || LENGTH(sums) != 4)
        r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(VECSXP, 3));
    SET_VECTOR_ELT(out, 0, Rf_duplicate(gene));
    SET_VECTOR_ELT(out, 1, Rf_duplicate(sums));
    SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, n));
    split_add(&s, from, n, REAL(pred), Rf_asReal(scale), Rf_asReal(eps), REAL(VECTOR_ELT(out, 0)),
              REAL(VECTOR_ELT(out, 2)), REAL(VECTOR_ELT(out, 1)));
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
