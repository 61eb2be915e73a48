/* scINN's gene filter: its gradient by finite differences, W1 from 0 up, threads, and memory that
 * is not there. */
#include "fitting.h"
#define scinn_filter filter_under_test
#include "../../src/scinn_filter.c"
#undef scinn_filter

enum { GENES = 300, CELLS = 7 };           /* two blocks of genes */

static Learn job_of(const Sparse *x, int *cells, int batch)
{
    for (int c = 0; c < x->ncol; c++) cells[c] = c;
    return (Learn) { .x = x,
                    .cells = cells,
                    .n = x->ncol,
                    .batch = batch,
                    .threads = 1,
                    .seed = 5,
                    .part = 2,
                    .learning_rate = 1e-3,
                    .decay = 1e-6,
                    .tick = any_tick() };
}

/* The loss in loops. */
static double plain(const Filter *f, const double *x)
{
    double loss = 0;
    for (size_t c = 0; c < CELLS; c++) {
        double H[FILTER_UNITS];
        for (size_t j = 0; j < FILTER_UNITS; j++) {
            H[j] = (double) f->b1.w[j];
            for (size_t g = 0; g < GENES; g++)
                H[j] += x[c * GENES + g] * (double) f->W1.w[g * FILTER_UNITS + j];
        }
        for (size_t g = 0; g < GENES; g++) {
            double o = (double) f->b2.w[g] - x[c * GENES + g];
            for (size_t j = 0; j < FILTER_UNITS; j++)
                o += H[j] * (double) f->W2.w[g * FILTER_UNITS + j];
            loss += o * o;
        }
    }
    return loss / (CELLS * GENES);
}

static void gradient(void)
{
    double *x = random_matrix(GENES, CELLS, 0.4);
    Sparse s = sparse_of(x, GENES, CELLS);
    int cells[CELLS];
    Learn job = job_of(&s, cells, CELLS);
    Filter f, before;
    Arena a = new_arena();
    filter_take(&a, &f, &job);
    filter_take(&a, &before, &job);
    filter_start(&f);
    Trained *w[] = { &f.W1, &f.W2, &f.b1, &f.b2 },
            *old[] = { &before.W1, &before.W2, &before.b1, &before.b2 };
    size_t len[] = { GENES * FILTER_UNITS, GENES * FILTER_UNITS, FILTER_UNITS, GENES };
    for (int k = 0; k < 4; k++) {
        /* W1 stays above 0 */
        for (size_t j = 0; j < len[k]; j++) w[k]->w[j] = (real) between(0.1, 0.2);
        memcpy(old[k]->w, w[k]->w, len[k] * sizeof(real));
    }
    double loss = plain(&f, x);
    f.opt.rule = OPT_SGD;                  /* a step of length 1: what is lost is the gradient */
    f.opt.learning_rate = 1e-3;
    f.opt.decay = 0;
    NEAR(filter_batch(&f, cells), loss, TOL(1e-12, 1e-5));
    double rate = f.opt.learning_rate, most = 0, scale = 0;
    for (int k = 0; k < 4; k++) for (size_t j = 0; j < len[k]; j += 1 + len[k] / 97) {
        double h = 1e-6, got = ((double) old[k]->w[j] - (double) w[k]->w[j]) / rate;
        real was = old[k]->w[j];
        old[k]->w[j] = was + (real) h;
        double up = plain(&before, x);
        old[k]->w[j] = was - (real) h;
        double want = (up - plain(&before, x)) / (2 * h);
        old[k]->w[j] = was;
        scale = fmax(scale, fabs(want));
        most = fmax(most, fabs(got - want));
    }
    if (IS_DOUBLE) WITHIN(most / scale, 1e-5);
}

static double spread_of(const Trained *W1, size_t g)
{
    double mean = 0, ss = 0;
    for (size_t j = 0; j < FILTER_UNITS; j++)
        mean += (double) W1->w[g * FILTER_UNITS + j] / FILTER_UNITS;
    for (size_t j = 0; j < FILTER_UNITS; j++)
        ss += pow((double) W1->w[g * FILTER_UNITS + j] - mean, 2);
    return sqrt(ss / (FILTER_UNITS - 1));
}

static Learn asked;
static double *spread;
static Status call(Arena *a)
{
    double loss[FILTER_EPOCHS];
    return filter_under_test(a, &asked, spread, loss);
}

static void whole(void)
{
    Sparse s = sparse_of(random_matrix(GENES, 11, 0.4), GENES, 11);
    int cells[11];
    Arena a = new_arena();
    asked = job_of(&s, cells, 2);
    double *two = NEW(double, GENES), loss[FILTER_EPOCHS], loss2[FILTER_EPOCHS];
    spread = NEW(double, GENES);
    n_ticks = 0;
    CHECK(filter_under_test(&a, &asked, spread, loss) == ST_OK && n_ticks >= FILTER_EPOCHS);
    CHECK(loss[FILTER_EPOCHS - 1] < 0.9 * loss[0]);
    asked.threads = 2;
    CHECK(filter_under_test(&a, &asked, two, loss2) == ST_OK);
    SAME_BITS(spread, two, GENES);
    SAME_BITS(loss, loss2, FILTER_EPOCHS);
    asked.part = 3;
    CHECK(filter_under_test(&a, &asked, two, loss2) == ST_OK
          && memcmp(two, spread, GENES * sizeof *two));
    CHECK(each_fails(call) > 15);
    asked.learning_rate = 1e30;
    CHECK(filter_under_test(&a, &asked, two, loss2) == ST_DIVERGED);

    /* W1 never below 0, b1 and the others may be; a batch that would be incomplete is left out */
    Filter f;
    asked = job_of(&s, cells, 4);
    filter_take(&a, &f, &asked);
    filter_start(&f);
    int negative = 0, below_0 = 0;
    for (int step = 0; step < 20; step++) {
        filter_batch(&f, cells + step % 2 * 4);
        for (size_t k = 0; k < GENES * FILTER_UNITS; k++) {
            negative += f.W1.w[k] < 0;
            below_0 += f.W2.w[k] < 0;
        }
    }
    CHECK(negative == 0 && below_0 > 0);
    CHECK(spread_of(&f.W1, 0) > 0);
}

int main(void)
{
    RUN(gradient);
    RUN(whole);
    return report("scinn_filter");
}
