# make demo    install what is needed, start Khoi, and take a volume through its life
# make up      start Khoi and keep it running; Ctrl-C stops it
# make test    all tests, on SQLite and on PostgreSQL
# make check   format, lint, types, layers, migrations, links
# make bench   what it costs: latency, CPU, memory
# make lock    bring requirements*.txt to the newest that requirements*.in allow

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
# A home that nobody else uses, for as long as the shell of a recipe lives.
SCRATCH := STORAGE_HOME=$$(mktemp -d) && export STORAGE_HOME && trap 'rm -rf "$$STORAGE_HOME"' EXIT

# Tests in which the database has no part, or none of its own, run on SQLite alone.
ONCE := attach backups/engine browser clients docs drivers supervisor tour volumes/scheduler \
  crash/processes/test_backup_kills.py crash/processes/test_interruptions.py \
  crash/processes/test_silent_backend.py identity/test_clients.py
# A process for each core, and one more, for there is always one that waits for what it has started.
# Who has done its share takes over from the others.
AT_ONCE := --numprocesses $$(($$(nproc) + 1)) --dist worksteal

.PHONY: help demo up test check bench lock
help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: .venv/runtime
	@$(BIN)/python manage.py demo

up: .venv/runtime
	@$(BIN)/python manage.py up

test: .venv/development
	$(SCRATCH) && $(BIN)/pytest $(AT_ONCE)
	$(SCRATCH) && $(BIN)/python -m tests.postgres -- \
	  $(BIN)/pytest $(AT_ONCE) $(addprefix --ignore tests/,$(ONCE))

check: .venv/development
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(SCRATCH) && $(BIN)/mypy storage_project volumes backups drivers
	$(BIN)/lint-imports
	$(SCRATCH) && $(BIN)/python manage.py makemigrations --check
	$(BIN)/python -m tests.docs_links

bench: .venv/development
	@$(SCRATCH) && $(BIN)/python -m tests.benchmarks

lock: .venv/development
	$(PIP) install uv
	for each in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	    --custom-compile-command "make lock" --output-file $$each.txt $$each.in || exit; \
	done

# Stamps: each is there once what it stands for is installed.
.venv/runtime: requirements.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and \
	  "Khoi needs Python 3.11 or later, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12" \
	  % v[:2])'
	@echo "Installing what Khoi needs into .venv; this happens once."
	@$(PYTHON) -m venv .venv
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

.venv/development: .venv/runtime requirements-dev.txt
	@echo "Installing what working on Khoi needs into .venv; this happens once."
	@$(PIP) install --require-hashes -r requirements.txt -r requirements-dev.txt
	@touch $@
