# The posterior beside the recorded peers: held-out molecules (molecules) and hidden entries
# (masked) of the recorded tasks, single models with and without posterior (models), what priors
# gain over the gene mean's posterior, on the counts and shuffled (gain), coverage of intervals
# (coverage), seconds of its own parts (speed), ten genes beside all of a fit of 10,000 genes x
# 10,000 cells (genes). Writes results/stack.md; of some sets only, the
# others' rows stay. From the root: Rscript bench/bench-stack.R
# molecules|masked|models|gain|coverage|speed|genes [data folder] [sets, comma]
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
# the prototype, gene mean + ranks 5, 10, 20
prototype <- c(baron_2812_hvg = 0.12688, deng = -1464.4, jurkat_293t_338 = 0.11088,
    klein_1k = 0.42132, pbmc3k = 0.14857, pbmc4k_top2000 = 0.035039, pollen = -162.82,
    sc_10x_3cl_894g = 0.22879, sc_celseq2_3cl = -0.32652, sc_dropseq_3cl = 0.074265,
    zeisel_550 = 0.015793, zheng500_facs = 0.27525)

if (what == "molecules") {
    rows <- rowsOf()
    for (set in sets) {
        s <- splitTask(taskData(set, data))
        fit <- quiet(fitInfill(s$train, StackParam(), seed = 1, num.threads = threads,
            progress = FALSE))
        gene.mean <- quiet(infill(s$train, GeneMeanParam(), keep = "none", as = "matrix"))
        stack <- quiet(infill(s$train, fit, as = "matrix"))
        rows$add(set = set, `counts alone` = sprintf("%.5g", loss(s$train, s)),
            `gene mean` = sprintf("%.5g", loss(gene.mean, s)),
            `best recorded peer` = bestPeer(set, "split.poisson"),
            prototype = sprintf("%.5g", prototype[[set]]),
            `StackParam()` = sprintf("**%.5g**", loss(stack, s)), seconds = num(fit@seconds, 1))
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

if (what == "speed") {
    set.seed(1)
    n <- 1e6
    mu <- rgamma(n, 0.3, 0.3)
    x <- as.double(rpois(n, mu))
    y <- as.double(rpois(n, mu / 9))
    z <- log(vapply(1:4, function(k) mu * exp(rnorm(n, 0, 0.2)), numeric(n)) + 1e-3)
    rows <- rowsOf()
    add <- function(what, s) rows$add(what = what, seconds = num(s, 2))
    add("K + 2 parameters on 1,000,000 entries, K = 4, one thread",
        system.time(infill:::.stackOptimum(z, x, y, 1 / 9, 1L))[["elapsed"]])
    counts <- taskData("pbmc3k", data)
    fit <- quiet(fitInfill(counts, StackParam(), seed = 1, num.threads = 1, progress = FALSE))
    add(sprintf("fit of %d x %d, one thread", nrow(counts), ncol(counts)), fit@seconds)
    how <- infill:::.plainly("none")
    blocks <- split(seq_len(ncol(counts)), ceiling(seq_len(ncol(counts)) / 2000))
    best <- function(f) min(replicate(3, system.time(for (b in blocks) f(b))[["elapsed"]]))
    priors <- best(function(b) for (f in fit@fits) infill:::.block(f, counts, b, how, 1L))
    whole <- best(function(b) infill:::.block(fit, counts, b,
        infill:::.plainly("posterior"), 1L))
    add("the priors' predictions", priors)
    add(sprintf("the same with the posterior (ratio %.2f)", whole / priors), whole)
    write("speed", rows)
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
