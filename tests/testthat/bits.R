# Everything that a user gets, as numbers: what test-bits.R compares with bits.tsv, so that a change that should change
# nothing is seen to change nothing, and one that should is made knowingly.
#   Rscript tests/testthat/bits.R [data folder] > tests/testthat/bits.tsv      writes the file anew
# Each row: data set, what, md5 of the doubles, and two sums that other machines' libraries may be compared with.

bitsSets <- function(data) {
    goolam <- list.files(system.file("extdata", "goolam", package = "infill"), full.names = TRUE)
    most <- function(x, genes, cells) {
        x <- as(as(as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix")
        x <- x[, seq_len(min(cells, ncol(x)))]
        ranked <- order(-Matrix::rowSums(x > 0))        # from the most to the hardly detected
        x[sort(ranked[seq(1, sum(Matrix::rowSums(x > 0) > 4), length.out = genes)]), ]
    }
    embedded <- Matrix::readMM(gzfile(grep("matrix.mtx", goolam, value = TRUE)))
    dimnames(embedded) <- list(paste0("g", seq_len(nrow(embedded))), paste0("c", seq_len(ncol(embedded))))
    sets <- list(simulated = SummarizedExperiment::assay(simulateCounts(n.genes = 150, n.cells = 90,
        seed = 3), "counts"), goolam = most(embedded, 200, 80))
    file <- file.path(c(data, "none")[1L], "zheng500_facs", "counts.rds")
    if (file.exists(file)) sets$zheng500_facs <- most(readRDS(file), 250, 120)
    lapply(sets, function(x) as(as(as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix"))
}

bitsModels <- function() list(none = NoneParam(), mean = GeneMeanParam(),
    detected = GeneMeanParam(over = "detected"), autoimpute = AutoImputeParam(hidden = 30, max.iter = 25),
    autoimpute.paper = AutoImputeParam(hidden = 20, max.iter = 15, stop = "paper", init = "reference"),
    autoimpute.batch = AutoImputeParam(hidden = 20, max.iter = 8, batch.size = 16, init.bias = "mean"),
    deepimpute = DeepImputeParam(network.size = 40, max.iter = 8, learning.rate = 1e-3),
    deepimpute.deep = DeepImputeParam(network.size = 50, hidden = c(20, 10), max.iter = 6, joint = TRUE,
        correlation = "log1p", loss.weights = "binary", zero.weight = 0.1),
    deepmc = DeepMcParam(ranks = c(12, 6)), deepmc.converged = DeepMcParam(method = "converged", ranks = c(10, 5)),
    deepmc.exact = DeepMcParam(ranks = c(8, 4, 3), step = "exact", zero.weight = 0.2, lambda = 0.1, sweeps = 6),
    scinn = ScInnParam(max.iter = 5, replicates = 1, k = 3),
    graphsci = GraphSciParam(max.iter = 15), graphsci.edges = GraphSciParam(max.iter = 12, inner = "edges", dist = "nb",
        valid.edges = 0.1), graphsci.inner = GraphSciParam(max.iter = 12, latent = "inner", n.draws = 2),
    posterior = StackParam(n.entries = 1e5), posterior.one = StackParam(list(GeneMeanParam(), DeepMcParam()),
        repeats = 1, min.gain = 0), posterior.part = StackParam(n.entries = 3000, refit = FALSE, repeats = 2),
    masked = StackParam(loss = "masked", repeats = 2))

# One model on one set: weights, history, and what is filled in.
bitsOf <- function(x, param) {
    quiet <- function(code) suppressWarnings(suppressMessages(code))
    fit <- quiet(fitInfill(x, param, seed = 5, progress = FALSE))
    posterior <- is(fit, "StackFit")
    weights <- fitParts(fit, "weights")
    parts <- setdiff(names(weights), c("limit", "summary", "steps", "cells", "sf"))
    h <- fitParts(fit, "history")
    out <- list(weights = unlist(if (is.null(names(weights))) lapply(weights, function(w) w[setdiff(names(w), "limit")])
        else weights[parts]), history = unlist(h[setdiff(names(h), "network")]))
    if (posterior) out <- c(out, list(coefficients = fit@coefficients, gains = unlist(fit@gains),
        deciles = unlist(fit@deciles[c("predicted", "observed", "se")])))
    if (posterior && param@loss == "poisson") out <- c(out, list(sd = posteriorSd(x, fit),
        quantiles = posteriorQuantiles(x, fit, c(0.1, 0.9), genes = 1:20)))
    for (keep in c("observed", "none", "max")) out[[keep]] <- quiet(infill(x, fit, keep = keep))
    out$normcounts <- quiet(infill(x, fit, output = "normcounts"))
    out$logcounts <- quiet(infill(x, fit, output = "logcounts", keep = "none"))
    out$delayed <- quiet(as.matrix(infill(x, fit, as = "delayed")[c(3, 17, 40), 5:20]))
    if (!grepl("graphsci", class(param), ignore.case = TRUE)) out$other.cells <- quiet(infill(x[, 11:30], fit))
    lapply(out, as.double)
}

bitsOfRest <- function(x, name) {
    quiet <- function(code) suppressWarnings(suppressMessages(code))
    numbers <- function(d) unlist(lapply(d, function(v) if (is.numeric(v)) as.double(v)))
    group <- rep_len(1:3, ncol(x))
    part <- function(scheme, ...) {
        m <- quiet(maskCounts(x, scheme, ..., seed = 2))
        numbers(hiddenEntries(m))
    }
    cmp <- quiet(compareInfill(x, list(deepMc = DeepMcParam(sweeps = 5), Stack = StackParam(repeats = 1)), c("molecules", "entries"), repeats = 2,
        labels = group, seed = 4, progress = FALSE))
    table <- as.data.frame(cmp)
    tuned <- quiet(tuneInfill(x, DeepMcParam(), list(sweeps = c(2, 5)), seed = 4, progress = FALSE))
    filled <- quiet(infill(x, GeneMeanParam(), keep = "none"))
    module <- quiet(similarityModule(x, ScInnParam(replicates = 1, k = 3), seed = 3))
    list(uniform = part("uniform"), gene = part("logistic.gene"), cell = part("logistic.cell"),
        molecules = part("molecules"), exponential = part("exponential.cell"),
        compare = numbers(table[setdiff(names(table), c("seconds", "memory"))]),
        tune = bitsTuned(tuned), agreement = bitsAgreement(group, module$cluster),
        silhouette = silhouetteWidth(as.matrix(Matrix::t(x))[, 1:20], group, per.point = TRUE),
        separability = numbers(clusterSeparability(x, group)), cv = numbers(geneCv(x, group)),
        gini = numbers(bitsGini(x)), loss = c(countLoss(x, filled), countLoss(x, filled, "poisson.deviance"), countLoss(x, filled, "nb.deviance", 2)),
        module = c(as.double(module$latent), as.double(module$cluster)),
        permutation = numbers(bitsPermutation(quiet(permutationCheck(x, DeepMcParam(sweeps = 3), n.genes = 60, seed = 6)))),
        gauge = numbers(bitsGauge(quiet(smoothingGauge(x, filled, min.cells = 5, n.genes = 60, seed = 6)))),
        tests = numbers(quiet(geneTests(x, rep_len(1:2, ncol(x))))), posterior = as.double(quiet(infill(x, DeepMcParam(),
            keep = "posterior", seed = 3))))
}

# what has other names, or another place, from one version to the next
bitsTuned <- function(tuned) tuned$table$poisson
bitsGini <- function(x) giniCoefficient(x)
bitsPermutation <- function(p) unclass(p$tests)[c("n", "before", "after")]
bitsGauge <- function(g) unclass(g$genes)
bitsAgreement <- function(a, b) unname(clusterAgreement(b, a))

# What the last digits depend on.
bitsMachine <- function() {
    cpu <- if (file.exists("/proc/cpuinfo")) grep("^flags", readLines("/proc/cpuinfo"), value = TRUE)[1L] else ""
    wide <- c("avx512f", "avx2")[c(grepl("avx512f", cpu), grepl("avx2", cpu))][1L]
    paste(R.version$platform, getRversion(), basename(La_library()), basename(extSoftVersion()[["BLAS"]]), wide)
}

bitsTable <- function(data) {
    digest <- function(v) {
        file <- tempfile()
        on.exit(unlink(file))
        v[is.nan(v)] <- NA
        writeBin(as.double(v), file)
        unname(tools::md5sum(file))
    }
    sets <- bitsSets(data)
    rows <- lapply(names(sets), function(set) {
        all <- unlist(lapply(names(bitsModels()), function(m) {
            out <- bitsOf(sets[[set]], bitsModels()[[m]])
            stats::setNames(out, paste(m, names(out)))
        }), recursive = FALSE)
        all <- c(all, bitsOfRest(sets[[set]], set))
        sums <- function(f) vapply(all, function(v) f(v[is.finite(v)]), 0)
        data.frame(set = set, what = names(all), n = lengths(all), md5 = vapply(all, digest, ""),
            sum = sums(sum), squares = sums(function(v) sum(v^2)))
    })
    do.call(rbind, rows)
}

if (!interactive() && sys.nframe() == 0L) {
    suppressMessages(library(infill))
    table <- bitsTable(c(commandArgs(TRUE), "../shared/data")[1L])
    table$sum <- sprintf("%.10g", table$sum)
    table$squares <- sprintf("%.10g", table$squares)
    cat(sprintf("# %s\n", bitsMachine()))
    write.table(table, stdout(), sep = "\t", quote = FALSE, row.names = FALSE)
}
