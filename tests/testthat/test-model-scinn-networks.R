# scINN: what is made of a fit, and odd data.

data <- scinnSeen
counts <- data$counts
seen <- unname(counts > 0)
on <- which(rowSums(seen) >= 3)

# ---- what is filled in ----

test_that("zeros become what the oracle says; all else stays, to the bit", {
    for (more in list(list(), list(predictor = "linear"), list(n.genes = 20), list(paper = TRUE))) {
        fit <- do.call(scinnFit, c(max.iter = 5, more))
        at <- fitParts(fit, "genes")
        out <- plain(quiet(infill(counts, fit)))
        input <- refScinnInput(counts, at)
        expected <- t(2^refScinnPredict(fitParts(fit, "weights"), input$xs, input$s) - 1)
        got <- unname(out[at, ])
        fill <- !seen[at, ]
        expect_lt(mostAway(list(got[fill]), list(expected[fill])), 1e-4)
        expect_identical(unname(out)[seen], unname(counts)[seen] + 0)
        expect_identical(out[-at, ], counts[-at, ] + 0)
        expect_gte(min(out), 0)
        expect_gt(mean(got[fill] > 0), 0.3)
        expect_identical(dimnames(out), dimnames(counts))
        expect_identical(do.call(scinnFilled, c(max.iter = 5, more)), out)
        expect_identical(plain(as.matrix(quiet(infill(sparse(counts), fit)))), out)
        # cells by themselves: nothing of the others is needed
        expect_equal(plain(quiet(infill(counts[, c(9, 2, 2, 30)], fit))), out[, c(9, 2, 2, 30)],
            tolerance = 1e-5)
    }
})

test_that("'auto' takes logarithms of what spreads over more than 100", {
    expect_lte(max(counts), 100)
    wide <- counts
    wide[2, 3] <- 101
    go <- function(x, log)
        plain(quiet(infill(x, scinnParam(log = log, max.iter = 2), seed = 1, check.scale = FALSE)))
    expect_identical(go(counts, "auto"), go(counts, "none"))
    expect_identical(go(wide, "auto"), go(wide, "log2"))
    expect_false(identical(go(counts, "none"), go(counts, "log2")))
})

test_that("small values can be left at 0", {
    out <- scinnFilled(max.iter = 5)
    new <- log2(out[on, ] + 1)[!seen[on, ] & out[on, ] > 0]
    limit <- unname(quantile(new, 0.4))
    limit <- mean(sort(new)[sum(new < limit) + 0:1])           # between two values
    few <- scinnFilled(max.iter = 5, min.value = limit)
    out[!seen & log2(out + 1) < limit] <- 0
    expect_identical(few, out)
})

test_that("values of a scaled cell are scaled", {
    x <- log2(counts + 1)
    go <- function(x)
        plain(quiet(infill(x, scinnParam(log = "none", max.iter = 4), seed = 1,
        check.scale = FALSE)))
    out <- go(x)
    fit <- quiet(fitInfill(x, scinnParam(log = "none", max.iter = 4), seed = 1,
        check.scale = FALSE))
    input <- refScinnInput(x, fitParts(fit, "genes"), "none")
    expected <- t(refScinnPredict(fitParts(fit, "weights"), input$xs, input$s))
    expect_lt(mostAway(list(out[fitParts(fit, "genes"), ]), list(expected)), 1e-5)
    for (by in c(4, 3, 0.07)) {
        scaled <- x
        scaled[, 6] <- by * x[, 6]
        again <- go(scaled)
        expect_lt(mostAway(list(again[, 6]), list(by * out[, 6])), 1e-4)
        expect_lt(mostAway(list(again[, -6]), list(out[, -6])), 1e-4)
        expect_identical(again[seen], scaled[seen])
    }
})

test_that("permuted cells get permuted values", {
    # first come clusters 1, 2, 3 as before, so that their numbers stay
    order <- c(4, 5, 6, withSeed(1, sample(setdiff(1:40, 4:6))))
    expect_identical(unique(data$group[order]), 1:3)
    for (predictor in c("mlp", "linear")) {
        go <- function(at) scinnFilled(x = counts[, at], latent = data$latent[at, ],
            labels = data$group[at], drop = 0, batch.size = 1000, max.iter = 3,
            predictor = predictor)
        # Adam makes whole steps also of gradients that are rounding: those hardly change what is
        # filled in
        expect_lt(mostAway(list(go(order)), list(go(1:40)[, order])), 1e-3)
    }
})

test_that("bits depend on the seed alone, not on threads, kind of matrix or a pause", {
    same <- function(a, b) for (s in c("weights", "history", "state")) expect_identical(slot(a, s),
        slot(b, s), info = s)
    for (more in list(list(), list(valid.fraction = 0.1),
        list(predictor = "linear", batch.size = 11), list(drop = 0, hidden = 33))) {
        go <- function(n, ...) quiet(fitInfill(counts, do.call(scinnParam, c(max.iter = n, more)),
            keep.state = TRUE, ...))
        six <- go(6, seed = 3)
        same(go(6, seed = 3, num.threads = 2), six)
        same(go(6, seed = 3, num.threads = 3), six)
        same(go(6, resume = go(3, seed = 3)), six)
        same(go(6, seed = 3, resume = go(1, seed = 3), num.threads = 2), six)
        same(quiet(fitInfill(sparse(counts), do.call(scinnParam, c(max.iter = 6, more)), seed = 3,
            keep.state = TRUE)), six)
        expect_false(identical(go(6, seed = 4)@weights, six@weights))
        expect_identical(infill(counts, six, num.threads = 2), infill(counts, six, num.threads = 1))
    }
    withSeed(5, {
        before <- .Random.seed
        scinnFit(max.iter = 1)
        expect_identical(.Random.seed, before)
    })
})

test_that("a fit survives saveRDS", {
    fit <- scinnFit(max.iter = 3, keep.state = FALSE)
    expect_length(fit@state, 0)
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(readRDS(file), fit)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expect_output(print(fit), "ScInnParam")
})

test_that("hidden entries give a validation error, an end, and the weights before it got worse", {
    go <- function(n) scinnFit(valid.fraction = 0.1, patience = 2, max.iter = n,
        learning.rate = 0.02)
    fit <- go(300)
    h <- fitParts(fit, "history")
    expect_true(all(is.finite(h$valid)))
    expect_identical(nrow(h), which.min(h$valid) + 2L)
    expect_lt(nrow(h), 300)
    expect_identical(go(which.min(h$valid))@weights, fit@weights)
    expect_lt(abs(h$reconstruction[1] - 1), 0.3)
    out <- plain(quiet(infill(counts, fit)))
    expect_identical(out[seen], counts[seen] + 0)              # hidden ones too
})

# ---- the edges ----

test_that("nothing to fill in, or nothing to learn from: the input, with a message", {
    for (x in list(counts + 1, counts[, 1:2])) {
        n <- ncol(x)
        p <- scinnParam(latent = data$latent[seq_len(n), ], labels = data$group[seq_len(n)],
            max.iter = 2)
        expect_message(out <- infill(x, p, seed = 1))
        expect_identical(plain(out), x + 0)
    }
    expect_message(out <- infill(counts[, 1:2], ScInnParam(), seed = 1))
    expect_identical(plain(out), counts[, 1:2] + 0)
})

test_that("an all-zero cell stays so, with one warning", {
    x <- counts
    x[, 9] <- 0
    warned <- capture_warnings(suppressMessages(out <- infill(x, scinnParam(max.iter = 3),
        seed = 1)))
    expect_length(warned, 1)
    expect_true(all(out[, 9] == 0))
    expect_identical(out[x > 0], x[x > 0] + 0)
    expect_true(all(is.finite(out)))
    # its latent row is none's business
    l <- data$latent
    l[9, ] <- 100
    expect_identical(plain(quiet(infill(x, scinnParam(max.iter = 3, latent = l), seed = 1))),
        plain(out))
})

test_that("few cells, duplicated cells, more clusters than a batch has cells", {
    few <- scinnFilled(x = counts[, 1:6], latent = data$latent[1:6, ], labels = data$group[1:6],
        max.iter = 3)
    expect_identical(few[counts[, 1:6] > 0], counts[, 1:6][counts[, 1:6] > 0] + 0)
    expect_true(all(is.finite(few)))
    twice <- c(1:20, 1:20)
    out <- scinnFilled(x = counts[, twice], latent = data$latent[twice, ],
        labels = data$group[twice], max.iter = 3)
    expect_identical(unname(out[, 1:20]), unname(out[, 21:40]))
    expect_true(all(is.finite(scinnFilled(labels = 1:40, batch.size = 10, max.iter = 3))))
})
