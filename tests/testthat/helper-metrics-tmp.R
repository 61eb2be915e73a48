# Stand-ins for metrics that the package is to have: of no effect once it has them.
local({
    there <- function(name) exists(name, asNamespace("infill"), inherits = FALSE)
    if (!there("rocAuc")) assign("rocAuc", function(score, truth) {
        n <- as.double(sum(truth))
        (sum(rank(score)[truth]) - n * (n + 1) / 2) / n / sum(!truth)
    }, globalenv())
    if (!there("giniCoefficient")) assign("giniCoefficient", function(x) {
        x <- sort(x)
        n <- length(x)
        sum((2 * seq_len(n) - n - 1) * x) / (n * sum(x))
    }, globalenv())
    if (!there("ksStatistic")) assign("ksStatistic", function(x, y) {
        at <- c(x, y)
        max(abs(stats::ecdf(x)(at) - stats::ecdf(y)(at)))
    }, globalenv())
})
