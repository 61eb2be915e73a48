# infill(): scales, what is kept, genes and cells by name.

counts <- smallCounts()
counts[, 7] <- 0
fit <- suppressWarnings(fitInfill(counts, smallParam(learning.rate = 0.01, n.genes = 40), seed = 1))

test_that("all outputs, keeps and floors are what they say", {
    # the reference start leaves wild values, below 0 too
    fit <- suppressWarnings(fitInfill(counts, smallParam(init = "reference", n.genes = 40),
        seed = 1))
    for (output in c("counts", "normcounts", "logcounts"))
        for (keep in c("observed", "none", "max"))
        for (nonneg in c(TRUE, FALSE)) {
            out <- infill(counts, fit, output = output, keep = keep, nonneg = nonneg)
            info <- paste(output, keep, nonneg)
            expect_equal(plain(out), refInfill(counts, fit, output, keep, nonneg), tolerance = 1e-4,
                info = info)
            expect_identical(attr(out, "infill")[c("output", "keep")],
                list(output = output, keep = keep), info = info)
            expect_true(all(is.finite(out)), info = info)
            if (nonneg || output != "logcounts") expect_true(all(out >= 0), info = info)
        }
    raw <- infill(counts, fit, output = "logcounts", keep = "none", nonneg = FALSE)
    expect_lt(min(raw), 0)                                      # or nonneg is not tested
})

test_that("observed entries are kept to the bit, zeros are filled, the unmodelled passes through", {
    out <- infill(counts, fit)
    expect_identical(out[counts > 0], counts[counts > 0] + 0)
    modelled <- fit@recipe$status == "modelled"
    expect_gt(mean(out[modelled, -7][counts[modelled, -7] == 0] > 0), 0.5)
    expect_identical(out[!modelled, ], counts[!modelled, ] + 0)
    expect_identical(infill(counts, fit, keep = "none")[!modelled, ], counts[!modelled, ] + 0)
    # a cell without counts stays as it came
    expect_identical(unname(out[, 7]), numeric(60))
    bigger <- infill(counts, fit, keep = "max")
    expect_true(all(bigger >= out))
    expect_identical(plain(bigger), pmax(plain(infill(counts, fit, keep = "none")), counts))
})

test_that("one call is the two steps", {
    expect_identical(suppressWarnings(infill(counts, fit@param, seed = 1)), infill(counts, fit))
    expect_identical(suppressWarnings(infill(counts, fit@param, seed = 1, output = "logcounts",
        keep = "none", nonneg = FALSE)),
        infill(counts, fit, output = "logcounts", keep = "none", nonneg = FALSE))
})

test_that("blocks and counts that were not depth-normalised agree on every scale", {
    bare <- fitInfill(prepareCounts(smallCounts(), normalize = "none"), smallParam(), seed = 1)
    x <- smallCounts()
    for (output in c("counts", "normcounts", "logcounts")) {
        whole <- plain(infill(x, bare, output = output))
        late <- infill(x, bare, output = output, as = "delayed")
        expect_identical(as.matrix(late[, 1:5]), whole[, 1:5])
        expect_identical(plain(infill(x[, 11:20], bare, output = output)), whole[, 11:20])
        expect_true(all(is.finite(whole)))
    }
    x[, 3] <- 0
    # nothing to take a median of
    one <- infill(x[, 3, drop = FALSE], bare, output = "normcounts")
    expect_true(all(is.finite(one)))
    y <- refForward(fitParts(bare, "weights"), log2(smallCounts()[bare@recipe$selected, ] + 1))$y
    z <- infill(smallCounts(), bare, keep = "none")
    expect_equal(z[bare@recipe$selected, ], pmax(2^y - 1, 0), tolerance = 1e-4, ignore_attr = TRUE)
})

test_that("cells are filled one by one as together: blocks do not show", {
    whole <- plain(infill(counts, fit, keep = "none"))
    for (at in list(1:13, 14:40, 33, c(40, 2, 9))) {
        expect_identical(plain(infill(counts[, at, drop = FALSE], fit, keep = "none")),
            whole[, at, drop = FALSE])
    }
    expect_identical(infill(counts, fit, num.threads = 3), infill(counts, fit))
})

test_that("a matrix that takes several blocks of cells is the same as its parts", {
    wide <- sparse(lowRankCounts(250, 60))
    wide <- wide[, rep(1:60, length.out = 17000)]              # 4e6 / 250 = 16000 cells a block
    f <- fitInfill(wide[, 1:60], GeneMeanParam())
    whole <- plain(infill(wide, f))
    part <- plain(infill(wide[, 15990:16010], f))
    expect_identical(whole[, 15990:16010], part)
    late <- infill(wide, f, as = "delayed")
    expect_identical(as.matrix(late[, 15990:16010]), part)
    expect_identical(plain(infill(wide[, 1:60], f)), whole[, 1:60])
})

test_that("new cells get what the fit says of them", {
    all <- smallCounts()
    half <- fitInfill(all[, 1:20], smallParam(), seed = 1)
    new <- infill(all[, 21:40], half)
    expect_identical(dimnames(new), dimnames(all[, 21:40]))
    expect_equal(plain(new), refInfill(all[, 21:40], half), tolerance = 1e-4)
    expect_identical(half@recipe$target, median(colSums(all[half@recipe$kept, 1:20])))
})

test_that("genes are found by name: permuted, with more of them, with fewer", {
    whole <- plain(infill(counts, fit))
    order <- withSeed(1, sample(60))
    expect_identical(plain(infill(counts[order, ], fit)), whole[order, ])
    more <- rbind(extra1 = 1:40, counts, extra2 = 0)
    out <- infill(more, fit)
    expect_identical(out[rownames(counts), ], whole)
    expect_identical(out[c("extra1", "extra2"), ], more[c("extra1", "extra2"), ] + 0)
    expect_identical(dimnames(out), dimnames(more))
    needed <- which(fit@recipe$kept)[c(2, 5)]
    expect_error(infill(counts[-needed, ], fit), paste(rownames(counts)[needed], collapse = ", "),
        class = "infill_mismatch")
    unused <- which(!fit@recipe$kept)[1:2]
    expect_identical(plain(infill(counts[-unused, ], fit)), whole[-unused, ])
    expect_error(infill(counts[rep(1:60, 2), ], fit), "more than once", class = "infill_mismatch")
})

test_that("the status of genes goes with their names", {
    suppressPackageStartupMessages(library(SummarizedExperiment))
    more <- rbind(extra = 1:40, counts[60:1, ])
    out <- infill(SummarizedExperiment(list(counts = more)), fit)
    expect_identical(rowData(out)$infilled.status, c("not selected", rev(fit@recipe$status)))
    expect_setequal(fit@recipe$status, c("modelled", "not selected", "too few cells"))
    unused <- which(!fit@recipe$kept)[1]
    fewer <- infill(SummarizedExperiment(list(counts = counts[-unused, ])), fit)
    expect_identical(rowData(fewer)$infilled.status, fit@recipe$status[-unused])
})

test_that("genes without names are matched by position", {
    expect_identical(plain(infill(unname(counts), fit)), unname(plain(infill(counts, fit))))
    expect_error(infill(unname(counts)[-1, ], fit), "by position", class = "infill_mismatch")
    bare <- suppressWarnings(fitInfill(unname(counts), fit@param, seed = 1))
    expect_identical(infill(counts, bare), infill(counts, fit))
    expect_error(infill(counts[-1, ], bare), "the fit has no gene names", class = "infill_mismatch")
})

test_that("a cell without counts is warned of once", {
    warnings <- character()
    withCallingHandlers(infill(counts, fit@param, seed = 1), warning = function(w) {
        warnings <<- c(warnings, conditionMessage(w))
        invokeRestart("muffleWarning")
    })
    expect_length(warnings, 1)
    expect_match(warnings, "1 of 40 cells")
})

test_that("huge counts neither overflow nor disappear", {
    huge <- smallCounts()
    huge[1:5, ] <- huge[1:5, ] * 1e12
    out <- infill(huge, smallParam(), seed = 1)
    expect_true(all(is.finite(out)))
    expect_identical(out[huge > 0], huge[huge > 0] + 0)
})

test_messages("arguments of infill", {
    counts <- tinyCounts()
    param <- tinyParam()
    fit <- tinyFit()
    bad(infill(counts, fit, output = "cpm"))
    bad(infill(counts, fit, output = 1))
    bad(infill(counts, fit, keep = "all"))
    bad(infill(counts, fit, keep = TRUE))
    bad(infill(counts, fit, nonneg = "no"))
    bad(infill(counts, fit, name = ""))
    bad(infill(counts, fit, name = NA))
    bad(infill(counts, fit, as = "sparse"))
    bad(infill(counts, fit, num.threads = -1))
    bad(infill(counts, fit, check.scale = 1))
    bad(infill(counts, param, output = "cpm", seed = 1))
    bad(infill(counts, param, as = NULL, seed = 1))
})

test_messages("data that do not fit the fit", {
    counts <- tinyCounts()
    param <- tinyParam()
    fit <- tinyFit()
    bad(infill(counts[-(1:2), ], fit), "infill_mismatch")
    bad(infill(unname(counts)[-1, ], fit), "infill_mismatch")
    bad(infill(counts[c(1:12, 1), ], fit), "infill_mismatch")
    bad(infill(counts[-1, ], fitInfill(unname(counts), param, seed = 1)), "infill_mismatch")
    many <- smallCounts(60, 20)
    bad(infill(many[31:60, ], fitInfill(many, smallParam(hidden = 4, min.cells = 1), seed = 1)),
        "infill_mismatch")
})

test_messages("some genes are the whole's, in the order asked for", {
    counts <- smallCounts()
    counts[, 7] <- 0
    stack <- StackParam(list(GeneMeanParam(), DeepMcParam(ranks = 3, n.genes = Inf, min.cells = 0)),
        min.gain = 0)
    genes <- c(40, 2, 17, 60, 3)
    for (param in list(smallParam(n.genes = 40), stack, DeepMcParam(sweeps = 3, ranks = c(8, 4)),
        NeighborMeanParam(k = 5, n.components = 4), DeepImputeParam(max.iter = 3, n.genes = 40),
        ScInnParam(max.iter = 3), GraphSciParam(max.iter = 3))) {
        fit <- suppressWarnings(fitInfill(counts, param, seed = 1))
        for (output in c("counts", "logcounts")) {
            some <- function(g, ...) plain(suppressWarnings(infill(counts, fit, output = output,
                genes = g, ...)))
            whole <- plain(suppressWarnings(infill(counts, fit, output = output)))
            expect_identical(some(genes), whole[genes, ])
            expect_identical(some(rownames(counts)[genes]), whole[genes, ])
            expect_identical(some(9), whole[9, , drop = FALSE])
            expect_identical(as.matrix(some(genes, as = "delayed")), whole[genes, ])
        }
    }
    fit <- suppressWarnings(fitInfill(counts, stack, seed = 1))
    expect_identical(posteriorSd(counts, fit, genes = genes), posteriorSd(counts, fit)[genes, ])
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = counts))
    out <- infill(sce, fit, genes = genes, sd = TRUE)
    expect_identical(dimnames(out), dimnames(counts[genes, ]))
    expect_identical(SummarizedExperiment::assay(out, "infilled"),
        plain(infill(counts, fit))[genes, ])
    expect_identical(SummarizedExperiment::assay(out, "infilled.sd"),
        plain(posteriorSd(counts, fit))[genes, ])
    expect_identical(SummarizedExperiment::rowData(out)$infilled.status,
        SummarizedExperiment::rowData(infill(sce, fit))$infilled.status[genes])
    bad(infill(counts, fit, genes = "nobody"))
    bad(infill(counts, fit, genes = c(1, 61)))
    bad(infill(counts, fit, genes = 1.5))
    bad(infill(counts, fit, genes = 1i))
    bad(infill(counts, fit, genes = Negate))
    bad(infill(counts, fit, genes = integer()))
    bad(infill(counts, fit, genes = NA))
    bad(posteriorSd(counts, fit, genes = 0))
    rownames(counts)[2] <- rownames(counts)[1]
    bad(infill(counts, GeneMeanParam(), genes = rownames(counts)[1]))
    expect_identical(nrow(infill(counts, GeneMeanParam(), genes = 1)), 1L)
})
