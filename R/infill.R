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
#'   results are replaced, with their standard deviations; the counts never are.
#' @param nonneg Floor model values at 0? They always are on the count scales;
#'   `FALSE` gives the raw output of a model on its own log scale.
#' @param name Name of the new assay.
#' @param as `"matrix"`: dense; `"delayed"`: a DelayedMatrix that holds the fit
#'   and the counts and computes any block when it is asked for; `"auto"`: dense
#'   up to `getOption("infill.dense.limit", 2e8)` values. A DelayedMatrix is
#'   written to disk block by block with `HDF5Array::writeHDF5Array()`.
#' @param num.threads Threads; the result does not depend on it.
#' @param check.scale Refuse values that look like logarithms?
#' @return `x` with one more assay, or a matrix when a matrix came in.
#'   `rowData(x)$<name>.status` says of each gene whether it was `"modelled"`,
#'   used as a `"predictor"` only, `"not selected"` or had `"too few cells"`; all
#'   but the first are passed through.
#'   `metadata(x)$<name>` (of a plain matrix: its attribute `"infill"`) says
#'   model, scale, what was kept, and the seed; of a posterior also the weights, the
#'   priors that did not earn their place, and the verdict that its fit prints.
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
    nonneg = TRUE, name = "infilled", as = c("auto", "matrix", "delayed"),
    sd = FALSE, genes = NULL, overwrite = FALSE, num.threads = NULL, check.scale = TRUE)
{
    .strict("infill()", ..., .also = names(formals(.fitChecked))[-(1:2)])
    how <- .howIn(.how(output, keep, nonneg, name, as, param), x, assay.type)
    asked <- how$keep == "posterior" && !is.null(.lacksPosterior(param))
    if (how$keep == "posterior") param <- .withPosterior(param)
    .checkSd(sd, param, x, how)
    .checkPlace(x, how$name, assay.type, sd, overwrite)
    counts <- .countsOf(x, assay.type, check.scale)
    how$rows <- .rowsOf(genes, counts)
    .checkInput(param, counts, .inAssay(x, assay.type))
    fit <- .fitChecked(counts, param, ..., num.threads = num.threads)
    if (asked) .tell(fit)
    .finish(x, counts, fit, how, sd, .threads(num.threads, param), assay.type)
})

#' @rdname infill
#' @export
setMethod("infill", c("ANY", "InfillFit"), function(x, param, ..., assay.type = "counts",
    output = c("counts", "normcounts", "logcounts"),
    keep = c("observed", "none", "max", "posterior"),
    nonneg = TRUE, name = "infilled", as = c("auto", "matrix", "delayed"),
    sd = FALSE, genes = NULL, overwrite = FALSE, num.threads = NULL, check.scale = TRUE)
{
    .strict("infill() of a fit", ...)
    fit <- param
    how <- .howIn(.how(output, keep, nonneg, name, as, fit@param), x, assay.type)
    threads <- .threads(num.threads, fit@param)
    counts <- .countsOf(x, assay.type, check.scale)
    asked <- how$keep == "posterior" && !is.null(.lacksPosterior(fit@param))
    wanted <- if (how$keep == "posterior") .withPosterior(fit@param) else fit@param
    .checkSd(sd, wanted, x, how)
    .checkPlace(x, how$name, assay.type, sd, overwrite)
    how$rows <- .rowsOf(genes, counts)
    .checkInput(wanted, counts, .inAssay(x, assay.type), to.fit = asked)
    if (asked) {
        fit <- .posteriorOfFit(fit, counts, threads)
        .tell(fit)
    }
    .finish(x, counts, fit, how, sd, threads, assay.type)
})

#' @rdname infill
#' @export
setMethod("infill", c("ANY", "ANY"), function(x, param, ...) .stop(paste(
    "'param' must be the parameters of a model, such as AutoImputeParam(), or a fit,",
    "not %s"), if (missing(param)) "missing" else .describe(param)))

.tell <- function(fit) {
    tidings <- .tidings(fit)
    if (!is.null(tidings)) message(tidings)
}

.outputs <- c("counts", "normcounts", "logcounts")
.keeps <- c("none", "observed", "max")    # in the order of the C enum Keep

# How a result is made, checked.
.how <- function(output, keep, nonneg, name, as, param) {
    if (!.isString(name) || !nzchar(name)) .stop("'name' must be a name, not %s", .describe(name))
    keeps <- c("observed", "none", "max", "posterior")
    if (identical(keep, keeps)) keep <- .defaultKeep(param)
    list(output = .checkChoice(output, "output", .outputs),
        keep = .checkChoice(keep, "keep", keeps),
        nonneg = .checkFlag(nonneg, "nonneg"), name = name,
        as = .checkChoice(as, "as", c("auto", "matrix", "delayed")))
}

# What x makes of it: a valid name, and no DelayedMatrix where there is no place for one.
.howIn <- function(how, x, assay.type) {
    how$name <- .sayName(x, how$name)
    how$only.held <- .onlyHeld(x, assay.type)
    if (is.null(how$only.held)) return(how)
    if (how$as == "delayed") .stop(
        "'as' must not be \"delayed\": the result is %s", how$only.held)
    how$as <- "matrix"
    how
}

# The logarithm of a result with output = "logcounts".
.logOf <- function(fit) if (fit@recipe$log == "none") "log2" else fit@recipe$log

# The values themselves, on the scale of the counts, as a dense matrix.
.plainly <- function(keep) list(output = "counts", keep = keep, nonneg = TRUE, name = "infilled",
    as = "matrix")

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

# Positions of the genes asked for; NULL: all.
.rowsOf <- function(genes, counts) if (!is.null(genes))
    .picked(genes, nrow(counts), rownames(counts), "genes")

# Some cells; all of them are no copy.
.columns <- function(counts, cols) if (identical(cols, seq_len(ncol(counts)))) counts else
    counts[, cols, drop = FALSE]

setMethod(".block", "InfillFit", function(fit, counts, cols, how, threads, rows = NULL) {
    counts <- .columns(counts, cols)
    new <- .appliedOnce(counts, fit@recipe, how$shared)
    wanted <- if (!is.null(rows)) seq_len(nrow(new$x)) %in% (new$row[rows] + 1L)
    pred <- .Call(C_predict, fit@param, fit@weights, fit@extras, new$x, fit@recipe$plan, wanted,
        threads)
    row <- new$row
    if (!is.null(rows)) {                                    # only these have a row of their own
        counts <- .rowsOnce(counts, rows, how$shared)
        row <- c(-1L, ifelse(wanted, cumsum(wanted) - 1L, -1L))[row[rows] + 2L]
    }
    if (isTRUE(fit@recipe$transductive)) .checkSeen(pred, new, counts, class(fit@param))
    else if (anyNA(pred)) .warnUnpredicted(pred, row)
    from <- match(fit@recipe$log, .logs) - 1L
    to <- if (how$output != "logcounts") 0L else if (from) from else 1L
    # on the normalised scales every cell is divided by its own size, whatever the model did
    over <- if (how$output == "counts") rep(1, length(cols)) else
        .sizes(new$total, fit@recipe$usual)
    out <- .Call(C_restore, counts, 0L, pred, as.integer(row), new$size, new$stretch, over,
        c(from, to, match(how$keep, .keeps) - 1L, as.integer(how$nonneg)),
        if (is.null(fit@recipe$least)) 0 else fit@recipe$least)
    dimnames(out) <- .namesOf(counts)
    out
})

# Some genes, once for all fits that are asked for the same.
.rowsOnce <- function(counts, rows, shared) {
    if (is.null(shared)) return(counts[rows, , drop = FALSE])
    if (!identical(shared$rows, rows)) {
        shared$rows <- rows
        shared$some <- counts[rows, , drop = FALSE]
    }
    shared$some
}

# A model that knows the cells of its fit only: others are NaN.
.checkSeen <- function(pred, new, counts, model) {
    other <- if (nrow(pred)) which(is.nan(pred[1L, ]) & new$total > 0)
    if (length(other)) .stop(paste("'x' has %d cells that the fit has not seen, the first is %s;",
        "%s() fills in the cells it was fitted to"), length(other), .cellLabel(counts, other[1L]),
        model, class = "infill_mismatch")
}

# A model may give no value (NaN): that entry stays as it came, and the user is told of it.
.warnUnpredicted <- function(pred, row) {
    n <- sum(is.nan(pred[setdiff(row, -1L) + 1L, ]))
    if (n) warning(
        sprintf(paste("%d predictions were above twice the largest value of the training",
        "data or not finite; these entries stay as they came"), n), call. = FALSE)
}

# f(values, cols) for blocks of cells, values dense genes x cells.
.overBlocks <- function(counts, fit, how, threads, f) {
    .matchGenes(counts, fit@recipe)
    for (cols in .inBlocks(ncol(counts), nrow(counts)))
        f(.block(fit, counts, cols, how, threads), cols)
}

# All cells: a matrix, or what computes any block on demand (infill-delayed.R).
.fill <- function(counts, fit, how, threads) {
    .checkIntact(fit)
    .matchGenes(counts, fit@recipe)
    rows <- how$rows
    how$rows <- NULL
    height <- if (is.null(rows)) nrow(counts) else length(rows)
    size <- as.double(height) * ncol(counts)
    if (how$as == "auto") {
        how$as <- if (size > getOption("infill.dense.limit", 2e8)) "delayed" else "matrix"
    }
    if (how$as == "delayed") {
        whole <- DelayedArray(new("InfillSeed", fit = fit, counts = counts, how = how,
            threads = threads))
        return(if (is.null(rows)) whole else whole[rows, , drop = FALSE])
    }
    .checkRoom(size, c(height, ncol(counts)), how$only.held)
    blocks <- .inBlocks(ncol(counts), height)
    if (length(blocks) == 1L) return(.block(fit, counts, blocks[[1L]], how, threads, rows))
    names <- .namesOf(counts)
    if (!is.null(rows) && !is.null(names[[1L]])) names[[1L]] <- names[[1L]][rows]
    out <- matrix(0, height, ncol(counts), dimnames = names)
    for (cols in blocks) out[, cols] <- .block(fit, counts, cols, how, threads, rows)
    out
}

# Is there memory for a dense result? A container that takes no dense ones needs twice a sparse copy
# of it as well.
.checkRoom <- function(size, shape, only.held = NULL) {
    need <- size * if (is.null(only.held)) 8 else 8 + 2 * 12
    if (.exceedsMemory(need)) .stop("a dense result of %d x %d needs %s, and %s are free; %s",
        shape[1L], shape[2L], .bytes(need), .bytes(.memoryLimit()), if (is.null(only.held))
        "as = \"delayed\" makes none" else paste("as = \"delayed\" makes none, but this is",
        only.held))
    if (!is.null(only.held) && size > .Machine$integer.max) .stop(
        "a result of %d x %d has too many values for a sparse matrix; it is %s", shape[1L],
        shape[2L], only.held)
}

.finish <- function(x, counts, fit, how, sd, threads, assay.type) {
    values <- .fill(counts, fit, how, threads)
    status <- rep("not selected", nrow(counts))
    at <- .matchGenes(counts, fit@recipe)
    there <- !is.na(at)                       # genes that the fit left out may be missing
    status[at[there]] <- fit@recipe$status[there]
    note <- c(list(model = class(fit@param)[1L], output = how$output, keep = how$keep,
        seed = fit@seed, version = fit@version),
        if (how$output == "logcounts") list(log = .logOf(fit)), if (sd) list(sd = TRUE), .note(fit))
    if (!is.null(how$rows)) {
        status <- status[how$rows]
        x <- .onlyRows(x, how$rows)
    }
    out <- .store(x, values, how$name, status, note, assay.type)
    if (!sd) return(out)
    .storeSd(out, .fill(counts, fit, c(how, what = "sd"), threads), how$name, assay.type)
}
