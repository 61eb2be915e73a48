# Checked against a slow, literal reading of the page of the posterior, sections 1 to 4.

# Section 1: posterior of lambda, given x.
pagePosterior <- function(mu, x, theta) {
    m <- mu * (x + theta) / (mu + theta)
    list(mean = m, sd = sqrt(m * mu / (mu + theta)), shape = x + theta, rate = (mu + theta) / mu)
}

# Section 2: mu of K predictions (a list of matrices or vectors).
pageMu <- function(priors, b) {
    l <- b[1]
    for (k in seq_along(priors)) l <- l + b[k + 1] * log(priors[[k]] + 1e-3)
    exp(pmin(pmax(l, -20), 15))
}

# Section 3: the loss; par = (eta, b).
pageLoss <- function(priors, x, y, f, par) {
    mh <- f / (1 - f) * pagePosterior(pageMu(priors, par[-1]), x, exp(min(max(par[1], -8), 12)))$mean
    mean(mh - y * log(mh + 1e-6))
}

# Section 4: what is said of counts x, of which the priors predict these values.
pageUse <- function(priors, x, f, par) {
    r <- 1 / (1 - f)
    mu <- r * pageMu(lapply(priors, function(p) p / r), par[-1])
    c(list(mu = mu), pagePosterior(mu, x, exp(par[1])))
}

page <- list(x = c(0, 3, 1, 0, 12, 2), y = c(0, 1, 0, 0, 1, 0), priors = list(c(0.5, 2, 0.2, 0.05, 9, 1.5), c(1, 1, 1, 0.4, 6, 0.8)),
    f = 0.1, par = c(log(2), 0.1, 0.6, 0.3))

lossOf <- function(priors, x, y, f, par, threads = 1L) .Call(infill:::C_stack_loss, log(do.call(cbind, priors) + 1e-3), x, y, f / (1 - f), par,
    threads)
useOf <- function(priors, x, depth, par, threads = 1L) stats::setNames(.Call(infill:::C_stack_apply, lapply(priors, as.matrix),
    sparse(as.matrix(x)), 0L, par, depth, rep(TRUE, 3), threads), c("mean", "sd", "mu"))

# Rates with a known gamma around known means, their counts, and the same thinned.
gammaData <- function(theta, genes = 250, cells = 200, spread = 0.8, seed = 1) withSeed(seed, {
    mu <- exp(outer(rnorm(genes, 0.3, spread), rnorm(cells, 0, 0.3), "+"))
    rate <- mu * rgamma(length(mu), theta, theta)
    x <- matrix(rpois(length(mu), rate), genes)
    y <- matrix(rbinom(length(mu), x, 0.1), genes)
    list(mu = mu, rate = rate, x = x, y = y, again = matrix(rpois(length(mu), rate), genes),
        wrong = mu * exp(rnorm(length(mu), -0.5, 1)))
})
optimumOf <- function(d, ...) {
    z <- vapply(list(...), function(mu) log(0.9 * as.vector(mu) + 1e-3), numeric(length(d$x)))
    infill:::.stackOptimum(z, as.double(d$x - d$y), as.double(d$y), 1 / 9, 1L)
}
poissonOf <- function(p, x) mean(p - ifelse(x > 0, x * log(p + 1e-6), 0))

# Data that the fits below share: low rank, so that the decomposition has something to say.
x <- lowRankCounts(60, 50, level = 0.3, spread = 1)
svd3 <- infill:::.svdParam(3)
two <- function(...) StackParam(list(GeneMeanParam(), low = svd3), ...)
fit <- fitInfill(x, two(), seed = 4)

test_that("the page's numbers", {
    r <- lossOf(page$priors, page$x, page$y, page$f, page$par)
    expect_equal(r, c(0.49251644713, 0.0134275722664, -0.0246258693484, -0.0472143472415, 0.00792844519032), tolerance = 1e-10)
    here <- useOf(page$priors, page$x, 1, page$par)
    expect_equal(as.vector(here$mu), c(0.730234432022, 1.67613086954, 0.422160218439, 0.140901256386, 7.0708397259, 1.31931232114), tolerance = 1e-10)
    expect_equal(as.vector(here$mean), c(0.53492434456, 2.27974863929, 0.52287237057, 0.131627982342, 10.9131854551, 1.58986222868),
        tolerance = 1e-10)
    expect_equal(as.vector(here$sd^2), c(0.143072027201, 1.03945077167, 0.0911318386352, 0.00866296286769, 8.50697262702, 0.631915476545),
        tolerance = 1e-10)
    full <- useOf(lapply(page$priors, `/`, 0.9), page$x + page$y, 1 / 0.9, page$par)
    expect_equal(as.vector(full$mean), c(0.577206936069, 2.8930974105, 0.569932196971, 0.145191576256, 11.9563197133, 1.69179894197),
        tolerance = 1e-10)
    # a fit that holds the page's parameters: quantiles of entry 2, at the depth of x'
    d <- matrix(page$x, dimnames = list(letters[1:6], "one"))
    known <- suppressWarnings(fitInfill(cbind(d, d + 1), StackParam(list(GeneMeanParam())), seed = 1))
    known@coefficients[1:3] <- c(log(2), 0, 1)
    m <- known@mean.fit
    p <- unname(plain(infill(d, m, keep = "none"))[2, 1])
    got <- posteriorQuantiles(d, known, c(0.05, 0.95), genes = "b", cells = 1)
    want <- pageUse(list(p), 3, 0.1, c(log(2), 0, 1))
    expect_equal(as.vector(got), qgamma(c(0.05, 0.95), want$shape, want$rate), tolerance = 1e-12)
    expect_equal(qgamma(c(0.05, 0.95), 5, (here$mu[2] + 2) / here$mu[2]), c(0.898289159397, 4.17354450914), tolerance = 1e-10)
})

test_that("loss, gradient and use are those of the page for 1 to 4 models, clipped or not, with the same bits for 2 threads", {
    for (K in 1:4) for (wild in c(1, 15)) withSeed(10 * K, {
        n <- 700
        priors <- lapply(seq_len(K), function(k) rexp(n) * 10^runif(n, -3, 3))
        x <- rpois(n, priors[[1]]) + 0
        y <- rpois(n, 1) + 0
        par <- c(rnorm(1), 0.1, wild * runif(K, 0.1, 1) / K)
        l <- par[2] + as.vector(sapply(priors, function(p) log(p + 1e-3)) %*% par[-(1:2)])
        expect_identical(any(l < -20 | l > 15), wild > 1)
        got <- lossOf(priors, x, y, 0.1, par)
        expect_equal(got[1], pageLoss(priors, x, y, 0.1, par), tolerance = 1e-10)
        slope <- vapply(seq_along(par), function(k) {
            h <- replace(numeric(K + 2), k, 1e-6)
            (pageLoss(priors, x, y, 0.1, par + h) - pageLoss(priors, x, y, 0.1, par - h)) / 2e-6
        }, 0)
        expect_lt(max(abs(got[-1] - slope)), 1e-5 * (max(abs(slope)) + abs(got[1])))
        expect_identical(lossOf(priors, x, y, 0.1, par, 2L), got)
        m <- function(v) matrix(v, 70)
        use <- useOf(lapply(priors, m), m(x), 1 / 0.9, par)
        expect_equal(use, pageUse(lapply(priors, m), m(x), 0.1, par)[c("mean", "sd", "mu")], tolerance = 1e-10)
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
    expect_identical(lossOf(list(as.vector(mu)), as.vector(x), as.vector(x), 0.1, c(20, 0, 1))[2], 0)
    expect_true(all(is.finite(unlist(c(most, least)))))
})

test_that("one model with b = (0, 1) is free of the depth step", {
    d <- gammaData(2, 20, 10)
    for (f in c(0.1, 0.5)) {
        step <- useOf(list(d$mu), d$x, 1 / (1 - f), c(log(2), 0, 1))
        expect_equal(step$mu, d$mu + 1e-3 / (1 - f), tolerance = 1e-12)        # the 0.001 of the logarithm
        expect_equal(step$mean, pagePosterior(d$mu, d$x, 2)$mean, tolerance = 2e-3)
    }
    # and with others it is not
    expect_gt(abs(useOf(list(d$mu), d$x, 2, c(0, 0, 0.5))$mu[1] / useOf(list(d$mu), d$x, 1, c(0, 0, 0.5))$mu[1] - 1), 0.3)
})

test_that("theta and the weights of a known gamma are found, and the posterior is the best column", {
    for (theta in c(2, 8)) {
        d <- gammaData(theta, 500)
        one <- optimumOf(d, d$mu)
        expect_lt(abs(exp(one$par[1]) / theta - 1), 0.1)
        expect_lt(max(abs(one$par[-1] - c(0, 1))), 0.05)
        both <- optimumOf(d, d$mu, d$wrong)
        expect_lt(abs(exp(both$par[1]) / theta - 1), 0.1)
        expect_lt(max(abs(both$par[-1] - c(0, 1, 0))), 0.05)
        use <- useOf(list(d$mu, d$wrong), d$x, 1 / 0.9, both$par)
        others <- vapply(list(d$mu, d$wrong, d$x, use$mu, rowMeans(d$x) %o% rep(1, ncol(d$x))), poissonOf, 0, x = d$again)
        expect_true(all(poissonOf(use$mean, d$again) < others))
        some <- seq_len(30000)
        q <- function(p) qgamma(p, d$x[some] + exp(both$par[1]), ((use$mu + exp(both$par[1])) / use$mu)[some])
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
    z <- log(0.9 * cbind(as.vector(d$mu), as.vector(d$wrong)) + 1e-3)
    for (eta in c(-6, 3, 11)) expect_gt(infill:::.stackOptimum(z, as.double(d$x - d$y), as.double(d$y), 1 / 9, 1L, c(eta, 0, 1, 0))$value,
        o$value - 1e-4 * abs(o$value))
    expect_equal(o$value, pageLoss(list(0.9 * d$mu, 0.9 * d$wrong), d$x - d$y, d$y, 0.1, o$par), tolerance = 1e-9)
    for (k in 1:4) for (h in c(-0.05, 0.05)) expect_gt(pageLoss(list(0.9 * d$mu, 0.9 * d$wrong), d$x - d$y, d$y, 0.1,
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

# ---- through fitInfill() and infill() ----

# What the page says of a data set, with the package's own thinning and priors.
pageFit <- function(x, priors, par, f, seed, refit = TRUE) {
    seed <- infill:::.heldOutSeed(seed, 1)
    m <- maskCounts(x, "molecules", f, seed)
    half <- maskedData(m)
    y <- x * 0
    e <- hiddenEntries(m)
    y[cbind(e$row, e$col)] <- e$value
    says <- function(of, use) lapply(priors, function(p) plain(infill(use, suppressWarnings(fitInfill(of, p, seed = seed)), keep = "none")))
    list(loss = pageLoss(says(half, half), half, y, f, par), counts = poissonOf(f / (1 - f) * half, y),
        alone = vapply(says(half, half), function(p) poissonOf(f / (1 - f) * p, y), 0), use = pageUse(says(if (refit) x else half, x), x, f, par),
        around = vapply(seq_along(par), function(k) min(vapply(c(-0.05, 0.05), function(h) pageLoss(says(half, half), half, y, f,
            replace(par, k, par[k] + h)), 0)), 0))
}

test_that("fit and use are those of the page, of all entries", {
    for (refit in c(TRUE, FALSE)) for (f in c(0.1, 0.4)) {
        one <- fitInfill(x, two(repeats = 1, refit = refit, fraction = f), seed = 9)
        want <- pageFit(x, list(GeneMeanParam(), svd3), one@coefficients, f, 9, refit)
        expect_equal(one@gains$stack, want$loss, tolerance = 1e-8)
        expect_equal(one@gains$counts, want$counts, tolerance = 1e-8)
        expect_equal(unlist(one@gains[c("gene mean", "low")], use.names = FALSE), unname(want$alone), tolerance = 1e-6)
        expect_identical(one@gains$`gene mean alone`, one@gains$`gene mean`)
        expect_true(all(want$around > want$loss))
        expect_equal(plain(infill(x, one)), want$use$mean, tolerance = 1e-6, ignore_attr = TRUE)
        expect_equal(plain(infill(x, one, keep = "none")), want$use$mu, tolerance = 1e-6, ignore_attr = TRUE)
        expect_equal(posteriorSd(x, one), want$use$sd, tolerance = 1e-6, ignore_attr = TRUE)
        # the priors predict at the depth of x, refitted or not
        expect_lt(abs(sum(infill(x, one@fits[[1]], keep = "none")) / sum(x) - 1), 0.02)
    }
})

test_that("molecules held out with the same seed before do not bias those held out for the weights", {
    wide <- withSeed(1, matrix(rpois(20000, 1), 100))
    half <- maskedData(maskCounts(wide, "molecules", 0.5, seed = 1))
    taken <- NULL
    count <- function(f) withReplaced(".splitMolecules", local({ old <- infill:::.splitMolecules; function(...) {
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
    expect_named(fit@gains, c("stack", "all priors", "counts", "gene mean alone", "gene mean posterior", "gene mean", "low"))
    expect_named(fit@coefficients, c("eta", "b0", "gene mean", "low"))
    expect_lt(exp(fit@coefficients[["eta"]]) , exp(12))
    # the held-out molecules agree with the posterior by tenths, those of the best single prior do not as well
    of <- function(w) with(fit@deciles[fit@deciles$when == w, ], sum((observed - predicted)^2 / (se^2 + 1e-12)))
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
    expect_length(unique(cells$cells), 5000)
    expect_lte(max(cells$at), 50000)
})

# Dispersed genes, each by itself: other genes know nothing of it.
test_that("other priors are left out where the gene mean's posterior is as good, and kept where they help", {
    apart <- withSeed(2, matrix(rnbinom(300 * 120, size = 1.5, mu = rexp(300, 1 / 2)), 300))
    quiet <- function(...) suppressWarnings(fitInfill(..., seed = 1))
    out <- quiet(apart, StackParam())
    alone <- quiet(apart, StackParam(GeneMeanParam()))
    expect_identical(out@left.out, paste("SVD", c(5, 10, 20)))
    expect_named(out@fits, "gene mean")
    expect_identical(out@coefficients, alone@coefficients)
    expect_identical(plain(infill(apart, out)), plain(infill(apart, alone)))
    expect_identical(out@gains$stack, out@gains$`gene mean posterior`)
    expect_identical(out@gains$stack, alone@gains$stack)
    expect_match(infill:::.stackVerdict(out), "the gene mean is enough as a prior: with \"SVD 5\", \"SVD 10\", \"SVD 20\" the gain would be")
    expect_output(print(out), "weights: gene mean [0-9.]+\n")
    expect_named(quiet(apart, StackParam(min.gain = 0))@fits, c("gene mean", "SVD 5", "SVD 10", "SVD 20"))
    useless <- quiet(apart, StackParam(list(svd3, infill:::.svdParam(5))))      # no gene mean among them, and no better
    expect_match(infill:::.stackVerdict(useless), "its posterior alone predicts held-out molecules better")
    # no gene mean among them: nothing to fall back on
    expect_named(quiet(apart, StackParam(svd3))@fits, "DeepMc")
    groups <- withSeed(2, matrix(rnbinom(200 * 100, size = 5, mu = outer(rexp(200, 1 / 2), 1:100, function(m, c)
        m * ifelse(c %% 2 == seq_along(m) %% 2, 2.5, 1))), 200))
    kept <- quiet(groups, two())
    expect_identical(kept@left.out, character())
    share <- with(kept@gains, mean(`gene mean posterior` - stack) / (mean(`gene mean posterior`) - kept@perfect))
    expect_gt(share, 0.005)
    expect_identical(kept@nothing, NA_real_)
    tested <- quiet(groups, two(min.gain = share + 1e-6))
    expect_identical(tested@left.out, character())
    expect_identical(tested@coefficients, kept@coefficients)
    expect_lt(abs(tested@nothing), mean(kept@gains$`gene mean posterior` - kept@gains$stack) / 2)
    expect_identical(quiet(groups, two(min.gain = share - 1e-6))@nothing, NA_real_)
    earn <- function(gain, nothing = stop("not asked"), min = 0.01) infill:::.earnTheirPlace(gain, 1, min, function() nothing)
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
    expect_match(infill:::.stackVerdict(fitInfill(lowRankCounts(100, 80), two(repeats = 3), seed = 1)), "^filling in helps: [0-9.]+ % of")
})

test_that("rates behind simulated counts: intervals hold them, end to end", {
    skip_if_not_installed("SingleCellExperiment")
    # one BCV for all genes: 0.5 + 1/sqrt(mean), means near each other
    s <- simulateCounts(n.genes = 200, n.cells = 200, seed = 1, rates = TRUE, group.prob = 1, bcv.common = 0.5, bcv.df = Inf,
        lib.location = 8.5, mean.shape = 20, outlier.prob = 0, dropout.shape = NULL)
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
    expect_true(all(poissonOf(post, new) < c(poissonOf(as.matrix(counts), new), poissonOf(infill(counts, f, keep = "none"), new),
        poissonOf(infill(counts, GeneMeanParam(), keep = "none"), new))))
    expect_lt(abs(mean((rate - post)^2 / posteriorSd(counts, f)^2) - 1), 0.15)
})

test_that("predictive quantiles hold held-out molecules as often as they say, with groups of cells and Splat's dispersion", {
    skip_if_not_installed("SingleCellExperiment")
    s <- simulateCounts(n.genes = 150, n.cells = 150, seed = 2, group.prob = rep(1, 3), de.prob = 0.3, lib.location = 7, dropout.shape = NULL)
    m <- maskCounts(SummarizedExperiment::assay(s, "counts"), "molecules", 0.5, seed = 1)         # two halves of the same depth
    half <- maskedData(m)
    y <- matrix(0, 150, 150)
    y[cbind(hiddenEntries(m)$row, hiddenEntries(m)$col)] <- hiddenEntries(m)$value
    f <- suppressWarnings(fitInfill(half, StackParam(repeats = 1), seed = 1))
    p <- c(0.05, 0.25, 0.5, 0.75, 0.95)
    q <- posteriorQuantiles(half, f, p, predictive = TRUE)
    expect_true(all(q == round(q)))
    for (k in seq_along(p)) {
        expect_gte(mean(y <= q[, , k]), p[k] - 0.01)           # counts are discrete: P(y < q) <= p <= P(y <= q)
        expect_lte(mean(y < q[, , k]), p[k] + 0.01)
    }
    expect_gt(mean(y > posteriorQuantiles(half, f, 0.95)[, , 1]), 0.08)       # those of the rate are narrower
})

test_that("quantiles are those of the gamma, for chosen genes and cells", {
    mu <- plain(infill(x, fit, keep = "none"))
    theta <- exp(fit@coefficients[["eta"]])
    p <- c(0.01, 0.5, 0.999)
    all <- posteriorQuantiles(x, fit, p)
    expect_identical(dim(all), c(60L, 50L, 3L))
    expect_identical(dimnames(all), list(rownames(x), colnames(x), as.character(p)))
    for (k in 1:3) {
        expect_equal(all[, , k], matrix(qgamma(p[k], x + theta, (mu + theta) / mu), 60), tolerance = 1e-10, ignore_attr = TRUE)
    }
    expect_equal(all[, , 2] < plain(infill(x, fit)), matrix(TRUE, 60, 50), ignore_attr = TRUE)      # the gamma's median is below its mean
    expect_identical(posteriorQuantiles(sparse(x), fit, p, genes = c("gene9", "gene2"), cells = c(50, 1, 1)), all[c(9, 2), c(50, 1, 1), ])
    expect_identical(dimnames(posteriorQuantiles(x, fit, genes = 1, cells = 2:1))[[3]], c("0.05", "0.5", "0.95"))
    expect_identical(posteriorQuantiles(x, fit, p, genes = rownames(x) == "gene5", cells = -(1:48), num.threads = 2), all[5, 49:50, , drop = FALSE])
    pred <- posteriorQuantiles(x, fit, p, predictive = TRUE)
    expect_identical(unname(pred[, , 3]), matrix(qnbinom(0.999, size = x + theta, mu = plain(infill(x, fit))), 60))
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
    expect_identical(SummarizedExperiment::assayNames(infill(sce, fit)), c("other", "counts", "infilled"))
    expect_false(identical(SummarizedExperiment::assay(infill(sce, fit, assay.type = "other"), "infilled"), want))
    late <- infill(sce, fit, sd = TRUE, as = "delayed")
    expect_s4_class(SummarizedExperiment::assay(late, "infilled.sd"), "DelayedMatrix")
    expect_identical(as.matrix(SummarizedExperiment::assay(late, "infilled.sd")), posteriorSd(x, fit))
    norm <- infill(sce, fit, sd = TRUE, output = "normcounts")
    expect_identical(SummarizedExperiment::assay(norm, "infilled.sd"), posteriorSd(x, fit, output = "normcounts"))
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
        expect_equal(plain(infill(x, fit, keep = keep, output = "normcounts")), on / size, tolerance = 1e-12)
        expect_equal(plain(infill(x, fit, keep = keep, output = "logcounts")), log2(on / size + 1), tolerance = 1e-12)
    }
    expect_equal(posteriorSd(x, fit, output = "normcounts"), posteriorSd(x, fit) / size, tolerance = 1e-12)
})

test_that("delayed results are the dense ones, block by block and for chosen genes and cells", {
    for (output in c("counts", "logcounts")) for (keep in c("posterior", "observed", "none", "max")) {
        whole <- plain(infill(x, fit, output = output, keep = keep))
        late <- infill(x, fit, output = output, keep = keep, as = "delayed")
        expect_s4_class(late, "DelayedMatrix")
        expect_identical(as.matrix(late), whole)
        expect_identical(as.matrix(late[, 7, drop = FALSE]), whole[, 7, drop = FALSE])
        expect_identical(as.matrix(late[c(60, 1, 1), c(9, 3, 3, 40)]), whole[c(60, 1, 1), c(9, 3, 3, 40)])
    }
    sd <- posteriorSd(x, fit, as = "delayed")
    expect_s4_class(sd, "DelayedMatrix")
    expect_identical(as.matrix(sd[c(5, 2), 50:41]), posteriorSd(x, fit)[c(5, 2), 50:41])
    expect_equal(as.vector(DelayedArray::colSums(sd)), unname(colSums(posteriorSd(x, fit))), tolerance = 1e-12)
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
    got <- infill:::.priorAt(wide, list(cells = 1:10020, at = at), f@fits[[1]], f@mean.fit, 1L)
    expect_equal(got, as.vector(infill(wide[, c(10001, 10020)], f@mean.fit, keep = "none")), tolerance = 1e-15)
    expect_identical(as.vector(posteriorQuantiles(wide, f, 0.5, genes = 3, cells = 9999:10002)),
        as.vector(posteriorQuantiles(base, f, 0.5, genes = 3, cells = c(39, 40, 1, 2))))
})

test_that("on workers of BiocParallel the bits are the same, and what fails is left out", {
    skip_if_not_installed("BiocParallel")
    here <- fitInfill(x, two(), seed = 4, BPPARAM = BiocParallel::SerialParam())
    expect_identical(here@coefficients, fit@coefficients)
    expect_identical(infill(x, here), infill(x, fit))
    expect_warning(f <- fitInfill(x, StackParam(list(tiny = GraphSciParam(n.max = 2), GeneMeanParam())), seed = 1,
        BPPARAM = BiocParallel::SerialParam()), "\"tiny\" was left out")
    expect_named(f@fits, "gene mean")
    expect_error(fitInfill(x, two(), BPPARAM = 2), "BiocParallelParam", class = "infill_error")
})

test_that("a fit is a file", {
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(infill(x, readRDS(file)), infill(x, fit))
    expect_identical(posteriorQuantiles(x, readRDS(file), genes = 1), posteriorQuantiles(x, fit, genes = 1))
    expect_identical(as.vector(fitWeights(fit)$coefficients), unname(fit@coefficients))
    expect_identical(unname(modelledGenes(fit)), 1:60)
    expect_identical(nrow(fitHistory(fit)), 0L)
})

test_that("new cells get the priors' own prediction, then the same", {
    f <- fitInfill(x[, 1:30], two(repeats = 1), seed = 2)
    new <- x[, 31:50] * 3                                   # another depth, too
    says <- lapply(f@fits, function(p) plain(infill(new, p, keep = "none")))
    want <- pageUse(says, new, 0.1, f@coefficients)
    expect_equal(plain(infill(new, f)), want$mean, tolerance = 1e-10, ignore_attr = TRUE)
    expect_equal(posteriorSd(new, f), want$sd, tolerance = 1e-10, ignore_attr = TRUE)
    expect_lt(poissonOf(infill(new, f), new), poissonOf(infill(new, f, keep = "none"), new))
    expect_identical(plain(infill(new[, 4, drop = FALSE], f)), plain(infill(new, f))[, 4, drop = FALSE])
    none <- cbind(new[, 1, drop = FALSE], empty = 0)
    expect_true(all(infill(none, f)[, 2] < 0.1) && all(is.finite(posteriorSd(none, f))))
})

test_that("genes are found by name: permuted, with more of them; by position without names", {
    order <- withSeed(1, sample(60))
    expect_identical(plain(infill(x[order, ], fit)), plain(infill(x, fit))[order, ])
    expect_identical(posteriorSd(x[order, ], fit), posteriorSd(x, fit)[order, ])
    expect_identical(posteriorQuantiles(x[order, ], fit, genes = 3), posteriorQuantiles(x, fit, genes = order[3]))
    more <- rbind(extra1 = rep(0:4, 10), x[order, ], extra2 = 0)
    out <- plain(infill(more, fit))
    expect_identical(out[rownames(x), ], plain(infill(x, fit)))
    expect_identical(out[c("extra1", "extra2"), ], more[c("extra1", "extra2"), ] + 0)
    expect_identical(posteriorSd(more, fit)[c("extra1", "extra2"), ], more[c("extra1", "extra2"), ] * 0)
    # a gene that the fit does not know is as it is: its quantiles are the count
    for (predictive in c(FALSE, TRUE)) {
        q <- posteriorQuantiles(more, fit, c(0.05, 0.95), genes = c("extra2", "gene7", "extra1"), cells = 1:9, predictive = predictive)
        for (k in 1:2) expect_identical(q[c(3, 1), , k], more[c("extra1", "extra2"), 1:9] + 0)
        expect_identical(q[2, , ], posteriorQuantiles(x, fit, c(0.05, 0.95), genes = "gene7", cells = 1:9, predictive = predictive)[1, , ])
    }
    bare <- fitInfill(unname(x), two(), seed = 4)
    expect_identical(unname(plain(infill(x, bare))), unname(plain(infill(x, fit))))
    expect_error(infill(x[-1, ], fit), "gene1", class = "infill_mismatch")
    expect_error(infill(unname(x)[-1, ], fit), class = "infill_mismatch")
})

test_that("a gene that a prior does not model gets the gene mean from it", {
    few <- DeepMcParam(ranks = 2, sweeps = 1, zero.weight = 1e6, min.cells = 0, n.genes = 20, log = "log1p")
    f <- fitInfill(x, StackParam(few, repeats = 1), seed = 1)
    without <- setdiff(1:60, modelledGenes(f@fits[[1]]))
    expect_length(without, 40)
    says <- plain(infill(x, f@fits[[1]], keep = "none"))
    says[without, ] <- plain(infill(x, GeneMeanParam(), keep = "none"))[without, ]
    expect_equal(plain(infill(x, f)), pageUse(list(says), x, 0.1, f@coefficients)$mean, tolerance = 1e-8, ignore_attr = TRUE)
    expect_equal(infill(SummarizedExperiment::SummarizedExperiment(list(counts = x)), f)@elementMetadata$infilled.status,
        ifelse(1:60 %in% without, "not selected", "modelled"))
})

test_that("keep = \"posterior\" of one model is the stack of it and the gene mean", {
    want <- fitInfill(x, StackParam(list(GeneMeanParam(), svd3), repeats = 1), seed = 6)
    out <- infill(x, svd3, keep = "posterior", seed = 6)
    expect_identical(plain(out), plain(infill(x, want)))
    expect_identical(attr(out, "infill")$keep, "posterior")
    # of a fit that is there: it is not fitted again, the rest is learnt
    there <- fitInfill(x, svd3, seed = 6)
    count <- 0
    fitted <- withReplaced(".fitPrior", local({ old <- infill:::.fitPrior; function(...) { count <<- count + 1; old(...) } }),
        plain(infill(x, there, keep = "posterior")))
    expect_identical(count, 3)                                # both on the half, and the gene mean
    expect_identical(fitted, plain(out))
    x2 <- x[, 50:1]                                           # the fit given is the one that predicts
    turned <- infill:::.fitStack(sparse(x2), infill:::.posteriorOf(there@param), 1L, function(...) NULL, NULL, list(DeepMc = there))
    expect_identical(turned@fits$DeepMc, there)
    expect_equal(attr(infill(x2, there, keep = "posterior"), "infill")$model, "StackParam")
    # the gene mean alone is a stack of one, the mean of the detected is a model of its own
    expect_identical(plain(infill(x, GeneMeanParam(), keep = "posterior", seed = 1)),
        plain(infill(x, StackParam(GeneMeanParam(), repeats = 1), seed = 1)))
    both <- StackParam(list(GeneMeanParam(), GeneMeanParam("detected")), repeats = 1)
    expect_identical(plain(infill(x, GeneMeanParam("detected"), keep = "posterior", seed = 1)), plain(infill(x, both, seed = 1)))
    for (p in list(GeneMeanParam(), GeneMeanParam("detected"))) expect_identical(
        plain(infill(x, fitInfill(x, p, seed = 1), keep = "posterior")), plain(infill(x, p, keep = "posterior", seed = 1)))
    expect_identical(infill:::.posteriorOf(GeneMeanParam(num.threads = 2))@num.threads, 2)
    se <- SummarizedExperiment::SummarizedExperiment(list(counts = x))
    expect_identical(SummarizedExperiment::assayNames(infill(se, there, keep = "posterior", sd = TRUE)), c("counts", "infilled", "infilled.sd"))
    network <- infill(x, smallParam(max.iter = 5), keep = "posterior", seed = 1)
    expect_true(all(is.finite(network)) && all(network > 0))
    expect_identical(plain(infill(x, fit, keep = "posterior")), plain(infill(x, fit)))
})

test_that("the posterior of a fit wants the very cells of the fit", {
    there <- fitInfill(x, svd3, seed = 6)
    for (other in list(x[, 1:20], x[, c(1:49, 49)], cbind(x, x[, 1] + 1))) expect_error(infill(other, there, keep = "posterior"),
        "StackParam\\(list\\(GeneMeanParam\\(\\), DeepMcParam\\(\\)\\)\\)", class = "infill_mismatch")
    # cells and genes without counts are no other ones, also to models that leave them out
    empty <- x
    empty[, 7] <- 0
    empty[5, ] <- 0
    for (p in list(GeneMeanParam(), svd3, smallParam(max.iter = 2), DeepImputeParam(max.iter = 2), ScInnParam(k = 2, max.iter = 2, replicates = 1),
        GraphSciParam(max.iter = 2))) {
        f <- suppressWarnings(suppressMessages(fitInfill(empty, p, seed = 1)))
        expect_true(all(is.finite(suppressWarnings(suppressMessages(infill(empty, f, keep = "posterior"))))))
        expect_error(suppressWarnings(suppressMessages(infill(x, f, keep = "posterior"))), "must have the cells", class = "infill_mismatch")
    }
    expect_error(suppressMessages(infill(x[, 1:9], fitInfill(x, GraphSciParam(max.iter = 2), seed = 1), keep = "posterior")),
        "knows the cells of its fit only", class = "infill_mismatch")
    # named at once, before anything is fitted
    renamed <- x
    rownames(renamed) <- paste0("other", 1:60)
    withReplaced(".fitPrior", function(...) stop("fitted"), expect_error(infill(renamed, there, keep = "posterior"), "lacks 60 of the 60 genes",
        class = "infill_mismatch"))
    # genes that the fit does not know are no mistake, and take what the gene mean says
    more <- rbind(x, new = 1:50)
    out <- expect_silent(infill(more, there, keep = "posterior"))
    alone <- infill:::.fitStack(sparse(more), infill:::.fixed(StackParam(list(GeneMeanParam(), svd3), repeats = 1), 6, NULL), 1L, function(...) NULL, NULL,
        list(DeepMc = there))
    expect_identical(plain(out), plain(infill(more, alone)))
    expect_identical(alone@recipe$status, rep("modelled", 61))         # the gene mean models it
})

test_that("a model that the posterior leaves out is named, and the result says what it is made of", {
    apart <- withSeed(2, matrix(rnbinom(300 * 60, size = 1.5, mu = 0.3 + rexp(300, 1 / 2)), 300))
    expect_message(out <- infill(apart, svd3, keep = "posterior", seed = 1), "\"DeepMc\" was left out. The gene mean is enough as a prior")
    note <- attr(out, "infill")
    expect_identical(note$left.out, "DeepMc")
    expect_named(note$weights, c("eta", "b0", "gene mean"))
    expect_match(note$verdict, "the gene mean is enough as a prior")
    expect_message(infill(apart, fitInfill(apart, svd3, seed = 1), keep = "posterior"), "was left out")
    expect_silent(out <- infill(x, fit))
    expect_identical(attr(out, "infill")[c("weights", "left.out", "verdict")], list(weights = fit@coefficients, left.out = character(),
        verdict = infill:::.stackVerdict(fit)))
    se <- SummarizedExperiment::SummarizedExperiment(list(counts = x))
    expect_identical(S4Vectors::metadata(infill(se, fit))$infilled$weights, fit@coefficients)
    # a model alone, without the gene mean, is told when that one's posterior is better
    f <- fitInfill(apart, StackParam(infill:::.svdParam(40)), seed = 1)
    expect_output(print(f), "gain over the gene mean's posterior: -.*Verdict: the gene mean is enough as a prior: its posterior alone predicts held-out.*better")
})

test_that("a gain within the interval over repeats is called unsure", {
    f <- fit
    f@gains$counts <- f@gains$stack + c(0.5, 0.01, 0.2)
    expect_match(infill:::.stackVerdict(f), "the counts may do as they are: .* not beyond the interval over 3 repeats")
    f@gains$counts <- f@gains$stack - 1
    expect_match(infill:::.stackVerdict(f), "leave the counts alone")
    f <- fit
    f@gains$`gene mean alone` <- f@gains$stack + c(0.5, 0.01, 0.2)
    expect_match(infill:::.stackVerdict(f), "the gene mean may be enough: .* not beyond the interval over 3 repeats")
    f <- fit
    f@gains$`gene mean posterior` <- f@gains$stack + c(0.5, 0.01, 0.2)
    expect_match(infill:::.stackVerdict(f), "the gene mean may be enough as a prior: .* not beyond")
    m <- fitInfill(x, two(loss = "masked"), seed = 3)
    m@gains$`detected mean` <- m@gains$stack + c(0.5, 0.01, 0.2)
    expect_match(infill:::.stackVerdict(m), "the mean of the detected values may be enough")
    m@gains$`detected mean` <- m@gains$stack
    expect_match(infill:::.stackVerdict(m), "the mean of the detected values is enough")
})

test_that("predictions that are not finite do not spread", {
    out <- .Call(infill:::C_stack_apply, list(matrix(c(Inf, 1)), matrix(c(Inf, 1))), sparse(matrix(c(2, 2))), 0L, c(0, 0, 0.5, -0.5), 1.1, rep(TRUE, 3), 1L)
    expect_true(all(is.finite(unlist(out))))
    expect_equal(out[[3]][2], 1.1)
})

# ---- what may go wrong ----

warningsOf <- function(code) {
    said <- character()
    withCallingHandlers(code, warning = function(w) {
        said <<- c(said, conditionMessage(w))
        invokeRestart("muffleWarning")
    })
    said
}

test_that("a prior that fails, is constant or not finite is left out, named once; an error only if none is left", {
    alone <- fitInfill(x, StackParam(GeneMeanParam()), seed = 1)
    same <- function(prior, name, why) {
        said <- warningsOf(f <- fitInfill(x, StackParam(c(prior, list(GeneMeanParam()))), seed = 1))
        expect_length(said, 1)
        expect_match(said, sprintf("the prior \"%s\" was left out: .*%s", name, why))
        expect_named(f@fits, "gene mean")
        expect_identical(f@coefficients, alone@coefficients)
        expect_identical(infill(x, f), infill(x, alone))
        expect_named(f@gains, c("stack", "all priors", "counts", "gene mean alone", "gene mean posterior", "gene mean"))
    }
    same(list(NoneParam()), "None", "constant or not finite")
    same(list(graph = GraphSciParam(n.max = 2)), "graph", "n.max")
    withReplaced(".priorAt", local({ old <- infill:::.priorAt; function(counts, sample, fit, ...)
        old(counts, sample, fit, ...) / (if (is(fit@param, "DeepMcParam")) rep(0:1, c(1, length(sample$at) - 1)) else 1) }),
        same(list(wild = svd3), "wild", "not finite"))
    # an error that is not the package's own, and one of the fit to all molecules only
    failing <- function(when, code) {
        n <- 0
        withReplaced("fitInfill", local({ old <- infill::fitInfill; function(x, param, ...) {
            if (is(param, "DeepMcParam") && (n <<- n + 1) == when) stop("not enough memory")
            old(x, param, ...) } }), code)
    }
    stack <- StackParam(list(low = svd3, GeneMeanParam()))
    for (when in c(1, 2, 3)) {
        failing(when, said <- warningsOf(f <- infill:::.fitStack(sparse(x), infill:::.fixed(stack, 1, NULL), 1L, function(...) NULL, NULL)))
        expect_identical(said, "the prior \"low\" was left out: not enough memory")
        expect_identical(f@coefficients, alone@coefficients)
        expect_identical(plain(infill(x, f)), plain(infill(x, alone)))
    }
    for (p in list(list(NoneParam()), list(GraphSciParam(n.max = 2)), list(NoneParam(), GraphSciParam(n.max = 2)))) expect_error(
        suppressWarnings(fitInfill(x, StackParam(p), seed = 1)), "none of the priors can be used", class = "infill_error")
})

test_that("warnings of the data are heard once, and none of the molecules held out", {
    empty <- x
    empty[, 7] <- 0
    empty[5, ] <- 0
    said <- warningsOf(f <- fitInfill(empty, StackParam(), seed = 1))
    expect_match(said, "1 of 50 cells|1 of the 60 modelled genes")
    expect_length(said, 2)
    # a gene whose only molecule is held out was seen nevertheless
    rare <- x
    rare[1, ] <- 0
    rare[1, 3] <- 1
    for (seed in 1:12) {
        f1 <- suppressWarnings(fitInfill(rare, two(refit = FALSE, repeats = 1), seed = seed))
        expect_gt(posteriorSd(rare, f1)[1, 3], 0)
    }
    # what the warnings say: they stay as they are
    masked <- suppressWarnings(fitInfill(empty, StackParam(loss = "masked"), seed = 1))
    for (out in list(infill(empty, f), infill(empty, f, keep = "none"), infill(empty, masked), posteriorSd(empty, f))) {
        expect_true(all(is.finite(out)))
        expect_identical(plain(out)[, 7], 0 * empty[, 7])
        expect_identical(plain(out)[5, ], 0 * empty[5, ])
        expect_gt(min(plain(out)[-5, -7]), -1e-12)
    }
    expect_gt(min(plain(infill(empty, f))[-5, -7]), 0)
    # other cells, where that gene was seen
    other <- empty
    other[5, 1:2] <- c(3, 1)
    expect_identical(unname(plain(infill(other, f))[5, ]), c(3, 1, rep(0, 48)))
    q <- posteriorQuantiles(other, f, genes = c(5, 1), cells = c(1, 7))
    expect_identical(unname(q[1, , ]), matrix(c(3, 0), 2, 3))
    expect_true(all(q[2, 2, ] >= 0) && all(is.finite(q)))
    thin <- withSeed(1, matrix(rpois(60 * 50, 0.03), 60))
    expect_silent(suppressWarnings(fitInfill(thin, StackParam(GeneMeanParam()), seed = 1)))      # no message of cells that the thinning empties
})

test_that("counts only: not whole, negative, missing, all zero", {
    for (code in list(quote(fitInfill(x / 2, two())), quote(infill(x / 2, two())), quote(infill(x / 2 + 100, svd3, keep = "posterior")),
        quote(infill(x / 2, fitInfill(x, svd3, seed = 1), keep = "posterior", check.scale = FALSE)), quote(fitInfill(log1p(x) * 50, StackParam()))))
        expect_error(eval(code), "(assay \"counts\") must hold whole numbers", fixed = TRUE, class = "infill_scale")
    se <- SummarizedExperiment::SummarizedExperiment(list(fpkm = x * 1.5 + 100))
    expect_error(infill(se, StackParam(), assay.type = "fpkm"), "\"fpkm\"", class = "infill_scale")
    for (value in c(NA, NaN, Inf, -1)) {
        bad <- replace(x + 0, 130, value)
        expect_error(fitInfill(bad, two(), seed = 1), "gene 10 .*cell 3", class = "infill_scale")
        expect_error(infill(bad, fit), "gene 10 .*cell 3", class = "infill_scale")
        expect_error(posteriorSd(bad, fit), "gene 10 .*cell 3", class = "infill_scale")
        expect_error(posteriorQuantiles(bad, fit), "gene 10 .*cell 3", class = "infill_scale")
    }
    # nor does a fit that is there take what is not whole
    masked <- fitInfill(x, two(loss = "masked"), seed = 1)
    expect_error(infill(x * 1.5, fit), "whole numbers", class = "infill_scale")
    expect_error(posteriorSd(x * 1.5, fit), "whole numbers", class = "infill_scale")
    expect_error(posteriorQuantiles(log1p(x), fit), "whole numbers", class = "infill_scale")
    expect_true(all(is.finite(infill(x * 1.5, masked))))
    expect_error(fitInfill(x * 0, two(), seed = 1), "all are 0", class = "infill_error")
    expect_error(infill(x * 0, svd3, keep = "posterior", seed = 1), "all are 0", class = "infill_error")
    expect_error(fitInfill(replace(x * 0, 5, 1), two(), seed = 1), "molecules", class = "infill_error")
    # zeros for a fit that is there are no mistake
    expect_true(all(is.finite(infill(x * 0, fit))))
})

test_that("names: given, made, and never those of other columns", {
    p <- infill:::.priorsOf(StackParam(list(svd3, eta = GeneMeanParam(), GeneMeanParam("detected"), svd3, counts = GeneMeanParam())))
    expect_named(p, c("DeepMc", "eta 1", "detected mean", "DeepMc 1", "counts 1"))
    expect_named(infill:::.priorsOf(StackParam()), c("gene mean", "SVD 5", "SVD 10", "SVD 20"))
    # the default ones can be had, alone and with others
    expect_identical(infill:::.priorsOf(StackParam(defaultPriors())), infill:::.priorsOf(StackParam()))
    expect_identical(infill:::.priorsOf(StackParam(defaultPriors("masked"), loss = "masked")), infill:::.priorsOf(StackParam(loss = "masked")))
    expect_named(infill:::.priorsOf(StackParam(c(defaultPriors(), list(DeepImputeParam())))), c("gene mean", "SVD 5", "SVD 10", "SVD 20", "DeepImpute"))
    expect_error(defaultPriors("zeros"), "'loss' must be one of", class = "infill_error")
    f <- fitInfill(x, StackParam(list(stack = GeneMeanParam(), b0 = GeneMeanParam("detected")), repeats = 1), seed = 1)
    expect_output(print(f), "weights: stack 1 .*b0 1")
    expect_output(print(StackParam(list(a = svd3, GeneMeanParam()))), "priors +a = DeepMcParam, GeneMeanParam")
    expect_output(print(StackParam(svd3)), "priors +DeepMcParam")
    expect_error(StackParam(list(GeneMeanParam(), StackParam())), "stack of stacks", class = "infill_error")
})

test_that("priors that know the cells of their fit only are refitted, or refused at once", {
    graph <- GraphSciParam(max.iter = 2, n.max = 100)
    f <- suppressWarnings(fitInfill(x, StackParam(list(GeneMeanParam(), graph), repeats = 1, min.gain = 0), seed = 1))
    expect_true(all(is.finite(infill(x, f))))
    expect_error(infill(x[, 3:1] + 1, f), "has not seen", class = "infill_error")
    expect_error(suppressWarnings(fitInfill(x, StackParam(graph, refit = FALSE), seed = 1)), "'refit' must be TRUE", class = "infill_error")
})

# ---- zeros as missing values ----

test_that("loss = \"masked\" is least squares on logarithms at hidden non-zeros", {
    f <- fitInfill(x, two(loss = "masked"), seed = 3)
    priors <- list(`detected mean` = GeneMeanParam("detected"), `gene mean` = GeneMeanParam(), low = svd3)
    sizes <- function(m) colSums(m) / median(colSums(m))
    halves <- lapply(1:3, function(r) {
        s <- infill:::.heldOutSeed(3, r)
        m <- maskCounts(x, "uniform", 0.1, s)
        e <- hiddenEntries(m)
        size <- sizes(maskedData(m))
        z <- sapply(priors, function(p) log1p((infill(maskedData(m), p, seed = s, keep = "none") / rep(size, each = 60))[cbind(e$row, e$col)]))
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
        expect_equal(f@gains$stack[r], sqrt(mean((cbind(1, halves[[r]]$z) %*% ridge - halves[[r]]$y)^2)), tolerance = 1e-7)
        expect_equal(unlist(f@gains[r, -1]), sqrt(colMeans((halves[[r]]$z - halves[[r]]$y)^2)), tolerance = 1e-7)
    }
    # use: fits to all entries, zeros filled, the rest as it was
    size <- rep(sizes(x), each = 60)
    v <- ridge[1]
    for (k in 1:3) v <- v + ridge[k + 1] * log1p(plain(infill(x, priors[[k]], seed = 3, keep = "none")) / size)
    value <- size * expm1(pmax(v, 0))
    expect_equal(plain(infill(x, f, keep = "none")), value, tolerance = 1e-6, ignore_attr = TRUE)
    expect_equal(plain(infill(x, f)), ifelse(x > 0, x, value), tolerance = 1e-6, ignore_attr = TRUE)
    expect_identical(attr(infill(x, f), "infill")$keep, "observed")
    expect_identical(infill(x, two(loss = "masked"), seed = 3)[x > 0], x[x > 0] + 0)
    expect_identical(as.matrix(infill(x, f, as = "delayed")[3:1, 9:8]), plain(infill(x, f))[3:1, 9:8])
    expect_output(print(f), "zeros as missing values.*RMSE .* on logarithms.*gain over the mean of the detected.*Verdict: filling in helps: the error at hidden entries is 11 % below")
    # values that are not whole may come, and the mean of the detected is not added twice
    half <- fitInfill(x / 2, StackParam(list(GeneMeanParam("detected")), loss = "masked", refit = FALSE), seed = 1, check.scale = FALSE)
    expect_named(half@coefficients, c("b0", "detected mean"))
    expect_error(infill(x, f, keep = "posterior"), "no posterior", class = "infill_error")
    expect_error(infill(x, two(loss = "masked"), keep = "posterior"), "no posterior", class = "infill_error")
    expect_error(posteriorSd(x, f), "no posterior", class = "infill_error")
})

# ---- in words, and as a picture ----

test_that("the fit is printed in words", {
    out <- paste(capture.output(print(fit)), collapse = "\n")
    theta <- exp(fit@coefficients[["eta"]])
    expect_match(out, "StackFit (posterior), seed 4: 60 genes x 50 cells", fixed = TRUE)
    expect_match(out, sprintf("weights: gene mean %.2f, low %.2f", fit@coefficients[["gene mean"]], fit@coefficients[["low"]]), fixed = TRUE)
    expect_match(out, sprintf("theta %.3g: .* coefficient of variation of %.0f %%", theta, 100 / sqrt(theta)))
    expect_match(out, sprintf("expected at 1 molecule keeps %.0f %% .* one at 10 %.0f %%", 100 * pagePosterior(1, 1, theta)$mean -
        100 * pagePosterior(1, 0, theta)$mean, 100 * pagePosterior(10, 1, theta)$mean - 100 * pagePosterior(10, 0, theta)$mean))
    g <- fit@gains[["gene mean alone"]] - fit@gains$stack
    i <- t.test(g)$conf.int
    expect_match(out, sprintf("gain over the gene mean alone: %.4f (95 %% interval %.4f to %.4f)", mean(g), i[1], i[2]), fixed = TRUE)
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
