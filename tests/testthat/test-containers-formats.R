# Every format that counts come in gives the bits of a plain matrix.

counts <- smallCounts()
rownames(counts) <- paste0("g", seq_len(nrow(counts)))
mean <- GeneMeanParam()
filled <- plain(infill(counts, mean))

expectSame <- function(x) {
    out <- infill(x, mean)
    expect_true(is.matrix(out))
    expect_identical(plain(out), filled)
    expect_identical(fitInfill(x, mean)@weights, fitInfill(counts, mean)@weights)
    m <- maskCounts(x, seed = 1)
    expect_identical(m@value, maskCounts(counts, seed = 1)@value)
    expect_equal(as.matrix(maskedData(m)), maskedData(maskCounts(counts, seed = 1)) + 0)
    m
}

test_that("SVT and COO arrays of SparseArray, alone and in an experiment", {
    skip_if_not_installed("SparseArray")
    for (class in c("SVT_SparseMatrix", "COO_SparseMatrix")) {
        x <- as(sparse(counts), class)
        m <- expectSame(x)
        expect_s4_class(maskedData(m), class)
        integers <- x
        if (class == "SVT_SparseMatrix") SparseArray::type(integers) <- "integer"
        expect_identical(plain(infill(integers, mean)), filled)
        sce <- SingleCellExperiment::SingleCellExperiment(list(counts = x))
        out <- infill(sce, mean)
        expect_identical(SummarizedExperiment::assay(out, "infilled"), filled)
        expect_identical(SummarizedExperiment::assay(out, "counts", withDimnames = FALSE),
            SummarizedExperiment::assay(sce, "counts", withDimnames = FALSE))
    }
    x <- as(sparse(counts), "SVT_SparseMatrix")
    x[3, 5] <- NA
    expect_error(infill(x, mean), "missing value .*gene 3 .*cell 5", class = "infill_scale")
    logical <- as(sparse(counts > 2), "SVT_SparseMatrix")
    expect_identical(plain(infill(logical, mean)), plain(infill((counts > 2) + 0, mean)))
})

test_that("HDF5 files", {
    skip_if_not_installed("HDF5Array")
    file <- tempfile(fileext = ".h5")
    on.exit(unlink(file))
    x <- HDF5Array::writeHDF5Array(counts, file, "counts", with.dimnames = TRUE)
    expect_s4_class(x, "HDF5Matrix")
    expectSame(x)
    expectSame(x[, seq_len(ncol(x))] * 1)
    out <- infill(x, mean, as = "delayed")
    back <- HDF5Array::writeHDF5Array(out, file, "filled", with.dimnames = TRUE)
    expect_identical(as.matrix(back), filled)
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = x))
    expect_identical(SummarizedExperiment::assay(infill(sce, mean), "infilled"), filled)
})

test_that("10x files", {
    skip_if_not_installed("HDF5Array")
    file <- tempfile(fileext = ".h5")
    on.exit(unlink(file))
    # that of Bioconductor 3.16 does not read what it wrote
    tenx <- tryCatch(suppressWarnings(HDF5Array::writeTENxMatrix(sparse(counts), file, "tenx")),
        error = function(e) skip("this HDF5Array does not read 10x files"))
    expect_s4_class(tenx, "TENxMatrix")
    expectSame(tenx)
})

test_that("run-length encoded and delayed matrices", {
    expectSame(methods::as(DelayedArray::DelayedArray(counts), "RleMatrix"))
    later <- DelayedArray::DelayedArray(sparse(counts))
    expectSame(t(t(later)))
    expectSame(BiocGenerics::cbind(later[, 1:10], later[, -(1:10)]))
    expectSame(round(later / 2 + later / 2))
})

test_that("what lies beside the counts of an experiment stays", {
    adt <- SummarizedExperiment::SummarizedExperiment(list(counts = counts[1:3, ]))
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = counts),
        altExps = list(ADT = adt), reducedDims = list(PCA = matrix(1, ncol(counts), 2)))
    out <- infill(sce, mean)
    expect_identical(SummarizedExperiment::assay(out, "infilled"), filled)
    expect_identical(SingleCellExperiment::altExps(out), SingleCellExperiment::altExps(sce))
    expect_identical(SingleCellExperiment::reducedDims(out),
        SingleCellExperiment::reducedDims(sce))
    some <- infill(sce, mean, genes = 5:6)
    expect_identical(SingleCellExperiment::altExps(some), SingleCellExperiment::altExps(sce))
    # and the experiment aside is one like any other
    expect_identical(SummarizedExperiment::assay(infill(SingleCellExperiment::altExp(sce, "ADT"),
        mean), "infilled"), plain(infill(counts[1:3, ], mean)))
})

test_that("a SpatialExperiment keeps its coordinates", {
    skip_if_not_installed("SpatialExperiment")
    at <- matrix(seq_len(2 * ncol(counts)), ncol = 2, dimnames = list(NULL, c("x", "y")))
    x <- SpatialExperiment::SpatialExperiment(list(counts = counts), spatialCoords = at)
    out <- infill(x, mean)
    expect_s4_class(out, "SpatialExperiment")
    expect_identical(SummarizedExperiment::assay(out, "infilled"), filled)
    expect_identical(SpatialExperiment::spatialCoords(out), SpatialExperiment::spatialCoords(x))
})
