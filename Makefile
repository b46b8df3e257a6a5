# Everything runs in .venv, which each target makes for itself from the hashed lock; nothing else is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the benches measure against, in an environment of its own: its pins are not ours.
PEERS := .venv-bench
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test lint bench bench-large soak serve lock clean

help: ## Show this help
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: $(VENV)/.runtime ## Watch the loop close once, on real data, on this machine (a minute or two)
	@$(BIN)/python deploy/demo/story.py

test: lint ## Run every check: style, types, architecture and tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.dev ## Run ruff, mypy and import-linter only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev $(PEERS)/.ready ## Measure speed, each figure as a ratio to a peer in the same run
	$(BIN)/python -m tests.bench

bench-large: $(VENV)/.dev $(PEERS)/.ready ## The feature store's training reads at ten million values (some minutes, 3 GB)
	COLONY_BENCH_LARGE=1 $(BIN)/python -m tests.bench features_offline

soak: $(VENV)/.dev ## Ten minutes of the story on stand-ins of Google's services while everything fails at random
	COLONY_TEST_SEEDS=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 $(BIN)/pytest -q --timeout 1200 tests/story/test_google_demo.py

serve: $(VENV)/.runtime ## Serve the HTTP API with the worker in one process, on the demo's data if there is any
	COLONY_HOME=$${COLONY_HOME:-.colony/demo} $(BIN)/colony serve --with-worker

lock: $(VENV)/.dev ## Write the hashed locks anew from pyproject.toml
	$(BIN)/pip install -q pip-tools
	for words in "--extra test --extra compile --extra cloudsql -o deploy/requirements-dev.lock pyproject.toml" \
	             "-c deploy/requirements-dev.lock --extra cloudsql -o deploy/requirements-image.lock pyproject.toml" \
	             "-c deploy/requirements-dev.lock -o deploy/requirements.lock pyproject.toml" \
	             "--only-build-deps --build-deps-for wheel -o deploy/requirements-build.lock pyproject.toml"; do \
	  $(BIN)/pip-compile -q --upgrade --generate-hashes --strip-extras --allow-unsafe --no-annotate --no-header \
	    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host $$words || exit 1; done

clean: ## Remove the environment, caches and the demo's data
	rm -rf $(VENV) $(PEERS) .colony build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.pip:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.12"'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.pip deploy/requirements.lock pyproject.toml
	@echo "installing (a few minutes at most, once) …"
	$(BIN)/pip install -q --require-hashes -r deploy/requirements.lock
	$(BIN)/pip install -q --no-deps -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime deploy/requirements-dev.lock
	$(BIN)/pip install -q --require-hashes -r deploy/requirements-dev.lock
	@touch $@

$(PEERS)/.ready: pyproject.toml $(VENV)/.pip
	@echo "installing what the benches measure against (a few minutes at most, once) …"
	@$(PYTHON) -m venv $(PEERS) && $(PEERS)/bin/pip install -q $$($(PYTHON) -c \
	  'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["bench"])') \
	  || { echo "cannot be installed; its rows will say so" >&2; rm -rf $(PEERS); mkdir $(PEERS); }
	@touch $@
