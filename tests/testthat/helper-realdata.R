# Tasks of real data: slow checks are on in CI (INFILL_SLOW), off elsewhere; INFILL_DATA names the
# folder.

realData <- function(set) {
    skip_if_not(nzchar(Sys.getenv("INFILL_SLOW")), "slow checks are off (INFILL_SLOW)")
    file <- file.path(Sys.getenv("INFILL_DATA", "none"), set, "counts.rds")
    skip_if_not(file.exists(file), paste("no real data for", set))
    readRDS(file)
}

# the recorded task: 2,000 genes by variance/mean of depth-normalised counts, 10 % of the non-zeros
# hidden
recordedTask <- function(set) {
    x <- as(as(as(realData(set), "dMatrix"), "generalMatrix"), "CsparseMatrix")
    x <- x[Matrix::rowSums(x >= 3) >= 3, ]
    total <- Matrix::colSums(x)
    n <- x %*% Matrix::Diagonal(x = ifelse(total > 0, median(total) / total, 0))
    m <- Matrix::rowMeans(n)
    v <- (Matrix::rowSums(n^2) - ncol(n) * m^2) / (ncol(n) - 1)
    x <- x[head(order(-v / m), 2000), ]
    x <- x[, Matrix::colSums(x) > 0]
    set.seed(1)
    at <- sort(sample.int(length(x@x), floor(0.1 * length(x@x))))
    truth <- list(row = x@i[at] + 1L, col = rep.int(seq_len(ncol(x)), diff(x@p))[at],
        value = x@x[at])
    x@x[at] <- 0
    x <- Matrix::drop0(x)
    total <- Matrix::colSums(x)
    size <- (total / median(total))[truth$col]
    list(x = x, rmse = function(filled) recoveryError(log1p(truth$value / size),
        log1p(filled[cbind(truth$row, truth$col)] / size))$rmse)
}

# ---- scINN ----

hideReal <- function(set, genes) {
    x <- as(as(as(realData(set), "dMatrix"), "generalMatrix"), "CsparseMatrix")
    set.seed(1)
    at <- sort(sample.int(length(x@x), floor(0.1 * length(x@x))))
    m <- x
    m@x[at] <- 0
    m <- Matrix::drop0(m)
    by <- if (genes == "seen") m else x                       # whose variance chooses the genes
    by@x <- log2(by@x + 1)
    v <- Matrix::rowMeans(by^2) - Matrix::rowMeans(by)^2
    keep <- sort(order(-v)[1:2000])
    l <- m[keep, ]
    l@x <- log2(l@x + 1)
    n <- tabulate(l@i + 1L, nrow(l))
    truth <- data.frame(row = match(x@i[at] + 1L, keep),
        col = rep.int(seq_len(ncol(x)), diff(x@p))[at], value = log2(x@x[at] + 1))
    truth <- truth[!is.na(truth$row) & n[truth$row] >= 3, ]
    list(all = m, x = m[keep, ], truth = truth, mean = (Matrix::rowSums(l) / pmax(n, 1))[truth$row])
}
rmse <- function(a, b) sqrt(mean((a - b)^2))
