# make demo    train and test the two encoders on the embedded data, and print their table
# make test    the tests, lint and types
# make full    the tests that read all of the real data, some minutes
# make bench   compret beside sentence-transformers, timed in one run
# make docs    the documentation as a site, in site/

PYTHON ?= python3
BIN := .venv/bin
RUN := demo/$(shell date +%Y%m%d-%H%M%S)

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
	$(BIN)/compret fit --config encoder_baseline.yaml --trainer.default_root_dir $(RUN)
	$(BIN)/compret fit --config encoder_structneg.yaml --trainer.default_root_dir $(RUN)
	# at the length that the others were trained at, so that their numbers stand side by side
	$(BIN)/compret test --config pydoc.yaml --trainer.default_root_dir $(RUN) --name untouched --model.max_length 128
	for name in baseline structneg; do \
	  $(BIN)/compret test --config pydoc.yaml --trainer.default_root_dir $(RUN) --name $$name \
	    --ckpt_path $(RUN)/checkpoints/encoder_$$name/version_0/last.ckpt || exit; \
	done
	$(BIN)/compret report untouched=$(RUN)/logs/untouched/version_0 \
	  baseline=$(RUN)/logs/baseline/version_0 structneg=$(RUN)/logs/structneg/version_0

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
