# First run: a virtual environment from the lock file, and the servers that tests talk to. The stamps carry the digest
# of what was installed, so that a second run does nothing until one of those files changes, whatever its date says.

PYTHON ?= python3
ARGS ?=

.DEFAULT_GOAL := test

BIN := .venv/bin
# npm on PATH knows its user's proxy and registry; the one from the lock file serves machines without a Node that fits.
FITTING := const [major, minor] = process.versions.node.split(".").map(Number); \
	process.exit(major > 22 || (major == 22 && minor >= 12) || (major == 20 && minor >= 19) ? 0 : 1)
NPM := $(shell command -v npm >/dev/null && node -e '$(FITTING)' 2>/dev/null && command -v npm)
ifeq ($(NPM),)
NPM := $(CURDIR)/$(BIN)/npm
export PATH := $(CURDIR)/$(BIN):$(PATH)
endif
# A first run has enough to say.
export npm_config_update_notifier := false
BROWSER := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

LOCK_ONLY := --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

# A virtual environment survives neither a move of the checkout nor another Python, so both are part of the digest.
digest = $(shell { echo "$(CURDIR)"; $(PYTHON) --version; cat $(1); } 2>&1 | cksum | cut -d' ' -f1)

CREATED := .venv/.created-$(call digest,/dev/null)
INSTALLED := .venv/.installed-$(call digest,pyproject.toml requirements.lock)
SERVICES := .cache/services/.installed-$(call digest,tests/services/package-lock.json)
MODULES := ui/node_modules/.installed-$(call digest,ui/package-lock.json)
CONSOLE := .cache/console/.built-$(call digest,docs/openapi.json $(sort $(filter-out ui/node_modules/%,$(shell \
	find ui -path ui/node_modules -prune -o -type f -print))))

.PHONY: demo test soak mutations lint console package screenshots lock bench services browser java clean

demo: $(INSTALLED) $(CONSOLE)
	@$(BIN)/dynalens demo $(ARGS)

# Tests wait for servers more than they compute, so that three share two cores well; each has servers of its own, and more
# than four would only crowd.
WORKERS = $(shell $(PYTHON) -c "import os; print(min(4, max(3, os.cpu_count() or 1)))")

test: lint services $(CONSOLE) browser
	cd ui && $(NPM) run --silent test
	$(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

# Every fault of the matrix from SEEDS seeds (20), PROCESSES at once (2), for HOURS at most; ONLY=05,sql runs some.
# JOURNAL=FILE keeps what came of each run, and goes on from it.
soak: $(INSTALLED) services
	@SEEDS=$(SEEDS) SEED=$(SEED) PROCESSES=$(PROCESSES) HOURS=$(HOURS) ONLY=$(ONLY) JOURNAL=$(JOURNAL) \
		WRITES=$(WRITES) ROUNDS=$(ROUNDS) DURATION=$(DURATION) $(BIN)/python -m tests.faults.soak
	$(BIN)/pytest -m soak

mutations: $(INSTALLED)
	$(BIN)/python -m tests.mutations $(ARGS)

lint: $(INSTALLED) $(MODULES)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd ui && $(NPM) run --silent lint

console: $(CONSOLE)

package: $(INSTALLED) $(CONSOLE)
	rm -rf dist
	$(BIN)/hatchling build

screenshots: $(INSTALLED) $(CONSOLE) browser
	$(BIN)/python -m tests.screenshots docs/images

bench: $(INSTALLED) services
	$(BIN)/python -m bench $(ARGS)

# Keeps the versions that are locked; `make lock ARGS=--upgrade` takes the newest.
lock: $(INSTALLED)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --group dev --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" $(ARGS) --output-file requirements.lock pyproject.toml
	cd tests/services && $(NPM) install $(LOCK_ONLY)
	$(BIN)/python -m tests.services.opensearch.installation lock
	cd ui && $(NPM) install $(LOCK_ONLY)

# The folder of an OpenSearch is its own stamp: which one it is depends on the Java that is found.
services: $(SERVICES) java
	@$(BIN)/python -m tests.services.opensearch.installation

# Where nobody may install a browser, tests that need one are skipped with the command to run, or fail with CI=true.
browser:
	@[ -n "$(BROWSER)" ] || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
		{ apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium fonts-liberation; } >/dev/null

# OpenSearch needs a JDK, and Maven to fetch it; where nobody may install them, its tests are skipped likewise.
java:
	@{ command -v mvn && { [ -x "$$JAVA_HOME/bin/javac" ] || command -v javac; }; } >/dev/null || \
		[ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || \
		{ apt-get update -qq && apt-get install -qq -y --no-install-recommends maven default-jdk-headless; } >/dev/null

clean:
	rm -rf .venv .cache dist ui/node_modules src/dynalens/console

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

$(MODULES): | $(INSTALLED)
	cd ui && $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(CONSOLE): | $(MODULES)
	cd ui && $(NPM) run --silent build
	@mkdir -p .cache/console
	@rm -f .cache/console/.built-*
	@touch $@

$(SERVICES): | $(INSTALLED)
	@mkdir -p .cache/services
	cp tests/services/package.json tests/services/package-lock.json .cache/services
	cd .cache/services && $(NPM) ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@rm -f .cache/services/.installed-*
	@touch $@
