#' @include similarity.R infill.R
NULL

setClassUnion("MatrixOrNULL", c("matrix", "NULL"))
.slotWords$MatrixOrNULL <- "a matrix or NULL"
setClassUnion("LabelsOrNULL", c("character", "numeric", "factor", "logical", "NULL"))
.slotWords$LabelsOrNULL <- "a vector of labels or NULL"

#' scINN
#'
#' A network that fills in zeros so that clusters and cell-cell correlations found in
#' the data beforehand can be read from the result (Tran, Tran, Nguyen, Nguyen
#' 2021). Module one finds clusters and latent coordinates
#' ([similarityModule()]); module two trains the imputation network under a second
#' network that predicts both from what the first one made.
#'
#' @param k Number of clusters of every latent; `NA`: estimated. The consensus may have another
#'   number.
#' @param latent Matrix, cells x coordinates: used in the place of module one. Finite, but for cells
#'   without counts. Rows are matched by name where there are names.
#' @param labels One label per cell, of any type: used in the place of module one's
#'   clusters. Matched by name where there are names.
#' @param paper The paper's two losses alone, without anything dropped, with a warning: see Details.
#' @param n.filter Genes that the filter of module one keeps, about; it is skipped when there are no
#'   more. `Inf`: always.
#' @param replicates,snapshots Autoencoders of module one, and latents taken from each.
#' @param latent.dim Coordinates of a latent; `NA`: 15, or 25 from 50,000 cells on.
#' @param cluster.weight,similarity.weight,reconstruction.weight,zero.weight Weights
#'   of the four losses. Only ratios matter.
#' @param hidden Units of the imputation network; `NA`: cells/25, at least 16 and at most 64.
#' @param predictor The judging network: `"mlp"`, 64 units, then 15; `"linear"`, 15.
#' @param cluster.loss `"softmax.bce"`: binary cross-entropy on softmax outputs (the paper's loss in
#'   the shape that scDHA gives it); `"sigmoid.bce"`, independent logistic outputs; `"categorical"`.
#' @param drop Share of the non-zeros hidden from the imputation network in training.
#' @param max.iter Epochs; `NA`: 60, fewer when that is more than 6,000 steps, at least 2.
#' @param batch.size Cells of a batch; `NA`: cells/10, at least 32 and at most 256. An incomplete
#'   batch is left out.
#' @param learning.rate,weight.decay Of AdamW, in module two; decay of matrices only.
#' @param valid.fraction Share of the non-zeros hidden for the whole training. Above 0, training
#'   stops when their error has not improved for `patience` epochs, and the best weights are kept.
#' @param patience See `valid.fraction`.
#' @param n.genes Genes filled in: those of largest variance of the log values. `Inf`:
#'   all that are there in at least 3 cells. The others are returned as they are.
#' @param min.value Filled-in values below this, on the log scale, become 0.
#' @param log `"log2"`: log2(x + 1); `"none"`; `"auto"`: scDHA's rule, `"log2"` if the
#'   values span more than 100. A message says which.
#' @param normalize `"none"` (scDHA and the paper) or `"median"`: divide each cell by its total
#'   first.
#' @param ... `seed`, `num.threads`.
#'
#' @details Every cell's logarithms are divided by their largest, in both modules; the
#'   filled-in values are multiplied back.
#'
#'   *What the paper leaves open.* It gives the roles of the two networks and two
#'   losses: cross-entropy of the clusters, squared error of the cells' correlations. Shapes,
#'   optimiser, schedule, weights are not given, and no code was published. Where it is silent we
#'   follow scDHA, the group's own clustering network.
#'
#'   *Why there are two more losses.* Neither of the paper's two depends on the size of a
#'   filled-in value: clusters and correlations can be read from the non-zeros alone. With `paper =
#'   TRUE` the magnitudes are therefore not determined by the data. By default, 20 % of the
#'   non-zeros are hidden and have to be predicted (`reconstruction.weight`), and predictions at
#'   zeros are kept small (`zero.weight`). These two are ours; their weights were chosen on four
#'   data sets and judged on five others (`bench/README.md`): a tenth of them leaves the error of
#'   hidden entries above that of the gene mean on some.
#'
#'   *How to read a result.* The network writes module one's partition into the zeros. A clustering
#'   of the result is therefore never evidence for that partition: compare with
#'   `similarityModule(fit)$cluster`. A warning says when module one's own partitions disagree.
#'
#'   Other deviations from scDHA's R code: a loss that is not finite is an error, instead of a
#'   batch left out; random streams come from `seed`; the largest eigenvectors are asked for, not
#'   the smallest of the complement; failed runs are left out when the number of clusters is
#'   estimated, instead of a larger k; the consensus weights patterns by how many cells have them;
#'   nothing is subtracted from a cell whose smallest value is above 0.
#' @section New cells: A fit is applied to other cells of the same genes; module one is not needed
#'   for that.
#' @return An object of class `ScInnParam`. `fitParts(fit, "history")` has the four losses of each
#'   epoch as `cluster`, `similarity`, `reconstruction` (1: as good as the gene mean) and `zero`,
#'   each without its weight; `train` is the weighted sum; `valid` the mean squared error at hidden
#'   entries. `fitParts(fit, "weights")`: `W1`, `b1`, `W2`, `b2` of the imputation network, `W3` to
#'   `b5` of the judging one (no `W4`, `b4` with `predictor = "linear"`).
#' @references Tran, Tran, Nguyen, Nguyen (2021). Single-cell RNA sequencing data
#'   imputation using similarity preserving network. KSE 2021.
#' @examples
#' group <- rep(1:2, each = 15)
#' rate <- rbind(matrix(c(6, 1), 30, 2, byrow = TRUE), matrix(c(1, 6), 30, 2, byrow = TRUE))
#' counts <- matrix(rpois(60 * 30, rate[, group]), 60, 30)
#' fit <- fitInfill(counts, ScInnParam(k = 2, log = "log2", max.iter = 10), seed = 1)
#' tail(fitParts(fit, "history"), 2)
#' infill(counts, fit)[1:3, 1:5]
#' @aliases ScInnParam-class
#' @export
ScInnParam <- function(k = NA, latent = NULL, labels = NULL, paper = FALSE, n.filter = 5000,
    replicates = 3,
    snapshots = 3, latent.dim = NA, cluster.weight = 1, similarity.weight = 1,
    reconstruction.weight = 1,
    zero.weight = 0.1, hidden = NA, predictor = c("mlp", "linear"),
    cluster.loss = c("softmax.bce", "sigmoid.bce",
    "categorical"), drop = 0.2, max.iter = NA, batch.size = NA, learning.rate = 1e-3,
    weight.decay = 1e-3,
    valid.fraction = 0, patience = 10, n.genes = Inf, min.value = 0,
    log = c("auto", "log2", "none"),
    normalize = c("none", "median"), ...)
{
    if (!.isFlag(paper)) .stop("'paper' must be TRUE or FALSE, not %s", .describe(paper))
    if (paper) {
        other <- c(if (!missing(reconstruction.weight)) "reconstruction.weight",
            if (!missing(zero.weight)) "zero.weight",
            if (!missing(drop)) "drop")
        other <- other[!vapply(other, function(name) isTRUE(get(name) == 0), TRUE)]
        if (length(other)) .stop("paper = TRUE sets %s to 0: leave out one or the other",
            paste0("'", other, "'", collapse = ", "))
        reconstruction.weight <- zero.weight <- drop <- 0
    }
    .newParam("ScInnParam", k = k, latent = .plainMatrix(latent, "latent"), labels = labels,
        paper = paper, n.filter = n.filter,
        replicates = replicates, snapshots = snapshots, latent.dim = latent.dim,
        cluster.weight = cluster.weight,
        similarity.weight = similarity.weight, reconstruction.weight = reconstruction.weight,
        zero.weight = zero.weight, hidden = hidden, predictor = if (missing(predictor)) "mlp" else
        predictor,
        cluster.loss = .first(cluster.loss), drop = drop,
        max.iter = max.iter,
        batch.size = batch.size, learning.rate = learning.rate, weight.decay = weight.decay,
        valid.fraction = valid.fraction, patience = patience, n.genes = n.genes,
        min.value = min.value,
        log = .first(log), normalize = if (missing(normalize)) "none" else
        normalize, ...)
}

#' @export
setClass("ScInnParam", contains = "InfillParam",
    slots = c(k = "numeric", latent = "MatrixOrNULL", labels = "LabelsOrNULL", paper = "logical",
        n.filter = "numeric", replicates = "numeric", snapshots = "numeric", latent.dim = "numeric",
        cluster.weight = "numeric", similarity.weight = "numeric",
        reconstruction.weight = "numeric",
        zero.weight = "numeric", hidden = "numeric", predictor = "character",
        cluster.loss = "character",
        drop = "numeric", max.iter = "numeric", batch.size = "numeric", learning.rate = "numeric",
        weight.decay = "numeric", valid.fraction = "numeric", patience = "numeric",
        n.genes = "numeric",
        min.value = "numeric", log = "character", normalize = "character"),
    prototype = list(model = "scinn"))

setMethod(".ownProblems", "ScInnParam", function(object) c(
    .mustBeWhole(object, "k", 1, 1000, or = NA),
    .mustBeWhole(object, "replicates", 1, 100),
    .mustBeWhole(object, "snapshots", 1, 100),
    .mustBeWhole(object, "latent.dim", 2, 64, or = NA),
    .mustBeWhole(object, "hidden", 1, 4096, or = NA),
    .mustBeWhole(object, "max.iter", 1, 1e6, or = NA),
    .mustBeWhole(object, "batch.size", 2, 1e6, or = NA),
    .mustBeWhole(object, "n.filter", 1, or = Inf),
    .mustBeWhole(object, "n.genes", 1, or = Inf),
    .must(object, "min.value", .isNumber(object@min.value) && is.finite(object@min.value) &&
        object@min.value >= 0, "one number from 0"),
    .must(object, "paper", .isFlag(object@paper), "TRUE or FALSE"),
    .mustBeOneOf(object, "log", c("auto", "log2", "none")),
    .mustBeOneOf(object, "normalize", c("none", "median")),
    .must(object, "latent", is.null(object@latent) || is.numeric(object@latent) &&
        ncol(object@latent) >= 2L, "a numeric matrix of cells x at least 2 coordinates",
        if (is.numeric(object@latent)) paste(dim(object@latent), collapse = " x ") else
            sprintf("a %s matrix", typeof(object@latent))),
    if (anyNA(object@labels))
    c(labels = sprintf("'labels' must have no missing labels; %d of %d are NA",
        sum(is.na(object@labels)), length(object@labels)))))

setMethod(".resumes", "ScInnParam", function(param) TRUE)

setMethod(".shownLoss", "ScInnParam", function(param, train, valid, entries)
    list(train = train, valid = valid, label = "loss"))

# A fit that changes nothing, and says why.
.nothingToFill <- function(param, counts, why) {
    message("nothing to fill in: ", why)
    n <- nrow(counts)
    new("PreparedCounts", x = counts[1L, , drop = FALSE], total = numeric(ncol(counts)),
        recipe = list(
        genes = rownames(counts), kept = rep(TRUE, n), target = 0, usual = 1, log = "none",
        normalize = "none",
        gene.selection = "none", selected = 1L, status = rep("not selected", n),
        plan = list(cells = 0L, clusters = 1L, latent = 1L, hidden = 16L, batch = 2L,
            iterations = 0L,
            labels = integer(), units = numeric())))
}

setMethod(".prepared", "ScInnParam", function(param, counts, seed, threads, say, before) {
    .checkCells(param, counts)
    cells <- tabulate(counts@i + 1L, nrow(counts))
    if (!any(cells >= 3)) return(.nothingToFill(param, counts, "no gene has counts in 3 cells"))
    if (length(counts@x) == prod(dim(counts)))
        return(.nothingToFill(param, counts, "there are no zeros"))
    if (param@paper) warning(paste("paper = TRUE: the paper's two losses do not see the size of a",
        "filled-in value, so magnitudes are not determined by the data; use the result for",
            "clusters",
        "at most"), call. = FALSE)
    scaled <- .scaledCells(param, counts)
    empty <- sum(!scaled$cells)
    if (empty) warning(sprintf("%d of %d cells have no counts; they stay as they are", empty,
        ncol(counts)), call. = FALSE)

    # of a fit to go on from: module one would come to the same
    one <- before$similarity
    if (!is.null(one) && nrow(one$latent) != ncol(counts))
        .stop("'resume' was fitted to %d cells, not %d",
        nrow(one$latent), ncol(counts), class = "infill_mismatch")
    if (is.null(one)) one <- .similarityOf(param, counts, scaled, threads, say)
    chosen <- scaled$genes[cells[scaled$genes] >= 3]
    if (length(chosen) > param@n.genes) {
        m <- .Call(C_moments, .takeGenes(counts, scaled$total, scaled$recipe, chosen),
            numeric(ncol(counts)), 0)
        chosen <- sort(chosen[order(-m$var)[seq_len(param@n.genes)]])
    }
    status <- ifelse(cells >= 3, "not selected", "too few cells")
    status[chosen] <- "modelled"
    recipe <- c(list(genes = rownames(counts), kept = cells > 0, normalize = param@normalize,
        gene.selection = "variance", selected = chosen, status = status, stretched = TRUE,
        least = param@min.value, similarity = one, plan = .moduleTwoPlan(param, one, scaled$cells)),
        scaled$recipe)
    new("PreparedCounts", x = scaled$x[match(chosen, scaled$genes), , drop = FALSE],
        recipe = recipe, total = scaled$total[scaled$cells])
})

# Sizes and schedule of the imputation network by the number of cells, and what it is to preserve.
.moduleTwoPlan <- function(param, one, cells) {
    cluster <- one$cluster[cells]
    latent <- one$latent[cells, , drop = FALSE]
    n <- length(cluster)
    batch <- if (is.na(param@batch.size)) max(32, min(256, round(n / 10))) else param@batch.size
    batch <- min(n, batch)
    epochs <- if (is.na(param@max.iter)) max(2, min(60, floor(6000 / ceiling(n / batch)))) else
        param@max.iter
    hidden <- if (is.na(param@hidden)) max(16, min(64, round(n / 25))) else param@hidden
    list(cells = n, clusters = as.integer(max(cluster)), latent = ncol(latent),
        hidden = as.integer(hidden),
        batch = as.integer(batch), iterations = as.integer(epochs),
        labels = as.integer(cluster) - 1L,
        units = as.double(t(.unitRows(latent))))
}

# Weights, moments, XI of a batch, the shares of each block of genes, and what goes back to R.
setMethod(".fitBytes", "ScInnParam", function(param, x, n, keep.state) {
    plan <- x@recipe$plan
    batch <- as.double(plan$batch)
    copies <- if (param@valid.fraction > 0) 4 else 3
    n * (4 * copies + 8 + if (keep.state) 24 else 0) + batch * nrow(x) *
        (4 + 256 * ceiling(plan$hidden / 64) / 256) +
        24 * batch * max(diff(x@x@p))
})

setMethod(".holdsOut", "ScInnParam", function(param) param@valid.fraction > 0)

setMethod(".sizeAdvice", "ScInnParam", function(param, x)
    sprintf("'hidden', now %d", x@recipe$plan$hidden))

setMethod(".ownParts", "ScInnParam", function(param) list(similarity = function(fit) {
    one <- fit@recipe$similarity
    if (is.null(one)) .stop("'fit' had nothing to fill in, and no similarities")
    one
}))

setMethod(".unsetWords", "ScInnParam", function(param) list(
    latent.dim = "15, from 50,000 cells on 25", hidden = "cells/25, 16 to 64",
    max.iter = "60, of at most 6,000 steps", batch.size = "cells/10, 32 to 256",
    k = "estimated", latent = "those of module one", labels = "those of module one"))

setMethod(".usualIterations", "ScInnParam", function(param) 60)
