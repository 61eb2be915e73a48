/* GraphSCI: the worked numbers of its page, and finite differences for all 21 blocks of parameters
 * against a plain implementation in loops. */
#include "graphsci_plain.h"

static void gradient(int N, int M, double density, int inner, int nb, int scale, double dropout,
                     double valid, int init, int on_edges, double cell_dropout)
{
    static const char *const names[] = { "W",  "W0",      "W1",     "Wm", "Ws",      "b",
                                         "U1", "gamma1",  "beta1",  "U2", "gamma2",  "beta2",
                                         "Up", "gamma_p", "beta_p", "Ut", "gamma_t", "beta_t",
                                         "Um", "gamma_m", "beta_m" };
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
    Fit f = { .x = y, .plan = s.plan, .seed = 11, .threads = 2, .tick = any_tick() };
    Net n = gs_net(&p, &f), old;
    Arena a = new_arena();
    gs_take(&a, &n);
    gs_ready(&n);
    CHECK((n.X != NULL) == (density > 0.3 && !on_edges));
    for (size_t k = 0; k < n.at.at[N_BLOCKS]; k++)
        if (n.w[k] != 0) n.w[k] += (real) between(-0.05, 0.05);
    for (int g = 0; g < N; g++) {
        part_of(&n, BT)[g] += (real) between(-0.3, 0.3);
        part_of(&n, B)[g] = (real) between(0.1, 0.5);
    }
    old = n;
    old.w = NEW(real, n.at.at[N_BLOCKS]);
    memcpy(old.w, n.w, n.at.at[N_BLOCKS] * sizeof(real));
    n.epoch = 3;
    n.opt = (Optim) { .rule = OPT_SGD, .learning_rate = 1 };
    double part[CURVES], penalty;
    epoch(&n, part, &penalty);
    /* what the loops need */
    double *x = NEW(double, n_ *m_), *masked = NEW(double, n_ *m_), *eps = NEW(double, n_ *L),
           *dense = NEW(double, n_ *m_);
    char *held = NEW(char, n_ * m_);
    real *block = NEW(real, m_ * GENES);
    for (size_t b = 0; b < head_blocks(&n); b++)
        for (int with = 0; with < 2; with++) {
            n.noise = n.drop = with;
            gs_x_block(&n, (int) (b * GENES), genes_here(&n, b), block);
            for (size_t c = 0; c < m_; c++)
                for (size_t j = 0; j < genes_here(&n, b); j++)
                    (with ? masked : x)[c * n_ + b * GENES + j] = (double) block[c * GENES + j];
        }
    for (size_t c = 0; c < m_; c++)
        for (size_t b = 0; b < head_blocks(&n); b++) {
            uint32_t bits[GENES];
            if (gs_is_held(&n, b, c, bits))
                for (size_t j = 0; j < genes_here(&n, b); j++)
                    held[c * n_ + b * GENES + j] = bits[j] < gs_held_below(&n);
        }
    for (int c = 0; c < M; c++)
        for (int k = y.p[c]; k < y.p[c + 1]; k++) dense[(size_t) c * n_ + (size_t) y.i[k]] = y.x[k];
    for (size_t i = 0; i < n_; i++)
        for (size_t j = 0; j < L; j += 64) {
            real e[64];
            rng_normals64(11, RNG_NOISE, 3, inner ? i : i * (n.pad / 64) + j / 64, e);
            for (size_t k = 0; k < 64 && j + k < L; k++) eps[i * L + j + k] = (double) e[k];
        }
    Plain q = { .n = &old, .x = x, .masked = masked, .eps = eps, .y = dense, .held = held };
    size_t wide[] = { n_, H1, H2 };
    for (size_t layer = 0; layer < 3; layer++) {  /* E0 in tiles, the others in rows */
        double *keep = NEW(double, m_ * wide[layer]);
        size_t len = layer ? m_ * wide[layer] : (size_t) n.tiles * m_ * TILE;
        uint32_t *word = NEW(uint32_t, len + TILE);
        rng_words(11, RNG_DROPOUT, 3, (layer + 1) << 40, word, (len + 3) / 4 * 4);
        for (size_t c = 0; c < m_; c++)
            for (size_t j = 0; j < wide[layer]; j++)
                keep[c * wide[layer] + j] =
                    word[layer ? c * wide[layer] + j : j / TILE * m_ * TILE + c * TILE + j % TILE]
                            < cell_dropout * 4294967296.0
                        ? 0
                        : 1 / (1 - cell_dropout);
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
        if (IS_DOUBLE && !(nb && (k == UP || k == GP || k == BP)) && most > 1e-6 * scale_ + 1e-9)
            printf("%s: %g of %g\n", names[k], most, scale_);
        if (IS_DOUBLE && !(nb && (k == UP || k == GP || k == BP)))
            WITHIN(most, 1e-6 * scale_ + 1e-9);
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
    static const double slope[] = { -0.0672353553425, -0.182764644658, 0.0444613808001,
                                    -0.0298007305055, -0.125,          0.0269671906284,
                                    0.00851449443015, 0.040155464349,  -0.0672353553425 };
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
        real label[3], w[3] = { 1, 1, 1 }, z[3], z2[3], dv[3] = { 0 }, s[3] = { -99, -99, -99 },
                       mu[3];
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
    static const double m[] = { 0.5, -1, 0, 2 }, sd[] = { 0, -0.5, 0.2, -1 },
                        ds[] = { 0, -0.158030139707, 0.12295617441, -0.216166179191 };
    TileCost kl = { 1, 0, (real) 0.25 };
    real mu[4], s[4], w[4] = { 0 }, dv[4] = { 0 }, label[4] = { 0 };
    double sums[2] = { 0, 0 };
    for (int k = 0; k < 4; k++) { mu[k] = (real) m[k]; s[k] = (real) sd[k]; }
    tile_row(&kl, 4, label, w, NULL, mu, s, sums);
    NEAR(sums[1] / 4, 0.855629927756, TOL(1e-11, 1e-6));
    for (int k = 0; k < 4; k++) { mu[k] = (real) m[k]; s[k] = (real) sd[k]; }
    tile_row_back(&kl, 4, label, w, NULL, mu, s, dv);
    for (int k = 0; k < 4; k++) {
        NEAR(mu[k], m[k] / 4, 1e-7);
        NEAR(s[k], ds[k], TOL(1e-11, 1e-6));
    }

    /* (d): batch norm */
    real x[6] = { 1, 0, 2, 4, 6, 2 }, inv[2], y[6], up[6] = { 1, 0, 0, 1, 0, 0 }, dg[2], db[2];
    const real gamma[] = { (real) 1.5, 1 }, beta[] = { (real) 0.1, 0 };
    static const double ys[] = { -1.288581381052, -1.22451529629, -0.594290690526,
                                 1.22451529629,   2.182872071577, 0 };
    static const double dx[] = { 0.264534190115, 0.101928186082,  -0.330593365293,
                                 0.102157696634, 0.0660591751775, -0.204085882716 };
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
    static const double X[] = { 0.57735026919,  -1.075069592244, 1.15470053838,
                                0.57735026919,  0.172611476952,  -0.57735026919,
                                -1.15470053838, 0.902458115292,  -0.57735026919 };
    Setup set_ = graphsci(random_graph(3, 3, 1, 0), size);
    GsParams pars;
    memcpy(&pars, set_.params, sizeof pars);
    Fit f = { .x = sparse_of(ycounts, 3, 3),
              .plan = set_.plan,
              .threads = 1,
              .tick = any_tick() };
    Net n = gs_net(&pars, &f);
    Arena a = new_arena();
    gs_take(&a, &n);
    gs_ready(&n);
    for (int k = 0; k < 9; k++) NEAR(n.X[k], X[k], TOL(1e-11, 1e-6));
    NEAR(part_of(&n, BM)[0], log((1.0 + 1 + 0) / 3), TOL(1e-12, 1e-6));
}

int main(void)
{
    RUN(gradients);
    RUN(worked);
    return report("graphsci");
}
