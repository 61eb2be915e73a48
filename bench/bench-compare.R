# The judge on real data: compareInfill() with the recorded peers beside it (tables), values against
# a truth that was measured (truth: deep libraries, known mixtures, FISH, bulk), and what filling in
# does to clusters and to shuffled counts (signal). What must come out where the answer is known:
# true rates, no structure at all, an oversmoother (known). Writes results/compare.md (tables,
# known), results/truth.md and results/signal.md. From the root: Rscript bench/bench-compare.R
# tables|truth|signal|known [data folder] [sets, comma] [methods of signal, semicolon]
source("bench/tasks.R")
source("bench/write.R")
options(width = 160)
args <- commandArgs(TRUE)
what <- c(args, "tables")[1]
data <- if (length(args) > 1) args[2] else "../shared/data"
of <- function(default) if (length(args) > 2) strsplit(args[3], ",")[[1]] else default
threads <- as.integer(Sys.getenv("THREADS", "2"))
command <- paste("Rscript bench/bench-compare.R", what)
file <- file.path(data, "../reference/peers.tsv")
peers <- if (file.exists(file)) read.delim(file)
peersOf <- function(set, test) {
    p <- if (is.null(peers)) NULL else peers[peers$set == set & peers$test == test, ]
    if (is.null(p) || !nrow(p)) return("none recorded")
    p <- p[order(p$value), ]
    paste(sprintf("%s %.4f", p$method, p$value), collapse = ", ")
}
quiet <- function(code) suppressWarnings(suppressMessages(code))
labelsOf <- function(set, x) {
    l <- read.delim(file.path(data, set, "labels.tsv"))
    l[match(colnames(x), l$cell), ]
}
# Every gene of the task filled in: where a model would choose among them, it is told not to.
models <- function() list(deepMc = DeepMcParam(n.genes = Inf, min.cells = 0,
    gene.selection = "none"), DeepImpute = DeepImputeParam(n.genes = Inf),
    AutoImpute = AutoImputeParam(n.genes = Inf, min.cells = 0), scINN = ScInnParam(),
    GraphSCI = GraphSciParam())

# What printing a comparison gives, as tables, and the recorded peers.
comparison <- function(cmp, set) {
    lines <- utils::capture.output(print(cmp))
    at <- grep("^(Held-out molecules|Hidden entries)$", lines)
    ends <- c(at[-1], length(lines) + 1) - 1
    parts <- Map(function(from, to) {
        own <- lines[(from + 1):to]
        table <- startsWith(own, " ")
        cells <- strsplit(trimws(own[table]), " +")
        n <- length(cells[[1]]) - 1                  # numbers; a name may have spaces
        cells <- t(vapply(cells, function(k) {
            c(paste(utils::head(k, -n), collapse = " "), utils::tail(k, n))
        }, character(n + 1)))
        body <- as.data.frame(cells[-1, , drop = FALSE])
        names(body) <- c(" ", cells[1, -1])
        test <- c("Held-out molecules" = "split.poisson", "Hidden entries" = "mask10.rmse")
        list(lines[from], body, paste("Verdict:", trimws(paste(own[!table], collapse = " "))),
            paste("Recorded (their own split of the same task):",
            peersOf(set, test[[lines[from]]])))
    }, at, ends)
    c(list(sub("^InfillComparison: ", "", lines[1])), do.call(c, parts))
}

if (what == "tables")
    for (set in of(c("zheng500_facs", "sc_celseq2_3cl", "zeisel_550", "pbmc3k",
    "mouse_bladder_2100"))) {
    x <- taskData(set, data)
    big <- ncol(x) > 1000                        # there models without their posteriors
    cmp <- compareInfill(x, c(list(Stack = StackParam()), models()), c("molecules", "entries"),
        labels = labelsOf(set, x)$label, repeats = 2, posterior = !big, seed = 1,
        num.threads = threads, progress = TRUE)
    print(cmp)
    writeResult("compare", set, comparison(cmp, set), command)
}

# ---- against a truth ----

# What each method makes of x: zeros filled in, the model's own values everywhere, the posterior.
# f(values, name) for each.
overMethods <- function(x, f) {
    rows <- list()
    add <- function(name, values) rows[[name]] <<- tryCatch(f(as.matrix(values)),
        error = function(e) {
        message(name, ": ", conditionMessage(e))
        NULL
    })
    fill <- function(param, ...)
        tryCatch(quiet(if (is(param, "InfillFit")) infill(x, param, ..., num.threads = threads,
        as = "matrix") else infill(x, param, ..., seed = 1, num.threads = threads, as = "matrix",
        progress = FALSE)), error = function(e) {
        message(class(param), ": ", conditionMessage(e))
        NULL
    })
    put <- function(name, values) if (!is.null(values)) add(name, values)
    put("counts", x)
    put("gene mean", fill(GeneMeanParam(), keep = "none"))
    put("detected mean, zeros", fill(GeneMeanParam(over = "detected")))
    put("Stack", fill(StackParam()))
    put("Stack masked, zeros", fill(StackParam(loss = "masked")))
    m <- models()
    for (name in names(m)) {
        fit <- tryCatch(quiet(fitInfill(x, m[[name]], seed = 1, num.threads = threads,
            progress = FALSE)), error = function(e) {
            message(name, ": ", conditionMessage(e)); NULL })
        if (is.null(fit)) next
        put(paste0(name, ", zeros"), fill(fit))
        put(paste0(name, ", all"), fill(fit, keep = "none"))
        put(paste0(name, ", posterior"), fill(m[[name]], keep = "posterior"))
    }
    out <- do.call(rbind, rows)
    print(round(out, 4))
    data.frame(` ` = rownames(out), apply(out, 2, num, 3), check.names = FALSE)
}
size <- function(m) { s <- colSums(m); s / median(s[s > 0]) }
logs <- function(m, s = size(m)) log1p(m / rep(s, each = nrow(m)))
pearsons <- function(a, b, margin) {
    if (margin == 1) { a <- t(a); b <- t(b) }
    median(vapply(seq_len(ncol(a)),
        function(k) if (sd(a[, k]) > 0 && sd(b[, k]) > 0) cor(a[, k], b[, k]) else NA, 0),
        na.rm = TRUE)
}

if (what == "truth")
    for (set in of(c("pollen_depth_pairs", "rnamix_celseq2", "grun_mesc_smfish",
    "sc_celseq2_3cl"))) {
    whole <- readRDS(file.path(data, set, "counts.rds"))
    if (set == "pollen_depth_pairs") {
        # The same libraries sequenced deeply, brought to the depth of the shallow ones cell by
        # cell. Errors on log1p(value/size); dropped: zeros with deep reads; auc: do filled-in
        # values tell those zeros from the ones without?
        x <- taskData(set, data)
        deep <- as.matrix(readRDS(file.path(data, set, "truth_high_depth.rds"))[rownames(x),
            colnames(x)])
        truth <- deep * rep(colSums(x) / colSums(deep), each = nrow(deep))
        zero <- as.matrix(x) == 0
        dropped <- zero & deep > 0
        s <- size(as.matrix(x))
        title <-
            (sprintf("%d genes x %d libraries, %.1f %% zeros, %.1f %% of them with deep reads",
            nrow(x), ncol(x), 100 * mean(zero), 100 * sum(dropped) / sum(zero)))
        table <- overMethods(x, function(v) {
            l <- logs(v, s)
            t <- logs(truth, s)
            e <- (l - t)^2
            c(rmse = sqrt(mean(e)), rmse.dropped = sqrt(mean(e[dropped])),
                rmse.zero = sqrt(mean(e[zero & !dropped])), pearson.gene = pearsons(l, t, 1),
                pearson.cell = pearsons(l, t, 2), auc = rocAuc(v[zero], dropped[zero]))
        })
    }
    if (set == "rnamix_celseq2") {
        # The wells of 30 pg stay out; their mean per mixture is the truth for the wells of 3.75 pg.
        # mixture: mean absolute error of the proportions that fit a well best, of the three pure
        # lines' wells of 30 pg (least squares on normalised values over the root of their mean,
        # negative ones to 0, sum 1).
        l <- labelsOf(set, whole)
        few <- whole[, l$mRNA_amount < 30]
        x <- few[rowSums(few >= 3) >= 3, ]
        l.x <- labelsOf(set, x)
        n <- as.matrix(x) / rep(size(as.matrix(x)), each = nrow(x))
        v <- apply(n, 1, var) / rowMeans(n)
        x <- x[sort(head(order(-v), 2000)), ]
        rich <- as.matrix(whole[rownames(x), l$mRNA_amount == 30])
        rich <- rich / rep(size(rich), each = nrow(rich))
        mix <- l$label[l$mRNA_amount == 30]
        truth <- vapply(sort(unique(mix)), function(k) rowMeans(rich[, mix == k, drop = FALSE]),
            numeric(nrow(x)))
        poor <- which(l.x$mRNA_amount == 3.75)
        pure <- truth[, c("1_0_0", "0_1_0", "0_0_1")]
        known <- t(as.matrix(l.x[poor, c("H2228_prop", "H1975_prop", "HCC827_prop")]))
        title <- sprintf("%d genes x %d wells, %d of them of 3.75 pg; label %s", nrow(x), ncol(x),
            length(poor), paste(rownames(known), collapse = " "))
        target <- log1p(truth[, l.x$label[poor]])
        even <- sqrt(rowMeans(pure) + 0.01)
        table <- overMethods(x, function(v) {
            v <- v[, poor] / rep(size(v)[poor], each = nrow(v))
            v <- v * mean(truth) / mean(v)
            w <- solve(crossprod(pure / even), crossprod(pure / even, v / even))
            w <- pmax(w, 0)
            w <- w / rep(colSums(w), each = 3)
            c(rmse = sqrt(mean((log1p(v) - target)^2)),
                pearson.gene = pearsons(log1p(v), target, 1),
                pearson.well = pearsons(log1p(v), target, 2), mixture = mean(abs(w - known)))
        })
    }
    if (set == "grun_mesc_smfish") {
        # Of nine genes in two conditions: molecules by FISH over relative cell area, against values
        # over size factor, brought to FISH's mean. gini, cv: mean absolute difference; gini.r:
        # correlation; ks: median Kolmogorov-Smirnov distance.
        fish <- read.delim(file.path(data, set, "smfish.tsv"))
        fish <- fish[!is.na(fish$molecules), ]
        whole <- as(whole, "CsparseMatrix")
        x <- whole[rownames(whole) %in% c(rownames(taskData(set, data)), fish$gene), ]
        l <- labelsOf(set, x)$label
        key <- unique(fish[c("condition", "gene")])
        key <- key[key$gene %in% rownames(x), ]
        measured <- Map(function(condition, gene) {
            d <- fish[fish$condition == condition & fish$gene == gene, ]
            a <- ave(d$area, d$probe_set,
                FUN = function(v) if (all(is.na(v))) rep(1, length(v)) else v /
                mean(v, na.rm = TRUE))
            v <- d$molecules / a
            v[is.finite(v)]
        }, key$condition, key$gene)
        title <- sprintf("%d genes x %d cells; %d genes in %s", nrow(x), ncol(x),
            length(unique(key$gene)), paste(unique(l), collapse = " and "))
        table <- overMethods(x, function(v) {
            v <- v / rep(size(v), each = nrow(v))
            r <- mapply(function(condition, gene, m) {
                own <- v[gene, l == condition]
                if (mean(own) <= 0) return(rep(NA, 5))
                c(giniCoefficient(own), giniCoefficient(m),
                    ksStatistic(own * mean(m) / mean(own), m), sd(own) / mean(own), sd(m) / mean(m))
            }, key$condition, key$gene, measured)
            c(gini = mean(abs(r[1, ] - r[2, ]), na.rm = TRUE),
                gini.r = cor(r[1, ], r[2, ], use = "complete.obs"),
                ks = median(r[3, ], na.rm = TRUE), cv = mean(abs(r[4, ] - r[5, ]), na.rm = TRUE))
        })
    }
    if (set == "sc_celseq2_3cl") {
        # Bulk of the three lines. Differential in bulk: replicates apart and means more than
        # twofold; not: less than 1.25-fold. auc and f1 of Wilcoxon's test, mean of the three pairs.
        # own: median over cells of the correlation with the own line's bulk; margin: the same less
        # that with the nearest other line, genes centred. Doublets are left out.
        x <- taskData(set, data)
        l <- labelsOf(set, x)
        x <- x[, l$demuxlet_cls != "DBL"]
        l <- l[l$demuxlet_cls != "DBL", ]
        bulk <- read.delim(gzfile(file.path(data, set, "bulk_GSE86337.tsv.gz")))
        m <- as.matrix(bulk[-(1:3)])
        m <- 1e6 * m / rep(colSums(m), each = nrow(m))
        rownames(m) <- bulk$ensembl
        m <- m[match(rownames(x), bulk$ensembl), ]
        line <- sub("_rep.*", "", colnames(m))
        pairs <- combn(sort(unique(l$label)), 2, simplify = FALSE)
        truth <- lapply(pairs, function(p) {
            a <- m[, line == p[1]]
            b <- m[, line == p[2]]
            fold <- abs(log2((rowMeans(a) + 1) / (rowMeans(b) + 1)))
            apart <- apply(a, 1, min) > apply(b, 1, max) | apply(b, 1, min) > apply(a, 1, max)
            ifelse(apart & fold > 1, TRUE, ifelse(fold < log2(1.25), FALSE, NA))
        })
        means <- vapply(sort(unique(line)), function(k) rowMeans(log1p(m[, line == k])),
            numeric(nrow(m)))
        there <- !is.na(means[, 1])
        centred <- means[there, ] - rowMeans(means[there, ])
        none <- there & rowSums(m) == 0
        pairs.said <- vapply(truth, function(t) {
            sprintf("%d of %d", sum(t, na.rm = TRUE), sum(!is.na(t)))
        }, "")
        title <- paste(sprintf("%d genes x %d cells, %d genes in bulk,", nrow(x), ncol(x),
                sum(there)),
            sprintf("%d of them without reads there;", sum(none, na.rm = TRUE)),
            sprintf("differential %s", paste(pairs.said, collapse = ", ")))
        table <- overMethods(x, function(v) {
            d <- Map(function(p, t) genesAgainstBulk(v, ifelse(l$label %in% p, l$label, NA), t),
                pairs, truth)
            z <- logs(v)[there, ]
            r <- suppressWarnings(cor(z - rowMeans(z), centred))
            own <- r[cbind(seq_len(nrow(r)), match(l$label, colnames(r)))]
            other <- apply(r, 1, function(k) sort(k, decreasing = TRUE)[2])
            b <- rowMeans(m)
            q <- zerosByBulk(x, v, b, bins = 4, threshold = 0.5)
            c(auc = mean(vapply(d, `[[`, 0, "auc")), f1 = mean(vapply(d, `[[`, 0, "f1")),
                called = mean(vapply(d, `[[`, 0, "called")), own = median(own),
                right = mean(colnames(r)[max.col(r)] == l$label), zeros.absent = q$kept[1],
                zeros.top = q$kept[nrow(q)])
        })
    }
    writeResult("truth", set, list(title, table), command)
}

# Counts, the default posterior, and the model that is lowest on held-out molecules: clusters as the
# recorded protocol has them (50 components of log2 of depth-normalised values + 1, 1,000 dispersion
# genes of the counts, k-means of 20 starts, mean of 5 seeds), silhouette on 2 components.
if (what == "signal") {
    sets <- of(c("zheng500_facs", "sc_celseq2_3cl", "sc_dropseq_3cl", "zeisel_550",
        "jurkat_293t_338", "pollen", "deng", "sc_10x_3cl_894g", "klein_1k", "pbmc3k",
        "pbmc4k_top2000", "baron_2812_hvg"))
    rows <- rowsOf()
    for (set in sets) {
        x <- taskData(set, data)
        label <- labelsOf(set, x)$label
        n <- as.matrix(x) / rep(size(as.matrix(x)), each = nrow(x))
        top <- sort(head(order(-apply(n, 1, var) / rowMeans(n)), 1000))
        clusters <- function(v) {
            v <- v / rep(pmax(size(v), 1e-12), each = nrow(v))
            l <- log2(t(v[top, ]) + 1)
            l <- sweep(l, 2, colMeans(l))
            pcs <- if (min(dim(l)) > 200) {
                set.seed(1)
                irlba::prcomp_irlba(l, 50, center = FALSE)$x
            } else prcomp(l, rank. = min(50, dim(l) - 1))$x
            a <- vapply(1:5, function(seed) {
                set.seed(seed)
                adjustedRandIndex(kmeans(pcs, length(unique(label)), nstart = 20,
                    iter.max = 100)$cluster, label)
            }, 0)
            c(mean(a), silhouetteWidth(pcs[, 1:2], label))
        }
        some <- list(counts = NoneParam(), `Stack, posterior` = StackParam(),
            `deepMc, zeros` = models()$deepMc, `DeepImpute, zeros` = models()$DeepImpute,
            `GraphSCI, zeros` = models()$GraphSCI)
        if (length(args) > 3) some <- some[strsplit(args[4], "; *")[[1]]]
        for (name in names(some)) {
            run <- function(x) quiet(infill(x, some[[name]], seed = 1, num.threads = threads,
                as = "matrix", progress = FALSE))
            v <- if (name == "counts") as.matrix(x) else run(x)
            k <- clusters(v)
            p <- if (name == "counts") NULL else permutationCheck(x, function(y) run(y), seed = 1)
            s <- smoothingGauge(x, v, seed = 1)
            shuffled <- if (is.null(p))
                "" else sprintf("%s (%.2f %%, %.2f %%; shuffled counts %.2f %%, %.2f %%)",
                p$verdict, 100 * p$tests$after[1], 100 * p$tests$after[3], 100 * p$tests$before[1],
                100 * p$tests$before[3])
            rows$add(set = set, ` ` = name, ARI = num(k[1], 3), silhouette = num(k[2], 3),
                `permutation check (pairs, markers)` = shuffled,
                `smoothing gauge` = sprintf("%s (between %.2f, rank %.2f)", s$verdict,
                    median(s$genes$between, na.rm = TRUE), median(s$genes$rank, na.rm = TRUE)))
        }
    }
    part <- if (length(args) > 2) paste(shQuote(args[-(1:2)]), collapse = " ")
    writeResult("signal", "signal", rows$table(), paste(c(command, part), collapse = " "),
        by = if (is.null(part)) 0 else 2)
}

# ---- where the answer is known ----

if (what == "known") {
    # true rates: the lowest loss must be theirs, of all columns
    s <- simulateCounts(n.genes = 500, n.cells = 300, group.prob = c(0.4, 0.3, 0.3), de.prob = 0.3,
        dropout.shape = NULL, rates = TRUE, lib.location = 7.5, seed = 2)
    x <- SummarizedExperiment::assay(s, "counts")
    m <- maskCounts(x, "molecules", 0.1, 5)
    train <- maskedData(m)
    test <- as.matrix(x - train)
    loss <- function(p) countLoss(test, unname(as.matrix(p)) / 9)
    fill <- function(p, ...) quiet(infill(train, p, ..., seed = 1, num.threads = threads,
        as = "matrix", progress = FALSE))
    rows <- c(`true rates` = loss(0.9 * SummarizedExperiment::assay(s, "rate")),
        counts = loss(train), `gene mean` = loss(fill(GeneMeanParam(), keep = "none")),
        `gene mean, posterior` = loss(fill(StackParam(GeneMeanParam()))),
        `StackParam()` = loss(fill(StackParam())))
    for (name in names(models())) rows <- c(rows,
        stats::setNames(c(loss(fill(models()[[name]], keep = "none")),
        loss(fill(models()[[name]], keep = "posterior"))), paste0(name, c("", ", posterior"))))
    rows <- sort(rows)
    print(rows)
    writeResult("compare", "known", data.frame(`simulated, 500 genes x 300 cells` = names(rows),
        `Poisson loss of held-out molecules` = num(rows, 5), check.names = FALSE), command)

    # one population, Poisson noise, cells of different size
    set.seed(2)
    null <- matrix(rpois(300 * 200, rgamma(300, 0.6, 0.3) * rep(rlnorm(200, 0, 0.3), each = 300)),
        300)
    cat("\nnull data, 300 genes x 200 cells\n")
    print(quiet(compareInfill(null[rowSums(null) > 5, ], c(list(Stack = StackParam()), models()),
        repeats = 3, seed = 1, num.threads = threads)))

    # the mean of 500 neighbours
    x <- taskData("sc_10x_3cl_894g", data)
    smooth <- function(counts) {
        counts <- as.matrix(counts)
        v <- counts / rep(size(counts), each = nrow(counts))
        pcs <- prcomp(log1p(t(v)), rank. = 20)$x
        near <- cbind(seq_len(ncol(v)), FNN::get.knn(pcs, 499)$nn.index)
        out <- vapply(seq_len(ncol(v)), function(c) rowMeans(v[, near[c, ]]), numeric(nrow(v))) *
            rep(size(counts), each = nrow(v))
        dimnames(out) <- dimnames(counts)
        out
    }
    cat("\nmean of 500 neighbours, sc_10x_3cl_894g\n")
    print(permutationCheck(x, smooth, seed = 1))
    print(smoothingGauge(x, smooth(x), seed = 1))
}
