# `make train` and `make test` are all a fresh machine needs: each makes .venv when it is missing or out of date.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test

.PHONY: train test lint test-slow test-paper bench saved-models clean

train: $(INSTALLED)
	$(BIN)/tfvae train

# In two parts: XLA keeps every program that it has compiled, and one process for all tests would grow to several GB.
test: lint
	failed=0; for part in 'tests/[a-l]*/' 'tests/[m-z]*/ tests/test_*.py'; do \
	  $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $$part || failed=1; \
	done; exit $$failed

lint: $(INSTALLED_TEST)
	$(BIN)/ruff check .
	$(BIN)/mypy

test-slow: $(INSTALLED_TEST)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m slow

test-paper: $(INSTALLED_TEST)
	$(BIN)/python -m pytest -m paper

# Speed beside other programs and beside the commit BEFORE, as tables and in build/bench/*.json; about two hours, in which
# nothing else should run. The other benchmarks run by themselves: layers, profile_step, plain_keras, kl_factors, imputation
# (minutes), tfp_tutorial (hours), gpu, and semi_supervised (minutes), beside Pyro if pyro-ppl is installed.
BEFORE ?= 8830cb6
bench: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --editable '.[bench,serve]'
	mkdir -p build/bench build/before
	git archive $(BEFORE) | tar -x -C build/before
	$(BIN)/python benchmarks/train.py --output build/bench/train.json
	$(BIN)/python benchmarks/train.py --workloads paper --epochs 1 3 --output build/bench/train_short.json
	$(BIN)/python benchmarks/pythae_models.py --output build/bench/pythae_models.json
	$(BIN)/python benchmarks/start.py --before build/before --output build/bench/start.json
	$(BIN)/python benchmarks/serving.py --before build/before --output build/bench/serving.json
	$(BIN)/python benchmarks/evaluation.py --hand tfp formulas jax --before build/before --output build/bench/evaluation.json
	$(BIN)/python benchmarks/workers.py --num-workers 2 --millions 1 10 --output build/bench/workers.json
	for name in inference scaling callbacks; do \
	  $(BIN)/python benchmarks/$$name.py --output build/bench/$$name.json || exit 1; \
	done

# Trains the model that ships in saved_models/ and exports it there.
saved-models: $(INSTALLED)
	$(BIN)/python saved_models/make.py

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "tfvae needs Python 3.11 to 3.13, as TensorFlow does. Try: make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): setup.cfg pyproject.toml | $(VENV)/bin/pip
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(INSTALLED_TEST): setup.cfg pyproject.toml | $(VENV)/bin/pip
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@ $(INSTALLED)
