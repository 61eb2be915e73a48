# What a cell's counts are divided by to be compared with another's: one file, so that they are the same everywhere.

.sizesOf <- function(counts) {
    total <- Matrix::colSums(counts)
    ifelse(total > 0, total / median(total[total > 0]), 1)
}

# Size factors: totals over their median.
.sizes <- function(total) {
    size <- if (any(total > 0)) total / median(total[total > 0]) else total
    size[size == 0] <- 1
    size
}

.sizeIn <- function(known, fit) {
    total <- Matrix::colSums(known)
    ifelse(total > 0, total / fit@recipe$usual, 1)
}

# What the model's values were divided by, cell by cell; 0 for cells without counts.
.modelSizes <- function(total, recipe) {
    if (recipe$normalize == "median") total / recipe$target
    else as.double(total > 0)
}

.logged <- function(values, size) log1p(values / rep(size, each = nrow(values)))
