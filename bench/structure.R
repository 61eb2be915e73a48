# How many calls of the package's own functions, in how many files, one task takes, and how many
# scans of the counts. From the root, with the package's dependencies: Rscript bench/structure.R
# [folder of another version's source] Every top-level function and method of a copy of the package
# counts its calls; the arithmetic is that of the copy.
source <- normalizePath(c(commandArgs(TRUE), ".")[1L])
copy <- file.path(tempdir(), "counted")
dir.create(copy)
invisible(file.copy(file.path(source, c("DESCRIPTION", "NAMESPACE", "R", "src", "inst")), copy,
    recursive = TRUE))

there <- function(e, k) !identical(e[[k]], quote(expr = ))
isFunction <- function(e) is.call(e) && identical(e[[1L]], quote(`function`))
counted <- function(f, file, name) {
    f[[3L]] <- call("{", call(".count", file, name), f[[3L]])
    f
}
inCall <- function(e) {
    if (is.call(e) && identical(e[[1L]], quote(.Call)) && is.name(e[[2L]]))
        return(call("{", call(".count", "C", as.character(e[[2L]])), e))
    if (is.call(e)) for (k in seq_along(e)) if (there(e, k) && is.call(e[[k]])) e[[k]] <-
        inCall(e[[k]])
    e
}
for (file in list.files(file.path(copy, "R"), full.names = TRUE)) {
    code <- lapply(as.list(parse(file, keep.source = FALSE)), function(e) {
        if (!is.call(e)) return(e)
        name <- if (length(e) > 1L) deparse(e[[2L]])[1L] else ""
        for (k in seq_along(e)) if (there(e, k) && isFunction(e[[k]])) e[[k]] <-
            counted(inCall(e[[k]]), basename(file), name)
        e
    })
    writeLines(unlist(lapply(code, deparse, width.cutoff = 200L)), file)
}
first <- file.path(copy, "R", "checks.R")
writeLines(c(".counts.of <- new.env()", ".count <- function(file, name) {",
    "    key <- paste(file, name)",
    "    .counts.of[[key]] <- (if (is.null(.counts.of[[key]])) 0 else .counts.of[[key]]) + 1",
    "}", readLines(first)), first)
library <- file.path(tempdir(), "library")
dir.create(library)
log <- file.path(tempdir(), "log")
if (system2("R", c("CMD", "INSTALL", "--no-docs", "--no-test-load", paste0("--library=", library),
    copy), stdout = log,
    stderr = log)) stop(paste(readLines(log), collapse = "\n"))
suppressMessages({ base::library(infill, lib.loc = library); base::library(SingleCellExperiment) })

set.seed(1)
sce <- SingleCellExperiment(list(counts = matrix(rpois(6000, rexp(100) * 3), 100, 60)))
space <- asNamespace("infill")
rm(list = ls(space$.counts.of), envir = space$.counts.of)
invisible(infill(sce, StackParam(), seed = 1, progress = FALSE))
n <- unlist(as.list(space$.counts.of))
file <- sub(" .*", "", names(n))
ours <- file != "C"
cat(sprintf(
    paste("infill(sce, StackParam()) on 100 x 60: %d calls of %d functions in %d files, %d calls",
        "of C, %d scans of the counts\n"),
    sum(n[ours]), sum(ours), length(unique(file[ours])), sum(n[!ours]),
    sum(n[names(n) == "C C_scan"])))
print(head(sort(n, decreasing = TRUE), 25))
