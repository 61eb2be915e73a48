# What users are told, word for word, whatever the version of testthat. A block test_messages("...",
# {}) is a test_that() in which bad(code) must stop with an error of the package, and says(code)
# must give warnings or messages; their words stand in messages/<file>.txt for test-<file>.R, block
# by block:
#
#   # the name of the block
#
#   the code
#       the message, indented; "warning: " or "message: " before what is no error
#
# A message that is not there, has changed, or is there in vain fails. To write the files anew, run
# the tests with INFILL_MESSAGES=write, and read the difference before it is committed.

messageBook <- new.env()

test_messages <- function(desc, code) {
    code <- substitute(code)
    file <- basename(attr(code, "srcfile")$filename)
    book <- list(file = sub("^test-(.*)[.][rR]$", "\\1.txt", file), desc = desc)
    book$left <- readMessages(book$file)[[desc]]
    for (name in c("file", "desc", "left")) messageBook[[name]] <- book[[name]]
    messageBook$met <- list()
    on.exit(messageBook$file <- NULL)
    eval(bquote(testthat::test_that(.(desc), {
        .(code)
        endMessages()
    })), parent.frame())
}

# An error of class infill_error, or of the subclass asked for, with the words that are written
# down.
bad <- function(code, class = "infill_error") {
    text <- codeText(substitute(code))
    caught <- tryCatch({
        code
        NULL
    }, error = identity)
    testthat::expect(inherits(caught, class) && inherits(caught, "infill_error"),
        sprintf("%s\nshould stop with an error of class %s, but %s", text, class,
            if (is.null(caught)) "does not stop"
            else sprintf("is of class %s:\n%s", toString(class(caught)), conditionMessage(caught))))
    meetMessage(text, if (!is.null(caught)) conditionMessage(caught) else "")
    invisible(caught)
}

# Warnings and messages, in their order; the value of `code`.
says <- function(code) {
    text <- codeText(substitute(code))
    heard <- character()
    hear <- function(kind, undo) function(cond) {
        heard <<- c(heard, paste0(kind, sub("\n$", "", conditionMessage(cond))))
        tryInvokeRestart(undo)
    }
    value <- withCallingHandlers(code, warning = hear("warning: ", "muffleWarning"),
        message = hear("message: ", "muffleMessage"))
    testthat::expect(length(heard) > 0, paste0(text, "\nshould say something"))
    meetMessage(text, paste(heard, collapse = "\n"))
    invisible(value)
}

writesMessages <- function() identical(Sys.getenv("INFILL_MESSAGES"), "write")
codeText <- function(code) paste(trimws(deparse(code, width.cutoff = 500L)), collapse = " ")

# The first entry of this code that is left must have these words.
meetMessage <- function(text, words) {
    if (is.null(messageBook$file)) stop("bad() and says() stand in test_messages()")
    entry <- list(code = text, words = words)
    messageBook$met <- c(messageBook$met, list(entry))
    if (writesMessages()) return(testthat::succeed())
    at <- which(vapply(messageBook$left, `[[`, "", "code") == text)
    is <- if (length(at)) messageBook$left[[at[1]]]$words
    if (length(at)) messageBook$left <- messageBook$left[-at[1]]
    testthat::expect(identical(is, words), sprintf("%s\nsays:\n%s\nand in messages/%s, \"%s\":\n%s",
        text, words, messageBook$file, messageBook$desc, if (is.null(is)) "(nothing)" else is))
}

endMessages <- function() {
    if (writesMessages()) {
        all <- readMessages(messageBook$file)
        all[[messageBook$desc]] <- messageBook$met
        writeMessages(messageBook$file, all)
    }
    left <- vapply(messageBook$left, `[[`, "", "code")
    testthat::expect(writesMessages() || !length(left),
        sprintf("messages/%s, \"%s\", has messages that nothing says:\n%s", messageBook$file,
            messageBook$desc, paste(left, collapse = "\n")))
}

# list(block = list(list(code, words), ...), ...)
readMessages <- function(file) {
    path <- testthat::test_path("messages", file)
    if (!file.exists(path)) return(list())
    lines <- readLines(path, encoding = "UTF-8")
    heading <- startsWith(lines, "# ")
    blocks <- split(lines, factor(cumsum(heading), seq_len(sum(heading))))
    names(blocks) <- substring(lines[heading], 3)
    lapply(blocks, function(b) {
        b <- b[-1][nzchar(b[-1])]
        said <- startsWith(b, "    ")
        entries <- split(b, factor(cumsum(!said), seq_len(sum(!said))))
        lapply(unname(entries), function(e) {
            list(code = e[1], words = paste(substring(e[-1], 5), collapse = "\n"))
        })
    })
}

writeMessages <- function(file, blocks) {
    path <- testthat::test_path("messages", file)
    dir.create(dirname(path), showWarnings = FALSE)
    text <- unlist(lapply(names(blocks), function(desc) {
        entries <- lapply(blocks[[desc]], function(e) {
            c(e$code, paste0("    ", strsplit(e$words, "\n", fixed = TRUE)[[1]]), "")
        })
        c(paste("#", desc), "", unlist(entries))
    }))
    con <- file(path, "wb")
    on.exit(close(con))
    writeLines(enc2utf8(text[-length(text)]), con, sep = "\n", useBytes = TRUE)
}
