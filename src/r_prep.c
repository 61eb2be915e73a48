/* Preprocessing, masking and their undoing. */
#include "r_glue.h"
#include "prep.h"

/* c(bad (0 none, 1 NA, 2 Inf, 3 negative), row, column (from 1), whole, largest) */
SEXP C_scan(SEXP x)
{
    Sparse s = r_sparse_unchecked(x);
    int row = 0, col = 0;
    Wholeness whole = WHOLE;
    double largest = 0;
    BadValue bad = prep_scan(&s, &row, &col, &whole, &largest);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 5));
    double v[5] = { bad, row + 1, col + 1, whole, largest };
    for (int k = 0; k < 5; k++) REAL(out)[k] = v[k];
    UNPROTECT(1);
    return out;
}

SEXP C_detected(SEXP x, SEXP min_count)
{
    Sparse s = r_sparse(x);
    SEXP out = PROTECT(Rf_allocVector(INTSXP, s.nrow));
    prep_detected(&s, Rf_asReal(min_count), INTEGER(out));
    UNPROTECT(1);
    return out;
}

SEXP C_totals(SEXP x, SEXP keep)
{
    Sparse s = r_sparse(x);
    if (LENGTH(keep) != s.nrow) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, s.ncol));
    prep_totals(&s, LOGICAL(keep), REAL(out));
    UNPROTECT(1);
    return out;
}

/* list(total, sum, share, cells): of each cell its total; of each gene what `before` (the same of
 * the cells before, or NULL) and these cells make together. */
SEXP C_shares(SEXP x, SEXP before)
{
    const char *names[] = { "total", "sum", "share", "cells", "" };
    Sparse s = r_sparse(x);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_allocVector(REALSXP, s.ncol));
    for (int k = 1; k < 4; k++) {
        SEXP to = Rf_allocVector(REALSXP, s.nrow);
        SET_VECTOR_ELT(out, k, to);
        if (!Rf_isNull(before) && LENGTH(VECTOR_ELT(before, k)) != s.nrow) r_status(ST_SHAPE);
        for (int g = 0; g < s.nrow; g++)
            REAL(to)[g] = Rf_isNull(before) ? 0 : REAL(VECTOR_ELT(before, k))[g];
    }
    prep_shares(&s, REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)), REAL(VECTOR_ELT(out, 2)),
                REAL(VECTOR_ELT(out, 3)));
    UNPROTECT(1);
    return out;
}

SEXP C_moments(SEXP x, SEXP total, SEXP target)
{
    const char *names[] = { "mean", "var", "nonzero", "" };
    Sparse s = r_sparse(x);
    if (LENGTH(total) != s.ncol) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int k = 0; k < 3; k++)
        SET_VECTOR_ELT(out, k, Rf_allocVector(k < 2 ? REALSXP : INTSXP, s.nrow));
    prep_moments(&s, REAL(total), Rf_asReal(target), REAL(VECTOR_ELT(out, 0)),
                 REAL(VECTOR_ELT(out, 1)), INTEGER(VECTOR_ELT(out, 2)));
    UNPROTECT(1);
    return out;
}

/* Rows of another matrix of n rows, or -1. */
static void check_rows(SEXP row, int n)
{
    for (int g = 0; g < LENGTH(row); g++)
        if (INTEGER(row)[g] < -1 || INTEGER(row)[g] >= n) r_status(ST_SHAPE);
}

/* list(p, i, x) of the new matrix; row: new row of each gene from 0, -1 to leave it out */
SEXP C_take(SEXP x, SEXP row, SEXP n_rows, SEXP total, SEXP target, SEXP log)
{
    const char *names[] = { "p", "i", "x", "" };
    Sparse s = r_sparse(x);
    if (LENGTH(row) != s.nrow || LENGTH(total) != s.ncol) r_status(ST_SHAPE);
    check_rows(row, Rf_asInteger(n_rows));
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names)), p = Rf_allocVector(INTSXP, s.ncol + 1);
    SET_VECTOR_ELT(out, 0, p);
    prep_count_entries(&s, INTEGER(row), INTEGER(p));
    SET_VECTOR_ELT(out, 1, Rf_allocVector(INTSXP, INTEGER(p)[s.ncol]));
    SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, INTEGER(p)[s.ncol]));
    Arena a = r_arena();
    r_status(prep_take(&a, &s, INTEGER(row), Rf_asInteger(n_rows), REAL(total), Rf_asReal(target),
                       (Log) Rf_asInteger(log), INTEGER(p), INTEGER(VECTOR_ELT(out, 1)),
                       REAL(VECTOR_ELT(out, 2))));
    UNPROTECT(1);
    return out;
}

/* how: c(from, to, keep, nonneg); stretch: NULL or a number per cell */
SEXP C_restore(SEXP counts, SEXP first, SEXP pred, SEXP row, SEXP model_size, SEXP stretch,
               SEXP out_size, SEXP how, SEXP least)
{
    Sparse s = r_sparse(counts);
    int n = Rf_ncols(pred), from = Rf_asInteger(first), *h = INTEGER(how);
    if (LENGTH(row) != s.nrow || LENGTH(model_size) != n || LENGTH(out_size) != n || from < 0
        || from > s.ncol - n || (stretch != R_NilValue && LENGTH(stretch) != n))
        r_status(ST_SHAPE);
    check_rows(row, Rf_nrows(pred));
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, s.nrow, n));
    Restore r = { (Log) h[0], (Log) h[1], (Keep) h[2], h[3], Rf_asReal(least) };
    prep_restore(&s, from, n, REAL(pred), Rf_nrows(pred), INTEGER(row), REAL(model_size),
                 stretch == R_NilValue ? NULL : REAL(stretch), REAL(out_size), r, REAL(out));
    UNPROTECT(1);
    return out;
}

/* by_gene: cells x genes. list(p, i): neighbours of each gene, rising, from 0 */
SEXP C_graph(SEXP by_gene, SEXP threshold, SEXP threads)
{
    Sparse s = r_sparse(by_gene);
    size_t N = (size_t) s.ncol, words = (N + 63) / 64, edges = 0;
    Arena a = r_arena();
    uint64_t *bits = ARENA(&a, uint64_t, N * words);
    r_status(prep_graph(&a, &s, Rf_asReal(threshold), r_threads(threads), r_tick(NULL), bits));
    SEXP out = PROTECT(Rf_allocVector(VECSXP, 2)), p = Rf_allocVector(INTSXP, s.ncol + 1);
    SET_VECTOR_ELT(out, 0, p);
    for (size_t k = 0; k < N * words; k++) for (uint64_t b = bits[k]; b; b &= b - 1) edges++;
    if (edges > INT32_MAX) Rf_error("more than 2^31 edges: a larger 'threshold' gives fewer");
    SEXP i = Rf_allocVector(INTSXP, (R_xlen_t) edges);
    SET_VECTOR_ELT(out, 1, i);
    int *to = INTEGER(i), at = 0;
    for (size_t g = 0; g < N; g++) {
        INTEGER(p)[g] = at;
        for (size_t j = 0; j < N; j++)
            if (bits[g * words + j / 64] >> j % 64 & 1) to[at++] = (int) j;
    }
    INTEGER(p)[N] = at;
    UNPROTECT(1);
    return out;
}

/* the largest value of each cell */
SEXP C_largest(SEXP x)
{
    Sparse s = r_sparse(x);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, s.ncol));
    prep_largest(&s, REAL(out));
    UNPROTECT(1);
    return out;
}

/* k of 1..n, rising */
SEXP C_choose(SEXP n, SEXP k, SEXP seed)
{
    uint64_t from = (uint64_t) Rf_asReal(n), left = (uint64_t) Rf_asReal(k),
             s = (uint64_t) Rf_asReal(seed);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t) left));
    double *to = REAL(out);
    for (uint64_t i = 0; i < from && left; i++)
        if (rng_choose(s, RNG_MASK, i, from, &left)) *to++ = (double) i + 1;
    UNPROTECT(1);
    return out;
}

/* 1..n in an order that the seed decides */
SEXP C_permute(SEXP n, SEXP seed)
{
    SEXP out = PROTECT(Rf_allocVector(INTSXP, Rf_asInteger(n)));
    rng_permute((uint64_t) Rf_asReal(seed), RNG_MASK, 0, INTEGER(out), LENGTH(out));
    for (int k = 0; k < LENGTH(out); k++) INTEGER(out)[k]++;
    UNPROTECT(1);
    return out;
}

/* by_gene: t(x); set, candidate: per gene; target: genes from 0. list(gene from 0 or -1, r), top x
 * targets each. */
SEXP C_nearest_genes(SEXP x, SEXP by_gene, SEXP mean, SEXP sd, SEXP set, SEXP target,
                     SEXP candidate, SEXP top, SEXP threads)
{
    const char *names[] = { "gene", "r", "" };
    Sparse s = r_sparse(x), t = r_sparse(by_gene);
    int n = LENGTH(target), k = Rf_asInteger(top);
    if (t.nrow != s.ncol || t.ncol != s.nrow || LENGTH(mean) != s.nrow || LENGTH(sd) != s.nrow
        || LENGTH(set) != s.nrow || LENGTH(candidate) != s.nrow)
        r_status(ST_SHAPE);
    for (int j = 0; j < n; j++)
        if (INTEGER(target)[j] < 0 || INTEGER(target)[j] >= s.nrow) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_allocMatrix(INTSXP, k, n));
    SET_VECTOR_ELT(out, 1, Rf_allocMatrix(REALSXP, k, n));
    Nearest how = { REAL(mean), REAL(sd), LOGICAL(candidate), INTEGER(set), k };
    Arena a = r_arena();
    r_status(prep_nearest(&a, &s, &t, &how, INTEGER(target), n, r_threads(threads), r_tick(NULL),
                          INTEGER(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1))));
    UNPROTECT(1);
    return out;
}
