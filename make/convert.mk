OLDEST := $(VENV)/litert-oldest

# The oldest ai-edge-litert that is promised, in an environment of its own.
$(OLDEST)/.ready:
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python $(PIP) 'ai-edge-litert==2.1.6' 'numpy>=2'
	touch $@

.PHONY: test-convert conversion-table
test-convert: $(DEV)/.ready $(LEGACY)/.ready $(OLDEST)/.ready ## the converter's tests on all three runtimes, long ones too
	$(DEV)/bin/python -m pytest tests/convert --timeout 1200

# COMPACT and REFERENCE: run folders of leakear-train fit. The reference network needs 20 GiB and an hour or two; what is
# finished is kept, so that an interrupted run goes on.
conversion-table: $(DEV)/.ready $(LEGACY)/.ready $(OLDEST)/.ready ## docs/results/conversion.md from COMPACT=RUN and REFERENCE=RUN
	$(if $(COMPACT),$(DEV)/bin/python -m bench.conversion compact=$(COMPACT))
	$(if $(REFERENCE),$(DEV)/bin/python -m bench.conversion reference=$(REFERENCE) --windows 60 --calibration-windows 32)
	$(DEV)/bin/python -m bench.conversion --times
