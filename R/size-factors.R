# What a cell's counts are divided by to be compared with another's: one file, so that they are the
# same everywhere.

# Totals over their median; 1 for a cell without counts.
.sizes <- function(total, usual = median(total[total > 0])) ifelse(total > 0, total / usual, 1)

.sizesOf <- function(counts) .sizes(Matrix::colSums(counts))

# What the model's values were divided by, cell by cell; 0 for cells without counts.
.modelSizes <- function(total, recipe) {
    if (recipe$normalize == "median") total / recipe$target
    else as.double(total > 0)
}

.logged <- function(values, size) log1p(values / rep(size, each = nrow(values)))
