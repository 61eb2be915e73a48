#' @include posterior-fit.R
NULL

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
    if (!isTRUE(i$mean >= .worthTheName * scale + (fit@param@loss == "poisson") *
        length(fit@coefficients) / n)) "no"
        else if (nrow(g) > 2L && !isTRUE(i$mean - i$half > 0)) "unsure" else "yes"
}

.stackVerdict <- function(fit) {
    if (fit@param@loss == "masked") return(.maskedVerdict(fit))
    g <- fit@gains
    # gains as a share of what the gene mean's posterior leaves to gain, in percent: what is called
    # the gap in words
    share <- function(gain) 100 * mean(gain) / (mean(g$`gene mean posterior`) - fit@perfect)
    counts <- .stackBeats(fit, "counts")
    alone <- .stackBeats(fit, "gene mean alone")
    if (counts == "no") "leave the counts alone: no model makes held-out molecules more likely"
    else if (alone == "no")
        "the gene mean is enough: nothing predicts held-out molecules better than it does"
    else if (counts == "unsure")
        paste("the counts may do as they are: what is gained over them", .notBeyond(fit))
    else if (alone == "unsure")
        paste("the gene mean may be enough: what is gained over it", .notBeyond(fit))
    else if (length(fit@left.out) && .onlyGeneMean(fit)) .leftOutVerdict(fit, share)
    else if (!.onlyGeneMean(fit)) .stayedVerdict(fit, share)
}

.notBeyond <-
    function(fit) sprintf(paste("may be chance: it is no larger than its spread over %d repeats;",
        "more 'repeats' would tell"), nrow(fit@gains))

.maskedVerdict <- function(fit) {
    g <- fit@gains
    detected <- .detectedMean(fit)
    if (!is.null(detected)) switch(.stackBeats(fit, detected),
        no = paste(
            "the mean of the detected values is enough: nothing predicts hidden entries better",
            "than it does"),
        unsure = paste("the mean of the detected values may be enough: what is gained over it",
            .notBeyond(fit)),
        yes = sprintf(
            paste("filling in helps: the error at hidden entries is %.2g %% below that of the",
            "mean of the detected values"), 100 * (1 - mean(g$stack) / mean(g[[detected]]))))
}

.leftOutVerdict <- function(fit, share) {
    g <- fit@gains
    why <- if (!is.na(fit@nothing)) sprintf(
        "; where there is nothing to learn, on counts shuffled within each gene, it is %.2g %%",
        share(fit@nothing))
        else if (nrow(g) > 2L) ", too little, or no more than its spread over repeats"
        else ", too little"
    sprintf(paste(
        "the gene mean is enough as a prior: %s would close %.2g %% of %s%s"),
        .someOf(dQuote(fit@left.out, FALSE)),
        share(g$`gene mean posterior` - g$`all priors`), .theGap, why)
}

# Priors that stayed: they passed the test, or there was none (min.gain = 0, no gene mean among
# them).
.stayedVerdict <- function(fit, share) {
    gain <- share(fit@gains$`gene mean posterior` - fit@gains$stack)
    switch(.stackBeats(fit, "gene mean posterior"),
        no = sprintf(
            paste("the gene mean is enough as a prior: its posterior alone predicts held-out",
            "molecules %s"), if (gain < -100 * .worthTheName) "better" else "as well"),
        unsure = paste("the gene mean may be enough as a prior: what is gained over its posterior",
            .notBeyond(fit)),
        yes = sprintf(
            "filling in helps: what other genes and cells tell closes %.2g %% of %s", gain,
            .theGap))
}

# From the loss of the gene mean's posterior to that of a perfect prediction.
.theGap <- paste("the gap between the best guess from each gene by itself and a perfect prediction",
    "of held-out molecules")

# Name of the mean of the detected values among the priors.
.detectedMean <- function(fit) {
    is <- vapply(fit@fits, function(f) is(f@param, "GeneMeanParam") &&
        identical(f@param@over, "detected"), TRUE)
    if (any(is)) names(fit@fits)[is][1L]
}

setMethod(".note", "StackFit", function(fit) list(weights = fit@coefficients,
    left.out = fit@left.out,
    verdict = .stackVerdict(fit)))

# A model asked for by name, of which the values hold nothing.
setMethod(".tidings", "StackFit", function(fit) if (length(fit@left.out) && .onlyGeneMean(fit)) {
    verdict <- .stackVerdict(fit)
    sprintf("\"%s\" was left out. %s%s", fit@left.out[1L], toupper(substr(verdict, 1L, 1L)),
        substring(verdict, 2L))
})

#' @rdname StackFit-class
#' @export
setMethod("show", "StackFit", function(object) {
    .checkShown(object)
    p <- object@param
    b <- object@coefficients
    cat(sprintf("StackFit (%s), seed %.0f: %d genes x %d cells; %.1f s\n", if (p@loss == "poisson")
        "posterior" else "zeros as missing values",
        object@seed, length(object@recipe$status), object@cells, object@seconds))
    w <- b[setdiff(names(b), c("eta", "b0"))]
    cat(sprintf("  weights: %s\n", paste(sprintf("%s %.2f", names(w), w), collapse = ", ")))
    small <- names(w)[abs(w) < 0.05]
    if (length(small)) cat(sprintf("  (hardly any weight: %s)\n", paste(small, collapse = ", ")))
    if (length(object@left.out)) cat(strwrap(sprintf("left out, for too small a gain: %s",
        toString(object@left.out)), 100, prefix = "  "), sep = "\n")
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
            paste("  theta %.3g: the true rate is around the models' with a coefficient of",
                "variation of %.0f %%;\n"), theta, 100 / sqrt(theta)))
        cat(sprintf(
            paste("    a gene expected at 1 molecule keeps %.0f %% of what was seen of it, one",
                "at 10 %.0f %%\n"), 100 / (1 + theta), 1000 / (10 + theta)))
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
    cat(.onTheCounts)
})

#' @rdname StackFit-class
#' @export
plot.StackFit <- function(x, ...) {
    .strict("plot()", ...)
    .checkShown(x)
    .plotDeciles(cbind(x@deciles, panel = x@deciles$when),
        if (x@param@loss == "poisson") "molecules" else "logarithms",
        "Calibration: held out against predicted")
}
