#' @include compare.R
NULL

# One method on one split of the data: fitted to what is left, judged by what was held out.

# What a plot of training needs of a fit: no weights.
.thinFit <- function(fit) {
    if (!is(fit, "InfillFit") || !nrow(fit@history)) return(NULL)
    fit@weights <- fit@state <- numeric()
    fit@extras <- list()
    fit@recipe <- fit@recipe["log"]
    fit
}

# A fit of a part of the data. posterior: of the model's posterior, and a model that could not be
# used has none; one that did not earn its place has that of the gene mean.
.fitJudged <- function(counts, param, spec, seed, posterior) {
    if (posterior) param <- .withPosterior(param)
    lost <- NULL
    .checkInput(param, counts)
    fit <- withCallingHandlers(.fitChecked(counts, param, seed = seed, num.threads = spec$threads,
        progress = FALSE),
        infill_left_out = function(w) lost <<- c(lost, w$why))
    if (posterior && length(lost)) .stop("without the model there is no posterior of it: %s",
        lost[1L])
    fit
}

.emptied <- function(n, counts) if (n)
    sprintf("the mask leaves %d of %d cells without counts", n, ncol(counts))

.scoreMolecules <- function(param, counts, spec, seed, posterior) {
    s <- .splitMolecules(counts, spec$fraction, seed)
    if (!sum(s$test) || !sum(s$train))
        .stop("'x' has too few molecules to hold %g of them out", spec$fraction)
    started <- proc.time()[["elapsed"]]
    fit <- .fitJudged(s$train, param, spec, seed, posterior)
    keep <- if (posterior) "posterior" else .judgedKeep(param)
    judged <- .judgeMolecules(s, fit, keep, spec$threads, seed)
    seconds <- proc.time()[["elapsed"]] - started
    if (!is.null(spec$labels)) judged$scores <-
        c(judged$scores, .clusterScores(s$train, fit, keep, spec, seed))
    c(judged, list(fit = .thinFit(fit), seconds = seconds, notes = .emptied(s$emptied, counts)))
}

# Losses and correlations of what a fit to s$train says of s$test; `sample`: predicted and held out
# by tenth.
.judgeMolecules <- function(s, fit, keep, threads, seed) {
    n <- ncol(s$train)
    scale <- sum(s$test) / sum(s$train)
    acc <- list(numeric(5 * nrow(s$train)), numeric(4))
    cell <- numeric(n)
    # cells whose entries are kept
    look <- sort(.Call(C_choose, as.double(n), as.double(min(200, n)), seed))
    sample <- list()
    .overBlocks(s$train, fit, .plainly(keep), threads, function(values, cols) {
        r <- .Call(C_split_add, s$test, cols[1L] - 1L, values, scale, 1e-6, acc[[1L]], acc[[2L]])
        acc <<- r[1:2]
        cell[cols] <<- r[[3L]]
        some <- intersect(look, cols)
        if (length(some)) sample[[length(sample) + 1L]] <<- list(
            predicted = scale * as.double(values[, some - cols[1L] + 1L]),
            truth = as.double(as.matrix(s$test[, some, drop = FALSE])))
    })
    gene <- .Call(C_split_pearson, acc[[1L]], as.double(n))
    sums <- acc[[2L]] / acc[[2L]][4L]
    list(scores = list(poisson = sums[1L], perfect = sums[2L], mse = sums[3L],
        pearson.gene = median(gene, na.rm = TRUE), pearson.cell = median(cell, na.rm = TRUE)),
        sample = .deciles(unlist(lapply(sample, `[[`, "predicted")),
            unlist(lapply(sample, `[[`, "truth"))))
}

.scoreEntries <- function(param, counts, spec, seed, posterior) {
    m <- .hide(counts, spec$scheme, spec$fraction, seed, spec$n.entries)
    x <- m$counts
    param <- .forEntries(param)                              # a zero is no evidence here
    started <- proc.time()[["elapsed"]]
    fit <- .fitJudged(x, param, spec, seed, FALSE)
    got <- numeric(length(m$value))
    keep <- if (.judgedKeep(param) == "observed") "observed" else "none"
    .overBlocks(x, fit, .plainly(keep), spec$threads, function(values, cols) {
        at <- which(m$col >= cols[1L] & m$col <= cols[length(cols)])
        got[at] <<- values[cbind(m$row[at], m$col[at] - cols[1L] + 1L)]
    })
    seconds <- proc.time()[["elapsed"]] - started
    size <- .sizesOf(x)[m$col]
    t <- log1p(m$value / size)
    p <- log1p(got / size)
    scores <- as.list(.recovery(t, p)[c("rmse", "mae", "nmse", "pearson")])
    some <- if (length(t) > 3000) sort(.Call(C_choose, as.double(length(t)), 3000, seed)) else
        seq_along(t)
    list(scores = c(scores, list(perfect = 0)),
        sample = data.frame(truth = t[some], predicted = p[some]),
        fit = .thinFit(fit), seconds = seconds, notes = .emptied(m$emptied, counts))
}

# Agreement of clusters with the labels, on what the fit makes of the training half.
.clusterScores <- function(train, fit, keep, spec, seed) {
    size <- .sizesOf(train)
    logs <- train
    logs@x <- log1p(logs@x / rep.int(size, diff(logs@p)))
    moments <- .Call(C_moments, logs, numeric(ncol(logs)), 0)
    top <- sort(head(order(-moments$var), 1000))
    m <- matrix(0, length(top), ncol(train))
    .overBlocks(train, fit, .plainly(keep), spec$threads, function(values, cols)
        m[, cols] <<- .logged(values[top, , drop = FALSE], size[cols]))
    pcs <- .principal(m, 20)
    # no clusters, where a model makes fewer different cells than there are classes
    clusters <- tryCatch(.kMeans(pcs, length(unique(spec$labels)), seed), error = function(e) NULL)
    list(ari = if (is.null(clusters)) NA_real_ else adjustedRandIndex(clusters, spec$labels),
        silhouette = silhouetteWidth(pcs, spec$labels))
}
