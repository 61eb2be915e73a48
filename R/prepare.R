#' @include containers.R
NULL

#' Prepared counts
#'
#' What [prepareCounts()] returns: the matrix a model sees, and the recipe that
#' made it.
#' @slot x dgCMatrix, selected genes (in order of their score) x cells.
#' @slot recipe list; see [prepareCounts()].
#' @slot total Counts of each cell over the kept genes.
#' @param object,x A `PreparedCounts`.
#' @return A class: see [prepareCounts()] for its objects.
#' @examples
#' prepareCounts(matrix(rpois(200, 5), 20, 10))
#' @export
setClass("PreparedCounts", slots = c(x = "dgCMatrix", recipe = "list",
    total = "numeric"))

#' @rdname PreparedCounts-class
#' @export
setMethod("show", "PreparedCounts", function(object) {
    .checkPrepared(object, "object")
    r <- object@recipe
    cat(sprintf("PreparedCounts: %d genes of %d x %d cells, scale %s\n",
        nrow(object@x), length(r$status), ncol(object@x), r$log))
    cat(sprintf("  %s; selection: %s; %.1f %% zeros\n",
        if (r$normalize == "median") sprintf("depth %g", r$target)
        else "not depth-normalised", r$gene.selection,
        100 * (1 - length(object@x@x) / prod(dim(object@x)))))
})

#' @rdname PreparedCounts-class
#' @name coerce,PreparedCounts,dgCMatrix-method
#' @aliases coerce,PreparedCounts,dgCMatrix-method
#' @exportMethod coerce
setAs("PreparedCounts", "dgCMatrix", function(from) from@x)

#' @rdname PreparedCounts-class
#' @export
setMethod("dim", "PreparedCounts", function(x) dim(x@x))

#' @rdname PreparedCounts-class
#' @export
setMethod("dimnames", "PreparedCounts", function(x) dimnames(x@x))

#' Prepare counts for a model, and undo it
#'
#' Filters genes, normalises depth, chooses genes and takes logarithms, in C
#' and only on the non-zeros. Models call it by themselves; call it to see what
#' they see. Sparse and dense input give the same bits.
#'
#' @param x Counts, genes x cells: a matrix, a sparse Matrix, a DelayedMatrix, a
#'   SummarizedExperiment, a SingleCellExperiment or a Seurat object.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type Assay of an experiment to use; of a Seurat object a layer, or an assay and
#'   a layer, as `c("ADT", "counts")`.
#' @param min.count,min.cells A gene is kept when at least `min.cells` cells
#'   hold at least `min.count` of its molecules or reads. Default 3 in 3, the
#'   rule of the AutoImpute paper.
#' @param gene.selection How kept genes are ranked. `"dispersion"`: normalised
#'   dispersion within 20 bins of mean expression, absolute value (Zheng et al.
#'   2017, as AutoImpute's code has it); `"dispersion.signed"`: the same without
#'   the absolute value; `"cv"`: standard deviation over mean; `"vmr"`: variance
#'   over mean; `"none"`: all kept genes, in their order. Moments are those of
#'   the depth-normalised counts over all cells.
#' @param n.genes Number of genes to select, best first (all if fewer); `Inf`: all.
#' @param vmr.threshold With `gene.selection = "vmr"`: every gene whose variance
#'   over mean is above this, at most `n.genes` of them.
#' @param normalize `"median"`: each cell's counts are divided by its total over
#'   the kept genes and multiplied by the median total; `"none"`.
#' @param log `"log2"` or `"log1p"` of the normalised count plus 1, or `"none"`.
#' @param check.scale Refuse values that look like logarithms (not whole and all
#'   below 30)?
#' @return `prepareCounts()`: a [PreparedCounts-class]; `as(p, "dgCMatrix")` is
#'   its matrix, genes in order of their score. Its recipe lists `genes` (names),
#'   `kept` (logical), `selected` (indices), `status` of every gene
#'   (`"modelled"`, `"not selected"`, `"too few cells"`), `score`, `target`
#'   (median total, 0 when not normalised), `usual` (median total), `log` and the
#'   arguments.
#'
#'   `restoreCounts()`: a dense matrix, selected genes x cells: the counts.
#' @details Cells without counts in the kept genes are left out of the median
#'   and become zeros, with a warning. A bin of genes whose median absolute
#'   deviation is 0 uses 1 instead; equal break points are collapsed; ties keep
#'   the order of the input. C does the passes over the matrix; the ranking of
#'   one number per gene uses R's own [quantile()] (type 7) and [mad()].
#' @section Errors: `infill_error` when no gene is kept, when `x` is no count
#'   matrix, or when genes are to be selected from a single cell (no variance).
#' @references Talwar et al. (2018), Scientific Reports 8:16329. Zheng et al.
#'   (2017), Nature Communications 8:14049.
#' @examples
#' counts <- matrix(rpois(600, 4), 30, 20)
#' p <- prepareCounts(counts, n.genes = 10)
#' p
#' max(abs(restoreCounts(p) - counts[p@recipe$selected, ]))
#' @export
prepareCounts <- function(x, ..., assay.type = "counts", min.count = 3, min.cells = 3,
    gene.selection = c("dispersion", "dispersion.signed", "cv", "vmr", "none"),
    n.genes = 1000, vmr.threshold = NULL, normalize = c("median", "none"),
    log = c("log2", "log1p", "none"), check.scale = TRUE)
{
    .strict("prepareCounts()", ...)
    counts <- .countsOf(x, assay.type, check.scale)
    .prepare(counts, .checkNumber(min.count, "min.count", 0, 1e9),
        .checkNumber(min.cells, "min.cells", 0, 1e9, TRUE),
        .checkChoice(gene.selection, "gene.selection", .selections),
        .checkCount(n.genes, "n.genes"),
        if (!is.null(vmr.threshold)) .checkNumber(vmr.threshold, "vmr.threshold", 0, 1e12),
        .checkChoice(normalize, "normalize", c("median", "none")),
        .checkChoice(log, "log", c("log2", "log1p", "none")))
}

# The same of arguments that have been looked at.
.prepare <- function(counts, min.count = 3, min.cells = 3, gene.selection = "dispersion",
    n.genes = 1000, vmr.threshold = NULL, normalize = "median", log = "log2")
{
    detected <- if (min.count > 0) .Call(C_detected, counts, min.count)
        else rep(ncol(counts), nrow(counts))              # a zero is at least 0, too
    kept <- detected >= min.cells
    if (!any(kept)) {
        .stop(paste("no gene of 'x' has at least %g counts in at least %g of the",
            "%d cells (the best has them in %d); lower 'min.cells'"), min.count,
            min.cells, ncol(counts), max(detected))
    }
    total <- .Call(C_totals, counts, kept)
    empty <- sum(total == 0)
    if (empty) {
        warning(sprintf("%d of %d cells have no counts in the kept genes; they stay as they are",
            empty, length(total)), call. = FALSE)
    }
    if (empty == length(total)) .stop("'x' holds no counts in the kept genes")
    usual <- median(total[total > 0])
    target <- if (normalize == "median") usual else 0
    recipe <- list(genes = rownames(counts), kept = kept, target = target, usual = usual,
        log = log, normalize = normalize, min.count = min.count,
        min.cells = min.cells, gene.selection = gene.selection)
    chosen <- .selectGenes(counts, total, recipe, n.genes, vmr.threshold)
    recipe$selected <- chosen$genes
    recipe$score <- chosen$score
    recipe$status <- ifelse(kept, "not selected", "too few cells")
    recipe$status[chosen$genes] <- "modelled"
    new("PreparedCounts", x = .takeGenes(counts, total, recipe, chosen$genes),
        recipe = recipe, total = total)
}

.selectGenes <- function(counts, total, recipe, n.genes, vmr.threshold) {
    kept <- which(recipe$kept)
    if (recipe$gene.selection == "none") return(list(genes = kept, score = NULL))
    if (ncol(counts) < 2L) {
        .stop(paste("'x' must have at least two cells for genes to be selected by",
            "their variance; gene.selection = \"none\" keeps all"))
    }
    m <- .Call(C_moments, counts, total, recipe$target)
    mean <- m$mean[kept]
    vmr <- ifelse(mean > 0, m$var[kept] / mean, 0)
    score <- switch(recipe$gene.selection,
        cv = ifelse(mean > 0, sqrt(m$var[kept]) / mean, 0),
        vmr = vmr,
        dispersion = abs(.binnedDispersion(mean, vmr)),
        dispersion.signed = .binnedDispersion(mean, vmr))
    best <- order(-score)
    if (!is.null(vmr.threshold)) {
        if (recipe$gene.selection != "vmr") {
            .stop("'vmr.threshold' goes with gene.selection = \"vmr\"")
        }
        best <- best[score[best] > vmr.threshold]
        if (!length(best)) {
            .stop("no gene of 'x' has variance/mean above 'vmr.threshold' (%g); the largest is %g",
                vmr.threshold, max(score))
        }
    }
    best <- head(best, min(n.genes, length(best)))
    list(genes = kept[best], score = score[best])
}

# (variance/mean - median of its bin) / (1.4826 MAD of its bin), bins (a, b] at the 10, 15, ..., 100
# % quantiles of the mean
.binnedDispersion <- function(mean, vmr) {
    cuts <- unique(c(-Inf, quantile(mean, seq(0.10, 1, by = 0.05), names = FALSE), Inf))
    bin <- cut(mean, cuts, labels = FALSE)
    centre <- spread <- numeric(length(mean))
    for (b in unique(bin)) {
        at <- bin == b
        centre[at] <- median(vmr[at])
        spread[at] <- mad(vmr[at])
    }
    spread[spread == 0] <- 1
    (vmr - centre) / spread
}

# Rows `genes` of counts, in that order, scaled and logged as the recipe says.
.takeGenes <- function(counts, total, recipe, genes) {
    # as they are: no copy
    if (recipe$target == 0 && recipe$log == "none" && identical(genes, seq_len(nrow(counts))))
        return(counts)
    row <- rep.int(-1L, nrow(counts))
    row[genes] <- seq_along(genes) - 1L
    new <- .Call(C_take, counts, row, length(genes), as.double(total),
        as.double(recipe$target), match(recipe$log, .logs) - 1L)
    .sparseOf(new, c(length(genes), ncol(counts)), list(rownames(counts)[genes],
        colnames(counts)))
}

# A sparse matrix of parts that the core made: nothing looks at every value once more.
.sparseOf <- function(parts, dim, names) {
    x <- new("dgCMatrix")
    x@p <- parts$p
    x@i <- parts$i
    x@x <- parts$x
    x@Dim <- dim
    x@Dimnames <- names
    x
}

.selections <- c("dispersion", "dispersion.signed", "cv", "vmr", "none")

#' @param prepared A [PreparedCounts-class].
#' @param values Matrix of the shape of `prepared` on its scale; its own matrix
#'   when missing.
#' @rdname prepareCounts
#' @export
restoreCounts <- function(prepared, values = as(prepared, "dgCMatrix")) {
    if (!is(prepared, "PreparedCounts")) {
        .stop("'prepared' must be what prepareCounts() returns, not %s",
            .describe(prepared))
    }
    .checkPrepared(prepared, "prepared")
    values <- .plainMatrix(values, "values")
    if (!is.matrix(values)) .stop("'values' must be a matrix, not %s", .describe(values))
    if (!is.numeric(values)) .stop("'values' must hold numbers, not type %s",
        dQuote(typeof(values), FALSE))
    if (!identical(dim(values), dim(prepared))) {
        .stop("'values' must be %d x %d, not %d x %d", nrow(prepared),
            ncol(prepared), nrow(values), ncol(values))
    }
    storage.mode(values) <- "double"
    if (!all(is.finite(values))) .stop("'values' must be finite")
    n <- ncol(prepared)
    none <- sparseMatrix(i = integer(), j = integer(), x = numeric(), dims = dim(prepared))
    out <- .Call(C_restore, none, 0L, values, seq_len(nrow(prepared)) - 1L,
        .modelSizes(prepared@total, prepared@recipe), NULL, rep(1, n),
        c(match(prepared@recipe$log, .logs) - 1L, 0L, 0L, 0L), 0)
    if (!all(is.finite(out))) .stop("'values' are too large: some are infinite when %s is undone",
        dQuote(prepared@recipe$log, FALSE))
    dimnames(out) <- .namesOf(prepared)
    out
}
