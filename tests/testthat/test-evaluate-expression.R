# Gini, Kolmogorov-Smirnov, ROC, deviances.

counts <- smallCounts()

means <- withSeed(7, matrix(rexp(length(counts), 0.3), nrow(counts)))

test_that("the Gini coefficient is the literal one, per gene and of a vector", {
    expect_equal(giniCoefficient(counts), apply(counts, 1, refGini), tolerance = 1e-12)
    expect_identical(names(giniCoefficient(counts)), rownames(counts))
    v <- withSeed(1, rexp(101))
    expect_equal(giniCoefficient(v), refGini(v), tolerance = 1e-12)
    # but for 1e-8
    expect_equal(giniCoefficient(v), sum(abs(outer(v, v, `-`))) / (2 * 101^2 * mean(v)),
        tolerance = 1e-7)
})

test_that("limits of the Gini coefficient", {
    expect_identical(giniCoefficient(numeric(10)), 0)
    expect_equal(giniCoefficient(rep(3, 7)), 0, tolerance = 1e-15)
    expect_equal(giniCoefficient(c(0, 0, 0, 5)), 3 / 4, tolerance = 1e-7)
    expect_identical(giniCoefficient(5L), 0)
    expect_equal(giniCoefficient(c(TRUE, FALSE)), 1 / 2, tolerance = 1e-7)
    expect_equal(giniCoefficient(v <- c(2, 7, 1) * 1e9), giniCoefficient(v / 1e9), tolerance = 1e-7)
})

test_that("genes of any container", {
    suppressPackageStartupMessages(library(SummarizedExperiment))
    one <- giniCoefficient(counts)
    expect_identical(giniCoefficient(sparse(counts)), one)
    expect_identical(giniCoefficient(delayed(counts)), one)
    expect_identical(giniCoefficient(SummarizedExperiment(list(raw = counts)), assay.type = "raw"),
        one)
    expect_null(names(giniCoefficient(unname(counts))))
})

test_that("the Kolmogorov-Smirnov statistic is that of ks.test, with and without ties", {
    theirs <- function(x, y) unname(suppressWarnings(ks.test(x, y))$statistic)
    for (seed in 1:8) {
        x <- withSeed(seed, if (seed %% 2) rpois(30 + seed, 3) else rnorm(30 + seed))
        y <- withSeed(seed + 50, if (seed %% 2) rpois(17, 4) else rnorm(17, 0.5))
        expect_equal(ksStatistic(x, y), theirs(x, y), tolerance = 1e-12)
        expect_identical(ksStatistic(y, x), ksStatistic(x, y))
        expect_equal(ksStatistic(x, y), max(abs(ecdf(x)(c(x, y)) - ecdf(y)(c(x, y)))),
            tolerance = 1e-12)
    }
    expect_identical(ksStatistic(1:3, 4:6), 1)
    expect_identical(ksStatistic(c(2, 1), c(1, 2)), 0)
    expect_identical(ksStatistic(c(1, 1, 1), 1), 0)
    expect_identical(ksStatistic(0, 0:3), 0.75)
})

test_that("the area under the ROC curve is that of all pairs, and of wilcox.test", {
    for (seed in 1:6) {
        score <- withSeed(seed, if (seed %% 2) rpois(60, 4) else rnorm(60))
        truth <- withSeed(seed + 9, rbinom(60, 1, 0.3)) == 1
        d <- outer(score[truth], score[!truth], `-`)
        expect_equal(rocAuc(score, truth), mean((d > 0) + (d == 0) / 2), tolerance = 1e-14)
        w <- suppressWarnings(wilcox.test(score[truth], score[!truth]))$statistic
        expect_equal(rocAuc(score, truth), unname(w) / length(d), tolerance = 1e-14)
        expect_identical(rocAuc(score, truth + 0), rocAuc(score, truth))
        expect_equal(rocAuc(-score, truth), 1 - rocAuc(score, truth), tolerance = 1e-14)
    }
    expect_identical(rocAuc(1:4, c(FALSE, FALSE, TRUE, TRUE)), 1)
    expect_identical(rocAuc(4:1, c(FALSE, FALSE, TRUE, TRUE)), 0)
    expect_identical(rocAuc(rep(2, 5), c(1, 0, 0, 0, 1)), 0.5)
})

test_that("the area is that of pROC", {
    skip_if_not_installed("pROC")
    for (seed in 1:4) {
        score <- withSeed(seed, rpois(80, 4))
        truth <- withSeed(seed + 9, rbinom(80, 1, 0.3))
        expect_equal(rocAuc(score, truth),
            as.double(pROC::auc(truth, score, direction = "<", levels = c(0, 1), quiet = TRUE)),
            tolerance = 1e-12)
    }
})

test_that("deviances and the loss are the literal ones", {
    theta <- withSeed(8, rexp(nrow(counts)) + 0.1)
    expect_equal(poissonDeviance(counts, means), refDeviance(counts, means), tolerance = 1e-12)
    for (one in c(1e-3, 0.5, 3, 100)) {
        expect_equal(nbDeviance(counts, means, one), refDeviance(counts, means, one),
            tolerance = 1e-11)
    }
    expect_equal(nbDeviance(counts, means, theta), refDeviance(counts, means, theta),
        tolerance = 1e-12)
    expect_equal(countLoss(counts, means), mean(means - counts * log(means + 1e-6)),
        tolerance = 1e-12)
    expect_equal(countLoss(counts, means, eps = 0.5), mean(means - counts * log(means + 0.5)),
        tolerance = 1e-12)
    y <- counts[, 2]
    expect_equal(nbDeviance(y, means[, 2], theta), refDeviance(y, means[, 2], theta),
        tolerance = 1e-12)
    expect_equal(countLoss(y, means[, 2]), mean(means[, 2] - y * log(means[, 2] + 1e-6)),
        tolerance = 1e-12)
})

test_that("the deviances are those of glm()", {
    y <- counts[5, ]
    d <- data.frame(y = y, size = colSums(counts))
    fit <- glm(y ~ log(size), poisson, d)
    expect_equal(poissonDeviance(y, unname(fitted(fit))), deviance(fit) / 40, tolerance = 1e-12)
    skip_if_not_installed("MASS")
    theirs <- sum(MASS::negative.binomial(2)$dev.resids(y, fitted(fit), 1))
    expect_equal(nbDeviance(y, unname(fitted(fit)), 2), theirs / 40, tolerance = 1e-12)
})

test_that("sparse counts give the same bits, and zeros may be stored", {
    s <- sparse(counts)
    expect_identical(countLoss(s, means), countLoss(counts, means))
    expect_identical(poissonDeviance(s, means), poissonDeviance(counts, means))
    expect_identical(nbDeviance(s, means, 2), nbDeviance(counts, means, 2))
    expect_identical(poissonDeviance(delayed(counts), delayed(means)),
        poissonDeviance(counts, means))
    expect_identical(poissonDeviance(counts, sparse(means)), poissonDeviance(counts, means))
    s@x[1] <- 0
    expect_identical(countLoss(s, means), countLoss(as.matrix(s), means))
    expect_equal(countLoss(0 * s, means), mean(means), tolerance = 1e-14)
})

test_that("limits of the deviances", {
    expect_identical(poissonDeviance(counts, counts), 0)
    expect_identical(nbDeviance(counts, counts, 3), 0)
    expect_identical(poissonDeviance(0, 3), 6)
    expect_identical(poissonDeviance(0, 0), 0)
    expect_identical(poissonDeviance(2, 0), Inf)
    expect_identical(nbDeviance(2, 0, 3), Inf)
    expect_identical(nbDeviance(0, 0, 3), 0)
    expect_equal(nbDeviance(0, 3, 2), 4 * log(5 / 2), tolerance = 1e-14)
    expect_identical(countLoss(0, 0), 0)
    expect_identical(countLoss(0, 0, eps = 0), 0)
    expect_equal(countLoss(2, 0), -2 * log(1e-6), tolerance = 1e-14)
    # theta from 0 to infinity
    expect_identical(nbDeviance(counts, means, Inf), poissonDeviance(counts, means))
    for (theta in c(1e8, 1e12, 1e20, 1e300)) {
        expect_equal(nbDeviance(counts, means, theta), poissonDeviance(counts, means),
            tolerance = 100 / theta + 1e-14)
    }
    expect_equal(nbDeviance(0, 100, 1e-12), 2e-12 * log(1e14), tolerance = 1e-10)
    # next to the mean the deviance is (y - m)^2 / m, where logarithms would leave nothing of it
    expect_equal(poissonDeviance(1e6, 1e6 + 1e-3), 1e-12, tolerance = 1e-6)
    expect_equal(nbDeviance(1e6, 1e6 + 1e-3, 1e6), 0.5e-12, tolerance = 1e-6)
    expect_equal(poissonDeviance(1e-300, 1e-300), 0)
    expect_true(is.finite(poissonDeviance(1e300, 1e299)))
})

test_messages("arguments of the metrics of expression", {
    counts <- tinyCounts()
    with <- tinyWith
    bad(giniCoefficient(c(1, NA)))
    bad(giniCoefficient(c(1, -1)))
    bad(giniCoefficient(numeric()))
    bad(giniCoefficient("a"))
    bad(giniCoefficient(list(1)))
    bad(giniCoefficient(with(-1)), "infill_scale")
    bad(giniCoefficient(with(Inf)), "infill_scale")
    bad(ksStatistic(numeric(), 1))
    bad(ksStatistic(1, c(1, Inf)))
    bad(ksStatistic("a", 1))
    bad(rocAuc(1:3, c(TRUE, FALSE)))
    bad(rocAuc(1:3, c(TRUE, TRUE, TRUE)))
    bad(rocAuc(1:2, c(0, 0)))
    bad(rocAuc(1:2, 1:2))
    bad(rocAuc(1:2, c(TRUE, NA)))
    bad(rocAuc(c(1, NaN), c(TRUE, FALSE)))
    bad(rocAuc(1:2, c("a", "b")))
    bad(poissonDeviance(1:3, 1:2))
    bad(poissonDeviance(counts, counts[, -1]))
    bad(poissonDeviance(counts, as.vector(counts)))
    bad(poissonDeviance(c(1, -1), 1:2))
    bad(poissonDeviance(with(NA), counts))
    bad(poissonDeviance(sparse(counts), with(Inf)))
    bad(poissonDeviance(1:2, c(1, -2)))
    bad(poissonDeviance(numeric(), numeric()))
    bad(poissonDeviance("a", 1))
    bad(poissonDeviance(1, "a"))
    bad(nbDeviance(1:2, 1:2, 0))
    bad(nbDeviance(1:2, 1:2, NA))
    bad(nbDeviance(counts, counts, 1:3))
    bad(countLoss(1:2, 1:3))
    bad(countLoss(1:2, 1:2, eps = -1))
    bad(countLoss(as.data.frame(counts), counts))
})
