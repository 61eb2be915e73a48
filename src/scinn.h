/* scinn.h: module one of scINN, which is the clustering of the same group's scDHA (Tran et al.,
 * Nature Communications 12:1029, 2021; constants of its R code), piece by piece. R puts k-means,
 * neighbours and trees of other packages between the pieces (R/similarity.R). Module two is a
 * model: model_scinn.c.
 *
 * x: genes x cells, each cell divided by its largest value. cells: those to learn from, n of them.
 * A batch that would be incomplete is left out. Every piece ends with ST_DIVERGED when a loss is
 * not finite.
 */
#ifndef INFILL_SCINN_H
#define INFILL_SCINN_H
#include "nn.h"

typedef struct {
    const Sparse *x;
    const int *cells;
    int n, batch, threads;
    uint64_t seed;
    /* tells the random numbers of replicates apart: 1..1000, filters and encoders differ */
    int part;
    double learning_rate, decay;
    Tick tick;
} Learn;

/* Part A, gene filter (scinn_filter.c): a linear autoencoder of FILTER_UNITS hidden units whose
 * encoder stays from 0 up. spread[g]: standard deviation of gene g's encoder weights after
 * FILTER_EPOCHS; loss[e]: mean squared error of epoch e. */
enum { FILTER_UNITS = 32, FILTER_EPOCHS = 10 };
Status scinn_filter(Arena *a, const Learn *job, double *spread, double *loss);

/* Part B, stacked Bayesian autoencoder (scinn_encoder.c). */
enum { ENCODER_UNITS = 64, ENCODER_WARM = 10, ENCODER_EPOCHS = 20, LATENT_MAX = 64 };
/* norm: batch norm in the place of SELU */
typedef struct { int latent, norm, snapshots; double beta; } Encoder;
/* Reals of a stored encoder: W (genes x 64), b, A (64 x latent), a0, column-major, batch norm
 * folded into W and b. */
static inline size_t encoder_size(int genes, int latent)
{
    return (size_t) (genes + 1) * ENCODER_UNITS + (size_t) (ENCODER_UNITS + 1) * (size_t) latent;
}
/* stored: snapshots * encoder_size(); loss: one per epoch, ENCODER_WARM + ENCODER_EPOCHS +
 * snapshots. */
Status scinn_encoder(Arena *a, const Learn *job, const Encoder *e, double *stored, double *loss);
/* mu of every cell of x: latent x cells. */
Status scinn_encode(Arena *a, const Sparse *x, const Encoder *e, const double *stored, int threads,
                    Tick tick, double *mu);

/* Part C: label: m patterns (distinct rows of labels) x n_partitions, column-major; times[a]: cells
 * with pattern a. w[a] = (w0 + 0.01)/1.01, w0 = 4/n sum over cells y of A(1 - A), A the share of
 * partitions that put y with a. O(m^2). */
void scinn_disputed(const int *label, const double *times, size_t m, int n_partitions, int threads,
                    double *w);

/* ---- what the pieces and module two share ---- */
enum { GENE_BLOCK = 256 };                 /* genes whose outputs are at hand at once */
static inline int gene_blocks(int genes) { return (genes + GENE_BLOCK - 1) / GENE_BLOCK; }
static inline size_t block_width(int genes, int block)
{
    int left = genes - block * GENE_BLOCK;
    return (size_t) (left < GENE_BLOCK ? left : GENE_BLOCK);
}
/* What a thread needs for a block of genes of B cells: outputs or their gradient, gradients of the
 * block's weights and biases. */
typedef struct { real *out, *grad, *bias, *scratch; double *row; } Room;
Room *scinn_rooms(Arena *a, int threads, size_t B, size_t width, size_t row);
/* w[r * ld + c], uniform in +- times * sqrt(6/(rows + cols)); part tells uses of the stream
 * apart. */
void scinn_glorot(uint64_t seed, Stream stream, int part, size_t rows, size_t cols, double times,
                  size_t ld, real *w);
/* out (n x genes of the block) = bias - x: what a product with the weights is added to. */
void scinn_against(const Rows *x, int first_gene, size_t genes, const real *bias, real *out);
/* sum[k] += parts[0][k] + parts[1][k] + ..., each of n, in this order. */
void scinn_collect(real *sum, const real *parts, size_t n_parts, size_t n);


/* ---- losses of module two (scinn_losses.c) ---- */
enum { SCINN_Z = 15, SCINN_Z_WIDE = 16 };  /* coordinates of Z; padded, for lanes */
/* 1/B^2 sum over i != j of (corr(z_i, z_j) - S_ij)^2, S from the given unit vectors of L numbers,
 * one after the other. */
typedef struct { size_t B, L; double *u, *u_t, *target, *target_t, *length, *row_loss; } Similar;
void similar_take(Arena *a, Similar *s, size_t most, size_t latent);
void similar_load(Similar *s, const real *z, const double *given, const int *cells, size_t B);
/* Rows from..to-1; dz (B x SCINN_Z) gets their gradient times `weight`; e: room for B. Then the
 * loss. */
void similar_rows(Similar *s, size_t from, size_t to, double weight, double *e, real *dz);
double similar_loss(const Similar *s);
/* One cell of cluster c: its loss, before the division by cells (and by K, of the first two), and
 * da. a: K > 1 logits. */
typedef enum { SOFTMAX_BCE, SIGMOID_BCE, CATEGORICAL } ClusterLoss;
double scinn_cell_loss(ClusterLoss kind, const real *a, int K, int c, double *da);

#endif
