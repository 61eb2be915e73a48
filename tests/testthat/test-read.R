# readTenx().

counts <- smallCounts(12, 7)

tenx <- function(counts, features = "features.tsv", gz = TRUE, ids = rownames(counts),
    cells = colnames(counts)) {
    folder <- tempfile("tenx")
    dir.create(folder)
    put <- function(lines, name) {
        con <- if (gz) gzfile(file.path(folder, paste0(name, ".gz")),
            "w") else file(file.path(folder, name), "w")
        on.exit(close(con))
        writeLines(lines, con)
    }
    m <- as(sparse(counts), "TsparseMatrix")
    put(c("%%MatrixMarket matrix coordinate integer general", "% a comment",
        paste(nrow(m), ncol(m), length(m@x)), paste(m@i + 1, m@j + 1, m@x)), "matrix.mtx")
    put(paste(ids, paste0("name of ", ids), "Gene Expression", sep = "\t"), features)
    put(cells, "barcodes.tsv")
    folder
}

test_that("what was written is read, gzipped or not, old or new", {
    for (features in c("features.tsv", "genes.tsv")) for (gz in c(TRUE, FALSE)) {
        folder <- tenx(counts, features, gz)
        back <- readTenx(folder)
        expect_s4_class(back, "dgCMatrix")
        expect_identical(back, sparse(counts))
        unlink(folder, recursive = TRUE)
    }
})

test_that("what is read goes into infill()", {
    folder <- tenx(smallCounts())
    on.exit(unlink(folder, recursive = TRUE))
    expect_identical(infill(readTenx(folder), smallParam(), seed = 1),
        infill(smallCounts(), smallParam(), seed = 1))
})

test_that("odd names stay as they are", {
    ids <- c("A B", "it's", "#1", "\"q\"", rownames(counts)[5:11], "A B")
    folder <- tenx(counts, ids = ids)
    on.exit(unlink(folder, recursive = TRUE))
    expect_identical(rownames(readTenx(folder)), ids)
})

test_that("a folder that is not there, and files that do not fit, are errors that say so", {
    expect_error(readTenx(file.path(tempdir(), "nowhere")), "nowhere", class = "infill_error")
    expect_error(readTenx(1), "path", class = "infill_error")
    expect_error(readTenx(c("a", "b")), "path", class = "infill_error")
    for (name in c("matrix.mtx", "features.tsv", "barcodes.tsv")) {
        folder <- tenx(counts)
        unlink(file.path(folder, paste0(name, ".gz")))
        expect_error(readTenx(folder), name, fixed = TRUE, class = "infill_error")
        unlink(folder, recursive = TRUE)
    }
    folder <- tenx(counts, ids = rownames(counts)[-1])
    expect_error(readTenx(folder), "12 x 7.*11 features", class = "infill_error")
    unlink(folder, recursive = TRUE)
    folder <- tenx(counts, cells = c(colnames(counts), "more"))
    expect_error(readTenx(folder), "8 barcodes", class = "infill_error")
    writeLines("nonsense", file.path(folder, "matrix.mtx"))
    expect_error(readTenx(folder), "matrix.mtx", class = "infill_error")
    unlink(folder, recursive = TRUE)
})

test_that("the embedded data are read, with a label for each cell", {
    folder <- system.file("extdata", "goolam", package = "infill")
    expect_true(nzchar(folder))
    x <- readTenx(folder)
    expect_identical(ncol(x), 124L)
    expect_identical(anyDuplicated(colnames(x)), 0L)
    expect_true(all(x@x == round(x@x) & x@x > 0))
    labels <- read.delim(file.path(folder, "labels.tsv"))
    expect_identical(as.character(labels[[1]]), colnames(x))
    expect_identical(length(unique(labels[[2]])), 5L)
})

test_messages("arguments of readTenx", {
    bad(readTenx(5))
    bad(readTenx("/no/such/folder"))
})
