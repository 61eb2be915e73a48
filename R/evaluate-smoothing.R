#' @include infill.R
NULL

#' How much of the variation is left?
#'
#' Filling in should take the noise away and leave the differences between cells.
#' For each gene: what share of the variance that is more than counting noise is
#' left, of all cells and between clusters, and whether, within clusters, cells
#' with more of the gene still have more.
#'
#' @param x Counts, genes x cells, in any container that [infill()] takes, or an
#'   experiment with both counts and result.
#' @param filled What [infill()] made of them, or any values of the same genes x
#'   cells on the scale of counts; by default `x` itself (an experiment).
#' @param labels Class of each cell (`NA`: not used), or `NULL`: k-means on ten
#'   principal components of the counts, one cluster for each 50 cells, 2 to 10.
#' @param n.genes Genes looked at: those detected in most cells.
#' @param min.cells Entries a gene must have in a cluster for its ranks to count.
#' @param seed Number that fixes the halves and the clusters; `NULL`: drawn from
#'   R's generator.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type,name Assays of counts and result, when experiments are given.
#' @return A `SmoothingGauge`, a list: `verdict`; `genes` (also by `as.data.frame()`), a data.frame
#'   with one row per gene; `clusters`, their number; `seed`. Columns of `genes`:
#'   * `detected`: cells with counts;
#'   * `signal`: variance of log1p(count/size) that is more than counting noise;
#'     `NA` where it is not above three standard errors;
#'   * `before`, `after`: variance of log1p(value/size) of counts and of `filled`;
#'   * `kept`: `after`/`signal`;
#'   * `between`: the same of the variance between clusters (of their means,
#'     weighted by their sizes); `NA` where it is not more than a tenth of `signal`
#'     beyond what cells drawn at random differ by;
#'   * `rank`: Spearman's correlation of counts and filled-in values at the
#'     entries with counts, within clusters, mean of the clusters by entries;
#'     `NA` where no cluster has enough of them or the counts do not differ, 0
#'     where only the filled-in values do not.
#'
#'   `verdict`, from the medians over genes: `"red"` where less than 20 % of
#'   the variance between clusters is kept (where no gene differs between them:
#'   less than 5 % of all variance above noise); `"yellow"` where less than 50 %
#'   between clusters or 5 % of all, or where `rank` is below 0.2; else `"green"`.
#' @details The variance of counts is mostly counting noise, which is to go. The
#'   part above it is the covariance, over cells, of log1p(2 half/size) of two
#'   halves of the molecules of each entry: halves of Poisson counts are
#'   independent but for what the rates share. (Counts that are not whole are
#'   rounded for this.) At low counts the logarithm makes the covariance smaller
#'   than the variance of log1p(rate), so that `kept` can be above 1; of raw counts
#'   it is, as they have the noise too. Dropouts beyond counting noise (full-length
#'   protocols), and variation of a gene by itself, are shared by the halves and
#'   count as signal: a good model takes much of them away, and for that reason
#'   little is asked of `kept` and more of `between`.
#'
#'   Sizes are total over median total, of counts and of filled-in values each. With
#'   `keep = "observed"` the entries with counts are as they were, and `rank` is
#'   near 1 by construction: `keep = "none"` judges the model.
#' @seealso [permutationCheck()], [calibrationTable()].
#' @examples
#' counts <- matrix(rpois(40 * 100, rep(c(1, 5, 5, 1), each = 20)), 40)
#' smoothingGauge(counts, infill(counts, DeepMcParam(), keep = "none"), seed = 1)
#' smoothingGauge(counts, counts * 0 + rowMeans(counts), seed = 1)
#' @export
smoothingGauge <- function(x, filled = x, labels = NULL, n.genes = 1000, min.cells = 10,
    seed = NULL, ..., assay.type = "counts", name = "infilled")
{
    .strict("smoothingGauge()", ...)
    n.genes <- .checkNumber(n.genes, "n.genes", 1, 1e9, whole = TRUE)
    min.cells <- .checkNumber(min.cells, "min.cells", 3, 1e9, whole = TRUE)
    seed <- .seed(seed)
    if (missing(filled) && !.isExperiment(x)) .stop(
        "'filled' must be given where 'x' is no experiment that holds it")
    counts <- .countsOf(x, assay.type)
    filled <- .filledOf(filled, name, "filled", dim(counts))
    if (ncol(counts) < 3L) .stop("'x' must have at least three cells, not %d", ncol(counts))
    rows <- .mostDetected(counts, n.genes)
    if (!length(rows)) .stop("'x' must have counts; all are 0")
    size <- .sizesOf(counts)
    some <- counts[rows, , drop = FALSE]
    f <- .rowsAndTotals(filled, rows, "filled")
    after <- .flattened(.logged(f$values, .sizes(f$total)))
    before <- .logged(as.matrix(some), size)
    clusters <- .clustersOf(labels, before, seed)

    signal <- .signalOf(some, size, clusters, seed)
    of <- signal$of
    genes <- data.frame(detected = tabulate(some@i + 1L, length(rows)), signal = signal$all,
        before = .rowVars(before), after = .rowVars(after))
    genes$kept <- genes$after / genes$signal
    genes$between <- drop(of$centred(after)^2 %*% of$weight) / signal$between
    genes$rank <- .ranksKept(some, size, after, clusters, min.cells)
    names <- rownames(counts)[rows]
    rownames(genes) <- if (is.null(names) || anyDuplicated(names)) rows else names
    structure(list(verdict = .smoothingVerdict(genes), genes = genes, clusters = clusters$n,
        seed = seed),
        class = "SmoothingGauge")
}

# Means over the cells of each cluster, less their mean: centred(m), genes x clusters, and the
# clusters' weights.
.overClusters <- function(clusters) {
    n <- length(clusters$code)
    used <- clusters$code >= 0
    of <- matrix(0, n, clusters$n)
    of[cbind(which(used), clusters$code[used] + 1L)] <- 1
    of <- t(t(of) / colSums(of))
    w <- tabulate(clusters$code + 1L, clusters$n) / sum(used)
    list(weight = w, centred = function(m) {
        m <- m %*% of
        m - drop(m %*% w)
    })
}

# Variance that two random halves of the molecules share: of all cells, and between clusters.
.signalOf <- function(some, size, clusters, seed) {
    whole <- some
    whole@x <- round(whole@x)
    half <- whole
    half@x <- .Call(C_thin, whole, 0.5, seed)
    a <- .logged(2 * as.matrix(half), size)
    b <- .logged(2 * as.matrix(whole - half), size)
    shared <- (a - rowMeans(a)) * (b - rowMeans(b))
    n <- ncol(some)
    signal <- rowSums(shared) / (n - 1)
    error <- sqrt(.rowVars(shared) / n)
    signal[signal <= 3 * error] <- NA
    # the same of the means of clusters; (L - 1)/n of what the halves share within clusters is there
    # by chance
    of <- .overClusters(clusters)
    between <- drop((of$centred(a) * of$centred(b)) %*% of$weight)
    differs <- between - (clusters$n - 1) / n * (signal - between) > 0.1 * signal
    between[!differs | is.na(differs)] <- NA
    list(all = signal, between = between, of = of)
}

# Spearman's correlation of counts and filled-in values where there are counts, within clusters.
.ranksKept <- function(some, size, after, clusters, min.cells) {
    by.gene <- Matrix::t(some)
    by.gene@x <- by.gene@x / size[by.gene@i + 1L]
    gene <- rep.int(seq_len(nrow(some)), diff(by.gene@p))
    r <- .Call(C_rank_agreement, by.gene, after[cbind(gene, by.gene@i + 1L)], clusters$code,
        clusters$n,
        as.integer(min.cells))
    weight <- r$n * !is.na(r$rho)
    rank <- rowSums(weight * ifelse(is.na(r$rho), 0, r$rho)) / rowSums(weight)
    ifelse(is.nan(rank), NA, rank)
}

.smoothingVerdict <- function(genes) {
    mid <- lapply(genes[c("kept", "between", "rank")], median, na.rm = TRUE)
    red <- if (is.na(mid$between)) isTRUE(mid$kept < 0.05) else mid$between < 0.2
    yellow <- isTRUE(mid$between < 0.5) || isTRUE(mid$kept < 0.05) || isTRUE(mid$rank < 0.2)
    if (red) "red" else if (yellow) "yellow" else "green"
}

# Labels as integers from 0, -1 for cells that are not used; k-means where there are none, started
# at cells far apart.
.clustersOf <- function(labels, logs, seed) {
    if (!is.null(labels)) {
        if (!is.atomic(labels) && !is.factor(labels)) .stop(
            "'labels' must be a vector with a label for each cell, not %s", .describe(labels))
        if (length(labels) != ncol(logs))
            .stop("'labels' must have %d labels, not %d", ncol(logs), length(labels))
        used <- !is.na(labels)
        if (!any(used)) .stop("'labels' must not be all NA")
        levels <- unique(labels[used])
        if (length(levels) > 1L && length(levels) == sum(used)) .stop(
            "'labels' must have fewer classes than cells: all %d are different", sum(used))
        return(list(code = ifelse(used, match(labels, levels) - 1L, -1L), n = length(levels)))
    }
    pcs <- .cellComponents(head(logs, 500L), 10)
    k <- min(max(2, ncol(logs) %/% 50), 10, nrow(unique(pcs)))
    if (k < 2) return(list(code = integer(ncol(logs)), n = 1L))
    best <- NULL
    for (start in seq_len(5L)) {
        order <- .Call(C_permute, ncol(logs), (seed + start) %% 2^53)
        first <- order[!duplicated(pcs[order, , drop = FALSE])][seq_len(k)]
        now <- suppressWarnings(stats::kmeans(pcs, pcs[first, , drop = FALSE], iter.max = 50))
        if (is.null(best) || now$tot.withinss < best$tot.withinss) best <- now
    }
    list(code = best$cluster - 1L, n = as.integer(k))
}

#' @export
as.data.frame.SmoothingGauge <- function(x, ...) as.data.frame(x$genes, ...)

#' @export
print.SmoothingGauge <- function(x, ...) {
    .strict("print()", ...)
    g <- x$genes
    told <- function(v, what) if (all(is.na(v))) sprintf("  %s: no gene can be judged\n", what)
        else sprintf("  %s: median %.2f (quartiles %.2f and %.2f) of %d genes\n", what,
            median(v, na.rm = TRUE),
            quantile(v, 0.25, na.rm = TRUE), quantile(v, 0.75, na.rm = TRUE), sum(!is.na(v)))
    cat(sprintf("Variation left after filling in: %s\n", x$verdict))
    cat(told(g$kept, "share of the variance above counting noise"))
    cat(told(g$between, sprintf("the same between %d clusters", x$clusters)))
    cat(told(g$rank, "rank correlation with the counts within clusters"))
    cat(switch(x$verdict, red = "Smoothed away: the cells hardly differ any more.\n",
        yellow = paste(
            "Much is smoothed away: small differences, and those within clusters, are not to be",
            "relied on.\n"),
        green = "The cells still differ as their counts do.\n"))
    invisible(x)
}
