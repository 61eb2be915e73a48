# DeepImpute: predictions, against the formulas in plain R (helper-deepimpute.R).

counts <- smallCounts(60, 44)
fitted <- function(..., x = counts, seed = 1) fitInfill(x, deepParam(...), seed = seed)
fit <- fitted()
targets <- function(fit) unlist(fitParts(fit, "networks")$target.genes, use.names = FALSE)
predictors <- function(fit) lapply(fitParts(fit, "networks")$predictor.genes, unname)

test_that("predictions are the forward pass in plain R, for every option that enters it", {
    for (more in list(list(), list(output = "relu"), list(output = "linear"),
        list(normalize = "median"), list(hidden = 1), list(hidden = 130, network.size = 30),
        list(hidden = c(20, 7)), list(hidden = c(3, 70, 12), network.size = 30), list(dropout = 0),
        list(batch.size = 7), list(loss.weights = "binary"),
        list(zero.weight = 0.5, output = "relu"),
        list(normalize = "median", output = "linear", genes = 1:20),
        list(n.genes = 3, network.size = 3, n.predictors = 1))) {
        fit <- do.call(fitted, c(more, list(learning.rate = 0.01)))
        out <- infill(counts, fit, keep = "none")
        ref <- refDeepInfill(counts, fit)
        expect_lt(max(abs(out - ref) / (1 + ref)), 1e-4)
        at <- targets(fit)
        expect_gt(mean(abs(out[at, ] - counts[at, ]) > 1e-3), 0.4)
    }
})

test_that("several blocks of cells and of panels predict as one", {
    wide <- counts[, rep(1:44, length.out = 600)]
    f <- fitted(hidden = 70, n.genes = Inf)
    out <- plain(infill(wide, f, keep = "none"))
    expect_identical(unname(out),
        unname(plain(infill(counts, f, keep = "none"))[, rep(1:44, length.out = 600)]))
    expect_identical(plain(infill(wide, f, keep = "none", num.threads = 3)), out)
})

test_that("all scales of the output", {
    for (normalize in c("none", "median")) {
        f <- fitted(normalize = normalize, learning.rate = 0.01)
        total <- colSums(counts[f@recipe$kept, ])
        size <- rep(total / median(total[total > 0]), each = 60)
        for (keep in c("none", "observed", "max")) {
            new <- plain(infill(counts, f, keep = keep))
            expect_equal(unname(new), refDeepInfill(counts, f, keep), tolerance = 1e-5)
            expect_equal(plain(infill(counts, f, keep = keep, output = "normcounts")), new / size,
                tolerance = 1e-12)
            expect_equal(plain(infill(counts, f, keep = keep, output = "logcounts")),
                log1p(new / size), tolerance = 1e-12)
        }
    }
})

test_that("what was seen stays, what is no target stays, nothing is below 0", {
    x <- counts
    x[4, ] <- 0
    x[5, ] <- 3
    x[, 9] <- 0
    for (output in c("softplus", "relu", "linear")) {
        f <- fitted(x = x, output = output, learning.rate = 0.05, n.genes = 32)
        at <- targets(f)
        out <- lapply(c(observed = "observed", max = "max", none = "none"),
            function(k) plain(infill(x, f, keep = k)))
        for (o in out) {
            expect_true(all(is.finite(o) & o >= 0))
            expect_identical(o[-at, ], x[-at, ] + 0)
            expect_identical(dimnames(o), dimnames(x))
            # a cell without counts stays as it came
            expect_identical(unname(o[, 9]), numeric(60))
        }
        expect_identical(out$observed[x > 0], x[x > 0] + 0)
        expect_true(all(out$max >= x))
        expect_identical(out$max, pmax(out$none, x))
        expect_gt(mean(out$observed[at, ][x[at, ] == 0] > 0),
            if (output == "softplus") 0.9 else 0.2)
        expect_false(any(c(4, 5) %in% c(at, unlist(predictors(f)))))
        expect_identical(f@recipe$status[4:5], rep("not selected", 2))
    }
})

test_that("predictions above the limit are left out, and counted in one warning", {
    f <- fitted(learning.rate = 0.02, n.genes = 32)
    expect_equal(f@extras$limit[1], 2 * log1p(max(counts[f@recipe$selected, ])), tolerance = 1e-6)
    expect_warning(infill(counts, f), NA)
    at <- targets(f)
    y <- log1p(unname(plain(infill(counts, f, keep = "none"))[at, ]))
    limit <- median(y)
    f@extras$limit[] <- limit
    above <- sum(y > limit)
    for (keep in c("none", "observed", "max")) {
        said <- capture_warnings(out <- plain(infill(counts, f, keep = keep)))
        expect_length(said, 1)
        expect_match(said, sprintf("^%d predictions", above))
        expect_identical(unname(out[at, ])[y > limit], unname(counts[at, ])[y > limit] + 0)
        expect_equal(unname(out), refDeepInfill(counts, f, keep), tolerance = 1e-4)
    }
    late <- suppressWarnings(plain(infill(counts, f, keep = "none", as = "delayed")))
    whole <- suppressWarnings(plain(infill(counts, f, keep = "none")))
    expect_identical(suppressWarnings(as.matrix(late)), whole)
    expect_warning(as.matrix(late[at[1:2], ]), sprintf("^%d predictions", sum(y[1:2, ] > limit)))
    f@weights[1] <- NaN                                        # not finite
    expect_true(all(is.finite(suppressWarnings(infill(counts, f)))))
})
