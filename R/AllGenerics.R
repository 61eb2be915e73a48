#' @include AllClasses.R
NULL

#' @rdname fitInfill
#' @export
setGeneric("fitInfill", function(x, param, ...) standardGeneric("fitInfill"))

#' @rdname infill
#' @export
setGeneric("infill", function(x, param, ...) standardGeneric("infill"))

#' @rdname recoveryError
#' @export
setGeneric("recoveryError", function(truth, estimate, ...)
    standardGeneric("recoveryError"))

# What a model wants done to counts: arguments of prepareCounts().
setGeneric(".preparation", function(param) standardGeneric(".preparation"))

# The two steps that differ between containers (containers.R).
setGeneric(".counts", function(x, assay.type) standardGeneric(".counts"))
setGeneric(".store", function(x, values, name, status, note)
    standardGeneric(".store"))
