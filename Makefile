# Two commands do everything: `make run` serves, `make test` checks. `make help` lists the rest.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
CONFIG ?= config.yaml
HOST   ?= 127.0.0.1
PORT   ?= 8000
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run install test lint format bench soak fuzz pictures demo wheel audit clean

help:  ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

run: $(VENV)/.run  ## Serve the embedded default world on 127.0.0.1:8000 (CONFIG=, HOST=, PORT=)
	@exec $(BIN)/segue serve --config $(CONFIG) --host $(HOST) --port $(PORT)

install: $(VENV)/.dev  ## Everything a developer needs, in .venv (PyTorch apart: pip install torch)

lint: $(VENV)/.dev  ## Format, lint, types and import arrows, without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev  ## Rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: lint  ## Everything that CI runs: lint, then the tests with coverage
	$(BIN)/python -m pytest -n auto --dist loadgroup --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

bench: $(VENV)/.dev  ## Measure speed side by side (see docs/performance.md)
	$(BIN)/python -m benchmarks

soak: $(VENV)/.dev  ## Ten minutes of faults under load, then proof that nothing is lost (MINUTES=, SEED=)
	@exec $(BIN)/python -W ignore -m tests.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

fuzz: $(VENV)/.dev  ## Try a thousand small odd logs on every reader of logs (LOGS=, SEED=)
	@exec $(BIN)/python -W ignore -m tests.odd_logs $(if $(LOGS),--logs $(LOGS)) $(if $(SEED),--seed $(SEED))

pictures: $(VENV)/.dev  ## Take the pictures of docs/board.md again (needs chromium)
	@$(BIN)/python -W ignore -m tests.board.pictures

demo: $(VENV)/.run  ## Learn from the log round by round, then measure what was learnt (EPISODES=, CONFIG=)
	@exec $(BIN)/segue demo --config $(CONFIG) $(if $(EPISODES),--episodes $(EPISODES))

wheel: $(VENV)/bin/python  ## Build dist/segue-*.whl, which has the embedded world and needs no checkout
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	rm -rf build

audit: $(VENV)/audit/bin/pip-audit  ## Ask the database of advisories about every pinned package
	@$(BIN)/python deploy/audit_pins.py $<

clean:  ## Remove the environment, caches and logs
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage* log state build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# An environment of its own: its packages are not among the pins.
$(VENV)/audit/bin/pip-audit: | $(VENV)/bin/python
	@$(BIN)/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Segue into $(VENV) (once, about a minute) ..."
	@$(PIP) -e '.[simulator,analysis]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing Segue and its development tools into $(VENV) ..."
	@$(PIP) -e '.[simulator,analysis,redis,spark,vectors,dev]' implicit matplotlib
	@touch $@ $(VENV)/.run
