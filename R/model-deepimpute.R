#' @include infill.R
NULL

#' DeepImpute
#'
#' Small neural networks that predict groups of genes from the genes that
#' correlate with them (Arisdakessian et al. 2019).
#'
#' @param hidden Hidden units of a network; `NA`: 256 for networks of 512 genes,
#'   else half their size, at least 10. Several numbers, up to 8: as many hidden
#'   layers, from the predictors on, each with rectifiers and dropout (the paper has one).
#' @param network.size Genes that one network predicts. When there are too few
#'   genes for predictors to be left, it is halved, with a message.
#' @param n.predictors Predictors chosen for each gene: those of largest absolute
#'   correlation outside its own network.
#' @param n.candidates Genes that predictors are chosen from: those of largest
#'   standard deviation over mean; `Inf`: all that vary.
#' @param correlation Pearson's, of the `"counts"` (default) or of their
#'   logarithms, `"log1p"` (less driven by single cells).
#' @param dropout Share of hidden units left out in training.
#' @param output Activation of the output: `"softplus"`, `"relu"`, `"linear"`.
#' @param loss.weights Weight of a value y in the squared error: `"value"`, y
#'   itself (the paper), or `"binary"`, 1 if y > 0. With `"value"` the best
#'   prediction is E(y^2)/E(y), which is larger than the mean.
#' @param zero.weight Added to every weight. 0 (the paper): zeros say nothing, so
#'   a network cannot learn that a gene is silent. Above 0 the targets that are 0
#'   are computed too, and training takes longer.
#' @param min.vmr Genes with variance / (1 + mean) of the counts above this are
#'   filled in. The paper says variance / mean; see `gene.score`.
#' @param n.genes Number of genes to fill in instead, best first; `Inf`: all that vary;
#'   `NA`: by `min.vmr`.
#' @param genes Genes to fill in instead: names or positions; `NULL`: by the above.
#' @param gene.score `"vmr1"`: variance / (1 + mean), the code's, used for the
#'   published results; `"vmr"`: variance / mean, the paper's text.
#' @param order Genes are dealt to networks at `"random"`, or as they are ranked,
#'   `"progressive"`.
#' @param normalize Input: `"none"` (the published model: logarithms of the raw
#'   counts) or `"median"` (counts divided by size factors first).
#' @param learning.rate,max.iter,batch.size,patience,valid.fraction Training by
#'   Adam: step size, most epochs, cells per batch, epochs without a better
#'   held-out loss before the end, share of the cells held out.
#' @param joint Stop all networks together, by the sum of their held-out losses
#'   (version 1 of the reference)? By default each by itself (the paper).
#' @param best Keep the weights of the best epoch? By default those of the last.
#' @param cell.fraction Share of the cells to choose genes and to train on; all
#'   are filled in.
#' @param paper Where paper and reference code disagree, the paper: `gene.score = "vmr"`, and
#'   `patience = 10`, which is the default.
#' @param ... `seed`, `num.threads`.
#'
#' @details With X and Y the logarithms, log(1 + count), of a network's predictors
#'   and targets: Yhat = softplus(W2' dropout(relu(W1'X + b1)) + b2); minimised is
#'   the mean over cells and targets of Y (Y - Yhat)^2.
#'
#'   Deviations from the paper or the reference code, where they disagree:
#'
#'   * *Gene score*: the code's, see `gene.score`.
#'   * *Targets*: the last network is filled up with the next genes of the ranking;
#'     if they run out it is smaller. The code fills it up at random, and trains a
#'     whole network too many when it fits. Every gene is a target once.
#'   * *Predictors* are never targets of the same network (paper; some versions of
#'     the code leak).
#'   * *Loss*: mean, as in the code (the paper's sum only scales Adam's epsilon).
#'   * *Patience*: 10 epochs, as the paper's Methods say; its Results and the code say 5,
#'     with which few cells (a held-out loss of a dozen cells is noisy) end the training
#'     far too early: hidden-entry errors are 2 to 13 % larger on four of seven sets.
#'   * *Guard*: a prediction above twice the largest training value is dropped, with
#'     a warning, and the entry stays as it came; the code puts a 0.
#'   * *Duplicated gene names* are allowed; names in `genes` must be unambiguous.
#'
#'   A gene that cells do not express gets positive values as well: zeros have no
#'   weight in the loss. [recoveryError()] at hidden entries does not show that.
#' @section Few cells: On 338 cells of two cell lines the published settings lose to
#'   the mean of the gene's non-zeros (RMSE at hidden entries 0.45 against 0.43, 0.48
#'   with a patience of 5): weights by value pull predictions above the mean, and a
#'   held-out loss of 16 cells is noisy, so that training ends too early. There,
#'   `loss.weights = "binary", patience = 20`, a deviation from the paper, gives 0.42.
#' @section Scale: raw counts in, counts out. [PreparedCounts-class] are not taken:
#'   the model prepares counts itself.
#' @return An object of class `DeepImputeParam`. `fitParts(fit, "networks")`: a data.frame with
#'   one row per network: `targets` and `predictors` (numbers of genes),
#'   `iterations`, `best` (the epoch kept), `stopped`, `valid` (held-out loss),
#'   `pearson` and `mse` (held-out cells, non-zero targets, log scale), and
#'   the list columns `target.genes` and `predictor.genes` (positions, named).
#' @references Arisdakessian, Poirion, Yunits, Zhu, Garmire (2019). DeepImpute: an
#'   accurate, fast, and scalable deep neural network method to impute single-cell
#'   RNA-seq data. Genome Biology 20:211.
#' @examples
#' counts <- matrix(rpois(4000, rep(rexp(80), 50) * 8), 80, 50)
#' fit <- fitInfill(counts, DeepImputeParam(network.size = 40, max.iter = 20), seed = 1)
#' fitParts(fit, "networks")[, 1:7]
#' infill(counts, fit)[1:3, 1:5]
#' @aliases DeepImputeParam-class
#' @export
DeepImputeParam <- function(hidden = NA, network.size = 512, n.predictors = 5,
    n.candidates = Inf, correlation = c("counts", "log1p"), dropout = 0.2,
    output = c("softplus", "relu", "linear"), loss.weights = c("value", "binary"),
    zero.weight = 0, min.vmr = 0.5, n.genes = NA, genes = NULL,
    gene.score = c("vmr1", "vmr"), order = c("random", "progressive"),
    normalize = c("none", "median"), learning.rate = 1e-4, max.iter = 500,
    batch.size = 64, patience = 10, valid.fraction = 0.05, joint = FALSE,
    best = FALSE, cell.fraction = 1, paper = FALSE, ...)
{
    if (isTRUE(paper) && missing(gene.score)) gene.score <- "vmr"
    .checkPaper(paper, list(gene.score = .first(gene.score), patience = patience, best = best),
        list(gene.score = "vmr",
        patience = 10, best = FALSE))
    .newParam("DeepImputeParam", paper = paper, hidden = hidden, network.size = network.size,
        n.predictors = n.predictors, n.candidates = n.candidates,
        correlation = .first(correlation), dropout = dropout,
        output = .first(output),
        loss.weights = .first(loss.weights),
        zero.weight = zero.weight, min.vmr = min.vmr, n.genes = n.genes, genes = genes,
        gene.score = .first(gene.score),
        order = .first(order), normalize = .first(normalize),
        learning.rate = learning.rate, max.iter = max.iter, batch.size = batch.size,
        patience = patience, valid.fraction = valid.fraction, joint = joint, best = best,
        cell.fraction = cell.fraction, ...)
}

setClassUnion("GeneList", c("NULL", "character", "numeric"))
.slotWords$GeneList <- "names or positions of genes"

#' @export
setClass("DeepImputeParam", contains = "NetworkParam",
    slots = c(paper = "logical", hidden = "numeric", network.size = "numeric",
        n.predictors = "numeric",
        n.candidates = "numeric", correlation = "character", dropout = "numeric",
        output = "character", loss.weights = "character", zero.weight = "numeric",
        min.vmr = "numeric", n.genes = "numeric", genes = "GeneList", gene.score = "character",
        order = "character", normalize = "character", joint = "logical", best = "logical",
        cell.fraction = "numeric"),
    prototype = list(model = "deepimpute", stop = "validation", threshold = 0))

setMethod(".ownProblems", "DeepImputeParam", function(object) c(
    .mustBeWhole(object, "network.size", 1),
    .mustBeWhole(object, "n.predictors", 1),
    .mustBeWhole(object, "n.candidates", 1, or = Inf),
    .mustBeWhole(object, "n.genes", 1, or = c(Inf, NA)),
    .must(object, "min.vmr", .isNumber(object@min.vmr) && object@min.vmr >= 0, "one number from 0"),
    .must(object, "cell.fraction", .isNumber(object@cell.fraction) && object@cell.fraction > 0 &&
        object@cell.fraction <= 1, "one number above 0 and at most 1"),
    .mustBeOneOf(object, "correlation", c("counts", "log1p")),
    .mustBeOneOf(object, "gene.score", c("vmr1", "vmr")),
    .mustBeOneOf(object, "order", c("random", "progressive")),
    .mustBeOneOf(object, "normalize", c("none", "median")),
    .must(object, "stop", identical(object@stop, "validation"), "\"validation\""),
    if (!.areGenes(object@genes)) c(genes =
        "'genes' must be names or positions of genes, each once, without missing ones")))

.areGenes <- function(g) is.null(g) || !is.factor(g) && length(g) && !anyNA(g) && !anyDuplicated(g)

# Genes to fill in, best first, as positions; score: 0 for genes that cannot be modelled.
.targetGenes <- function(param, counts, score) {
    ranked <- order(-score)[seq_len(sum(score > 0))]
    if (length(ranked) < 2L)
        .stop("'x' must have at least two genes that vary over the cells, not %d",
        length(ranked))
    g <- param@genes
    if (is.null(g)) {
        n <- if (is.na(param@n.genes)) sum(score > param@min.vmr) else
            min(param@n.genes, length(ranked))
        if (!n) .stop("no gene of 'x' has a score above 'min.vmr' (%g); the largest is %g",
            param@min.vmr, max(score))
        full <- ceiling(n / param@network.size) * param@network.size
        return(ranked[seq_len(min(full, length(ranked)))])
    }
    at <- if (is.character(g)) match(g, rownames(counts)) else g
    bad <- is.na(at) | at < 1 | at > nrow(counts) | at != round(at)
    if (any(bad)) .stop("'genes' must be genes of 'x'; %d are not: %s", sum(bad), .someOf(g[bad]))
    if (is.character(g)) {
        twice <- intersect(g, rownames(counts)[duplicated(rownames(counts))])
        if (length(twice))
            .stop("'genes' must name genes that occur once in 'x'; more than once: %s",
            .someOf(twice))
    }
    still <- score[at] <= 0
    if (all(still)) .stop("'genes' must vary over the cells; none of these %d does", length(at))
    if (any(still))
        warning(sprintf("%d of 'genes' do not vary over the cells and are left as they are: %s",
        sum(still), .someOf(g[still])), call. = FALSE)
    as.integer(at[!still])
}

# Genes that may be predictors.
.candidateGenes <- function(param, mean, sd) {
    ok <- sd > 0
    if (sum(ok) > param@n.candidates) {
        best <- order(-ifelse(ok & mean > 0, sd / mean, 0))[seq_len(param@n.candidates)]
        ok <- replace(logical(length(ok)), best, TRUE)
    }
    ok
}

setMethod(".prepared", "DeepImputeParam", function(param, counts, seed, threads, say, before) {
    if (ncol(counts) < 2L) .stop("'x' must have at least two cells, not %d", ncol(counts))
    if (param@cell.fraction < 1) {
        n <- max(2, floor(param@cell.fraction * ncol(counts)))
        counts <- counts[, .Call(C_choose, as.double(ncol(counts)), as.double(n), seed),
            drop = FALSE]
    }
    m <- .Call(C_moments, counts, numeric(ncol(counts)), 0)
    m$var[m$var <= 1e-20 * m$mean^2] <- 0                # a constant that is not whole: rounding
    sd <- sqrt(m$var)
    score <- switch(param@gene.score, vmr1 = m$var / (1 + m$mean),
        vmr = ifelse(m$mean > 0, m$var / m$mean, 0))
    targets <- .targetGenes(param, counts, score)
    candidate <- .candidateGenes(param, m$mean, sd)
    size <- param@network.size
    if (length(targets) <= size && all(which(candidate) %in% targets)) {
        size <- ceiling(length(targets) / 2)
        message(sprintf(
            "%d genes are too few for a network of %g and its predictors: networks of %g",
            length(targets), param@network.size, size))
    }
    if (param@order == "random") targets <- targets[.Call(C_permute, length(targets), seed)]
    net <- (seq_along(targets) - 1L) %/% size + 1L
    set <- replace(rep(-1L, nrow(counts)), targets, net)
    found <- .nearestGenes(param, counts, m$mean, sd, set, targets, candidate, threads)
    sets <- lapply(split(seq_along(targets), net), function(k) list(targets = targets[k],
        predictors = sort(unique(setdiff(found$gene[, k], -1L) + 1L))))
    if (any(!lengths(lapply(sets, `[[`, "predictors"))))
        .stop(paste("no gene is left to predict others from;",
        "a smaller 'network.size' (now %g) or more 'n.candidates' may help"), param@network.size)

    used <- sort(unique(unlist(sets)))
    total <- .Call(C_totals, counts, seq_len(nrow(counts)) %in% used)
    usual <- if (any(total > 0)) median(total[total > 0]) else 1
    status <- rep("not selected", nrow(counts))
    status[used] <- "predictor"
    status[targets] <- "modelled"
    recipe <- list(genes = rownames(counts), kept = seq_len(nrow(counts)) %in% used,
        target = if (param@normalize == "median") usual else 0, usual = usual, log = "log1p",
        normalize = param@normalize, gene.selection = "deepimpute", selected = used,
        score = score[used], status = status)
    hidden <- param@hidden
    if (anyNA(hidden)) hidden <- if (size == 512) 256 else max(10, size %/% 2)
    at <- lapply(unname(sets), function(s) lapply(s, function(g) match(g, used) - 1L))
    recipe$networks <- TRUE
    recipe$plan <- .planOf(hidden, at, seq_along(sets))
    new("PreparedCounts", x = .takeGenes(counts, total, recipe, used), recipe = recipe,
        total = total)
})

# The n.predictors genes of largest |r| for each target: list(gene from 0 or -1, r), n.predictors x
# targets.
.nearestGenes <- function(param, counts, mean, sd, set, targets, candidate, threads) {
    if (param@correlation == "log1p") {
        counts@x <- log1p(counts@x)
        m <- .Call(C_moments, counts, numeric(ncol(counts)), 0)
        mean <- m$mean
        sd <- sqrt(m$var)
    }
    .Call(C_nearest_genes, counts, Matrix::t(counts), mean, sd, as.integer(set),
        as.integer(targets - 1), candidate,
        as.integer(min(param@n.predictors, nrow(counts))), threads)
}

setMethod(".ownParts", "DeepImputeParam", function(param) list(networks = .subNetworks))

# One row for each network.
.subNetworks <- function(fit) {
    r <- fit@recipe
    .checkShapes(fit)
    named <- function(at) {
        at <- r$selected[at + 1L]
        names(at) <- r$genes[at]
        at
    }
    nets <- lapply(.networksOf(r$plan), lapply, named)
    n <- .iterations(fit)
    if (length(n) != length(nets) || nrow(fit@heldout) != length(nets)) .damaged("the fit",
        "history", "must have all networks")
    out <- data.frame(targets = lengths(lapply(nets, `[[`, "targets")),
        predictors = lengths(lapply(nets, `[[`, "predictors")), iterations = n, best = fit@best,
        stopped = fit@stopped, valid = fit@history$valid[cumsum(n) - n + fit@best],
        pearson = fit@heldout$pearson, mse = fit@heldout$mse)
    out$target.genes <- lapply(nets, `[[`, "targets")
    out$predictor.genes <- lapply(nets, `[[`, "predictors")
    out
}

setMethod(".sizeAdvice", "DeepImputeParam", function(param, x) {
    sprintf("'hidden', now %s", .someOf(x@recipe$plan$hidden))
})

# Networks that stop together cannot be trained apart.
setMethod(".dealt", "DeepImputeParam", function(param, x, n) {
    if (param@joint) return(NULL)
    plan <- x@recipe$plan
    nets <- .networksOf(plan)
    n <- min(n, length(nets))
    lapply(unname(split(seq_along(nets), ceiling(seq_along(nets) * n / length(nets)))),
        function(part) {
        x@recipe$plan <- .planOf(plan$hidden, nets[part], plan$network[part])
        x
    })
})

setMethod(".joined", "DeepImputeParam", function(param, fits, x) {
    all <- fits[[1L]]
    all@recipe <- x@recipe
    all@weights <- unlist(lapply(fits, slot, "weights"))
    all@shapes <- do.call(rbind, lapply(fits, slot, "shapes"))
    rownames(all@shapes) <- NULL
    first <- cumsum(c(0L, vapply(fits, function(f) length(f@best), 0L)))
    all@history <- do.call(rbind, lapply(seq_along(fits), function(k) {
        h <- fits[[k]]@history
        h$network <- h$network + first[k]
        h
    }))
    all@best <- unlist(lapply(fits, slot, "best"))
    all@stopped <- unlist(lapply(fits, slot, "stopped"))
    all@heldout <- do.call(rbind, lapply(fits, slot, "heldout"))
    all
})

# The plan of these networks, list(predictors, targets) of rows from 0; id: for their random
# streams.
.planOf <- function(hidden, nets, id) {
    each <- function(part) lapply(nets, `[[`, part)
    list(hidden = as.integer(hidden), network = as.integer(id),
        n.predictors = lengths(each("predictors")),
        n.targets = lengths(each("targets")), predictors = as.integer(unlist(each("predictors"))),
        targets = as.integer(unlist(each("targets"))))
}

.networksOf <- function(plan) {
    of <- function(rows, n) unname(split(rows, rep.int(factor(seq_along(n)), n)))
    Map(function(predictors, targets) list(predictors = predictors, targets = targets),
        of(plan$predictors, plan$n.predictors), of(plan$targets, plan$n.targets))
}

setMethod(".unsetWords", "DeepImputeParam", function(param) list(
    hidden = sprintf("%g", max(10, param@network.size %/% 2)),
    n.genes = sprintf("all with variance over mean above %g", param@min.vmr),
    genes = "those of 'n.genes'"))

setMethod(".usualIterations", "DeepImputeParam", function(param) 200)
