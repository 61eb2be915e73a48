# Mistakes in parameters, whatever the model; each model's own are in test-model-*.

test_messages("several mistakes are reported together", {
    bad(AutoImputeParam(hidden = 0, lambda = -1, init = "x", bias = NA, seed = -1, num.threads = 0))
    bad(AutoImputeParam(hidden = "a", lambda = "b"))
    # a wrong type does not hide a wrong value
    message <- tryCatch(AutoImputeParam(hidden = "a", lambda = -1), error = conditionMessage)
    expect_match(message, "'hidden' must be")
    expect_match(message, "'lambda' must be")
})

test_messages("a misspelt argument suggests the right one", {
    bad(AutoImputeParam(hiden = 5))
    bad(AutoImputeParam(learning_rate = 5))
    bad(AutoImputeParam(whatever = 5))
    bad(GeneMeanParam(ovr = "all"))
    bad(NoneParam(sed = 1))
    message <- tryCatch(AutoImputeParam(lamda = 1, seeed = 2), error = conditionMessage)
    expect_match(message, "lambda")
    expect_match(message, "seed")
    expect_error(GeneMeanParam("all", 5), class = "infill_error")
    # an argument without name is not an argument ''
    expect_error(NoneParam(5), "name", class = "infill_error")
})
