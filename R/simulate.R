#' @include checks.R
NULL

# Sizes and numbers of each preset; what it does not name has the function's default.
.simulations <- list(
    DeepImpute = list(n.genes = 4000, n.cells = 2000, group.prob = c(0.1, 0.1, 0.2, 0.2, 0.4),
        de.scale = 0.4, dropout.shape = -0.5, dropout.mid = 1),
    `SIM-T2` = list(n.genes = 3000, n.cells = 2000, group.prob = rep(1 / 2, 2),
        de.scale = 0.3, dropout.shape = -1, dropout.mid = 0),
    `SIM-T6` = list(n.genes = 5000, n.cells = 3000, group.prob = rep(1 / 6, 6),
        de.scale = 0.3, dropout.shape = -1, dropout.mid = 0))

# Lowest and highest value of each number, in the order of the core's struct. The bounds keep all
# products finite.
.simulationRanges <- list(mean.shape = c(0.01, 1e4), mean.rate = c(1e-6, 1e6),
    outlier.prob = c(0, 1), outlier.location = c(-50, 50), outlier.scale = c(0, 10),
    lib.location = c(-50, 50), lib.scale = c(0, 10), de.prob = c(0, 1), de.location = c(-50, 50),
    de.scale = c(0, 10), bcv.common = c(0, 100), bcv.df = c(1, Inf), dropout.shape = c(-100, 100),
    dropout.mid = c(-50, 50))

#' Simulate counts whose truth is known
#'
#' Counts of single cells with groups, dispersion and dropout, as Splat draws
#' them; the counts before dropout and, on request, the rates behind them are
#' kept, so that what [infill()] fills in can be judged against the truth.
#'
#' @param preset `NULL`, or the name of a published simulation: `"DeepImpute"`
#'   (of the DeepImpute paper), `"SIM-T2"` or `"SIM-T6"` (of the GraphSCI paper).
#'   It sets the arguments of the table below unless they are given.
#' @param n.genes,n.cells Size, whole numbers from 1 to 1e9.
#' @param group.prob Weight of each group of cells, non-negative, divided by
#'   their sum; each cell's group is drawn, so sizes vary and a group can be
#'   empty. The default is two groups; 1: one, between whose cells no gene differs.
#' @param de.prob Probability, per gene and group, that the gene is differentially
#'   expressed in the group: its mean there is multiplied by a log-normal factor
#'   above 1 or, as likely, divided by it.
#' @param de.location,de.scale Mean and standard deviation of that factor's
#'   natural logarithm (before its sign is set aside).
#' @param lib.location,lib.scale The same of the expected library size (counts per
#'   cell, before dropout).
#' @param mean.shape,mean.rate Shape and rate of the gamma distribution of the
#'   genes' base means (relative: the library size sets their scale).
#' @param outlier.prob Probability that a gene's mean is instead the median of all
#'   genes' means times a log-normal factor.
#' @param outlier.location,outlier.scale Mean and standard deviation of that
#'   factor's natural logarithm.
#' @param bcv.common Biological coefficient of variation of highly expressed genes.
#' @param bcv.df Degrees of freedom of the genes' chi-square scatter around the
#'   trend of that coefficient; `Inf`: no scatter.
#' @param dropout.shape,dropout.mid Steepness and middle of the logistic function
#'   of log(rate) that gives the probability of dropout; a negative shape drops
#'   low rates. `dropout.shape = NULL`: no dropout.
#' @param rates Keep the Poisson rates too? They are dense: 8 bytes an entry.
#' @param seed Number that fixes all draws; `NULL`: drawn from R's generator.
#' @param num.threads Threads; the result does not depend on it.
#'
#' @return A SingleCellExperiment with
#'   * sparse assays `counts` (after dropout) and `true` (before); with
#'     `rates = TRUE` the dense assay `rate`, the mean that an entry of `true` is
#'     Poisson around;
#'   * `colData`: `group` (factor `group1`, `group2`, ...) and `library.size`, the
#'     expected one;
#'   * `rowData`: `mean` (base mean, outliers included), `outlier` (that factor, 1
#'     for most genes) and `de.group1`, `de.group2`, ... (factors of the groups, 1
#'     for most genes);
#'   * `metadata(x)$simulation`: `model`, `preset`, `parameters` (as used) and
#'     `seed`.
#'
#' @details With LN the log-normal distribution, for gene g in cell c of group k:
#'
#'   * base mean m_g ~ Gamma(`mean.shape`, rate = `mean.rate`), for outliers
#'     median(m) x LN(`outlier.location`, `outlier.scale`);
#'   * library size l_c ~ LN(`lib.location`, `lib.scale`);
#'   * mean mu = l_c m_g f_gk / sum over genes of m f, with f the factor of the
#'     group: 1, or with probability `de.prob` max(d, 1/d) or its inverse, d ~
#'     LN(`de.location`, `de.scale`);
#'   * BCV b = (`bcv.common` + 1 / sqrt(mu)) sqrt(`bcv.df` / X_g), X_g chi-square
#'     with `bcv.df` degrees of freedom, one draw per gene;
#'   * rate r ~ Gamma(1 / b^2, scale = mu b^2), true count ~ Poisson(r);
#'   * the count becomes 0 with probability 1 / (1 + exp(-`dropout.shape`
#'     (log(r) - `dropout.mid`))).
#'
#'   The defaults are those of splatter 1.29, but for the size and the dropout
#'   (splatter's default has none); `de.scale` is splatter's 0.4.
#'   The presets, everything else as by default:
#'
#'   | preset | n.genes | n.cells | group.prob | de.scale | dropout.shape | dropout.mid |
#'   |---|---|---|---|---|---|---|
#'   | `DeepImpute` | 4000 | 2000 | 0.1, 0.1, 0.2, 0.2, 0.4 | 0.4 | -0.5 | 1 |
#'   | `SIM-T2` | 3000 | 2000 | 2 equal | 0.3 | -1 | 0 |
#'   | `SIM-T6` | 5000 | 3000 | 6 equal | 0.3 | -1 | 0 |
#'
#'   Every gene, cell and entry has random numbers of its own: with the same seed,
#'   other arguments equal, more cells leave the first ones as they are, and any
#'   dropout leaves `true` as it is. Beyond the result and its sparse copy, memory
#'   is a few megabytes.
#' @references Zappia, Phipson and Oshlack (2017). Splatter: simulation of
#'   single-cell RNA sequencing data. Genome Biology 18:174.
#'
#'   Arisdakessian et al. (2019), Genome Biology 20:211 (DeepImpute). Rao et al.
#'   (2021), iScience 24:102393 (GraphSCI).
#' @seealso [maskCounts()] hides entries of data whose truth is not known.
#' @examples
#' x <- simulateCounts(n.genes = 200, n.cells = 100, seed = 1)
#' x
#' true <- SummarizedExperiment::assay(x, "true")
#' dropped <- SummarizedExperiment::assay(x, "counts") == 0 & true > 0
#' sum(dropped) / sum(true > 0)
#' @export
simulateCounts <- function(preset = NULL, n.genes = 1000, n.cells = 500, group.prob = c(0.5, 0.5),
    de.prob = 0.1, de.location = 0.1, de.scale = 0.4, lib.location = 11, lib.scale = 0.2,
    mean.shape = 0.6, mean.rate = 0.3, outlier.prob = 0.05, outlier.location = 4,
    outlier.scale = 0.5, bcv.common = 0.1, bcv.df = 60, dropout.shape = -1, dropout.mid = 0,
    rates = FALSE, seed = NULL, num.threads = NULL)
{
    .needs("SingleCellExperiment", "simulateCounts()")
    p <- mget(c("n.genes", "n.cells", "group.prob", names(.simulationRanges)))
    if (!is.null(preset)) {
        preset <- .checkChoice(preset, "preset", names(.simulations))
        open <- setdiff(names(.simulations[[preset]]), names(match.call()))
        p[open] <- .simulations[[preset]][open]
    }
    p$n.genes <- .checkNumber(p$n.genes, "n.genes", 1, 1e9, TRUE)
    p$n.cells <- .checkNumber(p$n.cells, "n.cells", 1, 1e9, TRUE)
    p$group.prob <- .shares(p$group.prob, "group.prob")
    none <- is.null(p$dropout.shape)
    for (name in setdiff(names(.simulationRanges), if (none) "dropout.shape")) {
        range <- .simulationRanges[[name]]
        p[[name]] <- .checkNumber(p[[name]], name, range[1L], range[2L])
    }
    need <- 8 * p$n.genes * p$n.cells
    if (.checkFlag(rates, "rates") && need > .memoryLimit()) .stop(
        "the rates of %g genes x %g cells need %s, and %s are free; rates = FALSE leaves them out",
        p$n.genes, p$n.cells, .bytes(need), .bytes(.memoryLimit()))
    threads <- .threads(num.threads)
    seed <- .seed(seed)
    numbers <- vapply(names(.simulationRanges), function(name) if (is.null(p[[name]])) NaN else
        p[[name]], 0)
    .asSimulation(.Call(C_simulate, numbers, p$n.genes, p$n.cells, p$group.prob, rates, seed,
        threads), p,
        list(model = "Splat", preset = preset, parameters = p, seed = seed))
}

# Shares that sum to 1.
.shares <- function(w, arg) {
    if (!is.numeric(w) || !length(w) || any(!is.finite(w)) || any(w < 0) || !is.finite(sum(w)) ||
        sum(w) <= 0) .stop("'%s' must be non-negative, finite numbers whose sum is above 0, not %s",
        arg,
        .describe(w))
    as.double(w / sum(w))
}

# What C made, as a SingleCellExperiment.
.asSimulation <- function(s, p, note) {
    names <- list(paste0("gene", seq_len(p$n.genes)), paste0("cell", seq_len(p$n.cells)))
    levels <- paste0("group", seq_along(p$group.prob))
    sparse <- function(m) new("dgCMatrix", p = m$p, i = m$i, x = m$x, Dim = lengths(names),
        Dimnames = names)
    assays <- list(counts = sparse(s$counts), true = sparse(s$true))
    if (!is.null(s$rate)) assays$rate <- structure(s$rate, dimnames = names)
    de <- structure(s$de, dimnames = list(NULL, paste0("de.", levels)))
    SingleCellExperiment::SingleCellExperiment(assays,
        rowData = DataFrame(mean = s$mean, outlier = s$outlier, de, row.names = names[[1L]]),
        colData = DataFrame(group = factor(levels[s$group + 1L], levels), library.size = s$size,
            row.names = names[[2L]]),
        metadata = list(simulation = note))
}
