# Pictures of fits and of filled-in counts.

skip_if_not_installed("ggplot2")
counts <- smallCounts()
fit <- fitInfill(counts, smallParam(), seed = 1)

drawn <- function(p) {
    expect_s3_class(p, "ggplot")
    ggplot2::ggplot_build(p)
}

test_that("the training plot shows both errors per entry and the iteration kept", {
    p <- plot(fit)
    built <- drawn(p)
    n <- fit@entries
    held <- floor(0.05 * n)
    d <- p$data
    expect_equal(d$value[d$entries == "trained on"], sqrt(fit@history$train / (n - held)),
        tolerance = 1e-14)
    expect_equal(d$value[d$entries == "held out"], sqrt(fit@history$valid / held),
        tolerance = 1e-14)
    expect_equal(built$data[[1]]$xintercept[1], fit@best)
    expect_match(p$labels$y, "log2")
    paper <- fitInfill(counts, smallParam(stop = "paper"), seed = 1)
    p <- plot(paper)
    drawn(p)
    expect_identical(unique(p$data$entries), "trained on")
    expect_equal(p$data$value, sqrt(paper@history$train / n), tolerance = 1e-14)
})

test_that("before and after are principal components of the same genes", {
    filled <- infill(counts, fit)
    p <- plotBeforeAfter(counts, filled, labels = rep(1:2, 20), n.genes = 30)
    drawn(p)
    d <- p$data
    expect_identical(nrow(d), 80L)
    expect_identical(as.character(d$label), as.character(rep(rep(1:2, 20), 2)))
    size <- colSums(counts) / median(colSums(counts))
    logs <- log2(counts / rep(size, each = 60) + 1)
    top <- head(order(-apply(logs, 1, var)), 30)
    pc <- prcomp(t(logs[top, ]), rank. = 2)$x
    expect_equal(abs(d$PC1[d$when == "before"]), abs(unname(pc[, 1])), tolerance = 1e-8)
    expect_equal(abs(d$PC2[d$when == "before"]), abs(unname(pc[, 2])), tolerance = 1e-8)
    after <- prcomp(t(log2(filled / rep(size, each = 60) + 1)[top, ]), rank. = 2)$x
    expect_equal(abs(d$PC1[d$when == "after"]), abs(unname(after[, 1])), tolerance = 1e-8)
})

test_that("experiments, sparse and delayed data are plotted alike", {
    suppressPackageStartupMessages(library(SummarizedExperiment))
    filled <- infill(counts, fit)
    one <- plotBeforeAfter(counts, filled)$data
    x <- infill(SummarizedExperiment(list(counts = counts)), fit)
    expect_equal(plotBeforeAfter(x, x)$data, one)
    expect_equal(plotBeforeAfter(sparse(counts), infill(counts, fit, as = "delayed"))$data, one)
    big <- lowRankCounts(80, 70)
    p <- plotBeforeAfter(big, infill(big, GeneMeanParam()))    # irlba's path, where it is installed
    drawn(p)
    expect_identical(nrow(p$data), 140L)
})

test_that("what cannot be plotted is said", {
    expect_error(plot(fitInfill(counts, NoneParam())), "without training",
        class = "infill_error")
    expect_error(plotBeforeAfter(counts, counts[1:3, ]), "3 x 40", class = "infill_error")
    expect_error(plotBeforeAfter(counts, counts, labels = 1:3), "40 values", class = "infill_error")
    one <- counts[, 1, drop = FALSE]                           # one cell has no second component
    expect_error(ggplot2::ggplot_build(plotBeforeAfter(one, one)), class = "infill_error")
})

test_that("pictures and comparisons leave R's generator alone, and look the same twice", {
    skip_if_not_installed("ggplot2")
    skip_if_not_installed("irlba")
    m <- withSeed(1, matrix(rpois(150 * 120, 3), 150))
    set.seed(4)
    before <- .Random.seed
    one <- plotBeforeAfter(m, m + 0)
    expect_identical(.Random.seed, before)
    runif(1)
    expect_identical(plotBeforeAfter(m, m + 0)$data, one$data)
})

test_that("UMAP and t-SNE: groups that are apart stay apart, the same picture twice", {
    groups <- rep(1:2, each = 40)
    m <- withSeed(1, matrix(rpois(100 * 80, 2 * ifelse(outer(1:100 <= 50, groups == 1), 4, 1)),
        100))
    for (embedding in c("umap", "tsne")) {
        skip_if_not_installed(c(umap = "uwot", tsne = "Rtsne")[[embedding]])
        set.seed(4)
        before <- .Random.seed
        p <- plotBeforeAfter(m, m + 0, labels = groups, embedding = embedding)
        expect_identical(.Random.seed, before)
        drawn(p)
        expect_named(p$data, c(paste0(c(umap = "UMAP", tsne = "tSNE")[[embedding]], 1:2), "when",
            "panel", "label"))
        expect_gt(silhouetteWidth(as.matrix(p$data[1:80, 1:2]), groups), 0.5)
        expect_identical(plotBeforeAfter(m, m + 0, labels = groups, embedding = embedding)$data,
            p$data)
        expect_error(plotBeforeAfter(m[, 1:4], m[, 1:4], embedding = embedding), "five cells",
            class = "infill_error")
    }
    expect_error(plotBeforeAfter(m, m, embedding = "mds"), "'embedding'", class = "infill_error")
})

test_that("the panels say how well classes are apart in two dimensions", {
    skip_if_not_installed("ggplot2")
    x <- withSeed(1, matrix(rpois(50 * 40, 3 * 4^outer(1:50 %% 2, rep(0:1, each = 20), "==")), 50))
    of <- rep(c("a", "b"), each = 20)
    p <- plotBeforeAfter(x, infill(x, GeneMeanParam()), labels = of)
    d <- p$data
    width <- unname(vapply(split(d, d$panel), function(v) silhouetteWidth(as.matrix(v[1:2]), of),
        0))
    expect_identical(levels(d$panel),
        unname(sprintf("%s, silhouette %.2f", c("before", "after"), width)))
    # cells without a label are not judged, and a value is no class
    expect_match(levels(plotBeforeAfter(x, x, labels = replace(of, 3, NA))$data$panel)[1],
        "before, silhouette 0")
    expect_match(levels(plotBeforeAfter(x, x, labels = S4Vectors::Rle(of))$data$panel)[1],
        "before, silhouette 0")
    for (labels in list(NULL, rep("a", 40), 1:40, 1:40 %/% 2))
        expect_identical(levels(plotBeforeAfter(x, x, labels = labels)$data$panel),
        c("before", "after"))
    # what fails in an argument is told as it is
    expect_error(plotBeforeAfter(x, stop("this one")), "this one")
    expect_error(plotBeforeAfter(x, nothing.of.this.name, type = "cv"), "nothing.of.this.name")
})

test_that("labels that can not be judged", {
    x <- withSeed(1, matrix(rpois(50 * 40, 3), 50))
    expect_error(smoothingGauge(x, x, labels = 1:40), "fewer classes than cells",
        class = "infill_error")
    expect_error(smoothingGauge(x, x, labels = as.list(1:40)), "must be a vector",
        class = "infill_error")
    expect_identical(silhouetteWidth(S4Vectors::DataFrame(t(x)), rep(1:2, 20)),
        silhouetteWidth(t(x), rep(1:2, 20)))
    expect_error(silhouetteWidth(SummarizedExperiment::SummarizedExperiment(list(counts = x)),
        1:50), "must be a matrix of points", class = "infill_error")
})

test_messages("arguments of the plots", {
    counts <- tinyCounts()
    param <- tinyParam()
    skip_if_not_installed("ggplot2")
    bad(plot(fitInfill(counts, NoneParam(), seed = 1)))
    bad(plotBeforeAfter(counts, counts[, -1]))
    bad(plotBeforeAfter(counts, counts, labels = 1:3))
    expect_error(plotBeforeAfter(list(), counts), "'x'", class = "infill_error")
    expect_error(plotBeforeAfter(counts, list()), "'filled'", class = "infill_error")
})
