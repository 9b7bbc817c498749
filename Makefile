# Every target sets up what it needs. `make help` lists them.
PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell command -v $(p) 2>/dev/null)))
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Where an image forbids Python to keep what it has compiled, each of the tests' many commands would compile us anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up down test lint format check docs bench proof demo-rollout demo-life demo-gitops lock clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

up: .venv/.runtime ## The main job: the example's stacks on local Azure, by the real Pulumi engine
	@$(BIN)/hearth local up

down: .venv/.runtime ## Stop local Azure; all state is kept
	@$(BIN)/hearth local stop

test: .venv/.dev ## The tests
	@$(BIN)/python -m infra.toolchain.cli
	@$(BIN)/pytest -n 2 --dist worksteal

lint: .venv/.dev ## Format, lint, types, arrows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: .venv/.dev ## Format the code and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: .venv/.dev ## Write the generated pages and schemas anew
	@$(BIN)/python -m infra.spec.schema
	@$(BIN)/python -m infra.keepalive.watchlist
	@$(BIN)/python -m tests.docs.generate

check: lint test ## The gate: everything that must hold before a commit

bench: .venv/.dev ## Measure, side by side in one run, and write benchmarks/README.md
	@$(BIN)/python -m benchmarks

proof: .venv/.dev ## The long tests: fresh clones, seeded kills, foreign clients
	@$(BIN)/pytest -m proof -n 2 --dist loadfile

demo-rollout: .venv/.runtime ## A rollout over three regions, told on local Azure in a clone of its own
	@$(BIN)/python -m demos.rollout

demo-life: .venv/.runtime ## The life of a tuned model, from its data to its clean-up, told on local Azure in a clone of its own
	@$(BIN)/python -m demos.life

demo-gitops: .venv/.runtime ## A pull request, its merge, drift and a revert on local Azure, with the texts that were posted
	@$(BIN)/python -m demos.gitops

lock: .venv/.dev ## Write the lock files anew from pyproject.toml and deploy/
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	@for part in requirements build; do \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    -c requirements.lock deploy/keep-alive/$$part.in -o deploy/keep-alive/$$part.lock; done

clean: ## Remove the state of local Azure and Pulumi's beside it (never one without the other)
	@if [ -x $(BIN)/hearth ]; then $(BIN)/hearth local stop; fi
	@rm -rf .hearth

# The stamps make a second run instant; a changed lock or pyproject.toml installs anew. The first one is a copy of the
# lock that was installed: a rollout takes .venv only where that is the lock of its commit.
.venv/.runtime: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "hearth needs Python 3.11 or newer; none was found on PATH." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "hearth needs Python 3.11 or newer; $(PYTHON) is older. Name another: make PYTHON=/path/to/python3.11" >&2; \
	  exit 1; }
	@echo "setting up .venv (once; about a minute)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@cp requirements.lock $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@echo "adding the tools for tests and checks to .venv (once)"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
