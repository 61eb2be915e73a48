#' @include compare.R
NULL

#' Pictures of a comparison, and a page about it
#'
#' @param x,cmp An `InfillComparison`: what [compareInfill()] returned.
#' @param type `"comparison"`: the first criterion of every method, mean and 95 % interval over
#'   repeats, the best baseline as a line; `"recovery"`: predicted against hidden logarithms
#'   (entries, first repeat, at most 3,000); `"calibration"`: held-out against predicted molecules
#'   by tenth of the prediction (first repeat, a sample of cells); `"training"`: loss by iteration
#'   (first repeat).
#' @param task `"molecules"` or `"entries"`; default: the first that there is and that the picture
#'   needs.
#' @param ... Nothing: an unknown argument is an error.
#' @param file Name of the HTML file to write; an existing one is replaced.
#' @param title Title of the page.
#' @return `plot()`: a ggplot. `reportInfill()`: `file`, invisibly; one page that needs no other
#'   file: verdict, tables, pictures, what the numbers mean, parameters, session information. Needs
#'   \pkg{knitr} and \pkg{ggplot2}.
#' @examples
#' x <- simulateCounts(n.genes = 100, n.cells = 60, seed = 1)
#' cmp <- compareInfill(x, list(deepMc = DeepMcParam(sweeps = 5)), repeats = 2, seed = 1)
#' plot(cmp)
#' @export
plot.InfillComparison <- function(x, type = c("comparison", "recovery", "calibration", "training"),
    task = NULL, ...) {
    .strict("plot()", ...)
    .needs("ggplot2", "plot()")
    type <- .checkChoice(type, "type", c("comparison", "recovery", "calibration", "training"))
    task <- .taskOf(x, type, task)
    if (type == "comparison") return(.plotComparison(x, task))
    mine <- paste(task, unique(x$table$method[x$table$task == task]))
    panel <- function(name) sub(paste0("^", task, " "), "", name)
    stacked <- function(parts) do.call(rbind, lapply(names(parts), function(n)
        if (!is.null(parts[[n]])) cbind(parts[[n]], panel = panel(n))))
    switch(type,
        calibration = .plotDeciles(stacked(x$samples[mine]), "molecules",
            "Calibration: held out against predicted"),
        recovery = .plotRecovery(stacked(x$samples[mine])),
        training = .plotCurves(stacked(lapply(x$fits[mine], .lossCurves)), task))
}

# The task that a picture of this type is of.
.taskOf <- function(x, type, task) {
    there <- unique(x$table$task)
    need <- c(recovery = "entries", calibration = "molecules")[type]
    if (!is.na(need) && !need %in% there) .stop(
        "'type' can be \"%s\" only where task \"%s\" was asked for; 'x' has %s", type, need,
        paste(dQuote(there, FALSE), collapse = ", "))
    can <- if (is.na(need)) there else need
    if (is.null(task)) return(can[1L])
    if (!.isString(task) || !task %in% can)
        .stop("'task' must be one of %s for type = \"%s\", not %s",
        paste(dQuote(can, FALSE), collapse = ", "), type, .describe(task))
    task
}

.plotRecovery <- function(d) {
    d$panel <- factor(d$panel, unique(d$panel))
    .data <- ggplot2::.data
    ggplot2::ggplot(d, ggplot2::aes(.data$truth, .data$predicted)) +
        ggplot2::geom_point(size = 0.4, alpha = 0.3) +
        ggplot2::geom_abline(colour = "grey40", linetype = 2) + ggplot2::facet_wrap("panel") +
        ggplot2::labs(x = "hidden, log(1 + count/size)", y = "predicted",
            title = "Recovery of hidden entries") +
        ggplot2::theme_minimal()
}

# Training and held-out loss of a fit by iteration, or NULL.
.lossCurves <- function(fit) {
    if (is.null(fit)) return(NULL)
    h <- fit@history
    shown <- .shownLoss(fit@param, h$train, h$valid, fit@entries)
    if (is.null(shown)) return(NULL)
    curve <- function(loss, of) if (length(loss)) data.frame(iteration = h$iteration,
        network = if (is.null(h$network)) 1 else h$network, loss = loss, of = of)
    rbind(curve(shown$train, "trained on"), curve(shown$valid, "held out"))
}

.plotCurves <- function(d, task) {
    if (is.null(d)) .stop("'x' has no training curves: no model of task \"%s\" iterates", task)
    d <- d[is.finite(d$loss), ]
    .data <- ggplot2::.data
    ggplot2::ggplot(d, ggplot2::aes(.data$iteration, .data$loss, colour = .data$of,
        group = interaction(.data$of, .data$network))) +
        ggplot2::geom_line() + ggplot2::facet_wrap("panel", scales = "free") +
        ggplot2::labs(y = "loss of the model", colour = NULL, title = "Training") +
        ggplot2::theme_minimal()
}

.plotComparison <- function(x, task) {
    s <- .summary(x, task)
    s <- s[is.finite(s$value), ]
    s$interval[is.na(s$interval)] <- 0
    s$method <- factor(s$method, s$method[order(-s$value)])
    s$kind <- ifelse(s$baseline, "baseline", ifelse(s$beats, "beats the baselines", "does not"))
    .data <- ggplot2::.data
    ggplot2::ggplot(s, ggplot2::aes(.data$value, .data$method, colour = .data$kind)) +
        ggplot2::geom_vline(xintercept = s$value[s$method == attr(.summary(x, task), "best")],
            linetype = 2, colour = "grey50") +
        ggplot2::geom_pointrange(ggplot2::aes(xmin = .data$value - .data$interval,
            xmax = .data$value + .data$interval)) +
        ggplot2::scale_colour_manual(values = c(baseline = "grey40",
            `beats the baselines` = "#00796b", `does not` = "#c62828")) +
        ggplot2::labs(x = c(molecules = "Poisson loss of held-out molecules (lower is better)",
            entries = "RMSE of hidden logarithms (lower is better)")[[task]], y = NULL,
            colour = NULL) + ggplot2::theme_minimal()
}

#' @rdname plot.InfillComparison
#' @export
reportInfill <- function(cmp, file, title = "Did filling in help?") {
    if (!inherits(cmp, "InfillComparison"))
        .stop("'cmp' must be what compareInfill() returns, not %s", .describe(cmp))
    if (!.isString(file) || !nzchar(file))
        .stop("'file' must be the name of a file, not %s", .describe(file))
    if (!dir.exists(dirname(file)))
        .stop("'file' must be in a folder that exists, not %s", dQuote(dirname(file), FALSE))
    if (!.isString(title)) .stop("'title' must be a string, not %s", .describe(title))
    .needs("knitr", "reportInfill()")
    .needs("ggplot2", "reportInfill()")
    s <- cmp$settings
    tasks <- unique(cmp$table$task)
    params <- vapply(names(s$params), function(n) sprintf("<h3>%s</h3><pre>%s</pre>", .escaped(n),
        .escaped(paste(utils::capture.output(show(s$params[[n]])), collapse = "\n"))), "")
    parts <- list(title = .escaped(title), settings = sprintf(
            "%d genes, %d cells%s; %s, %d repeat%s, seed %.0f; infill %s.", s$genes, s$cells,
            if (isTRUE(s$of > s$cells)) sprintf(" (a sample of %d)", s$of) else "",
            .escaped(.heldOutWords(cmp)), s$repeats, if (s$repeats > 1) "s" else "", s$seed,
            s$version),
        verdict = vapply(tasks, .reportVerdict, "", cmp = cmp),
        body = vapply(tasks, .reportTask, "", cmp = cmp),
        warnings = if (length(cmp$warnings))
        c("<h2>Warnings</h2><ul>", sprintf("<li>%s</li>", .escaped(cmp$warnings)),
            "</ul>"), params = params,
            session = .escaped(utils::capture.output(utils::sessionInfo())))
    page <- readLines(system.file("report", "page.html", package = "infill"))
    for (name in names(parts)) page <-
        sub(sprintf("{{%s}}", name), paste(parts[[name]], collapse = "\n"), page,
        fixed = TRUE)
    writeLines(enc2utf8(page), file, useBytes = TRUE)
    invisible(file)
}

.escaped <- function(t) gsub("<", "&lt;",
    gsub(">", "&gt;", gsub("&", "&amp;", t, fixed = TRUE), fixed = TRUE),
    fixed = TRUE)

# A plot as a picture within the page.
.picture <- function(p, height = 4, alt) {
    f <- tempfile(fileext = ".png")
    on.exit(unlink(f))
    grDevices::png(f, 1600, 400 * height, res = 200)
    tryCatch(suppressWarnings(print(p)), finally = grDevices::dev.off())
    sprintf("<figure><img alt=\"%s\" src=\"%s\"></figure>", .escaped(alt), knitr::image_uri(f))
}

.reportVerdict <- function(task, cmp) {
    s <- .summary(cmp, task)
    sprintf("<p class=\"verdict %s\">%s</p>", if (any(s$beats)) "good" else if (all(is.na(s$half)))
        "none" else "bad",
        .escaped(.verdict(cmp, task)))
}

.reportTask <- function(task, cmp) {
    heading <- c(molecules = "Held-out molecules", entries = "Hidden entries")[[task]]
    d <- .summary(cmp, task)
    failed <- d[!is.na(d$error), ]
    curves <- tryCatch(.picture(plot(cmp, "training", task), 4, "training curves"),
        infill_error = function(e) character())
    paste(c(sprintf("<h2>%s</h2>", heading),
        knitr::kable(.reportTable(cmp, task, d), "html", digits = 4, row.names = FALSE),
        sprintf("<p class=\"bad\">%s failed: %s</p>", .escaped(failed$method),
            .escaped(failed$error)),
        .picture(plot(cmp, "comparison", task), 1 + nrow(d) / 4, paste("comparison,", heading)),
        .picture(plot(cmp, if (task == "molecules") "calibration" else "recovery"), 4,
            "predicted against truth"),
        curves), collapse = "\n")
}

.reportTable <- function(cmp, task, d) {
    t <- cmp$table[cmp$table$task == task, ]
    show <- intersect(c("poisson", "rmse", "mse", "mae", "nmse", "pearson", "pearson.gene",
        "pearson.cell", "ari",
        "silhouette"), names(t))
    show <- show[vapply(show, function(n) any(is.finite(t[[n]])), TRUE)]
    m <- do.call(rbind, lapply(split(t[show], factor(t$method, unique(t$method))), colMeans))
    difference <- ifelse(is.na(d$half), sprintf("%+.4f", d$difference),
        sprintf("%+.4f (%+.4f to %+.4f)",
        d$difference, d$difference - d$half, d$difference + d$half))
    data.frame(method = d$method, m, `difference to best baseline` = difference,
        seconds = d$seconds,
        MB = round(d$memory), check.names = FALSE, row.names = NULL)[order(d$value), ]
}
