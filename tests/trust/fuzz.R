# The fuzzer: every export and every parameter with things in the place of arguments that do not
# belong there, and altered objects. Rscript tests/trust/fuzz.R [inputs] [seed]
# Each input ends in a value, in an error of class infill_error (or R's own about arguments that are
# missing or not used), or runs out of time; everything else is a finding: another error, NaN or Inf
# where no page says so, a warning of R's own, an R that died. Inputs run in other R's, in batches,
# so that one that dies is seen. The last line is the sum.
arguments <- commandArgs(TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
child <- identical(arguments[1], "--batch")
seed <- if (child) as.integer(arguments[3]) else if (length(arguments) > 1L) as.integer(arguments[2]) else
    as.integer(format(Sys.time(), "%Y%j"))
PAIRS <- 1000L                      # of the seed of the day
SECONDS <- 4                        # for an input

# Pages say that these hold NaN or Inf: losses where a count was not expected at all, breaks.
documented <- function(name, path) switch(sub(" .*", "", name),
    countLoss = TRUE, plotBeforeAfter = TRUE, object = TRUE,
    posteriorQuantiles = TRUE, zerosByBulk = grepl("log.after", path),
    # a parameter may be Inf, and what was not looked at is no number
    grepl("parameters|@param|@history|@heldout|@extras|@state|@gains|@nothing", path))

# Where a value holds NaN or Inf.
wild <- function(x, path = "") {
    if (is.environment(x) || is.function(x) || is.language(x)) return(NULL)
    if (is.double(x)) return(if (any(is.nan(x) | is.infinite(x))) path)
    if (isS4(x)) return(unlist(lapply(methods::slotNames(x), function(s) wild(methods::slot(x, s), paste0(path, "@", s)))))
    if (is.list(x)) return(unlist(lapply(seq_along(x), function(k) wild(unclass(x)[[k]],
        paste0(path, "$", if (is.null(names(x))) k else names(x)[k])))))
    NULL
}

own <- function(message) grepl(paste0("^unused argument|is missing, with no default|formal argument .* matched by multiple|",
    "^argument [0-9]+ matches multiple"), message)

one <- function(input) {
    args <- tryCatch(argumentsOf(input), error = identity)
    if (inherits(args, "error")) return(c("unmade", conditionMessage(args)))
    warned <- NULL
    set.seed(1)
    outcome <- tryCatch(withCallingHandlers({
        setTimeLimit(elapsed = SECONDS, transient = TRUE)
        value <- run(input[[1]], args)
        setTimeLimit()
        at <- if (!is.ggplot(value)) wild(value)
        at <- at[!vapply(at, documented, NA, name = input[[1]])]
        if (length(at)) c("wild", toString(at)) else "value"
    }, warning = function(w) {
        if (!is.null(conditionCall(w))) warned <<- paste(conditionMessage(w), "in", deparse(conditionCall(w))[1])
        tryInvokeRestart("muffleWarning")
    }, message = function(m) tryInvokeRestart("muffleMessage")),
        infill_error = function(e) c("infill_error", conditionMessage(e)),
        error = function(e) {
            text <- conditionMessage(e)
            kind <- if (grepl("reached elapsed time limit", text)) "time" else if (own(text)) "R's own" else "foreign"
            c(kind, paste(text, "in", paste(deparse(conditionCall(e))[1], collapse = "")))
        })
    setTimeLimit()
    if (outcome[1] == "value" && !is.null(warned)) c("R's warning", warned) else outcome
}
is.ggplot <- function(x) inherits(x, "ggplot")

label <- function(input) paste(input[[1]], paste(input[[2]], input[[3]], sep = " = ", collapse = ", "), sep = ": ")

if (child) {
    # --batch file seed indices-file: an outcome for each line, and the number of the one at work before it
    all <- readRDS(arguments[4])
    file <- arguments[2]
    source(file.path(here, "inputs.R"))
    options(infill.memory.limit = 5e8, warn = 1)
    grDevices::pdf(NULL)
    setwd(tempdir())
    for (k in seq_along(all)) {
        cat(sprintf("start %d\n", k), file = file, append = TRUE)
        begun <- proc.time()[["elapsed"]]
        out <- one(all[[k]])
        took <- proc.time()[["elapsed"]] - begun
        cat(sprintf("end %d\t%s\t%.1f\t%s\n", k, out[1], took, gsub("[\n\t]", " ", paste(out[-1], collapse = " "))), file = file, append = TRUE)
    }
    quit(save = "no")
}

# One batch, and what is left of it when its R dies.
batch <- function(all, workers = as.integer(Sys.getenv("FUZZ_WORKERS", "2"))) {
    folder <- tempfile("fuzz")
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    size <- ceiling(length(all) / (workers * ceiling(length(all) / (workers * 1500))))
    todo <- split(seq_along(all), (seq_along(all) - 1L) %/% size)
    results <- parallel::mclapply(todo, function(at) {
        done <- NULL
        while (length(at)) {
            files <- file.path(folder, paste0(c("in", "out", "err"), at[1]))
            saveRDS(all[at], files[1])
            file.create(files[2])
            system2("bash", c("-c", shQuote(sprintf("ulimit -v 8000000; exec timeout 3600 %s --vanilla %s --batch %s %d %s > /dev/null 2> %s",
                shQuote(file.path(R.home("bin"), "Rscript")), shQuote(file.path(here, "fuzz.R")), files[2], seed, files[1], files[3]))))
            said <- readLines(files[2], warn = FALSE)
            ended <- strsplit(grep("^end ", said, value = TRUE), "\t")
            done <- rbind(done, data.frame(at = at[seq_along(ended)], kind = vapply(ended, `[`, "", 2L),
                took = as.numeric(vapply(ended, `[`, "", 3L)), what = vapply(ended, `[`, "", 4L)))
            if (length(ended) == length(at)) break
            done <- rbind(done, data.frame(at = at[length(ended) + 1L], kind = "crash", took = NA,
                what = paste(utils::tail(readLines(files[3], warn = FALSE), 3L), collapse = " ")))
            if (!length(said)) stop("the inputs cannot be made: ", paste(readLines(files[3], warn = FALSE), collapse = "\n"))
            at <- at[-seq_len(length(ended) + 1L)]
        }
        done
    }, mc.cores = workers, mc.preschedule = FALSE)
    do.call(rbind, results)
}

source(file.path(here, "inputs.R"))
begun <- Sys.time()
all <- inputs(seed, PAIRS)
fixed <- length(all) - PAIRS
most <- if (length(arguments)) as.integer(arguments[1]) else NA
# a part: every so many of the fixed ones, and of those of the day
if (!is.na(most) && most < length(all)) all <- all[unique(round(seq(1, length(all), length.out = most)))]
cat(sprintf("fuzz: %d inputs (%d in all without those of the seed), seed %d\n", length(all), fixed, seed))
found <- batch(all)
found$input <- vapply(all[found$at], label, "")
if (nzchar(Sys.getenv("FUZZ_OUT"))) saveRDS(found, Sys.getenv("FUZZ_OUT"))
kinds <- c("value", "infill_error", "R's own", "time", "R's warning", "wild", "foreign", "crash", "unmade")
n <- table(factor(found$kind, kinds))
cat(sprintf("  %-14s %6d\n", kinds, n), sep = "")
bad <- found[found$kind %in% c("R's warning", "wild", "foreign", "crash"), ]
if (nrow(bad)) cat(sprintf("%s: %s: %s\n", bad$kind, bad$input, bad$what), sep = "")
# what could not be made was not tried
cat(sprintf("fuzz: %d passed, %d failed (%.0f s)\n", sum(found$kind != "unmade") - nrow(bad), nrow(bad),
    as.numeric(difftime(Sys.time(), begun, units = "secs"))))
quit(status = nrow(bad) > 0)
