# Everything runs in .venv, made from requirements.lock when it is missing.
# `make train` on a fresh machine needs Python 3.11 to 3.13 and make, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= data/sample
MODELS ?= models
# The sample ends here; give the day you mean, or AS_OF=today, for your own data.
AS_OF ?= 2026-01-01
PORT ?= 5000
CAPACITY ?= 8/week
SIZES ?= 1M 10M
FLAML_SECONDS ?= 20
FIRMS ?= 2000
OUT ?= data/scores/$(notdir $(abspath $(DATA)))-$(AS_OF).csv

.DEFAULT_GOAL := help
.PHONY: help init look train score plan audit promote rollback ui test proofs test-spark check \
  format data bench-features bench-real bench-truth bench-stranger \
  bench-promises bench-quality bench-immature bench-levels bench-capacity bench-log \
  lock clean

help: ## what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

init: $(VENV)/installed ## draft an agreement from your own files (DATA=folder)
	$(BIN)/leadscore init "$(DATA)"

look: $(VENV)/installed ## what can be trained from a folder (DATA=folder)
	$(BIN)/leadscore check "$(DATA)"

train: $(VENV)/installed ## train a model (DATA=folder)
	$(BIN)/leadscore train "$(DATA)" --models "$(MODELS)"

score: $(VENV)/installed ## score leads (DATA=folder AS_OF=day OUT=file)
	$(BIN)/leadscore score "$(DATA)" --models "$(MODELS)" --as-of $(AS_OF) --out "$(OUT)"

plan: $(VENV)/installed ## what a capacity would bring (DATA=folder CAPACITY=25/week)
	$(BIN)/leadscore plan "$(DATA)" --models "$(MODELS)" --capacity "$(CAPACITY)"

audit: $(VENV)/installed ## whether promises were kept (DATA=folder)
	$(BIN)/leadscore audit "$(DATA)" --models "$(MODELS)"

promote: $(VENV)/installed ## put the challenger into use, or MODEL=id (BECAUSE="why")
	$(BIN)/leadscore promote $(MODEL) --models "$(MODELS)" $(if $(BECAUSE),--because "$$BECAUSE")

rollback: $(VENV)/installed ## put the model into use that was before
	$(BIN)/leadscore promote --rollback --models "$(MODELS)"

ui: $(VENV)/installed ## MLflow's pages on this machine (PORT=5000)
	$(BIN)/leadscore ui --port $(PORT) --models "$(MODELS)"

test: $(VENV)/installed ## run the tests, minutes
	$(BIN)/pytest -q -m "not slow"

proofs: $(VENV)/installed ## run the slow tests: notebooks, kills, whole trainings
	$(BIN)/pytest -q -m slow

test-spark: $(VENV)/spark/installed ## fold in Spark's workers (needs Java 17)
	$(VENV)/spark/bin/pytest -q -n 0 -m spark tests/spark

check: $(VENV)/installed ## look: lint, format, types, layers (changes nothing)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

data: $(VENV)/installed ## make data/sample anew, byte for byte
	$(BIN)/leadscore simulate data/sample --leads 2000 --seed 1 --overwrite

bench-real: $(VENV)/installed ## train on public data sets, print the tables
	$(BIN)/python -m tests.benchmarks.real_data

bench-features: $(VENV)/installed ## the feature engine beside its rivals (SIZES="1M 10M")
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-build-isolation --editable ".[bench]"
	$(BIN)/python -m tests.benchmarks.features --sizes $(SIZES)

bench-quality: $(VENV)/rivals/installed ## the model beside its rivals, hours (ONLY="known never")
	OMP_NUM_THREADS=1 $(VENV)/rivals/bin/python -m tests.benchmarks.quality \
	  --flaml-seconds $(FLAML_SECONDS) $(if $(ONLY),--only $(ONLY)) \
	  $(if $(CONVERSIONS),--sizes $(CONVERSIONS))

bench-promises: $(VENV)/rivals/installed ## whether promises hold, half an hour (FIRMS=2000)
	OMP_NUM_THREADS=1 $(VENV)/rivals/bin/python -m tests.benchmarks.promises \
	  --firms $(FIRMS) $(if $(ONLY),--only $(ONLY))

bench-immature: $(VENV)/installed ## what leads with an open window could teach
	$(BIN)/python -m tests.benchmarks.immature

bench-stranger: $(VENV)/installed ## from foreign files to a list: commands, seconds
	$(BIN)/python -m tests.benchmarks.stranger

bench-capacity: $(VENV)/installed ## planned beside what came, on simulated firms
	$(BIN)/python -m tests.benchmarks.capacity

bench-levels: $(VENV)/installed ## what following the level brings
	$(BIN)/python -m tests.benchmarks.levels

bench-log: $(VENV)/installed ## what logging a training costs
	$(BIN)/python -m tests.benchmarks.logging_cost

bench-truth: $(VENV)/installed ## how near the sample's model comes to the known truth
	$(BIN)/python -m tests.benchmarks.truth

lock: ## write requirements.lock anew (needs uv)
	echo 'numpy<2.5' > $(VENV)/constraints.txt # one numpy, one random stream, everywhere
	UV_CUSTOM_COMPILE_COMMAND='make lock' uv pip compile pyproject.toml --extra dev \
	  --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --constraint $(VENV)/constraints.txt --output-file requirements.lock --quiet

clean: ## remove the environment and caches, keep models and data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || (echo "Python 3.11 to 3.13 is needed; name one: make PYTHON=python3.12" && exit 1)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation --editable .
	touch $@

# Rivals may want other versions than ours; nothing of them may enter the product.
$(VENV)/rivals/installed: $(VENV)/installed
	$(BIN)/python -m venv $(VENV)/rivals
	$(VENV)/rivals/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r requirements.lock
	$(VENV)/rivals/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-build-isolation --editable '.[rivals]'
	touch $@

# An environment of its own: Spark is large, and nothing else may come to need it.
$(VENV)/spark/installed: $(VENV)/installed
	$(BIN)/python -m venv $(VENV)/spark
	$(VENV)/spark/bin/python -m pip install --quiet --disable-pip-version-check \
	  -r requirements.lock
	$(VENV)/spark/bin/python -m pip install --quiet --disable-pip-version-check \
	  --no-build-isolation --editable '.[spark]'
	touch $@
