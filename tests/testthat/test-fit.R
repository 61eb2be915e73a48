# fitInfill(): seeds, threads, prepared counts.

counts <- smallCounts()
param <- smallParam()

test_that("prepared counts are used as they are", {
    one <- fitInfill(counts, param, seed = 1)
    two <- fitInfill(prepareCounts(counts), param, seed = 1)
    one@seconds <- two@seconds
    expect_identical(two, one)
    few <- fitInfill(prepareCounts(counts, n.genes = 10), param, seed = 1)
    expect_identical(nrow(fitParts(few, "weights")$E), 10L)
    expect_identical(infill(counts, few)[-few@recipe$selected, ],
        counts[-few@recipe$selected, ] + 0)
})

test_that("the seed fixes the bits, wherever it is given, and another gives others", {
    one <- fitInfill(counts, param, seed = 1)@weights
    expect_identical(fitInfill(counts, param, seed = 1)@weights, one)
    expect_identical(fitInfill(counts, smallParam(seed = 1))@weights, one)
    expect_identical(fitInfill(counts, smallParam(seed = 9), seed = 1)@weights, one)
    expect_false(identical(fitInfill(counts, param, seed = 2)@weights, one))
    expect_false(identical(fitInfill(counts, param, seed = 2^40)@weights,
        fitInfill(counts, param, seed = 2^40 + 1)@weights))
    expect_false(identical(fitInfill(counts, param, seed = 2^52)@weights,
        fitInfill(counts, param, seed = 0)@weights))
})

test_that("R's generator is left alone when a seed is given, and read once when none is", {
    withSeed(5, {
        before <- .Random.seed
        fit <- fitInfill(counts, param, seed = 1)
        infill(counts, fit)
        infill(counts, param, seed = 1)
        infill(counts, smallParam(seed = 1))
        maskCounts(counts, seed = 1)
        expect_identical(.Random.seed, before)
    })
    withSeed(5, { sample.int(.Machine$integer.max, 1); after <- .Random.seed })
    withSeed(5, {
        drawn <- fitInfill(counts, param)
        expect_identical(.Random.seed, after)
    })
    withSeed(5, expect_identical(fitInfill(counts, param, seed = NA)@seed, drawn@seed))
    withSeed(5, expect_identical(drawn@seed, as.double(sample.int(.Machine$integer.max, 1))))
    expect_identical(fitInfill(counts, param, seed = drawn@seed)@weights, drawn@weights)
    withSeed(5, expect_identical(infill(counts, param), infill(counts, drawn)))
})

test_that("no generator state is made where there was none", {
    old <- get0(".Random.seed", globalenv(), inherits = FALSE)
    on.exit(if (!is.null(old)) assign(".Random.seed", old, globalenv()))
    if (!is.null(old)) rm(".Random.seed", envir = globalenv())
    fitInfill(counts, param, seed = 1)
    expect_false(exists(".Random.seed", globalenv(), inherits = FALSE))
})

test_that("threads come from the argument, the parameters or the option, and change nothing", {
    one <- fitInfill(counts, param, seed = 1)
    expect_identical(fitInfill(counts, param, seed = 1, num.threads = 2)@weights, one@weights)
    expect_identical(fitInfill(counts, smallParam(num.threads = 3), seed = 1)@weights, one@weights)
    old <- options(infill.threads = 2)
    on.exit(options(old))
    expect_identical(fitInfill(counts, param, seed = 1)@weights, one@weights)
    options(infill.threads = "many")
    expect_error(fitInfill(counts, param, seed = 1), class = "infill_error")
    expect_s4_class(fitInfill(counts, param, seed = 1, num.threads = 1), "InfillFit")
})

test_that("a fit that cannot be held in memory is refused before it starts", {
    old <- options(infill.memory.limit = 1e6)
    on.exit(options(old))
    expect_error(fitInfill(counts, AutoImputeParam(hidden = 1000), seed = 1), "'hidden', now 1000",
        class = "infill_error")
    expect_s4_class(fitInfill(counts, param, seed = 1), "InfillFit")
    options(infill.memory.limit = NULL)
    expect_error(fitInfill(lowRankCounts(2000, 4),
        AutoImputeParam(hidden = 1e6, min.cells = 1, n.genes = Inf), seed = 1), "Gb",
        class = "infill_error")
})

test_that("a fit does not depend on when it is made: two in a row, and after an error", {
    one <- fitInfill(counts, param, seed = 1)@weights
    try(fitInfill(counts, AutoImputeParam(hidden = 1e6), seed = 1, num.threads = 0), silent = TRUE)
    expect_identical(fitInfill(counts, param, seed = 1)@weights, one)
})

test_messages("what is no model or fit", {
    counts <- tinyCounts()
    param <- tinyParam()
    fit <- tinyFit()
    bad(infill(counts, "AutoImpute"))
    expect_error(infill(counts), "param", class = "infill_error")
    expect_error(fitInfill(counts), "param", class = "infill_error")
    bad(infill(counts, AutoImputeParam))
    bad(infill(counts, list(param)))
    bad(fitInfill(counts, NULL))
    bad(fitInfill(counts, fit))
    expect_error(fitParts(1, "weights"), class = "infill_error")
    expect_error(fitParts(NULL, "history"), class = "infill_error")
    wrong <- param
    wrong@hidden <- -1
    expect_error(fitInfill(counts, wrong, seed = 1), "hidden", class = "infill_error")
})

test_messages("arguments of fitInfill", {
    counts <- tinyCounts()
    param <- tinyParam()
    fit <- tinyFit()
    bad(fitInfill(counts, param, seed = "one"))
    bad(fitInfill(counts, param, seed = 1.5))
    bad(fitInfill(counts, param, seed = c(1, 2)))
    bad(fitInfill(counts, param, num.threads = 0))
    bad(fitInfill(counts, param, num.threads = "all"))
    bad(fitInfill(counts, param, progress = NA))
    bad(fitInfill(counts, param, keep.state = 1))
    bad(fitInfill(counts, param, checkpoint = TRUE))
    bad(fitInfill(counts, param, checkpoint = "x.rds", checkpoint.every = 0))
    bad(fitInfill(counts, param, resume = "fit.rds"))
    bad(fitInfill(counts, param, resume = fit), "infill_mismatch")
    bad(fitInfill(counts, NoneParam(), resume = fit), "infill_mismatch")
    state <- fitInfill(counts, param, seed = 1, keep.state = TRUE)
    bad(fitInfill(counts, smallParam(hidden = 5, lambda = 2, min.cells = 1), resume = state),
        "infill_mismatch")
    bad(fitInfill(counts, param, seed = 2, resume = state), "infill_mismatch")
    bad(fitInfill(counts[, 1:5], param, resume = state), "infill_mismatch")
    ended <- fitInfill(counts, smallParam(hidden = 4, min.cells = 1, stop = "paper",
        threshold = 1e6), seed = 1, keep.state = TRUE)
    bad(fitInfill(counts, smallParam(hidden = 4, min.cells = 1, stop = "paper", threshold = 1e6),
        resume = ended), "infill_mismatch")
    expect_error(fitInfill(counts, param, seed = numeric()), "seed", class = "infill_error")
    expect_error(fitInfill(counts, param, seed = c(NA, 1)), "seed", class = "infill_error")
    large <- prepareCounts(matrix(5, 3, 4), log = "none", normalize = "none")
    large@x@x[] <- 2e38
    bad(fitInfill(large, smallParam(hidden = 4, learning.rate = 10), seed = 1), "infill_diverged")
})

test_messages("more than memory allows", {
    counts <- tinyCounts()
    fit <- tinyFit()
    old <- options(infill.memory.limit = 2e6)
    on.exit(options(old))
    bad(fitInfill(counts, AutoImputeParam(hidden = 1e6, min.cells = 1), seed = 1))
    bad(infill(counts, AutoImputeParam(hidden = 1e5, min.cells = 1), seed = 1))
    options(infill.memory.limit = 100)
    bad(infill(counts, fit))
})
