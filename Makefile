# Verbs only; the work is in Python. `make` lists them.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
LOCUST := EXAMPLE=$(EXAMPLE) $(BIN)/locust -f benchmark/load/locustfile.py
WEB_UI = --class-picker --web-host $(or $(WEB_HOST),127.0.0.1)
SCALE_FLAG := $(if $(SCALE),--scale $(SCALE))
CONTAINERS := $(PYTHON) -m docker.verbs
WIDTH := 208
SITE ?= results/site
BENCH_FLAGS := $(if $(QUICK),--quick) $(if $(FULL),--full) $(if $(FIELD),--field) $(BENCH_ARGS)

# The variables of the containers may stand on the command line or in the environment.
DOCKER ?= docker
export DOCKER

.DEFAULT_GOAL := help
.PHONY: help install install-dev bench explain report experiments experiment1 experiment2 experiment3 response-time \
	load-test max-performance stress-test locust-ui locust-master locust-worker up down seed test lint format lock diff \
	clean docs site record record-pools record-field pc-specs docker-build docker-base docker-run-redis docker-run-model-sync \
	docker-run-model-async docker-run-scoring-sync docker-run-scoring-async docker-stop docker-up docker-down docker-bench docker-sizes \
	test-docker

help: ## list the verbs
	@grep -hE '^[a-z0-9 -]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 24

bench: install ## measure the contenders and write a report; QUICK=1 or FULL=1, FIELD=1 for all there are, BENCH_ARGS="--help"
	@$(BIN)/python -m benchmark bench $(BENCH_FLAGS)

report: install ## join the reports of all runs in results/ into one
	@$(BIN)/python -m benchmark report

explain: install ## which factor makes how much of the gap? QUICK=1, EXPLAIN_ARGS="--help"
	@$(BIN)/python -m benchmark explain $(if $(QUICK),--quick) $(EXPLAIN_ARGS)

experiments: install ## all three, then one report; SCALE=0.1 shortens them
	@status=0; for experiment in profile timeit locust; do \
		$(BIN)/python -m benchmark $$experiment $(SCALE_FLAG) $(EXPERIMENT_ARGS) || status=$$?; \
		case $$status in 0|3) ;; *) exit $$status ;; esac; \
	done; \
	$(BIN)/python -m benchmark report && exit $$status

experiment1: install ## profiling: where does one request spend its time?
	@$(BIN)/python -m benchmark profile $(SCALE_FLAG) $(EXPERIMENT_ARGS)

experiment2: install ## timeit: how do n calls add up?
	@$(BIN)/python -m benchmark timeit $(SCALE_FLAG) $(EXPERIMENT_ARGS)

experiment3: install ## Locust: where does each architecture break?
	@$(BIN)/python -m benchmark locust $(SCALE_FLAG) $(EXPERIMENT_ARGS)

response-time load-test max-performance stress-test: install ## one example of experiment 3 alone
	@$(BIN)/python -m benchmark locust --examples $@ $(SCALE_FLAG) $(EXPERIMENT_ARGS)

locust-ui: up ## Locust's web UI on 127.0.0.1:8089, for the services of `make up`; WEB_HOST=0.0.0.0 for others to see
	@$(LOCUST) $(WEB_UI)

locust-master: up ## a Locust master with the web UI; start workers beside it
	@$(LOCUST) $(WEB_UI) --master

locust-worker: install ## a Locust worker; MASTER=host for one elsewhere
	@$(LOCUST) --worker --master-host $(or $(MASTER),127.0.0.1)

up: install ## start Redis and the four services in the background, on the usual ports; what is up already stays
	@$(BIN)/python -m benchmark up

down: install ## stop what `make up` started
	@$(BIN)/python -m benchmark down

seed: install ## fill the feature store at SERVING_REDIS_URL
	@$(BIN)/python -m feature_store seed

diff: ## what sync and async mean, in code: the handlers side by side, then how the rest differs; without the servers
	@diff --side-by-side --expand-tabs --width=$(WIDTH) sync/sync_api/scoring.py async/async_api/scoring.py || test $$? -eq 1
	@diff -u --color=auto -x __pycache__ -x '*server.py' -x scoring.py sync/sync_api async/async_api || test $$? -eq 1

test: install-dev ## lint, format check, types, architecture contracts, tests
	@$(BIN)/python -m tests

lint: install-dev ## only what needs no running
	@$(BIN)/python -m tests --static

format: install-dev ## rewrite the code in the house format
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

install: .venv/installed-benchmark
install-dev: .venv/installed-dev

.venv/installed-%: requirements/%.txt pyproject.toml
	@$(PYTHON) requirements/install.py $*

lock: install-dev ## resolve requirements/*.txt anew from pyproject.toml
	@$(BIN)/python requirements/lock.py

clean: ## remove the virtual environment and the results; what `make up` started is stopped before
	@test ! -e run/services.json || $(BIN)/python -m benchmark down || true
	rm -rf .venv results run

docs: install-dev ## write what is generated: doc/settings.md, .env.example, handlers and figures of the README
	@$(BIN)/python doc/generate.py

site: .venv/installed-docs ## the documentation as a site with search, into results/site; needs no network once installed
	@$(BIN)/python -m sphinx --fail-on-warning --quiet -c doc . $(SITE)
	@echo $(SITE)/index.html

record: explain ## measure anew what README, article and doc/deployment.md show; 24 minutes
	@$(BIN)/python doc/generate.py --record results/latest

record-pools: install ## measure anew the sizes of httpx's pool that doc/measurement.md shows; eight minutes
	@for sweep in model_pool_size=28,64,128,2048 model_pool_idle=2,20,64,2048; do \
		$(BIN)/python -m benchmark bench --contenders async --sweep $$sweep --levels 8,32,64,128 --blocks 5 \
		&& $(BIN)/python doc/generate.py --record results/latest || exit; done

record-field: install ## measure anew the field that doc/contenders.md shows; ten minutes
	@$(BIN)/python -m benchmark bench --field
	@$(BIN)/python doc/generate.py --record results/latest

docker-build: ## images of the services, on BASE_IMAGE; their unit tests run meanwhile
	@$(CONTAINERS) build

docker-base: ## a base image from Debian packages, in place of BASE_IMAGE and REDIS_IMAGE, where none can be pulled
	@$(CONTAINERS) base

docker-run-model-sync docker-run-model-async docker-run-scoring-sync docker-run-scoring-async: ## one service as a container
	@$(CONTAINERS) run $(word 3,$(subst -, ,$@)) $(word 4,$(subst -, ,$@))

docker-run-redis: ## the feature store as a container, seeded
	@$(CONTAINERS) run redis

docker-sizes: ## what each image adds to its base, into doc/images.md
	@$(CONTAINERS) sizes

docker-stop: ## stop and remove every container of ours
	@$(CONTAINERS) stop

docker-up: ## everything through docker/compose.yaml; PROFILE=bench adds Locust with its web UI on port 8089
	@$(CONTAINERS) up

docker-down: ## stop what `make docker-up` started
	@$(CONTAINERS) down

docker-bench: install ## the comparison of `make bench` with containers; QUICK=1 or FULL=1
	@$(CONTAINERS) build && $(BIN)/python -m benchmark bench --containers $(BENCH_FLAGS)

test-docker: install-dev ## tests of images, compose and docker-bench; skipped where no engine runs
	@$(BIN)/pytest -m docker -n 0 tests/docker

pc-specs: install ## write doc/pc_specs.html: what this machine is made of, by lshw where it is installed
	@$(BIN)/python doc/pc_specs.py
