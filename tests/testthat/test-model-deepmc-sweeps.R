# deepMc: every sweep, the start and the rules, against the formulas in plain R (helper-deepmc.R).

counts <- smallCounts()
param <- DeepMcParam(c(6, 3), sweeps = 5)
fit <- fitInfill(counts, param, seed = 1)
y <- unname(as.matrix(as(prepareCounts(counts), "dgCMatrix")))                # 49 x 40, 39 % zeros
total <- function(fit) fitParts(fit, "history")$train + fitParts(fit, "history")$penalty
distance <- function(a, b) sqrt(sum((a - b)^2) / sum(b^2))
truncated <- function(y, r) { s <- svd(y, r, r); s$u %*% (s$d[seq_len(r)] * t(s$v)) }
depths <- list(4, c(6, 3), c(8, 5, 3))
kinds <- c("mm", "exact", "exact.block")

# Everything that enters the objective and the blocks.
grid <- unlist(lapply(depths,
    function(ranks) unlist(lapply(kinds,
    function(step) unlist(lapply(c(0, 0.2, 1e6),
    function(zero) lapply(c(0, 0.5, 3),
    function(lambda) list(ranks = ranks, step = step, zero.weight = zero, lambda = lambda))),
    recursive = FALSE)), recursive = FALSE)), recursive = FALSE)

test_that("the oracle itself: numbers worked out by hand", {
    y <- rbind(c(2, 0), c(4, 8))
    seen <- y > 0
    start <- list(cbind(c(1, 2)), rbind(c(2, 3)))
    one <- function(step = "mm", w0 = 0, lambda = 0) refMcBlock(start, 2, y, ifelse(seen, 1, w0),
        lambda, step)
    expect_equal(refMcObjective(start, y, seen, 0)[1], 4)
    expect_equal(one()$f[[2]], rbind(c(2, 3.8)))
    expect_equal(refMcObjective(one()$f, y, seen, 0)[1], 0.16)
    for (step in kinds[-1]) expect_equal(one(step)$f[[2]], rbind(c(2, 4)))
    expect_equal(one("exact.block")$t, 1.25)
    expect_equal(one("exact.block", w0 = 0.5)$t, 10 / 9)
    expect_equal(one("mm", w0 = 0.5)$f[[2]], rbind(c(2, 3.5)))
    expect_equal(one("mm", lambda = 1)$f[[2]], rbind(c(2 - 1 / 3, 3 + 1 / 6)))
    start <- list(diag(2), cbind(c(1, 2)), rbind(c(2, 3)))
    now <- refMcBlock(start, 1, y, seen, 0, "mm")$f
    expect_equal(now[[1]] - diag(2), rbind(0, c(0.0923077, 0.1846154)), tolerance = 1e-6)
    expect_equal((refProduct(now) - refProduct(start))[2, ], c(12, 18) / 13)
    objective <- function(f) sum(refMcObjective(f, y, seen, 1))
    ridge <- refMcBlock(start, 1, y, seen, 1, "mm")$f
    expect_equal(ridge[[1]], rbind(c(13 / 66, 13 / 33), c(16 / 33, 32 / 33)))
    expect_equal(c(objective(start), objective(ridge)), c(24, 20.6191460), tolerance = 1e-8)
    best <- refMcBlock(start, 1, y, seen, 1, "exact")$f
    expect_equal(best[[1]], rbind(c(4 / 21, 8 / 21), c(16 / 33, 32 / 33)))
    expect_equal(objective(best), 18 + 4 / 21 + 80 / 33)
})

test_that("fits are those of the formulas, for every step, weight of zeros, ridge and depth", {
    for (a in grid) expectMc(y, c(a, sweeps = 6))
    # fewer genes than cells
    for (a in grid[seq(1, 81, by = 5)]) expectMc(t(y), c(a, sweeps = 4))
})

test_that("fits to counts are those of the prepared matrix", {
    for (more in list(list(), list(step = "exact", lambda = 1, zero.weight = 0.3),
        list(log = "log1p"), list(n.genes = 20, gene.selection = "cv", min.cells = 10))) {
        f <- fitInfill(counts, do.call(DeepMcParam, c(list(c(6, 3), sweeps = 5), more)), seed = 1)
        how <- names(more) %in% c("n.genes", "gene.selection", "min.cells", "log")
        prepared <- do.call(prepareCounts, c(list(counts), more[how]))
        expect_identical(f@recipe[names(prepared@recipe)], prepared@recipe)
        y <- unname(as.matrix(as(prepared, "dgCMatrix")))
        r <- do.call(refMc, c(list(y, c(6, 3), 5), more[!how]))
        expect_lt(mcAway(mcRaw(counts, f), r$x), 1e-9)
        expect_lt(mcAway(mcProduct(f), r$x), 1e-9)
    }
    every <- fitInfill(counts, DeepMcParam(c(6, 3), n.genes = Inf), seed = 1)
    expect_identical(every@recipe$kept, every@recipe$status == "modelled")
})

test_that("any rank and depth", {
    for (r in c(1:3, 5, 7, 11, 13, 17, 21, 26, 39)) expectMc(y,
        list(ranks = r, step = "exact", zero.weight = 0.2, lambda = 1, sweeps = 2))
    for (ranks in list(c(1, 1), c(5, 5), c(40, 20), c(40, 1), c(9:2), c(9, 9, 6, 6, 4)))
        for (step in kinds[1:2])
        expectMc(y, list(ranks = ranks, step = step, lambda = 0.1, sweeps = 3), steps.off = 1e-7)
})

test_that("an increment is the dense least-squares solution for it", {
    small <- withSeed(1, matrix(pmax(rnorm(42, 1, 2), 0), 7, 6))
    expect_gt(min(rowSums(small), colSums(small)), 0)
    for (ranks in list(3, c(4, 2), c(5, 4, 2), c(3, 3, 3))) for (w0 in c(0, 0.2, 1))
        for (lambda in c(0, 0.5, 3)) {
        p <- mean(small > 0)
        w <- ifelse(small > 0, 1, w0)
        now <- start <- refMcBalance(refMcStart(small, ranks))
        for (k in seq_along(now)) {
            new <- refMcIncrement(now, k, small, w, lambda)
            expect_lt(max(abs(refProduct(new) -
                refProduct(refMcBlock(now, k, small, w, lambda, "mm")$f))), 1e-12 * max(small))
            now <- new
        }
        f <- mcFit(small, ranks = ranks, zero.weight = w0 * (1 - p) / p, lambda = lambda,
            sweeps = 1)
        expect_lt(max(abs(mcProduct(f) - refProduct(now))), 1e-12 * max(small))
    }
    # not so the least-norm factor itself, which loses the width that is not in use yet
    f <- refMcStart(small, c(4, 2))
    lossy <- f
    E <- (small > 0) * (small - refProduct(f))
    lossy[[1]] <- (refProduct(f) + E) %*% t(refLeastSquares(t(refProduct(f[-1])), diag(6)))
    expect_identical(qr(lossy[[1]])$rank, 2L)
    expect_identical(qr(refMcBlock(f, 1, small, small > 0, 0, "mm")$f[[1]])$rank, 4L)
})

test_that("the start: gene means for zeros; factors of equal norms", {
    for (a in list(list(ranks = c(9, 4)), list(ranks = 5, step = "exact"),
        list(ranks = c(9, 5, 5), step = "exact.block", zero.weight = 0.1,
        lambda = 1))) for (z in list(y, t(y))) expectMc(z, c(a, init = "mean"))
    expect_gt(distance(mcProduct(mcFit(y, 5, init = "mean", sweeps = 1)),
        mcProduct(mcFit(y, 5, sweeps = 1))), 0.05)
    for (f in list(fit, mcFit(y, c(8, 5, 3), step = "exact", init = "random"),
        mcFit(y, c(6, 3), nonneg = TRUE, lambda = 1))) {
        norms <- vapply(mcFactors(f), function(m) sum(m^2), 0)
        expect_lt(mcAway(norms, norms[1]), 1e-12)
    }
})

test_that("the start of a large matrix: the leading singular vectors, found by passes over it", {
    # blocks, shuffled: their singular values are known without one of 1600 x 1600
    blocks <- withSeed(3, lapply(1:38, function(b) matrix(rnorm(1600), 40) * (1 + b / 8)))
    rows <- withSeed(1, sample(1520))
    cols <- withSeed(2, sample(1520))
    whole <- function(blocks) as.matrix(Matrix::bdiag(blocks))[rows, cols]
    big <- whole(blocks)
    values <- sort(unlist(lapply(blocks, function(b) svd(b, 0, 0)$d)), decreasing = TRUE)
    x <- whole(lapply(blocks, function(b) {
        n <- sum(svd(b, 0, 0)$d >= values[10])
        if (n) truncated(b, n) else b * 0
    }))
    for (seed in 1:2) {
        # w0 = 1: stays at the start
        f <- mcFit(big, list(10, c(13, 10))[[seed]], zero.weight = 1e6, sweeps = 1, seed = seed)
        expect_gt(mcSummary(f)[["passes"]], 0)
        expect_lt(abs(fitParts(f, "history")$train[1] / sum(values[-(1:10)]^2) - 1), 1e-10)
        expect_lt(distance(mcProduct(f), x), 1e-6)
    }
    expect_identical(mcSummary(fit)[["passes"]], 0)
})

test_that("the start: orthonormal vectors, largest entry positive, or normal factors", {
    for (z in list(y, t(y))) {
        # w0 = 1: stays at the start
        D1 <- fitParts(mcFit(z, 5, zero.weight = 1e6, sweeps = 1), "weights")$D1
        expect_lt(mcAway(crossprod(D1) / sum(D1[, 1]^2), diag(5)), 1e-10)
        expect_true(all(apply(D1, 2, function(u) u[which.max(abs(u))] > 0)))
        expect_lt(mcAway(abs(crossprod(svd(z, 5)$u, D1)) / sqrt(sum(D1[, 1]^2)), diag(5)), 1e-9)
    }
    # |x| = |y| over the entries, x without relation to y; of non-negative factors the best multiple
    share <- function(...) vapply(1:8,
        function(seed) total(mcFit(y, c(6, 3), sweeps = 1, seed = seed, ...))[1] / sum(y^2), 0)
    expect_lt(max(abs(share(init = "random") - 2)), 0.5)
    expect_lt(max(share(nonneg = TRUE)), 0.6)
})

test_that("lambda = NA: from the noise an additive model leaves", {
    for (a in list(list(ranks = 4), list(ranks = c(6, 3), lambda.scale = 0.5),
        list(ranks = c(8, 5, 3), step = "exact", zero.weight = 0.3))) expectMc(y,
        c(a, lambda = NA, sweeps = 8))
    tau <- vapply(depths,
        function(r) mcSummary(mcFit(y, r, lambda = NA))[["lambda"]]^(1 / (2 - 2 / (length(r) + 1))),
        0)
    expect_lt(mcAway(tau, 0.25 * refMcSigma(y) * sqrt(mean(y > 0)) * (7 + sqrt(40))), 1e-12)
    expect_identical(mcSummary(mcFit(y, 4, lambda = 7))[["lambda"]], 7)
})

test_that("sweeps = NA: a constant over p K, from 5 to 100", {
    fits <- unlist(lapply(c(1, 0.5, 0.3, 0.1, 0.03), function(share) {
        z <- withSeed(5, y * rbinom(length(y), 1, share))
        lapply(depths, function(r) c(n = nrow(fitParts(suppressWarnings(mcFit(z, r)), "history")) - 1,
            pK = mean(z > 0) * (length(r) + 1)))
    }), recursive = FALSE)
    n <- vapply(fits, `[[`, 0, "n")
    pK <- vapply(fits, `[[`, 0, "pK")
    free <- n > 5 & n < 100
    expect_gt(sum(free), 6)
    # there is one such constant
    expect_lt(max(((n - 1) * pK)[n > 5]), min((n * pK)[n < 100]))
    expect_identical(range(n), c(5, 100))
    expect_identical(n, pmax(5, pmin(100, ceiling(10 / pK))))
})

test_that("Anderson's acceleration: the same candidates, taken and refused", {
    settings <- list(list(ranks = 4, lambda = NA, lambda.scale = 0.1, step = "exact", tol = 1e-4,
        sweeps = 200), list(ranks = c(6, 3), lambda = NA, lambda.scale = 0.1, step = "exact.block",
        tol = 1e-4, sweeps = 200), list(ranks = c(8, 5, 3), lambda = 1, step = "exact.block",
        sweeps = 25), list(ranks = c(6, 3), lambda = 1, sweeps = 25))
    for (a in settings) {
        r <- expectMc(y, c(a, accelerate = TRUE, zero.weight = 0.2), 1e-7, 1e-7)
        expect_gt(r$taken[["yes"]], 10)
    }
    r <- expectMc(y, list(ranks = c(8, 5, 3), step = "exact", accelerate = TRUE, sweeps = 20), 1e-7,
        1e-7)
    expect_gt(r$taken[["no"]], 5)
    # it helps, and what the history says last is what the factors are
    sweeps <- function(...)
        nrow(fitParts(mcFit(y, c(6, 3), lambda = 2, zero.weight = 0.2, tol = 1e-6, sweeps = 2000,
        ...), "history"))
    expect_lt(sweeps(accelerate = TRUE), 0.5 * sweeps())
    f <- mcFit(y, c(6, 3), lambda = 2, zero.weight = 0.2, sweeps = 9, accelerate = TRUE)
    expect_equal(utils::tail(total(f), 1),
        sum(refMcObjective(mcFactors(f), y, ifelse(y > 0, 1, mcSummary(f)[["w0"]]), 2)),
        tolerance = 1e-12)
})

test_that("the tolerance ends a fit, and 0 never does", {
    for (step in kinds) for (tol in c(1e-2, 1e-3)) {
        r <- expectMc(y, list(ranks = c(6, 3), step = step, tol = tol, sweeps = 60, lambda = 1))
        expect_identical(r$stopped, "the change of a sweep is within the tolerance")
    }
    full <- mcFit(y + 1, 4, sweeps = 30, step = "exact")      # nothing changes
    expect_identical(nrow(fitParts(full, "history")), 31L)
    expect_identical(nrow(fitParts(mcFit(y + 1, 4, sweeps = 30, tol = 1e-9), "history")), 2L)
})

test_that("random and non-negative starts: every sweep is that of the formulas", {
    for (a in grid[seq(1, 81, by = 4)]) for (nonneg in c(FALSE, TRUE)) {
        w <- ifelse(y > 0, 1, min(1, a$zero.weight * mean(y > 0) / mean(y == 0)))
        at <- function(n) do.call(mcFit,
            c(list(y), a, list(init = "random", nonneg = nonneg, sweeps = n, seed = 3)))
        for (n in c(1, 4)) {
            before <- at(n)
            after <- at(n + 1)
            r <- do.call(refMc,
                c(list(y), a, list(nonneg = nonneg, sweeps = 1, start = mcFactors(before))))
            expect_lt(mcAway(mcProduct(after), r$x), 1e-9)
            expect_lt(mcAway(mcSteps(after)[n + 1, ], r$steps), 1e-8)
            expect_equal(total(after)[n + 1:2], rowSums(r$history), tolerance = 1e-10)
        }
    }
})
