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
#' @param repeats,fraction,assay.type,seed,num.threads,progress As in [compareInfill()]. Every
#'   combination sees the same splits.
#' @param posterior Score the model with its posterior (`keep = "posterior"`)? Combinations that
#'   gain too little over the gene mean all have its posterior, and the same score.
#' @return `param` with the best combination, its `seed` as it was; with the table of all as
#'   attribute `"tuning"`: the grid, `poisson` (mean over repeats), `interval` (half a 95 % t
#'   interval), `seconds`, `error`. `plotTuning()`: a ggplot of the loss against the first column of
#'   the grid, one line for each combination of the others.
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 60, seed = 1)
#' best <- tuneInfill(x, DeepMcParam(), list(sweeps = c(2, 5, 20)), repeats = 2, seed = 1)
#' attr(best, "tuning")
#' @export
tuneInfill <- function(x, param, grid, repeats = 2, fraction = 0.1, posterior = FALSE,
    assay.type = "counts", seed = NA, num.threads = NULL,
    progress = interactive())
{
    if (!is(param, "InfillParam"))
        .stop("'param' must be the parameters of a model, such as DeepMcParam(), not %s",
            .describe(param))
    .checkFlag(posterior, "posterior")
    if (missing(grid))
        .stop("'grid' must be given: a named list of values, such as list(n.genes = c(500, 1000))")
    if (!is.list(grid) || !length(grid) || is.null(names(grid)) || !all(nzchar(names(grid)))) .stop(
        "'grid' must be a named list of values, such as list(n.genes = c(500, 1000)), not %s",
        .describe(grid))
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
    params <-
        stats::setNames(lapply(seq_len(nrow(grid)),
            function(k) tryCatch(make$with(lapply(grid, function(v) plain(v[[k]]))),
        error = function(e) .stop("'grid', row %d: %s", k, conditionMessage(e)))),
        sprintf("%d: %s", seq_along(label), label))
    # whole: a model that fails has no posterior
    scored <- if (posterior && !is(param, "StackParam"))
        lapply(params, function(p) structure(.posteriorOf(p), whole = TRUE)) else params
    cmp <- compareInfill(x, scored, tasks = "molecules", repeats = repeats, fraction = fraction,
        assay.type = assay.type, seed = seed,
        num.threads = num.threads, progress = progress)
    s <- .summary(cmp, "molecules")
    s <- s[match(names(params), s$method), ]
    if (!any(is.finite(s$value)))
        .stop("'param' could not be fitted with any combination of 'grid': %s", s$error[1L])
    best <- params[[which.min(s$value)]]
    attr(best, "tuning") <- cbind(grid, poisson = s$value, interval = s$interval,
        seconds = s$seconds, error = s$error)
    best
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
    known <- Filter(function(c) exists(c, asNamespace("infill"), mode = "function",
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

#' @param tuned What `tuneInfill()` returned.
#' @rdname tuneInfill
#' @export
plotTuning <- function(tuned) {
    .needs("ggplot2", "plotTuning()")
    d <- attr(tuned, "tuning")
    if (is.null(d)) .stop("'tuned' must be what tuneInfill() returned, not %s", .describe(tuned))
    names <- setdiff(names(d), c("poisson", "interval", "seconds", "error"))
    shown <- function(v) if (is.list(v)) factor(.gridText(v)) else if (is.character(v))
        factor(v) else v
    d$x <- shown(d[[names[1L]]])
    d$rest <- if (length(names) > 1L)
        do.call(paste, c(lapply(names[-1L], function(n) sprintf("%s %s", n, shown(d[[n]]))),
            sep = ", ")) else ""
    .data <- ggplot2::.data
    d <- d[is.finite(d$poisson), ]
    p <- ggplot2::ggplot(d, ggplot2::aes(.data$x, .data$poisson, colour = .data$rest,
        group = .data$rest)) + ggplot2::geom_line() +
        ggplot2::geom_pointrange(ggplot2::aes(ymin = .data$poisson -
            ifelse(is.na(.data$interval), 0, .data$interval),
            ymax = .data$poisson + ifelse(is.na(.data$interval), 0, .data$interval))) +
        ggplot2::labs(x = names[1L], y = "Poisson loss of held-out molecules (lower is better)",
            colour = NULL,
            title = sprintf("Tuning of %s", class(tuned))) + ggplot2::theme_minimal()
    if (length(names) == 1L) p <- p + ggplot2::guides(colour = "none")
    p
}
