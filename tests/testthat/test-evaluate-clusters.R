# Agreement of partitions, separability, silhouettes.

labels <- function(n, k, seed) withSeed(seed, sample.int(k, n, replace = TRUE))
all5 <- c("arithmetic", "geometric", "max", "min", "joint")

all4 <- c("arithmetic", "geometric", "max", "min")

# partitions that agree in part
pairOf <- function(seed, n = 60, ka = 4, kb = 5) {
    a <- labels(n, ka, seed)
    list(a = a, b = ifelse(labels(n, 2, seed + 50) == 1, a, labels(n, kb, seed + 90)))
}

cells <- withSeed(4,
    log1p(matrix(rpois(50 * 36, 1 + rep(seq(0, 3, length.out = 50), 36) *
    rep(c(0, 0.4, 1), each = 600)), 50)))
types <- rep(c("b", "a", "c"), each = 12)

points <- withSeed(3, matrix(rnorm(70 * 4), 70) + rep(c(0, 2, 0, 1, 3, 0, 0), each = 10))
rownames(points) <- paste0("p", 1:70)

test_that("the adjusted Rand index is that of pair counting and of mclust", {
    for (seed in 1:8) {
        a <- labels(40, c(2, 3, 5, 12)[seed %% 4 + 1], seed)
        b <- ifelse(labels(40, 3, seed + 100) == 1, labels(40, 4, seed + 200), a)
        expect_equal(adjustedRandIndex(a, b), refRand(a, b), tolerance = 1e-12)
        expect_equal(adjustedRandIndex(b, a), adjustedRandIndex(a, b), tolerance = 1e-12)
        if (requireNamespace("mclust", quietly = TRUE)) {
            expect_equal(adjustedRandIndex(a, b), mclust::adjustedRandIndex(a, b),
                tolerance = 1e-12)
        }
    }
})

test_that("limits of the adjusted Rand index", {
    expect_identical(adjustedRandIndex(1:4, letters[4:1]), 1)
    expect_identical(adjustedRandIndex(rep(1, 5), rep("a", 5)), 1)
    expect_identical(adjustedRandIndex(rep(1, 5), 1:5), 0)
    expect_identical(adjustedRandIndex(1, "x"), 1)
    expect_lt(adjustedRandIndex(c(1, 1, 2, 2), c(1, 2, 1, 2)), 0)
    a <- labels(50, 4, 1)
    expect_identical(adjustedRandIndex(a, factor(c("z", "q", "b", "m"))[a]), 1)
    expect_identical(adjustedRandIndex(a == 2, c(0.5, 7)[(a == 2) + 1]), 1)
})

test_that("many classes neither overflow nor need a table", {
    n <- 2e5
    a <- seq_len(n)
    b <- rep(seq_len(n / 2), each = 2)
    expect_equal(adjustedRandIndex(b, b), 1)
    expect_equal(adjustedRandIndex(a, b), 0)
    one <- rep(1:2, n / 2)
    two <- rep(1:2, each = n / 2)
    expect_equal(adjustedRandIndex(one, two), -1 / (n - 2), tolerance = 1e-6)
})

test_that("normalised mutual information is the literal one, in each normalisation", {
    for (seed in 1:6) {
        a <- labels(60, 4, seed)
        b <- ifelse(labels(60, 2, seed + 50) == 1, a, labels(60, 5, seed + 90))
        for (by in all5) {
            expect_equal(normalizedMutualInfo(a, b, by), refMutualInfo(a, b, by), tolerance = 1e-12)
            expect_equal(normalizedMutualInfo(b, a, by), normalizedMutualInfo(a, b, by),
                tolerance = 1e-12)
        }
        expect_identical(normalizedMutualInfo(a, b), normalizedMutualInfo(a, b, "arithmetic"))
    }
})

test_that("limits of normalised mutual information", {
    a <- labels(50, 4, 1)
    for (by in all5) {
        expect_equal(normalizedMutualInfo(a, letters[a], by), 1)
        expect_identical(normalizedMutualInfo(rep(1, 5), rep(2, 5), by), 1)
        expect_identical(normalizedMutualInfo(rep(1, 4), c(1, 1, 2, 2), by), 0)
        expect_equal(normalizedMutualInfo(rep(1:2, 10), rep(1:2, each = 10), by), 0,
            tolerance = 1e-12)
    }
    expect_equal(normalizedMutualInfo(1:8, rep(1:4, each = 2), "min"), 1)
    expect_equal(normalizedMutualInfo(1:8, rep(1:4, each = 2), "max"), log(4) / log(8))
})

test_that("adjusted mutual information is the literal one, in each normalisation", {
    for (seed in 1:6) {
        p <- pairOf(seed, ka = c(2, 4, 20)[seed %% 3 + 1])
        for (by in all4) {
            expect_lt(abs(adjustedMutualInfo(p$a, p$b, by) - refAdjustedMutualInfo(p$a, p$b, by)),
                1e-12)
            expect_equal(adjustedMutualInfo(p$b, p$a, by), adjustedMutualInfo(p$a, p$b, by),
                tolerance = 1e-12)
        }
        expect_identical(adjustedMutualInfo(p$a, p$b), adjustedMutualInfo(p$a, p$b, "arithmetic"))
    }
    # sizes that are far apart, and one class of more than half
    a <- rep(1:4, c(1, 3, 46, 150))
    expect_lt(abs(adjustedMutualInfo(a, rev(a)) - refAdjustedMutualInfo(a, rev(a), "arithmetic")),
        1e-12)
    # by hand, sizes 2, 2 and 2, 1, 1: a pair overlaps by 2, 1, 0 with probabilities 1/6, 2/3, 1/6;
    # a single always by 1
    chance <- 2 * (1 / 6 * 2 / 4 * log(2)) + 4 * (1 / 2 * 1 / 4 * log(2))
    h <- c(log(2), 1.5 * log(2))
    expect_equal(adjustedMutualInfo(c(1, 1, 2, 2), c(1, 1, 2, 3)),
        (log(2) - chance) / (mean(h) - chance), tolerance = 1e-14)
})

test_that("adjusted mutual information of chance is 0, of equal partitions 1", {
    expect_lt(abs(mean(vapply(1:200,
        function(k) adjustedMutualInfo(labels(60, 6, k), labels(60, 4, k + 1000)), 0))), 0.01)
    a <- labels(50, 4, 1)
    for (by in all4) {
        expect_equal(adjustedMutualInfo(a, letters[a], by), 1, tolerance = 1e-12)
        expect_identical(adjustedMutualInfo(1:4, letters[4:1], by), 1)
        expect_identical(adjustedMutualInfo(rep(1, 5), rep("a", 5), by), 1)
        expect_identical(adjustedMutualInfo(rep(1, 5), 1:5, by), 0)
        expect_identical(adjustedMutualInfo(rep(1, 50), a, by), 0)
        expect_identical(adjustedMutualInfo(a, 1:50, by), 0)
        expect_identical(adjustedMutualInfo(1, "x", by), 1)
    }
    expect_lt(adjustedMutualInfo(c(1, 1, 2, 2), c(1, 2, 1, 2)), 0)
    # many classes, and large ones: no factorials, no table
    n <- 2e5
    expect_equal(adjustedMutualInfo(rep(seq_len(n / 2), 2), rep(seq_len(n / 2), each = 2)), 0,
        tolerance = 1e-4)
    expect_lt(abs(adjustedMutualInfo(rep(1:2, n / 2), rep(1:2, each = n / 2))), 1e-5)
})

test_that("adjusted mutual information, and the others, are those of aricode", {
    skip_if_not_installed("aricode")
    for (seed in 1:5) {
        p <- pairOf(seed, 300, 7, 12)
        expect_lt(abs(adjustedMutualInfo(p$a, p$b, "max") - aricode::AMI(p$a, p$b)), 1e-12)
        expect_lt(abs(adjustedRandIndex(p$a, p$b) - aricode::ARI(p$a, p$b)), 1e-12)
        expect_lt(abs(normalizedMutualInfo(p$a, p$b, "max") -
            aricode::NMI(p$a, p$b, variant = "max")), 1e-12)
    }
})

test_that("Fowlkes-Mallows and Jaccard are those of pair counting", {
    for (seed in 1:6) {
        p <- pairOf(seed, ka = c(2, 4, 20)[seed %% 3 + 1])
        n <- refPairs(p$a, p$b)
        expect_equal(fowlkesMallows(p$a, p$b), n[1] / sqrt(n[2] * n[3]), tolerance = 1e-14)
        expect_equal(jaccardPairs(p$a, p$b), n[1] / (n[2] + n[3] - n[1]), tolerance = 1e-14)
        expect_identical(fowlkesMallows(p$b, p$a), fowlkesMallows(p$a, p$b))
        expect_identical(jaccardPairs(p$b, p$a), jaccardPairs(p$a, p$b))
    }
    for (metric in list(fowlkesMallows, jaccardPairs)) {
        expect_identical(metric(labels(50, 4, 1), letters[labels(50, 4, 1)]), 1)
        # as many classes as cells on both sides
        expect_identical(metric(1:4, 4:1), 1)
        expect_identical(metric(rep(1, 5), 1:5), 0)
        expect_identical(metric(1:5, rep(1, 5)), 0)
        expect_identical(metric(rep(1, 5), rep(2, 5)), 1)
        expect_identical(metric(1, 1), 1)
        expect_identical(metric(c(1, 1, 2, 2), c(1, 2, 1, 2)), 0)
    }
    n <- 2e5
    expect_equal(fowlkesMallows(rep(1, n), rep(1:2, n / 2)), sqrt((n / 2 - 1) / (n - 1)),
        tolerance = 1e-14)
})

test_that("purity and accuracy are the literal ones", {
    for (seed in 1:8) {
        p <- pairOf(seed, 40, c(2, 6, 3, 5)[seed %% 4 + 1], 4)
        t <- unclass(table(p$a, p$b))
        expect_equal(purity(p$a, p$b), sum(apply(t, 1, max)) / 40, tolerance = 1e-15)
        expect_equal(clusteringAccuracy(p$a, p$b), refAccuracy(p$a, p$b), tolerance = 1e-15)
        expect_identical(clusteringAccuracy(p$b, p$a), clusteringAccuracy(p$a, p$b))
        expect_lte(clusteringAccuracy(p$a, p$b), purity(p$a, p$b))
    }
    # the best map is not that of the largest counts first: 6 + 6 beats 7 + 0
    a <- rep(c(1, 1, 2), c(7, 6, 6))
    b <- rep(c("x", "y", "x"), c(7, 6, 6))
    expect_identical(clusteringAccuracy(a, b), 12 / 19)
    expect_identical(purity(a, b), 13 / 19)
})

test_that("limits of purity and accuracy", {
    a <- labels(30, 4, 1)
    expect_identical(purity(a, letters[a]), 1)
    expect_identical(clusteringAccuracy(a, letters[a]), 1)
    expect_identical(purity(1:30, a), 1)
    expect_identical(clusteringAccuracy(1:30, a), 4 / 30)
    expect_identical(purity(rep(1, 30), a), max(table(a)) / 30)
    expect_identical(clusteringAccuracy(rep(1, 30), a), max(table(a)) / 30)
    expect_identical(clusteringAccuracy(a, 1:30), 4 / 30)
    expect_identical(clusteringAccuracy("a", 2), 1)
    expect_identical(clusteringAccuracy(1:2000, 2000:1), 1)
})

test_that("the best map is that of clue", {
    skip_if_not_installed("clue")
    for (k in c(5, 12, 30)) {
        p <- pairOf(k, 400, k, k + 3)
        t <- unclass(table(p$a, p$b))
        if (nrow(t) > ncol(t)) t <- t(t)
        best <- sum(t[cbind(seq_len(nrow(t)), as.integer(clue::solve_LSAP(t, maximum = TRUE)))])
        expect_identical(clusteringAccuracy(p$a, p$b), best / 400)
    }
})

test_that("separability is that of the matrix of correlations", {
    ref <- refSeparability(cells, types)
    s <- clusterSeparability(cells, types)
    expect_identical(names(s), c("intra", "inter", "separability"))
    expect_lt(max(abs(s - ref$overall)), 1e-12)
    each <- clusterSeparability(cells, types, by = "type")
    expect_identical(dimnames(each), list(c("b", "a", "c"), names(s)))
    expect_lt(max(abs(each - ref$type)), 1e-12)
    mixed <- withSeed(1, sample(36))
    expect_equal(clusterSeparability(cells[, mixed], types[mixed]), s, tolerance = 1e-13)
    # Pearson's has no scale
    expect_equal(clusterSeparability(cells * 3 + 7, types), s, tolerance = 1e-11)
    expect_equal(clusterSeparability(-cells, factor(types)), s, tolerance = 1e-13)
    for (threads in 2:3) expect_identical(clusterSeparability(cells, types, num.threads = threads),
        s)
    many <- withSeed(5, matrix(rnorm(20 * 150), 20)) + rep(c(0, 1), each = 20) * 1:20
    two <- rep(1:2, 75)
    expect_lt(max(abs(clusterSeparability(many, two) - refSeparability(many, two)$overall)), 1e-12)
    expect_identical(clusterSeparability(many, two, num.threads = 3),
        clusterSeparability(many, two))
})

test_that("separability takes any container, types of one cell, and cells that do not vary", {
    suppressPackageStartupMessages(library(SummarizedExperiment))
    s <- clusterSeparability(cells, types)
    expect_identical(clusterSeparability(sparse(cells), types), s)
    expect_identical(clusterSeparability(delayed(cells), types), s)
    expect_identical(clusterSeparability(SummarizedExperiment(list(logs = cells)), types,
        assay.type = "logs"), s)
    alone <- replace(types, 3, "alone")
    each <- clusterSeparability(cells, alone, by = "type")
    expect_identical(is.na(each["alone", ]), c(intra = TRUE, inter = FALSE, separability = TRUE))
    expect_lt(max(abs(each - refSeparability(cells, alone)$type), na.rm = TRUE), 1e-12)
    expect_identical(clusterSeparability(cells[, c(1, 13)], 1:2, by = "type")[, "intra"],
        c(`1` = NA_real_, `2` = NA_real_))
    flat <- cbind(0, cells, 0.1)
    expect_warning(one <- clusterSeparability(flat, c("b", types, "c")),
        "2 of 38 cells do not vary")
    expect_identical(one, s)
    same <- clusterSeparability(cells[, c(1, 1, 2, 2)], c("a", "a", "b", "b"))
    expect_equal(same[["intra"]], 1)
    expect_equal(same[["inter"]], cor(cells[, 1], cells[, 2]))
})

test_that("medians over random pairs are near those of all, and exact when all are taken", {
    x <- withSeed(6, matrix(rnorm(15 * 400), 15)) + rep(c(0, 1), each = 15) * 1:15
    l <- rep(1:2, 200)
    exact <- clusterSeparability(x, l)
    some <- clusterSeparability(x, l, max.pairs = 5000, seed = 3)
    expect_identical(clusterSeparability(x, l, max.pairs = 5000, seed = 3, num.threads = 2), some)
    expect_false(identical(clusterSeparability(x, l, max.pairs = 5000, seed = 4), some))
    r <- cor(x)[upper.tri(diag(400))]
    same <- outer(l, l, `==`)[upper.tri(diag(400))]
    expect_lt(abs(mean(r[same] < some[["intra"]]) - 0.5), 0.02)
    expect_lt(abs(mean(r[!same] < some[["inter"]]) - 0.5), 0.02)
    # 39,800 and 40,000 pairs
    expect_identical(clusterSeparability(x, l, max.pairs = 40000), exact)
    expect_equal(clusterSeparability(x, l, max.pairs = 39999, seed = 1), exact, tolerance = 0.01)
    old <- withSeed(1, { clusterSeparability(x, l, max.pairs = 50, seed = 1); runif(1) })
    # R's generator is left alone
    expect_identical(old, withSeed(1, runif(1)))
})

test_that("the silhouette width is that of its definition and of cluster", {
    for (k in c(2, 3, 7)) {
        l <- labels(70, k, k)
        each <- silhouetteWidth(points, l, per.point = TRUE)
        expect_lt(max(abs(each - refSilhouette(points, l))), 1e-12)
        expect_identical(names(each), rownames(points))
        expect_equal(silhouetteWidth(points, l), mean(each), tolerance = 1e-14)
        expect_equal(unname(silhouetteWidth(points, paste("type", l), per.point = TRUE)),
            unname(each), tolerance = 1e-14)
        if (requireNamespace("cluster", quietly = TRUE)) {
            theirs <- cluster::silhouette(l, stats::dist(points))[, "sil_width"]
            expect_lt(max(abs(each - theirs)), 1e-12)
        }
    }
})

test_that("a point alone in its cluster has width 0, and threads change nothing", {
    l <- c(99, labels(69, 3, 1))
    each <- silhouetteWidth(points, l, per.point = TRUE)
    expect_identical(each[[1]], 0)
    expect_lt(max(abs(each - refSilhouette(points, l))), 1e-12)
    for (threads in 2:4) expect_identical(silhouetteWidth(points, l, per.point = TRUE,
        num.threads = threads), each)
    expect_identical(silhouetteWidth(points, seq_len(70), per.point = TRUE),
        setNames(numeric(70), rownames(points)))
})

test_that("points in one place, one dimension, and other forms of x", {
    expect_identical(silhouetteWidth(matrix(1, 6, 2), rep(1:2, 3)), 0)
    x <- c(0, 1, 10, 12)
    expect_equal(silhouetteWidth(as.matrix(x), c("a", "a", "b", "b"), per.point = TRUE),
        refSilhouette(as.matrix(x), c("a", "a", "b", "b")), tolerance = 1e-14)
    l <- labels(70, 3, 1)
    expect_identical(silhouetteWidth(as.data.frame(points), l), silhouetteWidth(points, l))
    whole <- round(points)
    storage.mode(whole) <- "integer"
    expect_identical(silhouetteWidth(whole, l), silhouetteWidth(whole + 0, l))
    expect_identical(silhouetteWidth(points, factor(l, levels = 1:9)), silhouetteWidth(points, l))
})

test_messages("arguments of the cluster metrics", {
    counts <- tinyCounts()
    bad(adjustedRandIndex(1:3, 1:4))
    bad(adjustedRandIndex(c(1, NA, NA), 1:3))
    bad(adjustedRandIndex(list(1, 2), 1:2))
    bad(adjustedRandIndex(NULL, 1:2))
    bad(normalizedMutualInfo(1:2, 1:3))
    bad(normalizedMutualInfo(1:2, 1:2, "mean"))
    x <- t(counts)
    bad(silhouetteWidth(x[, 1], 1:8))
    bad(silhouetteWidth(x, 1:3))
    bad(silhouetteWidth(x, rep(1, 8)))
    bad(silhouetteWidth(x, c(NA, 1:7)))
    bad(silhouetteWidth(x * NA, 1:8))
    bad(silhouetteWidth(matrix("a", 8, 2), 1:8))
    bad(silhouetteWidth(x, rep(1:2, 4), per.point = 1))
    bad(silhouetteWidth(x, rep(1:2, 4), num.threads = 0))
    expect_error(silhouetteWidth(x[integer(), ], integer()), "points", class = "infill_error")
})

test_messages("arguments of the other cluster metrics", {
    counts <- tinyCounts()
    with <- tinyWith
    bad(adjustedMutualInfo(1:3, 1:4))
    bad(adjustedMutualInfo(c(1, NA), 1:2))
    bad(adjustedMutualInfo(1:2, 1:2, "joint"))
    bad(fowlkesMallows(1:3, 1:2))
    bad(fowlkesMallows(1:3, c(NA, 1, 1)))
    bad(jaccardPairs(NULL, 1))
    bad(purity(1:3, 1:4))
    bad(purity(list(1), 1))
    bad(clusteringAccuracy(c(1, NA), 1:2))
    bad(clusteringAccuracy(1:3, c("a", "b")))
    bad(clusteringAccuracy(1:8000, 1:8000))
    bad(clusterSeparability(list(counts), 1:8))
    bad(clusterSeparability(counts, 1:3))
    bad(clusterSeparability(counts, c(NA, 1:7)))
    bad(clusterSeparability(counts, rep(1, 8)))
    bad(clusterSeparability(counts, 1:8))
    bad(clusterSeparability(with(NA), rep(1:2, 4)))
    bad(clusterSeparability(with(-Inf), rep(1:2, 4)))
    bad(clusterSeparability(counts[1, , drop = FALSE], rep(1:2, 4)))
    bad(suppressWarnings(clusterSeparability(counts * rep(c(0, 1), each = 12), rep(1:2, 4))))
    bad(clusterSeparability(counts, rep(1:2, 4), by = "cell"))
    bad(clusterSeparability(counts, rep(1:2, 4), max.pairs = 0))
    bad(clusterSeparability(counts, rep(1:2, 4), seed = "a"))
})
