# Everything starts from Python 3.11 and make. `make` alone lists the commands.
SHELL := /bin/sh
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# make demo
ONCE ?=
API_PORT ?= 8080
SANDBOX_PORT ?= 8443
SPEED ?= 60

# make fidelity
RECORDINGS ?= ../shared/fidelity/recordings

# make test: how many processes; more than two have nothing to do while the last of the two Airflows works
WORKERS ?= 2

# Airflow's settings in a developer's shell are not meant for this project's tests.
TESTS := env -u AIRFLOW_HOME $(BIN)/python -m pytest

.PHONY: help demo install test lint types unit bench fidelity recipes format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## build the shipped images on this machine; ONCE=1 ends by itself; API_PORT, SANDBOX_PORT, SPEED
	@$(BIN)/python -m include.demo up $(if $(ONCE),--once) --api-port $(API_PORT) --sandbox-port $(SANDBOX_PORT) --speed $(SPEED)

test: lint types unit ## lint, types and all tests

lint: $(INSTALLED) ## ruff and shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/shellcheck .ci/run $$(find include/recipes -name '*.sh')

types: $(INSTALLED) ## mypy
	$(BIN)/mypy

unit: $(INSTALLED) ## all tests, and which took longest; ARGS="-m 'not airflow'" leaves out what starts Airflow; WORKERS
	$(TESTS) --numprocesses $(WORKERS) --durations 15 --durations-min 1 $(ARGS)

bench: $(INSTALLED) ## the numbers of docs/performance.md
	$(BIN)/python -m tests.bench $(ARGS)

fidelity: $(INSTALLED) ## replay recorded Azure traffic against the sandbox; RECORDINGS=<folder>, ARGS="--only test_vm --verbose"
	@$(BIN)/python -m tests.fidelity --recordings "$(RECORDINGS)" $(ARGS)

recipes: $(INSTALLED) ## check the catalogue: every problem with file, line, field and cure
	$(BIN)/python -m include.factory check include/recipes

format: $(INSTALLED) ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(INSTALLED) ## the virtual environment, from requirements.lock

# The stamp is newer than the lock: nothing is installed twice. uv is some twenty times faster than pip, and with --system-certs trusts
# whom the machine trusts, as pip does; where it cannot reach a registry that pip is configured for, pip does it and says what is wrong.
$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no python3 found. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is $$("$(PYTHON)" --version 2>&1); Python 3.11 or newer is needed. Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV) || { echo "make: $(PYTHON) cannot make a virtual environment (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -Eo '^uv==[0-9.]+' requirements.lock)"
	@$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lock: ## write requirements.lock anew from requirements.txt and requirements-dev.txt
	$(BIN)/uv pip compile requirements-dev.txt --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command 'make lock' --quiet --output-file requirements.lock

clean: ## remove the demo's state and the caches
	@test ! -L .demo/outside || rm -rf "$$(readlink .demo/outside)"
	rm -rf .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
