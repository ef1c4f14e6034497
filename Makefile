# Everything that is done with this checkout. `make` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# Static binaries that say what they are; they hold no path of this machine.
GOBUILD = CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)"

.PHONY: help
help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

.PHONY: run
run: build ## start a server and three probes on this machine, with data that stays
	@infra/demo/run

.PHONY: build
build: ## build bin/ixpqos-probe and bin/ixpqos-server, static and with their version
	$(GOBUILD) -o bin/ixpqos-probe ./probe
	$(GOBUILD) -o bin/ixpqos-server ./functions/server

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
	rm -rf bin .run bench-ci.json
