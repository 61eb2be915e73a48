# DeepImpute: recovery beside baselines and the recorded reference, the training-fraction curve, speed beside the floor of
# the bare kernels, scaling and memory. From the root: Rscript bench/bench-deepimpute.R [recovery|fraction|speed|scale] [data]
source("bench/tasks.R")
args <- commandArgs(TRUE)
what <- c(args, "all")[1]
data <- c(args[-1], "../shared/data")[1]
wants <- function(k) what %in% c("all", k)
sets <- c("sc_celseq2_3cl", "sc_dropseq_3cl", "sc_10x_3cl_894g", "zeisel_550", "zheng500_facs", "pbmc4k_top2000", "jurkat_293t_338")
recorded <- function() {
    file <- file.path(data, "..", "reference", "peers.tsv")
    if (!file.exists(file)) return(NULL)
    r <- read.delim(file)
    r[r$method == "deepimpute_py" & r$test %in% c("mask10.rmse", "mask10.pearson"), ]
}
line <- function(set, method, e, seconds, epochs = NA) cat(sprintf("%-16s %-30s %8.4f %8.4f %8.4f %8.2f %6.0f\n", set, method, e$rmse,
    e$pearson, e$rmse^2, seconds, epochs))

if (wants("recovery")) {
    cat(sprintf("%-16s %-30s %8s %8s %8s %8s %6s\n", "set", "method", "rmse", "pearson", "mse", "seconds", "epochs"))
    r <- recorded()
    for (set in sets) {
        task <- taskMask(taskData(set, data))
        simple <- list("none" = NoneParam(), "gene mean x size" = GeneMeanParam(), "mean of non-zeros" = GeneMeanParam(over = "detected"))
        for (k in names(simple)) line(set, k, taskError(task, infill(task$x, simple[[k]])), 0)
        ours <- list("DeepImpute, all genes" = list(n.genes = Inf))
        if (set %in% c("zheng500_facs", "pbmc4k_top2000")) ours[["DeepImpute, min.vmr = 0.5"]] <- list()
        ours[["... patience = 5"]] <- list(n.genes = Inf, patience = 5)
        ours[["... joint"]] <- list(n.genes = Inf, joint = TRUE)
        if (set == "jurkat_293t_338") ours[["... binary, patience = 20"]] <- list(n.genes = Inf, loss.weights = "binary", patience = 20)
        for (k in names(ours)) {
            runs <- lapply(1:3, function(seed) {
                fit <- fitInfill(task$x, do.call(DeepImputeParam, ours[[k]]), seed = seed, progress = FALSE)
                cbind(taskError(task, infill(task$x, fit)), seconds = fit@seconds, epochs = mean(fitParts(fit, "networks")$iterations))
            })
            m <- as.list(colMeans(do.call(rbind, runs)))
            line(set, k, m, m$seconds, m$epochs)
        }
        mine <- r[r$set == set, ]
        if (NROW(mine)) line(set, "recorded deepimpute_py", list(rmse = mine$value[mine$test == "mask10.rmse"],
            pearson = mine$value[mine$test == "mask10.pearson"]), mine$seconds[1])
    }
}
if (wants("fraction")) {
    cat("training fraction on pbmc4k_top2000, all genes, mean of 3 seeds: share of the cells, MSE, Pearson, seconds\n")
    task <- taskMask(taskData("pbmc4k_top2000", data))
    for (f in c(0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)) {
        runs <- do.call(rbind, lapply(1:3, function(seed) {
            fit <- fitInfill(task$x, DeepImputeParam(n.genes = Inf, cell.fraction = f), seed = seed, progress = FALSE)
            e <- taskError(task, infill(task$x, fit))
            c(e$rmse^2, e$pearson, fit@seconds)
        }))
        cat(sprintf("  %4.0f %%  %.4f  %.4f  %.1f   (%s)\n", 100 * f, mean(runs[, 1]), mean(runs[, 2]), mean(runs[, 3]),
            paste(sprintf("%.4f", runs[, 1]), collapse = " ")))
    }
}

so <- tempfile(fileext = ".so")
if (wants("speed")) {
    core <- list.files("src", "^(core|nn)_.*\\.c$", full.names = TRUE)
    stopifnot(system2("gcc", c("-O2", "-fPIC", "-fopenmp", "-shared", "-Isrc", "-o", so, "bench/kernels.c", core, "-lm")) == 0)
    dyn.load(so)
    floorOf <- function(x, fit) {
        n <- fitParts(fit, "networks")
        batches <- min(12, ncol(x) %/% 64)
        byGene <- function(m) {                     # of one batch after the other; offsets go on
            parts <- lapply(seq_len(batches), function(b) Matrix::t(m[, 64 * (b - 1) + 1:64, drop = FALSE]))
            before <- cumsum(c(0L, vapply(parts, function(p) length(p@i), 0L)))
            list(p = unlist(lapply(seq_len(batches), function(b) parts[[b]]@p + before[b])), i = unlist(lapply(parts, slot, "i")))
        }
        sum(vapply(seq_len(nrow(n)), function(k) {
            a <- x[n$predictor.genes[[k]], seq_len(64 * batches)]
            b <- x[n$target.genes[[k]], seq_len(64 * batches)]
            at <- byGene(a)
            bt <- byGene(b)
            .C("floor_deepimpute", a@p, a@i, as.integer(at$p), at$i, b@p, b@i, as.integer(bt$p), bt$i, 64L, as.integer(batches),
                nrow(a), nrow(b), 256L, 20L, seconds = 0)$seconds
        }, 0))
    }
    for (set in c("pbmc4k_top2000", "sc_10x_3cl_894g", "zeisel_550")) {
        x <- taskData(set, data)
        x <- x[, sample(ncol(x))]
        fitOf <- function(k, threads) fitInfill(x, DeepImputeParam(n.genes = Inf, max.iter = k, patience = 1e6), seed = 1,
            num.threads = threads, progress = FALSE)
        one <- function(k, threads) min(replicate(3, fitOf(k, threads)@seconds))
        fit <- fitOf(1, 1)
        steps <- ceiling(0.95 * ncol(x) / 64)
        k <- ceiling(1000 / steps)
        s <- vapply(1:2, function(t) (one(k + 2, t) - one(2, t)) / k / steps, 0)
        f <- floorOf(x, fit)
        cat(sprintf("%s, density %.2f, %d networks: %.2f ms per step of all, floor %.2f, ratio %.2f; 1 -> 2 threads %.2f; %.0f cells/s per epoch\n",
            set, length(x@x) / prod(dim(x)), nrow(fitParts(fit, "networks")), 1e3 * s[1], 1e3 * f, s[1] / f, s[1] / s[2], 64 / s[1]))
    }
}

# Cells x 3,205 genes: pbmc4k's cells drawn with replacement, each molecule kept with probability 0.8; genes drawn with
# replacement the same way, so that they have the counts of real genes.
resampled <- function(cells, genes = 3205) {
    set.seed(1)
    x <- readRDS(file.path(data, "pbmc4k_top2000", "counts.rds"))
    x <- as(x, "CsparseMatrix")
    x <- x[sample.int(nrow(x), genes, TRUE), ]
    x <- x[, sample.int(ncol(x), cells, TRUE)]
    x@x <- as.double(rbinom(length(x@x), as.integer(x@x), 0.8))
    dimnames(x) <- list(paste0("g", seq_len(genes)), NULL)
    drop0(x)
}
status <- function(key) as.double(gsub("[^0-9]", "", grep(key, readLines("/proc/self/status"), value = TRUE))) / 1024
if (what == "one") {
    cells <- as.integer(args[3])
    x <- resampled(cells)
    invisible(gc(full = TRUE))
    writeLines("5", "/proc/self/clear_refs")
    input <- as.double(object.size(x)) / 2^20
    base <- status("VmRSS")
    epochs <- max(3, round(1e5 / cells))
    t <- function(k, threads = 1) fitInfill(x, DeepImputeParam(n.genes = Inf, max.iter = k, patience = 1e6), seed = 1,
        num.threads = threads, progress = FALSE)@seconds
    invisible(t(1)); a <- t(1)
    each <- (t(1 + epochs) - a) / epochs
    two <- (t(1 + epochs, 2) - t(1, 2)) / epochs
    cat(sprintf("  %6d cells, %.1f M non-zeros: preparation %.1f s, epoch %.2f s (%.0f cells/s), two threads %.2f times; input %.0f MB, peak above it %.0f MB\n",
        cells, length(x@x) / 1e6, a - each, each, cells / each, each / two, input, status("VmHWM") - base))
}
if (wants("scale")) {
    cat("resampled pbmc4k, 3,205 genes, 7 networks:\n")
    for (cells in c(1000, 5000, 10000, 50000)) system2("Rscript", c("bench/bench-deepimpute.R", "one", data, cells))
}
