# Cells in few dimensions, and groups of them: other people's methods, one door to each.

# Principal components of the columns of m, columns x n (fewer where there are not so many): by
# irlba where it is installed and the matrix is worth it, else by prcomp.
.principal <- function(m, n) {
    m <- t(as.matrix(m))
    n <- min(n, dim(m) - 1L)
    if (n < 1L) return(m)
    whole <- function(...) stats::prcomp(m, rank. = n)$x
    # irlba gives up on matrices of low rank, such as what a gene mean predicts
    if (min(dim(m)) > max(50, 4 * n) && requireNamespace("irlba", quietly = TRUE))
        suppressWarnings(tryCatch(
        # its start is random, and R's generator the user's
        .withSeed(1, irlba::prcomp_irlba(m, n)$x), error = whole))
    else whole()
}

# Two coordinates for each column of m, and their names.
.mapOfCells <- function(m, embedding) {
    if (embedding == "pca") {
        at <- .principal(m, 2)
        if (ncol(at) < 2L) at <- cbind(at, 0)
        return(list(at = at, names = c("PC1", "PC2")))
    }
    pcs <- .principal(m, 20)
    if (embedding == "umap")
        list(at = .withSeed(1, uwot::umap(pcs, n_neighbors = min(15, nrow(pcs) - 1), n_threads = 1,
            n_sgd_threads = 1)),
        names = c("UMAP1", "UMAP2"))
    else list(at = .withSeed(1,
        Rtsne::Rtsne(pcs, pca = FALSE, perplexity = min(30, (nrow(pcs) - 1) %/% 3),
            check_duplicates = FALSE)$Y),
        names = c("tSNE1", "tSNE2"))
}

# k-means of R, with its generator set and put back.
.kMeans <- function(x, k, seed) .withSeed(seed,
    stats::kmeans(x, k, iter.max = 100, nstart = 10)$cluster)

# Components of the cells, cells x k, with no random start: by the smaller of the two cross
# products.
.cellComponents <- function(m, k) {
    m <- m - rowMeans(m)
    k <- min(k, dim(m))
    if (nrow(m) <= ncol(m))
        crossprod(m, .leading(.crossed(m), k)$vectors)
    else {
        e <- .leading(.crossed(t(m)), k)
        e$vectors * rep(sqrt(pmax(e$values, 0)), each = ncol(m))
    }
}

# tcrossprod(m) a block of rows at a time, because a product of all of it cannot be interrupted.
.crossed <- function(m) {
    out <- matrix(0, nrow(m), nrow(m))
    .crossRows(m, function(at, r) {
        out[seq_len(nrow(r)), at] <<- r
        out[at, seq_len(nrow(r))] <<- t(r)
    })
    out
}

# f(rows, products of all rows up to the last of them with these), block by block of some 2e8
# products.
.crossRows <- function(m, f) for (at in .inBlocks(nrow(m), length(m) / 50)) {
    .Call(C_tick)
    f(at, tcrossprod(m[seq_len(max(at)), , drop = FALSE], m[at, , drop = FALSE]))
}

# The first k eigenvectors of a symmetric matrix and their values: by R's eigen(), or, where that
# would take seconds, by Lanczos' steps, all orthogonal to all before, until the residuals of all k
# are nothing.
.leading <- function(a, k) {
    n <- nrow(a)
    if (n <= 500) {
        e <- eigen(a, symmetric = TRUE)
        return(list(values = e$values[seq_len(k)], vectors = e$vectors[, seq_len(k), drop = FALSE]))
    }
    basis <- matrix(0, n, 0)
    v <- .Call(C_uniforms, n, 1, 2) - 0.5
    diagonal <- beside <- numeric()
    repeat {
        .Call(C_tick)
        for (twice in 1:2) v <- v - drop(basis %*% crossprod(basis, v))
        basis <- cbind(basis, v / sqrt(sum(v^2)))
        j <- ncol(basis)
        w <- drop(a %*% basis[, j])
        diagonal[j] <- sum(w * basis[, j])
        v <- w - drop(basis %*% crossprod(basis, w))
        beside[j] <- sqrt(sum(v^2))
        if (j %% 20 && j < n && beside[j] > 1e-12 * max(abs(diagonal))) next
        small <- diag(diagonal, j)
        small[cbind(seq_len(j - 1L) + 1L, seq_len(j - 1L))] <- beside[seq_len(j - 1L)]
        e <- eigen(small, symmetric = TRUE)
        left <- beside[j] * abs(e$vectors[j, seq_len(min(j, k))])
        if (j >= k && all(left <= 1e-12 * max(abs(e$values))) || j >= n) break
        if (!(beside[j] > 1e-12 * max(abs(diagonal)))) v <- .Call(C_uniforms, n, 1, j + 2) - 0.5
    }
    list(values = e$values[seq_len(k)], vectors = basis %*% e$vectors[, seq_len(k), drop = FALSE])
}
