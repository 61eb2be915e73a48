#' @include AllGenerics.R
NULL

# What work costs on this machine.

.costOf <- function(param, counts, threads, height = nrow(counts)) {
    size <- list(genes = as.double(nrow(counts)), cells = as.double(ncol(counts)),
        entries = as.double(length(counts@x)), height = as.double(height))
    out <- .cost(param, size, counts, threads)
    result <- 8 * size$height * size$cells
    structure(list(fit = out$fit, fill = out$fill, memory = out$memory + result, result = result),
        class = "InfillCost")
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

# Seconds of `work` in units of the reference, on so many threads; of each call some are spent in R.
.spent <- function(work, threads) 0.05 + .slowness() * work / (0.1 + 0.9 * threads) *
    (if (threads > 1) 1.05 else 1)

.filling <- function(size, each, threads) .spent(each * size$height * size$cells, threads)

setMethod(".cost", "InfillParam", function(param, size, counts, threads)
    list(fit = .spent(6e-8 * size$entries, threads), fill = .filling(size, 4e-8, threads),
        memory = 40 * size$entries + 2^26))

# What a fit will cost, where that takes no fit to know: a network shows the time to go by itself.
# all: so many cells are to be filled in.
.sayCostOf <- function(param, counts, threads, all = ncol(counts)) {
    if (is(param, "NetworkParam")) return(invisible())
    cost <- .costOf(param, counts, threads)
    cost$fill <- cost$fill * all / ncol(counts)
    if (cost$fit > 2) message(sprintf("%s: the fit takes %s, filling in %s; %s of memory",
        sub("Param$", "", class(param)), .duration(cost$fit), .duration(cost$fill),
        .bytes(cost$memory)))
}
