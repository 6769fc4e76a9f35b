# make demo and make test set up what they need themselves; a second call installs nothing.
#   make demo [MEMBERS=100] [WEEKS=8] [EPSILON=2.0] [HISTORY=path] [TRUST=two-coordinators] [NETWORK=1]
.DEFAULT_GOAL := help
.PHONY: help demo test bench fuzz docs lint format lock clean

export PIP_DISABLE_PIP_VERSION_CHECK = 1

help:
	@echo "make demo    a simulated community, both apps, the trend (MEMBERS=, WEEKS=, EPSILON=, HISTORY=path, TRUST=two-coordinators, NETWORK=1)"
	@echo "make test    the whole test suite, a real SyftBox network included"
	@echo "make bench   the benchmarks, as tables and in benchmarks/results.json"
	@echo "make fuzz    a million broken release files (INPUTS=)"
	@echo "make docs    docs/commands.md, from what --help prints"
	@echo "make lint    format, lint, types"
	@echo "make lock    renew the pinned versions in constraints/ (needs uv)"
	@echo "make clean   remove what set-up and runs left in this clone"

# The stamp files are younger than what they were made from as long as nothing is to be installed.
.venv/.demo-ready: pyproject.toml constraints/syftbox-0.3.txt tools/set-up
	@tools/set-up .venv constraints/syftbox-0.3.txt aggregator
	@touch $@

.venv/.dev-ready: pyproject.toml constraints/syftbox-0.3.txt tools/set-up
	@tools/set-up .venv constraints/syftbox-0.3.txt dev
	@touch .venv/.demo-ready $@

# SyftBox 0.4.0 lives in an environment of its own: the network tests run on both versions.
.venv-syftbox-0.4/.ready: pyproject.toml constraints/syftbox-0.4.txt tools/set-up
	@tools/set-up .venv-syftbox-0.4 constraints/syftbox-0.4.txt aggregator
	@touch $@

demo: .venv/.demo-ready
	@.venv/bin/netflix-trend-demo $(if $(MEMBERS),--members "$(MEMBERS)") $(if $(WEEKS),--weeks "$(WEEKS)") \
		$(if $(EPSILON),--epsilon "$(EPSILON)") $(if $(HISTORY),--history "$(HISTORY)") $(if $(TRUST),--trust "$(TRUST)") $(if $(NETWORK),--network)

test: .venv/.dev-ready .venv-syftbox-0.4/.ready
	@.venv/bin/python -m pytest $(PYTEST_ARGS)

bench: .venv/.dev-ready
	@.venv/bin/python -m benchmarks

fuzz: .venv/.dev-ready
	@.venv/bin/python -m benchmarks.fuzz $(if $(INPUTS),--inputs "$(INPUTS)")

docs: .venv/.dev-ready
	@.venv/bin/python tools/commands

lint: .venv/.dev-ready
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy

format: .venv/.dev-ready
	@.venv/bin/ruff format .
	@.venv/bin/ruff check --fix .

lock:
	@for version in 0.3 0.4; do \
		echo "syftbox==$$version.*" | uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-header --no-annotate \
			--upgrade --no-emit-package netflix-trend --constraint - pyproject.toml --output-file constraints/syftbox-$$version.txt; \
	done

clean:
	rm -rf .venv .venv-syftbox-0.4 benchmarks/results.json .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-workspace
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
