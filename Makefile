# The two commands: `make run` and `make test`. Each makes the environment that it needs.
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test test-fast reproduce check lock clean

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

# Formatting and lint.
check: .venv/test.done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/snakemake --lint

.venv/run.done: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

.venv/test.done: requirements-test.lock .venv/run.done
	$(PIP) --require-hashes -r requirements-test.lock
	touch $@

# Renews the lock files (needs uv); no index address is written into them.
LOCK = uv pip compile --quiet pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
lock:
	$(LOCK) --extra cpu -o requirements.lock
	$(LOCK) --extra gpu -o requirements-gpu.lock
	$(LOCK) --extra cpu --group test -c requirements.lock -o requirements-test.lock

# What a run made, but not the raw data.
clean:
	rm -rf .venv .snakemake logs results data/preprocessed data/*.csv data/*.json
