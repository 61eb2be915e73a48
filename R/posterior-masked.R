# ---- zeros as missing values: least squares on logarithms at hidden non-zeros ----

.maskedHalf <- function(counts, param, runHalf, meanOf, seed, quiet, threads) {
    m <- suppressMessages(maskCounts(counts, "uniform", param@fraction, seed, check.scale = FALSE))
    x <- maskedData(m)
    e <- hiddenEntries(m)
    if (nrow(e) > param@n.entries) e <-
        e[.Call(C_choose, as.double(nrow(e)), as.double(param@n.entries), seed), ]
    mean.fit <- meanOf(x, quiet)
    fits <- runHalf(x, seed, quiet)
    s <- .sizesOf(x)[e$col]
    z <- vapply(fits, function(fit) {
        out <- numeric(nrow(e))
        for (cols in .inBlocks(ncol(x), nrow(x))) {
            at <- which(e$col >= cols[1L] & e$col <= cols[length(cols)])
            if (length(at)) out[at] <-
                .priorBlock(x, cols, fit, mean.fit,
                    threads)[cbind(e$row[at], e$col[at] - cols[1L] + 1L)]
        }
        log1p(out / s)
    }, numeric(nrow(e)))
    dim(z) <- c(nrow(e), length(fits))
    list(fits = fits, mean.fit = mean.fit, z = z, y = log1p(e$value / s))
}

.learnMasked <- function(halves, names) {
    z <- cbind(1, do.call(rbind, lapply(halves, `[[`, "z")))
    y <- unlist(lapply(halves, `[[`, "y"))
    b <- drop(solve(crossprod(z) + diag(c(0, rep(1e-6, ncol(z) - 1L))), crossprod(z, y)))
    rmse <- function(p, y) sqrt(mean((p - y)^2))
    gains <- do.call(rbind,
        lapply(halves, function(h) data.frame(stack = rmse(drop(cbind(1, h$z) %*% b), h$y),
        as.list(stats::setNames(apply(h$z, 2, rmse, y = h$y), names)), check.names = FALSE)))
    h <- halves[[1L]]
    k <- which.min(colMeans(gains[-1L]))
    deciles <-
        rbind(cbind(when = names[k], .deciles(data.frame(predicted = h$z[, k], truth = h$y))),
        cbind(when = "stack",
            .deciles(data.frame(predicted = drop(cbind(1, h$z) %*% b), truth = h$y))))
    list(coefficients = stats::setNames(b, c("b0", names)), gains = gains, deciles = deciles,
        perfect = 0, left.out = character(), nothing = NA_real_)
}
