# The README's two commands are `make demo` and `make test`. Everything is installed into .venv, once.
PYTHON ?= python3
BIN := .venv/bin
DATA ?= ../shared/data

.PHONY: demo test browser check bench install clean

demo: .venv/.installed
	$(BIN)/attention demo

test: .venv/.installed-dev
	$(BIN)/python -m pytest -n auto

browser: .venv/.installed-dev
	$(BIN)/python -m pytest tests/browser -o addopts="-q --import-mode=importlib -p no:cacheprovider"

check: .venv/.installed-dev
	$(BIN)/ruff format --check src tests benchmarks recipes
	$(BIN)/ruff check src tests benchmarks recipes
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto

bench: .venv/.installed-dev
	$(BIN)/python -m pip install --quiet -e '.[bench]'
	for claim in benchmarks/[a-z]*.py; do $(BIN)/python $$claim --data $(DATA) || exit 1; done

install: .venv/.installed

.venv/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (PyTorch is the large part; this happens once) ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .import_linter_cache
