# The tables of bench/results/*.md are written by the scripts; the words around them are not
# touched. A section of a file looks so, and everything between its two marks is the script's:
#
#   ## Hidden entries
#   <!-- recovery -->
#   `Rscript bench/bench-deepmc.R recovery`, <machine>, <date>
#
#   | set | ... |
#   <!-- /recovery -->
#   Words that explain the figures.

# Writes `table` (a data frame of text, or a list of data frames and lines) as section `section` of
# bench/results/<file>.md. `by`: so many leading columns name a row. With by > 0, rows of the file
# that `table` has not are kept, and so is the line that says where they come from: for runs of a
# part of the sets.
writeResult <- function(file, section, table, command, by = 0) {
    path <- file.path("bench", "results", paste0(file, ".md"))
    dir.create(dirname(path), showWarnings = FALSE, recursive = TRUE)
    lines <- if (file.exists(path)) readLines(path) else paste("#", file)
    mark <- sprintf(c("<!-- %s -->", "<!-- /%s -->"), section)
    at <- match(mark, lines)
    if (anyNA(at)) {
        lines <- c(lines, "", paste("##", section), "", mark)
        at <- match(mark, lines)
    }
    source <- sprintf("`%s`, %s, %s", command, machine(), Sys.Date())
    if (by > 0) {
        there <- lines[seq_len(at[2] - at[1] - 1) + at[1]]
        table <- joined(there, table, by)
        before <- grep("^`Rscript ", there, value = TRUE)
        same <- startsWith(before, sprintf("`%s`", command))
        source <- c(before[!same & attr(table, "kept") > 0], source)
    }
    body <- if (is.data.frame(table)) markdown(table)
        else utils::head(unlist(lapply(table,
            function(k) c(if (is.data.frame(k)) markdown(k) else k, ""))), -1)
    # two blanks: a line of its own
    source <- paste0(source, c(rep("  ", length(source) - 1), ""))
    writeLines(c(lines[seq_len(at[1])], source, "", body, lines[at[2]:length(lines)]), path)
    cat(sprintf("written: %s, %s\n", path, section))
}

machine <- function() {
    info <- if (file.exists("/proc/cpuinfo")) readLines("/proc/cpuinfo")
    cpu <- sub(".*: ", "", grep("model name", info, value = TRUE))
    cores <- parallel::detectCores()
    sprintf("%s, %d cores, R %s", c(cpu, R.version$platform)[1], cores, getRversion())
}

markdown <- function(table) {
    row <- function(cells) paste0("| ", paste(cells, collapse = " | "), " |")
    text <- vapply(table, function(k) ifelse(is.na(k), "", as.character(k)), character(nrow(table)))
    c(row(names(table)), row(rep("---", ncol(table))), apply(matrix(text, nrow(table)), 1, row))
}

# The rows of the markdown table in `there` whose name is not in `table`, and those of `table`, in
# the old order.
joined <- function(there, table, by) {
    there <- grep("^\\|", there, value = TRUE)
    cells <- strsplit(gsub("^\\| ?| ?\\|$", "", there), " \\| ?")
    old <- if (length(there) > 2 && identical(cells[[1]], names(table))) {
        rows <- lapply(cells[-(1:2)], function(k) c(k, rep("", length(table)))[seq_along(table)])
        stats::setNames(as.data.frame(do.call(rbind, rows)), names(table))
    }
    name <- function(rows) do.call(paste, c(rows[seq_len(by)], sep = "|"))
    if (is.null(old)) return(structure(table, kept = 0))
    all <- rbind(table, old[!name(old) %in% name(table), ])
    order <- order(match(name(all), unique(c(name(old), name(table)))))
    structure(all[order, ], kept = nrow(all) - nrow(table))
}

# Rows as they come: printed at once, kept for the file. Values by name; numbers by their format.
rowsOf <- function() {
    rows <- NULL
    list(add = function(...) {
        row <- data.frame(..., check.names = FALSE)
        if (is.null(rows)) cat(paste(names(row), collapse = " | "), "\n")
        cat(paste(unlist(row), collapse = " | "), "\n")
        rows <<- rbind(rows, row)
    }, table = function() rows)
}
# a number as text, NA as nothing
num <- function(x, digits = 4) {
    ifelse(is.na(x), "", sprintf("%.*f", as.integer(digits), as.double(x)))
}
# seconds of the processor that `code` takes: with one thread those of an idle machine
cpuSeconds <- function(code) sum(system.time(code)[c("user.self", "sys.self")])
