# scINN: steps of training, against the formulas in plain R (helper-scinn-formulas.R).

data <- scinnSeen
counts <- data$counts
seen <- unname(counts > 0)
on <- which(rowSums(seen) >= 3)
losses <- c("cluster", "similarity", "reconstruction", "zero")

# The oracle at the weights w of a fit to x
oracle <- function(w, fit, x = counts, latent = data$latent, labels = data$group,
    weights = c(1, 1, 1, 0.1), predictor = "mlp", cluster.loss = "softmax.bce", log = "log2")
{
    xs <- refScinnInput(x, fitParts(fit, "genes"), log)$xs
    used <- colSums(x) > 0
    xs <- xs[used, ]
    refScinnModuleTwo(w, xs, 1, match(labels[used], unique(labels[used])),
        refScinnUnit(latent[used, ]), weights, refScinnVariance(xs), 0, predictor, cluster.loss)
}

# The second step of a fit by the oracle. The package is in single precision (2^-24 = 6e-8 of each
# sum's largest term, over sums of hundreds of terms that partly cancel): 1e-4 of the largest entry
# is far above that, and far below any mistake.
expectStep <- function(..., lr = 0.01, wd = 1, labels = data$group, x = counts) {
    more <- list(...)
    a <- c(more, list(learning.rate = lr, weight.decay = wd, x = x))
    a$labels <- labels
    first <- do.call(scinnWhole, c(a, max.iter = 1))
    second <- do.call(scinnWhole, c(a, max.iter = 2))
    one <- scinnState(first)
    two <- scinnState(second)
    expect_identical(fitParts(first, "weights"), one$w)
    expect_identical(fitParts(second, "weights"), two$w)
    weights <- if (isTRUE(more$paper)) c(1, 1, 0, 0) else c(1, 1, 1, 0.1)
    own <- match(c("cluster.weight", "similarity.weight", "reconstruction.weight", "zero.weight"),
        names(more))
    weights[!is.na(own)] <- unlist(more[own[!is.na(own)]])
    known <- more[intersect(names(more),
        c("latent", "labels", "predictor", "cluster.loss", "log"))]
    if (is.null(known$labels)) known$labels <- labels
    r <- do.call(oracle, c(list(one$w, first, x, weights = weights), known))
    info <- asText(more[setdiff(names(more), c("latent", "labels"))])

    # losses before the step
    h <- fitParts(second, "history")
    expect_identical(h$iteration, 1:2)
    expect_equal(h[1, ], fitParts(first, "history"), info = info)
    row <- unlist(h[2, c(losses, "train")], use.names = FALSE)
    expect_lt(max(abs(row / r$losses - 1)[r$losses > 0]), 1e-4)
    expect_true(all(row[r$losses == 0] == 0), info = info)

    # gradients, by the first moment; and the second
    g <- Map(function(new, old) (new - 0.9 * old) / 0.1, two$m, one$m)
    for (name in names(g)) {
        expect_lt(mostAway(g[name], r$gradient[name]), 1e-4)
        expect_lt(mostAway(two$v[name], list(0.999 * one$v[[name]] + 0.001 * r$gradient[[name]]^2)),
            3e-4)
    }

    # the step from these moments: the decay is of matrices alone
    decay <- wd * grepl("^W", names(g))
    names(decay) <- names(g)
    stepped <- Map(function(w, m, v, d) w * (1 - lr * d) - lr / (1 - 0.9^2) * m /
        (sqrt(v) / sqrt(1 - 0.999^2) + 1e-7), one$w, two$m, two$v, decay)
    for (name in names(g)) expect_lt(max(abs(stepped[[name]] - two$w[[name]])), 1e-6)

    # all at once, where the gradient is not mostly the rounding of its sum: Adam divides by its
    # size
    all <- refScinnAdamw(one$w, r$gradient, one[c("m", "v")], 2, lr, decay)$theta
    for (name in names(g)) {
        size <- abs(r$gradient[[name]])
        sure <- size > 1e-2 * max(size) | (size == 0 & one$m[[name]] == 0)
        expect_gt(mean(sure), 0.3)
        expect_lt(max(abs(all[[name]] - two$w[[name]])[sure]), 0.01 * lr)
    }
    invisible(second)
}

test_that("a step of training is the oracle's, for each loss and predictor", {
    for (cluster.loss in c("softmax.bce", "sigmoid.bce", "categorical"))
        for (predictor in c("mlp", "linear"))
        expectStep(cluster.loss = cluster.loss, predictor = predictor)
})

test_that("a step of training is the oracle's, for all weights of the losses", {
    expectStep(paper = TRUE)
    expectStep(cluster.weight = 0, similarity.weight = 0.5, reconstruction.weight = 2,
        zero.weight = 1)
    expectStep(cluster.weight = 3, similarity.weight = 0, reconstruction.weight = 0,
        zero.weight = 0.5)
    expectStep(lr = 0.03, wd = 0)
    expectStep(lr = 1e-3, wd = 1e-3)
})

test_that("a step of training is the oracle's: one cluster, many, other latents and sizes", {
    fit <- expectStep(labels = rep(1, 40))
    expect_identical(dim(fitParts(fit, "weights")$W5), c(15L, 1L))
    expect_true(all(fitParts(fit, "history")$cluster == 0))
    expectStep(labels = rep(1:2, 20))
    expectStep(labels = seq_len(40))                          # a cluster a cell
    expectStep(latent = data$latent[, 1:2])
    expectStep(latent = cbind(data$latent, -data$latent + 1:40))
    fit <- expectStep(hidden = 20)
    expect_identical(dim(fitParts(fit, "weights")$W1), c(length(on), 20L))
    expectStep(n.genes = 20)
})

test_that("a step of training is the oracle's: no logarithms, cells of nothing and of one count", {
    expectStep(log = "none")
    x <- counts
    x[, 9] <- 0
    x[, 12] <- c(3, numeric(59))
    x[on[4], ] <- 2                                            # and a gene that never varies
    x[on[4], c(9, 12)] <- 0
    expectStep(x = x)
    l <- data$latent
    l[c(3, 20), ] <- c(0, 1.7)                                 # no direction
    expectStep(latent = l)
})

test_that("shapes, genes and sizes of a fit", {
    fit <- scinnFit(max.iter = 1)
    G <- length(on)
    expect_identical(sort(unname(fitParts(fit, "genes"))), unname(on))
    # round(40 / 25) is less than the least, 16
    expect_identical(lapply(fitParts(fit, "weights"), dim),
        list(W1 = c(G, 16L), b1 = c(16L, 1L), W2 = c(16L, G), b2 = c(G, 1L), W3 = c(G, 64L),
        b3 = c(64L, 1L), W4 = c(64L, 15L), b4 = c(15L, 1L), W5 = c(15L, 3L), b5 = c(3L, 1L)))
    expect_identical(lapply(fitParts(scinnFit(max.iter = 1, predictor = "linear"), "weights"), dim)[-(1:4)],
        list(W3 = c(G, 15L), b3 = c(15L, 1L), W5 = c(15L, 3L), b5 = c(3L, 1L)))
    expect_identical(names(fitParts(fit, "history")), c("iteration", "train", "valid", "penalty", losses))
    expect_identical(nrow(fitParts(scinnFit(), "history")), 60L)
    v <- apply(log2(counts + 1), 1, var)
    v[-on] <- -1
    expect_setequal(fitParts(scinnFit(max.iter = 1, n.genes = 20), "genes"), order(-v)[1:20])
})

test_that("initial values: Glorot's bounds, a tenth for W2, gene means for b2", {
    for (predictor in c("mlp", "linear")) {
        w <- fitParts(scinnWhole(max.iter = 1, learning.rate = 1e-8, predictor = predictor), "weights")
        xs <- refScinnInput(counts, fitParts(scinnWhole(max.iter = 1), "genes"))$xs
        expect_lt(max(abs(w$b2 - colSums(xs) / colSums(xs > 0))), 2e-7)
        for (name in setdiff(grep("^b", names(w), value = TRUE), "b2"))
            expect_lt(max(abs(w[[name]])), 1e-7)
        for (name in grep("^W", names(w), value = TRUE)) {
            m <- w[[name]] * if (name == "W2") 10 else 1
            bound <- sqrt(6 / sum(dim(m)))
            expect_lte(max(abs(m)), bound + 2e-6)              # a tenth of it has gained rounding
            expect_gt(max(abs(m)), 0.9 * bound)
            expect_equal(sd(m) * sqrt(3) / bound, 1,
                tolerance = if (length(m) > 500) 0.05 else 0.25)
            expect_lt(abs(mean(m)), 4 * bound / sqrt(3 * length(m)))
            expect_gt(length(unique(as.vector(w[[name]]))), 0.95 * length(m))
            expect_lt(abs(cor(m[, 1], m[, ncol(m)])), if (ncol(m) > 1 && nrow(m) > 30) 0.6 else 2)
        }
    }
    expect_gt(mostAway(fitParts(scinnFit(max.iter = 1, learning.rate = 1e-8, seed = 2), "weights")["W1"],
        w["W1"]), 0.1)
    h <- fitParts(scinnWhole(max.iter = 1), "history")
    # near the gene means, whose loss is 1
    expect_lt(abs(h$reconstruction - 1), 0.1)
})

test_that("without its weight the cluster head only decays", {
    w <- lapply(1:3,
        function(n) fitParts(scinnWhole(max.iter = n, cluster.weight = 0, learning.rate = 0.01,
        weight.decay = 2), "weights"))
    for (k in 1:2) {
        expect_lt(mostAway(w[[k + 1]]["W5"], lapply(w[[k]]["W5"], `*`, 1 - 0.02)), 1e-6)
        expect_true(all(w[[k + 1]]$b5 == 0))
    }
})

test_that("'paper' is its weights, and nothing left out", {
    one <- scinnFit(max.iter = 4, paper = TRUE)
    two <- scinnFit(max.iter = 4, reconstruction.weight = 0, zero.weight = 0, drop = 0)
    expect_identical(one@weights, two@weights)
    expect_identical(fitParts(one, "history"), fitParts(two, "history"))
    expect_false(identical(scinnFit(max.iter = 4)@weights, one@weights))
    said <- character()
    note <- function(restart) function(c) {
        said <<- c(said, conditionMessage(c))
        invokeRestart(restart)
    }
    withCallingHandlers(infill(counts, scinnParam(paper = TRUE, max.iter = 2), seed = 1),
        warning = note("muffleWarning"), message = note("muffleMessage"))
    expect_match(said, "identif|determin|magnitude|size", all = FALSE)
})

test_that("entries left out are another problem of the same size", {
    none <- fitParts(scinnFit(max.iter = 1, batch.size = 1000, drop = 0), "history")
    some <- fitParts(scinnFit(max.iter = 1, batch.size = 1000, drop = 0.3), "history")
    for (name in c("similarity", "reconstruction", "zero")) {
        expect_false(some[[name]] == none[[name]])
        expect_lt(abs(some[[name]] / none[[name]] - 1), 0.3)
    }
})

test_that("names of clusters do not matter", {
    one <- scinnFit(max.iter = 3)
    for (labels in list(c("a", "b", "c")[data$group], 10 * data$group, as.integer(data$group),
        factor(data$group)))
        expect_identical(scinnFit(max.iter = 3, labels = labels)@weights, one@weights)
})

test_that("losses with a weight go down", {
    for (more in list(list(), list(predictor = "linear"), list(cluster.loss = "sigmoid.bce"))) {
        h <- fitParts(do.call(scinnFit, more), "history")
        expect_true(all(is.finite(as.matrix(h[c("train", losses)]))))
        weighted <- as.matrix(h[losses]) %*% c(1, 1, 1, 0.1)
        expect_equal(h$train, as.vector(weighted), tolerance = 1e-5)
        last <- nrow(h)
        for (name in c("train", losses)) expect_lte(h[[name]][last], 1.05 * h[[name]][1])
        expect_lt(h$train[last], 0.8 * h$train[1])
    }
    h <- fitParts(scinnFit(paper = TRUE), "history")
    for (name in c("cluster", "similarity")) expect_lt(h[[name]][nrow(h)], h[[name]][1])
    expect_equal(h$train, h$cluster + h$similarity, tolerance = 1e-5)
})
