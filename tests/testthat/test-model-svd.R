# SvdParam(), against its formula in plain R.

counts <- lowRankCounts(80, 60)

# ?SvdParam, Details.
refSvd <- function(old, new, rank) {
    usual <- median(colSums(old))
    logs <- function(x) log1p(t(t(x) / (colSums(x) / usual)))
    u <- svd(logs(old), nu = rank)$u
    t(t(expm1(pmax(u %*% crossprod(u, logs(new)), 0))) * (colSums(new) / usual))
}

test_that("a cell's logarithms become their projection, also of new cells and of some genes", {
    for (rank in c(1, 3, 10)) {
        filled <- infill(counts, SvdParam(rank), keep = "none", seed = 1)
        expect_equal(unname(plain(filled)), unname(refSvd(counts, counts, rank)), tolerance = 1e-6)
        fit <- fitInfill(counts[, 1:45], SvdParam(rank), seed = 1)
        want <- infill(counts[, 46:60], fit, keep = "none")
        expect_equal(unname(plain(want)), unname(refSvd(counts[, 1:45], counts[, 46:60], rank)),
            tolerance = 1e-6)
        expect_identical(plain(infill(counts[, 46:60], fit, keep = "none", genes = c(7, 3))),
            plain(want)[c(7, 3), ])
    }
    expect_identical(dim(fitParts(fit)$vectors), c(80L, 10L))
    expect_equal(crossprod(fitParts(fit)$vectors), diag(10), tolerance = 1e-6)
    expect_false(is.unsorted(-fit@extras$values))
    expect_identical(plain(infill(counts, fit, num.threads = 2)), plain(infill(counts, fit)))
})

test_that("larger data hold as much as the exact decomposition does", {
    x <- plain(lowRankCounts(400, 300, level = 0.5))
    fit <- fitInfill(x, SvdParam(8), seed = 1)
    l <- log1p(t(t(x) / (colSums(x) / median(colSums(x)))))
    held <- sum(crossprod(fitParts(fit)$vectors, l)^2)
    expect_gt(held / sum(svd(l)$d[1:8]^2), 1 - 1e-4)
    # a posterior's ranks are parts of one
    stack <- fitInfill(x, StackParam(list(GeneMeanParam(), SvdParam(3), SvdParam(8)), repeats = 1,
        min.gain = 0), seed = 1)
    expect_identical(stack@fits[[2]]@weights, stack@fits[[3]]@weights[1:1200])
    expect_identical(stack@fits[[3]]@weights, fit@weights)
})

test_that("few cells and genes, and an altered fit", {
    expect_warning(f <- infill(counts[, 1:3], SvdParam(5), keep = "none", seed = 1), "cut to 3")
    expect_true(all(is.finite(f)))
    some <- counts
    some[, c(2, 9)] <- 0
    expect_warning(f <- infill(some, SvdParam(5), keep = "none", seed = 1), "2 of 60 cells")
    expect_true(all(f[, c(2, 9)] == 0) && all(is.finite(f)))
    fit <- fitInfill(counts, SvdParam(5), seed = 1)
    alter <- function(part, value) { fit@recipe$plan[[part]] <- value; fit }
    for (f in list(alter("rank", 6L), alter("rank", 0L), alter("usual", 0), alter("usual", "a")))
        expect_error(infill(counts, f), "damaged", class = "infill_error")
})

test_messages("arguments of SvdParam", {
    bad(SvdParam(0))
    bad(SvdParam(2.5))
    bad(SvdParam(rank = c(5, 10)))
    bad(SvdParam(ranks = 5))
})
