/* Registration, and the helpers of the glue. */
#include <time.h>
#include "r_glue.h"
#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

static void *grab(void *ctx, size_t bytes)
{
    (void) ctx;
    /* jumps when there is no memory; nothing of ours needs cleaning up */
    return R_alloc(bytes, 1);
}

Arena r_arena(void) { return (Arena) { grab, NULL, 0 }; }

static double seconds(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static void tick(void *ctx, const Progress *now)
{
    Ticker *t = ctx;
    R_CheckUserInterrupt();
    if (!t || t->report == R_NilValue || !now->iteration) return;
    double s = seconds();
    if (s - t->last < 0.2 && now->iteration > 1) return;
    t->last = s;
    SEXP call = PROTECT(
        Rf_lang6(t->report, PROTECT(Rf_ScalarInteger(now->iteration)),
                 PROTECT(Rf_ScalarInteger(now->max_iter)), PROTECT(Rf_ScalarInteger(now->best)),
                 PROTECT(Rf_ScalarReal(now->train)), PROTECT(Rf_ScalarReal(now->valid))));
    Rf_eval(call, R_GlobalEnv);
    UNPROTECT(6);
}

Tick r_tick(void *ctx) { return (Tick) { tick, ctx }; }

/* For loops of R whose steps take long: R itself looks for an interrupt every thousand steps. */
SEXP C_tick(void)
{
    R_CheckUserInterrupt();
    return R_NilValue;
}

Sparse r_sparse_unchecked(SEXP x)
{
    SEXP dim = R_do_slot(x, Rf_install("Dim"));
    return (Sparse) { INTEGER(dim)[0], INTEGER(dim)[1], INTEGER(R_do_slot(x, Rf_install("p"))),
                      INTEGER(R_do_slot(x, Rf_install("i"))), REAL(R_do_slot(x, Rf_install("x"))) };
}

Sparse r_sparse(SEXP x)
{
    Sparse s = r_sparse_unchecked(x);
    if (sparse_check(&s, (size_t) Rf_xlength(R_do_slot(x, Rf_install("x")))) != ST_OK)
        Rf_error("malformed dgCMatrix: offsets, row indices or values are not valid");
    return s;
}

void r_status(Status st)
{
    switch (st) {
    case ST_OK: return;
    case ST_NOMEM: Rf_error("not enough memory");
    case ST_DIVERGED: Rf_error("the loss is no longer finite");
    case ST_BADDATA: Rf_error("malformed data");
    case ST_SHAPE: Rf_error("sizes do not fit together");
    }
}

int r_threads(SEXP threads) { return threads_usable(Rf_asInteger(threads)); }

/* by way of void (*)(void), which compilers take for any function: R calls it with n arguments */
#define CALL(name, n) { #name, (DL_FUNC) (void (*)(void)) name, n }
static const R_CallMethodDef calls[] = { CALL(C_models, 0),
                                         CALL(C_fields, 1),
                                         CALL(C_n_weights, 3),
                                         CALL(C_shapes, 3),
                                         CALL(C_fit, 8),
                                         CALL(C_fingerprint, 1),
                                         CALL(C_cell_marks, 1),
                                         CALL(C_mark, 1),
                                         CALL(C_free_space, 1),
                                         CALL(C_shares, 2),
                                         CALL(C_curves, 1),
                                         CALL(C_predict, 7),
                                         CALL(C_nearest_genes, 9),
                                         CALL(C_permute, 2),
                                         CALL(C_uniforms, 3),
                                         CALL(C_disputed, 3),
                                         CALL(C_scinn_filter, 6),
                                         CALL(C_scinn_encoder, 6),
                                         CALL(C_scinn_encode, 5),
                                         CALL(C_scan, 1),
                                         CALL(C_detected, 2),
                                         CALL(C_totals, 2),
                                         CALL(C_moments, 3),
                                         CALL(C_take, 6),
                                         CALL(C_restore, 9),
                                         CALL(C_largest, 1),
                                         CALL(C_graph, 3),
                                         CALL(C_choose, 3),
                                         CALL(C_recovery, 4),
                                         CALL(C_agreement, 4),
                                         CALL(C_silhouette, 4),
                                         CALL(C_gene_cv, 3),
                                         CALL(C_simulate, 7),
                                         CALL(C_split_add, 7),
                                         CALL(C_stack_loss, 8),
                                         CALL(C_stack_alone, 6),
                                         CALL(C_stack_at, 4),
                                         CALL(C_stack_fill, 8),
                                         CALL(C_counts_at, 2),
                                         CALL(C_room, 1),
                                         CALL(C_scores, 4),
                                         CALL(C_split_pearson, 2),
                                         CALL(C_expected_mutual, 2),
                                         CALL(C_best_matching, 4),
                                         CALL(C_cell_norms, 1),
                                         CALL(C_pair_correlations, 9),
                                         CALL(C_roc_auc, 2),
                                         CALL(C_ks_statistic, 2),
                                         CALL(C_gini, 2),
                                         CALL(C_count_loss, 5),
                                         CALL(C_mask_weighted, 5),
                                         CALL(C_thin, 3),
                                         CALL(C_thin_apart, 3),
                                         CALL(C_shuffle, 2),
                                         CALL(C_gene_ranks, 1),
                                         CALL(C_gene_welch, 2),
                                         CALL(C_rank_agreement, 5),
                                         CALL(C_tick, 0),
                                         { NULL, NULL, 0 } };

void attribute_visible R_init_infill(DllInfo *dll)
{
    R_registerRoutines(dll, NULL, calls, NULL, NULL);
    R_useDynamicSymbols(dll, FALSE);
    R_forceSymbols(dll, TRUE);
    threads_guard_fork();
}
