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
setGeneric("recoveryError", function(truth, filled, ...)
    standardGeneric("recoveryError"))

# ---- what the pipeline asks a model; the methods for InfillParam and InfillFit are the usual
# answers ----

# What a model wants done to counts: arguments of prepareCounts(). NULL: it has a .prepared() of its
# own, and takes nothing else.
setGeneric(".preparation", function(param) NULL)

# Are these (checked) counts something the model can be fitted to (or, to.fit FALSE, a fit applied
# to)? An error says why not. what: how the counts are called in it.
setGeneric(".checkInput", function(param, counts, what = "'x'", to.fit = TRUE) invisible(),
    signature = c("param", "counts"))

# Counts (a checked dgCMatrix) as the model wants them. A model that decides more than a
# preparation, or at random, has a method of its own; what it decided is recipe$plan, which the C
# core reads. `say` is called with a line of progress; `before`: the recipe of a fit to go on from,
# or NULL.
setGeneric(".prepared", function(param, counts, seed, threads, say = .silent, before = NULL)
    standardGeneric(".prepared"))

# Prepared counts with the plan of a model that makes it from them: recipe$plan. Called for what
# prepareCounts() made, too.
setGeneric(".planned", function(param, x) x)

# A fit to a draw (.draw()): checked counts, and what was prepared of them. how: see .control().
setGeneric(".fitTo", function(param, data, how) standardGeneric(".fitTo"))

# A fit as C gave it, made ready for the user.
setGeneric(".finished", function(param, fit) fit)

# So many cells of a source are learnt from.
setGeneric(".mostCells", function(param, max.cells) max.cells, signature = "param")

# Does a fit know the very cells it was made of, and no others?
setGeneric(".onlyItsCells", function(param) FALSE)

# Can a fit be interrupted and gone on with? TRUE, or what to do instead, to follow "not offered for
# X". A model that shows no loss is fitted at once, and there is nothing to interrupt.
setGeneric(".resumes", function(param) if (is.null(.shownLoss(param, 0, 0, 1))) TRUE else "")

# Does training hold out cells or entries?
setGeneric(".holdsOut", function(param) FALSE)

# The losses of the history as they are shown: list(train, valid, label); NULL: nothing to show.
setGeneric(".shownLoss", function(param, train, valid, entries) NULL)

# Bytes that a fit needs beside the data; n: its weights. Of networks: four single-precision copies
# of the weights, the result and, when kept, the state in double.
setGeneric(".fitBytes", function(param, x, n, keep.state) n * (16 + 8 + if (keep.state) 16 else 0))

# Parts of a fit that only this model has: functions of the fit by the name that fitParts() knows
# them under.
setGeneric(".ownParts", function(param) list())

# What a parameter that is NULL or NA stands for, in words by its name.
setGeneric(".unsetWords", function(param) list())

# What fitting and filling in cost: list(fit, fill: seconds, memory: bytes beside input and result).
# size: list(genes, cells, entries, height: genes of the result).
setGeneric(".cost", function(param, size, counts, threads) standardGeneric(".cost"))

# Iterations that held-out values let a network have on typical data.
setGeneric(".usualIterations", function(param) param@max.iter)

# Which parameter makes a fit smaller, and what it is now, in words.
setGeneric(".sizeAdvice", function(param, x) "its parameters")

# A fit that can be dealt out: the prepared counts of up to n parts, to be fitted each by itself,
# and one fit made of theirs. NULL: it cannot.
setGeneric(".dealt", function(param, x, n) NULL)
setGeneric(".joined", function(param, fits, x) standardGeneric(".joined"))

# The parameters with which a model is judged at hidden entries, where a zero is no evidence.
setGeneric(".forEntries", function(param) param)

# `keep` of infill(): what is filled in when nothing is said, and what a model itself expects.
setGeneric(".defaultKeep", function(param) "observed")
setGeneric(".judgedKeep", function(param) "none")

# The parameters of a model's posterior: an error where it has none.
setGeneric(".withPosterior", function(param) standardGeneric(".withPosterior"))

# Why there is no posterior: words to follow "needs a posterior"; NULL: there is one.
setGeneric(".lacksPosterior", function(param) ": StackParam() or keep = \"posterior\"")

# ---- what the pipeline asks a fit ----

# Cells `cols` of counts, filled: dense, all genes, or the genes `rows` (positions) alone.
setGeneric(".block", function(fit, counts, cols, how, threads,
    rows = NULL) standardGeneric(".block"))

# A fit as it is saved or sent to workers, without what is there twice; and as it was.
setGeneric(".packed", function(fit) fit)
setGeneric(".unpacked", function(fit) fit)

# A fit without the seconds that it took, which are others each time.
setGeneric(".untimed", function(fit) {
    fit@seconds <- 0
    fit
})

# Does .block() of all cells need little beside its result?
setGeneric(".inOneGo", function(fit, how) FALSE)

# Is what R reads of the fit as it must be? An error if not. The C core looks at what it reads
# itself.
setGeneric(".checkIntact", function(fit) standardGeneric(".checkIntact"))

# The posterior of a fit, learnt from molecules of the counts it was fitted to.
setGeneric(".posteriorOfFit", function(fit, counts, threads) standardGeneric(".posteriorOfFit"))

# What the result says of the fit beside model, scale and seed: a list.
setGeneric(".note", function(fit) list())

# What the user has to be told when a posterior was asked for by `keep`: a sentence or NULL.
setGeneric(".tidings", function(fit) NULL)

# ---- what the pipeline asks counts: a dgCMatrix, or a source read by blocks (source.R) ----

# Some cells as a dgCMatrix; all of them are no copy.
setGeneric(".columns", function(counts, cols) if (identical(cols, seq_len(ncol(counts)))) counts
    else counts[, cols, drop = FALSE], signature = "counts")

# What a model is fitted to: counts in memory as they are; of a source all cells, or a sample of
# `most` that is taken along when all are looked at.
setGeneric(".learnFrom", function(counts, param, most, say) counts, signature = "counts")

# Totals of cells, totals of genes, how many are not 0.
setGeneric(".cellTotals", function(counts) Matrix::colSums(counts))
setGeneric(".geneTotals", function(counts) Matrix::rowSums(counts))
setGeneric(".entriesOf", function(counts) as.double(length(counts@x)))

# list(total: of each cell; share: of each gene the sum of its shares of the cells' totals).
setGeneric(".genesOfAll", function(counts) .Call(C_shares, counts, NULL)[c("total", "share")])

# ---- containers (containers.R) ----

setGeneric(".counts", function(x, assay.type, arg = "x") standardGeneric(".counts"),
    signature = "x")
setGeneric(".store", function(x, values, name, status, note, assay.type)
    standardGeneric(".store"))
