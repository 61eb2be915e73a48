# GraphSCI: the formulas in plain R (helper-graphsci-formulas.R) by themselves: numbers by hand,
# differences.

Y <- graphSeen$Y
ready <- graphSeen$ready
graph <- graphSeen$graph

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

# ---- the oracle: the likelihood far out ----

test_that("oracle: probabilities sum to one, with the mean that they should have", {
    x <- 0:20000
    for (at in list(c(3, 2, -1), c(0.5, 0.1, 0), c(50, 1e4, -5), c(0.001, 1e-4, 2)))
        for (dist in c("zinb", "nb")) {
        p <- exp(-refGraphZinb(x, at[1] + 0 * x, at[2] + 0 * x, at[3] + 0 * x, dist)$NLL)
        expect_lt(abs(sum(p) - 1), 1e-9)
        expect_lt(abs(sum(x * p) - at[1] * if (dist == "nb") 1 else stats::plogis(-at[3])), 1e-9)
    }
    x <- rep(0:40, each = 5)
    size <- rep(c(0.01, 0.5, 2, 50, 1e4), 41)
    for (R in c(0.01, 1, 7.5, 30)) {
        p <- exp(-refGraphZinb(x, R + 0 * x, size, dist = "nb")$NLL)
        # lgamma of 1e4 has lost 12 digits of what is beyond the sum
        expect_lt(largest(p, dnbinom(x, size, mu = R)), 1e-11)
        expect_lt(largest(p[x <= 30], dnbinom(x, size, mu = R)[x <= 30]), 1e-13)
        far <- exp(-refGraphZinb(x, R + 0 * x, 1e6 + 0 * x, dist = "nb")$NLL)
        expect_lt(largest(far, dpois(x, R)), 1e-4)
        # dnbinom() itself is off by 1e-10 here
        expect_lt(largest(far, dnbinom(x, 1e6, mu = R)), 1e-9)
    }
    # to 16 digits, by another program with 60
    by <- function(x, R, theta) exp(-refGraphZinb(x, R, theta, dist = "nb")$NLL)
    expect_equal(c(by(30, 30, 1e6), by(7, 7.5, 1e6), by(1, 1, 1e6), by(7, 7.5, 1e4)),
        c(0.07263343697802638, 0.14648333778361153, 0.367879257231829, 0.146434417947468),
        tolerance = 1e-13)
})

test_that("oracle: everything stays finite", {
    all <- expand.grid(x = c(0, 1, 2, 30, 31, 1e3, 1e6), R = 10^(-5:6), theta = 10^(-4:4),
        l = c(-700, -30, 0, 30, 700))
    for (dist in c("zinb", "nb")) for (part in refGraphZinb(all$x, all$R, all$theta, all$l, dist))
        expect_true(all(is.finite(part)))
    r <- refGraphZinb(all$x, all$R, all$theta, all$l)
    expect_gt(min(r$NLL), -1e-6)
    expect_true(all(abs(r$dl) <= 1))
})

test_that("oracle: derivatives of the likelihood by differences", {
    all <- expand.grid(x = c(0, 1, 4, 30, 31, 90), R = c(0.02, 1, 25), theta = c(0.05, 1, 40),
        l = c(-6, 0, 3))
    for (dist in c("zinb", "nb")) {
        r <- refGraphZinb(all$x, all$R, all$theta, all$l, dist)
        by <- function(logR = 0, theta = 0, l = 0)
            refGraphZinb(all$x, all$R * exp(logR), all$theta + theta, all$l + l, dist)$NLL
        h <- 1e-5
        g <- list(by(logR = h) - by(-h), by(theta = h) - by(theta = -h), by(l = h) - by(l = -h))
        for (k in 1:3) expect_lt(max(abs(g[[k]] / (2 * h) - r[[1 + k]]) / (1 + abs(r[[1 + k]]))),
            2e-5)
    }
})

test_that("oracle: without dropout the likelihood is the negative binomial's", {
    all <- expand.grid(x = c(0, 1, 2, 30, 300), R = c(1e-5, 0.1, 1, 20, 500),
        theta = c(1e-4, 0.1, 1, 20, 1e4))
    zinb <- refGraphZinb(all$x, all$R, all$theta, -50 + 0 * all$x)
    nb <- refGraphZinb(all$x, all$R, all$theta, dist = "nb")
    # an impossible zero is better explained by dropout of exp(-50) than by the negative binomial
    possible <- all$x > 0 | nb$NLL < 20
    expect_gt(sum(!possible), 0)
    expect_gt(sum(possible & all$x == 0), 20)
    for (part in c("NLL", "dlogR", "dtheta"))
        expect_lt(max(abs((zinb[[part]] - nb[[part]]) / (1 + abs(nb[[part]])))[possible]), 1e-12)
    expect_lt(largest(zinb$NLL[!possible & all$R == 500 & all$theta == 1e4], 50), 1e-9)
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

test_that("oracle: clipped values have no derivative", {
    d <- graphSmall()
    d$par$beta_m[1:2] <- c(60, -60)
    d$par$beta_t[3:4] <- c(2e4, -60)
    expect_warning(r <- go(d), NA)
    expect_equal(range(r$mean), c(1e-5, 1e6))
    expect_equal(range(r$theta), c(1e-4, 1e4))
    expect_true(all(is.finite(unlist(r$gradient))))
    expect_identical(c(r$gradient$beta_m[1:2], r$gradient$beta_t[3:4]), numeric(4))
    expect_true(all(r$gradient$beta_m[-(1:2)] != 0))
})
