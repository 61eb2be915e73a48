# The files of messages themselves (helper-messages.R).

blocksOf <- function(path) {
    is <- function(e) is.call(e) && identical(e[[1]], quote(test_messages))
    unlist(lapply(Filter(is, as.list(parse(path, keep.source = FALSE))), function(e) e[[2]]))
}

test_that("every block of messages belongs to a test, and every test has its block", {
    skip_if(writesMessages(), "messages are being written")
    tests <- list.files(test_path(), "^test-.*[.]R$")
    tests <- tests[!vapply(test_path(tests), function(f) is.null(blocksOf(f)), NA)]
    expect_setequal(list.files(test_path("messages")), sub("^test-(.*)[.]R$", "\\1.txt", tests))
    for (file in tests) {
        text <- sub("^test-(.*)[.]R$", "\\1.txt", file)
        expect_identical(sort(names(readMessages(text))), sort(blocksOf(test_path(file))),
            info = file)
    }
})
