# GraphSCI: the fit as a whole.

counts <- withSeed(5, {
    group <- rep(1:2, 40)
    matrix(rpois(60 * 80, (rexp(60) + 0.3) * (1 + 3 * outer(1:60 %% 4, group, "=="))), 60,
        dimnames = list(paste0("g", 1:60), paste0("c", 1:80)))
})
quick <- function(...) GraphSciParam(..., max.iter = 20)

test_that("held-out edges leave the graph in both directions, and are watched", {
    whole <- fitInfill(counts, quick(), seed = 1)@recipe
    held <- fitInfill(counts, quick(valid.edges = 0.2), seed = 1)
    plan <- held@recipe$plan
    graphOf <- function(plan) {
        m <- matrix(0, 60, 60)
        m[cbind(plan$neighbours + 1, rep(1:60, diff(plan$first)))] <- 1
        m
    }
    full <- graphOf(whole$plan)
    left <- graphOf(plan)
    expect_identical(left, t(left))
    n <- length(plan$pairs) / 4
    expect_identical(n, floor(0.2 * sum(full) / 2))
    expect_gt(n, 20)
    pairs <- matrix(plan$pairs, ncol = 2, byrow = TRUE) + 1
    expect_identical(anyDuplicated(pairs), 0L)
    is.edge <- rep(c(TRUE, FALSE), each = n)
    expect_true(all(full[pairs] == is.edge) && all(left[pairs] == 0) &&
        all(pairs[, 1] > pairs[, 2]))
    expect_identical(sum(full) - sum(left), 2 * n)
    h <- fitParts(held, "history")
    expect_identical(which(is.finite(h$edge.auc)), c(10L, 20L))
    expect_true(all(h$edge.auc[c(10, 20)] >= 0 & h$edge.auc[c(10, 20)] <= 1))
    # the area at the kept epoch, from the edges' probabilities
    e <- as.matrix(fitParts(held, "edges", threshold = 0, as = "matrix"))[pairs]
    if (held@best == 20) expect_equal(mean(outer(e[is.edge], e[!is.edge], ">")), h$edge.auc[20],
        tolerance = 1e-9)
    expect_null(fitParts(fitInfill(counts, quick(), seed = 1), "history")$edge.auc)
    skip_if_not_installed("ggplot2")
    expect_true("edge.auc" %in% plot(held)$data$panel)
})

test_that("the network finds held-out edges of groups again", {
    fit <- fitInfill(counts, GraphSciParam(valid.edges = 0.2, max.iter = 200, stop = "none"),
        seed = 1)
    expect_gt(max(fitParts(fit, "history")$edge.auc, na.rm = TRUE), 0.7)
})

test_that("draws are averaged, the mean is one answer, and the reference's evaluation another", {
    mean <- infill(counts, quick(), seed = 1)
    fit <- fitInfill(counts, quick(n.draws = 4), seed = 1)
    drawn <- infill(counts, fit)
    expect_identical(drawn, infill(counts, fit, num.threads = 2))
    expect_identical(unname(drawn[counts > 0]), as.double(counts[counts > 0]))
    expect_false(identical(drawn, mean))
    w <- fitParts(fit, "weights")
    expect_identical(dim(w$E2), c(80L, 128L))
    each <- vapply(1:4,
        function(d) exp(sum(w$E2[3, 32 * (d - 1) + 1:32] * w$D[32 * (d - 1) + 1:32, 7]) +
        w$d0[7, d]), 0)
    expect_gt(diff(range(each)), 0)
    expect_equal(fitParts(fit, "mean")[7, 3], mean(each), tolerance = 1e-12)
    expect_equal(infill(counts, fit, keep = "none", output = "normcounts")[7, 3], mean(each),
        tolerance = 1e-12)
    expect_true(all(fitParts(fit, "dropout") > 0 & fitParts(fit, "dropout") < 1))
    reference <- infill(counts, quick(eval = "reference"), seed = 1)
    expect_true(all(is.finite(reference)) && !identical(reference, mean))
})

test_that("a fit goes on where it stopped, and from a checkpoint, with the same bits", {
    param <- GraphSciParam(max.iter = 34, valid.edges = 0.1)
    whole <- fitInfill(counts, param, seed = 3)
    half <- fitInfill(counts, GraphSciParam(max.iter = 17, valid.edges = 0.1), seed = 3,
        keep.state = TRUE)
    on <- fitInfill(counts, param, seed = 3, resume = half, num.threads = 2)
    for (what in c("weights", "history", "best", "stopped")) expect_identical(slot(on, what),
        slot(whole, what))
    file <- tempfile(fileext = ".rds")
    fit <- fitInfill(counts, param, seed = 3, checkpoint = file, checkpoint.every = 9)
    expect_identical(fit@weights, whole@weights)
    expect_false(file.exists(file))
    expect_error(fitInfill(counts, GraphSciParam(max.iter = 34), seed = 3, resume = half),
        "another 'valid.edges'", class = "infill_mismatch")
})

test_that("the cost's window stops, dropout on cells matters, what diverges keeps what was good", {
    fit <- fitInfill(counts, GraphSciParam(stop = "cost", learning.rate = 1e-6, max.iter = 100),
        seed = 1)
    expect_identical(fit@stopped, "the window's threshold")
    expect_lt(nrow(fitParts(fit, "history")), 100)
    expect_identical(fit@best, nrow(fitParts(fit, "history")))
    expect_false(identical(infill(counts, quick(cell.dropout = 0.2), seed = 1),
        infill(counts, quick(), seed = 1)))
})

test_that("the edges that were given are those that are used", {
    e <- data.frame(from = c("g1", "g2", "g9"), to = c("g2", "g1", "g7"))
    plan <- fitInfill(counts, quick(adj = e), seed = 1)@recipe$plan
    expect_identical(c(length(plan$neighbours), length(plan$pairs)), c(4L, 0L))
    m <- Matrix::sparseMatrix(c(1, 2, 7, 9), c(2, 1, 9, 7), x = 1, dims = c(60, 60))
    expect_identical(fitInfill(counts, quick(adj = m), seed = 1)@recipe$plan, plan)
})

test_that("the memory needed is said before the start, and refused before the graph is made", {
    expect_message(fitInfill(counts, quick(), seed = 1, progress = TRUE),
        "memory about [0-9.]+ [KMG]b")
    old <- options(infill.memory.limit = 1e5)
    on.exit(options(old))
    expect_error(fitInfill(counts, quick(), seed = 1),
        "a fit to 60 genes x 80 cells needs about .*inner = \"edges\".*'n.genes'")
})

test_that("an entry is held out however small the matrix and the share", {
    x <- withSeed(1, matrix(rpois(20 * 15, 1.5), 20))
    for (seed in 1:5) for (share in c(1e-3, 1e-12)) {
        fit <- fitInfill(x, GraphSciParam(max.iter = 3, valid.fraction = share), seed = seed)
        expect_identical(fit@best, 3L)
        expect_true(is.finite(fit@history$valid[3]))
        # the weights are those of the last epoch, as of a fit that holds nothing out
        expect_gt(sd(fit@weights), 0)
    }
    # and where the share is enough it is what it was: of 300 entries three or so
    expect_true(all(is.finite(infill(x, GraphSciParam(max.iter = 10, valid.fraction = 0.01),
        seed = 1))))
})
