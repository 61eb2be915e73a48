/* A batch of cells through a network of DeepImpute, there and back. */
#include <string.h>
#include "deepimpute.h"

KERNEL_FILE

static void copy_rows(const Rows *own, const int *cells, int n, Rows *to)
{
    for (int r = 0; r < n; r++) {
        size_t from = own->p[cells[r]], count = own->p[cells[r] + 1] - from, at = to->p[r];
        memcpy(to->i + at, own->i + from, count * sizeof *to->i);
        memcpy(to->x + at, own->x + from, count * sizeof *to->x);
        to->p[r + 1] = at + count;
    }
}

/* The entries of these cells; targets that are 0 among them when they have a weight. */
void di_load(Net *net, const int *cells, int n)
{
    Work *w = net->work;
    Rows *in = &w->x, *out = &w->y;
    int all = net->s->p->zero_weight > 0;
    w->n = in->n = out->n = n;
    in->p[0] = out->p[0] = 0;
    if (net->own_x.p) {
        copy_rows(&net->own_x, cells, n, in);
        copy_rows(&net->own_y, cells, n, out);
        return;
    }
    for (int r = 0; r < n; r++) {
        int *i = out->i + out->p[r];
        real *v = out->x + out->p[r];
        size_t seen, taken;
        di_pick(net->s->x, cells[r], net->map, in->i + in->p[r], in->x + in->p[r], &taken,
                all ? w->all_i : i, all ? w->all_x : v, &seen);
        if (all) {
            for (int k = 0; k < net->n_out; k++) { i[k] = k; v[k] = 0; }
            for (size_t k = 0; k < seen; k++) v[w->all_i[k]] = w->all_x[k];
            seen = (size_t) net->n_out;
        }
        in->p[r + 1] = in->p[r] + taken;
        out->p[r + 1] = out->p[r] + seen;
    }
}

/* Panel q of hidden layer l of cells r0..r1-1, without dropout. */
static void hidden(const Net *net, int l, size_t q, int r0, int r1)
{
    const Work *w = net->work;
    real *h = w->h[l] + q * (size_t) w->n * PANEL;
    layer_sparse_in(l ? w->mid + l - 1 : &w->x, NULL, r0, r1,
                    net->cur + weight_at(net, l) + q * inputs(net, l) * PANEL,
                    net->cur + bias_at(net, l) + q * PANEL, h);
    act_relu(h + (size_t) r0 * PANEL, (size_t) (r1 - r0) * PANEL);
}

static void drop(const Net *net, int l, int r0, int r1)
{
    const Work *w = net->work;
    size_t H = (size_t) net->s->units[l], blocks = (H + 3) / 4;
    double rho = net->s->p->dropout;
    uint32_t below = (uint32_t) (rho * 0x1p32), part = (uint32_t) net->id | (uint32_t) l << 28;
    real scale = (real) (1 / (1 - rho));
    for (int r = r0; r < r1; r++) {
        uint32_t *bits = w->bits + (size_t) r * w->bits_row;
        rng_words(net->s->seed, RNG_DROPOUT, part,
                  (uint64_t) net->opt.t << 32 | (uint64_t) r * blocks, bits, H);
        for (size_t q = 0; q * PANEL < H; q++) {
            real *h = w->h[l] + (q * (size_t) w->n + (size_t) r) * PANEL;
            size_t here = H - q * PANEL < PANEL ? H - q * PANEL : PANEL;
            act_drop(h, bits + q * PANEL, below, scale, here);
        }
    }
}

/* Between panels of hidden layer l and a plain list of its units, cell by cell. */
static void listed(const Net *net, int l, int r0, int r1)
{
    const Work *w = net->work;
    size_t H = (size_t) net->s->units[l];
    for (size_t r = (size_t) r0; r < (size_t) r1; r++)
        for (size_t j = 0; j < H; j++)
            w->mid[l].x[r * H + j] = w->h[l][panel_at((size_t) w->n, r, j)];
}

static void unlisted(const Net *net, int l, int r0, int r1)
{
    const Work *w = net->work;
    size_t H = (size_t) net->s->units[l];
    for (size_t r = (size_t) r0; r < (size_t) r1; r++)
        for (size_t j = 0; j < H; j++)
            w->dh[l][panel_at((size_t) w->n, r, j)] = w->mid_dh[l][r * H + j];
}

/* Hidden layers of cells r0..r1-1. */
void di_hidden_layers(const Net *net, int r0, int r1, int learn)
{
    const Shared *s = net->s;
    for (int l = 0; l < s->layers; l++) {
        for (size_t q = 0; q < panels_of(s->units[l]); q++) hidden(net, l, q, r0, r1);
        if (learn && s->p->dropout > 0) drop(net, l, r0, r1);
        if (l + 1 < s->layers) listed(net, l, r0, r1);
    }
}

/* dl/dA of the hidden layers, from dl/dZ. */
static void hidden_back(const Net *net, int r0, int r1)
{
    const Work *w = net->work;
    size_t n = (size_t) w->n, S = (size_t) net->n_out;
    real keep = (real) (1 / (1 - net->s->p->dropout));
    for (int l = net->s->layers - 1; l >= 0; l--) {
        size_t panels = panels_of(net->s->units[l]);
        if (l + 1 == net->s->layers) {
            for (size_t q = 0; q < panels; q++)
                layer_sparse_in(&w->y, w->dz, r0, r1,
                                net->cur + weight_at(net, l + 1) + q * S * PANEL, NULL,
                                w->dh[l] + q * n * PANEL);
        } else {
            size_t H = (size_t) net->s->units[l];
            memset(w->mid_dh[l] + (size_t) r0 * H, 0, (size_t) (r1 - r0) * H * sizeof(real));
            for (size_t q = 0; q < panels_of(net->s->units[l + 1]); q++)
                layer_sampled_out(w->mid + l, r0, r1,
                                  net->cur + weight_at(net, l + 1) + q * H * PANEL,
                                  w->dh[l + 1] + q * n * PANEL, w->mid_dh[l]);
            unlisted(net, l, r0, r1);
        }
        for (size_t q = 0; q < panels; q++) {
            real *dh = w->dh[l] + q * n * PANEL, *h = w->h[l] + q * n * PANEL;
            for (size_t k = (size_t) r0 * PANEL; k < (size_t) r1 * PANEL; k++)
                dh[k] = h[k] > 0 ? dh[k] * keep : 0;
        }
    }
}

void di_output(int kind, real *z, size_t n)
{
    if (kind == OUTPUT_SOFTPLUS) act_softplus(z, n);
    else if (kind == OUTPUT_RELU) act_relu(z, n);
}

static void forward_cells(Net *net, int r0, int r1, int learn)
{
    const DiParams *p = net->s->p;
    Work *w = net->work;
    int L = net->s->layers;
    size_t panels = panels_of((int) last_units(net->s)), S = (size_t) net->n_out, from = w->y.p[r0],
           n = w->y.p[r1] - from;
    const real *b2 = net->cur + bias_at(net, L);
    di_hidden_layers(net, r0, r1, learn);
    real *z = w->z + from;
    memset(z, 0, n * sizeof *z);
    for (size_t q = 0; q < panels; q++)
        layer_sampled_out(&w->y, r0, r1, net->cur + weight_at(net, L) + q * S * PANEL,
                          w->h[L - 1] + q * (size_t) w->n * PANEL, w->z);
    for (size_t k = 0; k < n; k++) z[k] += b2[w->y.i[from + k]];
    di_output(p->output, z, n);
    for (size_t k = 0; k < n; k++) {
        real t = w->y.x[from + k];
        w->w[from + k] = (real) p->zero_weight + (p->weights == WEIGHTS_VALUE ? t : t > 0);
    }
    for (int r = r0; r < r1; r++) {
        size_t at = w->y.p[r];
        w->loss[r] = loss_weighted(w->z + at, w->y.x + at, w->w + at, w->y.p[r + 1] - at,
                                   learn ? w->dz + at : NULL);
    }
    if (!learn) return;
    real scale = (real) (1.0 / ((double) w->n * net->n_out));
    for (size_t k = 0; k < n; k++) w->dz[from + k] *= scale;
    if (p->output == OUTPUT_SOFTPLUS) act_softplus_back(z, w->dz + from, n);
    else if (p->output == OUTPUT_RELU) act_relu_back(z, w->dz + from, n);
    hidden_back(net, r0, r1);
}

Status di_forward(void *self, const int *cells, int n, int learn, Losses *sum)
{
    Net *net = self;
    di_load(net, cells, n);
    if (learn) optim_next(&net->opt);
    PARALLEL_FOR(net->team)
    for (int t = 0; t < net->team; t++) {
        size_t r0, r1;
        share((size_t) n, t, net->team, &r0, &r1);
        if (r0 < r1) forward_cells(net, (int) r0, (int) r1, learn);
    }
    double s = 0;
    for (int r = 0; r < n; r++) s += net->work->loss[r];
    s /= net->n_out;
    if (learn) sum->train += s / net->s->n_learn; else sum->valid += s / net->s->n_held;
    return ST_OK;
}

/* Gradient of rows k0..k1-1 of a layer's weights, and Adam on them, ABREAST rows at once while
 * their sums are in the cache. by_gene: the entries that meet each row. */
enum { ABREAST = 16 };
static void step_rows(Net *net, const Rows *by_gene, const real *val, const real *side,
                      size_t panels, size_t start, size_t rows, int thread)
{
    size_t n = (size_t) net->work->n, k0, k1;
    real sums[ABREAST * PANEL];
    share(rows, thread, net->team, &k0, &k1);
    for (size_t q = 0; q < panels; q++)
        for (size_t k = k0, rows_now; k < k1; k += rows_now) {
            size_t at = start + (q * rows + k) * PANEL;
            rows_now = k1 - k < ABREAST ? k1 - k : ABREAST;
            panel_sums(sums, NULL, side + q * n * PANEL, by_gene->p + k, by_gene->i, val, rows_now);
            optim_step(&net->opt, net->cur + at, sums, net->m + at, net->v + at, net->cur + at,
                       rows_now * PANEL);
        }
}

static void step_biases(Net *net)
{
    const Work *w = net->work;
    const Shared *s = net->s;
    size_t n = (size_t) w->n, at;
    for (int l = 0; l < s->layers; l++)
        for (size_t q = 0; q < panels_of(s->units[l]); q++) {
            const size_t all[2] = { 0, n };
            real sum[PANEL];
            panel_sums(sum, NULL, w->dh[l] + q * n * PANEL, all, w->each, w->one, 1);
            at = bias_at(net, l) + q * PANEL;
            optim_step(&net->opt, net->cur + at, sum, net->m + at, net->v + at, net->cur + at,
                       PANEL);
        }
    memset(net->gb2, 0, (size_t) net->n_out * sizeof *net->gb2);
    for (size_t k = 0; k < w->y.p[n]; k++) net->gb2[w->y.i[k]] += w->dz[k];
    at = bias_at(net, s->layers);
    optim_step(&net->opt, net->cur + at, net->gb2, net->m + at, net->v + at, net->cur + at,
               net->n - at);
}

/* The weights into hidden layer l; its inputs as entries by input. */
static void step_layer(Net *net, int l, const Rows *by_input)
{
    PARALLEL_FOR(net->team)
    for (int t = 0; t < net->team; t++)
        step_rows(net, by_input, by_input->x, net->work->dh[l], panels_of(net->s->units[l]),
                  weight_at(net, l), inputs(net, l), t);
}

void di_update(void *self, int keep)
{
    Net *net = self;
    Work *w = net->work;
    const Shared *s = net->s;
    size_t last = panels_of((int) last_units(s));
    (void) keep;
    rows_transpose(&w->x, net->n_in, &w->xt, w->x_from);
    rows_transpose(&w->y, net->n_out, &w->yt, w->y_from);
    for (size_t k = 0; k < w->yt.p[net->n_out]; k++) w->dz_by_gene[k] = w->dz[w->y_from[k]];
    step_layer(net, 0, &w->xt);
    for (int l = 1; l < s->layers; l++) {
        w->mid[l - 1].n = w->n;
        rows_transpose(w->mid + l - 1, s->units[l - 1], &w->mid_t, w->mid_from);
        step_layer(net, l, &w->mid_t);
    }
    PARALLEL_FOR(net->team)
    for (int t = 0; t < net->team; t++)
        step_rows(net, &w->yt, w->dz_by_gene, w->h[s->layers - 1], last, weight_at(net, s->layers),
                  (size_t) net->n_out, t);
    step_biases(net);
}

void di_keep(void *self)
{
    Net *net = self;
    memcpy(net->kept, net->cur, net->n * sizeof(real));
}

void di_team(void *self, int thread, int n)
{
    Net *net = self;
    net->work = net->s->work + thread;
    net->team = n;
}
