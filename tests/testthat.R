library(testthat)
library(infill)

test_check("infill")
