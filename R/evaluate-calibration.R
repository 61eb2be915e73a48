#' @include mask.R
NULL

#' Are filled-in values right on average?
#'
#' Compares filled-in values with molecules that were held out: what is filled in
#' from the rest says how many are to be expected in the held-out part, and their
#' means must agree, whatever the level of expression.
#'
#' @param m A [MaskedCounts-class] of scheme `"molecules"`.
#' @param filled What [infill()] made of [maskedData()], on the count scale.
#' @param by What the bins are made of: `"gene"`: genes, by their mean in
#'   `maskedData(m)`; `"value"`: entries, by their filled-in value.
#' @param entries `"all"`, or `"zeros"`: only those that are zero in `maskedData(m)`,
#'   which are what filling in with `keep = "observed"` changes.
#' @param bins Bins of equal size, from 1 to 1000; bins that would have the same
#'   bounds are one.
#' @param subset.row Genes to look at: names, positions or a logical vector; all
#'   when `NULL`. Genes without counts in `maskedData(m)` are left out.
#' @param name Assay of the result, when it is an experiment.
#' @return A `CalibrationTable`, a data.frame with one row per bin: `bin`; `lower`, `upper`: its
#'   range of mean counts (`"gene"`) or filled-in values (`"value"`); `n`: entries; `predicted`:
#'   mean of filled-in value x f/(1 - f), with f the fraction that was held out; `observed`: mean of
#'   the held-out molecules; `ratio`: predicted over observed (`NA` where none were observed), 1
#'   where values are right on average; `se`: standard error of `observed`. Raw counts have ratios
#'   near 1 by gene, and 0 at the zeros. `plot()`: a ggplot2 object.
#' @details Values are in molecules of the held-out part. Bounds of `by = "value"`
#'   are quantiles of at most 1e6 entries, evenly spaced.
#' @references Batson, Royer and Webber (2019). Molecular cross-validation for
#'   single-cell RNA-seq. bioRxiv 786269.
#' @seealso [maskCounts()], [permutationCheck()], [smoothingGauge()].
#' @examples
#' counts <- matrix(rpois(60 * 50, rexp(60, 1 / 4)), 60)
#' m <- maskCounts(counts, "molecules", seed = 1)
#' table <- calibrationTable(m, infill(maskedData(m), GeneMeanParam(over = "all")))
#' table
#' if (requireNamespace("ggplot2", quietly = TRUE)) plot(table)
#' @export
calibrationTable <- function(m, filled, by = c("gene", "value"), entries = c("all", "zeros"),
    bins = 10,
    subset.row = NULL, name = "infilled")
{
    .checkMasked(m, "m")
    if (m@scheme != "molecules")
        .stop("'m' must be a mask of scheme \"molecules\", not %s; recoveryError() judges others",
        dQuote(m@scheme, FALSE))
    by <- .checkChoice(by, "by", c("gene", "value"))
    entries <- .checkChoice(entries, "entries", c("all", "zeros"))
    bins <- .checkNumber(bins, "bins", 1, 1000, whole = TRUE)
    kept <- .keptOf(m)
    filled <- .filledOf(filled, name, "filled", dim(kept))
    if (!is.null(subset.row)) m <- .onlyGenes(m, kept, subset.row)
    mean <- Matrix::rowMeans(kept)
    genes <- which(mean > 0 & seq_along(mean) %in% .genesOf(kept, subset.row))
    if (!length(genes))
        .stop("'m' must have genes with counts that are not held out; none are left")
    test <- sparseMatrix(i = m@row, j = m@col, x = m@value, dims = dim(kept))
    # f(filled, held out, gene) for the entries that are looked at, block by block
    blocks <- function(f) for (at in .inBlocks(ncol(kept), nrow(kept))) {
        v <- as.matrix(filled[, at, drop = FALSE])[genes, , drop = FALSE]
        if (!is.numeric(v) || any(!is.finite(v))) .stop("'filled' must hold finite values")
        use <- if (entries == "all") rep(TRUE, length(v)) else
            as.vector(as.matrix(kept[genes, at, drop = FALSE]) == 0)
        f(as.vector(v)[use], as.vector(as.matrix(test[genes, at, drop = FALSE]))[use],
            rep.int(seq_along(genes), length(at))[use])
    }
    some <- if (by == "gene") mean[genes] else
        .someValues(blocks, as.double(length(genes)) * ncol(kept))
    breaks <- unique(quantile(some, seq(0, 1, length.out = bins + 1), names = FALSE))
    out <- .binned(blocks, breaks, if (by == "gene") mean[genes], m@fraction / (1 - m@fraction))
    structure(out, class = c("CalibrationTable", "data.frame"))
}

# Up to a million of the values in blocks.
.someValues <- function(blocks, n) {
    out <- numeric()
    every <- ceiling(n / 1e6)
    blocks(function(v, t, g) out <<-
        c(out, v[seq(1, by = every, length.out = ceiling(length(v) / every))]))
    if (!length(out)) .stop("'m' has no zeros to look at")
    out
}

# Means of predicted and held-out molecules by bin of the gene's mean (level), or of the value
# (level NULL).
.binned <- function(blocks, breaks, level, ratio) {
    n.bins <- max(1, length(breaks) - 1)
    bin <- function(v) pmin(pmax(findInterval(v, breaks, left.open = TRUE), 1), n.bins)
    sums <- matrix(0, n.bins, 4)
    gene.bin <- if (!is.null(level)) bin(level)
    blocks(function(v, t, g) {
        b <- factor(if (is.null(level)) bin(v) else gene.bin[g], seq_len(n.bins))
        sums <<- sums + vapply(list(rep(1, length(v)), v, t, t^2), function(w) {
            s <- rowsum(w, b)
            out <- numeric(n.bins)
            out[as.integer(rownames(s))] <- s
            out
        }, numeric(n.bins))
    })
    n <- sums[, 1L]
    observed <- sums[, 3L] / n
    out <- data.frame(bin = seq_len(n.bins), lower = breaks[seq_len(n.bins)],
        upper = breaks[pmin(seq_len(n.bins) + 1, length(breaks))], n = n,
        predicted = sums[, 2L] / n * ratio, observed = observed)
    out$ratio <- ifelse(observed > 0, out$predicted / observed, NA)
    out$se <- sqrt(pmax(sums[, 4L] / n - observed^2, 0) / n)
    out[n > 0, , drop = FALSE]
}

.genesOf <- function(kept, subset.row) {
    genes <- seq_len(nrow(kept))
    names(genes) <- rownames(kept)
    if (is.null(subset.row)) genes else genes[subset.row]
}

#' @param x A `CalibrationTable`.
#' @param ... Nothing: an argument here is an error.
#' @rdname calibrationTable
#' @export
plot.CalibrationTable <- function(x, ...) {
    .strict("plot()", ...)
    .needs("ggplot2", "plot()")
    d <- as.data.frame(x)
    d <- d[d$predicted > 0 & d$observed > 0, ]
    d$low <- pmax(d$observed - 2 * d$se, d$observed / 10)
    d$high <- d$observed + 2 * d$se
    .data <- ggplot2::.data
    ggplot2::ggplot(d, ggplot2::aes(.data$predicted, .data$observed)) +
        ggplot2::geom_abline(linetype = 2, colour = "grey50") + ggplot2::geom_line() +
        ggplot2::geom_pointrange(ggplot2::aes(ymin = .data$low, ymax = .data$high), size = 0.3) +
        ggplot2::scale_x_log10() + ggplot2::scale_y_log10() +
        ggplot2::labs(x = "molecules predicted", y = "molecules held out",
            title = "Held-out molecules, by expression") +
        ggplot2::theme_minimal()
}
