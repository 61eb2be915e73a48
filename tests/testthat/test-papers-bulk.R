# bulkDropout().

test_that("bulk with dropout: shares, correlations, and an exact filling", {
    bulk <- withSeed(1, matrix(rpois(80 * 25, rexp(80) * 300 * rlnorm(80 * 25, 0, 0.3)), 80))
    seen <- NULL
    oracle <- function(left) { seen <<- c(seen, list(left)); bulk }
    d <- bulkDropout(bulk, params = list(truth = oracle, GeneMeanParam()), seed = 1)
    expect_identical(names(d), c("fraction", "zeros", "method", "pearson", "lower", "upper"))
    expect_identical(d$method, rep(c("raw", "truth", "GeneMean"), 3))
    expect_identical(d$fraction, rep(c(0.5, 0.6, 0.7), each = 3))
    expect_lt(max(abs(d$zeros - d$fraction)), 0.01)
    expect_equal(d$pearson[d$method == "truth"], rep(1, 3))
    raw <- d$pearson[d$method == "raw"]
    expect_true(all(diff(raw) < 0))
    left <- seen[[2]]
    expect_equal(raw[2],
        median(vapply(1:25, function(s) cor(log1p(left[, s]), log1p(bulk[, s])), 0)))
    expect_equal(bulkDropout(bulk, 0.6, oracle, "counts", seed = 1)$pearson[1],
        median(vapply(1:25, function(s) cor(left[, s], bulk[, s]), 0)))
    expect_identical(left, round(left))
    expect_true(all(left <= bulk & left >= 0))
    # the noise is the same, only more of it
    expect_true(all((seen[[3]] > 0) <= (left > 0)))
    expect_identical(bulkDropout(bulk, 0.5, GeneMeanParam(), seed = 1)$pearson, d$pearson[c(1, 3)])
    bulkDropout(bulk / 7, 0.5, oracle, seed = 1)
    half <- seen[[length(seen)]]
    expect_false(all(half == round(half)))
    expect_equal(mean(half == 0), 0.5)
    expect_identical(nrow(bulkDropout(bulk, 0.5, DeepMcParam(ranks = c(20, 10)), seed = 1,
        keep = "none")), 2L)
})

test_that("exponential noise is exponential", {
    bulk <- matrix(1000.5, 50, 100)
    left <- NULL
    bulkDropout(bulk, 0.01, function(x) { left <<- x; x }, seed = 3)
    noise <- (1000.5 - left)[left > 0]
    # 1 % are above the largest that is seen
    c <- max(noise) / -log(0.01)
    expect_gt(ks.test(noise / c, function(q) pexp(q) / 0.99)$p.value, 1e-4)
})

test_messages("arguments of bulkDropout", {
    counts <- tinyCounts()
    bad(bulkDropout(-counts, 0.5, GeneMeanParam()))
    bad(bulkDropout(counts, 2, GeneMeanParam()))
    bad(bulkDropout(counts, 0.2, GeneMeanParam(), seed = 1))
    bad(bulkDropout(counts, 0.9))
    bad(bulkDropout(counts, 0.9, "mean"))
    bad(bulkDropout(counts, 0.9, list(1)))
    bad(bulkDropout(counts, 0.9, colSums, seed = 1))
    bad(bulkDropout(counts, 0.9, GeneMeanParam(), scale = "log2"))
})
