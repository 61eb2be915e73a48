/* The networks of DeepImpute: weights and where they stand, scratch, and the entries that each
 * network reads.
 */
#include <math.h>
#include "deepimpute.h"

KERNEL_FILE

size_t di_parts(Part part[MAX_PARTS], int layers, const int *units, int n_in, int n_out)
{
    static const char *const names[MAX_PARTS] = { "W1", "b1", "W2", "b2", "W3", "b3",
                                                  "W4", "b4", "W5", "b5", "W6", "b6",
                                                  "W7", "b7", "W8", "b8", "W9", "b9" };
    for (int l = 0; l <= layers; l++) {
        int rows = l ? units[l - 1] : n_in, cols = l < layers ? units[l] : n_out;
        part[2 * l] = (Part) { names[2 * l], rows, cols, l < layers ? BY_ROW : BY_COLUMN, 0 };
        part[2 * l + 1] = (Part) { names[2 * l + 1], cols, 1, BY_COLUMN, 0 };
    }
    return weights_place(part, 2 * (layers + 1));
}

void di_open(Net *nets, int n, Shared *s)
{
    const DiPlan *p = s->plan;
    const int *in = p->predictors.at, *out = p->targets.at;
    for (int k = 0; k < n; k++) {
        Net *net = nets + k;
        net->s = s;
        net->id = p->network.at[k];
        net->n_in = p->n_predictors.at[k];
        net->n_out = p->n_targets.at[k];
        net->in = in; net->out = out;
        in += net->n_in; out += net->n_out;
        net->n = di_parts(net->part, s->layers, s->units, net->n_in, net->n_out);
        net->team = 1;
        if ((size_t) net->n_in > s->most_in) s->most_in = (size_t) net->n_in;
        if ((size_t) net->n_out > s->most_out) s->most_out = (size_t) net->n_out;
    }
}

void di_map(Net *net)
{
    for (int g = 0; g < net->s->x->nrow; g++) net->map[g] = 0;
    for (int k = 0; k < net->n_in; k++) net->map[net->in[k]] = 1 + k;
    for (int k = 0; k < net->n_out; k++) net->map[net->out[k]] = -1 - k;
}

double *di_out(const Net *net, const real *w, double *out)
{
    return weights_out(net->part, n_parts(net->s), w, out);
}

const double *di_in(const Net *net, const double *in, real *w)
{
    return weights_in(net->part, n_parts(net->s), in, w);
}

/* Hidden units, and between layers their entries; the widest layer, and the widest that others
 * read. */
static void take_hidden(Arena *a, Work *w, const Shared *s, size_t cells, size_t *widest,
                        size_t *inner)
{
    for (int l = 0; l < s->layers; l++) {
        size_t n = (size_t) s->units[l];
        w->h[l] = ARENA(a, real, cells * panels_of(s->units[l]) * PANEL);
        if (n > *widest) *widest = n;
        if (l + 1 == s->layers) break;
        rows_take(a, w->mid + l, cells, cells * n);
        if (a->failed) return;
        for (size_t r = 0; r <= cells; r++) w->mid[l].p[r] = r * n;
        for (size_t k = 0; k < cells * n; k++) w->mid[l].i[k] = (int) (k % n);
        if (n > *inner) *inner = n;
    }
}

/* What the gradients need; in, out: entries of a batch. */
static void take_learning(Arena *a, Work *w, const Shared *s, size_t cells, size_t in, size_t out,
                          size_t widest, size_t inner)
{
    for (int l = 0; l < s->layers; l++)
        w->dh[l] = ARENA(a, real, cells * panels_of(s->units[l]) * PANEL);
    if (inner) {
        rows_take(a, &w->mid_t, inner, cells * inner);
        w->mid_from = ARENA(a, size_t, cells * inner);
        for (int l = 0; l + 1 < s->layers; l++)
            w->mid_dh[l] = ARENA(a, real, cells * (size_t) s->units[l]);
    }
    rows_take(a, &w->xt, s->most_in, in);
    rows_take(a, &w->yt, s->most_out, out);
    w->x_from = ARENA(a, size_t, in);
    w->y_from = ARENA(a, size_t, out);
    w->z = ARENA(a, real, out);
    w->dz = ARENA(a, real, out);
    w->w = ARENA(a, real, out);
    w->dz_by_gene = ARENA(a, real, out);
    w->loss = ARENA(a, double, cells);
    w->each = ARENA(a, int, cells);
    w->one = ARENA(a, real, cells);
    w->bits_row = (widest + 3) / 4 * 4;
    w->bits = ARENA(a, uint32_t, cells * w->bits_row);
    if (a->failed) return;
    for (size_t r = 0; r < cells; r++) { w->each[r] = (int) r; w->one[r] = 1; }
}

void di_work(Arena *a, Work *w, const Shared *s, size_t cells, int longest, int learn)
{
    size_t dense = s->p->zero_weight > 0, widest = 0, inner = 0;
    size_t in = cells * (s->most_in < (size_t) longest ? s->most_in : (size_t) longest);
    size_t out = cells * (s->most_out < (size_t) longest || dense ? s->most_out : (size_t) longest);
    rows_take(a, &w->x, cells, in);
    rows_take(a, &w->y, cells, out);
    w->all_i = ARENA(a, int, s->most_out + 1);
    w->all_x = ARENA(a, real, s->most_out + 1);
    take_hidden(a, w, s, cells, &widest, &inner);
    if (learn && !a->failed) take_learning(a, w, s, cells, in, out, widest, inner);
}

/* ---- entries ---- */

/* The entries of one cell that the net reads and those that it predicts, with their rows. No
 * branch: what an entry is cannot be foreseen, so each is written to both lists and counted in one
 * of them, or in none (lists have room for that). */
void di_pick(const Sparse *x, int cell, const int *map, int *in, real *in_x, size_t *n_in, int *out,
             real *out_x, size_t *n_out)
{
    size_t a = 0, b = 0;
    for (int k = x->p[cell]; k < x->p[cell + 1]; k++) {
        int at = map[x->i[k]];
        real v = (real) x->x[k];
        in[a] = at - 1; in_x[a] = v;
        out[b] = -at - 1; out_x[b] = v;
        a += at > 0;
        b += at < 0;
    }
    *n_in = a;
    *n_out = b;
}

/* Bytes that the networks' own copies of their entries may take together. */
static const double OWN_BYTES = 256e6;

/* Entries that the net has in all cells: predictors and targets. */
static void count_own(const Net *net, size_t *n_in, size_t *n_out)
{
    const Sparse *x = net->s->x;
    *n_in = *n_out = 0;
    for (int k = 0; k < x->p[x->ncol]; k++) {
        int at = net->map[x->i[k]];
        *n_in += at > 0;
        *n_out += at < 0;
    }
}

static void pick_own(Net *net)
{
    const Sparse *x = net->s->x;
    Rows *in = &net->own_x, *out = &net->own_y;
    for (int c = 0; c < x->ncol; c++) {
        size_t taken, seen;
        di_pick(x, c, net->map, in->i + in->p[c], in->x + in->p[c], &taken, out->i + out->p[c],
                out->x + out->p[c], &seen);
        in->p[c + 1] = in->p[c] + taken;
        out->p[c + 1] = out->p[c] + seen;
    }
}

/* Copies of the networks' entries, if they all fit and zeros have no weight. */
void di_take_own(Arena *a, Net *nets, int n_nets)
{
    const Shared *s = nets->s;
    size_t cells = (size_t) s->x->ncol, in, out;
    double bytes = 0;
    for (int k = 0; k < n_nets; k++) {
        count_own(nets + k, &in, &out);
        bytes += (double) (in + out) * (sizeof(int) + sizeof(real)) + 16.0 * (double) cells;
    }
    if (bytes > OWN_BYTES || s->p->zero_weight > 0) return;
    for (int k = 0; k < n_nets; k++) {
        count_own(nets + k, &in, &out);
        rows_take(a, &nets[k].own_x, cells, in);
        rows_take(a, &nets[k].own_y, cells, out);
        if (a->failed) return;
        pick_own(nets + k);
    }
}

/* ---- the first weights ---- */

/* A layer's weights, uniform between -r and r, r^2 = 6/(inputs + outputs). */
static void glorot(const Net *net, Stream stream, uint64_t part, size_t rows, size_t cols, real *w)
{
    double r = sqrt(6.0 / (double) (rows + cols));
    for (size_t p = 0; p < rows; p++)
        for (size_t j = 0; j < cols; j++)
            w[panel_at(rows, p, j)] =
                (real) (r * (2 * rng_unif(net->s->seed, stream, part | (p * cols + j)) - 1));
}

void di_initialise(Net *net)
{
    const Shared *s = net->s;
    uint64_t part = (uint64_t) net->id << 36;
    glorot(net, RNG_INIT_1, part, (size_t) net->n_in, (size_t) s->units[0], net->cur);
    for (int l = 1; l < s->layers; l++)
        glorot(net, RNG_INIT_3, part | (uint64_t) l << 60, inputs(net, l), (size_t) s->units[l],
               net->cur + weight_at(net, l));
    glorot(net, RNG_INIT_2, part, (size_t) net->n_out, last_units(s),
           net->cur + weight_at(net, s->layers));
}
