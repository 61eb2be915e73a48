# The door for counts: what is no count matrix is refused here, what looks odd is said here.
#' @include containers.R
NULL

# The counts of what a user hands over, checked. look: is it worth a word that the rows seem not to
# be the genes of one kind?
.countsOf <- function(x, assay.type = "counts", check.scale = TRUE, arg = "x", look = TRUE) {
    .checkFlag(check.scale, "check.scale")
    m <- .checkCounts(.counts(x, assay.type, arg), check.scale, arg)
    if (look) .lookAtRows(m, .kindsOf(x), arg)
    m
}

# An assay is named in messages where there is one.
.inAssay <- function(x, assay.type, arg = "x") if (.isExperiment(x))
    sprintf("'%s' (assay %s)", arg, dQuote(paste(assay.type, collapse = "/"), FALSE)) else
    sprintf("'%s'", arg)

# Are these counts? Numbers from 0 to 2^53, and not logarithms by the look of them. Counts that are
# whole but for a millionth (single precision, a product by 1) are made whole. cells: where those of
# m stand in what the user gave.
.checkCounts <- function(m, check.scale = TRUE, arg = "x", cells = seq_len(ncol(m))) {
    if (!nrow(m) || !ncol(m)) .stop("'%s' must have genes and cells, not %d x %d", arg, nrow(m),
        ncol(m))
    .checkBothNames(m@Dimnames, arg)
    s <- .Call(C_scan, m)
    if (s[1L] > 0) .stop(.badCount, arg, c("a missing value (NA)", "an infinite value",
        "a negative value", "a value above 2^53")[s[1L]],
        .geneLabel(m, s[2L]), .cellLabel(m, s[3L], cells[s[3L]]), class = "infill_scale")
    if (s[4L] == 2) {
        m@x <- round(m@x)
        return(drop0(m))
    }
    if (check.scale && s[4L] == 0 && s[5L] < 30) .refuseLogs(arg, s[5L])
    m
}

.checkBothNames <- function(names, arg) for (side in 1:2) if (anyNA(names[[side]])) .stop(
    "'%s' must name all its %s or none; %s %d has no name (NA)", arg,
    c("genes", "cells")[side], c("gene", "cell")[side], which(is.na(names[[side]]))[1L])

.refuseLogs <- function(arg, largest) .stop(paste(
    "'%s' must hold counts; its values are not whole and none is above %.3g. Are they",
    "logarithms? Give the counts (of an experiment: with 'assay.type'). Were counts corrected",
    "or shared out? Give round(x). check.scale = FALSE takes them as they are"), arg, largest,
    class = "infill_scale")

# Is every count whole? what: how they are called in an error; cells: where the cells stand, when
# they are some of all (then gene and cell are named).
.checkWhole <- function(counts, what, cells = NULL) {
    k <- .firstBroken(counts)
    if (!length(k)) return(invisible())
    j <- findInterval(k - 1L, counts@p)
    .stop("%s must hold whole numbers: there are no molecules to hold out of %s%s. %s", what,
        format(counts@x[k]), if (is.null(cells)) "" else sprintf(" (%s, %s)", .geneLabel(counts,
            counts@i[k] + 1L), .cellLabel(counts, j, cells[j])), .brokenAdvice,
        class = "infill_scale")
}

.brokenAdvice <- paste("Were counts corrected (ambient RNA) or shared out (EM)? Give round(x).",
    "FPKM, TPM and logarithms will not do")

# Where the first value that is not whole is stored; empty: all are.
.firstBroken <- function(counts) if (.Call(C_scan, counts)[4L] == 1) integer() else
    head(which(counts@x != round(counts@x)), 1L)

# ---- rows that are not what rows should be: warnings ----

.lookAtRows <- function(m, kinds, arg) {
    said <- c(.turned(dimnames(m), arg), .otherKind(m, kinds, arg))
    .warnRows(said)
}

.warnRows <- function(said) for (text in said)
    warning(warningCondition(text, class = "infill_rows", call = NULL))

# Cells x genes? Barcodes of droplets as row names, or names that only genes have as column names.
.turned <- function(names, arg) {
    some <- function(v) v[unique(round(seq(1, length(v), length.out = min(length(v), 200))))]
    barcode <- "(^|[^A-Za-z])[ACGT]{12,}([^A-Za-z]|$)"
    gene <- "^(ENS[A-Z]*G[0-9]{11}|(MT|mt)-[A-Za-z0-9]+|ACTB|Actb|GAPDH|Gapdh|MALAT1|Malat1)"
    rows <- grep(barcode, some(names[[1L]]), value = TRUE)
    cols <- grep(gene, names[[2L]], value = TRUE)
    if (length(rows) && length(rows) > length(some(names[[1L]])) / 2) sprintf(paste(
        "'%s' seems to be cells x genes: its row names, such as %s, look like the barcodes of",
        "cells. Genes must be the rows: t(x)"), arg, dQuote(rows[1L], FALSE))
    else if (length(cols) && !any(grepl(gene, names[[1L]]))) sprintf(paste(
        "'%s' seems to be cells x genes: its column names, such as %s, look like names of genes.",
        "Genes must be the rows: t(x)"), arg, dQuote(cols[1L], FALSE))
}

# Antibodies, hashtags or spike-ins among genes: where they hold most molecules, the sizes of cells
# are theirs.
.otherKind <- function(m, kinds, arg) {
    total <- .geneTotals(m)
    share <- function(at) sum(total[at]) / max(sum(total), 1e-300)
    no.genes <- "antibod|crispr|custom|multiplex|hashtag|^adt|^hto|peaks|spike|ercc"
    at <- grepl(no.genes, kinds, ignore.case = TRUE)
    if (any(at) && !all(at)) return(sprintf(paste(
        "'%s' has %d rows of another kind than genes (%s); they hold %.0f %% of all molecules, and",
        "are taken for genes. splitAltExps() of SingleCellExperiment sets them aside"), arg,
        sum(at), paste(dQuote(unique(kinds[at]), FALSE), collapse = ", "), 100 * share(at)))
    tag <- "TotalSeq|TotalA|(^|[-_.])(ADT|HTO|CITE|Antibody)([-_.]|$)|[-_]protein$|^ERCC-[0-9]{5}$"
    at <- grep(tag, rownames(m))
    if (length(at) && length(at) < nrow(m) && share(at) > 0.2) return(sprintf(paste(
        "'%s' has %d rows that look like antibodies, hashtags or spike-ins, such as %s; they hold",
        "%.0f %% of all molecules, and the sizes of cells follow them. Give the genes alone:",
        "x[-grep(...), ]"), arg, length(at), dQuote(rownames(m)[at[1L]], FALSE), 100 * share(at)))
    few <- head(order(-total), 20L)
    if (nrow(m) >= 500L && share(few) > 0.7) sprintf(paste(
        "20 of the %d rows of '%s' hold %.0f %% of all molecules (%s), and the sizes of cells",
        "follow them. If they are no genes (antibodies, hashtags), give the genes alone"),
        nrow(m), arg, 100 * share(few), if (is.null(rownames(m))) paste("row", few[1L], "most") else
            paste(.someOf(rownames(m)[few], 3L)))
}

# ---- what of it is asked for ----

# Names or positions of n things as positions.
.picked <- function(at, n, names, arg) {
    if (is.null(at)) return(seq_len(n))
    out <- if (is.character(at)) match(at, names)
        else if (is.logical(at) && length(at) == n) which(at)
        else if (is.numeric(at) && all(at %in% c(seq_len(n), -seq_len(n)))) tryCatch(
            seq_len(n)[at], error = function(e) NA) else NA
    if (!length(out) || anyNA(out)) .stop("'%s' must be names or positions of %s of 'x', not %s",
        arg, arg, if (is.character(at) && length(at) > 1L)
            .someOf(dQuote(at[is.na(out)], FALSE)) else .describe(at))
    twice <- if (is.character(at)) intersect(at, names[duplicated(names)])
    if (length(twice)) .stop(
        "'%s' must be told apart by name, and 'x' has more than one of %s: give positions", arg,
        .someOf(dQuote(twice, FALSE)))
    out
}

# Positions of the genes asked for; NULL: all.
.rowsOf <- function(genes, counts) if (!is.null(genes))
    .picked(genes, nrow(counts), rownames(counts), "genes")
