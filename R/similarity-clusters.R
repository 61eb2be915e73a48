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
            paste("%d groups of cells cannot be told apart in a latent with %d different cells;",
                "%d are taken"),
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
