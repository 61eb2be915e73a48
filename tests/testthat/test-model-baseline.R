# NoneParam and GeneMeanParam.

counts <- smallCounts()

test_that("NoneParam gives the counts back", {
    out <- infill(counts, NoneParam())
    expect_identical(plain(out), counts + 0)
    expect_identical(attr(out, "infill")$model, "NoneParam")
    expect_identical(unname(plain(infill(counts, NoneParam(), keep = "none"))), matrix(0, 60, 40))
    fit <- fitInfill(counts, NoneParam())
    expect_identical(fit@stopped, "closed form")
    expect_length(fitParts(fit, "weights"), 0)
    expect_identical(nrow(fitParts(fit, "history")), 0L)
    expect_true(all(fit@recipe$status == "modelled"))
})

test_that("GeneMeanParam is the gene's mean times the size factor", {
    size <- colSums(counts) / median(colSums(counts))
    norm <- counts / rep(size, each = 60)
    all <- rowMeans(norm) %o% size
    logs <- log1p(norm)
    logs[counts == 0] <- NA
    detected <- expm1(ifelse(rowSums(counts) > 0, rowMeans(logs, na.rm = TRUE), 0)) %o% size
    expect_equal(infill(counts, GeneMeanParam(), keep = "none"), all, tolerance = 1e-12,
        ignore_attr = TRUE)
    expect_equal(infill(counts, GeneMeanParam("detected"), keep = "none"), detected,
        tolerance = 1e-12, ignore_attr = TRUE)
    expect_equal(infill(counts, GeneMeanParam()), ifelse(counts > 0, counts, all),
        tolerance = 1e-12, ignore_attr = TRUE)
    expect_equal(infill(counts, GeneMeanParam(over = "all"), output = "normcounts", keep = "none"),
        matrix(rowMeans(norm), 60, 40), tolerance = 1e-12, ignore_attr = TRUE)
    expect_equal(infill(counts, GeneMeanParam(), output = "logcounts", keep = "none"),
        matrix(log2(rowMeans(norm) + 1), 60, 40), tolerance = 1e-12, ignore_attr = TRUE)
    expect_equal(infill(counts, GeneMeanParam("detected"), output = "logcounts"),
        ifelse(counts > 0, log1p(norm), log1p(detected / rep(size, each = 60))), tolerance = 1e-12,
        ignore_attr = TRUE)
    expect_equal(as.vector(fitParts(fitInfill(counts, GeneMeanParam()), "weights")$mean),
        unname(rowMeans(norm)), tolerance = 1e-12)
})

test_that("baselines do not depend on seed or threads, and take new cells", {
    for (param in list(NoneParam(), GeneMeanParam(), GeneMeanParam("detected"))) {
        one <- plain(infill(counts, param, seed = 1))
        expect_identical(plain(infill(counts, param, seed = 2, num.threads = 2)), one)
        expect_identical(as.matrix(infill(sparse(counts), param, as = "delayed", seed = 1)), one)
        fit <- fitInfill(counts[, 1:20], param)
        expect_true(all(is.finite(infill(counts[, 21:40], fit))))
        file <- tempfile()
        saveRDS(fit, file)
        expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
        unlink(file)
    }
})

test_that("a gene or a cell of zeros is filled with zeros", {
    counts[5, ] <- 0
    counts[, 9] <- 0
    for (over in c("all", "detected")) {
        expect_warning(out <- infill(counts, GeneMeanParam(over), seed = 1), "1 of 40 cells")
        expect_identical(unname(out[5, ]), numeric(40))
        expect_identical(unname(out[, 9]), numeric(60))
        expect_true(all(is.finite(out)))
    }
})

test_that("one cell and one gene are enough for a baseline", {
    for (param in list(NoneParam(), GeneMeanParam(), GeneMeanParam("detected"))) {
        expect_identical(dim(infill(counts[, 1, drop = FALSE], param)), c(60L, 1L))
        gene <- infill(counts[1, , drop = FALSE] + 1, param)
        expect_identical(plain(gene), counts[1, , drop = FALSE] + 1)
    }
})

test_messages("baselines", {
    bad(GeneMeanParam(over = "median"))
    bad(GeneMeanParam(over = 1))
    bad(GeneMeanParam(seed = "a"))
    bad(NoneParam(num.threads = 1.5))
})
