# The data that the package ships, as demo and vignettes read them.
test_that("the embedded embryos are read with names, 124 cells with a label each", {
    source(system.file("script", "read-10x.R", package = "infill"), local = TRUE)
    folder <- system.file("extdata", "goolam", package = "infill")
    x <- read10x(folder)
    expect_s4_class(x, "dgCMatrix")
    expect_identical(ncol(x), 124L)
    expect_true(all(x@x == round(x@x)) && all(x@x > 0))
    expect_false(anyDuplicated(rownames(x)) > 0)
    labels <- read.delim(file.path(folder, "labels.tsv"))
    expect_identical(as.character(labels[[1]]), colnames(x))
})
