# The only way in: people and CI call the same targets. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# What a target does, it says itself: no recipe is shown. `make -n` shows them.
MAKEFLAGS += --no-print-directory --silent

# Given on the command line: make serve PORT=8080. Assigned with `=`, so that a HOST or PORT that happens to be in the
# environment changes nothing.
DATASET = configs/datasets/german_credit.yaml
MODEL = configs/models/001_production.yaml
HOST = 127.0.0.1
PORT = 3000
GRPC_PORT = 3001
WORKERS = 1
GATES = configs/gates.yaml
REPEATS = 10
TABLES =
ROWS = 1000 10000 100000 1000000
TRIALS = 50
WORKFLOW =
OVERLAY = staging
IMAGE =
DRY_RUN =
QUICK =
MODEL_TAG =
CHAMPION =
# Of `make image`: docker, podman or buildah. Of `make score`: local, ray or spark.
ENGINE =
TABLE =
OUT = var/scores
ADDRESS =
EXPLAIN =
ARCHIVE =
BASE =
VOLUME =
REGISTRY =
KEY =
SIGNING_KEY =
WHAT =
# Of `make load`; WORKERS above are the service's, PROCESSES are locust's.
USERS = 50
RUN_TIME = 60s
SHAPE = steady
TARGET = http://127.0.0.1:3000
PROMETHEUS = http://127.0.0.1:9090
GRPC_TARGET =
SLO = loadtests/slo.yaml
KEY_FILE =
PROCESSES = 1
REMOTE_WORKERS = 0
MASTER = 127.0.0.1
MASTER_PORT = 5557

# Nothing here reports to anybody: configs/opt_outs.py, for what is started without our code in front of it.
export BENTOML_DO_NOT_TRACK = True
export DO_NOT_TRACK = true
export DVC_NO_ANALYTICS = true
export ITERATIVE_DO_NOT_TRACK = true
export MLFLOW_DISABLE_TELEMETRY = true
export ORT_DISABLE_TELEMETRY = 1
export WHYLOGS_NO_ANALYTICS = 1

# Installation compiles nothing (a fifth of the files is ever imported), so the first import must leave its bytecode behind.
unexport PYTHONDONTWRITEBYTECODE

# A value of the command line as one word of the shell, whatever is in it: spaces, quotes, semicolons.
q = '$(subst ','\'',$(1))'

PYTHON ?= $(or $(shell command -v python3.11 || command -v python3),python3)
BIN := .venv/bin
LOAD_BIN := .venv-load/bin
TRAIN = $(BIN)/python -m train
# With the opponents of .venv-comparison, whose other packages have the versions of .venv.
COMPARE = PYTHONPATH="$$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')" .venv-comparison/bin/python -m train
INPUTS = --dataset $(call q,$(DATASET)) --model $(call q,$(MODEL)) --gates $(call q,$(GATES)) \
	$(if $(SIGNING_KEY),--signing-key $(call q,$(SIGNING_KEY)))
# One line for what takes long; all that it said is in the log.
LOGS = var/log
STEP = .ci/step
TRAIN_IF_MISSING = $(STEP) training $(call q,$(basename $(notdir $(DATASET))) with $(basename $(notdir $(MODEL)))) \
	$(LOGS)/training.log $(TRAIN) $(INPUTS) --if-missing

##@ Use

.PHONY: serve
serve: environment  ## train if the store has no model for these inputs, then serve it
	tag="$$($(TRAIN_IF_MISSING))"; \
	export SCORER_MODEL="$$tag" SCORER_WORKERS=$(call q,$(WORKERS)) SCORER_GRPC_HOST=$(call q,$(HOST)) SCORER_GRPC_PORT=$(call q,$(GRPC_PORT)); \
	printf '%-12s %s\n' serving "$$tag with WORKERS=$$SCORER_WORKERS ..." >&2; \
	exec $(BIN)/bentoml serve service:CreditScorer --host $(call q,$(HOST)) --port $(call q,$(PORT))

# An engine but `local` has an environment of its own, which sees the packages of .venv.
CLUSTER = $(subst ',,$(filter 'ray' 'spark',$(call q,$(ENGINE))))
SCORE_BIN = $(if $(CLUSTER),.venv-$(CLUSTER)/bin,$(BIN))

.PHONY: score
score: environment $(addsuffix -environment,$(CLUSTER))  ## score TABLE= in batch into OUT=, a folder; ENGINE=ray or spark; EXPLAIN=1, ARCHIVE=1
	[ -n $(call q,$(TABLE)) ] || { echo "make score: give a table, such as TABLE=new.csv, 'TABLE=parts/*.parquet' or TABLE=s3://bucket/new" >&2; exit 1; }
	tag="$$($(TRAIN_IF_MISSING))"; \
	exec $(SCORE_BIN)/python -m batch score $(call q,$(TABLE)) --out $(call q,$(OUT)) --model "$$tag" \
	  --engine $(call q,$(or $(ENGINE),local)) --address $(call q,$(ADDRESS)) $(if $(EXPLAIN),--explain) $(if $(ARCHIVE),--archive)

.PHONY: train
train: environment  ## run the pipeline: data, checks, fit, export, evaluate, gate, publish; SIGNING_KEY= signs
	$(TRAIN) $(INPUTS)

.PHONY: evaluate
evaluate: environment comparison-environment  ## compare every model file and every opponent on 100 folds; TABLES= on several tables
	$(COMPARE) leaderboard $(INPUTS) --repeats $(call q,$(REPEATS)) --tables $(call q,$(TABLES))

.PHONY: study
study: public-tables generated-tables  ## compare MODEL with every opponent on all tables, from 1,000 rows to 1,000,000: hours
	$(COMPARE) leaderboard $(INPUTS) --repeats $(call q,$(REPEATS)) --plot docs/opponents.svg \
	  --tables $(call q,$(DATASET) configs/datasets/public/*.yaml var/tables/generated_*.yaml)

.PHONY: public-tables
public-tables: environment comparison-environment  ## write the tables of configs/datasets/public/, which a package holds, to var/tables
	.venv-comparison/bin/python benchmarks/public_tables.py

.PHONY: generated-tables
generated-tables: environment  ## generate credit tables of ROWS= rows, with their dataset files, in var/tables
	$(BIN)/python -m benchmarks.credit_tables --rows $(call q,$(ROWS))

.PHONY: tune
tune: environment  ## search for a better model file from MODEL, some minutes; goes on where it was stopped
	$(TRAIN) tune $(INPUTS) --trials $(call q,$(TRIALS))

.PHONY: stability
stability: environment  ## train the model with ten seeds for its card: figures, decisions and reasons that change, a minute
	$(TRAIN) stability $(INPUTS)

.PHONY: alternatives
alternatives: environment  ## search for models that cost as little and approve groups more alike, some minutes; a person chooses
	$(TRAIN) alternatives $(INPUTS)

# DVC refuses a second one beside it; here that waits. The lock is the shell's, whose end releases it.
.PHONY: repro
repro: environment  ## the same pipeline by DVC: only what has to be done again
	mkdir -p var; exec 9> var/.repro.lock; $(BIN)/python -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'; $(BIN)/dvc repro

.PHONY: model
model: environment
	$(TRAIN_IF_MISSING) > /dev/null

# The model of these inputs, trained if it is missing; another of the store with MODEL_TAG=, the champion with CHAMPION=1.
PACKING = $(BIN)/python -m deploy.packing
PACKED_MODEL = $(if $(MODEL_TAG),printf '%s\n' $(call q,$(MODEL_TAG)),$(if $(CHAMPION),$(TRAIN) tag --champion $(INPUTS),$(TRAIN_IF_MISSING)))

.PHONY: bento
bento: environment  ## build the bento of a model: the inputs', MODEL_TAG=name:version, or CHAMPION=1
	model="$$($(PACKED_MODEL))"; $(PACKING) bento "$$model"

# Docker or podman where one answers, else buildah; ENGINE= chooses, BASE= names another image to build from.
ENGINES = --engine $(call q,$(ENGINE))

.PHONY: image
image: environment  ## build the container image of that bento
	bento="$$($(MAKE) bento)"; \
	$(STEP) image "of $$bento" $(LOGS)/image.log $(PACKING) image "$$bento" $(ENGINES) --base $(call q,$(BASE))

.PHONY: image-run
image-run: environment  ## build that image if need be, and run it on HOST, PORT and GRPC_PORT
	image="$$($(MAKE) image)"; \
	exec $(PACKING) run "$$image" $(ENGINES) --host $(call q,$(HOST)) --port $(call q,$(PORT)) --grpc-port $(call q,$(GRPC_PORT)) \
	  --volume $(call q,$(VOLUME))

.PHONY: image-push
image-push: environment shipping-environment  ## push that image to REGISTRY=host/path, described; KEY= signs it
	[ -n $(call q,$(REGISTRY)) ] || { echo "make image-push: give host and path, such as REGISTRY=registry.example.com/credit" >&2; exit 1; }
	image="$$($(MAKE) image)"; \
	$(STEP) push "$$image to "$(call q,$(REGISTRY)) $(LOGS)/push.log \
	  $(PACKING) push "$$image" $(ENGINES) --registry $(call q,$(REGISTRY)) --key $(call q,$(KEY))

.PHONY: sbom
sbom: environment shipping-environment  ## list what is inside the bento and the image, as CycloneDX
	bento="$$($(MAKE) bento)"; image="$$($(MAKE) image)"; \
	$(PACKING) sbom "$$bento"; $(PACKING) sbom "$$image" $(ENGINES)

.PHONY: sign
sign: environment  ## sign the model with the private key KEY=
	model="$$($(PACKED_MODEL))"; $(PACKING) sign "$$model" --key $(call q,$(KEY))

.PHONY: verify
verify: environment  ## verify the model by the public key KEY=, or WHAT=, an archive or an image in a registry
	what=$(if $(WHAT),$(call q,$(WHAT)),"$$($(PACKED_MODEL))"); $(PACKING) verify "$$what" --key $(call q,$(KEY))

.PHONY: apply
apply:  ## bring an image to a Kubernetes cluster: OVERLAY=staging IMAGE=registry/credit-scorer:version; DRY_RUN=1 prints
	DRY_RUN=$(call q,$(DRY_RUN)) deploy/kubernetes/apply.sh $(call q,$(OVERLAY)) $(call q,$(IMAGE))

.PHONY: monitor
monitor: environment  ## write the report on the running or last-run service to var/monitor/index.html
	$(BIN)/python -m monitoring report

.PHONY: ui
ui: environment  ## browse the training runs in MLflow
	$(BIN)/mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///var/mlflow.db}"

.PHONY: bench
bench: model  ## measure the graph of the model
	$(BIN)/python -m benchmarks.graph "$$($(TRAIN) tag $(INPUTS))"

.PHONY: bench-batch
bench-batch: model  ## measure batch scoring: beside bare ONNX Runtime, ten million rows, two processes; QUICK=1 for a tenth
	$(BIN)/python -m benchmarks.batch "$$($(TRAIN) tag $(INPUTS))" $(if $(QUICK),--quick)

.PHONY: bench-serving
bench-serving: model references  ## measure the service beside other servers, some minutes; QUICK=1 for one short round
	$(BIN)/python -m benchmarks.serving "$$($(TRAIN) tag $(INPUTS))" $(if $(QUICK),--quick)

.PHONY: bench-monitoring
bench-monitoring: environment evidently-environment nannyml-environment  ## measure how well drift is found, beside others, from seeds, some minutes; QUICK=1 for a tenth of it
	$(BIN)/python -m benchmarks.monitoring $(if $(QUICK),--quick)
	$(BIN)/python -m benchmarks.performance $(if $(QUICK),--quick)
	$(BIN)/python -m benchmarks.drift_rivals $(if $(QUICK),--quick)

.PHONY: dashboards
dashboards: environment  ## draw the Grafana dashboards to var/dashboards, from what PROMETHEUS= has scraped in the last hour
	$(BIN)/python -m benchmarks.dashboards --prometheus $(call q,$(PROMETHEUS))

.PHONY: screenshots
screenshots: model  ## take the README's pictures of pages and dashboards: eight minutes; Chromium, Prometheus, HAProxy
	tag="$$($(TRAIN) tag $(INPUTS))"; \
	$(BIN)/python -m benchmarks.screenshots "$${BENTOML_HOME:-$$HOME/bentoml}/models/$${tag/://}"

.PHONY: load
load: environment load-environment  ## put load on the running service and judge it by its objectives; SHAPE=, USERS=, RUN_TIME=
	PYTHONPATH=. $(LOAD_BIN)/python -m loadtests --target $(call q,$(TARGET)) --grpc-target $(call q,$(GRPC_TARGET)) \
	  --grpc-port $(call q,$(GRPC_PORT)) --users $(call q,$(USERS)) --run-time $(call q,$(RUN_TIME)) --shape $(call q,$(SHAPE)) --slo $(call q,$(SLO)) \
	  --dataset $(call q,$(DATASET)) --key-file $(call q,$(KEY_FILE)) --processes $(call q,$(PROCESSES)) --remote $(call q,$(REMOTE_WORKERS)) \
	  --master-port $(call q,$(MASTER_PORT))

.PHONY: load-worker
load-worker: environment load-environment  ## join the load test of another machine: MASTER=its address
	PYTHONPATH=. $(LOAD_BIN)/python -m locust -f loadtests/locustfile.py --worker \
	  --master-host $(call q,$(MASTER)) --master-port $(call q,$(MASTER_PORT))

##@ Change

# One worker more than there are cores: tests wait for services, kills and timeouts during a quarter of their time.
PYTEST = $(BIN)/pytest --numprocesses $(shell expr $$(nproc) + 1) --dist loadfile --no-loadscope-reorder

# mypy takes one core for as long as half of the tests take two, when it has not looked before, so it runs beside them.
.PHONY: check
check: environment checks-environment  ## format, lint, types, and the quick tests: no trained model, no service, nothing slow
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	types=$$(mktemp); $(BIN)/mypy > $$types & mypy=$$!; code=0; \
	$(PYTEST) -m 'not model and not pipeline and not shipping and not engines and not slow' || code=$$?; \
	wait $$mypy || code=$$?; cat $$types; rm $$types; exit $$code

.PHONY: test
test: environment checks-environment shipping-environment comparison-environment  ## run the whole test suite, but what `make shipping-test` and `make engines-test` run
	$(PYTEST) -m 'not shipping and not engines'

.PHONY: shipping-test
shipping-test: environment shipping-environment load-environment  ## build, run and push the image, roll versions out, put load on: some 10 minutes, as root
	$(BIN)/pytest -m shipping tests/deploy tests/loadtests tests/torture/test_rollouts.py tests/service/test_power_cut.py

.PHONY: engines-test
engines-test: environment ray-environment spark-environment  ## score in batch on Ray and Spark, and kill what does: some 8 minutes, 700 MB, Java
	$(BIN)/pytest -m engines tests/batch/engines

.PHONY: torture
torture: model  ## faults at full length, training on emulated processors, a million requests for memory: some 40 minutes
	$(BIN)/pytest tests/torture --torture
	$(BIN)/python -m benchmarks.memory "$$($(TRAIN) tag $(INPUTS))" --requests 1000000

.PHONY: lint
lint: environment shipping-environment checks-environment  ## check format, lint, types, configs, workflows, Dockerfile, manifests and secrets
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/zizmor --offline --quiet --pedantic .github
	.venv-shipping/bin/hadolint deploy/packing/image/Dockerfile
	.ci/lint-workflows
	.ci/lint-manifests
	.ci/lint-secrets
	$(BIN)/python .ci/licences.py

.PHONY: audit
audit: environment checks-environment  ## look for known vulnerabilities in the pinned packages; asks a service of the network
	$(BIN)/python .ci/audit.py

.PHONY: licences
licences: environment  ## write the licence of every package that a bento carries to docs/licences.md
	$(BIN)/python .ci/licences.py --write docs/licences.md

.PHONY: workflows
workflows: environment  ## run the steps of every workflow in clean clones, some 40 minutes; WORKFLOW=ci for one
	$(BIN)/python .ci/workflow.py $(WORKFLOW)

.PHONY: format
format: environment  ## rewrite the code in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Kubernetes reads no file from outside of its own folder.
.PHONY: alerts
alerts:  ## copy the rules of monitoring/prometheus to deploy/kubernetes
	to=deploy/kubernetes/base/alerts.yaml; sed '/^  groups:/q' $$to > $$to.new; \
	for file in alerts recording; do sed '1,/^groups:/d; s/^./  &/' monitoring/prometheus/$$file.yaml >> $$to.new; done; \
	mv $$to.new $$to

##@ Environment

# The stamp is named after what the environment is made of, removed first and written last: a changed list or an
# interrupted installation finds no stamp and installs what is missing. Another Python starts from an empty .venv.
STAMP := .venv/installed-$(shell { $(PYTHON) -VV; cat requirements/{pip,all,torch-cpu,torch,cuda}.txt; } | cksum | tr ' ' -)
BENCH_STAMP := .venv-bench/installed-$(shell { $(PYTHON) -VV; cat requirements/{pip,benchmarks,mlserver}.txt; } | cksum | tr ' ' -)
# Nothing is resolved, and nothing is installed whose hash is not in a list.
PIP_INSTALL = $(BIN)/python -m pip --disable-pip-version-check install --no-input --no-compile --no-deps --require-hashes --only-binary :all:

# Published as source only: a version that DVC wants, and Spark, which is pure Python around its jars. They are built with
# the setuptools of the list: in an isolated environment pip would fetch the newest, whatever its hash.
SOURCE_ONLY := antlr4-python3-runtime,pyspark
BUILDS_WITH := setuptools

.PHONY: environment
environment: $(STAMP) serving/v2/inference.binpb  ## make .venv, if it is missing or out of date

# The messages of gRPC, compiled. Not Python: two of these in a process, ours and a client's, would be one too many.
serving/v2/inference.binpb: serving/v2/inference.proto | $(STAMP)
	$(BIN)/python -m grpc_tools.protoc --proto_path=. --descriptor_set_out=$@ $<

$(STAMP):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "credit-scorer needs Python 3.11 or newer, not $$($(PYTHON) -V 2>&1): make PYTHON=/path/to/python3.11"; exit 1; }
	$(STEP) environment 'making .venv' $(LOGS)/environment.log $(SHELL) -c '$(MAKE) install >&2'
	touch $@

# pip unpacks on one core and half of its work is CPU, so three of them share the lists: torch, a third of the bytes, and
# every other requirement of all.txt. Nothing is resolved, so they cannot disagree. When one fails the others are ended,
# so that what is said last is why. Two lists have torch, because pip would take the public build, for CUDA, from one that
# allows both; that build needs more, which a CPU build does without.
.PHONY: install
install:
	[ "$$($(BIN)/python -VV 2>/dev/null)" = "$$($(PYTHON) -VV)" ] || $(PYTHON) -m venv --clear .venv
	rm -f .venv/installed-*
	$(PIP_INSTALL) -r requirements/pip.txt
	awk '/^[a-z0-9]/ {wanted = /^$(BUILDS_WITH)==/} wanted' requirements/all.txt > .venv/build.txt
	$(PIP_INSTALL) -r .venv/build.txt
	trap 'kill $$(jobs -p) 2> /dev/null || true' EXIT; \
	for half in 0 1; do \
	  awk '/^[a-z0-9]/ {n++} n % 2 == half' half=$$half requirements/all.txt > .venv/half-$$half.txt; \
	  $(PIP_INSTALL) --no-binary $(SOURCE_ONLY) --no-build-isolation -r .venv/half-$$half.txt & \
	done; \
	{ $(PIP_INSTALL) -r requirements/torch-cpu.txt 2> .venv/torch.log || { cat .venv/torch.log >&2; \
	  grep -q 'No matching distribution' .venv/torch.log && $(PIP_INSTALL) -r requirements/torch.txt; }; } & \
	for job in 1 2 3; do wait -n; done
	if grep '^torch [^ ]* requires' <($(BIN)/python -m pip check) > /dev/null; then $(PIP_INSTALL) -r requirements/cuda.txt; fi
	$(BIN)/python -m pip check
	echo "$$(ls -d .venv/lib/python*/site-packages/*.dist-info | wc -l) packages"

# What `make bench-serving` compares with has two environments of its own, as MLServer and the others want other versions
# of the same packages. Made anew as a whole when a list changes: it takes seconds, and nothing else needs it.
.PHONY: references
references: $(BENCH_STAMP)

$(BENCH_STAMP):
	$(STEP) references 'making .venv-bench' $(LOGS)/references.log $(SHELL) -c '$(MAKE) install-references >&2'
	touch $@

.PHONY: install-references
install-references:
	for name in benchmarks mlserver; do $(MAKE) install-apart FOLDER=.venv-bench/$$name LIST=$$name; done

# What wants other versions of the same packages, or is imported by nobody, has an environment of its own: .venv-NAME of
# requirements/NAME.txt, made anew as a whole when the list changes. `load` has locust; `checks` looks at manifests,
# dependencies and secrets; `shipping` describes and checks a bento and an image; `comparison` has the opponents of
# `make evaluate` that are not scikit-learn's, and public tables; `evidently` and `nannyml` are what `make bench-monitoring`
# compares with. `ray` and `spark` run our code, so they join .venv: they hold only what it has not, and see the rest.
define environment_apart
stamp_$1 := .venv-$1/installed-$(shell { $(PYTHON) -VV; cat requirements/{pip,$(if $2,all$(comma))$1}.txt; } | cksum | tr ' ' -)

$$(stamp_$1): $(if $2,| $(STAMP))
	$$(STEP) environment 'making .venv-$1' $$(LOGS)/$1-environment.log \
	  $$(SHELL) -c '$$(MAKE) install-apart FOLDER=.venv-$1 LIST=$1 JOINS=$2 >&2'
	touch $$@

.PHONY: $1-environment
$1-environment: $$(stamp_$1)
endef
comma := ,
$(foreach name,load checks shipping comparison evidently nannyml,$(eval $(call environment_apart,$(name))))
$(foreach name,ray spark,$(eval $(call environment_apart,$(name),.venv)))

.PHONY: install-apart
install-apart:
	rm -rf $(FOLDER)
	$(PYTHON) -m venv $(if $(JOINS),--without-pip) $(FOLDER)
	$(if $(JOINS),$(JOINS)/bin/python -c 'import site; print(site.getsitepackages()[0])' > "$$(echo $(FOLDER)/lib/python*/site-packages)/joined.pth")
	for list in pip $(LIST); do \
	  $(FOLDER)/bin/python -m pip --disable-pip-version-check install --no-input --no-compile \
	    --no-deps --require-hashes --only-binary :all: --no-binary $(SOURCE_ONLY) --no-build-isolation -r requirements/$$list.txt; \
	done
	$(FOLDER)/bin/python -m pip check
	echo "$$(ls -d $(FOLDER)/lib/python*/site-packages/*.dist-info | wc -l) packages"

.PHONY: lock
lock: environment  ## pin requirements/*.txt anew from the *.in files; what still fits stays
	cd requirements; for list in serving all cuda benchmarks mlserver load checks shipping comparison evidently nannyml ray spark; do $(LOCK) $$list.in; done

# Torch is pinned in torch.txt and torch-cpu.txt, and the reason stands there. Locking takes the CPU build, so it needs an
# index that has it; what a CUDA build requires is locked in cuda.txt.
LOCK = CUSTOM_COMPILE_COMMAND='make lock' ../$(BIN)/pip-compile --quiet --generate-hashes --strip-extras \
	--no-allow-unsafe --unsafe-package pip --unsafe-package torch --no-emit-options --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

.PHONY: clean
clean:  ## remove every .venv and var: the environments, and every record of what was trained and served
	rm -rf .venv .venv-bench .venv-load .venv-checks .venv-shipping .venv-comparison .venv-evidently .venv-nannyml .venv-ray .venv-spark var

.PHONY: help
help:  ## list the targets
	awk -F ':.*##' '/^##@/ {print "\n" substr($$0, 5)} /^[a-z-]+:.*##/ {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	echo
	echo $(call q,Variables: DATASET=$(DATASET) MODEL=$(MODEL) HOST=$(HOST) PORT=$(PORT) GRPC_PORT=$(GRPC_PORT) WORKERS=$(WORKERS) TRIALS=$(TRIALS))
