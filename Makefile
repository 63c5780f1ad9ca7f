# Two commands do everything: `make run` and `make test`. Stamps under .cache let a second call do nothing that is done.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
BIN := .venv/bin
DONE := .cache/stamps
#: more arguments for the node, e.g. ARGS="--host 0.0.0.0 --tls self-signed"
ARGS ?=
PYTEST := $(BIN)/pytest
# Where the surroundings forbid Python to keep what it compiled, every node that a test starts would compile itself again.
export PYTHONDONTWRITEBYTECODE :=

ENGINE_SOURCES := $(shell find media/engine \( -name target -o -name swarm -o -name fuzz \) -prune -o -type f \( -name '*.rs' -o -name 'Cargo.*' \) -print)
SWARM_SOURCES := $(shell find media/engine/swarm -name target -prune -o -type f \( -name '*.rs' -o -name 'Cargo.*' \) -print 2>/dev/null)
WEB_SOURCES := $(shell find web/src web/public web/scripts -type f) web/index.html web/vite.config.ts web/tsconfig.json
CARGO := cargo
ENGINE := --manifest-path media/engine/Cargo.toml
# Where it is built for tests it stands beside the engine's tests, which have compiled most of it.
SWARM := --manifest-path media/engine/swarm/Cargo.toml --target-dir media/engine/target

.PHONY: screens help run setup venv engine web check lint types unit rust-lint rust-check web-check test rust-test fuzz sanitize deny integration e2e prove bench-signaling bench-media bench-peers bench-recording docs clean

help: ## what there is to call
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 20

run: venv engine web ## set up, build, start a node with a demo class, print one link per role
	@exec $(BIN)/jiangtai serve --demo $(ARGS)

# The engine compiles while packages of others come over the network; `dev` is in one environment with the engine, so after it.
setup: venv ## everything that run and test need
	@$(MAKE) -s -j4 --output-sync engine web $(DONE)/packages $(DONE)/stores
	@$(MAKE) -s $(DONE)/dev

# --- what is built ---------------------------------------------------------------------------------------------------
venv: $(DONE)/venv
engine: $(DONE)/engine
web: $(DONE)/web

$(DONE)/venv: .ci/venv
	@.ci/venv $(PYTHON)
	@mkdir -p $(@D) && touch $@

$(DONE)/engine: $(DONE)/venv pyproject.toml README.md $(ENGINE_SOURCES)
	PATH=$(CURDIR)/$(BIN):$$PATH pip install --quiet --disable-pip-version-check --no-build-isolation --editable .
	@touch $@

$(DONE)/dev: $(DONE)/venv pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --group dev
	@touch $@

$(DONE)/npm: web/package.json web/package-lock.json
	cd web && npm install --no-save --no-audit --no-fund --loglevel=error
	@mkdir -p $(@D) && touch $@

$(DONE)/web: $(DONE)/npm $(WEB_SOURCES)
	cd web && npm run --silent build
	@touch $@

$(DONE)/packages: .ci/packages
	@.ci/packages
	@mkdir -p $(@D) && touch $@

# Foreign records stores, run by tests as processes of their own.
$(DONE)/stores: .ci/stores tests/support/stores/package.json tests/support/stores/package-lock.json
	@.ci/stores $(PYTHON)
	@mkdir -p $(@D) && touch $@

# --- the fast part ---------------------------------------------------------------------------------------------------
check: lint types unit rust-check web-check ## lint, types, unit tests (< 3 min)

lint: $(DONE)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DONE)/dev engine
	$(BIN)/mypy

unit: $(DONE)/dev engine
	$(PYTEST) -n 2 -m "not prove" tests/unit tests/architecture

rust-lint:
	for crates in . swarm fuzz; do $(CARGO) fmt --manifest-path media/engine/$$crates/Cargo.toml --all --check; done
	$(CARGO) clippy $(ENGINE) --workspace --all-targets --quiet -- -D warnings

rust-check: rust-lint
	$(CARGO) test $(ENGINE) -p jiangtai-core -p jiangtai-package --quiet

web-check: $(DONE)/npm
	cd web && npm run --silent check && npm test --silent

# --- everything ------------------------------------------------------------------------------------------------------
test: setup lint types unit rust-lint web-check rust-test fuzz integration e2e ## every test there is (< 40 min on 2 cores)

rust-test:
	$(CARGO) test $(ENGINE) --workspace --quiet
	$(CARGO) clippy $(SWARM) --all-targets --quiet -- -D warnings
	$(CARGO) test $(SWARM) --quiet

#: how long each fuzz target runs
SECONDS := 60

fuzz: ## every fuzz target for SECONDS (default 60), two a core at a time; prints executions and findings
	.ci/fuzz $(SECONDS)

sanitize: ## the crate with unsafe code under AddressSanitizer
	.ci/sanitize --quiet

deny: ## what the engine and the load generator are built from: licences, sources, unwanted crates (cargo-deny)
	.ci/deny

integration: $(DONE)/dev engine web $(DONE)/swarm-for-tests $(DONE)/packager-for-tests $(DONE)/stores
	$(PYTEST) -m "not prove" tests/stateful tests/contract tests/interop
	$(PYTEST) -n 2 --dist loadfile -m "not prove" tests/integration
	$(PYTEST) -n 2 --dist loadfile -m "not prove" tests/hostile

e2e: setup ## classes in real browsers, and every page against its picture
	$(PYTEST) -m "not prove" tests/e2e
	cd web && npm run --silent browsers
	cd web && npm run --silent screens

prove: setup $(DONE)/swarm $(DONE)/clips ## the long proofs: crashes, storms, soaks; prints figures
	@.ci/packages bench
	.ci/deny
	.ci/sanitize --quiet
	$(PYTEST) -s -m prove tests
	JIANGTAI_KILLS=50 $(CARGO) test $(ENGINE) --quiet -p jiangtai-net --test crash -- --nocapture
	JIANGTAI_KILLS=200 $(CARGO) test $(ENGINE) --quiet -p jiangtai-journal --test redact -- --nocapture
	$(BIN)/python -m loadtests.bench_media churn --churn-seconds 1800

screens: web ## every page at three widths in both languages against the baseline, with axe
	cd web && npm run --silent screens

bench-signaling: $(DONE)/dev engine ## signaling load: latency, memory, CPU per delivered frame against a raw send
	$(BIN)/python -m loadtests.bench_signaling

$(DONE)/swarm: $(SWARM_SOURCES)
	$(CARGO) build --release --quiet --manifest-path media/engine/swarm/Cargo.toml
	@mkdir -p $(@D) && touch $@

# What tests need of it: unoptimised, of what rust-test has compiled already, and the smallest pictures.
$(DONE)/swarm-for-tests: $(SWARM_SOURCES) media/engine/swarm/clips.py | $(DONE)/dev
	$(CARGO) build --quiet $(SWARM)
	$(BIN)/python media/engine/swarm/clips.py var/swarm low
	@mkdir -p $(@D) && touch $@

# Of the whole workspace, as rust-test builds it: of the package alone, dependencies have other features and are compiled once more.
$(DONE)/packager-for-tests: $(ENGINE_SOURCES)
	$(CARGO) build $(ENGINE) --quiet --workspace --examples
	@mkdir -p $(@D) && touch $@

$(DONE)/clips: $(DONE)/dev media/engine/swarm/clips.py
	$(BIN)/python media/engine/swarm/clips.py
	@touch $@

bench-media: $(DONE)/dev engine $(DONE)/swarm $(DONE)/clips ## media load: CPU per forwarded packet against a floor, allocations, delay, joins, memory (ARGS=--short)
	$(CARGO) test $(ENGINE) --quiet -p jiangtai-net --test allocations --no-run
	$(CARGO) build $(ENGINE) --quiet --release -p jiangtai-core --example cost
	$(BIN)/python -m loadtests.bench_media $(ARGS)

bench-peers: $(DONE)/dev engine $(DONE)/swarm $(DONE)/clips ## the media engine beside Debian's Janus in one run (root; installs janus)
	@.ci/packages bench
	$(BIN)/python -m loadtests.bench_peers $(ARGS)

bench-recording: $(DONE)/dev engine ## recording load: CPU per recorded class, syncs, reading back; what a replay costs and how soon it is there
	$(CARGO) build --release --quiet $(ENGINE) -p jiangtai-net --example recording
	$(BIN)/python -m loadtests.bench_recording $(ARGS)

docs: $(DONE)/dev engine ## write the generated parts of PROTOCOL.md
	$(BIN)/python -m signaling.messages docs

clean: ## remove everything built, keep var/
	rm -rf .cache dist server/static media/_engine*.so media/engine/target media/engine/fuzz/target web/node_modules .venv
