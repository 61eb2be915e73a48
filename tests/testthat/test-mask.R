# maskCounts().

counts <- smallCounts()

# 200 genes x 150 cells, many of them with more non-zeros than the masks take
wide <- lowRankCounts(200, 150, level = 0.3, spread = 1, seed = 4)

test_that("the exact number of non-zeros is hidden, and the answers are kept", {
    nonzero <- sum(counts > 0)
    for (fraction in c(0.01, 0.1, 0.5, 0.99)) {
        m <- suppressMessages(maskCounts(counts, fraction = fraction, seed = 1))
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
    expect_output(print(maskCounts(counts, seed = 1)),
        "non-zeros hidden \\(10 %, uniform\\) in a matrix of 60 x 40")
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
    # no drift along the columns
    first <- sum(halves[seq_len(n %/% 2)]) / (draws * f * (n %/% 2))
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
    x <- SummarizedExperiment(list(counts = counts, logs = log2(counts + 1)),
        colData = DataFrame(a = 1:40))
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

test_that("logistic masks take so many of each gene or cell, of the low values rather", {
    m <- maskCounts(wide, "logistic.gene", seed = 1)
    h <- hiddenEntries(m)
    expect_identical(h$value, wide[cbind(h$row, h$col)] + 0)
    n <- unname(rowSums(wide > 0))
    expect_identical(tabulate(h$row, 200), ifelse(n > 10, 10L, 0L))
    expect_true(all(maskedData(m)[cbind(h$row, h$col)] == 0))
    expect_output(print(m), "10 per gene, logistic")
    expect_true(is.na(m@fraction))
    expect_identical(names(m@curve), c("slope", "middle"))
    mean <- apply(wide, 1, function(v) mean(v[v > 0]))
    least <- stats::nls(y ~ 1 / (1 + exp(-k * (t - m))), list(y = 1 - n / 150, t = log(mean)),
        start = list(k = -1, m = 0))
    expect_equal(unname(m@curve), unname(coef(least)), tolerance = 1e-4)
    expect_lt(m@curve[["slope"]], 0)
    expect_lt(mean(h$value), mean(wide[wide > 0]) * 0.9)
    expect_identical(tabulate(hiddenEntries(maskCounts(wide, "logistic.gene", n.entries = 3,
        seed = 1))$row, 200), ifelse(n > 3, 3L, 0L))
    m <- maskCounts(wide, "logistic.cell", seed = 1)
    n <- unname(colSums(wide > 0))
    expect_identical(tabulate(hiddenEntries(m)$col, 150), ifelse(n >= 50, 10L, 0L))
    few <- wide
    few[-(1:40), 1:3] <- 0
    expect_identical(range(hiddenEntries(maskCounts(few, "logistic.cell", seed = 1))$col)[1L], 4L)
    expect_output(print(m), "10 per cell, logistic")
    v <- c(apply(wide, 1, function(v) mean(log(v[v > 0]))), rowMeans(wide == 0))
    loss <- function(b) -sum(stats::dlogis(v, b[1], b[2], log = TRUE))
    grid <- vapply(list(c(0, 0), c(0.01, 0), c(-0.01, 0), c(0, 0.01), c(0, -0.01)),
        function(d) loss(m@curve + d), 0)
    expect_identical(which.min(grid), 1L)
    expect_lt(mean(log(hiddenEntries(m)$value)), mean(log(wide[wide > 0])))
})

test_that("a weighted choice of one follows the weights", {
    x <- matrix(rep(c(1, 3, 40), each = 30), 30)
    x[1:15, 1] <- 0
    curve <- suppressMessages(maskCounts(x, "logistic.gene", n.entries = 1, seed = 1))@curve
    taken <- suppressMessages(vapply(1:60,
        function(seed)
        tabulate(hiddenEntries(maskCounts(x, "logistic.gene", n.entries = 1, seed = seed))$col, 3),
        integer(3)))
    p <- 1 / (1 + exp(-curve[1] * (log(c(1, 3, 40)) - curve[2])))
    want <- 60 * (15 * p / sum(p) + 15 * c(0, p[-1] / sum(p[-1])))
    expect_lt(sum((rowSums(taken) - want)^2 / want), 20)
})

test_that("molecules are halves of a whole, and independent of each other", {
    m <- maskCounts(wide, "molecules", fraction = 0.3, seed = 1)
    h <- hiddenEntries(m)
    back <- maskedData(m)
    expect_true(all(back >= 0) && all(h$value >= 1) && all(h$value == round(h$value)))
    back[cbind(h$row, h$col)] <- back[cbind(h$row, h$col)] + h$value
    expect_identical(back, wide + 0)
    expect_lt(abs(sum(h$value) - 0.3 * sum(wide)), 5 * sqrt(0.21 * sum(wide)))
    expect_output(print(m), "molecules of [0-9]+ entries held out \\(30 % of all\\)")
    expect_true(any(maskedData(m)[cbind(h$row, h$col)] > 0))
    big <- maskCounts(wide * 1e6, "molecules", fraction = 0.5, seed = 1)
    share <- hiddenEntries(big)$value /
        (wide * 1e6)[cbind(hiddenEntries(big)$row, hiddenEntries(big)$col)]
    expect_lt(max(abs(share - 0.5)), 6 * sqrt(0.25 / 1e6))
    # Poisson: what stays and what goes are independent
    one <- withSeed(1, matrix(rpois(20000, 4), 200))
    half <- maskCounts(one, "molecules", fraction = 0.5, seed = 2)
    expect_lt(abs(cor(as.vector(maskedData(half)), as.vector(one - maskedData(half)))),
        4 / sqrt(20000))
    expect_identical(hiddenEntries(maskCounts(sparse(wide), "molecules", fraction = 0.3, seed = 1)),
        h)
    some <- hiddenEntries(maskCounts(wide[, 1:20], "molecules", fraction = 0.3, seed = 1))
    # a cell draws what it draws, whatever is beside it
    expect_identical(some, h[h$col <= 20, ])
    expect_identical(maskCounts(wide, "molecules", seed = 2),
        maskCounts(wide, "molecules", seed = 2))
})

test_that("cells that are left without counts are counted", {
    x <- wide
    x[-1, 1:2] <- 0
    x[1, 1:2] <- 1
    x[, 3] <- 0
    seeds <- vapply(1:20, function(seed) {
        said <- character()
        m <- withCallingHandlers(maskCounts(x, "molecules", fraction = 0.5, seed = seed),
            message = function(e) { said <<- conditionMessage(e); invokeRestart("muffleMessage") })
        n <- sum(colSums(maskedData(m)) == 0) - 1
        if (n) grepl(sprintf("leaves %d of 150 cells without counts", n), said) else !length(said)
    }, NA)
    expect_true(all(seeds))
})

test_that("exponential.cell: one and a hundredth of each cell with over five, low ones first", {
    x <- withSeed(1, matrix(rnbinom(600 * 200, size = 0.5, mu = 20), 600))
    x[-(1:6), 1] <- 0
    x[1:6, 1] <- 3
    x[6:600, 2] <- 0
    m <- maskCounts(x, "exponential.cell", seed = 1)
    h <- hiddenEntries(m)
    n <- colSums(x > 0)
    expect_identical(tabulate(h$col, 200), as.integer(ifelse(n > 5, 1 + floor(0.01 * n), 0)))
    expect_true(all(h$value == x[cbind(h$row, h$col)]))
    expect_identical(as.matrix(maskedData(m))[cbind(h$row, h$col)], 0 * h$value)
    # one cell of two values, over seeds: chances e^(-1/20) and e^(-40/20) of each of three
    two <- cbind(c(1, 1, 1, 40, 40, 40), 0)
    low <- mean(vapply(1:2000,
        function(s)
        hiddenEntries(suppressMessages(maskCounts(two, "exponential.cell", seed = s)))$value, 0) ==
        1)
    want <- exp(-1 / 20) / (exp(-1 / 20) + exp(-2))
    expect_lt(abs(low - want), 4 * sqrt(want * (1 - want) / 2000))
    expect_output(print(m), "non-zeros hidden \\(1 % of each cell's")
    expect_error(maskCounts(two[1:5, ], "exponential.cell"), "more than 5 non-zeros",
        class = "infill_error")
})

test_that("logarithms are refused, unless told to be counts", {
    x <- log1p(withSeed(1, matrix(rpois(2000, 5), 50)))
    expect_error(maskCounts(x, seed = 1), "must hold counts", class = "infill_scale")
    expect_s4_class(maskCounts(x, seed = 1, check.scale = FALSE), "MaskedCounts")
})

test_messages("arguments of maskCounts", {
    counts <- tinyCounts()
    bad(maskCounts(counts, scheme = "logistic"))
    bad(maskCounts(counts, "logistic.gene", n.entries = 0))
    bad(maskCounts(counts, "logistic.gene", n.entries = 8))
    bad(maskCounts(counts, "logistic.cell"))
    bad(maskCounts(counts / 3, "molecules"))
    bad(maskCounts(pmin(counts, 1), "molecules", fraction = 1e-6, seed = 1))
    bad(maskCounts(counts, fraction = 0))
    bad(maskCounts(counts, fraction = 1))
    bad(maskCounts(counts, fraction = c(0.1, 0.2)))
    bad(maskCounts(counts, fraction = 1e-6))
    bad(maskCounts(counts, seed = -1))
    bad(maskCounts(counts * 0))
    bad(maskedData(counts))
    bad(hiddenEntries(NULL))
})
