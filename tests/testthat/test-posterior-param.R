# StackParam() and the names of its priors.

# Data that the fits below share: low rank, so that the decomposition has something to say.
x <- lowRankCounts(60, 50, level = 0.3, spread = 1)
svd3 <- svdPrior(3)

test_that("names: given, made, and never those of other columns", {
    p <- infill:::.priorsOf(StackParam(list(svd3, eta = GeneMeanParam(), GeneMeanParam("detected"),
        svd3, counts = GeneMeanParam())))
    expect_named(p, c("Svd", "eta 1", "detected mean", "Svd 1", "counts 1"))
    usual <- c("gene mean", paste("SVD", c(5, 10, 20, 40, 80)), paste("kNN", c(10, 30, 100)))
    expect_named(infill:::.priorsOf(StackParam()), usual)
    # the default ones can be had, alone and with others
    expect_identical(infill:::.priorsOf(StackParam(defaultPriors())),
        infill:::.priorsOf(StackParam()))
    expect_identical(infill:::.priorsOf(StackParam(defaultPriors("masked"), loss = "masked")),
        infill:::.priorsOf(StackParam(loss = "masked")))
    expect_named(infill:::.priorsOf(StackParam(c(defaultPriors(), list(DeepImputeParam())))),
        c(usual, "DeepImpute"))
    expect_error(defaultPriors("zeros"), "'loss' must be one of", class = "infill_error")
    f <- fitInfill(x, StackParam(list(stack = GeneMeanParam(), b0 = GeneMeanParam("detected")),
        repeats = 1), seed = 1)
    expect_output(print(f), "weights: stack 1 .*b0 1")
    expect_output(print(StackParam(list(a = svd3, GeneMeanParam()))),
        "priors +a = SvdParam, GeneMeanParam")
    expect_output(print(StackParam(svd3)), "priors +SvdParam")
    expect_error(StackParam(list(GeneMeanParam(), StackParam())), "stack of stacks",
        class = "infill_error")
})

test_messages("StackParam: every argument", {
    bad(StackParam(list()))
    bad(StackParam(5))
    bad(StackParam(list(GeneMeanParam(), 1)))
    bad(StackParam(list(GeneMeanParam(), StackParam())))
    bad(StackParam(loss = "mse", fraction = 0, repeats = 0, n.entries = 10, refit = NA,
        min.gain = 2))
    bad(StackParam(loss = 1, fraction = 0.6, repeats = 1.5, n.entries = NA, refit = "yes"))
    bad(StackParam(fraction = c(0.1, 0.2), repeats = 101, n.entries = 1e10, seed = -1))
    bad(StackParam(n.entry = 1000))
})
