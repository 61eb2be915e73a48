# An oversmoother: each cell becomes the mean of its 500 nearest neighbours, or of all cells.
smoothed <- function(counts, k = 500) {
    n <- ncol(counts)
    if (n <= k) return(counts * 0 + rowMeans(counts))
    logs <- log1p(t(counts) / colSums(counts) * median(colSums(counts)))
    near <- cbind(seq_len(n), FNN::get.knn(logs, k - 1)$nn.index)
    vapply(seq_len(n), function(c) rowMeans(counts[, near[c, ]]), numeric(nrow(counts)))
}

# genes x cells in three groups, with differences of 80 of the genes
grouped <- function(genes = 160, cells = 240, seed = 1) withSeed(seed, {
    group <- rep(1:3, length.out = cells)
    mean <- rexp(genes, 1 / 3) + 0.3
    effect <- matrix(1, genes, 3)
    effect[seq_len(genes %/% 2), ] <- exp(rnorm(genes %/% 2 * 3))
    rate <- mean * effect[, group] * rep(rlnorm(cells, 0, 0.3), each = genes) * rgamma(genes * cells, 8, 8)
    list(counts = matrix(rpois(genes * cells, rate), genes, dimnames = list(paste0("g", 1:genes), NULL)), group = group, rate = rate)
})
data <- grouped()
counts <- data$counts

test_that("shuffled genes keep their counts, and lose everything else", {
    s <- sparse(counts)
    new <- infill:::.shuffled(s, 1)
    expect_s4_class(new, "dgCMatrix")
    expect_identical(dimnames(new), dimnames(s))
    expect_true(validObject(new))
    for (g in 1:160) expect_identical(sort(new[g, ]), sort(s[g, ]))
    expect_identical(infill:::.shuffled(s, 1), new)
    expect_false(identical(infill:::.shuffled(s, 2), new))
    one <- matrix(c(5, 3, rep(0, 8)), 1)                          # any pair of cells, as likely as another
    at <- vapply(1:900, function(seed) { v <- as.vector(infill:::.shuffled(sparse(one), seed)); c(which(v == 5), which(v == 3)) }, c(0L, 0L))
    seen <- table(factor(at[1, ], 1:10), factor(at[2, ], 1:10))
    expect_true(all(diag(seen) == 0))
    chi <- sum((seen[row(seen) != col(seen)] - 10)^2 / 10)
    expect_lt(chi, qchisq(1 - 1e-5, 89))
})

test_that("Wilcoxon's z of many splits is that of wilcox.test", {
    m <- matrix(withSeed(1, rpois(5 * 31, 2)), 5)
    m[5, ] <- 1
    halves <- withSeed(2, matrix(runif(62) < 0.4, 31))
    r <- infill:::.rankSums(m, halves)
    for (g in 1:4) for (k in 1:2) {
        w <- wilcox.test(m[g, halves[, k]], m[g, !halves[, k]], exact = FALSE)
        expect_equal(r$W[g, k], unname(w$statistic), tolerance = 1e-12)
        expect_equal(2 * pnorm(-abs(r$z[g, k])), w$p.value, tolerance = 1e-12)
    }
    expect_true(all(is.na(r$z[5, ])))
})

test_that("an oversmoother is red, raw counts and the gene mean are green", {
    raw <- permutationCheck(counts, identity, seed = 1)
    expect_s3_class(raw, c("permutationCheck", "data.frame"), exact = TRUE)
    expect_identical(names(raw), c("test", "n", "before", "after", "verdict"))
    expect_identical(raw$test, c("pairs", "genes", "markers"))
    expect_identical(raw$n, c(160 * 159 / 2, 160, 160))
    expect_identical(raw$before, raw$after)
    expect_lt(max(raw$before), 0.005)
    expect_identical(verdict(raw), "green")
    all <- permutationCheck(counts, smoothed, seed = 1)
    expect_identical(verdict(all), "red")
    expect_gt(all$after[1], 0.99)
    expect_identical(all$before, raw$before)
    expect_identical(verdict(permutationCheck(grouped(100, 560, 2)$counts, smoothed, seed = 1)), "red")
    expect_identical(verdict(permutationCheck(counts, smoothed, k = 60, seed = 1)), "red")
    for (keep in c("none", "observed")) {
        p <- permutationCheck(counts, GeneMeanParam(), keep = keep, seed = 1)
        expect_identical(verdict(p), "green")
    }
    expect_identical(p, permutationCheck(counts, GeneMeanParam(), keep = keep, seed = 1))
    expect_equal(permutationCheck(sparse(counts), GeneMeanParam(), keep = keep, seed = 1), p)
    said <- capture.output(print(all))
    expect_match(said[1], "out of shuffled counts by a function: red")
    expect_match(said[2], "0.00 % ->  100.00 %  red")
    expect_match(capture.output(print(raw))[5], "no structure")
    expect_output(print(as.data.frame(raw)[1:2]), "test")
    expect_output(print(raw[, c("test", "after")]), "markers")
    kept <- permutationCheck(counts, function(x) { expect_true(is.matrix(x)); x }, n.genes = 7, seed = 1)
    expect_identical(kept$n, c(21, 7, 7))
    permutationCheck(sparse(counts), function(x) { expect_s4_class(x, "dgCMatrix"); x }, n.genes = 7, seed = 1)
})

test_that("a network that fills zeros only is not red on simulated groups", {
    skip_if_not_installed("SingleCellExperiment")
    x <- simulateCounts(n.genes = 300, n.cells = 300, de.prob = 0.2, seed = 3)
    param <- DeepImputeParam(max.iter = 30, network.size = 150)
    expect_false(verdict(permutationCheck(x, param, seed = 1)) == "red")
    gauge <- smoothingGauge(infill(x, param, seed = 1), seed = 1)
    expect_false(verdict(gauge) == "red")
    raw <- SummarizedExperiment::assay(x, "counts")
    expect_identical(smoothingGauge(raw, SummarizedExperiment::assay(infill(x, param, seed = 1), "infilled"), seed = 1), gauge)
    mc <- smoothingGauge(raw, infill(raw, DeepMcParam(), keep = "none", seed = 1), clusters = x$group, seed = 1)
    expect_false(verdict(mc) == "red")
})

test_that("the gauge: raw counts keep all, rates the signal, an oversmoother nothing", {
    raw <- smoothingGauge(counts, counts, seed = 1)
    expect_s3_class(raw, c("smoothingGauge", "data.frame"), exact = TRUE)
    expect_identical(names(raw), c("detected", "signal", "before", "after", "kept", "between", "rank"))
    expect_identical(verdict(raw), "green")
    expect_setequal(rownames(raw), rownames(counts))
    expect_equal(raw$detected, unname(rowSums(counts > 0)[rownames(raw)]))
    expect_false(is.unsorted(-raw$detected))
    expect_identical(raw$before, raw$after)
    expect_true(all(raw$rank == 1))
    expect_true(all(raw$kept > 0.9, na.rm = TRUE))
    rate <- smoothingGauge(counts, data$rate, clusters = data$group, seed = 1)
    expect_identical(verdict(rate), "green")
    expect_lt(abs(median(rate$between, na.rm = TRUE) - 1), 0.4)
    expect_lt(median(rate$kept, na.rm = TRUE), median(raw$kept, na.rm = TRUE))
    high <- which(rowMeans(counts) > 5)                             # where the logarithm hides nothing
    expect_lt(abs(median(rate[rownames(counts)[high], "kept"], na.rm = TRUE) - 1), 0.3)
    changed <- !is.na(rate$between)
    differ <- rownames(rate) %in% paste0("g", 1:80)
    expect_gt(mean(changed[differ]), 0.5)
    expect_lt(mean(changed[!differ]), 0.3 * mean(changed[differ]))      # 0.10 to 0.15 against 0.64 to 0.68 over eight seeds
    for (f in list(smoothed(counts), smoothed(counts, 180), infill(counts, GeneMeanParam(), keep = "none"))) {
        expect_identical(verdict(smoothingGauge(counts, f, seed = 1)), "red")
    }
    expect_true(all(smoothingGauge(counts, smoothed(counts), seed = 1)$after == 0))
    big <- grouped(100, 560, 2)$counts
    expect_identical(verdict(smoothingGauge(big, smoothed(big), seed = 1)), "red")
    means <- vapply(1:3, function(k) rowMeans(counts[, data$group == k]), numeric(160))[, data$group]
    expect_identical(verdict(smoothingGauge(counts, means, clusters = data$group, seed = 1)), "yellow")
    filled <- smoothingGauge(counts, infill(counts, GeneMeanParam()), seed = 1)
    expect_lt(median(filled$between, na.rm = TRUE), 0.9 * median(raw$between, na.rm = TRUE))   # zeros that were real
    expect_match(capture.output(print(raw))[1], "left after filling in: green")
    expect_output(print(filled[1:3, c("signal", "rank")]), "signal")
    expect_identical(smoothingGauge(counts, counts, seed = 1), raw)
    withSeed(3, { before <- .Random.seed; smoothingGauge(counts, counts, seed = 1); expect_identical(.Random.seed, before) })
    noise <- withSeed(4, matrix(rpois(50 * 100, 3), 50))             # nothing but noise: hardly a gene can be judged
    expect_lt(mean(!is.na(smoothingGauge(noise, noise, seed = 1)$kept)), 0.1)
    expect_identical(verdict(smoothingGauge(counts, counts, clusters = rep(1, 240), seed = 1)), "green")
    expect_equal(smoothingGauge(counts, delayed(counts + 0), seed = 1), raw)
})

test_that("ranks within clusters are Spearman's", {
    filled <- counts * 0.5 + withSeed(5, rexp(length(counts)))
    g <- smoothingGauge(counts, filled, clusters = data$group, min.cells = 10, seed = 1)
    size <- function(m) { t <- colSums(m); t / median(t) }
    u <- t(t(counts) / size(counts))
    v <- t(t(filled) / size(filled))
    for (gene in rownames(g)[c(1, 50, 150)]) {
        at <- split(which(counts[gene, ] > 0), data$group[counts[gene, ] > 0])
        at <- at[lengths(at) >= 10]
        rho <- vapply(at, function(k) suppressWarnings(cor(u[gene, k], v[match(gene, rownames(counts)), k], method = "spearman")), 0)
        expect_equal(g[gene, "rank"], sum(rho * lengths(at)) / sum(lengths(at)), tolerance = 1e-3)
    }
})

test_that("held-out molecules: the truth is calibrated", {
    m <- maskCounts(counts, "molecules", fraction = 0.2, seed = 1)
    h <- hiddenEntries(m)
    test <- counts * 0
    test[cbind(h$row, h$col)] <- h$value
    kept <- maskedData(m)
    truth <- data$rate * 0.8
    table <- calibrationTable(m, truth)
    expect_identical(names(table), c("bin", "lower", "upper", "n", "predicted", "observed", "ratio", "se"))
    expect_identical(table$bin, 1:10)
    expect_true(all(abs(table$predicted - table$observed) < 5 * table$se))
    expect_equal(sum(table$n), length(counts))
    bin <- cut(rowMeans(kept), quantile(rowMeans(kept), 0:10 / 10), include.lowest = TRUE, labels = FALSE)
    expect_equal(table$observed, as.vector(tapply(rowMeans(test), bin, mean)), tolerance = 1e-12)
    expect_equal(table$predicted, as.vector(tapply(rowMeans(truth), bin, mean)) / 4, tolerance = 1e-12)
    expect_equal(table$ratio, table$predicted / table$observed)
    expect_equal(table$se[1], sd(test[bin == 1, ]) / sqrt(table$n[1]), tolerance = 1e-3)
    expect_lt(max(abs(calibrationTable(m, kept)$ratio - 1)), 0.3)
    zeros <- calibrationTable(m, kept, entries = "zeros")
    expect_true(all(zeros$predicted == 0))
    expect_equal(sum(zeros$n), sum(kept == 0))
    value <- calibrationTable(m, truth, by = "value", bins = 4)
    expect_identical(nrow(value), 4L)
    expect_true(all(abs(value$predicted - value$observed) < 5 * value$se))
    expect_lt(max(abs(value$n - length(counts) / 4)), 3)
    twice <- calibrationTable(m, 2 * truth, subset.row = c("g1", "g2"), bins = 1)
    expect_equal(twice$n, 480)
    expect_equal(twice$predicted, mean(truth[1:2, ]) / 2)
    expect_identical(nrow(calibrationTable(m, kept, by = "value", entries = "zeros")), 1L)
    d <- delayed(truth)
    expect_equal(calibrationTable(m, d), table)
    skip_if_not_installed("ggplot2")
    p <- plotCalibration(table)
    expect_s3_class(p, "ggplot")
    expect_identical(nrow(ggplot2::ggplot_build(p)$data[[2]]), 10L)
})
