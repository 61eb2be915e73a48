# deepMc: the fit as a whole.

counts <- smallCounts()
param <- DeepMcParam(c(6, 3), sweeps = 5)
fit <- fitInfill(counts, param, seed = 1)
y <- unname(as.matrix(as(prepareCounts(counts), "dgCMatrix")))                # 49 x 40, 39 % zeros
total <- function(fit) fitParts(fit, "history")$train + fitParts(fit, "history")$penalty
distance <- function(a, b) sqrt(sum((a - b)^2) / sum(b^2))
kinds <- c("mm", "exact", "exact.block")

# ---- the edges ----

test_that("genes and cells without entries, a gene with one, equal cells", {
    z <- y
    z[7, ] <- 0
    z[, c(3, 9)] <- 0
    z[11, ] <- c(5, numeric(39))
    z[, 20] <- z[, 21]
    for (a in list(list(ranks = 4, step = "exact"), list(ranks = c(6, 3)),
        list(ranks = c(8, 5, 3), step = "exact", zero.weight = 0.2, lambda = 1),
        list(ranks = c(6, 3), step = "exact.block", lambda = NA, accelerate = TRUE, tol = 1e-4,
        sweeps = 90)))
        for (init in c("svd", "mean")) {
            expectMc(z, c(a, init = init), 1e-7, 1e-7)
            expect_match(capture_warnings(f <- do.call(mcFit, c(list(z), a, init = init))),
                "1 of the 49 modelled genes", all = FALSE)
            w <- fitParts(f, "weights")
            expect_true(all(w$D1[7, ] == 0) && all(w$Z[, c(3, 9)] == 0))
            expect_true(all(is.finite(unlist(w[c("D1", "Z", "summary")]))) &&
                all(is.finite(mcSteps(f))))
            expect_lte(max(abs(w$Z[, 20] - w$Z[, 21])), 1e-12 * max(abs(w$Z)))
        }
    for (more in list(list(init = "random"), list(nonneg = TRUE))) {
        w <- fitParts(suppressWarnings(do.call(mcFit, c(list(z, c(6, 3)), more))), "weights")
        expect_true(all(w$Z[, c(3, 9)] == 0) && all(w$D1[7, ] == 0))
    }
    # a singular vector of its own, of value 0
    expect_true(all(fitParts(suppressWarnings(mcFit(z[1:9, ], c(9, 9))), "weights")$D1[7, ] == 0))
    x <- counts
    x[, c(3, 9)] <- 0
    x[4, ] <- 0
    expect_warning(out <- plain(infill(x, param, seed = 1, keep = "none")),
        "2 of 40 cells have no counts")
    expect_identical(unname(out[, c(3, 9)]), matrix(0, 60, 2))
    said <- capture_warnings(out <- plain(infill(x,
        DeepMcParam(c(6, 3), min.cells = 0, gene.selection = "none"), seed = 1)))
    expect_match(said, "modelled genes have no counts; they stay", all = FALSE)
    expect_identical(unname(out[4, ]), numeric(40))
    expect_true(all(is.finite(out)))
})

test_that("nothing at all to learn from", {
    said <- capture_warnings(f <- mcFit(matrix(0, 6, 5), c(3, 2)))
    expect_match(said, "6 of the 6 modelled genes have no counts", all = FALSE)
    expect_match(said, "no counts after preparation", all = FALSE)
    expect_identical(fitParts(f, "history")$iteration, 0L)
    expect_true(all(mcProduct(f) == 0) && total(f) == 0)
    for (more in list(list(nonneg = TRUE), list(init = "random"),
        list(lambda = NA, accelerate = TRUE), list(zero.weight = 1)))
        expect_true(all(mcProduct(suppressWarnings(do.call(mcFit,
            c(list(matrix(0, 6, 5), 3), more)))) == 0))
    expect_identical(plain(suppressWarnings(infill(counts * 0, DeepMcParam(), seed = 1))),
        counts * 0)
})

test_that("a constant gene, and no zeros at all", {
    x <- counts
    x[5, ] <- 7
    out <- infill(x, DeepMcParam(c(6, 3), min.cells = 1, gene.selection = "none"), seed = 1)
    expect_identical(unname(out[5, ]), rep(7, 40))
    for (p in list(param, DeepMcParam(c(6, 3), step = "exact", lambda = 1, zero.weight = 0.3))) {
        out <- plain(infill(counts + 1, p, seed = 1))
        expect_identical(out, counts + 1)
        expect_gt(max(abs(plain(infill(counts + 1, p, seed = 1, keep = "none")) - out)), 0.1)
    }
})

test_that("a zero that is stored counts as observed", {
    stored <- handPrepared(y)
    at <- which(as.matrix(stored@x) == 0, arr.ind = TRUE)[1:30, ]
    triplets <- function(m) data.frame(i = m@i + 1L, j = rep(seq_len(ncol(m)), diff(m@p)), x = m@x)
    full <- triplets(stored@x)
    stored@x <- local({
        m <- Matrix::sparseMatrix(c(full$i, at[, 1]), c(full$j, at[, 2]), x = c(full$x, rep(1, 30)),
            dims = dim(stored@x))
        k <- triplets(m)
        m@x[k$x == 1 & paste(k$i, k$j) %in% paste(at[, 1], at[, 2])] <- 0
        m
    })
    f <- fitInfill(stored, DeepMcParam(c(6, 3)), seed = 1)
    expect_identical(f@entries, length(full$x) + 30)
    expect_lt(mean(abs(mcProduct(f)[at])), 0.5 * mean(abs(mcProduct(mcFit(y, c(6, 3)))[at])))
})

test_that("ranks are cut to the matrix, with a warning", {
    expect_warning(f <- fitInfill(counts[, 1:5], DeepMcParam(), seed = 1),
        "'ranks' \\(30, 10\\) are cut to 5, 5: .* x 5 cells")
    expect_identical(vapply(mcFactors(f), ncol, 0L), c(5L, 5L, 5L))
    expect_warning(f <- mcFit(y, c(200, 41, 7)),
        "'ranks' \\(200, 41, 7\\) are cut to 40, 40, 7: 49 genes x 40 cells")
    expect_identical(mcProduct(f), mcProduct(mcFit(y, c(40, 40, 7))))
    expect_warning(mcFit(y, c(40, 40, 7)), NA)
    expect_identical(f@param@ranks, c(200, 41, 7))
})

test_that("one gene, one cell, one value", {
    for (step in kinds) for (z in list(matrix(c(1, 0, 3, 2), 1), matrix(c(1, 0, 3, 2)), matrix(2)))
        {
        f <- suppressWarnings(mcFit(z, c(3, 2), step = step))
        expect_lt(max(abs(mcProduct(f) - z)), 1e-12)
        expectMc(z, list(ranks = c(1, 1), step = step, lambda = 0.5, zero.weight = 0.5))
    }
    one <- counts[, 1, drop = FALSE]
    out <- suppressWarnings(infill(one, DeepMcParam(min.cells = 1, gene.selection = "none"),
        seed = 1))
    expect_identical(dimnames(out), dimnames(one))
    expect_true(all(is.finite(out)))
    gene <- counts[1, , drop = FALSE]
    out <- suppressWarnings(infill(gene, DeepMcParam(min.cells = 1), seed = 1))
    expect_identical(plain(out), gene + 0)                     # its zeros are cells without counts
})

test_that("huge and tiny values stay finite, or are an error of their own class", {
    huge <- counts
    huge[1:5, ] <- huge[1:5, ] * 1e12
    out <- infill(huge, DeepMcParam(c(6, 3), step = "exact"), seed = 1)
    expect_true(all(is.finite(out)))
    expect_identical(out[huge > 0], huge[huge > 0] + 0)
    expect_lt(distance(mcProduct(mcFit(1e100 * y, c(6, 3))) / 1e100, mcProduct(mcFit(y, c(6, 3)))),
        1e-8)
    expect_error(mcFit(1e160 * y, 3), "not finite", class = "infill_diverged")
    expect_true(all(is.finite(mcProduct(mcFit(1e-170 * y, 3, step = "exact")))))
})

# ---- infill() ----

test_that("all scales and ways to keep are those of the formulas", {
    for (f in list(fit,
        fitInfill(counts, DeepMcParam(5, log = "log1p", n.genes = 30, step = "exact"), seed = 1)))
        for (output in c("counts", "normcounts", "logcounts"))
            for (keep in c("observed", "none", "max"))
            for (nonneg in c(TRUE, FALSE))
                expect_equal(unname(plain(infill(counts, f, output = output, keep = keep,
                    nonneg = nonneg))), refMcInfill(counts, f, mcProduct(f), output, keep, nonneg),
                    tolerance = 1e-12)
    # there is something to floor
    expect_lt(min(mcProduct(fitInfill(counts, DeepMcParam(5), seed = 1))), 0)
})

test_that("what was seen stays, what is no modelled gene stays, nothing is below 0", {
    f <- fitInfill(counts, DeepMcParam(c(6, 3), n.genes = 40), seed = 1)
    out <- infill(counts, f)
    on <- f@recipe$status == "modelled"
    expect_identical(out[counts > 0], counts[counts > 0] + 0)
    expect_identical(plain(out)[!on, ], counts[!on, ] + 0)
    expect_identical(dimnames(out), dimnames(counts))
    expect_true(all(is.finite(out) & out >= 0))
    expect_gt(mean(out[on, ][counts[on, ] == 0] > 0), 0.8)
    expect_identical(sum(on), 40L)
    expect_identical(infill(counts, f@param, seed = 1), out)
    expect_identical(attr(out, "infill")$model, "DeepMcParam")
})

test_that("a delayed result is the dense one to the bit, whatever is asked for", {
    for (keep in c("observed", "none", "max")) for (output in c("counts", "logcounts")) {
        whole <- plain(infill(counts, fit, keep = keep, output = output))
        late <- infill(counts, fit, keep = keep, output = output, as = "delayed")
        expect_s4_class(late, "DelayedMatrix")
        expect_identical(as.matrix(late), whole)
        for (rows in list(7L, c(60L, 1L, 1L), integer(), which(fit@recipe$status != "modelled")))
            for (cols in list(3L, c(9L, 3L, 3L, 40L)))
            expect_identical(as.matrix(late[rows, cols, drop = FALSE]),
            whole[rows, cols, drop = FALSE])
    }
    expect_true(any(fit@recipe$status != "modelled"))
})

test_that("cells of the fit get their column of Z, in any order and company; genes go by name", {
    for (f in list(fit,
        fitInfill(counts, DeepMcParam(c(6, 3), step = "exact", lambda = 1, zero.weight = 0.2),
        seed = 1))) {
        whole <- plain(infill(counts, f, keep = "none"))
        for (at in list(1:13, 33, c(40, 2, 2, 9), withSeed(1, sample(40))))
            expect_identical(plain(infill(counts[, at, drop = FALSE], f, keep = "none")),
                whole[, at, drop = FALSE])
        genes <- withSeed(2, sample(60))
        expect_identical(plain(infill(counts[genes, ], f, keep = "none")), whole[genes, ])
        more <- cbind(counts[, 5:6], other = counts[, 1] + counts[, 2], counts[, 7:8])
        expect_identical(plain(infill(more, f, keep = "none"))[, -3], whole[, 5:8])
        lacking <- f@recipe$genes[f@recipe$selected[2]]
        expect_error(infill(counts[rownames(counts) != lacking, ], f), lacking,
            class = "infill_mismatch")
    }
})

test_that("new cells get the least-squares column, the factors of the genes fixed", {
    new <- cbind(smallCounts(seed = 7), one = 0, none = 0, few = 0)
    dimnames(new) <- list(rownames(counts), NULL)
    new[c(1, 4), c(41, 43)] <- c(9, 0, 3, 2)
    for (more in list(list(), list(zero.weight = 0.2), list(zero.weight = 1e6), list(lambda = 1),
        list(lambda = 3, zero.weight = 0.2))) {
        f <- fitInfill(counts, do.call(DeepMcParam, c(list(c(6, 3), sweeps = 5), more)), seed = 1)
        r <- f@recipe
        L <- refProduct(utils::head(mcFactors(f), -1))
        size <- colSums(new[r$kept, ]) / r$target
        z <- log2(new / rep(pmax(size, 1e-9), each = 60) + 1)[r$selected, ]
        s <- mcSummary(f)
        expected <- apply(z, 2, function(y) if (any(y > 0)) L %*%
            refMcCell(L, y, s[["w0"]], s[["lambda"]]) else 0 * y)
        got <- mcRaw(new, f)
        expect_lt(mcAway(got, unname(expected)), 1e-9)
        expect_identical(got[, 42], numeric(nrow(z)))
        expect_identical(mcRaw(cbind(new, counts), f)[, 44:83], mcRaw(counts, f))
    }
    expect_identical(mcRaw(new, f, num.threads = 2), got)
})

test_that("prepared counts are taken as they are", {
    prepared <- prepareCounts(counts, n.genes = 20, log = "log1p")
    f <- fitInfill(prepared, param, seed = 1)
    same <- fitInfill(counts, DeepMcParam(c(6, 3), sweeps = 5, n.genes = 20, log = "log1p"),
        seed = 1)
    expect_identical(f@weights, same@weights)
    expect_identical(f@recipe$log, "log1p")
    expect_equal(unname(plain(infill(counts, f, keep = "none"))),
        refMcInfill(counts, f, mcProduct(f), keep = "none"), tolerance = 1e-12)
})

test_that("a fit survives saveRDS, and says what it is", {
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(readRDS(file), fit)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expect_true(validObject(fit))
    expect_identical(lapply(fitParts(fit, "weights"), dim),
        list(D1 = c(49L, 6L), D2 = c(6L, 3L), Z = c(3L, 40L)))
    expect_identical(lapply(fit@extras, dim),
        list(cells = c(2L, 40L), steps = c(3L, 5L), summary = c(7L, 1L)))
    h <- fitParts(fit, "history")
    expect_identical(names(h), c("iteration", "train", "penalty", "step.D1", "step.D2", "step.Z"))
    expect_identical(h$iteration, 0:5)
    expect_identical(c(h$train[1], h$penalty[1]), unname(mcSummary(fit)[c("data", "ridge")]))
    expect_true(all(is.na(h[1, 4:6])))
    expect_identical(c(fit@cells, fit@seed, fit@entries), c(40, 1, sum(y > 0)))
    expect_output(print(fit),
        paste0("InfillFit of DeepMcParam, seed 1.*49 genes modelled of 60, 40 cells.*",
            "5 iterations, the most"))
    expect_output(print(DeepMcParam()), "DeepMcParam.*ranks +30 10")
})

test_that("a progress line is written when asked for", {
    expect_silent(fitInfill(counts, param, seed = 1, progress = FALSE))
    line <- sprintf("DeepMc: iteration 1 of 5, RMSE %.4f",
        sqrt(fitParts(fit, "history")$train[2] / sum(y > 0)))
    expect_message(f <- fitInfill(counts, param, seed = 1, progress = TRUE), line, fixed = TRUE)
    expect_identical(f@weights, fit@weights)
})

# ---- does it help? ----

test_that("hidden entries of a low-rank matrix are recovered better than by the gene's mean", {
    m <- maskCounts(lowRankCounts(), fraction = 0.3, seed = 1)
    rmse <- function(param) recoveryError(m, infill(maskedData(m), param, seed = 1))$rmse
    mean <- min(rmse(GeneMeanParam("all")), rmse(GeneMeanParam("detected")))
    for (p in list(DeepMcParam(4), DeepMcParam(c(10, 4)), DeepMcParam(c(10, 6, 4)), DeepMcParam()))
        expect_lt(rmse(p), 0.7 * mean)
    expect_lt(rmse(DeepMcParam(method = "converged", zero.weight = 0)), 0.7 * mean)
})
