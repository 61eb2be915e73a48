#' infill: fill in the dropouts of single-cell RNA-seq, and see whether it helped
#'
#' Counts are *genes x cells*, one column per cell. `vignette("infill")` walks through it,
#' `vignette("should-i-impute")` through when not to. The way through the package:
#'
#' * [infill()] fits a model and fills in the dropouts in one call; [fitInfill()]
#'   and [infill()] on the fit do it in two, so that a fit can be saved and
#'   used on new cells.
#' * [compareInfill()] says whether any model helps on the data at hand, beside trivial
#'   baselines; [tuneInfill()] picks settings, [reportInfill()] writes a page.
#' * [StackParam()], the recommended way, weighs what models expect against what was
#'   seen, with error bars ([posteriorSd()], [posteriorQuantiles()]).
#' * Models are parameter objects: [AutoImputeParam()], [DeepImputeParam()],
#'   [DeepMcParam()], [ScInnParam()], [GraphSciParam()]; the baselines
#'   [NoneParam()] and [GeneMeanParam()] have the same interface.
#' * [similarityModule()] gives the clusters that scINN builds on; [fitParts()] the parts of
#'   any fit.
#' * [maskCounts()] hides entries, [recoveryError()] says how well they were
#'   recovered. Of clusters: [adjustedRandIndex()], [normalizedMutualInfo()], [clusterAgreement()],
#'   [silhouetteWidth()], [clusterSeparability()]. Of values: [countLoss()], [geneCv()],
#'   [giniCoefficient()], [ksStatistic()], [rocAuc()].
#' * [permutationCheck()], [smoothingGauge()] and [calibrationTable()] look for
#'   signal that was made, or smoothed away, by filling in.
#' * [geneTests()], [genesAgainstBulk()], [zerosByBulk()],
#'   [giniAgainstFish()], [bulkDropout()] and [edgesAgainst()] are the other
#'   experiments of the models' papers.
#' * `plot()` draws fits, comparisons, tunings and checks; [plotBeforeAfter()] the cells.
#' * [simulateCounts()] makes counts whose truth is known.
#' * [prepareCounts()] is what happens to counts before a model sees them.
#'
#' @section Errors: Every error made by the package has class `infill_error`
#'   (subclasses `infill_diverged`: the loss is no longer finite,
#'   `infill_mismatch`: data that do not fit the fit, `infill_scale`: values
#'   that are no counts).
#' @section Reproducibility: The same seed on the same machine gives the same
#'   bits for any number of threads, any block of cells, sparse, dense or
#'   delayed input, and across a resume. R's own generator is read once when no
#'   seed is given, and left alone otherwise.
#' @keywords internal
#' @docType package
#' @name infill-package
#' @aliases infill-package
#' @useDynLib infill, .registration = TRUE
#' @import methods
#' @importFrom stats median quantile mad
#' @importFrom utils packageVersion head tail
#' @importFrom Matrix sparseMatrix drop0
#' @importFrom S4Vectors DataFrame metadata metadata<-
#' @importFrom SummarizedExperiment assay assay<- assayNames rowData rowData<- colData colData<-
#' @importFrom DelayedArray DelayedArray extract_array chunkdim
#' @importClassesFrom Matrix dgCMatrix Matrix
#' @importClassesFrom SummarizedExperiment SummarizedExperiment
#' @importClassesFrom DelayedArray DelayedArray DelayedMatrix
NULL
