# Everything runs in .venv, which is made on the first use from constraints.txt.
# On a machine with a wheel folder, `pip config get global.find-links` names it; uv needs it told.
PYTHON ?= python3
SHELL := bash
BIN := .venv/bin
SMK := $(BIN)/snakemake --cores all
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --benchmark-disable
DEMO := configs/suites/demo.yaml
export MPLBACKEND := Agg

.PHONY: demo reproduce test old-versions golden bench gpu-check gpu-campaign check docs format publish tables clean

demo: .venv/.ok
	$(SMK) --config suite=$(DEMO)
	PYTHONWARNINGS=ignore $(BIN)/snakemake --quiet all --report results/demo/report.html --config suite=$(DEMO)
	$(BIN)/ganbench show results/demo/report/report.json
	@echo "report: results/demo/report.html    paper: results/demo/paper.pdf"

reproduce: .venv/.ok
	@echo "progress: $(BIN)/ganbench status results/paper --watch    logs: results/paper/logs/STAGE_EXPERIMENT_SEED.log"
	$(SMK)

# Triton's interpreter and its compiler exclude each other, so each has a process of its own.
test: .venv/.ok
	$(PYTEST) -n 2 --dist loadfile --ignore tests/kernels/interpret --ignore tests/kernels/aot
	TRITON_INTERPRET=1 $(PYTEST) tests/kernels/interpret
	$(PYTEST) tests/kernels/aot

# The kernels under the triton that GPU machines with torch 2.11 have, laid over the pinned one.
OLD := $(CURDIR)/.venv/triton-3.6
old-versions: .venv/.ok
	$(BIN)/pip install -q --upgrade --no-deps --target $(OLD) triton==3.6.0 numpy==2.3.5
	PYTHONPATH=$(OLD) TRITON_INTERPRET=1 $(PYTEST) -W ignore tests/kernels/interpret
	PYTHONPATH=$(OLD) $(PYTEST) -W ignore tests/kernels/aot

# After a change that is meant to move numbers, and raises their version (ganbench/numerics.py).
golden: .venv/.ok
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.golden.write

# Nothing else should run meanwhile; table and figure are below results/bench.
bench: .venv/.ok
	$(BIN)/snakemake --cores 1 bench

# On a machine with an NVIDIA GPU; needs torch, triton, pytest and this tree, no network.
gpu-check:
	$(PYTHON) ganbench/bench/gpu_check.py $(ARGS)

# There too: the long runs in order of value; ARGS="--dry-run" prints the plan and its minutes.
gpu-campaign:
	$(PYTHON) ganbench/bench/gpu_campaign.py $(ARGS)

check: .venv/.ok
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/snakefmt --check Snakefile
	$(BIN)/snakemake --lint
	$(BIN)/hadolint Dockerfile
	$(BIN)/pip check

# The site, without a network: python -m http.server -d site
docs: .venv/.ok
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

format: .venv/.ok
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile

# Records and tables. Samples, weights and pictures stay behind (a command makes them again: see
# docs/likelihood.md); the generators and pictures that documents show were added by hand.
publish:
	cd results && find $(SUITE) -type f -size -20M \( -name '*.json' -o -name history.csv -o -name theory.npz \
	  -o -path '*/report/*.md' -o -path '*/report/*.csv' \) -exec cp --parents {} published/ \;

tables:
	$(PYTHON) docs/paste_tables.py

clean:
	find results -mindepth 1 -maxdepth 1 ! -name published -exec rm -rf {} +
	rm -rf .snakemake build dist site *.egg-info

# Of the interpreter below an active environment, which may be the very .venv that is cleared here.
.venv/.ok: pyproject.toml constraints.txt
	base="$$($(PYTHON) -c 'import sys; print(sys._base_executable)')"; \
	if command -v uv > /dev/null; then \
	  uv venv -q --clear --seed --python "$$base" .venv \
	  && UV_FIND_LINKS="$$("$$base" -m pip config get global.find-links 2> /dev/null || true)" \
	     uv pip install -q -p .venv -c constraints.txt -e '.[dev]'; \
	else \
	  "$$base" -m venv --clear .venv && $(BIN)/pip install -q -c constraints.txt -e '.[dev]'; \
	fi
	touch $@
