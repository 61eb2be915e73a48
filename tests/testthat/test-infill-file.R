# Results in HDF5 files: the same bits as in memory, resumed, refused.

skip_if_not_installed("HDF5Array")
counts <- smallCounts()
dimnames(counts) <- list(paste0("g", seq_len(nrow(counts))), paste0("c", seq_len(ncol(counts))))
param <- StackParam(list(GeneMeanParam(), SvdParam(3)), repeats = 1, min.gain = 0)
# more cells than are learnt from
manyCounts <- smallCounts(40, 130)
dimnames(manyCounts) <- list(paste0("g", 1:40), paste0("c", 1:130))
few <- StackParam(list(GeneMeanParam(), SvdParam(3)), repeats = 1, min.gain = 0, max.cells = 100)
inFile <- function(x = counts) HDF5Array::writeHDF5Array(x, tempfile(fileext = ".h5"), "counts",
    with.dimnames = TRUE)
values <- function(x) unname(plain(as.matrix(x)))
# files of 10 cells, in an empty folder
small <- function(code, each = 10) {
    withReplaced(".chunkCells", each, {
        before <- options(infill.shard.values = 1)
        on.exit(options(before))
        code
    })
}
folder <- function() {
    d <- tempfile("files")
    dir.create(d)
    file.path(d, "filled.h5")
}

test_that("every way in and out gives the bits of the matrix", {
    want <- infill(counts, param, seed = 1)
    x <- inFile()
    for (from in list(counts, sparse(counts), x)) {
        out <- infill(from, param, seed = 1, as = "hdf5", file = folder())
        expect_s4_class(out, "DelayedMatrix")
        expect_identical(values(out), values(want))
        expect_identical(dimnames(out), dimnames(want))
    }
    expect_identical(values(infill(x, param, seed = 1, as = "delayed")), values(want))
    expect_identical(values(infill(x, param, seed = 1)), values(want))
    many <- small(infill(x, param, seed = 1, as = "hdf5", file = f <- folder()))
    expect_identical(values(many), values(want))
    expect_length(Sys.glob(sub("filled", "filled-*", f)), ceiling(ncol(counts) / 10))
    expect_length(Sys.glob(file.path(dirname(f), "*.part")), 0)
    some <- small(infill(x, param, seed = 1, as = "hdf5", file = folder(), genes = c("g7", "g2")))
    expect_identical(values(some), values(want[c("g7", "g2"), ]))
    expect_identical(rownames(some), c("g7", "g2"))
    float <- infill(x, param, seed = 1, as = "hdf5", file = f <- folder(), type = "float")
    expect_equal(values(float), values(want), tolerance = 1e-6)
    expect_false(identical(values(float), values(want)))
    fit <- readRDS(sub("h5$", "fit.rds", f))$fit
    for (keep in c("observed", "none", "max")) for (output in c("counts", "normcounts", "logcounts"))
        expect_identical(values(small(infill(x, fit, as = "hdf5", file = folder(), keep = keep,
            output = output))), values(infill(counts, fit, keep = keep, output = output)))
})

test_that("models of every kind, one call", {
    x <- inFile()
    for (p in list(GeneMeanParam(), SvdParam(3), NeighborMeanParam(3, 2),
        AutoImputeParam(hidden = 4, max.iter = 3, min.cells = 1),
        DeepMcParam(ranks = c(3, 2), sweeps = 2, min.cells = 1),
        GraphSciParam(max.iter = 2, valid.edges = 0.1, threshold = 0.2))) {
        want <- suppressWarnings(infill(counts, p, seed = 1))
        out <- suppressWarnings(small(infill(x, p, seed = 1, as = "hdf5", file = folder())))
        expect_identical(values(out), values(want))
    }
})

test_that("an experiment, its standard deviations, and what is saved and read back", {
    se <- SummarizedExperiment::SummarizedExperiment(list(counts = inFile()))
    f <- folder()
    out <- small(infill(se, param, seed = 1, as = "hdf5", file = f, sd = TRUE))
    want <- infill(SummarizedExperiment::SummarizedExperiment(list(counts = counts)), param,
        seed = 1, sd = TRUE)
    for (name in c("infilled", "infilled.sd")) {
        a <- SummarizedExperiment::assay(out, name)
        expect_s4_class(a, "DelayedMatrix")
        expect_identical(values(a), values(SummarizedExperiment::assay(want, name)))
    }
    home <- tempfile("saved")
    HDF5Array::saveHDF5SummarizedExperiment(out, home)
    back <- HDF5Array::loadHDF5SummarizedExperiment(home)
    expect_identical(values(SummarizedExperiment::assay(back, "infilled")),
        values(SummarizedExperiment::assay(want, "infilled")))
    rds <- tempfile()
    saveRDS(out, rds)
    expect_identical(values(SummarizedExperiment::assay(readRDS(rds), "infilled")),
        values(SummarizedExperiment::assay(want, "infilled")))
})

test_that("more cells than are learnt from: a sample, gene means of all", {
    counts <- manyCounts
    x <- inFile(counts)
    fit <- fitInfill(counts, few, seed = 1)
    old <- options(infill.read.limit = 100)
    on.exit(options(old))
    disk <- fitInfill(x, few, seed = 1)
    disk@seconds <- fit@seconds
    for (k in seq_along(fit@fits)) disk@fits[[k]]@seconds <- fit@fits[[k]]@seconds
    disk@mean.fit@seconds <- fit@mean.fit@seconds
    expect_identical(disk, fit)
    expect_equal(fit@mean.fit@weights, fitInfill(counts, GeneMeanParam())@weights,
        tolerance = 1e-12)
    # blocks of any size give the same
    size <- DelayedArray::getAutoBlockSize()
    suppressMessages(DelayedArray::setAutoBlockSize(8 * nrow(counts) * 3))
    again <- fitInfill(x, few, seed = 1)
    suppressMessages(DelayedArray::setAutoBlockSize(size))
    expect_identical(again@mean.fit@weights, fit@mean.fit@weights)
    expect_identical(again@coefficients, fit@coefficients)
    out <- infill(x, few, seed = 1, as = "hdf5", file = folder())
    expect_identical(values(out), values(infill(counts, fit)))
    auto <- AutoImputeParam(hidden = 4, max.iter = 3, min.cells = 1)
    one <- fitInfill(x, auto, seed = 1, max.cells = 20)
    expect_identical(one@cells, 20L)
    expect_error(fitInfill(x, GraphSciParam(), seed = 1, max.cells = 20),
        "GraphSciParam\\(\\) knows the cells of its fit only.*130", class = "infill_error")
})

test_that("what is there is taken, what is missing computed, what is foreign refused", {
    x <- inFile()
    f <- folder()
    again <- function(...) small(infill(x, param, seed = 1, as = "hdf5", file = f, ...))
    want <- values(again())
    files <- Sys.glob(sub("filled", "filled-*", f))
    expect_error(again(), "'file' must not lead to .*resume = TRUE", class = "infill_error")
    times <- file.mtime(files)
    unlink(files[c(2, 4)])
    Sys.sleep(0.05)
    expect_identical(values(again(resume = TRUE)), want)
    expect_identical(file.mtime(files)[-c(2, 4)], times[-c(2, 4)])
    # a seed that is not given is that of before
    expect_identical(values(small(infill(x, param, as = "hdf5", file = f, resume = TRUE))), want)
    expect_error(small(infill(x, param, seed = 2, as = "hdf5", file = f, resume = TRUE)),
        "fit of other data, parameters or seed", class = "infill_mismatch")
    expect_error(again(resume = TRUE, output = "logcounts"), "of another fit, other cells",
        class = "infill_mismatch")
    # cut off, and no HDF5 file at all
    whole <- readBin(files[3], "raw", file.size(files[3]))
    writeBin(utils::head(whole, length(whole) %/% 2), files[3])
    expect_error(again(resume = TRUE), "filled-0003.h5.* is no shard that infill\\(\\) finished",
        class = "infill_file")
    writeLines("garbage", files[3])
    expect_error(again(resume = TRUE), "filled-0003.h5.* is no shard", class = "infill_file")
    expect_true(all(file.exists(files)))
    unlink(files[3])
    expect_identical(values(again(resume = TRUE)), want)
    other <- fitInfill(counts, param, seed = 9)
    expect_error(small(infill(x, other, as = "hdf5", file = f, resume = TRUE)),
        "of another fit", class = "infill_mismatch")
    writeLines("garbage", sub("h5$", "fit.rds", f))
    expect_error(again(resume = TRUE), "fit.rds.*cannot be read", class = "infill_file")
    expect_identical(values(again(overwrite = TRUE)), want)
})

test_that("a fit that is kept holds nothing twice, and does what it did", {
    fit <- fitInfill(counts, StackParam(list(GeneMeanParam(), NeighborMeanParam(3, 2),
        NeighborMeanParam(5, 2)), repeats = 1, min.gain = 0), seed = 1)
    small <- infill:::.packed(fit)
    expect_lt(length(serialize(small, NULL)), 0.8 * length(serialize(fit, NULL)))
    expect_identical(infill:::.unpacked(small), fit)
    expect_identical(plain(infill(counts, small)), plain(infill(counts, fit)))
    expect_identical(posteriorSd(counts, small), posteriorSd(counts, fit))
    # what a fit is of does not depend on how it is held
    saveRDS(fit, file <- tempfile())
    mark <- infill:::.markOf(fit)
    expect_identical(infill:::.markOf(readRDS(file)), mark)
    other <- fit
    other@fits[[2]]@weights <- c(other@fits[[2]]@weights, 1)
    expect_false(identical(infill:::.markOf(other), mark))
    other <- fit
    other@mean.fit@weights[7] <- other@mean.fit@weights[7] + 1e-12
    expect_false(identical(infill:::.markOf(other), mark))
})

test_that("files of other counts are never taken, whatever way they came", {
    other <- counts
    other[5, 3] <- other[5, 3] + 1
    fit <- fitInfill(counts, param, seed = 1)
    ways <- list(disk = inFile, memory = identity)
    for (way in ways) {
        f <- folder()
        small(infill(way(counts), fit, as = "hdf5", file = f))
        expect_error(small(infill(way(other), fit, as = "hdf5", file = f, resume = TRUE)),
            "other cells", class = "infill_mismatch")
        # the container does not matter
        expect_s4_class(small(infill(ways$memory(counts), fit, as = "hdf5", file = f,
            resume = TRUE)), "DelayedMatrix")
        # nor what the fit of the same call took
        again <- fitInfill(counts, param, seed = 1)
        expect_s4_class(small(infill(way(counts), again, as = "hdf5", file = f, resume = TRUE)),
            "DelayedMatrix")
        f <- folder()
        small(infill(way(counts), param, seed = 1, as = "hdf5", file = f))
        expect_error(small(infill(way(other), param, seed = 1, as = "hdf5", file = f,
            resume = TRUE)), "other data|not what it was", class = "infill_mismatch")
        unlink(Sys.glob(sub("filled", "filled-*", f)))
        expect_error(small(infill(way(other), param, seed = 1, as = "hdf5", file = f,
            resume = TRUE)), "other data|not what it was", class = "infill_mismatch")
    }
    f <- folder()
    x <- inFile(manyCounts)
    infill(x, SvdParam(3), seed = 1, as = "hdf5", file = f, max.cells = 50)
    expect_error(infill(x, SvdParam(3), seed = 1, as = "hdf5", file = f, max.cells = 60,
        resume = TRUE), "other data, parameters", class = "infill_mismatch")
    expect_s4_class(infill(x, SvdParam(3), seed = NA, as = "hdf5", file = f, max.cells = 50,
        resume = TRUE), "DelayedMatrix")
})

test_that("what is replaced goes last", {
    f <- folder()
    infill(counts, GeneMeanParam(), seed = 1, as = "hdf5", file = f)
    times <- file.mtime(f)
    expect_error(infill(counts, GeneMeanParam(), seed = "a", as = "hdf5", file = f,
        overwrite = TRUE), "seed", class = "infill_error")
    expect_identical(file.mtime(f), times)
    # the fit beside them is a file, too
    unlink(f)
    expect_error(infill(counts, SvdParam(2), seed = 1, as = "hdf5", file = f), "fit.rds",
        class = "infill_error")
    expect_error(infill(counts, fitInfill(counts, GeneMeanParam()), resume = fitInfill(counts,
        GeneMeanParam())), "'resume' must be TRUE or FALSE", class = "infill_error")
    expect_error(infill(counts, GeneMeanParam(), BPPARAM = "two"), "'BPPARAM'",
        class = "infill_error")
})

test_that("what is odd about counts is said of those on disk, too", {
    fit <- fitInfill(counts, GeneMeanParam())
    logs <- inFile(log1p(counts))
    for (p in list(fit, GeneMeanParam())) for (as in c("delayed", "hdf5"))
        expect_error(infill(logs, p, as = as, file = if (as == "hdf5") folder()), "logarithms",
            class = "infill_scale")
    odd <- counts
    rownames(odd)[1:3] <- paste0("ADT_", 1:3)
    odd[1:3, ] <- 1000
    expect_warning(infill(inFile(odd), GeneMeanParam(), as = "delayed"), "antibodies",
        class = "infill_rows")
    rownames(odd) <- paste0(strrep("ACGT", 4), "-", seq_len(nrow(odd)))
    expect_warning(infill(inFile(odd), GeneMeanParam(), as = "delayed"), "cells x genes",
        class = "infill_rows")
    # a result on demand holds no cells
    old <- options(infill.read.limit = 20)
    on.exit(options(old))
    d <- infill(inFile(manyCounts), few, seed = 1, as = "delayed")
    expect_null(DelayedArray::seed(d)@counts@seen$sample)
})

test_that("workers write the same files; one that dies loses its own only", {
    skip_if_not_installed("BiocParallel")
    skip_on_os("windows")
    x <- inFile()
    fit <- fitInfill(counts, param, seed = 1)
    want <- values(infill(counts, fit))
    two <- BiocParallel::MulticoreParam(2)
    expect_identical(values(small(infill(x, fit, as = "hdf5", file = folder(), BPPARAM = two))),
        want)
    f <- folder()
    old <- infill:::.writeShard
    withReplaced(".writeShard", function(item, ...) {
        if (min(item$cols) == 11) tools::pskill(Sys.getpid(), 9)
        old(item, ...)
    }, expect_error(small(infill(x, fit, as = "hdf5", file = f, BPPARAM = two)),
        "a worker of 'BPPARAM' failed.*resume = TRUE computes the rest", class = "infill_worker"))
    there <- Sys.glob(sub("filled", "filled-*", f))
    expect_identical(values(small(infill(x, fit, as = "hdf5", file = f, resume = TRUE))), want)
    expect_length(Sys.glob(file.path(dirname(f), "*.part")), 0)
})

test_that("input that changes, is damaged or is not there is told of, with gene and cell", {
    fit <- fitInfill(counts, param, seed = 1)
    bad <- counts
    bad[3, 17] <- NA
    expect_error(infill(inFile(bad), fit, as = "hdf5", file = folder()),
        "missing value .*gene 3 \\(\"g3\"\\), cell 17 \\(\"c17\"\\)", class = "infill_scale")
    bad[3, 17] <- 0.5
    expect_error(infill(inFile(bad), fit, as = "hdf5", file = folder()),
        "must hold whole numbers.* 0.5 \\(gene 3 .*cell 17", class = "infill_scale")
    old <- options(infill.read.limit = 20)
    on.exit(options(old))
    bad <- manyCounts
    bad[3, 17] <- -2
    expect_error(fitInfill(inFile(bad), few, seed = 1), "negative value .*gene 3 .*cell 17",
        class = "infill_scale")
    expect_error(fitInfill(inFile(log1p(manyCounts)), GeneMeanParam(), max.cells = 20, seed = 1),
        "Are they logarithms", class = "infill_scale")
    # what changes between the first look and the second
    x <- inFile(manyCounts)
    file <- DelayedArray::path(x)
    old.keep <- infill:::.keepFit
    changed <- manyCounts
    changed[5, 33] <- changed[5, 33] + 1
    withReplaced(".keepFit", function(...) {
        old.keep(...)
        rhdf5::h5write(changed, file, "counts")
    }, expect_error(infill(x, few, seed = 1, as = "hdf5", file = folder()),
        "is not what it was .*cell 33", class = "infill_mismatch"))
    unlink(file)
    expect_error(infill(x, fit, as = "hdf5", file = folder()), "cannot be read .*is not there",
        class = "infill_error")
    expect_error(infill(counts[-1, ], fit, as = "hdf5", file = folder()), "lacks 1 of",
        class = "infill_mismatch")
})

test_that("bad files are refused before anything is fitted", {
    bad <- function(text, ..., class = "infill_error") expect_error(infill(counts, param,
        as = "hdf5", ...), text, class = class)
    bad("'file' must be the name of an HDF5 file")
    bad("'file' must be the name", file = 7)
    bad("must be in a folder that is there", file = file.path(tempfile(), "a.h5"))
    bad("'type' must be", file = folder(), type = "short")
    bad("'resume' must be TRUE or FALSE", file = folder(), resume = 3)
    expect_error(infill(counts, param, file = folder()), "'file' goes with as = \"hdf5\"",
        class = "infill_error")
    expect_error(infill(counts, param, resume = TRUE), "'resume' must be a fit",
        class = "infill_error")
    withReplaced(".checkFiles", infill:::.checkFiles, {
        f <- folder()
        x <- HDF5Array::writeHDF5Array(counts, f, "counts")
        expect_error(infill(x, param, as = "hdf5", file = f), "which 'x' is read from",
            class = "infill_error")
    })
    full <- function(code) {
        old <- infill:::.bytesFree
        withReplaced(".bytesFree", function(folder) 1000, code)
    }
    full(bad("a result of .* needs up to .*type = \"float\"", file = folder(),
        class = "infill_file"))
    skip_on_os("windows")
    skip_if(Sys.info()[["user"]] == "root", "root writes everywhere")
    f <- folder()
    Sys.chmod(dirname(f), "500")
    on.exit(Sys.chmod(dirname(f), "700"))
    bad("that can be written to", file = f)
})

test_that("progress of a fit that is applied is a flag like any other", {
    fit <- fitInfill(counts, GeneMeanParam())
    expect_error(infill(counts, fit, progress = "yes"), "'progress' must be TRUE or FALSE",
        class = "infill_error")
    said <- character()
    withCallingHandlers(infill(counts, fit, as = "hdf5", file = folder(), progress = TRUE),
        message = function(m) {
        said <<- c(said, conditionMessage(m))
        invokeRestart("muffleMessage")
    })
    expect_match(said, "cells 1 to 40 of 40 are written; to go: less than a second", all = FALSE)
})
