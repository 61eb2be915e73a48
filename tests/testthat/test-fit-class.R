# A fit, what it says of itself, and as a file.

counts <- smallCounts()
param <- smallParam()

test_that("a fit says what it is", {
    fit <- fitInfill(counts, param, seed = 3)
    expect_s4_class(fit, "InfillFit")
    expect_true(validObject(fit))
    expect_identical(fit@seed, 3)
    expect_identical(fit@param@seed, 3)
    expect_identical(fit@cells, 40L)
    expect_identical(fit@entries, as.double(length(as(prepareCounts(counts), "dgCMatrix")@x)))
    expect_identical(fit@version, as.character(packageVersion("infill")))
    expect_identical(fit@recipe, prepareCounts(counts)@recipe)
    expect_length(fit@state, 0)
    expect_gte(fit@seconds, 0)
    h <- fitParts(fit, "history")
    expect_identical(names(h), c("iteration", "train", "valid", "penalty"))
    expect_identical(h$iteration, seq_len(25))
    expect_identical(h, fit@history)
    expect_true(all(is.finite(as.matrix(h))))
    G <- length(fit@recipe$selected)
    expect_identical(lapply(fitParts(fit, "weights"), dim),
        list(E = c(G, 8L), D = c(8L, G), b_e = c(8L, 1L), b_d = c(G, 1L)))
    expect_identical(unlist(fitParts(fit, "weights"), use.names = FALSE), fit@weights)
    expect_output(print(fit),
        "InfillFit of AutoImputeParam, seed 3.*genes modelled of 60, 40 cells.*25 iterations")
    expect_output(print(param), "AutoImputeParam.*hidden +8")
})

test_that("saveRDS is the file format of a fit", {
    fit <- fitInfill(counts, param, seed = 1, keep.state = TRUE)
    file <- tempfile()
    on.exit(unlink(file))
    saveRDS(fit, file)
    expect_identical(readRDS(file), fit)
    expect_identical(infill(counts, readRDS(file)), infill(counts, fit))
    expectSameFit(fitInfill(counts, smallParam(max.iter = 40), resume = readRDS(file)),
        fitInfill(counts, smallParam(max.iter = 40), seed = 1))
})
