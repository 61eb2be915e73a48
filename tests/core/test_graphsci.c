/* GraphSCI: the worked numbers of its page, finite differences for all 21 blocks of parameters against a plain implementation
 * in loops, and what must not change a bit. */
#include "fitting.h"
#include "prep.h"
#define model_graphsci graphsci_under_test
#include "../../src/model_graphsci.c"
#undef model_graphsci

static Setup graphsci(const int *plan, const double *given)
{
    Setup s = { .m = &graphsci_under_test, .plan = plan, .given = given };
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
static int *random_graph(int N, int M, int epochs, int edges)
{
    char *a = NEW(char, N * N);
    for (int k = 0; k < edges; k++) {
        int i = below(N), j = below(N);
        if (i != j) a[i * N + j] = a[j * N + i] = 1;
    }
    int n = 0;
    for (int k = 0; k < N * N; k++) n += a[k];
    int *plan = NEW(int, PLAN_GRAPH + N + 1 + n), *p = plan + PLAN_GRAPH, *i = p + N + 1;
    plan[PLAN_CELLS] = M; plan[PLAN_EPOCHS] = epochs; plan[PLAN_EDGES] = n;
    for (int g = 0, at = 0; g < N; g++) {
        for (int j = 0; j < N; j++) if (a[g * N + j]) i[at++] = j;
        p[g + 1] = at;
    }
    return plan;
}

static Sparse counts(int N, int M, double density)
{
    double *x = random_matrix(N, M, density);
    for (int k = 0; k < N * M; k++) x[k] = x[k] != 0 ? floor(1 + 6 * x[k]) : 0;
    for (int c = 0; c < M; c++) x[c * N + c % N] = 3;
    return sparse_of(x, N, M);
}
static double *sizes(int M)
{
    double *s = NEW(double, M);
    for (int c = 0; c < M; c++) s[c] = between(0.5, 2);
    return s;
}

/* ---- the cost in loops: weights of the net, its masks, and its noise again ---- */
typedef struct { const Net *n; const double *x, *masked, *eps, *y; const char *held; const double *keep[3]; double part[5]; } Plain;

static double w_at(const Net *n, int block, size_t i, size_t j, size_t rows, size_t ld)      /* rows: of a matrix in tiles, 0: plain */
{
    size_t at = rows ? j / TILE * rows * TILE + i * TILE + j % TILE : i * ld + j;
    return (double) n->w[n->at.at[block] + at];
}

/* W, in tiles or on the edges */
static double weight_at(const Net *n, size_t i, size_t j)
{
    if (!n->on_edges) return w_at(n, W, i, j, (size_t) n->N, 0);
    size_t from = n->at.at[W] + (size_t) n->plan[PLAN_GRAPH + i] + i;
    const int *p = n->plan + PLAN_GRAPH, *nb = p + n->N + 1;
    if (i == j) return (double) n->w[from];
    for (int k = p[i]; k < p[i + 1]; k++) if (nb[k] == (int) j) return (double) n->w[from + 1 + (size_t) (k - p[i])];
    return 0;
}

static void plain_mix(const Net *n, size_t cols, const double *in, double *out)
{
    size_t N = (size_t) n->N;
    const int *p = n->plan + PLAN_GRAPH, *i = p + N + 1;
    for (size_t r = 0; r < N; r++)
        for (size_t c = 0; c < cols; c++) {
            double s = in[r * cols + c] / (p[r + 1] - p[r] + 1);
            for (int k = p[r]; k < p[r + 1]; k++)
                s += in[(size_t) i[k] * cols + c] / sqrt((p[r + 1] - p[r] + 1.0) * (p[i[k] + 1] - p[i[k]] + 1.0));
            out[r * cols + c] = s;
        }
}

static void plain_norm(size_t M, size_t cols, double *x, const real *gamma, const real *beta)
{
    for (size_t j = 0; j < cols; j++) {
        double m = 0, v = 0;
        for (size_t c = 0; c < M; c++) m += x[c * cols + j] / (double) M;
        for (size_t c = 0; c < M; c++) v += (x[c * cols + j] - m) * (x[c * cols + j] - m) / (double) M;
        for (size_t c = 0; c < M; c++) x[c * cols + j] = (double) gamma[j] * (x[c * cols + j] - m) / sqrt(v + 1e-3) + (double) beta[j];
    }
}

static double plain_(Plain *f)
{
    const Net *n = f->n;
    size_t N = (size_t) n->N, M = (size_t) n->M, L = n->inner ? H2 : N;
    double *P = NEW(double, N * H2), *T1 = NEW(double, N * H1), *T2 = NEW(double, N * H2), *HA = NEW(double, N * H2),
           *HB = NEW(double, N * H2), *Qa = NEW(double, N * H2), *Qb = NEW(double, N * H2), *mu = NEW(double, N * L),
           *s = NEW(double, N * L), *z = NEW(double, N * L), *V = NEW(double, N * N), *E0 = NEW(double, M * N), *E1 = NEW(double, M * H1),
           *E2 = NEW(double, M * H2), kl = 0, edges = 0, squared = 0;
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < H1; k++) {
            P[i * H1 + k] = 0;
            for (size_t c = 0; c < M; c++) P[i * H1 + k] += f->masked[c * N + i] * w_at(n, W0, c, k, 0, H1);
        }
    plain_mix(n, H1, P, T1);
    for (size_t k = 0; k < N * H1; k++) T1[k] = tanh(T1[k]) * (double) n->mask1[k];
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < H2; k++) {
            P[i * H2 + k] = 0;
            for (size_t l = 0; l < H1; l++) P[i * H2 + k] += T1[i * H1 + l] * w_at(n, W1, l, k, 0, H2);
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
    double a = n->plan[PLAN_EDGES] ? n->plan[PLAN_EDGES] : (double) N, NN = (double) (N * N), q = (NN - a) / a;
    const int *p = n->plan + PLAN_GRAPH, *nb = p + N + 1;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
            double logit = n->inner ? 0 : z[i * L + j], t = i == j;
            for (size_t l = 0; n->inner && l < H2; l++) logit += z[i * H2 + l] * z[j * H2 + l];
            for (int k = p[i]; k < p[i + 1]; k++) if (nb[k] == (int) j) t = 1;
            edges += (1 - t) * logit + (1 + (q - 1) * t) * (fmax(-logit, 0) + log1p(exp(-fabs(logit))));
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
        for (size_t k = 0; k < H1; k++) for (size_t j = 0; j < N; j++) E1[c * H1 + k] += E0[c * N + j] * w_at(n, U1, j, k, 0, H1);
    plain_norm(M, H1, E1, n->w + n->at.at[G1], n->w + n->at.at[B1]);
    for (size_t k = 0; k < M * H1; k++) E1[k] = fmax(E1[k], 0) * f->keep[1][k];
    for (size_t c = 0; c < M; c++)
        for (size_t k = 0; k < H2; k++) for (size_t l = 0; l < H1; l++) E2[c * H2 + k] += E1[c * H1 + l] * w_at(n, U2, l, k, 0, H2);
    plain_norm(M, H2, E2, n->w + n->at.at[G2], n->w + n->at.at[B2]);
    for (size_t k = 0; k < M * H2; k++) E2[k] = fmax(E2[k], 0) * f->keep[2][k];
    double *o[3], nll = 0, miss = 0, entries = 0;
    for (int h = 0; h < 3; h++) {
        o[h] = NEW(double, M * N);
        for (size_t c = 0; c < M; c++)
            for (size_t j = 0; j < N; j++) for (size_t l = 0; l < H2; l++) o[h][c * N + j] += E2[c * H2 + l] * w_at(n, gs_head_u[h], l, j, H2, 0);
        plain_norm(M, N, o[h], n->w + n->at.at[gs_head_g[h]], n->w + n->at.at[gs_head_b[h]]);
    }
    for (size_t c = 0; c < M; c++)
        for (size_t j = 0; j < N; j++) {
            size_t k = c * N + j;
            if (f->held[k]) continue;
            double x = f->y[k], R = exp(fmin(fmax(o[0][k], log(1e-5)), log(1e6))) * n->size[c], l = o[2][k];
            double theta = fmin(fmax(fmax(o[1][k], 0) + log1p(exp(-fabs(o[1][k]))), 1e-4), 1e4), n0 = -theta * log1p(R / theta);
            double nb_ = lgamma(x + theta) - lgamma(theta) - lgamma(x + 1) + n0 + x * (log(R) - log(theta) - log1p(R / theta));
            double pi = 1 / (1 + exp(-l));
            nll -= !n->inflated ? nb_ : x > 0 ? log(1 - pi) + nb_ : log(pi + (1 - pi) * exp(nb_));
            miss += (R - x) * (R - x);
            entries++;
        }
    for (size_t j = 0; j < N; j++) {
        for (size_t l = 0; l < H1; l++) squared += pow(w_at(n, U1, j, l, 0, H1), 2);
        for (int h = 0; h < (n->inflated ? 3 : 2); h++) for (size_t l = 0; l < H2; l++) squared += pow(w_at(n, gs_head_u[h], l, j, H2, 0), 2);
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
static double plain(Plain *f)
{
    size_t mark = n_blocks;
    double J = plain_(f);
    while (n_blocks > mark) free(blocks[--n_blocks]);
    return J;
}

static void gradient(int N, int M, double density, int inner, int nb, int scale, double dropout, double valid, int init, int on_edges,
                     double cell_dropout)
{
    static const char *const names[] = { "W", "W0", "W1", "Wm", "Ws", "b", "U1", "gamma1", "beta1", "U2", "gamma2", "beta2", "Up",
        "gamma_p", "beta_p", "Ut", "gamma_t", "beta_t", "Um", "gamma_m", "beta_m" };
    Sparse y = counts(N, M, density);
    size_t n_ = (size_t) N, m_ = (size_t) M, L = inner ? H2 : n_;
    Setup s = graphsci(random_graph(N, M, 3, N), sizes(M));
    set(&s, "dropout", dropout);
    set(&s, "valid.fraction", valid);
    set(&s, "cell.dropout", cell_dropout);
    set(&s, "scale", scale);
    set_word(&s, "dist", nb ? "nb" : "zinb");
    set_word(&s, "latent", inner ? "inner" : "code");
    set_word(&s, "init", init ? "reference" : "data");
    set_word(&s, "inner", on_edges ? "edges" : "full");
    GsParams p;
    memcpy(&p, s.params, sizeof p);
    Fit f = { .x = y, .plan = s.plan, .given = s.given, .seed = 11, .threads = 2, .tick = any_tick() };
    Net n = gs_net(&p, &f), old;
    Arena a = new_arena();
    gs_take(&a, &n);
    gs_ready(&n);
    CHECK((n.X != NULL) == (density > 0.3 && !on_edges));
    for (size_t k = 0; k < n.at.at[N_BLOCKS]; k++) if (n.w[k] != 0) n.w[k] += (real) between(-0.05, 0.05);
    for (int g = 0; g < N; g++) { part_of(&n, BT)[g] += (real) between(-0.3, 0.3); part_of(&n, B)[g] = (real) between(0.1, 0.5); }
    old = n;
    old.w = NEW(real, n.at.at[N_BLOCKS]);
    memcpy(old.w, n.w, n.at.at[N_BLOCKS] * sizeof(real));
    n.epoch = 3;
    n.opt = (Optim) { .rule = OPT_SGD, .learning_rate = 1 };
    double part[CURVES], penalty;
    epoch(&n, part, &penalty);
    /* what the loops need */
    double *x = NEW(double, n_ * m_), *masked = NEW(double, n_ * m_), *eps = NEW(double, n_ * L), *dense = NEW(double, n_ * m_);
    char *held = NEW(char, n_ * m_);
    real *block = NEW(real, m_ * GENES);
    for (size_t b = 0; b < head_blocks(&n); b++)
        for (int with = 0; with < 2; with++) {
            n.noise = n.drop = with;
            gs_x_block(&n, (int) (b * GENES), genes_here(&n, b), block);
            for (size_t c = 0; c < m_; c++)
                for (size_t j = 0; j < genes_here(&n, b); j++) (with ? masked : x)[c * n_ + b * GENES + j] = (double) block[c * GENES + j];
        }
    for (size_t c = 0; c < m_; c++)
        for (size_t b = 0; b < head_blocks(&n); b++) {
            uint32_t bits[GENES];
            if (gs_is_held(&n, b, c, bits)) for (size_t j = 0; j < genes_here(&n, b); j++) held[c * n_ + b * GENES + j] = bits[j] < gs_held_below(&n);
        }
    for (int c = 0; c < M; c++) for (int k = y.p[c]; k < y.p[c + 1]; k++) dense[(size_t) c * n_ + (size_t) y.i[k]] = y.x[k];
    for (size_t i = 0; i < n_; i++)
        for (size_t j = 0; j < L; j += 64) {
            real e[64];
            rng_normals64(11, RNG_NOISE, 3, inner ? i : i * (n.pad / 64) + j / 64, e);
            for (size_t k = 0; k < 64 && j + k < L; k++) eps[i * L + j + k] = (double) e[k];
        }
    Plain q = { .n = &old, .x = x, .masked = masked, .eps = eps, .y = dense, .held = held };
    size_t wide[] = { n_, H1, H2 };
    for (size_t layer = 0; layer < 3; layer++) {                /* E0 in tiles, the others in rows */
        double *keep = NEW(double, m_ * wide[layer]);
        size_t len = layer ? m_ * wide[layer] : (size_t) n.tiles * m_ * TILE;
        uint32_t *word = NEW(uint32_t, len + TILE);
        rng_words(11, RNG_DROPOUT, 3, (layer + 1) << 40, word, (len + 3) / 4 * 4);
        for (size_t c = 0; c < m_; c++)
            for (size_t j = 0; j < wide[layer]; j++)
                keep[c * wide[layer] + j] = word[layer ? c * wide[layer] + j : j / TILE * m_ * TILE + c * TILE + j % TILE]
                                            < cell_dropout * 4294967296.0 ? 0 : 1 / (1 - cell_dropout);
        q.keep[layer] = keep;
    }
    double J = plain(&q), sum = penalty;
    for (int k = 0; k < 4; k++) { NEAR(part[k], q.part[k], TOL(1e-10, 2e-4)); sum += part[k]; }
    NEAR(penalty, q.part[4], TOL(1e-10, 1e-4));
    NEAR(sum, J, TOL(1e-10, 1e-4));
    for (int k = 0; k < N_BLOCKS; k++) {
        size_t from = n.at.at[k], len = n.at.at[k + 1] - from;
        double most = 0, scale_ = 1e-6;
        int seen = 0;
        for (int tries = 0; tries < 400 && seen < (N > 100 ? 5 : 9); tries++) {
            size_t j = from + (size_t) below((int) len);
            if (old.w[j] == 0 && k != B1 && k != B2) continue;          /* mostly padding */
            double h = 1e-5, was = (double) old.w[j], got = was - (double) n.w[j];
            old.w[j] = (real) (was + h);
            double up = plain(&q);
            old.w[j] = (real) (was - h);
            double want = (up - plain(&q)) / (2 * h);
            old.w[j] = (real) was;
            scale_ = fmax(scale_, fabs(want));
            most = fmax(most, fabs(got - want));
            seen++;
        }
        if (IS_DOUBLE && !(nb && (k == UP || k == GP || k == BP)) && most > 1e-6 * scale_ + 1e-9) printf("%s: %g of %g\n", names[k], most, scale_);
        if (IS_DOUBLE && !(nb && (k == UP || k == GP || k == BP))) WITHIN(most, 1e-6 * scale_ + 1e-9);
    }
    clear();
}

static void gradients(void)
{
    gradient(70, 9, 0.6, 0, 0, 1, 0.2, 0.1, 0, 0, 0);
    gradient(70, 9, 0.15, 0, 0, 1, 0.2, 0.1, 0, 0, 0);         /* X as a sparse matrix */
    gradient(70, 9, 0.6, 1, 0, 1, 0.2, 0, 0, 0, 0);            /* the paper's Z Z' */
    gradient(70, 9, 0.15, 1, 1, 0, 0, 0.1, 0, 0, 0);
    gradient(40, 8, 0.6, 0, 1, 0, 0, 0, 1, 0, 0);
    gradient(300, 8, 0.15, 0, 0, 1, 0.2, 0.05, 0, 0, 0);       /* two tiles */
    gradient(300, 8, 0.6, 1, 0, 1, 0.2, 0.05, 0, 0, 0);
    gradient(70, 9, 0.6, 0, 0, 1, 0.2, 0.1, 0, 1, 0);          /* W on the edges */
    gradient(300, 8, 0.15, 1, 0, 1, 0.2, 0.05, 0, 1, 0);
    gradient(70, 9, 0.6, 0, 0, 1, 0.2, 0.1, 0, 0, 0.3);     /* dropout on the layers of cells */
    gradient(300, 8, 0.15, 0, 0, 1, 0.2, 0, 0, 0, 0.3);
}

/* ---- page 6 ---- */
static void worked(void)
{
    /* (b): three genes, one edge */
    static const double Zs[] = { 1, -1, 0.5, 2, 0, -0.5, -2, 0.25, 1 };
    static const double slope[] = { -0.0672353553425, -0.182764644658, 0.0444613808001, -0.0298007305055, -0.125, 0.0269671906284,
        0.00851449443015, 0.040155464349, -0.0672353553425 };
    const int p[] = { 0, 1, 2, 2 }, i[] = { 1, 0 };
    const real over[] = { (real) sqrt(0.5), (real) sqrt(0.5), 1 };
    Neighbours g = { 3, p, i, over };
    TileCost c = { (real) 3.5, (real) (9.0 / 14 / 9), 0 };
    double J = 0, tol = TOL(1e-11, 1e-6);
    real in[9] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, Ah[9];
    static const double want[] = { 0.5, 0.5, 0, 0.5, 0.5, 0, 0, 0, 1 };
    graph_mix(&g, 3, 0, 3, in, Ah);
    for (int k = 0; k < 9; k++) NEAR(Ah[k], want[k], 1e-7);
    for (int r = 0; r < 3; r++) {
        real label[3], w[3] = { 1, 1, 1 }, z[3], z2[3], dv[3] = { 0 }, s[3] = { -99, -99, -99 }, mu[3];
        double sums[2] = { 0, 0 };
        graph_labels(&g, r, 0, 3, label);
        for (int k = 0; k < 3; k++) {
            CHECK(label[k] == (r == k || (r < 2 && k < 2)));
            z[k] = z2[k] = mu[k] = (real) Zs[3 * r + k];
        }
        tile_row(&c, 3, label, w, NULL, z, s, sums);
        J += (double) c.edge * sums[0];
        sums[0] = 0;
        tile_inner(&c, 3, label, w, z2, sums);
        NEAR(z2[0], Zs[3 * r], 1e-7);
        tile_row_back(&c, 3, label, w, NULL, mu, s, dv);
        for (int k = 0; k < 3; k++) NEAR(mu[k], slope[3 * r + k], tol);
    }
    NEAR(J, 0.86146659206, TOL(1e-11, 1e-6));

    /* (c): divergence, no edges counted */
    static const double m[] = { 0.5, -1, 0, 2 }, sd[] = { 0, -0.5, 0.2, -1 }, ds[] = { 0, -0.158030139707, 0.12295617441, -0.216166179191 };
    TileCost kl = { 1, 0, (real) 0.25 };
    real mu[4], s[4], w[4] = { 0 }, dv[4] = { 0 }, label[4] = { 0 };
    double sums[2] = { 0, 0 };
    for (int k = 0; k < 4; k++) { mu[k] = (real) m[k]; s[k] = (real) sd[k]; }
    tile_row(&kl, 4, label, w, NULL, mu, s, sums);
    NEAR(sums[1] / 4, 0.855629927756, TOL(1e-11, 1e-6));
    for (int k = 0; k < 4; k++) { mu[k] = (real) m[k]; s[k] = (real) sd[k]; }
    tile_row_back(&kl, 4, label, w, NULL, mu, s, dv);
    for (int k = 0; k < 4; k++) { NEAR(mu[k], m[k] / 4, 1e-7); NEAR(s[k], ds[k], TOL(1e-11, 1e-6)); }

    /* (d): batch norm */
    real x[6] = { 1, 0, 2, 4, 6, 2 }, inv[2], y[6], up[6] = { 1, 0, 0, 1, 0, 0 }, dg[2], db[2];
    const real gamma[] = { (real) 1.5, 1 }, beta[] = { (real) 0.1, 0 };
    static const double ys[] = { -1.288581381052, -1.22451529629, -0.594290690526, 1.22451529629, 2.182872071577, 0 };
    static const double dx[] = { 0.264534190115, 0.101928186082, -0.330593365293, 0.102157696634, 0.0660591751775, -0.204085882716 };
    norm_columns(3, 2, 2, x, inv);
    norm_scale(3, 2, 2, x, gamma, beta, y);
    for (int k = 0; k < 6; k++) NEAR(y[k], ys[k], TOL(1e-11, 1e-6));
    norm_back(3, 2, 2, x, gamma, inv, up, dg, db);
    for (int k = 0; k < 6; k++) NEAR(up[k], dx[k], TOL(1e-11, 1e-6));
    NEAR(dg[0], -0.925720920701, TOL(1e-11, 1e-6));
    NEAR(dg[1], 1.224515296294, TOL(1e-11, 1e-6));
    CHECK(db[0] == 1 && db[1] == 1);

    /* (e): logarithms, z-scores */
    double ycounts[] = { 1, 0, 3, 2, 2, 4, 0, 1, 1 }, size[] = { 1, 2, 0.5 };
    static const double X[] = { 0.57735026919, -1.075069592244, 1.15470053838, 0.57735026919, 0.172611476952, -0.57735026919,
        -1.15470053838, 0.902458115292, -0.57735026919 };
    Setup set_ = graphsci(random_graph(3, 3, 1, 0), size);
    GsParams pars;
    memcpy(&pars, set_.params, sizeof pars);
    Fit f = { .x = sparse_of(ycounts, 3, 3), .plan = set_.plan, .given = size, .threads = 1, .tick = any_tick() };
    Net n = gs_net(&pars, &f);
    Arena a = new_arena();
    gs_take(&a, &n);
    gs_ready(&n);
    for (int k = 0; k < 9; k++) NEAR(n.X[k], X[k], TOL(1e-11, 1e-6));
    NEAR(part_of(&n, BM)[0], log((1.0 + 1 + 0) / 3), TOL(1e-12, 1e-6));
}

/* ---- fits ---- */
static void bits(void)
{
    for (int k = 0; k < 6; k++) {
        int N = k % 2 ? 300 : 70, M = 30;
        Sparse y = counts(N, M, k < 3 ? 0.6 : 0.1);
        Setup s = graphsci(random_graph(N, M, 24, 2 * N), sizes(M));
        set_word(&s, "latent", k % 3 == 2 ? "inner" : "code");
        set_word(&s, "dist", k == 4 ? "nb" : "zinb");
        set_word(&s, "inner", k == 1 || k == 5 ? "edges" : "full");
        set(&s, "patience", 10);
        size_t all = weights_of(&s, N);
        Fit one = fitted(&s, y), two = new_fit(&s, y);
        two.threads = 2;
        CHECK(go(&s, &two) == ST_OK);
        SAME_BITS(one.weights, two.weights, all);
        SAME_BITS(one.h->train, two.h->train, one.h->n_iter);
        SAME_BITS(one.h->part, two.h->part, CURVES * one.h->n_iter);
        CHECK(one.h->best_iter % 10 == 0 || one.h->best_iter == one.h->n_iter);
        for (int e = 10; e <= one.h->n_iter; e += 10) CHECK(one.h->valid[e - 1] >= one.h->valid[one.h->best_iter - 1]);
        CHECK(isnan(one.h->valid[0]) && all_finite(one.weights, all));
        CHECK(one.h->train[one.h->n_iter - 1] < one.h->train[0]);
        /* the prediction is exp of the folded head, for cells of the fit in any order; others are not known */
        double *at_1 = predicted(&s, y, one.weights, 1), *at_2 = predicted(&s, y, one.weights, 2);
        SAME_BITS(at_1, at_2, N * M);
        GsParams p;
        memcpy(&p, s.params, sizeof p);
        Result r = gs_result(one.weights, (size_t) N, (size_t) M, &p);
        double o = r.bias[0][5];
        for (size_t l = 0; l < H2; l++) o += r.E2[l * (size_t) M + 4] * r.U[0][5 * H2 + l];
        NEAR(at_1[4 * N + 5], exp(o) * s.given[4], 1e-12);
        CHECK(isnan(predicted(&s, counts(N, M, 0.4), one.weights, 1)[7]));
        clear();
    }
}

/* What is predicted is what training saw without noise: heads folded or in full, at one epoch and stop = "none". */
static void folded(void)
{
    int N = 70, M = 12;
    Sparse y = counts(N, M, 0.5);
    Setup s = graphsci(random_graph(N, M, 1, 2 * N), sizes(M));
    set(&s, "dropout", 0);
    GsParams p;
    memcpy(&p, s.params, sizeof p);
    Fit f = { .x = y, .plan = s.plan, .given = s.given, .seed = 3, .threads = 1, .tick = any_tick() };
    Net n = gs_net(&p, &f);
    Arena a = new_arena();
    gs_take(&a, &n);
    gs_ready(&n);
    Result r = gs_result(NEW(double, weights_of(&s, N)), (size_t) N, (size_t) M, &p);
    take(&n, &r);
    CHECK(isfinite(gs_held(&n, &r)));
    n.noise = n.drop = 0;
    forward(&n);
    for (int h = 0; h < 3; h++) {
        real o[12 * 64], inv[64];
        gemm(0, 0, (size_t) M, 64, H2, n.E2, H2, n.w + n.at.at[gs_head_u[h]], TILE, 0, o, 64, n.room->scratch);
        norm_columns((size_t) M, 64, 64, o, inv);
        norm_scale((size_t) M, 64, 64, o, part_of(&n, gs_head_g[h]), part_of(&n, gs_head_b[h]), o);
        for (size_t c = 0; c < (size_t) M; c++)
            for (size_t g = 0; g < 64; g++) {
                double v = r.bias[h][g];
                for (size_t l = 0; l < H2; l++) v += r.E2[l * (size_t) M + c] * r.U[h][g * H2 + l];
                NEAR(o[c * 64 + g], v, TOL(1e-11, 1e-3));
            }
    }
}

/* Draws are averaged; a draw without noise is the mean; the reference's evaluation is another; all are the same again. */
static void drawn(void)
{
    int N = 70, M = 20;
    Sparse y = counts(N, M, 0.5);
    Setup s = graphsci(random_graph(N, M, 12, 2 * N), sizes(M));
    double *mean = predicted(&s, y, fitted(&s, y).weights, 1);
    set(&s, "n.draws", 3);
    CHECK(weights_of(&s, N) > 3 * (size_t) (M * H2));
    Fit three = fitted(&s, y);
    double *drawn = predicted(&s, y, three.weights, 2), apart = 0, size = 0;
    GsParams p;
    memcpy(&p, s.params, sizeof p);
    Result r = gs_result(three.weights, (size_t) N, (size_t) M, &p);
    for (size_t k = 0; k < 3; k++) CHECK(r.E2[(k * H2 + 3) * (size_t) M] != r.E2[((k + 1) % 3 * H2 + 3) * (size_t) M] || r.E2[3 * M] == 0);
    double sum = 0;
    for (int d = 0; d < 3; d++) sum += exp(gs_head(&r, 0, d, (size_t) N, (size_t) M, 4, 5)) / 3;
    NEAR(drawn[4 * N + 5], sum * s.given[4], 1e-12);
    for (int k = 0; k < N * M; k++) { apart += fabs(drawn[k] - mean[k]); size += mean[k]; }
    CHECK(apart > 1e-4 * size && apart < 0.5 * size);
    SAME_BITS(drawn, predicted(&s, y, fitted(&s, y).weights, 1), N * M);
    set(&s, "n.draws", 0);
    set_word(&s, "eval", "reference");
    double *other = predicted(&s, y, fitted(&s, y).weights, 1);
    CHECK(all_finite(other, (size_t) (N * M)) && other[5] != mean[5] && other[5] != drawn[5]);
    SAME_BITS(other, predicted(&s, y, fitted(&s, y).weights, 2), N * M);
    clear();
}

/* A fit that was paused, or ended at its last epoch, goes on with the bits of one that was not. */
static void resumed(void)
{
    for (int k = 0; k < 5; k++) {
        int N = k == 1 ? 300 : 70, M = 20, pause = k == 2 ? 20 : 13;
        Sparse y = counts(N, M, 0.5);
        int *plan = random_graph(N, M, 30, 2 * N);
        Setup s = graphsci(plan, sizes(M));
        set_word(&s, "latent", k == 3 ? "inner" : "code");
        set_word(&s, "stop", k == 4 ? "none" : "validation");
        Fit whole = fitted(&s, y), half = new_fit(&s, y);
        if (k % 2) half.pause_at = pause; else plan[PLAN_EPOCHS] = pause;
        CHECK(go(&s, &half) == ST_OK && half.h->n_iter == pause);
        CHECK(half.h->stopped == (k % 2 ? STOPPED_PAUSE : STOPPED_MAX));
        plan[PLAN_EPOCHS] = 30;
        half.pause_at = 0;
        half.h->done = pause;
        CHECK(go(&s, &half) == ST_OK && half.h->n_iter == 30 && half.h->best_iter == whole.h->best_iter);
        SAME_BITS(whole.weights, half.weights, weights_of(&s, N));
        SAME_BITS(whole.state, half.state, model_state(s.m, s.params, N, plan));
        SAME_BITS(whole.h->train, half.h->train, 30);
        for (int e = 0; e < 30; e++) CHECK(whole.h->valid[e] == half.h->valid[e] || (isnan(whole.h->valid[e]) && isnan(half.h->valid[e])));
        clear();
    }
}

/* Held-out pairs: the area under the curve against all pairs counted; the rule for the cost's window. */
static void watched(void)
{
    int N = 70, M = 20, held = 30;
    Sparse y = counts(N, M, 0.5);
    int *bare = random_graph(N, M, 12, 2 * N), before = PLAN_GRAPH + N + 1 + bare[PLAN_EDGES];
    int *plan = NEW(int, before + 4 * held);
    memcpy(plan, bare, (size_t) before * sizeof *plan);
    plan[PLAN_HELD] = held;
    for (int k = 0; k < 2 * held; k++) { plan[before + 2 * k] = below(N / 2); plan[before + 2 * k + 1] = N / 2 + below(N / 2); }
    for (int inner = 0; inner < 2; inner++) {
        Setup s = graphsci(plan, sizes(M));
        set_word(&s, "latent", inner ? "inner" : "code");
        Fit f = fitted(&s, y);
        GsParams p;
        memcpy(&p, s.params, sizeof p);
        Result r = gs_result(f.weights, (size_t) N, (size_t) M, &p);
        double more = 0;
        for (int a = 0; a < held; a++)
            for (int b = held; b < 2 * held; b++) {
                double x = pair_score(&r, (size_t) N, inner, plan[before + 2 * a], plan[before + 2 * a + 1]),
                       z = pair_score(&r, (size_t) N, inner, plan[before + 2 * b], plan[before + 2 * b + 1]);
                more += x > z ? 1 : x == z ? 0.5 : 0;
            }
        NEAR(f.h->part[9 * CURVES + EDGE_AUC], more / (held * held), 1e-12);
        CHECK(isnan(f.h->part[EDGE_AUC]));
        double J = f.h->penalty[9];
        for (int k = 0; k < 4; k++) J += f.h->part[9 * CURVES + k];
        NEAR(J, f.h->train[9], 1e-12);
    }
    double train[40];
    for (int k = 0; k < 40; k++) train[k] = k < 20 ? 10 - 0.1 * k : 8;
    CHECK(!settled(train, 20) && !settled(train, 30) && !settled(train, 39) && settled(train, 40) && !settled(train, 10));
    Setup s = graphsci(random_graph(N, M, 40, 2 * N), sizes(M));
    set_word(&s, "stop", "cost");
    set(&s, "learning.rate", 1e-7);
    Fit f = fitted(&s, y);
    CHECK(f.h->n_iter < 40 && f.h->n_iter % 10 == 0 && f.h->stopped == STOPPED_WINDOW && f.h->best_iter == f.h->n_iter);
    clear();
}

static Setup asked;
static Fit job;
static Status call_fit(Arena *a) { return asked.m->fit(a, asked.params, &job); }
static Status call_predict(Arena *a)
{
    double out[70 * 12];
    Predict q = { .x = job.x, .plan = asked.plan, .weights = job.weights, .threads = 2, .tick = any_tick(), .out = out };
    return asked.m->predict(a, asked.params, &q);
}
static Sparse by_gene;
static uint64_t *edges;
static Status call_graph(Arena *a) { return prep_graph(a, &by_gene, 0.3, 2, any_tick(), edges); }

static void memory(void)
{
    asked = graphsci(random_graph(70, 12, 2, 100), sizes(12));
    job = new_fit(&asked, counts(70, 12, 0.5));
    CHECK(each_fails(call_fit) > 40);
    CHECK(each_fails(call_predict) > 2);
    set(&asked, "learning.rate", 10);
    set_word(&asked, "init", "reference");
    job = new_fit(&asked, counts(70, 12, 0.5));
    for (int k = 0; k < 12; k++) ((double *) (uintptr_t) asked.given)[k] = 1e-300;
    CHECK(go(&asked, &job) == ST_DIVERGED);
}

/* |r| above the threshold, against a plain correlation; sizes about those of blocks */
static void graph(void)
{
    static const int sizes_[] = { 1, 2, 127, 128, 129, 300 };
    for (int k = 0; k < 6; k++) {
        int N = sizes_[k], M = 17;
        double *x = random_matrix(M, N, 0.6);                          /* genes are columns here */
        for (int c = 0; c < M; c++) { x[c] = 2; if (N > 5) x[5 * M + c] = 0; }      /* genes that do not vary */
        by_gene = sparse_of(x, M, N);
        size_t words = ((size_t) N + 63) / 64, wrong = 0, found = 0;
        edges = NEW(uint64_t, (size_t) N * words);
        Arena a = new_arena();
        CHECK(prep_graph(&a, &by_gene, 0.3, 1 + k % 2, any_tick(), edges) == ST_OK);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                double mi = 0, mj = 0, ii = 0, jj = 0, ij = 0;
                for (int c = 0; c < M; c++) { mi += x[i * M + c] / M; mj += x[j * M + c] / M; }
                for (int c = 0; c < M; c++) {
                    double a_ = x[i * M + c] - mi, b_ = x[j * M + c] - mj;
                    ii += a_ * a_; jj += b_ * b_; ij += a_ * b_;
                }
                double r = ii > 1e-20 && jj > 1e-20 ? ij / sqrt(ii * jj) : 0;
                int has = (int) (edges[(size_t) i * words + (size_t) j / 64] >> j % 64 & 1);
                found += (size_t) has;
                if (fabs(fabs(r) - 0.3) > 1e-5) wrong += has != (i != j && fabs(r) > 0.3);
            }
        CHECK(wrong == 0 && (N < 100 || found > 100));
        memset(edges, 0, (size_t) N * words * 8);
        if (k == 4) CHECK(each_fails(call_graph) > 2);
        clear();
    }
}

int main(void)
{
    RUN(gradients);
    RUN(worked);
    RUN(bits);
    RUN(folded);
    RUN(drawn);
    RUN(resumed);
    RUN(watched);
    RUN(memory);
    RUN(graph);
    return report("graphsci");
}
