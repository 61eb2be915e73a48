/* Cells go through a fitted network in blocks, a block for each thread at a time. */
#include "nn.h"

void predict_blocks(int cells, int at_once, int threads, Tick tick, BlockWork work, void *self)
{
    for (int from = 0; from < cells; from += at_once * threads) {
        PARALLEL_FOR(threads)
        for (int t = 0; t < threads; t++) {
            int first = from + t * at_once, n = cells - first < at_once ? cells - first : at_once;
            if (n > 0) work(self, t, first, n);
        }
        tick_idle(tick);
    }
}
