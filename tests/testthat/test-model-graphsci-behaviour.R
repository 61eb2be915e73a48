# GraphSCI: bits, stops, odd data.

counts <- graphSeen$counts
Y <- graphSeen$Y
ready <- graphSeen$ready
graph <- graphSeen$graph
costs <- c(adj = "adjacency", exp = "expression", kl = "divergence", mse = "error", l2 = "penalty")

# ---- what must hold ----

test_that("bits depend on the seed alone, not on threads or on the kind of matrix", {
    for (v in graphVariants[c("default", "both", "unscaled")]) {
        one <- do.call(graphFit, v[[1]])
        for (threads in 2:3) expectSameGraph(do.call(graphFit, c(v[[1]], num.threads = threads)),
            one)
        expectSameGraph(do.call(graphFit, c(v[[1]], list(x = sparse(counts)))), one)
        other <- do.call(graphFit, c(v[[1]], seed = 2))
        expectOtherGraph(other, one)
        expect_false(identical(fitParts(other, "weights")$E2, fitParts(one, "weights")$E2))
        expect_identical(infill(counts, one, num.threads = 2), infill(counts, one, num.threads = 1))
    }
    p <- list(max.iter = 20, stop = "validation")
    expectSameGraph(do.call(graphFit, c(p, num.threads = 2)), do.call(graphFit, p))
    withSeed(5, {
        before <- .Random.seed
        graphFit(max.iter = 1)
        expect_identical(.Random.seed, before)
    })
})

test_that("every argument counts", {
    one <- graphFit()
    for (more in list(list(dist = "nb"), list(latent = "inner"), list(inner = "edges"),
        list(scale = FALSE), list(dropout = 0), list(l2 = 0), list(mse.weight = 1),
        list(init = "reference"), list(learning.rate = 0.02)))
        expectOtherGraph(do.call(graphFit, more), one)
    paper <- quiet(fitInfill(counts, GraphSciParam(paper = TRUE), seed = 1))
    expect_true(all(is.finite(graphFilled(counts, paper, keep = "none"))))
})

test_that("the depth of a cell goes through to its own values", {
    k <- which.max(colSums(counts))                            # stays above the median, which stays
    deep <- counts
    deep[, k] <- 3 * deep[, k]
    start <- function(x) graphFilled(x,
        graphFit(x = x, adj = graph, max.iter = 1, learning.rate = 1e-8), keep = "none")
    expectClose(start(deep), start(counts) * rep(ifelse(seq_len(80) == k, 3, 1), each = 60))
})

test_that("the held-out stop keeps the weights of the lowest likelihood", {
    for (more in list(list(), list(dist = "nb", latent = "inner"))) {
        run <- function(n) do.call(graphFit,
            c(more, stop = "validation", patience = 20, learning.rate = 0.05, valid.fraction = 0.2,
            max.iter = n))
        fit <- run(400)
        h <- fitParts(fit, "history")
        seen <- which(!is.na(h$valid))
        expect_true(all(utils::head(seen, -1) %% 10 == 0) &&
            all(seq_len(nrow(h) %/% 10) * 10 %in% seen))
        best <- seen[which.min(h$valid[seen])]
        expect_lt(nrow(h), 400)
        expect_lte(nrow(h), best + 20)
        expect_identical(fitParts(run(best), "weights"), fitParts(fit, "weights"))
        if (best < nrow(h)) expect_false(identical(fitParts(run(nrow(h)), "history")$valid[best],
            h$valid[nrow(h)]))
        expect_equal(fitParts(run(best), "history"), h[seq_len(best), ], ignore_attr = TRUE)
        # held-out ones too
        expect_identical(graphFilled(counts, fit)[counts > 0], counts[counts > 0] + 0)
    }
})

test_that("the held-out likelihood is that of the prediction", {
    for (dist in c("zinb", "nb")) for (fraction in c(0.2, 0.5)) {
        fit <- graphFit(dist = dist, stop = "validation", valid.fraction = fraction, max.iter = 10,
            patience = 100)
        p <- graphHeads(fit)
        l <- if (dist == "nb") 0 * Y else p$l
        NLL <- refGraphZinb(Y, p$mean * ready$sf, p$dispersion, l, dist)$NLL
        # which entries is not told: the mean of so many of these, as a sample without replacement
        spread <- sd(NLL) * sqrt((1 - fraction) / (fraction * length(NLL)))
        expect_lt(abs(fitParts(fit, "history")$valid[10] - mean(NLL)), 5 * spread)
    }
    # whether what is left out counts in the denominator is not said
    part <- function(...) fitParts(graphFit(max.iter = 1, ...), "history")$expression
    ratio <- part(stop = "validation", valid.fraction = 0.5) / part()
    expect_lt(min(abs(ratio - c(0.5, 1))), 0.1)
})

test_that("training gets better, and finds the graph", {
    fit <- graphFit(max.iter = 60)
    h <- fitParts(fit, "history")
    for (part in c("train", "adjacency", "expression")) expect_lt(mean(h[[part]][51:60]),
        mean(h[[part]][1:5]))
    p <- graphEdges(fit)
    expect_gt(mean(p[graph == 1]), mean(p[graph == 0 & diag(60) == 0]) + 0.05)
    reference <- fitParts(graphFit(max.iter = 60, init = "reference"), "history")
    expect_gt(reference$expression[60], h$expression[60] + 0.3)
})

test_that("hidden entries come back better than nothing", {
    m <- maskCounts(counts, fraction = 0.1, seed = 1)
    seen <- maskedData(m)
    hidden <- hiddenEntries(m)
    at <- cbind(hidden$row, hidden$col)
    truth <- log1p(hidden$value)
    error <- function(x) mean(abs(log1p(x[at]) - truth))
    for (dist in c("zinb", "nb")) {
        filled <- graphFilled(seen, GraphSciParam(dist = dist, max.iter = 100), seed = 1)
        expect_lt(error(filled), 0.8 * mean(truth))
        sf <- colSums(seen) / median(colSums(seen))
        expect_lt(error(filled), 1.25 * error(rowMeans(t(t(seen) / sf)) %o% sf))
    }
})

test_that("a fit survives saveRDS", {
    fit <- graphFit()
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expect_identical(fitParts(readRDS(file), "edges"), fitParts(fit, "edges"))
    expect_output(print(fit), "GraphSci")
})

# ---- the edges ----

test_that("genes and cells without counts come back as zeros", {
    x <- counts
    x[c(5, 17), ] <- 0
    x[, 9] <- 0
    said <- character()
    note <- function(restart) function(c) {
        said <<- c(said, conditionMessage(c))
        invokeRestart(restart)
    }
    fit <- withCallingHandlers(fitInfill(x, GraphSciParam(max.iter = 3, stop = "none"), seed = 1),
        message = note("muffleMessage"), warning = note("muffleWarning"))
    expect_match(said, "2 .*genes?|genes?.* 2", all = FALSE)
    expect_match(said, "1 .*cells?|cells?.* 1", all = FALSE)
    w <- fitParts(fit, "weights")
    expect_identical(dim(w$E2), c(79L, 32L))
    expect_identical(dim(w$Qa), c(58L, 32L))
    expect_setequal(fitParts(fit, "genes"), setdiff(1:60, c(5, 17)))
    for (keep in c("observed", "none")) for (output in c("counts", "normcounts")) {
        all <- graphFilled(x, fit, keep = keep, output = output)
        expect_true(all(all[c(5, 17), ] == 0) && all(all[, 9] == 0))
        expect_true(all(all[-c(5, 17), -9] > 0))
        expect_identical(dimnames(all), dimnames(x))
    }
    y <- t(x[-c(5, 17), -9])
    expectClose(graphFilled(x, fit, keep = "none")[-c(5, 17), -9],
        t(graphHeads(fit)$mean * refGraphPrepare(y)$sf))
    expect_false(any(c("g5", "g17") %in% unlist(fitParts(fit, "edges", threshold = 0.01)[1:2])))
    # a graph of all genes, those without counts included
    A <- refGraphAdjacency(t(x[, -9]))
    dimnames(A) <- dimnames(graph)
    expectSameGraph(graphFit(x = x, adj = A), graphFit(x = x))
})

test_that("few genes, few cells, constant genes, huge counts", {
    few <- counts[1:9, ]
    huge <- counts
    huge[2, 7] <- 1e6
    flat <- counts
    flat[4, ] <- 2
    two <- counts[, 2:3][rowSums(counts[, 2:3]) > 0, ]
    for (x in list(few, huge, flat, two, counts[1:2, colSums(counts[1:2, ]) > 0],
        counts[, rep(1:10, 2)])) {
        fit <- graphFit(x = x, max.iter = 5)
        expect_true(all(is.finite(as.matrix(fitParts(fit, "history")[c("train", costs)]))))
        all <- graphFilled(x, fit, keep = "none")
        expect_true(all(is.finite(all)) && all(all > 0))
        expect_identical(graphFilled(x, fit)[x > 0], x[x > 0] + 0)
    }
    expect_lte(max(graphFilled(huge, graphFit(x = huge, max.iter = 5), keep = "none")),
        1e6 * max(colSums(huge)) / median(colSums(huge)))
    bare <- unname(counts)
    expect_identical(unname(graphFilled(bare, graphFit(x = bare))),
        unname(graphFilled(counts, graphFit())))
    ints <- counts
    storage.mode(ints) <- "integer"
    expectSameGraph(graphFit(x = ints), graphFit())
})

test_that("a fit is of its own cells alone", {
    fit <- graphFit()
    new <- refGraphData(seed = 2)$counts
    changed <- counts
    changed[, 4] <- rev(changed[, 4])
    for (x in list(new, cbind(counts, new[, 1:5]), unname(new), changed))
        expect_error(quiet(infill(x, fit)), class = "infill_error")
})
