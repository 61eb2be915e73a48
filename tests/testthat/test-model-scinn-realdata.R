# scINN on real data (slow: INFILL_SLOW).

test_that("deng: at least 10 % below the gene mean; replicates alike", {
    d <- hideReal("deng", "seen")
    one <- similarityModule(d$all, ScInnParam(log = "log2"), seed = 1, num.threads = 2)
    fit <- fitInfill(d$x, ScInnParam(log = "log2", latent = one$latent, labels = one$cluster),
        seed = 1, num.threads = 2)
    out <- infill(d$x, fit)
    at <- cbind(d$truth$row, d$truth$col)
    expect_lt(rmse(log2(out[at] + 1), d$truth$value), 0.9 * rmse(d$mean, d$truth$value))
    expect_gt(one$mean.agreement, 0.5)
})

test_that("goolam: 15 % below the gene mean, paper = TRUE above it; module one finds the stages", {
    d <- hideReal("goolam", "all")
    one <- similarityModule(d$all, ScInnParam(log = "log2"), seed = 1, num.threads = 2)
    labels <- read.delim(file.path(Sys.getenv("INFILL_DATA"), "goolam", "labels.tsv"))$label
    expect_gt(adjustedRandIndex(one$cluster, labels), 0.75)
    expect_gt(sd(one$latent), 0.12)
    expect_lt(sd(one$latent), 0.20)
    with <- function(...) suppressWarnings(fitInfill(d$x,
        ScInnParam(log = "log2", latent = one$latent, labels = one$cluster, ...), seed = 1,
        num.threads = 2))
    at <- cbind(d$truth$row, d$truth$col)
    fit <- with()
    out <- infill(d$x, fit)
    expect_lt(rmse(log2(out[at] + 1), d$truth$value), 0.85 * rmse(d$mean, d$truth$value))
    h <- fitParts(fit, "history")
    for (part in c("cluster", "similarity", "reconstruction", "zero")) expect_lt(h[[part]][nrow(h)],
        1.05 * h[[part]][1])
    pc <- prcomp(t(log2(out + 1)), rank. = 2)$x
    k <- withSeed(1, kmeans(pc, max(one$cluster), nstart = 50)$cluster)
    expect_gt(adjustedRandIndex(k, one$cluster), 0.8)
    paper <- with(paper = TRUE)
    expect_gt(rmse(log2(infill(d$x, paper)[at] + 1), d$truth$value), rmse(d$mean, d$truth$value))
    h <- fitParts(paper, "history")
    expect_gt(h$reconstruction[nrow(h)], h$reconstruction[1])
    expect_gt(h$zero[nrow(h)], h$zero[1])
})
