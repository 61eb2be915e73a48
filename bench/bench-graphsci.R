# GraphSCI beside the recorded references: held-out molecules (Poisson loss) and hidden entries (recovery), found edges (edges),
# seconds per epoch beside the two bare products (speed). From the root:
# Rscript bench/bench-graphsci.R recovery|edges|speed [data folder] [seeds] [sets, comma] [extra parameters as R code]
suppressMessages({ library(infill); library(Matrix) })
source("bench/tasks.R")
args <- commandArgs(TRUE)
what <- c(args, "recovery")[1]
data <- if (length(args) > 1) args[2] else "../shared/data"
seeds <- seq_len(if (length(args) > 2) as.integer(args[3]) else 3)
sets <- if (length(args) > 3) strsplit(args[4], ",")[[1]] else c("zheng500_facs", "jurkat_293t_338", "sc_dropseq_3cl",
    "sc_celseq2_3cl", "sc_10x_3cl_894g", "klein_1k", "zeisel_550")
param <- function(...) eval(parse(text = sprintf("GraphSciParam(..., %s)", if (length(args) > 4) args[5] else "threshold = 0.3")))
threads <- as.integer(Sys.getenv("THREADS", "2"))

splitTask <- function(x) {
    set.seed(1)
    test <- x
    test@x <- as.double(rbinom(length(x@x), as.integer(x@x), 0.1))
    list(train = drop0(x - test), test = drop0(test))
}
# mean of p - y log(p + 1e-6) over all entries, p scaled to the molecules of the test half
poissonLoss <- function(p, task) {
    p <- p * sum(task$test) / sum(task$train)
    mean(p - as.matrix(task$test) * log(p + 1e-6))
}

if (what == "recovery") {
    cat(sprintf("%-16s %-9s %8s %8s %8s %8s %8s %8s %7s\n", "set", "", "none", "mean", "ours", "sd", "paper", "seconds", "epochs"))
    for (set in sets) {
        x <- taskData(set, data)
        quiet <- function(code) suppressWarnings(suppressMessages(code))
        s <- splitTask(x)
        runs <- vapply(seeds, function(seed) {
            fit <- quiet(fitInfill(s$train, param(), seed = seed, num.threads = threads, progress = FALSE))
            c(poissonLoss(quiet(infill(s$train, fit, keep = "none", as = "matrix")), s), fit@seconds, fit@best)
        }, numeric(3))
        paper <- quiet(infill(s$train, GraphSciParam(paper = TRUE), seed = 1, num.threads = threads, progress = FALSE, keep = "none", as = "matrix"))
        cat(sprintf("%-16s %-9s %8.4f %8.4f %8.4f %8.4f %8.4f %8.1f %7.0f\n", set, "molecules", poissonLoss(as.matrix(s$train), s),
            poissonLoss(quiet(infill(s$train, GeneMeanParam(), keep = "none", as = "matrix")), s), mean(runs[1, ]), sd(runs[1, ]),
            poissonLoss(paper, s), mean(runs[2, ]), mean(runs[3, ])))
        task <- taskMask(x)
        runs <- vapply(seeds, function(seed) {
            fit <- quiet(fitInfill(task$x, param(), seed = seed, num.threads = threads, progress = FALSE))
            c(taskError(task, quiet(infill(task$x, fit, as = "matrix")))$rmse, fit@seconds, fit@best)
        }, numeric(3))
        cat(sprintf("%-16s %-9s %8.4f %8.4f %8.4f %8.4f %8s %8.1f %7.0f\n", set, "entries", taskError(task, as.matrix(task$x))$rmse,
            taskError(task, quiet(infill(task$x, GeneMeanParam(), as = "matrix")))$rmse, mean(runs[1, ]), sd(runs[1, ]), "",
            mean(runs[2, ]), mean(runs[3, ])))
    }
}

# The strongest edges of one half of the cells, found again among as many of the other half: ours, and plain correlation
if (what == "edges") for (set in sets) {
    x <- taskData(set, data)
    x <- x[order(-rowSums(x))[seq_len(min(1000, nrow(x)))], ]
    set.seed(1)
    half <- sample(rep(1:2, length.out = ncol(x)))
    top <- 2000
    strongest <- function(p) { p[lower.tri(p, TRUE)] <- -1; order(-p)[seq_len(top)] }
    ours <- lapply(1:2, function(h) {
        fit <- suppressMessages(fitInfill(x[, half == h], param(), seed = 1, num.threads = threads, progress = FALSE))
        m <- matrix(0, nrow(x), nrow(x))
        m[fit@recipe$selected, fit@recipe$selected] <- as.matrix(geneEdges(fit, 0, as = "matrix"))
        strongest(m)
    })
    plain <- lapply(1:2, function(h) { r <- abs(cor(t(as.matrix(x[, half == h])))); r[is.na(r)] <- 0; strongest(r) })
    cat(sprintf("%-16s %d strongest edges found again: GraphSCI %.3f, |Pearson r| of counts %.3f\n", set, top,
        length(intersect(ours[[1]], ours[[2]])) / top, length(intersect(plain[[1]], plain[[2]])) / top))
}

if (what == "speed") {
    core <- grep("/(core|nn)_", list.files("src", "[.]c$", full.names = TRUE), value = TRUE)
    so <- file.path(tempdir(), "kernels.so")
    stopifnot(system2("gcc", c("-O2", "-fPIC", "-fopenmp", "-shared", "-Isrc", "-o", so, "bench/kernels-graphsci.c", core, "-lm")) == 0)
    dyn.load(so)
    someCounts <- function(genes, cells) {
        set.seed(1)
        matrix(rpois(genes * cells, rexp(genes) %o% rlnorm(cells, 0, 0.3)), genes)
    }
    for (size in list(c(2000, 2000), c(5000, 3000))) {
        x <- someCounts(size[1], size[2])
        s <- vapply(1:2, function(t) {
            one <- function(k) suppressMessages(fitInfill(x, GraphSciParam(max.iter = k, stop = "none", valid.fraction = 0), seed = 1,
                num.threads = t, progress = FALSE))@seconds
            a <- one(1)
            (one(4) - a) / 3
        }, 0)
        f <- .C("floor_graphsci", as.integer(size[1]), as.integer(size[2]), 2L, seconds = 0)$seconds
        cat(sprintf("%d genes x %d cells, %.0f %% not 0: %.2f s an epoch, the two products %.2f s, ratio %.2f; 1 -> 2 threads %.2f\n",
            size[1], size[2], 100 * mean(x > 0), s[1], f, s[1] / f, s[1] / s[2]))
    }
}
