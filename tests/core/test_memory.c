/* The arena, and every user of it with the k-th request failing, for every k. */
#include "fitting.h"
#include "metric.h"
#include "prep.h"

static void arena(void)
{
    Arena a = new_arena();
    for (size_t n = 0; n < 300; n += 13) {
        unsigned char *p = arena_get(&a, n, 1);
        CHECK(p && (uintptr_t) p % 64 == 0 && !a.failed);
        size_t zeros = 0;
        while (zeros < n && !p[zeros]) zeros++;
        CHECK(zeros == n);
        memset(p, 1, n);
    }
    int asked = plenty.asked;
    CHECK(!arena_get(&a, SIZE_MAX / 2, 3) && a.failed);      /* would wrap around */
    CHECK(!arena_get(&a, 1, 1) && plenty.asked == asked);    /* and it stays failed */
    a = new_arena();
    CHECK(!arena_get(&a, SIZE_MAX, 1) && a.failed);
    Grabs g = { 0, 2 };
    a = failing_arena(&g);
    CHECK(arena_get(&a, 5, 8) && !a.failed && !arena_get(&a, 5, 8) && a.failed
          && !arena_get(&a, 5, 8) && g.asked == 2);
}

static Setup setup;
static Fit fit;
static double *weights, *out;
static Status call_fit(Arena *a) { return setup.m->fit(a, setup.params, &fit); }
static Status call_predict(Arena *a)
{
    Predict p = to_predict(&setup, fit.x, known(weights, fit.extras), 2, out);
    return setup.m->predict(a, setup.params, &p);
}

static void fits(void)
{
    static const char *const stops[] = { "validation", "paper", "window" }, *const ways[] = {
        "sparse", "dense"
    };
    for (int k = 0; k < 24; k++) {
        setup = autoimpute(7, 3);
        set_word(&setup, "stop", stops[k % 3]);
        set_word(&setup, "arithmetic", ways[k / 3 % 2]);
        set(&setup, "block.cells", k / 6 % 2 ? 2 : 0);
        set(&setup, "batch.size", k / 12 ? 3 : 0);
        fit = new_fit(&setup, sparse_of(random_matrix(9, 8, 0.5), 9, 8));
        weights = NEW(double, model_weights(setup.m, setup.params, 9, NULL));
        out = NEW(double, 72);
        CHECK(each_fails(call_fit) > 10);
        CHECK(each_fails(call_predict) > 4);
        clear();
    }
    for (int k = 0; k < 16; k++) {
        setup = deepimpute(random_plan(1 + k % 2 * 2, k & 2 ? 65 : 2003, 9, 3, 3), 3);
        set(&setup, "best", k / 4 % 2);
        set(&setup, "zero.weight", k / 8);
        set(&setup, "dropout", 0.2);
        set(&setup, "batch.size", 3);
        fit = new_fit(&setup, sparse_of(random_matrix(9, 8, 0.5), 9, 8));
        fit.threads = 1 + k % 2;
        weights = NEW(double, weights_of(&setup, 9));
        out = NEW(double, 72);
        CHECK(each_fails(call_fit) > 30);
        CHECK(each_fails(call_predict) > 12);
        clear();
    }
    for (int k = 0; model_at(k); k++) {
        if (model_at(k)->max_iter || model_at(k)->plan_fields) continue;     /* the baselines */
        setup = (Setup) { .m = model_at(k) };
        fit = new_fit(&setup, sparse_of(random_matrix(9, 8, 0.5), 9, 8));
        weights = NEW(double, 9);
        out = NEW(double, 72);
        each_fails(call_fit);
        each_fails(call_predict);
    }
}

static int labels[30], others[30];
static double points[60];
static Status call_agreement(Arena *a)
{
    Agreement r;
    return agreement(a, labels, 3, others, 4, 30, &r);
}
static Status call_chance(Arena *a)
{
    static const int size[3] = { 2, 5, 2 };
    double out;
    return expected_mutual(a, size, 3, size, 3, any_tick(), &out);
}
static Status call_matching(Arena *a)
{
    double out;
    return best_matching(a, labels, 3, others, 4, 30, any_tick(), &out);
}
static Status call_recovery(Arena *a)
{
    Recovery r[4];
    return recovery_by_group(a, points, points + 30, others, 30, 4, r);
}
static Status call_auc(Arena *a) { double out; return roc_auc(a, points, labels, 30, &out); }
static Status call_ks(Arena *a)
{
    double out;
    return ks_statistic(a, points, 30, points + 30, 30, &out);
}
static Status call_silhouette(Arena *a)
{
    double w[30];
    return silhouette(a, points, 30, 2, labels, 3, 2, any_tick(), w);
}

static int nearest_gene[12];
static double nearest_r[12], ones[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
static Sparse counts, turned;
static Status call_nearest(Arena *a)
{
    static const int candidate[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 }, set_[9] = { 0 },
                     targets[4] = { 1, 3, 4, 8 };
    Nearest n = { ones, ones, candidate, set_, 3 };
    return prep_nearest(a, &counts, &turned, &n, targets, 4, 2, any_tick(), nearest_gene,
                        nearest_r);
}

static Status call_gini(Arena *a) { double out[9]; return gini(a, &turned, 1e-8, out); }
static Status call_pairs(Arena *a)
{
    static const int cell[2] = { 0, 1 }, lo[2] = { 0, 0 }, hi[2] = { 0, 1 };
    const Pairs p = { cell, lo, hi, 2 };
    double mean[8], norm[8], out;
    cell_norms(&counts, mean, norm);
    return pair_correlations(a, &counts, mean, norm, &p, 1, 2, any_tick(), &out, 1);
}

static Status call_take(Arena *a)
{
    static const int row[9] = { 3, 1, -1, 0, 2, -1, 4, 5, 6 };
    double total[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    int p[9];
    prep_count_entries(&counts, row, p);
    int *i = NEW(int, p[8]);
    double *x = NEW(double, p[8]);
    return prep_take(a, &counts, row, 7, total, 5, LOG_2, p, i, x);
}

static void others_of_the_arena(void)
{
    for (int k = 0; k < 30; k++) { labels[k] = k % 3; others[k] = below(4); }
    for (int k = 0; k < 60; k++) points[k] = u01();
    counts = sparse_of(random_matrix(9, 8, 0.5), 9, 8);
    CHECK(each_fails(call_agreement) > 0);
    CHECK(each_fails(call_silhouette) > 0);
    CHECK(each_fails(call_chance) > 0);
    CHECK(each_fails(call_matching) > 0);
    CHECK(each_fails(call_recovery) > 5);
    CHECK(each_fails(call_auc) > 1);
    CHECK(each_fails(call_ks) > 1);
    CHECK(each_fails(call_pairs) > 0);
    turned = sparse_of(random_matrix(8, 9, 0.5), 8, 9);
    CHECK(each_fails(call_nearest) > 0);
    CHECK(each_fails(call_gini) > 0);
    CHECK(each_fails(call_take) > 0);
}

int main(void)
{
    RUN(arena);
    RUN(fits);
    RUN(others_of_the_arena);
    return report("memory");
}
