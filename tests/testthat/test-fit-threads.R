# Threads: forked children, and more threads than work.

test_that("forked children of a session that has used threads give the same bits, and end", {
    skip_on_os("windows")
    skip_if_not_installed("parallel")
    folder <- tempfile("fork")
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    saveRDS(smallCounts(), file.path(folder, "counts.rds"))
    status <- rscript(c("counts <- readRDS(file.path(folder, 'counts.rds'))",
        "go <- function(seed) infill(counts, AutoImputeParam(hidden = 40, max.iter = 20),",
        "    seed = seed, num.threads = 2)",
        "here <- lapply(1:4, go)", "there <- parallel::mclapply(1:4, go, mc.cores = 2)",
        "again <- lapply(1:4, go)",
        "deep <- function(seed) infill(counts,",
        "    DeepImputeParam(hidden = 40, network.size = 12, max.iter = 5), seed = seed,",
        "    num.threads = 2)", "here <- c(here, deep(1))",
        "there <- c(there, parallel::mclapply(1, deep)[[1]])", "again <- c(again, deep(1))",
        "points <- t(counts)",
        "width <- function(k) silhouetteWidth(points, rep(1:2, 20), num.threads = 2)",
        "same <- identical(there, here) && identical(again, here) &&",
        "    identical(parallel::mclapply(1:2, width), lapply(1:2, width))",
        "cat(same, length(there) - length(counts), is.matrix(there[[4]]))"), folder, wait = TRUE,
        timeout = 60)
    expect_identical(as.integer(status), 0L)                   # 124: it hung
    expect_identical(readLines(file.path(folder, "out"), warn = FALSE), "TRUE 4 TRUE")
})

test_that("more threads than cells, genes or processors are no trouble", {
    few <- smallCounts()[, 1:5]
    param <- smallParam(min.cells = 1)
    one <- infill(few, param, seed = 1)
    for (threads in c(2, 7, 64)) expect_identical(infill(few, param, seed = 1,
        num.threads = threads), one)
    one <- infill(few, deepParam(network.size = 9), seed = 1)
    for (threads in c(2, 7, 64)) expect_identical(infill(few, deepParam(network.size = 9), seed = 1,
        num.threads = threads), one)
})
