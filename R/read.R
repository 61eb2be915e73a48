#' @include checks.R
NULL

#' Read a 10x folder
#'
#' Reads counts in the three-file form of 10x Genomics' Cell Ranger:
#' `matrix.mtx`, `features.tsv` (or `genes.tsv`) and `barcodes.tsv`, each as it is
#' or gzipped.
#'
#' @param path The folder.
#' @return A dgCMatrix, genes (first column of the features: the ids) x cells
#'   (barcodes).
#' @section Errors: `infill_error` when a file is missing or their sizes do not
#'   fit together.
#' @examples
#' goolam <- readTenx(system.file("extdata", "goolam", package = "infill"))
#' dim(goolam)
#' @export
readTenx <- function(path) {
    if (!.isString(path)) .stop("'path' must be the name of a folder, not %s", .describe(path))
    if (!dir.exists(path)) .stop("'path' must be a folder; there is none at %s",
        dQuote(path, FALSE))
    find <- function(...) {
        names <- c(...)
        files <- file.path(path, c(names, paste0(names, ".gz")))
        there <- files[file.exists(files)]
        if (!length(there)) .stop("no file %s (or .gz) in %s", paste(names, collapse = " or "),
            dQuote(path, FALSE))
        there[1L]
    }
    ids <- function(file) {
        lines <- readLines(file)
        sub("\t.*", "", lines)
    }
    file <- find("matrix.mtx")
    x <- tryCatch(.asSparse(Matrix::readMM(file)), error = function(e)      # file() inside unzips
        .stop("%s cannot be read: %s", dQuote(file, FALSE), conditionMessage(e)))
    genes <- ids(find("features.tsv", "genes.tsv"))
    cells <- ids(find("barcodes.tsv"))
    if (length(genes) != nrow(x) || length(cells) != ncol(x)) {
        .stop("the matrix in %s is %d x %d, but there are %d features and %d barcodes",
            dQuote(path, FALSE), nrow(x), ncol(x), length(genes), length(cells))
    }
    dimnames(x) <- list(genes, cells)
    x
}
