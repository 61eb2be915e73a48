# Containers that come in and go out.

suppressPackageStartupMessages({
    library(SummarizedExperiment)
    library(Matrix)
})

counts <- smallCounts()
param <- smallParam()
fit <- fitInfill(counts, param, seed = 1)
filled <- plain(infill(counts, fit))

# What infill() may not touch: everything but the new assay, its status and its note.
expectUntouched <- function(out, x) {
    expect_identical(assay(out, "infilled"), filled)
    expect_identical(assayNames(out), c(assayNames(x), "infilled"))
    expect_identical(rowData(out)$infilled.status, fit@recipe$status)
    expect_setequal(unique(rowData(out)$infilled.status), c("modelled", "too few cells"))
    expect_identical(metadata(out)$infilled$model, "AutoImputeParam")
    expect_identical(metadata(out)$infilled[c("output", "keep", "seed")],
        list(output = "counts", keep = "observed", seed = 1))
    assay(out, "infilled") <- NULL
    rowData(out)$infilled.status <- NULL
    metadata(out)$infilled <- NULL
    expect_identical(out, x)
}

test_that("matrices of every kind give the same bits", {
    integers <- counts
    storage.mode(integers) <- "integer"
    kinds <- list(integers, counts + 0, sparse(counts), as(sparse(counts), "TsparseMatrix"),
        as(sparse(counts), "RsparseMatrix"),
        as(as(as(counts + 0, "dMatrix"), "generalMatrix"), "unpackedMatrix"), delayed(counts),
        delayed(sparse(counts)), delayed(counts)[, seq_len(ncol(counts))] * 1)
    for (x in kinds) {
        out <- infill(x, param, seed = 1)
        expect_true(is.matrix(out))
        expect_identical(plain(out), filled)
        expect_identical(fitInfill(x, param, seed = 1)@weights, fit@weights)
    }
    note <- attr(infill(counts, fit), "infill")
    expect_identical(unclass(note)[1:5], list(model = "AutoImputeParam", output = "counts",
        keep = "observed", seed = 1, version = as.character(packageVersion("infill"))))
    expect_output(print(note), "^filled in by infill[(][)]: AutoImputeParam, .*$")
    expect_length(capture.output(print(note)), 1L)
})

test_that("symmetric and logical matrices are taken for what they mean", {
    square <- crossprod(counts > 2) + diag(3, 40)
    symmetric <- as(as(square, "symmetricMatrix"), "CsparseMatrix")
    expect_s4_class(symmetric, "dsCMatrix")
    expect_identical(infill(symmetric, param, seed = 1), infill(square, param, seed = 1))
    logical <- sparse(counts) > 2
    expect_s4_class(logical, "lgCMatrix")
    mean <- GeneMeanParam()
    logical <- logical[, colSums(counts > 2) > 0]
    dense <- as.matrix(logical)
    expect_identical(infill(logical, mean, seed = 1), infill(dense + 0, mean, seed = 1))
    expect_identical(infill(dense, mean, seed = 1), infill(dense + 0, mean, seed = 1))
})

test_that("explicit zeros in a sparse matrix change nothing", {
    zeros <- sparse(counts + 1)
    zeros@x <- zeros@x - 1
    expect_gt(sum(zeros@x == 0), 100)
    expect_identical(fitInfill(zeros, param, seed = 1)@weights, fit@weights)
    expect_identical(plain(infill(zeros, fit)), filled)
    expect_identical(prepareCounts(zeros), prepareCounts(counts))
    expect_identical(geneCv(zeros), geneCv(counts))
    expect_identical(hiddenEntries(maskCounts(zeros, seed = 1)),
        hiddenEntries(maskCounts(counts, seed = 1)))
})

test_that("a SummarizedExperiment comes back with one more assay, the rest untouched", {
    x <- SummarizedExperiment(list(logs = log2(counts + 1), counts = counts),
        colData = DataFrame(group = rep(1:2, 20)), rowData = DataFrame(length = seq_len(60)),
        metadata = list(note = "mine"))
    dimnames(x) <- dimnames(counts)
    expectUntouched(infill(x, param, seed = 1), x)
    expectUntouched(infill(x, fit), x)
    two <- infill(infill(x, fit), GeneMeanParam(), name = "mean")
    expect_identical(assayNames(two), c("logs", "counts", "infilled", "mean"))
    expect_identical(metadata(two)$mean$model, "GeneMeanParam")
    expect_identical(assay(infill(x, fit, assay.type = "counts", name = "other"), "other"), filled)
    expect_error(infill(x, fit, assay.type = "logs"), class = "infill_scale")
})

test_that("a SingleCellExperiment comes back as one", {
    skip_if_not_installed("SingleCellExperiment")
    x <- SingleCellExperiment::SingleCellExperiment(list(counts = sparse(counts)))
    SingleCellExperiment::reducedDim(x, "PCA") <- matrix(seq_len(80), 40)
    expectUntouched(infill(x, param, seed = 1), x)
    onDisk <- x
    assay(onDisk, "counts") <- delayed(sparse(counts))
    expect_identical(assay(infill(onDisk, fit), "infilled"), filled)
    late <- infill(x, fit, as = "delayed")
    expect_s4_class(assay(late, "infilled"), "DelayedMatrix")
    expect_identical(as.matrix(assay(late, "infilled")), filled)
})

test_that("names are not needed, and come back as they were", {
    bare <- unname(counts)
    out <- infill(bare, param, seed = 1)
    expect_null(dimnames(out))
    expect_identical(as.vector(out), as.vector(filled))
    genes <- bare
    rownames(genes) <- rownames(counts)
    expect_identical(dimnames(infill(genes, param, seed = 1)), list(rownames(counts), NULL))
    cells <- bare
    colnames(cells) <- colnames(counts)
    expect_identical(dimnames(infill(cells, param, seed = 1)), list(NULL, colnames(counts)))
    x <- SummarizedExperiment(list(counts = bare))
    out <- assay(infill(x, param, seed = 1), "infilled")
    expect_identical(as.vector(out), as.vector(filled))
    expect_null(dimnames(infill(x, param, seed = 1)))
    expect_silent(infill(x, param, seed = 1))
})

test_that("duplicated and empty names are kept as they are", {
    odd <- counts
    rownames(odd)[2:3] <- rownames(odd)[1]
    rownames(odd)[5] <- ""
    colnames(odd)[2] <- colnames(odd)[1]
    out <- infill(odd, param, seed = 1)
    expect_identical(dimnames(out), dimnames(odd))
    expect_identical(unname(plain(out)), unname(filled))
    expect_identical(infill(odd, fitInfill(odd, param, seed = 1)), out)
    x <- SummarizedExperiment(list(counts = odd))
    back <- infill(x, param, seed = 1)
    expect_identical(dimnames(back), dimnames(x))
    expect_identical(unname(assay(back, "infilled", withDimnames = FALSE)), unname(filled))
})

test_that("a note never changes what came in", {
    before <- counts + 0
    copy <- before + 0
    infill(before, fit)
    expect_identical(before, copy)
    m <- sparse(counts)
    values <- m@x + 0
    infill(m, fit, keep = "none")
    expect_identical(m@x, values)
})

test_that("DeepImpute: containers of every kind give the same bits, and say which genes predict", {
    skip_if_not_installed("SingleCellExperiment")
    few <- deepParam(n.genes = 16, n.predictors = 2)
    fit <- fitInfill(counts, few, seed = 1)
    filled <- plain(infill(counts, fit))
    se <- SummarizedExperiment(list(logs = log2(counts + 1), counts = counts),
        colData = DataFrame(group = rep(1:2, 20)))
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = sparse(counts)))
    late <- SingleCellExperiment::SingleCellExperiment(list(counts = delayed(sparse(counts))))
    for (x in list(se, sce, late)) {
        out <- infill(x, few, seed = 1)
        expect_identical(assay(out, "infilled"), filled)
        expect_identical(rowData(out)$infilled.status, fit@recipe$status)
        expect_identical(metadata(out)$infilled$model, "DeepImputeParam")
        expect_identical(as.matrix(assay(infill(x, fit, as = "delayed"), "infilled")), filled)
    }
    expect_setequal(fit@recipe$status, c("modelled", "predictor", "not selected"))
    for (x in list(sparse(counts), as(sparse(counts), "TsparseMatrix"), delayed(counts),
        counts + 0)) {
        expect_identical(plain(infill(x, few, seed = 1)), filled)
    }
})

test_messages("containers and types that are none", {
    counts <- tinyCounts()
    param <- tinyParam()
    bad(infill("counts.csv", param))
    bad(infill(NULL, param))
    bad(infill(list(counts), param))
    bad(infill(as.data.frame(counts), param))
    bad(infill(counts[1, ], param))
    bad(infill(array(1, c(2, 2, 2)), param))
    bad(infill(matrix(as.character(counts), 12), param))
    bad(infill(counts * complex(imaginary = 1), param))
    bad(infill(prepareCounts(counts, min.cells = 1), param))
    bad(fitInfill(list(counts), param))
    bad(prepareCounts(list(counts)))
    bad(maskCounts(list(counts)))
    bad(geneCv(list(counts)))
})

test_messages("the experiment without the assay asked for", {
    counts <- tinyCounts()
    param <- tinyParam()
    fit <- tinyFit()
    suppressPackageStartupMessages(library(SummarizedExperiment))
    x <- SummarizedExperiment(list(raw = counts, logs = log2(counts + 1)))
    bad(infill(x, param))
    bad(infill(x, param, assay.type = "count"))
    bad(infill(x, fit, assay.type = 1))
    bad(infill(SummarizedExperiment(list(counts)), param))
    bad(infill(x, param, assay.type = "logs"), "infill_scale")
    bad(prepareCounts(x))
    bad(maskCounts(x))
    bad(geneCv(x))
    expect_error(infill(SummarizedExperiment(list(counts = as.data.frame(counts))), param),
        class = "infill_error")
})

test_that("a second result replaces the first and its standard deviations", {
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = counts))
    stack <- StackParam(GeneMeanParam())
    a <- infill(sce, stack, sd = TRUE, seed = 1)
    expect_identical(assayNames(a), c("counts", "infilled", "infilled.sd"))
    again <- infill(a, stack, sd = TRUE, seed = 2)
    expect_identical(assayNames(again), assayNames(a))
    expect_false(identical(assay(again, "infilled.sd"), assay(a, "infilled.sd")))
    for (b in list(infill(a, param, seed = 1), infill(a, stack, output = "logcounts", seed = 1)))
        expect_identical(assayNames(b), c("counts", "infilled"))
    # a standard deviation that somebody else put there is left alone
    assay(sce, "infilled.sd") <- counts
    expect_identical(assayNames(infill(sce, param, seed = 1)),
        c("counts", "infilled.sd", "infilled"))
})

test_messages("counts and what others made are not replaced", {
    x <- SummarizedExperiment(list(counts = counts, soupx = counts, infilled.sd = counts))
    stack <- StackParam(GeneMeanParam())
    mean <- GeneMeanParam()
    bad(infill(x, mean, name = "counts"))
    bad(infill(x, mean, name = "counts", overwrite = TRUE))
    bad(infill(x, mean, name = "soupx"))
    bad(infill(x, stack, sd = TRUE))
    bad(infill(x, mean, overwrite = NA))
    out <- infill(x, mean, name = "soupx", overwrite = TRUE)
    expect_identical(assay(out, "soupx"), plain(infill(counts, mean)))
    expect_identical(assay(out, "counts"), counts)
    expect_identical(assay(infill(out, mean, name = "soupx", keep = "none"), "soupx"),
        plain(infill(counts, mean, keep = "none")))
})

test_that("the note of a matrix does not outlive arithmetic", {
    logs <- infill(counts, GeneMeanParam(), output = "logcounts")
    expect_error(smoothingGauge(counts, logs), "logcounts", class = "infill_scale")
    expect_s3_class(smoothingGauge(counts, 2^logs - 1, seed = 1), "SmoothingGauge")
    filled <- infill(counts, GeneMeanParam())
    expect_null(infill:::.noteOf(log1p(filled)))
    expect_null(infill:::.noteOf(filled[1:3, ]))
    expect_identical(infill:::.noteOf(filled)$output, "counts")
    late <- infill(counts, GeneMeanParam(), as = "delayed")
    expect_identical(infill:::.noteOf(late)$output, "counts")
    expect_null(infill:::.noteOf(log1p(late)))
})
