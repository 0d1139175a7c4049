# Dovetail: `make` alone lists the targets. All of them need only Go, make and git.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO ?= go
TOOL := $(GO) tool -modfile=$(CURDIR)/tools/go.mod
# Modules of this repository, the root first.
MODULES := $(patsubst %/,%,$(dir $(shell git ls-files --cached --others --exclude-standard 'go.mod' '*/go.mod')))
TESTFLAGS ?=
BENCHFLAGS ?=
SOAKFLAGS ?=
AGREEMENTFLAGS ?=
SCALEFLAGS ?=
STORIES ?=
N ?= 20000

##@ First steps

.PHONY: demo
demo: playground-binary ## Run two tutorials on a whole cluster with a simulated AWS, and tell what happens (about 3 minutes after the first build)
	@bin/playground demo

.PHONY: e2e
e2e: playground-binary ## Play every tutorial on a whole cluster with a simulated AWS (6 minutes; STORIES="gpus zonal" plays some)
	@bin/playground e2e $(STORIES)

.PHONY: test
test: playground-binary ## Run every test, with the race detector, against a real control plane (15 minutes or less with a warm build cache)
	@hack/test.sh $(TESTFLAGS)

.PHONY: playground
playground: playground-binary ## Start a whole cluster with a simulated AWS and leave it up
	@bin/playground up --with awssim,dovetail --detach

##@ Building

.PHONY: build
build: ## Build the dovetail binary into bin/
	$(GO) build -o bin/dovetail ./cmd/dovetail

.PHONY: build-all
build-all: ## Build every package of every module
	@for module in $(MODULES); do echo "building module $$module"; (cd $$module && $(GO) build ./...); done

.PHONY: playground-binary
playground-binary: ## Build bin/playground: etcd, Kubernetes, kwok, awssim and dovetail in one binary
	@hack/playground-binary.sh

.PHONY: generate
generate: ## Rewrite generated files: deep copies and CRDs
	@hack/generate.sh

.PHONY: catalog
catalog: ## Rewrite the EC2 catalogue from its sources
	cd hack/catalog && $(GO) run . -out ../../catalog

##@ Checking

.PHONY: verify
verify: lint ## Check without changing anything: generated files are current, modules are tidy, code is formatted and lints
	@hack/verify.sh

.PHONY: lint
lint: ## gofmt, go vet and staticcheck
	@hack/lint.sh

.PHONY: regression
regression: playground-binary ## Play the regression suite on the kwok cloud and on the simulated AWS (15 minutes)
	DOVETAIL_ALL_CLOUDS=1 $(GO) test ./internal/integration -run 'TestRegression|TestImpatient' -count=1 -timeout=40m $(TESTFLAGS)

.PHONY: crash
crash: playground-binary ## Kill the controller at every write of a scripted day, and print a table (20 minutes)
	$(GO) test ./internal/integration -run '^TestCrash$$' -count=1 -timeout=0 -v -args -crash

.PHONY: soak
soak: playground-binary ## Play a compressed day of a trace on a cluster, check what must hold all along, and report (SOAKFLAGS=-h lists flags)
	@bin/playground soak $(SOAKFLAGS)

.PHONY: bench
bench: ## Run the planner's own benchmarks
	$(GO) test -run='^$$' -bench=. -benchmem ./engine/...

.PHONY: bench-growth
bench-growth: ## How planning grows with pods and existing nodes (a minute)
	$(GO) test -run='^$$' -bench='Growth' -benchtime=5x ./engine | grep -v '^goos\|^goarch\|^pkg'
	$(GO) test -run='^$$' -bench='Cut' -benchtime=200x ./internal/mirror | grep -v '^goos\|^goarch\|^pkg'

.PHONY: bench-refit
bench-refit: ## Measure refits: a pass over every node of large fleets, and what a thinned-out trace costs after it (10 minutes)
	$(GO) test -run='^$$' -bench='^BenchmarkRefit' -benchtime=1x -timeout=30m ./engine

.PHONY: bench-memory
bench-memory: ## What the controller's caches take of memory on large clusters (2 minutes)
	@for size in nodes=1000/pods=10000 nodes=15000/pods=100000; do for kept in slim whole; do \
		$(GO) test -run='^$$' -bench="Memory/$$size/$$kept$$" -benchtime=1x ./internal/mirror | grep '^Benchmark'; \
	done; done

.PHONY: bench-peer
bench-peer: ## Measure the planner beside Karpenter's on the same inputs, in one process (5 minutes; BENCHFLAGS=-h lists flags)
	cd bench && $(GO) run . $(BENCHFLAGS)

.PHONY: agreement
agreement: playground-binary ## Measure on whole clusters whether kube-scheduler puts pods where they were planned (2 minutes; AGREEMENTFLAGS=-h lists flags)
	@bin/playground agreement $(AGREEMENTFLAGS)

.PHONY: scale
scale: playground-binary ## Scale four Deployments to 3,000 pods and down again on a whole cluster, and print time, price, evictions and CPU (11 minutes; SCALEFLAGS=-h lists flags)
	@bin/playground scale $(SCALEFLAGS)

.PHONY: oracle
oracle: ## Hold N placements (20,000 unless told, half a minute) of random plans against kube-scheduler's own filters
	cd playground && $(GO) test ./oracle -count=1 -timeout=0 -v -args -strict -placements=$(N)

.PHONY: faults
faults: ## Fail every call to AWS in every way on the simulated AWS, and print what becomes of it (docs/faults.md keeps the table)
	@table=$$(mktemp) && FAULTS_TABLE=$$table $(GO) test -run=TestFaultMatrix -count=1 ./provider/aws >&2 && cat $$table && rm $$table

.PHONY: spot-week
spot-week: ## Live through a simulated week on the spot market, and print price, interruptions and unavailable seconds (some minutes)
	@cd playground && $(GO) run ./spotweek

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z_-]+:.*?##/ {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
