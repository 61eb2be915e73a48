/* Block updates of X = D1 ... DN Z': majorise, solve for the increment, search along it.
 *
 * For factor k with A = F1...F(k-1), C = F(k+1)...: minimise |E - A Delta C|^2 + lambda |F +
 * Delta|^2, E = W o (Y - X), by
 *   (A'A) Delta (CC') + lambda Delta = A'EC' - lambda F
 *   Delta = P [(P'RQ)/(a c + lambda)] Q'   (eigen of A'A and CC')
 * Increments, not the factor itself: with narrowing ranks CC' of the first block is always
 * singular, and the least-norm factor would lose what it cannot see now but needs later. What has a
 * c = 0 (the null part) does not change X: with lambda > 0 it is removed from the factor in full
 * before the search. E = S - w0 X with S on the entries of Y only, so every pass costs the entries
 * times r[N]. The step along Delta is 1 (MF_PLAIN), or the exact minimum, one per gene in the first
 * and per cell in the last block (MF_EXACT), or one per block (MF_EXACT_BLOCK); it is never below
 * 1, but for factors that must not be negative: there it is what keeps them so. Majorisation: Wen,
 * Yin, Zhang, Math. Prog. Comp. 4:333 (2012); the model: Mongia, Sengupta, Majumdar (2020).
 */
#include <math.h>
#include <string.h>
#include "mf_parts.h"

KERNEL_FILE

void mf_take_left(Arena *a, Mf *d)
{
    d->R = (rank_of(d) + 3) / 4 * 4;
    size_t w = wide_of(d), R = (size_t) d->R, side = w > R ? w : R;
    for (int k = 0; k < d->N; k++) d->F[k] = ARENA(a, double, rows_of(d, k) * rows_of(d, k + 1));
    d->Z = ARENA(a, double, (size_t) d->y->ncol * R);
    d->L = ARENA(a, double, rows_of(d, 0) * R);
    d->LL = ARENA(a, double, R * R);
    for (int k = 0; k < 14; k++) d->small[k] = ARENA(a, double, side * side);
    for (int k = 0; k < 2; k++) d->eigen[k] = ARENA(a, double, side);
    d->la = la_take(a, (int) side, d->tick);
}

void mf_take(Arena *a, Mf *d)
{
    mf_take_left(a, d);
    size_t m = rows_of(d, 0), n = (size_t) d->y->ncol, w = wide_of(d), R = (size_t) d->R;
    d->T = ARENA(a, double, m * R);
    d->Q = ARENA(a, double, m * R);
    for (int k = 0; k < 3; k++) d->wide[k] = ARENA(a, double, m * w);
    d->ZZ = ARENA(a, double, R * R);
    d->along = ARENA(a, Along, m);
    d->cell = ARENA(a, double, 6 * R * (size_t) d->threads);
    d->longest = sparse_longest(d->y);
    d->x = ARENA(a, double, ((size_t) d->longest + 1) * (size_t) d->threads);
    d->q = ARENA(a, double, ((size_t) d->longest + 1) * (size_t) d->threads);
    d->deltas = d->step == MF_EXACT_BLOCK ? ARENA(a, double, n * R) : NULL;
    size_t room = m * R + R * R + 2 * m + 8;
    d->sum = ARENA(a, double, room);
    chunks_take(a, &d->chunks, d->y, room, d->threads, d->tick);
}

void mf_rebalance(Mf *d)
{
    double norm[MF_LAYERS + 1], mean = 0;
    for (int k = 0; k <= d->N; k++) {
        norm[k] = sqrt(mf_factor_norm2(d, k));
        if (!(norm[k] > 0)) return;
        mean += log(norm[k]) / (d->N + 1);
    }
    for (int k = 0; k < d->N; k++) {
        double s = exp(mean) / norm[k];
        for (size_t j = 0; j < rows_of(d, k) * rows_of(d, k + 1); j++) d->F[k][j] *= s;
    }
    double s = exp(mean) / norm[d->N];
    for (size_t j = 0; j < (size_t) d->y->ncol * (size_t) d->R; j++) d->Z[j] *= s;
    for (size_t j = 0; j < rows_of(d, 0) * (size_t) d->R; j++) d->T[j] *= s;
    for (int j = 0; j < d->R * d->R; j++) d->ZZ[j] *= s * s;
    mf_left(d);
}

Status mf_block(Mf *d, int k) { return k < d->N ? mf_block_gene(d, k) : mf_block_cell(d); }

/* ---- all factors as one vector ---- */

size_t mf_state(const Mf *d)
{
    size_t n = (size_t) d->y->ncol * (size_t) d->R;
    for (int k = 0; k < d->N; k++) n += rows_of(d, k) * rows_of(d, k + 1);
    return n;
}

void mf_save(const Mf *d, double *to)
{
    for (int k = 0; k < d->N; k++) {
        size_t n = rows_of(d, k) * rows_of(d, k + 1);
        memcpy(to, d->F[k], n * sizeof *to);
        to += n;
    }
    memcpy(to, d->Z, (size_t) d->y->ncol * (size_t) d->R * sizeof *to);
}

void mf_load(Mf *d, const double *from)
{
    for (int k = 0; k < d->N; k++) {
        size_t n = rows_of(d, k) * rows_of(d, k + 1);
        memcpy(d->F[k], from, n * sizeof *from);
        from += n;
    }
    memcpy(d->Z, from, (size_t) d->y->ncol * (size_t) d->R * sizeof *from);
}
