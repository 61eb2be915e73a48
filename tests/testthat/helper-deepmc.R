# deepMc in plain R: all dense, factors D1, ..., DN, Z in a list; ?DeepMcParam, Details
# (equations 3 and 7 of the paper).

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
    if (init == "mean") y <- ifelse(y == 0, ifelse(genes, rowSums(y) / pmax(rowSums(y != 0), 1), 0),
        y)
    s <- svd(y, ranks[1], utils::tail(ranks, 1))
    middle <- lapply(seq_along(ranks)[-1], function(l) diag(1, ranks[l - 1], ranks[l]))
    c(list(s$u * genes), middle, list(s$d[seq_len(ncol(s$v))] * t(s$v * cells)))
}

refMcObjective <- function(f, y, w, lambda) c(sum(w * (y - refProduct(f))^2),
    lambda * sum(unlist(f)^2))

# The steps along delta of block k of K: exact line search. by: 1 per row, 2 per column, 0 one for
# all; moved: |dX|^2
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
    list(F = if (nonneg) pmax(F, 0) else F, t = mean(t[a2 > 0]),
        moved = sum((each(t, nrow(y)) * dX)^2))
}

# Block k by the formulas of 2.4
refMcBlock <- function(f, k, y, w, lambda, step, nonneg = FALSE) {
    A <- refProduct(f[seq_len(k - 1)], nrow(y))
    C <- refProduct(f[-seq_len(k)], ncol(y))
    F <- f[[k]]
    X <- A %*% F %*% C
    a <- eigen(crossprod(A), TRUE)
    c <- eigen(tcrossprod(C), TRUE)
    if (nonneg) delta <- refMcFista(F, A, C, w * (y - X), lambda,
        a$values[1] * c$values[1] + lambda)
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

# The same increment of a plain step by least squares on all entries at once
refMcIncrement <- function(f, k, y, w, lambda) {
    A <- refProduct(f[seq_len(k - 1)], nrow(y))
    C <- refProduct(f[-seq_len(k)], ncol(y))
    M <- kronecker(t(C), A)
    E <- as.vector(w * (y - A %*% f[[k]] %*% C))
    delta <- if (lambda > 0) refLeastSquares(rbind(M, diag(sqrt(lambda), ncol(M))),
        c(E, -sqrt(lambda) * f[[k]]), 0)
        else refLeastSquares(M, E)
    f[[k]] <- f[[k]] + as.vector(delta)
    f
}

# Five accelerated steps of projected gradient
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
refMc <- function(y, ranks, sweeps, step = "mm", zero.weight = 0, lambda = 0, lambda.scale = 0.25,
    accelerate = FALSE, tol = 0, init = "svd", nonneg = FALSE, start = NULL)
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
        if (!is.null(last)) {                                  # Anderson, six differences
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
    list(x = refProduct(f), f = f, history = unname(history), steps = unname(steps),
        stopped = stopped, taken = taken,
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
    out <- switch(output, counts = counts, normcounts = counts / all,
        logcounts = logs(counts / all))
    y <- switch(output, counts = pmax(undo(y), 0) * some, normcounts = pmax(undo(y), 0),
        logcounts = if (nonneg) pmax(y, 0) else y)
    y[, total == 0] <- 0
    old <- out[r$selected, , drop = FALSE]
    out[r$selected, ] <- switch(keep, none = y, observed = ifelse(old > 0, old, y),
        max = ifelse(old > 0, pmax(old, y), y))
    out
}

# Fits see the matrix itself; ... are arguments of DeepMcParam().
mcFit <- function(y, ..., seed = 1, num.threads = 1)
    fitInfill(handPrepared(y), DeepMcParam(...), seed = seed, num.threads = num.threads)
mcFactors <- function(fit) { w <- fitParts(fit, "weights"); unname(w[grep("^(D.|Z)$", names(w))]) }
mcProduct <- function(fit) refProduct(mcFactors(fit))
mcSummary <- function(fit) stats::setNames(as.vector(fit@extras$summary),
    c("data", "ridge", "lambda", "w0", "p", "passes", "sigma"))
mcSteps <- function(fit)
    unname(as.matrix(fitParts(fit, "history")[-1, grep("^step", names(fitParts(fit, "history"))), drop = FALSE]))
mcAway <- function(a, b) max(abs(a - b)) / max(abs(b))
mcRaw <- function(x, fit, ...) {
    out <- plain(infill(x, fit, output = "logcounts", keep = "none", nonneg = FALSE, ...))
    unname(out[match(fit@recipe$genes[fit@recipe$selected], rownames(x)), , drop = FALSE])
}

# A fit and the oracle. Steps are quotients of what is left over near the end of an iteration, hence
# less exact than X.
expectMc <- function(y, a, X.off = 1e-9, steps.off = 1e-8) {
    if (is.null(a$sweeps)) a$sweeps <- 5
    f <- suppressWarnings(do.call(mcFit, c(list(y), a)))
    r <- do.call(refMc, c(list(y), a))
    h <- fitParts(f, "history")
    expect_identical(nrow(h), nrow(r$history), info = asText(a))
    expect_identical(f@stopped, r$stopped, info = asText(a))
    if (nrow(h) != nrow(r$history)) return(r)
    expect_lt(mcAway(mcProduct(f), r$x), X.off)
    expect_lt(mcAway(h$train, r$history[, 1]), 1e-10)
    expect_lte(max(abs(h$penalty - r$history[, 2])), 1e-10 * max(r$history[, 2]))
    expect_lt(mcAway(mcSteps(f), r$steps), steps.off)
    expect_lt(max(abs(mcSummary(f)[names(r$summary)] / r$summary - 1)[r$summary > 0 &
        (names(r$summary) != "sigma" | anyNA(a$lambda))]), 1e-10)
    r
}
