# What the fuzzer gives: sound calls of every export, and what is put in the place of one argument
# or of a part of an object.

suppressMessages({
    library(infill)
    library(Matrix)
    library(SingleCellExperiment)
    library(DelayedArray)
    library(HDF5Array)
})
# what takes long once a session would be out of time here
invisible(c(infill:::.slowness(), infill:::.writtenASecond()))

# ---- sound things ----

set.seed(7)
group <- rep(1:2, 10)
counts <- matrix(rpois(30 * 20, rexp(30, 1 / 3) * (1 + outer(1:30 %% 3, group, "=="))), 30, 20,
    dimnames = list(paste0("g", 1:30), paste0("c", 1:20)))
counts[1, ] <- counts[1, ] + 1:5
storage.mode(counts) <- "double"
sparse <- as(counts, "dgCMatrix")
sce <- SingleCellExperiment(list(counts = sparse))
many <- DelayedArray(sparse)          # read by blocks where nothing else is wanted
quiet <- function(code) suppressMessages(suppressWarnings(code))
params <- list(none = NoneParam(), mean = GeneMeanParam(), svd = SvdParam(2), neighbours = NeighborMeanParam(k = 3, n.components = 2),
    auto = AutoImputeParam(hidden = 4, max.iter = 3, min.cells = 0),
    deep = DeepImputeParam(network.size = 12, hidden = 3, max.iter = 2, min.vmr = 0),
    mc = DeepMcParam(ranks = c(3, 2), sweeps = 2, min.cells = 0),
    scinn = ScInnParam(latent = matrix(sin(1:40), 20), labels = group, max.iter = 2, log = "log2"),
    scinn.own = ScInnParam(max.iter = 2, replicates = 1, snapshots = 1, log = "log2"),
    graph = GraphSciParam(max.iter = 2, valid.edges = 0.1, threshold = 0.2),
    stack = StackParam(list(GeneMeanParam(), NoneParam()), repeats = 1),
    quick = StackParam(list(GeneMeanParam(), SvdParam(2), SvdParam(3), NeighborMeanParam(3, 2)), repeats = 1,
        min.gain = 0),
    masked = StackParam(list(GeneMeanParam("detected"), NoneParam()), loss = "masked", repeats = 1))
fits <- quiet(lapply(params, function(p) fitInfill(counts, p, seed = 1,
    keep.state = is(p, "NetworkParam") || is(p, "GraphSciParam"))))
mask <- quiet(maskCounts(counts, seed = 1))
molecules <- quiet(maskCounts(counts, "molecules", 0.3, seed = 1))
filled <- infill(counts, GeneMeanParam(), keep = "none")
prepared <- prepareCounts(counts, min.cells = 0)
edges <- data.frame(gene1 = c("g1", "g2", "g3"), gene2 = c("g2", "g3", "g4"))
comparison <- quiet(compareInfill(counts, list(mean = GeneMeanParam()), repeats = 1, seed = 1))
infilled <- quiet(infill(sce, fits$mean))

# Name of the export (with what is asked of it, behind a blank), and a sound call.
calls <- c(list(
    "infill" = list(x = counts, param = params$mean, assay.type = "counts", output = "counts", keep = "none",
        nonneg = TRUE, name = "infilled", as = "matrix", sd = FALSE, genes = 3:5, overwrite = FALSE, num.threads = 1,
        check.scale = TRUE, seed = 1, progress = FALSE),
    "infill sce" = list(x = sce, param = params$stack, assay.type = "counts", output = "normcounts", name = "new",
        as = "delayed", sd = TRUE, seed = 1, num.threads = NULL),
    "infill fit" = list(x = sparse, param = fits$auto, assay.type = "counts", output = "logcounts", keep = "max",
        nonneg = FALSE, name = "a", as = "auto", sd = FALSE, genes = NULL, overwrite = TRUE, num.threads = NULL,
        check.scale = FALSE),
    "infill file" = list(x = sparse, param = fits$quick, as = "hdf5", file = tempfile(fileext = ".h5"), type = "float",
        resume = FALSE, overwrite = TRUE, genes = 1:4, BPPARAM = NULL, sd = FALSE, num.threads = 1, progress = FALSE),
    "infill many" = list(x = many, param = params$quick, as = "delayed", max.cells = 15, assay.type = "counts", seed = 1,
        genes = 1:4, name = "a"),
    "infill posterior" = list(x = sparse, param = fits$deep, keep = "posterior"),
    "fitInfill" = list(x = counts, param = params$auto, assay.type = "counts", seed = 1, num.threads = 1,
        progress = FALSE, resume = NULL, keep.state = FALSE, checkpoint = NULL, checkpoint.every = 2, BPPARAM = NULL,
        max.cells = 15, check.scale = TRUE),
    "fitInfill prepared" = list(x = prepared, param = params$mc, seed = 1, num.threads = 1, progress = FALSE),
    "prepareCounts" = list(x = counts, assay.type = "counts", min.count = 1, min.cells = 1,
        gene.selection = "dispersion", n.genes = 10, vmr.threshold = NULL, normalize = "median", log = "log2",
        check.scale = TRUE),
    "restoreCounts" = list(prepared = prepared, values = as.matrix(prepared@x)),
    "geneCv" = list(x = counts, labels = group, assay.type = "counts"),
    "zerosByBulk" = list(x = counts, filled = filled, bulk = rowSums(counts), bins = 3, threshold = 0,
        assay.type = "counts", name = "infilled"),
    "compareInfill" = list(x = counts, params = list(mean = params$mean), tasks = "entries", repeats = 1, fraction = 0.1,
        scheme = "uniform", n.entries = 10, n.cells = 20, max.seconds = 100, posterior = FALSE, labels = NULL,
        assay.type = "counts", seed = 1, num.threads = 1, BPPARAM = NULL, progress = FALSE, check.scale = TRUE),
    "infillCost" = list(x = counts, param = params$mc, as = "hdf5", type = "float", genes = 1:3, max.cells = 10,
        assay.type = "counts", num.threads = 1),
    "tuneInfill" = list(x = counts, param = params$mc, grid = list(ranks = list(2, 3)), repeats = 1, fraction = 0.1, n.cells = 15,
        posterior = FALSE, assay.type = "counts", seed = 1, num.threads = 1, BPPARAM = NULL, progress = FALSE,
        check.scale = TRUE),
    "smoothingGauge" = list(x = counts, filled = filled, labels = group, n.genes = 20, min.cells = 3, seed = 1,
        assay.type = "counts", name = "infilled"),
    "genesAgainstBulk" = list(x = counts, labels = group, truth = rep(c(TRUE, FALSE), 15), test = "t", scale = "log1p",
        alpha = 0.05, assay.type = "counts"),
    "maskCounts" = list(x = counts, scheme = "logistic.gene", fraction = 0.1, seed = 1, assay.type = "counts",
        n.entries = 2, check.scale = TRUE),
    "recoveryError" = list(truth = mask, filled = filled, by = "gene", scale = "log2", subset.row = NULL, name = "infilled"),
    "recoveryError numbers" = list(truth = as.numeric(1:5), filled = c(1, 2, 3, 5, 4)),
    "permutationCheck" = list(x = counts, param = params$mean, n.genes = 10, n.cells = 15, cut = 0.5, seed = 1, assay.type = "counts"),
    "posteriorSd" = list(x = counts, fit = fits$stack, output = "counts", as = "matrix", assay.type = "counts",
        num.threads = 1),
    "posteriorQuantiles" = list(x = counts, fit = fits$stack, probs = c(0.1, 0.5), genes = 1:3, cells = NULL,
        predictive = TRUE, assay.type = "counts", num.threads = 1),
    "giniCoefficient" = list(x = counts, assay.type = "counts"),
    "plotBeforeAfter" = list(x = counts, filled = filled, labels = group, type = "cells", n.genes = 10,
        embedding = "pca", assay.type = "counts", name = "infilled"),
    "plotBeforeAfter cv" = list(x = counts, filled = filled, labels = group, type = "cv"),
    "hiddenEntries" = list(m = mask), "maskedData" = list(m = mask),
    "geneTests" = list(x = counts, labels = group, test = "t", logged = FALSE, assay.type = "counts"),
    "geneTests wilcoxon" = list(x = sce, labels = group, test = "wilcoxon", logged = TRUE, assay.type = "counts"),
    "simulateCounts" = list(preset = "SIM-T2", n.genes = 20, n.cells = 10, group.prob = c(0.5, 0.5), de.prob = 0.1,
        de.location = 0.1, de.scale = 0.4, lib.location = 8, lib.scale = 0.2, mean.shape = 0.6, mean.rate = 0.3,
        outlier.prob = 0.05, outlier.location = 4, outlier.scale = 0.5, bcv.common = 0.1, bcv.df = 60,
        dropout.shape = -1, dropout.mid = 1, rates = TRUE, seed = 1, num.threads = 1),
    "countLoss" = list(observed = counts, expected = filled, kind = "nb.deviance", theta = 2, eps = 1e-6),
    "countLoss poisson" = list(observed = c(1, 2), expected = c(1, 3), kind = "poisson", eps = 1e-6),
    "reportInfill" = list(cmp = comparison, file = "report.html", title = "a"),
    "fitParts" = list(fit = fits$graph, what = "edges", threshold = 0.5, as = "matrix"),
    "fitParts mean" = list(fit = fits$graph, what = "mean", genes = 1:2, cells = 1:2),
    "fitParts networks" = list(fit = fits$deep, what = "networks"),
    "adjustedRandIndex" = list(a = group, b = rev(group)),
    "normalizedMutualInfo" = list(a = group, b = rev(group), normalization = "max"),
    "clusterAgreement" = list(labels = group, clusters = rev(group), metrics = c("ari", "ami", "accuracy"),
        normalization = "arithmetic"),
    "calibrationTable" = list(m = molecules, filled = filled, by = "gene", entries = "all", bins = 3, subset.row = NULL,
        name = "infilled"),
    "defaultPriors" = list(loss = "poisson"),
    "ksStatistic" = list(x = 1:5, y = 2:9), "rocAuc" = list(score = 1:4, truth = c(0, 1, 0, 1)),
    "giniAgainstFish" = list(x = counts, fish = counts[c(1, 4:9), ], housekeeping = "g1", assay.type = "counts"),
    "clusterSeparability" = list(x = counts, labels = group, by = "type", assay.type = "counts", max.pairs = 100,
        seed = 1, num.threads = 1),
    "silhouetteWidth" = list(x = t(counts), labels = group, per.point = TRUE, num.threads = 1),
    "edgesAgainst" = list(edges = edges, reference = edges, genes = c("g1", "g9")),
    "bulkDropout" = list(bulk = counts, fraction = 0.8, params = list(params$mean), scale = "log1p", seed = 1,
        BPPARAM = NULL, assay.type = "counts"),
    "similarityModule" = list(x = counts, param = params$scinn, assay.type = "counts", seed = 1, num.threads = 1,
        progress = FALSE, name = "similarity", check.scale = TRUE)),
    # every parameter of every model: into the constructor, and past it into a fit
    unlist(lapply(names(params), function(name) {
        class <- class(params[[name]])[1]
        slots <- setdiff(slotNames(class), "model")
        given <- setNames(lapply(slots, slot, object = params[[name]]), slots)
        setNames(list(given, c(list(.param = params[[name]]), given)), paste(c(class, "assigned"), name))
    }), recursive = FALSE))

run <- function(name, args) {
    f <- sub(" .*", "", name)
    if (f == "assigned") {
        p <- args$.param
        for (s in setdiff(names(args), ".param")) attr(p, s) <- if (is.null(args[[s]]))
            as.name("\001NULL\001") else args[[s]]
        fit <- fitInfill(counts, p, seed = 1, progress = FALSE)
        return(list(fit, infill(counts, fit)))
    }
    if (f == "object") return(use(args$object))
    out <- do.call(getExportedValue("infill", f), args, quote = TRUE)
    if (grepl("Param$", f)) fitInfill(counts, out, seed = 1, progress = FALSE) else if (is(out, "DelayedMatrix"))
        as.matrix(out) else out
}

# What can be done with an object that was altered.
use <- function(x) {
    tryAll <- function(...) {
        for (f in list(...)) tryCatch(f(), infill_error = function(e) said <<- e)
        if (!is.null(said)) stop(said)
    }
    said <- NULL
    if (is(x, "InfillFit")) tryAll(function() infill(counts, x), function() capture.output(show(x)),
        function() infill(sparse, x, output = "logcounts", as = "delayed")[1:3, 2:4],
        function() fitParts(x), function() fitParts(x, "genes"), function() plot(x),
        function() if (length(x@state) && "max.iter" %in% slotNames(x@param)) {
            p <- x@param
            p@max.iter <- 5
            fitInfill(counts, p, seed = 1, resume = x, progress = FALSE)
        }, function() if (is(x, "StackFit")) {
            posteriorSd(counts, x)
            posteriorQuantiles(counts, x, genes = 1:2)
        }, function() if (is(x@param, "DeepImputeParam")) fitParts(x, "networks"),
        function() if (is(x@param, "GraphSciParam")) { fitParts(x, "edges"); fitParts(x, "mean") },
        function() if (is(x@param, "ScInnParam")) { fitParts(x, "similarity"); similarityModule(x) })
    if (is(x, "MaskedCounts")) tryAll(function() hiddenEntries(x), function() maskedData(x),
        function() capture.output(show(x)), function() if (identical(x@scheme, "molecules"))
            calibrationTable(x, filled) else recoveryError(x, filled, by = "cell"))
    if (is(x, "PreparedCounts")) tryAll(function() restoreCounts(x), function() capture.output(show(x)),
        function() fitInfill(x, params$mc, seed = 1), function() {
            fit <- fitInfill(x, params$auto, seed = 1)
            infill(counts, fit)
        })
    0
}

# ---- what is put in the place of an argument ----

junk <- list(null = NULL, na = NA, na.real = NA_real_, nan = NaN, inf = Inf, minf = -Inf, minus = -1, zero = 0, one = 1,
    half = 0.5, more = 2.5, billion = 1e9, huge = 1e300, max = .Machine$double.xmax, intmax = .Machine$integer.max,
    tiny = 1e-300, word = "a", empty.word = "", na.word = NA_character_, factor = factor(c("a", "b")), complex = 1i,
    true = TRUE, fun = function(x) x, prim = sum, call = quote(x + y), name = as.name("x"), list = list(), list2 = list(1, "a"),
    named = list(a = 1), numbers = numeric(), words = character(), three = 1:3, four = c(1, NA, 3), two = c("a", "b"),
    square = matrix(1:4, 2), frame = data.frame(a = 1:2), raw = as.raw(1), date = as.Date("2020-01-01"), env = globalenv(),
    odd = structure(1, class = "odd"), odd.list = structure(list(1), class = "odd"), param = GeneMeanParam(), fit = NULL,
    string = "counts", twice = c(1, 1), nas = rep(NA, 20), many = rep(1, 20), letters20 = letters[1:20],
    array = array(1, c(2, 2, 2)), formula = y ~ x, s4 = getClass("numeric"), pairlist = pairlist(a = 1), expr = expression(a))
junk$fit <- fits$mean

broken <- function(change) { m <- sparse; change(m) }
changed <- function(part, value) { m <- sparse; attr(m, part) <- value; m }
at <- function(v) { m <- counts; m[3, 2] <- v; m }
matrices <- list(na = at(NA), nan = at(NaN), inf = at(Inf), neg = at(-1), broken = counts * 0.93, big = at(1e100),
    bigger = at(1e300), xmax = at(.Machine$double.xmax), tiny = at(1e-300), all.tiny = counts * 1e-300, all.big = counts * 1e290, zeros = counts * 0,
    none = counts[0, 0], no.genes = counts[0, ], no.cells = counts[, 0], gene = counts[1, , drop = FALSE],
    cell = counts[, 1, drop = FALSE], two.cells = counts[, 1:2], two.genes = counts[1:2, ], one = counts[1, 1, drop = FALSE],
    unnamed = unname(counts), twice = { m <- counts; rownames(m)[2] <- "g1"; m }, cells.twice = { m <- counts; colnames(m)[2] <- "c1"; m },
    na.name = { m <- counts; rownames(m)[2] <- NA; m }, na.cell = { m <- counts; colnames(m)[2] <- NA; m },
    empty.name = { m <- counts; rownames(m)[2] <- ""; m }, flat = counts * 0 + 1, zero.cell = { m <- counts; m[, 3] <- 0; m },
    zero.gene = { m <- counts; m[3, ] <- 0; m }, turned = t(counts), words = matrix("a", 30, 20), complex = counts + 0i,
    logical = counts > 2, integer = { m <- counts; storage.mode(m) <- "integer"; m }, frame = as.data.frame(counts),
    lists = matrix(list(1), 30, 20), array = array(1, c(30, 20, 2)), raw = matrix(as.raw(1), 30, 20), logs = log1p(counts),
    sparse = sparse, dgT = as(sparse, "TsparseMatrix"), dgR = as(sparse, "RsparseMatrix"), lgC = sparse > 2, ngC = as(sparse, "nMatrix"),
    dge = as(as(sparse, "unpackedMatrix"), "generalMatrix"), delayed = DelayedArray(sparse), sce = sce, infilled = infilled,
    no.i = changed("i", integer()), short.i = changed("i", sparse@i[-1]), far.i = changed("i", replace(sparse@i, 5, 1000L)),
    minus.i = changed("i", replace(sparse@i, 5, -7L)), na.i = changed("i", replace(sparse@i, 5, NA)), back.i = changed("i", rev(sparse@i)),
    no.x = changed("x", numeric()), short.x = changed("x", sparse@x[-1]), int.x = changed("x", as.integer(sparse@x)),
    word.x = changed("x", as.character(sparse@x)), no.p = changed("p", integer()), short.p = changed("p", sparse@p[-1]),
    far.p = changed("p", replace(sparse@p, 21, 100000L)), back.p = changed("p", rev(sparse@p)), minus.p = changed("p", replace(sparse@p, 4, -3L)),
    dims = changed("Dim", c(3L, 2L)), more.dims = changed("Dim", c(30L, 2000000L)), minus.dims = changed("Dim", c(-30L, 20L)),
    one.dim = changed("Dim", 30L), names = changed("Dimnames", list(letters, NULL)), no.names = changed("Dimnames", list()),
    bad.T = { m <- as(sparse, "TsparseMatrix"); attr(m, "i") <- replace(m@i, 3, 5000L); m },
    bad.R = { m <- as(sparse, "RsparseMatrix"); attr(m, "j") <- replace(m@j, 3, 5000L); m },
    bad.dge = { m <- as(as(sparse, "unpackedMatrix"), "generalMatrix"); attr(m, "x") <- m@x[1:7]; m },
    bad.delayed = local({ d <- DelayedArray(sparse); attr(d, "seed") <- changed("i", integer()); d }),
    bad.sce = local({ s <- SingleCellExperiment(list(counts = sparse)); attr(s@assays, "data")[[1]] <- changed("x", numeric()); s }),
    no.assay = SingleCellExperiment(), unnamed.assay = SingleCellExperiment(list(counts)),
    table = S4Vectors::DataFrame(counts))

# ---- altered objects ----

parts <- function(x, with) {
    out <- list()
    each <- function(label, set) for (j in names(with)) out[[paste(label, j)]] <<- local({
        v <- with[[j]]
        function() set(v)
    })
    # a data.frame would look at what it is given
    put <- function(l, name, v) {
        kept <- attributes(l)
        l <- unclass(l)
        if (is.null(v)) l[[name]] <- NULL else l[[name]] <- v
        kept$names <- names(l)
        attributes(l) <- kept
        l
    }
    for (s in slotNames(x)) local({
        s <- s
        each(s, function(v) { attr(x, s) <- if (is.null(v)) as.name("\001NULL\001") else v; x })
        inner <- slot(x, s)
        if (is.list(inner) && !is.null(names(inner))) for (e in names(inner)) local({
            e <- e
            each(paste0(s, "$", e), function(v) { attr(x, s) <- put(inner, e, v); x })
            if (is.list(inner[[e]]) && !is.null(names(inner[[e]]))) for (d in names(inner[[e]])) local({
                d <- d
                each(paste0(s, "$", e, "$", d), function(v) { attr(x, s)[[e]] <- put(inner[[e]], d, v); x })
            })
        })
        # fits within a fit, altered like fits
        within <- function(label, fit, set) {
            altered <- parts(fit, with)
            for (j in names(altered)) out[[paste0(label, "@", j)]] <<- local({
                change <- altered[[j]]
                function() set(change())
            })
        }
        if (is(inner, "InfillFit")) within(s, inner, function(v) { attr(x, s) <- v; x })
        if (is.list(inner)) for (e in which(vapply(inner, is, NA, "InfillFit"))) local({
            e <- e
            within(paste0(s, "$", e), inner[[e]], function(v) {
                attr(x, s)[[e]] <- v
                x
            })
        })
        if (is.atomic(inner) && length(inner)) {
            out[[paste(s, "short")]] <<- function() { attr(x, s) <- inner[-1]; x }
            out[[paste(s, "long")]] <<- function() { attr(x, s) <- c(inner, inner); x }
            if (is.numeric(inner)) for (v in c(1e7, -1, NA, Inf)) out[[paste(s, "first", v)]] <<- local({
                v <- v
                function() { i <- inner; i[1] <- as(v, typeof(i)); attr(x, s) <- i; x }
            })
        }
    })
    out
}
some <- junk[c("null", "na.real", "inf", "minus", "billion", "word", "factor", "fun", "list", "numbers", "three", "square", "frame")]
objects <- c(fits, list(mask = mask, molecules = molecules, prepared = prepared))

# All inputs: list(call, argument, what, make the arguments).
inputs <- function(seed, pairs) {
    out <- list()
    for (name in names(calls)) for (arg in names(calls[[name]])[names(calls[[name]]) != ".param"]) {
        held <- calls[[name]][[arg]]
        values <- if (length(dim(held)) == 2L || is(held, "DataFrame")) c(junk, matrices) else junk
        for (j in names(values)) out[[length(out) + 1L]] <- list(name, arg, j)
    }
    altered <- list()
    for (name in names(objects)) for (p in names(parts(objects[[name]], some))) altered[[length(altered) + 1L]] <-
        list("object", name, p)
    set.seed(seed)
    mixed <- replicate(pairs, {
        name <- sample(names(calls), 1L)
        two <- sample(setdiff(names(calls[[name]]), ".param"), 2L, replace = TRUE)
        list(name, unique(two), sample(c(names(junk), names(matrices)), 2L, replace = TRUE))
    }, simplify = FALSE)
    c(out, altered, mixed)
}

argumentsOf <- function(input) {
    if (input[[1]] == "object") return(list(object = parts(objects[[input[[2]]]], some)[[input[[3]]]]()))
    args <- calls[[input[[1]]]]
    for (k in seq_along(input[[2]])) {
        j <- input[[3]][k]
        held <- args[[input[[2]][k]]]
        from <- if (j %in% names(matrices) && (length(dim(held)) == 2L || !j %in% names(junk))) matrices else junk
        args[input[[2]][k]] <- list(from[[j]])
    }
    args
}
