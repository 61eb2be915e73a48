# Reads the embedded data: matrix.mtx.gz, features.tsv.gz and barcodes.tsv.gz of a folder as Cell Ranger writes it, as a sparse
# matrix of genes (ids) x cells. Your own: DropletUtils::read10xCounts() or Seurat::Read10X().
read10x <- function(folder) {
    ids <- function(name) sub("\t.*", "", readLines(file.path(folder, paste0(name, ".tsv.gz"))))
    x <- Matrix::readMM(file.path(folder, "matrix.mtx.gz"))
    x <- as(as(x, "generalMatrix"), "CsparseMatrix")
    dimnames(x) <- list(ids("features"), ids("barcodes"))
    x
}
