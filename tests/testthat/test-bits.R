# Everything that a user gets is what it was (bits.R, bits.tsv). Changes are made knowingly:
#   Rscript tests/testthat/bits.R [data folder] > tests/testthat/bits.tsv, and a word in NEWS.

test_that("all models, the posterior and the metrics give the results on record", {
    skip_if_not(nzchar(Sys.getenv("INFILL_SLOW")), "slow checks are off (INFILL_SLOW)")
    skip_if_not_installed("SingleCellExperiment")
    source(test_path("bits.R"), local = TRUE)
    want <- read.delim(test_path("bits.tsv"), comment.char = "#", quote = "")
    got <- bitsTable(dataFolder())
    want <- want[want$set %in% got$set, ]
    expect_identical(paste(got$set, got$what), paste(want$set, want$what))
    same <- sub("^# ", "", readLines(test_path("bits.tsv"), 1L)) == bitsMachine()
    if (same) {
        changed <- got$md5 != want$md5
        expect_identical(paste(got$set, got$what)[changed], character())
    } else {                                  # other libraries: other last digits
        expect_equal(got$n, want$n)
        some <- !grepl("history|paper|permutation|gauge", got$what)
        expect_lt(stats::quantile(abs(got$squares - want$squares)[some] / (1e-9 + want$squares[some]), 0.9), 1e-2)
    }
})
