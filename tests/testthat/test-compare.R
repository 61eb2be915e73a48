# compareInfill(): rows, scores, seeds and masks.

x <- simulateCounts(n.genes = 120, n.cells = 80, seed = 1)
counts <- SummarizedExperiment::assay(x, "counts")
cmp <- compareInfill(x, tasks = c("molecules", "entries"),
    params = list(deepMc = DeepMcParam(sweeps = 5), StackParam(),
    broken = GraphSciParam(n.max = 2)), repeats = 3, seed = 1, labels = x$group, posterior = TRUE)

test_that("a row for every task, method and repeat; a model that fails is one too", {
    d <- as.data.frame(cmp)
    expect_identical(as.integer(table(d$task)), c(18L, 24L))
    expect_setequal(d$method[d$task == "molecules"],
        c("none", "gene mean", "gene mean posterior", "deepMc", "Stack", "broken",
        "deepMc posterior", "broken posterior"))
    expect_setequal(d$method[d$task == "entries"],
        c("none", "gene mean", "detected mean", "deepMc", "Stack", "broken"))
    expect_true(all(grepl("n.max", d$error[d$method == "broken"])) &&
        all(is.na(d$error[d$method == "deepMc"])))
    expect_true(all(is.na(d$poisson[d$method == "broken"])) &&
        all(is.finite(d$poisson[d$task == "molecules" & d$method == "Stack"])))
    ok <- is.na(d$error)
    expect_true(all(d$seconds[ok] >= 0) && all(is.finite(d$memory[ok])))
    # nor has a model that fails a posterior
    expect_match(d$error[d$method == "broken posterior"],
        "without the model there is no posterior of it: .*n.max")
    expect_true(all(is.na(d$poisson[d$method == "broken posterior"])))
    expect_identical(d$baseline, d$method %in% c("none", "gene mean", "gene mean posterior",
        "detected mean"))
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
    for (how in list(list("none", train),
        list("gene mean", infill(train, GeneMeanParam(), keep = "none")))) {
        p <- how[[2]] * sum(test) / sum(train)
        row <- d[d$task == "molecules" & d$method == how[[1]] & d$`repeat` == 2, ]
        expect_equal(row$poisson, mean(p - test * log(p + 1e-6)), tolerance = 1e-12)
        expect_equal(row$poisson, countLoss(test, unname(as.matrix(p))), tolerance = 1e-12)
        expect_equal(row$perfect, mean(test - ifelse(test > 0, test * log(test + 1e-6), 0)),
            tolerance = 1e-12)
        expect_equal(row$mse, mean((normal(p) - normal(test))^2), tolerance = 1e-12)
        r <- suppressWarnings(vapply(seq_len(nrow(p)),
            function(g) cor(normal(p)[g, ], normal(test)[g, ]), 0))
        if (how[[1]] == "none") expect_equal(row$pearson.gene, median(r, na.rm = TRUE),
            tolerance = 1e-12)
        expect_equal(row$pearson.cell,
            median(vapply(seq_len(ncol(p)), function(c) cor(normal(p)[, c], normal(test)[, c]), 0)),
            tolerance = 1e-12)
    }
    m <- maskCounts(counts, fraction = 0.1, seed = seed)
    row <- d[d$task == "entries" & d$method == "gene mean" & d$`repeat` == 2, ]
    want <- recoveryError(m, infill(maskedData(m), GeneMeanParam(), keep = "none"), scale = "log1p")
    expect_equal(row[c("rmse", "mae", "nmse", "pearson")],
        want[c("rmse", "mae", "nmse", "pearson")], tolerance = 1e-12, ignore_attr = TRUE)
})

test_that("the seed decides, workers and blocks do not", {
    few <- list(deepMc = DeepMcParam(sweeps = 5))
    both <- c("molecules", "entries")
    one <- compareInfill(counts, few, both, repeats = 2, seed = 3, labels = x$group)
    numbers <- function(x) as.data.frame(x)[setdiff(names(as.data.frame(x)),
        c("seconds", "memory"))]
    skip_if_not_installed("BiocParallel")
    two <- compareInfill(counts, few, both, repeats = 2, seed = 3, labels = x$group,
        BPPARAM = BiocParallel::SerialParam())
    expect_identical(numbers(two), numbers(one))
    expect_false(identical(numbers(compareInfill(counts, few, both, repeats = 2, seed = 4)),
        numbers(one)))
})

test_that("the generator of R is left as it is", {
    set.seed(9)
    before <- .Random.seed
    compareInfill(counts, list(DeepMcParam(sweeps = 2)), tasks = "molecules", repeats = 1, seed = 1,
        labels = x$group)
    expect_identical(.Random.seed, before)
    # of another kind it gives the same clusters, and stays of its kind
    run <- function() as.data.frame(compareInfill(counts, list(NoneParam()), tasks = "molecules",
        repeats = 2, seed = 1, labels = x$group))$ari
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
    y <- simulateCounts(n.genes = 150, n.cells = 100, dropout.shape = NULL, rates = TRUE,
        lib.location = 7, seed = 2)
    k <- SummarizedExperiment::assay(y, "counts")
    rate <- SummarizedExperiment::assay(y, "rate")
    m <- maskCounts(k, "molecules", 0.1, 5)
    test <- k - maskedData(m)
    loss <- function(p) countLoss(as.matrix(test), unname(p) * 0.1)
    others <- list(as.matrix(maskedData(m)) / 0.9,
        infill(maskedData(m), GeneMeanParam(), keep = "none", as = "matrix") / 0.9,
        suppressWarnings(infill(maskedData(m), StackParam(), seed = 1, as = "matrix")) / 0.9)
    for (p in others) expect_gt(loss(as.matrix(p)), loss(rate))
})

test_that("values that are not whole have entries to hide only", {
    expect_message(half <- compareInfill(counts / 2 + 0, list(DeepMcParam(sweeps = 2)), repeats = 1,
        seed = 1, check.scale = FALSE), "not molecules")
    expect_identical(unique(as.data.frame(half)$task), "entries")
})

test_that("masks of other schemes are asked for and named; cells they leave empty are told of", {
    few <- list(deepMc = DeepMcParam(sweeps = 2))
    one <- compareInfill(counts, few, tasks = "entries", scheme = "logistic.gene", n.entries = 3,
        repeats = 1, seed = 1)
    expect_output(print(one), "entries hidden by \"logistic.gene\", 3 of each gene, 1 repeat")
    m <- maskCounts(counts, "logistic.gene", seed = 1 + 7919, n.entries = 3)
    want <- recoveryError(m, infill(maskedData(m), GeneMeanParam(), keep = "none"), scale = "log1p")
    expect_equal(as.data.frame(one)$rmse[2], want$rmse, tolerance = 1e-12)
    both <- compareInfill(counts, few, c("molecules", "entries"), scheme = "exponential.cell",
        repeats = 1, seed = 1)
    expect_output(print(both),
        "10 % of the molecules held out, entries hidden by \"exponential.cell\", 1 repeat")
    thin <- withSeed(1, matrix(rpois(60 * 40, 0.03), 60))
    empty <- suppressWarnings(compareInfill(thin, list(mean = NoneParam()), tasks = "entries",
        fraction = 0.5, repeats = 1, seed = 1))
    expect_match(empty$warnings, "the mask leaves [0-9]+ of 40 cells without counts", all = FALSE)
})

test_that("what can not be judged is said at once", {
    few <- list(deepMc = DeepMcParam(sweeps = 2))
    bad <- function(text, ...) expect_error(compareInfill(...), text, class = "infill_error")
    bad("'scheme' must be one of", counts, few, scheme = "molecules")
    bad("'labels' must have fewer classes than cells: all 80", counts, few, labels = 1:80)
    bad("'x' must have counts: all are 0", counts * 0, few)
    bad("\"a posterior\": that is the row of another", counts,
        list(a = DeepMcParam(), `a posterior` = DeepMcParam()), posterior = TRUE)
    expect_s3_class(compareInfill(counts, list(a = NoneParam(), `a posterior` = NoneParam()),
        tasks = "entries", repeats = 1, seed = 1), "InfillComparison")
    # k-means may find too few different cells; the rest of the row stays
    d <- as.data.frame(compareInfill(counts, few, labels = c(1:79, 79), tasks = "molecules",
        repeats = 1, seed = 1))
    expect_identical(d$error, rep(NA_character_, 4))
    expect_true(is.na(d$ari[d$method == "gene mean"]) && all(is.finite(d$poisson)))
})

test_messages("arguments of compareInfill", {
    x <- lowRankCounts(12, 10)
    one <- list(DeepMcParam(sweeps = 1))
    bad(compareInfill(x, "DeepMc"))
    bad(compareInfill(x, list()))
    bad(compareInfill(x, list(none = DeepMcParam())))
    bad(compareInfill(x, one, tasks = "cells"))
    bad(compareInfill(x, one, fraction = 0.9))
    bad(compareInfill(x, one, repeats = 0))
    bad(compareInfill(x, one, labels = 1:3))
    bad(compareInfill(x, one, labels = rep(1, 10)))
    bad(compareInfill(x, one, labels = c(NA, rep(1:3, 3))))
    bad(compareInfill(x, one, posterior = NA))
    bad(compareInfill(x + 0.5, one, tasks = "molecules", check.scale = FALSE))
    bad(compareInfill(x - 100, one))
})

# ---- for a deadline ----

test_that("more cells than n.cells are sampled, with their labels, and the table says so", {
    some <- compareInfill(x, GeneMeanParam("detected"), n.cells = 30, repeats = 2, seed = 1,
        labels = x$group)
    expect_identical(some$settings[c("cells", "of")], list(cells = 30L, of = 80L))
    expect_output(print(some), "120 genes x 30 cells (a sample of 80)", fixed = TRUE)
    expect_true(all(is.finite(some$table$ari[some$table$task == "molecules"])))
    all <- compareInfill(x, GeneMeanParam("detected"), repeats = 2, seed = 1)
    expect_identical(all$settings[c("cells", "of")], list(cells = 80L, of = 80L))
    few <- infill:::.judgedOn(counts, "counts", TRUE, 30, 1)$few
    again <- compareInfill(counts[, few], GeneMeanParam("detected"), repeats = 2, seed = 1)
    drop <- c("ari", "silhouette", "seconds", "memory")
    expect_identical(some$table[setdiff(names(some$table), drop)],
        again$table[setdiff(names(again$table), drop)])
})

# .compareOne() that does something else at its k-th call
atCall <- function(k, what, code) {
    n <- 0
    old <- infill:::.compareOne
    withReplaced(".compareOne", function(...) if ((n <<- n + 1) == k) what() else old(...), code)
}

test_that("what is done is kept when time is over and on an interrupt", {
    slow <- function(sweeps) list(slow = DeepMcParam(sweeps = sweeps))
    whole <- compareInfill(x, slow(5), repeats = 3, seed = 1, tasks = "molecules")
    # a clock that goes by a second each time it is looked at; baselines first
    now <- 0
    withReplaced(".elapsed", function() now <<- now + 1, expect_warning(part <- compareInfill(x,
        slow(5), repeats = 3, seed = 1, tasks = "molecules", max.seconds = 11),
        "2 of 12 fits were not run: 'max.seconds' (11) was over", fixed = TRUE,
        class = "infill_unfinished"))
    done <- is.na(part$table$error)
    expect_identical(sum(done), 10L)
    expect_identical(part$table$poisson[done], whole$table$poisson[done])
    expect_match(part$table$error[!done], "^not run: 'max.seconds'")
    expect_true(all(part$table$method[!done] == "slow"))
    # means are of what was run
    expect_equal(infill:::.summary(part, "molecules")$value[4],
        whole$table$poisson[whole$table$method == "slow"][1])
    stop.now <- function() signalCondition(structure(class = c("interrupt", "condition"),
        list(message = "", call = NULL)))
    expect_warning(cut <- atCall(10, stop.now, compareInfill(x, slow(5), repeats = 3, seed = 1,
        tasks = "molecules")), "3 of 12 fits were not run: interrupted")
    expect_output(print(cut), "slow was not run: interrupted")
    expect_match(infill:::.verdict(cut, "molecules"), "no model could be fitted")
    expect_error(suppressWarnings(compareInfill(x, slow(5), max.seconds = 0)),
        "nothing was fitted: 'max.seconds' (0) was over", fixed = TRUE, class = "infill_error")
})

test_that("a worker that dies loses its own fit only", {
    skip_if_not_installed("BiocParallel")
    skip_on_os("windows")
    old <- infill:::.compareOne
    withReplaced(".compareOne", function(job, ...) {
        if (job$method == "deadly" && job$rep == 2) tools::pskill(Sys.getpid(), 9)
        old(job, ...)
    }, lost <- suppressWarnings(compareInfill(x, list(deadly = GeneMeanParam("detected")),
        repeats = 2, seed = 1, tasks = "molecules", BPPARAM = BiocParallel::MulticoreParam(2))))
    dead <- lost$table$method == "deadly" & lost$table$`repeat` == 2
    expect_match(lost$table$error[dead], "not run: a worker of 'BPPARAM' failed")
    expect_true(all(is.na(lost$table$error[!dead])))
    expect_identical(lost$table$poisson[!dead], compareInfill(x,
        list(deadly = GeneMeanParam("detected")), repeats = 2, seed = 1,
        tasks = "molecules")$table$poisson[!dead])
})

test_that("progress says how long first, then what is at work and how long the rest takes", {
    said <- character()
    withCallingHandlers(compareInfill(x, DeepMcParam(sweeps = 5), c("molecules", "entries"),
        repeats = 1, seed = 1, progress = TRUE), message = function(m) {
        said <<- c(said, conditionMessage(m))
        invokeRestart("muffleMessage")
    })
    expect_length(said, 9)
    expect_match(said[1], "^8 fits: .*, .* of memory above the input")
    expect_match(said[9],
        "^8 of 8: DeepMc, (molecules|entries), repeat 1; [0-9]+ s so far, to go: less than a second")
})

test_that("molecules are asked for unless told otherwise; a scheme asks for entries", {
    task <- function(...) {
        cmp <- compareInfill(counts, list(mean = NoneParam()), repeats = 1, seed = 1, ...)
        unique(cmp$table$task)
    }
    expect_identical(task(), "molecules")
    expect_identical(task(scheme = "logistic.gene"), "entries")
    expect_setequal(task(c("molecules", "entries"), scheme = "uniform"), c("molecules", "entries"))
    expect_error(task("molecules", scheme = "uniform"), "'scheme' hides entries",
        class = "infill_error")
    # what entries cost is asked with the parameters that they are judged with
    asked <- NULL
    old <- infill:::.costOf
    withReplaced(".costOf", function(param, ...) {
        asked <<- c(asked, if (is(param, "StackParam")) param@loss)
        old(param, ...)
    }, compareInfill(counts, StackParam(repeats = 1), c("molecules", "entries"), repeats = 1, seed = 1,
        max.seconds = 100))
    expect_setequal(asked, c("poisson", "masked"))
})
