#' @include infill.R
NULL

#' Filled-in values on demand
#'
#' The seed of the DelayedMatrix that [infill()] returns for large data: holds
#' the fit and the sparse counts, and computes the cells that are asked for.
#' @slot fit,counts,how,threads The [InfillFit-class], the counts, the choices
#'   made in [infill()], the threads. Counts that were on disk are read from there.
#' @param x,index As in the generics of \pkg{DelayedArray}.
#' @return A class. `extract_array()`: a dense matrix of the wanted genes and
#'   cells, the same bits as in the whole result.
#' @examples
#' counts <- matrix(rpois(2000, 2), 50, 40)
#' filled <- infill(counts, GeneMeanParam(), as = "delayed")
#' filled[1:3, 1:4]
#' @aliases dim,CellSource-method dimnames,CellSource-method
#' @export
setClass("InfillSeed", slots = c(fit = "InfillFit", counts = "ANY", how = "list",
    threads = "integer"))

#' @rdname InfillSeed-class
#' @export
setMethod("dim", "InfillSeed", function(x) dim(x@counts))

#' @rdname InfillSeed-class
#' @export
setMethod("dimnames", "InfillSeed", function(x) .namesOf(x@counts))

#' @rdname InfillSeed-class
#' @export
setMethod("extract_array", "InfillSeed", function(x, index) {
    .checkIntact(x@fit)
    cols <- if (is.null(index[[2L]])) seq_len(ncol(x@counts)) else index[[2L]]
    rows <- index[[1L]]
    out <- matrix(0, if (is.null(rows)) nrow(x@counts) else length(rows), length(cols))
    for (at in .inBlocks(length(cols), max(nrow(out), 1)))
        out[, at] <- .block(x@fit, x@counts, cols[at], x@how, x@threads, rows)
    out
})

#' @rdname InfillSeed-class
#' @export
setMethod("chunkdim", "InfillSeed", function(x)
    c(nrow(x@counts), if (ncol(x@counts))
        length(.inBlocks(ncol(x@counts), nrow(x@counts))[[1L]]) else 0L))
