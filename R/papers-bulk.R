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
#' @param seed Number that fixes noise and fits; `NA`: drawn from R's generator.
#' @param ... Passed on to [infill()], such as `keep = "none"`.
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
    seed = NA, ...,
    assay.type = "counts")
{
    scale <- .checkChoice(scale, "scale", c("log1p", "counts"))
    counts <- tryCatch(.checkCounts(.countsOf(bulk, assay.type, "bulk"), FALSE),
        infill_error = function(e) {
        e$message <- sub("'x'", "'bulk'", e$message, fixed = TRUE)
        stop(e)
    })
    if (!is.numeric(fraction) || !length(fraction) || anyNA(fraction) ||
        any(fraction <= 0 | fraction >= 1)) .stop(
        "'fraction' must be numbers above 0 and below 1, not %s", .describe(fraction))
    if (missing(params))
        .stop("'params' must be given: parameters of models, such as DeepMcParam(), in a list")
    if (is(params, "InfillParam") || is.function(params)) params <- list(params)
    good <- is.list(params) &&
        all(vapply(params, function(p) is(p, "InfillParam") || is.function(p), NA))
    if (!good)
        .stop("'params' must be a list of parameters of models, such as DeepMcParam(), not %s",
            .describe(params))
    seed <- .seed(seed)
    names <- vapply(params, function(p) if (is.function(p)) "function" else
        sub("Param$", "", class(p)[1L]), "")
    given <- if (is.null(names(params))) rep("", length(params)) else names(params)
    methods <- c("raw", ifelse(nzchar(given), given, names))

    m <- as.matrix(counts)
    noise <- -log(.Call(C_uniforms, length(m), seed, 0L)) * rowMeans(m)
    ratio <- m / ifelse(noise > 0, noise, 1)                     # c at which a value is gone
    at <- c(0, sort(ratio))
    whole <- .Call(C_scan, counts)[4L] != 0
    truth <- if (scale == "log1p") log1p(m) else m
    out <- lapply(fraction, function(f) {
        if (mean(m == 0) > f)
            .stop("'fraction' must be above the share of zeros of 'bulk', %.3g, not %g",
                mean(m == 0), f)
        c <- at[1 + round(f * length(m))]
        left <- ifelse(ratio <= c, 0, pmax(m - noise * c, 0))
        if (whole) left <- ceiling(left)
        dropped <- .asSparse(left)
        filled <- c(list(left), lapply(params, function(p) if (is.function(p)) p(left) else
            infill(dropped, p, seed = seed, ..., check.scale = FALSE, as = "matrix")))
        do.call(rbind, Map(function(v, method) {
            v <- as.matrix(.filledOf(v, NULL, "params", dim(m)))
            v <- if (scale == "log1p") log1p(pmax(v, 0)) else v
            r <- vapply(seq_len(ncol(m)),
                function(s) if (stats::sd(v[, s]) > 0 && stats::sd(truth[, s]) > 0)
                stats::cor(v[, s], truth[, s]) else NA_real_, 0)
            q <- quantile(r, c(0.5, 0.25, 0.75), na.rm = TRUE, names = FALSE)
            data.frame(fraction = f, zeros = mean(left == 0), method = method, pearson = q[1L],
                lower = q[2L], upper = q[3L])
        }, filled, methods))
    })
    out <- do.call(rbind, out)
    rownames(out) <- NULL
    out
}
