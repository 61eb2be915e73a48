# GraphSCI: first the oracle by itself (the page's numbers, differences, algebra), then the package against it.
data <- refGraphData()
counts <- data$counts
Y <- unname(t(counts))
ready <- refGraphPrepare(Y)
graph <- refGraphAdjacency(Y)
dimnames(graph) <- list(rownames(counts), rownames(counts))
costs <- c(adj = "adjacency", exp = "expression", kl = "divergence", mse = "error", l2 = "penalty")

# The largest difference of each matrix, over its largest entry
away <- function(a, b) max(mapply(function(x, y) {
    off <- max(abs(x - y))
    if (off == 0) 0 else off / max(abs(y))
}, a, b))
off <- function(a, b) max(abs(a - b))

# ---- the oracle: the page's numbers, section 6 ----

test_that("oracle: the likelihood (a)", {
    x <- rbind(c(0, 3), c(1, 0))
    R <- rbind(c(1, 2), c(0.5, 4))
    theta <- rbind(c(2, 1.5), c(1, 0.5))
    r <- refGraphZinb(x, R, theta, stats::qlogis(rbind(c(0.5, 0.2), c(0.1, 0.3))))
    expect_lt(off(r$NLL, rbind(c(0.325422400435, 2.390178366452), c(1.609437912434, 0.628608659422))), 1e-12)
    expect_lt(off(mean(r$NLL), 1.23841183469), 1e-11)
    expect_lt(off(r$dlogR, rbind(c(0.205128205128, -0.428571428571), c(-0.333333333333, 0.194444444444))), 1e-12)
    expect_lt(off(r$dtheta, rbind(c(0.0221943922384, -0.219368806279), c(-0.261201558559, 0.572396863696))), 1e-12)
    expect_lt(off(r$dl, rbind(c(-0.192307692308, 0.2), c(0.1, -0.2625))), 1e-12)
    # the page has ...561559, against its own formula: by hand log(1.5) - 2/3
    expect_lt(off(r$dtheta[2, 1], log(1.5) - 2 / 3), 1e-15)
    expect_lt(off(exp(-r$NLL[1, 1]), 0.5 + 0.5 * (2 / 3)^2), 1e-15)
    nb <- refGraphZinb(x, R, theta, dist = "nb")
    expect_lt(off(nb$NLL, rbind(c(0.810930216216, 2.16703481514), c(1.504077396776, 1.09861228867))), 1e-11)
    expect_lt(off(mean(nb$NLL), 1.3951636792), 1e-10)
})

test_that("oracle: the cost of the graph (b)", {
    A <- rbind(c(0, 1, 0), c(1, 0, 0), 0)
    expect_equal(refGraphNormalised(A), rbind(c(0.5, 0.5, 0), c(0.5, 0.5, 0), c(0, 0, 1)), tolerance = 1e-15)
    r <- refGraphEdgeLoss(rbind(c(1, -1, 0.5), c(2, 0, -0.5), c(-2, 0.25, 1)), A)
    expect_identical(c(r$q, r$nu), c(3.5, 9 / 14))
    expect_lt(off(r$loss, 0.86146659206), 1e-11)
    expect_lt(off(r$gradient, rbind(c(-0.0672353553425, -0.182764644658, 0.0444613808001),
        c(-0.0298007305055, -0.125, 0.0269671906284), c(0.00851449443015, 0.040155464349, -0.0672353553425))), 1e-12)
})

test_that("oracle: the divergence (c), batch norm (d)", {
    mu <- rbind(c(0.5, -1), c(0, 2))
    r <- refGraphKl(mu, rbind(c(0, -0.5), c(0.2, -1)))
    expect_lt(off(r$loss, 0.855629927756), 1e-12)
    expect_identical(r$mu, mu / 4)
    expect_lt(off(r$s, rbind(c(0, -0.158030139707), c(0.12295617441, -0.216166179191))), 1e-12)
    bn <- refGraphBn(cbind(c(1, 2, 6), c(0, 4, 2)), c(1.5, 1), c(0.1, 0))
    expect_lt(off(bn$y, cbind(c(-1.288581381052, -0.594290690526, 2.182872071577), c(-1.22451529629, 1.22451529629, 0))), 1e-11)
    back <- refGraphBnBack(cbind(c(1, 0, 0), c(0, 1, 0)), bn)
    expect_lt(off(back$dx, cbind(c(0.264534190115, -0.330593365293, 0.0660591751775),
        c(0.101928186082, 0.102157696634, -0.204085882716))), 1e-11)
    expect_lt(off(back$gamma, c(-0.925720920701, 1.224515296294)), 1e-11)
    expect_identical(back$beta, c(1, 1))
})

test_that("oracle: the preparation (e), and the graph", {
    x <- rbind(c(1, 0, 3), c(2, 2, 4), c(0, 1, 1))
    r <- refGraphPrepare(x)
    expect_identical(r$sf, c(1, 2, 0.5))
    expect_equal(r$Lg, rbind(c(log(2), 0, log(4)), c(log(2), log(2), log(3)), c(0, log(3), log(3))), tolerance = 1e-15)
    expect_lt(off(r$X, cbind(c(0.57735026919, 0.57735026919, -1.15470053838), c(-1.075069592244, 0.172611476952, 0.902458115292),
        c(1.15470053838, -0.57735026919, -0.57735026919))), 1e-11)
    expect_identical(refGraphPrepare(x, scale = FALSE)$X, r$Lg)
    expect_equal(apply(ready$X, 2, sd), rep(1, 60))
    r <- cor(Y)
    diag(r) <- 0
    expect_identical(unname(graph), (abs(r) > 0.3) + 0)
    expect_identical(refGraphAdjacency(cbind(1, 1:3, -(1:3)))[, 1:2], cbind(0, c(0, 0, 1)))    # of constants no edge
})

# ---- the oracle: the likelihood far out, checklist 2 and 13 ----

test_that("oracle: probabilities sum to one, with the mean that they should have", {
    x <- 0:20000
    for (at in list(c(3, 2, -1), c(0.5, 0.1, 0), c(50, 1e4, -5), c(0.001, 1e-4, 2))) for (dist in c("zinb", "nb")) {
        p <- exp(-refGraphZinb(x, at[1] + 0 * x, at[2] + 0 * x, at[3] + 0 * x, dist)$NLL)
        expect_lt(abs(sum(p) - 1), 1e-9)
        expect_lt(abs(sum(x * p) - at[1] * if (dist == "nb") 1 else stats::plogis(-at[3])), 1e-9)
    }
    x <- rep(0:40, each = 5)
    size <- rep(c(0.01, 0.5, 2, 50, 1e4), 41)
    for (R in c(0.01, 1, 7.5, 30)) {
        p <- exp(-refGraphZinb(x, R + 0 * x, size, dist = "nb")$NLL)
        expect_lt(off(p, dnbinom(x, size, mu = R)), 1e-11)      # lgamma of 1e4 has lost 12 digits of what is beyond the sum
        expect_lt(off(p[x <= 30], dnbinom(x, size, mu = R)[x <= 30]), 1e-13)
        far <- exp(-refGraphZinb(x, R + 0 * x, 1e6 + 0 * x, dist = "nb")$NLL)
        expect_lt(off(far, dpois(x, R)), 1e-4)
        expect_lt(off(far, dnbinom(x, 1e6, mu = R)), 1e-9)      # dnbinom() itself is off by 1e-10 here
    }
    # to 16 digits, by another program with 60
    by <- function(x, R, theta) exp(-refGraphZinb(x, R, theta, dist = "nb")$NLL)
    expect_equal(c(by(30, 30, 1e6), by(7, 7.5, 1e6), by(1, 1, 1e6), by(7, 7.5, 1e4)), c(0.07263343697802638, 0.14648333778361153,
        0.367879257231829, 0.146434417947468), tolerance = 1e-13)
})

test_that("oracle: everything stays finite", {
    all <- expand.grid(x = c(0, 1, 2, 30, 31, 1e3, 1e6), R = 10^(-5:6), theta = 10^(-4:4), l = c(-700, -30, 0, 30, 700))
    for (dist in c("zinb", "nb")) for (part in refGraphZinb(all$x, all$R, all$theta, all$l, dist))
        expect_true(all(is.finite(part)))
    r <- refGraphZinb(all$x, all$R, all$theta, all$l)
    expect_gt(min(r$NLL), -1e-6)
    expect_true(all(abs(r$dl) <= 1))
})

test_that("oracle: derivatives of the likelihood by differences", {
    all <- expand.grid(x = c(0, 1, 4, 30, 31, 90), R = c(0.02, 1, 25), theta = c(0.05, 1, 40), l = c(-6, 0, 3))
    for (dist in c("zinb", "nb")) {
        r <- refGraphZinb(all$x, all$R, all$theta, all$l, dist)
        by <- function(logR = 0, theta = 0, l = 0)
            refGraphZinb(all$x, all$R * exp(logR), all$theta + theta, all$l + l, dist)$NLL
        h <- 1e-5
        g <- list(by(logR = h) - by(-h), by(theta = h) - by(theta = -h), by(l = h) - by(l = -h))
        for (k in 1:3) expect_lt(max(abs(g[[k]] / (2 * h) - r[[1 + k]]) / (1 + abs(r[[1 + k]]))), 2e-5)
    }
})

test_that("oracle: without dropout the likelihood is the negative binomial's", {
    all <- expand.grid(x = c(0, 1, 2, 30, 300), R = c(1e-5, 0.1, 1, 20, 500), theta = c(1e-4, 0.1, 1, 20, 1e4))
    zinb <- refGraphZinb(all$x, all$R, all$theta, -50 + 0 * all$x)
    nb <- refGraphZinb(all$x, all$R, all$theta, dist = "nb")
    # an impossible zero is better explained by dropout of exp(-50) than by the negative binomial
    possible <- all$x > 0 | nb$NLL < 20
    expect_gt(sum(!possible), 0)
    expect_gt(sum(possible & all$x == 0), 20)
    for (part in c("NLL", "dlogR", "dtheta"))
        expect_lt(max(abs((zinb[[part]] - nb[[part]]) / (1 + abs(nb[[part]])))[possible]), 1e-12)
    expect_lt(off(zinb$NLL[!possible & all$R == 500 & all$theta == 1e4], 50), 1e-9)
})

# ---- the oracle: all gradients, checklist 1 ----

# Five genes, seven cells; no activation is near enough to where a derivative jumps for differences to see it
smallProblem <- function(latent = "code", D = if (latent == "inner") 6 else 5, seed = 3) withSeed(seed, {
    y <- unname(t(refGraphData(5, 7, 3)$counts))
    p <- refGraphPrepare(y)
    par <- refGraphStart(5, 7, 3, 4, D)
    par <- lapply(par, function(m) m + rnorm(length(m), sd = 0.1))
    par$beta_m <- par$beta_m + log(colMeans(y / p$sf))
    list(par = par, X = p$X, Y = y, sf = p$sf, A = refGraphAdjacency(y), eps = matrix(rnorm(5 * D), 5),
        masks = refGraphMasks(5, 7, 3, 4), held = matrix(rbinom(35, 1, 0.2), 7))
})

go <- function(d, par = d$par, masks = d$masks, held = NULL, ...)
    refGraphForward(par, d$X, d$Y, d$sf, d$A, d$eps, masks, held = held, ...)

expectGradient <- function(d, ...) {
    r <- go(d, ...)
    numeric <- refGraphNumeric(function(par) go(d, par, ..., gradient = FALSE)$cost[["total"]], d$par)
    info <- paste(setdiff(unlist(Filter(is.character, list(...))), ""), collapse = " ")
    expect_identical(names(r$gradient), names(d$par))
    expect_length(r$gradient, 21)
    for (name in names(numeric)) {
        expect_identical(dim(r$gradient[[name]]), dim(d$par[[name]]))
        expect_lt(off(r$gradient[[name]], numeric[[name]]), 1e-8, label = paste(name, info))
    }
    invisible(r)
}

test_that("oracle: gradients of all 21 blocks, for both latents and likelihoods, with and without masks", {
    for (latent in c("code", "inner")) {
        d <- smallProblem(latent)
        for (dist in c("zinb", "nb")) {                        # half of all combinations: each pair of settings is there
            masks <- if ((latent == "code") == (dist == "zinb")) d$masks
            r <- expectGradient(d, masks = masks, latent = latent, dist = dist)
            silent <- vapply(r$gradient, function(g) all(g == 0), TRUE)
            expect_identical(names(r$gradient)[silent], if (dist == "nb") c("Up", "gamma_p", "beta_p") else character())
        }
    }
})

test_that("oracle: gradients with held-out entries, edges alone, other weights, and of an empty graph", {
    code <- smallProblem("code")
    inner <- smallProblem("inner")
    expect_gt(sum(code$held), 3)
    expectGradient(code, held = code$held, denominator = "all")
    expectGradient(code, held = code$held, denominator = "kept", mse.held = FALSE, dist = "nb", wd = 3)
    expectGradient(inner, held = inner$held, denominator = "kept", latent = "inner", wd = 3, l2 = 0.1)
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
    d <- smallProblem()
    h <- d$held
    other <- d
    other$Y[h == 1] <- other$Y[h == 1] + 5
    one <- go(d, held = h, mse.held = FALSE)
    expect_identical(go(other, held = h, mse.held = FALSE)[c("cost", "gradient")], one[c("cost", "gradient")])
    expect_false(go(other, held = h)$cost[["mse"]] == go(d, held = h)$cost[["mse"]])
    kept <- go(d, held = h, denominator = "kept")
    expect_equal(kept$cost[["exp"]], mean(kept$likelihood$NLL[h == 0]))
    expect_equal(one$cost[["exp"]], kept$cost[["exp"]] * mean(h == 0))
    expect_identical(go(d, held = 0 * h, denominator = "kept")$cost, go(d)$cost)
})

test_that("oracle: clipped values have no derivative", {
    d <- smallProblem()
    d$par$beta_m[1:2] <- c(60, -60)
    d$par$beta_t[3:4] <- c(2e4, -60)
    expect_warning(r <- go(d), NA)
    expect_equal(range(r$mean), c(1e-5, 1e6))
    expect_equal(range(r$theta), c(1e-4, 1e4))
    expect_true(all(is.finite(unlist(r$gradient))))
    expect_identical(c(r$gradient$beta_m[1:2], r$gradient$beta_t[3:4]), numeric(4))
    expect_true(all(r$gradient$beta_m[-(1:2)] != 0))
})

# ---- the oracle: algebra, checklist 4 to 9 ----

test_that("oracle: labels of 2 have no minimum; ours are 0 and 1", {
    d <- smallProblem()
    label <- d$A + diag(5)
    expect_true(all(label %in% 0:1) && sum(label) > 5)
    twice <- label + d$A
    at <- function(z, label) refGraphEdgeLoss(z * d$A, d$A, label)$loss
    expect_lt(at(1e6, twice), at(1e3, twice) - 1000)
    expect_true(all(diff(vapply(10^(0:6), at, 0, label = label)) <= 0) && at(1e6, label) > 0)
})

test_that("oracle: genes and cells can be permuted", {
    for (latent in c("code", "inner")) {
        d <- smallProblem(latent)
        d$A[4, 5] <- d$A[5, 4] <- 1 - d$A[4, 5]
        one <- go(d, latent = latent, held = d$held)
        g <- c(3, 1, 5, 2, 4)
        p <- d
        for (k in c("U1", "b", "gamma_p", "beta_p", "gamma_t", "beta_t", "gamma_m", "beta_m")) p$par[[k]] <-
            if (k == "U1") d$par$U1[g, ] else d$par[[k]][g]
        for (k in c("Up", "Ut", "Um", if (latent == "code") c("Wm", "Ws"))) p$par[[k]] <- d$par[[k]][, g]
        p$par$W <- d$par$W[g, g]
        for (k in c("X", "Y", "held")) p[[k]] <- d[[k]][, g]
        p$A <- d$A[g, g]
        p$eps <- if (latent == "code") d$eps[g, g] else d$eps[g, ]
        p$masks <- lapply(d$masks, function(m) m[g, ])
        two <- go(p, latent = latent, held = p$held)
        expect_equal(two$cost, one$cost, tolerance = 1e-12)
        expect_lt(off(two$R, one$R[, g]), 1e-12 * max(one$R))
        expect_lt(off(two$gradient$W, one$gradient$W[g, g]), 1e-13)
        cells <- c(7, 2, 3, 1, 6, 5, 4)
        p <- d
        p$par$W0 <- d$par$W0[cells, ]
        for (k in c("X", "Y", "held")) p[[k]] <- d[[k]][cells, ]
        p$sf <- d$sf[cells]
        p$masks$D0 <- d$masks$D0[, cells]
        two <- go(p, latent = latent, held = p$held)
        expect_equal(two$cost, one$cost, tolerance = 1e-12)
        expect_lt(off(two$R, one$R[cells, ]), 1e-12 * max(one$R))
    }
})

test_that("oracle: the depth of a cell goes through to its row alone", {
    d <- smallProblem()
    target <- median(rowSums(d$Y))
    scaled <- d$Y
    scaled[3, ] <- 7 * scaled[3, ]
    p <- refGraphPrepare(scaled, target = target)
    expect_lt(off(p$X, d$X), 1e-14)
    expect_equal(p$sf / d$sf, c(1, 1, 7, 1, 1, 1, 1))
    one <- refGraphPredict(d$par, d$X, d$sf, d$A)
    two <- refGraphPredict(d$par, p$X, p$sf, d$A)
    expect_lt(away(list(two$R), list(one$R * c(1, 1, 7, 1, 1, 1, 1))), 1e-12)
})

test_that("oracle: the normalised adjacency", {
    for (A in list(unname(graph), smallProblem()$A, matrix(0, 4, 4), 1 - diag(6))) {
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
    d <- smallProblem()
    for (A in list(matrix(0, 5, 5), 1 - diag(5))) {
        d$A <- A
        expect_true(all(is.finite(unlist(go(d)[c("cost", "gradient", "R")]))))
    }
    # the rows of a complete graph's latent are all the same
    expect_lt(off(go(d)$Qa, rep(go(d)$Qa[1, ], each = 5)), 1e-15)
})

test_that("oracle: what batch norm and the order of products do not change", {
    d <- smallProblem()
    r <- go(d)
    shifted <- refGraphBn(r$E2 %*% d$par$Um + rep(c(3, -1, 0.5, 9, -4), each = 7), d$par$gamma_m, d$par$beta_m)
    expect_lt(off(shifted$y, r$bnm$y), 1e-12)
    back <- refGraphBnBack(matrix(rnorm(35), 7), shifted)
    expect_lt(max(abs(colSums(back$dx))), 1e-13)               # the gradient of such a constant
    expect_lt(off(r$Ah %*% ((r$H2 * d$masks$Da) %*% d$par$Wm), r$mu), 1e-14)
    for (h in c("p", "t", "m")) {
        f <- refGraphFold(d$par[[paste0("U", h)]], r[[paste0("bn", h)]])
        expect_lt(off(r$E2 %*% f$D + rep(f$d0, each = 7), r[[paste0("bn", h)]]$y), 1e-13)
    }
    # statistics of a head without its product
    U <- d$par$Um
    expect_lt(off(colMeans(r$E2) %*% U, r$bnm$mean), 1e-14)
    expect_lt(off(sqrt(diag(t(U) %*% cov(r$E2) %*% U) * 6 / 7 + 1e-3), r$bnm$root), 1e-14)
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
    expect_identical(c(one$gamma_p[1], one$beta_p[1], one$gamma_t[1], one$gamma_m[1]), c(0.1, -2, 0.1, 0.3))
    # batch norm makes the means of the heads these to the bit
    a <- withSeed(1, refGraphActivations(refGraphStart(60, 80, heads = h), ready$X, ready$sf, graph))
    expect_lt(off(colMeans(log(a$mean)), h$beta_m), 1e-12)
})

test_that("oracle: the steps of Adam", {
    expect_equal(refGraphAdam(list(a = 1), list(a = 0.2), NULL, 1)$par$a, 1 - 0.01 * 0.2 / (0.2 + 1e-8 / sqrt(0.001)),
        tolerance = 1e-15)
    g <- c(0.3, -0.2, 0.05)
    now <- list(par = list(a = 1), state = NULL)
    for (e in 1:3) now <- refGraphAdam(now$par, list(a = g[e]), now$state, e, 0.1)
    step <- function(e) {                                      # by the definition with sums over all steps
        mean <- function(beta, x) sum(beta^(e - seq_len(e)) * x[seq_len(e)]) / sum(beta^(e - seq_len(e)))
        0.1 * 0.9^((e - 1) / 50) * mean(0.9, g) / (sqrt(mean(0.999, g^2)) + 1e-8 / sqrt(1 - 0.999^e))
    }
    expect_equal(now$par$a, 1 - sum(vapply(1:3, step, 0)), tolerance = 1e-14)
})

test_that("oracle: prediction and edges", {
    for (latent in c("code", "inner")) {
        d <- smallProblem(latent)
        r <- refGraphPredict(d$par, d$X, d$sf, d$A, latent)
        d$eps <- 0 * d$eps
        expect_identical(go(d, masks = NULL, latent = latent)$R, r$R)
        f <- r$folded$m
        expect_lt(off(exp(r$E2 %*% f$D + rep(f$d0, each = 7)) * d$sf / r$R, 1), 1e-12)
        p <- refGraphEdges(d$par, d$X, d$A, latent)
        expect_identical(p, t(p))
        mu <- r$Qa %*% d$par$Wm
        if (latent == "inner") expect_lt(off(p, stats::plogis(tcrossprod(mu))), 1e-15) else
            expect_lt(off(p[2, 4], (stats::plogis(mu[2, 4]) + stats::plogis(mu[4, 2])) / 2), 1e-15)
    }
})

test_that("oracle: odd data", {
    expect_error(refGraphPrepare(Y[1, , drop = FALSE]), "one cell")
    p <- refGraphPrepare(cbind(c(2, 2, 2, 2), c(1, 3, 2, 2), c(3, 1, 2, 2)))    # equal depths: constant before and after
    expect_identical(p$X[, 1], numeric(4))
    flat <- cbind(Y, 2)
    expect_gt(min(abs(range(refGraphPrepare(flat)$X[, 61]))), 0.5)               # not so where depths differ
    expect_identical(sum(refGraphAdjacency(flat)[61, ]), 0)
    huge <- Y
    huge[2, 7] <- 1e6
    for (y in list(huge, Y[1:2, colSums(Y[1:2, ]) > 0], Y[, 1:3])) withSeed(2, {
        p <- refGraphPrepare(y)
        N <- ncol(y)
        r <- refGraphForward(refGraphStart(N, nrow(y), heads = refGraphHeads(y, p$sf)), p$X, y, p$sf, refGraphAdjacency(y),
            matrix(rnorm(N * N), N), refGraphMasks(N, nrow(y)))
        expect_true(all(is.finite(unlist(r[c("cost", "gradient", "R")]))))
    })
})

# Epochs of the oracle from a seed; the costs of each and the weights after the last. ...: of refGraphForward().
oracleFit <- function(epochs, seed, init = "data", X = ready$X, A = graph, latent = "code", rate = 0.2, lr = 0.01, ...)
    withSeed(seed, {
        D <- if (latent == "inner") 32 else 60
        par <- refGraphStart(60, 80, D = D, heads = if (init == "data") refGraphHeads(Y, ready$sf))
        trace <- state <- NULL
        for (e in seq_len(epochs)) {
            r <- refGraphForward(par, X, Y, ready$sf, A, matrix(rnorm(60 * D), 60), refGraphMasks(60, 80, rate = rate),
                latent = latent, ...)
            trace <- rbind(trace, r$cost)
            new <- refGraphAdam(par, r$gradient, state, e, lr)
            par <- new$par
            state <- new$state
        }
        list(par = par, trace = trace)
    })

# Settings of everything that training depends on; the names of GraphSciParam(), and what the oracle calls the same
variants <- list(default = list(list(), list()),
    nb = list(list(dist = "nb"), list(dist = "nb")),
    inner = list(list(latent = "inner"), list(latent = "inner")),
    edges = list(list(inner = "edges"), list(inner = "edges")),
    both = list(list(inner = "edges", latent = "inner", dist = "nb"), list(inner = "edges", latent = "inner", dist = "nb")),
    reference = list(list(init = "reference"), list(init = "reference")),
    lognorm = list(list(correlation = "lognorm", threshold = 0.4), list(A = refGraphAdjacency(ready$Lg, 0.4))),
    unscaled = list(list(scale = FALSE), list(X = ready$Lg)),
    weights = list(list(mse.weight = 3, l2 = 0.05, dropout = 0.5), list(wd = 3, l2 = 0.05, rate = 0.5)),
    none = list(list(mse.weight = 0, l2 = 0, dropout = 0, learning.rate = 0.03), list(wd = 0, l2 = 0, rate = 0, lr = 0.03)))

# Means, then deviations, of adj, exp, kl, mse, l2 over oracleFit() of the seeds 101:124; of epoch 1, of epoch 16
expected <- list(
    default = list(c(0.86572, 2.1895, 0.06009, 0.0036498, 0.1158, 0.014823, 0.0056099, 0.011612, 0.00011718, 0.0010632),
        c(0.68912, 2.1313, 0.086507, 0.0029884, 0.062321, 0.015779, 0.0075861, 0.0096168, 0.00012489, 0.00101)),
    nb = list(c(0.86572, 2.1626, 0.06009, 0.0036498, 0.094857, 0.014823, 0.0059493, 0.011612, 0.00011718, 0.0010912),
        c(0.68861, 2.109, 0.087812, 0.002987, 0.061559, 0.015725, 0.0082116, 0.0096512, 0.00011852, 0.00097707)),
    inner = list(c(2.6919, 2.1918, 0.046961, 0.0036221, 0.1158, 0.24161, 0.0042804, 0.014628, 0.00012296, 0.0011443),
        c(0.76724, 2.0809, 0.24114, 0.0024941, 0.060875, 0.074513, 0.0063583, 0.032337, 0.00015539, 0.00094732)),
    edges = list(c(0.86572, 2.1912, 0.06009, 0.0036419, 0.089958, 0.014823, 0.0055062, 0.011612, 0.0001417, 0.00077764),
        c(0.68736, 2.1161, 0.088137, 0.0027668, 0.042814, 0.016474, 0.0087173, 0.0099514, 0.0001829, 0.00075294)),
    both = list(c(2.6919, 2.1626, 0.046961, 0.0035946, 0.069171, 0.24161, 0.005636, 0.014628, 0.00017928, 0.00082153),
        c(0.76718, 2.0185, 0.24057, 0.0023074, 0.04347, 0.072762, 0.0059432, 0.032526, 0.00011261, 0.00068943)),
    reference = list(c(0.86572, 4.2131, 0.06009, 0.0064547, 0.1158, 0.014823, 0.08638, 0.011612, 0.00027391, 0.0010632),
        c(0.74281, 3.2239, 0.13904, 0.0058284, 0.11123, 0.017591, 0.067296, 0.023123, 0.000186, 0.0011157)),
    lognorm = list(c(0.92826, 2.1892, 0.18609, 0.0036333, 0.1158, 0.021111, 0.0059512, 0.026903, 0.00011687, 0.0010632),
        c(0.67314, 2.1347, 0.12117, 0.0030146, 0.062065, 0.032781, 0.0090162, 0.023168, 0.00014729, 0.0010148)),
    unscaled = list(c(0.89319, 2.19, 0.1819, 0.0036822, 0.1158, 0.020558, 0.006289, 0.068527, 0.000209, 0.0010632),
        c(0.76965, 2.1368, 0.045104, 0.0030579, 0.061353, 0.01756, 0.0088115, 0.0093851, 0.00017965, 0.0010349)),
    weights = list(c(0.87388, 2.1888, 0.19524, 1.0915, 5.7899, 0.015654, 0.0056414, 0.10475, 0.036088, 0.053162),
        c(0.7612, 2.132, 0.12147, 0.79508, 1.1163, 0.02638, 0.0096505, 0.038134, 0.069423, 0.051843)),
    none = list(c(0.8555, 2.1914, 0.042834, 0, 0, 0.016131, 0.0052942, 0.0090552, 0, 0),
        c(0.66084, 2.0784, 0.085597, 0, 0, 0.018655, 0.0091899, 0.014149, 0, 0)))

test_that("oracle: the table is the oracle's", {
    for (name in c("default", "both")) for (seed in 1:2) {
        trace <- do.call(oracleFit, c(list(16, seed), variants[[name]][[2]]))$trace[c(1, 16), names(costs)]
        for (k in 1:2) {
            known <- matrix(expected[[name]][[k]], 5)
            expect_lt(max(abs(trace[k, ] - known[, 1]) / known[, 2]), 5)
        }
    }
})

test_that("oracle: training works, and needs its heads where the data are", {
    one <- oracleFit(20, 1)
    expect_true(all(diff(one$trace[c(1, 10, 20), "total"]) < 0))
    reference <- oracleFit(20, 1, "reference")$trace[20, "exp"]
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
    for (r in list(cor(Y), cor(ready$Lg))) for (threshold in c(0.3, 0.4)) expect_gt(min(abs(abs(r) - threshold)), 1e-5)
})

# ---- the package ----

quiet <- function(code) suppressWarnings(suppressMessages(code))
# A few epochs and nothing held out
fitted <- function(..., x = counts, seed = 1, num.threads = 1, max.iter = 3, stop = "none",
    valid.fraction = if (stop == "none") 0 else 0.05)
{
    param <- GraphSciParam(max.iter = max.iter, stop = stop, valid.fraction = valid.fraction, ...)
    quiet(fitInfill(x, param, seed = seed, num.threads = num.threads))
}
out <- function(...) plain(quiet(infill(...)))
same <- function(one, two, info = NULL) {
    testthat::expect_identical(fitWeights(one), fitWeights(two), info = info)
    testthat::expect_identical(fitHistory(one), fitHistory(two), info = info)
}
differ <- function(one, two) testthat::expect_false(identical(fitHistory(one)$train, fitHistory(two)$train))

# Heads recomputed from what prediction needs: cells x modelled genes
heads <- function(fit) {
    w <- fitWeights(fit)
    head <- function(U, u0) if (!is.null(w[[U]])) w$E2 %*% w[[U]] + rep(as.vector(w[[u0]]), each = nrow(w$E2))
    l <- head("P", "p0")
    m <- head("D", "d0")
    list(mean = exp(pmin(pmax(m, log(1e-5)), log(1e6))), logmean = m, l = l, dropout = if (!is.null(l)) stats::plogis(l),
        dispersion = pmin(pmax(refGraphSoftplus(head("T", "t0")), 1e-4), 1e4))
}
named <- function(A) {
    dimnames(A) <- dimnames(graph)
    A
}
# The latent's mean: as a product of two, or as it is
latentOf <- function(fit) {
    w <- fitWeights(fit)
    if (is.null(w$Qa)) w$Z else w$Qa %*% w$Wm
}
# genes x genes
edges <- function(fit, latent = "code") {
    mu <- latentOf(fit)
    p <- stats::plogis(if (latent == "inner") tcrossprod(mu) else mu)
    (p + t(p)) / 2
}

test_that("shapes of a fit", {
    fit <- fitted()
    h <- fitHistory(fit)
    expect_true(all(c("iteration", "train", "valid", unname(costs)) %in% names(h)))
    expect_identical(h$iteration, 1:3)
    expect_true(all(is.finite(as.matrix(h[c("train", costs)]))))
    expect_true(all(is.na(h$valid)))                           # of nothing held out
    w <- fitWeights(fit)
    shape <- c(E2 = 80 * 32, P = 32 * 60, T = 32 * 60, D = 32 * 60, p0 = 60, t0 = 60, d0 = 60, Qa = 60 * 32, Wm = 32 * 60)
    expect_identical(lengths(w)[names(shape)], vapply(shape, as.integer, 0L))
    for (k in c("E2", "Qa")) expect_identical(ncol(w[[k]]), 32L)
    for (k in c("P", "T", "D", "Wm")) expect_identical(dim(w[[k]]), c(32L, 60L))
    expect_identical(dim(latentOf(fitted(latent = "inner"))), c(60L, 32L))
    expect_true(all(is.finite(unlist(w))))
    expect_gte(min(w$E2, w$Qa), 0)
    expect_setequal(modelledGenes(fit), 1:60)
})

test_that("the cost is the sum of its parts", {
    for (v in variants) {
        h <- fitHistory(do.call(fitted, v[[1]]))
        expect_lt(off(h$train / rowSums(h[costs]), 1), 1e-5)   # sums of five single-precision numbers
    }
    h <- fitHistory(fitted(mse.weight = 0, l2 = 0))
    expect_true(all(h$error == 0) && all(h$penalty == 0))
})

# The package draws other numbers than the oracle: only means over seeds can be compared, but these are narrow.
test_that("costs of the first and of the 16th epoch are those of the oracle: likelihoods, gradients, steps", {
    for (name in names(variants)) {
        fits <- lapply(1:4, function(seed) fitHistory(do.call(fitted, c(variants[[name]][[1]], max.iter = 16, seed = seed))))
        for (k in 1:2) {
            package <- Reduce(`+`, lapply(fits, function(h) unlist(h[c(1, 16)[k], costs]))) / 4
            known <- matrix(expected[[name]][[k]], 5)
            # 5 deviations of a difference of means, of 4 fits and of the oracle's 24
            limit <- 5 * sqrt(1 / 4 + 1 / 24) * known[, 2] + 1e-4 * known[, 1] + 1e-12
            for (j in 1:5) expect_lt(abs(package[[j]] - known[j, 1]) / limit[j], 1,
                label = sprintf("%s, %s, epoch %d: %g, not %g; over its limit", name, costs[j], c(1, 16)[k], package[[j]],
                    known[j, 1]))
        }
    }
})

test_that("the learning rate decays as the oracle's: costs of the 100th epoch", {
    fits <- lapply(1:4, function(seed) unlist(fitHistory(fitted(max.iter = 100, seed = seed))[100, costs]))
    package <- Reduce(`+`, fits) / 4
    # over oracleFit(100, seed) of the seeds 101:116; without decay the penalty is 0.0267
    mean <- c(0.60341, 1.8472, 0.12764, 0.0010633, 0.024167)
    sd <- c(0.011721, 0.010249, 0.01363, 8.364e-5, 0.00065446)
    expect_lt(max(abs(package - mean) / sd), 5 * sqrt(1 / 4 + 1 / 16))
})

test_that("heads start where the data are, or at the reference's 0", {
    start <- function(...) fitted(max.iter = 1, learning.rate = 1e-8, ...)
    h <- refGraphHeads(Y, ready$sf)
    p <- heads(start())
    # the means over cells are the beta of batch norm; 1e-4: single precision, of values up to 30
    expect_lt(off(colMeans(p$logmean), h$beta_m), 1e-4)
    expect_lt(off(colMeans(p$l), -2), 1e-4)
    ratio <- function(m) apply(m, 2, function(x) sqrt(mean((x - mean(x))^2)))
    expect_true(all(ratio(p$logmean) / 0.3 < 1 + 1e-4 & ratio(p$logmean) / 0.3 > 0.9))
    expect_true(all(ratio(p$l) / 0.1 < 1 + 1e-4 & ratio(p$l) / 0.1 > 0.9))
    w <- fitWeights(start())
    o <- w$E2 %*% w$T + rep(as.vector(w$t0), each = 80)
    expect_lt(off(colMeans(o), h$beta_t), 1e-4)
    expect_true(all(ratio(o) / 0.1 < 1 + 1e-3 & ratio(o) / 0.1 > 0.9))
    p <- heads(start(init = "reference"))
    expect_lt(off(colMeans(p$logmean), 0), 1e-5)
    expect_lt(off(colMeans(p$l), 0), 1e-5)
    expect_true(all(ratio(p$logmean) < 1 + 1e-4 & ratio(p$logmean) > 0.9))
    # Glorot's bound of Wm, and the sizes of the layers
    bound <- sqrt(6 / 92)
    expect_lte(max(abs(w$Wm)), bound + 1e-6)
    expect_equal(sd(w$Wm) * sqrt(3) / bound, 1, tolerance = 0.05)
    a <- withSeed(1, lapply(1:20, function(k) refGraphPredict(refGraphStart(60, 80, heads = h), ready$X, ready$sf, graph)))
    measure <- function(r, Wm) c(mean(r$Qa), mean(r$Qa^2), mean(r$E2), mean(r$E2^2), mean(r$E2 == 0), sqrt(mean((r$Qa %*% Wm)^2)))
    known <- vapply(a, function(r) c(measure(r, 0 * w$Wm)[1:5], sqrt(mean(r$mu^2))), numeric(6))
    for (seed in 1:2) {
        w <- fitWeights(start(seed = seed))
        expect_true(all(abs(measure(w, w$Wm) - rowMeans(known)) < 6 * apply(known, 1, sd)))
    }
})

test_that("the graph convolution has the normalised adjacency of the graph given", {
    # Qa is Ah times something: what Ah makes 0 is 0 in Qa. A path of five genes has such a direction, and degrees 2 and 3.
    path <- outer(1:5, 1:5, function(i, j) abs(i - j) == 1) + 0
    A <- kronecker(diag(12), path)
    dimnames(A) <- dimnames(graph)
    none <- kronecker(diag(12), cbind(sqrt(c(2, 3, 3, 3, 2)) * c(1, -1, 0, 1, -1)))
    expect_lt(max(abs(refGraphNormalised(A) %*% none)), 1e-14)
    for (more in list(list(), list(latent = "inner"), list(dropout = 0, dist = "nb"))) {
        fit <- do.call(fitted, c(list(adj = A), more))
        for (Q in Filter(Negate(is.null), list(fitWeights(fit)$Qa, latentOf(fit)))) {
            expect_gt(max(abs(Q)), 0.01)
            expect_lt(max(abs(crossprod(none, Q))), 1e-5 * max(abs(Q)))
        }
    }
    expect_gt(max(abs(crossprod(none, fitWeights(fitted())$Qa))), 1e-3)
    # cliques: genes of one have the same row
    blocks <- kronecker(diag(6), matrix(1, 10, 10)) - diag(60)
    dimnames(blocks) <- dimnames(graph)
    Qa <- fitWeights(fitted(adj = blocks))$Qa
    first <- 10 * ((seq_len(60) - 1) %/% 10) + 1
    expect_lt(off(Qa, Qa[first, ]), 1e-5 * max(Qa))
    expect_gt(off(Qa[1, ], Qa[11, ]), 1e-4 * max(Qa))
})

test_that("a gene that never varies has no latent", {
    x <- rbind(c(2, 2, 2, 2), c(1, 3, 2, 2), c(3, 1, 2, 2), c(4, 4, 4, 4)) + 0   # equal depths
    x <- x[, rep(1:4, 5)]
    fit <- fitted(x = x)
    w <- fitWeights(fit)
    expect_true(all(w$Qa[c(1, 4), ] == 0))
    expect_gt(max(w$Qa[2:3, ]), 0)
    expect_true(all(is.finite(out(x, fit, keep = "none"))))
})

# ---- what is filled in ----

# Values are products of single-precision numbers of size up to 10 over 32 terms, in an exponent: 1e-4 is some 10 times what
# their rounding can make, and is the tolerance of the logarithms.
expectClose <- function(a, b, by = 1e-4) {
    expect_identical(dim(unname(a)), dim(unname(b)))
    expect_lt(max(abs(log(unname(a)) - log(unname(b)))), by)
}

test_that("the fitted mean times the size factor is filled in", {
    for (v in variants) {
        fit <- do.call(fitted, c(v[[1]], max.iter = 5))
        r <- heads(fit)
        all <- out(counts, fit, keep = "none")
        expect_identical(dimnames(all), dimnames(counts))
        expectClose(all, t(r$mean * ready$sf))
        filled <- out(counts, fit)
        expect_identical(filled[counts > 0], counts[counts > 0] + 0)
        expect_identical(filled[counts == 0], all[counts == 0])
        expectClose(out(counts, fit, keep = "none", output = "normcounts"), t(r$mean))
        n <- out(counts, fit, output = "normcounts")
        expect_lt(max(abs(n / t(t(counts) / ready$sf) - 1)[counts > 0]), 1e-6)
        expectClose(n[counts == 0, drop = FALSE], t(r$mean)[counts == 0, drop = FALSE])
        expectClose(graphSciParts(fit, what = "mean"), t(r$mean))
        expectClose(graphSciParts(fit, what = "dispersion"), t(r$dispersion))
        if (!identical(v[[1]]$dist, "nb")) expectClose(graphSciParts(fit, what = "dropout"), t(r$dropout))
    }
    fit <- fitted()
    expect_identical(out(counts, GraphSciParam(max.iter = 3, stop = "none", valid.fraction = 0), seed = 1), out(counts, fit))
    expect_identical(plain(as.matrix(quiet(infill(sparse(counts), fit)))), out(counts, fit))
    expect_identical(unname(as.matrix(infill(counts, fit, as = "delayed"))), unname(out(counts, fit)))
    expect_identical(out(counts, fit), out(counts, fit))       # nothing random is left
    expect_identical(rownames(graphSciParts(fit, what = "mean")), rownames(counts))
})

test_that("edges are the mean probabilities of both directions", {
    for (latent in c("code", "inner")) {
        fit <- fitted(latent = latent, max.iter = 10)
        p <- edges(fit, latent)
        dimnames(p) <- dimnames(graph)
        for (threshold in c(0.5, 0.55)) {
            e <- geneEdges(fit, threshold = threshold)
            expect_identical(names(e), c("gene1", "gene2", "probability"))
            i <- match(as.character(e$gene1), rownames(counts))
            j <- match(as.character(e$gene2), rownames(counts))
            expect_true(all(i < j) && !anyDuplicated(cbind(i, j)))
            expect_lt(off(e$probability, p[cbind(i, j)]), 1e-5)
            found <- matrix(FALSE, 60, 60)
            found[cbind(i, j)] <- TRUE
            sure <- upper.tri(p) & abs(p - threshold) > 1e-5
            expect_identical(found[sure], unname(p)[sure] > threshold)
            expect_gt(nrow(e), 0)
        }
        e <- geneEdges(fit)
        m <- geneEdges(fit, as = "matrix")
        expect_s4_class(m, "sparseMatrix")
        expect_true(Matrix::isSymmetric(m))
        dense <- as.matrix(m)
        expect_identical(sum(dense[upper.tri(dense)] != 0), nrow(e))
        expect_equal(dense[cbind(as.character(e$gene1), as.character(e$gene2))], e$probability)
    }
    bad <- function(...) expect_error(geneEdges(fit, ...), class = "infill_error")
    bad(threshold = -0.1)
    bad(threshold = NA)
    bad(as = "list")
    expect_error(geneEdges(counts), class = "infill_error")
})

# ---- graphs ----

test_that("a graph given is the graph computed", {
    one <- fitted()
    at <- which(graph > 0 & upper.tri(graph), arr.ind = TRUE)
    table <- data.frame(gene1 = rownames(counts)[at[, 1]], gene2 = rownames(counts)[at[, 2]])
    mixed <- table
    swap <- seq(1, nrow(table), by = 3)
    mixed[swap, ] <- table[swap, 2:1]
    back <- stats::setNames(table[2:1], names(table))
    shuffled <- withSeed(1, sample(60))
    for (adj in list(graph, sparse(graph), Matrix::forceSymmetric(sparse(graph)), table, mixed, rbind(table, back),
        graph[shuffled, shuffled])) same(fitted(adj = adj), one)
    for (threshold in c(0.4, 0.2)) same(fitted(adj = named(refGraphAdjacency(Y, threshold))), fitted(threshold = threshold))
    same(fitted(adj = named(refGraphAdjacency(ready$Lg))), fitted(correlation = "lognorm"))
    differ(fitted(threshold = 0.4), one)
    differ(fitted(correlation = "lognorm"), one)
})

test_that("no edges, all edges, one edge", {
    whole <- c("full", "edges")
    for (adj in list(0 * graph, named(1 - diag(60)), data.frame(gene1 = "g3", gene2 = "g58"))) for (inner in whole) {
        fit <- fitted(adj = adj, inner = inner)
        expect_true(all(is.finite(as.matrix(fitHistory(fit)[c("train", costs)]))))
        expect_true(all(is.finite(out(counts, fit, keep = "none"))))
        expect_true(is.data.frame(geneEdges(fit)))
    }
    # labels are A + I, q = N - 1 and nu = N/(2 (N - 1)): the start costs about nu/N^2 (N^2 - N + N q) E softplus(noise) = 0.806
    h <- fitHistory(fitted(adj = 0 * graph, max.iter = 1, learning.rate = 1e-8))
    expect_equal(h$adjacency, 0.806, tolerance = 0.25)
})

# ---- what must hold ----

test_that("bits depend on the seed alone, not on threads or on the kind of matrix", {
    for (v in variants[c("default", "both", "unscaled")]) {
        one <- do.call(fitted, v[[1]])
        for (threads in 2:3) same(do.call(fitted, c(v[[1]], num.threads = threads)), one)
        same(do.call(fitted, c(v[[1]], list(x = sparse(counts)))), one)
        other <- do.call(fitted, c(v[[1]], seed = 2))
        differ(other, one)
        expect_false(identical(fitWeights(other)$E2, fitWeights(one)$E2))
        expect_identical(infill(counts, one, num.threads = 2), infill(counts, one, num.threads = 1))
    }
    p <- list(max.iter = 20, stop = "validation")
    same(do.call(fitted, c(p, num.threads = 2)), do.call(fitted, p))
    withSeed(5, {
        before <- .Random.seed
        fitted(max.iter = 1)
        expect_identical(.Random.seed, before)
    })
})

test_that("every argument counts", {
    one <- fitted()
    for (more in list(list(dist = "nb"), list(latent = "inner"), list(inner = "edges"), list(scale = FALSE), list(dropout = 0),
        list(l2 = 0), list(mse.weight = 1), list(init = "reference"), list(learning.rate = 0.02)))
        differ(do.call(fitted, more), one)
    paper <- quiet(fitInfill(counts, GraphSciParam(paper = TRUE), seed = 1))
    expect_true(all(is.finite(out(counts, paper, keep = "none"))))
})

test_that("the depth of a cell goes through to its own values", {
    k <- which.max(colSums(counts))                            # stays above the median, which stays
    deep <- counts
    deep[, k] <- 3 * deep[, k]
    start <- function(x) out(x, fitted(x = x, adj = graph, max.iter = 1, learning.rate = 1e-8), keep = "none")
    expectClose(start(deep), start(counts) * rep(ifelse(seq_len(80) == k, 3, 1), each = 60))
})

test_that("the held-out stop keeps the weights of the lowest likelihood", {
    for (more in list(list(), list(dist = "nb", latent = "inner"))) {
        run <- function(n) do.call(fitted, c(more, stop = "validation", patience = 20, learning.rate = 0.05, valid.fraction = 0.2,
            max.iter = n))
        fit <- run(400)
        h <- fitHistory(fit)
        seen <- which(!is.na(h$valid))
        expect_true(all(utils::head(seen, -1) %% 10 == 0) && all(seq_len(nrow(h) %/% 10) * 10 %in% seen))
        best <- seen[which.min(h$valid[seen])]
        expect_lt(nrow(h), 400)
        expect_lte(nrow(h), best + 20)
        expect_identical(fitWeights(run(best)), fitWeights(fit))
        if (best < nrow(h)) expect_false(identical(fitHistory(run(nrow(h)))$valid[best], h$valid[nrow(h)]))
        expect_equal(fitHistory(run(best)), h[seq_len(best), ], ignore_attr = TRUE)
        expect_identical(out(counts, fit)[counts > 0], counts[counts > 0] + 0)   # held-out ones too
    }
})

test_that("the held-out likelihood is that of the prediction", {
    for (dist in c("zinb", "nb")) for (fraction in c(0.2, 0.5)) {
        fit <- fitted(dist = dist, stop = "validation", valid.fraction = fraction, max.iter = 10, patience = 100)
        p <- heads(fit)
        l <- if (dist == "nb") 0 * Y else p$l
        NLL <- refGraphZinb(Y, p$mean * ready$sf, p$dispersion, l, dist)$NLL
        # which entries is not told: the mean of so many of these, as a sample without replacement
        spread <- sd(NLL) * sqrt((1 - fraction) / (fraction * length(NLL)))
        expect_lt(abs(fitHistory(fit)$valid[10] - mean(NLL)), 5 * spread)
    }
    # whether what is left out counts in the denominator is not said
    part <- function(...) fitHistory(fitted(max.iter = 1, ...))$expression
    ratio <- part(stop = "validation", valid.fraction = 0.5) / part()
    expect_lt(min(abs(ratio - c(0.5, 1))), 0.1)
})

test_that("training gets better, and finds the graph", {
    fit <- fitted(max.iter = 60)
    h <- fitHistory(fit)
    for (part in c("train", "adjacency", "expression")) expect_lt(mean(h[[part]][51:60]), mean(h[[part]][1:5]))
    p <- edges(fit)
    expect_gt(mean(p[graph == 1]), mean(p[graph == 0 & diag(60) == 0]) + 0.05)
    reference <- fitHistory(fitted(max.iter = 60, init = "reference"))
    expect_gt(reference$expression[60], h$expression[60] + 0.3)
})

test_that("hidden entries come back better than nothing", {
    m <- maskCounts(counts, fraction = 0.1, seed = 1)
    seen <- maskedData(m)
    hidden <- hiddenEntries(m)
    at <- cbind(hidden$row, hidden$col)
    truth <- log1p(hidden$value)
    error <- function(x) mean(abs(log1p(x[at]) - truth))
    for (dist in c("zinb", "nb")) {
        filled <- out(seen, GraphSciParam(dist = dist, max.iter = 100), seed = 1)
        expect_lt(error(filled), 0.8 * mean(truth))
        sf <- colSums(seen) / median(colSums(seen))
        expect_lt(error(filled), 1.25 * error(rowMeans(t(t(seen) / sf)) %o% sf))
    }
})

test_that("a fit survives saveRDS", {
    fit <- fitted()
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expect_identical(geneEdges(readRDS(file)), geneEdges(fit))
    expect_output(print(fit), "GraphSci")
})

# ---- the edges ----

test_that("genes and cells without counts come back as zeros", {
    x <- counts
    x[c(5, 17), ] <- 0
    x[, 9] <- 0
    said <- character()
    note <- function(restart) function(c) { said <<- c(said, conditionMessage(c)); invokeRestart(restart) }
    fit <- withCallingHandlers(fitInfill(x, GraphSciParam(max.iter = 3, stop = "none"), seed = 1),
        message = note("muffleMessage"), warning = note("muffleWarning"))
    expect_match(said, "2 .*genes?|genes?.* 2", all = FALSE)
    expect_match(said, "1 .*cells?|cells?.* 1", all = FALSE)
    w <- fitWeights(fit)
    expect_identical(dim(w$E2), c(79L, 32L))
    expect_identical(dim(w$Qa), c(58L, 32L))
    expect_setequal(modelledGenes(fit), setdiff(1:60, c(5, 17)))
    for (keep in c("observed", "none")) for (output in c("counts", "normcounts")) {
        all <- out(x, fit, keep = keep, output = output)
        expect_true(all(all[c(5, 17), ] == 0) && all(all[, 9] == 0))
        expect_true(all(all[-c(5, 17), -9] > 0))
        expect_identical(dimnames(all), dimnames(x))
    }
    y <- t(x[-c(5, 17), -9])
    expectClose(out(x, fit, keep = "none")[-c(5, 17), -9], t(heads(fit)$mean * refGraphPrepare(y)$sf))
    expect_false(any(c("g5", "g17") %in% unlist(geneEdges(fit, threshold = 0.01)[1:2])))
    # a graph of all genes, those without counts included
    A <- refGraphAdjacency(t(x[, -9]))
    dimnames(A) <- dimnames(graph)
    same(fitted(x = x, adj = A), fitted(x = x))
})

test_that("few genes, few cells, constant genes, huge counts", {
    few <- counts[1:9, ]
    huge <- counts
    huge[2, 7] <- 1e6
    flat <- counts
    flat[4, ] <- 2
    two <- counts[, 2:3][rowSums(counts[, 2:3]) > 0, ]
    for (x in list(few, huge, flat, two, counts[1:2, colSums(counts[1:2, ]) > 0], counts[, rep(1:10, 2)])) {
        fit <- fitted(x = x, max.iter = 5)
        expect_true(all(is.finite(as.matrix(fitHistory(fit)[c("train", costs)]))))
        all <- out(x, fit, keep = "none")
        expect_true(all(is.finite(all)) && all(all > 0))
        expect_identical(out(x, fit)[x > 0], x[x > 0] + 0)
    }
    expect_lte(max(out(huge, fitted(x = huge, max.iter = 5), keep = "none")), 1e6 * max(colSums(huge)) / median(colSums(huge)))
    bare <- unname(counts)
    expect_identical(unname(out(bare, fitted(x = bare))), unname(out(counts, fitted())))
    ints <- counts
    storage.mode(ints) <- "integer"
    same(fitted(x = ints), fitted())
})

test_that("a fit is of its own cells alone", {
    fit <- fitted()
    new <- refGraphData(seed = 2)$counts
    changed <- counts
    changed[, 4] <- rev(changed[, 4])
    for (x in list(new, cbind(counts, new[, 1:5]), unname(new), changed))
        expect_error(quiet(infill(x, fit)), class = "infill_error")
})

test_that("mistakes are errors of our class that name the argument", {
    wrong <- list(threshold = list(0, 1, -0.3, NA, c(0.2, 0.3)), correlation = list("spearman"), dist = list("poisson"),
        latent = list("Z"), inner = list("half"), scale = list(NA, 2), dropout = list(-0.1, 1), l2 = list(-1, Inf),
        mse.weight = list(-1, NA), init = list("zero"), max.iter = list(0, 2.5), stop = list("never"),
        valid.fraction = list(-0.1, 1), patience = list(0), learning.rate = list(0), n.max = list(0), paper = list(NA))
    for (name in names(wrong)) for (value in wrong[[name]])
        expect_error(do.call(GraphSciParam, stats::setNames(list(value), name)), name, fixed = TRUE, class = "infill_error",
            info = name)
    # the parameters by themselves: where S4 looks for a method, the class of their error is lost
    mistake <- function(words, ..., x = counts) expect_error({
        p <- GraphSciParam(max.iter = 2, ...)
        quiet(fitInfill(x, p, seed = 1))
    }, words, class = "infill_error")
    put <- function(value, i = 1, j = 2, both = TRUE) {
        A <- graph
        A[i, j] <- value
        if (both) A[j, i] <- value
        A
    }
    for (A in list(put(NA_real_), put(NaN), put(-1), put(1 - graph[1, 2], both = FALSE), "many", graph[, -1],
        list(graph), unname(graph)[-1, -1], data.frame(gene1 = "g1"), data.frame(gene1 = c("g1", NA), gene2 = c("g2", "g3")))) {
        mistake("adj", adj = A)
        if (is.matrix(A) && is.numeric(A) && nrow(A) == 60 && ncol(A) == 60) mistake("adj", adj = sparse(A))
    }
    renamed <- graph
    dimnames(renamed)[[1]][3] <- dimnames(renamed)[[2]][3] <- "nobody"
    for (A in list(renamed, sparse(renamed), data.frame(gene1 = "g1", gene2 = "nobody"))) {
        mistake("adj", adj = A)
        mistake("nobody", adj = A)
    }
    mistake("n.max", n.max = 30)
    for (dist in c("zinb", "nb")) mistake(NULL, dist = dist, x = counts * 1.5)
    mistake(NULL, x = counts[, 1, drop = FALSE])
    mistake(NULL, x = 0 * counts)
    for (bad in c(NaN, Inf, -1)) {
        x <- counts
        x[5, 2] <- bad
        mistake(NULL, x = x)
    }
    expect_error(graphSciParts(fitted(max.iter = 1), what = "median"), class = "infill_error")
    expect_error(graphSciParts(counts), class = "infill_error")
    old <- options(infill.memory.limit = 1e4)
    on.exit(options(old))
    mistake("n\\.genes|n\\.max|inner")                          # what would need less
})
