# Handset Hub: the words of the house. `make` alone prints them.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help install demo run test soak check format screenshots bench lock clean

help:  ## print this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(READY)  ## a virtual environment with everything pinned by hash, and the dashboard's pages
	@$(BIN)/python hatch_build.py

$(READY): requirements-dev.lock web/node.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Handset Hub needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv --help >/dev/null 2>&1 || { echo "Python's venv module is missing. On Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python hatch_build.py --has-node || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r web/node.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: install  ## the whole tour with an emulated phone; the hub stays up (ONCE=1: exit when done)
	$(BIN)/hub demo $(if $(ONCE),--once)

run: install  ## a hub on http://127.0.0.1:8080 with its data in ./data
	$(BIN)/hub serve

test: install  ## all tests; those that need PostgreSQL or Chromium say so when they are skipped
	$(BIN)/python -m pytest -m "not slow" -n logical --maxprocesses 4 --dist worksteal $(ARGS)

soak: install  ## the long fault and load tests, with their figures; ARGS="-k check_06" runs one
	$(BIN)/python -m pytest -m slow -v -s -o faulthandler_timeout=0 --durations=0 $(ARGS)

check: install  ## style, types, and that the written records are up to date
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install  ## let ruff put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

screenshots: install  ## every page of the dashboard at 1280 and 375 pixels, light and dark, into ./screenshots
	$(BIN)/python -m tests.acceptance.dashboard.screenshots $(ARGS)

bench: install  ## speed as ratios against baselines of the same run
	$(BIN)/python -m bench $(ARGS)

lock: install  ## pin every dependency again, with hashes and without addresses
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file=requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --extra=dev --output-file=requirements-dev.lock pyproject.toml

clean:  ## remove what these words made
	rm -rf .venv .demo web/dist .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
