# A recipe applied to other cells.
#' @include prepare.R
NULL

# The counts of new cells, prepared as the recipe says. Genes are matched by name where both sides
# have names, else by position. Gives the prepared matrix, the row of each gene of `counts` in it
# (from 0, -1: none), totals and sizes.
.applyRecipe <- function(counts, recipe) {
    at <- .matchGenes(counts, recipe)
    keep <- logical(nrow(counts))
    keep[at[recipe$kept]] <- TRUE
    total <- .Call(C_totals, counts, keep)
    genes <- at[recipe$selected]
    row <- rep.int(-1L, nrow(counts))
    row[genes] <- seq_along(genes) - 1L
    row[genes[recipe$status[recipe$selected] != "modelled"]] <- -1L      # predictors only
    new <- list(x = .takeGenes(counts, total, recipe, genes), row = row, total = total,
        size = .modelSizes(total, recipe))
    if (isTRUE(recipe$stretched)) {
        new$stretch <- .stretches(counts, total, recipe)
        new$x <- .overStretch(new$x, new$stretch)
    }
    new
}

# The same once for all fits that want the same of these counts. shared: an environment, or NULL.
.appliedOnce <- function(counts, recipe, shared) {
    if (is.null(shared)) return(.applyRecipe(counts, recipe))
    recipe <- recipe[intersect(.applied, names(recipe))]
    for (s in shared$applied) if (identical(s$recipe, recipe)) return(s$new)
    new <- .applyRecipe(counts, recipe)
    shared$applied <- c(shared$applied, list(list(recipe = recipe, new = new)))
    new
}
# what .applyRecipe() reads of a recipe
.applied <- c("genes", "kept", "selected", "status", "target", "usual", "log", "normalize",
    "stretched")

# The largest logarithm of each cell, over all genes; 1 for a cell without counts.
.stretches <- function(counts, total, recipe) {
    most <- .Call(C_largest, counts)
    if (recipe$target > 0) most <- ifelse(total > 0, most * (recipe$target / total), 0)
    s <- switch(recipe$log, log2 = log2(most + 1), log1p = log1p(most), none = most)
    ifelse(s > 0, s, 1)
}

# Every cell of x over its number.
.overStretch <- function(x, stretch) {
    x@x <- x@x / rep.int(stretch, diff(x@p))
    x
}

# Where each gene of the recipe stands among the rows of counts.
.matchGenes <- function(counts, recipe) {
    ours <- recipe$genes
    theirs <- rownames(counts)
    if (is.null(ours) || is.null(theirs) || identical(ours, theirs)) {
        if (nrow(counts) != length(recipe$kept)) {
            .stop(paste("'x' must have the %d genes of the fit, not %d (matched by",
                "position, because %s no gene names)"), length(recipe$kept),
                nrow(counts), if (is.null(ours)) "the fit has" else "'x' has",
                class = "infill_mismatch")
        }
        return(seq_along(recipe$kept))
    }
    at <- match(ours, theirs)
    missing <- is.na(at) & recipe$kept
    if (any(missing)) {
        .stop("'x' lacks %d of the %d genes the fit needs: %s", sum(missing),
            sum(recipe$kept), .someOf(ours[missing]), class = "infill_mismatch")
    }
    twice <- unique(c(ours[recipe$kept][duplicated(ours[recipe$kept])],
        intersect(theirs[duplicated(theirs)], ours[recipe$kept])))
    if (length(twice)) {
        .stop("'x' and the fit must name each gene once to be matched; more than once: %s",
            .someOf(twice), class = "infill_mismatch")
    }
    at
}
