LOCK := $(VENV)/lock

$(LOCK)/.ready: constraints/build.lock
	$(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/python $(PIP) uv cyclonedx-bom build
	$(LOCK)/bin/python $(PIP) --require-hashes -r constraints/build.lock
	touch $@

.PHONY: lock sbom
lock: $(LOCK)/.ready ## constraints/*.lock: every package with its hashes, from constraints/*.txt
	make/lock $(LOCK)/bin/uv

sbom: $(LOCK)/.ready ## runs/sbom: what a node and a dashboard consist of, with licences and hashes (CycloneDX)
	make/sbom $(PYTHON) $(LOCK)/bin/cyclonedx-py runs/sbom
