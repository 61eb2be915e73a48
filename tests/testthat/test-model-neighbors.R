# NeighborMeanParam(), against its formulas in plain R.

counts <- lowRankCounts(80, 60)

# ?NeighborMeanParam, Details: scores of an uncentred decomposition, and pooled counts.
refScores <- function(x, d) {
    size <- colSums(x) / median(colSums(x))
    s <- svd(log1p(t(t(x) / size)), nu = d, nv = d)
    list(u = s$u, scores = t(s$v) * s$d[seq_len(d)])
}
refPooled <- function(x, of, at, to, k, self = FALSE) sapply(seq_len(ncol(x)), function(c) {
    far <- colSums((at - to[, c])^2)
    if (self) far[c] <- Inf
    near <- order(far)[seq_len(k)]
    rowSums(of[, near, drop = FALSE]) / sum(of[, near]) * sum(x[, c])
})

test_that("every cell gets the pooled counts of its nearest others", {
    for (v in list(c(5, 20), c(10, 3), c(1, 8))) {
        s <- refScores(counts, v[2])$scores
        filled <- infill(counts, NeighborMeanParam(v[1], v[2]), keep = "none", seed = 1)
        expect_equal(unname(plain(filled)), unname(refPooled(counts, counts, s, s, v[1], TRUE)),
            tolerance = 1e-6)
    }
})

test_that("other cells find their neighbours among those of the fit", {
    old <- counts[, 1:45]
    fit <- fitInfill(old, NeighborMeanParam(6, 5), seed = 1)
    r <- refScores(old, 5)
    # sizes are the totals over the median total of the fit
    new <- log1p(t(t(counts[, 46:60]) / (colSums(counts[, 46:60]) / median(colSums(old)))))
    expect_equal(unname(plain(infill(counts[, 46:60], fit, keep = "none"))),
        unname(refPooled(counts[, 46:60], old, r$scores, crossprod(r$u, new), 6)), tolerance = 1e-6)
    expect_identical(infill(counts[, c(50, 3)], fit, keep = "none")[, 2],
        infill(old, fit, keep = "none")[, 3])
})

test_that("threads, blocks and a detour over a file change nothing", {
    fit <- fitInfill(counts, NeighborMeanParam(7), seed = 1)
    want <- infill(counts, fit, keep = "none")
    expect_identical(infill(counts, fit, keep = "none", num.threads = 2), want)
    expect_identical(as.matrix(infill(counts, fit, keep = "none", as = "delayed")[5:9, 20:31]),
        plain(want)[5:9, 20:31])
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(infill(counts, readRDS(file), keep = "none"), want)
    turn <- c(31:60, 1:30)
    expect_equal(plain(infill(counts[, turn], NeighborMeanParam(7), keep = "none", seed = 1)),
        plain(want)[, turn], tolerance = 1e-8)
})

test_that("one's own coordinates are used, and new cells then refused", {
    z <- withSeed(3, matrix(rnorm(120), 60, 2, dimnames = list(colnames(counts), NULL)))
    p <- NeighborMeanParam(4, embedding = z)
    want <- refPooled(counts, counts, t(z), t(z), 4, TRUE)
    expect_equal(unname(plain(infill(counts, p, keep = "none"))), unname(want), tolerance = 1e-10)
    expect_identical(plain(infill(counts, NeighborMeanParam(4, embedding = z[60:1, ]),
        keep = "none")),
        plain(infill(counts, p, keep = "none")))
    fit <- fitInfill(counts, p)
    expect_identical(infill(counts[, 3:1], fit), infill(counts, fit)[, 3:1], ignore_attr = TRUE)
    expect_error(infill(counts[, 1:3] + 1, fit), "has not seen", class = "infill_mismatch")
})

test_that("few cells, empty cells and ties are no trouble", {
    expect_warning(f <- infill(counts[, 1:3], NeighborMeanParam(5), keep = "none"), "cut to 2")
    expect_true(all(is.finite(f)))
    some <- counts
    some[, c(2, 9)] <- 0
    expect_warning(f <- infill(some, NeighborMeanParam(5), keep = "none"), "2 of 60 cells")
    expect_true(all(f[, c(2, 9)] == 0) && all(is.finite(f)))
    same <- matrix(1, 20, 8)
    expect_equal(plain(infill(same, NeighborMeanParam(3), keep = "none")), same)
})

test_that("better than the gene mean where cells go together, and a prior like any other", {
    m <- maskCounts(counts, "molecules", 0.2, seed = 1)
    loss <- function(p) countLoss(as.matrix(counts - maskedData(m)), unname(as.matrix(plain(
        infill(maskedData(m), p, keep = "none", seed = 1)))) / 4)
    expect_lt(loss(NeighborMeanParam(10)), loss(GeneMeanParam()))
    fit <- fitInfill(counts, StackParam(list(GeneMeanParam(), NeighborMeanParam(10)), repeats = 1),
        seed = 1)
    expect_true("NeighborMean" %in% names(fit@coefficients))
})

test_that("an altered fit is damaged, and R lives", {
    fit <- fitInfill(counts, NeighborMeanParam(7), seed = 1)
    alter <- function(part, value) { fit@recipe$plan[[part]] <- value; fit }
    p <- fit@recipe$plan
    for (f in list(alter("cells", 10L), alter("dims", 19L), alter("rotation", p$rotation[-1]),
        alter("scores", p$scores[-1]), alter("scores", p$scores * NA), alter("totals", -p$totals),
        alter("p", p$p[-1]), alter("p", rev(p$p)), alter("i", p$i + 1000L), alter("x", p$x[-1]),
        alter("i", NULL))) expect_error(infill(counts, f), "damaged", class = "infill_error")
})

test_messages("arguments of NeighborMeanParam", {
    counts <- tinyCounts()
    bad(NeighborMeanParam(k = 0))
    bad(NeighborMeanParam(n.components = 0.5))
    bad(NeighborMeanParam(embedding = matrix(NA_real_, 8, 2)))
    bad(infill(counts, NeighborMeanParam(2, embedding = matrix(1, 7, 2))))
    bad(infill(counts[, 1, drop = FALSE], NeighborMeanParam()))
})
