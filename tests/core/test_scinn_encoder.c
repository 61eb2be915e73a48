/* scINN's stacked Bayesian autoencoder: worked numbers, finite differences in both phases, with
 * SELU and with batch norm, what an encoder gives, threads, and memory that is not there. */
#include "fitting.h"
#define scinn_encoder encoder_under_test
#include "../../src/scinn_encoder.c"
#undef scinn_encoder

enum { GENES = 300, CELLS = 7, LATENT = 5 };

static Learn job_of(const Sparse *x, int *cells, int batch)
{
    for (int c = 0; c < x->ncol; c++) cells[c] = c;
    return (Learn) { .x = x,
                    .cells = cells,
                    .n = x->ncol,
                    .batch = batch,
                    .threads = 1,
                    .seed = 5,
                    .part = 2,
                    .learning_rate = 5e-4,
                    .decay = 1e-3,
                    .tick = any_tick() };
}

static double selu(double z)
{
    return 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * expm1(z));
}

/* The loss in loops, with the noise that the net has drawn. */
static double plain(const Net *n, const double *x)
{
    const real *s = n->small.w;
    size_t L = LATENT;
    double h[CELLS][H], loss = 0;
    for (size_t c = 0; c < CELLS; c++)
        for (size_t j = 0; j < H; j++) {
            h[c][j] = (double) s[n->at.b + j];
            for (size_t g = 0; g < GENES; g++)
                h[c][j] += x[c * GENES + g] * (double) n->W.w[g * H + j];
        }
    for (size_t j = 0; j < H; j++) {
        double mean = 0, var = 0;
        for (size_t c = 0; c < CELLS; c++) mean += h[c][j] / CELLS;
        for (size_t c = 0; c < CELLS; c++) var += (h[c][j] - mean) * (h[c][j] - mean) / CELLS;
        for (size_t c = 0; c < CELLS; c++)
            h[c][j] = n->e->norm ? (double) s[n->at.gamma + j] * (h[c][j] - mean) / sqrt(var + 1e-3)
                                       + (double) s[n->at.delta + j]
                                 : selu(h[c][j]);
    }
    for (size_t c = 0; c < CELLS; c++) {
        double mu[LATENT], v[LATENT], sum = 0, kl = 0;
        for (size_t l = 0; l < L; l++) {
            mu[l] = (double) s[n->at.a0 + l];
            v[l] = (double) s[n->at.v0 + l];
            for (size_t j = 0; j < H; j++) {
                mu[l] += h[c][j] * (double) s[n->at.A + j * L + l];
                v[l] += h[c][j] * (double) s[n->at.V + j * L + l];
            }
            sum += exp(v[l]);
        }
        for (size_t l = 0; l < L; l++) {
            v[l] = exp(v[l]) / sum;
            kl -= 0.5 * (1 + log(v[l]) - mu[l] * mu[l] - v[l]) / LATENT;
        }
        for (size_t e = 0; e < 2; e++) {
            double d[H], square = 0, size = 0;
            for (size_t j = 0; j < H; j++) {
                double p = (double) s[n->at.p[e] + j];
                for (size_t l = 0; l < L; l++)
                    p += (mu[l] + 0.25 * sqrt(v[l]) * (double) n->eps[e * L + l])
                         * (double) s[n->at.P[e] + l * H + j];
                d[j] = selu(p);
            }
            for (size_t g = 0; g < GENES; g++) {
                double o = (double) n->q[e].w[g] - x[c * GENES + g];
                for (size_t j = 0; j < H; j++) o += d[j] * (double) n->Q[e].w[g * H + j];
                square += o * o / GENES;
                size += fabs(o) / GENES;
            }
            loss += n->warm ? size / CELLS : (n->e->beta * square + kl) / CELLS;
        }
    }
    return loss;
}

static void gradient(int norm, int warm)
{
    double *x = random_matrix(GENES, CELLS, 0.4);
    Sparse s = sparse_of(x, GENES, CELLS);
    int cells[CELLS];
    Learn job = job_of(&s, cells, CELLS);
    Encoder e = { LATENT, norm, 3, 100 };
    Net n, old;
    Arena a = new_arena();
    net_take(&a, &n, &job, &e);
    net_take(&a, &old, &job, &e);
    net_start(&n);
    n.warm = old.warm = warm;
    Trained *w[] = { &n.W, &n.Q[0], &n.Q[1], &n.q[0], &n.q[1], &n.small },
            *was[] = { &old.W, &old.Q[0], &old.Q[1], &old.q[0], &old.q[1], &old.small };
    size_t len[] = { GENES * H, GENES * H, GENES * H, GENES, GENES, n.at.n };
    for (int k = 0; k < 6; k++) {
        for (size_t j = 0; j < len[k]; j++) w[k]->w[j] += (real) between(-0.1, 0.1);
        memcpy(was[k]->w, w[k]->w, len[k] * sizeof(real));
    }
    double rate = warm ? 1 : TOL(1e-3, 1e-2);
    n.opt.rule = OPT_SGD;
    n.opt.learning_rate = rate;
    n.opt.decay = 0;
    double loss = batch(&n, cells);
    memcpy(old.eps, n.eps, 2 * LATENT * sizeof(real));
    NEAR(loss, plain(&old, x), TOL(1e-12, 1e-5));
    for (int k = 0; k < 6; k++) {
        double most = 0, scale = 0;
        for (size_t j = 0; j < len[k]; j += 1 + len[k] / 197) {
            double step = TOL(1e-6, 1e-2),
                   got = ((double) was[k]->w[j] - (double) w[k]->w[j]) / rate;
            real here = was[k]->w[j];
            was[k]->w[j] = here + (real) step;
            double up = plain(&old, x);
            was[k]->w[j] = here - (real) step;
            double want = (up - plain(&old, x)) / (2 * step);
            was[k]->w[j] = here;
            scale = fmax(scale, fabs(want));
            most = fmax(most, fabs(got - want));
        }
        if (IS_DOUBLE) WITHIN(most / scale, warm ? 1e-4 : 1e-5);        /* |.| has corners */
    }
    if (norm && IS_DOUBLE)                                              /* the mean takes it away */
        for (size_t j = 0; j < H; j++)
            WITHIN(fabs((double) was[5]->w[n.at.b + j] - (double) w[5]->w[n.at.b + j]) / rate,
                   1e-10);
}
static void gradients(void) { for (int k = 0; k < 4; k++) gradient(k / 2, k % 2); }

/* page 6.1, item 4 */
static void worked_norm(void)
{
    Sparse s = sparse_of(random_matrix(4, 3, 0.9), 4, 3);
    int cells[3];
    Learn job = job_of(&s, cells, 3);
    Encoder e = { 2, 1, 1, 100 };
    Net n;
    Arena a = new_arena();
    net_take(&a, &n, &job, &e);
    net_start(&n);
    n.small.w[n.at.gamma] = 2;
    n.small.w[n.at.delta] = (real) 0.5;
    for (size_t r = 0; r < 3; r++) n.a[r * H] = (real) (1 + 2 * (int) r);
    norm_forward(&n);
    NEAR(n.h[0], -1.9490, 5e-5);
    NEAR(n.h[H], 0.5, 1e-6);
    NEAR(n.h[2 * H], 2.9490, 5e-5);
    NEAR(n.mean[0], 0.03, 1e-7);
    NEAR(n.var[0], 1.03, 1e-6);
    n.dh[0] = 1;
    norm_back(&n);
    NEAR(n.dh[0], 0.2043, 5e-5);
    NEAR(n.dh[H], -0.4082, 5e-5);
    NEAR(n.dh[2 * H], 0.2039, 5e-5);
}

static void worked_kl(void)
{
    Sparse s = sparse_of(random_matrix(4, 3, 0.9), 4, 3);
    int cells[3];
    Learn job = job_of(&s, cells, 1);
    Encoder e = { 2, 0, 1, 100 };
    Net n;
    Arena a = new_arena();
    net_take(&a, &n, &job, &e);  /* all weights 0: mu and the logits are the biases */
    n.small.w[n.at.a0] = 1;
    NEAR(latent(&n), 0.3465736, 1e-7);
    n.small.w[n.at.v0 + 1] = (real) log(3);
    NEAR(latent(&n), 0.4184941, 1e-7);
    NEAR(n.sd[0] * n.sd[0] + n.sd[1] * n.sd[1], 1, 1e-6);
    decoders_back(&n);
    NEAR(n.ds[0], -0.25, 1e-6);
    NEAR(n.ds[1], 0.25, 1e-6);
    NEAR(n.dmu[0], 1, 1e-6);                      /* 2 mu/(L B) */
}

static Learn asked;
static Encoder shape_;
static double *stored;
static Status call(Arena *a)
{
    double loss[64];
    return encoder_under_test(a, &asked, &shape_, stored, loss);
}
static Status call_encode(Arena *a)
{
    double mu[40 * LATENT];
    return scinn_encode(a, asked.x, &shape_, stored, 2, any_tick(), mu);
}

static void whole(int norm)
{
    enum { ALL = 23 };
    double *x = random_matrix(GENES, ALL, 0.4);
    Sparse s = sparse_of(x, GENES, ALL);
    int cells[ALL];
    size_t size = encoder_size(GENES, LATENT);
    Arena a = new_arena();
    double *two = NEW(double, 3 * size), loss[33], loss2[33], *mu = NEW(double, ALL *LATENT),
           *mu2 = NEW(double, ALL *LATENT);
    stored = NEW(double, 3 * size);
    asked = job_of(&s, cells, 4);
    shape_ = (Encoder) { LATENT, norm, 3, 100 };
    n_ticks = 0;
    CHECK(encoder_under_test(&a, &asked, &shape_, stored, loss) == ST_OK && n_ticks >= 33);
    CHECK(loss[9] < loss[0] && loss[29] < loss[10]);
    asked.threads = 2;
    CHECK(encoder_under_test(&a, &asked, &shape_, two, loss2) == ST_OK);
    SAME_BITS(stored, two, 3 * size);
    SAME_BITS(loss, loss2, 33);
    CHECK(memcmp(stored, stored + size, size * sizeof *stored));
    for (int t = 1; t <= 2; t++)
        CHECK(scinn_encode(&a, &s, &shape_, stored, t, any_tick(), t == 1 ? mu : mu2)
              == ST_OK);
    SAME_BITS(mu, mu2, ALL * LATENT);
    double *want = NEW(double, ALL * LATENT);
    for (size_t c = 0; c < ALL; c++)
        for (size_t j = 0; j < H; j++) {
            double h = stored[GENES * H + j];
            for (size_t g = 0; g < GENES; g++) h += x[c * GENES + g] * stored[j * GENES + g];
            if (!norm) h = selu(h);
            for (size_t l = 0; l < LATENT; l++)
                want[c * LATENT + l] += h * stored[(GENES + 1) * H + l * H + j];
        }
    for (size_t k = 0; k < ALL * LATENT; k++)
        want[k] += stored[(GENES + 1) * H + H * LATENT + k % LATENT];
    WITHIN(apart(mu, want, ALL * LATENT), TOL(1e-12, 1e-5));
    CHECK(each_fails(call) > 30);
    CHECK(each_fails(call_encode) > 4);
    asked.learning_rate = 1e30;
    CHECK(encoder_under_test(&a, &asked, &shape_, two, loss2) == ST_DIVERGED);
}
static void wholes(void) { whole(0); whole(1); }

int main(void)
{
    RUN(gradients);
    RUN(worked_norm);
    RUN(worked_kl);
    RUN(wholes);
    return report("scinn_encoder");
}
