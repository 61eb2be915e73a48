# How many threads: the argument, else the param's slot, else the option, else 1.
.threads <- function(num.threads = NULL, param = NULL) {
    if (is.null(num.threads) && !is.null(param)) num.threads <- param@num.threads
    if (is.null(num.threads) || (length(num.threads) == 1L &&
        is.na(num.threads))) num.threads <- getOption("infill.threads", 1L)
    as.integer(.checkNumber(num.threads, "num.threads", 1, 1024, TRUE))
}
