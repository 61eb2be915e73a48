# AutoImpute: losses, gradients and steps, against the formulas in plain R (helper-autoimpute.R).

counts <- smallCounts()
X <- function(x = counts, ...) unname(as.matrix(as(prepareCounts(x, ...), "dgCMatrix")))

# A worked example (1 hidden unit, 2 genes, 2 cells): the start is put into a fit that is then
# resumed.
golden <- function(steps, lambda = 0.4, arithmetic = "auto") {
    prepared <- handPrepared(rbind(c(1, 2), c(0, 3)))
    p <- function(n) AutoImputeParam(hidden = 1, lambda = lambda, learning.rate = 0.1, max.iter = n,
        stop = "paper", threshold = 0, arithmetic = arithmetic)
    start <- fitInfill(prepared, p(1), seed = 1, keep.state = TRUE)
    start@weights <- c(0.5, -0.25, 1, -0.5, 0.1, 0.2, 0.3)     # E, D, b_e, b_d
    start@state <- c(start@weights, rep(1, 7))
    fitInfill(prepared, p(1 + steps), resume = start)
}

test_that("losses and steps are those of the formulas, for every option that enters them", {
    step <- function(n, ...) fitInfill(counts,
        smallParam(max.iter = n, stop = "paper", threshold = 0, learning.rate = 0.01, ...),
        seed = 1, keep.state = TRUE)
    for (more in list(list(), list(lambda = 0), list(lambda = 30), list(bias = FALSE),
        list(arithmetic = "dense"), list(init = "reference"), list(block.cells = 7))) {
        lambda <- if (is.null(more$lambda)) 1 else more$lambda
        bias <- !identical(more$bias, FALSE)
        fits <- lapply(1:4, function(n) do.call(step, c(list(n), more)))
        s <- NULL
        for (n in 2:4) {
            w <- fitParts(fits[[n - 1]], "weights")
            loss <- refLoss(w, X(), lambda)
            h <- fitParts(fits[[4]], "history")
            expect_equal(h$train[n], loss[["sse"]], tolerance = 1e-5)
            expect_equal(h$penalty[n], loss[["penalty"]], tolerance = 1e-5)
            expect_identical(h$valid[n], 0)
            # the running squares before this step, from the state: weights, then squares
            object <- fits[[n - 1]]
            size <- length(object@weights)
            expect_identical(object@state[seq_len(size)], object@weights)
            object@weights <- object@state[size + seq_len(size)]
            now <- refStep(w, refGradient(w, X(), lambda, bias), 0.01, fitParts(object, "weights"))
            expect_equal(fitParts(fits[[n]], "weights"), now$w, tolerance = 1e-5)
        }
    }
})

test_that("the first step starts from running squares of 1, as TensorFlow 1 has it", {
    one <- function(lr) fitInfill(counts,
        smallParam(max.iter = 1, stop = "paper", threshold = 0, learning.rate = lr), seed = 1,
        keep.state = TRUE)
    start <- fitParts(one(1e-8), "weights")
    now <- refStep(start, refGradient(start, X(), 1), 0.01)
    fit <- one(0.01)
    expect_equal(fitParts(fit, "weights"), now$w, tolerance = 1e-5)
    expect_equal(fit@state[length(fit@weights) + seq_along(fit@weights)],
        unlist(now$s, use.names = FALSE), tolerance = 1e-5)
})

test_that("a worked example: losses (equations 8 and 9 of the paper) and two RMSProp steps", {
    for (arithmetic in c("sparse", "dense")) {
        one <- fitParts(golden(1, arithmetic = arithmetic), "weights")
        two <- fitParts(golden(2, arithmetic = arithmetic), "weights")
        h <- fitParts(golden(3, arithmetic = arithmetic), "history")[-1, ]
        near <- function(a, b) expect_lt(max(abs(a - b)), 1e-5)
        near(h$train, c(10.4560163847, 7.50574896426, 5.79258605019))
        near(h$train[1] + h$penalty[1], 10.7685163847)
        near(h$penalty[1], 0.3125)
        near(h$train + h$penalty, c(10.7685163847, 7.82715425308, 6.11987439205))
        near(one$E, c(0.457780440891, -0.282727471940))
        near(one$b_e, 0.0929643437308)
        near(one$D, c(1.11936755904, -0.254056994402))
        near(one$b_d, c(0.413066402097, 0.582716203347))
        near(two$E, c(0.479843481993, -0.199073112040))
        near(two$b_e, 0.110712025283)
        near(two$D, c(1.16589452174, -0.0851575148428))
        near(two$b_d, c(0.541934868415, 0.780896849218))
    }
})
