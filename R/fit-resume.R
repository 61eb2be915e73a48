#' @include fit-core.R
NULL

setMethod(".resumes", "NetworkParam", function(param) TRUE)

# A fit that is written to how$checkpoint every how$every iterations, or goes on from how$resume.
.fitWithCheckpoints <- function(param, x, how) {
    kept <- !is.null(how$checkpoint)
    last <- .lastIteration(param, x@recipe)
    report <- if (how$progress && !is.null(.shownLoss(param, 0, 0, 1)))
        .progress(param, length(x@x@x))
    resume <- how$resume
    repeat {
        pause <- if (!kept) 0 else (if (is.null(resume)) 0 else max(.iterations(resume))) +
            how$every
        fit <- .fitOnce(x, param, how$threads, resume, if (pause < last) pause else 0,
            how$keep.state || kept, report)
        if (!any(fit@stopped == "paused")) break
        saveRDS(fit, paste0(how$checkpoint, ".new"))
        file.rename(paste0(how$checkpoint, ".new"), how$checkpoint)
        resume <- fit
    }
    if (how$progress && isatty(stderr())) message("")
    if (kept) unlink(how$checkpoint)
    if (!how$keep.state) fit@state <- numeric()
    fit
}

# The last iteration there may be: a plan that decides it has `iterations`.
.lastIteration <- function(param, recipe) {
    if (!is.null(recipe$plan$iterations)) recipe$plan$iterations
    else if (is(param, "NetworkParam")) param@max.iter
    else 1
}

# The fit to go on with: the one given, or what the checkpoint holds.
.unfinished <- function(resume, checkpoint) {
    if (is.null(checkpoint)) return(resume)
    if (!.isString(checkpoint)) .stop("'checkpoint' must be the name of a file, not %s",
        .describe(checkpoint))
    if (!dir.exists(dirname(checkpoint)))
        .stop("'checkpoint' must be in a folder that exists, not %s",
        .describe(checkpoint))
    if (!file.exists(checkpoint)) return(resume)
    resume <- tryCatch(readRDS(checkpoint), error = function(e) NULL)
    if (!is(resume, "InfillFit")) .stop("'checkpoint' %s is there, but holds no unfinished fit",
        .describe(checkpoint))
    resume
}

.checkResume <- function(resume, x, param) {
    if (!is(resume, "InfillFit")) .stop("'resume' must be an InfillFit, not %s",
        .describe(resume))
    same <- setdiff(slotNames(param), c("seed", "num.threads", "max.iter"))
    if (!identical(class(resume@param), class(param))) {
        .stop("'resume' is a fit of %s, 'param' a %s", class(resume@param),
            class(param), class = "infill_mismatch")
    }
    differ <- same[!vapply(same, function(s) identical(slot(param, s),
        slot(resume@param, s)), TRUE)]
    if (length(differ)) {
        .stop("'resume' was fitted with another '%s'", .someOf(differ),
            class = "infill_mismatch")
    }
    if (!is.na(param@seed) && param@seed != resume@seed) {
        .stop("'resume' was fitted with seed %.0f, not %.0f", resume@seed,
            param@seed, class = "infill_mismatch")
    }
    .checkIntact(resume)
    if (!length(resume@state)) {
        .stop("'resume' holds no state; fit with keep.state = TRUE to go on later",
            class = "infill_mismatch")
    }
    if (!any(resume@stopped %in% c("paused", .stopReasons[1L]))) {
        .stop("'resume' has ended (%s); there is nothing to go on with",
            resume@stopped[1L], class = "infill_mismatch")
    }
    if (resume@cells != ncol(x) || resume@entries != length(x@x@x) ||
        !identical(resume@recipe$selected, x@recipe$selected) ||
        !identical(.planToMatch(resume@recipe), .planToMatch(x@recipe))) {
        .stop(paste("'resume' was fitted to other counts (%d cells, %.0f non-zeros in the",
            "modelled genes; 'x': %d, %d)"),
            resume@cells, resume@entries, ncol(x), length(x@x@x),
            class = "infill_mismatch")
    }
}

# A plan without the number of iterations, which a resumed fit may have more of.
.planToMatch <- function(recipe) recipe$plan[setdiff(names(recipe$plan), "iterations")]
