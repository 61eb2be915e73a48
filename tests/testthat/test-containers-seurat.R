# Seurat objects of both classes of assays, whichever version is there.

skip_if_not_installed("SeuratObject")
suppressPackageStartupMessages({
    library(Matrix)
    library(SeuratObject)
})

counts <- smallCounts()
param <- smallParam()
fit <- fitInfill(counts, param, seed = 1)
filled <- plain(infill(counts, fit))
mean <- GeneMeanParam()
posterior <- StackParam(list(GeneMeanParam()), repeats = 1)

# An object that has been worked with.
used <- function(kind) {
    x <- seuratOf(counts, kind)
    x$sample <- rep(c("a", "b"), 20)
    Idents(x) <- "sample"
    x[["ADT"]] <- assayOf(counts[1:30, ] * 2, kind)
    x[["pca"]] <- CreateDimReducObject(matrix(seq_len(80) / 7, 40, dimnames = list(colnames(x),
        c("PC_1", "PC_2"))), key = "PC_", assay = "RNA")
    x
}

test_that("an object comes back with one more assay of the same class, the rest untouched", {
    for (kind in seuratKinds()) {
        x <- used(kind)
        for (out in list(infill(x, param, seed = 1), infill(x, fit))) {
            expectSeuratUntouched(out, x, "infilled")
            expect_identical(class(out[["infilled"]]), class(x[["RNA"]]))
            expect_identical(as.matrix(layerIn(out, "infilled")), filled)
            expect_identical(Misc(out, "infilled")$model, "AutoImputeParam")
            expect_identical(Misc(out, "infilled")$status, fit@recipe$status)
        }
        expect_identical(prepareCounts(x), prepareCounts(counts))
        few <- deepParam(n.genes = 16, n.predictors = 2)
        expect_identical(Misc(infill(x, few, seed = 1), "infilled")$status,
            fitInfill(counts, few, seed = 1)@recipe$status)
    }
})

test_that("counts lie in `counts`, and nothing but logarithms in `data`", {
    for (kind in seuratKinds()) for (output in c("counts", "normcounts")) {
        out <- infill(used(kind), fit, output = output)
        values <- as.matrix(layerIn(out, "infilled"))
        expect_identical(values, plain(infill(counts, fit, output = output)))
        if (kind == "Assay5") expect_identical(layersIn(out, "infilled"), "counts")
        else expect_equal(as.matrix(layerIn(out, "infilled", "data")),
            log1p(sweep(values, 2, colSums(values), "/") * 1e4))
    }
})

test_that("logarithms lie in `data`, and are natural ones", {
    logs <- list(plain(infill(counts, fit, output = "logcounts")) * log(2),
        plain(infill(counts, mean, output = "logcounts")))
    norm <- plain(infill(counts, fit, output = "normcounts"))
    expect_equal(logs[[1]], log1p(norm))
    for (kind in seuratKinds()) {
        x <- used(kind)
        out <- infill(x, fit, output = "logcounts")
        expect_identical(layersIn(out, "infilled"), "data")
        expect_identical(as.matrix(layerIn(out, "infilled", "data")), logs[[1]])
        expect_identical(Misc(out, "infilled")[c("output", "log")],
            list(output = "logcounts", log = "log1p"))
        expectSeuratUntouched(out, x, "infilled")
        ours <- infill(x, mean, output = "logcounts")
        expect_equal(as.matrix(layerIn(ours, "infilled", "data")),
            log1p(plain(infill(counts, mean, output = "normcounts"))))
    }
    sce <- SummarizedExperiment::SummarizedExperiment(list(counts = counts))
    expect_identical(S4Vectors::metadata(infill(sce, fit, output = "logcounts"))$infilled$log,
        "log2")
})

test_that("standard deviations are an assay of their own, and go with their values", {
    sd <- posteriorSd(counts, fitInfill(counts, posterior, seed = 1))
    for (kind in seuratKinds()) {
        x <- used(kind)
        out <- infill(x, posterior, seed = 1, sd = TRUE)
        expectSeuratUntouched(out, x, c("infilled", "infilled.sd"))
        expect_identical(layersIn(out, "infilled.sd"), "data")
        expect_equal(as.matrix(layerIn(out, "infilled.sd", "data")), plain(sd))
        expect_identical(class(out[["infilled.sd"]]), class(x[["RNA"]]))
        expect_identical(SeuratObject::Key(out[["infilled.sd"]]), "infilledsd_")
        # the second result takes the first one's away
        expectSeuratUntouched(infill(out, mean, seed = 1), x, "infilled")
        other <- infill(out, posterior, seed = 2, sd = TRUE, output = "normcounts")
        expectSeuratUntouched(other, x, c("infilled", "infilled.sd"))
        expect_false(identical(layerIn(other, "infilled.sd", "data"),
            layerIn(out, "infilled.sd", "data")))
        expect_identical(layerIn(infill(other, posterior, seed = 1, sd = TRUE), "infilled.sd",
            "data"), layerIn(out, "infilled.sd", "data"))
    }
})

test_that("a name that Seurat does not take is one valid name, everywhere", {
    for (kind in seuratKinds()) for (name in c("in-filled", "in filled")) {
        x <- used(kind)
        expect_message(out <- infill(x, posterior, seed = 1, sd = TRUE, name = name), "in.filled",
            fixed = TRUE)
        expectSeuratUntouched(out, x, c("in.filled", "in.filled.sd"))
        expect_silent(gauge <- smoothingGauge(out, name = name, seed = 1))
        expect_identical(gauge, smoothingGauge(out, name = "in.filled", seed = 1))
        expect_message(again <- infill(out, mean, name = name), "in.filled", fixed = TRUE)
        expectSeuratUntouched(again, x, "in.filled")
    }
    # two names with one key
    out <- infill(suppressMessages(infill(used("Assay"), mean, name = "in-filled")), mean)
    expect_setequal(Assays(out), c("RNA", "ADT", "in.filled", "infilled"))
    expect_identical(anyDuplicated(unname(Key(out))), 0L)
})

test_that("an assay that is not the default is named together with its layer", {
    adt <- c("ADT", "counts")
    few <- counts[1:30, ] * 2
    for (kind in seuratKinds()) {
        x <- used(kind)
        out <- infill(x, mean, seed = 1, assay.type = adt)
        expectSeuratUntouched(out, x, "infilled")
        expect_identical(as.matrix(layerIn(out, "infilled")), plain(infill(few, mean)))
        expect_identical(infill(x, mean, seed = 1,
            assay.type = c(layer = "counts", assay = "ADT")), out)
        DefaultAssay(x) <- "ADT"
        expect_identical(layerIn(infill(x, mean), "infilled"), layerIn(out, "infilled"))
        expect_identical(layerIn(infill(x, mean, assay.type = c("RNA", "counts")), "infilled"),
            layerIn(infill(used(kind), mean), "infilled"))
        x <- used(kind)
        expect_identical(fitInfill(x, mean, assay.type = adt)@weights,
            fitInfill(few, mean)@weights)
        expect_identical(prepareCounts(x, assay.type = adt), prepareCounts(few))
        expect_identical(geneCv(x, assay.type = adt), geneCv(few))
        expect_equal(smoothingGauge(x, out, seed = 1, assay.type = adt),
            smoothingGauge(few, infill(few, mean), seed = 1))
        expect_identical(hiddenEntries(maskCounts(x, seed = 1, assay.type = adt)),
            hiddenEntries(maskCounts(few, seed = 1)))
    }
})

test_that("counts are never replaced, and others' assays only when that is asked for", {
    for (kind in seuratKinds()) {
        x <- used(kind)
        for (name in c("RNA", "ADT")) expect_error(infill(x, mean, name = name), "'name' must not",
            class = "infill_error")
        expect_error(infill(x, mean, name = "RNA", overwrite = TRUE), "which holds the counts",
            class = "infill_error")
        expect_error(infill(x, mean, name = "ADT", assay.type = c("ADT", "counts"),
            overwrite = TRUE), "which holds the counts", class = "infill_error")
        out <- infill(x, mean, name = "ADT", overwrite = TRUE)
        expect_setequal(Assays(out), c("RNA", "ADT"))
        expect_identical(dim(layerIn(out, "ADT")), dim(counts))
        expect_identical(layerIn(infill(out, fit, name = "ADT"), "ADT"),
            layerIn(infill(x, fit), "infilled"))
        suppressWarnings(x[["infilled.sd"]] <- assayOf(counts, kind))
        expect_error(infill(x, posterior, sd = TRUE), "infilled.sd", class = "infill_error")
    }
})

test_that("some genes are an assay of these features", {
    few <- c("g7", "g3")
    for (kind in seuratKinds()) {
        x <- used(kind)
        out <- infill(x, posterior, seed = 1, genes = few, sd = TRUE)
        expectSeuratUntouched(out, x, c("infilled", "infilled.sd"))
        expect_identical(as.matrix(layerIn(out, "infilled")),
            as.matrix(layerIn(infill(x, posterior, seed = 1), "infilled"))[few, ])
        expect_identical(dim(layerIn(out, "infilled.sd", "data")), c(2L, 40L))
        expect_length(Misc(out, "infilled")$status, 2)
    }
})

test_that("a mask of any assay is judged like that of the matrix in it", {
    for (kind in seuratKinds()) for (assay in c("RNA", "ADT")) {
        at <- c(assay, "counts")
        x <- used(kind)
        bare <- if (assay == "RNA") counts else counts[1:30, ] * 2
        for (scheme in c("uniform", "molecules")) {
            m <- maskCounts(x, scheme, seed = 1, assay.type = at)
            plain <- maskCounts(bare, scheme, seed = 1)
            expect_identical(as.matrix(layerIn(maskedData(m), assay)), maskedData(plain))
            expect_output(print(m), sprintf("%d x 40", nrow(bare)))
            judge <- function(m, ...) if (scheme == "uniform")
                recoveryError(m, infill(maskedData(m), mean, ...), subset.row = 3:20, by = "gene")
                else calibrationTable(m, infill(maskedData(m), mean, ...), subset.row = 3:20)
            expect_equal(judge(m, assay.type = at), judge(plain))
        }
    }
})

test_that("one of class Assay5 holds values on demand, and dense ones", {
    skip_unless_five()
    x <- used("Assay5")
    late <- infill(x, posterior, seed = 1, as = "delayed", sd = TRUE)
    expectSeuratUntouched(late, x, c("infilled", "infilled.sd"))
    expect_s4_class(layerIn(late, "infilled"), "DelayedMatrix")
    expect_s4_class(layerIn(late, "infilled.sd", "data"), "DelayedMatrix")
    now <- infill(x, posterior, seed = 1)
    expect_identical(as.matrix(layerIn(late, "infilled")), layerIn(now, "infilled"))
    expect_true(is.matrix(layerIn(now, "infilled")))
    expect_equal(smoothingGauge(late, seed = 1), smoothingGauge(now, seed = 1))
    old <- options(infill.dense.limit = 100)
    on.exit(options(old))
    expect_s4_class(layerIn(infill(x, mean), "infilled"), "DelayedMatrix")
    expect_identical(layersIn(infill(x, fit, output = "logcounts"), "infilled"), "data")
    # and a layer that came as one is read
    LayerData(x[["RNA"]], layer = "counts") <- delayed(sparse(counts))
    expect_identical(as.matrix(layerIn(infill(x, fit), "infilled")), filled)
})

test_that("split layers are filled together, and come back split", {
    skip_unless_five()
    x <- splitOf(counts)
    out <- infill(x, posterior, seed = 1, sd = TRUE)
    expectSeuratUntouched(out, x, c("infilled", "infilled.sd"))
    expect_setequal(layersIn(out, "infilled"), c("counts.ctrl", "counts.stim"))
    expect_setequal(layersIn(out, "infilled.sd"), c("data.ctrl", "data.stim"))
    whole <- infill(counts, posterior, seed = 1)
    expect_identical(as.matrix(layerIn(out, "infilled", "counts.ctrl")), whole[, 1:25])
    expect_identical(as.matrix(layerIn(out, "infilled", "counts.stim")), whole[, 26:40])
    expect_setequal(layersIn(infill(x, fit, output = "logcounts"), "infilled"),
        c("data.ctrl", "data.stim"))
    expect_s4_class(layerIn(infill(x, fit, as = "delayed"), "infilled", "counts.stim"),
        "DelayedMatrix")
    whole.object <- infill(seuratOf(counts, "Assay5"), posterior, seed = 1)
    expect_equal(smoothingGauge(out, seed = 1), smoothingGauge(whole.object, seed = 1))
    m <- maskCounts(x, seed = 1)
    bare <- maskCounts(counts, seed = 1)
    expect_identical(as.matrix(layerIn(maskedData(m), "RNA", "counts.stim")),
        maskedData(bare)[, 26:40])
    expect_equal(recoveryError(m, infill(maskedData(m), mean)),
        recoveryError(bare, infill(maskedData(bare), mean)))
    # cells of the layers in turn
    x <- seuratOf(counts, "Assay5")
    x[["RNA"]] <- split(x[["RNA"]], f = rep(c("a", "b"), 20))
    expect_identical(prepareCounts(x), prepareCounts(counts))
    out <- infill(x, fit)
    expectSeuratUntouched(out, x, "infilled")
    expect_identical(colnames(out[["infilled"]]), colnames(x))
    joined <- JoinLayers(out[["infilled"]])
    expect_identical(as.matrix(LayerData(joined, layer = "counts")), filled)
})

test_that("a layer that is named is filled alone", {
    skip_unless_five()
    x <- splitOf(counts)
    out <- infill(x, mean, assay.type = "counts.stim")
    expectSeuratUntouched(out, x, "infilled")
    expect_identical(layersIn(out, "infilled"), "counts")
    expect_identical(as.matrix(layerIn(out, "infilled")), plain(infill(counts[, 26:40], mean)))
    m <- maskCounts(x, seed = 1, assay.type = "counts.stim")
    expect_identical(layerIn(maskedData(m), "RNA", "counts.ctrl"),
        layerIn(x, "RNA", "counts.ctrl"))
    expect_equal(recoveryError(m, infill(maskedData(m), mean, assay.type = "counts.stim"))$n,
        length(hiddenEntries(m)$row))
})

test_that("layers and assays of fewer genes or cells are filled for what they hold", {
    skip_unless_five()
    x <- mergedOf(counts)
    expect_message(out <- infill(x, mean), "20 of 60 genes are not in all of the layers")
    expectSeuratUntouched(out, x, "infilled")
    whole <- counts
    whole[51:60, 1:25] <- 0
    whole[1:10, 26:40] <- 0
    whole <- infill(whole, mean)
    colnames(whole) <- colnames(x)
    for (l in c("counts.1", "counts.2")) {
        mine <- layerIn(out, "infilled", l)
        expect_identical(dimnames(mine), dimnames(layerIn(x, "RNA", l)))
        expect_identical(as.matrix(mine), whole[rownames(mine), colnames(mine)])
    }
    m <- suppressMessages(maskCounts(x, seed = 1))
    expect_identical(dimnames(layerIn(maskedData(m), "RNA", "counts.2")),
        dimnames(layerIn(x, "RNA", "counts.2")))
    expect_silent(recoveryError(m, suppressMessages(infill(maskedData(m), mean))))
    x <- used("Assay5")
    x[["few"]] <- assayOf(counts[1:50, 1:20], "Assay5")
    out <- infill(x, mean, assay.type = c("few", "counts"))
    expect_identical(as.matrix(layerIn(out, "infilled")), plain(infill(counts[1:50, 1:20], mean)))
})

test_messages("what a Seurat object cannot give or take", {
    x <- SeuratObject::CreateSeuratObject(assayOf(tinyCounts(), "Assay"))
    param <- tinyParam()
    bad(infill(x, param, assay.type = "nothing"))
    bad(infill(x, param, assay.type = 1))
    bad(infill(x, param, assay.type = character()))
    bad(infill(x, param, assay.type = c("ADT", "counts")))
    bad(infill(x, param, as = "delayed"))
    bad(infill(x, tinyFit(), as = "delayed"))
    bad(maskCounts(x, assay.type = c("RNA", "scale.data")))
    x[["ADT"]] <- assayOf(tinyCounts(), "Assay")
    bad(infill(x, param, assay.type = "ADT"))
    bad(infill(x, param, name = "RNA"))
    bad(infill(x, param, name = "ADT"))
    says(out <- infill(x, GeneMeanParam(), name = "gene mean", output = "logcounts"))
    bad(smoothingGauge(out, name = "gene mean"))
    bad(smoothingGauge(out, name = "nothing"))
    old <- options(infill.memory.limit = 2000)
    on.exit(options(old))
    bad(infill(x, GeneMeanParam()))
})

test_that("layers that hold the same cells are no samples", {
    skip_unless_five()
    x <- seuratOf(counts, "Assay5")
    LayerData(x[["RNA"]], layer = "counts.spliced") <- sparse(counts)
    LayerData(x[["RNA"]], layer = "counts.unspliced") <- sparse(counts)
    suppressWarnings(LayerData(x[["RNA"]], layer = "counts") <- NULL)
    e <- expect_error(infill(x, mean), "'assay.type' must name one of the layers",
        class = "infill_error")
    expect_match(conditionMessage(e), "they hold the same cells", fixed = TRUE)
    out <- infill(x, mean, assay.type = "counts.spliced")
    expect_identical(as.matrix(layerIn(out, "infilled")), plain(infill(counts, mean)))
})
