/* The baselines, and what is true of every model in the list. */
#include "fitting.h"

static void gene_means(void)
{
    enum { G = 4, M = 3 };
    static const double x[G * M] = { 1, 0, 3, 0, 2, 5, 0, 0, 6, 0, 3, 0 };
    static const double all[G] = { 3, 5 / 3.0, 2, 0 }, detected[G] = { 3, 5, 3, 0 };
    for (int d = 0; d < 2; d++) {
        Setup s = { .m = model_find("genemean") };
        set_word(&s, "over", d ? "detected" : "all");
        CHECK(model_weights(s.m, s.params, G, NULL) == G && !s.m->max_iter
              && s.m->state_per_weight == 0);
        Fit f = fitted(&s, sparse_of(x, G, M));
        CHECK(f.h->stopped == STOPPED_CLOSED);
        for (int g = 0; g < G; g++) NEAR(f.weights[g], d ? detected[g] : all[g], 1e-15);
        double *out = predicted(&s, sparse_of(x, G, 2), f, 2);
        for (int k = 0; k < 2 * G; k++) CHECK(out[k] == f.weights[k % G]);
    }
}

static void none(void)
{
    static const double x[6] = { 1, 0, 3, 0, 2, 5 };
    Setup s = { .m = model_find("none") };
    CHECK(model_weights(s.m, s.params, 3, NULL) == 0);
    Fit f = fitted(&s, sparse_of(x, 3, 2));
    CHECK(f.h->stopped == STOPPED_CLOSED);
    double *out = predicted(&s, sparse_of(x, 3, 2), f, 1);
    for (int k = 0; k < 6; k++) CHECK(out[k] == 0);
}

static void models(void)
{
    int n = 0;
    for (; model_at(n); n++) {
        const Model *m = model_at(n);
        CHECK(model_find(m->name) == m);
        CHECK(m->params_size <= PARAMS_MAX && m->fit && m->predict && m->shape);
        for (const Field *f = m->fields; f->kind != P_END; f++) {
            size_t size = f->kind == P_REAL ? sizeof(double) : sizeof(int);
            CHECK(f->name && f->offset + size <= m->params_size && f->offset % size == 0);
            if (f->kind == P_CHOICE) CHECK(f->words && strlen(f->words)); else CHECK(f->lo < f->hi);
            for (const Field *h = m->fields; h < f; h++)
                CHECK(strcmp(h->name, f->name) && h->offset != f->offset);
        }
    }
    CHECK(n >= 3 && !model_find("no such model") && !model_find(""));
    Setup s = autoimpute(7, 12);
    Shape shapes[4], more;
    for (int k = 0; k < 4; k++) CHECK(s.m->shape(s.params, 5, NULL, k, shapes + k));
    CHECK(!strcmp(shapes[0].name, "E") && shapes[0].nrow == 5 && shapes[0].ncol == 7);
    CHECK(!strcmp(shapes[1].name, "D") && shapes[1].nrow == 7 && shapes[1].ncol == 5);
    CHECK(!strcmp(shapes[2].name, "b_e") && shapes[2].nrow == 7 && shapes[2].ncol == 1);
    CHECK(!strcmp(shapes[3].name, "b_d") && shapes[3].nrow == 5 && shapes[3].ncol == 1
          && !s.m->shape(s.params, 5, NULL, 4, &more));
    CHECK(model_weights(s.m, s.params, 5, NULL) == 2 * 35 + 7 + 5
          && s.m->max_iter(s.params, NULL) == 12);
}

int main(void)
{
    RUN(gene_means);
    RUN(none);
    RUN(models);
    return report("baseline");
}
