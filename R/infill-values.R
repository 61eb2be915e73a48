# From a fit to values: blocks of cells, a whole matrix, one more assay.
#' @include input.R prepare-apply.R fit-core.R
NULL


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
    if (how$as == "auto") how$as <- .asFor(size)
    if (how$as == "hdf5") return(.fillFile(counts, fit, how, threads, rows))
    if (how$as == "delayed") {
        whole <- DelayedArray(new("InfillSeed", fit = fit, counts = counts, how = how,
            threads = threads))
        return(if (is.null(rows)) whole else whole[rows, , drop = FALSE])
    }
    .checkRoom(size, c(height, ncol(counts)), how$only.held)
    if (is(counts, "dgCMatrix")) .roomFor(2e7 + 8 * size + 16 * length(counts@x))
    blocks <- if (.inOneGo(fit, how) && is(counts, "dgCMatrix")) list(seq_len(ncol(counts))) else
        .inBlocks(ncol(counts), height)
    if (length(blocks) == 1L) return(.block(fit, counts, blocks[[1L]], how, threads, rows))
    names <- .namesOf(counts)
    if (!is.null(rows) && !is.null(names[[1L]])) names[[1L]] <- names[[1L]][rows]
    out <- matrix(0, height, ncol(counts), dimnames = names)
    for (cols in blocks) out[, cols] <- .block(fit, counts, cols, how, threads, rows)
    out
}

# What as = "auto" is for so many values.
.asFor <- function(size) if (size > getOption("infill.dense.limit", 2e8)) "delayed" else "matrix"

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

# The values themselves, on the scale of the counts, as a dense matrix.
.plainly <- function(keep) list(output = "counts", keep = keep, nonneg = TRUE, name = "infilled",
    as = "matrix")

# The logarithm of a result with output = "logcounts".
.logOf <- function(fit) if (fit@recipe$log == "none") "log2" else fit@recipe$log

.keeps <- c("none", "observed", "max")    # in the order of the C enum Keep
