/* A network's weights between its own layout, one vector of panels and rows, and R's. */
#include "nn.h"

static size_t places_of(const Part *m)
{
    int by_column = m->kept == BY_COLUMN, cols = by_column ? m->nrow : m->ncol;
    size_t rows = (size_t) (by_column ? m->ncol : m->nrow);
    if (m->kept == PLAIN) return (rows * (size_t) cols + 15) / 16 * 16;
    return rows * panels_of(cols) * PANEL;
}

size_t weights_place(Part *part, int n)
{
    size_t at = 0;
    for (int k = 0; k < n; k++) { part[k].at = at; at += places_of(part + k); }
    return at;
}

double *weights_out(const Part *part, int n, const real *w, double *out)
{
    for (const Part *m = part; m < part + n; m++)
        for (size_t c = 0; c < (size_t) m->ncol; c++)
            for (size_t r = 0; r < (size_t) m->nrow; r++) *out++ = (double) w[part_at(m, r, c)];
    return out;
}

const double *weights_in(const Part *part, int n, const double *in, real *w)
{
    for (const Part *m = part; m < part + n; m++)
        for (size_t c = 0; c < (size_t) m->ncol; c++)
            for (size_t r = 0; r < (size_t) m->nrow; r++) w[part_at(m, r, c)] = (real) *in++;
    return in;
}

void state_out(const Part *part, int n, real *const *of, int vectors, double *state)
{
    for (int k = 0; k < vectors; k++) state = weights_out(part, n, of[k], state);
}

void state_in(const Part *part, int n, const double *state, real *const *of, int vectors)
{
    for (int k = 0; k < vectors; k++) state = weights_in(part, n, state, of[k]);
}

int weights_shape(const Part *part, int n, int k, Shape *s)
{
    if (k >= n) return 0;
    *s = (Shape) { part[k].name, part[k].nrow, part[k].ncol };
    return 1;
}
