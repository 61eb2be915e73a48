# The tasks of the recorded references: genes with at least 3 counts in at least 3 cells, the 2,000
# with the largest variance/mean of depth-normalised counts, empty cells dropped; 10 % of the
# non-zeros hidden with R's generator, seed 1.
suppressMessages({ library(infill); library(Matrix) })

taskData <- function(set, data) {
    x <- readRDS(file.path(data, set, "counts.rds"))
    x <- as(as(as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix")
    x <- x[rowSums(x >= 3) >= 3, ]
    total <- colSums(x)
    n <- x %*% Diagonal(x = ifelse(total > 0, median(total) / total, 0))
    m <- rowMeans(n)
    v <- (rowSums(n^2) - ncol(n) * m^2) / (ncol(n) - 1)
    x <- x[sort(head(order(-v / m), 2000)), ]    # in the order of the data, as the references
    x[, colSums(x) > 0]
}

taskMask <- function(x) {
    set.seed(1)
    at <- sort(sample.int(length(x@x), floor(0.1 * length(x@x))))
    col <- rep.int(seq_len(ncol(x)), diff(x@p))[at]
    truth <- data.frame(row = x@i[at] + 1L, col = col, value = x@x[at])
    x@x[at] <- 0
    list(x = drop0(x), truth = truth)
}

# errors at the hidden entries on log1p of count / size factor of the masked matrix
taskError <- function(task, filled) {
    total <- colSums(task$x)
    size <- (total / median(total))[task$truth$col]
    at <- cbind(task$truth$row, task$truth$col)
    recoveryError(log1p(task$truth$value / size), log1p(filled[at] / size))
}

# A recorded figure of a peer, or NA: reference/peers.tsv beside the data, with columns set,
# method, test, value, seconds.
recorded <- function(data, set, test, method, what = "value") {
    file <- file.path(data, "..", "reference", "peers.tsv")
    if (!file.exists(file)) return(NA_real_)
    peers <- utils::read.delim(file)
    c(peers[[what]][peers$set == set & peers$test == test & peers$method == method], NA)[1]
}
