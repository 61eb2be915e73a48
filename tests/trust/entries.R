# Every entry of the C code that R calls, with small data: what the sanitizers look at.
# Rscript tests/trust/entries.R [calls.rds]
# Wants the package as copy.sh makes it, whose .Call() says what it calls: an entry that nothing
# reaches is a failure. Into the file go two calls of each entry, model and kind of arguments, what
# they were given and what they gave, for replay.R. The last line is the sum.
file <- commandArgs(TRUE)
suppressMessages({
    library(infill)
    library(SummarizedExperiment)
})
seen <- list()
counted <- list()
options(infill.trust = function(entry, ...) {
    args <- list(...)
    kind <- paste(c(entry$name, if (length(args) && is(args[[1]], "InfillParam")) args[[1]]@model,
        vapply(args, typeof, "")), collapse = " ")
    counted[[kind]] <<- sum(counted[[kind]], 1)
    if (counted[[kind]] <= 2) seen[[entry$name]] <<- c(seen[[entry$name]], list(args))
})

set.seed(3)
group <- rep(1:2, 10)
x <- matrix(rpois(24 * 20, rexp(24, 1 / 3) * (1 + outer(1:24 %% 3, group, "=="))), 24, 20,
    dimnames = list(paste0("g", 1:24), paste0("c", 1:20)))
x[1, ] <- x[1, ] + 1:5
quiet <- function(code) invisible(suppressMessages(suppressWarnings(code)))
fill <- function(p, ...) quiet({
    fit <- fitInfill(x, p, seed = 1, ...)
    infill(x, fit)
    infill(x, fit, output = "logcounts", as = "delayed")[2:3, 1:4]
    fit
})
quiet({
    fill(NoneParam())
    fill(GeneMeanParam("detected"))
    fill(NeighborMeanParam(k = 3, n.components = 2))
    fill(SvdParam(2))
    for (p in list(function(n) AutoImputeParam(hidden = 4, max.iter = n, min.cells = 0, batch.size = 7),
        function(n) AutoImputeParam(hidden = 17, max.iter = n, min.cells = 0, arithmetic = "dense"),
        function(n) DeepImputeParam(network.size = 8, hidden = c(5, 3), max.iter = n, min.vmr = 0, best = TRUE, correlation = "log1p"),
        function(n) ScInnParam(latent = matrix(sin(1:40), 20), labels = group, max.iter = n, log = "log2", valid.fraction = 0.1),
        function(n) GraphSciParam(max.iter = n, valid.edges = 0.1, threshold = 0.2),
        function(n) GraphSciParam(max.iter = n, inner = "edges", latent = "inner", n.draws = 2, dist = "nb"))) {
        start <- fill(p(3), keep.state = TRUE)
        fitInfill(x, p(5), seed = 1, resume = start, num.threads = 2)
    }
    fill(DeepMcParam(ranks = c(4, 2), sweeps = 3, min.cells = 0, accelerate = TRUE, lambda = NA))
    fill(DeepMcParam(ranks = 3, sweeps = 3, min.cells = 0, nonneg = TRUE, step = "exact"))
    fit <- fill(StackParam(list(GeneMeanParam(), NoneParam()), repeats = 2))
    posteriorSd(x, fit)
    posteriorQuantiles(x, fit, genes = 1:2)
    fill(StackParam(list(GeneMeanParam("detected"), NoneParam()), loss = "masked", repeats = 1))
    similarityModule(x, ScInnParam(replicates = 1, snapshots = 2, log = "log2", n.filter = 12), seed = 1)
    restoreCounts(prepareCounts(x, min.cells = 0, gene.selection = "vmr"))
    for (s in infill:::.schemes) {
        m <- maskCounts(x, s, n.entries = 2, seed = 1)
        if (s == "molecules") calibrationTable(m, x) else recoveryError(m, infill(maskedData(m), GeneMeanParam()), by = "gene")
    }
    compareInfill(x, list(mean = GeneMeanParam(), other = NoneParam()), c("molecules", "entries"),
        repeats = 1, seed = 1)
    options(infill.read.limit = 10)
    on.disk <- HDF5Array::writeHDF5Array(x, tempfile(fileext = ".h5"), "x", with.dimnames = TRUE)
    infill(on.disk, AutoImputeParam(hidden = 4, max.iter = 2, min.cells = 0), seed = 1, max.cells = 15,
        as = "hdf5", file = tempfile(fileext = ".h5"))
    clusterAgreement(group, rev(rep(1:4, 5)), c("ari", "nmi", "ami", "accuracy"))
    clusterSeparability(x, group, seed = 1)
    silhouetteWidth(t(x), group, num.threads = 2)
    geneCv(x, group)
    geneTests(x, group, "t")
    geneTests(x, group, "wilcoxon")
    giniCoefficient(x)
    ksStatistic(1:5, 3:9)
    rocAuc(1:4, c(0, 1, 0, 1))
    countLoss(x, x + 1, "nb.deviance", theta = 2)
    smoothingGauge(x, infill(x, GeneMeanParam(), keep = "none"), group, min.cells = 3, seed = 1)
    permutationCheck(x, GeneMeanParam(), n.genes = 10, seed = 1)
    simulateCounts(n.genes = 30, n.cells = 12, rates = TRUE, seed = 1)
    bulkDropout(x, 0.8, list(GeneMeanParam()), seed = 1)
    # some eigenvectors of a Gram matrix that is done in pieces, and the scan of many partitions
    wide <- matrix(rpois(420 * 430, 1), 420)
    fitInfill(wide, DeepMcParam(ranks = 2, sweeps = 1, min.cells = 0, n.genes = Inf, gene.selection = "none"), seed = 1)
})
# of use to tests only
invisible(eval(quote(.Call(C_models)), asNamespace("infill")))
all <- names(getDLLRegisteredRoutines("infill")$.Call)
passed <- 0L
failed <- character()
verdict <- function(ok, what) if (isTRUE(ok)) passed <<- passed + 1L else failed <<- c(failed, what)
for (name in all) verdict(length(seen[[name]]) > 0, paste(name, "was not called"))
options(infill.trust = NULL)
if (length(file)) {
    calls <- list()
    for (name in all) calls[[name]] <- lapply(seen[[name]], function(args) list(args = args, value = tryCatch(eval(as.call(c(
        quote(base::.Call), get(name, asNamespace("infill")), lapply(args, function(a) call("quote", a))))),
        error = conditionMessage)))
    saveRDS(calls, file)
}
if (length(failed)) cat(failed, sep = "\n")
cat(sprintf("entries: %d passed, %d failed\n", passed, length(failed)))
quit(status = length(failed) > 0)
