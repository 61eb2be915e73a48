#' @include compare.R
NULL

# ---- what it says ----

.firstScore <- c(molecules = "poisson", entries = "rmse")

# One row per method of a task: means over repeats, and the difference to the best baseline with its
# interval.
.summary <- function(cmp, task) {
    t <- .runRows(cmp$table[cmp$table$task == task, ])
    score <- .firstScore[[task]]
    by <- split(t, factor(t$method, unique(t$method)))
    value <- vapply(by, function(d) mean(d[[score]]), 0)
    base <- vapply(by, function(d) d$baseline[1L], TRUE)
    ok <- is.finite(value)
    best <- if (any(base & ok)) names(which.min(value[base & ok]))
    # the simpler one, where the gene mean's posterior is no better worth the name
    plain <- base & ok & names(by) != "gene mean posterior"
    if (identical(best, "gene mean posterior") && any(plain)) {
        other <- names(which.min(value[plain]))
        if (value[[other]] - value[[best]] < .worthTheName *
            (value[[other]] - mean(by[[other]]$perfect))) best <- other
    }
    rows <- lapply(names(by), function(name) {
        d <- by[[name]]
        of.best <- if (!is.null(best)) by[[best]][match(d$`repeat`, by[[best]]$`repeat`), ]
        diff <- if (is.null(best)) NA else d[[score]] - of.best[[score]]
        n <- sum(is.finite(diff))
        half <- if (n > 1) stats::qt(0.975, n - 1) * stats::sd(diff) / sqrt(n) else NA_real_
        spread <- if (sum(is.finite(d[[score]])) > 1)
            stats::qt(0.975, nrow(d) - 1) * stats::sd(d[[score]]) / sqrt(nrow(d)) else NA_real_
        scale <- if (is.null(best)) NA else mean(by[[best]][[score]] - by[[best]]$perfect)
        data.frame(method = name, baseline = d$baseline[1L], value = mean(d[[score]]),
            interval = spread, difference = mean(diff), half = half,
            beats = name != best && !base[[name]] && isTRUE(mean(diff) + half < 0) &&
            isTRUE(-mean(diff) >= .worthTheName * scale),
            seconds = mean(d$seconds), memory = mean(d$memory),
            error = d$error[!is.na(d$error)][1L])
    })
    out <- do.call(rbind, rows)
    attr(out, "best") <- best
    out
}

# Without repeats that were not run, of methods that have others.
.runRows <- function(t) {
    missing <- grepl("^not run: ", t$error)
    t[!missing | !t$method %in% t$method[!missing], ]
}

.verdict <- function(cmp, task) {
    s <- .summary(cmp, task)
    best <- attr(s, "best")
    models <- s[!s$baseline & is.finite(s$value), ]
    what <- c(molecules = "held-out molecules (Poisson loss)",
        entries = "hidden entries (RMSE on logarithms)")[[task]]
    if (!nrow(models)) return(sprintf("%s: no model could be fitted.", what))
    top <- models[which.min(models$value), ]
    base <- s[s$method == best, ]
    said <- if (is.na(top$half)) .onlyLowest(top, base)
        else if (!any(models$beats)) .noneBeats(top, base)
        else if (!top$beats) .surelyBetter(models, top, base)
        else .bestIs(models, top, base)
    not <- s$method[grepl("^not run: ", s$error) & !is.finite(s$value)]
    paste0(what, ": ", said, .butWorse(cmp, task, top), if (length(not))
        sprintf(" Not run, and so not judged: %s.", toString(not)))
}

# What a model that beats the baselines makes worse than it is in the counts, and why that may be.
.butWorse <- function(cmp, task, top) {
    if (task != "molecules" || !top$beats) return("")
    t <- .runRows(cmp$table[cmp$table$task == task, ])
    up <- c(ari = TRUE, silhouette = TRUE, pearson.gene = TRUE, pearson.cell = TRUE, mse = FALSE)
    of <- function(score, method) if (!is.null(t[[score]]))
        mean(t[[score]][t$method == method]) else NA
    worse <- unlist(lapply(names(up), function(score) {
        ours <- of(score, top$method)
        counts <- of(score, "none")
        less <- if (up[[score]]) counts - ours else ours - counts
        # differences that print as one are none
        if (isTRUE(less > max(0.005, 0.01 * abs(counts)))) sprintf("%s %s (counts %s)", score,
            signif(ours, 3), signif(counts, 3))
    }))
    if (!length(worse)) return("")
    sprintf(" Worse than in the counts: %s.%s", paste(worse, collapse = ", "),
        if (any(startsWith(worse, "mse"))) paste(" mse compares logarithms of small noisy counts,",
            "and favours what is as noisy as they are.") else "")
}

# The difference to the best baseline in words.
.inInterval <- function(row) {
    v <- row$difference + c(0, -1, 1) * row$half
    if (all(v == 0)) return("no different")
    small <- max(abs(v)) < 1e-3
    do.call(sprintf, c(list(if (small) "%+.2g (95 %% interval %+.2g to %+.2g)" else
        "%+.4f (95 %% interval %+.4f to %+.4f)"), as.list(v)))
}

.onlyLowest <- function(top, base) {
    lowest <- if (top$value < base$value) top else base
    sprintf("%s is lowest, %.4f%s; one repeat gives no interval, so no verdict.", lowest$method,
        lowest$value,
        if (lowest$method == base$method)
        sprintf(" against %.4f of the best model (%s)", top$value, top$method)
        else sprintf(" against %.4f of the best baseline (%s)", base$value, base$method))
}

.noneBeats <- function(top, base) {
    sure <- top$difference + top$half < 0                # and yet too small
    sprintf("do not impute%s. No model beats \"%s\" (%.4f) %s; the nearest is %s, %s.",
        if (base$method == "gene mean posterior")
        " with these models; StackParam(GeneMeanParam()) is enough" else "",
        base$method, base$value, if (sure)
        sprintf("by %g %% of its distance to a perfect prediction",
            100 * .worthTheName) else "by more than chance", top$method, .inInterval(top))
}

# The lowest mean is not the sure one.
.surelyBetter <- function(models, top, base) {
    sure <- models[models$beats, ]
    one <- sure[which.min(sure$value), ]
    sprintf(paste0(
        "%s beats the best baseline (\"%s\", %.4f): %.4f, %s. %s is lower, %.4f, but that ",
        "may be chance: %s.%s"), one$method, base$method, base$value, one$value, .inInterval(one),
        top$method, top$value,
        .inInterval(top), if (nrow(sure) > 1L) sprintf(" Surely better (95 %%): %s.",
            paste(sure$method, collapse = ", ")) else "")
}

.bestIs <- function(models, top, base) {
    all <- all(models$beats)
    sprintf("%s is best, %.4f against %.4f of the best baseline (\"%s\"): %s.%s", top$method,
        top$value,
        base$value, base$method, .inInterval(top),
        if (all && nrow(models) > 1L) " Every model beats the baselines." else if (all) "" else
            sprintf(" Of all models, these are surely better (95 %%): %s.",
                paste(models$method[models$beats], collapse = ", ")))
}

# What was held out, in words: of the molecules, and where the entries were chosen otherwise, how.
.heldOutWords <- function(cmp) {
    s <- cmp$settings
    tasks <- unique(cmp$table$task)
    own <- s$scheme != "uniform" && "entries" %in% tasks
    share <- sprintf("%g %% held out", 100 * s$fraction)
    if (!own) return(share)
    masks <- sprintf("entries hidden by \"%s\"%s", s$scheme, if (s$scheme == "exponential.cell")
        "" else
        sprintf(", %.0f of each %s", if (is.null(s$n.entries)) 10 else s$n.entries,
            sub("logistic.", "", s$scheme, fixed = TRUE)))
    if ("molecules" %in% tasks) paste0(sub("held out", "of the molecules held out", share), ", ",
        masks) else masks
}

#' @export
print.InfillComparison <- function(x, ...) {
    .strict("print()", ...)
    s <- x$settings
    cat(sprintf("InfillComparison: %d genes x %d cells%s, %s, %d repeat%s, seed %.0f\n", s$genes,
        s$cells, if (isTRUE(s$of > s$cells)) sprintf(" (a sample of %d)", s$of) else "",
        .heldOutWords(x), s$repeats,
         if (s$repeats > 1) "s" else "", s$seed))
    for (task in unique(x$table$task)) {
        t <- .runRows(x$table[x$table$task == task, ])
        show <- intersect(if (task == "molecules")
            c("poisson", "mse", "pearson.gene", "pearson.cell", "ari", "silhouette")
            else c("rmse", "mae", "nmse", "pearson"), names(t))
        d <- .summary(x, task)
        m <- stats::aggregate(t[show], list(method = factor(t$method, unique(t$method))), mean)
        # at most 1
        small <- intersect(c("pearson.gene", "pearson.cell", "pearson", "ari", "silhouette"), show)
        m[small] <- round(m[small], 4)
        out <- data.frame(m[1L], m[2L], `+-` = d$interval, m[-(1:2)],
            seconds = sprintf("%.3g", d$seconds), MB = round(d$memory),
            check.names = FALSE)
        cat(sprintf("\n%s\n", c(molecules = "Held-out molecules",
            entries = "Hidden entries")[[task]]))
        print(format(out[order(d$value), ], digits = 4), row.names = FALSE)
        for (k in which(!is.na(d$error))) cat(sprintf("  %s %s\n", d$method[k],
            if (startsWith(d$error[k], "not run: ")) paste("was", d$error[k]) else
                paste("failed:", d$error[k])))
        cat(paste(strwrap(.verdict(x, task), 100), collapse = "\n"), "\n", sep = "")
    }
    for (w in x$warnings) cat(sprintf("  warning of %s\n", w))
    invisible(x)
}

#' @export
as.data.frame.InfillComparison <- function(x, ...) as.data.frame(x$table, ...)
