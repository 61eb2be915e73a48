#' @include model-svd.R
NULL

setClassUnion("EmbeddingOrNULL", c("matrix", "NULL"))
.slotWords$EmbeddingOrNULL <- "a matrix or NULL"

#' Mean of the nearest cells
#'
#' The pooled counts of a cell's `k` nearest other cells, over their pooled total, times the cell's
#' own. No published model, but one that every atlas makes good use of.
#'
#' @param k Neighbours, at most the other cells that there are.
#' @param n.components Coordinates in which cells are near: scores (singular values times right
#'   singular vectors) of the logarithms log(1 + count / size factor), not centred.
#' @param embedding Matrix, cells x coordinates, to be used instead; finite. Rows are matched by
#'   name where both sides have names. New cells then have no neighbours, and are an error.
#' @param ... `seed`, `num.threads`.
#' @details With t the totals of the cells and N the neighbours of cell c, by Euclidean distance:
#'   mu_gc = t_c (sum over j in N of x_gj) / (sum over j in N of t_j). Scores are those of
#'   [SvdParam()].
#'
#'   Neighbours share their noise: what is pooled makes genes more alike than they are
#'   ([permutationCheck()]), and cells, too.
#' @section New cells: find their neighbours among the cells of the fit, in the coordinates of the
#'   fit. A cell of the fit is known again by its counts, and is not its own neighbour.
#' @section Memory: The fit holds the counts of its cells, sparse.
#' @return An object of class `NeighborMeanParam`.
#' @examples
#' counts <- matrix(rpois(3000, rep(rexp(60), 50) * 4), 60, 50)
#' infill(counts, NeighborMeanParam(k = 10), keep = "none", seed = 1)[1:3, 1:5]
#' @aliases NeighborMeanParam-class
#' @export
NeighborMeanParam <- function(k = 30, n.components = 20, embedding = NULL, ...) {
    .newParam("NeighborMeanParam", k = k, n.components = n.components,
        embedding = .plainMatrix(embedding, "embedding"), ...)
}

#' @export
setClass("NeighborMeanParam", contains = "InfillParam", slots = c(k = "numeric",
    n.components = "numeric", embedding = "EmbeddingOrNULL"), prototype = list(model = "neighbors"))

setMethod(".ownProblems", "NeighborMeanParam", function(object) c(
    .mustBeWhole(object, "n.components", 1, 1000),
    .must(object, "embedding", is.null(object@embedding) || is.numeric(object@embedding) &&
        length(object@embedding) && all(is.finite(object@embedding)),
        "a matrix of finite numbers, cells x coordinates")))

setMethod(".preparation", "NeighborMeanParam", function(param) .asTheyAre)

# Of a draw the cells are the same, whatever the number of neighbours.
setMethod(".fitTo", "NeighborMeanParam", function(param, data, how) {
    x <- .preparedOnce(param, data, how)
    there <- data$near
    if (is.null(param@embedding) && !is.null(there) &&
        there@param@n.components == param@n.components && identical(there@seed, param@seed) &&
        param@k < ncol(x)) {
        there@param <- param
        return(there)
    }
    if (is.null(param@embedding)) x@recipe$at <- .placesIn(x, param, .sharedSvd(data,
        min(param@n.components, dim(x)), param, how, x), how$threads)
    fit <- .fitPrepared(param, x, how)
    if (is.null(param@embedding) && !data$once) data$near <- fit
    fit
})

# What C reads: the cells of the fit, and where they are.
setMethod(".planned", "NeighborMeanParam", function(param, x) {
    n <- x@x@Dim[2L]
    if (n < 2L) .stop("'x' must have at least two cells, not %d", n)
    if (param@k >= n)
        warning(sprintf("'k' (%g) is cut to %d: there are %d other cells", param@k, n - 1L,
        n - 1L), call. = FALSE)
    usual <- as.double(x@recipe$usual)
    at <- if (!is.null(param@embedding)) list(turn = matrix(0, nrow(x), 0L),
        scores = t(.embeddingOf(param@embedding, x@x))) else if (!is.null(x@recipe$at))
        x@recipe$at else .placesIn(x, param, .ownSvd(param, x))
    x@recipe$at <- NULL
    x@recipe$transductive <- !ncol(at$turn)
    x@recipe$plan <- list(cells = n, dims = nrow(at$scores), usual = usual,
        rotation = as.double(at$turn), scores = as.double(at$scores), totals = as.double(x@total),
        p = x@x@p, i = x@x@i, x = x@x@x)
    x
})

# Leading vectors and scores: list(turn, scores).
.placesIn <- function(x, param, svd, threads = 1L) {
    turn <- .vectorsOf(svd, param@n.components)
    list(turn = turn, scores = .Call(C_scores, x@x, turn, as.double(x@recipe$usual), threads))
}

.ownSvd <- function(param, x) {
    svd <- SvdParam(min(param@n.components, dim(x)))
    how <- .partOf(list(threads = 1L, every = 500), svd, param@seed)
    suppressWarnings(.fitPrepared(how$param, x, how))
}

# The rows of an embedding in the order of the cells: by name where both sides have names.
.embeddingOf <- function(z, counts) {
    cells <- colnames(counts)
    if (!is.null(rownames(z)) && !is.null(cells)) {
        lost <- setdiff(cells, rownames(z))
        if (length(lost)) .stop("'embedding' has names, but none for %d of the cells: %s",
            length(lost),
            .someOf(lost))
        z <- z[match(cells, rownames(z)), , drop = FALSE]
    }
    if (nrow(z) != ncol(counts))
        .stop("'embedding' must have one row for each of the %d cells, not %d",
        ncol(counts), nrow(z))
    z
}

setMethod(".unsetWords", "NeighborMeanParam", function(param) list(
    embedding = sprintf("%g components of the data", param@n.components)))

setMethod(".onlyItsCells", "NeighborMeanParam", function(param) !is.null(param@embedding))

setMethod(".cost", "NeighborMeanParam", function(param, size, counts, threads) {
    svd <- .cost(SvdParam(param@n.components), size, counts, threads)
    list(fit = svd$fit, fill = .filling(size, 4e-8, threads) + .spent(size$cells *
        (size$cells * 1.2e-9 + param@k * size$entries / size$cells * 3e-9), threads),
        memory = svd$memory + 60 * size$cells * param@n.components)
})
