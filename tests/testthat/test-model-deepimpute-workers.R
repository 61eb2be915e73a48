# DeepImpute: networks on workers of BiocParallel.

counts <- smallCounts(60, 44)
fitted <- function(..., x = counts, seed = 1) fitInfill(x, deepParam(...), seed = seed)
fit <- fitted()

# Everything that must be equal after a detour.
expectSame <- function(one, two) for (s in c("weights", "shapes", "history", "best", "stopped",
    "heldout", "recipe", "cells", "entries", "seed")) expect_identical(slot(one, s), slot(two, s),
    info = s)

test_that("BPPARAM: the same bits, network by network", {
    skip_if_not_installed("BiocParallel")
    backs <- list(BiocParallel::SerialParam())
    if (.Platform$OS.type != "windows") backs <- c(backs, BiocParallel::MulticoreParam(2),
        BiocParallel::MulticoreParam(3))
    if (nzchar(Sys.getenv("INFILL_SLOW"))) backs <- c(backs, BiocParallel::SnowParam(2))
    for (more in list(list(network.size = 11, best = TRUE, learning.rate = 0.02, max.iter = 60,
        patience = 3), list(network.size = 60, genes = 1:20))) {
        p <- do.call(deepParam, more)
        none <- fitInfill(counts, p, seed = 1)
        for (b in backs) {
            expectSame(fitInfill(counts, p, seed = 1, BPPARAM = b), none)
            expect_identical(fitParts(fitInfill(counts, p, seed = 1, BPPARAM = b,
                num.threads = 2), "weights"), fitParts(none, "weights"))
        }
    }
    expect_gt(length(unique(fitInfill(counts,
        deepParam(network.size = 11, learning.rate = 0.02, max.iter = 60, patience = 3),
        seed = 1)@best)), 1)
    expect_identical(infill(counts, fit@param, seed = 1, BPPARAM = backs[[1]]), infill(counts, fit))
})

test_that("a fit that cannot be dealt out is the fit without workers", {
    skip_if_not_installed("BiocParallel")
    for (p in list(GeneMeanParam(), smallParam(max.iter = 3), DeepMcParam(sweeps = 2),
        deepParam(joint = TRUE, max.iter = 2)))
        expectSame(fitInfill(counts, p, seed = 1, BPPARAM = BiocParallel::SerialParam()),
            fitInfill(counts, p, seed = 1))
})

test_that("a worker that fails ends in an error, and the session goes on", {
    skip_if_not_installed("BiocParallel")
    backs <- list(BiocParallel::SerialParam())
    if (.Platform$OS.type != "windows") backs <- c(backs, BiocParallel::MulticoreParam(2))
    for (b in backs) {
        withReplaced(".fitOnce", function(...) stop("out of luck"),
            expect_error(fitInfill(counts, fit@param, seed = 1, BPPARAM = b),
            "worker of 'BPPARAM' failed.*out of luck", class = "infill_error"))
        expectSame(fitInfill(counts, fit@param, seed = 1, BPPARAM = b), fit)
    }
})

test_that("a worker that is killed ends in an error, and the session goes on", {
    skip_if_not_installed("BiocParallel")
    skip_on_os("windows")
    two <- BiocParallel::MulticoreParam(2)
    withReplaced(".fitOnce", function(...) tools::pskill(Sys.getpid(), tools::SIGKILL),
        expect_error(suppressWarnings(fitInfill(counts, fit@param, seed = 1, BPPARAM = two)),
        "worker of 'BPPARAM' failed", class = "infill_error"))
    for (k in 1:2) expectSame(fitInfill(counts, fit@param, seed = 1,
        BPPARAM = BiocParallel::MulticoreParam(2)), fit)
})
