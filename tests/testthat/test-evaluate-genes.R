# geneCv() and its plot.

counts <- smallCounts()
groups <- rep(c("b", "a", "c", "b"), 10)

test_that("the coefficient of variation is the literal one, in each group", {
    expect_equal(geneCv(counts, groups), refCv(counts, groups), tolerance = 1e-12)
    expect_identical(dimnames(geneCv(counts, groups)), list(rownames(counts), c("a", "b", "c")))
    expect_equal(geneCv(counts), refCv(counts, rep("all", 40)), tolerance = 1e-12)
    # no scale is asked for
    expect_equal(geneCv(counts * 0.37, groups), refCv(counts * 0.37, groups), tolerance = 1e-12)
})

test_that("genes without counts and groups of one are NA, cells without group are not used", {
    counts[3, ] <- 0
    groups[1] <- "alone"
    cv <- geneCv(counts, groups)
    expect_true(all(is.na(cv[3, ])))
    expect_true(all(is.na(cv[, "alone"])))
    expect_false(any(is.nan(cv)))
    expect_equal(cv, refCv(counts, groups), tolerance = 1e-12)
    groups[c(2, 5)] <- NA
    expect_equal(geneCv(counts, groups), refCv(counts[, -c(2, 5)], groups[-c(2, 5)]),
        tolerance = 1e-12)
    counts[4, ] <- 7
    expect_equal(unname(geneCv(counts)[4, ]), 0)
})

test_that("groups may be of any type, and counts in any container", {
    suppressPackageStartupMessages(library(SummarizedExperiment))
    one <- geneCv(counts, groups)
    expect_identical(colnames(geneCv(counts, factor(groups, c("c", "x", "b", "a")))),
        c("c", "b", "a"))
    expect_identical(geneCv(counts, factor(groups, c("c", "x", "b", "a")))[, c("a", "b", "c")], one)
    expect_identical(unname(geneCv(counts, match(groups, c("a", "b", "c")) + 0.5)), unname(one))
    expect_identical(geneCv(sparse(counts), groups), one)
    expect_identical(geneCv(delayed(counts), groups), one)
    expect_identical(geneCv(SummarizedExperiment(list(raw = counts)), groups, assay.type = "raw"),
        one)
    expect_identical(geneCv(infill(counts, NoneParam(), as = "delayed"), groups), one)
})

test_that("filling in makes genes vary less within a group", {
    counts <- lowRankCounts(60, 40, level = 0)
    filled <- infill(counts, GeneMeanParam())
    expect_lt(median(geneCv(filled), na.rm = TRUE), median(geneCv(counts), na.rm = TRUE))
})

test_that("the plot of variation has the coefficients of geneCv", {
    groups <- rep(c("b", "a"), c(25, 15))
    skip_if_not_installed("ggplot2")
    filled <- infill(counts, GeneMeanParam())
    p <- plotBeforeAfter(counts, filled, groups, type = "cv")
    d <- p$data
    b <- geneCv(counts, groups)
    a <- geneCv(filled, groups)
    there <- !is.na(b) & !is.na(a)
    expect_equal(d$cv[d$when == "before"], b[there])
    expect_equal(d$cv[d$when == "after"], a[there])
    expect_identical(levels(d$group), c("a", "b"))
    expect_length(unique(ggplot2::ggplot_build(p)$data[[1]]$x), 4L)
    expect_identical(levels(plotBeforeAfter(counts, filled, type = "cv")$data$group), "all")
})

test_messages("groups of geneCv", {
    counts <- tinyCounts()
    bad(geneCv(counts, labels = 1:3))
    bad(geneCv(counts, labels = rep(NA, 8)))
})

test_messages("arguments of plotCv", {
    counts <- tinyCounts()
    skip_if_not_installed("ggplot2")
    bad(plotBeforeAfter(counts, counts[, -1], type = "cv"))
    bad(plotBeforeAfter(list(), counts, type = "cv"))
})
