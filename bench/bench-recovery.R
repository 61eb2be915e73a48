# RMSE at hidden entries (log1p scale) of AutoImpute at its defaults on all genes of a task, beside the baselines.
# From the root: Rscript bench/bench-recovery.R [data folder] [seeds]
source("bench/tasks.R")
args <- commandArgs(TRUE)
data <- c(args, "../shared/data")[1]
seeds <- if (length(args) > 1) as.integer(args[2]) else 3
sets <- c("sc_dropseq_3cl", "zheng500_facs", "jurkat_293t_338", "sc_celseq2_3cl", "zeisel_550")
all <- function(...) AutoImputeParam(min.cells = 0, gene.selection = "none", ...)
cat(sprintf("%-16s %-22s %8s %8s %8s %10s\n", "set", "method", "rmse", "pearson", "seconds", "iterations"))
line <- function(set, method, e, s, k) cat(sprintf("%-16s %-22s %8.4f %8.4f %8.2f %10s\n", set, method, e$rmse, e$pearson, s, k))
for (set in sets) {
    task <- taskMask(taskData(set, data))
    for (over in c("all", "detected")) {
        s <- system.time(f <- infill(task$x, GeneMeanParam(over = over)))[["elapsed"]]
        line(set, paste("gene mean,", over), taskError(task, f), s, "")
    }
    runs <- lapply(seq_len(seeds), function(seed) {
        fit <- fitInfill(task$x, all(), seed = seed, progress = FALSE)
        list(e = taskError(task, infill(task$x, fit)), s = fit@seconds, k = nrow(fit@history))
    })
    mean_of <- function(f) mean(vapply(runs, f, 0))
    line(set, sprintf("AutoImpute, %d seeds", seeds), list(rmse = mean_of(function(r) r$e$rmse),
        pearson = mean_of(function(r) r$e$pearson)), mean_of(function(r) r$s), round(mean_of(function(r) r$k)))
}
set <- "zheng500_facs"
task <- taskMask(taskData(set, data))
fit <- fitInfill(task$x, all(init = "reference", stop = "paper"), seed = 1, progress = FALSE)
line(set, "init reference, paper", taskError(task, infill(task$x, fit)), fit@seconds, nrow(fit@history))
