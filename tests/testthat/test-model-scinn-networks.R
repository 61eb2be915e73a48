# scINN's networks: first the oracle by itself (worked numbers, differences, algebra), then the package against it.
data <- refScinnData()
counts <- data$counts
seen <- unname(counts > 0)
on <- which(rowSums(seen) >= 3)
losses <- c("cluster", "similarity", "reconstruction", "zero")
said <- function(a) paste(deparse(a), collapse = "")

# The largest difference of each matrix, over its largest entry
away <- function(a, b) max(mapply(function(x, y) {
    off <- max(abs(x - y))
    if (off == 0) 0 else off / max(abs(y))
}, a, b))

# ---- the oracle: the page's numbers, 6.1 ----

test_that("oracle: SELU", {
    expect_equal(refScinnSelu(-1), -1.1113307, tolerance = 1e-7)
    expect_equal(refScinnSeluBack(1, 1e-12), 1.0507010, tolerance = 1e-7)
    at <- c(-800, -3, -0.1, 0.2, 5)
    expect_equal(refScinnSeluBack(rep(2, 5), at), (refScinnSelu(at + 1e-6) - refScinnSelu(at - 1e-6)) / 1e-6, tolerance = 1e-8)
    expect_true(all(is.finite(refScinnSelu(c(-1e5, 800)))))
})

test_that("oracle: the similarity loss", {
    r <- refScinnSimilarityLoss(rbind(1:3, c(1, 3, 2)), matrix(0, 2, 2))
    expect_equal(r$Sp[1, 2], 0.5, tolerance = 1e-7)
    expect_equal(r$loss, 0.125, tolerance = 1e-7)
    expect_equal(r$gradient[1, ], c(-0.125, 0.25, -0.125), tolerance = 1e-7)
    expect_lt(max(abs(rowSums(r$gradient))), 1e-15)
})

test_that("oracle: the cluster loss", {
    r <- refScinnClusterLoss(cbind(0, 0), 1)
    expect_equal(r$loss, 0.693147, tolerance = 1e-6)
    expect_equal(r$gradient, cbind(-0.5, 0.5))
    r <- refScinnClusterLoss(cbind(800, 0, -800), 3)
    expect_equal(r$loss, 800)
    expect_equal(r$gradient, cbind(2, -1, -1) / 3)
    one <- refScinnClusterLoss(cbind(c(3, -2)), c(1, 1), "sigmoid.bce")
    expect_identical(c(one$loss, one$gradient), c(0, 0, 0))    # off
})

test_that("oracle: KL, batch norm", {
    # doubled, as both decoders have it; only the logits of the variance are free
    doubled <- function(s, mu) refScinnNumeric(function(w) 2 * refScinnKl(mu, w$s), list(s = s))$s
    mu <- cbind(1, 0)
    expect_equal(refScinnKl(mu, cbind(0, 0)), 0.3465736, tolerance = 1e-7)
    expect_lt(max(abs(doubled(cbind(0, 0), mu))), 1e-9)
    expect_equal(refScinnKl(mu, cbind(0, log(3))), 0.4184941, tolerance = 1e-7)
    expect_equal(doubled(cbind(0, log(3)), mu), cbind(-0.25, 0.25), tolerance = 1e-8)
    bn <- refScinnBatchNorm(cbind(c(1, 3, 5)), 2, 0.5)
    expect_lt(max(abs(bn$h - c(-1.9490, 0.5, 2.9490))), 5e-5)
    expect_equal(c(bn$mean, bn$var), c(0.03, 1.03))
    expect_lt(max(abs(refScinnBatchNormBack(cbind(c(1, 0, 0)), bn, 2)$da - c(0.2043, -0.4082, 0.2039))), 5e-5)
})

test_that("oracle: masking", {
    xs <- rbind(c(0.5, 0, 0))
    r <- refScinnOutputBack(rbind(c(0.3, 0.4, -0.2)), xs, xs, rbind(1:3), 1, 1, 1)
    expect_equal(r$dO, rbind(c(-0.4, 2.4, 0)))
    expect_equal(c(r$Lr, r$L0), c(0.04, 0.08))
    # the same through a network whose output that is
    w <- list(W1 = matrix(0, 3, 1), b1 = 0, W2 = matrix(0, 1, 3), b2 = c(0.3, 0.4, -0.2), W3 = matrix(0, 3, 2), b3 = c(0, 0),
        W5 = matrix(0, 2, 1), b5 = 0)
    r <- refScinnModuleTwo(w, xs, 1, 1, matrix(0, 1, 2), c(1, 1, 1, 1), 1, predictor = "linear")
    expect_equal(r$XI, rbind(c(0.5, 0.4, 0)))
    expect_equal(refScinnPredict(w, xs, 7), 7 * rbind(c(0.5, 0.4, 0)))
})

test_that("oracle: the first step of AdamW, and of what decays", {
    zero <- list(m = list(a = 0), v = list(a = 0))
    expect_equal(refScinnAdamw(list(a = 1), list(a = 0.2), zero, 1, 1e-3, 0)$theta$a, 1 - 1e-3 * 0.2 / (0.2 + 1e-7),
        tolerance = 1e-15)
    expect_equal(refScinnAdamw(list(a = 2), list(a = 0), zero, 1, 0.1, 0.5)$theta$a, 1.9)
    # by the definition with sums over all steps
    g <- c(0.3, -0.2, 0.05)
    now <- list(theta = list(a = 1), state = zero)
    for (t in 1:3) now <- refScinnAdamw(now$theta, list(a = g[t]), now$state, t, 0.1, 0)
    step <- function(t) {
        mean <- function(beta, x) sum(beta^(t - seq_len(t)) * x[seq_len(t)]) / sum(beta^(t - seq_len(t)))
        mean(0.9, g) / (sqrt(mean(0.999, g^2)) + 1e-7)
    }
    expect_equal(now$theta$a, 1 - 0.1 * sum(vapply(1:3, step, 0)))
})

test_that("oracle: the measures of partitions", {
    a <- c(1, 1, 2, 2)
    b <- c(1, 1, 2, 3)
    expect_equal(refMutualInfo(a, b, "arithmetic"), 0.8)
    expect_equal(refMutualInfo(a, b, "max"), 2 / 3)
    expect_equal(refRand(a, b), 0.571429, tolerance = 1e-6)
    pairs <- utils::combn(4, 2)
    together <- function(l) l[pairs[1, ]] == l[pairs[2, ]]
    expect_equal(sum(together(a) & together(b)) / sum(together(a) | together(b)), 0.5)
    expect_equal(mean(refSilhouette(cbind(c(0, 1, 10, 11)), a)), 0.899749, tolerance = 1e-6)
})

# ---- the oracle: central differences, 6.2 ----

# xs: cells of a row's largest value 1, half of it zeros
smallInput <- function(cells, genes) {
    x <- matrix(rexp(cells * genes) * rbinom(cells * genes, 1, 0.5), cells, genes)
    x / pmax(apply(x, 1, max), 0.1)
}

test_that("oracle: the gradient of the filter", {
    withSeed(1, {
        x <- smallInput(7, 9)
        w <- refScinnWeights(list(W1 = c(9, 4), b1 = c(4, 1), W2 = c(4, 9), b2 = c(9, 1)))
        expect_lt(away(refScinnFilterGrad(w, x)$gradient, refScinnNumeric(function(w) refScinnFilterGrad(w, x)$loss, w)), 1e-5)
        w$W1 <- pmax(w$W1, 0)                                      # the first step would do that, and cost more than it gains
        now <- list(theta = w, state = list(m = lapply(w, `*`, 0), v = lapply(w, `*`, 0)))
        for (t in 1:20) {
            now <- refScinnFilterStep(now$theta, x, now$state, t)
            expect_gte(min(now$theta$W1), 0)
            expect_lt(min(now$theta$W2), 0)
        }
        expect_lt(refScinnFilterGrad(now$theta, x)$loss, refScinnFilterGrad(w, x)$loss)
    })
})

test_that("oracle: the gradient of the Bayesian autoencoder", {
    withSeed(2, {
        x <- smallInput(6, 8)
        shapes <- list(W = c(8, 5), b = c(5, 1), A = c(5, 3), a0 = c(3, 1), V = c(5, 3), v0 = c(3, 1), P1 = c(3, 5), p1 = c(5, 1),
            Q1 = c(5, 8), q1 = c(8, 1), P2 = c(3, 5), p2 = c(5, 1), Q2 = c(5, 8), q2 = c(8, 1))
        norm <- c(shapes, list(gamma = c(5, 1), delta = c(5, 1)))
        for (phase in 1:2) for (batchnorm in c(FALSE, TRUE)) for (beta in c(1, 100)) {
            w <- refScinnWeights(if (batchnorm) norm else shapes)
            if (batchnorm) w$gamma <- 1 + w$gamma
            eps <- list(rnorm(3), rnorm(3))
            r <- refScinnEncoderGrad(w, x, eps, phase, beta, batchnorm)
            numeric <- refScinnNumeric(function(w) refScinnEncoderGrad(w, x, eps, phase, beta, batchnorm)$loss, w)
            expect_identical(names(r$gradient), names(w))
            free <- setdiff(names(w), if (batchnorm) "b")          # under batch norm its gradient is 0
            expect_lt(away(r$gradient[free], numeric[free]), 1e-5)
            if (batchnorm) {
                expect_lt(max(abs(r$gradient$b)), 1e-12)
                expect_lt(max(abs(numeric$b)), 1e-6)
            }
            expect_equal(rowSums(r$var), rep(1, 6))
        }
        # with these noises the mean over cells is a sum of single ones
        sum <- 0
        w <- refScinnWeights(shapes)
        for (i in 1:6) sum <- sum + refScinnEncoderGrad(w, x[i, , drop = FALSE], eps, 2)$loss
        expect_equal(refScinnEncoderGrad(w, x, eps, 2)$loss, sum / 6)
    })
})

test_that("oracle: the gradient of the cluster loss, also of logits of +-800", {
    withSeed(3, {
        for (loss in c("softmax.bce", "sigmoid.bce", "categorical")) for (K in 2:5) for (spread in c(0.1, 1, 6)) {
            w <- list(a = matrix(rnorm(6 * K, sd = spread), 6))
            class <- sample.int(K, 6, replace = TRUE)
            r <- refScinnClusterLoss(w$a, class, loss)
            expect_lt(away(list(r$gradient), refScinnNumeric(function(w) refScinnClusterLoss(w$a, class, loss)$loss, w)), 1e-5)
            p <- exp(w$a) / if (loss == "sigmoid.bce") 1 + exp(w$a) else rowSums(exp(w$a))
            y <- outer(class, seq_len(K), `==`)
            expect_equal(r$loss, if (loss == "categorical") -sum(log(p[y])) / 6 else -sum(log(ifelse(y, p, 1 - p))) / (6 * K),
                tolerance = 1e-8)
            if (loss != "sigmoid.bce") expect_lt(max(abs(rowSums(r$gradient))), 1e-14)
            big <- matrix(sample(c(-800, 0, 1e-8, 800), 6 * K, replace = TRUE), 6)
            far <- refScinnClusterLoss(big, class, loss)
            expect_true(all(is.finite(unlist(far))) && far$loss >= 0 && max(abs(far$gradient)) <= 1)
        }
        a <- matrix(rnorm(12, sd = 9), 6)
        both <- lapply(c("softmax.bce", "categorical"), refScinnClusterLoss, logits = a, class = rep(1:2, 3))
        expect_equal(both[[1]], both[[2]])                         # of two clusters
    })
})

test_that("oracle: the gradient of the similarity loss, and its correlations", {
    withSeed(4, {
        z <- matrix(rnorm(6 * 15), 6)
        S <- tcrossprod(refScinnUnit(matrix(rnorm(6 * 4), 6)))
        r <- refScinnSimilarityLoss(z, S)
        numeric <- refScinnNumeric(function(w) refScinnSimilarityLoss(w$z, S)$loss, list(z = z))
        expect_lt(away(list(r$gradient), numeric), 1e-5)
        nu2 <- rowSums((z - rowMeans(z))^2) + 1e-8
        expect_equal(diag(r$Sp), 1 - 1e-8 / nu2, tolerance = 1e-15)
        short <- z * 0.1 / sqrt(nu2)
        expect_lt(max(abs(diag(refScinnSimilarityLoss(short, S)$Sp) - 1)), 1.0001e-6)
        expect_lt(max(abs(refScinnSimilarityLoss(z * c(1, 2, 5, 0.5, 9, 3) + 1:6, S)$Sp - r$Sp)), 1e-8)
        expect_equal(r$Sp[upper.tri(r$Sp)], cor(t(z))[upper.tri(r$Sp)], tolerance = 1e-8)
        l <- matrix(rnorm(30), 10)
        expect_lt(max(abs(tcrossprod(refScinnUnit(l)) - cor(t(l)))), 1e-12)
        l[c(2, 5), ] <- c(0, 1 / 3)                                # constant rows correlate with none
        expect_identical(refScinnUnit(l)[c(2, 5), ], matrix(0, 2, 3))
        two <- tcrossprod(refScinnUnit(matrix(rnorm(8), 4)))
        expect_equal(abs(two), matrix(1, 4, 4))                    # of two coordinates: +-1
    })
})

shapesTwo <- function(G, K, predictor, hI = 4, h3 = 6, L = 5) {
    shapes <- list(W1 = c(G, hI), b1 = c(hI, 1), W2 = c(hI, G), b2 = c(G, 1), W3 = c(G, h3), b3 = c(h3, 1), W4 = c(h3, L),
        b4 = c(L, 1), W5 = c(L, K), b5 = c(K, 1))
    if (predictor == "mlp") return(shapes)
    shapes$W3 <- c(G, L)
    shapes$b3 <- c(L, 1)
    shapes[!names(shapes) %in% c("W4", "b4")]
}

test_that("oracle: the gradient of module two", {
    withSeed(5, {
        xs <- smallInput(7, 9)
        U <- refScinnUnit(matrix(rnorm(7 * 4), 7))
        class <- c(1, 2, 3, 1, 2, 3, 1)
        keep <- matrix(rbinom(63, 1, 0.7), 7)
        hide <- matrix(rbinom(63, 1, 0.2), 7) * (xs > 0)
        expect_gt(sum(xs > 0 & keep == 0 & hide == 0), 3)
        for (predictor in c("mlp", "linear")) for (loss in c("softmax.bce", "sigmoid.bce", "categorical"))
            for (weights in list(c(1, 1, 0.1, 0.01), c(0.3, 2, 1, 3))) for (hidden in list(NULL, hide)) {
                w <- refScinnWeights(shapesTwo(9, 3, predictor))
                go <- function(w) refScinnModuleTwo(w, xs, keep, class, U, weights, 0.3, 0.3, predictor, loss, hidden)
                r <- go(w)
                expect_identical(lapply(r$gradient, dim), lapply(w, dim))
                expect_lt(away(r$gradient, refScinnNumeric(function(w) go(w)$losses[["total"]], w)), 1e-5)
                kept <- xs > 0 & keep == 1 & (if (is.null(hidden)) TRUE else hidden == 0)
                expect_identical(r$XI[kept], xs[kept])
                expect_gte(min(r$XI), 0)
            }
    })
})

test_that("oracle: what module two's gradients and losses do not depend on", {
    withSeed(6, {
        full <- smallInput(7, 9) + 0.1                             # no zeros
        U <- refScinnUnit(matrix(rnorm(7 * 4), 7))
        w <- refScinnWeights(shapesTwo(9, 2, "mlp"))
        class <- c(1, 2, 2, 1, 2, 1, 1)
        r <- refScinnModuleTwo(w, full, 1, class, U, c(1, 1, 0, 0), 1)
        for (name in c("W1", "b1", "W2", "b2")) expect_true(all(r$gradient[[name]] == 0))
        expect_gt(max(abs(r$gradient$W3)), 0)
        expect_identical(r$losses[["L0"]], 0)
        # no non-zeros: Lr is 0; one cluster: Lc is 0; a hidden entry is in no loss of the reconstruction
        expect_identical(refScinnModuleTwo(w, 0 * full, 1, class, U, c(1, 1, 1, 1), 1)$losses[["Lr"]], 0)
        one <- refScinnWeights(shapesTwo(9, 1, "mlp"))
        r <- refScinnModuleTwo(one, full, 1, rep(1, 7), U, c(1, 1, 1, 1), 1)
        expect_identical(r$losses[["Lc"]], 0)
        expect_true(all(r$gradient$W5 == 0))
        hide <- 0 * full
        hide[2, 3] <- 1
        other <- full
        other[2, 3] <- 9
        expect_identical(refScinnModuleTwo(w, other, 1, class, U, c(1, 1, 1, 1), 1, hidden = hide),
            refScinnModuleTwo(w, full, 1, class, U, c(1, 1, 1, 1), 1, hidden = hide))
        # the mean of the gene's non-zeros has the loss 1
        xs <- smallInput(7, 9)
        mean <- colSums(xs) / pmax(colSums(xs > 0), 1)
        O <- matrix(mean, 7, 9, byrow = TRUE)
        expect_equal(refScinnOutputBack(O, xs, xs, 0 * xs, 1, 1, refScinnVariance(xs))$Lr, 1)
        expect_identical(refScinnVariance(0 * xs), 1)
        expect_identical(refScinnVariance((xs > 0) + 0), 1)
    })
})

test_that("oracle: the data of the tests are of use", {
    expect_identical(unname(rowSums(counts > 0)[c(7, 31, 59)]), c(0, 2, 3))
    expect_true(all(colSums(counts) > 0) && length(on) > 50 && length(on) < 60)
    expect_gt(mean(counts == 0), 0.3)
    expect_identical(data$group[1:6], c(1:3, 1:3))
    # some cell has its largest value in a gene outside the network, so that it matters where s is from
    expect_true(any(abs(refScinnInput(counts)$s - refScinnInput(counts[on, ])$s) > 0.5))
})

# ---- the package ----

settings <- function(...) {
    a <- list(latent = data$latent, cluster = data$group, log = "log2")
    more <- list(...)
    a[names(more)] <- more
    do.call(ScInnParam, a)
}
quiet <- function(code) suppressWarnings(suppressMessages(code))
fitted <- function(..., x = counts, seed = 1, keep.state = TRUE) quiet(fitInfill(x, settings(...), seed = seed,
    keep.state = keep.state, progress = FALSE))
filled <- function(..., x = counts, seed = 1) plain(quiet(infill(x, settings(...), seed = seed)))

# One batch of all cells and nothing left out: an epoch is a step whose gradient the oracle knows.
whole <- function(...) fitted(batch.size = 1000, drop = 0, ...)

# Current weights, and both of Adam's moments
state <- function(fit) {
    w <- fitWeights(fit)
    n <- length(unlist(w))
    testthat::expect_length(fit@state, 3 * n)
    part <- function(k) utils::relist(fit@state[k * n + seq_len(n)], w)
    list(w = part(0), m = part(1), v = part(2))
}

# The oracle at the weights w of a fit to x
oracle <- function(w, fit, x = counts, latent = data$latent, cluster = data$group, weights = c(1, 1, 1, 0.1),
    predictor = "mlp", cluster.loss = "softmax.bce", log = "log2")
{
    xs <- refScinnInput(x, modelledGenes(fit), log)$xs
    used <- colSums(x) > 0
    xs <- xs[used, ]
    refScinnModuleTwo(w, xs, 1, match(cluster[used], unique(cluster[used])), refScinnUnit(latent[used, ]), weights,
        refScinnVariance(xs), 0, predictor, cluster.loss)
}

# The second step of a fit by the oracle. The package is in single precision (2^-24 = 6e-8 of each sum's largest term, over
# sums of hundreds of terms that partly cancel): 1e-4 of the largest entry is far above that, and far below any mistake.
expectStep <- function(..., lr = 0.01, wd = 1, labels = data$group, x = counts) {
    more <- list(...)
    a <- c(more, list(learning.rate = lr, weight.decay = wd, x = x))
    if (!"cluster" %in% names(more)) a$cluster <- labels
    first <- do.call(whole, c(a, max.iter = 1))
    second <- do.call(whole, c(a, max.iter = 2))
    one <- state(first)
    two <- state(second)
    expect_identical(fitWeights(first), one$w)
    expect_identical(fitWeights(second), two$w)
    weights <- if (isTRUE(more$paper)) c(1, 1, 0, 0) else c(1, 1, 1, 0.1)
    own <- match(c("cluster.weight", "similarity.weight", "reconstruction.weight", "zero.weight"), names(more))
    weights[!is.na(own)] <- unlist(more[own[!is.na(own)]])
    known <- more[intersect(names(more), c("latent", "cluster", "predictor", "cluster.loss", "log"))]
    if (is.null(known$cluster)) known$cluster <- labels
    r <- do.call(oracle, c(list(one$w, first, x, weights = weights), known))
    info <- said(more[setdiff(names(more), c("latent", "cluster"))])

    # losses before the step
    h <- fitHistory(second)
    expect_identical(h$iteration, 1:2)
    expect_equal(h[1, ], fitHistory(first), info = info)
    row <- unlist(h[2, c(losses, "train")], use.names = FALSE)
    expect_lt(max(abs(row / r$losses - 1)[r$losses > 0]), 1e-4)
    expect_true(all(row[r$losses == 0] == 0), info = info)

    # gradients, by the first moment; and the second
    g <- Map(function(new, old) (new - 0.9 * old) / 0.1, two$m, one$m)
    for (name in names(g)) {
        expect_lt(away(g[name], r$gradient[name]), 1e-4)
        expect_lt(away(two$v[name], list(0.999 * one$v[[name]] + 0.001 * r$gradient[[name]]^2)), 3e-4)
    }

    # the step from these moments: the decay is of matrices alone
    decay <- wd * grepl("^W", names(g))
    names(decay) <- names(g)
    stepped <- Map(function(w, m, v, d) w * (1 - lr * d) - lr / (1 - 0.9^2) * m / (sqrt(v) / sqrt(1 - 0.999^2) + 1e-7),
        one$w, two$m, two$v, decay)
    for (name in names(g)) expect_lt(max(abs(stepped[[name]] - two$w[[name]])), 1e-6)

    # all at once, where the gradient is not mostly the rounding of its sum: Adam divides by its size
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
    for (cluster.loss in c("softmax.bce", "sigmoid.bce", "categorical")) for (predictor in c("mlp", "linear"))
        expectStep(cluster.loss = cluster.loss, predictor = predictor)
})

test_that("a step of training is the oracle's, for all weights of the losses", {
    expectStep(paper = TRUE)
    expectStep(cluster.weight = 0, similarity.weight = 0.5, reconstruction.weight = 2, zero.weight = 1)
    expectStep(cluster.weight = 3, similarity.weight = 0, reconstruction.weight = 0, zero.weight = 0.5)
    expectStep(lr = 0.03, wd = 0)
    expectStep(lr = 1e-3, wd = 1e-3)
})

test_that("a step of training is the oracle's, for one cluster, many, other latents and other sizes", {
    fit <- expectStep(cluster = rep(1, 40))
    expect_identical(dim(fitWeights(fit)$W5), c(15L, 1L))
    expect_true(all(fitHistory(fit)$cluster == 0))
    expectStep(cluster = rep(1:2, 20))
    expectStep(cluster = seq_len(40))                          # a cluster a cell
    expectStep(latent = data$latent[, 1:2])
    expectStep(latent = cbind(data$latent, -data$latent + 1:40))
    fit <- expectStep(hidden = 20)
    expect_identical(dim(fitWeights(fit)$W1), c(length(on), 20L))
    expectStep(n.genes = 20)
})

test_that("a step of training is the oracle's, without logarithms, and with cells of nothing and of one count", {
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
    fit <- fitted(max.iter = 1)
    G <- length(on)
    expect_identical(sort(unname(modelledGenes(fit))), unname(on))
    # round(40 / 25) is less than the least, 16
    expect_identical(lapply(fitWeights(fit), dim), list(W1 = c(G, 16L), b1 = c(16L, 1L), W2 = c(16L, G), b2 = c(G, 1L),
        W3 = c(G, 64L), b3 = c(64L, 1L), W4 = c(64L, 15L), b4 = c(15L, 1L), W5 = c(15L, 3L), b5 = c(3L, 1L)))
    expect_identical(lapply(fitWeights(fitted(max.iter = 1, predictor = "linear")), dim)[-(1:4)], list(W3 = c(G, 15L),
        b3 = c(15L, 1L), W5 = c(15L, 3L), b5 = c(3L, 1L)))
    expect_identical(names(fitHistory(fit)), c("iteration", "train", "valid", "penalty", losses))
    expect_identical(nrow(fitHistory(fitted())), 60L)
    v <- apply(log2(counts + 1), 1, var)
    v[-on] <- -1
    expect_setequal(modelledGenes(fitted(max.iter = 1, n.genes = 20)), order(-v)[1:20])
})

test_that("initial values: Glorot's bounds, a tenth for W2, gene means for b2", {
    for (predictor in c("mlp", "linear")) {
        w <- fitWeights(whole(max.iter = 1, learning.rate = 1e-8, predictor = predictor))
        xs <- refScinnInput(counts, modelledGenes(whole(max.iter = 1)))$xs
        expect_lt(max(abs(w$b2 - colSums(xs) / colSums(xs > 0))), 2e-7)
        for (name in setdiff(grep("^b", names(w), value = TRUE), "b2")) expect_lt(max(abs(w[[name]])), 1e-7)
        for (name in grep("^W", names(w), value = TRUE)) {
            m <- w[[name]] * if (name == "W2") 10 else 1
            bound <- sqrt(6 / sum(dim(m)))
            expect_lte(max(abs(m)), bound + 2e-6)              # a tenth of it has gained rounding
            expect_gt(max(abs(m)), 0.9 * bound)
            expect_equal(sd(m) * sqrt(3) / bound, 1, tolerance = if (length(m) > 500) 0.05 else 0.25)
            expect_lt(abs(mean(m)), 4 * bound / sqrt(3 * length(m)))
            expect_gt(length(unique(as.vector(w[[name]]))), 0.95 * length(m))
            expect_lt(abs(cor(m[, 1], m[, ncol(m)])), if (ncol(m) > 1 && nrow(m) > 30) 0.6 else 2)
        }
    }
    expect_gt(away(fitWeights(fitted(max.iter = 1, learning.rate = 1e-8, seed = 2))["W1"], w["W1"]), 0.1)
    h <- fitHistory(whole(max.iter = 1))
    expect_lt(abs(h$reconstruction - 1), 0.1)                  # near the gene means, whose loss is 1
})

test_that("without its weight the cluster head only decays", {
    w <- lapply(1:3, function(n) fitWeights(whole(max.iter = n, cluster.weight = 0, learning.rate = 0.01, weight.decay = 2)))
    for (k in 1:2) {
        expect_lt(away(w[[k + 1]]["W5"], lapply(w[[k]]["W5"], `*`, 1 - 0.02)), 1e-6)
        expect_true(all(w[[k + 1]]$b5 == 0))
    }
})

test_that("'paper' is its weights, and nothing left out", {
    one <- fitted(max.iter = 4, paper = TRUE)
    two <- fitted(max.iter = 4, reconstruction.weight = 0, zero.weight = 0, drop = 0)
    expect_identical(one@weights, two@weights)
    expect_identical(fitHistory(one), fitHistory(two))
    expect_false(identical(fitted(max.iter = 4)@weights, one@weights))
    said <- character()
    note <- function(restart) function(c) { said <<- c(said, conditionMessage(c)); invokeRestart(restart) }
    withCallingHandlers(infill(counts, settings(paper = TRUE, max.iter = 2), seed = 1), warning = note("muffleWarning"),
        message = note("muffleMessage"))
    expect_match(said, "identif|determin|magnitude|size", all = FALSE)
})

test_that("entries left out are another problem of the same size", {
    none <- fitHistory(fitted(max.iter = 1, batch.size = 1000, drop = 0))
    some <- fitHistory(fitted(max.iter = 1, batch.size = 1000, drop = 0.3))
    for (name in c("similarity", "reconstruction", "zero")) {
        expect_false(some[[name]] == none[[name]])
        expect_lt(abs(some[[name]] / none[[name]] - 1), 0.3)
    }
})

test_that("names of clusters do not matter", {
    one <- fitted(max.iter = 3)
    for (cluster in list(c("a", "b", "c")[data$group], 10 * data$group, as.integer(data$group), factor(data$group)))
        expect_identical(fitted(max.iter = 3, cluster = cluster)@weights, one@weights)
})

test_that("losses with a weight go down", {
    for (more in list(list(), list(predictor = "linear"), list(cluster.loss = "sigmoid.bce"))) {
        h <- fitHistory(do.call(fitted, more))
        expect_true(all(is.finite(as.matrix(h[c("train", losses)]))))
        weighted <- as.matrix(h[losses]) %*% c(1, 1, 1, 0.1)
        expect_equal(h$train, as.vector(weighted), tolerance = 1e-5)
        last <- nrow(h)
        for (name in c("train", losses)) expect_lte(h[[name]][last], 1.05 * h[[name]][1])
        expect_lt(h$train[last], 0.8 * h$train[1])
    }
    h <- fitHistory(fitted(paper = TRUE))
    for (name in c("cluster", "similarity")) expect_lt(h[[name]][nrow(h)], h[[name]][1])
    expect_equal(h$train, h$cluster + h$similarity, tolerance = 1e-5)
})

# ---- what is filled in ----

test_that("zeros become what the oracle says; all else stays, to the bit", {
    for (more in list(list(), list(predictor = "linear"), list(n.genes = 20), list(paper = TRUE))) {
        fit <- do.call(fitted, c(max.iter = 5, more))
        at <- modelledGenes(fit)
        out <- plain(quiet(infill(counts, fit)))
        input <- refScinnInput(counts, at)
        expected <- t(2^refScinnPredict(fitWeights(fit), input$xs, input$s) - 1)
        got <- unname(out[at, ])
        fill <- !seen[at, ]
        expect_lt(away(list(got[fill]), list(expected[fill])), 1e-4)
        expect_identical(unname(out)[seen], unname(counts)[seen] + 0)
        expect_identical(out[-at, ], counts[-at, ] + 0)
        expect_gte(min(out), 0)
        expect_gt(mean(got[fill] > 0), 0.3)
        expect_identical(dimnames(out), dimnames(counts))
        expect_identical(do.call(filled, c(max.iter = 5, more)), out)
        expect_identical(plain(as.matrix(quiet(infill(sparse(counts), fit)))), out)
        # cells by themselves: nothing of the others is needed
        expect_equal(plain(quiet(infill(counts[, c(9, 2, 2, 30)], fit))), out[, c(9, 2, 2, 30)], tolerance = 1e-5)
    }
})

test_that("'auto' takes logarithms of what spreads over more than 100", {
    expect_lte(max(counts), 100)
    wide <- counts
    wide[2, 3] <- 101
    go <- function(x, log) plain(quiet(infill(x, settings(log = log, max.iter = 2), seed = 1, check.scale = FALSE)))
    expect_identical(go(counts, "auto"), go(counts, "none"))
    expect_identical(go(wide, "auto"), go(wide, "log2"))
    expect_false(identical(go(counts, "none"), go(counts, "log2")))
})

test_that("small values can be left at 0", {
    out <- filled(max.iter = 5)
    new <- log2(out[on, ] + 1)[!seen[on, ] & out[on, ] > 0]
    limit <- unname(quantile(new, 0.4))
    limit <- mean(sort(new)[sum(new < limit) + 0:1])           # between two values
    few <- filled(max.iter = 5, min.value = limit)
    out[!seen & log2(out + 1) < limit] <- 0
    expect_identical(few, out)
})

test_that("values of a scaled cell are scaled", {
    x <- log2(counts + 1)
    go <- function(x) plain(quiet(infill(x, settings(log = "none", max.iter = 4), seed = 1, check.scale = FALSE)))
    out <- go(x)
    fit <- quiet(fitInfill(x, settings(log = "none", max.iter = 4), seed = 1, check.scale = FALSE))
    input <- refScinnInput(x, modelledGenes(fit), "none")
    expected <- t(refScinnPredict(fitWeights(fit), input$xs, input$s))
    expect_lt(away(list(out[modelledGenes(fit), ]), list(expected)), 1e-5)
    for (by in c(4, 3, 0.07)) {
        scaled <- x
        scaled[, 6] <- by * x[, 6]
        again <- go(scaled)
        expect_lt(away(list(again[, 6]), list(by * out[, 6])), 1e-4)
        expect_lt(away(list(again[, -6]), list(out[, -6])), 1e-4)
        expect_identical(again[seen], scaled[seen])
    }
})

test_that("permuted cells get permuted values", {
    # first come clusters 1, 2, 3 as before, so that their numbers stay
    order <- c(4, 5, 6, withSeed(1, sample(setdiff(1:40, 4:6))))
    expect_identical(unique(data$group[order]), 1:3)
    for (predictor in c("mlp", "linear")) {
        go <- function(at) filled(x = counts[, at], latent = data$latent[at, ], cluster = data$group[at], drop = 0,
            batch.size = 1000, max.iter = 3, predictor = predictor)
        # Adam makes whole steps also of gradients that are rounding: those hardly change what is filled in
        expect_lt(away(list(go(order)), list(go(1:40)[, order])), 1e-3)
    }
})

test_that("the bits depend on the seed alone, not on threads, on the kind of matrix or on where the fit paused", {
    same <- function(a, b) for (s in c("weights", "history", "state")) expect_identical(slot(a, s), slot(b, s), info = s)
    for (more in list(list(), list(valid.fraction = 0.1), list(predictor = "linear", batch.size = 11),
        list(drop = 0, hidden = 33))) {
        go <- function(n, ...) quiet(fitInfill(counts, do.call(settings, c(max.iter = n, more)), keep.state = TRUE, ...))
        six <- go(6, seed = 3)
        same(go(6, seed = 3, num.threads = 2), six)
        same(go(6, seed = 3, num.threads = 3), six)
        same(go(6, resume = go(3, seed = 3)), six)
        same(go(6, seed = 3, resume = go(1, seed = 3), num.threads = 2), six)
        same(quiet(fitInfill(sparse(counts), do.call(settings, c(max.iter = 6, more)), seed = 3, keep.state = TRUE)), six)
        expect_false(identical(go(6, seed = 4)@weights, six@weights))
        expect_identical(infill(counts, six, num.threads = 2), infill(counts, six, num.threads = 1))
    }
    withSeed(5, {
        before <- .Random.seed
        fitted(max.iter = 1)
        expect_identical(.Random.seed, before)
    })
})

test_that("a fit survives saveRDS", {
    fit <- fitted(max.iter = 3, keep.state = FALSE)
    expect_length(fit@state, 0)
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(readRDS(file), fit)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expect_output(print(fit), "ScInnParam")
})

test_that("hidden entries give a validation error, an end, and the weights before it got worse", {
    go <- function(n) fitted(valid.fraction = 0.1, patience = 2, max.iter = n, learning.rate = 0.02)
    fit <- go(300)
    h <- fitHistory(fit)
    expect_true(all(is.finite(h$valid)))
    expect_identical(nrow(h), which.min(h$valid) + 2L)
    expect_lt(nrow(h), 300)
    expect_identical(go(which.min(h$valid))@weights, fit@weights)
    expect_lt(abs(h$reconstruction[1] - 1), 0.3)
    out <- plain(quiet(infill(counts, fit)))
    expect_identical(out[seen], counts[seen] + 0)              # hidden ones too
})

# ---- the edges ----

test_that("nothing to fill in, or nothing to learn from: the input, with a message", {
    for (x in list(counts + 1, counts[, 1:2])) {
        n <- ncol(x)
        p <- settings(latent = data$latent[seq_len(n), ], cluster = data$group[seq_len(n)], max.iter = 2)
        expect_message(out <- infill(x, p, seed = 1))
        expect_identical(plain(out), x + 0)
    }
    expect_message(out <- infill(counts[, 1:2], ScInnParam(), seed = 1))
    expect_identical(plain(out), counts[, 1:2] + 0)
})

test_that("an all-zero cell stays so, with one warning", {
    x <- counts
    x[, 9] <- 0
    warned <- capture_warnings(suppressMessages(out <- infill(x, settings(max.iter = 3), seed = 1)))
    expect_length(warned, 1)
    expect_true(all(out[, 9] == 0))
    expect_identical(out[x > 0], x[x > 0] + 0)
    expect_true(all(is.finite(out)))
    # its latent row is none's business
    l <- data$latent
    l[9, ] <- 100
    expect_identical(plain(quiet(infill(x, settings(max.iter = 3, latent = l), seed = 1))), plain(out))
})

test_that("few cells, duplicated cells, more clusters than a batch has cells", {
    few <- filled(x = counts[, 1:6], latent = data$latent[1:6, ], cluster = data$group[1:6], max.iter = 3)
    expect_identical(few[counts[, 1:6] > 0], counts[, 1:6][counts[, 1:6] > 0] + 0)
    expect_true(all(is.finite(few)))
    twice <- c(1:20, 1:20)
    out <- filled(x = counts[, twice], latent = data$latent[twice, ], cluster = data$group[twice], max.iter = 3)
    expect_identical(unname(out[, 1:20]), unname(out[, 21:40]))
    expect_true(all(is.finite(filled(cluster = 1:40, batch.size = 10, max.iter = 3))))
})

test_that("mistakes are errors of our class", {
    wrong <- list(drop = list(-0.1, 1), cluster.weight = list(-1, NA), zero.weight = list(Inf), hidden = list(0, 2.5),
        predictor = list("deep"), cluster.loss = list("bce"), max.iter = list(0), batch.size = list(0), learning.rate = list(0),
        weight.decay = list(-1), valid.fraction = list(-0.1, 1), patience = list(0), min.value = list(-1), log = list("log10"),
        replicates = list(0), snapshots = list(0), k = list(0), n.genes = list(0))
    for (name in names(wrong)) for (value in wrong[[name]])
        expect_error(do.call(ScInnParam, stats::setNames(list(value), name)), name, class = "infill_error", info = name)
    l <- data$latent
    l[2, 2] <- NaN
    expect_error(quiet(infill(counts, settings(latent = l), seed = 1)), "latent", class = "infill_error")
    expect_error(quiet(infill(counts, settings(latent = data$latent[-1, ]), seed = 1)), "latent", class = "infill_error")
    expect_error(quiet(infill(counts, settings(cluster = 1:3), seed = 1)), "cluster", class = "infill_error")
    expect_error(quiet(infill(counts[, 1:8], ScInnParam(), seed = 1)), "latent", class = "infill_error")
    for (bad in c(NaN, Inf, -1)) {
        x <- counts + 0
        x[5, 2] <- bad
        expect_error(quiet(infill(x, settings(max.iter = 1), seed = 1)), class = "infill_error")
    }
})

# ---- module one, from outside ----

test_that("module one: a latent and a partition of all cells, the same ones that a fit takes", {
    short <- list(replicates = 1, snapshots = 2, log = "log2")
    m <- quiet(similarityModule(counts, do.call(ScInnParam, short), seed = 1))
    expect_identical(dim(m$latent), c(40L, 15L))
    expect_true(all(is.finite(m$latent)))
    expect_length(m$cluster, 40)
    expect_setequal(m$cluster, seq_len(max(m$cluster)))
    kept <- if (is.logical(m$keep.genes)) which(m$keep.genes) else m$keep.genes
    expect_setequal(unname(kept), which(rowSums(counts) > 0))
    expect_identical(quiet(similarityModule(counts, do.call(ScInnParam, c(short, num.threads = 2)), seed = 1)), m)
    # without the head that knows the numbers of clusters: streams of the two modules are their own
    direct <- quiet(fitInfill(counts, do.call(ScInnParam, c(short, max.iter = 3, cluster.weight = 0)), seed = 1))
    given <- fitted(latent = m$latent, cluster = m$cluster, max.iter = 3, cluster.weight = 0, keep.state = FALSE)
    expect_identical(given@weights, direct@weights)
})

test_that("module one: cells of a group are more alike than others", {
    m <- quiet(similarityModule(counts, ScInnParam(replicates = 1, snapshots = 1, k = 3, log = "log2"), seed = 1))
    r <- cor(t(m$latent))
    same <- outer(data$group, data$group, `==`) & upper.tri(r)
    expect_gt(mean(r[same]), mean(r[upper.tri(r) & !same]) + 0.2)
})

test_that("module one leaves an all-zero cell out", {
    x <- counts
    x[, 9] <- 0
    m <- quiet(similarityModule(x, ScInnParam(replicates = 1, snapshots = 1, log = "log2"), seed = 1))
    expect_true(all(is.na(m$latent[9, ])) && all(is.finite(m$latent[-9, ])))
    expect_identical(m$cluster[[9]], 1L)
})
