.PHONY: test-faults

test-faults: $(DEV)/.ready ## daemon, broker, network, disk and clock hurt in every way, full counts (about 40 minutes)
	$(DEV)/bin/python -m pytest tests/system/test_delivery_faults.py --timeout 1800 -s
