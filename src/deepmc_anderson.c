/* deepMc: Anderson's mixing of the last sweeps. */
#include <string.h>
#include "deepmc.h"

void mc_take_anderson(Arena *a, Anderson *w, size_t n)
{
    w->n = n;
    w->la = la_take(a, PAIRS, (Tick) { NULL, NULL });        /* so small that it never ticks */
    w->f = ARENA(a, double, n); w->g = ARENA(a, double, n); w->r = ARENA(a, double, n);
    w->last_g = ARENA(a, double, n); w->last_r = ARENA(a, double, n);
    for (int k = 0; k < PAIRS; k++) {
        w->dg[k] = ARENA(a, double, n);
        w->dr[k] = ARENA(a, double, n);
    }
}

/* gamma = (dr'dr + 1e-10 trace)^-1 dr'r */
static Status mixing(Anderson *w, double *gamma)
{
    int n = w->pairs;
    double A[PAIRS * PAIRS], right[PAIRS], value[PAIRS], v[PAIRS * PAIRS], trace = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) A[i * n + j] = mf_dot(w->dr[i], w->dr[j], w->n);
        right[i] = mf_dot(w->dr[i], w->r, w->n);
        gamma[i] = 0;
        trace += A[i * n + i];
    }
    Status st = la_eigen(&w->la, n, n, A, value, v);
    for (int k = 0; k < n && !st; k++) {
        double l = value[k] + 1e-10 * trace,
               s = l > 0 ? mf_dot(v + k * n, right, (size_t) n) / l : 0;
        for (int i = 0; i < n; i++) gamma[i] += s * v[k * n + i];
    }
    return st;
}

Status mc_accelerate(Anderson *w, Mf *d, double now)
{
    mf_save(d, w->g);
    for (size_t k = 0; k < w->n; k++) w->r[k] = w->g[k] - w->f[k];
    if (w->started) {
        /* the oldest place becomes the newest */
        double *g = w->dg[PAIRS - 1], *r = w->dr[PAIRS - 1];
        if (w->pairs < PAIRS) w->pairs++;
        for (int k = PAIRS - 1; k > 0; k--) { w->dg[k] = w->dg[k - 1]; w->dr[k] = w->dr[k - 1]; }
        w->dg[0] = g; w->dr[0] = r;
        for (size_t k = 0; k < w->n; k++) {
            g[k] = w->g[k] - w->last_g[k];
            r[k] = w->r[k] - w->last_r[k];
        }
    }
    memcpy(w->last_g, w->g, w->n * sizeof *w->g);
    memcpy(w->last_r, w->r, w->n * sizeof *w->r);
    w->started = 1;
    if (!w->pairs) return ST_OK;
    double gamma[PAIRS];
    Status st = mixing(w, gamma);
    if (st) return st;
    double *candidate = w->f;  /* f is taken anew before the next sweep */
    for (size_t k = 0; k < w->n; k++) {
        double v = w->g[k];
        for (int j = 0; j < w->pairs; j++) v -= gamma[j] * w->dg[j][k];
        candidate[k] = d->nonneg && v < 0 ? 0 : v;
    }
    mf_load(d, candidate);
    mf_measure(d);
    if (mf_data(d) + mf_ridge(d) <= now) return ST_OK;
    w->pairs = w->started = 0;
    mf_load(d, w->g);
    mf_measure(d);
    return ST_OK;
}
