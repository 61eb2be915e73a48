#' @include infill.R
NULL

setClassUnion("GraphOrNULL", c("matrix", "Matrix", "data.frame", "NULL"))
.slotWords$GraphOrNULL <- "a matrix, a data.frame of edges or NULL"

#' GraphSCI
#'
#' A graph network over genes, whose latent gene x gene matrix is the first layer of
#' an autoencoder over cells with a zero-inflated negative binomial output (Rao, Zhou,
#' Lu, Zhao, Yang 2021). The filled-in value is the fitted mean. The edges of the graph come back
#' refined.
#'
#' @param adj The gene graph: a symmetric matrix (sparse or not; anything above 0 is an edge) whose
#'   row names are genes, a data.frame of edges with gene names in its first two columns (and, if
#'   its third is numeric, weights above 0 for edges), or `NULL`: from the data.
#' @param threshold Genes are joined when |Pearson r| over the cells is above this.
#' @param correlation Correlation of the `"counts"` counts (the paper) or of log(1 + count/size)
#'   (`"log1p"`).
#' @param dist `"zinb"` or `"nb"`.
#' @param latent `"code"`: a genes x genes latent matrix is the logit of every edge (the authors'
#'   code); `"inner"`: 32 coordinates per gene, logits are inner products (the paper's equations 16
#'   to 18).
#' @param inner First layer of the autoencoder: `"full"`, a weight for every pair of genes;
#'   `"edges"`: for the edges and the genes themselves only, with memory by the number of edges.
#' @param paper The authors' schedule: 100 epochs, no stop, nothing held out, heads that start at 1
#'   and 0, no L2.
#' @param init Start of the output heads: `"data"`, at mean and dispersion of each gene;
#'   `"reference"`, at 1 and 0.
#' @param max.iter Most epochs; each is one step on all cells. The step size falls by a tenth every
#'   50 epochs.
#' @param stop `"validation"`: every 10 epochs the likelihood of the held-out entries is looked at;
#'   the best weights are kept, and training stops when it has not improved for `patience` epochs.
#'   `"cost"`: when the mean cost of 10 epochs is not below that of the 10 before by a
#'   ten-thousandth; last weights. `"none"`: all epochs, last weights.
#' @param valid.fraction Share of all entries, zeros and others alike, left out of the likelihood.
#'   They stay in the input.
#' @param valid.edges Share of the edges held out, in both directions: they are neither in the graph
#'   nor among its labels. `fitParts(fit, "history")` then has `edge.auc`, every 10 epochs: the
#'   probability that a held-out edge scores above a random pair of genes that is no edge. For
#'   monitoring only.
#' @param patience See `stop`.
#' @param learning.rate Step size of the first epoch.
#' @param dropout On the inputs of the graph convolutions.
#' @param cell.dropout On the outputs of the three hidden layers over cells. 0 is what the authors'
#'   code does.
#' @param eval Prediction: `"batch"`, no noise, batch norm over all cells; `"reference"`, as the
#'   authors' code: with noise, dropout, and hidden layers whose batch norm has mean 0 and variance
#'   1.
#' @param n.draws 0: the mean of the latent matrix predicts. Else so many draws of it, and their
#'   mean is the result.
#' @param l2,mse.weight Weights of the squared weights (half), and of the mean squared error between
#'   mean and counts (the authors' code has 0.01, over twice the number of cells).
#' @param scale Divide each gene's centred logarithms by their standard deviation?
#' @param n.genes Genes that are modelled: those of largest variance of the logarithms. `Inf`: all
#'   that have counts.
#' @param n.max With `inner = "full"`, more genes than this are refused: memory grows with their
#'   square.
#' @param ... `seed`, `num.threads`.
#'
#' @details Each gene is a node; two graph convolutions of 16 and 32 units give mean and standard
#'   deviation of the latent matrix Z; V = W o Z, with trained W, is the first layer of an
#'   autoencoder of genes - genes - 16 - 32 units with batch norm; its three heads give log mean,
#'   dispersion and zero inflation of every entry. The cost is that of the edges, of the counts, of
#'   the divergence of Z, and a small mean squared error.
#'
#'   *Paper and code differ.* We follow the code for shapes and cost, because the paper's W o A cuts
#'   the link from graph to expression. Deviations from the code, all of them arguments:
#'
#'   * *Heads start at the data* (`init`): from 1 and 0, 100 epochs cannot bring the mean to the
#'     scale of the counts.
#'   * *Stop* by held-out entries; the code has none (`stop = "none"`, `max.iter = 100`).
#'   * *L2* is in the cost; the code registers it and forgets it.
#'   * *Edge labels* are the graph and the genes themselves, 0 or 1; the code's leak and can be 2.
#'   * *Prediction* is deterministic, with the mean of Z and batch norm over all cells; the code
#'     draws Z and uses moving averages that are never updated (`eval = "reference"`).
#'
#'   *Scale.* The mean is on the scale of the counts: [infill()] multiplies by the cell's total over
#'   the median total; `output = "normcounts"` does not. [fitParts()] has dispersion, zero
#'   inflation and the edges.
#' @section New cells: The graph network has one weight per cell: only cells of the fit are filled
#'   in, others are an error.
#' @section Parts of a fit: `fitParts(fit, "edges", threshold = 0.5, as = "data.frame")`: the gene
#'   graph as the latent matrix has it, pairs of genes whose probability is above `threshold`:
#'   `gene1`, `gene2` (names, or rows of the data), `probability` (mean over both directions), most
#'   probable first, each pair once; `as = "matrix"`: sparse, symmetric. `fitParts(fit, "mean",
#'   genes = NULL, cells = NULL)`: of the counts, without size; `"dispersion"`: theta of the
#'   negative binomial, variance mean + mean^2/theta; `"dropout"`: probability of a zero by
#'   inflation (0 with `dist = "nb"`); a dense matrix, modelled genes x fitted cells (those with
#'   counts); `genes`, `cells`: positions among them, default all.
#' @return An object of class `GraphSciParam`. `"history"` of its fit has the parts of the cost,
#'   `adjacency`, `expression`, `divergence`, `error`, and `penalty`; `valid`, every 10 epochs, is
#'   the mean negative log-likelihood of the held-out entries.
#' @references Rao, Zhou, Lu, Zhao, Yang (2021). Imputing single-cell RNA-seq data by combining
#'   graph convolution and autoencoder neural networks. iScience 24:102393.
#' @examples
#' counts <- matrix(rpois(40 * 30, rep(rexp(40), 30) * 4), 40, 30,
#'     dimnames = list(paste0("g", 1:40), NULL))
#' fit <- fitInfill(counts, GraphSciParam(max.iter = 20), seed = 1)
#' tail(fitParts(fit, "history"), 1)
#' infill(counts, fit)[1:3, 1:5]
#' @aliases GraphSciParam-class
#' @export
GraphSciParam <- function(adj = NULL, threshold = 0.3, correlation = c("counts", "log1p"),
    dist = c("zinb", "nb"),
    latent = c("code", "inner"), inner = c("full", "edges"), paper = FALSE,
    init = c("data", "reference"), max.iter = 500,
    stop = c("validation", "cost", "none"), valid.fraction = 0.05, valid.edges = 0, patience = 100,
    learning.rate = 0.01,
    dropout = 0.2, cell.dropout = 0, l2 = 1e-3, mse.weight = 0.01, eval = c("batch", "reference"),
    n.draws = 0, scale = TRUE, n.genes = Inf, n.max = 5000, ...)
{
    if (!.isFlag(paper)) .stop("'paper' must be TRUE or FALSE, not %s", .describe(paper))
    if (paper) {
        if (missing(init)) init <- "reference"
        if (missing(max.iter)) max.iter <- 100
        if (missing(stop)) stop <- "none"
        if (missing(valid.fraction)) valid.fraction <- 0
        if (missing(l2)) l2 <- 0
    }
    .newParam("GraphSciParam", adj = adj, threshold = threshold, correlation = .first(correlation),
        dist = .first(dist),
        latent = .first(latent), inner = .first(inner), paper = paper, init = .first(init),
        max.iter = max.iter,
        stop = .first(stop), valid.fraction = valid.fraction, valid.edges = valid.edges,
        patience = patience,
        learning.rate = learning.rate, dropout = dropout, cell.dropout = cell.dropout, l2 = l2,
        mse.weight = mse.weight,
        eval = .first(eval), n.draws = n.draws, scale = scale, n.genes = n.genes, n.max = n.max,
        ...)
}

#' @export
setClass("GraphSciParam", contains = "InfillParam",
    slots = c(adj = "GraphOrNULL", threshold = "numeric", correlation = "character",
        dist = "character", latent = "character",
        inner = "character", paper = "logical", init = "character", max.iter = "numeric",
        stop = "character",
        valid.fraction = "numeric", valid.edges = "numeric", patience = "numeric",
        learning.rate = "numeric", dropout = "numeric",
        cell.dropout = "numeric", l2 = "numeric", mse.weight = "numeric", eval = "character",
        n.draws = "numeric", scale = "logical", n.genes = "numeric", n.max = "numeric"),
    prototype = list(model = "graphsci"))

setMethod(".ownProblems", "GraphSciParam", function(object) c(
    .must(object, "threshold", .isNumber(object@threshold) && object@threshold > 0 &&
        object@threshold < 1, "one number between 0 and 1, both excluded"),
    .must(object, "valid.edges", .isNumber(object@valid.edges) && object@valid.edges >= 0 &&
        object@valid.edges <= 0.5, "one number between 0 and 0.5"),
    .mustBeOneOf(object, "correlation", c("counts", "log1p")),
    .must(object, "paper", .isFlag(object@paper), "TRUE or FALSE"),
    .mustBeWhole(object, "max.iter", 1, 1e6),
    .mustBeWhole(object, "n.genes", 2, or = Inf),
    .mustBeWhole(object, "n.max", 2, or = Inf)))

# The edges that were given, as two vectors of genes of `counts` (an edge may be there once or in
# both directions).
.givenEdges <- function(adj, counts) {
    if (is.data.frame(adj)) return(.listedEdges(adj, counts))
    .checkMatrix(adj, "adj")
    if (nrow(adj) != ncol(adj)) .badAdj("must be square, not %d x %d", nrow(adj), ncol(adj))
    if (is.matrix(adj)) {
        if (!is.numeric(adj) && !is.logical(adj)) .badAdj("must hold numbers, not type %s",
            dQuote(typeof(adj), FALSE))
        storage.mode(adj) <- "double"
    }
    there <- rownames(adj)
    if (!identical(there, colnames(adj))) .badAdj("must have the same names for rows and columns")
    if (anyDuplicated(there)) .badAdj("must name each gene once; more than once: %s",
        .someOf(unique(there[duplicated(there)])))
    adj <- .asSparse(adj)
    adj@Dimnames <- list(NULL, NULL)
    .checkEdgeWeights(adj@x)
    if (!identical(Matrix::t(adj), adj)) .badAdj("must be symmetric")
    at <- if (!is.null(there)) .namedNodes(there, counts)
        else if (nrow(adj) == nrow(counts)) seq_len(nrow(adj))
        else .badAdj(
            paste("must have one row for each of the %d genes of 'x', not %d (matched by position:",
            "there are no names)"), nrow(counts), nrow(adj))
    list(at[adj@i + 1L], at[rep.int(seq_len(ncol(adj)), diff(adj@p))])
}

# Edges by name, a row each.
.listedEdges <- function(adj, counts) {
    if (ncol(adj) < 2L) .badAdj("must name two genes in its first two columns, not have %d column",
        ncol(adj))
    ends <- lapply(adj[1:2], as.character)
    if (anyNA(unlist(ends))) .badAdj("must have no missing genes")
    weight <- if (ncol(adj) > 2L && is.numeric(adj[[3L]])) adj[[3L]] else rep(1, nrow(adj))
    .checkEdgeWeights(weight)
    lapply(unname(ends), function(genes) .namedNodes(genes, counts)[weight > 0])
}

.badAdj <- function(...) .stop(paste("'adj'", sprintf(...)))

.checkEdgeWeights <- function(weight) if (anyNA(weight) || any(weight < 0)) .badAdj(
    "must have weights that are neither missing nor negative")

.namedNodes <- function(genes, counts) {
    names <- rownames(counts)
    if (is.null(names)) .badAdj("has gene names, and 'x' has none")
    twice <- intersect(genes, names[duplicated(names)])
    if (length(twice)) .badAdj("names genes that are there more than once in 'x': %s",
        .someOf(twice))
    unknown <- unique(setdiff(genes, names))
    if (length(unknown)) .badAdj("names genes that are not in 'x': %s", .someOf(unknown))
    match(genes, names)
}

# Neighbours of the chosen genes as list(p, i), from 0, rising, both directions, without loops.
.geneGraph <- function(param, counts, chosen, x, threads) {
    if (is.null(param@adj)) return(.Call(C_graph, Matrix::t(x), param@threshold, threads))
    ends <- .givenEdges(param@adj, counts)
    i <- match(ends[[1L]], chosen)
    j <- match(ends[[2L]], chosen)
    keep <- !is.na(i) & !is.na(j) & i != j
    m <- sparseMatrix(i = c(i[keep], j[keep]), j = c(j[keep], i[keep]), x = 1,
        dims = rep(length(chosen), 2L))
    list(m@p, m@i)
}

# The graph without the share of its edges that is held out; ends: those edges, and as many pairs
# that are none.
.holdEdges <- function(graph, fraction, seed) {
    N <- length(graph[[1L]]) - 1L
    a <- graph[[2L]]
    b <- rep.int(seq_len(N) - 1L, diff(graph[[1L]]))
    edge <- which(a > b)
    take <- floor(fraction * length(edge))
    if (take < 1) return(c(graph, list(integer())))
    # of the pair a > b among all N (N - 1)/2
    index <- function(a, b) as.double(a) * (a - 1) / 2 + b
    edges <- index(a[edge], b[edge])
    held <- edges[.Call(C_choose, as.double(length(edges)), as.double(take), seed)]
    pairs <- N * (N - 1) / 2
    free <- pairs - length(edges)
    if (free < take)
        .stop("'valid.edges' needs %.0f pairs of genes that are no edges, and there are %.0f", take,
            free)
    wanted <- min(pairs, ceiling(take * pairs / free * 1.2) + 20)
    repeat {
        other <- setdiff(.Call(C_choose, pairs, wanted, seed) - 1, edges)
        if (length(other) >= take) break
        wanted <- min(pairs, 2 * wanted)
    }
    other <- other[.Call(C_choose, as.double(length(other)), as.double(take), seed + 1)]
    both <- c(held, other)
    i <- floor((1 + sqrt(8 * both + 1)) / 2)
    keep <- !(index(pmax(a, b), pmin(a, b)) %in% held)
    list(c(0L, cumsum(tabulate(b[keep] + 1L, N))), a[keep],
        as.integer(rbind(i, both - i * (i - 1) / 2)))
}

setMethod(".resumes", "GraphSciParam", function(param) TRUE)
setMethod(".onlyItsCells", "GraphSciParam", function(param) TRUE)

setMethod(".checkInput", "GraphSciParam",
    function(param, counts, what = "'x'", to.fit = TRUE) {
    if (to.fit && length(.firstBroken(counts)))
        .stop("%s must hold whole numbers: %s is a distribution of counts. %s", what,
        if (param@dist == "nb") "the negative binomial" else "the zero-inflated negative binomial",
        .brokenAdvice, class = "infill_scale")
})

setMethod(".prepared", "GraphSciParam", function(param, counts, seed, threads, say, before) {
    seen <- tabulate(counts@i + 1L, nrow(counts)) > 0
    some <- .graphNodes(param, counts, seen)
    genes <- some$genes
    x <- counts[genes, some$cells, drop = FALSE]
    x@Dimnames <- list(NULL, NULL)
    .checkGraphSize(param, x)
    total <- Matrix::colSums(x)
    size <- total / median(total)
    say("GraphSCI: graph of %d genes", nrow(x))
    values <- x
    if (param@correlation == "log1p") values@x <- log1p(values@x / rep.int(size, diff(values@p)))
    graph <- .holdEdges(.geneGraph(param, counts, genes, values, threads), param@valid.edges, seed)
    held <- length(graph[[3L]]) / 4
    edges <- length(graph[[2L]])
    say("GraphSCI: %d genes, %d cells, %d edges%s; memory about %s", nrow(x), ncol(x), edges / 2,
        if (held) sprintf(" and %d held out", held) else "",
        .bytes(.graphSciBytes(param, nrow(x), ncol(x), length(x@x), edges)))
    status <- ifelse(seen, "not selected", "too few cells")
    status[genes] <- "modelled"
    recipe <- list(genes = rownames(counts), kept = seq_len(nrow(counts)) %in% genes, target = 0,
        usual = median(total), log = "none", normalize = "none", gene.selection = "variance",
        selected = genes, status = status, transductive = TRUE, cells = some$cells,
        cell.names = colnames(counts)[some$cells],
        plan = list(cells = ncol(x), iterations = as.integer(param@max.iter),
            first = as.integer(graph[[1L]]), neighbours = as.integer(graph[[2L]]),
            pairs = as.integer(graph[[3L]]), size = as.double(size)))
    new("PreparedCounts", x = x, recipe = recipe, total = total)
})

# The genes and cells that are modelled, as positions. seen: has the gene counts?
.graphNodes <- function(param, counts, seen) {
    genes <- which(seen)
    cells <- which(diff(counts@p) > 0)
    if (length(cells) < 2L) .stop("'x' must have at least two cells with counts, not %d",
        length(cells))
    if (length(genes) < 2L) .stop("'x' must have at least two genes with counts, not %d",
        length(genes))
    if (length(genes) > param@n.genes) {
        logs <- counts[genes, cells, drop = FALSE]
        logs@x <- log1p(logs@x)
        m <- .Call(C_moments, logs, numeric(ncol(logs)), 0)
        genes <- sort(genes[order(-m$var)[seq_len(param@n.genes)]])
        cells <- which(diff(counts[genes, , drop = FALSE]@p) > 0)
        if (length(cells) < 2L) .stop(
            "'x' must have at least two cells with counts of the %d modelled genes", length(genes))
    }
    empty <- c(sum(!seen), ncol(counts) - length(cells))
    if (any(empty > 0))
        message(sprintf(paste("%d genes without counts and %d cells without counts of the",
        "modelled genes stay as they are"), empty[1L], empty[2L]))
    list(genes = genes, cells = cells)
}

.checkGraphSize <- function(param, x) {
    if (param@inner != "full") return(invisible())
    if (nrow(x) > param@n.max)
        .stop(paste("%d genes are more than 'n.max' (%g): their weights need about %s;",
        "inner = \"edges\" keeps those of the graph only, 'n.genes' models the most variable",
            "genes, a larger",
        "'n.max' allows it"), nrow(x), param@n.max, .bytes(12 * as.double(nrow(x))^2))
    need <- .graphSciBytes(param, nrow(x), ncol(x), length(x@x), 0)
    if (.exceedsMemory(need))
        .stop(paste("a fit to %d genes x %d cells needs about %s, and %s are free;",
        "inner = \"edges\" keeps the weights of the graph's edges only, 'n.genes' models the",
            "most variable genes"),
        nrow(x), ncol(x), .bytes(need), .bytes(.memoryLimit()))
}

# W and its moments (of pairs or edges), E0 and X, three tiles for each thread, small matrices. two
# threads
.graphSciBytes <- function(param, N, M, entries, edges) {
    N <- as.double(N)
    w <- if (param@inner == "full") 3 * N * (N + 256) else 4 * (edges + N)
    dense <- param@inner == "full" && entries > 0.25 * N * M
    4 * (w + (M + 256) * (N + 256) + (if (dense) M * N else 0) + 2 * 3 * 256 * max(N, M / 4) + N *
        32 * 60 + M * 32 * 24 +
        2 * 6 * 64 * M) + 24 * entries
}
# and the result; the state that is kept: weights and moments as doubles
setMethod(".fitBytes", "GraphSciParam", function(param, x, n, keep.state) {
    edges <- length(x@recipe$plan$neighbours)
    weights <- if (param@inner == "full") nrow(x) * (nrow(x) + 256) else edges + nrow(x)
    .graphSciBytes(param, nrow(x), ncol(x), length(x@x@x), edges) + 16 * n +
        (if (keep.state) 24 * weights else 0)
})

setMethod(".shownLoss", "GraphSciParam", function(param, train, valid, entries)
    list(train = train, valid = valid, label = "cost"))

setMethod(".finished", "GraphSciParam", function(param, fit) {
    for (name in c("valid", "edge.auc")) fit@history[[name]][!is.finite(fit@history[[name]])] <- NA
    if (!length(fit@recipe$plan$pairs)) fit@history$edge.auc <- NULL
    if (fit@stopped == .stopReasons[8L])
        warning(sprintf(
            paste("the cost of GraphSCI was no longer finite after %d epochs; the weights of",
        "epoch %d are kept; a smaller 'learning.rate' (now %g) may help"), nrow(fit@history),
        fit@best, fit@param@learning.rate), call. = FALSE)
    fit
})

setMethod(".ownParts", "GraphSciParam", function(param) {
    head <- function(what) function(fit, genes = NULL, cells = NULL)
        .outputHead(fit, what, genes, cells)
    list(edges = .geneEdges, mean = head("mean"), dispersion = head("dispersion"),
        dropout = head("dropout"))
})

# The gene graph as the latent matrix has it: the probability of a pair is the mean over both
# directions.
.geneEdges <- function(fit, threshold = 0.5, as = c("data.frame", "matrix")) {
    threshold <- .checkNumber(threshold, "threshold", 0, 1)
    as <- .checkChoice(as, "as", c("data.frame", "matrix"))
    w <- .weightsOf(fit)
    inner <- fit@param@latent == "inner"
    q <- if (inner) w$Z else w$Qa
    N <- nrow(q)
    logistic <- function(z) 1 / (1 + exp(-z))
    # 256 genes at a time: no N x N matrix
    found <- lapply(seq_len(ceiling(N / 256)), function(b) {
        at <- (256 * (b - 1) + 1):min(N, 256 * b)
        p <- if (inner) logistic(q[at, , drop = FALSE] %*% t(q))
            else (logistic(q[at, , drop = FALSE] %*% w$Wm) +
                t(logistic(q %*% w$Wm[, at, drop = FALSE]))) / 2
        hit <- which(p > threshold & at[row(p)] < col(p), arr.ind = TRUE)
        data.frame(i = at[hit[, 1L]], j = hit[, 2L], p = p[hit])
    })
    e <- do.call(rbind, found)
    names <- fit@recipe$genes[fit@recipe$selected]
    if (as == "matrix") {
        m <- sparseMatrix(i = e$i, j = e$j, x = e$p, dims = c(N, N), symmetric = TRUE)
        if (!is.null(names)) dimnames(m) <- list(names, names)
        return(m)
    }
    e <- e[order(-e$p), ]
    named <- function(k) if (is.null(names)) fit@recipe$selected[k] else names[k]
    data.frame(gene1 = named(e$i), gene2 = named(e$j), probability = e$p)
}

# One of the three heads at some modelled genes and fitted cells.
.outputHead <- function(fit, what, genes, cells) {
    w <- .weightsOf(fit)
    pick <- function(at, n, arg) {
        if (is.null(at)) return(seq_len(n))
        if (!is.numeric(at) || anyNA(at) || any(at < 1 | at > n | at != round(at)))
            .stop("'%s' must be positions from 1 to %d, not %s",
            arg, n, .describe(at))
        at
    }
    g <- pick(genes, ncol(w$D), "genes")
    c <- pick(cells, nrow(w$E2), "cells")
    head <- switch(what, mean = c("D", "d0"), dropout = c("P", "p0"), dispersion = c("T", "t0"))
    draws <- ncol(w[[head[2L]]])
    out <- 0
    for (d in seq_len(draws)) {
        units <- 32 * (d - 1) + 1:32
        o <- t(w$E2[c, units, drop = FALSE] %*% w[[head[1L]]][units, g, drop = FALSE]) +
            w[[head[2L]]][g, d]
        out <- out + switch(what, mean = exp(pmin(pmax(o, log(1e-5)), log(1e6))),
            dropout = if (fit@param@dist == "nb") 0 * o else 1 / (1 + exp(-o)),
            dispersion = pmin(pmax(pmax(o, 0) + log1p(exp(-abs(o))), 1e-4), 1e4)) / draws
    }
    dim(out) <- dim(o)
    dimnames(out) <- list(if (is.null(fit@recipe$genes)) fit@recipe$selected[g] else
        fit@recipe$genes[fit@recipe$selected[g]], .cellsOf(fit, nrow(w$E2))[c])
    out
}

setMethod(".holdsOut", "GraphSciParam", function(param) identical(param@stop, "validation"))

setMethod(".sizeAdvice", "GraphSciParam", function(param, x) "inner = \"edges\"")

setMethod(".unsetWords", "GraphSciParam", function(param) list(
    adj = sprintf("genes correlated above %g", param@threshold)))

setMethod(".usualIterations", "GraphSciParam", function(param) 240)
