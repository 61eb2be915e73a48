counts <- smallCounts(60, 40)
groups <- rep(c("b", "a"), c(25, 15))

test_that("tests of genes are those of stats", {
    x <- rbind(withSeed(1, matrix(rnorm(20 * 40), 20)) + rep(c(0, 1), each = 10), counts / 3, 1e6 + counts)
    x[3, ] <- 7                                                   # constant
    x[4, ] <- ifelse(groups == "a", 1, 2)                         # constant in the groups
    x[5, ] <- round(x[5, ])                                       # ties
    rownames(x) <- paste0("r", seq_len(nrow(x)))
    w <- geneTests(x, groups, logged = TRUE)
    t <- geneTests(x, groups, "t", logged = TRUE)
    expect_identical(names(w), c("statistic", "p.value", "adjusted", "log.fc"))
    expect_identical(rownames(w), rownames(x))
    a <- groups == "a"
    for (g in seq_len(nrow(x))) {
        want <- suppressWarnings(wilcox.test(x[g, a], x[g, !a], exact = FALSE))
        expect_equal(w$statistic[g], unname(want$statistic), tolerance = 1e-12)
        expect_equal(w$p.value[g], if (is.nan(want$p.value)) NA_real_ else want$p.value, tolerance = 1e-12)
        want <- tryCatch(t.test(x[g, a], x[g, !a]), error = function(e) list(statistic = NA_real_, p.value = NA_real_))
        expect_equal(t$statistic[g], unname(want$statistic), tolerance = 1e-12)
        expect_equal(t$p.value[g], want$p.value, tolerance = 1e-12)
        expect_equal(t$log.fc[g], mean(x[g, a]) - mean(x[g, !a]), tolerance = 1e-12)
    }
    expect_identical(which(is.na(w$p.value)), unname(which(apply(x, 1, sd) == 0)))
    expect_identical(w$adjusted, p.adjust(w$p.value, "BH"))
    expect_identical(t$log.fc, w$log.fc)
    fc <- geneTests(counts, groups)$log.fc
    expect_equal(fc, unname(log2((rowMeans(counts[, a]) + 1) / (rowMeans(counts[, !a]) + 1))), tolerance = 1e-12)
    order <- geneTests(counts, factor(groups, c("b", "a", "z")))
    expect_equal(order$log.fc, -fc)
    expect_equal(order$p.value, geneTests(counts, groups)$p.value)
    expect_identical(geneTests(sparse(counts), groups), geneTests(counts, groups))
    expect_equal(geneTests(delayed(counts), groups), geneTests(counts, groups))
    some <- groups
    some[c(1:5, 30:40)] <- NA
    expect_equal(geneTests(counts, some, "t"), geneTests(counts[, !is.na(some)], some[!is.na(some)], "t"))
    one <- geneTests(counts, c("a", rep("b", 39)), "t")
    expect_true(all(is.na(one$p.value)))
    far <- matrix(rep(c(0, 1e3), c(400, 400)) + (1:800) / 1e3, 1)    # p that is 0 in double precision
    expect_identical(geneTests(far, rep(1:2, each = 400), "t")$p.value, 0)
})

test_that("blocks of genes make no difference", {
    x <- withSeed(1, matrix(rnorm(5e4), 50))
    parts <- infill:::.overGenes(x, "x", function(b) dim(b))
    expect_identical(parts, list(c(50L, 1000L)))
    wide <- withSeed(1, matrix(rpois(2.2e6 * 3, 1), 3))
    expect_length(infill:::.overGenes(wide, "x", nrow), 3L)
    g <- rep(1:2, 1.1e6)
    expect_equal(geneTests(wide, g, "t")$statistic[2], unname(t.test(wide[2, g == 1], wide[2, g == 2])$statistic), tolerance = 1e-12)
})

test_that("differential genes against bulk", {
    true <- seq_len(60) <= 20
    x <- counts
    x[true, groups == "a"] <- x[true, groups == "a"] * 3 + 2
    size <- colSums(x) / median(colSums(x))
    for (test in c("wilcoxon", "t")) {
        got <- genesAgainstBulk(x, groups, true, test)
        p <- geneTests(log1p(t(t(x) / size)), groups, test, logged = TRUE)$p.value
        p[is.na(p)] <- 1
        called <- p.adjust(p, "BH") < 0.05
        expect_identical(names(got), c("genes", "true", "called", "auc", "accuracy", "precision", "recall", "f1"))
        expect_identical(unlist(got[1:3], use.names = FALSE), c(60L, 20L, sum(called)))
        pairs <- outer(-log(p[true]), -log(p[!true]), function(a, b) (a > b) + (a == b) / 2)
        expect_equal(got$auc, mean(pairs), tolerance = 1e-12)
        expect_equal(got$accuracy, mean(called == true))
        expect_equal(got$precision, mean(true[called]))
        expect_equal(got$recall, mean(called[true]))
        tp <- sum(true & called)
        expect_equal(got$f1, tp / (tp + (sum(called & !true) + sum(!called & true)) / 2))
    }
    names(true) <- rownames(counts)
    some <- true[c(50:5)]
    expect_equal(genesAgainstBulk(x, groups, some), genesAgainstBulk(x, groups, replace(true, c(1:4, 51:60), NA)))
    expect_identical(genesAgainstBulk(x, groups, some)$genes, 46L)
    expect_identical(genesAgainstBulk(x, groups, !logical(60))$auc, NA_real_)
    p <- geneTests(x, groups)$p.value
    p <- p.adjust(replace(p, is.na(p), 1), "BH")
    expect_identical(genesAgainstBulk(x, groups, true, scale = "none", alpha = 0.2)$called, sum(p < 0.2))
})

test_that("zeros by bulk expression", {
    bulk <- c(rep(0, 12), seq_len(48))
    filled <- infill(counts, GeneMeanParam())
    z <- zerosByBulk(counts, filled, bulk, bins = 4)
    expect_identical(names(z), c("bin", "lower", "upper", "genes", "before", "after", "kept", "log.after"))
    expect_identical(z$bin, 0:4)
    expect_identical(z$genes, rep(12L, 5))
    expect_equal(z$lower, c(0, quantile(1:48, 0:3 / 4, names = FALSE)))
    expect_equal(z$upper, c(0, quantile(1:48, 1:4 / 4, names = FALSE)))
    for (k in 0:4) {
        at <- 12 * k + 1:12
        expect_equal(z$before[k + 1], mean(counts[at, ] == 0))
        expect_equal(z$after[k + 1], mean(filled[at, ] == 0))
    }
    expect_equal(z$kept, z$after / z$before)
    expect_equal(z$log.after, log(z$after))
    expect_true(all(zerosByBulk(counts, counts, bulk)$kept == 1))
    expect_true(all(zerosByBulk(counts, counts, bulk, threshold = Inf)$after == 1))
    named <- setNames(bulk, rownames(counts))
    expect_identical(zerosByBulk(counts, filled, rev(named), bins = 4), z)
    expect_identical(zerosByBulk(counts, filled, cbind(bulk, bulk + 100, 0 * bulk), bins = 4), z)
    own <- zerosByBulk(counts, filled, replace(bulk, 60, NA), bins = c(0, 10, 20))
    expect_identical(own$genes, c(12L, 10L, 10L))
    expect_identical(own$upper, c(0, 10, 20))
    expect_identical(zerosByBulk(counts, filled, 0 * bulk)$genes, 60L)
    expect_identical(zerosByBulk(counts, filled, 0 * bulk + 5, bins = 3)$genes, 60L)
    suppressPackageStartupMessages(library(SummarizedExperiment))
    x <- infill(SummarizedExperiment(list(counts = counts)), GeneMeanParam())
    expect_identical(zerosByBulk(x, bulk = bulk, bins = 4), z)
    expect_equal(zerosByBulk(counts, delayed(plain(filled)), bulk, bins = 4), z)
})

test_that("the plot of variation has the coefficients of geneCv", {
    skip_if_not_installed("ggplot2")
    filled <- infill(counts, GeneMeanParam())
    p <- plotCv(counts, filled, groups)
    d <- p$data
    b <- geneCv(counts, groups)
    a <- geneCv(filled, groups)
    there <- !is.na(b) & !is.na(a)
    expect_equal(d$cv[d$when == "before"], b[there])
    expect_equal(d$cv[d$when == "after"], a[there])
    expect_identical(levels(d$group), c("a", "b"))
    expect_length(unique(ggplot2::ggplot_build(p)$data[[1]]$x), 4L)
    expect_identical(levels(plotCv(counts, filled)$data$group), "all")
})

test_that("FISH: worked by hand", {
    level <- c(GAPDH = 30, A = 2, B = 8, C = 20)
    make <- function(n, f, seed) withSeed(seed, {
        size <- rlnorm(n, 0, 0.3)
        matrix(rpois(4 * n, level * f * rep(size, each = 4)), 4, dimnames = list(names(level), NULL))
    })
    fish <- make(200, 1, 1) + 0
    fish["B", 1:50] <- NA
    fish["GAPDH", 200] <- NA
    x <- make(300, 0.4, 2)[c(3, 1, 4, 2), ]
    got <- giniAgainstFish(x, fish)
    h <- fish["GAPDH", ]
    q <- quantile(h, c(0.1, 0.9), na.rm = TRUE)
    keep <- which(h > q[1] & h < q[2])
    b <- fish["B", keep] / (h[keep] / mean(h[keep]))
    b <- b[!is.na(b)]
    hx <- x["GAPDH", ]
    qx <- quantile(hx, c(0.1, 0.9))
    kx <- which(hx > qx[1] & hx < qx[2])
    bx <- x["B", kx] / (hx[kx] / mean(hx[kx]))
    row <- got$genes[got$genes$gene == "B", ]
    expect_setequal(got$genes$gene, c("A", "B", "C"))
    expect_identical(c(row$cells, row$cells.fish), c(length(kx), length(b)) + 0)
    gini <- function(v) { v <- sort(v); n <- length(v); sum((2 * seq_len(n) - n - 1) * v) / n / sum(v) }
    expect_equal(row$gini, gini(bx), tolerance = 1e-6)
    expect_equal(row$gini.fish, gini(b), tolerance = 1e-6)
    expect_equal(row$ks, unname(suppressWarnings(ks.test(bx * mean(b) / mean(bx), b)$statistic)), tolerance = 1e-6)
    expect_equal(got$summary$mse, mean((got$genes$gini - got$genes$gini.fish)^2))
    expect_equal(got$summary$pearson, cor(got$genes$gini, got$genes$gini.fish))
    expect_identical(got$summary$genes, 3L)
    x["A", ] <- 0
    none <- giniAgainstFish(x, fish)$genes
    expect_true(is.na(none$ks[none$gene == "A"]))
    expect_equal(giniAgainstFish(sparse(x), fish)$genes$ks, none$ks)
})

test_that("bulk with dropout: shares, correlations, and an exact filling", {
    bulk <- withSeed(1, matrix(rpois(80 * 25, rexp(80) * 300 * rlnorm(80 * 25, 0, 0.3)), 80))
    seen <- NULL
    oracle <- function(left) { seen <<- c(seen, list(left)); bulk }
    d <- bulkDropout(bulk, params = list(truth = oracle, GeneMeanParam()), seed = 1)
    expect_identical(names(d), c("fraction", "zeros", "method", "pearson", "lower", "upper"))
    expect_identical(d$method, rep(c("raw", "truth", "GeneMean"), 3))
    expect_identical(d$fraction, rep(c(0.5, 0.6, 0.7), each = 3))
    expect_lt(max(abs(d$zeros - d$fraction)), 0.01)
    expect_equal(d$pearson[d$method == "truth"], rep(1, 3))
    raw <- d$pearson[d$method == "raw"]
    expect_true(all(diff(raw) < 0))
    left <- seen[[2]]
    expect_equal(raw[2], median(vapply(1:25, function(s) cor(log1p(left[, s]), log1p(bulk[, s])), 0)))
    expect_equal(bulkDropout(bulk, 0.6, oracle, "counts", seed = 1)$pearson[1],
        median(vapply(1:25, function(s) cor(left[, s], bulk[, s]), 0)))
    expect_identical(left, round(left))
    expect_true(all(left <= bulk & left >= 0))
    expect_true(all((seen[[3]] > 0) <= (left > 0)))               # the noise is the same, only more of it
    expect_identical(bulkDropout(bulk, 0.5, GeneMeanParam(), seed = 1)$pearson, d$pearson[c(1, 3)])
    bulkDropout(bulk / 7, 0.5, oracle, seed = 1)
    half <- seen[[length(seen)]]
    expect_false(all(half == round(half)))
    expect_equal(mean(half == 0), 0.5)
    expect_identical(nrow(bulkDropout(bulk, 0.5, DeepMcParam(ranks = c(20, 10)), seed = 1, keep = "none")), 2L)
})

test_that("exponential noise is exponential", {
    bulk <- matrix(1000.5, 50, 100)
    left <- NULL
    bulkDropout(bulk, 0.01, function(x) { left <<- x; x }, seed = 3)
    noise <- (1000.5 - left)[left > 0]
    c <- max(noise) / -log(0.01)                                  # 1 % are above the largest that is seen
    expect_gt(ks.test(noise / c, function(q) pexp(q) / 0.99)$p.value, 1e-4)
})

test_that("edges against a reference", {
    found <- data.frame(gene1 = c("a", "b", "c", "b", "d", "a"), gene2 = c("b", "a", "x", "c", "d", "d"), probability = 1)
    known <- data.frame(gene1 = c("b", "d", "e", "c", "a"), gene2 = c("a", "c", "a", "d", "a"))
    e <- edgesAgainst(found, known)
    # found: ab, cx, bc, ad; known: ab, cd, ae. x is unknown there, e here
    expect_identical(e$edges.all, 4L)
    expect_identical(e$reference.all, 3L)
    expect_identical(c(e$edges, e$reference, e$common), c(3L, 2L, 1L))
    expect_equal(c(e$precision, e$recall, e$f1), c(1 / 3, 1 / 2, 2 / 5))
    expect_identical(c(e$genes.not.in.reference, e$genes.not.in.edges), c(1L, 1L))
    expect_identical(attr(e, "missing"), list(from.reference = "x", from.edges = "e"))
    more <- edgesAgainst(found, known, genes = c("a", "e", "z"))
    expect_identical(more$reference, 3L)
    expect_setequal(attr(more, "missing")$from.reference, c("x", "z"))
    factors <- data.frame(gene1 = factor(found$gene1), gene2 = factor(found$gene2))
    expect_identical(edgesAgainst(factors, known), e)
    expect_identical(edgesAgainst(found[, 2:1][, c("gene1", "gene2")], known), e)
    none <- edgesAgainst(found[0, ], known)
    expect_identical(none$common, 0L)
    expect_true(is.nan(none$precision))
})

test_that("zeros by bin, drawn", {
    skip_if_not_installed("ggplot2")
    bulk <- c(rep(0, 12), seq_len(48))
    z <- zerosByBulk(counts, infill(counts, GeneMeanParam()), bulk, bins = 4)
    p <- plotZeros(z)
    expect_s3_class(ggplot2::ggplot_build(p)$plot, "ggplot")
    expect_equal(p$data$share, c(z$before, z$after))
    expect_identical(levels(p$data$bin), c("none", "1 to 12.8", "12.8 to 24.5", "24.5 to 36.2", "36.2 to 48"))
    two <- plotZeros(list(mean = z, none = zerosByBulk(counts, counts, bulk, bins = 4)))
    expect_identical(levels(two$data$what), c("before", "mean", "none"))
    close <- plotZeros(zerosByBulk(counts, counts, bulk = c(rep(0, 12), 10000 + 1:48), bins = 4))
    expect_identical(levels(close$data$bin)[2:3], c("10000 to 10010", "10010 to 10020"))
    for (wrong in list(list(z), list(before = z), list(a = z, a = z))) expect_error(plotZeros(wrong), "a name of its own for each method", class = "infill_error")
    expect_error(plotZeros(counts), "zerosByBulk", class = "infill_error")
    expect_error(plotZeros(list(a = z, b = z[-1, ])), "same counts and bins", class = "infill_error")
})
