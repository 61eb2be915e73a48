#' @include model-baseline.R model-deepmc.R evaluate-recovery.R
NULL

setClassUnion("ListOrNULL", c("list", "NULL"))

#' The posterior: what models expect and what was seen, with error bars
#'
#' Any models as prior, the molecules as evidence: their predictions are weighed against each other
#' and against the counts, with weights learnt from held-out molecules, without labels. Every value
#' gets a standard deviation. The recommended way to fill in counts: values are right on average at
#' all levels of expression ([calibrationTable()]).
#'
#' @param priors A list of [InfillParam-class] objects, or one. `NULL`: `defaultPriors(loss)`, the
#'   gene mean and three truncated singular value decompositions of log(1 + count/size), ranks 5, 10
#'   and 20 (fast); with `loss = "masked"` the gene mean, the decomposition of rank 10, and
#'   [DeepMcParam()] `"converged"` at three values of `lambda.scale`.
#' @param loss `"poisson"`: for counts, zeros are evidence. `"masked"`: for those who take zeros as
#'   missing values; non-zeros are hidden, and the logarithms of the priors' predictions are
#'   combined by least squares at the hidden entries.
#' @param fraction Share of the molecules (of the non-zeros, `"masked"`) held out to learn the
#'   weights, above 0 and at most 0.5.
#' @param repeats How many times molecules are held out: the weights are learnt from all of them
#'   together, and the gains have intervals when there are at least 2 (and the verdict heeds them
#'   when there are at least 3). Each repeat fits all priors.
#' @param n.entries At most so many entries (zeros included) are looked at to learn the weights, a
#'   random sample of all.
#' @param refit Fit the priors again, on all molecules? `FALSE`: those of the first repeat predict
#'   (not [GraphSciParam()], which knows the counts of its fit only).
#' @param min.gain Where the gene mean is one of several priors and the others gain less than this
#'   share of what is left to gain (from the loss of the gene mean's own posterior to that of a
#'   perfect prediction), they are put to the test below, and left out if they fail. 0: never. With
#'   `loss = "poisson"` only.
#' @param ... `seed`, `num.threads`.
#'
#' @details For an entry with count x, of which a model expects mu: lambda ~ Gamma(shape = theta,
#'   mean = mu), x ~ Poisson(lambda). Then lambda given x is Gamma(shape = x + theta, rate = (mu +
#'   theta)/mu), with mean mu (x + theta)/(mu + theta) and variance mean mu/(mu + theta). theta
#'   large: the model alone; theta near 0: the counts alone. With K priors, log mu = b_0 + sum of
#'   b_k log(mu_k + 0.001).
#'
#'   *Fitting.* A `fraction` f of the molecules is held out by binomial thinning, the priors are
#'   fitted to the rest, and theta and b minimise the Poisson loss of the held-out molecules, mean
#'   of m - y log(m + 1e-6), m the posterior mean times f/(1 - f) (BFGS of [stats::optim()]). The
#'   priors are then fitted to all molecules; their predictions are brought to the depth of the fit
#'   and back.
#'
#'   *When the gene mean is enough.* A model can fit the noise of an entry, gain by it where the
#'   noise is not the one of the model above, and carry it to other genes on the way: correlations
#'   and markers that are not in the data ([permutationCheck()]). A small gain has to be at least
#'   0.1 % of what is left to gain, beyond the interval over the repeats (of three or more), and
#'   more than twice what the same priors gain on the counts shuffled within each gene, where there
#'   is nothing to learn (one more fit of all priors); else the posterior is the gene mean's, and
#'   printing the fit says so. The gain was 2 to 7 % on 13 sets of counts of molecules (0.01 to 0.24
#'   % shuffled), and at most 0.2 % on five of read counts. Without the gene mean among the priors
#'   nothing is tested.
#'
#'   Priors that stay can still make genes more alike than they are, above all where their gain is
#'   far below `min.gain`. Filled-in values are not for tests between groups:
#'   `vignette("should-i-impute")`.
#'
#'   A prior that fails, or whose predictions are constant or not finite, is left out with a
#'   warning. A gene that a prior does not model gets the gene mean from it. Genes without any count
#'   in the fit, and cells without any, stay as they are.
#'
#'   `keep` of [infill()]: by default `"posterior"`, the posterior mean everywhere; `"observed"`
#'   fills in zeros only; `"none"` gives mu, what the priors expect. With `loss = "masked"` the
#'   default is `"observed"`.
#'
#'   Read counts without molecular barcodes can be used, but amplification is not Poisson noise:
#'   theta takes up part of it, and the gain is small. Values that are not whole have no molecules
#'   to hold out: an error.
#' @return `defaultPriors()`: a named list of parameters, to which others can be added.
#'   `StackParam()`: an object of class `StackParam`. Its fit is a [StackFit-class]:
#'   [posteriorSd()], [posteriorQuantiles()], `plot()` of the calibration.
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 60, seed = 1)
#' fit <- fitInfill(x, StackParam(), seed = 1)
#' fit
#' infill(x, fit, sd = TRUE)
#' StackParam(c(defaultPriors(), list(DeepImputeParam())))       # a model beside the default ones
#' @seealso [infill()] with `keep = "posterior"` for one model, [compareInfill()].
#' @aliases StackParam-class
#' @export
StackParam <- function(priors = NULL, loss = c("poisson", "masked"), fraction = 0.1, repeats = 3,
    n.entries = 1e6, refit = TRUE,
    min.gain = 0.01, ...)
{
    if (is(priors, "InfillParam")) priors <- list(priors)
    if (is.function(priors))
        .stop("'priors' must be parameters of models, not a function; call it: DeepMcParam()")
    if (is(loss, "InfillParam"))
        .stop("'loss' must be a string, not %s; several priors go into one list: StackParam(list(...))", .describe(loss))
    .newParam("StackParam", priors = priors, loss = .first(loss), fraction = fraction,
        repeats = repeats, n.entries = n.entries,
        refit = refit, min.gain = min.gain, ...)
}

#' @export
setClass("StackParam", contains = "InfillParam",
    slots = c(priors = "ListOrNULL", loss = "character", fraction = "numeric",
    repeats = "numeric", n.entries = "numeric", refit = "logical", min.gain = "numeric"),
    prototype = list(model = ""))

setMethod(".ownProblems", "StackParam", function(object) {
    out <- character()
    must <- function(name, ok, what, got = .describe(slot(object, name))) if (!ok) out <<-
        c(out, sprintf("'%s' must be %s, not %s", name,
        what, got))
    p <- object@priors
    bad <- if (!is.null(p)) p[!vapply(p, is, TRUE, "InfillParam")]
    must("priors", is.null(p) || length(p) && !length(bad),
        "NULL or a list of parameters of models",
        if (!length(bad)) "an empty list" else
        paste0(.describe(bad[[1L]]), if (is(bad[[1L]], "InfillFit"))
            "; priors are fitted anew, give its parameters: fit@param"))
    if (!length(bad) && any(vapply(p, is, TRUE, "StackParam"))) out <- c(out,
        "'priors' must not hold a StackParam: a stack of stacks would weigh the same molecules twice; put its priors here instead")
    must("loss", .isString(object@loss) && object@loss %in% c("poisson", "masked"),
        "one of \"poisson\", \"masked\"")
    must("fraction", .isNumber(object@fraction) && object@fraction > 0 && object@fraction <= 0.5,
        "one number above 0 and at most 0.5")
    must("repeats", .isWhole(object@repeats) && object@repeats >= 1 && object@repeats <= 100,
        "one whole number from 1 to 100")
    must("n.entries", .isWhole(object@n.entries) && object@n.entries >= 100 &&
        object@n.entries <= 1e9, "one whole number from 100 to 1e+09")
    must("min.gain", .isNumber(object@min.gain) && object@min.gain >= 0 && object@min.gain <= 1,
        "one number from 0 to 1")
    must("refit", .isFlag(object@refit), "TRUE or FALSE")
    out
})

# A truncated singular value decomposition: with zeros of full weight it is where deepMc starts, and
# its minimum.
.svdParam <- function(rank) DeepMcParam(ranks = rank, sweeps = 1, zero.weight = 1e6, min.cells = 0,
    n.genes = Inf, gene.selection = "none", log = "log1p")

#' @rdname StackParam
#' @export
defaultPriors <- function(loss = c("poisson", "masked")) {
    loss <- .checkChoice(loss, "loss", c("poisson", "masked"))
    completed <- function(scale) DeepMcParam(method = "converged", lambda.scale = scale,
        n.genes = Inf, min.cells = 0, gene.selection = "none")
    if (loss == "masked") list(`gene mean` = GeneMeanParam(), `SVD 10` = .svdParam(10),
        `deepMc 0.25` = completed(0.25), `deepMc 0.5` = completed(0.5),
        `deepMc 1` = completed(1))
    else list(`gene mean` = GeneMeanParam(), `SVD 5` = .svdParam(5), `SVD 10` = .svdParam(10),
        `SVD 20` = .svdParam(20))
}

.priorsOf <- function(param) {
    given <- if (is.null(param@priors)) defaultPriors(param@loss) else param@priors
    name <- names(given)
    if (is.null(name)) name <- rep("", length(given))
    plain <- function(p) if (is(p, "GeneMeanParam")) if (p@over == "detected") "detected mean" else
        "gene mean"
        else sub("Param$", "", class(p)[1L])
    name[!nzchar(name)] <- vapply(given[!nzchar(name)], plain, "")
    # other columns and coefficients of the fit
    taken <- c("eta", "b0", "posterior", .fixedGains)
    stats::setNames(given, make.unique(c(taken, name), " ")[-seq_along(taken)])
}

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

# ---- fitting ----

# Losses that `gains` always has, before those of the priors: of what is returned, of the stack of
# all priors, of the counts, of the gene mean, of the gene mean's posterior.
.fixedGains <- c("stack", "all priors", "counts", "gene mean alone", "gene mean posterior")

# The cells and the entries that the weights are learnt from: all, or a random sample (of at most
# 5,000 cells, so that large data need not be predicted as a whole).
.sampledEntries <- function(genes, cells, n, seed) {
    pick <- function(of, k, seed) if (k < of)
        as.integer(.Call(C_choose, as.double(of), as.double(k), seed)) else seq_len(of)
    some <- pick(cells, min(cells, max(5000, ceiling(n / genes))), seed)
    all <- as.double(genes) * length(some)
    list(cells = some, at = if (all > n) .Call(C_choose, all, as.double(n), seed + 1) else
        seq_len(all))
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

# Counts at the sampled entries.
.countsAt <- function(counts, sample) {
    some <- counts[, sample$cells, drop = FALSE]
    if (length(sample$at) == prod(dim(some))) return(as.double(as.matrix(some)))
    key <- rep.int(seq_len(ncol(some)) - 1, diff(some@p)) * as.double(nrow(some)) + some@i + 1
    out <- numeric(length(sample$at))
    m <- match(key, sample$at)
    out[m[!is.na(m)]] <- some@x[!is.na(m)]
    out
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

.moleculesOf <- function(x, fit, assay.type) {
    counts <- .checkCounts(.counts(x, assay.type), FALSE)
    .checkWhole(counts, fit@param, assay.type)
    counts
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

# Not the seed itself: molecules that the user has held out with it would be drawn with the very
# numbers that held them out.
.heldOutSeed <- function(seed, r) (seed + 827419784671 + 104729 * (r - 1)) %% 2^53

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

.priorsOnWorkers <- function(data, priors, seed, threads, quiet, BPPARAM) {
    .needs("BiocParallel", "'BPPARAM'")
    if (!is(BPPARAM, "BiocParallelParam"))
        .stop("'BPPARAM' must be a BiocParallelParam, not %s", .describe(BPPARAM))
    tryCatch(BiocParallel::bpmapply(function(p, name) .fitPrior(data, p, name, seed, threads, quiet,
        function(...) NULL), priors, names(priors),
        SIMPLIFY = FALSE, BPPARAM = BPPARAM),
        error = function(e) .stop("a worker of 'BPPARAM' failed: %s", conditionMessage(e)))
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

# A gain below this share of what is left to gain (to the loss of a perfect prediction) is none
# worth the name.
.worthTheName <- 1e-3

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

.sizesOf <- function(counts) {
    total <- Matrix::colSums(counts)
    ifelse(total > 0, total / median(total[total > 0]), 1)
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

# ---- use ----

# Mean (or mu, or standard deviation) of cells of counts, dense; genes of `counts` that the fit does
# not know as they are.
.stackBlock <- function(counts, cols, fit, what, threads) {
    some <- if (identical(cols, seq_len(ncol(counts)))) counts else counts[, cols, drop = FALSE]
    at <- .matchGenes(some, fit@recipe)
    whole <- identical(at, seq_len(nrow(some)))
    known <- if (whole) some else some[at, , drop = FALSE]
    values <- .knownBlock(known, fit, what, threads)
    if (whole) return(values)
    out <- if (what == "sd") matrix(0, nrow(some), ncol(some)) else unname(as.matrix(some))
    out[at, ] <- values
    out
}

# The same of counts that have the genes of the fit in its order. What no molecule was seen of stays
# as it is: cells without counts, and genes that had none in the fit (mu = 0).
.knownBlock <- function(known, fit, what, threads) {
    values <- .modelledBlock(known, fit, what, threads)
    empty <- which(diff(known@p) == 0)
    if (length(empty)) values[, empty] <- 0
    unseen <- which(fit@mean.fit@weights == 0)
    if (length(unseen)) values[unseen, ] <- if (what == "mean")
        as.matrix(known[unseen, , drop = FALSE]) else 0
    values
}

.modelledBlock <- function(known, fit, what, threads) {
    priors <-
        lapply(fit@fits, function(f) .priorBlock(known, seq_len(ncol(known)), f, fit@mean.fit,
            threads))
    b <- fit@coefficients
    if (fit@param@loss == "masked") {
        s <- rep(.sizeIn(known, fit), each = nrow(known))
        v <- b[1L]
        for (k in seq_along(priors)) v <- v + b[k + 1L] * log1p(priors[[k]] / s)
        return(s * expm1(pmax(v, 0)))
    }
    # predictions are at the depth of `known`, whatever the priors were fitted to
    depth <- 1 / (1 - fit@param@fraction)
    .Call(C_stack_apply, unname(priors), known, 0L, unname(b), depth,
        c(what == "mean", what == "sd", what == "prior"),
        threads)[[match(what, c("mean", "sd", "prior"))]]
}

.sizeIn <- function(known, fit) {
    total <- Matrix::colSums(known)
    ifelse(total > 0, total / fit@recipe$usual, 1)
}

# A block as infill() wants it.
.stackFill <- function(counts, cols, fit, how, threads) {
    seen <- if (identical(cols, seq_len(ncol(counts)))) counts else counts[, cols, drop = FALSE]
    sd <- identical(how$what, "sd")
    out <- .stackBlock(seen, seq_len(ncol(seen)), fit, if (sd) "sd" else
        if (how$keep == "none" && fit@param@loss == "poisson") "prior" else "mean",
        threads)
    if (!sd && how$keep %in% c("observed", "max")) {
        at <- cbind(seen@i + 1L, rep.int(seq_len(ncol(seen)), diff(seen@p)))
        out[at] <- if (how$keep == "observed") seen@x else pmax(out[at], seen@x)
    }
    if (how$output != "counts") {
        size <- rep(.sizeIn(seen[.matchGenes(seen, fit@recipe), , drop = FALSE], fit),
            each = nrow(out))
        out <- out / size
        if (how$output == "logcounts") out <- log2(out + 1)
    }
    dimnames(out) <- .namesOf(seen)
    out
}

.checkStack <- function(fit, arg = "fit") {
    if (!is(fit, "StackFit")) .stop("'%s' must be a fit of StackParam(), not %s", arg,
        if (is(fit, "InfillFit")) class(fit@param) else .describe(fit))
    if (fit@param@loss != "poisson")
        .stop("'%s' was fitted with loss = \"masked\", which has no posterior", arg)
}

#' Error bars of filled-in values
#'
#' Standard deviations and quantiles of the rate behind each count, given that count and what the
#' models expect ([StackParam()]).
#'
#' @param x The counts, as in [infill()]; of the fit, or of other cells where its priors can do
#'   that.
#' @param fit A [StackFit-class].
#' @param output `"counts"`, or `"normcounts"`: divided by the cell's size factor.
#' @param as As in [infill()].
#' @param probs Probabilities.
#' @param genes,cells Names or positions in `x`; `NULL`: all.
#' @param predictive Quantiles of a new count of the same entry at the same depth (negative
#'   binomial, sequencing noise included), not of its rate?
#' @param assay.type,num.threads As in [infill()].
#' @section Coverage: Intervals hold what they say where the model of one entry does (one theta for
#'   all): measured 88 to 91 % for 90 %. Predictive intervals of held-out molecules hold at least
#'   that on simulated and real counts (more, where counts are small and discrete). The *rates* of
#'   genes with far less than one molecule per cell are another matter: where their true dispersion
#'   is larger than theta says, as in Splat's simulations, their intervals are too narrow.
#' @return `posteriorSd()`: a matrix, genes x cells (or a DelayedMatrix). `posteriorQuantiles()`: an
#'   array, genes x cells x `probs`. With lambda given x ~ Gamma(shape = x + theta, rate = (mu +
#'   theta)/mu).
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 60, seed = 1)
#' fit <- fitInfill(x, StackParam(), seed = 1)
#' posteriorSd(x, fit)[1:3, 1:4]
#' posteriorQuantiles(x, fit, c(0.05, 0.95), genes = "gene2", cells = 1:4)
#' @export
posteriorSd <- function(x, fit, output = c("counts", "normcounts"),
    as = c("auto", "matrix", "delayed"), assay.type = "counts",
    num.threads = NULL)
{
    .checkStack(fit)
    how <- .how(.checkChoice(output, "output", c("counts", "normcounts")), "posterior", TRUE, "sd",
        as)
    how$what <- "sd"
    .fill(.moleculesOf(x, fit, assay.type), fit, how, .threads(num.threads, fit@param))
}

#' @rdname posteriorSd
#' @export
posteriorQuantiles <- function(x, fit, probs = c(0.05, 0.5, 0.95), genes = NULL, cells = NULL,
    predictive = FALSE, assay.type = "counts",
    num.threads = NULL)
{
    .checkStack(fit)
    .checkFlag(predictive, "predictive")
    if (!is.numeric(probs) || !length(probs) || anyNA(probs) || any(probs < 0 | probs > 1)) .stop(
        "'probs' must be probabilities, numbers from 0 to 1, not %s", .describe(probs))
    counts <- .moleculesOf(x, fit, assay.type)
    pick <- function(at, n, names, arg) {
        all <- stats::setNames(seq_len(n), names)
        out <- if (is.null(at)) all else if (is.factor(at) || is.list(at)) NA else all[at]
        if (anyNA(out)) .stop("'%s' must be names or positions of %s of 'x', not %s", arg, arg,
            if (is.character(at) && length(at) > 1L) .someOf(dQuote(at[is.na(out)], FALSE)) else
            .describe(at))
        unname(out)
    }
    g <- pick(genes, nrow(counts), rownames(counts), "genes")
    c <- pick(cells, ncol(counts), colnames(counts), "cells")
    if (8 * length(g) * length(c) * length(probs) > .memoryLimit())
        .stop("%d genes x %d cells x %d quantiles need %s; ask for fewer",
        length(g), length(c), length(probs), .bytes(8 * length(g) * length(c) * length(probs)))
    threads <- .threads(num.threads, fit@param)
    theta <- exp(fit@coefficients[[1L]])
    out <- array(0, c(length(g), length(c), length(probs)),
        list(rownames(counts)[g], colnames(counts)[c], probs))
    unknown <- !g %in% .matchGenes(counts, fit@recipe)
    for (at in .inBlocks(length(c), nrow(counts))) {
        mu <- .stackBlock(counts, c[at], fit, "prior", threads)[g, , drop = FALSE]
        # genes that the fit does not know, or had no counts of: as they are
        lost <- matrix(unknown, length(g), length(at)) | mu == 0
        mu[lost] <- 1
        x <- as.matrix(counts[g, c[at], drop = FALSE])
        rate <- (mu + theta) / mu
        for (k in seq_along(probs)) {
            q <- if (predictive) stats::qnbinom(probs[k], size = x + theta,
                prob = rate / (1 + rate))
                else stats::qgamma(probs[k], shape = x + theta, rate = rate)
            q[lost] <- x[lost]
            out[, at, k] <- q
        }
    }
    out
}

# ---- in words ----

# Means and 95 % t intervals over repeats.
.interval <- function(v) {
    n <- length(v)
    list(mean = mean(v), half = if (n > 1L) stats::qt(0.975, n - 1) * stats::sd(v) / sqrt(n) else
        NA_real_)
}

# Is the gene mean the only prior?
.onlyGeneMean <- function(fit) length(fit@fits) == 1L && .isGeneMean(fit@fits[[1L]]@param)

# Is the stack better than a column of gains? "no": not by what is worth the name (the parameters
# were chosen on the same entries); "unsure": not beyond the interval (that of one or two repeats
# says nothing); "yes".
.stackBeats <- function(fit, reference) {
    g <- fit@gains
    i <- .interval(g[[reference]] - g$stack)
    scale <- mean(g[[reference]]) - fit@perfect
    n <- min(fit@param@n.entries, fit@param@repeats * length(fit@recipe$status) *
        as.double(fit@cells))
    if (!(i$mean >= .worthTheName * scale + (fit@param@loss == "poisson") *
        length(fit@coefficients) / n)) "no"
        else if (nrow(g) > 2L && i$mean - i$half <= 0) "unsure" else "yes"
}

.stackVerdict <- function(fit) {
    g <- fit@gains
    unsure <- sprintf("is not beyond the interval over %d repeats; more 'repeats' would tell",
        nrow(g))
    if (fit@param@loss == "masked") {
        detected <- .detectedMean(fit)
        how <- if (!is.null(detected)) .stackBeats(fit, detected)
        return(if (is.null(how)) NULL else
            switch(how,
                no = "the mean of the detected values is enough: nothing predicts hidden entries better than it does",
            unsure = paste("the mean of the detected values may be enough: what is gained over it",
                unsure),
            yes = sprintf(
                "filling in helps: the error at hidden entries is %.2g %% below that of the mean of the detected values",
                100 * (1 - mean(g$stack) / mean(g[[detected]])))))
    }
    share <- function(gain) 100 * gain / (mean(g$`gene mean posterior`) - fit@perfect)
    counts <- .stackBeats(fit, "counts")
    alone <- .stackBeats(fit, "gene mean alone")
    if (counts == "no") "leave the counts alone: no model makes held-out molecules more likely"
    else if (alone == "no")
        "the gene mean is enough: nothing predicts held-out molecules better than it does"
    else if (counts == "unsure") paste("the counts may do as they are: what is gained over them",
        unsure)
    else if (alone == "unsure") paste("the gene mean may be enough: what is gained over it", unsure)
    else if (length(fit@left.out))
        sprintf("the gene mean is enough as a prior: with %s the gain would be %.2g %% of what is left to gain%s",
        .someOf(dQuote(fit@left.out, FALSE)), share(mean(g$`gene mean posterior` - g$`all priors`)),
        if (is.na(fit@nothing)) if (nrow(g) > 2L)
        ", too little or not beyond the interval over repeats" else ", too little"
        else sprintf(
            "; where there is nothing to learn, on counts shuffled within each gene, it is %.2g %%",
            share(fit@nothing)))
    else if (.onlyGeneMean(fit)) NULL
    # not tested: min.gain = 0, or no gene mean among the priors
    else {
        gain <- mean(g$`gene mean posterior` - g$stack)
        switch(.stackBeats(fit, "gene mean posterior"), no = sprintf(
            "the gene mean is enough as a prior: its posterior alone predicts held-out molecules %s", if (share(gain) < -100 * .worthTheName)
                "better" else "as well"),
            unsure = paste(
                "the gene mean may be enough as a prior: what is gained over its posterior",
                unsure),
            yes = sprintf(
                "filling in helps: %.2g %% of what the gene mean's posterior leaves to gain is gained", share(gain)))
    }
}

# Name of the mean of the detected values among the priors.
.detectedMean <- function(fit) {
    is <- vapply(fit@fits, function(f) is(f@param, "GeneMeanParam") &&
        identical(f@param@over, "detected"), TRUE)
    if (any(is)) names(fit@fits)[is][1L]
}

#' @rdname StackFit-class
#' @export
setMethod("show", "StackFit", function(object) {
    p <- object@param
    b <- object@coefficients
    cat(sprintf("StackFit (%s), seed %.0f: %d genes x %d cells; %.1f s\n", if (p@loss == "poisson")
        "posterior" else "zeros as missing values",
        object@seed, length(object@recipe$status), object@cells, object@seconds))
    w <- b[setdiff(names(b), c("eta", "b0"))]
    cat(sprintf("  weights: %s\n", paste(sprintf("%s %.2f", names(w), w), collapse = ", ")))
    small <- names(w)[abs(w) < 0.05]
    if (length(small)) cat(sprintf("  (hardly any weight: %s)\n", paste(small, collapse = ", ")))
    g <- object@gains
    over <- function(name, label) {
        i <- .interval(g[[name]] - g$stack)
        cat(sprintf("  gain over %s: %.4f%s\n", label, i$mean, if (is.na(i$half)) "" else
            sprintf(" (95 %% interval %.4f to %.4f)", i$mean - i$half,
            i$mean + i$half)))
    }
    if (p@loss == "poisson") {
        theta <- exp(b[[1L]])
        cat(sprintf(
            "  theta %.3g: the true rate is around the models' with a coefficient of variation of %.0f %%;\n", theta, 100 / sqrt(theta)))
        cat(sprintf(
            "    a gene expected at 1 molecule keeps %.0f %% of what was seen of it, one at 10 %.0f %%\n", 100 / (1 + theta), 1000 / (10 + theta)))
        cat(sprintf("  held-out molecules (%g %%, %d time%s): Poisson loss %.4f\n",
            100 * p@fraction, nrow(g), if (nrow(g) > 1L) "s" else "", mean(g$stack)))
        over("counts", "the counts alone")
        over("gene mean alone", "the gene mean alone")
        if (!.onlyGeneMean(object)) over("gene mean posterior", "the gene mean's posterior")
        rest <- setdiff(names(g), .fixedGains)
        best <- rest[which.min(colMeans(g[rest]))]
        if (!isTRUE(all.equal(g[[best]], g$`gene mean alone`)))
            over(best, sprintf("the best single prior (%s)", best))
    } else {
        cat(sprintf("  hidden entries (%g %%, %d time%s): RMSE %.4f on logarithms\n",
            100 * p@fraction, nrow(g), if (nrow(g) > 1L) "s" else "", mean(g$stack)))
        best <- names(g)[-1L][which.min(colMeans(g[-1L]))]
        detected <- .detectedMean(object)
        if (!is.null(detected)) over(detected, "the mean of the detected values")
        if (!identical(best, detected)) over(best, sprintf("the best single prior (%s)", best))
    }
    verdict <- .stackVerdict(object)
    if (!is.null(verdict)) cat(strwrap(paste("Verdict:", verdict), 100, prefix = "  "), sep = "\n")
})

#' @rdname StackFit-class
#' @export
plot.StackFit <- function(x, ...) .plotDeciles(cbind(x@deciles, panel = x@deciles$when),
    if (x@param@loss == "poisson") "molecules" else "logarithms",
    "Calibration: held out against predicted")

# Held out against predicted, by tenth of the prediction, one panel each.
.plotDeciles <- function(d, what, title) {
    .needs("ggplot2", "plot()")
    .data <- ggplot2::.data
    d$panel <- factor(d$panel, unique(d$panel))
    d <- d[d$predicted > 0 & d$observed > 0, ]
    ggplot2::ggplot(d, ggplot2::aes(.data$predicted, .data$observed)) +
        ggplot2::geom_abline(colour = "grey60", linetype = 2) +
        ggplot2::geom_linerange(
            ggplot2::aes(ymin = pmax(.data$observed - 2 * .data$se, .data$observed / 10),
                ymax = .data$observed + 2 * .data$se)) +
        ggplot2::geom_line() + ggplot2::geom_point() + ggplot2::facet_wrap("panel") +
        ggplot2::scale_x_log10() + ggplot2::scale_y_log10() +
        ggplot2::labs(x = sprintf("predicted %s, mean of a tenth of the entries", what),
            y = sprintf("held-out %s", what), title = title) +
        ggplot2::theme_minimal()
}
