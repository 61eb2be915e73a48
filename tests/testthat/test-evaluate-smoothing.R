# smoothingGauge().

data <- grouped()
counts <- data$counts

test_that("the gauge: raw counts keep all, rates the signal, an oversmoother nothing", {
    raw <- smoothingGauge(counts, counts, seed = 1)
    expect_s3_class(raw, "SmoothingGauge", exact = TRUE)
    expect_identical(names(raw$genes), c("detected", "signal", "before", "after", "kept", "between",
        "rank"))
    expect_identical(raw$verdict, "green")
    expect_setequal(rownames(raw$genes), rownames(counts))
    expect_equal(raw$genes$detected, unname(rowSums(counts > 0)[rownames(raw$genes)]))
    expect_false(is.unsorted(-raw$genes$detected))
    expect_identical(raw$genes$before, raw$genes$after)
    expect_true(all(raw$genes$rank == 1))
    expect_true(all(raw$genes$kept > 0.9, na.rm = TRUE))
    rate <- smoothingGauge(counts, data$rate, labels = data$group, seed = 1)
    expect_identical(rate$verdict, "green")
    expect_lt(abs(median(rate$genes$between, na.rm = TRUE) - 1), 0.4)
    expect_lt(median(rate$genes$kept, na.rm = TRUE), median(raw$genes$kept, na.rm = TRUE))
    # where the logarithm hides nothing
    high <- which(rowMeans(counts) > 5)
    expect_lt(abs(median(rate$genes[rownames(counts)[high], "kept"], na.rm = TRUE) - 1), 0.3)
    changed <- !is.na(rate$genes$between)
    differ <- rownames(rate$genes) %in% paste0("g", 1:80)
    expect_gt(mean(changed[differ]), 0.5)
    # 0.10 to 0.15 against 0.64 to 0.68 over eight seeds
    expect_lt(mean(changed[!differ]), 0.3 * mean(changed[differ]))
    for (f in list(smoothed(counts), smoothed(counts, 180),
        infill(counts, GeneMeanParam(), keep = "none"))) {
        expect_identical(smoothingGauge(counts, f, seed = 1)$verdict, "red")
    }
    expect_true(all(smoothingGauge(counts, smoothed(counts), seed = 1)$genes$after == 0))
    big <- grouped(100, 560, 2)$counts
    expect_identical(smoothingGauge(big, smoothed(big), seed = 1)$verdict, "red")
    means <- vapply(1:3, function(k) rowMeans(counts[, data$group == k]), numeric(160))[,
        data$group]
    expect_identical(smoothingGauge(counts, means, labels = data$group, seed = 1)$verdict,
        "yellow")
    filled <- smoothingGauge(counts, infill(counts, GeneMeanParam()), seed = 1)
    # zeros that were real
    expect_lt(median(filled$genes$between, na.rm = TRUE), 0.9 * median(raw$genes$between, na.rm = TRUE))
    expect_match(capture.output(print(raw))[1], "left after filling in: green")
    expect_identical(as.data.frame(filled), filled$genes)
    expect_identical(smoothingGauge(counts, counts, seed = 1), raw)
    withSeed(3, {
        before <- .Random.seed
        smoothingGauge(counts, counts, seed = 1)
        expect_identical(.Random.seed, before)
    })
    # nothing but noise: hardly a gene can be judged
    noise <- withSeed(4, matrix(rpois(50 * 100, 3), 50))
    expect_lt(mean(!is.na(smoothingGauge(noise, noise, seed = 1)$genes$kept)), 0.1)
    expect_identical(smoothingGauge(counts, counts, labels = rep(1, 240), seed = 1)$verdict,
        "green")
    expect_equal(smoothingGauge(counts, delayed(counts + 0), seed = 1), raw)
})

test_that("ranks within clusters are Spearman's", {
    filled <- counts * 0.5 + withSeed(5, rexp(length(counts)))
    g <- smoothingGauge(counts, filled, labels = data$group, min.cells = 10, seed = 1)
    size <- function(m) { t <- colSums(m); t / median(t) }
    u <- t(t(counts) / size(counts))
    v <- t(t(filled) / size(filled))
    for (gene in rownames(g$genes)[c(1, 50, 150)]) {
        at <- split(which(counts[gene, ] > 0), data$group[counts[gene, ] > 0])
        at <- at[lengths(at) >= 10]
        rho <- vapply(at,
            function(k) suppressWarnings(cor(u[gene, k], v[match(gene, rownames(counts)), k],
            method = "spearman")), 0)
        expect_equal(g$genes[gene, "rank"], sum(rho * lengths(at)) / sum(lengths(at)), tolerance = 1e-3)
    }
})

test_messages("arguments of smoothingGauge", {
    counts <- tinyCounts()
    fit <- tinyFit()
    bad(smoothingGauge(counts))
    bad(smoothingGauge(counts, counts[-1, ]))
    bad(smoothingGauge(counts, log(counts)))
    bad(smoothingGauge(counts, fit))
    bad(smoothingGauge(counts, counts, labels = 1:3))
    bad(smoothingGauge(counts, counts, labels = rep(NA, 8)))
    bad(smoothingGauge(counts, counts, n.genes = 0))
    bad(smoothingGauge(counts, counts, min.cells = 1))
    bad(smoothingGauge(counts[, 1:2], counts[, 1:2]))
    bad(smoothingGauge(counts * 0, counts))
})
