# make run: the daemon on simulated traffic.  make test: everything that can be checked here.
# Both make the virtual environment first; `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run test lint audit docs bench bench-all peers soak clean lock

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

run: $(VENV)/.run ## simulated traffic through the real daemon; ctrl-c stops it
	@echo "→ starting the daemon on simulated traffic: figures and where to look below, ctrl-c stops it"
	@$(BIN)/monitor run --demo

# Where nobody may write compiled sources, each process that a test starts would
# compile all of them again.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/.test lint ## lint, types, layers, tests, coverage
	@echo "→ tests (Apache Kafka, PostgreSQL, Prometheus and Alertmanager are used where they are installed, else those tests say why they skip)"
	@$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=90 $(PYTEST)

lint: $(VENV)/.test ## ruff, mypy, import layers
	@echo "→ ruff, mypy --strict, import layers"
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet . && $(BIN)/mypy --no-error-summary && $(BIN)/lint-imports --no-logo > /dev/null || { $(BIN)/lint-imports --no-logo; exit 1; }

audit: $(VENV)/.audit ## known vulnerabilities of what is pinned; what could not be looked up is "not audited", and no success
	@$(PYTHON) -m tests.audit

docs: $(VENV)/.test ## write again what is generated: metrics, schemas, command help
	@$(BIN)/python -m tests.docs.generate

bench: $(VENV)/.test ## throughput with its bottleneck, then all the others in small (a quarter of an hour)
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.growth --quick
	@$(BIN)/python -m bench.packs --quick
	@$(BIN)/python -m bench.kinds --quick
	@$(BIN)/python -m bench.scrape --quick
	@$(BIN)/python -m bench.console --quick
	@$(BIN)/python -m bench.latency --quick
	@$(BIN)/python -m bench.telephony --quick
	@$(BIN)/python -m bench.broker --quick
	@$(BIN)/python -m bench.memory --quick
	@$(BIN)/python -m bench.recovery --quick
	@$(BIN)/python -m bench.startup --quick
	@$(BIN)/python -m bench.backtest --quick
	@if [ -x $(VENV)/peers/bin/python ]; then $(BIN)/python -m bench.peers --quick; else echo "→ peers left out: make peers installs them"; fi

bench-all: WRITE := --write docs/performance.md
bench-all: $(VENV)/.test peers ## every benchmark in full, with the peers (hours); writes bench/results, docs/performance.md and its plots
	@$(BIN)/python -m bench $(WRITE)
	@$(BIN)/python -m bench.peers $(WRITE)
	@$(BIN)/python -m bench.growth --plots docs/images/performance $(WRITE)
	@$(BIN)/python -m bench.packs $(WRITE)
	@$(BIN)/python -m bench.kinds $(WRITE)
	@$(BIN)/python -m bench.memory $(WRITE)
	@$(BIN)/python -m bench.scrape $(WRITE)
	@$(BIN)/python -m bench.broker $(WRITE)
	@$(BIN)/python -m bench.console $(WRITE)
	@$(BIN)/python -m bench.latency $(WRITE)
	@$(BIN)/python -m bench.telephony --write docs/numbers.md
	@$(BIN)/python -m bench.recovery $(WRITE)
	@$(BIN)/python -m bench.startup $(WRITE)
	@$(BIN)/python -m bench.backtest $(WRITE)
	@$(BIN)/python -m bench.backtest --job --jsonl --days 30 $(WRITE)

peers: $(VENV)/.peers ## Flink SQL, Bytewax, Quix Streams for the benchmarks, in an environment of their own

soak: $(VENV)/.test ## ten minutes of kills, bounces and cuts on Kafka and PostgreSQL; writes docs/reliability.md
	@$(BIN)/python -m tests.soak --keep

lock: ## pin again (needs uv); names no registry
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --group build --extra postgres pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --python-version 3.11 --group build --group dev --extra postgres --extra notify -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove the environment and what the demo wrote
	rm -rf $(VENV) var monitor/compiled/__pycache__ .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(VENV)/.venv:
	@echo "→ virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=…"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.run: $(VENV)/.venv requirements.lock pyproject.toml
	@echo "→ installing pinned dependencies (about a minute on a new machine)"
	@$(PIP) install --require-hashes --no-deps -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@echo "→ compiling the loops (some ten seconds, once)"
	@$(BIN)/python -m monitor.warm
	@touch $@

$(VENV)/.audit: $(VENV)/.venv pyproject.toml
	@echo "→ installing pip-audit in an environment of its own"
	@$(PYTHON) -m venv $(VENV)/audit
	@$(BIN)/python -m bench.wants audit | xargs $(VENV)/audit/bin/pip --disable-pip-version-check --quiet install
	@touch $@

$(VENV)/.peers: $(VENV)/.venv pyproject.toml
	@echo "→ installing what we are compared with (a few minutes, 1 GB)"
	@$(PYTHON) -m venv $(VENV)/peers
	@$(BIN)/python -m bench.wants peers | xargs $(VENV)/peers/bin/pip --disable-pip-version-check --quiet install
	@$(BIN)/python -m bench.wants plots | xargs $(PIP) install
	@touch $@

$(VENV)/.test: $(VENV)/.venv requirements-dev.lock pyproject.toml
	@echo "→ installing pinned dependencies for tests (about a minute on a new machine)"
	@$(PIP) install --require-hashes --no-deps -r requirements-dev.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@echo "→ compiling the loops (some ten seconds, once)"
	@$(BIN)/python -m monitor.warm
	@touch $@ $(VENV)/.run
