#' @include infill.R
NULL

#' Baselines: nothing, and one number per gene
#'
#' Models of the same interface as the others, to be beaten by them.
#' `NoneParam()` predicts 0 everywhere, so that [infill()] returns the counts as
#' they are. `GeneMeanParam()` predicts the gene's mean of the depth-normalised
#' counts times the cell's size factor.
#'
#' @param over `"all"`: mean over all cells, zeros counted. `"detected"`: mean
#'   of the logarithms (`log1p`) of the gene's non-zeros; for entries that were
#'   hidden, the harder baseline.
#' @param ... `seed` and `num.threads`; neither changes the result.
#' @return An [InfillParam-class].
#' @examples
#' counts <- matrix(rpois(200, 2), 20, 10)
#' infill(counts, GeneMeanParam(over = "detected"))[1:3, 1:5]
#' @aliases NoneParam-class GeneMeanParam-class
#' @name baselines
NULL

#' @export
setClass("NoneParam", contains = "InfillParam", prototype = list(model = "none"))

#' @rdname baselines
#' @export
NoneParam <- function(...) .newParam("NoneParam", ...)

setMethod(".preparation", "NoneParam", function(param)
    list(min.count = 0, min.cells = 0, gene.selection = "none", log = "none"))

#' @export
setClass("GeneMeanParam", contains = "InfillParam", slots = c(over = "character"),
    prototype = list(model = "genemean", over = "all"))

#' @rdname baselines
#' @export
GeneMeanParam <- function(over = c("all", "detected"), ...)
    .newParam("GeneMeanParam", over = if (missing(over)) "all" else over, ...)

setMethod(".preparation", "GeneMeanParam", function(param)
    list(min.count = 0, min.cells = 0, gene.selection = "none",
        log = if (identical(param@over, "detected")) "log1p" else "none"))

setMethod(".judgedKeep", "NoneParam", function(param) "observed")
