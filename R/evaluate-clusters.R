#' @include containers.R
NULL

# Labels as integers from 0, with the number of them.
.labels <- function(x, arg, n = NULL) {
    if (is.list(x) || !(is.atomic(x) || is.factor(x)) || !length(x)) {
        .stop("'%s' must be a vector of labels, not %s", arg, .describe(x))
    }
    if (anyNA(x)) .stop("'%s' must have no missing labels; %d of %d are NA", arg, sum(is.na(x)),
        length(x))
    if (!is.null(n) && length(x) != n) .stop("'%s' must have %d labels, not %d", arg, n, length(x))
    levels <- unique(x)
    list(code = match(x, levels) - 1L, n = length(levels), levels = levels)
}

# Sums over the table of the two partitions, by name.
.agreement <- function(a, b, names = c("a", "b")) {
    a <- .labels(a, names[1L])
    b <- .labels(b, names[2L], length(a$code))
    as.list(.Call(C_agreement, a$code, a$n, b$code, b$n))
}

.meanEntropy <- function(v, normalization) switch(normalization,
    arithmetic = (v$entropy_a + v$entropy_b) / 2,
    geometric = sqrt(v$entropy_a * v$entropy_b), max = max(v$entropy_a, v$entropy_b),
    min = min(v$entropy_a, v$entropy_b), joint = v$joint)

#' Agreement of two partitions
#'
#' @param a,b Labels of the same items, of any type, without `NA`.
#' @param labels Known class of each item, of any type, without `NA`.
#' @param clusters Cluster of each item.
#' @param metrics Which measures.
#' @param normalization What mutual information is divided by, in terms of the
#'   entropies of the two partitions: their arithmetic or geometric mean, the
#'   larger, the smaller, or (not for `"ami"`) the joint entropy.
#' @return `adjustedRandIndex()`, `normalizedMutualInfo()`: one number.
#'   `clusterAgreement()`: a named vector, one number for each of `metrics`. All but `"purity"` and
#'   `"accuracy"` take both sides alike, and are 1 for equal partitions:
#'
#'   `"ari"`, the adjusted Rand index: 0 expected for random partitions with the same sizes, can
#'   be negative.
#'
#'   `"nmi"`, normalised mutual information: 0 to 1; 1 when neither partition has more than one
#'   class.
#'
#'   `"ami"`, adjusted for chance: (I - E I) / (H - E I), with H the mean of entropies
#'   asked for and E I the mutual information I expected of random partitions
#'   with the same sizes of classes (hypergeometric overlaps); 0 expected, can be
#'   negative. Where one partition is a single class, or has as many classes as
#'   items, I is what chance gives: 0, or 1 when the other is the same.
#'
#'   `"fowlkes.mallows"`: S / sqrt(A B), and `"jaccard"`: S / (A + B - S),
#'   with S the pairs of items in one class in both partitions, A and B those in
#'   one class of either; 0 to 1. Where no class has two items A or B is 0:
#'   the value is 1 when that holds for both partitions (they are equal), else 0.
#'
#'   `"purity"`: the share of items that are of the commonest class of their
#'   cluster. It grows with the number of clusters: 1 when there are as many as
#'   items.
#'
#'   `"accuracy"`: the share of items whose class is the one their
#'   cluster stands for, when each cluster stands for another class (or none) and
#'   the map is the best one. With as many clusters as items it is the number of
#'   classes over that of items. The map is that of Kuhn and Munkres, on a table
#'   of clusters x classes (at most 5e7 entries); the time grows with the square
#'   of the smaller number and with the larger.
#' @details Work and memory (but for `"accuracy"`) are linear in the number of items, however many
#'   classes there are. E I is summed over the distinct sizes of classes, of which
#'   n items have at most sqrt(2 n).
#' @references Hubert and Arabie (1985), Journal of Classification 2:193,
#'   equation 5. Vinh, Epps and Bailey (2010), JMLR 11:2837, table 2 and
#'   equation 24a. Fowlkes and Mallows (1983), JASA 78:553. Jaccard (1912), New
#'   Phytologist 11:37. Zhao and Karypis (2004), Machine Learning 55:311 (purity). Kuhn
#'   (1955), Naval Research Logistics Quarterly 2:83; Munkres (1957), Journal of
#'   the Society for Industrial and Applied Mathematics 5:32.
#' @examples
#' adjustedRandIndex(c(1, 1, 2, 2), c("a", "a", "b", "c"))
#' normalizedMutualInfo(c(1, 1, 2, 2), c("a", "a", "b", "c"))
#' clusterAgreement(labels = c("a", "a", "b", "c"), clusters = c(1, 1, 2, 2))
#' @rdname clusterAgreement
#' @export
adjustedRandIndex <- function(a, b) .agreement(a, b)$ari

#' @rdname clusterAgreement
#' @export
normalizedMutualInfo <-
    function(a, b, normalization = c("arithmetic", "geometric", "max", "min", "joint")) {
    normalization <- .checkChoice(normalization, "normalization", .normalizations)
    .normalizedInfo(.agreement(a, b), normalization)
}

#' @rdname clusterAgreement
#' @export
clusterAgreement <- function(labels, clusters,
    metrics = c("ari", "nmi", "ami", "fowlkes.mallows", "jaccard", "purity",
    "accuracy"), normalization = c("arithmetic", "geometric", "max", "min", "joint"))
{
    known <- names(.agreementOf)
    if (!is.character(metrics) || !length(metrics) || anyNA(metrics) || !all(metrics %in% known))
        .stop(
        "'metrics' must be among %s, not %s", paste(dQuote(known, FALSE), collapse = ", "),
        .describe(metrics))
    normalization <- .checkChoice(normalization, "normalization", .normalizations)
    if (normalization == "joint" && "ami" %in% metrics) .stop(
        "'normalization' must not be \"joint\" for the metric \"ami\"")
    a <- .labels(clusters, "clusters")
    b <- .labels(labels, "labels", length(a$code))
    v <- as.list(.Call(C_agreement, a$code, a$n, b$code, b$n))
    vapply(.agreementOf[metrics], function(f) f(a, b, v, normalization), 0)
}

.normalizations <- c("arithmetic", "geometric", "max", "min", "joint")

.normalizedInfo <- function(v, normalization) {
    by <- .meanEntropy(v, normalization)
    if (v$entropy_a == 0 && v$entropy_b == 0) return(1)
    if (by == 0) 0 else min(1, v$mutual / by)
}

# a: clusters, b: labels, both as .labels() has them; v: sums over their table.
.agreementOf <- list(
    ari = function(a, b, v, normalization) v$ari,
    nmi = function(a, b, v, normalization) .normalizedInfo(v, normalization),
    ami = function(a, b, v, normalization) {
        if (any(c(a$n, b$n) %in% c(1L, length(a$code))))
            return(as.double(v$both == v$in_a && v$both == v$in_b))
        chance <- .Call(C_expected_mutual, tabulate(a$code + 1L, a$n), tabulate(b$code + 1L, b$n))
        (v$mutual - chance) / (.meanEntropy(v, normalization) - chance)
    },
    fowlkes.mallows = function(a, b, v, normalization) {
        if (v$in_a == 0 || v$in_b == 0) return(as.double(v$in_a == v$in_b))
        v$both / sqrt(v$in_a * v$in_b)
    },
    jaccard = function(a, b, v, normalization) {
        either <- v$in_a + v$in_b - v$both
        if (either == 0) 1 else v$both / either
    },
    purity = function(a, b, v, normalization) v$hits / length(a$code),
    accuracy = function(a, b, v, normalization) {
        if (as.double(a$n) * b$n > 5e7) .stop(
            "'clusters' and 'labels' must have at most 5e7 pairs of classes, not %d x %d", a$n, b$n)
        .Call(C_best_matching, a$code, a$n, b$code, b$n) / length(a$code)
    })

#' How well cell types are told apart by correlation
#'
#' Median Pearson correlation, over the genes, of pairs of cells of the same type
#' (intra) and of different types (inter), and their difference: larger is better.
#'
#' @param x Genes x cells, at least two genes, on the scale that correlations are
#'   wanted on (logarithms, as a rule): any container that [infill()] takes.
#'   Values must be finite and may be negative.
#' @param labels Type of each cell, without `NA`; at least two types.
#' @param by `"overall"`: medians over all pairs. `"type"`: for each type, the
#'   median over its own pairs, and over the pairs of its cells with all others.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type Assay of an experiment.
#' @param max.pairs Medians over at most so many pairs are exact. Of a longer list
#'   of pairs, one is taken at random out of each of `max.pairs` even stretches.
#' @param seed Number that fixes the random pairs; `NULL`: drawn from R's generator.
#' @param num.threads Threads; the result does not depend on it.
#' @return `c(intra, inter, separability)`, or with `by = "type"` a matrix of types
#'   x these. A type of one cell has no pairs: its `intra` is `NA`. When no type has
#'   two cells, `by = "overall"` is an error.
#' @details No cells x cells matrix is formed: memory is that of `max.pairs` numbers.
#'   A cell that does not vary over the genes (an empty one) has no correlations;
#'   such cells are left out, with a warning. `max.pairs = 2e6` makes up to 2,000
#'   cells exact; a median of 2e6 random pairs is, as a rule, a quantile of all
#'   between 0.499 and 0.501.
#' @references Mongia, Sengupta and Majumdar (2020), Journal of Computational
#'   Biology 27 (deepMc; there cell type separability).
#' @examples
#' x <- cbind(matrix(rpois(500, 5), 50), matrix(rpois(500, 1:50), 50))
#' clusterSeparability(log1p(x), rep(c("a", "b"), each = 10))
#' clusterSeparability(log1p(x), rep(c("a", "b"), each = 10), by = "type")
#' @export
clusterSeparability <- function(x, labels, by = c("overall", "type"), ...,
    assay.type = "counts", max.pairs = 2e6, seed = NULL, num.threads = NULL)
{
    .strict("clusterSeparability()", ...)
    by <- .checkChoice(by, "by", c("overall", "type"))
    max.pairs <- .checkNumber(max.pairs, "max.pairs", 1, 1e9, whole = TRUE)
    seed <- .seed(seed)
    threads <- .threads(num.threads)
    m <- .counts(x, assay.type)
    if (nrow(m) < 2L || !ncol(m)) .stop(
        "'x' must have two genes and a cell or more, not %d x %d", nrow(m), ncol(m))
    if (!all(is.finite(m@x))) .stop("'x' must hold finite numbers; %d are not",
        sum(!is.finite(m@x)))
    l <- .labels(labels, "labels", ncol(m))
    norms <- .Call(C_cell_norms, m)
    flat <- norms$norm == 0
    if (any(flat))
        warning(sprintf(paste("%d of %d cells do not vary over the genes and are left out: they",
        "have no correlations"), sum(flat), ncol(m)), call. = FALSE)
    cells <- which(!flat) - 1L
    type <- l$code[!flat]
    if (length(unique(type)) < 2L) .stop("'labels' must have at least two types%s, not %d",
        if (any(flat)) " of cells that vary" else "", length(unique(type)))
    # each cell in `cell` with the lo-th to the (hi - 1)-th, from 0
    middle <- function(cell, lo, hi) {
        n <- sum(as.double(hi - lo))
        if (n == 0) return(NA_real_)
        median(.Call(C_pair_correlations, m, norms$mean, norms$norm, cell, as.integer(lo),
            as.integer(hi), min(n, max.pairs), seed, threads))
    }
    if (by == "overall") .separated(cells, type, middle) else {
        out <- t(vapply(seq_len(l$n) - 1L, function(k) .separatedType(cells, type == k, middle),
            numeric(3)))
        rownames(out) <- as.character(l$levels)
        out
    }
}

.gap <- function(intra, inter) c(intra = intra, inter = inter, separability = intra - inter)

.separated <- function(cells, type, middle) {
    if (!anyDuplicated(type)) .stop(
        "'labels' must have a type with two cells or more: no pair is within a type")
    order <- order(type)
    start <- match(type[order], type[order]) - 1L       # where the cells of that type begin
    cells <- cells[order]
    .gap(middle(cells, start, seq_along(cells) - 1L), middle(cells, 0L * start, start))
}

.separatedType <- function(cells, is.own, middle) {
    own <- cells[is.own]
    other <- cells[!is.own]
    .gap(middle(own, 0L * own, seq_along(own) - 1L),
        middle(c(own, other), rep.int(0L, length(cells)),
        rep.int(c(0L, length(own)), c(length(own), length(other)))))
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
    if (length(dim(x)) != 2L || !nrow(x) || .isExperiment(x)) .stop(
        "'x' must be a matrix of points x dimensions, not %s", .describe(x))
    x <- as.matrix(.checkMatrix(x, "x"))
    if (!is.numeric(x) || any(!is.finite(x))) .stop("'x' must hold finite numbers")
    .checkFlag(per.point, "per.point")
    l <- .labels(labels, "labels", nrow(x))
    if (l$n < 2L)
        .stop("'labels' must have at least two classes, not one: the width is not defined")
    points <- t(x)
    storage.mode(points) <- "double"
    width <- .Call(C_silhouette, points, l$code, l$n, .threads(num.threads))
    names(width) <- rownames(x)
    if (per.point) width else mean(width)
}
