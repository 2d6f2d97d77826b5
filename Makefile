# Every target makes the virtual environment first, so each of them may be the first command in a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := $(VENV)/.tools-ready
DEVELOPMENT := $(VENV)/.development-ready
TYPINGS := build/typings
WORKERS ?= 2
# System tests that measure no time and mostly wait run beside the unit tests. The others run alone: two real-time
# chargers would wait for each other's processor.
PATIENT := $(patsubst %,tests/system/test_%.py,start flash_update flash backup boot_flash factory_reset csms tools sweep \
	uwebsockets)
# Everything is run by python itself: the scripts in .venv/bin hold the path that the checkout had when .venv was made.
MICROPYTHON := import sys, micropython_unix; sys.exit(micropython_unix.main())

.PHONY: run test coverage mutants soak sweep lint bench image port flash micropython console logs provision clean

run: $(TOOLS)  ## play a charging session above the simulated board (DEMO=1: end by itself with a verdict)
	@$(BIN)/python -m tools.demo $(if $(DEMO),--demo)

test: lint  ## lint, then the whole suite on CPython and on MicroPython (WORKERS=N: tests at a time)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PATIENT) tests/unit tests/property
	$(BIN)/python -m pytest tests/system $(PATIENT:%=--ignore=%)

coverage: $(DEVELOPMENT)  ## which lines the tests on CPython reach; three times as slow as without
	$(BIN)/python -m coverage run -m pytest tests/unit tests/property -k "not micropython"
	@$(BIN)/python -m coverage report

soak: $(TOOLS)  ## 30 days of sessions with 200 power cuts, in virtual time (SOAK="DAYS CUTS SEED")
	MICROPYPATH=.frozen:.:lib:tests/unit $(BIN)/python -c "$(MICROPYTHON)" -X heapsize=16M tests/soak.py $(or $(SOAK),30 230 1)

sweep: $(TOOLS)  ## raise an exception at every line of control, session and store (SWEEP="--scenario socket --seed 2")
	$(BIN)/python -m tools.sweep $(SWEEP)

mutants: $(DEVELOPMENT)  ## which small mistakes in the firmware the tests would not notice (SEED=n COUNT=n)
	$(BIN)/python -m tools.mutants --seed $(or $(SEED),1) --count $(or $(COUNT),300)

lint: $(DEVELOPMENT) $(TYPINGS)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m codespell_lib
	$(BIN)/python -m mypy

bench: $(DEVELOPMENT)  ## measure, compare with the budgets, write docs/performance.md
	$(BIN)/python -m tools.bench

image: $(TOOLS)  ## build/wallbox-VERSION.img, the one file for flash, portal and back-end, and a size report
	$(BIN)/python -m tools.image

port:
	@test -n "$(PORT)" || { echo "Which port? For example: make flash PORT=/dev/ttyACM0" >&2; exit 2; }

flash: port $(TOOLS)  ## put the firmware on a board: make flash PORT=/dev/ttyACM0 [FACTORY=station.json] [IMAGE=x.img] [YES=1] [BOOT=1]
	@$(if $(IMAGE),,$(BIN)/python -m tools.image --quiet)
	@$(BIN)/python -m tools.flash $(PORT) $(if $(IMAGE),--image "$(IMAGE)") $(if $(FACTORY),--factory "$(FACTORY)") $(if $(YES),--yes) $(if $(BOOT),--boot)

console: port $(TOOLS)  ## the REPL of a board; Ctrl-C stops the station, Ctrl-] leaves
	@$(BIN)/python -m mpremote connect $(PORT) repl

logs: port $(TOOLS)  ## the log of a station, which goes on: make logs PORT=/dev/ttyACM0 [FILE=station.log]
	@$(BIN)/python -m tools.logs $(PORT) $(if $(FILE),--file "$(FILE)")

micropython: port $(TOOLS)  ## put MicroPython itself on a board: make micropython PORT=... FIRMWARE=file.bin [ERASE=1] [YES=1]
	@test -n "$(FIRMWARE)" || { echo "Which file? From micropython.org: make micropython PORT=$(PORT) FIRMWARE=file.bin" >&2; exit 2; }
	@$(BIN)/python -m tools.micropython $(PORT) "$(FIRMWARE)" $(if $(ERASE),--erase) $(if $(YES),--yes)

provision: $(TOOLS)  ## factory files, passwords and labels of many stations: make provision CSV=stations.csv
	@test -n "$(CSV)" || { echo "Which stations? One a line: make provision CSV=stations.csv (docs/settings.md)" >&2; exit 2; }
	@$(BIN)/python -m tools.provision "$(CSV)"

clean:
	rm -rf build $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 to 3.13 is needed, this is %d.%d: make PYTHON=python3.12 ..." \
		% sys.version_info[:2] if not (3, 10) <= sys.version_info < (3, 14) else 0)'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }

$(TOOLS): requirements.txt | $(VENV)/bin/pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(DEVELOPMENT): requirements-dev.txt $(TOOLS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(TYPINGS): tools/typings.py $(DEVELOPMENT)
	@$(BIN)/python -m tools.typings $@
