#' @include posterior-param.R fit.R
NULL

#' A fitted posterior
#'
#' What [fitInfill()] returns for a [StackParam()]; an [InfillFit-class] that [infill()] applies
#' like any other.
#'
#' @slot fits The fits of the priors, named.
#' @slot coefficients `eta` = log theta, `b0`, and one weight for each prior (`loss = "masked"`: no
#'   `eta`).
#' @slot mean.fit The gene mean, for genes that a prior does not model.
#' @slot gains data.frame, one row per repeat: loss of the stack, of all priors together (before
#'   some were left out), of the counts alone, the gene mean alone, its posterior, and of each prior
#'   alone. Of a repeat by itself: with weights learnt from it alone (`loss = "masked"`: from all).
#' @slot left.out Priors that did not earn their place ([StackParam()], "When the gene mean is
#'   enough").
#' @slot nothing What the priors gain on shuffled counts, `NA` where that was not asked.
#' @slot deciles data.frame: held-out molecules and what was predicted of them, by tenth of the
#'   prediction, before (best single prior) and after.
#' @slot perfect Loss of a perfect prediction.
#' @param object,x A `StackFit`.
#' @param ... Not used.
#' @return `plot()`: a ggplot, held-out against predicted molecules by tenth of the prediction,
#'   logarithmic axes.
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 60, seed = 1)
#' fit <- fitInfill(x, StackParam(), seed = 1)
#' fit@coefficients
#' @export
setClass("StackFit", contains = "InfillFit",
    slots = c(fits = "list", coefficients = "numeric", mean.fit = "InfillFit",
    gains = "data.frame", deciles = "data.frame", perfect = "numeric", left.out = "character",
    nothing = "numeric"))

#' @rdname fitInfill
#' @export
setMethod("fitInfill", c("ANY", "StackParam"),
    function(x, param, assay.type = "counts", seed = NULL, num.threads = NULL,
    progress = interactive(), resume = NULL, keep.state = FALSE, checkpoint = NULL,
    checkpoint.every = 500, BPPARAM = NULL,
    check.scale = TRUE)
{
    started <- proc.time()[["elapsed"]]
    if (is(x, "PreparedCounts"))
        .stop("'x' must be counts, not what prepareCounts() returns: StackParam prepares them itself")
    if (!is.null(resume) || !identical(keep.state, FALSE) || !is.null(checkpoint)) .stop(
        "'resume', 'keep.state' and 'checkpoint' are not offered for StackParam; fit its priors one by one with them")
    counts <- .checkCounts(.counts(x, assay.type), .checkFlag(check.scale, "check.scale"))
    .checkFlag(progress, "progress")
    param <- .fixed(param, seed, NULL)
    threads <- .threads(num.threads, param)
    .checkMolecules(counts, param, assay.type)
    fit <- .fitStack(counts, param, threads, if (progress) .say else function(...) NULL, BPPARAM)
    fit@seconds <- proc.time()[["elapsed"]] - started
    fit
})

.checkMolecules <- function(counts, param, assay.type) {
    if (!length(counts@x)) .stop("'x' must have counts: all are 0")
    .checkWhole(counts, param, assay.type)
}

.checkWhole <- function(counts, param, assay.type) {
    if (param@loss == "poisson" && any(counts@x != round(counts@x)))
        .stop(paste("'x' (assay \"%s\") must hold whole numbers: there are no",
        "molecules to hold out of %s. FPKM, TPM and logarithms will not do; loss = \"masked\" hides whole entries"), assay.type,
        format(counts@x[counts@x != round(counts@x)][1L]), class = "infill_scale")
}

# `code`, whose warnings are heard once each.
.warnOnce <- function(code) {
    said <- character()
    withCallingHandlers(code, warning = function(w) {
        if (conditionMessage(w) %in% said) invokeRestart("muffleWarning")
        said <<- c(said, conditionMessage(w))
    })
}

.fitStack <- function(...) .warnOnce(.fitStackOnce(...))

.fitStackOnce <- function(counts, param, threads, say, BPPARAM, given = list()) {
    priors <- .priorsOf(param)
    masked <- param@loss == "masked"
    if (masked &&
        !any(vapply(priors, function(p) is(p, "GeneMeanParam") && p@over == "detected", TRUE)))
        priors <- c(list(`detected mean` = GeneMeanParam(over = "detected")), priors)
    seed <- param@seed
    run <- function(data, priors, seed, quiet) {
        fits <- if (is.null(BPPARAM))
            Map(function(p, name) .fitPrior(data, p, name, seed, threads, quiet, say), priors,
                names(priors))
            else .priorsOnWorkers(data, priors, seed, threads, quiet, BPPARAM)
        fits[!vapply(fits, is.null, TRUE)]
    }
    usable <- names(priors)                                  # in every repeat so far
    runHalf <- function(data, seed, quiet) {
        fits <- run(data, priors[usable], seed, quiet)
        usable <<- names(fits)
        if (!length(usable)) .stop("none of the priors can be used: %s", .someOf(names(priors)))
        only <- if (!param@refit) Filter(function(f) isTRUE(f@recipe$transductive), fits)
        if (length(only))
            .stop("'refit' must be TRUE for the prior \"%s\", which knows the very counts of its fit only", names(only)[1L])
        fits
    }
    meanOf <- function(data, quiet) (if (quiet) suppressWarnings else identity)(
        fitInfill(data, GeneMeanParam(), seed = seed, progress = FALSE, check.scale = FALSE))
    halves <- lapply(seq_len(param@repeats), function(r) {
        quiet <- param@refit || r > 1
        say("holding out %g %% of the %s, %d of %d", 100 * param@fraction, if (masked)
            "non-zeros" else "molecules", r, param@repeats)
        (if (masked) .maskedHalf else .thinnedHalf)(counts, param, runHalf, meanOf,
            .heldOutSeed(seed, r), quiet, threads)
    })
    odd <- Filter(function(name) any(vapply(halves, function(h) {
        z <- h$z[, match(name, names(h$fits))]
        !all(is.finite(z)) || diff(range(z)) < 1e-12
    }, TRUE)), usable)
    for (name in odd)
        warning(sprintf("the prior \"%s\" was left out: its predictions are constant or not finite",
            name), call. = FALSE)
    usable <- setdiff(usable, odd)
    if (!length(usable)) .stop("none of the priors can be used: %s", .someOf(names(priors)))
    learn <- function(usable, choose = TRUE) {
        some <- lapply(halves, function(h) {
            at <- match(usable, names(h$fits))
            h$fits <- h$fits[at]
            h$z <- h$z[, at, drop = FALSE]
            h
        })
        if (masked) .learnMasked(some, usable) else
            .learnPoisson(some, priors[usable], param, threads, if (choose) gainOfNothing)
    }
    # What the priors gain over the gene mean's posterior where genes know nothing of each other.
    gainOfNothing <- function() {
        say("the same with each gene's counts shuffled: what do the priors gain where there is nothing to learn?")
        s <- .heldOutSeed(seed, param@repeats + 1)
        # a prior that fails there is not lost
        h <- suppressWarnings(.thinnedHalf(.shuffled(counts, s), param,
            function(data, seed, quiet) run(data, priors[usable], seed, quiet), meanOf, s,
            TRUE, threads))
        if (!length(h$fits) || !all(is.finite(h$z))) return(0)
        g <- .learnPoisson(list(h), priors[names(h$fits)], param, threads)$gains
        g$`gene mean posterior` - g$`all priors`
    }
    learnt <- learn(usable)
    usable <- setdiff(usable, learnt$left.out)
    if (param@refit) {
        say("fitting the priors to all %s", if (masked) "entries" else "molecules")
        mean.fit <- meanOf(counts, FALSE)
        fits <- run(counts, priors[setdiff(usable, names(given))], seed, FALSE)
        fits[names(given)] <- given
        # one failed on all molecules: weights without it
        if (!all(usable %in% names(fits))) {
            usable <- intersect(usable, names(fits))
            if (!length(usable)) .stop("none of the priors can be used: %s", .someOf(names(priors)))
            learnt[c("coefficients", "gains", "deciles")] <-
                learn(usable, FALSE)[c("coefficients", "gains", "deciles")]
        }
        fits <- fits[usable]
    } else {
        fits <- halves[[1L]]$fits[usable]
        # of all: who has no counts in one half may have some
        mean.fit <- meanOf(counts, FALSE)
    }
    total <- Matrix::colSums(counts)
    modelled <- seq_len(nrow(counts)) %in%
        unlist(lapply(fits, function(f) .matchGenes(counts,
            f@recipe)[f@recipe$status == "modelled"]))
    new("StackFit", param = param,
        recipe = list(genes = rownames(counts), kept = rep(TRUE, nrow(counts)), target = 0,
        usual = median(total[total > 0]), log = "none", normalize = "none", gene.selection = "none",
        selected = seq_len(nrow(counts)),
        status = ifelse(modelled, "modelled", "not selected")), weights = learnt$coefficients,
        shapes = data.frame(name = "coefficients",
        nrow = length(learnt$coefficients), ncol = 1L), history = data.frame(), best = 1L,
        stopped = "closed form",
        heldout = data.frame(pearson = NA_real_, mse = NA_real_), seed = seed,
        entries = as.double(length(counts@x)), cells = ncol(counts),
        version = as.character(utils::packageVersion("infill")), fits = fits,
        coefficients = learnt$coefficients, mean.fit = mean.fit,
        gains = learnt$gains, deciles = learnt$deciles, perfect = learnt$perfect,
        left.out = learnt$left.out,
        nothing = learnt$nothing)
}

# A prior's fit, or NULL with a warning that names it. quiet: what it warns of is said of a part of
# the molecules only.
.fitPrior <- function(counts, param, name, seed, threads, quiet, say) {
    say("prior %s", name)
    # a prior short of its tolerance is as good as the weight that held-out molecules give it
    heard <- function(code) withCallingHandlers(code,
        infill_tol = function(w) invokeRestart("muffleWarning"))
    tryCatch((if (quiet) suppressWarnings else
        heard)(suppressMessages(fitInfill(counts, param, seed = seed, num.threads = threads,
        progress = FALSE, check.scale = FALSE))), error = function(e) {
            warning(sprintf("the prior \"%s\" was left out: %s", name, conditionMessage(e)),
                call. = FALSE)
            NULL
        })
}

# One part of the molecules held out: fits to the others, and at a sample of the entries
# log(prediction + 0.001) of each prior, counts, held-out counts, gene mean.
.thinnedHalf <- function(counts, param, runHalf, meanOf, seed, quiet, threads) {
    split <- suppressMessages(.splitMolecules(counts, param@fraction, seed))
    if (!sum(split$test) || !sum(split$train))
        .stop("'x' has too few molecules to hold %g of them out", param@fraction)
    mean.fit <- meanOf(split$train, quiet)
    fits <- runHalf(split$train, seed, quiet)
    sample <- .sampledEntries(nrow(counts), ncol(counts),
        max(100, ceiling(param@n.entries / param@repeats)), seed)
    z <- vapply(fits, .priorAt, numeric(length(sample$at)), counts = split$train, sample = sample,
        mean.fit = mean.fit, threads = threads)
    dim(z) <- c(length(sample$at), length(fits))
    list(fits = fits, mean.fit = mean.fit, z = log(z + 1e-3), x = .countsAt(split$train, sample),
        y = .countsAt(split$test, sample),
        mean = .priorAt(split$train, sample, mean.fit, mean.fit, threads))
}

# f(k, values) for the predictions at the sampled entries, block of cells by block.
.priorAt <- function(counts, sample, fit, mean.fit, threads) {
    G <- nrow(counts)
    out <- numeric(length(sample$at))
    for (cells in .inBlocks(length(sample$cells), G)) {
        before <- (cells[1L] - 1) * as.double(G)
        first <- findInterval(before, sample$at) + 1
        last <- findInterval(before + length(cells) * as.double(G), sample$at)
        if (last < first) next
        block <- .priorBlock(counts, sample$cells[cells], fit, mean.fit, threads)
        out[first:last] <- block[sample$at[first:last] - before]
    }
    out
}

# Predictions of a prior for cells of counts, dense; genes that it does not model from the gene
# mean.
.priorBlock <- function(counts, cols, fit, mean.fit, threads) {
    how <- .how("counts", "none", TRUE, "infilled", "matrix")
    values <- .fillBlock(counts, cols, fit, how, threads)
    at <- .matchGenes(counts, fit@recipe)
    not <- setdiff(seq_len(nrow(counts)), at[fit@recipe$status == "modelled"])
    if (length(not)) values[not, ] <- .fillBlock(counts, cols, mean.fit, how, threads)[not, ]
    dimnames(values) <- NULL
    values
}

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
    loss <- function(f) vapply(halves, function(h) poissonLoss(h$y, f(h)), 0)
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
