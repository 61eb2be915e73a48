#' @include AllGenerics.R input.R compare.R
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
#'   Within a factor of two on data of 500 to 10,000 cells (`bench/results/stack.md`).
#' @return An `InfillCost`, a list: `fit` and `fill`, seconds; `memory`, bytes above the input at the
#'   peak, the result among them; `result`, bytes of the result as a dense matrix.
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

.costOf <- function(param, counts, threads, height = nrow(counts)) {
    size <- list(genes = as.double(nrow(counts)), cells = as.double(ncol(counts)),
        entries = as.double(length(counts@x)), height = as.double(height))
    out <- .cost(param, size, counts, threads)
    result <- 8 * size$height * size$cells
    structure(list(fit = out$fit, fill = out$fill, memory = out$memory + result, result = result),
        class = "InfillCost")
}

#' @export
print.InfillCost <- function(x, ...) {
    .strict("print()", ...)
    cat(sprintf("%s: fit %s, filling in %s; %s of memory above the input, %s of them the result\n",
        class(x), .duration(x$fit), .duration(x$fill), .bytes(x$memory), .bytes(x$result)))
    invisible(x)
}

# Seconds in words that say no more than is known.
.duration <- function(s) if (is.na(s)) "?" else if (s < 1) "less than a second" else
    if (s < 90) sprintf("about %.0f s", signif(s, 2)) else
    if (s < 5400) sprintf("about %.0f min", signif(s / 60, 2)) else
    sprintf("about %.1f hours", s / 3600)

# How many times slower than the machine that the constants below were measured on, by the loss of
# the posterior at 100,000 entries: once a session.
.slowness <- function() {
    if (is.null(.known$slowness)) {
        n <- 1e5
        z <- matrix(log(seq_len(4 * n) %% 17 + 1), n)
        y <- as.double(seq_len(n) %% 5 == 0)
        once <- function() system.time(for (k in 1:10) .Call(C_stack_loss, z, 1:4, c(0, n), y, y,
            1 / 9, c(0, 0, 0.2, 0.2, 0.2, 0.2), 1L), gcFirst = FALSE)[["elapsed"]]
        once()
        .known$slowness <- max(0.2, stats::median(replicate(5, once())) / .referenceSeconds)
    }
    .known$slowness
}
.known <- new.env(parent = emptyenv())
.referenceSeconds <- 0.020

# list(fit, fill: seconds, memory: bytes beside input and result)
setGeneric(".cost", function(param, size, counts, threads) standardGeneric(".cost"))

# Seconds of `work` in units of the reference, on so many threads; of each call some are spent in R.
.spent <- function(work, threads) 0.05 + .slowness() * work / (0.1 + 0.9 * threads) *
    (if (threads > 1) 1.05 else 1)

.filling <- function(size, each, threads) .spent(each * size$height * size$cells, threads)

setMethod(".cost", "InfillParam", function(param, size, counts, threads)
    list(fit = .spent(6e-8 * size$entries, threads), fill = .filling(size, 4e-8, threads),
        memory = 40 * size$entries + 2^26))

setMethod(".cost", "SvdParam", function(param, size, counts, threads) {
    wide <- param@rank + 96
    list(fit = .spent(size$entries * (4e-8 + 9e-10 * wide) + size$genes * wide^2 * 2.5e-9 +
        wide^3 * 6e-9, threads), fill = .filling(size, 4e-8 + 1e-9 * param@rank, threads),
        memory = 20 * size$entries + 24 * size$genes * wide + 2^26)
})

setMethod(".cost", "NeighborMeanParam", function(param, size, counts, threads) {
    svd <- .cost(SvdParam(param@n.components), size, counts, threads)
    list(fit = svd$fit, fill = .filling(size, 4e-8, threads) + .spent(size$cells *
        (size$cells * 1.2e-9 + param@k * size$entries / size$cells * 3e-9), threads),
        memory = svd$memory + 60 * size$cells * param@n.components)
})

setMethod(".cost", "DeepMcParam", function(param, size, counts, threads) {
    sweeps <- if (is.na(param@sweeps)) max(5, min(100, 10 / (size$entries /
        (size$genes * size$cells) * (length(param@ranks) + 1)))) else param@sweeps
    if (param@method == "converged") sweeps <- min(sweeps, 40)
    kept <- min(1, param@n.genes / size$genes)^0.5
    list(fit = .spent(1e-8 * size$entries * kept * (sweeps + 20) * (max(param@ranks) + 20) / 8,
        threads), fill = .filling(size, 5e-8, threads), memory = 40 * size$entries + 2^26)
})

setMethod(".cost", "StackParam", function(param, size, counts, threads) {
    priors <- .priorsOf(param)
    if (is.null(param@priors)) priors <- .forCells(priors, size$genes, size$cells)
    few <- size
    if (size$cells > param@max.cells) {
        few$cells <- param@max.cells
        few$entries <- size$entries * few$cells / size$cells
    }
    draws <- param@repeats + if (param@refit) 1 else 0
    quick <- vapply(priors, function(p) is(p, "SvdParam") || is(p, "NeighborMeanParam") ||
        is(p, "GeneMeanParam"), NA)
    slow <- lapply(priors[!quick], .cost, size = few, counts = counts, threads = threads)
    ranks <- vapply(priors, function(p) if (is(p, "SvdParam")) p@rank else 0, 0)
    near <- vapply(priors, function(p) if (is(p, "NeighborMeanParam")) p@k else 0, 0)
    svd <- if (any(ranks > 0)) .cost(SvdParam(max(ranks)), few, counts, threads)$fit else 0
    n <- min(param@n.entries, param@repeats * few$genes * few$cells)
    weights <- .spent(n * length(priors) * 2.2e-7, threads)
    search <- size$cells * min(few$cells, size$cells) * 1.2e-9 * any(near > 0)
    pools <- max(near) * size$entries * 3e-9 * (size$height / size$genes)
    list(fit = draws * (svd + .spent(1.5e-7 * few$entries, threads) +
        sum(vapply(slow, function(s) s$fit, 0))) + weights + 0.5,
        fill = .filling(size, 1e-8 * (1 + length(priors)), threads) +
            .spent(search + pools + size$entries * max(ranks) * 1.2e-9, threads) +
            sum(vapply(slow, function(s) s$fill, 0)),
        memory = 60 * few$entries + 16 * n * (length(priors) + 1) + size$cells *
            (8 * max(ranks, 20) + 4 * max(near)) + 2^27 +
            max(0, vapply(slow, function(s) s$memory, 0)))
})

# Iterations that held-out values let a network have on typical data.
.usualIterations <- function(param) switch(class(param)[1L], AutoImputeParam = 800,
    DeepImputeParam = 150, ScInnParam = 100, GraphSciParam = 120, param@max.iter)

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
    n <- unique(pmin(c(150, 300), size$cells))
    one <- pilot(n[1L], 1)
    two <- if (length(n) > 1L) pilot(n[2L], 1) else one
    each <- max(0, pilot(n[length(n)], 3)[1L] - two[1L]) / 2
    more <- size$cells / n[length(n)]
    # what comes before the iterations may grow faster than the cells do
    power <- if (length(n) > 1L) min(2, max(0.5, log(two[1L] / one[1L]) / log(2))) else 1
    list(fit = max(0, two[1L] - each) * more^power + each * more *
        min(param@max.iter, .usualIterations(param)), fill = two[2L] * more,
        memory = max(two[3L], one[3L] + (two[3L] - one[3L]) * (if (length(n) > 1L)
            (size$cells - n[1L]) / (n[2L] - n[1L]) else 1)))
})

# What a fit will cost, where that takes no fit to know: a network shows the time to go by itself.
.sayCostOf <- function(param, counts, threads) {
    if (is(param, "NetworkParam")) return(invisible())
    cost <- .costOf(param, counts, threads)
    if (cost$fit > 2) message(sprintf("%s: the fit takes %s, filling in %s; %s of memory",
        sub("Param$", "", class(param)), .duration(cost$fit), .duration(cost$fill),
        .bytes(cost$memory)))
}

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
