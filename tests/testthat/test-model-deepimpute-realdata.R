# DeepImpute on real data (slow: INFILL_SLOW).

for (goal in list(list("zheng500_facs", 0.372), list("zeisel_550", 0.564))) local({
    set <- goal[[1]]
    below <- goal[[2]]
    test_that(sprintf("DeepImpute on all genes of %s: RMSE below %g and below the gene's mean", set,
        below), {
        task <- recordedTask(set)
        filled <- infill(task$x, DeepImputeParam(n.genes = Inf), seed = 1, progress = FALSE,
            num.threads = 2)
        expect_lt(task$rmse(filled), below)
        expect_lt(task$rmse(filled), task$rmse(infill(task$x, GeneMeanParam(over = "detected"))))
    })
})
