# Clusters and their consensus in plain R (see ?similarityModule, Details), and small data for them.

unitRows <- function(...) infill:::.unitRows(...)
spectral <- function(...) infill:::.spectral(...)
consensus <- function(...) infill:::.consensusClusters(...)
propagate <- function(...) infill:::.propagateLabels(...)

# Cells around directions drawn at random: the labels are the names of the rows.
groupedLatent <- function(sizes, spread = 0.3, L = 10, seed = 1) withSeed(seed, {
    label <- rep(seq_along(sizes), sizes)
    z <- matrix(rnorm(length(sizes) * L), length(sizes))[label, , drop = FALSE] + spread *
        rnorm(length(label) * L)
    rownames(z) <- label
    z
})
truth <- function(z) as.integer(rownames(z))
noisyLabels <- function(label, share, k, seed) withSeed(seed,
    ifelse(runif(length(label)) < share, sample.int(k, length(label), replace = TRUE), label))

refDistance <- function(z) {
    u <- unitRows(z)
    d <- 1 - tcrossprod(u)
    d[rowSums(u != 0) == 0, ] <- 1
    d[, rowSums(u != 0) == 0] <- 1
    d
}

refNeighbours <- function(d, nn) {
    diag(d) <- Inf
    matrix(unlist(lapply(seq_len(nrow(d)), function(i) order(d[i, ])[seq_len(nn)])), ncol = nn,
        byrow = TRUE)
}

refComponents <- function(edge) {
    reach <- (edge + diag(nrow(edge))) > 0
    repeat {
        further <- reach %*% reach > 0
        if (identical(further, reach)) break
        reach <- further
    }
    apply(reach, 1L, function(r) which(r)[1L])
}

refWeights <- function(d, nn) {
    n <- nrow(d)
    near <- refNeighbours(d, nn)
    W <- matrix(0, n, n)
    w <- numeric(n)
    for (i in seq_len(n)) w[i] <- max(d[i, near[i, nn]], 1e-12)
    for (i in seq_len(n)) for (j in near[i, ]) {
        W[i, j] <- W[j, i] <- max(dnorm(abs(qnorm(1 / (2 * (nn + 1)))) * d[i, j]^2 / (w[i] * w[j])),
            1e-12)
    }
    W
}

denseWeights <- function(edges, n) {
    W <- matrix(0, n, n)
    W[cbind(edges$i, edges$j)] <- edges$weight
    W + t(W)
}

refConsensus <- function(partitions) {
    n <- nrow(partitions)
    P <- ncol(partitions)
    A <- Reduce(`+`,
        lapply(seq_len(P), function(p) outer(partitions[, p], partitions[, p], "=="))) / P
    w <- (4 / n * rowSums(A * (1 - A)) + 0.01) / 1.01
    objects <- list()
    for (p in seq_len(P)) for (a in sort(unique(partitions[, p]))) objects <- c(objects,
        list(list(p = p, a = a, cells = which(partitions[, p] == a))))
    m <- length(objects)
    s <- matrix(0, m, m)
    for (a in seq_len(m)) for (b in seq_len(m)) s[a,
        b] <- sum(w[intersect(objects[[a]]$cells, objects[[b]]$cells)]) /
        sum(w[union(objects[[a]]$cells, objects[[b]]$cells)])
    list(w = w, labels = function(k) {
        meta <- cutree(hclust(as.dist(1 - s), "ward.D"), k)
        vapply(seq_len(n), function(x) {
            mine <- vapply(seq_len(P),
                function(p)
                meta[[which(vapply(objects, function(o) o$p == p && o$a == partitions[x, p], NA))]],
                0L)
            as.integer(names(which.max(table(mine))))
        }, 0L)
    })
}
