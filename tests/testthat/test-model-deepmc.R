counts <- smallCounts()
param <- DeepMcParam(c(6, 3), sweeps = 5)
fit <- fitInfill(counts, param, seed = 1)
y <- unname(as.matrix(as(prepareCounts(counts), "dgCMatrix")))                # 49 x 40, 39 % zeros

# Fits see the matrix itself; ... are arguments of DeepMcParam().
fitted <- function(y, ..., seed = 1, num.threads = 1)
    fitInfill(handPrepared(y), DeepMcParam(...), seed = seed, num.threads = num.threads)
factors <- function(fit) { w <- fitWeights(fit); unname(w[grep("^(D.|Z)$", names(w))]) }
X <- function(fit) refProduct(factors(fit))
summed <- function(fit) stats::setNames(as.vector(fitWeights(fit)$summary), c("data", "ridge", "lambda", "w0", "p", "passes",
    "sigma"))
steps <- function(fit) unname(as.matrix(fitHistory(fit)[-1, grep("^step", names(fitHistory(fit))), drop = FALSE]))
total <- function(fit) fitHistory(fit)$train + fitHistory(fit)$penalty
away <- function(a, b) max(abs(a - b)) / max(abs(b))
distance <- function(a, b) sqrt(sum((a - b)^2) / sum(b^2))
truncated <- function(y, r) { s <- svd(y, r, r); s$u %*% (s$d[seq_len(r)] * t(s$v)) }
raw <- function(x, fit, ...) {
    out <- plain(infill(x, fit, output = "logcounts", keep = "none", nonneg = FALSE, ...))
    unname(out[match(fit@recipe$genes[fit@recipe$selected], rownames(x)), , drop = FALSE])
}
depths <- list(4, c(6, 3), c(8, 5, 3))
kinds <- c("mm", "exact", "exact.block")

# Everything that enters the objective and the blocks.
grid <- unlist(lapply(depths, function(ranks) unlist(lapply(kinds, function(step) unlist(lapply(c(0, 0.2, 1e6), function(zero)
    lapply(c(0, 0.5, 3), function(lambda) list(ranks = ranks, step = step, zero.weight = zero, lambda = lambda))),
    recursive = FALSE)), recursive = FALSE)), recursive = FALSE)
said <- function(a) paste(deparse(a), collapse = "")

# A fit and the oracle. Steps are quotients of what is left over near the end of an iteration, hence less exact than X.
expectOracle <- function(y, a, X.off = 1e-9, steps.off = 1e-8) {
    if (is.null(a$sweeps)) a$sweeps <- 5
    f <- suppressWarnings(do.call(fitted, c(list(y), a)))
    r <- do.call(refMc, c(list(y), a))
    h <- fitHistory(f)
    expect_identical(nrow(h), nrow(r$history), info = said(a))
    expect_identical(f@stopped, r$stopped, info = said(a))
    if (nrow(h) != nrow(r$history)) return(r)
    expect_lt(away(X(f), r$x), X.off)
    expect_lt(away(h$train, r$history[, 1]), 1e-10)
    expect_lte(max(abs(h$penalty - r$history[, 2])), 1e-10 * max(r$history[, 2]))
    expect_lt(away(steps(f), r$steps), steps.off)
    expect_lt(max(abs(summed(f)[names(r$summary)] / r$summary - 1)[r$summary > 0 & (names(r$summary) != "sigma" |
        anyNA(a$lambda))]), 1e-10)
    r
}

# ---- the whole fit ----

test_that("the oracle itself: the page's numbers", {
    y <- rbind(c(2, 0), c(4, 8))
    seen <- y > 0
    start <- list(cbind(c(1, 2)), rbind(c(2, 3)))
    one <- function(step = "mm", w0 = 0, lambda = 0) refMcBlock(start, 2, y, ifelse(seen, 1, w0), lambda, step)
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
    for (a in grid) expectOracle(y, c(a, sweeps = 6))
    for (a in grid[seq(1, 81, by = 5)]) expectOracle(t(y), c(a, sweeps = 4))      # fewer genes than cells
})

test_that("fits to counts are those of the prepared matrix", {
    for (more in list(list(), list(step = "exact", lambda = 1, zero.weight = 0.3), list(log = "log1p"),
        list(n.genes = 20, gene.selection = "cv", min.cells = 10))) {
        f <- fitInfill(counts, do.call(DeepMcParam, c(list(c(6, 3), sweeps = 5), more)), seed = 1)
        how <- names(more) %in% c("n.genes", "gene.selection", "min.cells", "log")
        prepared <- do.call(prepareCounts, c(list(counts), more[how]))
        expect_identical(f@recipe[names(prepared@recipe)], prepared@recipe)
        y <- unname(as.matrix(as(prepared, "dgCMatrix")))
        r <- do.call(refMc, c(list(y, c(6, 3), 5), more[!how]))
        expect_lt(away(raw(counts, f), r$x), 1e-9)
        expect_lt(away(X(f), r$x), 1e-9)
    }
    every <- fitInfill(counts, DeepMcParam(c(6, 3), n.genes = Inf), seed = 1)
    expect_identical(every@recipe$kept, every@recipe$status == "modelled")
})

test_that("any rank and depth", {
    for (r in c(1:3, 5, 7, 11, 13, 17, 21, 26, 39)) expectOracle(y, list(ranks = r, step = "exact", zero.weight = 0.2, lambda = 1,
        sweeps = 2))
    for (ranks in list(c(1, 1), c(5, 5), c(40, 20), c(40, 1), c(9:2), c(9, 9, 6, 6, 4))) for (step in kinds[1:2])
        expectOracle(y, list(ranks = ranks, step = step, lambda = 0.1, sweeps = 3), steps.off = 1e-7)
})

test_that("an increment is the dense least-squares solution for it", {
    small <- withSeed(1, matrix(pmax(rnorm(42, 1, 2), 0), 7, 6))
    expect_gt(min(rowSums(small), colSums(small)), 0)
    for (ranks in list(3, c(4, 2), c(5, 4, 2), c(3, 3, 3))) for (w0 in c(0, 0.2, 1)) for (lambda in c(0, 0.5, 3)) {
        p <- mean(small > 0)
        w <- ifelse(small > 0, 1, w0)
        now <- start <- refMcBalance(refMcStart(small, ranks))
        for (k in seq_along(now)) {
            new <- refMcIncrement(now, k, small, w, lambda)
            expect_lt(max(abs(refProduct(new) - refProduct(refMcBlock(now, k, small, w, lambda, "mm")$f))), 1e-12 * max(small))
            now <- new
        }
        f <- fitted(small, ranks = ranks, zero.weight = w0 * (1 - p) / p, lambda = lambda, sweeps = 1)
        expect_lt(max(abs(X(f) - refProduct(now))), 1e-12 * max(small))
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
    for (a in list(list(ranks = c(9, 4)), list(ranks = 5, step = "exact"), list(ranks = c(9, 5, 5), step = "exact.block",
        zero.weight = 0.1, lambda = 1))) for (z in list(y, t(y))) expectOracle(z, c(a, init = "mean"))
    expect_gt(distance(X(fitted(y, 5, init = "mean", sweeps = 1)), X(fitted(y, 5, sweeps = 1))), 0.05)
    for (f in list(fit, fitted(y, c(8, 5, 3), step = "exact", init = "random"), fitted(y, c(6, 3), nonneg = TRUE, lambda = 1))) {
        norms <- vapply(factors(f), function(m) sum(m^2), 0)
        expect_lt(away(norms, norms[1]), 1e-12)
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
        f <- fitted(big, list(10, c(13, 10))[[seed]], zero.weight = 1e6, sweeps = 1, seed = seed)   # w0 = 1: stays at the start
        expect_gt(summed(f)[["passes"]], 0)
        expect_lt(abs(fitHistory(f)$train[1] / sum(values[-(1:10)]^2) - 1), 1e-10)
        expect_lt(distance(X(f), x), 1e-6)
    }
    expect_identical(summed(fit)[["passes"]], 0)
})

test_that("the start: orthonormal vectors of a positive largest entry, or normal factors of the matrix's size", {
    for (z in list(y, t(y))) {
        D1 <- fitWeights(fitted(z, 5, zero.weight = 1e6, sweeps = 1))$D1        # w0 = 1: stays at the start
        expect_lt(away(crossprod(D1) / sum(D1[, 1]^2), diag(5)), 1e-10)
        expect_true(all(apply(D1, 2, function(u) u[which.max(abs(u))] > 0)))
        expect_lt(away(abs(crossprod(svd(z, 5)$u, D1)) / sqrt(sum(D1[, 1]^2)), diag(5)), 1e-9)
    }
    # |x| = |y| over the entries, x without relation to y; of non-negative factors the best multiple
    share <- function(...) vapply(1:8, function(seed) total(fitted(y, c(6, 3), sweeps = 1, seed = seed, ...))[1] / sum(y^2), 0)
    expect_lt(max(abs(share(init = "random") - 2)), 0.5)
    expect_lt(max(share(nonneg = TRUE)), 0.6)
})

test_that("lambda = NA: from the noise an additive model leaves", {
    for (a in list(list(ranks = 4), list(ranks = c(6, 3), lambda.scale = 0.5), list(ranks = c(8, 5, 3), step = "exact",
        zero.weight = 0.3))) expectOracle(y, c(a, lambda = NA, sweeps = 8))
    tau <- vapply(depths, function(r) summed(fitted(y, r, lambda = NA))[["lambda"]]^(1 / (2 - 2 / (length(r) + 1))), 0)
    expect_lt(away(tau, 0.25 * refMcSigma(y) * sqrt(mean(y > 0)) * (7 + sqrt(40))), 1e-12)
    expect_identical(summed(fitted(y, 4, lambda = 7))[["lambda"]], 7)
})

test_that("sweeps = NA: a constant over p K, from 5 to 100", {
    fits <- unlist(lapply(c(1, 0.5, 0.3, 0.1, 0.03), function(share) {
        z <- withSeed(5, y * rbinom(length(y), 1, share))
        lapply(depths, function(r) c(n = nrow(fitHistory(suppressWarnings(fitted(z, r)))) - 1,
            pK = mean(z > 0) * (length(r) + 1)))
    }), recursive = FALSE)
    n <- vapply(fits, `[[`, 0, "n")
    pK <- vapply(fits, `[[`, 0, "pK")
    free <- n > 5 & n < 100
    expect_gt(sum(free), 6)
    expect_lt(max(((n - 1) * pK)[n > 5]), min((n * pK)[n < 100]))             # there is one such constant
    expect_identical(range(n), c(5, 100))
    expect_identical(n, pmax(5, pmin(100, ceiling(10 / pK))))
})

test_that("Anderson's acceleration: the same candidates, taken and refused", {
    settings <- list(list(ranks = 4, lambda = NA, lambda.scale = 0.1, step = "exact", tol = 1e-4, sweeps = 200),
        list(ranks = c(6, 3), lambda = NA, lambda.scale = 0.1, step = "exact.block", tol = 1e-4, sweeps = 200),
        list(ranks = c(8, 5, 3), lambda = 1, step = "exact.block", sweeps = 25), list(ranks = c(6, 3), lambda = 1, sweeps = 25))
    for (a in settings) {
        r <- expectOracle(y, c(a, accelerate = TRUE, zero.weight = 0.2), 1e-7, 1e-7)
        expect_gt(r$taken[["yes"]], 10)
    }
    r <- expectOracle(y, list(ranks = c(8, 5, 3), step = "exact", accelerate = TRUE, sweeps = 20), 1e-7, 1e-7)
    expect_gt(r$taken[["no"]], 5)
    # it helps, and what the history says last is what the factors are
    sweeps <- function(...) nrow(fitHistory(fitted(y, c(6, 3), lambda = 2, zero.weight = 0.2, tol = 1e-6, sweeps = 2000, ...)))
    expect_lt(sweeps(accelerate = TRUE), 0.5 * sweeps())
    f <- fitted(y, c(6, 3), lambda = 2, zero.weight = 0.2, sweeps = 9, accelerate = TRUE)
    expect_equal(utils::tail(total(f), 1), sum(refMcObjective(factors(f), y, ifelse(y > 0, 1, summed(f)[["w0"]]), 2)),
        tolerance = 1e-12)
})

test_that("the tolerance ends a fit, and 0 never does", {
    for (step in kinds) for (tol in c(1e-2, 1e-3)) {
        r <- expectOracle(y, list(ranks = c(6, 3), step = step, tol = tol, sweeps = 60, lambda = 1))
        expect_identical(r$stopped, "the change of a sweep is within the tolerance")
    }
    full <- fitted(y + 1, 4, sweeps = 30, step = "exact")      # nothing changes
    expect_identical(nrow(fitHistory(full)), 31L)
    expect_identical(nrow(fitHistory(fitted(y + 1, 4, sweeps = 30, tol = 1e-9))), 2L)
})

test_that("random and non-negative starts: every sweep is that of the formulas", {
    for (a in grid[seq(1, 81, by = 4)]) for (nonneg in c(FALSE, TRUE)) {
        w <- ifelse(y > 0, 1, min(1, a$zero.weight * mean(y > 0) / mean(y == 0)))
        at <- function(n) do.call(fitted, c(list(y), a, list(init = "random", nonneg = nonneg, sweeps = n, seed = 3)))
        for (n in c(1, 4)) {
            before <- at(n)
            after <- at(n + 1)
            r <- do.call(refMc, c(list(y), a, list(nonneg = nonneg, sweeps = 1, start = factors(before))))
            expect_lt(away(X(after), r$x), 1e-9)
            expect_lt(away(steps(after)[n + 1, ], r$steps), 1e-8)
            expect_equal(total(after)[n + 1:2], rowSums(r$history), tolerance = 1e-10)
        }
    }
})

# ---- what must hold ----

test_that("the objective never rises, and exact steps are never below 1", {
    falls <- function(f) {
        F <- total(f)
        expect_true(all(F[-1] <= F[-length(F)] * (1 + 1e-12) + 1e-12))
    }
    for (a in grid) for (how in list(list(), list(init = "random"), list(accelerate = TRUE))) {
        f <- do.call(fitted, c(list(y), a, how, sweeps = 15))
        falls(f)
        # at w0 = 1 hardly anything moves after a while, and what moves no more has no step
        moving <- if (a$zero.weight > 1) -diff(total(f)) > 1e-6 * total(f)[1] else TRUE
        if (any(moving)) expect_gte(min(steps(f)[moving, ]), 1 - 1e-9)
        if (a$step == "mm") expect_true(all(steps(f) == 1))
        else if (a$zero.weight < 1) expect_gt(max(steps(f)), 1.1)
    }
    for (a in grid[seq(1, 81, by = 2)]) for (accelerate in c(FALSE, TRUE)) {
        f <- do.call(fitted, c(list(y), a, nonneg = TRUE, accelerate = accelerate, sweeps = 12))
        falls(f)
        expect_gte(min(unlist(factors(f))), 0)
        expect_gt(total(f)[1] - total(f)[13], 0.05 * total(f)[1])
    }
})

test_that("a low-rank matrix is recovered from half of its entries, and from a tenth", {
    recovers <- function(d, ranks, step, sweeps) {
        f <- fitted(d$seen, ranks, step = step, sweeps = sweeps)
        expect_lt(distance(X(f), d$x), 1e-6)
        X(f)
    }
    d <- lowRankMatrix(200, 150, 5, 0.5)
    depth <- lapply(list(5, c(20, 5), c(40, 20, 5)), recovers, d = d, step = "exact", sweeps = 30)
    for (x in depth[-1]) expect_lt(distance(x, depth[[1]]), 1e-6)
    expect_gt(distance(X(fitted(d$seen, 5, sweeps = 30)), d$x), 1e-6)         # the plain step is slower
    d <- lowRankMatrix(400, 300, 5, 0.1)
    for (ranks in list(5, c(20, 5), c(40, 20, 5))) {
        recovers(d, ranks, "exact", 60)
        recovers(d, ranks, "exact.block", 150)
    }
})

test_that("without missing entries, and where zeros weigh as much, X is the truncated singular value decomposition", {
    full <- y + 1
    left <- function(z, r) sum(svd(z, 0, 0)$d[-seq_len(r)]^2)
    for (ranks in depths) for (step in kinds) {
        r <- utils::tail(ranks, 1)
        f <- fitted(full, ranks, step = step, sweeps = 4)
        expect_lt(away(X(f), truncated(full, r)), 1e-9)
        expect_equal(fitHistory(f)$train, rep(left(full, r), 5), tolerance = 1e-10)
        # w0 = 1 needs (1 - p)/p
        need <- mean(y == 0) / mean(y > 0)
        f <- fitted(y, ranks, step = step, sweeps = 4, zero.weight = need * (1 + 1e-9))
        expect_identical(summed(f)[["w0"]], 1)
        expect_lt(away(X(f), truncated(y, r)), 1e-9)
        expect_equal(fitHistory(f)$train, rep(left(y, r), 5), tolerance = 1e-10)
        expect_gt(away(X(fitted(y, ranks, step = step, sweeps = 4, zero.weight = need * 0.9)), truncated(y, r)), 1e-4)
    }
})

test_that("a ridge shrinks singular values as the depth says", {
    full <- y + 1
    sigma <- svd(full, 0, 0)$d[1:5]
    for (ranks in list(5, c(9, 5), c(12, 9, 5))) for (lambda in c(2, 12)) {
        K <- length(ranks) + 1
        f <- fitted(full, ranks, lambda = lambda, step = "exact", accelerate = TRUE, tol = 1e-11, sweeps = 3000)
        expect_lt(nrow(fitHistory(f)), 3000)
        s <- svd(X(f), 0, 0)$d[1:5]
        if (K == 2) expect_lt(max(abs(s - pmax(sigma - lambda, 0))), 1e-6)
        on <- s > 1e-6
        expect_lt(max(abs(s - sigma + lambda * s^(2 / K - 1))[on]), 1e-6)
        expect_equal(utils::tail(fitHistory(f)$penalty, 1) / lambda, K * sum(s[on]^(2 / K)), tolerance = 1e-8)
    }
})

test_that("genes and cells may come in any order; the scale goes through", {
    rows <- withSeed(1, sample(nrow(y)))
    cols <- withSeed(2, sample(ncol(y)))
    for (a in list(list(c(6, 3), sweeps = 10), list(c(8, 5, 3), step = "exact", zero.weight = 0.2, lambda = 1, sweeps = 10),
        list(4, init = "mean", step = "exact.block", lambda = NA, sweeps = 10), list(c(6, 3), method = "converged"))) {
        at <- function(z, ...) X(do.call(fitted, c(list(z), a, list(...))))
        expect_lt(away(at(y[rows, ]), at(y)[rows, ]), 1e-8)
        expect_lt(away(at(y[, cols]), at(y)[, cols]), 1e-8)
    }
    for (a in list(list(c(6, 3)), list(4, step = "exact", zero.weight = 0.2), list(c(8, 5, 3), step = "exact.block")))
        for (scale in c(1e-3, 37)) expect_lt(distance(X(do.call(fitted, c(list(scale * y), a))), scale * X(do.call(fitted,
            c(list(y), a)))), 1e-8)
})

test_that("threads, the seed and the form of the input do not touch the bits", {
    wide <- counts[, rep(1:40, 80)]                            # as many non-zeros as threads are used for
    expect_gt(sum(wide > 0), 6e4)
    explicit <- sparse(counts + 1)
    explicit@x <- explicit@x - 1                               # zeros are stored
    expect_true(any(explicit@x == 0) && identical(as.matrix(explicit), counts + 0))
    for (a in list(list(c(6, 3)), list(c(8, 5, 3), step = "exact", lambda = 1, zero.weight = 0.2),
        list(5, step = "exact.block", init = "mean"), list(c(6, 3), step = "mm", nonneg = TRUE),
        list(4, step = "mm", init = "random"),
        list(c(6, 3), method = "converged", tol = 0, step = "exact.block"))) {
        go <- function(x, threads = 1, seed = 1) {             # few sweeps: threads without a core of their own are slow
            f <- fitInfill(x, do.call(DeepMcParam, c(a, sweeps = 2)), seed = seed, num.threads = threads)
            list(f@weights, f@history, plain(infill(x, f, keep = "none", num.threads = threads)))
        }
        one <- go(counts)
        expect_identical(go(counts, 2), one)
        if (is.null(names(a)) || a$step == "exact") expect_identical(go(wide, 3), go(wide))
        for (same in list(sparse(counts), delayed(counts), explicit)) expect_identical(go(same)[1:2], one[1:2])
        drawn <- isTRUE(a$nonneg) || identical(a$init, "random")
        expect_identical(identical(go(counts, seed = 2), one), !drawn)
    }
})

test_that("stopping early is not the same as the end", {
    x <- lowRankCounts()
    early <- X(fitInfill(x, DeepMcParam(sweeps = 15), seed = 1))
    late <- fitInfill(x, DeepMcParam(method = "converged"), seed = 1)
    expect_identical(late@stopped, "the change of a sweep is within the tolerance")
    expect_gt(distance(early, X(late)), 0.05)
})

test_that("the presets", {
    d <- DeepMcParam()
    expect_identical(c(d@ranks, d@zero.weight, d@lambda, d@lambda.scale, d@tol, d@min.cells, d@n.genes),
        c(30, 10, 0, 0, 0.25, 0, 3, 1000))
    expect_identical(c(d@method, d@step, d@init, d@gene.selection, d@log), c("paper", "mm", "svd", "dispersion", "log2"))
    expect_true(is.na(d@sweeps) && !d@accelerate && !d@nonneg)
    d <- DeepMcParam(method = "converged")
    expect_identical(c(d@ranks, d@sweeps, d@tol, d@zero.weight, d@lambda.scale), c(40, 20, 200, 1e-4, 0, 0.5))
    expect_identical(d@step, "mm")
    expect_true(is.na(d@lambda) && d@accelerate)
    d <- DeepMcParam(method = "converged", sweeps = 7, step = "exact", zero.weight = 0, lambda = 2, lambda.scale = 3,
        accelerate = FALSE, tol = 0)
    expect_identical(c(d@sweeps, d@zero.weight, d@lambda, d@lambda.scale, d@tol), c(7, 0, 2, 3, 0))
    expect_identical(c(d@step, d@accelerate), c("exact", "FALSE"))
})

# ---- the edges ----

test_that("genes and cells without entries, a gene with one, equal cells", {
    z <- y
    z[7, ] <- 0
    z[, c(3, 9)] <- 0
    z[11, ] <- c(5, numeric(39))
    z[, 20] <- z[, 21]
    for (a in list(list(ranks = 4, step = "exact"), list(ranks = c(6, 3)),
        list(ranks = c(8, 5, 3), step = "exact", zero.weight = 0.2, lambda = 1),
        list(ranks = c(6, 3), step = "exact.block", lambda = NA, accelerate = TRUE, tol = 1e-4, sweeps = 90)))
        for (init in c("svd", "mean")) {
            expectOracle(z, c(a, init = init), 1e-7, 1e-7)
            expect_match(capture_warnings(f <- do.call(fitted, c(list(z), a, init = init))), "1 of the 49 modelled genes",
                all = FALSE)
            w <- fitWeights(f)
            expect_true(all(w$D1[7, ] == 0) && all(w$Z[, c(3, 9)] == 0))
            expect_true(all(is.finite(unlist(w[c("D1", "Z", "summary")]))) && all(is.finite(steps(f))))
            expect_lte(max(abs(w$Z[, 20] - w$Z[, 21])), 1e-12 * max(abs(w$Z)))
        }
    for (more in list(list(init = "random"), list(nonneg = TRUE))) {
        w <- fitWeights(suppressWarnings(do.call(fitted, c(list(z, c(6, 3)), more))))
        expect_true(all(w$Z[, c(3, 9)] == 0) && all(w$D1[7, ] == 0))
    }
    # a singular vector of its own, of value 0
    expect_true(all(fitWeights(suppressWarnings(fitted(z[1:9, ], c(9, 9))))$D1[7, ] == 0))
    x <- counts
    x[, c(3, 9)] <- 0
    x[4, ] <- 0
    expect_warning(out <- plain(infill(x, param, seed = 1, keep = "none")), "2 of 40 cells have no counts")
    expect_identical(unname(out[, c(3, 9)]), matrix(0, 60, 2))
    said <- capture_warnings(out <- plain(infill(x, DeepMcParam(c(6, 3), min.cells = 0, gene.selection = "none"), seed = 1)))
    expect_match(said, "modelled genes have no counts; they stay", all = FALSE)
    expect_identical(unname(out[4, ]), numeric(40))
    expect_true(all(is.finite(out)))
})

test_that("nothing at all to learn from", {
    said <- capture_warnings(f <- fitted(matrix(0, 6, 5), c(3, 2)))
    expect_match(said, "6 of the 6 modelled genes have no counts", all = FALSE)
    expect_match(said, "no counts after preparation", all = FALSE)
    expect_identical(fitHistory(f)$iteration, 0L)
    expect_true(all(X(f) == 0) && total(f) == 0)
    for (more in list(list(nonneg = TRUE), list(init = "random"), list(lambda = NA, accelerate = TRUE), list(zero.weight = 1)))
        expect_true(all(X(suppressWarnings(do.call(fitted, c(list(matrix(0, 6, 5), 3), more)))) == 0))
    expect_identical(plain(suppressWarnings(infill(counts * 0, DeepMcParam(), seed = 1))), counts * 0)
})

test_that("a constant gene, and no zeros at all", {
    x <- counts
    x[5, ] <- 7
    out <- infill(x, DeepMcParam(c(6, 3), min.cells = 1, gene.selection = "none"), seed = 1)
    expect_identical(unname(out[5, ]), rep(7, 40))
    for (p in list(param, DeepMcParam(c(6, 3), step = "exact", lambda = 1, zero.weight = 0.3))) {
        out <- plain(infill(counts + 1, p, seed = 1))
        expect_identical(out, counts + 1)
        expect_gt(max(abs(plain(infill(counts + 1, p, seed = 1, keep = "none")) - out)), 0.1)
    }
})

test_that("a zero that is stored counts as observed", {
    stored <- handPrepared(y)
    at <- which(as.matrix(stored@x) == 0, arr.ind = TRUE)[1:30, ]
    full <- summary(stored@x)
    stored@x <- local({
        m <- Matrix::sparseMatrix(c(full$i, at[, 1]), c(full$j, at[, 2]), x = c(full$x, rep(1, 30)), dims = dim(stored@x))
        m@x[as.matrix(m)[cbind(summary(m)$i, summary(m)$j)] == 1 & paste(summary(m)$i, summary(m)$j) %in% paste(at[, 1], at[, 2])] <- 0
        m
    })
    f <- fitInfill(stored, DeepMcParam(c(6, 3)), seed = 1)
    expect_identical(f@entries, length(full$x) + 30)
    expect_lt(mean(abs(X(f)[at])), 0.5 * mean(abs(X(fitted(y, c(6, 3)))[at])))
})

test_that("ranks are cut to the matrix, with a warning", {
    expect_warning(f <- fitInfill(counts[, 1:5], DeepMcParam(), seed = 1), "'ranks' \\(30, 10\\) are cut to 5, 5: .* x 5 cells")
    expect_identical(vapply(factors(f), ncol, 0L), c(5L, 5L, 5L))
    expect_warning(f <- fitted(y, c(200, 41, 7)), "'ranks' \\(200, 41, 7\\) are cut to 40, 40, 7: 49 genes x 40 cells")
    expect_identical(X(f), X(fitted(y, c(40, 40, 7))))
    expect_warning(fitted(y, c(40, 40, 7)), NA)
    expect_identical(f@param@ranks, c(200, 41, 7))
})

test_that("one gene, one cell, one value", {
    for (step in kinds) for (z in list(matrix(c(1, 0, 3, 2), 1), matrix(c(1, 0, 3, 2)), matrix(2))) {
        f <- suppressWarnings(fitted(z, c(3, 2), step = step))
        expect_lt(max(abs(X(f) - z)), 1e-12)
        expectOracle(z, list(ranks = c(1, 1), step = step, lambda = 0.5, zero.weight = 0.5))
    }
    one <- counts[, 1, drop = FALSE]
    out <- suppressWarnings(infill(one, DeepMcParam(min.cells = 1, gene.selection = "none"), seed = 1))
    expect_identical(dimnames(out), dimnames(one))
    expect_true(all(is.finite(out)))
    gene <- counts[1, , drop = FALSE]
    out <- suppressWarnings(infill(gene, DeepMcParam(min.cells = 1), seed = 1))
    expect_identical(plain(out), gene + 0)                     # its zeros are cells without counts
})

test_that("values that are no counts are named by their place", {
    for (bad in c(NaN, Inf, -1)) {
        x <- counts + 0
        x[5, 2] <- bad
        expect_error(infill(x, param), 'gene 5 ("g5"), cell 2 ("c2")', fixed = TRUE, class = "infill_scale")
    }
})

test_that("huge and tiny values stay finite, or are an error of their own class", {
    huge <- counts
    huge[1:5, ] <- huge[1:5, ] * 1e12
    out <- infill(huge, DeepMcParam(c(6, 3), step = "exact"), seed = 1)
    expect_true(all(is.finite(out)))
    expect_identical(out[huge > 0], huge[huge > 0] + 0)
    expect_lt(distance(X(fitted(1e100 * y, c(6, 3))) / 1e100, X(fitted(y, c(6, 3)))), 1e-8)
    expect_error(fitted(1e160 * y, 3), "not finite", class = "infill_diverged")
    expect_true(all(is.finite(X(fitted(1e-170 * y, 3, step = "exact")))))
})

# ---- infill() ----

test_that("all scales and ways to keep are those of the formulas", {
    for (f in list(fit, fitInfill(counts, DeepMcParam(5, log = "log1p", n.genes = 30, step = "exact"), seed = 1)))
        for (output in c("counts", "normcounts", "logcounts")) for (keep in c("observed", "none", "max"))
            for (nonneg in c(TRUE, FALSE))
                expect_equal(unname(plain(infill(counts, f, output = output, keep = keep, nonneg = nonneg))),
                    refMcInfill(counts, f, X(f), output, keep, nonneg), tolerance = 1e-12)
    expect_lt(min(X(fitInfill(counts, DeepMcParam(5), seed = 1))), 0)         # there is something to floor
})

test_that("what was seen stays, what is no modelled gene stays, nothing is below 0", {
    f <- fitInfill(counts, DeepMcParam(c(6, 3), n.genes = 40), seed = 1)
    out <- infill(counts, f)
    on <- f@recipe$status == "modelled"
    expect_identical(out[counts > 0], counts[counts > 0] + 0)
    expect_identical(plain(out)[!on, ], counts[!on, ] + 0)
    expect_identical(dimnames(out), dimnames(counts))
    expect_true(all(is.finite(out) & out >= 0))
    expect_gt(mean(out[on, ][counts[on, ] == 0] > 0), 0.8)
    expect_identical(sum(on), 40L)
    expect_identical(infill(counts, f@param, seed = 1), out)
    expect_identical(attr(out, "infill")$model, "DeepMcParam")
})

test_that("a delayed result is the dense one to the bit, whatever is asked for", {
    for (keep in c("observed", "none", "max")) for (output in c("counts", "logcounts")) {
        whole <- plain(infill(counts, fit, keep = keep, output = output))
        late <- infill(counts, fit, keep = keep, output = output, as = "delayed")
        expect_s4_class(late, "DelayedMatrix")
        expect_identical(as.matrix(late), whole)
        for (rows in list(7L, c(60L, 1L, 1L), integer(), which(fit@recipe$status != "modelled"))) for (cols in list(3L,
            c(9L, 3L, 3L, 40L))) expect_identical(as.matrix(late[rows, cols, drop = FALSE]), whole[rows, cols, drop = FALSE])
    }
    expect_true(any(fit@recipe$status != "modelled"))
})

test_that("cells of the fit get their column of Z, in any order and company; genes go by name", {
    for (f in list(fit, fitInfill(counts, DeepMcParam(c(6, 3), step = "exact", lambda = 1, zero.weight = 0.2), seed = 1))) {
        whole <- plain(infill(counts, f, keep = "none"))
        for (at in list(1:13, 33, c(40, 2, 2, 9), withSeed(1, sample(40))))
            expect_identical(plain(infill(counts[, at, drop = FALSE], f, keep = "none")), whole[, at, drop = FALSE])
        genes <- withSeed(2, sample(60))
        expect_identical(plain(infill(counts[genes, ], f, keep = "none")), whole[genes, ])
        more <- cbind(counts[, 5:6], other = counts[, 1] + counts[, 2], counts[, 7:8])
        expect_identical(plain(infill(more, f, keep = "none"))[, -3], whole[, 5:8])
        lacking <- f@recipe$genes[f@recipe$selected[2]]
        expect_error(infill(counts[rownames(counts) != lacking, ], f), lacking, class = "infill_mismatch")
    }
})

test_that("new cells get the least-squares column, the factors of the genes fixed", {
    new <- cbind(smallCounts(seed = 7), one = 0, none = 0, few = 0)
    dimnames(new) <- list(rownames(counts), NULL)
    new[c(1, 4), c(41, 43)] <- c(9, 0, 3, 2)
    for (more in list(list(), list(zero.weight = 0.2), list(zero.weight = 1e6), list(lambda = 1),
        list(lambda = 3, zero.weight = 0.2))) {
        f <- fitInfill(counts, do.call(DeepMcParam, c(list(c(6, 3), sweeps = 5), more)), seed = 1)
        r <- f@recipe
        L <- refProduct(utils::head(factors(f), -1))
        size <- colSums(new[r$kept, ]) / r$target
        z <- log2(new / rep(pmax(size, 1e-9), each = 60) + 1)[r$selected, ]
        s <- summed(f)
        expected <- apply(z, 2, function(y) if (any(y > 0)) L %*% refMcCell(L, y, s[["w0"]], s[["lambda"]]) else 0 * y)
        got <- raw(new, f)
        expect_lt(away(got, unname(expected)), 1e-9)
        expect_identical(got[, 42], numeric(nrow(z)))
        expect_identical(raw(cbind(new, counts), f)[, 44:83], raw(counts, f))
    }
    expect_identical(raw(new, f, num.threads = 2), got)
})

test_that("prepared counts are taken as they are", {
    prepared <- prepareCounts(counts, n.genes = 20, log = "log1p")
    f <- fitInfill(prepared, param, seed = 1)
    same <- fitInfill(counts, DeepMcParam(c(6, 3), sweeps = 5, n.genes = 20, log = "log1p"), seed = 1)
    expect_identical(f@weights, same@weights)
    expect_identical(f@recipe$log, "log1p")
    expect_equal(unname(plain(infill(counts, f, keep = "none"))), refMcInfill(counts, f, X(f), keep = "none"), tolerance = 1e-12)
})

test_that("a fit survives saveRDS, and says what it is", {
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(readRDS(file), fit)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expect_true(validObject(fit))
    expect_identical(lapply(fitWeights(fit), dim), list(D1 = c(49L, 6L), D2 = c(6L, 3L), Z = c(3L, 40L), cells = c(2L, 40L),
        steps = c(3L, 5L), summary = c(7L, 1L)))
    h <- fitHistory(fit)
    expect_identical(names(h), c("iteration", "train", "penalty", "step.D1", "step.D2", "step.Z"))
    expect_identical(h$iteration, 0:5)
    expect_identical(c(h$train[1], h$penalty[1]), unname(summed(fit)[c("data", "ridge")]))
    expect_true(all(is.na(h[1, 4:6])))
    expect_identical(c(fit@cells, fit@seed, fit@entries), c(40, 1, sum(y > 0)))
    expect_output(print(fit), "InfillFit of DeepMcParam, seed 1.*49 genes modelled of 60, 40 cells.*5 iterations, the most")
    expect_output(print(DeepMcParam()), "DeepMcParam.*ranks +30 10")
})

test_that("a progress line is written when asked for", {
    expect_silent(fitInfill(counts, param, seed = 1, progress = FALSE))
    line <- sprintf("DeepMc: iteration 1 of 5, RMSE %.4f", sqrt(fitHistory(fit)$train[2] / sum(y > 0)))
    expect_message(f <- fitInfill(counts, param, seed = 1, progress = TRUE), line, fixed = TRUE)
    expect_identical(f@weights, fit@weights)
})

test_that("mistakes are named, all at once, as errors of our class", {
    wrong <- list(ranks = list(c(3, 6), 0, numeric(), c(3, NA), 2.5, "a", rep(2, 9), 2e4, NULL, Inf),
        sweeps = list(0, 2.5, 1:2, Inf, "auto"), method = list("best", NA, 1), step = list("plain", NA, 1),
        zero.weight = list(-1, NA, Inf, 1:2), lambda = list(-1, "auto", Inf, 1:2), lambda.scale = list(-1, NA),
        accelerate = list(NA, 1), tol = list(-1, 2, NA), init = list("zero", NA), nonneg = list(NA, "factors"),
        min.cells = list(-1, 1.5), n.genes = list(0, NA, NULL), gene.selection = list("x", NA), log = list("none", "log"),
        seed = list(-1, 0.5), num.threads = list(0))
    for (name in names(wrong)) for (value in wrong[[name]]) {
        args <- stats::setNames(list(value), name)
        expect_error(do.call(DeepMcParam, args), sprintf("'%s' must be", name), class = "infill_error", info = said(args))
    }
    expect_error(DeepMcParam(c(3, 6)), "none larger than the one before", class = "infill_error")
    expect_error(DeepMcParam(ranks = 0, tol = 7, step = "x"), "(?s)(?=.*'ranks')(?=.*'tol')(?=.*'step')", perl = TRUE,
        class = "infill_error")
    expect_error(DeepMcParam(hidden = 3), "no argument 'hidden'", class = "infill_error")
    p <- param
    p@ranks <- c(3, 6)
    expect_error(fitInfill(counts, p, seed = 1), "'ranks' must be", class = "infill_error")
})

test_that("what goes on from a fit, or deals it out, is refused", {
    for (more in list(list(keep.state = TRUE), list(resume = fit), list(checkpoint = tempfile()))) expect_error(
        do.call(fitInfill, c(list(counts, param, seed = 1), more)), "are not offered for DeepMcParam", class = "infill_error")
    skip_if_not_installed("BiocParallel")
    expect_error(fitInfill(counts, param, seed = 1, BPPARAM = BiocParallel::SerialParam()), "'BPPARAM'.*DeepMcParam",
        class = "infill_error")
})

test_that("a fit that cannot be held in memory is refused", {
    old <- options(infill.memory.limit = 1000)
    on.exit(options(old))
    expect_error(fitInfill(counts, param, seed = 1), "'ranks', now 6, 3", class = "infill_error")
})

# ---- does it help? ----

test_that("hidden entries of a low-rank matrix are recovered better than by the gene's mean", {
    m <- maskCounts(lowRankCounts(), fraction = 0.3, seed = 1)
    rmse <- function(param) recoveryError(m, infill(maskedData(m), param, seed = 1))$rmse
    mean <- min(rmse(GeneMeanParam("all")), rmse(GeneMeanParam("detected")))
    for (p in list(DeepMcParam(4), DeepMcParam(c(10, 4)), DeepMcParam(c(10, 6, 4)), DeepMcParam()))
        expect_lt(rmse(p), 0.7 * mean)
    expect_lt(rmse(DeepMcParam(method = "converged", zero.weight = 0)), 0.7 * mean)
})
