# scINN: the formulas in plain R (helper-scinn-formulas.R) by themselves: numbers by hand,
# differences, algebra.

data <- scinnSeen
counts <- data$counts
seen <- unname(counts > 0)
on <- which(rowSums(seen) >= 3)
losses <- c("cluster", "similarity", "reconstruction", "zero")

# xs: cells of a row's largest value 1, half of it zeros
smallInput <- function(cells, genes) {
    x <- matrix(rexp(cells * genes) * rbinom(cells * genes, 1, 0.5), cells, genes)
    x / pmax(apply(x, 1, max), 0.1)
}

shapesTwo <- function(G, K, predictor, hI = 4, h3 = 6, L = 5) {
    shapes <- list(W1 = c(G, hI), b1 = c(hI, 1), W2 = c(hI, G), b2 = c(G, 1), W3 = c(G, h3),
        b3 = c(h3, 1), W4 = c(h3, L), b4 = c(L, 1), W5 = c(L, K), b5 = c(K, 1))
    if (predictor == "mlp") return(shapes)
    shapes$W3 <- c(G, L)
    shapes$b3 <- c(L, 1)
    shapes[!names(shapes) %in% c("W4", "b4")]
}

# ---- the oracle: numbers worked out by hand ----

test_that("oracle: SELU", {
    expect_equal(refScinnSelu(-1), -1.1113307, tolerance = 1e-7)
    expect_equal(refScinnSeluBack(1, 1e-12), 1.0507010, tolerance = 1e-7)
    at <- c(-800, -3, -0.1, 0.2, 5)
    expect_equal(refScinnSeluBack(rep(2, 5), at),
        (refScinnSelu(at + 1e-6) - refScinnSelu(at - 1e-6)) / 1e-6, tolerance = 1e-8)
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
    expect_lt(max(abs(refScinnBatchNormBack(cbind(c(1, 0, 0)), bn, 2)$da -
        c(0.2043, -0.4082, 0.2039))), 5e-5)
})

test_that("oracle: masking", {
    xs <- rbind(c(0.5, 0, 0))
    r <- refScinnOutputBack(rbind(c(0.3, 0.4, -0.2)), xs, xs, rbind(1:3), 1, 1, 1)
    expect_equal(r$dO, rbind(c(-0.4, 2.4, 0)))
    expect_equal(c(r$Lr, r$L0), c(0.04, 0.08))
    # the same through a network whose output that is
    w <- list(W1 = matrix(0, 3, 1), b1 = 0, W2 = matrix(0, 1, 3), b2 = c(0.3, 0.4, -0.2),
        W3 = matrix(0, 3, 2), b3 = c(0, 0), W5 = matrix(0, 2, 1), b5 = 0)
    r <- refScinnModuleTwo(w, xs, 1, 1, matrix(0, 1, 2), c(1, 1, 1, 1), 1, predictor = "linear")
    expect_equal(r$XI, rbind(c(0.5, 0.4, 0)))
    expect_equal(refScinnPredict(w, xs, 7), 7 * rbind(c(0.5, 0.4, 0)))
})

test_that("oracle: the first step of AdamW, and of what decays", {
    zero <- list(m = list(a = 0), v = list(a = 0))
    expect_equal(refScinnAdamw(list(a = 1), list(a = 0.2), zero, 1, 1e-3, 0)$theta$a,
        1 - 1e-3 * 0.2 / (0.2 + 1e-7), tolerance = 1e-15)
    expect_equal(refScinnAdamw(list(a = 2), list(a = 0), zero, 1, 0.1, 0.5)$theta$a, 1.9)
    # by the definition with sums over all steps
    g <- c(0.3, -0.2, 0.05)
    now <- list(theta = list(a = 1), state = zero)
    for (t in 1:3) now <- refScinnAdamw(now$theta, list(a = g[t]), now$state, t, 0.1, 0)
    step <- function(t) {
        mean <- function(beta, x) sum(beta^(t - seq_len(t)) * x[seq_len(t)]) /
            sum(beta^(t - seq_len(t)))
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

test_that("oracle: the gradient of the filter", {
    withSeed(1, {
        x <- smallInput(7, 9)
        w <- refScinnWeights(list(W1 = c(9, 4), b1 = c(4, 1), W2 = c(4, 9), b2 = c(9, 1)))
        expect_lt(mostAway(refScinnFilterGrad(w, x)$gradient,
            refScinnNumeric(function(w) refScinnFilterGrad(w, x)$loss, w)), 1e-5)
        # the first step would do that, and cost more than it gains
        w$W1 <- pmax(w$W1, 0)
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
        shapes <- list(W = c(8, 5), b = c(5, 1), A = c(5, 3), a0 = c(3, 1), V = c(5, 3),
            v0 = c(3, 1), P1 = c(3, 5), p1 = c(5, 1), Q1 = c(5, 8), q1 = c(8, 1), P2 = c(3, 5),
            p2 = c(5, 1), Q2 = c(5, 8), q2 = c(8, 1))
        norm <- c(shapes, list(gamma = c(5, 1), delta = c(5, 1)))
        for (phase in 1:2) for (batchnorm in c(FALSE, TRUE)) for (beta in c(1, 100)) {
            w <- refScinnWeights(if (batchnorm) norm else shapes)
            if (batchnorm) w$gamma <- 1 + w$gamma
            eps <- list(rnorm(3), rnorm(3))
            r <- refScinnEncoderGrad(w, x, eps, phase, beta, batchnorm)
            numeric <- refScinnNumeric(function(w) refScinnEncoderGrad(w, x, eps, phase, beta,
                batchnorm)$loss, w)
            expect_identical(names(r$gradient), names(w))
            # under batch norm its gradient is 0
            free <- setdiff(names(w), if (batchnorm) "b")
            expect_lt(mostAway(r$gradient[free], numeric[free]), 1e-5)
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
        for (loss in c("softmax.bce", "sigmoid.bce", "categorical")) for (K in 2:5)
            for (spread in c(0.1, 1, 6)) {
            w <- list(a = matrix(rnorm(6 * K, sd = spread), 6))
            class <- sample.int(K, 6, replace = TRUE)
            r <- refScinnClusterLoss(w$a, class, loss)
            expect_lt(mostAway(list(r$gradient),
                refScinnNumeric(function(w) refScinnClusterLoss(w$a, class, loss)$loss, w)), 1e-5)
            p <- exp(w$a) / if (loss == "sigmoid.bce") 1 + exp(w$a) else rowSums(exp(w$a))
            y <- outer(class, seq_len(K), `==`)
            expect_equal(r$loss, if (loss == "categorical") -sum(log(p[y])) /
                6 else -sum(log(ifelse(y, p, 1 - p))) / (6 * K), tolerance = 1e-8)
            if (loss != "sigmoid.bce") expect_lt(max(abs(rowSums(r$gradient))), 1e-14)
            big <- matrix(sample(c(-800, 0, 1e-8, 800), 6 * K, replace = TRUE), 6)
            far <- refScinnClusterLoss(big, class, loss)
            expect_true(all(is.finite(unlist(far))) && far$loss >= 0 && max(abs(far$gradient)) <= 1)
        }
        a <- matrix(rnorm(12, sd = 9), 6)
        both <- lapply(c("softmax.bce", "categorical"), refScinnClusterLoss, logits = a,
            class = rep(1:2, 3))
        expect_equal(both[[1]], both[[2]])                         # of two clusters
    })
})

test_that("oracle: the gradient of the similarity loss, and its correlations", {
    withSeed(4, {
        z <- matrix(rnorm(6 * 15), 6)
        S <- tcrossprod(refScinnUnit(matrix(rnorm(6 * 4), 6)))
        r <- refScinnSimilarityLoss(z, S)
        numeric <- refScinnNumeric(function(w) refScinnSimilarityLoss(w$z, S)$loss, list(z = z))
        expect_lt(mostAway(list(r$gradient), numeric), 1e-5)
        nu2 <- rowSums((z - rowMeans(z))^2) + 1e-8
        expect_equal(diag(r$Sp), 1 - 1e-8 / nu2, tolerance = 1e-15)
        short <- z * 0.1 / sqrt(nu2)
        expect_lt(max(abs(diag(refScinnSimilarityLoss(short, S)$Sp) - 1)), 1.0001e-6)
        expect_lt(max(abs(refScinnSimilarityLoss(z * c(1, 2, 5, 0.5, 9, 3) + 1:6, S)$Sp - r$Sp)),
            1e-8)
        expect_equal(r$Sp[upper.tri(r$Sp)], cor(t(z))[upper.tri(r$Sp)], tolerance = 1e-8)
        l <- matrix(rnorm(30), 10)
        expect_lt(max(abs(tcrossprod(refScinnUnit(l)) - cor(t(l)))), 1e-12)
        # constant rows correlate with none
        l[c(2, 5), ] <- c(0, 1 / 3)
        expect_identical(refScinnUnit(l)[c(2, 5), ], matrix(0, 2, 3))
        two <- tcrossprod(refScinnUnit(matrix(rnorm(8), 4)))
        expect_equal(abs(two), matrix(1, 4, 4))                    # of two coordinates: +-1
    })
})

test_that("oracle: the gradient of module two", {
    withSeed(5, {
        xs <- smallInput(7, 9)
        U <- refScinnUnit(matrix(rnorm(7 * 4), 7))
        class <- c(1, 2, 3, 1, 2, 3, 1)
        keep <- matrix(rbinom(63, 1, 0.7), 7)
        hide <- matrix(rbinom(63, 1, 0.2), 7) * (xs > 0)
        expect_gt(sum(xs > 0 & keep == 0 & hide == 0), 3)
        for (predictor in c("mlp", "linear"))
            for (loss in c("softmax.bce", "sigmoid.bce", "categorical"))
            for (weights in list(c(1, 1, 0.1, 0.01), c(0.3, 2, 1, 3)))
                for (hidden in list(NULL, hide)) {
                w <- refScinnWeights(shapesTwo(9, 3, predictor))
                go <- function(w) refScinnModuleTwo(w, xs, keep, class, U, weights, 0.3, 0.3,
                    predictor, loss, hidden)
                r <- go(w)
                expect_identical(lapply(r$gradient, dim), lapply(w, dim))
                expect_lt(mostAway(r$gradient,
                    refScinnNumeric(function(w) go(w)$losses[["total"]], w)), 1e-5)
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
        # no non-zeros: Lr is 0; one cluster: Lc is 0; a hidden entry is in no loss of the
        # reconstruction
        expect_identical(refScinnModuleTwo(w, 0 * full, 1, class, U, c(1, 1, 1, 1),
            1)$losses[["Lr"]], 0)
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
    # some cell has its largest value in a gene outside the network, so that it matters where s is
    # from
    expect_true(any(abs(refScinnInput(counts)$s - refScinnInput(counts[on, ])$s) > 0.5))
})
