#' @include compare.R
NULL

#' Pick hyper-parameters by held-out molecules
#'
#' Fits a model with every combination of a grid to a part of the molecules and keeps the
#' combination that predicts the others best. No labels are needed.
#'
#' @param x Counts, genes x cells, in any container that [infill()] takes; whole numbers.
#' @param param The [InfillParam-class] to tune.
#' @param grid A named list of vectors, of which all combinations are tried, or a data.frame with
#'   one combination per row. Names are arguments of the model's constructor: what it sets with one
#'   (`method = "converged"`, `paper = TRUE`, a `preset`) is set here too, unless `param` or the
#'   grid says otherwise. A list column holds values that are vectors.
#' @param repeats,fraction,n.cells,assay.type,seed,num.threads,BPPARAM,progress,check.scale As in
#'   [compareInfill()]. Every combination sees the same splits.
#' @param posterior Score the model with its posterior (`keep = "posterior"`)? Combinations that
#'   gain too little over the gene mean all have its posterior, and the same score.
#' @return An `InfillTuning`, a list: `best`, `param` with the best combination, its `seed` as it
#'   was; `table`, a data.frame of the grid with `poisson` (mean over repeats), `interval` (half a
#'   95 % t interval), `seconds` and `error` of each combination; `settings`. Printing it gives the
#'   table, best first; `plot()` the loss against the first column of the grid, one line for each
#'   combination of the others.
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 60, seed = 1)
#' tuned <- tuneInfill(x, DeepMcParam(), list(sweeps = c(2, 5, 20)), repeats = 2, seed = 1)
#' tuned
#' infill(x, tuned$best, seed = 1)
#' @aliases InfillTuning-class
#' @export
tuneInfill <- function(x, param, grid, repeats = 2, fraction = 0.1, posterior = FALSE,
    n.cells = 2000, ..., assay.type = "counts", seed = NULL, num.threads = NULL, BPPARAM = NULL,
    progress = interactive(), check.scale = TRUE)
{
    .strict("tuneInfill()", ...)
    if (!is(param, "InfillParam"))
        .stop("'param' must be the parameters of a model, such as DeepMcParam(), not %s",
            .describe(param))
    .checkFlag(posterior, "posterior")
    if (missing(grid))
        .stop("'grid' must be given: a named list of values, such as list(n.genes = c(500, 1000))")
    if (!is.list(grid) || !length(grid) || is.null(names(grid)) || !all(nzchar(names(grid)))) .stop(
        "'grid' must be a named list of values, such as list(n.genes = c(500, 1000)), not %s",
        .describe(grid))
    params <- .gridParams(param, grid)
    seed <- .seed(seed)
    some <- .judgedOn(x, assay.type, check.scale, n.cells, seed)
    counts <- some$counts
    spec <- .comparisonSpec(some, repeats, fraction, "uniform", 10, NULL, seed, num.threads,
        progress, BPPARAM)
    .checkTasks("molecules", counts, FALSE)
    spec$methods <- params$made
    names <- names(params$made)
    jobs <- data.frame(task = "molecules", method = rep(names, spec$repeats),
        posterior = posterior && !is.null(.lacksPosterior(param)),
        rep = rep(seq_len(spec$repeats), each = length(names)))
    jobs$label <- jobs$method
    done <- .runJobs(jobs, counts, spec)
    scores <- do.call(rbind, lapply(split(done, factor(jobs$method, names)), .tuningRow))
    if (!any(is.finite(scores$poisson)))
        .stop("'param' could not be fitted with any combination of 'grid': %s",
        scores$error[1L])
    rownames(scores) <- NULL
    structure(list(best = params$made[[which.min(scores$poisson)]],
        table = cbind(params$grid, scores),
        settings = list(model = class(param)[1L], grid = names(params$grid), repeats = spec$repeats,
            fraction = fraction, posterior = posterior, seed = spec$seed)), class = "InfillTuning")
}

# The repeats of one combination.
.tuningRow <- function(done) {
    value <- vapply(done, function(d) if (is.null(d$scores)) NA_real_ else d$scores$poisson, 0)
    sure <- .interval(value[is.finite(value)])
    error <- unlist(lapply(done, `[[`, "error"))
    data.frame(poisson = mean(value), interval = sure$half,
        seconds = mean(vapply(done, `[[`, 0, "seconds")),
        error = error[!is.na(error)][1L])
}

# The rows of the grid, and the parameters that each stands for.
.gridParams <- function(param, grid) {
    make <- .remaker(param)
    unknown <- setdiff(names(grid), make$takes)
    if (length(unknown)) .stop("'grid' names what %s does not have: %s", class(param),
        .someOf(unknown))
    if (!is.data.frame(grid)) {
        if (!all(lengths(grid))) .stop("'grid' must have a value for %s",
            names(grid)[lengths(grid) == 0L][1L])
        at <- expand.grid(lapply(grid, seq_along))
        grid <- as.data.frame(Map(function(v, k) if (is.list(v)) I(v[k]) else v[k], grid, at),
            stringsAsFactors = FALSE, check.names = FALSE)
    }
    if (!nrow(grid)) .stop("'grid' must have at least one row")
    label <- do.call(paste, c(unname(lapply(grid, .gridText)), sep = ", "))
    plain <- function(v) if (is.factor(v)) as.character(v) else v
    made <- lapply(seq_len(nrow(grid)),
        function(k) tryCatch(make$with(lapply(grid, function(v) plain(v[[k]]))),
        error = function(e) .stop("'grid', row %d: %s", k, conditionMessage(e))))
    list(grid = grid, made = stats::setNames(made, sprintf("%d: %s", seq_along(label), label)))
}

#' @export
print.InfillTuning <- function(x, ...) {
    .strict("print()", ...)
    s <- x$settings
    cat(sprintf("InfillTuning of %s%s: %d repeats, %g %% of the molecules held out, seed %.0f\n",
        s$model,
        if (s$posterior) " with its posterior" else "", s$repeats, 100 * s$fraction, s$seed))
    t <- x$table
    shown <- vapply(t, function(v) !is.list(v), TRUE)
    t[!shown] <- lapply(t[!shown], .gridText)
    t$seconds <- sprintf("%.3g", t$seconds)
    if (all(is.na(t$error))) t$error <- NULL
    print(format(t[order(t$poisson), ], digits = 5), row.names = FALSE)
    invisible(x)
}

# Values of a grid in words.
.gridText <- function(v) vapply(seq_along(v), function(k) {
    one <- v[[k]]
    if (is.list(one) && all(vapply(one, is, TRUE, "InfillParam"))) one <-
        names(.priorsOf(StackParam(one)))
    paste(format(one), collapse = " ")
}, "")

# takes: the arguments of param's constructor; with(values): param made again with other values of
# some. What the user had changed stays; what the constructor derives from a preset follows the
# preset.
.remaker <- function(param) {
    known <- Filter(function(name) exists(name, asNamespace("infill"), mode = "function",
        inherits = FALSE), is(param))
    if (!length(known)) .stop("'param' must be the parameters of one of infill's models, not %s",
        .describe(param))
    make <- get(known[1L], envir = asNamespace("infill"), mode = "function")
    takes <- setdiff(c(names(formals(make)), "seed", "num.threads"), "...")
    valueOf <- function(p, names) stats::setNames(lapply(names, function(n) slot(p, n)), names)
    preset <- valueOf(param, intersect(c("method", "paper"), slotNames(param)))
    base <- do.call(make, preset)
    own <- setdiff(intersect(takes, slotNames(param)), names(preset))
    changed <-
        valueOf(param,
            own[!vapply(own, function(n) identical(slot(param, n), slot(base, n)), TRUE)])
    list(takes = takes, with = function(values) do.call(make,
        c(c(preset, changed)[setdiff(c(names(preset), names(changed)), names(values))], values)))
}

#' @param ... Nothing: an unknown argument is an error.
#' @rdname tuneInfill
#' @export
plot.InfillTuning <- function(x, ...) {
    .strict("plot()", ...)
    .needs("ggplot2", "plot()")
    d <- x$table
    names <- x$settings$grid
    shown <- function(v) if (is.list(v)) factor(.gridText(v)) else if (is.character(v))
        factor(v, unique(v)) else v
    d$x <- shown(d[[names[1L]]])
    d$rest <- if (length(names) > 1L) do.call(paste, c(lapply(names[-1L], function(n)
        sprintf("%s %s", n, shown(d[[n]]))), sep = ", ")) else ""
    d <- d[is.finite(d$poisson), ]
    half <- ifelse(is.na(d$interval), 0, d$interval)
    d$low <- d$poisson - half
    d$high <- d$poisson + half
    .data <- ggplot2::.data
    p <- ggplot2::ggplot(d, ggplot2::aes(.data$x, .data$poisson, colour = .data$rest,
        group = .data$rest)) +
        ggplot2::geom_line() +
        ggplot2::geom_pointrange(ggplot2::aes(ymin = .data$low, ymax = .data$high)) +
        ggplot2::labs(x = names[1L], y = "Poisson loss of held-out molecules (lower is better)",
            colour = NULL,
            title = sprintf("Tuning of %s", x$settings$model)) + ggplot2::theme_minimal()
    if (length(names) == 1L) p <- p + ggplot2::guides(colour = "none")
    p
}
