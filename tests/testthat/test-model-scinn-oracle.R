# scINN: the formulas in plain R (helper-scinn-formulas.R) by themselves: numbers by hand,
# differences, algebra. Module one is in tests/core/test_scinn_encoder.c and test_scinn_filter.c.

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
