# The posterior: weights and theta, against a slow, literal reading of ?StackParam, Details
# (helper-posterior.R).

# Data that the fits below share: low rank, so that the decomposition has something to say.
x <- lowRankCounts(60, 50, level = 0.3, spread = 1)
svd3 <- svdPrior(3)
two <- function(...) StackParam(list(GeneMeanParam(), low = svd3), ...)
fit <- fitInfill(x, two(), seed = 4)

test_that("a worked example of ?StackParam, Details", {
    r <- lossOf(byHand$priors, byHand$x, byHand$y, byHand$f, byHand$par)
    expect_equal(r, c(0.49251644713, 0.0134275722664, -0.0246258693484, -0.0472143472415,
        0.00792844519032), tolerance = 1e-10)
    here <- useOf(byHand$priors, byHand$x, 1, byHand$par)
    expect_equal(as.vector(here$mu),
        c(0.730234432022, 1.67613086954, 0.422160218439, 0.140901256386, 7.0708397259,
        1.31931232114), tolerance = 1e-10)
    expect_equal(as.vector(here$mean),
        c(0.53492434456, 2.27974863929, 0.52287237057, 0.131627982342, 10.9131854551,
        1.58986222868), tolerance = 1e-10)
    expect_equal(as.vector(here$sd^2),
        c(0.143072027201, 1.03945077167, 0.0911318386352, 0.00866296286769, 8.50697262702,
        0.631915476545), tolerance = 1e-10)
    full <- useOf(lapply(byHand$priors, `/`, 0.9), byHand$x + byHand$y, 1 / 0.9, byHand$par)
    expect_equal(as.vector(full$mean),
        c(0.577206936069, 2.8930974105, 0.569932196971, 0.145191576256, 11.9563197133,
        1.69179894197), tolerance = 1e-10)
    # a fit that holds these parameters: quantiles of entry 2, at the depth of x'
    d <- matrix(byHand$x, dimnames = list(letters[1:6], "one"))
    known <- suppressWarnings(fitInfill(cbind(d, d + 1), StackParam(list(GeneMeanParam())),
        seed = 1))
    known@coefficients[1:3] <- c(log(2), 0, 1)
    m <- known@mean.fit
    p <- unname(plain(infill(d, m, keep = "none"))[2, 1])
    got <- posteriorQuantiles(d, known, c(0.05, 0.95), genes = "b", cells = 1)
    want <- refPosteriorUse(list(p), 3, 0.1, c(log(2), 0, 1))
    expect_equal(as.vector(got), qgamma(c(0.05, 0.95), want$shape, want$rate), tolerance = 1e-12)
    expect_equal(qgamma(c(0.05, 0.95), 5, (here$mu[2] + 2) / here$mu[2]),
        c(0.898289159397, 4.17354450914), tolerance = 1e-10)
})

test_that("loss, gradient and use are those of ?StackParam, Details, with 1 and 2 threads", {
    for (K in 1:4) for (wild in c(1, 15)) withSeed(10 * K, {
        n <- 700
        priors <- lapply(seq_len(K), function(k) rexp(n) * 10^runif(n, -3, 3))
        x <- rpois(n, priors[[1]]) + 0
        y <- rpois(n, 1) + 0
        par <- c(rnorm(1), 0.1, wild * runif(K, 0.1, 1) / K)
        l <- par[2] + as.vector(sapply(priors, function(p) log(p + 1e-3)) %*% par[-(1:2)])
        expect_identical(any(l < -20 | l > 15), wild > 1)
        got <- lossOf(priors, x, y, 0.1, par)
        expect_equal(got[1], refPosteriorLoss(priors, x, y, 0.1, par), tolerance = 1e-10)
        slope <- vapply(seq_along(par), function(k) {
            h <- replace(numeric(K + 2), k, 1e-6)
            (refPosteriorLoss(priors, x, y, 0.1, par + h) -
                refPosteriorLoss(priors, x, y, 0.1, par - h)) / 2e-6
        }, 0)
        expect_lt(max(abs(got[-1] - slope)), 1e-5 * (max(abs(slope)) + abs(got[1])))
        expect_identical(lossOf(priors, x, y, 0.1, par, 2L), got)
        m <- function(v) matrix(v, 70)
        use <- useOf(lapply(priors, m), m(x), 1 / 0.9, par)
        expect_equal(use, refPosteriorUse(lapply(priors, m), m(x), 0.1, par)[c("mean", "sd", "mu")],
            tolerance = 1e-10)
        expect_identical(useOf(lapply(priors, m), m(x), 1 / 0.9, par, 2L), use)
    })
})

test_that("theta at its bounds is the model or the counts, and beyond them no other", {
    mu <- matrix(c(0.01, 0.5, 3, 80, 1e3, 1e6), 2)
    x <- matrix(c(0, 2, 5, 60, 0, 1e6), 2)
    most <- useOf(list(mu), x, 1, c(12, 0, 1))
    expect_equal(most$mean[c(1:4)], most$mu[1:4], tolerance = 1e-3)
    least <- useOf(list(mu), x, 1, c(-8, 0, 1))
    expect_true(all(abs(least$mean - x)[x > 0] <= 1e-3 * x[x > 0]))
    expect_lt(max(least$mean[x == 0]), 1e-3)
    expect_identical(useOf(list(mu), x, 1, c(20, 0, 1)), most)
    expect_identical(useOf(list(mu), x, 1, c(-30, 0, 1)), least)
    expect_identical(lossOf(list(as.vector(mu)), as.vector(x), as.vector(x), 0.1, c(20, 0, 1))[2],
        0)
    expect_true(all(is.finite(unlist(c(most, least)))))
})

test_that("one model with b = (0, 1) is free of the depth step", {
    d <- gammaData(2, 20, 10)
    for (f in c(0.1, 0.5)) {
        step <- useOf(list(d$mu), d$x, 1 / (1 - f), c(log(2), 0, 1))
        # the 0.001 of the logarithm
        expect_equal(step$mu, d$mu + 1e-3 / (1 - f), tolerance = 1e-12)
        expect_equal(step$mean, refPosterior(d$mu, d$x, 2)$mean, tolerance = 2e-3)
    }
    # and with others it is not
    expect_gt(abs(useOf(list(d$mu), d$x, 2, c(0, 0, 0.5))$mu[1] /
        useOf(list(d$mu), d$x, 1, c(0, 0, 0.5))$mu[1] - 1), 0.3)
})

test_that("theta and weights of a known gamma are found, and the posterior is the best column", {
    for (theta in c(2, 8)) {
        d <- gammaData(theta, 500)
        one <- optimumOf(d, d$mu)
        expect_lt(abs(exp(one$par[1]) / theta - 1), 0.1)
        expect_lt(max(abs(one$par[-1] - c(0, 1))), 0.05)
        both <- optimumOf(d, d$mu, d$wrong)
        expect_lt(abs(exp(both$par[1]) / theta - 1), 0.1)
        expect_lt(max(abs(both$par[-1] - c(0, 1, 0))), 0.05)
        use <- useOf(list(d$mu, d$wrong), d$x, 1 / 0.9, both$par)
        others <- vapply(list(d$mu, d$wrong, d$x, use$mu, rowMeans(d$x) %o% rep(1, ncol(d$x))),
            poissonOf, 0, x = d$again)
        expect_true(all(poissonOf(use$mean, d$again) < others))
        some <- seq_len(30000)
        q <- function(p) qgamma(p, d$x[some] + exp(both$par[1]),
            ((use$mu + exp(both$par[1])) / use$mu)[some])
        inside <- function(p) mean(d$rate[some] >= q((1 - p) / 2) & d$rate[some] <= q((1 + p) / 2))
        expect_lt(abs(inside(0.9) - 0.9), 0.02)
        expect_lt(abs(inside(0.5) - 0.5), 0.02)
        expect_lt(abs(mean((d$rate - use$mean)^2 / use$sd^2) - 1), 0.1)
    }
})

test_that("a model given too low, and on another power, is calibrated", {
    d <- gammaData(4)
    one <- optimumOf(d, 0.2 * d$mu^2)
    expect_lt(abs(one$par[3] - 0.5), 0.05)
    expect_lt(abs(exp(one$par[1]) / 4 - 1), 0.1)
})

test_that("the optimum is one: other starts do not get lower", {
    d <- gammaData(0.5, 100, 100)
    o <- optimumOf(d, d$mu, d$wrong)
    for (eta in c(-6, 3, 11)) expect_equal(optimumOf(d, d$mu, d$wrong,
        start = c(eta, 0, 1, 0))$value, o$value, tolerance = 1e-6)
    expect_equal(o$value, refPosteriorLoss(list(0.9 * d$mu, 0.9 * d$wrong), d$x - d$y, d$y, 0.1,
        o$par), tolerance = 1e-9)
    for (k in 1:4) for (h in c(-0.05, 0.05))
        expect_gt(refPosteriorLoss(list(0.9 * d$mu, 0.9 * d$wrong), d$x - d$y, d$y, 0.1,
        replace(o$par, k, o$par[k] + h)), o$value)
})

test_that("models that say the same, or nearly nothing, do no harm", {
    d <- gammaData(3, 100, 60)
    one <- optimumOf(d, d$mu)
    twice <- optimumOf(d, d$mu, d$mu)
    expect_equal(twice$value, one$value, tolerance = 1e-5)
    expect_equal(sum(twice$par[3:4]), one$par[3], tolerance = 1e-2)
    expect_true(all(is.finite(optimumOf(d, d$mu, 1 + 1e-9 * d$wrong)$par)))
})

test_that("fit and use are those of ?StackParam, Details, of all entries", {
    for (refit in c(TRUE, FALSE)) for (f in c(0.1, 0.4)) {
        one <- fitInfill(x, two(repeats = 1, refit = refit, fraction = f), seed = 9)
        want <- refPosteriorFit(x, list(GeneMeanParam(), svd3), one@coefficients, f, 9, refit)
        expect_equal(one@gains$stack, want$loss, tolerance = 1e-8)
        expect_equal(one@gains$counts, want$counts, tolerance = 1e-8)
        expect_equal(unlist(one@gains[c("gene mean", "low")], use.names = FALSE),
            unname(want$alone), tolerance = 1e-6)
        expect_identical(one@gains$`gene mean alone`, one@gains$`gene mean`)
        expect_true(all(want$around > want$loss))
        expect_equal(plain(infill(x, one)), want$use$mean, tolerance = 1e-6, ignore_attr = TRUE)
        expect_equal(plain(infill(x, one, keep = "none")), want$use$mu, tolerance = 1e-6,
            ignore_attr = TRUE)
        expect_equal(posteriorSd(x, one), want$use$sd, tolerance = 1e-6, ignore_attr = TRUE)
        # the priors predict at the depth of x, refitted or not
        expect_lt(abs(sum(infill(x, one@fits[[1]], keep = "none")) / sum(x) - 1), 0.02)
    }
})

test_that("molecules held out with the same seed before do not bias the weights", {
    wide <- withSeed(1, matrix(rpois(20000, 1), 100))
    half <- maskedData(maskCounts(wide, "molecules", 0.5, seed = 1))
    taken <- NULL
    count <- function(f) withReplaced(".splitMolecules", local({
        old <- infill:::.splitMolecules; function(...) {
        s <- old(...)
        taken <<- c(taken, sum(s$test))
        s } }), f)
    count(suppressWarnings(fitInfill(half, StackParam(GeneMeanParam()), seed = 1)))
    expect_length(taken, 3)
    expect_true(all(abs(taken - 0.1 * sum(half)) < 4 * sqrt(0.09 * sum(half))))
    expect_false(anyDuplicated(taken) > 0)
    f <- suppressWarnings(fitInfill(half, StackParam(GeneMeanParam(), repeats = 1), seed = 1))
    expect_lt(abs(sum(infill(half, f)) / sum(half) - 1), 0.03)
})

test_that("the loss is lower than each of the nested cases, in all repeats", {
    expect_identical(nrow(fit@gains), 3L)
    expect_identical(fit@gains$stack, fit@gains$`all priors`)
    expect_identical(fit@left.out, character())
    expect_true(all(fit@gains$stack < as.matrix(fit@gains[-(1:2)])))
    expect_true(all(fit@gains$`gene mean posterior` < fit@gains$`gene mean alone`))
    expect_true(all(fit@gains$stack > fit@perfect))
    expect_named(fit@gains, c("stack", "all priors", "counts", "gene mean alone",
        "gene mean posterior", "gene mean", "low"))
    expect_named(fit@coefficients, c("eta", "b0", "gene mean", "low"))
    expect_lt(exp(fit@coefficients[["eta"]]) , exp(12))
    # the held-out molecules agree with the posterior by tenths, those of the best single prior do
    # not as well
    of <- function(w) with(fit@deciles[fit@deciles$when == w, ],
        sum((observed - predicted)^2 / (se^2 + 1e-12)))
    expect_setequal(unique(fit@deciles$when), c("low", "posterior"))
    expect_lt(of("posterior"), 40)
})

test_that("a sample of the entries serves as all do", {
    some <- fitInfill(x, two(n.entries = 2000, repeats = 1), seed = 4)
    all <- fitInfill(x, two(repeats = 1), seed = 4)
    expect_false(identical(some@coefficients, all@coefficients))
    expect_lt(abs(some@gains$stack / all@gains$stack - 1), 0.2)
    s <- infill:::.sampledEntries(60, 50, 500, 3)
    expect_identical(infill:::.sampledEntries(60, 50, 500, 3), s)
    expect_identical(anyDuplicated(s$at), 0L)
    expect_false(is.unsorted(s$at))
    expect_length(s$at, 500)
    expect_equal(infill:::.countsAt(sparse(x), s), as.double(x)[s$at])
    expect_lt(abs(mean(s$at) - 1500.5), 4 * 3000 / sqrt(12 * 500))        # uniform
    expect_identical(infill:::.sampledEntries(60, 50, 1e6, 3), list(cells = 1:50, at = 1:3000))
    cells <- infill:::.sampledEntries(10, 9000, 1000, 3)
    expect_length(unique(cells$cells), 1000)
    expect_lte(max(cells$at), 10000)
})

test_that("on workers of BiocParallel the bits are the same, and what fails is left out", {
    skip_if_not_installed("BiocParallel")
    here <- fitInfill(x, two(), seed = 4, BPPARAM = BiocParallel::SerialParam())
    expect_identical(here@coefficients, fit@coefficients)
    expect_identical(infill(x, here), infill(x, fit))
    expect_warning(f <- fitInfill(x,
        StackParam(list(tiny = GraphSciParam(n.max = 2), GeneMeanParam())), seed = 1,
        BPPARAM = BiocParallel::SerialParam()), "\"tiny\" was left out")
    expect_named(f@fits, "gene mean")
    expect_error(fitInfill(x, two(), BPPARAM = 2), "BiocParallelParam", class = "infill_error")
})
