# DeepImpute in plain R (genes x cells): what the package should say, written as ?DeepImputeParam,
# Details, has it, with no thought of speed.

# ---- genes of the networks, then the networks ----
refScore <- function(counts, gene.score = "vmr1") {
    m <- rowMeans(counts)
    v <- apply(counts, 1, stats::var)
    unname(switch(gene.score, vmr1 = v / (1 + m), vmr = ifelse(m > 0, v / m, 0)))
}

# Targets, best first; n: how many are asked for, before the last network is filled up.
refTargets <- function(counts, size, gene.score = "vmr1", min.vmr = 0.5, n = NULL) {
    v <- refScore(counts, gene.score)
    ranked <- order(-v)[seq_len(sum(v > 0))]
    if (is.null(n)) n <- sum(v > min.vmr)
    utils::head(ranked, ceiling(n / size) * size)
}

# Predictors of a network with these targets. r is rounded, so that equal ones are equal here too.
refPredictors <- function(counts, targets, n, log = FALSE,
    candidates = which(apply(counts, 1, stats::sd) > 0)) {
    x <- t(if (log) log1p(counts) else counts)
    r <- abs(suppressWarnings(stats::cor(x[, targets, drop = FALSE], x)))
    r[is.na(r)] <- 0
    free <- setdiff(candidates, targets)
    near <- function(k) utils::head(free[order(-round(r[k, free], 10))], n)
    sort(unique(unlist(lapply(seq_along(targets), near))))
}

refSoftplus <- function(z) pmax(z, 0) + log1p(exp(-abs(z)))

# w: W1, b1, W2, b2, ...; mask: what hidden units are multiplied by
refDeepForward <- function(w, x, output = "softplus", mask = 1) {
    h <- x
    last <- length(w) / 2
    layer <- function(l) crossprod(w[[2 * l - 1]], h) + as.vector(w[[2 * l]])
    for (l in seq_len(last - 1)) h <- pmax(layer(l), 0) * mask
    z <- layer(last)
    list(h = h, z = z, y = switch(output, softplus = refSoftplus(z), relu = pmax(z, 0), linear = z))
}

refDeepLoss <- function(yhat, y, loss.weights = "value", zero.weight = 0)
    mean(((if (loss.weights == "value") y else y > 0) + zero.weight) * (y - yhat)^2)

refDeepGradient <- function(w, x, y, output = "softplus", loss.weights = "value", zero.weight = 0,
    mask = 1) {
    f <- refDeepForward(w, x, output, mask)
    weight <- (if (loss.weights == "value") y else y > 0) + zero.weight
    dz <- 2 / length(y) * weight * (f$y - y) * switch(output, softplus = stats::plogis(f$z),
        relu = f$z > 0, linear = 1)
    da <- (w$W2 %*% dz) * (f$h > 0) * mask
    list(W1 = tcrossprod(x, da), b1 = as.matrix(rowSums(da)), W2 = tcrossprod(f$h, dz),
        b2 = as.matrix(rowSums(dz)))
}

# Adam of Keras, step t; s: list(m, v) of the shape of w
refAdam <- function(w, g, s, lr, t) {
    rate <- lr * sqrt(1 - 0.999^t) / (1 - 0.9^t)
    for (k in names(w)) {
        s$m[[k]] <- 0.9 * s$m[[k]] + 0.1 * g[[k]]
        s$v[[k]] <- 0.999 * s$v[[k]] + 0.001 * g[[k]]^2
        w[[k]] <- w[[k]] - rate * s$m[[k]] / (sqrt(s$v[[k]]) + 1e-7)
    }
    list(w = w, s = s)
}

# The input of the networks, all genes; size: what counts were divided by.
refDeepInput <- function(counts, fit) {
    r <- fit@recipe
    total <- colSums(counts[r$kept, , drop = FALSE])
    size <- if (fit@param@normalize == "median") total / r$target else as.numeric(total > 0)
    list(x = log1p(counts / rep(ifelse(size > 0, size, 1), each = nrow(counts))), size = size)
}

# the whole of infill(), on the scale of counts
refDeepInfill <- function(counts, fit, keep = "none") {
    counts <- unname(as.matrix(counts)) + 0
    nets <- fitParts(fit, "networks")
    w <- fitParts(fit, "weights")
    input <- refDeepInput(counts, fit)
    out <- counts
    for (k in seq_len(nrow(nets))) {
        at <- nets$target.genes[[k]]
        y <- refDeepForward(w[[k]], input$x[nets$predictor.genes[[k]], , drop = FALSE],
            fit@param@output)$y
        old <- counts[at, , drop = FALSE]
        new <- pmax(expm1(y), 0) * rep(input$size, each = length(at))
        new[y > fit@extras$limit[1]] <- old[y > fit@extras$limit[1]]
        out[at, ] <- switch(keep, none = new, observed = ifelse(old > 0, old, new),
            max = pmax(old, new))
    }
    out
}

# Which cells were held out? Those at which the final weights have the held-out loss that the
# history says.
heldCells <- function(fit, x, n) {
    p <- fit@param
    nets <- fitParts(fit, "networks")
    input <- refDeepInput(x, fit)$x
    each <- vapply(seq_len(nrow(nets)), function(k) {
        f <- refDeepForward(fitParts(fit, "weights")[[k]], input[nets$predictor.genes[[k]], , drop = FALSE],
            p@output)$y
        vapply(seq_len(ncol(x)), function(c) refDeepLoss(f[, c], input[nets$target.genes[[k]], c],
            p@loss.weights, p@zero.weight), 0)
    }, numeric(ncol(x)))
    sets <- utils::combn(ncol(x), n, simplify = FALSE)
    off <- vapply(sets,
        function(s) max(abs(colMeans(each[s, , drop = FALSE]) - nets$valid) / nets$valid), 0)
    expect_lt(min(off), 1e-5)
    expect_gt(sort(off)[2], 1e-3)
    sets[[which.min(off)]]
}
