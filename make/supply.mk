LOCK := $(VENV)/lock

$(LOCK)/.ready:
	$(PYTHON) -m venv $(LOCK)
	$(LOCK)/bin/python $(PIP) uv cyclonedx-bom
	touch $@

.PHONY: lock sbom
lock: $(LOCK)/.ready ## constraints/*.lock: every package with its hashes, from constraints/*.txt
	make/lock $(LOCK)/bin/uv

sbom: $(LOCK)/.ready ## runs/sbom: what a node and a dashboard consist of, with licences and hashes (CycloneDX)
	make/sbom $(PYTHON) $(LOCK)/bin/cyclonedx-py runs/sbom
