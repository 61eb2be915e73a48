counts <- smallCounts()
param <- smallParam()

test_that("a fit says what it is", {
    fit <- fitInfill(counts, param, seed = 3)
    expect_s4_class(fit, "InfillFit")
    expect_true(validObject(fit))
    expect_identical(fit@seed, 3)
    expect_identical(fit@param@seed, 3)
    expect_identical(fit@cells, 40L)
    expect_identical(fit@entries, as.double(length(as(prepareCounts(counts), "dgCMatrix")@x)))
    expect_identical(fit@version, as.character(packageVersion("infill")))
    expect_identical(fit@recipe, prepareCounts(counts)@recipe)
    expect_length(fit@state, 0)
    expect_gte(fit@seconds, 0)
    h <- fitHistory(fit)
    expect_identical(names(h), c("iteration", "train", "valid", "penalty"))
    expect_identical(h$iteration, seq_len(25))
    expect_identical(h, fit@history)
    expect_true(all(is.finite(as.matrix(h))))
    G <- length(fit@recipe$selected)
    expect_identical(lapply(fitWeights(fit), dim), list(E = c(G, 8L), D = c(8L, G), b_e = c(8L, 1L), b_d = c(G, 1L)))
    expect_identical(unlist(fitWeights(fit), use.names = FALSE), fit@weights)
    expect_output(print(fit), "InfillFit of AutoImputeParam, seed 3.*genes modelled of 60, 40 cells.*25 iterations")
    expect_output(print(param), "AutoImputeParam.*hidden +8")
})

test_that("prepared counts are used as they are", {
    one <- fitInfill(counts, param, seed = 1)
    two <- fitInfill(prepareCounts(counts), param, seed = 1)
    one@seconds <- two@seconds
    expect_identical(two, one)
    few <- fitInfill(prepareCounts(counts, n.genes = 10), param, seed = 1)
    expect_identical(nrow(fitWeights(few)$E), 10L)
    expect_identical(infill(counts, few)[-few@recipe$selected, ], counts[-few@recipe$selected, ] + 0)
})

test_that("the seed fixes the bits, wherever it is given, and another gives others", {
    one <- fitInfill(counts, param, seed = 1)@weights
    expect_identical(fitInfill(counts, param, seed = 1)@weights, one)
    expect_identical(fitInfill(counts, smallParam(seed = 1))@weights, one)
    expect_identical(fitInfill(counts, smallParam(seed = 9), seed = 1)@weights, one)
    expect_false(identical(fitInfill(counts, param, seed = 2)@weights, one))
    expect_false(identical(fitInfill(counts, param, seed = 2^40)@weights, fitInfill(counts, param, seed = 2^40 + 1)@weights))
    expect_false(identical(fitInfill(counts, param, seed = 2^52)@weights, fitInfill(counts, param, seed = 0)@weights))
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

# Everything that must be equal after a detour.
expectSameFit <- function(fit, whole) {
    expect_identical(fit@weights, whole@weights)
    expect_identical(fit@history, whole@history)
    expect_identical(fit@best, whole@best)
    expect_identical(fit@stopped, whole@stopped)
    expect_identical(fit@seed, whole@seed)
}

test_that("a resumed fit ends with the same bits as one in one go", {
    for (more in list(list(), list(stop = "paper", threshold = 0), list(stop = "window", threshold = 0), list(batch.size = 7),
        list(batch.size = 7, stop = "paper", threshold = 0), list(bias = FALSE), list(block.cells = 7))) {
        go <- function(n) do.call(smallParam, c(list(max.iter = n), more))
        whole <- fitInfill(counts, go(30), seed = 4)
        start <- fitInfill(counts, go(11), seed = 4, keep.state = TRUE)
        expect_gt(length(start@state), 0)
        expectSameFit(fitInfill(counts, go(30), resume = start), whole)
        expectSameFit(fitInfill(counts, go(30), seed = 4, resume = start, num.threads = 2), whole)
        middle <- fitInfill(counts, go(20), resume = start, keep.state = TRUE)
        expectSameFit(fitInfill(counts, go(30), resume = middle), whole)
    }
})

test_that("resuming across the end of the validation rule stops where one go does", {
    p <- function(n) smallParam(max.iter = n, learning.rate = 0.05, patience = 10)
    whole <- fitInfill(counts, p(2000), seed = 4)
    expect_identical(whole@stopped, "no better held-out error")
    ends <- nrow(whole@history)
    for (n in c(whole@best - 1, whole@best, whole@best + 1, ends - 1)) {
        start <- fitInfill(counts, p(max(1, n)), seed = 4, keep.state = TRUE)
        expectSameFit(fitInfill(counts, p(2000), resume = start), whole)
    }
    expect_error(fitInfill(counts, p(3000), resume = fitInfill(counts, p(2000), seed = 4, keep.state = TRUE)),
        "nothing to go on with", class = "infill_mismatch")
})

test_that("a fit is resumed only with what it was made of", {
    start <- fitInfill(counts, smallParam(max.iter = 5), seed = 4, keep.state = TRUE)
    expect_error(fitInfill(counts, smallParam(lambda = 3), resume = start), "another 'lambda'", class = "infill_mismatch")
    expect_error(fitInfill(counts, GeneMeanParam(), resume = start), "GeneMeanParam", class = "infill_mismatch")
    expect_error(fitInfill(counts, param, seed = 5, resume = start), "seed 4, not 5", class = "infill_mismatch")
    expect_error(fitInfill(counts[, -1], param, resume = start), "other counts", class = "infill_mismatch")
    expect_error(fitInfill(counts, param, resume = fitInfill(counts, smallParam(max.iter = 5), seed = 4)), "no state",
        class = "infill_mismatch")
    expect_error(fitInfill(counts, param, resume = list()), "resume", class = "infill_error")
    same <- fitInfill(counts, smallParam(max.iter = 3), resume = start)      # fewer than it has: as it is
    expect_identical(same@weights, start@weights)
    expect_identical(nrow(fitHistory(same)), 5L)
})

test_that("a checkpoint is gone on from, and removed at the end", {
    file <- tempfile(fileext = ".rds")
    on.exit(unlink(file))
    whole <- fitInfill(counts, smallParam(max.iter = 30), seed = 4)
    expectSameFit(fitInfill(counts, smallParam(max.iter = 30), seed = 4, checkpoint = file, checkpoint.every = 7), whole)
    expect_false(file.exists(file))
    saveRDS(fitInfill(counts, smallParam(max.iter = 13), seed = 4, keep.state = TRUE), file)
    again <- fitInfill(counts, smallParam(max.iter = 30), seed = 4, checkpoint = file, checkpoint.every = 7)
    expectSameFit(again, whole)
    expect_length(again@state, 0)
    expect_false(file.exists(file))
    expect_length(list.files(dirname(file), basename(file)), 0)
    expectSameFit(fitInfill(counts, GeneMeanParam(), seed = 4, checkpoint = file), fitInfill(counts, GeneMeanParam(), seed = 4))
})

test_that("a fit that was killed goes on from its checkpoint to the same bits", {
    skip_on_os("windows")
    folder <- tempfile("killed")
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    saveRDS(counts, file.path(folder, "counts.rds"))
    file <- file.path(folder, "checkpoint.rds")
    rscript(c("cat(Sys.getpid(), file = file.path(folder, 'pid'))",
        "p <- AutoImputeParam(hidden = 64, max.iter = 1e6, stop = 'paper', threshold = 0)",
        "fitInfill(readRDS(file.path(folder, 'counts.rds')), p, seed = 4, progress = FALSE,",
        "    checkpoint = file.path(folder, 'checkpoint.rds'), checkpoint.every = 40)"), folder)
    expect_true(soon(function() file.exists(file)))
    tools::pskill(as.integer(readLines(file.path(folder, "pid"), warn = FALSE)), tools::SIGKILL)
    Sys.sleep(0.2)
    done <- nrow(fitHistory(readRDS(file)))
    expect_identical(done %% 40L, 0L)
    p <- AutoImputeParam(hidden = 64, max.iter = done + 25, stop = "paper", threshold = 0)
    expectSameFit(fitInfill(counts, p, checkpoint = file), fitInfill(counts, p, seed = 4))
    expect_false(file.exists(file))
})

test_that("what is no checkpoint is named as such", {
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(1, file)
    expect_error(fitInfill(counts, param, seed = 1, checkpoint = file), "checkpoint", class = "infill_error")
    writeLines("hello", file)
    expect_error(fitInfill(counts, param, seed = 1, checkpoint = file), "checkpoint", class = "infill_error")
    expect_true(file.exists(file))                             # nobody's file is removed
    expect_error(suppressWarnings(fitInfill(counts, param, seed = 1, checkpoint.every = 5,
        checkpoint = file.path(tempfile("none"), "fit.rds"))), "checkpoint", class = "infill_error")
})

test_that("a fit that cannot be held in memory is refused before it starts", {
    old <- options(infill.memory.limit = 1e6)
    on.exit(options(old))
    expect_error(fitInfill(counts, AutoImputeParam(hidden = 1000), seed = 1), "'hidden', now 1000", class = "infill_error")
    expect_s4_class(fitInfill(counts, param, seed = 1), "InfillFit")
    options(infill.memory.limit = NULL)
    expect_error(fitInfill(lowRankCounts(2000, 4), AutoImputeParam(hidden = 1e6, min.cells = 1, n.genes = Inf), seed = 1),
        "Gb", class = "infill_error")
})

test_that("a progress line is written when asked for", {
    expect_silent(fitInfill(counts, param, seed = 1, progress = FALSE))
    expect_message(fitInfill(counts, param, seed = 1, progress = TRUE), "AutoImpute: iteration 1 of 25, RMSE .*held out")
    expect_message(fitInfill(counts, smallParam(stop = "paper"), seed = 1, progress = TRUE), "ETA at most")
    expect_identical(suppressMessages(fitInfill(counts, param, seed = 1, progress = TRUE))@weights,
        fitInfill(counts, param, seed = 1)@weights)
    quiet <- suppressMessages(fitInfill(counts, GeneMeanParam(), progress = TRUE))
    expect_identical(quiet@stopped, "closed form")
})

test_that("saveRDS is the file format of a fit", {
    fit <- fitInfill(counts, param, seed = 1, keep.state = TRUE)
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(readRDS(file), fit)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expectSameFit(fitInfill(counts, smallParam(max.iter = 40), resume = readRDS(file)),
        fitInfill(counts, smallParam(max.iter = 40), seed = 1))
})

test_that("a fit does not depend on when it is made: two in a row, and after an error", {
    one <- fitInfill(counts, param, seed = 1)@weights
    try(fitInfill(counts, AutoImputeParam(hidden = 1e6), seed = 1, num.threads = 0), silent = TRUE)
    expect_identical(fitInfill(counts, param, seed = 1)@weights, one)
})
