# The posterior in plain R, as ?StackParam, Details, has it.

# The posterior of lambda, given x.
refPosterior <- function(mu, x, theta) {
    m <- mu * (x + theta) / (mu + theta)
    list(mean = m, sd = sqrt(m * mu / (mu + theta)), shape = x + theta, rate = (mu + theta) / mu)
}

# mu of K predictions (a list of matrices or vectors).
refPosteriorMu <- function(priors, b) {
    l <- b[1]
    for (k in seq_along(priors)) l <- l + b[k + 1] * log(priors[[k]] + 1e-3)
    exp(pmin(pmax(l, -20), 15))
}

# The loss of held-out molecules y; par = (eta, b), theta = exp(eta).
refPosteriorLoss <- function(priors, x, y, f, par) {
    mh <- f / (1 - f) * refPosterior(refPosteriorMu(priors, par[-1]), x,
        exp(min(max(par[1], -8), 12)))$mean
    mean(mh - y * log(mh + 1e-6))
}

# What is said of counts x, of which the priors predict these values.
refPosteriorUse <- function(priors, x, f, par) {
    r <- 1 / (1 - f)
    mu <- r * refPosteriorMu(lapply(priors, function(p) p / r), par[-1])
    c(list(mu = mu), refPosterior(mu, x, exp(par[1])))
}

byHand <- list(x = c(0, 3, 1, 0, 12, 2), y = c(0, 1, 0, 0, 1, 0),
    priors = list(c(0.5, 2, 0.2, 0.05, 9, 1.5), c(1, 1, 1, 0.4, 6, 0.8)), f = 0.1,
    par = c(log(2), 0.1, 0.6, 0.3))

lossOf <- function(priors, x, y, f, par, threads = 1L) .Call(infill:::C_stack_loss,
    log(do.call(cbind, priors) + 1e-3), seq_along(priors), c(0, length(x)), x, y, f / (1 - f), par,
    threads)[seq_len(length(priors) + 3)]
useOf <- function(priors, x, depth, par, threads = 1L) {
    n <- length(priors)
    crew <- list(kind = integer(n), first = integer(n),
        values = lapply(priors, function(p) as.double(as.matrix(p))), usual = 1)
    x <- sparse(as.matrix(x))
    out <- lapply(0:2, function(what) .Call(infill:::C_stack_fill, crew, x, NULL, par, depth, NULL,
        what, threads))
    stats::setNames(out, c("mean", "sd", "mu"))
}

# Rates with a known gamma around known means, their counts, and the same thinned.
gammaData <- function(theta, genes = 250, cells = 200, spread = 0.8, seed = 1) withSeed(seed, {
    mu <- exp(outer(rnorm(genes, 0.3, spread), rnorm(cells, 0, 0.3), "+"))
    rate <- mu * rgamma(length(mu), theta, theta)
    x <- matrix(rpois(length(mu), rate), genes)
    y <- matrix(rbinom(length(mu), x, 0.1), genes)
    list(mu = mu, rate = rate, x = x, y = y, again = matrix(rpois(length(mu), rate), genes),
        wrong = mu * exp(rnorm(length(mu), -0.5, 1)))
})
optimumOf <- function(d, ..., start = NULL) {
    z <- vapply(list(...), function(mu) log(0.9 * as.vector(mu) + 1e-3), numeric(length(d$x)))
    infill:::.stackOptimum(list(z = z, x = as.double(d$x - d$y), y = as.double(d$y), rho = 1 / 9,
        threads = 1L), seq_len(ncol(z)), start = start)
}
poissonOf <- function(p, x) mean(p - ifelse(x > 0, x * log(p + 1e-6), 0))

# ---- through fitInfill() and infill() ----

# What is said of a data set, with the package's own thinning and priors.
refPosteriorFit <- function(x, priors, par, f, seed, refit = TRUE) {
    seed <- infill:::.heldOutSeed(seed, 1)
    m <- maskCounts(x, "molecules", f, seed)
    half <- maskedData(m)
    y <- x * 0
    e <- hiddenEntries(m)
    y[cbind(e$row, e$col)] <- e$value
    says <- function(of, use) lapply(priors,
        function(p) plain(infill(use, suppressWarnings(fitInfill(of, p, seed = seed)),
        keep = "none")))
    list(loss = refPosteriorLoss(says(half, half), half, y, f, par),
        counts = poissonOf(f / (1 - f) * half, y),
        alone = vapply(says(half, half), function(p) poissonOf(f / (1 - f) * p, y), 0),
        use = refPosteriorUse(says(if (refit) x else half, x), x, f, par),
        around = vapply(seq_along(par),
        function(k) min(vapply(c(-0.05, 0.05),
        function(h) refPosteriorLoss(says(half, half), half, y, f, replace(par, k, par[k] + h)),
        0)), 0))
}

# ---- what may go wrong ----

warningsOf <- function(code) {
    said <- character()
    withCallingHandlers(code, warning = function(w) {
        said <<- c(said, conditionMessage(w))
        invokeRestart("muffleWarning")
    })
    said
}

svdPrior <- function(rank) SvdParam(rank)

# A posterior with the fits of some priors given.
stackOf <- function(counts, param, given = list()) infill:::.inSteps(infill:::.stackJob(param, counts,
    infill:::.partOf(list(threads = 1L, every = 500), param, param@seed), given))
