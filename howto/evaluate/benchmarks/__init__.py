"""Published data sets to score a model on: a reader for each, found by name as every backend is.

A reader (`howto.contracts.Benchmark`) turns the files of a release, or those of the HowTo100M
authors, into one of the records of `howto.evaluate.benchmarks.sets`. Nothing is downloaded.
`howto.evaluate.benchmark.evaluate_benchmark` scores a model on what was read. docs/benchmarks.md
says which files are read and where each release is described.
"""
