#' @include fit.R similarity-clusters.R
NULL

# Constants of scDHA's R code, by number of cells.
.moduleOnePlan <- function(n) {
    train <- if (n <= 2000) n else if (n < 50000) 2000 else 5000
    large <- n >= 50000
    list(train = train, batch = max(round(train / 50), 2), filter.decay = if (large) 1e-4 else 1e-6,
        latent = if (large) 25 else 15, learning.rate = if (large) 1e-3 else 5e-4,
        decay = if (large) 1e-2 else 1e-3,
        beta = if (large) 50 else 100)
}

# Which `k` of 1..n; `part` tells samples of one seed apart.
.sampled <- function(n, k, seed, part) {
    if (k >= n) return(seq_len(n))
    sort(order(.Call(C_uniforms, as.integer(n), seed, 2^31 + part))[seq_len(k)])
}

.finiteLoss <- function(fit) {
    if (is.null(fit))
        .stop("the loss of module one is no longer finite; give 'latent' and 'labels' instead",
            class = "infill_diverged")
    fit
}

# Genes that vary enough to be worth an autoencoder: ranked by the spread of their encoder weights.
.filteredGenes <- function(x, param, how, seed, threads, say) {
    if (nrow(x) <= param@n.filter)
        return(list(keep = rep(TRUE, nrow(x)), score = NULL, losses = NULL))
    fits <- lapply(seq_len(param@replicates), function(r) {
        say("scINN: gene filter %d of %d", r, param@replicates)
        cells <- .sampled(ncol(x), how$train, seed, r)
        .finiteLoss(.Call(C_scinn_filter, x, cells - 1L, as.integer(c(r, how$batch, 0, 0, 0)),
            c(1e-3, how$filter.decay, 0),
            seed, threads))
    })
    score <- rowMeans(vapply(fits, function(f) {
        range <- range(f[[1L]])
        if (range[2L] > range[1L]) (f[[1L]] - range[1L]) / (range[2L] - range[1L]) else 0 * f[[1L]]
    }, numeric(nrow(x))))
    keep <- score > quantile(score, 1 - param@n.filter / nrow(x), names = FALSE)
    if (!any(keep)) keep[] <- TRUE
    list(keep = keep, score = score, losses = vapply(fits, `[[`, numeric(10), 2L))
}

# Cells that are clustered with all encoders; the others follow.
.commonSample <- 5000

# Module one on x, genes x cells, every cell over its largest value and with at least one count.
.moduleOne <- function(x, param, seed, threads, say) {
    n <- ncol(x)
    how <- .moduleOnePlan(n)
    if (!is.na(param@latent.dim)) how$latent <- param@latent.dim
    genes <- .filteredGenes(x, param, how, seed, threads, say)
    x <- x[genes$keep, , drop = FALSE]
    norm <- how$train > 500
    common <- .sampled(n, .commonSample, seed, 1e6)
    seen <- if (length(common) < n) x[, common, drop = FALSE] else x
    stored <- latents <- list()
    losses <- NULL
    for (r in seq_len(param@replicates)) {
        say("scINN: autoencoder %d of %d", r, param@replicates)
        cells <- .sampled(n, how$train, seed, 1000 + r)
        fit <- .finiteLoss(.Call(C_scinn_encoder, x, cells - 1L,
            as.integer(c(r, how$batch, how$latent, norm, param@snapshots)),
            c(how$learning.rate, how$decay, how$beta), seed, threads))
        losses <- cbind(losses, fit[[2L]])
        for (s in seq_len(param@snapshots)) {
            stored <- c(stored, list(fit[[1L]][, s]))
            latents <-
                c(latents,
                    list(t(.Call(C_scinn_encode, seen, fit[[1L]][, s], how$latent, norm, threads))))
        }
    }
    say("scINN: clusters of %d latents of %d cells", length(latents), length(common))
    parts <- .clusterLatents(latents, param@k, seed, threads, n)
    agreed <- .consensusClusters(parts$partitions, seed, threads)
    latent <- latents[[agreed$chosen]]
    cluster <- agreed$cluster
    if (length(common) < n) {
        say("scINN: the other %d cells", n - length(common))
        all <- t(.Call(C_scinn_encode, x, stored[[agreed$chosen]], how$latent, norm, threads))
        cluster <- .propagateLabels(all, latent, cluster)
        cluster[common] <- agreed$cluster
        latent <- all
    }
    if (is.null(param@labels) && length(latents) > 1L && !is.na(agreed$mean.agreement) &&
        agreed$mean.agreement < 0.5) warning(sprintf(paste(
        "the %d partitions of module one hardly agree (mean ARI %.2f): its clusters, which the",
            "imputation is made to",
        "show, are uncertain"), length(latents), agreed$mean.agreement), call. = FALSE)
    list(latent = latent, cluster = cluster, genes = genes, k = parts$k,
        agreement = agreed$agreement,
        mean.agreement = agreed$mean.agreement, losses = losses)
}

# Latent and clusters of the cells of x, from module one or as given, cells without counts left out.
# what: those of all cells.
.similarity <- function(x, param, cells, seed, threads, say) {
    given.z <- param@latent
    given.c <- param@labels
    if (!is.null(given.z)) given.z <- given.z[cells, , drop = FALSE]
    if (!is.null(given.c)) given.c <- given.c[cells]
    one <- if (is.null(given.z)) {
        if (ncol(x) < 10L)
            .stop(paste("module one of scINN needs at least 10 cells with counts, not %d;",
            "give 'latent' and 'labels' instead"), ncol(x))
        .moduleOne(x, param, seed, threads, say)
    } else list(latent = unname(given.z), cluster = NULL, genes = NULL)
    if (!is.null(given.c)) {
        one$cluster <- match(as.character(given.c), as.character(.levelsOf(given.c)))
        one[c("k", "agreement", "mean.agreement")] <- NULL        # of partitions that are not used
    }
    else if (is.null(one$cluster)) {
        common <- .sampled(nrow(given.z), .commonSample, seed, 1e6)
        part <- .clusterLatents(list(one$latent[common, , drop = FALSE]), param@k, seed, threads,
            nrow(given.z))
        one$cluster <- if (length(common) == nrow(given.z)) part$partitions[, 1L]
            else .propagateLabels(one$latent, one$latent[common, , drop = FALSE],
                part$partitions[, 1L])
        one$k <- part$k
    }
    one
}

#' Clusters and latent coordinates of scINN
#'
#' Module one of scINN by itself, which is the clustering of scDHA by the same
#' group: a gene filter by a non-negative linear autoencoder (when there are more
#' than `n.filter` genes), three stacked Bayesian autoencoders with three latents
#' each, a clustering of every latent and their consensus.
#'
#' @param x Counts as for [fitInfill()], or an [InfillFit-class] of [ScInnParam()]:
#'   what it used is returned.
#' @param param A [ScInnParam()]; only the arguments of module one matter.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type,seed,num.threads,progress,check.scale As in [fitInfill()].
#' @param name Name of what is added to an experiment.
#' @return For a matrix, or a fit: a list of `latent` (cells x coordinates; `NA` for a
#'   cell without counts), `cluster` (integers, 1 for a cell without counts; both named as the
#'   cells), `keep.genes` (logical: did the gene pass the filter?), `k` (clusters
#'   of each latent), `agreement` (adjusted Rand index between the partitions),
#'   `mean.agreement` and `losses` (of the autoencoders, one column each). What was not worked out,
#'   because `latent` or `cluster` was given, is not there.
#'
#'   For an experiment: the same experiment with the latent in
#'   `reducedDim(x, name)` (of a SingleCellExperiment), clusters in
#'   `colData(x)[[name]]` (a factor) and the rest in `metadata(x)[[name]]`. A Seurat object gets a
#'   reduction (0 for a cell without counts) and `<name>.cluster` in its metadata.
#' @details Above 5,000 cells, a common sample of 5,000 is clustered with all
#'   encoders; every other cell takes the majority label of its 10 most correlated
#'   cells of the sample. No cells x cells matrix is formed. Constants, and what differs from
#'   scDHA's R code: see [ScInnParam()].
#'
#'   k-means and the Ward tree are those of \pkg{stats}, neighbours those of \pkg{FNN}; networks,
#'   eigenvectors (block iteration) and consensus weights are this package's. The result depends on
#'   the seed, not on the number of threads.
#' @references Tran, Nguyen, Tran, La Vecchia, Luu, Nguyen (2021). Fast and precise
#'   single-cell data analysis using a hierarchical autoencoder. Nature
#'   Communications 12:1029.
#' @examples
#' group <- rep(1:2, each = 15)
#' rate <- rbind(matrix(c(6, 1), 30, 2, byrow = TRUE), matrix(c(1, 6), 30, 2, byrow = TRUE))
#' counts <- matrix(rpois(60 * 30, rate[, group]), 60, 30)
#' one <- similarityModule(counts, ScInnParam(k = 2, log = "log2"), seed = 1)
#' table(one$cluster, group)
#' @export
similarityModule <- function(x, param = ScInnParam(), ..., assay.type = "counts", seed = NULL,
    num.threads = NULL,
    progress = interactive(), name = "similarity", check.scale = TRUE)
{
    .strict("similarityModule()", ...)
    if (is(x, "InfillFit")) {
        if (is.null(x@recipe$similarity))
            .stop("'x' must be counts or a fit of ScInnParam that had something to fill in")
        return(x@recipe$similarity)
    }
    if (!is(param, "ScInnParam")) .stop("'param' must be a ScInnParam, not %s", .describe(param))
    if (!.isString(name) || !nzchar(name)) .stop("'name' must be a name, not %s", .describe(name))
    .checkFlag(progress, "progress")
    counts <- .countsOf(x, assay.type, check.scale)
    param <- .fixed(param, seed, NULL)
    scaled <- .scaledCells(param, counts)
    out <- .similarityOf(param, counts, scaled, .threads(num.threads, param), if (progress)
        .say else .silent)
    .storeSimilarity(x, out, name)
}

# Module one for all cells of counts, those without counts included.
.similarityOf <- function(param, counts, scaled, threads, say) {
    cells <- which(scaled$cells)
    if (!length(cells)) .stop("'x' holds no counts")
    .checkCells(param, counts)
    param <- .inOrder(param, counts)
    one <- .similarity(scaled$x, param, cells, param@seed, threads, say)
    n <- ncol(counts)
    latent <- matrix(NA_real_, n, ncol(one$latent), dimnames = list(colnames(counts), NULL))
    latent[cells, ] <- one$latent
    cluster <- rep(1L, n)
    cluster[cells] <- one$cluster
    names(cluster) <- colnames(counts)
    keep <- if (!is.null(one$genes)) replace(logical(nrow(counts)), scaled$genes, one$genes$keep)
    c(list(latent = latent, cluster = cluster), if (!is.null(keep)) list(keep.genes = keep),
        one[intersect(c("k", "agreement", "mean.agreement", "losses"), names(one))])
}

# `latent` and `cluster` in the order of the cells: by name where both sides have names.
.inOrder <- function(param, counts) {
    cells <- colnames(counts)
    at <- function(names, arg) {
        if (is.null(names) || is.null(cells) || anyDuplicated(cells)) return(NULL)
        missing <- setdiff(cells, names)
        if (length(missing)) .stop("'%s' has names, but none for %d of the cells: %s", arg,
            length(missing), .someOf(missing))
        match(cells, names)
    }
    by <- at(rownames(param@latent), "latent")
    if (!is.null(by)) param@latent <- param@latent[by, , drop = FALSE]
    by <- at(names(param@labels), "labels")
    if (!is.null(by)) param@labels <- param@labels[by]
    param
}

# Are `latent` and `cluster` of these cells?
.checkCells <- function(param, counts) {
    if (!is.null(param@latent)) {
        if (nrow(param@latent) != ncol(counts))
            .stop("'latent' must have one row for each of the %d cells, not %d",
            ncol(counts), nrow(param@latent))
        bad <- which(rowSums(!is.finite(param@latent)) > 0 & diff(counts@p) > 0)
        if (length(bad)) .stop("'latent' must be finite; its row of %s is not",
            .cellLabel(counts, bad[1L]))
    }
    if (!is.null(param@labels) && length(param@labels) != ncol(counts)) .stop(
        "'labels' must have one label for each of the %d cells, not %d", ncol(counts),
        length(param@labels))
}

# The logarithms of all genes that occur, every cell with counts over its largest.
.scaledCells <- function(param, counts) {
    total <- .Call(C_totals, counts, rep(TRUE, nrow(counts)))
    cells <- total > 0
    genes <- which(tabulate(counts@i + 1L, nrow(counts)) > 0)
    log <- param@log
    if (log == "auto") {
        log <- if (length(counts@x) && max(counts@x) -
            (if (length(counts@x) < prod(dim(counts))) 0 else min(counts@x)) > 100)
            "log2" else "none"
        message(sprintf("log = \"auto\": %s", if (log == "log2")
            "log2(x + 1), because values span more than 100"
            else paste("values are used as they are, because they span 100 or less; log =",
                "\"log2\" takes logarithms")))
    }
    usual <- if (any(cells)) median(total[cells]) else 1
    recipe <- list(log = log, target = if (param@normalize == "median") usual else 0, usual = usual)
    x <- .takeGenes(counts, total, recipe, genes)
    x@Dimnames <- list(NULL, NULL)
    stretch <- .stretches(counts, total, recipe)
    x <- .overStretch(x, stretch)
    if (!all(cells)) x <- x[, cells, drop = FALSE]
    list(x = x, genes = genes, cells = cells, stretch = stretch, total = total, recipe = recipe)
}
