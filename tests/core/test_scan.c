/* What is no count, and how whole the others are. */
#include "check.h"
#include "prep.h"

static const int p[4] = { 0, 2, 2, 6 }, i[6] = { 0, 3, 0, 1, 2, 3 };
static double x[6], largest;
static int row, col;
static Wholeness whole;

static BadValue scanned(int cells)
{
    Sparse s = { 4, cells, p, i, x };
    return prep_scan(&s, &row, &col, &whole, &largest);
}

static void fresh(void)
{
    for (int k = 0; k < 6; k++) x[k] = k + 1;
}

static void wholeness(void)
{
    static const struct { double value; Wholeness is; } cases[] = {
        { 4, WHOLE }, { 4 - 9e-7, NEARLY }, { 4 + 3.9e-6, NEARLY }, { 4 + 5e-6, BROKEN },
        { 4.5, BROKEN }, { 9e-7, NEARLY }, { 0.5, BROKEN }, { 1e9 + 0.5, NEARLY } };
    for (int k = 0; k < 8; k++) {
        fresh();
        x[3] = cases[k].value;
        CHECK(scanned(3) == CELLS_OK && whole == cases[k].is);
        CHECK(largest == fmax(6, x[3]));
    }
    fresh();                                             /* one that is broken is enough */
    x[0] = 1.1;
    x[3] = 4 - 9e-7;
    CHECK(scanned(3) == CELLS_OK && whole == BROKEN);
    CHECK(scanned(0) == CELLS_OK && whole == WHOLE && largest == 0);
}

static void no_counts(void)
{
    fresh();
    x[5] = NAN;
    CHECK(scanned(3) == CELLS_MISSING && row == 3 && col == 2);
    x[4] = -INFINITY;
    CHECK(scanned(3) == CELLS_INFINITE && row == 2 && col == 2);
    x[3] = 9.1e15;
    CHECK(scanned(3) == CELLS_HUGE && row == 1 && col == 2);
    x[2] = INFINITY;
    CHECK(scanned(3) == CELLS_INFINITE && row == 0 && col == 2);
    x[1] = -1;
    CHECK(scanned(3) == CELLS_NEGATIVE && row == 3 && col == 0);
}

int main(void)
{
    RUN(wholeness);
    RUN(no_counts);
    return report("scan");
}
