#' @include package.R checks.R
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
                paste("one number", range),
            .vectorProblem(value, lapply(fields, `[[`, k)))
        if (!is.null(problem)) out <- c(out, sprintf("'%s' must be %s, not %s",
            name, problem, .describe(value)))
    }
    out
}

# The same of a slot that is a vector; f: its row of the table.
.vectorProblem <- function(value, f) {
    n <- length(value)
    whole <- f$kind != "reals"
    or.na <- f$kind == "ints.na"
    ok <- if (or.na && n == 1L && is.na(value)) TRUE else is.numeric(value) && n >= f$least && n <= f$most &&
        !anyNA(value) && all(value >= f$lo & value <= f$hi) && (!whole || all(value == round(value))) &&
        (f$words != "falling" || !is.unsorted(-value))
    if (!ok) sprintf("%g to %g %snumbers between %g and %g%s%s", f$least, f$most, if (whole) "whole " else "", f$lo, f$hi,
        if (f$words == "falling") ", none larger than the one before" else "", if (or.na) ", or NA" else "")
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

# paper = TRUE: what was chosen is the paper's.
.checkPaper <- function(paper, chosen, papers) {
    if (!.isFlag(paper)) .stop("'paper' must be TRUE or FALSE, not %s", .describe(paper))
    other <- if (paper) Filter(function(n) !identical(as.vector(chosen[[n]]), papers[[n]]), names(papers))
    if (length(other)) .stop("paper = TRUE sets %s: leave out one or the other", paste(sprintf("%s = %s", other,
        vapply(papers[other], function(v) if (is.character(v)) dQuote(v, FALSE) else format(v), "")), collapse = ", "))
}

# An argument whose default is several words: the first of them where it is untouched.
.first <- function(x) {
    default <- eval(formals(sys.function(sys.parent()))[[deparse(substitute(x))]])
    if (identical(x, default)) x[1L] else x
}
