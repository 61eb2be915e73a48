# AutoImpute in plain R (genes x cells): what the package should say, written as ?AutoImputeParam,
# Details, has it, with no thought of speed.

# ---- the network: equations 8 and 9 of the paper ----
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

# ---- preparation: ?prepareCounts ----
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

refPrepare <- function(counts, min.count = 3, min.cells = 3, gene.selection = "dispersion",
    n.genes = 1000, vmr.threshold = NULL, normalize = "median", log = "log2")
{
    counts <- as.matrix(counts) + 0
    kept <- rowSums(counts >= min.count) >= min.cells
    n <- counts[kept, , drop = FALSE]
    t <- colSums(n)
    target <- stats::median(t[t > 0])
    if (normalize == "median") for (c in seq_along(t)) if (t[c] > 0) n[, c] <- n[, c] / t[c] *
        target
    m <- rowMeans(n)
    v <- apply(n, 1, stats::var)
    d <- ifelse(m > 0, v / m, 0)
    score <- switch(gene.selection, dispersion = abs(refDispersion(m, d)),
        dispersion.signed = refDispersion(m, d), cv = ifelse(m > 0, sqrt(v) / m, 0), vmr = d,
        none = -seq_along(m))
    best <- order(-score)
    if (!is.null(vmr.threshold)) best <- best[score[best] > vmr.threshold]
    if (!is.null(n.genes) && gene.selection != "none") best <- utils::head(best, n.genes)
    x <- n[best, , drop = FALSE]
    list(x = switch(log, log2 = log2(x + 1), log1p = log1p(x), none = x), kept = kept,
        target = target, selected = unname(which(kept)[best]), score = unname(score[best]),
        total = unname(t))
}

# ---- the whole of infill() for a fit of AutoImpute ----
refInfill <- function(counts, fit, output = "counts", keep = "observed", nonneg = TRUE) {
    r <- fit@recipe
    counts <- as.matrix(counts) + 0
    total <- colSums(counts[r$kept, , drop = FALSE])
    size <- ifelse(total > 0, total / r$target, 1)
    each <- rep(size, each = nrow(counts))
    x <- log2(counts / each + 1)[r$selected, , drop = FALSE]
    y <- refForward(fitParts(fit, "weights"), x)$y
    seen <- switch(output, counts = counts, normcounts = counts / each,
        logcounts = log2(counts / each + 1))
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
