# How inst/extdata/goolam was made: from the data set `Goolam` of the CRAN package scDHA 1.2.4 (licence GPL-3), read
# counts of 124 cells of mouse embryos from the two-cell to the blastocyst stage (Goolam et al. 2016, Cell 165:61;
# ArrayExpress E-MTAB-3321). Genes with at least 3 reads in at least 3 cells were kept, and of those every second one in
# the order of the source, so that the package stays small; cell names lost a leading "X". The labels are the stages.
# Run in the package's root: Rscript inst/script/make-goolam.R
library(Matrix)
data("Goolam", package = "scDHA")
x <- Goolam$data
x <- x[rowSums(x >= 3) >= 3, ]
x <- x[seq(1, nrow(x), by = 2), ]
colnames(x) <- sub("^X", "", colnames(x))
x <- as(as(Matrix(x, sparse = TRUE), "generalMatrix"), "CsparseMatrix")

to <- file.path("inst", "extdata", "goolam")
write <- function(lines, name) {
    con <- gzfile(file.path(to, name), "w", compression = 9)
    writeLines(lines, con)
    close(con)
}
entries <- sprintf("%d %d %d", x@i + 1L, rep(seq_len(ncol(x)), diff(x@p)), as.integer(x@x))
write(c("%%MatrixMarket matrix coordinate integer general", paste(nrow(x), ncol(x), length(x@x)), entries), "matrix.mtx.gz")
write(paste(rownames(x), rownames(x), "Gene Expression", sep = "\t"), "features.tsv.gz")
write(colnames(x), "barcodes.tsv.gz")
write.table(data.frame(cell = colnames(x), label = as.character(Goolam$label)), file.path(to, "labels.tsv"),
    sep = "\t", quote = FALSE, row.names = FALSE)
