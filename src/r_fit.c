/* Fit and predict for any model: parameters through the model's field table, results as plain
 * vectors. */
#include <string.h>
#include "r_glue.h"
#include "model.h"

static const Model *model_of(SEXP name)
{
    const Model *m = model_find(CHAR(STRING_ELT(name, 0)));
    if (!m) Rf_error("no model '%s'", CHAR(STRING_ELT(name, 0)));
    return m;
}

/* Index of the word in "a|b|c", or -1. */
static int choice(const char *word, const char *words)
{
    size_t n = strlen(word);
    for (int k = 0; ; k++) {
        const char *end = strchr(words, '|');
        size_t len = end ? (size_t) (end - words) : strlen(words);
        if (len == n && !strncmp(word, words, n)) return k;
        if (!end) return -1;
        words = end + 1;
    }
}

/* R's validity has checked the slots against the same table; a slot assigned past it is caught
 * here. */
static void read_params(SEXP param, const Model *m, void *to)
{
    for (const Field *f = m->fields; f->kind != P_END; f++) {
        SEXP slot = R_do_slot(param, Rf_install(f->name));
        char *at = (char *) to + f->offset;
        if (f->kind == P_CHOICE) {
            int k = TYPEOF(slot) == STRSXP && LENGTH(slot) == 1
                        ? choice(CHAR(STRING_ELT(slot, 0)), f->words)
                        : -1;
            if (k < 0) Rf_error("'%s' must be one of %s", f->name, f->words);
            memcpy(at, &k, sizeof k);
            continue;
        }
        double v = Rf_asReal(slot);
        if (f->kind == P_REAL_NA && ISNAN(v)) {
            v = R_NaN;
            memcpy(at, &v, sizeof v);
            continue;
        }
        if (!(v >= f->lo && v <= f->hi))
            Rf_error("'%s' must be between %g and %g", f->name, f->lo, f->hi);
        int whole = (int) v;
        if (f->kind == P_REAL || f->kind == P_REAL_NA) memcpy(at, &v, sizeof v);
        else memcpy(at, &whole, sizeof whole);
    }
}

static const Model *open_model(SEXP param, void *params)
{
    const Model *m = model_of(R_do_slot(param, Rf_install("model")));
    if (m->params_size > PARAMS_MAX) Rf_error("parameters of '%s' are too large", m->name);
    read_params(param, m, params);
    return m;
}

SEXP C_models(void)
{
    int n = 0;
    while (model_at(n)) n++;
    SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
    for (int k = 0; k < n; k++) SET_STRING_ELT(out, k, Rf_mkChar(model_at(k)->name));
    UNPROTECT(1);
    return out;
}

SEXP C_fields(SEXP model)
{
    static const char *kinds[] = { "real", "real.na", "int", "flag", "choice" };
    const char *names[] = { "name", "kind", "lo", "hi", "words", "" };
    const Model *m = model_of(model);
    int n = 0;
    while (m->fields[n].kind != P_END) n++;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int k = 0; k < 5; k++)
        SET_VECTOR_ELT(out, k, Rf_allocVector(k == 2 || k == 3 ? REALSXP : STRSXP, n));
    for (int k = 0; k < n; k++) {
        const Field *f = m->fields + k;
        SET_STRING_ELT(VECTOR_ELT(out, 0), k, Rf_mkChar(f->name));
        SET_STRING_ELT(VECTOR_ELT(out, 1), k, Rf_mkChar(kinds[f->kind]));
        REAL(VECTOR_ELT(out, 2))[k] = f->lo;
        REAL(VECTOR_ELT(out, 3))[k] = f->hi;
        SET_STRING_ELT(VECTOR_ELT(out, 4), k, Rf_mkChar(f->words ? f->words : ""));
    }
    UNPROTECT(1);
    return out;
}

/* names of the parts of the loss, separated by '|', or "" */
SEXP C_curves(SEXP model)
{
    const Model *m = model_of(model);
    return Rf_mkString(m->curves ? m->curves : "");
}

static const int *plan_of(const Model *m, SEXP plan)
{
    if (plan == R_NilValue && m->needs_plan) Rf_error("model '%s' needs a plan", m->name);
    return plan == R_NilValue ? NULL : INTEGER(plan);
}

SEXP C_n_weights(SEXP param, SEXP n_genes, SEXP plan)
{
    double params[PARAMS_MAX / sizeof(double)] = { 0 };
    const Model *m = open_model(param, params);
    return Rf_ScalarReal(
        (double) model_weights(m, params, Rf_asInteger(n_genes), plan_of(m, plan)));
}

/* list(names, rows, columns) of the matrices of weights */
static SEXP shapes_of(const Model *m, const void *params, int n_genes, const int *plan)
{
    Shape s;
    int n = 0;
    while (m->shape(params, n_genes, plan, n, &s)) n++;
    SEXP out = PROTECT(Rf_allocVector(VECSXP, 3));
    for (int k = 0; k < 3; k++) SET_VECTOR_ELT(out, k, Rf_allocVector(k ? INTSXP : STRSXP, n));
    for (int k = 0; k < n; k++) {
        m->shape(params, n_genes, plan, k, &s);
        SET_STRING_ELT(VECTOR_ELT(out, 0), k, Rf_mkChar(s.name));
        INTEGER(VECTOR_ELT(out, 1))[k] = s.nrow;
        INTEGER(VECTOR_ELT(out, 2))[k] = s.ncol;
    }
    UNPROTECT(1);
    return out;
}

/* The curves of all parts, one after the other: list(train, valid, penalty, iterations, best,
 * stopped, pearson, mse, part (CURVES numbers per iteration)).
 */
static SEXP history_of(const History *h, int parts)
{
    static const char *names[] = { "train",   "valid",   "penalty", "iterations", "best",
                                   "stopped", "pearson", "mse",     "part",       "" };
    R_xlen_t total = 0;
    for (int k = 0; k < parts; k++) total += h[k].n_iter;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int k = 0; k < 9; k++)
        SET_VECTOR_ELT(out, k,
                       Rf_allocVector(k > 2 && k < 6 ? INTSXP : REALSXP, k < 3   ? total
                                                                         : k < 8 ? parts
                                                                                 : CURVES * total));
    R_xlen_t at = 0;
    for (int k = 0; k < parts; k++) {
        const double *curve[] = { h[k].train, h[k].valid, h[k].penalty };
        for (int c = 0; c < 3 && h[k].n_iter; c++)
            memcpy(REAL(VECTOR_ELT(out, c)) + at, curve[c], (size_t) h[k].n_iter * sizeof(double));
        if (h[k].n_iter)
            memcpy(REAL(VECTOR_ELT(out, 8)) + at * CURVES, h[k].part,
                   (size_t) h[k].n_iter * CURVES * sizeof(double));
        at += h[k].n_iter;
        INTEGER(VECTOR_ELT(out, 3))[k] = h[k].n_iter;
        INTEGER(VECTOR_ELT(out, 4))[k] = h[k].best_iter;
        INTEGER(VECTOR_ELT(out, 5))[k] = h[k].stopped;
        REAL(VECTOR_ELT(out, 6))[k] = h[k].pearson;
        REAL(VECTOR_ELT(out, 7))[k] = h[k].mse;
    }
    UNPROTECT(1);
    return out;
}

/* Room for the curves; those of a fit to resume are put in. */
static History *take_history(Arena *a, int parts, int max_iter, SEXP resume)
{
    History *h = ARENA(a, History, parts);
    R_xlen_t at = 0;
    for (int k = 0; k < parts; k++) {
        double **curve[] = { &h[k].train, &h[k].valid, &h[k].penalty };
        h[k].pearson = h[k].mse = R_NaN;
        if (resume != R_NilValue) {
            h[k].done = INTEGER(VECTOR_ELT(resume, 5))[k];
            h[k].stopped = (Stopped) INTEGER(VECTOR_ELT(resume, 6))[k];
        }
        int room = h[k].done > max_iter ? h[k].done : max_iter;
        for (int c = 0; c < 3; c++) {
            *curve[c] = ARENA(a, double, room);
            if (h[k].done)
                memcpy(*curve[c], REAL(VECTOR_ELT(resume, 2 + c)) + at,
                       (size_t) h[k].done * sizeof(double));
        }
        h[k].part = ARENA(a, double, (size_t) room * CURVES);
        if (h[k].done)
            memcpy(h[k].part, REAL(VECTOR_ELT(resume, 7)) + at * CURVES,
                   (size_t) h[k].done * CURVES * sizeof(double));
        at += h[k].done;
    }
    return h;
}

/* The vectors of a fit to go on from are as long as those of this one. */
static void check_resume(SEXP resume, size_t n_weights, size_t n_state, int parts)
{
    if ((size_t) Rf_xlength(VECTOR_ELT(resume, 0)) != n_weights
        || (size_t) Rf_xlength(VECTOR_ELT(resume, 1)) != n_state
        || LENGTH(VECTOR_ELT(resume, 5)) != parts || LENGTH(VECTOR_ELT(resume, 6)) != parts)
        Rf_error("the fit to resume has other sizes");
}

/* given: NULL or the numbers that go with the plan; resume: NULL or list(weights, state, train,
 * valid, penalty, iterations, stopped, part); control: c(pause_at, want_state).
 * Value: list(status, weights, shapes, history, state). */
SEXP C_fit(SEXP param, SEXP x, SEXP plan, SEXP given, SEXP seed, SEXP threads, SEXP resume,
           SEXP control, SEXP report)
{
    double params[PARAMS_MAX / sizeof(double)] = { 0 };
    const char *names[] = { "status", "weights", "shapes", "history", "state", "" };
    const Model *m = open_model(param, params);
    Ticker ticker = { report, 0 };
    Fit f = { .x = r_sparse(x),
              .plan = plan_of(m, plan),
              .seed = (uint64_t) Rf_asReal(seed),
              .threads = r_threads(threads),
              .tick = r_tick(&ticker),
              .pause_at = INTEGER(control)[0],
              .want_state = INTEGER(control)[1] };
    f.given = given == R_NilValue ? NULL : REAL(given);
    if (m->given && (!f.given || (size_t) Rf_xlength(given) != m->given(f.plan)))
        Rf_error("model '%s' needs other numbers with its plan", m->name);
    size_t n = model_weights(m, params, f.x.nrow, f.plan),
           n_state = model_state(m, params, f.x.nrow, f.plan);
    int parts = m->parts ? m->parts(f.plan) : 1, resumes = resume != R_NilValue;
    if (resumes) check_resume(resume, n, n_state, parts);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP weights = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t) n)), state = R_NilValue;
    int want = (f.want_state || resumes) && n_state;
    state = PROTECT(want ? Rf_allocVector(REALSXP, (R_xlen_t) n_state) : R_NilValue);
    if (resumes) {
        memcpy(REAL(weights), REAL(VECTOR_ELT(resume, 0)), n * sizeof(double));
        if (want) memcpy(REAL(state), REAL(VECTOR_ELT(resume, 1)), n_state * sizeof(double));
    }
    f.weights = REAL(weights);
    f.state = want ? REAL(state) : NULL;
    Arena a = r_arena();
    f.h = take_history(&a, parts, m->max_iter ? m->max_iter(params, f.plan) : 0, resume);
    Status st = m->fit(&a, params, &f);
    if (st != ST_OK && st != ST_DIVERGED) r_status(st);
    SET_VECTOR_ELT(out, 0, Rf_ScalarInteger(st));
    SET_VECTOR_ELT(out, 1, weights);
    SET_VECTOR_ELT(out, 2, shapes_of(m, params, f.x.nrow, f.plan));
    SET_VECTOR_ELT(out, 3, history_of(f.h, parts));
    SET_VECTOR_ELT(out, 4, f.want_state ? state : R_NilValue);
    UNPROTECT(3);
    return out;
}

/* wanted: NULL or a flag for each gene of x */
SEXP C_predict(SEXP param, SEXP weights, SEXP x, SEXP plan, SEXP wanted, SEXP threads)
{
    double params[PARAMS_MAX / sizeof(double)] = { 0 };
    const Model *m = open_model(param, params);
    Predict p = { .x = r_sparse(x),
                  .plan = plan_of(m, plan),
                  .weights = REAL(weights),
                  .threads = r_threads(threads),
                  .wanted = wanted == R_NilValue ? NULL : LOGICAL(wanted),
                  .tick = r_tick(NULL) };
    if ((size_t) Rf_xlength(weights) != model_weights(m, params, p.x.nrow, p.plan)
        || (p.wanted && LENGTH(wanted) != p.x.nrow))
        Rf_error("the fit was made on another number of genes");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, p.x.nrow, p.x.ncol));
    Arena a = r_arena();
    p.out = REAL(out);
    r_status(m->predict(&a, params, &p));
    UNPROTECT(1);
    return out;
}
