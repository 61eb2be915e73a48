# make demo: install what is missing, run the main job.  make test: install what is missing, run every test.
.PHONY: demo test document clean
demo:
	bash .ci/demo
test:
	bash .ci/test
document:
	Rscript -e 'roxygen2::roxygenise(".")'
	rm -f src/*.o src/*.so
clean:
	rm -rf demo-output infill.Rcheck infill_*.tar.gz src/*.o src/*.so tests/core/build
