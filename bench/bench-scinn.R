# scINN: what it does to clusters and to hidden entries (table), the choice of the anchor (anchor),
# speed beside its bare kernels and memory (speed). From the root: Rscript bench/bench-scinn.R
# table|anchor|speed [data folder] [seeds or sets]
suppressMessages({ library(infill); library(Matrix) })
source("bench/write.R")
args <- commandArgs(TRUE)
what <- c(args, "table")[1]
data <- if (length(args) > 1) args[2] else "../shared/data"
more <- if (length(args) > 2) args[3]
tuned <- c("goolam", "deng", "klein_1k", "zeisel_550")
reported <- c("sc_celseq2_3cl", "joost_720", "usoskin_150", "pollen", "baron_2812_hvg")

sparseCounts <- function(set) {
    x <- readRDS(file.path(data, set, "counts.rds"))
    x <- as(as(as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix")
    x <- x[rowSums(x > 0) >= 3, ]
    cells <- colSums(x) > 0
    list(x = x[, cells], labels = read.delim(file.path(data, set, "labels.tsv"))$label[cells])
}
hideTenth <- function(x, seed) {
    set.seed(seed)
    at <- sort(sample.int(length(x@x), floor(0.1 * length(x@x))))
    truth <- data.frame(row = x@i[at] + 1L, col = rep.int(seq_len(ncol(x)), diff(x@p))[at],
        value = log2(x@x[at] + 1))
    x@x[at] <- 0
    x <- drop0(x)
    n <- tabulate(x@i + 1L, nrow(x))
    sums <- x
    sums@x <- log2(x@x + 1)
    truth$mean <- (rowSums(sums) / pmax(n, 1))[truth$row]
    list(x = x, truth = truth[n[truth$row] >= 3, ])          # genes that module two models
}
rmse <- function(a, b) sqrt(mean((a - b)^2))

# k-means with the true number of clusters on 50 principal components of the logarithms
components <- function(filled) {
    l <- log2(as.matrix(filled) + 1)
    l <- t(l[apply(l, 1, var) > 0, ])
    set.seed(1)
    irlba::prcomp_irlba(l, min(50, dim(l) - 1))$x
}
clustersOf <- function(pc, k) { set.seed(1); kmeans(pc, k, nstart = 100, iter.max = 100)$cluster }
score <- function(cluster, labels) c(ARI = adjustedRandIndex(cluster, labels),
    NMI = normalizedMutualInfo(cluster, labels),
    NMI.max = normalizedMutualInfo(cluster, labels, "max"),
    Jaccard = clusterAgreement(labels, cluster, "jaccard")[[1]])
judged <- function(filled, labels) {
    pc <- components(filled)
    map <- if (requireNamespace("uwot", quietly = TRUE)) {
        set.seed(1)
        uwot::umap(pc, n_threads = 1)
    }
    c(score(clustersOf(pc, length(unique(labels))), labels),
        silhouette = if (is.null(map)) NA else silhouetteWidth(map, labels))
}
quiet <- function(code) suppressWarnings(suppressMessages(code))
command <- paste(c("Rscript bench/bench-scinn.R", what), collapse = " ")
param <- function(...) ScInnParam(log = "log2", ...)

if (what == "table") {
    seeds <- seq_len(if (is.null(more)) 3 else as.integer(more))
    rows <- rowsOf()
    say <- function(set, name, s, e = NA, of = NA) rows$add(set = set, ` ` = name,
        ARI = num(s[[1]], 3), NMI = num(s[[2]], 3), `NMI, max` = num(s[[3]], 3),
        Jaccard = num(s[[4]], 3), silhouette = num(s[[5]], 3), RMSE = num(e),
        `of mean` = num(of, 3))
    means <- NULL
    for (set in c(tuned, reported)) {
        d <- sparseCounts(set)
        raw <- judged(d$x, d$labels)
        say(set, "raw", raw)
        runs <- lapply(seeds, function(seed) {
            one <- quiet(similarityModule(d$x, param(), seed = seed, num.threads = 2))
            with <- function(x, one, ...)
                quiet(infill(x, param(latent = one$latent, labels = one$cluster, ...),
                seed = seed, num.threads = 2, progress = FALSE, as = "matrix"))
            h <- hideTenth(d$x, seed)
            hidden <- quiet(similarityModule(h$x, param(), seed = seed, num.threads = 2))
            error <- function(...)
                rmse(log2(with(h$x, hidden, ...)[cbind(h$truth$row, h$truth$col)] + 1),
                h$truth$value)
            list(one = c(score(one$cluster, d$labels), silhouette = NA),
                default = judged(with(d$x, one), d$labels),
                paper = judged(with(d$x, one, paper = TRUE), d$labels),
                mean = rmse(h$truth$mean, h$truth$value), errors = c(error(), error(paper = TRUE)),
                agree = one$mean.agreement)
        })
        mean_of <- function(f) rowMeans(do.call(cbind, lapply(runs, f)))
        gene.mean <- mean_of(function(r) r$mean)
        e <- mean_of(function(r) r$errors)
        say(set, "module one", mean_of(function(r) r$one), gene.mean, 1)
        say(set, "default", mean_of(function(r) r$default), e[1], e[1] / gene.mean)
        say(set, "paper = TRUE", mean_of(function(r) r$paper), e[2], e[2] / gene.mean)
        means <- rbind(means, c(raw = raw[[1]], default = mean_of(function(r) r$default)[[1]],
            one = mean_of(function(r) r$one)[[1]], ratio = e[1] / gene.mean))
    }
    cat(sprintf("mean ARI over %d sets: raw %.3f, default %.3f, module one %.3f\n", nrow(means),
        mean(means[, 1]), mean(means[, 2]), mean(means[, 3])))
    cat(sprintf("RMSE below the gene mean on %d, by 10 %% or more on %d\n", sum(means[, 4] < 1),
        sum(means[, 4] <= 0.9)))
    writeResult("scinn", "table", rows$table(), command)
}

if (what == "anchor") {
    weights <- list(c(0.1, 0.01), c(0.1, 0.001), c(0.3, 0.03), c(0.3, 0.003), c(1, 0.1),
        c(1, 0.01), c(1, 0.001), c(3, 0.03))
    rows <- rowsOf()
    for (set in if (is.null(more)) tuned else strsplit(more, ",")[[1]]) {
        d <- sparseCounts(set)
        for (seed in 1:2) {
            h <- hideTenth(d$x, seed)
            one <- quiet(similarityModule(h$x, param(), seed = seed, num.threads = 2))
            add <- function(name, ratio, ari, silhouette) rows$add(set = set, seed = seed,
                weights = name, `RMSE of mean` = num(ratio, 3), ARI = num(ari, 3),
                silhouette = num(silhouette, 3))
            j <- judged(h$x, d$labels)
            add("raw", NA, j[[1]], j[[5]])
            add("module one", 1, adjustedRandIndex(one$cluster, d$labels), NA)
            for (w in weights) {
                f <- quiet(infill(h$x,
                    param(latent = one$latent, labels = one$cluster, reconstruction.weight = w[1],
                    zero.weight = w[2]), seed = seed, num.threads = 2, progress = FALSE,
                    as = "matrix"))
                j <- judged(f, d$labels)
                error <- rmse(log2(f[cbind(h$truth$row, h$truth$col)] + 1), h$truth$value)
                add(sprintf("%g, %g", w[1], w[2]), error / rmse(h$truth$mean, h$truth$value),
                    j[[1]], j[[5]])
            }
        }
    }
    writeResult("scinn", "anchor", rows$table(), command, by = if (is.null(more)) 0 else 3)
}

# 5,000 genes: entries of pbmc4k's cells drawn with replacement, about 7 % not 0
resampled <- function(cells, genes = 5000) {
    set.seed(1)
    x <- as(readRDS(file.path(data, "pbmc4k_top2000", "counts.rds")), "CsparseMatrix")
    x <- x[sample.int(nrow(x), genes, TRUE), ]
    x <- x[, sample.int(ncol(x), cells, TRUE)]
    x@x <- as.double(rbinom(length(x@x), as.integer(x@x), 0.6))
    dimnames(x) <- list(paste0("g", seq_len(genes)), NULL)
    drop0(x)
}
status <- function(key) as.double(gsub("[^0-9]", "",
    grep(key, readLines("/proc/self/status"), value = TRUE))) / 1024
# each size in a fresh process, whose rows come back in a file
if (what == "speed") {
    rows <- lapply(c(2000, 50000), function(cells) {
        file <- tempfile()
        system2("Rscript", c("bench/bench-scinn.R", "one", data, cells, file))
        readRDS(file)
    })
    writeResult("scinn", "speed", list(do.call(rbind, lapply(rows, `[[`, 1)),
        do.call(rbind, lapply(rows, `[[`, 2))), command)
}
if (what == "one") {
    cells <- as.integer(more)
    core <- grep("/(core|nn)_", list.files("src", "[.]c$", full.names = TRUE), value = TRUE)
    so <- file.path(tempdir(), "kernels.so")
    stopifnot(system2("gcc", c("-O2", "-fPIC", "-fopenmp", "-shared", "-Isrc", "-o", so,
        "bench/kernels-scinn.c", core, "-lm")) == 0)
    dyn.load(so)
    x <- resampled(cells)
    floorOf <- function(x, batch, hidden) {
        batches <- min(20, ncol(x) %/% batch)
        parts <- lapply(seq_len(batches),
            function(b) Matrix::t(x[, batch * (b - 1) + seq_len(batch)]))
        before <- cumsum(c(0L, vapply(parts, function(p) length(p@i), 0L)))
        m <- x[, seq_len(batch * batches)]
        .C("floor_scinn", m@p, m@i,
            as.integer(unlist(lapply(seq_len(batches), function(b) parts[[b]]@p + before[b]))),
            unlist(lapply(parts, slot, "i")), as.integer(batch), as.integer(batches), nrow(x),
            as.integer(hidden), 5L, seconds = 0)$seconds
    }
    p <- ScInnParam(log = "log2")
    scaled <- infill:::.scaledCells(p, x)$x
    how <- infill:::.moduleOnePlan(cells)
    train <- infill:::.sampled(cells, how$train, 1, 1) - 1L
    encoder <- function(threads) system.time(.Call(infill:::C_scinn_encoder, scaled, train,
        as.integer(c(1, how$batch, how$latent, 1, 3)), c(how$learning.rate, how$decay, how$beta),
        1, threads))[["elapsed"]]
    s <- vapply(1:2, function(t) min(replicate(3, encoder(t))), 0) /
        (33 * (length(train) %/% how$batch))
    f <- floorOf(scaled[, train + 1L], how$batch, 64)
    rows <- rowsOf()
    add <- function(what, s, f) rows$add(cells = cells, ` ` = what,
        `ms a step` = num(1e3 * s[1], 2), floor = num(1e3 * f, 2), ratio = num(s[1] / f, 2),
        `two threads` = num(s[1] / s[2], 2))
    add(sprintf("one autoencoder, %d cells a step", how$batch), s, f)
    set.seed(1)
    z <- matrix(rnorm(15 * cells), cells)
    fitOf <- function(epochs, threads) fitInfill(x,
        ScInnParam(log = "log2", latent = z, labels = rep(1:8, length.out = cells),
        max.iter = epochs), seed = 1, num.threads = threads, progress = FALSE)@seconds
    batch <- max(32, min(256, round(cells / 10)))
    steps <- cells %/% batch
    k <- ceiling(300 / steps)
    s <- vapply(1:2,
        function(t) (min(replicate(3, fitOf(k + 1, t))) - min(replicate(3, fitOf(1, t)))) / k /
        steps, 0)
    f <- floorOf(scaled, batch, 64)
    add(sprintf("module two, %d cells", batch), s, f)
    invisible(gc(full = TRUE))
    writeLines("5", "/proc/self/clear_refs")
    base <- status("VmRSS")
    a <- system.time(one <- quiet(similarityModule(x, p, seed = 1, num.threads = 2)))[["elapsed"]]
    b <- system.time(fit <- quiet(fitInfill(x,
        ScInnParam(log = "log2", latent = one$latent, labels = one$cluster), seed = 1,
        num.threads = 2, progress = FALSE)))[["elapsed"]]
    d <- system.time(block <- infill(x[, seq_len(min(cells, 2000))], fit,
        num.threads = 2))[["elapsed"]]
    whole <- rowsOf()
    whole$add(`cells, two threads` = cells, `module one s` = num(a, 1), `module two s` = num(b, 1),
        `cells/s filled in` = num(ncol(block) / d, 0),
        `input MB` = num(as.double(object.size(x)) / 2^20, 0),
        `peak above it MB` = num(status("VmHWM") - base, 0))
    saveRDS(list(rows$table(), whole$table()), args[4])
}
