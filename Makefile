# Everything needs nothing but Node >= 20 with npm, Go >= 1.26 and make: each target installs what it needs. The Node.js that runs
# our code comes from npm (dev/node), whatever the machine has.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := $(CURDIR)/node_modules/.bin
NODE := $(BIN)/node
HOST_PATH := $(PATH)
export PATH := $(BIN):$(PATH)

.PHONY: help
help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: build ## watch a Deployment scale while a stock Go client follows (first time about 10 min, then 20 s)
	@$(NODE) dev/demo.ts

.PHONY: test
test: build ## every test, on real servers (builds them the first time: about 10 min); TESTS=glob for some
	@$(NODE) dev/test.ts $(TESTS)

.PHONY: test-unit
test-unit: install ## the tests that need no server (seconds)
	@npm run --silent test:unit

.PHONY: check
check: install ## types, lint, format, generated files fresh, import rules
	npm run check
	$(NODE) --test --test-reporter=dot test/unit/imports.test.ts

.PHONY: format
format: install ## format the sources
	npm run format

.PHONY: gen
gen: install ## write the generated files (CRDs, API reference)
	npm run gen

.PHONY: build
build: install ## dist/: the one-file program and the library
	@npm run --silent build

.PHONY: bench
bench: build ## measure propagation against the bare pipeline, and the naming library against Go's (4 min)
	@$(NODE) bench/propagation.ts
	@$(NODE) bench/naming.ts

.PHONY: up
up: build ## start a control plane to play with; prints what to export
	@$(NODE) dev/up.ts

.PHONY: down
down: install ## stop it
	@$(NODE) dev/down.ts

.PHONY: clean
clean: ## remove what was built here (the tools stay in ~/.cache/grpc-etcd-operator)
	@if [ -x $(NODE) ]; then $(NODE) dev/down.ts; fi
	rm -rf dist .dev node_modules

# By content, not by time: a checkout gives files any time it likes.
.PHONY: install
install:
	@if ! cmp -s package-lock.json node_modules/.installed-lock.json; then \
	  echo "npm       installing dependencies (about 10 s)" >&2; \
	  PATH="$(HOST_PATH)" npm ci --no-progress --loglevel=error >&2 && cp package-lock.json node_modules/.installed-lock.json; \
	fi
	@$(NODE) --version >/dev/null 2>&1 || { echo "node_modules/.bin/node does not run: npm ci left out the optional package of dev/node for this machine" >&2; exit 1; }
