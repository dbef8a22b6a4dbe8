# Thin names for commands that can be typed without make; `make help` shows them.

STAGE ?= local
PYTHON ?= python3
# More arguments for ansible-playbook, such as ARGS="--check --diff".
ARGS ?=
# What serves: compiled or toolkit.
RUNTIME ?= compiled

BIN := .venv/bin
PLAYBOOK = $(BIN)/ansible-playbook -i inventories/$(STAGE)
CLOUD_PYTHON = .local_cloud/venvs/cloud-$(shell sha256sum files/local_cloud/requirements.txt | cut -c1-16)/bin/python
BARE = ANSIBLE_STDOUT_CALLBACK=modelhost.sagemaker.bare $(PLAYBOOK)

.DEFAULT_GOAL := help
.PHONY: help stage deploy teardown new_stage status rollback policy url env cloud stop test test-unit test-integration test-molecule test-reliability test-container test-conformance test-torch test-toolkit test-browser contract serve benchmark lock lint clean

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
	@$(BIN)/pytest -n 2 -m "not torch and not toolkit and not docker" tests/unit $(ARGS)

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

# One thread for each of the two test processes: more only wait for each other.
test-torch: .venv-torch/.ready  ## Compare the compiler and the compiled tasks with transformers itself (installs torch)
	@OMP_NUM_THREADS=1 .venv-torch/bin/pytest -n 2 -m torch tests/unit/compiler tests/unit/serving $(ARGS)

test-toolkit: .venv-toolkit/.ready  ## Run what the toolkit image runs: ten tasks, code/inference.py, streams (installs torch)
	@OMP_NUM_THREADS=1 .venv-toolkit/bin/pytest -n 2 -m toolkit tests/unit/serving_toolkit $(ARGS)

serve: .venv-serve/.ready $(if $(IMAGE)$(filter docker,$(ENGINE)),,.venv-$(RUNTIME)/.ready)  ## Serve a model alone and reload: make serve [MODEL=dir] [PORT=8080] [TASK=…] [RUNTIME=toolkit] [ENGINE=docker] [IMAGE=name:tag]
	@PYTHONPATH=files/local_server .venv-serve/bin/python -m local_server --runtime $(RUNTIME) $(if $(MODEL),--model "$(MODEL)") \
	  $(if $(PORT),--port $(PORT)) $(if $(TASK),--task $(TASK)) $(if $(ENGINE),--engine $(ENGINE)) $(if $(IMAGE),--image $(IMAGE)) $(ARGS)

benchmark: .venv/.dev .venv-compiled/.ready .venv-peers/.ready build/benchmarks/models/.ready  ## Measure the server beside its peers (40 minutes; ARGS="--quick": three; ARGS="--help")
	@command -v wrk >/dev/null || { echo "Installing wrk, which makes the load"; apt-get install -y -qq --no-install-recommends wrk >/dev/null; } \
	  || { echo "wrk is missing: apt install wrk"; exit 1; }
	@command -v java >/dev/null || { echo "Installing Java, which the peer's server runs on"; apt-get install -y -qq --no-install-recommends default-jre-headless >/dev/null; } \
	  || { echo "Java is missing: apt install default-jre-headless"; exit 1; }
	@$(BIN)/python tests/benchmarks/benchmark_run.py $(ARGS)

contract: .venv/.dev  ## Put any image, or a server, to SageMaker's contract: make contract IMAGE=name:tag [MODEL=dir] [REQUEST=file] or URL=http://…
	@test -n "$(IMAGE)$(URL)" || { echo "Name an image or a server: make contract IMAGE=name:tag, or make contract URL=http://127.0.0.1:8080"; exit 1; }
	@CONTRACT_IMAGE="$(IMAGE)" CONTRACT_URL="$(URL)" CONTRACT_MODEL="$(MODEL)" CONTRACT_REQUEST="$(REQUEST)" CONTRACT_ENV="$(ENV)" \
	  CONTRACT_CONTENT_TYPE="$(CONTENT_TYPE)" CONTRACT_PLATFORM="$(PLATFORM)" $(BIN)/pytest -m contract tests/contract $(ARGS)

lock: .venv-lock/.ready  ## Pin what the images hold, with hashes: requirements-*.in becomes requirements-*.txt
	@.venv-lock/bin/python files/docker/lock.py $(ARGS)

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
	rm -rf .venv .venv-torch .venv-toolkit .venv-conformance .venv-compiled .venv-serve .venv-peers .venv-lock build

.venv/.ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or newer is needed: apt install python3, or name another with make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "python3-venv is missing: apt install python3-venv"; exit 1; }
	@echo "Setting up .venv: Ansible, boto3 and Docker's SDK (once, about a minute)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.dev: .venv/.ready requirements-dev.txt files/local_cloud/requirements.txt files/local_server/requirements.txt files/docker/requirements-compiled.txt
	@echo "Setting up .venv for tests: pytest, molecule and the linters (once, about a minute)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@# On its own: a file with hashes makes pip ask for hashes of everything it installs in the same run.
	@$(BIN)/pip install --quiet --disable-pip-version-check -r files/docker/requirements-compiled.txt
	@touch $@

.venv-torch/.ready: files/docker/requirements-compiler.txt files/docker/requirements-compiled.txt | .venv/.ready
	@echo "Setting up .venv-torch: transformers and torch (once, some minutes)"
	@$(PYTHON) -m venv --clear .venv-torch
	@.venv-torch/bin/pip install --quiet --disable-pip-version-check -r files/docker/requirements-compiler.txt pytest==9.2.0 pytest-xdist==3.8.0 hypothesis==6.170.15
	@.venv-torch/bin/pip install --quiet --disable-pip-version-check -r files/docker/requirements-compiled.txt
	@touch $@

.venv-compiled/.ready: files/docker/requirements-compiled.txt | .venv/.ready
	@echo "Setting up .venv-compiled: what the compiled image holds (once, a minute)"
	@$(PYTHON) -m venv --clear .venv-compiled
	@.venv-compiled/bin/pip install --quiet --disable-pip-version-check -r files/docker/requirements-compiled.txt
	@touch $@

.venv-serve/.ready: files/local_server/requirements.txt | .venv/.ready
	@$(PYTHON) -m venv --clear .venv-serve
	@.venv-serve/bin/pip install --quiet --disable-pip-version-check -r files/local_server/requirements.txt
	@touch $@

.venv-peers/.ready: tests/benchmarks/peers/requirements.txt | .venv/.ready
	@echo "Setting up .venv-peers: what the benchmarks compare with (once, some minutes)"
	@$(PYTHON) -m venv --clear .venv-peers
	@.venv-peers/bin/pip install --quiet --disable-pip-version-check -r tests/benchmarks/peers/requirements.txt
	@touch $@

build/benchmarks/models/.ready: .venv-torch/.ready tests/benchmarks/base_model.py
	@echo "Making the model of the benchmarks: DistilBERT-base's shape, compiled (once, some minutes)"
	@.venv-torch/bin/python tests/benchmarks/base_model.py build/benchmarks/models
	@touch $@

.venv-toolkit/.ready: files/docker/requirements-torch.txt files/docker/requirements-toolkit.txt | .venv/.ready
	@echo "Setting up .venv-toolkit: what the toolkit image holds (once, some minutes)"
	@$(PYTHON) -m venv --clear .venv-toolkit
	@.venv-toolkit/bin/pip install --quiet --disable-pip-version-check -r files/docker/requirements-torch.txt
	@# torch is the only one without hashes, so it is there before pip asks for them.
	@.venv-toolkit/bin/pip install --quiet --disable-pip-version-check -r files/docker/requirements-toolkit.txt
	@.venv-toolkit/bin/pip install --quiet --disable-pip-version-check pytest==9.2.0 pytest-xdist==3.8.0
	@touch $@

.venv-lock/.ready: | .venv/.ready
	@$(PYTHON) -m venv --clear .venv-lock
	@.venv-lock/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
	@touch $@

.venv-conformance/.ready: tests/conformance/requirements.txt | .venv/.ready
	@echo "Setting up .venv-conformance: moto and the SageMaker Python SDK (once, some minutes)"
	@$(PYTHON) -m venv --clear .venv-conformance
	@.venv-conformance/bin/pip install --quiet --disable-pip-version-check -r tests/conformance/requirements.txt
	@touch $@
