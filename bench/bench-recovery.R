# RMSE at hidden entries (log1p scale) of AutoImpute at its defaults on all genes of a task, beside
# the baselines and the authors' program. Writes results/autoimpute.md. From the root:
# Rscript bench/bench-recovery.R [data folder] [seeds] [sets, comma]
source("bench/tasks.R")
source("bench/write.R")
args <- commandArgs(TRUE)
data <- c(args, "../shared/data")[1]
seeds <- if (length(args) > 1) as.integer(args[2]) else 3
goals <- c(sc_dropseq_3cl = "0.49", zheng500_facs = "0.355", jurkat_293t_338 = "0.41",
    sc_celseq2_3cl = "below the mean of non-zeros", zeisel_550 = "below the mean of non-zeros")
all <- function(...) AutoImputeParam(min.cells = 0, gene.selection = "none", ...)
rows <- rowsOf()
add <- function(set, settings, baselines, rmse, sd, pearson, seconds, iterations, goal = "") {
    rows$add(set = set, settings = settings, `gene mean x size` = num(baselines[["all"]]),
        `mean of non-zeros` = num(baselines[["detected"]]), AutoImpute = num(rmse), sd = num(sd),
        goal = goal, Pearson = num(pearson), iterations = num(iterations, 0),
        seconds = num(seconds, 1),
        `authors' code` = num(recorded(data, set, "mask10.rmse", "autoimpute_py")),
        `its seconds` = num(recorded(data, set, "mask10.rmse", "autoimpute_py", "seconds"), 0))
}
one <- function(task, param, seed) {
    seconds <- cpuSeconds(fit <- fitInfill(task$x, param, seed = seed, progress = FALSE))
    error <- taskError(task, infill(task$x, fit))
    c(rmse = error$rmse, pearson = error$pearson, seconds = seconds,
        iterations = nrow(fitParts(fit, "history")))
}
sets <- if (length(args) > 2) strsplit(args[3], ",")[[1]] else names(goals)
for (set in sets) {
    task <- taskMask(taskData(set, data))
    baselines <- vapply(c(all = "all", detected = "detected"), function(over) {
        taskError(task, infill(task$x, GeneMeanParam(over = over)))$rmse
    }, 0)
    runs <- vapply(seq_len(seeds), function(seed) one(task, all(), seed), numeric(4))
    m <- rowMeans(runs)
    add(set, "default", baselines, m[["rmse"]], sd(runs["rmse", ]), m[["pearson"]], m[["seconds"]],
        m[["iterations"]], goals[[set]])
    if (set == "zheng500_facs") {
        r <- one(task, all(init = "reference", stop = "paper"), 1)
        add(set, 'init = "reference", stop = "paper"', baselines, r[["rmse"]], NA, r[["pearson"]],
            r[["seconds"]], r[["iterations"]])
    }
}
# some sets only: the others' rows stay
writeResult("autoimpute", "recovery", rows$table(),
    paste(c("Rscript bench/bench-recovery.R", if (length(args) > 1) args), collapse = " "),
    by = if (length(args) > 2) 2 else 0)
