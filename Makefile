# Everything works from a fresh clone: each target makes what it needs in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
CXX_FILES := $(shell find csrc -name '*.h' -o -name '*.cpp' -o -name '*.cuh' -o -name '*.cu')
SOURCES := setup.py csrc/sources.txt csrc/flags.txt \
	$(filter-out csrc/tests/% csrc/host/%,$(CXX_FILES))
SANITIZED := build/sanitize
# The sanitizers' library must be there before Python is, and C++'s too, whose throw it replaces.
# What Python leaks is its own business.
UNDER_SANITIZERS = cd $(SANITIZED)/lib && \
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" \
	ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	PYTHONPATH=$(CURDIR)/$(SANITIZED)/lib MBPO_CMAKE_BUILD=$(CURDIR)/$(SANITIZED)/cmake \
	$(CURDIR)/$(BIN)
RUN_ARGS ?= --preset pendulum
SUITES ?=
EXTRAS := mujoco,plot,pandas,report,video,serve,tensorboard,wandb,trackio,minari,parquet,onnx
BENCH_JSON ?= benchmarks/out/results.json

.DEFAULT_GOAL := help
.PHONY: help install run test faults fuzz suites check format sanitize messages bench pictures docs interop cluster \
	cluster-faults clean

SLURM := PATH=$$PATH:/usr/sbin command -v slurmctld >/dev/null || { echo "error: Slurm is needed; on Debian:" \
	"apt-get install --no-install-recommends slurmctld slurmd slurm-client munge"; exit 1; }

# A warning fails the developers' builds, never a user's: see setup.py.
test faults fuzz check sanitize: export MBPO_WERROR := 1

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: ready-run ## make .venv, install the package with MuJoCo and matplotlib, build the op
	@echo "ready: source .venv/bin/activate, then mbpo-workbench"

run: ready-run ## open the workbench on a Pendulum run; without a terminal, train headless
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/mbpo-workbench --start pendulum; \
	else $(BIN)/python -m mbpo.train $(RUN_ARGS); fi

test: ready-test ## run every test
	$(BIN)/python -m pytest -n auto --dist worksteal

faults: ready-test ## break runs in every way, in full figures; FAULTS_TABLE=FILE.md keeps them
	MBPO_FAULTS=full MBPO_FAULTS_TABLE=$(FAULTS_TABLE) \
		$(BIN)/python -m pytest -n auto --dist worksteal -o timeout=3600 tests/faults

fuzz: ready-test ## train on 300 drawn environments; FUZZ_SEED and FUZZ_COUNT draw others
	@seed=$${FUZZ_SEED:-$$(date +%s)} && echo "FUZZ_SEED=$$seed" && \
		FUZZ_SEED=$$seed FUZZ_COUNT=$${FUZZ_COUNT:-300} \
		$(BIN)/python -m pytest -n auto --dist worksteal -o timeout=3600 tests/fuzz

suites: ready-run ## train on the suites people use, each in an environment of its own; SUITES='dmc panda'
	$(BIN)/python tests/suites $(SUITES)

check: ready-dev ## format, lint, types, import contracts, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/clang-format --dry-run -Werror $(CXX_FILES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/architecture/house.py
	$(BIN)/python -m pytest -n auto --dist worksteal

format: ready-dev ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CXX_FILES)

sanitize: ready-test ## run the C++ tests and the op's Python tests under ASan and UBSan
	cmake -S . -B $(SANITIZED)/cmake -DMBPO_SANITIZE=ON -DMBPO_HOST=ON \
		-DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python \
		-Dpybind11_DIR=$$($(BIN)/python -m pybind11 --cmakedir)
	cmake --build $(SANITIZED)/cmake --parallel 2
	ctest --test-dir $(SANITIZED)/cmake --output-on-failure
	MBPO_SANITIZE=1 MBPO_REQUIRE_EXT=1 FORCE_CUDA=0 $(BIN)/python setup.py -q \
		build --build-base $(SANITIZED)/python --build-lib $(SANITIZED)/lib
	$(UNDER_SANITIZERS)/python -c \
		'import torch, mbpo._C; assert "$(SANITIZED)" in mbpo._C.__file__, mbpo._C.__file__'
	$(UNDER_SANITIZERS)/pytest --capture=sys -p no:xdist -p no:benchmark -c $(CURDIR)/pyproject.toml \
		--rootdir $(CURDIR) $(CURDIR)/tests/ops \
		--ignore $(CURDIR)/tests/ops/test_cmake.py --ignore $(CURDIR)/tests/ops/test_cuda_compile.py \
		--ignore $(CURDIR)/tests/ops/test_cuda_faults.py

messages: ready-test ## bring the app's catalogues in step with its text
	$(BIN)/python tests/language/messages.py

bench: ready-bench ## time ours beside torch, JAX and other projects; BENCH_ARGS='-k sac --threads 1'
	@mkdir -p $(dir $(BENCH_JSON))
	$(BIN)/python -m pytest benchmarks -q --benchmark-quiet --benchmark-json=$(BENCH_JSON) $(BENCH_ARGS)

pictures: ready-run ## draw docs/images anew: the app in terminals of five sizes and a report, on runs that learn for it
	$(BIN)/python docs/pictures.py

docs: ready-interop ## do what docs/notebook.ipynb does; build/notebook.ipynb then has its tables and pictures
	@mkdir -p build
	$(BIN)/jupyter-execute docs/notebook.ipynb --output=../build/notebook --timeout=600

interop: ready-interop ## read back what leaves a run with every library it goes to; allows no skip
	@command -v chromium >/dev/null || { echo "error: chromium is needed; on Debian: apt-get install chromium"; exit 1; }
	MBPO_INTEROP=1 $(BIN)/python -m pytest -n auto --dist worksteal -o timeout=900 tests/outside

cluster: ready-cluster ## break studies on a real Ray and a real Slurm, here, 5 times in each way; CLUSTER_SEED draws other moments
	@$(SLURM)
	MBPO_CLUSTER=5 $(BIN)/python -m pytest -s -x -o timeout=1800 tests/cluster/test_campaigns.py

cluster-faults: ready-cluster ## the same, 20 times in each way
	@$(SLURM)
	MBPO_CLUSTER=20 $(BIN)/python -m pytest -s -o timeout=3600 tests/cluster/test_campaigns.py

clean: ## remove .venv and what the build left
	rm -rf $(VENV) build dist *.egg-info mbpo/*.so

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
		|| { echo "error: Python 3.10 or newer is needed; set PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "error: cannot make $(VENV); on Debian: apt-get install python3-venv"; exit 1; }

# torch first: the op is built against the very version that will run it.
$(VENV)/.torch: $(VENV)/bin/python constraints.txt
	@echo "installing torch (once; some minutes)"
	@$(PIP) --upgrade pip setuptools wheel
	@$(PIP) torch ninja numpy
	@touch $@

$(VENV)/.op: $(VENV)/.torch $(SOURCES)
	@echo "building the op (once; some minutes; what the compiler says: build/op.log)"
	@mkdir -p build
	@$(BIN)/python setup.py -q build_ext --inplace > build/op.log || { cat build/op.log; exit 1; }
	@$(BIN)/python -c 'from mbpo.ops import build_info; print(*(f"{op} on {how}" for op, how in build_info().items()), sep="\n")'
	@touch $@

# The op has a rule of its own, so that no install builds it again.
$(VENV)/.run: $(VENV)/.torch pyproject.toml constraints.txt
	@echo "installing the package and what its commands need"
	@MBPO_NO_EXT=1 $(PIP) --no-build-isolation -e '.[mujoco,plot,pandas,report,video,serve]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	@echo "installing the tests' packages"
	@$(PIP) --group test
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	@echo "installing the development tools"
	@$(PIP) --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	@echo "installing what the benchmarks compare with (JAX among it)"
	@$(PIP) --group bench
	@$(PIP) --no-deps mbrl==0.2.0
	@touch $@

$(VENV)/.interop: $(VENV)/.test
	@echo "installing every library that a run can go to"
	@MBPO_NO_EXT=1 $(PIP) --no-build-isolation -e '.[$(EXTRAS)]' --group interop
	@touch $@

$(VENV)/.cluster: $(VENV)/.test
	@echo "installing Ray with Tune, and Optuna"
	@MBPO_NO_EXT=1 $(PIP) --no-build-isolation -e '.[mujoco,plot,pandas,report,video,serve,ray,search]' 'ray[default]'
	@touch $@

# The compiler works while pip installs.
ready-%: $(VENV)/.torch
	@$(MAKE) --no-print-directory --jobs=2 $(VENV)/.op $(VENV)/.$*
