/* Held-out entries and molecules, shuffled genes, ranks. */
#include "r_glue.h"
#include "metric.h"
#include "prep.h"

/* per entry: is it hidden? log_weight: per entry; take: how many of each gene (by_gene) or cell */
SEXP C_mask_weighted(SEXP x, SEXP log_weight, SEXP by_gene, SEXP take, SEXP seed)
{
    Sparse s = r_sparse(x);
    int n = s.p[s.ncol], genes = Rf_asLogical(by_gene);
    if (LENGTH(log_weight) != n || LENGTH(take) != (genes ? s.nrow : s.ncol)) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(LGLSXP, n));
    for (int k = 0; k < n; k++) LOGICAL(out)[k] = 0;
    Arena a = r_arena();
    r_status(mask_weighted(&a, &s, REAL(log_weight), genes, INTEGER(take),
                           (uint64_t) Rf_asReal(seed), LOGICAL(out)));
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

/* The molecules that stay and those that go, as parts of sparse matrices: list(kept, hidden), each
 * list(p, i, x). */
static SEXP part_of(const Sparse *s, const double *hidden, int kept)
{
    static const char *names[] = { "p", "i", "x", "" };
    int n = 0;
    for (int e = 0; e < s->p[s->ncol]; e++) n += kept ? s->x[e] > hidden[e] : hidden[e] > 0;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_allocVector(INTSXP, s->ncol + 1));
    SET_VECTOR_ELT(out, 1, Rf_allocVector(INTSXP, n));
    SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, n));
    int *p = INTEGER(VECTOR_ELT(out, 0)), *i = INTEGER(VECTOR_ELT(out, 1)), at = 0;
    double *x = REAL(VECTOR_ELT(out, 2));
    p[0] = 0;
    for (int c = 0; c < s->ncol; c++) {
        for (int e = s->p[c]; e < s->p[c + 1]; e++) {
            double v = kept ? s->x[e] - hidden[e] : hidden[e];
            if (v > 0) { i[at] = s->i[e]; x[at++] = v; }
        }
        p[c + 1] = at;
    }
    UNPROTECT(1);
    return out;
}

SEXP C_thin_apart(SEXP x, SEXP fraction, SEXP seed)
{
    static const char *names[] = { "kept", "hidden", "" };
    Sparse s = r_sparse(x);
    Arena a = r_arena();
    double *hidden = ARENA(&a, double, s.p[s.ncol]);
    mask_thin(&s, Rf_asReal(fraction), (uint64_t) Rf_asReal(seed), hidden);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, part_of(&s, hidden, 1));
    SET_VECTOR_ELT(out, 1, part_of(&s, hidden, 0));
    UNPROTECT(1);
    return out;
}

/* by_gene: cells x genes. The cell of each entry, from 0, in no order */
SEXP C_shuffle(SEXP by_gene, SEXP seed)
{
    Sparse s = r_sparse(by_gene);
    SEXP out = PROTECT(Rf_allocVector(INTSXP, s.p[s.ncol]));
    Arena a = r_arena();
    r_status(shuffle_genes(&a, &s, (uint64_t) Rf_asReal(seed), INTEGER(out)));
    UNPROTECT(1);
    return out;
}

/* x: genes x cells, dense. list(rank, ties) */
SEXP C_gene_ranks(SEXP x)
{
    const char *names[] = { "rank", "ties", "" };
    int genes = Rf_nrows(x), cells = Rf_ncols(x);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_allocMatrix(REALSXP, genes, cells));
    SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, genes));
    Arena a = r_arena();
    r_status(gene_ranks(&a, REAL(x), genes, cells, r_tick(NULL), REAL(VECTOR_ELT(out, 0)),
                        REAL(VECTOR_ELT(out, 1))));
    UNPROTECT(1);
    return out;
}

/* second: per cell, is it of the second group? list(t, df, mean1, mean2) */
SEXP C_gene_welch(SEXP x, SEXP second)
{
    const char *names[] = { "t", "df", "mean1", "mean2", "" };
    int genes = Rf_nrows(x), cells = Rf_ncols(x);
    if (LENGTH(second) != cells) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int k = 0; k < 4; k++) SET_VECTOR_ELT(out, k, Rf_allocVector(REALSXP, genes));
    gene_welch(REAL(x), genes, cells, LOGICAL(second), REAL(VECTOR_ELT(out, 0)),
               REAL(VECTOR_ELT(out, 1)), REAL(VECTOR_ELT(out, 2)), REAL(VECTOR_ELT(out, 3)));
    UNPROTECT(1);
    return out;
}

/* after: per entry of by_gene; group: per cell from 0, -1 for cells left out. list(rho, n), genes x
 * groups each */
SEXP C_rank_agreement(SEXP by_gene, SEXP after, SEXP group, SEXP n_groups, SEXP least)
{
    const char *names[] = { "rho", "n", "" };
    Sparse s = r_sparse(by_gene);
    int groups = Rf_asInteger(n_groups);
    if (LENGTH(after) != s.p[s.ncol] || LENGTH(group) != s.nrow) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_allocMatrix(REALSXP, s.ncol, groups));
    SET_VECTOR_ELT(out, 1, Rf_allocMatrix(INTSXP, s.ncol, groups));
    Arena a = r_arena();
    r_status(rank_agreement(&a, &s, REAL(after), INTEGER(group), groups, Rf_asInteger(least),
                            REAL(VECTOR_ELT(out, 0)), INTEGER(VECTOR_ELT(out, 1))));
    UNPROTECT(1);
    return out;
}
