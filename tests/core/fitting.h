/* fitting.h: a model, its parameters by name, and the vectors a fit fills. */
#ifndef INFILL_FITTING_H
#define INFILL_FITTING_H
#include "check.h"

typedef struct {
    const Model *m;
    double params[PARAMS_MAX / sizeof(double)];
} Setup;

static inline const Field *field_of(const Model *m, const char *name)
{
    for (const Field *f = m->fields; f->kind != P_END; f++) if (!strcmp(f->name, name)) return f;
    printf("no parameter %s in %s\n", name, m->name);
    exit(2);
}
static inline void set(Setup *s, const char *name, double value)
{
    const Field *f = field_of(s->m, name);
    char *at = (char *) s->params + f->offset;
    int whole = (int) value;
    if (f->kind == P_REAL) memcpy(at, &value, sizeof value); else memcpy(at, &whole, sizeof whole);
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

/* A fit with room for everything, state included. */
static inline Fit new_fit(const Setup *s, Sparse x)
{
    size_t n = model_weights(s->m, s->params, x.nrow, NULL);
    size_t iterations = s->m->max_iter ? (size_t) s->m->max_iter(s->params) : 0;
    Fit f = { .x = x, .seed = 17, .threads = 1, .tick = any_tick(), .want_state = 1 };
    f.weights = NEW(double, n);
    f.state = NEW(double, n * s->m->state_per_weight);
    f.h = NEW(History, 1);
    f.h->train = NEW(double, iterations + 1);
    f.h->valid = NEW(double, iterations + 1);
    f.h->penalty = NEW(double, iterations + 1);
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
static inline double *predicted(const Setup *s, Sparse x, const double *weights, int threads)
{
    Arena a = new_arena();
    double *out = NEW(double, (size_t) x.nrow * (size_t) x.ncol);
    Predict p = { .x = x, .weights = weights, .threads = threads, .tick = any_tick(), .out = out };
    CHECK(s->m->predict(&a, s->params, &p) == ST_OK);
    return out;
}
#endif
