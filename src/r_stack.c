/* The posterior: what its priors expect, loss and gradient at sampled entries, and its use block by
 * block. */
#include "model.h"
#include "prior.h"
#include "r_glue.h"
#include "r_model.h"
#include "stack.h"

/* Columns `which` (from 1) of z (entries x priors), entries rows[0]..rows[0] + rows[1] - 1 of z, x
 * and y (from 0). */
static StackData read_data(Arena *a, SEXP z, SEXP which, SEXP rows, SEXP x, SEXP y, SEXP rho)
{
    size_t all = (size_t) Rf_nrows(z), from = (size_t) REAL(rows)[0], n = (size_t) REAL(rows)[1];
    int K = LENGTH(which);
    if ((size_t) Rf_xlength(x) != all || (size_t) Rf_xlength(y) != all || from + n > all || !n)
        r_status(ST_SHAPE);
    const double **column = ARENA(a, const double *, K);
    for (int k = 0; k < K; k++) {
        int at = INTEGER(which)[k];
        if (at < 1 || at > Rf_ncols(z)) r_status(ST_SHAPE);
        column[k] = REAL(z) + (size_t) (at - 1) * all + from;
    }
    return (StackData) { n, K, column, REAL(x) + from, REAL(y) + from, Rf_asReal(rho) };
}

/* c(loss, gradient, information) */
SEXP C_stack_loss(SEXP z, SEXP which, SEXP rows, SEXP x, SEXP y, SEXP rho, SEXP par, SEXP threads)
{
    Arena a = r_arena();
    StackData d = read_data(&a, z, which, rows, x, y, rho);
    int N = d.K + 2;
    if (LENGTH(par) != N) r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 1 + N + N * N));
    double *parts = ARENA(&a, double, stack_parts(d.K));
    stack_loss(&d, REAL(par), 1, r_threads(threads), parts, REAL(out));
    R_CheckUserInterrupt();
    UNPROTECT(1);
    return out;
}

/* Losses of these columns as they are. */
SEXP C_stack_alone(SEXP z, SEXP which, SEXP rows, SEXP y, SEXP rho, SEXP threads)
{
    Arena a = r_arena();
    StackData d = read_data(&a, z, which, rows, y, y, rho);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, d.K));
    stack_alone(&d, r_threads(threads), REAL(out));
    UNPROTECT(1);
    return out;
}

/* ---- what is asked of the priors ---- */

static const char *const FIT = "the fit";

static const double *reals(SEXP list, const char *name, size_t n)
{
    char part[80];
    snprintf(part, sizeof part, "priors$%s", name);
    return r_numbers(r_element(list, name), n, FIT, part);
}

/* list(p, i, x, totals, scores, keys) of the fitted cells */
static Sparse read_cells(SEXP near, int genes, Places *places, const double **keys)
{
    SEXP at = r_element(near, "p"), i = r_element(near, "i"), x = r_element(near, "x"),
         scores = r_element(near, "scores");
    int cells = Rf_length(at) - 1;
    if (TYPEOF(at) != INTSXP || TYPEOF(i) != INTSXP || TYPEOF(x) != REALSXP || cells < 1
        || TYPEOF(scores) != REALSXP || Rf_length(i) != Rf_length(x)
        || Rf_length(scores) % cells)
        r_damaged(FIT, "plan", "is not that of its cells");
    Sparse s = { genes, cells, INTEGER(at), INTEGER(i), REAL(x) };
    if (sparse_check(&s, (size_t) Rf_length(x))) r_damaged(FIT, "plan", "is not that of its cells");
    *places = (Places) { cells, Rf_length(scores) / cells, REAL(scores),
                         reals(near, "totals", (size_t) cells) };
    *keys = reals(near, "keys", 2 * (size_t) cells);
    return s;
}

/* Their counts packed; only the genes asked for: ten genes are to take the time of ten. */
static void pack(Arena *a, Priors *p, const Sparse *s, const double *totals)
{
    int *new = ARENA(a, int, s->nrow), *at = ARENA(a, int, p->n_rows), n = 0, entries = 0,
        *columns = ARENA(a, int, s->ncol + 1);
    for (size_t j = 0; j < p->n_rows; j++) new[p->rows ? (size_t) p->rows[j] : j] = 1;
    for (int g = 0; g < s->nrow; g++) new[g] = new[g] ? ++n : 0;
    for (size_t j = 0; p->rows && j < p->n_rows; j++) at[j] = new[p->rows[j]] - 1;
    for (int e = 0; e < s->p[s->ncol]; e++) entries += new[s->i[e]] > 0;
    int small = n <= SMALL_ROWS;
    for (int e = 0; e < s->p[s->ncol] && small; e++)
        small = s->x[e] < SMALL_COUNT && s->x[e] == (int) s->x[e];
    uint32_t *words = small ? ARENA(a, uint32_t, entries) : NULL;
    Packed *packed = small ? NULL : ARENA(a, Packed, entries);
    entries = 0;
    for (int c = 0; c < s->ncol; c++) {
        for (int e = s->p[c]; e < s->p[c + 1]; e++) {
            int g = new[s->i[e]] - 1;
            if (g < 0) continue;
            if (small) words[entries++] = (uint32_t) g << SMALL_BITS | (uint32_t) s->x[e];
            else packed[entries++] = (Packed) { g, (float) s->x[e] };
        }
        columns[c + 1] = entries;
    }
    Pool *pool = ARENA(a, Pool, 1);
    *pool = (Pool) { n, s->ncol, columns, words, packed, totals };
    p->pool = pool;
    if (p->rows) p->pool_row = at;
}

/* The nearest fitted cells, by the first scores of each. */
static void read_near(Arena *a, SEXP near, Priors *p, int threads)
{
    Places places;
    const double *keys;
    Sparse cells = read_cells(near, p->counts->nrow, &places, &keys);
    size_t n = (size_t) p->counts->ncol, d = (size_t) places.dims;
    if (places.dims > p->dims || p->neighbours > places.cells) r_status(ST_SHAPE);
    int *known = ARENA(a, int, n), *found = ARENA(a, int, n * (size_t) p->neighbours);
    double *own = ARENA(a, double, n * d);
    for (size_t c = 0; c < n; c++)
        for (size_t k = 0; k < d; k++) own[c * d + k] = p->scores[c * (size_t) p->dims + k];
    Status st = cells_known(a, p->counts, keys, places.cells, known);
    if (!st) st = near_find(a, &places, own, known, (int) n, p->neighbours, threads, r_tick(NULL),
                            found);
    r_status(st);
    p->near = found;
    pack(a, p, &cells, places.totals);
}

/* list(kind, first, values, usual, turn (genes x dims), near) -> p, whose counts and rows are
 * set */
static void read_priors(Arena *a, SEXP priors, Priors *p, const double **turn_rows, int threads)
{
    SEXP kind = r_element(priors, "kind"), first = r_element(priors, "first"),
         values = r_element(priors, "values"), turn = r_element(priors, "turn");
    size_t genes = (size_t) p->counts->nrow, n = (size_t) p->counts->ncol;
    p->K = LENGTH(kind);
    Prior *prior = ARENA(a, Prior, p->K);
    p->prior = prior;
    p->usual = Rf_asReal(r_element(priors, "usual"));
    if (Rf_isMatrix(turn)) {
        p->dims = Rf_ncols(turn);
        if ((size_t) Rf_nrows(turn) != genes || TYPEOF(turn) != REALSXP) r_status(ST_SHAPE);
    }
    for (int k = 0; k < p->K; k++) {
        prior[k].kind = (PriorKind) INTEGER(kind)[k];
        prior[k].first = INTEGER(first)[k];
        if (prior[k].kind > PRIOR_MEAN && prior[k].first < 1) r_status(ST_SHAPE);
        if (prior[k].kind == PRIOR_NEAR && prior[k].first > p->neighbours)
            p->neighbours = prior[k].first;
        if (prior[k].kind == PRIOR_SVD && prior[k].first > p->dims) r_status(ST_SHAPE);
        if (prior[k].kind > PRIOR_MEAN) continue;
        prior[k].values = r_numbers(VECTOR_ELT(values, k), prior[k].kind == PRIOR_MEAN ? p->n_rows
                                    : p->n_rows * n, FIT, "priors");
    }
    if (p->neighbours && !p->dims) r_status(ST_SHAPE);
    if (!p->dims) return;
    double *rows = ARENA(a, double, genes * (size_t) p->dims),
           *scores = ARENA(a, double, n * (size_t) p->dims), *some = NULL;
    by_rows(REAL(turn), genes, (size_t) p->dims, rows);
    cell_scores(p->counts, 0, (int) n, p->usual, rows, p->dims, threads, scores);
    p->scores = scores;
    p->turn = REAL(turn);
    *turn_rows = rows;
    if (p->rows) {
        p->turn = some = ARENA(a, double, p->n_rows * (size_t) p->dims);
        for (size_t k = 0; k < (size_t) p->dims; k++)
            for (size_t j = 0; j < p->n_rows; j++)
                some[k * p->n_rows + j] = REAL(turn)[k * genes + (size_t) p->rows[j]];
    }
    if (p->neighbours) read_near(a, r_element(priors, "near"), p, threads);
}

/* Logarithms at the entries `at` (rising, from 1, of genes x cells) of these counts: entries x
 * K. */
SEXP C_stack_at(SEXP priors, SEXP counts, SEXP at, SEXP threads)
{
    Sparse s = r_sparse(counts);
    Arena a = r_arena();
    int T = r_threads(threads);
    Priors p = { .counts = &s, .n_rows = (size_t) s.nrow };
    const double *turn = NULL;
    read_priors(&a, priors, &p, &turn, T);
    size_t n = (size_t) XLENGTH(at), cells = (size_t) s.ncol, room = priors_scratch(&p);
    int *gene = ARENA(&a, int, n);
    size_t *from = ARENA(&a, size_t, cells + 1);
    double *scratch = ARENA(&a, double, room * (size_t) T);
    size_t c = 0;
    for (size_t j = 0; j < n; j++) {
        double v = REAL(at)[j] - 1;
        if (!(v >= 0 && v < (double) s.nrow * s.ncol)) r_status(ST_SHAPE);
        size_t cell = (size_t) (v / s.nrow);
        while (c < cell) from[++c] = j;
        gene[j] = (int) (v - (double) cell * s.nrow);
    }
    while (c < cells) from[++c] = n;
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int) n, p.K));
    double *to = REAL(out);
    PARALLEL_FOR(T)
    for (int t = 0; t < T; t++) {
        size_t lo, hi;
        share(cells, t, T, &lo, &hi);
        for (size_t k = lo; k < hi; k++)
            priors_at(&p, (int) k, gene + from[k], from[k + 1] - from[k], turn,
                      scratch + (size_t) t * room, to + from[k], n);
    }
    R_CheckUserInterrupt();
    UNPROTECT(1);
    return out;
}

/* rows: NULL or genes from 0; unseen: NULL or integers, one per row; wanted: 0 mean, 1 standard
 * deviation, 2 prior mean. Matrix, rows x cells. */
SEXP C_stack_fill(SEXP priors, SEXP counts, SEXP rows, SEXP par, SEXP depth, SEXP unseen,
                  SEXP wanted, SEXP threads)
{
    Sparse s = r_sparse(counts);
    Arena a = r_arena();
    Priors p = { .counts = &s, .rows = Rf_isNull(rows) ? NULL : INTEGER(rows),
                 .n_rows = (size_t) (Rf_isNull(rows) ? s.nrow : LENGTH(rows)) };
    for (size_t j = 0; p.rows && j < p.n_rows; j++)
        if (p.rows[j] < 0 || p.rows[j] >= s.nrow) r_status(ST_SHAPE);
    const double *turn = NULL;
    read_priors(&a, priors, &p, &turn, r_threads(threads));
    if (LENGTH(par) != p.K + 2 || (!Rf_isNull(unseen) && (size_t) LENGTH(unseen) != p.n_rows))
        r_status(ST_SHAPE);
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int) p.n_rows, s.ncol));
    double *to = REAL(out);
    int what = Rf_asInteger(wanted);
    StackUse u = { &p, REAL(par), Rf_asReal(depth), Rf_isNull(unseen) ? NULL : INTEGER(unseen),
                   what == 0 ? to : NULL, what == 1 ? to : NULL, what == 2 ? to : NULL };
    r_status(stack_fill(&a, &u, r_threads(threads), r_tick(NULL)));
    UNPROTECT(1);
    return out;
}

/* Scores of all cells, dims x cells; turn: genes x dims. */
SEXP C_scores(SEXP counts, SEXP turn, SEXP usual, SEXP threads)
{
    Sparse s = r_sparse(counts);
    int dims = Rf_ncols(turn);
    if (TYPEOF(turn) != REALSXP || Rf_nrows(turn) != s.nrow) r_status(ST_SHAPE);
    Arena a = r_arena();
    double *rows = ARENA(&a, double, (size_t) s.nrow * (size_t) dims);
    by_rows(REAL(turn), (size_t) s.nrow, (size_t) dims, rows);
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, dims, s.ncol));
    cell_scores(&s, 0, s.ncol, Rf_asReal(usual), rows, dims, r_threads(threads), REAL(out));
    UNPROTECT(1);
    return out;
}

/* A vector that nobody touches: R's collector, which else looks at everything each time a few
 * megabytes have been asked for, learns what is coming. */
SEXP C_room(SEXP bytes)
{
    Rf_allocVector(RAWSXP, (R_xlen_t) Rf_asReal(bytes));
    return R_NilValue;
}

/* Counts at entries of genes x cells (rising, from 1). */
SEXP C_counts_at(SEXP counts, SEXP at)
{
    Sparse s = r_sparse(counts);
    R_xlen_t n = XLENGTH(at);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
    double all = (double) s.nrow * s.ncol;
    int cell = -1, e = 0;
    for (R_xlen_t j = 0; j < n; j++) {
        double v = REAL(at)[j] - 1;
        if (!(v >= 0 && v < all)) r_status(ST_SHAPE);
        int c = (int) (v / s.nrow), g = (int) (v - (double) c * s.nrow);
        if (c != cell) { cell = c; e = s.p[c]; }
        while (e < s.p[c + 1] && s.i[e] < g) e++;
        REAL(out)[j] = e < s.p[c + 1] && s.i[e] == g ? s.x[e] : 0;
    }
    UNPROTECT(1);
    return out;
}
