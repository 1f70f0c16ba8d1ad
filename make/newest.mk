NEWEST        := $(VENV)/newest
NEWEST_PYTHON ?= $(shell make/newest-python)

# No constraints: whatever the package index has today.
$(NEWEST)/.ready: pyproject.toml
	rm -rf $(NEWEST)
	$(NEWEST_PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python $(PIP) '.[edge-test]'
	touch $@

.PHONY: test-newest test-sid
test-newest: system-packages $(NEWEST)/.ready ## the node's tests on the newest Python here and the newest scipy, numpy, LiteRT of the index, with [edge] alone (3 minutes)
	$(NEWEST)/bin/python -c "import sys, numpy, scipy, ai_edge_litert; print('Python', sys.version.split()[0], 'numpy', numpy.__version__, 'scipy', scipy.__version__)"
	$(NEWEST)/bin/python -m pytest tests/edge -m "not slow" --ignore tests/edge/test_boundaries.py -p no:cacheprovider

SID        := make/debian-sid $(DEV)/bin/python
SID_BROKER := tests/edge/cli/test_deploy.py tests/edge/simulation tests/dashboard/ingest tests/system/test_broker_files.py \
	tests/system/test_deployment_files.py tests/system/test_district_broker.py $(addprefix tests/dashboard/test_, \
	admission.py answers.py delivery.py forgetting.py hostile_broker.py limits.py)

test-sid: system-packages $(DEV)/.ready ## Debian sid's mosquitto under node and dashboard, and the node's tests on its Python (root; a quarter of an hour)
	@make/system-packages mosquitto postgresql mmdebstrap git
	$(SID) python3 -c "import sys, numpy, scipy, ai_edge_litert; print('Python', sys.version.split()[0], 'numpy', numpy.__version__, 'scipy', scipy.__version__)"
	PATH="$$($(SID)):$$PATH" $(DEV)/bin/python -c "from tests.support.broker import version; print('mosquitto', version())"
	PATH="$$($(SID)):$$PATH" $(DEV)/bin/python -m pytest $(SID_BROKER) -m "not slow" -p no:cacheprovider
	$(SID) python3 -m pytest tests/edge -m "not slow" --ignore tests/edge/test_boundaries.py -p no:cacheprovider
