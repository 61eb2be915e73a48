# The door for counts: what is refused, and what is said of what looks odd.

counts <- tinyCounts()
rownames(counts) <- paste0("g", 1:12)
param <- GeneMeanParam()

test_messages("counts that were corrected or shared out", {
    x <- counts * 0.93
    bad(infill(x, StackParam()), "infill_scale")
    bad(infill(x, StackParam(), check.scale = FALSE), "infill_scale")
    bad(infill(x, GraphSciParam(), check.scale = FALSE), "infill_scale")
    sce <- SingleCellExperiment::SingleCellExperiment(list(soupx = x))
    bad(infill(sce, StackParam(), assay.type = "soupx", check.scale = FALSE), "infill_scale")
})

test_that("whole but for a millionth is whole", {
    whole <- infill(counts, StackParam(GeneMeanParam()), seed = 1)
    for (x in list(counts * (1 + 1e-8), counts * (1 - 9e-7), counts + (counts > 0) * 5e-7))
        expect_identical(infill(x, StackParam(GeneMeanParam()), seed = 1), whole)
    for (x in list(counts * (1 + 3e-6), counts + (counts > 0) * 3e-6)) expect_error(
        infill(x, StackParam(GeneMeanParam()), seed = 1, check.scale = FALSE), "whole",
        class = "infill_scale")
})

test_that("invalid sparse matrices are named, and do no harm", {
    ok <- sparse(counts)
    m <- ok
    m@i <- integer()
    expect_error(infill(m, param), "must be a valid dg", class = "infill_error")
    m <- ok
    m@x <- numeric()
    expect_error(infill(m, param), "must be a valid dg", class = "infill_error")
    expect_error(compareInfill(m), "must be a valid dg", class = "infill_error")
    m <- ok
    m@p <- m@p * 2L
    expect_error(maskCounts(m), "must be a valid dg", class = "infill_error")
    m <- ok
    m@Dimnames[[1L]] <- letters
    expect_error(geneCv(m), "must be a valid dg", class = "infill_error")
    m <- as(ok, "TsparseMatrix")
    m@j <- 1:3
    expect_error(prepareCounts(m), "must be a valid dg", class = "infill_error")
    m <- as(ok, "RsparseMatrix")
    m@j <- rev(m@j)
    expect_error(prepareCounts(m), "must be a valid dg", class = "infill_error")
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = ok))
    m <- ok
    m@x <- numeric()
    SummarizedExperiment::assay(sce, "counts", withDimnames = FALSE) <- m
    expect_error(infill(sce, param), "must be a valid dg", class = "infill_error")
})

test_messages("numbers and names that no counts have", {
    for (value in c(.Machine$double.xmax, 1e100, 9.1e15)) expect_error(
        infill(replace(counts, 15, value), param), "gene 3 .*cell 2", class = "infill_scale")
    bad(infill(replace(counts, 15, 1e100), param), "infill_scale")
    x <- counts
    rownames(x)[3] <- NA
    bad(infill(x, param))
    x <- counts
    colnames(x) <- c(letters[1:7], NA)
    bad(infill(x, param))
    bad(infill(matrix(0, 0, 0), param))
})

test_messages("a data.frame says where names belong", {
    bad(infill(data.frame(gene = letters[1:3], a = 1:3, b = 2:4), param))
    bad(infill(data.frame(a = 1:3, b = 2:4), param))
})

test_messages("cells x genes, by the look of the names", {
    x <- counts
    rownames(x) <- paste0(vapply(1:12, function(k)
        paste(rep(c("A", "C", "G", "T"), length.out = 16)[(k + 1:16) %% 16 + 1], collapse = ""),
        ""), "-1")
    says(infill(x, param, seed = 1))
    says(prepareCounts(x, min.cells = 1))
    x <- counts
    dimnames(x) <- list(paste0("cell", 1:12), c("MT-CO1", "ACTB", letters[1:6]))
    says(infill(x, param, seed = 1))
    # genes by barcodes is as it should be
    x <- counts
    dimnames(x) <- list(c("MT-CO1", "ACTB", letters[1:10]), paste0("ACGTACGTACGTACG", letters[1:8]))
    expect_silent(infill(x, param, seed = 1))
    rownames(x)[3:4] <- c("CATGAT", "TAGAP")
    expect_silent(infill(x, param, seed = 1))
})

test_messages("rows that are no genes", {
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = counts))
    SummarizedExperiment::rowData(sce)$Type <- rep(c("Gene Expression", "Antibody Capture"),
        c(10, 2))
    says(infill(sce, param, seed = 1))
    # the types of genes are no other kind
    SummarizedExperiment::rowData(sce)$Type <- rep(c("protein_coding", "lncRNA"), c(10, 2))
    expect_silent(infill(sce, param, seed = 1))
    x <- counts
    rownames(x)[11:12] <- c("CD3_TotalSeqB", "CD19_TotalSeqB")
    expect_silent(infill(x, param, seed = 1))          # they hold little
    x[11:12, ] <- 50
    says(infill(x, param, seed = 1))
    rownames(x)[11:12] <- c("ERCC-00002", "ERCC-00003")
    says(maskCounts(x, seed = 1))
    many <- matrix(1, 600, 5)
    many[7:9, ] <- 1000
    says(infill(many, GeneMeanParam(), seed = 1))
    many[7:9, ] <- 100
    expect_silent(infill(many, GeneMeanParam(), seed = 1))
})

test_that("the same bits and columns in every locale", {
    labels <- rep(c("b", "B", "a"), length.out = 8)
    two <- rep(c("a", "B"), 4)
    made <- function() list(colnames(geneCv(counts, labels)), geneTests(counts, two)$log.fc,
        edgesAgainst(data.frame(gene1 = c("a", "B"), gene2 = c("B", "c")),
            data.frame(gene1 = c("B", "c"), gene2 = c("a", "B"))))
    old <- Sys.getlocale("LC_COLLATE")
    on.exit(Sys.setlocale("LC_COLLATE", old))
    Sys.setlocale("LC_COLLATE", "C")
    here <- made()
    expect_identical(here[[1]], c("B", "a", "b"))
    others <- intersect(c("en_US.UTF-8", "C.UTF-8", "en_US.utf8", "de_DE.UTF-8"),
        system("locale -a 2>/dev/null", intern = TRUE, ignore.stderr = TRUE))
    for (locale in c("", others)) {
        suppressWarnings(Sys.setlocale("LC_COLLATE", locale))
        expect_identical(made(), here)
    }
})
