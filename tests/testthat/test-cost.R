# What filling in costs, said before.

x <- simulateCounts(n.genes = 200, n.cells = 120, seed = 1)

test_that("seconds, memory and size for every model, in words", {
    for (p in list(NoneParam(), GeneMeanParam(), SvdParam(5), NeighborMeanParam(10), DeepMcParam(),
        StackParam(), StackParam(list(GeneMeanParam(), DeepMcParam())), smallParam(max.iter = 20),
        DeepImputeParam(max.iter = 20), ScInnParam(k = 2, max.iter = 2, replicates = 1),
        GraphSciParam(max.iter = 5))) {
        cost <- infillCost(x, p, num.threads = 1)
        expect_s3_class(cost, "InfillCost")
        expect_true(all(unlist(cost) >= 0) && all(is.finite(unlist(cost))))
        expect_identical(cost$result, 8 * 200 * 120)
        expect_gt(cost$memory, cost$result)
    }
    expect_output(print(cost), "^InfillCost: fit .*, filling in .*; .* of memory above the input, ")
    expect_identical(infillCost(x, GeneMeanParam(), genes = 1:10)$result, 8 * 10 * 120)
})

test_that("more data, a larger model and fewer threads cost more", {
    wide <- x[, rep(1:120, 30)]
    for (p in list(StackParam(), SvdParam(40), NeighborMeanParam(30), DeepMcParam())) {
        one <- infillCost(x, p)
        many <- infillCost(wide, p, num.threads = 1)
        expect_gt(many$fit + many$fill, one$fit + one$fill)
        expect_gt(many$memory, one$memory)
        two <- infillCost(wide, p, num.threads = 2)
        expect_lt(two$fit + two$fill, many$fit + many$fill)
    }
    expect_gt(infillCost(wide, StackParam(repeats = 10))$fit, infillCost(wide, StackParam())$fit)
    expect_gt(infillCost(wide, StackParam())$fit, infillCost(wide, StackParam(max.cells = 200))$fit)
})

test_that("durations say no more than is known", {
    expect_identical(vapply(c(0.2, 12.34, 1234, 12345, NA), infill:::.duration, ""),
        c("less than a second", "about 12 s", "about 21 min", "about 3.4 hours", "?"))
})

test_messages("arguments of infillCost()", {
    counts <- tinyCounts()
    bad(infillCost(counts, "stack"))
    bad(infillCost(counts, StackParam(), gene = 1))
    bad(infillCost(counts, StackParam(), genes = 999))
    bad(infillCost("counts", StackParam()))
})
