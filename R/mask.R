#' @include prepare.R
NULL

#' Hide entries, and keep the answers
#'
#' Sets a random part of the non-zeros to zero, so that a model can be judged by
#' how well it recovers them (see [recoveryError()]). Zeros are never masked.
#'
#' @param x Counts, genes x cells, in any container that [infill()] takes.
#' @param scheme `"uniform"`: floor(`fraction` x non-zeros) of all non-zeros,
#'   without replacement, all equally likely (the protocol of the AutoImpute
#'   paper).
#' @param fraction Part of the non-zeros to hide, above 0 and below 1.
#' @param seed Number that fixes the choice; `NA`: drawn from R's generator.
#' @param assay.type Assay (layer) to mask.
#' @return A [MaskedCounts-class]. `maskedData()`: the data with the entries
#'   hidden, in the container they came in. `hiddenEntries()`: a data.frame of
#'   `row`, `col` and `value`.
#' @references Talwar et al. (2018), Scientific Reports 8:16329.
#' @examples
#' m <- maskCounts(matrix(rpois(200, 5), 20, 10), seed = 1)
#' head(hiddenEntries(m), 3)
#' sum(maskedData(m) == 0)
#' @export
maskCounts <- function(x, scheme = "uniform", fraction = 0.1, seed = NA, assay.type = "counts") {
    scheme <- .checkChoice(scheme, "scheme", "uniform")
    if (!.isNumber(fraction) || fraction <= 0 || fraction >= 1) {
        .stop("'fraction' must be one number above 0 and below 1, not %s", .describe(fraction))
    }
    seed <- .seed(seed)
    counts <- .checkCounts(.counts(x, assay.type), FALSE)
    n <- length(counts@x)
    take <- floor(fraction * n)
    if (take < 1) .stop("'x' has %d non-zeros: too few to hide %g of them", n, fraction)
    at <- .Call(C_choose, as.double(n), as.double(take), seed)
    col <- rep.int(seq_len(ncol(counts)), diff(counts@p))[at]
    row <- counts@i[at] + 1L
    value <- counts@x[at]
    counts@x[at] <- 0
    counts <- drop0(counts)
    new("MaskedCounts", x = .replaceCounts(x, counts, assay.type), row = row, col = col,
        value = value, scheme = scheme, fraction = fraction, seed = seed,
        assay.type = assay.type)
}

.checkMasked <- function(x, arg) {
    if (!is(x, "MaskedCounts")) .stop("'%s' must be what maskCounts() returns, not %s", arg,
        .describe(x))
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
