# The posterior: priors and counts that cannot be used.

# Data that the fits below share: low rank, so that the decomposition has something to say.
x <- lowRankCounts(60, 50, level = 0.3, spread = 1)
svd3 <- svdPrior(3)
two <- function(...) StackParam(list(GeneMeanParam(), low = svd3), ...)
fit <- fitInfill(x, two(), seed = 4)

test_that("a prior that fails, is constant or not finite is left out; an error if none is left", {
    alone <- fitInfill(x, StackParam(GeneMeanParam()), seed = 1)
    same <- function(prior, name, why) {
        said <- warningsOf(f <- fitInfill(x, StackParam(c(prior, list(GeneMeanParam()))), seed = 1))
        expect_length(said, 1)
        expect_match(said, sprintf("the prior \"%s\" was left out: .*%s", name, why))
        expect_named(f@fits, "gene mean")
        expect_identical(f@coefficients, alone@coefficients)
        expect_identical(infill(x, f), infill(x, alone))
        expect_named(f@gains, c("stack", "all priors", "counts", "gene mean alone",
            "gene mean posterior", "gene mean"))
    }
    same(list(NoneParam()), "None", "constant or not finite")
    same(list(graph = GraphSciParam(n.max = 2)), "graph", "n.max")
    withReplaced(".priorsAt", local({ old <- infill:::.priorsAt; function(counts, sample, fits, ...) {
        z <- old(counts, sample, fits, ...)
        z[1, names(fits) == "wild"] <- Inf
        z } }), same(list(wild = svd3), "wild", "not finite"))
    # an error that is not the package's own, and one of the fit to all molecules only
    failing <- function(when, code) {
        n <- 0
        withReplaced(".fitPrepared", local({ old <- infill:::.fitPrepared; function(param, ...) {
            if (is(param, "SvdParam") && (n <<- n + 1) == when) stop("not enough memory")
            old(param, ...) } }), code)
    }
    stack <- StackParam(list(low = svd3, GeneMeanParam()))
    for (when in c(1, 2, 3)) {
        failing(when,
            said <- warningsOf(f <- fitInfill(x, stack, seed = 1)))
        expect_identical(said, "the prior \"low\" was left out: not enough memory")
        expect_identical(f@coefficients, alone@coefficients)
        expect_identical(plain(infill(x, f)), plain(infill(x, alone)))
    }
    for (p in list(list(NoneParam()), list(GraphSciParam(n.max = 2)),
        list(NoneParam(), GraphSciParam(n.max = 2)))) expect_error(suppressWarnings(fitInfill(x,
        StackParam(p), seed = 1)), "none of the priors can be used", class = "infill_error")
})

test_that("warnings of the data are heard once, and none of the molecules held out", {
    empty <- x
    empty[, 7] <- 0
    empty[5, ] <- 0
    said <- warningsOf(f <- fitInfill(empty, StackParam(), seed = 1))
    expect_identical(said, "1 of 50 cells have no counts in the kept genes; they stay as they are")
    # a gene whose only molecule is held out was seen nevertheless
    rare <- x
    rare[1, ] <- 0
    rare[1, 3] <- 1
    for (seed in 1:12) {
        f1 <- suppressWarnings(fitInfill(rare, two(refit = FALSE, repeats = 1), seed = seed))
        expect_gt(posteriorSd(rare, f1)[1, 3], 0)
    }
    # what the warnings say: they stay as they are
    masked <- suppressWarnings(fitInfill(empty, StackParam(loss = "masked"), seed = 1))
    for (out in list(infill(empty, f), infill(empty, f, keep = "none"), infill(empty, masked),
        posteriorSd(empty, f))) {
        expect_true(all(is.finite(out)))
        expect_identical(plain(out)[, 7], 0 * empty[, 7])
        expect_identical(plain(out)[5, ], 0 * empty[5, ])
        expect_gt(min(plain(out)[-5, -7]), -1e-12)
    }
    expect_gt(min(plain(infill(empty, f))[-5, -7]), 0)
    # other cells, where that gene was seen
    other <- empty
    other[5, 1:2] <- c(3, 1)
    expect_identical(unname(plain(infill(other, f))[5, ]), c(3, 1, rep(0, 48)))
    q <- posteriorQuantiles(other, f, genes = c(5, 1), cells = c(1, 7))
    expect_identical(unname(q[1, , ]), matrix(c(3, 0), 2, 3))
    expect_true(all(q[2, 2, ] >= 0) && all(is.finite(q)))
    thin <- withSeed(1, matrix(rpois(60 * 50, 0.03), 60))
    # no message of cells that the thinning empties
    expect_silent(suppressWarnings(fitInfill(thin, StackParam(GeneMeanParam()), seed = 1)))
})

test_that("counts only: not whole, negative, missing, all zero", {
    for (code in list(quote(fitInfill(x / 2, two())), quote(infill(x / 2, two())),
        quote(infill(x / 2 + 100, svd3, keep = "posterior")),
        quote(infill(x / 2, fitInfill(x, svd3, seed = 1), keep = "posterior", check.scale = FALSE)),
        quote(fitInfill(log1p(x) * 50, StackParam()))))
        expect_error(eval(code), "'x' must hold whole numbers", fixed = TRUE,
            class = "infill_scale")
    se <- SummarizedExperiment::SummarizedExperiment(list(fpkm = x * 1.5 + 100))
    expect_error(infill(se, StackParam(), assay.type = "fpkm"), "\"fpkm\"", class = "infill_scale")
    for (value in c(NA, NaN, Inf, -1)) {
        bad <- replace(x + 0, 130, value)
        expect_error(fitInfill(bad, two(), seed = 1), "gene 10 .*cell 3", class = "infill_scale")
        expect_error(infill(bad, fit), "gene 10 .*cell 3", class = "infill_scale")
        expect_error(posteriorSd(bad, fit), "gene 10 .*cell 3", class = "infill_scale")
        expect_error(posteriorQuantiles(bad, fit), "gene 10 .*cell 3", class = "infill_scale")
    }
    # nor does a fit that is there take what is not whole
    masked <- fitInfill(x, two(loss = "masked"), seed = 1)
    expect_error(infill(x * 1.5, fit), "whole numbers", class = "infill_scale")
    expect_error(posteriorSd(x * 1.5, fit), "whole numbers", class = "infill_scale")
    expect_error(posteriorQuantiles(log1p(x), fit), "whole numbers", class = "infill_scale")
    expect_true(all(is.finite(infill(x * 1.5, masked))))
    expect_error(fitInfill(x * 0, two(), seed = 1), "all are 0", class = "infill_error")
    expect_error(infill(x * 0, svd3, keep = "posterior", seed = 1), "all are 0",
        class = "infill_error")
    expect_error(fitInfill(replace(x * 0, 5, 1), two(), seed = 1), "molecules",
        class = "infill_error")
    # zeros for a fit that is there are no mistake
    expect_true(all(is.finite(infill(x * 0, fit))))
})

test_that("priors that know the cells of their fit only are refitted, or refused at once", {
    graph <- GraphSciParam(max.iter = 2, n.max = 100)
    f <- suppressWarnings(fitInfill(x,
        StackParam(list(GeneMeanParam(), graph), repeats = 1, min.gain = 0), seed = 1))
    expect_true(all(is.finite(infill(x, f))))
    expect_error(infill(x[, 3:1] + 1, f), "has not seen", class = "infill_error")
    expect_error(suppressWarnings(fitInfill(x, StackParam(graph, refit = FALSE), seed = 1)),
        "'refit' must be TRUE", class = "infill_error")
})

test_messages("the posterior: arguments and counts that cannot be fitted", {
    counts <- tinyCounts()
    fit <- tinyFit()
    with <- tinyWith
    mean <- StackParam(GeneMeanParam())
    bad(fitInfill(counts, mean, resume = fit))
    bad(fitInfill(counts, mean, keep.state = TRUE))
    bad(fitInfill(counts, mean, checkpoint = "x.rds"))
    bad(fitInfill(counts, mean, progress = 1))
    bad(fitInfill(counts, mean, seed = 1.5))
    bad(fitInfill(counts, mean, num.threads = 0))
    bad(fitInfill(counts, mean, check.scale = NA))
    bad(fitInfill(counts, StackParam(NoneParam()), BPPARAM = "two"))
    bad(fitInfill(prepareCounts(counts, min.cells = 1), mean))
    bad(fitInfill(counts / 3 + 50, mean), "infill_scale")
    bad(fitInfill(log1p(counts), mean), "infill_scale")
    bad(fitInfill(with(NA), mean), "infill_scale")
    bad(fitInfill(with(-1), mean), "infill_scale")
    bad(fitInfill(counts * 0, mean))
    bad(fitInfill(replace(counts * 0, 5, 1), mean, seed = 1))
    bad(suppressWarnings(fitInfill(counts,
        StackParam(list(NoneParam(), graph = GraphSciParam(n.max = 2))), seed = 1)))
    bad(suppressWarnings(fitInfill(counts, StackParam(GraphSciParam(max.iter = 1), refit = FALSE),
        seed = 1)))
})
