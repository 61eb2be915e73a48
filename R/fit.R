#' @include prepare.R
NULL

#' Fit a model
#'
#' Prepares the counts as the model wants them and fits it. [infill()] does this
#' and fills in at once.
#'
#' @param x Counts, genes x cells: a matrix, a sparse Matrix, a DelayedMatrix, a
#'   SummarizedExperiment, a SingleCellExperiment or a Seurat object; or what
#'   [prepareCounts()] made of them, which is then used as it is.
#' @param param An [InfillParam-class], such as [AutoImputeParam()].
#' @param ... For methods: the arguments below.
#' @param assay.type Assay of an experiment (layer of a Seurat object) that holds
#'   the counts.
#' @param seed Number that fixes every random choice; overrides the `seed` of
#'   `param`. `NA`: drawn from R's generator, and recorded in the fit.
#' @param num.threads Threads; overrides `param`. Default
#'   `getOption("infill.threads", 1)`. The result does not depend on it.
#' @param progress Show a progress line on the message stream?
#' @param resume An [InfillFit-class] of the same data and parameters, fitted
#'   with `keep.state = TRUE`, to go on from. Only `max.iter` may differ. Ends
#'   with the same bits as one uninterrupted fit.
#' @param keep.state Keep what `resume` needs (three times the size)?
#' @param checkpoint Name of a file that the unfinished fit is written to every
#'   `checkpoint.every` iterations. If it exists, the fit goes on from it; it is
#'   removed when the fit is done.
#' @param checkpoint.every Iterations between two checkpoints.
#' @param BPPARAM A \pkg{BiocParallel} back end, whose workers train the networks
#'   of a model that has several ([DeepImputeParam()]); the same bits as without.
#' @param check.scale Refuse values that look like logarithms?
#' @return An [InfillFit-class].
#' @section Errors: of class `infill_error`; `infill_diverged` when the loss is
#'   no longer finite; `infill_mismatch` when the fit to resume does not fit.
#'   An interrupt ends the fit within about a second and leaves the session as
#'   it was.
#' @examples
#' counts <- matrix(rpois(2000, 2), 50, 40)
#' fit <- fitInfill(counts, AutoImputeParam(hidden = 8, max.iter = 30), seed = 1)
#' filled <- infill(counts, fit)
#' sum(counts == 0)
#' sum(filled == 0)
#' @rdname fitInfill
#' @aliases fitInfill
#' @export
setMethod("fitInfill", c("ANY", "InfillParam"), function(x, param, assay.type = "counts",
    seed = NULL, num.threads = NULL, progress = interactive(), resume = NULL,
    keep.state = FALSE, checkpoint = NULL, checkpoint.every = 500,
    BPPARAM = NULL, check.scale = TRUE)
{
    .checkFlag(check.scale, "check.scale")
    counts <- .checkCounts(.counts(x, assay.type), check.scale)
    resume <- .unfinished(resume, checkpoint)
    param <- .fixed(param, seed, resume)
    started <- proc.time()[["elapsed"]]
    .checkFlag(progress, "progress")
    prepared <- .prepared(param, counts, param@seed, .threads(num.threads, param), if (progress)
        .say else function(...) NULL,
        if (is(resume, "InfillFit")) resume@recipe)
    rm(counts)
    fit <- fitInfill(prepared, param, num.threads = num.threads,
        progress = progress, resume = resume, keep.state = keep.state,
        checkpoint = checkpoint, checkpoint.every = checkpoint.every, BPPARAM = BPPARAM)
    fit@seconds <- proc.time()[["elapsed"]] - started
    fit
})

#' @rdname fitInfill
#' @export
setMethod("fitInfill", c("PreparedCounts", "InfillParam"), function(x, param,
    seed = NULL, num.threads = NULL, progress = interactive(), resume = NULL,
    keep.state = FALSE, checkpoint = NULL, checkpoint.every = 500, BPPARAM = NULL)
{
    started <- proc.time()[["elapsed"]]
    .checkFlag(keep.state, "keep.state")
    .checkFlag(progress, "progress")
    every <- .checkNumber(checkpoint.every, "checkpoint.every", 1, 1e9, TRUE)
    threads <- .threads(num.threads, param)
    resume <- .unfinished(resume, checkpoint)
    param <- .fixed(param, seed, resume)
    if (is.null(.preparation(param)) && is.null(x@recipe$plan)) .stop(paste(
        "'x' must be counts, not what prepareCounts() returns: %s prepares them itself"),
        class(param))
    iterative <- !is.null(.shownLoss(param, 0, 0, 1))
    if (iterative && !.resumes(param) && (!is.null(resume) || keep.state || !is.null(checkpoint)))
        .stop(
        "'resume', 'keep.state' and 'checkpoint' are not offered for %s", class(param))
    x <- .planned(param, x)
    if (!is.null(resume)) .checkResume(resume, x, param)
    .checkMemory(param, x, keep.state || !is.null(checkpoint))
    if (!length(x@x@x)) warning("'x' has no counts after preparation: nothing to learn from",
        call. = FALSE)
    report <- if (progress && iterative) .progress(param, length(x@x@x))
    last <- .lastIteration(param, x@recipe)
    if (!is.null(BPPARAM)) return(.fitOnWorkers(x, param, threads, resume, keep.state, checkpoint,
        BPPARAM, started))
    repeat {
        pause <- if (is.null(checkpoint)) 0
            else (if (is.null(resume)) 0 else max(.iterations(resume))) + every
        fit <- .fitOnce(x, param, threads, resume, if (pause < last) pause else 0,
            keep.state || !is.null(checkpoint), report)
        fit@seconds <- proc.time()[["elapsed"]] - started
        if (!any(fit@stopped == "paused")) break
        saveRDS(fit, paste0(checkpoint, ".new"))
        file.rename(paste0(checkpoint, ".new"), checkpoint)
        resume <- fit
    }
    if (progress && isatty(stderr())) message("")
    if (!is.null(checkpoint)) unlink(checkpoint)
    if (!keep.state) fit@state <- numeric()
    fit
})

#' @rdname fitInfill
#' @export
setMethod("fitInfill", c("ANY", "ANY"), function(x, param, ...) {
    .stop("'param' must be the parameters of a model, such as AutoImputeParam(), not %s",
        if (missing(param)) "missing" else .describe(param))
})

# NULL: the model has a .prepared() of its own, and takes nothing else.
setMethod(".preparation", "InfillParam", function(param) NULL)

setMethod(".planned", "InfillParam", function(param, x) x)

setMethod(".finished", "InfillParam", function(param, fit) fit)

setMethod(".prepared", "InfillParam", function(param, counts, seed, threads, say, before)
    do.call(.prepare, c(list(counts), .preparation(param))))

# The parameters checked, with the seed in force: the one given, that of the fit to resume, or a
# drawn one.
.fixed <- function(param, seed, resume) {
    if (!is.null(seed)) param@seed <- if (identical(is.na(seed), TRUE)) NA_real_ else .seed(seed)
    valid <- validObject(param, test = TRUE)          # a slot can be assigned past it
    if (!isTRUE(valid)) .stop(paste(valid, collapse = "\n"))
    if (is.na(param@seed)) param@seed <- if (is(resume, "InfillFit")) resume@seed else .seed(NA)
    param
}

.stopReasons <- c("the most iterations allowed", "no better held-out error",
    "the paper's threshold", "the window's threshold", "paused", "closed form",
    "the change of a sweep is within the tolerance", "the cost was no longer finite")

.curves <- 5L            # CURVES of the core: parts of a loss

.curveNames <- function(param) strsplit(.Call(C_curves, param@model), "|", fixed = TRUE)[[1L]]

# The last iteration there may be. recipe$plan.iterations: where in its plan a model has that.
.lastIteration <- function(param, recipe) {
    if (!is.null(recipe$plan.iterations)) recipe$plan[recipe$plan.iterations]
    else if (is(param, "NetworkParam")) param@max.iter
    else 1
}

.fitOnce <- function(x, param, threads, resume, pause, keep.state, report, plan = x@recipe$plan) {
    curves <- .curveNames(param)
    out <- .Call(C_fit, param, x@x, plan, x@recipe$given, param@seed, threads,
        if (!is.null(resume)) c(list(resume@weights, resume@state),
            as.list(resume@history[c("train", "valid", "penalty")]),
            list(.iterations(resume), match(resume@stopped, .stopReasons) - 1L),
            list(.partsOf(resume@history, curves))),
        c(as.integer(pause), as.integer(keep.state)), report)
    h <- out$history
    if (out$status != 0L) {
        if (!"learning.rate" %in% slotNames(param))
            .stop("the fit of %s came to values that are not finite after %d sweeps",
            class(param), max(h$iterations), class = "infill_diverged")
        .stop(paste("the loss of %s is no longer finite after %d iterations; a smaller",
            "'learning.rate' (now %g) may help"), class(param), max(h$iterations),
            param@learning.rate, class = "infill_diverged")
    }
    history <- data.frame(iteration = sequence(h$iterations), train = h$train,
        valid = h$valid, penalty = h$penalty)
    if (length(curves)) history[curves] <-
        as.data.frame(t(matrix(h$part, .curves)[seq_along(curves), , drop = FALSE]))
    if (isTRUE(x@recipe$networks)) history <-
        cbind(network = rep(seq_along(h$iterations), h$iterations), history)
    .finished(param, new("InfillFit", param = param, recipe = x@recipe, weights = out$weights,
        shapes = data.frame(name = out$shapes[[1L]], nrow = out$shapes[[2L]],
            ncol = out$shapes[[3L]]),
        history = history, best = h$best, stopped = .stopReasons[h$stopped + 1L],
        heldout = data.frame(pearson = ifelse(is.nan(h$pearson), NA, h$pearson),
            mse = ifelse(is.nan(h$mse), NA, h$mse)), seed = param@seed,
        state = if (is.null(out$state)) numeric() else out$state,
        entries = as.double(length(x@x@x)), cells = ncol(x@x),
        version = as.character(packageVersion("infill"))))
}

# The parts of the loss as the core has them: .curves of each iteration.
.partsOf <- function(history, curves) {
    out <- matrix(0, .curves, nrow(history))
    for (k in seq_along(curves)) out[k, ] <- if (is.null(history[[curves[k]]])) NaN else
        history[[curves[k]]]
    as.double(out)
}

# Of networks: four single-precision copies of the weights, the result and, when kept, the state in
# double.
setMethod(".fitBytes", "InfillParam", function(param, x, n, keep.state) n *
    (16 + 8 + if (keep.state) 16 else 0))

.checkMemory <- function(param, x, keep.state) {
    n <- .Call(C_n_weights, param, nrow(x), x@recipe$plan)
    bytes <- .fitBytes(param, x, n, keep.state)
    limit <- .memoryLimit()
    if (bytes > limit || n > 2^52) {
        .stop(paste("a fit of %s to %d genes%s needs about %s for %.3g weights,",
            "and %s are free; fewer genes ('n.genes') or a smaller model (%s) need less"),
            class(param), nrow(x),
            if ("ranks" %in% slotNames(param)) sprintf(" x %d cells", ncol(x)) else "",
            .bytes(bytes), n, .bytes(limit),
            if ("hidden" %in% slotNames(param))
            sprintf("'hidden', now %s", .someOf(format(trim = TRUE,
                scientific = FALSE, if (anyNA(param@hidden))
                .hiddenInPlan(param, x@recipe$plan) else param@hidden)))
            else if ("ranks" %in% slotNames(param)) sprintf("'ranks', now %s", .someOf(param@ranks))
            else if ("inner" %in% slotNames(param)) "inner = \"edges\"" else "its parameters")
    }
}

.hiddenInPlan <- function(param, plan) if (is(param, "ScInnParam")) plan[4L] else
    plan[2L + seq_len(plan[2L])]
