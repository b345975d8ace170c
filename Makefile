# What a developer types. Every target uses the environment in .venv, which is made where it is missing.

BIN := .venv/bin

.PHONY: check lint format types layers test slow docs reference fuzz mutation ci

check: lint types layers test ## all that must hold before a commit

$(BIN)/pytest:
	python3 -m venv .venv
	$(BIN)/pip install -c constraints.txt -e '.[test]'

lint: $(BIN)/pytest ## style and format, nothing is changed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(BIN)/pytest ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(BIN)/pytest
	$(BIN)/mypy

layers: $(BIN)/pytest ## who may import whom
	$(BIN)/lint-imports --no-cache

test: $(BIN)/pytest ## the default run, on all cores
	$(BIN)/pytest

slow: $(BIN)/pytest ## what CI runs besides, without the servers
	$(BIN)/pytest -m "slow or browser or wheel"

reference: $(BIN)/pytest ## docs/reference, from the code
	$(BIN)/python docs/generate.py

docs: reference ## the pages, in site/
	$(BIN)/pip install -q -c constraints.txt -e '.[docs]'
	$(BIN)/mkdocs build --strict

fuzz: $(BIN)/pytest ## bytes nobody thought of, MINUTES for each reader and file (10)
	SHIFTLENS_FUZZ_MINUTES=$(or $(MINUTES),10) $(BIN)/pytest tests/hostile/test_fuzz.py --dist load

mutation: $(BIN)/pytest ## wrong changes that the default tests do not see (an hour)
	$(BIN)/python -m benchmarks.mutation --out benchmarks/mutation.md

ci: ## everything, in a fresh environment
	.ci/run
