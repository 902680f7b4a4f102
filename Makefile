# make demo [ONCE=1] [OUT=file] [SCALE=0.02] [KEEP=DIR] | make test | make check | make test-full | make bench | make faults [FAULTS=full] [OUT=file] | make .venv
PYTHON ?= python3
BIN := .venv/bin
# As many tests at once as there are cores, those of one file together: they share what they set up. In the order of
# tests/conftest.py: what takes long first.
TESTS = -n auto --dist loadfile --no-loadscope-reorder --durations=20
DEMO = $(if $(filter-out 0,$(ONCE)),--once) $(if $(OUT),--out "$(OUT)") $(if $(SCALE),--scale "$(SCALE)") $(if $(KEEP),--keep "$(KEEP)")

.PHONY: demo test check format docs lock test-full bench faults .venv
.DEFAULT_GOAL := test

.venv: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

demo: .venv
	$(BIN)/python -m app demo $(DEMO)

check: .venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .

test: check
	$(BIN)/pytest $(TESTS)

test-full: check
	MBOKA_TEST_FULL=1 $(BIN)/pytest $(TESTS)

bench: .venv
	$(BIN)/python -m tests.bench

faults: .venv
	FAULTS=$(FAULTS) $(BIN)/python -m tests.faults $(if $(OUT),--out "$(OUT)")

# Not part of the checks: they write files.
format: .venv
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv
	$(BIN)/python -m tests.generated

lock: .venv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --output-file requirements.lock
