/* What the three networks of scINN share, and the two losses of the paper with their gradients, in
 * double whatever `real` is: a correlation near 1 is a difference of nearly equal numbers.
 */
#include <math.h>
#include <string.h>
#include "scinn.h"

KERNEL_FILE

Room *scinn_rooms(Arena *a, int threads, size_t B, size_t width, size_t row)
{
    Room *r = ARENA(a, Room, threads);
    for (int t = 0; t < threads && !a->failed; t++)
        r[t] = (Room) { ARENA(a, real, B * GENE_BLOCK), ARENA(a, real, GENE_BLOCK * width),
                       ARENA(a, real, GENE_BLOCK), ARENA(a, real, GEMM_SCRATCH),
                       ARENA(a, double, row) };
    return r;
}

void scinn_glorot(uint64_t seed, Stream stream, int part, size_t rows, size_t cols, double times,
                  size_t ld, real *w)
{
    double r = times * sqrt(6.0 / (double) (rows + cols));
    for (size_t p = 0; p < rows; p++)
        for (size_t j = 0; j < cols; j++)
            w[p * ld + j] =
                (real) (r
                        * (2 * rng_unif(seed, stream, (uint64_t) part << 44 | (p * cols + j)) - 1));
}

void scinn_against(const Rows *x, int first_gene, size_t genes, const real *bias, real *out)
{
    for (int r = 0; r < x->n; r++, out += genes) {
        memcpy(out, bias, genes * sizeof(real));
        for (size_t k = rows_from(x, r, first_gene);
             k < x->p[r + 1] && x->i[k] < first_gene + (int) genes; k++)
            out[x->i[k] - first_gene] -= x->x[k];
    }
}

LOCAL_FOR_CPUS(add_to, (real *sum, const real *x, size_t n), (sum, x, n), {
    for (size_t k = 0; k < n; k++) sum[k] += x[k];
})

void scinn_collect(real *sum, const real *parts, size_t n_parts, size_t n)
{
    for (size_t p = 0; p < n_parts; p++) add_to(sum, parts + p * n, n);
}

/* ---- similarity ---- */

LOCAL_FOR_CPUS(row_against, (size_t n, size_t L, const double *a, const double *b_t, double sign,
               double *out), (n, L, a, b_t, sign, out), {
    for (size_t l = 0; l < L; l++) {
        double al = sign * a[l];
        for (size_t j = 0; j < n; j++) out[j] += al * b_t[l * n + j];
    }
})

LOCAL_FOR_CPUS(weighted_rows, (size_t n, const double *e, const double *u, double *sum),
               (n, e, u, sum), {
    for (size_t j = 0; j < n; j++)
        for (size_t l = 0; l < SCINN_Z_WIDE; l++) sum[l] += e[j] * u[j * SCINN_Z_WIDE + l];
})

void similar_take(Arena *a, Similar *s, size_t most, size_t latent)
{
    *s = (Similar) { .L = latent };
    s->u = ARENA(a, double, most * SCINN_Z_WIDE);
    s->u_t = ARENA(a, double, most * SCINN_Z);
    s->target = ARENA(a, double, most * latent);
    s->target_t = ARENA(a, double, most * latent);
    s->length = ARENA(a, double, most);
    s->row_loss = ARENA(a, double, most);
}

void similar_load(Similar *s, const real *z, const double *given, const int *cells, size_t B)
{
    s->B = B;
    for (size_t i = 0; i < B; i++, z += SCINN_Z) {
        double mean = 0, ss = 1e-8, *u = s->u + i * SCINN_Z_WIDE;
        for (size_t l = 0; l < SCINN_Z; l++) mean += (double) z[l] / SCINN_Z;
        for (size_t l = 0; l < SCINN_Z; l++) ss += ((double) z[l] - mean) * ((double) z[l] - mean);
        s->length[i] = sqrt(ss);
        for (size_t l = 0; l < SCINN_Z; l++)
            u[l] = s->u_t[l * B + i] = ((double) z[l] - mean) / s->length[i];
        const double *t = given + (size_t) cells[i] * s->L;
        for (size_t l = 0; l < s->L; l++) s->target[i * s->L + l] = s->target_t[l * B + i] = t[l];
    }
}

void similar_rows(Similar *s, size_t from, size_t to, double weight, double *e, real *dz)
{
    size_t B = s->B;
    for (size_t i = from; i < to; i++) {
        const double *u = s->u + i * SCINN_Z_WIDE;
        double g[SCINN_Z_WIDE] = { 0 }, along = 0, mean = 0, d[SCINN_Z], loss = 0;
        memset(e, 0, B * sizeof *e);
        row_against(B, SCINN_Z, u, s->u_t, 1, e);
        row_against(B, s->L, s->target + i * s->L, s->target_t, -1, e);
        e[i] = 0;
        for (size_t j = 0; j < B; j++) loss += e[j] * e[j];
        s->row_loss[i] = loss;
        weighted_rows(B, e, s->u, g);
        for (size_t l = 0; l < SCINN_Z; l++) along += u[l] * g[l];
        for (size_t l = 0; l < SCINN_Z; l++) {
            d[l] = 4 / ((double) B * (double) B) * (g[l] - u[l] * along) / s->length[i];
            mean += d[l] / SCINN_Z;
        }
        for (size_t l = 0; l < SCINN_Z; l++) dz[i * SCINN_Z + l] = (real) (weight * (d[l] - mean));
    }
}

double similar_loss(const Similar *s)
{
    double loss = 0;
    for (size_t i = 0; i < s->B; i++) loss += s->row_loss[i];
    return loss / ((double) s->B * (double) s->B);
}

/* ---- clusters ---- */

static double cell_softmax_bce(const real *a, int K, int c, double *da)
{
    int m = 0;
    double rest = 0, second = -INFINITY, loss = 0, sum_o = 0;
    for (int k = 1; k < K; k++) if (a[k] > a[m]) m = k;
    for (int k = 0; k < K; k++) if (k != m) second = fmax(second, (double) a[k]);
    for (int k = 0; k < K; k++) if (k != m) rest += exp((double) a[k] - second);
    double lse1 = second + log(rest), lse = (double) a[m] + log1p(exp(lse1 - (double) a[m]));
    for (int k = 0; k < K; k++) {  /* o_k = p_k/(1 - p_k) of all but m: p_k <= 1/2 */
        double p = exp((double) a[k] - lse);
        if (k != m) sum_o += p / (1 - p);
        loss -= k == c ? (double) a[k] - lse : k == m ? lse1 - lse : log1p(-p);
    }
    for (int k = 0; k < K; k++) {
        double p = exp((double) a[k] - lse), others = sum_o, p_o_m = 0;
        if (k != m) others -= p / (1 - p);
        if (c != m && c != k) others -= exp((double) a[c] - lse) / (1 - exp((double) a[c] - lse));
        if (m != k && m != c) p_o_m = exp((double) a[m] - lse) * exp((double) a[k] - lse1);
        da[k] = (k == c ? p - 1 : 2 * p) - p * others - p_o_m;
    }
    return loss;
}

static double cell_sigmoid_bce(const real *a, int K, int c, double *da)
{
    double loss = 0;
    for (int k = 0; k < K; k++) {
        double z = (double) a[k], e = exp(-fabs(z)), y = k == c;
        loss += fmax(z, 0) - z * y + log1p(e);
        da[k] = (z < 0 ? e / (1 + e) : 1 / (1 + e)) - y;
    }
    return loss;
}

static double cell_categorical(const real *a, int K, int c, double *da)
{
    double most = -INFINITY, sum = 0;
    for (int k = 0; k < K; k++) most = fmax(most, (double) a[k]);
    for (int k = 0; k < K; k++) sum += exp((double) a[k] - most);
    for (int k = 0; k < K; k++) da[k] = exp((double) a[k] - most) / sum - (k == c);
    return most + log(sum) - (double) a[c];
}

double scinn_cell_loss(ClusterLoss kind, const real *a, int K, int c, double *da)
{
    return kind == SOFTMAX_BCE   ? cell_softmax_bce(a, K, c, da)
           : kind == SIGMOID_BCE ? cell_sigmoid_bce(a, K, c, da)
                                 : cell_categorical(a, K, c, da);
}
