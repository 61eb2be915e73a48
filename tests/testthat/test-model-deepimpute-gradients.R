# DeepImpute: losses, gradients and steps, against the formulas in plain R (helper-deepimpute.R).

counts <- smallCounts(60, 44)
fitted <- function(..., x = counts, seed = 1) fitInfill(x, deepParam(...), seed = seed)
fit <- fitted()

# A worked example (2 predictors, 2 targets, 2 cells): the start is put into a fit that is then
# resumed. A third cell, held out, is put before, between or behind the two.
golden <- function(third, dropout = 0) {
    x <- rbind(log1p(cbind(c(1, 0), c(3, 2))), log1p(cbind(c(0, 4), c(2, 1))))
    prepared <- handPrepared(cbind(x, 1)[, append(1:2, 3, third)], "log1p")
    prepared@recipe$plan <- list(hidden = 2L, network = 1L, n.predictors = 2L, n.targets = 2L,
        predictors = 0:1, targets = 2:3)
    prepared@recipe$networks <- TRUE
    prepared@recipe$status[1:2] <- "predictor"
    p <- function(n) deepParam(hidden = 2, max.iter = n, learning.rate = 0.01, dropout = dropout)
    start <- fitInfill(prepared, p(1), seed = 1, keep.state = TRUE)
    # W1, b1, W2, b2
    w <- c(0.5, 0.25, -0.5, 0.6, 0.1, 0.2, 1, 0.5, -0.5, 0.75, 0, 0.1)
    start@weights <- w
    start@state <- c(w, numeric(24))
    fitInfill(prepared, p(2), resume = start, keep.state = TRUE)
}

test_that("the start: Glorot's uniform weights, biases of 0", {
    start <- fitParts(fitted(x = lowRankCounts(), hidden = 100, network.size = 60,
        learning.rate = 1e-8, max.iter = 1), "weights")
    for (k in 1:3) {
        w <- start[[k]]
        for (m in c("W1", "W2")) {
            r <- sqrt(6 / sum(dim(w[[m]])))
            expect_lte(max(abs(w[[m]])), r + 1e-6)
            expect_lt(abs(sd(w[[m]]) / r * sqrt(3) - 1), 0.03)
            expect_lt(abs(mean(w[[m]])) / r, 0.03)
        }
        expect_lt(max(abs(unlist(w[c("b1", "b2")]))), 1e-7)
    }
    # each network its own
    expect_lt(abs(cor(as.vector(start[[1]]$W2), as.vector(start[[2]]$W2))), 0.05)
})

test_that("a worked example: loss (?DeepImputeParam, Details) and gradients", {
    loss <- 0.416221605805
    dW <- list(W1 = rbind(c(0.331454803337, 0.0728298407326), c(0.161451269782, 0.0577162832473)),
        b1 = cbind(c(0.331228922109, 0.0525356250268)),
        W2 = rbind(c(0.145741143238, -0.186943936173), c(0.0226596431443, -0.00347712931289)),
        b2 = cbind(c(0.136487271722, -0.389483300774)))
    w <- list(W1 = rbind(c(0.5, -0.5), c(0.25, 0.6)), b1 = cbind(c(0.1, 0.2)),
        W2 = rbind(c(1, -0.5), c(0.5, 0.75)), b2 = cbind(c(0, 0.1)))
    x <- log1p(cbind(c(1, 0), c(3, 2)))
    y <- log1p(cbind(c(0, 4), c(2, 1)))
    expect_equal(refDeepForward(w, x)$y,
        cbind(c(0.941158041822, 0.633402535164), c(1.425696112097, 0.550372155833)),
        tolerance = 1e-11)
    expect_equal(refDeepLoss(refDeepForward(w, x)$y, y), loss, tolerance = 1e-11)
    expect_equal(refDeepGradient(w, x, y), dW, tolerance = 1e-11)
    zero <- lapply(w, function(m) m * 0)
    one <- refAdam(w, dW, list(m = zero, v = zero), 0.01, 1)
    expect_equal(one$w$W2, rbind(c(0.990000216974, -0.490000169154),
        c(0.490001395360, 0.759990913757)), tolerance = 1e-11)
    expect_equal(refDeepLoss(refDeepForward(one$w, x)$y, y), 0.398415100445, tolerance = 1e-11)

    fits <- lapply(0:2, golden)
    ours <- vapply(fits, function(f) abs(fitParts(f, "history")$train[2] - loss) < 1e-6, TRUE)
    # the other two places make other training cells
    expect_identical(sum(ours), 1L)
    f <- fits[[which(ours)]]
    m <- f
    m@weights <- f@state[12 + 1:12] / 0.1
    expect_equal(fitParts(m, "weights")[[1]], dW, tolerance = 1e-5)
    expect_equal(sqrt(f@state[24 + 1:12] / 0.001), abs(unlist(dW, use.names = FALSE)),
        tolerance = 1e-5)
    expect_equal(fitParts(f, "weights")[[1]], refAdam(w, dW, list(m = zero, v = zero), 0.01, 2)$w,
        tolerance = 1e-6)

    # dropout: one mask in the oracle; in the fit one of the sixteen, and loss and gradients are its
    # own
    paper <- rbind(c(1, 1), c(0, 1)) / 0.8
    expect_equal(refDeepLoss(refDeepForward(w, x, mask = paper)$y, y), 0.49369682236,
        tolerance = 1e-11)
    f <- golden(which(ours) - 1, dropout = 0.3)
    masks <- lapply(0:15, function(b) matrix(bitwAnd(b, c(1, 2, 4, 8)) > 0, 2) / 0.7)
    off <- vapply(masks,
        function(k) abs(refDeepLoss(refDeepForward(w, x, mask = k)$y, y) - fitParts(f, "history")$train[2]),
        0)
    mask <- masks[[which.min(off)]]
    expect_lt(min(off), 1e-6)
    expect_gt(sum(mask), 0)
    m@weights <- f@state[12 + 1:12] / 0.1
    expect_equal(fitParts(m, "weights")[[1]], refDeepGradient(w, x, y, mask = mask), tolerance = 1e-5)
})

test_that("losses and steps are those of the formulas, for every option that enters them", {
    for (more in list(list(), list(output = "relu"),
        list(output = "linear", loss.weights = "binary"), list(zero.weight = 0.3),
        list(loss.weights = "binary", zero.weight = 1), list(normalize = "median"),
        list(batch.size = 1000, hidden = 70))) {
        p <- function(n) do.call(deepParam,
            utils::modifyList(list(max.iter = n, learning.rate = 0.01, dropout = 0, batch.size = 0,
            n.genes = 24, network.size = 12, hidden = 9), more))
        fits <- lapply(1:3, function(n) fitInfill(counts[, 1:30], p(n), seed = 1,
            keep.state = TRUE))
        last <- fits[[3]]
        learn <- setdiff(1:30, heldCells(last, counts[, 1:30], 1))
        x <- refDeepInput(counts[, 1:30], last)$x[, learn]
        nets <- fitParts(last, "networks")
        at <- function(fit, part) {
            fit@weights <- fit@state[(part - 1) * length(fit@weights) + seq_along(fit@weights)]
            fitParts(fit, "weights")
        }
        for (t in 2:3) for (k in seq_len(nrow(nets))) {
            before <- fits[[t - 1]]
            w <- fitParts(before, "weights")[[k]]
            X <- x[nets$predictor.genes[[k]], ]
            Y <- x[nets$target.genes[[k]], ]
            o <- fits[[1]]@param
            g <- refDeepGradient(w, X, unname(Y), o@output, o@loss.weights, o@zero.weight)
            now <- refAdam(w, lapply(g, unname),
                list(m = at(before, 2)[[k]], v = at(before, 3)[[k]]), 0.01, t)
            h <- fitParts(last, "history")
            expect_equal(h$train[h$network == k & h$iteration == t],
                refDeepLoss(refDeepForward(w, X, o@output)$y, Y, o@loss.weights, o@zero.weight),
                tolerance = 1e-5)
            expect_equal(fitParts(fits[[t]], "weights")[[k]], now$w, tolerance = 1e-4)
            expect_equal(at(fits[[t]], 2)[[k]], now$s$m, tolerance = 1e-4)
        }
        expect_true(all(last@history$penalty == 0))
    }
})

test_that("held-out figures are those of the held-out cells, the same for all networks", {
    for (more in list(list(), list(loss.weights = "binary"),
        list(normalize = "median", output = "relu"), list(zero.weight = 0.5))) {
        # floor(0.05 * 44) = 2 cells
        f <- do.call(fitted, c(more, list(learning.rate = 0.01)))
        held <- heldCells(f, counts, 2)
        x <- refDeepInput(counts, f)$x
        nets <- fitParts(f, "networks")
        for (k in seq_len(nrow(nets))) {
            y <- x[nets$target.genes[[k]], held]
            yhat <- refDeepForward(fitParts(f, "weights")[[k]], x[nets$predictor.genes[[k]], held],
                f@param@output)$y
            expect_equal(f@heldout$mse[k], mean((y - yhat)[y > 0]^2), tolerance = 1e-5)
            expect_equal(f@heldout$pearson[k], cor(y[y > 0], yhat[y > 0]), tolerance = 1e-4)
        }
        expect_identical(unname(as.matrix(nets[c("pearson", "mse")])), unname(as.matrix(f@heldout)))
    }
    expect_identical(heldCells(fitted(seed = 5), counts, 2),
        heldCells(fitted(seed = 5, hidden = 20), counts, 2))
    expect_false(identical(heldCells(fitted(seed = 5), counts, 2),
        heldCells(fitted(seed = 6), counts, 2)))
})

test_that("the training loss of an epoch weighs batches by their size", {
    step <- function(batch) fitted(x = counts[, 1:30], batch.size = batch, dropout = 0,
        learning.rate = 1e-8, max.iter = 1)@history$train
    for (batch in c(1, 7, 28, 29, 64)) expect_equal(step(batch), step(0), tolerance = 1e-5)
})
