# Plain-R oracle of GraphSCI: ?GraphSciParam, Details, written out. Cells x genes, as in the paper;
# the GCN has genes as rows. M cells, N genes, h1 and h2 hidden units, D columns of the latent: N,
# or as many as one likes of latent = "inner".

# ---- data ----

# Genes x cells, negative binomial: two groups of cells, cells of many depths; half of the genes
# follow the groups.
refGraphData <- function(genes = 60, cells = 80, seed = 1) withSeed(seed, {
    group <- rep(1:2, length.out = cells)
    rate <- rexp(genes, 1 / 3) %o% rlnorm(cells, 0, 0.35)
    up <- outer(rep(c(1, 2, 0, 0), length.out = genes), group, `==`)
    x <- matrix(rnbinom(genes * cells, mu = 0.1 + rate * ifelse(up, 3, 0.7), size = 2), genes,
        cells, dimnames = list(paste0("g", seq_len(genes)), paste0("c", seq_len(cells))))
    list(counts = x, group = group)
})

# ---- preparation: Y has no empty gene or cell ----

refGraphPrepare <- function(Y, scale = TRUE, target = stats::median(rowSums(Y))) {
    Y <- unname(as.matrix(Y)) + 0
    if (nrow(Y) < 2) stop("no deviations of one cell")
    sf <- rowSums(Y) / target
    Lg <- log(1 + Y / sf)
    centred <- Lg - rep(colMeans(Lg), each = nrow(Y))
    sd <- sqrt(colSums(centred^2) / (nrow(Y) - 1))
    # a gene of equal values has the rounding of its mean left
    flat <- sd <= 1e-12 * colMeans(Lg)
    X <- centred / rep(ifelse(flat, 1, sd), each = nrow(Y))
    X[, flat] <- 0
    list(sf = sf, Lg = Lg, X = if (scale) X else Lg)
}

# Y: raw counts, or Lg. Genes that never vary have no edge.
refGraphAdjacency <- function(Y, threshold = 0.3) {
    r <- suppressWarnings(stats::cor(unname(as.matrix(Y))))
    A <- (!is.na(r) & abs(r) > threshold) + 0
    diag(A) <- 0
    A
}

refGraphNormalised <- function(A) {
    B <- A + diag(nrow(A))
    root <- 1 / sqrt(rowSums(B))
    root * B * rep(root, each = nrow(A))
}

# ---- likelihood: zero-inflated negative binomial ----

refGraphSoftplus <- function(u) pmax(u, 0) + log1p(exp(-abs(u)))
refGraphLogAdd <- function(a, b) pmax(a, b) + log1p(exp(-abs(a - b)))

# lgamma(x + theta) - lgamma(theta), and the same of digamma: as sums of few terms where differences
# lose digits
refGraphGamma <- function(x, theta) {
    few <- x <= 30
    log <- psi <- 0 * x
    for (k in 0:29) {
        log <- log + (k < x) * log(theta + k)
        psi <- psi + (k < x) / (theta + k)
    }
    list(log = ifelse(few, log, lgamma(x + theta) - lgamma(theta)),
        psi = ifelse(few, psi, digamma(x + theta) - digamma(theta)))
}

# x: counts, R: mean, theta: size, l: logit of pi (not looked at for dist = "nb"); all of one shape.
refGraphZinb <- function(x, R, theta, l = 0 * x, dist = "zinb") {
    u <- R / theta
    n0 <- -theta * log1p(u)
    gamma <- refGraphGamma(x, theta)
    nb <- gamma$log - lgamma(x + 1) + n0 + ifelse(x > 0, x * (log(R) - log(theta) - log1p(u)), 0)
    zero <- x == 0
    # is a zero one of dropout?
    w <- if (dist == "nb") 0 * x else ifelse(zero, stats::plogis(l - n0), 0)
    NLL <- if (dist == "nb") -nb else refGraphSoftplus(l) - ifelse(zero, refGraphLogAdd(l, n0), nb)
    list(NLL = NLL, dlogR = ifelse(zero, (1 - w) * theta * R, theta * (R - x)) / (theta + R),
        dtheta = ifelse(zero, (1 - w) * (log1p(u) - R / (theta + R)),
        -(gamma$psi - log1p(u) + (R - x) / (theta + R))),
        dl = if (dist == "nb") 0 * x else stats::plogis(l) - w)
}

# ---- batch norm of columns ----

refGraphBn <- function(x, gamma, beta) {
    M <- nrow(x)
    m <- colMeans(x)
    centred <- x - rep(m, each = M)
    root <- sqrt(colMeans(centred^2) + 1e-3)
    xh <- centred / rep(root, each = M)
    list(y = rep(gamma, each = M) * xh + rep(beta, each = M), xh = xh, root = root, mean = m,
        gamma = gamma, beta = beta)
}

# g: gradient at y
refGraphBnBack <- function(g, bn) {
    M <- nrow(g)
    dgamma <- colSums(g * bn$xh)
    dbeta <- colSums(g)
    list(dx = rep(bn$gamma / bn$root, each = M) *
        (g - rep(dbeta / M, each = M) - bn$xh * rep(dgamma / M, each = M)), gamma = dgamma,
        beta = dbeta)
}

# x U under batch norm as x D + d0
refGraphFold <- function(U, bn) list(D = U * rep(bn$gamma / bn$root, each = nrow(U)),
    d0 = bn$beta - bn$mean * bn$gamma / bn$root)

# ---- costs of graph and latent ----

# logits, and labels: A + I (another one is to show what goes wrong with it)
refGraphEdgeLoss <- function(logits, A, label = A + diag(nrow(A))) {
    N <- nrow(A)
    a <- sum(A)
    if (a == 0) a <- N
    q <- (N^2 - a) / a
    nu <- N^2 / (2 * (N^2 - a))
    weight <- 1 + (q - 1) * label
    list(loss = nu / N^2 * sum((1 - label) * logits + weight * refGraphSoftplus(-logits)), q = q,
        nu = nu, gradient = nu / N^2 * ((1 - label) - weight * stats::plogis(-logits)))
}

# Divided by N^2 whatever the width
refGraphKl <- function(mu, s, N = nrow(mu))
    list(loss = sum(mu^2 + exp(2 * s) - 1 - 2 * s) / (2 * N^2), mu = mu / N^2,
    s = (exp(2 * s) - 1) / N^2)

# ---- forward ----

refGraphHead <- c(p = "Up", t = "Ut", m = "Um")

# eps: of the size of mu, or 0. masks: D0, D1, Da, Db, or NULL.
refGraphActivations <- function(par, X, sf, A, eps = 0, masks = NULL, latent = "code",
    inner = "full") {
    mask <- function(name) if (is.null(masks)) 1 else masks[[name]]
    M <- nrow(X)
    a <- list(Ah = refGraphNormalised(A), F = t(X) * mask("D0"))
    a$T1 <- a$Ah %*% (a$F %*% par$W0)
    a$H1 <- tanh(a$T1)
    a$T2 <- a$Ah %*% ((a$H1 * mask("D1")) %*% par$W1)
    a$H2 <- pmax(a$T2, 0)
    a$Qa <- a$Ah %*% (a$H2 * mask("Da"))
    a$Qb <- a$Ah %*% (a$H2 * mask("Db"))
    a$mu <- a$Qa %*% par$Wm
    a$s <- a$Qb %*% par$Ws
    a$Z <- a$mu + eps * exp(a$s)
    a$logits <- if (latent == "inner") tcrossprod(a$Z) else a$Z
    a$on <- if (inner == "edges") (A + diag(nrow(A)) > 0) + 0 else matrix(1, nrow(A), nrow(A))
    a$V <- par$W * a$logits * a$on
    a$A0 <- X %*% a$V + rep(par$b, each = M)
    a$E0 <- pmax(a$A0, 0)
    a$bn1 <- refGraphBn(a$E0 %*% par$U1, par$gamma1, par$beta1)
    a$E1 <- pmax(a$bn1$y, 0)
    a$bn2 <- refGraphBn(a$E1 %*% par$U2, par$gamma2, par$beta2)
    a$E2 <- pmax(a$bn2$y, 0)
    for (h in names(refGraphHead)) a[[paste0("bn", h)]] <-
        refGraphBn(a$E2 %*% par[[refGraphHead[[h]]]], par[[paste0("gamma_", h)]],
        par[[paste0("beta_", h)]])
    a$l <- a$bnp$y
    a$pi <- stats::plogis(a$l)
    a$theta <- pmin(pmax(refGraphSoftplus(a$bnt$y), 1e-4), 1e4)
    a$mean <- exp(pmin(pmax(a$bnm$y, log(1e-5)), log(1e6)))
    a$R <- a$mean * sf
    a
}

# All activations, `cost` and `gradient`. held: 1 for entries that leave the likelihood, and with
# denominator = "kept" what it is divided by; with mse.held = FALSE they leave the squared error
# likewise.
refGraphForward <- function(par, X, Y, sf, A, eps, masks = NULL, dist = "zinb", latent = "code",
    inner = "full", wd = 0.01, l2 = 1e-3, held = NULL, denominator = "all", mse.held = TRUE,
    gradient = TRUE)
{
    a <- refGraphActivations(par, X, sf, A, eps, masks, latent, inner)
    mask <- function(name) if (is.null(masks)) 1 else masks[[name]]
    M <- nrow(Y)
    N <- ncol(Y)
    kept <- if (is.null(held)) 0 * Y + 1 else 1 - held
    size <- if (denominator == "kept") sum(kept) else M * N
    seen <- if (mse.held) 0 * Y + 1 else kept
    seen.size <- if (mse.held) M * N else size
    decayed <- c("W", "U1", "U2", if (dist == "zinb") "Up", "Ut", "Um")
    edges <- refGraphEdgeLoss(a$logits, A)
    kl <- refGraphKl(a$mu, a$s, N)
    a$likelihood <- refGraphZinb(Y, a$R, a$theta, a$l, dist)
    cost <- c(adj = edges$loss, exp = sum(kept * a$likelihood$NLL) / size, kl = kl$loss,
        mse = wd / (2 * M) * sum(seen * (a$R - Y)^2) / seen.size,
        l2 = l2 / 2 * sum(vapply(decayed, function(k) sum((par[[k]] * if (k == "W") a$on else 1)^2),
        0)))
    a$cost <- c(cost, total = sum(cost))
    if (!gradient) return(a)

    # heads
    G <- list(m = (a$bnm$y > log(1e-5) & a$bnm$y < log(1e6)) *
        (kept * a$likelihood$dlogR / size + seen * wd / M * (a$R - Y) * a$R / seen.size))
    plus <- refGraphSoftplus(a$bnt$y)
    G$t <- (plus > 1e-4 & plus < 1e4) * kept * a$likelihood$dtheta * stats::plogis(a$bnt$y) / size
    G$p <- kept * a$likelihood$dl / size                       # 0 for "nb"
    g <- list()
    dE2 <- 0
    for (h in names(refGraphHead)) {
        back <- refGraphBnBack(G[[h]], a[[paste0("bn", h)]])
        g[paste0(c("gamma_", "beta_"), h)] <- back[c("gamma", "beta")]
        g[[refGraphHead[[h]]]] <- crossprod(a$E2, back$dx)
        dE2 <- dE2 + tcrossprod(back$dx, par[[refGraphHead[[h]]]])
    }
    # autoencoder
    B2 <- refGraphBnBack(dE2 * (a$bn2$y > 0), a$bn2)
    g[c("gamma2", "beta2")] <- B2[c("gamma", "beta")]
    g$U2 <- crossprod(a$E1, B2$dx)
    B1 <- refGraphBnBack(tcrossprod(B2$dx, par$U2) * (a$bn1$y > 0), a$bn1)
    g[c("gamma1", "beta1")] <- B1[c("gamma", "beta")]
    g$U1 <- crossprod(a$E0, B1$dx)
    dA0 <- tcrossprod(B1$dx, par$U1) * (a$A0 > 0)
    g$b <- colSums(dA0)
    dV <- crossprod(X, dA0) * a$on
    g$W <- dV * a$logits
    # latent
    dS <- edges$gradient + dV * par$W
    GZ <- if (latent == "inner") (dS + t(dS)) %*% a$Z else dS
    Gmu <- GZ + kl$mu
    Gs <- GZ * eps * exp(a$s) + kl$s
    g$Wm <- crossprod(a$Qa, Gmu)
    g$Ws <- crossprod(a$Qb, Gs)
    # graph convolutions
    dH2 <- (a$Ah %*% tcrossprod(Gmu, par$Wm)) * mask("Da") + (a$Ah %*% tcrossprod(Gs, par$Ws)) *
        mask("Db")
    K2 <- a$Ah %*% (dH2 * (a$T2 > 0))
    g$W1 <- crossprod(a$H1 * mask("D1"), K2)
    K1 <- a$Ah %*% (tcrossprod(K2, par$W1) * mask("D1") * (1 - a$H1^2))
    g$W0 <- crossprod(a$F, K1)
    for (k in decayed) g[[k]] <- g[[k]] + l2 * par[[k]] * if (k == "W") a$on else 1
    a$gradient <- g[names(par)]
    a
}

# ---- start and steps ----

# Glorot's matrices; heads: of refGraphHeads(), or NULL for 0 and 1
refGraphStart <- function(N, M, h1 = 16, h2 = 32, D = N, heads = NULL) {
    glorot <- function(r, c) matrix(stats::runif(r * c, -1, 1) * sqrt(6 / (r + c)), r, c)
    one <- function(n) rep(1, n)
    par <- list(W0 = glorot(M, h1), W1 = glorot(h1, h2), Wm = glorot(h2, D), Ws = glorot(h2, D),
        W = glorot(N, N), b = numeric(N), U1 = glorot(N, h1), gamma1 = one(h1), beta1 = numeric(h1),
        U2 = glorot(h1, h2), gamma2 = one(h2), beta2 = numeric(h2))
    for (h in names(refGraphHead)) par[c(refGraphHead[[h]], paste0(c("gamma_", "beta_"), h))] <-
        list(glorot(h2, N), one(N), numeric(N))
    par[names(heads)] <- heads
    par
}

refGraphMasks <- function(N, M, h1 = 16, h2 = 32, rate = 0.2) {
    mask <- function(c) matrix(stats::rbinom(N * c, 1, 1 - rate) / (1 - rate), N, c)
    list(D0 = mask(M), D1 = mask(h1), Da = mask(h2), Db = mask(h2))
}

refGraphHeads <- function(Y, sf) {
    scaled <- Y / sf
    g <- colMeans(scaled)
    v <- apply(scaled, 2, stats::var)
    theta <- pmin(pmax(g^2 / pmax(v - g, 1e-8), 0.1), 30)
    all <- function(value) rep(value, length(g))
    lapply(list(gamma_p = all(0.1), beta_p = all(-2), gamma_t = all(0.1),
        beta_t = log(expm1(theta)), gamma_m = all(0.3), beta_m = log(pmax(g, 1e-5))), unname)
}

# Step e = 1, 2, ...; state NULL: before the first
refGraphAdam <- function(par, gradient, state, e, lr = 0.01) {
    if (is.null(state)) state <- list(m = lapply(par, `*`, 0), v = lapply(par, `*`, 0))
    rate <- lr * 0.9^((e - 1) / 50) * sqrt(1 - 0.999^e) / (1 - 0.9^e)
    for (k in names(par)) {
        state$m[[k]] <- 0.9 * state$m[[k]] + 0.1 * gradient[[k]]
        state$v[[k]] <- 0.999 * state$v[[k]] + 0.001 * gradient[[k]]^2
        par[[k]] <- par[[k]] - rate * state$m[[k]] / (sqrt(state$v[[k]]) + 1e-8)
    }
    list(par = par, state = state)
}

# ---- prediction: Z = mu, nothing dropped, statistics of all cells ----

refGraphPredict <- function(par, X, sf, A, latent = "code", inner = "full") {
    a <- refGraphActivations(par, X, sf, A, latent = latent, inner = inner)
    heads <- lapply(names(refGraphHead),
        function(h) refGraphFold(par[[refGraphHead[[h]]]], a[[paste0("bn", h)]]))
    c(a[c("mean", "pi", "theta", "R", "l", "E2", "Qa", "mu", "logits")],
        list(folded = stats::setNames(heads, names(refGraphHead))))
}

# ---- checks ----

# Differences of fourth order, block by block; f: par -> number. 1e-4: rounding and what is left out
# are both about 1e-11.
refGraphNumeric <- function(f, par, h = 1e-4) {
    g <- par
    for (name in names(par)) for (k in seq_along(par[[name]])) {
        at <- function(by) {
            par[[name]][k] <- par[[name]][k] + by
            f(par)
        }
        g[[name]][k] <- (8 * (at(h) - at(-h)) - at(2 * h) + at(-2 * h)) / (12 * h)
    }
    g
}
