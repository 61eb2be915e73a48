# DeepImpute: genes of the networks, targets and predictors.

counts <- smallCounts(60, 44)
fitted <- function(..., x = counts, seed = 1) fitInfill(x, deepParam(...), seed = seed)
fit <- fitted()
targets <- function(fit) unlist(fitParts(fit, "networks")$target.genes, use.names = FALSE)
predictors <- function(fit) lapply(fitParts(fit, "networks")$predictor.genes, unname)

test_that("a worked example: gene score, targets, predictors", {
    x <- rbind(g1 = c(1, 2, 3, 4), g2 = c(2, 4, 6, 9), g3 = c(4, 3, 2, 1), g4 = c(0, 1, 0, 1))
    expect_equal(refScore(x), c(0.476190, 1.426667, 0.476190, 0.222222), tolerance = 1e-6)
    for (n in 1:2) {
        fit <- fitInfill(x, DeepImputeParam(network.size = 2, n.predictors = n, max.iter = 1,
            order = "progressive"), seed = 1)
        nets <- fitParts(fit, "networks")
        expect_identical(nets$target.genes, list(c(g2 = 2L, g1 = 1L)))
        expect_identical(nets$predictor.genes, list(list(c(g3 = 3L), c(g3 = 3L, g4 = 4L))[[n]]))
        expect_identical(fit@recipe$status,
            c("modelled", "modelled", "predictor", c("not selected", "predictor")[n]))
        expect_equal(fit@recipe$score, refScore(x)[c(1:3, if (n == 2) 4)], tolerance = 1e-12)
    }
    r <- infill:::.nearestGenes(DeepImputeParam(n.predictors = 3), sparse(x), rowMeans(x),
        apply(x, 1, sd), rep(-1, 4), 1:2, rep(TRUE, 4), 1L)
    expect_equal(abs(r$r), cbind(c(1, 0.994376712684, 0.4472135955),
        c(0.994376712684, 0.994376712684, 0.483368244523)), tolerance = 1e-10)
    expect_identical(r$gene[, 1] + 1L, c(3L, 2L, 4L))
})

test_that("any number of genes: networks, filling up, predictors outside", {
    S <- 5
    top <- refTargets(counts, 1, min.vmr = 0)
    v <- refScore(counts)[top]
    for (n in 1:(3 * S + 1)) for (order in c("random", "progressive")) {
        by <- if (n %% 2) list(n.genes = n) else list(min.vmr = mean(v[n + 0:1]))
        nets <- fitParts(do.call(fitted,
            c(by, list(network.size = S, n.predictors = 2, max.iter = 1, order = order))), "networks")
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
    nets <- fitParts(fitted(n.genes = Inf, network.size = 7, max.iter = 1), "networks")
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
        expect_identical(targets(fitted(gene.score = score, min.vmr = min.vmr, network.size = 4,
            order = "progressive", max.iter = 1)), refTargets(counts, 4, score, min.vmr))
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
        expect_identical(unname(fitParts(fit, "networks")$target.genes),
            list(c(g9 = 9L, g3 = 3L), c(g31 = 31L, g4 = 4L), c(g50 = 50L)))
        expect_identical(predictors(fit),
            lapply(list(at[1:2], at[3:4], at[5]), refPredictors, counts = counts, n = 5))
        expect_setequal(which(fit@recipe$status == "modelled"), at)
    }
    zero <- counts
    zero[3, ] <- 0
    expect_warning(fit <- fitted(genes = at, x = zero, max.iter = 1), "1 of 'genes'.*: 3$")
    expect_setequal(targets(fit), setdiff(at, 3))
})

test_that("modelledGenes() are the targets, best first", {
    fit <- fitted(n.genes = 20, network.size = 10, max.iter = 1)
    expect_setequal(fitParts(fit, "genes"), targets(fit))
    expect_gt(length(fit@recipe$selected), length(fitParts(fit, "genes")))
    expect_identical(names(fitParts(fit, "genes")), rownames(counts)[fitParts(fit, "genes")])
    expect_identical(unname(fitParts(fit, "genes")), refTargets(counts, 10, n = 20))
})

test_that("correlations are those of cor(), the lower gene first where they tie", {
    x <- counts
    x[c(20, 33, 47), ] <- x[rep(12, 3), ]
    all <- unname(which(apply(x, 1, sd) > 0))
    set <- rep(c(0L, 1L, -1L), length.out = 60)
    set[12] <- 2L
    for (correlation in c("counts", "log1p")) for (threads in 1:2) {
        near <- infill:::.nearestGenes(DeepImputeParam(n.predictors = 5, correlation = correlation),
            sparse(x), rowMeans(x), apply(x, 1, sd), set, c(12, 1:6), seq_len(60) %in% all, threads)
        r <- suppressWarnings(cor(t(if (correlation == "counts") x else log1p(x))))
        for (k in 1:7) {
            g <- c(12, 1:6)[k]
            free <- all[all != g & set[all] != set[g] | set[all] == -1 & all != g]
            expect_identical(near$gene[, k] + 1L,
                free[head(order(-round(abs(unname(r[g, free])), 10)), 5)])
            expect_equal(near$r[, k], unname(r[g, near$gene[, k] + 1]), tolerance = 1e-12)
        }
        expect_identical(near$gene[1:3, 1] + 1L, c(20L, 33L, 47L))
    }
    logs <- fitted(correlation = "log1p", max.iter = 1)
    expect_identical(predictors(logs),
        lapply(fitParts(logs, "networks")$target.genes, refPredictors, counts = counts, n = 5, log = TRUE))
    expect_false(identical(predictors(logs), predictors(fit)))
})

test_that("candidates are those of largest sd / mean", {
    cv <- ifelse(rowMeans(counts) > 0, apply(counts, 1, sd) / rowMeans(counts), 0)
    fit <- fitted(n.candidates = 20, max.iter = 1)
    best <- sort(order(-cv)[1:20])
    expect_identical(predictors(fit),
        lapply(fitParts(fit, "networks")$target.genes, refPredictors, counts = counts, n = 5,
        candidates = best))
    expect_true(all(unlist(predictors(fit)) %in% best))
    expect_identical(predictors(fitted(n.candidates = 60, max.iter = 1)),
        predictors(fitted(max.iter = 1)))
    expect_error(fitted(genes = order(-cv)[2:4], n.candidates = 1, max.iter = 1), NA)
    expect_error(fitted(genes = order(-cv)[1:40], n.candidates = 1, network.size = 30),
        "'network.size' \\(now 30\\).*'n.candidates'", class = "infill_error")
})

test_that("fewer genes than a network and its predictors need: networks of half the genes", {
    n <- length(refTargets(counts, 60, n = 60))
    expect_message(fit <- fitted(network.size = 512, n.genes = Inf, max.iter = 1),
        sprintf("%d genes are too few for a network of 512 .*: networks of %d", n, ceiling(n / 2)))
    expect_identical(fitParts(fit, "networks")$targets, c(as.integer(ceiling(n / 2)), n %/% 2L))
    expect_silent(fitted(network.size = 16, n.genes = 16, max.iter = 1))
    # one gene is left
    expect_silent(fitted(network.size = n - 1, n.genes = n - 1, n.predictors = 100, max.iter = 1))
    expect_identical(ncol(fitParts(fitted(hidden = NA, network.size = 30, max.iter = 1), "weights")[[1]]$W1),
        15L)
    expect_identical(ncol(fitParts(fitted(hidden = NA, network.size = 8, max.iter = 1), "weights")[[1]]$W1),
        10L)
    wide <- fitted(hidden = NA, network.size = 512, genes = 1:10, max.iter = 1)
    expect_identical(ncol(fitParts(wide, "weights")[[1]]$W1), 256L)
})
