# deepMc: what the objective and its minimum have to be.

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

test_that("the objective never rises, and exact steps are never below 1", {
    falls <- function(f) {
        F <- total(f)
        expect_true(all(F[-1] <= F[-length(F)] * (1 + 1e-12) + 1e-12))
    }
    for (a in grid) for (how in list(list(), list(init = "random"), list(accelerate = TRUE))) {
        f <- do.call(mcFit, c(list(y), a, how, sweeps = 15))
        falls(f)
        # at w0 = 1 hardly anything moves after a while, and what moves no more has no step
        moving <- if (a$zero.weight > 1) -diff(total(f)) > 1e-6 * total(f)[1] else TRUE
        if (any(moving)) expect_gte(min(mcSteps(f)[moving, ]), 1 - 1e-9)
        if (a$step == "mm") expect_true(all(mcSteps(f) == 1))
        else if (a$zero.weight < 1) expect_gt(max(mcSteps(f)), 1.1)
    }
    for (a in grid[seq(1, 81, by = 2)]) for (accelerate in c(FALSE, TRUE)) {
        f <- do.call(mcFit, c(list(y), a, nonneg = TRUE, accelerate = accelerate, sweeps = 12))
        falls(f)
        expect_gte(min(unlist(mcFactors(f))), 0)
        expect_gt(total(f)[1] - total(f)[13], 0.05 * total(f)[1])
    }
})

test_that("a low-rank matrix is recovered from half of its entries, and from a tenth", {
    recovers <- function(d, ranks, step, sweeps) {
        f <- mcFit(d$seen, ranks, step = step, sweeps = sweeps)
        expect_lt(distance(mcProduct(f), d$x), 1e-6)
        mcProduct(f)
    }
    d <- lowRankMatrix(200, 150, 5, 0.5)
    depth <- lapply(list(5, c(20, 5), c(40, 20, 5)), recovers, d = d, step = "exact", sweeps = 30)
    for (x in depth[-1]) expect_lt(distance(x, depth[[1]]), 1e-6)
    # the plain step is slower
    expect_gt(distance(mcProduct(mcFit(d$seen, 5, sweeps = 30)), d$x), 1e-6)
    d <- lowRankMatrix(400, 300, 5, 0.1)
    for (ranks in list(5, c(20, 5), c(40, 20, 5))) {
        recovers(d, ranks, "exact", 60)
        recovers(d, ranks, "exact.block", 150)
    }
})

test_that("without missing entries, or where zeros weigh as much, X is the truncated SVD", {
    full <- y + 1
    left <- function(z, r) sum(svd(z, 0, 0)$d[-seq_len(r)]^2)
    for (ranks in depths) for (step in kinds) {
        r <- utils::tail(ranks, 1)
        f <- mcFit(full, ranks, step = step, sweeps = 4)
        expect_lt(mcAway(mcProduct(f), truncated(full, r)), 1e-9)
        expect_equal(fitParts(f, "history")$train, rep(left(full, r), 5), tolerance = 1e-10)
        # w0 = 1 needs (1 - p)/p
        need <- mean(y == 0) / mean(y > 0)
        f <- mcFit(y, ranks, step = step, sweeps = 4, zero.weight = need * (1 + 1e-9))
        expect_identical(mcSummary(f)[["w0"]], 1)
        expect_lt(mcAway(mcProduct(f), truncated(y, r)), 1e-9)
        expect_equal(fitParts(f, "history")$train, rep(left(y, r), 5), tolerance = 1e-10)
        expect_gt(mcAway(mcProduct(mcFit(y, ranks, step = step, sweeps = 4,
            zero.weight = need * 0.9)), truncated(y, r)), 1e-4)
    }
})

test_that("a ridge shrinks singular values as the depth says", {
    full <- y + 1
    sigma <- svd(full, 0, 0)$d[1:5]
    for (ranks in list(5, c(9, 5), c(12, 9, 5))) for (lambda in c(2, 12)) {
        K <- length(ranks) + 1
        f <- mcFit(full, ranks, lambda = lambda, step = "exact", accelerate = TRUE, tol = 1e-11,
            sweeps = 3000)
        expect_lt(nrow(fitParts(f, "history")), 3000)
        s <- svd(mcProduct(f), 0, 0)$d[1:5]
        if (K == 2) expect_lt(max(abs(s - pmax(sigma - lambda, 0))), 1e-6)
        on <- s > 1e-6
        expect_lt(max(abs(s - sigma + lambda * s^(2 / K - 1))[on]), 1e-6)
        expect_equal(utils::tail(fitParts(f, "history")$penalty, 1) / lambda, K * sum(s[on]^(2 / K)),
            tolerance = 1e-8)
    }
})

test_that("genes and cells may come in any order; the scale goes through", {
    rows <- withSeed(1, sample(nrow(y)))
    cols <- withSeed(2, sample(ncol(y)))
    for (a in list(list(c(6, 3), sweeps = 10),
        list(c(8, 5, 3), step = "exact", zero.weight = 0.2, lambda = 1, sweeps = 10),
        list(4, init = "mean", step = "exact.block", lambda = NA, sweeps = 10),
        list(c(6, 3), method = "converged"))) {
        at <- function(z, ...) mcProduct(do.call(mcFit, c(list(z), a, list(...))))
        expect_lt(mcAway(at(y[rows, ]), at(y)[rows, ]), 1e-8)
        expect_lt(mcAway(at(y[, cols]), at(y)[, cols]), 1e-8)
    }
    for (a in list(list(c(6, 3)), list(4, step = "exact", zero.weight = 0.2),
        list(c(8, 5, 3), step = "exact.block")))
        for (scale in c(1e-3, 37))
            expect_lt(distance(mcProduct(do.call(mcFit, c(list(scale * y), a))),
            scale * mcProduct(do.call(mcFit, c(list(y), a)))), 1e-8)
})

test_that("threads, the seed and the form of the input do not touch the bits", {
    # as many non-zeros as threads are used for
    wide <- counts[, rep(1:40, 80)]
    expect_gt(sum(wide > 0), 6e4)
    explicit <- sparse(counts + 1)
    explicit@x <- explicit@x - 1                               # zeros are stored
    expect_true(any(explicit@x == 0) && identical(as.matrix(explicit), counts + 0))
    for (a in list(list(c(6, 3)), list(c(8, 5, 3), step = "exact", lambda = 1, zero.weight = 0.2),
        list(5, step = "exact.block", init = "mean"), list(c(6, 3), step = "mm", nonneg = TRUE),
        list(4, step = "mm", init = "random"),
        list(c(6, 3), method = "converged", tol = 0, step = "exact.block"))) {
        # few sweeps: threads without a core of their own are slow
        go <- function(x, threads = 1, seed = 1) {
            f <- fitInfill(x, do.call(DeepMcParam, c(a, sweeps = 2)), seed = seed,
                num.threads = threads)
            list(f@weights, f@history, plain(infill(x, f, keep = "none", num.threads = threads)))
        }
        one <- go(counts)
        expect_identical(go(counts, 2), one)
        if (is.null(names(a)) || a$step == "exact") expect_identical(go(wide, 3), go(wide))
        for (same in list(sparse(counts), delayed(counts), explicit))
            expect_identical(go(same)[1:2], one[1:2])
        drawn <- isTRUE(a$nonneg) || identical(a$init, "random")
        expect_identical(identical(go(counts, seed = 2), one), !drawn)
    }
})

test_that("stopping early is not the same as the end", {
    x <- lowRankCounts()
    early <- mcProduct(fitInfill(x, DeepMcParam(sweeps = 15), seed = 1))
    late <- fitInfill(x, DeepMcParam(method = "converged"), seed = 1)
    expect_identical(late@stopped, "the change of a sweep is within the tolerance")
    expect_gt(distance(early, mcProduct(late)), 0.05)
})

test_that("the presets", {
    d <- DeepMcParam()
    expect_identical(c(d@ranks, d@zero.weight, d@lambda, d@lambda.scale, d@tol, d@min.cells,
        d@n.genes), c(30, 10, 0, 0, 0.25, 0, 3, 1000))
    expect_identical(c(d@method, d@step, d@init, d@gene.selection, d@log),
        c("budget", "mm", "svd", "dispersion", "log2"))
    expect_true(is.na(d@sweeps) && !d@accelerate && !d@nonneg)
    d <- DeepMcParam(method = "converged")
    expect_identical(c(d@ranks, d@sweeps, d@tol, d@zero.weight, d@lambda.scale),
        c(40, 20, 200, 1e-4, 0, 0.5))
    expect_identical(d@step, "mm")
    expect_true(is.na(d@lambda) && d@accelerate)
    d <- DeepMcParam(method = "converged", sweeps = 7, step = "exact", zero.weight = 0, lambda = 2,
        lambda.scale = 3, accelerate = FALSE, tol = 0)
    expect_identical(c(d@sweeps, d@zero.weight, d@lambda, d@lambda.scale, d@tol), c(7, 0, 2, 3, 0))
    expect_identical(c(d@step, d@accelerate), c("exact", "FALSE"))
})
