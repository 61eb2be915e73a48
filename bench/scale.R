# Data larger than memory: loss of a fit on a sample (sample), from HDF5 to HDF5 beside reading,
# arithmetic and writing by themselves (file), 1.3 million cells of a seed that makes its blocks when
# asked (million), every inductive model (models). Writes results/scale.md. From the root:
# Rscript bench/scale.R sample|file|million|models [data folder] [cells, comma]; all: bash
# bench/scale.sh
source("bench/tasks.R")
source("bench/write.R")
args <- commandArgs(TRUE)
what <- c(args, "sample")[1]
data <- if (length(args) > 1) args[2] else "../shared/data"
threads <- as.integer(Sys.getenv("THREADS", "1"))
command <- paste(c("Rscript bench/scale.R", what, if (length(args) > 2) args[-1]), collapse = " ")
quiet <- function(code) suppressWarnings(suppressMessages(code))
folder <- Sys.getenv("SCALE_FOLDER", tempdir())
peak <- function() as.double(gsub("[^0-9]", "", grep("^VmHWM", readLines("/proc/self/status"),
    value = TRUE))) / 1024
cpu <- function(code) { t <- system.time(code); c(cpu = sum(t[c(1, 2)]), wall = t[[3]]) }
write <- function(rows) writeResult("scale", what, rows$table(), command)
drawn <- function(x, n, seed = 1) {
    set.seed(seed)
    x <- x[, sample(ncol(x), n, TRUE)]
    x@x <- as.double(rpois(length(x@x), x@x))
    x <- drop0(x)
    colnames(x) <- paste0("cell", seq_len(n))
    x
}
allGenes <- function() {
    x <- readRDS(file.path(data, "pbmc3k", "counts.rds"))
    as(as(as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix")
}

if (what == "sample") {
    rows <- rowsOf()
    for (set in c("mouse_bladder_2100", "pbmc4k_top2000", "cite_cbmc_top2000")) {
        x <- taskData(set, data)
        set.seed(1)
        test <- x
        test@x <- as.double(rbinom(length(x@x), as.integer(x@x), 0.1))
        train <- drop0(x - test)
        test <- drop0(test)
        loss <- function(param) {
            p <- quiet(infill(train, param, seed = 1, as = "matrix", num.threads = threads))
            countLoss(test, unname(p) * sum(test) / sum(train))
        }
        all <- loss(StackParam())
        fifth <- loss(StackParam(max.cells = ceiling(ncol(x) / 5)))
        rows$add(set = set, cells = ncol(x), `all cells` = sprintf("%.5f", all),
            `a fifth` = sprintf("%.5f", fifth), `worse by` = sprintf("%.2f %%", 100 * (fifth - all) /
            abs(all)))
    }
    write(rows)
}

# One size in an R of its own, so that its peak is its own.
if (what == "file-once") {
    n <- as.integer(args[3])
    x <- HDF5Array::HDF5Array(file.path(folder, sprintf("cells-%d.h5", n)), "counts")
    infill:::.writtenASecond()
    before <- peak()
    file <- file.path(folder, sprintf("filled-%d.h5", n))
    fit <- NULL
    t.fit <- cpu(fit <- quiet(fitInfill(x, StackParam(), seed = 1, num.threads = threads, progress = FALSE)))
    t.fill <- cpu(out <- quiet(infill(x, fit, as = "hdf5", file = file, overwrite = TRUE,
        type = "float", num.threads = threads)))
    top <- peak()
    # the same blocks: read, filled in from memory, written
    source <- infill:::.sourceOf(x, most = 0)
    t.read <- t.math <- t.write <- 0
    sink <- HDF5Array::HDF5RealizationSink(dim(x), type = "double", filepath = tempfile(tmpdir = folder),
        name = "x", H5type = "H5T_IEEE_F32LE", chunkdim = c(200L, 500L), level = 0L)
    for (at in split(seq_len(n), (seq_len(n) - 1) %/% 500)) {
        t.read <- t.read + cpu(m <- as(DelayedArray::read_block(x, DelayedArray::ArrayViewport(dim(x),
            IRanges::IRanges(c(1L, at[1]), width = c(nrow(x), length(at))))), "dgCMatrix"))[["cpu"]]
        t.math <- t.math + cpu(v <- unname(quiet(infill(m, fit, as = "matrix",
            num.threads = threads))))[["cpu"]]
        attr(v, "infill") <- NULL
        t.write <- t.write + cpu(DelayedArray::write_block(sink, DelayedArray::ArrayViewport(dim(x),
            IRanges::IRanges(c(1L, at[1]), width = dim(v))), v))[["cpu"]]
    }
    cat(t.fit, t.fill, t.read, t.math, t.write, top - before, sum(file.size(Sys.glob(file.path(folder,
        sprintf("filled-%d*.h5", n))))) / 2^30, "\n")
}
if (what == "file") {
    rows <- rowsOf()
    for (n in if (length(args) > 2) as.integer(strsplit(args[3], ",")[[1]]) else c(25000L, 50000L, 100000L)) {
        input <- file.path(folder, sprintf("cells-%d.h5", n))
        if (!file.exists(input)) {
            x <- drawn(allGenes(), n)
            quiet(HDF5Array::writeHDF5Array(x, input, "counts", chunkdim = c(1000, 500), level = 1,
                with.dimnames = TRUE))
            rm(x)
        }
        out <- system2(file.path(R.home("bin"), "Rscript"), c("bench/scale.R", "file-once", data, n),
            stdout = TRUE, stderr = FALSE, env = paste0("SCALE_FOLDER=", folder))
        v <- as.double(strsplit(trimws(utils::tail(out, 1)), " ")[[1]])
        names(v) <- c("fit", "fit.wall", "fill", "fill.wall", "read", "math", "write", "peak", "GB")
        rows$add(cells = n, `fit, CPU s` = num(v["fit"], 0), `filling in, CPU s` = num(v["fill"], 0),
            `reading` = num(v["read"], 0), `arithmetic` = num(v["math"], 0),
            `writing` = num(v["write"], 0), ratio = num(v["fill"] / sum(v[c("read", "math", "write")]), 2),
            `peak above the start, MB` = num(v["peak"], 0), `files, GB` = num(v["GB"], 1))
        unlink(Sys.glob(file.path(folder, c(sprintf("filled-%d*", n), "file*"))))
    }
    write(rows)
}

# Cells that are made when asked for: each the sum of `of` cells of a template with its molecules
# thinned, all from its number alone.
setClass("MadeSeed", slots = c(template = "dgCMatrix", n = "integer", of = "integer"))
made <- function(seed, cols) {
    t <- seed@template
    n <- length(cols)
    out <- NULL
    for (k in seq_len(seed@of)) {
        from <- (cols * 7919 + k * 104729 + (cols %/% ncol(t)) * 31 * k) %% ncol(t) + 1
        part <- t[, from]
        # a molecule stays with probability 0.9, by a hash of its place
        h <- (part@x * 12.9898 + part@i * 78.233 + rep.int(cols, diff(part@p)) * 37.719) %% 1
        part@x <- pmax(part@x - (h < 0.1 * pmin(part@x, 5)), 0)
        out <- if (is.null(out)) part else out + part
    }
    drop0(out)
}
setMethod("dim", "MadeSeed", function(x) c(nrow(x@template), x@n))
setMethod("dimnames", "MadeSeed", function(x) list(rownames(x@template), NULL))
suppressMessages({
    setMethod(DelayedArray::is_sparse, "MadeSeed", function(x) TRUE)
    setMethod(DelayedArray::extract_array, "MadeSeed", function(x, index) {
        cols <- if (is.null(index[[2]])) seq_len(x@n) else index[[2]]
        m <- made(x, cols)
        as.matrix(if (is.null(index[[1]])) m else m[index[[1]], , drop = FALSE])
    })
    setMethod(DelayedArray::extract_sparse_array, "MadeSeed", function(x, index) {
        cols <- if (is.null(index[[2]])) seq_len(x@n) else index[[2]]
        m <- made(x, cols)
        if (!is.null(index[[1]])) m <- m[index[[1]], , drop = FALSE]
        if (is.function(get0("SVT_SparseArray", asNamespace("DelayedArray"))) ||
            !exists("SparseArraySeed", asNamespace("DelayedArray"))) return(as(m, "SVT_SparseMatrix"))
        DelayedArray::SparseArraySeed(dim(m), nzindex = cbind(m@i + 1L, rep.int(seq_len(ncol(m)),
            diff(m@p))), nzdata = m@x)
    })
})
if (what == "million-once") {
    n <- as.integer(args[3])
    t <- allGenes()
    t <- t[rowSums(t) > 0, ]
    # 28,000 genes: those there are, and again under other names with half of their molecules
    by <- order(-rowSums(t))
    more <- t[by[(seq_len(28000 - nrow(t)) - 1) %% nrow(t) + 1], ]
    more@x <- ceiling(more@x / 2)
    rownames(more) <- make.unique(paste0(rownames(more), ".2"))
    t <- rbind(t, more)
    x <- DelayedArray::DelayedArray(new("MadeSeed", template = t, n = n, of = 2L))
    genes <- order(-rowSums(t))[seq(1, by = 10, length.out = 500)]
    gc()
    before <- peak()
    file <- file.path(folder, sprintf("million-%d.h5", n))
    passed <- system.time(out <- infill(x, StackParam(), seed = 1, genes = genes, as = "hdf5", file = file,
        type = "float", overwrite = TRUE, num.threads = threads, progress = TRUE))
    scan <- readRDS(sub("h5$", "fit.rds", file))$scan
    cat(sum(passed[1:2]), passed[[3]], peak() - before, scan$entries, sum(file.size(Sys.glob(file.path(folder,
        sprintf("million-%d*.h5", n))))) / 2^30, "\n")
}
if (what == "million") {
    rows <- rowsOf()
    for (n in if (length(args) > 2) as.integer(strsplit(args[3], ",")[[1]]) else c(130000L, 1300000L)) {
        out <- system2(file.path(R.home("bin"), "Rscript"), c("bench/scale.R", "million-once", data, n),
            stdout = TRUE, env = paste0("SCALE_FOLDER=", folder))
        v <- as.double(strsplit(trimws(utils::tail(out, 1)), " ")[[1]])
        rows$add(cells = n, `non-zeros` = sprintf("%.3g", v[4]), `CPU s` = num(v[1], 0), `wall s` = num(v[2], 0),
            `CPU s a thousand cells` = num(v[1] / n * 1000, 2), `peak above the start, MB` = num(v[3], 0),
            `files, GB` = num(v[5], 2))
        unlink(Sys.glob(file.path(folder, "million-*")))
    }
    write(rows)
}

if (what == "models-once") {
    n <- as.integer(args[3])
    models <- list(DeepMc = DeepMcParam(), DeepImpute = DeepImputeParam(), AutoImpute = AutoImputeParam(
        max.iter = 50), scINN = ScInnParam(), SVD = SvdParam(), kNN = NeighborMeanParam(), Stack = StackParam())
    x <- HDF5Array::HDF5Array(file.path(folder, sprintf("models-%d.h5", n)), "counts")
    before <- peak()
    took <- cpu(quiet(infill(x, models[[args[4]]], seed = 1, as = "hdf5", file = tempfile(tmpdir = folder,
        fileext = ".h5"), max.cells = 5000, type = "float", num.threads = threads, progress = FALSE)))
    cat(took[["cpu"]], peak() - before, "\n")
}
if (what == "models") {
    rows <- rowsOf()
    sizes <- c(5000L, 10000L, 50000L)
    source <- allGenes()
    source <- source[order(-rowSums(source > 0))[1:3205], ]
    for (n in sizes) quiet(HDF5Array::writeHDF5Array(drawn(source, n), file.path(folder, sprintf(
        "models-%d.h5", n)), "counts", chunkdim = c(1000, 500), level = 1, with.dimnames = TRUE))
    for (name in c("DeepMc", "DeepImpute", "AutoImpute", "scINN", "SVD", "kNN", "Stack")) {
        v <- vapply(sizes, function(n) {
            out <- system2(file.path(R.home("bin"), "Rscript"), c("bench/scale.R", "models-once", data, n, name),
                stdout = TRUE, stderr = FALSE, env = paste0("SCALE_FOLDER=", folder))
            as.double(strsplit(trimws(utils::tail(out, 1)), " ")[[1]])
        }, numeric(2))
        rows$add(model = name, `5,000 cells, CPU s` = num(v[1, 1], 1), `10,000` = num(v[1, 2], 1),
            `50,000` = num(v[1, 3], 1), `each thousand more, s` = num((v[1, 3] - v[1, 2]) / 40, 2),
            `peak at 50,000, MB` = num(v[2, 3], 0))
    }
    write(rows)
}
