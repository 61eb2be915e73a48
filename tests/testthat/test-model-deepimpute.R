counts <- smallCounts(60, 44)
fitted <- function(..., x = counts, seed = 1) fitInfill(x, deepParam(...), seed = seed)
fit <- fitted()
targets <- function(fit) unlist(subNetworks(fit)$target.genes, use.names = FALSE)
predictors <- function(fit) lapply(subNetworks(fit)$predictor.genes, unname)

# Everything that must be equal after a detour.
expectSame <- function(one, two) for (s in c("weights", "shapes", "history", "best", "stopped", "heldout", "recipe", "cells",
    "entries", "seed")) expect_identical(slot(one, s), slot(two, s), info = s)

# ---- genes ----

test_that("the page's example: metric, targets, predictors", {
    x <- rbind(g1 = c(1, 2, 3, 4), g2 = c(2, 4, 6, 9), g3 = c(4, 3, 2, 1), g4 = c(0, 1, 0, 1))
    expect_equal(refScore(x), c(0.476190, 1.426667, 0.476190, 0.222222), tolerance = 1e-6)
    for (n in 1:2) {
        fit <- fitInfill(x, DeepImputeParam(network.size = 2, n.predictors = n, max.iter = 1, order = "progressive"), seed = 1)
        nets <- subNetworks(fit)
        expect_identical(nets$target.genes, list(c(g2 = 2L, g1 = 1L)))
        expect_identical(nets$predictor.genes, list(list(c(g3 = 3L), c(g3 = 3L, g4 = 4L))[[n]]))
        expect_identical(fit@recipe$status, c("modelled", "modelled", "predictor", c("not selected", "predictor")[n]))
        expect_equal(fit@recipe$score, refScore(x)[c(1:3, if (n == 2) 4)], tolerance = 1e-12)
    }
    r <- infill:::.nearestGenes(DeepImputeParam(n.predictors = 3), sparse(x), rowMeans(x), apply(x, 1, sd), rep(-1, 4), 1:2,
        rep(TRUE, 4), 1L)
    expect_equal(abs(r$r), cbind(c(1, 0.994376712684, 0.4472135955), c(0.994376712684, 0.994376712684, 0.483368244523)),
        tolerance = 1e-10)
    expect_identical(r$gene[, 1] + 1L, c(3L, 2L, 4L))
})

test_that("any number of genes: networks, filling up, predictors outside", {
    S <- 5
    top <- refTargets(counts, 1, min.vmr = 0)
    v <- refScore(counts)[top]
    for (n in 1:(3 * S + 1)) for (order in c("random", "progressive")) {
        by <- if (n %% 2) list(n.genes = n) else list(min.vmr = mean(v[n + 0:1]))
        nets <- subNetworks(do.call(fitted, c(by, list(network.size = S, n.predictors = 2, max.iter = 1, order = order))))
        at <- unlist(nets$target.genes, use.names = FALSE)
        expect_identical(nrow(nets), as.integer(ceiling(n / S)), info = n)
        expect_true(all(nets$targets == S))
        expect_setequal(at, top[seq_len(S * ceiling(n / S))])
        expect_false(anyDuplicated(at) > 0)
        if (order == "progressive") expect_identical(at, top[seq_along(at)])
        for (k in seq_len(nrow(nets))) {
            Q <- unname(nets$predictor.genes[[k]])
            expect_identical(Q, refPredictors(counts, nets$target.genes[[k]], 2))
            expect_length(intersect(Q, nets$target.genes[[k]]), 0)
            expect_lte(length(Q), 2 * S)
        }
        expect_identical(nets$predictors, lengths(nets$predictor.genes))
    }
})

test_that("the last network is smaller when genes run out", {
    nets <- subNetworks(fitted(n.genes = Inf, network.size = 7, max.iter = 1))
    vary <- sum(refScore(counts) > 0)
    expect_identical(nets$targets, c(rep(7L, vary %/% 7), vary %% 7L))
    expect_gt(vary %% 7, 0)
    expect_setequal(unlist(nets$target.genes), which(refScore(counts) > 0))
})

test_that("the random order is a shuffle that the seed decides", {
    by <- function(order, seed) targets(fitted(order = order, seed = seed, max.iter = 1))
    ranked <- refTargets(counts, 16)
    expect_identical(by("progressive", 1), ranked)
    expect_identical(by("progressive", 2), ranked)
    expect_setequal(by("random", 1), ranked)
    expect_false(identical(by("random", 1), by("random", 2)))
    expect_lt(abs(cor(order(by("random", 1)), order(ranked))), 0.5)
})

test_that("scores, thresholds and numbers of genes", {
    for (score in c("vmr1", "vmr")) for (min.vmr in c(0.5, 5)) {
        expect_identical(targets(fitted(gene.score = score, min.vmr = min.vmr, network.size = 4, order = "progressive",
            max.iter = 1)), refTargets(counts, 4, score, min.vmr))
    }
    expect_false(identical(refTargets(counts, 4), refTargets(counts, 4, "vmr")))
    expect_identical(targets(fitted(n.genes = NA, max.iter = 1)), targets(fitted(max.iter = 1)))
    expect_length(targets(fitted(n.genes = 20, max.iter = 1)), 32)
    expect_identical(DeepImputeParam()@network.size, 512)
})

test_that("genes can be named or numbered, and none is added to them", {
    at <- c(9L, 3L, 31L, 4L, 50L)
    for (genes in list(at, as.numeric(at), rownames(counts)[at])) {
        fit <- fitted(genes = genes, network.size = 2, order = "progressive", max.iter = 1)
        expect_identical(unname(subNetworks(fit)$target.genes), list(c(g9 = 9L, g3 = 3L), c(g31 = 31L, g4 = 4L), c(g50 = 50L)))
        expect_identical(predictors(fit), lapply(list(at[1:2], at[3:4], at[5]), refPredictors, counts = counts, n = 5))
        expect_setequal(which(fit@recipe$status == "modelled"), at)
    }
    zero <- counts
    zero[3, ] <- 0
    expect_warning(fit <- fitted(genes = at, x = zero, max.iter = 1), "1 of 'genes'.*: 3$")
    expect_setequal(targets(fit), setdiff(at, 3))
})

test_that("modelledGenes() are the targets, best first", {
    fit <- fitted(n.genes = 20, network.size = 10, max.iter = 1)
    expect_setequal(modelledGenes(fit), targets(fit))
    expect_gt(length(fit@recipe$selected), length(modelledGenes(fit)))
    expect_identical(names(modelledGenes(fit)), rownames(counts)[modelledGenes(fit)])
    expect_identical(unname(modelledGenes(fit)), refTargets(counts, 10, n = 20))
})

test_that("correlations are those of cor(), the lower gene first where they tie", {
    x <- counts
    x[c(20, 33, 47), ] <- x[rep(12, 3), ]
    all <- unname(which(apply(x, 1, sd) > 0))
    set <- rep(c(0L, 1L, -1L), length.out = 60)
    set[12] <- 2L
    for (correlation in c("counts", "log1p")) for (threads in 1:2) {
        near <- infill:::.nearestGenes(DeepImputeParam(n.predictors = 5, correlation = correlation), sparse(x), rowMeans(x),
            apply(x, 1, sd), set, c(12, 1:6), seq_len(60) %in% all, threads)
        r <- suppressWarnings(cor(t(if (correlation == "counts") x else log1p(x))))
        for (k in 1:7) {
            g <- c(12, 1:6)[k]
            free <- all[all != g & set[all] != set[g] | set[all] == -1 & all != g]
            expect_identical(near$gene[, k] + 1L, free[head(order(-round(abs(unname(r[g, free])), 10)), 5)])
            expect_equal(near$r[, k], unname(r[g, near$gene[, k] + 1]), tolerance = 1e-12)
        }
        expect_identical(near$gene[1:3, 1] + 1L, c(20L, 33L, 47L))
    }
    logs <- fitted(correlation = "log1p", max.iter = 1)
    expect_identical(predictors(logs), lapply(subNetworks(logs)$target.genes, refPredictors, counts = counts, n = 5, log = TRUE))
    expect_false(identical(predictors(logs), predictors(fit)))
})

test_that("candidates are those of largest sd / mean", {
    cv <- ifelse(rowMeans(counts) > 0, apply(counts, 1, sd) / rowMeans(counts), 0)
    fit <- fitted(n.candidates = 20, max.iter = 1)
    best <- sort(order(-cv)[1:20])
    expect_identical(predictors(fit), lapply(subNetworks(fit)$target.genes, refPredictors, counts = counts, n = 5,
        candidates = best))
    expect_true(all(unlist(predictors(fit)) %in% best))
    expect_identical(predictors(fitted(n.candidates = 60, max.iter = 1)), predictors(fitted(max.iter = 1)))
    expect_error(fitted(genes = order(-cv)[2:4], n.candidates = 1, max.iter = 1), NA)
    expect_error(fitted(genes = order(-cv)[1:40], n.candidates = 1, network.size = 30), "'network.size' \\(now 30\\).*'n.candidates'",
        class = "infill_error")
})

test_that("fewer genes than a network and its predictors need: networks of half the genes", {
    n <- length(refTargets(counts, 60, n = 60))
    expect_message(fit <- fitted(network.size = 512, n.genes = Inf, max.iter = 1),
        sprintf("%d genes are too few for a network of 512 .*: networks of %d", n, ceiling(n / 2)))
    expect_identical(subNetworks(fit)$targets, c(as.integer(ceiling(n / 2)), n %/% 2L))
    expect_silent(fitted(network.size = 16, n.genes = 16, max.iter = 1))
    expect_silent(fitted(network.size = n - 1, n.genes = n - 1, n.predictors = 100, max.iter = 1))    # one gene is left
    expect_identical(ncol(fitWeights(fitted(hidden = NA, network.size = 30, max.iter = 1))[[1]]$W1), 15L)
    expect_identical(ncol(fitWeights(fitted(hidden = NA, network.size = 8, max.iter = 1))[[1]]$W1), 10L)
    wide <- fitted(hidden = NA, network.size = 512, genes = 1:10, max.iter = 1)
    expect_identical(ncol(fitWeights(wide)[[1]]$W1), 256L)
})

# ---- predictions ----

test_that("predictions are the forward pass in plain R, for every option that enters it", {
    for (more in list(list(), list(output = "relu"), list(output = "linear"), list(normalize = "median"), list(hidden = 1),
        list(hidden = 130, network.size = 30), list(hidden = c(20, 7)), list(hidden = c(3, 70, 12), network.size = 30), list(dropout = 0), list(batch.size = 7), list(loss.weights = "binary"),
        list(zero.weight = 0.5, output = "relu"), list(normalize = "median", output = "linear", genes = 1:20),
        list(n.genes = 3, network.size = 3, n.predictors = 1))) {
        fit <- do.call(fitted, c(more, list(learning.rate = 0.01)))
        out <- infill(counts, fit, keep = "none")
        ref <- refDeepInfill(counts, fit)
        expect_lt(max(abs(out - ref) / (1 + ref)), 1e-4)
        at <- targets(fit)
        expect_gt(mean(abs(out[at, ] - counts[at, ]) > 1e-3), 0.4)
    }
})

test_that("several blocks of cells and of panels predict as one", {
    wide <- counts[, rep(1:44, length.out = 600)]
    f <- fitted(hidden = 70, n.genes = Inf)
    out <- plain(infill(wide, f, keep = "none"))
    expect_identical(unname(out), unname(plain(infill(counts, f, keep = "none"))[, rep(1:44, length.out = 600)]))
    expect_identical(plain(infill(wide, f, keep = "none", num.threads = 3)), out)
})

test_that("all scales of the output", {
    for (normalize in c("none", "median")) {
        f <- fitted(normalize = normalize, learning.rate = 0.01)
        total <- colSums(counts[f@recipe$kept, ])
        size <- rep(total / median(total[total > 0]), each = 60)
        for (keep in c("none", "observed", "max")) {
            new <- plain(infill(counts, f, keep = keep))
            expect_equal(unname(new), refDeepInfill(counts, f, keep), tolerance = 1e-5)
            expect_equal(plain(infill(counts, f, keep = keep, output = "normcounts")), new / size, tolerance = 1e-12)
            expect_equal(plain(infill(counts, f, keep = keep, output = "logcounts")), log1p(new / size), tolerance = 1e-12)
        }
    }
})

test_that("what was seen stays, what is no target stays, nothing is below 0", {
    x <- counts
    x[4, ] <- 0
    x[5, ] <- 3
    x[, 9] <- 0
    for (output in c("softplus", "relu", "linear")) {
        f <- fitted(x = x, output = output, learning.rate = 0.05, n.genes = 32)
        at <- targets(f)
        out <- lapply(c(observed = "observed", max = "max", none = "none"), function(k) plain(infill(x, f, keep = k)))
        for (o in out) {
            expect_true(all(is.finite(o) & o >= 0))
            expect_identical(o[-at, ], x[-at, ] + 0)
            expect_identical(dimnames(o), dimnames(x))
            expect_identical(unname(o[, 9]), numeric(60))       # a cell without counts stays as it came
        }
        expect_identical(out$observed[x > 0], x[x > 0] + 0)
        expect_true(all(out$max >= x))
        expect_identical(out$max, pmax(out$none, x))
        expect_gt(mean(out$observed[at, ][x[at, ] == 0] > 0), if (output == "softplus") 0.9 else 0.2)
        expect_false(any(c(4, 5) %in% c(at, unlist(predictors(f)))))
        expect_identical(f@recipe$status[4:5], rep("not selected", 2))
    }
})

test_that("predictions above the limit are left out, and counted in one warning", {
    f <- fitted(learning.rate = 0.02, n.genes = 32)
    expect_equal(tail(f@weights, 1), 2 * log1p(max(counts[f@recipe$selected, ])), tolerance = 1e-6)
    expect_warning(infill(counts, f), NA)
    at <- targets(f)
    y <- log1p(unname(plain(infill(counts, f, keep = "none"))[at, ]))
    limit <- median(y)
    f@weights[length(f@weights)] <- limit
    above <- sum(y > limit)
    for (keep in c("none", "observed", "max")) {
        said <- capture_warnings(out <- plain(infill(counts, f, keep = keep)))
        expect_length(said, 1)
        expect_match(said, sprintf("^%d predictions", above))
        expect_identical(unname(out[at, ])[y > limit], unname(counts[at, ])[y > limit] + 0)
        expect_equal(unname(out), refDeepInfill(counts, f, keep), tolerance = 1e-4)
    }
    late <- suppressWarnings(plain(infill(counts, f, keep = "none", as = "delayed")))
    whole <- suppressWarnings(plain(infill(counts, f, keep = "none")))
    expect_identical(suppressWarnings(as.matrix(late)), whole)
    expect_warning(as.matrix(late[at[1:2], ]), sprintf("^%d predictions", sum(y[1:2, ] > limit)))
    f@weights[1] <- NaN                                        # not finite
    expect_true(all(is.finite(suppressWarnings(infill(counts, f)))))
})

# ---- training ----

test_that("the start is what the help page says", {
    start <- fitWeights(fitted(x = lowRankCounts(), hidden = 100, network.size = 60, learning.rate = 1e-8, max.iter = 1))
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
    expect_lt(abs(cor(as.vector(start[[1]]$W2), as.vector(start[[2]]$W2))), 0.05)      # each network its own
})

# The golden example of the page: the start is put into a fit that is then resumed. A third cell, held out, is put
# before, between or behind the two.
golden <- function(third, dropout = 0) {
    x <- rbind(log1p(cbind(c(1, 0), c(3, 2))), log1p(cbind(c(0, 4), c(2, 1))))
    prepared <- handPrepared(cbind(x, 1)[, append(1:2, 3, third)], "log1p")
    prepared@recipe$plan <- c(1L, 1L, 2L, 1L, 2L, 2L, 0:3)
    prepared@recipe$networks <- TRUE
    prepared@recipe$status[1:2] <- "predictor"
    p <- function(n) deepParam(hidden = 2, max.iter = n, learning.rate = 0.01, dropout = dropout)
    start <- fitInfill(prepared, p(1), seed = 1, keep.state = TRUE)
    w <- c(0.5, 0.25, -0.5, 0.6, 0.1, 0.2, 1, 0.5, -0.5, 0.75, 0, 0.1, 0)          # W1, b1, W2, b2, limit
    start@weights <- w
    start@state <- c(w, numeric(26))
    fitInfill(prepared, p(2), resume = start, keep.state = TRUE)
}

test_that("the golden example of the page: loss and gradients", {
    loss <- 0.416221605805
    dW <- list(W1 = rbind(c(0.331454803337, 0.0728298407326), c(0.161451269782, 0.0577162832473)),
        b1 = cbind(c(0.331228922109, 0.0525356250268)), W2 = rbind(c(0.145741143238, -0.186943936173),
            c(0.0226596431443, -0.00347712931289)), b2 = cbind(c(0.136487271722, -0.389483300774)))
    w <- list(W1 = rbind(c(0.5, -0.5), c(0.25, 0.6)), b1 = cbind(c(0.1, 0.2)), W2 = rbind(c(1, -0.5), c(0.5, 0.75)),
        b2 = cbind(c(0, 0.1)))
    x <- log1p(cbind(c(1, 0), c(3, 2)))
    y <- log1p(cbind(c(0, 4), c(2, 1)))
    expect_equal(refDeepForward(w, x)$y, cbind(c(0.941158041822, 0.633402535164), c(1.425696112097, 0.550372155833)),
        tolerance = 1e-11)
    expect_equal(refDeepLoss(refDeepForward(w, x)$y, y), loss, tolerance = 1e-11)
    expect_equal(refDeepGradient(w, x, y), dW, tolerance = 1e-11)
    zero <- lapply(w, function(m) m * 0)
    one <- refAdam(w, dW, list(m = zero, v = zero), 0.01, 1)
    expect_equal(one$w$W2, rbind(c(0.990000216974, -0.490000169154), c(0.490001395360, 0.759990913757)), tolerance = 1e-11)
    expect_equal(refDeepLoss(refDeepForward(one$w, x)$y, y), 0.398415100445, tolerance = 1e-11)

    fits <- lapply(0:2, golden)
    ours <- vapply(fits, function(f) abs(fitHistory(f)$train[2] - loss) < 1e-6, TRUE)
    expect_identical(sum(ours), 1L)                            # the other two places make other training cells
    f <- fits[[which(ours)]]
    m <- f
    m@weights <- f@state[13 + 1:13] / 0.1
    expect_equal(fitWeights(m)[[1]], dW, tolerance = 1e-5)
    expect_equal(sqrt(f@state[26 + 1:12] / 0.001), abs(unlist(dW, use.names = FALSE)), tolerance = 1e-5)
    expect_equal(fitWeights(f)[[1]], refAdam(w, dW, list(m = zero, v = zero), 0.01, 2)$w, tolerance = 1e-6)

    # dropout: the page's mask in the oracle; in the fit one of the sixteen, and loss and gradients are its own
    paper <- rbind(c(1, 1), c(0, 1)) / 0.8
    expect_equal(refDeepLoss(refDeepForward(w, x, mask = paper)$y, y), 0.49369682236, tolerance = 1e-11)
    f <- golden(which(ours) - 1, dropout = 0.3)
    masks <- lapply(0:15, function(b) matrix(bitwAnd(b, c(1, 2, 4, 8)) > 0, 2) / 0.7)
    off <- vapply(masks, function(k) abs(refDeepLoss(refDeepForward(w, x, mask = k)$y, y) - fitHistory(f)$train[2]), 0)
    mask <- masks[[which.min(off)]]
    expect_lt(min(off), 1e-6)
    expect_gt(sum(mask), 0)
    m@weights <- f@state[13 + 1:13] / 0.1
    expect_equal(fitWeights(m)[[1]], refDeepGradient(w, x, y, mask = mask), tolerance = 1e-5)
})

# Which cells were held out? Those at which the final weights have the held-out loss that the history says.
heldCells <- function(fit, x, n) {
    p <- fit@param
    nets <- subNetworks(fit)
    input <- refDeepInput(x, fit)$x
    each <- vapply(seq_len(nrow(nets)), function(k) {
        f <- refDeepForward(fitWeights(fit)[[k]], input[nets$predictor.genes[[k]], , drop = FALSE], p@output)$y
        vapply(seq_len(ncol(x)), function(c) refDeepLoss(f[, c], input[nets$target.genes[[k]], c], p@loss.weights,
            p@zero.weight), 0)
    }, numeric(ncol(x)))
    sets <- utils::combn(ncol(x), n, simplify = FALSE)
    off <- vapply(sets, function(s) max(abs(colMeans(each[s, , drop = FALSE]) - nets$valid) / nets$valid), 0)
    expect_lt(min(off), 1e-5)
    expect_gt(sort(off)[2], 1e-3)
    sets[[which.min(off)]]
}

test_that("losses and steps are those of the formulas, for every option that enters them", {
    for (more in list(list(), list(output = "relu"), list(output = "linear", loss.weights = "binary"), list(zero.weight = 0.3),
        list(loss.weights = "binary", zero.weight = 1), list(normalize = "median"), list(batch.size = 1000, hidden = 70))) {
        p <- function(n) do.call(deepParam, utils::modifyList(list(max.iter = n, learning.rate = 0.01, dropout = 0,
            batch.size = 0, n.genes = 24, network.size = 12, hidden = 9), more))
        fits <- lapply(1:3, function(n) fitInfill(counts[, 1:30], p(n), seed = 1, keep.state = TRUE))
        last <- fits[[3]]
        learn <- setdiff(1:30, heldCells(last, counts[, 1:30], 1))
        x <- refDeepInput(counts[, 1:30], last)$x[, learn]
        nets <- subNetworks(last)
        at <- function(fit, part) {
            fit@weights <- fit@state[(part - 1) * length(fit@weights) + seq_along(fit@weights)]
            fitWeights(fit)
        }
        for (t in 2:3) for (k in seq_len(nrow(nets))) {
            before <- fits[[t - 1]]
            w <- fitWeights(before)[[k]]
            X <- x[nets$predictor.genes[[k]], ]
            Y <- x[nets$target.genes[[k]], ]
            o <- fits[[1]]@param
            g <- refDeepGradient(w, X, unname(Y), o@output, o@loss.weights, o@zero.weight)
            now <- refAdam(w, lapply(g, unname), list(m = at(before, 2)[[k]], v = at(before, 3)[[k]]), 0.01, t)
            h <- fitHistory(last)
            expect_equal(h$train[h$network == k & h$iteration == t], refDeepLoss(refDeepForward(w, X, o@output)$y, Y,
                o@loss.weights, o@zero.weight), tolerance = 1e-5)
            expect_equal(fitWeights(fits[[t]])[[k]], now$w, tolerance = 1e-4)
            expect_equal(at(fits[[t]], 2)[[k]], now$s$m, tolerance = 1e-4)
        }
        expect_true(all(last@history$penalty == 0))
    }
})

test_that("held-out figures are those of the held-out cells, the same for all networks", {
    for (more in list(list(), list(loss.weights = "binary"), list(normalize = "median", output = "relu"), list(zero.weight = 0.5))) {
        f <- do.call(fitted, c(more, list(learning.rate = 0.01)))        # floor(0.05 * 44) = 2 cells
        held <- heldCells(f, counts, 2)
        x <- refDeepInput(counts, f)$x
        nets <- subNetworks(f)
        for (k in seq_len(nrow(nets))) {
            y <- x[nets$target.genes[[k]], held]
            yhat <- refDeepForward(fitWeights(f)[[k]], x[nets$predictor.genes[[k]], held], f@param@output)$y
            expect_equal(f@heldout$mse[k], mean((y - yhat)[y > 0]^2), tolerance = 1e-5)
            expect_equal(f@heldout$pearson[k], cor(y[y > 0], yhat[y > 0]), tolerance = 1e-4)
        }
        expect_identical(unname(as.matrix(nets[c("pearson", "mse")])), unname(as.matrix(f@heldout)))
    }
    expect_identical(heldCells(fitted(seed = 5), counts, 2), heldCells(fitted(seed = 5, hidden = 20), counts, 2))
    expect_false(identical(heldCells(fitted(seed = 5), counts, 2), heldCells(fitted(seed = 6), counts, 2)))
})

test_that("the training loss of an epoch weighs batches by their size", {
    step <- function(batch) fitted(x = counts[, 1:30], batch.size = batch, dropout = 0, learning.rate = 1e-8,
        max.iter = 1)@history$train
    for (batch in c(1, 7, 28, 29, 64)) expect_equal(step(batch), step(0), tolerance = 1e-5)
})

test_that("each network stops by itself after `patience` epochs without a smaller held-out loss, and the last is kept", {
    f <- fitted(max.iter = 500, learning.rate = 0.02, patience = 5)
    h <- fitHistory(f)
    expect_identical(names(h), c("network", "iteration", "train", "valid", "penalty"))
    n <- table(h$network)
    expect_identical(f@best, as.integer(n))
    expect_identical(subNetworks(f)$iterations, as.integer(n))
    expect_gt(length(unique(n)), 1)
    for (k in unique(h$network)) {
        v <- h$valid[h$network == k]
        expect_identical(h$iteration[h$network == k], seq_along(v))
        expect_identical(length(v), which.min(v) + 5L)
    }
    expect_identical(f@stopped, rep("no better held-out error", length(n)))
    for (k in c(1, length(n))) {                               # a network does not know of the others
        short <- fitted(max.iter = n[[k]], learning.rate = 0.02, patience = 5)
        expect_identical(fitWeights(short)[[k]], fitWeights(f)[[k]])
    }
    expect_identical(fitted(max.iter = 3)@stopped, rep("the most iterations allowed", 4))
})

test_that("best = TRUE keeps the weights and figures of the best epoch, and trains no differently", {
    last <- fitted(max.iter = 500, learning.rate = 0.02, patience = 4)
    best <- fitted(max.iter = 500, learning.rate = 0.02, patience = 4, best = TRUE)
    expect_identical(best@history, last@history)
    v <- split(last@history$valid, last@history$network)
    expect_identical(best@best, unname(vapply(v, which.min, 0L)))
    expect_identical(subNetworks(best)$valid, unname(vapply(v, min, 0)))
    for (k in seq_along(v)) {
        short <- fitted(max.iter = best@best[k], learning.rate = 0.02, patience = 4)
        expect_identical(fitWeights(short)[[k]], fitWeights(best)[[k]])
        expect_identical(short@heldout[k, ], best@heldout[k, ])
    }
})

test_that("joint = TRUE stops all networks by the sum of their losses", {
    for (best in c(FALSE, TRUE)) {
        f <- fitted(max.iter = 500, learning.rate = 0.02, patience = 6, joint = TRUE, best = best)
        h <- fitHistory(f)
        total <- rowSums(do.call(cbind, split(h$valid, h$network)))
        expect_identical(length(total), which.min(total) + 6L)
        expect_identical(subNetworks(f)$iterations, rep(length(total), 4))
        expect_identical(f@best, rep(if (best) which.min(total) else length(total), 4))
    }
    expect_gt(length(unique(fitted(max.iter = 500, learning.rate = 0.02, patience = 6)@best)), 1)
})

test_that("dropout is part of training only", {
    expect_false(identical(fitted(dropout = 0)@weights, fitted(dropout = 0.2)@weights))
    for (seed in 1:2) expect_identical(fitted(dropout = 0.5, seed = seed)@weights, fitted(dropout = 0.5, seed = seed)@weights)
    # the same mean: with a tiny step the loss of the first epoch is that of no dropout, and a bit more
    loss <- function(rho) fitted(dropout = rho, learning.rate = 1e-8, max.iter = 1, hidden = 200)@history$train
    expect_lt(max(abs(loss(0.2) / loss(0) - 1)), 0.2)
    expect_false(any(loss(0.2) == loss(0)))
    expect_equal(fitted(dropout = 0.5, learning.rate = 1e-8, max.iter = 1)@history$valid,
        fitted(dropout = 0, learning.rate = 1e-8, max.iter = 1)@history$valid, tolerance = 1e-6)
})

# Predictors that say nothing, one target of 0, 1, 3 (on the model's scale): what is predicted?
constant <- function(...) {
    prepared <- handPrepared(rbind(0, rep(c(0, 1, 3), 100)), "log1p")
    prepared@recipe$plan <- c(1L, 1L, 4L, 1L, 1L, 1L, 0L, 1L)
    prepared@recipe$networks <- TRUE
    p <- DeepImputeParam(hidden = 4, max.iter = 400, learning.rate = 0.02, patience = 1e6, valid.fraction = 0.001,
        batch.size = 0, dropout = 0, ...)
    f <- fitInfill(prepared, p, seed = 1)
    expect_true(is.na(f@heldout$pearson))
    c(refDeepForward(fitWeights(f)[[1]], cbind(0), p@output)$y, tail(fitHistory(f)$train, 1))
}

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

# ---- the same bits ----

test_that("the seed fixes the bits; threads and the form of the input do not touch them", {
    for (more in list(list(), list(hidden = 70, batch.size = 13, best = TRUE), list(joint = TRUE, zero.weight = 0.2),
        list(max.iter = 200, learning.rate = 0.02, patience = 3), list(cell.fraction = 0.6, normalize = "median"))) {
        go <- function(x = counts, threads = 1, seed = 1) fitInfill(x, do.call(deepParam, c(list(network.size = 12), more)),
            seed = seed, num.threads = threads)
        one <- go()
        out <- infill(counts, one)
        for (threads in 2:3) {
            expectSame(go(threads = threads), one)
            expect_identical(infill(counts, one, num.threads = threads), out)
        }
        expectSame(go(sparse(counts)), one)
        expectSame(go(delayed(counts), 2), one)
        expect_false(identical(go(seed = 2)@weights, one@weights))
    }
})

test_that("BPPARAM: the same bits, network by network", {
    skip_if_not_installed("BiocParallel")
    backs <- list(BiocParallel::SerialParam())
    if (.Platform$OS.type != "windows") backs <- c(backs, BiocParallel::MulticoreParam(2), BiocParallel::MulticoreParam(3))
    if (nzchar(Sys.getenv("INFILL_SLOW"))) backs <- c(backs, BiocParallel::SnowParam(2))
    for (more in list(list(network.size = 11, best = TRUE, learning.rate = 0.02, max.iter = 60, patience = 3),
        list(network.size = 60, genes = 1:20))) {
        p <- do.call(deepParam, more)
        none <- fitInfill(counts, p, seed = 1)
        for (b in backs) {
            expectSame(fitInfill(counts, p, seed = 1, BPPARAM = b), none)
            expect_identical(fitWeights(fitInfill(counts, p, seed = 1, BPPARAM = b, num.threads = 2)), fitWeights(none))
        }
    }
    expect_gt(length(unique(fitInfill(counts, deepParam(network.size = 11, learning.rate = 0.02, max.iter = 60, patience = 3),
        seed = 1)@best)), 1)
    expect_identical(infill(counts, fit@param, seed = 1, BPPARAM = backs[[1]]), infill(counts, fit))
})

test_that("a worker that fails ends in an error, and the session goes on", {
    skip_if_not_installed("BiocParallel")
    backs <- list(BiocParallel::SerialParam())
    if (.Platform$OS.type != "windows") backs <- c(backs, BiocParallel::MulticoreParam(2))
    for (b in backs) {
        withReplaced(".fitPart", function(...) stop("out of luck"), expect_error(fitInfill(counts, fit@param, seed = 1,
            BPPARAM = b), "worker of 'BPPARAM' failed.*out of luck", class = "infill_error"))
        expectSame(fitInfill(counts, fit@param, seed = 1, BPPARAM = b), fit)
    }
})

test_that("a worker that is killed ends in an error, and the session goes on", {
    skip_if_not_installed("BiocParallel")
    skip_on_os("windows")
    two <- BiocParallel::MulticoreParam(2)
    withReplaced(".fitPart", function(...) tools::pskill(Sys.getpid(), tools::SIGKILL), expect_error(suppressWarnings(
        fitInfill(counts, fit@param, seed = 1, BPPARAM = two)), "worker of 'BPPARAM' failed", class = "infill_error"))
    for (k in 1:2) expectSame(fitInfill(counts, fit@param, seed = 1, BPPARAM = BiocParallel::MulticoreParam(2)), fit)
})

test_that("several hidden layers: their weights, threads, workers, a pause", {
    p <- function(...) deepParam(hidden = c(12, 5, 9), learning.rate = 0.01, ...)
    deep <- fitInfill(counts, p(), seed = 1)
    nets <- subNetworks(deep)
    expect_gt(nrow(nets), 2)
    for (k in seq_len(nrow(nets))) expect_identical(lapply(fitWeights(deep)[[k]], dim), list(W1 = c(nets$predictors[k], 12L),
        b1 = c(12L, 1L), W2 = c(12L, 5L), b2 = c(5L, 1L), W3 = c(5L, 9L), b3 = c(9L, 1L), W4 = c(9L, nets$targets[k]),
        b4 = c(nets$targets[k], 1L)))
    expectSame(fitInfill(counts, p(), seed = 1, num.threads = 2), deep)
    skip_if_not_installed("BiocParallel")
    expectSame(fitInfill(counts, p(), seed = 1, BPPARAM = BiocParallel::SerialParam()), deep)
    half <- fitInfill(counts, p(max.iter = 3), seed = 1, keep.state = TRUE)
    expect_identical(fitInfill(counts, p(), resume = half)@weights, deep@weights)
    for (bad in list(c(4, 0), c(2.5, 3), rep(3, 9), c(3, NA), numeric())) expect_error(DeepImputeParam(hidden = bad),
        "'hidden' must be whole numbers", class = "infill_error")
})

test_that("a delayed result is the dense one to the bit, whatever is asked for", {
    for (keep in c("observed", "none", "max")) for (output in c("counts", "logcounts")) {
        whole <- plain(infill(counts, fit, keep = keep, output = output))
        late <- infill(counts, fit, keep = keep, output = output, as = "delayed")
        expect_s4_class(late, "DelayedMatrix")
        expect_identical(as.matrix(late), whole)
        for (rows in list(7L, c(60L, 1L, 1L), unname(subNetworks(fit)$target.genes[[2]]), integer(),
            which(fit@recipe$status != "modelled"))) for (cols in list(3L, c(9L, 3L, 3L, 44L)))
                expect_identical(as.matrix(late[rows, cols, drop = FALSE]), whole[rows, cols, drop = FALSE])
    }
    expect_true(any(fit@recipe$status != "modelled"))
})

test_that("a resumed fit ends with the same bits as one in one go, figures included", {
    for (more in list(list(), list(batch.size = 7), list(patience = 3), list(patience = 3, best = TRUE), list(patience = 8, joint = TRUE),
        list(patience = 8, joint = TRUE, best = TRUE), list(cell.fraction = 0.5, normalize = "median"))) {
        go <- function(n) do.call(deepParam, utils::modifyList(list(max.iter = n, learning.rate = 0.02, network.size = 12,
            patience = 100), more))
        whole <- fitInfill(counts, go(60), seed = 4)
        label <- paste(names(more), more, collapse = ", ")
        for (n in c(1, 9, 20)) {
            start <- fitInfill(counts, go(n), seed = 4, keep.state = TRUE)
            if (!any(start@stopped == "the most iterations allowed")) next
            again <- fitInfill(counts, go(60), resume = start, num.threads = if (n == 9 && !length(more)) 2)
            for (s in c("weights", "history", "best", "stopped", "heldout")) expect_identical(slot(again, s), slot(whole, s),
                info = paste(s, "after", n, label))
        }
    }
})

test_that("a checkpoint is gone on from, and removed at the end", {
    file <- tempfile(fileext = ".rds")
    on.exit(unlink(file))
    p <- function(n) deepParam(max.iter = n, learning.rate = 0.02, patience = 5)
    whole <- fitInfill(counts, p(40), seed = 4)
    expectSame(fitInfill(counts, p(40), seed = 4, checkpoint = file, checkpoint.every = 7), whole)
    expect_false(file.exists(file))
    saveRDS(fitInfill(counts, p(10), seed = 4, keep.state = TRUE), file)
    expectSame(fitInfill(counts, p(40), checkpoint = file), whole)
    expect_false(file.exists(file))
})

test_that("a fit survives saveRDS, and says what it is", {
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(readRDS(file), fit)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expect_true(validObject(fit))
    expect_identical(unlist(fitWeights(fit), use.names = FALSE), fit@weights)
    expect_identical(fit@cells, 44L)
    expect_identical(fit@seed, 1)
    expect_length(fit@state, 0)
    nets <- subNetworks(fit)
    for (k in seq_len(nrow(nets))) expect_identical(lapply(fitWeights(fit)[[k]], dim), list(W1 = c(nets$predictors[k], 12L),
        b1 = c(12L, 1L), W2 = c(12L, nets$targets[k]), b2 = c(nets$targets[k], 1L)))
    expect_output(print(fit), "InfillFit of DeepImputeParam, seed 1.*genes modelled of 60.*4 networks, 8 to 8 iterations.*Pearson")
    one <- fitted(genes = 1:10)
    expect_output(print(one), "8 iterations, the most")
    expect_identical(names(fitWeights(one)[[1]]), c("W1", "b1", "W2", "b2"))
    expect_identical(names(fitWeights(one))[2], "limit")
    expect_output(print(DeepImputeParam()), "DeepImputeParam.*network.size +512")
    expect_error(subNetworks(fitInfill(counts, NoneParam(), seed = 1)), "NoneParam", class = "infill_error")
})

# ---- other cells, other genes ----

test_that("cells are filled the same whoever is beside them", {
    for (normalize in c("none", "median")) {
        f <- fitted(normalize = normalize)
        whole <- plain(infill(counts, f, keep = "none"))
        for (at in list(1:13, 14:44, 33, c(40, 2, 9))) {
            expect_identical(plain(infill(counts[, at, drop = FALSE], f, keep = "none")), whole[, at, drop = FALSE])
        }
    }
    half <- fitted(x = counts[, 1:22])
    expect_equal(unname(plain(infill(counts[, 23:44], half, keep = "none"))), refDeepInfill(counts[, 23:44], half), tolerance = 1e-4)
})

test_that("genes are found by name: permuted, with more of them, with fewer", {
    f <- fitted(n.genes = 16, n.predictors = 1)
    whole <- plain(infill(counts, f))
    order <- withSeed(1, sample(60))
    expect_identical(plain(infill(counts[order, ], f)), whole[order, ])
    more <- rbind(extra1 = 1:44, counts, extra2 = 0)
    out <- infill(more, f)
    expect_identical(out[rownames(counts), ], whole)
    expect_identical(out[c("extra1", "extra2"), ], more[c("extra1", "extra2"), ] + 0)
    used <- f@recipe$selected[c(2, 9)]
    expect_error(infill(counts[-used, ], f), paste(rownames(counts)[used], collapse = ", "), class = "infill_mismatch")
    unused <- setdiff(1:60, f@recipe$selected)
    expect_gt(length(unused), 10)
    expect_identical(plain(infill(counts[-unused, ], f)), whole[-unused, ])
    expect_identical(plain(infill(unname(counts), f)), unname(whole))
})

test_that("a part of the cells is learnt from, all are filled", {
    f <- fitted(cell.fraction = 0.5)
    cells <- .Call(infill:::C_choose, 44, 22, 1)
    expect_identical(f@cells, 22L)
    expect_length(unique(cells), 22)
    expectSame(f, fitted(x = counts[, cells]))
    expect_identical(dim(infill(counts, f)), dim(counts))
    at <- targets(f)
    expect_gt(mean(infill(counts, f)[at, -cells][counts[at, -cells] == 0] > 0), 0.9)
    expect_false(identical(fitted(cell.fraction = 0.5, seed = 2)@recipe$score, f@recipe$score))
    expect_identical(fitted(cell.fraction = 1e-6)@cells, 2L)
})

test_that("permuting genes permutes networks of ranked genes", {
    order <- withSeed(1, sample(60))
    one <- fitted(order = "progressive")
    two <- fitted(order = "progressive", x = counts[order, ])
    expect_identical(lapply(subNetworks(two)$target.genes, names), lapply(subNetworks(one)$target.genes, names))
    expect_identical(lapply(subNetworks(two)$predictor.genes, function(g) sort(names(g))),
        lapply(subNetworks(one)$predictor.genes, function(g) sort(names(g))))
})

# ---- the edges ----

test_that("genes that do not vary are neither targets nor predictors", {
    x <- counts
    x[4, ] <- 0
    x[5, ] <- 7
    x[6, ] <- 31.3
    f <- fitted(x = x, n.genes = Inf, n.predictors = 60)
    expect_setequal(which(f@recipe$status == "not selected"), which(refScore(x) < 1e-12))
    out <- infill(x, f, keep = "none")
    expect_identical(out[4:6, ], x[4:6, ] + 0)
})

test_that("the fewest genes and cells", {
    two <- counts[3:4, ]
    expect_message(f <- fitted(x = two, network.size = 512), "2 genes are too few.*networks of 1")
    expect_identical(nrow(subNetworks(f)), 2L)
    expect_setequal(targets(f), 1:2)
    expect_equal(unname(plain(infill(two, f, keep = "none"))), refDeepInfill(two, f), tolerance = 1e-4)
    for (M in c(2, 3, 19)) {
        f <- fitted(x = counts[, 1:M], min.vmr = 0)
        expect_identical(f@cells, as.integer(M))
        expect_length(heldCells(f, counts[, 1:M], 1), 1)
        expect_true(all(is.finite(infill(counts, f, keep = "none"))))
    }
    odd <- fitted(x = counts[, 1:3], n.predictors = 1000, network.size = 4)
    expect_true(all(lengths(predictors(odd)) + 4 == sum(refScore(counts[, 1:3]) > 0)))
})

test_that("a cell and a gene without counts among others keep everything finite", {
    x <- counts
    x[, c(3, 9)] <- 0
    x[8, ] <- 0
    for (normalize in c("none", "median")) {
        f <- fitted(x = x, normalize = normalize, batch.size = 2)
        expect_true(all(is.finite(f@weights)) && all(is.finite(as.matrix(f@history))))
        for (output in c("counts", "normcounts", "logcounts")) {
            out <- infill(x, f, keep = "none", output = output)
            expect_true(all(is.finite(out)))
            expect_identical(unname(out[, 3]), numeric(60))
        }
    }
})

test_that("duplicated gene names are allowed, but not to choose by", {
    odd <- counts
    rownames(odd)[2:3] <- rownames(odd)[1]
    out <- infill(odd, deepParam(), seed = 1)
    expect_identical(dimnames(out), dimnames(odd))
    expect_identical(unname(plain(out)), unname(plain(infill(counts, fit))))
    expect_error(fitted(genes = c("g1", "g9"), x = odd), "once in 'x'.*: g1$", class = "infill_error")
    expect_error(fitted(genes = c("g8", "g9"), x = odd), NA)
    expect_error(fitted(genes = c("g8", "nobody"), x = odd), "1 are not: nobody", class = "infill_error")
    expect_error(fitted(genes = "g8", x = unname(odd)), "g8", class = "infill_error")
})

test_that("huge counts neither overflow nor disappear", {
    huge <- counts
    huge[1:5, ] <- huge[1:5, ] * 1e12
    out <- infill(huge, deepParam(learning.rate = 0.05), seed = 1)
    expect_true(all(is.finite(out)))
    expect_identical(out[huge > 0], huge[huge > 0] + 0)
})

test_that("a fit that cannot be held in memory is refused with numbers that are there", {
    old <- options(infill.memory.limit = 1000)
    on.exit(options(old))
    message <- tryCatch(fitted(hidden = NA, network.size = 30), infill_error = conditionMessage)
    expect_match(message, "'hidden'")
    expect_no_match(message, "NA")
})

test_that("a progress line is written when asked for", {
    expect_silent(fitInfill(counts, deepParam(), seed = 1, progress = FALSE))
    expect_message(f <- fitInfill(counts, deepParam(), seed = 1, progress = TRUE), "DeepImpute: iteration 1 of 8, loss .*held out")
    expect_identical(f@weights, fit@weights)
})

# ---- does it help? ----

test_that("hidden entries of a low-rank matrix are recovered better than by the gene's mean", {
    x <- lowRankCounts()
    m <- maskCounts(x, fraction = 0.1, seed = 1)
    rmse <- function(param) recoveryError(m, infill(maskedData(m), param, seed = 1))$rmse
    ours <- rmse(DeepImputeParam(network.size = 100, hidden = 64, learning.rate = 1e-3, max.iter = 200, n.genes = Inf))
    expect_lt(ours, 0.9 * min(rmse(GeneMeanParam("all")), rmse(GeneMeanParam("detected"))))
})
