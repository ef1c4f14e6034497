# Everything that is done with this checkout. `make` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# Static binaries that say what they are; they hold no path of this machine.
GOBUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)"

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: run
run: build ## start a server and three probes on this machine, with data that stays
	@infra/demo/run

.PHONY: build
build: ## build bin/ixpqos-probe, -server, -ingest and -query, static and with their version
	$(GOBUILD) -o bin/ixpqos-probe ./probe
	$(GOBUILD) -o bin/ixpqos-server ./functions/server
	$(GOBUILD) -o bin/ixpqos-ingest ./functions/ingest
	$(GOBUILD) -o bin/ixpqos-query ./functions/query

# `sam build` makes these, once each, with ARTIFACTS_DIR set. It does not tell
# for which processor: ARCH is to be what the template's Architecture is.
# What lies beside a bootstrap is what the function goes by: INVENTORY is YAML or
# a first version's probes.json, KEYS is a file of further keys, or none.
ARCH ?= arm64
INVENTORY ?= infra/demo/inventory.yaml
KEYS ?=
GOARCH_OF_arm64 = arm64
GOARCH_OF_x86_64 = amd64

.PHONY: build-IngestFunction build-QueryFunction
build-IngestFunction: FUNCTION = ingest
build-QueryFunction: FUNCTION = query
build-IngestFunction build-QueryFunction:
	GOOS=linux GOARCH=$(or $(GOARCH_OF_$(ARCH)),$(error ARCH is $(ARCH): it is arm64 or x86_64)) \
		$(GOBUILD) -tags lambda.norpc -o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(FUNCTION)
	infra/sam/pack "$(ARTIFACTS_DIR)" "$(INVENTORY)" "$(KEYS)"

.PHONY: lab
lab: build ## an exchange in network namespaces, with a server and probes, as root until Ctrl-C
	@$(GOBUILD) -o bin/ixpqos-lab ./infra/lab/cmd
	@bin/ixpqos-lab run

# An option of `ixpqos-lab fault` for each variable that is set.
FAULT = $(if $(LINK),--link='$(LINK)') $(if $(MEMBER),--member='$(MEMBER)') $(if $(DIRECTION),--direction='$(DIRECTION)') \
	$(if $(LOSS),--loss='$(LOSS)') $(if $(DELAY),--delay='$(DELAY)') $(if $(DSCP),--dscp='$(DSCP)') \
	$(if $(REORDER),--reorder='$(REORDER)') $(if $(DUPLICATE),--duplicate='$(DUPLICATE)') \
	$(if $(filter-out 0,$(DEAD)),--dead) $(if $(filter-out 0,$(HEAL)),--heal) $(if $(filter-out 0,$(SHOW)),--show)

.PHONY: lab-fault
lab-fault: ## break the lab that runs: LINK=sw1-sw2 MEMBER=3 DIRECTION=forward LOSS=5; HEAL=1; SHOW=1
	@$(GOBUILD) -o bin/ixpqos-lab ./infra/lab/cmd
	@bin/ixpqos-lab fault $(FAULT)

.PHONY: sam
sam: build ## run the functions under a real `sam local`, with three probes and an InfluxDB
	@infra/sam/run

.PHONY: check
check: lint ## the quick part of the tests, without root, in under a minute
	@infra/ci/test -short

.PHONY: test
test: lint ## every test that this machine allows, and what was left out
	@infra/ci/test

.PHONY: lint
lint: ## gofmt, go vet, staticcheck and the syntax of scripts
	@infra/ci/lint

.PHONY: bench
bench: ## measure what README promises; SHORT=1 takes fewer samples
	go run ./infra/bench $(if $(SHORT),-short)

.PHONY: clean
clean: ## remove what was built and the data of make run
	rm -rf bin .run .aws-sam bench-ci.json
