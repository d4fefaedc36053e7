# The whole way of working. Each target makes the virtual environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The silero model travels in a package whose own dependencies (torch) the engine does not need.
SILERO := silero-vad==6.2.3

.PHONY: demo test bench lint clean

demo: $(VENV)/.demo ## A whole spoken call on this machine; its folder is the last line printed.
	@$(BIN)/engine demo

test: $(VENV)/.dev ## Formatting, lint, types, then every test.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest

bench: $(VENV)/.dev ## Every benchmark, each beside its baseline of the same run.
	$(BIN)/python -m benchmarks

lint: $(VENV)/.dev ## Put formatting and imports right.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[server,local]"
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[server,local,silero,openai,examples,dev]"
	$(BIN)/python -m pip install --quiet --no-deps "$(SILERO)"
	@touch $@ $(VENV)/.demo

clean: ## Remove the virtual environment and what tools left behind.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
