/* GraphSCI: what all its parts use: shares of the work, sums in fixed shares, steps, held-out
 * entries. */
#include <string.h>
#include "graphsci_net.h"

KERNEL_FILE

const int gs_head_u[3] = { UM, UT, UP }, gs_head_g[3] = { GM, GT, GP },
          gs_head_b[3] = { BM, BT, BP };

int gs_is_held(const Net *n, size_t block, size_t cell, uint32_t bits[GENES])
{
    if (n->p->valid_fraction <= 0) return 0;
    rng_words(n->seed, RNG_HOLD_OUT, 0, (block * (size_t) n->M + cell) * (GENES / 4), bits, GENES);
    return 1;
}

uint32_t gs_held_below(const Net *n) { return n->held_below; }

enum { WAVES = 4 };                             /* a tick behind each */

void gs_each(Net *n, size_t things, void (*work)(Net *, size_t from, size_t to, Room *))
{
    for (int wave = 0; wave < WAVES; wave++) {
        size_t first, last;
        share(things, wave, WAVES, &first, &last);
        PARALLEL_FOR(n->T)
        for (int t = 0; t < n->T; t++) {
            size_t from, to;
            share(last - first, t, n->T, &from, &to);
            if (from < to) work(n, first + from, first + to, n->room + t);
        }
        tick_idle(n->tick);
    }
}

void gs_add_parts(real *sum, const real *parts, size_t stride, size_t len)
{
    memset(sum, 0, len * sizeof(real));
    for (size_t k = 0; k < CHUNKS; k++)
        for (size_t j = 0; j < len; j++) sum[j] += parts[k * stride + j];
}

double gs_squares(const real *x, size_t n)
{
    double s[8] = { 0 };
    for (size_t k = 0; k + 8 <= n; k += 8)
        for (size_t j = 0; j < 8; j++) s[j] += (double) x[k + j] * (double) x[k + j];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

void gs_step(const Net *n, const Optim *o, size_t at, const real *g, size_t len)
{
    optim_step(o, n->w + at, g, n->m + at, n->v + at, n->w + at, len);
}
