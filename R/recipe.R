# How counts were prepared: what a recipe must hold.
#' @include fit-class.R
NULL

.logs <- c("none", "log2", "log1p")       # in the order of the C enum Log

.checkRecipe <- function(r, whose) {
    n <- length(r$kept)
    must <- function(part, ok, what) if (!isTRUE(ok))
        .damaged(whose, paste0("recipe$", part), paste("must be", what))
    must("kept", n && is.logical(r$kept) && !anyNA(r$kept), "TRUE or FALSE for each gene")
    must("genes", is.null(r$genes) || is.character(r$genes) && length(r$genes) == n,
        "the names of the genes, or NULL")
    must("status", is.character(r$status) && length(r$status) == n && !anyNA(r$status),
        "a word for each gene")
    s <- r$selected
    must("selected", is.numeric(s) && length(s) && !anyNA(s) &&
        all(s >= 1 & s <= n & s == round(s)) && !anyDuplicated(s),
        "positions of genes, each once")
    must("log", .isString(r$log) && r$log %in% .logs, "the name of a logarithm")
    size <- function(x) .isNumber(x) && is.finite(x) && x >= 0
    must("target", size(r$target), "one number from 0")
    must("usual", is.null(r$usual) || size(r$usual), "one number from 0, or NULL")
    must("least", is.null(r$least) || .isNumber(r$least) && is.finite(r$least),
        "one number, or NULL")
    must("normalize", .isString(r$normalize), "\"median\" or \"none\"")
    must("score", is.null(r$score) || is.numeric(r$score), "numbers, or NULL")
    invisible()
}

# The same of prepared counts.
.checkPrepared <- function(x, arg) {
    whose <- sprintf("'%s'", arg)
    .checkSlots(x, whose)
    .checkMatrix(x@x, arg)
    .checkRecipe(x@recipe, whose)
    must <- function(part, ok, what) if (!isTRUE(ok)) .damaged(whose, part, paste("must be", what))
    must("recipe$selected", length(x@recipe$selected) == nrow(x@x), "as many genes as 'x' has rows")
    must("recipe$normalize", .isString(x@recipe$normalize) &&
        x@recipe$normalize %in% c("median", "none"), "\"median\" or \"none\"")
    must("total", length(x@total) == ncol(x@x) && all(is.finite(x@total) & x@total >= 0),
        "a number from 0 for each cell")
}
