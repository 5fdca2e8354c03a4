# Everything works from a fresh clone: each target makes what it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
SOURCES := pyproject.toml constraints.txt setup.py CMakeLists.txt $(shell find csrc -type f)
RUN_ARGS ?= --preset pendulum
BENCH_JSON ?= benchmarks/out/results.json

.DEFAULT_GOAL := help
.PHONY: help install run test check format bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.run ## make .venv, install the package, build the op

run: $(VENV)/.run ## open the workbench on a Pendulum run; without a terminal, train headless
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/mbpo-workbench --start pendulum; \
	else $(BIN)/python -m mbpo.train $(RUN_ARGS); fi

test: $(VENV)/.test ## run every test
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(VENV)/.dev ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --dist worksteal

format: $(VENV)/.dev ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench ## time ours beside torch, JAX and other projects; BENCH_ARGS='-k sac --threads 1'
	@mkdir -p $(dir $(BENCH_JSON))
	$(BIN)/python -m pytest benchmarks -q --benchmark-quiet --benchmark-json=$(BENCH_JSON) $(BENCH_ARGS)

clean: ## remove .venv and what the build left
	rm -rf $(VENV) build dist *.egg-info mbpo/*.so

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "error: Python 3.10 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "error: cannot make $(VENV); on Debian: apt-get install python3-venv"; exit 1; }

# torch first: the package's own build needs the very version that will run it.
$(VENV)/.torch: $(VENV)/bin/python constraints.txt
	@echo "installing torch (once; some minutes)"
	@$(PIP) --upgrade pip setuptools wheel
	@$(PIP) torch pybind11 ninja numpy
	@touch $@

$(VENV)/.run: $(VENV)/.torch $(SOURCES)
	@echo "installing the package and building the op"
	@$(PIP) --no-build-isolation -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "installing the tests' packages"
	@$(PIP) --no-build-isolation -e '.[test]'
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	@echo "installing the development tools"
	@$(PIP) --no-build-isolation -e '.[dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	@echo "installing what the benchmarks compare with (JAX among it)"
	@$(PIP) --no-build-isolation -e '.[bench]'
	@$(PIP) --no-deps mbrl==0.2.0
	@touch $@
