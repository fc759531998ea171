# What people type. dbt and perennial do the work; make only sees to the environment.

PYTHON ?= python3
VENV ?= .venv
CONNECTOR ?= $(or $(PERENNIAL_CONNECTOR),demo)
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

export PERENNIAL_CONNECTOR := $(CONNECTOR)

.DEFAULT_GOAL := help
.PHONY: help build test bench torture lint docs charts follow render lock clean

help:  ## what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

build: $(INSTALLED)  ## everything, from the raw files to the marts (also CONNECTOR=cdnow)
	@$(BIN)/perennial build

test: lint  ## linters, then every test, each build in a folder of its own
	@$(BIN)/pytest -n 2 --dist loadfile

bench: $(INSTALLED)  ## speed, on 50 million events, a large company and beside other tools; writes docs/performance.md
	@$(BIN)/python tests/benchmarks/run.py

torture: $(INSTALLED)  ## builds killed, disks filled, promises broken; writes docs/reliability.md
	@$(BIN)/python tests/torture/run.py

lint: $(INSTALLED)  ## ruff and sqlfluff alone
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/sqlfluff lint --disable-progress-bar models analyses tests

docs: $(INSTALLED) built  ## the dbt docs site with its lineage, as one file
	@$(BIN)/dbt --quiet docs generate --static
	@mkdir -p build/docs && cp target/static_index.html build/docs/index.html
	@echo "build/docs/index.html"

charts: $(INSTALLED) built  ## the backtest and one customer, drawn from the marts
	@$(BIN)/perennial charts

follow: $(INSTALLED) built  ## one customer's path: make follow CUSTOMER=...
	@test -n "$(CUSTOMER)" || { echo "say which: make follow CUSTOMER=...;" \
		"make build names one"; exit 2; }
	@$(BIN)/perennial follow -- "$(CUSTOMER)"

render: $(INSTALLED)  ## figures and charts of README and docs, from the marts
	@$(MAKE) --no-print-directory built CONNECTOR=cdnow
	@$(MAKE) --no-print-directory built CONNECTOR=demo
	@$(BIN)/perennial charts --connector cdnow --folder docs/charts
	@$(BIN)/perennial report churn --connector demo --folder docs/charts/churn >/dev/null
	@$(BIN)/perennial report value --connector demo --folder docs/charts/value >/dev/null
	@$(BIN)/python docs/demo_company.py docs/charts/company
	@$(BIN)/python docs/figures.py docs/charts/reasons
	@$(BIN)/cog -r -I docs README.md docs/demo-company.md docs/features.md \
		docs/settings.md models/features/feat*.yml \
		docs/methods.md docs/walkthrough.md

lock:  ## resolve requirements.lock anew (needs uv)
	@uv pip compile pyproject.toml --all-extras --universal --fork-strategy fewest \
		--python-version 3.11 \
		--generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links \
		--custom-compile-command "make lock" --quiet --output-file requirements.lock

clean:  ## what dbt and make wrote, but not the working files and the demo's raw ones
	@rm -rf target logs build $(VENV)

.PHONY: built
built:
	@test -e "$${PERENNIAL_HOME:-.}/warehouse/$(CONNECTOR).duckdb" || $(MAKE) build

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "perennial needs Python 3.11 to 3.13, and $(PYTHON) is" \
		"$$($(PYTHON) --version): make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@echo "installing the locked versions into $(VENV)"
	@if command -v uv >/dev/null; then \
		uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV) \
		&& uv pip install --quiet --python $(BIN)/python --require-hashes \
			-r requirements.lock \
		&& uv pip install --quiet --python $(BIN)/python --no-deps \
			--no-build-isolation --editable .; \
	else \
		"$(PYTHON)" -m venv $(VENV) \
		&& $(BIN)/python -m pip install --quiet --disable-pip-version-check \
			--require-hashes -r requirements.lock \
		&& $(BIN)/python -m pip install --quiet --disable-pip-version-check \
			--no-deps --no-build-isolation --editable .; \
	fi
	@touch $@
