# GraphSCI: the formulas in plain R (helper-graphsci-formulas.R) by themselves: numbers by hand,
# differences, algebra. What the likelihood does far out is in tests/core/test_zinb.c.

Y <- graphSeen$Y
ready <- graphSeen$ready
graph <- graphSeen$graph
counts <- graphSeen$counts
costs <- c(adj = "adjacency", exp = "expression", kl = "divergence", mse = "error", l2 = "penalty")

go <- function(d, par = d$par, masks = d$masks, held = NULL, ...)
    refGraphForward(par, d$X, d$Y, d$sf, d$A, d$eps, masks, held = held, ...)

expectGradient <- function(d, ...) {
    r <- go(d, ...)
    numeric <- refGraphNumeric(function(par) go(d, par, ..., gradient = FALSE)$cost[["total"]],
        d$par)
    info <- paste(setdiff(unlist(Filter(is.character, list(...))), ""), collapse = " ")
    expect_identical(names(r$gradient), names(d$par))
    expect_length(r$gradient, 21)
    for (name in names(numeric)) {
        expect_identical(dim(r$gradient[[name]]), dim(d$par[[name]]))
        expect_lt(largest(r$gradient[[name]], numeric[[name]]), 1e-8, label = paste(name, info))
    }
    invisible(r)
}

# ---- the oracle: numbers worked out by hand or by another program ----

test_that("oracle: the likelihood (a)", {
    x <- rbind(c(0, 3), c(1, 0))
    R <- rbind(c(1, 2), c(0.5, 4))
    theta <- rbind(c(2, 1.5), c(1, 0.5))
    r <- refGraphZinb(x, R, theta, stats::qlogis(rbind(c(0.5, 0.2), c(0.1, 0.3))))
    expect_lt(largest(r$NLL, rbind(c(0.325422400435, 2.390178366452),
        c(1.609437912434, 0.628608659422))), 1e-12)
    expect_lt(largest(mean(r$NLL), 1.23841183469), 1e-11)
    expect_lt(largest(r$dlogR, rbind(c(0.205128205128, -0.428571428571),
        c(-0.333333333333, 0.194444444444))), 1e-12)
    expect_lt(largest(r$dtheta, rbind(c(0.0221943922384, -0.219368806279),
        c(-0.261201558559, 0.572396863696))), 1e-12)
    expect_lt(largest(r$dl, rbind(c(-0.192307692308, 0.2), c(0.1, -0.2625))), 1e-12)
    # by hand: log(1.5) - 2/3
    expect_lt(largest(r$dtheta[2, 1], log(1.5) - 2 / 3), 1e-15)
    expect_lt(largest(exp(-r$NLL[1, 1]), 0.5 + 0.5 * (2 / 3)^2), 1e-15)
    nb <- refGraphZinb(x, R, theta, dist = "nb")
    expect_lt(largest(nb$NLL, rbind(c(0.810930216216, 2.16703481514),
        c(1.504077396776, 1.09861228867))), 1e-11)
    expect_lt(largest(mean(nb$NLL), 1.3951636792), 1e-10)
})

test_that("oracle: the cost of the graph (b)", {
    A <- rbind(c(0, 1, 0), c(1, 0, 0), 0)
    expect_equal(refGraphNormalised(A), rbind(c(0.5, 0.5, 0), c(0.5, 0.5, 0), c(0, 0, 1)),
        tolerance = 1e-15)
    r <- refGraphEdgeLoss(rbind(c(1, -1, 0.5), c(2, 0, -0.5), c(-2, 0.25, 1)), A)
    expect_identical(c(r$q, r$nu), c(3.5, 9 / 14))
    expect_lt(largest(r$loss, 0.86146659206), 1e-11)
    expect_lt(largest(r$gradient, rbind(c(-0.0672353553425, -0.182764644658, 0.0444613808001),
        c(-0.0298007305055, -0.125, 0.0269671906284),
        c(0.00851449443015, 0.040155464349, -0.0672353553425))), 1e-12)
})

test_that("oracle: the divergence (c), batch norm (d)", {
    mu <- rbind(c(0.5, -1), c(0, 2))
    r <- refGraphKl(mu, rbind(c(0, -0.5), c(0.2, -1)))
    expect_lt(largest(r$loss, 0.855629927756), 1e-12)
    expect_identical(r$mu, mu / 4)
    expect_lt(largest(r$s, rbind(c(0, -0.158030139707), c(0.12295617441, -0.216166179191))), 1e-12)
    bn <- refGraphBn(cbind(c(1, 2, 6), c(0, 4, 2)), c(1.5, 1), c(0.1, 0))
    expect_lt(largest(bn$y, cbind(c(-1.288581381052, -0.594290690526, 2.182872071577),
        c(-1.22451529629, 1.22451529629, 0))), 1e-11)
    back <- refGraphBnBack(cbind(c(1, 0, 0), c(0, 1, 0)), bn)
    expect_lt(largest(back$dx, cbind(c(0.264534190115, -0.330593365293, 0.0660591751775),
        c(0.101928186082, 0.102157696634, -0.204085882716))), 1e-11)
    expect_lt(largest(back$gamma, c(-0.925720920701, 1.224515296294)), 1e-11)
    expect_identical(back$beta, c(1, 1))
})

test_that("oracle: the preparation (e), and the graph", {
    x <- rbind(c(1, 0, 3), c(2, 2, 4), c(0, 1, 1))
    r <- refGraphPrepare(x)
    expect_identical(r$sf, c(1, 2, 0.5))
    expect_equal(r$Lg, rbind(c(log(2), 0, log(4)), c(log(2), log(2), log(3)), c(0, log(3), log(3))),
        tolerance = 1e-15)
    expect_lt(largest(r$X, cbind(c(0.57735026919, 0.57735026919, -1.15470053838),
        c(-1.075069592244, 0.172611476952, 0.902458115292),
        c(1.15470053838, -0.57735026919, -0.57735026919))), 1e-11)
    expect_identical(refGraphPrepare(x, scale = FALSE)$X, r$Lg)
    expect_equal(apply(ready$X, 2, sd), rep(1, 60))
    r <- cor(Y)
    diag(r) <- 0
    expect_identical(unname(graph), (abs(r) > 0.3) + 0)
    # of constants no edge
    expect_identical(refGraphAdjacency(cbind(1, 1:3, -(1:3)))[, 1:2], cbind(0, c(0, 0, 1)))
})

test_that("oracle: gradients of all 21 blocks, both latents, both likelihoods, masked or not", {
    for (latent in c("code", "inner")) {
        d <- graphSmall(latent)
        # half of all combinations: each pair of settings is there
        for (dist in c("zinb", "nb")) {
            masks <- if ((latent == "code") == (dist == "zinb")) d$masks
            r <- expectGradient(d, masks = masks, latent = latent, dist = dist)
            silent <- vapply(r$gradient, function(g) all(g == 0), TRUE)
            expect_identical(names(r$gradient)[silent],
                if (dist == "nb") c("Up", "gamma_p", "beta_p") else character())
        }
    }
})

test_that("oracle: gradients with held-out entries, edges alone, other weights, no edges", {
    code <- graphSmall("code")
    inner <- graphSmall("inner")
    expect_gt(sum(code$held), 3)
    expectGradient(code, held = code$held, denominator = "all")
    expectGradient(code, held = code$held, denominator = "kept", mse.held = FALSE, dist = "nb",
        wd = 3)
    expectGradient(inner, held = inner$held, denominator = "kept", latent = "inner", wd = 3,
        l2 = 0.1)
    for (d in list(code, inner)) {
        d$A[1, ] <- d$A[, 1] <- 0
        expect_true(sum(d$A) %in% 1:12)
        latent <- if (ncol(d$eps) == 5) "code" else "inner"
        outside <- d$A + diag(5) == 0
        d$par$W[outside] <- 0
        r <- expectGradient(d, inner = "edges", latent = latent, l2 = 0.1)
        expect_true(all(r$gradient$W[outside] == 0) && all(r$V[outside] == 0))
    }
    code$A[] <- 0
    expectGradient(code, wd = 0, l2 = 0)
})

test_that("oracle: what is held out does not matter where it should not", {
    d <- graphSmall()
    h <- d$held
    other <- d
    other$Y[h == 1] <- other$Y[h == 1] + 5
    one <- go(d, held = h, mse.held = FALSE)
    expect_identical(go(other, held = h, mse.held = FALSE)[c("cost", "gradient")],
        one[c("cost", "gradient")])
    expect_false(go(other, held = h)$cost[["mse"]] == go(d, held = h)$cost[["mse"]])
    kept <- go(d, held = h, denominator = "kept")
    expect_equal(kept$cost[["exp"]], mean(kept$likelihood$NLL[h == 0]))
    expect_equal(one$cost[["exp"]], kept$cost[["exp"]] * mean(h == 0))
    expect_identical(go(d, held = 0 * h, denominator = "kept")$cost, go(d)$cost)
})

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

test_that("oracle: the data of the tests are of use", {
    expect_true(all(rowSums(counts) > 0) && all(colSums(counts) > 0))
    expect_gt(mean(counts == 0), 0.25)
    expect_true(sum(graph) > 100 && sum(graph) < 1000)
    # no correlation is at a threshold: single precision finds the same edges
    for (r in list(cor(Y), cor(ready$Lg))) for (threshold in c(0.3, 0.4))
        expect_gt(min(abs(abs(r) - threshold)), 1e-5)
})
