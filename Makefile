# `make demo` and `make test` are all a newcomer needs: each does the whole set-up on a fresh Debian 12.
.PHONY: demo test test-slow test-night check bench fuzz mutate sandbox setup driver wheel deb clean
.DEFAULT_GOAL := help

bin := .venv/bin

.PHONY: help
help: ## say what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 16

.PHONY: setup-slow
setup-slow:
	@tools/setup slow

setup: ## install what is missing (Debian packages, .venv); says what it installs
	@tools/setup

.PHONY: setup-bench
setup-bench:
	@tools/setup bench

demo: setup ## a pharmacy counter on a real pcscd with virtual cards: four handoffs, then all is gone again
	@$(bin)/cardsim demo

sandbox: setup ## the same counter, up until Ctrl-C, with the lines to type next
	@$(bin)/cardsim sandbox

# A file's tests go to one worker (tests/support/distribution.py). What pytest makes of the files of tests is kept for the
# next worker and run, also where Python itself is told to keep nothing.
by_file := --dist loadfile --no-loadscope-reorder
test test-slow test-night: export PYTHONDONTWRITEBYTECODE :=

test: setup ## all tests that take minutes: unit, property, contract, crash, and the lab on a real pcscd
	@$(bin)/pytest -q -n 5 $(by_file) -m 'not slow and not night'

test-slow: setup-slow ## the long ones: the wheel as it is installed, all pairs of readings of the rule, many more examples
	@$(bin)/pytest -q -n 3 $(by_file) -m slow
	@$(bin)/pytest -q -n 3 --dist worksteal -m 'not slow and not night' --hypothesis-profile=long tests/property

test-night: setup ## over an hour: all disturbances in all states, a crash and a tear at every point, ten thousand cards
	@$(bin)/pytest -q -m night

check: setup ## lint, format, types, floors
	@$(bin)/ruff check .
	@$(bin)/ruff format --check .
	@$(bin)/mypy
	@PYTHONPATH=simulators .venv/lint/bin/lint-imports

bench: setup-bench ## measure, in interleaved rounds; a table, and JSON with the commit in bench/out/
	@$(bin)/python -m bench.run

fuzz: setup ## coverage-guided fuzzing of every target for FUZZ_SECONDS (60) each; executions and findings in a table
	@$(bin)/pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r requirements/fuzz.txt
	@$(bin)/python -m fuzz.run

mutate: setup ## break thirty places of the code in a copy of it and tell which ones no test notices (SEED=n repeats)
	@$(bin)/python tools/mutate.py $(if $(SEED),--seed $(SEED))

driver: ## the national terminal driver as a C library, libsscard.so, in build/driver/ (docs/libsscard.md)
	@$(MAKE) --no-print-directory -C driver

wheel: setup ## a wheel of daemon, client and simulator, in dist/
	@$(bin)/python -m hatchling build -t wheel -d dist

deb: setup ## a Debian package for Debian 12 with all that it needs inside, in dist/ (docs/install.md)
	@$(bin)/python tools/deb.py

clean: ## remove everything that was built or installed here (not the Debian packages)
	rm -rf .venv build dist bench/out fuzz/out .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
