/* autoimpute.h: the autoencoder of AutoImpute, for model_autoimpute.c, autoimpute_block.c and
 * autoimpute_step.c. What is computed: model_autoimpute.c.
 */
#ifndef INFILL_AUTOIMPUTE_H
#define INFILL_AUTOIMPUTE_H
#include "nn.h"

typedef struct {
    Train train;
    double lambda;
    int hidden, init, init_bias, bias, arithmetic, block_cells;
} AiParams;

enum { INIT_SCALED, INIT_REFERENCE };
enum { ARITHMETIC_AUTO, ARITHMETIC_SPARSE, ARITHMETIC_DENSE };

/* Where each parameter starts in a weight vector of n: E and D in panels. */
enum { E, D, B_E, B_D, AI_PARTS };
typedef struct { size_t genes, hidden, panels, e, d, be, bd, n; Part part[AI_PARTS]; } Layout;
static inline Layout ai_layout(int genes, int hidden)
{
    Layout l = { .genes = (size_t) genes, .hidden = (size_t) hidden, .panels = panels_of(hidden),
                 .part = { { "E", genes, hidden, BY_ROW, 0 }, { "D", hidden, genes, BY_COLUMN, 0 },
                           { "b_e", hidden, 1, BY_COLUMN, 0 }, { "b_d", genes, 1, PLAIN, 0 } } };
    l.n = weights_place(l.part, AI_PARTS);
    l.e = l.part[E].at; l.d = l.part[D].at; l.be = l.part[B_E].at; l.bd = l.part[B_D].at;
    return l;
}

/* ---- a block of cells (autoimpute_block.c) ---- */
typedef struct {
    const Sparse *x;
    Layout l;
    int threads, dense, cap;             /* cap: cells a block may have */
    const uint8_t *held_bit;             /* entries held out, one bit each; NULL: none */
    int n;                               /* cells in the block now */
    Rows seen, held;                     /* their entries */
    real *y, *y_held;                    /* outputs at those entries; y becomes dL/dy */
    double *sse, *sse_held;              /* per cell */
    real *h, *dp;  /* panels: hidden units and their gradient, one row per cell */
    real *xd, *yd;                       /* dense: cap x genes */
    real *scratch;                       /* dense: GEMM_SCRATCH for every thread */
} Block;
static inline int ai_is_held(const Block *b, size_t k)
{
    return b->held_bit && b->held_bit[k >> 3] >> (k & 7) & 1;
}
/* Columns of panel q that are in use. */
static inline size_t ai_used(const Layout *l, size_t q)
{
    return l->hidden - q * PANEL < PANEL ? l->hidden - q * PANEL : PANEL;
}
/* How many cells of x go through at once, and room for them; b->l is set. learn: with gradients. */
void ai_take_block(Arena *a, const AiParams *p, const Sparse *x, int threads, int learn, Block *b);
void ai_load_block(Block *b, const int *cells, int n);
/* Hidden units of cells r0..r1-1 in panel q. */
void ai_encode(Block *b, const real *w, size_t q, int r0, int r1, real *scratch);
/* All genes of cells r0..r1-1 into yd, without b_d; q rising from 0. */
void ai_decode_all(Block *b, const real *w, size_t q, int r0, int r1, real *scratch);
/* The block's losses at weights w; afterwards y holds dL/dY at the seen entries. */
void ai_forward_block(Block *b, const real *w);
/* dL/dP of the block. */
void ai_backward_block(Block *b, const real *w);

/* ---- training (autoimpute_step.c) ---- */
typedef struct {
    const AiParams *p;
    const Fit *f;
    Block b;
    Optim opt;
    /* grad: NULL while one block holds all cells, gradients are then never stored */
    real *cur, *spare, *s, *grad;
    Rows by_gene;                        /* the block's entries gene by gene */
    size_t *entry;
    real *dy_by_gene, *slabs;            /* slabs: dense only, 2 genes x PANEL for every thread */
    uint8_t *held_bit;                   /* what b.held_bit reads; NULL: none */
    double *squares;                     /* |E|^2 + |D|^2 by panel and gene, for the penalty */
    int first, n_batch;  /* is this the first block of its batch; cells in the batch */
} Auto;
double ai_square(const real *row);         /* of PANEL values */
/* Hooks of nn_train(), on an Auto. */
Status ai_forward(void *self, const int *cells, int n, int learn, Losses *sum);
void ai_update(void *self, int keep);
void ai_keep(void *self);
#endif
