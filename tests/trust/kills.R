# Fits that are killed at random moments after their first checkpoint, and fits whose disk is full.
# Rscript tests/trust/kills.R [kills]: each is gone on with to the bits of a fit in one go. The last
# line is the sum.
suppressMessages(library(infill))
kills <- as.integer(c(commandArgs(TRUE), 50L)[1])
folder <- tempfile("kills")
dir.create(folder)
set.seed(5)
x <- matrix(rpois(300 * 120, rexp(300, 1 / 3)), 300, 120)
params <- list(AutoImputeParam(hidden = 64, max.iter = 1500, patience = 1000, min.cells = 0),
    DeepImputeParam(network.size = 100, hidden = 32, max.iter = 400, patience = 1000, min.vmr = 0),
    GraphSciParam(max.iter = 200, patience = 1000, threshold = 0.4))
quiet <- function(code) suppressMessages(suppressWarnings(code))
whole <- lapply(params, function(p) quiet(fitInfill(x, p, seed = 3)))
saveRDS(list(x = x, params = params), file.path(folder, "task.rds"))
libs <- unique(c(dirname(system.file(package = "infill")), .libPaths()))
script <- file.path(folder, "fit.R")
writeLines(c(sprintf(".libPaths(%s)", paste(deparse(libs), collapse = "")), "a <- commandArgs(TRUE)",
    "suppressMessages(library(infill))", "t <- readRDS(a[1])", "cat(Sys.getpid(), file = paste0(a[3], '.pid'))",
    "heard <- character()", "fit <- withCallingHandlers(fitInfill(t$x, t$params[[as.integer(a[2])]], seed = 3,",
    "    checkpoint = a[3], checkpoint.every = 5, progress = FALSE), warning = function(w) {",
    "    heard <<- c(heard, class(w)[1]); invokeRestart('muffleWarning') })",
    "out <- pipe('cat', 'wb')", "saveRDS(list(weights = fit@weights, history = fit@history, heard = heard), out)", "close(out)"), script)
rscript <- file.path(R.home("bin"), "Rscript")
command <- function(k, file, out) sprintf("%s --vanilla %s %s %d %s > %s 2> /dev/null", shQuote(rscript), shQuote(script),
    shQuote(file.path(folder, "task.rds")), k, shQuote(file), shQuote(out))
same <- function(fit, k) identical(fit@weights, whole[[k]]@weights) && identical(fit@history, whole[[k]]@history)
wait <- function(done, seconds = 120) {
    until <- Sys.time() + seconds
    while (!done() && Sys.time() < until) Sys.sleep(0.005)
    done()
}
passed <- 0L
failed <- character()
verdict <- function(ok, what) if (isTRUE(ok)) passed <<- passed + 1L else failed <<- c(failed, what)
moments <- stats::runif(10 * kills, 0, 1)
killed <- 0L
for (n in seq_along(moments)) {
    if (killed == kills) break
    k <- (n - 1L) %% length(params) + 1L
    file <- file.path(folder, sprintf("fit%d.rds", n))
    system(paste(command(k, file, paste0(file, ".out")), "&"))
    if (!wait(function() file.exists(file) || file.exists(paste0(file, ".pid")) &&
        file.size(paste0(file, ".out")) > 0)) { verdict(FALSE, paste("no checkpoint of fit", n)); next }
    Sys.sleep(moments[n])
    pid <- as.integer(readLines(paste0(file, ".pid"), warn = FALSE))
    tools::pskill(pid, tools::SIGKILL)
    if (!file.exists(file)) next                       # it had ended: no kill
    Sys.sleep(0.05)
    killed <- killed + 1L
    verdict(same(quiet(fitInfill(x, params[[k]], seed = 3, checkpoint = file)), k), sprintf("kill %d: other bits", n))
}
verdict(killed == kills, sprintf("%d kills of %d", killed, kills))
# a full disk: files of the other R have no room, before the first checkpoint or after a good one
for (k in seq_along(params)) for (good in c(FALSE, TRUE)) {
    file <- file.path(folder, sprintf("full%d%d.rds", k, good))
    if (good) {
        p <- params[[k]]
        p@max.iter <- 10
        saveRDS(quiet(fitInfill(x, p, seed = 3, keep.state = TRUE)), file)
    }
    before <- if (good) tools::md5sum(file)
    out <- paste0(file, ".out")
    # the limit is for files; the result goes through a pipe
    system2("bash", c("-c", shQuote(paste("trap '' XFSZ;", sub(" > .*", "", sprintf("(ulimit -f 2; %s",
        command(k, file, out))), "2> /dev/null) | cat >", shQuote(out)))))
    got <- tryCatch(readRDS(out), error = function(e) NULL)
    verdict(identical(got$weights, whole[[k]]@weights) && identical(got$heard, "infill_checkpoint"),
        sprintf("full disk, model %d: the fit does not go on", k))
    verdict(!file.exists(paste0(file, ".new")), "a part of a checkpoint is left")
}
unlink(folder, recursive = TRUE)
if (length(failed)) cat(failed, sep = "\n")
cat(sprintf("kills: %d passed, %d failed (%d killed)\n", passed, length(failed), killed))
quit(status = length(failed) > 0)
