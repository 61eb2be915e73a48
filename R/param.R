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

# One sentence for each slot that is outside what the C core's table of fields allows, named by the
# slot.
.fieldProblems <- function(object) {
    if (!nzchar(object@model)) return(character())          # no model of the core
    fields <- .Call(C_fields, object@model)
    unlist(lapply(seq_along(fields$name), function(k) {
        f <- lapply(fields, `[[`, k)
        what <- .fieldRule(f, slot(object, f$name))
        if (!is.null(what)) .must(object, f$name, FALSE, what)
    }))
}

# What a value must be to go with a row of the table; NULL: it does.
.fieldRule <- function(f, value) {
    range <- sprintf("between %g and %g", f$lo, f$hi)
    number <- .isNumber(value) && value >= f$lo && value <= f$hi
    words <- strsplit(f$words, "|", fixed = TRUE)[[1L]]
    switch(f$kind,
        choice = if (!.isString(value) || !value %in% words) .oneOf(words),
        flag = if (!.isFlag(value)) "TRUE or FALSE",
        int = if (!number || !.isWhole(value)) paste("one whole number", range),
        real.na = if (length(value) != 1L || !is.na(value) && !number)
        paste("one number", range, "or NA"),
        real = if (!number) paste("one number", range),
        .vectorRule(f, value))
}

# The same of a slot that is a vector.
.vectorRule <- function(f, value) {
    n <- length(value)
    or.na <- f$kind == "ints.na"
    if (or.na && n == 1L && is.na(value)) return(NULL)
    whole <- f$kind != "reals"
    falling <- f$words == "falling"
    inside <- is.numeric(value) && n >= f$least && n <= f$most && !anyNA(value) &&
        all(value >= f$lo & value <= f$hi)
    if (inside && (!whole || all(value == round(value))) && (!falling || !is.unsorted(-value)))
        return(NULL)
    sprintf("%g to %g %snumbers between %g and %g%s%s", f$least, f$most, if (whole) "whole " else
        "", f$lo, f$hi,
        if (falling) ", none larger than the one before" else "", if (or.na) ", or NA" else "")
}

# ---- for .ownProblems() of the models ----

# The sentence about a slot that is not as it must be, or NULL.
.must <- function(object, name, ok, what, got = .describe(slot(object, name)))
    if (!isTRUE(ok)) stats::setNames(sprintf("'%s' must be %s, not %s", name, what, got), name)

.oneOf <- function(words) paste("one of", paste(dQuote(words, FALSE), collapse = ", "))

.mustBeOneOf <- function(object, name, words) {
    v <- slot(object, name)
    .must(object, name, .isString(v) && v %in% words, .oneOf(words))
}

# A whole number from lo to hi, or one of `or`: NA, Inf.
.mustBeWhole <- function(object, name, lo, hi = Inf, or = NULL) {
    v <- slot(object, name)
    ok <- length(v) == 1L && (isTRUE(v %in% or) || .isWhole(v) && v >= lo && v <= hi)
    .must(object, name, ok, paste0("one whole number ", if (is.finite(hi))
        sprintf("between %g and %g", lo, hi) else
        sprintf("from %g", lo), if (length(or))
        paste0(if (length(or) > 1L) ", " else " or ", paste(or, collapse = " or "))))
}

# ---- validity ----

# What else is wrong with a model's slots: sentences by slot. A generic, because validity of a
# subclass is not asked once that of its superclass has failed, and all mistakes are to be told at
# once.
setGeneric(".ownProblems", function(object) character())

.problems <- function(object) c(.fieldProblems(object), .ownProblems(object),
    .must(object, "seed", length(object@seed) == 1L && (is.na(object@seed) ||
        .isWhole(object@seed) && object@seed >= 0 && object@seed <= 2^53),
        "NA or one whole number between 0 and 2^53"),
    .must(object, "num.threads", length(object@num.threads) == 1L && (is.na(object@num.threads) ||
        .isWhole(object@num.threads) && object@num.threads >= 1), "NA or one whole number from 1"))

setValidity("InfillParam", function(object) {
    out <- unname(.problems(object))
    if (length(out)) out else TRUE
})

# What a slot of this class must be, in words; a model's file adds those of its class unions.
.slotWords <-
    list2env(list(numeric = "a number", character = "a string", logical = "TRUE or FALSE"))

# new() with the package's own errors, all of an object's mistakes at once.
.newParam <- function(.class, ...) {
    args <- list(...)
    .checkNames(.class, args)
    slots <- getSlots(.class)
    problems <- character()
    for (name in names(args)) {
        v <- args[[name]]
        # NA is given as a logical by hand; slots are numeric
        if (slots[[name]] == "numeric" && is.logical(v) && all(is.na(v))) args[[name]] <- v <-
            as.double(v)
        if (is(v, slots[[name]])) next
        what <- .slotWords[[slots[[name]]]]
        problems <-
            c(problems, sprintf("'%s' must be %s, not %s", name, if (is.null(what))
                slots[[name]] else what,
            .describe(v)))
        args[[name]] <- NULL
    }
    object <- new(.class)
    for (name in names(args)) slot(object, name, check = FALSE) <- args[[name]]
    found <- .problems(object)
    problems <- c(problems, found[names(found) %in% names(args)])
    if (length(problems)) .stop(paste(problems, collapse = "\n"))
    object
}

# Are these arguments of the constructor?
.checkNames <- function(.class, args) {
    known <- setdiff(slotNames(.class), "model")
    given <- if (is.null(names(args))) character(length(args)) else names(args)
    .onlyKnown(paste0(.class, "()"), given, known)
}

#' @rdname InfillParam
#' @importFrom methods show
#' @export
setMethod("show", "InfillParam", function(object) {
    cat(class(object), "\n", sep = "")
    names <- setdiff(slotNames(object), "model")
    for (name in names)
        cat(sprintf("  %-*s %s\n", max(15L, nchar(names)), name,
            .slotWordsOf(object, name)))
})

# A slot as it will be used: what NULL and NA stand for is said.
.slotWordsOf <- function(object, name) {
    value <- slot(object, name)
    unset <- is.null(value) || is.atomic(value) && length(value) == 1L && is.na(value)
    words <- if (unset) c(.unsetWords(object), list(seed = "drawn from R's generator",
        num.threads = sprintf("%s (option infill.threads)", format(.threads()))))[[name]]
    if (is.null(words)) .slotText(value) else words
}

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
    other <- if (paper) Filter(function(n) !identical(as.vector(chosen[[n]]), papers[[n]]),
        names(papers))
    if (length(other)) .stop("paper = TRUE sets %s: leave out one or the other",
        paste(sprintf("%s = %s", other,
        vapply(papers[other], function(v) if (is.character(v)) dQuote(v, FALSE) else format(v),
            "")), collapse = ", "))
}

# An argument whose default is several words: the first of them where it is untouched.
.first <- function(x) {
    default <- eval(formals(sys.function(sys.parent()))[[deparse(substitute(x))]])
    if (identical(x, default)) x[1L] else x
}
