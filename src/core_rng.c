/* Counter-based random numbers: Philox4x32-10, Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011. The key is the seed, the counter is (position, stream): no
 * state, so nothing depends on the order, the thread or the block in which draws are made. */
#include <math.h>
#include <string.h>
#include "core.h"

KERNEL_FILE

void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0],
             k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t) 0xD2511F53u * c0, p1 = (uint64_t) 0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t) (p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t) (p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t) p1; c3 = (uint32_t) p0; c0 = n0; c2 = n2;
        k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
    }
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}

void rng_pair(uint64_t seed, Stream stream, uint32_t part, uint64_t position, double u[2])
{
    uint32_t counter[4] = { (uint32_t) position, (uint32_t) (position >> 32), (uint32_t) stream,
                            part };
    uint32_t key[2] = { (uint32_t) seed, (uint32_t) (seed >> 32) }, out[4];
    philox(counter, key, out);
    for (int k = 0; k < 2; k++) {
        uint64_t bits = ((uint64_t) out[2 * k] << 20) ^ (out[2 * k + 1] >> 12);      /* 52 bits */
        u[k] = ((double) bits + 0.5) * 0x1p-52;
    }
}

/* Philox at n positions from `position` on: no inner loop, so that the compiler can put neighbours
 * side by side. */
#define ROUND \
    p0 = (uint64_t) 0xD2511F53u * c0; p1 = (uint64_t) 0xCD9E8D57u * c2; \
    c0 = (uint32_t) (p1 >> 32) ^ c1 ^ k0; c2 = (uint32_t) (p0 >> 32) ^ c3 ^ k1; \
    c1 = (uint32_t) p1; c3 = (uint32_t) p0; \
    k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
FOR_CPUS(philox_many, (uint32_t stream, uint32_t part, uint64_t position, const uint32_t *key,
         uint32_t *restrict out, size_t n), (stream, part, position, key, out, n), {
    uint32_t key0 = key[0], key1 = key[1];
    uint32_t low = (uint32_t) position, high = (uint32_t) (position >> 32);
    for (uint32_t j = 0; j < (uint32_t) n; j++) {
        uint32_t c0 = low + j, c1 = high, c2 = stream, c3 = part, k0 = key0, k1 = key1;
        uint64_t p0, p1;
        ROUND ROUND ROUND ROUND ROUND ROUND ROUND ROUND ROUND ROUND
        out[4 * (size_t) j] = c0; out[4 * (size_t) j + 1] = c1;
        out[4 * (size_t) j + 2] = c2; out[4 * (size_t) j + 3] = c3;
    }
})

void rng_words(uint64_t seed, Stream stream, uint32_t part, uint64_t position, uint32_t *out,
               size_t n)
{
    uint32_t key[2] = { (uint32_t) seed, (uint32_t) (seed >> 32) }, last[4];
    size_t k = 0;
    while (n - k >= 4) {                       /* not across a carry of the low word */
        size_t blocks = (n - k) / 4, room = (size_t) (0x100000000u - (uint32_t) position);
        if (blocks > room) blocks = room;
        philox_many(stream, part, position, key, out + k, blocks);
        k += 4 * blocks;
        position += blocks;
    }
    for (; k < n; k += 4, position++) {
        uint32_t counter[4] = { (uint32_t) position, (uint32_t) (position >> 32), (uint32_t) stream,
                                part };
        philox(counter, key, n - k < 4 ? last : out + k);
        for (size_t j = k; n - k < 4 && j < n; j++) out[j] = last[j - k];
    }
}

double rng_unif(uint64_t seed, Stream stream, uint64_t position)
{
    double u[2];
    rng_pair(seed, stream, 0, position, u);
    return u[0];
}

double rng_normal(uint64_t seed, Stream stream, uint64_t position)
{
    double u[2];
    rng_pair(seed, stream, 0, position, u);
    return sqrt(-2 * log(u[0])) * cos(6.283185307179586 * u[1]);
}

/* Box and Muller: the words k and n + k make the numbers k and n + k. log, cos and the root are
 * short polynomials: to 3e-5. */
LOCAL_FOR_CPUS(normals_of, (const uint32_t *words, size_t n, real *restrict out), (words, n, out), {
    for (size_t k = 0; k < n; k++) {
        float u = ((float) (int32_t) (words[k] >> 8) + 0.5f) * 0x1p-24f;
        uint32_t bits;
        memcpy(&bits, &u, 4);
        /* the rest is from sqrt(1/2) to sqrt(2) */
        int32_t e = (int32_t) (bits - 0x3F3504F3u) >> 23;
        bits -= (uint32_t) e << 23;
        float m;
        memcpy(&m, &bits, 4);
        float s = (m - 1.0f) / (m + 1.0f);
        float q = s * s;
        float p = 0.2f + q * (0.142857143f + q * (0.111111111f + q * 0.0909090909f));
        float log_u = (float) e * 0.693147181f + 2.0f * s * (1.0f + q * (0.333333333f + q * p));
        float y = -2.0f * log_u;
        uint32_t half;
        memcpy(&half, &y, 4);
        half = 0x5F3759DFu - (half >> 1);  /* 1/sqrt(y), by three steps of Newton's */
        float z;
        memcpy(&z, &half, 4);
        z = z * (1.5f - 0.5f * y * z * z);
        z = z * (1.5f - 0.5f * y * z * z);
        z = z * (1.5f - 0.5f * y * z * z);
        float r = y * z;
        /* a whole turn is 2^32: two bits say which quarter, the rest an angle of -45 to 45 degrees
         * about its middle */
        uint32_t turn = words[n + k];
        float a = ((float) (int32_t) (turn & 0x3FFFFFFFu) * 0x1p-30f - 0.5f) * 1.57079633f;
        float a2 = a * a;
        float sn = a * (1.0f - a2 * (0.166666667f - a2 * (0.00833333333f - a2 * 0.000198412698f)));
        float cs = 1.0f - a2 * (0.5f - a2 * (0.0416666667f
                                             - a2 * (0.00138888889f - a2 * 2.48015873e-5f)));
        uint32_t quarter = turn >> 30;
        float c = quarter & 1 ? -sn : cs;
        float d = quarter & 1 ? cs : sn;
        c = quarter & 2 ? -c : c;
        d = quarter & 2 ? -d : d;
        out[k] = (real) (r * c);
        out[n + k] = (real) (r * d);
    }
})

void rng_normals64(uint64_t seed, Stream stream, uint32_t part, uint64_t index, real *out)
{
    uint32_t words[64];
    rng_words(seed, stream, part, 16 * index, words, 64);
    normals_of(words, 32, out);
}

void rng_permute(uint64_t seed, Stream stream, uint64_t round, int *order, int n)
{
    for (int i = 0; i < n; i++) order[i] = i;
    for (int i = n - 1; i > 0; i--) {
        int j = (int) (rng_unif(seed, stream, round << 32 | (uint64_t) i) * (i + 1));
        int t = order[i]; order[i] = order[j]; order[j] = t;
    }
}

int rng_choose(uint64_t seed, Stream stream, uint64_t i, uint64_t n, uint64_t *left)
{
    if (!*left) return 0;
    int yes = rng_unif(seed, stream, i) * (double) (n - i) < (double) *left;
    *left -= (uint64_t) yes;
    return yes;
}
