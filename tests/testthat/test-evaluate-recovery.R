# recoveryError().

counts <- smallCounts()
m <- maskCounts(counts, fraction = 0.2, seed = 1)
h <- hiddenEntries(m)
mean <- infill(maskedData(m), GeneMeanParam())
# or it is constant within genes
filled <- plain(mean) * withSeed(1, exp(rnorm(length(mean), sd = 0.3)))
size <- colSums(maskedData(m)) / median(colSums(maskedData(m)))

# Literal: on the scale asked for, all hidden entries or those of each group.
literal <- function(filled, scale, group = NULL) {
    on <- function(v) switch(scale, counts = v, log2 = log2(v / size[h$col] + 1),
        log1p = log1p(v / size[h$col]))
    t <- on(h$value)
    p <- on(filled[cbind(h$row, h$col)])
    if (is.null(group)) return(refError(t, p))
    do.call(rbind, lapply(sort(unique(group)), function(k) refError(t[group == k], p[group == k])))
}

test_that("errors of two vectors are the literal ones", {
    t <- withSeed(1, rexp(50))
    p <- t + withSeed(2, rnorm(50))
    expect_equal(recoveryError(t, p), refError(t, p), tolerance = 1e-13)
    expect_equal(recoveryError(t + 1e6, p + 1e6), refError(t + 1e6, p + 1e6), tolerance = 1e-9)
    exact <- recoveryError(c(1, 2, 3), c(1, 2, 3))
    expect_identical(unlist(exact),
        c(n = 3, rmse = 0, mse = 0, mae = 0, nmse = 0, pearson = 1, spearman = 1))
    expect_equal(unlist(recoveryError(1:3, 3:1)[c("pearson", "spearman")]),
        c(pearson = -1, spearman = -1))
    expect_equal(recoveryError(3, 1)[c("rmse", "mse", "mae", "nmse")],
        data.frame(rmse = 2, mse = 4, mae = 2, nmse = 2 / 3))
})

test_that("Spearman's correlation has mean ranks of ties, and no eye for the scale", {
    t <- withSeed(1, rpois(300, 2))
    p <- t + withSeed(2, rpois(300, 1))
    expect_equal(recoveryError(t, p)$spearman, cor(t, p, method = "spearman"), tolerance = 1e-13)
    expect_identical(recoveryError(exp(t), sqrt(p))$spearman, recoveryError(t, p)$spearman)
    expect_identical(recoveryError(c(1, 1, 2), c(5, 5, 3))$spearman, -1)
})

test_that("a correlation with a constant is NA", {
    expect_identical(recoveryError(c(1, 2, 3), c(2, 2, 2))$pearson, NA_real_)
    expect_identical(recoveryError(c(0.1, 0.1, 0.1), c(1, 2, 3))$pearson, NA_real_)
    expect_identical(recoveryError(c(1e6 + 0.3, 1e6 + 0.3), c(1, 2))$pearson, NA_real_)
    expect_identical(recoveryError(2, 3)$pearson, NA_real_)
    expect_identical(recoveryError(c(1, 2, 3), c(2, 2, 2))$spearman, NA_real_)
    expect_identical(recoveryError(c(1e6 + 0.3, 1e6 + 0.3), c(1, 2))$spearman, NA_real_)
    expect_identical(recoveryError(2, 3)$spearman, NA_real_)
})

test_that("errors of hidden entries are the literal ones, on every scale and by every group", {
    for (scale in c("log2", "log1p", "counts")) {
        expect_equal(recoveryError(m, filled, scale = scale), literal(filled, scale),
            tolerance = 1e-12)
        by.gene <- recoveryError(m, filled, by = "gene", scale = scale)
        expect_equal(by.gene, literal(filled, scale, h$row), tolerance = 1e-11, ignore_attr = TRUE)
        expect_identical(rownames(by.gene), rownames(counts)[sort(unique(h$row))])
        by.cell <- recoveryError(m, filled, by = "cell", scale = scale)
        expect_equal(by.cell, literal(filled, scale, h$col), tolerance = 1e-11, ignore_attr = TRUE)
        expect_identical(rownames(by.cell), colnames(counts)[sort(unique(h$col))])
        expect_identical(sum(by.cell$n), as.double(nrow(h)))
    }
    expect_identical(recoveryError(m, filled),
        recoveryError(m, filled, by = "overall", scale = "log2"))
    expect_gt(recoveryError(m, infill(maskedData(m), NoneParam()))$rmse,
        recoveryError(m, mean)$rmse)
    # constant but for rounding
    expect_true(all(is.na(recoveryError(m, mean, by = "gene")[c("pearson", "spearman")])))
    expect_equal(recoveryError(m, infill(maskedData(m), NoneParam()))$nmse, 1)
})

test_that("estimates may be sparse, delayed, or in an experiment", {
    suppressPackageStartupMessages(library(SummarizedExperiment))
    one <- recoveryError(m, mean)
    expect_identical(recoveryError(m, infill(maskedData(m), GeneMeanParam(), as = "delayed")), one)
    expect_identical(recoveryError(m, sparse(mean)), one)
    s <- maskCounts(SummarizedExperiment(list(counts = counts)), fraction = 0.2, seed = 1)
    out <- infill(maskedData(s), GeneMeanParam())
    expect_identical(recoveryError(s, out), one)
    expect_identical(recoveryError(s, infill(maskedData(s), GeneMeanParam(), name = "mean"),
        name = "mean"), one)
    expect_identical(recoveryError(s, infill(maskedData(s), GeneMeanParam(), as = "delayed"),
        by = "gene"), recoveryError(m, mean, by = "gene"))
    expect_error(recoveryError(s, out, name = "nothing"), "infilled", class = "infill_error")
})

test_that("names that are missing or not unique do not get in the way", {
    bare <- maskCounts(unname(counts), fraction = 0.2, seed = 1)
    by <- recoveryError(bare, filled, by = "gene")
    expect_identical(rownames(by), as.character(sort(unique(h$row))))
    twice <- counts
    rownames(twice)[2] <- rownames(twice)[1]
    expect_equal(recoveryError(maskCounts(twice, fraction = 0.2, seed = 1), filled, by = "gene"),
        by)
})

test_that("subset.row judges some genes", {
    x <- smallCounts()
    m <- maskCounts(x, seed = 1)
    fit <- fitInfill(maskedData(m), smallParam(n.genes = 20), seed = 1)
    filled <- infill(maskedData(m), fit)
    genes <- fitParts(fit, "genes")
    expect_identical(names(genes), rownames(x)[fit@recipe$selected])
    expect_length(genes, 20)
    h <- hiddenEntries(m)
    at <- h$row %in% genes
    expect_gt(sum(!at), 0)
    ours <- recoveryError(m, filled, scale = "counts", subset.row = genes)
    expect_identical(ours, recoveryError(h$value[at], filled[cbind(h$row, h$col)][at]))
    expect_identical(recoveryError(m, filled, scale = "counts", subset.row = names(genes)), ours)
    expect_identical(recoveryError(m, filled, scale = "counts",
        subset.row = seq_len(60) %in% genes), ours)
    each <- recoveryError(m, filled, by = "gene", subset.row = genes)
    expect_setequal(rownames(each), intersect(rownames(x)[genes], rownames(x)[h$row]))
    for (wrong in list("no such gene", 61, list(1), factor("g1"))) {
        expect_error(recoveryError(m, filled, subset.row = wrong), "subset.row",
            class = "infill_error")
    }
    none <- setdiff(seq_len(60), h$row)[1]
    expect_error(recoveryError(m, filled, subset.row = none), "hidden entries",
        class = "infill_error")
    expect_error(fitParts(1, "genes"), "'fit'", class = "infill_error")
})

test_that("a Seurat object is judged like the matrix in it", {
    skip_if_not_installed("SeuratObject")
    x <- smallCounts()
    m <- maskCounts(x, seed = 1)
    object <- maskCounts(SeuratObject::CreateSeuratObject(sparse(x)), seed = 1)
    expect_equal(recoveryError(object, infill(maskedData(object), GeneMeanParam())),
        recoveryError(m, infill(maskedData(m), GeneMeanParam())))
    expect_error(recoveryError(object, maskedData(object)), "'name' must be an assay",
        class = "infill_error")
})

test_that("a constant estimate has no correlation, however many entries there are", {
    for (n in c(10, 5000, 1e6)) for (at in c(0, 0.1, 7.3))
        expect_true(is.na(recoveryError(withSeed(1, rnorm(n, 3)), rep(at, n))$pearson))
    t <- withSeed(1, rnorm(1e6, 3))
    expect_equal(recoveryError(t, 3 + 1e-4 * t)$pearson, 1)
})

test_that("groups of very different scale do not disturb each other, nor do bad estimates", {
    y <- withSeed(1, matrix(rpois(6000, c(1e9, 1e6, rep(2, 28))), 30))
    m <- maskCounts(y, fraction = 0.4, seed = 1)
    est <- withSeed(2, matrix(abs(rnorm(6000, 2, 1)), 30)) * c(5e8, 5e5, rep(1, 28))
    e <- hiddenEntries(m)
    got <- recoveryError(m, est, by = "gene", scale = "counts")
    want <- do.call(rbind, lapply(split(seq_len(nrow(e)), e$row),
        function(k) refError(e$value[k], est[cbind(e$row, e$col)][k])))
    expect_equal(got$pearson, want$pearson, tolerance = 1e-12)
    expect_equal(got$spearman, want$spearman, tolerance = 1e-12)
    u <- withSeed(3, rnorm(1e5))
    expect_equal(recoveryError(u, 1e3 + 1e-3 * u)$pearson, 1, tolerance = 1e-12)
    # an estimate that varies by the rounding of single precision does not vary
    expect_true(is.na(recoveryError(u, 7 * (1 + 2e-8 * (u > 0)))$pearson))
})

test_that("the scale of DeepImpute's figure, and no other scale unawares", {
    x <- withSeed(1, matrix(rpois(2000, 5), 50))
    m <- maskCounts(x, seed = 1)
    filled <- infill(maskedData(m), GeneMeanParam())
    e <- hiddenEntries(m)
    size <- colSums(maskedData(m))
    size <- (size / median(size))[e$col]
    twice <- function(v) log1p(log1p(v / size))
    expect_equal(recoveryError(m, filled, scale = "log1p.twice")$mse,
        mean((twice(e$value) - twice(filled[cbind(e$row, e$col)]))^2), tolerance = 1e-12)
    logs <- infill(maskedData(m), GeneMeanParam(), output = "logcounts")
    se <- SummarizedExperiment::SummarizedExperiment(list(counts = x))
    both <- infill(se, GeneMeanParam(), output = "normcounts")
    bad <- function(code) expect_error(code,
        paste0("must be on the scale of counts, and infill\\(\\) made it ",
            "with output = \"(log|norm)counts\""),
        class = "infill_scale")
    bad(recoveryError(m, logs))
    bad(smoothingGauge(x, logs))
    bad(smoothingGauge(both))
    bad(calibrationTable(maskCounts(x, "molecules", seed = 1), logs))
    bad(permutationCheck(x, function(m) infill(m, GeneMeanParam(), output = "logcounts")))
    bad(zerosByBulk(x, logs, rep(1, 50)))
    bad(genesAgainstBulk(logs, rep(1:2, 20), rep(c(TRUE, FALSE), 25)))
    expect_s3_class(genesAgainstBulk(logs, rep(1:2, 20), rep(c(TRUE, FALSE), 25), scale = "none"),
        "data.frame")
    expect_s3_class(geneTests(logs, rep(1:2, 20)), "data.frame")
    skip_if_not_installed("ggplot2")
    bad(plotBeforeAfter(x, logs))
    bad(plotBeforeAfter(both, both))
    bad(plotBeforeAfter(x, logs, type = "cv"))
})

test_messages("arguments of recoveryError", {
    counts <- tinyCounts()
    fit <- tinyFit()
    m <- maskCounts(counts, fraction = 0.3, seed = 1)
    bad(recoveryError(1:3, 1:2))
    bad(recoveryError(numeric(), numeric()))
    bad(recoveryError(c(1, NA), c(1, 2)))
    bad(recoveryError(c(1, 2), c(1, Inf)))
    bad(recoveryError("a", "b"))
    bad(recoveryError(counts, fit))
    bad(recoveryError(m, counts[-1, ]))
    bad(recoveryError(m, hiddenEntries(m)$value))
    bad(recoveryError(m, counts, by = "sample"))
    bad(recoveryError(m, counts, scale = "log10"))
    bad(recoveryError(m, counts * NA))
    suppressPackageStartupMessages(library(SummarizedExperiment))
    x <- SummarizedExperiment(list(counts = counts))
    bad(recoveryError(m, x))
    bad(recoveryError(maskCounts(counts, "molecules", seed = 1), counts))
})
