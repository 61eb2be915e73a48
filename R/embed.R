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
        crossprod(m, eigen(tcrossprod(m), symmetric = TRUE)$vectors[, seq_len(k), drop = FALSE])
    else {
        e <- eigen(crossprod(m), symmetric = TRUE)
        e$vectors[, seq_len(k), drop = FALSE] * rep(sqrt(pmax(e$values[seq_len(k)], 0)),
            each = ncol(m))
    }
}
