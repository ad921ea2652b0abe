# What people do here. `make demo` and `make test` install everything they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ORCHESTRATOR := $(BIN)/orchestrator

# Debian packages: of the practice site, and of the tests (Prometheus and Alertmanager with their tools, PostgreSQL, servers
# to probe). Installed only as root, and only when missing.
PRACTICE_PACKAGES := mmdebstrap debian-archive-keyring systemd-container nftables iproute2 openssh-client
TEST_PACKAGES := prometheus prometheus-alertmanager postgresql dnsmasq-base nginx-light openssh-server openssl slapd prosody kamailio

# The release of what test-bare and fresh boot: of practice hosts the newest they may run, of a fresh machine any.
SUITE ?= trixie

# Images for containers often set it; then every command compiles the whole program anew, for a second of processor.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-bare test-long attack fresh check fast-tests lint format docs serve bench lock sbom clean python \
  practice-packages test-packages base-tree

help: ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# Groups of hosts that serve an agency with the core service.
CORE_HOSTS := network_gateways directories access_gateways service_desks desktops thin_client_servers device_registers \
  data_centre_servers journal_collectors recovery_hosts

demo: ## Boot the practice site, onboard an agency with the core service and rehearse its recovery, for real
	@$(MAKE) --no-print-directory --jobs=2 $(INSTALLED) base-tree
	@$(ORCHESTRATOR) init
	@$(ORCHESTRATOR) practice up $(CORE_HOSTS)
	@$(ORCHESTRATOR) apply examples/cabinet-office.yml --yes
	@$(ORCHESTRATOR) agency show cabinet-office
	@$(ORCHESTRATOR) drill list --agency cabinet-office --json | grep -q '"verdict": "pass' || { \
	  echo; echo "Backing it up, and rehearsing the recovery of its service desk"; \
	  $(ORCHESTRATOR) backup start cabinet-office && \
	  $(ORCHESTRATOR) drill start cabinet-office service-desk --report var/drill.html; }
	@$(ORCHESTRATOR) drill list --agency cabinet-office
	@echo
	@echo "Where to look: var/drill.html; $(ORCHESTRATOR) run list; $(ORCHESTRATOR) serve, then http://127.0.0.1:8080/metrics"
	@echo "Take it down:  $(ORCHESTRATOR) practice down"

# Two more than there are cores: half of the time, a process waits for hosts, and not for a core.
WORKERS ?= $(shell expr $$(nproc) + 2)

# Tests of a component stay in one process, the dearest components begin first, and each process has its own practice site.
# Their files are in a folder of the run's own, which is left to look at when a test fails.
define side_by_side
folder=$$(mktemp -d -t orchestrator-tests.XXXXXX); \
$(BIN)/pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder --basetemp="$$folder/files" $(1) && rm -r "$$folder"
endef

test: ## Run all tests but those of test-bare, test-long and fresh
	@$(MAKE) --no-print-directory --jobs=3 $(INSTALLED) base-tree test-packages
	$(call side_by_side,-m "not bare and not long")

test-bare: $(INSTALLED) practice-packages ## Install every role from nothing, and prove it on SUITE too (long; before a release)
	$(call side_by_side,-m bare)
	$(call side_by_side,-m "practice and not bare and not long" --suite $(SUITE) tests/playbooks)

test-long: $(INSTALLED) practice-packages test-packages ## Try again and again what other tests try less often
	$(call side_by_side,-m long)
	$(call side_by_side,--databases tests/usecases)

attack: $(INSTALLED) practice-packages test-packages ## Try to get in, several thousand times (before a release)
	$(call side_by_side,-m attack --hypothesis-profile attack)

fresh: $(INSTALLED) practice-packages ## Run demo and test on a bare machine of SUITE, booted on this one (long)
	$(BIN)/python -m tests.fresh $(SUITE)

check: ## Format, lint, types, import contracts, fast tests
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=line lint fast-tests

fast-tests: $(INSTALLED)
	$(call side_by_side,-m "not practice and not slow and not long")

lint: $(INSTALLED) ## What check does before its tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/yamllint --strict .
	cd playbooks && ../$(BIN)/ansible-lint --offline --strict
	$(ORCHESTRATOR) catalog lint

format: $(INSTALLED) ## Format the Python sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(INSTALLED) ## Bring diagrams of life cycles, titles of decisions and the catalogue in docs/ up to date
	$(BIN)/python -m tests.life_cycles
	$(BIN)/python -m tests.decisions
	$(BIN)/python -m tests.catalogue

bench: $(INSTALLED) practice-packages test-packages ## Measure against the bare tools, in interleaved pairs
	@$(BIN)/python -m tests.bench
	@$(BIN)/python -m tests.bench.tasks
	@$(BIN)/python -m tests.bench.engine
	@$(BIN)/python -m tests.bench.accepting
	@$(BIN)/python -m tests.bench.onboarding
	@$(BIN)/python -m tests.bench.scale
	@$(BIN)/python -m tests.bench.calendar_planning
	@$(BIN)/python -m tests.bench.exposition
	@$(BIN)/python -m tests.bench.probing
	@$(BIN)/python -m tests.bench.months

serve: $(INSTALLED) ## Answer HTTP on port 8080 and work on runs
	$(ORCHESTRATOR) serve

# What an installation needs, what people who change the project need besides, and what `sbom` needs: all with hashes. What
# is pinned already stays as it is; remove a line, or the file, to have a newer one.
COMPILE := $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --custom-compile-command "make lock"

lock: $(INSTALLED) ## Pin the Python packages that pyproject.toml asks for
	$(COMPILE) pyproject.toml --output-file requirements.lock
	$(COMPILE) --extra dev --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock
	$(COMPILE) --extra sbom --constraint requirements.lock pyproject.toml --output-file requirements-sbom.lock

sbom: $(INSTALLED) ## List what an installation consists of, with licences: build/sbom.json (CycloneDX), build/licences.md
	@rm -rf build/installation build/sbom-tool && mkdir -p build
	@$(PYTHON) -m venv build/installation && $(PYTHON) -m venv build/sbom-tool
	@build/installation/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@build/sbom-tool/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-sbom.lock
	@build/installation/bin/pip uninstall --quiet --yes pip setuptools
	@build/sbom-tool/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml --mc-type application \
	  --output-format JSON --output-file build/sbom.json build/installation/bin/python
	@$(BIN)/python -m tests.licences build/sbom.json build/licences.md

clean: ## Take the practice site down and remove what was installed and recorded
	@if [ -x $(ORCHESTRATOR) ] && [ "$$(id -u)" = 0 ]; then $(ORCHESTRATOR) practice down --erase; fi
	rm -rf $(VENV) var build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

python:
	@$(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get -qq update && apt-get -qq install -y python3 python3-venv; } || \
	  { echo "Python 3.11 or newer with venv is needed: apt-get install python3-venv"; exit 2; }

$(INSTALLED): requirements-dev.lock pyproject.toml | python
	@echo "Installing the pinned Python packages into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# After python, which may use apt too. The Python packages are installed meanwhile.
practice-packages: python
	@$(call packages,$(PRACTICE_PACKAGES))

test-packages: practice-packages
	@$(call packages,$(TEST_PACKAGES))

# What practice hosts of this release with this login begin with: half a minute that the Python packages take anyway.
base-tree: practice-packages
	@[ "$$(id -u)" != 0 ] || $(PYTHON) -m orchestrator.adapters.practice.base ~/.cache/shared-service-orchestrator bookworm provision

# What is missing of these packages is installed as root; without root the commands that need them say so themselves.
define packages
missing=""; \
for p in $(1); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
  echo "Installing$$missing"; \
  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$missing >/dev/null; \
fi
endef
