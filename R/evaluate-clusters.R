#' @include checks.R
NULL

# Labels as integers from 0, with the number of them.
.labels <- function(x, arg, n = NULL) {
    if (is.list(x) || !(is.atomic(x) || is.factor(x)) || !length(x)) {
        .stop("'%s' must be a vector of labels, not %s", arg, .describe(x))
    }
    if (anyNA(x)) .stop("'%s' must have no missing labels; %d of %d are NA", arg, sum(is.na(x)), length(x))
    if (!is.null(n) && length(x) != n) .stop("'%s' must have %d labels, not %d", arg, n, length(x))
    levels <- unique(x)
    list(code = match(x, levels) - 1L, n = length(levels), levels = levels)
}

.agreement <- function(a, b) {
    a <- .labels(a, "a")
    b <- .labels(b, "b", length(a$code))
    .Call(C_agreement, a$code, a$n, b$code, b$n)
}

#' Agreement of two partitions
#'
#' @param a,b Labels of the same items, of any type, without `NA`.
#' @param normalization What mutual information is divided by, in terms of the
#'   entropies of the two partitions: their arithmetic or geometric mean, the
#'   larger, the smaller, or the joint entropy.
#' @return One number. Adjusted Rand index: 1 for equal partitions, 0 expected
#'   for random ones with the same sizes, can be negative. Normalised mutual
#'   information: 0 to 1; 1 when neither partition has more than one class.
#' @details Work and memory are linear in the number of items, however many
#'   classes there are.
#' @references Hubert and Arabie (1985), Journal of Classification 2:193,
#'   equation 5. Vinh, Epps and Bailey (2010), JMLR 11:2837, table 2.
#' @examples
#' adjustedRandIndex(c(1, 1, 2, 2), c("a", "a", "b", "c"))
#' normalizedMutualInfo(c(1, 1, 2, 2), c("a", "a", "b", "c"))
#' @export
adjustedRandIndex <- function(a, b) .agreement(a, b)[1L]

#' @rdname adjustedRandIndex
#' @export
normalizedMutualInfo <- function(a, b, normalization = c("arithmetic", "geometric", "max", "min", "joint")) {
    normalization <- .checkChoice(normalization, "normalization",
        c("arithmetic", "geometric", "max", "min", "joint"))
    v <- .agreement(a, b)
    h <- v[3:4]
    by <- switch(normalization, arithmetic = mean(h), geometric = sqrt(prod(h)), max = max(h),
        min = min(h), joint = v[5L])
    if (all(h == 0)) return(1)
    if (by == 0) 0 else min(1, v[2L] / by)
}

#' Silhouette width
#'
#' For each point, (b - a) / max(a, b), with a the mean Euclidean distance to the
#' other points of its cluster and b the smallest mean distance to another
#' cluster; 0 for the only point of a cluster. No matrix of distances is formed.
#'
#' @param x Points x dimensions, such as the principal components of cells.
#' @param labels Cluster of each point, without `NA`; at least two clusters.
#' @param per.point Return the width of each point instead of their mean?
#' @param num.threads Threads; the result does not depend on it.
#' @return The mean width, or one width per point (named like the rows of `x`).
#' @references Rousseeuw (1987), Journal of Computational and Applied Mathematics
#'   20:53.
#' @examples
#' x <- rbind(matrix(rnorm(40), 20), matrix(rnorm(40, 4), 20))
#' silhouetteWidth(x, rep(1:2, each = 20))
#' @export
silhouetteWidth <- function(x, labels, per.point = FALSE, num.threads = NULL) {
    if (length(dim(x)) != 2L || !nrow(x)) .stop("'x' must be a matrix of points x dimensions, not %s",
        .describe(x))
    x <- as.matrix(x)
    if (!is.numeric(x) || any(!is.finite(x))) .stop("'x' must hold finite numbers")
    .checkFlag(per.point, "per.point")
    l <- .labels(labels, "labels", nrow(x))
    if (l$n < 2L) .stop("'labels' must have at least two classes, not one: the width is not defined")
    points <- t(x)
    storage.mode(points) <- "double"
    width <- .Call(C_silhouette, points, l$code, l$n, .threads(num.threads))
    names(width) <- rownames(x)
    if (per.point) width else mean(width)
}
