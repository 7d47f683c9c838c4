# Everything runs in .venv, which holds what uv.lock says. ARGS passes arguments on: make up ARGS="--port 0".

PYTHON ?= python3
BIN := .venv/bin
UV = $(if $(wildcard .tools/bin/uv),.tools/bin/uv,uv)

# Whoever has set this would have every process compile all that it imports, each time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install up test check torture fuzz enumeration bench docs

help: ## Show what can be made (this text).
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo '  ARGS="..." passes arguments on, as in: make up ARGS="--port 0"; make test ARGS="tests/events -x"'

install: .venv/.stamp ## Make .venv as uv.lock describes it; fetch uv into .tools when it is not installed.
	@echo ".venv is as uv.lock says."

# A stamp, so that starting does not ask uv each time: only a changed lock or pyproject.toml makes the environment anew.
.venv/.stamp: uv.lock pyproject.toml
	@if uv --version >/dev/null 2>&1; then uv=uv; else \
		uv=.tools/bin/uv; \
		test -x $$uv || { echo "uv is not installed; fetching it into .tools" && mkdir -p .tools/bin && { \
			{ $(PYTHON) -m venv .tools/venv >/dev/null && .tools/venv/bin/pip install --quiet --disable-pip-version-check uv \
				&& ln -sf ../venv/bin/uv $$uv; } || \
			{ $(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools/lib uv \
				&& ln -sf ../lib/bin/uv $$uv; }; }; } || \
		{ echo "uv cannot be fetched with $(PYTHON). Install it: https://docs.astral.sh/uv/" >&2; exit 1; }; fi; \
	$$uv sync --locked --all-groups
	@touch $@

# exec, and neither a shell nor `uv run` in between: SIGTERM has to reach it.
up: .venv/.stamp ## Start Muster with all that it needs, until Ctrl-C; ARGS="--help" explains ports, data, own servers.
	@exec $(BIN)/muster up $(ARGS)

test: .venv/.stamp ## Run the tests, in two processes; they start the servers that they need.
	@exec $(BIN)/pytest $(ARGS)

check: .venv/.stamp ## Check format, style, types, the direction of imports, the docs and the lock file.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html
	$(UV) lock --check

torture: .venv/.stamp ## Append a million events while backends are killed, and compare what everyone saw; ARGS="--help" tells more.
	@exec $(BIN)/python -m tests.torture $(ARGS)

fuzz: .venv/.stamp ## Ask all that the OpenAPI document allows and forbids, as everyone; tells its seed; ARGS="--help" tells more.
	@exec $(BIN)/python -W error -m tests.fuzz $(ARGS)

enumeration: .venv/.stamp ## Ask about addresses of every kind, and judge whether answers or their times tell who has an account; takes hours.
	@exec $(BIN)/python -m tests.enumeration $(ARGS)

bench: .venv/.stamp ## Measure against the peers and print one table; takes a while.
	@exec $(BIN)/python -m tests.benchmarks $(ARGS)

docs: .venv/.stamp ## Build the documentation into docs/_build/html.
	$(BIN)/sphinx-build -q -W -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"
