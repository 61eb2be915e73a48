#' @include infill.R
NULL

#' AutoImpute
#'
#' An over-complete autoencoder with one hidden layer, fitted to the non-zeros
#' of the log matrix; zeros are treated as missing and get what the decoder says
#' (Talwar et al. 2018).
#'
#' @param hidden Hidden units.
#' @param lambda Weight of the penalty `lambda/2 (|E|^2 + |D|^2)`; biases are
#'   not penalised. The data term is a sum over the non-zeros.
#' @param learning.rate Step size of RMSProp.
#' @param max.iter Most iterations; one iteration is one pass over the cells.
#' @param stop When to stop. `"validation"` (default): `valid.fraction` of the
#'   non-zeros are hidden from input and loss; the weights at their smallest
#'   error are kept, and training ends `patience` iterations later. `"paper"`:
#'   when the sum of squares per cell changes by at most `threshold` from one
#'   iteration to the next. `"window"`: when the mean of 20 iterations is less
#'   than `threshold` (relative) below that of the 20 before.
#' @param threshold See `stop`.
#' @param patience,valid.fraction See `stop`.
#' @param init `"scaled"`: normal, standard deviation 1/sqrt(genes) for the
#'   encoder and 1/sqrt(hidden) for the decoder, biases 0. `"reference"`:
#'   standard deviation 1 for everything, as in the authors' code. **This start
#'   fails**: nearly all hidden units are saturated, the encoder hardly moves, and
#'   unobserved entries keep the decoder's initial noise (on real data 5 to 10
#'   times the error of the gene mean); it is there to reproduce the published
#'   program.
#' @param init.bias Decoder bias starts at `"zero"`, or at the gene's `"mean"` of
#'   observed values (converges sooner, recovers slightly worse).
#' @param bias Encoder and decoder biases?
#' @param batch.size Cells per step; 0: all (the paper). An extension: with
#'   batches the penalty's gradient is scaled by the batch's share of the cells.
#' @param arithmetic `"sparse"`: on the non-zeros; `"dense"`: matrix products;
#'   `"auto"`: dense above 50 % non-zeros. They agree to rounding.
#' @param block.cells Cells held in memory at once; 0: chosen. Changes no bit.
#' @param min.cells,n.genes,gene.selection Preparation, see [prepareCounts()]:
#'   genes with at least 3 counts in `min.cells` cells; the `n.genes` best.
#'   `n.genes = Inf` takes all kept genes.
#' @param preset Name of a row of the paper's Table 2, below:
#'   sets `hidden`, `lambda`, `learning.rate` and `threshold` unless they are
#'   given.
#' @param paper The paper's stop rule, `stop = "paper"`, and no other is allowed. What else the
#'   paper gives are the rows of `preset`.
#' @param ... `seed`, `num.threads`.
#'
#' @details With X the prepared matrix (genes x cells), Omega its non-zeros and s
#'   the logistic function: H = s(E'X + b_e), Y = D'H + b_d, minimised is
#'   sum over Omega of (Y - X)^2 plus the penalty (equations 8 and 9), by RMSProp
#'   as TensorFlow 1 has it (decay 0.9, epsilon 1e-10 inside the root, running
#'   square starting at 1), all cells at once.
#'
#'   Deviations from the paper:
#'
#'   * *Stop*: the paper's rule overfits or fires by chance (its threshold is in
#'     squared log2 units per cell while RMSProp keeps a step of about
#'     `learning.rate`), hence `stop = "validation"`.
#'   * *Start*: the paper says "random normal" and no width, its code uses 1;
#'     here it is scaled, see `init`.
#'   * *Biases*: the equations have none, the code has both; here both.
#'   * *Expressed genes*: at least 3 cells as in the paper; the code asks for
#'     more than 3 (`min.cells = 4` reproduces the data it ships).
#'   * *Gene selection*: "dispersion (coefficient of variance)" in the paper, the
#'     binned normalised dispersion in the code; the code's.
#'   * *Result*: the paper returns the model's values everywhere; [infill()]
#'     keeps what was observed unless `keep = "none"`.
#'
#'   The paper's settings as published: `AutoImputeParam(preset = "Blakeley", paper = TRUE)`. Rows
#'   of its Table 2:
#'
#'   | preset | lambda | hidden | learning.rate | threshold |
#'   | --- | --- | --- | --- | --- |
#'   | Blakeley | 1 | 2000 | 1e-4 | 1e-4 |
#'   | Jurkat-293T | 1000 | 4000 | 1e-3 | 1e-3 |
#'   | Kolodziejczyk | 0 | 8000 | 1e-4 | 1e-4 |
#'   | PBMC 68k | 12000 | 3000 | 1e-5 | 1e-3 |
#'   | Preimplantation | 2000 | 4000 | 1e-3 | 1e-3 |
#'   | Quake | 2000 | 1500 | 1e-4 | 1e-4 |
#'   | Usoskin | 2000 | 3000 | 1e-4 | 1e-4 |
#'   | Zeisel | 1000 | 1500 | 1e-4 | 1e-4 |
#' @section Memory: about 24 bytes per weight (2 x genes x hidden of them) plus
#'   some 50 MB, whatever the number of cells.
#' @return An object of class `AutoImputeParam`.
#' @references Talwar, Mongia, Sengupta, Majumdar (2018). AutoImpute: autoencoder
#'   based imputation of single-cell RNA-seq data. Scientific Reports 8:16329.
#' @examples
#' AutoImputeParam(preset = "Zeisel", hidden = 500)
#' counts <- matrix(rpois(3000, rep(rexp(60), 50) * 4), 60, 50)
#' infill(counts, AutoImputeParam(hidden = 16, max.iter = 50), seed = 1)[1:3, 1:5]
#' @aliases AutoImputeParam-class
#' @export
AutoImputeParam <- function(hidden = 2000, lambda = 1, learning.rate = 1e-4,
    max.iter = 7000, stop = c("validation", "window", "paper"), threshold = 1e-4,
    patience = 50, valid.fraction = 0.05, init = c("scaled", "reference"),
    init.bias = c("zero", "mean"), bias = TRUE, batch.size = 0,
    arithmetic = c("auto", "sparse", "dense"), block.cells = 0, min.cells = 3,
    n.genes = 1000, gene.selection = "dispersion", preset = NULL, paper = FALSE, ...)
{
    if (isTRUE(paper) && missing(stop)) stop <- "paper"
    .checkPaper(paper, list(stop = .first(stop)), list(stop = "paper"))
    if (!is.null(preset)) {
        row <- .checkChoice(preset, "preset", rownames(.autoImputePresets()))
        p <- .autoImputePresets()[row, ]
        if (missing(hidden)) hidden <- p$hidden
        if (missing(lambda)) lambda <- p$lambda
        if (missing(learning.rate)) learning.rate <- p$learning.rate
        if (missing(threshold)) threshold <- p$threshold
    }
    .newParam("AutoImputeParam", paper = paper, hidden = hidden, lambda = lambda,
        learning.rate = learning.rate, max.iter = max.iter,
        stop = .first(stop), threshold = threshold,
        patience = patience, valid.fraction = valid.fraction,
        init = .first(init),
        init.bias = .first(init.bias), bias = bias,
        batch.size = batch.size,
        arithmetic = .first(arithmetic),
        block.cells = block.cells, min.cells = min.cells, n.genes = n.genes,
        gene.selection = gene.selection, ...)
}

#' @export
setClass("AutoImputeParam", contains = "NetworkParam",
    slots = c(paper = "logical", hidden = "numeric", lambda = "numeric", init = "character",
        init.bias = "character", bias = "logical", arithmetic = "character",
        block.cells = "numeric", min.cells = "numeric", n.genes = "numeric",
        gene.selection = "character"),
    prototype = list(model = "autoimpute"))

setMethod(".ownProblems", "AutoImputeParam", function(object) c(
    .mustBeWhole(object, "min.cells", 0),
    .mustBeWhole(object, "n.genes", 1, or = Inf),
    .mustBeOneOf(object, "gene.selection", .selections)))

# Sums of squares over the entries learnt from and held out, as root mean squares.
setMethod(".shownLoss", "AutoImputeParam", function(param, train, valid, entries) {
    held <- if (param@stop == "validation") max(1, floor(param@valid.fraction * entries)) else 0
    list(train = sqrt(train / max(1, entries - held)), valid = sqrt(valid / max(1, held)),
        label = "RMSE")
})

# The paper's Table 2.
.autoImputePresets <- function() data.frame(
    row.names = c("Blakeley", "Jurkat-293T", "Kolodziejczyk", "PBMC 68k",
        "Preimplantation", "Quake", "Usoskin", "Zeisel"),
    lambda = c(1, 1000, 0, 12000, 2000, 2000, 2000, 1000),
    hidden = c(2000, 4000, 8000, 3000, 4000, 1500, 3000, 1500),
    learning.rate = c(1e-4, 1e-3, 1e-4, 1e-5, 1e-3, 1e-4, 1e-4, 1e-4),
    threshold = c(1e-4, 1e-3, 1e-4, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4))

setMethod(".preparation", "AutoImputeParam", function(param)
    list(min.count = 3, min.cells = param@min.cells,
        gene.selection = param@gene.selection,
        n.genes = param@n.genes, log = "log2"))

setMethod(".sizeAdvice", "AutoImputeParam", function(param, x)
    sprintf("'hidden', now %s", format(param@hidden, scientific = FALSE)))

setMethod(".usualIterations", "AutoImputeParam", function(param) 350)
