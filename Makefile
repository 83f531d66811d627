# `make demo` and `make test` do everything on a machine that has Python 3.11 with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(sort $(dir $(wildcard plugins/*/pyproject.toml)))
STAMP := $(VENV)/.installed

.PHONY: help install demo test test-long lint types bench docs clean

help:           ## what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

install: $(STAMP)  ## .venv with howto[all], every plugin of plugins/ and the development tools

# The stamp is newer than everything that decides what is installed; sources are installed in place.
$(STAMP): pyproject.toml constraints.txt $(wildcard plugins/*/pyproject.toml)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv -c constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python -c constraints.txt \
		-e '.[all,dev]' $(foreach plugin,$(PLUGINS),-e ./$(plugin))
	touch $(STAMP)

demo: install   ## draw narrated how-to videos, run every stage on them, search them
	$(BIN)/howto demo demo

lint: install   ## ruff, both format and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install  ## mypy --strict on the package
	$(BIN)/mypy

# For two cores: three processes, for some tests wait more than they compute, and none with threads
# that would fight for the cores. In the order of the files, so that long ones do not come last.
test: lint types  ## lint, types and tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -rs

test-long: install  ## fault and load runs of minutes
	$(BIN)/python -m pytest -m long

bench: install  ## every benchmark at full size; rewrites the table of docs/performance.md
	$(BIN)/python benchmarks/run.py

docs: install   ## rewrite docs/commands.md from the command tree
	$(BIN)/python -m howto.cli.reference > docs/commands.md

clean:          ## remove what was made
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
