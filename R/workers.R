#' @include checks.R
NULL

.onWorkers <- function(jobs, spec, BPPARAM) {
    .needs("BiocParallel", "'BPPARAM'")
    if (!is(BPPARAM, "BiocParallelParam"))
        .stop("'BPPARAM' must be a BiocParallelParam, not %s", .describe(BPPARAM))
    tryCatch(BiocParallel::bplapply(split(jobs, seq_len(nrow(jobs))), .compareOne, spec = spec,
        BPPARAM = BPPARAM),
        error = function(e) .stop("a worker of 'BPPARAM' failed: %s", conditionMessage(e)))
}

.priorsOnWorkers <- function(data, priors, seed, threads, quiet, BPPARAM) {
    .needs("BiocParallel", "'BPPARAM'")
    if (!is(BPPARAM, "BiocParallelParam"))
        .stop("'BPPARAM' must be a BiocParallelParam, not %s", .describe(BPPARAM))
    tryCatch(BiocParallel::bpmapply(function(p, name) .fitPrior(data, p, name, seed, threads, quiet,
        function(...) NULL), priors, names(priors),
        SIMPLIFY = FALSE, BPPARAM = BPPARAM),
        error = function(e) .stop("a worker of 'BPPARAM' failed: %s", conditionMessage(e)))
}

# The networks of a model dealt out to the workers of BPPARAM, and what they return put together:
# the same bits, because every network has its own random streams.
.fitOnWorkers <- function(x, param, threads, resume, keep.state, checkpoint, BPPARAM, started) {
    .needs("BiocParallel", "'BPPARAM'")
    if (!is(BPPARAM, "BiocParallelParam")) .stop("'BPPARAM' must be a BiocParallelParam, not %s",
        .describe(BPPARAM))
    plan <- x@recipe$plan
    if (!isTRUE(x@recipe$networks))
        .stop("'BPPARAM' is for models of several networks, not for %s (use 'num.threads')",
        class(param))
    if (isTRUE(param@joint))
        .stop("'BPPARAM' cannot be used with joint = TRUE: the networks stop together")
    if (!is.null(resume) || keep.state || !is.null(checkpoint)) .stop(
        "'resume', 'keep.state' and 'checkpoint' cannot be used with 'BPPARAM'")
    # started here and stopped here: after a worker was killed, bplapply()'s own start leaves
    # children behind that break the next
    if (!BiocParallel::bpisup(BPPARAM)) {
        BiocParallel::bpstart(BPPARAM)
        on.exit(try(suppressWarnings(BiocParallel::bpstop(BPPARAM)), silent = TRUE))
    }
    parts <- .splitPlan(plan, min(BiocParallel::bpnworkers(BPPARAM), plan[1L]))
    fits <- tryCatch(BiocParallel::bplapply(parts, .fitPart, x = x, param = param,
        threads = threads,
        BPPARAM = BPPARAM), error = function(e) .stop("a worker of 'BPPARAM' failed: %s",
            conditionMessage(e)))
    for (f in fits) if (is(f, "condition")) stop(f)
    all <- fits[[1L]]
    shared <- all@shapes$name == "limit"
    n <- sum(as.double(all@shapes$nrow[shared]) * all@shapes$ncol[shared])
    all@weights <- c(unlist(lapply(fits, function(f) head(f@weights, -n))), tail(all@weights, n))
    all@shapes <-
        rbind(do.call(rbind, lapply(fits, function(f) f@shapes[f@shapes$name != "limit", ])),
        all@shapes[shared, ])
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
    all@seconds <- proc.time()[["elapsed"]] - started
    all
}

# An error of ours comes back as a value, with its class.
.fitPart <- function(plan, x, param, threads) tryCatch(
    .fitOnce(x, param, threads, NULL, 0, FALSE, NULL, plan), infill_error = identity)

# The networks of a plan (see model_deepimpute.c): id, predictors and targets (rows from 0).
.planNetworks <- function(plan)
{
    at <- 2L + plan[2L]
    lapply(seq_len(plan[1L]), function(k) {
        n <- plan[at + 2:3]
        from <- at + 3L
        at <<- from + sum(n)
        list(id = plan[from - 2L], predictors = plan[from + seq_len(n[1L])],
            targets = plan[from + n[1L] + seq_len(n[2L])])
    })
}

# The plan cut into n plans of consecutive networks.
.splitPlan <- function(plan, n) {
    nets <- .planNetworks(plan)
    lapply(unname(split(nets, ceiling(seq_along(nets) * n / length(nets)))),
        function(part) c(length(part),
        plan[2L + 0:plan[2L]],
        unlist(lapply(part, function(p) c(p$id, lengths(p[2:3]), p$predictors, p$targets)))))
}
