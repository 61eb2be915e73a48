#' @include containers.R
NULL

#' Counts with hidden entries
#'
#' What [maskCounts()] returns.
#' @slot x The data with the entries set to zero (scheme `"molecules"`: with the molecules taken
#'   away), in the container they came in.
#' @slot row,col,value Position and value of the hidden entries; of `"molecules"` the number of
#'   molecules taken.
#' @slot scheme,fraction,seed How they were chosen; `fraction` is `NA` with the logistic schemes.
#' @slot n.entries Entries per gene or cell with the logistic schemes, `NA` with the others.
#' @slot curve The fitted logistic curve: `slope` and `middle` (`"logistic.gene"`) or `location` and
#'   `scale` (`"logistic.cell"`), of natural logarithms; empty with the others.
#' @slot assay.type Assay that was masked.
#' @param object A `MaskedCounts`.
#' @return A class: see [maskCounts()] for its objects.
#' @examples
#' maskCounts(matrix(rpois(200, 5), 20, 10), seed = 1)
#' @export
setClass("MaskedCounts", slots = c(x = "ANY", row = "integer", col = "integer",
    value = "numeric", scheme = "character", fraction = "numeric",
    seed = "numeric", assay.type = "character", n.entries = "numeric", curve = "numeric"),
    prototype = list(n.entries = NA_real_))

#' @rdname MaskedCounts-class
#' @export
setMethod("show", "MaskedCounts", function(object) {
    .checkMasked(object, "object")
    n <- length(object@value)
    kept <- .keptOf(object)
    share <- sprintf("%g %%", 100 * object@fraction)
    cat(sprintf("MaskedCounts: %s in a %s of %d x %d\n", switch(object@scheme,
        uniform = sprintf("%d non-zeros hidden (%s, uniform)", n, share),
        molecules = sprintf("%.0f molecules of %d entries held out (%s of all)", sum(object@value),
            n, share),
        exponential.cell = sprintf("%d non-zeros hidden (1 %% of each cell's, low ones first)", n),
        sprintf("%d non-zeros hidden (%g per %s, logistic)", n, object@n.entries,
            sub("logistic.", "", object@scheme,
            fixed = TRUE))), class(object@x)[1L], nrow(kept), ncol(kept)))
})

#' Hide entries, and keep the answers
#'
#' Sets a random part of the non-zeros to zero, so that a model can be judged by
#' how well it recovers them (see [recoveryError()]), or takes a random part of
#' all molecules away (see [calibrationTable()]). Zeros are never masked.
#'
#' @param x Counts, genes x cells, in any container that [infill()] takes.
#' @param scheme How to choose; see Schemes.
#' @param fraction Part of the non-zeros (`"uniform"`) or of the molecules
#'   (`"molecules"`) to hide, above 0 and below 1; not used by the others.
#' @param seed Number that fixes the choice; `NULL`: drawn from R's generator.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type Assay to mask; of a Seurat object a layer, or an assay and a layer, as
#'   `c("ADT", "counts")`.
#' @param n.entries Entries to hide of each gene (`"logistic.gene"`) or cell
#'   (`"logistic.cell"`), a whole number from 1; not used by the others.
#' @param check.scale Refuse values that look like logarithms?
#' @section Schemes:
#'   * `"uniform"`: floor(`fraction` x non-zeros) of all non-zeros, without
#'     replacement, all equally likely (the protocol of the AutoImpute paper).
#'   * `"logistic.gene"`: `n.entries` non-zeros of each gene, without
#'     replacement, each draw with chances proportional to p(log(value)): low
#'     values are hidden more often, as dropouts are (the protocol of the
#'     DeepImpute paper). p(t) = 1 / (1 + exp(-slope (t - middle))) is fitted by
#'     least squares to the genes' points (log of the mean of the non-zeros,
#'     share of zeros). Genes with no more than `n.entries` non-zeros are left
#'     alone.
#'   * `"logistic.cell"`: `n.entries` non-zeros of each cell that has at least 5
#'     x `n.entries` of them (50 by default), with chances proportional to the
#'     density of a logistic distribution at log(value), which is fitted by
#'     maximum likelihood to the genes' means of the logarithms of their
#'     non-zeros and their shares of zeros, pooled (as DeepImpute's scripts do).
#'   * `"exponential.cell"`: of each cell with n > 5 non-zeros 1 + floor(n/100), with chances
#'     proportional to exp(-value/20) (the `MaskedArray` of DeepImpute's repository).
#'   * `"molecules"`: binomial thinning. Each molecule is taken away with
#'     probability `fraction`, whatever the gene and cell; the molecules that
#'     stay and those taken are, for Poisson counts, independent, so that the
#'     taken ones test a model everywhere, zeros included. `x` must hold whole
#'     counts.
#'
#'   Logarithms are natural. Whether a cell is left without counts is not looked
#'   at; a message says how many are. What is drawn for an entry depends on the
#'   seed, its gene and its cell only (`"uniform"`: its place among the non-zeros).
#' @return A [MaskedCounts-class]. `maskedData()`: the data with the entries
#'   hidden, in the container they came in. `hiddenEntries()`: a data.frame of
#'   `row`, `col` and `value`: what was hidden there; with `"molecules"` the
#'   number of molecules taken (an entry that keeps some is not zero in
#'   `maskedData()`).
#' @references Talwar et al. (2018), Scientific Reports 8:16329 (Fig. 3,
#'   `"uniform"`). Arisdakessian et al. (2019), Genome Biology 20:211 (Fig. 2,
#'   logistic).
#' @examples
#' counts <- matrix(rpois(2000, 5), 50, 40)
#' m <- maskCounts(counts, seed = 1)
#' head(hiddenEntries(m), 3)
#' sum(maskedData(m) == 0)
#' maskCounts(counts, "logistic.gene", n.entries = 2, seed = 1)
#' maskCounts(counts, "molecules", seed = 1)
#' @export
maskCounts <- function(x, scheme = c("uniform", "logistic.gene", "logistic.cell", "molecules",
    "exponential.cell"), fraction = 0.1, seed = NULL, ..., assay.type = "counts", n.entries = 10,
    check.scale = TRUE)
{
    .strict("maskCounts()", ...)
    scheme <- .checkChoice(scheme, "scheme", .schemes)
    if (!.isNumber(fraction) || fraction <= 0 || fraction >= 1) {
        .stop("'fraction' must be one number above 0 and below 1, not %s", .describe(fraction))
    }
    n.entries <- .checkNumber(n.entries, "n.entries", 1, 1e9, whole = TRUE)
    if (!is.character(assay.type) || !length(assay.type) || anyNA(assay.type)) .stop(
        "'assay.type' must be the name of an assay, not %s", .describe(assay.type))
    seed <- .seed(seed)
    counts <- .countsOf(x, assay.type, .checkFlag(check.scale, "check.scale") &&
        scheme != "molecules")
    k <- if (scheme == "molecules") .firstBroken(counts)
    if (length(k)) .stop("'x' must hold whole counts to hide molecules; %s at %s, %s",
        format(counts@x[k]),
        .geneLabel(counts, counts@i[k] + 1L), .cellLabel(counts, findInterval(k - 1L, counts@p)))
    m <- .hide(counts, scheme, fraction, seed, n.entries)
    if (m$emptied)
        message(sprintf("the mask leaves %d of %d cells without counts", m$emptied, ncol(counts)))
    new("MaskedCounts", x = .replaceCounts(x, m$counts, assay.type), row = m$row, col = m$col,
        value = m$value, scheme = scheme, fraction = if (scheme %in% c("uniform", "molecules"))
        fraction else
        NA_real_, seed = seed, assay.type = assay.type, n.entries = if (length(m$curve))
        n.entries else
        NA_real_, curve = m$curve)
}

.schemes <- c("uniform", "logistic.gene", "logistic.cell", "molecules", "exponential.cell")

# Entries of checked counts hidden: the counts that are left, what was hidden, the curve of a
# logistic scheme, and how many cells lost all they had.
.hide <- function(counts, scheme, fraction, seed, n.entries = 10) {
    curve <- numeric()
    n <- length(counts@x)
    hidden <- numeric(n)
    if (scheme == "molecules") hidden <- .thinned(counts, fraction, seed)
    else if (scheme == "uniform") {
        take <- floor(fraction * n)
        if (take < 1) .stop("'x' has %d non-zeros: too few to hide %g of them", n, fraction)
        at <- .Call(C_choose, as.double(n), as.double(take), seed)
        hidden[at] <- counts@x[at]
    } else {
        by.gene <- scheme == "logistic.gene"
        by <- if (scheme == "exponential.cell") .exponentialWeights(counts) else
            .logisticWeights(counts, by.gene, n.entries)
        curve <- by$curve
        at <- which(.Call(C_mask_weighted, counts, by$weight, by.gene, by$take, seed))
        hidden[at] <- counts@x[at]
    }
    at <- which(hidden > 0)
    col <- rep.int(seq_len(ncol(counts)), diff(counts@p))[at]
    row <- counts@i[at] + 1L
    before <- diff(counts@p) > 0
    counts@x <- counts@x - hidden
    counts <- drop0(counts)
    list(counts = counts, row = row, col = col, value = hidden[at], curve = curve,
        emptied = sum(before & diff(counts@p) == 0))
}

# Molecules of each entry that go with probability `fraction`.
.thinned <- function(counts, fraction, seed) {
    hidden <- .Call(C_thin, counts, fraction, seed)
    if (!any(hidden > 0)) .stop("'x' has %.0f molecules: none was taken with fraction %g",
        sum(counts@x), fraction)
    hidden
}

# How likely each non-zero is to be hidden (logarithm), how many of each gene or cell are, and the
# curve behind it.
.logisticWeights <- function(counts, by.gene, n.entries) {
    n <- tabulate(counts@i + 1L, nrow(counts))
    there <- n > 0
    size <- if (by.gene) n else diff(counts@p)
    enough <- if (by.gene) size > n.entries else size >= 5 * n.entries
    if (!any(enough)) .stop("'x' has no %s with %s %g non-zeros: too few to hide %g of each",
        if (by.gene) "gene" else "cell",
        if (by.gene) "more than" else "at least", if (by.gene) n.entries else 5 * n.entries,
        n.entries)
    sums <- function(v) { counts@x <- v; Matrix::rowSums(counts)[there] / n[there] }
    zeros <- 1 - n[there] / ncol(counts)
    u <- log(counts@x)
    if (by.gene) {
        curve <- .fitLogistic(log(sums(counts@x)), zeros)
        z <- curve[["slope"]] * (u - curve[["middle"]])
        weight <- -ifelse(z > 0, log1p(exp(-abs(z))), log1p(exp(-abs(z))) - z)
    } else {
        curve <- .logisticLikelihood(c(sums(u), zeros))
        z <- abs(u - curve[["location"]]) / curve[["scale"]]
        weight <- -z - 2 * log1p(exp(-z))
    }
    list(weight = weight, take = as.integer(ifelse(enough, n.entries, 0)), curve = curve)
}

.exponentialWeights <- function(counts) {
    n <- diff(counts@p)
    if (!any(n > 5)) .stop("'x' has no cell with more than 5 non-zeros: too few to hide any")
    list(weight = -counts@x / 20, take = as.integer(ifelse(n > 5, 1 + n %/% 100, 0)),
        curve = numeric())
}

# Least squares of y around 1/(1 + exp(-slope (t - middle))), by Levenberg and Marquardt.
.fitLogistic <- function(t, y) {
    some <- y > 0.2 & y < 0.8
    at <- c(-1, median(t[if (any(some)) some else TRUE]))
    curve <- function(b) 1 / (1 + exp(-b[1L] * (t - b[2L])))
    p <- curve(at)
    error <- sum((y - p)^2)
    damp <- 1e-3
    for (step in seq_len(200L)) {
        J <- p * (1 - p) * cbind(t - at[2L], -at[1L])
        A <- crossprod(J)
        move <- tryCatch(drop(solve(A + damp * diag(diag(A) + 1e-12), crossprod(J, y - p))),
            error = function(e) c(NaN, NaN))
        q <- curve(at + move)
        if (all(is.finite(q)) && sum((y - q)^2) <= error) {
            done <- sum(abs(move)) <= 1e-10 * sum(abs(at))
            at <- at + move
            p <- q
            error <- sum((y - p)^2)
            damp <- damp / 10
            if (done) break
        } else if (damp > 1e12) break
        else damp <- damp * 10
    }
    c(slope = at[1L], middle = at[2L])
}

# Location and scale of the logistic distribution that makes v most likely, by Newton's method on
# (location, log scale).
.logisticLikelihood <- function(v) {
    loss <- function(b) { z <- abs(v - b[1L]) / exp(b[2L]); length(v) * b[2L] +
        sum(z + 2 * log1p(exp(-z))) }
    spread <- sqrt(3) / pi * sqrt(mean((v - mean(v))^2))
    # one value: no scale; all are equally likely
    if (spread <= 1e-12) return(c(location = mean(v), scale = 1))
    best <- stats::optim(c(median(v), log(spread)), loss, function(b) {
        z <- (v - b[1L]) / exp(b[2L])
        h <- tanh(z / 2)
        c(-sum(h) / exp(b[2L]), length(v) - sum(z * h))
    }, method = "BFGS", control = list(reltol = 1e-15, maxit = 500))$par
    c(location = best[1L], scale = exp(best[2L]))
}

# The counts that a mask left: a container need not have the shape of its assay. What there is to
# say of them was said when they were masked.
.keptOf <- function(m) suppressMessages(.counts(m@x, m@assay.type))

# A mask, and one that was not altered: what is hidden are entries of its counts.
.checkMasked <- function(x, arg) {
    if (!is(x, "MaskedCounts")) .stop("'%s' must be what maskCounts() returns, not %s", arg,
        .describe(x))
    .checkSlots(x, sprintf("the mask '%s'", arg))
    size <- if (.isExperiment(x@x)) dim(.keptOf(x)) else dim(x@x)
    must <- function(part, ok, what) if (!isTRUE(ok))
        .damaged(sprintf("the mask '%s'", arg), part, paste("must be", what))
    must("x", length(size) == 2L, "counts of genes x cells")
    n <- length(x@value)
    at <- function(part, most) must(part, {
        v <- slot(x, part)
        length(v) == n && !anyNA(v) && all(v >= 1 & v <= most)
    }, "a place in the counts for each hidden value")
    must("value", n && all(is.finite(x@value) & x@value > 0), "finite numbers above 0")
    at("row", size[1L])
    at("col", size[2L])
    must("scheme", .isString(x@scheme) && x@scheme %in% .schemes, "the name of a scheme")
    must("fraction", length(x@fraction) == 1L && (is.na(x@fraction) ||
        x@fraction > 0 && x@fraction < 1), "one number between 0 and 1, or NA")
    must("assay.type", is.character(x@assay.type) && length(x@assay.type) %in% 1:2, "a name")
    invisible()
}

#' @param m A [MaskedCounts-class].
#' @rdname maskCounts
#' @export
maskedData <- function(m) {
    .checkMasked(m, "m")
    m@x
}

#' @rdname maskCounts
#' @export
hiddenEntries <- function(m) {
    .checkMasked(m, "m")
    data.frame(row = m@row, col = m@col, value = m@value)
}
