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
    written <- TRUE
    repeat {
        pause <- if (!kept) 0 else (if (is.null(resume)) 0 else max(.iterations(resume))) +
            how$every
        fit <- .fitOnce(x, param, how$threads, resume, if (pause < last) pause else 0,
            how$keep.state || kept, report)
        if (!any(fit@stopped == "paused")) break
        fit <- .marked(fit, x)
        # told once: the disk may stay full for long
        written <- .writeCheckpoint(fit, how$checkpoint, warn = written)
        resume <- fit
    }
    if (how$progress && isatty(stderr())) message("")
    if (kept) unlink(how$checkpoint)
    if (how$keep.state) return(.marked(fit, x))
    fit@state <- numeric()
    fit@recipe$fingerprint <- NULL
    fit
}

# A fit to go on from knows the values it was made of.
.marked <- function(fit, x) {
    fit@recipe$fingerprint <- .Call(C_fingerprint, x@x)
    fit
}

# Writes beside the checkpoint that is there, reads it back, because the end of a full disk may show
# when a file is closed or not at all, and takes its place only then. Was it written?
.writeCheckpoint <- function(fit, file, warn) {
    new <- paste0(file, ".new")
    why <- NULL
    heard <- function(cond) why <<- conditionMessage(cond)
    tryCatch(withCallingHandlers({
        saveRDS(fit, new)
        if (!identical(readRDS(new), fit)) heard(simpleCondition("it does not read back"))
        else if (file.rename(new, file)) return(TRUE)
    }, warning = function(w) {
        heard(w)
        invokeRestart("muffleWarning")
    }), error = heard)
    unlink(new)
    if (warn) warning(warningCondition(sprintf(paste(
        "the checkpoint %s could not be written after %d iterations (%s); the fit goes on%s"),
        dQuote(file, FALSE), max(.iterations(fit)),
        if (is.null(why)) "it cannot be renamed" else why,
        if (file.exists(file)) ", and the checkpoint of before stays" else " without one"),
        class = "infill_checkpoint"))
    FALSE
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
    resume <- tryCatch(suppressWarnings(readRDS(checkpoint)), error = function(e) NULL)
    if (!is(resume, "InfillFit")) .stop("'checkpoint' %s is there, but holds no unfinished fit",
        .describe(checkpoint))
    resume
}

.checkResume <- function(resume, x, param) {
    if (!is(resume, "InfillFit")) .stop("'resume' must be an InfillFit, not %s",
        .describe(resume))
    .checkShown(resume)
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
    if (!length(resume@state)) {
        .stop("'resume' holds no state; fit with keep.state = TRUE to go on later",
            class = "infill_mismatch")
    }
    if (!any(resume@stopped %in% c("paused", .stopReasons[1L]))) {
        .stop("'resume' has ended (%s); there is nothing to go on with",
            resume@stopped[1L], class = "infill_mismatch")
    }
    .checkSameCounts(resume, x)
    done <- min(max(.iterations(resume)), nrow(resume@history))
    if (.lastIteration(param, x@recipe) < done) .stop(
        "'max.iter' must be at least the %d iterations that 'resume' has done, not %.0f", done,
        .lastIteration(param, x@recipe), class = "infill_mismatch")
}

.checkSameCounts <- function(resume, x) {
    if (!isTRUE(resume@cells == ncol(x)) || !isTRUE(resume@entries == length(x@x@x)))
        .stop(paste("'resume' was fitted to other counts (%d cells, %.0f non-zeros in the",
            "modelled genes; 'x': %d, %d)"),
            resume@cells, resume@entries, ncol(x), length(x@x@x),
            class = "infill_mismatch")
    mark <- resume@recipe$fingerprint                    # checkpoints of before have none
    if (!identical(resume@recipe$selected, x@recipe$selected) ||
        !identical(.planToMatch(resume@recipe), .planToMatch(x@recipe)) ||
        !is.null(mark) && !identical(mark, .Call(C_fingerprint, x@x)))
        .stop("'resume' was fitted to other counts: as many non-zeros, but other values or places",
        class = "infill_mismatch")
}

# A plan without the number of iterations, which a resumed fit may have more of.
.planToMatch <- function(recipe) recipe$plan[setdiff(names(recipe$plan), "iterations")]
