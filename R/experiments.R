#' @include evaluate-signal.R evaluate-genes.R
NULL

# Values that need not be counts: a matrix-like of genes x cells.
.matrixOf <- function(x, assay.type, arg) {
    if (is(x, "SummarizedExperiment") || is(x, "Seurat")) return(.countsOf(x, assay.type, arg))
    .filledOf(x, NULL, arg)
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

# Two groups: the levels, and of each cell whether it is of the second; NA: not used.
.twoGroups <- function(groups, n) {
    if (length(groups) != n || is.list(groups))
        .stop("'groups' must have %d labels, not %s", n, if (is.list(groups))
        .describe(groups) else format(length(groups)))
    used <- !is.na(groups)
    levels <- if (is.factor(groups)) levels(droplevels(groups)) else sort(unique(groups[used]))
    if (length(levels) != 2L)
        .stop("'groups' must have two classes (and NA for cells that are not used), not %d",
            length(levels))
    list(levels = as.character(levels), used = used,
        second = as.character(groups) == as.character(levels)[2L])
}

# Per gene: statistic, logarithm of p, mean of either group. scaled(block): what is tested.
.testGenes <- function(x, g, test, arg, scaled = identity) {
    second <- g$second[g$used]
    parts <- .overGenes(x, arg, function(block) {
        block <- scaled(block)[, g$used, drop = FALSE]
        w <- .Call(C_gene_welch, block, second)
        if (test == "t") p <- stats::pt(-abs(w$t), w$df, log.p = TRUE)
        else {
            r <- .rankSums(block, matrix(!second))
            w$t <- as.vector(r$W)
            p <- stats::pnorm(-abs(as.vector(r$z)), log.p = TRUE)
        }
        data.frame(statistic = w$t, log.p = pmin(p + log(2), 0), mean1 = w$mean1, mean2 = w$mean2)
    })
    do.call(rbind, parts)
}

#' Differences of genes between two groups of cells
#'
#' Wilcoxon's rank sum test or Welch's t-test for every gene, as `wilcox.test()`
#' and `t.test()` do them, many genes at once.
#'
#' @param x Values, genes x cells, on any scale: a matrix, a sparse or delayed
#'   Matrix, or an experiment. They are tested as they are: divide by the cells'
#'   sizes before.
#' @param groups Group of each cell, two classes; `NA`: not used. The first (of a
#'   factor's levels, else in sorted order) is compared with the second.
#' @param test `"wilcoxon"`: rank sum, normal approximation with corrections for
#'   ties and continuity; `"t"`: unequal variances.
#' @param logged Are the values logarithms already (of base 2)?
#' @param assay.type Assay, when an experiment is given.
#' @return A data.frame with one row per gene (named like the genes): `statistic`
#'   (W or t), `p.value` (two-sided), `adjusted` (Benjamini and Hochberg), `log.fc`:
#'   log2((mean of the first group + 1)/(mean of the second + 1)), with `logged` the
#'   difference of the means. `NA` where a gene does not vary (`"t"`: also where a
#'   group has one cell).
#' @references Mongia, Sengupta and Majumdar (2020), deepMc (Fig. 3), and Rao et
#'   al. (2021), GraphSCI (Fig. 7), compare such tests with bulk data.
#' @seealso [genesAgainstBulk()].
#' @examples
#' counts <- matrix(rpois(2000, 5), 50, 40)
#' head(geneTests(counts, rep(c("a", "b"), 20)), 3)
#' @export
geneTests <- function(x, groups, test = c("wilcoxon", "t"), logged = FALSE, assay.type = "counts") {
    test <- .checkChoice(test, "test", c("wilcoxon", "t"))
    .checkFlag(logged, "logged")
    x <- .matrixOf(x, assay.type, "x")
    g <- .twoGroups(groups, ncol(x))
    r <- .testGenes(x, g, test, "x")
    if (!logged && (any(r$mean1 <= -1) || any(r$mean2 <= -1))) .stop(
        "'x' has means of -1 or below; logged = TRUE takes values as logarithms")
    p <- exp(r$log.p)
    out <- data.frame(statistic = r$statistic, p.value = p, adjusted = stats::p.adjust(p, "BH"),
        log.fc = if (logged) r$mean1 - r$mean2 else log2((r$mean1 + 1) / (r$mean2 + 1)))
    rownames(out) <- if (!anyDuplicated(rownames(x))) rownames(x)
    out
}

#' Differential genes against bulk data
#'
#' Tests every gene between two groups of cells ([geneTests()]), and compares what
#' is found with what bulk data say: experiments of the deepMc paper (area under
#' the curve) and the GraphSCI paper (accuracy and F1 too).
#'
#' @param x Counts or filled-in values, genes x cells, on the scale of counts: a
#'   matrix, a sparse or delayed Matrix, or an experiment.
#' @param groups Group of each cell, two classes; `NA`: not used.
#' @param truth `TRUE` for the genes that are differential in bulk data, `FALSE`
#'   for the others, `NA` for those that are not known; in the order of the genes,
#'   or named like them (genes without a name there are not known).
#' @param test `"wilcoxon"` or `"t"`.
#' @param scale What is tested: `"log1p"` of value over size factor (total of the
#'   cell over the median total), or values as they are.
#' @param alpha Genes with an adjusted p below this are called, from 0 to 1.
#' @param assay.type Assay, when an experiment is given.
#' @return A data.frame with one row: `genes` and `true` (known ones, and of them
#'   differential ones), `called`, `auc` (of -log p; needs both kinds of genes),
#'   `accuracy`, `precision`, `recall`, `f1`. p is adjusted over the known genes; a
#'   gene that does not vary has p = 1.
#' @references Mongia, Sengupta and Majumdar (2020), deepMc (Fig. 3). Rao et al.
#'   (2021), iScience 24:102393 (GraphSCI, Fig. 7).
#' @examples
#' groups <- rep(1:2, 20)
#' counts <- matrix(rpois(2000, 5), 50)
#' counts[1:10, groups == 1] <- rpois(200, 9)
#' genesAgainstBulk(counts, groups, truth = 1:50 <= 10)
#' @export
genesAgainstBulk <- function(x, groups, truth, test = c("wilcoxon", "t"),
    scale = c("log1p", "none"), alpha = 0.05,
    assay.type = "counts")
{
    test <- .checkChoice(test, "test", c("wilcoxon", "t"))
    scale <- .checkChoice(scale, "scale", c("log1p", "none"))
    alpha <- .checkNumber(alpha, "alpha", 0, 1)
    given <- x
    x <- .matrixOf(x, assay.type, "x")
    if (scale == "log1p") .checkOnCounts(if (is(given, "SummarizedExperiment"))
        metadata(given)[[assay.type]] else if (is(given, "Seurat"))
        SeuratObject::Misc(given, slot = SeuratObject::DefaultAssay(given)) else
        attr(given, "infill"), "x")
    g <- .twoGroups(groups, ncol(x))
    truth <- .perGene(truth, x, "truth")
    if (!is.logical(truth)) .stop("'truth' must be TRUE, FALSE or NA for each gene, not %s",
        .describe(truth))
    known <- which(!is.na(truth))
    if (!length(known)) .stop("'truth' must be known of some genes")
    size <- if (scale == "log1p") .sizes(.rowsAndTotals(x, integer(), "x")$total)
    r <- .testGenes(x[known, , drop = FALSE], g, test, "x", if (is.null(size)) identity else
        function(m) .logged(m, size))
    log.p <- ifelse(is.na(r$log.p), 0, r$log.p)
    truth <- unname(truth[known])
    called <- stats::p.adjust(exp(log.p), "BH") < alpha
    hit <- sum(called & truth)
    data.frame(genes = length(truth), true = sum(truth), called = sum(called),
        auc = if (any(truth) && !all(truth)) rocAuc(-log.p, truth) else NA_real_,
        accuracy = mean(called == truth),
        precision = hit / sum(called), recall = hit / sum(truth),
        f1 = 2 * hit / (sum(called) + sum(truth)))
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
#' @param zeros What `zerosByBulk()` returned, or a named list of such, one for each method.
#' @return A data.frame with one row per bin: `bin` (0: no bulk expression),
#'   `lower` and `upper` (bulk expression; bins hold their upper bound), `genes`,
#'   `before` and `after` (shares of zeros), `kept` (after/before) and `log.after`
#'   (natural logarithm, as the figure has it). Good: `kept` near 1 in bin 0 and
#'   low in the last. `plotZeros()`: a ggplot of the shares of zeros by bin, before and after.
#' @references Talwar et al. (2018), Scientific Reports 8:16329 (Fig. 2).
#' @examples
#' mean <- c(rep(0, 10), rexp(40))
#' counts <- matrix(rpois(2000, mean), 50)
#' zeros <- zerosByBulk(counts, infill(counts, GeneMeanParam()), bulk = 100 * mean, bins = 3)
#' zeros
#' if (requireNamespace("ggplot2", quietly = TRUE)) plotZeros(zeros)
#' @export
zerosByBulk <- function(x, filled = x, bulk, bins = 10, threshold = 0, assay.type = "counts",
    name = "infilled") {
    counts <- .checkCounts(.counts(x, assay.type))
    if (missing(filled) && !is(x, "SummarizedExperiment") && !is(x, "Seurat")) .stop(
        "'filled' must be given where 'x' is no experiment that holds it")
    filled <- .filledOf(filled, name, "filled", dim(counts))
    threshold <- .checkNumber(threshold, "threshold", 0, Inf)
    if (missing(bulk)) .stop("'bulk' must be given: a value for each gene, or genes x replicates")
    if (length(dim(bulk)) == 2L) bulk <- apply(as.matrix(bulk), 1L, median)
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
    out
}

#' @rdname zerosByBulk
#' @export
plotZeros <- function(zeros) {
    .needs("ggplot2", "plotZeros()")
    if (is.data.frame(zeros)) zeros <- list(after = zeros)
    columns <- c("bin", "lower", "upper", "before", "after")
    if (!is.list(zeros) || !length(zeros) ||
        !all(vapply(zeros, function(z) is.data.frame(z) && all(columns %in% names(z)), TRUE)))
        .stop("'zeros' must be what zerosByBulk() returns, or a list of such, not %s",
            .describe(zeros))
    if (length(unique(lapply(zeros, function(z) z[columns[1:4]]))) > 1L) .stop(
        "'zeros' must be of the same counts and bins: their shares before differ")
    if (is.null(names(zeros)) || !all(nzchar(names(zeros))) ||
        anyDuplicated(c("before", names(zeros)))) .stop(
        "'zeros' must be a list with a name of its own for each method, and not \"before\"")
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

#' Variation of genes before and after
#'
#' Boxplots of the genes' coefficients of variation ([geneCv()]) within groups of
#' cells, before and after filling in.
#'
#' @param before,after Counts and filled-in values, genes x cells: matrices, or
#'   experiments whose assay `assay.type` (before) and `name` (after) is used.
#' @param groups Group of each cell; `NA`: not used. One group when `NULL`.
#' @param assay.type,name Assays, when experiments are given.
#' @return A ggplot2 object; its data has `gene`, `group`, `when` and `cv`. A gene
#'   whose mean in a group is 0 before or after is left out there.
#' @references Talwar et al. (2018), Scientific Reports 8:16329 (Fig. 4).
#' @examples
#' counts <- matrix(rpois(2000, 2), 50, 40)
#' if (requireNamespace("ggplot2", quietly = TRUE))
#'     plotCv(counts, infill(counts, GeneMeanParam()), rep(c("a", "b"), 20))
#' @export
plotCv <- function(before, after, groups = NULL, assay.type = "counts", name = "infilled") {
    .needs("ggplot2", "plotCv()")
    b <- .countsOf(before, assay.type, "before")
    a <- .countsOf(.resultOf(after, name, "after"), name, "after")
    if (!identical(dim(a), dim(b)))
        .stop("'after' must be %d x %d like 'before', not %d x %d", nrow(b),
        ncol(b), nrow(a), ncol(a))
    cv <- list(before = geneCv(b, groups), after = geneCv(a, groups))
    d <- do.call(rbind, lapply(names(cv), function(when) data.frame(gene = c(row(cv[[when]])),
        group = factor(colnames(cv[[when]])[col(cv[[when]])], colnames(cv[[when]])), when = when,
        cv = c(cv[[when]]))))
    d$when <- factor(d$when, names(cv))
    d <- d[rep(!is.na(cv$before) & !is.na(cv$after), 2), ]
    .data <- ggplot2::.data
    ggplot2::ggplot(d, ggplot2::aes(.data$group, .data$cv, fill = .data$when)) +
        ggplot2::geom_boxplot(outlier.size = 0.3) +
        ggplot2::labs(x = NULL, y = "standard deviation / mean", fill = NULL,
            title = "Variation of genes within groups") +
        ggplot2::theme_minimal()
}

#' Distributions of genes against FISH
#'
#' Counts of a few genes by fluorescence in situ hybridisation know no dropout. In
#' both, cells are kept whose housekeeping gene is strictly between its 10 % and
#' 90 % quantiles, and divided by it over its mean over the kept cells; then each
#' gene's Gini coefficient and distribution are compared.
#'
#' @param x Counts or filled-in values, genes x cells, on the scale of counts, with
#'   gene names: a matrix, a sparse or delayed Matrix, or an experiment.
#' @param fish FISH counts, genes x cells (other cells), with gene names. `NA`: not
#'   measured in that cell.
#' @param housekeeping Name of the housekeeping gene, in both.
#' @param assay.type Assay, when an experiment is given.
#' @return A list of two data.frames. `genes`, one row for each gene in both but the
#'   housekeeping one: `gene`, `cells`, `cells.fish`, `gini`, `gini.fish`, `ks`: the
#'   Kolmogorov-Smirnov distance of the two distributions, after multiplying `x` by
#'   mean(FISH)/mean(x) (`NA` where a mean is 0). `summary`, one row: `genes`,
#'   `pearson` and `mse` (mean squared difference) of the Gini coefficients over the
#'   genes that have both, `ks` (median).
#' @references Arisdakessian et al. (2019), Genome Biology 20:211 (DeepImpute,
#'   Fig. 3).
#' @examples
#' level <- c(GAPDH = 20, A = 1, B = 5, C = 12)
#' fish <- matrix(rpois(400, level), 4, dimnames = list(names(level), NULL))
#' x <- matrix(rpois(800, level / 3), 4, dimnames = list(names(level), NULL))
#' giniAgainstFish(x, fish)
#' @export
giniAgainstFish <- function(x, fish, housekeeping = "GAPDH", assay.type = "counts") {
    x <- .matrixOf(x, assay.type, "x")
    fish <- .filledOf(fish, NULL, "fish")
    if (!.isString(housekeeping)) .stop("'housekeeping' must be the name of a gene, not %s",
        .describe(housekeeping))
    for (arg in c("x", "fish")) {
        names <- rownames(get(arg))
        if (is.null(names) || anyDuplicated(names))
            .stop("'%s' must have gene names, each once", arg)
        if (!housekeeping %in% names)
            .stop("'housekeeping' must be a gene of '%s'; it has no %s", arg,
            dQuote(housekeeping, FALSE))
    }
    genes <- setdiff(intersect(rownames(x), rownames(fish)), housekeeping)
    if (!length(genes))
        .stop("'fish' must have genes of 'x' beside the housekeeping gene; it has none")
    a <- .byHousekeeping(x, genes, housekeeping, "x")
    b <- .byHousekeeping(fish, genes, housekeeping, "fish")
    d <- data.frame(gene = genes, cells = 0, cells.fish = 0, gini = NA_real_, gini.fish = NA_real_,
        ks = NA_real_)
    for (k in seq_along(genes)) {
        u <- a[k, !is.na(a[k, ])]
        v <- b[k, !is.na(b[k, ])]
        d$cells[k] <- length(u)
        d$cells.fish[k] <- length(v)
        if (!length(u) || !length(v)) next
        d$gini[k] <- giniCoefficient(u)
        d$gini.fish[k] <- giniCoefficient(v)
        if (mean(u) > 0 && mean(v) > 0) d$ks[k] <- ksStatistic(u * mean(v) / mean(u), v)
    }
    both <- is.finite(d$gini) & is.finite(d$gini.fish)
    varies <- sum(both) > 1 && stats::sd(d$gini[both]) > 0 && stats::sd(d$gini.fish[both]) > 0
    list(genes = d, summary = data.frame(genes = sum(both),
        pearson = if (varies) stats::cor(d$gini[both], d$gini.fish[both]) else NA_real_,
        mse = if (any(both)) mean((d$gini - d$gini.fish)[both]^2) else NA_real_,
        ks = median(d$ks, na.rm = TRUE)))
}

# Genes of the cells whose housekeeping gene is neither low nor high, by that gene.
.byHousekeeping <- function(x, genes, housekeeping, arg) {
    m <- as.matrix(x[c(housekeeping, genes), , drop = FALSE])
    if (!is.numeric(m) || any(is.infinite(m)) || any(m < 0, na.rm = TRUE)) .stop(
        "'%s' must hold finite, non-negative values on the scale of counts", arg)
    h <- m[1L, ]
    ends <- quantile(h, c(0.1, 0.9), na.rm = TRUE, names = FALSE)
    keep <- which(h > ends[1L] & h < ends[2L])
    if (!length(keep))
        .stop("'%s' has no cell whose %s is strictly between its 10 %% and 90 %% quantiles (%g and %g)", arg,
        housekeeping, ends[1L], ends[2L])
    sweep(m[-1L, keep, drop = FALSE], 2L, h[keep] / mean(h[keep]), `/`)
}

#' Recovery of bulk data after simulated dropout
#'
#' Takes exponential noise away from bulk expression until so many values are zero,
#' fills them in, and correlates each sample with what it was (GraphSCI paper).
#'
#' @param bulk Expression, genes x samples, non-negative, on the scale of counts: a
#'   matrix, a sparse or delayed Matrix, or an experiment.
#' @param fraction Shares of values that are zero after the noise, above the share
#'   before and below 1.
#' @param params [InfillParam-class] objects in a list, named or not, or one of
#'   them. Functions counts -> filled matrix are taken too.
#' @param scale Scale of the correlations: `"log1p"` or `"counts"`.
#' @param seed Number that fixes noise and fits; `NA`: drawn from R's generator.
#' @param ... Passed on to [infill()], such as `keep = "none"`.
#' @param assay.type Assay, when an experiment is given.
#' @return A data.frame with one row for each fraction and method (`"raw"`: nothing
#'   filled in; then those of `params`): `fraction`, `zeros` (the share reached),
#'   `method`, `pearson` (median over the samples), `lower`, `upper` (quartiles).
#' @details From gene g of sample s c m_g e_gs is subtracted, with m_g the mean of the
#'   gene, e_gs exponential of mean 1, the same for all fractions, and c such that
#'   the wanted share is 0 or below; those become 0. Where `bulk` is whole, so is the
#'   result: what is left is rounded up.
#' @references Rao et al. (2021), iScience 24:102393 (GraphSCI, Fig. 6).
#' @examples
#' bulk <- matrix(rpois(60 * 30, rexp(60) * 200), 60)
#' bulkDropout(bulk, 0.5, list(mean = GeneMeanParam(), DeepMcParam()), seed = 1)
#' @export
bulkDropout <- function(bulk, fraction = c(0.5, 0.6, 0.7), params, scale = c("log1p", "counts"),
    seed = NA, ...,
    assay.type = "counts")
{
    scale <- .checkChoice(scale, "scale", c("log1p", "counts"))
    counts <- tryCatch(.checkCounts(.countsOf(bulk, assay.type, "bulk"), FALSE),
        infill_error = function(e) {
        e$message <- sub("'x'", "'bulk'", e$message, fixed = TRUE)
        stop(e)
    })
    if (!is.numeric(fraction) || !length(fraction) || anyNA(fraction) ||
        any(fraction <= 0 | fraction >= 1)) .stop(
        "'fraction' must be numbers above 0 and below 1, not %s", .describe(fraction))
    if (missing(params))
        .stop("'params' must be given: parameters of models, such as DeepMcParam(), in a list")
    if (is(params, "InfillParam") || is.function(params)) params <- list(params)
    good <- is.list(params) &&
        all(vapply(params, function(p) is(p, "InfillParam") || is.function(p), NA))
    if (!good)
        .stop("'params' must be a list of parameters of models, such as DeepMcParam(), not %s",
            .describe(params))
    seed <- .seed(seed)
    names <- vapply(params, function(p) if (is.function(p)) "function" else
        sub("Param$", "", class(p)[1L]), "")
    given <- if (is.null(names(params))) rep("", length(params)) else names(params)
    methods <- c("raw", ifelse(nzchar(given), given, names))

    m <- as.matrix(counts)
    noise <- -log(.Call(C_uniforms, length(m), seed, 0L)) * rowMeans(m)
    ratio <- m / ifelse(noise > 0, noise, 1)                     # c at which a value is gone
    at <- c(0, sort(ratio))
    whole <- .Call(C_scan, counts)[4L] != 0
    truth <- if (scale == "log1p") log1p(m) else m
    out <- lapply(fraction, function(f) {
        if (mean(m == 0) > f)
            .stop("'fraction' must be above the share of zeros of 'bulk', %.3g, not %g",
                mean(m == 0), f)
        c <- at[1 + round(f * length(m))]
        left <- ifelse(ratio <= c, 0, pmax(m - noise * c, 0))
        if (whole) left <- ceiling(left)
        dropped <- .asSparse(left)
        filled <- c(list(left), lapply(params, function(p) if (is.function(p)) p(left) else
            infill(dropped, p, seed = seed, ..., check.scale = FALSE, as = "matrix")))
        do.call(rbind, Map(function(v, method) {
            v <- as.matrix(.filledOf(v, NULL, "params", dim(m)))
            v <- if (scale == "log1p") log1p(pmax(v, 0)) else v
            r <- vapply(seq_len(ncol(m)),
                function(s) if (stats::sd(v[, s]) > 0 && stats::sd(truth[, s]) > 0)
                stats::cor(v[, s], truth[, s]) else NA_real_, 0)
            q <- quantile(r, c(0.5, 0.25, 0.75), na.rm = TRUE, names = FALSE)
            data.frame(fraction = f, zeros = mean(left == 0), method = method, pearson = q[1L],
                lower = q[2L], upper = q[3L])
        }, filled, methods))
    })
    out <- do.call(rbind, out)
    rownames(out) <- NULL
    out
}

#' Gene-gene edges against a reference
#'
#' @param edges Edges that were found: a data.frame with columns `gene1` and
#'   `gene2`, such as [geneEdges()] gives.
#' @param reference Edges that are known, in the same form: an interaction database.
#' @param genes Names of all genes that could have had edges, such as the modelled
#'   ones; those in `edges` when `NULL`.
#' @return A data.frame with one row. Edges have no direction, each counts once, and
#'   edges of a gene with itself do not count. `edges` and `reference`: edges whose
#'   genes are both known to the other side; `common`; `precision` =
#'   common/edges; `recall` = common/reference; `f1`; `edges.all` and
#'   `reference.all`: all edges; `genes.not.in.reference` and `genes.not.in.edges`:
#'   how many genes of one side the other lacks, whose edges are not judged. Their
#'   names are in the attribute `"missing"`, a list of two.
#' @references Rao et al. (2021), iScience 24:102393 (GraphSCI; its precision
#'   against STRING).
#' @examples
#' found <- data.frame(gene1 = c("a", "b", "c"), gene2 = c("b", "c", "x"))
#' known <- data.frame(gene1 = c("b", "a", "d"), gene2 = c("a", "c", "a"))
#' edgesAgainst(found, known)
#' @export
edgesAgainst <- function(edges, reference, genes = NULL) {
    e <- .undirected(edges, "edges")
    r <- .undirected(reference, "reference")
    if (!is.null(genes) && (!is.atomic(genes) || anyNA(genes) || !length(genes))) .stop(
        "'genes' must be names of genes, not %s", .describe(genes))
    ours <- unique(c(as.character(genes), e$a, e$b))
    theirs <- unique(c(r$a, r$b))
    judged <- e$a %in% theirs & e$b %in% theirs
    sought <- r$a %in% ours & r$b %in% ours
    common <- sum(duplicated(rbind(e[judged, ], r[sought, ])))
    n <- sum(judged)
    k <- sum(sought)
    missing <- list(from.reference = setdiff(ours, theirs), from.edges = setdiff(theirs, ours))
    structure(data.frame(edges = n, reference = k, common = common, precision = common / n,
        recall = common / k,
        f1 = 2 * common / (n + k), edges.all = nrow(e), reference.all = nrow(r),
        genes.not.in.reference = length(missing[[1L]]), genes.not.in.edges = length(missing[[2L]])),
        missing = missing)
}

# Each pair once, the names in order.
.undirected <- function(edges, arg) {
    if (!is.data.frame(edges) || !all(c("gene1", "gene2") %in% names(edges))) .stop(
        "'%s' must be a data.frame with columns gene1 and gene2, not %s", arg,
        if (is.data.frame(edges))
            sprintf("one with %s",
                .someOf(c(names(edges), "none")[seq_len(max(1, length(edges)))])) else
                .describe(edges))
    a <- as.character(edges$gene1)
    b <- as.character(edges$gene2)
    if (anyNA(a) || anyNA(b)) .stop("'%s' must have no missing genes", arg)
    unique(data.frame(a = ifelse(a < b, a, b), b = ifelse(a < b, b, a))[a != b, ])
}
