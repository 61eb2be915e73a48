# tuneInfill().

x <- simulateCounts(n.genes = 120, n.cells = 80, seed = 1)
counts <- SummarizedExperiment::assay(x, "counts")

test_that("tuning finds the best of the grid and returns it", {
    tuned <- tuneInfill(counts, DeepMcParam(), list(ranks = list(c(8, 3), 2), sweeps = c(1, 10)),
        repeats = 2, seed = 1)
    best <- tuned$best
    d <- tuned$table
    expect_output(print(tuned), "InfillTuning of DeepMcParam: 2 repeats, 10 % of the molecules")
    expect_identical(nrow(d), 4L)
    at <- which.min(d$poisson)
    expect_identical(best@sweeps, d$sweeps[at])
    expect_identical(best@ranks, as.double(d$ranks[[at]]))
    expect_identical(best@zero.weight, 0)
    # the loss of a row is that of compareInfill() with the same splits
    one <- compareInfill(counts, list(DeepMcParam(ranks = 2, sweeps = 1)), tasks = "molecules",
        repeats = 2, seed = 1)
    expect_equal(d$poisson[2],
        mean(as.data.frame(one)$poisson[as.data.frame(one)$method == "DeepMc"]), tolerance = 1e-12)
    expect_s4_class(infill(x, best, seed = 1), "SingleCellExperiment")
    skip_if_not_installed("ggplot2")
    expect_s3_class(plot(tuned), "ggplot")
})

test_that("tuning sets what the constructor sets", {
    tuned <- tuneInfill(counts, DeepMcParam(init = "mean"), list(method = c("budget", "converged")),
        repeats = 1, seed = 1)
    d <- tuned$table
    for (k in 1:2) {
        one <- as.data.frame(compareInfill(counts,
            list(DeepMcParam(init = "mean", method = d$method[k])), tasks = "molecules",
            repeats = 1, seed = 1))
        expect_equal(d$poisson[k], one$poisson[one$method == "DeepMc"], tolerance = 1e-12)
    }
    same <- function(param, want, values = list())
        expect_identical(infill:::.remaker(param)$with(values), want)
    same(DeepMcParam(), DeepMcParam(method = "converged"), list(method = "converged"))
    same(DeepMcParam(method = "converged", tol = 0.1), DeepMcParam(tol = 0.1),
        list(method = "budget"))
    same(DeepMcParam(sweeps = 3, seed = 4), DeepMcParam(method = "converged", sweeps = 3, seed = 4),
        list(method = "converged"))
    same(GraphSciParam(l2 = 1, seed = 2), GraphSciParam(l2 = 1, paper = TRUE, seed = 2),
        list(paper = TRUE))
    same(ScInnParam(paper = TRUE), ScInnParam(), list(paper = FALSE))
    same(AutoImputeParam(), AutoImputeParam(preset = "Blakeley"), list(preset = "Blakeley"))
    same(StackParam(list(GeneMeanParam())), StackParam(list(DeepMcParam())),
        list(priors = list(DeepMcParam())))
    for (p in list(NoneParam(), GeneMeanParam("detected"), StackParam(),
        DeepImputeParam(genes = 1:3), ScInnParam(latent = diag(3)),
        AutoImputeParam(preset = "Blakeley"), GraphSciParam(paper = TRUE, stop = "cost"))) same(p,
        p)
    expect_identical(tuneInfill(counts, DeepMcParam(), data.frame(method = factor("converged")),
        repeats = 1, seed = 1)$best@tol, 1e-4)
    # a model that fails has no posterior, and is not the best
    b <- tuneInfill(counts, GraphSciParam(max.iter = 3), list(n.max = c(10, 5000)), repeats = 1,
        seed = 1, posterior = TRUE)
    expect_match(b$table$error[1], "n.max")
    expect_identical(b$best@n.max, 5000)
    # of a stack, its priors
    b <- tuneInfill(counts, StackParam(repeats = 1),
        list(priors = list(list(GeneMeanParam()), list(GeneMeanParam(), DeepMcParam(sweeps = 2)))),
        repeats = 1, seed = 1)
    expect_true(all(is.finite(b$table$poisson)))
    if (requireNamespace("ggplot2", quietly = TRUE))
        expect_s3_class(ggplot2::ggplot_build(plot(b))$plot, "ggplot")
    setClass("OwnParam", contains = "DeepMcParam", where = environment())
    expect_identical(tuneInfill(counts, new("OwnParam", DeepMcParam()), list(sweeps = c(1, 2)),
        repeats = 1, seed = 1)$best@lambda.scale, 0.25)
    bad <- function(text, ...) expect_error(tuneInfill(counts, DeepMcParam(), ...), text,
        class = "infill_error")
    bad("'grid' must be given")
    bad("'posterior' must be TRUE or FALSE", list(sweeps = 1), posterior = "yes")
    bad("'grid', row 1: 'sweeps' must be a number", list(sweeps = c("a", "b")))
    bad("does not have: preset", list(preset = "Blakeley"))
})

test_messages("arguments of tuneInfill", {
    x <- lowRankCounts(12, 10)
    bad(tuneInfill(x, "DeepMc", list(sweeps = 1)))
    bad(tuneInfill(x, DeepMcParam(), list(1)))
    bad(tuneInfill(x, DeepMcParam(), list(epochs = 1)))
    bad(tuneInfill(x, DeepMcParam(), list(sweeps = -1)))
    bad(tuneInfill(x, DeepMcParam(), list(sweeps = numeric())))
})
