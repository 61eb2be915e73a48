# The metrics in plain R, as they are defined.

refRand <- function(a, b) {
    n <- length(a)
    pairs <- utils::combn(n, 2)
    sameA <- a[pairs[1, ]] == a[pairs[2, ]]
    sameB <- b[pairs[1, ]] == b[pairs[2, ]]
    expected <- sum(sameA) * sum(sameB) / ncol(pairs)
    (sum(sameA & sameB) - expected) / ((sum(sameA) + sum(sameB)) / 2 - expected)
}

refEntropy <- function(p) -sum(p[p > 0] * log(p[p > 0]))
refMutualInfo <- function(a, b, normalization) {
    joint <- unclass(table(a, b)) / length(a)
    ha <- refEntropy(rowSums(joint))
    hb <- refEntropy(colSums(joint))
    hab <- refEntropy(joint)
    (ha + hb - hab) / switch(normalization, arithmetic = (ha + hb) / 2, geometric = sqrt(ha * hb),
        max = max(ha, hb), min = min(ha, hb), joint = hab)
}

# E I: the mean over the hypergeometric overlap of each pair of classes
refAdjustedMutualInfo <- function(a, b, normalization) {
    n <- length(a)
    sizes <- function(v) as.vector(table(v))
    of <- function(s, t) {
        k <- max(1, s + t - n):min(s, t)
        sum(stats::dhyper(k, s, n - s, t) * k / n * log(n * k / (s * t)))
    }
    chance <- sum(outer(sizes(a), sizes(b), Vectorize(of)))
    h <- c(refEntropy(sizes(a) / n), refEntropy(sizes(b) / n))
    mutual <- sum(h) - refEntropy(table(a, b) / n)
    (mutual - chance) / (switch(normalization, arithmetic = mean(h), geometric = sqrt(prod(h)),
        max = max(h), min = min(h)) - chance)
}

# c(in one class in both, in a, in b)
refPairs <- function(a, b) {
    pairs <- utils::combn(length(a), 2)
    inA <- a[pairs[1, ]] == a[pairs[2, ]]
    inB <- b[pairs[1, ]] == b[pairs[2, ]]
    c(sum(inA & inB), sum(inA), sum(inB))
}

# All maps of the fewer classes into the others
refAccuracy <- function(a, b) {
    t <- unclass(table(a, b))
    if (nrow(t) > ncol(t)) t <- t(t)
    best <- function(i, free) if (i > nrow(t))
        0 else max(vapply(free, function(j) t[i, j] + best(i + 1, setdiff(free, j)), 0))
    best(1, seq_len(ncol(t))) / length(a)
}

refSeparability <- function(x, labels) {
    r <- stats::cor(unname(as.matrix(x)))
    same <- outer(labels, labels, `==`)
    one <- upper.tri(r)
    gap <- function(intra, inter) c(intra = stats::median(r[intra & one]),
        inter = stats::median(r[inter & one]),
        separability = stats::median(r[intra & one]) - stats::median(r[inter & one]))
    list(overall = gap(same, !same), type = t(vapply(unique(labels), function(k) {
        own <- labels == k
        gap(outer(own, own), outer(own, own, xor))
    }, numeric(3))))
}

refGini <- function(v) {
    v <- sort(v) + 1e-8
    n <- length(v)
    sum((2 * seq_len(n) - n - 1) * v) / (n * sum(v))
}

refDeviance <- function(y, m, theta = Inf) {
    part <- function(y, ratio) ifelse(y == 0, 0, y * log(ratio))
    2 * mean(if (is.infinite(theta[1])) part(y, y / m) - (y - m) else part(y, y / m) - (y + theta) *
        log((y + theta) / (m + theta)))
}

refSilhouette <- function(x, labels) {
    d <- as.matrix(stats::dist(x))
    vapply(seq_len(nrow(x)), function(i) {
        own <- setdiff(which(labels == labels[i]), i)
        if (!length(own)) return(0)
        a <- mean(d[i, own])
        b <- min(vapply(setdiff(unique(labels), labels[i]), function(l) mean(d[i, labels == l]), 0))
        (b - a) / max(a, b)
    }, 0)
}

refCv <- function(x, groups) vapply(split(seq_len(ncol(x)), groups),
    function(at) apply(x[, at, drop = FALSE], 1,
    function(v) if (length(v) > 1 && mean(v) > 0) stats::sd(v) / mean(v) else NA_real_),
    numeric(nrow(x)))

refError <- function(t, p) {
    r <- function(method) if (length(t) > 1 && stats::sd(t) > 0 && stats::sd(p) > 0) stats::cor(t,
        p, method = method) else NA_real_
    data.frame(n = length(t), rmse = sqrt(mean((t - p)^2)), mse = mean((t - p)^2),
        mae = mean(abs(t - p)), nmse = sqrt(sum((t - p)^2)) / sqrt(sum(t^2)),
        pearson = r("pearson"), spearman = r("spearman"))
}

# One measure of clusterAgreement(), or one loss of countLoss(), by itself.
agreement <- function(metric) function(clusters, labels, ...)
    clusterAgreement(labels, clusters, metric, ...)[[1L]]
adjustedMutualInfo <- agreement("ami")
fowlkesMallows <- agreement("fowlkes.mallows")
jaccardPairs <- agreement("jaccard")
purity <- agreement("purity")
clusteringAccuracy <- agreement("accuracy")
poissonDeviance <- function(observed, expected) countLoss(observed, expected, "poisson.deviance")
nbDeviance <- function(observed, expected, theta) countLoss(observed, expected, "nb.deviance", theta)
