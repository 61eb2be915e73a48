# Pictures of a comparison, and its page of HTML.

x <- simulateCounts(n.genes = 120, n.cells = 80, seed = 1)
cmp <- compareInfill(x, tasks = c("molecules", "entries"),
    params = list(deepMc = DeepMcParam(sweeps = 5), StackParam(),
    broken = GraphSciParam(n.max = 2)), repeats = 3, seed = 1, labels = x$group, posterior = TRUE)

test_that("pictures, and the page that reportInfill() writes", {
    skip_if_not_installed("ggplot2")
    skip_if_not_installed("knitr")
    for (type in c("comparison", "recovery", "calibration")) expect_s3_class(plot(cmp, type),
        "ggplot")
    expect_s3_class(plot(cmp, "training"), "ggplot")
    file <- tempfile(fileext = ".html")
    expect_identical(reportInfill(cmp, file, title = "A & B"), file)
    page <- paste(readLines(file), collapse = "\n")
    expect_match(page, "<h1>A &amp; B</h1>", fixed = TRUE)
    expect_match(page, "data:image/png;base64", fixed = TRUE)
    expect_false(grepl("(src|href)=\"(http|/)", page))
    expect_match(page, "broken failed", fixed = TRUE)
    expect_match(page, "sweeps +5")
})

test_messages("arguments of reportInfill", {
    x <- lowRankCounts(12, 10)
    one <- list(DeepMcParam(sweeps = 1))
    bad(reportInfill(1, "a.html"))
    cmp <- compareInfill(x, one, tasks = "molecules", repeats = 1, seed = 1)
    bad(reportInfill(cmp, 1))
    bad(reportInfill(cmp, "no/such/folder/a.html"))
})
