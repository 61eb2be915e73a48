#' @include infill.R
NULL

#' Plots
#'
#' `plotTraining()`: root mean squared error over iterations, of the entries
#' trained on and of the held-out ones, with the iteration whose weights are kept; of models whose
#' loss has several parts, each part.
#' `plotBeforeAfter()`: a map of the cells before and after filling in, of the
#' `n.genes` most variable genes on the log scale: their first two principal components, or UMAP or
#' t-SNE of the first twenty.
#'
#' @param fit An [InfillFit-class].
#' @param before,after Counts and filled-in counts, genes x cells: matrices, or
#'   experiments whose assay `assay.type` (before) and `name` (after) is used.
#' @param labels Colour of the cells: a vector of classes, or `NULL`. The panels say how well the
#'   classes are apart there ([silhouetteWidth()] in two dimensions, as in AutoImpute's Fig. 5; of
#'   at most 20,000 cells).
#' @param n.genes Genes to use, by variance of the log counts before.
#' @param embedding `"pca"`, `"umap"` (package \pkg{uwot}) or `"tsne"` (package \pkg{Rtsne}). The
#'   last two start at random: always at the same random numbers, and R's generator is left as it
#'   was. Distances between groups mean little in them.
#' @param assay.type,name Assays, when experiments are given.
#' @return A ggplot2 object.
#' @examples
#' counts <- matrix(rpois(2000, 2), 50, 40)
#' fit <- fitInfill(counts, AutoImputeParam(hidden = 8, max.iter = 30), seed = 1)
#' if (requireNamespace("ggplot2", quietly = TRUE)) plotTraining(fit)
#' @export
plotTraining <- function(fit) {
    .needs("ggplot2", "plotTraining()")
    .checkFit(fit, "fit")
    if (!nrow(fit@history)) .stop("'fit' is of a model without training (%s)", class(fit@param))
    h <- fit@history
    curves <- .curveNames(fit@param)
    if (length(curves)) return(.plotParts(fit, h, curves))
    shown <- .shownLoss(fit@param, h$train, h$valid, fit@entries)
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

# .counts(), whose errors speak of 'x', of another argument.
.countsOf <- function(x, assay.type, arg) {
    # an error in it is told as it is, not as one of dispatch
    force(x)
    tryCatch(.counts(x, assay.type), infill_error = function(e) {
        e$message <- sub("'x'", sprintf("'%s'", arg), e$message, fixed = TRUE)
        stop(e)
    })
}

#' @rdname plotTraining
#' @export
plotBeforeAfter <- function(before, after, labels = NULL, n.genes = 1000,
    embedding = c("pca", "umap", "tsne"), assay.type = "counts",
    name = "infilled")
{
    .needs("ggplot2", "plotBeforeAfter()")
    embedding <- .checkChoice(embedding, "embedding", c("pca", "umap", "tsne"))
    if (embedding != "pca") .needs(c(umap = "uwot", tsne = "Rtsne")[[embedding]],
        sprintf("embedding = \"%s\"", embedding))
    b <- .countsOf(before, assay.type, "before")
    a <- .countsOf(.resultOf(after, name, "after"), name, "after")
    if (min(dim(b)) < 2L) .stop("'before' must have at least two genes and two cells, not %d x %d",
        nrow(b), ncol(b))
    if (!identical(dim(a), dim(b)))
        .stop("'after' must be %d x %d like 'before', not %d x %d", nrow(b),
        ncol(b), nrow(a), ncol(a))
    if (isS4(labels)) labels <- as.vector(labels)
    if (!is.null(labels) && length(labels) != ncol(b))
        .stop("'labels' must have %d values, not %d", ncol(b),
        length(labels))
    size <- Matrix::colSums(b)
    size <- ifelse(size > 0, size / median(size[size > 0]), 1)
    # log2(count/size + 1) is 0 at 0: the matrix stays sparse
    scaled <- function(m) {
        m@x <- log2(m@x / rep.int(size, diff(m@p)) + 1)
        m
    }
    b <- scaled(b)
    squares <- b
    squares@x <- b@x^2
    top <- head(order(-(Matrix::rowMeans(squares) - Matrix::rowMeans(b)^2)), n.genes)
    if (embedding != "pca" && ncol(b) < 5L)
        .stop("'before' must have at least five cells for %s, not %d", embedding, ncol(b))
    maps <- lapply(list(b[top, , drop = FALSE], scaled(a[top, , drop = FALSE])), .mapOfCells,
        embedding)
    axes <- maps[[1L]]$names
    d <- as.data.frame(do.call(rbind, lapply(maps, `[[`, "at")))
    names(d) <- axes
    classes <- unique(labels[!is.na(labels)])
    # numbers are classes where few differ
    judged <- length(classes) > 1L && length(classes) < sum(!is.na(labels)) && ncol(b) <= 20000 &&
        !(is.numeric(classes) && length(classes) > max(2, sqrt(sum(!is.na(labels)))))
    width <- function(at) if (judged)
        sprintf(", silhouette %.2f",
            silhouetteWidth(at[!is.na(labels), , drop = FALSE], labels[!is.na(labels)])) else ""
    panel <- paste0(c("before", "after"), vapply(lapply(maps, `[[`, "at"), width, ""))
    d$when <- factor(rep(c("before", "after"), each = ncol(b)), c("before", "after"))
    d$panel <- factor(rep(panel, each = ncol(b)), panel)
    d$label <- rep(if (is.null(labels)) NA else if (is.factor(labels)) labels else
        as.character(labels), 2)
    .data <- ggplot2::.data
    p <- ggplot2::ggplot(d, ggplot2::aes(.data[[axes[1L]]], .data[[axes[2L]]]))
    if (!is.null(labels)) p <- p + ggplot2::aes(colour = .data$label)
    p +
        ggplot2::geom_point(size = 1, alpha = 0.8) +
        ggplot2::facet_wrap("panel", scales = "free") +
        ggplot2::labs(x = axes[1L], y = axes[2L], colour = NULL,
            title = c(pca = "Principal components of the cells",
            umap = "UMAP of the cells", tsne = "t-SNE of the cells")[[embedding]]) +
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
