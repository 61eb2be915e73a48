/* Splat, the simulator of Zappia, Phipson and Oshlack, Genome Biology 18:174 (2017): a gamma mean for each gene, a
 * log-normal size for each cell, factors of groups, a gamma rate for each entry, its Poisson count, and dropout. Every
 * gene, cell and entry draws from a substream of its own. */
#include <math.h>
#include <stdlib.h>
#include "core.h"

KERNEL_FILE

Draws draws_of(uint64_t seed, Stream stream, uint32_t part, uint32_t item)
{
    return (Draws) { seed, stream, part, (uint64_t) item << 32, { 0, 0 }, 0 };
}

double draw_unif(Draws *d)
{
    if (!d->left) {
        rng_pair(d->seed, d->stream, d->part, d->position++, d->u);
        d->left = 2;
    }
    return d->u[--d->left];
}

double draw_normal(Draws *d)
{
    double u = draw_unif(d);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * draw_unif(d));
}

/* Marsaglia and Tsang 2000: a (1 + cz)^3, accepted against the normal z. log((1 + cz)^3) and what is taken from it are
 * written as small differences, or they would drown in rounding where the shape is huge. */
double draw_gamma(Draws *d, double shape)
{
    double boost = shape < 1 ? exp(log(draw_unif(d)) / shape) : 1;
    double a = (shape < 1 ? shape + 1 : shape) - 1 / 3.0, c = 1 / sqrt(9 * a);
    for (;;) {
        double z = draw_normal(d), t = c * z, u;
        if (t <= -1) continue;
        u = draw_unif(d);
        if (u < 1 - 0.0331 * z * z * z * z                             /* their squeeze: mostly no logarithm */
            || log(u) < 0.5 * z * z + a * (3 * (log1p(t) - t) - t * t * (3 + t)))
            return boost * a * (1 + t) * (1 + t) * (1 + t);
    }
}

/* log of the Poisson probability of k = 0, 1, ... by Stirling's series; what is near k log(k) is never formed */
static double log_poisson(double k, double mean)
{
    if (k < 8) {
        double f = 1;
        for (int j = 2; j <= (int) k; j++) f *= j;
        return k * log(mean) - mean - log(f);
    }
    double e = (mean - k) / k, r = 1 / (k * k);
    double series = (1 - r * (1 / 30.0 - r * (1 / 105.0 - r * (1 / 140.0 - r / 99)))) / (12 * k);
    return k * (log1p(e) - e) - 0.5 * log(6.283185307179586 * k) - series;
}

/* By inversion below 10, else by transformed rejection with squeeze (PTRS, Hormann 1993). */
double draw_poisson(Draws *d, double mean)
{
    if (mean < 10) {
        double u = draw_unif(d), p = exp(-mean);
        int k = 0;
        while (u > p && k < 100) { u -= p; p *= mean / ++k; }          /* a hundred has probability 1e-61 */
        return k;
    }
    double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b, over = 1.1239 + 1.1328 / (b - 3.4);
    for (;;) {
        double u = draw_unif(d) - 0.5, v = draw_unif(d), s = 0.5 - fabs(u);
        double k = floor((2 * a / s + b) * u + mean + 0.43);
        if (s >= 0.07 && v <= 0.9277 - 3.6224 / (b - 2)) return k;
        if (k < 0 || (s < 0.013 && v > s)) continue;
        if (log(v * over / (a / (s * s) + b)) <= log_poisson(k, mean)) return k;
    }
}

static double log_normal(Draws *d, double location, double scale) { return exp(location + scale * draw_normal(d)); }

/* What a gene or a cell draws is told apart by `part`; group k's factors are DE + k. */
enum { MEAN, OUTLIER, BCV, SIZE, GROUP, DE };
static Draws own(const Simulated *s, uint32_t what, int item)
{
    return draws_of(s->seed, RNG_SIMULATE, what, (uint32_t) item);
}

static int rising(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

/* share: genes x groups, what part of a cell's size each gene has; chi: per gene, what its squared dispersion is multiplied by */
static void genes(const Splat *p, Simulated *s, double *room, double *share, double *chi)
{
    size_t G = (size_t) s->genes;
    for (int g = 0; g < s->genes; g++) {
        Draws m = own(s, MEAN, g), b = own(s, BCV, g);
        s->mean[g] = room[g] = draw_gamma(&m, p->mean_shape) / p->mean_rate;
        chi[g] = isfinite(p->bcv_df) ? p->bcv_df / 2 / draw_gamma(&b, p->bcv_df / 2) : 1;
    }
    qsort(room, G, sizeof *room, rising);
    double median = (room[(G - 1) / 2] + room[G / 2]) / 2;
    for (int g = 0; g < s->genes; g++) {
        Draws d = own(s, OUTLIER, g);
        s->outlier[g] = draw_unif(&d) < p->outlier_prob ? log_normal(&d, p->outlier_location, p->outlier_scale) : 1;
        if (s->outlier[g] != 1) s->mean[g] = median * s->outlier[g];
    }
    for (int k = 0; k < s->groups; k++) {
        double sum = 0, *de = s->de + (size_t) k * G, *part = share + (size_t) k * G;
        for (size_t g = 0; g < G; g++) {
            Draws d = own(s, DE + (uint32_t) k, (int) g);
            de[g] = 1;
            if (draw_unif(&d) < p->de_prob) {
                double up = exp(fabs(p->de_location + p->de_scale * draw_normal(&d)));
                de[g] = draw_unif(&d) < 0.5 ? 1 / up : up;
            }
            sum += part[g] = s->mean[g] * de[g];
        }
        for (size_t g = 0; g < G; g++) part[g] = sum > 0 ? part[g] / sum : 0;
    }
}

static void cell(const Splat *p, Simulated *s, int c)
{
    Draws d = own(s, SIZE, c), e = own(s, GROUP, c);
    double u = draw_unif(&e);
    s->size[c] = log_normal(&d, p->lib_location, p->lib_scale);
    int last = s->groups - 1;
    while (last > 0 && s->group_prob[last] == 0) last--;       /* where rounding leaves u above the sum */
    for (s->group[c] = 0; s->group[c] < last && u >= s->group_prob[s->group[c]]; s->group[c]++)
        u -= s->group_prob[s->group[c]];
}

/* out[g]: the count, negative where dropout takes it away. The rate is gamma of mean mu and of shape 1/bcv^2, with
 * bcv^2 = (common + mu^-1/2)^2 chi: written so that no mu is too small. */
static void counts(const Splat *p, const Simulated *s, const double *share, const double *chi, int c, double *out)
{
    const double *part = share + (size_t) s->group[c] * (size_t) s->genes;
    double *rate = s->rate ? s->rate + (size_t) c * (size_t) s->genes : NULL;
    for (int g = 0; g < s->genes; g++) {
        Draws d = draws_of(s->seed, RNG_SIMULATE_ENTRY, (uint32_t) c, (uint32_t) g);
        double mu = s->size[c] * part[g], trend = p->bcv_common * sqrt(mu) + 1, scale = trend * trend * chi[g];
        double r = mu > 0 ? draw_gamma(&d, mu / scale) * scale : 0, n = r > 0 ? draw_poisson(&d, r) : 0;
        if (rate) rate[g] = r;
        out[g] = n > 0 && draw_unif(&d) < 1 / (1 + exp(-p->dropout_shape * (log(r) - p->dropout_mid))) ? -n : n;
    }
}

/* The counts of some cells without their zeros, and the offsets behind them. */
static Status pack(Arena *a, Simulated *s, const double *dense, int from, int cells, Entries *e)
{
    size_t G = (size_t) s->genes, n = 0, kept = 0;
    for (int c = 0; c < cells; c++) {
        for (size_t g = 0; g < G; g++) {
            n += dense[(size_t) c * G + g] != 0;
            kept += dense[(size_t) c * G + g] > 0;
        }
        if (n > (size_t) (INT32_MAX - s->true_p[from])) return ST_SHAPE;
        s->true_p[from + c + 1] = s->true_p[from] + (int) n;
        s->count_p[from + c + 1] = s->count_p[from] + (int) kept;
    }
    *e = (Entries) { 0, ARENA(a, int, n), ARENA(a, double, n) };
    if (a->failed) return ST_NOMEM;
    for (int c = 0; c < cells; c++)
        for (size_t g = 0; g < G; g++)
            if (dense[(size_t) c * G + g] != 0) {
                e->i[e->n] = (int) g;
                e->x[e->n++] = dense[(size_t) c * G + g];
            }
    return ST_OK;
}

Status splat_draw(Arena *a, const Splat *p, Simulated *s, Tick tick)
{
    static const Progress idle = { 0, 0, 0, 0, 0 };
    size_t G = (size_t) s->genes;
    int step = s->threads + (1 << 18) / s->genes;            /* cells that are dense at a time: some megabytes */
    if (step > s->cells) step = s->cells;
    s->blocks = 0;
    s->block = ARENA(a, Entries, s->cells / step + 1);
    double *share = ARENA(a, double, G * (size_t) s->groups), *chi = ARENA(a, double, G), *room = ARENA(a, double, G);
    double *dense = ARENA(a, double, G * (size_t) step);
    if (a->failed) return ST_NOMEM;
    genes(p, s, room, share, chi);
    s->true_p[0] = s->count_p[0] = 0;
    for (int from = 0; from < s->cells; from += step) {
        int n = s->cells - from < step ? s->cells - from : step;
        PARALLEL_FOR(s->threads)
        for (int c = 0; c < n; c++) {
            cell(p, s, from + c);
            counts(p, s, share, chi, from + c, dense + (size_t) c * G);
        }
        Status st = pack(a, s, dense, from, n, s->block + s->blocks++);
        if (st != ST_OK) return st;
        tick.call(tick.ctx, &idle);
    }
    return ST_OK;
}

void splat_take(const Simulated *s, int after, int *i, double *x)
{
    for (int b = 0; b < s->blocks; b++)
        for (size_t k = 0; k < s->block[b].n; k++) {
            double v = s->block[b].x[k];
            if (after && v < 0) continue;
            *i++ = s->block[b].i[k];
            *x++ = fabs(v);
        }
}
