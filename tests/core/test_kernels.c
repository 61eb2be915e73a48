/* Kernels against loops that follow the documented order of sums to the bit, and against sums in
 * double. */
#include "check.h"

/* one product, one sum, each rounded to `real`: volatile keeps the compiler from fusing them */
static real times(real a, real b) { volatile real p = a * b; return p; }
static real plus(real a, real b) { volatile real s = a + b; return s; }

/* n rows of a slab out of `rows`, rising; returns how many */
static size_t some_rows(int *idx, int rows, double density)
{
    size_t n = 0;
    for (int r = 0; r < rows; r++) if (u01() < density) idx[n++] = r;
    return n;
}

static void gather(void)
{
    enum { ROWS = 90 };
    real *slab = NEW(real, ROWS * PANEL), *val = NEW(real, ROWS), *acc = NEW(real, PANEL),
         *bits = NEW(real, PANEL);
    double *want = NEW(double, PANEL);
    int *idx = NEW(int, ROWS);
    for (int round = 0; round < 40; round++) {
        size_t n = some_rows(idx, ROWS, round / 39.0);
        fill(slab, ROWS * PANEL); fill(val, ROWS); fill(acc, PANEL);
        for (int j = 0; j < PANEL; j++) {
            bits[j] = acc[j];
            want[j] = (double) acc[j];
            for (size_t k = 0; k < n; k++) {
                real w = slab[idx[k] * PANEL + j];
                bits[j] = plus(bits[j], times(val[k], w));
                want[j] += (double) val[k] * (double) w;
            }
        }
        panel_gather(acc, slab, idx, val, n);
        SAME_BITS(acc, bits, PANEL);
        WITHIN(apart_real(acc, want, PANEL), TOL(1e-12, 2e-6));
    }
}

/* rows at once: the bits of panel_gather(), from a start or from 0 */
static void sums(void)
{
    enum { ROWS = 23, N = 9 };
    real *slab = NEW(real, ROWS * PANEL), *start = NEW(real, PANEL),
         *out = NEW(real, (N + 1) * PANEL), *val = NEW(real, N * ROWS);
    int *idx = NEW(int, N * ROWS);
    for (int round = 0; round < 20; round++) {
        size_t p[N + 1] = { 0 };
        fill(slab, ROWS * PANEL);
        fill(start, PANEL);
        fill(val, N * ROWS);
        fill(out, (N + 1) * PANEL);
        real behind = out[N * PANEL];
        for (int r = 0; r < N; r++)
            p[r + 1] = p[r] + (r == 4 ? 0 : some_rows(idx + p[r], ROWS, round / 25.0));
        panel_sums(out, round % 2 ? start : NULL, slab, p, idx, val, N);
        for (int r = 0; r < N; r++) {
            real acc[PANEL] = { 0 };
            if (round % 2) memcpy(acc, start, sizeof acc);
            panel_gather(acc, slab, idx + p[r], val + p[r], p[r + 1] - p[r]);
            SAME_BITS(out + r * PANEL, acc, PANEL);
        }
        CHECK(out[N * PANEL] == behind);
    }
}

static real dot_by_tree(const real *h, const real *row)
{
    real p[16], q[4];
    for (int l = 0; l < 16; l++)
        p[l] = plus(plus(times(h[l], row[l]), times(h[16 + l], row[16 + l])),
                    plus(times(h[32 + l], row[32 + l]), times(h[48 + l], row[48 + l])));
    for (int l = 0; l < 4; l++) q[l] = plus(plus(p[l], p[8 + l]), plus(p[4 + l], p[12 + l]));
    return plus(plus(q[0], q[2]), plus(q[1], q[3]));
}

static void dots(void)
{
    enum { ROWS = 90 };
    real *slab = NEW(real, ROWS * PANEL), *h = NEW(real, PANEL), *y = NEW(real, ROWS),
         *bits = NEW(real, ROWS);
    double *want = NEW(double, ROWS);
    int *idx = NEW(int, ROWS);
    for (int round = 0; round < 40; round++) {
        size_t n = some_rows(idx, ROWS, round / 39.0);
        fill(slab, ROWS * PANEL); fill(h, PANEL); fill(y, ROWS);
        for (size_t k = 0; k < n; k++) {
            const real *row = slab + idx[k] * PANEL;
            bits[k] = plus(y[k], dot_by_tree(h, row));
            want[k] = (double) y[k];
            for (int j = 0; j < PANEL; j++) want[k] += (double) h[j] * (double) row[j];
        }
        panel_dots(y, slab, idx, n, h);
        SAME_BITS(y, bits, n);
        WITHIN(apart_real(y, want, n), TOL(1e-12, 2e-6));
    }
}

/* one product of the given shape, checked inside (to the bit and against double) and outside of C's
 * width */
static void product(int ta, int tb, size_t m, size_t n, size_t k, size_t pad, int beta)
{
    size_t lda = (ta ? m : k) + pad, ldb = (tb ? k : n) + pad, ldc = n + pad;
    real *a = NEW(real, (ta ? k : m) * lda), *b = NEW(real, (tb ? n : k) * ldb),
         *c = NEW(real, m * ldc), *bits = NEW(real, m * ldc);
    real *scratch = NEW(real, GEMM_SCRATCH);
    fill(a, (ta ? k : m) * lda);
    fill(b, (tb ? n : k) * ldb);
    fill(c, m * ldc);
    fill(scratch, GEMM_SCRATCH);
    memcpy(bits, c, m * ldc * sizeof *c);
    double worst = 0;
    double *want = NEW(double, m * n), *scale = NEW(double, m * n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            real sum = beta ? c[i * ldc + j] : 0;
            double s = (double) sum, abs = fabs(s);
            for (size_t l = 0; l < k; l++) {
                real x = ta ? a[l * lda + i] : a[i * lda + l],
                     y = tb ? b[j * ldb + l] : b[l * ldb + j];
                sum = plus(sum, times(x, y));
                s += (double) x * (double) y;
                abs += fabs((double) x * (double) y);
            }
            bits[i * ldc + j] = sum;
            want[i * n + j] = s;
            scale[i * n + j] = abs;
        }
    gemm(ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc, scratch);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double d = fabs((double) c[i * ldc + j] - want[i * n + j])
                       / fmax(scale[i * n + j], 1e-30);
            if (!(d <= worst)) worst = d;
        }
    int ok = worst <= TOL(1e-12, 2e-6) && !memcmp(c, bits, m * ldc * sizeof *c);
    if (!ok)
        printf("gemm(%d, %d) of %zu x %zu x %zu, beta %d, padding %zu: off by %g\n", ta, tb, m, n,
               k, beta, pad, worst);
    CHECK(ok);
    clear();
}

static void products(void)
{
    /* KC = 192, MC = 96, NC = 256, strips of 6 and 16 */
    static const size_t edges[][3] = { { 95, 255, 191 }, { 96, 256, 192 }, { 97, 257, 193 },
                                       { 193, 17, 385 }, { 7, 513, 5 },    { 6, 16, 400 },
                                       { 1, 1, 1000 },   { 200, 1, 1 },    { 1, 600, 2 } };
    for (int t = 0; t < 4; t++) {
        for (int round = 0; round < 60; round++)
            product(t & 1, t >> 1, (size_t) (1 + below(70)), (size_t) (1 + below(70)),
                    (size_t) (1 + below(70)), (size_t) (round % 3 * 5), round & 1);
        for (int e = 0; e < 9; e++)
            product(t & 1, t >> 1, edges[e][0], edges[e][1], edges[e][2], (size_t) (e % 2 * 3),
                    e % 3 == 0);
        for (int beta = 0; beta < 2; beta++) {
            product(t & 1, t >> 1, 5, 9, 0, 2, beta);        /* an empty sum */
            product(t & 1, t >> 1, 0, 9, 3, 2, beta);
            product(t & 1, t >> 1, 5, 0, 3, 2, beta);
        }
    }
}

/* gemm() over rows with zeros has the bits of panel_gather() over the entries that are there */
static void product_is_gather(void)
{
    enum { M = 23, K = 403 };
    real *a = NEW(real, M * K), *b = NEW(real, K * PANEL), *c = NEW(real, M * PANEL),
         *g = NEW(real, M * PANEL);
    real *val = NEW(real, K), *scratch = NEW(real, GEMM_SCRATCH);
    int *idx = NEW(int, K);
    for (int round = 0; round < 4; round++) {
        fill(b, K * PANEL); fill(c, M * PANEL);
        memcpy(g, c, M * PANEL * sizeof *c);
        for (int r = 0; r < M; r++) {
            size_t n = some_rows(idx, K, 0.3);
            memset(a + r * K, 0, K * sizeof *a);
            for (size_t k = 0; k < n; k++) a[r * K + idx[k]] = val[k] = (real) between(-1, 1);
            panel_gather(g + r * PANEL, b, idx, val, n);
        }
        gemm(0, 0, M, PANEL, K, a, K, b, PANEL, 1, c, PANEL, scratch);
        SAME_BITS(c, g, M * PANEL);
    }
}

static Rows random_rows(int n, int n_cols, double density)
{
    Rows r = { n, NEW(size_t, n + 1), NEW(int, n * n_cols), NEW(real, n * n_cols) };
    for (int k = 0; k < n; k++)                              /* one row is empty, one full */
        r.p[k + 1] = r.p[k] + some_rows(r.i + r.p[k], n_cols, k == 1 ? 0 : k == 2 ? 1 : density);
    fill(r.x, r.p[n]);
    return r;
}

static void sparse_in(void)
{
    enum { N = 13, IN = 37, R0 = 3, R1 = 11 };
    for (int round = 0; round < 8; round++) {
        Rows x = random_rows(N, IN, 0.3);
        int with_bias = round & 1, with_val = round & 2, r0 = round & 4 ? 0 : R0,
            r1 = round & 4 ? N : R1;
        real *w = NEW(real, IN * PANEL), *bias = NEW(real, PANEL), *y = NEW(real, N * PANEL),
             *val = NEW(real, N * IN);
        double *want = NEW(double, N * PANEL);
        fill(w, IN * PANEL); fill(bias, PANEL); fill(y, N * PANEL); fill(val, N * IN);
        for (int r = 0; r < N; r++)
            for (int j = 0; j < PANEL; j++) {
                double s = with_bias ? (double) bias[j] : 0;
                for (size_t k = x.p[r]; k < x.p[r + 1]; k++)
                    s += (double) (with_val ? val[k] : x.x[k]) * (double) w[x.i[k] * PANEL + j];
                want[r * PANEL + j] = r < r0 || r >= r1 ? (double) y[r * PANEL + j] : s;
            }
        layer_sparse_in(&x, with_val ? val : NULL, r0, r1, w, with_bias ? bias : NULL, y);
        WITHIN(apart_real(y, want, N * PANEL), TOL(1e-12, 2e-6));
    }
}

static void sampled_out(void)
{
    enum { N = 13, OUT = 37 };
    for (int round = 0; round < 4; round++) {
        Rows at = random_rows(N, OUT, 0.3);
        int r0 = round & 1 ? 3 : 0, r1 = round & 1 ? 11 : N;
        real *w = NEW(real, OUT * PANEL), *h = NEW(real, N * PANEL), *y = NEW(real, N * OUT);
        double *want = NEW(double, N * OUT);
        fill(w, OUT * PANEL); fill(h, N * PANEL); fill(y, N * OUT);
        for (int r = 0; r < N; r++)
            for (size_t k = at.p[r]; k < at.p[r + 1]; k++) {
                want[k] = (double) y[k];
                for (int j = 0; j < PANEL && r >= r0 && r < r1; j++)
                    want[k] += (double) h[r * PANEL + j] * (double) w[at.i[k] * PANEL + j];
            }
        layer_sampled_out(&at, r0, r1, w, h, y);
        WITHIN(apart_real(y, want, at.p[N]), TOL(1e-12, 2e-6));
    }
}

static void transpose(void)
{
    for (int round = 0; round < 20; round++) {
        int n = 1 + below(20), cols = 1 + below(20);
        Rows from = random_rows(n, cols, 0.4);
        size_t entries = from.p[n], *entry = NEW(size_t, entries), at = 0;
        Rows to = { 0, NEW(size_t, cols + 1), NEW(int, entries), NEW(real, entries) };
        memset(to.p, 0xFF, ((size_t) cols + 1) * sizeof *to.p);  /* places are given, not cleared */
        rows_transpose(&from, cols, &to, entry);
        int ok = to.n == cols && to.p[0] == 0;
        for (int c = 0; c < cols; c++) {
            for (int r = 0; r < n; r++)
                for (size_t k = from.p[r]; k < from.p[r + 1]; k++)
                    if (from.i[k] == c) {
                        if (at >= entries || to.i[at] != r || entry[at] != k
                            || to.x[at] != from.x[k])
                            ok = 0;
                        at++;
                    }
            if (to.p[c + 1] != at) ok = 0;
        }
        CHECK(ok && at == entries);
    }
}

static void panels(void)
{
    CHECK(panels_of(0) == 0 && panels_of(1) == 1 && panels_of(64) == 1 && panels_of(65) == 2
          && panels_of(130) == 3);
    CHECK(panel_at(5, 0, 0) == 0 && panel_at(5, 2, 63) == 2 * 64 + 63
          && panel_at(5, 2, 64) == 5 * 64 + 2 * 64);
}

static Status entries_of(int nrow, int ncol, const int *p, const int *i, const double *x, size_t n)
{
    Sparse s = { nrow, ncol, p, i, x };
    return sparse_check(&s, n);
}

static void door(void)
{
    static const int p[] = { 0, 2, 2, 3 }, not_from_0[] = { 1, 2, 2, 3 }, falls[] = { 0, 2, 1, 3 },
        far[] = { 0, 2, 9, 3 };
    static const int i[] = { 0, 2, 1 }, twice[] = { 2, 2, 1 }, back[] = { 2, 0, 1 },
                     over[] = { 0, 3, 1 }, under[] = { -1, 2, 1 };
    static const double x[] = { 1, 2, 3 };
    const double odd[] = { 1, NAN, 3 }, big[] = { 1, 2, INFINITY };
    CHECK(entries_of(3, 3, p, i, x, 3) == ST_OK);
    CHECK(entries_of(3, 3, p, i, x, 4) == ST_BADDATA && entries_of(3, 3, p, i, x, 2) == ST_BADDATA);
    CHECK(entries_of(-1, 3, p, i, x, 3) == ST_BADDATA
          && entries_of(3, -1, p, i, x, 3) == ST_BADDATA);
    CHECK(entries_of(3, 3, not_from_0, i, x, 3) == ST_BADDATA);
    CHECK(entries_of(3, 3, falls, i, x, 3) == ST_BADDATA);
    CHECK(entries_of(3, 3, far, i, x, 3) == ST_BADDATA);
    CHECK(entries_of(3, 3, p, twice, x, 3) == ST_BADDATA
          && entries_of(3, 3, p, back, x, 3) == ST_BADDATA);
    CHECK(entries_of(3, 3, p, over, x, 3) == ST_BADDATA
          && entries_of(3, 3, p, under, x, 3) == ST_BADDATA);
    CHECK(entries_of(3, 3, p, i, odd, 3) == ST_BADDATA
          && entries_of(3, 3, p, i, big, 3) == ST_BADDATA);
    CHECK(entries_of(0, 0, p, NULL, NULL, 0) == ST_OK);
}

int main(void)
{
    RUN(gather);
    RUN(sums);
    RUN(dots);
    RUN(products);
    RUN(product_is_gather);
    RUN(sparse_in);
    RUN(sampled_out);
    RUN(transpose);
    RUN(panels);
    RUN(door);
    return report("kernels");
}
