# The priors of a posterior: their fits to a part of the data, and what they predict there.

# Fits of the priors `which` to a draw (.draw()), named; one that fails is left out, with a warning.
.fitPriors <- function(job, data, which, seed, quiet) {
    items <- Map(function(param, name) list(param = param, name = name), job$priors[which], which)
    how <- job$how[c("threads", "every")]
    how$say <- if (is.null(job$how$BPPARAM)) job$how$say else .silent
    fits <- .overWorkers(items, .fitPrior, job$how$BPPARAM, data = data, how = how, seed = seed,
        quiet = quiet)
    names(fits) <- which
    Filter(Negate(is.null), fits)
}

# One of them, or NULL with a warning that names it. quiet: what it warns of is said of a part of
# the molecules only.
.fitPrior <- function(prior, data, how, seed, quiet) {
    how$say("prior %s", prior$name)
    # a prior short of its tolerance is as good as the weight that held-out molecules give it
    heard <- function(code) withCallingHandlers(code,
        infill_tol = function(w) invokeRestart("muffleWarning"))
    tryCatch((if (quiet) suppressWarnings else heard)(suppressMessages({
        how <- .partOf(how, prior$param, seed)
        .checkInput(how$param, data$counts)
        .timed(.fitTo(how$param, data, how))
    })), error = function(e) {
        .leftOut(prior$name, conditionMessage(e))
        NULL
    })
}

.leftOut <-
    function(name,
        why) warning(warningCondition(sprintf("the prior \"%s\" was left out: %s", name, why),
    class = "infill_left_out", why = why))

# The gene mean, for genes that a prior does not model: the prior itself where it is one of them.
.meanFit <- function(job, data, fits, quiet) {
    is.mean <- vapply(fits, function(f) .isGeneMean(f@param), TRUE)
    if (any(is.mean)) return(fits[is.mean][[1L]])
    how <- .partOf(job$how, job$mean.param, job$param@seed)
    (if (quiet) suppressWarnings else identity)(.timed(.fitTo(how$param, data, how)))
}

# Predictions of a prior for cells of counts, dense; genes that it does not model from the gene
# mean.
.priorBlock <- function(counts, cols, fit, mean.fit, threads, rows = NULL, shared = NULL) {
    how <- .plainly("none")
    how$shared <- shared                    # of calls with the same counts and cells
    values <- .block(fit, counts, cols, how, threads, rows)
    at <- .matchGenes(counts, fit@recipe)
    if (is.null(rows)) rows <- seq_len(nrow(counts))
    not <- which(!rows %in% at[fit@recipe$status == "modelled"])
    if (length(not)) values[not, ] <- .block(mean.fit, counts, cols, how, threads, rows[not])
    dimnames(values) <- NULL
    values
}

# The same at sampled entries (.sampledEntries()), block of cells by block.
.priorAt <- function(counts, sample, fit, mean.fit, threads) {
    n <- nrow(counts)
    out <- numeric(length(sample$at))
    for (cells in .inBlocks(length(sample$cells), n)) {
        before <- (cells[1L] - 1) * as.double(n)
        first <- findInterval(before, sample$at) + 1
        last <- findInterval(before + length(cells) * as.double(n), sample$at)
        if (last < first) next
        block <- .priorBlock(counts, sample$cells[cells], fit, mean.fit, threads)
        out[first:last] <- block[sample$at[first:last] - before]
    }
    out
}
