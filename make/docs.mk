DOCS := $(VENV)/docs

$(DOCS)/.ready: constraints/workstation.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python $(PIP) -c constraints/workstation.txt mkdocs-material
	touch $@

.PHONY: docs test-docs
docs: $(DOCS)/.ready ## runs/site: this documentation as pages, to be searched without a network (open runs/site/index.html)
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --strict
	@echo "open runs/site/index.html"

test-docs: system-packages $(DEV)/.ready ## every command, link and page of the docs, long ones too (6 minutes on two cores)
	$(DEV)/bin/python -m pytest tests/docs -p no:cacheprovider --timeout 1800
