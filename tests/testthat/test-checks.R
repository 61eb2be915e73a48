# What counts have to be.

test_messages("values that are no counts, by their position", {
    counts <- tinyCounts()
    param <- tinyParam()
    fit <- tinyFit()
    with <- tinyWith
    bad(infill(with(NA), param), "infill_scale")
    bad(infill(with(NaN), param), "infill_scale")
    bad(infill(with(Inf), param), "infill_scale")
    bad(infill(with(-Inf), param), "infill_scale")
    bad(infill(with(-1), param), "infill_scale")
    bad(infill(unname(with(-1)), param), "infill_scale")
    bad(infill(sparse(with(-0.5, 12, 8)), param), "infill_scale")
    for (value in c(NA, NaN, Inf, -1)) expect_error(infill(delayed(with(value, 4, 2)), fit),
        'gene 4 ("g4"), cell 2 ("c2")', fixed = TRUE, class = "infill_scale")
    bad(prepareCounts(with(NA)), "infill_scale")
    bad(maskCounts(with(-1)), "infill_scale")
    bad(geneCv(with(Inf)), "infill_scale")
    integers <- counts
    storage.mode(integers) <- "integer"
    integers[2, 2] <- NA
    bad(infill(integers, fit), "infill_scale")
    bad(infill(with(NA) > 2, param), "infill_scale")
    expect_error(infill(with(NA), param, check.scale = FALSE), class = "infill_scale")
    expect_error(fitInfill(sparse(with(Inf)), GeneMeanParam()), class = "infill_scale")
})

test_messages("log values given as counts", {
    counts <- tinyCounts()
    param <- tinyParam()
    fit <- tinyFit()
    with <- tinyWith
    logs <- log2(counts + 1)
    bad(infill(logs, param), "infill_scale")
    bad(infill(logs, fit), "infill_scale")
    bad(fitInfill(sparse(logs), param), "infill_scale")
    bad(prepareCounts(logs), "infill_scale")
    expect_true(all(is.finite(infill(logs, param, seed = 1, check.scale = FALSE))))
    expect_true(all(is.finite(infill(logs, fit, check.scale = FALSE))))
    expect_s4_class(fitInfill(logs, param, seed = 1, check.scale = FALSE), "InfillFit")
    # not whole, but large: counts of a kind
    expect_identical(dim(infill(with(31.5), param, seed = 1)), dim(counts))
    expect_error(infill(with(29.5), param, seed = 1), class = "infill_scale")
    bad(infill(counts, param, check.scale = NA))
    bad(prepareCounts(counts, check.scale = "yes"))
})

test_messages("empty and degenerate matrices", {
    counts <- tinyCounts()
    param <- tinyParam()
    fit <- tinyFit()
    bad(infill(counts[integer(), ], param))
    bad(infill(counts[, integer()], param))
    bad(infill(counts * 0, param))
    bad(infill(counts[1, , drop = FALSE] * 0, param))
    bad(suppressWarnings(infill(counts * 0, GeneMeanParam())))
    bad(infill(counts[, 1, drop = FALSE], param))
    bad(infill(counts[, 1, drop = FALSE], AutoImputeParam(hidden = 4)))
    bad(infill(counts, AutoImputeParam(hidden = 4, min.cells = 100)))
    bad(prepareCounts(counts, min.count = 1e6))
    expect_error(infill(sparse(counts)[, integer()], fit), class = "infill_error")
    malformed <- sparse(counts)
    malformed@i[1] <- 1000L
    expect_error(infill(malformed, param), class = "infill_error")
})

test_messages("all-zero rows and columns are no error", {
    counts <- tinyCounts()
    param <- tinyParam()
    zeros <- rbind(counts, 0)
    rownames(zeros) <- paste0("g", 1:13)
    out <- infill(zeros, param, seed = 1)
    expect_identical(dimnames(out), dimnames(zeros))
    expect_identical(unname(out[13, ]), numeric(8))
    zeros <- cbind(counts, 0)
    expect_warning(out <- infill(zeros, param, seed = 1), "1 of 9 cells")
    expect_identical(unname(out[, 9]), numeric(12))
    says(infill(zeros, param, seed = 1))
    says(fitInfill(handPrepared(matrix(0, 2, 2)), param, seed = 1))
})

test_messages("an argument that nobody knows is named, in one spelling everywhere", {
    counts <- tinyCounts()
    sce <- SingleCellExperiment::SingleCellExperiment(list(counts = counts, soupx = counts))
    param <- DeepMcParam(sweeps = 2)
    fit <- fitInfill(sce, param, seed = 1)
    bad(infill(sce, param, assay = "soupx"))
    bad(infill(sce, param, ass = "nonsense", seeed = 1))
    bad(infill(sce, fit, assay = "soupx"))
    bad(infill(sce, fit, seed = 1))
    bad(infill(sce, param, "soupx"))
    bad(fitInfill(sce, param, assay = "soupx"))
    bad(fitInfill(prepareCounts(sce), param, assay = "soupx"))
    bad(compareInfill(sce, assay = "soupx"))
    bad(maskCounts(sce, assay = "soupx"))
    bad(prepareCounts(sce, assay = "soupx"))
    bad(permutationCheck(sce, param, assay = "soupx"))
    bad(fitParts(fit, "history", n = 3))
    bad(fitParts(fit, "genes", 3))
    bad(plot(fit, 3))
    bad(recoveryError(1:2, 1:2, b = "gene"))
    m <- maskCounts(sce, seed = 1)
    bad(recoveryError(m, counts, subset = 1))
})

# Each takes `...` for a generic's sake, or for other arguments: none may swallow.
test_that("every function with dots looks at what is in them", {
    ns <- asNamespace("infill")
    exported <- mget(getNamespaceExports(ns), ns, mode = "function", ifnotfound = list(NULL))
    all <- c(exported, mget(ls(ns, pattern = "^(plot|print|as[.]data[.]frame)[.]"), ns))
    for (generic in c("infill", "fitInfill", "recoveryError")) all <- c(all,
        lapply(findMethods(generic, where = ns), function(m) {
            inner <- body(m)
            # the method proper is within, where its arguments differ from the generic's
            if (identical(inner[[1L]], quote(`{`)) && length(inner) > 1L &&
                identical(inner[[2L]][[1L]], quote(`<-`))) eval(inner[[2L]][[3L]]) else m@.Data
        }))
    dots <- Filter(function(f) is.function(f) && "..." %in% names(formals(f)), all)
    # the last ones hand on to who looks himself
    looks <- function(f) any(c(".strict", ".newParam", ".onlyKnown", "standardGeneric", "infill",
        "as.data.frame") %in% all.names(body(f)))
    expect_gt(length(dots), 30)
    # handed to workers; further results; an error whatever comes
    expect_setequal(names(Filter(Negate(looks), dots)),
        c("bulkDropout", "plot.ZerosByBulk", "ANY#ANY"))
})
