# The priors of a posterior: their fits to a part of the data, and what they predict there.

# Fits of the priors `which` to a draw (.draw()), named; one that fails is left out, with a warning.
.fitPriors <- function(job, data, which, seed, quiet) {
    .readySvd(job, data, which, seed)
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

# The decomposition that several priors are parts of, once, before they go to their workers.
.readySvd <- function(job, data, which, seed) {
    wants <- vapply(job$priors[which], function(p) if (is(p, "SvdParam")) p@rank else
        if (is(p, "NeighborMeanParam") && is.null(p@embedding)) p@n.components else 0, 0)
    data$vectors <- max(wants, 0)
    if (sum(wants > 0) < 2L) return()
    p <- SvdParam(data$vectors, seed = seed)
    # who cannot be had then says so by the name of its prior
    tryCatch(suppressWarnings(.sharedSvd(data, p@rank, p, job$how)), error = function(e) NULL)
}

# What the core needs to know of the priors: list(kind, first, values, usual, turn, near). Those
# that are parts of one decomposition, or of one search for neighbours, are computed in the core;
# others (`dense`) are to come as matrices.
.crew <- function(fits, mean.fit, genes) {
    is.a <- function(class) vapply(fits, function(f) is(f@param, class) &&
        length(f@recipe$kept) == genes && all(f@recipe$status == "modelled"), NA)
    mean <- is.a("GeneMeanParam") & vapply(fits, function(f) .isGeneMean(f@param), NA)
    for (f in fits) if (!is.null(f@recipe$plan) && !is.list(f@recipe$plan))
        .damaged("the fit", "recipe$plan", "must be a list, or NULL")
    near <- is.a("NeighborMeanParam") & vapply(fits, function(f)
        length(f@recipe$plan$rotation) > 0L, NA)
    svd <- is.a("SvdParam")
    sets <- lapply(fits, function(f) if (is(f@param, "SvdParam")) f@weights else
        f@recipe$plan$rotation)
    quick <- which(svd | near)
    turn <- if (length(quick)) sets[[quick[which.max(lengths(sets[quick]))]]]
    first <- integer(length(fits))
    for (k in quick) first[k] <- .wanted(fits[[k]], sets[[k]], svd[k], genes)
    plan <- function(k) fits[[k]]@recipe$plan
    one <- quick[1L]
    # parts of the same vectors, sizes and cells
    for (k in quick) if (!identical(sets[[k]], turn[seq_along(sets[[k]])]) ||
        !identical(plan(k)$usual, plan(one)$usual) ||
        near[k] && !identical(plan(k), plan(which(near)[1L]))) svd[k] <- near[k] <- FALSE
    kind <- ifelse(mean, 1L, ifelse(svd, 2L, ifelse(near, 3L, 0L)))
    usual <- if (length(quick)) plan(one)$usual else mean.fit@recipe$usual
    values <- vector("list", length(fits))
    values[mean] <- lapply(fits[mean], .meanAt, usual)
    k <- which(near)[1L]
    list(kind = kind, first = first, values = values, usual = usual,
        turn = if (!is.null(turn)) matrix(turn, genes),
        near = if (any(near)) c(plan(k)[c("p", "i", "x", "totals", "scores")],
            list(keys = as.double(fits[[k]]@extras$cells))))
}

# How many vectors or neighbours a fit wants. What C is to read of it is looked at first.
.wanted <- function(fit, set, svd, genes) {
    p <- fit@recipe$plan
    for (part in if (svd) c("usual", "rank") else c("usual", "dims", "cells"))
        if (!.isNumber(p[[part]]) || !is.finite(p[[part]])) .damaged("the fit",
            paste0("recipe$plan$", part), "must be one number")
    if (!svd && !is.numeric(fit@extras$cells)) .damaged("the fit", "extras$cells",
        "must be numbers")
    if (!is.double(set) || !isTRUE(length(set) == genes * (if (svd) p$rank else p$dims)))
        .damaged("the fit", if (svd) "weights" else "plan$rotation",
            "is not of the size of its genes")
    n <- if (svd) p$rank else min(fit@param@k, p$cells)
    if (!isTRUE(n >= 1))
        .damaged("the fit", if (svd) "plan$rank" else "param@k", "must be at least 1")
    as.integer(n)
}

# Gene means at the size that is 1 where the usual total is this one.
.meanAt <- function(fit, usual) if (identical(fit@recipe$usual, usual)) fit@weights else
    fit@weights * (usual / fit@recipe$usual)

# log(prediction + 0.001) of the priors, and of the gene mean last, at sampled entries
# (.sampledEntries()).
.priorsAt <- function(counts, sample, fits, mean.fit, threads) {
    crew <- .crew(c(unname(fits), list(mean.fit)), mean.fit, nrow(counts))
    for (k in which(crew$kind == 0L)) crew$values[[k]] <- .priorBlock(counts, sample$cells,
        fits[[k]], mean.fit, threads)
    .Call(C_stack_at, crew, .columns(counts, sample$cells), as.double(sample$at), threads)
}
