# Peak memory of a fit above its input, and of silhouetteWidth(); seconds of silhouetteWidth() beside cluster::silhouette(dist());
# seconds and memory of the metrics of partitions, and of clusterSeparability().
# Linux only (reads /proc). From the root: Rscript bench/bench-memory.R
suppressMessages({ library(infill); library(Matrix) })

status <- function(key) as.double(gsub("[^0-9]", "", grep(key, readLines("/proc/self/status"), value = TRUE))) / 1024
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
    sparseMatrix(i = sample.int(genes, n, TRUE), j = cell, x = 1 + rpois(n, 2), dims = c(genes, cells))
}
points <- function(n) { set.seed(1); matrix(rnorm(n * 50), n) + rep(1:5, length.out = n) }
fitCase <- function(cells, h) {
    p <- prepareCounts(someCounts(1000, cells, 0.1), min.cells = 0, gene.selection = "none")
    r <- peakAbove(function() fitInfill(p, AutoImputeParam(hidden = h, max.iter = 2), seed = 1, progress = FALSE, num.threads = 2))
    copy <- (2 * 1000 * h + h + 1000) * 4 / 2^20
    cat(sprintf("fit, 1000 genes x %5d cells, hidden %d: %.0f MB above the input; 3 copies of the parameters + 100 MB: %.0f (4-byte), %.0f (8-byte, as R holds them)\n",
        cells, h, r[["peak"]], 3 * copy + 100, 6 * copy + 100))
}
silhouetteCase <- function(threads) {
    x <- points(20000)
    r <- peakAbove(function() silhouetteWidth(x, rep(1:5, length.out = 20000), num.threads = threads))
    cat(sprintf("silhouetteWidth, 20,000 x 50, %d thread(s): %.0f MB above the input, %.2f s\n", threads, r[["peak"]], r[["seconds"]]))
}
clusterCase <- function() {
    x <- points(5000)
    l <- rep(1:5, length.out = 5000)
    ours <- min(replicate(3, system.time(s <<- silhouetteWidth(x, l, per.point = TRUE))[["elapsed"]]))
    theirs <- min(replicate(3, system.time(other <<- cluster::silhouette(l, dist(x)))[["elapsed"]]))
    cat(sprintf("5,000 x 50, one thread: %.3f s, cluster::silhouette(dist()) %.2f s: %.1f times; largest difference %.1e\n",
        ours, theirs, theirs / ours, max(abs(s - other[, 3]))))
}
labelsCase <- function(n, k) {
    set.seed(1)
    a <- sample.int(k, n, TRUE)
    b <- ifelse(runif(n) < 0.5, a, sample.int(k, n, TRUE))
    one <- function(name) {
        r <- peakAbove(function() match.fun(name)(a, b))
        sprintf("%s %.2f s, %.0f MB", name, r[["seconds"]], r[["peak"]])
    }
    cat(sprintf("%.0e labels, %d classes: %s\n", n, k, paste(vapply(c("adjustedRandIndex", "normalizedMutualInfo",
        "adjustedMutualInfo", "clusteringAccuracy"), one, ""), collapse = "; ")))
}
separabilityCase <- function(cells) {
    x <- someCounts(2000, cells, 0.1)
    r <- peakAbove(function() clusterSeparability(x, rep(1:5, length.out = cells)))
    cat(sprintf("clusterSeparability, 2,000 genes x %d cells, 10 %% not 0, one thread: %.1f s, %.0f MB above the input\n", cells,
        r[["seconds"]], r[["peak"]]))
}
cases <- c("fitCase(300, 2000)", "fitCase(300, 8000)", "fitCase(4000, 2000)", "fitCase(4000, 8000)", "fitCase(50000, 2000)",
    "silhouetteCase(1)", "silhouetteCase(2)", "clusterCase()", "labelsCase(1e6, 20)", "labelsCase(1e6, 1000)",
    "labelsCase(4e6, 20)", "separabilityCase(2000)", "separabilityCase(20000)")
wanted <- commandArgs(TRUE)
if (length(wanted)) {
    eval(parse(text = wanted))
} else for (case in cases) system2("Rscript", c("bench/bench-memory.R", shQuote(case)))      # each in a fresh process
