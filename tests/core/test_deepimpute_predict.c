/* DeepImpute: predictions, and fits that are small, empty or do not end well. */
#include "deepimpute_plain.h"

/* ---- predicting ---- */
static double *plain_predict(const int *plan, const char *output, const double *x, int cells,
                             const double *w)
{
    double *y = NEW(double, GENES * cells);
    for (int k = 0; k < GENES * cells; k++) y[k] = NAN;
    for (int k = 0; k < plan[0]; k++) {
        Plain o = plain_of(plan, k, x, GENES);
        double *z = NEW(double, o.S);
        o.output = output;
        for (int c = 0; c < cells; c++) {
            plain_cell(&o, w, (size_t) c, 0, 1, 0, z, NULL);
            for (size_t g = 0; g < o.S; g++) y[c * GENES + o.out[g]] = z[g];
        }
        w += o.n;
    }
    return y;
}

static void predictions(void)
{
    enum { M = 600 };                                    /* more than a thread does at once */
    static const char *const outputs[] = { "softplus", "relu", "linear" };
    const int *plan = random_plan(3, 70, GENES, 7, 6);
    double *x = random_matrix(GENES, M, 0.4);
    Sparse m = sparse_of(x, GENES, M);
    for (int a = 0; a < 3; a++) {
        Setup s = deepimpute(plan, 1);
        set_word(&s, "output", outputs[a]);
        set(&s, "dropout", 0.5);
        set(&s, "zero.weight", a);
        size_t n = weights_of(&s, GENES);
        double *w = NEW(double, n), most = 0;
        for (size_t k = 0; k < n; k++) w[k] = (double) (real) between(-0.3, 0.4);
        double *want = plain_predict(plan, outputs[a], x, M, w);
        for (int k = 0; k < GENES * M; k++) if (want[k] > most) most = want[k];
        double limit = 0.7 * most;
        Fit f = known(w, &limit);
        double *out = predicted(&s, m, f, 1);
        int wrong = 0, guarded = 0, below_zero = 0;
        for (int k = 0; k < GENES * M; k++) {
            if (fabs(want[k] - limit) < 1e-4) continue;
            int none = !(want[k] <= limit);
            guarded += none && !isnan(want[k]);
            below_zero += want[k] < 0;
            wrong += none ? !isnan(out[k]) : !(fabs(out[k] - want[k]) <= TOL(1e-12, 1e-5) * most);
        }
        CHECK(wrong == 0 && guarded > 0 && guarded < 9 * M && (below_zero > 0) == (a == 2));
        for (int t = 2; t <= 4; t++) {
            double *p = predicted(&s, m, f, t);
            SAME_BITS(p, out, GENES * M);
        }
        for (int from = 0, size; from < M; from += size) {       /* parts of the cells */
            size = from % 3 == 0 ? 1 : 1 + below(M - from);
            int *p = NEW(int, size + 1), first = m.p[from];
            for (int c = 0; c <= size; c++) p[c] = m.p[from + c] - first;
            double *y = predicted(&s, (Sparse) { GENES, size, p, m.i + first, m.x + first }, f, 2);
            SAME_BITS(y, out + GENES * from, GENES * size);
        }
        for (int k = 0; k < 3; k++) {  /* one gene is wanted: that its network is asked is enough */
            int wanted[GENES] = { 0 };
            const int *p = net_of(plan, k), *targets = p + 3 + p[1];
            wanted[targets[2]] = 1;
            wanted[p[3]] = 0;
            double *y = NEW(double, GENES * M);
            Arena arena = new_arena();
            Predict job = to_predict(&s, m, f, 2, y);
            job.wanted = wanted;
            CHECK(s.m->predict(&arena, s.params, &job) == ST_OK);
            for (int c = 0; c < M; c++) {
                SAME_BITS(y + c * GENES + targets[2], out + c * GENES + targets[2], 1);
                for (int j = 0; j < 3; j++) {            /* the others are not looked at */
                    const int *q = net_of(plan, j);
                    if (j != k) CHECK(isnan(y[c * GENES + q[3 + q[1]]]));
                }
            }
        }
    }
}

/* what is no number, or overflows, is no prediction */
static void no_numbers(void)
{
    static const int plan[] = { 1, 1, 1, 0, 1, 4, 0, 1, 2, 3, 4 };
    const double big = TOL(1e307, 1e38), x[10] = { 10, 1, 1, 1, 1, 100, 0, 0, 0, 0 };
    const double w[] = { 10, 0, big, -big, 1e-3, NAN, 0, 0, 0, 0 }, limit = 1;
    Setup s = deepimpute(plan, 1);
    set_word(&s, "output", "linear");
    double *y = predicted(&s, sparse_of(x, 5, 2), known(w, &limit), 1);
    NEAR(y[3], 0.1, 1e-6);
    NEAR(y[8], 1, 1e-6);
    for (int k = 0; k < 10; k++) CHECK(k % 5 == 3 || isnan(y[k]));
}

/* ---- small and empty ---- */

/* Predictors that are all zero: only the intercepts learn, and they go to sum y^2 / sum y = 2.5. */
static void intercepts(void)
{
    static const int plan[] = { 1, 1, 3, 0, 1, 1, 0, 1 };
    static const double y[4] = { 0, 1, 3, 2 };
    uint64_t seed = 1;
    while (!held_out(seed, 3, 4, 1)) seed++;
    double x[8] = { 0 };
    for (int c = 0; c < 4; c++) x[2 * c + 1] = y[c];
    Setup s = deepimpute(plan, 1500);
    set(&s, "patience", 1500);
    set(&s, "dropout", 0.2);
    Fit f = new_fit(&s, sparse_of(x, 2, 4));
    f.seed = seed;
    CHECK(go(&s, &f) == ST_OK);
    NEAR(f.h->train[f.h->n_iter - 1], 1, 1e-5);
    NEAR(predicted(&s, f.x, f, 1)[1], 2.5, 1e-3);
    NEAR(f.h->mse, 0.25, 1e-3);
    CHECK(isnan(f.h->pearson));                          /* of one value there is none */
}

static void degenerate(void)
{
    static const int hidden[] = { 1, 65 };
    for (int k = 0; k < 16; k++) {
        int genes = k & 1 ? 2 : 12, cells = k & 2 ? 2 : 9, nets = k & 1 ? 1 : 3;
        int *plan = random_plan(nets, hidden[k / 4 % 2], genes, k & 1 ? 1 : 5, k & 1 ? 1 : 4);
        double *x = random_matrix(genes, cells, 0.8);
        const int *p = net_of(plan, 0);
        for (int c = 0; c < cells; c++)                  /* the first network's targets all zero */
            for (int j = 0; j < p[2]; j++) x[c * genes + p[3 + p[1] + j]] = 0;
        for (int g = 0; g < genes; g++) x[g] = 0;        /* an empty cell */
        Setup s = deepimpute(plan, 6);
        set(&s, "batch.size", k & 2 ? 64 : 3);
        set(&s, "zero.weight", k / 8);
        set(&s, "dropout", 0.2);
        set(&s, "best", k / 4 % 2);
        Sparse m = sparse_of(x, genes, cells);
        Fit f = fitted(&s, m);
        size_t n = weights_of(&s, genes);
        CHECK(all_finite(f.weights, n) && all_finite(f.state, 3 * n) && f.h->n_iter == 6);
        if (!(k / 8)) {                                  /* nothing to learn: no loss, no step */
            Plain o = plain_of(plan, 0, x, genes);
            plain_start(&o);
            CHECK(f.h->train[5] == 0 && f.h->valid[5] == 0 && isnan(f.h->mse)
                  && isnan(f.h->pearson));
            for (size_t j = 0; j < o.n; j++) CHECK(f.weights[j] == o.w[j]);
        } else CHECK(f.h->train[5] > 0);
        double *y = predicted(&s, m, f, 2);
        int *target = NEW(int, genes);
        for (int j = 0; j < nets; j++) for (int i = 0; i < net_of(plan, j)[2]; i++)
            target[net_of(plan, j)[3 + net_of(plan, j)[1] + i]] = 1;
        for (int c = 0; c < cells; c++)
            for (int g = 0; g < genes; g++)
                CHECK(isnan(y[c * genes + g]) || (target[g] && y[c * genes + g] >= 0));
        clear();
    }
}

static void diverges(void)
{
    for (int k = 0; k < 2; k++) {
        double *x = random_matrix(GENES, CELLS, 0.8);
        const int *plan = random_plan(3, 5, GENES, 7, 6);
        x[3 * GENES + net_of(plan, 2)[10]] = 1e200;      /* a target of the last */
        Setup s = deepimpute(plan, 5);
        Fit f = new_fit(&s, sparse_of(x, GENES, CELLS));
        f.threads = 1 + k;
        CHECK(go(&s, &f) == ST_DIVERGED && f.h->n_iter == 0);
    }
}

int main(void)
{
    RUN(predictions);
    RUN(no_numbers);
    RUN(intercepts);
    RUN(degenerate);
    RUN(diverges);
    return report("deepimpute_predict");
}
