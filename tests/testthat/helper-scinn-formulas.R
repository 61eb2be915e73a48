# Plain-R oracle of scINN: ?ScInnParam and ?similarityModule, Details, written out; shapes and
# constants as in scDHA, where the paper is silent. Matrices are cells x genes here.

# ---- data ----

# Genes x cells: three groups of cells in turn, each with raised genes of its own, genes of three
# cells and of fewer. The groups of cells 1, 2, 3 are 1, 2, 3, so that numbering them by first
# appearance changes nothing.
refScinnData <- function(genes = 60, cells = 40, seed = 1) withSeed(seed, {
    group <- rep(1:3, length.out = cells)
    rate <- rexp(genes, 1 / 3) %o% rlnorm(cells, 0, 0.3)
    raised <- outer(rep(1:4, length.out = genes), group, `==`)
    x <- matrix(rpois(genes * cells, rate * ifelse(raised, 5, 0.6)) *
        rbinom(genes * cells, 1, 0.75), genes, cells,
        dimnames = list(paste0("g", seq_len(genes)), paste0("c", seq_len(cells))))
    # none, two, three cells express these
    x[c(7, 31, 59), ] <- 0
    x[31, c(5, 8)] <- c(2, 97)                                  # cell 8 has its largest count here
    x[59, c(2, 11, 30)] <- c(1, 4, 1)
    latent <- matrix(rnorm(3 * 5), 3)[group, ] + matrix(rnorm(cells * 5, sd = 0.4), cells)
    list(counts = x, group = group, latent = latent)
})

# What the networks see of `counts` on the scale of logarithms; genes: rows in the network.
refScinnInput <- function(counts, genes = seq_len(nrow(counts)), log = "log2") {
    x <- t(unname(as.matrix(counts)) + 0)
    if (log == "log2") x <- log2(x + 1)
    # of all genes, whether in the network or not
    s <- apply(x, 1, max)
    s[s == 0] <- 1
    list(xs = (x / s)[, genes, drop = FALSE], s = s)
}

# ---- pieces ----

refScinnScale <- 1.0507009873554805
refScinnAlpha <- 1.6732632423543772
refScinnSelu <- function(x) refScinnScale * ifelse(x > 0, x, refScinnAlpha * expm1(x))
# y: gradient at the output of SELU; x: what went in
refScinnSeluBack <- function(y, x) y * refScinnScale * ifelse(x > 0, 1, refScinnAlpha * exp(x))

refScinnPlus <- function(m, bias) m + rep(as.vector(bias), each = nrow(m))

# Gradients get the shapes of their weights, whether biases are vectors or columns.
refScinnShape <- function(gradient, w) {
    for (name in names(gradient)) dim(gradient[[name]]) <- dim(w[[name]])
    gradient[intersect(names(w), names(gradient))]
}

# Weights of all layers; shapes: name = c(rows, columns); a column is a bias. spread: of normal
# values, far from the start.
refScinnWeights <- function(shapes, spread = 0.4) lapply(shapes,
    function(d) matrix(rnorm(prod(d), sd = spread), d[1], d[2]))

# theta, grad, state$m, state$v: lists of the same names. wd: one value for each of them, or one for
# all.
refScinnAdamw <- function(theta, grad, state, t, lr, wd, eps = 1e-7) {
    if (is.null(names(wd))) wd <- stats::setNames(rep(wd, length(theta)), names(theta))
    for (k in names(theta)) {
        theta[[k]] <- theta[[k]] * (1 - lr * wd[[k]])
        state$m[[k]] <- 0.9 * state$m[[k]] + 0.1 * grad[[k]]
        state$v[[k]] <- 0.999 * state$v[[k]] + 0.001 * grad[[k]]^2
        theta[[k]] <- theta[[k]] - lr / (1 - 0.9^t) * state$m[[k]] /
            (sqrt(state$v[[k]]) / sqrt(1 - 0.999^t) + eps)
    }
    list(theta = theta, state = state)
}

# Central differences of every weight of a list; f: list -> number
refScinnNumeric <- function(f, w, h = 1e-6) {
    at <- function(name, k, by) { w[[name]][k] <- w[[name]][k] + by; f(w) }
    g <- w
    for (name in names(w)) for (k in seq_along(w[[name]]))
        g[[name]][k] <- (at(name, k, h) - at(name, k, -h)) / (2 * h)
    g
}

# ---- module two ----

# Unit rows; S is their product
refScinnUnit <- function(latent) {
    c <- latent - rowMeans(latent)
    long <- sqrt(rowSums(c^2))
    u <- c / long
    u[long <= 1e-12 * sqrt(rowSums(latent^2)), ] <- 0
    u
}

refScinnLogSum <- function(a) { m <- max(a); m + log(sum(exp(a - m))) }

# The cluster loss and its gradient. class: 1..K. Off for one cluster.
refScinnClusterLoss <- function(logits, class, loss = "softmax.bce") {
    B <- nrow(logits)
    K <- ncol(logits)
    if (K == 1) return(list(loss = 0, gradient = 0 * logits))
    y <- outer(class, seq_len(K), `==`) + 0
    if (loss == "sigmoid.bce")
        return(list(loss = mean(pmax(logits, 0) - logits * y + log1p(exp(-abs(logits)))),
        gradient = (stats::plogis(logits) - y) / (B * K)))
    total <- 0
    g <- logits
    for (i in seq_len(B)) {
        a <- logits[i, ]
        m <- which.max(a)
        lse <- refScinnLogSum(a)
        p <- exp(a - lse)
        if (loss == "categorical") {
            total <- total - (a[class[i]] - lse) / B
            g[i, ] <- (p - y[i, ]) / B
            next
        }
        rest <- refScinnLogSum(a[-m])
        none <- log1p(-p)                                      # log(1 - p)
        none[m] <- rest - lse
        total <- total - ((a[class[i]] - lse) + sum(none[-class[i]])) / (B * K)
        # p_k o_j; of j = k nothing is needed
        product <- outer(p, p / (1 - p))
        product[, m] <- p[m] * exp(a - rest)
        diag(product) <- 0
        for (k in seq_len(K)) g[i, k] <- if (k == class[i]) -1 + p[k] - sum(product[k, ]) else
            2 * p[k] - sum(product[k, -class[i]])
        g[i, ] <- g[i, ] / (B * K)
    }
    list(loss = total, gradient = g)
}

refScinnSimilarityLoss <- function(z, S) {
    B <- nrow(z)
    c <- z - rowMeans(z)
    nu <- sqrt(rowSums(c^2) + 1e-8)
    u <- c / nu
    Sp <- tcrossprod(u)
    E <- Sp - S
    diag(E) <- 0
    g <- 4 / B^2 * E %*% u
    dc <- (g - u * rowSums(u * g)) / nu
    list(loss = sum(E^2) / B^2, gradient = dc - rowMeans(dc), Sp = Sp)
}

# The variance of the reconstruction loss: 1 where it would be 0
refScinnVariance <- function(xs, hidden = 0 * xs) {
    seen <- xs > 0 & hidden == 0
    means <- colSums(xs * seen) / pmax(colSums(seen), 1)
    v <- sum((xs - rep(means, each = nrow(xs)))[seen]^2) / sum(seen)
    if (is.finite(v) && v > 0) v else 1
}

# Lr and L0, and the gradient at O of these and of what comes from above, dXI
refScinnOutputBack <- function(O, xs, xin, dXI, lr, l0, v, hidden = 0 * xs) {
    R <- pmax(O, 0)
    W <- (xs > 0 & hidden == 0) + 0
    zero <- (xs == 0) + 0
    nw <- max(sum(W), 1)                                       # a term of no entries is 0
    n0 <- max(sum(zero), 1)
    list(Lr = sum(W * (R - xs)^2) / (v * nw), L0 = sum(zero * R^2) / (v * n0),
        dO = (O > 0) * ((xin == 0) * dXI + 2 * lr / (v * nw) * W * (R - xs) + 2 * l0 / (v * n0) *
        zero * R))
}

# Module two: activations, losses, gradients. keep: 0 for non-zeros left out of this step; hidden: 1
# for those left out of all of them; weights: lc, ls, lr, l0.
refScinnModuleTwo <- function(w, xs, keep, labels, U, weights, v, drop = 0, predictor = "mlp",
    cluster.loss = "softmax.bce", hidden = NULL)
{
    if (is.null(hidden)) hidden <- 0 * xs
    xin <- xs * keep * (1 - hidden)
    A1 <- refScinnPlus((xin / (1 - drop)) %*% w$W1, w$b1)
    H1 <- refScinnSelu(A1)
    O <- refScinnPlus(H1 %*% w$W2, w$b2)
    XI <- xin + (xin == 0) * pmax(O, 0)
    A3 <- refScinnPlus(XI %*% w$W3, w$b3)
    H3 <- refScinnSelu(A3)
    Zp <- if (predictor == "mlp") refScinnPlus(H3 %*% w$W4, w$b4) else A3
    cluster <- refScinnClusterLoss(refScinnPlus(Zp %*% w$W5, w$b5), labels, cluster.loss)
    similarity <- refScinnSimilarityLoss(Zp, tcrossprod(U))
    da <- weights[[1]] * cluster$gradient
    dZp <- weights[[2]] * similarity$gradient + tcrossprod(da, w$W5)
    g <- list(W5 = crossprod(Zp, da), b5 = colSums(da))
    if (predictor == "mlp") {
        g[c("W4", "b4")] <- list(crossprod(H3, dZp), colSums(dZp))
        dA3 <- refScinnSeluBack(tcrossprod(dZp, w$W4), A3)
    } else dA3 <- dZp
    out <- refScinnOutputBack(O, xs, xin, tcrossprod(dA3, w$W3), weights[[3]], weights[[4]], v,
        hidden)
    dA1 <- refScinnSeluBack(tcrossprod(out$dO, w$W2), A1)
    g[c("W3", "b3", "W2", "b2", "W1", "b1")] <- list(crossprod(XI, dA3), colSums(dA3),
        crossprod(H1, out$dO), colSums(out$dO), crossprod(xin / (1 - drop), dA1), colSums(dA1))
    losses <- c(Lc = cluster$loss, Ls = similarity$loss, Lr = out$Lr, L0 = out$L0)
    list(losses = c(losses, total = sum(weights * losses)), gradient = refScinnShape(g, w), XI = XI,
        Zp = Zp)
}

# Prediction, on the scale of the logarithms
refScinnPredict <- function(w, xs, s) {
    R <- pmax(refScinnPlus(refScinnSelu(refScinnPlus(xs %*% w$W1, w$b1)) %*% w$W2, w$b2), 0)
    ifelse(xs > 0, xs, R) * s
}
