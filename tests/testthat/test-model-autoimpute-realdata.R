# AutoImpute on real data (slow: INFILL_SLOW).

test_that("Blakeley, the paper's protocol and row of Table 2: RMSE at most 3.0, mean of 5 seeds", {
    p <- prepareCounts(realData("blakeley"), min.cells = 4)
    rmse <- vapply(1:5, function(seed) {
        set.seed(seed)
        x <- p@x
        at <- sort(sample.int(length(x@x), floor(0.1 * length(x@x))))
        row <- x@i[at] + 1L
        col <- rep.int(seq_len(ncol(x)), diff(x@p))[at]
        truth <- x@x[at]
        x@x[at] <- 0
        q <- p
        q@x <- Matrix::drop0(x)
        fit <- fitInfill(q, AutoImputeParam(preset = "Blakeley", min.cells = 4), seed = seed,
            progress = FALSE, num.threads = 2)
        predicted <- refForward(fitParts(fit, "weights"), q@x)$y[cbind(row, col)]
        mean <- Matrix::rowSums(q@x) / pmax(1, Matrix::rowSums(q@x != 0))
        c(recoveryError(truth, predicted)$rmse, recoveryError(truth, mean[row])$rmse)
    }, c(0, 0))
    expect_lte(mean(rmse[1, ]), 3.0)
    expect_lt(mean(rmse[1, ]), mean(rmse[2, ]))
})

for (goal in list(list("zheng500_facs", 0.355), list("jurkat_293t_338", 0.41),
    list("sc_dropseq_3cl", 0.49))) local({
    set <- goal[[1]]
    most <- goal[[2]]
    test_that(sprintf("%s, defaults: RMSE at most %g and below the gene's mean", set, most), {
        task <- recordedTask(set)
        filled <- infill(task$x, AutoImputeParam(min.cells = 0, gene.selection = "none"), seed = 1,
            progress = FALSE, num.threads = 2)
        expect_lte(task$rmse(filled), most)
        expect_lt(task$rmse(filled), task$rmse(infill(task$x, GeneMeanParam(over = "detected"))))
    })
})

test_that("init = \"reference\" fails as the authors' code does on zheng500_facs", {
    task <- recordedTask("zheng500_facs")
    filled <- infill(task$x, AutoImputeParam(min.cells = 0, gene.selection = "none",
        init = "reference", stop = "paper", max.iter = 500), seed = 1, progress = FALSE,
        num.threads = 2)
    expect_gt(task$rmse(filled), 3)
})
