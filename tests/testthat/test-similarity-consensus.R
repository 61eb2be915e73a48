# The consensus of partitions, and its way to the other cells, against literal definitions
# (helper-similarity.R).

test_that("the consensus is the literal one", {
    base <- rep(1:4, c(9, 12, 7, 14))
    for (seed in 1:3) {
        partitions <- vapply(1:9,
            function(p) as.integer(noisyLabels(base, c(0.1, 0.3, 0.6)[p %% 3 + 1], 2 + p %% 4,
            10 * seed + p)), base)
        found <- consensus(partitions, 1)
        ref <- refConsensus(partitions)
        expect_equal(found$weight, ref$w, tolerance = 1e-12)
        expect_identical(found$cluster, infill:::.renumbered(ref$labels(found$k.meta)))
        expect_identical(found$K, max(found$cluster))
        own <- outer(1:9, 1:9,
            Vectorize(function(a, b) adjustedRandIndex(partitions[, a], partitions[, b])))
        diag(own) <- (colSums(own) - 1) / 8
        expect_equal(found$agreement, own, tolerance = 1e-12)
        expect_equal(found$mean.agreement, mean(own[row(own) != col(own)]), tolerance = 1e-12)
        expect_identical(found$chosen,
            which.max(apply(partitions, 2L, adjustedRandIndex, found$cluster)))
    }
})

test_that("a consensus by hand", {
    # A: cells 1 2 together in all, cell 4 with 5 in all, cell 3 once with 1 2, twice with 4 5.
    partitions <- cbind(c(1L, 1L, 1L, 2L, 2L), c(1L, 1L, 2L, 2L, 2L), c(7L, 7L, 3L, 3L, 3L))
    found <- consensus(partitions, 1)
    # A(1 - A) = 2/9 wherever it is not 0: four times for cell 3, once for the others
    expect_equal(found$weight, (4 / 5 * 2 / 9 * c(1, 1, 4, 1, 1) + 0.01) / 1.01, tolerance = 1e-14)
    expect_identical(found$cluster, c(1L, 1L, 2L, 2L, 2L))
    expect_identical(found$chosen, 2L)
    expect_identical(found$k.meta, 3L)
})

test_that("identical partitions give themselves back; order and copies of cells change nothing", {
    base <- rep(c(2L, 1L, 5L), c(10, 20, 5))
    found <- consensus(matrix(base, 35, 9), 1)
    expect_identical(found$cluster, rep(1:3, c(10, 20, 5)))
    expect_identical(found$K, 3L)
    expect_identical(found$chosen, 1L)
    expect_identical(found$mean.agreement, 1)
    expect_equal(found$weight, rep(0.01 / 1.01, 35))
    one <- consensus(matrix(1L, 12, 9), 1)
    expect_identical(one[c("cluster", "K")], list(cluster = rep(1L, 12), K = 1L))

    partitions <- vapply(1:9, function(p) as.integer(noisyLabels(base, 0.4, 4, p)), base)
    found <- consensus(partitions, 1)
    expect_gt(found$K, 1L)
    order <- withSeed(2, sample(35))
    other <- consensus(partitions[order, ], 1)
    expect_identical(other$cluster, infill:::.renumbered(found$cluster[order]))
    expect_identical(other$weight, found$weight[order])
    expect_identical(other[c("K", "chosen", "k.meta")], found[c("K", "chosen", "k.meta")])
    twice <- consensus(partitions[rep(1:35, 2), ], 1)
    expect_identical(twice$cluster, rep(found$cluster, 2))
    expect_equal(twice$weight, rep(found$weight, 2), tolerance = 1e-14)
    expect_identical(consensus(partitions, 1, threads = 2L), found)
    # multiplicities count: cells of one pattern alone repeated are not all cells repeated
    some <- consensus(partitions[c(1:35, rep(1, 60)), ], 1)
    expect_gt(max(abs(some$weight[1:35] - found$weight)), 0.01)
    expect_equal(some$weight, refConsensus(partitions[c(1:35, rep(1, 60)), ])$w, tolerance = 1e-12)
})

test_that("one partition is the result; two are enough", {
    one <- consensus(matrix(c(4L, 4L, 2L, 9L, 2L)), 1)
    expect_identical(one$cluster, c(1L, 1L, 2L, 3L, 2L))
    expect_identical(one[c("K", "chosen", "k.meta", "mean.agreement")],
        list(K = 3L, chosen = 1L, k.meta = NA_integer_, mean.agreement = NA_real_))
    two <- consensus(cbind(rep(1:2, each = 6), rep(1:3, each = 4)), 1)
    expect_length(two$cluster, 12L)
    expect_identical(two$k.meta, 4L)                     # (2 + 3)/2, halves up, and one
})

test_that("the partitions that agree best decide on the number of groups", {
    best <- function(a) {
        diag(a) <- (colSums(a) - diag(a)) / (nrow(a) - 1)
        infill:::.bestAgreeing(a, 1)
    }
    block <- matrix(0.2, 9, 9)
    block[c(2, 4:7), c(2, 4:7)] <- 0.99
    expect_identical(best(block), c(2L, 4:7))
    expect_identical(best(matrix(0.9, 9, 9)), 1:9)       # one group will do
    expect_identical(best(matrix(0.1, 9, 9)), 1:9)       # no groups to be had
    expect_identical(best(matrix(0.1, 2, 2)), 1:2)
    three <- matrix(0.3, 3, 3)
    three[1:2, 1:2] <- 0.95
    expect_identical(best(three), 1:2)
    # alone is not a group, however well it agrees with itself
    pair <- block
    pair[c(1, 3), ] <- pair[, c(1, 3)] <- 0
    expect_identical(best(pair), c(2L, 4:7))
})

test_that("propagation: the vote of the ten nearest, first met on ties, in blocks of any size", {
    sample <- groupedLatent(c(20, 25, 15), 0.7)
    sample[c(4, 30), ] <- 5                              # u = 0
    sample[c(8, 41, 42), ] <- sample[c(8, 8, 8), ]
    all <- rbind(groupedLatent(c(30, 30, 30), 1, seed = 5), sample)
    all[c(3, 50), ] <- -1
    label <- withSeed(3, base::sample(c(3L, 7L, 8L, 11L), 60, replace = TRUE))
    found <- propagate(all, sample, label)
    d <- infill:::.distances(unitRows(all), unitRows(sample))
    expected <- apply(d, 1L, function(r) {
        near <- label[order(r)[1:10]]
        votes <- vapply(near, function(l) sum(near == l), 0L)
        near[which.max(votes)]
    })
    expect_identical(found, unname(expected))
    expect_identical(found[3],
        label[which.max(vapply(label[1:10], function(l) sum(label[1:10] == l), 0L))])
    for (block in c(1, 7, 64, 1e4)) expect_identical(propagate(all, sample, label, block = block),
        found)
    # a tie: the first met
    expect_identical(propagate(all[1:9, ], sample[1:4, ], c(2L, 5L, 5L, 2L))[3], 2L)
    expect_identical(propagate(all[1:9, ], sample[1, , drop = FALSE], 6L), rep(6L, 9))
})

test_that("propagation to the sample itself gives its labels back", {
    z <- groupedLatent(c(10, 30, 11), 0.1)
    expect_identical(propagate(z, z, truth(z)), truth(z))
    far <- groupedLatent(c(10, 30, 11), 0.1) * rep(c(1, 1e6), c(50, 1))
    expect_identical(propagate(far, z, truth(z)), truth(z))
})
