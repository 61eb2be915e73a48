# GraphSCI: shapes, costs, heads and edges of a fit, against the formulas in plain R
# (helper-graphsci-formulas.R).

counts <- graphSeen$counts
Y <- graphSeen$Y
ready <- graphSeen$ready
graph <- graphSeen$graph
costs <- c(adj = "adjacency", exp = "expression", kl = "divergence", mse = "error", l2 = "penalty")

test_that("shapes of a fit", {
    fit <- graphFit()
    h <- fitParts(fit, "history")
    expect_true(all(c("iteration", "train", "valid", unname(costs)) %in% names(h)))
    expect_identical(h$iteration, 1:3)
    expect_true(all(is.finite(as.matrix(h[c("train", costs)]))))
    expect_true(all(is.na(h$valid)))                           # of nothing held out
    w <- fitParts(fit, "weights")
    shape <- c(E2 = 80 * 32, P = 32 * 60, T = 32 * 60, D = 32 * 60, p0 = 60, t0 = 60, d0 = 60,
        Qa = 60 * 32, Wm = 32 * 60)
    expect_identical(lengths(w)[names(shape)], vapply(shape, as.integer, 0L))
    for (k in c("E2", "Qa")) expect_identical(ncol(w[[k]]), 32L)
    for (k in c("P", "T", "D", "Wm")) expect_identical(dim(w[[k]]), c(32L, 60L))
    expect_identical(dim(graphLatent(graphFit(latent = "inner"))), c(60L, 32L))
    expect_true(all(is.finite(unlist(w))))
    expect_gte(min(w$E2, w$Qa), 0)
    expect_setequal(fitParts(fit, "genes"), 1:60)
})

test_that("the cost is the sum of its parts", {
    for (v in graphVariants) {
        h <- fitParts(do.call(graphFit, v[[1]]), "history")
        # sums of five single-precision numbers
        expect_lt(largest(h$train / rowSums(h[costs]), 1), 1e-5)
    }
    h <- fitParts(graphFit(mse.weight = 0, l2 = 0), "history")
    expect_true(all(h$error == 0) && all(h$penalty == 0))
})

# The package draws other numbers than the oracle: only means over seeds can be compared, but these
# are narrow.
test_that("costs of epochs 1 and 16 are the oracle's: likelihoods, gradients, steps", {
    for (name in names(graphVariants)) {
        fits <- lapply(1:4,
            function(seed) fitParts(do.call(graphFit,
            c(graphVariants[[name]][[1]], max.iter = 16, seed = seed)), "history"))
        for (k in 1:2) {
            package <- Reduce(`+`, lapply(fits, function(h) unlist(h[c(1, 16)[k], costs]))) / 4
            known <- matrix(graphExpected[[name]][[k]], 5)
            # 5 deviations of a difference of means, of 4 fits and of the oracle's 24
            limit <- 5 * sqrt(1 / 4 + 1 / 24) * known[, 2] + 1e-4 * known[, 1] + 1e-12
            for (j in 1:5) expect_lt(abs(package[[j]] - known[j, 1]) / limit[j], 1,
                label = sprintf("%s, %s, epoch %d: %g, not %g; over its limit", name, costs[j],
                c(1, 16)[k], package[[j]], known[j, 1]))
        }
    }
})

test_that("the learning rate decays as the oracle's: costs of the 100th epoch", {
    fits <- lapply(1:4,
        function(seed) unlist(fitParts(graphFit(max.iter = 100, seed = seed), "history")[100, costs]))
    package <- Reduce(`+`, fits) / 4
    # over graphOracle(100, seed) of the seeds 101:116; without decay the penalty is 0.0267
    mean <- c(0.60341, 1.8472, 0.12764, 0.0010633, 0.024167)
    sd <- c(0.011721, 0.010249, 0.01363, 8.364e-5, 0.00065446)
    expect_lt(max(abs(package - mean) / sd), 5 * sqrt(1 / 4 + 1 / 16))
})

test_that("heads start where the data are, or at the reference's 0", {
    start <- function(...) graphFit(max.iter = 1, learning.rate = 1e-8, ...)
    h <- refGraphHeads(Y, ready$sf)
    p <- graphHeads(start())
    # the means over cells are the beta of batch norm; 1e-4: single precision, of values up to 30
    expect_lt(largest(colMeans(p$logmean), h$beta_m), 1e-4)
    expect_lt(largest(colMeans(p$l), -2), 1e-4)
    ratio <- function(m) apply(m, 2, function(x) sqrt(mean((x - mean(x))^2)))
    expect_true(all(ratio(p$logmean) / 0.3 < 1 + 1e-4 & ratio(p$logmean) / 0.3 > 0.9))
    expect_true(all(ratio(p$l) / 0.1 < 1 + 1e-4 & ratio(p$l) / 0.1 > 0.9))
    w <- fitParts(start(), "weights")
    o <- w$E2 %*% w$T + rep(as.vector(w$t0), each = 80)
    expect_lt(largest(colMeans(o), h$beta_t), 1e-4)
    expect_true(all(ratio(o) / 0.1 < 1 + 1e-3 & ratio(o) / 0.1 > 0.9))
    p <- graphHeads(start(init = "reference"))
    expect_lt(largest(colMeans(p$logmean), 0), 1e-5)
    expect_lt(largest(colMeans(p$l), 0), 1e-5)
    expect_true(all(ratio(p$logmean) < 1 + 1e-4 & ratio(p$logmean) > 0.9))
    # Glorot's bound of Wm, and the sizes of the layers
    bound <- sqrt(6 / 92)
    expect_lte(max(abs(w$Wm)), bound + 1e-6)
    expect_equal(sd(w$Wm) * sqrt(3) / bound, 1, tolerance = 0.05)
    a <- withSeed(1,
        lapply(1:20, function(k) refGraphPredict(refGraphStart(60, 80, heads = h), ready$X,
        ready$sf, graph)))
    measure <- function(r, Wm) c(mean(r$Qa), mean(r$Qa^2), mean(r$E2), mean(r$E2^2),
        mean(r$E2 == 0), sqrt(mean((r$Qa %*% Wm)^2)))
    known <- vapply(a, function(r) c(measure(r, 0 * w$Wm)[1:5], sqrt(mean(r$mu^2))), numeric(6))
    for (seed in 1:2) {
        w <- fitParts(start(seed = seed), "weights")
        expect_true(all(abs(measure(w, w$Wm) - rowMeans(known)) < 6 * apply(known, 1, sd)))
    }
})

test_that("the graph convolution has the normalised adjacency of the graph given", {
    # Qa is Ah times something: what Ah makes 0 is 0 in Qa. A path of five genes has such a
    # direction, and degrees 2 and 3.
    path <- outer(1:5, 1:5, function(i, j) abs(i - j) == 1) + 0
    A <- kronecker(diag(12), path)
    dimnames(A) <- dimnames(graph)
    none <- kronecker(diag(12), cbind(sqrt(c(2, 3, 3, 3, 2)) * c(1, -1, 0, 1, -1)))
    expect_lt(max(abs(refGraphNormalised(A) %*% none)), 1e-14)
    for (more in list(list(), list(latent = "inner"), list(dropout = 0, dist = "nb"))) {
        fit <- do.call(graphFit, c(list(adj = A), more))
        for (Q in Filter(Negate(is.null), list(fitParts(fit, "weights")$Qa, graphLatent(fit)))) {
            expect_gt(max(abs(Q)), 0.01)
            expect_lt(max(abs(crossprod(none, Q))), 1e-5 * max(abs(Q)))
        }
    }
    expect_gt(max(abs(crossprod(none, fitParts(graphFit(), "weights")$Qa))), 1e-3)
    # cliques: genes of one have the same row
    blocks <- kronecker(diag(6), matrix(1, 10, 10)) - diag(60)
    dimnames(blocks) <- dimnames(graph)
    Qa <- fitParts(graphFit(adj = blocks), "weights")$Qa
    first <- 10 * ((seq_len(60) - 1) %/% 10) + 1
    expect_lt(largest(Qa, Qa[first, ]), 1e-5 * max(Qa))
    expect_gt(largest(Qa[1, ], Qa[11, ]), 1e-4 * max(Qa))
})

test_that("a gene that never varies has no latent", {
    x <- rbind(c(2, 2, 2, 2), c(1, 3, 2, 2), c(3, 1, 2, 2), c(4, 4, 4, 4)) + 0   # equal depths
    x <- x[, rep(1:4, 5)]
    fit <- graphFit(x = x)
    w <- fitParts(fit, "weights")
    expect_true(all(w$Qa[c(1, 4), ] == 0))
    expect_gt(max(w$Qa[2:3, ]), 0)
    expect_true(all(is.finite(graphFilled(x, fit, keep = "none"))))
})

test_that("the fitted mean times the size factor is filled in", {
    for (v in graphVariants) {
        fit <- do.call(graphFit, c(v[[1]], max.iter = 5))
        r <- graphHeads(fit)
        all <- graphFilled(counts, fit, keep = "none")
        expect_identical(dimnames(all), dimnames(counts))
        expectClose(all, t(r$mean * ready$sf))
        filled <- graphFilled(counts, fit)
        expect_identical(filled[counts > 0], counts[counts > 0] + 0)
        expect_identical(filled[counts == 0], all[counts == 0])
        expectClose(graphFilled(counts, fit, keep = "none", output = "normcounts"), t(r$mean))
        n <- graphFilled(counts, fit, output = "normcounts")
        expect_lt(max(abs(n / t(t(counts) / ready$sf) - 1)[counts > 0]), 1e-6)
        expectClose(n[counts == 0, drop = FALSE], t(r$mean)[counts == 0, drop = FALSE])
        expectClose(fitParts(fit, what = "mean"), t(r$mean))
        expectClose(fitParts(fit, what = "dispersion"), t(r$dispersion))
        if (!identical(v[[1]]$dist, "nb")) expectClose(fitParts(fit, what = "dropout"),
            t(r$dropout))
    }
    fit <- graphFit()
    expect_identical(graphFilled(counts,
        GraphSciParam(max.iter = 3, stop = "none", valid.fraction = 0), seed = 1),
        graphFilled(counts, fit))
    expect_identical(plain(as.matrix(quiet(infill(sparse(counts), fit)))), graphFilled(counts, fit))
    expect_identical(unname(as.matrix(infill(counts, fit, as = "delayed"))),
        unname(graphFilled(counts, fit)))
    # nothing random is left
    expect_identical(graphFilled(counts, fit), graphFilled(counts, fit))
    expect_identical(rownames(fitParts(fit, what = "mean")), rownames(counts))
})

test_that("edges are the mean probabilities of both directions", {
    for (latent in c("code", "inner")) {
        fit <- graphFit(latent = latent, max.iter = 10)
        p <- graphEdges(fit, latent)
        dimnames(p) <- dimnames(graph)
        for (threshold in c(0.5, 0.55)) {
            e <- fitParts(fit, "edges", threshold = threshold)
            expect_identical(names(e), c("gene1", "gene2", "probability"))
            i <- match(as.character(e$gene1), rownames(counts))
            j <- match(as.character(e$gene2), rownames(counts))
            expect_true(all(i < j) && !anyDuplicated(cbind(i, j)))
            expect_lt(largest(e$probability, p[cbind(i, j)]), 1e-5)
            found <- matrix(FALSE, 60, 60)
            found[cbind(i, j)] <- TRUE
            sure <- upper.tri(p) & abs(p - threshold) > 1e-5
            expect_identical(found[sure], unname(p)[sure] > threshold)
            expect_gt(nrow(e), 0)
        }
        e <- fitParts(fit, "edges")
        m <- fitParts(fit, "edges", as = "matrix")
        expect_s4_class(m, "sparseMatrix")
        expect_true(Matrix::isSymmetric(m))
        dense <- as.matrix(m)
        expect_identical(sum(dense[upper.tri(dense)] != 0), nrow(e))
        expect_equal(dense[cbind(as.character(e$gene1), as.character(e$gene2))], e$probability)
    }
    bad <- function(...) expect_error(fitParts(fit, "edges", ...), class = "infill_error")
    bad(threshold = -0.1)
    bad(threshold = NA)
    bad(as = "list")
    expect_error(fitParts(counts, "edges"), class = "infill_error")
})

# ---- graphs ----

test_that("a graph given is the graph computed", {
    one <- graphFit()
    at <- which(graph > 0 & upper.tri(graph), arr.ind = TRUE)
    table <- data.frame(gene1 = rownames(counts)[at[, 1]], gene2 = rownames(counts)[at[, 2]])
    mixed <- table
    swap <- seq(1, nrow(table), by = 3)
    mixed[swap, ] <- table[swap, 2:1]
    back <- stats::setNames(table[2:1], names(table))
    shuffled <- withSeed(1, sample(60))
    for (adj in list(graph, sparse(graph), Matrix::forceSymmetric(sparse(graph)), table, mixed,
        rbind(table, back), graph[shuffled, shuffled])) expectSameGraph(graphFit(adj = adj), one)
    for (threshold in c(0.4, 0.2))
        expectSameGraph(graphFit(adj = graphNamed(refGraphAdjacency(Y, threshold))),
        graphFit(threshold = threshold))
    expectSameGraph(graphFit(adj = graphNamed(refGraphAdjacency(ready$Lg))),
        graphFit(correlation = "log1p"))
    expectOtherGraph(graphFit(threshold = 0.4), one)
    expectOtherGraph(graphFit(correlation = "log1p"), one)
})

test_that("no edges, all edges, one edge", {
    whole <- c("full", "edges")
    for (adj in list(0 * graph, graphNamed(1 - diag(60)), data.frame(gene1 = "g3", gene2 = "g58")))
        for (inner in whole) {
        fit <- graphFit(adj = adj, inner = inner)
        expect_true(all(is.finite(as.matrix(fitParts(fit, "history")[c("train", costs)]))))
        expect_true(all(is.finite(graphFilled(counts, fit, keep = "none"))))
        expect_true(is.data.frame(fitParts(fit, "edges")))
    }
    # labels are A + I, q = N - 1 and nu = N/(2 (N - 1)): the start costs about nu/N^2 (N^2 - N + N
    # q) E softplus(noise) = 0.806
    h <- fitParts(graphFit(adj = 0 * graph, max.iter = 1, learning.rate = 1e-8), "history")
    expect_equal(h$adjacency, 0.806, tolerance = 0.25)
})
