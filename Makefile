# The whole way of working. Each target makes the virtual environment it needs.
PYTHON ?= python3
VENV := .venv
INSTALL = $(BIN)/python -m pip install --quiet --editable
BIN = $(VENV)/bin
# The silero model travels in a package whose own dependencies (torch) the engine does not need.
SILERO := silero-vad==6.2.3

# COMPILED=1 before a target: the same with the hot path compiled, in an environment of its own. There the
# engine is installed, and this folder is looked into last, so that it only gives what is not installed.
ifdef COMPILED
VENV := .venv-compiled
INSTALL = HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/python -m pip install --quiet
SOURCES := compile_hook.py $(shell find engine -type f -not -name '*.pyc')
export PYTHONSAFEPATH := 1
endif

.PHONY: demo test bench compiled lint clean

demo: $(VENV)/.demo ## A whole spoken call on this machine; its folder is the last line printed.
	@$(BIN)/engine demo

test: $(VENV)/.dev ## Formatting, lint, types, then every test.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

bench: $(VENV)/.dev ## Every benchmark, each beside its baseline of the same run.
	$(BIN)/python -m benchmarks

compiled: ## The engine compiled (needs a C compiler); COMPILED=1 make demo, test, bench then run that.
	@$(MAKE) --no-print-directory COMPILED=1 .venv-compiled/.dev
	@.venv-compiled/bin/engine --version

lint: $(VENV)/.dev ## Put formatting and imports right.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(if $(COMPILED),pwd > "$$($@ -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/checkout.pth")

$(VENV)/.demo: pyproject.toml $(SOURCES) | $(BIN)/python
	$(INSTALL) ".[server,local]"
	@touch $@

$(VENV)/.dev: pyproject.toml $(SOURCES) | $(BIN)/python
	$(INSTALL) ".[server,local,silero,openai,examples,dev]"
	$(BIN)/python -m pip install --quiet --no-deps "$(SILERO)"
	@touch $@ $(VENV)/.demo

clean: ## Remove the virtual environments and what tools left behind.
	rm -rf .venv .venv-compiled .pytest_cache .mypy_cache .ruff_cache .hypothesis
