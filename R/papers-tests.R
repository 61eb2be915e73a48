#' @include infill.R
NULL

#' Differences of genes between two groups of cells
#'
#' Wilcoxon's rank sum test or Welch's t-test for every gene, as `wilcox.test()`
#' and `t.test()` do them, many genes at once.
#'
#' @param x Values, genes x cells, on any scale: a matrix, a sparse or delayed
#'   Matrix, or an experiment. They are tested as they are: divide by the cells'
#'   sizes before.
#' @param labels Class of each cell, two of them; `NA`: not used. The first (of a
#'   factor's levels, else in sorted order) is compared with the second.
#' @param test `"wilcoxon"`: rank sum, normal approximation with corrections for
#'   ties and continuity; `"t"`: unequal variances.
#' @param logged Are the values logarithms already (of base 2)?
#' @param ... Nothing: an unknown argument is an error.
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
geneTests <- function(x, labels, test = c("wilcoxon", "t"), logged = FALSE, ...,
    assay.type = "counts")
{
    .strict("geneTests()", ...)
    test <- .checkChoice(test, "test", c("wilcoxon", "t"))
    .checkFlag(logged, "logged")
    x <- .matrixOf(x, assay.type, "x")
    g <- .twoGroups(labels, ncol(x))
    r <- .testGenes(x, g, test, "x")
    if (!logged && (any(r$mean1 <= -1) || any(r$mean2 <= -1))) .stop(
        "'x' has means of -1 or below; logged = TRUE takes values as logarithms")
    p <- exp(r$log.p)
    out <- data.frame(statistic = r$statistic, p.value = p, adjusted = stats::p.adjust(p, "BH"),
        log.fc = if (logged) r$mean1 - r$mean2 else log2((r$mean1 + 1) / (r$mean2 + 1)))
    rownames(out) <- if (!anyDuplicated(rownames(x)) && !anyNA(rownames(x))) rownames(x)
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
#' @param labels Class of each cell, two of them; `NA`: not used.
#' @param truth `TRUE` for the genes that are differential in bulk data, `FALSE`
#'   for the others, `NA` for those that are not known; in the order of the genes,
#'   or named like them (genes without a name there are not known).
#' @param test `"wilcoxon"` or `"t"`.
#' @param scale What is tested: `"log1p"` of value over size factor (total of the
#'   cell over the median total), or values as they are.
#' @param alpha Genes with an adjusted p below this are called, from 0 to 1.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type Assay, when an experiment is given.
#' @return A data.frame with one row: `genes` and `true` (known ones, and of them
#'   differential ones), `called`, `auc` (of -log p; needs both kinds of genes),
#'   `accuracy`, `precision`, `recall`, `f1` (`NA`: of nothing). p is adjusted over the known
#'   genes; a gene that does not vary has p = 1.
#' @references Mongia, Sengupta and Majumdar (2020), deepMc (Fig. 3). Rao et al.
#'   (2021), iScience 24:102393 (GraphSCI, Fig. 7).
#' @examples
#' labels <- rep(1:2, 20)
#' counts <- matrix(rpois(2000, 5), 50)
#' counts[1:10, labels == 1] <- rpois(200, 9)
#' genesAgainstBulk(counts, labels, truth = 1:50 <= 10)
#' @export
genesAgainstBulk <- function(x, labels, truth, test = c("wilcoxon", "t"),
    scale = c("log1p", "none"), alpha = 0.05, ..., assay.type = "counts")
{
    .strict("genesAgainstBulk()", ...)
    test <- .checkChoice(test, "test", c("wilcoxon", "t"))
    scale <- .checkChoice(scale, "scale", c("log1p", "none"))
    alpha <- .checkNumber(alpha, "alpha", 0, 1)
    given <- x
    x <- .matrixOf(x, assay.type, "x")
    if (scale == "log1p") .checkOnCounts(.noteOf(given, .lookedAt(given, assay.type)), "x")
    g <- .twoGroups(labels, ncol(x))
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
        precision = .share(hit, sum(called)), recall = .share(hit, sum(truth)),
        f1 = .share(2 * hit, sum(called) + sum(truth)))
}

# Two groups: the levels, and of each cell whether it is of the second; NA: not used.
.twoGroups <- function(labels, n) {
    if (length(labels) != n || is.list(labels))
        .stop("'labels' must have %d labels, not %s", n, if (is.list(labels))
        .describe(labels) else format(length(labels)))
    used <- !is.na(labels)
    levels <- .levelsOf(labels)
    if (length(levels) != 2L)
        .stop("'labels' must have two classes (and NA for cells that are not used), not %d",
            length(levels))
    list(levels = as.character(levels), used = used,
        second = as.character(labels) == as.character(levels)[2L])
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
    out <- do.call(rbind, parts)
    # of a gene that does not vary there is no test, nor of values whose squares are too large
    out$statistic[!is.finite(out$statistic)] <- NA
    out$log.p[is.na(out$log.p) | is.na(out$statistic)] <- NA
    out
}
