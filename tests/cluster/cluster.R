# Results in files by jobs of a real Slurm (tests/cluster/run starts and stops it): the bits of one
# process; a job killed at random moments, the session killed, resumed; nothing left in the queue.
# Rscript tests/cluster/cluster.R [kills] [seed]. The last line is the sum.
suppressMessages({
    library(infill)
    library(BiocParallel)
})
arguments <- commandArgs(TRUE)
kills <- if (length(arguments)) as.integer(arguments[1]) else 3L
seed <- if (length(arguments) > 1L) as.integer(arguments[2]) else as.integer(format(Sys.time(), "%Y%j"))
shared <- Sys.getenv("CLUSTER_FOLDER", tempdir())          # every node sees it
passed <- failed <- 0
begun <- Sys.time()
check <- function(what, ok) {
    ok <- isTRUE(ok)
    if (ok) passed <<- passed + 1 else failed <<- failed + 1
    cat(sprintf("%s: %s (%.0f s)\n", if (ok) "ok" else "FAILED", what, as.double(difftime(Sys.time(),
        begun, units = "secs"))))
}
queued <- function() length(system2("squeue", c("-h", "-o", "%i"), stdout = TRUE))
template <- system.file("templates", "slurm-simple.tmpl", package = "batchtools")
# looks for jobs that have ended twice a second, not every five
conf <- file.path(shared, "batchtools.R")
writeLines(c("sleep <- 0.5", "expire.after <- 12"), conf)
cluster <- function() {
    home <- tempfile("registry", shared)
    args <- batchtoolsRegistryargs(file.dir = home, work.dir = shared, conf.file = conf)
    BatchtoolsParam(workers = 2, cluster = "slurm", template = template, registryargs = args,
        resources = list(ncpus = 1, memory = 2000, walltime = 600))
}

# real counts drawn again: as many cells as make a dozen shards
se <- readRDS(file.path(shared, "cells.rds"))
x <- HDF5Array::HDF5Array(file.path(shared, "cells.h5"), "counts")
param <- StackParam(list(GeneMeanParam(), SvdParam(5)), repeats = 1, max.cells = 500)
options(infill.shard.values = 250 * nrow(x))
shards <- infill:::.shardsOf(nrow(x), ncol(x))
fit <- fitInfill(x, param, seed = 1, progress = FALSE)
want <- as.matrix(infill(x, fit, as = "hdf5", file = file.path(shared, "one.h5"), progress = FALSE))
check("one process: the bits of counts in memory", identical(c(want), c(infill(se, fit, as = "matrix"))))

two <- infill(x, fit, as = "hdf5", file = file.path(shared, "two.h5"), BPPARAM = cluster())
check("two jobs: the bits of one process", identical(as.matrix(two), want))
check("nothing is left in the queue", queued() == 0L)

# a call in another session, which can be killed as well
script <- file.path(shared, "call.R")
writeLines(c("suppressMessages({ library(infill); library(BiocParallel) })",
    sprintf("options(infill.shard.values = %d)", as.integer(250 * nrow(x))),
    sprintf("x <- HDF5Array::HDF5Array(%s, \"counts\")", dQuote(file.path(shared, "cells.h5"), FALSE)),
    sprintf("fit <- readRDS(%s)", dQuote(file.path(shared, "fit.rds"), FALSE)),
    sprintf("args <- batchtoolsRegistryargs(file.dir = tempfile(\"registry\", %1$s), work.dir = %1$s, conf.file = %2$s)",
        dQuote(shared, FALSE), dQuote(conf, FALSE)),
    sprintf("two <- BatchtoolsParam(workers = 2, cluster = \"slurm\", template = %s, registryargs = args,",
        dQuote(template, FALSE)),
    "    resources = list(ncpus = 1, memory = 2000, walltime = 600))",
    "r <- infill(x, fit, as = \"hdf5\", file = commandArgs(TRUE)[1], BPPARAM = two)"), script)
saveRDS(fit, file.path(shared, "fit.rds"))
set.seed(seed)
# processes whose command holds this; none is no warning
running <- function(what) as.integer(suppressWarnings(system2("pgrep", c("-f", shQuote(what)),
    stdout = TRUE)))
workers <- function() {
    running("[b]atchtools::doJobCollection")
}
for (k in seq_len(kills)) {
    file <- file.path(shared, sprintf("killed-%d.h5", k))
    log <- file.path(shared, sprintf("killed-%d.log", k))
    session <- k %% 3L == 0L                                 # the whole session, now and then
    system2(file.path(R.home("bin"), "Rscript"), c(shQuote(script), shQuote(file)), stdout = log,
        stderr = log, wait = FALSE)
    # jobs begin after a while: from the first of them on, at any moment
    for (w in 1:600) {
        if (length(workers())) break
        Sys.sleep(0.05)
    }
    wait <- runif(1, 0, 6)
    Sys.sleep(wait)
    victims <- if (session) running("[c]all.R") else
        utils::head(workers(), 1L)
    tools::pskill(as.integer(victims), 9L)
    if (session) {
        Sys.sleep(1)
        system2("scancel", "--user=root")
    }
    for (w in 1:600) {
        if (!queued() && !length(running("[c]all.R"))) break
        Sys.sleep(0.1)
    }
    check(sprintf("killed after %.2f s: nothing is left in the queue", wait), queued() == 0L)
    there <- length(Sys.glob(sub("[.]h5$", "-*.h5", file)))
    said <- readLines(log)
    if (!session && there < length(shards)) check("what was lost is told of",
        any(grepl("a worker of 'BPPARAM' failed", said)) && any(grepl("resume = TRUE", said)))
    times <- file.mtime(sort(Sys.glob(sub("[.]h5$", "-*.h5", file))))
    again <- infill(x, fit, as = "hdf5", file = file, resume = TRUE, progress = FALSE)
    check(sprintf("resumed from %d shards: the same bits", there), identical(as.matrix(again), want))
}

cmp <- compareInfill(se, list(svd = SvdParam(5)), repeats = 1, n.cells = 200, seed = 1,
    BPPARAM = cluster(), progress = FALSE)
one <- compareInfill(se, list(svd = SvdParam(5)), repeats = 1, n.cells = 200, seed = 1,
    progress = FALSE)
check("compareInfill() by jobs: the numbers of one process",
    identical(as.data.frame(cmp)$poisson, as.data.frame(one)$poisson))
check("nothing is left in the queue", queued() == 0L)
heard <- unique(names(warnings()))
if (length(heard)) cat("warnings:\n", paste0("  ", utils::head(heard, 5), "\n"), sep = "")
cat(sprintf("cluster: %d passed, %d failed\n", passed, failed))
quit(status = failed > 0)
