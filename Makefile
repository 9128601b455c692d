# `make run` and `make test` need Python 3.11+ and nothing else: each makes .venv and fills it first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false

unexport PYTHONDONTWRITEBYTECODE # what one process compiles, dozens that the tests start need not

.DEFAULT_GOAL := help
.PHONY: help run test lint format docs viz viz-build notebooks clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*?## ' $(MAKEFILE_LIST) | awk -F ':.*?## ' '{printf "  make %-10s %s\n", $$1, $$2}'

run: $(VENV)/.run ## Run the whole chain on the embedded sample dataset
	$(BIN)/kedro run

test: $(VENV)/.dev ## Run the tests
	$(BIN)/python -m pytest

lint: $(VENV)/.dev ## Check style, types, which way imports point, and the workflow
	$(BIN)/ruff check src tests benchmarks notebooks tools
	$(BIN)/ruff format --check src tests benchmarks notebooks tools
	$(BIN)/mypy
	MYPYPATH=src:benchmarks $(BIN)/mypy benchmarks
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

format: $(VENV)/.dev ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix src tests benchmarks notebooks tools
	$(BIN)/ruff format src tests benchmarks notebooks tools

docs: $(VENV)/.run ## Bring the generated tables of docs/ up to date
	$(BIN)/python tools/generate_docs.py

viz: $(VENV)/.run ## Browse the stages and their data in Kedro-Viz
	$(BIN)/python tools/view_graph.py

viz-build: $(VENV)/.run ## Write Kedro-Viz with its previews to site/, a static site for any web server
	$(BIN)/python tools/build_site.py

notebooks: $(VENV)/.dev ## Open the notebooks in JupyterLab
	$(BIN)/kedro jupyter lab notebooks

clean: ## Remove everything the pipelines wrote (raw data and .venv stay)
	find data -mindepth 1 -maxdepth 1 -type d ! -name 01_raw -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[kedro,llm]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[dask,dev,kedro,llm,mlflow,notebooks,openvino,s3]'
	touch $@ $(VENV)/.run
