/* From counts to the matrix a model sees, and back: passes over the non-zeros, nothing of the size
 * genes x cells but the block that prep_restore() was asked for. */
#include <math.h>
#include <string.h>
#include "prep.h"

BadValue prep_scan(const Sparse *s, int *row, int *col, Wholeness *whole, double *largest)
{
    *whole = WHOLE;
    *largest = 0;
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++) {
            double v = s->x[k];
            *row = s->i[k]; *col = c;
            if (isnan(v)) return CELLS_MISSING;
            if (isinf(v)) return CELLS_INFINITE;
            if (v < 0) return CELLS_NEGATIVE;
            if (v > 9007199254740992.0) return CELLS_HUGE;
            if (v == floor(v)) ;
            else if (fabs(v - rint(v)) > 1e-6 * fmax(1, v)) *whole = BROKEN;
            else if (*whole == WHOLE) *whole = NEARLY;
            if (v > *largest) *largest = v;
        }
    return CELLS_OK;
}

void prep_detected(const Sparse *s, double min_count, int *at_least)
{
    for (int g = 0; g < s->nrow; g++) at_least[g] = 0;
    for (int k = 0; k < s->p[s->ncol]; k++) at_least[s->i[k]] += s->x[k] >= min_count;
}

void prep_totals(const Sparse *s, const int *keep, double *total)
{
    for (int c = 0; c < s->ncol; c++) {
        total[c] = 0;
        for (int k = s->p[c]; k < s->p[c + 1]; k++) if (keep[s->i[k]]) total[c] += s->x[k];
    }
}

/* x / total * target, 0 in a cell without counts */
static double scaled(double x, double total, double target)
{
    return target <= 0 ? x : total > 0 ? x / total * target : 0;
}

void prep_shares(const Sparse *s, double *total, double *sum, double *share, double *cells)
{
    for (int c = 0; c < s->ncol; c++) {
        total[c] = 0;
        for (int k = s->p[c]; k < s->p[c + 1]; k++) total[c] += s->x[k];
        for (int k = s->p[c]; k < s->p[c + 1]; k++) {
            int g = s->i[k];
            sum[g] += s->x[k];
            share[g] += s->x[k] / total[c];
            cells[g] += s->x[k] > 0;
        }
    }
}

void prep_moments(const Sparse *s, const double *total, double target, double *mean, double *var,
                  int *nonzero)
{
    for (int g = 0; g < s->nrow; g++) { mean[g] = var[g] = 0; nonzero[g] = 0; }
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++) {
            double v = scaled(s->x[k], target > 0 ? total[c] : 1, target);
            mean[s->i[k]] += v;
            nonzero[s->i[k]] += v != 0;
        }
    for (int g = 0; g < s->nrow; g++) mean[g] /= s->ncol;
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++) {
            int g = s->i[k];
            double v = scaled(s->x[k], target > 0 ? total[c] : 1, target);
            if (v != 0) var[g] += (v - mean[g]) * (v - mean[g]);
        }
    for (int g = 0; g < s->nrow; g++)
        var[g] = (var[g] + (s->ncol - nonzero[g]) * mean[g] * mean[g]) / (s->ncol - 1);
}

void prep_count_entries(const Sparse *s, const int *row, int *out_p)
{
    out_p[0] = 0;
    for (int c = 0; c < s->ncol; c++) {
        int n = 0;
        for (int k = s->p[c]; k < s->p[c + 1]; k++) n += row[s->i[k]] >= 0 && s->x[k] != 0;
        out_p[c + 1] = out_p[c] + n;
    }
}

static double logged(double v, Log log_)
{
    return log_ == LOG_2 ? log2(v + 1) : log_ == LOG_1P ? log1p(v) : v;
}

static double unlogged(double v, Log log_)
{
    return log_ == LOG_2 ? exp2(v) - 1 : log_ == LOG_1P ? expm1(v) : v;
}

/* Do the genes that stay keep their order? */
static int in_order(const int *row, int n)
{
    for (int g = 0, last = -1; g < n; g++) {
        if (row[g] < 0) continue;
        if (row[g] < last) return 0;
        last = row[g];
    }
    return 1;
}

/* The new rows are in any order, so entries are dealt out by new row first and then back to the
 * columns, unless they are in order anyway. */
Status prep_take(Arena *a, const Sparse *s, const int *row, int n_rows, const double *total,
                 double target, Log log, const int *out_p, int *out_i, double *out_x)
{
    size_t n = (size_t) out_p[s->ncol];
    if (in_order(row, s->nrow)) {
        for (int c = 0, to = 0; c < s->ncol; c++)
            for (int k = s->p[c]; k < s->p[c + 1]; k++) {
                int r = row[s->i[k]];
                if (r < 0 || s->x[k] == 0) continue;
                out_i[to] = r;
                out_x[to++] = logged(scaled(s->x[k], total[c], target), log);
            }
        return ST_OK;
    }
    int *start = ARENA(a, int, n_rows + 1), *col = ARENA(a, int, n), *next = ARENA(a, int, s->ncol);
    double *val = ARENA(a, double, n);
    if (a->failed) return ST_NOMEM;
    for (int k = 0; k < s->p[s->ncol]; k++)
        if (row[s->i[k]] >= 0 && s->x[k] != 0) start[row[s->i[k]] + 1]++;
    for (int r = 0; r < n_rows; r++) start[r + 1] += start[r];
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++) {
            int r = row[s->i[k]];
            if (r < 0 || s->x[k] == 0) continue;
            int at = start[r]++;
            col[at] = c;
            val[at] = logged(scaled(s->x[k], total[c], target), log);
        }
    for (int c = 0; c < s->ncol; c++) next[c] = out_p[c];
    for (int r = 0, at = 0; r < n_rows; r++)
        for (; at < start[r]; at++) {
            int to = next[col[at]]++;
            out_i[to] = r;
            out_x[to] = val[at];
        }
    return ST_OK;
}

/* How one cell's predictions become its result. */
typedef struct { const int *row; double in, over, by; Restore how; } Undo;

static void undo_cell(const Undo *u, const double *pred, size_t genes, double *to)
{
    Restore how = u->how;
    /* nothing to undo: may be below 0 */
    int as_is = how.to == how.from && how.to != LOG_NONE && u->in == u->over;
    for (size_t g = 0; g < genes; g++) {
        double v = 0;
        if (u->row[g] >= 0 && u->in > 0 && !isnan(pred[u->row[g]])) {
            double p = u->by * pred[u->row[g]];
            if (how.least > 0 && p < how.least) p = 0;
            v = as_is ? p : logged(fmax(unlogged(p, how.from), 0) * u->in / u->over, how.to);
        }
        to[g] = how.nonneg && v < 0 ? 0 : v;
    }
}

/* What was seen in the cell, where it stays. */
static void merge_seen(const Undo *u, const Sparse *counts, int cell, const double *pred,
                       double *to)
{
    Keep keep = u->how.keep;
    for (int k = counts->p[cell]; k < counts->p[cell + 1]; k++) {
        size_t g = (size_t) counts->i[k];
        double seen = logged(counts->x[k] / u->over, u->how.to);
        if (counts->x[k] == 0) continue;
        if (u->row[g] < 0 || isnan(pred[u->row[g]]) || keep == KEEP_OBSERVED
            || (keep == KEEP_MAX && seen > to[g]))
            to[g] = seen;
    }
}

void prep_restore(const Sparse *counts, int first, int n, const double *pred, int n_pred,
                  const int *row, const double *model_size, const double *stretch,
                  const double *out_size, Restore how, double *out)
{
    size_t G = (size_t) counts->nrow;
    for (int c = 0; c < n; c++) {
        double *to = out + (size_t) c * G;
        const double *from = pred + (size_t) c * (size_t) n_pred;
        Undo u = { row, model_size[c], out_size[c], stretch ? stretch[c] : 1, how };
        undo_cell(&u, from, G, to);
        merge_seen(&u, counts, first + c, from, to);
    }
}

void prep_largest(const Sparse *s, double *out)
{
    for (int c = 0; c < s->ncol; c++) {
        out[c] = 0;
        for (int k = s->p[c]; k < s->p[c + 1]; k++) if (s->x[k] > out[c]) out[c] = s->x[k];
    }
}
