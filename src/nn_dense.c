/* Dense layers on panel matrices: with sparse input (arithmetic on the non-zeros), with sampled
 * output (the entries that a loss asks for), and dense both sides. */
#include <string.h>
#include "nn.h"

KERNEL_FILE

void rows_take(Arena *a, Rows *r, size_t rows, size_t entries)
{
    r->p = ARENA(a, size_t, rows + 1);
    r->i = ARENA(a, int, entries + 1);
    r->x = ARENA(a, real, entries + 1);
}

void rows_load(Rows *r, const Sparse *x, const int *cells, int n)
{
    size_t at = 0;
    r->n = n;
    for (int c = 0; c < n; c++) {
        r->p[c] = at;
        for (int k = x->p[cells[c]]; k < x->p[cells[c] + 1]; k++, at++) {
            r->i[at] = x->i[k];
            r->x[at] = (real) x->x[k];
        }
    }
    r->p[n] = at;
}

size_t rows_from(const Rows *rows, int r, int col)
{
    return first_from(rows->i, rows->p[r], rows->p[r + 1], col);
}

void rows_transpose(const Rows *from, int n_cols, Rows *to, size_t *from_entry)
{
    to->n = n_cols;
    memset(to->p, 0, ((size_t) n_cols + 1) * sizeof *to->p);
    for (size_t k = 0; k < from->p[from->n]; k++) to->p[from->i[k] + 1]++;
    for (int c = 0; c < n_cols; c++) to->p[c + 1] += to->p[c];
    for (int r = 0; r < from->n; r++)
        for (size_t k = from->p[r]; k < from->p[r + 1]; k++) {
            size_t at = to->p[from->i[k]]++;
            to->i[at] = r;
            to->x[at] = from->x[k];
            from_entry[at] = k;
        }
    for (int c = n_cols; c > 0; c--) to->p[c] = to->p[c - 1];
    to->p[0] = 0;
}

void layer_sparse_in(const Rows *x, const real *val, int r0, int r1, const real *w_slab,
                     const real *bias, real *y_slab)
{
    if (!val) val = x->x;
    panel_sums(y_slab + (size_t) r0 * PANEL, bias, w_slab, x->p + r0, x->i, val,
               (size_t) (r1 - r0));
}

void layer_sampled_out(const Rows *at, int r0, int r1, const real *w_slab, const real *h_slab,
                       real *y)
{
    for (int r = r0; r < r1; r++)
        panel_dots(y + at->p[r], w_slab, at->i + at->p[r], at->p[r + 1] - at->p[r],
                   h_slab + (size_t) r * PANEL);
}

static size_t width(size_t n, size_t panel)
{
    return n - panel * PANEL < PANEL ? n - panel * PANEL : PANEL;
}

void dense_forward(size_t n, size_t n_in, size_t n_out, const real *x, const real *w,
                   const real *bias, real *y, real *scratch)
{
    for (size_t q = 0; q < panels_of((int) n_out); q++) {
        real *yq = y + q * n * PANEL;
        for (size_t r = 0; r < n; r++)
            if (bias) memcpy(yq + r * PANEL, bias + q * PANEL, PANEL * sizeof(real));
            else memset(yq + r * PANEL, 0, PANEL * sizeof(real));
        for (size_t p = 0; p < panels_of((int) n_in); p++)
            gemm(0, 0, n, PANEL, width(n_in, p), x + p * n * PANEL, PANEL,
                 w + q * n_in * PANEL + p * PANEL * PANEL, PANEL, 1, yq, PANEL, scratch);
    }
}

void dense_backward(size_t n, size_t n_in, size_t n_out, const real *dy, const real *w, real *dx,
                    real *scratch)
{
    for (size_t p = 0; p < panels_of((int) n_in); p++) {
        memset(dx + p * n * PANEL, 0, n * PANEL * sizeof(real));
        for (size_t q = 0; q < panels_of((int) n_out); q++)
            gemm(0, 1, n, width(n_in, p), width(n_out, q), dy + q * n * PANEL, PANEL,
                 w + q * n_in * PANEL + p * PANEL * PANEL, PANEL, 1, dx + p * n * PANEL, PANEL,
                 scratch);
    }
}

void dense_gradient(size_t n, size_t n_in, size_t n_out, const real *x, const real *dy, real *dw,
                    real *db, real *scratch)
{
    for (size_t q = 0; q < panels_of((int) n_out); q++) {
        const real *dyq = dy + q * n * PANEL;
        for (size_t p = 0; p < panels_of((int) n_in); p++)
            gemm(1, 0, width(n_in, p), width(n_out, q), n, x + p * n * PANEL, PANEL, dyq, PANEL, 1,
                 dw + q * n_in * PANEL + p * PANEL * PANEL, PANEL, scratch);
        for (size_t r = 0; r < n; r++)
            for (size_t j = 0; j < width(n_out, q); j++) db[q * PANEL + j] += dyq[r * PANEL + j];
    }
}
