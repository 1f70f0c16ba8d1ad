# What a person and CI run. `make help` lists it all.
PYTHON ?= python3
VENV   ?= .venv
DEMO   := $(VENV)/demo
DEV    := $(VENV)/dev
JOBS   ?= 3
LEGACY := $(VENV)/legacy
PIP    := -m pip install --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check format clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | expand -t 22

$(DEMO)/.ready: pyproject.toml constraints/edge.txt
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(PIP) -c constraints/edge.txt -e '.[demo$(if $(KEEP),$(comma)dashboard)]'
	touch $@

comma := ,

demo: $(DEMO)/.ready ## a simulated day through the real daemon, over MQTT (KEEP=1: goes on, with the dashboard; PORT=8080: of its page)
ifdef KEEP
	$(DEMO)/bin/python $(PIP) -c constraints/edge.txt -e '.[demo,dashboard]'
	$(DEMO)/bin/python -m leakear.dashboard.demo $(if $(PORT),--port $(PORT))
else
	$(DEMO)/bin/python -m leakear.edge.simulation.demo
endif

$(DEV)/.ready: pyproject.toml constraints/workstation.txt
	$(PYTHON) -m venv $(DEV)
	$(DEV)/bin/python $(PIP) -c constraints/workstation.txt -e '.[dev]'
	touch $@

# tflite-runtime 2.14 exists up to Python 3.11 and needs numpy 1: an environment of its own.
$(LEGACY)/.ready: pyproject.toml constraints/legacy.txt
	$(PYTHON) -m venv $(LEGACY)
	-$(LEGACY)/bin/python $(PIP) -c constraints/legacy.txt -e '.[edge-tflite-runtime]'
	touch $@

.PHONY: system-packages
system-packages: ## Debian packages the tests need (skipped where apt-get is not there)
	@make/system-packages mosquitto libportaudio2 libasound2-plugins pulseaudio pulseaudio-utils jackd2 chromium chromium-driver nginx-light

test: system-packages $(DEV)/.ready $(LEGACY)/.ready ## everything that must always hold (about 20 minutes on two cores)
	$(MAKE) check
	$(DEV)/bin/python -m pytest tests -m "not slow" -p no:cacheprovider -n $(JOBS) --dist loadfile
	$(MAKE) test-newest

test-slow: system-packages $(DEV)/.ready $(LEGACY)/.ready ## the long suites
	$(DEV)/bin/python -m pytest tests -m slow --timeout 3600

check: $(DEV)/.ready ## formatting, lint, types, import contracts, size of modules, unused names
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports
	$(DEV)/bin/python make/house
	make/js/check

format: $(DEV)/.ready ## bring the code into shape
	$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff check --fix .

clean: ## remove environments and caches
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

include $(wildcard make/*.mk)
