# GraphSCI beside the recorded references: held-out molecules (Poisson loss) and hidden entries
# (recovery), found edges (edges), seconds per epoch beside the two bare products (speed), the
# papers' simulations (simulation; sets: SIM-T2, SIM-T6, small), memory of a fit on the edges alone
# (memory). From the root: Rscript bench/bench-graphsci.R recovery|edges|speed|simulation|memory
# [data folder] [seeds] [sets, comma] [extra parameters]
suppressMessages({ library(infill); library(Matrix); library(SummarizedExperiment) })
source("bench/tasks.R")
source("bench/write.R")
args <- commandArgs(TRUE)
what <- c(args, "recovery")[1]
data <- if (length(args) > 1) args[2] else "../shared/data"
seeds <- seq_len(if (length(args) > 2) as.integer(args[3]) else 3)
sets <- if (length(args) > 3) strsplit(args[4], ",")[[1]] else c("zheng500_facs",
    "jurkat_293t_338", "sc_dropseq_3cl", "sc_celseq2_3cl", "sc_10x_3cl_894g", "klein_1k",
    "zeisel_550")
param <- function(...)
    eval(parse(text = sprintf("GraphSciParam(..., %s)",
    if (length(args) > 4) args[5] else "threshold = 0.3")))
threads <- as.integer(Sys.getenv("THREADS", "2"))
quiet <- function(code) suppressWarnings(suppressMessages(code))
command <- paste(c("Rscript bench/bench-graphsci.R", what, if (length(args) > 2) args[-1]),
    collapse = " ")
# some sets only: the others' rows stay
write <- function(section, rows, by) {
    writeResult("graphsci", section, rows$table(), command, by = if (length(args) > 3) by else 0)
}

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
    goals <- c(zheng500_facs = 0.278, jurkat_293t_338 = 0.117, klein_1k = 0.436,
        zeisel_550 = 0.055, sc_dropseq_3cl = 0.108, sc_celseq2_3cl = -0.290,
        sc_10x_3cl_894g = 0.249)
    rows <- rowsOf()
    filled <- function(x, p, ...) quiet(infill(x, p, as = "matrix", ...))
    for (set in sets) {
        x <- taskData(set, data)
        add <- function(task, none, mean, runs, paper, goal, test) {
            sd <- if (length(seeds) > 1) sprintf(" (%.4f)", sd(runs[1, ])) else ""
            rows$add(set = set, ` ` = task, seeds = length(seeds), none = num(none),
                `gene mean x size` = num(mean),
                GraphSCI = sprintf("**%.4f**%s", mean(runs[1, ]), sd), `paper = TRUE` = num(paper),
                goal = goal,
                `recorded authors' code` = num(recorded(data, set, test, "graphsci_bn"), 3),
                seconds = num(mean(runs[2, ]), 0), epochs = num(mean(runs[3, ]), 0))
        }
        fits <- function(x, judge) vapply(seeds, function(seed) {
            fit <- quiet(fitInfill(x, param(), seed = seed, num.threads = threads,
                progress = FALSE))
            c(judge(fit), fit@seconds, fit@best)
        }, numeric(3))
        s <- splitTask(x)
        runs <- fits(s$train, function(fit) poissonLoss(filled(s$train, fit, keep = "none"), s))
        paper <- filled(s$train, GraphSciParam(paper = TRUE), seed = 1, num.threads = threads,
            progress = FALSE, keep = "none")
        mean <- poissonLoss(filled(s$train, GeneMeanParam(), keep = "none"), s)
        add("molecules", poissonLoss(as.matrix(s$train), s), mean, runs, poissonLoss(paper, s),
            num(goals[set], 3), "split.poisson")
        task <- taskMask(x)
        runs <- fits(task$x, function(fit) taskError(task, filled(task$x, fit))$rmse)
        mean <- taskError(task, filled(task$x, GeneMeanParam()))$rmse
        add("entries", taskError(task, as.matrix(task$x))$rmse, mean, runs, NA, num(mean),
            "mask10.rmse")
    }
    write("recovery", rows, 2)
}

# The strongest edges of one half of the cells, found again among as many of the other half: ours,
# and plain correlation
if (what == "edges") rows <- rowsOf()
if (what == "edges") for (set in sets) {
    x <- taskData(set, data)
    x <- x[order(-rowSums(x))[seq_len(min(1000, nrow(x)))], ]
    set.seed(1)
    half <- sample(rep(1:2, length.out = ncol(x)))
    top <- 2000
    strongest <- function(p) { p[lower.tri(p, TRUE)] <- -1; order(-p)[seq_len(top)] }
    ours <- lapply(1:2, function(h) {
        fit <- suppressMessages(fitInfill(x[, half == h], param(), seed = 1, num.threads = threads,
            progress = FALSE))
        m <- matrix(0, nrow(x), nrow(x))
        m[fit@recipe$selected, fit@recipe$selected] <-
            as.matrix(fitParts(fit, "edges", threshold = 0, as = "matrix"))
        strongest(m)
    })
    plain <- lapply(1:2, function(h) {
        r <- abs(cor(t(as.matrix(x[, half == h]))))
        r[is.na(r)] <- 0
        strongest(r)
    })
    share <- function(two) num(length(intersect(two[[1]], two[[2]])) / top, 3)
    rows$add(set = set, GraphSCI = share(ours), Pearson = share(plain))
}
if (what == "edges") write("edges", rows, 1)

if (what == "speed") {
    core <- grep("/(core|nn)_", list.files("src", "[.]c$", full.names = TRUE), value = TRUE)
    so <- file.path(tempdir(), "kernels.so")
    stopifnot(system2("gcc", c("-O2", "-fPIC", "-fopenmp", "-shared", "-Isrc", "-o", so,
        "bench/kernels-graphsci.c", core, "-lm")) == 0)
    dyn.load(so)
    someCounts <- function(genes, cells) {
        set.seed(1)
        matrix(rpois(genes * cells, rexp(genes) %o% rlnorm(cells, 0, 0.3)), genes)
    }
    rows <- rowsOf()
    for (size in list(c(2000, 2000), c(5000, 3000))) {
        x <- someCounts(size[1], size[2])
        s <- vapply(1:2, function(t) {
            one <- function(k) suppressMessages(fitInfill(x,
                GraphSciParam(max.iter = k, stop = "none", valid.fraction = 0), seed = 1,
                num.threads = t, progress = FALSE))@seconds
            more <- if (prod(size) < 5e6) 30 else 4
            a <- one(1)
            (one(more) - a) / (more - 1)
        }, 0)
        f <- .C("floor_graphsci", as.integer(size[1]), as.integer(size[2]), 2L, seconds = 0)$seconds
        rows$add(`genes x cells, not 0` = sprintf("%d x %d, %.0f %%", size[1], size[2],
            100 * mean(x > 0)), `seconds an epoch` = num(s[1], 2),
            `the two bare products` = num(f, 2), ratio = num(s[1] / f, 2),
            `two threads` = num(s[1] / s[2], 2))
    }
    write("speed", rows, 1)
}

# Simulations with their truth: errors against it on log1p of the counts, of all entries and of
# those that were dropped, and clusters: k-means of as many groups as there are on ten principal
# components of log1p(count/size); silhouette of the true groups there.
if (what == "simulation") {
    some <- if (length(args) > 3) sets else c("small", "SIM-T2")
    simulated <- function(set, seed) if (set == "small") simulateCounts(n.genes = 299,
        n.cells = 400, de.scale = 0.3, seed = seed)
        else simulateCounts(set, seed = seed)
    table <- rowsOf()
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
                rows[[name]] <<- rbind(rows[[name]],
                    c(mean(e), mean(e[dropped]), mean(abs(y - truth)), adjustedRandIndex(k, group),
                    clusterAgreement(group, k, "accuracy"), silhouetteWidth(pcs, group), seconds,
                    cost))
            }
            judge("raw", x)
            judge("gene mean", quiet(infill(x, GeneMeanParam(), as = "matrix")))
            fit <- quiet(fitInfill(x, DeepImputeParam(n.genes = Inf), seed = seed,
                num.threads = threads, progress = FALSE))
            judge("DeepImpute", quiet(infill(x, fit, as = "matrix")), fit@seconds)
            models <- list(GraphSCI = param(),
                `GraphSCI, 200 epochs` = param(max.iter = 200, stop = "none", valid.fraction = 0),
                `reference start, l2 = 0` = param(max.iter = 200, stop = "none",
                valid.fraction = 0, init = "reference", l2 = 0))
            if (set != "small") models <- models[1]
            for (name in names(models)) {
                fit <- quiet(fitInfill(x, models[[name]], seed = seed, num.threads = threads,
                    progress = FALSE))
                h <- fitParts(fit, "history")
                # values everywhere, as the paper has them, and zeros only
                judge(name, quiet(infill(x, fit, as = "matrix", keep = "none")), fit@seconds,
                    h$expression[fit@best])
                judge(paste0(name, ", zeros only"), quiet(infill(x, fit, as = "matrix")),
                    fit@seconds, h$expression[fit@best])
            }
        }
        for (name in names(rows)) {
            m <- colMeans(rows[[name]])
            names(m) <- c("MAE all", "dropped", "counts", "ARI", "CA", "SC", "seconds", "cost")
            do.call(table$add, c(list(simulation = set, ` ` = name), as.list(num(m, 3))))
        }
    }
    write("simulation", table, 2)
}

# Ten thousand genes of a real or simulated set, weights on the edges alone: the peak of resident
# memory above the input.
if (what == "memory") {
    sim <- simulateCounts(n.genes = 12000, n.cells = 3000, lib.location = 9, seed = 1)
    x <- assay(sim, "counts")
    x <- x[order(-rowSums(x > 0))[1:10000], ]
    peak <- function() as.numeric(gsub("[^0-9]", "",
        grep("VmHWM", readLines("/proc/self/status"), value = TRUE))) / 1024
    invisible(gc())
    before <- peak()
    fit <- suppressMessages(fitInfill(x, param(inner = "edges", n.max = Inf, max.iter = 20),
        seed = 1, num.threads = threads, progress = FALSE))
    rows <- rowsOf()
    rows$add(`genes x cells` = sprintf("%d x %d", nrow(x), ncol(x)),
        edges = num(fit@recipe$plan[3] / 2, 0),
        `seconds an epoch` = num(fit@seconds / nrow(fitParts(fit, "history")), 1),
        `peak MB` = num(peak(), 0), `MB before the fit` = num(before, 0))
    write("memory", rows, 1)
}
