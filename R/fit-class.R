#' @include param.R
NULL

#' A fitted model
#'
#' What [fitInfill()] returns: plain data. `saveRDS()` is its file format.
#'
#' @slot param The [InfillParam-class] it was fitted with.
#' @slot recipe How counts were prepared, and how that is undone; see
#'   [prepareCounts()].
#' @slot weights All weights in one numeric vector (single precision kept
#'   exactly); [fitParts()] gives them as named matrices.
#' @slot shapes Name, rows and columns of each weight matrix, in order.
#' @slot extras Named list of matrices: what else the model keeps of a fit, such as the
#'   fingerprints of its cells; see the pages of the models.
#' @slot history data.frame with one row per iteration: `iteration`, `train`
#'   and `valid` (the model's loss; AutoImpute: sums of squared errors),
#'   `penalty`; and `network`, where a model trains several.
#' @slot best,stopped Iteration whose weights are kept, and why the training
#'   ended: one value, or one for each network.
#' @slot heldout data.frame: `pearson` and `mse` at held-out values, on the
#'   model's scale, one row per network; `NA` where a model does not say.
#' @slot seed The seed in force.
#' @slot state What a later [fitInfill()] with `resume` needs (empty unless kept).
#' @slot entries,cells Non-zeros and cells it was fitted to.
#' @slot seconds Wall time of the fit, preparation included where it did that too.
#' @slot version Version of the package.
#' @param object,x An `InfillFit`.
#' @param fit An `InfillFit`.
#' @param what Which part. Of every fit: `"weights"`, `"history"`, `"genes"`. Of
#'   [DeepImputeParam()]: `"networks"`. Of [ScInnParam()]: `"similarity"`. Of [GraphSciParam()]:
#'   `"edges"`, `"mean"`, `"dispersion"`, `"dropout"`. See there.
#' @param ... Of some parts: see the page of the model. An unknown argument is an error.
#' @return `fitParts()`: `"weights"`, a list of numeric matrices, or one such list for each of
#'   several networks; `"history"`, the
#'   data.frame of the slot; `"genes"`, positions of the modelled genes
#'   in the data of the fit, in order of their score, named.
#'   `plot()`: a ggplot of the training curves, held-out and training, one panel each for the parts
#'   of the loss; an error where the model does not iterate.
#' @examples
#' counts <- matrix(rpois(2000, 2), 50, 40)
#' fit <- fitInfill(counts, AutoImputeParam(hidden = 8, max.iter = 20), seed = 1)
#' fit
#' lapply(fitParts(fit, "weights"), dim)
#' tail(fitParts(fit, "history"), 2)
#' head(fitParts(fit, "genes"))
#' @export
setClass("InfillFit", slots = c(param = "InfillParam", recipe = "list",
    weights = "numeric", shapes = "data.frame", extras = "list", history = "data.frame",
    best = "integer", stopped = "character", heldout = "data.frame",
    seed = "numeric", state = "numeric", entries = "numeric", cells = "integer",
    seconds = "numeric", version = "character"))

#' @rdname InfillFit-class
#' @export
setMethod("show", "InfillFit", function(object) {
    .checkShown(object)
    r <- object@recipe
    cat(sprintf("InfillFit of %s, seed %.0f\n", class(object@param), object@seed))
    cat(sprintf("  %d genes modelled of %d, %d cells, %.0f non-zeros\n",
        sum(r$status == "modelled"), length(r$status), object@cells, object@entries))
    if (nrow(object@history)) {
        n <- length(object@best)
        if (n == 1L) cat(sprintf("  %d iterations, %s; kept: iteration %d; %.1f s\n",
            .iterations(object), object@stopped, object@best, object@seconds))
        else cat(sprintf("  %d networks, %d to %d iterations; %.1f s\n", n,
            min(.iterations(object)), max(.iterations(object)), object@seconds))
        if (!all(is.na(object@heldout$pearson))) cat(sprintf(
            "  held-out cells: Pearson %.3f, MSE %.3f (mean of the networks)\n",
            mean(object@heldout$pearson, na.rm = TRUE), mean(object@heldout$mse, na.rm = TRUE)))
    }
    cat(.onTheCounts)
})

.onTheCounts <- "  Tests between groups belong on the counts, not on filled-in values.\n"

#' @rdname InfillFit-class
#' @export
fitParts <- function(fit, what = "weights", ...) {
    .checkFit(fit, "fit")
    .checkShown(fit)
    own <- .ownParts(fit@param)
    all <- c("weights", "history", "genes", names(own))
    what <- if (.isString(what) && what %in% all) what else
        .stop("'what' must be one of %s for a fit of %s, not %s",
        paste(dQuote(all, FALSE), collapse = ", "), class(fit@param), .describe(what))
    given <- if (is.null(...names())) character(...length()) else ...names()
    .onlyKnown(sprintf("fitParts(fit, \"%s\")", what), given,
        if (what %in% names(own)) names(formals(own[[what]]))[-1L] else character())
    if (what %in% names(own)) return(own[[what]](fit, ...))
    switch(what, weights = .weightsOf(fit), history = fit@history, genes = .modelledGenes(fit))
}

.weightsOf <- function(fit) {
    .checkShapes(fit)
    s <- fit@shapes
    n <- as.double(s$nrow) * s$ncol
    if (length(fit@weights) != sum(n))
        .damaged("the fit", "weights", sprintf("must be %.0f numbers", sum(n)))
    end <- cumsum(n)
    out <- lapply(seq_along(n), function(k) matrix(
        fit@weights[end[k] - n[k] + seq_len(n[k])], s$nrow[k], s$ncol[k]))
    names(out) <- s$name
    if (!"network" %in% names(fit@history)) return(out)
    nets <- split(out, cumsum(s$name == s$name[1L]))
    names(nets) <- paste0("network", seq_along(nets))
    nets
}

.modelledGenes <- function(fit) {
    .checkIntact(fit)
    r <- fit@recipe
    at <- r$selected
    if (!is.null(r$score)) at <- at[order(-r$score)]
    at <- at[r$status[at] == "modelled"]
    names(at) <- r$genes[at]
    at
}

# Iterations of each network.
.iterations <- function(object) {
    if ("network" %in% names(object@history)) as.integer(table(object@history$network))
    else if (nrow(object@history)) max(object@history$iteration) else 0L
}

.checkFit <- function(x, arg) {
    if (!is(x, "InfillFit")) .stop("'%s' must be what fitInfill() returns, not %s", arg,
        .describe(x))
    .checkSlots(x, "the fit")
    .checkSlots(x@param, "the fit", "param@")
}

# R does not look again at what is in a slot: it can be assigned past its class.
.checkSlots <- function(x, whose, before = "") {
    slots <- getSlots(class(x)[1L])
    for (name in names(slots)) {
        value <- tryCatch(slot(x, name), error = identity)
        if (inherits(value, "error") ||
            slots[[name]] != "ANY" && !is(value, slots[[name]])) .damaged(whose,
            paste0(before, name), sprintf("must be of class %s", dQuote(slots[[name]], FALSE)))
    }
}

# What printing, plots and fitParts() read of a fit beside its recipe.
.checkShown <- function(fit) {
    .checkIntact(fit)
    must <- function(part, ok, what) if (!isTRUE(ok)) .damaged("the fit", part,
        paste("must be", what))
    numbers <- function(table, part) for (name in names(table)) must(paste0(part, "$", name),
        (is.numeric(table[[name]]) || name == "when" || all(is.na(table[[name]]))) &&
        length(table[[name]]) == nrow(table) && is.atomic(table[[name]]), "a number for each row")
    h <- fit@history
    tables <- getSlots(class(fit))
    for (part in setdiff(names(tables)[tables == "data.frame"], "shapes"))
        numbers(slot(fit, part), part)
    whole <- function(v) is.null(v) || all(is.finite(v) & v >= 0 & v == round(v))
    must("history$iteration", !nrow(h) || length(h$iteration) && whole(h$iteration),
        "whole numbers")
    must("history$network", whole(h$network), "whole numbers")
    must("seed", .isWhole(fit@seed), "one whole number")
    n <- length(.iterations(fit))
    must("best", !nrow(h) || length(fit@best) == n && !anyNA(fit@best), "an iteration each")
    must("stopped", !nrow(h) || length(fit@stopped) == n, "a reason each")
    invisible()
}

# The matrices that the model has, the plan sound; models of R alone say so themselves.
.checkShapes <- function(fit) {
    s <- fit@shapes
    size <- function(v) is.numeric(v) && length(v) == nrow(s) && all(is.finite(v) & v >= 0)
    ok <- is.character(s$name) && length(s$name) == nrow(s) && size(s$nrow) && size(s$ncol)
    if (ok && fit@param@model %in% .Call(C_models))
        ok <- identical(list(s$name, s$nrow, s$ncol), .Call(C_shapes, fit@param,
            length(fit@recipe$selected), fit@recipe$plan))
    if (!ok) .damaged("the fit", "shapes", "must be those of the model's matrices")
}

# Names of the fitted cells, or their positions.
.cellsOf <- function(fit, n) {
    part <- if (is.null(fit@recipe$cell.names)) "cells" else "cell.names"
    out <- fit@recipe[[part]]
    if (!is.atomic(out) || length(out) != n) .damaged("the fit", paste0("recipe$", part),
        sprintf("must be %d names or positions", n))
    out
}

# A fit that was altered, or is of another program: the C core asks here for the error (r_fields.c).
.damaged <- function(whose, part, why) .stop("%s is damaged: '%s' %s", whose, part, why)
