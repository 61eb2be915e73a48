# The posterior: is it better than the gene mean? In words, and as a picture.

# Data that the fits below share: low rank, so that the decomposition has something to say.
x <- lowRankCounts(60, 50, level = 0.3, spread = 1)
svd3 <- svdPrior(3)
two <- function(...) StackParam(list(GeneMeanParam(), low = svd3), ...)
fit <- fitInfill(x, two(), seed = 4)

# Dispersed genes, each by itself: other genes know nothing of it.
test_that("priors are left out where the gene mean's posterior is as good, else kept", {
    apart <- withSeed(2, matrix(rnbinom(300 * 120, size = 1.5, mu = rexp(300, 1 / 2)), 300))
    quiet <- function(...) suppressWarnings(fitInfill(..., seed = 1))
    out <- quiet(apart, StackParam())
    alone <- quiet(apart, StackParam(GeneMeanParam()))
    expect_identical(out@left.out, c(paste("SVD", c(5, 10, 20)), paste("kNN", c(10, 30))))
    expect_named(out@fits, "gene mean")
    expect_identical(out@coefficients, alone@coefficients)
    expect_identical(plain(infill(apart, out)), plain(infill(apart, alone)))
    expect_identical(out@gains$stack, out@gains$`gene mean posterior`)
    expect_identical(out@gains$stack, alone@gains$stack)
    expect_match(infill:::.stackVerdict(out),
        "the gene mean is enough as a prior: \"SVD 5\", \"SVD 10\", \"SVD 20\", \"kNN 10\", \"kNN 30\" would close")
    expect_output(print(out), "weights: gene mean [0-9.]+\n")
    expect_named(quiet(apart, StackParam(min.gain = 0))@fits,
        c("gene mean", "SVD 5", "SVD 10", "SVD 20", "kNN 10", "kNN 30"))
    # no gene mean among them, and no better
    useless <- quiet(apart, StackParam(list(svd3, svdPrior(5))))
    expect_match(infill:::.stackVerdict(useless),
        "its posterior alone predicts held-out molecules better")
    # no gene mean among them: nothing to fall back on
    expect_named(quiet(apart, StackParam(svd3))@fits, "Svd")
    groups <- withSeed(2,
        matrix(rnbinom(200 * 100, size = 5,
        mu = outer(rexp(200, 1 / 2), 1:100,
        function(m, c) m * ifelse(c %% 2 == seq_along(m) %% 2, 2.5, 1))), 200))
    kept <- quiet(groups, two())
    expect_identical(kept@left.out, character())
    share <- with(kept@gains, mean(`gene mean posterior` - stack) /
        (mean(`gene mean posterior`) - kept@perfect))
    expect_gt(share, 0.005)
    expect_identical(kept@nothing, NA_real_)
    tested <- quiet(groups, two(min.gain = share + 1e-6))
    expect_identical(tested@left.out, character())
    expect_identical(tested@coefficients, kept@coefficients)
    expect_lt(abs(tested@nothing), mean(kept@gains$`gene mean posterior` - kept@gains$stack) / 2)
    expect_identical(quiet(groups, two(min.gain = share - 1e-6))@nothing, NA_real_)
    earn <- function(gain, nothing = stop("not asked"), min = 0.01) infill:::.earnTheirPlace(gain,
        1, min, function() nothing)
    expect_true(earn(rep(0.02, 3))$earn)
    expect_true(earn(rep(-1, 3), min = 0)$earn)
    expect_false(earn(rep(-1e-9, 3))$earn)
    expect_false(earn(c(-0.005, 0.005, 0.006))$earn)                 # not beyond the interval
    expect_identical(earn(c(-0.003, 0.006), 0.0002), list(earn = TRUE, nothing = 0.0002))
    expect_identical(earn(rep(0.005, 3), 0.0026), list(earn = FALSE, nothing = 0.0026))
    expect_true(earn(rep(0.005, 3), 0.0024)$earn)
    expect_true(earn(1.1e-3, -1e-4)$earn)
    expect_false(earn(0.9e-3)$earn)                                 # none worth the name
})

test_that("null data: the gene mean is enough, and the fit says so", {
    null <- withSeed(3, matrix(rpois(120 * 90, rexp(120, 1 / 2) %o% rlnorm(90, 0, 0.3)), 120))
    f <- suppressWarnings(fitInfill(null, two(repeats = 3, min.gain = 0), seed = 1))
    gain <- t.test(f@gains$`gene mean alone` - f@gains$stack)
    expect_true(abs(f@coefficients[["low"]]) < 0.05 || gain$conf.int[1] <= 0)
    expect_lt(gain$estimate, 2e-3 * mean(f@gains$`gene mean alone` - f@perfect))
    expect_lt(abs(f@coefficients[["gene mean"]] - 1), 0.2)
    expect_gt(f@coefficients[["eta"]], log(40))               # no variation beyond Poisson's
    expect_match(infill:::.stackVerdict(f), "the gene mean is enough")
    expect_output(print(f), "Verdict: the gene mean is enough")
    f@coefficients[["low"]] <- -0.03
    expect_output(print(f), "hardly any weight: low")
    usual <- suppressWarnings(fitInfill(null, StackParam(), seed = 1))
    expect_match(infill:::.stackVerdict(usual), "the gene mean is enough")
    # where there is structure, another word
    expect_match(infill:::.stackVerdict(fitInfill(lowRankCounts(100, 80), two(repeats = 3),
        seed = 1)), "^filling in helps: what other genes and cells tell closes [0-9.]+ % of")
})

test_that("a model that the posterior leaves out is named, and the result says what is in it", {
    apart <- withSeed(2, matrix(rnbinom(300 * 60, size = 1.5, mu = 0.3 + rexp(300, 1 / 2)), 300))
    expect_message(out <- infill(apart, svd3, keep = "posterior", seed = 1),
        "\"Svd\" was left out. The gene mean is enough as a prior")
    note <- attr(out, "infill")
    expect_identical(note$left.out, "Svd")
    expect_named(note$weights, c("eta", "b0", "gene mean"))
    expect_match(note$verdict, "the gene mean is enough as a prior")
    expect_message(infill(apart, fitInfill(apart, svd3, seed = 1), keep = "posterior"),
        "was left out")
    expect_silent(out <- infill(x, fit))
    expect_identical(attr(out, "infill")[c("weights", "left.out", "verdict")],
        list(weights = fit@coefficients, left.out = character(),
        verdict = infill:::.stackVerdict(fit)))
    se <- SummarizedExperiment::SummarizedExperiment(list(counts = x))
    expect_identical(S4Vectors::metadata(infill(se, fit))$infilled$weights, fit@coefficients)
    # a model alone, without the gene mean, is told when that one's posterior is better
    f <- fitInfill(apart, StackParam(svdPrior(40)), seed = 1)
    expect_output(print(f),
        paste0("gain over the gene mean's posterior: -.*Verdict: ",
            "the gene mean is enough as a prior: its posterior alone predicts held-out.*better"))
})

test_that("a gain within the interval over repeats is called unsure", {
    f <- fit
    f@gains$counts <- f@gains$stack + c(0.5, 0.01, 0.2)
    expect_match(infill:::.stackVerdict(f),
        "the counts may do as they are: .* may be chance: .* over 3 repeats")
    f@gains$counts <- f@gains$stack - 1
    expect_match(infill:::.stackVerdict(f), "leave the counts alone")
    f <- fit
    f@gains$`gene mean alone` <- f@gains$stack + c(0.5, 0.01, 0.2)
    expect_match(infill:::.stackVerdict(f),
        "the gene mean may be enough: .* may be chance: .* over 3 repeats")
    f <- fit
    f@gains$`gene mean posterior` <- f@gains$stack + c(0.5, 0.01, 0.2)
    expect_match(infill:::.stackVerdict(f), "the gene mean may be enough as a prior: .* may be chance")
    m <- fitInfill(x, two(loss = "masked"), seed = 3)
    m@gains$`detected mean` <- m@gains$stack + c(0.5, 0.01, 0.2)
    expect_match(infill:::.stackVerdict(m), "the mean of the detected values may be enough")
    m@gains$`detected mean` <- m@gains$stack
    expect_match(infill:::.stackVerdict(m), "the mean of the detected values is enough")
})

test_that("predictions that are not finite do not spread", {
    out <- useOf(list(c(Inf, 1), c(Inf, 1)), c(2, 2), 1.1, c(0, 0, 0.5, -0.5))
    expect_true(all(is.finite(unlist(out))))
    expect_equal(out[[3]][2], 1.1)
})

# ---- in words, and as a picture ----

test_that("the fit is printed in words", {
    out <- paste(capture.output(print(fit)), collapse = "\n")
    theta <- exp(fit@coefficients[["eta"]])
    expect_match(out, "StackFit (posterior), seed 4: 60 genes x 50 cells", fixed = TRUE)
    expect_match(out, sprintf("weights: gene mean %.2f, low %.2f", fit@coefficients[["gene mean"]],
        fit@coefficients[["low"]]), fixed = TRUE)
    expect_match(out, sprintf("theta %.3g: .* coefficient of variation of %.0f %%", theta,
        100 / sqrt(theta)))
    expect_match(out, sprintf("expected at 1 molecule keeps %.0f %% .* one at 10 %.0f %%",
        100 * refPosterior(1, 1, theta)$mean - 100 * refPosterior(1, 0, theta)$mean,
        100 * refPosterior(10, 1, theta)$mean - 100 * refPosterior(10, 0, theta)$mean))
    g <- fit@gains[["gene mean alone"]] - fit@gains$stack
    i <- t.test(g)$conf.int
    expect_match(out, sprintf("gain over the gene mean alone: %.4f (95 %% interval %.4f to %.4f)",
        mean(g), i[1], i[2]), fixed = TRUE)
    expect_match(out, "gain over the best single prior (low)", fixed = TRUE)
    one <- capture.output(print(fitInfill(x, two(repeats = 1), seed = 4)))
    expect_false(any(grepl("interval", one)))
    expect_true(any(grepl("held-out molecules \\(10 %, 1 time\\): Poisson loss", one)))
})

test_that("the plot is a ggplot that can be drawn, held-out against predicted", {
    skip_if_not_installed("ggplot2")
    g <- plot(fit)
    expect_s3_class(g, "ggplot")
    built <- ggplot2::ggplot_build(g)$data
    expect_setequal(levels(g$data$panel), c("low", "posterior"))
    expect_gt(nrow(built[[4]]), 10)
    expect_s3_class(plot(fitInfill(x, two(loss = "masked"), seed = 1)), "ggplot")
})
