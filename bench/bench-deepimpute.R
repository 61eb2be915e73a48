# DeepImpute: recovery beside baselines and the recorded reference, the training-fraction curve,
# speed beside the floor of the bare kernels, scaling and memory. Writes results/deepimpute.md.
# From the root:
# Rscript bench/bench-deepimpute.R [recovery|fraction|speed|scale] [data]
source("bench/tasks.R")
source("bench/write.R")
args <- commandArgs(TRUE)
what <- c(args, "all")[1]
data <- c(args[-1], "../shared/data")[1]
wants <- function(k) what %in% c("all", k)
command <- function(what) paste("Rscript bench/bench-deepimpute.R", what)

if (wants("recovery")) {
    sets <- c("sc_celseq2_3cl", "sc_dropseq_3cl", "sc_10x_3cl_894g", "zeisel_550",
        "zheng500_facs", "pbmc4k_top2000", "jurkat_293t_338")
    simple <- list(none = NoneParam(), `gene mean x size` = GeneMeanParam(),
        `mean of non-zeros` = GeneMeanParam(over = "detected"))
    ours <- list(DeepImpute = list(n.genes = Inf),
        `joint = TRUE` = list(n.genes = Inf, joint = TRUE),
        `patience = 5` = list(n.genes = Inf, patience = 5),
        `binary, patience = 20` = list(n.genes = Inf, loss.weights = "binary", patience = 20),
        `min.vmr = 0.5` = list())
    only <- list(`binary, patience = 20` = "jurkat_293t_338",
        `min.vmr = 0.5` = c("zheng500_facs", "pbmc4k_top2000"))
    rows <- rowsOf()
    for (set in sets) {
        task <- taskMask(taskData(set, data))
        cells <- lapply(simple, function(param) num(taskError(task, infill(task$x, param))$rmse))
        for (k in names(ours)) {
            if (!set %in% c(only[[k]], if (is.null(only[[k]])) set)) {
                cells[[k]] <- ""
                next
            }
            param <- do.call(DeepImputeParam, ours[[k]])
            runs <- vapply(1:3, function(seed) {
                seconds <- cpuSeconds(fit <- fitInfill(task$x, param, seed = seed,
                    progress = FALSE))
                e <- taskError(task, infill(task$x, fit))
                c(rmse = e$rmse, pearson = e$pearson, seconds = seconds)
            }, numeric(3))
            m <- rowMeans(runs)
            cells[[k]] <- sprintf("%.4f (%.4f)", m[["rmse"]], m[["pearson"]])
            if (k == "DeepImpute") {
                cells$sd <- num(sd(runs["rmse", ]))
                seconds <- m[["seconds"]]
            }
        }
        peer <- function(test, what = "value") recorded(data, set, test, "deepimpute_py", what)
        do.call(rows$add, c(list(set = set), cells, list(recorded = sprintf("%.4f (%.4f)",
            peer("mask10.rmse"), peer("mask10.pearson")), seconds = num(seconds, 1),
            recorded = num(peer("mask10.rmse", "seconds"), 1))))
    }
    writeResult("deepimpute", "recovery", rows$table(), command("recovery"))
}
if (wants("fraction")) {
    task <- taskMask(taskData("pbmc4k_top2000", data))
    rows <- rowsOf()
    for (f in c(0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)) {
        runs <- vapply(1:3, function(seed) {
            param <- DeepImputeParam(n.genes = Inf, cell.fraction = f)
            seconds <- cpuSeconds(fit <- fitInfill(task$x, param, seed = seed, progress = FALSE))
            e <- taskError(task, infill(task$x, fit))
            c(e$rmse^2, e$pearson, seconds)
        }, numeric(3))
        m <- rowMeans(runs)
        rows$add(`share of the cells` = sprintf("%.0f %%", 100 * f), MSE = num(m[1]),
            Pearson = num(m[2]), seconds = num(m[3], 1),
            `MSE by seed` = paste(num(runs[1, ]), collapse = " "))
    }
    writeResult("deepimpute", "fraction", rows$table(), command("fraction"))
}

so <- tempfile(fileext = ".so")
if (wants("speed")) {
    core <- list.files("src", "^(core|nn)_.*\\.c$", full.names = TRUE)
    stopifnot(system2("gcc", c("-O2", "-fPIC", "-fopenmp", "-shared", "-Isrc", "-o", so,
        "bench/kernels.c", core, "-lm")) == 0)
    dyn.load(so)
    floorOf <- function(x, fit) {
        n <- fitParts(fit, "networks")
        batches <- min(12, ncol(x) %/% 64)
        byGene <- function(m) {                     # of one batch after the other; offsets go on
            parts <- lapply(seq_len(batches),
                function(b) Matrix::t(m[, 64 * (b - 1) + 1:64, drop = FALSE]))
            before <- cumsum(c(0L, vapply(parts, function(p) length(p@i), 0L)))
            list(p = unlist(lapply(seq_len(batches), function(b) parts[[b]]@p + before[b])),
                i = unlist(lapply(parts, slot, "i")))
        }
        sum(vapply(seq_len(nrow(n)), function(k) {
            a <- x[n$predictor.genes[[k]], seq_len(64 * batches)]
            b <- x[n$target.genes[[k]], seq_len(64 * batches)]
            at <- byGene(a)
            bt <- byGene(b)
            .C("floor_deepimpute", a@p, a@i, as.integer(at$p), at$i, b@p, b@i, as.integer(bt$p),
                bt$i, 64L, as.integer(batches), nrow(a), nrow(b), 256L, 20L, seconds = 0)$seconds
        }, 0))
    }
    rows <- rowsOf()
    for (set in c("pbmc4k_top2000", "sc_10x_3cl_894g", "zeisel_550")) {
        x <- taskData(set, data)
        x <- x[, sample(ncol(x))]
        fitOf <- function(k, threads) fitInfill(x,
            DeepImputeParam(n.genes = Inf, max.iter = k, patience = 1e6), seed = 1,
            num.threads = threads, progress = FALSE)
        one <- function(k, threads) min(replicate(3, fitOf(k, threads)@seconds))
        fit <- fitOf(1, 1)
        steps <- ceiling(0.95 * ncol(x) / 64)
        k <- ceiling(1000 / steps)
        s <- vapply(1:2, function(t) (one(k + 2, t) - one(2, t)) / k / steps, 0)
        f <- floorOf(x, fit)
        rows$add(set = set, density = num(length(x@x) / prod(dim(x)), 2),
            networks = nrow(fitParts(fit, "networks")), ms = num(1e3 * s[1], 2),
            floor = num(1e3 * f, 2),
            ratio = num(s[1] / f, 2), `1 -> 2 threads` = num(s[1] / s[2], 2),
            `cells/s` = num(64 / s[1], 0))
    }
    writeResult("deepimpute", "speed", rows$table(), command("speed"))
}

# Cells x 3,205 genes: pbmc4k's cells drawn with replacement, each molecule kept with probability
# 0.8; genes drawn with replacement the same way, so that they have the counts of real genes.
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
status <- function(key) as.double(gsub("[^0-9]", "",
    grep(key, readLines("/proc/self/status"), value = TRUE))) / 1024
if (what == "one") {
    cells <- as.integer(args[3])
    x <- resampled(cells)
    invisible(gc(full = TRUE))
    writeLines("5", "/proc/self/clear_refs")
    input <- as.double(object.size(x)) / 2^20
    base <- status("VmRSS")
    epochs <- max(3, round(1e5 / cells))
    t <- function(k, threads = 1) fitInfill(x,
        DeepImputeParam(n.genes = Inf, max.iter = k, patience = 1e6), seed = 1,
        num.threads = threads, progress = FALSE)@seconds
    invisible(t(1)); a <- t(1)
    each <- (t(1 + epochs) - a) / epochs
    two <- (t(1 + epochs, 2) - t(1, 2)) / epochs
    rows <- rowsOf()
    rows$add(cells = cells, `preparation s` = num(a - each, 1), `epoch s` = num(each, 2),
        `cells/s` = num(cells / each, 0), `two threads` = num(each / two, 2),
        `input MB` = num(input, 0), `peak above it MB` = num(status("VmHWM") - base, 0))
    saveRDS(rows$table(), args[4])
}
# each size in a fresh process, whose row comes back in a file
if (wants("scale")) {
    rows <- lapply(c(1000, 5000, 10000, 50000), function(cells) {
        file <- tempfile()
        system2("Rscript", c("bench/bench-deepimpute.R", "one", data, cells, file))
        readRDS(file)
    })
    writeResult("deepimpute", "scale", do.call(rbind, rows), command("scale"))
}
