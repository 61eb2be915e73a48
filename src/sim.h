/* sim.h: the simulator (sim_splat.c). */
#ifndef INFILL_SIM_H
#define INFILL_SIM_H
#include "core.h"

/* Splat (Zappia, Phipson and Oshlack 2017). LN(a, b): exp of a normal number of mean a and sd b. */
typedef struct {
    double mean_shape, mean_rate;                          /* gamma of the genes' means */
    double outlier_prob, outlier_location, outlier_scale;  /* LN that multiplies the median */
    double lib_location, lib_scale;                        /* LN of the library sizes */
    double de_prob, de_location, de_scale;  /* LN of the factors of a group, up or down */
    double bcv_common, bcv_df;  /* infinite df: every gene's dispersion follows the trend */
    double dropout_shape, dropout_mid;                     /* logistic in log(rate); NaN: none */
} Splat;
/* of some cells; x < 0: what dropout takes away */
typedef struct { size_t n; int *i; double *x; } Entries;
typedef struct {
    /* given */
    int genes, cells, groups;
    const double *group_prob;      /* sums to 1 */
    uint64_t seed;
    int threads;
    /* filled */
    double *mean, *outlier;  /* per gene: mean with its outlier factor; that factor, 1 for most */
    double *de;                    /* genes x groups: 1 for most */
    int *group;                    /* per cell, from 0 */
    double *size;                  /* per cell: expected library size */
    double *rate;                  /* genes x cells, or NULL: what the counts are Poisson around */
    int *true_p, *count_p;         /* cells + 1 offsets of the counts before and after dropout */
    /* for splat_take() */
    Entries *block;
    int blocks;
} Simulated;
/* ST_SHAPE: more non-zeros than an offset can say. Cell c is the same whatever the number of cells,
 * the true counts whatever the dropout. */
Status splat_draw(Arena *a, const Splat *p, Simulated *s, Tick tick);
/* The non-zero counts after (1) or before dropout (0), cell after cell. */
void splat_take(const Simulated *s, int after, int *i, double *x);

#endif
