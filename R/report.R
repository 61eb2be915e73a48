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
#' @param ... Not used.
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
    .needs("ggplot2", "plot()")
    type <- .checkChoice(type, "type", c("comparison", "recovery", "calibration", "training"))
    there <- unique(x$table$task)
    need <- c(recovery = "entries", calibration = "molecules")[type]
    if (is.null(task)) task <- if (is.na(need)) there[1L] else need
    if (!is.na(need) && !need %in% there)
        .stop("'type' can be \"%s\" only where task \"%s\" was asked for; 'x' has %s", type, need,
        dQuote(there, FALSE))
    if (!.isString(task) || !task %in% there || (!is.na(need) && task != need))
        .stop("'task' must be one of %s for type = \"%s\", not %s",
        paste(dQuote(if (is.na(need)) there else intersect(there, need), FALSE), collapse = ", "),
        type, .describe(task))
    .data <- ggplot2::.data
    mine <- paste(task, unique(x$table$method[x$table$task == task]))
    short <- function(v) sub(paste0("^", task, " "), "", v)
    stack <- function(parts) do.call(rbind,
        lapply(names(parts), function(n) if (!is.null(parts[[n]]))
            cbind(parts[[n]], panel = short(n))))
    if (type == "comparison") return(.plotComparison(x, task))
    if (type == "calibration")
        return(.plotDeciles(stack(x$samples[mine]), "molecules",
            "Calibration: held out against predicted"))
    if (type == "recovery") {
        d <- stack(x$samples[mine])
        d$panel <- factor(d$panel, unique(d$panel))
        return(ggplot2::ggplot(d, ggplot2::aes(.data$truth, .data$predicted)) +
            ggplot2::geom_point(size = 0.4, alpha = 0.3) +
            ggplot2::geom_abline(colour = "grey40", linetype = 2) + ggplot2::facet_wrap("panel") +
            ggplot2::labs(x = "hidden, log(1 + count/size)", y = "predicted",
                title = "Recovery of hidden entries") + ggplot2::theme_minimal())
    }
    fits <- Filter(Negate(is.null), x$fits[mine])
    d <- do.call(rbind, lapply(names(fits), function(n) {
        h <- fits[[n]]@history
        s <- .shownLoss(fits[[n]]@param, h$train, h$valid, fits[[n]]@entries)
        if (is.null(s)) return(NULL)
        curve <- function(loss, of) if (length(loss))
            data.frame(iteration = h$iteration, network = if (is.null(h$network)) 1 else h$network,
            loss = loss, of = of, panel = short(n))
        rbind(curve(s$train, "trained on"), curve(s$valid, "held out"))
    }))
    if (is.null(d)) .stop("'x' has no training curves: no model of task \"%s\" iterates", task)
    d <- d[is.finite(d$loss), ]
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
    esc <- function(t) gsub("<", "&lt;",
        gsub(">", "&gt;", gsub("&", "&amp;", t, fixed = TRUE), fixed = TRUE), fixed = TRUE)
    picture <- function(p, height = 4, alt) {
        f <- tempfile(fileext = ".png")
        on.exit(unlink(f))
        grDevices::png(f, 1600, 400 * height, res = 200)
        tryCatch(suppressWarnings(print(p)), finally = grDevices::dev.off())
        sprintf("<figure><img alt=\"%s\" src=\"%s\"></figure>", esc(alt), knitr::image_uri(f))
    }
    s <- cmp$settings
    tasks <- unique(cmp$table$task)
    heading <- c(molecules = "Held-out molecules", entries = "Hidden entries")
    verdict <- vapply(tasks, function(task) {
        s <- .summary(cmp, task)
        sprintf("<p class=\"verdict %s\">%s</p>", if (any(s$beats)) "good" else
            if (all(is.na(s$half))) "none" else "bad", esc(.verdict(cmp, task)))
    }, "")
    body <- vapply(tasks, function(task) {
        t <- cmp$table[cmp$table$task == task, ]
        show <- intersect(c("poisson", "rmse", "mse", "mae", "nmse", "pearson", "pearson.gene",
            "pearson.cell", "ari", "silhouette"), names(t))
        show <- show[vapply(show, function(n) any(is.finite(t[[n]])), TRUE)]
        d <- .summary(cmp, task)
        m <- do.call(rbind, lapply(split(t[show], factor(t$method, unique(t$method))), colMeans))
        out <- data.frame(method = d$method, m,
            `difference to best baseline` = ifelse(is.na(d$half), sprintf("%+.4f", d$difference),
            sprintf("%+.4f (%+.4f to %+.4f)", d$difference, d$difference - d$half,
                d$difference + d$half)), seconds = d$seconds,
            MB = round(d$memory), check.names = FALSE, row.names = NULL)[order(d$value), ]
        failed <- d[!is.na(d$error), ]
        paste(c(sprintf("<h2>%s</h2>", heading[[task]]),
            knitr::kable(out, "html", digits = 4, row.names = FALSE),
            sprintf("<p class=\"bad\">%s failed: %s</p>", esc(failed$method), esc(failed$error)),
            picture(plot(cmp, "comparison", task), 1 + nrow(d) / 4,
                paste("comparison,", heading[[task]])),
            picture(plot(cmp, if (task == "molecules") "calibration" else "recovery"), 4,
                "predicted against truth"),
            tryCatch(picture(plot(cmp, "training", task), 4, "training curves"),
                infill_error = function(e) character())), collapse = "\n")
    }, "")
    params <- vapply(names(s$params), function(n) sprintf("<h3>%s</h3><pre>%s</pre>", esc(n),
        esc(paste(utils::capture.output(show(s$params[[n]])), collapse = "\n"))), "")
    meaning <- c(
        "<h2>What the numbers mean</h2><dl>",
        "<dt>Held-out molecules</dt><dd>Every molecule was held out with the same probability; the model saw the others. Whoever knows the true rate of every gene in every cell has the lowest Poisson loss. Zeros count.</dd>",
        "<dt>Hidden entries</dt><dd>Whole non-zeros were set to zero. This asks what a gene would have shown had it been detected; zeros are not judged, and a model that overfills them is not punished.</dd>",
        "<dt>none, gene mean, gene mean posterior, detected mean</dt><dd>The data as they are; one mean per gene times the cell's size; each count weighed against that mean; the mean of the gene's non-zeros. None of them knows that genes go together: a model that does not beat them has nothing to add.</dd>",
        "<dt>Interval</dt><dd>95 % t interval over repeated splits of the same cells. It does not speak of other cells or other samples.</dd>",
        "<dt>Beats the baselines</dt><dd>The whole interval of the difference to the best baseline is below 0, and the gain is at least 0.1 % of that baseline's distance to a perfect prediction.</dd>",
        "<dt>seconds, MB</dt><dd>Fit and prediction; peak memory above what was there before.</dd></dl>",
        "<p>Filled-in values are estimates. Tests for differential expression on them count the same molecules several times; use the counts.</p>")
    css <- paste(
        "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}",
        "table{border-collapse:collapse;font-size:.85rem;display:block;overflow-x:auto}th,td{padding:.25rem .6rem;border-bottom:1px solid #ddd;text-align:right!important}",
        "th:first-child,td:first-child{text-align:left!important}img{max-width:100%}figure{margin:1rem 0}.verdict{padding:.8rem 1rem;border-left:5px solid}",
        ".good{border-color:#00796b;background:#e6f4f1}.none{border-color:#757575;background:#f3f3f3}.verdict.bad{border-color:#c62828;background:#fdecea}p.bad{color:#b71c1c}dt{font-weight:600}pre{overflow-x:auto;font-size:.8rem}")
    page <- c(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">",
        sprintf("<title>%s</title><style>%s</style></head><body><h1>%s</h1>", esc(title), css,
            esc(title)),
        sprintf("<p>%d genes, %d cells; %s, %d repeat%s, seed %.0f; infill %s.</p>", s$genes,
            s$cells, esc(.heldOutWords(cmp)), s$repeats,
            if (s$repeats > 1) "s" else "", s$seed, s$version), verdict, body, meaning,
        if (length(cmp$warnings)) c("<h2>Warnings</h2><ul>",
            sprintf("<li>%s</li>", esc(cmp$warnings)), "</ul>"),
        "<h2>Parameters</h2>", params, "<h2>Session</h2><pre>",
        esc(utils::capture.output(utils::sessionInfo())), "</pre></body></html>")
    writeLines(enc2utf8(page), file, useBytes = TRUE)
    invisible(file)
}
