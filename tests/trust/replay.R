# The calls that entries.R recorded, in an R that has nothing but the shared object: where a garbage
# collection takes a millisecond, and valgrind sees little else.
# Rscript --vanilla tests/trust/replay.R infill.so calls.rds [gctorture]
# Each entry must give what it gave when it was recorded: with gctorture the collector is at every
# allocation. The last line is the sum.
arguments <- commandArgs(TRUE)
torture <- "gctorture" %in% arguments
entries <- getDLLRegisteredRoutines(dyn.load(arguments[1]))$.Call
calls <- readRDS(arguments[2])
passed <- 0L
failed <- character()
verdict <- function(ok, what) if (isTRUE(ok)) passed <<- passed + 1L else failed <<- c(failed, what)
for (name in names(entries)) {
    verdict(length(calls[[name]]) > 0, paste(name, "was not called"))
    begun <- proc.time()[["elapsed"]]
    for (recorded in calls[[name]]) {
        call <- as.call(c(quote(.Call), entries[[name]], lapply(recorded$args, function(a) call("quote", a))))
        gctorture(torture)
        value <- tryCatch(eval(call), error = conditionMessage)
        gctorture(FALSE)
        # what is free on a disk changes
        verdict(identical(value, recorded$value) || name == "C_free_space" && is.double(value), paste(name, "gives something else"))
    }
    cat(sprintf("  %-20s %d calls, %.1f s\n", name, length(calls[[name]]), proc.time()[["elapsed"]] - begun))
}
if (length(failed)) cat(failed, sep = "\n")
cat(sprintf("replay: %d passed, %d failed\n", passed, length(failed)))
quit(save = "no", status = length(failed) > 0)
