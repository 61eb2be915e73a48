#' @include infill.R
NULL

#' Are zeros of genes that are not expressed kept?
#'
#' A zero of a gene that bulk data of the same cells do not have either is no
#' dropout, and should stay. Genes are binned by their bulk expression; of each bin
#' the share of zeros before and after filling in is given (AutoImpute paper).
#'
#' @param x Counts, genes x cells, in any container that [infill()] takes, or an
#'   experiment with both counts and result.
#' @param filled What was made of them, the same genes x cells; by default `x`.
#' @param bulk Expression of each gene in matched bulk data, on any scale that is 0
#'   where there is none: a vector in the order of the genes or named like them, or
#'   a matrix of genes x replicates, whose median is taken. `NA`: gene not used.
#' @param bins Number of bins of equal size for genes with bulk expression above 0,
#'   or their bounds. Genes with none are a bin of their own, the first.
#' @param threshold Filled-in values up to this count as zeros.
#' @param assay.type,name Assays of counts and result, when experiments are given.
#' @param ... Further results of the same counts and bins, named by the method.
#' @param label What `x` is called in the picture.
#' @return A `ZerosByBulk`, a data.frame with one row per bin: `bin` (0: no bulk expression),
#'   `lower` and `upper` (bulk expression; bins hold their upper bound), `genes`,
#'   `before` and `after` (shares of zeros), `kept` (after/before) and `log.after`
#'   (natural logarithm, as the figure has it; `-Inf` where no zero is left). Good: `kept` near 1 in
#'   bin 0 and low in the last. `plot()`: a ggplot of the shares of zeros by bin, before and after.
#' @references Talwar et al. (2018), Scientific Reports 8:16329 (Fig. 2).
#' @examples
#' mean <- c(rep(0, 10), rexp(40))
#' counts <- matrix(rpois(2000, mean), 50)
#' zeros <- zerosByBulk(counts, infill(counts, GeneMeanParam()), bulk = 100 * mean, bins = 3)
#' zeros
#' if (requireNamespace("ggplot2", quietly = TRUE)) plot(zeros)
#' @export
zerosByBulk <- function(x, filled = x, bulk, bins = 10, threshold = 0, ...,
    assay.type = "counts", name = "infilled")
{
    .strict("zerosByBulk()", ...)
    counts <- .countsOf(x, assay.type)
    if (missing(filled) && !.isExperiment(x)) .stop(
        "'filled' must be given where 'x' is no experiment that holds it")
    filled <- .filledOf(filled, name, "filled", dim(counts))
    threshold <- .checkNumber(threshold, "threshold", 0, Inf)
    if (missing(bulk)) .stop("'bulk' must be given: a value for each gene, or genes x replicates")
    if (length(dim(bulk)) == 2L) bulk <- apply(as.matrix(.checkMatrix(bulk, "bulk")), 1L, median)
    bulk <- .perGene(bulk, counts, "bulk")
    if (!is.numeric(bulk) || any(bulk < 0 | is.infinite(bulk), na.rm = TRUE)) .stop(
        "'bulk' must hold finite, non-negative numbers, not %s", .describe(bulk))
    there <- bulk[!is.na(bulk) & bulk > 0]
    if (is.numeric(bins) && length(bins) > 1L) {
        if (anyNA(bins) || is.unsorted(bins, strictly = TRUE))
            .stop("'bins' must be a number, or bounds that rise")
        breaks <- bins
    } else {
        bins <- .checkNumber(bins, "bins", 1, 1e4, whole = TRUE)
        breaks <- if (length(there))
            unique(quantile(there, seq(0, 1, length.out = bins + 1), names = FALSE))
    }
    bin <- ifelse(bulk == 0, 0L, if (length(breaks) > 1L)
        findInterval(bulk, breaks, left.open = TRUE, rightmost.closed = TRUE)
        else 1L)
    if (length(breaks) > 1L)
        bin[!is.na(bulk) & bulk > 0 & (bulk < breaks[1L] | bulk > breaks[length(breaks)])] <- NA
    zeros <- numeric(nrow(counts))
    for (at in .inBlocks(ncol(counts), nrow(counts))) {
        block <- as.matrix(filled[, at, drop = FALSE])
        if (!is.numeric(block) || anyNA(block)) .stop("'filled' must hold numbers")
        zeros <- zeros + rowSums(block <= threshold)
    }
    before <- 1 - tabulate(counts@i + 1L, nrow(counts)) / ncol(counts)
    levels <- sort(unique(bin))
    if (!length(levels)) .stop("'bulk' must be known of some genes within the bins")
    by <- factor(bin, levels)
    of <- function(v) as.vector(tapply(v, by, mean))
    edge <- function(k) ifelse(levels == 0, 0, breaks[pmin(pmax(levels + k, 1), length(breaks))])
    out <- data.frame(bin = levels, lower = edge(0), upper = edge(1), genes = as.vector(table(by)),
        before = of(before),
        after = of(zeros / ncol(counts)))
    out$kept <- ifelse(out$before > 0, out$after / out$before, NA)
    out$log.after <- log(out$after)
    structure(out, class = c("ZerosByBulk", "data.frame"))
}

# One value per gene of x: in their order, or by their names.
.perGene <- function(v, x, arg) {
    if (!is.atomic(v) || is.null(v))
        .stop("'%s' must be a vector with a value for each gene, not %s", arg, .describe(v))
    if (!is.null(names(v)) && !is.null(rownames(x))) {
        at <- match(rownames(x), names(v))
        if (all(is.na(at))) .stop("'%s' must be named like the genes; no name is one of them", arg)
        return(v[at])
    }
    if (length(v) != nrow(x)) .stop("'%s' must have %d values, one for each gene, not %d", arg,
        nrow(x), length(v))
    v
}

#' @rdname zerosByBulk
#' @export
plot.ZerosByBulk <- function(x, ..., label = "after") {
    .needs("ggplot2", "plot()")
    zeros <- c(stats::setNames(list(x), label), list(...))
    if (!all(vapply(zeros, inherits, TRUE, "ZerosByBulk")) || !all(nzchar(names(zeros))) ||
        anyDuplicated(c("before", names(zeros)))) .stop(
        paste("'...' must be further results of zerosByBulk(),",
            "each with a name of its own, and not \"before\""))
    columns <- c("bin", "lower", "upper", "before")
    if (length(unique(lapply(zeros, function(z) as.list(z)[columns]))) > 1L) .stop(
        "'...' must be of the same counts and bins as 'x': their shares before differ")
    z <- zeros[[1L]]
    for (digits in 3:15) {                                   # as few as tell the bins apart
        edge <- function(v) format(signif(v, digits), trim = TRUE, scientific = FALSE,
            drop0trailing = TRUE)
        bin <- ifelse(z$bin == 0, "none",
            sprintf("%s to %s", vapply(z$lower, edge, ""), vapply(z$upper, edge, "")))
        if (!anyDuplicated(bin)) break
    }
    bin <- make.unique(bin)
    values <- c(list(before = z$before), lapply(zeros, `[[`, "after"))
    d <- data.frame(bin = factor(bin, bin), share = unlist(values, use.names = FALSE),
        what = factor(rep(names(values), each = length(bin)), names(values)))
    .data <- ggplot2::.data
    ggplot2::ggplot(d, ggplot2::aes(.data$bin, .data$share, fill = .data$what)) +
        ggplot2::geom_col(position = "dodge") +
        ggplot2::labs(x = "bulk expression of the genes", y = "share of zeros", fill = NULL,
            title = "Zeros by bulk expression") +
        ggplot2::theme_minimal()
}
