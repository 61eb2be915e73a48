# Fits that were altered, or come from another program: an error that says so, and never a crash.

counts <- function() {
    set.seed(8)
    matrix(stats::rpois(40 * 30, rep(stats::rexp(40), 30) * 4 + 0.1), 40, 30,
        dimnames = list(paste0("g", 1:40), paste0("c", 1:30)))
}

fits <- local({
    made <- list()
    function(name) {
        if (is.null(made[[name]])) made[[name]] <<- suppressMessages(suppressWarnings(fitInfill(counts(), switch(name,
            auto = AutoImputeParam(hidden = 4, max.iter = 4, min.cells = 0),
            deep = DeepImputeParam(network.size = 12, hidden = c(5, 3), max.iter = 3),
            mc = DeepMcParam(ranks = c(4, 2), sweeps = 3, min.cells = 0),
            scinn = ScInnParam(latent = matrix(sin(1:90), 30, 3), labels = rep(1:3, 10), max.iter = 2),
            graph = GraphSciParam(max.iter = 3, valid.edges = 0.1, threshold = 0.2),
            stack = StackParam(list(GeneMeanParam(), NoneParam()))), seed = 1, keep.state = !name %in% c("mc", "stack"))))
        made[[name]]
    }
})

# what `alter` does to a fit makes infill() stop with these words
damaged <- function(name, words, alter) {
    fit <- alter(fits(name))
    said <- tryCatch({ infill(counts(), fit); "nothing" }, infill_error = conditionMessage)
    expect_match(said, paste0("the fit is damaged: '", words), fixed = TRUE, info = name)
}
# the same of a fit to go on from
unresumable <- function(name, words, alter) {
    fit <- fits(name)
    param <- fit@param
    param@max.iter <- param@max.iter + 1
    expect_error(suppressMessages(suppressWarnings(fitInfill(counts(), param, seed = 1, resume = alter(fit)))), words,
        class = "infill_error", info = paste(name, words))
}
planned <- function(part, value) function(fit) {
    fit@recipe$plan[[part]] <- if (is.function(value)) value(fit@recipe$plan[[part]]) else value
    fit
}
extra <- function(part, value) function(fit) {
    fit@extras[[part]] <- if (is.function(value)) value(fit@extras[[part]]) else value
    fit
}
recipe <- function(part, value) function(fit) {
    fit@recipe[[part]] <- if (is.function(value)) value(fit@recipe[[part]]) else value
    fit
}
short <- function(x) x[-1L]
far <- function(x) replace(x, 1L, 10000000L)

test_that("weights that are too few, too many, or no numbers", {
    for (name in c("auto", "deep", "mc", "scinn", "graph")) {
        damaged(name, "weights", function(fit) { fit@weights <- fit@weights[-1]; fit })
        damaged(name, "weights", function(fit) { fit@weights <- c(fit@weights, 0); fit })
        damaged(name, "weights", function(fit) { fit@weights <- numeric(); fit })
        damaged(name, "weights", function(fit) { fit@weights <- seq_along(fit@weights); fit })
        expect_error(fitParts({ f <- fits(name); f@weights <- 1; f }, "weights"), "damaged", class = "infill_error")
    }
})

test_that("genes that are not there", {
    for (name in c("auto", "deep", "mc", "scinn", "graph", "stack")) {
        for (value in list(integer(), far, function(x) -x, function(x) replace(x, 1, NA), function(x) replace(x, 1, x[2]),
            function(x) x + 0.5, as.character)) damaged(name, "recipe$selected", recipe("selected", value))
        damaged(name, "recipe$kept", recipe("kept", logical()))
        damaged(name, "recipe$status", recipe("status", short))
        damaged(name, "recipe$genes", recipe("genes", short))
        damaged(name, "recipe$log", recipe("log", "log3"))
        damaged(name, "recipe$target", recipe("target", c(1, 2)))
    }
    # genes of another fit: other weights are wanted
    damaged("auto", "weights", recipe("selected", short))
})

test_that("plans that do not go with the rest", {
    for (part in c("hidden", "network", "n.predictors", "n.targets", "predictors", "targets")) {
        for (value in list(NULL, function(x) x + 0.5, as.character, function(x) -x - 1L, "a", NA_integer_))
            damaged("deep", paste0("recipe$plan$", part), planned(part, value))
        damaged("deep", "recipe$plan$", planned(part, integer()))
        if (part != "hidden") damaged("deep", "recipe$plan$", planned(part, short))
        if (part != "network") damaged("deep", "recipe$plan$", planned(part, far))
    }
    damaged("deep", "weights", planned("hidden", short))
    damaged("deep", "recipe$plan$n.targets", planned("n.targets", function(x) replace(x, 1, x[1] + 1L)))
    damaged("deep", "recipe$plan$hidden", function(fit) { fit@recipe$plan <- NULL; fit })
    damaged("deep", "recipe$plan$hidden", function(fit) { fit@recipe$plan <- 1:9; fit })
    for (part in c("cells", "iterations")) for (value in list(integer(), 0L, NULL, 1:2, "a", NA, Inf))
        damaged("mc", paste0("recipe$plan$", part), planned(part, value))
    damaged("mc", "weights", planned("cells", function(n) n + 1L))
    damaged("mc", "extras$steps", planned("iterations", function(n) n + 1L))
    for (part in c("labels", "units")) for (value in list(short, NULL, "a"))
        damaged("scinn", paste0("recipe$plan$", part), planned(part, value))
    damaged("scinn", "recipe$plan$labels", planned("labels", far))
    damaged("scinn", "recipe$plan$units", planned("units", function(x) replace(x, 2, NaN)))
    damaged("scinn", "weights", planned("hidden", function(n) n + 1L))
    damaged("scinn", "weights", planned("clusters", function(n) n + 1L))
    for (part in c("cells", "clusters", "latent", "hidden", "batch", "iterations"))
        for (value in list(-1L, NULL, 1e12, NaN)) damaged("scinn", paste0("recipe$plan$", part), planned(part, value))
    for (part in c("first", "neighbours", "pairs", "size")) for (value in list(short, NULL, "a"))
        damaged("graph", paste0("recipe$plan$", part), planned(part, value))
    damaged("graph", "recipe$plan$first", planned("first", function(x) replace(x, 3, 10000000L)))
    damaged("graph", "recipe$plan$neighbours", planned("neighbours", far))
    damaged("graph", "recipe$plan$neighbours", planned("neighbours", rev))
    damaged("graph", "recipe$plan$pairs", planned("pairs", far))
    damaged("graph", "recipe$plan$size", planned("size", function(x) -x))
    damaged("graph", "recipe$plan$size", planned("cells", function(n) n - 1L))
})

test_that("what else a fit keeps", {
    for (value in list(NULL, numeric(), "a", 1:2)) {
        damaged("deep", "extras$limit", extra("limit", value))
        for (part in c("cells", "steps", "summary")) damaged("mc", paste0("extras$", part), extra(part, value))
        for (part in c("sf", "cells")) damaged("graph", paste0("extras$", part), extra(part, value))
    }
    damaged("mc", "extras$cells", function(fit) { fit@extras <- list(); fit })
})

test_that("parameters that were assigned past their check", {
    damaged("auto", "param@hidden", function(fit) { fit@param@hidden <- 1e7; fit })
    damaged("auto", "weights", function(fit) { fit@param@hidden <- 5; fit })
    damaged("mc", "param@ranks", function(fit) { fit@param@ranks <- c(2, 4); fit })
    damaged("mc", "param@ranks", function(fit) { fit@param@ranks <- rep(2, 9); fit })
    damaged("mc", "weights", function(fit) { fit@param@ranks <- 4; fit })
    damaged("deep", "param@hidden", function(fit) { fit@param@hidden <- numeric(); fit })
    damaged("deep", "param@output", function(fit) { fit@param@output <- "x"; fit })
    damaged("graph", "param@n.draws", function(fit) { fit@param@n.draws <- -1; fit })
    damaged("graph", "weights", function(fit) { fit@param@n.draws <- 3; fit })
    damaged("scinn", "weights", function(fit) { fit@param@predictor <- "linear"; fit })
})

test_that("a posterior's parts", {
    damaged("stack", "coefficients", function(fit) { fit@coefficients <- numeric(); fit })
    damaged("stack", "coefficients", function(fit) { fit@coefficients <- c(fit@coefficients, 1); fit })
    damaged("stack", "coefficients", function(fit) { fit@coefficients[1] <- NaN; fit })
    damaged("stack", "fits", function(fit) { fit@fits <- list(); fit })
    damaged("stack", "fits", function(fit) { fit@fits[[1]] <- 1; fit })
    damaged("stack", "mean.fit", function(fit) { fit@mean.fit@weights <- 1; fit })
    damaged("stack", "mean.fit", function(fit) { fit@mean.fit <- fits("auto"); fit })
    damaged("stack", "recipe$selected", function(fit) { fit@fits[[1]]@recipe$selected <- 10000000L; fit })
    expect_error(posteriorSd(counts(), { f <- fits("stack"); f@coefficients <- 1; f }), "damaged", class = "infill_error")
})

test_that("a fit to go on from", {
    for (name in c("auto", "deep", "graph")) {
        unresumable(name, "'weights'", function(fit) { fit@weights <- fit@weights[-1]; fit })
        unresumable(name, "'state'", function(fit) { fit@state <- fit@state[-1]; fit })
        unresumable(name, "'state'", function(fit) { fit@state <- c(fit@state, 1); fit })
        unresumable(name, "'history", function(fit) {
            fit@history$iteration <- fit@history$iteration * 1000L
            if (name == "deep") fit@history$network[1] <- 2L
            fit@history$penalty <- NULL
            fit
        })
        if (name != "deep") unresumable(name, "'history", function(fit) {
            fit@history$iteration <- fit@history$iteration * 1000L
            fit
        })
        unresumable(name, "'history", function(fit) { fit@history$train <- NULL; fit })
        unresumable(name, "'history", function(fit) { fit@history$train <- "a"; fit })
        unresumable(name, "selected", recipe("selected", integer()))
        unresumable(name, "ended|stopped", function(fit) { fit@stopped <- "no reason"; fit })
    }
    unresumable("deep", "other counts|damaged", planned("targets", far))
    unresumable("graph", "other counts|damaged", planned("pairs", short))
})

test_that("prepared counts with a plan that does not go with them", {
    x <- infill:::.prepared(fits("deep")@param, sparse(counts()), 1, 1)
    for (part in c("predictors", "targets", "n.predictors", "hidden")) {
        bad <- x
        bad@recipe$plan[[part]] <- far(bad@recipe$plan[[part]])
        expect_error(fitInfill(bad, fits("deep")@param, seed = 1), paste0("recipe$plan$", part), fixed = TRUE,
            class = "infill_error")
    }
})

test_that("a sound fit is as good as before", {
    for (name in c("auto", "deep", "mc", "scinn", "graph", "stack"))
        expect_identical(dim(suppressWarnings(infill(counts(), fits(name)))), c(40L, 30L))
})

test_that("a posterior of quick priors, altered within them, is damaged, and R lives", {
    x <- lowRankCounts(60, 50)
    fit <- fitInfill(x, StackParam(list(GeneMeanParam(), SvdParam(3), NeighborMeanParam(5)),
        repeats = 1, min.gain = 0), seed = 1)
    for (k in list(0, -5, NA_real_)) {
        f <- fit
        f@fits[[3]]@param@k <- k
        expect_error(infill(x, f), "damaged", class = "infill_error")
    }
    for (rank in list(0L, NULL, NA)) {
        f <- fit
        f@fits[[2]]@recipe$plan$rank <- rank
        expect_error(infill(x, f), "damaged", class = "infill_error")
    }
    f <- fit
    f@fits[[3]]@recipe$plan$rotation <- f@fits[[3]]@recipe$plan$rotation[-1]
    expect_error(infill(x, f), "damaged", class = "infill_error")
})

test_that("fits within a fit are looked at like fits", {
    x <- smallCounts(30, 20)
    fit <- fitInfill(x, StackParam(list(GeneMeanParam(), SvdParam(2), NeighborMeanParam(3, 2)),
        repeats = 1, min.gain = 0), seed = 1)
    refused <- function(change, part) {
        expect_error(infill(x, change(fit)), sprintf("the fit is damaged: '%s'", part),
            class = "infill_error", fixed = TRUE)
    }
    inner <- function(k, part, value) function(f) {
        f@fits[[k]]@recipe$plan[[part]] <- value
        f
    }
    refused(inner(2, "usual", matrix(1:4, 2)), "recipe$plan$usual")
    refused(inner(2, "rank", "a"), "recipe$plan$rank")
    refused(inner(3, "dims", sum), "recipe$plan$dims")
    refused(inner(3, "cells", data.frame(a = 1)), "recipe$plan$cells")
    refused(function(f) { f@fits[[3]]@recipe$plan <- Inf; f }, "recipe$plan")
    refused(function(f) { f@fits[[3]]@extras$cells <- sum; f }, "extras$cells")
    refused(function(f) { f@mean.fit@weights[1] <- NA; f }, "mean.fit")
    auto <- tinyFit()
    auto@history$valid <- NULL
    expect_error(plot(auto), "'history' must have a loss", class = "infill_error")
    auto@recipe$least <- "a"
    expect_error(infill(tinyCounts(), auto), "'recipe$least'", class = "infill_error", fixed = TRUE)
})
