# Small data for GraphSCI, fits to them, and what the formulas in plain R
# (helper-graphsci-formulas.R) say of the same.

graphSeen <- local({
    counts <- refGraphData()$counts
    Y <- unname(t(counts))
    graph <- refGraphAdjacency(Y)
    dimnames(graph) <- list(rownames(counts), rownames(counts))
    list(counts = counts, Y = Y, ready = refGraphPrepare(Y), graph = graph)
})

# Five genes, seven cells; no activation is near enough to where a derivative jumps for differences
# to see it
graphSmall <- function(latent = "code", D = if (latent == "inner") 6 else 5,
    seed = 3) withSeed(seed, {
    y <- unname(t(refGraphData(5, 7, 3)$counts))
    p <- refGraphPrepare(y)
    par <- refGraphStart(5, 7, 3, 4, D)
    par <- lapply(par, function(m) m + rnorm(length(m), sd = 0.1))
    par$beta_m <- par$beta_m + log(colMeans(y / p$sf))
    list(par = par, X = p$X, Y = y, sf = p$sf, A = refGraphAdjacency(y),
        eps = matrix(rnorm(5 * D), 5), masks = refGraphMasks(5, 7, 3, 4),
        held = matrix(rbinom(35, 1, 0.2), 7))
})

# Epochs of the oracle from a seed; the costs of each and the weights after the last. ...: of
# refGraphForward().
graphOracle <- function(epochs, seed, init = "data", X = graphSeen$ready$X, A = graphSeen$graph,
    latent = "code", rate = 0.2, lr = 0.01, ...)
    withSeed(seed, {
        D <- if (latent == "inner") 32 else 60
        par <- refGraphStart(60, 80, D = D,
            heads = if (init == "data") refGraphHeads(graphSeen$Y, graphSeen$ready$sf))
        trace <- state <- NULL
        for (e in seq_len(epochs)) {
            r <- refGraphForward(par, X, graphSeen$Y, graphSeen$ready$sf, A,
                matrix(rnorm(60 * D), 60), refGraphMasks(60, 80, rate = rate), latent = latent, ...)
            trace <- rbind(trace, r$cost)
            new <- refGraphAdam(par, r$gradient, state, e, lr)
            par <- new$par
            state <- new$state
        }
        list(par = par, trace = trace)
    })

# Settings of everything that training depends on; the names of GraphSciParam(), and what the oracle
# calls the same
graphVariants <- list(default = list(list(), list()),
    nb = list(list(dist = "nb"), list(dist = "nb")),
    inner = list(list(latent = "inner"), list(latent = "inner")),
    edges = list(list(inner = "edges"), list(inner = "edges")),
    both = list(list(inner = "edges", latent = "inner", dist = "nb"),
    list(inner = "edges", latent = "inner", dist = "nb")),
    reference = list(list(init = "reference"), list(init = "reference")),
    lognorm = list(list(correlation = "log1p", threshold = 0.4),
    list(A = refGraphAdjacency(graphSeen$ready$Lg, 0.4))),
    unscaled = list(list(scale = FALSE), list(X = graphSeen$ready$Lg)),
    weights = list(list(mse.weight = 3, l2 = 0.05, dropout = 0.5),
    list(wd = 3, l2 = 0.05, rate = 0.5)),
    none = list(list(mse.weight = 0, l2 = 0, dropout = 0, learning.rate = 0.03),
    list(wd = 0, l2 = 0, rate = 0, lr = 0.03)))

# Means, then deviations, of adj, exp, kl, mse, l2 over graphOracle() of the seeds 101:124; of epoch
# 1, of epoch 16
graphExpected <- list(default = list(c(0.86572, 2.1895, 0.06009, 0.0036498, 0.1158, 0.014823,
    0.0056099, 0.011612, 0.00011718, 0.0010632),
    c(0.68912, 2.1313, 0.086507, 0.0029884, 0.062321, 0.015779, 0.0075861, 0.0096168, 0.00012489,
    0.00101)), nb = list(c(0.86572, 2.1626, 0.06009, 0.0036498, 0.094857, 0.014823, 0.0059493,
    0.011612, 0.00011718, 0.0010912),
    c(0.68861, 2.109, 0.087812, 0.002987, 0.061559, 0.015725, 0.0082116, 0.0096512, 0.00011852,
    0.00097707)),
    inner = list(c(2.6919, 2.1918, 0.046961, 0.0036221, 0.1158, 0.24161, 0.0042804, 0.014628,
    0.00012296, 0.0011443), c(0.76724, 2.0809, 0.24114, 0.0024941, 0.060875, 0.074513, 0.0063583,
    0.032337, 0.00015539, 0.00094732)),
    edges = list(c(0.86572, 2.1912, 0.06009, 0.0036419, 0.089958, 0.014823, 0.0055062, 0.011612,
    0.0001417, 0.00077764), c(0.68736, 2.1161, 0.088137, 0.0027668, 0.042814, 0.016474, 0.0087173,
    0.0099514, 0.0001829, 0.00075294)),
    both = list(c(2.6919, 2.1626, 0.046961, 0.0035946, 0.069171, 0.24161, 0.005636, 0.014628,
    0.00017928, 0.00082153), c(0.76718, 2.0185, 0.24057, 0.0023074, 0.04347, 0.072762, 0.0059432,
    0.032526, 0.00011261, 0.00068943)),
    reference = list(c(0.86572, 4.2131, 0.06009, 0.0064547, 0.1158, 0.014823, 0.08638, 0.011612,
    0.00027391, 0.0010632), c(0.74281, 3.2239, 0.13904, 0.0058284, 0.11123, 0.017591, 0.067296,
    0.023123, 0.000186, 0.0011157)),
    lognorm = list(c(0.92826, 2.1892, 0.18609, 0.0036333, 0.1158, 0.021111, 0.0059512, 0.026903,
    0.00011687, 0.0010632), c(0.67314, 2.1347, 0.12117, 0.0030146, 0.062065, 0.032781, 0.0090162,
    0.023168, 0.00014729, 0.0010148)),
    unscaled = list(c(0.89319, 2.19, 0.1819, 0.0036822, 0.1158, 0.020558, 0.006289, 0.068527,
    0.000209, 0.0010632), c(0.76965, 2.1368, 0.045104, 0.0030579, 0.061353, 0.01756, 0.0088115,
    0.0093851, 0.00017965, 0.0010349)),
    weights = list(c(0.87388, 2.1888, 0.19524, 1.0915, 5.7899, 0.015654, 0.0056414, 0.10475,
    0.036088, 0.053162), c(0.7612, 2.132, 0.12147, 0.79508, 1.1163, 0.02638, 0.0096505, 0.038134,
    0.069423, 0.051843)),
    none = list(c(0.8555, 2.1914, 0.042834, 0, 0, 0.016131, 0.0052942, 0.0090552, 0, 0),
    c(0.66084, 2.0784, 0.085597, 0, 0, 0.018655, 0.0091899, 0.014149, 0, 0)))
# A few epochs and nothing held out
graphFit <- function(..., x = graphSeen$counts, seed = 1, num.threads = 1, max.iter = 3,
    stop = "none", valid.fraction = if (stop == "none") 0 else 0.05)
{
    param <- GraphSciParam(max.iter = max.iter, stop = stop, valid.fraction = valid.fraction, ...)
    quiet(fitInfill(x, param, seed = seed, num.threads = num.threads))
}
graphFilled <- function(...) plain(quiet(infill(...)))
expectSameGraph <- function(one, two, info = NULL) {
    testthat::expect_identical(fitParts(one, "weights"), fitParts(two, "weights"), info = info)
    testthat::expect_identical(fitParts(one, "history"), fitParts(two, "history"), info = info)
}
expectOtherGraph <- function(one, two) testthat::expect_false(identical(fitParts(one, "history")$train,
    fitParts(two, "history")$train))

# Heads recomputed from what prediction needs: cells x modelled genes
graphHeads <- function(fit) {
    w <- fitParts(fit, "weights")
    head <- function(U, u0) if (!is.null(w[[U]])) w$E2 %*% w[[U]] +
        rep(as.vector(w[[u0]]), each = nrow(w$E2))
    l <- head("P", "p0")
    m <- head("D", "d0")
    list(mean = exp(pmin(pmax(m, log(1e-5)), log(1e6))), logmean = m, l = l,
        dropout = if (!is.null(l)) stats::plogis(l),
        dispersion = pmin(pmax(refGraphSoftplus(head("T", "t0")), 1e-4), 1e4))
}
graphNamed <- function(A) {
    dimnames(A) <- dimnames(graphSeen$graph)
    A
}
# The latent's mean: as a product of two, or as it is
graphLatent <- function(fit) {
    w <- fitParts(fit, "weights")
    if (is.null(w$Qa)) w$Z else w$Qa %*% w$Wm
}
# genes x genes
graphEdges <- function(fit, latent = "code") {
    mu <- graphLatent(fit)
    p <- stats::plogis(if (latent == "inner") tcrossprod(mu) else mu)
    (p + t(p)) / 2
}

# Values are products of single-precision numbers of size up to 10 over 32 terms, in an exponent:
# 1e-4 is some 10 times what their rounding can make, and is the tolerance of the logarithms.
expectClose <- function(a, b, by = 1e-4) {
    expect_identical(dim(unname(a)), dim(unname(b)))
    expect_lt(max(abs(log(unname(a)) - log(unname(b)))), by)
}
