# make lab    JupyterLab on notebooks/00_start_here
# make test   everything that proves the project works
# Both set up .venv first and are quick when nothing changed.
#
# make book         the course as a web site, in build/book/html
# make solutions    the notebooks with their exercises solved, in notebooks/solutions
# make train-full   notebook 12 without a browser, make evaluate   notebook 13; the executed copies
#                   lie in runs/notebooks
#
# A system whose Python 3.11 or newer has another name: make lab PYTHON=python3.12

PYTHON ?= python3
VENV := .venv/bin
READY := .venv/.ready

# for what runs in the environment: its programs first, the notebooks' kernel with them
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# as glanet/__main__.py sets it: on a busy machine, threads waste less time
export GOMP_SPINCOUNT ?= 10000

.PHONY: lab may-start-lab test lint notebooks solutions book train-full evaluate clean

lab: may-start-lab $(READY)
	JUPYTER_CONFIG_PATH="$(CURDIR)/jupyter" $(VENV)/jupyter lab $(ARGS)

may-start-lab:
	@if [ "$$(id -u)" = 0 ] && [ -z "$(findstring --allow-root,$(ARGS))" ]; then \
		echo "You are root, and JupyterLab then wants to be told so:"; \
		echo "make lab ARGS=\"--allow-root\""; exit 1; fi

# Two processes of one thread each: more threads than cores stand in each other's way. With
# tests/offline on the path, neither tests nor notebooks reach the network. What the site needs from
# npm comes first; without it, tests of that page are skipped.
test: $(READY) lint
	@$(VENV)/python -m glanet.course.tools.enlarge || true
	GLANET_PROFILE=smoke OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
	PYTHONPATH="$(CURDIR)/tests/offline" $(VENV)/python -m pytest -n 2 $(ARGS)

lint: $(READY)
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/lint-imports

notebooks: $(READY)
	$(VENV)/python -m glanet.course.tools.build $(ARGS)

solutions: $(READY)
	$(VENV)/python -m glanet.course.tools.build --solved $(ARGS)

book: $(READY)
	$(VENV)/python -m glanet.course.tools.site $(ARGS)

train-full: $(READY)
	$(VENV)/python -m glanet.course.tools.headless 12 $(ARGS)

evaluate: $(READY)
	$(VENV)/python -m glanet.course.tools.headless 13 $(ARGS)

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .ruff_cache .import_linter_cache

# pip is asked again only when what it is asked for changed
$(READY): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "glanet needs Python 3.11 or newer, found: $$($(PYTHON) --version 2>&1)."; \
		echo "Install one, then run: make lab PYTHON=python3.12"; exit 1; }
	test -x $(VENV)/python || $(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $(READY)
