/* graphsci_plain.h: GraphSCI in loops. */
#ifndef INFILL_GRAPHSCI_PLAIN_H
#define INFILL_GRAPHSCI_PLAIN_H
#include "fitting.h"
#include "prep.h"
#define model_graphsci graphsci_under_test
#include "../../src/model_graphsci.c"
#undef model_graphsci

static inline GsPlan *graphsci_plan(const Setup *s) { return s->plan; }

static inline Setup graphsci(GsPlan plan, const double *size)
{
    Setup s = { .m = &graphsci_under_test, .plan = NEW(GsPlan, 1) };
    plan.size = (Reals) { (size_t) plan.cells, size };
    *graphsci_plan(&s) = plan;
    set(&s, "learning.rate", 0.01);
    set(&s, "dropout", 0.2);
    set(&s, "cell.dropout", 0);
    set(&s, "n.draws", 0);
    set_word(&s, "eval", "batch");
    set(&s, "l2", 1e-3);
    set(&s, "mse.weight", 0.01);
    set(&s, "valid.fraction", 0.05);
    set_word(&s, "dist", "zinb");
    set_word(&s, "latent", "code");
    set_word(&s, "inner", "full");
    set_word(&s, "init", "data");
    set_word(&s, "stop", "validation");
    set(&s, "patience", 100);
    set(&s, "scale", 1);
    return s;
}

/* A graph of a few random edges, as a plan. */
static inline GsPlan random_graph(int N, int M, int epochs, int edges)
{
    char *a = NEW(char, N * N);
    for (int k = 0; k < edges; k++) {
        int i = below(N), j = below(N);
        if (i != j) a[i * N + j] = a[j * N + i] = 1;
    }
    int n = 0;
    for (int k = 0; k < N * N; k++) n += a[k];
    int *p = NEW(int, N + 1), *i = NEW(int, n);
    for (int g = 0, at = 0; g < N; g++) {
        for (int j = 0; j < N; j++) if (a[g * N + j]) i[at++] = j;
        p[g + 1] = at;
    }
    return (GsPlan) { .cells = M, .iterations = epochs, .first = { (size_t) N + 1, p },
                      .neighbours = { (size_t) n, i } };
}

static inline Sparse counts(int N, int M, double density)
{
    double *x = random_matrix(N, M, density);
    for (int k = 0; k < N * M; k++) x[k] = x[k] != 0 ? floor(1 + 6 * x[k]) : 0;
    for (int c = 0; c < M; c++) x[c * N + c % N] = 3;
    return sparse_of(x, N, M);
}
static inline double *sizes(int M)
{
    double *s = NEW(double, M);
    for (int c = 0; c < M; c++) s[c] = between(0.5, 2);
    return s;
}

/* ---- the cost in loops: weights of the net, its masks, and its noise again ---- */
typedef struct {
    const Net *n;
    const double *x, *masked, *eps, *y;
    const char *held;
    const double *keep[3];
    double part[5];
} Plain;

/* rows: of a matrix in tiles, 0: plain */
static inline double w_at(const Net *n, int block, size_t i, size_t j, size_t rows, size_t ld)
{
    size_t at = rows ? j / TILE * rows * TILE + i * TILE + j % TILE : i * ld + j;
    return (double) n->w[n->at.at[block] + at];
}

/* W, in tiles or on the edges */
static inline double weight_at(const Net *n, size_t i, size_t j)
{
    if (!n->on_edges) return w_at(n, W, i, j, (size_t) n->N, 0);
    size_t from = n->at.at[W] + (size_t) n->plan->first.at[i] + i;
    const int *p = n->plan->first.at, *nb = n->plan->neighbours.at;
    if (i == j) return (double) n->w[from];
    for (int k = p[i]; k < p[i + 1]; k++)
        if (nb[k] == (int) j) return (double) n->w[from + 1 + (size_t) (k - p[i])];
    return 0;
}

static inline void plain_mix(const Net *n, size_t cols, const double *in, double *out)
{
    size_t N = (size_t) n->N;
    const int *p = n->plan->first.at, *i = n->plan->neighbours.at;
    for (size_t r = 0; r < N; r++)
        for (size_t c = 0; c < cols; c++) {
            double s = in[r * cols + c] / (p[r + 1] - p[r] + 1);
            for (int k = p[r]; k < p[r + 1]; k++)
                s += in[(size_t) i[k] * cols + c]
                     / sqrt((p[r + 1] - p[r] + 1.0) * (p[i[k] + 1] - p[i[k]] + 1.0));
            out[r * cols + c] = s;
        }
}

static inline void plain_norm(size_t M, size_t cols, double *x, const real *gamma, const real *beta)
{
    for (size_t j = 0; j < cols; j++) {
        double m = 0, v = 0;
        for (size_t c = 0; c < M; c++) m += x[c * cols + j] / (double) M;
        for (size_t c = 0; c < M; c++)
            v += (x[c * cols + j] - m) * (x[c * cols + j] - m) / (double) M;
        for (size_t c = 0; c < M; c++)
            x[c * cols + j] = (double) gamma[j] * (x[c * cols + j] - m) / sqrt(v + 1e-3)
                              + (double) beta[j];
    }
}

static inline double plain_(Plain *f)
{
    const Net *n = f->n;
    size_t N = (size_t) n->N, M = (size_t) n->M, L = n->inner ? H2 : N;
    double *P = NEW(double, N *H2), *T1 = NEW(double, N *H1), *T2 = NEW(double, N *H2),
           *HA = NEW(double, N *H2), *HB = NEW(double, N *H2), *Qa = NEW(double, N *H2),
           *Qb = NEW(double, N *H2), *mu = NEW(double, N *L), *s = NEW(double, N *L),
           *z = NEW(double, N *L), *V = NEW(double, N *N), *E0 = NEW(double, M *N),
           *E1 = NEW(double, M *H1), *E2 = NEW(double, M *H2), kl = 0, edges = 0, squared = 0;
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < H1; k++) {
            P[i * H1 + k] = 0;
            for (size_t c = 0; c < M; c++)
                P[i * H1 + k] += f->masked[c * N + i] * w_at(n, W0, c, k, 0, H1);
        }
    plain_mix(n, H1, P, T1);
    for (size_t k = 0; k < N * H1; k++) T1[k] = tanh(T1[k]) * (double) n->mask1[k];
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < H2; k++) {
            P[i * H2 + k] = 0;
            for (size_t l = 0; l < H1; l++)
                P[i * H2 + k] += T1[i * H1 + l] * w_at(n, W1, l, k, 0, H2);
        }
    plain_mix(n, H2, P, T2);
    for (size_t k = 0; k < N * H2; k++) {
        HA[k] = fmax(T2[k], 0) * (double) n->mask_a[k];
        HB[k] = fmax(T2[k], 0) * (double) n->mask_b[k];
    }
    plain_mix(n, H2, HA, Qa);
    plain_mix(n, H2, HB, Qb);
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < L; j++) {
            double m = 0, v = 0;
            for (size_t l = 0; l < H2; l++) {
                m += Qa[i * H2 + l] * w_at(n, WM, l, j, n->inner ? 0 : H2, H2);
                v += Qb[i * H2 + l] * w_at(n, WS, l, j, n->inner ? 0 : H2, H2);
            }
            mu[i * L + j] = m; s[i * L + j] = v;
            z[i * L + j] = m + f->eps[i * L + j] * exp(v);
            kl += 0.5 * (m * m + exp(2 * v) - 1 - 2 * v);
        }
    double a = (double) (n->plan->neighbours.n ? n->plan->neighbours.n : N);
    double NN = (double) (N * N), q = (NN - a) / a;
    const int *p = n->plan->first.at, *nb = n->plan->neighbours.at;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            double logit = n->inner ? 0 : z[i * L + j], t = i == j;
            for (size_t l = 0; n->inner && l < H2; l++) logit += z[i * H2 + l] * z[j * H2 + l];
            for (int k = p[i]; k < p[i + 1]; k++) if (nb[k] == (int) j) t = 1;
            edges += (1 - t) * logit
                     + (1 + (q - 1) * t) * (fmax(-logit, 0) + log1p(exp(-fabs(logit))));
            V[i * N + j] = weight_at(n, i, j) * logit;
            squared += pow(weight_at(n, i, j), 2);
        }
    for (size_t c = 0; c < M; c++)
        for (size_t j = 0; j < N; j++) {
            double e = (double) n->w[n->at.at[B] + j];
            for (size_t i = 0; i < N; i++) e += f->x[c * N + i] * V[i * N + j];
            E0[c * N + j] = fmax(e, 0) * f->keep[0][c * N + j];
        }
    for (size_t c = 0; c < M; c++)
        for (size_t k = 0; k < H1; k++)
            for (size_t j = 0; j < N; j++)
                E1[c * H1 + k] += E0[c * N + j] * w_at(n, U1, j, k, 0, H1);
    plain_norm(M, H1, E1, n->w + n->at.at[G1], n->w + n->at.at[B1]);
    for (size_t k = 0; k < M * H1; k++) E1[k] = fmax(E1[k], 0) * f->keep[1][k];
    for (size_t c = 0; c < M; c++)
        for (size_t k = 0; k < H2; k++)
            for (size_t l = 0; l < H1; l++)
                E2[c * H2 + k] += E1[c * H1 + l] * w_at(n, U2, l, k, 0, H2);
    plain_norm(M, H2, E2, n->w + n->at.at[G2], n->w + n->at.at[B2]);
    for (size_t k = 0; k < M * H2; k++) E2[k] = fmax(E2[k], 0) * f->keep[2][k];
    double *o[3], nll = 0, miss = 0, entries = 0;
    for (int h = 0; h < 3; h++) {
        o[h] = NEW(double, M * N);
        for (size_t c = 0; c < M; c++)
            for (size_t j = 0; j < N; j++)
                for (size_t l = 0; l < H2; l++)
                    o[h][c * N + j] += E2[c * H2 + l] * w_at(n, gs_head_u[h], l, j, H2, 0);
        plain_norm(M, N, o[h], n->w + n->at.at[gs_head_g[h]], n->w + n->at.at[gs_head_b[h]]);
    }
    for (size_t c = 0; c < M; c++)
        for (size_t j = 0; j < N; j++) {
            size_t k = c * N + j;
            if (f->held[k]) continue;
            double x = f->y[k], R = exp(fmin(fmax(o[0][k], log(1e-5)), log(1e6))) * n->size[c],
                   l = o[2][k];
            double theta = fmin(fmax(fmax(o[1][k], 0) + log1p(exp(-fabs(o[1][k]))), 1e-4), 1e4),
                   n0 = -theta * log1p(R / theta);
            double nb_ = lgamma(x + theta) - lgamma(theta) - lgamma(x + 1) + n0
                         + x * (log(R) - log(theta) - log1p(R / theta));
            double pi = 1 / (1 + exp(-l));
            nll -= !n->inflated ? nb_ : x > 0 ? log(1 - pi) + nb_ : log(pi + (1 - pi) * exp(nb_));
            miss += (R - x) * (R - x);
            entries++;
        }
    for (size_t j = 0; j < N; j++) {
        for (size_t l = 0; l < H1; l++) squared += pow(w_at(n, U1, j, l, 0, H1), 2);
        for (int h = 0; h < (n->inflated ? 3 : 2); h++)
            for (size_t l = 0; l < H2; l++) squared += pow(w_at(n, gs_head_u[h], l, j, H2, 0), 2);
    }
    for (size_t k = 0; k < H1 * H2; k++) squared += pow((double) n->w[n->at.at[U2] + k], 2);
    f->part[0] = edges / (2 * (NN - a));
    f->part[1] = nll / entries;
    f->part[2] = kl / NN;
    f->part[3] = n->p->mse_weight / (2 * (double) M) * miss / entries;
    f->part[4] = n->p->l2 / 2 * squared;
    return f->part[0] + f->part[1] + f->part[2] + f->part[3] + f->part[4];
}

/* its memory given back at once */
static inline double plain(Plain *f)
{
    size_t mark = n_blocks;
    double J = plain_(f);
    while (n_blocks > mark) free(blocks[--n_blocks]);
    return J;
}
#endif
