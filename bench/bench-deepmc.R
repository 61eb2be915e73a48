# deepMc: recovery beside baselines and softImpute, clusters per number of layers, the rule for the number of sweeps, speed
# beside the floor of the bare kernels. From the root: Rscript bench/bench-deepmc.R [recovery|clusters|sweeps|speed] [data]
source("bench/tasks.R")
args <- commandArgs(TRUE)
what <- c(args, "all")[1]
data <- c(args[-1], "../shared/data")[1]
wants <- function(k) what %in% c("all", k)
peers <- if (file.exists(file.path(data, "..", "reference", "peers.tsv"))) read.delim(file.path(data, "..", "reference", "peers.tsv"))
recorded <- function(set, test, method) c(peers$value[peers$set == set & peers$test == test & peers$method == method], NA)[1]
whole <- list(n.genes = Inf, min.cells = 0, gene.selection = "none", log = "log1p")      # every gene of the task
layers <- list(`1` = 10, `2` = c(30, 10), `3` = c(50, 25, 10))
wide <- list(`1` = 20, `2` = c(40, 20), `3` = c(60, 30, 20))
ways <- c(lapply(layers, function(r) list(ranks = r)), lapply(wide, function(r) list(ranks = r, method = "converged")))
names(ways) <- c(paste("paper,", c("1 layer", "2 layers", "3 layers")), paste("converged,", c("1 layer", "2 layers", "3 layers")))
made <- function(way, more = list()) do.call(DeepMcParam, c(way, more))

if (wants("recovery")) {
    sets <- c("sc_dropseq_3cl", "sc_celseq2_3cl", "zeisel_550", "klein_1k", "zheng500_facs", "jurkat_293t_338", "sc_10x_3cl_894g",
        "pbmc4k_top2000")
    cat(sprintf("%-16s %-24s %8s %8s %8s %7s\n", "set", "method", "rmse", "pearson", "seconds", "sweeps"))
    for (set in sets) {
        task <- taskMask(taskData(set, data))
        line <- function(name, e, seconds = 0, sweeps = NA) cat(sprintf("%-16s %-24s %8.4f %8.4f %8.2f %7.0f\n", set, name, e$rmse,
            e$pearson, seconds, sweeps))
        line("mean of non-zeros", taskError(task, infill(task$x, GeneMeanParam(over = "detected"))))
        for (k in names(ways)) {
            fit <- fitInfill(task$x, made(ways[[k]], whole), seed = 1, progress = FALSE)
            line(k, taskError(task, infill(task$x, fit)), fit@seconds, max(fit@history$iteration))
        }
        line("recorded softimpute", list(rmse = recorded(set, "mask10.rmse", "softimpute"), pearson = recorded(set, "mask10.pearson",
            "softimpute")), c(peers$seconds[peers$set == set & peers$method == "softimpute" & peers$test == "mask10.rmse"], NA)[1])
    }
}

# k-means, k the number of classes, 20 starts, mean of 5 seeds, on 50 principal components of log2 of the filled-in counts
# divided by their own column sums, 1,000 genes fixed from the raw data
clusterAri <- function(logs, genes, labels) {
    m <- t(as.matrix(logs[genes, ]))
    m <- m[, apply(m, 2, var) > 0]
    set.seed(1)
    p <- if (min(dim(m)) > 120) irlba::prcomp_irlba(m, 50)$x else prcomp(m, rank. = min(50, nrow(m) - 1))$x
    mean(vapply(1:5, function(s) {
        set.seed(s)
        adjustedRandIndex(suppressWarnings(kmeans(p, length(unique(labels)), nstart = 20, iter.max = 50))$cluster, labels)
    }, 0))
}
if (wants("clusters")) {
    sets <- c("sc_dropseq_3cl", "sc_celseq2_3cl", "sc_10x_3cl_894g", "zeisel_550", "klein_1k", "zheng500_facs", "jurkat_293t_338", "deng",
        "pollen", "goolam", "baron_2812_hvg", "usoskin_150", "kolodziejczyk_300", "pbmc4k_top2000")
    cat(sprintf("%-18s %6s %6s", "set", "raw", "rec."), sprintf("%9s", sub(" layers?", "", names(ways))), "\n")
    for (set in sets) {
        x <- taskData(set, data)
        labels <- read.delim(file.path(data, set, "labels.tsv"))
        labels <- labels$label[match(colnames(x), labels$cell)]
        genes <- prepareCounts(x, n.genes = 1000, check.scale = FALSE)@recipe$selected
        normal <- function(y) { size <- colSums(y) / median(colSums(y)); log2(1 + t(t(as.matrix(y)) / size)) }
        ari <- function(param) clusterAri(normal(infill(x, param, seed = 1, check.scale = FALSE)), genes, labels)
        cat(sprintf("%-18s %6.3f %6.3f", set, ari(NoneParam()), recorded(set, "cluster.ari", "none")))
        for (k in names(ways)) cat(sprintf(" %9.3f", ari(made(ways[[k]], list(n.genes = Inf, min.cells = 0, gene.selection = "none")))))
        cat("\n")
    }
}

# ARI and error at hidden entries over the number of plain sweeps, and where the rule ceiling(10 / (p K)) stops
if (wants("sweeps")) for (set in c("sc_10x_3cl_894g", "pbmc4k_top2000", "zheng500_facs", "zeisel_550")) {
    x <- taskData(set, data)
    labels <- read.delim(file.path(data, set, "labels.tsv"))
    labels <- labels$label[match(colnames(x), labels$cell)]
    genes <- prepareCounts(x, n.genes = 1000)@recipe$selected
    task <- taskMask(x)
    p <- length(x@x) / prod(dim(x))
    cat(sprintf("%s: p %.3f, the rule says %d sweeps (J p = sweeps 3 p)\n", set, p, max(5, min(100, ceiling(10 / 3 / p)))))
    for (n in c(1, 2, 3, 5, 8, 12, 20, 40, 80)) {
        param <- made(list(ranks = c(30, 10), sweeps = n), whole)
        e <- taskError(task, infill(task$x, fitInfill(task$x, param, seed = 1, progress = FALSE)))
        y <- infill(x, param, seed = 1)
        a <- clusterAri(log2(1 + t(t(y) / (colSums(y) / median(colSums(y))))), genes, labels)
        cat(sprintf("  %3d sweeps, J p %5.1f: RMSE %.4f, ARI %.3f\n", n, 3 * n * p, e$rmse, a))
    }
}

# Genes x cells with this share of non-zeros: pbmc4k's genes and cells drawn with replacement, molecules thinned until it fits.
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
status <- function(key) as.double(gsub("[^0-9]", "", grep(key, readLines("/proc/self/status"), value = TRUE))) / 1024
if (what == "one") {
    x <- resampled(as.integer(args[3]), as.integer(args[4]), as.double(args[5]))
    invisible(gc(full = TRUE))
    writeLines("5", "/proc/self/clear_refs")
    base <- status("VmRSS")
    how <- c(whole, list(ranks = c(30, 10)))
    full <- fitInfill(x, do.call(DeepMcParam, how), seed = 1, progress = FALSE, num.threads = 2)
    cat(sprintf("%d x %d, %.1f M non-zeros (%.1f %%): default fit, 2 threads, %d sweeps: %.1f s, input %.0f MB, peak above it %.0f MB, start by %s\n",
        nrow(x), ncol(x), length(x@x) / 1e6, 100 * length(x@x) / prod(dim(x)), max(full@history$iteration), full@seconds,
        object.size(x) / 2^20, status("VmHWM") - base, if (fitParts(full, "weights")$summary[6]) sprintf("%d passes", fitParts(full, "weights")$summary[6]) else "Gram"))
    so <- tempfile(fileext = ".so")
    core <- setdiff(list.files("src", "^(core|mf)_.*\\.c$", full.names = TRUE), "src/mf_svd.c")
    stopifnot(system2("gcc", c("-O2", "-fPIC", "-fopenmp", "-shared", "-Isrc", "-o", so, "bench/kernels-mf.c", core,
        "tests/core/linalg.c", "-lm")) == 0)
    dyn.load(so)
    floor <- .C("floor_deepmc", x@p, x@i, x@x, nrow(x), ncol(x), 10L, 5L, plain = 0, exact = 0)
    for (step in c("mm", "exact")) {
        t <- function(n, threads) min(replicate(2, fitInfill(x, do.call(DeepMcParam, c(how, sweeps = n, step = step)), seed = 1,
            progress = FALSE, num.threads = threads)@seconds))
        s <- vapply(1:2, function(k) (t(12, k) - t(2, k)) / 10, 0)
        f <- if (step == "mm") floor$plain else floor$exact
        cat(sprintf("  step %-5s: %.3f s a sweep (%.1f ns per non-zero), floor %.3f, ratio %.2f; 1 -> 2 threads %.2f\n", step, s[1],
            1e9 * s[1] / length(x@x), f, s[1] / f, s[1] / s[2]))
    }
}
if (wants("speed")) for (size in list(c(1000, 17000, .05), c(1000, 68000, .05), c(20000, 10000, .08)))
    system2("Rscript", c("bench/bench-deepmc.R", "one", data, size))
