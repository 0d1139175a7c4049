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
ARENAFLAGS ?=
STORIES ?=
CLIENTS ?=
KARPENTERS ?=
WORLDFLAGS ?=
N ?= 20000
DEVICES ?= 1000
MODULE ?= core
FROM ?= v1.14.1
TO ?= v1.15.0

##@ First steps

.PHONY: demo
demo: playground-binary ## Run two tutorials on a whole cluster with a simulated AWS, and tell what happens (about 3 minutes after the first build)
	@bin/playground demo

.PHONY: e2e
e2e: playground-binary ## Play every tutorial on a whole cluster with a simulated AWS (6 minutes; STORIES="gpus zonal" plays some)
	@bin/playground e2e $(STORIES)

.PHONY: world
world: playground-binary ## Play over forty stories of what people really run, and check pods, purchases and price at the end of each (WORLDFLAGS="kafka-zonal-volumes" plays one)
	@bin/playground world $(WORLDFLAGS)

.PHONY: test
test: playground-binary ## Run every test, most with the race detector, against real control planes (48 minutes on 2 cores, most of the build cache warm)
	@hack/test.sh $(TESTFLAGS)

.PHONY: playground
playground: playground-binary ## Start a whole cluster with a simulated AWS, pools and a workload, and leave it up
	@bin/playground up --with awssim,dovetail,metrics-server,sample --detach

.PHONY: quick
quick: ## Run every test that needs no control plane, without the race detector
	DOVETAIL_SKIP_CONTROL_PLANE=1 $(GO) test -short $(TESTFLAGS) ./...

##@ Building

.PHONY: build
build: ## Build the dovetail binary into bin/
	$(GO) build -o bin/dovetail ./cmd/dovetail

.PHONY: build-all
build-all: ## Build every package of every module
	@for module in $(MODULES); do echo "building module $$module"; (cd $$module && $(GO) build -o /dev/null ./...); done

.PHONY: playground-binary
playground-binary: ## Build bin/playground: etcd, Kubernetes, kwok, awssim and dovetail in one binary
	@hack/playground-binary.sh

.PHONY: generate
generate: ## Rewrite generated files: deep copies, CRDs, what the charts take from them, docs/reference, and the page of simulated calls
	@hack/generate.sh
	$(GO) run ./hack/reference
	$(GO) test ./internal/rights -run='^TestTheManifestOfShadowIsCurrent$$' -count=1 -args -rewrite
	$(GO) test ./awssim -run='^TestThePageOfCallsIsCurrent$$' -count=1 -args -rewrite-calls
	cd charts && $(GO) test . -run='^(TestWhatIsMadeFromTheValuesIsCurrent|TestCopiesInChartsAreCurrent)$$' -count=1 -args -rewrite

.PHONY: site
site: ## Build the documentation as a site with search into bin/site (Hugo, which takes some minutes to build the first time)
	@cd hack/site && $(GO) tool hugo build --noBuildLock --quiet --panicOnWarning --cleanDestinationDir --destination $(CURDIR)/bin/site

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

.PHONY: golangci
golangci: ## golangci-lint with the linters of .golangci.yml over every module (some minutes; its build takes two more the first time)
	@hack/golangci/lint.sh

.PHONY: regression
regression: playground-binary ## Play the regression suite on the kwok cloud and on the simulated AWS (15 minutes)
	DOVETAIL_ALL_CLOUDS=1 $(GO) test ./internal/integration -run 'TestRegression|TestImpatient|TestLive' -count=1 -timeout=40m $(TESTFLAGS)

.PHONY: crash
crash: playground-binary ## Kill the controller at every write of a scripted day, and print a table (20 minutes)
	$(GO) test ./internal/integration -run '^TestCrash$$' -count=1 -timeout=0 -v -args -crash

.PHONY: soak
soak: playground-binary ## Play a compressed day of a trace on a cluster, check what must hold all along, and report (SOAKFLAGS=-h lists flags)
	@bin/playground soak $(SOAKFLAGS)

.PHONY: arm64
arm64: ## Compare plans made on this processor with those made on an emulated arm64 one (a minute; needs qemu-user)
	hack/arm64.sh

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

.PHONY: bench-scale
bench-scale: ## What the controller needs under a stream of pod changes, up to 15,000 nodes, and what one arrival takes (3 minutes)
	$(GO) test -run='^$$' -bench='^Benchmark(Flood|Arrival)$$' -benchtime=1x ./internal/controller/provision | grep '^Benchmark'

.PHONY: bench-peer
bench-peer: ## Measure the planner beside Karpenter's on the same inputs, in one process (5 minutes; BENCHFLAGS=-h lists flags)
	cd bench && $(GO) run . $(BENCHFLAGS)

.PHONY: arena
arena: playground-binary ## Play the same workloads to Dovetail and to Karpenter, and write docs/arena.md (40 minutes; ARENAFLAGS=--short 6; needs the Go proxy)
	@hack/arena.sh $(ARENAFLAGS)

.PHONY: agreement
agreement: playground-binary ## Measure on whole clusters whether pods come to where they were planned, for each --placement (6 minutes; AGREEMENTFLAGS=-h lists flags)
	@bin/playground agreement $(AGREEMENTFLAGS)

.PHONY: scale
scale: playground-binary ## Scale four Deployments to 3,000 pods and down again on a whole cluster, and print time, price, evictions and CPU (11 minutes; SCALEFLAGS=-h lists flags)
	@bin/playground scale $(SCALEFLAGS)

.PHONY: oracle
oracle: ## Hold N placements (20,000 unless told, half a minute) of random plans against kube-scheduler's own filters, and DEVICES (1,000, as long) of pods that claim devices
	cd playground && $(GO) test ./oracle -count=1 -timeout=0 -v -args -strict -placements=$(N) -device-placements=$(DEVICES)

.PHONY: admission-oracle
admission-oracle: playground-binary ## Create N objects (20,000 unless told) on a real API server, and hold the pods that come of them against those of simulate
	cd playground && $(GO) test ./admitted -count=1 -timeout=0 -v -args -pods=$(N)
	$(GO) test ./internal/admissionoracle -count=1 -timeout=0 -v -args -objects=$(N)
	$(GO) test ./internal/volumeoracle -count=1 -timeout=0 -v -args -scenes=$$(($(N) / 50))

.PHONY: karpenter-oracle
karpenter-oracle: ## Plan random clusters with N pods in all (20,000 unless told) with Karpenter's scheduler too, and sort every difference
	cd bench && $(GO) test ./contest -count=1 -timeout=0 -v -args -strict -pods=$(N)

.PHONY: karpenter-types
karpenter-types: ## Hold every EC2 instance type's capacity, rest for pods, labels and launch against what Karpenter's AWS provider makes of it (a minute)
	cd bench/awspeer && $(GO) test . -count=1 -timeout=0 -v -args -every=1

.PHONY: upstream-specs
upstream-specs: playground-binary ## Run Karpenter's own specs of its API on our definitions (10 minutes the first time; needs the Go proxy)
	@hack/upstream-specs.sh

.PHONY: upstream-diff
upstream-diff: ## What differs between two versions of Karpenter for a user, as a Markdown table (MODULE=core or aws, FROM=v1.14.1 TO=v1.15.0)
	@cd hack/upstream && $(GO) run . -module $(MODULE) -from $(FROM) -to $(TO)

.PHONY: faults
faults: ## Fail every call to AWS in every way on the simulated AWS, and print what becomes of it (docs/faults.md keeps the table)
	@table=$$(mktemp) && FAULTS_TABLE=$$table $(GO) test -run=TestFaultMatrix -count=1 ./provider/aws >&2 && cat $$table && rm $$table

.PHONY: clients
clients: playground-binary ## Have AWS clients that nobody here wrote play a day each on the simulated AWS (CLIENTS="awscli1 moto" plays some; docs/clients.md)
	@hack/clients.sh $(CLIENTS)

.PHONY: takeover
takeover: playground-binary ## Have Karpenter's own controllers and Dovetail change places, stopped and killed (KARPENTERS="1.14.1" plays some; needs the Go proxy)
	@hack/takeover.sh $(KARPENTERS)

.PHONY: spot-week
spot-week: ## Live through a simulated week on the spot market, and print price, interruptions and unavailable seconds (some minutes)
	@cd playground && $(GO) run ./spotweek

.PHONY: release-check
release-check: ## Build image, charts and command line twice, compare and look at them, and upload nothing (RELEASEFLAGS="-one-platform" is shorter)
	@cd hack/release && $(GO) run . check $(RELEASEFLAGS)

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z_-]+:.*?##/ {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
