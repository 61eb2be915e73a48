#' @include package.R checks.R threads.R
NULL

#' Parameters of a model
#'
#' `InfillParam` is the virtual class of all models; `NetworkParam` that of the
#' models trained step by step. Objects are made with the constructor of a
#' model, such as [AutoImputeParam()].
#'
#' @slot model Name of the model in the C core.
#' @slot seed Number from 0 to 2^53, or `NA`: drawn from R's generator.
#' @slot num.threads Threads, or `NA`: `getOption("infill.threads", 1)`.
#' @slot learning.rate,max.iter,batch.size,stop,patience,valid.fraction,threshold
#'   Training: step size, most iterations, cells per step (0: all), the stop
#'   rule and its constants. See the constructors.
#' @param object An `InfillParam`.
#' @return Virtual classes: no objects.
#' @examples
#' is(AutoImputeParam(), "InfillParam")
#' @aliases InfillParam-class NetworkParam-class
#' @name InfillParam
NULL

#' @export
setClass("InfillParam", contains = "VIRTUAL",
    slots = c(model = "character", seed = "numeric", num.threads = "numeric"),
    prototype = list(seed = NA_real_, num.threads = NA_real_))

#' @export
setClass("NetworkParam", contains = c("InfillParam", "VIRTUAL"),
    slots = c(learning.rate = "numeric", max.iter = "numeric",
        batch.size = "numeric", stop = "character", patience = "numeric",
        valid.fraction = "numeric", threshold = "numeric"))

# One line for each slot that is outside what the C core's table of fields allows.
.fieldProblems <- function(object) {
    if (!nzchar(object@model)) return(character())          # no model of the core
    fields <- .Call(C_fields, object@model)
    out <- character()
    for (k in seq_along(fields$name)) {
        name <- fields$name[k]
        value <- slot(object, name)
        words <- strsplit(fields$words[k], "|", fixed = TRUE)[[1L]]
        range <- sprintf("between %g and %g", fields$lo[k], fields$hi[k])
        inside <- function(v) v >= fields$lo[k] && v <= fields$hi[k]
        problem <- switch(fields$kind[k],
            choice = if (!.isString(value) || !value %in% words)
                paste("one of", paste(dQuote(words, FALSE), collapse = ", ")),
            flag = if (!.isFlag(value)) "TRUE or FALSE",
            int = if (!.isWhole(value) || !inside(value))
                paste("one whole number", range),
            real.na = if (length(value) != 1L || !is.na(value) &&
                !(.isNumber(value) && inside(value)))
                paste("one number", range, "or NA"),
            real = if (!.isNumber(value) || !inside(value))
                paste("one number", range))
        if (!is.null(problem)) out <- c(out, sprintf("'%s' must be %s, not %s",
            name, problem, .describe(value)))
    }
    out
}

# What else is wrong with a model's slots. A generic, because validity of a subclass is not asked
# once that of its superclass has failed, and all mistakes are to be told at once.
setGeneric(".ownProblems", function(object) character())

setValidity("InfillParam", function(object) {
    out <- c(.fieldProblems(object), .ownProblems(object))
    if (length(object@seed) != 1L || (!is.na(object@seed) &&
        !(.isWhole(object@seed) && object@seed >= 0 && object@seed <= 2^53))) {
        out <- c(out, sprintf(
            "'seed' must be NA or one whole number between 0 and 2^53, not %s",
            .describe(object@seed)))
    }
    if (length(object@num.threads) != 1L || (!is.na(object@num.threads) &&
        !(.isWhole(object@num.threads) && object@num.threads >= 1))) {
        out <- c(out, sprintf(
            "'num.threads' must be NA or one whole number from 1, not %s",
            .describe(object@num.threads)))
    }
    if (length(out)) out else TRUE
})

# new() with the package's own errors, all of an object's mistakes at once.
# NA is given as a logical by hand; slots are numeric.
.newParam <- function(.class, ...) {
    args <- list(...)
    known <- setdiff(slotNames(.class), "model")
    if (length(args) && (is.null(names(args)) || !all(nzchar(names(args))))) {
        .stop("%s(): arguments after the first ones must be named", .class)
    }
    unknown <- setdiff(names(args), known)
    if (length(unknown)) {
        near <- lapply(unknown, agrep, x = known, value = TRUE)
        .stop(paste(sprintf("%s() has no argument '%s'%s", .class, unknown, vapply(near,
            function(n) if (length(n)) sprintf("; did you mean '%s'?", n[1L]) else "", "")),
            collapse = "\n"))
    }
    slots <- getSlots(.class)
    problems <- character()
    for (name in names(args)) {
        if (slots[[name]] == "numeric" && is.logical(args[[name]]) &&
            all(is.na(args[[name]]))) args[[name]] <- as.double(args[[name]])
        if (!is(args[[name]], slots[[name]])) {
            problems <- c(problems, sprintf("'%s' must be %s, not %s", name,
                switch(slots[[name]], numeric = "a number", character = "a string",
                    logical = "TRUE or FALSE", GeneList = "names or positions of genes",
                    MatrixOrNULL = "a matrix or NULL", LabelsOrNULL = "a vector of labels or NULL",
                    GraphOrNULL = "a matrix, a data.frame of edges or NULL",
                    ListOrNULL = "a list or NULL", slots[[name]]),
                .describe(args[[name]])))
            args[[name]] <- NULL
        }
    }
    object <- new(.class)
    for (name in names(args)) slot(object, name, check = FALSE) <- args[[name]]
    valid <- validObject(object, test = TRUE)
    if (!isTRUE(valid)) problems <- c(problems,
        valid[sub("^'([^']*)'.*", "\\1", valid) %in% names(args)])
    if (length(problems)) .stop(paste(problems, collapse = "\n"))
    object
}

#' @rdname InfillParam
#' @importFrom methods show
#' @export
setMethod("show", "InfillParam", function(object) {
    cat(class(object), "\n", sep = "")
    names <- setdiff(slotNames(object), "model")
    for (name in names)
        cat(sprintf("  %-*s %s\n", max(15L, nchar(names)), name, .slotText(slot(object, name))))
})

# A slot in a line.
.slotText <- function(x) {
    if (is.null(x)) "NULL"
    else if (is.list(x) && all(vapply(x, isS4, TRUE))) paste0(
        if (!is.null(names(x))) ifelse(nzchar(names(x)), paste0(names(x), " = "), ""),
        vapply(x, function(v) class(v)[1L], ""), collapse = ", ")
    else if (length(dim(x)) == 2L) sprintf("%s, %d x %d", class(x)[1L], nrow(x), ncol(x))
    else if (length(x) > 20L) sprintf("%d values", length(x))
    else paste(format(x), collapse = " ")
}

#' A fitted model
#'
#' What [fitInfill()] returns: plain data. `saveRDS()` is its file format.
#'
#' @slot param The [InfillParam-class] it was fitted with.
#' @slot recipe How counts were prepared, and how that is undone; see
#'   [prepareCounts()].
#' @slot weights All weights in one numeric vector (single precision kept
#'   exactly); [fitWeights()] gives them as named matrices.
#' @slot shapes Name, rows and columns of each weight matrix, in order.
#' @slot history data.frame with one row per iteration: `iteration`, `train`
#'   and `valid` (the model's loss; AutoImpute: sums of squared errors),
#'   `penalty`; and `network`, where a model trains several.
#' @slot best,stopped Iteration whose weights are kept, and why the training
#'   ended: one value, or one for each network.
#' @slot heldout data.frame: `pearson` and `mse` at held-out values, on the
#'   model's scale, one row per network; `NA` where a model does not say.
#' @slot seed The seed in force.
#' @slot state What a later [fitInfill()] with `resume` needs (empty unless kept).
#' @slot entries,cells Non-zeros and cells it was fitted to.
#' @slot seconds Wall time of the fit, preparation included where it did that too.
#' @slot version Version of the package.
#' @param object An `InfillFit`.
#' @return `fitWeights()`: a list of numeric matrices, or one such list for each of
#'   several networks. `fitHistory()`: the
#'   data.frame of the slot. `modelledGenes()`: positions of the modelled genes
#'   in the data of the fit, in order of their score, named.
#' @examples
#' counts <- matrix(rpois(2000, 2), 50, 40)
#' fit <- fitInfill(counts, AutoImputeParam(hidden = 8, max.iter = 20), seed = 1)
#' fit
#' lapply(fitWeights(fit), dim)
#' tail(fitHistory(fit), 2)
#' head(modelledGenes(fit))
#' @export
setClass("InfillFit", slots = c(param = "InfillParam", recipe = "list",
    weights = "numeric", shapes = "data.frame", history = "data.frame",
    best = "integer", stopped = "character", heldout = "data.frame",
    seed = "numeric", state = "numeric", entries = "numeric", cells = "integer",
    seconds = "numeric", version = "character"))

#' @rdname InfillFit-class
#' @export
setMethod("show", "InfillFit", function(object) {
    r <- object@recipe
    cat(sprintf("InfillFit of %s, seed %.0f\n", class(object@param), object@seed))
    cat(sprintf("  %d genes modelled of %d, %d cells, %.0f non-zeros\n",
        sum(r$status == "modelled"), length(r$status), object@cells, object@entries))
    if (nrow(object@history)) {
        n <- length(object@best)
        if (n == 1L) cat(sprintf("  %d iterations, %s; kept: iteration %d; %.1f s\n",
            .iterations(object), object@stopped, object@best, object@seconds))
        else cat(sprintf("  %d networks, %d to %d iterations; %.1f s\n", n,
            min(.iterations(object)), max(.iterations(object)), object@seconds))
        if (!all(is.na(object@heldout$pearson))) cat(sprintf(
            "  held-out cells: Pearson %.3f, MSE %.3f (mean of the networks)\n",
            mean(object@heldout$pearson, na.rm = TRUE), mean(object@heldout$mse, na.rm = TRUE)))
    }
})

#' @rdname InfillFit-class
#' @export
fitWeights <- function(object) {
    .checkFit(object, "object")
    s <- object@shapes
    n <- as.double(s$nrow) * s$ncol
    end <- cumsum(n)
    out <- lapply(seq_along(n), function(k) matrix(
        object@weights[end[k] - n[k] + seq_len(n[k])], s$nrow[k], s$ncol[k]))
    names(out) <- s$name
    if (!"network" %in% names(object@history)) return(out)
    shared <- s$name == "limit"                      # of all networks
    nets <- split(out[!shared], cumsum(s$name == s$name[1L])[!shared])
    names(nets) <- paste0("network", seq_along(nets))
    c(nets, out[shared])
}

#' @rdname InfillFit-class
#' @export
fitHistory <- function(object) {
    .checkFit(object, "object")
    object@history
}

# Iterations of each network.
.iterations <- function(object) {
    if ("network" %in% names(object@history)) as.integer(table(object@history$network))
    else if (nrow(object@history)) max(object@history$iteration) else 0L
}

#' @rdname InfillFit-class
#' @export
modelledGenes <- function(object) {
    .checkFit(object, "object")
    at <- object@recipe$selected
    if (!is.null(object@recipe$score)) at <- at[order(-object@recipe$score)]
    at <- at[object@recipe$status[at] == "modelled"]
    names(at) <- object@recipe$genes[at]
    at
}

.checkFit <- function(x, arg) {
    if (!is(x, "InfillFit")) .stop("'%s' must be what fitInfill() returns, not %s", arg,
        .describe(x))
}

#' Prepared counts
#'
#' What [prepareCounts()] returns: the matrix a model sees, and the recipe that
#' made it.
#' @slot x dgCMatrix, selected genes (in order of their score) x cells.
#' @slot recipe list; see [prepareCounts()].
#' @slot total Counts of each cell over the kept genes.
#' @param object,x A `PreparedCounts`.
#' @return A class: see [prepareCounts()] for its objects.
#' @examples
#' prepareCounts(matrix(rpois(200, 5), 20, 10))
#' @export
setClass("PreparedCounts", slots = c(x = "dgCMatrix", recipe = "list",
    total = "numeric"))

#' @rdname PreparedCounts-class
#' @export
setMethod("show", "PreparedCounts", function(object) {
    r <- object@recipe
    cat(sprintf("PreparedCounts: %d genes of %d x %d cells, scale %s\n",
        nrow(object@x), length(r$status), ncol(object@x), r$log))
    cat(sprintf("  %s; selection: %s; %.1f %% zeros\n",
        if (r$normalize == "median") sprintf("depth %g", r$target)
        else "not depth-normalised", r$gene.selection,
        100 * (1 - length(object@x@x) / prod(dim(object@x)))))
})

#' @rdname PreparedCounts-class
#' @name coerce,PreparedCounts,dgCMatrix-method
#' @aliases coerce,PreparedCounts,dgCMatrix-method
#' @exportMethod coerce
setAs("PreparedCounts", "dgCMatrix", function(from) from@x)
#' @rdname PreparedCounts-class
#' @export
setMethod("dim", "PreparedCounts", function(x) dim(x@x))
#' @rdname PreparedCounts-class
#' @export
setMethod("dimnames", "PreparedCounts", function(x) dimnames(x@x))

#' Counts with hidden entries
#'
#' What [maskCounts()] returns.
#' @slot x The data with the entries set to zero (scheme `"molecules"`: with the molecules taken
#'   away), in the container they came in.
#' @slot row,col,value Position and value of the hidden entries; of `"molecules"` the number of
#'   molecules taken.
#' @slot scheme,fraction,seed How they were chosen; `fraction` is `NA` with the logistic schemes.
#' @slot n.entries Entries per gene or cell with the logistic schemes, `NA` with the others.
#' @slot curve The fitted logistic curve: `slope` and `middle` (`"logistic.gene"`) or `location` and
#'   `scale` (`"logistic.cell"`), of natural logarithms; empty with the others.
#' @slot assay.type Assay that was masked.
#' @param object A `MaskedCounts`.
#' @return A class: see [maskCounts()] for its objects.
#' @examples
#' maskCounts(matrix(rpois(200, 5), 20, 10), seed = 1)
#' @export
setClass("MaskedCounts", slots = c(x = "ANY", row = "integer", col = "integer",
    value = "numeric", scheme = "character", fraction = "numeric",
    seed = "numeric", assay.type = "character", n.entries = "numeric", curve = "numeric"),
    prototype = list(n.entries = NA_real_))

#' @rdname MaskedCounts-class
#' @export
setMethod("show", "MaskedCounts", function(object) {
    n <- length(object@value)
    share <- sprintf("%g %%", 100 * object@fraction)
    cat(sprintf("MaskedCounts: %s in a %s of %d x %d\n", switch(object@scheme,
        uniform = sprintf("%d non-zeros hidden (%s, uniform)", n, share),
        molecules = sprintf("%.0f molecules of %d entries held out (%s of all)", sum(object@value),
            n, share),
        exponential.cell = sprintf("%d non-zeros hidden (1 %% of each cell's, low ones first)", n),
        sprintf("%d non-zeros hidden (%g per %s, logistic)", n, object@n.entries,
            sub("logistic.", "", object@scheme,
            fixed = TRUE))), class(object@x)[1L], nrow(object@x), ncol(object@x)))
})
