/* Module one of scINN for R/similarity.R. */
#include "r_glue.h"
#include "scinn.h"

/* n uniform numbers of the stream for clustering; part: a whole number below 2^32 that tells uses
 * apart */
SEXP C_uniforms(SEXP n, SEXP seed, SEXP part)
{
    int len = Rf_asInteger(n);
    uint64_t from = (uint64_t) Rf_asReal(part) << 32;
    SEXP out = PROTECT(Rf_allocVector(REALSXP, len));
    for (int k = 0; k < len; k++)
        REAL(out)[k] = rng_unif((uint64_t) Rf_asReal(seed), RNG_CLUSTER, from + (uint64_t) k);
    UNPROTECT(1);
    return out;
}

/* patterns: m x partitions, integer; times: cells with each pattern */
SEXP C_disputed(SEXP patterns, SEXP times, SEXP threads)
{
    int m = Rf_nrows(patterns);
    if (LENGTH(times) != m) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, m));
    scinn_disputed(INTEGER(patterns), REAL(times), (size_t) m, Rf_ncols(patterns),
                   r_threads(threads), REAL(out));
    UNPROTECT(1);
    return out;
}

/* control: c(part, batch, latent, norm, snapshots); rate: c(learning rate, decay, beta); cells:
 * from 0 */
static Learn learn_of(const Sparse *x, SEXP cells, SEXP control, SEXP rate, SEXP seed, SEXP threads)
{
    return (Learn) { .x = x,
                    .cells = INTEGER(cells),
                    .n = LENGTH(cells),
                    .batch = INTEGER(control)[1],
                    .threads = r_threads(threads),
                    .seed = (uint64_t) Rf_asReal(seed),
                    .part = INTEGER(control)[0],
                    .learning_rate = REAL(rate)[0],
                    .decay = REAL(rate)[1],
                    .tick = r_tick(NULL) };
}

/* list(spread of each gene, loss of each epoch); NULL: the loss was not finite */
SEXP C_scinn_filter(SEXP x, SEXP cells, SEXP control, SEXP rate, SEXP seed, SEXP threads)
{
    Sparse s = r_sparse(x);
    Learn job = learn_of(&s, cells, control, rate, seed, threads);
    SEXP out = PROTECT(Rf_allocVector(VECSXP, 2));
    SET_VECTOR_ELT(out, 0, Rf_allocVector(REALSXP, s.nrow));
    SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, FILTER_EPOCHS));
    Arena a = r_arena();
    Status st = scinn_filter(&a, &job, REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)));
    if (st != ST_DIVERGED) r_status(st);
    UNPROTECT(1);
    return st == ST_DIVERGED ? R_NilValue : out;
}

/* list(encoders, one column each; loss of each epoch); NULL: the loss was not finite */
SEXP C_scinn_encoder(SEXP x, SEXP cells, SEXP control, SEXP rate, SEXP seed, SEXP threads)
{
    Sparse s = r_sparse(x);
    Learn job = learn_of(&s, cells, control, rate, seed, threads);
    const int *c = INTEGER(control);
    Encoder e = { c[2], c[3], c[4], REAL(rate)[2] };
    if (e.latent < 1 || e.latent > LATENT_MAX) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(VECSXP, 2));
    SET_VECTOR_ELT(out, 0,
                   Rf_allocMatrix(REALSXP, (int) encoder_size(s.nrow, e.latent), e.snapshots));
    SET_VECTOR_ELT(out, 1, Rf_allocVector(REALSXP, ENCODER_WARM + ENCODER_EPOCHS + e.snapshots));
    Arena a = r_arena();
    Status st = scinn_encoder(&a, &job, &e, REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)));
    if (st != ST_DIVERGED) r_status(st);
    UNPROTECT(1);
    return st == ST_DIVERGED ? R_NilValue : out;
}

/* latent x cells */
SEXP C_scinn_encode(SEXP x, SEXP stored, SEXP latent, SEXP norm, SEXP threads)
{
    Sparse s = r_sparse(x);
    Encoder e = { Rf_asInteger(latent), Rf_asLogical(norm), 1, 0 };
    if ((size_t) Rf_xlength(stored) != encoder_size(s.nrow, e.latent)) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, e.latent, s.ncol));
    Arena a = r_arena();
    r_status(scinn_encode(&a, &s, &e, REAL(stored), r_threads(threads), r_tick(NULL), REAL(out)));
    UNPROTECT(1);
    return out;
}
