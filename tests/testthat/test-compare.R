# The judge: baselines beside models, intervals, words; tuning; the page.
x <- simulateCounts(n.genes = 120, n.cells = 80, seed = 1)
counts <- SummarizedExperiment::assay(x, "counts")
cmp <- compareInfill(x, list(deepMc = DeepMcParam(sweeps = 5), StackParam(), broken = GraphSciParam(n.max = 2)), repeats = 3, seed = 1,
    labels = x$group, posterior = TRUE)

test_that("a row for every task, method and repeat; a model that fails is one too", {
    d <- as.data.frame(cmp)
    expect_identical(as.integer(table(d$task)), c(18L, 24L))
    expect_setequal(d$method[d$task == "molecules"], c("none", "gene mean", "gene mean posterior", "deepMc", "Stack", "broken",
        "deepMc posterior", "broken posterior"))
    expect_setequal(d$method[d$task == "entries"], c("none", "gene mean", "detected mean", "deepMc", "Stack", "broken"))
    expect_true(all(grepl("n.max", d$error[d$method == "broken"])) && all(is.na(d$error[d$method == "deepMc"])))
    expect_true(all(is.na(d$poisson[d$method == "broken"])) && all(is.finite(d$poisson[d$task == "molecules" & d$method == "Stack"])))
    ok <- is.na(d$error)
    expect_true(all(d$seconds[ok] >= 0) && all(is.finite(d$memory[ok])))
    expect_true(any(grepl("broken posterior: .*left out", cmp$warnings)))
    expect_identical(d$baseline, d$method %in% c("none", "gene mean", "gene mean posterior", "detected mean"))
    expect_true(all(d$ari[d$task == "molecules" & ok] <= 1))
})

test_that("scores are their definitions, for the counts and for the gene mean", {
    d <- as.data.frame(cmp)
    seed <- 1 + 7919 * 2
    m <- maskCounts(counts, "molecules", 0.1, seed)
    e <- hiddenEntries(m)
    train <- as.matrix(maskedData(m))
    test <- as.matrix(counts) - train
    expect_identical(sum(e$value), sum(test))
    normal <- function(v) log1p(1e4 * t(t(v) / ifelse(colSums(v) > 0, colSums(v), 1)))
    for (how in list(list("none", train), list("gene mean", infill(train, GeneMeanParam(), keep = "none")))) {
        p <- how[[2]] * sum(test) / sum(train)
        row <- d[d$task == "molecules" & d$method == how[[1]] & d$`repeat` == 2, ]
        expect_equal(row$poisson, mean(p - test * log(p + 1e-6)), tolerance = 1e-12)
        expect_equal(row$poisson, poissonLoss(test, unname(as.matrix(p))), tolerance = 1e-12)
        expect_equal(row$perfect, mean(test - ifelse(test > 0, test * log(test + 1e-6), 0)), tolerance = 1e-12)
        expect_equal(row$mse, mean((normal(p) - normal(test))^2), tolerance = 1e-12)
        r <- suppressWarnings(vapply(seq_len(nrow(p)), function(g) cor(normal(p)[g, ], normal(test)[g, ]), 0))
        if (how[[1]] == "none") expect_equal(row$pearson.gene, median(r, na.rm = TRUE), tolerance = 1e-12)
        expect_equal(row$pearson.cell, median(vapply(seq_len(ncol(p)), function(c) cor(normal(p)[, c], normal(test)[, c]), 0)), tolerance = 1e-12)
    }
    m <- maskCounts(counts, fraction = 0.1, seed = seed)
    row <- d[d$task == "entries" & d$method == "gene mean" & d$`repeat` == 2, ]
    want <- recoveryError(m, infill(maskedData(m), GeneMeanParam(), keep = "none"), scale = "log1p")
    expect_equal(row[c("rmse", "mae", "nmse", "pearson")], want[c("rmse", "mae", "nmse", "pearson")], tolerance = 1e-12, ignore_attr = TRUE)
})

test_that("the seed decides, workers and blocks do not", {
    few <- list(deepMc = DeepMcParam(sweeps = 5))
    one <- compareInfill(counts, few, repeats = 2, seed = 3)
    numbers <- function(x) as.data.frame(x)[setdiff(names(as.data.frame(x)), c("seconds", "memory"))]
    skip_if_not_installed("BiocParallel")
    two <- compareInfill(counts, few, repeats = 2, seed = 3, BPPARAM = BiocParallel::SerialParam())
    expect_identical(numbers(two), numbers(one))
    expect_false(identical(numbers(compareInfill(counts, few, repeats = 2, seed = 4)), numbers(one)))
})

test_that("the generator of R is left as it is", {
    set.seed(9)
    before <- .Random.seed
    compareInfill(counts, list(DeepMcParam(sweeps = 2)), tasks = "molecules", repeats = 1, seed = 1, labels = x$group)
    expect_identical(.Random.seed, before)
})

test_that("on a simulation the true rates have the lowest loss of all", {
    y <- simulateCounts(n.genes = 150, n.cells = 100, dropout.shape = NULL, rates = TRUE, lib.location = 7, seed = 2)
    k <- SummarizedExperiment::assay(y, "counts")
    rate <- SummarizedExperiment::assay(y, "rate")
    m <- maskCounts(k, "molecules", 0.1, 5)
    test <- k - maskedData(m)
    loss <- function(p) poissonLoss(as.matrix(test), unname(p) * 0.1)
    others <- list(as.matrix(maskedData(m)) / 0.9, infill(maskedData(m), GeneMeanParam(), keep = "none", as = "matrix") / 0.9,
        suppressWarnings(infill(maskedData(m), StackParam(), seed = 1, as = "matrix")) / 0.9)
    for (p in others) expect_gt(loss(as.matrix(p)), loss(rate))
})

test_that("of one population with Poisson noise it says: do not impute", {
    null <- withSeed(2, matrix(rpois(150 * 100, rgamma(150, 0.6, 0.3)), 150))
    null <- null[rowSums(null) > 5, ]
    one <- compareInfill(null, list(Stack = StackParam(), deepMc = DeepMcParam(sweeps = 5)), repeats = 3, seed = 1)
    s <- infill:::.summary(one, "molecules")
    expect_identical(attr(s, "best"), "gene mean")
    expect_false(any(s$beats))
    expect_output(print(one), "do not impute. No model beats \"gene mean\"")
})

test_that("a clear winner is said to win, with its interval; one repeat gives no verdict", {
    groups <- withSeed(3, { g <- rep(1:3, each = 50); matrix(rpois(200 * 150, 0.3 * 6^(outer(1:200 %% 3 + 1, g, "=="))), 200) })
    two <- compareInfill(groups, list(Stack = StackParam()), tasks = "molecules", repeats = 3, seed = 1)
    s <- infill:::.summary(two, "molecules")
    expect_true(s$beats[s$method == "Stack"])
    expect_output(print(two), "Stack is best, .* interval")
    expect_output(print(compareInfill(groups, list(Stack = StackParam()), tasks = "molecules", repeats = 1, seed = 1)), "one repeat gives no interval")
})

test_that("values that are not whole have entries to hide only", {
    expect_message(half <- compareInfill(counts / 2 + 0, list(DeepMcParam(sweeps = 2)), repeats = 1, seed = 1, check.scale = FALSE), "not molecules")
    expect_identical(unique(as.data.frame(half)$task), "entries")
})

test_that("tuning finds the best of the grid and returns it", {
    best <- tuneInfill(counts, DeepMcParam(), list(ranks = list(c(8, 3), 2), sweeps = c(1, 10)), repeats = 2, seed = 1)
    d <- attr(best, "tuning")
    expect_identical(nrow(d), 4L)
    at <- which.min(d$poisson)
    expect_identical(best@sweeps, d$sweeps[at])
    expect_identical(best@ranks, as.double(d$ranks[[at]]))
    expect_identical(best@zero.weight, 0)
    # the loss of a row is that of compareInfill() with the same splits
    one <- compareInfill(counts, list(DeepMcParam(ranks = 2, sweeps = 1)), tasks = "molecules", repeats = 2, seed = 1)
    expect_equal(d$poisson[2], mean(as.data.frame(one)$poisson[as.data.frame(one)$method == "DeepMc"]), tolerance = 1e-12)
    expect_s4_class(infill(x, best, seed = 1), "SingleCellExperiment")
    skip_if_not_installed("ggplot2")
    expect_s3_class(plotTuning(best), "ggplot")
})

test_that("pictures and the page", {
    skip_if_not_installed("ggplot2")
    skip_if_not_installed("knitr")
    for (type in c("comparison", "recovery", "calibration")) expect_s3_class(plot(cmp, type), "ggplot")
    expect_s3_class(plot(cmp, "training"), "ggplot")
    file <- tempfile(fileext = ".html")
    expect_identical(reportInfill(cmp, file, title = "A & B"), file)
    page <- paste(readLines(file), collapse = "\n")
    expect_match(page, "<h1>A &amp; B</h1>", fixed = TRUE)
    expect_match(page, "data:image/png;base64", fixed = TRUE)
    expect_false(grepl("(src|href)=\"(http|/)", page))
    expect_match(page, "broken failed", fixed = TRUE)
    expect_match(page, "sweeps +5")
})

test_that("dispersed genes that know nothing of each other: the gene mean's posterior is enough", {
    apart <- withSeed(2, matrix(rnbinom(200 * 100, size = 1, mu = rexp(200, 1 / 2)), 200))
    cmp <- suppressWarnings(compareInfill(apart, list(StackParam(), deepMc = DeepMcParam()), tasks = "molecules", seed = 1))
    s <- infill:::.summary(cmp, "molecules")
    expect_identical(attr(s, "best"), "gene mean posterior")
    expect_false(any(s$beats))
    expect_match(infill:::.verdict(cmp, "molecules"), "do not impute with these models; StackParam\\(GeneMeanParam\\(\\)\\) is enough. No model beats")
    # no better worth the name than the gene mean: the simpler one
    cmp$table$poisson[cmp$table$method == "gene mean"] <- cmp$table$poisson[cmp$table$method == "gene mean posterior"] + 1e-6
    expect_identical(attr(infill:::.summary(cmp, "molecules"), "best"), "gene mean")
    expect_match(infill:::.verdict(cmp, "molecules"), "do not impute. No model beats \"gene mean\"")
})
