# Needs Python 3.11 or newer and make; the lock files list everything else.
# ARGS is passed to the tool: make test ARGS="-k goals -x", make lock ARGS=--upgrade.
PYTHON ?= python3
BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
COMPILE := $(BIN)/uv pip compile --quiet $(ARGS)
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
# Ignores DATABASE_URL of the shell: the first half of the tests uses SQLite.
ON_SQLITE := env -u DATABASE_URL
ON_POSTGRES := $(BIN)/python -m tests.postgres --
# An idle process takes over tests of the other.
PYTEST := $(BIN)/pytest -n 2 --dist worksteal
# The sources of the pages of /docs.
DOCUMENTS := $(shell find docs -type f -not -path '*/__pycache__/*') goals/static/goals/pages.css pyproject.toml

# Otherwise each process that a test starts compiles all modules: half a second.
unexport PYTHONDONTWRITEBYTECODE

# With make -j, the two halves of the tests would compete for the processors.
.NOTPARALLEL:
.PHONY: help setup docs run test test-sqlite test-postgres test-partitioned coverage format lint
.PHONY: fmt types imports django schema release contract package pythons gates check lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 20

# Stamps of the packages for running, for the documentation, and for development.
.venv/.runs: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(INSTALL) -r requirements.txt
	@touch $@
.venv/.documents: .venv/.runs requirements-docs.txt
	$(INSTALL) -r requirements-docs.txt
	@touch $@
setup: .venv/.installed build/.docs ## create the virtual environment with the development tools
.venv/.installed: .venv/.documents requirements-dev.txt
	$(INSTALL) -r requirements-dev.txt
	@touch $@

docs: build/.docs ## build the pages of /docs from the folder docs
build/.docs: .venv/.documents $(DOCUMENTS)
	$(BIN)/python -m docs.site
	@touch $@

DEMO_VISITS ?= 1
run: .venv/.runs build/.docs ## serve on PORT (8000); DEMO_VISITS=0 turns off visits of the demo
	@$(MANAGE) serve --check
	$(MANAGE) migrate --verbosity 0
	$(MANAGE) first_run
	DEMO_VISITS=$(DEMO_VISITS) $(MANAGE) serve $(ARGS)

test: test-sqlite test-postgres ## run all tests, on SQLite and on a throw-away PostgreSQL
test-sqlite: setup
	$(ON_SQLITE) $(PYTEST) $(ARGS)
test-postgres: setup
	$(ON_POSTGRES) $(PYTEST) $(ARGS)
test-partitioned: setup ## check that each statement needs one site's partition
	$(ON_POSTGRES) $(PYTEST) --partitioned $(ARGS)

coverage: setup ## branch coverage of both halves; the minimum is in pyproject.toml
	$(ON_SQLITE) $(PYTEST) --cov --cov-report= --cov-fail-under=0 $(ARGS)
	$(ON_POSTGRES) $(PYTEST) --cov --cov-append $(ARGS)

format: setup
	$(BIN)/ruff format --check
lint: setup ## ruff, without changing anything
	$(BIN)/ruff check
fmt: setup ## ruff, fixing what it can
	$(BIN)/ruff check --fix --exit-zero
	$(BIN)/ruff format
imports: setup ## check the direction of imports
	$(BIN)/lint-imports --no-logo
django: setup ## Django's checks, and a check for missing migrations
	$(MANAGE) check --fail-level WARNING
	$(MANAGE) makemigrations --check --dry-run
types: setup ## mypy, strict
	$(BIN)/mypy

schema: setup ## write docs/openapi.yaml; a test compares it with the code
	$(MANAGE) spectacular --file docs/openapi.yaml --validate --fail-on-warn

release: schema ## store the OpenAPI document of this version, for `make contract`
	cp docs/openapi.yaml docs/contract-$$($(MANAGE) --version | cut -d' ' -f2).yaml

contract: setup ## test the API against its OpenAPI document: fuzzing, generated clients
	$(BIN)/python -m tests.contract $(ARGS)

OTHER_PYTHONS ?= 3.12 3.13
package: setup ## build the wheel; install and use it on each installed Python
	$(BIN)/python -m tests.package
pythons: setup ## run the tests on SQLite with OTHER_PYTHONS (3.12 3.13)
	$(BIN)/python -m tests.pythons $(OTHER_PYTHONS) -- $(ARGS)

gates: format lint imports django types ## all checks except the tests, fastest first
check: gates test ## all checks and tests

lock: setup ## pin the requirements of pyproject.toml and requirements-dev.in
	$(COMPILE) pyproject.toml --all-extras -o requirements.txt
	$(COMPILE) --group docs -c requirements.txt -o requirements-docs.txt
	$(COMPILE) pyproject.toml --all-extras requirements-dev.in \
		-c requirements.txt -c requirements-docs.txt -o requirements-dev.txt

clean: ## remove generated files, but not data/
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
