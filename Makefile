# Each target is one idea; `make help` lists them. Work that takes more than a line is in scripts/.
#
# What is built, fetched and installed lies outside the checkout, so that a fresh clone starts warm.

SHELL := /bin/bash
.DEFAULT_GOAL := help

CACHE := $(HOME)/.cache/mandi
export CARGO_TARGET_DIR ?= $(CACHE)/target
export MANDI_MODELS ?= $(CACHE)/models
export MANDI_TEST_VENV ?= $(CACHE)/venv
# SAM sends usage data unless it is told not to, and wants a region even to read a file.
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= ap-south-1

MANDI := $(CARGO_TARGET_DIR)/debug/mandi
VENV_BIN := $(MANDI_TEST_VENV)/bin
STEP := scripts/step.sh
STEPS := $(CARGO_TARGET_DIR)/steps.txt
DIST := dist
STAGE ?= dev
PARAMETERS ?=

.PHONY: help run test check contracts bench venv models setup deny sam-validate invoke build layer deploy clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

run: ## build, fetch the models once, serve the demo tenant on :8080
	@$(STEP) "1 of 4: system packages" "1 s; 1 min the first time" scripts/setup.sh
	@$(STEP) "2 of 4: models (224 MB)" "1 s; 1 min the first time" python3 scripts/models.py
	@$(STEP) "3 of 4: build" "5 s; 25 min the first time on 2 cores" cargo build -p mandi
	@scripts/link.sh "$(MANDI)" "$(MANDI_MODELS)"
	@printf '\n==> 4 of 4: serve (usually ready in 20 s; Ctrl-C ends it)\n'
	@exec "$(MANDI)" up --demo

test: ## everything that CI checks, with the time of each step
	@mkdir -p "$(CARGO_TARGET_DIR)" && : > "$(STEPS)"
	@$(MAKE) --no-print-directory MANDI_STEPS="$(STEPS)" test-steps
	@printf '\nTime of each step:\n' && cat "$(STEPS)"

.PHONY: test-steps
test-steps: export MANDI_STEPS ?= $(STEPS)
test-steps:
	@$(STEP) "system packages" "1 s; 1 min the first time" scripts/setup.sh --tests
	@$(STEP) "python environment" "1 s; 2 min the first time" scripts/venv.sh "$(MANDI_TEST_VENV)"
	@$(STEP) "models, texts of tests" "1 s; 1 min the first time" python3 scripts/models.py --tests
	@$(STEP) "formatting" "2 s" cargo fmt --all --check
	@$(STEP) "licences and sources" "5 s" $(MAKE) --no-print-directory deny
	@$(STEP) "SAM template" "15 s" $(MAKE) --no-print-directory sam-validate
	@$(STEP) "state machines, by asl-validator" "2 s; 15 s the first time" scripts/asl_validate.sh
	@$(STEP) "build and lint" "1 min; 35 min the first time on 2 cores" scripts/lint.sh --locked
	@$(STEP) "tests" "5 min" scripts/tests.sh

check: ## formatting, build and lints: what to run while working
	@cargo fmt --all --check
	@scripts/lint.sh

contracts: venv ## only the checks that template, routes, events, documents and dependencies agree
	@scripts/tests.sh -p mandi-contracts

bench: setup venv models ## the table of docs/benchmarks.md
	@scripts/bench.sh

setup: ## what the build needs of the system
	@scripts/setup.sh --tests

venv: ## the Python environment of the tests
	@scripts/venv.sh "$(MANDI_TEST_VENV)"

models: ## the small models, checked
	@python3 scripts/models.py

deny: venv ## licences, bans and sources of the dependencies
	@PATH="$(VENV_BIN):$$PATH" cargo deny --log-level error check licenses bans sources

sam-validate: venv ## the template, by SAM and cfn-lint
	@for template in infra/template.yaml infra/alarms.yaml infra/capture.yaml; do \
	    "$(VENV_BIN)/sam" validate --lint --template-file "$$template" --config-file "$(CURDIR)/samconfig.toml" || exit; \
	done

invoke: venv ## one function with one event: make invoke FUNCTION=chat EVENT=events/chat/health.json
	@test -n "$(FUNCTION)" -a -n "$(EVENT)" || { echo "say which: make invoke FUNCTION=chat EVENT=events/chat/health.json" >&2; exit 2; }
	@test -f "$(EVENT)" || { echo "there is no event $(EVENT); those of this function are in events/$(FUNCTION)/" >&2; exit 2; }
	@$(STEP) "build of $(FUNCTION)" "5 s; 25 min the first time on 2 cores" cargo build -p mandi-$(FUNCTION) --bin $(FUNCTION)
	@"$(VENV_BIN)/python" scripts/invoke.py "$(FUNCTION)" "$(EVENT)"

build: ## the release binaries of the functions, as SAM wants them
	@$(STEP) "chat" "1 min; 10 min the first time" cargo build --release -p mandi-chat --bin chat
	@$(STEP) "prediction" "1 min; 5 min the first time" cargo build --release -p mandi-prediction --bin prediction
	@$(STEP) "batch-prediction" "1 min; 5 min the first time" cargo build --release -p mandi-batch-prediction --bin batch-prediction
	@$(STEP) "embedding" "2 min; 40 min the first time" cargo build --release -p mandi-embedding --bin embedding
	@$(STEP) "runner, for the contract" "5 s; 25 min the first time" cargo build -p mandi
	@$(STEP) "dist" "1 s" scripts/dist.sh "$(CARGO_TARGET_DIR)/release" "$(MANDI)" "$(DIST)"

layer: models ## the Lambda layer with embedding model and reranker
	@scripts/layer.sh "$(MANDI_MODELS)" "$(DIST)/models-layer"

deploy: venv build layer ## to your AWS account: make deploy STAGE=dev
	@scripts/deployable.sh "$(DIST)"
	@"$(VENV_BIN)/sam" deploy --config-file "$(CURDIR)/samconfig.toml" --config-env "$(STAGE)" $(PARAMETERS)

clean: ## dist and the demo's data; not the caches
	@rm -rf $(DIST) .mandi
