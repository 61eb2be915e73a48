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
    # as many as it has: as it is; fewer cannot be
    same <- fitInfill(counts, smallParam(max.iter = 5), resume = start)
    expect_identical(same@weights, start@weights)
    expect_identical(nrow(fitParts(same, "history")), 5L)
})

test_messages("fewer iterations than there are, and other counts with the same zeros", {
    start <- fitInfill(counts, smallParam(max.iter = 5), seed = 4, keep.state = TRUE)
    bad(fitInfill(counts, smallParam(max.iter = 3), resume = start), "infill_mismatch")
    other <- counts
    other[which(other > 0)[7]] <- other[which(other > 0)[7]] + 1
    bad(fitInfill(other, smallParam(max.iter = 9), resume = start), "infill_mismatch")
    # as many zeros, elsewhere
    at <- c(which(counts[, 3] > 0)[1], which(counts[, 3] == 0)[1])
    other <- counts
    other[at, 3] <- counts[rev(at), 3]
    expect_error(fitInfill(other, smallParam(max.iter = 9), resume = start), "other counts",
        class = "infill_mismatch")
    # a deep network and a graph, too
    for (p in list(deepParam, function(max.iter) GraphSciParam(max.iter = max.iter))) {
        start <- suppressMessages(fitInfill(counts, p(max.iter = 4), seed = 4, keep.state = TRUE))
        other <- counts
        other[counts > 0] <- other[counts > 0] * 2
        expect_error(suppressMessages(fitInfill(other, p(max.iter = 9), resume = start)),
            "other counts|another", class = "infill_mismatch")
        expect_error(suppressMessages(fitInfill(counts, p(max.iter = 3), resume = start)),
            "'max.iter' must be at least the 4", class = "infill_mismatch")
    }
    # what did not keep its state has no use for a fingerprint
    expect_null(fitInfill(counts, smallParam(max.iter = 2), seed = 4)@recipe$fingerprint)
})

test_that("a checkpoint that cannot be written is a warning, and the good one stays", {
    skip_on_os("windows")
    folder <- tempfile("full")
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    saveRDS(counts, file.path(folder, "counts.rds"))
    file <- file.path(folder, "checkpoint.rds")
    p <- smallParam(max.iter = 30)
    good <- fitInfill(counts, smallParam(max.iter = 6), seed = 4, keep.state = TRUE)
    saveRDS(good, file)
    # files of this R can have no more than 4 KB: as on a disk that is full
    script <- file.path(folder, "script.R")
    writeLines(c("suppressMessages(library(infill))", "heard <- character()",
        sprintf("file <- %s", deparse(file)), sprintf("folder <- %s", deparse(folder)),
        "counts <- readRDS(file.path(folder, 'counts.rds'))",
        "fit <- withCallingHandlers(fitInfill(counts, readRDS(file.path(folder, 'param.rds')),",
        "    seed = 4, checkpoint = file, checkpoint.every = 7), warning = function(w) {",
        "    heard <<- c(heard, class(w)[1], conditionMessage(w))",
        "    heard <<- c(heard, identical(readRDS(file), readRDS(file.path(folder, 'good.rds'))))",
        "    invokeRestart('muffleWarning') })",
        "cat(heard, fit@best, format(sum(fit@weights), digits = 16), sep = '\n')"), script)
    saveRDS(p, file.path(folder, "param.rds"))
    saveRDS(good, file.path(folder, "good.rds"))
    libs <- paste(c(dirname(system.file(package = "infill")), .libPaths()), collapse = ":")
    said <- suppressWarnings(system2("bash", c("-c", shQuote(sprintf(
        "trap '' XFSZ; ulimit -f 4; R_LIBS=%s %s --vanilla %s 2>&1", shQuote(libs),
        shQuote(file.path(R.home("bin"), "Rscript")), shQuote(script)))), stdout = TRUE))
    whole <- fitInfill(counts, p, seed = 4)
    expect_identical(said[1], "infill_checkpoint")
    expect_match(said[2], "could not be written after 13 iterations .*the checkpoint of before stays")
    expect_identical(said[3:5], c("TRUE", as.character(whole@best),
        format(sum(whole@weights), digits = 16)))            # told once, and the fit is what it is
    expect_length(list.files(folder, "new$"), 0)
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
    running <- rscript(c("cat(Sys.getpid(), file = file.path(folder, 'pid'))",
        "p <- AutoImputeParam(hidden = 64, max.iter = 1e6, stop = 'paper', threshold = 0)",
        "fitInfill(readRDS(file.path(folder, 'counts.rds')), p, seed = 4, progress = FALSE,",
        "    checkpoint = file.path(folder, 'checkpoint.rds'), checkpoint.every = 40)"), folder)
    on.exit(endScript(running, folder), add = TRUE, after = FALSE)
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
