#' @include infill.R mask.R model-baseline.R
NULL

#' Did it help? Models beside trivial baselines, on your own data
#'
#' Hides part of the data, fits every model to the rest and tells which comes nearest to what was
#' hidden, with the baselines beside it and intervals over repeats. No labels are needed.
#'
#' @param x Counts, genes x cells, in any container that [infill()] takes.
#' @param params A list of [InfillParam-class] objects, or one; names are shown, where they are
#'   missing the class without `Param`. Default: [StackParam()], [DeepMcParam()],
#'   [DeepImputeParam()], [AutoImputeParam()].
#' @param tasks `"molecules"`: each molecule is held out with probability `fraction` (binomial
#'   thinning), models see the others and predict all entries; needs whole counts. `"entries"`:
#'   `fraction` of the non-zeros are hidden with [maskCounts()]. When not given, both, or the second
#'   alone (with a message) where `x` is not whole.
#' @param repeats How many times; every repeat has its own split and its own seed for the models.
#' @param fraction Share that is held out, above 0 and at most 0.5.
#' @param scheme,n.entries Scheme of [maskCounts()] for `"entries"`: `"uniform"`, or those that do
#'   not use `fraction`: `"logistic.gene"` and `"logistic.cell"` with their `n.entries`,
#'   `"exponential.cell"`.
#' @param posterior Show each model with its posterior too (`keep = "posterior"` of [infill()])? For
#'   `"molecules"` only. Models that gain too little all have the gene mean's posterior (`min.gain`
#'   of [StackParam()]), with the same numbers.
#' @param labels Class of each cell, for the adjusted Rand index of k-means (as many clusters as
#'   classes, on 20 principal components of the 1,000 most variable genes) and the silhouette of the
#'   classes, both on what a model makes of the molecules that were not held out; `NULL`: not
#'   computed.
#' @param assay.type Assay of an experiment that holds the counts.
#' @param seed Number that fixes everything; `NA`: drawn from R's generator.
#' @param num.threads Threads of each fit.
#' @param BPPARAM A \pkg{BiocParallel} back end: fits are dealt out to its workers. The same numbers
#'   as without.
#' @param progress Say what is being fitted?
#' @param check.scale Refuse values that look like logarithms?
#'
#' @details Baselines: `none`, the training counts as they are; `gene mean`, [GeneMeanParam()]; for
#'   `"molecules"` also `gene mean posterior`, each count weighed against that mean ([StackParam()]
#'   of it), what needs no other genes or cells; for `"entries"` also `detected mean`, the mean of
#'   the gene's non-zeros. The last one of each task is the hard one.
#'
#'   *Molecules.* Values are the models' own everywhere (of [StackParam()]: the posterior mean). A
#'   prediction on the scale of the training part is multiplied by the ratio of the two parts'
#'   totals. `poisson`, the first criterion: mean of p - y log(p + 1e-6) over all entries, lowest in
#'   expectation for the true rates. `mse`: of log1p of columns that sum to 10,000. `pearson.gene`,
#'   `pearson.cell`: median over genes (cells) of Pearson r of the same logarithms.
#'
#'   *Entries.* A [StackParam()] is fitted with `loss = "masked"` here: a hidden value is no
#'   evidence of a small one. `rmse`, `mae`, `nmse`, `pearson` on log1p of count / size factor at
#'   the hidden entries ([recoveryError()]); `rmse` comes first.
#'
#'   `seconds`: fit and prediction. `memory`: peak of R's heap above what was there before, in MB
#'   (the core's memory is R's).
#'
#'   *Verdict.* Of each model, the difference to the best baseline in the same repeat, with a 95 % t
#'   interval over the repeats. A model beats the baselines when the whole interval is on its side
#'   and the gain is at least 0.1 % of the baseline's distance to a perfect prediction. When none
#'   does, the verdict is: do not impute. Repeats share cells: the intervals speak of these cells,
#'   not of others.
#' @return An `InfillComparison`: `as.data.frame()` gives one row per task, method and repeat;
#'   printing it gives means with intervals and the verdict; `plot()` the comparison, `type =
#'   "recovery"` hidden against predicted values, `"calibration"` predicted against held-out
#'   molecules by decile, `"training"` the training curves. A model that fails is a row with its
#'   `error`. [reportInfill()] writes a page.
#' @seealso [tuneInfill()], [permutationCheck()], [smoothingGauge()]
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 80, seed = 1)
#' compareInfill(x, list(DeepMc = DeepMcParam(sweeps = 5)), tasks = "molecules", repeats = 2, seed = 1)
#' @aliases InfillComparison-class
#' @export
compareInfill <- function(x, params = NULL, tasks = c("molecules", "entries"), repeats = 3,
    fraction = 0.1,
    scheme = c("uniform", "logistic.gene", "logistic.cell", "exponential.cell"), n.entries = 10,
    posterior = FALSE, labels = NULL, assay.type = "counts",
    seed = NA, num.threads = NULL, BPPARAM = NULL, progress = interactive(), check.scale = TRUE)
{
    counts <- .checkCounts(.counts(x, assay.type), .checkFlag(check.scale, "check.scale"))
    .checkFlag(progress, "progress")
    .checkFlag(posterior, "posterior")
    scheme <- .checkChoice(scheme, "scheme",
        c("uniform", "logistic.gene", "logistic.cell", "exponential.cell"))
    n.entries <- .checkNumber(n.entries, "n.entries", 1, 1e9, whole = TRUE)
    if (!length(counts@x)) .stop("'x' must have counts: all are 0")
    repeats <- .checkNumber(repeats, "repeats", 1, 1000, TRUE)
    if (!.isNumber(fraction) || fraction <= 0 || fraction > 0.5) .stop(
        "'fraction' must be one number above 0 and at most 0.5, not %s", .describe(fraction))
    whole <- all(counts@x == round(counts@x))
    given <- !missing(tasks)
    if (!is.character(tasks) || !length(tasks) || !all(tasks %in% c("molecules", "entries"))) .stop(
        "'tasks' must be \"molecules\", \"entries\" or both, not %s", .describe(tasks))
    if (!whole && "molecules" %in% tasks) {
        if (given)
            .stop(paste(
                "'x' must hold whole numbers to hold out molecules (tasks = \"molecules\"), and %s is not one;",
            "tasks = \"entries\" hides whole entries"),
            format(counts@x[counts@x != round(counts@x)][1L]))
        message("'x' does not hold whole numbers: entries are hidden, not molecules")
        tasks <- "entries"
    }
    if (is.null(params)) params <- .usualParams()
    params <- .namedParams(params)
    taken <- if (posterior) intersect(names(params), paste(names(params), "posterior"))
    if (length(taken))
        .stop("'params' must not be called %s: that is the row of another model's posterior",
            .someOf(dQuote(taken, FALSE)))
    if (!is.null(labels)) {
        .labels(labels, "labels", ncol(counts))
        n <- length(unique(labels))
        if (n < 2L) .stop("'labels' must have at least two classes, not one")
        if (n == ncol(counts))
            .stop("'labels' must have fewer classes than cells: all %d are different", n)
    }
    seed <- .seed(seed)
    methods <-
        c(list(none = NoneParam(), `gene mean` = GeneMeanParam(),
            `gene mean posterior` = StackParam(GeneMeanParam())), params)
    jobs <- do.call(rbind, lapply(unique(tasks), function(task) {
        m <- names(methods)
        # no posterior of whole entries
        if (task == "entries") m[3L] <- "detected mean"
        with <- if (posterior && task == "molecules")
            rep(c(FALSE, TRUE), c(length(m), length(params))) else rep(FALSE, length(m))
        m <- c(m, if (any(with)) names(params))
        data.frame(task = task, method = rep(m, repeats), posterior = rep(with, repeats),
            rep = rep(seq_len(repeats), each = length(m)))
    }))
    methods$`detected mean` <- GeneMeanParam(over = "detected")
    jobs <- jobs[!(jobs$posterior & vapply(methods[jobs$method], is, TRUE, "StackParam")), ]
    spec <- list(counts = counts, methods = methods, seed = seed, fraction = fraction,
        scheme = scheme, n.entries = n.entries, labels = labels,
        threads = .threads(num.threads))
    one <- function(k) {
        if (progress)
            message(sprintf("%s %d of %d: %s%s", jobs$task[k], jobs$rep[k], repeats, jobs$method[k],
            if (jobs$posterior[k]) ", posterior" else ""))
        .compareOne(jobs[k, ], spec)
    }
    done <- if (is.null(BPPARAM)) lapply(seq_len(nrow(jobs)), one) else
        .onWorkers(jobs, spec, BPPARAM)
    scores <- unique(unlist(lapply(done, function(d) names(d$scores))))
    rows <- lapply(done, function(d) {
        value <- function(name) if (is.null(d$scores[[name]])) NA_real_ else d$scores[[name]]
        data.frame(lapply(stats::setNames(nm = scores), value), seconds = d$seconds,
            memory = d$memory, error = d$error)
    })
    if (all(vapply(done, function(d) !is.na(d$error), TRUE)))
        .stop("no method could be fitted; the first said: %s", done[[1L]]$error)
    table <- cbind(task = jobs$task,
        method = ifelse(jobs$posterior, paste(jobs$method, "posterior"), jobs$method),
        baseline = jobs$method %in% .baselines, `repeat` = jobs$rep, do.call(rbind, rows))
    rownames(table) <- NULL
    first <- jobs$rep == 1
    structure(list(table = table,
        samples = stats::setNames(lapply(done[first], `[[`, "sample"),
            paste(table$task, table$method)[first]),
        fits = stats::setNames(lapply(done[first], `[[`, "fit"),
            paste(table$task, table$method)[first]),
        warnings = unique(unlist(lapply(seq_along(done), function(k) if (length(done[[k]]$warnings))
            paste0(table$method[k], ": ",
            done[[k]]$warnings)))),
            settings = list(genes = nrow(counts), cells = ncol(counts), fraction = fraction,
                scheme = scheme,
            n.entries = n.entries, repeats = repeats, seed = seed, params = params,
            version = as.character(utils::packageVersion("infill")))),
        class = "InfillComparison")
}

.baselines <- c("none", "gene mean", "gene mean posterior", "detected mean")

.usualParams <- function() list(Stack = StackParam(), deepMc = DeepMcParam(),
    DeepImpute = DeepImputeParam(), AutoImpute = AutoImputeParam())

# A list of parameter objects, each with a name of its own.
.namedParams <- function(params) {
    if (is(params, "InfillParam")) params <- list(params)
    if (!is.list(params) || !length(params) || !all(vapply(params, is, TRUE, "InfillParam"))) .stop(
        "'params' must be a list of parameters of models, such as list(DeepMcParam()), not %s",
        .describe(params))
    name <- names(params)
    if (is.null(name)) name <- rep("", length(params))
    empty <- !nzchar(name)
    name[empty] <- sub("Param$", "", vapply(params[empty], function(p) class(p)[1L], ""))
    if (any(name %in% .baselines)) .stop("'params' must not be called %s: the baselines are",
        .someOf(dQuote(intersect(name, .baselines), FALSE)))
    stats::setNames(params, make.unique(name, " "))
}

# One method on one split: what it scored, or its error.
.compareOne <- function(job, spec) {
    notes <- character()
    param <- spec$methods[[job$method]]
    seed <- (spec$seed + 7919 * job$rep) %% 2^53
    before <- sum(gc(reset = TRUE, full = FALSE)[, 2L])
    out <- withCallingHandlers(tryCatch({
        run <- if (job$task == "molecules") .scoreMolecules else .scoreEntries
        run(param, spec, seed, job$posterior)
    }, error = function(e) list(error = conditionMessage(e))), warning = function(w) {
        notes <<- c(notes, conditionMessage(w))
        invokeRestart("muffleWarning")
    }, message = function(m) {
        if (startsWith(conditionMessage(m), "the mask leaves")) notes <<-
            c(notes, trimws(conditionMessage(m)))
        invokeRestart("muffleMessage")
    })
    memory <- sum(gc(full = FALSE)[, 6L]) - before
    list(scores = out$scores, sample = out$sample, fit = out$fit, warnings = unique(notes),
        error = if (is.null(out$error)) NA_character_
        else out$error, seconds = if (is.null(out$seconds)) NA_real_ else out$seconds,
        memory = if (is.null(out$seconds)) NA_real_ else memory)
}

# What a plot of training needs of a fit: no weights.
.thinFit <- function(fit) {
    if (!is(fit, "InfillFit") || !nrow(fit@history)) return(NULL)
    fit@weights <- fit@state <- numeric()
    fit@recipe <- fit@recipe["log"]
    fit
}

# f(values, cols) for blocks of cells, values dense genes x cells on the scale of `counts`; keep as
# in infill().
.overBlocks <- function(counts, fit, keep, threads, f) {
    how <- .how("counts", keep, TRUE, "infilled", "matrix")
    .matchGenes(counts, fit@recipe)
    for (cols in .inBlocks(ncol(counts), nrow(counts)))
        f(.fillBlock(counts, cols, fit, how, threads), cols)
}

.scoreMolecules <- function(param, spec, seed, posterior) {
    s <- .splitMolecules(spec$counts, spec$fraction, seed)
    if (!sum(s$test) || !sum(s$train))
        .stop("'x' has too few molecules to hold %g of them out", spec$fraction)
    if (posterior) param <- .posteriorOf(param)
    model <- if (posterior || isTRUE(attr(param, "whole"))) names(.priorsOf(param))
    started <- proc.time()[["elapsed"]]
    heard <- character()
    said <- function() if (length(heard))
        paste0(": ", sub("^the prior .* was left out: ", "", heard[1L])) else ""
    fit <- withCallingHandlers(fitInfill(s$train, param, seed = seed, num.threads = spec$threads,
        progress = FALSE, check.scale = FALSE),
        warning = function(w) if (grepl("was left out: ", conditionMessage(w))) heard <<-
        c(heard, conditionMessage(w)))
    # a model that failed has no posterior; one that did not earn its place has that of the gene
    # mean
    lost <- if (length(model)) setdiff(model, c(names(fit@fits), fit@left.out))
    if (length(lost)) .stop("without the model there is no posterior of it%s", said())
    scale <- sum(s$test) / sum(s$train)
    acc <- list(numeric(5 * nrow(s$train)), numeric(4))
    cell <- numeric(ncol(s$train))
    # cells whose entries are kept
    look <- sort(.Call(C_choose, as.double(ncol(s$train)), as.double(min(200, ncol(s$train))),
        seed))
    sample <- list()
    keep <- if (is(param, "NoneParam")) "observed" else if (is(param, "StackParam"))
        "posterior" else "none"
    .overBlocks(s$train, fit, keep, spec$threads, function(values, cols) {
        r <- .Call(C_split_add, s$test, cols[1L] - 1L, values, scale, 1e-6, acc[[1L]], acc[[2L]])
        acc <<- r[1:2]
        cell[cols] <<- r[[3L]]
        some <- intersect(look, cols)
        if (length(some)) sample[[length(sample) + 1L]] <<-
            data.frame(predicted = scale * as.double(values[, some - cols[1L] + 1L]),
            truth = as.double(as.matrix(s$test[, some, drop = FALSE])))
    })
    seconds <- proc.time()[["elapsed"]] - started
    gene <- .Call(C_split_pearson, acc[[1L]], as.double(ncol(s$train)))
    n <- acc[[2L]][4L]
    scores <- list(poisson = acc[[2L]][1L] / n, perfect = acc[[2L]][2L] / n,
        mse = acc[[2L]][3L] / n,
        pearson.gene = median(gene, na.rm = TRUE), pearson.cell = median(cell, na.rm = TRUE))
    if (!is.null(spec$labels)) scores <- c(scores, .clusterScores(s$train, fit, keep, spec, seed))
    sample <- do.call(rbind, sample)
    list(scores = scores, sample = .deciles(sample), fit = .thinFit(fit), seconds = seconds)
}

.scoreEntries <- function(param, spec, seed, posterior) {
    m <- maskCounts(spec$counts, spec$scheme, spec$fraction, seed, n.entries = spec$n.entries,
        check.scale = FALSE)
    x <- maskedData(m)
    e <- hiddenEntries(m)
    if (is(param, "StackParam")) param@loss <- "masked"           # a zero is no evidence here
    started <- proc.time()[["elapsed"]]
    fit <- fitInfill(x, param, seed = seed, num.threads = spec$threads, progress = FALSE,
        check.scale = FALSE)
    got <- numeric(nrow(e))
    .overBlocks(x, fit, if (is(param, "NoneParam")) "observed" else "none", spec$threads,
        function(values, cols) {
        at <- which(e$col >= cols[1L] & e$col <= cols[length(cols)])
        got[at] <<- values[cbind(e$row[at], e$col[at] - cols[1L] + 1L)]
    })
    seconds <- proc.time()[["elapsed"]] - started
    size <- .sizesOf(x)[e$col]
    t <- log1p(e$value / size)
    p <- log1p(got / size)
    scores <- as.list(.recovery(t, p)[c("rmse", "mae", "nmse", "pearson")])
    keep <- if (length(t) > 3000) sort(.Call(C_choose, as.double(length(t)), 3000, seed)) else
        seq_along(t)
    list(scores = c(scores, list(perfect = 0)),
        sample = data.frame(truth = t[keep], predicted = p[keep]), fit = .thinFit(fit),
        seconds = seconds)
}

# Agreement of clusters with the labels, on what the fit makes of the training half.
.clusterScores <- function(train, fit, keep, spec, seed) {
    size <- .sizesOf(train)
    l <- train
    l@x <- log1p(l@x / rep.int(size, diff(l@p)))
    moments <- .Call(C_moments, l, numeric(ncol(l)), 0)
    top <- sort(head(order(-moments$var), 1000))
    m <- matrix(0, length(top), ncol(train))
    .overBlocks(train, fit, keep, spec$threads, function(values, cols) m[, cols] <<-
        log1p(values[top, , drop = FALSE] /
        rep(size[cols], each = length(top))))
    pcs <- .principal(m, 20)
    k <- length(unique(spec$labels))
    # no clusters, where a model makes fewer different cells than there are classes
    clusters <- tryCatch(.kMeans(pcs, k, seed), error = function(e) NULL)
    list(ari = if (is.null(clusters)) NA_real_ else adjustedRandIndex(clusters, spec$labels),
        silhouette = silhouetteWidth(pcs, spec$labels))
}
