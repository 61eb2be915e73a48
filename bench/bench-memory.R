# Peak memory of a fit above its input, and of silhouetteWidth(); seconds of silhouetteWidth()
# beside cluster::silhouette(dist()); seconds and memory of the metrics of partitions, and of
# clusterSeparability(). Linux only (reads /proc). Writes results/autoimpute.md and
# results/metrics.md. From the root: Rscript bench/bench-memory.R [case]
suppressMessages({ library(infill); library(Matrix) })
source("bench/write.R")

status <- function(key) as.double(gsub("[^0-9]", "",
    grep(key, readLines("/proc/self/status"), value = TRUE))) / 1024
peakAbove <- function(work) {
    invisible(gc(full = TRUE))
    writeLines("5", "/proc/self/clear_refs")           # forget the former peak
    before <- status("VmRSS")
    seconds <- system.time(work())[["elapsed"]]
    c(peak = status("VmHWM") - before, seconds = seconds)
}
# counts with some structure: Poisson around a low-rank rate, `density` of them above zero
someCounts <- function(genes, cells, density) {
    set.seed(1)
    n <- round(genes * cells * density)
    cell <- rep.int(seq_len(cells), diff(c(0, sort(sample.int(n, cells - 1)), n)))
    sparseMatrix(i = sample.int(genes, n, TRUE), j = cell, x = 1 + rpois(n, 2),
        dims = c(genes, cells))
}
points <- function(n) { set.seed(1); matrix(rnorm(n * 50), n) + rep(1:5, length.out = n) }
fitCase <- function(cells, h) {
    p <- prepareCounts(someCounts(1000, cells, 0.1), min.cells = 0, gene.selection = "none")
    r <- peakAbove(function() fitInfill(p, AutoImputeParam(hidden = h, max.iter = 2), seed = 1,
        progress = FALSE, num.threads = 2))
    copy <- (2 * 1000 * h + h + 1000) * 4 / 2^20
    list(what = sprintf("fit, 1000 genes x %d cells, hidden %d", cells, h), mb = r[["peak"]],
        seconds = r[["seconds"]],
        beside = sprintf("3 copies of the parameters + 100 MB: %.0f (4-byte), %.0f (8-byte)",
            3 * copy + 100, 6 * copy + 100))
}
silhouetteCase <- function(threads) {
    x <- points(20000)
    r <- peakAbove(function() silhouetteWidth(x, rep(1:5, length.out = 20000),
        num.threads = threads))
    list(what = sprintf("silhouetteWidth, 20,000 x 50, %d thread(s)", threads), mb = r[["peak"]],
        seconds = r[["seconds"]])
}
clusterCase <- function() {
    x <- points(5000)
    l <- rep(1:5, length.out = 5000)
    ours <- min(replicate(3,
        system.time(s <<- silhouetteWidth(x, l, per.point = TRUE))[["elapsed"]]))
    theirs <- min(replicate(3, system.time(other <<- cluster::silhouette(l, dist(x)))[["elapsed"]]))
    list(what = "silhouetteWidth, 5,000 x 50, one thread", mb = NA, seconds = ours,
        beside = sprintf("cluster::silhouette(dist()) %.2f s: %.1f times; largest difference %.1e",
        theirs, theirs / ours, max(abs(s - other[, 3]))))
}
labelsCase <- function(n, k, name) {
    set.seed(1)
    a <- sample.int(k, n, TRUE)
    b <- ifelse(runif(n) < 0.5, a, sample.int(k, n, TRUE))
    r <- peakAbove(function() clusterAgreement(b, a, name))
    list(what = sprintf("%s, %.0e labels, %d classes", name, n, k), mb = r[["peak"]],
        seconds = r[["seconds"]])
}
separabilityCase <- function(cells) {
    x <- someCounts(2000, cells, 0.1)
    r <- peakAbove(function() clusterSeparability(x, rep(1:5, length.out = cells)))
    list(what = sprintf("clusterSeparability, 2,000 genes x %d cells, 10 %% not 0", cells),
        mb = r[["peak"]], seconds = r[["seconds"]])
}
cases <- list(autoimpute = c("fitCase(300, 2000)", "fitCase(300, 8000)", "fitCase(4000, 2000)",
    "fitCase(4000, 8000)", "fitCase(50000, 2000)"))
labels <- outer(c("1e6, 20", "1e6, 1000", "4e6, 20"),
    c("ari", "nmi", "ami", "accuracy"),
    function(size, name) sprintf("labelsCase(%s, '%s')", size, name))
cases$metrics <- c("silhouetteCase(1)", "silhouetteCase(2)", "clusterCase()", labels,
    "separabilityCase(2000)", "separabilityCase(20000)")
# one case in this process, or all of them, each in a fresh one
row <- function(r) data.frame(what = r$what, `MB above the input` = num(r$mb, 0),
    seconds = num(r$seconds, 2), beside = if (is.null(r$beside)) "" else r$beside,
    check.names = FALSE)
wanted <- commandArgs(TRUE)
if (length(wanted)) {
    r <- row(eval(parse(text = wanted[1])))
    cat(markdown(r)[3], "\n")
    if (length(wanted) > 1) saveRDS(r, wanted[2])
} else for (file in names(cases)) {
    rows <- lapply(cases[[file]], function(case) {
        out <- tempfile()
        system2("Rscript", c("bench/bench-memory.R", shQuote(case), out))
        readRDS(out)
    })
    writeResult(file, "memory", do.call(rbind, rows), "Rscript bench/bench-memory.R")
}
