/* GraphSCI: whole fits, and what must not change a bit; the graph. */
#include "graphsci_plain.h"

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
        for (int e = 10; e <= one.h->n_iter; e += 10)
            CHECK(one.h->valid[e - 1] >= one.h->valid[one.h->best_iter - 1]);
        CHECK(isnan(one.h->valid[0]) && all_finite(one.weights, all));
        CHECK(one.h->train[one.h->n_iter - 1] < one.h->train[0]);
        /* the prediction is exp of the folded head, for cells of the fit in any order; others are
         * not known */
        double *at_1 = predicted(&s, y, one, 1), *at_2 = predicted(&s, y, one, 2);
        SAME_BITS(at_1, at_2, N * M);
        GsParams p;
        memcpy(&p, s.params, sizeof p);
        Result r = gs_result(one.weights, one.extras, (size_t) N, (size_t) M, &p);
        double o = r.bias[0][5];
        for (size_t l = 0; l < H2; l++) o += r.E2[l * (size_t) M + 4] * r.U[0][5 * H2 + l];
        NEAR(at_1[4 * N + 5], exp(o) * graphsci_plan(&s)->size.at[4], 1e-12);
        CHECK(isnan(predicted(&s, counts(N, M, 0.4), one, 1)[7]));
        clear();
    }
}

/* What is predicted is what training saw without noise: heads folded or in full, at one epoch and
 * stop = "none". */
static void folded(void)
{
    int N = 70, M = 12;
    Sparse y = counts(N, M, 0.5);
    Setup s = graphsci(random_graph(N, M, 1, 2 * N), sizes(M));
    set(&s, "dropout", 0);
    GsParams p;
    memcpy(&p, s.params, sizeof p);
    Fit f = { .x = y, .plan = s.plan, .seed = 3, .threads = 1, .tick = any_tick() };
    Net n = gs_net(&p, &f);
    Arena a = new_arena();
    gs_take(&a, &n);
    gs_ready(&n);
    Result r = gs_result(NEW(double, weights_of(&s, N)), NEW(double, 3 * M), (size_t) N, (size_t) M,
                         &p);
    take(&n, &r);
    CHECK(isfinite(gs_held(&n, &r)));
    n.noise = n.drop = 0;
    forward(&n);
    for (int h = 0; h < 3; h++) {
        real o[12 * 64], inv[64];
        gemm(0, 0, (size_t) M, 64, H2, n.E2, H2, n.w + n.at.at[gs_head_u[h]], TILE, 0, o, 64,
             n.room->scratch);
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

/* Draws are averaged; a draw without noise is the mean; the reference's evaluation is another; all
 * are the same again. */
static void drawn(void)
{
    int N = 70, M = 20;
    Sparse y = counts(N, M, 0.5);
    Setup s = graphsci(random_graph(N, M, 12, 2 * N), sizes(M));
    double *mean = predicted(&s, y, fitted(&s, y), 1);
    set(&s, "n.draws", 3);
    CHECK(weights_of(&s, N) > 3 * (size_t) (M * H2));
    Fit three = fitted(&s, y);
    double *drawn = predicted(&s, y, three, 2), apart = 0, size = 0;
    GsParams p;
    memcpy(&p, s.params, sizeof p);
    Result r = gs_result(three.weights, three.extras, (size_t) N, (size_t) M, &p);
    for (size_t k = 0; k < 3; k++)
        CHECK(r.E2[(k * H2 + 3) * (size_t) M] != r.E2[((k + 1) % 3 * H2 + 3) * (size_t) M]
              || r.E2[3 * M] == 0);
    double sum = 0;
    for (int d = 0; d < 3; d++) sum += exp(gs_head(&r, 0, d, (size_t) N, (size_t) M, 4, 5)) / 3;
    NEAR(drawn[4 * N + 5], sum * graphsci_plan(&s)->size.at[4], 1e-12);
    for (int k = 0; k < N * M; k++) { apart += fabs(drawn[k] - mean[k]); size += mean[k]; }
    CHECK(apart > 1e-4 * size && apart < 0.5 * size);
    SAME_BITS(drawn, predicted(&s, y, fitted(&s, y), 1), N * M);
    set(&s, "n.draws", 0);
    set_word(&s, "eval", "reference");
    double *other = predicted(&s, y, fitted(&s, y), 1);
    CHECK(all_finite(other, (size_t) (N * M)) && other[5] != mean[5] && other[5] != drawn[5]);
    SAME_BITS(other, predicted(&s, y, fitted(&s, y), 2), N * M);
    clear();
}

/* A fit that was paused, or ended at its last epoch, goes on with the bits of one that was not. */
static void resumed(void)
{
    for (int k = 0; k < 5; k++) {
        int N = k == 1 ? 300 : 70, M = 20, pause = k == 2 ? 20 : 13;
        Sparse y = counts(N, M, 0.5);
        Setup s = graphsci(random_graph(N, M, 30, 2 * N), sizes(M));
        GsPlan *plan = graphsci_plan(&s);
        set_word(&s, "latent", k == 3 ? "inner" : "code");
        set_word(&s, "stop", k == 4 ? "none" : "validation");
        Fit whole = fitted(&s, y), half = new_fit(&s, y);
        if (k % 2) half.pause_at = pause; else plan->iterations = pause;
        CHECK(go(&s, &half) == ST_OK && half.h->n_iter == pause);
        CHECK(half.h->stopped == (k % 2 ? STOPPED_PAUSE : STOPPED_MAX));
        plan->iterations = 30;
        half.pause_at = 0;
        half.h->done = pause;
        CHECK(go(&s, &half) == ST_OK && half.h->n_iter == 30
              && half.h->best_iter == whole.h->best_iter);
        SAME_BITS(whole.weights, half.weights, weights_of(&s, N));
        SAME_BITS(whole.state, half.state, model_state(s.m, s.params, N, plan));
        SAME_BITS(whole.h->train, half.h->train, 30);
        for (int e = 0; e < 30; e++)
            CHECK(whole.h->valid[e] == half.h->valid[e]
                  || (isnan(whole.h->valid[e]) && isnan(half.h->valid[e])));
        clear();
    }
}

/* Held-out pairs: the area under the curve against all pairs counted; the rule for the cost's
 * window. */
static void watched(void)
{
    enum { N = 70, M = 20, held = 30 };
    Sparse y = counts(N, M, 0.5);
    GsPlan plan = random_graph(N, M, 12, 2 * N);
    int *pair = NEW(int, 4 * held);
    for (int k = 0; k < 2 * held; k++) {
        pair[2 * k] = below(N / 2);
        pair[2 * k + 1] = N / 2 + below(N / 2);
    }
    plan.pairs = (Ints) { 4 * held, pair };
    for (int inner = 0; inner < 2; inner++) {
        Setup s = graphsci(plan, sizes(M));
        set_word(&s, "latent", inner ? "inner" : "code");
        Fit f = fitted(&s, y);
        GsParams p;
        memcpy(&p, s.params, sizeof p);
        Result r = gs_result(f.weights, f.extras, (size_t) N, (size_t) M, &p);
        double more = 0;
        for (int a = 0; a < held; a++)
            for (int b = held; b < 2 * held; b++) {
                double x = pair_score(&r, (size_t) N, inner, pair[2 * a], pair[2 * a + 1]);
                double z = pair_score(&r, (size_t) N, inner, pair[2 * b], pair[2 * b + 1]);
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
    CHECK(!settled(train, 20) && !settled(train, 30) && !settled(train, 39) && settled(train, 40)
          && !settled(train, 10));
    Setup s = graphsci(random_graph(N, M, 40, 2 * N), sizes(M));
    set_word(&s, "stop", "cost");
    set(&s, "learning.rate", 1e-7);
    Fit f = fitted(&s, y);
    CHECK(f.h->n_iter < 40 && f.h->n_iter % 10 == 0 && f.h->stopped == STOPPED_WINDOW
          && f.h->best_iter == f.h->n_iter);
    clear();
}

static Setup asked;
static Fit job;
static Status call_fit(Arena *a) { return asked.m->fit(a, asked.params, &job); }
static Status call_predict(Arena *a)
{
    double out[70 * 12];
    Predict q = to_predict(&asked, job.x, job, 2, out);
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
    double *size = sizes(12);
    for (int k = 0; k < 12; k++) size[k] = 1e-300;
    graphsci_plan(&asked)->size.at = size;
    CHECK(go(&asked, &job) == ST_DIVERGED);
}

/* |r| above the threshold, against a plain correlation; sizes about those of blocks */
static void graph(void)
{
    static const int sizes_[] = { 1, 2, 127, 128, 129, 300 };
    for (int k = 0; k < 6; k++) {
        int N = sizes_[k], M = 17;
        double *x = random_matrix(M, N, 0.6);                          /* genes are columns here */
        /* genes that do not vary */
        for (int c = 0; c < M; c++) { x[c] = 2; if (N > 5) x[5 * M + c] = 0; }
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
    RUN(bits);
    RUN(folded);
    RUN(drawn);
    RUN(resumed);
    RUN(watched);
    RUN(memory);
    RUN(graph);
    return report("graphsci_fits");
}
