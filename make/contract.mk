ASYNCAPI ?= /var/cache/leakear/asyncapi

.PHONY: contract check-contract
contract: $(DEV)/.ready ## write docs/asyncapi.yaml and docs/schemas from the code
	$(DEV)/bin/python docs/contract.py

$(ASYNCAPI)/node_modules/@asyncapi/specs/schemas/3.0.0.json:
	mkdir -p $(ASYNCAPI)
	@command -v npm >/dev/null || make/system-packages npm
	npm install --no-audit --no-fund --silent --prefix $(ASYNCAPI) @asyncapi/specs@6

check-contract: $(DEV)/.ready $(ASYNCAPI)/node_modules/@asyncapi/specs/schemas/3.0.0.json ## the contract against AsyncAPI's own schema (npm)
	$(DEV)/bin/python docs/contract.py --check --asyncapi $(ASYNCAPI)/node_modules/@asyncapi/specs/schemas/3.0.0.json
