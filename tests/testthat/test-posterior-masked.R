# StackParam(loss = "masked").

# Data that the fits below share: low rank, so that the decomposition has something to say.
x <- lowRankCounts(60, 50, level = 0.3, spread = 1)
svd3 <- svdPrior(3)
two <- function(...) StackParam(list(GeneMeanParam(), low = svd3), ...)

test_that("loss = \"masked\" is least squares on logarithms at hidden non-zeros", {
    f <- fitInfill(x, two(loss = "masked"), seed = 3)
    priors <- list(`detected mean` = GeneMeanParam("detected"), `gene mean` = GeneMeanParam(),
        low = svd3)
    sizes <- function(m) colSums(m) / median(colSums(m))
    halves <- lapply(1:3, function(r) {
        s <- infill:::.heldOutSeed(3, r)
        m <- maskCounts(x, "uniform", 0.1, s)
        e <- hiddenEntries(m)
        size <- sizes(maskedData(m))
        z <- sapply(priors,
            function(p)
            log1p((infill(maskedData(m), p, seed = s, keep = "none") /
            rep(size, each = 60))[cbind(e$row, e$col)]))
        list(z = z, y = log1p(e$value / size[e$col]))
    })
    z <- do.call(rbind, lapply(halves, `[[`, "z"))
    y <- unlist(lapply(halves, `[[`, "y"))
    one <- cbind(1, z)
    ridge <- drop(solve(crossprod(one) + 1e-6 * diag(c(0, 1, 1, 1)), crossprod(one, y)))
    expect_equal(unname(f@coefficients), unname(ridge), tolerance = 1e-7)
    expect_equal(unname(f@coefficients), unname(coef(lm(y ~ z))), tolerance = 1e-4)
    expect_named(f@coefficients, c("b0", names(priors)))
    for (r in 1:2) {
        expect_equal(f@gains$stack[r],
            sqrt(mean((cbind(1, halves[[r]]$z) %*% ridge - halves[[r]]$y)^2)), tolerance = 1e-7)
        expect_equal(unlist(f@gains[r, -1]), sqrt(colMeans((halves[[r]]$z - halves[[r]]$y)^2)),
            tolerance = 1e-7)
    }
    # use: fits to all entries, zeros filled, the rest as it was
    size <- rep(sizes(x), each = 60)
    v <- ridge[1]
    for (k in 1:3) v <- v + ridge[k + 1] *
        log1p(plain(infill(x, priors[[k]], seed = 3, keep = "none")) / size)
    value <- size * expm1(pmax(v, 0))
    expect_equal(plain(infill(x, f, keep = "none")), value, tolerance = 1e-6, ignore_attr = TRUE)
    expect_equal(plain(infill(x, f)), ifelse(x > 0, x, value), tolerance = 1e-6, ignore_attr = TRUE)
    expect_identical(attr(infill(x, f), "infill")$keep, "observed")
    expect_identical(infill(x, two(loss = "masked"), seed = 3)[x > 0], x[x > 0] + 0)
    expect_identical(as.matrix(infill(x, f, as = "delayed")[3:1, 9:8]),
        plain(infill(x, f))[3:1, 9:8])
    expect_output(print(f),
        paste0("zeros as missing values.*RMSE .* on logarithms.*gain over the mean of ",
            "the detected.*Verdict: filling in helps: the error at hidden entries is 11 % below"))
    # values that are not whole may come, and the mean of the detected is not added twice
    half <- fitInfill(x / 2, StackParam(list(GeneMeanParam("detected")), loss = "masked",
        refit = FALSE), seed = 1, check.scale = FALSE)
    expect_named(half@coefficients, c("b0", "detected mean"))
    expect_error(infill(x, f, keep = "posterior"), "no posterior", class = "infill_error")
    expect_error(infill(x, two(loss = "masked"), keep = "posterior"), "no posterior",
        class = "infill_error")
    expect_error(posteriorSd(x, f), "no posterior", class = "infill_error")
})

test_messages("loss = \"masked\": what has no posterior, or no non-zeros to hide", {
    counts <- tinyCounts()
    param <- tinyParam()
    bad(fitInfill(counts * 0, StackParam(loss = "masked")))
    bad(fitInfill(replace(counts * 0, 5, 1), StackParam(loss = "masked"), seed = 1))
    masked <- fitInfill(counts, StackParam(GeneMeanParam(), loss = "masked"), seed = 1)
    bad(infill(counts, masked, keep = "posterior"))
    bad(infill(counts, masked@param, keep = "posterior"))
    suppressPackageStartupMessages(library(SummarizedExperiment))
    x <- SummarizedExperiment(list(counts = counts, fpkm = counts / 3 + 50))
    bad(infill(x, masked, sd = TRUE))
    bad(posteriorSd(counts, masked))
    bad(posteriorQuantiles(counts, masked))
})
