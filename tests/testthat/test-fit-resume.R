# Fits that go on from where they stopped, and checkpoints.

counts <- smallCounts()
param <- smallParam()

test_that("a resumed fit ends with the same bits as one in one go", {
    for (more in list(list(), list(stop = "paper", threshold = 0),
        list(stop = "window", threshold = 0), list(batch.size = 7),
        list(batch.size = 7, stop = "paper", threshold = 0), list(bias = FALSE),
        list(block.cells = 7))) {
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
    expect_error(fitInfill(counts, p(3000),
        resume = fitInfill(counts, p(2000), seed = 4, keep.state = TRUE)), "nothing to go on with",
        class = "infill_mismatch")
})

test_that("a fit is resumed only with what it was made of", {
    start <- fitInfill(counts, smallParam(max.iter = 5), seed = 4, keep.state = TRUE)
    expect_error(fitInfill(counts, smallParam(lambda = 3), resume = start), "another 'lambda'",
        class = "infill_mismatch")
    expect_error(fitInfill(counts, GeneMeanParam(), resume = start), "GeneMeanParam",
        class = "infill_mismatch")
    expect_error(fitInfill(counts, param, seed = 5, resume = start), "seed 4, not 5",
        class = "infill_mismatch")
    expect_error(fitInfill(counts[, -1], param, resume = start), "other counts",
        class = "infill_mismatch")
    expect_error(fitInfill(counts, param,
        resume = fitInfill(counts, smallParam(max.iter = 5), seed = 4)), "no state",
        class = "infill_mismatch")
    expect_error(fitInfill(counts, param, resume = list()), "resume", class = "infill_error")
    # fewer than it has: as it is
    same <- fitInfill(counts, smallParam(max.iter = 3), resume = start)
    expect_identical(same@weights, start@weights)
    expect_identical(nrow(fitParts(same, "history")), 5L)
})

test_that("a checkpoint is gone on from, and removed at the end", {
    file <- tempfile(fileext = ".rds")
    on.exit(unlink(file))
    whole <- fitInfill(counts, smallParam(max.iter = 30), seed = 4)
    expectSameFit(fitInfill(counts, smallParam(max.iter = 30), seed = 4, checkpoint = file,
        checkpoint.every = 7), whole)
    expect_false(file.exists(file))
    saveRDS(fitInfill(counts, smallParam(max.iter = 13), seed = 4, keep.state = TRUE), file)
    again <- fitInfill(counts, smallParam(max.iter = 30), seed = 4, checkpoint = file,
        checkpoint.every = 7)
    expectSameFit(again, whole)
    expect_length(again@state, 0)
    expect_false(file.exists(file))
    expect_length(list.files(dirname(file), basename(file)), 0)
    expectSameFit(fitInfill(counts, GeneMeanParam(), seed = 4, checkpoint = file),
        fitInfill(counts, GeneMeanParam(), seed = 4))
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
    done <- nrow(fitParts(readRDS(file), "history"))
    expect_identical(done %% 40L, 0L)
    p <- AutoImputeParam(hidden = 64, max.iter = done + 25, stop = "paper", threshold = 0)
    expectSameFit(fitInfill(counts, p, checkpoint = file), fitInfill(counts, p, seed = 4))
    expect_false(file.exists(file))
})

test_that("what is no checkpoint is named as such", {
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(1, file)
    expect_error(fitInfill(counts, param, seed = 1, checkpoint = file), "checkpoint",
        class = "infill_error")
    writeLines("hello", file)
    expect_error(fitInfill(counts, param, seed = 1, checkpoint = file), "checkpoint",
        class = "infill_error")
    expect_true(file.exists(file))                             # nobody's file is removed
    expect_error(suppressWarnings(fitInfill(counts, param, seed = 1, checkpoint.every = 5,
        checkpoint = file.path(tempfile("none"), "fit.rds"))), "checkpoint", class = "infill_error")
})
