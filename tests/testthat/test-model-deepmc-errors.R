# deepMc: what is refused, in words.

counts <- smallCounts()
param <- DeepMcParam(c(6, 3), sweeps = 5)
fit <- fitInfill(counts, param, seed = 1)

test_messages("DeepMcParam: every argument", {
    bad(DeepMcParam(ranks = c(3, 6)))
    bad(DeepMcParam(ranks = numeric()))
    bad(DeepMcParam(ranks = "many"))
    bad(DeepMcParam(method = "fast"))
    bad(DeepMcParam(sweeps = 0))
    bad(DeepMcParam(step = "long"))
    bad(DeepMcParam(zero.weight = -1))
    bad(DeepMcParam(lambda = -1))
    bad(DeepMcParam(lambda = "auto"))
    bad(DeepMcParam(lambda.scale = NA))
    bad(DeepMcParam(accelerate = 2))
    bad(DeepMcParam(tol = 2))
    bad(DeepMcParam(init = "zero"))
    bad(DeepMcParam(nonneg = NULL))
    bad(DeepMcParam(n.genes = 0))
    bad(DeepMcParam(log = "log10"))
    bad(DeepMcParam(depth = 2))
    counts <- smallCounts()
    bad(fitInfill(counts, DeepMcParam(), keep.state = TRUE))
})

test_that("values that are no counts are named by their place", {
    for (bad in c(NaN, Inf, -1)) {
        x <- counts + 0
        x[5, 2] <- bad
        expect_error(infill(x, param), 'gene 5 ("g5"), cell 2 ("c2")', fixed = TRUE,
            class = "infill_scale")
    }
})

test_that("mistakes are named, all at once, as errors of our class", {
    wrong <- list(ranks = list(c(3, 6), 0, numeric(), c(3, NA), 2.5, "a", rep(2, 9), 2e4, NULL,
        Inf), sweeps = list(0, 2.5, 1:2, Inf, "auto"), method = list("best", NA, 1),
        step = list("plain", NA, 1), zero.weight = list(-1, NA, Inf, 1:2),
        lambda = list(-1, "auto", Inf, 1:2), lambda.scale = list(-1, NA), accelerate = list(NA, 1),
        tol = list(-1, 2, NA), init = list("zero", NA), nonneg = list(NA, "factors"),
        min.cells = list(-1, 1.5), n.genes = list(0, NA, NULL), gene.selection = list("x", NA),
        log = list("none", "log"), seed = list(-1, 0.5), num.threads = list(0))
    for (name in names(wrong)) for (value in wrong[[name]]) {
        args <- stats::setNames(list(value), name)
        expect_error(do.call(DeepMcParam, args), sprintf("'%s' must be", name),
            class = "infill_error", info = asText(args))
    }
    expect_error(DeepMcParam(c(3, 6)), "none larger than the one before", class = "infill_error")
    expect_error(DeepMcParam(ranks = 0, tol = 7, step = "x"),
        "(?s)(?=.*'ranks')(?=.*'tol')(?=.*'step')", perl = TRUE, class = "infill_error")
    expect_error(DeepMcParam(hidden = 3), "no argument 'hidden'", class = "infill_error")
    p <- param
    p@ranks <- c(3, 6)
    expect_error(fitInfill(counts, p, seed = 1), "'ranks' must be", class = "infill_error")
})

test_that("what goes on from a fit is refused", {
    for (more in list(list(keep.state = TRUE), list(resume = fit), list(checkpoint = tempfile())))
        expect_error(do.call(fitInfill, c(list(counts, param, seed = 1), more)),
        "are not offered for DeepMcParam", class = "infill_error")
})

test_that("a fit that cannot be held in memory is refused", {
    old <- options(infill.memory.limit = 1000)
    on.exit(options(old))
    expect_error(fitInfill(counts, param, seed = 1), "'ranks', now 6, 3", class = "infill_error")
})
