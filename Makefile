# The hub's commands. `make run` is all a newcomer needs; `make help` lists the rest.

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
PY := .venv/bin/python
FILE ?= hub-backup-$(shell date -u +%Y%m%dT%H%M%SZ).zip
WORKERS ?= 3
N ?= 100000

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run stop reset test test-preloaded test-all check format lock backup restore doctor

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "  make %-15s %s\n", $$1, $$2}'

# Each stamp stands for a finished step, so that the second run is quick. A step that was cut short leaves none.
.venv/ready: requirements.txt
	@test -n "$(PYTHON)" || { echo "The hub needs Python 3.11 or newer: install it, or say where it is with PYTHON=/path/to/python3"; exit 1; }
	@test -x $(PY) || $(PYTHON) -m venv .venv || { \
		rm -rf .venv; echo "Python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/ready-dev: .venv/ready requirements-dev.txt
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

setup: .venv/ready ## make .venv and install what the hub needs

setup-dev: .venv/ready-dev ## the same, and what tests and checks need

run: .venv/ready ## start the hub (HOST= PORT= for another address, DEMO=0 for an empty one); Ctrl-C ends it
	@$(PY) manage.py up

stop: .venv/ready ## end the hub of this folder, or the servers a command has left running
	@$(PY) -m mdmhub.embedded stop

reset: .venv/ready ## delete this hub's data, keys and logs, to start afresh
	@$(PY) -m mdmhub.embedded reset

doctor: .venv/ready ## what is wrong on this machine, and how to mend it
	@$(PY) manage.py doctor

backup: .venv/ready ## write a backup (FILE=hub.zip for its name, KEYS=keys.json for the keys, kept apart)
	@$(PY) manage.py backup "$(FILE)" $(if $(KEYS),--keys "$(KEYS)")

restore: .venv/ready ## read a backup into this hub (FILE=hub.zip KEYS=keys.json; FORCE=1 replaces what is there)
	@$(PY) manage.py restore "$(FILE)" $(if $(KEYS),--keys "$(KEYS)") $(if $(FORCE),--force)

test: .venv/ready-dev ## the tests, 15 minutes or less
	@$(PY) -m tests.chromium || true
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal -m "not slow"

test-preloaded: .venv/ready-dev ## the flow tests, each on a hub that holds N records already (N=100000)
	@PRELOADED=$(N) $(PY) -m pytest -n 0 -m "not slow" tests/flows

test-all: .venv/ready-dev ## the tests, the long runs, and the flow tests on a preloaded hub
	@$(PY) -m tests.chromium || true
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal
	@$(MAKE) test-preloaded

check: .venv/ready-dev ## style, types, import contracts, migrations, deployment settings
	$(PY) -m ruff check --output-format concise .
	$(PY) -m ruff format --check --output-format concise .
	$(PY) -m mypy
	.venv/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run
	DEBUG=0 ALLOWED_HOSTS=hub.example.org $(PY) manage.py check --deploy --fail-level WARNING

format: .venv/ready-dev ## put the code into the agreed form
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix-only .

LOCK := $(PY) -m piptools compile --quiet --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --annotation-style=line

lock: .venv/ready-dev ## make the pinned requirements*.txt from requirements*.in
	CUSTOM_COMPILE_COMMAND="make lock" $(LOCK) --output-file=requirements.txt requirements.in
	CUSTOM_COMPILE_COMMAND="make lock" $(LOCK) --output-file=requirements-dev.txt requirements-dev.in
