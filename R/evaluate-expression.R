#' @include containers.R
NULL

# Numbers of a vector, finite, at least one.
.finite <- function(x, arg) {
    if (!is.numeric(x) && !is.logical(x)) .stop("'%s' must be numbers, not %s", arg, .describe(x))
    if (!length(x)) .stop("'%s' must have at least one value", arg)
    if (length(b <- which(!is.finite(x))))
        .stop("'%s' must be finite; value %d is %s", arg, b[1L], format(x[b[1L]]))
    as.double(x)
}

#' Gini coefficient
#'
#' How unevenly a gene is spread over cells: 0 when all hold the same, near 1 when
#' one cell holds all.
#'
#' @param x Non-negative numbers, or genes x cells in any container that [infill()]
#'   takes.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type Assay of an experiment.
#' @return One number, or one per gene, named like the rows of `x`:
#'   sum_i (2 i - n - 1) x_(i) / (n sum x), with x_(1) to x_(n) the values in rising
#'   order, each plus 1e-8; 0 for a gene without counts.
#' @details Zeros of a sparse matrix are neither stored nor sorted.
#' @references Gini (1912), Variabilita e mutabilita.
#' @examples
#' giniCoefficient(c(0, 0, 0, 1))
#' giniCoefficient(matrix(rpois(200, 1), 5, 40))
#' @export
giniCoefficient <- function(x, ..., assay.type = "counts") {
    .strict("giniCoefficient()", ...)
    if (is.atomic(x) && is.null(dim(x))) {
        x <- .finite(x, "x")
        if (length(b <- which(x < 0)))
            .stop("'x' must not be negative; value %d is %s", b[1L], format(x[b[1L]]))
        return(.Call(C_gini, .counts(matrix(x)), 1e-8))
    }
    m <- .countsOf(x, assay.type, FALSE, look = FALSE)
    out <- .Call(C_gini, Matrix::t(m), 1e-8)
    names(out) <- rownames(m)
    out
}

#' Kolmogorov-Smirnov statistic of two samples
#'
#' @param x,y Numbers, finite; at least one each.
#' @return The largest difference of the two empirical distribution functions, 0 to
#'   1. They are compared behind all values that are equal, so ties do no harm; it is
#'   the statistic of [stats::ks.test()].
#' @references Smirnov (1939), Bulletin Mathematique de l'Universite de Moscou 2:2.
#' @examples
#' ksStatistic(c(1, 2, 3), c(2, 3, 4, 5))
#' @export
ksStatistic <- function(x, y) .Call(C_ks_statistic, .finite(x, "x"), .finite(y, "y"))

#' Area under the ROC curve
#'
#' @param score Numbers; larger ones are to say `TRUE`.
#' @param truth `TRUE` or `FALSE` (or 1 and 0) for each score, some of both.
#' @return The probability that a random positive has a larger score than a random
#'   negative, plus half of that of equal scores: the Mann-Whitney statistic over
#'   the number of pairs, from mean ranks of ties. 0 to 1, 0.5 for scores that say
#'   nothing.
#' @references Hanley and McNeil (1982), Radiology 143:29.
#' @examples
#' rocAuc(c(0.1, 0.4, 0.35, 0.8), c(FALSE, FALSE, TRUE, TRUE))
#' @export
rocAuc <- function(score, truth) {
    score <- .finite(score, "score")
    if (!(is.logical(truth) || is.numeric(truth)) || !all(truth %in% c(0, 1))) .stop(
        "'truth' must be TRUE or FALSE, or 1 and 0, without NA, not %s", .describe(truth))
    truth <- as.logical(truth)
    if (length(truth) != length(score))
        .stop("'truth' must have %d values, not %d", length(score), length(truth))
    if (all(truth) || !any(truth))
        .stop("'truth' must have both TRUE and FALSE: the area is not defined when all are %s",
            truth[1L])
    .Call(C_roc_auc, score, truth)
}

# Counts and their means, checked: a dgCMatrix (a vector is one column) and as many numbers.
.countsAndMeans <- function(observed, expected) {
    plain <- is.numeric(observed) || is.logical(observed)
    if (!plain && !is(observed, "Matrix") && !is(observed, "DelayedMatrix")) {
        .stop("'observed' must be counts: a vector, a matrix or a sparse Matrix, not %s",
            .describe(observed))
    }
    shape <- function(v) if (is.null(dim(v))) sprintf("%d values", length(v)) else
        paste(dim(v), collapse = " x ")
    expected <- .plainMatrix(expected, "expected")
    if (!is.numeric(expected))
        .stop("'expected' must be numbers, a vector or a matrix like 'observed', not %s",
        .describe(expected))
    if (!identical(dim(observed), dim(expected)) || length(observed) != length(expected)) {
        .stop("'expected' must have the shape of 'observed', %s, not %s", shape(observed),
            shape(expected))
    }
    if (!length(observed)) .stop("'observed' must have at least one value")
    # the values are looked at one by one only when one is bad
    bad <- function(v, arg) if (length(v) && (anyNA(v) || min(v) < 0 || max(v) == Inf)) {
        .stop("'%s' must be finite and not negative; one value is %s", arg,
            format(v[which(!(is.finite(v) & v >= 0))[1L]]))
    }
    y <- if (is.null(dim(observed))) .counts(matrix(observed)) else .counts(observed, "counts")
    bad(y@x, "observed")
    bad(expected, "expected")
    storage.mode(expected) <- "double"
    list(y = y, mean = expected)
}

#' Losses of counts under expected counts
#'
#' @param observed Counts: a vector, or a matrix of genes x cells, which may be
#'   sparse and is not made dense. Finite, not negative, not necessarily whole.
#' @param expected Means of the same shape; a matrix is taken as a dense one.
#' @param kind With y observed and m expected,
#'   `"poisson"`: m - y log(m + eps), the negative log-likelihood without the
#'   part that no model changes;
#'   `"poisson.deviance"`: 2 (y log(y / m) - (y - m));
#'   `"nb.deviance"`: 2 (y log(y / m) - (y + theta) log((y + theta) / (m + theta))).
#' @param theta Size (inverse dispersion) of the negative binomial, above 0: one
#'   number, or one for each gene (value, for vectors). `Inf`: Poisson. For `"nb.deviance"`.
#' @param eps Added to `expected` in the logarithm. For `"poisson"`.
#' @return One number, the mean over all entries, zeros included.
#'   y log y is 0 at 0. Deviances are not negative, 0 when all counts are as
#'   expected, and infinite where a count above 0 is expected to be 0. They are
#'   computed so that nothing cancels: `"nb.deviance"` tends to `"poisson.deviance"`
#'   to the last digits as theta grows.
#' @references McCullagh and Nelder (1989), Generalized Linear Models, 2nd edition,
#'   sections 2.3 and 11.2.
#' @examples
#' y <- matrix(rpois(200, 2), 20, 10)
#' m <- matrix(2, 20, 10)
#' countLoss(y, m)
#' countLoss(y, m, "poisson.deviance")
#' countLoss(Matrix::Matrix(y, sparse = TRUE), m, "nb.deviance", theta = 5)
#' @export
countLoss <- function(observed, expected, kind = c("poisson", "poisson.deviance", "nb.deviance"),
    theta = NULL, eps = 1e-6) {
    kind <- .checkChoice(kind, "kind", c("poisson", "poisson.deviance", "nb.deviance"))
    eps <- .checkNumber(eps, "eps", 0, 1)
    v <- .countsAndMeans(observed, expected)
    if (kind == "poisson") return(.Call(C_count_loss, v$y, v$mean, 2L, Inf, eps))
    if (kind == "poisson.deviance") return(.Call(C_count_loss, v$y, v$mean, 0L, Inf, 0))
    if (!is.numeric(theta) || !length(theta) %in% c(1L, nrow(v$y)) || anyNA(theta) ||
        any(theta <= 0)) .stop(
        "'theta' must be one number above 0%s, not %s",
        if (nrow(v$y) > 1L) sprintf(", or %d of them", nrow(v$y)) else "", .describe(theta))
    .Call(C_count_loss, v$y, v$mean, 1L, as.double(theta), 0)
}
