# calibrationTable().

data <- grouped()
counts <- data$counts

test_that("held-out molecules: the truth is calibrated", {
    m <- maskCounts(counts, "molecules", fraction = 0.2, seed = 1)
    h <- hiddenEntries(m)
    test <- counts * 0
    test[cbind(h$row, h$col)] <- h$value
    kept <- maskedData(m)
    truth <- data$rate * 0.8
    table <- calibrationTable(m, truth)
    expect_identical(names(table), c("bin", "lower", "upper", "n", "predicted", "observed", "ratio",
        "se"))
    expect_identical(table$bin, 1:10)
    expect_true(all(abs(table$predicted - table$observed) < 5 * table$se))
    expect_equal(sum(table$n), length(counts))
    bin <- cut(rowMeans(kept), quantile(rowMeans(kept), 0:10 / 10), include.lowest = TRUE,
        labels = FALSE)
    expect_equal(table$observed, as.vector(tapply(rowMeans(test), bin, mean)), tolerance = 1e-12)
    expect_equal(table$predicted, as.vector(tapply(rowMeans(truth), bin, mean)) / 4,
        tolerance = 1e-12)
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
    p <- plot(table)
    expect_s3_class(p, "ggplot")
    expect_identical(nrow(ggplot2::ggplot_build(p)$data[[2]]), 10L)
})

test_messages("arguments of calibrationTable", {
    counts <- tinyCounts()
    m <- maskCounts(counts, "molecules", seed = 1)
    bad(calibrationTable(counts, counts))
    bad(calibrationTable(maskCounts(counts, seed = 1), counts))
    bad(calibrationTable(m, counts[, -1]))
    bad(calibrationTable(m, counts / 0))
    bad(calibrationTable(m, counts, by = "cell"))
    bad(calibrationTable(m, counts, entries = "some"))
    bad(calibrationTable(m, counts, bins = 0))
    bad(calibrationTable(m, counts, subset.row = "g99"))
})
