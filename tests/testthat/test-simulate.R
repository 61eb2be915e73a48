# simulateCounts().

skip_if_not_installed("SingleCellExperiment")
suppressPackageStartupMessages(library(SummarizedExperiment))

simulate <- function(...) simulateCounts(..., seed = 4)
uniform <- function(u) expect_gt(suppressWarnings(ks.test(u, "punif"))$p.value, 1e-3)
# ppois at random between the steps: uniform when k is Poisson
smoothed <- function(k, rate) withSeed(1, ppois(k - 1, rate) + runif(length(k)) * dpois(k, rate))

test_that("the result holds what ?simulateCounts says", {
    x <- simulate(n.genes = 60, n.cells = 40, group.prob = c(1, 2, 1), rates = TRUE)
    expect_s4_class(x, "SingleCellExperiment")
    expect_true(validObject(x))
    expect_identical(assayNames(x), c("counts", "true", "rate"))
    for (name in c("counts", "true")) {
        expect_s4_class(assay(x, name), "dgCMatrix")
        expect_true(validObject(assay(x, name)))
        expect_true(all(assay(x, name)@x > 0))
    }
    expect_identical(dimnames(x), list(paste0("gene", 1:60), paste0("cell", 1:40)))
    expect_identical(names(colData(x)), c("group", "library.size"))
    expect_identical(levels(x$group), c("group1", "group2", "group3"))
    expect_identical(names(rowData(x)), c("mean", "outlier", paste0("de.group", 1:3)))
    note <- metadata(x)$simulation
    expect_identical(note$seed, 4)
    expect_identical(note$parameters$group.prob, c(0.25, 0.5, 0.25))
    expect_identical(do.call(simulateCounts, c(note$parameters, rates = TRUE, seed = 4)), x)
    expect_identical(assayNames(simulate(n.genes = 5, n.cells = 4)), c("counts", "true"))
})

test_that("the seed fixes the draws, whatever the threads", {
    one <- simulate(n.genes = 700, n.cells = 900, rates = TRUE)
    expect_identical(simulate(n.genes = 700, n.cells = 900, rates = TRUE, num.threads = 2), one)
    expect_false(identical(simulateCounts(n.genes = 700, n.cells = 900, seed = 5), one))
    expect_identical(assay(simulate(n.genes = 700, n.cells = 30), "counts"),
        assay(one, "counts")[, 1:30])
    withSeed(3, {
        drawn <- simulateCounts(n.genes = 20, n.cells = 9)
        expect_identical(simulateCounts(n.genes = 20, n.cells = 9,
            seed = metadata(drawn)$simulation$seed), drawn)
    })
    withSeed(3, expect_identical(simulateCounts(n.genes = 20, n.cells = 9), drawn))
})

test_that("means, sizes and factors have their distributions", {
    x <- simulate(n.genes = 6000, n.cells = 3000, group.prob = c(0.1, 0, 0.9), lib.location = 1,
        de.location = 0.2)
    g <- rowData(x)
    out <- g$outlier != 1
    expect_lt(abs(mean(out) - 0.05), 4 * sqrt(0.05 * 0.95 / 6000))
    uniform(pgamma(g$mean[!out], 0.6, 0.3))
    uniform(plnorm(g$outlier[out], 4, 0.5))
    base <- simulate(n.genes = 6000, n.cells = 1, outlier.prob = 0)
    expect_equal(g$mean[out], median(rowData(base)$mean) * g$outlier[out], tolerance = 1e-14)
    expect_identical(g$mean[!out], rowData(base)$mean[!out])
    odd <- simulate(n.genes = 11, n.cells = 1, outlier.prob = 0.5, rates = TRUE)
    again <- median(rowData(simulate(n.genes = 11, n.cells = 1, outlier.prob = 0))$mean)
    expect_equal(rowData(odd)$mean,
        ifelse(rowData(odd)$outlier == 1, rowData(odd)$mean, again * rowData(odd)$outlier))
    uniform(plnorm(x$library.size, 1, 0.2))
    expect_identical(sum(x$group == "group2"), 0L)
    expect_lt(abs(mean(x$group == "group1") - 0.1), 4 * sqrt(0.09 / 3000))
    all <- c(g$de.group1, g$de.group2, g$de.group3)
    de <- all[all != 1]
    expect_lt(abs(length(de) / 18000 - 0.1), 4 * sqrt(0.09 / 18000))
    expect_lt(abs(mean(de > 1) - 0.5), 2 / sqrt(length(de)))
    z <- abs(log(de))                                        # a folded normal
    uniform(pnorm(z, 0.2, 0.4) - pnorm(-z, 0.2, 0.4))
    expect_lt(abs(cor(g$de.group1 == 1, g$de.group3 == 1)), 4 / sqrt(6000))
    for (p in 0:1)
        expect_true(all((rowData(simulate(n.genes = 50, n.cells = 1, de.prob = p))$de.group2 !=
        1) == p))
})

test_that("rates are gamma around the means of the groups, with Splat's dispersion", {
    for (location in c(6, 9)) {
        x <- simulate(n.genes = 300, n.cells = 100, lib.location = location, bcv.df = Inf,
            rates = TRUE)
        f <- as.matrix(rowData(x)[, 3:4]) * rowData(x)$mean
        mu <- t(t(f) / colSums(f))[, as.integer(x$group)] * rep(x$library.size, each = 300)
        b <- 0.1 + 1 / sqrt(mu)
        rate <- assay(x, "rate")
        u <- pgamma(rate, 1 / b^2, scale = mu * b^2)
        # below, rates are 1e-300 and cannot be told apart
        uniform(u[1 / b^2 > 0.05])
        for (part in list(mu < 1, mu >= 1 & mu < 10, mu >= 10)) {
            expect_gt(sum(part), 50)
            z <- ((rate - mu) / (mu * b))[part]
            expect_lt(abs(mean(z)), 5 / sqrt(length(z)))
        }
    }
    # the scatter of the dispersion, from genes so high that the trend is flat
    x <- simulate(n.genes = 400, n.cells = 500, lib.location = 30, bcv.common = 0.05,
        mean.shape = 5, de.prob = 0, rates = TRUE)
    share <- t(t(assay(x, "rate")) / x$library.size)
    cv2 <- apply(share, 1, var) / rowMeans(share)^2
    uniform(pchisq(60 * 0.05^2 / cv2, 60))
})

test_that("true counts are Poisson around the rates, small and large", {
    for (location in c(4, 8, 12, 25)) {
        x <- simulate(n.genes = 200, n.cells = 100, lib.location = location, rates = TRUE)
        uniform(smoothed(as.vector(as.matrix(assay(x, "true"))), as.vector(assay(x, "rate"))))
    }
    x <- simulate(n.genes = 30, n.cells = 20, lib.location = 50, lib.scale = 10, outlier.scale = 10,
        rates = TRUE)
    expect_true(all(is.finite(assay(x, "true")@x)) && all(is.finite(assay(x, "rate"))))
})

test_that("dropout takes whole counts, with the logistic probability of the rate", {
    for (how in list(c(-1, 0), c(-0.5, 1), c(2, 3), c(0, 0))) {
        x <- simulate(n.genes = 500, n.cells = 200, dropout.shape = how[1], dropout.mid = how[2],
            rates = TRUE)
        true <- as.vector(as.matrix(assay(x, "true")))
        counts <- as.vector(as.matrix(assay(x, "counts")))
        expect_true(all(counts == true | counts == 0))
        seen <- true > 0
        rate <- as.vector(assay(x, "rate"))[seen]
        gone <- counts[seen] == 0
        p <- plogis(how[1] * (log(rate) - how[2]))
        for (bin in split(seq_along(p), cut(log(rate), c(-Inf, -1:4, Inf)))) {
            expect_lt(abs(sum(gone[bin] - p[bin])), 4 * sqrt(sum(p[bin] * (1 - p[bin]))) + 1)
        }
    }
    none <- simulate(n.genes = 500, n.cells = 200, dropout.shape = NULL)
    expect_identical(assay(none, "counts"), assay(none, "true"))
    expect_identical(assay(none, "true"), assay(x, "true"))
})

test_that("presets have the published shares, and give way to what is given", {
    shares <- function(...) {
        x <- simulate(..., n.cells = 250)
        kept <- length(assay(x, "counts")@x)
        true <- length(assay(x, "true")@x)
        100 * c(1 - true / prod(dim(x)), 1 - kept / prod(dim(x)), 1 - kept / true)
    }
    expect_lt(max(abs(shares("SIM-T2") - c(26, 40, 18))), 3)
    expect_lt(abs(shares("SIM-T6")[3] - 22), 3)
    expect_lt(max(abs(shares("DeepImpute") - c(30, 59, 41))), 3)
    sizes <- function(preset) metadata(simulate(preset, n.cells = 2))$simulation$parameters
    expect_identical(sizes("DeepImpute")[c("n.genes", "n.cells", "group.prob", "de.scale",
        "dropout.shape", "dropout.mid")],
        list(n.genes = 4000, n.cells = 2, group.prob = c(0.1, 0.1, 0.2, 0.2, 0.4), de.scale = 0.4,
        dropout.shape = -0.5, dropout.mid = 1))
    expect_equal(sizes("SIM-T6")$group.prob, rep(1 / 6, 6))
    p <- metadata(simulate("SIM-T2", n.genes = 9, n.cells = 2, de.scale = 1,
        dropout.shape = NULL))$simulation
    expect_identical(p$preset, "SIM-T2")
    expect_null(p$parameters$dropout.shape)
    expect_identical(p$parameters[c("n.genes", "de.scale", "dropout.mid")],
        list(n.genes = 9, de.scale = 1, dropout.mid = 0))
    wrapped <- function(...) simulateCounts("SIM-T2", ..., seed = 4)
    expect_identical(dim(wrapped(n.genes = 9, n.cells = 2)), c(9L, 2L))
})

test_that("one cell, one gene, one group, and nothing at all", {
    expect_identical(dim(simulate(n.genes = 30, n.cells = 1)), c(30L, 1L))
    expect_identical(dim(simulate(n.genes = 1, n.cells = 3)), c(1L, 3L))
    one <- simulate(n.genes = 30, n.cells = 8, group.prob = 3)
    expect_identical(levels(one$group), "group1")
    expect_identical(names(rowData(one)), c("mean", "outlier", "de.group1"))
    expect_identical(sum(assay(simulate(n.genes = 30, n.cells = 8, lib.location = -40), "true")), 0)
})

test_messages("arguments of simulateCounts", {
    skip_if_not_installed("SingleCellExperiment")
    bad(simulateCounts("SIM-T3"))
    bad(simulateCounts(n.genes = 0))
    bad(simulateCounts(n.cells = 1.5))
    bad(simulateCounts(n.cells = NA))
    bad(simulateCounts(group.prob = c(0.5, -0.1)))
    bad(simulateCounts(group.prob = c(0, 0)))
    bad(simulateCounts(group.prob = c(1, NA)))
    bad(simulateCounts(group.prob = c(1, Inf)))
    bad(simulateCounts(group.prob = NULL))
    bad(simulateCounts(group.prob = "a"))
    bad(simulateCounts(de.prob = 1.1))
    bad(simulateCounts("SIM-T2", de.scale = -1))
    bad(simulateCounts(lib.location = Inf))
    bad(simulateCounts(mean.shape = 0))
    bad(simulateCounts(mean.rate = NULL))
    bad(simulateCounts(bcv.df = NaN))
    bad(simulateCounts(dropout.shape = NA))
    bad(simulateCounts(dropout.mid = "0"))
    bad(simulateCounts(rates = NA))
    bad(simulateCounts(seed = -1))
    bad(simulateCounts(seed = 1:2))
    bad(simulateCounts(num.threads = 0))
    old <- options(infill.memory.limit = 1e4)
    on.exit(options(old))
    bad(simulateCounts(rates = TRUE))
})
