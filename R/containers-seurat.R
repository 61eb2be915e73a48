# Seurat objects. SeuratObject is only suggested: an S4 class of another package is named here and
# dispatch finds these methods as soon as that package is loaded. Version 5 says `layer` where
# version 4 said `slot`.
#' @include containers.R
NULL

.seuratFive <- function() packageVersion("SeuratObject") >= "5.0.0"

.seuratCounts <- function(x, assay.type, arg = "x") {
    .needs("SeuratObject", "a Seurat object")
    m <- tryCatch(if (.seuratFive()) SeuratObject::GetAssayData(x, layer = assay.type)
        else SeuratObject::GetAssayData(x, slot = assay.type), error = function(e) NULL)
    if (!length(m))
        .stop("'assay.type' must name data of the default assay of '%s'; %s is empty or not there",
        arg, .describe(assay.type))
    .counts(m, arg = arg)
}

.seuratStore <- function(x, values, name, status, note) {
    .needs("SeuratObject", "a Seurat object")
    values <- .asSparse(as.matrix(values))
    dimnames(values) <- list(rownames(x), colnames(x))
    a <- SeuratObject::CreateAssayObject(counts = values)
    x[[name]] <- a
    SeuratObject::Misc(x, slot = name) <- c(note, list(status = status))
    x
}

.seuratReplace <- function(x, counts, assay.type) {
    if (.seuratFive()) SeuratObject::SetAssayData(x, layer = assay.type, new.data = counts)
    else SeuratObject::SetAssayData(x, slot = assay.type, new.data = counts)
}

.seuratSimilarity <- function(x, one, name) {
    .needs("SeuratObject", "a Seurat object")
    latent <- one$latent
    key <- paste0(gsub("[^A-Za-z0-9]", "", name), "_")
    dimnames(latent) <- list(colnames(x), paste0(key, seq_len(ncol(latent))))
    latent[is.na(latent)] <- 0
    x[[name]] <- SeuratObject::CreateDimReducObject(embeddings = latent, key = key,
        assay = SeuratObject::DefaultAssay(x), misc = .asideOf(one))
    x[[paste0(name, ".cluster")]] <- unname(one$cluster)
    x
}

suppressMessages({
    setMethod(".counts", "Seurat",
        function(x, assay.type, arg = "x") .seuratCounts(x, assay.type, arg))
    setMethod(".store", "Seurat", function(x, values, name, status, note)
        .seuratStore(x, values, name, status, note))
    setMethod(".replaceCounts", "Seurat", function(x, counts, assay.type)
        .seuratReplace(x, counts, assay.type))
    setMethod(".assaysOf", "Seurat", function(x) SeuratObject::Assays(x))
    setMethod(".lookedAt", "Seurat", function(x, assay.type) SeuratObject::DefaultAssay(x))
    setMethod(".noteOf", "Seurat", function(x, name) SeuratObject::Misc(x, slot = name))
    setMethod(".valuesOf", "Seurat", function(x, name) .seuratCounts(x[[name]], "counts"))
    setMethod(".storeSimilarity", "Seurat", function(x, one, name)
        .seuratSimilarity(x, one, name))
})
