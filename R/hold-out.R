# Parts of the data held out, drawn with our own generator, and what is seen of them.

# Every molecule with probability `fraction` into the test half.
.splitMolecules <- function(counts, fraction, seed) {
    parts <- .Call(C_thin_apart, counts, fraction, seed)
    train <- .sparseOf(parts$kept, counts@Dim, counts@Dimnames)
    list(train = train, test = .sparseOf(parts$hidden, counts@Dim, list(NULL, NULL)),
        emptied = sum(diff(counts@p) > 0 & diff(train@p) == 0))
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
# 1,000 cells, so that large data need not be predicted as a whole).
.sampledEntries <- function(genes, cells, n, seed) {
    pick <- function(of, k, seed) if (k < of)
        as.integer(.Call(C_choose, as.double(of), as.double(k), seed)) else seq_len(of)
    some <- pick(cells, min(cells, max(1000, ceiling(n / genes))), seed)
    all <- as.double(genes) * length(some)
    list(cells = some, at = if (all > n) .Call(C_choose, all, as.double(n), seed + 1) else
        seq_len(all))
}

# Counts at the sampled entries.
.countsAt <- function(counts, sample)
    .Call(C_counts_at, .columns(counts, sample$cells), as.double(sample$at))

# Means of predicted and held-out molecules by tenth of the prediction, and their standard errors.
.deciles <- function(predicted, truth) {
    # quantiles of what is sorted are found ten times sooner
    at <- unique(stats::quantile(sort.int(predicted, method = "radix"), 0:10 / 10, names = FALSE))
    group <- if (length(at) > 2L) findInterval(predicted, at, rightmost.closed = TRUE,
        left.open = TRUE, all.inside = TRUE) else rep(1L, length(predicted))
    n <- tabulate(group)
    mean <- function(v) unname(vapply(split(v, group), base::mean, 0))
    observed <- mean(truth)
    spread <- mean((truth - observed[cumsum(n > 0)[group]])^2)
    predicted <- mean(predicted)
    n <- n[n > 0]
    data.frame(predicted = predicted, observed = observed,
        se = ifelse(n > 1, sqrt(spread / (n - 1)), NA_real_), n = n)
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
