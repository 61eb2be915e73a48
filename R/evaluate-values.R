# Counts and filled-in values as the checks look at them.

# What was filled in, as something of genes x cells that can be cut into blocks.
.filledOf <- function(x, name, arg, shape = NULL) {
    x <- .resultOf(x, name, arg)
    if (length(dim(x)) != 2L || is.data.frame(x))
        .stop("'%s' must be values of genes x cells, not %s", arg, .describe(x))
    if (!is.null(shape) && any(dim(x) != shape))
        .stop("'%s' must be %d x %d like the counts, not %d x %d", arg, shape[1L],
        shape[2L], nrow(x), ncol(x))
    .checkMatrix(x, arg)
}

# Values that need not be counts: a matrix-like of genes x cells.
.matrixOf <- function(x, assay.type, arg) {
    if (.isExperiment(x)) return(.counts(x, assay.type, arg))
    .filledOf(x, NULL, arg)
}

# Some genes of x, dense, and the totals of all cells over all genes. A block of cells at a time.
.rowsAndTotals <- function(x, rows, arg) {
    out <- matrix(0, length(rows), ncol(x))
    total <- numeric(ncol(x))
    for (at in .inBlocks(ncol(x), nrow(x))) {
        block <- as.matrix(x[, at, drop = FALSE])
        if (!is.numeric(block) || any(!is.finite(block)) || any(block < 0)) .stop(
            "'%s' must hold finite, non-negative values on the scale of counts", arg)
        total[at] <- colSums(block)
        out[, at] <- block[rows, , drop = FALSE]
    }
    list(values = out, total = total)
}

# f(block, genes) of some genes at a time, all cells dense; finite numbers are seen to.
.overGenes <- function(x, arg, f) {
    lapply(.inBlocks(nrow(x), ncol(x)), function(at) {
        block <- as.matrix(x[at, , drop = FALSE])
        if (!is.numeric(block) || any(!is.finite(block)))
            .stop("'%s' must hold finite numbers", arg)
        storage.mode(block) <- "double"
        f(unname(block))
    })
}

# A gene that does not vary beyond the rounding of single precision is made constant.
.flattened <- function(m) {
    flat <- apply(m, 1L, function(v) max(v) - min(v) <= 1e-6 * max(abs(v)))
    m[flat, ] <- m[flat, 1L]
    m
}

.mostDetected <- function(counts, n) {
    detected <- tabulate(counts@i + 1L, nrow(counts))
    head(order(-detected), min(n, sum(detected > 0)))
}

.rowVars <- function(m) rowSums((m - rowMeans(m))^2) / (ncol(m) - 1)

# Worst of some verdicts.
.worst <- function(v) c("green", "yellow", "red")[max(match(v, c("green", "yellow", "red")))]

.percent <- function(v) ifelse(v > 0 & v < 1e-4, "< 0.01 %", sprintf("%.2f %%", 100 * v))
