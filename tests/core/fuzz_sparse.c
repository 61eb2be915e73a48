/* Any bytes taken as a compressed matrix: sparse_check() must agree with its words, and what it
 * lets in must be fitted and predicted without a crash. make fuzz: libFuzzer; with FUZZ_MAIN: 2,000
 * pseudo-random inputs. */
#include "fitting.h"

typedef struct { const uint8_t *at; size_t left; } Bytes;
static int next_byte(Bytes *b)
{
    if (!b->left) return 0;
    b->left--;
    return *b->at++;
}
static void next_bytes(Bytes *b, void *to, size_t n)
{
    for (unsigned char *c = to; n > 0; n--) *c++ = (unsigned char) next_byte(b);
}

/* the words of core.h, looking no further than n entries */
static int is_valid(const Sparse *s, int n)
{
    if (s->nrow < 0 || s->ncol < 0 || s->p[0] != 0 || s->p[s->ncol] != n) return 0;
    for (int c = 0; c < s->ncol; c++) if (s->p[c] > s->p[c + 1]) return 0;
    for (int c = 0; c < s->ncol; c++)
        for (int k = s->p[c]; k < s->p[c + 1]; k++) {
            if (s->i[k] < 0 || s->i[k] >= s->nrow || !isfinite(s->x[k])) return 0;
            if (k > s->p[c] && s->i[k] <= s->i[k - 1]) return 0;
        }
    return 1;
}

static int n_let_in, n_fitted;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const stops[] = { "validation", "paper", "window" },
        *const ways[] = { "auto", "sparse", "dense" };
    Bytes b = { data, size };
    int mode = next_byte(&b), nrow = next_byte(&b) % 24, ncol = next_byte(&b) % 24,
        n = next_byte(&b), options = next_byte(&b);
    int *p = NEW(int, ncol + 1), *i, modest = 1;
    if (mode & 1) {  /* mostly right: counts of entries, gaps between rows */
        for (int c = 0; c < ncol; c++) p[c + 1] = p[c] + next_byte(&b) % (nrow + 1);
        n = p[ncol];
    } else for (int c = 0; c <= ncol; c++) next_bytes(&b, p + c, mode & 2 ? sizeof *p : 1);
    if (mode & 4) n += next_byte(&b) % 3 - 1;
    if (n < 0) n = 0;
    i = NEW(int, n);
    double *x = NEW(double, n);
    for (int k = 0, c = 0, last = -1; k < n; k++) {
        if (mode & 1) {
            while (c < ncol && p[c + 1] <= k) { c++; last = -1; }
            int room = nrow - 1 - last - (p[c < ncol ? c + 1 : ncol] - k - 1), gap = next_byte(&b);
            i[k] = last = last + 1 + (room > 1 ? gap % room : 0);
            if (gap == 255) i[k] -= 2;
        } else next_bytes(&b, i + k, mode & 2 ? sizeof *i : 1);
        if (mode & 8) next_bytes(&b, x + k, sizeof *x); else x[k] = next_byte(&b) / 16.0;
        if (!(fabs(x[k]) < 1e4)) modest = 0;
    }
    Sparse s = { nrow, ncol, p, i, x };
    Status st = sparse_check(&s, (size_t) n);
    if ((st == ST_OK) != is_valid(&s, n)) abort();
    if (st == ST_OK && nrow && ncol) {
        Setup m = autoimpute(1 + options % 3, 2);
        set_word(&m, "stop", stops[options / 3 % 3]);
        set_word(&m, "arithmetic", ways[options / 9 % 3]);
        set(&m, "block.cells", options / 27 % 3);
        set(&m, "batch.size", options / 81 % 3);
        Fit f = new_fit(&m, s);
        f.threads = 1 + (mode >> 4) % 2;
        Status fit = go(&m, &f);
        if (fit != ST_OK && fit != ST_DIVERGED) abort();
        if (modest
            && (fit != ST_OK || !all_finite(f.weights, model_weights(m.m, m.params, nrow, NULL))))
            abort();
        double *y = predicted(&m, s, f, f.threads);
        if (modest && !all_finite(y, (size_t) (nrow * ncol))) abort();
        n_fitted += fit == ST_OK;
        if (nrow > 1 && ncol > 1) {
            uint64_t before = luck;                      /* the plan is a function of the input */
            luck = 1 + (uint64_t) options + 256 * (uint64_t) mode;
            int targets = 1 + options % (nrow - 1 < 4 ? nrow - 1 : 4), nets = 1 + options / 4 % 3;
            if (nets * targets > nrow) nets = 1;
            Setup d = deepimpute(random_plan(nets, 1 + options % 66 + options % 5 / 4 * 7000, nrow,
                                             1 + options % 5, targets),
                                 2);
            luck = before;
            set(&d, "batch.size", options / 16 % 4);
            set(&d, "zero.weight", options / 64 % 2);
            set(&d, "dropout", options / 128 ? 0.3 : 0);
            set(&d, "best", mode >> 5 & 1);
            set_word(&d, "output", options % 3 ? "softplus" : "linear");
            Fit e = new_fit(&d, s);
            e.threads = 1 + (mode >> 4) % 2;
            fit = go(&d, &e);
            if (fit != ST_OK && fit != ST_DIVERGED) abort();
            size_t all = weights_of(&d, nrow);
            if (modest
                && (fit != ST_OK || !all_finite(e.weights, all) || !all_finite(e.state, 3 * all)))
                abort();
            predicted(&d, s, e, e.threads);
            n_fitted += fit == ST_OK;
        }
    }
    n_let_in += st == ST_OK;
    clear();
    return 0;
}

#ifdef FUZZ_MAIN
int main(void)
{
    enum { INPUTS = 2000, LONGEST = 1500 };
    uint8_t data[LONGEST];
    for (int k = 0; k < INPUTS; k++) {
        int size = below(LONGEST);
        for (int j = 0; j < size; j++) data[j] = (uint8_t) below(256);
        /* every other one mostly right */
        if (size && k % 2) data[0] = (uint8_t) ((data[0] | 1) & ~4);
        LLVMFuzzerTestOneInput(data, (size_t) size);
        n_passed++;                                      /* what goes wrong aborts */
    }
    CHECK(n_let_in > INPUTS / 10 && n_let_in < INPUTS * 9 / 10);
    CHECK(n_fitted > INPUTS / 20);
    return report("fuzz");
}
#endif
