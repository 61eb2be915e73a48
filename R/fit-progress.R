#' @include AllGenerics.R
NULL

.say <- function(...) message(sprintf(...))
.silent <- function(...) NULL

setMethod(".holdsOut", "NetworkParam", function(param) identical(param@stop, "validation"))

setMethod(".shownLoss", "NetworkParam", function(param, train, valid, entries)
    list(train = train, valid = valid, label = "loss"))

# A line that is written over: iteration, errors, time, and how long it can take at most.
.progress <- function(param, entries) {
    begun <- proc.time()[["elapsed"]]
    first <- NULL
    terminal <- isatty(stderr())
    last <- -Inf
    held <- .holdsOut(param)
    function(iteration, max.iter, best, train, valid) {
        now <- proc.time()[["elapsed"]]
        if (is.null(first)) first <<- iteration
        if (!terminal && now - last < 2) return(invisible())     # a log gets few lines
        last <<- now
        each <- (now - begun) / (iteration - first + 1)
        shown <- .shownLoss(param, train, valid, entries)
        error <- sprintf("%s %.4f", shown$label, shown$train)
        if (held && is.finite(shown$valid)) error <-
            sprintf("%s, held out %.4f (best at %d)", error, shown$valid, best)
        left <- max.iter - iteration
        unless <- if (held) best + param@patience - iteration else left
        sooner <- if (unless < left) sprintf("; %.0f s if it gets no better", each * unless) else ""
        message(sprintf("%s%s: iteration %d of %d, %s; %.1f s, at most %.0f s to go%s   ",
            if (terminal) "\r" else "", sub("Param$", "", class(param)), iteration,
            max.iter, error, now - begun, each * left, sooner),
            appendLF = !terminal)
    }
}
