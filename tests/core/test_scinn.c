/* scINN's module two: the worked numbers of its page, and finite differences for every parameter
 * against a plain implementation. */
#include "scinn_plain.h"

/* One step from weights of ours, moments 0: the first moment after it is a tenth of the
 * gradient. */
static void gradient(int kind, int linear, int K, int hidden, double drop, double valid, int G,
                     int paper)
{
    static const char *const kinds[] = { "softmax.bce", "sigmoid.bce", "categorical" };
    int n = 9, L = 4;
    double *x = random_matrix(G, n, 0.5), part[4];
    for (int c = 0; c < n; c++) x[c * G] = x[c * G] != 0 ? x[c * G] : 1;         /* no empty cell */
    Setup s = scinn(n, K, L, hidden, n, 2);
    set(&s, "drop", drop);
    set(&s, "valid.fraction", valid);
    set_word(&s, "cluster.loss", kinds[kind]);
    set_word(&s, "predictor", linear ? "linear" : "mlp");
    set(&s, "cluster.weight", 1.5);
    if (paper) { set(&s, "reconstruction.weight", 0); set(&s, "zero.weight", 0); }
    Sparse sx = sparse_of(x, G, n);
    size_t all = weights_of(&s, G), cells = (size_t) n;
    double *w = NEW(double, all), *xs = NEW(double, (size_t) G *cells),
           *given = NEW(double, cells *(size_t) L);
    for (size_t k = 0; k < all; k++) w[k] = between(-0.3, 0.3);
    Fit f = new_fit(&s, sx);
    memcpy(f.weights, w, all * sizeof *w);
    memcpy(f.state, w, all * sizeof *w);
    f.h->done = 1;
    f.h->stopped = STOPPED_PAUSE;
    int *order = NEW(int, n), *label = NEW(int, n);
    rng_permute(f.seed, RNG_ORDER, 2, order, n);
    Plain p = { (size_t) G,
                cells,
                (size_t) hidden,
                (size_t) K,
                (size_t) L,
                linear,
                kind,
                xs,
                given,
                label,
                NEW(char, (size_t) G *cells),
                NEW(char, (size_t) G *cells),
                1.5,
                1,
                paper ? 0 : 0.1,
                paper ? 0 : 0.01,
                drop };
    uint64_t entries = (uint64_t) sx.p[n], left = (uint64_t) (valid * (double) entries),
             left2 = left;
    char *held = NEW(char, entries);
    for (uint64_t k = 0; k < entries; k++)
        held[k] = (char) rng_choose(f.seed, RNG_HOLD_OUT, k, entries, &left);
    CHECK(left == 0 && (valid == 0 || left2 > 0));
    for (size_t r = 0; r < cells; r++) {
        int c = order[r];
        size_t longest = (size_t) sparse_longest(&sx);
        uint32_t *bits = NEW(uint32_t, longest + 4);
        rng_words(f.seed, RNG_DROPOUT, 0, ((uint64_t) 2 * cells + r) * ((longest + 3) / 4), bits,
                  (size_t) (sx.p[c + 1] - sx.p[c]));
        memcpy(given + r * (size_t) L, units_of(&s) + c * L, (size_t) L * sizeof *given);
        label[r] = labels_of(&s)[c];
        for (int k = sx.p[c]; k < sx.p[c + 1]; k++) {
            size_t at = r * (size_t) G + (size_t) sx.i[k];
            xs[at] = (double) (real) sx.x[k];
            p.held[at] = held[k];
            p.keep[at] = !held[k]
                         && !(drop > 0 && bits[k - sx.p[c]] < (uint32_t) (drop * 4294967296.0));
        }
    }
    double loss = plain(&p, w, part, NULL);
    CHECK(go(&s, &f) == ST_OK && f.h->n_iter == 2);
    NEAR(f.h->train[1], loss, TOL(1e-11, 1e-4));
    for (int k = 0; k < 4; k++) NEAR(f.h->part[CURVES + k], part[k], TOL(1e-11, 1e-4));
    /* block by block, so that small gradients are not lost under large ones */
    Shape shape;
    size_t at = 0;
    for (int k = 0; s.m->shape(s.params, G, s.plan, k, &shape); k++) {
        size_t len = (size_t) shape.nrow * (size_t) shape.ncol;
        double most = 0, scale = 1e-4;
        for (size_t j = 0; j < len; j += 1 + len / 61) {
            double was = w[at + j], step = 1e-6, got = f.state[all + at + j] / 0.1;
            w[at + j] = was + step;
            double up = plain(&p, w, part, NULL);
            w[at + j] = was - step;
            double want = (up - plain(&p, w, part, NULL)) / (2 * step);
            w[at + j] = was;
            scale = fmax(scale, fabs(want));
            most = fmax(most, fabs(got - want));
        }
        WITHIN(most / scale, TOL(1e-5, 1e-2));
        at += len;
    }
    CHECK(at == all);
    clear();
}

static void gradients(void)
{
    for (int k = 0; k < 12; k++)
        gradient(k % 3, k / 3 % 2, 4, k < 6 ? 16 : 70, k % 4 ? 0.2 : 0, k % 5 == 4 ? 0.1 : 0, 20,
                 0);
    gradient(0, 0, 3, 16, 0.2, 0, 300, 0);              /* two blocks of genes */
    gradient(0, 1, 1, 16, 0, 0, 20, 0);                 /* one cluster */
    gradient(0, 0, 12, 16, 0, 0, 20, 0);                /* more clusters than cells */
    gradient(0, 0, 3, 16, 0, 0, 20, 1);                 /* the paper's two losses */
}

/* No zeros in the batch and nothing dropped: f_P alone learns from the paper's losses, to the
 * bit. */
static void untouched(void)
{
    double *x = random_matrix(20, 9, 1.1);
    Setup s = scinn(9, 3, 4, 16, 9, 1);
    set(&s, "drop", 0);
    set(&s, "reconstruction.weight", 0);
    set(&s, "zero.weight", 0);
    Fit f = fitted(&s, sparse_of(x, 20, 9));
    size_t all = weights_of(&s, 20), first = 20 * 16 + 16 + 16 * 20 + 20;
    for (size_t k = 0; k < first; k++) CHECK(f.state[all + k] == 0);
    double most = 0;
    for (size_t k = first; k < all; k++) most = fmax(most, fabs(f.state[all + k]));
    CHECK(most > 1e-6);
}

/* ---- page 6.1 ---- */
static void worked(void)
{
    real y[2] = { -1, 1 }, dy[2] = { 1, 1 };
    act_selu(y, 2);
    NEAR(y[0], -1.1113307, 1e-7);
    NEAR(y[1], 1.0507010, 1e-7);
    act_selu_back(y, dy, 2);
    NEAR(dy[0], 1.0507009873554805 * 1.6732632423543772 * exp(-1), 1e-6);
    NEAR(dy[1], 1.0507010, 1e-7);

    /* the page's three coordinates, five times: the same correlation, a fifth of the gradient */
    real z[2 * Z], dz[2 * Z];
    static const double a[] = { 1, 2, 3 }, b[] = { 1, 3, 2 }, want[] = { -0.125, 0.25, -0.125 };
    double given[4] = { sqrt(0.5), -sqrt(0.5), 0, 0 }, room[2];
    int cells[] = { 0, 1 };
    for (int l = 0; l < Z; l++) { z[l] = (real) a[l % 3]; z[Z + l] = (real) b[l % 3]; }
    Arena ar = new_arena();
    Similar s;
    similar_take(&ar, &s, 2, 2);
    similar_load(&s, z, given, cells, 2);
    similar_rows(&s, 0, 2, 1, room, dz);
    NEAR(similar_loss(&s), 0.125, 1e-7);
    double sum = 0;
    for (int l = 0; l < Z; l++) { NEAR(dz[l], want[l % 3] / 5, 1e-7); sum += (double) dz[l]; }
    NEAR(sum, 0, 1e-7);

    double da[3];
    real two[2] = { 0, 0 }, three[3] = { 800, 0, -800 };
    NEAR(scinn_cell_loss(SOFTMAX_BCE, two, 2, 0, da) / 2, 0.693147, 1e-6);
    NEAR(da[0] / 2, -0.5, 1e-12);
    NEAR(da[1] / 2, 0.5, 1e-12);
    NEAR(scinn_cell_loss(SOFTMAX_BCE, three, 3, 2, da) / 3, 800, 1e-9);
    NEAR(da[0] / 3, 2.0 / 3, 1e-9);
    NEAR(da[1] / 3, -1.0 / 3, 1e-9);
    NEAR(da[2] / 3, -1.0 / 3, 1e-9);
    for (int kind = 0; kind < 3; kind++)  /* finite wherever the largest logit is */
        for (int c = 0; c < 3; c++)
            for (int turn = 0; turn < 3; turn++) {
                real t[3] = { three[turn], three[(turn + 1) % 3], three[(turn + 2) % 3] };
                CHECK(isfinite(scinn_cell_loss((ClusterLoss) kind, t, 3, c, da))
                      && isfinite(da[0] + da[1] + da[2]));
            }
    double d2[2], d3[2];  /* K = 2: both softmax losses are one */
    real l2[2] = { (real) 0.3, (real) -1.1 };
    NEAR(scinn_cell_loss(SOFTMAX_BCE, l2, 2, 1, d2) / 2, scinn_cell_loss(CATEGORICAL, l2, 2, 1, d3),
         1e-12);
    NEAR(d2[0] / 2, d3[0], 1e-12);
}

int main(void)
{
    RUN(gradients);
    RUN(untouched);
    RUN(worked);
    return report("scinn");
}
