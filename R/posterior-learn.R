# Weights and shape of the posterior from held-out molecules.

# BFGS on the loss in C; loss and gradient come from one pass. Predictions of one gene by several
# models are nearly the same numbers: the search goes in coordinates in which they are uncorrelated
# (weighted by counts, as the curvature is), b = R^-1 u. eta is taken in units in which it curves
# about as much; where it hardly matters (theta large) the search would creep, and goes on in larger
# ones.
.stackOptimum <- function(z, x, y, rho, threads, start = NULL) {
    last <- list(par = NULL)
    w <- x + y + 0.1
    one <- cbind(1, z)
    moments <- crossprod(one, one * w) / sum(w)
    root <- chol(moments + diag(1e-9 * diag(moments), ncol(one)))
    at <- function(u) {
        if (!identical(u, last$par)) {
            par <- c(u[1L] / unit, backsolve(root, u[-1L]))
            out <- .Call(C_stack_loss, z, x, y, rho, par, threads)
            last <<- list(par = u, value = out[1L],
                slope = c(out[2L] / unit, backsolve(root, out[-(1:2)], transpose = TRUE)))
        }
        last
    }
    if (is.null(start)) start <- c(log(5), 0, rep(1 / ncol(z), ncol(z)))
    for (unit in c(0.3, 0.03, 0.3)) {
        last <- list(par = NULL)
        o <- stats::optim(c(unit * start[1L], root %*% start[-1L]), function(u) at(u)$value,
            function(u) at(u)$slope, method = "BFGS",
            control = list(maxit = 100, reltol = 1e-10))
        start <- c(o$par[1L] / unit, backsolve(root, o$par[-1L]))
        if (!o$convergence) break
    }
    list(par = c(min(max(start[1L], -8), 12), start[-1L]), value = o$value, counts = o$counts)
}

# Do the priors gain over the gene mean's posterior what is worth having? Where it is little, twice
# what they gain on shuffled counts (`nothing()`). gain: one per repeat, to gain: all that is left.
.earnTheirPlace <- function(gain, to.gain, min.gain, nothing) {
    i <- .interval(gain)
    if (min.gain == 0 || isTRUE(i$mean >= min.gain * to.gain))
        return(list(earn = TRUE, nothing = NA_real_))
    if (!isTRUE(i$mean >= .worthTheName * to.gain) || length(gain) > 2L && i$mean - i$half <= 0)
        return(list(earn = FALSE, nothing = NA_real_))
    n <- nothing()
    list(earn = i$mean > 2 * n, nothing = n)
}

.learnPoisson <- function(halves, priors, param, threads, nothing = NULL) {
    names <- names(priors)
    rho <- param@fraction / (1 - param@fraction)
    pool <- function(part) do.call(c, lapply(halves, part))
    x <- pool(function(h) h$x)
    y <- pool(function(h) h$y)
    # z(h): the logarithms of some priors of a half; what all halves say together, and its loss on
    # each by itself
    optimum <- function(z) {
        best <- .stackOptimum(do.call(rbind, lapply(halves, z)), x, y, rho, threads)
        best$each <- if (length(halves) == 1L) best$value else
            vapply(halves, function(h) .stackOptimum(z(h), h$x, h$y, rho, threads, best$par)$value,
                0)
        best
    }
    best <- every <- optimum(function(h) h$z)
    is.mean <- which(vapply(priors, .isGeneMean, TRUE))[1L]
    mean <- if (identical(is.mean, 1L) && length(names) == 1L) every else
        optimum(function(h) cbind(log(h$mean + 1e-3)))
    counts <- lapply(halves, function(h) .asSparse(matrix(h$y)))
    loss <- function(f) mapply(function(h, y) .Call(C_count_loss, y, f(h), 2L, Inf, 1e-6), halves,
        counts)
    alone <- lapply(seq_along(names),
        function(k) loss(function(h) rho * pmax(exp(h$z[, k]) - 1e-3, 0)))
    h <- halves[[1L]]
    perfect <- base::mean(loss(function(h) h$y))
    place <- if (!is.null(nothing) && !is.na(is.mean) && length(names) > 1L)
        .earnTheirPlace(mean$each - every$each, base::mean(mean$each) - perfect, param@min.gain,
            nothing) else list(earn = TRUE, nothing = NA_real_)
    if (!place$earn) best <- mean
    used <- if (place$earn) seq_along(names) else is.mean
    gains <- data.frame(
        stats::setNames(c(list(best$each, every$each, loss(function(h) rho * h$x),
            loss(function(h) rho * h$mean), mean$each), alone),
        c(.fixedGains, names)), check.names = FALSE)
    mu <- exp(pmin(pmax(best$par[2L] + drop(h$z[, used, drop = FALSE] %*% best$par[-(1:2)]), -20),
        15))
    theta <- exp(best$par[1L])
    single <- which.min(vapply(alone, base::mean, 0))
    decile <- function(when, p) cbind(when = when, .deciles(data.frame(predicted = p, truth = h$y)))
    list(coefficients = stats::setNames(best$par, c("eta", "b0", names[used])), gains = gains,
        deciles = rbind(decile(names[single],
        rho * (exp(h$z[, single]) - 1e-3)),
        decile("posterior", rho * mu * ((h$x + theta) / (mu + theta)))), perfect = perfect,
        left.out = setdiff(names, names[used]), nothing = place$nothing)
}
