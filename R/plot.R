#' @include infill.R
NULL

#' @rdname InfillFit-class
#' @export
plot.InfillFit <- function(x, ...) {
    .strict("plot()", ...)
    .needs("ggplot2", "plot()")
    fit <- x
    .checkFit(fit, "x")
    .checkShown(fit)
    if (!nrow(fit@history)) .stop("'x' is a fit of a model without training (%s)", class(fit@param))
    h <- fit@history
    curves <- .curveNames(fit@param)
    if (length(curves)) return(.plotParts(fit, h, curves))
    shown <- .shownLoss(fit@param, h$train, h$valid, fit@entries)
    if (!length(shown$train) || .holdsOut(fit@param) && !length(shown$valid))
        .damaged("the fit", "history", "must have a loss of each iteration")
    h$network <- if (is.null(h$network)) 1L else h$network
    d <- data.frame(iteration = h$iteration, value = shown$train, network = h$network,
        entries = if (is(fit@param, "NetworkParam")) "trained on" else "observed")
    if (.holdsOut(fit@param)) d <- rbind(d, data.frame(iteration = h$iteration,
        value = shown$valid, network = h$network, entries = "held out"))
    .data <- ggplot2::.data
    one <- length(fit@best) == 1L
    p <- ggplot2::ggplot(d, ggplot2::aes(.data$iteration, .data$value, colour = .data$entries,
        group = interaction(.data$entries, .data$network)))
    if (one) p <- p + ggplot2::geom_vline(xintercept = fit@best, linetype = 2, colour = "grey50")
    p + ggplot2::geom_line() +
        ggplot2::labs(x = "iteration", y = sprintf("%s (%s)", shown$label, fit@recipe$log),
            colour = NULL,
            title = sprintf("%s: training", sub("Param$", "", class(fit@param))),
            subtitle = if (one) sprintf("kept: iteration %d; stopped: %s", fit@best, fit@stopped)
            else sprintf("%d networks", length(fit@best))) +
        ggplot2::theme_minimal()
}

# One panel for each part of the loss, one for the held-out entries.
.plotParts <- function(fit, h, curves) {
    panels <- c(intersect(curves, names(h)), if (.holdsOut(fit@param)) "valid")
    d <- data.frame(iteration = h$iteration, value = unlist(h[panels]),
        panel = factor(rep(panels, each = nrow(h)), panels, sub("valid", "held out", panels)))
    # held-out entries need not be looked at in every iteration
    d <- d[is.finite(d$value), ]
    .data <- ggplot2::.data
    ggplot2::ggplot(d, ggplot2::aes(.data$iteration, .data$value)) +
        ggplot2::geom_vline(xintercept = fit@best, linetype = 2, colour = "grey50") +
        ggplot2::geom_line() +
        ggplot2::facet_wrap("panel", scales = "free_y") +
        ggplot2::labs(x = "iteration", y = "part of the loss, without its weight",
            title = sprintf("%s: training", sub("Param$", "", class(fit@param))),
            subtitle = sprintf("kept: iteration %d; stopped: %s", fit@best, fit@stopped)) +
        ggplot2::theme_minimal()
}

#' Counts and filled-in values, before and after
#'
#' `type = "cells"`: a map of the cells before and after filling in, of the
#' `n.genes` most variable genes on the log scale: their first two principal components, or UMAP or
#' t-SNE of the first twenty. `type = "cv"`: boxplots of the genes' coefficients of variation
#' ([geneCv()]) within classes of cells.
#'
#' @param x,filled Counts and filled-in counts, genes x cells: matrices, or
#'   experiments whose assay `assay.type` (`x`) and `name` (`filled`) is used.
#' @param labels Class of each cell, or `NULL`: the colour of the cells, one box for each class. The
#'   maps say how well the classes are apart there ([silhouetteWidth()] in two dimensions, as in
#'   AutoImpute's Fig. 5; of at most 20,000 cells). `NA`: not used.
#' @param type See above.
#' @param n.genes Genes to use, by variance of the log counts before; `Inf`: all. For maps.
#' @param embedding `"pca"`, `"umap"` (package \pkg{uwot}) or `"tsne"` (package \pkg{Rtsne}). The
#'   last two start at random: always at the same random numbers, and R's generator is left as it
#'   was. Distances between groups mean little in them.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type,name Assays, when experiments are given.
#' @return A ggplot2 object; with `type = "cv"` its data has `gene`, `group`, `when` and `cv`. A
#'   gene whose mean in a class is 0 before or after is left out there.
#' @references Talwar et al. (2018), Scientific Reports 8:16329 (Figs. 4 and 5).
#' @examples
#' counts <- matrix(rpois(2000, 2), 50, 40)
#' if (requireNamespace("ggplot2", quietly = TRUE))
#'     plotBeforeAfter(counts, infill(counts, GeneMeanParam()), rep(c("a", "b"), 20), type = "cv")
#' @export
plotBeforeAfter <- function(x, filled, labels = NULL, type = c("cells", "cv"), n.genes = 1000,
    embedding = c("pca", "umap", "tsne"), ..., assay.type = "counts", name = "infilled")
{
    .strict("plotBeforeAfter()", ...)
    .needs("ggplot2", "plotBeforeAfter()")
    type <- .checkChoice(type, "type", c("cells", "cv"))
    embedding <- .checkChoice(embedding, "embedding", c("pca", "umap", "tsne"))
    if (embedding != "pca") .needs(c(umap = "uwot", tsne = "Rtsne")[[embedding]],
        sprintf("embedding = \"%s\"", embedding))
    n.genes <- .checkCount(n.genes, "n.genes")
    # an error in an argument is told as it is, not as one of dispatch
    force(x)
    before <- .counts(x, assay.type)
    filled <- .resultOf(filled, name, "filled")
    after <- .counts(filled, name, "filled")
    if (!identical(dim(after), dim(before)))
        .stop("'filled' must be %d x %d like 'x', not %d x %d", nrow(before),
        ncol(before), nrow(after), ncol(after))
    if (isS4(labels)) labels <- tryCatch(as.vector(labels), error = function(e) .stop(
        "'labels' must be a vector of labels, not %s", .describe(labels)))
    if (!is.null(labels) && length(labels) != ncol(before))
        .stop("'labels' must have %d values, not %d",
        ncol(before), length(labels))
    if (type == "cv") return(.plotCv(before, after, labels))
    .onLogs(before, "x")
    .onLogs(after, "filled")
    if (min(dim(before)) < 2L) .stop("'x' must have at least two genes and two cells, not %d x %d",
        nrow(before), ncol(before))
    if (embedding != "pca" && ncol(before) < 5L)
        .stop("'x' must have at least five cells for %s, not %d",
        embedding, ncol(before))
    .plotMaps(.mapsOf(before, after, n.genes, embedding), labels, embedding)
}

.onLogs <- function(m, arg) if (!all(is.finite(m@x) & m@x >= 0)) .stop(
    "'%s' must hold finite, non-negative numbers to be drawn on a logarithmic scale", arg)

# The same genes of both, on the log scale of the counts' own sizes, in two dimensions.
.mapsOf <- function(before, after, n.genes, embedding) {
    size <- .sizesOf(before)
    # log2(count/size + 1) is 0 at 0: the matrix stays sparse
    scaled <- function(m) {
        m@x <- log2(m@x / rep.int(size, diff(m@p)) + 1)
        m
    }
    before <- scaled(before)
    squares <- before
    squares@x <- before@x^2
    top <- head(order(-(Matrix::rowMeans(squares) - Matrix::rowMeans(before)^2)), n.genes)
    lapply(list(before = before[top, , drop = FALSE], after = scaled(after[top, , drop = FALSE])),
        .mapOfCells,
        embedding)
}

.plotMaps <- function(maps, labels, embedding) {
    n <- nrow(maps[[1L]]$at)
    axes <- maps[[1L]]$names
    d <- as.data.frame(do.call(rbind, lapply(maps, `[[`, "at")))
    names(d) <- axes
    used <- !is.na(labels)
    classes <- unique(labels[used])
    # numbers are classes where few differ
    judged <- length(classes) > 1L && length(classes) < sum(used) && n <= 20000 &&
        !(is.numeric(classes) && length(classes) > max(2, sqrt(sum(used))))
    width <- function(map) if (judged) sprintf(", silhouette %.2f",
        silhouetteWidth(map$at[used, , drop = FALSE], labels[used])) else ""
    panel <- paste0(names(maps), vapply(maps, width, ""))
    d$when <- factor(rep(names(maps), each = n), names(maps))
    d$panel <- factor(rep(panel, each = n), panel)
    d$label <- rep(if (is.null(labels)) NA else if (is.factor(labels)) labels else
        as.character(labels), 2)
    .data <- ggplot2::.data
    p <- ggplot2::ggplot(d, ggplot2::aes(.data[[axes[1L]]], .data[[axes[2L]]]))
    if (!is.null(labels)) p <- p + ggplot2::aes(colour = .data$label)
    p + ggplot2::geom_point(size = 1, alpha = 0.8) +
        ggplot2::facet_wrap("panel", scales = "free") +
        ggplot2::labs(x = axes[1L], y = axes[2L], colour = NULL, title = c(
            pca = "Principal components of the cells", umap = "UMAP of the cells",
            tsne = "t-SNE of the cells")[[embedding]]) +
        ggplot2::theme_minimal()
}

.plotCv <- function(before, after, labels) {
    cv <- list(before = geneCv(before, labels), after = geneCv(after, labels))
    d <- do.call(rbind, lapply(names(cv), function(when) {
        m <- cv[[when]]
        data.frame(gene = c(row(m)), group = factor(colnames(m)[col(m)], colnames(m)), when = when,
            cv = c(m))
    }))
    d$when <- factor(d$when, names(cv))
    d <- d[rep(!is.na(cv$before) & !is.na(cv$after), 2), ]
    .data <- ggplot2::.data
    ggplot2::ggplot(d, ggplot2::aes(.data$group, .data$cv, fill = .data$when)) +
        ggplot2::geom_boxplot(outlier.size = 0.3) +
        ggplot2::labs(x = NULL, y = "standard deviation / mean", fill = NULL,
            title = "Variation of genes within groups") +
        ggplot2::theme_minimal()
}

# Held out against predicted, by tenth of the prediction, one panel each.
.plotDeciles <- function(d, what, title) {
    .needs("ggplot2", "plot()")
    .data <- ggplot2::.data
    d$panel <- factor(d$panel, unique(d$panel))
    d <- d[d$predicted > 0 & d$observed > 0, ]
    ggplot2::ggplot(d, ggplot2::aes(.data$predicted, .data$observed)) +
        ggplot2::geom_abline(colour = "grey60", linetype = 2) +
        ggplot2::geom_linerange(
            ggplot2::aes(ymin = pmax(.data$observed - 2 * .data$se, .data$observed / 10),
                ymax = .data$observed + 2 * .data$se)) +
        ggplot2::geom_line() + ggplot2::geom_point() + ggplot2::facet_wrap("panel") +
        ggplot2::scale_x_log10() + ggplot2::scale_y_log10() +
        ggplot2::labs(x = sprintf("predicted %s, mean of a tenth of the entries", what),
            y = sprintf("held-out %s", what), title = title) +
        ggplot2::theme_minimal()
}
