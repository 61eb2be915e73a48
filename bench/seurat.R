# Seurat, the whole way once: counts -> infill(StackParam(), sd = TRUE) -> NormalizeData ->
# FeaturePlot, VlnPlot, FindMarkers on the right assay, with every class of assay that the version
# at hand knows, on zheng500_facs (blood cells sorted by bead: types are known). Fold changes of the
# filled-in assay are set against those of the counts, and a type is cut in two at random to see
# which assay tests may be made on. Writes results/seurat.md, a section for each major version.
# From the root: Rscript bench/seurat.R [data folder [folder for the pictures]]
suppressMessages({ library(infill); library(Matrix); library(Seurat); library(ggplot2) })
source("bench/write.R")
given <- commandArgs(TRUE)
data <- if (length(given)) given[1] else "../shared/data"
pictures <- if (length(given) > 1) given[2] else tempdir()
options(Seurat.presto.wilcox.msg = FALSE)
five <- packageVersion("SeuratObject") >= "5.0.0"

counts <- readRDS(file.path(data, "zheng500_facs", "counts.rds"))
labels <- read.delim(file.path(data, "zheng500_facs", "labels.tsv"))$label
counts <- counts[rowSums(counts > 0) >= 3, ]
tested <- rownames(counts)[rowSums(counts > 0) >= 50]
shown <- c("MS4A1", "NKG7", "CD3D")            # B cells, NK cells, T cells

objectOf <- function(kind) {
    options(Seurat.object.assay.version = if (kind == "Assay") "v3" else "v5")
    x <- suppressWarnings(CreateSeuratObject(counts))
    if (kind == "Assay5, split") {
        part <- rep(c("one", "two"), length.out = ncol(x))
        x[["RNA"]] <- split(x[["RNA"]], f = part)
    }
    Idents(x) <- labels
    x <- NormalizeData(x, verbose = FALSE)
    x <- ScaleData(FindVariableFeatures(x, verbose = FALSE), verbose = FALSE)
    RunPCA(x, npcs = 10, verbose = FALSE)
}

whole <- function(x, assay) if (inherits(x[[assay]], "Assay5")) {
    x[[assay]] <- JoinLayers(x[[assay]])
    x
} else x

# FindMarkers of B cells against NK cells by default, of genes that a tenth of the cells hold, in one
# order.
markers <- function(x, assay, a = "bcell", b = "cd56_NK") {
    m <- FindMarkers(whole(x, assay), ident.1 = a, ident.2 = b, assay = assay,
        features = tested, logfc.threshold = 0, min.pct = 0, verbose = FALSE)
    m[match(tested, rownames(m)), ]
}
called <- function(m) sum(m$p_val_adj < 0.05, na.rm = TRUE)

# Genes called between two random halves of one type: there is nothing to find.
calledOfNone <- function(x, assay) {
    set.seed(1)
    t <- subset(whole(x, assay), cells = colnames(x)[labels == "bcell"])
    Idents(t) <- sample(rep(c("left", "right"), length.out = ncol(t)))
    called(markers(t, assay, "left", "right"))
}

draw <- function(x, kind) {
    name <- function(what) file.path(pictures, sprintf("seurat%d-%s-%s.png",
        packageVersion("SeuratObject")$major, gsub("[^A-Za-z0-9]+", "", kind), what))
    features <- c(paste0("rna_", shown), paste0("infilled_", shown), paste0("infilledsd_", shown))
    ggsave(name("features"), FeaturePlot(x, features, reduction = "pca", ncol = 3), width = 12,
        height = 11, dpi = 70)
    ggsave(name("violins"), VlnPlot(x, features[1:6], ncol = 3, pt.size = 0.1), width = 12,
        height = 8, dpi = 70)
}

# What FindMarkers() says of a result that was not normalised: its fold changes, or its refusal.
untouched <- function(x) tryCatch(markers(x, "infilled")$avg_log2FC, error = function(e) NULL)

agreement <- function(of, truth) if (is.null(of)) "refused" else {
    strong <- which(abs(truth) > 1 & is.finite(of))
    sprintf("r %.2f, slope %.2f", cor(of[strong], truth[strong]),
        coef(lm(of[strong] ~ 0 + truth[strong])))
}

wayOf <- function(kind) {
    x <- objectOf(kind)
    seconds <- system.time(y <- infill(x, StackParam(), seed = 1, sd = TRUE))[["elapsed"]]
    stopifnot(identical(DefaultAssay(y), "RNA"), identical(y[[]], x[[]]),
        identical(Idents(y), Idents(x)), identical(Reductions(y), Reductions(x)),
        identical(class(y[["infilled"]]), class(x[["RNA"]])))
    raw <- suppressWarnings(untouched(y))
    logs <- infill(x, fit, output = "logcounts", name = "logs")
    y <- NormalizeData(y, assay = "infilled", verbose = FALSE)
    draw(y, kind)
    rna <- markers(y, "RNA")
    filled <- markers(y, "infilled")
    logged <- markers(logs, "logs")$avg_log2FC
    first <- function(m) tested[order(m$p_val)[seq_len(50)]]
    data.frame(assay = kind, seconds = sprintf("%.0f", seconds),
        `MB` = sprintf("%.0f", object.size(y[["infilled"]]) / 2^20),
        `FC of infilled against RNA` = agreement(filled$avg_log2FC, rna$avg_log2FC),
        `without NormalizeData` = agreement(raw, rna$avg_log2FC),
        `of logcounts` = agreement(logged, rna$avg_log2FC),
        `first 50 in common` = length(intersect(first(rna), first(filled))),
        `called, RNA` = called(rna), `called, infilled` = called(filled),
        `called of none, RNA` = calledOfNone(y, "RNA"),
        `called of none, infilled` = calledOfNone(y, "infilled"), check.names = FALSE)
}

fit <- fitInfill(counts, StackParam(), seed = 1, progress = FALSE)
kinds <- c("Assay", if (five) c("Assay5", "Assay5, split"))
table <- do.call(rbind, lapply(kinds, wayOf))
versions <- sprintf("Seurat %s, SeuratObject %s", packageVersion("Seurat"),
    packageVersion("SeuratObject"))
writeResult("seurat", paste("Seurat", packageVersion("SeuratObject")$major),
    list(versions, table), "Rscript bench/seurat.R")
