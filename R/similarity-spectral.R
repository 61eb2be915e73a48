# What does not depend on k: the distinct cells (u, n of them; all: which of them each cell is), the
# merges of components. With 7 neighbours every component has 8 nodes or more, so all are counted.
.spectralGraph <- function(z) {
    group <- .distinctRows(z)
    first <- which(!duplicated(group))
    u <- .unitRows(z[first, , drop = FALSE])
    n <- nrow(u)
    joins <- numeric()
    if (n > 8L) {
        near <- .nearest(u, 7L)$index
        joins <- .joins(u, .components(n, as.vector(row(near)), as.vector(near)))
    }
    list(u = u, n = n, all = match(group, group[first]), joins = joins)
}

# Neighbours needed for k groups: 7, 9, ... until the graph has one component, or fewer than k - 1.
.neighboursFor <- function(graph, k) {
    merges <- length(graph$joins) + 1 - pmax(1, k - 2)
    least <- c(7, graph$joins)[pmax(0, merges) + 1]
    as.integer(pmin(7 + 2 * ceiling((pmax(least, 7) - 7) / 2), graph$n - 1))
}

# S = Dg^-1/2 W Dg^-1/2 as edges i < j with values x, and the degrees.
.similarityEdges <- function(u, nn) {
    near <- .nearest(u, nn)
    far <- pmax(near$dist[, nn], 1e-12)
    i <- as.vector(row(near$index))
    j <- as.vector(near$index)
    once <- !duplicated(pmin(i, j) * (nrow(u) + 1) + pmax(i, j))
    low <- pmin(i, j)[once]
    high <- pmax(i, j)[once]
    scale <- -stats::qnorm(1 / (2 * (nn + 1)))
    weight <- pmax(stats::dnorm(scale * as.vector(near$dist)[once]^2 / (far[low] * far[high])),
        1e-12)
    degree <- as.vector(rowsum(c(weight, weight), c(low, high)))
    list(i = low, j = high, weight = weight, degree = degree,
        x = weight / sqrt(degree[low] * degree[high]))
}

# The k largest eigenvalues of a symmetric matrix S with eigenvalues in [-1, 1], and vectors; NULL
# when they do not settle. A block of vectors goes through Chebyshev polynomials of S, which grow
# above the smallest value of the block. Not Lanczos with one vector, as of irlba: groups (nearly)
# apart make (nearly) multiple eigenvalues 1, of which it may find fewer directions than there are,
# with small residuals. `start`: a matrix of more than k columns.
.largestEigen <- function(S, k, start, tolerance = 1e-8, turns = 60L) {
    times <- function(x, by) x * rep(by, each = nrow(x))
    first <- seq_len(k)
    x <- qr.Q(qr(start, LAPACK = TRUE))
    for (turn in seq_len(turns)) {
        y <- as.matrix(S %*% x)
        small <- eigen(crossprod(x, y), symmetric = TRUE)
        values <- small$values
        x <- x %*% small$vectors
        y <- y %*% small$vectors
        if (max(colSums((y - times(x, values))[, first, drop = FALSE]^2)) <= tolerance^2)
            return(list(
            values = values[first], vectors = x[, first, drop = FALSE]))
        top <- max(values[length(values)], -0.5)                     # [-1, top] goes to [-1, 1]
        half <- (1 + top) / 2
        centre <- (top - 1) / 2
        degree <- max(2, min(40, ceiling(14 / acosh(max((1 - centre) / half, 1 + 1e-6)))))
        old <- x
        x <- (y - centre * x) / half
        for (step in seq_len(degree - 1)) {
            new <- 2 * (as.matrix(S %*% x) - centre * x) / half - old
            old <- x
            x <- new
        }
        x <- qr.Q(qr(x, LAPACK = TRUE))
    }
    NULL
}

# The k leading eigenvectors of S, or NULL. Groups held together by nothing but the least weights
# are given to the block as they are: their eigenvalues differ by less than any iteration can see.
.leadingVectors <- function(u, nn, k) {
    n <- nrow(u)
    edges <- .similarityEdges(u, nn)
    S <- sparseMatrix(i = edges$i, j = edges$j, x = edges$x, dims = c(n, n), symmetric = TRUE)
    strong <- edges$weight > 1e-6
    group <- .components(n, edges$i[strong], edges$j[strong])
    groups <- if (max(group) <= 100L) max(group) else 0L
    width <- k + 10L + groups
    if (n >= max(200L, 4L * width)) {
        start <- matrix(.uniforms(n * (k + 10L), 0, 0) - 0.5, n)
        if (groups) start <- cbind(start, outer(group, seq_len(groups), "==") * sqrt(edges$degree))
        found <- .largestEigen(S, k, start)
        if (!is.null(found)) return(found$vectors)
    }
    if (n > 2000L) return(NULL)
    eigen(as.matrix(S), symmetric = TRUE)$vectors[, seq_len(k), drop = FALSE]
}

# For each of ks the rows of the k leading eigenvectors, of length 1; NULL for a k that cannot be
# had.
.embeddings <- function(graph, ks) {
    out <- vector("list", length(ks))
    can <- which(ks < graph$n)
    nn <- .neighboursFor(graph, ks)
    for (same in split(can, nn[can])) {
        v <- .leadingVectors(graph$u, nn[same[1L]], max(ks[same]))
        if (!is.null(v)) out[same] <- lapply(ks[same], function(k) {
            x <- v[, seq_len(k), drop = FALSE]
            x / pmax(sqrt(rowSums(x^2)), 1e-300)
        })
    }
    out
}

.spectralGroups <- function(graph, embedding, k, seed, part) {
    if (is.null(embedding)) return(NULL)
    fit <- .randomKmeans(embedding, k, 50L, seed, part)
    if (!is.null(fit)) list(labels = fit$cluster[graph$all],
        between.total = fit$betweenss / fit$totss,
        within = fit$tot.withinss)
}

.spectral <- function(z, k, seed, part) {
    graph <- .spectralGraph(z)
    if (k >= graph$n) return(NULL)
    .spectralGroups(graph, .embeddings(graph, k)[[1L]], k, seed, part)
}

# ---- one latent ----

# Ten subsamples have two candidates each: the k that explains most, and the k from 3 at which the
# within sum rises most.
.clusterNumber <- function(z, seed, part, kmax) {
    n <- nrow(z)
    size <- min(500L, n)
    candidates <- numeric()
    for (s in 1:10) {
        # of few cells all are taken, every time
        if (s == 1L || size < n) {
            rows <- sort(order(.uniforms(n, seed, part + .part(0, s)))[seq_len(size)])
            graph <- .spectralGraph(z[rows, , drop = FALSE])
            ks <- seq_len(min(kmax, graph$n %/% 3L))[-1L]
            embeddings <- .embeddings(graph, ks)
        }
        fits <- Map(function(e, k) .spectralGroups(graph, e, k, seed, part + .part(0, s, k)),
            embeddings, ks)
        value <- function(name) vapply(fits, function(f) if (is.null(f)) NA_real_ else f[[name]], 0)
        within <- value("within")
        rise <- c(NA, diff(within) / within[-length(within)])[seq_along(ks)]
        rise[is.nan(rise)] <- 0                                      # from nothing to nothing
        candidates <- c(candidates, ks[which.max(value("between.total"))], ks[which.max(rise)])
    }
    if (length(candidates)) as.integer(floor(mean(candidates) + 0.5)) else 1L
}

# ---- k-means ----

# The best k-means from several starts, each a row of `starts` (rows of x); NULL when all fail. A
# start may end with an empty cluster, which is an error of kmeans(), and steps beyond its limits, a
# warning, are no harm.
.bestKmeans <- function(x, starts) {
    best <- NULL
    suppressWarnings(for (s in seq_len(nrow(starts))) {
        fit <- tryCatch(stats::kmeans(x, x[starts[s, ], , drop = FALSE], iter.max = 100L),
            error = function(e) NULL)
        if (is.null(best) || !is.null(fit) && fit$tot.withinss < best$tot.withinss) best <- fit
    })
    best
}

# From `times` sets of k distinct rows.
.randomKmeans <- function(x, k, times, seed, part) {
    rows <- which(!duplicated(.distinctRows(x)))
    if (k >= nrow(x) || k > length(rows)) return(NULL)
    .bestKmeans(x, matrix(rows[.randomSets(length(rows), k, times, seed, part)], times))
}

# From `times` starts of k-means++: each centre is drawn with the squared distance to the nearest
# one before. For few rows.
.spreadKmeans <- function(x, k, times, seed, part) {
    n <- nrow(x)
    u <- matrix(.uniforms(k * times, seed, part), times)
    apart <- as.matrix(stats::dist(x))^2
    starts <- matrix(as.integer(u[, 1L] * n) + 1L, times, k)
    near <- apart[, starts[, 1L], drop = FALSE]
    for (j in seq_len(k)[-1L]) {
        sum <- apply(near, 2L, cumsum)
        starts[, j] <- pmin(n, 1L + as.integer(colSums(sum < rep(u[, j] * sum[n, ], each = n))))
        near <- pmin(near, apart[, starts[, j], drop = FALSE])
    }
    .bestKmeans(x, starts)
}
