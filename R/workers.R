#' @include checks.R
NULL

# The one door to BiocParallel.

.checkWorkers <- function(BPPARAM) {
    if (is.null(BPPARAM)) return(NULL)
    .needs("BiocParallel", "'BPPARAM'")
    if (!is(BPPARAM, "BiocParallelParam")) .stop("'BPPARAM' must be a BiocParallelParam, not %s",
        .describe(BPPARAM))
    BPPARAM
}

.workersOf <- function(BPPARAM) BiocParallel::bpnworkers(BPPARAM)

# f(item, ...) of every item, on the workers of BPPARAM or, NULL, here. Errors of ours come back
# with their class, and warnings are heard here, in the order of the items.
.overWorkers <- function(items, f, BPPARAM, ...) {
    if (is.null(BPPARAM)) return(lapply(items, f, ...))
    # started here and stopped here: after a worker was killed, bplapply()'s own start leaves
    # children behind that break the next
    if (.startWorkers(BPPARAM)) on.exit(.stopWorkers(BPPARAM))
    done <- tryCatch(BiocParallel::bplapply(items, .workerCall, f = f, ..., BPPARAM = BPPARAM),
        error = function(e) .stop("a worker of 'BPPARAM' failed: %s%s", conditionMessage(e),
            .endJobs(BPPARAM), class = c("infill_worker", "infill_error")))
    lapply(done, function(d) {
        for (w in d$warnings) warning(w)
        if (is(d$value, "condition")) stop(d$value)
        d$value
    })
}

# Did it take that?
.startWorkers <- function(BPPARAM) {
    if (is.null(BPPARAM) || BiocParallel::bpisup(BPPARAM)) return(FALSE)
    BiocParallel::bpstart(BPPARAM)
    TRUE
}

# What a failed call left in the queue of a cluster is taken out; what the jobs that failed said
# last.
.endJobs <- function(BPPARAM) {
    if (!is(BPPARAM, "BatchtoolsParam")) return("")
    said <- tryCatch({
        reg <- BPPARAM$registry
        bad <- utils::head(c(batchtools::findErrors(reg = reg)$job.id,
            batchtools::findExpired(reg = reg)$job.id), 1L)
        last <- if (length(bad)) utils::tail(batchtools::getLog(bad, reg = reg), 1L)
        if (length(last)) sprintf(" (job %d, whose log ends with %s)", bad, dQuote(last, FALSE))
    }, error = function(e) NULL)
    try(suppressMessages(batchtools::killJobs(batchtools::findNotDone(reg = BPPARAM$registry),
        reg = BPPARAM$registry)), silent = TRUE)
    if (is.null(said)) "" else said
}

# Where one was killed, bpstop() fails and leaves what looks like workers that are up.
.stopWorkers <- function(BPPARAM) try({
    try(suppressWarnings(BiocParallel::bpstop(BPPARAM)), silent = TRUE)
    if (BiocParallel::bpisup(BPPARAM)) {
        lost <- BiocParallel::bpbackend(BPPARAM)
        BiocParallel::bpbackend(BPPARAM) <- lost[0L]
    }
}, silent = TRUE)

.workerCall <- function(item, f, ...) {
    heard <- list()
    value <- withCallingHandlers(tryCatch(f(item, ...), infill_error = identity),
        warning = function(w) {
        heard[[length(heard) + 1L]] <<- w
        invokeRestart("muffleWarning")
    })
    list(value = value, warnings = heard)
}
