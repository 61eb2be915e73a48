/* autoimpute_plain.h: AutoImpute in loops. */
#ifndef INFILL_AUTOIMPUTE_PLAIN_H
#define INFILL_AUTOIMPUTE_PLAIN_H
#include "fitting.h"

/* ---- the model once more, in loops, in double, in the natural layout: E, D, b_e, b_d ---- */
typedef struct {
    size_t G, M, h;
    const double *x;                     /* genes x cells */
    char *role;                          /* of each entry: 0 not there, 1 seen, 2 held out */
    double lr, lambda;
    double *w, *s;                       /* weights, RMSProp's state */
} Plain;

static inline size_t n_weights(const Plain *p) { return 2 * p->G * p->h + p->h + p->G; }

static inline void plain_cell(const Plain *p, const double *w, size_t c, double *hidden, double *y)
{
    size_t G = p->G, h = p->h;
    for (size_t k = 0; k < h; k++) {
        double z = w[2 * G * h + k];
        for (size_t g = 0; g < G; g++)
            if (p->role[c * G + g] == 1) z += w[g + k * G] * p->x[c * G + g];
        hidden[k] = 1 / (1 + exp(-z));
    }
    for (size_t g = 0; g < G; g++) {
        y[g] = w[2 * G * h + h + g];
        for (size_t k = 0; k < h; k++) y[g] += w[G * h + k + g * h] * hidden[k];
    }
}

static inline double plain_loss(const Plain *p, const double *w, const int *cells, int n, char role)
{
    double *hidden = NEW(double, p->h), *y = NEW(double, p->G), sum = 0;
    for (int k = 0; k < n; k++) {
        size_t c = (size_t) cells[k];
        plain_cell(p, w, c, hidden, y);
        for (size_t g = 0; g < p->G; g++)
            if (p->role[c * p->G + g] == role)
                sum += (y[g] - p->x[c * p->G + g]) * (y[g] - p->x[c * p->G + g]);
    }
    return sum;
}

static inline double plain_penalty(const Plain *p, const double *w)
{
    double sum = 0;
    for (size_t k = 0; k < 2 * p->G * p->h; k++) sum += w[k] * w[k];
    return p->lambda / 2 * sum;
}

static inline void plain_gradient(const Plain *p, const int *cells, int n, double *grad)
{
    size_t G = p->G, h = p->h;
    double *hidden = NEW(double, h), *y = NEW(double, G);
    memset(grad, 0, n_weights(p) * sizeof *grad);
    for (int k = 0; k < n; k++) {
        size_t c = (size_t) cells[k];
        plain_cell(p, p->w, c, hidden, y);
        for (size_t g = 0; g < G; g++)
            y[g] = p->role[c * G + g] == 1 ? 2 * (y[g] - p->x[c * G + g]) : 0;
        for (size_t j = 0; j < h; j++) {
            double dp = 0;
            for (size_t g = 0; g < G; g++) {
                grad[G * h + j + g * h] += hidden[j] * y[g];
                dp += p->w[G * h + j + g * h] * y[g];
            }
            dp *= hidden[j] * (1 - hidden[j]);
            for (size_t g = 0; g < G; g++)
                if (p->role[c * G + g] == 1) grad[g + j * G] += p->x[c * G + g] * dp;
            grad[2 * G * h + j] += dp;
        }
        for (size_t g = 0; g < G; g++) grad[2 * G * h + h + g] += y[g];
    }
    for (size_t k = 0; k < 2 * G * h; k++) grad[k] += p->lambda * n / (double) p->M * p->w[k];
}

static inline void plain_step(Plain *p, const int *cells, int n)
{
    double *g = NEW(double, n_weights(p));
    plain_gradient(p, cells, n, g);
    for (size_t k = 0; k < n_weights(p); k++) {
        p->s[k] = 0.9 * p->s[k] + 0.1 * g[k] * g[k];
        p->w[k] -= p->lr * g[k] / sqrt(p->s[k] + 1e-10);
    }
}

/* ---- a fit from given weights: one iteration behind a history of one ---- */
typedef struct { double loss, train, *w, *s; } Step;

static inline Step step_from(Setup s, Sparse x, const double *w, const double *state)
{
    size_t n = model_weights(s.m, s.params, x.nrow, NULL);
    set(&s, "max.iter", 2);
    set_word(&s, "stop", "paper");
    Fit f = new_fit(&s, x);
    f.h->done = 1;
    f.h->train[0] = -1;
    memcpy(f.weights, w, n * sizeof *w);
    memcpy(f.state, w, n * sizeof *w);
    for (size_t k = 0; k < n; k++) f.state[n + k] = state ? state[k] : 1;
    CHECK(go(&s, &f) == ST_OK && f.h->n_iter == 2);
    SAME_BITS(f.weights, f.state, n);
    return (Step) { f.h->train[1] + f.h->penalty[1], f.h->train[1], f.state, f.state + n };
}

static inline double *random_weights(int genes, int hidden)
{
    size_t n = 2 * (size_t) genes * (size_t) hidden + (size_t) hidden + (size_t) genes;
    double *w = NEW(double, n);
    for (size_t k = 0; k < n; k++) w[k] = (double) (real) between(-0.5, 0.5);
    return w;
}
#endif
