# What the fuzzer found (tests/trust/fuzz.R): one case of each kind.

counts <- withSeed(7, matrix(rpois(300, 3), 20, 15, dimnames = list(paste0("g", 1:20),
    paste0("c", 1:15))))
group <- rep(1:3, 5)
two <- rep(1:2, length.out = 15)
with <- function(part, value, x = sparse(counts)) {
    attr(x, part) <- value
    x
}

test_messages("sparse matrices whose slots were assigned past validity", {
    no.i <- with("i", integer())
    no.x <- with("x", numeric())
    far <- with("i", rep(1000L, length(sparse(counts)@i)))
    bad(silhouetteWidth(no.i, seq_len(20) %% 2))
    bad(plotBeforeAfter(no.i, counts))
    bad(plotBeforeAfter(counts, no.i))
    bad(ScInnParam(latent = no.i))
    bad(NeighborMeanParam(embedding = no.x))
    bad(recoveryError(maskCounts(counts, seed = 1), no.i))
    bad(geneTests(no.x, two))
    bad(smoothingGauge(counts, no.x))
    bad(zerosByBulk(counts, no.x, rowSums(counts)))
    bad(zerosByBulk(counts, counts, no.i))
    bad(countLoss(counts, far))
    bad(restoreCounts(prepareCounts(counts), no.i))
    bad(fitInfill(counts, GraphSciParam(adj = no.i)))
    bad(giniAgainstFish(no.x, counts, "g1"))
    delayed <- DelayedArray::DelayedArray(sparse(counts))
    bad(prepareCounts(with("seed", no.i, delayed)))
    bad(geneTests(with("seed", no.x, delayed), two))
})

test_messages("objects whose slots were assigned past their class", {
    param <- AutoImputeParam(hidden = 4, max.iter = 2)
    fit <- fitInfill(counts, param, seed = 1)
    other <- with("stop", sum, param)
    bad(fitInfill(counts, other))
    bad(infill(counts, other))
    bad(infill(counts, with("hidden", "a", param)))
    bad(infill(counts, with("recipe", 1, fit)))
    bad(infill(counts, with("weights", "a", fit)))
    bad(fitParts(with("param", other, fit)))
    prepared <- prepareCounts(counts)
    bad(restoreCounts(with("total", 1, prepared)))
    bad(restoreCounts(with("recipe", list(), prepared)))
    bad(fitInfill(with("x", 1, prepared), param))
    mask <- maskCounts(counts, seed = 1)
    bad(hiddenEntries(with("row", 1:3, mask)))
    bad(recoveryError(with("col", mask@col + 100L, mask), counts))
    bad(recoveryError(with("value", -mask@value, mask), counts))
    bad(maskedData(with("scheme", 1, mask)))
})

test_messages("arguments of another kind", {
    mask <- maskCounts(counts, seed = 1)
    bad(recoveryError(mask, counts, subset.row = 1i))
    bad(recoveryError(mask, counts, subset.row = c(-1, 1)))
    bad(maskCounts(counts, assay.type = NA))
    bad(plotBeforeAfter(counts, counts, n.genes = NA))
    bad(zerosByBulk(counts, matrix("a", 20, 15), rowSums(counts)))
    bad(plotBeforeAfter(replace(counts, 3, NA), counts))
    bad(plotBeforeAfter(counts, replace(counts, 3, -1)))
    bad(DeepImputeParam(genes = 1i))
    bad(DeepImputeParam(genes = sum))
    bad(posteriorQuantiles(counts, fitInfill(counts, StackParam(list(GeneMeanParam())), seed = 1),
        genes = sum))
})

test_that("a test that there is none of is NA, and never NaN", {
    flat <- counts
    flat[1, ] <- 5
    flat[2, 1] <- 1e300
    rownames(flat)[3] <- NA
    for (test in c("t", "wilcoxon")) {
        r <- geneTests(flat, two, test)
        expect_identical(unlist(r[1, 2:3], use.names = FALSE), rep(NA_real_, 2))
        expect_identical(is.na(r$statistic[1]), test == "t")         # the rank sum is there
        expect_false(any(vapply(r, function(v) any(is.nan(v) | is.infinite(v)), NA)))
        expect_false(anyNA(r$statistic[4:20]))
    }
    none <- genesAgainstBulk(counts, two, rep(c(TRUE, FALSE), 10), alpha = 1e-300)
    expect_identical(c(none$called, none$precision, none$recall), c(0, NA, 0))
    one <- bulkDropout(counts[1, , drop = FALSE], 0.9, list(GeneMeanParam()), seed = 1)
    expect_true(all(is.na(one$pearson)))
})

test_messages("altered tables of a fit: printed, drawn and taken apart", {
    fit <- fitInfill(counts, AutoImputeParam(hidden = 4, max.iter = 2), seed = 1)
    table <- function(slot, column, value, x = fit) {
        inner <- unclass(slot(x, slot))
        inner[[column]] <- value
        attributes(inner) <- c(attributes(slot(x, slot))[c("row.names", "class")],
            list(names = names(inner)))
        with(slot, inner, x)
    }
    bad(print(table("history", "iteration", Inf)))
    bad(print(table("history", "iteration", factor("a"))))
    bad(print(with("best", 1:2, fit)))
    bad(plot(table("history", "train", 1:3)))
    bad(plot(with("history", data.frame(a = 1), fit)))
    bad(print(table("heldout", "pearson", "a")))
    bad(fitParts(table("shapes", "nrow", NA), "weights"))
    bad(fitParts(table("shapes", "name", -1), "weights"))
    bad(fitParts(table("shapes", "nrow", fit@shapes$nrow + 1L), "weights"))
    deep <- fitInfill(counts, DeepImputeParam(network.size = 10, hidden = 3, max.iter = 2,
        min.vmr = 0), seed = 1)
    plan <- with("recipe", replace(deep@recipe, "plan", 1), deep)
    bad(fitParts(plan, "networks"))
    bad(fitParts(table("history", "network", 1, deep), "networks"))
    graph <- fitInfill(counts, GraphSciParam(max.iter = 2, threshold = 0.2), seed = 1)
    bad(fitParts(with("recipe", replace(graph@recipe, "cell.names", list(sum)), graph), "mean"))
    for (seed in list(numeric(), 1:2 + 0, NA_real_)) bad(fitInfill(counts, fit@param, seed = 1,
        resume = with("seed", seed, fit)))
    prepared <- prepareCounts(counts)
    bad(print(with("recipe", replace(prepared@recipe, "target", list(sum)), prepared)))
    bad(restoreCounts(prepared, as.matrix(prepared@x) + NA))
    bad(restoreCounts(prepared, as.matrix(prepared@x) + 1e300))
    bad(print(with("fraction", "a", maskCounts(counts, seed = 1))))
    stack <- fitInfill(counts, StackParam(list(GeneMeanParam())), seed = 1)
    bad(print(table("gains", "counts", NULL, stack)))
    bad(plot(table("deciles", "when", 1:3, stack)))
    bad(plot(table("deciles", "when", NULL, stack)))
    bad(posteriorSd(counts, with("param", 1, stack)))
})
