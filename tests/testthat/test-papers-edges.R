# edgesAgainst().

test_that("edges against a reference", {
    found <- data.frame(gene1 = c("a", "b", "c", "b", "d", "a"),
        gene2 = c("b", "a", "x", "c", "d", "d"), probability = 1)
    known <- data.frame(gene1 = c("b", "d", "e", "c", "a"), gene2 = c("a", "c", "a", "d", "a"))
    e <- edgesAgainst(found, known)
    # found: ab, cx, bc, ad; known: ab, cd, ae. x is unknown there, e here
    expect_identical(e$edges.all, 4L)
    expect_identical(e$reference.all, 3L)
    expect_identical(c(e$edges, e$reference, e$common), c(3L, 2L, 1L))
    expect_equal(c(e$precision, e$recall, e$f1), c(1 / 3, 1 / 2, 2 / 5))
    expect_identical(c(e$genes.not.in.reference, e$genes.not.in.edges), c(1L, 1L))
    expect_identical(attr(e, "missing"), list(from.reference = "x", from.edges = "e"))
    more <- edgesAgainst(found, known, genes = c("a", "e", "z"))
    expect_identical(more$reference, 3L)
    expect_setequal(attr(more, "missing")$from.reference, c("x", "z"))
    factors <- data.frame(gene1 = factor(found$gene1), gene2 = factor(found$gene2))
    expect_identical(edgesAgainst(factors, known), e)
    expect_identical(edgesAgainst(found[, 2:1][, c("gene1", "gene2")], known), e)
    none <- edgesAgainst(found[0, ], known)
    expect_identical(none$common, 0L)
    expect_identical(none$precision, NA_real_)
})

test_messages("arguments of edgesAgainst", {
    edges <- data.frame(gene1 = "a", gene2 = c("b", NA))
    bad(edgesAgainst(as.matrix(edges), edges))
    bad(edgesAgainst(edges, edges))
    bad(edgesAgainst(edges[1, ], edges[1, 1, drop = FALSE]))
    bad(edgesAgainst(edges[1, ], edges[1, ], genes = NA))
})
