# Results on demand.

counts <- smallCounts()
counts[, 7] <- 0
fit <- suppressWarnings(fitInfill(counts, smallParam(learning.rate = 0.01, n.genes = 40), seed = 1))

test_that("delayed results are the dense ones to the bit, whatever is asked for", {
    for (output in c("counts", "normcounts", "logcounts"))
        for (keep in c("observed", "none", "max")) {
        whole <- plain(infill(counts, fit, output = output, keep = keep))
        late <- infill(counts, fit, output = output, keep = keep, as = "delayed")
        expect_s4_class(late, "DelayedMatrix")
        expect_identical(dim(late), dim(whole))
        expect_identical(dimnames(late), dimnames(whole))
        expect_identical(as.matrix(late), whole)
        for (j in c(1, 7, 40)) expect_identical(as.matrix(late[, j, drop = FALSE]),
            whole[, j, drop = FALSE])
        expect_identical(as.matrix(late[c(60, 1, 1), c(9, 3, 3, 40)]),
            whole[c(60, 1, 1), c(9, 3, 3, 40)])
        expect_identical(dim(late[, integer()]), c(60L, 0L))
    }
    seed <- infill(counts, fit, as = "delayed")@seed
    expect_s4_class(seed, "InfillSeed")
    expect_identical(dim(seed), dim(counts))
    expect_identical(dimnames(seed), dimnames(counts))
    expect_identical(unname(DelayedArray::extract_array(seed, list(2:4, NULL))),
        unname(infill(counts, fit)[2:4, ]))
    expect_identical(DelayedArray::chunkdim(seed), c(60L, 40L))
    bare <- infill(unname(counts), fit, as = "delayed")
    expect_null(dimnames(bare))
    old <- options(infill.dense.limit = 100)
    on.exit(options(old))
    expect_s4_class(infill(counts, fit), "DelayedMatrix")
    expect_true(is.matrix(infill(counts, fit, as = "matrix")))
})

test_that("too large a dense result is refused, and as = \"delayed\" is not", {
    old <- options(infill.memory.limit = 1000)
    on.exit(options(old))
    expect_error(infill(counts, fit), "delayed", class = "infill_error")
    expect_s4_class(infill(counts, fit, as = "delayed"), "DelayedMatrix")
})
