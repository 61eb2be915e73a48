# The posterior: what a fit makes of counts.

# Data that the fits below share: low rank, so that the decomposition has something to say.
x <- lowRankCounts(60, 50, level = 0.3, spread = 1)
svd3 <- svdPrior(3)
two <- function(...) StackParam(list(GeneMeanParam(), low = svd3), ...)
fit <- fitInfill(x, two(), seed = 4)

test_that("rates behind simulated counts: intervals hold them, end to end", {
    skip_if_not_installed("SingleCellExperiment")
    # one BCV for all genes: 0.5 + 1/sqrt(mean), means near each other
    s <- simulateCounts(n.genes = 200, n.cells = 200, seed = 1, rates = TRUE, group.prob = 1,
        bcv.common = 0.5, bcv.df = Inf, lib.location = 8.5, mean.shape = 20, outlier.prob = 0,
        dropout.shape = NULL)
    counts <- SummarizedExperiment::assay(s, "counts")
    rate <- SummarizedExperiment::assay(s, "rate")
    f <- fitInfill(counts, StackParam(repeats = 1), seed = 1)
    theta <- 1 / (0.5 + 1 / sqrt(sum(counts) / 40000))^2
    expect_lt(abs(exp(f@coefficients[["eta"]]) / theta - 1), 0.1)
    q <- posteriorQuantiles(counts, f, c(0.05, 0.25, 0.75, 0.95))
    expect_lt(abs(mean(rate >= q[, , 1] & rate <= q[, , 4]) - 0.9), 0.02)
    expect_lt(abs(mean(rate >= q[, , 2] & rate <= q[, , 3]) - 0.5), 0.02)
    new <- withSeed(1, matrix(rpois(length(rate), rate), 200))
    post <- plain(infill(as.matrix(counts), f))
    expect_true(all(poissonOf(post, new) < c(poissonOf(as.matrix(counts), new),
        poissonOf(infill(counts, f, keep = "none"), new),
        poissonOf(infill(counts, GeneMeanParam(), keep = "none"), new))))
    expect_lt(abs(mean((rate - post)^2 / posteriorSd(counts, f)^2) - 1), 0.15)
})

test_that("predictive quantiles hold held-out molecules as often as they say, on Splat's groups", {
    skip_if_not_installed("SingleCellExperiment")
    s <- simulateCounts(n.genes = 150, n.cells = 150, seed = 2, group.prob = rep(1, 3),
        de.prob = 0.3, lib.location = 7, dropout.shape = NULL)
    # two halves of the same depth
    m <- maskCounts(SummarizedExperiment::assay(s, "counts"), "molecules", 0.5, seed = 1)
    half <- maskedData(m)
    y <- matrix(0, 150, 150)
    y[cbind(hiddenEntries(m)$row, hiddenEntries(m)$col)] <- hiddenEntries(m)$value
    f <- suppressWarnings(fitInfill(half, StackParam(repeats = 1), seed = 1))
    p <- c(0.05, 0.25, 0.5, 0.75, 0.95)
    q <- posteriorQuantiles(half, f, p, predictive = TRUE)
    expect_true(all(q == round(q)))
    for (k in seq_along(p)) {
        # counts are discrete: P(y < q) <= p <= P(y <= q)
        expect_gte(mean(y <= q[, , k]), p[k] - 0.01)
        expect_lte(mean(y < q[, , k]), p[k] + 0.01)
    }
    # those of the rate are narrower
    expect_gt(mean(y > posteriorQuantiles(half, f, 0.95)[, , 1]), 0.08)
})

test_that("quantiles are those of the gamma, for chosen genes and cells", {
    mu <- plain(infill(x, fit, keep = "none"))
    theta <- exp(fit@coefficients[["eta"]])
    p <- c(0.01, 0.5, 0.999)
    all <- posteriorQuantiles(x, fit, p)
    expect_identical(dim(all), c(60L, 50L, 3L))
    expect_identical(dimnames(all), list(rownames(x), colnames(x), as.character(p)))
    for (k in 1:3) {
        expect_equal(all[, , k], matrix(qgamma(p[k], x + theta, (mu + theta) / mu), 60),
            tolerance = 1e-10, ignore_attr = TRUE)
    }
    # the gamma's median is below its mean
    expect_equal(all[, , 2] < plain(infill(x, fit)), matrix(TRUE, 60, 50), ignore_attr = TRUE)
    expect_identical(posteriorQuantiles(sparse(x), fit, p, genes = c("gene9", "gene2"),
        cells = c(50, 1, 1)), all[c(9, 2), c(50, 1, 1), ])
    expect_identical(dimnames(posteriorQuantiles(x, fit, genes = 1, cells = 2:1))[[3]],
        c("0.05", "0.5", "0.95"))
    expect_identical(posteriorQuantiles(x, fit, p, genes = rownames(x) == "gene5", cells = -(1:48),
        num.threads = 2), all[5, 49:50, , drop = FALSE])
    pred <- posteriorQuantiles(x, fit, p, predictive = TRUE)
    expect_identical(unname(pred[, , 3]),
        matrix(qnbinom(0.999, size = x + theta, mu = plain(infill(x, fit))), 60))
    expect_true(all(posteriorQuantiles(x, fit, c(0, 1), genes = 1)[, , 2] == Inf))
})

test_that("what comes in comes back, with the posterior everywhere", {
    skip_if_not_installed("SingleCellExperiment")
    want <- plain(infill(x, fit))
    expect_identical(attr(infill(x, fit), "infill")[c("model", "output", "keep", "seed")],
        list(model = "StackParam", output = "counts", keep = "posterior", seed = 4))
    expect_identical(dimnames(want), dimnames(x))
    expect_gt(sum(want != x), 2900)                                 # not only at zeros
    expect_identical(plain(infill(x, two(), seed = 4)), want)
    expect_identical(plain(infill(sparse(x), fit)), want)
    expect_identical(plain(infill(delayed(x), fit)), want)
    sce <- SingleCellExperiment::SingleCellExperiment(list(other = x + 1, counts = x))
    out <- infill(sce, two(), seed = 4, sd = TRUE, name = "post")
    expect_s4_class(out, "SingleCellExperiment")
    expect_identical(SummarizedExperiment::assayNames(out), c("other", "counts", "post", "post.sd"))
    expect_identical(SummarizedExperiment::assay(out, "post"), want)
    expect_identical(SummarizedExperiment::assay(out, "post.sd"), posteriorSd(x, fit))
    expect_identical(SummarizedExperiment::rowData(out)$post.status, rep("modelled", 60))
    expect_identical(S4Vectors::metadata(out)$post$keep, "posterior")
    expect_identical(SummarizedExperiment::assayNames(infill(sce, fit)),
        c("other", "counts", "infilled"))
    expect_false(identical(SummarizedExperiment::assay(infill(sce, fit, assay.type = "other"),
        "infilled"), want))
    late <- infill(sce, fit, sd = TRUE, as = "delayed")
    expect_s4_class(SummarizedExperiment::assay(late, "infilled.sd"), "DelayedMatrix")
    expect_identical(as.matrix(SummarizedExperiment::assay(late, "infilled.sd")),
        posteriorSd(x, fit))
    norm <- infill(sce, fit, sd = TRUE, output = "normcounts")
    expect_identical(SummarizedExperiment::assay(norm, "infilled.sd"),
        posteriorSd(x, fit, output = "normcounts"))
})

test_that("keep and output are what they say", {
    post <- plain(infill(x, fit))
    mu <- plain(infill(x, fit, keep = "none"))
    size <- rep(colSums(x) / median(colSums(x)), each = 60)
    expect_identical(plain(infill(x, fit, keep = "posterior")), post)
    expect_identical(plain(infill(x, fit, keep = "observed")), ifelse(x > 0, x, post))
    expect_identical(plain(infill(x, fit, keep = "max")), ifelse(x > 0, pmax(x, post), post))
    expect_false(isTRUE(all.equal(mu, post)))
    for (keep in c("posterior", "observed", "none", "max")) {
        on <- plain(infill(x, fit, keep = keep))
        expect_equal(plain(infill(x, fit, keep = keep, output = "normcounts")), on / size,
            tolerance = 1e-12)
        expect_equal(plain(infill(x, fit, keep = keep, output = "logcounts")), log2(on / size + 1),
            tolerance = 1e-12)
    }
    expect_equal(posteriorSd(x, fit, output = "normcounts"), posteriorSd(x, fit) / size,
        tolerance = 1e-12)
})

test_that("delayed results are the dense ones, block by block and for chosen genes and cells", {
    for (output in c("counts", "logcounts")) for (keep in c("posterior", "observed", "none", "max"))
        {
        whole <- plain(infill(x, fit, output = output, keep = keep))
        late <- infill(x, fit, output = output, keep = keep, as = "delayed")
        expect_s4_class(late, "DelayedMatrix")
        expect_identical(as.matrix(late), whole)
        expect_identical(as.matrix(late[, 7, drop = FALSE]), whole[, 7, drop = FALSE])
        expect_identical(as.matrix(late[c(60, 1, 1), c(9, 3, 3, 40)]),
            whole[c(60, 1, 1), c(9, 3, 3, 40)])
    }
    sd <- posteriorSd(x, fit, as = "delayed")
    expect_s4_class(sd, "DelayedMatrix")
    expect_identical(as.matrix(sd[c(5, 2), 50:41]), posteriorSd(x, fit)[c(5, 2), 50:41])
    expect_equal(as.vector(DelayedArray::colSums(sd)), unname(colSums(posteriorSd(x, fit))),
        tolerance = 1e-12)
    old <- options(infill.dense.limit = 100)
    on.exit(options(old))
    expect_s4_class(infill(x, fit), "DelayedMatrix")
    expect_s4_class(posteriorSd(x, fit), "DelayedMatrix")
})

test_that("the bits depend on no number of threads, no block of cells and no worker", {
    again <- fitInfill(x, two(), seed = 4, num.threads = 2)
    expect_identical(again@coefficients, fit@coefficients)
    expect_identical(again@gains, fit@gains)
    expect_identical(infill(x, again, num.threads = 2), infill(x, fit))
    expect_identical(posteriorSd(x, fit, num.threads = 2), posteriorSd(x, fit))
    expect_false(identical(fitInfill(x, two(), seed = 5)@coefficients, fit@coefficients))
    # 4e6 / 400 = 10,000 cells a block
    base <- sparse(smallCounts(400, 40))
    f <- suppressWarnings(fitInfill(base, StackParam(GeneMeanParam(), repeats = 1), seed = 1))
    wide <- base[, rep(1:40, length.out = 10020)]
    expect_identical(infill(wide, f)[, 9991:10020], plain(infill(wide[, 9991:10020], f)))
    at <- c(400 * 10000 + 1:400, 400 * 10019 + 1:400)      # of the second block
    got <- infill:::.priorsAt(wide, list(cells = 1:10020, at = at), f@fits, f@mean.fit, 1L)
    expect_equal(exp(got[, 1]) - 1e-3, as.vector(infill(wide[, c(10001, 10020)], f@mean.fit,
        keep = "none")), tolerance = 1e-13)
    expect_identical(as.vector(posteriorQuantiles(wide, f, 0.5, genes = 3, cells = 9999:10002)),
        as.vector(posteriorQuantiles(base, f, 0.5, genes = 3, cells = c(39, 40, 1, 2))))
})

test_that("a fit is a file", {
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(infill(x, readRDS(file)), infill(x, fit))
    expect_identical(posteriorQuantiles(x, readRDS(file), genes = 1),
        posteriorQuantiles(x, fit, genes = 1))
    expect_identical(as.vector(fitParts(fit, "weights")$coefficients), unname(fit@coefficients))
    expect_identical(unname(fitParts(fit, "genes")), 1:60)
    expect_identical(nrow(fitParts(fit, "history")), 0L)
})

test_that("new cells get the priors' own prediction, then the same", {
    f <- fitInfill(x[, 1:30], two(repeats = 1), seed = 2)
    new <- x[, 31:50] * 3                                   # another depth, too
    says <- lapply(f@fits, function(p) plain(infill(new, p, keep = "none")))
    want <- refPosteriorUse(says, new, 0.1, f@coefficients)
    expect_equal(plain(infill(new, f)), want$mean, tolerance = 1e-10, ignore_attr = TRUE)
    expect_equal(posteriorSd(new, f), want$sd, tolerance = 1e-10, ignore_attr = TRUE)
    expect_lt(poissonOf(infill(new, f), new), poissonOf(infill(new, f, keep = "none"), new))
    expect_identical(plain(infill(new[, 4, drop = FALSE], f)),
        plain(infill(new, f))[, 4, drop = FALSE])
    none <- cbind(new[, 1, drop = FALSE], empty = 0)
    expect_true(all(infill(none, f)[, 2] < 0.1) && all(is.finite(posteriorSd(none, f))))
})

test_that("genes are found by name: permuted, with more of them; by position without names", {
    order <- withSeed(1, sample(60))
    expect_identical(plain(infill(x[order, ], fit)), plain(infill(x, fit))[order, ])
    expect_identical(posteriorSd(x[order, ], fit), posteriorSd(x, fit)[order, ])
    expect_identical(posteriorQuantiles(x[order, ], fit, genes = 3),
        posteriorQuantiles(x, fit, genes = order[3]))
    more <- rbind(extra1 = rep(0:4, 10), x[order, ], extra2 = 0)
    out <- plain(infill(more, fit))
    expect_identical(out[rownames(x), ], plain(infill(x, fit)))
    expect_identical(out[c("extra1", "extra2"), ], more[c("extra1", "extra2"), ] + 0)
    expect_identical(posteriorSd(more, fit)[c("extra1", "extra2"), ],
        more[c("extra1", "extra2"), ] * 0)
    # a gene that the fit does not know is as it is: its quantiles are the count
    for (predictive in c(FALSE, TRUE)) {
        q <- posteriorQuantiles(more, fit, c(0.05, 0.95), genes = c("extra2", "gene7", "extra1"),
            cells = 1:9, predictive = predictive)
        for (k in 1:2) expect_identical(q[c(3, 1), , k], more[c("extra1", "extra2"), 1:9] + 0)
        expect_identical(q[2, , ], posteriorQuantiles(x, fit, c(0.05, 0.95), genes = "gene7",
            cells = 1:9, predictive = predictive)[1, , ])
    }
    bare <- fitInfill(unname(x), two(), seed = 4)
    expect_identical(unname(plain(infill(x, bare))), unname(plain(infill(x, fit))))
    expect_error(infill(x[-1, ], fit), "gene1", class = "infill_mismatch")
    expect_error(infill(unname(x)[-1, ], fit), class = "infill_mismatch")
})

test_that("a gene that a prior does not model gets the gene mean from it", {
    few <- DeepMcParam(ranks = 2, sweeps = 1, zero.weight = 1e6, min.cells = 0, n.genes = 20,
        log = "log1p")
    f <- fitInfill(x, StackParam(few, repeats = 1), seed = 1)
    without <- setdiff(1:60, fitParts(f@fits[[1]], "genes"))
    expect_length(without, 40)
    says <- plain(infill(x, f@fits[[1]], keep = "none"))
    says[without, ] <- plain(infill(x, GeneMeanParam(), keep = "none"))[without, ]
    expect_equal(plain(infill(x, f)), refPosteriorUse(list(says), x, 0.1, f@coefficients)$mean,
        tolerance = 1e-8, ignore_attr = TRUE)
    expect_equal(infill(SummarizedExperiment::SummarizedExperiment(list(counts = x)),
        f)@elementMetadata$infilled.status, ifelse(1:60 %in% without, "not selected", "modelled"))
})

test_that("keep = \"posterior\" of one model is the stack of it and the gene mean", {
    want <- fitInfill(x, StackParam(list(GeneMeanParam(), svd3), repeats = 1), seed = 6)
    out <- infill(x, svd3, keep = "posterior", seed = 6)
    expect_identical(plain(out), plain(infill(x, want)))
    expect_identical(attr(out, "infill")$keep, "posterior")
    # of a fit that is there: it is not fitted again, the rest is learnt
    there <- fitInfill(x, svd3, seed = 6)
    count <- 0
    fitted <- withReplaced(".fitPrior", local({
        old <- infill:::.fitPrior
        function(...) { count <<- count + 1; old(...) }
    }), plain(infill(x, there, keep = "posterior")))
    expect_identical(count, 3)                                # both on the half, and the gene mean
    expect_identical(fitted, plain(out))
    # the fit given is the one that predicts
    x2 <- x[, 50:1]
    turned <- stackOf(sparse(x2), infill:::.withPosterior(there@param), list(Svd = there))
    expect_identical(turned@fits$Svd, there)
    expect_equal(attr(infill(x2, there, keep = "posterior"), "infill")$model, "StackParam")
    # the gene mean alone is a stack of one, the mean of the detected is a model of its own
    expect_identical(plain(infill(x, GeneMeanParam(), keep = "posterior", seed = 1)),
        plain(infill(x, StackParam(GeneMeanParam(), repeats = 1), seed = 1)))
    both <- StackParam(list(GeneMeanParam(), GeneMeanParam("detected")), repeats = 1)
    expect_identical(plain(infill(x, GeneMeanParam("detected"), keep = "posterior", seed = 1)),
        plain(infill(x, both, seed = 1)))
    for (p in list(GeneMeanParam(), GeneMeanParam("detected")))
        expect_identical(plain(infill(x, fitInfill(x, p, seed = 1), keep = "posterior")),
        plain(infill(x, p, keep = "posterior", seed = 1)))
    expect_identical(infill:::.withPosterior(GeneMeanParam(num.threads = 2))@num.threads, 2)
    se <- SummarizedExperiment::SummarizedExperiment(list(counts = x))
    expect_identical(SummarizedExperiment::assayNames(infill(se, there, keep = "posterior",
        sd = TRUE)), c("counts", "infilled", "infilled.sd"))
    network <- infill(x, smallParam(max.iter = 5), keep = "posterior", seed = 1)
    expect_true(all(is.finite(network)) && all(network > 0))
    expect_identical(plain(infill(x, fit, keep = "posterior")), plain(infill(x, fit)))
})

test_that("the posterior of a fit wants the very cells of the fit", {
    there <- fitInfill(x, svd3, seed = 6)
    for (other in list(x[, 1:20], x[, c(1:49, 49)], cbind(x, x[, 1] + 1)))
        expect_error(infill(other, there, keep = "posterior"),
        "StackParam\\(list\\(GeneMeanParam\\(\\), SvdParam\\(\\)\\)\\)",
        class = "infill_mismatch")
    # cells and genes without counts are no other ones, also to models that leave them out
    empty <- x
    empty[, 7] <- 0
    empty[5, ] <- 0
    for (p in list(GeneMeanParam(), svd3, smallParam(max.iter = 2), DeepImputeParam(max.iter = 2),
        ScInnParam(k = 2, max.iter = 2, replicates = 1), GraphSciParam(max.iter = 2))) {
        f <- suppressWarnings(suppressMessages(fitInfill(empty, p, seed = 1)))
        expect_true(all(is.finite(suppressWarnings(suppressMessages(infill(empty, f,
            keep = "posterior"))))))
        expect_error(suppressWarnings(suppressMessages(infill(x, f, keep = "posterior"))),
            "must have the cells", class = "infill_mismatch")
    }
    expect_error(suppressMessages(infill(x[, 1:9],
        fitInfill(x, GraphSciParam(max.iter = 2), seed = 1), keep = "posterior")),
        "knows the cells of its fit only", class = "infill_mismatch")
    # named at once, before anything is fitted
    renamed <- x
    rownames(renamed) <- paste0("other", 1:60)
    withReplaced(".fitPrior", function(...) stop("fitted"),
        expect_error(infill(renamed, there, keep = "posterior"), "lacks 60 of the 60 genes",
        class = "infill_mismatch"))
    # genes that the fit does not know are no mistake, and take what the gene mean says
    more <- rbind(x, new = 1:50)
    out <- expect_silent(infill(more, there, keep = "posterior"))
    alone <- stackOf(sparse(more), StackParam(list(GeneMeanParam(), svd3), repeats = 1, seed = 6),
        list(Svd = there))
    expect_identical(plain(out), plain(infill(more, alone)))
    expect_identical(alone@recipe$status, rep("modelled", 61))         # the gene mean models it
})
