# Data with groups, and an oversmoother, for the checks of false signal.

smoothed <- function(counts, k = 500) {
    n <- ncol(counts)
    if (n <= k) return(counts * 0 + rowMeans(counts))
    logs <- log1p(t(counts) / colSums(counts) * median(colSums(counts)))
    near <- cbind(seq_len(n), FNN::get.knn(logs, k - 1)$nn.index)
    vapply(seq_len(n), function(c) rowMeans(counts[, near[c, ]]), numeric(nrow(counts)))
}

# genes x cells in three groups, with differences of 80 of the genes
grouped <- function(genes = 160, cells = 240, seed = 1) withSeed(seed, {
    group <- rep(1:3, length.out = cells)
    mean <- rexp(genes, 1 / 3) + 0.3
    effect <- matrix(1, genes, 3)
    effect[seq_len(genes %/% 2), ] <- exp(rnorm(genes %/% 2 * 3))
    rate <- mean * effect[, group] * rep(rlnorm(cells, 0, 0.3), each = genes) *
        rgamma(genes * cells, 8, 8)
    list(counts = matrix(rpois(genes * cells, rate), genes,
        dimnames = list(paste0("g", 1:genes), NULL)), group = group, rate = rate)
})
