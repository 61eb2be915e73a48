# DeepImpute: when networks stop, dropout, weights.

counts <- smallCounts(60, 44)
fitted <- function(..., x = counts, seed = 1) fitInfill(x, deepParam(...), seed = seed)
fit <- fitted()
targets <- function(fit) unlist(fitParts(fit, "networks")$target.genes, use.names = FALSE)

# Predictors that say nothing, one target of 0, 1, 3 (on the model's scale): what is predicted?
constant <- function(...) {
    prepared <- handPrepared(rbind(0, rep(c(0, 1, 3), 100)), "log1p")
    prepared@recipe$plan <- list(hidden = 4L, network = 1L, n.predictors = 1L, n.targets = 1L,
        predictors = 0L, targets = 1L)
    prepared@recipe$networks <- TRUE
    p <- DeepImputeParam(hidden = 4, max.iter = 400, learning.rate = 0.02, patience = 1e6,
        valid.fraction = 0.001, batch.size = 0, dropout = 0, ...)
    f <- fitInfill(prepared, p, seed = 1)
    expect_true(is.na(f@heldout$pearson))
    c(refDeepForward(fitParts(f, "weights")[[1]], cbind(0), p@output)$y, tail(fitParts(f, "history")$train, 1))
}

test_that("each network stops after `patience` epochs without a smaller held-out loss", {
    f <- fitted(max.iter = 500, learning.rate = 0.02, patience = 5)
    h <- fitParts(f, "history")
    expect_identical(names(h), c("network", "iteration", "train", "valid", "penalty"))
    n <- table(h$network)
    expect_identical(f@best, as.integer(n))
    expect_identical(fitParts(f, "networks")$iterations, as.integer(n))
    expect_gt(length(unique(n)), 1)
    for (k in unique(h$network)) {
        v <- h$valid[h$network == k]
        expect_identical(h$iteration[h$network == k], seq_along(v))
        expect_identical(length(v), which.min(v) + 5L)
    }
    expect_identical(f@stopped, rep("no better held-out error", length(n)))
    # a network does not know of the others
    for (k in c(1, length(n))) {
        short <- fitted(max.iter = n[[k]], learning.rate = 0.02, patience = 5)
        expect_identical(fitParts(short, "weights")[[k]], fitParts(f, "weights")[[k]])
    }
    expect_identical(fitted(max.iter = 3)@stopped, rep("the most iterations allowed", 4))
})

test_that("best = TRUE keeps weights and figures of the best epoch, and trains no differently", {
    last <- fitted(max.iter = 500, learning.rate = 0.02, patience = 4)
    best <- fitted(max.iter = 500, learning.rate = 0.02, patience = 4, best = TRUE)
    expect_identical(best@history, last@history)
    v <- split(last@history$valid, last@history$network)
    expect_identical(best@best, unname(vapply(v, which.min, 0L)))
    expect_identical(fitParts(best, "networks")$valid, unname(vapply(v, min, 0)))
    for (k in seq_along(v)) {
        short <- fitted(max.iter = best@best[k], learning.rate = 0.02, patience = 4)
        expect_identical(fitParts(short, "weights")[[k]], fitParts(best, "weights")[[k]])
        expect_identical(short@heldout[k, ], best@heldout[k, ])
    }
})

test_that("joint = TRUE stops all networks by the sum of their losses", {
    for (best in c(FALSE, TRUE)) {
        f <- fitted(max.iter = 500, learning.rate = 0.02, patience = 6, joint = TRUE, best = best)
        h <- fitParts(f, "history")
        total <- rowSums(do.call(cbind, split(h$valid, h$network)))
        expect_identical(length(total), which.min(total) + 6L)
        expect_identical(fitParts(f, "networks")$iterations, rep(length(total), 4))
        expect_identical(f@best, rep(if (best) which.min(total) else length(total), 4))
    }
    expect_gt(length(unique(fitted(max.iter = 500, learning.rate = 0.02, patience = 6)@best)), 1)
})

test_that("dropout is part of training only", {
    expect_false(identical(fitted(dropout = 0)@weights, fitted(dropout = 0.2)@weights))
    for (seed in 1:2) expect_identical(fitted(dropout = 0.5, seed = seed)@weights,
        fitted(dropout = 0.5, seed = seed)@weights)
    # the same mean: with a tiny step the loss of the first epoch is that of no dropout, and a bit
    # more
    loss <- function(rho) fitted(dropout = rho, learning.rate = 1e-8, max.iter = 1,
        hidden = 200)@history$train
    expect_lt(max(abs(loss(0.2) / loss(0) - 1)), 0.2)
    expect_false(any(loss(0.2) == loss(0)))
    expect_equal(fitted(dropout = 0.5, learning.rate = 1e-8, max.iter = 1)@history$valid,
        fitted(dropout = 0, learning.rate = 1e-8, max.iter = 1)@history$valid, tolerance = 1e-6)
})

test_that("without information the size-biased mean is predicted, or what the weights make of it", {
    expect_equal(constant(), c(2.5, 1 / 3 * (2.25 + 0.75)), tolerance = 0.02)
    expect_equal(constant(output = "linear")[1], 2.5, tolerance = 0.02)
    expect_equal(constant(loss.weights = "binary")[1], 2, tolerance = 0.02)
    expect_equal(constant(zero.weight = 1)[1], 14 / 7, tolerance = 0.02)
    expect_equal(constant(zero.weight = 1, loss.weights = "binary")[1], 8 / 5, tolerance = 0.02)
})

test_that("a weight for zeros lowers what is put in their place", {
    at <- function(w) {
        f <- fitted(zero.weight = w, max.iter = 60, learning.rate = 0.01)
        mean(log1p(infill(counts, f, keep = "none")[targets(f), ][counts[targets(f), ] == 0]))
    }
    means <- vapply(c(0, 0.3, 3), at, 0)
    expect_lt(means[2], 0.9 * means[1])
    expect_lt(means[3], 0.9 * means[2])
})
