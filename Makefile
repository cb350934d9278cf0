# Short commands; the work is done in Python. `make` lists them.
SHELL := /bin/sh
PYTHON ?= python3
BIN := .venv/bin
LOCUST := EXAMPLE=$(EXAMPLE) SHAPE='$(SHAPE)' $(BIN)/locust -f benchmark/load/locustfile.py
WEB_UI = --class-picker --web-host $(or $(WEB_HOST),127.0.0.1)
SCALE_FLAG := $(if $(SCALE),--scale $(SCALE))
CONTAINERS := $(PYTHON) -m docker.verbs
SITE ?= results/site
BENCH_FLAGS := $(if $(QUICK),--quick) $(if $(FULL),--full) $(if $(FIELD),--field) $(BENCH_ARGS)

# Variables of the container targets may be set on the command line or in the environment.
DOCKER ?= docker
export DOCKER

# A variable that nobody reads is a typing mistake, such as QUIK=1, and would pass silently.
KNOWN := PYTHON BIN EXAMPLE SHAPE QUICK FULL FIELD SCALE SITE ALL HTML STRATEGY WEB_HOST MASTER BENCH_ARGS EXPLAIN_ARGS \
	STRATEGIES_ARGS PROMISE_ARGS SELFTEST_ARGS CAPACITY_ARGS PLAN_ARGS RATE SLO PRICE UNDER_FIRE_ARGS VERSUS_ARGS A B SCENARIO EXPERIMENT_ARGS AUDIT_ARGS TRIALS_ARGS UP_ARGS DOCKER BASE_IMAGE REDIS_IMAGE IMAGE_PREFIX IMAGE_TAG PROFILE HOST_ADDRESS \
	MIRROR SUITE SERVING_% LOCUST_% SHELL MAKEFLAGS
GIVEN := $(foreach name,$(.VARIABLES),$(if $(findstring command line,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(KNOWN),$(GIVEN))
$(if $(UNKNOWN),$(error $(UNKNOWN) is not a variable of this Makefile; expected one of $(KNOWN)))

.DEFAULT_GOAL := help
.PHONY: help install install-dev bench explain strategies promise selftest capacity plan under-fire versus report experiments experiment1 experiment2 experiment3 response-time \
	load-test max-performance stress-test locust-ui locust-master locust-worker up down seed test signal-trials lint format audit lock diff \
	clean talk site docs record record-pools record-field record-strategies calibrate pc-specs docker-build docker-base docker-run-redis docker-run-model-sync \
	docker-run-model-async docker-run-scoring-sync docker-run-scoring-async docker-stop docker-up docker-down docker-bench docker-sizes \
	test-docker

help: ## list the commands
	@grep -hE '^[a-z0-9 -]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 24

bench: install ## compare the contenders, five minutes; QUICK=1 about a minute, FULL=1 one hour, FIELD=1 all contenders, BENCH_ARGS="--help"
	@$(BIN)/python -m benchmark bench $(BENCH_FLAGS)

report: install ## one page over all runs in results/
	@$(BIN)/python -m benchmark report

explain: install ## where does the difference come from? 24 minutes; QUICK=1 less than six minutes, EXPLAIN_ARGS="--help"
	@$(BIN)/python -m benchmark explain $(if $(QUICK),--quick) $(EXPLAIN_ARGS)

strategies: install ## other ways of serving against their laws, under 40 minutes; QUICK=1 under five, STRATEGY=hub for one, STRATEGY=later
	@$(BIN)/python -m benchmark strategies $(if $(QUICK),--quick) $(if $(STRATEGY),--strategy $(STRATEGY)) $(STRATEGIES_ARGS)

promise: install ## does each contender keep its promise, such as p99 < 100 ms? nine minutes; QUICK=1 under two, PROMISE_ARGS="--help"
	@$(BIN)/python -m benchmark promise $(if $(QUICK),--quick) $(PROMISE_ARGS)

selftest: install ## does the load generator tell the truth here? a minute; its certificate is part of every report, SELFTEST_ARGS="--help"
	@$(BIN)/python -m benchmark selftest $(if $(QUICK),--quick) $(SELFTEST_ARGS)

capacity: install ## the highest rate at which each contender keeps a promise; about five minutes each, QUICK=1 under two, CAPACITY_ARGS="--help"
	@$(BIN)/python -m benchmark capacity $(if $(QUICK),--quick) $(CAPACITY_ARGS)

plan: install ## what must I run, and what does it cost? two minutes; RATE=200 SLO="p99<100ms" PRICE=0.04, PLAN_ARGS="--help", PLAN_ARGS=--verify
	@$(BIN)/python -m benchmark plan $(if $(RATE),--rate $(RATE)) $(if $(SLO),--slo '$(SLO)') $(if $(PRICE),--price $(PRICE)) $(PLAN_ARGS)

under-fire: install ## what is answered when things break, and under overload? under 15 minutes; QUICK=1 under three, UNDER_FIRE_ARGS="--help"
	@$(BIN)/python -m benchmark under-fire $(if $(QUICK),--quick) $(UNDER_FIRE_ARGS)

versus: install ## which of two services answers sooner? A=http://... B=http://... SCENARIO=mine.toml, under five minutes; QUICK=1 about one
	@$(BIN)/python -m benchmark versus $(if $(A),A=$(A)) $(if $(B),B=$(B)) $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(QUICK),--quick) $(VERSUS_ARGS)

experiments: install ## experiments 1 to 3, then one page over all runs; SCALE=0.1 shortens them
	@status=0; for experiment in profile timeit locust; do \
		$(BIN)/python -m benchmark $$experiment $(SCALE_FLAG) $(EXPERIMENT_ARGS) || status=$$?; \
		case $$status in 0|3) ;; *) exit $$status ;; esac; \
	done; \
	$(BIN)/python -m benchmark report && exit $$status

experiment1: install ## profiling: where does a request spend its time? seven minutes
	@$(BIN)/python -m benchmark profile $(SCALE_FLAG) $(EXPERIMENT_ARGS)

experiment2: install ## timeit: how long do n calls in a row take? 83 minutes, SCALE=0.1 two
	@$(BIN)/python -m benchmark timeit $(SCALE_FLAG) $(EXPERIMENT_ARGS)

experiment3: install ## Locust: at which load does each contender break? 15 minutes each
	@$(BIN)/python -m benchmark locust $(SCALE_FLAG) $(EXPERIMENT_ARGS)

response-time load-test max-performance stress-test: install ## a single example of experiment 3
	@$(BIN)/python -m benchmark locust --examples $@ $(SCALE_FLAG) $(EXPERIMENT_ARGS)

locust-ui: up ## Locust's web UI on 127.0.0.1:8089, for the services of `make up`; SHAPE="0 -> 200 in 1min", WEB_HOST=0.0.0.0 for other machines
	@$(LOCUST) $(WEB_UI)

locust-master: up ## a Locust master with the web UI, for `make locust-worker`
	@$(LOCUST) $(WEB_UI) --master

locust-worker: install ## a Locust worker; MASTER=host if the master runs on another machine
	@$(LOCUST) --worker --master-host $(or $(MASTER),127.0.0.1)

up: install ## start Redis and the four services in the background; UP_ARGS="--help" for other contenders, settings, ports
	@$(BIN)/python -m benchmark up $(UP_ARGS)

down: install ## stop the services that `make up` started
	@$(BIN)/python -m benchmark down

seed: install ## fill the feature store at SERVING_REDIS_URL
	@$(BIN)/python -m feature_store seed

diff: ## what sync and async mean, in code: the handlers side by side; ALL=1 for all files, HTML=1 for all as one page
	@$(PYTHON) doc/diff.py $(if $(ALL),--all) $(if $(HTML),--html)

test: install-dev ## lint, format check, types, architecture contracts, tests
	@$(BIN)/python -m tests

signal-trials: install-dev ## every command gets every signal at ten random moments; over an hour, TRIALS_ARGS="--help" for less
	@$(BIN)/python -m tests.signals $(TRIALS_ARGS)

lint: install-dev ## the static checks only
	@$(BIN)/python -m tests --static

format: install-dev ## format the code
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

install: .venv/installed-benchmark
install-dev: .venv/installed-dev

.venv/installed-%: requirements/%.txt pyproject.toml
	@$(PYTHON) requirements/install.py $*

audit: ## known vulnerabilities of what requirements/*.txt name; says so where no index of advisories is reachable
	@$(PYTHON) requirements/audit.py $(AUDIT_ARGS)

lock: install-dev ## resolve requirements/*.txt again from pyproject.toml
	@$(BIN)/python requirements/lock.py

clean: ## stop the services, and remove the virtual environments and the results
	@test ! -e run/services.json || $(BIN)/python -m benchmark down || true
	rm -rf .venv .venvs .gate results run

talk: install ## the slides of a talk on the recorded run, as results/talk.html and, for Marp, results/talk.md
	@$(BIN)/python doc/talk/render.py

docs: install-dev ## write the generated parts: doc/settings.md, .env.example, handlers and figures of the README
	@$(BIN)/python doc/generate.py

site: .venv/installed-docs ## the documentation as a site with search, into results/site; needs no network once installed
	@$(BIN)/python -m sphinx --fail-on-warning --quiet -c doc . $(SITE)
	@echo $(SITE)/index.html

record: explain ## measure anew what README, article and doc/deployment.md show; 24 minutes
	@$(BIN)/python doc/generate.py --record results/latest

record-pools: install ## measure the pool sizes of httpx in doc/measurement.md again; eight minutes
	@for sweep in model_pool_size=28,64,128,2048 model_pool_idle=2,20,64,2048; do \
		$(BIN)/python -m benchmark bench --contenders async --set model_pool_queue=client --set model_timeout_ms=30000 --sweep $$sweep --levels 8,32,64,128 --blocks 5 \
		&& $(BIN)/python doc/generate.py --record results/latest || exit; done

record-field: install ## measure all contenders of doc/contenders.md again; ten minutes
	@$(BIN)/python -m benchmark bench --field
	@$(BIN)/python doc/generate.py --record results/latest

calibrate: install ## simulate how often intervals and verdicts are right, for doc/measurement.md; about ten minutes
	@$(BIN)/python doc/calibration.py

record-strategies: strategies ## measure anew what doc/choosing.md shows; under 40 minutes, and as long again with STRATEGY=later
	@$(BIN)/python doc/generate.py --record results/latest

docker-build: ## build the images of the services on BASE_IMAGE, with their unit tests
	@$(CONTAINERS) build

docker-base: ## build a base image from Debian packages, if BASE_IMAGE and REDIS_IMAGE cannot be pulled; PROFILE=jobs PostgreSQL, too
	@$(CONTAINERS) base

docker-run-model-sync docker-run-model-async docker-run-scoring-sync docker-run-scoring-async: ## run one service as a container
	@$(CONTAINERS) run $(word 3,$(subst -, ,$@)) $(word 4,$(subst -, ,$@))

docker-run-redis: ## run the feature store as a container, and seed it
	@$(CONTAINERS) run redis

docker-sizes: ## write the size of each image to doc/images.md
	@$(CONTAINERS) sizes

docker-stop: ## stop and remove all containers of this project
	@$(CONTAINERS) stop

docker-up: ## start all services with docker/compose.yaml; PROFILE=bench adds Locust on port 8089, PROFILE=jobs what answers later
	@$(CONTAINERS) up

docker-down: ## stop the containers that `make docker-up` started
	@$(CONTAINERS) down

docker-bench: install ## `make bench` with containers; QUICK=1 or FULL=1
	@$(CONTAINERS) build && $(BIN)/python -m benchmark bench --containers $(BENCH_FLAGS)

test-docker: install-dev ## tests of images, compose and docker-bench; skipped without a container engine
	@$(BIN)/pytest -m docker -n 0 tests/docker

pc-specs: install ## write doc/pc_specs.html: the hardware of this machine, by lshw if it is installed
	@$(BIN)/python doc/pc_specs.py
