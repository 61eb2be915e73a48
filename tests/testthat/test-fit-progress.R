# The progress line of a fit.

counts <- smallCounts()
param <- smallParam()

test_that("a progress line is written when asked for", {
    expect_silent(fitInfill(counts, param, seed = 1, progress = FALSE))
    expect_message(fitInfill(counts, param, seed = 1, progress = TRUE),
        "AutoImpute: iteration 1 of 25, RMSE .*held out")
    expect_message(fitInfill(counts, smallParam(stop = "paper"), seed = 1, progress = TRUE),
        "at most [0-9]+ s to go")
    expect_identical(suppressMessages(fitInfill(counts, param, seed = 1, progress = TRUE))@weights,
        fitInfill(counts, param, seed = 1)@weights)
    quiet <- suppressMessages(fitInfill(counts, GeneMeanParam(), progress = TRUE))
    expect_identical(quiet@stopped, "closed form")
})
