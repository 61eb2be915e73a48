#' @include AllGenerics.R
NULL

# One call of the C core: prepared counts in, a fit out.

.stopReasons <- c("the most iterations allowed", "no better held-out error",
    "the paper's threshold", "the window's threshold", "paused", "closed form",
    "the change of a sweep is within the tolerance", "the cost was no longer finite")

.curves <- 5L            # CURVES of the core: parts of a loss
.curveNames <- function(param) strsplit(.Call(C_curves, param@model), "|", fixed = TRUE)[[1L]]

# pause: stop at this iteration with the state kept, 0: never. report: called with a line of
# progress.
.fitOnce <- function(x, param, threads, resume = NULL, pause = 0, keep.state = FALSE,
    report = NULL) {
    curves <- .curveNames(param)
    out <- .Call(C_fit, param, x@x, x@recipe$plan, param@seed, threads,
        if (!is.null(resume)) c(list(resume@weights, resume@state),
            lapply(c("train", "valid", "penalty"), function(name) resume@history[[name]]),
            list(.iterations(resume), match(resume@stopped, .stopReasons) - 1L),
            list(.partsOf(resume@history, curves))),
        c(as.integer(pause), as.integer(keep.state)), report)
    if (out$status != 0L) .diverged(param, max(out$history$iterations))
    h <- out$history
    .finished(param, new("InfillFit", param = param, recipe = x@recipe, weights = out$weights,
        shapes = data.frame(name = out$shapes[[1L]], nrow = out$shapes[[2L]],
            ncol = out$shapes[[3L]]), extras = out$extras,
        history = .historyOf(h, curves, isTRUE(x@recipe$networks)), best = h$best,
        stopped = .stopReasons[h$stopped + 1L],
        heldout = data.frame(pearson = ifelse(is.nan(h$pearson), NA, h$pearson),
            mse = ifelse(is.nan(h$mse), NA, h$mse)), seed = param@seed,
        state = if (is.null(out$state)) numeric() else out$state,
        entries = as.double(length(x@x@x)), cells = x@x@Dim[2L],
        version = as.character(packageVersion("infill"))))
}

.diverged <- function(param, iterations) {
    if (!"learning.rate" %in% slotNames(param)) .stop(
        "the fit of %s came to values that are not finite after %d sweeps", class(param),
        iterations,
        class = "infill_diverged")
    .stop(paste("the loss of %s is no longer finite after %d iterations; a smaller",
        "'learning.rate' (now %g) may help"), class(param), iterations, param@learning.rate,
        class = "infill_diverged")
}

.historyOf <- function(h, curves, networks) {
    out <- data.frame(iteration = sequence(h$iterations), train = h$train, valid = h$valid,
        penalty = h$penalty)
    if (length(curves)) out[curves] <- as.data.frame(t(matrix(h$part, .curves)[seq_along(curves), ,
        drop = FALSE]))
    if (networks) cbind(network = rep(seq_along(h$iterations), h$iterations), out) else out
}

# The parts of the loss as the core has them: .curves of each iteration.
.partsOf <- function(history, curves) {
    out <- matrix(0, .curves, nrow(history))
    for (k in seq_along(curves))
        out[k, ] <- if (is.null(history[[curves[k]]])) NaN else history[[curves[k]]]
    as.double(out)
}

# What R reads of a fit is as it must be; the C core looks at what it reads itself.
setMethod(".checkIntact", "InfillFit", function(fit) {
    .checkFit(fit, "fit")
    .checkRecipe(fit@recipe, "the fit")
})

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
