#' @include fit.R
NULL

#' Fill in dropouts
#'
#' Fits a model and fills in the zeros of a count matrix, or applies a fit to
#' the same or other cells of the same genes. What comes in comes back: a matrix
#' for a matrix, an experiment with one more assay for an experiment. Names,
#' order, every gene and cell, and the counts of an experiment are left as they
#' are.
#'
#' @param x Counts, genes x cells: a matrix, a sparse Matrix, a DelayedMatrix, a
#'   SummarizedExperiment, a SingleCellExperiment or a Seurat object.
#' @param param An [InfillParam-class] to fit, such as [AutoImputeParam()], or an
#'   [InfillFit-class].
#' @param file,type With `as = "hdf5"`: name of the file that is written, and whether its numbers
#'   are `"double"` (8 bytes) or `"float"` (4 bytes, 7 digits). See "Data larger than memory".
#' @param resume With `as = "hdf5"`, `TRUE`: what an interrupted call of the same arguments wrote is
#'   taken (its seed, too, where none is given), the rest is computed; it goes before `overwrite`. A
#'   fit: as in [fitInfill()].
#' @param BPPARAM A \pkg{BiocParallel} back end: its workers fit what [fitInfill()] says, and write
#'   the files of `as = "hdf5"`; the same bits as without. Nothing else is dealt out.
#' @param ... For the method that fits: `seed`, `progress`, `checkpoint` and the
#'   other arguments of [fitInfill()]. An argument that neither knows is an error.
#' @param assay.type Assay of an experiment that holds the counts; of a Seurat object a layer, or an
#'   assay and a layer (below).
#' @param output Scale of the result: `"counts"` (that of `x`), `"normcounts"`
#'   (divided by the cell's size factor: its total over the kept genes, divided
#'   by the median total) or `"logcounts"` (the logarithm of that plus 1, the
#'   model's base, 2 where it has none).
#' @param keep Which values win where molecules were seen: `"observed"` (only
#'   zeros are filled; the default of all but [StackParam()]), `"none"` (the model's
#'   value everywhere, as the papers do), `"max"` (the larger of the two),
#'   `"posterior"` (both weighed: [StackParam()]'s default; for another model, the
#'   stack of it and the gene mean is fitted, from held-out molecules, with one
#'   repeat. Where the model gains too little over the gene mean, the values are the
#'   gene mean's posterior, and a message says so: `min.gain` of [StackParam()]. For a
#'   fit, `x` must be the counts it is of (as many cells and non-zeros): their molecules are held
#'   out).
#' @param sd Add the posterior's standard deviation as the assay `<name>.sd`? For [StackParam()] and
#'   `keep = "posterior"`, and experiments; see [posteriorSd()] for matrices. It is that of the
#'   posterior, also beside counts that `keep = "observed"` or `"max"` left as they were.
#' @param genes Names or positions of the genes that are wanted; `NULL`: all. The model is fitted to
#'   all and only these are filled in: the same bits as in the whole, in a fraction of the time and
#'   memory. The result has these rows alone, in this order: a matrix, `x[genes, ]` with one more
#'   assay, or of a Seurat object an assay of these features.
#' @param overwrite May an assay called `name` that [infill()] did not make be replaced? Its own
#'   results are replaced, with their standard deviations; the counts never are. May files be
#'   replaced that `file` leads to?
#' @param nonneg Floor model values at 0? They always are on the count scales;
#'   `FALSE` gives the raw output of a model on its own log scale.
#' @param name Name of the new assay.
#' @param as `"matrix"`: dense; `"delayed"`: a DelayedMatrix that holds the fit
#'   and the counts and computes any block when it is asked for; `"auto"`: dense
#'   up to `getOption("infill.dense.limit", 2e8)` values; `"hdf5"`: a DelayedMatrix of values
#'   that are written to `file` now.
#' @param num.threads Threads; the result does not depend on it.
#' @param check.scale Refuse values that look like logarithms?
#' @return `x` with one more assay, or a matrix when a matrix came in.
#'   `rowData(x)$<name>.status` says of each gene whether it was `"modelled"`,
#'   used as a `"predictor"` only, `"not selected"` or had `"too few cells"`; all
#'   but the first are passed through.
#'   `metadata(x)$<name>` (of a plain matrix: its attribute `"infill"`) says
#'   model, scale, what was kept, and the seed; of a posterior also the weights, the
#'   priors that did not earn their place, and the verdict that its fit prints.
#' @section What is said: Errors are of class `infill_error`; one that is about the values
#'   (logarithms, missing, negative, not whole) of class `infill_scale` as well. A warning of class
#'   `infill_rows` says that rows seem to be cells (barcodes as row names), or that rows which are
#'   no genes (antibodies, hashtags, spike-ins) hold many molecules. Values within a millionth of
#'   whole numbers are taken for these.
#' @section Tests: Tests between groups belong on the counts. Filled-in values share what they know
#'   of each other, and a test that takes them for independent finds differences that are not there
#'   ([permutationCheck()]).
#' @section Data larger than memory: Counts that are a DelayedMatrix of more than
#'   `getOption("infill.read.limit", 20000)` cells (any number with `as = "delayed"` or `"hdf5"`)
#'   are read by blocks: once to look at them and to draw the sample that is learnt from
#'   (`max.cells` of [StackParam()] and [fitInfill()]), once more to fill them in. A cell's values
#'   depend on the fit and on its own counts alone: the same bits for any block, number of threads,
#'   worker, and after `resume`. Models that know the cells of their fit only
#'   ([GraphSciParam()]) cannot be had for more cells than they are fitted to.
#'
#'   `as = "hdf5"` writes `file`; a result of more than some 50 million numbers is several files
#'   beside it (`filled-0001.h5`, ...), bound together in the result. Each is written under another
#'   name and renamed when it is whole, so that after an interrupt, a killed worker or a full disk
#'   `resume = TRUE` computes what is missing and nothing else. The cells of files that are there
#'   are read again: files of other counts, of another fit or other choices are an error. A fit
#'   that was made lies beside them (`filled.fit.rds`), standard deviations of `sd = TRUE` in
#'   `filled.sd.h5`; a name without `.h5` is given one. `as = "delayed"` reads the file of the
#'   counts each time, so that it must stay as it is. With `BPPARAM` files are written by its
#'   workers, which must see the same folders. Keep the experiment with `saveRDS()` (it names the
#'   files) or, with copies of the values, `HDF5Array::saveHDF5SummarizedExperiment()`. See
#'   `vignette("large-data")`.
#' @section New cells: A fit is applied to other cells by gene names (by position
#'   where there are none). Genes that the fit needs and `x` lacks are named in
#'   the error; genes that the fit does not know are passed through.
#' @section Seurat objects: `assay.type` is a layer (slot) of the default assay, or an assay and a
#'   layer of it: `assay.type = c("ADT", "counts")`, in this and in every function that takes a
#'   Seurat object. `"counts"` of a split or merged assay are all its layers `counts.*`, filled
#'   together and split again in the result (a gene that one of them lacks counts as 0 there, as
#'   `JoinLayers()` has it, and stays out of that layer); `"counts.ctrl"` is that layer alone, and
#'   the result then an assay of its cells.
#'
#'   The result is an assay of the class that the counts are in, `Assay` or `Assay5`. With `output`
#'   `"counts"` or `"normcounts"` its values are in `counts`: run `NormalizeData()` on it before
#'   anything is drawn or compared. An `Assay5` has no `data` until then; an `Assay` cannot be
#'   without, and has there what `NormalizeData()` makes by default, never unlogged counts. With
#'   `output = "logcounts"` they are in `data`, and natural logarithms, as Seurat takes them to be
#'   when it computes fold changes. `sd = TRUE` adds the assay `<name>.sd`, with them in `data`.
#'   `Misc(x, name)` holds what `metadata()` does elsewhere, and the status of the genes. A name
#'   that Seurat does not take (`"in-filled"`) is made valid by its own rule, which a message says.
#'   An `Assay5` can hold a DelayedMatrix, an `Assay` cannot. Default assay, identities, reductions
#'   and metadata stay as they are, `nCount_` and `nFeature_` of a result are not added. Tests
#'   between groups belong on the counts.
#' @examples
#' counts <- matrix(rpois(2000, 2), 50, 40)
#' small <- AutoImputeParam(hidden = 8, max.iter = 30)
#' filled <- infill(counts, small, seed = 1)
#' identical(filled[counts > 0], as.double(counts[counts > 0]))
#' infill(counts, GeneMeanParam())[1:3, 1:4]
#' @rdname infill
#' @aliases infill
#' @export
setMethod("infill", c("ANY", "InfillParam"), function(x, param, ..., assay.type = "counts",
    output = c("counts", "normcounts", "logcounts"),
    keep = c("observed", "none", "max", "posterior"),
    nonneg = TRUE, name = "infilled", as = c("auto", "matrix", "delayed", "hdf5"),
    sd = FALSE, genes = NULL, overwrite = FALSE, file = NULL, type = c("double", "float"),
    resume = NULL, BPPARAM = NULL, num.threads = NULL, check.scale = TRUE)
{
    also <- setdiff(names(formals(.fitChecked))[-(1:2)], c("resume", "BPPARAM", "num.threads"))
    .strict("infill()", ..., .also = also)
    .checkParam(param)
    how <- .howIn(.how(output, keep, nonneg, name, as, param), x, assay.type)
    asked <- how$keep == "posterior" && !is.null(.lacksPosterior(param))
    if (how$keep == "posterior") param <- .withPosterior(param)
    if (asked && "max.cells" %in% ...names())
        param <- initialize(param, max.cells = .checkCount(list(...)$max.cells, "max.cells"))
    .checkSd(sd, param, x, how)
    .checkPlace(x, how$name, assay.type, sd, overwrite)
    how$file <- .fileAsked(how$as, file, type, resume, overwrite, BPPARAM)
    counts <- .sourceOf(x, assay.type, check.scale, .mostRead(how$as))
    how$rows <- .rowsOf(genes, counts)
    .checkInput(param, counts, .inAssay(x, assay.type))
    if (!is.null(how$file)) how <- .checkFiles(how, counts, sd, TRUE)
    fit <- if (!is.null(how$file)) .fitOfBefore(how, param, counts, ...)
    if (is.null(fit)) {
        fit <- .fitChecked(counts, param, ..., num.threads = num.threads,
            resume = if (is(resume, "InfillFit")) resume, BPPARAM = BPPARAM)
        .removeOld(how)
        if (!is.null(how$file)) .keepFit(how, fit, param, counts, ...)
    }
    if (asked) .tell(fit)
    how$say <- .sayOf(...)
    .finish(x, counts, fit, how, sd, .threads(num.threads, param), assay.type)
})

#' @rdname infill
#' @export
setMethod("infill", c("ANY", "InfillFit"), function(x, param, ..., assay.type = "counts",
    output = c("counts", "normcounts", "logcounts"),
    keep = c("observed", "none", "max", "posterior"),
    nonneg = TRUE, name = "infilled", as = c("auto", "matrix", "delayed", "hdf5"),
    sd = FALSE, genes = NULL, overwrite = FALSE, file = NULL, type = c("double", "float"),
    resume = NULL, BPPARAM = NULL, num.threads = NULL, check.scale = TRUE)
{
    .strict("infill() of a fit", ..., .also = "progress")
    say <- .sayOf(...)
    if (is(resume, "InfillFit")) .stop("'resume' must be TRUE or FALSE where a fit is applied")
    fit <- param
    .checkFit(fit, "param")
    fit <- .unpacked(fit)
    how <- .howIn(.how(output, keep, nonneg, name, as, fit@param), x, assay.type)
    threads <- .threads(num.threads, fit@param)
    how$file <- .fileAsked(how$as, file, type, resume, overwrite, BPPARAM)
    counts <- .sourceOf(x, assay.type, check.scale, .mostRead(how$as))
    asked <- how$keep == "posterior" && !is.null(.lacksPosterior(fit@param))
    wanted <- if (how$keep == "posterior") .withPosterior(fit@param) else fit@param
    .checkSd(sd, wanted, x, how)
    .checkPlace(x, how$name, assay.type, sd, overwrite)
    how$rows <- .rowsOf(genes, counts)
    .checkInput(wanted, counts, .inAssay(x, assay.type), to.fit = asked)
    .lookAtFirst(counts)
    if (!is.null(how$file)) how <- .checkFiles(how, counts, sd, FALSE)
    if (asked) {
        fit <- .posteriorOfFit(fit, .allAtOnce(counts), threads)
        .tell(fit)
    }
    .removeOld(how)
    how$say <- say
    .finish(x, counts, fit, how, sd, threads, assay.type)
})

#' @rdname infill
#' @export
setMethod("infill", c("ANY", "ANY"), function(x, param, ...) .stop(
    "'param' must be the parameters of a model, such as StackParam(), or a fit, not %s",
    if (missing(param)) "missing" else .describeParam(param)))

.tell <- function(fit) {
    tidings <- .tidings(fit)
    if (!is.null(tidings)) message(tidings)
}

.outputs <- c("counts", "normcounts", "logcounts")

# How a result is made, checked.
.how <- function(output, keep, nonneg, name, as, param) {
    if (!.isString(name) || !nzchar(name)) .stop("'name' must be a name, not %s", .describe(name))
    keeps <- c("observed", "none", "max", "posterior")
    if (identical(keep, keeps)) keep <- .defaultKeep(param)
    list(output = .checkChoice(output, "output", .outputs),
        keep = .checkChoice(keep, "keep", keeps),
        nonneg = .checkFlag(nonneg, "nonneg"), name = name,
        as = .checkChoice(as, "as", c("auto", "matrix", "delayed", "hdf5")))
}

# Who is told of the progress of a call.
.sayOf <- function(progress = interactive(), ...) if (.checkFlag(progress, "progress")) .say else
    .silent

# What x makes of it: a valid name, and no DelayedMatrix where there is no place for one.
.howIn <- function(how, x, assay.type) {
    how$name <- .sayName(x, how$name)
    how$only.held <- .onlyHeld(x, assay.type)
    if (is.null(how$only.held)) return(how)
    if (how$as %in% c("delayed", "hdf5")) .stop(
        "'as' must not be \"%s\": the result is %s", how$as, how$only.held)
    how$as <- "matrix"
    how
}

.checkSd <- function(sd, param, x, how) {
    if (!.checkFlag(sd, "sd")) return()
    why <- .lacksPosterior(param)
    if (!is.null(why)) .stop("'sd' needs a posterior%s", why)
    if (how$keep == "none")
        .stop(paste("'sd' is of the posterior, and keep = \"none\" gives what the",
        "models expect; use keep = \"posterior\""))
    if (how$output == "logcounts") .stop(
        "'sd' is on the scale of counts: output = \"counts\" or \"normcounts\", not \"logcounts\"")
    if (!.holdsSd(x)) .stop(
        "'sd' adds an assay, and 'x' is %s; posteriorSd() gives a matrix", .describe(x))
}
