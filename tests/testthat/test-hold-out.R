# Counts shuffled within each gene (permutationCheck()).

data <- grouped()
counts <- data$counts

test_that("shuffled genes keep their counts, and lose everything else", {
    s <- sparse(counts)
    new <- infill:::.shuffled(s, 1)
    expect_s4_class(new, "dgCMatrix")
    expect_identical(dimnames(new), dimnames(s))
    expect_true(validObject(new))
    for (g in 1:160) expect_identical(sort(new[g, ]), sort(s[g, ]))
    expect_identical(infill:::.shuffled(s, 1), new)
    expect_false(identical(infill:::.shuffled(s, 2), new))
    # any pair of cells, as likely as another
    one <- matrix(c(5, 3, rep(0, 8)), 1)
    at <- vapply(1:900, function(seed) {
        v <- as.vector(infill:::.shuffled(sparse(one), seed))
        c(which(v == 5), which(v == 3))
    }, c(0L, 0L))
    seen <- table(factor(at[1, ], 1:10), factor(at[2, ], 1:10))
    expect_true(all(diag(seen) == 0))
    chi <- sum((seen[row(seen) != col(seen)] - 10)^2 / 10)
    expect_lt(chi, qchisq(1 - 1e-5, 89))
})
