/* mu of cells by a stored encoder of scINN's module one: h A + a0, h = SELU(x W + b), or
 * x W + b. */
#include "scinn.h"

KERNEL_FILE

enum { H = ENCODER_UNITS, AT_ONCE = 256 };

typedef struct {
    const Sparse *x;
    const Encoder *e;
    const double *A, *a0;
    real *W, *h;                           /* W with b behind it; AT_ONCE x H of each thread */
    Rows *rows;
    int *cells;
    double *mu;
} Job;

static void encode_block(void *self, int thread, int first, int n)
{
    const Job *job = self;
    size_t L = (size_t) job->e->latent;
    real *h = job->h + (size_t) thread * AT_ONCE * H;
    Rows *rows = job->rows + thread;
    rows_load(rows, job->x, job->cells + first, n);
    layer_sparse_in(rows, NULL, 0, n, job->W, job->W + (size_t) job->x->nrow * H, h);
    if (!job->e->norm) act_selu(h, (size_t) n * H);
    for (size_t r = 0; r < (size_t) n; r++)
        for (size_t l = 0; l < L; l++) {
            double s = job->a0[l];
            for (size_t j = 0; j < H; j++) s += (double) h[r * H + j] * job->A[l * H + j];
            job->mu[((size_t) first + r) * L + l] = s;
        }
}

Status scinn_encode(Arena *a, const Sparse *x, const Encoder *e, const double *stored, int threads,
                    Tick tick, double *mu)
{
    size_t G = (size_t) x->nrow, most = (size_t) sparse_longest(x) * AT_ONCE;
    Job job = { .x = x, .e = e, .A = stored + (G + 1) * H, .mu = mu };
    job.a0 = job.A + H * (size_t) e->latent;
    job.W = ARENA(a, real, (G + 1) * H);
    job.h = ARENA(a, real, (size_t) threads * AT_ONCE * H);
    job.rows = ARENA(a, Rows, threads);
    job.cells = ARENA(a, int, x->ncol);
    for (int t = 0; t < threads && !a->failed; t++) rows_take(a, job.rows + t, AT_ONCE, most);
    if (a->failed) return ST_NOMEM;
    for (size_t j = 0; j < H; j++) {
        for (size_t g = 0; g < G; g++) job.W[g * H + j] = (real) stored[j * G + g];
        job.W[G * H + j] = (real) stored[G * H + j];
    }
    for (int c = 0; c < x->ncol; c++) job.cells[c] = c;
    predict_blocks(x->ncol, AT_ONCE, threads, tick, encode_block, &job);
    return ST_OK;
}
