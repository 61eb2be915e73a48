# AutoImpute: what is refused, in words.

counts <- smallCounts()

test_messages("AutoImputeParam: the type of every argument", {
    bad(AutoImputeParam(hidden = "many"))
    bad(AutoImputeParam(lambda = TRUE))
    bad(AutoImputeParam(learning.rate = NULL))
    bad(AutoImputeParam(max.iter = list(5)))
    bad(AutoImputeParam(stop = 1))
    bad(AutoImputeParam(threshold = "small"))
    bad(AutoImputeParam(patience = 1i))
    bad(AutoImputeParam(valid.fraction = "5%"))
    bad(AutoImputeParam(init = 0))
    bad(AutoImputeParam(init.bias = TRUE))
    bad(AutoImputeParam(bias = "yes"))
    bad(AutoImputeParam(batch.size = "all"))
    bad(AutoImputeParam(arithmetic = NULL))
    bad(AutoImputeParam(block.cells = "auto"))
    bad(AutoImputeParam(min.cells = "3"))
    bad(AutoImputeParam(n.genes = NULL))
    bad(AutoImputeParam(gene.selection = 1))
    bad(AutoImputeParam(preset = "Mouse"))
    bad(AutoImputeParam(preset = 1))
    bad(AutoImputeParam(seed = "one"))
    bad(AutoImputeParam(num.threads = "two"))
})

test_messages("AutoImputeParam: the range of every argument", {
    bad(AutoImputeParam(hidden = 0))
    bad(AutoImputeParam(hidden = 2.5))
    bad(AutoImputeParam(hidden = c(10, 20)))
    bad(AutoImputeParam(hidden = NA))
    bad(AutoImputeParam(lambda = -1))
    bad(AutoImputeParam(lambda = Inf))
    bad(AutoImputeParam(learning.rate = 0))
    bad(AutoImputeParam(max.iter = 0))
    bad(AutoImputeParam(stop = "never"))
    bad(AutoImputeParam(threshold = NaN))
    bad(AutoImputeParam(patience = 0))
    bad(AutoImputeParam(valid.fraction = 1))
    bad(AutoImputeParam(init = "xavier"))
    bad(AutoImputeParam(init.bias = "median"))
    bad(AutoImputeParam(bias = NA))
    bad(AutoImputeParam(batch.size = -1))
    bad(AutoImputeParam(arithmetic = c("sparse", "dense")))
    bad(AutoImputeParam(block.cells = 0.5))
    bad(AutoImputeParam(seed = -1))
    bad(AutoImputeParam(seed = 2^54))
    bad(AutoImputeParam(seed = c(1, 2)))
    bad(AutoImputeParam(num.threads = 0))
})

test_messages("AutoImputeParam: how counts are to be prepared", {
    bad(AutoImputeParam(min.cells = 1.5))
    bad(AutoImputeParam(min.cells = NA))
    bad(AutoImputeParam(n.genes = 0))
    bad(AutoImputeParam(n.genes = c(5, 10)))
    bad(AutoImputeParam(gene.selection = "variance"))
})

test_that("a loss that is no longer finite is an error that names the learning rate", {
    # RMSProp bounds its steps, so only values beyond single precision get there
    for (size in c(1.2e38, 5e38)) {
        huge <- prepareCounts(matrix(5, 10, 8) * (1 + diag(10)[, 1:8]), log = "none",
            normalize = "none")
        huge@x@x <- huge@x@x * (size / 5)
        expect_error(fitInfill(huge, smallParam(learning.rate = 10), seed = 1), "learning.rate",
            class = "infill_diverged")
    }
    expect_true(all(is.finite(infill(counts * 1e13, smallParam(learning.rate = 10), seed = 1))))
})
