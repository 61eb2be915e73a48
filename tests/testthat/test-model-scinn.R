# scINN: the fit as a whole.

scinnData <- function(seed = 6) withSeed(seed, {
    group <- rep(1:3, each = 16)
    rate <- matrix(rexp(60 * 3, 1 / 3), 60)
    matrix(rpois(60 * 48, rate[, group]) * rbinom(60 * 48, 1, 0.8), 60, 48,
        dimnames = list(paste0("gene", 1:60), paste0("cell", 1:48)))
})
groups <- rep(1:3, each = 16)
latentOf <- function(cells = 48, size = 5, seed = 2) withSeed(seed,
    matrix(rnorm(cells * size), cells) + rep(groups, length.out = cells))
fast <- function(..., latent = latentOf(), labels = groups, max.iter = 5) ScInnParam(log = "log2",
    latent = latent, labels = labels, max.iter = max.iter, ...)

test_that("containers, on-demand results and new cells give the same bits", {
    suppressPackageStartupMessages(library(SingleCellExperiment))
    x <- scinnData()
    fit <- fitInfill(x, fast(), seed = 1)
    whole <- plain(infill(x, fit))
    expect_identical(plain(infill(x, fast(), seed = 1)), whole)
    expect_identical(assay(infill(SingleCellExperiment(list(counts = x)), fast(), seed = 1),
        "infilled"), whole)
    d <- infill(x, fit, as = "delayed")
    expect_identical(unname(as.matrix(d[5:9, c(30, 2)])), unname(whole[5:9, c(30, 2)]))
    expect_identical(plain(infill(x[, 7:9], fit)), whole[, 7:9])
    expect_identical(plain(infill(x[60:1, 7:9], fit)), whole[60:1, 7:9])
    expect_identical(whole[x > 0], as.double(x[x > 0]))
    expect_true(all(whole >= 0) && all(is.finite(whole)))
})

test_that("module two comes near hidden entries, and its curve falls", {
    x <- withSeed(3, {
        rate <- exp(matrix(rnorm(100 * 3, 2), 100))
        matrix(rpois(100 * 150, rate[, rep(1:3, 50)]), 100)
    })
    m <- maskCounts(x, fraction = 0.1, seed = 1)
    h <- hiddenEntries(m)
    at <- cbind(h$row, h$col)
    seen <- maskedData(m)
    fit <- fitInfill(seen, ScInnParam(log = "log2", latent = latentOf(150) + rep(1:3, 50) %o% (1:5),
        labels = rep(1:3, 50)), seed = 1)
    truth <- log2(h$value + 1)
    l <- log2(seen + 1)
    mean <- (rowSums(l) / pmax(rowSums(l > 0), 1))[h$row]
    error <- function(v) sqrt(mean((v - truth)^2))
    expect_lt(error(log2(infill(seen, fit)[at] + 1)), 0.8 * error(mean))
    curve <- fitParts(fit, "history")
    n <- nrow(curve)
    for (part in c("cluster", "similarity", "reconstruction")) expect_lt(curve[[part]][n],
        1.05 * curve[[part]][1])
})

test_that("n.genes: those of largest variance of the logarithms; the others stay as they are", {
    x <- scinnData()
    fit <- fitInfill(x, fast(n.genes = 20), seed = 1)
    v <- apply(log2(x + 1), 1, var)
    v[rowSums(x > 0) < 3] <- 0
    expect_setequal(fitParts(fit, "genes"), order(-v)[1:20])
    out <- plain(infill(x, fit))
    expect_identical(out[-fitParts(fit, "genes"), ], x[-fitParts(fit, "genes"), ] + 0)
})

test_that("min.value: below it, on the log scale, is 0", {
    x <- scinnData()
    all <- plain(infill(x, fast(), seed = 1))
    some <- plain(infill(x, fast(min.value = 2), seed = 1))
    low <- x == 0 & log2(all + 1) < 2
    expect_gt(sum(low), 20)
    expect_true(all(some[low] == 0))
    expect_identical(some[!low], all[!low])
})

test_that("normalize = \"median\": depth is divided out before, and comes back after", {
    x <- scinnData()
    x[, 1:24] <- 3L * x[, 1:24]
    out <- plain(infill(x, fast(normalize = "median"), seed = 1))
    expect_identical(out[x > 0], as.double(x[x > 0]))
    fit <- fitInfill(x, fast(normalize = "median"), seed = 1)
    raw <- x * matrix(median(colSums(x)) / colSums(x), 60, 48, byrow = TRUE)
    l <- log2(raw + 1)
    s <- apply(l, 2, max)
    w <- fitParts(fit, "weights")
    g <- fitParts(fit, "genes")
    selu <- function(z) 1.0507009873554805 * ifelse(z > 0, z, 1.6732632423543772 * expm1(z))
    h <- selu(t(w$W1) %*% t(t(l[g, ]) / s) + drop(w$b1))
    r <- pmax(t(w$W2) %*% h + drop(w$b2), 0)
    want <- (2^t(t(r) * s) - 1) * matrix(colSums(x) / median(colSums(x)), length(g), 48,
        byrow = TRUE)
    expect_equal(out[g, ][x[g, ] == 0], want[x[g, ] == 0], tolerance = 1e-5)
})

test_that("valid.fraction: entries hidden for the whole training, best weights kept", {
    x <- scinnData()
    fit <- fitInfill(x, fast(valid.fraction = 0.1, max.iter = 200, patience = 5,
        learning.rate = 1e-2), seed = 1)
    h <- fitParts(fit, "history")
    expect_identical(fit@best, which.min(h$valid))
    expect_identical(nrow(h), fit@best + 5L)
    expect_equal(fit@heldout$mse, min(h$valid))
    expect_output(show(fit), "no better held-out error")
})

test_that("a checkpoint and a resumed fit end with the same bits, without module one again", {
    x <- scinnData()
    p <- ScInnParam(log = "log2", replicates = 1, snapshots = 1, max.iter = 6)
    whole <- fitInfill(x, p, seed = 1)
    first <- fitInfill(x, ScInnParam(log = "log2", replicates = 1, snapshots = 1, max.iter = 2),
        seed = 1, keep.state = TRUE)
    rest <- withReplaced(".moduleOne", function(...) stop("again"),
        fitInfill(x, p, seed = 1, resume = first))
    expect_identical(rest@weights, whole@weights)
    expect_identical(rest@history, whole@history)
    file <- tempfile()
    expect_identical(fitInfill(x, p, seed = 1, checkpoint = file, checkpoint.every = 2)@weights,
        whole@weights)
    expect_false(file.exists(file))
})

test_that("paper = TRUE: two losses, nothing dropped, and a warning of what that means", {
    x <- scinnData()
    expect_warning(fit <- fitInfill(x, fast(paper = TRUE, max.iter = 30, learning.rate = 1e-2),
        seed = 1), "not determined by the data")
    expect_identical(c(fit@param@cluster.weight, fit@param@similarity.weight,
        fit@param@reconstruction.weight, fit@param@zero.weight, fit@param@drop), c(1, 1, 0, 0, 0))
    h <- fitParts(fit, "history")
    expect_equal(h$train, h$cluster + h$similarity)
    expect_gt(h$reconstruction[30], h$reconstruction[1])
})

test_that("what is shown", {
    skip_if_not_installed("ggplot2")
    fit <- fitInfill(scinnData(), fast(valid.fraction = 0.1), seed = 1)
    p <- plot(fit)
    expect_s3_class(p, "ggplot")
    expect_identical(levels(p$data$panel),
        c("cluster", "similarity", "reconstruction", "zero", "held out"))
    expect_silent(ggplot2::ggplot_build(p))
    expect_output(show(fast()), "latent +matrix, 48 x 5")
    expect_output(show(fit), "60 genes modelled|59 genes modelled|5 iterations")
    expect_message(fitInfill(scinnData(), fast(), seed = 1, progress = TRUE),
        "ScInn: iteration 1 of 5")
})

test_that("odd data", {
    x <- scinnData()
    same <- function(x, out, g = TRUE) expect_identical(plain(out)[g, ][x[g, ] > 0],
        as.double(x[g, ][x[g, ] > 0]))
    # an all-zero gene, a constant gene, a cell with one non-zero, an empty cell
    odd <- x
    odd[3, ] <- 0
    odd[5, ] <- 4
    odd[, 7] <- replace(numeric(60), 9, 2)
    odd[, 11] <- 0
    expect_warning(out <- infill(odd, fast(), seed = 1), "^1 of 48 cells have no counts")
    same(odd, out)
    expect_true(all(is.finite(out)) && all(out[3, ] == 0) && all(out[, 11] == 0))
    # one cluster; more clusters than cells of a batch; two coordinates; constant latents;
    # duplicated cells
    for (p in list(fast(labels = rep("all", 48)), fast(labels = 1:48, batch.size = 8),
        fast(latent = latentOf(size = 2)), fast(latent = matrix(1, 48, 3)),
        fast(latent = latentOf()[rep(1:24, 2), ])))
        expect_true(all(is.finite(infill(x, p, seed = 1))))
    one <- fitParts(fitInfill(x, fast(labels = rep("all", 48)), seed = 1), "history")
    expect_true(all(one$cluster == 0))
    # fewer than 32 cells: one batch; fewer than coordinates: module one works
    few <- x[, c(1:6, 17:22)]
    expect_true(all(is.finite(suppressWarnings(infill(few, ScInnParam(log = "log2", max.iter = 3),
        seed = 1)))))
    twice <- x[, rep(1:15, 2)]
    expect_true(all(is.finite(suppressWarnings(infill(twice,
        ScInnParam(log = "log2", max.iter = 2, replicates = 1), seed = 1)))))
    # nothing to fill in
    expect_message(out <- infill(x + 1, fast(), seed = 1), "no zeros")
    expect_identical(plain(out), x + 1)
    expect_message(out <- infill(x[, 1:2], ScInnParam(), seed = 1), "3 cells")
    expect_identical(plain(out), x[, 1:2] + 0)
    fit <- suppressMessages(fitInfill(x + 1, fast(), seed = 1))
    expect_identical(nrow(fitParts(fit, "history")), 0L)
    expect_identical(plain(infill(x, fit)), x + 0)
})

test_that("a fit with nothing to fill in has weights of zero, the same ones every time", {
    full <- matrix(3, 12, 15)
    fits <- lapply(1:2, function(k) suppressMessages(fitInfill(full, ScInnParam(), seed = 1)))
    expect_identical(fits[[1]]@weights, fits[[2]]@weights)
    expect_true(all(fits[[1]]@weights == 0))
})

test_that("an entry is held out however few there are", {
    x <- withSeed(1, matrix(rpois(40, 0.2), 4, 10))
    x[1, ] <- 1
    fit <- suppressMessages(fitInfill(x, ScInnParam(latent = matrix(sin(1:20), 10),
        labels = rep(1:2, 5), valid.fraction = 0.01, max.iter = 5), seed = 1))
    expect_true(all(is.finite(fit@history$valid)) && all(fit@history$valid > 0))
})
