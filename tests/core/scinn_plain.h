/* scinn_plain.h: scINN's module two in loops. */
#ifndef INFILL_SCINN_PLAIN_H
#define INFILL_SCINN_PLAIN_H
#include "fitting.h"
#include "scinn.h"

enum { Z = SCINN_Z };

static inline Setup scinn(int cells, int clusters, int latent, int hidden, int batch, int epochs)
{
    Setup s = { .m = model_find("scinn") };
    if (!s.m) exit(2);
    int *label = NEW(int, cells);
    double *given = NEW(double, cells * latent);
    for (int c = 0; c < cells; c++) {
        double mean = 0, ss = 0, *u = given + c * latent;
        label[c] = c < clusters ? c : below(clusters);
        for (int l = 0; l < latent; l++) { u[l] = between(-1, 1); mean += u[l] / latent; }
        for (int l = 0; l < latent; l++) { u[l] -= mean; ss += u[l] * u[l]; }
        for (int l = 0; l < latent; l++) u[l] /= sqrt(ss);
    }
    plan_int(&s, "cells", cells);
    plan_int(&s, "clusters", clusters);
    plan_int(&s, "latent", latent);
    plan_int(&s, "hidden", hidden);
    plan_int(&s, "batch", batch);
    plan_int(&s, "iterations", epochs);
    plan_ints(&s, "labels", cells, label);
    plan_reals(&s, "units", cells * latent, given);
    set(&s, "learning.rate", 1e-3);
    set(&s, "weight.decay", 1e-3);
    set(&s, "cluster.weight", 1);
    set(&s, "similarity.weight", 1);
    set(&s, "reconstruction.weight", 0.1);
    set(&s, "zero.weight", 0.01);
    set(&s, "drop", 0.2);
    set(&s, "valid.fraction", 0);
    set_word(&s, "predictor", "mlp");
    set_word(&s, "cluster.loss", "softmax.bce");
    set(&s, "patience", 10);
    return s;
}
static inline const int *labels_of(Setup *s)
{
    return ((Ints *) (void *) planned(s, "labels"))->at;
}
static inline const double *units_of(Setup *s)
{
    return ((Reals *) (void *) planned(s, "units"))->at;
}
static inline size_t hidden_of(Setup *s)
{
    return (size_t) *(int *) (void *) planned(s, "hidden");
}

/* ---- the model once more, in loops, in double, in the natural layout ---- */
typedef struct {
    size_t G, n, h, K, L;
    int linear, kind;
    const double *x, *given;             /* genes x cells */
    const int *label;
    char *keep, *held;                   /* genes x cells: seen by f_I; for validation */
    double lc, ls, lr, l0, drop;
} Plain;

static inline double selu(double z)
{
    return 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * expm1(z));
}

/* The parts of the loss; R (may be NULL): genes x cells */
static inline double plain(const Plain *p, const double *w, double part[4], double *R)
{
    size_t G = p->G, n = p->n, h = p->h, J = p->linear ? Z : 64;
    const double *W1 = w, *b1 = W1 + G * h, *W2 = b1 + h, *b2 = W2 + h * G, *W3 = b2 + G,
                 *b3 = W3 + G * J, *W4 = b3 + J, *b4 = W4 + (p->linear ? 0 : 64 * Z),
                 *W5 = b4 + (p->linear ? 0 : Z), *b5 = W5 + Z * p->K;
    double *z = NEW(double, n *Z), v = 0, nv = 0, nw = 0, n0 = 0, *H1 = NEW(double, h),
           *A3 = NEW(double, J);
    memset(part, 0, 4 * sizeof *part);
    for (size_t g = 0; g < G; g++) {
        double mean = 0, count = 0;
        for (size_t c = 0; c < n; c++)
            if (p->x[c * G + g] != 0 && !p->held[c * G + g]) {
                mean += p->x[c * G + g];
                count++;
            }
        for (size_t c = 0; c < n; c++)
            if (p->x[c * G + g] != 0 && !p->held[c * G + g]) {
                v += pow(p->x[c * G + g] - mean / count, 2);
                nv++;
            }
    }
    v = v > 0 ? v / nv : 1;
    for (size_t c = 0; c < n; c++) {
        const double *x = p->x + c * G;
        for (size_t j = 0; j < h; j++) {
            H1[j] = b1[j];
            for (size_t g = 0; g < G; g++)
                if (x[g] != 0 && p->keep[c * G + g]) H1[j] += x[g] / (1 - p->drop) * W1[j * G + g];
            H1[j] = selu(H1[j]);
        }
        for (size_t k = 0; k < J; k++) A3[k] = b3[k];
        for (size_t g = 0; g < G; g++) {
            double r = b2[g];
            for (size_t j = 0; j < h; j++) r += H1[j] * W2[g * h + j];
            if (r < 0) r = 0;
            if (R) R[c * G + g] = r;
            if (x[g] != 0 && !p->held[c * G + g]) { part[2] += (r - x[g]) * (r - x[g]); nw++; }
            if (x[g] == 0) { part[3] += r * r; n0++; }
            double xi = x[g] != 0 && p->keep[c * G + g] ? x[g] : r;
            for (size_t k = 0; k < J; k++) A3[k] += xi * W3[k * G + g];
        }
        for (size_t l = 0; l < Z; l++) {
            z[c * Z + l] = p->linear ? A3[l] : b4[l];
            for (size_t k = 0; k < J && !p->linear; k++)
                z[c * Z + l] += selu(A3[k]) * W4[l * 64 + k];
        }
    }
    part[2] = nw > 0 ? part[2] / (v * nw) : 0;
    part[3] = n0 > 0 ? part[3] / (v * n0) : 0;
    for (size_t c = 0; c < n && p->K > 1; c++) {
        double *a = NEW(double, p->K), sum = 0;
        for (size_t k = 0; k < p->K; k++) {
            a[k] = b5[k];
            for (size_t l = 0; l < Z; l++) a[k] += z[c * Z + l] * W5[k * Z + l];
            sum += exp(a[k]);
        }
        for (size_t k = 0; k < p->K; k++) {
            double q = p->kind == 1 ? 1 / (1 + exp(-a[k])) : exp(a[k]) / sum;
            int is = (int) k == p->label[c];
            if (p->kind == 2) part[0] -= is ? log(q) / (double) n : 0;
            else part[0] -= log(is ? q : 1 - q) / (double) (n * p->K);
        }
    }
    for (size_t c = 0; c < n; c++) {
        double mean = 0, ss = 1e-8;
        for (size_t l = 0; l < Z; l++) mean += z[c * Z + l] / Z;
        for (size_t l = 0; l < Z; l++) { z[c * Z + l] -= mean; ss += z[c * Z + l] * z[c * Z + l]; }
        for (size_t l = 0; l < Z; l++) z[c * Z + l] /= sqrt(ss);
    }
    for (size_t c = 0; c < n; c++)
        for (size_t d = 0; d < n; d++) {
            double e = 0;
            for (size_t l = 0; l < Z; l++) e += z[c * Z + l] * z[d * Z + l];
            for (size_t l = 0; l < p->L; l++) e -= p->given[c * p->L + l] * p->given[d * p->L + l];
            if (c != d) part[1] += e * e / (double) (n * n);
        }
    return p->lc * part[0] + p->ls * part[1] + p->lr * part[2] + p->l0 * part[3];
}
#endif
