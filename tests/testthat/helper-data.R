# Small data, always the same, that leave R's generator as they found it.

withSeed <- function(seed, code) {
    old <- get0(".Random.seed", globalenv(), inherits = FALSE)
    on.exit(if (is.null(old)) rm(".Random.seed", envir = globalenv())
        else assign(".Random.seed", old, globalenv()))
    set.seed(seed, "Mersenne-Twister", "Inversion", "Rejection")
    code
}

# Poisson counts around exp(rank-3 structure): genes x cells, all genes expressed in many cells.
lowRankCounts <- function(genes = 200, cells = 100, rank = 3, level = 1.5, spread = 0.8,
    seed = 1) withSeed(seed, {
    u <- matrix(rnorm(genes * rank), genes)
    v <- matrix(rnorm(cells * rank), rank)
    mean <- exp(level + spread * u %*% v / sqrt(rank) + rnorm(genes, sd = 0.5))
    matrix(rpois(genes * cells, mean), genes, cells,
        dimnames = list(paste0("gene", seq_len(genes)), paste0("cell", seq_len(cells))))
})

# 60 x 40 with about half zeros, and with genes that are dropped by min.cells = 3.
smallCounts <- function(genes = 60, cells = 40, seed = 2) withSeed(seed, {
    mean <- rexp(genes, 1 / 4) %o% rlnorm(cells, 0, 0.6)
    mean[seq(10, genes, by = 15), ] <- 0.05
    matrix(rpois(genes * cells, mean) * rbinom(genes * cells, 1, 0.7), genes, cells,
        dimnames = list(paste0("g", seq_len(genes)), paste0("c", seq_len(cells))))
})

smallParam <- function(hidden = 8, max.iter = 25, ...) AutoImputeParam(hidden = hidden,
    max.iter = max.iter, ...)

sparse <- function(x) as(as(as(x + 0, "dMatrix"), "generalMatrix"), "CsparseMatrix")
plain <- function(x) { attr(x, "infill") <- NULL; x }
delayed <- function(x) DelayedArray::DelayedArray(x)

# A PreparedCounts by hand: the prepared matrix is given.
handPrepared <- function(x, log = "log2") {
    dimnames(x) <- NULL
    new("PreparedCounts", x = sparse(x), total = rep(1, ncol(x)),
        recipe = list(genes = NULL, kept = rep(TRUE, nrow(x)), target = 0, log = log,
        normalize = "none", min.count = 0, min.cells = 0, gene.selection = "none",
        selected = seq_len(nrow(x)), score = NULL, status = rep("modelled", nrow(x))))
}

# The folder of real data sets, or NULL: INFILL_DATA, or shared/data beside some folder above the
# tests.
dataFolder <- function() {
    there <- Sys.getenv("INFILL_DATA")
    if (nzchar(there)) return(if (dir.exists(there)) there)
    at <- normalizePath(getwd())
    repeat {
        there <- file.path(at, "shared", "data")
        if (dir.exists(there)) return(there)
        if (dirname(at) == at) return(NULL)
        at <- dirname(at)
    }
}

realCounts <- function(name) {
    file <- file.path(c(dataFolder(), "nowhere")[1L], name, "counts.rds")
    testthat::skip_if_not(file.exists(file),
        sprintf("no %s: set INFILL_DATA to the folder of real data", name))
    readRDS(file)
}

# Runs `code`, which may use `folder`, in an R that has this very infill. wait = TRUE: its status;
# else it is started, and what comes back is for endScript(). A shell that starts something with `&`
# has it ignore SIGINT, and R since 4.6 goes on doing so: what is to be interrupted is piped.
rscript <- function(code, folder, wait = FALSE, timeout = 60) {
    file <- file.path(folder, "script.R")
    libs <- c(dirname(system.file(package = "infill")), .libPaths())
    writeLines(c(sprintf("folder <- %s", deparse(folder)),
        sprintf(".libPaths(%s)", paste(deparse(libs), collapse = "")),
        "suppressMessages(library(infill))", code), file)
    program <- file.path(R.home("bin"), "Rscript")
    out <- file.path(folder, c("out", "err"))
    if (wait) return(system2(program, c("--vanilla", shQuote(file)), timeout = timeout,
        stdout = out[1], stderr = out[2]))
    # what a shell becomes by `exec` has its process id
    pipe(sprintf("echo $$ >%s; exec %s --vanilla %s >%s 2>%s", shQuote(file.path(folder,
        "running")), shQuote(program), shQuote(file), shQuote(out[1]), shQuote(out[2])), "r")
}

# Ends it where it has not ended.
endScript <- function(running, folder) {
    file <- file.path(folder, "running")
    if (soon(function() file.exists(file) && length(readLines(file)) == 1L))
        tools::pskill(as.integer(readLines(file)), tools::SIGKILL)
    close(running)
}

# Does `check` become TRUE in time?
soon <- function(check, seconds = 60) {
    until <- Sys.time() + seconds
    while (Sys.time() < until) {
        if (isTRUE(check())) return(TRUE)
        Sys.sleep(0.02)
    }
    FALSE
}

# Small networks, several of them for 60 genes.
deepParam <- function(hidden = 12, network.size = 16, max.iter = 8, learning.rate = 1e-3,
    ...) DeepImputeParam(hidden = hidden, network.size = network.size, max.iter = max.iter,
    learning.rate = learning.rate, ...)

# `code` with a function of the package replaced (testthat's own way needs 3.1.7).
withReplaced <- function(name, by, code) {
    space <- asNamespace("infill")
    old <- get(name, space)
    put <- function(f) {
        unlockBinding(name, space)
        assign(name, f, space)
        lockBinding(name, space)
    }
    on.exit(put(old))
    put(by)
    code
}

# A product of normal factors, and the same with only a share of its entries seen.
lowRankMatrix <- function(genes, cells, rank, share, seed = 1) withSeed(seed, {
    x <- matrix(rnorm(genes * rank), genes) %*% matrix(rnorm(rank * cells), rank)
    list(x = x, seen = x * rbinom(genes * cells, 1, share))
})

# What the blocks of messages share: counts as doubles, small models and fits.
tinyCounts <- function() smallCounts(12, 8) + 0
tinyParam <- function() smallParam(hidden = 4, max.iter = 5, min.cells = 1)
tinyFit <- function() fitInfill(tinyCounts(), tinyParam(), seed = 1)
# the counts with one wrong value
tinyWith <- function(value, i = 3, j = 5) {
    counts <- tinyCounts()
    counts[i, j] <- value
    counts
}

quiet <- function(code) suppressWarnings(suppressMessages(code))
asText <- function(a) paste(deparse(a), collapse = "")

# The largest difference; that of each matrix in a list, over its largest entry.
largest <- function(a, b) max(abs(a - b))
mostAway <- function(a, b) max(mapply(function(x, y) {
    off <- max(abs(x - y))
    if (off == 0) 0 else off / max(abs(y))
}, a, b))

# Everything of a fit that must be equal after a detour.
expectSameFit <- function(fit, whole) {
    expect_identical(fit@weights, whole@weights)
    expect_identical(fit@history, whole@history)
    expect_identical(fit@best, whole@best)
    expect_identical(fit@stopped, whole@stopped)
    expect_identical(fit@seed, whole@seed)
}
