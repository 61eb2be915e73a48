# GraphSCI: what is refused, in words.

counts <- graphSeen$counts
graph <- graphSeen$graph

test_messages("GraphSCI: every argument", {
    bad(GraphSciParam(threshold = 1, correlation = "spearman", dist = "poisson", latent = "Z",
        inner = "none", init = "zero"))
    bad(GraphSciParam(max.iter = 0, stop = "window", valid.fraction = 0.9, patience = 0,
        learning.rate = 0, dropout = 1))
    bad(GraphSciParam(l2 = -1, mse.weight = NA, scale = NA, n.genes = 1, n.max = 0))
    bad(GraphSciParam(valid.edges = 0.7, cell.dropout = 1, eval = "mean", n.draws = -1))
    bad(GraphSciParam(adj = "g"))
    bad(GraphSciParam(paper = NA))
    bad(GraphSciParam(edges = 1))
})

test_messages("GraphSCI: graphs and data that cannot be fitted", {
    fit <- tinyFit()
    x <- lowRankCounts(12, 10)
    a <- diag(12)
    dimnames(a) <- list(rownames(x), rownames(x))
    given <- function(adj, ...) fitInfill(x, GraphSciParam(adj = adj, max.iter = 1, ...), seed = 1)
    bad(given(a[-1, ]))
    bad(given(unname(a)[-1, -1]))
    bad(given(replace(a, 2, 1)))
    bad(given(replace(a, 1, NA)))
    bad(given(replace(a, 1, -1)))
    bad(given(matrix("a", 12, 12)))
    bad(given(data.frame(a = "gene1")))
    bad(given(data.frame(a = "gene1", b = c("gene2", "gene77"))))
    bad(given(data.frame(a = "gene1", b = NA)))
    bad(given(data.frame(a = "gene1", b = "gene2", w = -1)))
    bad(given(NULL, n.max = 5))
    graphParam <- GraphSciParam(max.iter = 1)
    bad(fitInfill(x / 3 + 50, graphParam, seed = 1))
    bad(fitInfill(x[, 1, drop = FALSE], graphParam, seed = 1))
    bad(fitInfill(x * 0, graphParam, seed = 1))
    bad(fitInfill(replace(x, row(x) > 1, 0), graphParam, seed = 1))
    b <- a
    colnames(b) <- rev(colnames(b))
    bad(given(b))
    dimnames(b) <- rep(list(rep("gene1", 12)), 2)
    bad(given(b))
    bad(fitInfill(unname(x), GraphSciParam(adj = a), seed = 1))
    bad(fitInfill(x - 50, graphParam, seed = 1))
    bad(fitInfill(prepareCounts(x), graphParam, seed = 1))
    g <- fitInfill(x, graphParam, seed = 1)
    bad(infill(x[, 3:1] + 1, g))
    bad(fitParts(fit, "edges"))
    bad(fitParts(g, "edges", threshold = 2))
    bad(fitParts(g, "edges", as = "list"))
    bad(fitParts(g, "variance"))
    bad(fitParts(g, "mean", genes = 13))
    bad(fitParts(g, "mean", cells = "cell1"))
    old <- options(infill.memory.limit = 1e4)
    on.exit(options(old))
    bad(fitInfill(x, graphParam, seed = 1))
})

test_that("mistakes are errors of our class that name the argument", {
    wrong <- list(threshold = list(0, 1, -0.3, NA, c(0.2, 0.3)), correlation = list("spearman"),
        dist = list("poisson"), latent = list("Z"), inner = list("half"), scale = list(NA, 2),
        dropout = list(-0.1, 1), l2 = list(-1, Inf), mse.weight = list(-1, NA), init = list("zero"),
        max.iter = list(0, 2.5), stop = list("never"), valid.fraction = list(-0.1, 1),
        patience = list(0), learning.rate = list(0), n.max = list(0), paper = list(NA))
    for (name in names(wrong)) for (value in wrong[[name]])
        expect_error(do.call(GraphSciParam, stats::setNames(list(value), name)), name, fixed = TRUE,
            class = "infill_error", info = name)
    # the parameters by themselves: where S4 looks for a method, the class of their error is lost
    mistake <- function(words, ..., x = counts) expect_error({
        p <- GraphSciParam(max.iter = 2, ...)
        quiet(fitInfill(x, p, seed = 1))
    }, words, class = "infill_error")
    put <- function(value, i = 1, j = 2, both = TRUE) {
        A <- graph
        A[i, j] <- value
        if (both) A[j, i] <- value
        A
    }
    for (A in list(put(NA_real_), put(NaN), put(-1), put(1 - graph[1, 2], both = FALSE), "many",
        graph[, -1], list(graph), unname(graph)[-1, -1], data.frame(gene1 = "g1"),
        data.frame(gene1 = c("g1", NA), gene2 = c("g2", "g3")))) {
        mistake("adj", adj = A)
        if (is.matrix(A) && is.numeric(A) && nrow(A) == 60 && ncol(A) == 60) mistake("adj",
            adj = sparse(A))
    }
    renamed <- graph
    dimnames(renamed)[[1]][3] <- dimnames(renamed)[[2]][3] <- "nobody"
    for (A in list(renamed, sparse(renamed), data.frame(gene1 = "g1", gene2 = "nobody"))) {
        mistake("adj", adj = A)
        mistake("nobody", adj = A)
    }
    mistake("n.max", n.max = 30)
    for (dist in c("zinb", "nb")) mistake(NULL, dist = dist, x = counts * 1.5)
    mistake(NULL, x = counts[, 1, drop = FALSE])
    mistake(NULL, x = 0 * counts)
    for (bad in c(NaN, Inf, -1)) {
        x <- counts
        x[5, 2] <- bad
        mistake(NULL, x = x)
    }
    expect_error(fitParts(graphFit(max.iter = 1), "median"), class = "infill_error")
    expect_error(fitParts(counts, "mean"), class = "infill_error")
    old <- options(infill.memory.limit = 1e4)
    on.exit(options(old))
    mistake("n\\.genes|n\\.max|inner")                          # what would need less
})
