# AutoImpute: the three rules to stop, and the entries held out.

counts <- smallCounts()
X <- function(x = counts, ...) unname(as.matrix(as(prepareCounts(x, ...), "dgCMatrix")))

test_that("the paper's rule stops where the change per cell is small enough", {
    fit <- fitInfill(counts, smallParam(max.iter = 500, stop = "paper", threshold = 0.05,
        learning.rate = 0.01), seed = 1)
    change <- abs(diff(c(0, fit@history$train))) / 40
    expect_identical(nrow(fit@history), which(change <= 0.05)[1])
    expect_identical(fit@stopped, "the paper's threshold")
    expect_identical(fit@best, nrow(fit@history))
    expect_gt(nrow(fit@history), 3)
    whole <- fitInfill(counts, smallParam(max.iter = fit@best, stop = "paper", threshold = 0,
        learning.rate = 0.01), seed = 1)
    expect_identical(whole@weights, fit@weights)               # the last step is kept
    expect_identical(whole@stopped, "the most iterations allowed")
})

test_that("the window's rule compares twenty iterations with the twenty before", {
    fit <- fitInfill(counts, smallParam(max.iter = 2000, stop = "window", threshold = 0.02,
        learning.rate = 0.02), seed = 1)
    l <- fit@history$train
    window <- function(k) mean(l[k - 19:0]) 
    k <- 40:length(l)
    stops <- vapply(k, function(k) window(k - 20) - window(k) < 0.02 * window(k - 20), TRUE)
    expect_identical(fit@stopped, "the window's threshold")
    expect_identical(length(l), k[which(stops)[1]])
    expect_gt(length(l), 40)
})

test_that("the validation rule keeps the best weights and waits for its patience", {
    fit <- fitInfill(counts, smallParam(max.iter = 2000, learning.rate = 0.05, patience = 17),
        seed = 1)
    h <- fit@history
    expect_identical(fit@stopped, "no better held-out error")
    expect_identical(fit@best, which.min(h$valid))
    expect_identical(nrow(h), fit@best + 17L)
    # weights before the step of iteration `best`: those a shorter run still has as its best
    expect_identical(fitInfill(counts,
        smallParam(max.iter = fit@best, learning.rate = 0.05, patience = 17), seed = 1)@weights,
        fit@weights)
    longer <- fitInfill(counts, smallParam(max.iter = 2000, learning.rate = 0.05, patience = 18),
        seed = 1, keep.state = TRUE)
    expect_identical(longer@weights, fit@weights)
    # and they have the losses of that iteration: one more iteration is made from them
    longer@state[seq_along(longer@weights)] <- longer@weights
    longer@stopped <- "paused"
    more <- nrow(longer@history) + 1
    h <- fitParts(fitInfill(counts,
        smallParam(max.iter = more, learning.rate = 0.05, patience = 18), resume = longer), "history")
    expect_identical(unlist(h[more, -1]), unlist(h[fit@best, -1]))
})

test_that("the held-out entries are the share asked for, and are neither trained on nor read", {
    p <- smallParam(max.iter = 1, learning.rate = 1e-8, init = "reference", lambda = 0,
        valid.fraction = 0.25)
    fit <- fitInfill(counts, p, seed = 1)
    # at zero weights every entry costs its square: which share is held out?
    zero <- fitInfill(counts, smallParam(max.iter = 1, stop = "validation", valid.fraction = 0.25),
        seed = 1, keep.state = TRUE)
    zero@weights[] <- 0
    zero@state <- c(zero@weights, rep(1, length(zero@weights)))
    h <- fitParts(fitInfill(counts, smallParam(max.iter = 2, valid.fraction = 0.25),
        resume = zero), "history")
    expect_equal(h$train[2] + h$valid[2], sum(X()^2), tolerance = 1e-6)
    expect_lt(abs(h$valid[2] / sum(X()^2) - 0.25), 0.05)
    ones <- handPrepared(matrix(1, 20, 30))
    zero <- fitInfill(ones, smallParam(max.iter = 1, valid.fraction = 0.05), seed = 1,
        keep.state = TRUE)
    zero@weights[] <- 0
    zero@state <- c(zero@weights, rep(1, length(zero@weights)))
    h <- fitParts(fitInfill(ones, smallParam(max.iter = 2, valid.fraction = 0.05), resume = zero), "history")
    expect_identical(h$valid[2], floor(0.05 * 600))
    expect_identical(h$train[2], 600 - floor(0.05 * 600))
})
