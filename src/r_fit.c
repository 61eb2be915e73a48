/* Fit and predict for any model: results as plain vectors. */
#include <string.h>
#include "r_model.h"

static const char *const FIT = "the fit";

/* ---- what a fit keeps beside its weights: a named list of matrices in R, one vector in C ---- */

static SEXP new_extras(const Opened *o, int n_genes, const double *from)
{
    Shape s;
    int n = 0;
    while (o->m->extras && o->m->extras(o->params, n_genes, o->plan, n, &s)) n++;
    SEXP out = PROTECT(Rf_allocVector(VECSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
    for (int k = 0; k < n; k++) {
        o->m->extras(o->params, n_genes, o->plan, k, &s);
        SET_STRING_ELT(names, k, Rf_mkChar(s.name));
        SET_VECTOR_ELT(out, k, Rf_allocMatrix(REALSXP, s.nrow, s.ncol));
        size_t len = (size_t) s.nrow * (size_t) s.ncol;
        if (len) memcpy(REAL(VECTOR_ELT(out, k)), from, len * sizeof *from);
        from += len;
    }
    Rf_setAttrib(out, R_NamesSymbol, names);
    UNPROTECT(2);
    return out;
}

static const double *read_extras(const Opened *o, int n_genes, SEXP extras)
{
    size_t all = model_extras(o->m, o->params, n_genes, o->plan);
    double *to = (double *) (void *) R_alloc(all + 1, sizeof(double)), *at = to;
    Shape s;
    char part[80];
    for (int k = 0; o->m->extras && o->m->extras(o->params, n_genes, o->plan, k, &s); k++) {
        size_t len = (size_t) s.nrow * (size_t) s.ncol;
        snprintf(part, sizeof part, "extras$%s", s.name);
        const double *from = r_numbers(r_element(extras, s.name), len, FIT, part);
        if (len) memcpy(at, from, len * sizeof *at);
        at += len;
    }
    return to;
}

/* list(names, rows, columns) of the matrices of weights */
static SEXP shapes_of(const Opened *o, int n_genes)
{
    Shape s;
    int n = 0;
    while (o->m->shape(o->params, n_genes, o->plan, n, &s)) n++;
    SEXP out = PROTECT(Rf_allocVector(VECSXP, 3));
    for (int k = 0; k < 3; k++) SET_VECTOR_ELT(out, k, Rf_allocVector(k ? INTSXP : STRSXP, n));
    for (int k = 0; k < n; k++) {
        o->m->shape(o->params, n_genes, o->plan, k, &s);
        SET_STRING_ELT(VECTOR_ELT(out, 0), k, Rf_mkChar(s.name));
        INTEGER(VECTOR_ELT(out, 1))[k] = s.nrow;
        INTEGER(VECTOR_ELT(out, 2))[k] = s.ncol;
    }
    UNPROTECT(1);
    return out;
}

SEXP C_shapes(SEXP param, SEXP n_genes, SEXP plan)
{
    Opened o;
    int n = Rf_asInteger(n_genes);
    r_open(&o, param, plan, n, FIT);
    return shapes_of(&o, n);
}

/* ---- histories ---- */

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

/* A fit to go on from, checked: list(weights, state, train, valid, penalty, iterations, stopped,
 * part). */
typedef struct {
    const double *weights, *state, *curve[3], *part;
    const int *done, *stopped;
} Resume;

static Resume read_resume(SEXP from, size_t n_weights, size_t n_state, int parts)
{
    static const char *const curves[] = { "history$train", "history$valid", "history$penalty" };
    SEXP done = VECTOR_ELT(from, 5), stopped = VECTOR_ELT(from, 6);
    double total = 0;
    if (TYPEOF(done) != INTSXP || LENGTH(done) != parts)
        r_damaged(FIT, "history$iteration", "is not whole");
    if (TYPEOF(stopped) != INTSXP || LENGTH(stopped) != parts)
        r_damaged(FIT, "stopped", "is not whole");
    for (int k = 0; k < parts; k++) {
        if (INTEGER(done)[k] < 0) r_damaged(FIT, "history$iteration", "is not in its range");
        if (INTEGER(stopped)[k] < 0 || INTEGER(stopped)[k] > STOPPED_DIVERGED)
            r_damaged(FIT, "stopped", "is no reason that there is");
        total += INTEGER(done)[k];
    }
    Resume r = { r_numbers(VECTOR_ELT(from, 0), n_weights, FIT, "weights"),
                 r_numbers(VECTOR_ELT(from, 1), n_state, FIT, "state"),
                 { NULL, NULL, NULL }, NULL, INTEGER(done), INTEGER(stopped) };
    for (int c = 0; c < 3; c++)
        r.curve[c] = r_numbers(VECTOR_ELT(from, 2 + c), (size_t) total, FIT, curves[c]);
    r.part = r_numbers(VECTOR_ELT(from, 7), (size_t) total * CURVES, FIT, "history");
    return r;
}

/* Room for the curves; those of a fit to resume (NULL: none) are put in. */
static History *take_history(Arena *a, int parts, int max_iter, const Resume *from)
{
    History *h = ARENA(a, History, parts);
    size_t at = 0;
    for (int k = 0; k < parts; k++) {
        double **curve[] = { &h[k].train, &h[k].valid, &h[k].penalty };
        h[k].pearson = h[k].mse = R_NaN;
        if (from) {
            h[k].done = from->done[k];
            h[k].stopped = (Stopped) from->stopped[k];
        }
        size_t done = (size_t) h[k].done, room = h[k].done > max_iter ? done : (size_t) max_iter;
        for (int c = 0; c < 3; c++) {
            *curve[c] = ARENA(a, double, room);
            if (done) memcpy(*curve[c], from->curve[c] + at, done * sizeof(double));
        }
        h[k].part = ARENA(a, double, room * CURVES);
        if (done) memcpy(h[k].part, from->part + at * CURVES, done * CURVES * sizeof(double));
        at += done;
    }
    return h;
}

/* ---- fit ---- */

/* plan: NULL or a named list; resume: NULL or see Resume; control: c(pause_at, want_state).
 * Value: list(status, weights, shapes, extras, history, state). */
SEXP C_fit(SEXP param, SEXP x, SEXP plan, SEXP seed, SEXP threads, SEXP resume, SEXP control,
           SEXP report)
{
    const char *names[] = { "status", "weights", "shapes", "extras", "history", "state", "" };
    Ticker ticker = { report, 0 };
    Opened o;
    Fit f = { .x = r_sparse(x), .seed = (uint64_t) Rf_asReal(seed), .threads = r_threads(threads),
              .tick = r_tick(&ticker), .pause_at = INTEGER(control)[0],
              .want_state = INTEGER(control)[1] };
    int genes = f.x.nrow, resumes = resume != R_NilValue;
    if (genes < 1 || f.x.ncol < 1) r_status(ST_SHAPE);
    r_open(&o, param, plan, genes, "the preparation");
    f.plan = o.plan;
    size_t n = model_weights(o.m, o.params, genes, o.plan);
    size_t n_state = model_state(o.m, o.params, genes, o.plan);
    int parts = o.m->parts ? o.m->parts(o.plan) : 1, want = (f.want_state || resumes) && n_state;
    Resume from = { 0 };
    if (resumes) from = read_resume(resume, n, n_state, parts);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SEXP weights = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t) n));
    SEXP state = PROTECT(want ? Rf_allocVector(REALSXP, (R_xlen_t) n_state) : R_NilValue);
    f.weights = REAL(weights);
    f.state = want ? REAL(state) : NULL;
    /* zeros, should a fit have nothing to do */
    memset(f.weights, 0, n * sizeof(double));
    if (want) memset(f.state, 0, n_state * sizeof(double));
    if (resumes) memcpy(f.weights, from.weights, n * sizeof(double));
    if (resumes && want) memcpy(f.state, from.state, n_state * sizeof(double));
    Arena a = r_arena();
    f.extras = ARENA(&a, double, model_extras(o.m, o.params, genes, o.plan));
    f.h = take_history(&a, parts, o.m->max_iter ? o.m->max_iter(o.params, o.plan) : 0,
                       resumes ? &from : NULL);
    Status st = o.m->fit(&a, o.params, &f);
    if (st != ST_OK && st != ST_DIVERGED) r_status(st);
    SET_VECTOR_ELT(out, 0, Rf_ScalarInteger(st));
    SET_VECTOR_ELT(out, 1, weights);
    SET_VECTOR_ELT(out, 2, shapes_of(&o, genes));
    SET_VECTOR_ELT(out, 3, new_extras(&o, genes, f.extras));
    SET_VECTOR_ELT(out, 4, history_of(f.h, parts));
    SET_VECTOR_ELT(out, 5, f.want_state ? state : R_NilValue);
    UNPROTECT(3);
    return out;
}

/* What a matrix looks like, cell by cell, as two whole numbers of 52 bits. */
SEXP C_fingerprint(SEXP x)
{
    Sparse s = r_sparse(x);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 2));
    uint64_t h[2] = { (uint64_t) s.nrow, (uint64_t) s.ncol };
    for (int c = 0; c < s.ncol; c++) {
        double key[2];
        cell_key(&s, c, key);
        for (int k = 0; k < 2; k++)                       /* 64-bit FNV-1a, a word at a time */
            h[k] = (h[k] ^ (uint64_t) key[k]) * UINT64_C(1099511628211);
    }
    for (int k = 0; k < 2; k++) REAL(out)[k] = (double) (h[k] >> 12);
    UNPROTECT(1);
    return out;
}

/* The same of each cell by itself: one whole number. */
SEXP C_cell_marks(SEXP x)
{
    Sparse s = r_sparse(x);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, s.ncol));
    for (int c = 0; c < s.ncol; c++) {
        double key[2];
        cell_key(&s, c, key);
        REAL(out)[c] = key[0];
    }
    UNPROTECT(1);
    return out;
}

/* Of a vector of numbers or bytes, what it holds in 16 hexadecimal digits: 64-bit FNV-1a, a word at
 * a time. */
SEXP C_mark(SEXP x)
{
    size_t n = (size_t) XLENGTH(x), bytes;
    const unsigned char *at;
    switch (TYPEOF(x)) {
    case REALSXP: at = (const unsigned char *) REAL(x); bytes = n * sizeof(double); break;
    case INTSXP: at = (const unsigned char *) INTEGER(x); bytes = n * sizeof(int); break;
    case LGLSXP: at = (const unsigned char *) LOGICAL(x); bytes = n * sizeof(int); break;
    case RAWSXP: at = RAW(x); bytes = n; break;
    default: Rf_error("no numbers and no bytes");
    }
    uint64_t h = UINT64_C(14695981039346656037) ^ (uint64_t) bytes;
    for (size_t k = 0; k < bytes; k += 8) {
        uint64_t word = 0;
        memcpy(&word, at + k, bytes - k < 8 ? bytes - k : 8);
        h = (h ^ word) * UINT64_C(1099511628211);
        h ^= h >> 32;                                     /* high bits reach the low ones */
    }
    char text[17];
    snprintf(text, sizeof text, "%08lx%08lx", (unsigned long) (h >> 32),
             (unsigned long) (h & UINT64_C(0xffffffff)));
    return Rf_mkString(text);
}

/* ---- predict ---- */

/* The wanted genes only, n of them: of some cells at a time, so that what is not wanted is never
 * held for all. */
static void predict_some(const Model *m, const void *params, Predict *p, size_t n, double *out)
{
    Sparse x = p->x;
    size_t genes = (size_t) x.nrow;
    int step = genes > 4000000 ? 1 : (int) (4000000 / genes);
    if (step > x.ncol) step = x.ncol;
    double *block = (double *) R_alloc(genes * (size_t) step, sizeof(double));
    int *start = (int *) R_alloc((size_t) step + 1, sizeof(int));
    size_t *want = (size_t *) R_alloc(n, sizeof(size_t));
    for (size_t g = 0, k = 0; g < genes; g++) if (p->wanted[g]) want[k++] = g;
    memset(block, 0, genes * (size_t) step * sizeof(double));
    void *top = vmaxget();
    for (int from = 0; from < x.ncol; from += step) {
        int cells = x.ncol - from < step ? x.ncol - from : step, first = x.p[from];
        for (int c = 0; c <= cells; c++) start[c] = x.p[from + c] - first;
        p->x = (Sparse) { x.nrow, cells, start, x.i + first, x.x + first };
        p->out = block;
        Arena a = r_arena();
        r_status(m->predict(&a, params, p));
        vmaxset(top);
        for (size_t c = 0; c < (size_t) cells; c++)
            for (size_t k = 0; k < n; k++)
                out[((size_t) from + c) * n + k] = block[c * genes + want[k]];
    }
}

/* extras: named list of matrices; wanted: NULL, or a flag for each gene of x, and the result has
 * these alone */
SEXP C_predict(SEXP param, SEXP weights, SEXP extras, SEXP x, SEXP plan, SEXP wanted, SEXP threads)
{
    Opened o;
    Predict p = { .x = r_sparse(x), .threads = r_threads(threads), .tick = r_tick(NULL),
                  .wanted = wanted == R_NilValue ? NULL : LOGICAL(wanted) };
    int genes = p.x.nrow;
    if (genes < 1 || (p.wanted && LENGTH(wanted) != genes)) r_status(ST_SHAPE);
    r_open(&o, param, plan, genes, FIT);
    p.plan = o.plan;
    p.weights = r_numbers(weights, model_weights(o.m, o.params, genes, o.plan), FIT, "weights");
    p.extras = read_extras(&o, genes, extras);
    int n = genes;
    if (p.wanted) for (int g = 0; g < genes; g++) n -= !p.wanted[g];
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, n, p.x.ncol));
    if (!p.wanted) {
        Arena a = r_arena();
        p.out = REAL(out);
        r_status(o.m->predict(&a, o.params, &p));
    } else if (n) predict_some(o.m, o.params, &p, (size_t) n, REAL(out));
    UNPROTECT(1);
    return out;
}
