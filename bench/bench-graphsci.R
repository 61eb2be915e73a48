# GraphSCI beside the recorded references: held-out molecules (Poisson loss) and hidden entries (recovery), found edges (edges),
# seconds per epoch beside the two bare products (speed), the papers' simulations (simulation; sets: SIM-T2, SIM-T6, small),
# memory of a fit on the edges alone (memory). From the root:
# Rscript bench/bench-graphsci.R recovery|edges|speed|simulation|memory [data folder] [seeds] [sets, comma] [extra parameters]
suppressMessages({ library(infill); library(Matrix); library(SummarizedExperiment) })
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
            c(countLoss(quiet(infill(s$train, fit, keep = "none", as = "matrix")), s), fit@seconds, fit@best)
        }, numeric(3))
        paper <- quiet(infill(s$train, GraphSciParam(paper = TRUE), seed = 1, num.threads = threads, progress = FALSE, keep = "none", as = "matrix"))
        cat(sprintf("%-16s %-9s %8.4f %8.4f %8.4f %8.4f %8.4f %8.1f %7.0f\n", set, "molecules", countLoss(as.matrix(s$train), s),
            countLoss(quiet(infill(s$train, GeneMeanParam(), keep = "none", as = "matrix")), s), mean(runs[1, ]), sd(runs[1, ]),
            countLoss(paper, s), mean(runs[2, ]), mean(runs[3, ])))
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
        m[fit@recipe$selected, fit@recipe$selected] <- as.matrix(fitParts(fit, "edges", 0, as = "matrix"))
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
            more <- if (prod(size) < 5e6) 30 else 4
            a <- one(1)
            (one(more) - a) / (more - 1)
        }, 0)
        f <- .C("floor_graphsci", as.integer(size[1]), as.integer(size[2]), 2L, seconds = 0)$seconds
        cat(sprintf("%d genes x %d cells, %.0f %% not 0: %.2f s an epoch, the two products %.2f s, ratio %.2f; 1 -> 2 threads %.2f\n",
            size[1], size[2], 100 * mean(x > 0), s[1], f, s[1] / f, s[1] / s[2]))
    }
}

# Simulations with their truth: errors against it on log1p of the counts, of all entries and of those that were dropped, and clusters:
# k-means of as many groups as there are on ten principal components of log1p(count/size); silhouette of the true groups there.
if (what == "simulation") {
    some <- if (length(args) > 3) sets else c("small", "SIM-T2")
    simulated <- function(set, seed) if (set == "small") simulateCounts(n.genes = 299, n.cells = 400, de.scale = 0.3, seed = seed)
        else simulateCounts(set, seed = seed)
    cat(sprintf("%-7s %-10s %9s %9s %9s %7s %7s %7s %8s %8s\n", "set", "", "MAE all", "dropped", "counts", "ARI", "CA", "SC", "seconds", "cost"))
    for (set in some) {
        rows <- list()
        for (seed in seeds) {
            sim <- simulated(set, seed)
            x <- assay(sim, "counts")
            keep <- rowSums(x) > 0
            x <- x[keep, ]
            truth <- as.matrix(assay(sim, "true")[keep, ])
            dropped <- truth > 0 & as.matrix(x) == 0
            group <- sim$group
            judge <- function(name, y, seconds = NA, cost = NA) {
                y <- as.matrix(y)
                e <- abs(log1p(y) - log1p(truth))
                size <- colSums(y) / median(colSums(y))
                set.seed(1)
                pcs <- irlba::prcomp_irlba(t(log1p(y / rep(size, each = nrow(y)))), 10)$x
                k <- kmeans(pcs, nlevels(group), nstart = 10, iter.max = 100)$cluster
                rows[[name]] <<- rbind(rows[[name]], c(mean(e), mean(e[dropped]), mean(abs(y - truth)),
                    adjustedRandIndex(k, group), clusteringAccuracy(k, group), silhouetteWidth(pcs, group), seconds, cost))
            }
            quiet <- function(code) suppressWarnings(suppressMessages(code))
            judge("raw", x)
            judge("gene mean", quiet(infill(x, GeneMeanParam(), as = "matrix")))
            fit <- quiet(fitInfill(x, DeepImputeParam(n.genes = Inf), seed = seed, num.threads = threads, progress = FALSE))
            judge("DeepImpute", quiet(infill(x, fit, as = "matrix")), fit@seconds)
            models <- list(GraphSCI = param(), `200 epochs` = param(max.iter = 200, stop = "none", valid.fraction = 0),
                reference = param(max.iter = 200, stop = "none", valid.fraction = 0, init = "reference", l2 = 0))
            if (set != "small") models <- models[1]
            for (name in names(models)) {
                fit <- quiet(fitInfill(x, models[[name]], seed = seed, num.threads = threads, progress = FALSE))
                h <- fitParts(fit, "history")
                # values everywhere, as the paper has them, and zeros only
                judge(name, quiet(infill(x, fit, as = "matrix", keep = "none")), fit@seconds, h$expression[fit@best])
                judge(paste(name, "z"), quiet(infill(x, fit, as = "matrix")), fit@seconds, h$expression[fit@best])
            }
        }
        for (name in names(rows)) cat(sprintf("%-7s %-12s %s\n", set, name,
            paste(sprintf("%9.3f", colMeans(rows[[name]])), collapse = " ")))
    }
}

# Ten thousand genes of a real or simulated set, weights on the edges alone: the peak of resident memory above the input.
if (what == "memory") {
    sim <- simulateCounts(n.genes = 12000, n.cells = 3000, lib.location = 9, seed = 1)
    x <- assay(sim, "counts")
    x <- x[order(-rowSums(x > 0))[1:10000], ]
    peak <- function() as.numeric(gsub("[^0-9]", "", grep("VmHWM", readLines("/proc/self/status"), value = TRUE))) / 1024
    invisible(gc())
    before <- peak()
    fit <- suppressMessages(fitInfill(x, param(inner = "edges", n.max = Inf, max.iter = 20), seed = 1, num.threads = threads, progress = FALSE))
    cat(sprintf("%d genes x %d cells, %.0f edges: %.1f s for %d epochs, peak %.0f MB (%.0f before the fit)\n", nrow(x), ncol(x),
        fit@recipe$plan[3] / 2, fit@seconds, nrow(fitParts(fit, "history")), peak(), before))
}
