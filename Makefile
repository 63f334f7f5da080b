# The developer commands. `make help` lists them; meson does the work.

BUILD  ?= build
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc)
PYTHON ?= /usr/bin/python3
MESON  ?= meson

# torture
MINUTES ?= 10
SEED    ?=
ETCD    ?= 3.4
TLS     ?=
AUTH    ?=
NODES   ?= 3
PEER    ?=
OUT     ?=
# soak
PAGE    ?=
# swarm
SEEDS ?=
# demo, up, down
DOCKER ?=
# up, in containers: 1 for a Prometheus beside them, on port 9090 of this host
PROMETHEUS ?=
# bench
RUNS ?= 5
# page-test
PICTURES ?=
# fuzz: seconds for each target
SECONDS ?= 60

# exec env, where a test wants an environment: a SIGTERM that make passes on is to reach the test, not a shell.

.DEFAULT_GOAL := build
.PHONY: build help deps test test-auth static coverage sbom figures page-test demo bench torture soak swarm mutants model abi deb deb-test install up down fuzz asan clean

build: $(BUILD)/build.ninja  ## compile everything into build/
	@ninja --quiet -C $(BUILD) -j $(JOBS)

$(BUILD)/build.ninja:
	$(MESON) setup $(BUILD)

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps:  ## install the Debian packages that are missing (root or sudo)
	@tools/deps.sh build test demo

test:  ## everything: unit, simulator, sanitizers, clang, real etcd; last line is the count
	@tools/deps.sh build test
	@$(PYTHON) tests/run.py --build $(BUILD) --jobs $(JOBS)

static: build  ## cppcheck, clang-tidy and gcc -fanalyzer over everything that is installed; some minutes
	@tools/deps.sh build test
	@$(PYTHON) tests/static.py $(BUILD) --jobs $(JOBS)

coverage:  ## lines of each parser that the tests and the fuzzers' corpus reach, from build-cover; fails below 95 %
	@tools/deps.sh build test
	@$(PYTHON) tests/coverage.py build-cover --jobs $(JOBS)

sbom: build  ## what the programs are made of, as SPDX 2.3, into build/onced.spdx.json
	@tools/sbom.py $$($(MESON) introspect --projectinfo $(BUILD) | $(PYTHON) -c 'import json, sys; print(json.load(sys.stdin)["version"])') \
		$(BUILD)/daemon/onced $(BUILD)/tools/oncectl/oncectl $(BUILD)/tools/etcd-faker/etcd-faker \
		$(BUILD)/tools/etcd-reporter/etcd-reporter $(BUILD)/lib/libonce.so.1.0.0 >$(BUILD)/onced.spdx.json
	@echo $(BUILD)/onced.spdx.json

test-auth:  ## the tests over real etcd again, with passwords, the role of a node, and tokens of three seconds
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tests/run.py --build $(BUILD) --only auth_all

figures:  ## the long proofs with their figures: 20 cron jobs under faults, 100,000 ids; four minutes
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@exec env ONCED_CRON_JOBS=20 ONCED_CRON_SECONDS=120 IDS_TOTAL=100000 PYTHONDONTWRITEBYTECODE=1 \
		ONCED_BIN=$(BUILD)/daemon/onced ONCECTL_BIN=$(BUILD)/tools/oncectl/oncectl \
		$(PYTHON) -m pytest -q -p no:cacheprovider tests/integration/test_cron.py \
		tests/integration/test_records.py -k "leaders_die or no_number_twice"

page-test:  ## the status page in headless Chromium (installs it, 300 MB); PICTURES=DIR keeps screenshots
	@tools/deps.sh build test page
	@$(MAKE) --no-print-directory build
	@exec env ONCED_PICTURES=$(if $(PICTURES),$(abspath $(PICTURES))) $(PYTHON) tests/run.py --build $(BUILD) --only page

demo:  ## three nodes, four faults, one table, in about a minute; KEEP=1 leaves it up, DOCKER=1 in containers
ifeq ($(DOCKER),1)
	@compose/prepare
	@$(PYTHON) tools/demo/demo.py --docker $(if $(KEEP),--keep)
else
	@tools/deps.sh build demo
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tools/demo/demo.py --onced $(BUILD)/daemon/onced \
		--lifejob $(BUILD)/tests/integration/lifejob $(if $(KEEP),--keep)
endif

bench:  ## measure and write docs/benchmarks.md; PART=failover|writers|rtt|bulk|million, RUNS=5, CHECK=1 compares with the aims
	@tools/deps.sh build demo bench
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tests/bench/bench.py --onced $(BUILD)/daemon/onced --runs $(RUNS) $(if $(CHECK),--check) $(addprefix --part ,$(PART))

torture:  ## real daemons, real etcd, random faults, a judge; MINUTES=10 SEED=... ETCD=3.4|3.5|mixed TLS=yes|no AUTH=yes NODES=3
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tests/torture/torture.py --build $(BUILD) --minutes $(MINUTES) --etcd $(ETCD) \
		--nodes $(NODES) $(if $(SEED),--seed $(SEED)) $(if $(OUT),--out $(OUT)) \
		$(if $(TLS),--tls $(TLS)) $(if $(AUTH),--auth $(AUTH)) $(if $(PEER),--peer $(PEER))

soak: MINUTES := 60
soak:  ## a thousand groups whose leaders change every 15 s: is all that a daemon needs flat? MINUTES=60 OUT=directory PAGE=docs/soak.md
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tests/soak/soak.py --build $(BUILD) --minutes $(MINUTES) $(if $(OUT),--out $(OUT)) \
		$(if $(PAGE),--write $(PAGE))

swarm: build  ## random schedules in the simulator, on all processors; SEEDS=100000 SEED=0 OUT=file.json
	@$(PYTHON) tests/sim/swarm.py $(BUILD) --jobs $(JOBS) --seeds $(or $(SEEDS),100000) \
		--first $(or $(SEED),0) $(if $(OUT),--out $(OUT))

mutants: build  ## break each rule of the election; the simulator must catch all; SEEDS=20000 OUT=file.json
	@$(PYTHON) tests/sim/mutants.py $(BUILD) --seeds $(or $(SEEDS),20000) $(if $(OUT),--out $(OUT))

model:  ## search every state of the protocol's model, two minutes; and break each of its rules
	@tools/deps.sh build test
	@tests/model/check.sh

abi:  ## store libonce's binary interface in tests/abi, after a change of it that is wanted
	@tools/deps.sh build test
	@$(MAKE) --no-print-directory build
	@$(PYTHON) tests/abi/abi.py write $(BUILD)/lib/libonce.so.1 lib/include/once tests/abi/libonce.abi

deb:  ## Debian packages in build/deb
	@tools/deps.sh build deb
	@tools/deb.sh $(BUILD)/deb

deb-test: deb  ## lintian, a second build that must be the same, install, upgrade and purge in a box
	@tools/deps.sh test
	@exec env ONCED_DEBS=$(BUILD)/deb PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m pytest -q -p no:cacheprovider -rs tests/deb

install: $(BUILD)/build.ninja  ## install; PREFIX=/usr/local DESTDIR=
	@$(MESON) configure $(BUILD) -Dprefix=$(PREFIX)
	@ninja --quiet -C $(BUILD) -j $(JOBS)
	DESTDIR="$(DESTDIR)" $(MESON) install -C $(BUILD) --no-rebuild

# Containers where a Docker engine answers, else processes; DOCKER=1 or DOCKER=0 decides.
up:  ## three etcd members with TLS and passwords and three onced in containers; PROMETHEUS=1 beside them; without Docker (DOCKER=0) the etcd alone
	@if compose/prepare '$(DOCKER)'; then PROMETHEUS='$(PROMETHEUS)' compose/compose up -d --build; \
	elif [ '$(DOCKER)' != 1 ]; then tools/deps.sh demo && $(PYTHON) tools/demo/local.py up; \
	else exit 1; fi

down:  ## end that and forget its data
	@if [ '$(DOCKER)' != 0 ] && docker info >/dev/null 2>&1; then compose/compose down -v -t 3 --remove-orphans; fi
	@$(PYTHON) tools/demo/local.py down

fuzz:  ## run every fuzz target for SECONDS=60
	@tools/deps.sh build test
	@tests/fuzz/run.sh $(SECONDS)

asan:  ## the meson tests under ASan and UBSan
	@$(PYTHON) tests/run.py --only asan --jobs $(JOBS)

clean:  ## remove the build directories
	rm -rf $(BUILD) build-asan build-gcc build-clang build-cover build-fuzz
