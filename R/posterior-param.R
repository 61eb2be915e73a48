#' @include model-baseline.R model-deepmc.R model-neighbors.R
NULL

setClassUnion("ListOrNULL", c("list", "NULL"))
.slotWords$ListOrNULL <- "a list or NULL"

#' The posterior: what models expect and what was seen, with error bars
#'
#' Any models as prior, the molecules as evidence: their predictions are weighed against each other
#' and against the counts, with weights learnt from held-out molecules, without labels. Every value
#' gets a standard deviation. The recommended way to fill in counts: values are right on average at
#' all levels of expression ([calibrationTable()]).
#'
#' @param priors A list of [InfillParam-class] objects, or one. `NULL`: `defaultPriors(loss)`, the
#'   gene mean, truncated singular value decompositions of ranks 5 to 80 ([SvdParam()]), and the
#'   means of the 10, 30 and 100 nearest cells ([NeighborMeanParam()]): parts of one decomposition
#'   and of one search, and quick. Where cells are few, ranks above 20 are below three tenths of
#'   them (and of the genes), neighbours below a third.
#'   With `loss = "masked"` the gene mean, the decomposition of rank 10, and [DeepMcParam()]
#'   `"converged"` at three values of `lambda.scale`.
#' @param loss `"poisson"`: for counts, zeros are evidence. `"masked"`: for those who take zeros as
#'   missing values; non-zeros are hidden, and the logarithms of the priors' predictions are
#'   combined by least squares at the hidden entries.
#' @param fraction Share of the molecules (of the non-zeros, `"masked"`) held out to learn the
#'   weights, above 0 and at most 0.5.
#' @param repeats How many times molecules are held out: the weights are learnt from all of them
#'   together, and the gains have intervals when there are at least 2 (and the verdict heeds them
#'   when there are at least 3). Each repeat fits all priors.
#' @param n.entries At most so many entries (zeros included) are looked at to learn the weights, a
#'   random sample of all, of some 1,000 cells in each repeat.
#' @param refit Fit the priors again, on all molecules? `FALSE`: those of the first repeat predict
#'   (not [GraphSciParam()], which knows the counts of its fit only).
#' @param min.gain Where the gene mean is one of several priors and the others gain less than this
#'   share of what is left to gain (from the loss of the gene mean's own posterior to that of a
#'   perfect prediction), they are put to the test below, and left out if they fail: each family
#'   (all decompositions, all means of nearest cells, any other model) by itself beside the gene
#'   mean. 0: never. With `loss = "poisson"` only.
#' @param max.cells Of more cells than that a random sample is learnt from: priors and weights; gene
#'   means are those of all cells, and every cell is filled in. Not with priors that know the cells
#'   of their fit only ([GraphSciParam()], own coordinates).
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
#'   of m - y log(m + 1e-6), m the posterior mean times f/(1 - f) (Fisher's scoring with Levenberg's
#'   damping). The priors are then fitted to all molecules; their predictions are brought to the
#'   depth of the fit and back.
#'
#'   *When the gene mean is enough.* A model can fit the noise of an entry, gain by it where the
#'   noise is not the one of the model above, and carry it to other genes on the way: correlations
#'   and markers that are not in the data ([permutationCheck()]). A small gain has to be at least
#'   0.1 % of what is left to gain, beyond the interval over the repeats (of three or more), and
#'   more than twice what the same priors gain on the counts shuffled within each gene, where there
#'   is nothing to learn (one more fit of all priors); else they are left out, and printing the fit
#'   says so. The gain was 2 to 7 % on 13 sets of counts of molecules (0.01 to 0.24
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
    n.entries = 3e5, refit = TRUE, min.gain = 0.01, max.cells = 20000, ...)
{
    if (is(priors, "InfillParam")) priors <- list(priors)
    if (is.function(priors))
        .stop("'priors' must be parameters of models, not a function; call it: DeepMcParam()")
    if (is(loss, "InfillParam"))
        .stop(paste("'loss' must be a string, not %s; several priors go into one list:",
            "StackParam(list(...))"), .describe(loss))
    .newParam("StackParam", priors = priors, loss = .first(loss), fraction = fraction,
        repeats = repeats, n.entries = n.entries,
        refit = refit, min.gain = min.gain, max.cells = max.cells, ...)
}

#' @export
setClass("StackParam", contains = "InfillParam",
    slots = c(priors = "ListOrNULL", loss = "character", fraction = "numeric",
    repeats = "numeric", n.entries = "numeric", refit = "logical", min.gain = "numeric",
    max.cells = "numeric"),
    prototype = list(model = ""))

setMethod(".ownProblems", "StackParam", function(object) c(
    .priorsProblem(object),
    .mustBeOneOf(object, "loss", c("poisson", "masked")),
    .must(object, "fraction", .isNumber(object@fraction) && object@fraction > 0 &&
        object@fraction <= 0.5,
        "one number above 0 and at most 0.5"),
    .mustBeWhole(object, "repeats", 1, 100),
    .mustBeWhole(object, "n.entries", 100, 1e9),
    .mustBeWhole(object, "max.cells", 100, or = Inf),
    .must(object, "min.gain", .isNumber(object@min.gain) && object@min.gain >= 0 &&
        object@min.gain <= 1,
        "one number from 0 to 1"),
    .must(object, "refit", .isFlag(object@refit), "TRUE or FALSE")))

.priorsProblem <- function(object) {
    p <- object@priors
    bad <- if (!is.null(p)) p[!vapply(p, is, TRUE, "InfillParam")]
    if (length(bad) || !is.null(p) && !length(p)) return(.must(object, "priors", FALSE,
        "NULL or a list of parameters of models", if (!length(bad)) "an empty list" else
            paste0(.describe(bad[[1L]]), if (is(bad[[1L]], "InfillFit"))
                "; priors are fitted anew, give its parameters: fit@param")))
    if (any(vapply(p, is, TRUE, "StackParam")))
        c(priors = paste("'priors' must not hold a StackParam: a stack",
        "of stacks would weigh the same molecules twice; put its priors here instead"))
}

#' @rdname StackParam
#' @export
defaultPriors <- function(loss = c("poisson", "masked")) {
    loss <- .checkChoice(loss, "loss", c("poisson", "masked"))
    completed <- function(scale) DeepMcParam(method = "converged", lambda.scale = scale,
        n.genes = Inf, min.cells = 0, gene.selection = "none")
    if (loss == "masked") list(`gene mean` = GeneMeanParam(), `SVD 10` = SvdParam(10),
        `deepMc 0.25` = completed(0.25), `deepMc 0.5` = completed(0.5),
        `deepMc 1` = completed(1))
    else list(`gene mean` = GeneMeanParam(), `SVD 5` = SvdParam(5), `SVD 10` = SvdParam(10),
        `SVD 20` = SvdParam(20), `SVD 40` = SvdParam(40), `SVD 80` = SvdParam(80),
        `kNN 10` = NeighborMeanParam(10),
        `kNN 30` = NeighborMeanParam(30), `kNN 100` = NeighborMeanParam(100))
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

# Losses that `gains` always has, before those of the priors: of what is returned, of the stack of
# all priors, of the counts, of the gene mean, of the gene mean's posterior.
.fixedGains <- c("stack", "all priors", "counts", "gene mean alone", "gene mean posterior")

# What a prior belongs to: one family is put to the test as a whole.
.familyOf <- function(param) switch(class(param)[1L], GeneMeanParam = "gene mean",
    SvdParam = "SVD", NeighborMeanParam = "kNN", sub("Param$", "", class(param)[1L]))

# Default priors that go with so many cells: of few cells neighbours are everybody.
.forCells <- function(priors, genes, cells) Filter(function(p)
    !(is(p, "NeighborMeanParam") && p@k >= cells / 3 ||
        is(p, "SvdParam") && p@rank > 20 && p@rank >= 0.3 * min(genes, cells)), priors)

.isGeneMean <- function(param) is(param, "GeneMeanParam") && identical(param@over, "all")

setMethod(".withPosterior", "InfillParam", function(param) StackParam(c(list(GeneMeanParam()),
    if (!.isGeneMean(param)) list(param)), repeats = 1, seed = param@seed,
    num.threads = param@num.threads))

setMethod(".withPosterior", "StackParam", function(param) {
    if (!is.null(.lacksPosterior(param))) .stop(
        "'keep' must not be \"posterior\" with loss = \"masked\", which has no posterior")
    param
})

setMethod(".lacksPosterior", "StackParam", function(param)
    if (param@loss != "poisson") ", and loss = \"masked\" has none")

setMethod(".defaultKeep", "StackParam", function(param)
    if (param@loss == "poisson") "posterior" else "observed")

setMethod(".resumes", "StackParam", function(param) "; fit its priors one by one with them")

setMethod(".judgedKeep", "StackParam", function(param) "posterior")

setMethod(".forEntries", "StackParam", function(param) {
    param@loss <- "masked"
    param
})

setMethod(".checkInput", "StackParam", function(param, counts, what = "'x'", to.fit = TRUE) {
    if (to.fit && !length(counts@x)) .stop("'x' must have counts: all are 0")
    if (param@loss == "poisson") .checkWhole(counts, what)
})
setMethod(".unsetWords", "StackParam", function(param) list(
    priors = paste0(paste(names(.priorsOf(param)), collapse = ", "), " (the default)")))

setMethod(".cost", "StackParam", function(param, size, counts, threads) {
    priors <- .priorsOf(param)
    if (is.null(param@priors)) priors <- .forCells(priors, size$genes, size$cells)
    few <- size
    if (size$cells > param@max.cells) {
        few$cells <- param@max.cells
        few$entries <- size$entries * few$cells / size$cells
    }
    draws <- param@repeats + if (param@refit) 1 else 0
    quick <- vapply(priors, function(p) is(p, "SvdParam") || is(p, "NeighborMeanParam") ||
        is(p, "GeneMeanParam"), NA)
    slow <- lapply(priors[!quick], .cost, size = few, counts = counts, threads = threads)
    ranks <- vapply(priors, function(p) if (is(p, "SvdParam")) p@rank else 0, 0)
    near <- vapply(priors, function(p) if (is(p, "NeighborMeanParam")) p@k else 0, 0)
    svd <- if (any(ranks > 0)) .cost(SvdParam(max(ranks)), few, counts, threads)$fit else 0
    n <- min(param@n.entries, param@repeats * few$genes * few$cells)
    weights <- .spent(n * length(priors) * 2.2e-7, threads)
    search <- size$cells * min(few$cells, size$cells) * 1.2e-9 * any(near > 0)
    pools <- max(near) * size$entries * 3e-9 * (size$height / size$genes)
    list(fit = draws * (svd + .spent(1.5e-7 * few$entries, threads) +
        sum(vapply(slow, function(s) s$fit, 0))) + weights + 0.5,
        fill = .filling(size, 1e-8 * (1 + length(priors)), threads) +
            .spent(search + pools + size$entries * max(ranks) * 1.2e-9, threads) +
            sum(vapply(slow, function(s) s$fill, 0)),
        memory = 60 * few$entries + 16 * n * (length(priors) + 1) + size$cells *
            (8 * max(ranks, 20) + 4 * max(near)) + 2^27 +
            max(0, vapply(slow, function(s) s$memory, 0)))
})
