# Counts on disk that are judged, costed and asked about without being read whole.

skip_if_not_installed("HDF5Array")
counts <- smallCounts()
dimnames(counts) <- list(paste0("g", seq_len(nrow(counts))), paste0("c", seq_len(ncol(counts))))
x <- HDF5Array::writeHDF5Array(counts, tempfile(fileext = ".h5"), "counts", with.dimnames = TRUE)
onDisk <- function(code) {
    old <- options(infill.read.limit = 10)
    on.exit(options(old))
    code
}
numbers <- function(cmp) as.data.frame(cmp)[c("method", "repeat", "poisson", "error")]

test_that("the judge, tuning and the permutation check read the cells they judge on", {
    one <- list(svd = SvdParam(3))
    read <- NULL
    old <- infill:::.readCells
    withReplaced(".readCells", function(source, cols) {
        read <<- c(read, cols)
        old(source, cols)
    }, {
        cmp <- onDisk(compareInfill(x, one, n.cells = 20, repeats = 1, seed = 1))
        expect_length(read, 20L)
        tuned <- onDisk(tuneInfill(x, SvdParam(), list(rank = 2:3), n.cells = 20, repeats = 1,
            seed = 1))
        check <- onDisk(permutationCheck(x, GeneMeanParam(), n.cells = 20, seed = 1))
        expect_length(read, 60L)
    })
    expect_equal(numbers(cmp), numbers(compareInfill(counts, one, n.cells = 20, repeats = 1,
        seed = 1)))
    expect_identical(cmp$settings$of, ncol(counts))
    expect_equal(tuned$table$poisson, tuneInfill(counts, SvdParam(), list(rank = 2:3), n.cells = 20,
        repeats = 1, seed = 1)$table$poisson)
    expect_equal(check$tests, permutationCheck(counts, GeneMeanParam(), n.cells = 20,
        seed = 1)$tests)
})

test_that("cells and genes that are asked for of a fit", {
    fit <- fitInfill(counts, StackParam(list(GeneMeanParam(), SvdParam(3)), repeats = 1,
        min.gain = 0), seed = 1)
    expect_identical(onDisk(posteriorQuantiles(x, fit, genes = "g3", cells = c("c30", "c2"))),
        posteriorQuantiles(counts, fit, genes = "g3", cells = c("c30", "c2")))
    expect_identical(unname(as.matrix(onDisk(posteriorSd(x, fit, genes = 3:5)))),
        unname(posteriorSd(counts, fit, genes = 3:5)))
    d <- onDisk(infill(x, fit, as = "delayed"))
    expect_s4_class(DelayedArray::seed(d)@counts, "CellSource")
    expect_identical(unname(as.matrix(d[c(5, 2), c(31, 1)])),
        unname(infill(counts, fit)[c(5, 2), c(31, 1)]))
})

test_that("a scan is that of the whole, whatever the container", {
    sparse10x <- tempfile(fileext = ".h5")
    forms <- list(x, DelayedArray::DelayedArray(sparse(counts)), x * 1,
        if (requireNamespace("SparseArray", quietly = TRUE))
            DelayedArray::DelayedArray(as(sparse(counts), "SVT_SparseMatrix")))
    for (m in Filter(Negate(is.null), forms)) {
        s <- infill:::.scanned(onDisk(infill:::.sourceOf(m)))
        expect_identical(s$total, unname(colSums(counts)))
        expect_identical(s$sum, unname(rowSums(counts)))
        expect_identical(s$cells, unname(rowSums(counts > 0)) + 0)
        expect_equal(s$share, unname(rowSums(counts / rep(pmax(colSums(counts), 1), each =
            nrow(counts)))), tolerance = 1e-14)
        expect_identical(s$entries, sum(counts > 0) + 0)
        expect_true(s$whole)
    }
})

test_that("what it costs: files, and data that is not read", {
    cost <- onDisk(infillCost(x, StackParam(), as = "hdf5"))
    expect_identical(cost$file, 8 * length(counts))
    expect_output(print(cost), "in files")
    small <- infillCost(x, StackParam(), as = "hdf5", genes = 1:2, type = "float")
    expect_identical(small$file, 4 * 2 * ncol(counts))
})
