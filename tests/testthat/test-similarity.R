# similarityModule(): containers, arguments, the filter, large data, and cells without counts.

# two groups of cells that differ in half of the genes
twoGroups <- function(genes = 60, each = 20, seed = 4) withSeed(seed, {
    rate <- cbind(rep(c(5, 1), each = genes / 2), rep(c(1, 5), each = genes / 2)) *
        rexp(genes, 1 / 2)
    matrix(rpois(2 * each * genes, rate[, rep(1:2, each = each)]), genes, 2 * each,
        dimnames = list(paste0("gene", seq_len(genes)), paste0("cell", seq_len(2 * each))))
})
quick <- function(...) ScInnParam(replicates = 1, snapshots = 2, log = "log2", ...)

data <- scinnSeen
counts <- data$counts

test_that("a list for a matrix; the same bits for threads, sparse input, and twice", {
    x <- twoGroups()
    one <- similarityModule(x, quick(), seed = 3)
    expect_named(one, c("latent", "cluster", "keep.genes", "k", "agreement", "mean.agreement",
        "losses"))
    expect_identical(dim(one$latent), c(40L, 15L))
    expect_identical(rownames(one$latent), colnames(x))
    expect_identical(names(one$cluster), colnames(x))
    expect_true(all(one$keep.genes == (rowSums(x) > 0)) && length(one$k) == 2 &&
        all(dim(one$agreement) == 2))
    expect_identical(dim(one$losses), c(32L, 1L))
    before <- withSeed(1, runif(1))
    now <- withSeed(1, {
        two <- similarityModule(sparse(x), quick(), seed = 3, num.threads = 2)
        runif(1)
    })
    expect_identical(now, before)                       # R's generator is left alone
    expect_identical(two, one)
    expect_false(identical(similarityModule(x, quick(), seed = 4)$latent, one$latent))
    expect_gt(adjustedRandIndex(similarityModule(x, quick(k = 2), seed = 3)$cluster,
        rep(1:2, each = 20)), 0.9)
})

test_that("into experiments", {
    suppressPackageStartupMessages(library(SingleCellExperiment))
    x <- twoGroups()
    one <- similarityModule(x, quick(), seed = 3)
    sce <- similarityModule(SingleCellExperiment(list(counts = x)), quick(), seed = 3)
    expect_identical(reducedDim(sce, "similarity"), one$latent)
    expect_identical(as.integer(sce$similarity), unname(one$cluster))
    expect_identical(metadata(sce)$similarity$k, one$k)
    expect_identical(assay(sce, "counts"), x)
    se <- similarityModule(SummarizedExperiment(list(counts = x)), quick(), seed = 3, name = "s")
    expect_identical(metadata(se)$s$latent, one$latent)
    expect_identical(as.integer(se$s), unname(one$cluster))
    skip_if_not_installed("SeuratObject")
    s <- suppressWarnings(SeuratObject::CreateSeuratObject(sparse(x)))
    s <- suppressWarnings(similarityModule(s, quick(), seed = 3))
    expect_identical(unname(SeuratObject::Embeddings(s, "similarity")), unname(one$latent))
    expect_identical(unname(s$similarity.cluster), unname(one$cluster))
})

test_that("a fit says what it used; what it used gives the same fit; what is given is used", {
    x <- twoGroups()
    fit <- fitInfill(x, quick(max.iter = 3), seed = 3)
    one <- similarityModule(x, quick(), seed = 3)
    expect_identical(similarityModule(fit), one)
    again <- fitInfill(x, quick(max.iter = 3, latent = one$latent, labels = one$cluster), seed = 3)
    expect_identical(again@weights, fit@weights)
    expect_identical(fitInfill(x, quick(max.iter = 3, labels = one$cluster), seed = 3)@weights,
        fit@weights)
    # a latent alone is clustered
    half <- similarityModule(fitInfill(x, quick(max.iter = 1, latent = one$latent, k = 2),
        seed = 3))
    expect_identical(half$latent, one$latent)
    expect_identical(max(half$cluster), 2L)
    mine <- rep(c("b", "a"), 20)
    expect_identical(unname(similarityModule(fitInfill(x, quick(max.iter = 1, labels = mine),
        seed = 3))$cluster), rep(2:1, 20))
})

test_that("the filter keeps about so many genes, and module one sees no other", {
    x <- twoGroups(genes = 120)
    one <- similarityModule(x, quick(n.filter = 40), seed = 3)
    expect_identical(sum(one$keep.genes), 40L)
    y <- x[one$keep.genes, ]
    expect_identical(dim(one$latent), c(40L, 15L))
    expect_identical(similarityModule(x, quick(n.filter = 40), seed = 3, num.threads = 2), one)
    expect_false(identical(similarityModule(x, quick(), seed = 3)$latent, one$latent))
})

test_that("above the common sample, its labels go to the others", {
    x <- twoGroups(each = 60)
    whole <- similarityModule(x, quick(k = 2), seed = 3)
    some <- withReplaced(".commonSample", 40, similarityModule(x, quick(k = 2), seed = 3))
    expect_equal(dim(some$latent), dim(whole$latent))
    expect_gt(adjustedRandIndex(some$cluster, rep(1:2, each = 60)), 0.9)
    expect_identical(withReplaced(".commonSample", 40,
        similarityModule(x, quick(k = 2), seed = 3, num.threads = 2)), some)
    given <- withReplaced(".commonSample", 40,
        fitInfill(x, quick(k = 2, latent = whole$latent, max.iter = 1), seed = 3))
    expect_gt(adjustedRandIndex(similarityModule(given)$cluster, rep(1:2, each = 60)), 0.9)
})

test_that("cells without counts are left out: NA, cluster 1; the others do not notice", {
    x <- twoGroups()
    y <- cbind(x[, 1:7], none = 0, x[, 8:40])
    one <- similarityModule(x, quick(), seed = 3)
    two <- similarityModule(y, quick(), seed = 3)
    expect_true(all(is.na(two$latent[8, ])))
    expect_identical(two$cluster[["none"]], 1L)
    expect_identical(two$latent[-8, ], one$latent)
    expect_identical(two$cluster[-8], one$cluster)
})

test_that("partitions that disagree are said to", {
    noise <- withSeed(1, matrix(rpois(50 * 40, 1), 50))
    expect_warning(similarityModule(noise, ScInnParam(log = "log2", snapshots = 1), seed = 1),
        "hardly agree")
})

test_that("log = \"auto\" is scDHA's rule, and says so", {
    x <- twoGroups()
    expect_message(a <- similarityModule(x, ScInnParam(replicates = 1, snapshots = 1), seed = 3),
        "used as they are")
    expect_identical(a, similarityModule(x, ScInnParam(replicates = 1, snapshots = 1, log = "none"),
        seed = 3))
    x[1, 1] <- 1000
    expect_message(a <- similarityModule(x, ScInnParam(replicates = 1, snapshots = 1), seed = 3),
        "log2")
    expect_identical(a, similarityModule(x, ScInnParam(replicates = 1, snapshots = 1, log = "log2"),
        seed = 3))
})

test_that("latent and cluster are matched to the cells by name, where there are names", {
    x <- twoGroups()
    z <- withSeed(2, matrix(rnorm(120), 40, dimnames = list(colnames(x), NULL)))
    g <- stats::setNames(rep(1:2, each = 20), colnames(x))
    fitOf <- function(z, g) fitInfill(x, quick(max.iter = 2, latent = z, labels = g),
        seed = 1)@weights
    want <- fitOf(unname(z), unname(g))
    turn <- withSeed(1, sample(40))
    expect_identical(fitOf(z[turn, ], g[turn]), want)
    expect_false(identical(fitOf(unname(z[turn, ]), unname(g)), want))
    names(g)[3] <- "nobody"
    expect_error(fitOf(z, g), "'labels' has names, but none for 1 of the cells: cell3",
        class = "infill_error")
    rownames(z)[5] <- "nobody"
    expect_error(fitOf(z, unname(g)), "'latent' has names", class = "infill_error")
})

test_that("a fit to go on from must have these cells; own clusters are no reason to warn", {
    x <- twoGroups()
    first <- fitInfill(x[, 1:30], quick(max.iter = 1), seed = 1, keep.state = TRUE)
    expect_error(fitInfill(x, quick(max.iter = 2), seed = 1, resume = first),
        class = "infill_mismatch")
    noise <- withSeed(1, matrix(rpois(50 * 40, 1), 50))
    expect_no_warning(one <- similarityModule(noise,
        ScInnParam(log = "log2", snapshots = 1, labels = rep(1:2, 20)), seed = 1))
    expect_named(one, c("latent", "cluster", "keep.genes", "losses"))
})

# ---- module one, from outside ----

test_that("module one: a latent and a partition of all cells, the same ones that a fit takes", {
    short <- list(replicates = 1, snapshots = 2, log = "log2")
    m <- quiet(similarityModule(counts, do.call(ScInnParam, short), seed = 1))
    expect_identical(dim(m$latent), c(40L, 15L))
    expect_true(all(is.finite(m$latent)))
    expect_length(m$cluster, 40)
    expect_setequal(m$cluster, seq_len(max(m$cluster)))
    kept <- if (is.logical(m$keep.genes)) which(m$keep.genes) else m$keep.genes
    expect_setequal(unname(kept), which(rowSums(counts) > 0))
    expect_identical(quiet(similarityModule(counts, do.call(ScInnParam, c(short, num.threads = 2)),
        seed = 1)), m)
    # without the head that knows the numbers of clusters: streams of the two modules are their own
    direct <- quiet(fitInfill(counts,
        do.call(ScInnParam, c(short, max.iter = 3, cluster.weight = 0)), seed = 1))
    given <- scinnFit(latent = m$latent, labels = m$cluster, max.iter = 3, cluster.weight = 0,
        keep.state = FALSE)
    expect_identical(given@weights, direct@weights)
})

test_that("module one: cells of a group are more alike than others", {
    m <- quiet(similarityModule(counts,
        ScInnParam(replicates = 1, snapshots = 1, k = 3, log = "log2"), seed = 1))
    r <- cor(t(m$latent))
    same <- outer(data$group, data$group, `==`) & upper.tri(r)
    expect_gt(mean(r[same]), mean(r[upper.tri(r) & !same]) + 0.2)
})

test_that("module one leaves an all-zero cell out", {
    x <- counts
    x[, 9] <- 0
    m <- quiet(similarityModule(x, ScInnParam(replicates = 1, snapshots = 1, log = "log2"),
        seed = 1))
    expect_true(all(is.na(m$latent[9, ])) && all(is.finite(m$latent[-9, ])))
    expect_identical(m$cluster[[9]], 1L)
})

test_messages("arguments of similarityModule", {
    fit <- tinyFit()
    x <- lowRankCounts(30, 12)
    log2Param <- function(...) ScInnParam(log = "log2", ...)
    bad(similarityModule(x, AutoImputeParam()))
    bad(similarityModule(x, name = ""))
    bad(similarityModule(x, progress = NA))
    bad(similarityModule(x * 0, log2Param(), seed = 1))
    bad(similarityModule(fit))
    bad(similarityModule("a"))
})
