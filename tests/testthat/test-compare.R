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
    # nor has a model that fails a posterior
    expect_match(d$error[d$method == "broken posterior"], "without the model there is no posterior of it: .*n.max")
    expect_true(all(is.na(d$poisson[d$method == "broken posterior"])))
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
    one <- compareInfill(counts, few, repeats = 2, seed = 3, labels = x$group)
    numbers <- function(x) as.data.frame(x)[setdiff(names(as.data.frame(x)), c("seconds", "memory"))]
    skip_if_not_installed("BiocParallel")
    two <- compareInfill(counts, few, repeats = 2, seed = 3, labels = x$group, BPPARAM = BiocParallel::SerialParam())
    expect_identical(numbers(two), numbers(one))
    expect_false(identical(numbers(compareInfill(counts, few, repeats = 2, seed = 4)), numbers(one)))
})

test_that("the generator of R is left as it is", {
    set.seed(9)
    before <- .Random.seed
    compareInfill(counts, list(DeepMcParam(sweeps = 2)), tasks = "molecules", repeats = 1, seed = 1, labels = x$group)
    expect_identical(.Random.seed, before)
    # of another kind it gives the same clusters, and stays of its kind
    run <- function() as.data.frame(compareInfill(counts, list(NoneParam()), tasks = "molecules", repeats = 2, seed = 1, labels = x$group))$ari
    want <- run()
    old <- RNGkind("L'Ecuyer-CMRG", "Ahrens-Dieter")
    set.seed(4)
    before <- .Random.seed
    got <- run()
    after <- .Random.seed
    do.call(RNGkind, as.list(old))
    expect_identical(got, want)
    expect_identical(after, before)
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
    one <- compareInfill(groups, list(Stack = StackParam(), mean = GeneMeanParam()), tasks = "molecules", repeats = 1, seed = 1)
    s <- infill:::.summary(one, "molecules")
    value <- function(name) sprintf("%.4f", s$value[s$method == name])
    expect_match(infill:::.verdict(one, "molecules"), sprintf("Stack is lowest, %s against %s of the best baseline \\(%s\\); one repeat gives no interval",
        value("Stack"), value(attr(s, "best")), attr(s, "best")))
    # where a baseline is lowest, it is named with its own number
    one <- compareInfill(groups, list(mean = NoneParam()), tasks = "molecules", repeats = 1, seed = 1)
    s <- infill:::.summary(one, "molecules")
    expect_match(infill:::.verdict(one, "molecules"), sprintf("%s is lowest, %.4f against %.4f of the best model \\(mean\\)", attr(s, "best"), min(s$value),
        s$value[s$method == "mean"]))
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
    expect_match(infill:::.verdict(cmp, "molecules"),
        "do not impute with these models; StackParam\\(GeneMeanParam\\(\\)\\) is enough. No model beats .*the nearest is Stack, no different")
    # no better worth the name than the gene mean: the simpler one
    cmp$table$poisson[cmp$table$method == "gene mean"] <- cmp$table$poisson[cmp$table$method == "gene mean posterior"] + 1e-6
    expect_identical(attr(infill:::.summary(cmp, "molecules"), "best"), "gene mean")
    expect_match(infill:::.verdict(cmp, "molecules"), "do not impute. No model beats \"gene mean\"")
})

test_that("the lowest mean is not called best where its interval holds 0, and the sure one is named", {
    three <- cmp
    t <- three$table[three$table$task == "molecules" & three$table$method %in% c("none", "gene mean", "gene mean posterior", "deepMc", "Stack"), ]
    t$perfect <- 0
    t$poisson <- c(none = 2, `gene mean` = 2, `gene mean posterior` = 1, deepMc = 0.9, Stack = 0.7)[t$method] +
        ifelse(t$method == "Stack", c(-0.3, 0, 0.4)[t$`repeat`], 0)
    three$table <- t
    said <- infill:::.verdict(three, "molecules")
    expect_match(said, "deepMc beats the best baseline \\(\"gene mean posterior\", 1.0000\\): 0.9000, -0.1000 .*Stack is lower, 0.7333, but not beyond the interval")
    # a gain that is sure and too small to have is called that
    t$poisson <- c(none = 2, `gene mean` = 2, `gene mean posterior` = 1, deepMc = 1 - 5e-4, Stack = 1.2)[t$method] + 1e-6 * t$`repeat` * (t$method == "deepMc")
    three$table <- t
    expect_match(infill:::.verdict(three, "molecules"), "by 0.1 % of its distance to a perfect prediction; the nearest is deepMc, -0.0005 ")
})

test_that("masks of other schemes are asked for and named; cells they leave empty are told of", {
    few <- list(deepMc = DeepMcParam(sweeps = 2))
    one <- compareInfill(counts, few, tasks = "entries", scheme = "logistic.gene", n.entries = 3, repeats = 1, seed = 1)
    expect_output(print(one), "entries hidden by \"logistic.gene\", 3 of each gene, 1 repeat")
    m <- maskCounts(counts, "logistic.gene", seed = 1 + 7919, n.entries = 3)
    want <- recoveryError(m, infill(maskedData(m), GeneMeanParam(), keep = "none"), scale = "log1p")
    expect_equal(as.data.frame(one)$rmse[2], want$rmse, tolerance = 1e-12)
    both <- compareInfill(counts, few, scheme = "exponential.cell", repeats = 1, seed = 1)
    expect_output(print(both), "10 % of the molecules held out, entries hidden by \"exponential.cell\", 1 repeat")
    thin <- withSeed(1, matrix(rpois(60 * 40, 0.03), 60))
    empty <- suppressWarnings(compareInfill(thin, list(mean = NoneParam()), tasks = "entries", fraction = 0.5, repeats = 1, seed = 1))
    expect_match(empty$warnings, "the mask leaves [0-9]+ of 40 cells without counts", all = FALSE)
})

test_that("what can not be judged is said at once", {
    few <- list(deepMc = DeepMcParam(sweeps = 2))
    bad <- function(text, ...) expect_error(compareInfill(...), text, class = "infill_error")
    bad("'scheme' must be one of", counts, few, scheme = "molecules")
    bad("'labels' must have fewer classes than cells: all 80", counts, few, labels = 1:80)
    bad("'x' must have counts: all are 0", counts * 0, few)
    bad("\"a posterior\": that is the row of another", counts, list(a = DeepMcParam(), `a posterior` = DeepMcParam()), posterior = TRUE)
    expect_s3_class(compareInfill(counts, list(a = NoneParam(), `a posterior` = NoneParam()), tasks = "entries", repeats = 1, seed = 1), "InfillComparison")
    # k-means may find too few different cells; the rest of the row stays
    d <- as.data.frame(compareInfill(counts, few, labels = c(1:79, 79), tasks = "molecules", repeats = 1, seed = 1))
    expect_identical(d$error, rep(NA_character_, 4))
    expect_true(is.na(d$ari[d$method == "gene mean"]) && all(is.finite(d$poisson)))
})

test_that("tuning sets what the constructor sets", {
    tuned <- tuneInfill(counts, DeepMcParam(init = "mean"), list(method = c("paper", "converged")), repeats = 1, seed = 1)
    d <- attr(tuned, "tuning")
    for (k in 1:2) {
        one <- as.data.frame(compareInfill(counts, list(DeepMcParam(init = "mean", method = d$method[k])), tasks = "molecules", repeats = 1, seed = 1))
        expect_equal(d$poisson[k], one$poisson[one$method == "DeepMc"], tolerance = 1e-12)
    }
    same <- function(param, want, values = list()) expect_identical(infill:::.remaker(param)$with(values), want)
    same(DeepMcParam(), DeepMcParam(method = "converged"), list(method = "converged"))
    same(DeepMcParam(method = "converged", tol = 0.1), DeepMcParam(tol = 0.1), list(method = "paper"))
    same(DeepMcParam(sweeps = 3, seed = 4), DeepMcParam(method = "converged", sweeps = 3, seed = 4), list(method = "converged"))
    same(GraphSciParam(l2 = 1, seed = 2), GraphSciParam(l2 = 1, paper = TRUE, seed = 2), list(paper = TRUE))
    same(ScInnParam(paper = TRUE), ScInnParam(), list(paper = FALSE))
    same(AutoImputeParam(), AutoImputeParam(preset = "Blakeley"), list(preset = "Blakeley"))
    same(StackParam(list(GeneMeanParam())), StackParam(list(DeepMcParam())), list(priors = list(DeepMcParam())))
    for (p in list(NoneParam(), GeneMeanParam("detected"), StackParam(), DeepImputeParam(genes = 1:3), ScInnParam(latent = diag(3)), AutoImputeParam(
        preset = "Blakeley"), GraphSciParam(paper = TRUE, stop = "cost"))) same(p, p)
    expect_identical(tuneInfill(counts, DeepMcParam(), data.frame(method = factor("converged")), repeats = 1, seed = 1)@tol, 1e-4)
    # a model that fails has no posterior, and is not the best
    b <- tuneInfill(counts, GraphSciParam(max.iter = 3), list(n.max = c(10, 5000)), repeats = 1, seed = 1, posterior = TRUE)
    expect_match(attr(b, "tuning")$error[1], "n.max")
    expect_identical(b@n.max, 5000)
    # of a stack, its priors
    b <- tuneInfill(counts, StackParam(repeats = 1), list(priors = list(list(GeneMeanParam()), list(GeneMeanParam(), DeepMcParam(sweeps = 2)))),
        repeats = 1, seed = 1)
    expect_true(all(is.finite(attr(b, "tuning")$poisson)))
    if (requireNamespace("ggplot2", quietly = TRUE)) expect_s3_class(ggplot2::ggplot_build(plotTuning(b))$plot, "ggplot")
    setClass("OwnParam", contains = "DeepMcParam", where = environment())
    expect_identical(tuneInfill(counts, new("OwnParam", DeepMcParam()), list(sweeps = c(1, 2)), repeats = 1, seed = 1)@lambda.scale, 0.25)
    bad <- function(text, ...) expect_error(tuneInfill(counts, DeepMcParam(), ...), text, class = "infill_error")
    bad("'grid' must be given")
    bad("'posterior' must be TRUE or FALSE", list(sweeps = 1), posterior = "yes")
    bad("'grid', row 1: 'sweeps' must be a number", list(sweeps = c("a", "b")))
    bad("does not have: preset", list(preset = "Blakeley"))
})
