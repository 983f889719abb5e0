# What can be made here: `make help`. Everything lives in .venv; a second call has nothing to install.

PYTHON ?= python3
TORCH ?= torch==2.13.0
REQUEST ?= plot funding rounds
CORPUS ?= $(wildcard ../shared/data)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Without a home there is no place for user data but this folder.
ifeq ($(HOME),)
export LLMOS_HOME ?= $(CURDIR)/build/home
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check eval kernel bench doctor clean bubblewrap

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed bubblewrap ## set everything up, then answer one request: REQUEST="plot funding rounds"
	@$(BIN)/llmos run "$(REQUEST)"

test: $(VENV)/dev bubblewrap ## run the tests
	@$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/dev bubblewrap ## run the tests that take minutes
	@$(BIN)/python -m pytest -m slow

check: $(VENV)/dev bubblewrap ## what CI runs: style, types, layers, tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -m "not slow"

eval: $(VENV)/installed bubblewrap ## measure the model on requests with known answers
	@$(BIN)/llmos eval training/eval/requests.jsonl
	@$(BIN)/llmos eval training/eval/followups.jsonl

kernel: $(VENV)/dev ## make the embedded kernel from nothing: about 90 minutes on two cores; CORPUS=folder of text
	@$(BIN)/python -m llmos.training $(if $(CORPUS),--corpus $(CORPUS))

bench: $(VENV)/installed bubblewrap ## run every measurement of bench/
	@for name in $$(ls bench/*.py | xargs -n 1 basename -s .py | grep -v '^_'); do $(BIN)/llmos bench $$name || exit 1; done

doctor: $(VENV)/installed ## what works on this machine and what does not
	@$(BIN)/llmos doctor

clean: ## remove what was made here, the environment too
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "llmos needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Torch first and by version: the resolver would otherwise look through many large ones.
$(VENV)/installed: $(VENV)/made pyproject.toml
	@echo "installing into $(VENV), a few minutes the first time"
	@$(PIP) "$(TORCH)"
	@$(PIP) -e .
	@touch $@

$(VENV)/dev: $(VENV)/installed
	@$(PIP) -e '.[dev]'
	@touch $@

# The sandbox for Python code is bubblewrap's. Where it cannot be installed from here, the command is told.
bubblewrap:
	@command -v bwrap >/dev/null && exit 0; \
	install='apt-get install -y -q bubblewrap'; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then sudo=''; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then sudo='sudo -n'; \
	else echo "bubblewrap is missing, Python code cannot run; install it: sudo apt-get install bubblewrap" >&2; exit 0; fi; \
	echo "installing bubblewrap"; \
	$$sudo env DEBIAN_FRONTEND=noninteractive sh -c "$$install >/dev/null || { apt-get update -q >/dev/null && $$install >/dev/null; }" \
	|| echo "bubblewrap could not be installed; run: sudo $$install" >&2
