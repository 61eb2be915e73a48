/* AutoImpute: gradients and RMSProp's step, block of cells by block. */
#include <string.h>
#include "autoimpute.h"

/* Add gradient row acc (PANEL values, already summed over this block) to the store, or make the
 * step. */
static void finish_row(Auto *m, size_t at, const real *acc, double decay, int last, real *to)
{
    if (!last) { memcpy(m->grad + at, acc, PANEL * sizeof(real)); return; }
    Optim o = m->opt;
    o.decay = decay;
    optim_step(&o, m->cur + at, acc, m->s + at, NULL, to + at, PANEL);
}

static void start_row(const Auto *m, size_t at, real *acc)
{
    if (m->first) memset(acc, 0, PANEL * sizeof(real));
    else memcpy(acc, m->grad + at, PANEL * sizeof(real));
}

double ai_square(const real *row)
{
    int zero = 0;
    real y = 0;
    panel_dots(&y, row, &zero, 1, row);
    return (double) y;
}

/* Gradients of panel q for genes g0..g1-1, and with last set the step into `to`. */
static void panel_gradient(Auto *m, size_t q, size_t g0, size_t g1, real *slab, real *scratch,
                           int last, real *to)
{
    const Layout *l = &m->b.l;
    const real *h = m->b.h + q * (size_t) m->b.cap * PANEL,
               *dp = m->b.dp + q * (size_t) m->b.cap * PANEL;
    size_t G = l->genes, n = (size_t) m->b.n;
    double decay = m->p->lambda * m->n_batch / m->b.x->ncol;
    if (m->b.dense)
        for (int side = 0; side < 2; side++) {
            real *rows = slab + (size_t) side * G * PANEL;
            for (size_t g = g0; g < g1; g++)
                start_row(m, (side ? l->d : l->e) + q * G * PANEL + g * PANEL, rows + g * PANEL);
            gemm(1, 0, g1 - g0, PANEL, n, (side ? m->b.yd : m->b.xd) + g0, G, side ? h : dp, PANEL,
                 1, rows + g0 * PANEL, PANEL, scratch);
        }
    for (size_t g = g0; g < g1; g++) {
        size_t from = m->by_gene.p[g], count = m->by_gene.p[g + 1] - from;
        for (int side = 0; side < 2; side++) {
            size_t at = (side ? l->d : l->e) + q * G * PANEL + g * PANEL;
            real local[PANEL], *acc = local;
            if (m->b.dense) acc = slab + ((size_t) side * G + g) * PANEL;
            else {
                start_row(m, at, acc);
                panel_gather(acc, side ? h : dp, m->by_gene.i + from,
                             (side ? m->dy_by_gene : m->by_gene.x) + from, count);
            }
            finish_row(m, at, acc, decay, last, to);
        }
        if (last && m->p->lambda > 0)
            m->squares[q * G + g] = ai_square(to + l->e + (q * G + g) * PANEL)
                                    + ai_square(to + l->d + (q * G + g) * PANEL);
    }
    if (g0 > 0) return;
    real acc[PANEL];
    size_t at = l->be + q * PANEL;
    start_row(m, at, acc);
    for (size_t r = 0; r < n; r++)
        for (int j = 0; j < PANEL; j++) acc[j] += dp[r * PANEL + (size_t) j];
    if (!m->p->bias) memset(acc, 0, sizeof acc);
    finish_row(m, at, acc, 0, last, to);
}

/* Everything behind ai_forward_block(): gradients of this block, and the step when it is the last
 * of its batch. */
static void learn_block(Auto *m, int last, real *to)
{
    const Layout *l = &m->b.l;
    ai_backward_block(&m->b, m->cur);
    rows_transpose(&m->b.seen, (int) l->genes, &m->by_gene, m->entry);
    for (size_t k = 0; k < m->by_gene.p[l->genes]; k++) m->dy_by_gene[k] = m->b.y[m->entry[k]];
    /* few panels are cut by genes as well, so that every thread has work; the sums do not know */
    size_t parts = l->panels < 8 * (size_t) m->b.threads ? 8 : 1, tasks = l->panels * parts;
    PARALLEL_FOR(m->b.threads)
    for (int t = 0; t < m->b.threads; t++) {
        size_t k0, k1;
        share(tasks, t, m->b.threads, &k0, &k1);
        for (size_t k = k0; k < k1; k++) {
            size_t g0 = l->genes * (k % parts) / parts, g1 = l->genes * (k % parts + 1) / parts;
            if (g0 < g1)
                panel_gradient(m, k / parts, g0, g1,
                               m->b.dense ? m->slabs + (size_t) t * 2 * l->genes * PANEL : NULL,
                               m->b.dense ? m->b.scratch + (size_t) t * GEMM_SCRATCH : NULL, last,
                               to);
        }
    }
    for (size_t g = 0; g < l->genes; g++) {
        real acc = m->first ? 0 : m->grad[l->bd + g];
        for (size_t k = m->by_gene.p[g]; k < m->by_gene.p[g + 1]; k++) acc += m->dy_by_gene[k];
        if (!m->p->bias) acc = 0;
        size_t at = l->bd + g;
        if (last) optim_step(&m->opt, m->cur + at, &acc, m->s + at, NULL, to + at, 1);
        else m->grad[at] = acc;
    }
    m->first = 0;
}

Status ai_forward(void *self, const int *cells, int n, int learn, Losses *sum)
{
    Auto *m = self;
    m->first = 1;
    m->n_batch = n;
    for (int c = 0; c < n; c += m->b.cap) {
        int last = c + m->b.cap >= n;
        ai_load_block(&m->b, cells + c, last ? n - c : m->b.cap);
        ai_forward_block(&m->b, m->cur);
        for (int r = 0; r < m->b.n; r++) {
            sum->train += m->b.sse[r];
            sum->valid += m->b.sse_held[r];
        }
        if (learn && !last) learn_block(m, 0, NULL);
        tick_idle(m->f->tick);
    }
    double squares = 0;
    for (size_t k = 0; k < m->b.l.genes * m->b.l.panels; k++) squares += m->squares[k];
    sum->penalty += 0.5 * m->p->lambda * squares * n / m->b.x->ncol;
    return ST_OK;
}

void ai_update(void *self, int keep)
{
    Auto *m = self;
    /* the best weights stay where they are, the step goes beside them */
    real *to = keep ? m->spare : m->cur;
    learn_block(m, 1, to);
    if (keep) { m->spare = m->cur; m->cur = to; }
}

void ai_keep(void *self)
{
    Auto *m = self;
    memcpy(m->spare, m->cur, m->b.l.n * sizeof(real));
}
