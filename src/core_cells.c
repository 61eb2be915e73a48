/* Cells of a fit known again by a fingerprint of their prepared counts. */
#include <string.h>
#include "model.h"

void cell_key(const Sparse *x, int cell, double key[2])
{
    for (int k = 0; k < 2; k++) {
        uint64_t h = k ? 0x9E3779B97F4A7C15u : 0xD1B54A32D192ED03u;
        for (int e = x->p[cell]; e < x->p[cell + 1]; e++) {
            uint64_t bits;
            /* logarithms of two machines may differ in their last bit */
            double v = (float) x->x[e];
            memcpy(&bits, &v, 8);
            h = (h ^ (uint64_t) x->i[e]) * 0xFF51AFD7ED558CCDu;
            h = ((h ^ h >> 33) ^ bits) * 0xC4CEB9FE1A85EC53u;
            h ^= h >> 29;
        }
        key[k] = (double) (h >> 12);
    }
}

/* The cells of x by fingerprint: open addressing, slots hold 1 + cell. The cells of the fit, which
 * may be many more, are streamed past it. */
typedef struct { size_t size; int *slot; const double *key; } Index;

static size_t place(const Index *t, const double *key)
{
    size_t at = (size_t) ((uint64_t) key[0] * 0x9E3779B97F4A7C15u >> 20) & (t->size - 1);
    while (t->slot[at]) {
        const double *there = t->key + 2 * (size_t) (t->slot[at] - 1);
        if (there[0] == key[0] && there[1] == key[1]) break;
        at = (at + 1) & (t->size - 1);
    }
    return at;
}

Status cells_known(Arena *a, const Sparse *x, const double *keys, int n_keys, int *known)
{
    int n = x->ncol;
    Index t = { 1, NULL, NULL };
    while (t.size < 2 * (size_t) n + 2) t.size *= 2;
    t.slot = ARENA(a, int, t.size);
    double *key = ARENA(a, double, 2 * (size_t) n);
    int *next = ARENA(a, int, n);                /* the next cell of x that looks the same */
    if (a->failed) return ST_NOMEM;
    t.key = key;
    for (int c = 0; c < n; c++) {
        known[c] = 0;
        cell_key(x, c, key + 2 * (size_t) c);
        size_t at = place(&t, key + 2 * (size_t) c);
        next[c] = t.slot[at];
        t.slot[at] = c + 1;
    }
    for (int c = 0; c < n_keys; c++)
        for (int k = t.slot[place(&t, keys + 2 * (size_t) c)]; k && !known[k - 1]; k = next[k - 1])
            known[k - 1] = c + 1;
    return ST_OK;
}
