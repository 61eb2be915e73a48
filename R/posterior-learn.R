# Weights and shape of the posterior from held-out molecules.

# Fisher's scoring with Levenberg's damping: loss, gradient and what the second derivatives are
# expected to be come from one pass in C, and a dozen of them are enough.
# seen: list(z, x, y, rho, threads); which: columns of z. rows: c(from, n), from 0.
.stackOptimum <- function(seen, which, rows = c(0, nrow(seen$z)), start = NULL) {
    n <- length(which) + 2L
    at <- function(par) {
        out <- .Call(C_stack_loss, seen$z, which, rows, seen$x, seen$y, seen$rho, par,
            seen$threads)
        list(par = par, value = out[1L], slope = out[1L + seq_len(n)],
            info = matrix(out[-seq_len(n + 1L)], n))
    }
    if (is.null(start)) start <- c(log(5), 0, rep(1 / length(which), length(which)))
    now <- at(start)
    damping <- 1e-3
    for (pass in seq_len(100)) {
        d <- diag(now$info)
        d[d <= 0] <- 1
        step <- tryCatch(solve(now$info + diag(damping * d + 1e-12 * max(d), n), -now$slope),
            error = function(e) -now$slope / d)
        step[1L] <- min(max(step[1L], -2), 2)
        par <- now$par + step
        par[1L] <- min(max(par[1L], -8), 12)
        new <- at(par)
        better <- isTRUE(new$value <= now$value)
        small <- isTRUE(abs(new$value - now$value) < 1e-9 * (abs(now$value) + 1e-3))
        if (better) now <- new
        damping <- if (better) max(damping / 10, 1e-9) else damping * 10
        if (small || damping > 1e8) break
    }
    now[c("par", "value")]
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

# All draws one after the other: list(z, the last column of which is the gene mean, x, y, rho,
# threads), and the rows of each draw, c(from, n).
.pooledSeen <- function(halves, param, threads) {
    pool <- function(part) if (length(halves) == 1L) halves[[1L]][[part]] else
        do.call(c, lapply(halves, `[[`, part))
    z <- if (length(halves) == 1L) halves[[1L]]$z else do.call(rbind, lapply(halves, `[[`, "z"))
    n <- vapply(halves, function(h) length(h$x), 0L)
    list(z = z, x = pool("x"), y = pool("y"), rho = param@fraction / (1 - param@fraction),
        threads = threads, rows = Map(c, cumsum(c(0, n))[seq_along(n)], as.double(n)))
}

# halves: of each draw z, the logarithms of the priors and of the gene mean at sampled entries, x
# and y. nothing: a function that gives what each family of priors gains where there is nothing to
# learn; NULL: all priors stay.
.learnPoisson <- function(halves, priors, param, threads, nothing = NULL) {
    names <- names(priors)
    seen <- .pooledSeen(halves, param, threads)
    last <- ncol(seen$z)
    # of some of the priors: what all draws say together, and its loss on each by itself
    optimum <- function(which) {
        best <- .stackOptimum(seen, which)
        best$each <- if (length(seen$rows) == 1L) best$value else
            vapply(seen$rows, function(r) .stackOptimum(seen, which, r, best$par)$value, 0)
        best
    }
    # the same with the weights of all draws, in fewer passes: for a verdict on a family
    each <- function(which) {
        best <- .stackOptimum(seen, which)
        vapply(seen$rows, function(r) .Call(C_stack_loss, seen$z, which, r, seen$x, seen$y,
            seen$rho, best$par, threads)[1L], 0)
    }
    best <- every <- optimum(seq_along(names))
    is.mean <- which(vapply(priors, .isGeneMean, TRUE))[1L]
    mean <- if (identical(is.mean, 1L) && length(names) == 1L) every else optimum(last)
    alone <- vapply(seen$rows, function(r) .Call(C_stack_alone, seen$z, seq_len(last), r, seen$y,
        seen$rho, threads), numeric(last))
    alone <- matrix(alone, last)
    loss <- function(h, m) base::mean(m - h$y * log(m + 1e-6))
    h <- halves[[1L]]
    perfect <- base::mean(vapply(halves, function(h) loss(h, h$y), 0))
    place <- if (!is.null(nothing) && !is.na(is.mean) && length(names) > 1L)
        .placesOf(priors, each, mean$each, every$each, perfect, param@min.gain, nothing) else
        list(used = seq_along(names), nothing = NA_real_)
    used <- place$used
    if (!identical(used, seq_along(names)))
        best <- if (identical(used, is.mean)) mean else optimum(used)
    gains <- data.frame(
        stats::setNames(c(list(best$each, every$each, vapply(halves, function(h)
            loss(h, seen$rho * h$x), 0), alone[last, ], mean$each),
            lapply(seq_along(names), function(k) alone[k, ])), c(.fixedGains, names)),
        check.names = FALSE)
    mu <- exp(pmin(pmax(best$par[2L] + drop(h$z[, used, drop = FALSE] %*% best$par[-(1:2)]), -20),
        15))
    theta <- exp(best$par[1L])
    single <- which.min(rowMeans(alone[seq_along(names), , drop = FALSE]))
    decile <- function(when, p) cbind(when = when, .deciles(p, h$y))
    list(coefficients = stats::setNames(best$par, c("eta", "b0", names[used])), gains = gains,
        deciles = rbind(decile(names[single],
        seen$rho * (exp(h$z[, single]) - 1e-3)),
        decile("posterior", seen$rho * mu * ((h$x + theta) / (mu + theta)))), perfect = perfect,
        left.out = setdiff(names, names[used]), nothing = place$nothing)
}

# Which priors earn their place beside the gene mean, family by family, each with the gene mean
# alone: list(used, nothing: the most that a family that was put to the test gains of nothing).
.placesOf <- function(priors, each, mean, every, perfect, min.gain, nothing) {
    family <- vapply(priors, .familyOf, "")
    is.mean <- vapply(priors, .isGeneMean, TRUE)
    others <- unique(family[!is.mean])
    of.nothing <- NULL
    places <- lapply(stats::setNames(others, others), function(f) {
        each <- if (length(others) == 1L) every else each(which(is.mean | family == f))
        .earnTheirPlace(mean - each, base::mean(mean) - perfect, min.gain, function() {
            if (is.null(of.nothing)) of.nothing <<- nothing()
            if (f %in% names(of.nothing)) of.nothing[[f]] else 0
        })
    })
    earn <- vapply(places, `[[`, NA, "earn")
    tested <- vapply(places, `[[`, 0, "nothing")
    list(used = unname(which(is.mean | family %in% others[earn])),
        nothing = if (all(is.na(tested))) NA_real_ else max(tested, na.rm = TRUE))
}

# What each family of priors gains over the gene mean's posterior, of one draw.
.gainsByFamily <- function(h, priors, param, threads) {
    seen <- .pooledSeen(list(h), param, threads)
    loss <- function(which) .stackOptimum(seen, which)$value
    family <- vapply(priors, .familyOf, "")
    is.mean <- vapply(priors, .isGeneMean, TRUE)
    mean <- loss(ncol(seen$z))
    vapply(stats::setNames(nm = unique(family[!is.mean])), function(f)
        mean - loss(which(is.mean | family == f)), 0)
}
