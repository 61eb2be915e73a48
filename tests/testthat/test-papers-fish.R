# giniAgainstFish().

test_that("FISH: worked by hand", {
    level <- c(GAPDH = 30, A = 2, B = 8, C = 20)
    make <- function(n, f, seed) withSeed(seed, {
        size <- rlnorm(n, 0, 0.3)
        matrix(rpois(4 * n, level * f * rep(size, each = 4)), 4,
            dimnames = list(names(level), NULL))
    })
    fish <- make(200, 1, 1) + 0
    fish["B", 1:50] <- NA
    fish["GAPDH", 200] <- NA
    x <- make(300, 0.4, 2)[c(3, 1, 4, 2), ]
    got <- giniAgainstFish(x, fish)
    h <- fish["GAPDH", ]
    q <- quantile(h, c(0.1, 0.9), na.rm = TRUE)
    keep <- which(h > q[1] & h < q[2])
    b <- fish["B", keep] / (h[keep] / mean(h[keep]))
    b <- b[!is.na(b)]
    hx <- x["GAPDH", ]
    qx <- quantile(hx, c(0.1, 0.9))
    kx <- which(hx > qx[1] & hx < qx[2])
    bx <- x["B", kx] / (hx[kx] / mean(hx[kx]))
    row <- got$genes[got$genes$gene == "B", ]
    expect_setequal(got$genes$gene, c("A", "B", "C"))
    expect_identical(c(row$cells, row$cells.fish), c(length(kx), length(b)) + 0)
    gini <- function(v) {
        v <- sort(v)
        n <- length(v)
        sum((2 * seq_len(n) - n - 1) * v) / n / sum(v)
    }
    expect_equal(row$gini, gini(bx), tolerance = 1e-6)
    expect_equal(row$gini.fish, gini(b), tolerance = 1e-6)
    expect_equal(row$ks, unname(suppressWarnings(ks.test(bx * mean(b) / mean(bx), b)$statistic)),
        tolerance = 1e-6)
    expect_equal(got$summary$mse, mean((got$genes$gini - got$genes$gini.fish)^2))
    expect_equal(got$summary$pearson, cor(got$genes$gini, got$genes$gini.fish))
    expect_identical(got$summary$genes, 3L)
    x["A", ] <- 0
    none <- giniAgainstFish(x, fish)$genes
    expect_true(is.na(none$ks[none$gene == "A"]))
    expect_equal(giniAgainstFish(sparse(x), fish)$genes$ks, none$ks)
})

test_messages("arguments of giniAgainstFish", {
    counts <- tinyCounts()
    fish <- counts[1:4, ]
    bad(giniAgainstFish(counts, fish))
    bad(giniAgainstFish(counts, unname(fish), "g1"))
    bad(giniAgainstFish(counts, fish, 1))
    bad(giniAgainstFish(counts, fish[1, , drop = FALSE], "g1"))
    bad(giniAgainstFish(counts * 0, fish, "g1"))
    bad(giniAgainstFish(counts, -fish, "g1"))
})
