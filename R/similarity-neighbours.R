#' @include checks.R
NULL

# Module one of scINN, its last part: clusters of each latent, and their consensus. z: cells x
# coordinates; u: the same rows centred and of length 1. The distance of two cells is D = 1 - u_i .
# u_j, everywhere computed as |u_i - u_j|^2 / 2, which is exact for equal rows and keeps its digits
# for near ones. A row u = 0 has D = 1 to all others.

# Distinct parts of the stream for clustering: latent below 2^15 (0: the consensus), subsample below
# 16 (0: the labels themselves), number of groups (0: the subsample). Sums of the three kinds do not
# meet.
.part <- function(latent = 0, subsample = 0, k = 0) 65536 * latent + 4096 * subsample + k %% 4096

.uniforms <- function(n, seed, part) .Call(C_uniforms, as.integer(n), as.double(seed),
    as.double(part))

# `times` random sets of `size` of the numbers 1..n, one a row (Floyd's sampling).
.randomSets <- function(n, size, times, seed, part) {
    u <- matrix(.uniforms(size * times, seed, part), times)
    sets <- matrix(0L, times, size)
    for (j in seq_len(size)) {
        last <- n - size + j
        pick <- as.integer(u[, j] * last) + 1L
        pick[rowSums(sets == pick) > 0] <- as.integer(last)
        sets[, j] <- pick
    }
    sets
}

.unitRows <- function(z) {
    before <- sqrt(rowSums(z^2))
    z <- z - rowMeans(z)
    size <- sqrt(rowSums(z^2))
    z <- z / size
    z[size <= 1e-12 * before, ] <- 0
    z
}

# For each row the number of its value, in lexicographic order of the distinct rows.
.distinctRows <- function(x) {
    by <- do.call(order, lapply(seq_len(ncol(x)), function(j) x[, j]))
    x <- x[by, , drop = FALSE]
    differs <- rowSums(x[-1L, , drop = FALSE] != x[-nrow(x), , drop = FALSE]) > 0
    group <- integer(nrow(x))
    group[by] <- cumsum(c(TRUE, differs))
    group
}

# Labels 1, 2, ... by first appearance.
.renumbered <- function(x) match(x, unique(x))

# ---- neighbours ----

.isZero <- function(u) rowSums(u != 0) == 0

# D between all rows of q and all rows of u.
.distances <- function(q, u) {
    d <- matrix(0, nrow(q), nrow(u))
    for (l in seq_len(ncol(u))) d <- d + outer(q[, l], u[, l], "-")^2
    d <- d / 2
    d[.isZero(q), ] <- 1
    d[, .isZero(u)] <- 1
    d
}

# Calls f(row, its distances to all of u) for each of `rows` of q, some at a time.
.eachRow <- function(q, u, rows, f) {
    size <- max(1, 2e6 %/% nrow(u))
    for (from in seq(1, by = size, length.out = ceiling(length(rows) / size))) {
        some <- rows[from:min(length(rows), from + size - 1)]
        d <- .distances(q[some, , drop = FALSE], u)
        for (i in seq_along(some)) f(some[i], d[i, ])
    }
}

# The nn rows of u nearest to each row of `query` (to each row of u, without itself, when there is
# none): rows sorted by D, ties by index. FNN (brute force, which at 15 coordinates is faster than
# its trees) gives one neighbour more than asked for; where the last two cannot be told apart, and
# for u = 0, all distances are sorted. For FNN a row u = 0 has one more coordinate, 1: so it is as
# far from the others as D = 1 says.
.nearest <- function(u, nn, query = NULL) {
    self <- is.null(query)
    if (self) query <- u
    index <- matrix(0L, nrow(query), nn)
    dist <- matrix(0, nrow(query), nn)
    open <- rep(TRUE, nrow(query))
    known <- which(!.isZero(query))
    wanted <- nn + 1L + self
    if (nn <= 500L && wanted < nrow(u) && length(known)) {
        q <- query[known, , drop = FALSE]
        i <- FNN::get.knnx(cbind(u, .isZero(u)), cbind(q, 0), wanted, algorithm = "brute")$nn.index
        d <- matrix(0, nrow(i), wanted)
        for (l in seq_len(ncol(u))) d <- d + (q[, l] - u[i, l])^2
        d <- d / 2
        d[.isZero(u)[i]] <- 1
        if (self) d[i == known] <- Inf
        by <- order(row(d), d, i)
        i <- matrix(i[by], ncol = wanted, byrow = TRUE)
        d <- matrix(d[by], ncol = wanted, byrow = TRUE)
        index[known, ] <- i[, seq_len(nn)]
        dist[known, ] <- d[, seq_len(nn)]
        open[known] <- d[, nn + 1L] - d[, nn] <= 1e-12
    }
    .eachRow(query, u, which(open), function(row, d) {
        if (self) d[row] <- Inf
        first <- order(d)[seq_len(nn)]
        index[row, ] <<- first
        dist[row, ] <<- d[first]
    })
    list(index = index, dist = dist)
}

# Connected components of n nodes, numbered by their first node. Each round hangs every root that
# has an edge to a lower root below the lowest of them.
.components <- function(n, from, to) {
    root <- seq_len(n)
    repeat {
        low <- pmin(root[from], root[to])
        high <- pmax(root[from], root[to])
        apart <- low < high
        if (!any(apart)) return(.renumbered(root))
        # of several assignments the last one stays
        by <- which(apart)[order(low[apart], decreasing = TRUE)]
        up <- seq_len(n)
        up[high[by]] <- low[by]
        while (!identical(up, further <- up[up])) up <- further
        root <- up[root]
    }
}

# ---- spectral clustering ----

# The numbers of neighbours at which the components of the graph merge, sorted. Two components are
# joined by an edge from as many neighbours on as the best rank of a cell of one among the
# neighbours of a cell of the other: single linkage.
.joins <- function(u, component) {
    n <- max(component)
    if (n == 1L) return(numeric())
    rank <- matrix(Inf, n, n)
    size <- max(1, 2e6 %/% nrow(u))
    for (from in seq(1, nrow(u), size)) {
        rows <- from:min(nrow(u), from + size - 1)
        # only ranks are wanted: the fast way will do
        d <- 1 - tcrossprod(u[rows, , drop = FALSE], u)
        for (row in rows) {
            d[row - from + 1, row] <- -1
            at <- component[row]
            rank[at, ] <-
                pmin(rank[at, ], match(seq_len(n), component[order(d[row - from + 1, ])]) - 1)
        }
    }
    sort(stats::hclust(stats::as.dist(pmin(rank, t(rank))), "single")$height)
}
