# Thin names for commands that can be typed without make; `make help` shows them.

STAGE ?= local
PYTHON ?= python3
# More arguments for ansible-playbook, such as ARGS="--check --diff".
ARGS ?=

BIN := .venv/bin
PLAYBOOK = $(BIN)/ansible-playbook -i inventories/$(STAGE)
CLOUD_PYTHON = .local_cloud/venvs/cloud-$(shell sha256sum files/local_cloud/requirements.txt | cut -c1-16)/bin/python
BARE = ANSIBLE_STDOUT_CALLBACK=modelhost.sagemaker.bare $(PLAYBOOK)

.DEFAULT_GOAL := help
.PHONY: help stage deploy teardown new_stage status rollback policy url env cloud stop test test-unit test-integration test-molecule test-reliability test-container test-conformance test-torch test-browser lint clean

help:  ## Show this list
	@printf 'make TARGET [STAGE=local] [ARGS="…"]\n\n'
	@grep -hE '^[a-z_-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'
	@printf '\nStages: %s\n' "$$(ls inventories | tr '\n' ' ')"

deploy: stage .venv/.ready  ## Deploy the stage and print its URL
	@$(PLAYBOOK) deploy.yml $(ARGS)

teardown: stage .venv/.ready  ## Remove everything the stage made
	@$(PLAYBOOK) teardown.yml $(ARGS)

new_stage: .venv/.ready  ## Ask what makes a stage and write its inventory
	@$(BIN)/ansible-playbook new_stage.yml $(ARGS)

policy: stage .venv/.ready  ## Fill in the IAM policies that deploying the stage takes, in build/policies
	@$(PLAYBOOK) policy.yml $(ARGS)

status: stage .venv/.ready  ## Show what is live, what is kept and why others failed
	@$(BARE) status.yml $(ARGS)

rollback: stage .venv/.ready  ## Go back to the generation before (ARGS="-e model_serving_generation=NAME" for a named one)
	@$(PLAYBOOK) rollback.yml $(ARGS)

url: stage .venv/.ready  ## Print the stage's URL alone
	@$(BARE) url.yml $(ARGS)

env: stage .venv/.ready  ## Print what points boto3 and aws at a local stage: eval "$(make -s env)"
	@$(BARE) env.yml $(ARGS)

cloud:  ## Talk to the local cloud: make cloud ARGS="faults list", "calls --follow", "endpoint kill NAME", "--help"
	@test -x $(CLOUD_PYTHON) || { echo "There is no local cloud yet. Deploy the local stage first: make deploy"; exit 1; }
	@cd files/local_cloud && $(CURDIR)/$(CLOUD_PYTHON) -m local_cloud $(ARGS)

stop: stage .venv/.ready  ## Stop the local cloud of the stage and keep its state
	@$(PLAYBOOK) stop.yml $(ARGS)

test: test-unit test-integration test-molecule  ## Run the tests (no Docker, no AWS account)

test-unit: .venv/.dev  ## Run the tests of what decides
	@$(BIN)/pytest -m "not torch and not docker" tests/unit $(ARGS)

test-integration: .venv/.dev  ## Run the tests that deploy to local clouds of their own
	@$(BIN)/pytest -n 3 --dist loadfile -m "not docker and not conformance and not reliability" tests/integration tests/conformance $(ARGS)

test-reliability: .venv/.dev  ## Kill, throttle, fail and load everything (half an hour; docs/reliability.md)
	@RELIABILITY=full $(BIN)/pytest -n 3 --dist loadfile tests/integration/reliability $(ARGS)

test-molecule: .venv/.dev  ## Run the local inventory from deploy to teardown
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/molecule test

test-container: .venv/.dev  ## Build the image with Docker and run it behind the local cloud
	@$(BIN)/python -c 'import docker; docker.from_env().ping()' 2>/dev/null \
	  || { echo "No Docker engine answers. Start one, or point DOCKER_HOST at one."; exit 1; }
	@$(BIN)/pytest -m docker tests $(ARGS)

test-browser: .venv/.dev  ## Look at the local cloud's status page with Chromium, and keep screenshots in build/screenshots
	@SCREENSHOTS=$(CURDIR)/build/screenshots $(BIN)/pytest -m browser tests/browser $(ARGS)

test-conformance: .venv-conformance/.ready  ## Run AWS's documented rules against the local cloud and moto, with AWS's own clients
	@.venv-conformance/bin/pytest -rfE tests/conformance $(ARGS)

test-torch: .venv-torch/.ready  ## Compare the transformers runtime with transformers itself (installs torch)
	@.venv-torch/bin/pytest -m torch tests/unit/serving $(ARGS)

lint: .venv/.dev  ## Run ansible-lint, yamllint, ruff, mypy and the documentation's own linters
	@$(BIN)/yamllint --strict .
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/ansible-lint --offline
	@# Without the ceiling it takes the collections inside .venv for files of this repository that git ignores.
	@PATH="$(CURDIR)/$(BIN):$$PATH" GIT_CEILING_DIRECTORIES="$(CURDIR)" $(BIN)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs self --skip-rstcheck .
	@$(BIN)/antsibull-changelog lint

# Ansible would say 'no hosts matched' and call it a success.
stage:
	@test -d inventories/$(STAGE) || { echo "There is no stage '$(STAGE)'. There are: $$(ls inventories | tr '\n' ' ')"; exit 1; }

clean:  ## Remove the virtual environment and build output, not the local stages
	rm -rf .venv .venv-torch .venv-conformance build

.venv/.ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or newer is needed: apt install python3, or name another with make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "python3-venv is missing: apt install python3-venv"; exit 1; }
	@echo "Setting up .venv: Ansible, boto3 and Docker's SDK (once, about a minute)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.dev: .venv/.ready requirements-dev.txt files/local_cloud/requirements.txt files/docker/requirements-compiled.txt
	@echo "Setting up .venv for tests: pytest, molecule and the linters (once, about a minute)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

.venv-torch/.ready: .venv/.ready files/docker/requirements-transformers.txt files/docker/requirements-compiled.txt
	@echo "Setting up .venv-torch: transformers and torch (once, some minutes)"
	@$(PYTHON) -m venv --clear .venv-torch
	@.venv-torch/bin/pip install --quiet --disable-pip-version-check -r files/docker/requirements-transformers.txt pytest==9.2.0 onnx==1.23.2
	@touch $@

.venv-conformance/.ready: .venv/.ready tests/conformance/requirements.txt
	@echo "Setting up .venv-conformance: moto and the SageMaker Python SDK (once, some minutes)"
	@$(PYTHON) -m venv --clear .venv-conformance
	@.venv-conformance/bin/pip install --quiet --disable-pip-version-check -r tests/conformance/requirements.txt
	@touch $@
