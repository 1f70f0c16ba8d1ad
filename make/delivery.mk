.PHONY: test-faults

test-faults: $(DEV)/.ready ## daemon, broker, network, disk and clock hurt in every way, full counts (20 minutes; root for all)
	@make/system-packages mosquitto iproute2 nftables gcc libc6-dev libportaudio2
	-$(DEV)/bin/python $(PIP) -c constraints/workstation.txt libfaketime  # built by a C compiler; without it the clock test is skipped
	$(DEV)/bin/python -m pytest tests/system/test_delivery_faults.py tests/system/test_machine_faults.py \
		tests/system/test_hostile_input.py --timeout 1800 -s
