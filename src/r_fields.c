/* Tables of fields: what they say, for R, and from R's slots and lists into a model's structs. */
#include <string.h>
#include "r_model.h"

void r_damaged(const char *whose, const char *part, const char *why)
{
    SEXP ns = PROTECT(R_FindNamespace(PROTECT(Rf_mkString("infill"))));
    SEXP a = PROTECT(Rf_mkString(whose)), b = PROTECT(Rf_mkString(part));
    SEXP c = PROTECT(Rf_mkString(why));
    Rf_eval(PROTECT(Rf_lang4(Rf_install(".damaged"), a, b, c)), ns);
    Rf_error("%s is damaged: '%s' %s", whose, part, why);      /* not reached */
}

SEXP r_element(SEXP list, const char *name)
{
    SEXP names = TYPEOF(list) == VECSXP ? Rf_getAttrib(list, R_NamesSymbol) : R_NilValue;
    for (R_xlen_t k = 0; k < Rf_xlength(names); k++)
        if (!strcmp(CHAR(STRING_ELT(names, k)), name)) return VECTOR_ELT(list, k);
    return R_NilValue;
}

const double *r_numbers(SEXP x, size_t n, const char *whose, const char *part)
{
    char why[80];
    snprintf(why, sizeof why, "must be %.0f numbers", (double) n);
    if (TYPEOF(x) != REALSXP || (size_t) Rf_xlength(x) != n) r_damaged(whose, part, why);
    return REAL(x);
}

/* ---- one field ---- */

/* Index of the word in "a|b|c", or -1. */
static int choice(const char *word, const char *words)
{
    size_t n = strlen(word);
    for (int k = 0;; k++) {
        const char *end = strchr(words, '|');
        size_t len = end ? (size_t) (end - words) : strlen(words);
        if (len == n && !strncmp(word, words, n)) return k;
        if (!end) return -1;
        words = end + 1;
    }
}

/* Whole numbers as ints; 0: they are none. */
static int read_ints(SEXP value, Ints *to)
{
    R_xlen_t n = Rf_xlength(value);
    *to = (Ints) { (size_t) n, NULL };
    if (TYPEOF(value) == INTSXP) to->at = INTEGER(value);
    else if (TYPEOF(value) == REALSXP) {
        int *copy = (int *) (void *) R_alloc((size_t) n + 1, sizeof(int));
        for (R_xlen_t k = 0; k < n; k++) {
            double v = REAL(value)[k];
            if (!(v >= -2147483647.0 && v <= 2147483647.0) || v != (int) v) return 0;
            copy[k] = (int) v;
        }
        to->at = copy;
    }
    return to->at != NULL;
}

static int is_na(SEXP value)
{
    return Rf_xlength(value) == 1 && (TYPEOF(value) == REALSXP ? ISNAN(REAL(value)[0])
                                      : TYPEOF(value) == INTSXP ? INTEGER(value)[0] == NA_INTEGER
                                      : TYPEOF(value) == LGLSXP && LOGICAL(value)[0] == NA_LOGICAL);
}

static int read_vector(SEXP value, const Field *f, void *at)
{
    if (f->kind == P_INTS_NA && is_na(value)) { *(Ints *) at = (Ints) { 0, NULL }; return 1; }
    if (f->kind != P_REALS) return Rf_xlength(value) >= f->least && read_ints(value, at);
    if (TYPEOF(value) != REALSXP) return 0;
    *(Reals *) at = (Reals) { (size_t) Rf_xlength(value), REAL(value) };
    return 1;
}

/* A slot or an element into its place; 0: it is not what the field says. */
static int read_field(SEXP value, const Field *f, void *to)
{
    void *at = (char *) to + f->offset;
    if (f->kind == P_INTS || f->kind == P_INTS_NA || f->kind == P_REALS)
        return read_vector(value, f, at) && field_holds(f, to);
    if (Rf_xlength(value) != 1) return 0;
    if (f->kind == P_CHOICE) {
        int k = TYPEOF(value) == STRSXP ? choice(CHAR(STRING_ELT(value, 0)), f->words) : -1;
        memcpy(at, &k, sizeof k);
        return k >= 0;
    }
    if (TYPEOF(value) != REALSXP && TYPEOF(value) != INTSXP && TYPEOF(value) != LGLSXP) return 0;
    double v = Rf_asReal(value);
    if (f->kind == P_REAL || f->kind == P_REAL_NA) {
        if (ISNAN(v)) v = R_NaN;
        memcpy(at, &v, sizeof v);
    } else {
        int whole = v >= -2147483647.0 && v <= 2147483647.0 ? (int) v : 0;
        if (v != whole) return 0;
        memcpy(at, &whole, sizeof whole);
    }
    return field_holds(f, to);
}

/* ---- parameters and plan ---- */

static const Model *model_of(SEXP name)
{
    const Model *m = TYPEOF(name) == STRSXP && LENGTH(name) == 1
                     ? model_find(CHAR(STRING_ELT(name, 0))) : NULL;
    if (!m) Rf_error("no such model");
    return m;
}

void r_open(Opened *o, SEXP param, SEXP plan, int n_genes, const char *whose)
{
    const Model *m = o->m = model_of(R_do_slot(param, Rf_install("model")));
    char part[80];
    if (m->params_size > PARAMS_MAX || m->plan_size > PARAMS_MAX)
        Rf_error("parameters of '%s' are too large", m->name);
    memset(o->params, 0, sizeof o->params);
    memset(o->plan_room, 0, sizeof o->plan_room);
    o->plan = m->plan_fields ? o->plan_room : NULL;
    /* R's validity has checked the slots against the same table; what was assigned past it comes
     * here */
    for (const Field *f = m->fields; f->kind != P_END; f++)
        if (!read_field(R_do_slot(param, Rf_install(f->name)), f, o->params)) {
            snprintf(part, sizeof part, "param@%s", f->name);
            r_damaged(whose, part, "is not in its range");
        }
    for (const Field *f = m->plan_fields; f && f->kind != P_END; f++)
        if (!read_field(r_element(plan, f->name), f, o->plan_room)) {
            snprintf(part, sizeof part, "recipe$plan$%s", f->name);
            r_damaged(whose, part, "is not in its range");
        }
    const Field *odd = model_damage(m, o->params, o->plan, n_genes);
    if (!odd) return;
    snprintf(part, sizeof part, "recipe$plan$%s", odd->name);
    r_damaged(whose, part, "does not go with the rest");
}

/* ---- what R asks ---- */

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
    static const char *kinds[] = { "real", "real.na", "int", "flag", "choice", "ints", "ints.na",
                                   "reals" };
    const char *names[] = { "name", "kind", "words", "lo", "hi", "least", "most", "" };
    const Model *m = model_of(model);
    int n = 0;
    while (m->fields[n].kind != P_END) n++;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    for (int k = 0; k < 7; k++) SET_VECTOR_ELT(out, k, Rf_allocVector(k < 3 ? STRSXP : REALSXP, n));
    for (int k = 0; k < n; k++) {
        const Field *f = m->fields + k;
        const double numbers[] = { f->lo, f->hi, f->least, f->most };
        SET_STRING_ELT(VECTOR_ELT(out, 0), k, Rf_mkChar(f->name));
        SET_STRING_ELT(VECTOR_ELT(out, 1), k, Rf_mkChar(kinds[f->kind]));
        SET_STRING_ELT(VECTOR_ELT(out, 2), k, Rf_mkChar(f->words ? f->words : ""));
        for (int j = 0; j < 4; j++) REAL(VECTOR_ELT(out, 3 + j))[k] = numbers[j];
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

SEXP C_n_weights(SEXP param, SEXP n_genes, SEXP plan)
{
    Opened o;
    int n = Rf_asInteger(n_genes);
    r_open(&o, param, plan, n, "the preparation");
    return Rf_ScalarReal((double) model_weights(o.m, o.params, n, o.plan));
}
