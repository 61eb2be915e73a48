# The main job on the embedded data: counts in, filled-in counts out, and whether it helped.
# Rscript demo.R [folder for the results]
suppressPackageStartupMessages({
    library(infill)
    library(SingleCellExperiment)
})
out <- c(commandArgs(TRUE), "demo-output")[1]
dir.create(out, showWarnings = FALSE, recursive = TRUE)
say <- function(...) cat(sprintf(...), "\n", sep = "")
threads <- max(1L, parallel::detectCores(), na.rm = TRUE)

say("1. Reading mouse embryo counts (Goolam et al. 2016)")
folder <- system.file("extdata", "goolam", package = "infill")
source(system.file("script", "read-10x.R", package = "infill"))
counts <- read10x(folder)
labels <- read.delim(file.path(folder, "labels.tsv"))
sce <- SingleCellExperiment(list(counts = counts), colData = DataFrame(stage = labels$label))
say("   %d genes x %d cells, %.1f %% zeros, %d stages", nrow(sce), ncol(sce), 100 * mean(counts == 0),
    length(unique(sce$stage)))

say("2. Preparing: what AutoImpute will see")
print(prepareCounts(sce))

say("3. Hiding 10 %% of the non-zeros, to see whether they can be recovered")
m <- maskCounts(sce, seed = 1)
fit <- fitInfill(maskedData(m), AutoImputeParam(), seed = 1, progress = TRUE, num.threads = threads)
score <- function(filled) recoveryError(m, filled, subset.row = fitParts(fit, "genes"))
table <- rbind(
    "nothing (zeros stay)" = score(infill(maskedData(m), NoneParam())),
    "gene mean x size factor" = score(infill(maskedData(m), GeneMeanParam())),
    "mean of the gene's non-zeros" = score(infill(maskedData(m), GeneMeanParam(over = "detected"))),
    "AutoImpute" = score(infill(maskedData(m), fit)),
    "StackParam(loss = \"masked\")" = score(infill(maskedData(m), StackParam(loss = "masked", repeats = 1), seed = 1, num.threads = threads)))
say("   Errors at the hidden entries of the modelled genes, log2 scale:")
print(round(table, 3))

say("4. Filling in the dropouts of all counts")
whole <- fitInfill(sce, AutoImputeParam(), seed = 1, progress = TRUE, num.threads = threads)
sce <- infill(sce, whole)
print(whole)
zeros <- counts[fitParts(whole, "genes"), ] == 0
say("   %d zeros of the modelled genes filled; observed counts are as they were", sum(zeros))

say("5. Did it help? k-means (k = %d, 20 starts) and silhouette against the stages", length(unique(sce$stage)))
components <- function(x) {
    size <- colSums(counts) / median(colSums(counts))
    m <- log2(t(t(as.matrix(x[fitParts(whole, "genes"), ])) / size) + 1)
    prcomp(t(m), rank. = 50)$x
}
judge <- function(x) {
    p <- components(x)
    ari <- mean(vapply(1:5, function(s) {
        set.seed(s)
        adjustedRandIndex(kmeans(p, length(unique(sce$stage)), nstart = 20, iter.max = 50)$cluster, sce$stage)
    }, 0))
    c(ARI = ari, silhouette = silhouetteWidth(p[, 1:2], sce$stage))
}
before <- judge(counts)
after <- judge(assay(sce, "infilled"))
print(round(rbind(before = before, after = after), 3))
say("   %s", if (after[["ARI"]] > before[["ARI"]] + 0.02) "Stages are easier to tell apart after filling in."
    else if (after[["ARI"]] < before[["ARI"]] - 0.02) "Stages are harder to tell apart after filling in: for clustering, keep the counts."
    else "It makes no difference to telling the stages apart: for clustering, the counts are enough.")

say("6. The default of the package, StackParam(): what was seen weighed against what models expect, with error bars")
posterior <- fitInfill(sce, StackParam(), seed = 1, num.threads = threads)
sce <- infill(sce, posterior, name = "posterior", sd = TRUE)
print(posterior)
print(round(rbind(before = before, posterior = judge(assay(sce, "posterior"))), 3))

files <- file.path(out, c("goolam-infilled.rds", "goolam.png"))
saveRDS(sce, files[1])
grDevices::png(files[2], 1500, 600, res = 130)
grid::pushViewport(grid::viewport(layout = grid::grid.layout(1, 2, widths = c(3, 2))))
place <- function(p, k) print(p, vp = grid::viewport(layout.pos.row = 1, layout.pos.col = k))
place(plotBeforeAfter(sce, sce, labels = sce$stage), 1)
place(plot(whole), 2)
invisible(grDevices::dev.off())
say("7. Written: %s (SingleCellExperiment, assays \"infilled\", \"posterior\", \"posterior.sd\")\n            %s", files[1], files[2])
