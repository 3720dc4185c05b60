# make demo    train and test the two encoders on the embedded data, and print their table; goes on where it was ended
# make test    the tests, lint and types
# make full    the tests that read all of the real data, some minutes
# make bench   compret beside sentence-transformers, timed in one run
# make docs    the documentation as a site, in site/

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test full bench docs clean

# torch by pip, which may know of a build for CPUs; the rest by uv, in a tenth of pip's time, or by pip where uv cannot
PIP := $(BIN)/pip install --progress-bar off --quiet --constraint constraints.txt
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt

.venv/base: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) torch uv
	$(UV) --editable . || $(PIP) --editable .
	touch $@

.venv/ready: .venv/base
	$(UV) --editable '.[dev]' || $(PIP) --editable '.[dev]'
	touch $@

demo: .venv/base
	$(BIN)/compret experiment experiments/demo.yaml --root demo
	$(BIN)/compret report demo/logs/demo/untouched demo/logs/demo/baseline demo/logs/demo/structneg
	$(BIN)/compret report demo/logs/demo --baseline untouched --out demo/report

test: .venv/ready
	$(BIN)/ruff check compret tests
	$(BIN)/ruff format --check compret tests
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not benchmark and not full"

full: .venv/ready
	$(BIN)/python -m pytest -m full

bench: .venv/ready
	$(BIN)/python -m pytest tests/benchmarks -m benchmark -q -o log_cli=true -o log_cli_level=WARNING

docs: .venv/ready
	$(UV) --editable '.[docs]' || $(PIP) --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:
	rm -rf .venv demo site
