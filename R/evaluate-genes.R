#' @include containers.R
NULL

#' Coefficient of variation of each gene
#'
#' Standard deviation over mean of each gene within labels of cells: filled-in
#' data vary less within a cell type than counts with dropouts (Fig. 4 of the
#' AutoImpute paper).
#'
#' @param x Genes x cells, non-negative, on the scale of counts: any container
#'   that [infill()] takes.
#' @param labels Group of each cell; `NA`: not used. One group when missing.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type Assay of an experiment.
#' @return Genes x labels; `NA` where a gene's mean is 0 or a group has one cell.
#' @references Talwar et al. (2018), Scientific Reports 8:16329.
#' @examples
#' counts <- matrix(rpois(200, 5), 20, 10)
#' head(geneCv(counts, rep(c("a", "b"), 5)), 3)
#' @export
geneCv <- function(x, labels = NULL, ..., assay.type = "counts") {
    .strict("geneCv()", ...)
    m <- .countsOf(x, assay.type, FALSE, look = FALSE)
    if (is.null(labels)) labels <- rep("all", ncol(m))
    if (!is.atomic(labels) && !is.factor(labels) && !is(labels, "Rle")) .stop(
        "'labels' must be a vector of labels, not %s", .describe(labels))
    if (length(labels) != ncol(m)) .stop("'labels' must have %d labels, not %d", ncol(m),
        length(labels))
    used <- !is.na(labels)
    if (!any(used)) .stop("'labels' must not be all NA")
    levels <- .levelsOf(labels)
    code <- match(as.character(labels), as.character(levels)) - 1L
    code[!used] <- -1L
    out <- .Call(C_gene_cv, m, code, tabulate(code + 1L, length(levels)))
    out[!is.finite(out)] <- NA
    dimnames(out) <- list(rownames(m), levels)
    out
}
