# The door to other people's methods, where the package does a step of its own.

leading <- function(a, k) infill:::.leading(a, k)

test_that("the leading eigenvectors of a large matrix are those of eigen()", {
    m <- withSeed(1, list(noise = matrix(rnorm(520 * 600), 520), step = matrix(rnorm(520 * 530), 520) +
        rep(c(0, 2), each = 260) %o% rnorm(530), flat = tcrossprod(rnorm(520), rnorm(600)),
        none = matrix(0, 520, 520)))
    for (name in names(m)) for (k in c(1, 3)) {
        a <- tcrossprod(m[[name]])
        got <- leading(a, k)
        all <- eigen(a, symmetric = TRUE)
        expect_equal(got$values, all$values[1:k], tolerance = 1e-10, info = name)
        # each is an eigenvector, of length 1, and they are orthogonal: signs are free
        expect_equal(a %*% got$vectors, got$vectors %*% diag(got$values, k), info = name,
            tolerance = 1e-9)
        expect_equal(crossprod(got$vectors), diag(k), tolerance = 1e-10, info = name)
    }
})

test_that("a small matrix is left to eigen(), and products in blocks are the product", {
    m <- withSeed(2, matrix(rnorm(40 * 900), 40))
    expect_identical(leading(tcrossprod(m), 2)$vectors,
        eigen(tcrossprod(m), symmetric = TRUE)$vectors[, 1:2])
    m <- withSeed(3, matrix(rnorm(510 * 2000), 510))
    expect_equal(infill:::.crossed(m), tcrossprod(m), tolerance = 1e-13)
    m <- m - rowMeans(m)
    r <- cor(t(m))
    expect_equal(infill:::.falsePairs(m, 0.03), mean(abs(r[upper.tri(r)]) > 0.03), tolerance = 1e-5)
})

test_that("some eigenvectors of a large matrix come from LAPACK's pieces as from the whole", {
    # deepMc of rank 3 starts with a Gram matrix of 450 genes: more than the 400 from which on
    # infill does it in pieces
    y <- withSeed(4, Matrix::rsparsematrix(450, 500, 0.2, rand.x = function(n) rpois(n, 3) + 1))
    p <- DeepMcParam(ranks = 3, sweeps = 1, min.cells = 0, n.genes = Inf, gene.selection = "none")
    x <- as(prepareCounts(y, min.cells = 0, gene.selection = "none"), "dgCMatrix")
    fit <- fitInfill(y, DeepMcParam(ranks = 3, sweeps = 1, zero.weight = 1e6, min.cells = 0,
        n.genes = Inf, gene.selection = "none"), seed = 1)
    parts <- fitParts(fit, "weights")
    u <- svd(as.matrix(x), nu = 3, nv = 3)
    # with zeros of full weight the start is the minimum: X = U S V'
    expect_equal(parts$D1 %*% parts$Z, u$u %*% (u$d[1:3] * t(u$v)), tolerance = 1e-6)
})
