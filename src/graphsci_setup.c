/* GraphSCI: memory, the look at the counts, the first weights, and sums in fixed shares. */
#include <math.h>
#include <string.h>
#include "graphsci_net.h"

KERNEL_FILE

static const double DENSE = 0.25;  /* share of non-zeros from which X is a dense matrix */

/* on_edges: number of W's weights, where it is kept as the graph's edges; 0: tiles */
static Places places(size_t N, size_t M, int inner, size_t on_edges)
{
    size_t pad = (size_t) tiles_of((int) N) * TILE, latent = inner ? H2 * H2 : H2 * pad;
    size_t size[N_BLOCKS] = { on_edges ? on_edges : N * pad,
                              M * H1,
                              H1 * H2,
                              latent,
                              latent,
                              pad,
                              pad * H1,
                              H1,
                              H1,
                              H1 * H2,
                              H2,
                              H2,
                              H2 * pad,
                              pad,
                              pad,
                              H2 * pad,
                              pad,
                              pad,
                              H2 * pad,
                              pad,
                              pad };
    Places p = { { 0 } };
    for (int k = 0; k < N_BLOCKS; k++) p.at[k + 1] = p.at[k] + (size[k] + 15) / 16 * 16;
    return p;
}

void gs_take(Arena *a, Net *n)
{
    size_t N = (size_t) n->N, M = (size_t) n->M, nnz = (size_t) n->y->p[n->M],
           big = n->at.at[N_BLOCKS];
    size_t tile = N * TILE > M * GENES ? N * TILE : M * GENES;
    if (tile < 64 * TILE) tile = 64 * TILE;
    n->w = ARENA(a, real, big);
    n->g = ARENA(a, real, big - n->at.at[n->on_edges ? W : W0]);
    n->m = ARENA(a, real, big);
    n->v = ARENA(a, real, big);
    n->mean = ARENA(a, real, N);
    n->over = ARENA(a, real, N);
    rows_take(a, &n->cells, M, nnz);
    rows_take(a, &n->genes, N, nnz);
    size_t *from = ARENA(a, size_t, nnz + 1);
    n->entry = from;
    n->X = (double) nnz > DENSE * (double) N * (double) M && !n->on_edges ? ARENA(a, real, N * M)
                                                                          : NULL;
    real **narrow[] = { &n->P0, &n->T1, &n->H1d, &n->mask1 };
    real **wide[] = { &n->P1,     &n->T2,    &n->HA, &n->HB, &n->Qa, &n->Qb, &n->mask_a,
                      &n->mask_b, &n->mixed, &n->mu, &n->s,  &n->z,  &n->dz };
    for (int k = 0; k < 4; k++) *narrow[k] = ARENA(a, real, N * H1);
    for (int k = 0; k < (n->inner ? 13 : 9); k++) *wide[k] = ARENA(a, real, n->pad * H2);
    n->E0 = ARENA(a, real, (size_t) n->tiles * M * TILE);
    real **cells[] = { &n->A1, &n->E1, &n->dE1, &n->A2, &n->E2, &n->dE2 };
    for (int k = 0; k < 6; k++) *cells[k] = ARENA(a, real, M * (k < 3 ? H1 : H2));
    n->parts_cells = ARENA(a, real, CHUNKS * M * H2);
    n->parts_a = ARENA(a, real, CHUNKS * N * H2);
    n->parts_b = ARENA(a, real, CHUNKS * N * H2);
    n->sums = ARENA(a, double, 3 * (size_t) n->tiles + 2 * head_blocks(n));
    n->held = ARENA(a, double, M);
    n->ones = ARENA(a, real, N);
    n->room = ARENA(a, Room, n->T);
    for (int t = 0; t < n->T && !a->failed; t++) {
        Room *r = n->room + t;
        r->mu = ARENA(a, real, tile);
        r->s = ARENA(a, real, tile);
        r->dv = ARENA(a, real, tile);
        for (int h = 0; h < 3; h++) {
            r->o[h] = ARENA(a, real, M * GENES);
            r->y[h] = ARENA(a, real, M * GENES);
        }
        r->grad = ARENA(a, real, GENES);
        r->column = ARENA(a, real, M);
        r->scratch = ARENA(a, real, GEMM_SCRATCH);
        double **some[] = { &r->x, &r->size, &r->mean, &r->theta, &r->l, &r->nll, &r->miss };
        for (int k = 0; k < 7; k++) *some[k] = ARENA(a, double, SOME);
        r->where = ARENA(a, int, SOME);
    }
}

/* ---- a look at the counts ---- */

/* log(1 + count/size), by cell and by gene */
static void logarithms(Net *n)
{
    const Sparse *y = n->y;
    n->cells.n = n->M;
    for (size_t c = 0; c < (size_t) n->M; c++) {
        n->cells.p[c] = (size_t) y->p[c];
        for (int k = y->p[c]; k < y->p[c + 1]; k++) {
            n->cells.i[k] = y->i[k];
            n->cells.x[k] = (real) log1p(y->x[k] / n->size[c]);
        }
    }
    n->cells.p[n->M] = (size_t) y->p[n->M];
    rows_transpose(&n->cells, n->N, &n->genes, n->entry);
}

/* Mean and 1/sd of the genes' logarithms; what the graph's nodes weigh. */
static void gene_moments(Net *n)
{
    const int *first = n->plan->first.at;
    size_t N = (size_t) n->N, M = (size_t) n->M;
    for (size_t g = 0; g < N; g++) {
        double mean = 0, ss = 0, here = (double) (n->genes.p[g + 1] - n->genes.p[g]);
        for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++) mean += (double) n->genes.x[k];
        mean /= (double) M;
        for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++) {
            double d = (double) n->genes.x[k] - mean;
            ss += d * d;
        }
        ss += ((double) M - here) * mean * mean;
        double sd = M > 1 ? sqrt(ss / ((double) M - 1)) : 0;
        n->mean[g] = (real) (n->p->scale ? mean : 0);
        n->over[g] = n->p->scale ? (sd > 1e-10 * mean ? (real) (1 / sd) : 0) : 1;
        n->ones[g] = (real) (1 / sqrt(1.0 + first[g + 1] - first[g]));
    }
}

/* X, where it is a dense matrix */
static void standardise(Net *n)
{
    size_t N = (size_t) n->N;
    for (size_t c = 0; n->X && c < (size_t) n->M; c++) {
        real *row = n->X + c * N;
        for (size_t g = 0; g < N; g++) row[g] = -n->mean[g] * n->over[g];
        for (size_t k = n->cells.p[c]; k < n->cells.p[c + 1]; k++) {
            size_t g = (size_t) n->cells.i[k];
            row[g] = (n->cells.x[k] - n->mean[g]) * n->over[g];
        }
    }
}

/* Entries in the likelihood, and left out: those whose draw is below the share asked for, and at
 * least the one of the smallest draw, or a small matrix would have nothing to tell when to stop. */
static void count_held(Net *n)
{
    uint32_t bits[GENES], least = UINT32_MAX;
    int smallest = 0;
    n->held_below = (uint32_t) (n->p->valid_fraction * 4294967296.0);
    for (size_t b = 0; b < head_blocks(n); b++)
        for (size_t c = 0; c < (size_t) n->M; c++)
            if (gs_is_held(n, b, c, bits))
                for (size_t j = 0; j < genes_here(n, b); j++) {
                    n->n_held += bits[j] < n->held_below;
                    if (bits[j] < least) { least = bits[j]; smallest = 0; }
                    smallest += bits[j] == least;
                }
    if (n->n_held < 1 && smallest) {
        n->held_below = least + 1;
        n->n_held = smallest;
    }
    n->n_in = (double) n->N * (double) n->M - n->n_held;
}

static void look_at(Net *n)
{
    const GsPlan *plan = n->plan;
    double edges = plan->neighbours.n ? (double) plan->neighbours.n : n->N;
    double NN = (double) n->N * (double) n->N;
    logarithms(n);
    gene_moments(n);
    n->graph = (Neighbours) { n->N, plan->first.at, plan->neighbours.at, n->ones };
    tick_idle(n->tick);
    standardise(n);
    tick_idle(n->tick);
    n->cost = (TileCost) { (real) ((NN - edges) / edges), (real) (1 / (2 * (NN - edges))),
                          (real) (1 / NN) };
    if (NN <= edges) n->cost = (TileCost) { 0, 0, (real) (1 / NN) };            /* a single gene */
    count_held(n);
}

/* ---- the first weights ---- */

static void glorot(Net *n, int block, size_t rows, size_t cols, size_t ld, size_t tile_rows)
{
    double r = sqrt(6.0 / (double) (rows + cols));
    for (size_t i = 0; i < rows; i++) {
        if (i % 256 == 0) tick_idle(n->tick);
        for (size_t j = 0; j < cols; j++) {
            /* a matrix in tiles of tile_rows x TILE, or rows of ld */
            size_t at = tile_rows ? j / TILE * tile_rows * TILE + i * TILE + j % TILE : i * ld + j;
            double u = rng_unif(n->seed, RNG_INIT_1, (uint64_t) (block + 1) << 44 | (i * cols + j));
            n->w[n->at.at[block] + at] = (real) (r * (2 * u - 1));
        }
    }
}

/* The heads' batch norm: at mean and dispersion of each gene, or at 1 and 0. */
static void start_heads(Net *n)
{
    size_t N = (size_t) n->N, M = (size_t) n->M;
    int data = n->p->init == INIT_DATA;
    for (size_t g = 0; g < N; g++) {
        double mean = 0, var = 0, here = 0;
        for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++) {
            mean += expm1((double) n->genes.x[k]);
            here++;
        }
        mean /= (double) M;
        for (size_t k = n->genes.p[g]; k < n->genes.p[g + 1]; k++)
            var += pow(expm1((double) n->genes.x[k]) - mean, 2);
        var = M > 1 ? (var + ((double) M - here) * mean * mean) / ((double) M - 1) : 0;
        double theta = mean * mean / fmax(var - mean, 1e-8);
        theta = theta < 0.1 ? 0.1 : theta > 30 ? 30 : theta;
        part_of(n, GM)[g] = data ? (real) 0.3 : 1;
        part_of(n, GT)[g] = part_of(n, GP)[g] = data ? (real) 0.1 : 1;
        part_of(n, BM)[g] = data ? (real) log(fmax(mean, 1e-5)) : 0;
        part_of(n, BT)[g] = data ? (real) log(expm1(theta)) : 0;
        part_of(n, BP)[g] = data ? -2 : 0;
    }
}

static void initialise(Net *n)
{
    size_t N = (size_t) n->N, M = (size_t) n->M;
    if (!n->on_edges) glorot(n, W, N, N, 0, N);
    for (size_t k = n->at.at[W]; n->on_edges && k < n->at.at[W] + n->plan->neighbours.n + N; k++)
        n->w[k] = (real) (sqrt(3.0 / (double) N) * (2 * rng_unif(n->seed, RNG_INIT_2, k) - 1));
    glorot(n, W0, M, H1, H1, 0);
    glorot(n, W1, H1, H2, H2, 0);
    glorot(n, WM, H2, n->inner ? H2 : N, H2, n->inner ? 0 : H2);
    glorot(n, WS, H2, n->inner ? H2 : N, H2, n->inner ? 0 : H2);
    glorot(n, U1, N, H1, H1, 0);
    glorot(n, U2, H1, H2, H2, 0);
    for (int h = 0; h < 3; h++) glorot(n, gs_head_u[h], H2, N, 0, H2);
    for (size_t j = 0; j < H1; j++) part_of(n, G1)[j] = 1;
    for (size_t j = 0; j < H2; j++) part_of(n, G2)[j] = 1;
    start_heads(n);
}

Net gs_net(const GsParams *p, const Fit *f)
{
    const GsPlan *plan = f->plan;
    Net n = { .p = p, .plan = plan, .y = &f->x, .size = plan->size.at, .seed = f->seed,
              .N = f->x.nrow, .M = f->x.ncol, .tiles = tiles_of(f->x.nrow), .T = f->threads,
              .tick = f->tick,
              .inner = p->latent == LATENT_INNER, .on_edges = p->inner == INNER_EDGES,
              .inflated = p->dist == DIST_ZINB, .noise = 1, .drop = 1 };
    n.pad = (size_t) n.tiles * TILE;
    n.at = places((size_t) n.N, (size_t) n.M, n.inner,
                  n.on_edges ? plan->neighbours.n + (size_t) n.N : 0);
    return n;
}

void gs_ready(Net *n)
{
    look_at(n);
    initialise(n);
    n->opt = (Optim) { .rule = OPT_ADAM, .learning_rate = n->p->learning_rate, .epsilon = 1e-8 };
}
