#' @include fit-class.R
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

# Counts (a checked dgCMatrix) as the model wants them. A model that decides more than a
# preparation, or at random, has a method of its own; what it decided is recipe$plan, integers that
# the C core reads. `say` is called with a line of progress; `before`: the recipe of a fit to go on
# from, or NULL.
setGeneric(".prepared", function(param, counts, seed, threads, say = function(...) NULL,
    before = NULL)
    standardGeneric(".prepared"))

# Prepared counts with the plan of a model that makes it from them: recipe$plan. Called for what
# prepareCounts() made, too.
setGeneric(".planned", function(param, x) standardGeneric(".planned"))

# Can a fit be interrupted and gone on with?
setGeneric(".resumes", function(param) standardGeneric(".resumes"))

# Bytes that a fit needs beside the data; n: its weights.
setGeneric(".fitBytes", function(param, x, n, keep.state) standardGeneric(".fitBytes"))

# A fit as C gave it, made ready for the user.
setGeneric(".finished", function(param, fit) standardGeneric(".finished"))

# The losses of the history as they are shown: list(train, valid, label).
setGeneric(".shownLoss", function(param, train, valid, entries) standardGeneric(".shownLoss"))

# The two steps that differ between containers (containers.R).
setGeneric(".counts", function(x, assay.type) standardGeneric(".counts"))
setGeneric(".store", function(x, values, name, status, note)
    standardGeneric(".store"))
