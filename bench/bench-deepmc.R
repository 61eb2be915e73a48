# deepMc: recovery beside baselines and softImpute, clusters per number of layers, the rule for the
# number of sweeps, speed beside the floor of the bare kernels. Writes results/deepmc.md.
# From the root: Rscript bench/bench-deepmc.R [recovery|clusters|sweeps|speed] [data]
source("bench/tasks.R")
source("bench/write.R")
args <- commandArgs(TRUE)
what <- c(args, "all")[1]
data <- c(args[-1], "../shared/data")[1]
wants <- function(k) what %in% c("all", k)
command <- function(what) paste("Rscript bench/bench-deepmc.R", what)
every <- list(n.genes = Inf, min.cells = 0, gene.selection = "none")      # every gene of the task
whole <- c(every, log = "log1p")
layers <- list(`1` = 10, `2` = c(30, 10), `3` = c(50, 25, 10))
wide <- list(`1` = 20, `2` = c(40, 20), `3` = c(60, 30, 20))
ways <- c(lapply(layers, function(r) list(ranks = r)),
    lapply(wide, function(r) list(ranks = r, method = "converged")))
names(ways) <- c(paste("paper", 1:3), paste("converged", 1:3))
made <- function(way, more = list()) do.call(DeepMcParam, c(way, more))

if (wants("recovery")) {
    sets <- c("sc_dropseq_3cl", "sc_celseq2_3cl", "zeisel_550", "klein_1k", "zheng500_facs",
        "jurkat_293t_338", "sc_10x_3cl_894g", "pbmc4k_top2000")
    rows <- rowsOf()
    for (set in sets) {
        task <- taskMask(taskData(set, data))
        detected <- taskError(task, infill(task$x, GeneMeanParam(over = "detected")))$rmse
        runs <- lapply(ways, function(way) {
            param <- made(way, whole)
            seconds <- cpuSeconds(fit <- fitInfill(task$x, param, seed = 1, progress = FALSE))
            list(rmse = taskError(task, infill(task$x, fit))$rmse, seconds = seconds)
        })
        rmse <- lapply(runs, function(r) num(r$rmse))
        do.call(rows$add, c(list(set = set, `mean of non-zeros` = num(detected)), rmse, list(
            recorded = num(recorded(data, set, "mask10.rmse", "softimpute")),
            `seconds paper 2` = num(runs[["paper 2"]]$seconds, 1),
            `converged 2` = num(runs[["converged 2"]]$seconds, 1),
            recorded = num(recorded(data, set, "mask10.rmse", "softimpute", "seconds"), 1))))
    }
    writeResult("deepmc", "recovery", rows$table(), command("recovery"))
}

# k-means, k the number of classes, 20 starts, mean of 5 seeds, on 50 principal components of log2
# of the filled-in counts divided by their own column sums, 1,000 genes fixed from the raw data
clusterAri <- function(logs, genes, labels) {
    m <- t(as.matrix(logs[genes, ]))
    m <- m[, apply(m, 2, var) > 0]
    set.seed(1)
    p <- if (min(dim(m)) > 120) irlba::prcomp_irlba(m, 50)$x
        else prcomp(m, rank. = min(50, nrow(m) - 1))$x
    k <- length(unique(labels))
    mean(vapply(1:5, function(s) {
        set.seed(s)
        clusters <- suppressWarnings(kmeans(p, k, nstart = 20, iter.max = 50))$cluster
        adjustedRandIndex(clusters, labels)
    }, 0))
}
labelsOf <- function(set, x) {
    labels <- read.delim(file.path(data, set, "labels.tsv"))
    labels$label[match(colnames(x), labels$cell)]
}
if (wants("clusters")) {
    sets <- c("sc_dropseq_3cl", "sc_celseq2_3cl", "sc_10x_3cl_894g", "zeisel_550", "klein_1k",
        "zheng500_facs", "jurkat_293t_338", "deng", "pollen", "goolam", "baron_2812_hvg",
        "usoskin_150", "kolodziejczyk_300", "pbmc4k_top2000")
    rows <- rowsOf()
    for (set in sets) {
        x <- taskData(set, data)
        labels <- labelsOf(set, x)
        genes <- prepareCounts(x, n.genes = 1000, check.scale = FALSE)@recipe$selected
        normal <- function(y) {
            size <- colSums(y) / median(colSums(y))
            log2(1 + t(t(as.matrix(y)) / size))
        }
        ari <- function(param) {
            clusterAri(normal(infill(x, param, seed = 1, check.scale = FALSE)), genes, labels)
        }
        do.call(rows$add, c(list(set = set, raw = num(ari(NoneParam()), 3),
            `raw, recorded` = num(recorded(data, set, "cluster.ari", "none"), 3)),
            lapply(ways, function(way) num(ari(made(way, every)), 3))))
    }
    writeResult("deepmc", "clusters", rows$table(), command("clusters"))
}

# ARI and error at hidden entries over the number of plain sweeps; "rule": where ceiling(10 / (p K))
# stops
if (wants("sweeps")) {
    rows <- rowsOf()
    for (set in c("sc_10x_3cl_894g", "pbmc4k_top2000", "zheng500_facs", "zeisel_550")) {
        x <- taskData(set, data)
        labels <- labelsOf(set, x)
        genes <- prepareCounts(x, n.genes = 1000)@recipe$selected
        task <- taskMask(x)
        p <- length(x@x) / prod(dim(x))
        at <- c(1, 2, 3, 5, 8, 12, 20, 40, 80)
        both <- vapply(at, function(n) {
            param <- made(list(ranks = c(30, 10), sweeps = n), whole)
            fit <- fitInfill(task$x, param, seed = 1, progress = FALSE)
            y <- infill(x, param, seed = 1)
            logs <- log2(1 + t(t(y) / (colSums(y) / median(colSums(y)))))
            sprintf("%.3f / %.2f", taskError(task, infill(task$x, fit))$rmse,
                clusterAri(logs, genes, labels))
        }, "")
        do.call(rows$add, c(list(set = set, p = num(p, 2),
            rule = max(5, min(100, ceiling(10 / 3 / p)))), setNames(as.list(both), at)))
    }
    writeResult("deepmc", "sweeps", rows$table(), command("sweeps"))
}

# Genes x cells with this share of non-zeros: pbmc4k's genes and cells drawn with replacement,
# molecules thinned until it fits.
resampled <- function(genes, cells, share) {
    set.seed(1)
    x <- as(readRDS(file.path(data, "pbmc4k_top2000", "counts.rds")), "CsparseMatrix")
    x <- x[sample.int(nrow(x), genes, TRUE), ]
    x <- x[, sample.int(ncol(x), cells, TRUE)]
    keep <- runif(length(x@x)) < share * prod(dim(x)) / length(x@x)
    x@x <- as.double(x@x * keep)
    dimnames(x) <- list(paste0("g", seq_len(genes)), NULL)
    drop0(x)
}
status <- function(key) as.double(gsub("[^0-9]", "",
    grep(key, readLines("/proc/self/status"), value = TRUE))) / 1024
if (what == "one") {
    x <- resampled(as.integer(args[3]), as.integer(args[4]), as.double(args[5]))
    invisible(gc(full = TRUE))
    writeLines("5", "/proc/self/clear_refs")
    base <- status("VmRSS")
    how <- c(whole, list(ranks = c(30, 10)))
    full <- fitInfill(x, do.call(DeepMcParam, how), seed = 1, progress = FALSE, num.threads = 2)
    row <- list(size = sprintf("%d x %d", nrow(x), ncol(x)),
        `non-zeros` = sprintf("%.1f M", length(x@x) / 1e6))
    passes <- fitParts(full, "weights")$summary[6]
    whole <- list(`default fit, 2 threads` = sprintf("%d sweeps, %.1f s",
        max(fitParts(full, "history")$iteration), full@seconds),
        `peak above input` = sprintf("%.0f MB", status("VmHWM") - base),
        start = if (passes) sprintf("%d passes", passes) else "Gram")
    so <- tempfile(fileext = ".so")
    core <- setdiff(list.files("src", "^(core|mf)_.*\\.c$", full.names = TRUE), "src/mf_svd.c")
    stopifnot(system2("gcc", c("-O2", "-fPIC", "-fopenmp", "-shared", "-Isrc", "-o", so,
        "bench/kernels-mf.c", core, "tests/core/linalg.c", "-lm")) == 0)
    dyn.load(so)
    floor <- .C("floor_deepmc", x@p, x@i, x@x, nrow(x), ncol(x), 10L, 5L, plain = 0, exact = 0)
    for (step in c("mm", "exact")) {
        t <- function(n, threads) min(replicate(2,
            fitInfill(x, do.call(DeepMcParam, c(how, sweeps = n, step = step)), seed = 1,
            progress = FALSE, num.threads = threads)@seconds))
        s <- vapply(1:2, function(k) (t(12, k) - t(2, k)) / 10, 0)
        f <- if (step == "mm") floor$plain else floor$exact
        name <- c(mm = "plain sweep", exact = "exact sweep")[[step]]
        row[[paste(name, "s")]] <- num(s[1], 3)
        row[[paste0(name, ": floor")]] <- num(f, 3)
        row[[paste0(name, ": ratio")]] <- num(s[1] / f, 2)
        row[[paste0(name, ": two threads")]] <- num(s[1] / s[2], 2)
    }
    saveRDS(as.data.frame(c(row, whole), check.names = FALSE), args[6])
}
# each size in a fresh process, whose row comes back in a file
if (wants("speed")) {
    rows <- lapply(list(c(1000, 17000, .05), c(1000, 68000, .05), c(20000, 10000, .08)),
        function(size) {
        file <- tempfile()
        system2("Rscript", c("bench/bench-deepmc.R", "one", data, size, file))
        readRDS(file)
    })
    writeResult("deepmc", "speed", do.call(rbind, rows), command("speed"))
}
