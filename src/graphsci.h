/* graphsci.h: the parts of GraphSCI that know nothing of the whole: tiles of the gene x gene
 * matrices, batch norm, the graph. */
#ifndef INFILL_GRAPHSCI_H
#define INFILL_GRAPHSCI_H
#include "nn.h"

/* A tile: all rows and TILE columns of a gene x gene matrix, rows TILE apart, zero beyond its last
 * column. */
enum { TILE = 256 };
static inline int tiles_of(int n) { return (n + TILE - 1) / TILE; }
static inline size_t tile_width(int n, int tile)
{
    return (size_t) (n - tile * TILE < TILE ? n - tile * TILE : TILE);
}

/* Cost of the edges: label t, logit z: (1 - t) z + (1 + (q - 1) t) softplus(-z), times nu/N^2.
 * Divergence from the standard normal: (mu^2 + exp(2 s) - 1 - 2 s)/2, over N^2. edge = nu/N^2, kl =
 * 1/N^2. */
typedef struct { real q, edge, kl; } TileCost;
/* One row of a tile, n columns: mu becomes v = w z, z = mu + eps exp(s) (eps NULL: z = mu). sums:
 * edge cost and divergence are added to. */
void tile_row(const TileCost *c, size_t n, const real *label, const real *w, const real *eps,
              real *mu, const real *s, double sums[2]);
/* The way back: dv becomes dw = dv z; mu and s their gradients. */
void tile_row_back(const TileCost *c, size_t n, const real *label, const real *w, const real *eps,
                   real *mu, real *s, real *dv);
/* The same for logits that are given (latent = "inner"): z becomes v, or its gradient; dv becomes
 * dw. */
void tile_inner(const TileCost *c, size_t n, const real *label, const real *w, real *z,
                double *sum);
void tile_inner_back(const TileCost *c, size_t n, const real *label, const real *w, real *z,
                     real *dv);
/* out[r] = start (NULL: 0) + sum over the entries of row r of val * from[idx], TILE wide */
void tile_sums(real *out, const real *start, const real *from, const size_t *p, const int *idx,
               const real *val, size_t rows);

/* Batch norm over the rows of a column, columns side by side, ld apart: x becomes (x -
 * mean)/sqrt(var + 1e-3), inv the factor. */
void norm_columns(size_t rows, size_t cols, size_t ld, real *x, real *inv);
/* y = gamma x + beta */
void norm_scale(size_t rows, size_t cols, size_t ld, const real *x, const real *gamma,
                const real *beta, real *y);
/* g, the gradient of y, becomes that of what was normed; dgamma, dbeta: set. x as norm_columns()
 * left it. */
void norm_back(size_t rows, size_t cols, size_t ld, const real *x, const real *gamma,
               const real *inv, real *g, real *dgamma, real *dbeta);

/* The graph: neighbours of each gene, both directions, without itself, rising. over =
 * 1/sqrt(neighbours + 1). */
typedef struct { int n; const int *p, *i; const real *over; } Neighbours;
/* out[row] = sum over row and its neighbours j of over[row] over[j] in[j], `cols` wide, rows
 * r0..r1-1 */
void graph_mix(const Neighbours *g, size_t cols, size_t r0, size_t r1, const real *in, real *out);
/* where in i the neighbours of `row` from gene `first` on begin */
int graph_from(const Neighbours *g, int row, int first);
/* label[k] = 1 where gene first + k is `row` or its neighbour, 0 elsewhere */
void graph_labels(const Neighbours *g, int row, int first, size_t n, real *label);
#endif
