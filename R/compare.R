#' @include infill.R mask.R model-baseline.R posterior-param.R
NULL

#' Did it help? Models beside trivial baselines, on your own data
#'
#' Hides part of the data, fits every model to the rest and tells which comes nearest to what was
#' hidden, with the baselines beside it and intervals over repeats. No labels are needed.
#'
#' @param x Counts, genes x cells, in any container that [infill()] takes.
#' @param params A list of [InfillParam-class] objects, or one; names are shown, where they are
#'   missing the class without `Param`. Default: the quick ones, [StackParam()], [DeepMcParam()]
#'   and [DeepImputeParam()]; [AutoImputeParam()], [ScInnParam()] and [GraphSciParam()] take minutes
#'   each.
#' @param tasks `"molecules"`: each molecule is held out with probability `fraction` (binomial
#'   thinning), models see the others and predict all entries; needs whole counts. `"entries"`:
#'   `fraction` of the non-zeros are hidden with [maskCounts()], which takes several times as long.
#'   One of them or both; `NULL`: molecules, or entries where a `scheme` is given or (with a
#'   message) where `x` is not whole.
#' @param repeats How many times; every repeat has its own split and its own seed for the models.
#' @param fraction Share that is held out, above 0 and at most 0.5.
#' @param scheme,n.entries Scheme of [maskCounts()] for `"entries"`: `"uniform"`, or those that do
#'   not use `fraction`: `"logistic.gene"` and `"logistic.cell"` with their `n.entries`,
#'   `"exponential.cell"`.
#' @param n.cells At most so many cells are judged on, a random sample of all; `Inf`: all.
#' @param max.seconds No fit is begun after so many seconds; what was not begun is a row whose
#'   `error` says so. Quick models come first, so that they have all their repeats.
#' @param posterior Show each model with its posterior too (`keep = "posterior"` of [infill()])? For
#'   `"molecules"` only. Models that gain too little all have the gene mean's posterior (`min.gain`
#'   of [StackParam()]), with the same numbers.
#' @param labels Class of each cell, for the adjusted Rand index of k-means (as many clusters as
#'   classes, on 20 principal components of the 1,000 most variable genes) and the silhouette of the
#'   classes, both on what a model makes of the molecules that were not held out; `NULL`: not
#'   computed.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type Assay of an experiment that holds the counts.
#' @param seed Number that fixes everything; `NULL`: drawn from R's generator.
#' @param num.threads Threads of each fit.
#' @param BPPARAM A \pkg{BiocParallel} back end: fits are dealt out to its workers. The same numbers
#'   as without.
#' @param progress Say how long it will take and how much memory, and then, after each fit, how long
#'   it still takes? `TRUE` does so in scripts as well.
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
#' @section Interrupt: an interrupt, or a worker of `BPPARAM` that dies, ends what is at work; what
#'   is done by then is returned, with a warning, and the rest are rows whose `error` says so.
#' @return An `InfillComparison`: `as.data.frame()` gives one row per task, method and repeat;
#'   printing it gives means with intervals and the verdict; `plot()` the comparison, `type =
#'   "recovery"` hidden against predicted values, `"calibration"` predicted against held-out
#'   molecules by decile, `"training"` the training curves. A model that fails is a row with its
#'   `error`. [reportInfill()] writes a page.
#' @seealso [tuneInfill()], [permutationCheck()], [smoothingGauge()]
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 80, seed = 1)
#' compareInfill(x, list(DeepMc = DeepMcParam(sweeps = 5)), tasks = "molecules", repeats = 2,
#'     seed = 1)
#' @aliases InfillComparison-class
#' @export
compareInfill <- function(x, params = NULL, tasks = NULL, repeats = 3,
    fraction = 0.1, scheme = c("uniform", "logistic.gene", "logistic.cell", "exponential.cell"),
    n.entries = 10, n.cells = 2000, max.seconds = Inf, posterior = FALSE, labels = NULL, ...,
    assay.type = "counts", seed = NULL,
    num.threads = NULL, BPPARAM = NULL, progress = interactive(), check.scale = TRUE)
{
    .strict("compareInfill()", ...)
    seed <- .seed(seed)
    some <- .judgedOn(x, assay.type, check.scale, n.cells, seed)
    counts <- some$counts
    spec <- .comparisonSpec(some, repeats, fraction, scheme, n.entries, labels, seed, num.threads,
        progress, BPPARAM, max.seconds)
    if (!is.null(some$few)) {
        spec$labels <- labels[some$few]
        .checkClasses(spec$labels, ncol(counts), "'labels' of the cells that are judged on")
    }
    .checkFlag(posterior, "posterior")
    tasks <- .checkTasks(tasks, counts, !missing(scheme))
    params <- .namedParams(if (is.null(params)) .usualParams() else params)
    taken <- if (posterior) intersect(names(params), paste(names(params), "posterior"))
    if (length(taken))
        .stop("'params' must not be called %s: that is the row of another model's posterior",
        .someOf(dQuote(taken, FALSE)))
    spec$methods <- c(.baselines(), params)
    jobs <- .comparisonJobs(params, unique(tasks), spec$repeats, posterior)
    done <- .runJobs(jobs, counts, spec)
    failed <- !is.na(vapply(done, `[[`, "", "error"))
    if (all(failed)) .stop("no method could be fitted; the first said: %s", done[[1L]]$error)
    out <- .asComparison(jobs, done, dim(counts), spec, params)
    out$settings$of <- some$all
    out
}

# What all repeats of a comparison share, checked. some: what .judgedOn() gives.
.comparisonSpec <- function(some, repeats, fraction, scheme, n.entries, labels, seed, num.threads,
    progress, BPPARAM, max.seconds = Inf)
{
    .checkFlag(progress, "progress")
    if (!length(some$counts@x)) .stop("'x' must have counts: all are 0")
    if (!.isNumber(fraction) || fraction <= 0 || fraction > 0.5) .stop(
        "'fraction' must be one number above 0 and at most 0.5, not %s", .describe(fraction))
    .checkClasses(labels, some$all)
    list(repeats = .checkNumber(repeats, "repeats", 1, 1000, TRUE), fraction = fraction,
        scheme = .checkChoice(scheme, "scheme", setdiff(.schemes, "molecules")),
        n.entries = .checkNumber(n.entries, "n.entries", 1, 1e9, whole = TRUE), labels = labels,
        seed = .seed(seed), threads = .threads(num.threads), progress = progress,
        BPPARAM = .checkWorkers(BPPARAM),
        max.seconds = if (identical(max.seconds, Inf)) Inf else
            .checkNumber(max.seconds, "max.seconds", 0, 1e9))
}

# The cells that are judged on: list(counts: in memory; few: which of all, NULL: all of them; all:
# how many x has). Of counts on disk no others are read.
.judgedOn <- function(x, assay.type, check.scale, n.cells, seed) {
    n <- if (identical(n.cells, Inf)) Inf else .checkNumber(n.cells, "n.cells", 2, 1e9,
        whole = TRUE)
    counts <- .sourceOf(x, assay.type, check.scale)
    all <- ncol(counts)
    few <- if (all > n) .Call(C_choose, as.double(all), as.double(n), seed)
    some <- .columns(counts, if (is.null(few)) seq_len(all) else few)
    # of these alone it is not known whether all are whole
    if (is(counts, "CellSource")) some <- .checkCounts(some, check.scale)
    list(counts = some, few = few, all = all)
}

.checkClasses <- function(labels, n.cells, what = "'labels'") {
    if (is.null(labels)) return(invisible())
    .labels(labels, "labels", n.cells)
    n <- length(unique(labels))
    if (n < 2L) .stop("%s must have at least two classes, not one", what)
    if (n == n.cells) .stop("%s must have fewer classes than cells: all %d are different", what, n)
}

# NULL: what is asked of these counts.
.checkTasks <- function(tasks, counts, hide) {
    given <- !is.null(tasks)
    if (!given) tasks <- if (hide) "entries" else "molecules"
    if (!is.character(tasks) || !length(tasks) || !all(tasks %in% c("molecules", "entries"))) .stop(
        "'tasks' must be \"molecules\", \"entries\" or both, not %s", .describe(tasks))
    if (hide && !"entries" %in% tasks)
        .stop("'scheme' hides entries: it needs tasks = \"entries\", not \"molecules\" alone")
    broken <- if ("molecules" %in% tasks) .firstBroken(counts)
    if (!length(broken)) return(tasks)
    if (given)
        .stop(paste("'x' must hold whole numbers to hold out molecules (tasks = \"molecules\"),",
        "and %s is not one; tasks = \"entries\" hides whole entries"), format(counts@x[broken]))
    message("'x' does not hold whole numbers: entries are hidden, not molecules")
    "entries"
}

.baselines <- function() list(none = NoneParam(), `gene mean` = GeneMeanParam(),
    `gene mean posterior` = StackParam(GeneMeanParam()),
    `detected mean` = GeneMeanParam(over = "detected"))

.usualParams <- function() list(Stack = StackParam(), deepMc = DeepMcParam(),
    DeepImpute = DeepImputeParam())

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
    if (any(name %in% names(.baselines())))
        .stop("'params' must not be called %s: the baselines are",
        .someOf(dQuote(intersect(name, names(.baselines())), FALSE)))
    stats::setNames(params, make.unique(name, " "))
}

# One row for each fit: task, method, whether its posterior is judged, repeat, and the name it has
# in the table.
.comparisonJobs <- function(params, tasks, repeats, posterior) {
    jobs <- do.call(rbind, lapply(tasks, function(task) {
        # no posterior of whole entries
        m <- c("none", "gene mean", if (task == "molecules") "gene mean posterior" else
            "detected mean",
            names(params))
        with <- if (posterior && task == "molecules")
            names(params)[!vapply(params, function(p) is.null(.lacksPosterior(p)), TRUE)]
        data.frame(task = task, method = rep(c(m, with), repeats),
            posterior = rep(rep(c(FALSE, TRUE), c(length(m), length(with))), repeats),
            rep = rep(seq_len(repeats), each = length(m) + length(with)))
    }))
    jobs$label <- ifelse(jobs$posterior, paste(jobs$method, "posterior"), jobs$method)
    jobs
}

# All jobs, those of quick models first, as many at a time as there are workers. What is done is
# kept when time is over, on an interrupt, and when a worker dies.
.runJobs <- function(jobs, counts, spec) {
    cost <- .jobCosts(jobs, counts, spec)
    done <- vector("list", nrow(jobs))
    todo <- order(!jobs$method %in% names(.baselines()), cost$seconds, jobs$rep)
    begun <- .elapsed()
    at.once <- if (is.null(spec$BPPARAM)) 1L else max(1L, .workersOf(spec$BPPARAM))
    if (spec$progress) .sayCost(cost, at.once, nrow(jobs))
    if (.startWorkers(spec$BPPARAM)) on.exit(.stopWorkers(spec$BPPARAM))
    why <- NULL
    while (length(todo) && is.null(why)) {
        if (.elapsed() - begun >= spec$max.seconds) {
            why <- sprintf("'max.seconds' (%g) was over", spec$max.seconds)
            break
        }
        wave <- utils::head(todo, at.once)
        rows <- lapply(wave, function(k) jobs[k, ])
        if (spec$progress) .sayNext(rows, cost$seconds, todo, .elapsed() - begun)
        got <- tryCatch(.wave(rows, counts, spec), interrupt = function(e) NULL)
        if (is.null(got)) why <- "interrupted"
        else {
            done[wave] <- got
            todo <- todo[-seq_along(wave)]
        }
    }
    if (length(todo) == nrow(jobs)) .stop("nothing was fitted: %s", why)
    if (length(todo)) {
        done[todo] <- lapply(todo, function(k) .notRun(why))
        warning(warningCondition(sprintf("%d of %d fits were not run: %s", length(todo),
            nrow(jobs), why), class = "infill_unfinished"))
    }
    done
}

# Some jobs at once. Where a worker dies each is run by itself, so that only what kills is lost.
.wave <- function(rows, counts, spec) {
    run <- function(rows) .overWorkers(rows, .compareOne, spec$BPPARAM, counts = counts,
        spec = spec[!names(spec) %in% c("BPPARAM", "max.seconds")])
    alone <- function(row) tryCatch(run(list(row))[[1L]],
        infill_worker = function(e) .notRun(conditionMessage(e)))
    tryCatch(run(rows), infill_worker = function(e) {
        .stopWorkers(spec$BPPARAM)                           # what is left of them is of no use
        lapply(rows, alone)
    })
}

.notRun <- function(why) list(error = paste("not run:", why), seconds = NA_real_,
    memory = NA_real_)

.asComparison <- function(jobs, done, size, spec, params) {
    scores <- unique(unlist(lapply(done, function(d) names(d$scores))))
    rows <- lapply(done, function(d) {
        value <- function(name) if (is.null(d$scores[[name]])) NA_real_ else d$scores[[name]]
        data.frame(lapply(stats::setNames(nm = scores), value), seconds = d$seconds,
            memory = d$memory, error = d$error)
    })
    table <- cbind(task = jobs$task, method = jobs$label,
        baseline = jobs$method %in% names(.baselines()),
        `repeat` = jobs$rep, do.call(rbind, rows))
    rownames(table) <- NULL
    first <- jobs$rep == 1
    of <- function(what) stats::setNames(lapply(done[first], `[[`, what),
        paste(table$task, table$method)[first])
    warnings <- lapply(seq_along(done), function(k) if (length(done[[k]]$warnings))
        paste0(jobs$label[k], ": ", done[[k]]$warnings))
    structure(list(table = table, samples = of("sample"), fits = of("fit"),
        warnings = unique(unlist(warnings)),
        settings = c(list(genes = size[1L], cells = size[2L]),
            spec[c("fraction", "scheme", "n.entries", "repeats", "seed")],
            list(params = params, version = as.character(packageVersion("infill"))))),
        class = "InfillComparison")
}

# One method on one split: what it scored, or its error.
.compareOne <- function(job, counts, spec) {
    notes <- character()
    seed <- (spec$seed + 7919 * job$rep) %% 2^53
    before <- sum(gc(reset = TRUE, full = FALSE)[, 2L])
    out <- withCallingHandlers(tryCatch({
        score <- if (job$task == "molecules") .scoreMolecules else .scoreEntries
        score(spec$methods[[job$method]], counts, spec, seed, job$posterior)
    }, error = function(e) list(error = conditionMessage(e))), warning = function(w) {
        notes <<- c(notes, conditionMessage(w))
        invokeRestart("muffleWarning")
    }, message = function(m) invokeRestart("muffleMessage"))
    memory <- sum(gc(full = FALSE)[, 6L]) - before
    or <- function(value, none) if (is.null(value)) none else value
    list(scores = out$scores, sample = out$sample, fit = out$fit,
        warnings = unique(c(notes, out$notes)),
        error = or(out$error, NA_character_), seconds = or(out$seconds, NA_real_),
        memory = if (is.null(out$seconds)) NA_real_ else memory)
}
