# A result in HDF5 files: shards of so many cells, each written under another name, closed, looked
# at and then renamed, so that a shard that is there is whole.
#' @include infill-values.R source.R workers.R
NULL

# ---- what is asked for, checked ----

# The choices that concern the file: list(path, type, resume, overwrite, BPPARAM), or NULL.
.fileAsked <- function(as, file, type, resume, overwrite, BPPARAM) {
    type <- .checkChoice(type, "type", c("double", "float"))
    if (!is.null(resume) && !is(resume, "InfillFit")) .checkFlag(resume, "resume")
    BPPARAM <- .checkWorkers(BPPARAM)
    if (as != "hdf5") {
        if (!is.null(file)) .stop("'file' goes with as = \"hdf5\", not as = \"%s\"", as)
        if (isTRUE(resume)) .stop(paste("'resume' must be a fit, or with as = \"hdf5\" TRUE: only",
            "a result in files can be gone on with"))
        return(NULL)
    }
    .needs("HDF5Array", "as = \"hdf5\"")
    if (!.isString(file) || !nzchar(file))
        .stop("'file' must be the name of an HDF5 file with as = \"hdf5\", not %s", .describe(file))
    folder <- dirname(path.expand(file))
    if (!dir.exists(folder)) .stop("'file' must be in a folder that is there, not in %s",
        dQuote(folder, FALSE))
    if (file.access(folder, 2L) != 0) .stop("'file' must be in a folder that can be written to: %s",
        dQuote(folder, FALSE))
    list(path = file.path(normalizePath(folder), basename(file)), type = type,
        resume = isTRUE(resume), overwrite = overwrite, BPPARAM = BPPARAM)
}

# Cells of each shard: some 400 MB of numbers, whole chunks.
.chunkCells <- 500
.blockValues <- 1.2e7             # of a block that is written at once
.shardsOf <- function(height, n) {
    most <- getOption("infill.shard.values", 5e7)
    each <- max(1, floor(most / max(height, 1) / .chunkCells)) * .chunkCells
    from <- seq(1, n, by = each)
    Map(seq, from, pmin(from + each - 1, n))
}

# Their files: the one asked for, or numbered ones beside it.
.shardFiles <- function(path, n, what = "") {
    stem <- sub("[.](h5|hdf5)$", "", path, ignore.case = TRUE)
    end <- if (stem == path) ".h5" else substring(path, nchar(stem) + 1L)
    paste0(stem, what, if (n > 1L) sprintf("-%04d", seq_len(n)), end)
}
.fitFile <- function(path) paste0(sub("[.](h5|hdf5)$", "", path, ignore.case = TRUE), ".fit.rds")
.sdPart <- function(how) if (identical(how$what, "sd")) ".sd" else ""

# Looked at before anything is fitted: what is there already, and is there room for the rest?
# fitted: is a fit kept beside the files? What is to be replaced is how$file$replaced.
.checkFiles <- function(how, counts, sd, fitted) {
    at <- how$file
    height <- if (is.null(how$rows)) nrow(counts) else length(how$rows)
    n <- length(.shardsOf(height, ncol(counts)))
    files <- unlist(lapply(c("", if (sd) ".sd"), function(w) .shardFiles(at$path, n, w)))
    read <- if (is(counts, "CellSource")) .pathsOf(counts@seed)
    if (any(files %in% read)) .stop("'file' must not be %s, which 'x' is read from",
        dQuote(files[files %in% read][1L], FALSE))
    there <- file.exists(files)
    before <- c(files[there], if (fitted) Filter(file.exists, .fitFile(at$path)))
    if (length(before) && !at$resume) {
        if (!at$overwrite) .stop(paste("'file' must not lead to %s, which is there:",
            "resume = TRUE goes on with it, overwrite = TRUE replaces it"),
            dQuote(before[1L], FALSE))
        how$file$replaced <- before
        there[] <- FALSE
    }
    need <- height * as.double(ncol(counts)) * (if (at$type == "float") 4 else 8) *
        (if (sd) 2 else 1) * mean(!there)
    free <- .bytesFree(dirname(at$path))
    if (isTRUE(need > free)) .stop(paste("'file': a result of %d x %d needs up to %s, and %s has",
        "%s; fewer 'genes' or type = \"float\" need less"), height, ncol(counts), .bytes(need),
        dQuote(dirname(at$path), FALSE), .bytes(free), class = c("infill_file", "infill_error"))
    how
}

# What is replaced goes when everything has been looked at and the fit is there.
.removeOld <- function(how) unlink(how$file$replaced)

# ---- the fit beside the shards ----

# The fit of an earlier run with the same parameters; NULL: there is none.
.fitOfBefore <- function(how, param, counts, seed = NULL, max.cells = 20000, ...) {
    file <- .fitFile(how$file$path)
    if (!how$file$resume || !file.exists(file)) return(NULL)
    kept <- tryCatch(readRDS(file), error = function(e) .stop(
        "'resume': %s cannot be read (%s); without it the fit is done anew",
        dQuote(file, FALSE), conditionMessage(e), class = c("infill_file", "infill_error")))
    if (is.list(kept) && is(kept$fit, "InfillFit")) kept$fit <- .unpacked(kept$fit)
    same <- is.list(kept) && is(kept$fit, "InfillFit") && is(kept$param, class(param)) &&
        identical(kept$param, param) && identical(kept$of, .ofWhat(counts, param, max.cells)) &&
        (is.null(seed) || identical(is.na(seed), TRUE) ||
            identical(as.double(seed), as.double(kept$fit@seed)))
    if (!same) .stop(paste("'resume': %s is the fit of other data, parameters or seed; the same",
        "are needed to go on, or overwrite = TRUE without 'resume' begins anew"),
        dQuote(file, FALSE), class = "infill_mismatch")
    if (is(counts, "CellSource")) counts@seen$scan <- kept$scan
    kept$fit
}

# What a fit is of, as far as that can be told without reading; the cells of counts on disk are
# compared one by one when they are read (scan$marks).
.ofWhat <- function(counts, param, max.cells) list(dim = dim(counts), genes = rownames(counts),
    most = if (is(counts, "CellSource")) as.double(min(ncol(counts), .mostCells(param, max.cells))),
    mark = if (!is(counts, "CellSource")) .Call(C_fingerprint, counts))

.keepFit <- function(how, fit, param, counts, max.cells = 20000, ...) {
    file <- .fitFile(how$file$path)
    part <- paste0(file, ".part")
    scan <- if (is(counts, "CellSource")) counts@seen$scan
    tryCatch({
        saveRDS(list(fit = .packed(fit), param = param, scan = scan,
            of = .ofWhat(counts, param, max.cells)), part)
        stopifnot(file.rename(part, file))
    }, error = function(e) {
        unlink(part)
        .noSpace(file, e)
    })
}

.bytesFree <- function(folder) .Call(C_free_space, folder)
.noSpace <- function(file, e) {
    free <- .bytesFree(dirname(file))
    .stop("'file': %s could not be written (%s): %s; what is whole is kept for resume = TRUE",
        dQuote(file, FALSE), if (is.na(free)) "its folder is gone" else paste(.bytes(free),
            "are free"), conditionMessage(e), class = c("infill_file", "infill_error"))
}

# ---- shards ----

# The filled values of all cells in files, those that are there taken as they are: a DelayedMatrix.
.fillFile <- function(counts, fit, how, threads, rows) {
    height <- if (is.null(rows)) nrow(counts) else length(rows)
    shards <- .shardsOf(height, ncol(counts))
    files <- .shardFiles(how$file$path, length(shards), .sdPart(how))
    all <- .resultMark(counts, fit, how, rows)
    todo <- which(!.wholeShards(files, shards, counts, all))
    how.one <- how[c("output", "keep", "nonneg", "what")]
    for (f in files[todo]) unlink(Sys.glob(paste0(f, ".*.part")))   # of workers that were killed
    items <- lapply(todo, function(k) list(cols = shards[[k]], file = files[k], all = all))
    say <- .sayShards(how$say, length(shards), length(todo), shards)
    tryCatch(.overWorkers(items, .writeShard, how$file$BPPARAM, counts = counts, fit = .packed(fit),
        how = how.one, type = how$file$type, threads = threads, rows = rows,
        say = if (is.null(how$file$BPPARAM)) say else .silent),
        infill_worker = function(e) .lostShards(e, shards, files))
    lost <- !file.exists(files)
    if (any(lost)) .stop(paste("'file': a worker wrote %s, which is not here; the folder must be",
        "one that all workers and this session see"), dQuote(files[lost][1L], FALSE),
        class = c("infill_file", "infill_error"))
    parts <- lapply(files, function(f) HDF5Array::HDF5Array(f, "infilled"))
    out <- if (length(parts) == 1L) parts[[1L]] else do.call(BiocGenerics::cbind, parts)
    names <- .bothNames(counts)
    if (!is.null(rows)) names[[1L]] <- names[[1L]][rows]
    if (!all(vapply(names, is.null, NA))) dimnames(out) <- names
    out
}

# What a result is of: the fit and the choices.
.resultMark <- function(counts, fit, how, rows) .markOf(list(.untimed(fit), how[c("output", "keep",
    "nonneg", "what")], how$file$type, rows, dim(counts), rownames(counts)))

# What a shard is of: that, and its cells as they were read.
.shardMark <- function(all, counts, cols, marks) .markOf(list(all, as.double(range(cols)),
    colnames(counts)[cols], marks))
.marksOf <- function(counts, cols) unlist(lapply(.inBlocks(length(cols), nrow(counts)),
    function(at) .Call(C_cell_marks, .columns(counts, cols[at]))))

# Parts of lists and of objects by themselves: a fit may hold gigabytes, which are not copied.
.markOf <- function(x) {
    numbers <- is.null(attributes(x)) && typeof(x) %in% c("double", "integer", "logical")
    parts <- if (isS4(x)) lapply(methods::slotNames(x), function(s) methods::slot(x, s)) else
        if (is.list(x)) unclass(x)
    if (numbers) return(.Call(C_mark, x))
    if (length(parts)) x <- list(class(x), names(parts), vapply(parts, .markOf, ""))
    .Call(C_mark, serialize(x, NULL, version = 2L))
}

# Which of the files are there; an error where one is no shard of this result. Their cells are read
# again: they may have changed since.
.wholeShards <- function(files, shards, counts, all) {
    there <- file.exists(files)
    for (k in which(there)) {
        mark <- tryCatch(as.character(rhdf5::h5read(files[k], "mark")), error = function(e) NULL)
        if (is.null(mark)) .stop(paste("'resume': %s is no shard that infill() finished (cut off,",
            "or another file); remove it and it is computed anew"), dQuote(files[k], FALSE),
            class = c("infill_file", "infill_error"))
        want <- .shardMark(all, counts, shards[[k]], .marksOf(counts, shards[[k]]))
        if (!identical(mark, want)) .stop(paste("'resume': %s is of another fit, other cells",
            "or other choices; overwrite = TRUE without 'resume' begins anew"),
            dQuote(files[k], FALSE), class = "infill_mismatch")
    }
    there
}

.writeShard <- function(item, counts, fit, how, type, threads, rows, say) {
    fit <- .unpacked(fit)
    cols <- item$cols
    shape <- c(if (is.null(rows)) nrow(counts) else length(rows), length(cols))
    part <- sprintf("%s.%s-%d.part", item$file, Sys.info()[["nodename"]], Sys.getpid())
    on.exit(unlink(part))
    each <- max(1, floor(.blockValues / max(shape[1L], 1) / .chunkCells)) * .chunkCells
    runs <- split(seq_along(cols), (seq_along(cols) - 1) %/% each)
    written <- function(code) tryCatch(code, error = function(e) .noSpace(item$file, e))
    chunk <- pmin(shape, c(200L, .chunkCells))
    # compressed they are a sixth smaller and take five times as long
    sink <- written(HDF5Array::HDF5RealizationSink(shape, type = "double", filepath = part,
        name = "infilled", H5type = if (type == "float") "H5T_IEEE_F32LE" else "H5T_IEEE_F64LE",
        chunkdim = as.integer(chunk), level = 0L))
    marks <- NULL
    for (at in runs) {
        seen <- .columns(counts, cols[at])
        marks <- c(marks, .Call(C_cell_marks, seen))
        values <- .block(fit, seen, seq_along(at), how, threads, rows)
        dimnames(values) <- NULL
        written(DelayedArray::write_block(sink, .viewport(shape, at[1L], dim(values)), values))
    }
    written({
        DelayedArray::close(sink)
        mark <- .shardMark(item$all, counts, cols, marks)
        rhdf5::h5write(mark, part, "mark")
        if (!identical(as.character(rhdf5::h5read(part, "mark")), mark) ||
            !identical(dim(HDF5Array::HDF5Array(part, "infilled")), as.integer(shape)))
            stop("what was written cannot be read again")
        if (!file.rename(part, item$file)) stop("it cannot be renamed")
    })
    say(cols)
    item$file
}

# A line for each shard, with the time to go.
.sayShards <- function(say, n, todo, shards) {
    if (is.null(say)) return(.silent)
    if (todo < n) say("%d of %d shards are there already", n - todo, n)
    begun <- .elapsed()
    done <- 0
    function(cols) {
        done <<- done + 1
        passed <- .elapsed() - begun
        say("cells %d to %d of %d are written; to go: %s", min(cols), max(cols),
            max(shards[[n]]), .duration(passed / done * (todo - done)))
    }
}

# A worker died: which cells are missing, and how to go on.
.lostShards <- function(e, shards, files) {
    lost <- which(!file.exists(files))
    if (!length(lost)) return()
    .stop(paste("%s\n%d of %d shards are not written, the first of cells %d to %d; those that are",
        "there are whole: the same call with resume = TRUE computes the rest"),
        conditionMessage(e), length(lost), length(files), min(shards[[lost[1L]]]),
        max(shards[[lost[1L]]]), class = c("infill_worker", "infill_error"))
}
