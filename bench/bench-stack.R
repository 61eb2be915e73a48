# The posterior beside the recorded peers: held-out molecules (molecules) and hidden entries
# (masked) of the recorded tasks, single models with and without posterior (models), what priors
# gain over the gene mean's posterior, on the counts and shuffled (gain), coverage of intervals
# (coverage), other priors (candidates), seconds beside the last version (speed) and beside what
# infillCost() says (cost), ten genes beside all of a fit of 10,000 genes x
# 10,000 cells (genes). Writes results/stack.md; of some sets only, the
# others' rows stay. From the root: Rscript bench/bench-stack.R
# molecules|masked|models|gain|coverage|candidates|speed|cost|genes [data folder] [sets, comma]
source("bench/tasks.R")
source("bench/write.R")
args <- commandArgs(TRUE)
what <- c(args, "molecules")[1]
data <- if (length(args) > 1) args[2] else "../shared/data"
all <- c("baron_2812_hvg", "deng", "jurkat_293t_338", "klein_1k", "pbmc3k", "pbmc4k_top2000",
    "pollen", "sc_10x_3cl_894g", "sc_celseq2_3cl", "sc_dropseq_3cl", "zeisel_550", "zheng500_facs")
sets <- if (length(args) > 2) strsplit(args[3], ",")[[1]] else all
threads <- as.integer(Sys.getenv("THREADS", "2"))
peers <- file.path(data, "../reference/peers.tsv")
peers <- if (file.exists(peers)) read.delim(peers) else NULL
ours <- c("none", "gene_mean")
bestPeer <- function(set, test) {
    p <- peers[peers$set == set & peers$test == test & !peers$method %in% ours, ]
    if (is.null(p) || !nrow(p)) return("")
    k <- which.min(p$value)
    sprintf("%s %.5g", p$method[k], p$value[k])
}
splitTask <- function(x) {
    set.seed(1)
    test <- x
    test@x <- as.double(rbinom(length(x@x), as.integer(x@x), 0.1))
    list(train = drop0(x - test), test = drop0(test))
}
loss <- function(p, s) countLoss(s$test, unname(as.matrix(p)) * sum(s$test) / sum(s$train))
quiet <- function(code) suppressWarnings(suppressMessages(code))
command <- paste(c("Rscript bench/bench-stack.R", what, if (length(args) > 2) args[-1]),
    collapse = " ")
write <- function(section, rows, by = 1) {
    writeResult("stack", section, rows$table(), command, by = if (length(args) > 2) by else 0)
}
# the prototype: gene mean, SVD 5, 10, 20, 40 and nearest cells (where it was run; else without)
prototype <- c(baron_2812_hvg = 0.12578, camp_fetal_brain = NA, cite_cbmc_top2000 = NA,
    deng = -1464.4, jurkat_293t_338 = 0.11044, klein_1k = 0.42063, mouse_bladder_2100 = 0.14355,
    pbmc3k = 0.14842, pbmc4k_top2000 = 0.03429, pollen = -162.82, sc_10x_3cl_894g = 0.22752,
    sc_celseq2_3cl = -0.32715, sc_dropseq_3cl = 0.07375, zeisel_550 = 0.01523,
    zheng500_facs = 0.27468)

if (what == "molecules") {
    rows <- rowsOf()
    more <- c("mouse_bladder_2100", "cite_cbmc_top2000", "camp_fetal_brain")
    for (set in if (length(args) > 2) sets else c(sets, more)) {
        s <- splitTask(taskData(set, data))
        fit <- quiet(fitInfill(s$train, StackParam(), seed = 1, num.threads = threads,
            progress = FALSE))
        gene.mean <- quiet(infill(s$train, GeneMeanParam(), keep = "none", as = "matrix"))
        stack <- quiet(infill(s$train, fit, as = "matrix"))
        rows$add(set = set, `counts alone` = sprintf("%.5g", loss(s$train, s)),
            `gene mean` = sprintf("%.5g", loss(gene.mean, s)),
            `best recorded peer` = bestPeer(set, "split.poisson"),
            prototype = if (is.na(prototype[[set]])) "" else sprintf("%.5g", prototype[[set]]),
            `StackParam()` = sprintf("**%.5g**", loss(stack, s)),
            `left out` = toString(fit@left.out), seconds = num(fit@seconds, 1))
    }
    write("molecules", rows)
}

# Every prior alone, each with its posterior, and all of them together. The molecules held out to
# learn weights are the same ones for all, and so are the fits of a model to the others and to all:
# fitted once, remembered.
if (what == "models") {
  losses <- rowsOf()
  weights <- rowsOf()
  for (set in sets) {
    s <- splitTask(taskData(set, data))
    models <- list(deepMc = DeepMcParam(), AutoImpute = AutoImputeParam(),
        DeepImpute = DeepImputeParam(), scINN = ScInnParam(), GraphSCI = GraphSciParam())
    fits <- new.env()
    fitted <- function(prior, data, how, seed, quiet) {
        p <- prior$param
        key <- paste(class(p), if (is(p, "DeepMcParam")) paste(p@ranks, collapse = " "), seed,
            length(data$counts@x), sum(data$counts@x))
        if (is.null(fits[[key]])) fits[[key]] <- original(prior, data, how, seed, quiet)
        fits[[key]]
    }
    if (!exists("original")) original <- infill:::.fitPrior
    utils::assignInNamespace(".fitPrior", fitted, "infill")
    score <- function(...)
        tryCatch(loss(quiet(infill(s$train, ..., num.threads = threads, as = "matrix")), s),
        error = function(e) NA)
    stack <- function(priors) quiet(fitInfill(s$train, StackParam(priors, repeats = 1), seed = 1,
        num.threads = threads, progress = FALSE))
    as.is <- with.posterior <- character()
    for (name in names(models)) {
        fit <- stack(list(GeneMeanParam(), models[[name]]))
        own <- quiet(fitInfill(s$train, models[[name]], seed = 1, num.threads = threads,
            progress = FALSE))
        as.is[[name]] <- sprintf("%.5g", score(own, keep = "none"))
        with.posterior[[name]] <- sprintf("%.5g", score(fit))
    }
    fit <- stack(c(defaultPriors(), models))
    default <- quiet(fitInfill(s$train, StackParam(), seed = 1, num.threads = threads,
        progress = FALSE))
    do.call(losses$add, c(list(set = paste0(set, ", as it is")), as.list(as.is),
        list(`all together` = "", `StackParam()` = "")))
    do.call(losses$add, c(list(set = paste0(set, ", posterior")), as.list(with.posterior),
        list(`all together` = sprintf("**%.5g**", score(fit)),
            `StackParam()` = sprintf("%.5g", score(default)))))
    b <- fit@coefficients[c("gene mean", "SVD 5", "SVD 10", "SVD 20", names(models))]
    names(b) <- c("gene mean", "SVD 5", "SVD 10", "SVD 20", names(models))
    b <- ifelse(is.na(b), "left out", sprintf("%.2f", b))
    do.call(weights$add, c(list(set = set), as.list(b)))
  }
  write("models", losses)
  write("weights", weights)
}

# in percent of what is left to gain, from the loss of the gene mean's posterior to that of a
# perfect prediction
if (what == "gain") rows <- rowsOf()
if (what == "gain") for (set in if (length(args) > 2) sets else c(all, "mouse_bladder_2100",
    "camp_fetal_brain", "usoskin_150", "joost_720", "goolam", "cite_cbmc_top2000")) {
    x <- taskData(set, data)
    if (any(x@x != round(x@x))) next
    share <- function(counts) {
        fit <- quiet(fitInfill(counts, StackParam(min.gain = 0), seed = 1, num.threads = threads,
            progress = FALSE))
        g <- colMeans(fit@gains)
        100 * (g[["gene mean posterior"]] - g[["all priors"]]) /
            (g[["gene mean posterior"]] - fit@perfect)
    }
    rows$add(set = set, counts = num(share(x), 3),
        shuffled = num(share(infill:::.shuffled(x, 1)), 3))
}
if (what == "gain") write("gain", rows)

if (what == "masked") {
    rows <- rowsOf()
    for (set in sets) {
        task <- taskMask(taskData(set, data))
        error <- function(p) {
            filled <- quiet(infill(task$x, p, as = "matrix", seed = 1, num.threads = threads))
            taskError(task, filled)$rmse
        }
        seconds <- system.time(stack <- error(StackParam(loss = "masked")))[["elapsed"]]
        rows$add(set = set, `detected mean` = num(error(GeneMeanParam(over = "detected"))),
            `best recorded peer` = bestPeer(set, "mask10.rmse"),
            `StackParam(loss = "masked")` = sprintf("**%.4f**", stack), seconds = num(seconds, 1))
    }
    write("masked", rows)
}

# Predictive intervals of the held-out molecules, by tenth of the expected value.
if (what == "coverage") rows <- rowsOf()
if (what == "coverage") for (set in sets) {
    s <- splitTask(taskData(set, data))
    fit <- quiet(fitInfill(s$train, StackParam(), seed = 1, num.threads = threads,
        progress = FALSE))
    mean <- quiet(infill(s$train, fit, as = "matrix"))
    sd <- posteriorSd(s$train, fit, as = "matrix")
    # of the gamma; its shape is mean^2/sd^2
    rate <- mean / sd^2
    ratio <- sum(s$test) / sum(s$train)
    y <- as.matrix(s$test)
    # counts are discrete: the probability of less, and a random share of that of the same, is
    # uniform where the model holds
    set.seed(2)
    below <- function(y) pnbinom(y, size = mean * rate, prob = rate / (rate + ratio))
    u <- below(y - 1)
    u <- u + runif(length(u)) * (below(y) - u)
    inside <- function(level) abs(u - 0.5) < level / 2
    group <- cut(as.vector(mean), unique(quantile(mean, 0:10 / 10)), include.lowest = TRUE,
        labels = FALSE)
    tenths <- tapply(inside(0.9), group, base::mean)
    rows$add(set = set, tenths = paste(num(tenths, 3), collapse = " "),
        all = num(base::mean(inside(0.9)), 3))
}
if (what == "coverage") write("coverage", rows)

# Other priors than the default ones, more of them or fewer.
if (what == "candidates") {
    rows <- rowsOf()
    d <- defaultPriors()
    ranks <- function(...) stats::setNames(lapply(c(...), SvdParam), paste("SVD", c(...)))
    near <- d[paste("kNN", c(10, 30, 100))]
    of <- function(...) c(d["gene mean"], ranks(...), near)
    some <- list(`default` = d, `without kNN` = d[!names(d) %in% names(near)],
        `without SVD` = c(d["gene mean"], near), `SVD 5 to 40` = of(5, 10, 20, 40),
        `SVD 5, 20, 80` = of(5, 20, 80), `SVD 5 to 100` = of(5, 10, 20, 40, 100),
        `and SVD 3` = c(d, ranks(3)), `and kNN 5` = c(d, list(`kNN 5` = NeighborMeanParam(5))),
        `and kNN of 10 components` = c(d, list(near = NeighborMeanParam(30, n.components = 10))),
        `a million entries` = StackParam(d, n.entries = 1e6),
        `100,000 entries` = StackParam(d, n.entries = 1e5))
    for (set in if (length(args) > 2) sets else c("zheng500_facs", "zeisel_550", "klein_1k",
        "sc_celseq2_3cl", "pbmc3k", "baron_2812_hvg")) {
        s <- splitTask(taskData(set, data))
        values <- lapply(some, function(p) sprintf("%.5f", loss(quiet(infill(s$train,
            if (is.list(p)) StackParam(p) else p, seed = 1, num.threads = threads, as = "matrix",
            progress = FALSE)), s)))
        do.call(rows$add, c(list(set = set), values))
    }
    write("candidates", rows)
}

# CPU seconds of fit and filling in, this version beside the last one, whose library OLD names, each
# in an R of its own that has done both once before; irlba of the same logarithms; the peak of the
# process above what it held before, over input and result.
speedData <- function(what) {
    draw <- function(x, n) {
        set.seed(1)
        x <- x[, sample(ncol(x), n, TRUE)]
        x@x <- as.double(rpois(length(x@x), x@x))
        x <- drop0(x)
        colnames(x) <- paste0("c", seq_len(n))
        x
    }
    switch(what, `pbmc3k, drawn to 10,000` = draw(taskData("pbmc3k", data), 1e4),
        `pbmc3k, drawn to 100,000` = draw(taskData("pbmc3k", data), 1e5),
        `pbmc3k, all genes, drawn to 10,000` = draw(as(as(as(readRDS(file.path(data, "pbmc3k",
            "counts.rds")), "dMatrix"), "generalMatrix"), "CsparseMatrix"), 1e4),
        taskData(what, data))
}
if (what == "once") {
    peak <- function() {
        line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
        as.double(gsub("[^0-9]", "", line)) / 1024
    }
    x <- speedData(args[3])
    warm <- x[, seq_len(min(250, ncol(x)))]
    quiet(infill(warm, StackParam(repeats = 1), seed = 1, as = "matrix", progress = FALSE))
    invisible(gc())
    before <- peak()
    cpu <- function(code) { t <- system.time(code); sum(t[c(1, 2)]) }
    n <- as.integer(args[4])
    t1 <- cpu(fit <- quiet(fitInfill(x, StackParam(), seed = 1, num.threads = n,
        progress = FALSE)))
    wall <- system.time(f <- quiet(infill(x, fit, as = "matrix", num.threads = n)))
    rest <- NA
    if (args[5] == "irlba") {
        l <- x
        l@x <- log1p(l@x / rep.int(colSums(x) / median(colSums(x)), diff(l@p)))
        rest <- cpu(irlba::irlba(l, nv = 40))
    }
    cat(fit@seconds, t1, wall[[3]], sum(wall[1:2]), peak() - before,
        as.double(object.size(x)) / 2^20, as.double(object.size(f)) / 2^20, rest, "\n")
}
if (what == "speed") {
    old <- Sys.getenv("OLD")
    rows <- rowsOf()
    file <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE))
    once <- function(set, lib, n = 1, irlba = "") {
        out <- system2(file.path(R.home("bin"), "Rscript"), c(file, "once", data, shQuote(set), n,
            shQuote(irlba)), stdout = TRUE, stderr = FALSE,
            env = c(if (nzchar(lib)) paste0("R_LIBS=", lib), paste0("OMP_NUM_THREADS=", n)))
        as.double(strsplit(trimws(utils::tail(out, 1)), " ")[[1]])
    }
    times <- as.integer(Sys.getenv("REPEATS", "3"))
    for (set in if (length(args) > 2) strsplit(args[3], ";")[[1]] else c("zheng500_facs",
        "sc_celseq2_3cl", "klein_1k", "pbmc3k", "pbmc3k, drawn to 10,000",
        "pbmc3k, all genes, drawn to 10,000", "pbmc3k, drawn to 100,000")) {
        runs <- lapply(seq_len(if (grepl("drawn", set)) 1 else times), function(k) list(
            new = once(set, "", 1, "irlba"), old = if (nzchar(old)) once(set, old),
            two = once(set, "", 2)))
        of <- function(which, at) median(vapply(runs, function(r) sum(r[[which]][at]), 0))
        new <- of("new", c(2, 4))
        rows$add(set = set, `fit, s` = num(of("new", 2), 2), `filling in, s` = num(of("new", 4), 2),
            `last version, s` = if (nzchar(old)) num(of("old", c(2, 4)), 1) else "",
            ratio = if (nzchar(old)) num(new / of("old", c(2, 4)), 2) else "",
            `two threads, times` = num(of("new", c(1, 3)) / of("two", c(1, 3)), 2),
            `over irlba` = num(new / of("new", 8), 1),
            `peak over input and result` = num(of("new", c(5, 6)) / of("new", c(6, 7)), 2))
    }
    write("speed", rows)
}

# What infillCost() says beside what it was, each in this process; memory: R's peak.
if (what == "cost") {
    rows <- rowsOf()
    models <- list(GeneMean = GeneMeanParam(), SVD = SvdParam(40), kNN = NeighborMeanParam(30),
        deepMc = DeepMcParam(), Stack = StackParam(), DeepImpute = DeepImputeParam(),
        scINN = ScInnParam(), GraphSCI = GraphSciParam(), AutoImpute = AutoImputeParam())
    if (length(args) > 3) models <- models[strsplit(args[4], ",")[[1]]]
    for (set in if (length(args) > 2) strsplit(args[3], ";")[[1]] else c("zheng500_facs",
        "klein_1k", "pbmc3k")) {
        x <- speedData(set)
        for (name in names(models)) {
            said <- quiet(infillCost(x, models[[name]], num.threads = threads))
            before <- sum(gc(reset = TRUE)[, 2])
            took <- system.time(f <- quiet(infill(x, models[[name]], seed = 1, as = "matrix",
                num.threads = threads, progress = FALSE)))[["elapsed"]]
            memory <- sum(gc()[, 6]) - before
            rows$add(set = set, model = name, `said, s` = num(said$fit + said$fill, 1),
                `took, s` = num(took, 1), ratio = num((said$fit + said$fill) / took, 2),
                `said, MB` = num(said$memory / 2^20, 0), `took, MB` = num(memory, 0),
                `ratio ` = num(said$memory / 2^20 / memory, 2))
            rm(f)
        }
    }
    writeResult("stack", "cost", rows$table(), command, by = if (length(args) > 2) 2 else 0)
}

if (what == "genes") {
    # cells drawn from pbmc3k, their molecules drawn again
    x <- readRDS(file.path(data, "pbmc3k", "counts.rds"))
    set.seed(1)
    x <- x[sort(order(-rowSums(x > 0))[1:10000]), sample(ncol(x), 10000, TRUE)]
    x@x <- as.double(rpois(length(x@x), x@x))
    x <- drop0(x)
    colnames(x) <- paste0("c", seq_len(ncol(x)))
    fit <- quiet(fitInfill(x, StackParam(repeats = 1), seed = 1, num.threads = 1,
        progress = FALSE))
    cpu <- function(...) {
        invisible(gc())
        cpuSeconds(quiet(infill(x, fit, num.threads = 1, as = "matrix", ...)))
    }
    cpu(genes = 1:10)
    runs <- vapply(1:5, function(k) c(cpu(genes = 10 * k + 1:10), cpu()), numeric(2))
    rows <- rowsOf()
    add <- function(what, s) rows$add(what = what, `CPU seconds` = num(s, 2))
    add("all genes", median(runs[2, ]))
    add(sprintf("ten genes (ratio %.3f, median of 5 pairs; goal 0.05)",
        median(runs[1, ] / runs[2, ])), median(runs[1, ]))
    write("genes", rows)
}
