# Cells on disk: the embedded embryos, 1,000 genes, drawn again to 3,000 cells with a twentieth of
# their molecules. Rscript cells.R folder
suppressMessages({
    library(infill)
    library(Matrix)
})
folder <- commandArgs(TRUE)[1]
source(system.file("script", "read-10x.R", package = "infill"))
x <- read10x(system.file("extdata", "goolam", package = "infill"))
set.seed(1)
x <- x[order(-rowSums(x > 0))[1:1000], sample(ncol(x), 3000, TRUE)]
x@x <- as.double(rbinom(length(x@x), as.integer(x@x), 0.05))
x <- drop0(x)
colnames(x) <- paste0("cell", seq_len(ncol(x)))
saveRDS(x, file.path(folder, "cells.rds"))
invisible(HDF5Array::writeHDF5Array(x, file.path(folder, "cells.h5"), "counts", chunkdim = c(1000, 100),
    with.dimnames = TRUE))
