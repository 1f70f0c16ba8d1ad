NODERED ?= /var/cache/leakear/node-red

$(NODERED)/node_modules/.bin/node-red:
	mkdir -p $(NODERED)
	@command -v npm >/dev/null || make/system-packages npm
	npm install --no-audit --no-fund --silent --prefix $(NODERED) node-red@4

.PHONY: test-nodered
test-nodered: $(DEV)/.ready $(NODERED)/node_modules/.bin/node-red ## a real Node-RED with the example flow (npm, 250 MB once)
	@make/system-packages mosquitto
	LEAKEAR_NODERED=$(NODERED) $(DEV)/bin/python -m pytest tests/system/test_nodered.py -m slow -p no:cacheprovider
