# What a comparison says: the best one, with its interval, or that none is better.

x <- simulateCounts(n.genes = 120, n.cells = 80, seed = 1)
cmp <- compareInfill(x, tasks = c("molecules", "entries"),
    params = list(deepMc = DeepMcParam(sweeps = 5), StackParam(),
    broken = GraphSciParam(n.max = 2)), repeats = 3, seed = 1, labels = x$group, posterior = TRUE)

test_that("of one population with Poisson noise it says: do not impute", {
    null <- withSeed(2, matrix(rpois(150 * 100, rgamma(150, 0.6, 0.3)), 150))
    null <- null[rowSums(null) > 5, ]
    one <- compareInfill(null, list(Stack = StackParam(), deepMc = DeepMcParam(sweeps = 5)),
        repeats = 3, seed = 1)
    s <- infill:::.summary(one, "molecules")
    expect_identical(attr(s, "best"), "gene mean")
    expect_false(any(s$beats))
    expect_output(print(one), "do not impute. No model beats \"gene mean\"")
})

test_that("a clear winner is said to win, with its interval; one repeat gives no verdict", {
    groups <- withSeed(3, {
        g <- rep(1:3, each = 50)
        matrix(rpois(200 * 150, 0.3 * 6^(outer(1:200 %% 3 + 1, g, "=="))), 200)
    })
    two <- compareInfill(groups, list(Stack = StackParam()), tasks = "molecules", repeats = 3,
        seed = 1)
    s <- infill:::.summary(two, "molecules")
    expect_true(s$beats[s$method == "Stack"])
    expect_output(print(two), "Stack is best, .* interval")
    one <- compareInfill(groups, list(Stack = StackParam(), mean = GeneMeanParam()),
        tasks = "molecules", repeats = 1, seed = 1)
    s <- infill:::.summary(one, "molecules")
    value <- function(name) sprintf("%.4f", s$value[s$method == name])
    expect_match(infill:::.verdict(one, "molecules"),
        sprintf(paste0("Stack is lowest, %s against %s of the best baseline \\(%s\\); ",
            "one repeat gives no interval"),
        value("Stack"), value(attr(s, "best")), attr(s, "best")))
    # where a baseline is lowest, it is named with its own number
    one <- compareInfill(groups, list(mean = NoneParam()), tasks = "molecules", repeats = 1,
        seed = 1)
    s <- infill:::.summary(one, "molecules")
    expect_match(infill:::.verdict(one, "molecules"),
        sprintf("%s is lowest, %.4f against %.4f of the best model \\(mean\\)", attr(s, "best"),
        min(s$value), s$value[s$method == "mean"]))
})

test_that("dispersed genes that know nothing of each other: the gene mean's posterior is enough", {
    apart <- withSeed(2, matrix(rnbinom(200 * 100, size = 1, mu = rexp(200, 1 / 2)), 200))
    cmp <- suppressWarnings(compareInfill(apart, list(StackParam(), deepMc = DeepMcParam()),
        tasks = "molecules", seed = 1))
    s <- infill:::.summary(cmp, "molecules")
    expect_identical(attr(s, "best"), "gene mean posterior")
    expect_false(any(s$beats))
    expect_match(infill:::.verdict(cmp, "molecules"),
        paste0("do not impute with these models; StackParam\\(GeneMeanParam\\(\\)\\) is enough. ",
            "No model beats .*the nearest is Stack, no different"))
    # no better worth the name than the gene mean: the simpler one
    cmp$table$poisson[cmp$table$method == "gene mean"] <-
        cmp$table$poisson[cmp$table$method == "gene mean posterior"] + 1e-6
    expect_identical(attr(infill:::.summary(cmp, "molecules"), "best"), "gene mean")
    expect_match(infill:::.verdict(cmp, "molecules"), "do not impute. No model beats \"gene mean\"")
})

test_that("the lowest mean is not best where its interval holds 0, and the sure one is named", {
    three <- cmp
    t <- three$table[three$table$task == "molecules" &
        three$table$method %in% c("none", "gene mean", "gene mean posterior", "deepMc", "Stack"), ]
    t$perfect <- 0
    t$poisson <- c(none = 2, `gene mean` = 2, `gene mean posterior` = 1, deepMc = 0.9,
        Stack = 0.7)[t$method] + ifelse(t$method == "Stack", c(-0.3, 0, 0.4)[t$`repeat`], 0)
    three$table <- t
    said <- infill:::.verdict(three, "molecules")
    expect_match(said,
        paste0("deepMc beats the best baseline \\(\"gene mean posterior\", 1.0000\\): 0.9000, ",
            "-0.1000 .*Stack is lower, 0.7333, but that may be chance"))
    # a gain that is sure and too small to have is called that
    t$poisson <- c(none = 2, `gene mean` = 2, `gene mean posterior` = 1, deepMc = 1 - 5e-4,
        Stack = 1.2)[t$method] + 1e-6 * t$`repeat` * (t$method == "deepMc")
    three$table <- t
    expect_match(infill:::.verdict(three, "molecules"),
        "by 0.1 % of its distance to a perfect prediction; the nearest is deepMc, -0.0005 ")
})

test_that("a winner is told with what it makes worse, and why", {
    three <- cmp
    t <- three$table[three$table$task == "molecules" &
        three$table$method %in% c("none", "gene mean", "gene mean posterior", "Stack"), ]
    t$perfect <- 0
    t$poisson <- c(none = 2, `gene mean` = 2, `gene mean posterior` = 1, Stack = 0.7)[t$method] +
        1e-4 * t$`repeat`
    for (score in c("ari", "silhouette", "pearson.gene", "pearson.cell", "mse")) t[[score]] <- 0.5
    three$table <- t
    expect_no_match(infill:::.verdict(three, "molecules"), "Worse")
    t$ari[t$method == "none"] <- 0.62
    t$mse[t$method == "none"] <- 0.4
    three$table <- t
    expect_match(infill:::.verdict(three, "molecules"), paste0("Stack is best.* Worse than in the ",
        "counts: ari 0.5 [(]counts 0.62[)], mse 0.5 [(]counts 0.4[)]. mse compares logarithms"))
    # what does not win is not praised, and not blamed
    t$poisson[t$method == "Stack"] <- 1.5
    three$table <- t
    expect_no_match(infill:::.verdict(three, "molecules"), "Worse")
})

test_messages("arguments of plot() of a comparison", {
    x <- lowRankCounts(12, 10)
    one <- list(DeepMcParam(sweeps = 1))
    cmp <- compareInfill(x, one, tasks = "molecules", repeats = 1, seed = 1)
    bad(plot(cmp, "tree"))
    bad(plot(cmp, "recovery"))
    bad(plot(cmp, "training", task = "entries"))
})
