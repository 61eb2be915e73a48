# GraphSCI: what the formulas in plain R (helper-graphsci-formulas.R) do and do not depend on, and
# their training.

counts <- graphSeen$counts
Y <- graphSeen$Y
ready <- graphSeen$ready
graph <- graphSeen$graph
costs <- c(adj = "adjacency", exp = "expression", kl = "divergence", mse = "error", l2 = "penalty")

go <- function(d, par = d$par, masks = d$masks, held = NULL, ...)
    refGraphForward(par, d$X, d$Y, d$sf, d$A, d$eps, masks, held = held, ...)

# ---- the oracle: algebra ----

test_that("oracle: labels of 2 have no minimum; ours are 0 and 1", {
    d <- graphSmall()
    label <- d$A + diag(5)
    expect_true(all(label %in% 0:1) && sum(label) > 5)
    twice <- label + d$A
    at <- function(z, label) refGraphEdgeLoss(z * d$A, d$A, label)$loss
    expect_lt(at(1e6, twice), at(1e3, twice) - 1000)
    expect_true(all(diff(vapply(10^(0:6), at, 0, label = label)) <= 0) && at(1e6, label) > 0)
})

test_that("oracle: genes and cells can be permuted", {
    for (latent in c("code", "inner")) {
        d <- graphSmall(latent)
        d$A[4, 5] <- d$A[5, 4] <- 1 - d$A[4, 5]
        one <- go(d, latent = latent, held = d$held)
        g <- c(3, 1, 5, 2, 4)
        p <- d
        for (k in c("U1", "b", "gamma_p", "beta_p", "gamma_t", "beta_t", "gamma_m", "beta_m"))
            p$par[[k]] <- if (k == "U1") d$par$U1[g, ] else d$par[[k]][g]
        for (k in c("Up", "Ut", "Um", if (latent == "code") c("Wm", "Ws")))
            p$par[[k]] <- d$par[[k]][, g]
        p$par$W <- d$par$W[g, g]
        for (k in c("X", "Y", "held")) p[[k]] <- d[[k]][, g]
        p$A <- d$A[g, g]
        p$eps <- if (latent == "code") d$eps[g, g] else d$eps[g, ]
        p$masks <- lapply(d$masks, function(m) m[g, ])
        two <- go(p, latent = latent, held = p$held)
        expect_equal(two$cost, one$cost, tolerance = 1e-12)
        expect_lt(largest(two$R, one$R[, g]), 1e-12 * max(one$R))
        expect_lt(largest(two$gradient$W, one$gradient$W[g, g]), 1e-13)
        cells <- c(7, 2, 3, 1, 6, 5, 4)
        p <- d
        p$par$W0 <- d$par$W0[cells, ]
        for (k in c("X", "Y", "held")) p[[k]] <- d[[k]][cells, ]
        p$sf <- d$sf[cells]
        p$masks$D0 <- d$masks$D0[, cells]
        two <- go(p, latent = latent, held = p$held)
        expect_equal(two$cost, one$cost, tolerance = 1e-12)
        expect_lt(largest(two$R, one$R[cells, ]), 1e-12 * max(one$R))
    }
})

test_that("oracle: the depth of a cell goes through to its row alone", {
    d <- graphSmall()
    target <- median(rowSums(d$Y))
    scaled <- d$Y
    scaled[3, ] <- 7 * scaled[3, ]
    p <- refGraphPrepare(scaled, target = target)
    expect_lt(largest(p$X, d$X), 1e-14)
    expect_equal(p$sf / d$sf, c(1, 1, 7, 1, 1, 1, 1))
    one <- refGraphPredict(d$par, d$X, d$sf, d$A)
    two <- refGraphPredict(d$par, p$X, p$sf, d$A)
    expect_lt(mostAway(list(two$R), list(one$R * c(1, 1, 7, 1, 1, 1, 1))), 1e-12)
})

test_that("oracle: the normalised adjacency", {
    for (A in list(unname(graph), graphSmall()$A, matrix(0, 4, 4), 1 - diag(6))) {
        Ah <- refGraphNormalised(A)
        expect_identical(Ah, t(Ah))
        values <- eigen(Ah, TRUE, TRUE)$values
        expect_lt(max(abs(values)), 1 + 1e-12)
        expect_lt(abs(values[1] - 1), 1e-12)
        alone <- rowSums(A) == 0
        expect_true(all(diag(Ah)[alone] == 1) && all(rowSums(Ah)[alone] == 1))
    }
    expect_gt(sum(rowSums(graph) == 0), 0)
})

test_that("oracle: no edges, all edges, two genes", {
    edge <- function(A) refGraphEdgeLoss(matrix(0.5, nrow(A), nrow(A)), A)
    r <- edge(matrix(0, 5, 5))
    expect_identical(c(r$q, r$nu), c(4, 25 / 40))
    r <- edge(1 - diag(5))
    expect_identical(c(r$q, r$nu), c(0.25, 2.5))
    expect_true(all(is.finite(unlist(c(r, edge(matrix(0, 2, 2)), edge(1 - diag(2)))))))
    d <- graphSmall()
    for (A in list(matrix(0, 5, 5), 1 - diag(5))) {
        d$A <- A
        expect_true(all(is.finite(unlist(go(d)[c("cost", "gradient", "R")]))))
    }
    # the rows of a complete graph's latent are all the same
    expect_lt(largest(go(d)$Qa, rep(go(d)$Qa[1, ], each = 5)), 1e-15)
})

test_that("oracle: what batch norm and the order of products do not change", {
    d <- graphSmall()
    r <- go(d)
    shifted <- refGraphBn(r$E2 %*% d$par$Um + rep(c(3, -1, 0.5, 9, -4), each = 7), d$par$gamma_m,
        d$par$beta_m)
    expect_lt(largest(shifted$y, r$bnm$y), 1e-12)
    back <- refGraphBnBack(matrix(rnorm(35), 7), shifted)
    expect_lt(max(abs(colSums(back$dx))), 1e-13)               # the gradient of such a constant
    expect_lt(largest(r$Ah %*% ((r$H2 * d$masks$Da) %*% d$par$Wm), r$mu), 1e-14)
    for (h in c("p", "t", "m")) {
        f <- refGraphFold(d$par[[paste0("U", h)]], r[[paste0("bn", h)]])
        expect_lt(largest(r$E2 %*% f$D + rep(f$d0, each = 7), r[[paste0("bn", h)]]$y), 1e-13)
    }
    # statistics of a head without its product
    U <- d$par$Um
    expect_lt(largest(colMeans(r$E2) %*% U, r$bnm$mean), 1e-14)
    expect_lt(largest(sqrt(diag(t(U) %*% cov(r$E2) %*% U) * 6 / 7 + 1e-3), r$bnm$root), 1e-14)
})

# ---- the oracle: start, steps, prediction ----

test_that("oracle: data-driven heads", {
    h <- refGraphHeads(Y, ready$sf)
    expect_identical(lengths(h, FALSE), rep(60L, 6))
    expect_equal(exp(h$beta_m), colMeans(Y / ready$sf))
    size <- refGraphSoftplus(h$beta_t)
    expect_true(all(size >= 0.1 - 1e-12 & size <= 30 + 1e-9))
    one <- refGraphHeads(cbind(c(0, 2, 4), c(2, 2, 2), c(0, 0, 1e5), c(0, 3, 9)), c(1, 1, 1))
    expect_equal(one$beta_m, log(c(2, 2, 1e5 / 3, 4)))
    expect_equal(refGraphSoftplus(one$beta_t), c(2, 30, 1e5 / 3 / (1e5 - 1), 16 / 17))
    expect_identical(c(one$gamma_p[1], one$beta_p[1], one$gamma_t[1], one$gamma_m[1]),
        c(0.1, -2, 0.1, 0.3))
    # batch norm makes the means of the heads these to the bit
    a <- withSeed(1, refGraphActivations(refGraphStart(60, 80, heads = h), ready$X, ready$sf,
        graph))
    expect_lt(largest(colMeans(log(a$mean)), h$beta_m), 1e-12)
})

test_that("oracle: the steps of Adam", {
    expect_equal(refGraphAdam(list(a = 1), list(a = 0.2), NULL, 1)$par$a,
        1 - 0.01 * 0.2 / (0.2 + 1e-8 / sqrt(0.001)), tolerance = 1e-15)
    g <- c(0.3, -0.2, 0.05)
    now <- list(par = list(a = 1), state = NULL)
    for (e in 1:3) now <- refGraphAdam(now$par, list(a = g[e]), now$state, e, 0.1)
    # by the definition with sums over all steps
    step <- function(e) {
        mean <- function(beta, x) sum(beta^(e - seq_len(e)) * x[seq_len(e)]) /
            sum(beta^(e - seq_len(e)))
        0.1 * 0.9^((e - 1) / 50) * mean(0.9, g) /
            (sqrt(mean(0.999, g^2)) + 1e-8 / sqrt(1 - 0.999^e))
    }
    expect_equal(now$par$a, 1 - sum(vapply(1:3, step, 0)), tolerance = 1e-14)
})

test_that("oracle: prediction and edges", {
    for (latent in c("code", "inner")) {
        d <- graphSmall(latent)
        r <- refGraphPredict(d$par, d$X, d$sf, d$A, latent)
        d$eps <- 0 * d$eps
        expect_identical(go(d, masks = NULL, latent = latent)$R, r$R)
        f <- r$folded$m
        expect_lt(largest(exp(r$E2 %*% f$D + rep(f$d0, each = 7)) * d$sf / r$R, 1), 1e-12)
        p <- refGraphEdges(d$par, d$X, d$A, latent)
        expect_identical(p, t(p))
        mu <- r$Qa %*% d$par$Wm
        if (latent == "inner") expect_lt(largest(p, stats::plogis(tcrossprod(mu))), 1e-15) else
            expect_lt(largest(p[2, 4], (stats::plogis(mu[2, 4]) + stats::plogis(mu[4, 2])) / 2),
                1e-15)
    }
})

test_that("oracle: odd data", {
    expect_error(refGraphPrepare(Y[1, , drop = FALSE]), "one cell")
    # equal depths: constant before and after
    p <- refGraphPrepare(cbind(c(2, 2, 2, 2), c(1, 3, 2, 2), c(3, 1, 2, 2)))
    expect_identical(p$X[, 1], numeric(4))
    flat <- cbind(Y, 2)
    # not so where depths differ
    expect_gt(min(abs(range(refGraphPrepare(flat)$X[, 61]))), 0.5)
    expect_identical(sum(refGraphAdjacency(flat)[61, ]), 0)
    huge <- Y
    huge[2, 7] <- 1e6
    for (y in list(huge, Y[1:2, colSums(Y[1:2, ]) > 0], Y[, 1:3])) withSeed(2, {
        p <- refGraphPrepare(y)
        N <- ncol(y)
        r <- refGraphForward(refGraphStart(N, nrow(y), heads = refGraphHeads(y, p$sf)), p$X, y,
            p$sf, refGraphAdjacency(y), matrix(rnorm(N * N), N), refGraphMasks(N, nrow(y)))
        expect_true(all(is.finite(unlist(r[c("cost", "gradient", "R")]))))
    })
})

test_that("oracle: the table is the oracle's", {
    for (name in c("default", "both")) for (seed in 1:2) {
        trace <- do.call(graphOracle, c(list(16, seed), graphVariants[[name]][[2]]))$trace[c(1, 16),
            names(costs)]
        for (k in 1:2) {
            known <- matrix(graphExpected[[name]][[k]], 5)
            expect_lt(max(abs(trace[k, ] - known[, 1]) / known[, 2]), 5)
        }
    }
})

test_that("oracle: training works, and needs its heads where the data are", {
    one <- graphOracle(20, 1)
    expect_true(all(diff(one$trace[c(1, 10, 20), "total"]) < 0))
    reference <- graphOracle(20, 1, "reference")$trace[20, "exp"]
    expect_gt(reference, one$trace[20, "exp"] + 0.5)
    p <- refGraphEdges(one$par, ready$X, graph)
    expect_gt(mean(p[graph == 1]), mean(p[graph == 0 & diag(60) == 0]))
    r <- refGraphPredict(one$par, ready$X, ready$sf, graph)
    error <- function(R) mean(abs(log1p(R) - log1p(Y)))
    expect_lt(error(r$R), error(ready$sf %o% colMeans(Y / ready$sf)))
})

test_that("oracle: the data of the tests are of use", {
    expect_true(all(rowSums(counts) > 0) && all(colSums(counts) > 0))
    expect_gt(mean(counts == 0), 0.25)
    expect_true(sum(graph) > 100 && sum(graph) < 1000)
    # no correlation is at a threshold: single precision finds the same edges
    for (r in list(cor(Y), cor(ready$Lg))) for (threshold in c(0.3, 0.4))
        expect_gt(min(abs(abs(r) - threshold)), 1e-5)
})
