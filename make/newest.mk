NEWEST        := $(VENV)/newest
NEWEST_PYTHON ?= $(shell make/newest-python)

# No constraints: whatever the package index has today.
$(NEWEST)/.ready: pyproject.toml
	rm -rf $(NEWEST)
	$(NEWEST_PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python $(PIP) '.[edge-test]'
	touch $@

.PHONY: test-newest
test-newest: system-packages $(NEWEST)/.ready ## the node's tests on the newest Python here and the newest scipy, numpy, LiteRT of the index, with [edge] alone (3 minutes)
	$(NEWEST)/bin/python -c "import sys, numpy, scipy, ai_edge_litert; print('Python', sys.version.split()[0], 'numpy', numpy.__version__, 'scipy', scipy.__version__)"
	$(NEWEST)/bin/python -m pytest tests/edge -m "not slow" --ignore tests/edge/test_boundaries.py -p no:cacheprovider
