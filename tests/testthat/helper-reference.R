# Plain-R oracles: what the package should say, written as its page says it, with no thought of speed.

# ---- AutoImpute (genes x cells), section 2 of its page ----
refForward <- function(w, x) {
    x <- unname(as.matrix(x))
    h <- stats::plogis(crossprod(w$E, x) + as.vector(w$b_e))
    list(h = h, y = crossprod(w$D, h) + as.vector(w$b_d))
}

refLoss <- function(w, x, lambda) {
    x <- unname(as.matrix(x))
    y <- refForward(w, x)$y
    c(sse = sum((y - x)[x != 0]^2), penalty = lambda / 2 * (sum(w$E^2) + sum(w$D^2)))
}

refGradient <- function(w, x, lambda, bias = TRUE) {
    x <- unname(as.matrix(x))
    f <- refForward(w, x)
    dy <- 2 * (f$y - x) * (x != 0)
    dp <- (w$D %*% dy) * f$h * (1 - f$h)
    list(E = tcrossprod(x, dp) + lambda * w$E, D = tcrossprod(f$h, dy) + lambda * w$D,
        b_e = bias * as.matrix(rowSums(dp)), b_d = bias * as.matrix(rowSums(dy)))
}

# RMSProp of TensorFlow 1; s NULL: before the first step
refStep <- function(w, g, lr, s = NULL) {
    if (is.null(s)) s <- lapply(w, function(m) m * 0 + 1)
    for (k in names(w)) {
        s[[k]] <- 0.9 * s[[k]] + 0.1 * g[[k]]^2
        w[[k]] <- w[[k]] - lr * g[[k]] / sqrt(s[[k]] + 1e-10)
    }
    list(w = w, s = s)
}

# ---- preparation, section 1 ----
refDispersion <- function(m, d) {
    breaks <- unique(c(-Inf, stats::quantile(m, seq(0.10, 1, by = 0.05), type = 7), Inf))
    bin <- vapply(m, function(v) sum(v > breaks), 0)            # (a, b]
    vapply(seq_along(m), function(g) {
        own <- d[bin == bin[g]]
        centre <- stats::median(own)
        spread <- 1.4826 * stats::median(abs(own - centre))
        (d[g] - centre) / if (spread == 0) 1 else spread
    }, 0)
}

refPrepare <- function(counts, min.count = 3, min.cells = 3, gene.selection = "dispersion", n.genes = 1000,
    vmr.threshold = NULL, normalize = "median", log = "log2")
{
    counts <- as.matrix(counts) + 0
    kept <- rowSums(counts >= min.count) >= min.cells
    n <- counts[kept, , drop = FALSE]
    t <- colSums(n)
    target <- stats::median(t[t > 0])
    if (normalize == "median") for (c in seq_along(t)) if (t[c] > 0) n[, c] <- n[, c] / t[c] * target
    m <- rowMeans(n)
    v <- apply(n, 1, stats::var)
    d <- ifelse(m > 0, v / m, 0)
    score <- switch(gene.selection, dispersion = abs(refDispersion(m, d)), dispersion.signed = refDispersion(m, d),
        cv = ifelse(m > 0, sqrt(v) / m, 0), vmr = d, none = -seq_along(m))
    best <- order(-score)
    if (!is.null(vmr.threshold)) best <- best[score[best] > vmr.threshold]
    if (!is.null(n.genes) && gene.selection != "none") best <- utils::head(best, n.genes)
    x <- n[best, , drop = FALSE]
    list(x = switch(log, log2 = log2(x + 1), log1p = log1p(x), none = x), kept = kept, target = target,
        selected = unname(which(kept)[best]), score = unname(score[best]), total = unname(t))
}

# ---- the whole of infill() for a fit of AutoImpute ----
refInfill <- function(counts, fit, output = "counts", keep = "observed", nonneg = TRUE) {
    r <- fit@recipe
    counts <- as.matrix(counts) + 0
    total <- colSums(counts[r$kept, , drop = FALSE])
    size <- ifelse(total > 0, total / r$target, 1)
    each <- rep(size, each = nrow(counts))
    x <- log2(counts / each + 1)[r$selected, , drop = FALSE]
    y <- refForward(fitWeights(fit), x)$y
    seen <- switch(output, counts = counts, normcounts = counts / each, logcounts = log2(counts / each + 1))
    scale <- rep(size, each = nrow(y))
    y <- switch(output, counts = pmax(2^y - 1, 0) * scale, normcounts = pmax(2^y - 1, 0),
        logcounts = if (nonneg) pmax(y, 0) else y)
    y[, total == 0] <- 0
    out <- seen
    old <- seen[r$selected, ]
    out[r$selected, ] <- switch(keep, none = y, observed = ifelse(old > 0, old, y),
        max = ifelse(old > 0 & old > y, old, y))
    out
}

# ---- DeepImpute (genes x cells), sections 1 and 2 of its page ----
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
refPredictors <- function(counts, targets, n, log = FALSE, candidates = which(apply(counts, 1, stats::sd) > 0)) {
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

refDeepGradient <- function(w, x, y, output = "softplus", loss.weights = "value", zero.weight = 0, mask = 1) {
    f <- refDeepForward(w, x, output, mask)
    weight <- (if (loss.weights == "value") y else y > 0) + zero.weight
    dz <- 2 / length(y) * weight * (f$y - y) * switch(output, softplus = stats::plogis(f$z), relu = f$z > 0, linear = 1)
    da <- (w$W2 %*% dz) * (f$h > 0) * mask
    list(W1 = tcrossprod(x, da), b1 = as.matrix(rowSums(da)), W2 = tcrossprod(f$h, dz), b2 = as.matrix(rowSums(dz)))
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
    nets <- subNetworks(fit)
    w <- fitWeights(fit)
    input <- refDeepInput(counts, fit)
    out <- counts
    for (k in seq_len(nrow(nets))) {
        at <- nets$target.genes[[k]]
        y <- refDeepForward(w[[k]], input$x[nets$predictor.genes[[k]], , drop = FALSE], fit@param@output)$y
        old <- counts[at, , drop = FALSE]
        new <- pmax(expm1(y), 0) * rep(input$size, each = length(at))
        new[y > as.vector(w$limit)] <- old[y > as.vector(w$limit)]
        out[at, ] <- switch(keep, none = new, observed = ifelse(old > 0, old, new), max = pmax(old, new))
    }
    out
}

# ---- metrics, by their definitions ----
refRand <- function(a, b) {
    n <- length(a)
    pairs <- utils::combn(n, 2)
    sameA <- a[pairs[1, ]] == a[pairs[2, ]]
    sameB <- b[pairs[1, ]] == b[pairs[2, ]]
    expected <- sum(sameA) * sum(sameB) / ncol(pairs)
    (sum(sameA & sameB) - expected) / ((sum(sameA) + sum(sameB)) / 2 - expected)
}

refEntropy <- function(p) -sum(p[p > 0] * log(p[p > 0]))
refMutualInfo <- function(a, b, normalization) {
    joint <- unclass(table(a, b)) / length(a)
    ha <- refEntropy(rowSums(joint))
    hb <- refEntropy(colSums(joint))
    hab <- refEntropy(joint)
    (ha + hb - hab) / switch(normalization, arithmetic = (ha + hb) / 2, geometric = sqrt(ha * hb), max = max(ha, hb),
        min = min(ha, hb), joint = hab)
}

# E I: the mean over the hypergeometric overlap of each pair of classes
refAdjustedMutualInfo <- function(a, b, normalization) {
    n <- length(a)
    sizes <- function(v) as.vector(table(v))
    of <- function(s, t) {
        k <- max(1, s + t - n):min(s, t)
        sum(stats::dhyper(k, s, n - s, t) * k / n * log(n * k / (s * t)))
    }
    chance <- sum(outer(sizes(a), sizes(b), Vectorize(of)))
    h <- c(refEntropy(sizes(a) / n), refEntropy(sizes(b) / n))
    mutual <- sum(h) - refEntropy(table(a, b) / n)
    (mutual - chance) / (switch(normalization, arithmetic = mean(h), geometric = sqrt(prod(h)), max = max(h), min = min(h)) - chance)
}

# c(in one class in both, in a, in b)
refPairs <- function(a, b) {
    pairs <- utils::combn(length(a), 2)
    inA <- a[pairs[1, ]] == a[pairs[2, ]]
    inB <- b[pairs[1, ]] == b[pairs[2, ]]
    c(sum(inA & inB), sum(inA), sum(inB))
}

# All maps of the fewer classes into the others
refAccuracy <- function(a, b) {
    t <- unclass(table(a, b))
    if (nrow(t) > ncol(t)) t <- t(t)
    best <- function(i, free) if (i > nrow(t)) 0 else max(vapply(free, function(j) t[i, j] + best(i + 1, setdiff(free, j)), 0))
    best(1, seq_len(ncol(t))) / length(a)
}

refSeparability <- function(x, labels) {
    r <- stats::cor(unname(as.matrix(x)))
    same <- outer(labels, labels, `==`)
    one <- upper.tri(r)
    gap <- function(intra, inter) c(intra = stats::median(r[intra & one]), inter = stats::median(r[inter & one]),
        separability = stats::median(r[intra & one]) - stats::median(r[inter & one]))
    list(overall = gap(same, !same), type = t(vapply(unique(labels), function(k) {
        own <- labels == k
        gap(outer(own, own), outer(own, own, xor))
    }, numeric(3))))
}

refGini <- function(v) {
    v <- sort(v) + 1e-8
    n <- length(v)
    sum((2 * seq_len(n) - n - 1) * v) / (n * sum(v))
}

refDeviance <- function(y, m, theta = Inf) {
    part <- function(y, ratio) ifelse(y == 0, 0, y * log(ratio))
    2 * mean(if (is.infinite(theta[1])) part(y, y / m) - (y - m) else part(y, y / m) - (y + theta) * log((y + theta) / (m + theta)))
}

refSilhouette <- function(x, labels) {
    d <- as.matrix(stats::dist(x))
    vapply(seq_len(nrow(x)), function(i) {
        own <- setdiff(which(labels == labels[i]), i)
        if (!length(own)) return(0)
        a <- mean(d[i, own])
        b <- min(vapply(setdiff(unique(labels), labels[i]), function(l) mean(d[i, labels == l]), 0))
        (b - a) / max(a, b)
    }, 0)
}

refCv <- function(x, groups) vapply(split(seq_len(ncol(x)), groups), function(at)
    apply(x[, at, drop = FALSE], 1, function(v) if (length(v) > 1 && mean(v) > 0) stats::sd(v) / mean(v) else NA_real_),
    numeric(nrow(x)))

refError <- function(t, p) {
    r <- function(method) if (length(t) > 1 && stats::sd(t) > 0 && stats::sd(p) > 0) stats::cor(t, p, method = method) else NA_real_
    data.frame(n = length(t), rmse = sqrt(mean((t - p)^2)), mse = mean((t - p)^2), mae = mean(abs(t - p)),
        nmse = sqrt(sum((t - p)^2)) / sqrt(sum(t^2)), pearson = r("pearson"), spearman = r("spearman"))
}

# ---- deepMc (genes x cells), section 2 of its page: all dense, factors D1, ..., DN, Z in a list ----
refProduct <- function(f, n) if (length(f)) Reduce(`%*%`, f) else diag(n)

# Least norm; what is below `cut` of the largest singular value counts as 0
refLeastSquares <- function(M, b, cut = 1e-5) {
    s <- svd(M)
    good <- s$d > cut * s$d[1]
    s$v[, good, drop = FALSE] %*% (crossprod(s$u[, good, drop = FALSE], b) / s$d[good])
}

# 2.11; genes and cells without entries are exactly 0
refMcStart <- function(y, ranks, init = "svd") {
    genes <- rowSums(y) > 0
    cells <- colSums(y) > 0
    if (init == "mean") y <- ifelse(y == 0, ifelse(genes, rowSums(y) / pmax(rowSums(y != 0), 1), 0), y)
    s <- svd(y, ranks[1], utils::tail(ranks, 1))
    middle <- lapply(seq_along(ranks)[-1], function(l) diag(1, ranks[l - 1], ranks[l]))
    c(list(s$u * genes), middle, list(s$d[seq_len(ncol(s$v))] * t(s$v * cells)))
}

refMcObjective <- function(f, y, w, lambda) c(sum(w * (y - refProduct(f))^2), lambda * sum(unlist(f)^2))

# The steps along delta of block k of K, 2.6 and 2.10. by: 1 per row, 2 per column, 0 one for all; moved: |dX|^2
refMcSearch <- function(k, K, F, delta, X, dX, y, w, lambda, step, nonneg) {
    if (sum(dX^2) <= 1e-24 * max(sum(X^2), 1)) return(list(F = F, t = 1, moved = 0))
    by <- if (step != "exact") 0 else if (k == 1) 1 else if (k == K) 2 else 0
    over <- function(m, f = sum) if (by) apply(m, by, f) else f(m)
    each <- function(t, n) if (by == 2) rep(t, each = n) else t
    b <- over(w * (y - X) * dX) - lambda * over(F * delta)
    a2 <- over(w * dX^2) + lambda * over(delta^2)
    t <- ifelse(step != "mm" & a2 > 0, b / a2, 1)
    if (nonneg && step != "mm") t <- pmin(pmax(t, 0), over(ifelse(delta < 0, F / -delta, Inf), min))
    F <- F + each(t, nrow(F)) * delta
    list(F = if (nonneg) pmax(F, 0) else F, t = mean(t[a2 > 0]), moved = sum((each(t, nrow(y)) * dX)^2))
}

# Block k by the formulas of 2.4
refMcBlock <- function(f, k, y, w, lambda, step, nonneg = FALSE) {
    A <- refProduct(f[seq_len(k - 1)], nrow(y))
    C <- refProduct(f[-seq_len(k)], ncol(y))
    F <- f[[k]]
    X <- A %*% F %*% C
    a <- eigen(crossprod(A), TRUE)
    c <- eigen(tcrossprod(C), TRUE)
    if (nonneg) delta <- refMcFista(F, A, C, w * (y - X), lambda, a$values[1] * c$values[1] + lambda)
    else {
        ac <- outer(pmax(a$values, 0), pmax(c$values, 0))
        seen <- ac > 1e-10 * max(ac)
        turn <- function(m) crossprod(a$vectors, m) %*% c$vectors
        back <- function(m) tcrossprod(a$vectors %*% m, c$vectors)
        if (lambda > 0) F <- F - back(turn(F) * !seen)
        R <- crossprod(A, w * (y - X)) %*% t(C) - lambda * F
        delta <- back(ifelse(seen, turn(R) / (ac + lambda), 0))
    }
    now <- refMcSearch(k, length(f), F, delta, X, A %*% delta %*% C, y, w, lambda, step, nonneg)
    f[[k]] <- now$F
    c(list(f = f), now[-1])
}

# The same increment of a plain step by least squares on all entries at once, 6.2
refMcIncrement <- function(f, k, y, w, lambda) {
    A <- refProduct(f[seq_len(k - 1)], nrow(y))
    C <- refProduct(f[-seq_len(k)], ncol(y))
    M <- kronecker(t(C), A)
    E <- as.vector(w * (y - A %*% f[[k]] %*% C))
    delta <- if (lambda > 0) refLeastSquares(rbind(M, diag(sqrt(lambda), ncol(M))), c(E, -sqrt(lambda) * f[[k]]), 0)
        else refLeastSquares(M, E)
    f[[k]] <- f[[k]] + as.vector(delta)
    f
}

# 2.10: five accelerated steps of projected gradient
refMcFista <- function(F, A, C, E, lambda, lip) {
    V <- G <- F
    s <- 1
    for (i in 1:5) {
        new <- pmax(V + (crossprod(A, E - A %*% (V - F) %*% C) %*% t(C) - lambda * V) / lip, 0)
        next.s <- (1 + sqrt(1 + 4 * s^2)) / 2
        V <- new + (s - 1) / next.s * (new - G)
        G <- new
        s <- next.s
    }
    G - F
}

# 2.9
refMcBalance <- function(f) {
    norms <- vapply(f, function(m) sqrt(sum(m^2)), 0)
    if (any(norms == 0)) f else Map(`*`, f, prod(norms)^(1 / length(f)) / norms)
}

# 2.7
refMcSigma <- function(y) {
    seen <- y != 0
    mean <- mean(y[seen])
    cell <- numeric(ncol(y))
    for (pass in 1:10) {
        gene <- rowSums(seen * (y - mean - rep(cell, each = nrow(y)))) / (rowSums(seen) + 1)
        cell <- colSums(seen * (y - mean - gene)) / (colSums(seen) + 1)
    }
    stats::sd((y - mean - gene - rep(cell, each = nrow(y)))[seen])
}

# A whole fit to a prepared y. start: factors to go on from, as they are.
refMc <- function(y, ranks, sweeps, step = "mm", zero.weight = 0, lambda = 0, lambda.scale = 0.25, accelerate = FALSE,
    tol = 0, init = "svd", nonneg = FALSE, start = NULL)
{
    K <- length(ranks) + 1
    p <- mean(y != 0)
    w0 <- if (zero.weight > 0) min(1, zero.weight * p / (1 - p)) else 0
    sigma <- refMcSigma(y)
    if (is.na(lambda)) lambda <- (lambda.scale * sigma * sqrt(p) * sum(sqrt(dim(y))))^(2 - 2 / K)
    w <- ifelse(y != 0, 1, w0)
    f <- if (is.null(start)) refMcBalance(refMcStart(y, ranks, init)) else start
    history <- rbind(refMcObjective(f, y, w, lambda))
    newest <- function(v, m) { m <- cbind(v, m); m[, seq_len(min(6, ncol(m))), drop = FALSE] }
    steps <- dG <- dR <- last <- NULL
    taken <- c(yes = 0, no = 0)
    stopped <- "the most iterations allowed"
    for (it in seq_len(sweeps)) {
        before <- unlist(f)
        t <- moved <- numeric(K)
        for (k in seq_len(K)) {
            now <- refMcBlock(f, k, y, w, lambda, step, nonneg)
            f <- now$f
            t[k] <- now$t
            moved[k] <- now$moved
        }
        f <- refMcBalance(f)
        objective <- refMcObjective(f, y, w, lambda)
        history <- rbind(history, objective)
        steps <- rbind(steps, t)
        if (tol > 0 && sqrt(sum(moved)) <= tol * sqrt(sum(refProduct(f)^2))) {
            stopped <- "the change of a sweep is within the tolerance"
            break
        }
        if (!accelerate || it == sweeps) next
        g <- unlist(f)
        r <- g - before
        if (!is.null(last)) {                                  # 2.13, six differences
            dG <- newest(g - last$g, dG)
            dR <- newest(r - last$r, dR)
        }
        last <- list(g = g, r = r)
        if (is.null(dG)) next
        N <- crossprod(dR)
        gamma <- solve(N + diag(1e-10 * sum(diag(N)), nrow(N)), crossprod(dR, r))
        better <- as.vector(g - dG %*% gamma)
        better <- utils::relist(if (nonneg) pmax(better, 0) else better, f)
        good <- sum(refMcObjective(better, y, w, lambda)) <= sum(objective)
        taken <- taken + c(good, !good)
        if (good) f <- better else last <- dG <- dR <- NULL
    }
    list(x = refProduct(f), f = f, history = unname(history), steps = unname(steps), stopped = stopped, taken = taken,
        summary = c(lambda = lambda, w0 = w0, p = p, sigma = sigma))
}

# z of a cell that was not in the fit: L fixed
refMcCell <- function(L, y, w0, lambda) {
    w <- sqrt(ifelse(y != 0, 1, w0))
    refLeastSquares(rbind(w * L, diag(sqrt(lambda), ncol(L))), c(w * y, numeric(ncol(L))))
}

# the whole of infill(); y: values of the modelled genes on the model's scale
refMcInfill <- function(counts, fit, y, output = "counts", keep = "observed", nonneg = TRUE) {
    r <- fit@recipe
    counts <- unname(as.matrix(counts)) + 0
    total <- colSums(counts[r$kept, , drop = FALSE])
    size <- ifelse(total > 0, total / r$target, 1)
    logs <- if (r$log == "log2") function(v) log2(v + 1) else log1p
    undo <- if (r$log == "log2") function(v) 2^v - 1 else expm1
    all <- rep(size, each = nrow(counts))
    some <- rep(size, each = nrow(y))
    out <- switch(output, counts = counts, normcounts = counts / all, logcounts = logs(counts / all))
    y <- switch(output, counts = pmax(undo(y), 0) * some, normcounts = pmax(undo(y), 0),
        logcounts = if (nonneg) pmax(y, 0) else y)
    y[, total == 0] <- 0
    old <- out[r$selected, , drop = FALSE]
    out[r$selected, ] <- switch(keep, none = y, observed = ifelse(old > 0, old, y), max = ifelse(old > 0, pmax(old, y), y))
    out
}
