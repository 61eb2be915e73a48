#' @include prepare.R fit-resume.R fit-progress.R
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
#' @param ... For methods: the arguments below. Any other is an error.
#' @param assay.type Assay of an experiment that holds the counts; of a Seurat object a layer of the
#'   default assay, or an assay and a layer, as `c("ADT", "counts")`.
#' @param seed Number that fixes every random choice; overrides the `seed` of
#'   `param`. `NULL`: that of `param`, where that is `NA` drawn from R's generator, and recorded in
#'   the fit.
#' @param num.threads Threads; overrides `param`. Default
#'   `getOption("infill.threads", 1)`. The result does not depend on it.
#' @param progress Show a progress line on the message stream?
#' @param resume An [InfillFit-class] of the same data and parameters, fitted
#'   with `keep.state = TRUE`, to go on from. Only `max.iter` may differ, and not be below what is
#'   done. Ends with the same bits as one uninterrupted fit.
#' @param keep.state Keep what `resume` needs (three times the size)?
#' @param checkpoint Name of a file that the unfinished fit is written to every
#'   `checkpoint.every` iterations. If it exists, the fit goes on from it; it is
#'   removed when the fit is done. One that cannot be written, as on a full disk, is a warning of
#'   class `infill_checkpoint`: the fit goes on, and the file of before stays.
#' @param checkpoint.every Iterations between two checkpoints.
#' @param BPPARAM A \pkg{BiocParallel} back end, whose workers fit the networks of a model that has
#'   several ([DeepImputeParam()]) and the priors of [StackParam()]; the same bits as without. A
#'   model of one network is fitted as without it.
#' @param max.cells Of a DelayedMatrix that is not read at once (more than
#'   `getOption("infill.read.limit", 20000)` cells), a random sample of at most so many cells is
#'   fitted to; [StackParam()] has a `max.cells` of its own. All cells are looked at once, by
#'   blocks: what is not a count is refused wherever it is. Depth and selection of genes are those
#'   of the sample, gene means of [StackParam()] those of all cells.
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
setMethod("fitInfill", c("ANY", "InfillParam"), function(x, param, ...,
    assay.type = "counts", seed = NULL, num.threads = NULL, progress = interactive(), resume = NULL,
    keep.state = FALSE, checkpoint = NULL, checkpoint.every = 500,
    BPPARAM = NULL, max.cells = 20000, check.scale = TRUE)
{
    .checkParam(param)
    .strict("fitInfill()", ...)
    counts <- .sourceOf(x, assay.type, check.scale)
    .checkInput(param, counts, .inAssay(x, assay.type))
    .fitChecked(counts, param, seed, num.threads, progress, resume, keep.state, checkpoint,
        checkpoint.every, BPPARAM, max.cells)
})

#' @rdname fitInfill
#' @export
setMethod("fitInfill", c("PreparedCounts", "InfillParam"), function(x, param, ...,
    seed = NULL, num.threads = NULL, progress = interactive(), resume = NULL,
    keep.state = FALSE, checkpoint = NULL, checkpoint.every = 500, BPPARAM = NULL)
{
    .checkPrepared(x, "x")
    .checkParam(param)
    how <- .control(param, seed, num.threads, progress, resume, keep.state, checkpoint,
        checkpoint.every, BPPARAM)
    .strict("fitInfill()", ...)
    if (is.null(.preparation(param)) && is.null(x@recipe$plan)) .stop(paste(
        "'x' must be counts, not what prepareCounts() returns: %s prepares them itself"),
        class(param))
    .timed(.fitPrepared(how$param, x, how))
})

#' @rdname fitInfill
#' @export
setMethod("fitInfill", c("ANY", "ANY"), function(x, param, ...) .stop(
    "'param' must be the parameters of a model, such as StackParam(), not %s",
    if (missing(param)) "missing" else .describeParam(param)))

# fitInfill() of counts that have been looked at.
.fitChecked <- function(counts, param, seed = NULL, num.threads = NULL, progress = interactive(),
    resume = NULL, keep.state = FALSE, checkpoint = NULL, checkpoint.every = 500, BPPARAM = NULL,
    max.cells = 20000)
{
    how <- .control(param, seed, num.threads, progress, resume, keep.state, checkpoint,
        checkpoint.every, BPPARAM)
    most <- .mostCells(how$param, .checkCount(max.cells, "max.cells"))
    learn <- .learnFrom(counts, how$param, most, how$say)
    if (progress) .sayCostOf(how$param, learn, how$threads, ncol(counts))
    if (!identical(learn, counts)) .checkInput(how$param, learn)
    data <- .draw(learn, once = TRUE)
    if (ncol(learn) < ncol(counts)) data$all <- counts
    rm(counts, learn)
    .timed(.fitTo(how$param, data, how))
}

.timed <- function(fit) {
    started <- proc.time()[["elapsed"]]
    force(fit)
    fit@seconds <- proc.time()[["elapsed"]] - started
    fit
}

# How a fit is done, checked: list(param, threads, progress, say, resume, keep.state, checkpoint,
# every, BPPARAM). param: with the seed in force.
.control <- function(param, seed, num.threads, progress, resume, keep.state, checkpoint, every,
    BPPARAM)
{
    resume <- .unfinished(resume, checkpoint)
    .checkFlag(keep.state, "keep.state")
    resumes <- .resumes(param)
    if (!isTRUE(resumes) && (!is.null(resume) || keep.state || !is.null(checkpoint))) .stop(
        "'resume', 'keep.state' and 'checkpoint' are not offered for %s%s", class(param), resumes)
    param <- .fixed(param, seed, resume)
    list(param = param, threads = .threads(num.threads, param),
        progress = .checkFlag(progress, "progress"), say = if (progress) .say else .silent,
        resume = resume, keep.state = keep.state, checkpoint = checkpoint,
        every = .checkNumber(every, "checkpoint.every", 1, 1e9, TRUE),
        BPPARAM = .checkWorkers(BPPARAM))
}

# The same for a fit that is part of another: nothing is shown or kept. `seed`: of this fit.
.partOf <- function(how, param, seed) {
    param@seed <- seed
    c(list(param = param), how[c("threads", "every")],
        list(progress = FALSE, say = .silent, keep.state = FALSE))
}

# Checked counts on their way to one fit or several: what is prepared for one is there for the next
# that wants the same. once: no other fit follows, and the counts need not be kept.
.draw <- function(counts, once = FALSE) list2env(list(counts = counts, once = once,
    prepared = list()),
    parent = emptyenv())

setMethod(".fitTo", "InfillParam", function(param, data, how) {
    x <- .preparedOnce(param, data, how)
    .fitPrepared(param, x, how)
})

.preparedOnce <- function(param, data, how) {
    wants <- .preparation(param)
    for (p in data$prepared) if (!is.null(wants) && identical(p$wants, wants)) return(p$x)
    x <- .prepared(param, data$counts, param@seed, how$threads, how$say,
        if (is(how$resume, "InfillFit")) how$resume@recipe)
    if (data$once) rm("counts", envir = data)
    else if (!is.null(wants)) data$prepared <- c(data$prepared, list(list(wants = wants, x = x)))
    x
}

setMethod(".prepared", "InfillParam", function(param, counts, seed, threads, say, before)
    do.call(.prepare, c(list(counts), .preparation(param))))

# A slot can be assigned past validity.
.checkParam <- function(param) {
    valid <- tryCatch(validObject(param, test = TRUE), error = conditionMessage)
    if (!isTRUE(valid)) .stop(paste(valid, collapse = "\n"))
}

# The parameters checked, with the seed in force: the one given, that of the fit to resume, or a
# drawn one.
.fixed <- function(param, seed, resume) {
    if (!is.null(seed)) param@seed <- if (identical(is.na(seed), TRUE)) NA_real_ else .seed(seed)
    .checkParam(param)
    if (is.na(param@seed)) param@seed <- if (is(resume, "InfillFit")) resume@seed else .seed(NA)
    param
}

.fitPrepared <- function(param, x, how) {
    x <- .planned(param, x)
    if (!is.null(how$resume)) .checkResume(how$resume, x, param)
    .checkMemory(param, x, how$keep.state || !is.null(how$checkpoint))
    if (!length(x@x@x)) warning("'x' has no counts after preparation: nothing to learn from",
        call. = FALSE)
    if (!is.null(how$BPPARAM)) {
        fit <- .fitOnWorkers(param, x, how)
        if (!is.null(fit)) return(fit)
    }
    .fitWithCheckpoints(param, x, how)
}

# The networks of a model dealt out to workers: the same bits, because every network has its own
# random streams.
.fitOnWorkers <- function(param, x, how) {
    parts <- .dealt(param, x, .workersOf(how$BPPARAM))
    if (is.null(parts)) return(NULL)
    if (!is.null(how$resume) || how$keep.state || !is.null(how$checkpoint)) .stop(
        "'resume', 'keep.state' and 'checkpoint' cannot be used with 'BPPARAM'")
    .joined(param, .overWorkers(parts, .fitOnce, how$BPPARAM, param = param, threads = how$threads),
        x)
}

.checkMemory <- function(param, x, keep.state) {
    size <- x@x@Dim
    n <- .Call(C_n_weights, param, size[1L], x@recipe$plan)
    bytes <- .fitBytes(param, x, n, keep.state)
    if (!.exceedsMemory(bytes) && n <= 2^52) return(invisible())
    .stop(paste("a fit of %s to %d genes x %d cells needs about %s for %.3g weights,",
        "and %s are free; fewer genes ('n.genes') or a smaller model (%s) need less"),
        class(param), size[1L], size[2L], .bytes(bytes), n, .bytes(.memoryLimit()),
        .sizeAdvice(param, x))
}
