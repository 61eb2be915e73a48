#' @include infill.R
NULL

#' deepMc
#'
#' Deep matrix completion: the log matrix is approximated by a product of several
#' factors, X = D1 D2 ... DN Z, fitted to its non-zeros; zeros are treated as
#' missing (Mongia, Sengupta, Majumdar 2020).
#'
#' @param ranks Inner sizes, none larger than the one before: `length(ranks)`
#'   layers. The paper uses one to three and gives no sizes. They are cut to the
#'   smaller side of the matrix, with a warning.
#' @param paper The paper's choices, as far as it gives any: `method = "budget"` with plain steps,
#'   no ridge, no weight for zeros, no tolerance. The defaults are the same; `TRUE` refuses what
#'   departs from them.
#' @param method `"budget"`: plain majorisation steps, a budget of sweeps, which is
#'   the regulariser. `"converged"`: ridge and acceleration, until
#'   `tol`; the result does not depend on the budget (a warning says when that was too small), and
#'   recovers hidden entries better. It sets those of the other arguments that are not given, see
#'   Details.
#' @param sweeps Sweeps over all factors, at most; `NA`: ceiling(10/(p K)), p the
#'   share of non-zeros and K the number of factors, at least 5 and at most 100.
#' @param step Length of the step of each factor: `"mm"`, that of the
#'   majorisation; `"exact"`, the best one, for each gene in the first factor, for
#'   each cell in the last; `"exact.block"`, the best one for a whole factor.
#' @param zero.weight Weight of all zeros together, over that of all non-zeros.
#'   0 (the paper): zeros say nothing, and genes that are off are filled in too.
#' @param lambda Ridge on all factors; `NA`: from the noise, see Details.
#' @param lambda.scale Multiplies the noise level when `lambda = NA`.
#' @param accelerate Anderson's acceleration?
#' @param tol Stop when a sweep changes X by less than this share of its norm;
#'   0: never.
#' @param init Start: `"svd"`, leading singular vectors of the matrix with its
#'   zeros; `"mean"`, of the matrix with zeros replaced by the gene's mean;
#'   `"random"`, normal factors (for tests).
#' @param nonneg Factors without negative entries? They start at random.
#' @param min.cells,n.genes,gene.selection,log Preparation, see [prepareCounts()]:
#'   genes with at least 3 counts in `min.cells` cells; the `n.genes` best,
#'   `Inf`: all kept.
#' @param ... `seed`, `num.threads`.
#'
#' @details Minimised is, with Omega the non-zeros and w0 = min(1, `zero.weight` p/(1 - p)),
#'
#'   sum over Omega of (Y - X)^2 + w0 sum over the rest of X^2 + `lambda` sum of the
#'   factors' squared norms,
#'
#'   factor by factor in the order D1, ..., DN, Z. The paper has the first term
#'   only (equations 3 and 7).
#'
#'   *Depth.* Without a ridge every X of rank min(`ranks`) can be written with any
#'   number of layers: depth only changes the path of the iteration, and one, two
#'   and three layers give nearly the same result. With a ridge, deeper is a
#'   stronger push to low rank (a Schatten norm of exponent 2/K, K factors).
#'
#'   *The number of sweeps regularises.* The minimum of the paper's objective fills
#'   in far worse than no imputation does for clustering; stopping early leaves
#'   weak directions near zero, where the start put them. `lambda = NA` is
#'   tau^(2 - 2/K), tau = `lambda.scale` sigma sqrt(p) (sqrt(genes) + sqrt(cells)),
#'   sigma the standard deviation left by an additive gene and cell model.
#'
#'   `method = "converged"` sets `ranks = c(40, 20)`, `sweeps = 200`, `lambda = NA`,
#'   `lambda.scale = 0.5`, `accelerate = TRUE`, `tol = 1e-4`. (Exact steps end in other
#'   minima, which recover no better, in more time.) With `zero.weight = 0.2` genes that are off
#'   stay nearer to 0, and hidden non-zeros are recovered less well.
#'
#'   Deviations from the paper, which leaves nearly everything but the objective to
#'   a supplement that could not be had:
#'
#'   * *Gene selection*: "dispersion (coefficient of variance)" in the paper; the
#'     binned normalised dispersion of the authors' other code (the plain
#'     coefficient selects almost empty genes).
#'   * *Ranks, start, order, number of sweeps*: not given; see above.
#'   * *Columns are not normalised* between sweeps, as the authors' code for another
#'     problem does: the objective would rise. All factors get the same norm
#'     instead, which leaves X as it is.
#'   * *Sweeps*: on 10x data 10/(p K) recovered hidden entries better than 6/(p K), the
#'     number taken at first, with the same clusters.
#'   * *Observed zeros*: there is no argument for them. A zero that is stored in a
#'     [PreparedCounts-class] counts as observed in the fit, but [infill()] does not know of it.
#'   * *Result*: [infill()] keeps what was observed unless `keep = "none"`, and sets
#'     negative values to 0 unless `nonneg = FALSE` is said there.
#' @section New cells: The fit holds the factors. Cells of the fit are known again by
#'   their prepared counts (in single precision) and get their column of Z; for others it is the
#'   (weighted, ridged, where asked for non-negative) least-squares solution with D1, ...,
#'   DN fixed. With the paper's settings nothing regularises that: a new cell with hardly more
#'   non-zeros than the last rank gets wild values; `lambda`, as in `"converged"`, helps.
#' @return An object of class `DeepMcParam`. `fitParts(fit, "history")` has the
#'   start as iteration 0, `train` (the objective without the ridge), `penalty` (the ridge) and
#'   the mean step of each factor; `fitParts(fit, "weights")` has the factors. The slot `extras`
#'   of the fit has `summary`: objective and ridge at the start, lambda, w0, p, passes over the
#'   matrix for the start (0: by a whole Gram matrix), sigma (0 unless `lambda = NA`); `steps`
#'   (factors x sweeps) and `cells` (fingerprints).
#' @references Mongia, Sengupta, Majumdar (2020). deepMc: deep matrix completion for
#'   imputation of single-cell RNA-seq data. Journal of Computational Biology 27;
#'   bioRxiv 387621.
#' @examples
#' counts <- matrix(rpois(3000, rep(rexp(60), 50) * 4), 60, 50)
#' fit <- fitInfill(counts, DeepMcParam(ranks = c(8, 4)), seed = 1)
#' fitParts(fit, "history")
#' infill(counts, fit)[1:3, 1:5]
#' @aliases DeepMcParam-class
#' @export
DeepMcParam <- function(ranks = c(30, 10), method = c("budget", "converged"), sweeps = NA,
    step = c("mm", "exact", "exact.block"), zero.weight = 0, lambda = 0,
    lambda.scale = 0.25, accelerate = FALSE, tol = 0, init = c("svd", "mean", "random"),
    nonneg = FALSE, min.cells = 3, n.genes = 1000, gene.selection = "dispersion",
    log = c("log2", "log1p"), paper = FALSE, ...)
{
    method <- .checkChoice(method, "method", c("budget", "converged"))
    if (method == "converged") {
        if (missing(ranks)) ranks <- c(40, 20)
        if (missing(sweeps)) sweeps <- 200
        if (missing(lambda)) lambda <- NA
        if (missing(lambda.scale)) lambda.scale <- 0.5
        if (missing(accelerate)) accelerate <- TRUE
        if (missing(tol)) tol <- 1e-4
    }
    .checkPaper(paper, list(method = method, step = .first(step), zero.weight = zero.weight,
        lambda = lambda,
        accelerate = accelerate, tol = tol, nonneg = nonneg),
        list(method = "budget", step = "mm", zero.weight = 0,
        lambda = 0, accelerate = FALSE, tol = 0, nonneg = FALSE))
    .newParam("DeepMcParam", paper = paper, ranks = ranks, method = method, sweeps = sweeps,
        step = if (missing(step)) "mm" else step,
        zero.weight = zero.weight, lambda = lambda, lambda.scale = lambda.scale,
        accelerate = accelerate, tol = tol, init = if (missing(init)) "svd" else init,
        nonneg = nonneg, min.cells = min.cells, n.genes = n.genes,
        gene.selection = gene.selection, log = if (missing(log)) "log2" else log, ...)
}

#' @export
setClass("DeepMcParam", contains = "InfillParam",
    slots = c(paper = "logical", ranks = "numeric", method = "character", sweeps = "numeric",
        step = "character",
        zero.weight = "numeric", lambda = "numeric", lambda.scale = "numeric",
        accelerate = "logical", tol = "numeric", init = "character", nonneg = "logical",
        min.cells = "numeric", n.genes = "numeric", gene.selection = "character",
        log = "character"),
    prototype = list(model = "deepmc"))

setMethod(".ownProblems", "DeepMcParam", function(object) c(
    .mustBeWhole(object, "sweeps", 1, 1e4, or = NA),
    .mustBeWhole(object, "min.cells", 0),
    .mustBeWhole(object, "n.genes", 1, or = Inf),
    .mustBeOneOf(object, "gene.selection", .selections),
    .mustBeOneOf(object, "log", c("log2", "log1p"))))

setMethod(".preparation", "DeepMcParam",
    function(param) list(min.count = if (param@min.cells) 3 else 0,
    min.cells = param@min.cells, gene.selection = param@gene.selection,
    n.genes = param@n.genes, log = param@log))

# Without any count there is nothing to prepare: one gene stands for all, and everything stays as it
# came.
setMethod(".prepared", "DeepMcParam", function(param, counts, seed, threads, say, before) {
    if (length(counts@x)) return(callNextMethod())
    n <- nrow(counts)
    new("PreparedCounts", x = counts[1L, , drop = FALSE], total = numeric(ncol(counts)),
        recipe = list(
        genes = rownames(counts), kept = rep(TRUE, n), target = 1, usual = 1, log = param@log,
        normalize = "median",
        gene.selection = "none", selected = 1L,
        status = rep(c("modelled", "not selected"), c(1L, n - 1L))))
})

# The core cuts the ranks by the same rule.
setMethod(".planned", "DeepMcParam", function(param, x) {
    size <- x@x@Dim
    ranks <- pmin(param@ranks, min(size))
    if (any(ranks < param@ranks))
        warning(sprintf("'ranks' (%s) are cut to %s: %d genes x %d cells are modelled",
        .someOf(param@ranks), .someOf(ranks), size[1L], size[2L]), call. = FALSE)
    share <- length(x@x@x) / prod(size)
    sweeps <- param@sweeps
    if (is.na(sweeps)) sweeps <- if (share > 0)
        max(5, min(100, ceiling(10 / (share * (length(ranks) + 1))))) else 5
    x@recipe$plan <- list(cells = size[2L], iterations = as.integer(sweeps))
    empty <- sum(tabulate(x@x@i + 1L, size[1L]) == 0)
    if (empty)
        warning(sprintf("%d of the %d modelled genes have no counts; they stay as they are", empty,
            size[1L]),
        call. = FALSE)
    x
})

# Factors, passes, the start (a Gram matrix or Lanczos vectors, a transposed copy) and Anderson's 17
# copies of the factors.
setMethod(".fitBytes", "DeepMcParam", function(param, x, n, keep.state) {
    size <- as.double(x@x@Dim)
    g <- min(size)
    factors <- sum(size) * max(param@ranks)
    8 * (2 * n + factors * (if (param@accelerate) 18 else 2) + if (g <= 1500) 2 * g^2 else
        250 * g) +
        (if (size[2L] < size[1L]) 12 * length(x@x@x) else 0) + 2^22
})

# The start and the steps into the history.
setMethod(".finished", "DeepMcParam", function(param, fit) {
    n <- length(fit@history$train)
    summary <- fit@extras$summary[, 1L]
    steps <- t(fit@extras$steps)[seq_len(n), , drop = FALSE]
    colnames(steps) <- c(paste0("step.D", seq_len(ncol(steps) - 1L)), "step.Z")
    if (param@tol > 0 && identical(fit@stopped, .stopReasons[1L])) warning(warningCondition(sprintf(
        "'tol' (%g) was not reached in %d sweeps", param@tol, n), class = "infill_tol"))
    fit@history <- data.frame(iteration = 0:n, train = c(summary[1L], fit@history$train),
        penalty = c(summary[2L], fit@history$penalty), rbind(NA_real_, steps))
    fit
})

setMethod(".shownLoss", "DeepMcParam", function(param, train, valid, entries)
    list(train = sqrt(train / max(1, entries * (1 + param@zero.weight))), valid = NULL,
        label = if (param@zero.weight > 0) "weighted RMSE" else "RMSE"))

setMethod(".sizeAdvice", "DeepMcParam", function(param, x)
    sprintf("'ranks', now %s", .someOf(param@ranks)))

setMethod(".unsetWords", "DeepMcParam", function(param) list(
    sweeps = "by the share of non-zeros, 5 to 100", lambda = "from the noise of the data"))

setMethod(".cost", "DeepMcParam", function(param, size, counts, threads) {
    sweeps <- if (is.na(param@sweeps)) max(5, min(100, 10 / (size$entries /
        (size$genes * size$cells) * (length(param@ranks) + 1)))) else param@sweeps
    if (param@method == "converged") sweeps <- min(sweeps, 40)
    kept <- min(1, param@n.genes / size$genes)^0.5
    list(fit = .spent(1e-8 * size$entries * kept * (sweeps + 20) * (max(param@ranks) + 20) / 8,
        threads), fill = .filling(size, 5e-8, threads), memory = 40 * size$entries + 2^26)
})
