# permutationCheck().

data <- grouped()
counts <- data$counts

test_that("Wilcoxon's z of many splits is that of wilcox.test", {
    m <- matrix(withSeed(1, rpois(5 * 31, 2)), 5)
    m[5, ] <- 1
    halves <- withSeed(2, matrix(runif(62) < 0.4, 31))
    r <- infill:::.rankSums(m, halves)
    for (g in 1:4) for (k in 1:2) {
        w <- wilcox.test(m[g, halves[, k]], m[g, !halves[, k]], exact = FALSE)
        expect_equal(r$W[g, k], unname(w$statistic), tolerance = 1e-12)
        expect_equal(2 * pnorm(-abs(r$z[g, k])), w$p.value, tolerance = 1e-12)
    }
    expect_true(all(is.na(r$z[5, ])))
})

test_that("an oversmoother is red, raw counts and the gene mean are green", {
    raw <- permutationCheck(counts, identity, seed = 1)
    expect_s3_class(raw, "PermutationCheck", exact = TRUE)
    expect_identical(names(raw$tests), c("test", "n", "before", "after", "verdict"))
    expect_identical(raw$tests$test, c("pairs", "genes", "markers"))
    expect_identical(raw$tests$n, c(160 * 159 / 2, 160, 160))
    expect_identical(raw$tests$before, raw$tests$after)
    expect_lt(max(raw$tests$before), 0.005)
    expect_identical(raw$verdict, "green")
    all <- permutationCheck(counts, smoothed, seed = 1)
    expect_identical(all$verdict, "red")
    expect_gt(all$tests$after[1], 0.99)
    expect_identical(all$tests$before, raw$tests$before)
    expect_identical(permutationCheck(grouped(100, 560, 2)$counts, smoothed, seed = 1)$verdict,
        "red")
    expect_identical(permutationCheck(counts, smoothed, k = 60, seed = 1)$verdict, "red")
    for (keep in c("none", "observed")) {
        p <- permutationCheck(counts, GeneMeanParam(), keep = keep, seed = 1)
        expect_identical(p$verdict, "green")
    }
    expect_identical(p, permutationCheck(counts, GeneMeanParam(), keep = keep, seed = 1))
    expect_equal(permutationCheck(sparse(counts), GeneMeanParam(), keep = keep, seed = 1), p)
    said <- capture.output(print(all))
    expect_match(said[1], "out of shuffled counts by a function: red")
    expect_match(said[2], "0.00 % ->  100.00 %  red")
    expect_match(capture.output(print(raw))[5], "no structure")
    expect_output(print(as.data.frame(raw)[1:2]), "test")
    expect_identical(as.data.frame(raw), raw$tests)
    kept <- permutationCheck(counts, function(x) {
        expect_true(is.matrix(x))
        x
    }, n.genes = 7, seed = 1)
    expect_identical(kept$tests$n, c(21, 7, 7))
    permutationCheck(sparse(counts), function(x) {
        expect_s4_class(x, "dgCMatrix")
        x
    }, n.genes = 7, seed = 1)
})

test_that("a network that fills zeros only is not red on simulated groups", {
    skip_if_not_installed("SingleCellExperiment")
    x <- simulateCounts(n.genes = 300, n.cells = 300, de.prob = 0.2, seed = 3)
    param <- DeepImputeParam(max.iter = 30, network.size = 150)
    expect_false(permutationCheck(x, param, seed = 1)$verdict == "red")
    gauge <- smoothingGauge(infill(x, param, seed = 1), seed = 1)
    expect_false(gauge$verdict == "red")
    raw <- SummarizedExperiment::assay(x, "counts")
    expect_identical(smoothingGauge(raw,
        SummarizedExperiment::assay(infill(x, param, seed = 1), "infilled"), seed = 1), gauge)
    mc <- smoothingGauge(raw, infill(raw, DeepMcParam(), keep = "none", seed = 1),
        labels = x$group, seed = 1)
    expect_false(mc$verdict == "red")
})

test_messages("arguments of permutationCheck", {
    counts <- tinyCounts()
    fit <- tinyFit()
    bad(permutationCheck(counts))
    bad(permutationCheck(counts, "mean"))
    bad(permutationCheck(counts, fit))
    bad(permutationCheck(counts, GeneMeanParam(), n.genes = 2))
    bad(permutationCheck(counts, GeneMeanParam(), cut = 2))
    bad(permutationCheck(counts, GeneMeanParam(), output = "logcounts"))
    bad(permutationCheck(counts, GeneMeanParam(), seed = -1))
    bad(permutationCheck(counts[, 1:3], GeneMeanParam()))
    bad(permutationCheck(counts[1:3, ], GeneMeanParam()))
    bad(permutationCheck(counts, colSums, seed = 1))
    bad(permutationCheck(counts, t, seed = 1))
    bad(permutationCheck(counts, function(x) -x, seed = 1))
})
