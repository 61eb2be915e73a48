/* DeepImpute: the worked numbers of its page and finite differences. */
#include "deepimpute_plain.h"

static const double golden_w[] = { 0.5, 0.25, -0.5, 0.6, 0.1, 0.2, 1, 0.5, -0.5, 0.75, 0, 0.1 };
static const int golden_plan[] = { 1, 1, 2, 4, 2, 2, 0, 1, 2, 3 };

/* predictors, then targets; the third cell is there to be held out */
static Sparse golden_cells(void)
{
    static const double counts[12] = { 1, 0, 0, 4, 3, 2, 2, 1, 1, 1, 1, 1 };
    double x[12];
    for (int k = 0; k < 12; k++) x[k] = log1p(counts[k]);
    return sparse_of(x, 4, 3);
}

static void golden(void)
{
    static const double grad[12] = { 0.331454803337,    0.161451269782,  0.0728298407326,
                                     0.0577162832473,   0.331228922109,  0.0525356250268,
                                     0.145741143238,    0.0226596431443, -0.186943936173,
                                     -0.00347712931289, 0.136487271722,  -0.389483300774 };
    static const double after[12] = { 0.490000095405, 0.240000195862,    -0.509999565818,
                                      0.590000547870, 0.0900000954702,   0.190000601894,
                                      0.990000216974, 0.490001395360,    -0.490000169154,
                                      0.759990913757, -0.00999976831507, 0.109999918809 };
    static const double yhat[4] = { 0.941158041822, 0.633402535164, 1.425696112097,
                                    0.550372155833 };
    const double tol = TOL(1e-9, 1e-5);
    Sparse x = golden_cells();
    Setup s = deepimpute(golden_plan, 2);
    uint64_t seed = 1;
    while (!held_out(seed, 2, 3, 1)) seed++;
    /* the page's first step has t = 1, a resumed one t = 2: the same with a rate that makes up for
     * it */
    double one_lr = 0.01 * (sqrt(1 - 0.999) / (1 - 0.9))
                    / (sqrt(1 - 0.999 * 0.999) / (1 - 0.9 * 0.9));
    set(&s, "learning.rate", one_lr);
    Step one = step_from(s, x, golden_w, NULL, NULL, seed);
    NEAR(one.loss, 0.416221605805, tol);
    for (int k = 0; k < 12; k++) {
        NEAR(10 * one.m[k], grad[k], tol);
        NEAR(1000 * one.v[k], grad[k] * grad[k], tol);
        NEAR(one.w[k], after[k], tol);
    }
    set(&s, "learning.rate", 0.01);
    Step two = step_from(s, x, one.w, one.m, one.v, seed);
    NEAR(two.loss, 0.398415100445, tol);
    NEAR(step_from(s, x, two.w, two.m, two.v, seed).loss, 0.382786242235, tol);

    /* a seed that drops the first cell's second unit and no other */
    Plain o = plain_of(golden_plan, 0, x.x, 4);
    o.rho = 0.2;
    for (o.seed = 1; ; o.seed++) {
        int order[2], drops = 0;
        rng_permute(o.seed, RNG_ORDER, 2, order, 2);
        for (size_t r = 0; r < 2; r++)
            for (size_t j = 0; j < 2; j++) drops += dropped(&o, 2, r, 1, j);
        if (held_out(o.seed, 2, 3, 1) && drops == 1 && dropped(&o, 2, order[0] == 0 ? 0 : 1, 1, 1))
            break;
    }
    int drops = 0;
    for (uint64_t t = 1; t <= 1000; t++)
        for (size_t j = 0; j < 20; j++) drops += dropped(&o, t, j / 2, 1, j % 2);
    WITHIN(fabs(drops / 20000.0 - 0.2), 5 * sqrt(0.16 / 20000));
    set(&s, "dropout", 0.2);
    NEAR(step_from(s, x, golden_w, NULL, NULL, o.seed).loss, 0.49369682236, tol);

    const double limit = 100;
    /* with dropout set, which predicting ignores */
    double *out = predicted(&s, x, known(golden_w, &limit), 1);
    for (int k = 0; k < 4; k++) NEAR(out[4 * (k / 2) + 2 + k % 2], yhat[k], tol);
    for (int c = 0; c < 3; c++) CHECK(isnan(out[4 * c]) && isnan(out[4 * c + 1]));
    /* A itself: the units twice, once turned round, and their difference */
    static const int twice[] = { 1, 1, 4, 4, 2, 2, 0, 1, 2, 3 };
    static const double a[] = { 0.446573590280, -0.146573590280, 1.067800252733, 0.166020192641 };
    static const double units[] = { 0.5, 0.25, -0.5, 0.6,  -0.5, -0.25, 0.5, -0.6,
                                    0.1, 0.2,  -0.1, -0.2, 1,    0,     -1,  0,
                                    0,   1,    0,    -1,   0,    0 };
    Setup l = deepimpute(twice, 2);
    set_word(&l, "output", "linear");
    out = predicted(&l, x, known(units, &limit), 1);
    for (int k = 0; k < 4; k++) NEAR(out[4 * (k / 2) + 2 + k % 2], a[k], tol);
}

#ifdef INFILL_DOUBLE
static double *random_weights(const Plain *o)
{
    double *w = NEW(double, o->n);
    for (size_t k = 0; k < o->n; k++) w[k] = (double) (real) between(-0.5, 0.5);
    return w;
}

/* central differences of the training loss; the gradient is read off the moments. every: one
 * parameter out of so many */
static void differences(const char *output, double rho, double zero, int hidden, size_t every)
{
    enum { GENES = 9, CELLS = 8 };
    const int *plan = random_plan(1, hidden, GENES, 4, 3);
    double *x = random_matrix(GENES, CELLS, 0.6), worst = 0, scale = 0;
    Sparse s = sparse_of(x, GENES, CELLS);
    Plain o = plain_of(plan, 0, x, GENES);
    Setup d = deepimpute(plan, 2);
    set_word(&d, "output", output);
    set_word(&d, "loss.weights", hidden % 2 ? "value" : "binary");
    set(&d, "dropout", rho);
    set(&d, "zero.weight", zero);
    double *w = random_weights(&o);
    Step one = step_from(d, s, w, NULL, NULL, 3);
    for (size_t k = 0; k < o.n; k++) {
        double g = 10 * one.m[k], was = w[k];
        scale = fmax(scale, fabs(g));
        if (k % every) continue;
        w[k] = was + 1e-6;
        double up = step_from(d, s, w, NULL, NULL, 3).loss;
        w[k] = was - 1e-6;
        double down = step_from(d, s, w, NULL, NULL, 3).loss;
        w[k] = was;
        double e = fabs((up - down) / 2e-6 - g);
        if (!(e <= worst)) worst = e;
    }
    CHECK(scale > 0.02);
    WITHIN(worst / scale, 1e-8);
}

static void gradients(void)
{
    static const char *const outputs[] = { "softplus", "relu", "linear" };
    for (int k = 0; k < 12; k++)
        differences(outputs[k % 3], k / 3 % 2 ? 0.3 : 0, k / 6 ? 0.4 : 0, 3 + k % 2, 1);
    differences("softplus", 0.3, 0, 66, 7);
    differences("softplus", 0.3, 0, 4003, 1);
    differences("relu", 0.2, 0.3, 3067004, 7);
}
#endif

int main(void)
{
    RUN(golden);
#ifdef INFILL_DOUBLE
    RUN(gradients);
#endif
    return report("deepimpute");
}
