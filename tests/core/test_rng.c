/* Random numbers: published vectors, moments, permutations, choices. */
#include "check.h"

static void published_vectors(void)
{
    /* Random123's kat_vectors, philox4x32 10 */
    static const struct { uint32_t counter[4], key[2], out[4]; } kat[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (int k = 0; k < 3; k++) {
        uint32_t out[4];
        philox(kat[k].counter, kat[k].key, out);
        SAME_BITS(out, kat[k].out, 4);
    }
}

/* a sample's moments about known centres, within five standard errors */
static void moments(void)
{
    const int n = 200000;
    for (uint64_t seed = 1; seed < 4; seed++) {
        double m = 0, v = 0, nm = 0, nv = 0, n4 = 0, lag = 0, last = 0.5, lo = 1, hi = 0;
        for (int k = 0; k < n; k++) {
            double u = rng_unif(seed, RNG_MASK, (uint64_t) k),
                   z = rng_normal(seed, RNG_INIT_1, (uint64_t) k);
            lo = fmin(lo, u); hi = fmax(hi, u);
            m += u; v += (u - 0.5) * (u - 0.5); lag += (u - 0.5) * (last - 0.5); last = u;
            nm += z; nv += z * z; n4 += z * z * z * z;
        }
        CHECK(lo > 0 && hi < 1 && lo < 1e-3 && hi > 1 - 1e-3);
        WITHIN(fabs(m / n - 0.5), 5 * sqrt(1 / 12.0 / n));
        WITHIN(fabs(v / n - 1 / 12.0), 5 * sqrt(1 / 180.0 / n));
        WITHIN(fabs(lag / n), 5 / 12.0 / sqrt(n));
        WITHIN(fabs(nm / n), 5 / sqrt(n));
        WITHIN(fabs(nv / n - 1), 5 * sqrt(2.0 / n));
        WITHIN(fabs(n4 / n - 3), 5 * sqrt(96.0 / n));
    }
}

static void every_argument_counts(void)
{
    double u = rng_unif(1, RNG_MASK, 5);
    CHECK(u == rng_unif(1, RNG_MASK, 5));
    CHECK(u != rng_unif(2, RNG_MASK, 5));
    CHECK(u != rng_unif(1 + (1ull << 32), RNG_MASK, 5));
    CHECK(u != rng_unif(1, RNG_ORDER, 5));
    CHECK(u != rng_unif(1, RNG_MASK, 6));
    CHECK(u != rng_unif(1, RNG_MASK, 5 + (1ull << 32)));
}

/* word j of position p is word j of philox() at (p, stream, part), whatever the number asked for;
 * no word more is written */
static void words(void)
{
    static const uint64_t seeds[] = { 1, 7 + (3ull << 32) },
                          positions[] = { 0, 5, 0xffffffffu, (9ull << 32) + 4 };
    for (int s = 0; s < 2; s++)
        for (int q = 0; q < 4; q++)
            for (size_t n = 0; n < 75; n++) {
                uint32_t got[76], want[80], part = (uint32_t) (s + 3 * q);
                uint32_t key[2] = { (uint32_t) seeds[s], (uint32_t) (seeds[s] >> 32) };
                for (uint64_t k = 0; k < 20; k++) {
                    uint64_t at = positions[q] + k;
                    philox((uint32_t[4]){ (uint32_t) at, (uint32_t) (at >> 32), RNG_DROPOUT, part },
                           key, want + 4 * k);
                }
                memset(got, 0xA5, sizeof got);
                rng_words(seeds[s], RNG_DROPOUT, part, positions[q], got, n);
                SAME_BITS(got, want, n);
                CHECK(got[n] == 0xA5A5A5A5u);
                rng_words(seeds[s], RNG_DROPOUT, part, positions[q] + 1, got, n);
                SAME_BITS(got, want + 4, n);             /* the next position is four words on */
            }
    uint32_t a[4], b[4];
    rng_words(1, RNG_DROPOUT, 0, 5, a, 4);
    for (int k = 0; k < 5; k++) {
        rng_words(k == 0   ? 2
                  : k == 1 ? 1 + (1ull << 32)
                           : 1,
                  k == 2 ? RNG_MASK : RNG_DROPOUT, k == 3, k == 4 ? 5 + (1ull << 32) : 5, b, 4);
        CHECK(a[0] != b[0] && a[3] != b[3]);
    }
}

static int is_permutation(const int *order, int n)
{
    int *seen = NEW(int, n), ok = 1;
    for (int k = 0; k < n; k++) if (order[k] < 0 || order[k] >= n || seen[order[k]]++) ok = 0;
    return ok;
}

static void permutations(void)
{
    static const int sizes[] = { 0, 1, 2, 10, 1000 };
    for (int s = 0; s < 5; s++) {
        int n = sizes[s], *a = NEW(int, n), *b = NEW(int, n), *c = NEW(int, n);
        rng_permute(3, RNG_ORDER, 1, a, n);
        rng_permute(3, RNG_ORDER, 2, b, n);
        rng_permute(3, RNG_ORDER, 1, c, n);
        CHECK(is_permutation(a, n) && is_permutation(b, n));
        SAME_BITS(a, c, n);
        if (n >= 10) CHECK(memcmp(a, b, (size_t) n * sizeof *a));
    }
    enum { N = 5, ROUNDS = 20000 };
    int at[N][N] = { { 0 } }, order[N];
    for (uint64_t r = 0; r < ROUNDS; r++) {
        rng_permute(4, RNG_ORDER, r, order, N);
        for (int k = 0; k < N; k++) at[k][order[k]]++;
    }
    double chi = 0, want = ROUNDS / (double) N;
    for (int k = 0; k < N; k++)
        for (int j = 0; j < N; j++) chi += (at[k][j] - want) * (at[k][j] - want) / want;
    WITHIN(chi, 50);                                 /* 16 degrees of freedom: p = 2e-5 */
}

static void choices(void)
{
    static const uint64_t sizes[][2] = {
        { 1000, 50 }, { 1000, 0 }, { 1000, 1000 }, { 1, 1 }, { 7, 6 }
    };
    for (int s = 0; s < 5; s++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            uint64_t n = sizes[s][0], left = sizes[s][1], got = 0;
            for (uint64_t i = 0; i < n; i++)
                got += (uint64_t) rng_choose(seed, RNG_MASK, i, n, &left);
            CHECK(got == sizes[s][1] && left == 0);
        }
    int count[32] = { 0 };                           /* the 10 pairs out of 5 are equally likely */
    const int draws = 20000;
    for (uint64_t seed = 0; seed < (uint64_t) draws; seed++) {
        uint64_t left = 2;
        unsigned set = 0;
        for (uint64_t i = 0; i < 5; i++)
            if (rng_choose(seed, RNG_HOLD_OUT, i, 5, &left)) set |= 1u << i;
        count[set]++;
    }
    double chi = 0, want = draws / 10.0;
    for (int k = 0; k < 32; k++) if (count[k]) chi += (count[k] - want) * (count[k] - want) / want;
    WITHIN(chi, 36);                                 /* 9 degrees of freedom: p = 4e-5 */
}

int main(void)
{
    RUN(published_vectors);
    RUN(moments);
    RUN(every_argument_counts);
    RUN(words);
    RUN(permutations);
    RUN(choices);
    return report("rng");
}
