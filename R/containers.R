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

setMethod(".counts", "ANY", function(x, assay.type, arg = "x") .stop(paste(
    "'%s' must be a matrix, a sparse Matrix, a DelayedMatrix, a",
    "SummarizedExperiment, a SingleCellExperiment or a Seurat object",
    "(genes x cells), not %s"), arg, .describe(x)))

setMethod(".counts", "data.frame", function(x, assay.type, arg = "x") .stop(paste(
    "'%s' must be a numeric matrix of genes x cells, not a data.frame;",
    "as.matrix() makes one of it when all its columns are numbers"), arg))

setMethod(".counts", "matrix", function(x, assay.type, arg = "x") {
    if (!is.numeric(x) && !is.logical(x)) .stop("'%s' must hold numbers, not a matrix of type %s",
        arg, dQuote(typeof(x), FALSE))
    storage.mode(x) <- "double"
    .asSparse(x)
})
setMethod(".counts", "Matrix", function(x, assay.type, arg = "x") .asSparse(x))
setMethod(".counts", "dgCMatrix", function(x, assay.type, arg = "x") {
    if (any(x@x == 0, na.rm = TRUE)) drop0(x) else x
})
# The coercion of DelayedArray loses missing values: they are looked for first.
setMethod(".counts", "DelayedMatrix", function(x, assay.type, arg = "x") {
    if (anyNA(x)) {
        at <- arrayInd(BiocGenerics::which(is.na(x))[1L], dim(x))
        .stop(.badCount, arg, "a missing value (NA)", .geneLabel(x, at[1L]), .cellLabel(x, at[2L]),
            class = "infill_scale")
    }
    .asSparse(as(x, "dgCMatrix"))
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

setMethod(".store", "ANY", function(x, values, name, status, note) {
    attr(values, "infill") <- note
    values
})

setMethod(".store", "SummarizedExperiment", function(x, values, name, status, note) {
    assay(x, name, withDimnames = FALSE) <- values
    rowData(x)[[paste0(name, ".status")]] <- status
    metadata(x)[[name]] <- note
    x
})

# ---- questions of a container: the answer for a matrix, and a method for each container ----

# `counts` in the place and the container that .counts() took them from.
setGeneric(".replaceCounts", function(x, counts, assay.type) {
    if (is(x, "DelayedMatrix")) return(DelayedArray(counts))
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

# Can it hold standard deviations beside a result?
setGeneric(".holdsSd", function(x) FALSE)
setMethod(".holdsSd", "SummarizedExperiment", function(x) TRUE)

setGeneric(".storeSd", function(x, sd, name) standardGeneric(".storeSd"))
setMethod(".storeSd", "SummarizedExperiment", function(x, sd, name) {
    assay(x, paste0(name, ".sd"), withDimnames = FALSE) <- sd
    x
})

# The name that a result would have which `assay.type` speaks of.
setGeneric(".lookedAt", function(x, assay.type) assay.type)

# What infill() noted of the result `name`.
setGeneric(".noteOf", function(x, name) attr(x, "infill"))
setMethod(".noteOf", "SummarizedExperiment", function(x, name) metadata(x)[[name]])

# The values of an assay that .assaysOf() names.
setGeneric(".valuesOf", function(x, name) standardGeneric(".valuesOf"))
setMethod(".valuesOf", "SummarizedExperiment", function(x, name)
    assay(x, name, withDimnames = FALSE))

# What infill() put into x as `name`; x itself when it is a matrix.
.resultOf <- function(x, name, arg) {
    if (!.isExperiment(x)) {
        if (!is.null(name)) .checkOnCounts(.noteOf(x), arg)
        return(x)
    }
    there <- .assaysOf(x)
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

.cellLabel <- function(m, j) {
    if (is.null(colnames(m))) sprintf("cell %d", j)
    else sprintf("cell %d (%s)", j, dQuote(colnames(m)[j], FALSE))
}
.geneLabel <- function(m, i) {
    if (is.null(rownames(m))) sprintf("gene %d", i)
    else sprintf("gene %d (%s)", i, dQuote(rownames(m)[i], FALSE))
}

.badCount <- "'%s' must hold finite, non-negative counts; %s at %s, %s"

# Are these counts? Non-negative, finite, and not logarithms by the look of them.
.checkCounts <- function(m, check.scale = TRUE, arg = "x") {
    if (!nrow(m) || !ncol(m)) .stop("'%s' must have genes and cells, not %d x %d", arg, nrow(m),
        ncol(m))
    valid <- validObject(m, test = TRUE)
    if (!isTRUE(valid)) .stop("'%s' must be a valid sparse matrix: %s", arg,
        paste(valid, collapse = "; "))
    s <- .Call(C_scan, m)
    if (s[1L] > 0) {
        .stop(.badCount, arg, c("a missing value (NA)", "an infinite value",
            "a negative value")[s[1L]],
            .geneLabel(m, s[2L]), .cellLabel(m, s[3L]), class = "infill_scale")
    }
    if (check.scale && s[4L] == 0 && s[5L] < 30) {
        .stop(paste("'%s' must hold counts; its values are not whole and none is",
            "above %.3g, as after a logarithm. Give the counts (of an",
            "experiment: with 'assay.type'), or set check.scale = FALSE if",
            "these are counts"), arg, s[5L], class = "infill_scale")
    }
    m
}
