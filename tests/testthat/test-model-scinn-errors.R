# scINN: what is refused, in words.

data <- scinnSeen
counts <- data$counts

test_messages("scINN: every argument", {
    bad(ScInnParam(k = 0, replicates = 0, snapshots = 1.5, latent.dim = 1, hidden = 0, max.iter = 0,
        batch.size = 1))
    bad(ScInnParam(n.filter = 0, n.genes = -1, min.value = -1, log = "log10", normalize = "depth",
        predictor = "deep", cluster.loss = "bce"))
    bad(ScInnParam(drop = 1, cluster.weight = -1, similarity.weight = NA,
        reconstruction.weight = "a", zero.weight = Inf, valid.fraction = 0.9))
    bad(ScInnParam(latent = matrix("a", 2, 2)))
    bad(ScInnParam(latent = matrix(1, 8, 1)))
    bad(ScInnParam(latent = 1:8))
    bad(ScInnParam(labels = c(1, NA)))
    bad(ScInnParam(labels = list(1, 2)))
    bad(ScInnParam(paper = NA))
    bad(ScInnParam(paper = TRUE, drop = 0.2, zero.weight = 1))
    bad(ScInnParam(clusters = 1:8))
})

test_messages("scINN: data, latents and clusters that cannot be fitted", {
    x <- lowRankCounts(30, 12)
    z <- matrix(sin(1:36), 12)
    log2Param <- function(...) ScInnParam(log = "log2", ...)
    bad(infill(x[, 1:9], log2Param(), seed = 1))
    bad(infill(x, log2Param(latent = z[-1, ], labels = 1:12), seed = 1))
    bad(infill(x, log2Param(latent = z, labels = 1:11), seed = 1))
    z[3, 2] <- NaN
    bad(infill(x, log2Param(latent = z, labels = 1:12), seed = 1))
    bad(infill(x, log2Param(latent = matrix(sin(1:36), 12), labels = 1:12, learning.rate = 10,
        weight.decay = 100, max.iter = 200), seed = 1))
    bad(infill(x - 50, log2Param(), seed = 1))
    bad(infill(replace(x + 0, 5, NA), log2Param(), seed = 1))
    bad(infill(replace(x + 0, 5, Inf), log2Param(), seed = 1))
    bad(fitInfill(prepareCounts(x), log2Param(), seed = 1))
    old <- options(infill.memory.limit = 1e4)
    on.exit(options(old))
    bad(infill(x, log2Param(latent = matrix(sin(1:36), 12), labels = 1:12), seed = 1))
})

test_that("mistakes are errors of our class", {
    wrong <- list(drop = list(-0.1, 1), cluster.weight = list(-1, NA), zero.weight = list(Inf),
        hidden = list(0, 2.5), predictor = list("deep"), cluster.loss = list("bce"),
        max.iter = list(0), batch.size = list(0), learning.rate = list(0), weight.decay = list(-1),
        valid.fraction = list(-0.1, 1), patience = list(0), min.value = list(-1),
        log = list("log10"), replicates = list(0), snapshots = list(0), k = list(0),
        n.genes = list(0))
    for (name in names(wrong)) for (value in wrong[[name]])
        expect_error(do.call(ScInnParam, stats::setNames(list(value), name)), name,
            class = "infill_error", info = name)
    l <- data$latent
    l[2, 2] <- NaN
    expect_error(quiet(infill(counts, scinnParam(latent = l), seed = 1)), "latent",
        class = "infill_error")
    expect_error(quiet(infill(counts, scinnParam(latent = data$latent[-1, ]), seed = 1)), "latent",
        class = "infill_error")
    expect_error(quiet(infill(counts, scinnParam(labels = 1:3), seed = 1)), "labels",
        class = "infill_error")
    expect_error(quiet(infill(counts[, 1:8], ScInnParam(), seed = 1)), "latent",
        class = "infill_error")
    for (bad in c(NaN, Inf, -1)) {
        x <- counts + 0
        x[5, 2] <- bad
        expect_error(quiet(infill(x, scinnParam(max.iter = 1), seed = 1)), class = "infill_error")
    }
})
