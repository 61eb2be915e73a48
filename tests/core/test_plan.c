/* Plans that are not as they must be are said to be so, by the name of the member. */
#include "scinn_plain.h"

static const char *damage(const Setup *s, int genes)
{
    const Field *f = model_damage(s->m, s->params, s->plan, genes);
    return f ? f->name : "none";
}
#define SAYS(s, genes, what) CHECK(!strcmp(damage(&(s), genes), what))

/* an altered member is found, and the plan is as it was afterwards */
static void one_int(Setup *s, int genes, const char *name, int value)
{
    int was = *(int *) (void *) planned(s, name);
    plan_int(s, name, value);
    SAYS(*s, genes, name);
    plan_int(s, name, was);
    SAYS(*s, genes, "none");
}
static void one_vector(Setup *s, int genes, const char *name, int n, const int *at,
                       const char *what)
{
    Ints was = *(Ints *) (void *) planned(s, name);
    plan_ints(s, name, n, at);
    SAYS(*s, genes, what);
    plan_ints(s, name, (int) was.n, was.at);
    SAYS(*s, genes, "none");
}

static void of_deepimpute(void)
{
    static const int plan[] = { 2, 1, 3, 1, 2, 1, 0, 1, 2, 2, 1, 2, 2, 0, 1 };
    static const int far[] = { 0, 1, 1000 }, few[] = { 2 }, many[] = { 2, 2 }, nine[9] = { 0 };
    Setup s = deepimpute(plan, 1);
    SAYS(s, 3, "none");
    SAYS(s, 2, "predictors");
    one_vector(&s, 3, "predictors", 3, far, "predictors");
    one_vector(&s, 3, "targets", 3, far, "targets");
    one_vector(&s, 3, "n.predictors", 1, few, "n.predictors");
    one_vector(&s, 3, "n.predictors", 2, many, "n.predictors");
    one_vector(&s, 3, "n.targets", 2, many, "n.targets");
    one_vector(&s, 3, "n.targets", 2, nine, "n.targets");
    one_vector(&s, 3, "network", 1, few, "n.predictors");
    one_vector(&s, 3, "network", 0, few, "network");
    one_vector(&s, 3, "hidden", 9, nine, "hidden");
    one_vector(&s, 3, "hidden", 0, nine, "hidden");
}

static void of_scinn(void)
{
    static const int label[] = { 0, 1, 2, 0, 1, 9 };
    static const double unit[] = { NAN, 0 };
    Setup s = scinn(6, 3, 2, 16, 3, 5);
    SAYS(s, 4, "none");
    one_vector(&s, 4, "labels", 5, label, "labels");
    one_vector(&s, 4, "labels", 6, label, "labels");
    one_int(&s, 4, "cells", -1);
    one_int(&s, 4, "batch", 7);
    one_int(&s, 4, "hidden", 0);
    one_int(&s, 4, "iterations", 2000000);
    plan_int(&s, "latent", 3);
    SAYS(s, 4, "units");
    plan_int(&s, "latent", 2);
    plan_reals(&s, "units", 2, unit);
    SAYS(s, 4, "units");
}

static void of_graphsci(void)
{
    static const int first[] = { 0, 1, 2, 2 }, falls[] = { 0, 2, 1, 2 }, nb[] = { 1, 0 },
                     self[] = { 0, 0 }, far[] = { 1, 3 }, pairs[] = { 0, 1, 2, 3 };
    static const double size[] = { 1, 2 };
    Setup s = { .m = model_find("graphsci") };
    plan_int(&s, "cells", 2);
    plan_int(&s, "iterations", 3);
    plan_ints(&s, "first", 4, first);
    plan_ints(&s, "neighbours", 2, nb);
    plan_reals(&s, "size", 2, size);
    SAYS(s, 3, "none");
    SAYS(s, 4, "first");
    one_vector(&s, 3, "first", 4, falls, "first");
    one_vector(&s, 3, "neighbours", 1, nb, "neighbours");
    one_vector(&s, 3, "neighbours", 2, self, "neighbours");
    one_vector(&s, 3, "neighbours", 2, far, "neighbours");
    one_vector(&s, 3, "pairs", 3, pairs, "pairs");
    one_vector(&s, 3, "pairs", 4, pairs, "pairs");
    one_int(&s, 3, "iterations", 0);
    plan_int(&s, "cells", 3);
    SAYS(s, 3, "size");
}

/* and a parameter that is a vector */
static void ranks(void)
{
    static const int fall[] = { 5, 3, 3 }, rise[] = { 3, 5 }, none[] = { 0 }, nine[9] = { 1 };
    Setup s = { .m = model_find("deepmc") };
    const Field *f = field_of(s.m, "ranks");
    set_ints(&s, "ranks", 3, fall);
    CHECK(field_holds(f, s.params));
    const struct { size_t n; const int *at; } bad[] = { { 2, rise }, { 1, none }, { 9, nine },
                                                        { 0, none } };
    for (int k = 0; k < 4; k++) {
        set_ints(&s, "ranks", bad[k].n, bad[k].at);
        CHECK(!field_holds(f, s.params));
    }
    f = field_of(model_find("deepimpute"), "hidden");
    Setup d = { .m = model_find("deepimpute") };
    CHECK(field_holds(f, d.params));                     /* NA */
}

int main(void)
{
    RUN(of_deepimpute);
    RUN(of_scinn);
    RUN(of_graphsci);
    RUN(ranks);
    return report("plan");
}
