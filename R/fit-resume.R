#' @include AllGenerics.R
NULL

setMethod(".resumes", "InfillParam", function(param) FALSE)

setMethod(".resumes", "NetworkParam", function(param) TRUE)

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
        .stop("'resume' was fitted to other counts (%d cells, %.0f non-zeros in the modelled genes; 'x': %d, %d)",
            resume@cells, resume@entries, ncol(x), length(x@x@x),
            class = "infill_mismatch")
    }
}

# A plan without the number of iterations, which a resumed fit may have more of.
.planToMatch <- function(recipe) if (is.null(recipe$plan.iterations)) recipe$plan else
    recipe$plan[-recipe$plan.iterations]
