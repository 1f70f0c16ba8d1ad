HOMEASSISTANT ?= /var/cache/leakear/homeassistant

.PHONY: test-homeassistant
test-homeassistant: $(DEV)/.ready ## a real Home Assistant and a real node (root; builds 2 GB once)
	@make/system-packages mosquitto chromium chromium-driver mmdebstrap iproute2
	tests/system/homeassistant-root $(HOMEASSISTANT)
	LEAKEAR_HOMEASSISTANT=$(HOMEASSISTANT) unshare --net sh -c 'ip link set lo up && \
		$(abspath $(DEV))/bin/python -m pytest tests/system/test_homeassistant.py -m slow -p no:cacheprovider'
