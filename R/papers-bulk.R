#' @include infill.R
NULL

#' Recovery of bulk data after simulated dropout
#'
#' Takes exponential noise away from bulk expression until so many values are zero,
#' fills them in, and correlates each sample with what it was (GraphSCI paper).
#'
#' @param bulk Expression, genes x samples, non-negative, on the scale of counts: a
#'   matrix, a sparse or delayed Matrix, or an experiment.
#' @param fraction Shares of values that are zero after the noise, above the share
#'   before and below 1.
#' @param params [InfillParam-class] objects in a list, named or not, or one of
#'   them. Functions counts -> filled matrix are taken too.
#' @param scale Scale of the correlations: `"log1p"` or `"counts"`.
#' @param seed Number that fixes noise and fits; `NULL`: drawn from R's generator.
#' @param ... Passed on to [infill()], such as `keep = "none"`.
#' @param BPPARAM A \pkg{BiocParallel} back end: fits are dealt out to its workers. The same numbers
#'   as without.
#' @param assay.type Assay, when an experiment is given.
#' @return A data.frame with one row for each fraction and method (`"raw"`: nothing
#'   filled in; then those of `params`): `fraction`, `zeros` (the share reached),
#'   `method`, `pearson` (median over the samples), `lower`, `upper` (quartiles).
#' @details From gene g of sample s c m_g e_gs is subtracted, with m_g the mean of the
#'   gene, e_gs exponential of mean 1, the same for all fractions, and c such that
#'   the wanted share is 0 or below; those become 0. Where `bulk` is whole, so is the
#'   result: what is left is rounded up.
#' @references Rao et al. (2021), iScience 24:102393 (GraphSCI, Fig. 6).
#' @examples
#' bulk <- matrix(rpois(60 * 30, rexp(60) * 200), 60)
#' bulkDropout(bulk, 0.5, list(mean = GeneMeanParam(), DeepMcParam()), seed = 1)
#' @export
bulkDropout <- function(bulk, fraction = c(0.5, 0.6, 0.7), params, scale = c("log1p", "counts"),
    seed = NULL, ..., BPPARAM = NULL, assay.type = "counts")
{
    scale <- .checkChoice(scale, "scale", c("log1p", "counts"))
    counts <- .countsOf(bulk, assay.type, FALSE, "bulk", look = FALSE)
    if (!is.numeric(fraction) || !length(fraction) || anyNA(fraction) ||
        any(fraction <= 0 | fraction >= 1)) .stop(
        "'fraction' must be numbers above 0 and below 1, not %s", .describe(fraction))
    if (missing(params)) .stop(
        "'params' must be given: parameters of models, such as DeepMcParam(), in a list")
    methods <- c(list(raw = NULL), .namedMethods(params))
    seed <- .seed(seed)
    dropout <- .bulkNoise(as.matrix(counts), seed, whole = !length(.firstBroken(counts)))
    zeros <- 1 - sum(counts@x != 0) / prod(dim(counts))
    low <- fraction < zeros
    if (any(low)) .stop("'fraction' must be above the share of zeros of 'bulk', %.3g, not %g",
        zeros,
        fraction[low][1L])
    jobs <- expand.grid(method = names(methods), fraction = fraction, stringsAsFactors = FALSE)
    truth <- as.matrix(counts)
    out <- do.call(rbind, .overWorkers(split(jobs, seq_len(nrow(jobs))), .bulkMethod,
        .checkWorkers(BPPARAM),
        methods = methods, dropout = dropout, truth = truth, scale = scale, seed = seed, ...))
    rownames(out) <- NULL
    out
}

# Parameters or functions, named.
.namedMethods <- function(params) {
    if (is(params, "InfillParam") || is.function(params)) params <- list(params)
    good <- is.list(params) && length(params) &&
        all(vapply(params, function(p) is(p, "InfillParam") || is.function(p), NA))
    if (!good)
        .stop("'params' must be a list of parameters of models, such as DeepMcParam(), not %s",
        .describe(params))
    names <- if (is.null(names(params))) rep("", length(params)) else names(params)
    none <- !nzchar(names)
    names[none] <- vapply(params[none], function(p) if (is.function(p)) "function" else
        sub("Param$", "", class(p)[1L]), "")
    stats::setNames(params, make.unique(c("raw", names), " ")[-1L])
}

# The bulk data with a share of zeros, by exponential noise that is taken away: a function of the
# share.
.bulkNoise <- function(m, seed, whole) {
    noise <- -log(.Call(C_uniforms, length(m), seed, 0L)) * rowMeans(m)
    # how much of the noise takes a value away
    ratio <- m / ifelse(noise > 0, noise, 1)
    at <- c(0, sort(ratio))
    function(share) {
        cut <- at[1 + round(share * length(m))]
        left <- ifelse(ratio <= cut, 0, pmax(m - noise * cut, 0))
        if (whole) ceiling(left) else left
    }
}

# One method at one share: correlations of its samples with the truth.
.bulkMethod <- function(job, methods, dropout, truth, scale, seed, ...) {
    left <- dropout(job$fraction)
    method <- methods[[job$method]]
    filled <- if (is.null(method)) left else if (is.function(method)) method(left) else
        infill(.asSparse(left), method, seed = seed, ..., check.scale = FALSE, as = "matrix")
    values <- as.matrix(.filledOf(filled, NULL, "params", dim(truth)))
    if (scale == "log1p") {
        values <- log1p(pmax(values, 0))
        truth <- log1p(truth)
    }
    r <- vapply(seq_len(ncol(truth)), function(s)
        if (isTRUE(stats::sd(values[, s]) > 0 && stats::sd(truth[, s]) > 0))
        stats::cor(values[, s], truth[, s]) else
            NA_real_, 0)
    q <- quantile(r, c(0.5, 0.25, 0.75), na.rm = TRUE, names = FALSE)
    data.frame(fraction = job$fraction, zeros = mean(left == 0), method = job$method,
        pearson = q[1L],
        lower = q[2L], upper = q[3L])
}
