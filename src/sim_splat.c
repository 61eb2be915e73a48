/* Splat, the simulator of Zappia, Phipson and Oshlack, Genome Biology 18:174 (2017): a gamma mean
 * for each gene, a log-normal size for each cell, factors of groups, a gamma rate for each entry,
 * its Poisson count, and dropout. Every gene, cell and entry draws from a substream of its own. */
#include <math.h>
#include "sim.h"

KERNEL_FILE

static double log_normal(Draws *d, double location, double scale)
{
    return exp(location + scale * draw_normal(d));
}

/* What a gene or a cell draws is told apart by `part`; group k's factors are DE + k. */
enum { MEAN, OUTLIER, BCV, SIZE, GROUP, DE };
static Draws own(const Simulated *s, uint32_t what, int item)
{
    return draws_of(s->seed, RNG_SIMULATE, what, (uint32_t) item);
}

/* share: genes x groups, what part of a cell's size each gene has; chi: per gene, what its squared
 * dispersion is multiplied by */
static void genes(const Splat *p, Simulated *s, double *room, double *share, double *chi)
{
    size_t G = (size_t) s->genes;
    for (int g = 0; g < s->genes; g++) {
        Draws m = own(s, MEAN, g), b = own(s, BCV, g);
        s->mean[g] = room[g] = draw_gamma(&m, p->mean_shape) / p->mean_rate;
        chi[g] = isfinite(p->bcv_df) ? p->bcv_df / 2 / draw_gamma(&b, p->bcv_df / 2) : 1;
    }
    sort_values(room, G);
    double median = (room[(G - 1) / 2] + room[G / 2]) / 2;
    for (int g = 0; g < s->genes; g++) {
        Draws d = own(s, OUTLIER, g);
        s->outlier[g] = draw_unif(&d) < p->outlier_prob
                            ? log_normal(&d, p->outlier_location, p->outlier_scale)
                            : 1;
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
    /* where rounding leaves u above the sum */
    while (last > 0 && s->group_prob[last] == 0) last--;
    for (s->group[c] = 0; s->group[c] < last && u >= s->group_prob[s->group[c]]; s->group[c]++)
        u -= s->group_prob[s->group[c]];
}

/* out[g]: the count, negative where dropout takes it away. The rate is gamma of mean mu and of
 * shape 1/bcv^2, with bcv^2 = (common + mu^-1/2)^2 chi: written so that no mu is too small. */
static void counts(const Splat *p, const Simulated *s, const double *share, const double *chi,
                   int c, double *out)
{
    const double *part = share + (size_t) s->group[c] * (size_t) s->genes;
    double *rate = s->rate ? s->rate + (size_t) c * (size_t) s->genes : NULL;
    for (int g = 0; g < s->genes; g++) {
        Draws d = draws_of(s->seed, RNG_SIMULATE_ENTRY, (uint32_t) c, (uint32_t) g);
        double mu = s->size[c] * part[g], trend = p->bcv_common * sqrt(mu) + 1,
               scale = trend * trend * chi[g];
        double r = mu > 0 ? draw_gamma(&d, mu / scale) * scale : 0,
               n = r > 0 ? draw_poisson(&d, r) : 0;
        if (rate) rate[g] = r;
        out[g] = n > 0
                         && draw_unif(&d)
                                < 1 / (1 + exp(-p->dropout_shape * (log(r) - p->dropout_mid)))
                     ? -n
                     : n;
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
    size_t G = (size_t) s->genes;
    /* cells that are dense at a time: some megabytes */
    int step = s->threads + (1 << 18) / s->genes;
    if (step > s->cells) step = s->cells;
    s->blocks = 0;
    s->block = ARENA(a, Entries, s->cells / step + 1);
    double *share = ARENA(a, double, G *(size_t) s->groups), *chi = ARENA(a, double, G),
           *room = ARENA(a, double, G);
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
        tick_idle(tick);
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
