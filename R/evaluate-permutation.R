#' @include infill.R
NULL

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
#' @param n.cells At most so many cells are shuffled and filled in, a random sample of all; `Inf`:
#'   all.
#' @param cut Pairs of genes whose |Pearson r| is above this count as correlated,
#'   from 0 to 1.
#' @param seed Number that fixes the shuffle, the halves and the fit; `NULL`: drawn
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
#'   `verdict` is the worst of them: `"red"` where more than 1 % are false after
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
#' permutationCheck(counts, flat, seed = 1)$verdict
#' @export
permutationCheck <- function(x, param, ..., n.genes = 500, n.cells = 2000, cut = 0.5, seed = NULL,
    assay.type = "counts") {
    n.genes <- .checkNumber(n.genes, "n.genes", 4, 1e5, whole = TRUE)
    cut <- .checkNumber(cut, "cut", 0, 1)
    if (missing(param) || !is.function(param) && !is(param, "InfillParam")) .stop(
        "'param' must be the parameters of a model, such as StackParam(), or a function, not %s",
        if (missing(param)) "missing" else .describe(param))
    if ("output" %in% ...names())
        .stop("'output' cannot be chosen: the check needs the scale of counts")
    seed <- .seed(seed)
    counts <- .judgedOn(x, assay.type, TRUE, n.cells, seed)$counts
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
    structure(list(verdict = .worst(out$verdict), tests = out, cut = cut, seed = seed,
        model = if (is.function(param)) "a function" else class(param)[1L]),
        class = "PermutationCheck")
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
    m <- m / ifelse(norm > 0, norm, 1)
    # blocks of genes with those before them: no genes x genes matrix, and time for an interrupt
    above <- 0
    .crossRows(m, function(at, r) above <<- above + sum(abs(r[row(r) < at[col(r)]]) > cut))
    above / (nrow(m) * (nrow(m) - 1) / 2)
}

#' @export
as.data.frame.PermutationCheck <- function(x, ...) as.data.frame(x$tests, ...)

#' @export
print.PermutationCheck <- function(x, ...) {
    .strict("print()", ...)
    words <- c(pairs = sprintf("pairs of genes correlated (|r| > %g)", x$cut),
        genes = "genes different between random halves",
        markers = "genes different between halves that others suggest")
    t <- x$tests
    cat(sprintf("Signal made out of shuffled counts by %s: %s\n", x$model, x$verdict))
    cat(sprintf("  %-51s %9s -> %9s  %s\n", words[t$test], .percent(t$before), .percent(t$after),
        t$verdict), sep = "")
    cat(switch(x$verdict,
        red = "Correlations and markers seen after filling in need not be in the data.\n",
        yellow = paste("A little structure appears that is not in the data: look at weak",
            "findings twice.\n"),
        green = "Filling in made no structure that can be seen.\n"))
    invisible(x)
}
