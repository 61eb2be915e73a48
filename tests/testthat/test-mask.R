counts <- smallCounts()

test_that("the exact number of non-zeros is hidden, and the answers are kept", {
    nonzero <- sum(counts > 0)
    for (fraction in c(0.01, 0.1, 0.5, 0.99)) {
        m <- maskCounts(counts, fraction = fraction, seed = 1)
        h <- hiddenEntries(m)
        expect_s4_class(m, "MaskedCounts")
        expect_identical(nrow(h), as.integer(floor(fraction * nonzero)))
        expect_identical(names(h), c("row", "col", "value"))
        at <- cbind(h$row, h$col)
        expect_identical(anyDuplicated(at), 0L)
        expect_true(all(h$value > 0))
        expect_identical(h$value, counts[at] + 0)
        back <- maskedData(m)
        expect_true(all(back[at] == 0))
        back[at] <- h$value
        expect_identical(back, counts + 0)
    }
    expect_output(print(maskCounts(counts, seed = 1)), "non-zeros hidden \\(10 %, uniform\\) in a matrix of 60 x 40")
})

test_that("every non-zero is as likely as any other", {
    few <- smallCounts(30, 10)
    n <- sum(few > 0)
    times <- integer(length(few))
    draws <- 400
    for (seed in seq_len(draws)) {
        h <- hiddenEntries(maskCounts(few, fraction = 0.2, seed = seed))
        at <- h$row + 30 * (h$col - 1)
        times[at] <- times[at] + 1L
    }
    expect_identical(sum(times[few == 0]), 0L)
    f <- floor(0.2 * n) / n
    expect_identical(sum(times), as.integer(draws * floor(0.2 * n)))
    chi <- sum((times[few > 0] - draws * f)^2 / (draws * f * (1 - f))) * (n - 1) / n
    p <- pchisq(chi, n - 1)
    expect_gt(p, 1e-4)
    expect_lt(p, 1 - 1e-4)
    halves <- times[few > 0]
    first <- sum(halves[seq_len(n %/% 2)]) / (draws * f * (n %/% 2))      # no drift along the columns
    expect_lt(abs(first - 1), 0.05)
})

test_that("the seed fixes the choice", {
    one <- hiddenEntries(maskCounts(counts, seed = 1))
    expect_identical(hiddenEntries(maskCounts(counts, seed = 1)), one)
    expect_false(identical(hiddenEntries(maskCounts(counts, seed = 2)), one))
    withSeed(3, {
        before <- .Random.seed
        maskCounts(counts, seed = 1)
        expect_identical(.Random.seed, before)
        drawn <- maskCounts(counts)
        expect_false(identical(.Random.seed, before))
    })
    withSeed(3, expect_identical(maskCounts(counts), drawn))
    expect_identical(maskCounts(counts, seed = drawn@seed), drawn)
})

test_that("data come back in the container they came in, hidden in the same places", {
    one <- hiddenEntries(maskCounts(counts, seed = 1))
    hidden <- maskedData(maskCounts(counts, seed = 1))
    m <- maskCounts(sparse(counts), seed = 1)
    expect_s4_class(maskedData(m), "dgCMatrix")
    expect_identical(hiddenEntries(m), one)
    expect_identical(as.matrix(maskedData(m)), hidden)
    expect_false(any(maskedData(m)@x == 0))
    suppressPackageStartupMessages(library(SummarizedExperiment))
    x <- SummarizedExperiment(list(counts = counts, logs = log2(counts + 1)), colData = DataFrame(a = 1:40))
    m <- maskCounts(x, seed = 1)
    expect_s4_class(maskedData(m), "SummarizedExperiment")
    expect_identical(hiddenEntries(m), one)
    expect_identical(as.matrix(assay(maskedData(m), "counts")), hidden)
    expect_identical(assay(maskedData(m), "logs"), assay(x, "logs"))
    expect_identical(colData(maskedData(m)), colData(x))
    d <- maskCounts(delayed(counts), seed = 1)
    expect_identical(hiddenEntries(d), one)
    expect_identical(as.matrix(maskedData(d)), hidden)
    expect_s4_class(maskedData(d), "DelayedMatrix")
})

test_that("a Seurat object comes back masked", {
    skip_if_not_installed("SeuratObject")
    x <- SeuratObject::CreateSeuratObject(sparse(counts))
    m <- maskCounts(x, seed = 1)
    expect_identical(hiddenEntries(m), hiddenEntries(maskCounts(counts, seed = 1)))
    expect_s4_class(maskedData(m), "Seurat")
})
