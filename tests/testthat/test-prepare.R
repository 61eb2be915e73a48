# prepareCounts() and restoreCounts().

toy <- rbind(g1 = c(3, 0, 5, 4, 9), g2 = c(3, 3, 3, 0, 1), g3 = c(0, 8, 6, 7, 3), g4 = 1)

test_that("a toy example, worked out by hand from ?prepareCounts", {
    p <- prepareCounts(toy, min.cells = 3, gene.selection = "none")
    expect_identical(p@recipe$kept, c(TRUE, TRUE, TRUE, FALSE))
    expect_identical(p@total, c(6, 11, 14, 11, 13))
    expect_identical(p@recipe$target, 11)
    expect_equal(as.matrix(as(p, "dgCMatrix")), rbind(
        g1 = c(2.700440, 0, 2.301170, 2.321928, 3.106915),
        g2 = c(2.700440, 2, 1.747234, 0, 0.884523),
        g3 = c(0, 3.169925, 2.514573, 3, 1.823122)), tolerance = 1e-6 / 3)
    expect_lt(max(abs(as(p, "dgCMatrix")["g1", ] - c(2.700440, 0, 2.301170, 2.321928, 3.106915))),
        1e-6)
    expect_identical(rownames(prepareCounts(toy, min.cells = 4, gene.selection = "none")),
        c("g1", "g3"))
    expect_identical(p@recipe$status, c("modelled", "modelled", "modelled", "too few cells"))
    expect_identical(dim(p), c(3L, 5L))
    expect_identical(dimnames(p), list(c("g1", "g2", "g3"), NULL))
})

test_that("Blakeley gives the published numbers", {
    counts <- realCounts("blakeley")
    expect_warning(p <- prepareCounts(counts, min.cells = 4), NA)
    x <- as(p, "dgCMatrix")
    expect_identical(sum(p@recipe$kept), 10850L)
    expect_identical(p@recipe$target, 5387230)
    expect_identical(dim(x), c(1000L, 30L))
    expect_identical(rownames(x)[1:5], c("APOA1", "MALAT1", "EFNA1", "FN1", "DPPA5"))
    expect_lt(max(abs(p@recipe$score[1:5] - c(54.02044774, 46.20257008, 38.72075610, 37.80249324,
        35.91836551))), 1e-8)
    expect_lt(abs(p@recipe$score[1000] - 2.574243103), 1e-9)
    expect_lt(abs(prepareCounts(counts, min.cells = 4, n.genes = 1001)@recipe$score[1001] -
        2.574102502), 1e-9)
    expect_lt(abs(sum(x) - 112538.1772), 5e-5)
    expect_lt(abs(sum(x^2) - 1055921.154), 5e-4)
    expect_identical(length(x@x), 14556L)
    expect_lt(max(abs(x["APOA1", 1:3] - c(0.6330433475, 16.203227826, 4.552004423))), 1e-9)
    three <- prepareCounts(counts, min.cells = 3)
    expect_identical(sum(three@recipe$kept), 11711L)
    expect_identical(length(intersect(rownames(three), rownames(x))), 829L)
})

test_that("every gene selection is what it says", {
    # bins of 20 genes (in small ones ties abound), and no two genes with the same values
    counts <- smallCounts(400, 30)
    counts <- counts * withSeed(1, runif(length(counts), 1, 1.1))
    for (selection in c("dispersion", "dispersion.signed", "cv", "vmr", "none")) {
        for (normalize in c("median", "none")) for (log in c("log2", "log1p", "none")) {
            p <- prepareCounts(counts, gene.selection = selection, n.genes = 60,
                normalize = normalize, log = log)
            r <- refPrepare(counts, gene.selection = selection, n.genes = 60, normalize = normalize,
                log = log)
            info <- paste(selection, normalize, log)
            expect_identical(p@recipe$selected, r$selected, info = info)
            expect_equal(as.matrix(as(p, "dgCMatrix")), r$x, tolerance = 1e-12, info = info)
            if (selection != "none") expect_equal(p@recipe$score, r$score, tolerance = 1e-10,
                info = info)
        }
    }
    expect_identical(prepareCounts(counts, gene.selection = "none")@recipe$selected,
        unname(which(rowSums(counts >= 3) >= 3)))
})

test_that("min.count and min.cells filter as they say", {
    counts <- smallCounts()
    for (k in c(0.5, 1, 3, 7)) for (n in c(0, 1, 5, 20)) {
        p <- prepareCounts(counts, min.count = k, min.cells = n, gene.selection = "none")
        expect_identical(p@recipe$kept, unname(rowSums(counts >= k) >= n))
    }
    expect_identical(prepareCounts(counts, min.count = 0, min.cells = 40)@recipe$kept,
        rep(TRUE, 60))
})

test_that("vmr.threshold takes every gene above it", {
    counts <- smallCounts()
    r <- refPrepare(counts, gene.selection = "vmr", n.genes = NULL)
    threshold <- mean(r$score[7:8])
    p <- prepareCounts(counts, gene.selection = "vmr", vmr.threshold = threshold)
    expect_identical(p@recipe$selected, r$selected[1:7])
    expect_true(all(p@recipe$score > threshold))
    expect_identical(prepareCounts(counts, gene.selection = "vmr", vmr.threshold = threshold,
        n.genes = 3)@recipe$selected, r$selected[1:3])
    expect_identical(prepareCounts(counts, gene.selection = "vmr", vmr.threshold = 0,
        n.genes = Inf)@recipe$selected, r$selected)
    expect_error(prepareCounts(counts, gene.selection = "vmr", vmr.threshold = 1e5),
        class = "infill_error")
    expect_error(prepareCounts(counts, gene.selection = "cv", vmr.threshold = 1),
        class = "infill_error")
})

test_that("dense, integer, sparse and delayed counts are prepared to the same bits", {
    counts <- smallCounts()
    storage.mode(counts) <- "integer"
    one <- prepareCounts(counts)
    for (other in list(counts + 0, sparse(counts), as(sparse(counts), "TsparseMatrix"),
        delayed(counts), delayed(sparse(counts)))) expect_identical(prepareCounts(other), one)
    expect_s4_class(one, "PreparedCounts")
})

test_that("restoreCounts undoes prepareCounts", {
    counts <- smallCounts()
    for (log in c("log2", "log1p", "none")) for (normalize in c("median", "none")) {
        p <- prepareCounts(counts, log = log, normalize = normalize, n.genes = 30)
        back <- restoreCounts(p)
        expect_lt(max(abs(back - counts[p@recipe$selected, ])), 1e-9)
        expect_identical(dimnames(back), dimnames(p))
    }
    p <- prepareCounts(counts)
    shifted <- as.matrix(as(p, "dgCMatrix")) + 1
    size <- p@total / p@recipe$target
    expect_equal(restoreCounts(p, shifted), (2^shifted - 1) * rep(size, each = nrow(p)),
        tolerance = 1e-12)
    expect_identical(unname(restoreCounts(p, shifted * 0 - 3)), matrix(0, nrow(p), ncol(p)))
})

test_that("ties keep the order of the input, and fewer genes than asked for are all taken", {
    counts <- smallCounts(30)
    twice <- rbind(counts, counts)
    rownames(twice) <- paste0("g", seq_len(60))
    for (selection in c("dispersion", "cv", "vmr")) {
        p <- prepareCounts(twice, gene.selection = selection)
        expect_identical(nrow(p), sum(p@recipe$kept))
        place <- match(seq_len(60), p@recipe$selected)
        expect_true(all(place[1:30] < place[31:60], na.rm = TRUE))
        expect_gt(sum(!is.na(place)), 40)
    }
})

test_that("constant genes, equal means and bins without spread are no trouble", {
    counts <- smallCounts()
    counts[3, ] <- 5
    counts[4, ] <- 0
    expect_true(all(is.finite(prepareCounts(counts, n.genes = Inf)@recipe$score)))
    same <- counts
    same[] <- 5
    same[1, ] <- rep(c(4, 6), 20)
    # all means 5: one bin, median deviation 0
    p <- prepareCounts(same, normalize = "none")
    expect_identical(p@recipe$selected[1], 1L)
    expect_equal(p@recipe$score, c(stats::var(same[1, ]) / 5, rep(0, 59)))
    # kept though it has no counts
    zeros <- prepareCounts(counts, min.cells = 0, n.genes = Inf)
    expect_true(4L %in% zeros@recipe$selected)
    expect_true(all(is.finite(zeros@recipe$score)))
    for (selection in c("cv", "vmr", "dispersion.signed"))
        expect_true(all(is.finite(prepareCounts(counts, min.cells = 0, n.genes = Inf,
        gene.selection = selection)@recipe$score)))
})

test_that("a cell without counts is warned of, left out of the median, and comes out as zeros", {
    counts <- smallCounts(400)
    counts[, 7] <- 0
    expect_warning(p <- prepareCounts(counts, n.genes = 60), "1 of 40 cells have no counts")
    expect_identical(p@recipe$target, median(colSums(counts[p@recipe$kept, -7])))
    expect_identical(sum(as(p, "dgCMatrix")[, 7]), 0)
    expect_identical(unname(restoreCounts(p)[, 7]), numeric(nrow(p)))
    r <- refPrepare(counts, n.genes = 60)
    expect_identical(p@recipe$selected, r$selected)
    expect_equal(as.matrix(as(p, "dgCMatrix")), r$x, tolerance = 1e-12)
})

test_that("one cell and one gene", {
    counts <- smallCounts()
    one <- counts[, 1, drop = FALSE]
    expect_error(prepareCounts(one, min.cells = 1), "at least two cells", class = "infill_error")
    p <- prepareCounts(one, min.cells = 1, gene.selection = "none")
    expect_equal(restoreCounts(p), one[p@recipe$selected, , drop = FALSE] + 0, tolerance = 1e-12)
    gene <- prepareCounts(counts[1, , drop = FALSE] + 3)
    expect_identical(dim(gene), c(1L, 40L))
    expect_equal(as.vector(as(gene, "dgCMatrix")), rep(log2(gene@recipe$target + 1), 40),
        tolerance = 1e-12)
})

test_that("large values that are not whole are taken, and check.scale = FALSE takes the rest", {
    counts <- smallCounts() * 1.37
    counts[1, 1] <- 3000.5
    expect_silent(prepareCounts(counts))
    logs <- log2(smallCounts() + 1)
    expect_error(prepareCounts(logs), class = "infill_scale")
    expect_s4_class(prepareCounts(logs, check.scale = FALSE, min.count = 1), "PreparedCounts")
})

test_that("a PreparedCounts shows itself", {
    expect_output(print(prepareCounts(smallCounts(), n.genes = 10)),
        "10 genes of 60 x 40 cells, scale log2.*depth")
    expect_output(print(prepareCounts(smallCounts(), normalize = "none")), "not depth-normalised")
})

test_messages("arguments of prepareCounts and restoreCounts", {
    counts <- tinyCounts()
    bad(prepareCounts(counts, min.count = -1))
    bad(prepareCounts(counts, min.cells = 2.5))
    bad(prepareCounts(counts, min.cells = NULL))
    bad(prepareCounts(counts, gene.selection = "hvg"))
    bad(prepareCounts(counts, n.genes = 0))
    bad(prepareCounts(counts, n.genes = "many"))
    bad(prepareCounts(counts, min.cells = 1, vmr.threshold = 2))
    bad(prepareCounts(counts, min.cells = 1, gene.selection = "vmr", vmr.threshold = -1))
    bad(prepareCounts(counts, min.cells = 1, gene.selection = "vmr", vmr.threshold = 1e6))
    bad(prepareCounts(counts, normalize = "cpm"))
    bad(prepareCounts(counts, log = 10))
    bad(prepareCounts(counts[, 1, drop = FALSE], min.cells = 1))
    p <- prepareCounts(counts, min.cells = 1)
    bad(restoreCounts(counts))
    bad(restoreCounts(p, matrix(0, 2, 3)))
    expect_error(suppressWarnings(restoreCounts(p, matrix("a", nrow(p), ncol(p)))), "values",
        class = "infill_error")
})
