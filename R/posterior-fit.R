#' @include posterior-param.R fit.R source.R
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
#' @param ... Nothing: an unknown argument is an error.
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

setMethod(".checkIntact", "StackFit", function(fit) {
    callNextMethod()
    must <- function(part, ok, what) if (!isTRUE(ok)) .damaged("the fit", part,
        paste("must be", what))
    must("fits", length(fit@fits) && all(vapply(fit@fits, is, TRUE, "InfillFit")),
        "fits of the priors")
    n <- length(fit@fits) + if (fit@param@loss == "masked") 1L else 2L
    must("coefficients", length(fit@coefficients) == n && !anyNA(fit@coefficients),
        sprintf("%d numbers", n))
    must("coefficients", fit@param@loss == "masked" || abs(fit@coefficients[1L] - 2) <= 10 + 1e-9,
        "a logarithm of theta from -8 to 12 first")
    must("perfect", .isNumber(fit@perfect), "one number")
    told <- c("stack", names(fit@fits), if (fit@param@loss == "poisson") .fixedGains)
    must("gains", nrow(fit@gains) && all(vapply(unclass(fit@gains)[told], function(v)
        is.numeric(v) && all(is.finite(v)), TRUE)), "losses of the stack and its priors")
    must("deciles", all(c("when", "predicted", "observed", "se") %in% names(fit@deciles)),
        "a table of tenths")
    for (f in c(fit@fits, list(fit@mean.fit))) .checkIntact(f)
    size <- length(fit@recipe$kept)
    must("mean.fit", .isGeneMean(fit@mean.fit@param) && length(fit@mean.fit@recipe$kept) == size &&
        length(fit@mean.fit@weights) == size && all(is.finite(fit@mean.fit@weights)),
        "the mean of each gene")
})

setMethod(".fitTo", "StackParam",
    function(param, data, how) .inSteps(.stackJob(param, data$counts, how, all = data$all)))

# a source is looked at when it is read
setMethod(".checkInput", c("StackParam", "CellSource"),
    function(param, counts, what = "'x'", to.fit = TRUE) {
    counts@seen$molecules <- param@loss == "poisson"
})

setMethod(".mostCells", "StackParam", function(param, max.cells) param@max.cells)

# One fit: every step takes the job, a list, and hands it on.
.inSteps <- function(job) .warnOnce({
    job <- .fitHalves(job)
    job <- .dropOdd(job)
    job <- .learnWeights(job)
    job <- .refitPriors(job)
    .stackFit(job)
})

# given: fits of priors to all the counts that are there already. all: where `counts` is a sample of
# some of them.
.stackJob <- function(param, counts, how, given = list(), all = NULL) {
    .roomFor(1.2e8 + 64 * length(counts@x))
    priors <- .priorsOf(param)
    masked <- param@loss == "masked"
    if (is.null(param@priors)) priors <- .forCells(priors, nrow(counts), ncol(counts))
    detected <- function(p) is(p, "GeneMeanParam") && p@over == "detected"
    if (masked && !any(vapply(priors, detected, TRUE)))
        priors <- c(list(`detected mean` = GeneMeanParam(over = "detected")), priors)
    few <- if (ncol(counts) > param@max.cells && !masked && !length(given) &&
        !any(vapply(priors, .onlyItsCells, NA))) .Call(C_choose, as.double(ncol(counts)),
        as.double(param@max.cells), param@seed)
    job <- list(param = param, all = if (is.null(all)) counts else all,
        counts = if (is.null(few)) counts else counts[, few, drop = FALSE], how = how,
        given = given, masked = masked, priors = priors,
        usable = names(priors), mean.param = GeneMeanParam(), halves = list())
    # the default ones are as they were made
    for (name in if (!is.null(param@priors)) names(priors)) {
        valid <- validObject(priors[[name]], test = TRUE)
        if (isTRUE(valid)) next
        .leftOut(name, paste(valid, collapse = "\n"))
        job$usable <- setdiff(job$usable, name)
    }
    .someUsable(job)
}

.someUsable <- function(job) {
    if (!length(job$usable)) .stop("none of the priors can be used: %s", .someOf(names(job$priors)))
    job
}

# A part held out and the priors fitted to the rest, as often as asked for.
.fitHalves <- function(job) {
    p <- job$param
    for (r in seq_len(p@repeats)) {
        job$how$say("holding out %g %% of the %s, %d of %d", 100 * p@fraction,
            if (job$masked) "non-zeros" else "molecules", r, p@repeats)
        part <- if (job$masked) .hiddenPart(job, .heldOutSeed(p@seed, r)) else
            .thinnedPart(job, job$counts, .heldOutSeed(p@seed, r))
        quiet <- p@refit || r > 1
        half <- .fitHalf(job, part, job$usable, quiet)
        job$usable <- names(half$fits)
        .checkRefit(p, .someUsable(job)$usable, half$fits)
        job$halves[[r]] <- (if (job$masked) .seenHidden else .seenThinned)(job, half)
    }
    job
}

# part: train, the counts that priors see, and what is held out of them.
.fitHalf <- function(job, part, which, quiet) {
    data <- .draw(part$train)
    fits <- .fitPriors(job, data, which, part$seed, quiet)
    c(part, list(mean.fit = .meanFit(job, data, fits, quiet), fits = fits))
}

.checkRefit <- function(param, names, fits) {
    only <- if (!param@refit) Filter(function(f) isTRUE(f@recipe$transductive), fits)
    if (length(only)) .stop(
        "'refit' must be TRUE for the prior \"%s\", which knows the very counts of its fit only",
        names(only)[1L])
}

# Molecules held out: what the priors are to see, and what they are judged by.
.thinnedPart <- function(job, counts, seed) {
    fraction <- job$param@fraction
    split <- .splitMolecules(counts, fraction, seed)
    if (!sum(split$test) || !sum(split$train)) .stop(
        "'x' has too few molecules to hold %g of them out", fraction)
    c(split, list(seed = seed))
}

# At a sample of the entries log(prediction + 0.001) of each prior and of the gene mean, counts,
# held-out counts.
.seenThinned <- function(job, half) {
    x <- half$train
    n <- max(100, ceiling(job$param@n.entries / job$param@repeats))
    sample <- .sampledEntries(nrow(x), ncol(x), n, half$seed)
    list(fits = half$fits, z = .priorsAt(x, sample, half$fits, half$mean.fit, job$how$threads),
        x = .countsAt(x, sample), y = .countsAt(half$test, sample))
}

# Priors that predict nothing anywhere in some repeat are given up.
.dropOdd <- function(job) {
    odd <- Filter(function(name) any(vapply(job$halves, function(h) {
        z <- h$z[, match(name, names(h$fits))]
        !all(is.finite(z)) || diff(range(z)) < 1e-12
    }, TRUE)), job$usable)
    for (name in odd) .leftOut(name, "its predictions are constant or not finite")
    job$usable <- setdiff(job$usable, odd)
    .someUsable(job)
}

.learnWeights <- function(job) {
    job$learnt <- .learn(job, function() .gainOfNothing(job))
    job$usable <- setdiff(job$usable, job$learnt$left.out)
    job
}

# nothing: what the priors gain where there is nothing to learn; NULL: all of them stay.
.learn <- function(job, nothing = NULL) {
    halves <- lapply(job$halves, function(h) {
        at <- match(job$usable, names(h$fits))
        # the gene mean is the last of the logarithms of a posterior
        keep <- c(at, if (!job$masked) ncol(h$z))
        h$fits <- h$fits[at]
        if (!identical(keep, seq_len(ncol(h$z)))) h$z <- h$z[, keep, drop = FALSE]
        h
    })
    if (job$masked) .learnMasked(halves, job$usable) else
        .learnPoisson(halves, job$priors[job$usable], job$param, job$how$threads, nothing)
}

# What each family of priors gains over the gene mean's posterior where genes know nothing of each
# other.
.gainOfNothing <- function(job) {
    job$how$say(
        paste("the same with each gene's counts shuffled: what do the priors gain where there",
        "is nothing to learn?"))
    seed <- .heldOutSeed(job$param@seed, job$param@repeats + 1)
    # a prior that fails there is not lost
    h <- suppressWarnings(.seenThinned(job,
        .fitHalf(job, .thinnedPart(job, .shuffled(job$counts, seed), seed),
        job$usable, TRUE)))
    if (!length(h$fits) || !all(is.finite(h$z))) return(numeric())
    .gainsByFamily(h, job$priors[names(h$fits)], job$param, job$how$threads)
}

# Gene means of all cells, where the rest is learnt from a sample.
.meanOfAll <- function(job) {
    fit <- .meanFit(job, .draw(job$counts), list(), TRUE)
    all <- .genesOfAll(job$all)
    usual <- median(all$total[all$total > 0])
    fit@weights <- all$share * (usual / length(all$total))
    fit@recipe$usual <- fit@recipe$target <- usual
    fit@cells <- length(all$total)
    fit@entries <- .entriesOf(job$all)
    fit
}

# The priors that stay, fitted to everything.
.refitPriors <- function(job) {
    data <- .draw(job$counts)
    few <- ncol(job$counts) < ncol(job$all)
    if (!job$param@refit) {
        job$fits <- job$halves[[1L]]$fits[job$usable]
        # of all: who has no counts in one half may have some
        job$mean.fit <- if (few) .meanOfAll(job) else .meanFit(job, data, list(), FALSE)
        return(job)
    }
    job$how$say("fitting the priors to all %s", if (job$masked) "entries" else "molecules")
    job$fits <- .fitPriors(job, data, setdiff(job$usable, names(job$given)), job$param@seed, FALSE)
    job$fits[names(job$given)] <- job$given
    job$mean.fit <- if (few) .meanOfAll(job) else .meanFit(job, data, job$fits, FALSE)
    # one failed on all molecules: weights without it
    if (!all(job$usable %in% names(job$fits))) {
        job$usable <- intersect(job$usable, names(job$fits))
        parts <- c("coefficients", "gains", "deciles")
        job$learnt[parts] <- .learn(.someUsable(job))[parts]
    }
    job$fits <- job$fits[job$usable]
    job
}

.stackFit <- function(job) {
    counts <- job$all
    learnt <- job$learnt
    n <- nrow(counts)
    total <- .cellTotals(counts)
    modelled <- unlist(lapply(job$fits, function(f)
        .matchGenes(counts, f@recipe)[f@recipe$status == "modelled"]))
    recipe <- list(genes = rownames(counts), kept = rep(TRUE, n), target = 0,
        usual = median(total[total > 0]),
        log = "none", normalize = "none", gene.selection = "none", selected = seq_len(n),
        status = ifelse(seq_len(n) %in% modelled, "modelled", "not selected"))
    new("StackFit", param = job$param, recipe = recipe, weights = learnt$coefficients,
        shapes = data.frame(name = "coefficients", nrow = length(learnt$coefficients), ncol = 1L),
        history = data.frame(), best = 1L, stopped = "closed form",
        heldout = data.frame(pearson = NA_real_, mse = NA_real_), seed = job$param@seed,
        entries = .entriesOf(counts), cells = ncol(counts),
        version = as.character(packageVersion("infill")), fits = job$fits,
        coefficients = learnt$coefficients, mean.fit = job$mean.fit, gains = learnt$gains,
        deciles = learnt$deciles, perfect = learnt$perfect, left.out = learnt$left.out,
        nothing = learnt$nothing)
}

# `code`, whose warnings are heard once each.
.warnOnce <- function(code) {
    said <- character()
    withCallingHandlers(code, warning = function(w) {
        if (conditionMessage(w) %in% said) invokeRestart("muffleWarning")
        said <<- c(said, conditionMessage(w))
    })
}

# ---- the posterior of a fit that is there ----

setMethod(".posteriorOfFit", "InfillFit", function(fit, counts, threads) {
    .checkIntact(fit)
    stack <- .withPosterior(fit@param)
    stack@seed <- fit@seed
    .checkSameCells(counts, fit)
    names <- names(.priorsOf(stack))
    .inSteps(.stackJob(stack, counts,
        .partOf(list(threads = threads, every = 500), stack, fit@seed),
        stats::setNames(list(fit), names[length(names)])))
})

# The posterior of a fit learns its weights from molecules of the cells it was fitted to: as many
# (some models leave out empty ones), with as many non-zeros. Other cells can only have the fit of a
# stack.
.checkSameCells <- function(counts, fit) {
    .matchGenes(counts, fit@recipe)
    new <- .applyRecipe(counts, fit@recipe)
    if (fit@cells %in% c(ncol(counts), sum(new$total > 0)) && length(new$x@x) == fit@entries)
        return()
    prior <- if (.isGeneMean(fit@param)) "GeneMeanParam()" else
        sprintf("list(GeneMeanParam(), %s())", class(fit@param)[1L])
    other <- if (isTRUE(fit@recipe$transductive)) "This model knows the cells of its fit only" else
        sprintf(
        paste("For other cells, fit StackParam(%s) to the cells of the fit, and give that fit to",
            "infill()"), prior)
    .stop(paste(
        "'x' must have the cells that the fit is of with keep = \"posterior\", whose molecules",
        "are held out to learn the weights. %s"), other, class = "infill_mismatch")
}
