#' @include mask.R infill.R plot.R
NULL

# What was filled in, as something of genes x cells that can be cut into blocks.
.filledOf <- function(x, name, arg, shape = NULL) {
    x <- .resultOf(x, name, arg)
    if (length(dim(x)) != 2L || is.data.frame(x))
        .stop("'%s' must be values of genes x cells, not %s", arg, .describe(x))
    if (!is.null(shape) && any(dim(x) != shape))
        .stop("'%s' must be %d x %d like the counts, not %d x %d", arg, shape[1L],
        shape[2L], nrow(x), ncol(x))
    x
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

# Size factors: totals over their median.
.sizes <- function(total) {
    size <- if (any(total > 0)) total / median(total[total > 0]) else total
    size[size == 0] <- 1
    size
}

.logged <- function(values, size) log1p(values / rep(size, each = nrow(values)))

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

# Wilcoxon's rank sum of genes in `halves` (cells x splits, TRUE and FALSE): W of the TRUE ones and
# z, genes x splits.
.rankSums <- function(m, halves) {
    r <- .Call(C_gene_ranks, m)
    n <- as.double(ncol(m))
    n1 <- rep(colSums(halves), each = nrow(m))
    n2 <- n - n1
    W <- r$rank %*% halves - n1 * (n1 + 1) / 2
    d <- W - n1 * n2 / 2
    z <- (d - sign(d) * 0.5) / sqrt(n1 * n2 / 12 * (n + 1 - r$ties / (n * (n - 1))))
    z[!is.finite(z)] <- NA
    list(W = W, z = z)
}

# Share of genes with an adjusted p below 5 %, mean of the splits.
.falseGenes <- function(m, halves) mean(apply(.rankSums(m, halves)$z, 2L, function(z)
    mean(stats::p.adjust(2 * stats::pnorm(-abs(z)), "BH") < 0.05 & !is.na(z))))

# Genes called in halves of the cells that the other genes suggest: above or below the middle of
# their first component, once what follows the cells' sizes is taken out. The middle is that of runs
# of 20 cells of like size: filled-in zeros can follow the size so closely that ranks would tell
# halves apart whose sizes differ by next to nothing.
.falseMarkers <- function(m, size) {
    odd <- seq_len(nrow(m)) %% 2 == 1
    s <- log(size) - mean(log(size))
    s <- s / max(sqrt(sum(s^2)), 1e-300)
    run <- (rank(size, ties.method = "first") - 1) %/% 20
    halves <- function(others) {
        o <- m[others, , drop = FALSE]
        by <- .cellComponents(o - tcrossprod(o %*% s, s), 1)
        matrix(stats::ave(drop(by), run, FUN = function(v) rank(v, ties.method = "first") >
            length(v) / 2) > 0)
    }
    mean(c(.falseGenes(m[odd, , drop = FALSE], halves(!odd)),
        .falseGenes(m[!odd, , drop = FALSE], halves(odd))))
}

.falsePairs <- function(m, cut) {
    m <- m - rowMeans(m)
    norm <- sqrt(rowSums(m^2))
    r <- tcrossprod(m / ifelse(norm > 0, norm, 1))
    mean(abs(r[upper.tri(r)]) > cut)
}

# Worst of some verdicts.
.worst <- function(v) c("green", "yellow", "red")[max(match(v, c("green", "yellow", "red")))]

.percent <- function(v) ifelse(v > 0 & v < 1e-4, "< 0.01 %", sprintf("%.2f %%", 100 * v))

#' Does filling in make signal out of nothing?
#'
#' Every gene's counts are dealt out anew over the cells, each gene for itself, so
#' that no two genes have anything to do with each other and no group of cells
#' differs from another. The shuffled counts are filled in: whatever structure is
#' there afterwards was made by the filling in.
#'
#' @param x Counts, genes x cells, in any container that [infill()] takes.
#' @param param An [InfillParam-class], or a function that takes the shuffled
#'   counts (a matrix when `x` is one, else a dgCMatrix) and returns them filled
#'   in: a matrix of genes x cells, on the scale of counts.
#' @param ... Passed on to [infill()] (`keep`, `num.threads`, ...) or the function.
#'   With [infill()]'s default only zeros are filled (of [StackParam()]: the
#'   posterior everywhere); `keep = "none"` judges the model's own values everywhere.
#' @param n.genes Genes looked at: those detected in most cells, from 4.
#' @param cut Pairs of genes whose |Pearson r| is above this count as correlated,
#'   from 0 to 1.
#' @param seed Number that fixes the shuffle, the halves and the fit; `NA`: drawn
#'   from R's generator.
#' @param assay.type Assay of an experiment.
#' @return A data.frame of class `permutationCheck` with a row for each test and
#'   columns `test`, `n` (pairs or genes), `before` and `after` (shares, 0 to 1,
#'   in the shuffled counts and in what was made of them) and `verdict`:
#'   * `"pairs"`: pairs of genes with |r| > `cut`;
#'   * `"genes"`: genes called differential between random halves of the cells
#'     (Wilcoxon's rank sum, Benjamini and Hochberg at 5 %), mean of 20 splits;
#'   * `"markers"`: genes called differential between halves that *other* genes
#'     suggest: cells above and below the median of the first principal component
#'     of every second gene (without what follows the cells' sizes, and within runs of 20 cells of
#'     like size) are compared in the remaining genes, and the other way round. This is what happens
#'     when cells are clustered and markers are looked for.
#'
#'   `verdict(x)` is the worst of them: `"red"` where more than 1 % are false after
#'   filling in, and more than before; `"yellow"` above 0.1 %; else `"green"`.
#' @details All values are log1p(value / size), with the sizes (total over median
#'   total) of the shuffled counts, before and after: filled-in values that do not
#'   follow a cell's size are not on the scale of its counts, and are found out.
#'   A gene that is constant after filling in is correlated with none.
#'
#'   The shuffle is over all cells, not within cells of similar size: cells come
#'   out of it with sizes much alike, so that differences of size cannot pass for
#'   correlation. Labels of random halves are independent of the data whatever was
#'   done to them: `"genes"` rises only where genes move together so much that
#'   chance calls many at once. `"markers"` is the sharper test: it is not
#'   unusual that a model whose own values are taken everywhere (`keep = "none"`) is
#'   red, because what it learns from shuffled counts can only be noise.
#'
#'   What is judged is the model fitted to shuffled counts. [StackParam()] leaves
#'   priors out that gain too little, as they do there, and is green; on your data it
#'   may keep them. Green does not say that its values can be tested. With
#'   `min.gain = 0` the posterior of all priors is judged.
#' @references Andrews and Hemberg (2019). False signals induced by single-cell
#'   imputation. F1000Research 7:1740 (its permuted genes).
#' @seealso [smoothingGauge()], [calibrationTable()].
#' @examples
#' counts <- matrix(rpois(60 * 50, 2), 60)
#' permutationCheck(counts, GeneMeanParam(), seed = 1)
#' flat <- function(counts) counts * 0 + rowMeans(counts)
#' verdict(permutationCheck(counts, flat, seed = 1))
#' @export
permutationCheck <- function(x, param, ..., n.genes = 500, cut = 0.5, seed = NA,
    assay.type = "counts") {
    n.genes <- .checkNumber(n.genes, "n.genes", 4, 1e5, whole = TRUE)
    cut <- .checkNumber(cut, "cut", 0, 1)
    if (missing(param) || !is.function(param) && !is(param, "InfillParam")) .stop(
        "'param' must be the parameters of a model, such as AutoImputeParam(), or a function, not %s",
        if (missing(param)) "missing" else .describe(param))
    if ("output" %in% ...names())
        .stop("'output' cannot be chosen: the check needs the scale of counts")
    seed <- .seed(seed)
    counts <- .checkCounts(.counts(x, assay.type))
    if (ncol(counts) < 4L) .stop("'x' must have at least 4 cells to be halved, not %d",
        ncol(counts))
    shuffled <- .shuffled(counts, seed)
    rows <- .mostDetected(shuffled, n.genes)
    if (length(rows) < 4L) .stop("'x' must have at least 4 genes with counts, not %d", length(rows))
    size <- .sizes(Matrix::colSums(shuffled))
    filled <- if (is.function(param))
        param(if (is.matrix(x)) as.matrix(shuffled) else shuffled, ...)
        else infill(shuffled, param, ..., seed = seed)
    filled <- .filledOf(filled, "infilled", "param()", dim(counts))
    both <- list(before = as.matrix(shuffled[rows, ]),
        after = .rowsAndTotals(filled, rows, "param()")$values)
    both <- lapply(both, function(m) .flattened(.logged(m, size)))
    halves <- vapply(seq_len(20L), function(k) .Call(C_permute, ncol(counts), (seed + k) %% 2^53) *
        2 > ncol(counts),
        logical(ncol(counts)))
    share <- vapply(both, function(m) c(.falsePairs(m, cut), .falseGenes(m, halves),
        .falseMarkers(m, size)), numeric(3))
    g <- length(rows)
    out <- data.frame(test = c("pairs", "genes", "markers"), n = c(g * (g - 1) / 2, g, g),
        before = share[, 1L],
        after = share[, 2L])
    out$verdict <- ifelse(out$after <= out$before | out$after <= 0.001, "green",
        ifelse(out$after > 0.01, "red", "yellow"))
    structure(out, class = c("permutationCheck", "data.frame"), verdict = .worst(out$verdict),
        cut = cut, seed = seed,
        model = if (is.function(param)) "a function" else class(param)[1L])
}

.shuffled <- function(counts, seed) {
    by.gene <- Matrix::t(counts)
    i <- .Call(C_shuffle, by.gene, seed)
    sparseMatrix(i = rep.int(seq_len(nrow(counts)), diff(by.gene@p)), j = i + 1L, x = by.gene@x,
        dims = dim(counts),
        dimnames = dimnames(counts))
}

#' @param object What [permutationCheck()] or [smoothingGauge()] returns.
#' @return `verdict()`: `"green"`, `"yellow"` or `"red"`.
#' @rdname permutationCheck
#' @export
verdict <- function(object) {
    if (is.null(attr(object, "verdict"))) .stop(
        "'object' must be what permutationCheck() or smoothingGauge() returns, not %s",
        .describe(object))
    attr(object, "verdict")
}

#' @exportS3Method print permutationCheck
print.permutationCheck <- function(x, ...) {
    words <- c(pairs = sprintf("pairs of genes correlated (|r| > %g)", attr(x, "cut")),
        genes = "genes different between random halves",
        markers = "genes different between halves that others suggest")
    if (is.null(attr(x, "verdict")) || !all(x$test %in% names(words))) return(NextMethod())
    cat(sprintf("Signal made out of shuffled counts by %s: %s\n", attr(x, "model"),
        attr(x, "verdict")))
    cat(sprintf("  %-51s %9s -> %9s  %s\n", words[x$test], .percent(x$before), .percent(x$after),
        x$verdict), sep = "")
    cat(switch(attr(x, "verdict"),
        red = "Correlations and markers seen after filling in need not be in the data.\n",
        yellow = "A little structure appears that is not in the data: look at weak findings twice.\n",
        green = "Filling in made no structure that can be seen.\n"))
    invisible(x)
}

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
#' @param clusters Label of each cell (`NA`: not used), or `NULL`: k-means on ten
#'   principal components of the counts, one cluster for each 50 cells, 2 to 10.
#' @param n.genes Genes looked at: those detected in most cells.
#' @param min.cells Entries a gene must have in a cluster for its ranks to count.
#' @param seed Number that fixes the halves and the clusters; `NA`: drawn from
#'   R's generator.
#' @param assay.type,name Assays of counts and result, when experiments are given.
#' @return A data.frame of class `smoothingGauge`, one row per gene:
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
#'   [verdict()] of it, from the medians over genes: `"red"` where less than 20 % of
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
smoothingGauge <- function(x, filled = x, clusters = NULL, n.genes = 1000, min.cells = 10,
    seed = NA,
    assay.type = "counts", name = "infilled")
{
    n.genes <- .checkNumber(n.genes, "n.genes", 1, 1e9, whole = TRUE)
    min.cells <- .checkNumber(min.cells, "min.cells", 3, 1e9, whole = TRUE)
    seed <- .seed(seed)
    if (missing(filled) && !is(x, "SummarizedExperiment") && !is(x, "Seurat")) .stop(
        "'filled' must be given where 'x' is no experiment that holds it")
    counts <- .checkCounts(.counts(x, assay.type))
    filled <- .filledOf(filled, name, "filled", dim(counts))
    if (ncol(counts) < 3L) .stop("'x' must have at least three cells, not %d", ncol(counts))
    rows <- .mostDetected(counts, n.genes)
    if (!length(rows)) .stop("'x' must have counts; all are 0")
    size <- .sizes(Matrix::colSums(counts))
    some <- counts[rows, , drop = FALSE]
    f <- .rowsAndTotals(filled, rows, "filled")
    after <- .flattened(.logged(f$values, .sizes(f$total)))
    before <- .logged(as.matrix(some), size)
    clusters <- .clustersOf(clusters, before, seed)

    whole <- some
    whole@x <- round(whole@x)
    half <- whole
    half@x <- .Call(C_thin, whole, 0.5, seed)
    a <- .logged(2 * as.matrix(half), size)
    b <- .logged(2 * as.matrix(whole - half), size)
    shared <- (a - rowMeans(a)) * (b - rowMeans(b))
    n <- ncol(counts)
    signal <- rowSums(shared) / (n - 1)
    error <- sqrt(.rowVars(shared) / n)
    signal[signal <= 3 * error] <- NA
    # the same of the means of clusters; (L - 1)/n of what the halves share within clusters is there
    # by chance
    used <- clusters$code >= 0
    L <- clusters$n
    of <- matrix(0, n, L)
    of[cbind(which(used), clusters$code[used] + 1L)] <- 1
    of <- t(t(of) / colSums(of))
    w <- tabulate(clusters$code + 1L, L) / sum(used)
    centred <- function(m) { m <- m %*% of; m - drop(m %*% w) }
    between <- drop((centred(a) * centred(b)) %*% w)
    differs <- between - (L - 1) / n * (signal - between) > 0.1 * signal
    between[!differs | is.na(differs)] <- NA

    by.gene <- Matrix::t(some)
    by.gene@x <- by.gene@x / size[by.gene@i + 1L]
    gene <- rep.int(seq_along(rows), diff(by.gene@p))
    r <- .Call(C_rank_agreement, by.gene, after[cbind(gene, by.gene@i + 1L)], clusters$code,
        clusters$n,
        as.integer(min.cells))
    weight <- r$n * !is.na(r$rho)
    rank <- rowSums(weight * ifelse(is.na(r$rho), 0, r$rho)) / rowSums(weight)
    out <- data.frame(detected = diff(by.gene@p), signal = signal, before = .rowVars(before),
        after = .rowVars(after))
    out$kept <- out$after / out$signal
    out$between <- drop(centred(after)^2 %*% w) / between
    out$rank <- ifelse(is.nan(rank), NA, rank)
    rownames(out) <- if (is.null(rownames(counts)) || anyDuplicated(rownames(counts)[rows]))
        rows else rownames(counts)[rows]
    mid <- lapply(out[c("kept", "between", "rank")], median, na.rm = TRUE)
    red <- if (is.na(mid$between)) isTRUE(mid$kept < 0.05) else mid$between < 0.2
    yellow <- isTRUE(mid$between < 0.5) || isTRUE(mid$kept < 0.05) || isTRUE(mid$rank < 0.2)
    structure(out, class = c("smoothingGauge", "data.frame"), verdict = if (red) "red" else
        if (yellow) "yellow" else "green",
        clusters = clusters$n, seed = seed)
}

.rowVars <- function(m) rowSums((m - rowMeans(m))^2) / (ncol(m) - 1)

# Labels as integers from 0, -1 for cells that are not used; k-means where there are none, started
# at cells far apart.
.clustersOf <- function(clusters, logs, seed) {
    if (!is.null(clusters)) {
        if (!is.atomic(clusters))
            .stop("'clusters' must be a vector with a label for each cell, not %s",
                .describe(clusters))
        if (length(clusters) != ncol(logs))
            .stop("'clusters' must have %d labels, not %d", ncol(logs), length(clusters))
        used <- !is.na(clusters)
        if (!any(used)) .stop("'clusters' must not be all NA")
        levels <- unique(clusters[used])
        if (length(levels) > 1L && length(levels) == sum(used))
            .stop("'clusters' must have fewer classes than cells: all %d are different", sum(used))
        return(list(code = ifelse(used, match(clusters, levels) - 1L, -1L), n = length(levels)))
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

#' @exportS3Method print smoothingGauge
print.smoothingGauge <- function(x, ...) {
    if (is.null(attr(x, "verdict")) || is.null(x$kept) || is.null(x$rank)) return(NextMethod())
    told <- function(v, what) if (all(is.na(v))) sprintf("  %s: no gene can be judged\n", what)
        else sprintf("  %s: median %.2f (quartiles %.2f and %.2f) of %d genes\n", what,
            median(v, na.rm = TRUE),
            quantile(v, 0.25, na.rm = TRUE), quantile(v, 0.75, na.rm = TRUE), sum(!is.na(v)))
    cat(sprintf("Variation left after filling in: %s\n", attr(x, "verdict")))
    cat(told(x$kept, "share of the variance above counting noise"))
    cat(told(x$between, sprintf("the same between %d clusters", attr(x, "clusters"))))
    cat(told(x$rank, "rank correlation with the counts within clusters"))
    cat(switch(attr(x, "verdict"), red = "Smoothed away: the cells hardly differ any more.\n",
        yellow = "Much is smoothed away: small differences, and those within clusters, are not to be relied on.\n",
        green = "The cells still differ as their counts do.\n"))
    invisible(x)
}

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
#' @return A data.frame with one row per bin: `bin`; `lower`, `upper`: its range of
#'   mean counts (`"gene"`) or filled-in values (`"value"`); `n`: entries;
#'   `predicted`: mean of filled-in value x f/(1 - f), with f the fraction that was
#'   held out; `observed`: mean of the held-out molecules; `ratio`: predicted over
#'   observed (`NA` where none were observed), 1 where values are right on average;
#'   `se`: standard error of `observed`. Raw counts have ratios near 1 by gene, and
#'   0 at the zeros. `plotCalibration()`: a ggplot2 object.
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
#' if (requireNamespace("ggplot2", quietly = TRUE)) plotCalibration(table)
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
    kept <- .counts(m@x, m@assay.type)
    filled <- .filledOf(filled, name, "filled", dim(kept))
    if (!is.null(subset.row)) m <- .onlyGenes(m, subset.row)
    mean <- Matrix::rowMeans(kept)
    genes <- which(mean > 0 & seq_along(mean) %in% .genesOf(m, subset.row))
    if (!length(genes))
        .stop("'m' must have genes with counts that are not held out; none are left")
    test <- sparseMatrix(i = m@row, j = m@col, x = m@value, dims = dim(kept))
    blocks <- function(f) {
        for (at in .inBlocks(ncol(kept), nrow(kept))) {
            v <- as.matrix(filled[, at, drop = FALSE])[genes, , drop = FALSE]
            if (!is.numeric(v) || any(!is.finite(v))) .stop("'filled' must hold finite values")
            use <- if (entries == "all") rep(TRUE, length(v)) else
                as.vector(as.matrix(kept[genes, at, drop = FALSE]) == 0)
            f(as.vector(v)[use], as.vector(as.matrix(test[genes, at, drop = FALSE]))[use],
                rep.int(seq_along(genes), length(at))[use])
        }
    }
    if (by == "gene") breaks <- mean[genes]
    else {
        breaks <- numeric()
        every <- ceiling(as.double(length(genes)) * ncol(kept) / 1e6)
        blocks(function(v, t, g) breaks <<-
            c(breaks, v[seq(1, by = every, length.out = ceiling(length(v) / every))]))
        if (!length(breaks)) .stop("'m' has no zeros to look at")
    }
    breaks <- unique(quantile(breaks, seq(0, 1, length.out = bins + 1), names = FALSE))
    n.bins <- max(1, length(breaks) - 1)
    bin <- function(v) pmin(pmax(findInterval(v, breaks, left.open = TRUE), 1), n.bins)
    sums <- matrix(0, n.bins, 4)
    gene.bin <- if (by == "gene") bin(mean[genes])
    blocks(function(v, t, g) {
        b <- factor(if (by == "gene") gene.bin[g] else bin(v), seq_len(n.bins))
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
        predicted = sums[, 2L] / n * m@fraction / (1 - m@fraction), observed = observed)
    out$ratio <- ifelse(observed > 0, out$predicted / observed, NA)
    out$se <- sqrt(pmax(sums[, 4L] / n - observed^2, 0) / n)
    out[n > 0, , drop = FALSE]
}

.genesOf <- function(m, subset.row) {
    genes <- seq_len(nrow(m@x))
    names(genes) <- rownames(m@x)
    if (is.null(subset.row)) genes else genes[subset.row]
}

#' @param table What `calibrationTable()` returns.
#' @rdname calibrationTable
#' @export
plotCalibration <- function(table) {
    .needs("ggplot2", "plotCalibration()")
    if (!is.data.frame(table) || !all(c("predicted", "observed", "se") %in% names(table))) .stop(
        "'table' must be what calibrationTable() returns, not %s", .describe(table))
    d <- table[table$predicted > 0 & table$observed > 0, ]
    .data <- ggplot2::.data
    ggplot2::ggplot(d, ggplot2::aes(.data$predicted, .data$observed)) +
        ggplot2::geom_abline(linetype = 2, colour = "grey50") + ggplot2::geom_line() +
        ggplot2::geom_pointrange(
            ggplot2::aes(ymin = pmax(.data$observed - 2 * .data$se, .data$observed / 10),
            ymax = .data$observed + 2 * .data$se), size = 0.3) +
        ggplot2::scale_x_log10() + ggplot2::scale_y_log10() +
        ggplot2::labs(x = "molecules predicted", y = "molecules held out",
            title = "Held-out molecules, by expression") +
        ggplot2::theme_minimal()
}
