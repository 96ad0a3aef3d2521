# `make demo` and `make test` do all their set-up by themselves: Python 3.11 or newer is enough.
PYTHON ?= python3
EXTRAS ?= dev
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
DEMO_EXTRAS := cli,langchain,llama-index,ocr

.PHONY: demo test check types unit floors images reliability clean

demo: .venv/installed-demo
	@$(BIN)/python cookbook/demo.py

test: check types unit

check: .venv/installed-$(EXTRAS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/installed-$(EXTRAS)
	$(BIN)/mypy

unit: .venv/installed-$(EXTRAS)
	$(BIN)/python -m pytest

# `make test` takes the newest frameworks that can be installed together; this the oldest ones supported.
floors: .venv-floors/installed
	.venv-floors/bin/python -m pytest tests/langchain tests/llama_index tests/adapters

# The table of docs/RELIABILITY.md is what the tests observe; the figures are printed to be copied there.
reliability: .venv/installed-$(EXTRAS)
	FIRELLAVA_WRITE_RELIABILITY=1 $(BIN)/python -m pytest tests/reliability
	$(BIN)/python -m benchmarks.reliability

# The pictures of the cookbook are made by a script, so that anyone can change and check them.
images: .venv/installed-demo
	$(BIN)/python cookbook/make_images.py

clean:
	rm -rf .venv .venv-floors build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("firellava needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv

.venv/installed-demo: .venv/bin/python pyproject.toml
	@echo "Installing firellava and the two frameworks into .venv (once, about a minute) …"
	@$(INSTALL) --editable ".[$(DEMO_EXTRAS)]"
	@touch $@

.venv/installed-%: .venv/bin/python pyproject.toml
	@echo "Installing firellava[$*] into .venv (once, a few minutes) …"
	@$(INSTALL) --editable ".[$*]"
	@touch $@

.venv-floors/installed: tests/floors.txt pyproject.toml
	@echo "Installing the oldest frameworks into .venv-floors (once, a few minutes) …"
	@$(PYTHON) -m venv .venv-floors
	@.venv-floors/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint tests/floors.txt --editable ".[dev]"
	@touch $@
