# The tasks of the recorded references: genes with at least 3 counts in at least 3 cells, the 2,000 with the largest
# variance/mean of depth-normalised counts, empty cells dropped; 10 % of the non-zeros hidden with R's generator, seed 1.
suppressMessages({ library(infill); library(Matrix) })

taskData <- function(set, data) {
    x <- readRDS(file.path(data, set, "counts.rds"))
    x <- as(as(as(x, "dMatrix"), "generalMatrix"), "CsparseMatrix")
    x <- x[rowSums(x >= 3) >= 3, ]
    total <- colSums(x)
    n <- x %*% Diagonal(x = ifelse(total > 0, median(total) / total, 0))
    m <- rowMeans(n)
    v <- (rowSums(n^2) - ncol(n) * m^2) / (ncol(n) - 1)
    x <- x[sort(head(order(-v / m), 2000)), ]           # in the order of the data, as the references had them
    x[, colSums(x) > 0]
}

taskMask <- function(x) {
    set.seed(1)
    at <- sort(sample.int(length(x@x), floor(0.1 * length(x@x))))
    truth <- data.frame(row = x@i[at] + 1L, col = rep.int(seq_len(ncol(x)), diff(x@p))[at], value = x@x[at])
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
