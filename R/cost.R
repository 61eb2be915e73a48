#' @include cost-units.R input.R fit.R
NULL

#' What filling in will cost
#'
#' Seconds, memory and size of the result before anything is done: from the size of the data, how
#' quick this machine is at the package's own kernels and, for networks, a few iterations on some of
#' the cells.
#'
#' @param x,assay.type,num.threads As in [infill()].
#' @param param The parameters of a model, an [InfillParam-class].
#' @param genes As in [infill()]: of how many genes is a result wanted?
#' @param ... Nothing: an unknown argument is an error.
#' @details Networks stop by themselves, when held-out values get no better: how many iterations
#'   that takes is not known before, and what is said holds for as many as it took on typical data.
#'   Measured within a factor of two on data of 500 to 2,600 cells (what takes half a second or
#'   more), of three for [DeepImputeParam()].
#' @return An `InfillCost`, a list: `fit` and `fill`, seconds; `memory`, bytes above the input at
#'   the peak, the result among them; `result`, bytes of the result as a dense matrix.
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 60, seed = 1)
#' infillCost(x, StackParam())
#' @export
infillCost <- function(x, param, ..., genes = NULL, assay.type = "counts", num.threads = NULL) {
    .strict("infillCost()", ...)
    if (!is(param, "InfillParam")) .stop(
        "'param' must be the parameters of a model, such as StackParam(), not %s",
        .describeParam(param))
    .checkParam(param)
    counts <- .countsOf(x, assay.type, FALSE)
    rows <- .rowsOf(genes, counts)
    .costOf(param, counts, .threads(num.threads, param),
        if (is.null(rows)) nrow(counts) else length(rows))
}

#' @export
print.InfillCost <- function(x, ...) {
    .strict("print()", ...)
    cat(sprintf("%s: fit %s, filling in %s; %s of memory above the input, %s of them the result\n",
        class(x), .duration(x$fit), .duration(x$fill), .bytes(x$memory), .bytes(x$result)))
    invisible(x)
}

# Some cells, one iteration and three.
setMethod(".cost", "NetworkParam", function(param, size, counts, threads) {
    pilot <- function(cells, iterations) {
        some <- .Call(C_choose, size$cells, as.double(cells), 1)
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
    n <- unique(pmin(c(150, 300), size$cells))
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
    methods <- unique(jobs$method)
    of <- lapply(stats::setNames(nm = methods), function(m) tryCatch(suppressWarnings(
        .costOf(spec$methods[[m]], counts, spec$threads)), error = function(e) NULL))
    part <- function(f) vapply(of, function(o) if (is.null(o)) 0 else f(o), 0)[jobs$method]
    list(seconds = unname(part(function(o) o$fit + o$fill)) * ifelse(jobs$posterior, 2, 1) + 0.1,
        memory = unname(part(function(o) o$memory)))
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
