/* GraphSCI's plan: its members, and whether they go together. */
#include <limits.h>
#include <math.h>
#include "graphsci_net.h"

const Field gs_plan_fields[] = {
    F_INT(GsPlan, "cells", cells, 1, INT_MAX),
    F_INT(GsPlan, "iterations", iterations, 1, 1e6),
    F_INTS(GsPlan, "first", first, 0, INT_MAX, 2, ANY_LENGTH),
    F_INTS(GsPlan, "neighbours", neighbours, 0, INT_MAX, 0, ANY_LENGTH),
    F_INTS(GsPlan, "pairs", pairs, 0, INT_MAX, 0, ANY_LENGTH),
    F_REALS(GsPlan, "size", size, 0, HUGE_VAL, 1, ANY_LENGTH),
    F_END
};

/* Are the neighbours of each gene other genes, rising? */
static int is_graph(const GsPlan *p, int n_genes)
{
    for (int g = 0; g < n_genes; g++)
        for (int k = p->first.at[g]; k < p->first.at[g + 1]; k++) {
            int j = p->neighbours.at[k];
            if (j >= n_genes || j == g || (k > p->first.at[g] && j <= p->neighbours.at[k - 1]))
                return 0;
        }
    return 1;
}

const Field *gs_odd(const void *params, const void *plan, int n_genes)
{
    const GsPlan *p = plan;
    enum { CELLS, ITERATIONS, FIRST, NEIGHBOURS, PAIRS, SIZE };
    (void) params;
    if (p->first.n != (size_t) n_genes + 1 || p->first.at[0]) return gs_plan_fields + FIRST;
    for (int g = 0; g < n_genes; g++)
        if (p->first.at[g + 1] < p->first.at[g]) return gs_plan_fields + FIRST;
    if ((size_t) p->first.at[n_genes] != p->neighbours.n || !is_graph(p, n_genes))
        return gs_plan_fields + NEIGHBOURS;
    if (p->pairs.n % 4) return gs_plan_fields + PAIRS;
    for (size_t k = 0; k < p->pairs.n; k++)
        if (p->pairs.at[k] >= n_genes) return gs_plan_fields + PAIRS;
    return p->size.n != (size_t) p->cells ? gs_plan_fields + SIZE : NULL;
}
