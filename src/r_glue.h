/* r_glue.h: what the r_*.c files share. The only header that includes R's. */
#ifndef INFILL_R_GLUE_H
#define INFILL_R_GLUE_H
#define R_NO_REMAP
#include <R.h>
#include <Rinternals.h>
#include "core.h"

Arena r_arena(void);  /* memory of the .Call: R takes it back at return, error and interrupt */
Sparse r_sparse(SEXP x);  /* view of a dgCMatrix, checked; an error when it is malformed */
Sparse r_sparse_unchecked(SEXP x);         /* values may be NA: for the scan only */
Tick r_tick(void *ctx);                    /* interrupts, and progress when ctx is a Ticker */
/* report: NULL or function(iteration, max, best, train, valid) */
typedef struct { SEXP report; double last; } Ticker;
void r_status(Status st);                  /* an error unless ST_OK */
int r_threads(SEXP threads);

#define ENTRY(name) SEXP name
ENTRY(C_models)(void);
ENTRY(C_fields)(SEXP model);
ENTRY(C_n_weights)(SEXP param, SEXP n_genes, SEXP plan);
ENTRY(C_shapes)(SEXP param, SEXP n_genes, SEXP plan);
ENTRY(C_fit)
(SEXP param, SEXP x, SEXP plan, SEXP seed, SEXP threads, SEXP resume, SEXP control, SEXP report);
ENTRY(C_curves)(SEXP model);
ENTRY(C_fingerprint)(SEXP x);
ENTRY(C_cell_marks)(SEXP x);
ENTRY(C_mark)(SEXP x);
ENTRY(C_free_space)(SEXP folder);
ENTRY(C_shares)(SEXP x, SEXP before);
ENTRY(C_predict)
(SEXP param, SEXP weights, SEXP extras, SEXP x, SEXP plan, SEXP wanted, SEXP threads);
ENTRY(C_nearest_genes)
(SEXP x, SEXP by_gene, SEXP mean, SEXP sd, SEXP set, SEXP target, SEXP candidate, SEXP top,
 SEXP threads);
ENTRY(C_permute)(SEXP n, SEXP seed);
ENTRY(C_uniforms)(SEXP n, SEXP seed, SEXP part);
ENTRY(C_disputed)(SEXP patterns, SEXP times, SEXP threads);
ENTRY(C_scinn_filter)(SEXP x, SEXP cells, SEXP control, SEXP rate, SEXP seed, SEXP threads);
ENTRY(C_scinn_encoder)(SEXP x, SEXP cells, SEXP control, SEXP rate, SEXP seed, SEXP threads);
ENTRY(C_scinn_encode)(SEXP x, SEXP stored, SEXP latent, SEXP norm, SEXP threads);
ENTRY(C_scan)(SEXP x);
ENTRY(C_detected)(SEXP x, SEXP min_count);
ENTRY(C_totals)(SEXP x, SEXP keep);
ENTRY(C_moments)(SEXP x, SEXP total, SEXP target);
ENTRY(C_take)(SEXP x, SEXP row, SEXP n_rows, SEXP total, SEXP target, SEXP log);
ENTRY(C_restore)
(SEXP counts, SEXP first, SEXP pred, SEXP row, SEXP model_size, SEXP stretch, SEXP out_size,
 SEXP how, SEXP least);
ENTRY(C_largest)(SEXP x);
ENTRY(C_graph)(SEXP by_gene, SEXP threshold, SEXP threads);
ENTRY(C_choose)(SEXP n, SEXP k, SEXP seed);
ENTRY(C_recovery)(SEXP truth, SEXP estimate, SEXP group, SEXP n_groups);
ENTRY(C_stack_loss)
(SEXP z, SEXP which, SEXP rows, SEXP x, SEXP y, SEXP rho, SEXP par, SEXP threads);
ENTRY(C_stack_alone)(SEXP z, SEXP which, SEXP rows, SEXP y, SEXP rho, SEXP threads);
ENTRY(C_stack_at)(SEXP priors, SEXP counts, SEXP at, SEXP threads);
ENTRY(C_stack_fill)
(SEXP priors, SEXP counts, SEXP rows, SEXP par, SEXP depth, SEXP unseen, SEXP wanted,
 SEXP threads);
ENTRY(C_counts_at)(SEXP counts, SEXP at);
ENTRY(C_room)(SEXP bytes);
ENTRY(C_scores)(SEXP counts, SEXP turn, SEXP usual, SEXP threads);
ENTRY(C_split_add)(SEXP test, SEXP first, SEXP pred, SEXP scale, SEXP eps, SEXP gene, SEXP sums);
ENTRY(C_split_pearson)(SEXP gene, SEXP n);
ENTRY(C_agreement)(SEXP a, SEXP n_a, SEXP b, SEXP n_b);
ENTRY(C_expected_mutual)(SEXP size_a, SEXP size_b);
ENTRY(C_best_matching)(SEXP a, SEXP n_a, SEXP b, SEXP n_b);
ENTRY(C_cell_norms)(SEXP x);
ENTRY(C_pair_correlations)
(SEXP x, SEXP mean, SEXP norm, SEXP cell, SEXP lo, SEXP hi, SEXP n, SEXP seed, SEXP threads);
ENTRY(C_roc_auc)(SEXP score, SEXP positive);
ENTRY(C_ks_statistic)(SEXP x, SEXP y);
ENTRY(C_gini)(SEXP by_gene, SEXP floor);
ENTRY(C_count_loss)(SEXP observed, SEXP expected, SEXP kind, SEXP theta, SEXP eps);
ENTRY(C_silhouette)(SEXP points, SEXP label, SEXP n_labels, SEXP threads);
ENTRY(C_gene_cv)(SEXP x, SEXP group, SEXP size);
ENTRY(C_mask_weighted)(SEXP x, SEXP log_weight, SEXP by_gene, SEXP take, SEXP seed);
ENTRY(C_thin)(SEXP x, SEXP fraction, SEXP seed);
ENTRY(C_thin_apart)(SEXP x, SEXP fraction, SEXP seed);
ENTRY(C_shuffle)(SEXP by_gene, SEXP seed);
ENTRY(C_gene_ranks)(SEXP x);
ENTRY(C_tick)(void);
ENTRY(C_gene_welch)(SEXP x, SEXP second);
ENTRY(C_rank_agreement)(SEXP by_gene, SEXP after, SEXP group, SEXP n_groups, SEXP least);
ENTRY(C_simulate)
(SEXP numbers, SEXP genes, SEXP cells, SEXP group_prob, SEXP rates, SEXP seed, SEXP threads);
#endif
