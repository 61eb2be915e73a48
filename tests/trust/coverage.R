# Which lines do the tests reach? Rscript tests/trust/coverage.R [write]: lines of R (covr) under
# testthat, lines of C (gcov) under testthat and the core's own tests together, the ten least covered
# files of either. With `write` into bench/results/trust.md. The last line is the sum: at least 98 %
# of R, 95 % of C.
least <- c(R = 98, C = 95)
write <- "write" %in% commandArgs(TRUE)
root <- getwd()
work <- tempfile("coverage")
dir.create(work)
file.copy(c("DESCRIPTION", "NAMESPACE", "R", "src", "inst", "man", "tests", "vignettes"), work, recursive = TRUE)
unlink(Sys.glob(file.path(work, "src", c("*.o", "*.so"))))

# testthat, in R and in the C of the package: covr counts both
Sys.setenv(NOT_CRAN = "true", OMP_WAIT_POLICY = "passive")
# a test that fails is for .ci/test to tell
package <- covr::package_coverage(work, type = "none", quiet = TRUE, code = sprintf(
    "library(testthat); library(infill); test_dir(\"%s\", reporter = \"silent\", stop_on_failure = FALSE)",
    file.path(work, "tests", "testthat")))
lines <- as.data.frame(covr::tally_coverage(package, by = "line"))
isC <- grepl("^src/", lines$filename)

# the core's own tests, built for gcov with the package's float arithmetic; a line is reached when
# either reaches it
build <- file.path(work, "gcov")
dir.create(build)
core <- file.path(root, "src", grep("^r_", list.files("src", "[.]c$"), value = TRUE, invert = TRUE))
setwd(build)
run <- function(...) invisible(system2(..., stdout = FALSE, stderr = FALSE))
flags <- c("-std=gnu11", "-O0", "--coverage", "-fopenmp", "-DMF_WORTH=1", "-DMF_TALL=1", "-DMF_WAVE_BYTES=9000",
    "-DMF_WAVE_ENTRIES=300", "-DGRAPH_TICK=600000", "-I", file.path(root, "src"))
for (f in c(core, file.path(root, "tests", "core", "linalg.c"))) run("gcc", c(flags, "-c", f))
objects <- list.files(pattern = "[.]o$")
for (t in list.files(file.path(root, "tests", "core"), "^test_.*[.]c$", full.names = TRUE)) {
    run("gcc", c(flags, "-c", t))
    own <- sub("[.]c$", ".o", basename(t))
    run("gcc", c("--coverage", "-fopenmp", own, objects, "-lm", "-o", "one"))
    run("./one")
}
run("gcov", c("-p", sub("[.]o$", ".gcda", objects)))
reached <- do.call(rbind, lapply(Sys.glob("*#src#*.c.gcov"), function(f) {
    row <- strsplit(readLines(f), ":", fixed = TRUE)
    hits <- trimws(vapply(row, `[`, "", 1L))
    data.frame(filename = paste0("src/", sub("[.]gcov$", "", sub(".*#", "", f))),
        line = as.integer(vapply(row, `[`, "", 2L)), hit = grepl("^[0-9]", hits))
}))
setwd(root)
key <- paste(reached$filename, reached$line)[reached$hit]
also <- isC & paste(lines$filename, lines$line) %in% key
lines$hit <- lines$value > 0 | also

share <- function(at) 100 * mean(lines$hit[at])
files <- aggregate(hit ~ filename, lines, function(h) c(100 * mean(h), sum(!h), length(h)))
table <- data.frame(file = files$filename, lines = files$hit[, 3], missed = files$hit[, 2],
    covered = sprintf("%.1f %%", files$hit[, 1]))[order(files$hit[, 1]), ]
all <- c(R = share(!isC), C = share(isC))
print(head(table, 10), row.names = FALSE)
missed <- lines[!lines$hit, ]
for (f in head(table$file[table$missed > 0], 10)) cat(sprintf("%s: %s\n", f, toString(missed$line[missed$filename == f])))
if (write) {
    source(file.path("bench", "write.R"))
    writeResult("trust", "Coverage", list(data.frame(lines = c("R", "C, core tests and testthat, r_*.c included"),
        number = c(sum(!isC), sum(isC)), covered = sprintf("%.1f %%", all)), "The ten least covered files:",
        head(table, 10)), "Rscript tests/trust/coverage.R write")
}
bad <- all < least
cat(sprintf("%s: %.1f %% of %d lines\n", names(all), all, c(sum(!isC), sum(isC))), sep = "")
cat(sprintf("coverage: %d passed, %d failed\n", sum(!bad), sum(bad)))
quit(status = any(bad))
