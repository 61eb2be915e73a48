# AutoImpute: the fit as a whole.

counts <- smallCounts()
raw <- function(x, fit, ...) {
    out <- plain(infill(x, fit, output = "logcounts", keep = "none", nonneg = FALSE, ...))
    unname(out[match(fit@recipe$genes[fit@recipe$selected], rownames(x)), , drop = FALSE])
}
X <- function(x = counts, ...) unname(as.matrix(as(prepareCounts(x, ...), "dgCMatrix")))

test_that("predictions are the forward pass in plain R", {
    for (more in list(list(), list(bias = FALSE), list(init = "reference"),
        list(init.bias = "mean"), list(hidden = 37), list(hidden = 1), list(arithmetic = "dense"),
        list(arithmetic = "sparse"), list(batch.size = 11), list(stop = "paper"),
        list(stop = "window", learning.rate = 0.02))) {
        fit <- fitInfill(counts, do.call(smallParam, more), seed = 1)
        expect_lt(max(abs(raw(counts, fit) - refForward(fitParts(fit, "weights"), X())$y)), 1e-4)
        if (identical(more$bias, FALSE))
            expect_true(all(unlist(fitParts(fit, "weights")[c("b_e", "b_d")]) == 0))
    }
})

test_that("the start is what ?AutoImputeParam says of init", {
    wide <- lowRankCounts(200, 20)
    start <- function(...) fitParts(fitInfill(wide,
        AutoImputeParam(hidden = 300, max.iter = 1, learning.rate = 1e-8, stop = "paper",
        threshold = 0, ...), seed = 1), "weights")
    w <- start()
    G <- nrow(w$E)
    expect_lt(abs(stats::sd(w$E) * sqrt(G) - 1), 0.02)
    expect_lt(abs(stats::sd(w$D) * sqrt(300) - 1), 0.02)
    expect_lt(abs(mean(w$E)) * sqrt(G), 0.02)
    # single precision: ties
    expect_gt(suppressWarnings(stats::ks.test(as.vector(w$E) * sqrt(G), "pnorm"))$p.value, 1e-3)
    expect_lt(abs(stats::cor(as.vector(w$E), as.vector(t(w$D)))), 0.02)
    expect_lt(max(abs(c(w$b_e, w$b_d))), 1e-7)
    w <- start(init = "reference")
    for (k in names(w)) expect_lt(abs(stats::sd(w[[k]]) - 1),
        if (length(w[[k]]) > 1000) 0.02 else 0.2)
    w <- start(init.bias = "mean")
    x <- X(wide)
    expect_lt(max(abs(w$b_d - rowSums(x) / rowSums(x > 0))), 1e-5)
    expect_lt(max(abs(start(init.bias = "mean", bias = FALSE)$b_d)), 1e-12)
})

test_that("the seed fixes the bits; threads, blocks and the form of the input do not touch them", {
    for (more in list(list(arithmetic = "sparse"), list(arithmetic = "dense"),
        list(batch.size = 13), list(stop = "paper", lambda = 0))) {
        go <- function(x = counts, threads = 1, ...) {
            fit <- fitInfill(x, do.call(smallParam,
                c(list(hidden = 37, max.iter = 8), more, list(...))), seed = 1,
                num.threads = threads)
            list(fit@weights, fit@history, raw(counts, fit, num.threads = threads))
        }
        one <- go()
        for (block in c(1, 7)) expect_identical(go(block.cells = block), one)
        for (block in c(0, 1, 7)) expect_identical(go(threads = 2, block.cells = block), one)
        for (block in c(0, 7)) expect_identical(go(threads = 4, block.cells = block), one)
        expect_identical(go(sparse(counts)), one)
        expect_identical(go(delayed(counts), 2), one)
    }
})

test_that("sparse and dense arithmetic agree to rounding", {
    fit <- function(arithmetic, ...) fitInfill(counts,
        smallParam(hidden = 20, arithmetic = arithmetic, ...), seed = 1)
    for (more in list(list(), list(stop = "paper", lambda = 10), list(batch.size = 9))) {
        one <- do.call(fit, c("sparse", more))
        two <- do.call(fit, c("dense", more))
        expect_equal(two@weights, one@weights, tolerance = 1e-4)
        expect_equal(two@history, one@history, tolerance = 1e-4)
        expect_lt(max(abs(raw(counts, two) - raw(counts, one))), 1e-4)
    }
})

test_that("\"auto\" is one of the two, by the share of non-zeros", {
    fit <- function(x, arithmetic) fitInfill(x, smallParam(hidden = 20, arithmetic = arithmetic),
        seed = 1)@weights
    few <- counts * withSeed(4, rbinom(length(counts), 1, 0.5))
    expect_lt(mean(X(few) > 0), 0.5)
    expect_identical(fit(few, "auto"), fit(few, "sparse"))
    many <- counts + 3
    expect_identical(fit(many, "auto"), fit(many, "dense"))
})

test_that("permuting cells permutes the predictions of a fit, and of a new one", {
    fit <- fitInfill(counts, smallParam(), seed = 1)
    order <- withSeed(1, sample(40))
    expect_identical(raw(counts[, order], fit), raw(counts, fit)[, order])
    # no held-out entries to be moved
    p <- smallParam(stop = "paper", threshold = 0, gene.selection = "none")
    one <- fitInfill(counts, p, seed = 1)
    two <- fitInfill(counts[, order], p, seed = 1)
    expect_equal(two@weights, one@weights, tolerance = 1e-4)
    expect_equal(raw(counts[, order], two), raw(counts, one)[, order], tolerance = 1e-4)
})

test_that("presets are the paper's Table 2", {
    expect_equal(infill:::.autoImputePresets(),
        data.frame(row.names = c("Blakeley", "Jurkat-293T", "Kolodziejczyk", "PBMC 68k",
        "Preimplantation", "Quake", "Usoskin", "Zeisel"),
        lambda = c(1, 1000, 0, 12000, 2000, 2000, 2000, 1000),
        hidden = c(2000, 4000, 8000, 3000, 4000, 1500, 3000, 1500),
        learning.rate = c(1e-4, 1e-3, 1e-4, 1e-5, 1e-3, 1e-4, 1e-4, 1e-4),
        threshold = c(1e-4, 1e-3, 1e-4, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4)))
    for (name in rownames(infill:::.autoImputePresets())) {
        p <- AutoImputeParam(preset = name)
        for (k in names(infill:::.autoImputePresets())) expect_identical(slot(p, k),
            infill:::.autoImputePresets()[name, k])
        expect_identical(p@stop, "validation")
    }
    p <- AutoImputeParam(preset = "Zeisel", hidden = 5, threshold = 0.5)
    expect_identical(c(p@hidden, p@lambda, p@learning.rate, p@threshold), c(5, 1000, 1e-4, 0.5))
    expect_identical(AutoImputeParam(preset = "Blakeley"), AutoImputeParam())
    d <- AutoImputeParam()
    expect_identical(c(d@hidden, d@lambda, d@learning.rate, d@max.iter, d@threshold, d@patience,
        d@valid.fraction, d@min.cells, d@n.genes), c(2000, 1, 1e-4, 7000, 1e-4, 50, 0.05, 3, 1000))
    expect_identical(c(d@stop, d@init, d@init.bias, d@arithmetic, d@gene.selection),
        c("validation", "scaled", "zero", "auto", "dispersion"))
    expect_true(is.na(d@seed) && is.na(d@num.threads) && d@bias)
})

test_that("the preparation asked for is the one that is done", {
    fit <- fitInfill(counts, smallParam(min.cells = 10, n.genes = 7, gene.selection = "cv"),
        seed = 1)
    expect_identical(fit@recipe, prepareCounts(counts, min.cells = 10, n.genes = 7,
        gene.selection = "cv")@recipe)
    all <- fitInfill(counts, smallParam(n.genes = Inf), seed = 1)
    expect_identical(all@recipe$kept, all@recipe$status == "modelled")
    expect_identical(all@recipe$log, "log2")
})

test_that("a fit survives saveRDS", {
    fit <- fitInfill(counts, smallParam(), seed = 1)
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
})

test_that("hidden entries: better than the gene's mean, but not from the reference start", {
    x <- lowRankCounts()
    m <- maskCounts(x, fraction = 0.3, seed = 1)
    rmse <- function(param) recoveryError(m, infill(maskedData(m), param, seed = 1))$rmse
    small <- function(...) AutoImputeParam(hidden = 200, learning.rate = 1e-3, max.iter = 400, ...)
    ours <- rmse(small())
    mean <- c(rmse(GeneMeanParam("all")), rmse(GeneMeanParam("detected")))
    expect_lt(ours, 0.95 * min(mean))
    expect_gt(rmse(small(init = "reference", stop = "paper", threshold = 0)), 1.2 * max(mean))
})

test_that("results are finite, not negative, and observed entries stay", {
    counts[4, ] <- 0
    counts[, 9] <- 0
    fit <- suppressWarnings(fitInfill(counts, smallParam(init = "reference", learning.rate = 0.1),
        seed = 1))
    for (keep in c("observed", "none", "max")) {
        out <- infill(counts, fit, keep = keep)
        expect_true(all(is.finite(out) & out >= 0))
        expect_identical(dimnames(out), dimnames(counts))
        expect_identical(unname(out[4, ]), numeric(40))
        expect_identical(unname(out[, 9]), numeric(60))
    }
    expect_identical(infill(counts, fit)[counts > 0], counts[counts > 0] + 0)
    expect_gt(sum(infill(counts, fit)[counts == 0]), 0)
})

test_that("a gene without entries, among prepared counts, keeps everything finite", {
    x <- X()
    x[3, ] <- 0
    x[, 5] <- 0
    fit <- fitInfill(handPrepared(x), smallParam(), seed = 1)
    expect_true(all(is.finite(fit@weights)) && all(is.finite(as.matrix(fit@history))))
    expect_identical(fit@shapes$nrow[1], nrow(x))
})

test_that("nothing to learn from is a warning, and no NaN", {
    empty <- handPrepared(matrix(0, 5, 4))
    expect_warning(fit <- fitInfill(empty, smallParam(stop = "paper"), seed = 1),
        "no counts after preparation")
    expect_true(all(is.finite(fit@weights)))
    expect_true(all(fit@history$train == 0))
    expect_gt(fit@history$penalty[1], 0)
    expect_warning(fit <- fitInfill(empty, smallParam(), seed = 1), "nothing to learn from")
    expect_true(all(is.finite(fit@weights)))
})

test_that("one cell and one gene are fitted", {
    one <- fitInfill(prepareCounts(counts[, 1, drop = FALSE], min.cells = 1,
        gene.selection = "none"), smallParam(), seed = 1)
    out <- infill(counts[, 1, drop = FALSE], one)
    expect_identical(dim(out), c(60L, 1L))
    expect_true(all(is.finite(out)))
    gene <- suppressWarnings(infill(counts[1, , drop = FALSE], smallParam(min.cells = 1), seed = 1))
    expect_identical(dimnames(gene), dimnames(counts[1, , drop = FALSE]))
    # its zeros are cells without counts
    expect_identical(as.vector(gene), as.vector(counts[1, ]) + 0)
    expect_true(all(is.finite(gene)))
})

test_that("enough units and no penalty fit the entries closely", {
    x <- handPrepared(X()[1:20, 1:10] + 1)
    fit <- fitInfill(x, AutoImputeParam(hidden = 40, lambda = 0, learning.rate = 1e-3,
        max.iter = 4000, stop = "paper", threshold = 0), seed = 1)
    l <- fit@history$train
    expect_lt(l[length(l)], 0.01 * l[1])
})

test_that("the gene mean as a start of the decoder's bias helps at first", {
    one <- fitInfill(counts, smallParam(max.iter = 3), seed = 1)@history$valid[1]
    two <- fitInfill(counts, smallParam(max.iter = 3, init.bias = "mean"),
        seed = 1)@history$valid[1]
    expect_lt(two, one)
})
