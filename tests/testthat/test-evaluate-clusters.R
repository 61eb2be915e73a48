labels <- function(n, k, seed) withSeed(seed, sample.int(k, n, replace = TRUE))
all5 <- c("arithmetic", "geometric", "max", "min", "joint")

test_that("the adjusted Rand index is that of pair counting and of mclust", {
    for (seed in 1:8) {
        a <- labels(40, c(2, 3, 5, 12)[seed %% 4 + 1], seed)
        b <- ifelse(labels(40, 3, seed + 100) == 1, labels(40, 4, seed + 200), a)
        expect_equal(adjustedRandIndex(a, b), refRand(a, b), tolerance = 1e-12)
        expect_equal(adjustedRandIndex(b, a), adjustedRandIndex(a, b), tolerance = 1e-12)
        if (requireNamespace("mclust", quietly = TRUE)) {
            expect_equal(adjustedRandIndex(a, b), mclust::adjustedRandIndex(a, b), tolerance = 1e-12)
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
            expect_equal(normalizedMutualInfo(b, a, by), normalizedMutualInfo(a, b, by), tolerance = 1e-12)
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
        expect_equal(normalizedMutualInfo(rep(1:2, 10), rep(1:2, each = 10), by), 0, tolerance = 1e-12)
    }
    expect_equal(normalizedMutualInfo(1:8, rep(1:4, each = 2), "min"), 1)
    expect_equal(normalizedMutualInfo(1:8, rep(1:4, each = 2), "max"), log(4) / log(8))
})

points <- withSeed(3, matrix(rnorm(70 * 4), 70) + rep(c(0, 2, 0, 1, 3, 0, 0), each = 10))
rownames(points) <- paste0("p", 1:70)

test_that("the silhouette width is that of its definition and of cluster", {
    for (k in c(2, 3, 7)) {
        l <- labels(70, k, k)
        each <- silhouetteWidth(points, l, per.point = TRUE)
        expect_lt(max(abs(each - refSilhouette(points, l))), 1e-12)
        expect_identical(names(each), rownames(points))
        expect_equal(silhouetteWidth(points, l), mean(each), tolerance = 1e-14)
        expect_equal(unname(silhouetteWidth(points, paste("type", l), per.point = TRUE)), unname(each), tolerance = 1e-14)
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
    for (threads in 2:4) expect_identical(silhouetteWidth(points, l, per.point = TRUE, num.threads = threads), each)
    expect_identical(silhouetteWidth(points, seq_len(70), per.point = TRUE), setNames(numeric(70), rownames(points)))
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
