OLDEST := $(VENV)/litert-oldest

# The oldest ai-edge-litert that is promised, in an environment of its own.
$(OLDEST)/.ready:
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python $(PIP) 'ai-edge-litert==2.1.6' 'numpy>=2'
	touch $@

.PHONY: test-convert conversion-table
test-convert: $(DEV)/.ready $(LEGACY)/.ready $(OLDEST)/.ready ## the converter's tests on all three runtimes, long ones too
	$(DEV)/bin/python -m pytest tests/convert

# COMPACT and REFERENCE: run folders of leakear-train fit. The reference network needs 20 GiB and half an hour.
conversion-table: $(DEV)/.ready $(LEGACY)/.ready $(OLDEST)/.ready ## docs/results/conversion.md from COMPACT=RUN and REFERENCE=RUN
	$(DEV)/bin/python bench/conversion.py $(if $(COMPACT),compact=$(COMPACT)) --again
	$(if $(REFERENCE),$(DEV)/bin/python bench/conversion.py reference=$(REFERENCE) --windows 12 --calibration-windows 32 --again)
