# Seurat objects of the version that is there, and of both kinds of assays.

seuratIsFive <- function() requireNamespace("SeuratObject", quietly = TRUE) &&
    packageVersion("SeuratObject") >= "5.0.0"
skip_unless_five <- function() skip_if_not(seuratIsFive(),
    "assays of class Assay5 came with SeuratObject 5")

# The classes of assays that this version knows.
seuratKinds <- function() c("Assay", if (seuratIsFive()) "Assay5")

assayOf <- function(counts, kind) if (kind == "Assay")
    SeuratObject::CreateAssayObject(counts = sparse(counts)) else
    SeuratObject::CreateAssay5Object(counts = sparse(counts))

seuratOf <- function(counts, kind) {
    a <- assayOf(counts, kind)
    SeuratObject::Key(a) <- "rna_"
    SeuratObject::CreateSeuratObject(a)
}

# A layer (slot) as it is stored, and the names of those that hold something.
layerIn <- function(x, assay, layer = "counts") {
    a <- x[[assay]]
    if (is(a, "Assay")) slot(a, layer) else SeuratObject::LayerData(a, layer = layer)
}
layersIn <- function(x, assay) {
    a <- x[[assay]]
    if (!is(a, "Assay")) return(SeuratObject::Layers(a))
    Filter(function(s) length(slot(a, s)) > 0, c("counts", "data", "scale.data"))
}

# What infill() may not touch: everything but the assays it adds and its note.
expectSeuratUntouched <- function(out, x, added, note = added[1]) {
    expect_s4_class(out, "Seurat")
    expect_true(validObject(out))
    expect_setequal(setdiff(SeuratObject::Assays(out), SeuratObject::Assays(x)), added)
    expect_identical(SeuratObject::DefaultAssay(out), SeuratObject::DefaultAssay(x))
    expect_identical(SeuratObject::Idents(out), SeuratObject::Idents(x))
    out@assays[added] <- NULL
    out@misc[[note]] <- NULL
    if (!length(out@misc)) out@misc <- list()          # without names, as at first
    expect_identical(out, x)
    expect_identical(anyDuplicated(unname(SeuratObject::Key(out))), 0L)
}

# Two samples of an Assay5 in two layers: 25 cells and 15.
splitOf <- function(counts) {
    x <- seuratOf(counts, "Assay5")
    of <- rep(c("ctrl", "stim"), c(25, ncol(counts) - 25))
    x[["RNA"]] <- split(x[["RNA"]], f = of)
    x
}

# Two objects merged, which have 40 of 60 genes in common.
mergedOf <- function(counts) merge(seuratOf(counts[1:50, 1:25], "Assay5"),
    seuratOf(counts[11:60, 26:40], "Assay5"))
