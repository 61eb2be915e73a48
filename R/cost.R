#' @include cost-units.R input.R fit.R
NULL

#' What filling in will cost
#'
#' Seconds, memory and size of the result before anything is done: from the size of the data, how
#' quick this machine is at the package's own kernels and, for networks, a few iterations on some of
#' the cells.
#'
#' @param x,as,type,assay.type,num.threads As in [infill()]. Of counts on disk some cells are read.
#' @param param The parameters of a model, an [InfillParam-class].
#' @param genes As in [infill()]: of how many genes is a result wanted?
#' @param max.cells As in [fitInfill()].
#' @param ... Nothing: an unknown argument is an error.
#' @details Networks stop by themselves, when held-out values get no better: how many iterations
#'   that takes is not known before, and what is said holds for as many as it took on typical data.
#'   Measured within a factor of two on data of 500 to 2,600 cells (what takes half a second or
#'   more), of three for [DeepImputeParam()].
#' @return An `InfillCost`, a list: `fit` and `fill`, seconds; `memory`, bytes above the input at
#'   the peak, the result among them where it is in memory; `result`, bytes of the result as a dense
#'   matrix; `file`, bytes that files take at most (`as = "hdf5"`), else 0.
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 60, seed = 1)
#' infillCost(x, StackParam())
#' @export
infillCost <- function(x, param, ..., as = c("auto", "matrix", "delayed", "hdf5"),
    type = c("double", "float"), genes = NULL, max.cells = 20000, assay.type = "counts",
    num.threads = NULL)
{
    .strict("infillCost()", ...)
    if (!is(param, "InfillParam")) .stop(
        "'param' must be the parameters of a model, such as StackParam(), not %s",
        .describeParam(param))
    .checkParam(param)
    as <- .checkChoice(as, "as", c("auto", "matrix", "delayed", "hdf5"))
    type <- .checkChoice(type, "type", c("double", "float"))
    max.cells <- .checkCount(max.cells, "max.cells")
    counts <- .sourceOf(x, assay.type, FALSE, .mostRead(as))
    rows <- .rowsOf(genes, counts)
    height <- if (is.null(rows)) nrow(counts) else length(rows)
    if (as == "auto") as <- .asFor(height * as.double(ncol(counts)))
    threads <- .threads(num.threads, param)
    if (is(counts, "CellSource")) .costOfSource(param, counts, threads, height, as, type, max.cells)
    else .inFiles(.costOf(param, counts, threads, height), as, type)
}

# A cost in memory as that of another kind of result.
.inFiles <- function(cost, as, type) {
    if (as != "matrix") cost$memory <- cost$memory - cost$result + 3 * 8 * .blockValues
    cost$file <- if (as == "hdf5") cost$result * (if (type == "float") 0.5 else 1) else 0
    if (as == "hdf5") cost$fill <- cost$fill + cost$result / 8 / .writtenASecond()
    if (as == "delayed") cost$fill <- 0
    cost
}

# Some cells are read, the rest is by their measure: all are read twice, or once where all are
# learnt from.
.costOfSource <- function(param, source, threads, height, as, type, max.cells) {
    n <- as.double(ncol(source))
    learn <- min(n, .mostCells(param, max.cells))
    at <- unique(round(seq(1, n - min(n, 300) + 1, length.out = 3)))
    some <- unique(unlist(lapply(at, function(k) seq(k, length.out = min(n, 100)))))
    some <- sort(some[some <= n])
    .columns(source, some[1L])                               # what is slow once is not counted
    reading <- system.time(m <- .columns(source, some), gcFirst = FALSE)[["elapsed"]] *
        n / length(some)
    size <- list(genes = as.double(nrow(m)), cells = learn, height = as.double(height),
        entries = length(m@x) / ncol(m) * learn)
    out <- .cost(param, size, m, threads)
    result <- 8 * size$height * n
    .inFiles(structure(list(fit = out$fit + reading, fill = out$fill * n / learn + reading,
        memory = out$memory + 12 * size$entries + result, result = result), class = "InfillCost"),
        as, type)
}

# Numbers that this machine writes in a second: once a session.
.writtenASecond <- function() {
    if (is.null(.known$written)) {
        file <- tempfile(fileext = ".h5")
        on.exit(unlink(file))
        x <- matrix(sqrt(seq_len(1e6)), 1000)
        .known$written <- if (!requireNamespace("HDF5Array", quietly = TRUE)) 1e7 else
            1e6 / max(0.01, system.time(HDF5Array::writeHDF5Array(x, file, "x", level = 0L,
            chunkdim = c(200L, 500L)), gcFirst = FALSE)[["elapsed"]])
    }
    .known$written
}

#' @export
print.InfillCost <- function(x, ...) {
    .strict("print()", ...)
    cat(sprintf("%s: fit %s, filling in %s; %s of memory above the input, %s\n",
        class(x), .duration(x$fit), .duration(x$fill), .bytes(x$memory), if (x$file > 0)
        sprintf("up to %s in files", .bytes(x$file)) else if (x$memory >= x$result)
        sprintf("%s of them the result", .bytes(x$result)) else "the result on demand"))
    invisible(x)
}

# Some cells, one iteration and three.
setMethod(".cost", "NetworkParam", function(param, size, counts, threads) {
    pilot <- function(cells, iterations) {
        some <- .Call(C_choose, as.double(ncol(counts)), as.double(cells), 1)
        param@max.iter <- iterations
        before <- sum(gc(reset = TRUE, full = FALSE)[, 2L])
        x <- counts[, some, drop = FALSE]
        seconds <- system.time(fit <- suppressWarnings(suppressMessages(.fitChecked(x, param,
            seed = 1, num.threads = threads, progress = FALSE))), gcFirst = FALSE)[["elapsed"]]
        fill <- system.time(suppressWarnings(.fill(x, fit, .plainly("none"), threads)),
            gcFirst = FALSE)[["elapsed"]]
        c(seconds, fill, 2^20 * (sum(gc(full = FALSE)[, 6L]) - before))
    }
    usual <- param@max.iter
    n <- unique(pmin(c(150, 300), ncol(counts)))
    one <- pilot(n[1L], 1)
    two <- if (length(n) > 1L) pilot(n[2L], 1) else one
    each <- max(0, pilot(n[length(n)], 3)[1L] - two[1L]) / 2
    more <- size$cells / n[length(n)]
    # what comes before the iterations may grow faster than the cells do
    power <- if (length(n) > 1L) min(2, max(0.5, log(two[1L] / one[1L]) / log(2))) else 1
    list(fit = max(0, two[1L] - each) * more^power + each * more *
        min(usual, .usualIterations(param), na.rm = TRUE), fill = two[2L] * more,
        memory = max(two[3L], one[3L] + (two[3L] - one[3L]) * (if (length(n) > 1L)
            (size$cells - n[1L]) / (n[2L] - n[1L]) else 1)))
})

# ---- of a comparison ----

# Seconds and memory of each job; a model that cannot be asked is taken for a quick one.
.jobCosts <- function(jobs, counts, spec) {
    each <- of <- list()
    at <- integer(nrow(jobs))
    for (k in seq_len(nrow(jobs))) {                         # the same parameters are asked once
        param <- spec$methods[[jobs$method[k]]]
        if (jobs$task[k] == "entries") param <- .forEntries(param)
        at[k] <- Position(function(p) identical(p, param), each, nomatch = length(each) + 1L)
        if (at[k] <= length(each)) next
        each[[at[k]]] <- param
        of[at[k]] <- list(tryCatch(suppressWarnings(.costOf(param, counts, spec$threads)),
            error = function(e) NULL))
    }
    part <- function(f) vapply(of, function(o) if (is.null(o)) 0 else f(o), 0)[at]
    list(seconds = part(function(o) o$fit + o$fill) * ifelse(jobs$posterior, 2, 1) + 0.1,
        memory = part(function(o) o$memory))
}

.sayCost <- function(cost, at.once, n) message(sprintf("%d fits: %s, %s of memory above the input",
    n, .duration(sum(cost$seconds) / at.once), .bytes(max(cost$memory) * at.once)))

# What is begun, and how long the rest will take.
.sayNext <- function(rows, seconds, todo, passed) {
    gone <- sum(seconds) - sum(seconds[todo])
    left <- sum(seconds[todo]) * if (gone > 1) passed / gone else 1
    job <- rows[[1L]]
    message(sprintf("%d of %d: %s, %s, repeat %d; %.0f s so far, to go: %s",
        length(seconds) - length(todo) + 1L, length(seconds), job$label, job$task, job$rep, passed,
        .duration(left)))
}
