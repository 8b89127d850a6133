# make test is all the set-up a fresh clone needs; it takes what it needs
# through the Go module proxy, and gcc through apt-get where it may.

export GOTOOLCHAIN := local
export GOFLAGS     := -buildvcs=false

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
COMMIT      := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS     := -s -w -X main.commit=$(COMMIT)

# The race detector is the one thing that needs a C compiler.
HAVE_GCC = command -v gcc >/dev/null 2>&1

.PHONY: bench-import bench-pool bench-stages bench-flush bench-start sim test-permissions test-memory help build test lint gcc test-unit test-crash fuzz bench bench-chain clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

build: ## build both programs, static, into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/charterd ./cmd/charter

test: lint gcc ## everything that must be green: format, vet, linter, all tests with the race detector
	@if $(HAVE_GCC); then $(MAKE) --no-print-directory test-unit RACE=-race; \
	else echo 'no C compiler: the tests run WITHOUT the race detector'; $(MAKE) --no-print-directory test-unit RACE=; fi

lint: ## gofmt, go vet and staticcheck
	@files=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$files" ]; then echo "not formatted, run gofmt -w:"; echo "$$files"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...

gcc:
	@$(HAVE_GCC) || { command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ] && \
	  { apt-get update -qq && apt-get install -y -qq gcc libc6-dev; } >/dev/null 2>&1; } || true

test-unit:
	CGO_ENABLED=$(if $(RACE),1,0) go test $(RACE) -timeout 20m ./...

CRASHES ?= 200
FLIPS   ?= 150
test-crash: ## kill nodes CRASHES times under load, fail each write in every way, damage each kind of file FLIPS times (default 200, 150)
	CHARTER_CRASHES=$(CRASHES) go test -count=1 -timeout 60m -v -run '^TestCrash$$' ./node/nodetest
	CHARTER_FAULTS=all go test -count=1 -timeout 60m -v -run '^TestFaultScript$$' ./chain
	CHARTER_FLIPS=$(FLIPS) go test -count=1 -timeout 60m -v -run '^TestCorruption$$' ./chain

SEEDS ?= 200
sim: ## members that mine, come and go, in virtual time: SEEDS worlds (default 200) of 2,000 blocks, and every set of 2 to 9 members
	CHARTER_SIM=$(SEEDS) go test -count=1 -timeout 60m -v -run '^TestSim' ./node/miner

SEQUENCES ?= 10000
test-permissions: ## SEQUENCES random sequences of records (default 10000), judged by the state machine and by a model of it
	CHARTER_SEQUENCES=$(SEQUENCES) go test -count=1 -timeout 60m -v -run '^TestModel$$' ./chain/permission/model

# The fuzzer of Go ends now and then with "context deadline exceeded" where its
# time is over and nothing was found: then it runs once more.
FUZZTIME ?= 30s
fuzz: ## run every fuzz target for FUZZTIME (default 30s)
	@set -e; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do echo "== $$pkg $$f"; \
	    run() { go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg >"$$log" 2>&1; }; \
	    run || { grep -q '^    context deadline exceeded$$' "$$log" && ! grep -q 'Failing input' "$$log" && run; } || { cat "$$log"; exit 1; }; \
	    tail -1 "$$log"; done; done

TIMES ?= 1
fuzz-field: ## signature arithmetic against btcec and gnark-crypto: TIMES (default 1) times 10^8 field, 10^7 group operations, 10^5 scalar multiplications
	CHARTER_FUZZ_FIELD=$(TIMES) go test -count=1 -timeout 60m -v -run '^TestLongDifferential$$' ./chain/sigcheck/curve

test-memory: ## a chain of two million transactions under --dbcache 100 stays below 300 MiB
	CHARTER_LONG=1 go test -v -count=1 -timeout 30m -run '^TestMemory$$' ./node/nodetest

bench: ## benchmarks of block connect, signatures, pool and templates
	go test -run '^$$' -bench '^Benchmark[^F]' -benchtime 2s ./chain ./chain/sigcheck/... ./chain/utxo ./mempool

# What charterd bench measures; BENCH adds flags, as in
# make bench-import BENCH='--blocks 6 --rounds 1'.
BENCH ?=
CHARTERD_BENCH = CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/charterd && bin/charterd bench

bench-import: ## import of full blocks of each kind: transactions a second and in U, memory
	@$(CHARTERD_BENCH) import --kind p2tr,p2tr2,p2wpkh,mixed $(BENCH)
	@bin/charterd bench import --kind p2wpkh,mixed --hints $(BENCH)

bench-pool: ## the pool: payments by Go and by JSON-RPC, blocks of known payments, templates
	@$(CHARTERD_BENCH) accept rpc connect template $(BENCH)

bench-stages: ## where the time of one transaction goes, and signatures alone
	@$(CHARTERD_BENCH) sigs stages --kind p2tr,p2tr2,p2wpkh,mixed $(BENCH)
	@bin/charterd bench stages --kind p2wpkh,mixed --hints $(BENCH)

bench-flush: ## a million coins on their way to disk
	@$(CHARTERD_BENCH) flush $(BENCH)

bench-start: ## a chain of 2,000,000 transactions: import, start after a kill and after a clean stop; --dbcache 100 and 450
	@$(CHARTERD_BENCH) startup --rounds 1 $(BENCH)
	@bin/charterd bench startup --rounds 1 --dbcache 450 $(BENCH)

bench-chain: ## blocks by Go's benchmarks: disconnection, backup, bytes on disk of an index row
	go test -run '^$$' -bench '^BenchmarkFull' -benchtime 3x -timeout 30m ./chain

clean: ## remove what build made
	rm -rf bin
