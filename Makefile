# The two commands: `make run` and `make test`. Each makes the environment that it needs.
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
# uv installs faster than pip, and compiles as pip does, so that the first run need not. It reads no settings of pip:
# `make run UV=` where only pip knows the mirror.
UV ?= $(shell command -v uv)
install = $(if $(UV),$(UV) pip install --quiet --compile-bytecode --python $(1)/bin/python,$(1)/bin/python -m pip install --quiet --disable-pip-version-check)

.PHONY: run test test-fast reproduce check docs lock clean

# The whole experiment of params.yaml; ends with the path of the report.
run: .venv/run.done
	$(BIN)/snakemake --cores $(CORES)

# Long tests wait for one process after the other: three workers keep two cores busy. Each file's tests stay together.
WORKERS := -n 3 --dist loadfile --no-loadscope-reorder

# All tests.
test: .venv/test.done
	$(BIN)/python -m pytest $(WORKERS)

# Without those marked slow.
test-fast: .venv/test.done
	$(BIN)/python -m pytest $(WORKERS) -m "not slow"

# The experiment in fresh clones, by Snakemake, DVC and Slurm, whole and killed: all results are the same bytes.
# A trial in minutes: make reproduce ARGS="--example tiny"
ARGS ?=
reproduce: .venv/test.done
	$(BIN)/refold reproduce $(ARGS)

# Formatting, lint and types.
check: .venv/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint
	$(BIN)/mypy

.venv/run.done: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(call install,.venv) --require-hashes -r requirements.lock
	$(call install,.venv) --no-deps --no-build-isolation --editable .
	touch $@

.venv/test.done: requirements-test.lock .venv/run.done
	$(call install,.venv) --require-hashes -r requirements-test.lock
	touch $@

# The site of the documentation, docs/_site/index.html. A link or an anchor that leads nowhere is an error.
docs: .venv-docs/done
	.venv-docs/bin/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env --conf-dir docs . docs/_site
	cp docs/_site/README.html docs/_site/index.html

.venv-docs/done: requirements-docs.lock
	$(PYTHON) -m venv .venv-docs
	$(call install,.venv-docs) --require-hashes -r requirements-docs.lock
	touch $@

# Renews the lock files (needs uv); no index address is written into them.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock:
	$(LOCK) pyproject.toml --extra cpu -o requirements.lock
	$(LOCK) pyproject.toml --extra gpu -o requirements-gpu.lock
	$(LOCK) pyproject.toml --extra cpu --group test -c requirements.lock -o requirements-test.lock
	$(LOCK) --group docs -c requirements-test.lock -o requirements-docs.lock

# What a run made, but not the raw data.
clean:
	rm -rf .venv .venv-docs docs/_site .snakemake logs results data/preprocessed data/*.csv data/*.json
