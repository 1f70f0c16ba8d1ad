.PHONY: test-systemd test-arm64
test-systemd: $(DEV)/.ready ## the unit and installer on a real systemd in a container (root; about 6 minutes)
	@make/system-packages systemd-container mmdebstrap
	$(DEV)/bin/python -m pytest tests/system/test_systemd.py tests/system/test_limits_unit.py -m slow -s

test-arm64: $(DEV)/.ready ## the node on real aarch64 code under qemu (root; about 10 minutes)
	@make/system-packages mmdebstrap qemu-user-static binfmt-support mosquitto
	$(DEV)/bin/python -m pytest tests/system/test_arm64.py -m slow -s
