# Small data for scINN, and fits to them.

scinnSeen <- refScinnData()

scinnParam <- function(...) {
    a <- list(latent = scinnSeen$latent, labels = scinnSeen$group, log = "log2")
    more <- list(...)
    a[names(more)] <- more
    do.call(ScInnParam, a)
}
scinnFit <- function(..., x = scinnSeen$counts, seed = 1,
    keep.state = TRUE) quiet(fitInfill(x, scinnParam(...), seed = seed, keep.state = keep.state,
    progress = FALSE))
scinnFilled <- function(..., x = scinnSeen$counts, seed = 1)
    plain(quiet(infill(x, scinnParam(...), seed = seed)))

# One batch of all cells and nothing left out: an epoch is a step whose gradient the oracle knows.
scinnWhole <- function(...) scinnFit(batch.size = 1000, drop = 0, ...)

# Current weights, and both of Adam's moments
scinnState <- function(fit) {
    w <- fitParts(fit, "weights")
    n <- length(unlist(w))
    testthat::expect_length(fit@state, 3 * n)
    part <- function(k) utils::relist(fit@state[k * n + seq_len(n)], w)
    list(w = part(0), m = part(1), v = part(2))
}
