# `make demo` and `make test` need nothing but Python 3.11, pip and venv.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
HOME_DIR ?= uda-study-data

.PHONY: install demo claims test check unit lint clean

install: $(INSTALLED)

# Made anew only when what is to be installed has changed.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/uda-study run search_spaces/dam_depth.yaml --home $(HOME_DIR)

# In a home of its own, made anew: what was trained before tells nothing of the code of today.
claims: install
	rm -rf $(HOME_DIR)-claims
	$(BIN)/uda-study claims run --gate --home $(HOME_DIR)-claims

test: install
	$(BIN)/python -m pytest --doctest-modules uda_study
	$(BIN)/python -m pytest -m "not ray" -n auto
	$(BIN)/python -m pytest -m ray

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: install
	$(BIN)/python -m pytest --doctest-modules uda_study
	$(BIN)/python -m pytest -m "not ray and not methods" -n auto

check: lint unit

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
