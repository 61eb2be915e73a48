#' @include infill.R
NULL

#' Distributions of genes against FISH
#'
#' Counts of a few genes by fluorescence in situ hybridisation know no dropout. In
#' both, cells are kept whose housekeeping gene is strictly between its 10 % and
#' 90 % quantiles, and divided by it over its mean over the kept cells; then each
#' gene's Gini coefficient and distribution are compared.
#'
#' @param x Counts or filled-in values, genes x cells, on the scale of counts, with
#'   gene names: a matrix, a sparse or delayed Matrix, or an experiment.
#' @param fish FISH counts, genes x cells (other cells), with gene names. `NA`: not
#'   measured in that cell.
#' @param housekeeping Name of the housekeeping gene, in both.
#' @param ... Nothing: an unknown argument is an error.
#' @param assay.type Assay, when an experiment is given.
#' @return A list of two data.frames. `genes`, one row for each gene in both but the
#'   housekeeping one: `gene`, `cells`, `cells.fish`, `gini`, `gini.fish`, `ks`: the
#'   Kolmogorov-Smirnov distance of the two distributions, after multiplying `x` by
#'   mean(FISH)/mean(x) (`NA` where a mean is 0). `summary`, one row: `genes`,
#'   `pearson` and `mse` (mean squared difference) of the Gini coefficients over the
#'   genes that have both, `ks` (median).
#' @references Arisdakessian et al. (2019), Genome Biology 20:211 (DeepImpute,
#'   Fig. 3).
#' @examples
#' level <- c(GAPDH = 20, A = 1, B = 5, C = 12)
#' fish <- matrix(rpois(400, level), 4, dimnames = list(names(level), NULL))
#' x <- matrix(rpois(800, level / 3), 4, dimnames = list(names(level), NULL))
#' giniAgainstFish(x, fish)
#' @export
giniAgainstFish <- function(x, fish, housekeeping = "GAPDH", ..., assay.type = "counts") {
    .strict("giniAgainstFish()", ...)
    x <- .matrixOf(x, assay.type, "x")
    fish <- .filledOf(fish, NULL, "fish")
    if (!.isString(housekeeping)) .stop("'housekeeping' must be the name of a gene, not %s",
        .describe(housekeeping))
    for (arg in c("x", "fish")) {
        names <- rownames(get(arg))
        if (is.null(names) || anyDuplicated(names))
            .stop("'%s' must have gene names, each once", arg)
        if (!housekeeping %in% names)
            .stop("'housekeeping' must be a gene of '%s'; it has no %s", arg,
            dQuote(housekeeping, FALSE))
    }
    genes <- setdiff(intersect(rownames(x), rownames(fish)), housekeeping)
    if (!length(genes))
        .stop("'fish' must have genes of 'x' beside the housekeeping gene; it has none")
    a <- .byHousekeeping(x, genes, housekeeping, "x")
    b <- .byHousekeeping(fish, genes, housekeeping, "fish")
    d <- data.frame(gene = genes, cells = 0, cells.fish = 0, gini = NA_real_, gini.fish = NA_real_,
        ks = NA_real_)
    for (k in seq_along(genes)) {
        u <- a[k, !is.na(a[k, ])]
        v <- b[k, !is.na(b[k, ])]
        d$cells[k] <- length(u)
        d$cells.fish[k] <- length(v)
        if (!length(u) || !length(v)) next
        d$gini[k] <- giniCoefficient(u)
        d$gini.fish[k] <- giniCoefficient(v)
        if (mean(u) > 0 && mean(v) > 0) d$ks[k] <- ksStatistic(u * mean(v) / mean(u), v)
    }
    both <- is.finite(d$gini) & is.finite(d$gini.fish)
    varies <- sum(both) > 1 && stats::sd(d$gini[both]) > 0 && stats::sd(d$gini.fish[both]) > 0
    list(genes = d, summary = data.frame(genes = sum(both),
        pearson = if (varies) stats::cor(d$gini[both], d$gini.fish[both]) else NA_real_,
        mse = if (any(both)) mean((d$gini - d$gini.fish)[both]^2) else NA_real_,
        ks = median(d$ks, na.rm = TRUE)))
}

# Genes of the cells whose housekeeping gene is neither low nor high, by that gene.
.byHousekeeping <- function(x, genes, housekeeping, arg) {
    m <- as.matrix(x[c(housekeeping, genes), , drop = FALSE])
    if (!is.numeric(m) || any(is.infinite(m)) || any(m < 0, na.rm = TRUE)) .stop(
        "'%s' must hold finite, non-negative values on the scale of counts", arg)
    h <- m[1L, ]
    ends <- quantile(h, c(0.1, 0.9), na.rm = TRUE, names = FALSE)
    keep <- which(h > ends[1L] & h < ends[2L])
    if (!length(keep))
        .stop(paste("'%s' has no cell whose %s is strictly between its 10 %% and 90 %% quantiles",
            "(%g and %g)"), arg,
        housekeeping, ends[1L], ends[2L])
    sweep(m[-1L, keep, drop = FALSE], 2L, h[keep] / mean(h[keep]), `/`)
}
