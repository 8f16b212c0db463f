# First run: a virtual environment from the lock file, and the servers that tests talk to. The stamps carry the digest
# of what was installed, so that a second run does nothing until one of those files changes, whatever its date says.

PYTHON ?= python3
ARGS ?=

.DEFAULT_GOAL := test

BIN := .venv/bin
# npm on PATH knows its user's proxy and registry; the one from the lock file serves machines without Node.
NPM := $(or $(shell command -v npm 2>/dev/null),$(CURDIR)/$(BIN)/npm)

# A virtual environment survives neither a move of the checkout nor another Python, so both are part of the digest.
digest = $(shell { echo "$(CURDIR)"; $(PYTHON) --version; cat $(1); } 2>&1 | cksum | cut -d' ' -f1)

CREATED := .venv/.created-$(call digest,/dev/null)
INSTALLED := .venv/.installed-$(call digest,pyproject.toml requirements.lock)
SERVICES := .cache/services/.installed-$(call digest,tests/services/package-lock.json)

.PHONY: demo test lint lock bench services clean

demo: $(INSTALLED)
	@$(BIN)/python examples/donations/demo.py $(ARGS)

test: lint $(SERVICES)
	$(BIN)/pytest $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED) $(SERVICES)
	$(BIN)/python -m bench $(ARGS)

# Keeps the versions that are locked; `make lock ARGS=--upgrade` takes the newest.
lock: $(INSTALLED)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" $(ARGS) --output-file requirements.lock pyproject.toml
	cd tests/services && $(NPM) install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

services: $(SERVICES)

clean:
	rm -rf .venv .cache dist

$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Dynalens needs Python 3.11 or newer, and $(PYTHON) is: $$($(PYTHON) --version 2>&1)."; \
		echo "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; } >&2
	$(PYTHON) -m venv --clear .venv
	@touch $@

$(INSTALLED): | $(CREATED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@rm -f .venv/.installed-*
	@touch $@

$(SERVICES): | $(INSTALLED)
	@mkdir -p .cache/services
	cp tests/services/package.json tests/services/package-lock.json .cache/services
	cd .cache/services && $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@rm -f .cache/services/.installed-*
	@touch $@
