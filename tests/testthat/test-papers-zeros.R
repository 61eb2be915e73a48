# zerosByBulk().

counts <- smallCounts(60, 40)

test_that("zeros by bulk expression", {
    bulk <- c(rep(0, 12), seq_len(48))
    filled <- infill(counts, GeneMeanParam())
    z <- zerosByBulk(counts, filled, bulk, bins = 4)
    expect_identical(names(z), c("bin", "lower", "upper", "genes", "before", "after", "kept",
        "log.after"))
    expect_identical(z$bin, 0:4)
    expect_identical(z$genes, rep(12L, 5))
    expect_equal(z$lower, c(0, quantile(1:48, 0:3 / 4, names = FALSE)))
    expect_equal(z$upper, c(0, quantile(1:48, 1:4 / 4, names = FALSE)))
    for (k in 0:4) {
        at <- 12 * k + 1:12
        expect_equal(z$before[k + 1], mean(counts[at, ] == 0))
        expect_equal(z$after[k + 1], mean(filled[at, ] == 0))
    }
    expect_equal(z$kept, z$after / z$before)
    expect_equal(z$log.after, log(z$after))
    expect_true(all(zerosByBulk(counts, counts, bulk)$kept == 1))
    expect_true(all(zerosByBulk(counts, counts, bulk, threshold = Inf)$after == 1))
    named <- setNames(bulk, rownames(counts))
    expect_identical(zerosByBulk(counts, filled, rev(named), bins = 4), z)
    expect_identical(zerosByBulk(counts, filled, cbind(bulk, bulk + 100, 0 * bulk), bins = 4), z)
    own <- zerosByBulk(counts, filled, replace(bulk, 60, NA), bins = c(0, 10, 20))
    expect_identical(own$genes, c(12L, 10L, 10L))
    expect_identical(own$upper, c(0, 10, 20))
    expect_identical(zerosByBulk(counts, filled, 0 * bulk)$genes, 60L)
    expect_identical(zerosByBulk(counts, filled, 0 * bulk + 5, bins = 3)$genes, 60L)
    suppressPackageStartupMessages(library(SummarizedExperiment))
    x <- infill(SummarizedExperiment(list(counts = counts)), GeneMeanParam())
    expect_identical(zerosByBulk(x, bulk = bulk, bins = 4), z)
    expect_equal(zerosByBulk(counts, delayed(plain(filled)), bulk, bins = 4), z)
})

test_that("zeros by bin, drawn", {
    skip_if_not_installed("ggplot2")
    bulk <- c(rep(0, 12), seq_len(48))
    z <- zerosByBulk(counts, infill(counts, GeneMeanParam()), bulk, bins = 4)
    p <- plot(z)
    expect_s3_class(ggplot2::ggplot_build(p)$plot, "ggplot")
    expect_equal(p$data$share, c(z$before, z$after))
    expect_identical(levels(p$data$bin),
        c("none", "1 to 12.8", "12.8 to 24.5", "24.5 to 36.2", "36.2 to 48"))
    two <- plot(z, none = zerosByBulk(counts, counts, bulk, bins = 4), label = "mean")
    expect_identical(levels(two$data$what), c("before", "mean", "none"))
    close <- plot(zerosByBulk(counts, counts, bulk = c(rep(0, 12), 10000 + 1:48), bins = 4))
    expect_identical(levels(close$data$bin)[2:3], c("10000 to 10010", "10010 to 10020"))
    for (wrong in list(list(z, NULL, z), list(z, before = z), list(z, after = z), list(z, a = z, a = z),
        list(z, a = counts))) expect_error(do.call(plot, wrong), "a name of its own", class = "infill_error")
    expect_error(plot(z, b = z[-1, ]), "same counts and bins", class = "infill_error")
})

test_messages("arguments of zerosByBulk", {
    counts <- tinyCounts()
    bad(zerosByBulk(counts, bulk = 1:12))
    bad(zerosByBulk(counts, counts))
    bad(zerosByBulk(counts, counts[-1, ], 1:12))
    bad(zerosByBulk(counts, counts, 1:3))
    bad(zerosByBulk(counts, counts, -(1:12)))
    bad(zerosByBulk(counts, counts, rep(NA_real_, 12)))
    bad(zerosByBulk(counts, counts, 1:12, bins = 0))
    bad(zerosByBulk(counts, counts, 1:12, bins = 3:1))
    bad(zerosByBulk(counts, counts, 1:12, threshold = -1))
})
