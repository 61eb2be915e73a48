/* scINN's module two: the worked numbers of its page, finite differences for every parameter against a plain implementation, and
 * what must not change a bit. */
#include "fitting.h"
#include "scinn.h"

enum { CELLS, CLUSTERS, LATENT, HIDDEN, BATCH, EPOCHS, LABELS };
enum { Z = SCINN_Z };

static Setup scinn(int cells, int clusters, int latent, int hidden, int batch, int epochs)
{
    Setup s = { .m = model_find("scinn") };
    if (!s.m) exit(2);
    int *plan = NEW(int, LABELS + cells);
    double *given = NEW(double, cells * latent);
    plan[CELLS] = cells; plan[CLUSTERS] = clusters; plan[LATENT] = latent; plan[HIDDEN] = hidden; plan[BATCH] = batch;
    plan[EPOCHS] = epochs;
    for (int c = 0; c < cells; c++) {
        double mean = 0, ss = 0, *u = given + c * latent;
        plan[LABELS + c] = c < clusters ? c : below(clusters);
        for (int l = 0; l < latent; l++) { u[l] = between(-1, 1); mean += u[l] / latent; }
        for (int l = 0; l < latent; l++) { u[l] -= mean; ss += u[l] * u[l]; }
        for (int l = 0; l < latent; l++) u[l] /= sqrt(ss);
    }
    s.plan = plan;
    s.given = given;
    set(&s, "learning.rate", 1e-3);
    set(&s, "weight.decay", 1e-3);
    set(&s, "cluster.weight", 1);
    set(&s, "similarity.weight", 1);
    set(&s, "reconstruction.weight", 0.1);
    set(&s, "zero.weight", 0.01);
    set(&s, "drop", 0.2);
    set(&s, "valid.fraction", 0);
    set_word(&s, "predictor", "mlp");
    set_word(&s, "cluster.loss", "softmax.bce");
    set(&s, "patience", 10);
    return s;
}

/* ---- the model once more, in loops, in double, in the natural layout ---- */
typedef struct {
    size_t G, n, h, K, L;
    int linear, kind;
    const double *x, *given;             /* genes x cells */
    const int *label;
    char *keep, *held;                   /* genes x cells: seen by f_I; for validation */
    double lc, ls, lr, l0, drop;
} Plain;

static double selu(double z) { return 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * expm1(z)); }

/* The parts of the loss; R (may be NULL): genes x cells */
static double plain(const Plain *p, const double *w, double part[4], double *R)
{
    size_t G = p->G, n = p->n, h = p->h, J = p->linear ? Z : 64;
    const double *W1 = w, *b1 = W1 + G * h, *W2 = b1 + h, *b2 = W2 + h * G, *W3 = b2 + G, *b3 = W3 + G * J, *W4 = b3 + J,
        *b4 = W4 + (p->linear ? 0 : 64 * Z), *W5 = b4 + (p->linear ? 0 : Z), *b5 = W5 + Z * p->K;
    double *z = NEW(double, n * Z), v = 0, nv = 0, nw = 0, n0 = 0, *H1 = NEW(double, h), *A3 = NEW(double, J);
    memset(part, 0, 4 * sizeof *part);
    for (size_t g = 0; g < G; g++) {
        double mean = 0, count = 0;
        for (size_t c = 0; c < n; c++) if (p->x[c * G + g] != 0 && !p->held[c * G + g]) { mean += p->x[c * G + g]; count++; }
        for (size_t c = 0; c < n; c++)
            if (p->x[c * G + g] != 0 && !p->held[c * G + g]) { v += pow(p->x[c * G + g] - mean / count, 2); nv++; }
    }
    v = v > 0 ? v / nv : 1;
    for (size_t c = 0; c < n; c++) {
        const double *x = p->x + c * G;
        for (size_t j = 0; j < h; j++) {
            H1[j] = b1[j];
            for (size_t g = 0; g < G; g++) if (x[g] != 0 && p->keep[c * G + g]) H1[j] += x[g] / (1 - p->drop) * W1[j * G + g];
            H1[j] = selu(H1[j]);
        }
        for (size_t k = 0; k < J; k++) A3[k] = b3[k];
        for (size_t g = 0; g < G; g++) {
            double r = b2[g];
            for (size_t j = 0; j < h; j++) r += H1[j] * W2[g * h + j];
            if (r < 0) r = 0;
            if (R) R[c * G + g] = r;
            if (x[g] != 0 && !p->held[c * G + g]) { part[2] += (r - x[g]) * (r - x[g]); nw++; }
            if (x[g] == 0) { part[3] += r * r; n0++; }
            double xi = x[g] != 0 && p->keep[c * G + g] ? x[g] : r;
            for (size_t k = 0; k < J; k++) A3[k] += xi * W3[k * G + g];
        }
        for (size_t l = 0; l < Z; l++) {
            z[c * Z + l] = p->linear ? A3[l] : b4[l];
            for (size_t k = 0; k < J && !p->linear; k++) z[c * Z + l] += selu(A3[k]) * W4[l * 64 + k];
        }
    }
    part[2] = nw > 0 ? part[2] / (v * nw) : 0;
    part[3] = n0 > 0 ? part[3] / (v * n0) : 0;
    for (size_t c = 0; c < n && p->K > 1; c++) {
        double *a = NEW(double, p->K), sum = 0;
        for (size_t k = 0; k < p->K; k++) {
            a[k] = b5[k];
            for (size_t l = 0; l < Z; l++) a[k] += z[c * Z + l] * W5[k * Z + l];
            sum += exp(a[k]);
        }
        for (size_t k = 0; k < p->K; k++) {
            double q = p->kind == 1 ? 1 / (1 + exp(-a[k])) : exp(a[k]) / sum;
            int is = (int) k == p->label[c];
            if (p->kind == 2) part[0] -= is ? log(q) / (double) n : 0;
            else part[0] -= log(is ? q : 1 - q) / (double) (n * p->K);
        }
    }
    for (size_t c = 0; c < n; c++) {
        double mean = 0, ss = 1e-8;
        for (size_t l = 0; l < Z; l++) mean += z[c * Z + l] / Z;
        for (size_t l = 0; l < Z; l++) { z[c * Z + l] -= mean; ss += z[c * Z + l] * z[c * Z + l]; }
        for (size_t l = 0; l < Z; l++) z[c * Z + l] /= sqrt(ss);
    }
    for (size_t c = 0; c < n; c++)
        for (size_t d = 0; d < n; d++) {
            double e = 0;
            for (size_t l = 0; l < Z; l++) e += z[c * Z + l] * z[d * Z + l];
            for (size_t l = 0; l < p->L; l++) e -= p->given[c * p->L + l] * p->given[d * p->L + l];
            if (c != d) part[1] += e * e / (double) (n * n);
        }
    return p->lc * part[0] + p->ls * part[1] + p->lr * part[2] + p->l0 * part[3];
}

/* One step from weights of ours, moments 0: the first moment after it is a tenth of the gradient. */
static void gradient(int kind, int linear, int K, int hidden, double drop, double valid, int G, int paper)
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
    double *w = NEW(double, all), *xs = NEW(double, (size_t) G * cells), *given = NEW(double, cells * (size_t) L);
    for (size_t k = 0; k < all; k++) w[k] = between(-0.3, 0.3);
    Fit f = new_fit(&s, sx);
    memcpy(f.weights, w, all * sizeof *w);
    memcpy(f.state, w, all * sizeof *w);
    f.h->done = 1;
    f.h->stopped = STOPPED_PAUSE;
    int *order = NEW(int, n), *label = NEW(int, n);
    rng_permute(f.seed, RNG_ORDER, 2, order, n);
    Plain p = { (size_t) G, cells, (size_t) hidden, (size_t) K, (size_t) L, linear, kind, xs, given, label,
                NEW(char, (size_t) G * cells), NEW(char, (size_t) G * cells), 1.5, 1, paper ? 0 : 0.1, paper ? 0 : 0.01, drop };
    uint64_t entries = (uint64_t) sx.p[n], left = (uint64_t) (valid * (double) entries), left2 = left;
    char *held = NEW(char, entries);
    for (uint64_t k = 0; k < entries; k++) held[k] = (char) rng_choose(f.seed, RNG_HOLD_OUT, k, entries, &left);
    CHECK(left == 0 && (valid == 0 || left2 > 0));
    for (size_t r = 0; r < cells; r++) {
        int c = order[r];
        size_t longest = (size_t) sparse_longest(&sx);
        uint32_t *bits = NEW(uint32_t, longest + 4);
        rng_words(f.seed, RNG_DROPOUT, 0, ((uint64_t) 2 * cells + r) * ((longest + 3) / 4), bits, (size_t) (sx.p[c + 1] - sx.p[c]));
        memcpy(given + r * (size_t) L, s.given + c * L, (size_t) L * sizeof *given);
        label[r] = s.plan[LABELS + c];
        for (int k = sx.p[c]; k < sx.p[c + 1]; k++) {
            size_t at = r * (size_t) G + (size_t) sx.i[k];
            xs[at] = (double) (real) sx.x[k];
            p.held[at] = held[k];
            p.keep[at] = !held[k] && !(drop > 0 && bits[k - sx.p[c]] < (uint32_t) (drop * 4294967296.0));
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
    for (int k = 0; k < 12; k++) gradient(k % 3, k / 3 % 2, 4, k < 6 ? 16 : 70, k % 4 ? 0.2 : 0, k % 5 == 4 ? 0.1 : 0, 20, 0);
    gradient(0, 0, 3, 16, 0.2, 0, 300, 0);              /* two blocks of genes */
    gradient(0, 1, 1, 16, 0, 0, 20, 0);                 /* one cluster */
    gradient(0, 0, 12, 16, 0, 0, 20, 0);                /* more clusters than cells */
    gradient(0, 0, 3, 16, 0, 0, 20, 1);                 /* the paper's two losses */
}

/* No zeros in the batch and nothing dropped: f_P alone learns from the paper's losses, to the bit. */
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
    for (int kind = 0; kind < 3; kind++)                      /* finite wherever the largest logit is */
        for (int c = 0; c < 3; c++)
            for (int turn = 0; turn < 3; turn++) {
                real t[3] = { three[turn], three[(turn + 1) % 3], three[(turn + 2) % 3] };
                CHECK(isfinite(scinn_cell_loss((ClusterLoss) kind, t, 3, c, da)) && isfinite(da[0] + da[1] + da[2]));
            }
    double d2[2], d3[2];                                      /* K = 2: both softmax losses are one */
    real l2[2] = { (real) 0.3, (real) -1.1 };
    NEAR(scinn_cell_loss(SOFTMAX_BCE, l2, 2, 1, d2) / 2, scinn_cell_loss(CATEGORICAL, l2, 2, 1, d3), 1e-12);
    NEAR(d2[0] / 2, d3[0], 1e-12);
}

/* ---- what must not change a bit ---- */
static void bits(void)
{
    for (int k = 0; k < 8; k++) {
        int G = k % 2 ? 300 : 40, n = 23;
        double *x = random_matrix(G, n, 0.4);
        for (int c = 0; c < n; c++) x[c * G] = 1;
        Setup s = scinn(n, 3, 4, k & 2 ? 70 : 16, 6, 6);
        set(&s, "valid.fraction", k & 4 ? 0.1 : 0);
        set(&s, "patience", 2);
        Sparse sx = sparse_of(x, G, n);
        size_t all = weights_of(&s, G);
        Fit one = fitted(&s, sx);
        CHECK(one.h->stopped == (one.h->n_iter < 6 ? STOPPED_VALID : STOPPED_MAX));
        CHECK(k & 4 ? one.h->mse == one.h->valid[one.h->best_iter - 1] : one.h->n_iter == 6);
        Fit two = new_fit(&s, sx);
        two.threads = 2;
        CHECK(go(&s, &two) == ST_OK);
        SAME_BITS(one.weights, two.weights, all);
        SAME_BITS(one.state, two.state, 3 * all);
        SAME_BITS(one.h->train, two.h->train, one.h->n_iter);
        SAME_BITS(one.h->part, two.h->part, CURVES * one.h->n_iter);
        Fit half = new_fit(&s, sx);
        half.pause_at = 2;
        CHECK(go(&s, &half) == ST_OK && half.h->n_iter == 2 && half.h->stopped == STOPPED_PAUSE);
        half.h->done = 2;
        half.pause_at = 0;
        CHECK(go(&s, &half) == ST_OK);
        SAME_BITS(one.weights, half.weights, all);
        SAME_BITS(one.state, half.state, 3 * all);
        SAME_BITS(one.h->part, half.h->part, CURVES * one.h->n_iter);
        double *at_1 = predicted(&s, sx, one.weights, 1), *at_2 = predicted(&s, sx, one.weights, 2), part[4];
        SAME_BITS(at_1, at_2, G * n);
        Plain p = { (size_t) G, (size_t) n, (size_t) s.plan[HIDDEN], 3, 4, 0, 0, x, s.given, s.plan + LABELS,
                    NEW(char, G * n), NEW(char, G * n), 1, 1, 1, 1, 0 };
        memset(p.keep, 1, (size_t) (G * n));
        double *R = NEW(double, G * n);
        plain(&p, one.weights, part, R);
        WITHIN(apart(at_1, R, (size_t) (G * n)), TOL(1e-12, 1e-5));
        clear();
    }
    /* nothing to do */
    Setup s = scinn(0, 1, 1, 16, 1, 0);
    double x[] = { 1, 2, 3, 4 };
    Fit f = fitted(&s, sparse_of(x, 1, 4));
    CHECK(f.h->n_iter == 0 && f.h->stopped == STOPPED_CLOSED);
    CHECK(predicted(&s, f.x, f.weights, 1)[3] == 0);
    /* the plan is for other cells */
    s = scinn(5, 2, 3, 16, 5, 1);
    f = new_fit(&s, sparse_of(x, 1, 4));
    CHECK(go(&s, &f) == ST_SHAPE);
}

/* Everything that can be learnt is: losses fall, R comes to where x is. */
static void learns(void)
{
    int G = 60, n = 40;
    double *x = random_matrix(G, n, 0.6);
    Setup s = scinn(n, 2, 4, 16, 10, 60);
    set(&s, "learning.rate", 1e-2);
    set(&s, "similarity.weight", 0);
    for (int c = 0; c < n; c++) {
        int k = s.plan[LABELS + c];
        for (int g = 0; g < G; g++) if (x[c * G + g] != 0) x[c * G + g] += k ? g % 2 : (g + 1) % 2;
    }
    Fit f = fitted(&s, sparse_of(x, G, n));
    const double *part = f.h->part, *end = part + CURVES * (f.h->n_iter - 1);
    CHECK(end[0] < 0.3 * part[0] && end[2] < 0.6 * part[2]);
}

/* A learning rate that breaks it is said, not returned. */
static void diverges(void)
{
    Setup s = scinn(9, 3, 4, 16, 3, 50);
    set(&s, "learning.rate", 10);
    set(&s, "weight.decay", 100);
    Fit f = new_fit(&s, sparse_of(random_matrix(20, 9, 0.5), 20, 9));
    CHECK(go(&s, &f) == ST_DIVERGED);
}

int main(void)
{
    RUN(gradients);
    RUN(untouched);
    RUN(worked);
    RUN(bits);
    RUN(learns);
    RUN(diverges);
    return report("scinn");
}
