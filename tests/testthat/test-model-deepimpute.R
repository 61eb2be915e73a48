# DeepImpute: the fit as a whole.

counts <- smallCounts(60, 44)
fitted <- function(..., x = counts, seed = 1) fitInfill(x, deepParam(...), seed = seed)
fit <- fitted()
targets <- function(fit) unlist(fitParts(fit, "networks")$target.genes, use.names = FALSE)
predictors <- function(fit) lapply(fitParts(fit, "networks")$predictor.genes, unname)

# Everything that must be equal after a detour.
expectSame <- function(one, two) for (s in c("weights", "shapes", "history", "best", "stopped",
    "heldout", "recipe", "cells", "entries", "seed")) expect_identical(slot(one, s), slot(two, s),
    info = s)

# ---- the same bits ----

test_that("the seed fixes the bits; threads and the form of the input do not touch them", {
    for (more in list(list(), list(hidden = 70, batch.size = 13, best = TRUE),
        list(joint = TRUE, zero.weight = 0.2),
        list(max.iter = 200, learning.rate = 0.02, patience = 3),
        list(cell.fraction = 0.6, normalize = "median"))) {
        go <- function(x = counts, threads = 1, seed = 1) fitInfill(x,
            do.call(deepParam, c(list(network.size = 12), more)), seed = seed,
            num.threads = threads)
        one <- go()
        out <- infill(counts, one)
        for (threads in 2:3) {
            expectSame(go(threads = threads), one)
            expect_identical(infill(counts, one, num.threads = threads), out)
        }
        expectSame(go(sparse(counts)), one)
        expectSame(go(delayed(counts), 2), one)
        expect_false(identical(go(seed = 2)@weights, one@weights))
    }
})

test_that("several hidden layers: their weights, threads, workers, a pause", {
    p <- function(...) deepParam(hidden = c(12, 5, 9), learning.rate = 0.01, ...)
    deep <- fitInfill(counts, p(), seed = 1)
    nets <- fitParts(deep, "networks")
    expect_gt(nrow(nets), 2)
    for (k in seq_len(nrow(nets))) expect_identical(lapply(fitParts(deep, "weights")[[k]], dim),
        list(W1 = c(nets$predictors[k], 12L), b1 = c(12L, 1L), W2 = c(12L, 5L), b2 = c(5L, 1L),
        W3 = c(5L, 9L), b3 = c(9L, 1L), W4 = c(9L, nets$targets[k]), b4 = c(nets$targets[k], 1L)))
    expectSame(fitInfill(counts, p(), seed = 1, num.threads = 2), deep)
    skip_if_not_installed("BiocParallel")
    expectSame(fitInfill(counts, p(), seed = 1, BPPARAM = BiocParallel::SerialParam()), deep)
    half <- fitInfill(counts, p(max.iter = 3), seed = 1, keep.state = TRUE)
    expect_identical(fitInfill(counts, p(), resume = half)@weights, deep@weights)
    for (bad in list(c(4, 0), c(2.5, 3), rep(3, 9), c(3, NA), numeric()))
        expect_error(DeepImputeParam(hidden = bad), "'hidden' must be 1 to 8 whole numbers",
        class = "infill_error")
})

test_that("a delayed result is the dense one to the bit, whatever is asked for", {
    for (keep in c("observed", "none", "max")) for (output in c("counts", "logcounts")) {
        whole <- plain(infill(counts, fit, keep = keep, output = output))
        late <- infill(counts, fit, keep = keep, output = output, as = "delayed")
        expect_s4_class(late, "DelayedMatrix")
        expect_identical(as.matrix(late), whole)
        for (rows in list(7L, c(60L, 1L, 1L), unname(fitParts(fit, "networks")$target.genes[[2]]), integer(),
            which(fit@recipe$status != "modelled"))) for (cols in list(3L, c(9L, 3L, 3L, 44L)))
                expect_identical(as.matrix(late[rows, cols, drop = FALSE]),
                    whole[rows, cols, drop = FALSE])
    }
    expect_true(any(fit@recipe$status != "modelled"))
})

test_that("a resumed fit ends with the same bits as one in one go, figures included", {
    for (more in list(list(), list(batch.size = 7), list(patience = 3),
        list(patience = 3, best = TRUE), list(patience = 8, joint = TRUE),
        list(patience = 8, joint = TRUE, best = TRUE),
        list(cell.fraction = 0.5, normalize = "median"))) {
        go <- function(n) do.call(deepParam,
            utils::modifyList(list(max.iter = n, learning.rate = 0.02, network.size = 12,
            patience = 100), more))
        whole <- fitInfill(counts, go(60), seed = 4)
        label <- paste(names(more), more, collapse = ", ")
        for (n in c(1, 9, 20)) {
            start <- fitInfill(counts, go(n), seed = 4, keep.state = TRUE)
            if (!any(start@stopped == "the most iterations allowed")) next
            again <- fitInfill(counts, go(60), resume = start,
                num.threads = if (n == 9 && !length(more)) 2)
            for (s in c("weights", "history", "best", "stopped", "heldout"))
                expect_identical(slot(again, s), slot(whole, s), info = paste(s, "after", n, label))
        }
    }
})

test_that("a checkpoint is gone on from, and removed at the end", {
    file <- tempfile(fileext = ".rds")
    on.exit(unlink(file))
    p <- function(n) deepParam(max.iter = n, learning.rate = 0.02, patience = 5)
    whole <- fitInfill(counts, p(40), seed = 4)
    expectSame(fitInfill(counts, p(40), seed = 4, checkpoint = file, checkpoint.every = 7), whole)
    expect_false(file.exists(file))
    saveRDS(fitInfill(counts, p(10), seed = 4, keep.state = TRUE), file)
    expectSame(fitInfill(counts, p(40), checkpoint = file), whole)
    expect_false(file.exists(file))
})

test_that("a fit survives saveRDS, and says what it is", {
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(readRDS(file), fit)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expect_true(validObject(fit))
    expect_identical(unlist(fitParts(fit, "weights"), use.names = FALSE), fit@weights)
    expect_identical(fit@cells, 44L)
    expect_identical(fit@seed, 1)
    expect_length(fit@state, 0)
    nets <- fitParts(fit, "networks")
    for (k in seq_len(nrow(nets))) expect_identical(lapply(fitParts(fit, "weights")[[k]], dim),
        list(W1 = c(nets$predictors[k], 12L), b1 = c(12L, 1L), W2 = c(12L, nets$targets[k]),
        b2 = c(nets$targets[k], 1L)))
    expect_output(print(fit),
        paste0("InfillFit of DeepImputeParam, seed 1.*genes modelled of 60.*",
            "4 networks, 8 to 8 iterations.*Pearson"))
    one <- fitted(genes = 1:10)
    expect_output(print(one), "8 iterations, the most")
    expect_identical(names(fitParts(one, "weights")[[1]]), c("W1", "b1", "W2", "b2"))
    expect_identical(names(fitParts(one, "weights")), "network1")
    expect_identical(names(one@extras), "limit")
    expect_output(print(DeepImputeParam()), "DeepImputeParam.*network.size +512")
    expect_error(fitParts(fitInfill(counts, NoneParam(), seed = 1), "networks"), "NoneParam",
        class = "infill_error")
})

# ---- other cells, other genes ----

test_that("cells are filled the same whoever is beside them", {
    for (normalize in c("none", "median")) {
        f <- fitted(normalize = normalize)
        whole <- plain(infill(counts, f, keep = "none"))
        for (at in list(1:13, 14:44, 33, c(40, 2, 9))) {
            expect_identical(plain(infill(counts[, at, drop = FALSE], f, keep = "none")),
                whole[, at, drop = FALSE])
        }
    }
    half <- fitted(x = counts[, 1:22])
    expect_equal(unname(plain(infill(counts[, 23:44], half, keep = "none"))),
        refDeepInfill(counts[, 23:44], half), tolerance = 1e-4)
})

test_that("genes are found by name: permuted, with more of them, with fewer", {
    f <- fitted(n.genes = 16, n.predictors = 1)
    whole <- plain(infill(counts, f))
    order <- withSeed(1, sample(60))
    expect_identical(plain(infill(counts[order, ], f)), whole[order, ])
    more <- rbind(extra1 = 1:44, counts, extra2 = 0)
    out <- infill(more, f)
    expect_identical(out[rownames(counts), ], whole)
    expect_identical(out[c("extra1", "extra2"), ], more[c("extra1", "extra2"), ] + 0)
    used <- f@recipe$selected[c(2, 9)]
    expect_error(infill(counts[-used, ], f), paste(rownames(counts)[used], collapse = ", "),
        class = "infill_mismatch")
    unused <- setdiff(1:60, f@recipe$selected)
    expect_gt(length(unused), 10)
    expect_identical(plain(infill(counts[-unused, ], f)), whole[-unused, ])
    expect_identical(plain(infill(unname(counts), f)), unname(whole))
})

test_that("a part of the cells is learnt from, all are filled", {
    f <- fitted(cell.fraction = 0.5)
    cells <- .Call(infill:::C_choose, 44, 22, 1)
    expect_identical(f@cells, 22L)
    expect_length(unique(cells), 22)
    expectSame(f, fitted(x = counts[, cells]))
    expect_identical(dim(infill(counts, f)), dim(counts))
    at <- targets(f)
    expect_gt(mean(infill(counts, f)[at, -cells][counts[at, -cells] == 0] > 0), 0.9)
    expect_false(identical(fitted(cell.fraction = 0.5, seed = 2)@recipe$score, f@recipe$score))
    expect_identical(fitted(cell.fraction = 1e-6)@cells, 2L)
})

test_that("permuting genes permutes networks of ranked genes", {
    order <- withSeed(1, sample(60))
    one <- fitted(order = "progressive")
    two <- fitted(order = "progressive", x = counts[order, ])
    expect_identical(lapply(fitParts(two, "networks")$target.genes, names),
        lapply(fitParts(one, "networks")$target.genes, names))
    expect_identical(lapply(fitParts(two, "networks")$predictor.genes, function(g) sort(names(g))),
        lapply(fitParts(one, "networks")$predictor.genes, function(g) sort(names(g))))
})

# ---- the edges ----

test_that("genes that do not vary are neither targets nor predictors", {
    x <- counts
    x[4, ] <- 0
    x[5, ] <- 7
    x[6, ] <- 31.3
    f <- fitted(x = x, n.genes = Inf, n.predictors = 60)
    expect_setequal(which(f@recipe$status == "not selected"), which(refScore(x) < 1e-12))
    out <- infill(x, f, keep = "none")
    expect_identical(out[4:6, ], x[4:6, ] + 0)
})

test_that("the fewest genes and cells", {
    two <- counts[3:4, ]
    expect_message(f <- fitted(x = two, network.size = 512), "2 genes are too few.*networks of 1")
    expect_identical(nrow(fitParts(f, "networks")), 2L)
    expect_setequal(targets(f), 1:2)
    expect_equal(unname(plain(infill(two, f, keep = "none"))), refDeepInfill(two, f),
        tolerance = 1e-4)
    for (M in c(2, 3, 19)) {
        f <- fitted(x = counts[, 1:M], min.vmr = 0)
        expect_identical(f@cells, as.integer(M))
        expect_length(heldCells(f, counts[, 1:M], 1), 1)
        expect_true(all(is.finite(infill(counts, f, keep = "none"))))
    }
    odd <- fitted(x = counts[, 1:3], n.predictors = 1000, network.size = 4)
    expect_true(all(lengths(predictors(odd)) + 4 == sum(refScore(counts[, 1:3]) > 0)))
})

test_that("a cell and a gene without counts among others keep everything finite", {
    x <- counts
    x[, c(3, 9)] <- 0
    x[8, ] <- 0
    for (normalize in c("none", "median")) {
        f <- fitted(x = x, normalize = normalize, batch.size = 2)
        expect_true(all(is.finite(f@weights)) && all(is.finite(as.matrix(f@history))))
        for (output in c("counts", "normcounts", "logcounts")) {
            out <- infill(x, f, keep = "none", output = output)
            expect_true(all(is.finite(out)))
            expect_identical(unname(out[, 3]), numeric(60))
        }
    }
})

test_that("duplicated gene names are allowed, but not to choose by", {
    odd <- counts
    rownames(odd)[2:3] <- rownames(odd)[1]
    out <- infill(odd, deepParam(), seed = 1)
    expect_identical(dimnames(out), dimnames(odd))
    expect_identical(unname(plain(out)), unname(plain(infill(counts, fit))))
    expect_error(fitted(genes = c("g1", "g9"), x = odd), "once in 'x'.*: g1$",
        class = "infill_error")
    expect_error(fitted(genes = c("g8", "g9"), x = odd), NA)
    expect_error(fitted(genes = c("g8", "nobody"), x = odd), "1 are not: nobody",
        class = "infill_error")
    expect_error(fitted(genes = "g8", x = unname(odd)), "g8", class = "infill_error")
})

test_that("huge counts neither overflow nor disappear", {
    huge <- counts
    huge[1:5, ] <- huge[1:5, ] * 1e12
    out <- infill(huge, deepParam(learning.rate = 0.05), seed = 1)
    expect_true(all(is.finite(out)))
    expect_identical(out[huge > 0], huge[huge > 0] + 0)
})

test_that("a fit that cannot be held in memory is refused with numbers that are there", {
    old <- options(infill.memory.limit = 1000)
    on.exit(options(old))
    message <- tryCatch(fitted(hidden = NA, network.size = 30), infill_error = conditionMessage)
    expect_match(message, "'hidden'")
    expect_no_match(message, "NA")
})

test_that("a progress line is written when asked for", {
    expect_silent(fitInfill(counts, deepParam(), seed = 1, progress = FALSE))
    expect_message(f <- fitInfill(counts, deepParam(), seed = 1, progress = TRUE),
        "DeepImpute: iteration 1 of 8, loss .*held out")
    expect_identical(f@weights, fit@weights)
})

# ---- does it help? ----

test_that("hidden entries of a low-rank matrix are recovered better than by the gene's mean", {
    x <- lowRankCounts()
    m <- maskCounts(x, fraction = 0.1, seed = 1)
    rmse <- function(param) recoveryError(m, infill(maskedData(m), param, seed = 1))$rmse
    ours <- rmse(DeepImputeParam(network.size = 100, hidden = 64, learning.rate = 1e-3,
        max.iter = 200, n.genes = Inf))
    expect_lt(ours, 0.9 * min(rmse(GeneMeanParam("all")), rmse(GeneMeanParam("detected"))))
})
