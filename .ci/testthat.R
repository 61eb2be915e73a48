# All of tests/testthat with the installed package, in as many R's as there are cores (two at most):
# each takes the next file that nobody has. Rscript .ci/testthat.R
# What failing tests said comes first, then the slowest files, and the sum: testthat: N passed, N
# failed, N skipped. An R that dies is a failure of the file it was at.
begun <- Sys.time()
folder <- commandArgs(TRUE)
tests <- file.path("tests", "testthat")
files <- sub("^test-(.*)[.]R$", "\\1", list.files(tests, "^test-.*[.]R$"))
files <- files[order(!grepl("bits|realdata|similarity", files))]      # the longest first
if (length(folder)) {                                                   # one of the R's
    suppressMessages({
        library(testthat)
        library(infill)
    })
    for (f in files) if (dir.create(file.path(folder, f), showWarnings = FALSE)) {
        said <- capture.output(r <- as.data.frame(test_dir(tests, filter = sprintf("^%s$", f),
            reporter = "check", stop_on_failure = FALSE)))
        writeLines(said, file.path(folder, f, "said"))
        saveRDS(r[c("file", "test", "real", "passed", "failed", "error", "skipped")], file.path(folder, f, "result"))
    }
    quit(save = "no")
}
folder <- tempfile("testthat")
dir.create(folder)
cores <- max(1L, min(2L, parallel::detectCores()), na.rm = TRUE)
here <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
invisible(parallel::mclapply(seq_len(cores), function(k) system2(file.path(R.home("bin"), "Rscript"),
    shQuote(c(here, folder)), stdout = file.path(folder, paste0("log", k)), stderr = file.path(folder, paste0("log", k))),
    mc.cores = cores))
ended <- file.exists(file.path(folder, files, "result"))
r <- do.call(rbind, lapply(file.path(folder, files[ended], "result"), readRDS))
if (!all(ended)) {
    cat(unlist(lapply(Sys.glob(file.path(folder, "log*")), function(f) tail(readLines(f, warn = FALSE), 20L))), sep = "\n")
    cat(sprintf("no result of %s\n", files[!ended]), sep = "")
}
if (is.null(r)) {
    cat(sprintf("testthat: 0 passed, %d failed, 0 skipped\n", length(files)))
    quit(status = 1)
}
broken <- r$failed > 0 | r$error
said <- function(name) readLines(file.path(folder, name, "said"), warn = FALSE)
for (f in unique(sub("^test-(.*)[.]R$", "\\1", r$file[broken]))) cat(said(f), sep = "\n")
skips <- grep("^\u2022 ", unlist(lapply(files[ended], said)), value = TRUE)
if (length(skips)) cat("skipped:", sort(unique(skips)), sep = "\n")
slow <- aggregate(real ~ file, r, sum)
cat(sprintf("%d files, %.0f s, in %d R's; the slowest:\n", length(files), as.numeric(difftime(Sys.time(), begun, units = "secs")), cores))
print(head(slow[order(-slow$real), ], 10), row.names = FALSE)
if (any(broken)) print(r[broken, c("file", "test")], row.names = FALSE)
failed <- sum(r$failed) + sum(r$error) + sum(!ended)
cat(sprintf("testthat: %d passed, %d failed, %d skipped\n", sum(r$passed), failed, sum(r$skipped)))
unlink(folder, recursive = TRUE)
quit(status = failed > 0)
