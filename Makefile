# Every target does its own set-up. `make demo` shows the main job, `make test` proves it.
PY := .venv/bin/python
SIM := build/sim/libnvidia-ml.so.1
VIEW := build/sim/unified_view.so

.PHONY: help setup sim lint type test system bench demo docs check clean

help:  ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: .venv/stamp  ## virtual environment, Debian packages, the Slurms that the tests run
	$(PY) -m tests.cluster setup
	$(PY) -m compileall -q slurm_mig  # the hooks' stubs compile nothing themselves (-B)

.venv/stamp: pyproject.toml
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

sim: $(SIM) $(VIEW)  ## the simulated libnvidia-ml.so.1, and what shows slurmd cgroup v2 alone
$(SIM): $(wildcard tests/sim/*.c tests/sim/*.h tests/sim/*.txt tests/sim/Makefile)
	$(MAKE) -C tests/sim BUILD=$(CURDIR)/build/sim

$(VIEW): tests/cluster/unified_view.c | $(SIM)  # first another name: a slurmd may map the old one
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -fPIC -shared -Wall -Wextra -Werror -o $@.new $<
	mv $@.new $@

lint: .venv/stamp  ## ruff
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

type: .venv/stamp  ## mypy --strict
	.venv/bin/mypy

test: setup sim lint type  ## all tests that gate
	$(PY) -m tests.cluster setup --accounting --usage
	.venv/bin/pytest -n auto --dist loadfile -m 'not system'

system: setup sim  ## what does not gate: Debian sid's Slurm
	$(PY) -m tests.cluster setup --system
	.venv/bin/pytest -m system

bench: setup sim  ## measurements: ratios and medians, no verdicts
	$(PY) -m tests.bench

demo: setup sim  ## the main job, shown on two simulated nodes
	$(PY) -m tests.demo

docs: setup sim  ## run every command of docs/ and renew what it prints there
	$(PY) -m tests.docs

check: test  ## what CI runs

clean:  ## remove what was built here
	rm -rf build .venv dist
