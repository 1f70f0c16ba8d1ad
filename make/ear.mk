.PHONY: week fuzz sdcard test-vm bench-vm-clock

week: system-packages $(DEV)/.ready ## a simulated week (60,480 windows) through the daemon at full speed
	$(DEV)/bin/python -m pytest tests/system/test_week.py -m slow -s

sdcard: system-packages $(DEV)/.ready ## bytes that a day of the daemon writes to its SD card (root, ext4 on a loop device; 10 minutes)
	$(DEV)/bin/python -m bench.sdcard

fuzz: $(DEV)/.ready ## hostile sound, 5,000 damaged bundles within 256 MiB, 12,000 commands, 100 leak days to brokers of random limits (a quarter of an hour)
	@make/system-packages mosquitto
	$(DEV)/bin/python -m pytest tests/edge/test_fuzz.py tests/edge/model tests/system/test_hostile_commands.py tests/system/test_fuzz_brokers.py -m slow -s

test-vm: $(DEV)/.ready ## a real kernel sound card (snd-aloop in qemu) pulled out and put back while the daemon listens
	@make/system-packages mmdebstrap qemu-system-x86 e2fsprogs
	tests/system/vm/run $(DEV)/bin/python

bench-vm-clock: $(DEV)/.ready ## how true the stated time of a sample is at a kernel sound card (snd-aloop in qemu)
	@make/system-packages mmdebstrap qemu-system-x86 e2fsprogs
	tests/system/vm/run $(DEV)/bin/python "python3 -m bench.sample_time --kernel-card --seconds 120"
