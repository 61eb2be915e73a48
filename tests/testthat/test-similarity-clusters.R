# Clusters of the latents, against scINN's definitions written out without thought of speed
# (helper-similarity.R).

test_that("the dot products of unit rows are the correlations, and constant rows are 0", {
    z <- groupedLatent(c(10, 10), L = 15)
    expect_lt(max(abs(tcrossprod(unitRows(z)) - cor(t(z)))), 1e-12)
    z[3, ] <- 0
    z[7, ] <- 0.1
    z[9, ] <- 1e6 + 1e-8 * seq_len(15)
    z[11, ] <- 1e6 + seq_len(15)
    u <- unitRows(z)
    expect_identical(which(rowSums(u != 0) == 0), c(`1` = 3L, `1` = 7L, `1` = 9L))
    expect_lt(max(abs(rowSums(u^2)[-c(3, 7, 9)] - 1)), 1e-12)
    expect_lt(max(abs(tcrossprod(u[-c(3, 7, 9), ]) - cor(t(z[-c(3, 7, 9), ])))), 1e-9)
})

test_that("random sets have distinct members, each as often as any other", {
    sets <- infill:::.randomSets(7, 3, 2000, 1, 5)
    expect_true(all(sets %in% 1:7))
    expect_true(all(apply(sets, 1L, anyDuplicated) == 0))
    expect_lt(max(abs(tabulate(sets, 7) / 2000 - 3 / 7)), 0.05)
    expect_identical(t(apply(infill:::.randomSets(4, 4, 3, 1, 5), 1L, sort)),
        matrix(1:4, 3, 4, byrow = TRUE))
    expect_false(identical(infill:::.randomSets(7, 3, 2000, 1, 6), sets))
    expect_false(identical(infill:::.randomSets(7, 3, 2000, 2, 5), sets))
    parts <- as.vector(outer(outer(infill:::.part(latent = 0:20), infill:::.part(subsample = 0:10),
        "+"), 0:100, "+"))
    expect_identical(anyDuplicated(parts), 0L)
})

test_that("neighbours are those of sorting all distances, ties by index", {
    z <- groupedLatent(c(20, 20, 20))
    z[c(5, 33), ] <- 2                                   # u = 0
    z[c(11, 14, 27, 41, 50:54), ] <- z[rep(7, 9), ]      # ten in one place
    u <- unitRows(z)
    d <- infill:::.distances(u, u)
    expect_lt(max(abs(d - refDistance(z))[-c(5, 33), ]), 1e-12)
    expect_true(all(d[c(5, 33), ] == 1) && all(d[, c(5, 33)] == 1))
    for (nn in c(1, 4, 8, 9, 10, 30, 58, 59)) {
        near <- infill:::.nearest(u, nn)
        expect_identical(near$index, refNeighbours(d, nn))
        expect_identical(near$dist,
            matrix(vapply(seq_len(60), function(i) d[i, near$index[i, ]], numeric(nn)), ncol = nn,
            byrow = TRUE))
    }
    # many at D near 1, ten at 1
    noise <- unitRows(groupedLatent(rep(1, 60)) * rep(c(1, 0), c(50, 10)))
    for (nn in c(15, 20, 25)) expect_identical(infill:::.nearest(noise, nn)$index,
        refNeighbours(infill:::.distances(noise, noise), nn))
    q <- unitRows(rbind(z[c(7, 5, 1), ], groupedLatent(c(5, 5), seed = 9)))
    expect_identical(infill:::.nearest(u, 6, q)$index, unname(t(apply(infill:::.distances(q, u), 1L,
        function(r) order(r)[1:6]))))
})

test_that("edge weights are those of the formula, one by one", {
    z <- groupedLatent(c(12, 18))
    for (nn in c(1, 7, 11, 29)) {
        edges <- infill:::.similarityEdges(unitRows(z), nn)
        W <- refWeights(refDistance(z), nn)
        expect_equal(denseWeights(edges, 30), W, tolerance = 1e-10)
        expect_equal(edges$degree, rowSums(W), tolerance = 1e-10)
        expect_equal(edges$x, (W / sqrt(outer(rowSums(W), rowSums(W))))[cbind(edges$i, edges$j)],
            tolerance = 1e-10)
    }
})

test_that("the number of neighbours grows as long as the graph has too many components", {
    for (z in list(groupedLatent(c(10, 12, 15, 9, 20), 0.02), groupedLatent(c(40, 12), 0.01),
        groupedLatent(30, 1), groupedLatent(c(3, 3), 0.1))) {
        graph <- infill:::.spectralGraph(z)
        d <- refDistance(z)
        components <- function(nn) {
            near <- refNeighbours(d, nn)
            edge <- matrix(FALSE, nrow(z), nrow(z))
            edge[cbind(as.vector(row(near)), as.vector(near))] <- TRUE
            sum(table(refComponents(edge | t(edge))) >= 4)
        }
        expected <- vapply(2:8, function(k) {
            nn <- min(7, nrow(z) - 1)
            while ((count <- components(nn)) > 1 && count >= k - 1) nn <- min(nn + 2, nrow(z) - 1)
            nn
        }, 0)
        expect_identical(infill:::.neighboursFor(graph, 2:8), as.integer(expected))
    }
    expect_identical(infill:::.components(6, c(1, 5, 2), c(4, 3, 6)), c(1L, 2L, 3L, 1L, 3L, 2L))
    long <- withSeed(4, sample(500))
    expect_identical(infill:::.components(501, long[-1], long[-500]), rep(1:2, c(500, 1)))
})

test_that("leading eigenvectors are those of the whole matrix, eigenvalues multiple or not", {
    angle <- function(a, b) 1 - min(svd(crossprod(qr.Q(qr(a)), b))$d)
    cases <- list(list(z = groupedLatent(rep(40, 6), 0.02), nn = 7, k = 8),       # six components
        list(z = groupedLatent(rep(30, 12), 0.02), nn = 7, k = 12),
        # joined by least weights
        list(z = groupedLatent(rep(40, 6), 0.02), nn = 41, k = 6),
        list(z = groupedLatent(c(150, 150), 0.7), nn = 7, k = 5),
        # 28 groups, eigenvalues 1e-13 apart
        list(z = groupedLatent(9:36, 0.05, L = 15), nn = 27, k = 7),
        # beyond the groups: too slow
        list(z = groupedLatent(rep(40, 6), 0.005), nn = 47, k = 10))
    for (case in cases) {
        u <- unitRows(case$z)
        W <- denseWeights(infill:::.similarityEdges(u, case$nn), nrow(u))
        S <- W / sqrt(outer(rowSums(W), rowSums(W)))
        full <- eigen(S, symmetric = TRUE)
        expect_gt(full$values[case$k] - full$values[case$k + 1], 2e-13)
        v <- infill:::.leadingVectors(u, case$nn, case$k)
        expect_lt(angle(v, full$vectors[, seq_len(case$k)]), if (nrow(u) > 600) 1e-3 else 1e-8)
        start <- matrix(infill:::.uniforms(nrow(u) * 18, 3, 9) - 0.5, ncol = 18)
        own <- infill:::.largestEigen(S, case$k, start)
        if (case$nn == 47) {
            expect_null(own)
            next
        }
        expect_equal(own$values, full$values[seq_len(case$k)], tolerance = 1e-10)
        expect_lt(max(abs(S %*% own$vectors - own$vectors * rep(own$values, each = nrow(u)))), 1e-6)
        expect_null(infill:::.largestEigen(S, case$k, start, tolerance = 1e-30, turns = 2L))
    }
})

test_that("spectral clustering finds groups apart, near or far, few or many", {
    two <- groupedLatent(c(25, 40))
    found <- spectral(two, 2, 1, 0)
    expect_identical(adjustedRandIndex(found$labels, truth(two)), 1)
    expect_identical(sort(unique(found$labels)), 1:2)
    expect_gt(found$between.total, 0.9)
    expect_identical(spectral(two, 2, 1, 0), found)
    for (sizes in list(rep(30, 6), c(12, 90, 40, 25), rep(60, 5))) {
        z <- groupedLatent(sizes, 0.02)
        expect_identical(adjustedRandIndex(spectral(z, length(sizes), 1, 0)$labels, truth(z)), 1)
        expect_false(is.null(spectral(z, 2, 1, 0)))      # the graph must be joined first
    }
})

test_that("k-means statistics of spectral clustering are those of its labels", {
    z <- groupedLatent(c(20, 20, 20), 0.6)
    graph <- infill:::.spectralGraph(z)
    x <- infill:::.embeddings(graph, 4)[[1L]]
    expect_lt(max(abs(rowSums(x^2) - 1)), 1e-12)
    found <- spectral(z, 4, 1, 0)
    centre <- rowsum(x, found$labels) / as.vector(table(found$labels))
    expect_equal(found$within, sum((x - centre[found$labels, ])^2), tolerance = 1e-10)
    expect_equal(found$between.total, 1 - found$within / sum(scale(x, scale = FALSE)^2),
        tolerance = 1e-10)
})

test_that("duplicated cells count once and share their label; no more groups than cells", {
    z <- groupedLatent(c(10, 14))
    again <- c(1:24, 24:1, 3, 3, 3)
    expect_identical(spectral(z[again, ], 3, 1, 0)$labels, spectral(z, 3, 1, 0)$labels[again])
    expect_null(spectral(z, 24, 1, 0))
    expect_null(spectral(z[again, ], 24, 1, 0))
    expect_null(spectral(z[rep(1, 9), ], 2, 1, 0))
    expect_false(is.null(spectral(z, 23, 1, 0)))
    zero <- matrix(rep(1:12, 5), 12)                     # all constant: all at distance 1
    expect_true(is.null(out <- spectral(zero, 2, 1, 0)) || length(out$labels) == 12L)
})

test_that("one cell very far from a tight group does no harm", {
    # all eigenvectors, or the leading ones alone
    for (size in c(20, 150)) {
        z <- groupedLatent(rep(size, 2), 1e-5)
        # 1e9 times farther than the group is wide, but nearest to it
        far <- z[1, ] + 0.3 * sin(1:10)
        scaled <- 1e6 * z[size + 1, ]
        found <- spectral(rbind(z, far, scaled), 2, 1, 0)
        expect_identical(adjustedRandIndex(found$labels, c(truth(z), 1, 2)), 1)
        expect_true(is.finite(found$within))
    }
    expect_identical(min(infill:::.similarityEdges(unitRows(rbind(z, far)), 7)$weight), 1e-12)
    same <- rbind(outer(2^(1:15), sin(1:10)), outer(2^(1:15), cos(1:10)))    # all D of a group 0
    expect_identical(adjustedRandIndex(spectral(same, 2, 1, 0)$labels, rep(1:2, each = 15)), 1)
    expect_identical(unique(infill:::.similarityEdges(unitRows(same), 7)$weight), dnorm(0))
    # two coordinates: D is 0 or 2
    sides <- cbind(1:20, c(20:11, 1:10 + 0.5))
    expect_identical(adjustedRandIndex(spectral(sides, 2, 1, 0)$labels, sides[, 1] > sides[, 2]), 1)
})

test_that("the number of clusters is that of groups apart", {
    z <- groupedLatent(rep(40, 4), 0.1)
    expect_identical(infill:::.clusterNumber(z, 1, 65536, 5), 4L)
    # subsamples of 500
    expect_identical(infill:::.clusterNumber(groupedLatent(rep(180, 3), 0.1), 1, 65536, 4), 3L)
    expect_identical(infill:::.clusterNumber(z[1:5, ], 1, 65536, 10), 1L)     # kmax = 1
    expect_identical(infill:::.clusterNumber(z[rep(1, 30), ], 1, 65536, 10), 1L)
    expect_identical(infill:::.clusterNumber(z[c(1:3, 41:43), ], 1, 65536, 10), 2L)
})

test_that("k-means from spread starts finds groups that random starts may miss", {
    z <- withSeed(1, matrix(rnorm(400), 200) + c(rep(0, 190), rep(c(30, 60), each = 5)))
    fit <- infill:::.spreadKmeans(z, 3, 5L, 1, 0)
    expect_identical(adjustedRandIndex(fit$cluster, rep(1:3, c(190, 5, 5))), 1)
    expect_equal(sort(as.vector(table(infill:::.spreadKmeans(z[rep(191:192, 10), ], 2, 5L, 1,
        0)$cluster))), c(10, 10))
    expect_null(infill:::.randomKmeans(z[rep(1:2, 10), ], 3, 5L, 1, 0))
    # a start that cannot be is left out
    expect_equal(infill:::.bestKmeans(z, rbind(c(1, 1, 1), c(1, 191, 196)))$tot.withinss,
        fit$tot.withinss)
    expect_null(infill:::.bestKmeans(z, rbind(c(1, 1, 1))))
})

test_that("labels of a latent: the ends, fewer groups with a warning", {
    labels <- function(z, k) infill:::.latentLabels(z, k, 1, 65536)
    z <- groupedLatent(rep(20, 6), 0.1)
    for (k in c(3, 6)) {                                 # k-means, spectral
        some <- z[truth(z) <= k, ]
        expect_identical(labels(some, k), truth(some))   # numbered by first appearance
    }
    expect_identical(labels(z, 1), rep(1L, 120))
    expect_identical(labels(z[c(1:4, 2), ], 4), c(1L, 2L, 3L, 4L, 2L))
    expect_identical(labels(z[1:4, ], 4), 1:4)
    expect_warning(out <- labels(z[c(1:4, 2), ], 9), "4 are taken")
    expect_identical(out, c(1L, 2L, 3L, 4L, 2L))
    expect_warning(out <- labels(z[1:12, ], 12), "11 are taken")
    expect_identical(max(out), 11L)
    expect_warning(out <- labels(z[rep(1, 8), ], 2), "1 are taken")
    expect_identical(out, rep(1L, 8))
    expect_silent(labels(z[rep(1, 8), ], 1))
})

test_that("latents: no matter how many threads, without R's generator; no warning is lost", {
    latents <- list(groupedLatent(rep(4, 3), 0.1), groupedLatent(rep(4, 3), 0.8, seed = 2),
        groupedLatent(rep(4, 3), 1.2, L = 2, seed = 3))
    withSeed(7, {
        before <- .Random.seed
        one <- infill:::.clusterLatents(latents, seed = 5)
        expect_identical(infill:::.clusterLatents(latents, seed = 5, threads = 2L), one)
        infill:::.consensusClusters(one$partitions, 5)
        propagate(latents[[1L]], latents[[1L]], one$partitions[, 1L])
        expect_identical(.Random.seed, before)
    })
    expect_identical(dim(one$partitions), c(12L, 3L))
    expect_type(one$partitions, "integer")
    expect_identical(one$k, apply(one$partitions, 2L, max))
    expect_identical(one$k[1L], 3L)
    expect_identical(infill:::.clusterLatents(latents, k = 6, seed = 5)$k, c(6L, 6L, 6L))
    expect_identical(infill:::.clusterLatents(latents[1L], k = 3)$partitions,
        matrix(truth(latents[[1L]])))
    few <- rep(list(groupedLatent(c(3, 3))), 3)
    for (threads in 1:2) {
        said <- capture_warnings(infill:::.clusterLatents(few, k = 8, threads = threads))
        expect_length(said, 1L)
        expect_match(said, "8 groups")
        expect_error(infill:::.clusterLatents(list(few[[1L]], matrix(letters, 13)), k = 5,
            threads = threads), "non-numeric")
    }
})
