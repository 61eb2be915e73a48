# geneTests() and genesAgainstBulk().

counts <- smallCounts(60, 40)
groups <- rep(c("b", "a"), c(25, 15))

test_that("tests of genes are those of stats", {
    x <- rbind(withSeed(1, matrix(rnorm(20 * 40), 20)) + rep(c(0, 1), each = 10), counts / 3,
        1e6 + counts)
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
        expect_equal(w$p.value[g], if (is.nan(want$p.value)) NA_real_ else want$p.value,
            tolerance = 1e-12)
        want <- tryCatch(t.test(x[g, a], x[g, !a]),
            error = function(e) list(statistic = NA_real_, p.value = NA_real_))
        expect_equal(t$statistic[g], unname(want$statistic), tolerance = 1e-12)
        expect_equal(t$p.value[g], want$p.value, tolerance = 1e-12)
        expect_equal(t$log.fc[g], mean(x[g, a]) - mean(x[g, !a]), tolerance = 1e-12)
    }
    expect_identical(which(is.na(w$p.value)), unname(which(apply(x, 1, sd) == 0)))
    expect_identical(w$adjusted, p.adjust(w$p.value, "BH"))
    expect_identical(t$log.fc, w$log.fc)
    fc <- geneTests(counts, groups)$log.fc
    expect_equal(fc, unname(log2((rowMeans(counts[, a]) + 1) / (rowMeans(counts[, !a]) + 1))),
        tolerance = 1e-12)
    order <- geneTests(counts, factor(groups, c("b", "a", "z")))
    expect_equal(order$log.fc, -fc)
    expect_equal(order$p.value, geneTests(counts, groups)$p.value)
    expect_identical(geneTests(sparse(counts), groups), geneTests(counts, groups))
    expect_equal(geneTests(delayed(counts), groups), geneTests(counts, groups))
    some <- groups
    some[c(1:5, 30:40)] <- NA
    expect_equal(geneTests(counts, some, "t"),
        geneTests(counts[, !is.na(some)], some[!is.na(some)], "t"))
    one <- geneTests(counts, c("a", rep("b", 39)), "t")
    expect_true(all(is.na(one$p.value)))
    # p that is 0 in double precision
    far <- matrix(rep(c(0, 1e3), c(400, 400)) + (1:800) / 1e3, 1)
    expect_identical(geneTests(far, rep(1:2, each = 400), "t")$p.value, 0)
})

test_that("blocks of genes make no difference", {
    x <- withSeed(1, matrix(rnorm(5e4), 50))
    parts <- infill:::.overGenes(x, "x", function(b) dim(b))
    expect_identical(parts, list(c(50L, 1000L)))
    wide <- withSeed(1, matrix(rpois(2.2e6 * 3, 1), 3))
    expect_length(infill:::.overGenes(wide, "x", nrow), 3L)
    g <- rep(1:2, 1.1e6)
    expect_equal(geneTests(wide, g, "t")$statistic[2],
        unname(t.test(wide[2, g == 1], wide[2, g == 2])$statistic), tolerance = 1e-12)
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
        expect_identical(names(got),
            c("genes", "true", "called", "auc", "accuracy", "precision", "recall", "f1"))
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
    expect_equal(genesAgainstBulk(x, groups, some),
        genesAgainstBulk(x, groups, replace(true, c(1:4, 51:60), NA)))
    expect_identical(genesAgainstBulk(x, groups, some)$genes, 46L)
    expect_identical(genesAgainstBulk(x, groups, !logical(60))$auc, NA_real_)
    p <- geneTests(x, groups)$p.value
    p <- p.adjust(replace(p, is.na(p), 1), "BH")
    expect_identical(genesAgainstBulk(x, groups, true, scale = "none", alpha = 0.2)$called,
        sum(p < 0.2))
})

test_messages("arguments of geneTests and genesAgainstBulk", {
    counts <- tinyCounts()
    g <- rep(1:2, 4)
    bad(geneTests(counts, 1:8))
    bad(geneTests(counts, 1:3))
    bad(geneTests(counts, as.list(g)))
    bad(geneTests(counts, g, "u"))
    bad(geneTests(counts, g, logged = 2))
    bad(geneTests(counts - 100, g))
    bad(geneTests(log(counts), g))
    bad(geneTests(as.data.frame(counts), g))
    bad(genesAgainstBulk(counts, g, 1:12))
    bad(genesAgainstBulk(counts, g, TRUE))
    bad(genesAgainstBulk(counts, g, rep(NA, 12)))
    bad(genesAgainstBulk(counts, g, c(z = TRUE)))
    bad(genesAgainstBulk(counts, g, logical(12), scale = "log"))
    bad(genesAgainstBulk(counts, g, logical(12), alpha = 5))
    bad(genesAgainstBulk(counts - 9, g, logical(12)))
})
