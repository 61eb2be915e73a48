/* Simulated counts. R has checked the ranges. */
#include "r_glue.h"
#include "sim.h"

static SEXP taken(const Simulated *s, int after, SEXP p)
{
    const char *names[] = { "p", "i", "x", "" };
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    R_xlen_t n = INTEGER(p)[s->cells];
    SET_VECTOR_ELT(out, 0, p);
    SET_VECTOR_ELT(out, 1, Rf_allocVector(INTSXP, n));
    SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, n));
    splat_take(s, after, INTEGER(VECTOR_ELT(out, 1)), REAL(VECTOR_ELT(out, 2)));
    UNPROTECT(1);
    return out;
}

/* numbers: those of a Splat, in its order; group_prob: sums to 1; rates: keep them? */
SEXP C_simulate(SEXP numbers, SEXP genes, SEXP cells, SEXP group_prob, SEXP rates, SEXP seed,
                SEXP threads)
{
    const char *names[] = {
        "mean", "outlier", "de", "size", "rate", "group", "true", "counts", ""
    };
    enum { MEAN, OUTLIER, DE, SIZE, RATE, GROUP, TRUE_COUNTS, COUNTS };
    int G = Rf_asInteger(genes), N = Rf_asInteger(cells), K = LENGTH(group_prob);
    if ((size_t) LENGTH(numbers) * sizeof(double) != sizeof(Splat) || G < 1 || N < 1 || K < 1)
        r_status(ST_SHAPE);
    const double *v = REAL(numbers);
    Splat how = { v[0], v[1], v[2], v[3],  v[4],  v[5],  v[6],
                  v[7], v[8], v[9], v[10], v[11], v[12], v[13] };
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, MEAN, Rf_allocVector(REALSXP, G));
    SET_VECTOR_ELT(out, OUTLIER, Rf_allocVector(REALSXP, G));
    SET_VECTOR_ELT(out, DE, Rf_allocMatrix(REALSXP, G, K));
    SET_VECTOR_ELT(out, SIZE, Rf_allocVector(REALSXP, N));
    if (Rf_asLogical(rates)) SET_VECTOR_ELT(out, RATE, Rf_allocMatrix(REALSXP, G, N));
    SET_VECTOR_ELT(out, GROUP, Rf_allocVector(INTSXP, N));
    SEXP true_p = PROTECT(Rf_allocVector(INTSXP, N + 1)),
         count_p = PROTECT(Rf_allocVector(INTSXP, N + 1));
    Simulated s = { .genes = G,
                    .cells = N,
                    .groups = K,
                    .group_prob = REAL(group_prob),
                    .seed = (uint64_t) Rf_asReal(seed),
                    .threads = r_threads(threads),
                    .mean = REAL(VECTOR_ELT(out, MEAN)),
                    .outlier = REAL(VECTOR_ELT(out, OUTLIER)),
                    .de = REAL(VECTOR_ELT(out, DE)),
                    .group = INTEGER(VECTOR_ELT(out, GROUP)),
                    .size = REAL(VECTOR_ELT(out, SIZE)),
                    .rate = Rf_asLogical(rates) ? REAL(VECTOR_ELT(out, RATE)) : NULL,
                    .true_p = INTEGER(true_p),
                    .count_p = INTEGER(count_p) };
    Arena a = r_arena();
    Status st = splat_draw(&a, &how, &s, r_tick(NULL));
    if (st == ST_SHAPE)
        Rf_error("more than 2^31 - 1 counts that are not zero: fewer genes or cells must do");
    r_status(st);
    SET_VECTOR_ELT(out, TRUE_COUNTS, taken(&s, 0, true_p));
    SET_VECTOR_ELT(out, COUNTS, taken(&s, 1, count_p));
    UNPROTECT(3);
    return out;
}
