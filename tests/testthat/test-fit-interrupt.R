# A real SIGINT into another R, while C is at work.

interrupted <- function(call) {
    skip_on_os("windows")
    folder <- tempfile("interrupt")
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    saveRDS(lowRankCounts(), file.path(folder, "counts.rds"))
    running <- rscript(c("counts <- readRDS(file.path(folder, 'counts.rds'))",
        "now <- function() format(as.numeric(Sys.time()), digits = 16)",
        "cat(Sys.getpid(), file = file.path(folder, 'pid'))",
        sprintf("how <- tryCatch({ %s; 'finished' },", call),
        "    interrupt = function(i) paste('interrupted', now()))",
        "small <- fitInfill(counts[, 1:20], AutoImputeParam(hidden = 8, max.iter = 10), seed = 1)",
        "saveRDS(list(how = how, weights = small@weights), file.path(folder, 'new'))",
        "file.rename(file.path(folder, 'new'), file.path(folder, 'result'))"), folder)
    on.exit(endScript(running, folder), add = TRUE, after = FALSE)
    begun <- function() file.exists(file.path(folder, "begun")) ||
        (file.exists(file.path(folder, "err")) &&
        any(grepl("iteration", readLines(file.path(folder, "err"), warn = FALSE))))
    expect_true(soon(begun))
    Sys.sleep(0.3)
    pid <- as.integer(readLines(file.path(folder, "pid"), warn = FALSE))
    expect_false(file.exists(file.path(folder, "result")))     # it is still at work
    sent <- as.numeric(Sys.time())
    tools::pskill(pid, tools::SIGINT)
    ended <- soon(function() file.exists(file.path(folder, "result")))
    if (!ended) tools::pskill(pid, tools::SIGKILL)
    expect_true(ended)
    result <- readRDS(file.path(folder, "result"))
    expect_match(result$how, "^interrupted ")
    expect_lt(as.numeric(sub("interrupted ", "", result$how)) - sent, 1.5)
    # and the session works on as any other
    expect_identical(result$weights,
        fitInfill(lowRankCounts()[, 1:20], AutoImputeParam(hidden = 8, max.iter = 10),
        seed = 1)@weights)
}

test_that("an interrupt ends a fit within about a second and leaves the session alive", {
    interrupted(paste("fitInfill(counts, AutoImputeParam(hidden = 2000, max.iter = 1e6,",
        "stop = 'paper', threshold = 0),",
        "seed = 1, progress = TRUE)"))
})

test_that("so it does with two threads, and during infill()", {
    interrupted(paste("infill(counts, AutoImputeParam(hidden = 2000, max.iter = 1e6,",
        "patience = 1e6), seed = 1,",
        "progress = TRUE, num.threads = 2)"))
})

test_that("an interrupt ends silhouetteWidth()", {
    interrupted(paste("{ set.seed(1); x <- matrix(rnorm(6e4 * 50), 6e4);",
        "l <- rep(1:5, length.out = 6e4);",
        "file.create(file.path(folder, 'begun')); silhouetteWidth(x, l) }"))
})

# large enough to be at work for some seconds
largeCounts <- paste("set.seed(1); x <- Matrix::rsparsematrix(2500, 2500, 0.1,",
    "rand.x = function(n) rpois(n, 2) + 1); file.create(file.path(folder, 'begun'));")

test_that("an interrupt ends permutationCheck() of many genes", {
    interrupted(paste("{", largeCounts, "permutationCheck(x, GeneMeanParam(), n.genes = 2000) }"))
})

test_that("an interrupt ends GraphSCI's preparation and its start", {
    interrupted(paste("{", largeCounts, "fitInfill(rbind(x, x), GraphSciParam(n.max = Inf)) }"))
})

test_that("an interrupt ends deepMc of a high rank", {
    interrupted(paste("{", largeCounts,
        "fitInfill(x, DeepMcParam(ranks = 200, n.genes = 1500)) }"))
    interrupted(paste("{", largeCounts, "fitInfill(x, DeepMcParam(ranks = 200, n.genes = Inf)) }"))
})
