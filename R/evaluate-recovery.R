#' @include mask.R
NULL

#' How well hidden entries were recovered
#'
#' @param truth True values: a numeric vector, or a [MaskedCounts-class] (not of
#'   scheme `"molecules"`, which hides parts of entries: see [calibrationTable()]).
#' @param filled What a model says: a vector as long as `truth`, or for masked
#'   counts what [infill()] made of [maskedData()], on the count scale.
#' @param ... For the method for masked counts: the arguments below. Any other is an error.
#' @param by `"overall"`, `"gene"` or `"cell"`.
#' @param scale Scale on which errors are taken: `"log2"` or `"log1p"` of the
#'   value divided by the cell's size factor (total of the masked counts over the
#'   median total) plus 1, `"counts"`, or `"log1p.twice"`: log1p of log1p, as the
#'   axes of DeepImpute's Fig. 2 are.
#' @param subset.row Genes to judge: names, positions or a logical vector, such
#'   as `fitParts(fit, "genes")`; all when `NULL`. A model that does not model a gene
#'   leaves its hidden entries at 0.
#' @param name Assay of the result, when it is an experiment.
#' @return A data.frame with one row (overall) or one row per gene or cell that
#'   has hidden entries: `n`; `rmse` = sqrt(`mse`); `mse` = mean (t - p)^2; `mae` =
#'   mean |t - p|; `nmse` = |t - p| / |t| (2-norms; the root, as the AutoImpute code
#'   has it); `pearson`; `spearman`, that of the ranks, where ties get their mean
#'   rank (both `NA` where either side is constant but for rounding: the filled's in single
#'   precision).
#' @references Talwar et al. (2018), Scientific Reports 8:16329.
#' @examples
#' recoveryError(c(1, 2, 3), c(1, 2, 4))
#' m <- maskCounts(matrix(rpois(2000, 5), 50, 40), seed = 1)
#' recoveryError(m, infill(maskedData(m), GeneMeanParam()))
#' recoveryError(m, infill(maskedData(m), GeneMeanParam()), subset.row = 1:10)
#' @rdname recoveryError
#' @aliases recoveryError
#' @export
setMethod("recoveryError", c("numeric", "numeric"), function(truth, filled, ...) {
    .strict("recoveryError() of numbers", ...)
    .recovery(truth, filled)
})

#' @rdname recoveryError
#' @export
setMethod("recoveryError", c("ANY", "ANY"), function(truth, filled, ...) .stop(paste(
    "'truth' must be numbers or what maskCounts() returns, and 'filled' numbers or",
    "filled-in data; not %s and %s"), .describe(truth), .describe(filled)))

.recovery <- function(truth, filled, group = NULL) {
    if (length(truth) != length(filled)) .stop(
        "'truth' and 'filled' must be of one length, not %d and %d", length(truth),
        length(filled))
    if (!length(truth)) .stop("'truth' must have at least one value")
    bad <- function(v) which(!is.finite(v))
    if (length(b <- bad(truth))) .stop("'truth' must be finite; value %d is %s", b[1L],
        format(truth[b[1L]]))
    if (length(b <- bad(filled))) .stop("'filled' must be finite; value %d is %s", b[1L],
        format(filled[b[1L]]))
    levels <- if (is.null(group)) 1L else sort(unique(group))
    out <- as.data.frame(.Call(C_recovery, as.double(truth), as.double(filled),
        if (!is.null(group)) match(group, levels) - 1L, length(levels)))
    for (r in c("pearson", "spearman")) out[[r]][is.nan(out[[r]])] <- NA
    if (!is.null(group)) rownames(out) <- levels
    out
}

# The hidden entries of some genes.
.onlyGenes <- function(m, kept, subset.row) {
    genes <- seq_len(nrow(kept))
    names(genes) <- rownames(kept)
    genes <- if (is.character(subset.row) || is.numeric(subset.row) || is.logical(subset.row))
        tryCatch(genes[subset.row], error = function(e) NA) else NA
    if (anyNA(genes))
        .stop(paste("'subset.row' must be names, positions or a logical vector of genes of the",
            "masked counts, not %s"),
        .describe(subset.row))
    at <- m@row %in% genes
    if (!any(at)) .stop("'subset.row' must leave hidden entries; these %d genes have none",
        length(genes))
    m@row <- m@row[at]
    m@col <- m@col[at]
    m@value <- m@value[at]
    m
}

#' @rdname recoveryError
#' @export
setMethod("recoveryError", c("MaskedCounts", "ANY"), function(truth, filled, ...,
    by = c("overall", "gene", "cell"), scale = c("log2", "log1p", "counts", "log1p.twice"),
    subset.row = NULL, name = "infilled")
{
    .strict("recoveryError()", ...)
    by <- .checkChoice(by, "by", c("overall", "gene", "cell"))
    scale <- .checkChoice(scale, "scale", c("log2", "log1p", "counts", "log1p.twice"))
    .checkMasked(truth, "truth")
    if (truth@scheme == "molecules")
        .stop(paste("'truth' must be a mask that hides whole entries, not one of scheme",
        "\"molecules\", whose entries keep a part of theirs; calibrationTable() judges what was",
            "filled in by it"))
    kept <- .keptOf(truth)
    filled <- .resultOf(filled, name, "filled")
    if (length(dim(filled)) != 2L || any(dim(filled) != dim(kept))) {
        .stop("'filled' must be %d x %d like the masked counts, not %s", nrow(kept), ncol(kept),
            if (length(dim(filled)) == 2L) paste(dim(filled), collapse = " x ")
            else .describe(filled))
    }
    .checkMatrix(filled, "filled")
    if (!is.null(subset.row)) truth <- .onlyGenes(truth, kept, subset.row)
    t <- truth@value
    p <- as.double(filled[cbind(truth@row, truth@col)])
    if (scale != "counts") {
        total <- Matrix::colSums(kept)
        size <- total / median(total[total > 0])
        size[size == 0] <- 1
        log <- switch(scale, log2 = function(v) log2(v + 1), log1p = log1p,
            log1p.twice = function(v) log1p(log1p(v)))
        t <- log(t / size[truth@col])
        p <- log(pmax(p, 0) / size[truth@col])
    }
    out <- .recovery(t, p, switch(by, gene = truth@row, cell = truth@col))
    names <- switch(by, gene = rownames(kept), cell = colnames(kept))
    if (!is.null(names) && !anyDuplicated(names)) rownames(out) <- names[as.integer(rownames(out))]
    out
})
