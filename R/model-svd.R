#' @include infill.R
NULL

#' Truncated singular value decomposition
#'
#' A cell's logarithms log(1 + count / size factor), not centred, replaced by their projection on
#' the leading left singular vectors of all cells. No published model, but quick, and a good prior:
#' [StackParam()] uses several ranks of one decomposition.
#'
#' @param rank Singular vectors that are kept, at most genes and cells.
#' @param ... `seed`, `num.threads`.
#' @details With U (genes x `rank`) those vectors, s the cell's size factor (total over the median
#'   total of the fit) and x its counts: mu = s expm1(max(0, U U' log1p(x/s))).
#'
#'   U is found in a block Krylov space with a random start (Musco and Musco 2015), to what a
#'   prediction can use; data of up to 200 genes or cells are decomposed exactly.
#' @return An object of class `SvdParam`. `fitParts(fit)` has `vectors`, genes x `rank`;
#'   `fit@extras$values` are the singular values.
#' @references Musco C, Musco C (2015). Randomized block Krylov methods for stronger and faster
#'   approximate singular value decomposition. Advances in Neural Information Processing Systems 28.
#' @examples
#' counts <- matrix(rpois(3000, rep(rexp(60), 50) * 4), 60, 50)
#' infill(counts, SvdParam(rank = 5), keep = "none", seed = 1)[1:3, 1:5]
#' @aliases SvdParam-class
#' @export
SvdParam <- function(rank = 10, ...) .newParam("SvdParam", rank = rank, ...)

#' @export
setClass("SvdParam", contains = "InfillParam", slots = c(rank = "numeric"),
    prototype = list(model = "svd", rank = 10))

# Counts as they are: the core takes their logarithms itself.
.asTheyAre <- list(min.count = 0, min.cells = 0, gene.selection = "none", normalize = "none",
    log = "none")

setMethod(".preparation", "SvdParam", function(param) .asTheyAre)

setMethod(".planned", "SvdParam", function(param, x) {
    most <- min(x@x@Dim)
    if (param@rank > most)
        warning(sprintf("'rank' (%g) is cut to %d: %d genes x %d cells are modelled", param@rank,
        most, x@x@Dim[1L], x@x@Dim[2L]), call. = FALSE)
    x@recipe$plan <- list(usual = as.double(x@recipe$usual),
        rank = as.integer(min(param@rank, most)))
    x
})

# The logarithms, the space and its products.
setMethod(".fitBytes", "SvdParam", function(param, x, n, keep.state)
    8 * (length(x@x@x) + as.double(nrow(x)) * (2 * param@rank + 160)) + 2^22)

setMethod(".sizeAdvice", "SvdParam", function(param, x) sprintf("'rank', now %g", param@rank))

setMethod(".fitTo", "SvdParam", function(param, data, how) {
    fit <- .sharedSvd(data, param@rank, param, how)
    size <- min(param@rank, fit@recipe$plan$rank)
    fit@param <- param
    fit@recipe$plan$rank <- as.integer(size)
    fit@weights <- fit@weights[seq_len(fit@shapes$nrow * size)]
    fit@shapes$ncol <- as.integer(size)
    fit@extras$values <- fit@extras$values[seq_len(size), , drop = FALSE]
    fit
})

# A decomposition of a draw of at least this rank: the one that is there, or one at the highest rank
# that will be wanted (data$vectors).
.sharedSvd <- function(data, rank, param, how, x = NULL) {
    there <- data$leading
    if (!is.null(there) && (there@recipe$plan$rank >= rank || there@param@rank >= rank) &&
        identical(there@seed, param@seed)) return(there)
    p <- SvdParam(max(rank, data$vectors), seed = param@seed)
    if (is.null(x)) x <- .preparedOnce(p, data, how)
    fit <- (if (p@rank > rank) suppressWarnings else identity)(.fitPrepared(p, x,
        .partOf(how, p, param@seed)))
    if (!data$once) data$leading <- fit
    fit
}

.vectorsOf <- function(fit, n) matrix(fit@weights, fit@shapes$nrow)[,
    seq_len(min(n, fit@shapes$ncol)), drop = FALSE]

setMethod(".cost", "SvdParam", function(param, size, counts, threads) {
    wide <- param@rank + 96
    list(fit = .spent(size$entries * (4e-8 + 9e-10 * wide) + size$genes * wide^2 * 2.5e-9 +
        wide^3 * 6e-9, threads), fill = .filling(size, 4e-8 + 1e-9 * param@rank, threads),
        memory = 20 * size$entries + 24 * size$genes * wide + 2^26)
})
