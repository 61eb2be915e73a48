/* fitting.h: a model, its parameters by name, and the vectors a fit fills. */
#ifndef INFILL_FITTING_H
#define INFILL_FITTING_H
#include "check.h"

typedef struct {
    const Model *m;
    double params[PARAMS_MAX / sizeof(double)];
    void *plan;                          /* of the models that have one: the model's struct */
} Setup;

static inline const Field *named(const Field *f, const char *name)
{
    for (; f && f->kind != P_END; f++) if (!strcmp(f->name, name)) return f;
    printf("no field %s\n", name);
    exit(2);
}
static inline const Field *field_of(const Model *m, const char *name)
{
    return named(m->fields, name);
}
static inline void set_ints(Setup *s, const char *name, size_t n, const int *at)
{
    memcpy((char *) s->params + field_of(s->m, name)->offset, &(Ints) { n, at }, sizeof(Ints));
}

/* The plan, member by member; it stays where it is when the setup is copied. */
static inline char *planned(Setup *s, const char *name)
{
    if (!s->plan) s->plan = NEW(char, s->m->plan_size);
    return (char *) s->plan + named(s->m->plan_fields, name)->offset;
}
static inline void plan_int(Setup *s, const char *name, int value)
{
    memcpy(planned(s, name), &value, sizeof value);
}
static inline void plan_real(Setup *s, const char *name, double value)
{
    memcpy(planned(s, name), &value, sizeof value);
}
static inline void plan_ints(Setup *s, const char *name, int n, const int *at)
{
    memcpy(planned(s, name), &(Ints) { (size_t) n, at }, sizeof(Ints));
}
static inline void plan_reals(Setup *s, const char *name, int n, const double *at)
{
    memcpy(planned(s, name), &(Reals) { (size_t) n, at }, sizeof(Reals));
}

static inline void set(Setup *s, const char *name, double value)
{
    const Field *f = field_of(s->m, name);
    char *at = (char *) s->params + f->offset;
    int whole = isnan(value) ? 0 : (int) value;
    if (f->kind == P_REAL || f->kind == P_REAL_NA) memcpy(at, &value, sizeof value);
    else memcpy(at, &whole, sizeof whole);
}
static inline void set_word(Setup *s, const char *name, const char *word)
{
    const char *at = field_of(s->m, name)->words;
    for (int k = 0; at; k++, at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (!strncmp(at, word, strlen(word)) && (at[strlen(word)] == '|' || !at[strlen(word)])) {
            set(s, name, k);
            return;
        }
    printf("no choice %s of %s\n", word, name);
    exit(2);
}
static inline Setup autoimpute(int hidden, int iterations)
{
    Setup s = { .m = model_find("autoimpute") };
    if (!s.m) exit(2);
    set(&s, "learning.rate", 1e-2);
    set(&s, "max.iter", iterations);
    set(&s, "batch.size", 0);
    set_word(&s, "stop", "validation");
    set(&s, "patience", 50);
    set(&s, "valid.fraction", 0.05);
    set(&s, "threshold", 0);
    set(&s, "hidden", hidden);
    set(&s, "lambda", 0.4);
    set_word(&s, "init", "scaled");
    set_word(&s, "init.bias", "zero");
    set(&s, "bias", 1);
    set_word(&s, "arithmetic", "auto");
    set(&s, "block.cells", 0);
    return s;
}

/* DeepImpute's plan from one list: number of networks, of hidden layers, and the units of each of
 * these; then per network its id, number of predictors and of targets, and their rows in x. */
static inline void plan_networks(Setup *s, const int *plan)
{
    int n = plan[0], all[2] = { 0, 0 }, *id = NEW(int, n), *each[2], *rows[2];
    const int *net = plan + 2 + plan[1];
    for (int k = 0; k < 2; k++) { each[k] = NEW(int, n); rows[k] = NEW(int, 4000); }
    for (int k = 0; k < n; k++) {
        const int *from = net + 3;
        id[k] = net[0];
        for (int j = 0; j < 2; j++) {
            each[j][k] = net[1 + j];
            for (int r = 0; r < net[1 + j]; r++) rows[j][all[j]++] = *from++;
        }
        net = from;
    }
    s->plan = NULL;
    plan_ints(s, "hidden", plan[1], plan + 2);
    plan_ints(s, "network", n, id);
    plan_ints(s, "n.predictors", n, each[0]);
    plan_ints(s, "n.targets", n, each[1]);
    plan_ints(s, "predictors", all[0], rows[0]);
    plan_ints(s, "targets", all[1], rows[1]);
}

static inline Setup deepimpute(const int *plan, int iterations)
{
    Setup s = { .m = model_find("deepimpute") };
    if (!s.m) exit(2);
    plan_networks(&s, plan);
    set(&s, "learning.rate", 1e-2);
    set(&s, "max.iter", iterations);
    set(&s, "batch.size", 0);
    set_word(&s, "stop", "validation");
    set(&s, "patience", 50);
    set(&s, "valid.fraction", 0.05);
    set(&s, "threshold", 0);
    set(&s, "dropout", 0);
    set(&s, "zero.weight", 0);
    set_word(&s, "output", "softplus");
    set_word(&s, "loss.weights", "value");
    set(&s, "joint", 0);
    set(&s, "best", 0);
    return s;
}

static inline size_t weights_of(const Setup *s, int genes)
{
    return model_weights(s->m, s->params, genes, s->plan);
}
static inline int parts_of(const Setup *s) { return s->m->parts ? s->m->parts(s->plan) : 1; }

/* Such a list of networks that share out the genes: each has `targets` of its own, in any order,
 * and up to `predictors` of the others, rising. The ids are 2, 5, 8, ... hidden: units of the
 * layers, three decimal digits each, the first one lowest. */
static inline int *random_plan(int nets, int hidden, int genes, int predictors, int targets)
{
    int *plan = NEW(int, 10 + nets * (3 + genes)), *p = plan + 2, *gene = NEW(int, genes);
    plan[0] = nets;
    for (; hidden; hidden /= 1000) { *p++ = hidden % 1000; plan[1]++; }
    for (int g = 0; g < genes; g++) gene[g] = g;
    for (int g = genes - 1; g > 0; g--) {
        int j = below(g + 1), t = gene[g];
        gene[g] = gene[j];
        gene[j] = t;
    }
    for (int k = 0; k < nets; k++) {
        int *in = p + 3, left = predictors, free_ = genes - targets;
        for (int g = 0; g < genes; g++) {
            int mine = 0;
            for (int j = 0; j < targets; j++) mine |= gene[(k * targets + j) % genes] == g;
            if (mine) continue;
            if (below(free_--) < left) { *in++ = g; left--; }
        }
        p[0] = 2 + 3 * k; p[1] = (int) (in - p) - 3; p[2] = targets;
        for (int j = 0; j < targets; j++) *in++ = gene[(k * targets + j) % genes];
        p = in;
    }
    return plan;
}

/* A fit with room for everything, state included. */
static inline Fit new_fit(const Setup *s, Sparse x)
{
    size_t n = weights_of(s, x.nrow);
    size_t iterations = s->m->max_iter ? (size_t) s->m->max_iter(s->params, s->plan) : 0;
    Fit f = { .x = x, .plan = s->plan, .seed = 17, .threads = 1, .tick = any_tick(),
              .want_state = 1 };
    CHECK(!model_damage(s->m, s->params, s->plan, x.nrow));
    f.extras = NEW(double, model_extras(s->m, s->params, x.nrow, s->plan));
    f.weights = NEW(double, n);
    f.state = NEW(double, model_state(s->m, s->params, x.nrow, s->plan));
    f.h = NEW(History, parts_of(s));
    for (int k = 0; k < parts_of(s); k++) {
        f.h[k].train = NEW(double, iterations + 1);
        f.h[k].valid = NEW(double, iterations + 1);
        f.h[k].penalty = NEW(double, iterations + 1);
        f.h[k].part = NEW(double, CURVES * (iterations + 1));
        f.h[k].pearson = f.h[k].mse = NAN;
    }
    return f;
}
static inline Status go(const Setup *s, Fit *f)
{
    Arena a = new_arena();
    return s->m->fit(&a, s->params, f);
}
static inline Fit fitted(const Setup *s, Sparse x)
{
    Fit f = new_fit(s, x);
    CHECK(go(s, &f) == ST_OK);
    return f;
}
/* of these weights */
static inline Fit known(const double *weights, const double *extras)
{
    return (Fit) { .weights = (double *) (uintptr_t) weights,
                   .extras = (double *) (uintptr_t) extras };
}
static inline Predict to_predict(const Setup *s, Sparse x, Fit f, int threads, double *out)
{
    return (Predict) { .x = x, .plan = s->plan, .weights = f.weights, .extras = f.extras,
                       .threads = threads, .tick = any_tick(), .out = out };
}
static inline double *predicted(const Setup *s, Sparse x, Fit f, int threads)
{
    Arena a = new_arena();
    double *out = NEW(double, (size_t) x.nrow * (size_t) x.ncol);
    Predict p = to_predict(s, x, f, threads, out);
    CHECK(s->m->predict(&a, s->params, &p) == ST_OK);
    return out;
}
#endif
