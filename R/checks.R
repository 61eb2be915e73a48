# Errors of one kind, and the small predicates behind them.

.stop <- function(fmt, ..., class = character()) {
    text <- if (nargs() > 1L) sprintf(fmt, ...) else fmt
    stop(errorCondition(text, class = c(class, "infill_error"), call = NULL))
}

# What came, in few words: a value where it is short, its class otherwise.
.describe <- function(x) {
    if (is.null(x)) return("NULL")
    if (is.atomic(x) && length(x) == 1L) {
        return(if (is.character(x) && !is.na(x)) dQuote(x, FALSE)
            else format(x))
    }
    if (is.numeric(x) && is.null(dim(x)) && length(x) %in% 2:6) return(sprintf("c(%s)",
        paste(vapply(x, format, ""), collapse = ", ")))
    if (is.atomic(x) && is.null(dim(x))) {
        return(sprintf("%s vector of length %d", if (is.integer(x)) "an integer" else
            paste("a", typeof(x)), length(x)))
    }
    sprintf("an object of class %s", dQuote(class(x)[1L], FALSE))
}

# The same where parameters are wanted: their constructors are functions.
.describeParam <- function(x) if (is.function(x))
    "a function: a model is called, as in StackParam()" else .describe(x)

.isNumber <- function(x) is.numeric(x) && length(x) == 1L && !is.na(x)

.isWhole <- function(x) .isNumber(x) && is.finite(x) && x == round(x)

.isFlag <- function(x) is.logical(x) && length(x) == 1L && !is.na(x)

.isString <- function(x) is.character(x) && length(x) == 1L && !is.na(x)

.checkFlag <- function(x, arg) {
    if (!.isFlag(x)) .stop("'%s' must be TRUE or FALSE, not %s", arg,
        .describe(x))
    x
}

.checkNumber <- function(x, arg, lo, hi, whole = FALSE) {
    ok <- if (whole) .isWhole(x) else .isNumber(x)
    if (!ok || x < lo || x > hi) {
        .stop("'%s' must be one %snumber between %g and %g, not %s", arg,
            if (whole) "whole " else "", lo, hi, .describe(x))
    }
    as.double(x)
}

# A whole number from 1, or Inf for all.
.checkCount <- function(x, arg) {
    if (!identical(x, Inf) && !(.isWhole(x) && x >= 1))
        .stop("'%s' must be one whole number from 1 or Inf, not %s",
        arg, .describe(x))
    as.double(x)
}

# One of the words; the whole vector of choices (an untouched default) is the first.
.checkChoice <- function(x, arg, choices) {
    if (identical(x, choices)) return(choices[1L])
    if (!.isString(x) || !x %in% choices) {
        .stop("'%s' must be one of %s, not %s", arg,
            paste(dQuote(choices, FALSE), collapse = ", "), .describe(x))
    }
    x
}

# Nothing may be left in `...`: what a function does not know is named, not swallowed. f: as it is
# called in the message; `.also`: arguments that it hands on.
.strict <- function(f, ..., .also = character()) {
    if (!...length()) return(invisible())
    given <- ...names()
    if (is.null(given)) given <- character(...length())
    own <- setdiff(names(formals(sys.function(sys.parent()))), "...")
    .onlyKnown(f, given, .also, c(own, .also))
}

# given: names of arguments; known: those that may be there; near: those that may have been meant.
.onlyKnown <- function(f, given, known, near = known) {
    if (!all(nzchar(given))) .stop("%s: arguments after the first ones must be named", f)
    unknown <- setdiff(given, known)
    if (!length(unknown)) return(invisible())
    meant <- vapply(unknown, function(name) {
        like <- c(near[startsWith(near, name)],
            if (nchar(name) > 2L) agrep(name, near, value = TRUE))
        if (length(like)) sprintf("; did you mean '%s'?", like[1L]) else ""
    }, "")
    .stop(paste(sprintf("%s has no argument '%s'%s", f, unknown, meant), collapse = "\n"))
}

# The classes that labels name, in an order that is the same in every locale.
.levelsOf <- function(x) if (is.factor(x)) levels(droplevels(x)) else
    sort(unique(x[!is.na(x)]), method = "radix")

# The door of every matrix: a sparse one may have had a slot assigned past its validity, and
# Matrix's own code would read past the end of it.
.checkMatrix <- function(x, arg) {
    if (is(x, "DelayedArray")) {
        DelayedArray::seedApply(x, .checkMatrix, arg)
        return(x)
    }
    if (!is(x, "Matrix")) return(x)
    valid <- tryCatch(validObject(x, test = TRUE), error = conditionMessage)
    if (!isTRUE(valid)) .stop("'%s' must be a valid %s: %s", arg, class(x)[1L],
        paste(valid, collapse = "; "))
    x
}

# A matrix or a table of numbers that came in, as a plain matrix; what is neither stays as it is.
.plainMatrix <- function(x, arg) if (is.data.frame(x) || is(x, "Matrix") || is(x, "DelayedMatrix"))
    as.matrix(.checkMatrix(x, arg)) else x

.needs <- function(package, what) {
    if (!requireNamespace(package, quietly = TRUE)) {
        .stop("%s needs the package %s, which is not installed", what,
            dQuote(package, FALSE))
    }
}

# "a, b, c and 12 more"
.someOf <- function(x, n = 5L) {
    x <- as.character(x)
    if (length(x) <= n) return(paste(x, collapse = ", "))
    sprintf("%s and %d more", paste(x[seq_len(n)], collapse = ", "),
        length(x) - n)
}

.seed <- function(seed) {
    if (is.null(seed) || length(seed) == 1L && is.na(seed)) {
        return(as.double(sample.int(.Machine$integer.max, 1L)))
    }
    .checkNumber(seed, "seed", 0, 2^53, whole = TRUE)
}

# How many threads: the argument, else the param's slot, else the option, else 1.
.threads <- function(num.threads = NULL, param = NULL) {
    if (is.null(num.threads) && !is.null(param)) num.threads <- param@num.threads
    if (is.null(num.threads) || (length(num.threads) == 1L &&
        is.na(num.threads))) num.threads <- getOption("infill.threads", 1L)
    as.integer(.checkNumber(num.threads, "num.threads", 1, 1024, TRUE))
}

# A share of nothing is none.
.share <- function(n, of) if (of > 0) n / of else NA_real_

# "1.5 Gb"
.bytes <- function(n) format(structure(n, class = "object_size"), units = "auto")

# Is this more than can be had? So little need not be asked for.
.exceedsMemory <- function(bytes) (bytes > 2^24 || !is.null(getOption("infill.memory.limit"))) &&
    bytes > .memoryLimit()

# Bytes that can still be had; Inf where the system does not say.
.memoryLimit <- function() {
    limit <- getOption("infill.memory.limit")
    if (!is.null(limit)) return(limit)
    if (!file.exists("/proc/meminfo")) return(Inf)
    line <- grep("^MemAvailable:", readLines("/proc/meminfo"), value = TRUE)
    if (!length(line)) return(Inf)
    as.double(gsub("[^0-9]", "", line)) * 1024
}

# Tells R's collector that so much is about to be asked for (r_stack.c): half of the time of a small
# fit is else spent in looking at everything again and again. Nothing is touched, nothing kept.
.roomFor <- function(bytes) {
    bytes <- min(bytes, .memoryLimit() / 4)
    tryCatch(.Call(C_room, bytes), error = function(e) NULL)
}

# 1 to n in runs whose dense blocks, `height` values each, take 32 MB at most (one at least).
.inBlocks <- function(n, height) {
    each <- max(1, floor(4e6 / height))
    lapply(seq(1, length.out = ceiling(n / each), by = each),
        function(from) from:min(from + each - 1, n))
}

# How a gene and a cell are called in a message.
# number: where the cell stands, when m holds some of the cells only
.cellLabel <- function(m, j, number = j) {
    if (is.null(colnames(m))) sprintf("cell %d", number)
    else sprintf("cell %d (%s)", number, dQuote(colnames(m)[j], FALSE))
}
.geneLabel <- function(m, i) {
    if (is.null(rownames(m))) sprintf("gene %d", i)
    else sprintf("gene %d (%s)", i, dQuote(rownames(m)[i], FALSE))
}
.badCount <- "'%s' must hold finite, non-negative counts; %s at %s, %s"

# Seconds on the clock.
.elapsed <- function() proc.time()[["elapsed"]]
