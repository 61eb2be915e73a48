# Parts of the data held out, drawn with our own generator, and what is seen of them.

# Every molecule with probability `fraction` into the test half.
.splitMolecules <- function(counts, fraction, seed) {
    m <- .hide(counts, "molecules", fraction, seed)
    list(train = m$counts, test = sparseMatrix(i = m$row, j = m$col, x = m$value,
        dims = dim(counts)),
        emptied = m$emptied)
}

# Not the seed itself: molecules that the user has held out with it would be drawn with the very
# numbers that held them out.
.heldOutSeed <- function(seed, r) (seed + 827419784671 + 104729 * (r - 1)) %% 2^53

.shuffled <- function(counts, seed) {
    by.gene <- Matrix::t(counts)
    i <- .Call(C_shuffle, by.gene, seed)
    sparseMatrix(i = rep.int(seq_len(nrow(counts)), diff(by.gene@p)), j = i + 1L, x = by.gene@x,
        dims = dim(counts),
        dimnames = dimnames(counts))
}

# The cells and the entries that the weights are learnt from: all, or a random sample (of at most
# 5,000 cells, so that large data need not be predicted as a whole).
.sampledEntries <- function(genes, cells, n, seed) {
    pick <- function(of, k, seed) if (k < of)
        as.integer(.Call(C_choose, as.double(of), as.double(k), seed)) else seq_len(of)
    some <- pick(cells, min(cells, max(5000, ceiling(n / genes))), seed)
    all <- as.double(genes) * length(some)
    list(cells = some, at = if (all > n) .Call(C_choose, all, as.double(n), seed + 1) else
        seq_len(all))
}

# Counts at the sampled entries.
.countsAt <- function(counts, sample) {
    some <- counts[, sample$cells, drop = FALSE]
    if (length(sample$at) == prod(dim(some))) return(as.double(as.matrix(some)))
    key <- rep.int(seq_len(ncol(some)) - 1, diff(some@p)) * as.double(nrow(some)) + some@i + 1
    out <- numeric(length(sample$at))
    m <- match(key, sample$at)
    out[m[!is.na(m)]] <- some@x[!is.na(m)]
    out
}

# Means of predicted and held-out molecules by tenth of the prediction, and their standard errors.
.deciles <- function(d) {
    at <- unique(stats::quantile(d$predicted, 0:10 / 10, names = FALSE))
    group <- if (length(at) > 2L) cut(d$predicted, at, include.lowest = TRUE, labels = FALSE) else
        rep(1L, nrow(d))
    mean <- function(v) as.double(tapply(v, group, base::mean))
    data.frame(predicted = mean(d$predicted), observed = mean(d$truth),
        se = as.double(tapply(d$truth, group, function(v) stats::sd(v) / sqrt(length(v)))),
        n = as.integer(table(group)))
}

.withSeed <- function(seed, code) {
    old <- get0(".Random.seed", globalenv(), inherits = FALSE)
    kind <- RNGkind()
    on.exit({
        suppressWarnings(do.call(RNGkind, as.list(kind)))
        if (is.null(old)) rm(".Random.seed", envir = globalenv()) else
            assign(".Random.seed", old, globalenv())
    })
    # workers have generators of another kind
    set.seed(seed %% .Machine$integer.max, "Mersenne-Twister", "Inversion", "Rejection")
    code
}

# A gain below this share of what is left to gain (to the loss of a perfect prediction) is none
# worth the name.
.worthTheName <- 1e-3

# Mean over repeats, and half its 95 % t interval.
.interval <- function(v) {
    n <- length(v)
    list(mean = mean(v), half = if (n > 1L) stats::qt(0.975, n - 1) * stats::sd(v) / sqrt(n) else
        NA_real_)
}
