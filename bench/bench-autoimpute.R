# Seconds per iteration of AutoImpute beside the floor (bare kernels and one optimiser pass) and the
# dense five-product form through R's BLAS, in one run. From the root: Rscript
# bench/bench-autoimpute.R [data folder]
suppressMessages({ library(infill); library(Matrix) })
source("bench/write.R")
data <- c(commandArgs(TRUE), "../shared/data")[1]
h <- 2000

so <- tempfile(fileext = ".so")
core <- list.files("src", "^(core|nn)_.*\\.c$", full.names = TRUE)
flags <- c("-O2", "-g", "-fPIC", "-fopenmp", "-shared", "-Isrc")
stopifnot(system2("gcc", c(flags, "-o", so, "bench/kernels.c", core, "-lm")) == 0)
dyn.load(so)

# Blocks of 1,000 cells, whose hidden units stay in cache, as in the fit; the optimiser passes once.
floorSeconds <- function(x, threads, repeats = 5) {
    one <- function(x) {
        t <- Matrix::t(x)
        .C("floor_autoimpute", x@p, x@i, t@p, t@i, ncol(x), nrow(x), as.integer(h),
            as.integer(repeats), as.integer(threads), seconds = numeric(3))$seconds
    }
    blocks <- lapply(split(seq_len(ncol(x)), (seq_len(ncol(x)) - 1) %/% 1000),
        function(cells) one(x[, cells, drop = FALSE]))
    s <- Reduce(`+`, blocks)
    c(s[1:2], s[3] / length(blocks))
}
# start-up (random weights) is in both runs and falls out of the difference of the smallest of three
# each
perIteration <- function(p, threads, stop, n) {
    one <- function(k) min(replicate(3,
        fitInfill(p, AutoImputeParam(hidden = h, stop = stop, threshold = 0, patience = 1e6,
        max.iter = k), seed = 1, num.threads = threads, progress = FALSE)@seconds))
    (one(n[2]) - one(n[1])) / diff(n)
}
denseSeconds <- function(x) {
    X <- as.matrix(x); G <- nrow(X); M <- ncol(X)
    E <- matrix(rnorm(G * h), G) / sqrt(G); D <- matrix(rnorm(G * h), h) / sqrt(h)
    one <- function() {
        H <- 1 / (1 + exp(-crossprod(E, X)))
        R <- 2 * (X != 0) * (crossprod(D, H) - X)
        dD <- tcrossprod(H, R); dP <- (D %*% R) * H * (1 - H); dE <- tcrossprod(X, dP)
        invisible(NULL)
    }
    system.time(one())[["elapsed"]]
}
rows <- rowsOf()
blas <- rowsOf()
report <- function(name, x, repeats) {
    p <- prepareCounts(x, gene.selection = if (nrow(x) > 1000) "dispersion" else "none")
    m <- as(p, "dgCMatrix")
    title <- sprintf("%s, %d x %d, density %.2f, hidden %d", name, nrow(m), ncol(m),
        length(m@x) / prod(dim(m)), h)
    times <- list()
    for (threads in 1:2) {
        f <- floorSeconds(m, threads)
        for (stop in c("paper", "validation")) {
            s <- perIteration(p, threads, stop, repeats)
            times[[paste(stop, threads)]] <- s
            rows$add(data = title, threads = threads, stop = stop,
                `ms per iteration` = num(1e3 * s, 2), floor = num(1e3 * sum(f), 2),
                `by cell` = num(1e3 * f[1], 2), `by gene` = num(1e3 * f[2], 2),
                pass = num(1e3 * f[3], 2), ratio = num(s / sum(f), 2))
        }
    }
    d <- denseSeconds(m)
    blas$add(data = title, `two threads, paper` = num(times[["paper 1"]] / times[["paper 2"]], 2),
        `validation` = num(times[["validation 1"]] / times[["validation 2"]], 2),
        BLAS = basename(extSoftVersion()[["BLAS"]]), `five dense products, ms` = num(1e3 * d, 1),
        `times ours` = num(d / times[["paper 1"]], 1))
}
report("blakeley", readRDS(file.path(data, "blakeley", "counts.rds")), c(50, 350))
report("pbmc4k_top2000", readRDS(file.path(data, "pbmc4k_top2000", "counts.rds")), c(5, 25))
writeResult("autoimpute", "speed", list(rows$table(), blas$table()),
    "Rscript bench/bench-autoimpute.R")
