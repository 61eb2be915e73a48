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

.latentLabels <- function(z, k, seed, part) {
    value <- .distinctRows(z)
    most <- max(value)
    at <- function(k) {
        if (k == 1L) return(rep(1L, nrow(z)))
        if (nrow(z) >= 1000L || k >= 5L) return(.spectral(z, k, seed, part + .part(0, 0, k))$labels)
        if (k == most) return(value)
        .spreadKmeans(z, k, 200L, seed, part + .part(0, 0, k))$cluster
    }
    for (can in min(k, most):1) if (!is.null(labels <- at(can))) break
    if (can < k)
        warning(sprintf(
            "%d groups of cells cannot be told apart in a latent with %d different cells; %d are taken",
        k, most, can), call. = FALSE)
    as.integer(.renumbered(labels))
}

# f of each of `items`, on up to `threads` processes. The first error stops; of equal warnings one
# is given.
.eachLatent <- function(items, f, threads) {
    kept <- function(item) {
        said <- character()
        value <- tryCatch(withCallingHandlers(f(item), warning = function(w) {
            said <<- c(said, conditionMessage(w))
            invokeRestart("muffleWarning")
        }), error = identity)
        list(value = value, said = said)
    }
    threads <- min(threads, length(items))
    out <- if (threads > 1L && .Platform$OS.type == "unix") {
        suppressWarnings(parallel::mclapply(items, kept, mc.cores = threads, mc.set.seed = FALSE,
            mc.preschedule = FALSE))
    } else lapply(items, kept)
    for (one in out) {
        if (!is.list(one))
            .stop("a process that clustered a latent ended before its time; try fewer threads")
        if (inherits(one$value, "error")) stop(one$value)
    }
    for (text in unique(unlist(lapply(out, `[[`, "said")))) warning(text, call. = FALSE)
    lapply(out, `[[`, "value")
}

.clusterLatents <- function(latents, k = NA, seed = 1, threads = 1L,
    n.total = nrow(latents[[1L]])) {
    kmax <- if (n.total >= 50000) 15L else 10L
    found <- .eachLatent(seq_along(latents), function(p) {
        z <- unname(latents[[p]])
        number <- if (is.na(k)) .clusterNumber(z, seed, .part(p), kmax) else as.integer(k)
        .latentLabels(z, number, seed, .part(p))
    }, threads)
    partitions <- matrix(unlist(found), ncol = length(latents))
    list(partitions = partitions, k = apply(partitions, 2L, max))
}

# ---- consensus ----

# Agreement of all pairs of partitions; on the diagonal the mean of the other entries of the column,
# as the page has it.
.agreements <- function(partitions) {
    P <- ncol(partitions)
    out <- matrix(NA_real_, P, P)
    for (a in seq_len(P - 1L)) for (b in (a + 1L):P) {
        out[a, b] <- out[b, a] <- adjustedRandIndex(partitions[, a], partitions[, b])
    }
    if (P > 1L) diag(out) <- colMeans(out, na.rm = TRUE)
    out
}

# The partitions that agree best. A grouping that cannot be had, or has no group of two, leaves the
# one before (at first: all).
.bestAgreeing <- function(agreement, seed) {
    members <- seq_len(nrow(agreement))
    for (i in (if (any(agreement < 0.7)) 2L else 1L):4L) {
        group <- if (i == 1L) rep(1L, nrow(agreement)) else
            .randomKmeans(agreement, i, 100L, seed, .part(0, 0, i))$cluster
        large <- if (!is.null(group)) which(tabulate(group, i) >= 2L)
        if (!length(large)) break
        mean <- vapply(large, function(g) mean(agreement[group == g, group == g]), 0)
        members <- which(group == large[which.max(mean)])
        if (max(mean) > 0.8) break
    }
    members
}

# Consensus of partitions (cells x partitions). Everything is done on the distinct rows of labels in
# lexicographic order, with the number of cells that have them: the order of the cells does not
# matter.
.consensusClusters <- function(partitions, seed, threads = 1L) {
    P <- ncol(partitions)
    partitions <- matrix(apply(partitions, 2L, function(x) match(x, sort(unique(x)))), ncol = P)
    number <- apply(partitions, 2L, max)
    pattern <- .distinctRows(partitions)
    rows <- partitions[match(seq_len(max(pattern)), pattern), , drop = FALSE]
    times <- as.double(tabulate(pattern))
    weight <- .Call(C_disputed, rows, times, as.integer(threads))
    agreement <- .agreements(partitions)
    if (P == 1L) {
        meta <- rows[, 1L]
        k.meta <- NA_integer_
    } else {
        k.meta <- as.integer(floor(mean(number[.bestAgreeing(agreement, seed)]) + 0.5)) + 1L
        # all clusters of all partitions, numbered
        object <- rows + rep(cumsum(number) - number, each = nrow(rows))
        holds <- sparseMatrix(i = as.vector(row(rows)), j = as.vector(object),
            x = sqrt(rep(weight * times, P)))
        both <- as.matrix(Matrix::crossprod(holds))
        size <- diag(both)
        tree <- stats::hclust(stats::as.dist(1 - both / (outer(size, size, "+") - both)), "ward.D")
        label <- stats::cutree(tree, min(k.meta, sum(number)))[object]
        votes <- vapply(seq_len(max(label)), function(m) rowSums(matrix(label == m, nrow(rows))),
            numeric(nrow(rows)))
        meta <- max.col(matrix(votes, nrow(rows)), "first")
    }
    cluster <- .renumbered(meta[pattern])
    list(cluster = cluster, K = max(cluster), agreement = agreement,
        mean.agreement = if (P > 1L) mean(agreement[upper.tri(agreement)]) else NA_real_,
        chosen = which.max(apply(partitions, 2L, adjustedRandIndex, cluster)), k.meta = k.meta,
        weight = weight[pattern])
}

# ---- cells outside the sample ----

# Each cell takes the most frequent label of the ten sample cells with which it is correlated most;
# of several, the one met first. A cell with u = 0 is correlated 0 with all: the ten first of the
# sample decide.
.propagateLabels <- function(z.all, z.sample, labels, block = 8192L) {
    u <- .unitRows(unname(z.sample))
    nn <- min(10L, nrow(u))
    out <- labels[rep(1L, nrow(z.all))]
    for (from in seq(1, by = block, length.out = ceiling(nrow(z.all) / block))) {
        rows <- from:min(nrow(z.all), from + block - 1)
        near <- .nearest(u, nn, .unitRows(unname(z.all[rows, , drop = FALSE])))$index
        theirs <- matrix(labels[near], nrow(near))
        votes <- vapply(seq_len(nn), function(j) rowSums(theirs == theirs[, j]),
            numeric(nrow(near)))
        best <- max.col(matrix(votes, nrow(near)), "first")
        out[rows] <- theirs[cbind(seq_along(best), best)]
    }
    out
}
