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
