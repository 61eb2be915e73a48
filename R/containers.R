# The only files that know what counts may come in: this one, and containers-seurat.R for Seurat
# objects. .counts() gives a dgCMatrix of genes x cells with its names, unchecked; .store() puts a
# matrix of the same shape beside what came.
#' @include AllGenerics.R
NULL

.asSparse <- function(x) {
    x <- as(as(as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix")
    if (any(x@x == 0, na.rm = TRUE)) x <- drop0(x)
    x
}

# SparseArray's classes are known by name: that package is newer than some R's that we run under.
setMethod(".counts", "ANY", function(x, assay.type, arg = "x") {
    if (is(x, "SparseMatrix") && length(dim(x)) == 2L) return(.asSparse(.read(x, arg)))
    .stop(paste("'%s' must be a matrix, a sparse Matrix, an SVT_SparseMatrix, a DelayedMatrix, a",
        "SummarizedExperiment, a SingleCellExperiment or a Seurat object",
        "(genes x cells), not %s"), arg, .describe(x))
})

# Another package's matrix as a dgCMatrix.
.read <- function(x, arg) tryCatch(as(x, "dgCMatrix"), error = function(e)
    .stop("'%s' (%s, %s x %s) could not be read as a sparse matrix: %s", arg, class(x)[1L],
        nrow(x), ncol(x), conditionMessage(e)))

setMethod(".counts", "data.frame", function(x, assay.type, arg = "x") {
    words <- which(!vapply(x, function(v) is.numeric(v) || is.logical(v), NA))
    .stop("'%s' must be a numeric matrix of genes x cells, not a data.frame; %s", arg,
        if (length(words)) sprintf(paste("its column %s holds no numbers: names of genes are row",
            "names, m <- as.matrix(x[-%d]); rownames(m) <- x[[%d]]"),
            dQuote(names(x)[words[1L]], FALSE), words[1L], words[1L])
        else "as.matrix() makes one of it")
})

setMethod(".counts", "matrix", function(x, assay.type, arg = "x") {
    if (!is.numeric(x) && !is.logical(x)) .stop("'%s' must hold numbers, not a matrix of type %s",
        arg, dQuote(typeof(x), FALSE))
    storage.mode(x) <- "double"
    .asSparse(x)
})
setMethod(".counts", "Matrix", function(x, assay.type, arg = "x") {
    .checkMatrix(x, arg)
    .asSparse(x)
})
setMethod(".counts", "dgCMatrix", function(x, assay.type, arg = "x") {
    .checkMatrix(x, arg)
    if (any(x@x == 0, na.rm = TRUE)) drop0(x) else x
})
# The coercion of DelayedArray loses missing values: they are looked for first. It also lacks some
# delayed operations, which work when they are dense.
setMethod(".counts", "DelayedMatrix", function(x, assay.type, arg = "x") {
    .checkMatrix(x, arg)
    missing <- tryCatch(anyNA(x), error = function(e) NULL)
    if (isTRUE(missing)) {
        at <- arrayInd(BiocGenerics::which(is.na(x))[1L], dim(x))
        .stop(.badCount, arg, "a missing value (NA)", .geneLabel(x, at[1L]), .cellLabel(x, at[2L]),
            class = "infill_scale")
    }
    m <- if (!is.null(missing)) tryCatch(as(x, "dgCMatrix"), error = function(e) NULL)
    if (!is.null(m)) return(.asSparse(m))
    m <- tryCatch(as.matrix(x), error = function(e) .stop("'%s' (%s, %d x %d) cannot be read: %s",
        arg, class(x)[1L], nrow(x), ncol(x), conditionMessage(e)))
    .counts(m, arg = arg)
})

setMethod(".counts", "SummarizedExperiment", function(x, assay.type, arg = "x") {
    names <- assayNames(x)
    if (!.isString(assay.type) || !assay.type %in% names) {
        .stop("'assay.type' must name an assay of '%s' (%s), not %s", arg,
            if (length(names)) paste(dQuote(names, FALSE), collapse = ", ")
            else "which has no named assay", .describe(assay.type))
    }
    m <- .counts(assay(x, assay.type, withDimnames = FALSE), arg = arg)
    m@Dimnames <- list(rownames(x), colnames(x))
    m
})

# Dimnames as a matrix has them: NULL when there are none.
.namesOf <- function(x) {
    names <- dimnames(x)
    if (!all(vapply(names, is.null, TRUE))) names
}

setMethod(".store", "ANY", function(x, values, name, status, note, assay.type) {
    attr(values, "infill") <- structure(c(note, list(sum = .sumOf(values))), class = "InfillNote")
    values
})

# What a note of a matrix was made for: R keeps attributes through arithmetic.
.sumOf <- function(x) if (is.matrix(x) && (is.numeric(x) || is.logical(x))) sum(x)

#' @export
print.InfillNote <- function(x, ...) {
    .strict("print()", ...)
    cat(sprintf("filled in by infill(): %s, output \"%s\", keep \"%s\", seed %.0f\n", x$model,
        x$output, x$keep, x$seed))
    invisible(x)
}

setMethod(".store", "SummarizedExperiment", function(x, values, name, status, note, assay.type) {
    # standard deviations of a former result are none of this one
    if (isTRUE(.noteOf(x, name)$sd)) assay(x, .sdName(name)) <- NULL
    assay(x, name, withDimnames = FALSE) <- values
    rowData(x)[[paste0(name, ".status")]] <- status
    metadata(x)[[name]] <- note
    x
})

# ---- questions of a container: the answer for a matrix, and a method for each container ----

# `counts` in the place and the container that .counts() took them from.
setGeneric(".replaceCounts", function(x, counts, assay.type) {
    if (is(x, "DelayedMatrix")) return(DelayedArray(counts))
    if (is(x, "SparseMatrix")) return(as(counts, class(x)))
    if (is.matrix(x)) as.matrix(counts) else counts
})
setMethod(".replaceCounts", "SummarizedExperiment", function(x, counts, assay.type) {
    assay(x, assay.type, withDimnames = FALSE) <- counts
    x
})

# The names of its assays; NULL: it is a matrix, and nothing can be put beside it.
setGeneric(".assaysOf", function(x) NULL)
setMethod(".assaysOf", "SummarizedExperiment", function(x) as.character(assayNames(x)))
.isExperiment <- function(x) !is.null(.assaysOf(x))

# Of what kind each row is ("Gene Expression", "Antibody Capture"), as 10x's readers note it; NULL:
# nothing is noted.
setGeneric(".kindsOf", function(x) NULL)
setMethod(".kindsOf", "SummarizedExperiment", function(x) {
    d <- rowData(x)
    at <- match(c("type", "feature_type", "feature_types"), tolower(names(d)))
    if (!all(is.na(at))) as.character(d[[at[!is.na(at)][1L]]])
})

# Can it hold standard deviations beside a result?
setGeneric(".holdsSd", function(x) FALSE)
setMethod(".holdsSd", "SummarizedExperiment", function(x) TRUE)

setGeneric(".storeSd", function(x, sd, name, assay.type) standardGeneric(".storeSd"))
setMethod(".storeSd", "SummarizedExperiment", function(x, sd, name, assay.type) {
    assay(x, .sdName(name), withDimnames = FALSE) <- sd
    x
})

# The name of an assay that a container makes of a name; a message when it is another.
setGeneric(".nameIn", function(x, name) name)
.sayName <- function(x, name) {
    valid <- .nameIn(x, name)
    if (valid != name) message(sprintf(
        "'name' is %s, which is no name for an assay of 'x': the result is the assay %s",
        dQuote(name, FALSE), dQuote(valid, FALSE)))
    valid
}

# Why a result beside these counts must be held in memory, to follow "the result is"; NULL: it can
# be a DelayedMatrix, too.
setGeneric(".onlyHeld", function(x, assay.type) NULL)

# The name that a result would have which `assay.type` speaks of.
setGeneric(".lookedAt", function(x, assay.type) assay.type)

# What infill() noted of the result `name`.
setGeneric(".noteOf", function(x, name) {
    note <- attr(x, "infill")
    if (identical(note$sum, .sumOf(x))) note
})
setMethod(".noteOf", "SummarizedExperiment", function(x, name) metadata(x)[[name]])

# The values of an assay that .assaysOf() names.
setGeneric(".valuesOf", function(x, name) standardGeneric(".valuesOf"))
setMethod(".valuesOf", "SummarizedExperiment", function(x, name)
    assay(x, name, withDimnames = FALSE))

# Did infill() write this?
.isNote <- function(note) is.list(note) && .isString(note$model) && .isString(note$output)

.sdName <- function(name) paste0(name, ".sd")

# May a result be put into x as `name`? Counts are never replaced, and what somebody else put there
# is only when that is asked for. Looked at before the fit.
.checkPlace <- function(x, name, assay.type, sd, overwrite) {
    .checkFlag(overwrite, "overwrite")
    there <- .assaysOf(x)
    if (name %in% there && name %in% .lookedAt(x, assay.type)) .stop(
        "'name' must not be %s, which holds the counts of 'x'", dQuote(name, FALSE))
    if (overwrite) return(invisible())
    note <- if (name %in% there) .noteOf(x, name)
    foreign <- c(if (name %in% there && !.isNote(note)) name,
        if (sd && .sdName(name) %in% there && !isTRUE(note$sd)) .sdName(name))
    if (length(foreign)) .stop(
        "'name' must not lead to %s, an assay of 'x' that infill() did not make: %s",
        dQuote(foreign[1L], FALSE), "take another, or overwrite = TRUE")
}

# Some genes of a container; of one whose assays may differ in their genes: all.
setGeneric(".onlyRows", function(x, rows) x)
setMethod(".onlyRows", "SummarizedExperiment", function(x, rows) x[rows, ])

# What infill() put into x as `name`; x itself when it is a matrix.
.resultOf <- function(x, name, arg) {
    if (!.isExperiment(x)) {
        if (!is.null(name)) .checkOnCounts(.noteOf(x), arg)
        return(x)
    }
    there <- .assaysOf(x)
    if (.isString(name)) name <- .nameIn(x, name)
    if (!.isString(name) || !name %in% there)
        .stop("'name' must be an assay of '%s' (%s), not %s", arg,
        paste(dQuote(there, FALSE), collapse = ", "), .describe(name))
    .checkOnCounts(.noteOf(x, name), arg)
    .valuesOf(x, name)
}

# What infill() noted beside a result: who judges counts cannot judge logarithms.
.checkOnCounts <- function(note, arg) {
    if (is.list(note) && .isString(note$output) && note$output != "counts") .stop(paste(
        "'%s' must be on the scale of counts, and infill() made it with output = \"%s\"; use",
        "output = \"counts\" (or take infill()'s note away, if they are counts again)"), arg,
        note$output, class = "infill_scale")
}

# Latent and clusters of module one of scINN in the places that a container has for such.
setGeneric(".storeSimilarity", function(x, one, name) one)
setMethod(".storeSimilarity", "SummarizedExperiment", function(x, one, name) {
    colData(x)[[name]] <- factor(unname(one$cluster))
    metadata(x)[[name]] <- .asideOf(one)
    if (is(x, "SingleCellExperiment")) SingleCellExperiment::reducedDim(x, name) <- one$latent
    else metadata(x)[[name]]$latent <- one$latent
    x
})
.asideOf <- function(one) one[setdiff(names(one), c("latent", "cluster"))]
