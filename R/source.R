# Counts that are not read at once: a DelayedMatrix with many cells, of which blocks are read when
# they are wanted. Everything that is asked of a dgCMatrix of counts on the way to a result (dim,
# names, some cells) can be asked of it.
#' @include containers.R input.R
NULL

# seed: the DelayedMatrix; names: its dimnames (of the experiment); seen: what has been read of it
# so far (.scanned()); arg: how messages call it.
setClass("CellSource", slots = c(seed = "DelayedMatrix", names = "list", seen = "environment",
    arg = "character"))
setMethod("dim", "CellSource", function(x) dim(x@seed))
setMethod("dimnames", "CellSource", function(x) x@names)

# Where the counts of x are a DelayedMatrix of more than `most` cells: that, to be read by blocks;
# NULL: x can be read at once.
setGeneric(".unread", function(x, assay.type, most) NULL)
setMethod(".unread", "DelayedMatrix", function(x, assay.type, most) {
    if (ncol(x) <= most) return(NULL)
    lost <- .missingFiles(x)
    if (nzchar(lost)) .stop("'x' cannot be read%s", lost, class = c("infill_file", "infill_error"))
    new("CellSource", seed = x, names = .bothNames(x), arg = "x", seen = .nothingSeen())
})
setMethod(".unread", "SummarizedExperiment", function(x, assay.type, most) {
    if (!.isString(assay.type) || !assay.type %in% assayNames(x)) return(NULL)
    out <- .unread(assay(x, assay.type, withDimnames = FALSE), assay.type, most)
    if (!is.null(out)) out@names <- list(rownames(x), colnames(x))
    out
})
.bothNames <- function(x) {
    names <- dimnames(x)
    if (is.null(names)) list(NULL, NULL) else names
}
.nothingSeen <- function() list2env(list(scan = NULL), parent = emptyenv())

# The counts of x, checked: a dgCMatrix, or a CellSource where more than `most` cells are on disk.
.sourceOf <- function(x, assay.type = "counts", check.scale = TRUE, most = .mostRead()) {
    .checkFlag(check.scale, "check.scale")
    s <- .unread(x, assay.type, most)
    if (is.null(s)) return(.countsOf(x, assay.type, check.scale))
    .checkMatrix(s@seed, "x")
    if (!nrow(s)) .stop("'x' must have genes and cells, not %d x %d", nrow(s), ncol(s))
    .checkBothNames(s@names, "x")
    s@seen$check.scale <- check.scale
    s@seen$kinds <- .kindsOf(x)
    .warnRows(.turned(s@names, "x"))
    s
}

# So many cells are read at once; none where the result need not be in memory.
.mostRead <- function(as = "matrix") if (as %in% c("delayed", "hdf5")) 0 else
    getOption("infill.read.limit", 20000)

# A source whose model needs all cells in memory.
.allAtOnce <- function(counts) if (is(counts, "CellSource"))
    .readAndLook(counts, seq_len(ncol(counts))) else counts

# The first cells, where no fit looks at all: do they look like counts, and the rows like genes?
.lookAtFirst <- function(counts) if (is(counts, "CellSource"))
    .readAndLook(counts, seq_len(min(ncol(counts), 500)))

# Cells of a source that stand for all of them: looked at like counts in memory.
.readAndLook <- function(source, cols) {
    m <- .checkCounts(.columns(source, cols), source@seen$check.scale, source@arg)
    .warnRows(.otherKind(m, source@seen$kinds, source@arg))
    m
}

# ---- reading ----

# Cells of a source as a dgCMatrix, checked. Blocks that were read before must be what they were.
setMethod(".columns", "CellSource", function(counts, cols) {
    m <- .checkCounts(.readCells(counts, cols), FALSE, counts@arg, cells = cols)
    if (isTRUE(counts@seen$molecules)) .checkWhole(m, sprintf("'%s'", counts@arg), cols)
    marks <- counts@seen$scan$marks[cols]
    if (is.null(marks)) return(m)
    other <- which(.Call(C_cell_marks, m) != marks)
    if (length(other)) .stop(
        "'%s' is not what it was when it was first read: %d of the cells %d to %d differ, as %s",
        counts@arg, length(other), min(cols), max(cols),
        .cellLabel(counts, cols[other[1L]]), class = "infill_mismatch")
    m
})

# All rows and the columns from `from` on, so many of each. In newer releases of Bioconductor
# another package has the class.
.viewport <- function(dim, from, width) {
    home <- if ("ArrayViewport" %in% getNamespaceExports("DelayedArray")) "DelayedArray" else
        "S4Arrays"
    getExportedValue(home, "ArrayViewport")(dim, IRanges::IRanges(c(1L, from), width = width))
}

.readCells <- function(source, cols) {
    # as many at a time as a dense block may have, and a sparse one be addressed by
    each <- max(1, floor((if (DelayedArray::is_sparse(source@seed)) 5e8 else 2e7) /
        nrow(source)))
    runs <- split(cols, (seq_along(cols) - 1) %/% each)
    parts <- lapply(unname(runs), .readRun, source = source)
    m <- if (length(parts) == 1L) parts[[1L]] else do.call(cbind, parts)
    m@Dimnames <- list(source@names[[1L]], source@names[[2L]][cols])
    m
}

.readRun <- function(source, cols) {
    x <- source@seed
    block <- tryCatch({
        at <- if (length(cols) == 1L || all(diff(cols) == 1L)) x else x[, cols, drop = FALSE]
        from <- if (identical(at, x)) cols[1L] else 1L
        view <- .viewport(dim(at), from, c(nrow(x), length(cols)))
        DelayedArray::read_block(at, view, as.sparse = DelayedArray::is_sparse(at))
    }, error = function(e) .stop("'%s' cannot be read%s: %s", source@arg, .missingFiles(x),
        conditionMessage(e), class = c("infill_file", "infill_error")))
    m <- if (is(block, "SparseArraySeed")) sparseMatrix(i = block@nzindex[, 1L],
        j = block@nzindex[, 2L], x = as.double(block@nzdata), dims = dim(block)) else
        if (is.matrix(block)) .counts(block, arg = source@arg) else as(block, "dgCMatrix")
    m <- .asSparse(m)
    m@Dimnames <- list(NULL, NULL)
    m
}

# The files that it is read from.
.pathsOf <- function(x) tryCatch(as.character(normalizePath(unique(unlist(
    DelayedArray::seedApply(x, function(s) tryCatch(grep("^[A-Za-z][A-Za-z0-9+.-]+://",
        BiocGenerics::path(s), value = TRUE, invert = TRUE), error = function(e) NULL)))),
    mustWork = FALSE)), error = function(e) character())

# Which of its files are not there, in words.
.missingFiles <- function(x) {
    files <- .pathsOf(x)
    lost <- files[!file.exists(files)]
    if (length(lost)) sprintf(" (the file %s is not there%s)", dQuote(lost[1L], FALSE),
        sprintf(" for %s", Sys.info()[["nodename"]])) else ""
}

# Runs of cells for one pass over a source: those of DelayedArray, as long as its user wants them.
.passOver <- function(source) {
    grid <- DelayedArray::colAutoGrid(source@seed)
    lapply(seq_along(grid), function(k) {
        r <- IRanges::ranges(grid[[k]])[2L]
        seq(IRanges::start(r), IRanges::end(r))
    })
}

# One pass over all cells: list(total: of each cell; sum, share, cells: of each gene, see C_shares;
# marks: what each cell looks like; entries). What is not a count is refused, named.
# few: cells that are kept as source@seen$sample.
.scanned <- function(source, say = .silent, few = NULL) {
    seen <- source@seen
    if (!is.null(seen$scan$total) && is.null(few)) return(seen$scan)
    seen$scan <- NULL
    blocks <- .passOver(source)
    total <- marks <- numeric(ncol(source))
    sums <- NULL
    some <- list()
    whole <- TRUE
    largest <- entries <- 0
    begun <- .elapsed()
    for (k in seq_along(blocks)) {
        cols <- blocks[[k]]
        m <- .columns(source, cols)
        sums <- .Call(C_shares, m, sums)
        total[cols] <- sums$total
        marks[cols] <- .Call(C_cell_marks, m)
        entries <- entries + length(m@x)
        if (any(cols %in% few)) some <- c(some, list(m[, cols %in% few, drop = FALSE]))
        whole <- whole && !length(.firstBroken(m))
        largest <- max(largest, m@x)
        passed <- .elapsed() - begun
        if (passed > 2) say("reading 'x' for the first time: %d of %d cells; to go: %s",
            max(cols), ncol(source), .duration(passed / max(cols) * (ncol(source) - max(cols))))
    }
    if (seen$check.scale && !whole && largest < 30) .refuseLogs(source@arg, largest)
    seen$scan <- c(list(total = total, marks = marks, entries = entries, whole = whole),
        sums[c("sum", "share", "cells")])
    if (length(some)) seen$sample <- do.call(cbind, some)
    .warnRows(.otherKind(source, seen$kinds, source@arg))
    seen$scan
}

# ---- learning ----

# A model is asked about what it learns from.
setMethod(".checkInput", c("InfillParam", "CellSource"),
    function(param, counts, what = "'x'", to.fit = TRUE) invisible())

setMethod(".learnFrom", "CellSource", function(counts, param, most, say) {
    n <- ncol(counts)
    if (n <= most) {
        m <- .allAtOnce(counts)
        counts@seen$scan <- list(marks = .Call(C_cell_marks, m))
        return(m)
    }
    if (.onlyItsCells(param)) .stop(paste("'param': %s() knows the cells of its fit only, and 'x'",
        "has %d, of which 'max.cells' = %g are learnt from: max.cells = Inf or another model"),
        class(param)[1L], n, most)
    few <- .Call(C_choose, as.double(n), as.double(most), param@seed)
    .scanned(counts, say, few)
    m <- counts@seen$sample
    counts@seen$sample <- NULL                               # a worker is not sent it
    m
})

# ---- questions of counts, wherever they are ----

setMethod(".cellTotals", "CellSource", function(counts) .scanned(counts)$total)
setMethod(".geneTotals", "CellSource", function(counts) .scanned(counts)$sum)
setMethod(".entriesOf", "CellSource", function(counts) .scanned(counts)$entries)

setMethod(".genesOfAll", "CellSource", function(counts) .scanned(counts)[c("total", "share")])
