# Fleetmark. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

INSTALLED := node_modules/.package-lock.json

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'

$(INSTALLED): package.json package-lock.json */package.json deploy/*/package.json
	@echo "installing the npm packages; that takes a minute" >&2
	npm ci --no-progress
	@touch $@

.PHONY: install
install: $(INSTALLED) ## Install the npm packages

.PHONY: build
build: $(INSTALLED) ## Build everything; then `npx fleetmark …` runs from here
	@test -e cli/dist/main.js || echo "building; that takes half a minute" >&2
	@npx --no-install tsc --build
	@node bench/native/build-assembly.mjs

.PHONY: start
start: build ## Run the collector and an agent on this machine (fleetmark up)
	@exec node cli/bin/fleetmark.js up $(ARGS)

.PHONY: lint
lint: $(INSTALLED) ## Check style and format
	@npx --no-install biome check --error-on-warnings .

.PHONY: format
format: $(INSTALLED) ## Mend style and format
	@npx --no-install biome check --write .

.PHONY: types
types: build ## Check the types of everything, tests included
	@npx --no-install tsc --project test/tsconfig.json

.PHONY: proto
proto: $(INSTALLED) ## Generate code from proto/
	@npx --no-install buf lint
	@npx --no-install buf generate

.PHONY: proto-check
proto-check: $(INSTALLED) ## Check proto/ by lint, and that the generated code is up to date
	@npx --no-install buf lint
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; \
	npx --no-install buf generate --output "$$fresh"; \
	diff --recursive --unified shared/src/gen "$$fresh/shared/src/gen" || { echo "shared/src/gen is not what proto/ generates: run make proto" >&2; exit 1; }

.PHONY: proto-breaking
proto-breaking: $(INSTALLED) ## Check that proto/ breaks no peer built from AGAINST (default: the commit before)
	@npx --no-install buf breaking --against '.git#ref=$(or $(AGAINST),HEAD~1)'

.PHONY: openapi
openapi: build ## Write docs/openapi.json from the HTTP API
	@node test/run.mjs test/tools/write-openapi.ts

.PHONY: log-events
log-events: build ## Write docs/log-events.md from the code
	@node test/run.mjs test/tools/write-log-events.ts

.PHONY: learning
learning: build ## Train each algorithm on mixed data of an environment, and play (ARGS="--env ChemicalReactor-v0 --updates 4000 --hidden 256 --runtime tfjs-node"; three minutes)
	@node test/dist/learning/check-learning.js $(ARGS)

.PHONY: episodes
episodes: build ## Draw an episode of each environment into docs/images
	@node test/run.mjs test/episodes/write-episodes.ts

.PHONY: grafana
grafana: build ## Write what Grafana is provisioned with, from deploy/grafana/src
	@node deploy/grafana/dist/generate.js

.PHONY: grafana-fresh
grafana-fresh: build ## Check that what Grafana is provisioned with is up to date
	@node deploy/grafana/dist/generate.js --check

.PHONY: grafana-check
grafana-check: build servers ## Run every dashboard query and alert rule on a real run and a simulated fleet (HOSTS=50 DAYS=7; eight minutes), or in your Grafana (URL=… TOKEN=…)
	@node test/run.mjs test/grafana/check.ts

.PHONY: grafana-preview
grafana-preview: build servers ## Draw every dashboard as a page in grafana-preview/, without Grafana (URL=http://… of an InfluxDB)
	@node test/run.mjs test/grafana/preview.ts

# Servers that tests start, from Debian's packages: what this machine lacks is unpacked here, and nothing is installed on it.
SERVER_PACKAGES := influxdb:influxd nats-server:nats-server victoria-metrics:victoria-metrics \
  prometheus-alertmanager:prometheus-alertmanager chromium-common:usr/lib/chromium/libvk_swiftshader.so hyperfine:hyperfine

.PHONY: servers
servers: ## Unpack the servers that tests start and this machine lacks
	@test/testbed/fetch-servers.sh .servers $(SERVER_PACKAGES)

.PHONY: python
python: ## Install the Python packages that tests use and this machine lacks, into .python
	@test/testbed/fetch-python.sh .python test/testbed/python-requirements.txt

.PHONY: tfjs-node tfjs-node-gpu
tfjs-node tfjs-node-gpu: ## Build TensorFlow.js on the native library out of npm and PyPI, into .runtimes (a minute)
	@bench/native/build-tfjs-node.sh .runtimes $@

# What tests use of these; where it can't be had they are skipped.
.PHONY: runtimes
runtimes:
	@$(MAKE) --no-print-directory tfjs-node || echo "no tfjs-node here: tests that need it are skipped" >&2
	@$(MAKE) --no-print-directory webgpu || echo "no WebGPU here: tests that need it are skipped" >&2

.PHONY: webgpu
webgpu: ## Install Dawn's binding of WebGPU into .runtimes (a quarter of a minute)
	@test -e .runtimes/node_modules/webgpu/index.js || npm install --prefix .runtimes --no-audit --no-fund --loglevel=error --save-exact webgpu@0.6.2

.PHONY: test
test: lint types proto-check grafana-fresh servers python runtimes ## Run every check and test
	@npx --no-install vitest run

.PHONY: unit
unit: build ## Run the unit tests alone (a minute)
	@npx --no-install vitest run --project unit

.PHONY: structure
structure: $(INSTALLED) ## Print the figures of the structure, package by package
	@node test/run.mjs test/architecture/report.ts

.PHONY: drill-alerts
drill-alerts: build ## Kill the collector around every message of an alert, and count what arrives (KILLS=40; four minutes)
	@KILLS=$(or $(KILLS),40) npx --no-install vitest run --project system test/fault/kill-telling.test.ts

.PHONY: fault
fault: build servers ## Let things fail under load and judge what is stored (FAULTS=100 SEED=… TOPOLOGIES=…; half an hour)
	@node test/dist/fault/main.js --faults $(or $(FAULTS),100) $(if $(SEED),--seed $(SEED)) $(if $(TOPOLOGIES),--topologies $(TOPOLOGIES))

.PHONY: fuzz
fuzz: build servers ## Send damaged frames to a collector beside healthy agents (FRAMES=1000000 SEED=…; ten minutes)
	@node test/dist/fuzz/main.js --frames $(or $(FRAMES),1000000) $(if $(SEED),--seed $(SEED))

.PHONY: bench-false-calls
bench-false-calls: build ## Measure how often equal builds are called different (PAIRS=20; half an hour)
	@node test/dist/engine/false-calls.js $(PAIRS)

.PHONY: bench-found-slowdowns
bench-found-slowdowns: build ## Measure how often a slowdown of 5 % is found (PAIRS=20; a quarter of an hour)
	@node test/dist/engine/found-slowdowns.js $(PAIRS)

.PHONY: bench-inference
bench-inference: build ## Measure what intervals and verdicts are worth, on runs whose truth is known (three minutes; ends with one JSON line)
	@node test/dist/engine/inference.js

.PHONY: bench-detect
bench-detect: build ## Measure how well changes of series are found, beside seven other ways (four minutes; ends with one JSON line)
	@node test/dist/detection/bench.js $(SERIES)

.PHONY: bench-slow-hosts
bench-slow-hosts: build ## Measure how well slow hosts are found among their peers, by simulation (six minutes; ends with one JSON line)
	@node test/run.mjs test/detection/slow-hosts.ts

.PHONY: bench-verdicts
bench-verdicts: build ## Measure how often verdicts are wrong, on days whose truth is known (three minutes; ends with one JSON line)
	@node test/run.mjs test/detection/verdicts.ts

.PHONY: bench-engine
bench-engine: build ## Measure what the measuring engine itself costs
	@node test/dist/engine/engine-cost.js

.PHONY: influx-check
influx-check: build servers ## Run all that a store must do on an InfluxDB of your own (URL=http://… TOKEN=… ORG=… HOSTS=20 HOURS=3); ends with one JSON line
	@$(if $(URL),INFLUX_URL=$(URL)) $(if $(TOKEN),INFLUX_TOKEN=$(TOKEN)) $(if $(ORG),INFLUX_ORG=$(ORG)) node test/run.mjs test/store/influx-check.ts

.PHONY: bench-store
bench-store: build servers ## Measure writing and asking, on InfluxDB and on DuckDB (ARGS="--json --hosts 50 --days 7"; ten minutes)
	@node test/run.mjs test/store/bench.ts $(ARGS)

.PHONY: bench-ingest
bench-ingest: build servers ## Measure ingest over both links into both stores, beside vmagent and the InfluxDB client (ARGS="--json"; a quarter of an hour)
	@node test/dist/load/bench-ingest.js $(ARGS)

.PHONY: drill-commands
drill-commands: build servers ## Start a suite on simulated hosts over each link while collectors and hosts are killed (HOSTS=1000; five minutes)
	@node test/dist/control/main.js --hosts $(or $(HOSTS),1000) $(ARGS)

.PHONY: bench-neighbour
bench-neighbour: build ## Measure how long a run takes to give way, and what it costs a neighbour on another core (six minutes on a quiet machine)
	@node test/dist/control/bench-neighbour.js $(ARGS)

.PHONY: soak
soak: build ## Watch the memory of agent and collector under load (MINUTES=30)
	@node test/dist/load/soak.js --minutes $(or $(MINUTES),30)

.PHONY: bench-agent
bench-agent: build ## Measure the memory and CPU of an agent at rest (SECONDS=60, ARGS=--json)
	@node test/run.mjs test/load/bench-agent.ts $(SECONDS) $(ARGS)

.PHONY: gpu-bundle
gpu-bundle: build ## Pack the GPU check into gpu-check/, for a host without network, npm or Node.js (a minute and a half)
	@test/gpu/bundle.sh gpu-check/fleetmark-gpu-check
	@tar cf - -C gpu-check fleetmark-gpu-check | xz -T0 > gpu-check/fleetmark-gpu-check-linux-x64.tar.xz
	@ls -l gpu-check/fleetmark-gpu-check-linux-x64.tar.xz

.PHONY: gpu-check
gpu-check: build ## See what Fleetmark sees and measures of this host's GPUs (SECONDS=300 for the suite; under eight minutes; ends with one JSON line)
	@node test/dist/gpu/check.js --output gpu-check/report --seconds $(or $(SECONDS),300)

.PHONY: schema
schema: build ## Write docs/result-file.schema.json from the code
	@node cli/bin/fleetmark.js bench --schema > docs/result-file.schema.json
	@npx --no-install biome format --write docs/result-file.schema.json

.PHONY: pack
pack: ## Write the npm packages as tarballs into tarballs/; `npm install tarballs/*.tgz` installs them elsewhere
	@rm -rf */dist tarballs *.tsbuildinfo */*.tsbuildinfo && mkdir tarballs
	@$(MAKE) --no-print-directory build
	@npm pack --silent --pack-destination tarballs $(foreach each,shared bench agent collector cli,--workspace $(each))

.PHONY: clean
clean: ## Remove what was built
	@rm -rf */dist deploy/*/dist
