# Seurat objects of SeuratObject 4 and 5. SeuratObject is only suggested: an S4 class of another
# package is named here and dispatch finds these methods as soon as that package is loaded.
#
# `assay.type` names a layer of the default assay ("counts"), or an assay and a layer of it
# (c("ADT", "counts")). An assay of class "Assay" has three slots where one of class "Assay5" has
# any number of layers, of some cells or genes each: "counts" there are also the layers
# "counts.ctrl" and "counts.stim" that split() or merge() made of it. A result has the class and
# the layers of what it was made from: what is on the scale of counts lies in `counts`, what is
# logarithms or standard deviations in `data`.
#' @include containers.R
NULL

# Where counts are: the assay, the layer asked for and the layers that it means.
.seuratPlace <- function(x, assay.type, arg = "x") {
    .needs("SeuratObject", "a Seurat object")
    if (!is.character(assay.type) || anyNA(assay.type) || !length(assay.type) %in% 1:2) .stop(
        paste("'assay.type' must be a layer of the default assay of '%s', as \"counts\", or an",
        "assay and a layer, as c(\"RNA\", \"counts\"), not %s"), arg, .describe(assay.type))
    if (setequal(names(assay.type), c("assay", "layer"))) assay.type <- assay.type[c("assay",
        "layer")]
    assay.type <- unname(assay.type)
    two <- if (length(assay.type) == 2L) assay.type
        else c(SeuratObject::DefaultAssay(x), assay.type)
    assays <- SeuratObject::Assays(x)
    if (!two[1L] %in% assays) .stop("'assay.type' must begin with an assay of '%s' (%s), not %s",
        arg, paste(dQuote(assays, FALSE), collapse = ", "), .describe(two[1L]))
    layers <- .layersFor(x[[two[1L]]], two[2L])
    if (!length(layers)) .stop(
        "'assay.type' must name a layer of the assay %s of '%s' (%s)%s, not %s",
        dQuote(two[1L], FALSE), arg, .someOf(.layersOf(x[[two[1L]]])),
        if (length(assays) > 1L) sprintf(", or an assay and a layer as c(%s, \"counts\")",
            dQuote(setdiff(assays, two[1L])[1L], FALSE)) else "", .describe(two[2L]))
    list(assay = two[1L], layer = two[2L], layers = layers)
}

# The layers of an assay that hold something.
.layersOf <- function(a) {
    if (!is(a, "Assay")) return(.ofFive("Layers")(a))
    slots <- c("counts", "data", "scale.data")
    slots[vapply(slots, function(s) length(slot(a, s)) > 0L, NA)]
}
.layersFor <- function(a, layer) {
    there <- .layersOf(a)
    if (layer %in% there || is(a, "Assay")) return(intersect(layer, there))
    there[startsWith(there, paste0(layer, "."))]
}

# Functions that SeuratObject has from version 5 on: an older one has no such names.
.ofFive <- function(name) getExportedValue("SeuratObject", name)
.setLayer <- function(a, layer, value) .ofFive("LayerData<-")(a, layer = layer, value = value)

.layerOf <- function(a, layer) if (is(a, "Assay")) slot(a, layer) else
    .ofFive("LayerData")(a, layer = layer)

.seuratCounts <- function(x, assay.type, arg = "x") {
    at <- .seuratPlace(x, assay.type, arg)
    a <- x[[at$assay]]
    if (length(at$layers) == 1L) return(.readLayer(.layerOf(a, at$layers), arg))
    .sideBySide(a, at, arg, say = TRUE)
}

# Matrices of other packages (on disk) say themselves how they become one of Matrix.
.readLayer <- function(m, arg) {
    if (!is.matrix(m) && !is(m, "Matrix") && !is(m, "DelayedMatrix"))
        m <- tryCatch(as(m, "dgCMatrix"), error = function(e) m)
    .counts(m, arg = arg)
}

# Layers of some cells each, side by side in the order of the assay. A gene that a layer lacks is 0
# there, as JoinLayers() has it.
.sideBySide <- function(a, at, arg, say = FALSE) {
    ms <- lapply(at$layers, function(l) .readLayer(.layerOf(a, l), arg))
    cells <- unlist(lapply(ms, colnames))
    named <- paste(dQuote(at$layers, FALSE), collapse = ", ")
    if (anyDuplicated(cells)) .stop(paste("'assay.type' must name one of the layers %s of '%s':",
        "they hold the same cells (%s)"), named, arg, cells[anyDuplicated(cells)])
    cells <- intersect(colnames(a), cells)
    genes <- intersect(rownames(a), unlist(lapply(ms, rownames)))
    few <- length(genes) - length(Reduce(intersect, lapply(ms, rownames)))
    if (say && few) message(sprintf(paste("%d of %d genes are not in all of the layers %s of '%s':",
        "they count as 0 where a layer lacks them"), few, length(genes), named, arg))
    Matrix::sparseMatrix(
        i = unlist(lapply(ms, function(m) match(rownames(m), genes)[m@i + 1L])),
        j = unlist(lapply(ms, function(m) rep.int(match(colnames(m), cells), diff(m@p)))),
        x = unlist(lapply(ms, function(m) m@x)), dims = c(length(genes), length(cells)),
        dimnames = list(genes, cells))
}

# ---- results ----

# Seurat's own rule for names of assays, and for the keys of their features.
.seuratName <- function(x, name) make.names(name)
.seuratKey <- function(x, name) {
    taken <- unname(SeuratObject::Key(x))
    plain <- tolower(gsub("[^A-Za-z0-9]", "", name))
    tries <- paste0(plain, c("", seq_len(length(taken) + 1L)), "_")
    setdiff(tries, taken)[1L]
}

# An assay in its place. Seurat's own `[[<-` counts molecules and genes into the metadata, which
# means to compute all of a DelayedMatrix, and nothing that filled-in values could be asked.
.putAssay <- function(x, name, a) {
    x@assays[[name]] <- NULL
    SeuratObject::Key(a) <- .seuratKey(x, name)
    x@assays[[name]] <- a
    x
}

.seuratStore <- function(x, values, name, status, note, assay.type) {
    # standard deviations of a former result are none of this one
    if (isTRUE(.noteOf(x, name)$sd)) x@assays[[.sdName(name)]] <- NULL
    logs <- note$output == "logcounts"
    if (logs) {
        # Seurat's logarithms are natural ones
        if (note$log == "log2") values <- values * log(2)
        note$log <- "log1p"
    }
    at <- .seuratPlace(x, assay.type)
    out <- .putAssay(x, name, .assayLike(x[[at$assay]], at, values, if (logs) "data" else "counts"))
    out@misc[[name]] <- c(note, list(status = status))
    out
}

.seuratSd <- function(x, sd, name, assay.type) {
    at <- .seuratPlace(x, assay.type)
    .putAssay(x, .sdName(name), .assayLike(x[[at$assay]], at, sd, "data"))
}

# A new assay of the class of `from` that holds `values` as `kind`, "counts" or "data".
.assayLike <- function(from, at, values, kind) {
    if (!is(from, "Assay")) return(.layeredAssay(from, at, values, kind))
    values <- .asSparse(as.matrix(values))
    if (kind == "data") return(SeuratObject::CreateAssayObject(data = values))
    a <- SeuratObject::CreateAssayObject(counts = values)
    a@data <- .seuratLog(values)
    a
}

# What NormalizeData() makes of counts. An "Assay" always has `data`, and copies of the counts there
# would be taken for logarithms by everything that looks at it.
.seuratLog <- function(counts) {
    total <- Matrix::colSums(counts)
    counts@x <- log1p(counts@x * rep.int(1e4 / total, diff(counts@p)))
    counts
}

# Layers that follow those of `from`: each holds its cells and genes. Seurat makes sparse layers
# only, but takes others where a layer is set; and an assay made of layers has its cells in their
# order, not in the object's, so that it is made of one that is blank.
.layeredAssay <- function(from, at, values, kind) {
    blank <- Matrix::sparseMatrix(i = integer(), j = integer(), x = numeric(), dims = dim(values),
        dimnames = dimnames(values))
    a <- if (kind == "data") .ofFive("CreateAssay5Object")(data = blank)
        else .ofFive("CreateAssay5Object")(counts = blank)
    # one layer is the whole assay, whatever the layer that it was made from is called
    if (length(at$layers) == 1L) {
        return(.setLayer(a, kind, .asLayer(values, rownames(values), colnames(values))))
    }
    layers <- paste0(kind, substring(at$layers, nchar(at$layer) + 1L))
    for (k in seq_along(layers)) {
        m <- .layerOf(from, at$layers[k])
        a <- .setLayer(a, layers[k], .asLayer(values,
            intersect(rownames(values), rownames(m)), intersect(colnames(values), colnames(m))))
    }
    a <- .ofFive("DefaultLayer<-")(a, value = layers)
    .setLayer(a, kind, NULL)
}

# Some genes and cells as a layer: dense or sparse, whichever is smaller.
.asLayer <- function(values, genes, cells) {
    if (!identical(dimnames(values), list(genes, cells)))
        values <- values[genes, cells, drop = FALSE]
    if (is.matrix(values) && sum(values != 0) < length(values) / 1.5) .asSparse(values) else values
}

# `counts` in the layers that .counts() took them from.
.seuratReplace <- function(x, counts, assay.type) {
    at <- .seuratPlace(x, assay.type)
    a <- x[[at$assay]]
    for (l in at$layers) {
        if (is(a, "Assay")) {
            slot(a, l) <- counts
            next
        }
        m <- .layerOf(a, l)
        a <- .setLayer(a, l, .asSparse(counts[rownames(m), colnames(m)]))
    }
    x@assays[[at$assay]] <- a
    x
}

# The values of a result as they are stored; of several layers, joined.
.seuratValues <- function(x, name) {
    at <- .seuratPlace(x, c(name, "counts"))
    if (length(at$layers) == 1L) .layerOf(x[[name]], at$layers)
    else .sideBySide(x[[name]], at, "x")
}

# Why a result beside these counts cannot be a DelayedMatrix; NULL: it can.
.seuratOnlyHeld <- function(x, assay.type) {
    at <- .seuratPlace(x, assay.type)
    if (is(x[[at$assay]], "Assay")) sprintf(paste("an assay of class \"Assay\", which holds no",
        "DelayedMatrix; one of class \"Assay5\" does (x[[\"%1$s\"]] <- as(x[[\"%1$s\"]],",
        "\"Assay5\"), with SeuratObject 5)"), at$assay)
}

.seuratSimilarity <- function(x, one, name) {
    .needs("SeuratObject", "a Seurat object")
    latent <- one$latent
    key <- .seuratKey(x, name)
    colnames(latent) <- paste0(key, seq_len(ncol(latent)))
    latent[is.na(latent)] <- 0
    x[[name]] <- SeuratObject::CreateDimReducObject(embeddings = latent, key = key,
        assay = SeuratObject::DefaultAssay(x), misc = .asideOf(one))
    x[[paste0(name, ".cluster")]] <- one$cluster
    x
}

suppressMessages({
    setMethod(".counts", "Seurat",
        function(x, assay.type, arg = "x") .seuratCounts(x, assay.type, arg))
    setMethod(".store", "Seurat", function(x, values, name, status, note, assay.type)
        .seuratStore(x, values, name, status, note, assay.type))
    setMethod(".replaceCounts", "Seurat", function(x, counts, assay.type)
        .seuratReplace(x, counts, assay.type))
    setMethod(".assaysOf", "Seurat", function(x) SeuratObject::Assays(x))
    setMethod(".nameIn", "Seurat", function(x, name) .seuratName(x, name))
    setMethod(".holdsSd", "Seurat", function(x) TRUE)
    setMethod(".storeSd", "Seurat", function(x, sd, name, assay.type)
        .seuratSd(x, sd, name, assay.type))
    setMethod(".onlyHeld", "Seurat", function(x, assay.type) .seuratOnlyHeld(x, assay.type))
    setMethod(".lookedAt", "Seurat", function(x, assay.type) .seuratPlace(x, assay.type)$assay)
    setMethod(".noteOf", "Seurat", function(x, name) x@misc[[name]])
    setMethod(".valuesOf", "Seurat", function(x, name) .seuratValues(x, name))
    setMethod(".storeSimilarity", "Seurat", function(x, one, name)
        .seuratSimilarity(x, one, name))
})
