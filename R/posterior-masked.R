# Zeros as missing values: least squares on logarithms at hidden non-zeros.

# Non-zeros hidden: what the priors are to see, and what was there.
.hiddenPart <- function(job, seed) {
    p <- job$param
    m <- .hide(job$counts, "uniform", p@fraction, seed)
    hidden <- data.frame(row = m$row, col = m$col, value = m$value)
    if (nrow(hidden) > p@n.entries)
        hidden <- hidden[.Call(C_choose, as.double(nrow(hidden)), as.double(p@n.entries), seed), ]
    list(train = m$counts, hidden = hidden, seed = seed)
}

# Logarithms of prediction and truth over size factor at the hidden entries.
.seenHidden <- function(job, half) {
    x <- half$train
    e <- half$hidden
    size <- .sizesOf(x)[e$col]
    z <- vapply(half$fits, function(fit) {
        out <- numeric(nrow(e))
        for (cols in .inBlocks(ncol(x), nrow(x))) {
            at <- which(e$col >= cols[1L] & e$col <= cols[length(cols)])
            if (!length(at)) next
            block <- .priorBlock(x, cols, fit, half$mean.fit, job$how$threads)
            out[at] <- block[cbind(e$row[at], e$col[at] - cols[1L] + 1L)]
        }
        log1p(out / size)
    }, numeric(nrow(e)))
    dim(z) <- c(nrow(e), length(half$fits))
    list(fits = half$fits, z = z, y = log1p(e$value / size))
}

.learnMasked <- function(halves, names) {
    z <- cbind(1, do.call(rbind, lapply(halves, `[[`, "z")))
    y <- unlist(lapply(halves, `[[`, "y"))
    b <- drop(solve(crossprod(z) + diag(c(0, rep(1e-6, ncol(z) - 1L))), crossprod(z, y)))
    rmse <- function(p, y) sqrt(mean((p - y)^2))
    stacked <- function(h) drop(cbind(1, h$z) %*% b)
    gains <- do.call(rbind, lapply(halves, function(h) data.frame(stack = rmse(stacked(h), h$y),
        as.list(stats::setNames(apply(h$z, 2, rmse, y = h$y), names)), check.names = FALSE)))
    h <- halves[[1L]]
    k <- which.min(colMeans(gains[-1L]))
    decile <- function(when, p) cbind(when = when, .deciles(p, h$y))
    list(coefficients = stats::setNames(b, c("b0", names)), gains = gains,
        deciles = rbind(decile(names[k], h$z[, k]), decile("stack", stacked(h))), perfect = 0,
        left.out = character(), nothing = NA_real_)
}
