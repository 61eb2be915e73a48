/* Fit and predict for any model: parameters through the model's field table, results as plain vectors. */
#include <string.h>
#include "r_glue.h"

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

/* R's validity has checked the slots against the same table; a slot assigned past it is caught here. */
static void read_params(SEXP param, const Model *m, void *to)
{
    for (const Field *f = m->fields; f->kind != P_END; f++) {
        SEXP slot = R_do_slot(param, Rf_install(f->name));
        char *at = (char *) to + f->offset;
        if (f->kind == P_CHOICE) {
            int k = TYPEOF(slot) == STRSXP && LENGTH(slot) == 1 ? choice(CHAR(STRING_ELT(slot, 0)), f->words) : -1;
            if (k < 0) Rf_error("'%s' must be one of %s", f->name, f->words);
            memcpy(at, &k, sizeof k);
            continue;
        }
        double v = Rf_asReal(slot);
        if (!(v >= f->lo && v <= f->hi)) Rf_error("'%s' must be between %g and %g", f->name, f->lo, f->hi);
        int whole = (int) v;
        if (f->kind == P_REAL) memcpy(at, &v, sizeof v); else memcpy(at, &whole, sizeof whole);
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
    static const char *kinds[] = { "real", "int", "flag", "choice" };
    const char *names[] = { "name", "kind", "lo", "hi", "words", "" };
    const Model *m = model_of(model);
    int n = 0;
    while (m->fields[n].kind != P_END) n++;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int k = 0; k < 5; k++) SET_VECTOR_ELT(out, k, Rf_allocVector(k == 2 || k == 3 ? REALSXP : STRSXP, n));
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

SEXP C_n_weights(SEXP param, SEXP n_genes)
{
    double params[PARAMS_MAX / sizeof(double)] = { 0 };
    const Model *m = open_model(param, params);
    return Rf_ScalarReal((double) model_weights(m, params, Rf_asInteger(n_genes)));
}

/* resume: NULL or list(weights, state, train, valid, penalty); control: c(pause_at, want_state).
 * Value: list(status, weights, shapes, rows, cols, train, valid, penalty, best, stopped, state). */
SEXP C_fit(SEXP param, SEXP x, SEXP seed, SEXP threads, SEXP resume, SEXP control, SEXP report)
{
    double params[PARAMS_MAX / sizeof(double)] = { 0 };
    const char *names[] = { "status", "weights", "shapes", "rows", "cols", "train", "valid", "penalty", "best", "stopped",
                            "state", "" };
    const Model *m = open_model(param, params);
    Ticker ticker = { report, 0 };
    Fit f = { .x = r_sparse(x), .seed = (uint64_t) Rf_asReal(seed), .threads = r_threads(threads), .tick = r_tick(&ticker),
              .pause_at = INTEGER(control)[0], .want_state = INTEGER(control)[1] };
    size_t n = model_weights(m, params, f.x.nrow), n_state = n * m->state_per_weight;
    int max_iter = m->max_iter ? m->max_iter(params) : 0;
    if (resume != R_NilValue) {
        f.done = LENGTH(VECTOR_ELT(resume, 2));
        if ((size_t) Rf_xlength(VECTOR_ELT(resume, 0)) != n || (size_t) Rf_xlength(VECTOR_ELT(resume, 1)) != n_state)
            Rf_error("the fit to resume has other sizes");
        if (f.done > max_iter) max_iter = f.done;
    }
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP weights = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t) n)), state = R_NilValue;
    int want = (f.want_state || f.done) && n_state;
    state = PROTECT(want ? Rf_allocVector(REALSXP, (R_xlen_t) n_state) : R_NilValue);
    if (f.done) {
        memcpy(REAL(weights), REAL(VECTOR_ELT(resume, 0)), n * sizeof(double));
        memcpy(REAL(state), REAL(VECTOR_ELT(resume, 1)), n_state * sizeof(double));
    }
    f.weights = REAL(weights);
    f.state = want ? REAL(state) : NULL;
    Arena a = r_arena();
    double **history[3] = { &f.train, &f.valid, &f.penalty };
    for (int k = 0; k < 3; k++) {
        *history[k] = ARENA(&a, double, max_iter);
        if (f.done) memcpy(*history[k], REAL(VECTOR_ELT(resume, 2 + k)), (size_t) f.done * sizeof(double));
    }
    Status st = m->fit(&a, params, &f);
    if (st != ST_OK && st != ST_DIVERGED) r_status(st);
    SET_VECTOR_ELT(out, 0, Rf_ScalarInteger(st));
    SET_VECTOR_ELT(out, 1, weights);
    Shape shapes[MAX_SHAPES];
    int n_shapes = 0;
    m->shapes(params, f.x.nrow, shapes);
    while (n_shapes < MAX_SHAPES && shapes[n_shapes].name) n_shapes++;
    SET_VECTOR_ELT(out, 2, Rf_allocVector(STRSXP, n_shapes));
    SET_VECTOR_ELT(out, 3, Rf_allocVector(INTSXP, n_shapes));
    SET_VECTOR_ELT(out, 4, Rf_allocVector(INTSXP, n_shapes));
    for (int k = 0; k < n_shapes; k++) {
        SET_STRING_ELT(VECTOR_ELT(out, 2), k, Rf_mkChar(shapes[k].name));
        INTEGER(VECTOR_ELT(out, 3))[k] = shapes[k].nrow;
        INTEGER(VECTOR_ELT(out, 4))[k] = shapes[k].ncol;
    }
    for (int k = 0; k < 3; k++) {
        SET_VECTOR_ELT(out, 5 + k, Rf_allocVector(REALSXP, f.n_iter));
        memcpy(REAL(VECTOR_ELT(out, 5 + k)), *history[k], (size_t) f.n_iter * sizeof(double));
    }
    SET_VECTOR_ELT(out, 8, Rf_ScalarInteger(f.best_iter));
    SET_VECTOR_ELT(out, 9, Rf_ScalarInteger(f.stopped));
    SET_VECTOR_ELT(out, 10, f.want_state ? state : R_NilValue);
    UNPROTECT(3);
    return out;
}

SEXP C_predict(SEXP param, SEXP weights, SEXP x, SEXP threads)
{
    double params[PARAMS_MAX / sizeof(double)] = { 0 };
    const Model *m = open_model(param, params);
    Sparse s = r_sparse(x);
    if ((size_t) Rf_xlength(weights) != model_weights(m, params, s.nrow))
        Rf_error("the fit was made on another number of genes");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, s.nrow, s.ncol));
    Arena a = r_arena();
    r_status(m->predict(&a, params, &s, REAL(weights), r_threads(threads), r_tick(NULL), REAL(out)));
    UNPROTECT(1);
    return out;
}
