# lint.R: what R does not ask of the package's R code. From the root: Rscript tests/lint.R [figures]
# One check per rule and file; with `figures` the largest of everything is printed, too.
most <- list(columns = 100L, lines = 300L, body = 50L, paths = 20L)
files <- list.files("R", "\\.R$", full.names = TRUE)
code <- lapply(files, parse, keep.source = TRUE)
names(code) <- names(files) <- basename(files)

isFunction <- function(e) is.call(e) && identical(e[[1L]], quote(`function`))
heads <- function(e) if (is.call(e) && is.name(e[[1L]])) as.character(e[[1L]]) else ""

# Every call in an expression, functions within it included.
walk <- function(e, f) {
    if (is.call(e)) {
        f(e)
        for (part in as.list(e)) if (!missing(part)) walk(part, f)
    } else if (is.pairlist(e)) for (part in as.list(e)) if (!missing(part) && !is.name(part)) walk(part, f)
}

# 1 + the branches: McCabe's number of independent paths.
paths <- function(e) {
    n <- 1L
    walk(e, function(call) n <<- n + switch(heads(call), `if` = , `for` = , `while` = , `&&` = , `||` = 1L,
        switch = max(0L, length(call) - 3L), 0L))
    n
}

# The functions of a top-level expression: name and lines.
functionsOf <- function(e, ref) {
    lines <- ref[7:8]
    name <- if (heads(e) %in% c("<-", "=")) deparse(e[[2L]])[1L] else if (heads(e) %in% c("setMethod", "setGeneric", "setValidity"))
        paste(unlist(lapply(as.list(e)[2:min(3, length(e))], function(v) if (!isFunction(v)) deparse(v)[1L])), collapse = " ")
    body <- if (!is.null(name)) Filter(isFunction, as.list(e)[-1L])
    if (length(body)) data.frame(name = name, lines = diff(lines) + 1L, paths = paths(body[[1L]]))
}
functions <- do.call(rbind, lapply(names(code), function(f) {
    out <- do.call(rbind, Map(functionsOf, as.list(code[[f]]), attr(code[[f]], "srcref")))
    if (!is.null(out)) cbind(file = f, out)
}))

# Which file defines a name, and which names it uses: who leans on whom.
defines <- lapply(code, function(e) unlist(lapply(as.list(e), function(x) {
    if (heads(x) == "<-" && is.name(x[[2L]])) as.character(x[[2L]])
    else if (heads(x) == "setGeneric") x[[2L]]
    else if (heads(x) == "setClass") paste("class", x[[2L]])
})))
home <- stats::setNames(rep(names(defines), lengths(defines)), unlist(defines))
uses <- lapply(code, function(e) unique(unlist(lapply(as.list(e), function(x) all.names(x)))))
leans <- lapply(names(code), function(f) setdiff(unique(home[intersect(uses[[f]], names(home))]), f))
names(leans) <- names(code)
reach <- function(from) {
    seen <- character()
    todo <- leans[[from]]
    while (length(todo)) {
        seen <- c(seen, todo[1L])
        todo <- setdiff(c(todo[-1L], leans[[todo[1L]]]), seen)
    }
    seen
}
circle <- Filter(function(f) f %in% reach(f), names(code))

# The pipeline asks a model by its generics: no class and no slot of a model in its files.
model <- "^(model-|posterior-|package|similarity|experiments|papers-)"
pipeline <- grep(model, names(code), value = TRUE, invert = TRUE)
shared <- c("model", "seed", "num.threads", "learning.rate", "max.iter", "batch.size", "stop", "patience", "valid.fraction",
    "threshold", "n.genes", "min.cells", "log", "paper", "normalize")
slotsOf <- function(e, of = "Param$") if (heads(e) == "setClass" && grepl(of, e[[2L]])) {
    slots <- as.list(e)$slots
    if (is.call(slots)) names(as.list(slots))[-1L]
}
ofModels <- code[grep("^(model-|posterior-)", names(code))]
# slots that other classes have, too, cannot be told apart
others <- unlist(lapply(code, function(x) lapply(as.list(x), slotsOf, of = "(Fit|Counts|Seed)$")))
own <- setdiff(unlist(lapply(ofModels, function(x) lapply(as.list(x), slotsOf))), c(shared, others))
classes <- unlist(lapply(ofModels, function(x) lapply(as.list(x), function(e) if (heads(e) == "setClass") e[[2L]])))
touches <- function(e) {
    out <- character()
    walk(e, function(call) {
        if (heads(call) == "@" && as.character(call[[3L]]) %in% own) out <<- c(out, paste0("@", as.character(call[[3L]])))
        if (heads(call) %in% c("is", "inherits") && length(call) > 2L && is.character(call[[3L]]) && call[[3L]] %in% classes)
            out <<- c(out, call[[3L]])
        if (heads(call) == "%in%" && is.character(call[[2L]]) && call[[2L]] %in% own && heads(call[[3L]]) == "slotNames") out <<- c(out, call[[2L]])
    })
    out
}

# Containers are known in containers.R, and containers-seurat.R.
containers <- c("SummarizedExperiment", "SingleCellExperiment", "Seurat", "Assay")
knows <- function(e) {
    out <- character()
    walk(e, function(call) if (heads(call) %in% c("is", "inherits") && length(call) > 2L && is.character(call[[3L]]) &&
        call[[3L]] %in% containers) out <<- c(out, call[[3L]]))
    c(out, grep("^SeuratObject$", all.names(e), value = TRUE))
}

twice <- unique(names(home)[duplicated(names(home))])

passed <- failed <- 0L
judge <- function(rule, where, bad) {
    if (length(bad)) {
        failed <<- failed + 1L
        cat(sprintf("%s: %s      <- %s\n", where, bad, rule), sep = "")
    } else passed <<- passed + 1L
}
for (f in names(code)) {
    text <- readLines(files[[f]], encoding = "UTF-8")
    wide <- which(nchar(text) > most$columns)
    judge(sprintf("at most %d columns", most$columns), f, if (length(wide)) sprintf("%d lines, the first %d", length(wide), wide[1L]))
    n <- sum(!grepl("^\\s*(#|$)", text))
    judge(sprintf("at most %d lines of code", most$lines), f, if (n > most$lines) as.character(n))
    mine <- functions[functions$file == f, ]
    long <- mine[mine$lines > most$body, ]
    judge(sprintf("functions of at most %d lines", most$body), f, if (nrow(long)) sprintf("%s: %d", long$name, long$lines))
    many <- mine[mine$paths > most$paths, ]
    judge(sprintf("at most %d paths", most$paths), f, if (nrow(many)) sprintf("%s: %d", many$name, many$paths))
    judge("no circle among files", f, if (f %in% circle) paste("leans on", paste(intersect(leans[[f]], circle), collapse = ", ")))
    judge("a name is defined once", f, intersect(twice, defines[[f]]))
    if (!startsWith(f, "containers")) judge("containers are known in containers*.R", f, unique(unlist(lapply(as.list(code[[f]]), knows))))
    if (f %in% pipeline) judge("no class or slot of a model in the pipeline", f, unique(unlist(lapply(as.list(code[[f]]), touches))))
}
if ("figures" %in% commandArgs(TRUE)) {
    cat("longest functions:\n"); print(head(functions[order(-functions$lines), ], 8), row.names = FALSE)
    cat("most paths:\n"); print(head(functions[order(-functions$paths), ], 8), row.names = FALSE)
    cat(sprintf("%d functions, median %g lines\n", nrow(functions), stats::median(functions$lines)))
}
cat(sprintf("lint of R: %d passed, %d failed\n", passed, failed))
quit(status = as.integer(failed > 0))
